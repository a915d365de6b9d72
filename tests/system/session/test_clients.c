/* Real client programs that stay connected while all their sessions move, at each of many reloads.
 * No client may report an error. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { RELOADS = 20 };

/* The number of reloads in which all `sessions` sessions have moved. */
static unsigned moves(const struct proxy *proxy, unsigned sessions)
{
    char line[128];
    snprintf(line, sizeof line, "has drained %u session%s: %u handed off, 0 ended, 0 cut", sessions,
             sessions == 1 ? "" : "s", sessions);
    return file_mentions(proxy->log, line);
}

/* Sends something to a client that answers, and returns when the answer is there. */
typedef void exchange_fn(void *client);

/* Reloads, and returns when the old process is gone. The client is kept busy meanwhile. */
static void reload_and_exchange(struct proxy *proxy, exchange_fn *exchange, void *client)
{
    pid_t old = proxy->pid;
    pid_t reload = proxy_command_start(proxy, NULL, "reload", "--wait=drained", NULL);
    while (exchange != NULL && process_alive(reload)) {
        exchange(client);
    }
    ck_assert_int_eq(wait_gone(reload), 0);
    ck_assert_msg(!process_alive(old), "the old process is still there");
    proxy_follow(proxy);
}

/* All sessions of a client that stays move at each of many reloads. */
static void move_many_times(struct proxy *proxy, unsigned sessions, exchange_fn *exchange,
                            void *client)
{
    unsigned reloads = scaled(RELOADS, 3);
    for (unsigned i = 0; i < reloads; i++) {
        reload_and_exchange(proxy, exchange, client);
    }
    ck_assert_uint_eq(moves(proxy, sessions), reloads);
}

/* A client whose standard input and output are the test's. */
struct talker {
    pid_t pid;
    int in, out;
    char err[PATH_MAX];
};

static void talker_start(struct talker *talker, const char *const *argv)
{
    char in[PATH_MAX], out[PATH_MAX];
    test_path(talker->err, "talker.err");
    ck_assert_int_eq(mkfifo(test_path(in, "talker.in"), 0600), 0);
    ck_assert_int_eq(mkfifo(test_path(out, "talker.out"), 0600), 0);
    talker->pid =
        program_start(&(struct program){.argv = argv, .in = in, .out = out, .err = talker->err});
    talker->in = open(in, O_WRONLY | O_CLOEXEC);
    talker->out = open(out, O_RDONLY | O_CLOEXEC);
    ck_assert(talker->in >= 0 && talker->out >= 0);
}

/* The client has exited with 0 and has printed no error. */
static void talker_ends(struct talker *talker)
{
    char text[4096];
    close(talker->out);
    int status = wait_gone(talker->pid);
    read_file(talker->err, text, sizeof text);
    ck_assert_msg(status == 0 && text[0] == '\0', "wait status %d: %s", status, text);
}

static bool file_has_lines(void *argument)
{
    return file_mentions(argument, "") > 0;
}

/* --- PostgreSQL --- */

/* Each client of pgbench works until the table says that it has to end. */
static const char pgbench_script[] = "\\if :told = 0\n"
                                     "\\set account random(1, 100000)\n"
                                     "BEGIN;\n"
                                     "UPDATE pgbench_accounts SET abalance = abalance + 1\n"
                                     " WHERE aid = :account;\n"
                                     "INSERT INTO pgbench_history (tid, bid, aid, delta)\n"
                                     " VALUES (1, 1, :account, 1);\n"
                                     "END;\n"
                                     "SELECT count(*) AS told FROM told \\gset\n"
                                     "\\endif\n";

enum { PGBENCH_CLIENTS = 32 };

static void tell_postgres(const struct postgres *postgres, const char *database,
                          const char *statement)
{
    struct outcome outcome;
    run(&outcome, postgres->psql, "-q", "-c", statement, database, NULL);
    ck_assert_msg(outcome.code == 0, "psql: %s%s", outcome.out, outcome.err);
}

static bool pgbench_works(void *proxy)
{
    struct status status;
    return proxy_status(proxy, &status) && status.sessions == PGBENCH_CLIENTS;
}

