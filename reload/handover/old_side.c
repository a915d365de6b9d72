#include "reload/handover/old_side.h"

#include "config/base/clock.h"
#include "config/base/happening.h"
#include "config/base/log.h"
#include "config/syntax/value.h"
#include "reload/base/event_bus.h"
#include "reload/base/history.h"
#include "reload/base/notify.h"
#include "reload/handover/canary.h"
#include "reload/handover/channel.h"
#include "reload/handover/frontend_states.h"
#include "reload/handover/generation.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/kept_state.h"
#include "reload/handover/moving.h"
#include "reload/handover/offering.h"
#include "reload/handover/old_side_failure.h"
#include "reload/handover/old_side_state.h"
#include "reload/handover/reload_failure.h"
#include "reload/handover/replacement.h"
#include "reload/handover/sealed_keys.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
#include "reload/handover/spare_channels.h"
#include "reload/listeners/rescue.h"
#include "reload/listeners/steering.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HELLO_TIMEOUT_MS  5000
#define ACTIVE_TIMEOUT_MS 5000
/* How long a canary that goes back may take beyond the time of its linger. */
#define BACK_TIMEOUT_MS 10000

/* The new process knows what the servers were like when it got its offer, and is to hear of
 * changes. */
static bool follows_servers(const struct old_side *side)
{
    return (side->state == OLD_SIDE_LAUNCHED && side->channel) || side->state == OLD_SIDE_OFFERED ||
           side->state == OLD_SIDE_CANARY || side->state == OLD_SIDE_BACK ||
           side->state == OLD_SIDE_COMMITTED;
}

