/* What a reload would change, what the process runs, and the progress of a reload or a stop. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MANY_SERVERS = 20000 };

static void says(const char *text, const char *what)
{
    ck_assert_msg(strstr(text, what) != NULL, "'%s' is not said in: %s", what, text);
}

static json_t *status_of(const struct scene *scene)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL);
    ck_assert_ptr_nonnull(status);
    return status;
}

/* --- before a reload ----------------------------------------------------------------------- */

START_TEST(dry_run)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    scene_configure(&scene, "", "server = b 127.0.0.1:1 weight=0\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 8);
    proxy_start(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    says(outcome.out, "would change nothing");

    struct session session = session_open(&scene);
    struct endpoint other = endpoint_loopback(port_reserve(getuid()));
    char added[128];
    snprintf(added, sizeof added, "[frontend api]\nbind = 127.0.0.1:%u\nbackend = main\n",
             ntohs(other.in.sin_port));
    scene_configure(&scene, "linger-timeout = 9s\n", added);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    says(outcome.out, "global: linger-timeout: 5s -> 9s\n");
    says(outcome.out, "frontend api: added\n");
    says(outcome.out, "server main/b: removed\n");
    says(outcome.out, "\n1 session: ");
    ck_assert_msg(try_connect(&other) < 0 && errno == ECONNREFUSED, "something listens already");
    run(&outcome, proxy_binary(), "reload", "-s", scene.proxy.control, "--dry-run", NULL);
    ck_assert_int_eq(outcome.code, 0);
    says(outcome.out, "frontend api: added\n");

    proxy_configure(&scene.proxy, "worker = 2\n[frontend a]\nbind = 127.0.0.1:99999\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 2);
    says(outcome.err, ":5: ");
    says(outcome.err, ":7: ");

    ck_assert_uint_eq(file_mentions(scene.proxy.log, "launches"), 0);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The question loses no connection, though it names an address that would be removed. */
START_TEST(dry_run_under_load)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    scene_init(&scene);
    scene.server_port = origin_port(origin);
    scene_configure(&scene, "", "");
    proxy_start(&scene.proxy);
    uint16_t port = scene.port;
    scene.port = port_reserve(getuid());
    scene_configure(&scene, "", "");
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_loopback(port), .in_flight = 50});
    for (unsigned i = 0; i < scaled(50, 5); i++) {
        struct outcome outcome;
        churn_wait(churn, churn_ended(churn) + 20);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
        says(outcome.out, "of frontend main: removed\n");
    }
    churn_stop_clean(churn, "dry runs under load");
    proxy_stop(&scene.proxy);
}
END_TEST

