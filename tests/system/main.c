/* Runs the scenarios one test at a time, each in a process of its own.
 *
 *   system-tests [SUITE | TEST]...
 *
 * runs all, or those named; CK_RUN_SUITE and CK_RUN_CASE choose as they do for any Check program.
 * Runners that are given one empty directory as RPPROXY_TEST_QUEUE share the tests between them. */
#include "tests/system/scenarios.h"
#include "tests/system/support/case.h"
#include "tests/system/support/harness.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct {
    const char *name;
    Suite *(*make)(void);
} suites[] = {
    /* clang-format off: one a line */
    {"harness", harness_suite},
    {"relay", relay_suite},
    {"access_log", access_log_suite},
    {"proxy_protocol", proxy_protocol_suite},
    {"proxy_peers", proxy_peers_suite},
    {"import", import_suite},
    {"routes", routes_suite},
    {"one_port", one_port_suite},
    {"forwarding", forwarding_suite},
    {"delivery", delivery_suite},
    {"addresses", addresses_suite},
    {"sources", sources_suite},
    {"local_ports", local_ports_suite},
    {"ports", ports_suite},
    {"ftp", ftp_suite},
    {"servers", servers_suite},
    {"server_checks", server_checks_suite},
    {"sentinel", sentinel_suite},
    {"workers", workers_suite},
    {"limits", limits_suite},
    {"admission", admission_suite},
    {"time_limits", time_limits_suite},
    {"queue", queue_suite},
    {"queue_load", queue_load_suite},
    {"tcp_options", tcp_options_suite},
    {"commands", commands_suite},
    {"control", control_suite},
    {"sessions", sessions_suite},
    {"events", events_suite},
    {"history", history_suite},
    {"pause", pause_suite},
    {"state", state_suite},
    {"status", status_suite},
    {"telling", telling_suite},
    {"completion", completion_suite},
    {"diagnoses", diagnoses_suite},
    {"mistakes", mistakes_suite},
    {"named_files", named_files_suite},
    {"refusals", refusals_suite},
    {"surroundings", surroundings_suite},
    {"environment", environment_suite},
    {"supervise", supervise_suite},
    {"watch", watch_suite},
    {"records", records_suite},
    {"tls", tls_suite},
    {"tls_defaults", tls_defaults_suite},
    {"tls_clients", tls_clients_suite},
    {"tls_facts", tls_facts_suite},
    {"tls_hostile", tls_hostile_suite},
    {"sealed_keys", sealed_keys_suite},
    {"secrets", secrets_suite},
    {"tls_resumption", tls_resumption_suite},
    {"log", log_suite},
    {"users", users_suite},
    {"churn", churn_suite},
    {"long_sessions", long_sessions_suite},
    {"figures", figures_suite},
    {"programs", programs_suite},
    {"clients", clients_suite},
    {"kills", kills_suite},
    {"older", older_suite},
    {"stop_limit", stop_limit_suite},
    {"crashes", crashes_suite},
    {"fallback", fallback_suite},
    {"late_handshakes", late_handshakes_suite},
    {"handoff", handoff_suite},
    {"handoff_kills", handoff_kills_suite},
    {"rescue", rescue_suite},
    {"balance", balance_suite},
    {"checks", checks_suite},
    {"check_kinds", check_kinds_suite},
    {"names", names_suite},
    {"activation", activation_suite},
    {"health", health_suite},
    {"prometheus", prometheus_suite},
    {"page", page_suite},
    {"hostile", hostile_suite},
    {"publication", publication_suite},
    {"rebinds", rebinds_suite},
    {"abstract_binds", abstract_binds_suite},
    {"interfaces", interfaces_suite},
    {"upgrade", upgrade_suite},
    {"plan", plan_suite},
    {"deadlines", deadlines_suite},
    {"canary", canary_suite},
    {"canary_limits", canary_limits_suite},
    {"canary_deaths", canary_deaths_suite},
    {"halts", halts_suite},
    {"hangs", hangs_suite},
    {"patroni", patroni_suite},
    {"web_examples", web_examples_suite},
    {"data_examples", data_examples_suite},
    {"tls_examples", tls_examples_suite},
    /* clang-format on */
};

