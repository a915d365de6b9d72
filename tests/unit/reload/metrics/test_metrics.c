/* Metrics: what a snapshot looks like as text, in both formats. The working directory is the root
 * of the repository. */
#include "proxy/session/states.h"
#include "reload/metrics/metrics.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static struct metrics_server servers[] = {
    {.name = "a",
     .figures = {.live = 3, .sessions = 40, .bytes_in = 7, .bytes_out = 8},
     .events = {.checks_failed = 2,
                .check_time = 1500,
                .downtime = 2500,
                .failures = {[CONNECT_TIMED_OUT] = 6},
                .ends = {[SESSION_IDLE] = 9}},
     .admin = "ready",
     .check = "up",
     .is_checked = true,
     .usable = 1,
     .check_up = 1,
     .weight = 10,
     .changed_at = 1700000000},
    {.name = "b", .admin = "maint", .check = "off", .maxconn = 50},
};
static struct metrics_backend backends[] = {
    {.name = "app",
     .usable = 1,
     .all = 2,
     .servers = servers,
     .server_count = 2,
     .figures = {.connect = {.buckets = {[5] = 1, [7] = 2, [40] = 1}, .sum = 2000003}}},
    {.name = "sl\\ash \"quote\" new\nline \xff\xc3\xa4", .has_queue = true, .waiting = 7},
};
static struct metrics_frontend frontends[] = {
    {.name = "web",
     .live = 4,
     .max_sessions = 100,
     .figures = {.sessions = 11, .ends = {[SESSION_DONE] = 5, [SESSION_UNDELIVERED] = 1}},
     .refusals.by = {[REFUSED_RATE] = 5}},
    {.name = "other"},
};

static struct metrics_certificate certificates[] = {
    {.frontend = "web", .file = "/c.pem", .name = "*.example", .expires_at = 1800000000},
};

static struct metrics_snapshot snapshot;
static struct evbuffer *out;

static void setup(void)
{
    snapshot = (struct metrics_snapshot){.version = "1.2",
                                         .state = "active",
                                         .generation = 3,
                                         .figures = {.sessions = UINT64_MAX, .client_bytes = 12},
                                         .frontends = frontends,
                                         .frontend_count = 2,
                                         .certificates = certificates,
                                         .certificate_count = 1,
                                         .backends = backends,
                                         .backend_count = 2,
                                         .server_series = true};
    out = evbuffer_new();
    ck_assert_ptr_nonnull(out);
}

static void teardown(void)
{
    evbuffer_free(out);
}

/* All text, with a NUL at the end; valid until the end of the test. */
static const char *text_of(bool openmetrics)
{
    ck_assert_int_eq(metrics_write(&snapshot, out, openmetrics), 0);
    ck_assert_int_eq(evbuffer_add(out, "", 1), 0);
    return (const char *)evbuffer_pullup(out, -1);
}

static void expect(const char *text, const char *line)
{
    char whole[512];
    snprintf(whole, sizeof whole, "\n%s\n", line);
    ck_assert_msg(strstr(text, whole) != NULL, "'%s' is missing in:\n%s", line, text);
}

START_TEST(text_has_types_and_series)
{
    const char *text = text_of(false);
    expect(text, "# TYPE rpproxy_sessions_total counter");
    expect(text, "rpproxy_sessions_total 18446744073709551615");
    expect(text, "rpproxy_bytes_total{direction=\"in\"} 12");
    expect(text, "rpproxy_generation 3");
    expect(text, "rpproxy_frontend_live_sessions{frontend=\"web\"} 4");
    expect(text, "rpproxy_frontend_denied_total{frontend=\"web\",reason=\"source-rate\"} 5");
    expect(text, "rpproxy_server_live_sessions{backend=\"app\",server=\"a\"} 3");
    expect(text, "rpproxy_server_admin_state_info{backend=\"app\",server=\"b\",state=\"maint\"} 1");
    ck_assert_ptr_null(strstr(text, "# EOF"));
    ck_assert_ptr_null(strstr(text, "# UNIT"));
}
END_TEST

