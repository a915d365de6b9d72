#include "proxy/engine/socket.h"
#include "proxy/session/discard.h"
#include "proxy/session/relay.h"
#include "proxy/session/session_set.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/loopback.h"

#include <check.h>
#include <errno.h>
#include <limits.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* client <-> near end | far end <-> server, as in a session. The engine delivers the events. */
static struct session_set set;
static struct stats_worker record;
static struct conn near_end, far_end;
static int client, server;

/* The maximum of bytes that are kept for a stalled connection. */
#define STALLED_MOST (64u * 1024)

static void on_ready(struct watch *watch, uint32_t what)
{
    (void)watch;
    (void)what;
}

static void on_closed(struct stream *stream)
{
    (void)stream;
}

static void connect_pair(int *ours, struct conn *conn, enum stream_kind kind)
{
    /* TCP, because Unix sockets have no resets. */
    const struct address any = {
        .length = sizeof(struct sockaddr_in),
        .in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    int listening = socket_bind(&(struct listen_address){.address = any});
    ck_assert_int_ge(listening, 0);
    ck_assert_int_eq(socket_listen(listening, 0), 0);
    struct address bound = any;
    ck_assert_int_eq(getsockname(listening, &bound.any, &bound.length), 0);
    *ours = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(*ours, &bound.any, bound.length), 0);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    close(listening);
    *conn = (struct conn){.stream.fd = -1,
                          .stream.watch.on_ready = on_ready,
                          .total_place = COUNTER_OF(counters, client_bytes),
                          .frontend_place = STATS_NOWHERE,
                          .server_place = STATS_NOWHERE + 1};
    ck_assert_int_eq(engine_take(&set.loop.engine, &conn->stream, fd, kind), 0);
}

static void setup(void)
{
    set.counters = &record.counters;
    ck_assert_int_eq(engine_open(&set.loop.engine, NULL), 0);
    connect_pair(&client, &near_end, STREAM_ACCEPTED);
    connect_pair(&server, &far_end, STREAM_CONNECTED);
    near_end.peer = &far_end;
    far_end.peer = &near_end;
}

static void teardown(void)
{
    conn_close(&near_end, &set.loop.engine, false, on_closed);
    conn_close(&far_end, &set.loop.engine, false, on_closed);
    close(client);
    close(server);
    engine_shut(&set.loop.engine);
}

static void turn(void)
{
    engine_turn(&set.loop.engine, 0);
}

/* Waits for the event, not for a time. */
static void until_readable(struct conn *conn)
{
    conn->stream.readable = false;
    while (!conn->stream.readable)
        engine_turn(&set.loop.engine, -1);
}

START_TEST(bytes_go_through_both_ways)
{
    char text[8];
    ck_assert_int_eq(send(client, "ping", 4, 0), 4);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
    ck_assert_int_eq(recv(server, text, sizeof text, 0), 4);
    ck_assert_mem_eq(text, "ping", 4);
    ck_assert_uint_eq(near_end.stream.received, 4);
    ck_assert(!near_end.stream.readable);

    ck_assert_int_eq(send(server, "pong", 4, 0), 4);
    until_readable(&far_end);
    ck_assert_int_eq(relay(&far_end, &set.loop.engine), RELAY_OK);
    ck_assert_int_eq(recv(client, text, sizeof text, 0), 4);
    ck_assert_mem_eq(text, "pong", 4);
    ck_assert_uint_eq(record.counters.client_bytes, 8);
    ck_assert_uint_eq(record.room[STATS_NOWHERE - COUNTERS], 8);
    ck_assert_uint_eq(record.room[STATS_NOWHERE + 1 - COUNTERS], 8);
}
END_TEST

START_TEST(a_half_close_is_carried_and_the_other_way_stays_open)
{
    char text[8];
    ck_assert_int_eq(send(client, "last", 4, 0), 4);
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    while (!near_end.stream.ended) {
        until_readable(&near_end);
        ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
    }
    ck_assert(far_end.shut);
    ck_assert(!conn_pair_done(&near_end));
    ck_assert_int_eq(recv(server, text, sizeof text, MSG_WAITALL), 4);
    ck_assert_int_eq(recv(server, text, sizeof text, 0), 0);

    ck_assert_int_eq(send(server, "more", 4, 0), 4);
    until_readable(&far_end);
    ck_assert_int_eq(relay(&far_end, &set.loop.engine), RELAY_OK);
    ck_assert_int_eq(recv(client, text, sizeof text, 0), 4);
    close(server);
    while (!far_end.stream.ended) {
        until_readable(&far_end);
        ck_assert_int_eq(relay(&far_end, &set.loop.engine), RELAY_OK);
    }
    ck_assert(conn_pair_done(&near_end));
    server = dup(client);
}
END_TEST