static void step(const struct old_side *side, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void step(const struct old_side *side, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    side->generation->events->step(side->generation, text);
}

static void warn(const char *line, void *arg)
{
    struct generation *generation = arg;
    generation->events->warn(generation, line);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct old_side *side = arg;
    switch (side->state) {
    case OLD_SIDE_LAUNCHED:
        old_side_give_up(side, "did not speak within 5s, and was killed");
        break;
    case OLD_SIDE_OFFERED:
        old_side_give_up(side, "was not ready within ready-timeout, and was killed");
        break;
    case OLD_SIDE_CANARY:
        old_side_give_up(side, "did not begin to accept within 5s, and was killed");
        break;
    case OLD_SIDE_BACK:
        old_side_give_up(side, "did not close its listeners in time, and was killed");
        break;
    case OLD_SIDE_ENDING:
        if (side->killed) {
            side->reload_failure.why = "could not be killed";
            side->exited = true;
            old_side_conclude(side);
        } else {
            side->reload_failure.why = "hung up, did not exit, and was killed";
            old_side_kill_new_process(side);
        }
        break;
    default:
        old_side_give_up(side, "did not begin to serve within 5s, and was killed");
    }
}

/* Before the new process is there, so that it has what is counted here, and the clients in the
 * queues of this process, if this one ends, or hangs, at any moment. What a process of another
 * major version does not know it passes over. */
static void offer(struct old_side *side)
{
    sealed_keys_send(side->generation, side->channel);
    peer_stats_tell_successor(&side->generation->peer_stats, side->channel);
    spare_channels_offer(&side->generation->draining_processes, side->channel);
    offering_send(side->generation, side->channel, side->number - 1, side->order.forced,
                  side->order.canary.share > 0, side->reload_failure.refused_before);
}

static void await_ready(struct old_side *side)
{
    side->state = OLD_SIDE_OFFERED;
    old_side_expect_within(side, side->generation->config->ready_timeout);
}

static void greet(struct old_side *side, const struct message_hello *hello)
{
    if (channel_is_foreign(side->channel))
        log_notice("the successor is version %.*s, which has another handover protocol: it gets "
                   "the listeners, and nothing else",
                   (int)sizeof hello->version, hello->version);
    if (side->order.canary.share && channel_is_foreign(side->channel))
        old_side_give_up(side, "is of a version that knows no canary, and was killed");
    else
        await_ready(side);
}

/* The new process may have connections from now on, which would wait for ever if it hung. */
static void watch(struct old_side *side)
{
    heartbeat_watch(side->channel, "the successor", side->child.pid, false);
}

static void tell_about_us(struct old_side *side)
{
    const struct message_sessions about = generation_about(side->generation);
    channel_send(side->channel, MESSAGE_SESSIONS, &about, sizeof about, NULL, 0);
}

/* False: the reload is over. The next one passes the listeners of that group on. */
static bool is_alone(struct old_side *side)
{
    if (binds_undisturbed(side->generation->binds))
        return true;
    old_side_give_up(side,
                     "cannot be steered to: another program has joined a group of its listeners");
    return false;
}

static void on_verdict(enum canary_verdict verdict, void *arg);

/* The canary is asked to accept first, and gets its share when it does. */
static void begin_canary(struct old_side *side)
{
    struct generation *generation = side->generation;
    if (!is_alone(side))
        return;
    side->state = OLD_SIDE_CANARY;
    offering_note_kept(generation->binds, side->channel);
    peer_stats_count_successor(&generation->peer_stats);
    tell_about_us(side);
    channel_send(side->channel, MESSAGE_CANARY, NULL, 0, NULL, 0);
    old_side_expect_within(side, ACTIVE_TIMEOUT_MS);
    watch(side);
}

_Static_assert(CANARY_WHOLE == STEER_WHOLE, "a plan's share is one of steering_split()");

static void give_share(struct old_side *side)
{
    struct generation *generation = side->generation;
    const struct canary_plan *plan = &side->order.canary;
    const struct peer *successor =
        peer_stats_find(&generation->peer_stats, side->number, side->child.pid);
    if (!successor) {
        old_side_give_up(side, "does not tell its figures, and was killed");
        return;
    }
    side->canary = canary_begin(plan, &successor->stats, &generation->proxy->stats,
                                generation->base, on_verdict, side);
    if (!side->canary || binds_split(generation->binds, plan->share, plan->by_source)) {
        old_side_give_up(side, "could not be given its share, and was killed");
        return;
    }
    side->tried = true;
    char share[CANARY_SHARE_MAX], duration[DURATION_TEXT_MAX];
    canary_share_text(plan, share);
    duration_text(plan->duration, duration);
    happened(
        HAPPENED_CANARY_STARTED, LOG_LEVEL_NOTICE,
        HAPPENING_FIELDS(happening_number("about", side->number), happening_word("share", share)),
        "canary: generation %u (pid %d) gets %s of the new connections for %s", side->number,
        (int)side->child.pid, share, duration);
    step(side, "canary: pid %d gets %s for %s", (int)side->child.pid, share, duration);
    notify_ready(getpid()); /* a service manager allows a reload less time than a canary may take */
}

static void go_back(struct old_side *side, const char *why)
{
    struct generation *generation = side->generation;
    const struct message_back message = {.linger_timeout =
                                             (uint32_t)generation->config->linger_timeout};
    binds_take_back(generation->binds);
    old_side_end_watch(side);
    side->state = OLD_SIDE_BACK;
    snprintf(side->reload_failure.verdict, sizeof side->reload_failure.verdict,
             "canary rolled back: %s", why);
    step(side, "going back: pid %d", (int)side->child.pid);
    channel_send(side->channel, MESSAGE_BACK, &message, sizeof message, NULL, 0);
    old_side_expect_within(side, message.linger_timeout + BACK_TIMEOUT_MS);
}

/* The new process cannot serve after all, and has said why. */
static void undo_commit(struct old_side *side, enum exit_status status)
{
    struct generation *generation = side->generation;
    notify_main_pid(getpid());
    bus_lead(generation->bus);
    kept_state_serve(generation, true);
    go_back(side, "");
    peer_stats_accept(&generation->peer_stats, true);
    proxy_accept(generation->proxy); /* from the passed sockets, too */
    side->reload_failure.status = status == EXIT_BIND ? EXIT_BIND : EXIT_FAILED;
    snprintf(side->reload_failure.verdict, sizeof side->reload_failure.verdict,
             "the successor (pid %d) could not take the paths that are to be its own",
             (int)side->child.pid);
}

/* The listeners of the canary are closed: it drains, and sends its sessions to this process if it
 * may. */
static void on_back(struct old_side *side, const struct message_sessions *about)
{
    struct generation *generation = side->generation;
    char text[ENDING_TEXT_MAX];
    draining_processes_add(&generation->draining_processes, side->channel, about, side->arrived);
    side->channel = NULL;
    children_retire(&generation->children, side->child.pid);
    side->child.pid = 0;
    peer_stats_keep_canary(&generation->peer_stats);
    proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    reload_failure_text(&side->reload_failure, "", text);
    old_side_end(side, side->reload_failure.status ? side->reload_failure.status : EXIT_REFUSED,
                 text);
}

static void commit(struct old_side *side)
{
    struct generation *generation = side->generation;
    if (side->state != OLD_SIDE_CANARY) {
        if (!is_alone(side))
            return;
    } else if (!binds_undisturbed(generation->binds)) {
        go_back(side, "another program has joined a group of its listeners");
        return;
    }
    side->state = OLD_SIDE_COMMITTED;
    peer_stats_count_successor(&generation->peer_stats);
    peer_stats_accept(&generation->peer_stats, false);
    if (binds_hand_over(generation->binds)) {
        old_side_give_up(side, "could not be given the addresses");
        return;
    }
    proxy_accept(generation->proxy); /* but not from the passed sockets */
    notify_main_pid(side->child.pid);
    if (!side->tried)
        offering_note_kept(generation->binds, side->channel);
    tell_about_us(side);
    kept_state_withhold(generation);
    generation->events->pass_events(generation);
    channel_send(side->channel, MESSAGE_COMMIT, NULL, 0, NULL, 0);
    old_side_expect_within(side, ACTIVE_TIMEOUT_MS);
    watch(side);
}

static void give_rest(void *arg)
{
    struct old_side *side = arg;
    if (side->state != OLD_SIDE_CANARY)
        return; /* it was asked to go back since */
    happened(HAPPENED_CANARY_PROMOTED, LOG_LEVEL_NOTICE,
             HAPPENING_FIELDS(happening_number("about", side->number),
                              happening_word("cause", side->promotion)),
             "canary: generation %u is promoted: %s; %s", side->number, side->promotion,
             side->reload_failure.figures);
    step(side, "promoted: pid %d", (int)side->child.pid);
    commit(side);
}

/* Gives the canary all connections once it has answered: a process that hangs must not get them. */
static void promote(struct old_side *side, const char *why)
{
    old_side_end_watch(side);
    side->promotion = why;
    heartbeat_confirm(side->channel, give_rest, side);
}

static void on_verdict(enum canary_verdict verdict, void *arg)
{
    struct old_side *side = arg;
    const struct canary_figures figures = canary_figures(side->canary);
    if (verdict == CANARY_WORSE)
        go_back(side, "it fails more often");
    else
        promote(side, figures.canary.sessions ? "its time is over" : "nothing was seen of it");
}

static void on_ready_bind(struct old_side *side, const struct message_ready_bind *ready)
{
    binds_note_successors(side->generation->binds, ready->text, ready->listeners,
                          ready->passed != 0);
}

static void tell_of_reload(struct old_side *side)
{
    const struct reload_result *result = &side->generation->last_reload;
    struct message_reloaded message = {.exit = result->status,
                                       .at = result->at,
                                       .duration = result->duration,
                                       .last_crash = side->generation->last_crash};
    memcpy(message.text, result->text, sizeof message.text);
    memcpy(message.by, side->order.by, sizeof message.by);
    channel_send(side->channel, MESSAGE_RELOADED, &message, sizeof message, NULL, 0);
}

static void on_active(struct old_side *side)
{
    struct generation *generation = side->generation;
    side->state = OLD_SIDE_LINGERING;
    event_del(side->timeout);
    uint64_t duration = clock_ms() - side->started_at;
    char text[ENDING_TEXT_MAX];
    snprintf(text, sizeof text, "pid %d -> %d, generation %u, took %llu ms%s%s", (int)getpid(),
             (int)side->child.pid, side->number, (unsigned long long)duration,
             side->reload_failure.figures[0] ? "; " : "", side->reload_failure.figures);
    step(side, "serving: pid %d", (int)side->child.pid);
    generation->events->reload_over(generation, EXIT_DONE, text, duration, false);
    tell_of_reload(side);
    if (generation->stop_wanted)
        channel_send(side->channel, MESSAGE_STOP, NULL, 0, NULL, 0);
    else if (generation->next.wanted)
        channel_send(side->channel, MESSAGE_RELOAD, NULL, 0, NULL, 0);
    generation->next = (struct reload_order){0}; /* the new process has the order now */
    generation->events->retire(generation);
}

static void hear_back(struct old_side *side, const struct message_back *message)
{
    if (side->state == OLD_SIDE_CANARY && message->exit == EXIT_DONE)
        go_back(side, "it was told to stop");
    else if (side->state == OLD_SIDE_COMMITTED)
        undo_commit(side, (enum exit_status)message->exit);
}

static void on_message(const struct received *message, void *arg)
{
    struct old_side *side = arg;
    struct generation *generation = side->generation;
    const struct message_hello *hello = message->payload;
    switch (message->type) {
    case MESSAGE_HELLO:
        proxy_share_descriptors(generation->proxy, false);
        if (side->state == OLD_SIDE_LAUNCHED)
            greet(side, hello);
        break;
    case MESSAGE_PROGRESS:
        generation->events->progress(generation, message->payload, message->length);
        break;
    case MESSAGE_READY_BIND:
        if (side->state == OLD_SIDE_OFFERED)
            on_ready_bind(side, message->payload);
        break;
    case MESSAGE_DUPLICATES:
        if (side->state == OLD_SIDE_OFFERED && !offering_take(&side->kept, message))
            offer_free(&side->kept); /* this process goes on without them */
        break;
    case MESSAGE_STATS:
        if (side->state == OLD_SIDE_OFFERED)
            peer_stats_add_successor(&generation->peer_stats, message);
        break;
    case MESSAGE_READY:
        if (side->state == OLD_SIDE_OFFERED) {
            side->config_hash = ((const struct message_ready *)message->payload)->config_hash;
            if (offering_close_partial(&side->kept, generation->binds))
                log_warning(
                    "too few descriptors to hold the successor's listening sockets as "
                    "well: if it crashes in this reload, clients that wait for it are lost");
            step(side, "ready: pid %d", (int)side->child.pid);
            if (side->order.canary.share)
                begin_canary(side);
            else
                commit(side);
        }
        break;
    case MESSAGE_CANARY:
        if (side->state == OLD_SIDE_CANARY && !side->tried) {
            event_del(side->timeout);
            give_share(side);
        }
        break;
    case MESSAGE_BACK:
        hear_back(side, message->payload);
        break;
    case MESSAGE_HANDOFF:
        if (side->state == OLD_SIDE_BACK)
            side->arrived += moving_take(generation, side->channel, message);
        break;
    case MESSAGE_TAKEN:
        handoff_on_taken(generation->handoff, message);
        break;
    case MESSAGE_CLOSED:
        if (side->state == OLD_SIDE_BACK)
            on_back(side, message->payload);
        break;
    case MESSAGE_ACTIVE:
        if (side->state == OLD_SIDE_COMMITTED)
            on_active(side);
        break;
    case MESSAGE_HURRY:
        generation->events->end_probation(generation);
        break;
    case MESSAGE_STOP: /* the new process ends by order: this one ends, too, and does not serve
                          again */
        if (side->state == OLD_SIDE_LINGERING)
            generation->stop_wanted = true;
        break;
    case MESSAGE_SERVER:
        if (side->state == OLD_SIDE_LINGERING)
            server_states_hear(message->payload, message->length, generation->proxy);
        break;
    case MESSAGE_FRONTEND:
        if (side->state == OLD_SIDE_LINGERING)
            frontend_states_hear(message, generation->proxy);
        break;
    case MESSAGE_EVENT:
        bus_hear(generation->bus, message->payload, message->length);
        break;
    case MESSAGE_ASK:
        generation->events->answer(generation, message);
        break;
    default:
        break;
    }
}

static void on_lost(const char *wrong, void *arg)
{
    struct old_side *side = arg;
    moving_abort(side->generation, wrong != NULL);
    old_side_give_up(side, !wrong && heartbeat_has_killed(side->channel) ? HEARTBEAT_HUNG : wrong);
}

/* False: a canary is wanted, and is not possible; the reload is over. */
static bool can_split(struct old_side *side)
{
    struct generation *generation = side->generation;
    char why[BINDS_WHY_MAX], text[ENDING_TEXT_MAX];
    if (!side->order.canary.share || binds_can_split(generation->binds, warn, generation, why))
        return true;
    snprintf(text, sizeof text, "no canary is possible: %s", why);
    old_side_end(side, EXIT_OTHER, text);
    return false;
}

/* Each attempt has its own number, so that log lines tell failed ones apart. */
static unsigned next_number(const struct generation *generation)
{
    return (generation->attempt > generation->number ? generation->attempt : generation->number) +
           1;
}

static void cannot_start(struct old_side *side, int error)
{
    char text[512];
    proxy_share_descriptors(side->generation->proxy, false);
    channel_close(side->channel);
    side->channel = NULL;
    side->child.pid = 0;
    peer_stats_resume(&side->generation->peer_stats);
    snprintf(text, sizeof text, "cannot start %s: %s", side->generation->program->path,
             strerror(error));
    old_side_end(side, EXIT_FAILED, text);
}

/* False: the reload is over. */
static bool connect_successor(struct old_side *side, int *end)
{
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = side};
    int error = program_connect(&side->child, end);
    if (error) {
        cannot_start(side, error);
        return false;
    }
    side->channel = channel_open(side->child.channel, side->generation->base, &events);
    if (!side->channel) {
        close(side->child.channel);
        close(*end);
        cannot_start(side, ENOMEM);
        return false;
    }
    heartbeat_answer(&side->generation->heartbeats, side->channel);
    return true;
}

