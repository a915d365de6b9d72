/* rpproxy events: what happens, in its order, each event once, while processes come and go. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"

#include <ctype.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The kernel takes some of the events of a follower that does not read, and the proxy 256 KiB,
 * which are more than ORDERS make. */
enum { FOLLOWERS = 32, RELOADS = 6, ORDERS = 900 };

static char text[1 << 20];

/* The events of that kind in the file; the last of them in *last, which the caller frees. */
static unsigned count_events(const char *file, const char *kind, json_t **last)
{
    unsigned count = 0;
    char *rest = text;
    read_file(file, text, sizeof text);
    *last = NULL;
    for (char *line; (line = strsep(&rest, "\n"));) {
        json_t *event = json_loads(line, 0, NULL);
        const char *name = json_string_value(json_object_get(event, "event"));
        if (name && strcmp(name, kind) == 0) {
            json_decref(*last);
            *last = json_incref(event);
            count++;
        }
        json_decref(event);
    }
    return count;
}

static json_t *expect_event(const char *file, const char *kind, const char *what)
{
    json_t *event;
    wait_mentioned(file, what);
    ck_assert_msg(count_events(file, kind, &event) > 0, "no %s in %s", kind, text);
    return event;
}

static const char *word(const json_t *event, const char *member)
{
    const char *value = json_string_value(json_object_get(event, member));
    ck_assert_msg(value != NULL, "no %s", member);
    return value;
}

/* Each has the number that follows that of the one before. Returns how many there are. */
static unsigned expect_in_order(const char *file)
{
    unsigned count = 0;
    json_int_t before = 0;
    char *rest = text;
    read_file(file, text, sizeof text);
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        json_t *event = json_loads(line, 0, NULL);
        json_int_t number = json_integer_value(json_object_get(event, "number"));
        ck_assert_msg(count == 0 || number == before + 1, "%lld follows %lld: %s",
                      (long long)number, (long long)before, line);
        before = number;
        count++;
        json_decref(event);
    }
    return count;
}

static bool has_word(const char *manual, const char *name)
{
    size_t length = strlen(name);
    for (const char *at = strstr(manual, name); at; at = strstr(at + 1, name))
        if (!(isalnum((unsigned char)at[-1]) || at[-1] == '_') &&
            !(isalnum((unsigned char)at[length]) || at[length] == '_'))
            return true;
    return false;
}

static void expect_documented(const char *file)
{
    static char manual[1 << 18];
    const char *name;
    json_t *value;
    char *rest = text;
    read_file("man/rpproxy.8", manual, sizeof manual);
    const char *section = strstr(manual, "\n.Sh EVENTS\n");
    ck_assert_ptr_nonnull(section);
    read_file(file, text, sizeof text);
    for (char *line; (line = strsep(&rest, "\n")) && *line;) {
        json_t *event = json_loads(line, 0, NULL);
        json_object_foreach(event, name, value)
            ck_assert_msg(has_word(section, name), "rpproxy(8), EVENTS: no %s: %s", name, line);
        json_decref(event);
    }
}

