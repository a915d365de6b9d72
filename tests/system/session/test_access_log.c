/* The access log: what its lines say of sessions whose both ends the test has. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/server_state.h"

#include <jansson.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static unsigned port_of(int socket, bool peer)
{
    struct endpoint where = {.length = sizeof where.in};
    ck_assert_int_eq(peer ? getpeername(socket, &where.any, &where.length)
                          : getsockname(socket, &where.any, &where.length),
                     0);
    return ntohs(where.in.sin_port);
}

/* The line in the log that has the text; the caller frees it. */
static char *line_with(const char *log, const char *text)
{
    char line[8192];
    wait_mentioned(log, text);
    FILE *file = fopen(log, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file))
        if (strstr(line, text)) {
            fclose(file);
            line[strcspn(line, "\n")] = '\0';
            return strdup(line);
        }
    ck_abort_msg("%s", text);
}

static json_t *object_with(const char *log, const char *text)
{
    char *line = line_with(log, text);
    json_t *object = json_loads(line, 0, NULL);
    ck_assert_msg(json_is_object(object), "%s", line);
    free(line);
    return object;
}

static const char *word(const json_t *object, const char *name)
{
    const char *value = json_string_value(json_object_get(object, name));
    return value ? value : "";
}

static long long number(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_integer(value), "%s is no number", name);
    return json_integer_value(value);
}

static double milliseconds(const json_t *object, const char *name)
{
    const json_t *value = json_object_get(object, name);
    ck_assert_msg(json_is_number(value), "%s is no number", name);
    return json_number_value(value);
}

/* A frontend in front of the servers, with the test's own as the last; two of them refuse. */
static void configure(const struct scene *scene, const char *global, const char *frontend)
{
    proxy_configure(&scene->proxy,
                    "%s[frontend web]\nbind = 127.0.0.1:%u\nbackend = app\n%s"
                    "[backend app]\nbalance = first\nretries = 2\n"
                    "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u\nserver = c 127.0.0.1:%u\n",
                    global, scene->port, frontend, port_reserve(getuid()), port_reserve(getuid()),
                    scene->server_port);
}

/* A session that was logged, with 5 bytes in and 7 out. The proxy had the answer before the end. */
static void exchange_and_close(struct session *session)
{
    char bytes[8];
    send_all(session->client, "12345", 5);
    receive_exactly(session->server, bytes, 5);
    send_all(session->server, "1234567", 7);
    receive_exactly(session->client, bytes, 7);
    shutdown(session->client, SHUT_WR);
    expect_eof(session->server);
    close(session->server);
    expect_eof(session->client);
    close(session->client);
}

/* As an item of a list of fields has it. */
static bool is_in_manual(const char *manual, const char *name)
{
    for (const char *at = manual; (at = strstr(at, "\n.It Li ")); at++) {
        char item[256];
        snprintf(item, sizeof item, "%.*s ", (int)strcspn(at + 1, "\n"), at + 1);
        for (char *rest, *part = strtok_r(item, " ", &rest); part;
             part = strtok_r(NULL, " ", &rest))
            if (strcmp(part, name) == 0)
                return true;
    }
    return false;
}

