/* Which server gets a session: the algorithms, backups, slow starts and ejections, and what a
 * reload keeps of them. The servers are listeners of the test, so that it sees each choice. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <arpa/inet.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SERVERS = 4, CLIENTS = 30 };

/* A proxy in front of servers a, b, c and d. */
struct farm {
    struct proxy proxy;
    const char *global; /* further options of [global]; NULL: none */
    uint16_t port;
    struct endpoint front;
    uint16_t ports[SERVERS];
    int listeners[SERVERS]; /* -1: it does not listen */
};

/* One session: its two ends, and which server has it. */
struct visit {
    int client, server;
    unsigned which;
};

/* Listens again on a port that the test has. */
static int listen_on(uint16_t port)
{
    struct endpoint where = endpoint_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    ck_assert_int_eq(bind(fd, &where.any, where.length), 0);
    ck_assert_int_eq(listen(fd, SOMAXCONN), 0);
    return fd;
}

static void farm_configure(const struct farm *farm, const char *options,
                           const char *const *attributes)
{
    char text[4096];
    int length =
        snprintf(text, sizeof text, "workers = 2\n%s[listen main]\nbind = 127.0.0.1:%u\n%s",
                 farm->global ? farm->global : "", farm->port, options);
    for (unsigned i = 0; attributes[i]; i++)
        length += snprintf(text + length, sizeof text - (size_t)length,
                           "server = %c 127.0.0.1:%u %s\n", 'a' + i, farm->ports[i], attributes[i]);
    proxy_configure(&farm->proxy, "%s", text);
}

/* attributes: of each server, NULL at the end. */
static void farm_init(struct farm *farm, const char *options, const char *const *attributes)
{
    *farm = (struct farm){.port = port_reserve(getuid())};
    farm->front = endpoint_loopback(farm->port);
    for (unsigned i = 0; i < SERVERS; i++) {
        farm->ports[i] = port_reserve(getuid());
        farm->listeners[i] = listen_on(farm->ports[i]);
    }
    proxy_init(&farm->proxy, "proxy");
    farm_configure(farm, options, attributes);
}

static void farm_start(struct farm *farm, const char *options, const char *const *attributes)
{
    farm_init(farm, options, attributes);
    proxy_start(&farm->proxy);
}

static void end_listener(struct farm *farm, unsigned which)
{
    close(farm->listeners[which]);
    farm->listeners[which] = -1;
}

/* The next connection of a session at any of the servers: one that sends something, which a check
 * does not. */
static struct visit await_server(const struct farm *farm, int client)
{
    for (;;) {
        struct pollfd polled[SERVERS];
        for (unsigned i = 0; i < SERVERS; i++)
            polled[i] = (struct pollfd){.fd = farm->listeners[i], .events = POLLIN};
        ck_assert_int_gt(poll(polled, SERVERS, PATIENCE_MS), 0);
        for (unsigned i = 0; i < SERVERS; i++) {
            char byte;
            if (!polled[i].revents)
                continue;
            int server = accept_from(farm->listeners[i]);
            if (recv(server, &byte, 1, 0) == 1)
                return (struct visit){client, server, i};
            close(server);
        }
    }
}

/* A client with the address 127.0.0.`host` connects, and says something. */
static int client_of(const struct endpoint *front, unsigned host)
{
    struct sockaddr_in source = {.sin_family = AF_INET};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    source.sin_addr.s_addr = htonl(INADDR_LOOPBACK - 1 + host);
    ck_assert_int_eq(bind(fd, (struct sockaddr *)&source, sizeof source), 0);
    ck_assert_int_eq(connect(fd, &front->any, front->length), 0);
    send_all(fd, "x", 1);
    return fd;
}

static struct visit visit_as(const struct farm *farm, unsigned host)
{
    return await_server(farm, client_of(&farm->front, host));
}

static void leave(const struct visit *visit)
{
    close(visit->client);
    close(visit->server);
}

/* Which server a session of this client gets. */
static unsigned served_by(const struct farm *farm, unsigned host)
{
    struct visit visit = visit_as(farm, host);
    leave(&visit);
    return visit.which;
}

/* --- what the proxy says --- */

struct server_status {
    int usable, share_percent;
    char check[8];
    json_int_t sessions, ejected_ms;
};

