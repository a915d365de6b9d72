/* The status page, by a browser; and what may be changed by it. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/http.h"
#include "tests/system/support/scene.h"

#include <jansson.h>
#include <libgen.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* root:secret, guest:look */
#define USERS                                                                                      \
    "root:$5$rounds=1000$pagetest$KGLtmJyOeUnDZgSDnDXMm0GbFX1saaAJA3t.wugDiQ1:admin\n"             \
    "guest:$5$rounds=1000$pagetest$EKt0igr1YdXTkvZh5zMB.pUbNhUYGhNKbFo365IrLs4\n"
#define ROOT  "Authorization: Basic cm9vdDpzZWNyZXQ=\r\n"
#define GUEST "Authorization: Basic Z3Vlc3Q6bG9vaw==\r\n"

static uint16_t page_begin(struct scene *scene, const char *rest, struct endpoint *http)
{
    char global[2 * PATH_MAX + 256], users[PATH_MAX], history[PATH_MAX];
    uint16_t port = port_reserve(getuid());
    write_file(test_path(users, "users"), 0600, "%s", USERS);
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\nmetrics-auth = %s\nhistory = %s\n",
             port, users, test_path(history, "history"));
    scene_start(scene, global, rest);
    *http = endpoint_loopback(port);
    return port;
}

/* Where the pictures are kept: beside the binary. */
static void picture_path(char path[static PATH_MAX])
{
    char binary[PATH_MAX];
    snprintf(binary, sizeof binary, "%s", proxy_binary());
    snprintf(path, PATH_MAX, "%s/status-page.png", dirname(binary));
}