START_TEST(pgbench_connections)
{
    struct postgres postgres;
    const char *missing = postgres_find(&postgres);
    if (missing != NULL) {
        skip_test("%s", missing);
    }
    struct proxy proxy;
    char port[8], database[64], script[PATH_MAX], out[PATH_MAX];
    postgres_start(&postgres, &proxy, port);
    snprintf(database, sizeof database, "host=127.0.0.1 port=%s user=postgres", port);
    tell_postgres(&postgres, database, "CREATE TABLE told (so int)");
    write_file(test_path(script, "script.sql"), 0644, "%s", pgbench_script);
    test_path(out, "client.out");
    const char *argv[] = {postgres.pgbench, "-n", "-c32", "-j2",    "-t100000",
                          "-Dtold=0",       "-f", script, database, NULL};
    pid_t client = program_start(&(struct program){.argv = argv, .out = out, .err = out});
    wait_until(pgbench_works, &proxy, "pgbench's connections are there");
    move_many_times(&proxy, PGBENCH_CLIENTS, NULL, NULL);
    ck_assert_msg(process_alive(client), "pgbench has ended already");
    tell_postgres(&postgres, database, "INSERT INTO told VALUES (1)");
    client_ends_well(client, "pgbench", out, pgbench_complaints);
    daemon_end(postgres.pid, SIGINT);
    proxy_stop(&proxy);
}
END_TEST

/* --- Redis --- */

/* A client of Redis's own that publishes. The subscribers come through the proxy. */
struct publisher {
    int socket;
    unsigned number;
};

static void publish(void *argument)
{
    struct publisher *publisher = argument;
    char text[64];
    int length = snprintf(text, sizeof text, "PUBLISH news %u\r\n", ++publisher->number);
    send_all(publisher->socket, text, (size_t)length);
    receive_exactly(publisher->socket, text, 4);
    ck_assert_msg(memcmp(text, ":1\r\n", 4) == 0, "it went to %.4s subscribers", text);
}

struct subscriber {
    char out[PATH_MAX];
    unsigned last;
};

static bool has_heard_all(void *argument)
{
    const struct subscriber *subscriber = argument;
    char last[16];
    snprintf(last, sizeof last, "%u\n", subscriber->last);
    return file_mentions(subscriber->out, last) > 0;
}

/* Each message once, in order, and nothing else. */
static void expect_numbered(const char *path, unsigned count)
{
    FILE *file = fopen(path, "re");
    ck_assert_ptr_nonnull(file);
    ck_assert_int_eq(fscanf(file, "subscribe news 1"), 0);
    for (unsigned i = 1; i <= count; i++) {
        unsigned number = 0;
        ck_assert_int_eq(fscanf(file, " message news %u", &number), 1);
        ck_assert_uint_eq(number, i);
    }
    ck_assert_int_eq(fgetc(file), '\n');
    ck_assert_int_eq(fgetc(file), EOF);
    fclose(file);
}

START_TEST(redis_subscriber)
{
    if (!program_exists("redis-server") || !program_exists("redis-cli")) {
        skip_test("no redis-server or no redis-cli");
    }
    char socket[PATH_MAX], port[8];
    pid_t server = redis_start(socket);
    struct proxy proxy;
    proxy_before(&proxy, "unix:", socket, port);
    struct subscriber subscriber;
    test_path(subscriber.out, "client.out");
    const char *argv[] = {"redis-cli", "-h", "127.0.0.1", "-p", port, "SUBSCRIBE", "news", NULL};
    pid_t client = program_start(
        &(struct program){.argv = argv, .out = subscriber.out, .err = subscriber.out});
    wait_until(file_has_lines, subscriber.out, "redis-cli has subscribed");
    struct endpoint direct = endpoint_unix(socket);
    struct publisher publisher = {.socket = connect_to(&direct)};
    move_many_times(&proxy, 1, publish, &publisher);
    subscriber.last = publisher.number;
    wait_until(has_heard_all, &subscriber, "the last message has come");
    ck_assert(process_alive(client));
    expect_numbered(subscriber.out, publisher.number);
    printf("     %u messages\n", publisher.number);
    daemon_end(client, SIGINT);
    daemon_end(server, SIGTERM);
    proxy_stop(&proxy);
}
END_TEST

