#include "reload/listeners/binds.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/steering.h"
#include "reload/listeners/unix_bind.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* No group is that large: the kernel finds no listener at this index, and chooses by hash. */
static const struct steer_range by_hash = {.first = 1u << 20, .count = 1};

static bool is_activated(const struct bound *bound)
{
    return bind_is_activated(bound->conf);
}

/* New connections go to the listeners of this process, which stand at range, as the bind wants it;
 * but for the split's share of them, unless that is NULL. */
static int spread(const struct binds *binds, const struct bound *bound, struct steer_range range,
                  unsigned rotation, const struct steer_split *split)
{
    const struct steer_cpus cpus = {.cpus = &binds->cpus,
                                    .workers = binds->workers < bound->sockets ? binds->workers
                                                                               : bound->sockets,
                                    .rotation = rotation};
    const struct steer_cpus *by = NULL;
    if (bound->conf->accept == ACCEPT_SHARED)
        range = group_shared(range.first);
    else if (bound->conf->steer == STEER_CPU && binds->cpus.count)
        by = &cpus;
    if (split)
        return steering_split(bound->fds[0], split, range, by);
    return by ? steering_set_by_cpu(bound->fds[0], range, by) : steering_set(bound->fds[0], range);
}

static int pin_to_us(const struct binds *binds, const struct bound *bound)
{
    return spread(binds, bound, group_pinned(bound->sockets), bound->rotation, NULL);
}

static void warn_unless_done(const struct bound *bound, int error)
{
    if (error)
        log_warning("%s: cannot steer: %s", bound->conf->text, strerror(error));
}

void bound_pin(const struct binds *binds, const struct bound *bound)
{
    warn_unless_done(bound, pin_to_us(binds, bound));
}

int binds_give(struct binds *binds, struct proxy *proxy)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        bool shared = bound->conf->accept == ACCEPT_SHARED || bound->sockets < proxy->worker_count;
        for (unsigned j = 0; j < bound->sockets; j++)
            for (unsigned worker = 0; worker < proxy->worker_count; worker++) {
                if (!shared && worker != j % proxy->worker_count)
                    continue;
                int error = proxy_add_listener(proxy, worker, bound->fds[j], shared, &bound->held,
                                               bound->frontend, bound->serves);
                if (error)
                    return error;
            }
    }
    return 0;
}

struct bound *binds_find(const struct binds *binds, const char *text)
{
    for (size_t i = 0; i < binds->count; i++)
        if (strcmp(binds->list[i].conf->text, text) == 0)
            return &binds->list[i];
    return NULL;
}

/* A passed socket has what its first owner wanted. Before this process serves it is not to be
 * touched: it may have to go back. */
static void set_congestion(const struct bound *bound, const char *congestion)
{
    int error = 0;
    for (unsigned i = 0; i < bound->sockets && !error; i++)
        error = socket_congestion(bound->fds[i], congestion);
    if (error)
        log_error("%s: cannot change the congestion control: %s", bound->conf->text,
                  strerror(error));
}

static void note_congestion(struct bound *bound)
{
    socklen_t length = sizeof bound->congestion - 1;
    memset(bound->congestion, 0, sizeof bound->congestion);
    if (getsockopt(bound->fds[0], IPPROTO_TCP, TCP_CONGESTION, bound->congestion, &length))
        bound->congestion[0] = '\0';
}

static bool publish(const struct binds *binds, struct bound *bound,
                    void (*report)(const char *line, void *arg), void *arg)
{
    const char *congestion = binds->config->frontends[bound->frontend].congestion;
    if (!bound_is_unix(bound)) {
        if (bound->adopted && (*congestion || !is_activated(bound))) {
            note_congestion(bound);
            set_congestion(bound, congestion);
        }
        return true;
    }
    const char *wrong = unix_bind_publish(bound);
    if (!wrong)
        return true;
    char line[1024];
    snprintf(line, sizeof line, "%s:%u: cannot bind %s: %s", binds->config->file, bound->conf->line,
             bound->conf->text, wrong);
    report(line, arg);
    return false;
}

static void withdraw(struct bound *bound)
{
    if (bound_is_unix(bound))
        unix_bind_withdraw(bound);
    else if (bound->congestion[0])
        set_congestion(bound, bound->congestion);
}

bool binds_publish(struct binds *binds, void (*report)(const char *line, void *arg), void *arg)
{
    for (size_t i = 0; i < binds->count; i++) {
        if (publish(binds, &binds->list[i], report, arg))
            continue;
        while (i-- > 0)
            withdraw(&binds->list[i]);
        return false;
    }
    return true;
}

