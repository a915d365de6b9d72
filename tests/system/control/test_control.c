/* Clients of the control socket that are broken, slow, gone, or many at once: the proxy serves on,
 * and the next correct request is answered. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { REQUESTS = 4000, REQUEST_MAX = 8192, IDLERS_MAX = 256, ROUNDS = 40, STOPS = 12 };

static int client_open(const struct proxy *proxy)
{
    struct endpoint control = endpoint_unix(proxy->control);
    return connect_to(&control);
}

/* The proxy may have closed the connection, so sending may fail. */
static void say(int client, const char *bytes, size_t length)
{
    (void)send(client, bytes, length, MSG_NOSIGNAL);
}

/* Reads until the proxy closes the connection. */
static void read_to_end(int client)
{
    char bytes[4096];
    ssize_t got;
    do {
        ck_assert_msg(readable_within(client, PATIENCE_MS), "neither an answer nor an end");
        got = recv(client, bytes, sizeof bytes, 0);
    } while (got > 0);
    close(client);
}

struct usage {
    pid_t pid;
    unsigned descriptors;
};

/* Without those of commands. */
static struct usage usage_now(const struct proxy *proxy)
{
    int client = proxy_after_commands(proxy);
    struct usage usage = {proxy->pid, process_descriptors(proxy->pid) - 1};
    close(client);
    return usage;
}

static bool descriptors_as_before(void *argument)
{
    const struct usage *usage = argument;
    return process_descriptors(usage->pid) <= usage->descriptors;
}

/* --- requests that are none ---------------------------------------------------------------- */

static const char *const seeds[] = {
    "{\"command\": \"status\"}",
    "{\"command\": \"config\"}",
    "{\"command\": \"promote\"}",
    "{\"command\": \"abort\"}",
    "{\"command\": \"canary\", \"plan\": \"100%:1s\"}",
    "{\"command\": \"canary\", \"plan\": \"5%:99999999999999999999d\"}",
    "{\"command\": \"canary\", \"plan\": {}}",
    "{\"command\": \"server\", \"server\": \"main/b\", \"set\": \"weight=99999999999\"}",
    "{\"command\": \"server\", \"server\": \"main/a/a\", \"set\": null}",
    "{\"command\": [\"stop\"], \"command\": {\"command\": \"stop\"}}",
    "{\"command\": \"\\u0000stop\", \"force\": 1e999}",
};

static void fill(char *request, size_t length, const char *pattern)
{
    for (size_t i = 0; i < length; i++) {
        request[i] = pattern[i % strlen(pattern)];
    }
}

/* Returns the length. The request has an end of line, or has none. */
static size_t compose(char request[static REQUEST_MAX])
{
    static const char *const patterns[] = {"[", "{\"a\":", "\xff\xfe", "9", "\"\\ud800", " ", "\r"};
    const char *seed = seeds[(unsigned)rand() % (sizeof seeds / sizeof *seeds)];
    size_t length = strlen(seed);
    memcpy(request, seed, length);
    switch (rand() % 4) {
    case 0: /* unchanged */
        break;
    case 1:
        for (int i = rand() % 5; i >= 0; i--) {
            request[(size_t)rand() % length] = (char)rand();
        }
        break;
    case 2:
        length = (size_t)rand() % length;
        break;
    default:
        length = (size_t)rand() % REQUEST_MAX;
        fill(request, length, patterns[(unsigned)rand() % (sizeof patterns / sizeof *patterns)]);
    }
    if (rand() % 4 != 0 && length < REQUEST_MAX) {
        request[length++] = '\n';
    }
    return length;
}

/* Sends the request whole or in pieces. Then closes, or half-closes, or reads what arrives. */
static void behave(int client, const char *request, size_t length)
{
    size_t first = rand() % 2 ? length : length / 2;
    say(client, request, first);
    say(client, request + first, length - first);
    int manner = rand() % 4;
    if (manner == 0) {
        shutdown(client, SHUT_WR);
        read_to_end(client);
        return;
    }
    if (manner == 1) {
        (void)readable_within(client, 1);
    }
    close(client);
}

