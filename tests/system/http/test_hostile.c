/* Clients of the HTTP server that mean no good. They get little, and nobody else notices: sessions
 * go on, a probe is answered, and memory and descriptors stay within the bounds. */
#include "tests/system/scenarios.h"
#include "tests/system/support/http.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

enum { CONNECTIONS = 1000, CLIENTS_MOST = 128, SLOW = 100, PASSWORDS = 1000 };

/* root:secret */
#define USERS "root:$5$rounds=1000$pagetest$KGLtmJyOeUnDZgSDnDXMm0GbFX1saaAJA3t.wugDiQ1:admin\n"
#define RIGHT "Authorization: Basic cm9vdDpzZWNyZXQ=\r\n"
#define WRONG "Authorization: Basic cm9vdDp3cm9uZw==\r\n"

static void hostile_begin(struct scene *scene, struct endpoint *http)
{
    char global[PATH_MAX + 256], users[PATH_MAX];
    uint16_t port = port_reserve(getuid());
    const struct rlimit files = {.rlim_cur = 4096, .rlim_max = 4096};
    (void)setrlimit(RLIMIT_NOFILE, &files);
    write_file(test_path(users, "users"), 0600, "%s", USERS);
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\nmetrics-auth = %s\n", port, users);
    scene_start(scene, global, "");
    *http = endpoint_loopback(port);
}

/* Others do not notice. */
static void expect_unnoticed(const struct scene *scene, const struct endpoint *http)
{
    struct session session = session_open(scene);
    session_works(&session);
    session_close(&session);
    http_expect(http, "/healthz", 200, "ok");
}

static unsigned long long memory_of(const struct scene *scene)
{
    return process_status(scene->proxy.pid, "VmRSS:", 10);
}

static void close_all(const int *sockets, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        if (sockets[i] >= 0)
            close(sockets[i]);
}

START_TEST(a_thousand_connections)
{
    static int sockets[CONNECTIONS];
    struct scene scene;
    struct endpoint http;
    unsigned count = scaled(CONNECTIONS, 300);
    hostile_begin(&scene, &http);
    unsigned descriptors = process_descriptors(scene.proxy.pid);
    unsigned long long memory = memory_of(&scene);
    static const char half[] = "GET /metrics HTTP/1.1\r\nHost: local";
    for (unsigned i = 0; i < count; i++) {
        sockets[i] = connect_to(&http);
        if (i % 2)
            (void)send(sockets[i], half, sizeof half - 1, MSG_NOSIGNAL);
    }
    expect_unnoticed(&scene, &http);
    ck_assert_uint_le(process_descriptors(scene.proxy.pid), descriptors + CLIENTS_MOST + 16);
    if (!sanitized())
        ck_assert_uint_lt(memory_of(&scene), memory + 32 * 1024);
    close_all(sockets, count);
    proxy_stop(&scene.proxy);
}
END_TEST

