#include "reload/listeners/opening.h"

#include "proxy/engine/socket.h"
#include "reload/listeners/activation.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/unix_bind.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct opening {
    const struct config *config;
    unsigned workers;
    void (*report)(const char *line, void *arg);
    void *arg;
    bool failed;
};

static void tell(struct opening *opening, const struct bind_conf *conf, const char *why)
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
        if (address_is_unix(&conf->address))
            snprintf(why, sizeof why, "another program listens there");
        else if (sockdiag_holder(&conf->address, holder, &is_connection) == 0)
            snprintf(why, sizeof why, "the address is in use by %s%s", holder,
                     is_connection ? ""
                                   : "; only a reload shares an address, and only between "
                                     "processes of one user");
        else
            snprintf(why, sizeof why, "the address is in use");
        break;
    case EACCES:
        snprintf(why, sizeof why, "permission denied%s",
                 address_is_unix(&conf->address)
                     ? ""
                     : " (ports below 1024 take root or CAP_NET_BIND_SERVICE)");
        break;
    case EADDRNOTAVAIL:
        snprintf(why, sizeof why, "no interface of this machine has that address");
        break;
    default:
        snprintf(why, sizeof why, "%s", strerror(error));
    }
    tell(opening, conf, why);
}

/* Somebody else's SO_REUSEPORT must not let us share what is not ours: bind once without it. */
static int probe_tcp(const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
    if (address->any.sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){1}, sizeof(int));
    int error = bind(fd, &address->any, address->length) ? errno : 0;
    close(fd);
    return error;
}

static int open_tcp(struct bound *bound, unsigned count, const char *congestion)
{
    bound->fds = calloc(count, sizeof *bound->fds);
    if (!bound->fds)
        return ENOMEM;
    while (bound->sockets < count) {
        int fd = socket_bind(&bound->conf->address);
        if (fd < 0)
            return -fd;
        bound->fds[bound->sockets++] = fd;
        int error = *congestion ? socket_congestion(fd, congestion) : 0;
        if (error)
            return error;
    }
    return 0;
}

static int listen_tcp(const struct binds *binds, struct bound *bound)
{
    int error = 0;
    for (unsigned i = 0; i < bound->sockets && !error; i++)
        error = socket_listen(bound->fds[i]);
    if (!error && bound->ordered)
        bound_pin(binds, bound); /* whoever joins it later gets nothing */
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
        snprintf(why, sizeof why, "no service manager passed us a socket at the start");
    tell(opening, conf, why);
}

static void take_activated(struct opening *opening, struct bound *bound, struct offer *offer)
{
    struct offered *offered = offer_find(offer, bound->conf->text);
    bound->way = BIND_PASS;
    if (!offered || !offered->fd_count) {
        complain_of_name(opening, bound->conf, offer);
        return;
    }
    const char *wrong = NULL;
    for (unsigned i = 0; i < offered->fd_count && !wrong; i++)
        wrong = activation_adopt(offered->fds[i]);
    int error = wrong ? 0 : adopt(bound, offered);
    if (wrong)
        tell(opening, bound->conf, wrong);
    else if (error)
        complain(opening, bound->conf, error);
}

/* What the service manager gave, and nobody uses for now. */
static bool keep_idle(struct binds *binds, struct offer *offer)
{
    for (size_t i = 0; offer && i < offer->count; i++) {
        struct offered *offered = &offer->list[i];
        if (!bind_text_is_activated(offered->text) || !offered->fd_count || offered->fds[0] < 0)
            continue;
        struct offered *idle = offer_add(&binds->idle, offered->text);
        if (!idle || !offered_add_fds(idle, offered->fds, offered->fd_count))
            return false;
        idle->listeners = idle->fd_count;
    }
    return true;
}

static unsigned sockets_wanted(const struct bound *bound, unsigned workers)
{
    return bound->conf->accept == ACCEPT_SHARDED && workers > GROUP_MIN ? workers : GROUP_MIN;
}

static int open_bound(struct bound *bound, struct offered *offered, const struct opening *opening)
{
    const struct address *address = &bound->conf->address;
    int error;
    if (bound_is_unix(bound)) {
        bound->way = BIND_RENAME;
        error = offered ? 0 : unix_bind_probe(address);
        return error ? error : unix_bind_open(bound);
    }
    if (offered && offered->fd_count) {
        bound->way = BIND_PASS;
        return adopt(bound, offered);
    }
    error = offered ? 0 : probe_tcp(address);
    bound->ordered = !offered;
    if (error)
        return error;
    return open_tcp(bound, sockets_wanted(bound, opening->workers),
                    opening->config->frontends[bound->frontend].congestion);
}

/* The order of listen() is the order in the groups, so nothing listens before all are bound. */
static void listen_all(struct binds *binds, const struct offer *offer, struct opening *opening)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        struct offered *offered = offer_find(offer, bound->conf->text);
        if (bound_is_unix(bound) || (offered && offered->fd_count))
            continue;
        int error = listen_tcp(binds, bound);
        if (error)
            complain(opening, bound->conf, error);
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
                         void (*report)(const char *line, void *arg), void *arg)
{
    struct opening opening = {.config = config, .workers = workers, .report = report, .arg = arg};
    struct binds *binds = calloc(1, sizeof *binds);
    if (binds)
        binds->list = calloc(count_binds(config), sizeof *binds->list);
    if (!binds || !binds->list) {
        free(binds);
        report("out of memory", arg);
        return NULL;
    }
    binds->workers = workers;
    binds->cpus = config->affinity;
    if (binds->cpus.count == 0)
        cpus_usable(&binds->cpus);
    for (size_t f = 0; f < config->frontend_count; f++)
        for (size_t b = 0; b < config->frontends[f].bind_count; b++) {
            struct bound *bound = &binds->list[binds->count++];
            bound->conf = &config->frontends[f].binds[b];
            bound->frontend = f;
            if (bind_is_activated(bound->conf)) {
                take_activated(&opening, bound, offer);
                continue;
            }
            int error = open_bound(bound, offer_find(offer, bound->conf->text), &opening);
            if (error)
                complain(&opening, bound->conf, error);
        }
    if (!opening.failed)
        listen_all(binds, offer, &opening);
    if (!opening.failed && keep_idle(binds, offer))
        return binds;
    if (!opening.failed)
        report("out of memory", arg);
    binds_free(binds);
    return NULL;
}
