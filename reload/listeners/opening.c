#include "reload/listeners/opening.h"

#include "config/base/log.h"
#include "proxy/engine/socket.h"
#include "reload/listeners/activation.h"
#include "reload/listeners/group.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/unix_bind.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct opening {
    const struct config *config;
    unsigned workers;
    void (*report)(const char *line, void *arg);
    void *arg;
    struct offer *offer, *duplicates; /* NULL: none */
    struct known_sockets known;       /* of the old process */
    bool failed;
};

static void report_of(struct opening *opening, const struct bind_conf *conf, const char *why)
{
    char line[SOCKDIAG_HOLDER_MAX + 1024];
    snprintf(line, sizeof line, "%s:%u: cannot bind %s: %s", opening->config->file, conf->line,
             conf->text, why);
    opening->report(line, opening->arg);
    opening->failed = true;
}

static void complain(struct opening *opening, const struct bind_conf *conf, int error)
{
    char why[SOCKDIAG_HOLDER_MAX + 160];
    char holder[SOCKDIAG_HOLDER_MAX];
    bool is_connection;
    switch (error) {
    case EADDRINUSE:
        if (sockdiag_holder(&conf->at, &opening->known, holder, &is_connection) == 0)
            snprintf(why, sizeof why, "the address is in use by %s%s", holder,
                     is_connection ? ""
                                   : "; only a reload shares an address, and only between "
                                     "processes of one user");
        else
            snprintf(why, sizeof why, "the address is in use");
        break;
    case EACCES:
        snprintf(why, sizeof why,
                 "permission denied (ports below 1024 take root or CAP_NET_BIND_SERVICE)");
        break;
    case EADDRNOTAVAIL:
        snprintf(why, sizeof why, "no interface of this machine has that address");
        break;
    case ENODEV:
        snprintf(why, sizeof why, "there is no interface %s", conf->at.interface);
        break;
    case EPERM:
        snprintf(why, sizeof why,
                 "permission denied (interface takes CAP_NET_RAW, or Linux 5.7 or later)");
        break;
    default:
        snprintf(why, sizeof why, "%s", strerror(error));
    }
    report_of(opening, conf, why);
}

/* SO_REUSEPORT of another program must not let this process share the address of that program: bind
 * once without it. */
static int probe_tcp(const struct listen_address *at)
{
    const struct address *address = &at->address;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    int error = socket_confine(fd, at);
    if (!error && bind(fd, &address->any, address->length))
        error = errno;
    close(fd);
    return error;
}

/* An activated socket is left out: it stays the service manager's as well. */
static void note_sockets(struct known_sockets *known, const struct offer *offer)
{
    for (size_t i = 0; offer && i < offer->count; i++) {
        const struct offered *offered = &offer->list[i];
        for (unsigned j = 0; j < offered->fd_count && !bind_text_is_activated(offered->text); j++) {
            struct stat status;
            if (fstat(offered->fds[j], &status) == 0)
                known->inodes[known->count++] = (uint32_t)status.st_ino;
        }
    }
}

static size_t count_sockets(const struct offer *offer)
{
    size_t count = 0;
    for (size_t i = 0; offer && i < offer->count; i++)
        count += offer->list[i].fd_count;
    return count;
}

static bool find_known(struct opening *opening)
{
    size_t count = count_sockets(opening->offer) + count_sockets(opening->duplicates);
    opening->known.inodes = calloc(count + 1, sizeof *opening->known.inodes);
    if (!opening->known.inodes)
        return false;
    note_sockets(&opening->known, opening->offer);
    note_sockets(&opening->known, opening->duplicates);
    return true;
}

/* Of an address that is not offered. Where the kernel does not say what is in the way, it may be
 * anybody. */
static int probe(const struct opening *opening, const struct listen_address *at)
{
    int error = probe_tcp(at);
    if (error == EADDRINUSE && opening->known.count && sockdiag_strangers(at, &opening->known) == 0)
        error = 0;
    return error;
}

