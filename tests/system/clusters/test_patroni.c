/* PostgreSQL with Patroni, through the proxy and beside it through HAProxy with the same check: the
 * primary is switched over, and then killed, while clients write. */
#include "tests/system/scenarios.h"
#include "tests/system/support/example.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/lasting.h"
#include "tests/system/support/proxy.h"

#include <glob.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { NODES = 3 };

static const char python[] = "/usr/bin/python3"; /* this python has Debian's packages */
static const char client[] = "tests/system/clusters/patroni_client.py";

struct cluster {
    char binaries[PATH_MAX]; /* of PostgreSQL */
    pid_t etcd, nodes[NODES], haproxy, writers[2];
    char data[NODES][PATH_MAX];
    struct proxy proxy;
    char written[2][PATH_MAX]; /* through the proxy, through HAProxy */
};

static const char *const ways[2] = {"rpproxy", "HAProxy"};
static const char *const ports[2] = {"5432", "6432"};

/* Returns what is missing, or NULL. */
static const char *find_programs(struct cluster *cluster)
{
    glob_t found;
    struct outcome outcome;
    if (getuid() != 0 || !getpwnam("postgres")) {
        return "root and the user postgres are needed";
    }
    if (!program_exists("etcd") || !program_exists("patroni") || !program_exists("haproxy")) {
        return "no etcd, Patroni or HAProxy";
    }
    if (glob("/usr/lib/postgresql/*/bin/postgres", 0, NULL, &found) != 0) {
        return "no PostgreSQL server";
    }
    snprintf(cluster->binaries, PATH_MAX, "%s", found.gl_pathv[found.gl_pathc - 1]);
    *strrchr(cluster->binaries, '/') = '\0';
    globfree(&found);
    run(&outcome, python, "-c", "import psycopg2, etcd", NULL);
    return outcome.code == 0 ? NULL : "no python3-psycopg2 or python3-etcd";
}

static pid_t start_logged(const char *const *argv, const char *user, const char *name)
{
    char log[PATH_MAX];
    test_path(log, name);
    write_file(log, 0666, "%s", "");
    chmod(log, 0666);
    return program_start(&(struct program){.argv = argv, .user = user, .out = log, .err = log});
}

static void start_etcd(struct cluster *cluster)
{
    char data[PATH_MAX];
    const char *argv[] = {"etcd",
                          "--data-dir",
                          test_path(data, "etcd"),
                          "--unsafe-no-fsync",
                          "--listen-client-urls=http://10.0.0.10:2379",
                          "--advertise-client-urls=http://10.0.0.10:2379",
                          "--listen-peer-urls=http://10.0.0.10:2380",
                          NULL};
    cluster->etcd = start_logged(argv, NULL, "etcd.txt");
}

static void start_node(struct cluster *cluster, unsigned node)
{
    char file[PATH_MAX], name[16], log[32];
    const struct passwd *postgres = getpwnam("postgres");
    snprintf(name, sizeof name, "pg%u", node + 1);
    ck_assert_int_eq(mkdir(test_path(cluster->data[node], name), 0700), 0);
    ck_assert_int_eq(chown(cluster->data[node], postgres->pw_uid, postgres->pw_gid), 0);
    snprintf(file, sizeof file, "%.4000s.yml", cluster->data[node]);
    write_file(file, 0644,
               "scope: test\nname: %s\n"
               "restapi: {listen: '10.0.0.1%u:8008', connect_address: '10.0.0.1%u:8008'}\n"
               "etcd3: {host: '10.0.0.10:2379'}\n"
               "bootstrap:\n"
               "  dcs: {ttl: 20, loop_wait: 1, retry_timeout: 3, synchronous_mode: true}\n"
               "  initdb: [auth: trust, no-sync, {encoding: UTF8}]\n"
               "  pg_hba: ['host all all 0.0.0.0/0 trust',\n"
               "           'host replication all 0.0.0.0/0 trust', 'local all all trust']\n"
               "postgresql:\n"
               "  listen: '10.0.0.1%u:5432'\n"
               "  connect_address: '10.0.0.1%u:5432'\n"
               "  data_dir: %s/data\n"
               "  bin_dir: %s\n"
               "  pgpass: %s/pgpass\n"
               "  authentication: {superuser: {username: postgres}, replication: {username: "
               "postgres}}\n"
               "  parameters: {unix_socket_directories: '%s', max_connections: 30}\n",
               name, node + 1, node + 1, node + 1, node + 1, cluster->data[node], cluster->binaries,
               cluster->data[node], cluster->data[node]);
    const char *argv[] = {"patroni", file, NULL};
    snprintf(log, sizeof log, "%s.txt", name);
    cluster->nodes[node] = start_logged(argv, "postgres", log);
}

