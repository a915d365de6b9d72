/* The server of the benchmarks: one thread that answers messages, and sends or verifies the pattern
 * (wire.h). It listens on all IPv4 addresses, and prints its port then. */
#include "scripts/bench/wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#define DESCRIPTORS_MAX 1000000U

/* A client's connection; the table is indexed by descriptor. */
struct peer {
    struct message message;
    size_t got;
    enum op op;              /* 0 before the first message */
    uint64_t start, carried; /* for OP_UPLOAD and OP_DOWNLOAD */
};

struct origin {
    int epoll, listener;
    uint64_t name;
    struct peer *peers;
    size_t room;
};

static uint8_t scratch[PATTERN_RUN];

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static void watch(struct origin *origin, int operation, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    if (epoll_ctl(origin->epoll, operation, fd, &event) != 0) {
        die("origin: epoll_ctl");
    }
}

static void accept_all(struct origin *origin)
{
    int fd;
    while ((fd = accept4(origin->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
        if ((size_t)fd >= origin->room) {
            close(fd);
            continue;
        }
        memset(&origin->peers[fd], 0, sizeof origin->peers[fd]);
        watch(origin, EPOLL_CTL_ADD, fd, EPOLLIN);
    }
    if (errno == EMFILE || errno == ENFILE) {
        die("origin: accept");
    }
}

/* 64 bytes always fit into the socket buffer if the client reads its answers. A client that does
 * not is dropped, and reports the loss. */
static bool say(int fd, struct message message)
{
    return send(fd, &message, sizeof message, MSG_NOSIGNAL) == (ssize_t)sizeof message;
}

/* Each of these functions returns false if the connection has ended or has sent wrong bytes. */
static bool serve_message(struct origin *origin, int fd)
{
    struct peer *peer = &origin->peers[fd];
    ssize_t n =
        recv(fd, (uint8_t *)&peer->message + peer->got, sizeof peer->message - peer->got, 0);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    peer->got += (size_t)n;
    if (peer->got < sizeof peer->message) {
        return true;
    }
    peer->got = 0;
    if (message_is_hello(&peer->message)) {
        return true;
    }
    enum op op = (enum op)peer->message.op;
    if (!message_is(&peer->message, op, peer->message.number)) {
        return false;
    }
    switch (op) {
    case OP_REQUEST:
        return say(fd, message_make(OP_ANSWER, peer->message.number, origin->name));
    case OP_FAREWELL:
        (void)say(fd, message_make(OP_ANSWER, peer->message.number, origin->name));
        return false;
    case OP_DOWNLOAD:
        watch(origin, EPOLL_CTL_MOD, fd, EPOLLIN | EPOLLOUT);
        break;
    case OP_UPLOAD:
        break;
    case OP_ANSWER:
    case OP_VERDICT:
    default:
        return false;
    }
    peer->op = op;
    peer->start = peer->message.detail;
    return true;
}

static bool serve_download(struct peer *peer, int fd, uint32_t events)
{
    if (events & EPOLLIN) {
        /* The client sends no more: the only event left is the end of the connection. */
        return false;
    }
    ssize_t n = send(fd, pattern_at(peer->start + peer->carried), PATTERN_RUN, MSG_NOSIGNAL);
    if (n < 0) {
        return errno == EAGAIN;
    }
    peer->carried += (size_t)n;
    return true;
}

static bool serve_upload(struct peer *peer, int fd)
{
    ssize_t n = recv(fd, scratch, sizeof scratch, 0);
    if (n <= 0) {
        return n < 0 && errno == EAGAIN;
    }
    if (memcmp(scratch, pattern_at(peer->start + peer->carried), (size_t)n) != 0) {
        return false;
    }
    uint64_t before = peer->carried / VERDICT_EVERY;
    peer->carried += (size_t)n;
    if (peer->carried / VERDICT_EVERY > before) {
        return say(fd, message_make(OP_VERDICT, peer->message.number, peer->carried));
    }
    return true;
}

static void serve(struct origin *origin, int fd, uint32_t events)
{
    struct peer *peer = &origin->peers[fd];
    bool goes_on = !(events & (EPOLLERR | EPOLLHUP));
    if (goes_on) {
        if (peer->op == OP_DOWNLOAD) {
            goes_on = serve_download(peer, fd, events);
        } else if (peer->op == OP_UPLOAD) {
            goes_on = serve_upload(peer, fd);
        } else {
            goes_on = serve_message(origin, fd);
        }
    }
    if (!goes_on) {
        close(fd);
    }
}

static int listen_on(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_ANY)};
    socklen_t length = sizeof address;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        bind(fd, (struct sockaddr *)&address, length) != 0 || listen(fd, 4096) != 0 ||
        getsockname(fd, (struct sockaddr *)&address, &length) != 0) {
        die("origin: listen");
    }
    printf("%u\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

/* Raises the limit of descriptors as far as possible, and returns it. */
static size_t descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        die("origin: getrlimit");
    }
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_MAX ? limit.rlim_max : DESCRIPTORS_MAX;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0) {
        die("origin: setrlimit");
    }
    return (size_t)limit.rlim_cur;
}

int main(int argc, char **argv)
{
    if (argc != 3) {
        fprintf(stderr, "usage: bench-origin PORT NAME    PORT 0: any; NAME: a number\n");
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pattern_init();
    struct origin origin = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                            .name = strtoull(argv[2], NULL, 10),
                            .room = descriptors()};
    origin.peers = calloc(origin.room, sizeof *origin.peers);
    if (origin.epoll < 0 || !origin.peers) {
        die("origin");
    }
    origin.listener = listen_on((uint16_t)strtoul(argv[1], NULL, 10));
    watch(&origin, EPOLL_CTL_ADD, origin.listener, EPOLLIN);
    struct epoll_event events[256];
    for (;;) {
        int count = epoll_wait(origin.epoll, events, 256, -1);
        for (int i = 0; i < count; i++) {
            if (events[i].data.fd == origin.listener) {
                accept_all(&origin);
            } else {
                serve(&origin, events[i].data.fd, events[i].events);
            }
        }
    }
}
