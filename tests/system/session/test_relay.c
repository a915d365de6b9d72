/* What a session does to the bytes, the ends and the errors of its two connections. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MEGABYTE = 1 << 20, STALLED = 32, STALLED_MOST_KB = 64 };

static void send_pattern(int socket, uint64_t id, size_t length)
{
    char *bytes = malloc(length);
    ck_assert_ptr_nonnull(bytes);
    pattern_fill(id, 0, bytes, length);
    send_all(socket, bytes, length);
    free(bytes);
}

static void expect_pattern(int socket, uint64_t id, size_t length)
{
    static char bytes[MEGABYTE];
    for (size_t done = 0; done < length;) {
        size_t part = length - done < sizeof bytes ? length - done : sizeof bytes;
        receive_exactly(socket, bytes, part);
        size_t good = pattern_mismatch(id, done, bytes, part);
        ck_assert_msg(good == part, "byte %zu is wrong", done + good);
        done += part;
    }
}

static void pass_pattern(int from, int to, uint64_t id, size_t length)
{
    send_pattern(from, id, length);
    expect_pattern(to, id, length);
}

/* A sender that may be blocked for long. */
struct sender {
    pthread_t thread;
    int socket;
    uint64_t id;
    size_t length;
    int error;
};

static void *send_in_thread(void *argument)
{
    struct sender *sender = argument;
    char bytes[65536];
    for (size_t done = 0; done < sender->length;) {
        size_t part = sender->length - done < sizeof bytes ? sender->length - done : sizeof bytes;
        pattern_fill(sender->id, done, bytes, part);
        ssize_t sent = send(sender->socket, bytes, part, MSG_NOSIGNAL);
        if (sent < 0) {
            sender->error = errno;
            return NULL;
        }
        done += (size_t)sent;
    }
    shutdown(sender->socket, SHUT_WR);
    return NULL;
}

static void sender_start(struct sender *sender, int socket, uint64_t id, size_t length)
{
    *sender = (struct sender){.socket = socket, .id = id, .length = length};
    ck_assert_int_eq(pthread_create(&sender->thread, NULL, send_in_thread, sender), 0);
}

static void sender_join(struct sender *sender)
{
    pthread_join(sender->thread, NULL);
    ck_assert_msg(sender->error == 0, "sending: %s", strerror(sender->error));
}

static void pass_to_the_end(int from, int to, uint64_t id, size_t length)
{
    struct sender sender;
    sender_start(&sender, from, id, length);
    expect_pattern(to, id, length);
    expect_eof(to);
    sender_join(&sender);
}

static void half_close(bool by_client)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    int first = by_client ? session.client : session.server;
    int last = by_client ? session.server : session.client;
    pass_to_the_end(first, last, 1, 5 * MEGABYTE + 3);
    /* The other direction is still open, and stays open though the first was closed long ago. */
    pass_pattern(last, first, 2, 100);
    pass_to_the_end(last, first, 3, 5 * MEGABYTE + 1);
    proxy_stop(&scene.proxy);
}

START_TEST(half_close_by_client)
{
    half_close(true);
}
END_TEST

START_TEST(half_close_by_server)
{
    half_close(false);
}
END_TEST

/* The end arrives together with the last bytes, and before the proxy has a connection to the
 * server. */
