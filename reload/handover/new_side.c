#include "reload/handover/new_side.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "reload/base/event_bus.h"
#include "reload/base/history.h"
#include "reload/handover/channel.h"
#include "reload/handover/frontend_states.h"
#include "reload/handover/generation.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/moving.h"
#include "reload/handover/offering.h"
#include "reload/handover/server_states.h"
#include "reload/handover/session_handoff.h"
#include "reload/handover/spare_channels.h"
#include "reload/handover/ticket_keys.h"
#include "reload/listeners/rescue.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum new_side_state {
    NEW_SIDE_EXPECTING,
    NEW_SIDE_CHECKING,
    NEW_SIDE_PREPARED,
    NEW_SIDE_CANARY,
    NEW_SIDE_BACK,
    NEW_SIDE_SERVING,
    NEW_SIDE_ALONE,
};

struct new_side {
    struct generation *generation;
    enum new_side_state state;
    struct channel *channel; /* NULL: ALONE */
    struct offer offer;
    struct offer kept; /* the old process's listeners, of which this process holds duplicates */
    struct server_states server_states;
    struct frontend_states frontend_states;
    struct spare_channels spare_channels;
    uint64_t arrived;    /* sessions of the old process that came here */
    bool forced;         /* even if a backend loses its last usable server */
    pid_t pid;           /* of the old process: the parent of this process, while it lives */
    struct event *alone; /* the old process was lost before its offer, and is dying */
    uint64_t alone_until;
    struct rescue *rescue; /* ALONE: of the clients in the old process's queues */
};

/* A process that dies closes its descriptors one by one: how long to wait for its listeners. */
#define DYING_MS 5000
static const struct timeval dying_look = {.tv_usec = 5000};

bool new_side_has_address(const struct new_side *side, const struct backend_conf *backend,
                          const struct server_conf *server)
{
    return server_states_has_address(&side->server_states, backend, server);
}

void new_side_free(struct new_side *side)
{
    if (!side)
        return;
    rescue_free(side->rescue);
    channel_close(side->channel);
    if (side->alone)
        event_free(side->alone);
    offer_free(&side->offer);
    offer_free(&side->kept);
    server_states_free(&side->server_states);
    frontend_states_free(&side->frontend_states);
    spare_channels_close(&side->spare_channels);
    free(side);
}

/* Nothing connects this process with the old one any more. */
static void leave(struct new_side *side)
{
    side->generation->new_side = NULL;
    side->generation->predecessor = (struct message_sessions){0};
    new_side_free(side);
}

static void over(struct new_side *side)
{
    struct generation *generation = side->generation;
    leave(side);
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
    offered->waits = bind->waits != 0;
    return true;
}

/* True: this process has duplicates of all listeners of the old process. The old process closes its
 * own in any order: with some of them missing, this process would not know how its own listeners
 * stand in their groups. */
static bool keeps_all(const struct new_side *side)
{
    for (size_t i = 0; i < side->kept.count; i++) {
        const struct offered *kept = &side->kept.list[i],
                             *offered = offer_find(&side->offer, kept->text);
        if (offered && binds_find(side->generation->binds, kept->text) &&
            kept->fd_count != offered->listeners)
            return false;
    }
    return true;
}

/* Before anything is steered to this process. False: it exits. */
static bool must_keep_all(struct new_side *side)
{
    struct generation *generation = side->generation;
    if (keeps_all(side))
        return true;
    generation->events->report(generation,
                               "out of descriptors: the predecessor's listeners cannot be kept");
    generation->events->exit(generation, EXIT_OTHER);
    return false;
}

/* Clients of a bind that the old process has, and which is another one, come to this bind as soon
 * as that one is closed, or before. */
static bool has_clients_of_another(const struct bound *bound, const struct offer *offer)
{
    const struct listen_address *at = &bound->conf->at;
    struct listen_address other;
    if (bound_is_unix(bound) || offer_find(offer, bound->conf->text))
        return bound->covered != NULL;
    for (size_t i = 0; i < offer->count; i++)
        if (offered_address(&offer->list[i], &other) && listen_address_overlaps(at, &other) &&
            !listen_address_covers(at, &other))
            return true;
    return false;
}

