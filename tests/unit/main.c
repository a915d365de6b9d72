/* Runs all suites. CK_RUN_SUITE and CK_RUN_CASE choose some; CK_FORK=no helps with a debugger. */
#include "tests/unit/suites.h"

#include <stdatomic.h>
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

int main(void)
{
    /* One a line, so that changes of several authors do not meet. */
    /* clang-format off */
    Suite *(*const suites[])(void) = {
        address_suite,
        source_suite,
        bind_clients_suite,
        listen_address_suite,
        balance_suite,
        algorithms_suite,
        balance_table_suite,
        ejection_suite,
        weights_suite,
        buffers_suite,
        engine_suite,
        channel_suite,
        relay_suite,
        limit_suite,
        places_suite,
        pool_suite,
        queue_suite,
        limit_shares_suite,
        task_queue_suite,
        wheel_suite,
        warnings_suite,
        config_suite,
        config_mistakes_suite,
        config_file_suite,
        group_suite,
        log_suite,
        log_targets_suite,
        log_values_suite,
        line_suite,
        condition_suite,
        options_suite,
        docs_suite,
        proxy_suite,
        sockdiag_suite,
        steering_suite,
        value_suite,
        cpus_suite,
        socket_suite,
        server_suite,
        checks_suite,
        evict_suite,
        plan_suite,
        http_dialogue_suite,
        steps_dialogue_suite,
        line_dialogues_suite,
        mysql_suite,
        pgsql_suite,
        exec_suite,
        ports_suite,
        words_suite,
        login_options_suite,
        certificate_suite,
        tls_server_suite,
        tls_target_suite,
        import_tls_suite,
        tls_options_suite,
        metrics_options_suite,
        server_states_suite,
        stats_suite,
        peer_stats_suite,
        heartbeat_suite,
        accept_suite,
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
        handoff_suite,
        transfer_suite,
        children_suite,
        signals_suite,
        generation_suite,
        backend_suite,
        reclaim_suite,
        descriptors_suite,
        listener_suite,
        published_path_suite,
        prefix_tree_suite,
        list_file_suite,
        sources_suite,
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
        lookup_suite,
        routes_suite,
        route_choice_suite,
        metrics_suite,
        tally_suite,
        slots_suite,
        names_suite,
        named_servers_suite,
    };
    /* clang-format on */
    skips = mmap(NULL, sizeof *skips, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (skips == MAP_FAILED) {
        perror("mmap");
        return EXIT_FAILURE;
    }
    SRunner *runner = srunner_create(suites[0]());
    for (size_t i = 1; i < sizeof suites / sizeof suites[0]; i++)
        srunner_add_suite(runner, suites[i]());
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    int skipped = atomic_load(skips);
    printf("%d passed, %d failed, %d skipped\n", srunner_ntests_run(runner) - failed - skipped,
           failed, skipped);
    srunner_free(runner);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