START_TEST(figures_are_told_apart_by_labels)
{
    const char *text = text_of(false);
    expect(text, "rpproxy_frontend_sessions_total{frontend=\"web\"} 11");
    expect(text, "rpproxy_frontend_session_ends_total{frontend=\"web\",reason=\"done\"} 5");
    expect(text, "rpproxy_frontend_session_ends_total{frontend=\"web\",reason=\"undelivered\"} 1");
    expect(text, "rpproxy_certificate_expiry_timestamp_seconds{frontend=\"web\",file=\"/c.pem\","
                 "name=\"*.example\"} 1800000000");
    expect(text, "rpproxy_server_bytes_total{backend=\"app\",server=\"a\",direction=\"out\"} 8");
    expect(text, "rpproxy_server_connect_failures_total{backend=\"app\",server=\"a\",reason="
                 "\"timeout\"} 6");
    expect(text, "rpproxy_server_session_ends_total{backend=\"app\",server=\"a\",reason="
                 "\"idle-timeout\"} 9");
    expect(text, "rpproxy_server_checks_total{backend=\"app\",server=\"a\",result=\"failed\"} 2");
    expect(text, "rpproxy_server_last_check_duration_seconds{backend=\"app\",server=\"a\"} 0.0015");
    expect(text, "rpproxy_server_downtime_seconds_total{backend=\"app\",server=\"a\"} 2.5");
}
END_TEST

/* Of the bounds below the first one that is shown, nothing is lost. */
START_TEST(histograms_are_cumulative)
{
#define CONNECT "rpproxy_backend_connect_duration_seconds"
    const char *text = text_of(false);
    expect(text, "# TYPE " CONNECT " histogram");
    expect(text, CONNECT "_bucket{backend=\"app\",le=\"0.000064\"} 1");
    expect(text, CONNECT "_bucket{backend=\"app\",le=\"0.000128\"} 3");
    expect(text, CONNECT "_bucket{backend=\"app\",le=\"16.777216\"} 3");
    expect(text, CONNECT "_bucket{backend=\"app\",le=\"+Inf\"} 4");
    expect(text, CONNECT "_sum{backend=\"app\"} 2.000003");
    expect(text, CONNECT "_count{backend=\"app\"} 4");
    ck_assert_ptr_null(strstr(text, "le=\"0.000032\""));
}
END_TEST

START_TEST(openmetrics_has_units_and_an_end)
{
    const char *text = text_of(true);
    expect(text, "# TYPE rpproxy_sessions counter");
    expect(text, "rpproxy_sessions_total 18446744073709551615");
    expect(text, "# UNIT rpproxy_bytes bytes");
    size_t length = strlen(text);
    ck_assert_str_eq(text + length - 6, "# EOF\n");
}
END_TEST

START_TEST(label_values_are_escaped)
{
    expect(text_of(false), "rpproxy_backend_waiting_sessions{backend=\"sl\\\\ash \\\"quote\\\" "
                           "new\\nline ?\xc3\xa4\"} 7");
}
END_TEST

START_TEST(what_does_not_exist_has_no_series)
{
    const char *text = text_of(false);
    ck_assert_ptr_null(strstr(text, "\nrpproxy_max_sessions "));
    ck_assert_ptr_null(strstr(text, "rpproxy_frontend_max_sessions{frontend=\"other\"}"));
    ck_assert_ptr_null(strstr(text, "rpproxy_server_check_up{backend=\"app\",server=\"b\"}"));
    ck_assert_ptr_null(strstr(text, "rpproxy_backend_waiting_sessions{backend=\"app\"}"));
    ck_assert_ptr_null(strstr(text, "\nrpproxy_canary_left_seconds "));
    ck_assert_ptr_null(strstr(text, "process_"));
}
END_TEST

START_TEST(series_of_servers_can_be_left_out)
{
    snapshot.server_series = false;
    const char *text = text_of(false);
    ck_assert_ptr_null(strstr(text, "server="));
    expect(text, "rpproxy_backend_usable_servers{backend=\"app\"} 1");
}
END_TEST

START_TEST(durations_are_in_seconds)
{
    snapshot.reloaded = true;
    snapshot.reload_result = "done";
    snapshot.reload_duration = 1250;
    snapshot.canary = (struct metrics_canary){.any = true, .left = 40, .share = 500};
    const char *text = text_of(false);
    expect(text, "rpproxy_last_reload_duration_seconds 1.25");
    expect(text, "rpproxy_canary_left_seconds 0.04");
    expect(text, "rpproxy_canary_share_ratio 0.05");
}
END_TEST

START_TEST(the_process_is_measured)
{
    metrics_measure(&snapshot);
    const struct metrics_process *process = &snapshot.process;
    ck_assert_uint_gt(process->resident, 100000);
    ck_assert_uint_gt(process->descriptors, 2);
    ck_assert_uint_ge(process->descriptors_most, process->descriptors);
    ck_assert_uint_ge(process->threads, 1);
    ck_assert_uint_gt(process->started_at, UINT64_C(1500000000000));
}
END_TEST