/* The command has another environment than the process and its successor. */
START_TEST(dry_run_with_the_variables_of_the_process)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    const char *env[] = {"WAIT=7s", NULL};
    scene.proxy.env = env;
    scene_configure(&scene, "linger-timeout = ${WAIT}\n", "");
    proxy_start(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    says(outcome.out, "would change nothing");
    scene_configure(&scene, "linger-timeout = ${WAIT}\nready-timeout = ${WAIT}\n", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--dry-run", NULL), 0);
    says(outcome.out, "global: ready-timeout: 1m -> 7s\n");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(config_is_what_runs)
{
    struct scene scene;
    struct outcome outcome, check;
    char file[PATH_MAX];
    scene_start(&scene, "drain = wait\ndrain-timeout = 10m\n", "");
    scene_configure(&scene, "drain = wait\ndrain-timeout = 11m\n", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "config", NULL), 0);
    says(outcome.out, "\ndrain-timeout = 10m\n");
    write_file(test_path(file, "running.ini"), 0644, "%s", outcome.out);
    run(&check, proxy_binary(), "check", "-f", file, NULL);
    ck_assert_msg(check.code == 0, "%s", check.err);
    run(&check, proxy_binary(), "reload", "--dry-run", "-f", file, NULL);
    ck_assert_int_eq(check.code, 0);
    says(check.out, "would change nothing");
    says(check.err, "a reload would read");

    json_t *status = status_of(&scene);
    const char *hash = json_string_value(json_object_get(status, "config_hash"));
    ck_assert_ptr_nonnull(hash);
    says(outcome.out, hash);
    struct session session = session_open(&scene);
    proxy_reload(&scene.proxy);
    json_t *after = status_of(&scene);
    const json_t *generations = json_object_get(after, "generations");
    ck_assert_uint_eq(json_array_size(generations), 2);
    ck_assert_str_eq(
        json_string_value(json_object_get(json_array_get(generations, 0), "config_hash")), hash);
    ck_assert_str_ne(
        json_string_value(json_object_get(json_array_get(generations, 1), "config_hash")), hash);
    json_decref(after);
    json_decref(status);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(large_config)
{
    struct scene scene;
    char path[PATH_MAX];
    char *servers;
    size_t length;
    unsigned count = scaled(MANY_SERVERS, 2000);
    scene_init(&scene);
    FILE *file = open_memstream(&servers, &length);
    for (unsigned i = 0; i < count; i++) {
        fprintf(file, "server = s%u 127.0.0.1:%u weight=1\n", i, i % 60000 + 1);
    }
    fclose(file);
    scene_configure(&scene, "", servers);
    free(servers);
    proxy_start(&scene.proxy);
    const char *argv[] = {proxy_binary(), "config", "-f", scene.proxy.file, NULL};
    test_path(path, "running.ini");
    ck_assert_int_eq(wait_gone(program_start(&(struct program){.argv = argv, .out = path})), 0);
    const char *const files[] = {path, scene.proxy.file};
    for (unsigned i = 0; i < 2; i++) {
        struct outcome outcome;
        run(&outcome, proxy_binary(), "reload", "--dry-run", "-f", files[i], NULL);
        ck_assert_int_eq(outcome.code, 0);
        says(outcome.out, "would change nothing");
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- while it goes on ---------------------------------------------------------------------- */

static void in_order(const char *text, const char *const *words)
{
    const char *at = text;
    for (; *words != NULL; words++) {
        at = strstr(at, *words);
        ck_assert_msg(at != NULL, "no '%s', or not in its place, in: %s", *words, text);
    }
}

START_TEST(steps)
{
    static const char *const words[] = {"launched: pid ", "ready: pid ", "serving: pid ", NULL};
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    ck_assert_str_eq(outcome.err, "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "-v", NULL), 0);
    in_order(outcome.err, words);
    ck_assert_int_eq(strncmp(outcome.out, "reloaded: ", 10), 0);
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static int terminal_open(void)
{
    int terminal = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    ck_assert_int_ge(terminal, 0);
    ck_assert_int_eq(grantpt(terminal), 0);
    ck_assert_int_eq(unlockpt(terminal), 0);
    return terminal;
}

/* Reads the terminal until its other side is closed or has printed `last`. */
static void read_terminal(int terminal, char *text, size_t size, const char *last)
{
    size_t length = strlen(text);
    while (strstr(text, last) == NULL) {
        ck_assert_uint_lt(length, size - 1);
        ck_assert_msg(readable_within(terminal, PATIENCE_MS), "the terminal says only: %s", text);
        ssize_t got = read(terminal, text + length, size - 1 - length);
        ck_assert_msg(got > 0, "the terminal ended with: %s", text);
        length += (size_t)got;
        text[length] = '\0';
    }
}

START_TEST(steps_on_a_terminal)
{
    static const char *const words[] = {"launched: pid ",
                                        "ready: pid ",
                                        "serving: pid ",
                                        "lingering: pid ",
                                        "draining: 2 sessions left",
                                        "draining: 1 session left",
                                        NULL};
    struct scene scene;
    char text[8192] = "";
    scene_start(&scene, "drain = wait\n", "");
    pid_t first = scene.proxy.pid;
    struct session one = session_open(&scene), two = session_open(&scene);
    int terminal = terminal_open();
    const char *argv[] = {proxy_binary(), "reload", "-f", scene.proxy.file, "--wait=drained", NULL};
    pid_t reload = program_start(&(struct program){.argv = argv, .err = ptsname(terminal)});
    read_terminal(terminal, text, sizeof text, "draining: 2 sessions left");
    session_close(&one);
    read_terminal(terminal, text, sizeof text, "draining: 1 session left");
    session_works(&two);
    session_close(&two);
    ck_assert_int_eq(wait_gone(reload), 0);
    in_order(text, words);
    wait_gone(first);
    close(terminal);
    proxy_follow(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static pid_t stop_to(const struct proxy *proxy, const char *err)
{
    const char *argv[] = {proxy_binary(), "stop", "-v", "-f", proxy->file, NULL};
    return program_start(&(struct program){.argv = argv, .err = err});
}

/* Every `stop` command reports the sessions of all processes, also one that comes later. */
START_TEST(steps_of_a_stop)
{
    struct scene scene;
    char first[PATH_MAX], second[PATH_MAX];
    scene_start(&scene, "drain = wait\n", "");
    struct session old = session_open(&scene);
    proxy_reload(&scene.proxy);
    struct session young = session_open(&scene);
    pid_t stops[2] = {stop_to(&scene.proxy, test_path(first, "first"))};
    wait_mentioned(first, "draining: 2 sessions left\n");
    stops[1] = stop_to(&scene.proxy, test_path(second, "second"));
    wait_mentioned(second, "draining: 2 sessions left\n");
    session_close(&old);
    wait_mentioned(first, "draining: 1 session left\n");
    wait_mentioned(second, "draining: 1 session left\n");
    session_close(&young);
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(wait_gone(stops[i]), 0);
    ck_assert_uint_eq(file_mentions(first, "2 sessions left"), 1);
    wait_gone(scene.proxy.pid);
}
END_TEST

static bool two_reports(void *argument)
{
    return file_mentions(argument, "\"generations\"") >= 2;
}

static bool reports_of_the_second(void *argument)
{
    return file_mentions(argument, "\"generation\":2,\"state\":\"active\"") >= 1;
}

START_TEST(status_watched)
{
    struct scene scene;
    char out[PATH_MAX], err[PATH_MAX];
    scene_start(&scene, "", "");
    test_path(out, "watch.out");
    test_path(err, "watch.err");
    const char *argv[] = {proxy_binary(), "status", "-f", scene.proxy.file,
                          "--watch",      "--json", NULL};
    pid_t watch = program_start(&(struct program){.argv = argv, .out = out, .err = err});
    wait_until(two_reports, out, "the status is printed twice");
    proxy_reload(&scene.proxy);
    wait_until(reports_of_the_second, out, "the status is the successor's");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
    int status = wait_gone(watch);
    ck_assert_int_eq(WEXITSTATUS(status), 8);
    ck_assert_uint_eq(file_mentions(err, "no proxy answers"), 1);
}
END_TEST

static void press(int terminal, char key)
{
    ck_assert_int_eq(write(terminal, &key, 1), 1);
}

/* A status that is longer than the terminal is shown in pages. */
START_TEST(status_watched_in_pages)
{
    enum { LINES = 12, SERVERS = 40 };
    struct scene scene;
    char text[16384] = "", rest[8192];
    size_t used = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        used +=
            (size_t)snprintf(rest + used, sizeof rest - used, "server = s%02u 127.0.0.1:1\n", i);
    scene_start(&scene, "", rest);
    int terminal = terminal_open();
    const struct winsize size = {.ws_row = LINES, .ws_col = 80};
    ck_assert_int_eq(ioctl(terminal, TIOCSWINSZ, &size), 0);
    const char *argv[] = {proxy_binary(), "status", "-f", scene.proxy.file, "--watch", NULL};
    const char *path = ptsname(terminal);
    pid_t watch = program_start(&(struct program){.argv = argv, .in = path, .out = path});
    read_terminal(terminal, text, sizeof text, "lines 1 to 11 of ");
    ck_assert_ptr_nonnull(strstr(text, "rpproxy "));
    ck_assert_ptr_null(strstr(text, "main/s"));
    for (unsigned i = 0; i < SERVERS / LINES + 2; i++)
        press(terminal, ' ');
    read_terminal(terminal, text, sizeof text, "main/s39 ");
    for (unsigned i = 0; i < SERVERS / LINES + 2; i++)
        press(terminal, 'b');
    text[0] = '\0';
    read_terminal(terminal, text, sizeof text, "lines 1 to 11 of ");
    press(terminal, 'q');
    int status = wait_gone(watch);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "wait status %d", status);
    close(terminal);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(status_watched_on_a_terminal)
{
    static const char *const twice[] = {"\033[H\033[J", "GENERATION", "\033[H\033[J", "GENERATION",
                                        NULL};
    struct scene scene;
    char text[16384] = "";
    scene_start(&scene, "", "");
    int terminal = terminal_open();
    const char *argv[] = {proxy_binary(), "status", "-f", scene.proxy.file, "--watch", NULL};
    pid_t watch = program_start(&(struct program){.argv = argv, .out = ptsname(terminal)});
    read_terminal(terminal, text, sizeof text, "GENERATION");
    size_t first = strlen(text);
    read_terminal(terminal, text + first, sizeof text - first, "GENERATION");
    in_order(text, twice);
    kill(watch, SIGINT);
    int status = wait_gone(watch);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    close(terminal);
    proxy_stop(&scene.proxy);
}
END_TEST

static void expect_last_reload(const struct scene *scene, int code, const char *result)
{
    json_t *status = status_of(scene);
    const json_t *last = json_object_get(status, "last_reload");
    ck_assert_msg(last != NULL, "no last_reload");
    ck_assert_int_eq(json_integer_value(json_object_get(last, "exit")), code);
    ck_assert(json_is_integer(json_object_get(last, "took_ms")));
    ck_assert_int_gt(json_integer_value(json_object_get(last, "at")), 0);
    says(json_string_value(json_object_get(last, "result")), result);
    json_decref(status);
}

/* The new process reports the reload by which it came, and its own failed reloads. */
START_TEST(last_reload)
{
    struct scene scene;
    struct outcome outcome;
    char text[64];
    scene_start(&scene, "", "");
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    snprintf(text, sizeof text, "pid %d -> %d", first, scene.proxy.pid);
    expect_last_reload(&scene, 0, text);
    proxy_wait_drained(&scene.proxy);
    scene_configure(&scene, "worker = 1\n", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    expect_last_reload(&scene, 2, "ended with status 2");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    says(outcome.out, "last reload ");
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *plan_suite(void)
{
    Suite *suite = suite_create("plan");
    scenario_add(suite, dry_run, 300);
    scenario_add(suite, dry_run_under_load, 300);
    scenario_add(suite, dry_run_with_the_variables_of_the_process, 300);
    scenario_add(suite, config_is_what_runs, 300);
    scenario_add(suite, large_config, 300);
    scenario_add(suite, steps, 300);
    scenario_add(suite, steps_on_a_terminal, 300);
    scenario_add(suite, steps_of_a_stop, 300);
    scenario_add(suite, status_watched, 300);
    scenario_add(suite, status_watched_on_a_terminal, 300);
    scenario_add(suite, status_watched_in_pages, 300);
    scenario_add(suite, last_reload, 300);
    return suite;
}
