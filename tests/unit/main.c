/* Runs all suites, or with RPPROXY_TEST_THREADS those that start threads: ThreadSanitizer sees
 * nothing in the others. CK_RUN_SUITE and CK_RUN_CASE choose some; CK_FORK=no helps with a
 * debugger. */
#include "tests/unit/suites.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

/* Shared with the tests, each of which runs in its own process. */
static atomic_int *skips;

void unit_skip(const char *why)
{
    printf("skipped: %s\n", why);
    fflush(stdout);
    atomic_fetch_add(skips, 1);
}

/* One a line, so that changes of several authors do not meet. */
/* clang-format off */
/* The suites that start threads. */
static Suite *(*const threaded[])(void) = {
    limit_suite,
    places_suite,
    pool_suite,
    task_queue_suite,
    log_suite,
    log_targets_suite,
    proxy_suite,
    checks_suite,
    heartbeat_suite,
    handoff_suite,
    transfer_suite,
    algorithms_suite,
    backend_suite,
    reclaim_suite,
    sources_suite,
    local_ports_suite,
    lookup_suite,
    metrics_suite,
};
static Suite *(*const others[])(void) = {
    address_suite,
    source_suite,
    bind_clients_suite,
    listen_address_suite,
    balance_suite,
    balance_table_suite,
    ejection_suite,
    weights_suite,
    buffers_suite,
    engine_suite,
    channel_suite,
    spare_channels_suite,
    relay_suite,
    queue_suite,
    limit_shares_suite,
    wheel_suite,
    warnings_suite,
    config_suite,
    config_mistakes_suite,
    config_file_suite,
    group_suite,
    log_values_suite,
    line_suite,
    condition_suite,
    options_suite,
    docs_suite,
    sockdiag_suite,
    steering_suite,
    value_suite,
    cpus_suite,
    socket_suite,
    server_suite,
    evict_suite,
    plan_suite,
    http_dialogue_suite,
    steps_dialogue_suite,
    line_dialogues_suite,
    mysql_suite,
    pgsql_suite,
    exec_suite,
    ports_suite,
    named_files_suite,
    watch_suite,
    words_suite,
    login_options_suite,
    certificate_suite,
    tls_server_suite,
    key_copies_suite,
    tickets_suite,
    tls_target_suite,
    import_tls_suite,
    tls_options_suite,
    metrics_options_suite,
    server_states_suite,
    stats_suite,
    peer_stats_suite,
    accept_suite,
    error_text_suite,
    table_suite,
    form_suite,
    forwarded_suite,
    supervisor_line_suite,
    auth_suite,
    activation_suite,
    notify_suite,
    write_suite,
    diff_suite,
    import_haproxy_suite,
    import_nginx_suite,
    loops_suite,
    life_suite,
    terminate_suite,
    walk_suite,
    event_bus_suite,
    log_pattern_suite,
    text_diff_suite,
    secrets_suite,
    session_list_suite,
    stages_suite,
    preview_suite,
    canary_suite,
    children_suite,
    signals_suite,
    generation_suite,
    descriptors_suite,
    listener_suite,
    published_path_suite,
    prefix_tree_suite,
    list_file_suite,
    tls_suite,
    admission_values_suite,
    time_limits_suite,
    proxy_header_suite,
    client_hello_suite,
    http_head_suite,
    proxy_protocol_suite,
    name_map_suite,
    dns_suite,
    search_suite,
    resolver_suite,
    routes_suite,
    route_choice_suite,
    tally_suite,
    slots_suite,
    names_suite,
    named_servers_suite,
};
/* clang-format on */

static bool may_start_threads;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument);

/* Instead of pthread_create(): the linker's --wrap. */
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attributes,
                          void *(*start)(void *), void *argument)
{
    if (!may_start_threads) {
        fputs("a suite that starts threads stands among the others in tests/unit/main.c\n", stderr);
        abort();
    }
    return __real_pthread_create(thread, attributes, start, argument);
}

static int ran, failed;

static void run(Suite *(*const suites[])(void), size_t count)
{
    SRunner *runner = srunner_create(NULL);
    for (size_t i = 0; i < count; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    ran += srunner_ntests_run(runner);
    failed += srunner_ntests_failed(runner);
    srunner_free(runner);
}

int main(void)
{
    skips = mmap(NULL, sizeof *skips, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (skips == MAP_FAILED) {
        perror("mmap");
        return EXIT_FAILURE;
    }
    may_start_threads = true;
    run(threaded, sizeof threaded / sizeof *threaded);
    may_start_threads = false;
    if (!getenv("RPPROXY_TEST_THREADS"))
        run(others, sizeof others / sizeof *others);
    int skipped = atomic_load(skips);
    printf("%d passed, %d failed, %d skipped\n", ran - failed - skipped, failed, skipped);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
