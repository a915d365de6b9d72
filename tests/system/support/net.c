#include "tests/system/support/net.h"

#include "tests/system/support/harness.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct endpoint endpoint_loopback(uint16_t port)
{
    struct endpoint where = {.length = sizeof where.in};
    where.in.sin_family = AF_INET;
    where.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    where.in.sin_port = htons(port);
    return where;
}

struct endpoint endpoint_unix(const char *path)
{
    struct endpoint where = {.length = sizeof where.un};
    where.un.sun_family = AF_UNIX;
    ck_assert_uint_lt(strlen(path), sizeof where.un.sun_path);
    snprintf(where.un.sun_path, sizeof where.un.sun_path, "%s", path);
    return where;
}

static int open_socket(const struct endpoint *where)
{
    int fd = socket(where->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_msg(fd >= 0, "socket: %s", strerror(errno));
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

static int listen_on(const struct endpoint *where)
{
    int fd = open_socket(where), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_msg(bind(fd, &where->any, where->length) == 0, "bind: %s", strerror(errno));
    ck_assert_int_eq(listen(fd, SOMAXCONN), 0);
    return fd;
}

int listen_loopback(uint16_t *port)
{
    *port = port_reserve(getuid());
    struct endpoint where = endpoint_loopback(*port);
    return listen_on(&where);
}

int listen_unix(const char *path)
{
    struct endpoint where = endpoint_unix(path);
    return listen_on(&where);
}

uint16_t listen_full(void)
{
    struct endpoint where = endpoint_loopback(0);
    int fd = open_socket(&where);
    ck_assert_int_eq(bind(fd, &where.any, where.length), 0);
    ck_assert_int_eq(listen(fd, 0), 0);
    ck_assert_int_eq(getsockname(fd, &where.any, &where.length), 0);
    for (unsigned i = 0; i < 8; i++) {
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        (void)connect(client, &where.any, where.length);
    }
    return ntohs(where.in.sin_port);
}

int try_connect(const struct endpoint *where)
{
    int fd = open_socket(where);
    if (connect(fd, &where->any, where->length) != 0) {
        int error = errno;
        close(fd);
        errno = error;
        return -1;
    }
    return fd;
}

int connect_to(const struct endpoint *where)
{
    int fd = try_connect(where);
    ck_assert_msg(fd >= 0, "connect: %s", strerror(errno));
    return fd;
}

int accept_from(int listener)
{
    int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
    ck_assert_msg(fd >= 0, "accept: %s", strerror(errno));
    struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    return fd;
}

void send_all(int socket, const void *bytes, size_t length)
{
    const char *next = bytes;
    while (length > 0) {
        ssize_t sent = send(socket, next, length, MSG_NOSIGNAL);
        ck_assert_msg(sent > 0, "send: %s", strerror(errno));
        next += sent;
        length -= (size_t)sent;
    }
}

void receive_exactly(int socket, void *bytes, size_t length)
{
    ssize_t got = length > 0 ? recv(socket, bytes, length, MSG_WAITALL) : 0;
    ck_assert_msg(got >= 0, "recv: %s", strerror(errno));
    ck_assert_msg((size_t)got == length, "the stream ended after %zd of %zu bytes", got, length);
}

void expect_eof(int socket)
{
    char byte;
    ssize_t got = recv(socket, &byte, 1, 0);
    ck_assert_msg(got == 0, "instead of the stream's end: %s",
                  got < 0 ? strerror(errno) : "another byte");
}

void expect_reset(int socket)
{
    char byte;
    ssize_t got = recv(socket, &byte, 1, 0);
    ck_assert_msg(got < 0 && errno == ECONNRESET, "instead of a reset: %s",
                  got < 0 ? strerror(errno) : (got == 0 ? "the stream's end" : "a byte"));
}

void expect_reset_after(const struct endpoint *where, const void *bytes, size_t length)
{
    int fd = try_connect(where);
    if (fd < 0) {
        ck_assert_msg(errno == ECONNRESET, "connect: %s", strerror(errno));
        return;
    }
    if (length == 0 || send(fd, bytes, length, MSG_NOSIGNAL) == (ssize_t)length)
        expect_reset(fd);
    else
        ck_assert_msg(errno == ECONNRESET || errno == EPIPE, "send: %s", strerror(errno));
    close(fd);
}

void expect_reset_at(const struct endpoint *where)
{
    expect_reset_after(where, "", 0);
}

bool readable_within(int socket, int ms)
{
    struct pollfd one = {.fd = socket, .events = POLLIN};
    return poll(&one, 1, ms) > 0;
}

void send_reset(int socket)
{
    struct linger none = {.l_onoff = 1};
    setsockopt(socket, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(socket);
}