START_TEST(request_and_half_close_at_once)
{
    struct scene scene;
    scene_start(&scene, "", "");
    for (unsigned i = 0; i < scaled(200, 20); i++) {
        struct session session = {.client = connect_to(&scene.front)};
        send_pattern(session.client, i, i);
        shutdown(session.client, SHUT_WR);
        session.server = accept_from(scene.listener);
        expect_pattern(session.server, i, i);
        expect_eof(session.server);
        send_pattern(session.server, i + 1, i);
        close(session.server);
        expect_pattern(session.client, i + 1, i);
        expect_eof(session.client);
        close(session.client);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

static void reset(bool by_client)
{
    struct scene scene;
    scene_start(&scene, "", "");
    for (unsigned i = 0; i < 20; i++) {
        struct session session = session_open(&scene);
        int sender = by_client ? session.client : session.server;
        int receiver = by_client ? session.server : session.client;
        pass_pattern(sender, receiver, i, 100);
        send_reset(sender);
        expect_reset(receiver);
        close(receiver);
    }
    proxy_stop(&scene.proxy);
}

START_TEST(reset_by_client)
{
    reset(true);
}
END_TEST

START_TEST(reset_by_server)
{
    reset(false);
}
END_TEST

/* Stops the proxy, so that everything that arrives meanwhile is one event. Returns when it has
 * stopped. */
static void freeze(const struct scene *scene)
{
    siginfo_t stopped;
    process_stop(scene->proxy.pid);
    ck_assert_int_eq(waitid(P_PID, (id_t)scene->proxy.pid, &stopped, WSTOPPED), 0);
}

static void thaw(const struct scene *scene)
{
    ck_assert_int_eq(kill(scene->proxy.pid, SIGCONT), 0);
}

START_TEST(reset_with_the_last_bytes)
{
    struct scene scene;
    scene_start(&scene, "", "");
    for (unsigned i = 0; i < 4; i++) {
        struct session session = session_open(&scene);
        int sender = i % 2 ? session.client : session.server;
        int receiver = i % 2 ? session.server : session.client;
        send_pattern(sender, 1, 100); /* the session is established */
        expect_pattern(receiver, 1, 100);
        freeze(&scene);
        send_pattern(sender, 2, 100);
        send_reset(sender);
        thaw(&scene);
        expect_pattern(receiver, 2, 100);
        expect_reset(receiver);
        close(receiver);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* The proxy learns of the reset when it sends to the side that was reset. Nothing that this side
 * sent before is lost, and the reset does not look like an end. */
START_TEST(reset_found_by_sending)
{
    struct scene scene;
    scene_start(&scene, "", "");
    for (unsigned i = 0; i < 4; i++) {
        struct session session = session_open(&scene);
        int sender = i % 2 ? session.client : session.server;
        int receiver = i % 2 ? session.server : session.client;
        pass_pattern(sender, receiver, 1, 100);
        freeze(&scene);
        send_pattern(receiver, 2, 100);
        send_pattern(sender, 3, 100);
        send_reset(sender);
        thaw(&scene);
        expect_pattern(receiver, 3, 100);
        expect_reset(receiver);
        close(receiver);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* The urgent byte itself is not part of the stream. The bytes around it are. */
START_TEST(urgent_data_holds_nothing_up)
{
    struct scene scene;
    char text[4];
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    pass_pattern(session.client, session.server, 1, 100);
    freeze(&scene);
    send_all(session.client, "ab", 2);
    ck_assert_int_eq(send(session.client, "!", 1, MSG_OOB), 1);
    send_all(session.client, "cd", 2);
    thaw(&scene);
    receive_exactly(session.server, text, sizeof text);
    ck_assert_mem_eq(text, "abcd", sizeof text);
    close(session.client);
    close(session.server);
    proxy_stop(&scene.proxy);
}
END_TEST

/* One direction is closed already when the reset comes in the other direction. */
START_TEST(reset_after_half_close)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    shutdown(session.client, SHUT_WR);
    expect_eof(session.server);
    send_reset(session.server);
    expect_reset(session.client);
    close(session.client);
    session = session_open(&scene);
    shutdown(session.server, SHUT_WR);
    expect_eof(session.client);
    send_reset(session.client);
    expect_reset(session.server);
    close(session.server);
    proxy_stop(&scene.proxy);
}
END_TEST

static void await_event(int socket, short event)
{
    struct pollfd one = {.fd = socket, .events = event};
    ck_assert_int_eq(poll(&one, 1, PATIENCE_MS), 1);
    ck_assert_msg(one.revents & event, "instead of %x: %x", (unsigned)event, (unsigned)one.revents);
}

static bool has_no_session(void *proxy)
{
    struct status status;
    return proxy_status(proxy, &status) && status.sessions == 0;
}

/* The side that has half-closed sends the reset: no read will report it. */
START_TEST(reset_after_own_half_close)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    shutdown(session.client, SHUT_WR);
    expect_eof(session.server);
    send_reset(session.client);
    await_event(session.server, POLLERR);
    close(session.server);

    session = session_open(&scene);
    send_pattern(session.server, 1, 10000);
    shutdown(session.server, SHUT_WR);
    await_event(session.client, POLLRDHUP);
    send_reset(session.server);
    wait_until(has_no_session, &scene.proxy, "the session has ended by the server's reset");
    expect_pattern(session.client, 1, 10000);
    expect_eof(session.client);
    close(session.client);
    proxy_stop(&scene.proxy);
}
END_TEST

/* No byte is under way when the proxy is told to end at once. But only the two sides know this. */
START_TEST(a_session_that_is_cut_does_not_look_complete)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    pass_pattern(session.server, session.client, 1, 100);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGINT), 0);
    session_is_cut(&session);
    wait_gone(scene.proxy.pid);
}
END_TEST

/* The peer of the side that resets is not reading, with bytes under way to it. */
START_TEST(reset_under_backpressure)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    struct sender sender;
    sender_start(&sender, session.client, 1, 256 * (size_t)MEGABYTE);
    ck_assert(readable_within(session.server, PATIENCE_MS));
    send_reset(session.server);
    pthread_join(sender.thread, NULL);
    ck_assert_msg(sender.error == ECONNRESET || sender.error == EPIPE, "sending: %s",
                  strerror(sender.error));
    close(session.client);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A reader stops in the middle of a transfer: the proxy holds a bounded amount for it. When it
 * continues, every byte arrives. */
static void stall(bool to_client)
{
    struct scene scene;
    scene_start(&scene, "", "");
    unsigned long long before = process_status(scene.proxy.pid, "VmRSS:", 10);
    size_t length = scaled(64, 8) * (size_t)MEGABYTE;
    struct sender senders[STALLED];
    int readers[STALLED];
    for (unsigned i = 0; i < STALLED; i++) {
        struct session session = session_open(&scene);
        sender_start(&senders[i], to_client ? session.server : session.client, i, length);
        readers[i] = to_client ? session.client : session.server;
        expect_pattern(readers[i], i, 1000);
    }
    poll(NULL, 0, (int)scaled(10000, 1000)); /* how long the reader stops */
    unsigned long long peak = process_status(scene.proxy.pid, "VmHWM:", 10);
    printf("     %d stalled readers of %zu MiB each: %llu KiB resident before, %llu at the peak\n",
           STALLED, length / MEGABYTE, before, peak);
    for (unsigned i = 0; i < STALLED; i++) {
        char *bytes = malloc(length);
        ck_assert_ptr_nonnull(bytes);
        receive_exactly(readers[i], bytes, length - 1000);
        ck_assert_uint_eq(pattern_mismatch(i, 1000, bytes, length - 1000), length - 1000);
        free(bytes);
        expect_eof(readers[i]);
        sender_join(&senders[i]);
        close(senders[i].socket);
        close(readers[i]);
    }
    if (!sanitized()) {
        ck_assert_uint_le(process_status(scene.proxy.pid, "VmHWM:", 10),
                          before + 4096 + STALLED * STALLED_MOST_KB);
    }
    proxy_stop(&scene.proxy);
}

START_TEST(client_that_stops_reading)
{
    stall(true);
}
END_TEST

START_TEST(server_that_stops_reading)
{
    stall(false);
}
END_TEST

START_TEST(refusing_server_is_passed_over)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    char alive[64];
    snprintf(alive, sizeof alive, "server = alive 127.0.0.1:%u\n", origin_port(origin));
    scene_start_before(&scene, port_reserve(getuid()), "", alive);
    struct churn *churn = churn_load(&scene.front, 20);
    churn_wait(churn, scaled(5000, 200));
    churn_stop_clean(churn, "one of two servers refuses");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(all_servers_refuse)
{
    struct scene scene;
    scene_start_before(&scene, port_reserve(getuid()), "", "");
    for (unsigned i = 0; i < 10; i++) {
        expect_reset_after(&scene.front, "x", i % 2);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* The log does not count it as the server's failure. */
START_TEST(client_that_goes_while_servers_are_tried)
{
    struct scene scene;
    scene_start_before(&scene, port_reserve(getuid()), "", "access-log = yes\nretries = 100\n");
    send_reset(connect_to(&scene.front));
    wait_mentioned(scene.proxy.log, "end=client-reset");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(idle_sessions_are_closed)
{
    struct scene scene;
    scene_start(&scene, "", "idle-timeout = 4s\n");
    struct session busy = session_open(&scene);
    struct session session = session_open(&scene);
    /* Traffic in one direction keeps a session alive. Without it, the older session would be closed
     * first. */
    unsigned i = 0;
    while (!readable_within(session.client, 100)) {
        pass_pattern(busy.server, busy.client, i++, 10);
    }
    expect_eof(session.client);
    expect_eof(session.server);
    pass_pattern(busy.server, busy.client, i, 10);
    pass_pattern(busy.client, busy.server, 1, 10);
    expect_eof(busy.client);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Clients that send their number. A client that comes through is served and closes. */
static void open_numbered(const struct scene *scene, int clients[], unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        clients[i] = connect_to(&scene->front);
        send_all(clients[i], &i, sizeof i);
    }
}

static void serve_numbered(int server, const int clients[], unsigned count)
{
    unsigned number;
    receive_exactly(server, &number, sizeof number);
    ck_assert_uint_lt(number, count);
    pass_pattern(server, clients[number], number, 1000);
    close(clients[number]);
    expect_eof(server);
    close(server);
}

static bool has_a_session(void *proxy)
{
    struct status status;
    return proxy_status(proxy, &status) && status.sessions == 1;
}

/* Its place goes to the next client at once, though the server does not answer. */
START_TEST(client_that_goes_while_a_server_is_awaited)
{
    struct scene scene;
    scene_start_before(&scene, listen_full(), "",
                       "connect-timeout = 1h\nmax-sessions = 1\naccess-log = yes\n");
    for (unsigned i = 1; i <= 5; i++) {
        int client = connect_to(&scene.front);
        send_all(client, "x", 1);
        wait_until(has_a_session, &scene.proxy, "it is accepted");
        send_reset(client);
        wait_mentions(scene.proxy.log, "retries=0 end=client-reset", i);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(max_sessions_leaves_the_rest_waiting)
{
    enum { LIMIT = 4, CLIENTS = 24 };
    struct scene scene;
    scene_start(&scene, "", "max-sessions = 4\n");
    int clients[CLIENTS], servers[CLIENTS];
    open_numbered(&scene, clients, CLIENTS);
    for (unsigned i = 0; i < LIMIT; i++) {
        servers[i] = accept_from(scene.listener);
    }
    for (unsigned i = LIMIT; i < CLIENTS; i++) {
        ck_assert_msg(!readable_within(scene.listener, 50), "more sessions than max-sessions");
        serve_numbered(servers[i - LIMIT], clients, CLIENTS);
        servers[i] = accept_from(scene.listener);
    }
    for (unsigned i = CLIENTS - LIMIT; i < CLIENTS; i++) {
        serve_numbered(servers[i], clients, CLIENTS);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* Clients that wait in the backlog of a full proxy are served after a reload, however long the
 * sessions before them last. */
START_TEST(backlog_of_a_full_proxy_outlives_a_reload)
{
    enum { LIMIT = 4, CLIENTS = 24 };
    struct scene scene;
    scene_start(&scene, "", "max-sessions = 4\n");
    int clients[CLIENTS], servers[LIMIT];
    open_numbered(&scene, clients, CLIENTS);
    for (unsigned i = 0; i < LIMIT; i++) {
        servers[i] = accept_from(scene.listener);
    }
    ck_assert(!readable_within(scene.listener, 50));
    proxy_reload(&scene.proxy);
    for (unsigned i = LIMIT; i < CLIENTS; i++) {
        serve_numbered(accept_from(scene.listener), clients, CLIENTS);
    }
    for (unsigned i = 0; i < LIMIT; i++) {
        serve_numbered(servers[i], clients, CLIENTS);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(global_max_sessions)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    scene_start_before(&scene, origin_port(origin), "workers = 3\nmax-sessions = 5\n", "");
    struct churn *churn =
        churn_start(&(struct churn_options){.target = scene.front, .in_flight = 100});
    for (unsigned i = 0; i < 10; i++) {
        churn_wait(churn, (i + 1) * scaled(500, 50));
        struct status status;
        ck_assert(proxy_status(&scene.proxy, &status));
        ck_assert_uint_le(status.sessions, 5);
    }
    churn_stop_clean(churn, "100 clients of at most 5 sessions");
    proxy_stop(&scene.proxy);
}
END_TEST

/* Two frontends with full backlogs share one place: all clients of both are served. In which order
 * is not asked here, since it depends on when the worker sees the clients. */
START_TEST(no_frontend_starves_at_a_limit)
{
    enum { CLIENTS = 12 };
    uint16_t ports[2] = {port_reserve(getuid()), port_reserve(getuid())}, server_ports[2];
    int listeners[2] = {listen_loopback(&server_ports[0]), listen_loopback(&server_ports[1])};
    int clients[2][CLIENTS], server = -1;
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 1\nmax-sessions = 1\n"
                    "[listen a]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen b]\nbind = 127.0.0.1:%u\nserver = b 127.0.0.1:%u\n",
                    ports[0], server_ports[0], ports[1], server_ports[1]);
    proxy_start(&proxy);
    struct endpoint fronts[2] = {endpoint_loopback(ports[0]), endpoint_loopback(ports[1])};
    unsigned served[2] = {0};
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned j = 0; j < 2; j++) {
            clients[j][i] = connect_to(&fronts[j]);
            send_all(clients[j][i], "x", 1);
        }
        if (i == 0) { /* the first client holds the place until all others wait */
            struct pollfd ready[2] = {{.fd = listeners[0], .events = POLLIN},
                                      {.fd = listeners[1], .events = POLLIN}};
            ck_assert_int_eq(poll(ready, 2, PATIENCE_MS), 1);
            unsigned which = ready[0].revents ? 0 : 1;
            served[which]++;
            server = accept_from(listeners[which]);
        }
    }
    for (unsigned i = 1; i < 2 * CLIENTS; i++) {
        char byte;
        /* a reset before that would only cause another attempt */
        receive_exactly(server, &byte, 1);
        send_reset(server);
        struct pollfd ready[2] = {{.fd = listeners[0], .events = POLLIN},
                                  {.fd = listeners[1], .events = POLLIN}};
        ck_assert_int_eq(poll(ready, 2, PATIENCE_MS), 1);
        unsigned which = ready[0].revents ? 0 : 1;
        served[which]++;
        server = accept_from(listeners[which]);
    }
    ck_assert_uint_eq(served[0], CLIENTS);
    ck_assert_uint_eq(served[1], CLIENTS);
    close(server);
    for (unsigned i = 0; i < CLIENTS; i++) {
        send_reset(clients[0][i]);
        send_reset(clients[1][i]);
    }
    proxy_stop(&proxy);
}
END_TEST

START_TEST(out_of_descriptors)
{
    enum { CLIENTS = 60 };
    struct scene scene;
    scene_start(&scene, "", "");
    unsigned used = 0;
    char path[64];
    for (int fd = 0; fd < 256; fd++) {
        snprintf(path, sizeof path, "/proc/%d/fd/%d", scene.proxy.pid, fd);
        used = access(path, F_OK) == 0 ? (unsigned)fd : used;
    }
    struct rlimit limit = {.rlim_cur = used + 21, .rlim_max = used + 21};
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_NOFILE, &limit, NULL), 0);
    int clients[CLIENTS];
    open_numbered(&scene, clients, CLIENTS);
    /* Each client that is served makes room for another one when it closes. */
    for (unsigned i = 0; i < CLIENTS; i++) {
        serve_numbered(accept_from(scene.listener), clients, CLIENTS);
    }
    proxy_stop(&scene.proxy);
    ck_assert_msg(file_mentions(scene.proxy.log, "descriptors") +
                          file_mentions(scene.proxy.log, "open files") >
                      0,
                  "the log does not say that descriptors ran out");
}
END_TEST

struct logged {
    const char *log;
    int client;
};

static bool log_speaks_of_client(void *argument)
{
    const struct logged *logged = argument;
    struct endpoint self = {.length = sizeof self.in};
    char text[32];
    ck_assert_int_eq(getsockname(logged->client, &self.any, &self.length), 0);
    snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(self.in.sin_port));
    return file_mentions(logged->log, text) > 0;
}

START_TEST(access_log)
{
    struct scene scene;
    scene_start(&scene, "", "access-log = yes\n");
    struct session session = session_open(&scene);
    pass_pattern(session.client, session.server, 1, 12345);
    pass_pattern(session.server, session.client, 2, 6789);
    shutdown(session.client, SHUT_WR);
    close(session.server);
    wait_until(log_speaks_of_client, &(struct logged){scene.proxy.log, session.client},
               "the access log has the client's line");
    wait_mentions(scene.proxy.log, " in=12345 out=6789 ", 1);
    ck_assert_uint_ge(file_mentions(scene.proxy.log, "main"), 1);
    proxy_stop(&scene.proxy);
}
END_TEST

/* IPv4, IPv6 and Unix sockets, as binds and as servers, each with each. */
START_TEST(families)
{
    char front_path[PATH_MAX], server_path[PATH_MAX];
    test_path(front_path, "front.sock");
    test_path(server_path, "server.sock");
    uint16_t port4, port = port_reserve(getuid());
    int listeners[3] = {listen_loopback(&port4), listen_unix(server_path),
                        socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    struct endpoint six = {.length = sizeof six.in6};
    six.in6.sin6_family = AF_INET6;
    six.in6.sin6_addr = in6addr_loopback;
    if (bind(listeners[2], &six.any, six.length) != 0) {
        skip_test("no IPv6 here");
    }
    ck_assert_int_eq(listen(listeners[2], 10), 0);
    ck_assert_int_eq(getsockname(listeners[2], &six.any, &six.length), 0);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\nbind = [::1]:%u\nbind = unix:%s\n"
                    "server = four 127.0.0.1:%u\nserver = path unix:%s\nserver = six [::1]:%u\n",
                    port, port, front_path, port4, server_path, ntohs(six.in6.sin6_port));
    proxy_start(&proxy);
    six.in6.sin6_port = htons(port);
    struct endpoint fronts[3] = {endpoint_loopback(port), endpoint_unix(front_path), six};
    unsigned met[3] = {0};
    for (unsigned i = 0; i < 18; i++) {
        int client = connect_to(&fronts[i / 6]);
        struct pollfd ready[3];
        for (unsigned j = 0; j < 3; j++) {
            ready[j] = (struct pollfd){.fd = listeners[j], .events = POLLIN};
        }
        ck_assert_int_eq(poll(ready, 3, PATIENCE_MS), 1);
        unsigned which = ready[0].revents != 0 ? 0 : (ready[1].revents != 0 ? 1 : 2);
        met[which]++;
        int server = accept_from(listeners[which]);
        send_pattern(client, i, 1000);
        shutdown(client, SHUT_WR);
        expect_pattern(server, i, 1000);
        expect_eof(server);
        send_pattern(server, i + 1, 1000);
        close(server);
        expect_pattern(client, i + 1, 1000);
        expect_eof(client);
        close(client);
    }
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_msg(met[i] > 0, "server %u was never chosen", i);
    }
    proxy_stop(&proxy);
}
END_TEST

Suite *relay_suite(void)
{
    Suite *suite = suite_create("relay");
    scenario_add(suite, half_close_by_client, 300);
    scenario_add(suite, half_close_by_server, 300);
    scenario_add(suite, request_and_half_close_at_once, 300);
    scenario_add(suite, reset_by_client, 300);
    scenario_add(suite, reset_by_server, 300);
    scenario_add(suite, reset_with_the_last_bytes, 300);
    scenario_add(suite, reset_found_by_sending, 300);
    scenario_add(suite, urgent_data_holds_nothing_up, 300);
    scenario_add(suite, reset_after_half_close, 300);
    scenario_add(suite, reset_after_own_half_close, 300);
    scenario_add(suite, a_session_that_is_cut_does_not_look_complete, 300);
    scenario_add(suite, reset_under_backpressure, 300);
    scenario_add(suite, client_that_stops_reading, 600);
    scenario_add(suite, server_that_stops_reading, 600);
    scenario_add(suite, refusing_server_is_passed_over, 300);
    scenario_add(suite, all_servers_refuse, 300);
    scenario_add(suite, client_that_goes_while_a_server_is_awaited, 300);
    scenario_add(suite, client_that_goes_while_servers_are_tried, 300);
    scenario_add(suite, idle_sessions_are_closed, 300);
    scenario_add(suite, max_sessions_leaves_the_rest_waiting, 300);
    scenario_add(suite, backlog_of_a_full_proxy_outlives_a_reload, 300);
    scenario_add(suite, global_max_sessions, 300);
    scenario_add(suite, no_frontend_starves_at_a_limit, 300);
    scenario_add(suite, out_of_descriptors, 300);
    scenario_add(suite, access_log, 300);
    scenario_add(suite, families, 300);
    return suite;
}
