#include "proxy/engine/socket.h"

#include "config/base/congestion.h"
#include "proxy/engine/calls.h"
#include "proxy/engine/ports.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <poll.h>
#include <stddef.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

static int set_flag(int fd, int level, int option)
{
    return setsockopt(fd, level, option, &(int){1}, sizeof(int));
}

static int prepare(int fd, const struct listen_address *at)
{
    if (address_is_unix(&at->address))
        return 0;
    if (set_flag(fd, SOL_SOCKET, SO_REUSEADDR) || set_flag(fd, SOL_SOCKET, SO_REUSEPORT) ||
        set_flag(fd, SOL_SOCKET, SO_KEEPALIVE) || set_flag(fd, IPPROTO_TCP, TCP_NODELAY))
        return errno;
    return socket_confine(fd, at);
}

int socket_confine(int fd, const struct listen_address *at)
{
    const socklen_t length = (socklen_t)strlen(at->interface);
    if (at->address.any.sa_family == AF_INET6 &&
        setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){!at->dual_stack}, sizeof(int)))
        return errno;
    if (length && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, at->interface, length))
        return errno;
    return 0;
}

bool socket_is_of_interface(int fd, const char *interface)
{
    char name[IF_NAMESIZE] = "";
    socklen_t length = sizeof name;
    return getsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, name, &length) == 0 &&
           strcmp(name, interface) == 0;
}

int socket_bind(const struct listen_address *at)
{
    const struct address *address = &at->address;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int error = prepare(fd, at);
    if (!error && bind(fd, &address->any, address->length))
        error = errno;
    if (!error)
        return fd;
    close(fd);
    return -error;
}

int socket_listen(int fd, unsigned backlog)
{
    return listen(fd, backlog ? (int)backlog : 65535) ? errno : 0;
}

/* Seconds; the kernel makes of them a number of SYN-ACKs. */
#define DEFER_SECONDS 3

int socket_defer_accept(int fd)
{
    return setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &(int){DEFER_SECONDS}, sizeof(int)) ? errno
                                                                                             : 0;
}

static int set_congestion(int fd, const char *name)
{
    socklen_t length = (socklen_t)strlen(name);
    return setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, length) ? errno : 0;
}

/* What a new socket has. */
static int system_congestion(char name[static CONGESTION_MAX])
{
    socklen_t length = CONGESTION_MAX;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length) ? errno : 0;
    close(fd);
    return error;
}

int socket_congestion(int fd, const char *name)
{
    char system[CONGESTION_MAX];
    if (*name)
        return set_congestion(fd, name);
    int error = system_congestion(system);
    return error ? error : set_congestion(fd, system);
}

/* connect(2) said EADDRNOTAVAIL: it is this one, or EADDRINUSE. The kernel chooses the source
 * address of a datagram socket in the same way, but gives it no TCP port. */
static __attribute__((cold, noinline)) int why_not_available(const struct address *address)
{
    int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return EADDRINUSE;
    int error = connect(fd, &address->any, address->length) ? errno : 0;
    close(fd);
    return error == EADDRNOTAVAIL ? EADDRNOTAVAIL : EADDRINUSE;
}

/* source: to which fd is bound, NULL: it is not. Returns 0 or an errno value, EINPROGRESS among
 * them. */
static inline int begin_connection(int fd, const struct address *address,
                                   const struct address *source, struct port_use *use)
{
    int error;
    if (ports_take_part(use, address, source))
        error = ports_connect(use, fd, address);
    else
        error = call_connect(fd, &address->any, address->length) ? errno : 0;
    return error == EADDRNOTAVAIL ? why_not_available(address) : error;
}

int socket_connect(const struct address *address, int *error)
{
    return socket_connect_by(address, &(struct connect_plan){.congestion = ""},
                             &(struct port_use){.ports = NULL}, error);
}

/* A socket that is not bound yet. */
static int open_for(const struct address *address, const struct connect_plan *plan, int *error)
{
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        *error = errno;
    else if (*plan->congestion && !address_is_unix(address))
        (void)set_congestion(fd, plan->congestion);
    return fd;
}

/* The kernel chooses the port at connect(2), so that as many connections are possible to each
 * server as without a source. Returns 0 or an errno value. */
static int bind_source(int fd, const struct address *source)
{
    if (set_flag(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT))
        return errno;
    return bind(fd, &source->any, source->length) ? errno : 0;
}

static int make_transparent(int fd, int family)
{
    int failed = family == AF_INET6 ? set_flag(fd, IPPROTO_IPV6, IPV6_TRANSPARENT)
                                    : set_flag(fd, IPPROTO_IP, IP_TRANSPARENT);
    return failed ? errno : 0;
}

