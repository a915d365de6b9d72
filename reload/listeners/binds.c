#include "reload/listeners/binds.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"
#include "reload/listeners/activation.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/steering.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

/* No group is that large: the kernel finds nobody at this index, and chooses by hash. */
static const struct steer_range by_hash = {.first = 1u << 20, .count = 1};

struct opening {
    const struct config *config;
    unsigned workers;
    void (*report)(const char *line, void *arg);
    void *arg;
    bool failed;
};

static bool is_unix(const struct bound *bound)
{
    return address_is_unix(&bound->conf->address);
}

static bool is_activated(const struct bound *bound)
{
    return bind_is_activated(bound->conf);
}

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
    switch (error) {
    case EADDRINUSE:
        if (address_is_unix(&conf->address))
            snprintf(why, sizeof why, "another program listens there");
        else if (sockdiag_holder(&conf->address, holder) == 0)
            snprintf(why, sizeof why,
                     "the address is in use by %s; only a reload shares an address, and only "
                     "between processes of one user",
                     holder);
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

static int probe_unix(const struct address *address)
{
    struct stat status;
    if (stat(address->un.sun_path, &status))
        return errno == ENOENT ? 0 : errno;
    if (!S_ISSOCK(status.st_mode))
        return EEXIST;
    int error;
    int fd = socket_connect(address, &error);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || error == EAGAIN ? EADDRINUSE : 0;
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

/* New connections go to our listeners, which stand at range, as the bind wants it; but for the
 * split's share of them, unless that is NULL. */
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

static void told(const struct bound *bound, int error)
{
    if (error)
        log_warning("%s: cannot steer: %s", bound->conf->text, strerror(error));
}

static int listen_tcp(const struct binds *binds, struct bound *bound)
{
    int error = 0;
    for (unsigned i = 0; i < bound->sockets && !error; i++)
        error = socket_listen(bound->fds[i]);
    if (!error && bound->ordered)
        told(bound, pin_to_us(binds, bound)); /* whoever joins it later gets nothing */
    return error;
}

static int open_unix(struct bound *bound)
{
    const char *path = bound->conf->address.un.sun_path;
    struct address address = {.length = sizeof address.un};
    address.un.sun_family = AF_UNIX;
    int length = snprintf(address.un.sun_path, sizeof address.un.sun_path, "%s.%d", path, getpid());
    if (length < 0 || (size_t)length >= sizeof address.un.sun_path)
        return ENAMETOOLONG;
    bound->fds = calloc(1, sizeof *bound->fds);
    bound->temporary = strdup(address.un.sun_path);
    if (!bound->fds || !bound->temporary)
        return ENOMEM;
    (void)unlink(bound->temporary); /* of a process that had our pid, long ago */
    int fd = socket_bind(&address);
    if (fd < 0) {
        free(bound->temporary);
        bound->temporary = NULL;
        return -fd;
    }
    bound->fds[bound->sockets++] = fd;
    struct stat status;
    if (stat(bound->temporary, &status))
        return errno;
    bound->inode = status.st_ino;
    return socket_listen(fd);
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
    if (is_unix(bound)) {
        bound->way = BIND_RENAME;
        error = offered ? 0 : probe_unix(address);
        return error ? error : open_unix(bound);
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
        if (is_unix(bound) || (offered && offered->fd_count))
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
            if (is_activated(bound)) {
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

int binds_give(const struct binds *binds, struct proxy *proxy)
{
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        bool shared = bound->conf->accept == ACCEPT_SHARED || bound->sockets < proxy->worker_count;
        for (unsigned j = 0; j < bound->sockets; j++)
            for (unsigned worker = 0; worker < proxy->worker_count; worker++) {
                if (!shared && worker != j % proxy->worker_count)
                    continue;
                int error = proxy_add_listener(proxy, worker, bound->fds[j], shared,
                                               bound->frontend, bound->conf);
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

static const char *path_of(const struct bound *bound)
{
    return bound->conf->address.un.sun_path;
}

static bool owns_path(const struct bound *bound)
{
    struct stat status;
    return stat(path_of(bound), &status) == 0 && status.st_ino == bound->inode;
}

static void publish_unix(struct bound *bound)
{
    if (!bound->temporary)
        return;
    if (rename(bound->temporary, path_of(bound))) {
        log_error("%s: cannot take the path: %s", bound->conf->text, strerror(errno));
        return;
    }
    free(bound->temporary);
    bound->temporary = NULL;
}

/* A passed socket has what its first owner wanted. Before we serve it is not to be touched: it may
 * have to go back. */
static void set_congestion(const struct bound *bound, const char *congestion)
{
    int error = 0;
    for (unsigned i = 0; i < bound->sockets && !error; i++)
        error = socket_congestion(bound->fds[i], congestion);
    if (error)
        log_error("%s: cannot change the congestion control: %s", bound->conf->text,
                  strerror(error));
}

void binds_publish(struct binds *binds, const struct config *config)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        const char *congestion = config->frontends[bound->frontend].congestion;
        if (is_unix(bound))
            publish_unix(bound);
        else if (bound->way == BIND_PASS && (*congestion || !is_activated(bound)))
            set_congestion(bound, congestion);
    }
}

void binds_spread(struct binds *binds, const struct offer *offer)
{
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        const struct offered *offered = offer_find(offer, bound->conf->text);
        if (offered && offered->fd_count == 0 && !is_unix(bound))
            told(bound, spread(binds, bound, group_handed_over(offered->listeners, bound->sockets),
                               bound->rotation, NULL));
    }
}

/* All at the same moment. */
static void count_members(struct binds *binds)
{
    const struct address **addresses = calloc(binds->count, sizeof *addresses);
    size_t *members = calloc(binds->count, sizeof *members);
    for (size_t i = 0; addresses && i < binds->count; i++)
        addresses[i] = &binds->list[i].conf->address;
    bool counted =
        addresses && members && sockdiag_listeners(addresses, binds->count, members) == 0;
    for (size_t i = 0; i < binds->count; i++)
        binds->list[i].members = counted ? members[i] : 0;
    free(addresses);
    free(members);
}

/* NULL: the group, as just counted, holds our listeners, so many successors', and no other; else
 * what is wrong. */
static const char *others_in_group(const struct bound *bound, unsigned successors)
{
    if (bound->members == 0)
        return "the kernel does not tell who else listens there";
    return bound->members == bound->sockets + successors ? NULL
                                                         : "another program listens there as well";
}

/* NULL: the bind is steered to us; else why not. */
static const char *pin(const struct binds *binds, const struct bound *bound)
{
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

void binds_pin(struct binds *binds, void (*report)(const char *line, void *arg), void *arg)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        bound->successors = 0;
        bound->kept = false;
        if (is_unix(bound) || is_activated(bound))
            continue;
        const char *why = pin(binds, bound);
        bound->way = BIND_STEER;
        if (why)
            pass(bound, why, report, arg);
    }
    count_members(binds);
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        const char *why = bound->disturbed ? bound->disturbed : others_in_group(bound, 0);
        bound->disturbed = NULL;
        if (bound->way == BIND_STEER && why)
            pass(bound, why, report, arg);
    }
}

bool binds_passed(const struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++)
        if (binds->list[i].way == BIND_PASS && binds->list[i].successors)
            return true;
    return false;
}

bool binds_can_split(const struct binds *binds, void (*report)(const char *line, void *arg),
                     void *arg, char why[static BINDS_WHY_MAX])
{
    size_t split = 0;
    char line[ADDRESS_TEXT_MAX + 160];
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        if (bound->way == BIND_PASS) {
            snprintf(why, BINDS_WHY_MAX,
                     "%s cannot be split: its listening sockets would be passed to the successor",
                     bound->conf->text);
            return false;
        }
        split += bound->way == BIND_STEER;
        if (!is_unix(bound))
            continue;
        snprintf(line, sizeof line,
                 "%s cannot be split: it goes to the successor when the canary is promoted",
                 bound->conf->text);
        report(line, arg);
    }
    snprintf(why, BINDS_WHY_MAX, "no bind can be split");
    return split > 0;
}