/* A bind of an interface that this process opens anew, and that begins to listen after `at`: it has
 * its clients back at once. */
static bool has_later_interface(const struct opening *opening, const struct listen_address *at)
{
    const struct config *config = opening->config;
    for (size_t f = 0; f < config->frontend_count; f++)
        for (size_t b = 0; b < config->frontends[f].bind_count; b++) {
            const struct bind_conf *bind = &config->frontends[f].binds[b];
            const struct offered *offered = offer_find(opening->offer, bind->text);
            if (!(offered && offered->fd_count) && listen_address_covers(at, &bind->at) &&
                listen_address_takes(&bind->at, at) && listen_address_order(at, &bind->at) < 0)
                return true;
        }
    return false;
}

/* A listener there would take clients that come to the old process now. */
static bool takes_clients(const struct opening *opening, const struct listen_address *at)
{
    const struct offer *offer = opening->offer;
    struct listen_address other;
    for (size_t i = 0; offer && i < offer->count; i++)
        if (offered_address(&offer->list[i], &other) && listen_address_overlaps(&other, at) &&
            listen_address_takes(at, &other) &&
            !(listen_address_covers(at, &other) && has_later_interface(opening, at)))
            return true;
    return false;
}

static int open_tcp(struct bound *bound, unsigned count, const char *congestion)
{
    bound->fds = calloc(count, sizeof *bound->fds);
    if (!bound->fds)
        return ENOMEM;
    while (bound->sockets < count) {
        int fd = socket_bind(&bound->conf->at);
        if (fd < 0)
            return -fd;
        bound->fds[bound->sockets++] = fd;
        int error = *congestion ? socket_congestion(fd, congestion) : 0;
        if (!error && bound->conf->defer_accept)
            error = socket_defer_accept(fd);
        if (error)
            return error;
    }
    return 0;
}

static int listen_tcp(const struct binds *binds, struct bound *bound)
{
    int error = 0;
    for (unsigned i = 0; i < bound->sockets && !error; i++)
        error = socket_listen(bound->fds[i], bound->conf->backlog);
    if (!error && bound->ordered)
        bound_pin(binds, bound); /* a program that joins it later gets nothing */
    return error;
}

/* Takes these very sockets. */
static int adopt(struct bound *bound, struct offered *offered)
{
    bound->fds = calloc(offered->fd_count, sizeof *bound->fds);
    if (!bound->fds)
        return ENOMEM;
    for (; bound->sockets < offered->fd_count; bound->sockets++) {
        bound->fds[bound->sockets] = offered->fds[bound->sockets];
        offered->fds[bound->sockets] = -1;
    }
    bound->rotation = offered->rotation;
    bound->ordered = offered->ordered;
    bound->adopted = true;
    bound->waits = offered->waits;
    bound->way = BIND_PASS;
    bound->held = true;
    return 0;
}

/* What there is instead of a name that is not. */
static void complain_of_name(struct opening *opening, const struct bind_conf *conf,
                             const struct offer *offer)
{
    char why[640];
    size_t length = 0;
    for (size_t i = 0; offer && i < offer->count && length < sizeof why; i++)
        if (bind_text_is_activated(offer->list[i].text))
            length += (size_t)snprintf(why + length, sizeof why - length, "%s %s",
                                       length ? "," : "the service manager passed only",
                                       offer->list[i].text);
    if (length == 0)
        snprintf(why, sizeof why, "no service manager passed a socket at the start");
    report_of(opening, conf, why);
}

static void take_activated(struct opening *opening, struct bound *bound, struct offer *offer)
{
    struct offered *offered = offer_find(offer, bound->conf->text);
    if (!offered || !offered->fd_count) {
        complain_of_name(opening, bound->conf, offer);
        return;
    }
    const char *wrong = NULL;
    for (unsigned i = 0; i < offered->fd_count && !wrong; i++)
        wrong = activation_adopt(offered->fds[i]);
    int error = wrong ? 0 : adopt(bound, offered);
    if (wrong)
        report_of(opening, bound->conf, wrong);
    else if (error)
        complain(opening, bound->conf, error);
}

