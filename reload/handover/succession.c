#include "reload/handover/succession.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "reload/handover/channel.h"
#include "reload/handover/generation.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/moving.h"
#include "reload/handover/offering.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
#include "reload/listeners/rescue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum succession_state {
    SUCCESSION_EXPECTING,
    SUCCESSION_CHECKING,
    SUCCESSION_PREPARED,
    SUCCESSION_CANARY,
    SUCCESSION_BACK,
    SUCCESSION_SERVING,
    SUCCESSION_ALONE,
};

struct succession {
    struct generation *generation;
    enum succession_state state;
    struct channel *channel; /* NULL: ALONE */
    struct offer offer;
    struct offer kept; /* the predecessor's listeners, of which we hold descriptors, too */
    struct server_states server_states;
    uint64_t arrived;    /* of the predecessor's sessions, here */
    bool forced;         /* whatever becomes of backends */
    pid_t pid;           /* the predecessor's: our parent, while it lives */
    struct event *alone; /* the predecessor was lost before its offer, and is dying */
    uint64_t alone_until;
    struct rescue *rescue; /* ALONE: of who is in the predecessor's queues */
};

/* A dying predecessor closes its descriptors one by one: how long its listeners are waited for. */
#define DYING_MS 5000
static const struct timeval dying_look = {.tv_usec = 5000};

void succession_free(struct succession *succession)
{
    if (!succession)
        return;
    rescue_free(succession->rescue);
    channel_close(succession->channel);
    if (succession->alone)
        event_free(succession->alone);
    offer_free(&succession->offer);
    offer_free(&succession->kept);
    server_states_free(&succession->server_states);
    free(succession);
}

/* Nothing connects this process with the old one any more. */
static void leave(struct succession *succession)
{
    succession->generation->succession = NULL;
    succession->generation->predecessor = (struct message_sessions){0};
    succession_free(succession);
}

static void over(struct succession *succession)
{
    struct generation *generation = succession->generation;
    leave(succession);
    generation->events->predecessor_closed(generation);
}

static bool add_offered(struct offer *offer, const struct received *message)
{
    const struct message_offer_bind *bind = message->payload;
    struct offered *offered = offering_take(offer, message);
    if (!offered)
        return false;
    offered->listeners = bind->listeners;
    offered->rotation = bind->rotation;
    offered->ordered = bind->ordered != 0;
    return true;
}

/* The predecessor will close its own in any order: who holds some of them only would not know how
 * its own stand then. */
static bool keeps_all(const struct succession *succession)
{
    for (size_t i = 0; i < succession->kept.count; i++) {
        const struct offered *kept = &succession->kept.list[i],
                             *offered = offer_find(&succession->offer, kept->text);
        if (offered && binds_find(succession->generation->binds, kept->text) &&
            kept->fd_count != offered->listeners)
            return false;
    }
    return true;
}

/* Before anything is steered to us. False: it is the end. */
static bool must_keep_all(struct succession *succession)
{
    struct generation *generation = succession->generation;
    if (keeps_all(succession))
        return true;
    generation->events->report(generation,
                               "out of descriptors: the predecessor's listeners cannot be kept");
    generation->events->exit(generation, EXIT_OTHER);
    return false;
}

/* A listener that waits until we serve would have all clients of its address, and one that we have
 * in common with the predecessor an unknown share. Nobody comes to an address that is absent.
 * False: it is the end. */
static bool can_share(struct succession *succession)
{
    struct generation *generation = succession->generation;
    for (size_t i = 0; i < generation->binds->count; i++) {
        const struct bound *bound = &generation->binds->list[i];
        char line[ADDRESS_TEXT_MAX + 160];
        if (!bound->listens_late && !bound->covered)
            continue;
        snprintf(
            line, sizeof line,
            "no canary is possible: clients of %s would go from the wildcard address to it, or "
            "back, and cannot be split",
            bound->conf->text);
        generation->events->report(generation, line);
        generation->events->exit(generation, EXIT_BIND);
        return false;
    }
    return true;
}

/* This process cannot serve, and goes back as a canary does: the old process gets its sessions, and
 * the clients in its queues are served. */
static void decline(struct succession *succession)
{
    const struct message_back message = {.exit = (uint32_t)succession->generation->exit_status};
    succession->state = SUCCESSION_CANARY;
    channel_send(succession->channel, MESSAGE_BACK, &message, sizeof message, NULL, 0);
}

static void commit(struct succession *succession)
{
    struct generation *generation = succession->generation;
    binds_spread(generation->binds, &succession->offer);
    if (!generation->events->serve(generation)) {
        decline(succession);
        return;
    }
    succession->state = SUCCESSION_SERVING;
    channel_send(succession->channel, MESSAGE_ACTIVE, NULL, 0, NULL, 0);
}