static struct server_status server_status(const struct proxy *proxy, unsigned which)
{
    static struct outcome outcome;
    struct server_status status;
    json_error_t error;
    const char *check;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", "--json", NULL), 0);
    json_t *all = json_loads(outcome.out, 0, NULL);
    json_t *server = json_array_get(
        json_object_get(json_array_get(json_object_get(all, "backends"), 0), "servers"), which);
    ck_assert_msg(json_unpack_ex(server, &error, 0, "{s:b, s:i, s:s, s:I, s:I}", "usable",
                                 &status.usable, "share_percent", &status.share_percent, "check",
                                 &check, "sessions", &status.sessions, "ejected_ms",
                                 &status.ejected_ms) == 0,
                  "status --json: %s: %s", error.text, outcome.out);
    snprintf(status.check, sizeof status.check, "%s", check);
    json_decref(all);
    return status;
}

struct wanted {
    const struct proxy *proxy;
    unsigned which;
    const char *check; /* NULL: any */
    json_int_t sessions;
    int usable; /* -1: whether it is or not */
};

static bool is_as_wanted(void *argument)
{
    const struct wanted *wanted = argument;
    struct server_status status = server_status(wanted->proxy, wanted->which);
    return (!wanted->check || strcmp(status.check, wanted->check) == 0) &&
           (wanted->sessions < 0 || status.sessions == wanted->sessions) &&
           (wanted->usable < 0 || status.usable == wanted->usable);
}

static void wait_sessions(const struct farm *farm, unsigned which, json_int_t sessions)
{
    wait_until(is_as_wanted, &(struct wanted){&farm->proxy, which, NULL, sessions, -1},
               "the server has so many sessions");
}

static void wait_check(const struct farm *farm, unsigned which, const char *check)
{
    wait_until(is_as_wanted, &(struct wanted){&farm->proxy, which, check, -1, -1}, check);
}

static void wait_usable(const struct farm *farm, unsigned which, bool usable)
{
    wait_until(is_as_wanted, &(struct wanted){&farm->proxy, which, NULL, -1, usable},
               usable ? "the server gets sessions" : "the server gets no sessions");
}

static void order(const struct farm *farm, const char *server, const char *what)
{
    static struct outcome outcome;
    ck_assert_int_eq(proxy_command(&farm->proxy, &outcome, "server", server, what, NULL), 0);
}

/* --- the algorithms --- */

static const char *const four[] = {"", "", "", "", NULL};

/* The sessions of both workers count, those that have come from the old process as well. */
START_TEST(leastconn_evens_the_sessions)
{
    enum { EACH = 5 };
    struct farm farm;
    struct visit visits[SERVERS * EACH];
    unsigned got[SERVERS] = {0};
    farm_start(&farm, "balance = leastconn\n", four);
    for (unsigned i = 0; i < SERVERS * EACH; i++) {
        visits[i] = visit_as(&farm, 1);
        got[visits[i].which]++;
    }
    for (unsigned i = 0; i < SERVERS; i++)
        ck_assert_uint_eq(got[i], EACH);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < SERVERS * EACH; i++)
            if (visits[i].which == round)
                leave(&visits[i]);
        wait_sessions(&farm, round, 0);
        for (unsigned i = 0; i < SERVERS * EACH; i++)
            if (visits[i].which == round) {
                visits[i] = visit_as(&farm, 1);
                ck_assert_uint_eq(visits[i].which, round);
            }
        proxy_reload(&farm.proxy);
        proxy_wait_drained(&farm.proxy);
        wait_sessions(&farm, round, EACH);
    }
    for (unsigned i = 0; i < SERVERS * EACH; i++)
        leave(&visits[i]);
    proxy_stop(&farm.proxy);
}
END_TEST

/* The sessions that an old process drains count in the new one. */
START_TEST(leastconn_counts_what_drains)
{
    enum { EACH = 4 };
    struct farm farm;
    struct visit visits[SERVERS * EACH];
    farm_init(&farm, "balance = leastconn\n", four);
    farm.global = "drain = wait\n";
    farm_configure(&farm, "balance = leastconn\n", four);
    proxy_start(&farm.proxy);
    for (unsigned i = 0; i < SERVERS * EACH; i++)
        visits[i] = visit_as(&farm, 1);
    for (unsigned i = 0; i < SERVERS * EACH; i++)
        if (visits[i].which == 2)
            leave(&visits[i]);
    wait_sessions(&farm, 2, 0);
    proxy_reload(&farm.proxy);
    for (unsigned i = 0; i < SERVERS * EACH; i++)
        if (visits[i].which == 2) {
            visits[i] = visit_as(&farm, 1);
            ck_assert_uint_eq(visits[i].which, 2);
        }
    for (unsigned i = 0; i < SERVERS * EACH; i++)
        leave(&visits[i]);
    proxy_wait_drained(&farm.proxy);
    proxy_stop(&farm.proxy);
}
END_TEST