static void until_ended(struct conn *conn)
{
    for (;;) {
        ck_assert_int_eq(relay(conn, &set.loop.engine), RELAY_OK);
        if (conn->stream.ended)
            return;
        engine_turn(&set.loop.engine, -1);
    }
}

START_TEST(socket_of_an_ended_session_connects_again)
{
    char text[8];
    close(client);
    until_ended(&near_end);
    ck_assert(!engine_disconnect(&far_end.stream));
    close(server);
    until_ended(&far_end);
    ck_assert(conn_pair_done(&near_end));
    ck_assert(engine_disconnect(&far_end.stream));
    engine_renew(&set.loop.engine, &far_end.stream);
    conn_close(&near_end, &set.loop.engine, false, on_closed);

    struct address there;
    ck_assert(loopback_bind(0, &there));
    int listening = loopback_listen(&there);
    ck_assert_int_eq(engine_reconnect(&set.loop.engine, &far_end.stream, &there), 0);
    loopback_await(listening, POLLIN);
    server = accept(listening, NULL, NULL);
    ck_assert_int_ge(server, 0);
    close(listening);
    ck_assert_int_eq(send(server, "hello", 5, 0), 5);
    connect_pair(&client, &near_end, STREAM_ACCEPTED);
    near_end.peer = &far_end;
    far_end.peer = &near_end;
    until_readable(&far_end);
    ck_assert_int_eq(relay(&far_end, &set.loop.engine), RELAY_OK);
    ck_assert_int_eq(recv(client, text, 5, MSG_WAITALL), 5);
    ck_assert_mem_eq(text, "hello", 5);
}
END_TEST

/* Both sides have sent everything, but the server has not read everything. */
START_TEST(a_socket_with_bytes_on_their_way_is_not_disconnected)
{
    static char bytes[64 * 1024];
    uint64_t received;
    while (!conn_is_held_up(&near_end)) {
        (void)send(client, bytes, sizeof bytes, MSG_DONTWAIT);
        turn();
        ck_assert_int_ne(relay(&near_end, &set.loop.engine), RELAY_FROM_FAILED);
    }
    shutdown(client, SHUT_WR);
    while (!far_end.shut) {
        if (conn_is_held_up(&near_end))
            ck_assert_int_gt(recv(server, bytes, sizeof bytes, 0), 0);
        engine_turn(&set.loop.engine, 1);
        ck_assert_int_ne(relay(&near_end, &set.loop.engine), RELAY_FROM_FAILED);
    }
    ck_assert(far_end.stream.first_out);
    shutdown(server, SHUT_WR);
    until_ended(&far_end);
    ck_assert(conn_pair_done(&near_end));
    ck_assert(!socket_is_closed(far_end.stream.fd, &received));
    ck_assert(!engine_disconnect(&far_end.stream));
    ck_assert_int_eq(recv(server, bytes, 1, 0), 1);
}
END_TEST

/* If the end is only looked for, without a receive, bytes before the end must not be missed. */
START_TEST(the_last_bytes_of_a_connection_that_we_ended_are_not_missed)
{
    char text[8];
    shutdown(client, SHUT_WR);
    until_ended(&near_end);
    ck_assert(far_end.stream.first_out);
    ck_assert_int_eq(send(server, "bye", 3, 0), 3);
    close(server);
    while (!far_end.stream.closed)
        engine_turn(&set.loop.engine, -1);
    until_ended(&far_end);
    ck_assert_int_eq(recv(client, text, 3, MSG_WAITALL), 3);
    ck_assert_mem_eq(text, "bye", 3);
    ck_assert(engine_disconnect(&far_end.stream));
    server = dup(client);
}
END_TEST

START_TEST(an_end_that_came_with_the_bytes_is_not_missed)
{
    char text[8];
    ck_assert_int_eq(send(client, "all", 3, 0), 3);
    close(client);
    /* Bytes and end arrive before the first event: there is no second event. */
    struct timespec nap = {.tv_nsec = 1000000};
    while (recv(near_end.stream.fd, text, 4, MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT) != 3)
        nanosleep(&nap, NULL);
    while (!near_end.stream.hung_up)
        turn();
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
    ck_assert(near_end.stream.ended);
    ck_assert(far_end.shut);
    client = dup(server);
}
END_TEST

