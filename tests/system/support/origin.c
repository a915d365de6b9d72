#include "tests/system/support/origin.h"

#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum { CHUNK = 65536, BATCH = 256 };

struct origin {
    enum origin_kind kind;
    int listener, epoll;
    uint16_t port;
    atomic_uint_fast64_t accepted;
};

struct connection {
    int fd;
    bool writing, saw_eof;
    struct request request;
    size_t got;      /* of the request */
    uint64_t sent;   /* of the answer */
    size_t have, at; /* echo: the length of `held`, and where the unsent part begins */
    char *held;
};

static uint64_t pattern_word(uint64_t id, uint64_t index)
{
    uint64_t word = (id + 1) * 0x9e3779b97f4a7c15U + index * 0xbf58476d1ce4e5b9U;
    word ^= word >> 31;
    word *= 0x94d049bb133111ebU;
    return word ^ (word >> 29);
}

void pattern_fill(uint64_t id, uint64_t offset, void *bytes, size_t length)
{
    unsigned char *next = bytes;
    while (length > 0) {
        uint64_t word = pattern_word(id, offset / 8);
        size_t skip = offset % 8;
        size_t take = 8 - skip < length ? 8 - skip : length;
        memcpy(next, (const unsigned char *)&word + skip, take);
        next += take;
        offset += take;
        length -= take;
    }
}

size_t pattern_mismatch(uint64_t id, uint64_t offset, const void *bytes, size_t length)
{
    const unsigned char *seen = bytes;
    unsigned char wanted[512];
    for (size_t done = 0; done < length;) {
        size_t part = length - done < sizeof wanted ? length - done : sizeof wanted;
        pattern_fill(id, offset + done, wanted, part);
        if (memcmp(seen + done, wanted, part) != 0) {
            while (seen[done] == wanted[0]) {
                done++;
                pattern_fill(id, offset + done, wanted, 1);
            }
            return done;
        }
        done += part;
    }
    return length;
}

static void drop(struct origin *origin, struct connection *connection)
{
    /* close() is not enough: a program that is being started has a copy of the descriptor for a
     * moment, and epoll would still report on it. */
    epoll_ctl(origin->epoll, EPOLL_CTL_DEL, connection->fd, NULL);
    close(connection->fd);
    free(connection->held);
    free(connection);
}

static bool wait_writable(struct origin *origin, struct connection *connection, bool writable)
{
    if (connection->writing != writable) {
        struct epoll_event event = {.events = writable ? EPOLLOUT : EPOLLIN,
                                    .data.ptr = connection};
        connection->writing = writable;
        return epoll_ctl(origin->epoll, EPOLL_CTL_MOD, connection->fd, &event) == 0;
    }
    return true;
}

/* Sends the rest of the answer. Returns false when the connection is over. */
static bool answer(struct origin *origin, struct connection *connection)
{
    char bytes[CHUNK];
    while (connection->sent < connection->request.length) {
        size_t left = connection->request.length - connection->sent;
        size_t part = left < sizeof bytes ? left : sizeof bytes;
        pattern_fill(connection->request.id, connection->sent, bytes, part);
        ssize_t sent = send(connection->fd, bytes, part, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            return errno == EAGAIN && wait_writable(origin, connection, true);
        }
        connection->sent += (uint64_t)sent;
    }
    connection->got = 0;
    connection->sent = 0;
    return connection->request.ending == ENDING_BY_CLIENT && !connection->saw_eof &&
           wait_writable(origin, connection, false);
}

static bool serve_request(struct origin *origin, struct connection *connection)
{
    if (connection->writing) {
        return answer(origin, connection);
    }
    char *next = (char *)&connection->request + connection->got;
    ssize_t got =
        recv(connection->fd, next, sizeof connection->request - connection->got, MSG_DONTWAIT);
    if (got < 0) {
        return errno == EAGAIN;
    }
    connection->got += (size_t)got;
    bool whole = connection->got == sizeof connection->request;
    connection->saw_eof = got == 0;
    if (!whole) {
        return got > 0;
    }
    if (connection->request.ending == ENDING_HALF && !connection->saw_eof) {
        char byte;
        ssize_t more = recv(connection->fd, &byte, 1, MSG_DONTWAIT);
        if (more != 0) {
            return more < 0 && errno == EAGAIN;
        }
    }
    return answer(origin, connection);
}

static bool serve_echo(struct origin *origin, struct connection *connection)
{
    if (connection->held == NULL && (connection->held = malloc(CHUNK)) == NULL) {
        return false;
    }
    if (!connection->writing) {
        ssize_t got = recv(connection->fd, connection->held, CHUNK, MSG_DONTWAIT);
        if (got <= 0) {
            return got < 0 && errno == EAGAIN;
        }
        connection->have = (size_t)got;
        connection->at = 0;
    }
    while (connection->at < connection->have) {
        ssize_t sent = send(connection->fd, connection->held + connection->at,
                            connection->have - connection->at, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent < 0) {
            return errno == EAGAIN && wait_writable(origin, connection, true);
        }
        connection->at += (size_t)sent;
    }
    return wait_writable(origin, connection, false);
}

static void take_in(struct origin *origin)
{
    int fd;
    while ((fd = accept4(origin->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK)) >= 0) {
        struct connection *connection = calloc(1, sizeof *connection);
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
        int on = 1;
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        if (connection == NULL || epoll_ctl(origin->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
            abort();
        }
        connection->fd = fd;
        atomic_fetch_add(&origin->accepted, 1);
    }
}

static void *serve(void *argument)
{
    struct origin *origin = argument;
    for (;;) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(origin->epoll, events, BATCH, -1);
        for (int i = 0; i < count; i++) {
            struct connection *connection = events[i].data.ptr;
            if (connection == NULL) {
                take_in(origin);
            } else if (!(origin->kind == ORIGIN_ECHO ? serve_echo : serve_request)(origin,
                                                                                   connection)) {
                drop(origin, connection);
            }
        }
    }
    return NULL;
}

struct origin *origin_start(enum origin_kind kind)
{
    uint16_t port;
    int listener = listen_loopback(&port);
    struct origin *origin = origin_start_on(kind, listener);
    origin->port = port;
    return origin;
}

struct origin *origin_start_on(enum origin_kind kind, int listener)
{
    struct origin *origin = calloc(1, sizeof *origin);
    ck_assert_ptr_nonnull(origin);
    origin->kind = kind;
    origin->listener = listener;
    fcntl(origin->listener, F_SETFL, O_NONBLOCK);
    origin->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    ck_assert_int_eq(epoll_ctl(origin->epoll, EPOLL_CTL_ADD, origin->listener, &event), 0);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve, origin), 0);
    pthread_detach(thread);
    return origin;
}

uint16_t origin_port(const struct origin *origin)
{
    return origin->port;
}

uint64_t origin_accepted(const struct origin *origin)
{
    return atomic_load(&origin->accepted);
}