START_TEST(first_fills_the_first)
{
    struct farm farm;
    farm_start(&farm, "balance = first\n", four);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(served_by(&farm, 1), 0);
    end_listener(&farm, 0); /* without checks: a connection that is refused goes to the next one */
    for (unsigned i = 0; i < 10; i++)
        ck_assert_uint_eq(served_by(&farm, 1), 1);
    proxy_stop(&farm.proxy);
}
END_TEST

struct served {
    const struct farm *farm;
    const unsigned *chosen; /* by client */
};

static bool all_are_served_as_before(void *argument)
{
    const struct served *served = argument;
    for (unsigned host = 1; host <= CLIENTS; host++)
        if (served_by(served->farm, host) != served->chosen[host])
            return false;
    return true;
}

/* With places the first server is filled, and then the next one; a place that comes free is the
 * next one to be taken. */
START_TEST(first_goes_on_when_one_is_full)
{
    struct farm farm;
    struct visit visits[6];
    farm_start(&farm, "balance = first\n",
               (const char *const[]){"maxconn=2", "maxconn=2", "maxconn=2", NULL});
    for (unsigned i = 0; i < 6; i++) {
        visits[i] = visit_as(&farm, 1);
        ck_assert_uint_eq(visits[i].which, i / 2);
    }
    leave(&visits[3]);
    wait_sessions(&farm, 1, 1);
    visits[3] = visit_as(&farm, 1);
    ck_assert_uint_eq(visits[3].which, 1);
    for (unsigned i = 0; i < 6; i++)
        leave(&visits[i]);
    proxy_stop(&farm.proxy);
}
END_TEST

/* A client keeps its server, whatever worker it comes to: over reloads, and while another server is
 * out. Another proxy with the same servers chooses alike. */
static void keep_their_servers(const char *options)
{
    struct farm farm;
    unsigned chosen[CLIENTS + 1], used[SERVERS] = {0}, moved = 0;
    farm_start(&farm, options, four);
    for (unsigned host = 1; host <= CLIENTS; host++) {
        chosen[host] = served_by(&farm, host);
        used[chosen[host]]++;
        ck_assert_uint_eq(served_by(&farm, host), chosen[host]);
    }
    for (unsigned i = 0; i < SERVERS; i++)
        ck_assert_uint_gt(used[i], 0);

    struct farm twin = farm;
    twin.port = port_reserve(getuid());
    twin.front = endpoint_loopback(twin.port);
    proxy_init(&twin.proxy, "twin");
    farm_configure(&twin, options, four);
    proxy_start(&twin.proxy);
    proxy_reload(&farm.proxy);
    for (unsigned host = 1; host <= CLIENTS; host++) {
        ck_assert_uint_eq(served_by(&farm, host), chosen[host]);
        ck_assert_uint_eq(served_by(&twin, host), chosen[host]);
    }
    proxy_stop(&twin.proxy);

    order(&farm, "main/c", "drain");
    proxy_reload(&farm.proxy);
    for (unsigned host = 1; host <= CLIENTS; host++) {
        unsigned now = served_by(&farm, host);
        ck_assert_uint_ne(now, 2);
        moved += chosen[host] != 2 && now != chosen[host];
    }
    ck_assert_uint_le(moved, CLIENTS / 6);
    order(&farm, "main/c", "ready");
    wait_until(all_are_served_as_before, &(struct served){&farm, chosen}, "all have come back");
    end_listener(&farm, 1); /* no check: its clients are refused, and go on */
    for (unsigned host = 1; host <= CLIENTS; host++) {
        unsigned now = served_by(&farm, host);
        if (chosen[host] == 1)
            ck_assert_uint_ne(now, 1);
        else
            ck_assert_uint_eq(now, chosen[host]);
        ck_assert_uint_eq(served_by(&farm, host), now);
    }
    proxy_wait_drained(&farm.proxy);
    proxy_stop(&farm.proxy);
}