START_TEST(reset_is_reported)
{
    socket_close_reset(client);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_FROM_FAILED);
    client = dup(server);
}
END_TEST

/* Bytes and reset arrive before the first event: there is no second event. */
START_TEST(a_reset_that_came_with_the_bytes_is_seen)
{
    char text[8];
    ck_assert_int_eq(send(client, "last", 4, 0), 4);
    socket_close_reset(client);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_FROM_FAILED);
    ck_assert_int_eq(recv(server, text, sizeof text, 0), 4);
    client = dup(server);
}
END_TEST

static void fill_until_owed(void)
{
    static char bytes[16 * 1024];
    turn();
    while (!conn_is_held_up(&far_end)) {
        (void)send(server, bytes, sizeof bytes, MSG_DONTWAIT);
        turn();
        ck_assert_int_ne(relay(&far_end, &set.loop.engine), RELAY_FROM_FAILED);
    }
}

static void until_acknowledged(int socket)
{
    struct timespec nap = {.tv_nsec = 1000000};
    while (socket_unacknowledged(socket) > 0)
        nanosleep(&nap, NULL);
}

/* Bytes and reset arrive before any read: it is still known whether the stream was complete, and
 * how many bytes are left to receive. */
START_TEST(complete_stream_before_a_reset_is_recognised)
{
    for (int whole = 0; whole < 2; whole++) {
        fill_until_owed();
        if (whole)
            shutdown(server, SHUT_WR);
        until_acknowledged(server);
        ck_assert(!engine_is_whole(&near_end.stream));
        socket_close_reset(server);
        struct pollfd reset = {.fd = far_end.stream.fd};
        ck_assert_int_eq(poll(&reset, 1, -1), 1);
        ck_assert_int_eq(engine_is_whole(&far_end.stream), whole);
        ck_assert_int_ne(socket_error(far_end.stream.fd), 0);
        ck_assert_int_eq(engine_is_whole(&far_end.stream), whole);
        conn_close(&far_end, &set.loop.engine, false, on_closed);
        conn_forget_unsent(&near_end);
        connect_pair(&server, &far_end, STREAM_CONNECTED);
        far_end.peer = &near_end;
    }
}
END_TEST

START_TEST(discarded_bytes_are_counted)
{
    char byte;
    ck_assert_int_eq(send(client, "nothing", 7, 0), 7);
    shutdown(client, SHUT_WR);
    while (!near_end.stream.ended) {
        until_readable(&near_end);
        ck_assert_int_eq(conn_discard(&near_end, &set.loop.engine), DISCARD_ALL);
    }
    ck_assert_uint_eq(near_end.stream.received, 7);
    ck_assert_uint_eq(set.loop.engine.moved, 7);
    ck_assert_int_eq(recv(server, &byte, 1, MSG_DONTWAIT), -1);
    ck_assert(!far_end.shut);
}
END_TEST

START_TEST(bytes_after_urgent_data_are_read)
{
    char text[8];
    ck_assert_int_eq(send(client, "ab", 2, 0), 2);
    ck_assert_int_eq(send(client, "!", 1, MSG_OOB), 1);
    ck_assert_int_eq(send(client, "cd", 2, 0), 2);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
    ck_assert_int_eq(recv(server, text, 4, MSG_WAITALL), 4);
    ck_assert_mem_eq(text, "abcd", 4);
}
END_TEST

static bool no_delay(const struct conn *conn)
{
    int on = 0;
    socklen_t length = sizeof on;
    ck_assert_int_eq(getsockopt(conn->stream.fd, IPPROTO_TCP, TCP_NODELAY, &on, &length), 0);
    return on != 0;
}

START_TEST(the_second_message_to_a_server_is_not_delayed)
{
    char text[8];
    /* Here the far end comes from a listener, unlike a connection to a server. */
    ck_assert_int_eq(
        setsockopt(far_end.stream.fd, IPPROTO_TCP, TCP_NODELAY, &(int){0}, sizeof(int)), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(send(client, "ping", 4, 0), 4);
        until_readable(&near_end);
        ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
        ck_assert_int_eq(recv(server, text, 4, MSG_WAITALL), 4);
        ck_assert_int_eq(no_delay(&far_end), i > 0);
    }
}
END_TEST

static unsigned char pattern(size_t at)
{
    return (unsigned char)(at * 31 >> 3);
}