enum { TESTS_MAX = 64, NAMES_MAX = 256 };

static unsigned passed, failed, skipped;

/* What was named on the command line and has been met. */
static bool met[NAMES_MAX];

/* A word of RPPROXY_TEST_LEAVE_OUT. */
static bool is_left_out(const char *suite)
{
    const char *list = getenv("RPPROXY_TEST_LEAVE_OUT");
    const size_t length = strlen(suite);
    for (const char *at = list; at && (at = strstr(at, suite)); at += length) {
        if ((at == list || at[-1] == ' ') && (at[length] == ' ' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static bool chosen(const char *suite, const char *test, int argc, char *argv[])
{
    const char *only_suite = getenv("CK_RUN_SUITE");
    const char *only_case = getenv("CK_RUN_CASE");
    if ((only_suite != NULL && strcmp(only_suite, suite) != 0) ||
        (only_case != NULL && strcmp(only_case, test) != 0)) {
        return false;
    }
    bool wanted = argc < 2 && !is_left_out(suite);
    for (int i = 1; i < argc && i < NAMES_MAX; i++) {
        bool named = strcmp(argv[i], suite) == 0 || strcmp(argv[i], test) == 0;
        met[i] |= named;
        wanted |= named;
    }
    return wanted;
}

/* Of several runners the one that makes the test's file in RPPROXY_TEST_QUEUE runs it. */
static bool claim(const char *suite, const char *test)
{
    const char *queue = getenv("RPPROXY_TEST_QUEUE");
    char path[PATH_MAX];
    if (queue == NULL) {
        return true;
    }
    snprintf(path, sizeof path, "%s/%s.%s", queue, suite, test);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0 && errno != EEXIST) {
        perror(path);
        exit(EXIT_FAILURE);
    }
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

static void print_failures(SRunner *runner)
{
    TestResult **failures = srunner_failures(runner);
    for (int i = 0; i < srunner_ntests_failed(runner); i++) {
        printf("  %s:%d: %s\n", tr_lfile(failures[i]), tr_lno(failures[i]), tr_msg(failures[i]));
    }
    free(failures);
}

static void run_test(Suite *(*make)(void), const char *suite, const char *test)
{
    SRunner *runner = srunner_create(make());
    srunner_set_fork_status(runner, CK_FORK);
    case_begin();
    int64_t start = now_ms();
    srunner_run(runner, NULL, test, CK_SILENT);
    double seconds = (double)(now_ms() - start) / 1000;
    bool passes = srunner_ntests_failed(runner) == 0 && srunner_ntests_run(runner) > 0;
    if (!passes) {
        printf("FAIL %s/%s (%.1f s)\n", suite, test, seconds);
        print_failures(runner);
    }
    const char *reason = case_end();
    if (!passes) {
        failed++;
    } else if (reason != NULL) {
        skipped++;
        printf("SKIP %s/%s: %s\n", suite, test, reason);
    } else {
        passed++;
        printf("ok   %s/%s (%.1f s)\n", suite, test, seconds);
    }
    fflush(stdout);
    srunner_free(runner);
}

int main(int argc, char *argv[])
{
    cases_init();
    for (size_t i = 0; i < sizeof suites / sizeof *suites; i++) {
        const char *tests[TESTS_MAX];
        cases_take_names(NULL, TESTS_MAX);
        SRunner *listing = srunner_create(suites[i].make());
        size_t count = cases_take_names(tests, TESTS_MAX);
        srunner_free(listing);
        for (size_t j = 0; j < count; j++) {
            if (chosen(suites[i].name, tests[j], argc, argv) && claim(suites[i].name, tests[j])) {
                run_test(suites[i].make, suites[i].name, tests[j]);
            }
        }
    }
    if (passed + failed + skipped == 0 && getenv("RPPROXY_TEST_QUEUE") == NULL) {
        fputs("no such test\n", stderr);
        return EXIT_FAILURE;
    }
    for (int i = 1; i < argc; i++) {
        if (i >= NAMES_MAX || !met[i]) {
            printf("FAIL %s: no such test\n", argv[i]);
            failed++;
        }
    }
    printf("%u passed, %u failed, %u skipped\n", passed, failed, skipped);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