static void say_ready(struct succession *succession)
{
    const struct binds *binds = succession->generation->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        if (!offer_find(&succession->offer, bound->conf->text))
            continue;
        struct message_ready_bind ready = {.listeners = bound->sockets,
                                           .passed = bound->way == BIND_PASS};
        memcpy(ready.text, bound->conf->text, sizeof ready.text);
        channel_send(succession->channel, MESSAGE_READY_BIND, &ready, sizeof ready, NULL, 0);
    }
    peer_stats_tell_predecessor(&succession->generation->peer_stats, succession->channel);
    offering_send_ours(binds, &succession->offer, succession->channel);
    const struct message_ready ready = {.config_hash = succession->generation->config_hash};
    channel_send(succession->channel, MESSAGE_READY, &ready, sizeof ready, NULL, 0);
}

static void tell_loss(const char *line, void *arg)
{
    struct generation *generation = arg;
    char text[1600];
    bool forced = generation->succession->forced;
    snprintf(text, sizeof text, "%s%s", line,
             forced ? "; it is so by --force" : "; --force reloads all the same");
    generation->events->report(generation, text);
}

/* What was unknown of the servers is known, or has taken too long. */
static void on_met(void *arg)
{
    struct generation *generation = arg;
    struct succession *succession = generation->succession;
    if (!succession || succession->state != SUCCESSION_CHECKING)
        return; /* the predecessor was lost, and we serve */
    size_t losses =
        server_states_losses(&succession->server_states, generation->proxy, tell_loss, generation);
    if (losses && !succession->forced) {
        generation->events->exit(generation, EXIT_REFUSED);
        return;
    }
    succession->state = SUCCESSION_PREPARED;
    say_ready(succession);
}

static void tell_absent(struct succession *succession)
{
    const struct binds *binds = succession->generation->binds;
    for (size_t i = 0; i < binds->count; i++) {
        char line[ADDRESS_TEXT_MAX + 160];
        if (!binds->list[i].absent)
            continue;
        snprintf(
            line, sizeof line,
            "%s: no interface of this machine has the address now: the old process's listening "
            "sockets are kept",
            binds->list[i].conf->text);
        log_warning("%s", line);
        succession_progress(succession, line);
    }
}

static void prepare(struct succession *succession, const struct message_offer *offer)
{
    struct generation *generation = succession->generation;
    generation->number = offer->generation + 1;
    if (offer->refused && offer->refused == generation->config_hash) {
        generation->events->report(
            generation, "the configuration is as it was when its canary was rolled back: "
                        "a signal does not reload it");
        generation->events->exit(generation, EXIT_REFUSED);
        return;
    }
    if (!generation->events->prepare(generation, &succession->offer, &succession->kept)) {
        generation->events->exit(generation, generation->exit_status);
        return;
    }
    tell_absent(succession);
    server_states_apply(&succession->server_states, generation->proxy);
    /* What is not ours would outlive the predecessor's closing, as offering_close_foreign() tells.
     */
    offer_close_rest(&succession->offer);
    offering_close_foreign(&succession->kept, generation->binds);
    if (!must_keep_all(succession) || (offer->canary && !can_share(succession)))
        return;
    succession->forced = offer->forced != 0;
    succession->state = SUCCESSION_CHECKING;
    millis ready_timeout =
        offer->ready_timeout ? offer->ready_timeout : generation->config->ready_timeout;
    checks_begin_unknown_first(generation->checks, ready_timeout / 2, on_met, generation);
}

static void hear_of_server(struct succession *succession, const struct message_server *record)
{
    struct generation *generation = succession->generation;
    switch (succession->state) {
    case SUCCESSION_EXPECTING:
        if (!server_states_add(&succession->server_states, record))
            generation->events->exit(generation, EXIT_OTHER);
        break;
    case SUCCESSION_CHECKING:
    case SUCCESSION_PREPARED:
    case SUCCESSION_CANARY:
    case SUCCESSION_BACK:
        server_states_update(&succession->server_states, record, generation->proxy);
        break;
    case SUCCESSION_SERVING:
        server_states_obey(record, generation->proxy);
        break;
    case SUCCESSION_ALONE:
        break;
    }
}

static void hear_of_servers(struct succession *succession, const struct received *message)
{
    struct message_server record;
    size_t used, at = 0;
    while ((used = server_states_unpack((const unsigned char *)message->payload + at,
                                        message->length - at, &record))) {
        hear_of_server(succession, &record);
        at += used;
    }
}

static void say_hello(struct channel *channel)
{
    struct message_hello hello = {.pid = (uint32_t)getpid()};
    snprintf(hello.version, sizeof hello.version, "%s", RPPROXY_VERSION);
    channel_send(channel, MESSAGE_HELLO, &hello, sizeof hello, NULL, 0);
}