START_TEST(the_page_in_a_browser)
{
    struct scene scene;
    struct endpoint http;
    struct outcome outcome;
    char address[64], front[64], picture[PATH_MAX];
    struct stat status;
    if (!program_exists("chromium"))
        skip_test("no chromium");
    snprintf(address, sizeof address, "127.0.0.1:%u",
             page_begin(&scene,
                        "server = spare 127.0.0.1:1 backup maxconn=50\nmax-sessions = 300\n"
                        "max-queue = 40\n",
                        &http));
    snprintf(front, sizeof front, "127.0.0.1:%u", scene.port);
    for (unsigned i = 0; i < 5; i++) {
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
    }
    struct session live = session_open(&scene);
    session_works(&live);
    picture_path(picture);
    const char *argv[] = {"python3",        "tests/system/http/page.py",
                          address,          front,
                          scene.proxy.file, proxy_binary(),
                          picture,          NULL};
    /* Longer than the patience of the program, so that it can say what was not there. */
    program_run(&(struct program){.argv = argv, .family = true}, 2 * PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 0, "%s%s", outcome.out, outcome.err);
    ck_assert_int_eq(stat(picture, &status), 0);
    ck_assert_int_gt(status.st_size, 10000);
    session_works(&live);
    session_close(&live);
    wait_mentioned(scene.proxy.log, "status page: user root: server main/a weight=7");
    wait_mentioned(scene.proxy.log,
                   "reload: user root of the status page orders that it is called off");
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    /* Those that the browser's script had opened: this test has not accepted them. */
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", "frontend=main", NULL), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The token that the page of an admin is told. */
static void read_token(const struct endpoint *http, char token[static 64])
{
    static const char request[] = "GET /events HTTP/1.1\r\nHost: localhost\r\n" ROOT "\r\n";
    char text[65536] = "";
    size_t length = 0;
    int socket = connect_to(http);
    send_all(socket, request, sizeof request - 1);
    while (!strstr(text, "\"token\":\"") || !strchr(strstr(text, "\"token\":\"") + 9, '"')) {
        receive_exactly(socket, text + length, 1);
        ck_assert_uint_lt(++length, sizeof text - 1);
    }
    ck_assert_int_eq(sscanf(strstr(text, "\"token\":\"") + 9, "%63[0-9a-f]", token), 1);
    close(socket);
}

static int post(const struct endpoint *http, const char *head, const char *body)
{
    struct response response;
    http_ask(http, "POST", "/change", head, body, &response);
    int status = response.status;
    response_free(&response);
    return status;
}

/* Each guard alone refuses, and nothing is changed by a refused request. */
START_TEST(changes_need_leave)
{
    struct scene scene;
    struct endpoint http;
    struct outcome outcome;
    char token[64], good[512], head[1024];
    static const char body[] = "action=server&server=main/a&set=maint";
    static const char form[] = "Content-Type: application/x-www-form-urlencoded\r\n";
    page_begin(&scene, "", &http);
    read_token(&http, token);
    snprintf(good, sizeof good, "%sOrigin: http://localhost\r\nX-CSRF-Token: %s\r\n", form, token);

    ck_assert_int_eq(post(&http, good, body), 401);
    snprintf(head, sizeof head, "%sAuthorization: Basic cm9vdDp3cm9uZw==\r\n", good);
    ck_assert_int_eq(post(&http, head, body), 401);
    snprintf(head, sizeof head, "%s" GUEST, good);
    ck_assert_int_eq(post(&http, head, body), 403);
    snprintf(head, sizeof head, ROOT "%sOrigin: http://localhost\r\n", form);
    ck_assert_int_eq(post(&http, head, body), 403);
    snprintf(head, sizeof head, ROOT "%sOrigin: http://localhost\r\nX-CSRF-Token: %s0\r\n", form,
             token);
    ck_assert_int_eq(post(&http, head, body), 403);
    snprintf(head, sizeof head, ROOT "%sOrigin: http://evil.example\r\nX-CSRF-Token: %s\r\n", form,
             token);
    ck_assert_int_eq(post(&http, head, body), 403);
    snprintf(head, sizeof head, ROOT "%sX-CSRF-Token: %s\r\n", form, token);
    ck_assert_int_eq(post(&http, head, body), 403);
    snprintf(head, sizeof head, ROOT "Origin: http://localhost\r\nX-CSRF-Token: %s\r\n", token);
    ck_assert_int_eq(post(&http, head, body), 403);
    /* A second Host is ambiguous; another site's name that leads here is refused. */
    snprintf(head, sizeof head, ROOT "%sHost: evil.example\r\n", good);
    ck_assert_int_eq(post(&http, head, body), 400);
    snprintf(head, sizeof head,
             "POST /change HTTP/1.1\r\nHost: evil.example\r\n" ROOT
             "%sOrigin: http://evil.example\r\nX-CSRF-Token: %s\r\nContent-Length: %zu\r\n\r\n%s",
             form, token, sizeof body - 1, body);
    int socket = connect_to(&http);
    struct response response;
    send_all(socket, head, strlen(head));
    ck_assert(http_receive(socket, false, &response));
    ck_assert_int_eq(response.status, 403);
    response_free(&response);
    close(socket);

    snprintf(head, sizeof head, ROOT "%s", good);
    ck_assert_int_eq(post(&http, head, ""), 400);
    ck_assert_int_eq(post(&http, head, "action=stop"), 400);
    ck_assert_int_eq(post(&http, head, "action=server&server=main/x&set=maint"), 400);
    ck_assert_int_eq(post(&http, head, "action=server&server=main/a&set=a%0ab"), 400);
    ck_assert_int_eq(post(&http, head, "action=promote"), 409);
    http_ask(&http, "GET", "/change", ROOT, NULL, &response);
    ck_assert_int_eq(response.status, 405);
    response_free(&response);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"admin\": \"ready\""));
    ck_assert_int_eq(post(&http, head, body), 200);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"admin\": \"maint\""));
    proxy_stop(&scene.proxy);
}
END_TEST