/* The kernel chooses between the listening sockets of two binds without asking a program, and
 * steers only among sockets of the same bind. So a bind that has clients of another one would have
 * all of them or none, and one that both processes have in common an unknown share. No client comes
 * to an address that is absent. False: this process exits. */
static bool can_share(struct new_side *side)
{
    struct generation *generation = side->generation;
    for (size_t i = 0; i < generation->binds->count; i++) {
        const struct bound *bound = &generation->binds->list[i];
        char line[ADDRESS_TEXT_MAX + 256];
        if (!has_clients_of_another(bound, &side->offer))
            continue;
        snprintf(
            line, sizeof line,
            "no canary is possible: clients of %s would go from another bind of the port to it, or "
            "back, and the kernel gives all of them to the more specific bind, never a share; "
            "reload without --canary, or change the binds in a reload of their own",
            bound->conf->text);
        generation->events->report(generation, line);
        generation->events->exit(generation, EXIT_BIND);
        return false;
    }
    return true;
}

/* This process cannot serve, and goes back as a canary does: the old process gets its sessions, and
 * the clients in its queues are served. */
static void decline(struct new_side *side)
{
    const struct message_back message = {.exit = (uint32_t)side->generation->exit_status};
    side->state = NEW_SIDE_CANARY;
    channel_send(side->channel, MESSAGE_BACK, &message, sizeof message, NULL, 0);
}

static void commit(struct new_side *side)
{
    struct generation *generation = side->generation;
    binds_spread(generation->binds, &side->offer);
    if (!generation->events->serve(generation)) {
        decline(side);
        return;
    }
    side->state = NEW_SIDE_SERVING;
    channel_send(side->channel, MESSAGE_ACTIVE, NULL, 0, NULL, 0);
}

static void say_ready(struct new_side *side)
{
    const struct binds *binds = side->generation->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        if (!offer_find(&side->offer, bound->conf->text))
            continue;
        struct message_ready_bind ready = {.listeners = bound->sockets,
                                           .passed = bound->way == BIND_PASS};
        memcpy(ready.text, bound->conf->text, sizeof ready.text);
        channel_send(side->channel, MESSAGE_READY_BIND, &ready, sizeof ready, NULL, 0);
    }
    peer_stats_tell_predecessor(&side->generation->peer_stats, side->channel);
    offering_send_ours(binds, &side->offer, side->channel);
    const struct message_ready ready = {.config_hash = side->generation->config_hash};
    channel_send(side->channel, MESSAGE_READY, &ready, sizeof ready, NULL, 0);
}

static void tell_loss(const char *line, void *arg)
{
    struct generation *generation = arg;
    char text[1600];
    bool forced = generation->new_side->forced;
    snprintf(text, sizeof text, "%s%s", line,
             forced ? "; it is so by --force" : "; --force reloads all the same");
    generation->events->report(generation, text);
}

/* All servers have been checked, or that took too long. */
static void on_met(void *arg)
{
    struct generation *generation = arg;
    struct new_side *side = generation->new_side;
    if (!side || side->state != NEW_SIDE_CHECKING)
        return; /* the old process was lost, and this one serves */
    size_t losses =
        server_states_losses(&side->server_states, generation->proxy, tell_loss, generation);
    if (losses && !side->forced) {
        generation->events->exit(generation, EXIT_REFUSED);
        return;
    }
    side->state = NEW_SIDE_PREPARED;
    say_ready(side);
}

static void tell_absent(struct new_side *side)
{
    const struct binds *binds = side->generation->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bind_conf *conf = binds->list[i].conf;
        char line[ADDRESS_TEXT_MAX + 160];
        if (!binds->list[i].absent)
            continue;
        snprintf(line, sizeof line, "%s: %s now: the old process's listening sockets are kept",
                 conf->text,
                 conf->at.interface[0] ? "there is no such interface"
                                       : "no interface of this machine has the address");
        log_warning("%s", line);
        new_side_progress(side, line);
    }
}

