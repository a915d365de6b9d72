#include "reload/listeners/metrics_sockets.h"

#include "config/base/listen_address.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static bool has_path(const struct metrics_socket *socket)
{
    return address_is_unix(&socket->at.address) && !address_is_abstract(&socket->at.address);
}

static const char *path_of(const struct metrics_socket *socket)
{
    return socket->at.address.un.sun_path;
}

/* --- one address ----------------------------------------------------------------------------- */

/* Each client of the other address would come to the wide one, if that were the only one. */
static bool covers(const struct address *wide, const struct address *other)
{
    const struct listen_address one = {.address = *wide}, two = {.address = *other};
    return !address_equal(wide, other) && listen_address_covers(&one, &two);
}

static bool address_of(const struct offered *offered, struct address *address)
{
    return offered->fd_count == 1 && !address_parse(offered->text, address);
}

/* Allows another socket at the same port, of this user. It is set where it is needed only: it would
 * let two proxies have one address, and neither would hear of it. */
static int share_port(int fd)
{
    return setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)) ? errno : 0;
}

static int share_with(const struct offer *offered, const struct address *address, bool *any)
{
    for (size_t i = 0; offered && i < offered->count; i++) {
        struct address other;
        const struct offered *item = &offered->list[i];
        if (!address_of(item, &other) || (!covers(&other, address) && !covers(address, &other)))
            continue;
        int error = share_port(item->fds[0]);
        if (error)
            return error;
        *any = true;
    }
    return 0;
}

/* Returns the descriptor, or a negative errno value. */
static int open_tcp(const struct address *address, bool shared)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    const int one = 1;
    int error = 0;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) ||
        (address->any.sa_family == AF_INET6 &&
         setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one)) ||
        (shared && share_port(fd)) || bind(fd, &address->any, address->length))
        error = errno;
    socket_no_delay(fd); /* accepted sockets inherit it */
    if (!error && !shared)
        error = socket_listen(fd, 0);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

static int open_abstract(const struct address *address)
{
    int fd = socket_bind(&(struct listen_address){.address = *address});
    int error = fd < 0 ? -fd : socket_listen(fd, 0);
    if (fd >= 0 && error)
        close(fd);
    return error ? -error : fd;
}

/* Returns 0 or an errno value. */
static int open_new(struct metrics_socket *socket, const struct offer *offered)
{
    const struct address *address = &socket->at.address;
    if (has_path(socket)) {
        socket->fd = published_prepare_socket(&socket->file, path_of(socket), 0777);
        return socket->fd < 0 ? -socket->fd : socket_listen(socket->fd, 0);
    }
    socket->fd = address_is_unix(address) ? open_abstract(address) : open_tcp(address, false);
    if (socket->fd != -EADDRINUSE || address_is_unix(address))
        return socket->fd < 0 ? -socket->fd : 0;
    bool shared = false;
    int error = share_with(offered, address, &shared);
    if (error || !shared)
        return error ? error : EADDRINUSE;
    socket->late = true;
    socket->fd = open_tcp(address, true);
    return socket->fd < 0 ? -socket->fd : 0;
}

static int take_offered(struct metrics_socket *socket, struct offered *offered)
{
    int error = has_path(socket) ? published_adopt(&socket->file, path_of(socket)) : 0;
    if (error)
        return error;
    socket->fd = offered->fds[0];
    offered->fds[0] = -1;
    return 0;
}

static int open_one(struct metrics_socket *socket, struct offer *offered)
{
    struct offered *old = offer_find(offered, socket->at.text);
    if (old && old->fd_count == 1 && old->fds[0] >= 0 && take_offered(socket, old) == 0)
        return 0;
    return open_new(socket, offered);
}

/* --- all of them ----------------------------------------------------------------------------- */

static bool is_covered(const struct metrics_addresses *conf, const struct address *address)
{
    for (size_t i = 0; i < conf->count; i++)
        if (covers(&conf->list[i].address, address))
            return true;
    return false;
}

/* What is left in the offer has no place in the configuration. A path that leads elsewhere by now
 * is not of this proxy any more. */