START_TEST(servers_and_orders)
{
    struct scene scene;
    struct outcome outcome;
    char file[PATH_MAX];
    json_t *event;
    scene_start(&scene, "", "check = tcp\ncheck-interval = 50ms\n");
    pid_t follower = proxy_follow_events(&scene.proxy, file, "events");
    json_decref(expect_event(file, "serving", "\"serving\""));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", "drain", NULL), 0);
    event = expect_event(file, "server-admin", "server-admin");
    ck_assert_str_eq(word(event, "backend"), "main");
    ck_assert_str_eq(word(event, "server"), "a");
    ck_assert_str_eq(word(event, "admin"), "drain");
    ck_assert_ptr_nonnull(strstr(word(event, "by"), "a command of uid"));
    json_decref(event);
    close(scene.listener);
    event = expect_event(file, "server-down", "server-down");
    ck_assert_ptr_nonnull(strstr(word(event, "cause"), "refused"));
    ck_assert_ptr_nonnull(strstr(word(event, "text"), "main/a is DOWN"));
    json_decref(event);
    json_decref(expect_event(file, "backend-down", "backend-down"));
    wait_mentioned(scene.proxy.log, "server main/a is DOWN"); /* the log has the same */
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "events", "--last=1", "--limit=1", NULL),
                     0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "Z "));
    scene_configure(&scene, "nonsense = 1\n", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    event = expect_event(file, "reload-failed", "reload-failed");
    ck_assert_int_eq((int)json_integer_value(json_object_get(event, "exit")), 2);
    json_decref(event);
    scene_configure(&scene, "", "");
    proxy_stop(&scene.proxy);
    wait_gone(follower);
    json_decref(expect_event(file, "stopping", "stopping"));
    json_decref(expect_event(file, "drained", "drained"));
    expect_in_order(file);
    expect_documented(file);
}
END_TEST

START_TEST(maxconn_is_an_event)
{
    struct scene scene;
    struct outcome outcome;
    char file[PATH_MAX];
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "workers = 2\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u maxconn=7\n",
                    scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    pid_t follower = proxy_follow_events(&scene.proxy, file, "events");
    static const char *const orders[] = {"maxconn=5", "maxconn=5", "maxconn=unlimited"};
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", orders[i], NULL),
                         0);
    proxy_stop(&scene.proxy);
    wait_gone(follower);
    json_t *event = NULL;
    ck_assert_uint_eq(count_events(file, "server-maxconn", &event), 2);
    json_decref(event);
    event = expect_event(file, "server-maxconn", "server-maxconn");
    ck_assert_str_eq(word(event, "server"), "a");
    ck_assert(json_is_integer(json_object_get(event, "maxconn")));
    ck_assert_ptr_nonnull(strstr(word(event, "by"), "a command of uid"));
    json_decref(event);
    expect_documented(file);
}
END_TEST

/* Orders come all the time while processes come and go: each of them is told once, in its turn. */
START_TEST(nothing_is_missed_across_reloads)
{
    struct scene scene;
    struct outcome outcome;
    char file[PATH_MAX];
    json_t *event;
    unsigned orders = 0, reloads = scaled(RELOADS, 3);
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    pid_t follower = proxy_follow_events(&scene.proxy, file, "events");
    for (unsigned i = 0; i < reloads; i++) {
        pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", "--wait=drained", NULL);
        while (process_alive(reload)) {
            const char *state = ++orders % 2 ? "drain" : "ready";
            ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", state, NULL),
                             0);
        }
        ck_assert_int_eq(wait_gone(reload), 0);
    }
    proxy_follow(&scene.proxy);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
    wait_gone(follower);
    expect_in_order(file);
    ck_assert_uint_eq(count_events(file, "reloaded", &event), reloads);
    json_decref(event);
    ck_assert_uint_eq(count_events(file, "serving", &event), reloads + 1);
    json_decref(event);
    ck_assert_uint_eq(count_events(file, "drained", &event), reloads + 1);
    json_decref(event);
    ck_assert_uint_eq(count_events(file, "server-admin", &event), orders);
    json_decref(event);
    expect_documented(file);
}
END_TEST

/* The new process is killed on probation: the old one goes on with the events. */
START_TEST(a_rollback_is_followed)
{
    struct scene scene;
    struct outcome outcome;
    char file[PATH_MAX];
    scene_start(&scene, "probation = 10m\n", "");
    pid_t follower = proxy_follow_events(&scene.proxy, file, "events");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    struct status status;
    ck_assert(proxy_status(&scene.proxy, &status));
    ck_assert_int_eq(kill(status.pid, SIGKILL), 0);
    wait_mentioned(file, "\"rolled-back\"");
    json_decref(expect_event(file, "crashed", "\"crashed\""));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "main/a", "drain", NULL), 0);
    wait_mentioned(file, "\"server-admin\"");
    ck_assert_uint_eq(file_mentions(file, "\"lost\""), 0);
    expect_documented(file);
    kill(follower, SIGTERM);
    (void)wait_gone(follower);
}
END_TEST

