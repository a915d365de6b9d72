/* The suites of the unit tests: one for each module, in its own file. */
#ifndef RPPROXY_TESTS_UNIT_SUITES_H
#define RPPROXY_TESTS_UNIT_SUITES_H

#include <check.h>

/* For tests of many rounds: a sanitizer takes several times as long for each. */
#if defined(__has_feature)
#define UNIT_SANITIZED (__has_feature(thread_sanitizer) || __has_feature(address_sanitizer))
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define UNIT_SANITIZED 1
#else
#define UNIT_SANITIZED 0
#endif

Suite *accept_suite(void);
Suite *table_suite(void);
Suite *form_suite(void);
Suite *forwarded_suite(void);
Suite *supervisor_line_suite(void);
Suite *auth_suite(void);
Suite *activation_suite(void);
Suite *address_suite(void);
Suite *error_text_suite(void);
Suite *source_suite(void);
Suite *bind_clients_suite(void);
Suite *listen_address_suite(void);
Suite *backend_suite(void);
Suite *algorithms_suite(void);
Suite *balance_suite(void);
Suite *balance_table_suite(void);
Suite *ejection_suite(void);
Suite *weights_suite(void);
Suite *canary_suite(void);
Suite *transfer_suite(void);
Suite *buffers_suite(void);
Suite *channel_suite(void);
Suite *spare_channels_suite(void);
Suite *checks_suite(void);
Suite *evict_suite(void);
Suite *plan_suite(void);
Suite *http_dialogue_suite(void);
Suite *steps_dialogue_suite(void);
Suite *children_suite(void);
Suite *condition_suite(void);
Suite *config_file_suite(void);
Suite *warnings_suite(void);
Suite *config_suite(void);
Suite *config_mistakes_suite(void);
Suite *cpus_suite(void);
Suite *terminate_suite(void);
Suite *walk_suite(void);
Suite *event_bus_suite(void);
Suite *log_pattern_suite(void);
Suite *text_diff_suite(void);
Suite *secrets_suite(void);
Suite *descriptors_suite(void);
Suite *diff_suite(void);
Suite *import_haproxy_suite(void);
Suite *import_nginx_suite(void);
Suite *loops_suite(void);
Suite *relay_suite(void);
Suite *exec_suite(void);
Suite *generation_suite(void);
Suite *group_suite(void);
Suite *handoff_suite(void);
Suite *server_states_suite(void);
Suite *stats_suite(void);
Suite *life_suite(void);
Suite *line_dialogues_suite(void);
Suite *limit_suite(void);
Suite *places_suite(void);
Suite *pool_suite(void);
Suite *listener_suite(void);
Suite *list_file_suite(void);
Suite *prefix_tree_suite(void);
Suite *peer_stats_suite(void);
Suite *heartbeat_suite(void);
Suite *log_suite(void);
Suite *log_targets_suite(void);
Suite *log_values_suite(void);
Suite *line_suite(void);
Suite *task_queue_suite(void);
Suite *login_options_suite(void);
Suite *certificate_suite(void);
Suite *tls_server_suite(void);
Suite *key_copies_suite(void);
Suite *tickets_suite(void);
Suite *tls_target_suite(void);
Suite *import_tls_suite(void);
Suite *tls_options_suite(void);
Suite *metrics_options_suite(void);
Suite *mysql_suite(void);
Suite *notify_suite(void);
Suite *options_suite(void);
Suite *docs_suite(void);
Suite *dns_suite(void);
Suite *search_suite(void);
Suite *resolver_suite(void);
Suite *lookup_suite(void);
Suite *slots_suite(void);
Suite *names_suite(void);
Suite *named_servers_suite(void);
Suite *engine_suite(void);
Suite *pgsql_suite(void);
Suite *local_ports_suite(void);
Suite *preview_suite(void);
Suite *proxy_suite(void);
Suite *proxy_header_suite(void);
Suite *proxy_protocol_suite(void);
Suite *published_path_suite(void);
Suite *queue_suite(void);
Suite *reclaim_suite(void);
Suite *session_list_suite(void);
Suite *stages_suite(void);
Suite *server_suite(void);
Suite *limit_shares_suite(void);
Suite *signals_suite(void);
Suite *sockdiag_suite(void);
Suite *socket_suite(void);
Suite *sources_suite(void);
Suite *tls_suite(void);
Suite *admission_values_suite(void);
Suite *time_limits_suite(void);
Suite *steering_suite(void);
Suite *value_suite(void);
Suite *wheel_suite(void);
Suite *ports_suite(void);
Suite *named_files_suite(void);
Suite *watch_suite(void);
Suite *words_suite(void);
Suite *write_suite(void);
Suite *client_hello_suite(void);
Suite *http_head_suite(void);
Suite *name_map_suite(void);
Suite *routes_suite(void);
Suite *route_choice_suite(void);
Suite *metrics_suite(void);
Suite *tally_suite(void);

/* Counts the running test as skipped, for the reason `why`; the test returns afterwards. Only for
 * something that the machine does not have, never for a failure of the program. */
void unit_skip(const char *why);

#endif
