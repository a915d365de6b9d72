/* Checks that speak a protocol, with real servers: Redis, PostgreSQL, MariaDB, an SMTP server, an
 * agent, programs. What the servers say about these checks in their own logs and counters is looked
 * at as well. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/server_state.h"

#include <dirent.h>
#include <pwd.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define QUICK "check-interval = 50ms\ncheck-timeout = 30s\nrise = 1\nfall = 1\n"

/* Writes the file and starts the proxy: `format` is keys of [global], then sections. */
static void start_proxy(struct proxy *proxy, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void start_proxy(struct proxy *proxy, const char *format, ...)
{
    char *text, front[PATH_MAX];
    va_list arguments;
    va_start(arguments, format);
    ck_assert_int_ge(vasprintf(&text, format, arguments), 0);
    va_end(arguments);
    proxy_init(proxy, "checks");
    proxy_configure(proxy,
                    "workers = 1\n%s[listen unused]\nbind = unix:%s\nserver = a 127.0.0.1:9\n",
                    text, test_path(front, "front.sock"));
    free(text);
    proxy_start(proxy);
}

/* The proxy says the same after a reload, and then stops cleanly. */
static void reload_and_stop(struct proxy *proxy)
{
    proxy_reload(proxy);
    proxy_stop(proxy);
}

/* --- Redis --------------------------------------------------------------------------------- */

struct redis {
    char name[16], socket[PATH_MAX];
    pid_t pid;
};

static void start_redis(struct redis *redis, const char *name, const char *port)
{
    char log[PATH_MAX], file[32];
    snprintf(redis->name, sizeof redis->name, "%s", name);
    snprintf(file, sizeof file, "%s.sock", name);
    test_path(redis->socket, file);
    snprintf(file, sizeof file, "%s.log", name);
    test_path(log, file);
    const char *argv[] = {
        "redis-server", "--port", port, "--unixsocket", redis->socket,    "--bind",
        "127.0.0.1",    "--save", "",   "--dir",        test_directory(), NULL};
    redis->pid = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(socket_accepts, redis->socket, "Redis listens");
}

static void tell_redis(const struct redis *redis, const char *one, const char *two,
                       const char *three, const char *four)
{
    struct outcome outcome;
    run(&outcome, "redis-cli", "-s", redis->socket, one, two, three, four, NULL);
    ck_assert_msg(outcome.code == 0 && strncmp(outcome.out, "OK", 2) == 0, "%s%s", outcome.out,
                  outcome.err);
}

START_TEST(redis)
{
    if (!program_exists("redis-server"))
        skip_test("no redis-server");
    struct redis one, two;
    struct proxy proxy;
    char port[8], secret[PATH_MAX];
    free_port(port);
    start_redis(&one, "one", port);
    start_redis(&two, "two", "0");
    write_file(test_path(secret, "secret"), 0600, "pass\n");
    start_proxy(
        &proxy,
        "[backend ping]\ncheck = redis\n" QUICK "server = one unix:%s\nserver = two unix:%s\n"
        "[backend login]\ncheck = redis\ncheck-password = @secret\n" QUICK "server = one unix:%s\n"
        "[backend master]\ncheck = redis\ncheck-role = master\n" QUICK
        "server = one unix:%s\nserver = two unix:%s\n"
        "[backend replica]\ncheck = redis\ncheck-role = replica\n" QUICK
        "server = one unix:%s\nserver = two unix:%s\n",
        one.socket, two.socket, one.socket, one.socket, two.socket, one.socket, two.socket);
    server_await(&proxy, "ping", "one", "up", NULL);
    server_await(&proxy, "master", "two", "up", NULL);
    server_await(&proxy, "replica", "one", "down", "is the master");
    server_await(&proxy, "login", "one", "down", "AUTH");

    tell_redis(&two, "REPLICAOF", "127.0.0.1", port, NULL);
    server_await(&proxy, "master", "two", "down", "is a replica");
    server_await(&proxy, "replica", "two", "up", NULL);
    server_await(&proxy, "master", "one", "up", NULL);

    tell_redis(&one, "CONFIG", "SET", "requirepass", "pass");
    server_await(&proxy, "ping", "one", "down", "NOAUTH");
    server_await(&proxy, "login", "one", "up", NULL);

    /* A replica without its master that may not serve old data. The master that wants a password
     * now may have been connected before. */
    tell_redis(&two, "REPLICAOF", "127.0.0.1", "1", NULL);
    tell_redis(&two, "CONFIG", "SET", "replica-serve-stale-data", "no");
    server_await(&proxy, "ping", "two", "down", "MASTERDOWN");
    server_await(&proxy, "replica", "two", "down", "MASTERDOWN");
    tell_redis(&two, "REPLICAOF", "NO", "ONE", NULL);
    server_await(&proxy, "ping", "two", "up", NULL);

    daemon_end(two.pid, SIGKILL);
    server_await(&proxy, "ping", "two", "down", NULL);
    reload_and_stop(&proxy);
}
END_TEST

/* --- PostgreSQL ---------------------------------------------------------------------------- */

static void psql(const struct postgres *postgres, const char *directory, const char *command)
{
    struct outcome outcome;
    run(&outcome, postgres->psql, "-h", directory, "-U", "postgres", "-q", "-c", command, NULL);
    ck_assert_msg(outcome.code == 0, "%s: %s%s", command, outcome.out, outcome.err);
}

/* Starts a server in a copy of the data of another one, which has ended. */
static pid_t start_copy(const struct postgres *postgres, const char *name, const char *option,
                        char log[static PATH_MAX])
{
    struct outcome outcome;
    char data[PATH_MAX], sockets[PATH_MAX], file[64];
    snprintf(file, sizeof file, "%s-data", name);
    test_path(data, file);
    test_path(sockets, name);
    snprintf(file, sizeof file, "%s.log", name);
    test_path(log, file);
    run(&outcome, "cp", "-a", postgres->data, data, NULL);
    ck_assert_int_eq(outcome.code, 0);
    run(&outcome, "cp", "-a", "--no-target-directory", postgres->data, data, NULL);
    ck_assert_int_eq(mkdir(sockets, 0777), 0);
    ck_assert_int_eq(chmod(sockets, 0777), 0);
    snprintf(file, sizeof file, "%s-data/standby.signal", name);
    write_file(test_path(data, file), 0666, "%s", "");
    snprintf(file, sizeof file, "%s-data", name);
    test_path(data, file);
    write_file(log, 0666, "%s", "");
    const char *argv[] = {postgres->server,    "-D", data,   "-k", sockets,     "-c",
                          "listen_addresses=", "-c", option, "-c", "fsync=off", NULL};
    return program_start(&(struct program){
        .argv = argv, .user = postgres->user, .directory = data, .out = log, .err = log});
}

static const char *const postgres_complaints[] = {
    "could not receive data",     "unexpected EOF", "incomplete",
    "expected password response", "invalid length", "password authentication failed",
    "could not send data",        "protocol",       NULL};

static void expect_no_complaint(const char *log)
{
    for (size_t i = 0; postgres_complaints[i]; i++)
        ck_assert_msg(file_mentions(log, postgres_complaints[i]) == 0, "%s: %s", log,
                      postgres_complaints[i]);
}

START_TEST(postgresql)
{
    struct postgres postgres;
    const char *missing = postgres_find(&postgres);
    if (missing != NULL)
        skip_test("%s", missing);
    struct proxy unused, proxy;
    char port[8], directory[PATH_MAX], standby[PATH_MAX], cold[PATH_MAX], hba[PATH_MAX];
    char standby_log[PATH_MAX], cold_log[PATH_MAX], primary_log[PATH_MAX];
    postgres_start(&postgres, &unused, port);
    proxy_stop(&unused);
    psql(&postgres, test_path(directory, "pg"),
         "set password_encryption = 'md5'; create user m password 'secret'; "
         "set password_encryption = 'scram-sha-256'; create user s password 'secret'; "
         "create user c password 'secret';");
    write_file(test_path(hba, "data/pg_hba.conf"), 0644,
               "local all m md5\nlocal all s scram-sha-256\nlocal all c password\n"
               "local all unknown scram-sha-256\nlocal all all trust\n");
    daemon_end(postgres.pid, SIGINT);
    write_file(test_path(primary_log, "primary.log"), 0666, "%s", "");
    pid_t warm = start_copy(&postgres, "warm", "hot_standby=on", standby_log);
    pid_t closed = start_copy(&postgres, "cold", "hot_standby=off", cold_log);
    const char *argv[] = {postgres.server,     "-D", postgres.data, "-k", directory, "-c",
                          "listen_addresses=", "-c", "fsync=off",   NULL};
    program_start(&(struct program){.argv = argv,
                                    .user = postgres.user,
                                    .directory = postgres.data,
                                    .out = primary_log,
                                    .err = primary_log});
    wait_mentioned(primary_log, "ready to accept connections");
    wait_mentioned(standby_log, "ready to accept read-only connections");
    test_path(standby, "warm/.s.PGSQL.5432");
    test_path(cold, "cold/.s.PGSQL.5432");
    start_proxy(
        &proxy,
        "[backend plain]\ncheck = pgsql\n" QUICK
        "server = a unix:%s\nserver = warm unix:%s\nserver = cold unix:%s\n"
        "[backend asked]\ncheck = pgsql\ncheck-user = unknown\n" QUICK "server = a unix:%s\n"
        "[backend md5]\ncheck = pgsql\ncheck-user = m\ncheck-password = secret\n" QUICK
        "server = a unix:%s\n"
        "[backend scram]\ncheck = pgsql\ncheck-user = s\ncheck-password = secret\n"
        "check-role = primary\n" QUICK "server = a unix:%s\nserver = warm unix:%s\n"
        "[backend clear]\ncheck = pgsql\ncheck-user = c\ncheck-password = secret\n"
        "check-role = replica\n" QUICK "server = a unix:%s\nserver = warm unix:%s\n"
        "[backend nobody]\ncheck = pgsql\ncheck-user = nobody\n" QUICK "server = a unix:%s\n"
        "[backend nodb]\ncheck = pgsql\ncheck-user = postgres\ncheck-database = none\n" QUICK
        "server = a unix:%s\n",
        postgres.socket, standby, cold, postgres.socket, postgres.socket, postgres.socket, standby,
        postgres.socket, standby, postgres.socket, postgres.socket);
    server_await(&proxy, "plain", "a", "up", NULL);
    server_await(&proxy, "plain", "warm", "up", NULL);
    server_await(&proxy, "plain", "cold", "down", "57P03");
    server_await(&proxy, "asked", "a", "up", NULL);
    server_await(&proxy, "md5", "a", "up", NULL);
    server_await(&proxy, "scram", "a", "up", NULL);
    server_await(&proxy, "scram", "warm", "down", "is a replica");
    server_await(&proxy, "clear", "warm", "up", NULL);
    server_await(&proxy, "clear", "a", "down", "is the primary");
    server_await(&proxy, "nobody", "a", "down", "28000");
    server_await(&proxy, "nodb", "a", "down", "3D000");

    psql(&postgres, test_path(directory, "warm"), "select pg_promote()");
    server_await(&proxy, "scram", "warm", "up", NULL);
    server_await(&proxy, "clear", "warm", "down", "is the primary");
    /* Before the proxy ends: it cuts what a slow server has not answered by then. */
    expect_no_complaint(primary_log);
    expect_no_complaint(standby_log);
    reload_and_stop(&proxy);
    daemon_end(warm, SIGINT);
    daemon_end(closed, SIGINT);
}
END_TEST

/* --- MariaDB ------------------------------------------------------------------------------- */

enum { MARIADB_SERVERS = 100, MARIADB_CHECKS = 10000 };

struct mariadb {
    char socket[PATH_MAX], log[PATH_MAX], port[8], address[32];
    pid_t pid;
};

/* An address that is not of this machine's loopback network: MariaDB blocks no client of that. */
static const char *outer_address(void)
{
    struct outcome outcome;
    if (!network_own())
        return "127.0.0.1";
    run(&outcome, "ip", "address", "add", "192.0.2.9/32", "dev", "lo", NULL);
    return outcome.code == 0 ? "192.0.2.9" : "127.0.0.1";
}

/* The first line of the answer, which is short. */
static void ask(const struct mariadb *mariadb, const char *query, char *answer, size_t size)
{
    struct outcome outcome;
    run(&outcome, "mariadb", "--no-defaults", "-S", mariadb->socket, "-uroot", "-N", "-B", "-e",
        query, NULL);
    ck_assert_msg(outcome.code == 0, "%s: %s", query, outcome.err);
    snprintf(answer, size, "%.*s", (int)strcspn(outcome.out, "\n"), outcome.out);
}

static unsigned count_of(const struct mariadb *mariadb, const char *variable)
{
    char query[256], answer[64];
    snprintf(query, sizeof query,
             "select variable_value from information_schema.global_status where variable_name = "
             "'%s'",
             variable);
    ask(mariadb, query, answer, sizeof answer);
    return (unsigned)strtoul(answer, NULL, 10);
}

static const char *mariadb_start(struct mariadb *mariadb)
{
    struct outcome outcome;
    char data[PATH_MAX], data_option[PATH_MAX + 16], socket_option[PATH_MAX + 16], port_option[32];
    char user_option[32] = "--user=root";
    const char *program = program_exists("mariadbd") ? "mariadbd" : "/usr/sbin/mariadbd";
    if (!program_exists("mariadb-install-db") || !program_exists(program))
        return "no MariaDB server";
    snprintf(mariadb->address, sizeof mariadb->address, "%s", outer_address());
    free_port(mariadb->port);
    ck_assert_int_eq(mkdir(test_path(data, "data"), 0755), 0);
    snprintf(data_option, sizeof data_option, "--datadir=%s", data);
    snprintf(socket_option, sizeof socket_option, "--socket=%s",
             test_path(mariadb->socket, "mariadb.sock"));
    snprintf(port_option, sizeof port_option, "--port=%s", mariadb->port);
    if (getuid() != 0)
        snprintf(user_option, sizeof user_option, "--user=%s", getpwuid(getuid())->pw_name);
    /* A server deletes, as it starts, what others of its kind keep in a common folder. */
    setenv("TMPDIR", test_directory(), 1);
    const char *init[] = {"mariadb-install-db",
                          "--no-defaults",
                          data_option,
                          user_option,
                          "--auth-root-authentication-method=normal",
                          "--skip-test-db",
                          NULL};
    program_run(&(struct program){.argv = init}, 3 * PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 0, "%s%s", outcome.out, outcome.err);
    const char *argv[] = {program,
                          "--no-defaults",
                          data_option,
                          socket_option,
                          port_option,
                          user_option,
                          "--bind-address=0.0.0.0",
                          "--skip-name-resolve=0",
                          "--max-connect-errors=3",
                          "--max-connections=400",
                          "--performance-schema=on",
                          "--innodb-flush-log-at-trx-commit=0",
                          "--innodb-buffer-pool-size=8M",
                          NULL};
    test_path(mariadb->log, "mariadb.log");
    mariadb->pid =
        program_start(&(struct program){.argv = argv, .out = mariadb->log, .err = mariadb->log});
    /* Not by a connection that says nothing: the server may count it later than it answers others.
     */
    wait_mentioned(mariadb->log, "ready for connections");
    return NULL;
}

static unsigned errors_of_hosts(const struct mariadb *mariadb)
{
    char answer[64];
    ask(mariadb,
        "select coalesce(sum(sum_connect_errors + count_host_blocked_errors), 0) from "
        "performance_schema.host_cache",
        answer, sizeof answer);
    return (unsigned)strtoul(answer, NULL, 10);
}

/* A backend in which the one server stands many times. */
static void write_backend(FILE *file, const struct mariadb *mariadb, const char *name,
                          const char *options)
{
    fprintf(file, "[backend %s]\ncheck = mysql\ncheck-interval = 100ms\ncheck-timeout = 30s\n%s\n",
            name, options);
    for (unsigned i = 0; i < MARIADB_SERVERS; i++)
        fprintf(file, "server = s%u %s:%s\n", i, mariadb->address, mariadb->port);
}

struct checked {
    const struct mariadb *mariadb;
    unsigned from, count;
};

static bool has_been_checked(void *argument)
{
    const struct checked *checked = argument;
    return count_of(checked->mariadb, "Connections") - checked->from >= checked->count;
}

static void check_often(struct proxy *proxy, const struct mariadb *mariadb, const char *options)
{
    char *sections;
    size_t size;
    FILE *file = open_memstream(&sections, &size);
    write_backend(file, mariadb, "main", options);
    fclose(file);
    struct checked checked = {mariadb, count_of(mariadb, "Connections"),
                              scaled(MARIADB_CHECKS, 500)};
    start_proxy(proxy, "%s", sections);
    free(sections);
    wait_until(has_been_checked, &checked, "MariaDB was checked often");
    server_await(proxy, "main", "s0", "up", NULL);
    server_await(proxy, "main", "s99", "up", NULL);
}

/* Whether the server takes a client from the address that the checks come from. */
static void expect_not_blocked(const struct mariadb *mariadb)
{
    struct outcome outcome;
    run(&outcome, "mariadb", "--no-defaults", "-h", mariadb->address, "-P", mariadb->port,
        "-uchecker", "-psecret", "-e", "select 1", NULL);
    ck_assert_msg(outcome.code == 0, "%s", outcome.err);
    ck_assert_uint_eq(errors_of_hosts(mariadb), 0);
}

static void make_users(const struct mariadb *mariadb)
{
    char answer[64];
    ask(mariadb,
        "create user checker@'%' identified by 'secret'; create user bare@'%'; "
        "create user ed@'%' identified via unix_socket",
        answer, sizeof answer);
}

/* Stops the proxy. True if no check can have been cut: one that is under way gets 250 ms to end,
 * and the whole stop took less. On a slow machine a check may need longer. */
static bool stop_lets_checks_end(struct proxy *proxy)
{
    enum { FINISH_MS = 250 };
    int64_t begin = now_ms();
    proxy_stop(proxy);
    return now_ms() - begin < FINISH_MS;
}

START_TEST(mariadb_with_a_user)
{
    struct mariadb mariadb;
    struct proxy proxy;
    const char *missing = mariadb_start(&mariadb);
    if (missing != NULL)
        skip_test("%s", missing);
    make_users(&mariadb);
    check_often(&proxy, &mariadb,
                "check-user = checker\ncheck-password = secret\ncheck-role = primary");
    expect_not_blocked(&mariadb);
    ck_assert_uint_eq(count_of(&mariadb, "Aborted_connects"), 0);
    ck_assert_uint_eq(count_of(&mariadb, "Aborted_clients"), 0);
    if (stop_lets_checks_end(&proxy)) {
        expect_not_blocked(&mariadb);
        ck_assert_uint_eq(count_of(&mariadb, "Aborted_connects"), 0);
        ck_assert_uint_eq(count_of(&mariadb, "Aborted_clients"), 0);
    }
    printf("     MariaDB at %s: %u connections, Aborted_connects 0, Aborted_clients 0\n",
           mariadb.address, count_of(&mariadb, "Connections"));
}
END_TEST

START_TEST(mariadb_without_user)
{
    struct mariadb mariadb;
    struct proxy proxy;
    const char *missing = mariadb_start(&mariadb);
    if (missing != NULL)
        skip_test("%s", missing);
    make_users(&mariadb);
    check_often(&proxy, &mariadb, "");
    expect_not_blocked(&mariadb);
    ck_assert_uint_eq(count_of(&mariadb, "Aborted_connects_preauth"), 0);
    if (stop_lets_checks_end(&proxy)) {
        expect_not_blocked(&mariadb);
        ck_assert_uint_eq(count_of(&mariadb, "Aborted_connects_preauth"), 0);
    }
    printf("     MariaDB at %s: %u connections, none aborted before the login, %u refused\n",
           mariadb.address, count_of(&mariadb, "Connections"),
           count_of(&mariadb, "Aborted_connects"));
}
END_TEST

START_TEST(mariadb_states)
{
    struct mariadb mariadb;
    struct proxy proxy;
    char answer[64];
    const char *missing = mariadb_start(&mariadb);
    if (missing != NULL)
        skip_test("%s", missing);
    make_users(&mariadb);
    start_proxy(&proxy,
                "[backend bare]\ncheck = mysql\ncheck-user = bare\n" QUICK "server = a %s:%s\n"
                "[backend wrong]\ncheck = mysql\ncheck-user = checker\ncheck-password = x\n" QUICK
                "server = a %s:%s\n"
                "[backend plugin]\ncheck = mysql\ncheck-user = ed\ncheck-password = x\n" QUICK
                "server = a %s:%s\n"
                "[backend primary]\ncheck = mysql\ncheck-user = checker\ncheck-password = secret\n"
                "check-role = primary\n" QUICK "server = a %s:%s\n"
                "[backend replica]\ncheck = mysql\ncheck-user = checker\ncheck-password = secret\n"
                "check-role = replica\n" QUICK "server = a %s:%s\n",
                mariadb.address, mariadb.port, mariadb.address, mariadb.port, mariadb.address,
                mariadb.port, mariadb.address, mariadb.port, mariadb.address, mariadb.port);
    server_await(&proxy, "bare", "a", "up", NULL);
    server_await(&proxy, "wrong", "a", "down", "Access denied");
    server_await(&proxy, "plugin", "a", "down", NULL);
    server_await(&proxy, "primary", "a", "up", NULL);
    server_await(&proxy, "replica", "a", "down", "can be written to");
    ask(&mariadb, "set global read_only = 1", answer, sizeof answer);
    server_await(&proxy, "primary", "a", "down", "is read only");
    server_await(&proxy, "replica", "a", "up", NULL);
    daemon_end(mariadb.pid, SIGKILL);
    server_await(&proxy, "replica", "a", "down", NULL);
    reload_and_stop(&proxy);
}
END_TEST

/* --- SMTP ---------------------------------------------------------------------------------- */

/* Debian's, which has Debian's modules, also where another one is first in PATH. */
static const char *python(void)
{
    return program_exists("/usr/bin/python3") ? "/usr/bin/python3" : "python3";
}

START_TEST(smtp)
{
    struct outcome outcome;
    struct proxy proxy;
    char port[8], listen[32], log[PATH_MAX];
    run(&outcome, python(), "-c", "import aiosmtpd", NULL);
    if (outcome.code != 0)
        skip_test("no aiosmtpd");
    free_port(port);
    snprintf(listen, sizeof listen, "127.0.0.1:%s", port);
    const char *argv[] = {python(), "-m", "aiosmtpd", "-n", "-d", "-d", "-l", listen, NULL};
    pid_t server = program_start(
        &(struct program){.argv = argv, .out = test_path(log, "smtp.log"), .err = log});
    start_proxy(&proxy,
                "[backend mail]\ncheck = smtp\ncheck-host = proxy.example\n" QUICK
                "server = a %s\n[backend redis]\ncheck = redis\n" QUICK "server = a %s\n",
                listen, listen);
    server_await(&proxy, "mail", "a", "up", NULL);
    server_await(&proxy, "redis", "a", "down", "220 ");
    wait_mentioned(log, "EHLO proxy.example");
    wait_mentioned(log, "QUIT");
    daemon_end(server, SIGKILL);
    server_await(&proxy, "mail", "a", "down", NULL);
    reload_and_stop(&proxy);
}
END_TEST

/* --- agent --------------------------------------------------------------------------------- */

START_TEST(agent)
{
    if (!program_exists("python3"))
        skip_test("no python3");
    struct proxy proxy;
    char port[8], words[PATH_MAX];
    free_port(port);
    agent_says("up\n");
    const char *argv[] = {"python3", "-c", agent_program, port, test_path(words, "words"), NULL};
    program_start(&(struct program){.argv = argv});
    start_proxy(&proxy,
                "[backend app]\ncheck = agent\ncheck-port = %s\n" QUICK "server = a 127.0.0.1:9\n",
                port);
    server_await(&proxy, "app", "a", "up", NULL);
    agent_says("down # the disk is full\n");
    server_await(&proxy, "app", "a", "down", "the disk is full");
    agent_says("up 50%\n");
    server_await(&proxy, "app", "a", "up", NULL);
    agent_says("nonsense\n");
    server_await(&proxy, "app", "a", "down", "nonsense");
    agent_says("ready\n");
    server_await(&proxy, "app", "a", "up", NULL);
    reload_and_stop(&proxy);
}
END_TEST

/* --- programs ------------------------------------------------------------------------------ */

static bool has_no_process(void *argument)
{
    struct outcome outcome;
    run(&outcome, "pgrep", "-fx", (const char *)argument, NULL);
    return outcome.code == 1;
}

START_TEST(programs)
{
    struct proxy proxy;
    char script[PATH_MAX], state[PATH_MAX], seen[PATH_MAX], marker[64];
    snprintf(marker, sizeof marker, "sleep 1%u7", (unsigned)getpid());
    test_path(state, "state");
    test_path(seen, "seen");
    write_file(state, 0644, "0\n");
    write_file(test_path(script, "script"), 0755,
               "#!/bin/sh\n"
               "echo \"$1 $2 $3 $4 $5 $HAPROXY_PROXY_NAME $HAPROXY_SERVER_NAME\" >>%s\n"
               "%s &\n" /* is left behind */
               "read code <%s\n"
               "[ \"$code\" = hang ] && %s\n"
               "exit $code\n",
               seen, marker, state, marker);
    start_proxy(&proxy,
                "check-programs = 2\n"
                "[backend app]\ncheck = exec\ncheck-command = %s \"an argument\"\n"
                "check-interval = 50ms\ncheck-timeout = 2s\nrise = 1\nfall = 1\n"
                "server = a 127.0.0.1:9\nserver = b [::1]:10\nserver = c unix:/nonexistent\n",
                script);
    server_await(&proxy, "app", "a", "up", NULL);
    wait_mentioned(seen, "an argument NOT_USED NOT_USED 127.0.0.1 9 app a");
    wait_mentioned(seen, "an argument NOT_USED NOT_USED ::1 10 app b");
    wait_mentioned(seen, "an argument NOT_USED NOT_USED /nonexistent NOT_USED app c");
    write_file(state, 0644, "3\n");
    server_await(&proxy, "app", "b", "down", "exit status 3");
    write_file(state, 0644, "0\n");
    server_await(&proxy, "app", "b", "up", NULL);
    write_file(state, 0644, "hang\n");
    server_await(&proxy, "app", "a", "down", "did not end in time");
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy);
    write_file(state, 0644, "0\n");
    server_await(&proxy, "app", "c", "up", NULL);
    unlink(script);
    server_await(&proxy, "app", "a", "down", "cannot run: No such file");
    /* Not proxy_stop(): programs that were killed count there as processes that failed. */
    ck_assert_int_eq(kill(proxy.pid, SIGTERM), 0);
    wait_gone(proxy.pid);
    wait_until(has_no_process, marker, "no program is left");
}
END_TEST

