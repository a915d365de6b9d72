#include "reload/handover/handover.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/syntax/value.h"
#include "reload/base/notify.h"
#include "reload/handover/canary.h"
#include "reload/handover/channel.h"
#include "reload/handover/generation.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/moving.h"
#include "reload/handover/offering.h"
#include "reload/handover/reload_failure.h"
#include "reload/handover/replacement.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
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
/* For a canary that goes back: beyond the time it may linger. */
#define BACK_TIMEOUT_MS 10000
/* For a successor that hung up: to exit by itself, and its log may take 3 s to end (log_stop()).
 * For a killed one: to be gone. */
#define EXIT_TIMEOUT_MS 5000
#define KILL_TIMEOUT_MS 5000

enum handover_state {
    HANDOVER_LAUNCHED,
    HANDOVER_OFFERED,
    HANDOVER_CANARY,
    HANDOVER_BACK,
    HANDOVER_COMMITTED,
    HANDOVER_LINGERING,
    HANDOVER_ENDING,
};

struct handover {
    struct generation *generation;
    enum handover_state state;
    struct child
        child; /* the successor; pid 0: it is gone, or an draining process or replacement now */
    unsigned number; /* the successor's generation */
    struct channel *channel;
    struct event *timeout;
    uint64_t started_at;
    struct reload_order order;
    bool called_off;       /* by an order: that says nothing of the configuration */
    uint64_t config_hash;  /* of the successor's configuration; 0: not known */
    struct canary *canary; /* while it is watched */
    bool tried;            /* CANARY: it has its share */
    const char *promotion; /* CANARY: why it gets the rest when it answers; or NULL */
    int outcome;           /* the successor's wait status */
    struct reload_failure reload_failure;
    uint64_t arrived;  /* sessions of a canary that goes back */
    struct offer kept; /* the successor's listeners, of which we hold descriptors, too */
    /* While it is ending: */
    struct rescue *rescue; /* of who is in their queues; NULL: it is over */
    bool exited;           /* as outcome has it */
    bool killed;
};

/* The new process serves, or is told to. */
static bool is_committed(const struct handover *handover)
{
    return handover->state == HANDOVER_COMMITTED || handover->state == HANDOVER_LINGERING;
}

/* The new process accepts nothing yet. */
static bool is_preparing(const struct handover *handover)
{
    return handover->state == HANDOVER_LAUNCHED || handover->state == HANDOVER_OFFERED;
}

/* The new process knows what the servers were like when it got its offer, and is to hear of
 * changes. */
static bool follows_servers(const struct handover *handover)
{
    return handover->state == HANDOVER_OFFERED || handover->state == HANDOVER_CANARY ||
           handover->state == HANDOVER_BACK || handover->state == HANDOVER_COMMITTED;
}

