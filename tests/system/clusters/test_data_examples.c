/* The examples for databases, queues and mail: each is started as it is, with real servers at its
 * addresses, and real clients go through the proxy while it reloads. */
#include "tests/system/scenarios.h"
#include "tests/system/support/example.h"
#include "tests/system/support/lasting.h"
#include "tests/system/support/load.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/server_state.h"

#include <glob.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NODES = 3 };

/* Runs a command of the shell, which must succeed. */
static void shell(struct outcome *outcome, const char *command)
{
    run(outcome, "sh", "-c", command, NULL);
    ck_assert_msg(outcome->code == 0, "%s: exit status %d, %s%s", command, outcome->code,
                  outcome->out, outcome->err);
}

/* --- MQTT ------------------------------------------------------------------------------------ */

static void start_brokers(char logs[NODES][PATH_MAX])
{
    for (unsigned i = 0; i < NODES; i++) {
        char name[32], file[PATH_MAX];
        snprintf(name, sizeof name, "broker%u.conf", i + 1);
        write_file(test_path(file, name), 0644,
                   "listener 1883 10.0.0.9%u\nallow_anonymous true\nlog_dest stderr\n"
                   "user root\n",
                   i + 1);
        const char *argv[] = {program_exists("mosquitto") ? "mosquitto" : "/usr/sbin/mosquitto",
                              "-c", file, NULL};
        snprintf(name, sizeof name, "broker%u.txt", i + 1);
        program_start_logged(argv, logs[i], name);
    }
}

/* Devices, each with an address of its own: writes to `brokers` which broker each has. */
enum { DEVICES = 16 };

static void connect_devices(char logs[NODES][PATH_MAX], unsigned round,
                            char brokers[static DEVICES + 1])
{
    for (unsigned i = 0; i < DEVICES; i++) {
        char command[256], name[32];
        struct outcome outcome;
        snprintf(command, sizeof command,
                 "mosquitto_pub -h 127.0.0.1 -A 10.1.%u.7 -i device-%u-%u -q 1 -t seen -m x", i, i,
                 round);
        shell(&outcome, command);
        snprintf(name, sizeof name, "as device-%u-%u ", i, round);
        brokers[i] = '-';
        while (brokers[i] == '-') {
            for (unsigned broker = 0; broker < NODES; broker++) {
                if (file_mentions(logs[broker], name) > 0) {
                    brokers[i] = (char)('1' + broker);
                }
            }
        }
    }
    brokers[DEVICES] = '\0';
    ck_assert_msg(strspn(brokers, "1") < DEVICES && strspn(brokers, "2") < DEVICES &&
                      strspn(brokers, "3") < DEVICES,
                  "one broker has all: %s", brokers);
}

START_TEST(mqtt)
{
    if (!program_exists("mosquitto_pub") ||
        (!program_exists("mosquitto") && !program_exists("/usr/sbin/mosquitto"))) {
        skip_test("no mosquitto or its clients");
    }
    if (!example_network()) {
        skip_test("no network namespace");
    }
    struct proxy proxy;
    struct load load;
    char logs[NODES][PATH_MAX], before[DEVICES + 1], after[DEVICES + 1];
    /* The subscriber and the publishers have one address, so they have one broker. */
    struct lasting subscriber = {
        .name = "subscriber",
        .command = "stdbuf -oL mosquitto_sub -h 127.0.0.1 -q 1 -t load -d -F 'heard %p'",
        .ask = "mosquitto_pub -h 127.0.0.1 -q 1 -t load -m question",
        .answer = "heard question"};
    start_brokers(logs);
    example_start(&proxy, "mqtt.ini");
    server_await(&proxy, "mqtt", "broker1", "up", NULL);
    server_await(&proxy, "mqtt", "broker2", "up", NULL);
    server_await(&proxy, "mqtt", "broker3", "up", NULL);
    connect_devices(logs, 1, before);

    lasting_start(&subscriber, "Subscribed");
    load_start(&load, "published",
               "mosquitto_pub -h 127.0.0.1 -q 1 -t load -m message && echo published");
    reload_under_loads(&proxy, (const struct load *const[]){&load, NULL});
    hand_over(&proxy, (struct lasting *const[]){&subscriber, NULL},
              (const struct load *const[]){&load, NULL});
    wait_mentions(subscriber.out, "heard message", load_stop(&load));
    connect_devices(logs, 2, after);
    ck_assert_str_eq(before, after);
    ck_assert_uint_eq(file_mentions(subscriber.out, "sending CONNECT"), 1);
    lasting_end(&subscriber);
    proxy_stop(&proxy);
}
END_TEST