static void add_draining_process(struct generation *generation, const struct received *message)
{
    static const struct channel_events none;
    if (message->fd_count != 1)
        return;
    struct channel *channel = channel_open(message->fds[0], generation->base, &none);
    if (!channel)
        return;
    message->fds[0] = -1;
    heartbeat_answer(&generation->heartbeats, channel);
    say_hello(channel);
    draining_processes_add(&generation->draining_processes, channel, message->payload, 0);
}

static void predecessor_closed(struct succession *succession, const struct message_sessions *about)
{
    struct generation *generation = succession->generation;
    binds_settle(generation->binds, &succession->offer, &succession->kept, true);
    proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    struct channel *channel = succession->channel;
    succession->channel = NULL;
    draining_processes_add(&generation->draining_processes, channel, about, succession->arrived);
    over(succession);
}

static void take_result(struct generation *generation, const struct message_reloaded *message)
{
    struct reload_result *result = &generation->last_reload;
    if (!result->any) {
        *result = (struct reload_result){.any = true,
                                         .status = (enum exit_status)message->exit,
                                         .at = message->at,
                                         .duration = message->duration};
        memcpy(result->text, message->text, sizeof result->text - 1);
    }
    if (message->last_crash.at > generation->last_crash.at)
        generation->last_crash = message->last_crash;
}

static void go_back(struct succession *succession, const struct message_back *message)
{
    struct generation *generation = succession->generation;
    succession->state = SUCCESSION_BACK;
    binds_go_back(generation->binds, &succession->offer);
    generation->events->go_back(generation, message->linger_timeout);
}

static void on_message(const struct received *message, void *arg)
{
    struct succession *succession = arg;
    struct generation *generation = succession->generation;
    switch (message->type) {
    case MESSAGE_OFFER_BIND:
        if (succession->state == SUCCESSION_EXPECTING && !add_offered(&succession->offer, message))
            generation->events->exit(generation, EXIT_OTHER);
        break;
    case MESSAGE_OFFER:
        if (succession->state == SUCCESSION_EXPECTING)
            prepare(succession, message->payload);
        break;
    case MESSAGE_CANARY:
        if (succession->state == SUCCESSION_PREPARED && must_keep_all(succession)) {
            succession->state = SUCCESSION_CANARY;
            generation->events->try_canary(generation);
        }
        if (succession->state == SUCCESSION_CANARY)
            channel_send(succession->channel, MESSAGE_CANARY, NULL, 0, NULL, 0);
        break;
    case MESSAGE_BACK:
        if (succession->state == SUCCESSION_CANARY)
            go_back(succession, message->payload);
        break;
    case MESSAGE_DUPLICATES:
        if (!offering_take(&succession->kept, message))
            generation->events->exit(generation, EXIT_OTHER);
        break;
    case MESSAGE_COMMIT:
        if (succession->state == SUCCESSION_CANARY ||
            (succession->state == SUCCESSION_PREPARED && must_keep_all(succession)))
            commit(succession);
        break;
    case MESSAGE_STATS:
        if (succession->state != SUCCESSION_SERVING)
            peer_stats_add(&generation->peer_stats, message);
        break;
    case MESSAGE_SESSIONS:
        memcpy(&generation->predecessor, message->payload, sizeof generation->predecessor);
        break;
    case MESSAGE_SERVER: {
        struct message_server record;
        server_states_read(message->payload, message->length, &record);
        hear_of_server(succession, &record);
        break;
    }
    case MESSAGE_SERVERS:
        hear_of_servers(succession, message);
        break;
    case MESSAGE_DRAINING_PROCESS:
        add_draining_process(generation, message);
        break;
    case MESSAGE_HANDOFF:
        if (succession->state == SUCCESSION_SERVING)
            succession->arrived += moving_take(generation, succession->channel, message);
        break;
    case MESSAGE_TAKEN:
        handoff_on_taken(generation->handoff, message);
        break;
    case MESSAGE_CLOSED:
        if (succession->state == SUCCESSION_SERVING)
            predecessor_closed(succession, message->payload);
        break;
    case MESSAGE_RELOADED:
        take_result(generation, message->payload);
        break;
    case MESSAGE_RELOAD:
        generation->events->reload(generation);
        break;
    case MESSAGE_STOP:
        generation->events->stop(generation);
        break;
    default:
        break;
    }
}

/* Our parent has exited when we are another's child. */
static void on_alone(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct succession *succession = arg;
    struct generation *generation = succession->generation;
    bool gone = getppid() != succession->pid;
    if (!gone && clock_ms() < succession->alone_until)
        return;
    leave(succession);
    generation->number = 1;
    if (!gone)
        generation->events->exit(generation, EXIT_FAILED); /* it lives, and wants no successor */
    else if (!generation->events->serve_alone(generation))
        generation->events->exit(generation, generation->exit_status);
}