static void step(const struct handover *handover, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void step(const struct handover *handover, const char *format, ...)
{
    char text[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    handover->generation->events->step(handover->generation, text);
}

static void warn(const char *line, void *arg)
{
    struct generation *generation = arg;
    generation->events->warn(generation, line);
}

static void expect_within(struct handover *handover, millis timeout)
{
    struct timeval interval = clock_interval(timeout);
    event_add(handover->timeout, &interval);
}

void handover_free(struct handover *handover)
{
    if (!handover)
        return;
    if (!is_committed(handover) && handover->state != HANDOVER_ENDING)
        children_kill(&handover->generation->children, handover->child.pid);
    if (handover->timeout)
        event_free(handover->timeout);
    canary_free(handover->canary);
    rescue_free(handover->rescue);
    offer_free(&handover->kept);
    channel_close(handover->channel);
    free(handover);
}

static void end(struct handover *handover, enum exit_status status, const char *text)
{
    struct generation *generation = handover->generation;
    uint64_t duration = clock_ms() - handover->started_at;
    char kept[ENDING_TEXT_MAX];
    snprintf(kept, sizeof kept, "%s", text);
    if (handover->tried && !handover->called_off && !handover->reload_failure.status)
        generation->refused = handover->config_hash;
    generation->handover = NULL;
    handover_free(handover);
    generation->events->reload_over(generation, status, kept, duration);
}

static void kill_successor(struct handover *handover)
{
    children_kill(&handover->generation->children, handover->child.pid);
    handover->killed = true;
    expect_within(handover, KILL_TIMEOUT_MS);
}

static void note_if_crashed(struct handover *handover)
{
    if (!reload_failure_is_crash(&handover->reload_failure, handover->outcome))
        return;
    const struct crash crash = crash_now(handover->number, (uint32_t)handover->child.pid,
                                         handover->outcome, handover->reload_failure.lost);
    crash_note(&handover->generation->last_crash, &crash);
}

/* When the successor is gone, and nothing is left of it. */
static void conclude(struct handover *handover)
{
    struct generation *generation = handover->generation;
    char text[ENDING_TEXT_MAX];
    if (!handover->exited || handover->rescue)
        return;
    proxy_share_descriptors(generation->proxy, false);
    note_if_crashed(handover);
    enum exit_status status = reload_failure_explain(
        &handover->reload_failure, (int)handover->child.pid, handover->outcome, text);
    children_forget(&generation->children, handover->child.pid); /* one that cannot be killed */
    handover->child.pid = 0;
    if (!handover->reload_failure.had_served) {
        end(handover, status, text);
        return;
    }
    generation->handover = NULL;
    handover_free(handover);
    generation->events->rolled_back(generation, text);
}

static void on_rescued(void *arg)
{
    struct handover *handover = arg;
    rescue_free(handover->rescue);
    handover->rescue = NULL;
    offer_free(&handover->kept); /* the last in its groups: nobody is moved */
    conclude(handover);
}

/* What it had not accepted is served here; of what it was not steered to yet, there is nobody. */
static void rescue_clients(struct handover *handover)
{
    struct generation *generation = handover->generation;
    const struct rescue_means means = generation_rescue_means(generation);
    if (handover->reload_failure.had_accepted && offer_holds_any(&handover->kept))
        handover->rescue = rescue_start(&handover->kept, &means, on_rescued, handover);
    if (!handover->rescue)
        offer_free(&handover->kept);
}

/* Nobody looks at its figures any more; they are kept as they are now. */
static void end_watch(struct handover *handover)
{
    if (!handover->canary)
        return;
    const struct canary_figures figures = canary_figures(handover->canary);
    canary_figures_text(&figures, handover->reload_failure.figures);
    canary_free(handover->canary);
    handover->canary = NULL;
}

/* Goes back to serving, and awaits the successor's exit. why: what it did wrong, and is killed for;
 * NULL: it hung up. */
static void give_up(struct handover *handover, const char *why)
{
    bool serves = is_committed(handover);
    bool split = handover->state == HANDOVER_CANARY;
    end_watch(handover);
    handover->reload_failure.had_accepted = !is_preparing(handover);
    handover->reload_failure.had_served = handover->state == HANDOVER_LINGERING;
    handover->state = HANDOVER_ENDING;
    handover->reload_failure.why = why;
    handover->killed = handover->exited = false;
    handover->outcome = 0;
    if (why) /* first, lest it take the end of the channel for ours and serve alone */
        kill_successor(handover);
    else
        expect_within(handover, EXIT_TIMEOUT_MS);
    channel_close(handover->channel);
    handover->channel = NULL;
    handover->reload_failure.lost = peer_stats_successor_live(&handover->generation->peer_stats);
    peer_stats_resume(&handover->generation->peer_stats);
    if (serves)
        handover->generation->events->take_back(handover->generation, handover->child.pid);
    else if (split)
        binds_take_back(handover->generation->binds);
    rescue_clients(handover);
    handover_on_child(handover->generation);
}

void handover_on_child(struct generation *generation)
{
    struct handover *handover = generation->handover;
    int outcome;
    if (!handover || handover->state != HANDOVER_ENDING ||
        !children_take(&generation->children, handover->child.pid, &outcome))
        return;
    handover->outcome = outcome;
    handover->exited = true;
    generation->events->sweep(generation, handover->child.pid);
    event_del(handover->timeout);
    proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    conclude(handover);
}

static void on_timeout(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct handover *handover = arg;
    switch (handover->state) {
    case HANDOVER_LAUNCHED:
        give_up(handover, "did not speak within 5s, and was killed");
        break;
    case HANDOVER_OFFERED:
        give_up(handover, "was not ready within ready-timeout, and was killed");
        break;
    case HANDOVER_CANARY:
        give_up(handover, "did not begin to accept within 5s, and was killed");
        break;
    case HANDOVER_BACK:
        give_up(handover, "did not close its listeners in time, and was killed");
        break;
    case HANDOVER_ENDING:
        if (handover->killed) {
            handover->reload_failure.why = "could not be killed";
            handover->exited = true;
            conclude(handover);
        } else {
            handover->reload_failure.why = "hung up, did not exit, and was killed";
            kill_successor(handover);
        }
        break;
    default:
        give_up(handover, "did not begin to serve within 5s, and was killed");
    }
}

static void offer(struct handover *handover)
{
    struct generation *generation = handover->generation;
    offering_send(generation, handover->channel, handover->number - 1, handover->order.forced,
                  handover->order.canary.share > 0, handover->reload_failure.refused_before);
    handover->state = HANDOVER_OFFERED;
    expect_within(handover, generation->config->ready_timeout);
}

static void greet(struct handover *handover, const struct message_hello *hello)
{
    if (channel_is_foreign(handover->channel))
        log_notice("the successor is of version %.*s, whose handover protocol is another: it gets "
                   "the listeners, and nothing else",
                   (int)sizeof hello->version, hello->version);
    if (handover->order.canary.share && channel_is_foreign(handover->channel))
        give_up(handover, "is of a version that knows no canary, and was killed");
    else
        offer(handover);
}

/* It may have connections from now on, which would wait for ever if it hung. */
static void watch(struct handover *handover)
{
    heartbeat_watch(handover->channel, "the successor", handover->child.pid, false);
}

static void tell_about_us(struct handover *handover)
{
    const struct message_sessions about = generation_about(handover->generation);
    channel_send(handover->channel, MESSAGE_SESSIONS, &about, sizeof about, NULL, 0);
}

/* False: the reload is over. The next one passes the listeners of that group on. */
static bool is_alone(struct handover *handover)
{
    if (binds_undisturbed(handover->generation->binds))
        return true;
    give_up(handover, "cannot be steered to: another program has joined a group of our listeners");
    return false;
}

static void on_verdict(enum canary_verdict verdict, void *arg);

/* It is to accept first, and gets its share when it does. */
static void begin_canary(struct handover *handover)
{
    struct generation *generation = handover->generation;
    if (!is_alone(handover))
        return;
    handover->state = HANDOVER_CANARY;
    generation->canaries = handover->number;
    offering_note_kept(generation->binds, handover->channel);
    peer_stats_count_successor(&generation->peer_stats);
    tell_about_us(handover);
    channel_send(handover->channel, MESSAGE_CANARY, NULL, 0, NULL, 0);
    expect_within(handover, ACTIVE_TIMEOUT_MS);
    watch(handover);
}

_Static_assert(CANARY_WHOLE == STEER_WHOLE, "a plan's share is one of steering_split()");

static void give_share(struct handover *handover)
{
    struct generation *generation = handover->generation;
    const struct canary_plan *plan = &handover->order.canary;
    const struct peer *successor =
        peer_stats_find(&generation->peer_stats, handover->number, handover->child.pid);
    if (!successor) {
        give_up(handover, "does not tell its figures, and was killed");
        return;
    }
    handover->canary = canary_begin(plan, &successor->stats, &generation->proxy->stats,
                                    generation->base, on_verdict, handover);
    if (!handover->canary || binds_split(generation->binds, plan->share, plan->by_source)) {
        give_up(handover, "could not be given its share, and was killed");
        return;
    }
    handover->tried = true;
    char share[CANARY_SHARE_MAX], duration[DURATION_TEXT_MAX];
    canary_share_text(plan, share);
    duration_text(plan->duration, duration);
    log_notice("canary: generation %u (pid %d) gets %s of the new connections for %s",
               handover->number, (int)handover->child.pid, share, duration);
    step(handover, "canary: pid %d gets %s for %s", (int)handover->child.pid, share, duration);
    notify_ready(getpid()); /* for the service manager a reload is shorter than this may last */
}

static void go_back(struct handover *handover, const char *why)
{
    struct generation *generation = handover->generation;
    const struct message_back message = {.linger_timeout =
                                             (uint32_t)generation->config->linger_timeout};
    binds_take_back(generation->binds);
    end_watch(handover);
    handover->state = HANDOVER_BACK;
    snprintf(handover->reload_failure.verdict, sizeof handover->reload_failure.verdict,
             "canary rolled back: %s", why);
    step(handover, "going back: pid %d", (int)handover->child.pid);
    channel_send(handover->channel, MESSAGE_BACK, &message, sizeof message, NULL, 0);
    expect_within(handover, message.linger_timeout + BACK_TIMEOUT_MS);
}

/* The successor cannot serve after all, and has told why. */
static void undo_commit(struct handover *handover, enum exit_status status)
{
    struct generation *generation = handover->generation;
    notify_main_pid(getpid());
    go_back(handover, "");
    proxy_accept(generation->proxy); /* again from what was passed */
    handover->reload_failure.status = status == EXIT_BIND ? EXIT_BIND : EXIT_FAILED;
    snprintf(handover->reload_failure.verdict, sizeof handover->reload_failure.verdict,
             "the successor (pid %d) could not take the paths that are to be its own",
             (int)handover->child.pid);
}

/* Its listeners are closed: it drains, and sends us its sessions if it may. */
static void on_back(struct handover *handover, const struct message_sessions *about)
{
    struct generation *generation = handover->generation;
    char text[ENDING_TEXT_MAX];
    draining_processes_add(&generation->draining_processes, handover->channel, about,
                           handover->arrived);
    handover->channel = NULL;
    children_retire(&generation->children, handover->child.pid);
    handover->child.pid = 0;
    peer_stats_keep_canary(&generation->peer_stats);
    proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    reload_failure_text(&handover->reload_failure, "", text);
    end(handover, handover->reload_failure.status ? handover->reload_failure.status : EXIT_REFUSED,
        text);
}

static void commit(struct handover *handover)
{
    struct generation *generation = handover->generation;
    if (handover->state != HANDOVER_CANARY) {
        if (!is_alone(handover))
            return;
    } else if (!binds_undisturbed(generation->binds)) {
        go_back(handover, "another program has joined a group of our listeners");
        return;
    }
    handover->state = HANDOVER_COMMITTED;
    if (binds_hand_over(generation->binds)) {
        give_up(handover, "could not be given the addresses");
        return;
    }
    proxy_accept(generation->proxy); /* and leave alone what has been passed */
    notify_main_pid(handover->child.pid);
    if (!handover->tried)
        offering_note_kept(generation->binds, handover->channel);
    tell_about_us(handover);
    channel_send(handover->channel, MESSAGE_COMMIT, NULL, 0, NULL, 0);
    expect_within(handover, ACTIVE_TIMEOUT_MS);
    watch(handover);
}

static void give_rest(void *arg)
{
    struct handover *handover = arg;
    if (handover->state != HANDOVER_CANARY)
        return; /* it has been told to go back since */
    log_notice("canary: generation %u is promoted: %s; %s", handover->number, handover->promotion,
               handover->reload_failure.figures);
    step(handover, "promoted: pid %d", (int)handover->child.pid);
    commit(handover);
}

/* If it is there: what hangs is not to have everything. */
static void promote(struct handover *handover, const char *why)
{
    end_watch(handover);
    handover->promotion = why;
    heartbeat_confirm(handover->channel, give_rest, handover);
}

static void on_verdict(enum canary_verdict verdict, void *arg)
{
    struct handover *handover = arg;
    const struct canary_figures figures = canary_figures(handover->canary);
    if (verdict == CANARY_WORSE)
        go_back(handover, "it fails more often");
    else
        promote(handover, figures.canary.sessions ? "its time is over" : "nothing was seen of it");
}

static void on_ready_bind(struct handover *handover, const struct message_ready_bind *ready)
{
    binds_note_successors(handover->generation->binds, ready->text, ready->listeners,
                          ready->passed != 0);
}

static void tell_of_reload(struct handover *handover)
{
    const struct reload_result *result = &handover->generation->last_reload;
    struct message_reloaded message = {.exit = result->status,
                                       .at = result->at,
                                       .duration = result->duration,
                                       .last_crash = handover->generation->last_crash};
    memcpy(message.text, result->text, sizeof message.text);
    channel_send(handover->channel, MESSAGE_RELOADED, &message, sizeof message, NULL, 0);
}

static void on_active(struct handover *handover)
{
    struct generation *generation = handover->generation;
    handover->state = HANDOVER_LINGERING;
    event_del(handover->timeout);
    uint64_t duration = clock_ms() - handover->started_at;
    char text[ENDING_TEXT_MAX];
    snprintf(text, sizeof text, "pid %d -> %d, generation %u, took %llu ms%s%s", (int)getpid(),
             (int)handover->child.pid, handover->number, (unsigned long long)duration,
             handover->reload_failure.figures[0] ? "; " : "", handover->reload_failure.figures);
    step(handover, "serving: pid %d", (int)handover->child.pid);
    generation->events->reload_over(generation, EXIT_DONE, text, duration);
    tell_of_reload(handover);
    if (generation->stop_wanted)
        channel_send(handover->channel, MESSAGE_STOP, NULL, 0, NULL, 0);
    else if (generation->next.wanted)
        channel_send(handover->channel, MESSAGE_RELOAD, NULL, 0, NULL, 0);
    generation->next = (struct reload_order){0}; /* it is the successor's now */
    generation->events->retire(generation);
}

static void hear_back(struct handover *handover, const struct message_back *message)
{
    if (handover->state == HANDOVER_CANARY && message->exit == EXIT_DONE)
        go_back(handover, "it was told to stop");
    else if (handover->state == HANDOVER_COMMITTED)
        undo_commit(handover, (enum exit_status)message->exit);
}

static void on_message(const struct received *message, void *arg)
{
    struct handover *handover = arg;
    struct generation *generation = handover->generation;
    const struct message_hello *hello = message->payload;
    switch (message->type) {
    case MESSAGE_HELLO:
        proxy_share_descriptors(generation->proxy, false);
        if (handover->state == HANDOVER_LAUNCHED)
            greet(handover, hello);
        break;
    case MESSAGE_PROGRESS:
        generation->events->progress(generation, message->payload, message->length);
        break;
    case MESSAGE_READY_BIND:
        if (handover->state == HANDOVER_OFFERED)
            on_ready_bind(handover, message->payload);
        break;
    case MESSAGE_DUPLICATES:
        if (handover->state == HANDOVER_OFFERED && !offering_take(&handover->kept, message))
            offer_free(&handover->kept); /* we do without */
        break;
    case MESSAGE_STATS:
        if (handover->state == HANDOVER_OFFERED)
            peer_stats_add_successor(&generation->peer_stats, message);
        break;
    case MESSAGE_READY:
        if (handover->state == HANDOVER_OFFERED) {
            handover->config_hash = ((const struct message_ready *)message->payload)->config_hash;
            if (offering_close_partial(&handover->kept, generation->binds))
                log_warning(
                    "too few descriptors to hold the successor's listening sockets as "
                    "well: if it crashes in this reload, clients that wait for it are lost");
            step(handover, "ready: pid %d", (int)handover->child.pid);
            if (handover->order.canary.share)
                begin_canary(handover);
            else
                commit(handover);
        }
        break;
    case MESSAGE_CANARY:
        if (handover->state == HANDOVER_CANARY && !handover->tried) {
            event_del(handover->timeout);
            give_share(handover);
        }
        break;
    case MESSAGE_BACK:
        hear_back(handover, message->payload);
        break;
    case MESSAGE_HANDOFF:
        if (handover->state == HANDOVER_BACK)
            handover->arrived += moving_take(generation, handover->channel, message);
        break;
    case MESSAGE_TAKEN:
        handoff_on_taken(generation->handoff, message);
        break;
    case MESSAGE_CLOSED:
        if (handover->state == HANDOVER_BACK)
            on_back(handover, message->payload);
        break;
    case MESSAGE_ACTIVE:
        if (handover->state == HANDOVER_COMMITTED)
            on_active(handover);
        break;
    case MESSAGE_HURRY:
        generation->events->end_probation(generation);
        break;
    case MESSAGE_STOP: /* it ends by order, and so are we to, instead of serving again */
        if (handover->state == HANDOVER_LINGERING)
            generation->stop_wanted = true;
        break;
    case MESSAGE_SERVER:
        if (handover->state == HANDOVER_LINGERING)
            server_states_hear(message->payload, message->length, generation->proxy);
        break;
    default:
        break;
    }
}

static void on_lost(const char *wrong, void *arg)
{
    struct handover *handover = arg;
    moving_abort(handover->generation, wrong != NULL);
    give_up(handover, !wrong && heartbeat_has_killed(handover->channel) ? HEARTBEAT_HUNG : wrong);
}

/* False: a canary is wanted, and cannot be; it is the end of the reload. */
static bool can_split(struct handover *handover)
{
    struct generation *generation = handover->generation;
    char why[BINDS_WHY_MAX], text[ENDING_TEXT_MAX];
    if (!handover->order.canary.share || binds_can_split(generation->binds, warn, generation, why))
        return true;
    snprintf(text, sizeof text, "no canary is possible: %s", why);
    end(handover, EXIT_OTHER, text);
    return false;
}

static unsigned next_number(const struct generation *generation)
{
    return (generation->canaries > generation->number ? generation->canaries : generation->number) +
           1;
}

static void launch(struct handover *handover)
{
    struct generation *generation = handover->generation;
    handover->state = HANDOVER_LAUNCHED;
    handover->number = next_number(generation);
    binds_pin(generation->binds, warn, generation);
    if (!can_split(handover))
        return;
    proxy_share_descriptors(generation->proxy, true);
    int error = program_launch(generation->program, &generation->children, &handover->child);
    if (error) {
        proxy_share_descriptors(generation->proxy, false);
        char text[512];
        snprintf(text, sizeof text, "cannot start %s: %s", generation->program->path,
                 strerror(error));
        end(handover, EXIT_FAILED, text);
        return;
    }
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = handover};
    handover->channel = channel_open(handover->child.channel, generation->base, &events);
    if (!handover->channel) {
        close(handover->child.channel);
        give_up(handover, "could not be spoken to: out of memory");
        return;
    }
    heartbeat_answer(&generation->heartbeats, handover->channel);
    peer_stats_tell_successor(&generation->peer_stats, handover->channel);
    step(handover, "launched: pid %d", (int)handover->child.pid);
    expect_within(handover, HELLO_TIMEOUT_MS);
}

void handover_begin(struct generation *generation, const struct reload_order *order)
{
    struct handover *handover = calloc(1, sizeof *handover);
    if (handover)
        handover->timeout = event_new(generation->base, -1, 0, on_timeout, handover);
    if (!handover || !handover->timeout) {
        free(handover);
        generation->events->reload_over(generation, EXIT_OTHER, "out of memory", 0);
        return;
    }
    handover->generation = generation;
    handover->order = *order;
    handover->reload_failure.refused_before = order->by_signal ? generation->refused : 0;
    handover->started_at = clock_ms();
    generation->handover = handover;
    log_notice("reload: generation %u launches its successor", generation->number);
    notify_reloading();
    launch(handover);
}

/* Until it is committed. killed says the same of it as why of the canary. */
static void call_off(struct handover *handover, const char *why, const char *killed)
{
    handover->called_off = true;
    if (handover->state == HANDOVER_CANARY)
        go_back(handover, why);
    else if (is_preparing(handover))
        give_up(handover, killed);
}

const char *handover_abort(struct generation *generation)
{
    struct handover *handover = generation->handover;
    if (!handover || handover->state == HANDOVER_LINGERING)
        return "there is no reload to call off";
    if (handover->state == HANDOVER_COMMITTED || handover->reload_failure.had_served)
        return "the successor has begun to serve: it is too late to call the reload off";
    call_off(handover, "it was called off", "was killed: the reload was called off");
    return NULL;
}

const char *handover_promote(struct generation *generation)
{
    struct handover *handover = generation->handover;
    if (!handover || handover->state != HANDOVER_CANARY)
        return "there is no canary to promote";
    if (!handover->tried)
        return "the canary has not begun yet";
    if (!handover->promotion)
        promote(handover, "by command");
    return NULL;
}

void handover_cancel(struct generation *generation)
{
    if (generation->handover)
        call_off(generation->handover, "the proxy was told to stop",
                 "was killed: the proxy was told to stop");
}

struct replacement handover_closed(struct generation *generation)
{
    struct handover *handover = generation->handover;
    const struct replacement replacement = {.channel = handover->channel,
                                            .number = handover->number,
                                            .pid = handover->child.pid,
                                            .child = handover->child};
    handover->channel = NULL;
    generation->handover = NULL;
    handover_free(handover); /* listeners of it that we held: they may close in any order now */
    return replacement;
}

struct channel *handover_channel(const struct handover *handover)
{
    return handover->channel;
}

void handover_tell_lingering(struct generation *generation)
{
    tell_about_us(generation->handover);
}

void handover_tell_server(struct generation *generation, const struct message_server *record)
{
    struct handover *handover = generation->handover;
    if (handover && follows_servers(handover))
        channel_send(handover->channel, MESSAGE_SERVER, record, sizeof *record, NULL, 0);
}

bool handover_view(const struct handover *handover, struct handover_view *view)
{
    if (!handover || handover->state == HANDOVER_LINGERING || handover->exited)
        return false;
    const char *state = handover->state == HANDOVER_CANARY ? "canary"
                        : handover->state == HANDOVER_BACK ? "lingering"
                                                           : "starting";
    *view = (struct handover_view){.pid = handover->child.pid,
                                   .generation = handover->number,
                                   .state = state,
                                   .canary = handover->canary,
                                   .plan = handover->order.canary};
    return true;
}