/* --- Redis ----------------------------------------------------------------------------------- */

static void start_redis(void)
{
    char log[PATH_MAX];
    for (unsigned i = 1; i <= NODES; i++) {
        char address[16], name[32];
        snprintf(address, sizeof address, "10.0.0.3%u", i);
        snprintf(name, sizeof name, "redis%u.txt", i);
        const char *argv[] = {"redis-server",
                              "--port",
                              "6379",
                              "--bind",
                              address,
                              "--protected-mode",
                              "no",
                              "--save",
                              "",
                              "--repl-diskless-sync-delay",
                              "0",
                              "--replica-announce-ip",
                              address,
                              "--dir",
                              test_directory(),
                              i > 1 ? "--replicaof" : NULL,
                              "10.0.0.31",
                              "6379",
                              NULL};
        program_start_logged(argv, log, name);
        wait_mentioned(log, "eady to accept connections");
    }
}

static void start_sentinel(void)
{
    char file[PATH_MAX], log[PATH_MAX];
    write_file(test_path(file, "sentinel.conf"), 0644,
               "port 26379\nbind 10.0.0.30\nprotected-mode no\ndir %s\n"
               "sentinel monitor m 10.0.0.31 6379 1\nsentinel down-after-milliseconds m 5000\n"
               "sentinel failover-timeout m 10000\n",
               test_directory());
    const char *argv[] = {"redis-server", file, "--sentinel", NULL};
    program_start_logged(argv, log, "sentinel.txt");
    wait_mentions(log, "+slave slave", 2);
}

static bool can_write(void *unused)
{
    (void)unused;
    struct outcome outcome;
    run(&outcome, "redis-cli", "-e", "-h", "127.0.0.1", "incr", "number", NULL);
    return outcome.code == 0;
}

START_TEST(redis_sentinel)
{
    if (!program_exists("redis-server") || !program_exists("redis-cli")) {
        skip_test("no redis-server or redis-cli");
    }
    if (!example_network()) {
        skip_test("no network namespace");
    }
    struct proxy proxy;
    struct load load;
    struct outcome outcome;
    char log[PATH_MAX];
    struct lasting subscriber = {.name = "subscriber",
                                 .command = "redis-cli -h 127.0.0.1 subscribe news",
                                 .ask = "redis-cli -h 127.0.0.1 publish news question",
                                 .answer = "question"};
    struct lasting pinging = {.name = "pinging",
                              .command = "stdbuf -oL redis-cli -h 127.0.0.1",
                              .say = "ping\n",
                              .answer = "PONG"};
    struct lasting *const lasting[] = {&subscriber, &pinging, NULL};
    start_redis();
    start_sentinel();
    example_start(&proxy, "redis-sentinel.ini");
    server_await(&proxy, "redis", "redis1", "up", NULL);
    server_await(&proxy, "redis", "redis2", "down", "is a replica");
    server_await(&proxy, "redis", "redis3", "down", "is a replica");

    lasting_start(&subscriber, "subscribe");
    lasting_start(&pinging, NULL);
    load_start(&load, "increments", "redis-cli -e -h 127.0.0.1 incr number");
    reload_under_loads(&proxy, (const struct load *const[]){&load, NULL});
    hand_over(&proxy, lasting, (const struct load *const[]){&load, NULL});
    unsigned done = load_stop(&load);
    shell(&outcome, "redis-cli -h 10.0.0.31 get number");
    ck_assert_uint_eq(strtoul(outcome.out, NULL, 10), done);
    lasting_end(&pinging);

    shell(&outcome, "redis-cli -h 10.0.0.30 -p 26379 sentinel failover m");
    ck_assert_msg(strncmp(outcome.out, "OK", 2) == 0, "%s", outcome.out);
    wait_mentioned(test_path(log, "sentinel.txt"), "+switch-master");
    server_await(&proxy, "redis", "redis1", "down", "is a replica");
    wait_gone(subscriber.pid); /* on-down = close */
    wait_until(can_write, NULL, "the new master can be reached");
    load_start(&load, "again", "redis-cli -e -h 127.0.0.1 incr number");
    reload_under_loads(&proxy, (const struct load *const[]){&load, NULL});
    load_stop(&load);
    proxy_stop(&proxy);
}
END_TEST

