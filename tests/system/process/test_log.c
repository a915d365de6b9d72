/* The log: its targets, as those read it that operators have. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/scene.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Each line of a log as an object; fails the test where one is none. Returns how many have that
 * message in them. */
static unsigned objects_with(const char *path, const char *message)
{
    char line[8192];
    unsigned count = 0;
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file)) {
        json_error_t error;
        json_t *object = json_loads(line, 0, &error);
        ck_assert_msg(json_is_object(object), "%s: %s", error.text, line);
        const char *said = json_string_value(json_object_get(object, "message"));
        ck_assert_ptr_nonnull(json_string_value(json_object_get(object, "time")));
        ck_assert_ptr_nonnull(json_string_value(json_object_get(object, "level")));
        count += said && strstr(said, message);
        json_decref(object);
    }
    fclose(file);
    return count;
}

/* From the first line to the last: of the start, of reloads that work and of one that fails. */
START_TEST(each_line_is_json)
{
    char path[PATH_MAX], log[PATH_MAX + 64];
    struct outcome outcome;
    struct scene scene;
    test_path(path, "json.log");
    snprintf(log, sizeof log, "log = file:%s\nlog-format = json\n", path);
    scene_start(&scene, log, "access-log = yes\n");
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    proxy_reload(&scene.proxy);
    write_file(scene.proxy.file, 0600, "[global]\nnonsense = \"1\"\n");
    ck_assert_int_eq(
        proxy_command(&scene.proxy, &outcome, "reload", "-s", scene.proxy.control, NULL), 2);
    scene_configure(&scene, log, "");
    proxy_stop(&scene.proxy);
    ck_assert_uint_eq(objects_with(path, "serving: "), 2);
    ck_assert_uint_eq(objects_with(path, "reload to generation 3 failed: "), 1);
}
END_TEST

/* --- syslog --------------------------------------------------------------------------------- */

/* A line for each message that comes, as rsyslog has understood it. */
static void configure_rsyslog(const char *file, const char *socket, const char *out)
{
    write_file(file, 0644,
               "module(load=\"imuxsock\" SysSock.Use=\"off\")\nmodule(load=\"imudp\")\n"
               "input(type=\"imuxsock\" Socket=\"%s\" UseSpecialParser=\"off\" "
               "ParseHostname=\"on\")\n"
               "input(type=\"imudp\" address=\"127.0.0.1\" port=\"514\")\n"
               "template(name=\"t\" type=\"string\" string=\"%%inputname%% %%syslogfacility-text%%."
               "%%syslogseverity-text%% app=%%app-name%% pid=%%procid%% id=%%msgid%% said=%%msg%%"
               "\\n\")\naction(type=\"omfile\" file=\"%s\" template=\"t\")\n",
               socket, out);
}

static pid_t start_rsyslog(const char *file, const char *socket)
{
    char pidfile[PATH_MAX];
    const char *argv[] = {"rsyslogd", "-n", "-i", test_path(pidfile, "rsyslog.pid"),
                          "-f",       file, NULL};
    char said[PATH_MAX];
    const struct program program = {
        .argv = argv, .out = test_path(said, "rsyslog.out"), .err = said};
    pid_t pid = program_start(&program);
    wait_file(socket);
    return pid;
}

static void log_to(struct scene *scene, const char *target)
{
    char global[PATH_MAX + 64];
    snprintf(global, sizeof global, "log = syslog:%s\nlog-facility = local3\n", target);
    scene_configure(scene, global, "access-log = yes\n");
}

static void expect_serving(const char *out, const struct scene *scene, const char *input)
{
    char line[256];
    snprintf(line, sizeof line,
             "%s local3.notice app=rpproxy pid=%d id=serving said=[generation %u] serving: ", input,
             (int)scene->proxy.pid, scene->proxy.generation);
    wait_mentioned(out, line);
}