static void launch(struct old_side *side)
{
    struct generation *generation = side->generation;
    int end;
    side->state = OLD_SIDE_LAUNCHED;
    binds_pin(generation->binds, generation->proxy, warn, generation);
    if (!can_split(side))
        return;
    proxy_share_descriptors(generation->proxy, true);
    if (!connect_successor(side, &end))
        return;
    offer(side);
    char stored[PATH_MAX];
    if (side->order.stored)
        history_path(generation->config->history, side->order.stored, stored);
    int error =
        program_launch(generation->program, side->number, side->order.stored ? stored : NULL,
                       &generation->children, &side->child, end);
    close(end);
    if (error) {
        cannot_start(side, error);
        return;
    }
    notify_launched(side->child.pid);
    step(side, "launched: pid %d", (int)side->child.pid);
    old_side_expect_within(side, HELLO_TIMEOUT_MS);
}

void old_side_begin(struct generation *generation, const struct reload_order *order)
{
    struct old_side *side = calloc(1, sizeof *side);
    if (side)
        side->timeout = event_new(generation->base, -1, 0, on_timeout, side);
    if (!side || !side->timeout) {
        free(side);
        generation->events->reload_over(generation, EXIT_OTHER, "out of memory", 0, false);
        return;
    }
    side->generation = generation;
    side->order = *order;
    side->reload_failure.refused_before = order->by_signal ? generation->refused : 0;
    side->started_at = clock_ms();
    generation->old_side = side;
    side->number = generation->attempt = next_number(generation);
    memcpy(generation->attempt_by, order->by, sizeof generation->attempt_by);
    happened(
        HAPPENED_RELOAD_STARTED, LOG_LEVEL_NOTICE,
        HAPPENING_FIELDS(happening_number("about", side->number), happening_word("by", order->by)),
        "reload: generation %u is started, as ordered by %s", side->number, order->by);
    notify_reloading();
    launch(side);
}