/* --- MariaDB --------------------------------------------------------------------------------- */

struct mariadb {
    char address[16], data[PATH_MAX], log[PATH_MAX];
    unsigned id;
    pid_t pid;
};

static const char *mariadb_program(void)
{
    return program_exists("mariadbd") ? "mariadbd" : "/usr/sbin/mariadbd";
}

static const char *mariadb_missing(void)
{
    if (getuid() != 0) {
        return "not root";
    }
    return program_exists("mariadb-install-db") && program_exists(mariadb_program()) &&
                   program_exists("mariadb")
               ? NULL
               : "no MariaDB";
}

/* Makes the data of the first server, with a table and the users; the others get a copy. */
static void make_data(struct mariadb servers[static NODES], unsigned first)
{
    char command[4 * PATH_MAX];
    struct outcome outcome;
    for (unsigned i = 0; i < NODES; i++) {
        char name[16];
        servers[i] = (struct mariadb){.id = first + i};
        snprintf(servers[i].address, sizeof servers[i].address, "10.0.0.%u", first + i);
        snprintf(name, sizeof name, "data%u", i + 1);
        test_path(servers[i].data, name);
    }
    /* A server deletes, as it starts, what others of its kind keep in a common folder. */
    setenv("TMPDIR", test_directory(), 1);
    snprintf(command, sizeof command,
             "mariadb-install-db --no-defaults --datadir=%s --user=root --skip-test-db "
             "--auth-root-authentication-method=normal",
             servers[0].data);
    shell(&outcome, command);
    snprintf(
        command, sizeof command,
        "printf '%%s\\n' 'create database kept;' 'use kept;' "
        "'create table written (number integer);' 'use mysql;' \"create user "
        "'rpproxy'@'10.0.0.%%';\" \"create user app@'%%';\" \"grant all on kept.* to app@'%%';\" "
        "| %s --no-defaults --datadir=%s --user=root --bootstrap --skip-grant-tables=0",
        mariadb_program(), servers[0].data);
    shell(&outcome, command);
    for (unsigned i = 1; i < NODES; i++) {
        run(&outcome, "cp", "-r", servers[0].data, servers[i].data, NULL);
        ck_assert_int_eq(outcome.code, 0);
    }
}

static void mariadb_start(struct mariadb *server)
{
    char data[PATH_MAX + 16], address[64], socket[PATH_MAX + 32], id[32], name[32];
    snprintf(data, sizeof data, "--datadir=%s", server->data);
    snprintf(address, sizeof address, "--bind-address=%s", server->address);
    snprintf(socket, sizeof socket, "--socket=%s/socket", server->data);
    snprintf(id, sizeof id, "--server-id=%u", server->id);
    const char *argv[] = {mariadb_program(),
                          "--no-defaults",
                          data,
                          address,
                          socket,
                          id,
                          "--user=root",
                          "--port=3306",
                          "--skip-name-resolve",
                          "--innodb-flush-log-at-trx-commit=0",
                          "--innodb-buffer-pool-size=8M",
                          NULL};
    snprintf(name, sizeof name, "mariadb%u.txt", server->id);
    server->pid = program_start_logged(argv, server->log, name);
}

#define MARIADB "mariadb --no-defaults -u app -N -B "
#define INSERT  "-h 127.0.0.1 -P 3306 kept -e 'insert into written values (1); select @@server_id'"

/* A client that stays, and writes or reads each time that it is asked. */
#define STAYS  "stdbuf -oL " MARIADB "-n --skip-reconnect -h 127.0.0.1 -P "
#define WRITES "insert into kept.written values (1); select 'written', @@server_id;\n"
#define READS  "select 'read', count(*) from kept.written;\n"

static unsigned count_rows(const struct mariadb *server)
{
    char command[256];
    struct outcome outcome;
    snprintf(command, sizeof command, MARIADB "-h %s kept -e 'select count(*) from written'",
             server->address);
    shell(&outcome, command);
    return (unsigned)strtoul(outcome.out, NULL, 10);
}

static void start_databases(struct mariadb servers[static NODES], unsigned first)
{
    make_data(servers, first);
    for (unsigned i = 0; i < NODES; i++) {
        mariadb_start(&servers[i]);
    }
    for (unsigned i = 0; i < NODES; i++) {
        wait_mentioned(servers[i].log, "ready for connections");
    }
}

