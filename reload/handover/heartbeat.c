#include "reload/handover/heartbeat.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "reload/handover/channel.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

/* In ticks: from an answer to the next question, from a question to the kill, from that to the end
 * of the channel. */
#define ASK_TICKS    1u
#define SILENT_TICKS 6u
#define KILLED_TICKS 10u

enum heartbeat_state {
    HEARTBEAT_ANSWERING, /* asks nothing */
    HEARTBEAT_WATCHING,  /* the last question was answered */
    HEARTBEAT_ASKED,     /* the answer is due */
    HEARTBEAT_KILLED,    /* the end of the channel is due */
};

struct heartbeat {
    struct heartbeats *heartbeats;
    struct channel *channel;
    struct pulse_check check; /* for the answer to the other process's question */
    uint32_t question;        /* its number */

    enum heartbeat_state state;
    const char *who;
    pid_t pid;
    bool waits;
    struct event *tick;
    uint64_t ticked_at; /* clock_ms() */
    unsigned ticks;     /* in this state */
    uint32_t number;    /* of the last question */
    void (*on_answer)(void *arg);
    void *arg;
    uint32_t confirms; /* the number from which on an answer is one for on_answer */
};

static struct heartbeat *heartbeat_of(const struct channel *channel)
{
    return channel_aside_arg(channel);
}

static void set_state(struct heartbeat *heartbeat, enum heartbeat_state state)
{
    heartbeat->state = state;
    heartbeat->ticks = 0;
}

static void tick_later(struct heartbeat *heartbeat)
{
    struct timeval interval = clock_interval(heartbeat->heartbeats->tick_ms);
    heartbeat->ticked_at = clock_ms();
    event_add(heartbeat->tick, &interval);
}

static void say(struct heartbeat *heartbeat, uint32_t number, bool answer)
{
    const struct message_beat beat = {.number = number, .answer = answer};
    channel_send(heartbeat->channel, MESSAGE_BEAT, &beat, sizeof beat, NULL, 0);
}

static void on_turned(void *arg)
{
    struct heartbeat *heartbeat = arg;
    say(heartbeat, heartbeat->question, true);
}

static void ask(struct heartbeat *heartbeat)
{
    set_state(heartbeat, HEARTBEAT_ASKED);
    say(heartbeat, ++heartbeat->number, false);
}

static void hear_answer(struct heartbeat *heartbeat, uint32_t number)
{
    if (heartbeat->state != HEARTBEAT_ASKED || number != heartbeat->number)
        return;
    set_state(heartbeat, HEARTBEAT_WATCHING);
    if (!heartbeat->on_answer)
        return;
    if (number != heartbeat->confirms) {
        ask(heartbeat);
        return;
    }
    void (*confirmed)(void *arg) = heartbeat->on_answer;
    heartbeat->on_answer = NULL;
    confirmed(heartbeat->arg);
}

static void on_message(const struct received *message, void *arg)
{
    struct heartbeat *heartbeat = arg;
    const struct message_beat *beat = message->payload;
    if (beat->answer) {
        hear_answer(heartbeat, beat->number);
        return;
    }
    heartbeat->question = beat->number;
    pulse_ask(&heartbeat->heartbeats->pulse, &heartbeat->check);
}

static void report(const struct heartbeat *heartbeat, const char *what)
{
    char line[160];
    snprintf(line, sizeof line, "%s (pid %d) %s", heartbeat->who, (int)heartbeat->pid, what);
    heartbeat->heartbeats->on_hung(line, heartbeat->heartbeats->arg);
}

static void kill_it(struct heartbeat *heartbeat)
{
    heartbeat->on_answer = NULL;
    set_state(heartbeat, HEARTBEAT_KILLED);
    if (heartbeat->pid > 0)
        (void)kill(heartbeat->pid, SIGKILL); /* the channel is open: the pid is nobody else's */
    report(heartbeat, "has not answered for 3s: it hangs, and is killed");
}

