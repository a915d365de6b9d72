/* A real Prometheus reads the metrics across reloads, a kill and a roll-back: no counter falls, and
 * each is at the end what the clients have counted. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/http.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <ctype.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RELOADS = 20, IN_FLIGHT = 20 };

struct stage {
    struct proxy proxy;
    struct origin *origin;
    struct endpoint front, own; /* the addresses of frontends: main has load, own this test */
    int listener;               /* of the server of `own` */
    uint16_t closed, metrics, server_port;
    struct endpoint prometheus;
};

static bool accepts(void *argument)
{
    int socket = try_connect(argument);
    if (socket >= 0)
        close(socket);
    return socket >= 0;
}

static void start_prometheus(struct stage *stage)
{
    char config[PATH_MAX], option[3][PATH_MAX + 64], log[PATH_MAX], path[PATH_MAX];
    uint16_t port = port_reserve(getuid());
    write_file(test_path(config, "prometheus.yml"), 0644,
               "scrape_configs:\n  - job_name: rpproxy\n    scrape_interval: 500ms\n"
               "    scrape_timeout: 500ms\n    static_configs:\n"
               "      - targets: ['127.0.0.1:%u']\n",
               stage->metrics);
    snprintf(option[0], sizeof option[0], "--config.file=%s", config);
    snprintf(option[1], sizeof option[1], "--storage.tsdb.path=%s", test_path(path, "tsdb"));
    snprintf(option[2], sizeof option[2], "--web.listen-address=127.0.0.1:%u", port);
    const char *const argv[] = {"prometheus", option[0],           option[1],
                                option[2],    "--log.level=error", NULL};
    test_path(log, "prometheus.out");
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    stage->prometheus = endpoint_loopback(port);
    wait_until(accepts, &stage->prometheus, "Prometheus accepts connections");
    http_wait(&stage->prometheus, "/-/ready", 200, "");
}

/* The result of a query, to be freed; NULL: it is empty. */
static json_t *ask(const struct stage *stage, const char *query)
{
    char path[1024] = "/api/v1/query?query=";
    size_t length = strlen(path);
    for (const char *c = query; *c; c++) {
        ck_assert_uint_lt(length, sizeof path - 4);
        length += (size_t)snprintf(path + length, 4, isalnum((unsigned char)*c) ? "%c" : "%%%02X",
                                   (unsigned char)*c);
    }
    struct response response;
    http_get(&stage->prometheus, path, &response);
    ck_assert_msg(response.status == 200, "%s: %s", query, response.body);
    json_t *answer = json_loads(response.body, 0, NULL);
    json_t *result = json_object_get(json_object_get(answer, "data"), "result");
    json_t *first = json_incref(json_array_get(result, 0));
    json_decref(answer);
    response_free(&response);
    return first;
}

static double number_of(const json_t *sample)
{
    return strtod(json_string_value(json_array_get(sample, 1)), NULL);
}

/* NAN: there is no such series yet. */
static double value_of(const struct stage *stage, const char *query)
{
    json_t *result = ask(stage, query);
    double value = result ? number_of(json_object_get(result, "value")) : (double)NAN;
    json_decref(result);
    return value;
}

struct expected {
    const struct stage *stage;
    const char *query;
    double value;
};

static bool is_as_expected(void *argument)
{
    const struct expected *expected = argument;
    return value_of(expected->stage, expected->query) == expected->value;
}

static void wait_value(const struct stage *stage, const char *query, double value)
{
    char what[300];
    struct expected expected = {stage, query, value};
    snprintf(what, sizeof what, "Prometheus has %.0f for %s", value, query);
    wait_until(is_as_expected, &expected, what);
}