bool binds_undisturbed(struct binds *binds)
{
    bool undisturbed = true;
    count_members(binds);
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        if (bound->way != BIND_STEER || !bound->successors)
            continue;
        bound->disturbed = others_in_group(bound, bound->successors);
        if (!bound->disturbed)
            continue;
        log_warning("%s: %s", bound->conf->text, bound->disturbed);
        undisturbed = false;
    }
    return undisturbed;
}

static int make_spare(struct bound *bound)
{
    char spare[sizeof bound->conf->address.un.sun_path + 16];
    snprintf(spare, sizeof spare, "%s.%d", path_of(bound), getpid());
    (void)unlink(spare);
    if (link(path_of(bound), spare))
        return errno;
    bound->spare = strdup(spare);
    return bound->spare ? 0 : ENOMEM;
}

static void drop_spare(struct bound *bound)
{
    if (bound->spare)
        (void)unlink(bound->spare);
    free(bound->spare);
    bound->spare = NULL;
}

int binds_hand_over(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        int error = 0;
        if (bound->way == BIND_STEER && bound->successors)
            error =
                steering_set(bound->fds[0], group_handed_over(bound->sockets, bound->successors));
        else if (bound->way == BIND_RENAME && owns_path(bound))
            error = make_spare(bound);
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

static void close_sinks(struct bound *bound)
{
    while (bound->sink_count)
        close(bound->sinks[--bound->sink_count]);
    free(bound->sinks);
    bound->sinks = NULL;
}

static void take_back_unix(struct bound *bound)
{
    if (bound->spare && !owns_path(bound) && rename(bound->spare, path_of(bound)))
        log_error("%s: cannot take the path back: %s", bound->conf->text, strerror(errno));
    drop_spare(bound);
}

void binds_take_back(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        if (bound->behind) {
            bound->behind = false;
            continue;
        }
        if (is_unix(bound)) {
            take_back_unix(bound);
            continue;
        }
        if (bound->way == BIND_STEER || bound->sink_count)
            told(bound, pin_to_us(binds, bound));
        close_sinks(bound);
    }
}