/* What the service manager gave, and no bind uses for now. */
static bool keep_idle(struct binds *binds, struct offer *offer)
{
    for (size_t i = 0; offer && i < offer->count; i++) {
        struct offered *offered = &offer->list[i];
        if (!bind_text_is_activated(offered->text) || !offered->fd_count || offered->fds[0] < 0)
            continue;
        struct offered *idle = offer_add(&binds->idle, offered->text);
        if (!idle || offered_add_fds(idle, offered->fds, offered->fd_count))
            return false;
        idle->listeners = idle->fd_count;
    }
    return true;
}

unsigned opening_sockets(const struct bind_conf *bind, unsigned workers)
{
    if (address_is_unix(&bind->at.address))
        return 1;
    return bind->accept == ACCEPT_SHARDED && workers > GROUP_MIN ? workers : GROUP_MIN;
}

static void open_unix(struct opening *opening, struct bound *bound, struct offered *offered)
{
    const char *wrong;
    bound->way = BIND_PASS; /* from here on */
    if (offered && offered->fd_count) {
        int error = adopt(bound, offered);
        wrong = error ? strerror(error) : unix_bind_adopt(bound);
    } else {
        wrong = unix_bind_open(bound, offered != NULL);
    }
    if (wrong)
        report_of(opening, bound->conf, wrong);
}

/* As if the old process had passed its listening sockets, and instead of what this process has
 * opened. Returns 0 or an errno value. */
static int adopt_duplicates(struct bound *bound, struct offered *offered,
                            const struct opening *opening)
{
    struct offered *held = offer_find(opening->duplicates, offered->text);
    if (!held || held->fd_count != offered->listeners || offered->fd_count)
        return ENOENT;
    if (offered_add_fds(offered, held->fds, held->fd_count))
        return ENOMEM;
    while (bound->sockets)
        close(bound->fds[--bound->sockets]);
    free(bound->fds);
    bound->way = BIND_PASS;
    return adopt(bound, offered);
}

static int open_bound(struct bound *bound, const struct opening *opening)
{
    struct offered *offered = offer_find(opening->offer, bound->conf->text);
    if (offered && offered->fd_count) {
        bound->absent = listen_address_device(&bound->conf->at) == UINT_MAX;
        return adopt(bound, offered);
    }
    int error = offered ? 0 : probe(opening, &bound->conf->at);
    bound->ordered = !offered;
    bound->listens_late = !offered && takes_clients(opening, &bound->conf->at);
    if (error)
        return error;
    error = open_tcp(bound, opening_sockets(bound->conf, opening->workers),
                     opening->config->frontends[bound->frontend].congestion);
    if (error == EADDRNOTAVAIL && offered && adopt_duplicates(bound, offered, opening) == 0) {
        bound->absent = true;
        error = 0;
    }
    return error;
}

static const struct bound *covering(const struct binds *binds, const struct listen_address *at)
{
    for (size_t i = 0; i < binds->count; i++)
        if (listen_address_covers(&binds->list[i].conf->at, at))
            return &binds->list[i];
    return NULL;
}

/* What the old process has, and a wildcard bind of this process would have without it. Where its
 * sockets did not come, the bind ends with the old process. */
static void open_covered(struct binds *binds, const struct opening *opening)
{
    for (size_t i = 0; opening->offer && i < opening->offer->count; i++) {
        struct offered *offered = &opening->offer->list[i];
        struct bound *bound = &binds->list[binds->count];
        struct listen_address at;
        if (binds_find(binds, offered->text) || !offered_address(offered, &at))
            continue;
        const struct bound *wildcard = covering(binds, &at);
        if (!wildcard)
            continue;
        struct bind_conf *conf = calloc(1, sizeof *conf);
        if (!conf)
            continue;
        *conf = *wildcard->conf;
        conf->at = at;
        snprintf(conf->text, sizeof conf->text, "%s", offered->text);
        *bound = (struct bound){.conf = conf,
                                .serves = wildcard->conf,
                                .covered = conf,
                                .frontend = wildcard->frontend,
                                .way = BIND_PASS};
        int error =
            offered->fd_count ? adopt(bound, offered) : adopt_duplicates(bound, offered, opening);
        if (error)
            free(conf);
        else
            binds->count++;
    }
}