/* What is known of the servers, and of their names, in the old process. False: it has been
 * reported, and exit_status is set. */
static bool take_servers(struct new_side *side)
{
    struct generation *generation = side->generation;
    int error = server_states_inherit(&side->server_states, generation->proxy, generation->names,
                                      generation->checks);
    if (error) {
        generation->events->report(generation, strerror(error));
        generation->exit_status = EXIT_OTHER;
        return false;
    }
    server_states_apply(&side->server_states, generation->proxy);
    return generation_begin_names(generation);
}

static void prepare(struct new_side *side, const struct message_offer *offer)
{
    struct generation *generation = side->generation;
    generation->number = offer->generation + 1;
    if (offer->refused && offer->refused == generation->config_hash) {
        generation->events->report(
            generation, "the configuration is as it was when its canary was rolled back: "
                        "a signal does not reload it");
        generation->events->exit(generation, EXIT_REFUSED);
        return;
    }
    server_states_sort(&side->server_states);
    if (!generation->events->prepare(generation, &side->offer, &side->kept)) {
        generation->events->exit(generation, generation->exit_status);
        return;
    }
    tell_absent(side);
    frontend_states_apply(&side->frontend_states, generation->proxy);
    if (!take_servers(side)) {
        generation->events->exit(generation, generation->exit_status);
        return;
    }
    /* Duplicates of binds that this process does not have would stay open after the old process has
     * closed its own: offering_close_foreign(). */
    offer_close_rest(&side->offer);
    offering_close_foreign(&side->kept, generation->binds);
    if (!must_keep_all(side) || (offer->canary && !can_share(side)))
        return;
    side->forced = offer->forced != 0;
    side->state = NEW_SIDE_CHECKING;
    millis ready_timeout =
        offer->ready_timeout ? offer->ready_timeout : generation->config->ready_timeout;
    checks_begin_unknown_first(generation->checks, ready_timeout / 2, on_met, generation);
}

static void hear_of_server(struct new_side *side, const struct message_server *record)
{
    struct generation *generation = side->generation;
    switch (side->state) {
    case NEW_SIDE_EXPECTING:
        if (server_states_add(&side->server_states, record))
            generation->events->exit(generation, EXIT_OTHER);
        break;
    case NEW_SIDE_CHECKING:
    case NEW_SIDE_PREPARED:
    case NEW_SIDE_CANARY:
    case NEW_SIDE_BACK:
        server_states_update(&side->server_states, record, generation->proxy);
        break;
    case NEW_SIDE_SERVING:
        server_states_obey(record, generation->proxy);
        break;
    case NEW_SIDE_ALONE:
        break;
    }
}

static void hear_of_servers(struct new_side *side, const struct received *message)
{
    struct message_server record;
    size_t used, at = 0;
    while ((used = server_states_unpack((const unsigned char *)message->payload + at,
                                        message->length - at, &record))) {
        hear_of_server(side, &record);
        at += used;
    }
}

static void hear_of_frontend(struct new_side *side, const struct received *message)
{
    struct generation *generation = side->generation;
    if (side->state != NEW_SIDE_EXPECTING)
        frontend_states_hear(message, generation->proxy);
    else if (frontend_states_add(&side->frontend_states, message))
        generation->events->exit(generation, EXIT_OTHER);
}

static void say_hello(struct channel *channel)
{
    struct message_hello hello = {.pid = (uint32_t)getpid()};
    snprintf(hello.version, sizeof hello.version, "%s", RPPROXY_VERSION);
    channel_send(channel, MESSAGE_HELLO, &hello, sizeof hello, NULL, 0);
}

/* The process that was added to those that drain checks nothing any more, and may have ended its
 * checks before it knew what is known here. */