START_TEST(source_keeps_clients)
{
    keep_their_servers("balance = source\n");
}
END_TEST

START_TEST(maglev_keeps_clients)
{
    keep_their_servers("balance = maglev\n");
}
END_TEST

/* Clients of all addresses go to one server: they all came to one address. */
START_TEST(maglev_by_destination)
{
    struct farm farm;
    farm_start(&farm, "balance = maglev\nhash = destination\n", four);
    unsigned which = served_by(&farm, 1);
    for (unsigned host = 2; host <= CLIENTS; host++)
        ck_assert_uint_eq(served_by(&farm, host), which);
    proxy_stop(&farm.proxy);
}
END_TEST

/* A name keeps its server; the hello is whole when it comes there. A client that does not speak TLS
 * is served as well. */
START_TEST(maglev_by_server_name)
{
    struct farm farm;
    unsigned chosen[12], used[SERVERS] = {0}, servers = 0;
    char address[32], name[32];
    if (!program_exists("openssl")) {
        skip_test("no openssl");
    }
    farm_start(&farm, "balance = maglev\nhash = sni\n", four);
    snprintf(address, sizeof address, "127.0.0.1:%u", farm.port);
    for (unsigned i = 0; i < 24; i++) {
        const char *argv[] = {"openssl",     "s_client", "-connect", address,
                              "-servername", name,       NULL};
        unsigned char head[4];
        snprintf(name, sizeof name, "name-%u.example", i / 2);
        pid_t client = program_start(&(struct program){.argv = argv});
        struct visit visit = await_server(&farm, -1);
        receive_exactly(visit.server, head, sizeof head); /* 16 was received with the visit */
        ck_assert_uint_eq(head[0], 3);
        kill(client, SIGKILL);
        wait_gone(client);
        close(visit.server);
        if (i % 2 == 0)
            chosen[i / 2] = visit.which;
        ck_assert_uint_eq(visit.which, chosen[i / 2]);
        used[visit.which]++;
    }
    for (unsigned i = 0; i < SERVERS; i++)
        servers += used[i] > 0;
    ck_assert_uint_ge(servers, 2);
    (void)served_by(&farm, 1);
    proxy_stop(&farm.proxy);
}
END_TEST

/* --- backups --- */

#define CHECKED "check = tcp\ncheck-interval = 100ms\nrise = 1\nfall = 1\n"

static const char *const with_backups[] = {"", "backup", "backup", NULL};

START_TEST(a_backup_takes_over_and_gives_back)
{
    struct farm farm;
    farm_start(&farm, CHECKED, with_backups);
    wait_check(&farm, 1, "up");
    ck_assert_uint_eq(served_by(&farm, 1), 0);
    struct visit stays = visit_as(&farm, 1);
    end_listener(&farm, 0);
    wait_usable(&farm, 1, true);
    ck_assert_uint_eq(served_by(&farm, 1), 1);
    wait_mentioned(farm.proxy.log, "backup server b takes over");
    proxy_reload(&farm.proxy);
    ck_assert_uint_eq(served_by(&farm, 1), 1);
    farm.listeners[0] = listen_on(farm.ports[0]);
    wait_usable(&farm, 0, true);
    ck_assert_uint_eq(served_by(&farm, 1), 0);
    wait_mentioned(farm.proxy.log, "the servers without the attribute backup serve again");
    leave(&stays);
    proxy_stop(&farm.proxy);
}
END_TEST

/* One writer: the backup that has taken over keeps the sessions, also over reloads, until it
 * fails. */
START_TEST(without_failback)
{
    struct farm farm;
    farm_start(&farm, CHECKED "failback = no\n", with_backups);
    wait_check(&farm, 2, "up");
    end_listener(&farm, 0);
    wait_usable(&farm, 1, true);
    end_listener(&farm, 1);
    wait_usable(&farm, 2, true);
    ck_assert_uint_eq(served_by(&farm, 1), 2);
    farm.listeners[0] = listen_on(farm.ports[0]);
    farm.listeners[1] = listen_on(farm.ports[1]);
    wait_check(&farm, 0, "up");
    wait_check(&farm, 1, "up");
    for (unsigned i = 0; i < 5; i++) {
        ck_assert_uint_eq(served_by(&farm, 1), 2);
        proxy_reload(&farm.proxy);
    }
    ck_assert_uint_eq(served_by(&farm, 1), 2);
    order(&farm, "main/c", "maint");
    wait_usable(&farm, 0, true);
    ck_assert_uint_eq(served_by(&farm, 1), 0);
    order(&farm, "main/c", "ready");
    ck_assert_uint_eq(served_by(&farm, 1), 0);
    proxy_wait_drained(&farm.proxy);
    proxy_stop(&farm.proxy);
}
END_TEST