void binds_withdraw(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++)
        withdraw(&binds->list[i]);
}

void binds_settle_paths(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++)
        if (bound_is_unix(&binds->list[i]))
            published_settle(&binds->list[i].file);
}

/* Where the old process used one there would be no canary, but for Unix binds and paused frontends.
 */
void binds_try(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++)
        if (!bound_is_unix(&binds->list[i]) && !binds->list[i].waits)
            atomic_store(&binds->list[i].held, false);
}

void binds_release(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++)
        atomic_store(&binds->list[i].held, false);
}

void binds_spread(struct binds *binds, const struct offer *offer)
{
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        const struct offered *offered = offer_find(offer, bound->conf->text);
        if (offered && offered->fd_count == 0 && !bound_is_unix(bound))
            warn_unless_done(bound, spread(binds, bound,
                                           group_handed_over(offered->listeners, bound->sockets),
                                           bound->rotation, NULL));
    }
}

/* All at the same moment. */
static void count_members(struct binds *binds)
{
    const struct listen_address **list = calloc(binds->count, sizeof *list);
    size_t *members = calloc(binds->count, sizeof *members);
    for (size_t i = 0; list && i < binds->count; i++)
        list[i] = &binds->list[i].conf->at;
    bool counted = list && members && sockdiag_listeners(list, binds->count, members) == 0;
    for (size_t i = 0; i < binds->count; i++)
        binds->list[i].members = counted ? members[i] : 0;
    free(list);
    free(members);
}

/* NULL: the group, as just counted, holds the listeners of this process, so many successors', and
 * no other; else what is wrong. */
static const char *others_in_group(const struct bound *bound, unsigned successors)
{
    if (bound->members == 0)
        return "the kernel does not say which other programs listen there";
    return bound->members == bound->sockets + successors ? NULL
                                                         : "another program listens there as well";
}

/* Clients come to the sockets by the interface of the bind. */
static bool has_interface(const struct bound *bound)
{
    return !bound->conf->at.interface[0] || bound->sockets == 0 ||
           socket_is_of_interface(bound->fds[0], bound->conf->at.interface);
}

/* NULL: the bind is steered to this process; else why not. */
static const char *pin(const struct binds *binds, const struct bound *bound)
{
    if (!has_interface(bound))
        return "its interface is gone";
    if (!bound->ordered)
        return "the order of its sockets is not known";
    if (pin_to_us(binds, bound))
        return "the kernel takes no steering program";
    return NULL;
}

static void pass(struct bound *bound, const char *why, void (*report)(const char *line, void *arg),
                 void *arg)
{
    char line[ADDRESS_TEXT_MAX + 160];
    bound->way = BIND_PASS;
    snprintf(line, sizeof line, "%s: %s: its listening sockets are passed to the successor",
             bound->conf->text, why);
    report(line, arg);
}

/* The clients in its backlog are to outlive this process, which would have to accept them. */
static void pass_if_paused(struct bound *bound, const struct proxy *proxy)
{
    bound->waits = atomic_load(&proxy->service.frontends[bound->frontend].paused_at) > 0;
    if (bound->waits && bound->way == BIND_STEER)
        bound->way = BIND_PASS;
}

void binds_pin(struct binds *binds, const struct proxy *proxy,
               void (*report)(const char *line, void *arg), void *arg)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        bound->successors = 0;
        bound->kept = false;
        if (bound_is_unix(bound))
            bound->way = unix_bind_is_ours(bound) ? BIND_PASS : BIND_RENAME;
        if (bound_is_unix(bound) || is_activated(bound))
            continue;
        if (!has_interface(bound) && if_nametoindex(bound->conf->at.interface)) {
            bound->way = BIND_ANEW;
            continue;
        }
        const char *why = pin(binds, bound);
        bound->way = BIND_STEER;
        if (why)
            pass(bound, why, report, arg);
    }
    count_members(binds);
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        const char *why = others_in_group(bound, 0);
        if (bound->way == BIND_STEER && why)
            pass(bound, why, report, arg);
        pass_if_paused(bound, proxy);
    }
}

