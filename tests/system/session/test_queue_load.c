/* Many more clients than places, across reloads, with servers that are killed and come back and
 * clients that leave the queue: no server ever has more sessions than maxconn, and nobody is stuck.
 *
 * One thread drives both servers and all clients. A server counts its connections when one comes
 * and when one speaks, and asks the kernel which of them their peer has closed meanwhile. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 2, PLACES = 10, ROOM = 64, CLIENTS_MAX = 500, AT_ONCE = 120 };

/* A connection of a server: it answers `due`, but not before all places have been taken once, and
 * closes at the end of the client's stream. */
struct served {
    int fd; /* 0: none */
    bool spoken;
    int64_t due; /* 0: it has been answered, or has not spoken */
    uint32_t number;
};

struct server {
    uint16_t port;
    int listener; /* -1: it is killed */
    int64_t back_at;
    struct served served[ROOM];
    unsigned most; /* connections at a time */
    unsigned all;
};

enum client_end { UNDER_WAY, ANSWERED, LEFT, RESET, WRONG };

struct client {
    int fd; /* 0: has not come yet */
    bool leaves;
    int64_t leaves_at;
    enum client_end end;
};

static struct load {
    struct endpoint front;
    struct server servers[SERVERS];
    struct client clients[CLIENTS_MAX];
    unsigned count, come;
    atomic_uint over;
    unsigned seed;
    unsigned hold_ms;
    atomic_bool kill; /* a server is to be killed */
    bool kills;       /* resets are expected */
    atomic_bool done;
} load;

static unsigned below(unsigned limit)
{
    load.seed = load.seed * 1664525u + 1013904223u;
    return (load.seed >> 16) % limit;
}

static void set_flags(int fd)
{
    fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
}

static void close_with_reset(int fd)
{
    struct linger linger = {.l_onoff = 1};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    close(fd);
}

/* Connections whose peer has not closed them. spoken: only those that have spoken, which leaves out
 * checks. */
static void count_connections(struct server *server)
{
    unsigned now = 0;
    for (unsigned i = 0; i < ROOM; i++) {
        struct pollfd poller = {.fd = server->served[i].fd, .events = POLLRDHUP};
        if (poller.fd && server->served[i].spoken && poll(&poller, 1, 0) == 0)
            now++;
    }
    if (now > server->most)
        server->most = now;
}

static void end_served(struct served *served)
{
    close(served->fd);
    *served = (struct served){0};
}

static void listen_again(struct server *server)
{
    struct endpoint where = endpoint_loopback(server->port);
    int one = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(fd, &where.any, where.length) || listen(fd, 1000))
        abort();
    server->listener = fd;
}

static void kill_server(struct server *server)
{
    close(server->listener);
    server->listener = -1;
    server->back_at = now_ms() + 150;
    for (unsigned i = 0; i < ROOM; i++)
        if (server->served[i].fd) {
            close_with_reset(server->served[i].fd);
            server->served[i] = (struct served){0};
        }
}

static void accept_all(struct server *server)
{
    int fd;
    while (server->listener >= 0 && (fd = accept(server->listener, NULL, NULL)) >= 0) {
        unsigned i = 0;
        while (i < ROOM && server->served[i].fd)
            i++;
        if (i == ROOM)
            abort();
        set_flags(fd);
        server->served[i] = (struct served){.fd = fd};
        server->all++;
    }
}

static void go_on_served(struct server *server, struct served *served)
{
    uint32_t number;
    if (served->due && now_ms() >= served->due && server->most >= PLACES) {
        (void)!write(served->fd, &served->number, sizeof served->number);
        served->due = 0;
    }
    ssize_t got = read(served->fd, &number, sizeof number);
    if (got == sizeof number && !served->spoken) {
        served->spoken = true;
        served->number = number;
        served->due = now_ms() + below(2 * load.hold_ms) + 1;
        count_connections(server);
    } else if (got == 0 || (got < 0 && errno != EAGAIN)) {
        end_served(served);
    }
}

static void end_client(struct client *client, enum client_end end)
{
    client->end = end;
    atomic_fetch_add(&load.over, 1);
    if (client->fd > 0)
        close(client->fd);
    client->fd = -1;
}

static void begin_client(uint32_t number)
{
    struct client *client = &load.clients[number];
    client->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (connect(client->fd, &load.front.any, load.front.length)) {
        end_client(client, WRONG);
        return;
    }
    set_flags(client->fd);
    client->leaves = below(10) == 0;
    client->leaves_at = now_ms() + below(2 * load.hold_ms);
    if (!client->leaves && send(client->fd, &number, sizeof number, MSG_NOSIGNAL) < 0)
        end_client(client, errno == ECONNRESET || errno == EPIPE ? RESET : WRONG);
}