/* The next write goes to this server. */
static void expect_writer(const char *id)
{
    struct outcome outcome;
    shell(&outcome, MARIADB INSERT);
    ck_assert_msg(strncmp(outcome.out, id, strlen(id)) == 0, "%s in place of %s", outcome.out, id);
}

START_TEST(mysql)
{
    const char *missing = mariadb_missing();
    if (missing || !example_network()) {
        skip_test("%s", missing ? missing : "no network namespace");
    }
    struct proxy proxy;
    struct load writes, reads;
    struct lasting writer = {
        .name = "writer", .command = STAYS "3306", .say = WRITES, .answer = "written\t41"};
    struct lasting reader = {
        .name = "reader", .command = STAYS "3307", .say = READS, .answer = "read"};
    struct mariadb servers[NODES];
    start_databases(servers, 41);
    example_start(&proxy, "mysql.ini");
    server_await(&proxy, "writes", "primary", "up", NULL);
    server_await(&proxy, "writes", "standby", "up", NULL);
    server_await(&proxy, "reads", "replica2", "up", NULL);
    load_start(&writes, "writes", MARIADB INSERT);
    load_start(&reads, "reads", MARIADB "-h 127.0.0.1 -P 3307 -e 'select @@server_id'");
    reload_under_loads(&proxy, (const struct load *const[]){&writes, &reads, NULL});
    lasting_start(&writer, NULL);
    lasting_start(&reader, NULL);
    hand_over(&proxy, (struct lasting *const[]){&writer, &reader, NULL},
              (const struct load *const[]){&writes, &reads, NULL});
    unsigned done = load_stop(&writes);
    ck_assert_uint_eq(file_mentions(writes.done, "41"), done);
    ck_assert_uint_eq(count_rows(&servers[0]), done + file_mentions(writer.out, "written"));
    lasting_end(&reader);
    load_stop(&reads);
    for (unsigned i = 0; i < NODES; i++) {
        char id[16];
        snprintf(id, sizeof id, "%u", servers[i].id);
        ck_assert_msg(file_mentions(reads.done, id) > 0, "no read from %s", id);
    }

    kill(servers[0].pid, SIGKILL);
    wait_gone(servers[0].pid);
    server_await(&proxy, "writes", "primary", "down", NULL);
    lasting_say(&writer, WRITES);
    wait_gone(writer.pid); /* on-down = close; the client notices when it writes */
    expect_writer("42");
    proxy_reload(&proxy);
    expect_writer("42");
    mariadb_start(&servers[0]);
    server_await(&proxy, "writes", "primary", "up", NULL);
    expect_writer("41");
    proxy_stop(&proxy);
}
END_TEST

/* clustercheck of three nodes: nginx, which answers 503 for a node that is marked. */
static void start_clustercheck(void)
{
    char sections[2048];
    snprintf(sections, sizeof sections,
             "http {\n access_log off;\n server {\n  listen 10.0.0.21:9200;\n"
             "  listen 10.0.0.22:9200;\n  listen 10.0.0.23:9200;\n  root %s;\n  location / {\n"
             "   if (-f $document_root/out-of-sync-$server_addr) { return 503; }\n"
             "   return 200;\n  }\n }\n}\n",
             test_directory());
    nginx_start(sections);
}