int socket_may_be_transparent(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return errno;
    int error = make_transparent(fd, AF_INET);
    close(fd);
    return error;
}

/* Connects from the address of a client. */
static int begin_from_client(int fd, const struct address *address, const struct address *client,
                             struct port_use *use)
{
    struct address source = *client;
    if (!source_is_of_a_host(client) || client->any.sa_family != address->any.sa_family)
        return EDESTADDRREQ;
    address_set_port(&source, 0);
    int error = make_transparent(fd, address->any.sa_family);
    if (!error)
        error = bind_source(fd, &source);
    if (!error)
        error = begin_connection(fd, address, &source, use);
    return error == EINVAL ? EDESTADDRREQ : error; /* 127.0.0.1 reaches only this machine */
}

static int begin_from_address(int fd, const struct address *address, const struct address *source,
                              struct port_use *use)
{
    int error = bind_source(fd, source);
    return error ? error : begin_connection(fd, address, source, use);
}

/* The first of a range from which it is possible. *error: why it was not from the last one; or that
 * all ports of one are in use, since others of the range may be free at another time. */
static int connect_from_range(const struct address *address, const struct connect_plan *plan,
                              struct port_use *use, int *error)
{
    const unsigned tries =
        plan->source->count < SOURCES_TRIED ? plan->source->count : SOURCES_TRIED;
    bool ports = false;
    for (unsigned i = 0; i < tries; i++) {
        int fd = open_for(address, plan, error);
        if (fd < 0)
            return -1;
        const struct address source = source_in_turn(plan->source, plan->turn + i);
        use->confined = false;
        *error = begin_from_address(fd, address, &source, use);
        if (*error == 0 || *error == EINPROGRESS)
            return fd;
        close(fd);
        ports |= *error == EADDRINUSE;
        if (*error != EADDRINUSE && *error != EADDRNOTAVAIL)
            return -1;
    }
    if (ports)
        *error = EADDRINUSE;
    return -1;
}

int socket_connect_by(const struct address *address, const struct connect_plan *plan,
                      struct port_use *use, int *error)
{
    const enum source_kind kind =
        plan->source && !address_is_unix(address) ? plan->source->kind : SOURCE_ANY;
    if (kind == SOURCE_ADDRESS)
        return connect_from_range(address, plan, use, error);
    int fd = open_for(address, plan, error);
    if (fd < 0)
        return -1;
    *error = kind == SOURCE_CLIENT ? begin_from_client(fd, address, plan->client, use)
                                   : begin_connection(fd, address, NULL, use);
    if (*error && *error != EINPROGRESS) {
        close(fd);
        return -1;
    }
    return fd;
}

int socket_connect_again(int fd, const struct address *address, struct port_use *use)
{
    int error = begin_connection(fd, address, NULL, use);
    return error == EINPROGRESS ? 0 : error;
}

int socket_disconnect(int fd)
{
    const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
    return call_connect(fd, &nobody, sizeof nobody) == 0 ? 0 : errno;
}

/* The states of netinet/tcp.h. This file uses linux/tcp.h, whose struct tcp_info has more members.
 */
enum { STATE_FIN_WAIT2 = 5, STATE_CLOSE = 7, STATE_LISTEN = 10 };

static bool tcp_info(int fd, struct tcp_info *info)
{
    socklen_t length = offsetof(struct tcp_info, tcpi_bytes_received) + sizeof(uint64_t);
    return getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, &length) == 0;
}

bool socket_is_closed(int fd, uint64_t *received)
{
    struct tcp_info info;
    if (!tcp_info(fd, &info))
        return false;
    /* The kernel reads the state first, and then waits for the lock of the socket: another CPU may
     * have been taking in the other end's FIN. That is over now. */
    if (info.tcpi_state == STATE_FIN_WAIT2 && !tcp_info(fd, &info))
        return false;
    if (info.tcpi_state != STATE_CLOSE)
        return false;
    *received = info.tcpi_bytes_received - 1; /* the kernel counts the end for one */
    return true;
}

int socket_accept_queue(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return -1;
    if (length < offsetof(struct tcp_info, tcpi_unacked) + sizeof info.tcpi_unacked ||
        info.tcpi_state != STATE_LISTEN)
        return -1;
    return (int)info.tcpi_unacked;
}

bool socket_end_has_come(int fd, uint64_t received)
{
    struct tcp_info info;
    int unread;
    return tcp_info(fd, &info) && ioctl(fd, SIOCINQ, &unread) == 0 &&
           info.tcpi_bytes_received == received + (uint64_t)unread + 1;
}