/* A program of Prometheus reads the text as its standard input. */
static void judge(const char *command, bool openmetrics)
{
    char whole[512];
    if (system("command -v promtool >/dev/null") != 0) {
        unit_skip("no promtool");
        return;
    }
    metrics_measure(&snapshot);
    snapshot.reloaded = true;
    snapshot.reload_result = "done";
    snapshot.canary.any = true;
    snapshot.figures.sessions = 1000; /* Prometheus reads a number beyond 2^53 as another one */
    snprintf(whole, sizeof whole, "%s", command);
    FILE *program = popen(whole, "w");
    ck_assert_ptr_nonnull(program);
    const char *text = text_of(openmetrics);
    ck_assert_int_gt(fputs(text, program), 0);
    int status = pclose(program);
    ck_assert_msg(status == 0, "'%s': status %d", command, status);
}

START_TEST(promtool_finds_nothing_to_say)
{
    judge("out=$(promtool check metrics 2>&1) && test -z \"$out\" || "
          "{ echo \"$out\"; exit 1; }",
          false);
}
END_TEST

START_TEST(prometheus_reads_openmetrics)
{
    /* The importer wants a time in each line. */
    judge("d=$(mktemp -d) && sed '/^#/!s/$/ 1700000000/' >$d/in && "
          "out=$(promtool tsdb create-blocks-from openmetrics $d/in $d/out 2>&1); s=$?; "
          "rm -rf $d; test $s = 0 || { echo \"$out\"; exit 1; }",
          true);
}
END_TEST

/* --- the manual ---------------------------------------------------------------------------- */

#define MANUAL "man/rpproxy-metrics.7"

static bool exists(const char *name)
{
    for (size_t i = 0; metrics_name(i); i++)
        if (strcmp(metrics_name(i), name) == 0)
            return true;
    return false;
}

/* Each item of the manual is a metric, and there are as many. */
START_TEST(every_metric_is_in_the_manual)
{
    char line[256];
    size_t documented = 0, all = 0;
    FILE *file = fopen(MANUAL, "re");
    ck_assert_msg(file != NULL, "%s (tests run from the repository's root)", MANUAL);
    while (fgets(line, sizeof line, file)) {
        line[strcspn(line, "\n")] = '\0';
        if (strncmp(line, ".It Li ", 7) != 0)
            continue;
        ck_assert_msg(exists(line + 7), "%s: there is no metric %s", MANUAL, line + 7);
        documented++;
    }
    fclose(file);
    while (metrics_name(all))
        all++;
    ck_assert_msg(documented == all, "%s has %zu metrics, and there are %zu", MANUAL, documented,
                  all);
}
END_TEST

/* --- scripts/monitoring -------------------------------------------------------------------- */

#define MONITORING "scripts/monitoring/"

static bool has_promtool(void)
{
    if (system("command -v promtool >/dev/null") == 0)
        return true;
    unit_skip("no promtool");
    return false;
}

static bool is_part_of_name(char c)
{
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* A name of a series: of a metric, or of a part of a histogram. */
static bool is_series(const char *name)
{
    static const char *const parts[] = {"_bucket", "_sum", "_count"};
    char base[128];
    if (exists(name))
        return true;
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        size_t length = strlen(name), part = strlen(parts[i]);
        if (length <= part || strcmp(name + length - part, parts[i]) != 0)
            continue;
        snprintf(base, sizeof base, "%.*s", (int)(length - part), name);
        return exists(base);
    }
    return false;
}

/* Names that begin with this are metrics. Returns how many there are. */
static size_t check_names(const char *path, const char *text, const char *prefix)
{
    size_t count = 0;
    for (const char *at = text; (at = strstr(at, prefix)); count++) {
        char name[128];
        size_t length = 0;
        while (is_part_of_name(at[length]))
            length++;
        snprintf(name, sizeof name, "%.*s", (int)length, at);
        ck_assert_msg(is_series(name), "%s: there is no metric %s", path, name);
        at += length;
    }
    return count;
}

static char *read_whole(const char *path)
{
    FILE *file = fopen(path, "re");
    ck_assert_msg(file != NULL, "%s (tests run from the repository's root)", path);
    char *text = calloc(1, 1 << 20);
    ck_assert_ptr_nonnull(text);
    ck_assert_uint_gt(fread(text, 1, (1 << 20) - 1, file), 0);
    fclose(file);
    return text;
}

START_TEST(monitoring_names_metrics_that_exist)
{
    static const char *const paths[] = {MONITORING "rpproxy.rules.yml",
                                        MONITORING "rpproxy.rules.test.yml",
                                        MONITORING "rpproxy.dashboard.json"};
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        char *text = read_whole(paths[i]);
        ck_assert_uint_gt(check_names(paths[i], text, "rpproxy_"), 15);
        ck_assert_uint_gt(check_names(paths[i], text, "process_"), 1);
        free(text);
    }
}
END_TEST