/* They ask for much, one question behind the other, and read nothing. */
START_TEST(readers_that_do_not_read)
{
    static int sockets[SLOW];
    struct scene scene;
    struct endpoint http;
    static const char request[] = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n" RIGHT "\r\n";
    hostile_begin(&scene, &http);
    unsigned long long memory = memory_of(&scene);
    for (unsigned i = 0; i < SLOW; i++) {
        sockets[i] = connect_to(&http);
        ck_assert_int_eq(setsockopt(sockets[i], SOL_SOCKET, SO_RCVBUF, &(int){4096}, sizeof(int)),
                         0);
        for (unsigned j = 0; j < 100; j++)
            (void)send(sockets[i], request, sizeof request - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    }
    expect_unnoticed(&scene, &http);
    if (!sanitized())
        ck_assert_uint_lt(memory_of(&scene), memory + 100 * 1024);
    close_all(sockets, SLOW);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The process does not run for longer than a client may do nothing. The question that has come
 * meanwhile is answered. */
START_TEST(a_question_while_the_process_does_not_run)
{
    enum { STOPPED_MS = 31000 };
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct scene scene;
    struct endpoint http;
    struct response response;
    hostile_begin(&scene, &http);
    int socket = connect_to(&http);
    for (unsigned i = 0; i < 2; i++) { /* the first one shows that the connection is accepted */
        if (i == 1)
            process_stop(scene.proxy.pid);
        send_all(socket, request, sizeof request - 1);
        if (i == 1) {
            (void)poll(NULL, 0, STOPPED_MS);
            ck_assert_int_eq(kill(scene.proxy.pid, SIGCONT), 0);
        }
        ck_assert_msg(http_receive(socket, false, &response), "no answer to question %u", i);
        ck_assert_int_eq(response.status, 200);
        response_free(&response);
    }
    close(socket);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A head without an end: the server hangs up, and keeps nothing of it. */
START_TEST(a_megabyte_of_headers)
{
    struct scene scene;
    struct endpoint http;
    char line[1024];
    hostile_begin(&scene, &http);
    for (unsigned shape = 0; shape < 3; shape++) {
        int socket = connect_to(&http);
        static const char begin[] = "GET / HTTP/1.1\r\nHost: localhost\r\n";
        size_t sent = 0;
        send_all(socket, begin, sizeof begin - 1);
        memset(line, 'x', sizeof line);
        if (shape == 1) /* many lines */
            memcpy(line + sizeof line - 2, "\r\n", 2), line[1] = ':';
        if (shape == 2) /* a folded one */
            memcpy(line + sizeof line - 3, "\r\n ", 3), line[1] = ':';
        while (sent < 1024 * 1024) {
            ssize_t length = send(socket, line, sizeof line, MSG_NOSIGNAL);
            if (length < 0)
                break;
            sent += (size_t)length;
        }
        struct response response;
        if (http_receive(socket, false, &response)) {
            ck_assert_int_ge(response.status, 400);
            response_free(&response);
        }
        close(socket);
    }
    expect_unnoticed(&scene, &http);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Each request of which two programs could see different ends is refused, and what stands behind it
 * is no request. */
START_TEST(smuggled_requests)
{
    static const char *const heads[] = {
        "POST /change HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n"
        "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "POST /change HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nContent-Length: "
        "50\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: xchunked\r\n\r\n",
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n\r\n",
    };
    static const char behind[] = "GET /ready HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct scene scene;
    struct endpoint http;
    hostile_begin(&scene, &http);
    for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
        char text[512];
        struct response response;
        int socket = connect_to(&http);
        snprintf(text, sizeof text, "%s%s", heads[i], behind);
        send_all(socket, text, strlen(text));
        ck_assert_msg(http_receive(socket, false, &response), "%s", heads[i]);
        ck_assert_msg(response.status >= 400 && response.ends, "%s: %d", heads[i], response.status);
        response_free(&response);
        ck_assert_msg(!http_receive(socket, false, &response), "an answer behind %s", heads[i]);
        close(socket);
    }
    expect_unnoticed(&scene, &http);
    proxy_stop(&scene.proxy);
}
END_TEST

static int ask_with(int socket, const char *authorization)
{
    char text[512];
    struct response response;
    snprintf(text, sizeof text, "GET /metrics HTTP/1.1\r\nHost: localhost\r\n%s\r\n",
             authorization);
    send_all(socket, text, strlen(text));
    ck_assert(http_receive(socket, false, &response));
    int status = response.status;
    response_free(&response);
    return status;
}

/* After some wrong passwords no further one is looked at for a while; a user that was right before
 * is served all the time. */
/* --- configurations -------------------------------------------------------------------------- */

/* guest:look */
#define GUEST      "Authorization: Basic Z3Vlc3Q6bG9vaw==\r\n"
#define GUEST_LINE "guest:$5$rounds=1000$pagetest$EKt0igr1YdXTkvZh5zMB.pUbNhUYGhNKbFo365IrLs4\n"

static int status_of(const struct endpoint *http, const char *path, const char *head,
                     const char *text)
{
    struct response response;
    http_ask(http, "GET", path, head, NULL, &response);
    ck_assert_msg(strstr(response.body, text) != NULL, "%s: %s", path, response.body);
    int status = response.status;
    response_free(&response);
    return status;
}

static void configure(const struct scene *scene, uint16_t port, bool auth, const char *password)
{
    char global[3 * PATH_MAX], line[PATH_MAX + 32] = "", path[PATH_MAX], rest[256];
    if (auth)
        snprintf(line, sizeof line, "metrics-auth = %s\n", test_path(path, "users"));
    snprintf(global, sizeof global,
             "metrics = 127.0.0.1:%u\nhistory = %s\nhistory-keep = 3\ndrain = wait\n%s", port,
             test_path(path, "history"), line);
    snprintf(rest, sizeof rest,
             "check = redis\ncheck-initial = up\ncheck-interval = 1h\ncheck-user = me\n"
             "check-password = %s\n",
             password);
    scene_configure(scene, global, rest);
}

/* Who may not read configurations, in what form nobody may ask, and what nobody is shown. */
START_TEST(configurations_are_for_few)
{
    static const char *const wrong[] = {"/diff",
                                        "/diff?from=1",
                                        "/diff?from=1&to=0",
                                        "/diff?from=1&to=-1",
                                        "/diff?from=&to=2",
                                        "/diff?from=1&to=2x",
                                        "/diff?from=1&to=99999999999",
                                        "/diff?from=%00&to=%0a",
                                        "/diff?from=1&from=2",
                                        "/diff?from=../1&to=../2"};
    static const char evil[] =
        "GET /diff?from=1&to=2 HTTP/1.1\r\nHost: evil.example\r\n" RIGHT "\r\n";
    const uint16_t port = port_reserve(getuid());
    const struct endpoint http = endpoint_loopback(port);
    char path[PATH_MAX];
    struct scene scene;
    struct response response;
    write_file(test_path(path, "users"), 0600, "%s", USERS GUEST_LINE);
    scene_init(&scene);
    configure(&scene, port, true, "hush-hush");
    proxy_start(&scene.proxy);
    configure(&scene, port, true, "oh-so-quiet");
    proxy_reload(&scene.proxy);

    ck_assert_int_eq(status_of(&http, "/diff?from=1&to=2", "", "a name and its password"), 401);
    ck_assert_int_eq(status_of(&http, "/diff?from=1&to=2", GUEST, ":admin"), 403);
    ck_assert_int_eq(
        status_of(&http, "/diff?from=1&to=2", RIGHT "Sec-Fetch-Site: cross-site\r\n", ""), 403);
    int socket = connect_to(&http);
    send_all(socket, evil, sizeof evil - 1);
    ck_assert(http_receive(socket, false, &response));
    ck_assert_int_eq(response.status, 403);
    response_free(&response);
    close(socket);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(status_of(&http, wrong[i], RIGHT, "the form is"), 400);
    http_ask(&http, "POST", "/diff?from=1&to=2", RIGHT, "", &response);
    ck_assert_int_eq(response.status, 405);
    response_free(&response);

    http_ask(&http, "GET", "/diff?from=1&to=2", RIGHT "Sec-Fetch-Site: same-origin\r\n", NULL,
             &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_nonnull(strstr(response.body, "\n-check-password = (hidden)\n"));
    ck_assert_ptr_nonnull(strstr(response.body, "\n+check-password = (hidden)\n"));
    ck_assert_ptr_null(strstr(response.body, "hush"));
    ck_assert_ptr_null(strstr(response.body, "quiet"));
    ck_assert_ptr_nonnull(strstr(response.head, "Content-Type: text/plain"));
    ck_assert_ptr_nonnull(strstr(response.head, "X-Content-Type-Options: nosniff"));
    ck_assert_ptr_nonnull(strstr(response.head, "Cache-Control: no-store"));
    response_free(&response);
    wait_mentioned(scene.proxy.log, "user root: looks at the difference of generations 1 and 2");
    ck_assert_int_eq(status_of(&http, "/diff?from=2&to=2", RIGHT, ""), 200);
    /* It goes while the page is open. */
    for (unsigned i = 0; i < 3; i++)
        proxy_reload(&scene.proxy);
    ck_assert_int_eq(
        status_of(&http, "/diff?from=1&to=5", RIGHT, "no configuration of generation 1"), 404);
    /* Without users nobody can tell who asks. */
    configure(&scene, port, false, "x");
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(status_of(&http, "/diff?from=5&to=6", "", ":admin"), 403);
    ck_assert_int_eq(status_of(&http, "/timeline", "", "\"generation\":6"), 200);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A file of the history of so many bytes, each a line or many. */
static void write_history(unsigned generation, size_t size, const char *line)
{
    char path[PATH_MAX], name[64];
    snprintf(name, sizeof name, "history/generation-%u.ini", generation);
    FILE *file = fopen(test_path(path, name), "we");
    ck_assert_ptr_nonnull(file);
    fprintf(file, "; rpproxy history: {\"generation\":%u}\n", generation);
    for (size_t length = 0; length + strlen(line) <= size; length += strlen(line))
        fputs(line, file);
    ck_assert_int_eq(fclose(file), 0);
}

/* The folder may have anything in it. */
START_TEST(a_history_of_nonsense)
{
    enum { MEGABYTE = 1 << 20 };
    const uint16_t port = port_reserve(getuid());
    const struct endpoint http = endpoint_loopback(port);
    char path[PATH_MAX];
    struct scene scene;
    struct response response;
    write_file(test_path(path, "users"), 0600, "%s", USERS);
    ck_assert_int_eq(mkdir(test_path(path, "history"), 0700), 0);
    write_history(1, MEGABYTE - 200, "\n");
    write_history(2, MEGABYTE - 200, "x\n\n");
    write_history(3, 2 * MEGABYTE, "server = a 127.0.0.1:1\n");
    write_history(4, 0, "\n");
    write_file(test_path(path, "history/generation-5.ini"), 0600, "\xff\xfe nothing");
    write_file(test_path(path, "history/generation-6.ini"), 0600,
               "; rpproxy history: {\"generation\":6,\"by\":\"\xff\"}\n");
    ck_assert_int_eq(mkfifo(test_path(path, "history/generation-7.ini"), 0600), 0);
    ck_assert_int_eq(symlink("/etc/passwd", test_path(path, "history/generation-8.ini")), 0);
    ck_assert_int_eq(mkdir(test_path(path, "history/generation-9.ini"), 0700), 0);
    scene_init(&scene);
    char global[2 * PATH_MAX + 256], history[PATH_MAX];
    snprintf(global, sizeof global,
             "metrics = 127.0.0.1:%u\nmetrics-auth = %s\nhistory = %s\nhistory-keep = 100\n", port,
             test_path(path, "users"), test_path(history, "history"));
    scene_configure(&scene, global, "");
    proxy_start(&scene.proxy);
    unsigned long long memory = memory_of(&scene);

    http_ask(&http, "GET", "/timeline", RIGHT, NULL, &response);
    ck_assert_int_eq(response.status, 200);
    json_t *object = json_loads(response.body, 0, NULL);
    ck_assert_msg(json_array_size(json_object_get(object, "history")) == 5, "%s", response.body);
    json_decref(object);
    response_free(&response);
    for (unsigned i = 0; i < 10; i++)
        ck_assert_int_eq(status_of(&http, "/diff?from=1&to=2", RIGHT, "\n... and more"), 200);
    ck_assert_int_eq(status_of(&http, "/diff?from=3&to=2", RIGHT, "too large"), 413);
    for (unsigned i = 4; i < 10; i++) {
        char query[64];
        snprintf(query, sizeof query, "/diff?from=1&to=%u", i);
        ck_assert_int_eq(status_of(&http, query, RIGHT, "no configuration of generation"), 404);
    }
    if (!sanitized())
        ck_assert_uint_lt(memory_of(&scene), memory + 100 * 1024);
    expect_unnoticed(&scene, &http);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(wrong_passwords)
{
    struct scene scene;
    struct endpoint http;
    unsigned refused = 0, limited = 0, count = scaled(PASSWORDS, 200);
    hostile_begin(&scene, &http);
    int bad = connect_to(&http);
    for (unsigned i = 0; i < count; i++) {
        int status = ask_with(bad, WRONG);
        refused += status == 401;
        limited += status == 429;
        if (i % 50 == 0) {
            int good = connect_to(&http); /* one that is idle for long would be closed */
            ck_assert_int_eq(ask_with(good, RIGHT), 200);
            close(good);
        }
    }
    ck_assert_uint_eq(refused + limited, count);
    ck_assert_uint_gt(limited, 0);
    close(bad);
    expect_unnoticed(&scene, &http);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *hostile_suite(void)
{
    Suite *suite = suite_create("hostile");
    scenario_add(suite, a_thousand_connections, 300);
    scenario_add(suite, readers_that_do_not_read, 300);
    scenario_add(suite, a_question_while_the_process_does_not_run, 300);
    scenario_add(suite, a_megabyte_of_headers, 300);
    scenario_add(suite, smuggled_requests, 300);
    scenario_add(suite, configurations_are_for_few, 300);
    scenario_add(suite, a_history_of_nonsense, 300);
    scenario_add(suite, wrong_passwords, 300);
    return suite;
}