static void give_up(struct heartbeat *heartbeat)
{
    if (heartbeat->waits)
        report(heartbeat, "cannot be killed: its end is waited for");
    else
        channel_fail(heartbeat->channel, "did not answer, and could not be killed");
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct heartbeat *heartbeat = arg;
    bool late = clock_ms() > heartbeat->ticked_at + 2 * heartbeat->heartbeats->tick_ms;
    tick_later(heartbeat);
    if (channel_is_foreign(heartbeat->channel) && channel_is_read(heartbeat->channel) &&
        heartbeat->state == HEARTBEAT_ASKED) {
        hear_answer(heartbeat, heartbeat->number);
        return;
    }
    if (late)
        return;
    heartbeat->ticks++;
    if (heartbeat->state == HEARTBEAT_WATCHING && heartbeat->ticks >= ASK_TICKS)
        ask(heartbeat);
    else if (heartbeat->state == HEARTBEAT_ASKED && heartbeat->ticks >= SILENT_TICKS)
        kill_it(heartbeat);
    else if (heartbeat->state == HEARTBEAT_KILLED && heartbeat->ticks == KILLED_TICKS)
        give_up(heartbeat);
}

static void on_closed(void *arg)
{
    struct heartbeat *heartbeat = arg;
    pulse_forget(&heartbeat->heartbeats->pulse, &heartbeat->check);
    event_free(heartbeat->tick);
    free(heartbeat);
}

void heartbeat_answer(struct heartbeats *heartbeats, struct channel *channel)
{
    struct heartbeat *heartbeat = calloc(1, sizeof *heartbeat);
    if (heartbeat)
        heartbeat->tick = event_new(heartbeats->base, -1, 0, on_tick, heartbeat);
    if (!heartbeat || !heartbeat->tick) {
        free(heartbeat);
        log_error("out of memory: questions of the other process are not answered");
        return;
    }
    heartbeat->heartbeats = heartbeats;
    heartbeat->channel = channel;
    heartbeat->check = (struct pulse_check){.on_turned = on_turned, .arg = heartbeat};
    const struct channel_aside aside = {
        .type = MESSAGE_BEAT, .on_message = on_message, .on_closed = on_closed, .arg = heartbeat};
    channel_set_aside(channel, &aside);
}

void heartbeat_watch(struct channel *channel, const char *who, pid_t pid, bool waits)
{
    struct heartbeat *heartbeat = heartbeat_of(channel);
    if (!heartbeat)
        return;
    heartbeat->who = who;
    heartbeat->pid = pid;
    heartbeat->waits = waits;
    if (heartbeat->state != HEARTBEAT_ANSWERING)
        return;
    set_state(heartbeat, HEARTBEAT_WATCHING);
    tick_later(heartbeat);
}

void heartbeat_rest(struct channel *channel)
{
    struct heartbeat *heartbeat = heartbeat_of(channel);
    if (!heartbeat || heartbeat->state == HEARTBEAT_KILLED)
        return;
    set_state(heartbeat, HEARTBEAT_ANSWERING);
    event_del(heartbeat->tick);
}

void heartbeat_confirm(struct channel *channel, void (*on_answer)(void *arg), void *arg)
{
    struct heartbeat *heartbeat = heartbeat_of(channel);
    if (!heartbeat || heartbeat->state == HEARTBEAT_ANSWERING) {
        on_answer(arg);
        return;
    }
    if (heartbeat->state == HEARTBEAT_KILLED)
        return;
    heartbeat->on_answer = on_answer;
    heartbeat->arg = arg;
    heartbeat->confirms = heartbeat->number + 1;
    if (heartbeat->state == HEARTBEAT_WATCHING)
        ask(heartbeat);
}

bool heartbeat_has_killed(const struct channel *channel)
{
    const struct heartbeat *heartbeat = heartbeat_of(channel);
    return heartbeat && heartbeat->state == HEARTBEAT_KILLED;
}