/* Before the commit. why is the reason in words for a canary, killed for another new process. */
static void call_off(struct old_side *side, const char *why, const char *killed)
{
    side->called_off = true;
    if (side->state == OLD_SIDE_CANARY)
        go_back(side, why);
    else if (old_side_is_preparing(side))
        old_side_give_up(side, killed);
}

const char *old_side_abort(struct generation *generation)
{
    struct old_side *side = generation->old_side;
    if (!side || side->state == OLD_SIDE_LINGERING)
        return "there is no reload to call off";
    if (side->state == OLD_SIDE_COMMITTED || side->reload_failure.had_served)
        return "the successor has begun to serve: it is too late to call the reload off";
    call_off(side, "it was called off", "was killed: the reload was called off");
    return NULL;
}

const char *old_side_promote(struct generation *generation)
{
    struct old_side *side = generation->old_side;
    if (!side || side->state != OLD_SIDE_CANARY)
        return "there is no canary to promote";
    if (!side->tried)
        return "the canary has not begun yet";
    if (!side->promotion)
        promote(side, "by command");
    return NULL;
}

void old_side_cancel(struct generation *generation)
{
    if (generation->old_side)
        call_off(generation->old_side, "the proxy was told to stop",
                 "was killed: the proxy was told to stop");
}