static json_t *timeline(const struct endpoint *http)
{
    struct response response;
    http_ask(http, "GET", "/timeline", GUEST, NULL, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_nonnull(strstr(response.head, "Content-Type: application/json"));
    json_t *object = json_loads(response.body, 0, NULL);
    ck_assert_msg(json_is_object(object), "%s", response.body);
    response_free(&response);
    return object;
}

/* Of an event of that kind. */
static unsigned count_events(const json_t *past, const char *kind)
{
    unsigned count = 0;
    size_t i;
    json_t *event;
    json_array_foreach(json_object_get(past, "events"), i, event) count +=
        strcmp(json_string_value(json_object_get(event, "event")), kind) == 0;
    return count;
}

/* The entry of a generation in the history: its result and whether its configuration is known. */
static void expect_entry(const json_t *past, size_t index, unsigned generation, const char *result,
                         int exit, bool text)
{
    const char *found = "";
    int number = 0, status = 0, has_text = 0;
    json_t *entry = json_array_get(json_object_get(past, "history"), index);
    ck_assert_int_eq(json_unpack(entry, "{s:i, s:s, s:i, s:b}", "generation", &number, "result",
                                 &found, "exit", &status, "text", &has_text),
                     0);
    ck_assert_int_eq(number, generation);
    ck_assert_msg(strstr(found, result) != NULL, "%s", found);
    ck_assert_int_eq(status, exit);
    ck_assert_int_eq(has_text, text);
}

/* A page that is opened now: what happened goes on over reloads, and is in the history after the
 * end of all processes. */
START_TEST(the_past_outlives_processes)
{
    struct scene scene;
    struct endpoint http;
    struct outcome outcome;
    page_begin(&scene, "", &http);
    proxy_reload(&scene.proxy);
    char good[8192];
    read_file(scene.proxy.file, good, sizeof good);
    write_file(scene.proxy.file, 0644, "%snonsense\n", good);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    write_file(scene.proxy.file, 0644, "%s", good);
    next_reload(&scene.proxy);

    json_t *past = timeline(&http);
    ck_assert_uint_eq(count_events(past, "serving"), 3);
    ck_assert_uint_eq(count_events(past, "reload-started"), 3);
    ck_assert_uint_eq(count_events(past, "reloaded"), 2);
    ck_assert_uint_eq(count_events(past, "reload-failed"), 1);
    ck_assert_uint_eq(count_events(past, "reload-step"), 0);
    expect_entry(past, 0, 1, "started", 0, true);
    expect_entry(past, 1, 2, "generation 2, took ", 0, true);
    expect_entry(past, 2, 3, "", 2, false);
    expect_entry(past, 3, 4, "generation 4, took ", 0, true);
    json_decref(past);

    proxy_wait_drained(&scene.proxy);
    kill(scene.proxy.pid, SIGKILL);
    wait_gone(scene.proxy.pid);
    proxy_start(&scene.proxy);
    past = timeline(&http);
    ck_assert_uint_eq(count_events(past, "reloaded"), 0);
    ck_assert_uint_eq(count_events(past, "crashed"), 1);
    expect_entry(past, 1, 2, "generation 2, took ", 0, true);
    expect_entry(past, 2, 3, "", 2, false);
    expect_entry(past, 4, 5, "started", 0, true);
    json_decref(past);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Who may see what: probes of load balancers need no password. */
START_TEST(pages_ask_for_a_password)
{
    struct scene scene;
    struct endpoint http;
    struct response response;
    page_begin(&scene, "", &http);
    http_expect(&http, "/healthz", 200, "ok");
    http_expect(&http, "/ready", 200, "ready");
    static const char *const closed[] = {"/", "/metrics", "/events", "/timeline", "/diff"};
    for (size_t i = 0; i < sizeof closed / sizeof *closed; i++) {
        http_get(&http, closed[i], &response);
        ck_assert_int_eq(response.status, 401);
        ck_assert_ptr_nonnull(strstr(response.head, "WWW-Authenticate: Basic realm="));
        response_free(&response);
    }
    http_ask(&http, "GET", "/metrics", GUEST, NULL, &response);
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    http_ask(&http, "GET", "/", GUEST, NULL, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_nonnull(strstr(response.head, "Content-Security-Policy: default-src 'none'"));
    ck_assert_ptr_nonnull(strstr(response.head, "X-Frame-Options: DENY"));
    ck_assert_ptr_nonnull(strstr(response.head, "Cache-Control: no-store"));
    ck_assert_ptr_null(strstr(response.head, "unsafe-inline"));
    response_free(&response);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *page_suite(void)
{
    Suite *suite = suite_create("page");
    scenario_add(suite, the_page_in_a_browser, 300);
    scenario_add(suite, changes_need_leave, 300);
    scenario_add(suite, the_past_outlives_processes, 300);
    scenario_add(suite, pages_ask_for_a_password, 300);
    return suite;
}