static void tell_down_servers(struct generation *generation)
{
    const struct proxy *proxy = generation->proxy;
    for (size_t i = 0; i < proxy->service.config->backend_count; i++) {
        const struct server_set *set = backend_servers(&proxy->service.backends[i]);
        for (size_t j = 0; j < set->count; j++) {
            struct message_server record;
            if (set->list[j]->now.check == CHECK_UP)
                continue;
            server_states_record(set->list[j], &record);
            draining_processes_tell_server(&generation->draining_processes, &record);
        }
    }
}

/* fd is set to -1 when it is in use. */
static void add_draining_process(struct generation *generation,
                                 const struct message_sessions *about, int *fd)
{
    static const struct channel_events none;
    struct channel *channel = channel_open(*fd, generation->base, &none);
    if (!channel)
        return;
    *fd = -1;
    if (about->foreign)
        channel_set_foreign(channel);
    heartbeat_answer(&generation->heartbeats, channel);
    say_hello(channel);
    peer_stats_tell_predecessor(&generation->peer_stats, channel);
    draining_processes_add(&generation->draining_processes, channel, about, 0);
    tell_down_servers(generation);
}

/* The old process has passed the channel on. */
static void take_draining_process(struct new_side *side, const struct received *message)
{
    if (message->fd_count != 1)
        return;
    spare_channels_drop(&side->spare_channels, message->payload);
    add_draining_process(side->generation, message->payload, &message->fds[0]);
}

/* The old process is gone, and this one serves. */
static void use_spare_channels(struct generation *generation, struct spare_channels *spare_channels)
{
    for (size_t i = 0; i < spare_channels->count; i++) {
        struct spare_channel *spare = &spare_channels->list[i];
        if (!spare_channel_is_dead(spare->fd))
            add_draining_process(generation, &spare->about, &spare->fd);
        if (spare->fd >= 0)
            close(spare->fd);
    }
    spare_channels->count = 0;
    spare_channels_close(spare_channels);
}

static void predecessor_closed(struct new_side *side, const struct message_sessions *about)
{
    struct generation *generation = side->generation;
    binds_settle(generation->binds, &side->offer, &side->kept, true);
    proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    struct channel *channel = side->channel;
    side->channel = NULL;
    draining_processes_add(&generation->draining_processes, channel, about, side->arrived);
    peer_stats_expect_ends(&generation->peer_stats);
    tell_down_servers(generation);
    over(side);
}

static void take_result(struct generation *generation, const struct message_reloaded *message)
{
    struct reload_result *result = &generation->last_reload;
    if (!result->any) {
        *result = (struct reload_result){.any = true,
                                         .generation = generation->number,
                                         .status = (enum exit_status)message->exit,
                                         .at = message->at,
                                         .duration = message->duration};
        memcpy(result->text, message->text, sizeof result->text - 1);
    }
    if (message->last_crash.at > generation->last_crash.at)
        generation->last_crash = message->last_crash;
    generation->events->reloaded(generation, message->by);
}

static void go_back(struct new_side *side, const struct message_back *message)
{
    struct generation *generation = side->generation;
    side->state = NEW_SIDE_BACK;
    peer_stats_accept(&generation->peer_stats, false);
    binds_go_back(generation->binds, &side->offer);
    generation->events->go_back(generation, message->linger_timeout);
}