/* What is left of the predecessor's listeners closes. */
static void settle_alone(struct succession *succession)
{
    binds_settle(succession->generation->binds, &succession->offer, &succession->kept, false);
}

static void on_rescued(void *arg)
{
    struct succession *succession = arg;
    settle_alone(succession);
    over(succession);
}

static void on_lost(const char *wrong, void *arg)
{
    struct succession *succession = arg;
    struct generation *generation = succession->generation;
    if (wrong && getppid() == succession->pid) { /* it lives, and takes our end for an end */
        log_error("the predecessor (pid %d) %s", (int)succession->pid, wrong);
        generation->events->exit(generation, EXIT_OTHER);
        return;
    }
    moving_abort(generation, wrong != NULL);
    peer_stats_expect_end(&generation->peer_stats, generation->predecessor.generation,
                          succession->pid);
    log_warning("the predecessor (pid %d) %s; this generation goes on alone", (int)succession->pid,
                wrong ? wrong : "is gone");
    if (succession->state == SUCCESSION_EXPECTING) {
        offer_free(&succession->kept); /* nobody accepts from them: newcomers are to be refused */
        succession->alone_until = clock_ms() + DYING_MS;
        event_add(succession->alone, &dying_look);
        return;
    }
    bool prepared = succession->state != SUCCESSION_SERVING;
    if (succession->state == SUCCESSION_BACK)
        binds_take_back(generation->binds);
    succession->state = SUCCESSION_ALONE;
    generation->events->sweep(generation, succession->pid);
    generation->predecessor.pid = 0;
    channel_close(succession->channel);
    succession->channel = NULL;
    bool rescues = offer_holds_any(&succession->kept) && keeps_all(succession);
    if (rescues) /* it stands before us still */
        binds_spread(generation->binds, &succession->offer);
    else
        settle_alone(succession);
    if (prepared)
        generation->events->serve_anyway(generation);
    else
        proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    if (!rescues) {
        over(succession);
        return;
    }
    const struct rescue_means means = generation_rescue_means(generation);
    succession->rescue = rescue_start(&succession->kept, &means, on_rescued, succession);
    if (!succession->rescue)
        on_rescued(succession);
}

bool succession_begin(struct generation *generation, int fd)
{
    struct succession *succession = calloc(1, sizeof *succession);
    if (!succession)
        return false;
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = succession};
    succession->generation = generation;
    /* Who made the socket pair: our parent may have died before we asked for it. */
    struct ucred maker = {0};
    socklen_t length = sizeof maker;
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &length);
    succession->pid = maker.pid;
    succession->alone = event_new(generation->base, -1, EV_PERSIST, on_alone, succession);
    if (succession->alone)
        succession->channel = channel_open(fd, generation->base, &events);
    if (!succession->channel) {
        succession_free(succession);
        return false;
    }
    generation->succession = succession;
    heartbeat_answer(&generation->heartbeats, succession->channel);
    heartbeat_watch(succession->channel, "the predecessor", succession->pid, true);
    say_hello(succession->channel);
    return true;
}

struct channel *succession_channel(const struct succession *succession)
{
    return succession->channel;
}

void succession_hurry(struct succession *succession)
{
    if (succession->state == SUCCESSION_SERVING)
        channel_send(succession->channel, MESSAGE_HURRY, NULL, 0, NULL, 0);
}

void succession_tell_end(struct succession *succession)
{
    if (succession && succession->state == SUCCESSION_SERVING)
        channel_send(succession->channel, MESSAGE_STOP, NULL, 0, NULL, 0);
}

void succession_tell_server(struct succession *succession, const struct message_server *record)
{
    if (succession && succession->state == SUCCESSION_SERVING)
        channel_send(succession->channel, MESSAGE_SERVER, record, sizeof *record, NULL, 0);
}

void succession_ask_back(struct succession *succession)
{
    channel_send(succession->channel, MESSAGE_BACK, NULL, 0, NULL, 0);
}

struct replacement succession_returned(struct generation *generation)
{
    struct succession *succession = generation->succession;
    const struct replacement replacement = {.channel = succession->channel,
                                            .number = generation->predecessor.generation,
                                            .pid = (pid_t)generation->predecessor.pid};
    succession->channel = NULL;
    leave(succession);
    return replacement;
}

void succession_progress(struct succession *succession, const char *line)
{
    size_t length = strlen(line);
    if (!succession->channel)
        return;
    channel_send(succession->channel, MESSAGE_PROGRESS, line,
                 length < MESSAGE_PAYLOAD_MAX ? length : MESSAGE_PAYLOAD_MAX, NULL, 0);
}