bool binds_can_split(const struct binds *binds, void (*report)(const char *line, void *arg),
                     void *arg, char why[static BINDS_WHY_MAX])
{
    size_t split = 0;
    char line[ADDRESS_TEXT_MAX + 160];
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        if (bound->way == BIND_PASS && !bound_is_unix(bound) && !bound->waits) {
            snprintf(why, BINDS_WHY_MAX,
                     "%s cannot be split: its listening sockets would be passed to the successor",
                     bound->conf->text);
            return false;
        }
        split += bound->way == BIND_STEER;
        if (bound->way != BIND_PASS && !bound_is_unix(bound))
            continue;
        snprintf(line, sizeof line,
                 "%s cannot be split%s: it goes to the successor when the canary is promoted",
                 bound->conf->text, bound->waits ? " while its frontend is paused" : "");
        report(line, arg);
    }
    snprintf(why, BINDS_WHY_MAX, "no bind can be split");
    return split > 0;
}

void binds_note_successors(const struct binds *binds, const char *text, unsigned sockets,
                           bool passed)
{
    struct bound *bound = binds_find(binds, text);
    if (!bound)
        return;
    bound->successors = sockets;
    if (passed)
        bound->way = BIND_PASS;
}

const struct bound *binds_serving(const struct binds *binds, const char *text)
{
    struct listen_address at;
    const struct bound *bound = binds_find(binds, text);
    if (bound || bind_text_is_activated(text) || listen_address_parse(text, &at))
        return bound;
    for (size_t i = 0; i < binds->count && !bound; i++)
        if (listen_address_covers(&binds->list[i].conf->at, &at))
            bound = &binds->list[i];
    return bound;
}

bool binds_undisturbed(struct binds *binds)
{
    bool undisturbed = true;
    count_members(binds);
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        const char *why = others_in_group(bound, bound->successors);
        if (bound->way != BIND_STEER || !bound->successors || !why)
            continue;
        log_warning("%s: %s", bound->conf->text, why);
        undisturbed = false;
    }
    return undisturbed;
}

static int hand_over(struct bound *bound)
{
    if (bound_is_unix(bound))
        unix_bind_note(bound);
    if (!bound->successors)
        return 0;
    if (bound->way == BIND_STEER)
        return steering_set(bound->fds[0], group_handed_over(bound->sockets, bound->successors));
    if (bound->way == BIND_PASS) {
        note_congestion(bound);
        atomic_store(&bound->held, true);
    }
    return 0;
}

int binds_hand_over(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        int error = hand_over(bound);
        if (error) {
            log_error("%s: cannot be handed over: %s", bound->conf->text, strerror(error));
            return error;
        }
    }
    return 0;
}

int binds_split(const struct binds *binds, unsigned share, bool by_source)
{
    struct steer_split split = {.share = share, .by_source = by_source};
    if (getrandom(&split.salt, sizeof split.salt, GRND_NONBLOCK) < 0)
        split.salt = (uint32_t)clock_ms();
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        if (bound->way != BIND_STEER || !bound->successors)
            continue;
        split.to = group_handed_over(bound->sockets, bound->successors);
        int error = spread(binds, bound, group_pinned(bound->sockets), bound->rotation, &split);
        if (error) {
            log_error("%s: cannot be split: %s", bound->conf->text, strerror(error));
            return error;
        }
    }
    return 0;
}

static void take_back_passed(struct bound *bound)
{
    char now[CONGESTION_MAX] = "";
    socklen_t length = sizeof now - 1;
    atomic_store(&bound->held, false);
    if (!bound->congestion[0] ||
        getsockopt(bound->fds[0], IPPROTO_TCP, TCP_CONGESTION, now, &length) ||
        strcmp(now, bound->congestion) == 0)
        return;
    set_congestion(bound, bound->congestion);
}

void binds_take_back(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        if (bound->behind) {
            bound->behind = false;
            continue;
        }
        if (bound_is_unix(bound))
            unix_bind_take_back(bound);
        if (bound->way == BIND_PASS)
            take_back_passed(bound);
        if (bound_is_unix(bound))
            continue;
        if (bound->way == BIND_STEER || bound->sinks.count)
            bound_pin(binds, bound);
        sinks_close(&bound->sinks);
    }
}

void binds_go_back(struct binds *binds, const struct offer *offer)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        const struct offered *offered = offer_find(offer, bound->conf->text);
        bound->successors = offered ? offered->listeners : 0;
        bound->behind = offered && !bound_is_unix(bound);
    }
}

/* It closes with this process, rather than living on in the successor's or the service manager's
 * hands. */
static bool will_close(const struct bound *bound)
{
    return !bound_is_unix(bound) && !is_activated(bound) &&
           !(bound->way == BIND_PASS && bound->successors);
}