START_TEST(all_backups_serve)
{
    struct farm farm;
    unsigned got[SERVERS] = {0};
    farm_start(&farm, CHECKED "backup = all\n", with_backups);
    wait_check(&farm, 1, "up");
    wait_check(&farm, 2, "up");
    order(&farm, "main/a", "drain");
    for (unsigned i = 0; i < 20; i++)
        got[served_by(&farm, 1)]++;
    ck_assert_uint_eq(got[0], 0);
    ck_assert_uint_ge(got[1], 8); /* each of two workers counts separately */
    ck_assert_uint_ge(got[2], 8);
    proxy_stop(&farm.proxy);
}
END_TEST

static pid_t start_redis(const char *name, char socket[static PATH_MAX])
{
    char log[PATH_MAX], file[NAME_MAX];
    snprintf(file, sizeof file, "redis-%s.sock", name);
    test_path(socket, file);
    snprintf(file, sizeof file, "redis-%s.log", name);
    test_path(log, file);
    const char *argv[] = {"redis-server", "--port", "0",     "--unixsocket",   socket,
                          "--save",       "",       "--dir", test_directory(), NULL};
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(socket_accepts, socket, "Redis listens");
    return server;
}

/* Writes by the proxy; returns what the server counts. */
static int count_up(const struct farm *farm)
{
    struct outcome outcome;
    char port[8];
    snprintf(port, sizeof port, "%u", farm->port);
    run(&outcome, "redis-cli", "-p", port, "incr", "n", NULL);
    ck_assert_msg(outcome.code == 0, "redis-cli: %s%s", outcome.out, outcome.err);
    return atoi(outcome.out);
}

/* Two Redis servers of which only one may be written to: a server that has died and come back does
 * not take writes away from the one that has taken over. */
START_TEST(one_writer_of_two)
{
    struct farm farm = {.port = port_reserve(getuid())};
    char sockets[2][PATH_MAX];
    if (!program_exists("redis-server") || !program_exists("redis-cli")) {
        skip_test("no Redis");
    }
    pid_t a = start_redis("a", sockets[0]), b = start_redis("b", sockets[1]);
    proxy_init(&farm.proxy, "proxy");
    proxy_configure(&farm.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\ncheck = tcp\ncheck-interval = 20ms\n"
                    "rise = 1\nfall = 1\non-down = close\nfailback = no\n"
                    "server = a unix:%s\nserver = b unix:%s backup\n",
                    farm.port, sockets[0], sockets[1]);
    proxy_start(&farm.proxy);
    wait_check(&farm, 1, "up");
    for (int i = 1; i <= 3; i++)
        ck_assert_int_eq(count_up(&farm), i);
    kill(a, SIGKILL);
    wait_gone(a);
    wait_usable(&farm, 1, true);
    ck_assert_int_eq(count_up(&farm), 1);
    a = start_redis("a", sockets[0]);
    wait_check(&farm, 0, "up");
    for (int i = 2; i <= 4; i++) {
        ck_assert_int_eq(count_up(&farm), i);
        proxy_reload(&farm.proxy);
    }
    ck_assert_int_eq(count_up(&farm), 5);
    order(&farm, "main/b", "drain"); /* the operator goes back */
    ck_assert_int_eq(count_up(&farm), 1);
    order(&farm, "main/b", "ready");
    ck_assert_int_eq(count_up(&farm), 2);
    proxy_wait_drained(&farm.proxy);
    proxy_stop(&farm.proxy);
    daemon_end(a, SIGTERM);
    daemon_end(b, SIGTERM);
}
END_TEST

/* --- slow start --- */