static int by_order(const void *one, const void *other)
{
    const struct bound *const *a = one, *const *b = other;
    const int order = listen_address_order(&(*a)->conf->at, &(*b)->conf->at);
    if (order)
        return order;
    return (*a > *b) - (*a < *b);
}

static bool order_binds(struct binds *binds)
{
    binds->in_order = calloc(binds->count + 1, sizeof(struct bound *));
    for (size_t i = 0; binds->in_order && i < binds->count; i++)
        binds->in_order[i] = &binds->list[i];
    if (binds->in_order)
        qsort(binds->in_order, binds->count, sizeof(struct bound *), by_order);
    return binds->in_order != NULL;
}

/* The order of listen() is the order in the groups, so nothing listens before all are bound. */
static void listen_all(struct binds *binds, const struct offer *offer, struct opening *opening)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = binds->in_order[i];
        struct offered *offered = offer_find(offer, bound->conf->text);
        if (bound_is_unix(bound) || bound->listens_late || (offered && offered->fd_count))
            continue;
        int error = listen_tcp(binds, bound);
        if (error)
            complain(opening, bound->conf, error);
    }
}

void binds_listen_late(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = binds->in_order[i];
        int error = bound->listens_late ? listen_tcp(binds, bound) : 0;
        bound->listens_late = false;
        if (error)
            log_error("%s: cannot listen: %s", bound->conf->text, strerror(error));
    }
}

static size_t count_binds(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        count += config->frontends[i].bind_count;
    return count;
}

struct binds *binds_open(const struct config *config, unsigned workers, struct offer *offer,
                         struct offer *duplicates, void (*report)(const char *line, void *arg),
                         void *arg)
{
    struct opening opening = {.config = config,
                              .workers = workers,
                              .report = report,
                              .arg = arg,
                              .offer = offer,
                              .duplicates = duplicates};
    struct binds *binds = calloc(1, sizeof *binds);
    if (binds)
        binds->list = calloc(count_binds(config) + (offer ? offer->count : 0), sizeof *binds->list);
    if (!binds || !binds->list || !find_known(&opening)) {
        if (binds)
            free(binds->list);
        free(binds);
        report("out of memory", arg);
        return NULL;
    }
    binds->config = config;
    binds->workers = workers;
    binds->cpus = config->affinity;
    if (binds->cpus.count == 0)
        cpus_usable(&binds->cpus);
    for (size_t f = 0; f < config->frontend_count; f++)
        for (size_t b = 0; b < config->frontends[f].bind_count; b++) {
            struct bound *bound = &binds->list[binds->count++];
            bound->conf = bound->serves = &config->frontends[f].binds[b];
            bound->frontend = f;
            struct offered *offered = offer_find(offer, bound->conf->text);
            if (bind_is_activated(bound->conf)) {
                take_activated(&opening, bound, offer);
            } else if (bound_is_unix(bound)) {
                open_unix(&opening, bound, offered);
            } else {
                int error = open_bound(bound, &opening);
                if (error)
                    complain(&opening, bound->conf, error);
            }
        }
    if (!opening.failed)
        open_covered(binds, &opening);
    const bool has_memory = opening.failed || (order_binds(binds) && keep_idle(binds, offer));
    if (!opening.failed && has_memory)
        listen_all(binds, offer, &opening);
    free(opening.known.inodes);
    if (!opening.failed && has_memory)
        return binds;
    if (!opening.failed)
        report("out of memory", arg);
    binds_free(binds);
    return NULL;
}