/* Reads what a follower is sent: up to the line that says that it is cut off, or to that of the
 * last order. */
static bool is_cut_off(int client, unsigned orders)
{
    size_t length = 0;
    unsigned heard = 0;
    text[0] = '\0';
    while (heard < orders) {
        const size_t before = length > 8192 ? length - 8192 : 0;
        ck_assert_msg(readable_within(client, PATIENCE_MS), "not told");
        ssize_t got = recv(client, text + length, sizeof text - 1 - length, 0);
        ck_assert_msg(got > 0, "%zu bytes, and not told", length);
        length += (size_t)got;
        text[length] = '\0';
        if (strstr(text + before, "cut off: "))
            return true;
        heard = 0;
        for (const char *at = text; (at = strstr(at, "\"server-weight\"")); at++)
            heard++;
    }
    return false;
}

static void order_weight(const struct endpoint *control, unsigned weight)
{
    char line[96], answer[4096];
    ssize_t got;
    int client = connect_to(control);
    snprintf(line, sizeof line,
             "{\"command\": \"server\", \"server\": \"main/a\", \"set\": \"weight=%u\"}\n", weight);
    send_all(client, line, strlen(line));
    do
        ck_assert(readable_within(client, PATIENCE_MS));
    while ((got = recv(client, answer, sizeof answer - 1, 0)) > 0 &&
           (answer[got] = 0, !strstr(answer, "result")));
    close(client);
}

/* A follower that does not read is cut off, and the others and all commands are served. One that is
 * cut off has 10 s to take what waits for it: so a follower is looked at every few orders. */
START_TEST(slow_followers_are_cut_off)
{
    struct scene scene;
    struct outcome outcome;
    char file[PATH_MAX];
    int lazy[FOLLOWERS];
    scene_start(&scene, "", "");
    const struct endpoint control = endpoint_unix(scene.proxy.control);
    static const char ask[] = "{\"command\": \"events\"}\n";
    pid_t follower = proxy_follow_events(&scene.proxy, file, "events");
    for (unsigned i = 1; i < FOLLOWERS; i++) {
        lazy[i] = connect_to(&control);
        send_all(lazy[i], ask, sizeof ask - 1);
        ck_assert(readable_within(lazy[i], PATIENCE_MS));
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "events", NULL), 1);
    ck_assert_ptr_nonnull(strstr(outcome.err, "too many commands"));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    unsigned orders = 0, looked_at = 0;
    bool cut_off = false;
    while (!cut_off && looked_at + 1 < FOLLOWERS) {
        order_weight(&control, 1 + ++orders % 200);
        if (orders % 50 == 0) /* the follower that reads keeps up */
            wait_mentions(file, "server-weight", orders);
        if (orders >= ORDERS && orders % 50 == 0)
            cut_off = is_cut_off(lazy[++looked_at], orders);
    }
    ck_assert_msg(cut_off, "none is cut off after %u orders", orders);
    proxy_stop(&scene.proxy);
    wait_gone(follower);
    ck_assert_uint_eq(file_mentions(file, "server-weight"), orders);
    expect_in_order(file);
    for (unsigned i = 1; i < FOLLOWERS; i++)
        close(lazy[i]);
}
END_TEST

Suite *events_suite(void)
{
    Suite *suite = suite_create("events");
    scenario_add(suite, servers_and_orders, 60);
    scenario_add(suite, maxconn_is_an_event, 300);
    scenario_add(suite, nothing_is_missed_across_reloads, 120);
    scenario_add(suite, a_rollback_is_followed, 60);
    scenario_add(suite, slow_followers_are_cut_off, 120);
    return suite;
}