struct replacement old_side_closed(struct generation *generation)
{
    struct old_side *side = generation->old_side;
    const struct replacement replacement = {.channel = side->channel,
                                            .number = side->number,
                                            .pid = side->child.pid,
                                            .child = side->child};
    side->channel = NULL;
    generation->old_side = NULL;
    old_side_free(side); /* its duplicate listeners may close in any order now */
    return replacement;
}

struct channel *old_side_channel(const struct old_side *side)
{
    return side->channel;
}

void old_side_tell_lingering(struct generation *generation)
{
    tell_about_us(generation->old_side);
}

void old_side_tell_server(struct generation *generation, const struct message_server *record)
{
    struct old_side *side = generation->old_side;
    if (side && follows_servers(side))
        channel_send(side->channel, MESSAGE_SERVER, record, sizeof *record, NULL, 0);
}

void old_side_tell_frontend(struct generation *generation, const struct frontend *frontend)
{
    struct old_side *side = generation->old_side;
    if (side && follows_servers(side))
        frontend_states_send(side->channel, frontend);
}

bool old_side_accepting(const struct old_side *side, struct old_side_accepting *accepting)
{
    if (!side || !side->channel || old_side_is_preparing(side) || side->state == OLD_SIDE_ENDING)
        return false;
    *accepting = (struct old_side_accepting){.pid = side->child.pid,
                                             .generation = side->number,
                                             .channel = side->channel,
                                             .takes_sessions = old_side_is_committed(side)};
    return true;
}

bool old_side_view(const struct old_side *side, struct new_process_view *view)
{
    if (!side || side->state == OLD_SIDE_LINGERING || (side->exited && !side->rescue))
        return false;
    const char *state = side->state == OLD_SIDE_CANARY   ? "canary"
                        : side->state == OLD_SIDE_BACK   ? "lingering"
                        : side->state == OLD_SIDE_ENDING ? "failed"
                                                         : "starting";
    *view = (struct new_process_view){.pid = side->child.pid,
                                      .generation = side->number,
                                      .state = state,
                                      .canary = side->canary,
                                      .plan = side->order.canary};
    return true;
}