static void keep_left(struct metrics_sockets *sockets, const struct metrics_addresses *conf,
                      struct offered *offered)
{
    struct metrics_socket *socket = &sockets->list[sockets->count];
    *socket = (struct metrics_socket){.fd = -1};
    if (!address_of(offered, &socket->at.address) || offered->fds[0] < 0)
        return;
    memcpy(socket->at.text, offered->text, sizeof socket->at.text);
    socket->kind = is_covered(conf, &socket->at.address) ? METRICS_COVERED : METRICS_LEFT;
    sockets->count += take_offered(socket, offered) == 0;
}

static bool open_all(struct metrics_sockets *sockets, const struct metrics_addresses *conf,
                     struct offer *offered, void (*report)(const char *line, void *arg), void *arg)
{
    char line[ADDRESS_TEXT_MAX + 160];
    bool opened = true;
    for (size_t i = 0; i < conf->count; i++) {
        struct metrics_socket *socket = &sockets->list[sockets->count++];
        *socket = (struct metrics_socket){.at = conf->list[i], .fd = -1};
        int error = open_one(socket, offered);
        if (!error)
            continue;
        snprintf(line, sizeof line, "metrics: cannot listen on %s: %s", socket->at.text,
                 has_path(socket) ? published_error_text(error) : strerror(error));
        report(line, arg);
        opened = false;
    }
    for (size_t i = 0; i < offered->count; i++)
        keep_left(sockets, conf, &offered->list[i]);
    return opened;
}

bool metrics_sockets_open(struct metrics_sockets *sockets, const struct metrics_addresses *conf,
                          struct offer *offered, void (*report)(const char *line, void *arg),
                          void *arg)
{
    *sockets = (struct metrics_sockets){0};
    if (conf->count + offered->count == 0)
        return true;
    sockets->list = calloc(conf->count + offered->count, sizeof *sockets->list);
    if (!sockets->list)
        report(strerror(ENOMEM), arg);
    bool opened = sockets->list && open_all(sockets, conf, offered, report, arg);
    offer_free(offered);
    if (!opened)
        metrics_sockets_close(sockets, false);
    return opened;
}

static void publish(struct metrics_socket *socket)
{
    int error = 0;
    if (socket->file.state == PUBLISHED_PREPARED)
        error = published_publish(&socket->file);
    if (!error && socket->late)
        error = socket_listen(socket->fd, 0);
    if (error)
        log_error("metrics: %s is not served: %s", socket->at.text,
                  has_path(socket) ? published_error_text(error) : strerror(error));
    else
        socket->late = false;
}

void metrics_sockets_publish(struct metrics_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        publish(&sockets->list[i]);
}

void metrics_sockets_settle(struct metrics_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        published_settle(&sockets->list[i].file);
}

void metrics_sockets_drop_left(struct metrics_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct metrics_socket *socket = &sockets->list[i];
        if (socket->kind != METRICS_LEFT || socket->fd < 0)
            continue;
        published_end(&socket->file, true);
        close(socket->fd);
        socket->fd = -1;
    }
}

void metrics_sockets_retire(struct metrics_sockets *sockets)
{
    for (size_t i = 0; i < sockets->count; i++)
        sockets->list[i].file.displaced = false; /* the new process keeps it under its own name */
}

void metrics_sockets_take_back(struct metrics_sockets *sockets, pid_t successor)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct metrics_socket *socket = &sockets->list[i];
        if (!has_path(socket) || socket->kind == METRICS_LEFT || published_is_ours(&socket->file))
            continue;
        int error = published_reclaim(&socket->file, successor);
        if (error)
            log_error("metrics: %s is not served any more: %s", socket->at.text,
                      published_error_text(error));
    }
}

void metrics_sockets_sweep(const struct metrics_sockets *sockets, pid_t pid)
{
    for (size_t i = 0; i < sockets->count; i++)
        if (has_path(&sockets->list[i]))
            published_sweep(path_of(&sockets->list[i]), pid);
}

bool metrics_socket_is_offered(const struct metrics_socket *socket)
{
    return socket->fd >= 0 && !socket->late && socket->kind != METRICS_LEFT &&
           (!has_path(socket) || published_is_ours(&socket->file));
}

void metrics_sockets_close(struct metrics_sockets *sockets, bool remove)
{
    for (size_t i = 0; i < sockets->count; i++) {
        struct metrics_socket *socket = &sockets->list[i];
        published_end(&socket->file, remove && socket->kind != METRICS_LEFT);
        if (socket->fd >= 0)
            close(socket->fd);
    }
    free(sockets->list);
    *sockets = (struct metrics_sockets){0};
}