/* --- SSH --- */

enum { STREAM = 1, UNDER_WAY = 1 << 20 };

/* Bytes go to `cat` at the other side, and come back. */
struct stream {
    struct talker talker;
    uint64_t sent, received;
};

/* Sends some bytes if not too many are under way, and receives some. */
static void stream_some(void *argument)
{
    static char bytes[65536];
    struct stream *stream = argument;
    bool more = stream->sent - stream->received < UNDER_WAY;
    struct pollfd ready[] = {{.fd = stream->talker.in, .events = more ? POLLOUT : 0},
                             {.fd = stream->talker.out, .events = POLLIN}};
    ck_assert_int_gt(poll(ready, 2, PATIENCE_MS), 0);
    if ((ready[0].revents & POLLOUT) != 0) {
        pattern_fill(STREAM, stream->sent, bytes, PIPE_BUF);
        ck_assert_int_eq(write(stream->talker.in, bytes, PIPE_BUF), PIPE_BUF);
        stream->sent += PIPE_BUF;
    }
    if (ready[1].revents != 0) {
        ssize_t got = read(stream->talker.out, bytes, sizeof bytes);
        ck_assert_msg(got > 0, "ssh has ended");
        ck_assert_uint_eq(pattern_mismatch(STREAM, stream->received, bytes, (size_t)got),
                          (size_t)got);
        stream->received += (uint64_t)got;
    }
}

/* All bytes come back, and then the end. */
static void stream_finish(struct stream *stream)
{
    char byte;
    close(stream->talker.in);
    stream->talker.in = -1;
    while (stream->received < stream->sent) {
        stream_some(stream);
    }
    ck_assert_int_eq(read(stream->talker.out, &byte, 1), 0);
    talker_ends(&stream->talker);
}

START_TEST(ssh_session)
{
    if (!program_exists("/usr/sbin/sshd") || !program_exists("ssh")) {
        skip_test("no sshd or no ssh");
    }
    char key[PATH_MAX], file[PATH_MAX], port[8], server_port[8];
    ssh_key_make(test_path(key, "user_key"));
    free_port(server_port);
    pid_t server = sshd_start(server_port, key);
    struct proxy proxy;
    proxy_before(&proxy, "127.0.0.1:", server_port, port);
    write_file(test_path(file, "ssh.conf"), 0600,
               "IdentityFile %s\nIdentitiesOnly yes\nBatchMode yes\n"
               "NoHostAuthenticationForLocalhost yes\n",
               key);
    const char *argv[] = {"ssh", "-F", file, "-p", port, "127.0.0.1", "cat", NULL};
    struct stream stream = {0};
    talker_start(&stream.talker, argv);
    while (stream.received == 0) {
        stream_some(&stream);
    }
    move_many_times(&proxy, 1, stream_some, &stream);
    stream_finish(&stream);
    printf("     %" PRIu64 " MB there and back\n", stream.received >> 20);
    proxy_stop(&proxy);
    daemon_end(server, SIGTERM); /* sshd leaves us a child, which exits with 255 */
}
END_TEST

/* --- WebSocket --- */

/* Debian's interactive client: a typed line is sent as a message, and received ones are printed as
 * "< TEXT". */
struct websocket {
    struct talker talker;
    FILE *shown;
    unsigned number;
};

/* Waits for the next line that has `text`; returns the rest of the line. */
static const char *websocket_shows(struct websocket *websocket, const char *text)
{
    static char line[256];
    while (fgets(line, sizeof line, websocket->shown) != NULL) {
        const char *found = strstr(line, text);
        if (found != NULL) {
            return found + strlen(text);
        }
    }
    ck_abort_msg("the client does not show '%s'; the last line is: %s", text, line);
}

static void websocket_echo(void *argument)
{
    struct websocket *websocket = argument;
    dprintf(websocket->talker.in, "%u\n", ++websocket->number);
    ck_assert_int_eq(atoi(websocket_shows(websocket, "< ")), (int)websocket->number);
}