START_TEST(a_slow_start_outlives_reloads)
{
    struct farm farm;
    unsigned got[SERVERS] = {0};
    farm_start(&farm, "slow-start = 24h\n", (const char *const[]){"", "", NULL});
    ck_assert_int_eq(server_status(&farm.proxy, 0).share_percent, 100);
    order(&farm, "main/a", "maint");
    ck_assert_int_eq(server_status(&farm.proxy, 0).share_percent, 0);
    order(&farm, "main/a", "ready");
    for (unsigned round = 0; round < 2; round++) {
        ck_assert_int_eq(server_status(&farm.proxy, 0).share_percent, 5);
        for (unsigned i = 0; i < 63; i++)
            got[served_by(&farm, 1)]++;
        proxy_reload(&farm.proxy);
    }
    ck_assert_uint_ge(got[0], 4); /* 6 of 126, with the rounding of two workers and reloads */
    ck_assert_uint_le(got[0], 10);
    proxy_wait_drained(&farm.proxy);

    farm_configure(&farm, "slow-start = 200ms\n", (const char *const[]){"", "", NULL});
    proxy_reload(&farm.proxy);
    order(&farm, "main/b", "maint");
    order(&farm, "main/b", "ready");
    while (server_status(&farm.proxy, 1).share_percent < 100) /* time itself brings it about */
        poll(NULL, 0, 10);
    proxy_wait_drained(&farm.proxy);
    proxy_stop(&farm.proxy);
}
END_TEST

/* --- ejections --- */

/* Clients notice nothing of a server that refuses; after so many failures it gets no more of them,
 * also in the next process. */
START_TEST(a_server_that_refuses_is_ejected)
{
    struct farm farm;
    farm_init(&farm, "max-fails = 3\nfail-window = 1h\neject-time = 1h\n", four);
    end_listener(&farm, 1);
    proxy_start(&farm.proxy);
    for (unsigned i = 0; i < 40 && server_status(&farm.proxy, 1).ejected_ms == 0; i++)
        ck_assert_uint_ne(served_by(&farm, 1), 1);
    wait_mentioned(farm.proxy.log, "server main/b is ejected for 1h: 3 sessions failed");
    struct server_status status = server_status(&farm.proxy, 1);
    ck_assert_int_gt(status.ejected_ms, 0);
    ck_assert_str_eq(status.check, "off");
    ck_assert(!status.usable);
    farm.listeners[1] = listen_on(farm.ports[1]);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < 12; i++)
            ck_assert_uint_ne(served_by(&farm, 1), 1);
        proxy_reload(&farm.proxy);
        ck_assert_int_gt(server_status(&farm.proxy, 1).ejected_ms, 0);
    }
    static struct outcome outcome;
    ck_assert_int_eq(proxy_command(&farm.proxy, &outcome, "status", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "ejected for "));
    order(&farm, "main/b", "ready");
    unsigned got = 0;
    for (unsigned i = 0; i < 12; i++)
        got += served_by(&farm, 1) == 1;
    ck_assert_uint_ge(got, 2);
    proxy_wait_drained(&farm.proxy);
    proxy_stop(&farm.proxy);
}
END_TEST

/* A session goes to the server, which resets it before it says a byte. */
static bool reset_one(const struct farm *farm, unsigned which)
{
    struct visit visit = visit_as(farm, 1);
    bool reset = visit.which == which;
    if (reset) {
        send_reset(visit.server);
        expect_reset(visit.client);
    } else {
        close(visit.server);
    }
    close(visit.client);
    return reset;
}

/* Ejected for a time, and then for a longer time. Resets after a byte do not count. */
START_TEST(a_server_that_resets_is_ejected_for_a_time)
{
    struct farm farm;
    unsigned resets = 0;
    farm_start(&farm, "max-fails = 2\nfail-window = 1h\neject-time = 50ms\n",
               (const char *const[]){"", "", NULL});
    for (unsigned i = 0; i < 8; i++) { /* all servers reset, but not at once */
        struct visit visit = visit_as(&farm, 1);
        char byte;
        send_all(visit.server, "y", 1);
        receive_exactly(visit.client, &byte, 1);
        send_reset(visit.server);
        expect_reset(visit.client);
        close(visit.client);
    }
    ck_assert_uint_eq(file_mentions(farm.proxy.log, "is ejected"), 0);
    for (unsigned round = 1; round <= 2; round++) {
        while (resets < 2 * round)
            resets += reset_one(&farm, 1);
        wait_mentioned(farm.proxy.log, round == 1 ? "server main/b is ejected for 50ms"
                                                  : "server main/b is ejected for 100ms");
        wait_mentions(farm.proxy.log, "server main/b is back: its ejection is over", round);
        wait_usable(&farm, 1, true);
    }
    proxy_stop(&farm.proxy);
}
END_TEST