/* RFC 5424 by a Unix socket, by UDP to an address, and to a name; with the daemon's restart. */
START_TEST(rsyslog_understands_the_lines)
{
    if (!program_exists("rsyslogd"))
        skip_test("no rsyslogd");
    if (!network_own())
        skip_test("no network of its own is possible here");
    char file[PATH_MAX], socket[PATH_MAX], out[PATH_MAX], target[PATH_MAX + 8];
    struct scene scene;
    test_path(file, "rsyslog.conf");
    test_path(socket, "syslog.sock");
    test_path(out, "messages");
    configure_rsyslog(file, socket, out);
    pid_t daemon = start_rsyslog(file, socket);
    scene_init(&scene);
    snprintf(target, sizeof target, "unix:%s", socket);
    log_to(&scene, target);
    proxy_start(&scene.proxy);
    expect_serving(out, &scene, "imuxsock");
    struct session session = session_open(&scene);
    session_close(&session);
    wait_mentioned(out, "imuxsock local3.info app=rpproxy");

    log_to(&scene, "udp:127.0.0.1:514");
    proxy_reload(&scene.proxy);
    expect_serving(out, &scene, "imudp");
    log_to(&scene, "udp:localhost:514");
    proxy_reload(&scene.proxy);
    expect_serving(out, &scene, "imudp");

    log_to(&scene, target);
    proxy_reload(&scene.proxy);
    expect_serving(out, &scene, "imuxsock");
    daemon_end(daemon, SIGTERM);
    unlink(socket);
    start_rsyslog(file, socket);
    session = session_open(&scene);
    session_close(&session);
    wait_mentions(out, "imuxsock local3.info app=rpproxy", 2);
    proxy_stop(&scene.proxy);
}
END_TEST

static bool drops(void *argument)
{
    struct scene *scene = argument;
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL);
    json_int_t dropped = json_integer_value(json_object_get(status, "log_dropped"));
    json_decref(status);
    return dropped > 0;
}

/* The proxy starts, serves and counts what it loses; it says so where it still can. */
START_TEST(without_a_syslog_daemon_lines_are_counted)
{
    char socket[PATH_MAX], target[PATH_MAX + 8];
    struct scene scene;
    scene_init(&scene);
    test_path(socket, "syslog.sock");
    snprintf(target, sizeof target, "unix:%s", socket);
    log_to(&scene, target);
    proxy_start(&scene.proxy);
    wait_mentioned(scene.proxy.log, "lines are lost until a syslog daemon makes its socket ");
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    wait_until(drops, &scene, "the status has the number of lost lines");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(without_journald_the_reason_is_said)
{
    if (access("/run/systemd/journal/socket", F_OK) == 0)
        skip_test("journald runs here");
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    scene_configure(&scene, "log = journal\n", "");
    ck_assert_int_ne(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    ck_assert_msg(strstr(outcome.err, "log: journald does not run here: No such file") != NULL,
                  "%s", outcome.err);
    ck_assert_msg(strstr(outcome.err, "null") == NULL, "%s", outcome.err);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- outages --- */

/* Without checks and without an access log: the operator hears that no client is served. */
START_TEST(a_total_outage_is_said)
{
    char line[128];
    struct scene scene;
    scene_start_before(&scene, port_reserve(getuid()), "", "retries = 0\n");
    for (unsigned i = 0; i < 3; i++) {
        expect_reset_at(&scene.front);
    }
    snprintf(line, sizeof line,
             "WARNING [generation %u] server main/a cannot be connected: the "
             "connection is refused (attempts of sessions: ",
             scene.proxy.generation);
    wait_mentioned(scene.proxy.log, line);
    expect_reset_at(&scene.front);
    wait_mentioned(scene.proxy.log, "server main/a: no session has failed to connect for 10 s");
    wait_mentions(scene.proxy.log, "cannot be connected", 1); /* not for each session */
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *log_suite(void)
{
    Suite *suite = suite_create("log");
    scenario_add(suite, each_line_is_json, 300);
    scenario_add(suite, rsyslog_understands_the_lines, 300);
    scenario_add(suite, without_a_syslog_daemon_lines_are_counted, 300);
    scenario_add(suite, without_journald_the_reason_is_said, 300);
    scenario_add(suite, a_total_outage_is_said, 300);
    return suite;
}