static bool answers_on_port(void *port)
{
    struct endpoint where = endpoint_loopback((uint16_t)atoi(port));
    int fd = try_connect(&where);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

START_TEST(websocket_session)
{
    static const char python[] = "/usr/bin/python3"; /* this python has Debian's packages */
    struct outcome outcome;
    if (!program_exists("websocketd")) {
        skip_test("no websocketd");
    }
    if (program_exists(python)) {
        run(&outcome, python, "-m", "websockets", "--version", NULL);
    }
    if (!program_exists(python) || outcome.code != 0) {
        skip_test("no python3-websockets");
    }
    char port[8], server_port[8], option[32], url[64], log[PATH_MAX];
    free_port(server_port);
    snprintf(option, sizeof option, "--port=%s", server_port);
    const char *argv[] = {"websocketd", "--address=127.0.0.1", option, "cat", NULL};
    test_path(log, "websocketd.log");
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(answers_on_port, server_port, "websocketd listens");
    struct proxy proxy;
    proxy_before(&proxy, "127.0.0.1:", server_port, port);
    snprintf(url, sizeof url, "ws://127.0.0.1:%s/", port);
    const char *client[] = {python, "-m", "websockets", url, NULL};
    struct websocket websocket = {0};
    talker_start(&websocket.talker, client);
    websocket.shown = fdopen(dup(websocket.talker.out), "r");
    ck_assert_ptr_nonnull(websocket.shown);
    websocket_echo(&websocket);
    move_many_times(&proxy, 1, websocket_echo, &websocket);
    close(websocket.talker.in);
    ck_assert_int_eq(strncmp(websocket_shows(&websocket, "Connection closed: "), "1000 (OK)", 9),
                     0);
    fclose(websocket.shown);
    talker_ends(&websocket.talker);
    printf("     %u messages there and back\n", websocket.number);
    daemon_end(server, SIGTERM);
    proxy_stop(&proxy);
}
END_TEST

/* --- iperf3 --- */

/* `reverse` may be NULL. */
static void iperf3_across_reloads(struct proxy *proxy, const char *port, const char *reverse)
{
    enum { STREAMS = 4 };
    static const char *const bad[] = {"\"error\"", NULL};
    char out[PATH_MAX], time[8];
    test_path(out, "client.out");
    snprintf(time, sizeof time, "%u", scaled(10, 2));
    const char *argv[] = {"iperf3", "-c", "127.0.0.1", "-p", port, "-P",    "4",
                          "-t",     time, "-J",        "-i", "0",  reverse, NULL};
    unsigned before = moves(proxy, STREAMS + 1), runs = 0;
    while (moves(proxy, STREAMS + 1) - before < scaled(RELOADS, 3)) {
        unlink(out);
        pid_t client = program_start(&(struct program){.argv = argv, .out = out, .err = out});
        while (process_alive(client)) {
            reload_and_exchange(proxy, NULL, NULL);
        }
        client_ends_well(client, argv[0], out, bad);
        runs++;
    }
    printf("     iperf3 %s: %u runs, %u reloads that moved it\n",
           reverse != NULL ? "back" : "there", runs, moves(proxy, STREAMS + 1) - before);
}

START_TEST(iperf3_streams)
{
    if (!program_exists("iperf3")) {
        skip_test("no iperf3");
    }
    char port[8], server_port[8], log[PATH_MAX];
    free_port(server_port);
    const char *argv[] = {"iperf3", "-s",        "-B",           "127.0.0.1",
                          "-p",     server_port, "--forceflush", NULL};
    test_path(log, "iperf3.log");
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "Server listening");
    struct proxy proxy;
    proxy_before(&proxy, "127.0.0.1:", server_port, port);
    iperf3_across_reloads(&proxy, port, NULL);
    iperf3_across_reloads(&proxy, port, "--reverse");
    ck_assert_uint_eq(file_mentions(log, "error"), 0);
    daemon_end(server, SIGTERM);
    proxy_stop(&proxy);
}
END_TEST

Suite *clients_suite(void)
{
    Suite *suite = suite_create("clients");
    scenario_add(suite, pgbench_connections, 600);
    scenario_add(suite, redis_subscriber, 300);
    scenario_add(suite, ssh_session, 300);
    scenario_add(suite, websocket_session, 300);
    scenario_add(suite, iperf3_streams, 300);
    return suite;
}