bool socket_is_shortage(int error)
{
    switch (error) {
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC: /* epoll(7), max_user_watches */
        return true;
    default:
        return socket_is_shortage_of_one(error);
    }
}

bool socket_is_self_connected(int fd, unsigned port)
{
    struct address local = {.length = sizeof local.in6};
    struct address remote = {.length = sizeof remote.in6};
    if (port == 0 || getsockname(fd, &local.any, &local.length) || address_port(&local) != port)
        return false;
    /* The peer's address is not always the server's: 0.0.0.0 stands for 127.0.0.1 there. */
    return getpeername(fd, &remote.any, &remote.length) == 0 && address_equal(&local, &remote);
}

struct address socket_own_address(int fd)
{
    struct address address = {.length = sizeof address.un};
    if (getsockname(fd, &address.any, &address.length))
        address.length = 0;
    return address;
}

bool socket_is_of_this_machine(const struct address *address)
{
    struct address own = {.length = sizeof own.in6};
    if (address->any.sa_family == AF_INET && ntohl(address->in.sin_addr.s_addr) >> 24 == 127)
        return true;
    int fd = socket(address->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    /* Nothing is sent. The kernel chooses the source address, and towards its own addresses the
     * same. */
    bool connected = connect(fd, &address->any, address->length) == 0 &&
                     getsockname(fd, &own.any, &own.length) == 0;
    close(fd);
    if (!connected || own.any.sa_family != address->any.sa_family)
        return false;
    return own.any.sa_family == AF_INET
               ? own.in.sin_addr.s_addr == address->in.sin_addr.s_addr
               : memcmp(&own.in6.sin6_addr, &address->in6.sin6_addr, 16) == 0;
}

int socket_error(int fd)
{
    int error = 0;
    socklen_t length = sizeof error;
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &length))
        return errno;
    return error;
}

size_t socket_room(int fd)
{
    uint32_t memory[SK_MEMINFO_VARS] = {0};
    socklen_t length = sizeof memory;
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length))
        return SIZE_MAX;
    /* TCP counts in the first what it has queued, a Unix socket in the second. */
    uint32_t queued = memory[SK_MEMINFO_WMEM_QUEUED], all = memory[SK_MEMINFO_WMEM_ALLOC];
    uint32_t used = queued > all ? queued : all;
    return memory[SK_MEMINFO_SNDBUF] > used ? memory[SK_MEMINFO_SNDBUF] - used : 0;
}

bool socket_is_writable(int fd)
{
    struct pollfd one = {.fd = fd, .events = POLLOUT};
    return poll(&one, 1, 0) != 0;
}

size_t socket_unread(int fd)
{
    int bytes = 0;
    if (ioctl(fd, FIONREAD, &bytes) || bytes < 0)
        return 0;
    return (size_t)bytes;
}

size_t socket_unacknowledged(int fd)
{
    int bytes = 0;
    if (ioctl(fd, SIOCOUTQ, &bytes) || bytes < 0)
        return 0;
    return (size_t)bytes;
}

uint64_t socket_sent_ago(int fd)
{
    struct tcp_info info;
    if (!tcp_info(fd, &info) || info.tcpi_retransmits > 0)
        return UINT64_MAX;
    return info.tcpi_last_data_sent;
}

void socket_no_delay(int fd)
{
    (void)set_flag(fd, IPPROTO_TCP, TCP_NODELAY);
}

void socket_keep_alive(int fd)
{
    (void)set_flag(fd, SOL_SOCKET, SO_KEEPALIVE);
}

static void set_number(int fd, int level, int option, unsigned value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

void socket_tune(int fd, const struct tcp_tuning *tuning)
{
    set_number(fd, SOL_SOCKET, SO_KEEPALIVE, tuning->keepalive != KEEPALIVE_NO);
    if (tuning->keepalive == KEEPALIVE_TIMES) {
        set_number(fd, IPPROTO_TCP, TCP_KEEPIDLE, tuning->idle);
        set_number(fd, IPPROTO_TCP, TCP_KEEPINTVL, tuning->interval);
        set_number(fd, IPPROTO_TCP, TCP_KEEPCNT, tuning->count);
    }
    if (tuning->user_timeout > 0)
        set_number(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, (unsigned)tuning->user_timeout);
}

void socket_will_reset(int fd)
{
    struct linger abort = {.l_onoff = 1, .l_linger = 0};
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &abort, sizeof abort);
}

void socket_finish(int fd, bool reset)
{
    const struct linger none = {0};
    if (reset && socket_disconnect(fd) == 0)
        return;
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    (void)shutdown(fd, SHUT_RDWR);
}

void socket_close_reset(int fd)
{
    socket_will_reset(fd);
    close(fd);
}