static void go_on_client(uint32_t number)
{
    struct client *client = &load.clients[number];
    uint32_t answer;
    if (client->leaves && now_ms() >= client->leaves_at) {
        if (below(2)) {
            struct linger linger = {.l_onoff = 1};
            setsockopt(client->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
        }
        end_client(client, LEFT);
        return;
    }
    ssize_t got = read(client->fd, &answer, sizeof answer);
    if (got == sizeof answer)
        end_client(client, answer == number ? ANSWERED : WRONG);
    else if (got < 0 && errno == ECONNRESET)
        end_client(client, RESET);
    else if (got >= 0 || errno != EAGAIN)
        end_client(client, WRONG);
}

static void turn_server(struct server *server)
{
    if (server->listener < 0 && now_ms() >= server->back_at)
        listen_again(server);
    accept_all(server);
    for (unsigned i = 0; i < ROOM; i++)
        if (server->served[i].fd)
            go_on_served(server, &server->served[i]);
}

static void *drive(void *argument)
{
    (void)argument;
    while (!atomic_load(&load.done)) {
        unsigned here = 0;
        for (unsigned i = 0; i < SERVERS; i++)
            turn_server(&load.servers[i]);
        for (uint32_t i = 0; i < load.come; i++)
            if (load.clients[i].end == UNDER_WAY) {
                go_on_client(i);
                here++;
            }
        if (here < AT_ONCE && load.come < load.count)
            begin_client(load.come++);
        if (atomic_exchange(&load.kill, false))
            kill_server(&load.servers[below(SERVERS)]);
        usleep(500);
    }
    return NULL;
}

/* --- the scenario --- */

static unsigned ended(enum client_end end)
{
    unsigned count = 0;
    for (unsigned i = 0; i < load.count; i++)
        count += load.clients[i].end == end;
    return count;
}

static bool all_over(void *argument)
{
    (void)argument;
    return atomic_load(&load.over) == load.count;
}

static void run_load(const char *global, bool kills, bool canary)
{
    struct proxy proxy;
    pthread_t thread;
    struct outcome outcome;
    unsigned reloads = scaled(10, 3);
    uint16_t port = port_reserve(getuid());
    load.seed = 5;
    load.front = endpoint_loopback(port);
    load.count = scaled(CLIENTS_MAX, 200);
    load.hold_ms = 50;
    load.kills = kills;
    for (unsigned i = 0; i < SERVERS; i++) {
        load.servers[i].listener = listen_loopback(&load.servers[i].port);
        set_flags(load.servers[i].listener);
    }
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 4\n%s[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "server = a 127.0.0.1:%u maxconn=%u\nserver = b 127.0.0.1:%u maxconn=%u\n"
                    "queue-timeout = 0s\nretries = 20\n%s",
                    global, port, load.servers[0].port, PLACES, load.servers[1].port, PLACES,
                    kills ? "check = tcp\ncheck-interval = 100ms\nrise = 1\nfall = 1\n" : "");
    proxy_start(&proxy);
    ck_assert_int_eq(pthread_create(&thread, NULL, drive, NULL), 0);
    for (unsigned i = 0; i < reloads; i++) {
        if (canary && i % 3 == 0)
            (void)proxy_command(&proxy, &outcome, "reload", "--canary", "50%:200ms", NULL);
        else
            (void)proxy_command(&proxy, &outcome, "reload", "--force", NULL);
        /* A canary may be rolled back because clients have left. */
        ck_assert_msg(outcome.code == 0 || (canary && outcome.code == 4), "%s%s", outcome.out,
                      outcome.err);
        proxy_follow(&proxy);
        if (kills && i % 2 == 0)
            atomic_store(&load.kill, true);
    }
    wait_until(all_over, NULL, "all clients are served, or have left");
    proxy_stop(&proxy); /* while the servers serve */
    atomic_store(&load.done, true);
    pthread_join(thread, NULL);
    printf("     %u answered, %u left, %u reset; at most %u and %u at a time, %u and %u in all\n",
           ended(ANSWERED), ended(LEFT), ended(RESET), load.servers[0].most, load.servers[1].most,
           load.servers[0].all, load.servers[1].all);
    ck_assert_uint_eq(ended(WRONG), 0);
    ck_assert_uint_le(load.servers[0].most, PLACES);
    ck_assert_uint_le(load.servers[1].most, PLACES);
    if (!kills)
        ck_assert_uint_eq(ended(RESET), 0);
    ck_assert_uint_eq(load.servers[0].most, PLACES);
}

START_TEST(never_too_many)
{
    run_load("", false, false);
}
END_TEST

START_TEST(never_too_many_without_handoff)
{
    run_load("drain = wait\n", false, false);
}
END_TEST

START_TEST(never_too_many_with_canaries)
{
    run_load("probation = 100ms\n", false, true);
}
END_TEST

START_TEST(never_too_many_with_servers_that_are_killed)
{
    run_load("probation = 50ms\n", true, false);
}
END_TEST

Suite *queue_load_suite(void)
{
    Suite *suite = suite_create("queue_load");
    scenario_add(suite, never_too_many, 300);
    scenario_add(suite, never_too_many_without_handoff, 300);
    scenario_add(suite, never_too_many_with_canaries, 300);
    scenario_add(suite, never_too_many_with_servers_that_are_killed, 300);
    return suite;
}