START_TEST(json_has_what_the_manual_says)
{
    static char manual[1 << 18];
    char text[64];
    const char *name;
    json_t *value;
    struct scene scene;
    ck_assert_uint_lt(read_file("man/proxy.ini.5", manual, sizeof manual), sizeof manual - 1);
    const char *section = strstr(manual, "\n.Sh ACCESS LOG\n");
    ck_assert_ptr_nonnull(section);
    scene_init(&scene);
    configure(&scene, "workers = 1\nlog-format = json\n", "access-log = yes\n");
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    unsigned client = port_of(session.client, false), local = port_of(session.server, true);
    exchange_and_close(&session);

    json_t *line = object_with(scene.proxy.log, "\"event\":\"end\"");
    json_object_foreach(line, name, value)
    {
        ck_assert_msg(is_in_manual(section, name), "proxy.ini(5) does not tell of %s", name);
    }
    snprintf(text, sizeof text, "127.0.0.1:%u", client);
    ck_assert_str_eq(word(line, "client"), text);
    ck_assert_str_eq(word(line, "client_ip"), "127.0.0.1");
    ck_assert_int_eq(number(line, "client_port"), client);
    ck_assert(json_is_null(json_object_get(line, "via")));
    ck_assert_str_eq(word(line, "frontend"), "web");
    ck_assert_str_eq(word(line, "backend"), "app");
    ck_assert_str_eq(word(line, "server"), "c");
    ck_assert_str_eq(word(line, "failed_servers"), "a,b");
    ck_assert_int_eq(number(line, "retries"), 2);
    ck_assert_int_eq(number(line, "local_port"), local);
    ck_assert_int_eq(number(line, "bytes_in"), 5);
    ck_assert_int_eq(number(line, "bytes_out"), 7);
    ck_assert_int_eq(number(line, "sessions_process"), 1);
    ck_assert_int_eq(number(line, "sessions_frontend"), 1);
    ck_assert_int_eq(number(line, "sessions_backend"), 1);
    ck_assert_int_eq(number(line, "sessions_server"), 1);
    ck_assert_str_eq(word(line, "id"), "1.0.1");
    ck_assert_int_eq(number(line, "pid"), scene.proxy.pid);
    ck_assert_int_eq(number(line, "generation"), 1);
    ck_assert(json_is_null(json_object_get(line, "queue_position")));
    ck_assert_str_eq(word(line, "termination"), "--");
    ck_assert_str_eq(word(line, "end"), "done");
    double connect = milliseconds(line, "connect_ms");
    double first = milliseconds(line, "first_byte_ms"), total = milliseconds(line, "total_ms");
    ck_assert_msg(0 <= connect && connect <= first && first < total, "%f %f %f", connect, first,
                  total);
    json_decref(line);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The line is the pattern and nothing else; other lines are text. */
START_TEST(a_pattern_is_the_line)
{
    char expected[256];
    struct scene scene;
    scene_init(&scene);
    configure(&scene,
              "workers = 1\nlog-format = <%{client_ip}:%{client_port}> %{backend}/%{server} "
              "\"%{failed_servers}\" %{bytes_in}+%{bytes_out} %{via} %{end}%{termination}%\n",
              "access-log = yes\n");
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    snprintf(expected, sizeof expected, "<127.0.0.1:%u> app/c \"a,b\" 5+7 - done--%%",
             port_of(session.client, false));
    exchange_and_close(&session);
    char *line = line_with(scene.proxy.log, "app/c");
    ck_assert_str_eq(line, expected);
    free(line);
    wait_mentioned(scene.proxy.log, "NOTICE [generation 1] serving: ");
    proxy_stop(&scene.proxy);
}
END_TEST

/* Sessions of all workers, and those that came from the old process. */
START_TEST(a_line_has_the_sessions_of_its_backend)
{
    enum { SESSIONS = 6 };
    struct scene scene;
    struct session live[SESSIONS];
    char expected[64], rest[128];
    scene_init(&scene);
    snprintf(rest, sizeof rest, "access-log = yes\nbalance = leastconn\nserver = b 127.0.0.1:%u\n",
             scene.server_port);
    scene_configure(&scene, "log-format = now %{sessions_backend} of them %{sessions_server}\n",
                    rest);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < SESSIONS; i++) {
        live[i] = session_open(&scene);
        session_works(&live[i]);
    }
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    for (unsigned i = 0; i < SESSIONS; i++) {
        exchange_and_close(&live[i]);
        snprintf(expected, sizeof expected, "now %u of them ", SESSIONS - i);
        wait_mentioned(scene.proxy.log, expected);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(lines_of_some_sessions)
{
    enum { SESSIONS = 40, EVERY = 10 };
    struct scene scene;
    scene_start(&scene, "workers = 1\n", "access-log = 1/10\n");
    for (unsigned i = 0; i < SESSIONS; i++) {
        struct session session = session_open(&scene);
        exchange_and_close(&session);
    }
    wait_mentions(scene.proxy.log, " in=5 out=7 ", SESSIONS / EVERY);
    wait_mentions(scene.proxy.log, " end=done", SESSIONS / EVERY);
    proxy_stop(&scene.proxy);
}
END_TEST

/* What ended well has no line. */
START_TEST(lines_of_errors_only)
{
    struct scene scene;
    scene_start(&scene, "workers = 1\n", "access-log = errors\n");
    struct session session = session_open(&scene);
    exchange_and_close(&session);
    session = session_open(&scene);
    session_works(&session);
    send_reset(session.client);
    expect_reset(session.server);
    close(session.server);
    wait_mentioned(scene.proxy.log, "session 1.0.2 client=");
    wait_mentioned(scene.proxy.log, " termination=CD ");
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "end=done"), 0);

    session = session_open(&scene); /* "errors" keeps to that in the next process */
    proxy_reload(&scene.proxy);
    exchange_and_close(&session);
    session = session_open(&scene);
    session_works(&session);
    send_reset(session.server);
    expect_reset(session.client);
    close(session.client);
    wait_mentioned(scene.proxy.log, " termination=SD ");
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "end=done"), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* At once, while the session lasts; in a process to which it moves there is no second one. What was
 * noted before the move is in the line at the end. */