START_TEST(galera)
{
    const char *missing = mariadb_missing();
    if (!missing && !nginx_program()) {
        missing = "no nginx";
    }
    if (missing || !example_network()) {
        skip_test("%s", missing ? missing : "no network namespace");
    }
    struct proxy proxy;
    struct load writes;
    struct lasting writer = {
        .name = "writer", .command = STAYS "3306", .say = WRITES, .answer = "written\t21"};
    struct mariadb servers[NODES];
    char mark[PATH_MAX];
    start_databases(servers, 21);
    start_clustercheck();
    example_start(&proxy, "galera.ini");
    server_await(&proxy, "galera", "node1", "up", NULL);
    server_await(&proxy, "galera", "node2", "up", NULL);
    server_await(&proxy, "galera", "node3", "up", NULL);
    load_start(&writes, "writes", MARIADB INSERT);
    reload_under_loads(&proxy, (const struct load *const[]){&writes, NULL});
    lasting_start(&writer, NULL);
    hand_over(&proxy, (struct lasting *const[]){&writer, NULL},
              (const struct load *const[]){&writes, NULL});
    unsigned done = load_stop(&writes);
    ck_assert_uint_eq(file_mentions(writes.done, "21"), done);
    ck_assert_uint_eq(count_rows(&servers[0]), done + file_mentions(writer.out, "written"));

    /* The node accepts connections, and is out of sync. */
    write_file(test_path(mark, "out-of-sync-10.0.0.21"), 0644, "%s", "");
    server_await(&proxy, "galera", "node1", "down", "503");
    lasting_say(&writer, WRITES);
    wait_gone(writer.pid); /* on-down = close, though its server lives */
    expect_writer("22");
    unlink(mark);
    server_await(&proxy, "galera", "node1", "up", NULL);
    expect_writer("22");
    load_start(&writes, "later", MARIADB INSERT);
    reload_under_loads(&proxy, (const struct load *const[]){&writes, NULL});
    done = load_stop(&writes);
    ck_assert_uint_eq(file_mentions(writes.done, "22"), done);
    proxy_stop(&proxy);
}
END_TEST

/* --- RabbitMQ -------------------------------------------------------------------------------- */

static const char rabbitmq[] = "/usr/lib/rabbitmq/bin/rabbitmq-server";

/* Three brokers, each alone: what the proxy shows does not depend on the cluster. They find each
 * other's names by epmd, which the first of them starts. */
static void start_rabbits(void)
{
    char logs[NODES][PATH_MAX];
    glob_t plugins;
    ck_assert_int_eq(glob("/usr/lib/rabbitmq/lib/*/plugins", 0, NULL, &plugins), 0);
    for (unsigned i = 1; i <= NODES; i++) {
        char name[32], home[PATH_MAX], file[PATH_MAX], text[8 * PATH_MAX];
        snprintf(name, sizeof name, "rabbit%u", i);
        ck_assert_int_eq(mkdir(test_path(home, name), 0755), 0);
        snprintf(name, sizeof name, "rabbit%u.conf", i);
        write_file(test_path(file, name), 0644,
                   "listeners.tcp.default = 10.0.0.5%u:5672\nloopback_users = none\n", i);
        snprintf(text, sizeof text,
                 "HOME=%s RABBITMQ_NODENAME=rabbit%u@localhost RABBITMQ_DIST_PORT=2500%u "
                 "RABBITMQ_CONFIG_FILE=%s RABBITMQ_MNESIA_BASE=%s RABBITMQ_LOG_BASE=%s "
                 "RABBITMQ_PLUGINS_DIR=%s RABBITMQ_ENABLED_PLUGINS_FILE=%s/plugins "
                 "RABBITMQ_PID_FILE=%s/pid RABBITMQ_CONF_ENV_FILE=/dev/null exec %s",
                 home, i, i, file, home, home, plugins.gl_pathv[0], home, home, rabbitmq);
        const char *argv[] = {"sh", "-c", text, NULL};
        snprintf(name, sizeof name, "rabbit%u.txt", i);
        program_start_logged(argv, logs[i - 1], name);
    }
    for (unsigned i = 0; i < NODES; i++) {
        char command[128];
        struct outcome outcome;
        wait_mentioned(logs[i], "Starting broker... completed");
        snprintf(command, sizeof command, "amqp-declare-queue --url=amqp://10.0.0.5%u -q news",
                 i + 1);
        shell(&outcome, command);
    }
    globfree(&plugins);
}

START_TEST(rabbitmq_brokers)
{
    if (!program_exists(rabbitmq) || !program_exists("amqp-publish")) {
        skip_test("no rabbitmq-server or amqp-tools");
    }
    if (!example_network()) {
        skip_test("no network namespace");
    }
    struct proxy proxy;
    struct load load;
    struct outcome outcome;
    /* The next message comes when the consumer has acknowledged the one before. */
    struct lasting consumer = {
        .name = "consumer",
        .command = "amqp-consume --url=amqp://127.0.0.1 -q news -p 1 cat",
        .ask = "for n in 1 2 3; do echo question | amqp-publish --url=amqp://10.0.0.5$n -r news "
               "|| exit; done",
        .answer = "question"};
    start_rabbits();
    example_start(&proxy, "rabbitmq.ini");
    server_await(&proxy, "amqp", "rabbit1", "up", NULL);
    server_await(&proxy, "amqp", "rabbit2", "up", NULL);
    server_await(&proxy, "amqp", "rabbit3", "up", NULL);
    lasting_start(&consumer, NULL);
    load_start(&load, "published",
               "amqp-publish --url=amqp://127.0.0.1 -r nobody -b message && echo published");
    reload_under_loads(&proxy, (const struct load *const[]){&load, NULL});
    hand_over(&proxy, (struct lasting *const[]){&consumer, NULL},
              (const struct load *const[]){&load, NULL});
    load_stop(&load);
    lasting_end(&consumer);
    /* Not proxy_stop(): helpers of the brokers become children of the test, and end by signals. */
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "stop", NULL), 0);
    expect_clean_log(proxy.log);
}
END_TEST

