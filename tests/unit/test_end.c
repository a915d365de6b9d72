#include "proxy/end.h"
#include "proxy/socket.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* client <-> near end | far end <-> server, as in a session; the loop delivers the events. */
static struct event_base *base;
static struct end near_end, far_end;
static int client, server;
static unsigned char scratch[4096];

static void on_event(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    end_note(arg, what);
}

static void connect_pair(int *ours, struct end *end)
{
    /* TCP, so that resets are resets. */
    const struct address any = {
        .length = sizeof(struct sockaddr_in),
        .in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}};
    int listening = socket_bind(&any);
    ck_assert_int_ge(listening, 0);
    ck_assert_int_eq(socket_listen(listening), 0);
    struct address bound = any;
    ck_assert_int_eq(getsockname(listening, &bound.any, &bound.length), 0);
    *ours = socket(AF_INET, SOCK_STREAM, 0);
    ck_assert_int_eq(connect(*ours, &bound.any, bound.length), 0);
    int fd = accept4(listening, NULL, NULL, SOCK_NONBLOCK);
    ck_assert_int_ge(fd, 0);
    close(listening);
    *end = (struct end){.fd = -1};
    ck_assert_int_eq(end_open(end, base, fd, false, on_event), 0);
}

static void setup(void)
{
    base = event_base_new();
    connect_pair(&client, &near_end);
    connect_pair(&server, &far_end);
    near_end.peer = &far_end;
    far_end.peer = &near_end;
}

static void teardown(void)
{
    end_close(&near_end, false);
    end_close(&far_end, false);
    close(client);
    close(server);
    event_base_free(base);
}

static void turn(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
}

/* Waits for the event instead of for time: the loop ends when the end is readable. */
static void until_readable(struct end *end)
{
    end->readable = false;
    while (!end->readable)
        event_base_loop(base, EVLOOP_ONCE);
}