START_TEST(a_line_when_a_server_was_connected)
{
    char connected[64], ended[64], local[32];
    struct scene scene;
    scene_init(&scene);
    configure(&scene, "workers = 1\n", "access-log = yes\nlog-on-connect = yes\n");
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    unsigned client = port_of(session.client, false);
    snprintf(connected, sizeof connected, "session 1.0.1 connected client=127.0.0.1:%u ", client);
    snprintf(ended, sizeof ended, "session 1.0.1 client=127.0.0.1:%u ", client);
    snprintf(local, sizeof local, " local-port=%u ", port_of(session.server, true));
    char *line = line_with(scene.proxy.log, connected);
    ck_assert_ptr_nonnull(strstr(line, local));
    ck_assert_ptr_nonnull(strstr(line, " server=app/c "));
    ck_assert_ptr_null(strstr(line, " end="));
    ck_assert_ptr_null(strstr(line, "termination="));
    free(line);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    exchange_and_close(&session);
    line = line_with(scene.proxy.log, ended);
    ck_assert_ptr_nonnull(strstr(line, local));
    ck_assert_ptr_nonnull(strstr(line, " failed=a,b "));
    ck_assert_ptr_nonnull(strstr(line, " first-byte="));
    ck_assert_ptr_nonnull(strstr(line, " termination=-- "));
    free(line);
    wait_mentions(scene.proxy.log, " connected ", 1);
    proxy_stop(&scene.proxy);
}
END_TEST

/* With one place: the second session waits, and the third leaves. */
START_TEST(the_queue_is_in_the_line)
{
    struct scene scene;
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "workers = 1\nlog-format = json\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "access-log = yes\nserver = a 127.0.0.1:%u maxconn=1\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    struct session first = session_open(&scene);
    struct session second = {.client = connect_to(&scene.front)};
    wait_waiting(&scene.proxy, 1);
    int third = connect_to(&scene.front);
    wait_waiting(&scene.proxy, 2);
    close(third);
    json_t *left = object_with(scene.proxy.log, "\"termination\":\"CQ\"");
    ck_assert_int_eq(number(left, "queue_position"), 2);
    json_decref(left);
    exchange_and_close(&first);
    second.server = accept_from(scene.listener);
    exchange_and_close(&second);
    json_t *waited = object_with(scene.proxy.log, "\"queue_position\":1,");
    double queued = milliseconds(waited, "queue_ms"), connect = milliseconds(waited, "connect_ms");
    ck_assert_msg(0 < queued && queued <= connect, "%f %f", queued, connect);
    ck_assert_str_eq(word(waited, "termination"), "--");
    json_decref(waited);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Each by what the operator sees of it elsewhere. */
START_TEST(how_sessions_end)
{
    struct scene scene;
    scene_init(&scene);
    uint16_t dead = port_reserve(getuid()), denied = port_reserve(getuid()),
             idle = port_reserve(getuid()), slow = port_reserve(getuid());
    proxy_configure(&scene.proxy,
                    "workers = 1\nstop-timeout = 1ms\n[defaults]\naccess-log = yes\nretries = 0\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen dead]\nbind = 127.0.0.1:%u\nserver = d 127.0.0.1:%u\n"
                    "[listen denied]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\ndeny = any\n"
                    "[listen idle]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "idle-timeout = 10ms\n"
                    "[frontend slow]\nbind = 127.0.0.1:%u\nbackend = main\ninspect-timeout = 10ms\n"
                    "accept-proxy = any\nroute = sni:x.example main\n",
                    scene.port, scene.server_port, dead, port_reserve(getuid()), denied,
                    scene.server_port, idle, scene.server_port, slow);
    proxy_start(&scene.proxy);
    const struct endpoint fronts[] = {endpoint_loopback(dead), endpoint_loopback(denied),
                                      endpoint_loopback(slow)};
    static const char *const says[][3] = {
        {"end=refused", " frontend=dead ", " termination=SC "},
        {"end=denied", " frontend=denied ", " termination=PR "},
        {"end=bad-proxy-header", " frontend=slow ", " termination=PR "}};
    for (unsigned i = 0; i < 3; i++) {
        expect_reset_at(&fronts[i]);
        char *line = line_with(scene.proxy.log, says[i][0]);
        ck_assert_msg(strstr(line, says[i][1]) && strstr(line, says[i][2]), "%s", line);
        free(line);
    }
    const struct endpoint idle_front = endpoint_loopback(idle);
    struct session session = session_through(&idle_front, scene.listener);
    expect_eof(session.client);
    close(session.client);
    close(session.server);
    char *line = line_with(scene.proxy.log, "end=idle-timeout");
    ck_assert_ptr_nonnull(strstr(line, " termination=cD "));
    free(line);
    session = session_open(&scene);
    session_works(&session);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGTERM), 0);
    session_is_cut(&session);
    wait_gone(scene.proxy.pid);
    line = line_with(scene.proxy.log, "end=stopped");
    ck_assert_ptr_nonnull(strstr(line, " termination=KD "));
    free(line);
}
END_TEST

Suite *access_log_suite(void)
{
    Suite *suite = suite_create("access_log");
    scenario_add(suite, json_has_what_the_manual_says, 300);
    scenario_add(suite, a_pattern_is_the_line, 300);
    scenario_add(suite, a_line_has_the_sessions_of_its_backend, 300);
    scenario_add(suite, lines_of_some_sessions, 300);
    scenario_add(suite, lines_of_errors_only, 300);
    scenario_add(suite, a_line_when_a_server_was_connected, 300);
    scenario_add(suite, the_queue_is_in_the_line, 300);
    scenario_add(suite, how_sessions_end, 300);
    return suite;
}
