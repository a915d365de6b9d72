#include "reload/handover/session_handoff.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/loopback.h"
#include "tests/unit/support/relaying.h"

#include <check.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct relaying relaying;
static struct channel *channel;
static struct handoff *handoff;
static int other; /* the other end of the channel */

static void ignore_message(const struct received *message, void *arg)
{
    (void)message;
    (void)arg;
}

static void ignore_end(const char *wrong, void *arg)
{
    (void)wrong;
    (void)arg;
}

static void ignore_idle(void *arg)
{
    (void)arg;
}

static void setup(void)
{
    int pair[2];
    relaying_start(&relaying);
    const struct channel_events heard = {.on_message = ignore_message, .on_lost = ignore_end};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    channel = channel_open(pair[0], relaying.base, &heard);
    other = pair[1];
    handoff =
        channel ? handoff_begin(relaying.proxy, channel, relaying.base, ignore_idle, NULL) : NULL;
    ck_assert_ptr_nonnull(handoff);
}

static void teardown(void)
{
    proxy_free(relaying.proxy);
    relaying.proxy = NULL;
    handoff_free(handoff);
    channel_close(channel);
    relaying_end(&relaying);
}

static void await_message(void)
{
    struct pollfd polled = {.fd = other, .events = POLLIN};
    while (poll(&polled, 1, 0) == 0)
        event_base_loop(relaying.base, EVLOOP_ONCE);
}

static void expect_byte(int from, int to)
{
    char byte = 'x';
    ck_assert_int_eq(send(from, &byte, 1, MSG_NOSIGNAL), 1);
    loopback_await(to, POLLIN);
    ck_assert_int_eq(recv(to, &byte, 1, 0), 1);
}

START_TEST(session_sent_to_a_dead_process_continues_here)
{
    await_message();
    close(other);
    handoff_abort(handoff, false);
    expect_byte(relaying.client, relaying.server);
    expect_byte(relaying.server, relaying.client);
    ck_assert_uint_eq(proxy_live(relaying.proxy), 1);
    ck_assert_uint_eq(handoff_moved(handoff), 0);
}
END_TEST

/* The receiver may serve the session already, so the sender must not use it any more. */
START_TEST(session_sent_to_a_live_process_is_given_up)
{
    struct message_handoff head;
    struct {
        struct message_head head;
        unsigned char payload[MESSAGE_PAYLOAD_MAX];
    } record;
    union {
        struct cmsghdr head;
        unsigned char bytes[CMSG_SPACE(2 * sizeof(int))];
    } control;
    struct iovec iov = {.iov_base = &record, .iov_len = sizeof record};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    int fds[2];
    await_message();
    handoff_abort(handoff, true);
    while (proxy_live(relaying.proxy) > 0)
        event_base_loop(relaying.base, EVLOOP_ONCE);
    ck_assert_uint_eq(handoff_moved(handoff), 1);

    ck_assert_int_gt(recvmsg(other, &message, MSG_CMSG_CLOEXEC), 0);
    ck_assert_int_eq(record.head.type, MESSAGE_HANDOFF);
    memcpy(&head, record.payload, sizeof head);
    ck_assert_uint_eq(head.sessions, 1);
    memcpy(fds, CMSG_DATA(&control.head), sizeof fds);
    expect_byte(relaying.client, fds[0]);
    expect_byte(fds[0], relaying.client);
    expect_byte(fds[1], relaying.server);
    expect_byte(relaying.server, fds[1]);
    close(fds[0]);
    close(fds[1]);
    close(other);
}
END_TEST

Suite *handoff_suite(void)
{
    Suite *suite = suite_create("handoff");
    TCase *tcase = tcase_create("handoff");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, session_sent_to_a_dead_process_continues_here);
    tcase_add_test(tcase, session_sent_to_a_live_process_is_given_up);
    suite_add_tcase(suite, tcase);
    return suite;
}