/* --- mail ------------------------------------------------------------------------------------ */

static const char dovecot[] = "/usr/sbin/dovecot";
static const char python[] = "/usr/bin/python3"; /* this python has Debian's packages */

/* A mail server that wants a PROXY header, and says in its answer what that told. */
static const char mail_server[] =
    "import asyncio, sys\n"
    "from aiosmtpd.smtp import SMTP\n"
    "class Handler:\n"
    "    async def handle_PROXY(self, server, session, envelope, proxy_data):\n"
    "        return True\n"
    "    async def handle_DATA(self, server, session, envelope):\n"
    "        return '250 kept by %s for %s' % (sys.argv[1], session.proxy_data.src_addr)\n"
    "async def main():\n"
    "    make = lambda: SMTP(Handler(), hostname='mx', proxy_protocol_timeout=60)\n"
    "    server = await asyncio.get_running_loop().create_server(make, sys.argv[1], 25)\n"
    "    print('ready', flush=True)\n"
    "    await server.serve_forever()\n"
    "asyncio.run(main())\n";

static void start_mail_servers(void)
{
    char log[PATH_MAX];
    for (unsigned i = 1; i <= 2; i++) {
        char address[16], name[16];
        snprintf(address, sizeof address, "10.0.0.7%u", i);
        snprintf(name, sizeof name, "mx%u.txt", i);
        const char *argv[] = {python, "-c", mail_server, address, NULL};
        program_start_logged(argv, log, name);
        wait_mentioned(log, "ready");
    }
}

/* Dovecot, whose listener expects a PROXY header, as the comment of the example says. */
static void start_imap_servers(void)
{
    example_certificate();
    for (unsigned i = 1; i <= 2; i++) {
        char name[16], file[PATH_MAX], log[PATH_MAX], mail[PATH_MAX];
        const char *directory = test_directory();
        snprintf(name, sizeof name, "mail%u", i);
        ck_assert_int_eq(mkdir(test_path(mail, name), 0777), 0);
        ck_assert_int_eq(chmod(mail, 0777), 0);
        snprintf(name, sizeof name, "imap%u.conf", i);
        write_file(test_path(file, name), 0644,
                   "base_dir = %s/imap%u\nstate_dir = %s/imap%u\nlog_path = /dev/stderr\n"
                   "protocols = imap\nlisten = 10.0.0.7%u\nlogin_greeting = imap%u ready\n"
                   "haproxy_trusted_networks = 10.0.0.0/8\n"
                   "ssl = required\nssl_cert = <%s/cert.pem\nssl_key = <%s/key.pem\n"
                   "mail_location = maildir:%s\nfirst_valid_uid = 1\n"
                   "service imap-login {\n  chroot =\n  inet_listener imap {\n    port = 0\n  }\n"
                   "  inet_listener imaps {\n    port = 993\n    ssl = yes\n    haproxy = yes\n"
                   "  }\n}\n"
                   "passdb {\n  driver = static\n  args = nopassword=y\n}\n"
                   "userdb {\n  driver = static\n  args = uid=mail gid=mail home=%s\n}\n",
                   directory, i, directory, i, i, i, directory, directory, mail, mail);
        const char *argv[] = {dovecot, "-F", "-c", file, NULL};
        snprintf(name, sizeof name, "imap%u.txt", i);
        program_start_logged(argv, log, name);
    }
}

#define SEND_MAIL "echo mail | curl -sSv --mail-from a@example.org --mail-rcpt b@example.org -T - "
#define ANSWER    "smtp://127.0.0.1 2>&1 | grep 'kept by'"