/* Sends from the client until no more is accepted. Returns the number of bytes. */
static size_t stuff(size_t at_a_time)
{
    unsigned char *bytes = malloc(at_a_time);
    size_t sent = 0;
    ck_assert_ptr_nonnull(bytes);
    turn();
    for (;;) {
        for (size_t i = 0; i < at_a_time; i++)
            bytes[i] = pattern(sent + i);
        ssize_t n = send(client, bytes, at_a_time, MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        turn();
        enum relay result = relay(&near_end, &set.loop.engine);
        ck_assert(result == RELAY_OK || result == RELAY_MORE);
        if (conn_is_held_up(&near_end) && n < 0)
            break;
    }
    free(bytes);
    return sent;
}

static size_t kept(const struct conn *conn)
{
    return conn->unsent ? conn->unsent->length : 0;
}

static size_t check_pattern(size_t got, const unsigned char *bytes, ssize_t n)
{
    for (ssize_t i = 0; i < n; i++, got++)
        if (bytes[i] != pattern(got))
            ck_abort_msg("byte %zu is wrong", got);
    return got;
}

/* Ends the client's stream and reads it at the server. Returns its length. */
static size_t drain_to_server(void)
{
    unsigned char bytes[8192];
    size_t got = 0;
    shutdown(client, SHUT_WR);
    while (!far_end.shut) {
        got = check_pattern(got, bytes, recv(server, bytes, sizeof bytes, MSG_DONTWAIT));
        turn();
        enum relay result = relay(&near_end, &set.loop.engine);
        ck_assert(result == RELAY_OK || result == RELAY_MORE);
    }
    for (ssize_t n; (n = recv(server, bytes, sizeof bytes, 0)) > 0;)
        got = check_pattern(got, bytes, n);
    return got;
}

START_TEST(unsent_bytes_are_kept_and_stop_reading)
{
    set.loop.engine.buffers.backoff = UINT_MAX;
    size_t sent = stuff(4096);
    ck_assert_int_eq(set.loop.engine.buffers.pipe_in, -1);
    ck_assert_uint_le(kept(&far_end), STALLED_MOST);
    uint64_t before = near_end.stream.received;
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
    ck_assert_uint_eq(near_end.stream.received, before);
    ck_assert_uint_eq(drain_to_server(), sent);
    ck_assert_ptr_null(far_end.unsent);
}
END_TEST

static void send_with_descriptor(int to, char byte, int fd)
{
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } control = {.head = {.cmsg_len = CMSG_LEN(sizeof(int)),
                          .cmsg_level = SOL_SOCKET,
                          .cmsg_type = SCM_RIGHTS}};
    memcpy(CMSG_DATA(&control.head), &fd, sizeof fd);
    struct iovec iov = {.iov_base = &byte, .iov_len = 1};
    const struct msghdr message = {.msg_iov = &iov,
                                   .msg_iovlen = 1,
                                   .msg_control = &control,
                                   .msg_controllen = sizeof control.room};
    ck_assert_int_eq(sendmsg(to, &message, 0), 1);
}

static int bytes_in_pipe(void)
{
    int bytes = -1;
    ck_assert_int_ge(set.loop.engine.buffers.pipe_out, 0);
    ck_assert_int_eq(ioctl(set.loop.engine.buffers.pipe_out, FIONREAD, &bytes), 0);
    return bytes;
}

START_TEST(bulk_goes_through_a_pipe_that_holds_nothing_for_a_stalled_peer)
{
    size_t sent = stuff(256 * 1024);
    ck_assert_int_eq(bytes_in_pipe(), 0);
    ck_assert_uint_le(kept(&far_end), STALLED_MOST);
    uint64_t before = near_end.stream.received;
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
    ck_assert_uint_eq(near_end.stream.received, before);
    ck_assert_uint_eq(drain_to_server(), sent);
    ck_assert_ptr_null(far_end.unsent);
    ck_assert_int_eq(bytes_in_pipe(), 0);
}
END_TEST

/* The kernel accepts fewer bytes than it reported room for: the rest is copied out of the pipe. */
START_TEST(what_is_left_in_the_pipe_is_copied_out)
{
    size_t sent = stuff(256 * 1024);
    unsigned rounds = 0;
    unsigned char bytes[64 * 1024];
    size_t got = 0;
    for (; rounds < 1000 && got < sent; rounds++) {
        /* The kernel's buffer shrinks while the proxy uses it. */
        int size = (int)(4096u << rounds % 9);
        ck_assert_int_eq(setsockopt(far_end.stream.fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size),
                         0);
        ssize_t n = recv(server, bytes, sizeof bytes, MSG_DONTWAIT);
        got = check_pattern(got, bytes, n);
        turn();
        enum relay result = relay(&near_end, &set.loop.engine);
        ck_assert(result == RELAY_OK || result == RELAY_MORE);
        ck_assert_int_eq(bytes_in_pipe(), 0);
    }
    shutdown(client, SHUT_WR);
    while (got < sent) {
        ssize_t n = recv(server, bytes, sizeof bytes, MSG_DONTWAIT);
        got = check_pattern(got, bytes, n);
        turn();
        enum relay result = relay(&near_end, &set.loop.engine);
        ck_assert(result == RELAY_OK || result == RELAY_MORE);
    }
}
END_TEST