/* The last one serves, however much it fails; and an ejected one when no other is left. */
START_TEST(the_last_server_is_not_ejected)
{
    struct farm farm;
    farm_start(&farm, "max-fails = 1\nfail-window = 1h\neject-time = 1h\n",
               (const char *const[]){"", "", NULL});
    while (!reset_one(&farm, 1)) {
    }
    wait_usable(&farm, 1, false);
    for (unsigned i = 0; i < 3; i++)
        ck_assert(reset_one(&farm, 0));
    ck_assert_uint_eq(served_by(&farm, 1), 0);
    ck_assert_uint_eq(file_mentions(farm.proxy.log, "server main/a is ejected"), 0);
    order(&farm, "main/a", "drain");
    wait_mentioned(farm.proxy.log, "server main/b is back: no other server is usable");
    ck_assert_uint_eq(served_by(&farm, 1), 1);
    proxy_stop(&farm.proxy);
}
END_TEST

/* --- servers that come and go while workers choose; for ThreadSanitizer as well --- */

static void churn_with(const char *balance)
{
    struct proxy proxy;
    struct origin *origins[SERVERS];
    uint16_t port = port_reserve(getuid());
    char what[64];
    proxy_init(&proxy, balance);
    for (unsigned i = 0; i < SERVERS; i++)
        origins[i] = origin_start(ORIGIN_ANSWER);
    proxy_configure(&proxy,
                    "workers = 2\nmax-generations = 64\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "balance = %s\nslow-start = 50ms\nfailback = no\nmax-fails = 5\n"
                    "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u weight=7\n"
                    "server = c 127.0.0.1:%u backup\nserver = d 127.0.0.1:1\n",
                    port, balance, origin_port(origins[0]), origin_port(origins[1]),
                    origin_port(origins[2]));
    proxy_start(&proxy);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_loopback(port), .in_flight = 20});
    static const char *const orders[][2] = {
        {"main/a", "maint"}, {"main/b", "weight=0"}, {"main/a", "ready"}, {"main/b", "weight=200"},
        {"main/d", "drain"}, {"main/b", "drain"},    {"main/d", "ready"}, {"main/a", "weight=3"},
        {"main/c", "maint"}, {"main/b", "ready"},    {"main/c", "ready"}};
    for (unsigned i = 0; i < scaled(66, 22); i++) {
        static struct outcome outcome;
        const char *const *given = orders[i % (sizeof orders / sizeof *orders)];
        ck_assert_int_eq(proxy_command(&proxy, &outcome, "server", given[0], given[1], NULL), 0);
        churn_wait(churn, churn_ended(churn) + 20);
        if (i % 10 == 9)
            proxy_reload(&proxy);
    }
    snprintf(what, sizeof what, "balance = %s, while servers come and go", balance);
    churn_stop_clean(churn, what);
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}

START_TEST(servers_come_and_go)
{
    static const char *const balances[] = {"roundrobin", "leastconn", "random", "source", "maglev"};
    for (unsigned i = 0; i < sizeof balances / sizeof *balances; i++)
        churn_with(balances[i]);
}
END_TEST

Suite *balance_suite(void)
{
    Suite *suite = suite_create("balance");
    scenario_add(suite, leastconn_evens_the_sessions, 300);
    scenario_add(suite, leastconn_counts_what_drains, 300);
    scenario_add(suite, first_fills_the_first, 300);
    scenario_add(suite, first_goes_on_when_one_is_full, 300);
    scenario_add(suite, source_keeps_clients, 300);
    scenario_add(suite, maglev_keeps_clients, 300);
    scenario_add(suite, maglev_by_destination, 300);
    scenario_add(suite, maglev_by_server_name, 300);
    scenario_add(suite, a_backup_takes_over_and_gives_back, 300);
    scenario_add(suite, without_failback, 300);
    scenario_add(suite, all_backups_serve, 300);
    scenario_add(suite, one_writer_of_two, 300);
    scenario_add(suite, a_slow_start_outlives_reloads, 300);
    scenario_add(suite, a_server_that_refuses_is_ejected, 300);
    scenario_add(suite, a_server_that_resets_is_ejected_for_a_time, 300);
    scenario_add(suite, the_last_server_is_not_ejected, 300);
    scenario_add(suite, servers_come_and_go, 600);
    return suite;
}