/* All that was ever read of the series: from 0 to the value, and never less than before. */
static void expect_no_fall(const struct stage *stage, const char *series, double value)
{
    char query[300];
    snprintf(query, sizeof query, "%s[1h]", series);
    json_t *result = ask(stage, query), *sample;
    ck_assert_msg(result != NULL, "there is no %s", series);
    double last = 0;
    size_t i;
    json_array_foreach(json_object_get(result, "values"), i, sample)
    {
        double now = number_of(sample);
        ck_assert_msg(i > 0 || now == 0, "%s begins with %.0f", series, now);
        ck_assert_msg(now >= last, "%s falls from %.0f to %.0f", series, last, now);
        last = now;
    }
    ck_assert_msg(last == value, "%s: %.0f, and not %.0f", series, last, value);
    json_decref(result);
    /* It extrapolates to the ends of the hour by at most a scrape at either end. */
    snprintf(query, sizeof query, "increase(%s[1h])", series);
    double increase = value_of(stage, query);
    ck_assert_msg(increase >= value && increase <= value * 1.5, "%s: %f, and not about %.0f", query,
                  increase, value);
}

static void configure(const struct stage *stage, const char *global)
{
    proxy_configure(&stage->proxy,
                    "workers = 2\nmetrics = 127.0.0.1:%u\n%s"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "server = b 127.0.0.1:%u\n"
                    "[listen own]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    stage->metrics, global, ntohs(stage->front.in.sin_port),
                    origin_port(stage->origin), stage->closed, ntohs(stage->own.in.sin_port),
                    stage->server_port);
}

static void begin(struct stage *stage)
{
    stage->origin = origin_start(ORIGIN_ANSWER);
    stage->listener = listen_loopback(&stage->server_port);
    stage->front = endpoint_loopback(port_reserve(getuid()));
    stage->own = endpoint_loopback(port_reserve(getuid()));
    stage->closed = port_reserve(getuid());
    stage->metrics = port_reserve(getuid());
    proxy_init(&stage->proxy, "proxy");
    configure(stage, "");
    proxy_start(&stage->proxy);
    start_prometheus(stage);
}

/* A session of the test's own, with a byte each way. */
static void open_own(const struct stage *stage, int *client, int *server)
{
    char byte = 'x';
    *client = connect_to(&stage->own);
    *server = accept_from(stage->listener);
    send_all(*client, &byte, 1);
    receive_exactly(*server, &byte, 1);
    send_all(*server, &byte, 1);
    receive_exactly(*client, &byte, 1);
}

static void own_session(const struct stage *stage)
{
    int client, server;
    open_own(stage, &client, &server);
    close(client);
    expect_eof(server);
    close(server);
}

static void reload_under_load(struct stage *stage, struct churn *churn)
{
    for (unsigned i = 0; i < scaled(RELOADS, 3); i++) {
        churn_wait(churn, churn_ended(churn) + 20);
        proxy_reload(&stage->proxy);
        wait_value(stage, "rpproxy_generation", stage->proxy.generation);
    }
}

static void kill_by_command(struct stage *stage)
{
    int client, server;
    struct outcome outcome;
    open_own(stage, &client, &server);
    ck_assert_int_eq(proxy_command(&stage->proxy, &outcome, "kill", "frontend=own", NULL), 0);
    close(client);
    close(server);
}

/* A generation that drains is killed, with a session. */
static void kill_draining(struct stage *stage)
{
    int client, server;
    configure(stage, "drain = wait\n");
    proxy_reload(&stage->proxy);
    proxy_wait_drained(&stage->proxy); /* it is no other's child any more */
    pid_t old = stage->proxy.pid;
    open_own(stage, &client, &server);
    proxy_reload(&stage->proxy);
    wait_value(stage, "rpproxy_draining_sessions", 1);
    kill(old, SIGKILL);
    wait_gone(old);
    close(client);
    close(server);
}

static bool serves_again(void *argument)
{
    const struct proxy *proxy = argument;
    struct status status;
    return proxy_status(proxy, &status) && status.pid == proxy->pid;
}

/* The new process is killed while it is on probation, after it has served. */
static void roll_back(struct stage *stage)
{
    configure(stage, "probation = 10m\n");
    proxy_reload(&stage->proxy); /* the old process has no probation: the next one will have it */
    pid_t first = stage->proxy.pid;
    unsigned generation = stage->proxy.generation;
    proxy_reload(&stage->proxy);
    own_session(stage);
    wait_value(stage, "rpproxy_generation", stage->proxy.generation);
    kill(stage->proxy.pid, SIGKILL);
    wait_gone(stage->proxy.pid);
    stage->proxy.pid = first;
    stage->proxy.generation = generation;
    wait_until(serves_again, &stage->proxy, "the old process serves again");
    own_session(stage);
}