START_TEST(nonsense)
{
    struct scene scene;
    struct outcome outcome;
    char request[REQUEST_MAX];
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    struct usage before = usage_now(&scene.proxy);
    unsigned long long size = 0;
    for (unsigned i = 0; i < scaled(REQUESTS, 200); i++) {
        size_t length = compose(request);
        behave(client_open(&scene.proxy), request, length);
        if (i == 100) {
            size = process_status(scene.proxy.pid, "VmRSS:", 10);
        }
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    wait_until(descriptors_as_before, &before, "no descriptor of a client is left");
    if (!sanitized()) {
        ck_assert_uint_lt(process_status(scene.proxy.pid, "VmRSS:", 10), size + 4096);
    }
    session_works(&session);
    proxy_reload(&scene.proxy);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- clients that stay --------------------------------------------------------------------- */

/* Connects until the proxy and then its queue are full. Some clients send a request, and none
 * reads. */
static unsigned connect_many(const struct usage *before, const struct proxy *proxy,
                             unsigned accepted, bool asks, int clients[static IDLERS_MAX])
{
    static const char *const requests[] = {"", "{\"command\": \"status\"}\n",
                                           "{\"command\": \"reload\"}\n",
                                           "{\"command\": \"abort\"}\n"};
    struct endpoint control = endpoint_unix(proxy->control);
    unsigned count = 0;
    for (;;) {
        ck_assert_uint_lt(count, IDLERS_MAX);
        int client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (connect(client, &control.any, control.length) == 0) {
            const char *request = requests[asks ? count % 4 : 0];
            say(client, request, strlen(request));
            clients[count++] = client;
            continue;
        }
        ck_assert_int_eq(errno, EAGAIN);
        close(client);
        if (process_descriptors(before->pid) >= before->descriptors + accepted) {
            return count;
        }
    }
}

/* No client can block the others for long: neither one that sends nothing, nor one that has its
 * answer and does not close. */
START_TEST(idle_clients_are_closed)
{
    enum { ACCEPTED = 32 };
    struct scene scene;
    struct outcome outcome;
    int clients[IDLERS_MAX];
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    write_file(scene.proxy.file, 0644, "[global]\ncontrol = %s\nnonsense\n", scene.proxy.control);
    struct usage before = usage_now(&scene.proxy);
    unsigned count = connect_many(&before, &scene.proxy, ACCEPTED, true, clients);
    session_works(&session);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    for (unsigned i = 0; i < ACCEPTED; i++) {
        read_to_end(clients[i]);
    }
    for (unsigned i = ACCEPTED; i < count; i++) {
        close(clients[i]);
    }
    wait_until(descriptors_as_before, &before, "no descriptor of a client is left");
    scene_configure(&scene, "", "");
    proxy_follow(&scene.proxy);
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The process does not run for longer than a command may do nothing: a command that waits for the
 * rest of a long answer meanwhile is not hung up on. */
START_TEST(a_long_answer_is_given_to_its_end)
{
    enum { SERVERS = 3000, STOPPED_MS = 11000 };
    static char answer[8 << 20];
    static const char question[] = "{\"command\": \"status\"}\n";
    struct scene scene;
    char *servers;
    size_t length;
    ssize_t got;
    FILE *file = open_memstream(&servers, &length);
    for (unsigned i = 0; i < SERVERS; i++) {
        fprintf(file, "server = s%u 127.0.0.1:%u\n", i, i + 1);
    }
    fclose(file);
    scene_start(&scene, "", servers);
    free(servers);
    int client = client_open(&scene.proxy);
    say(client, question, sizeof question - 1);
    do { /* the answer is the second line, which is longer than the socket's queue */
        receive_exactly(client, answer, 1);
    } while (answer[0] != '\n');
    receive_exactly(client, answer, 1);
    process_stop(scene.proxy.pid);
    for (length = 1;
         (got = recv(client, answer + length, sizeof answer - length, MSG_DONTWAIT)) > 0;)
        length += (size_t)got;
    ck_assert_ptr_null(memchr(answer, '\n', length));
    (void)poll(NULL, 0, STOPPED_MS);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGCONT), 0);
    while (answer[length - 1] != '\n') {
        got = recv(client, answer + length, sizeof answer - length, 0);
        ck_assert_msg(got > 0, "the answer ends after %zu bytes", length);
        length += (size_t)got;
    }
    close(client);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A command does not wait longer than its limit, though the proxy hangs and its queue is full. */
START_TEST(commands_give_up)
{
    struct scene scene;
    struct outcome outcome;
    int clients[IDLERS_MAX];
    scene_start(&scene, "", "");
    process_stop(scene.proxy.pid);
    int code = proxy_command(&scene.proxy, &outcome, "reload", "--timeout", "100ms", NULL);
    ck_assert_msg(code == 8, "exit %d: %s", code, outcome.err);
    struct usage before = {scene.proxy.pid, 0};
    unsigned count = connect_many(&before, &scene.proxy, 0, false, clients);
    code = proxy_command(&scene.proxy, &outcome, "stop", "--timeout", "100ms", NULL);
    ck_assert_msg(code == 8, "exit %d: %s", code, outcome.err);
    while (count > 0) {
        close(clients[--count]);
    }
    ck_assert_int_eq(kill(scene.proxy.pid, SIGCONT), 0);
    /* The reload that was asked for is done by now, or has begun. */
    wait_mentioned(scene.proxy.log, "reloaded: ");
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- everything at once -------------------------------------------------------------------- */

static const char *const orders[] = {
    "{\"command\": \"reload\"}", "{\"command\": \"canary\", \"plan\": \"50%:1h\"}",
    "{\"command\": \"promote\"}", "{\"command\": \"abort\"}", "{\"command\": \"reload\"}"};
enum { ORDERS = sizeof orders / sizeof *orders };

static void ask_all(const struct proxy *proxy, int clients[static ORDERS])
{
    unsigned first = (unsigned)rand();
    for (unsigned i = 0; i < ORDERS; i++) {
        clients[i] = client_open(proxy);
    }
    for (unsigned i = 0; i < ORDERS; i++) {
        const char *order = orders[(first + i * (1 + first % 4)) % ORDERS];
        say(clients[i], order, strlen(order));
        say(clients[i], "\n", 1);
        if (rand() % 3 == 0) {
            (void)poll(NULL, 0, rand() % 8); /* any order of events is allowed */
        }
    }
}

static bool is_quiet(void *argument)
{
    struct proxy *proxy = argument;
    struct status status;
    struct outcome outcome;
    if (!proxy_status(proxy, &status)) {
        return false;
    }
    if (status.count > 1) {
        (void)proxy_command(proxy, &outcome, "reload", "--abort", NULL);
    }
    proxy->pid = status.pid;
    proxy->generation = status.generation;
    return status.count == 1;
}

START_TEST(orders_at_once)
{
    struct scene scene;
    struct outcome outcome;
    int clients[ORDERS];
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    for (unsigned i = 0; i < scaled(ROUNDS, 8); i++) {
        ask_all(&scene.proxy, clients);
        for (unsigned j = 0; j < ORDERS; j++) {
            if (i % 2 == 0) {
                (void)readable_within(clients[j], rand() % 20);
            }
            close(clients[j]);
        }
        wait_until(is_quiet, &scene.proxy, "one process serves, and nothing is under way");
        session_works(&session);
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    session_works(&session);
    session_close(&session);
    wait_until(is_quiet, &scene.proxy, "one process serves, and nothing is under way");
    proxy_stop(&scene.proxy);
}
END_TEST

static bool no_process_answers(void *argument)
{
    struct status status;
    return !proxy_status(argument, &status);
}

/* A stop among the commands ends everything, whichever process serves by then. */
START_TEST(a_stop_among_them)
{
    struct scene scene;
    int clients[ORDERS];
    scene_start(&scene, "", "");
    for (unsigned i = 0; i < scaled(STOPS, 4); i++) {
        pid_t stop = 0;
        if (i % 2 == 0) {
            stop = proxy_command_start(&scene.proxy, NULL, "stop", NULL);
        }
        ask_all(&scene.proxy, clients);
        if (i % 2 != 0) {
            stop = proxy_command_start(&scene.proxy, NULL, "stop", NULL);
        }
        for (unsigned j = 0; j < ORDERS; j++) {
            read_to_end(clients[j]);
        }
        ck_assert_int_eq(wait_gone(stop), 0);
        wait_until(no_process_answers, &scene.proxy, "no process answers any more");
        wait_gone(scene.proxy.pid);
        ck_assert_uint_eq(orphans_failed(), 0);
        scene_configure(&scene, "", "");
        proxy_start(&scene.proxy);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *control_suite(void)
{
    Suite *suite = suite_create("control");
    scenario_add(suite, nonsense, 300);
    scenario_add(suite, idle_clients_are_closed, 300);
    scenario_add(suite, a_long_answer_is_given_to_its_end, 120);
    scenario_add(suite, commands_give_up, 120);
    scenario_add(suite, orders_at_once, 300);
    scenario_add(suite, a_stop_among_them, 300);
    return suite;
}
