/* Real servers and their load generators: what the client program itself reports, across reloads.
 */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/proxy.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RELOADS = 20 };

/* Runs the client during reloads, and again until there were enough reloads. */
static void load_across_reloads(struct proxy *proxy, const char *const *argv,
                                const char *const *bad)
{
    char path[PATH_MAX];
    test_path(path, "client.out");
    unsigned reloads = 0, runs = 0;
    while (reloads < scaled(RELOADS, 3)) {
        unlink(path);
        pid_t client = program_start(&(struct program){.argv = argv, .out = path, .err = path});
        do {
            proxy_reload(proxy);
            reloads++;
        } while (process_alive(client));
        client_ends_well(client, argv[0], path, bad);
        runs++;
    }
    printf("     %s: %u runs, %u reloads, no error\n", argv[0], runs, reloads);
}

static void seconds(char text[static 8], const char *suffix)
{
    snprintf(text, 8, "%u%s", scaled(10, 2), suffix);
}

/* --- PostgreSQL --- */

START_TEST(pgbench)
{
    struct postgres postgres;
    const char *missing = postgres_find(&postgres);
    if (missing != NULL) {
        skip_test("%s", missing);
    }
    struct proxy proxy;
    char port[8], time[8];
    postgres_start(&postgres, &proxy, port);
    seconds(time, "");
    const char *kept[] = {
        postgres.pgbench, "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-c", "8", "-T", time,
        "postgres",       NULL};
    load_across_reloads(&proxy, kept, pgbench_complaints);
    const char *anew[] = {postgres.pgbench, "-h", "127.0.0.1", "-p", port, "-U",
                          "postgres",       "-C", "-c",        "8",  "-T", time,
                          "postgres",       NULL};
    load_across_reloads(&proxy, anew, pgbench_complaints);
    proxy_wait_drained(&proxy);
    daemon_end(postgres.pid, SIGINT); /* a fast shutdown */
    proxy_stop(&proxy);
}
END_TEST

/* PostgreSQL refuses the eleventh connection; a hundred clients, each with a connection for each
 * transaction, share ten places. (A thread for each client: pgbench waits for one connection at a
 * time in a thread, while others of its clients keep theirs.) */
START_TEST(pgbench_with_maxconn)
{
    struct postgres postgres;
    const char *missing = postgres_find(&postgres);
    if (missing != NULL) {
        skip_test("%s", missing);
    }
    struct proxy proxy;
    char port[8], time[8];
    postgres.connections = 10;
    postgres_start(&postgres, &proxy, port);
    proxy_configure(&proxy,
                    "workers = 2\nmax-generations = 64\n[listen main]\nbind = 127.0.0.1:%s\n"
                    "server = a unix:%s maxconn=10\nqueue-timeout = 0s\n",
                    port, postgres.socket);
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy);
    seconds(time, "");
    const char *anew[] = {postgres.pgbench,
                          "-h",
                          "127.0.0.1",
                          "-p",
                          port,
                          "-U",
                          "postgres",
                          "-n",
                          "-C",
                          "-c",
                          "100",
                          "-j",
                          "100",
                          "-T",
                          time,
                          "postgres",
                          NULL};
    load_across_reloads(&proxy, anew, pgbench_complaints);
    proxy_wait_drained(&proxy);
    daemon_end(postgres.pid, SIGINT); /* a fast shutdown */
    proxy_stop(&proxy);
}
END_TEST

/* --- Redis --- */

START_TEST(redis_benchmark)
{
    if (!program_exists("redis-server") || !program_exists("redis-benchmark")) {
        skip_test("no redis-server or no redis-benchmark");
    }
    char socket[PATH_MAX], port[8], requests[16];
    pid_t server = redis_start(socket);
    struct proxy proxy;
    proxy_before(&proxy, "unix:", socket, port);
    static const char *const bad[] = {"rror", "ould not", "refused", "closed", NULL};
    snprintf(requests, sizeof requests, "%u", scaled(100000, 2000));
    const char *kept[] = {"redis-benchmark",
                          "-h",
                          "127.0.0.1",
                          "-p",
                          port,
                          "-c",
                          "50",
                          "-n",
                          requests,
                          "-q",
                          "-t",
                          "ping,set,get,lrange_100",
                          NULL};
    load_across_reloads(&proxy, kept, bad);
    const char *anew[] = {"redis-benchmark", "-h", "127.0.0.1", "-p", port, "-c",      "50", "-n",
                          requests,          "-k", "0",         "-q", "-t", "set,get", NULL};
    load_across_reloads(&proxy, anew, bad);
    proxy_wait_drained(&proxy);
    daemon_end(server, SIGTERM);
    proxy_stop(&proxy);
}
END_TEST

/* --- nginx --- */

START_TEST(wrk)
{
    if (!program_exists("nginx") && !program_exists("/usr/sbin/nginx")) {
        skip_test("no nginx");
    }
    if (!program_exists("wrk")) {
        skip_test("no wrk");
    }
    char socket[PATH_MAX], file[PATH_MAX], log[PATH_MAX], port[8], time[8], url[64];
    test_path(socket, "nginx.sock");
    test_path(log, "nginx.log");
    test_path(file, "nginx.conf");
    write_file(file, 0644,
               "daemon off; worker_processes 1; pid %s/nginx.pid; error_log %s;\n"
               "events { worker_connections 1024; }\n"
               "http { access_log off; keepalive_requests 1000; client_body_temp_path %s/body;\n"
               " proxy_temp_path %s/proxy; fastcgi_temp_path %s/fastcgi;\n"
               " uwsgi_temp_path %s/uwsgi; scgi_temp_path %s/scgi;\n"
               " server { listen unix:%s; location / { return 200 \"served\\n\"; } } }\n",
               test_directory(), log, test_directory(), test_directory(), test_directory(),
               test_directory(), test_directory(), socket);
    const char *argv[] = {program_exists("nginx") ? "nginx" : "/usr/sbin/nginx", "-c", file, NULL};
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(socket_accepts, socket, "nginx listens");
    struct proxy proxy;
    proxy_before(&proxy, "unix:", socket, port);
    seconds(time, "s");
    snprintf(url, sizeof url, "http://127.0.0.1:%s/", port);
    static const char *const bad[] = {"Socket errors", "Non-2xx", "unable", NULL};
    const char *kept[] = {"wrk", "-t", "1", "-c", "50", "-d", time, "--timeout", "60s", url, NULL};
    load_across_reloads(&proxy, kept, bad);
    const char *anew[] = {
        "wrk", "-t", "1", "-c", "50", "-d", time, "--timeout", "60s", "-H", "Connection: close",
        url,   NULL};
    load_across_reloads(&proxy, anew, bad);
    proxy_wait_drained(&proxy);
    daemon_end(server, SIGQUIT);
    proxy_stop(&proxy);
}
END_TEST

Suite *programs_suite(void)
{
    Suite *suite = suite_create("programs");
    scenario_add(suite, pgbench, 900);
    scenario_add(suite, pgbench_with_maxconn, 900);
    scenario_add(suite, redis_benchmark, 900);
    scenario_add(suite, wrk, 900);
    return suite;
}
