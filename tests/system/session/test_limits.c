/* Clients at a full limit: the order in which they are served, and the cost of waiting clients. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the workers of the proxy, and threads of a sanitizer --- */

/* A worker wakes when a connect-timeout is over though the server has been connected in time: it is
 * longer than each test here. The thread of the log wakes for each line. */

enum { THREADS_MAX = 40 };

struct threads {
    unsigned count;
    bool asleep; /* all threads */
    /* how often each thread has gone to sleep, in the order of the folder */
    unsigned slept[THREADS_MAX];
};

static void look_at_thread(struct threads *threads, pid_t pid, const char *tid)
{
    char path[64], text[4096];
    snprintf(path, sizeof path, "/proc/%d/task/%.16s/status", pid, tid);
    if (read_file(path, text, sizeof text) == 0) {
        return;
    }
    if (strncmp(text, "Name:\tlog\n", 10) == 0) {
        return;
    }
    const char *state = strstr(text, "\nState:\t"), *slept = strstr(text, "\nvoluntary_ctxt_");
    ck_assert(state != NULL && slept != NULL && threads->count < THREADS_MAX);
    threads->asleep = threads->asleep && state[8] == 'S';
    threads->slept[threads->count++] = (unsigned)strtoul(strchr(slept, '\t'), NULL, 10);
}

static void look_at_threads(struct threads *threads, pid_t pid)
{
    char path[64];
    *threads = (struct threads){.asleep = true};
    snprintf(path, sizeof path, "/proc/%d/task", pid);
    DIR *directory = opendir(path);
    ck_assert_ptr_nonnull(directory);
    const struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        if (entry->d_name[0] != '.' && atoi(entry->d_name) != pid) {
            look_at_thread(threads, pid, entry->d_name);
        }
    }
    closedir(directory);
}

/* Only threads that were there before count. */
static unsigned woken_since(const struct threads *now, const struct threads *before)
{
    unsigned woken = 0;
    for (unsigned i = 0; i < now->count && i < before->count; i++) {
        woken += now->slept[i] != before->slept[i];
    }
    return woken;
}

struct expectation {
    pid_t pid;
    struct threads before, now;
};

static bool sleeps(void *argument)
{
    struct expectation *expectation = argument;
    look_at_threads(&expectation->now, expectation->pid);
    return expectation->now.asleep;
}

static bool has_seen_something(void *argument)
{
    struct expectation *expectation = argument;
    return sleeps(argument) && woken_since(&expectation->now, &expectation->before) > 0;
}

/* Looks twice, since a thread that is about to be woken also sleeps. */
static struct threads settled(pid_t pid)
{
    struct expectation expectation = {.pid = pid};
    do {
        wait_until(sleeps, &expectation, "the workers sleep");
        expectation.before = expectation.now;
        wait_until(sleeps, &expectation, "the workers sleep");
    } while (woken_since(&expectation.now, &expectation.before) > 0);
    return expectation.now;
}

/* --- the order --- */

enum { CLIENTS = 24 };

static int server_of(const struct scene *scene, uint16_t *number)
{
    int server = accept_from(scene->listener);
    receive_exactly(server, number, sizeof *number);
    return server;
}

static int connect_numbered(const struct endpoint *front, uint16_t number)
{
    int client = connect_to(front);
    send_all(client, &number, sizeof number);
    return client;
}

/* Clients come one by one, to each front in turn, while another client has the only place. The
 * proxy has seen each of them before the next comes: a worker has woken. Then they close one by
 * one. */
static void expect_order(const struct scene *scene, const struct endpoint *fronts, unsigned count)
{
    int clients[CLIENTS], server;
    uint16_t number = 0;
    clients[0] = connect_numbered(&fronts[0], 0);
    server = server_of(scene, &number);
    ck_assert_uint_eq(number, 0);
    for (uint16_t i = 1; i < CLIENTS; i++) {
        struct expectation expectation = {.pid = scene->proxy.pid,
                                          .before = settled(scene->proxy.pid)};
        clients[i] = connect_numbered(&fronts[i % count], i);
        wait_until(has_seen_something, &expectation, "a worker has seen the client");
    }
    for (uint16_t i = 1; i < CLIENTS; i++) {
        session_close(&(struct session){.client = clients[number], .server = server});
        server = server_of(scene, &number);
        if (!sanitized()) { /* a sanitizer has a thread of its own, which also wakes */
            ck_assert_uint_eq(number, i);
        }
    }
    session_close(&(struct session){.client = clients[number], .server = server});
}