void binds_go_back(struct binds *binds, const struct offer *offer)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        const struct offered *offered = offer_find(offer, bound->conf->text);
        bound->successors = offered ? offered->listeners : 0;
        bound->behind = offered && !is_unix(bound);
    }
}

/* It closes with us, rather than living on in the successor's or the service manager's hands. */
static bool will_close(const struct bound *bound)
{
    return !is_unix(bound) && !is_activated(bound) &&
           !(bound->way == BIND_PASS && bound->successors);
}

/* Who comes late to a bind that ends is to be refused, not let in and reset at the close. */
static void sink_newcomers(struct bound *bound)
{
    unsigned wanted = group_sinks(bound->sockets);
    bound->sinks = calloc(wanted, sizeof *bound->sinks);
    int error = bound->sinks ? 0 : ENOMEM;
    while (!error && bound->sink_count < wanted) {
        int fd = steering_sink(&bound->conf->address);
        if (fd < 0)
            error = -fd;
        else
            bound->sinks[bound->sink_count++] = fd;
    }
    if (!error)
        error = steering_set(bound->fds[0], group_sunk(bound->sockets));
    if (!error)
        return;
    log_warning("%s: newcomers cannot be kept out while it closes: %s", bound->conf->text,
                strerror(error));
    close_sinks(bound);
}

void binds_silence(struct binds *binds, bool alone)
{
    count_members(binds);
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        if (alone)
            bound->successors = 0;
        if (is_unix(bound)) {
            drop_spare(bound);
            if (!bound->successors && owns_path(bound))
                (void)unlink(path_of(bound));
            continue;
        }
        if (bound->successors || bound->sockets == 0 || is_activated(bound))
            continue;
        const char *why = others_in_group(bound, 0);
        if (why)
            log_warning("%s: %s: newcomers cannot be kept out while it closes", bound->conf->text,
                        why);
        else
            sink_newcomers(bound);
    }
}

unsigned binds_queued(const struct binds *binds)
{
    unsigned queued = 0;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        for (unsigned j = 0; will_close(bound) && j < bound->sockets; j++) {
            int here = listener_queue(bound->fds[j]);
            queued += here > 0 ? (unsigned)here : 0;
        }
    }
    return queued;
}

void binds_sweep(const struct binds *binds, pid_t pid)
{
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        char left[sizeof bound->conf->address.un.sun_path + 16];
        if (!is_unix(bound) || is_activated(bound))
            continue;
        snprintf(left, sizeof left, "%s.%d", path_of(bound), (int)pid);
        (void)unlink(left);
    }
}

static void drop_temporary(struct bound *bound)
{
    if (bound->temporary)
        (void)unlink(bound->temporary);
    free(bound->temporary);
    bound->temporary = NULL;
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
    close_sinks(bound);
    drop_temporary(bound);
}

void binds_close(struct binds *binds)
{
    for (size_t i = 0; i < binds->count; i++)
        close_bound(&binds->list[i]);
    offer_free(&binds->idle);
}

/* What the predecessor would have done, had it not left that to us. */
static void close_kept(const struct bound *bound, const struct offered *offered,
                       struct offered *kept)
{
    for (unsigned index = offered->listeners; index-- > 0;) {
        int *fd = &kept->fds[group_standing(index, offered->listeners, offered->rotation)];
        told(bound, steering_set(bound->fds[0], group_while_closing(index, bound->sockets)));
        close(*fd);
        *fd = -1;
    }
}

void binds_settle(struct binds *binds, const struct offer *offer, struct offer *kept, bool orderly)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        const struct offered *offered = offer_find(offer, bound->conf->text);
        if (!offered || is_unix(bound) || bound->sockets == 0)
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
        told(bound,
             bound->ordered ? pin_to_us(binds, bound) : steering_set(bound->fds[0], by_hash));
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
        close_sinks(bound);
        drop_temporary(bound);
        drop_spare(bound);
        free(bound->fds);
    }
    offer_free(&binds->idle);
    free(binds->list);
    free(binds);
}