START_TEST(bytes_go_through_both_ways)
{
    char text[8];
    ck_assert_int_eq(send(client, "ping", 4, 0), 4);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert_int_eq(recv(server, text, sizeof text, 0), 4);
    ck_assert_mem_eq(text, "ping", 4);
    ck_assert_uint_eq(near_end.received, 4);
    ck_assert(!near_end.readable);

    ck_assert_int_eq(send(server, "pong", 4, 0), 4);
    until_readable(&far_end);
    ck_assert_int_eq(relay(&far_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert_int_eq(recv(client, text, sizeof text, 0), 4);
    ck_assert_mem_eq(text, "pong", 4);
}
END_TEST

START_TEST(a_half_close_is_carried_and_the_other_way_stays_open)
{
    char text[8];
    ck_assert_int_eq(send(client, "last", 4, 0), 4);
    ck_assert_int_eq(shutdown(client, SHUT_WR), 0);
    while (!near_end.ended) {
        until_readable(&near_end);
        ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_OK);
    }
    ck_assert(far_end.shut);
    ck_assert(!end_pair_done(&near_end));
    ck_assert_int_eq(recv(server, text, sizeof text, MSG_WAITALL), 4);
    ck_assert_int_eq(recv(server, text, sizeof text, 0), 0);

    ck_assert_int_eq(send(server, "more", 4, 0), 4);
    until_readable(&far_end);
    ck_assert_int_eq(relay(&far_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert_int_eq(recv(client, text, sizeof text, 0), 4);
    close(server);
    while (!far_end.ended) {
        until_readable(&far_end);
        ck_assert_int_eq(relay(&far_end, scratch, sizeof scratch), RELAY_OK);
    }
    ck_assert(end_pair_done(&near_end));
    server = dup(client);
}
END_TEST

START_TEST(an_end_that_came_with_the_bytes_is_not_missed)
{
    char text[8];
    ck_assert_int_eq(send(client, "all", 3, 0), 3);
    close(client);
    /* Both are there before the first event: there will be no second. */
    struct timespec nap = {.tv_nsec = 1000000};
    while (recv(near_end.fd, text, 4, MSG_PEEK | MSG_WAITALL | MSG_DONTWAIT) != 3)
        nanosleep(&nap, NULL);
    while (!near_end.thorough)
        turn();
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert(near_end.ended);
    ck_assert(far_end.shut);
    client = dup(server);
}
END_TEST

START_TEST(a_reset_is_told)
{
    socket_close_reset(client);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_FROM_FAILED);
    client = dup(server);
}
END_TEST

/* Both are there before the first event, which does not tell them apart: there will be no other. */
START_TEST(a_reset_that_came_with_the_bytes_is_seen_at_the_second_look)
{
    char text[8];
    ck_assert_int_eq(send(client, "last", 4, 0), 4);
    socket_close_reset(client);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert_int_eq(recv(server, text, sizeof text, 0), 4);
    ck_assert(near_end.doubtful);
    end_look_again(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_FROM_FAILED);
    client = dup(server);
}
END_TEST

START_TEST(what_follows_urgent_data_is_read_at_the_second_look)
{
    char text[8];
    ck_assert_int_eq(send(client, "ab", 2, 0), 2);
    ck_assert_int_eq(send(client, "!", 1, MSG_OOB), 1);
    ck_assert_int_eq(send(client, "cd", 2, 0), 2);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert_uint_eq(near_end.received, 2);
    end_look_again(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert_int_eq(recv(server, text, 4, MSG_WAITALL), 4);
    ck_assert_mem_eq(text, "abcd", 4);
    end_look_again(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, sizeof scratch), RELAY_OK);
    ck_assert(!near_end.doubtful);
}
END_TEST

START_TEST(what_the_peer_does_not_take_is_kept_and_nothing_more_is_read)
{
    unsigned char pattern[sizeof scratch];
    size_t sent = 0, got = 0;
    turn();
    for (;;) {
        for (size_t i = 0; i < sizeof pattern; i++)
            pattern[i] = (unsigned char)((sent + i) * 31 >> 3);
        ssize_t n = send(client, pattern, sizeof pattern, MSG_DONTWAIT);
        if (n > 0)
            sent += (size_t)n;
        turn();
        enum relay result = relay(&near_end, scratch, sizeof scratch);
        ck_assert(result == RELAY_OK || result == RELAY_MORE);
        if (far_end.unsent && n < 0)
            break;
    }
    ck_assert_uint_le(far_end.unsent->length, sizeof scratch);
    ck_assert_uint_lt(near_end.received, sent + 1);

    shutdown(client, SHUT_WR);
    while (!far_end.shut) {
        unsigned char read_back[8192];
        ssize_t n = recv(server, read_back, sizeof read_back, MSG_DONTWAIT);
        for (ssize_t i = 0; i < n; i++, got++)
            ck_assert_uint_eq(read_back[i], (unsigned char)((got / sizeof pattern * sizeof pattern +
                                                             got % sizeof pattern) *
                                                                31 >>
                                                            3));
        turn();
        enum relay result = relay(&near_end, scratch, sizeof scratch);
        ck_assert(result == RELAY_OK || result == RELAY_MORE);
    }
    unsigned char rest[8192];
    for (ssize_t n; (n = recv(server, rest, sizeof rest, 0)) > 0;)
        got += (size_t)n;
    ck_assert_uint_eq(got, sent);
    ck_assert_ptr_null(far_end.unsent);
}
END_TEST

START_TEST(a_greedy_end_yields)
{
    unsigned char bytes[64];
    memset(bytes, 7, sizeof bytes);
    for (int i = 0; i < 64; i++)
        ck_assert_int_eq(send(client, bytes, sizeof bytes, 0), sizeof bytes);
    until_readable(&near_end);
    ck_assert_int_eq(relay(&near_end, scratch, 16), RELAY_MORE);
}
END_TEST

Suite *end_suite(void)
{
    Suite *suite = suite_create("end");
    TCase *tcase = tcase_create("relay");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, bytes_go_through_both_ways);
    tcase_add_test(tcase, a_half_close_is_carried_and_the_other_way_stays_open);
    tcase_add_test(tcase, an_end_that_came_with_the_bytes_is_not_missed);
    tcase_add_test(tcase, a_reset_is_told);
    tcase_add_test(tcase, a_reset_that_came_with_the_bytes_is_seen_at_the_second_look);
    tcase_add_test(tcase, what_follows_urgent_data_is_read_at_the_second_look);
    tcase_add_test(tcase, what_the_peer_does_not_take_is_kept_and_nothing_more_is_read);
    tcase_add_test(tcase, a_greedy_end_yields);
    suite_add_tcase(suite, tcase);
    return suite;
}