/* The reset comes while splice(2) reads to the end, before an event reports it. */
START_TEST(reset_during_bulk_is_not_an_end_of_stream)
{
    static unsigned char bytes[64 * 1024];
    while (set.loop.engine.buffers.pipe_in < 0) {
        ck_assert_int_eq(send(client, bytes, sizeof bytes, 0), sizeof bytes);
        until_readable(&near_end);
        ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
        while (recv(server, bytes, sizeof bytes, MSG_DONTWAIT) > 0)
            ;
    }
    ck_assert(!conn_is_owed(&far_end));
    socket_close_reset(client);
    struct pollfd reset = {.fd = near_end.stream.fd};
    ck_assert_int_eq(poll(&reset, 1, -1), 1);
    near_end.stream.readable = true;
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_FROM_FAILED);
    ck_assert(!near_end.stream.ended);
    client = dup(server);
}
END_TEST

START_TEST(without_a_pipe_bulk_is_copied)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    int next = dup(client);
    close(next);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){(rlim_t)next, limit.rlim_max}), 0);
    size_t sent = stuff(256 * 1024);
    ck_assert_int_eq(set.loop.engine.buffers.pipe_in, -1);
    ck_assert_uint_le(kept(&far_end), STALLED_MOST);
    ck_assert_uint_eq(drain_to_server(), sent);
    ck_assert_uint_gt(set.loop.engine.buffers.backoff, 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

/* A read of a Unix socket stops after each passed descriptor. */
START_TEST(busy_connection_yields_and_unix_socket_is_read_to_its_end)
{
    int pair[2];
    char text[32];
    conn_close(&near_end, &set.loop.engine, false, on_closed);
    close(client);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    client = pair[0];
    ck_assert_int_eq(engine_take(&set.loop.engine, &near_end.stream, pair[1], STREAM_UNIX), 0);
    for (int i = 0; i < 20; i++)
        send_with_descriptor(client, (char)('a' + i), server);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_MORE);
    ck_assert_int_eq(relay(&near_end, &set.loop.engine), RELAY_OK);
    ck_assert_int_eq(recv(server, text, 20, MSG_WAITALL), 20);
    ck_assert_mem_eq(text, "abcdefghijklmnopqrst", 20);
}
END_TEST

Suite *relay_suite(void)
{
    Suite *suite = suite_create("relay");
    TCase *tcase = tcase_create("relay");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, bytes_go_through_both_ways);
    tcase_add_test(tcase, a_half_close_is_carried_and_the_other_way_stays_open);
    tcase_add_test(tcase, an_end_that_came_with_the_bytes_is_not_missed);
    tcase_add_test(tcase, reset_is_reported);
    tcase_add_test(tcase, a_reset_that_came_with_the_bytes_is_seen);
    tcase_add_test(tcase, complete_stream_before_a_reset_is_recognised);
    tcase_add_test(tcase, discarded_bytes_are_counted);
    tcase_add_test(tcase, bytes_after_urgent_data_are_read);
    tcase_add_test(tcase, unsent_bytes_are_kept_and_stop_reading);
    tcase_add_test(tcase, the_second_message_to_a_server_is_not_delayed);
    tcase_add_test(tcase, socket_of_an_ended_session_connects_again);
    tcase_add_test(tcase, a_socket_with_bytes_on_their_way_is_not_disconnected);
    tcase_add_test(tcase, the_last_bytes_of_a_connection_that_we_ended_are_not_missed);
    tcase_add_test(tcase, bulk_goes_through_a_pipe_that_holds_nothing_for_a_stalled_peer);
    tcase_add_test(tcase, what_is_left_in_the_pipe_is_copied_out);
    tcase_add_test(tcase, reset_during_bulk_is_not_an_end_of_stream);
    tcase_add_test(tcase, without_a_pipe_bulk_is_copied);
    tcase_add_test(tcase, busy_connection_yields_and_unix_socket_is_read_to_its_end);
    suite_add_tcase(suite, tcase);
    return suite;
}