static void on_message(const struct received *message, void *arg)
{
    struct new_side *side = arg;
    struct generation *generation = side->generation;
    switch (message->type) {
    case MESSAGE_OFFER_BIND:
        if (side->state == NEW_SIDE_EXPECTING && !add_offered(&side->offer, message))
            generation->events->exit(generation, EXIT_OTHER);
        break;
    case MESSAGE_METRICS:
        if (side->state == NEW_SIDE_EXPECTING &&
            !offering_take(&generation->metrics_offered, message))
            generation->events->exit(generation, EXIT_OTHER);
        break;
    case MESSAGE_TICKETS:
        if (side->state == NEW_SIDE_EXPECTING)
            ticket_keys_hear(generation, message);
        break;
    case MESSAGE_OFFER:
        if (side->state == NEW_SIDE_EXPECTING)
            prepare(side, message->payload);
        break;
    case MESSAGE_CANARY:
        if (side->state == NEW_SIDE_PREPARED && must_keep_all(side)) {
            side->state = NEW_SIDE_CANARY;
            generation->events->try_canary(generation);
        }
        if (side->state == NEW_SIDE_CANARY)
            channel_send(side->channel, MESSAGE_CANARY, NULL, 0, NULL, 0);
        break;
    case MESSAGE_BACK:
        if (side->state == NEW_SIDE_CANARY)
            go_back(side, message->payload);
        break;
    case MESSAGE_DUPLICATES:
        if (!offering_take(&side->kept, message))
            generation->events->exit(generation, EXIT_OTHER);
        break;
    case MESSAGE_COMMIT:
        if (side->state == NEW_SIDE_CANARY ||
            (side->state == NEW_SIDE_PREPARED && must_keep_all(side)))
            commit(side);
        break;
    case MESSAGE_STATS:
        if (side->state != NEW_SIDE_SERVING)
            peer_stats_add(&generation->peer_stats, message);
        break;
    case MESSAGE_SESSIONS:
        memcpy(&generation->predecessor, message->payload, sizeof generation->predecessor);
        break;
    case MESSAGE_SERVER: {
        struct message_server record;
        server_states_read(message->payload, message->length, &record);
        hear_of_server(side, &record);
        break;
    }
    case MESSAGE_SERVERS:
        hear_of_servers(side, message);
        break;
    case MESSAGE_FRONTEND:
        hear_of_frontend(side, message);
        break;
    case MESSAGE_DRAINING_PROCESS:
        take_draining_process(side, message);
        break;
    case MESSAGE_SPARE:
        spare_channels_add(&side->spare_channels, message);
        break;
    case MESSAGE_HANDOFF:
        if (side->state == NEW_SIDE_SERVING)
            side->arrived += moving_take(generation, side->channel, message);
        break;
    case MESSAGE_TAKEN:
        handoff_on_taken(generation->handoff, message);
        break;
    case MESSAGE_CLOSED:
        if (side->state == NEW_SIDE_SERVING)
            predecessor_closed(side, message->payload);
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

/* The old process has exited when another process is the parent. */
static void on_alone(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct new_side *side = arg;
    struct generation *generation = side->generation;
    bool gone = getppid() != side->pid;
    if (!gone && clock_ms() < side->alone_until)
        return;
    struct spare_channels spare_channels = side->spare_channels;
    side->spare_channels = (struct spare_channels){0};
    leave(side);
    generation->number = history_next(generation->config->history);
    if (!gone)
        generation->events->exit(generation, EXIT_FAILED); /* it lives, and ended the reload */
    else if (!generation->events->serve_alone(generation))
        generation->events->exit(generation, generation->exit_status);
    else
        use_spare_channels(generation, &spare_channels);
    spare_channels_close(&spare_channels);
}

/* What is left of the old process's listeners closes. */
static void settle_alone(struct new_side *side)
{
    binds_settle(side->generation->binds, &side->offer, &side->kept, false);
}

static void on_rescued(void *arg)
{
    struct new_side *side = arg;
    settle_alone(side);
    over(side);
}

static void on_lost(const char *wrong, void *arg)
{
    struct new_side *side = arg;
    struct generation *generation = side->generation;
    if (wrong && getppid() == side->pid) { /* it lives, and serves on when this process exits */
        log_error("the predecessor (pid %d) %s", (int)side->pid, wrong);
        generation->events->exit(generation, EXIT_OTHER);
        return;
    }
    moving_abort(generation, wrong != NULL);
    peer_stats_expect_end(&generation->peer_stats, generation->predecessor.generation, side->pid);
    log_warning("the predecessor (pid %d) %s; this generation continues without it", (int)side->pid,
                wrong ? wrong : "is gone");
    if (side->state == NEW_SIDE_EXPECTING) {
        offer_free(&side->kept); /* nothing accepts from them: new clients must be refused */
        side->alone_until = clock_ms() + DYING_MS;
        event_add(side->alone, &dying_look);
        return;
    }
    bool prepared = side->state != NEW_SIDE_SERVING;
    if (side->state == NEW_SIDE_BACK)
        binds_take_back(generation->binds);
    side->state = NEW_SIDE_ALONE;
    generation->events->sweep(generation, side->pid);
    generation->predecessor.pid = 0;
    channel_close(side->channel);
    side->channel = NULL;
    bool rescues = offer_holds_any(&side->kept) && keeps_all(side);
    if (rescues) /* its listeners still stand before those of this process in the groups */
        binds_spread(generation->binds, &side->offer);
    else
        settle_alone(side);
    if (prepared)
        generation->events->serve_anyway(generation);
    else
        proxy_accept(generation->proxy); /* for the wake-ups that went to its workers */
    use_spare_channels(generation, &side->spare_channels);
    if (!rescues) {
        over(side);
        return;
    }
    const struct rescue_means means = generation_rescue_means(generation);
    side->rescue = rescue_start(&side->kept, &means, on_rescued, side);
    if (!side->rescue)
        on_rescued(side);
}

int new_side_begin(struct generation *generation, int fd)
{
    struct new_side *side = calloc(1, sizeof *side);
    if (!side)
        return ENOMEM;
    const struct channel_events events = {
        .on_message = on_message, .on_lost = on_lost, .arg = side};
    side->generation = generation;
    /* Ask the socket for the process that made it: the parent of this process may have died
     * already. */
    struct ucred maker = {0};
    socklen_t length = sizeof maker;
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &maker, &length);
    side->pid = maker.pid;
    side->alone = event_new(generation->base, -1, EV_PERSIST, on_alone, side);
    if (side->alone)
        side->channel = channel_open(fd, generation->base, &events);
    if (!side->channel) {
        new_side_free(side);
        return ENOMEM;
    }
    generation->new_side = side;
    heartbeat_answer(&generation->heartbeats, side->channel);
    heartbeat_watch(side->channel, "the predecessor", side->pid, true);
    say_hello(side->channel);
    return 0;
}

struct channel *new_side_channel(const struct new_side *side)
{
    return side->channel;
}

void new_side_hurry(struct new_side *side)
{
    if (side->state == NEW_SIDE_SERVING)
        channel_send(side->channel, MESSAGE_HURRY, NULL, 0, NULL, 0);
}

void new_side_tell_end(struct new_side *side)
{
    if (side && side->state == NEW_SIDE_SERVING)
        channel_send(side->channel, MESSAGE_STOP, NULL, 0, NULL, 0);
}

void new_side_tell_server(struct new_side *side, const struct message_server *record)
{
    if (side && side->state == NEW_SIDE_SERVING)
        channel_send(side->channel, MESSAGE_SERVER, record, sizeof *record, NULL, 0);
}

void new_side_tell_frontend(struct new_side *side, const struct frontend *frontend)
{
    if (side && side->state == NEW_SIDE_SERVING)
        frontend_states_send(side->channel, frontend);
}

void new_side_ask_back(struct new_side *side)
{
    channel_send(side->channel, MESSAGE_BACK, NULL, 0, NULL, 0);
}

struct replacement new_side_returned(struct generation *generation)
{
    struct new_side *side = generation->new_side;
    const struct replacement replacement = {.channel = side->channel,
                                            .number = generation->predecessor.generation,
                                            .pid = (pid_t)generation->predecessor.pid};
    side->channel = NULL;
    leave(side);
    return replacement;
}

void new_side_progress(struct new_side *side, const char *line)
{
    size_t length = strlen(line);
    if (!side->channel)
        return;
    channel_send(side->channel, MESSAGE_PROGRESS, line,
                 length < MESSAGE_PAYLOAD_MAX ? length : MESSAGE_PAYLOAD_MAX, NULL, 0);
}
