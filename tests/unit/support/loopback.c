#include "tests/unit/support/loopback.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

bool loopback_bind(int i, struct address *address)
{
    int fd;

    memset(address, 0, sizeof *address);
    if (i < 2) {
        address->length = sizeof address->in;
        address->in.sin_family = AF_INET;
        address->in.sin_addr.s_addr = htonl(i == 0 ? INADDR_LOOPBACK : INADDR_ANY);
        return true;
    }
    address->length = sizeof address->in6;
    address->in6.sin6_family = AF_INET6;
    address->in6.sin6_addr = i == 2 ? in6addr_loopback : in6addr_any;
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || bind(fd, &address->any, address->length) != 0) {
        unit_skip("no IPv6 on loopback");
        if (fd >= 0)
            close(fd);
        return false;
    }
    close(fd);
    return true;
}

static int reuseport_socket(const struct address *address)
{
    const int on = 1;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    if (address->any.sa_family == AF_INET6)
        ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on), 0);
    return fd;
}

int loopback_bound(struct address *address)
{
    int fd = reuseport_socket(address);

    ck_assert_msg(bind(fd, &address->any, address->length) == 0, "bind: %s", strerror(errno));
    ck_assert_int_eq(getsockname(fd, &address->any, &address->length), 0);
    return fd;
}

/* Sockets of one port at both wildcard addresses keep the kernel from giving the port to others:
 * neither bind(2) of port 0 nor connect(2) takes a port of which a socket is bound. */
in_port_t loopback_free_port(void)
{
    struct address four, six;

    for (int tries = 0; tries < 1000; tries++) {
        int held, fd;

        if (!loopback_bind(3, &six))
            return 0;
        held = loopback_bound(&six);
        (void)loopback_bind(1, &four);
        four.in.sin_port = six.in6.sin6_port;
        fd = reuseport_socket(&four);
        if (bind(fd, &four.any, four.length) == 0)
            return six.in6.sin6_port;
        ck_assert_int_eq(errno, EADDRINUSE);
        close(fd);
        close(held);
    }
    ck_abort_msg("no port is free at every address");
}

int loopback_listen(struct address *address)
{
    int fd = loopback_bound(address);

    ck_assert_msg(listen(fd, 128) == 0, "listen: %s", strerror(errno));
    return fd;
}

int loopback_listen_deferred(struct address *address)
{
    const int seconds = 60;
    int fd = loopback_bound(address);

    ck_assert_int_eq(setsockopt(fd, IPPROTO_TCP, TCP_DEFER_ACCEPT, &seconds, sizeof seconds), 0);
    ck_assert_msg(listen(fd, 4096) == 0, "listen: %s", strerror(errno));
    return fd;
}

int loopback_connect(const struct address *address)
{
    struct address server = *address;
    int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    ck_assert_int_ge(fd, 0);
    if (server.any.sa_family == AF_INET)
        server.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        server.in6.sin6_addr = in6addr_loopback;
    ck_assert_msg(connect(fd, &server.any, server.length) == 0 || errno == EINPROGRESS,
                  "connect: %s", strerror(errno));
    return fd;
}

void loopback_await(int fd, short event)
{
    struct pollfd poll_fd = {.fd = fd, .events = event};

    ck_assert_int_eq(poll(&poll_fd, 1, 60000), 1);
    ck_assert_msg(poll_fd.revents & event, "revents %#x", (unsigned)poll_fd.revents);
}

void loopback_reset(int fd)
{
    const struct linger reset = {.l_onoff = 1, .l_linger = 0};

    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset), 0);
    close(fd);
}