/* Dovecot knows the address of the client. */
static void expect_login(const char *client)
{
    char log[PATH_MAX], entry[64];
    unsigned found = 0;
    snprintf(entry, sizeof entry, "rip=%s, lip=127.0.0.1", client);
    for (unsigned i = 1; i <= 2; i++) {
        char name[16];
        snprintf(name, sizeof name, "imap%u.txt", i);
        found += file_mentions(test_path(log, name), entry);
    }
    ck_assert_msg(found == 1, "%u logins with %s", found, entry);
}

START_TEST(mail)
{
    struct outcome outcome;
    if (getuid() != 0 || !program_exists(dovecot)) {
        skip_test("not root, or no Dovecot");
    }
    run(&outcome, python, "-c", "import aiosmtpd", NULL);
    if (outcome.code != 0 || !program_exists("curl") || !program_exists("openssl")) {
        skip_test("no aiosmtpd, curl or openssl");
    }
    if (!example_network()) {
        skip_test("no network namespace");
    }
    struct proxy proxy;
    struct load smtp, imap;
    struct lasting sender = {
        .name = "sender", .command = RAW_CLIENT("25"), .say = "NOOP\r\n", .answer = "250 OK"};
    struct lasting reader = {.name = "reader",
                             .command = "openssl s_client -quiet -bind 10.0.0.9 -connect "
                                        "127.0.0.1:993",
                             .say = "a NOOP\r\n",
                             .answer = "a OK NOOP completed"};
    struct lasting *const lasting[] = {&sender, &reader, NULL};
    start_mail_servers();
    start_imap_servers();
    example_start(&proxy, "mail.ini");
    server_await(&proxy, "smtp", "mx1", "up", NULL);
    server_await(&proxy, "smtp", "mx2", "up", NULL);
    server_await(&proxy, "imaps", "imap1", "up", NULL);
    server_await(&proxy, "imaps", "imap2", "up", NULL);
    shell(&outcome, SEND_MAIL "--interface 10.0.0.9 " ANSWER);
    ck_assert_msg(strstr(outcome.out, "for 10.0.0.9") != NULL, "%s", outcome.out);

    /* From a hundred addresses, because each may connect 20 times in a second. */
    load_start(&smtp, "smtp", SEND_MAIL "--interface 10.2.1$(date +%N | cut -c 6-7).1 " ANSWER);
    load_start(&imap, "imap",
               "echo a LOGOUT | openssl s_client -quiet -crlf -connect 127.0.0.1:993 2>/dev/null | "
               "grep ready");
    reload_under_loads(&proxy, (const struct load *const[]){&smtp, &imap, NULL});
    lasting_start(&sender, "220 ");
    lasting_start(&reader, "ready");
    lasting_say(&reader, "b login user secret\r\n");
    wait_mentioned(reader.out, "Logged in");
    hand_over(&proxy, lasting, (const struct load *const[]){&smtp, &imap, NULL});
    /* A client that waits in IDLE says nothing, and the server speaks when something comes. */
    lasting_say(&reader, "c IDLE\r\n");
    wait_mentioned(reader.out, "+ idling");
    hand_over_silent(&proxy, lasting);
    lasting_say(&reader, "DONE\r\n");
    wait_mentioned(reader.out, "c OK Idle completed");
    expect_login("10.0.0.9");
    lasting_end(&sender);
    lasting_end(&reader);
    unsigned done = load_stop(&smtp);
    ck_assert_uint_eq(file_mentions(smtp.done, "for 10.2.1"), done);
    ck_assert_uint_gt(file_mentions(smtp.done, "by 10.0.0.71"), 0);
    ck_assert_uint_gt(file_mentions(smtp.done, "by 10.0.0.72"), 0);
    /* All from one address: one server. */
    done = load_stop(&imap);
    unsigned first = file_mentions(imap.done, "imap1 ready");
    ck_assert_msg(first == 0 || first == done, "one client, two servers: %u of %u", first, done);
    proxy_stop(&proxy);
}
END_TEST

Suite *data_examples_suite(void)
{
    Suite *suite = suite_create("data_examples");
    scenario_add(suite, mqtt, 240);
    scenario_add(suite, redis_sentinel, 240);
    scenario_add(suite, mysql, 240);
    scenario_add(suite, galera, 240);
    scenario_add(suite, rabbitmq_brokers, 240);
    scenario_add(suite, mail, 240);
    return suite;
}
