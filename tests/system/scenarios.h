/* Every scenario's suite. The runner's list in main.c has the same names. */
#ifndef TESTS_SYSTEM_SCENARIOS_H
#define TESTS_SYSTEM_SCENARIOS_H

#include <check.h>

Suite *harness_suite(void);
Suite *churn_suite(void);
Suite *figures_suite(void);
Suite *long_sessions_suite(void);
Suite *programs_suite(void);
Suite *clients_suite(void);
Suite *kills_suite(void);
Suite *crashes_suite(void);
Suite *fallback_suite(void);
Suite *late_handshakes_suite(void);
Suite *handoff_suite(void);
Suite *handoff_kills_suite(void);
Suite *rescue_suite(void);
Suite *refusals_suite(void);
Suite *surroundings_suite(void);
Suite *environment_suite(void);
Suite *users_suite(void);
Suite *relay_suite(void);
Suite *proxy_protocol_suite(void);
Suite *routes_suite(void);
Suite *one_port_suite(void);
Suite *forwarding_suite(void);
Suite *delivery_suite(void);
Suite *addresses_suite(void);
Suite *servers_suite(void);
Suite *server_checks_suite(void);
Suite *workers_suite(void);
Suite *limits_suite(void);
Suite *balance_suite(void);
Suite *admission_suite(void);
Suite *time_limits_suite(void);
Suite *queue_suite(void);
Suite *queue_load_suite(void);
Suite *checks_suite(void);
Suite *check_kinds_suite(void);
Suite *names_suite(void);
Suite *commands_suite(void);
Suite *control_suite(void);
Suite *telling_suite(void);
Suite *activation_suite(void);
Suite *publication_suite(void);
Suite *rebinds_suite(void);
Suite *upgrade_suite(void);
Suite *plan_suite(void);
Suite *deadlines_suite(void);
Suite *canary_suite(void);
Suite *canary_limits_suite(void);
Suite *canary_deaths_suite(void);
Suite *halts_suite(void);
Suite *hangs_suite(void);

#endif