START_TEST(alerts_do_what_they_say)
{
    if (has_promtool())
        ck_assert_int_eq(system("cd " MONITORING " && promtool check config prometheus.yml >&2 && "
                                "promtool test rules rpproxy.rules.test.yml >&2"),
                         0);
}
END_TEST

/* Every alert has a test. */
START_TEST(every_alert_is_tested)
{
    char *rules = read_whole(MONITORING "rpproxy.rules.yml");
    char *tests = read_whole(MONITORING "rpproxy.rules.test.yml");
    size_t count = 0;
    for (const char *at = rules; (at = strstr(at, "- alert: ")); count++) {
        char wanted[128];
        at += strlen("- alert: ");
        snprintf(wanted, sizeof wanted, "alertname: %.*s\n", (int)strcspn(at, "\n"), at);
        ck_assert_msg(strstr(tests, wanted) != NULL, "no test: %s", wanted);
    }
    ck_assert_uint_gt(count, 10);
    free(rules);
    free(tests);
}
END_TEST

static void replace(char *text, const char *what, const char *by)
{
    const size_t length = strlen(what), new_length = strlen(by);
    for (char *at = text; (at = strstr(at, what)); at += new_length) {
        memcpy(at, by, new_length);
        memmove(at + new_length, at + length, strlen(at + length) + 1);
    }
}

/* What the panels ask for, as rules: promtool reads these. Returns how many there are. */
static size_t write_expressions(json_t *value, FILE *rules)
{
    size_t count = 0, i;
    const char *key;
    json_t *item;
    json_array_foreach(value, i, item) count += write_expressions(item, rules);
    json_object_foreach(value, key, item)
    {
        if (strcmp(key, "expr") != 0) {
            count += write_expressions(item, rules);
            continue;
        }
        char *text = strdup(json_string_value(item));
        ck_assert_ptr_nonnull(text);
        replace(text, "$__rate_interval", "5m"); /* Grafana does */
        fprintf(rules, "      - {record: panel, expr: '%s'}\n", text);
        free(text);
        count++;
    }
    return count;
}

START_TEST(the_dashboard_asks_what_prometheus_understands)
{
    json_t *dashboard = json_load_file(MONITORING "rpproxy.dashboard.json", 0, NULL);
    char path[] = "/tmp/rpproxy-rules-XXXXXX", command[128];
    ck_assert_ptr_nonnull(dashboard);
    int fd = mkstemp(path);
    FILE *rules = fdopen(fd, "w");
    ck_assert_ptr_nonnull(rules);
    fputs("groups:\n  - name: dashboard\n    rules:\n", rules);
    ck_assert_uint_gt(write_expressions(dashboard, rules), 30);
    fclose(rules);
    json_decref(dashboard);
    snprintf(command, sizeof command, "promtool check rules %s >/dev/null", path);
    int status = has_promtool() ? system(command) : 0;
    unlink(path);
    ck_assert_int_eq(status, 0);
}
END_TEST

Suite *metrics_suite(void)
{
    Suite *suite = suite_create("metrics");
    TCase *text = tcase_create("text");
    tcase_add_checked_fixture(text, setup, teardown);
    tcase_add_test(text, text_has_types_and_series);
    tcase_add_test(text, figures_are_told_apart_by_labels);
    tcase_add_test(text, histograms_are_cumulative);
    tcase_add_test(text, openmetrics_has_units_and_an_end);
    tcase_add_test(text, label_values_are_escaped);
    tcase_add_test(text, what_does_not_exist_has_no_series);
    tcase_add_test(text, series_of_servers_can_be_left_out);
    tcase_add_test(text, durations_are_in_seconds);
    tcase_add_test(text, the_process_is_measured);
    tcase_add_test(text, promtool_finds_nothing_to_say);
    tcase_add_test(text, prometheus_reads_openmetrics);
    suite_add_tcase(suite, text);
    TCase *manual = tcase_create("manual");
    tcase_add_test(manual, every_metric_is_in_the_manual);
    suite_add_tcase(suite, manual);
    TCase *monitoring = tcase_create("monitoring");
    tcase_set_timeout(monitoring, 60);
    tcase_add_test(monitoring, monitoring_names_metrics_that_exist);
    tcase_add_test(monitoring, alerts_do_what_they_say);
    tcase_add_test(monitoring, every_alert_is_tested);
    tcase_add_test(monitoring, the_dashboard_asks_what_prometheus_understands);
    suite_add_tcase(suite, monitoring);
    return suite;
}
