/* Clients of the HTTP server that mean no good. They get little, and nobody else notices: sessions
 * go on, a probe is answered, and memory and descriptors stay within the bounds. */
#include "tests/system/scenarios.h"
#include "tests/system/support/http.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
START_TEST(wrong_passwords)
{
    struct scene scene;
    struct endpoint http;
    unsigned refused = 0, limited = 0, count = scaled(PASSWORDS, 200);
    hostile_begin(&scene, &http);
    int good = connect_to(&http), bad = connect_to(&http);
    ck_assert_int_eq(ask_with(good, RIGHT), 200);
    for (unsigned i = 0; i < count; i++) {
        int status = ask_with(bad, WRONG);
        refused += status == 401;
        limited += status == 429;
        if (i % 50 == 0)
            ck_assert_int_eq(ask_with(good, RIGHT), 200);
    }
    ck_assert_uint_eq(refused + limited, count);
    ck_assert_uint_gt(limited, 0);
    close(good);
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
    scenario_add(suite, a_megabyte_of_headers, 300);
    scenario_add(suite, smuggled_requests, 300);
    scenario_add(suite, wrong_passwords, 300);
    return suite;
}