/* Where the limit is, and how clients come in. The kernel spreads connections over four workers. */
static const struct {
    const char *global, *frontend, *bind;
} ways[] = {
    {"max-sessions = 1\n", "", ""},
    {"", "max-sessions = 1\n", ""},
    {"max-sessions = 1\n", "max-sessions = 1\n", ""},
    {"max-sessions = 1\n", "", " accept=shared"},
    {"", "max-sessions = 1\n", " accept=shared"},
};

START_TEST(first_come_first_served)
{
    struct scene scene;
    scene_init(&scene);
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        proxy_configure(&scene.proxy,
                        "workers = 4\n%s[listen main]\nbind = 127.0.0.1:%u%s\n"
                        "server = a 127.0.0.1:%u\nconnect-timeout = 1h\n%s",
                        ways[i].global, scene.port, ways[i].bind, scene.server_port,
                        ways[i].frontend);
        proxy_start(&scene.proxy);
        expect_order(&scene, &scene.front, 1);
        proxy_stop(&scene.proxy);
    }
}
END_TEST

START_TEST(first_come_first_served_over_frontends)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    uint16_t other = port_reserve(getuid());
    proxy_configure(&scene.proxy,
                    "workers = 4\nmax-sessions = 1\n"
                    "[frontend one]\nbind = 127.0.0.1:%u\nbackend = all\n"
                    "[frontend two]\nbind = 127.0.0.1:%u\nbackend = all\nmax-sessions = 9\n"
                    "[frontend three]\nbind = unix:%s\nbackend = all\nmax-sessions = 1\n"
                    "[backend all]\nserver = a 127.0.0.1:%u\nconnect-timeout = 1h\n",
                    scene.port, other, test_path(path, "front.sock"), scene.server_port);
    proxy_start(&scene.proxy);
    struct endpoint fronts[] = {scene.front, endpoint_loopback(other), endpoint_unix(path)};
    expect_order(&scene, fronts, sizeof fronts / sizeof *fronts);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- the cost --- */

enum { FULL = 20, WAITING = 2, WORKERS = 16, EXCHANGES = 50 };

/* Twenty full frontends, waiting clients at each of them, and one free place that none of them can
 * use: no worker wakes. A place that a client can use wakes that client's worker. A worker wakes
 * for a connect-timeout though the server has been connected in time: none is over in this test. */
START_TEST(waiting_clients_cost_nothing)
{
    struct scene scene;
    struct session held[FULL];
    int waiting[FULL][WAITING];
    char text[4096];
    uint16_t ports[FULL];
    size_t length = 0;
    scene_init(&scene);
    for (unsigned i = 0; i < FULL; i++) {
        ports[i] = port_reserve(getuid());
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "[frontend f%u]\nbind = 127.0.0.1:%u\nbackend = all\n"
                                   "max-sessions = 1\n",
                                   i, ports[i]);
    }
    proxy_configure(&scene.proxy,
                    "workers = %u\nmax-sessions = %u\n%s"
                    "[frontend last]\nbind = 127.0.0.1:%u\nbackend = all\n"
                    "[backend all]\nserver = a 127.0.0.1:%u\nconnect-timeout = 1h\n",
                    WORKERS, FULL + 2, text, scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < FULL; i++) {
        struct endpoint front = endpoint_loopback(ports[i]);
        held[i] = session_through(&front, scene.listener);
        for (unsigned j = 0; j < WAITING; j++) {
            waiting[i][j] = connect_to(&front);
        }
    }
    struct session last = session_open(&scene); /* one place is left */
    session_works(&last);
    struct threads before = settled(scene.proxy.pid), after;
    for (unsigned i = 0; i < EXCHANGES; i++) {
        session_works(&last);
    }
    after = settled(scene.proxy.pid);
    ck_assert_uint_ge(after.count, WORKERS);
    if (!sanitized()) {
        ck_assert_uint_eq(woken_since(&after, &before), 1);
    }

    /* The worker of the session that ends, and the worker of the client that gets its place. */
    before = after;
    session_close(&held[0]);
    held[0].server = accept_from(scene.listener);
    after = settled(scene.proxy.pid);
    if (!sanitized()) {
        ck_assert_uint_le(woken_since(&after, &before), 2);
    }

    close(held[0].server);
    for (unsigned i = 0; i < FULL; i++) {
        for (unsigned j = 0; j < WAITING; j++) {
            send_reset(waiting[i][j]);
        }
    }
    for (unsigned i = 1; i < FULL; i++) {
        session_close(&held[i]);
    }
    session_close(&last);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *limits_suite(void)
{
    Suite *suite = suite_create("limits");
    scenario_add(suite, first_come_first_served, 300);
    scenario_add(suite, first_come_first_served_over_frontends, 300);
    scenario_add(suite, waiting_clients_cost_nothing, 300);
    return suite;
}