/* Whether a node answers a request of Patroni's REST API with 200. */
static bool answers(unsigned node, const char *path)
{
    struct outcome outcome;
    char url[128];
    orphans_reap(); /* Patroni waits until nothing is left of a server that it has stopped */
    snprintf(url, sizeof url, "http://10.0.0.1%u:8008/%s", node + 1, path);
    run(&outcome, "curl", "-s", "-m", "5", "-o", "/dev/null", "-w", "%{http_code}", url, NULL);
    return strcmp(outcome.out, "200") == 0;
}

static unsigned primary_of(void)
{
    for (unsigned node = 0; node < NODES; node++) {
        if (answers(node, "primary")) {
            return node;
        }
    }
    return NODES;
}

static bool has_primary(void *unused)
{
    (void)unused;
    return primary_of() < NODES;
}

/* A replica that has all that was acknowledged, and may be promoted. */
static bool has_synchronous_replica(void *unused)
{
    (void)unused;
    for (unsigned node = 0; node < NODES; node++) {
        if (answers(node, "synchronous")) {
            return true;
        }
    }
    return false;
}

static bool others_replicate(void *unused)
{
    (void)unused;
    unsigned replicas = 0;
    for (unsigned node = 0; node < NODES; node++) {
        replicas += answers(node, "replica");
    }
    return replicas == NODES - 1 && has_synchronous_replica(NULL);
}

/* The same check, and the same answer to what it finds, as in the example. */
static void start_haproxy(struct cluster *cluster)
{
    char file[PATH_MAX];
    test_path(file, "haproxy.cfg");
    write_file(file, 0644, "%s",
               "defaults\n mode tcp\n timeout connect 4s\n timeout client 30m\n"
               " timeout server 30m\n"
               "listen write\n bind 127.0.0.1:6432\n option httpchk GET /primary\n"
               " http-check expect status 200\n"
               " default-server check port 8008 inter 3s fastinter 500ms fall 3 rise 2"
               " on-marked-down shutdown-sessions\n"
               " server pg1 10.0.0.11:5432\n server pg2 10.0.0.12:5432\n"
               " server pg3 10.0.0.13:5432\n");
    const char *argv[] = {"haproxy", "-db", "-f", file, NULL};
    cluster->haproxy = start_logged(argv, NULL, "haproxy.txt");
}

static bool writes(void *file)
{
    return file_mentions(file, "") > 0;
}

static void start_writers(struct cluster *cluster)
{
    for (unsigned way = 0; way < 2; way++) {
        char name[32];
        snprintf(name, sizeof name, "%s.written", ways[way]);
        const char *argv[] = {python,     client,    "write",
                              ports[way], ways[way], test_path(cluster->written[way], name),
                              NULL};
        snprintf(name, sizeof name, "writer-%u.txt", way);
        cluster->writers[way] = start_logged(argv, NULL, name);
    }
    for (unsigned way = 0; way < 2; way++) {
        wait_until(writes, cluster->written[way], "the writers write");
    }
}

/* Waits until both writers have got further acknowledgements. */
static void writers_go_on(struct cluster *cluster)
{
    for (unsigned way = 0; way < 2; way++) {
        unsigned before = file_mentions(cluster->written[way], "");
        int64_t begin = now_ms();
        while (file_mentions(cluster->written[way], "") < before + 100) {
            ck_assert_msg(now_ms() - begin < PATIENCE_MS, "no writes through %s", ways[way]);
            orphans_reap();
            poll(NULL, 0, 50);
        }
    }
}

/* Prints how long no write was acknowledged, by each way. */
static void print_gaps(const struct cluster *cluster, const char *what, double begin)
{
    char from[32];
    struct outcome outcomes[2];
    snprintf(from, sizeof from, "%.3f", begin);
    for (unsigned way = 0; way < 2; way++) {
        run(&outcomes[way], python, client, "gap", cluster->written[way], from, NULL);
        outcomes[way].out[strcspn(outcomes[way].out, "\n")] = '\0';
    }
    printf("     %s: no write for %s s through rpproxy, %s s through HAProxy\n", what,
           outcomes[0].out, outcomes[1].out);
}