/* When a bind ends, late clients are refused; they would be accepted and reset at the close. */
static void sink_late_clients(struct bound *bound)
{
    int error = sinks_open(&bound->sinks, &bound->conf->at, bound->fds[0], bound->sockets);
    if (error)
        log_warning("%s: new clients cannot be refused while it closes: %s", bound->conf->text,
                    strerror(error));
}

void binds_silence(struct binds *binds, bool alone)
{
    count_members(binds);
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        if (alone)
            bound->successors = 0;
        if (bound_is_unix(bound)) {
            if (!bound->successors)
                unix_bind_hide(bound, alone);
            continue;
        }
        if (bound->successors || bound->sockets == 0 || is_activated(bound) ||
            bound->way == BIND_ANEW)
            continue;
        const char *why = others_in_group(bound, 0);
        if (why)
            log_warning("%s: %s: new clients cannot be refused while it closes", bound->conf->text,
                        why);
        else
            sink_late_clients(bound);
    }
}

int binds_waiting(const struct binds *binds, size_t frontend)
{
    int waiting = -1;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        for (unsigned j = 0; bound->frontend == frontend && j < bound->sockets; j++) {
            int here = socket_accept_queue(bound->fds[j]);
            if (here >= 0)
                waiting = (waiting < 0 ? 0 : waiting) + here;
        }
    }
    return waiting;
}

unsigned binds_queued(const struct binds *binds)
{
    unsigned queued = 0;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        for (unsigned j = 0; will_close(bound) && j < bound->sockets; j++) {
            int here = socket_accept_queue(bound->fds[j]);
            queued += here > 0 ? (unsigned)here : 0;
        }
    }
    return queued;
}

void binds_sweep(const struct binds *binds, pid_t pid)
{
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        if (bound_is_unix(bound) && !bound_is_abstract(bound))
            published_sweep(bound->conf->at.address.un.sun_path, pid);
    }
}

static void close_bound(struct bound *bound)
{
    for (unsigned index = bound->sockets; index-- > 0;) {
        int fd = bound->fds[group_standing(index, bound->sockets, bound->rotation)];
        if (bound->way == BIND_STEER && bound->successors >= GROUP_MIN && !bound->behind &&
            !bound->kept && steering_set(fd, group_while_closing(index, bound->successors)))
            log_warning("%s: cannot steer past a closing listener", bound->conf->text);
        close(fd);
    }
    bound->sockets = 0;
    sinks_close(&bound->sinks);
    unix_bind_close(bound, !bound->successors);
}

void binds_close(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++)
        close_bound(&binds->list[i]);
    offer_free(&binds->idle);
}

/* What the predecessor would have done, had it not left that to this one. */
static void close_kept(const struct bound *bound, const struct offered *offered,
                       struct offered *kept)
{
    for (unsigned index = offered->listeners; index-- > 0;) {
        int *fd = &kept->fds[group_standing(index, offered->listeners, offered->rotation)];
        warn_unless_done(bound,
                         steering_set(bound->fds[0], group_while_closing(index, bound->sockets)));
        close(*fd);
        *fd = -1;
    }
}

void binds_settle(struct binds *binds, const struct offer *offer, struct offer *kept, bool orderly)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        const struct offered *offered = offer_find(offer, bound->conf->text);
        if (!offered || bound_is_unix(bound) || bound->sockets == 0)
            continue;
        if (offered->fd_count)
            continue; /* the group is as it was */
        struct offered *held = offer_find(kept, bound->conf->text);
        bool all_held = held && held->fd_count == offered->listeners;
        if (all_held)
            close_kept(bound, offered, held);
        bound->ordered = orderly || all_held;
        bound->way = bound->ordered ? BIND_STEER : BIND_PASS;
        if (bound->ordered)
            bound->rotation = group_rotation(bound->rotation, bound->sockets, offered->listeners);
        warn_unless_done(bound, bound->ordered ? pin_to_us(binds, bound)
                                               : steering_set(bound->fds[0], by_hash));
    }
}

void binds_free(struct binds *binds)
{
    if (!binds)
        return;
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        for (unsigned j = 0; j < bound->sockets; j++)
            close(bound->fds[j]);
        sinks_close(&bound->sinks);
        unix_bind_close(bound, false);
        free(bound->covered);
        free(bound->fds);
    }
    offer_free(&binds->idle);
    free(binds->in_order);
    free(binds->list);
    free(binds);
}