/* The program of the checks of `name` writes what it was given: a file for each server. */
static void write_reporter(const char *name, char script[static PATH_MAX])
{
    char file[32], folder[PATH_MAX];
    mkdir(test_path(folder, name), 0755);
    snprintf(file, sizeof file, "%s.sh", name);
    write_file(test_path(script, file), 0755,
               "#!/bin/sh\n"
               "PATH=/usr/bin:/bin\n"
               "to=%s/$HAPROXY_PROXY_NAME.$HAPROXY_SERVER_NAME\n"
               "{ echo \"$*\"; env | grep ^HAPROXY_ | grep -v _PROXY_ID= | sort; } >$to.new\n"
               "mv $to.new $to\n",
               folder);
}

static bool is_there(void *path)
{
    return access(path, F_OK) == 0;
}

static void read_report(const char *name, const char *server, char *text, size_t size)
{
    char file[64], path[PATH_MAX];
    snprintf(file, sizeof file, "%s/%s", name, server);
    test_path(path, file);
    wait_until(is_there, path, "the program has told what it was given");
    read_file(path, text, size);
}

START_TEST(programs_get_what_haproxy_gives)
{
    static const char *const servers[] = {"tcp.a", "tcp.b", "any.a", "path.a", "back.a"};
    if (!haproxy_program())
        skip_test("no haproxy");
    struct proxy proxy;
    char script[PATH_MAX], file[PATH_MAX], log[PATH_MAX], path[PATH_MAX], given[1024], own[1024];
    uint16_t ports[3];
    for (unsigned i = 0; i < 3; i++)
        ports[i] = port_reserve(getuid());
    test_path(path, "path.sock");
    write_reporter("haproxy", script);
    write_file(test_path(file, "haproxy.cfg"), 0644,
               "global\n external-check\n insecure-fork-wanted\n"
               "defaults\n mode tcp\n timeout connect 60s\n timeout client 60s\n"
               " timeout server 60s\n option external-check\n external-check command %s\n"
               " default-server inter 500ms\n"
               "listen tcp\n bind 127.0.0.1:%u\n server a 127.0.0.1:9 check maxconn 7\n"
               " server b [::1]:10 check ssl verify none\n"
               "listen any\n bind :%u\n server a /nonexistent check\n"
               "listen path\n bind %s\n bind 127.0.0.1:%u\n server a 127.0.0.1:9 check\n"
               "backend back\n server a 127.0.0.1:9 check\n",
               script, ports[0], ports[1], path, ports[2]);
    const char *argv[] = {haproxy_program(), "-db", "-f", file, NULL};
    pid_t haproxy = program_start(
        &(struct program){.argv = argv, .out = test_path(log, "haproxy.log"), .err = log});
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++)
        read_report("haproxy", servers[i], given, sizeof given);
    daemon_end(haproxy, SIGKILL);
    unlink(path);
    write_reporter("own", script);
    start_proxy(&proxy,
                "[defaults]\ncheck = exec\ncheck-command = %s\n" QUICK
                "[listen tcp]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:9 maxconn=7\n"
                "server = b [::1]:10 tls=yes verify=none\n"
                "[listen any]\nbind = 0.0.0.0:%u\nserver = a unix:/nonexistent\n"
                "[listen path]\nbind = unix:%s\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:9\n"
                "[backend back]\nserver = a 127.0.0.1:9\n",
                script, ports[0], ports[1], path, ports[2]);
    for (size_t i = 0; i < sizeof servers / sizeof *servers; i++) {
        read_report("haproxy", servers[i], given, sizeof given);
        read_report("own", servers[i], own, sizeof own);
        ck_assert_str_eq(own, given);
    }
    /* Not proxy_stop(): programs that were killed count there as processes that failed. */
    ck_assert_int_eq(kill(proxy.pid, SIGTERM), 0);
    wait_gone(proxy.pid);
}
END_TEST

START_TEST(programs_that_are_missing_are_errors)
{
    struct proxy proxy;
    struct outcome outcome;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy, "[backend app]\ncheck = exec\ncheck-command = /nonexistent x\n"
                            "server = a 127.0.0.1:9\n");
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "check", NULL), 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, "' /nonexistent: No such file"));
    proxy_configure(&proxy, "[backend app]\ncheck = redis\ncheck-password = @missing\n"
                            "server = a 127.0.0.1:9\n");
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "check", NULL), 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, "missing: No such file"));
}
END_TEST

Suite *server_checks_suite(void)
{
    Suite *suite = suite_create("server_checks");
    scenario_add(suite, redis, 300);
    scenario_add(suite, postgresql, 900);
    scenario_add(suite, mariadb_with_a_user, 900);
    scenario_add(suite, mariadb_without_user, 900);
    scenario_add(suite, mariadb_states, 900);
    scenario_add(suite, smtp, 300);
    scenario_add(suite, agent, 300);
    scenario_add(suite, programs_get_what_haproxy_gives, 300);
    scenario_add(suite, programs, 300);
    scenario_add(suite, programs_that_are_missing_are_errors, 60);
    return suite;
}