static double monotonic(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void switch_over(unsigned from)
{
    char url[128], body[128];
    struct outcome outcome;
    snprintf(url, sizeof url, "http://10.0.0.1%u:8008/switchover", from + 1);
    snprintf(body, sizeof body, "{\"leader\": \"pg%u\"}", from + 1);
    run(&outcome, "curl", "-s", "-m", "60", "-d", body, url, NULL);
    ck_assert_msg(strstr(outcome.out, "uccessfully") != NULL, "switchover: %s", outcome.out);
}

static void kill_node(struct cluster *cluster, unsigned node)
{
    char file[PATH_MAX], text[256];
    snprintf(file, sizeof file, "%.4000s/data/postmaster.pid", cluster->data[node]);
    ck_assert_uint_gt(read_file(file, text, sizeof text), 0);
    kill(cluster->nodes[node], SIGKILL);
    kill(atoi(text), SIGKILL);
    wait_gone(cluster->nodes[node]);
}

static bool makes_the_table(void *psql)
{
    struct outcome outcome;
    run(&outcome, psql, "-h", "127.0.0.1", "-U", "postgres", "-c",
        "CREATE TABLE written (writer text, number integer)", NULL);
    return outcome.code == 0;
}

static void start(struct cluster *cluster)
{
    start_etcd(cluster);
    start_node(cluster, 0);
    wait_until(has_primary, NULL, "the first node is the primary");
    start_node(cluster, 1);
    start_node(cluster, 2);
    wait_until(others_replicate, NULL, "the other nodes replicate");
    proxy_init(&cluster->proxy, "proxy");
    example_configure(&cluster->proxy, "patroni.ini", "workers = 2\n");
    proxy_start(&cluster->proxy);
    start_haproxy(cluster);
    char psql[PATH_MAX + 8];
    snprintf(psql, sizeof psql, "%.4000s/psql", cluster->binaries);
    wait_until(makes_the_table, psql, "the primary can be reached");
}

/* Clients that stay, at both ports, while the proxy reloads. */
static void hand_over_clients(struct cluster *cluster)
{
    char writing[PATH_MAX + 64], reading[PATH_MAX + 64];
    struct lasting writer = {.name = "psql-write",
                             .command = writing,
                             .say = "create temporary table if not exists kept (n integer);"
                                    "insert into kept values (1) returning 'kept';\n",
                             .answer = "kept"};
    struct lasting reader = {
        .name = "psql-read", .command = reading, .say = "select 'alive';\n", .answer = "alive"};
    snprintf(writing, sizeof writing, "%.4000s/psql -h 127.0.0.1 -p 5432 -U postgres -qAt",
             cluster->binaries);
    snprintf(reading, sizeof reading, "%.4000s/psql -h 127.0.0.1 -p 5433 -U postgres -qAt",
             cluster->binaries);
    lasting_start(&writer, NULL);
    lasting_start(&reader, NULL);
    hand_over(&cluster->proxy, (struct lasting *const[]){&writer, &reader, NULL}, NULL);
    for (unsigned i = 0; i < scaled(10, 2); i++) {
        proxy_reload(&cluster->proxy);
        writers_go_on(cluster);
    }
    lasting_ask(&writer);
    lasting_ask(&reader);
    lasting_end(&writer);
    lasting_end(&reader);
}

START_TEST(patroni_switchover_and_loss_of_the_primary)
{
    static struct cluster cluster;
    struct outcome outcome;
    const char *missing = find_programs(&cluster);
    if (missing) {
        skip_test("%s", missing);
    }
    if (!example_network()) {
        skip_test("no network namespace");
    }
    start(&cluster);
    start_writers(&cluster);
    writers_go_on(&cluster);
    hand_over_clients(&cluster);

    double begin = monotonic();
    unsigned first = primary_of();
    switch_over(first);
    writers_go_on(&cluster);
    print_gaps(&cluster, "switchover", begin);
    proxy_reload(&cluster.proxy);
    writers_go_on(&cluster);

    wait_until(others_replicate, NULL, "the demoted node replicates");
    begin = monotonic();
    unsigned second = primary_of();
    ck_assert_uint_ne(second, first);
    kill_node(&cluster, second);
    writers_go_on(&cluster);
    print_gaps(&cluster, "the primary is killed", begin);

    for (unsigned way = 0; way < 2; way++) {
        char stop[PATH_MAX + 8], errors[PATH_MAX + 8];
        snprintf(stop, sizeof stop, "%.4000s.stop", cluster.written[way]);
        snprintf(errors, sizeof errors, "%.4000s.err", cluster.written[way]);
        write_file(stop, 0644, "%s", "");
        ck_assert_int_eq(wait_gone(cluster.writers[way]), 0);
        run(&outcome, python, client, "verify", ports[way], ways[way], cluster.written[way], NULL);
        ck_assert_msg(outcome.code == 0, "%s: %s%s", ways[way], outcome.out, outcome.err);
        printf("     %s: %s      errors: %u, of them %u writes that a replica refused\n", ways[way],
               outcome.out, file_mentions(errors, ""), file_mentions(errors, "read-only"));
    }
    kill(cluster.haproxy, SIGTERM);
    ck_assert_int_eq(proxy_command(&cluster.proxy, &outcome, "stop", NULL), 0);
    expect_clean_log(cluster.proxy.log);
}
END_TEST

Suite *patroni_suite(void)
{
    Suite *suite = suite_create("patroni");
    scenario_add(suite, patroni_switchover_and_loss_of_the_primary, 300);
    return suite;
}
