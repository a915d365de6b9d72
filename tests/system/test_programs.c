/* Real servers and the clients made to load them: what the client program itself reports, across
 * reloads. */
#include "harness.h"
#include "proxy.h"
#include "scenarios.h"

#include <glob.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RELOADS = 20 };

static bool socket_is_there(void *argument)
{
    struct stat status;
    return stat(argument, &status) == 0 && S_ISSOCK(status.st_mode);
}

/* A proxy in front of a server's Unix socket; port gets the digits of its port. */
static void proxy_before(struct proxy *proxy, const char *socket, char port[static 8])
{
    snprintf(port, 8, "%u", port_reserve(getuid()));
    proxy_init(proxy, "proxy");
    proxy_configure(proxy,
                    "workers = 2\nmax-generations = 64\n"
                    "[listen main]\nbind = 127.0.0.1:%s\nserver = a unix:%s\n",
                    port, socket);
    proxy_start(proxy);
}

/* Runs the client, reloading all the while, and again until there were enough reloads. None of the
 * `bad` words may stand in what it prints. */
static void load_across_reloads(struct proxy *proxy, const char *const *argv,
                                const char *const *bad)
{
    char path[PATH_MAX], text[32768];
    test_path(path, "client.out");
    unsigned reloads = 0, runs = 0;
    while (reloads < scaled(RELOADS, 3)) {
        unlink(path);
        pid_t client = program_start(&(struct program){.argv = argv, .out = path, .err = path});
        do {
            proxy_reload(proxy);
            reloads++;
        } while (process_alive(client));
        int status = wait_gone(client);
        read_file(path, text, sizeof text);
        ck_assert_msg(status == 0, "%s: wait status %d:\n%s", argv[0], status, text);
        for (size_t i = 0; bad[i] != NULL; i++) {
            ck_assert_msg(strstr(text, bad[i]) == NULL, "%s says:\n%s", argv[0], text);
        }
        runs++;
    }
    printf("     %s: %u runs, %u reloads, no error\n", argv[0], runs, reloads);
}

static void seconds(char text[static 8], const char *suffix)
{
    snprintf(text, 8, "%u%s", scaled(10, 2), suffix);
}

/* --- PostgreSQL --- */

static bool postgres_folder(char path[static PATH_MAX])
{
    glob_t found;
    bool there = glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) == 0;
    if (there) {
        snprintf(path, PATH_MAX, "%s", found.gl_pathv[found.gl_pathc - 1]);
        *strrchr(path, '/') = '\0';
        globfree(&found);
    }
    return there;
}

struct postgres {
    char initdb[PATH_MAX + 16], server[PATH_MAX + 16], pgbench[PATH_MAX + 16];
    char data[PATH_MAX], socket[PATH_MAX], log[PATH_MAX];
    const char *user;
    pid_t pid;
};

static void postgres_start(struct postgres *postgres)
{
    struct outcome outcome;
    postgres->user = NULL;
    test_path(postgres->log, "postgres.log");
    ck_assert_int_eq(mkdir(test_path(postgres->data, "data"), 0700), 0);
    char sockets[PATH_MAX];
    ck_assert_int_eq(mkdir(test_path(sockets, "pg"), 0755), 0);
    if (getuid() == 0) {
        const struct passwd *owner = getpwnam("postgres");
        ck_assert_ptr_nonnull(owner);
        ck_assert_int_eq(chown(postgres->data, owner->pw_uid, owner->pw_gid), 0);
        ck_assert_int_eq(chown(sockets, owner->pw_uid, owner->pw_gid), 0);
        postgres->user = "postgres";
    }
    const char *init[] = {postgres->initdb, "--no-sync", "-A",           "trust", "-U",
                          "postgres",       "-D",        postgres->data, NULL};
    program_run(
        &(struct program){.argv = init, .user = postgres->user, .directory = postgres->data},
        PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 0, "initdb: %s%s", outcome.out, outcome.err);
    const char *argv[] = {postgres->server, "-D", postgres->data,        "-k",
                          sockets,          "-c", "listen_addresses=",   "-c",
                          "fsync=off",      "-c", "max_connections=100", NULL};
    write_file(postgres->log, 0666, "%s", "");
    postgres->pid = program_start(&(struct program){.argv = argv,
                                                    .user = postgres->user,
                                                    .directory = postgres->data,
                                                    .out = postgres->log,
                                                    .err = postgres->log});
    test_path(postgres->socket, "pg/.s.PGSQL.5432");
    wait_until(socket_is_there, postgres->socket, "PostgreSQL listens");
}

START_TEST(pgbench)
{
    char folder[PATH_MAX];
    struct postgres postgres;
    if (!postgres_folder(folder)) {
        skip_test("no PostgreSQL server");
    }
    snprintf(postgres.initdb, sizeof postgres.initdb, "%s/initdb", folder);
    snprintf(postgres.server, sizeof postgres.server, "%s/postgres", folder);
    snprintf(postgres.pgbench, sizeof postgres.pgbench, "%s/pgbench", folder);
    if (!program_exists(postgres.pgbench)) {
        skip_test("no pgbench");
    }
    postgres_start(&postgres);
    struct proxy proxy;
    char port[8], time[8];
    proxy_before(&proxy, postgres.socket, port);
    struct outcome outcome;
    run(&outcome, postgres.pgbench, "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-i", "-q",
        "postgres", NULL);
    ck_assert_msg(outcome.code == 0, "pgbench -i: %s%s", outcome.out, outcome.err);
    seconds(time, "");
    static const char *const bad[] = {"error", "ERROR", "FATAL", "abort", "failed: 1", NULL};
    const char *kept[] = {
        postgres.pgbench, "-h", "127.0.0.1", "-p", port, "-U", "postgres", "-c", "8", "-T", time,
        "postgres",       NULL};
    load_across_reloads(&proxy, kept, bad);
    const char *anew[] = {postgres.pgbench, "-h", "127.0.0.1", "-p", port, "-U",
                          "postgres",       "-C", "-c",        "8",  "-T", time,
                          "postgres",       NULL};
    load_across_reloads(&proxy, anew, bad);
    proxy_wait_drained(&proxy);
    kill(postgres.pid, SIGINT); /* its fast shutdown */
    wait_gone(postgres.pid);
    proxy_stop(&proxy);
}
END_TEST

/* --- Redis --- */

START_TEST(redis_benchmark)
{
    if (!program_exists("redis-server") || !program_exists("redis-benchmark")) {
        skip_test("no redis-server or no redis-benchmark");
    }
    char socket[PATH_MAX], log[PATH_MAX], port[8], requests[16];
    test_path(socket, "redis.sock");
    test_path(log, "redis.log");
    const char *argv[] = {"redis-server", "--port", "0",     "--unixsocket",   socket,
                          "--save",       "",       "--dir", test_directory(), NULL};
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(socket_is_there, socket, "Redis listens");
    struct proxy proxy;
    proxy_before(&proxy, socket, port);
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
    kill(server, SIGTERM);
    wait_gone(server);
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
    wait_until(socket_is_there, socket, "nginx listens");
    struct proxy proxy;
    proxy_before(&proxy, socket, port);
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
    kill(server, SIGQUIT);
    wait_gone(server);
    proxy_stop(&proxy);
}
END_TEST

Suite *programs_suite(void)
{
    Suite *suite = suite_create("programs");
    scenario_add(suite, pgbench, 900);
    scenario_add(suite, redis_benchmark, 900);
    scenario_add(suite, wrk, 900);
    return suite;
}