START_TEST(counters_are_what_clients_counted)
{
    if (!program_exists("prometheus"))
        skip_test("no prometheus");
    struct stage stage;
    struct churn_result load;
    begin(&stage);
    wait_value(&stage, "rpproxy_sessions_total", 0);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = stage.front, .in_flight = IN_FLIGHT});
    reload_under_load(&stage, churn);
    churn_stop(churn, &load);
    churn_print(&load, "counted by clients");
    ck_assert_uint_eq(churn_lost(&load), 0);
    kill_by_command(&stage);
    kill_draining(&stage);
    roll_back(&stage);

    const double sessions = (double)load.completed, in = (double)load.sent,
                 out = (double)load.received, own = 4;
    const struct {
        const char *series;
        double value;
    } expected[] = {
        {"rpproxy_sessions_total", sessions + own},
        {"rpproxy_bytes_total{direction=\"in\"}", in + own},
        {"rpproxy_bytes_total{direction=\"out\"}", out + own},
        {"rpproxy_frontend_sessions_total{frontend=\"main\"}", sessions},
        {"rpproxy_frontend_bytes_total{frontend=\"main\",direction=\"in\"}", in},
        {"rpproxy_frontend_bytes_total{frontend=\"main\",direction=\"out\"}", out},
        {"rpproxy_frontend_sessions_total{frontend=\"own\"}", own},
        {"rpproxy_frontend_bytes_total{frontend=\"own\",direction=\"in\"}", own},
        /* The session of the killed process has not ended. */
        {"rpproxy_frontend_session_ends_total{frontend=\"own\",reason=\"done\"}", own - 2},
        {"rpproxy_killed_sessions_total", 1},
        {"rpproxy_frontend_session_duration_seconds_count{frontend=\"own\"}", own - 1},
        {"rpproxy_backend_bytes_total{backend=\"main\",direction=\"out\"}", out},
        {"rpproxy_backend_connect_duration_seconds_count{backend=\"main\"}", sessions},
        {"rpproxy_backend_first_byte_duration_seconds_count{backend=\"own\"}", own},
        {"rpproxy_server_bytes_total{backend=\"main\",server=\"a\",direction=\"in\"}", in},
        {"rpproxy_server_sessions_total{backend=\"own\",server=\"a\"}", own},
        {"rpproxy_reloads_total{result=\"done\"}", scaled(RELOADS, 3) + 4},
        {"rpproxy_rollbacks_total", 1},
        {"rpproxy_crashes_total", 2},
    };
    for (size_t i = 0; i < sizeof expected / sizeof *expected; i++) {
        wait_value(&stage, expected[i].series, expected[i].value);
        expect_no_fall(&stage, expected[i].series, expected[i].value);
    }
    wait_value(&stage, "rpproxy_live_sessions", 0);
    close(stage.listener);
    proxy_stop(&stage.proxy);
}
END_TEST

START_TEST(series_of_servers_can_be_left_out)
{
    struct scene scene;
    struct response response;
    char global[128];
    const uint16_t port = port_reserve(getuid());
    const struct endpoint where = endpoint_loopback(port);
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\n", port);
    scene_start(&scene, global, "");
    http_expect(&where, "/metrics", 200, "rpproxy_server_usable{backend=\"main\",server=\"a\"} 1");
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\nmetrics-servers = no\n", port);
    scene_configure(&scene, global, "");
    proxy_reload(&scene.proxy);
    http_get(&where, "/metrics", &response);
    ck_assert_ptr_null(strstr(response.body, "server="));
    ck_assert_ptr_nonnull(
        strstr(response.body, "rpproxy_backend_usable_servers{backend=\"main\"} 1"));
    response_free(&response);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *prometheus_suite(void)
{
    Suite *suite = suite_create("prometheus");
    scenario_add(suite, counters_are_what_clients_counted, 300);
    scenario_add(suite, series_of_servers_can_be_left_out, 100);
    return suite;
}
