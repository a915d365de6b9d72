/* Redis with Sentinel: the master hangs, Sentinel makes the replica the master, and clients of the
 * proxy come to it. HAProxy with the same check stands beside the proxy; its time is printed. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/server_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

struct node {
    char port[8];
    pid_t pid;
};

static bool port_accepts(void *port)
{
    struct endpoint where = endpoint_loopback((uint16_t)atoi(port));
    int client = try_connect(&where);
    return client >= 0 && close(client) == 0;
}

static void start_node(struct node *node, const char *name, const char *master)
{
    char log[PATH_MAX], file[32];
    free_port(node->port);
    snprintf(file, sizeof file, "%s.log", name);
    test_path(log, file);
    const char *argv[] = {"redis-server",
                          "--port",
                          node->port,
                          "--bind",
                          "127.0.0.1",
                          "--save",
                          "",
                          "--repl-diskless-sync-delay",
                          "0",
                          "--dir",
                          test_directory(),
                          master ? "--replicaof" : NULL,
                          "127.0.0.1",
                          master,
                          NULL};
    node->pid = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(port_accepts, node->port, "Redis listens");
}

static void start_sentinel(const char *master)
{
    char port[8], file[PATH_MAX], log[PATH_MAX];
    free_port(port);
    write_file(test_path(file, "sentinel.conf"), 0644,
               "port %s\nbind 127.0.0.1\ndir %s\nsentinel monitor m 127.0.0.1 %s 1\n"
               "sentinel down-after-milliseconds m 500\nsentinel failover-timeout m 5000\n",
               port, test_directory(), master);
    const char *argv[] = {"redis-server", file, "--sentinel", NULL};
    program_start(
        &(struct program){.argv = argv, .out = test_path(log, "sentinel.log"), .err = log});
    wait_mentioned(log, "+slave slave");
}

static void start_haproxy(const char *port, const struct node *a, const struct node *b)
{
    char file[PATH_MAX], log[PATH_MAX];
    write_file(test_path(file, "haproxy.cfg"), 0644,
               "defaults\n  mode tcp\n  timeout connect 1s\n  timeout client 60s\n"
               "  timeout server 60s\nlisten redis\n  bind 127.0.0.1:%s\n  option tcp-check\n"
               "  tcp-check connect\n  tcp-check send PING\\r\\n\n  tcp-check expect string +PONG\n"
               "  tcp-check send info\\ replication\\r\\n\n  tcp-check expect string role:master\n"
               "  default-server check inter 100ms fall 1 rise 1 on-marked-down shutdown-sessions\n"
               "  timeout check 500ms\n  server a 127.0.0.1:%s\n  server b 127.0.0.1:%s\n",
               port, a->port, b->port);
    const char *program = program_exists("haproxy") ? "haproxy" : "/usr/sbin/haproxy";
    const char *argv[] = {program, "-db", "-f", file, NULL};
    program_start(
        &(struct program){.argv = argv, .out = test_path(log, "haproxy.out"), .err = log});
}

/* Whether a write through that port is acknowledged within a tenth of a second. */
static bool write_through(const char *port, const char *command)
{
    char answer[8] = "";
    struct endpoint where = endpoint_loopback((uint16_t)atoi(port));
    int client = try_connect(&where);
    if (client < 0)
        return false;
    bool sent = send(client, command, strlen(command), MSG_NOSIGNAL) == (ssize_t)strlen(command);
    if (sent && readable_within(client, 100))
        (void)!recv(client, answer, sizeof answer - 1, 0);
    close(client);
    return strncmp(answer, "+OK", 3) == 0;
}

static bool can_write(void *port)
{
    return write_through(port, "SET ready 1\r\n");
}

/* Milliseconds from `since` to the first write through each port. */
static void measure(const char *const ports[2], int64_t since, int64_t times[2])
{
    times[0] = times[1] = 0;
    while (times[0] == 0 || times[1] == 0) {
        for (unsigned i = 0; i < 2; i++)
            if (ports[i] && times[i] == 0 && write_through(ports[i], "SET after 1\r\n"))
                times[i] = now_ms() - since;
        if (!ports[1])
            times[1] = -1;
        ck_assert_msg(now_ms() - since < PATIENCE_MS, "no write in time");
    }
}

static void expect_value(const struct node *node, const char *key, const char *value)
{
    struct outcome outcome;
    run(&outcome, "redis-cli", "-p", node->port, "GET", key, NULL);
    ck_assert_msg(strncmp(outcome.out, value, strlen(value)) == 0, "%s: %s", key, outcome.out);
}

START_TEST(sentinel)
{
    if (!program_exists("redis-server"))
        skip_test("no redis-server");
    struct node a, b;
    struct proxy proxy;
    char front[8], other[8];
    static const char kept[] = "SET before 1\r\nWAIT 1 0\r\n";
    bool haproxy = program_exists("haproxy") || program_exists("/usr/sbin/haproxy");
    start_node(&a, "a", NULL);
    start_node(&b, "b", a.port);
    start_sentinel(a.port);
    free_port(front);
    free_port(other);
    if (haproxy)
        start_haproxy(other, &a, &b);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 1\n[listen redis]\nbind = 127.0.0.1:%s\ncheck = redis\n"
                    "check-role = master\ncheck-interval = 100ms\ncheck-timeout = 3s\n"
                    "rise = 1\nfall = 1\non-down = close\n"
                    "server = a 127.0.0.1:%s\nserver = b 127.0.0.1:%s\n",
                    front, a.port, b.port);
    proxy_start(&proxy);
    server_await(&proxy, "redis", "a", "up", NULL);
    server_await(&proxy, "redis", "b", "down", "is a replica");
    wait_until(can_write, front, "a write through the proxy");
    if (haproxy)
        wait_until(can_write, other, "a write through HAProxy");

    /* A session with the master, whose write has come to the replica. */
    struct endpoint where = endpoint_loopback((uint16_t)atoi(front));
    char answers[9];
    int client = connect_to(&where);
    send_all(client, kept, sizeof kept - 1);
    receive_exactly(client, answers, sizeof answers);
    ck_assert_mem_eq(answers, "+OK\r\n:1\r\n", sizeof answers);

    int64_t times[2], since = now_ms();
    process_stop(a.pid);
    measure((const char *const[]){front, haproxy ? other : NULL}, since, times);
    expect_reset(client);
    expect_value(&b, "before", "1");
    expect_value(&b, "after", "1");
    server_await(&proxy, "redis", "b", "up", NULL);
    server_await(&proxy, "redis", "a", "down", NULL);

    /* The old master comes back, and Sentinel makes a replica of it. */
    ck_assert_int_eq(kill(a.pid, SIGCONT), 0);
    server_await(&proxy, "redis", "a", "down", "is a replica");
    expect_value(&b, "before", "1");
    if (haproxy)
        printf("     first write on the new master: %lld ms, through HAProxy %lld ms\n",
               (long long)times[0], (long long)times[1]);
    else
        printf("     first write on the new master: %lld ms (no HAProxy)\n", (long long)times[0]);
    proxy_stop(&proxy);
}
END_TEST

Suite *sentinel_suite(void)
{
    Suite *suite = suite_create("sentinel");
    scenario_add(suite, sentinel, 240);
    return suite;
}
