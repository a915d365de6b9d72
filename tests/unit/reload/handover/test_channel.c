#include "reload/handover/channel.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct event_base *base;
static struct channel *left, *right;
static int raw; /* the other end of right, used by tests that write raw messages */

static struct {
    unsigned count;
    enum message_type type;
    unsigned char payload[MESSAGE_PAYLOAD_MAX];
    size_t length;
    int fds[MESSAGE_FDS_MAX];
    size_t fd_count;
    bool lost;
    unsigned losses;
    const char *wrong;
} heard;

static void on_message(const struct received *message, void *arg)
{
    (void)arg;
    heard.count++;
    heard.type = message->type;
    heard.length = message->length;
    memcpy(heard.payload, message->payload, message->length);
    heard.fd_count = message->fd_count;
    for (size_t i = 0; i < message->fd_count; i++) {
        heard.fds[i] = message->fds[i];
        message->fds[i] = -1;
    }
}

static void on_lost(const char *wrong, void *arg)
{
    heard.wrong = wrong;
    (void)arg;
    heard.lost = true;
    heard.losses++;
}

static const struct channel_events events = {.on_message = on_message, .on_lost = on_lost};

static void setup(void)
{
    int pair[2];
    memset(&heard, 0, sizeof heard);
    base = event_base_new();
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    left = channel_open(pair[0], base, &events);
    right = channel_open(pair[1], base, &events);
    ck_assert(left && right);
    raw = -1;
}

/* right gets a new other end that is not a channel. */
static void speak_raw(void)
{
    int pair[2];
    channel_close(left);
    channel_close(right);
    left = NULL;
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    raw = pair[0];
    right = channel_open(pair[1], base, &events);
    ck_assert_ptr_nonnull(right);
}

static void teardown(void)
{
    channel_close(left);
    channel_close(right);
    if (raw >= 0)
        close(raw);
    event_base_free(base);
}

static void turn(void)
{
    event_base_loop(base, EVLOOP_NONBLOCK);
}

START_TEST(a_message_arrives_whole)
{
    const struct message_offer offer = {.generation = 7, .pid = 42};
    channel_send(left, MESSAGE_OFFER, &offer, sizeof offer, NULL, 0);
    turn();
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_int_eq(heard.type, MESSAGE_OFFER);
    ck_assert_uint_eq(heard.length, sizeof offer);
    ck_assert_mem_eq(heard.payload, &offer, sizeof offer);
    ck_assert_uint_eq(heard.fd_count, 0);
}
END_TEST

START_TEST(all_that_is_there_is_heard_in_one_turn)
{
    const uint32_t numbers[] = {1, 2, 3};
    for (unsigned i = 0; i < 3; i++)
        channel_send(left, MESSAGE_HANDOFF, &numbers[i], sizeof numbers[i], NULL, 0);
    event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(heard.count, 3);
    ck_assert_mem_eq(heard.payload, &numbers[2], sizeof numbers[2]);
    ck_assert(!heard.lost);
}
END_TEST

static void close_at_second(const struct received *message, void *arg)
{
    on_message(message, arg);
    if (heard.count == 2) {
        channel_close(right);
        right = NULL;
    }
}

START_TEST(a_channel_that_is_closed_meanwhile_hears_no_more)
{
    channel_set_events(right, &(struct channel_events){close_at_second, on_lost, NULL});
    for (unsigned i = 0; i < 3; i++)
        channel_send(left, MESSAGE_HANDOFF, NULL, 0, NULL, 0);
    turn();
    ck_assert_uint_eq(heard.count, 2);
}
END_TEST

START_TEST(a_lost_peer_is_lost_once)
{
    channel_send(left, MESSAGE_READY, NULL, 0, NULL, 0);
    channel_close(left);
    left = NULL;
    turn();
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_uint_eq(heard.losses, 1);
    turn();
    ck_assert_uint_eq(heard.losses, 1);
}
END_TEST

START_TEST(descriptors_arrive_close_on_exec)
{
    int fds[MESSAGE_FDS_MAX];
    for (size_t i = 0; i < MESSAGE_FDS_MAX; i++)
        fds[i] = dup(STDIN_FILENO);
    channel_send(left, MESSAGE_OFFER_BIND, NULL, 0, fds, MESSAGE_FDS_MAX);
    turn();
    ck_assert_uint_eq(heard.fd_count, MESSAGE_FDS_MAX);
    for (size_t i = 0; i < MESSAGE_FDS_MAX; i++) {
        struct stat ours, theirs;
        ck_assert_int_eq(fstat(fds[i], &ours), 0);
        ck_assert_int_eq(fstat(heard.fds[i], &theirs), 0);
        ck_assert_uint_eq(ours.st_ino, theirs.st_ino);
        ck_assert_int_eq(fcntl(heard.fds[i], F_GETFD), FD_CLOEXEC);
        close(fds[i]);
        close(heard.fds[i]);
    }
}
END_TEST

START_TEST(surplus_messages_are_queued_in_order)
{
    enum { COUNT = 5000 };
    for (uint32_t i = 0; i < COUNT; i++) {
        unsigned char payload[1024] = {0};
        memcpy(payload, &i, sizeof i);
        channel_send(left, MESSAGE_PROGRESS, payload, sizeof payload, NULL, 0);
    }
    while (heard.count < COUNT) {
        uint32_t last;
        event_base_loop(base, EVLOOP_ONCE);
        if (heard.count == 0)
            continue;
        memcpy(&last, heard.payload, sizeof last);
        ck_assert_uint_eq(last, heard.count - 1);
    }
    ck_assert_uint_eq(heard.count, COUNT);
}
END_TEST

/* Lowers the limit, so that no descriptor can be opened; returns the previous limit. */
static struct rlimit exhaust_descriptors(void)
{
    struct rlimit before;
    int lowest = dup(STDIN_FILENO);
    close(lowest);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {.rlim_cur = (rlim_t)lowest, .rlim_max = before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    return before;
}

enum { QUEUED = 5000 };

/* Sends more than the socket accepts. */
static void queue_messages(void)
{
    const unsigned char payload[1024] = {0};
    for (unsigned i = 0; i < QUEUED; i++)
        channel_send(left, MESSAGE_PROGRESS, payload, sizeof payload, NULL, 0);
}

START_TEST(descriptors_are_sent_at_the_descriptor_limit)
{
    const int fd = STDIN_FILENO;
    const struct rlimit before = exhaust_descriptors();
    channel_send(left, MESSAGE_OFFER_BIND, NULL, 0, &fd, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    turn();
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_uint_eq(heard.fd_count, 1);
    close(heard.fds[0]);
}
END_TEST

/* A message that can neither be sent nor kept ends the channel: no later message may follow. */
START_TEST(nothing_follows_a_message_that_cannot_be_sent)
{
    const int fd = STDIN_FILENO;
    queue_messages();
    const struct rlimit before = exhaust_descriptors();
    channel_send(left, MESSAGE_DUPLICATES, NULL, 0, &fd, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    channel_send(left, MESSAGE_COMMIT, NULL, 0, NULL, 0);
    ck_assert_int_ne(channel_send_now(left, MESSAGE_COMMIT, NULL, 0, NULL, 0), 0);
    ck_assert(!heard.lost); /* not called within a call */
    turn();
    ck_assert(heard.lost);
    ck_assert_ptr_nonnull(heard.wrong);
    ck_assert_uint_le(heard.count, QUEUED);
    ck_assert_int_ne(heard.type, MESSAGE_COMMIT);
}
END_TEST

START_TEST(lent_descriptors_are_queued_at_the_descriptor_limit)
{
    const int fd = STDIN_FILENO;
    queue_messages();
    const struct rlimit before = exhaust_descriptors();
    channel_lend(left, MESSAGE_DUPLICATES, NULL, 0, &fd, 1);
    setrlimit(RLIMIT_NOFILE, &before);
    while (heard.count <= QUEUED)
        turn();
    ck_assert_int_eq(heard.type, MESSAGE_DUPLICATES);
    ck_assert_uint_eq(heard.fd_count, 1);
    close(heard.fds[0]);
    ck_assert_int_ne(fcntl(fd, F_GETFD), -1);
}
END_TEST

enum { UNDER_WAY = 64, UNPRIVILEGED = 65534 };

/* A user has as many descriptors in flight as the kernel allows. Further ones are sent in order
 * when these have arrived. Returns 0, or the number of the step that failed. */
static int send_beyond_the_kernels_limit(void)
{
    int pair[2], fds[UNDER_WAY];
    const struct rlimit few = {.rlim_cur = UNDER_WAY + 32, .rlim_max = UNDER_WAY + 32};
    if (setgid(UNPRIVILEGED) || setuid(UNPRIVILEGED) || setrlimit(RLIMIT_NOFILE, &few) ||
        socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair))
        return 1;
    struct channel *full = channel_open(pair[0], base, &events);
    for (size_t i = 0; i < UNDER_WAY; i++)
        fds[i] = STDIN_FILENO;
    int error = 0;
    while (!error)
        error = channel_send_now(full, MESSAGE_OFFER_BIND, NULL, 0, fds, UNDER_WAY);
    if (error != ETOOMANYREFS)
        return 2;
    channel_send(left, MESSAGE_OFFER_BIND, NULL, 0, fds, 1);
    channel_send(left, MESSAGE_COMMIT, NULL, 0, NULL, 0);
    turn();
    if (heard.count != 0)
        return 3;
    close(pair[1]);
    while (heard.count < 2)
        event_base_loop(base, EVLOOP_ONCE);
    return heard.type == MESSAGE_COMMIT && heard.fd_count == 0 ? 0 : 4;
}

START_TEST(message_without_room_in_the_kernel_is_sent_later)
{
    int status;
    if (geteuid() != 0)
        return; /* needs root: the limit does not apply to root, and counts descriptors of one user
                   only */
    pid_t child = fork();
    ck_assert_int_ge(child, 0);
    if (child == 0)
        _exit(event_reinit(base) ? 5 : send_beyond_the_kernels_limit());
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(status, 0);
}
END_TEST

START_TEST(a_closed_end_is_lost)
{
    channel_close(left);
    left = NULL;
    turn();
    ck_assert(heard.lost);
    ck_assert_ptr_null(heard.wrong);
    channel_send(right, MESSAGE_READY, NULL, 0, NULL, 0);
}
END_TEST

/* Whether or not the peer had read all earlier messages. */
START_TEST(messages_of_an_ended_peer_arrive)
{
    const uint32_t first = 1, second = 2;
    channel_send(left, MESSAGE_HANDOFF, &first, sizeof first, NULL, 0);
    channel_send(left, MESSAGE_HANDOFF, &second, sizeof second, NULL, 0);
    if (_i == 1)
        channel_send(right, MESSAGE_TAKEN, NULL, 0, NULL, 0);
    channel_close(left);
    left = NULL;
    ck_assert_int_eq(channel_send_now(right, MESSAGE_TAKEN, NULL, 0, NULL, 0), EPIPE);
    for (uint32_t i = 1; i <= 2; i++) {
        while (heard.count < i)
            ck_assert(channel_hear(right));
        ck_assert_mem_eq(heard.payload, &i, sizeof i);
        ck_assert(!heard.lost);
    }
    ck_assert(channel_hear(right));
    ck_assert(heard.lost);
    ck_assert_ptr_null(heard.wrong);
}
END_TEST

START_TEST(channel_without_messages_delivers_none)
{
    ck_assert(!channel_hear(right));
    ck_assert_uint_eq(heard.count, 0);
    ck_assert(!heard.lost);
}
END_TEST

START_TEST(strangers_are_lost)
{
    static const char nonsense[] = "GET / HTTP/1.0\r\n\r\n and some more of it";
    speak_raw();
    ck_assert_int_gt(send(raw, nonsense, sizeof nonsense, 0), 0);
    turn();
    ck_assert(heard.lost);
    ck_assert_ptr_nonnull(heard.wrong);
    ck_assert_uint_eq(heard.count, 0);
}
END_TEST

static void speak_foreign(uint32_t type)
{
    struct message_head head = {.magic = MESSAGE_MAGIC, .major = MESSAGE_MAJOR + 1, .type = type};
    ck_assert_int_eq(send(raw, &head, sizeof head, 0), sizeof head);
    turn();
}

START_TEST(another_major_version_can_send_common_messages)
{
    speak_raw();
    ck_assert(!channel_is_foreign(right));
    speak_foreign(MESSAGE_COMMON + 1);
    ck_assert_uint_eq(heard.count, 0);
    ck_assert(channel_is_foreign(right));
    speak_foreign(MESSAGE_READY);
    ck_assert_uint_eq(heard.count, 1);
    ck_assert_int_eq(heard.type, MESSAGE_READY);
    ck_assert(!heard.lost);
}
END_TEST

START_TEST(another_major_version_gets_common_messages)
{
    struct message_head head;
    speak_raw();
    speak_foreign(MESSAGE_HELLO);
    ck_assert(channel_is_read(right));
    channel_send(right, MESSAGE_COMMON + 1, NULL, 0, NULL, 0);
    channel_send(right, MESSAGE_BEAT, NULL, 0, NULL, 0);
    channel_send(right, MESSAGE_COMMIT, NULL, 0, NULL, 0);
    ck_assert_int_eq(recv(raw, &head, sizeof head, MSG_DONTWAIT), sizeof head);
    ck_assert_uint_eq(head.type, MESSAGE_BEAT);
    ck_assert(!channel_is_read(right));
    ck_assert_int_eq(recv(raw, &head, sizeof head, MSG_DONTWAIT), sizeof head);
    ck_assert_uint_eq(head.type, MESSAGE_COMMIT);
    ck_assert_uint_eq(head.major, MESSAGE_MAJOR);
    ck_assert(channel_is_read(right));
    ck_assert_int_lt((int)recv(raw, &head, sizeof head, MSG_DONTWAIT), 0);
}
END_TEST

/* The bytes that every version must send and understand. Do not change them. */
START_TEST(common_messages_do_not_change)
{
    ck_assert_int_eq(MESSAGE_HELLO, 1);
    ck_assert_int_eq(MESSAGE_OFFER_BIND, 2);
    ck_assert_int_eq(MESSAGE_OFFER, 3);
    ck_assert_int_eq(MESSAGE_PROGRESS, 4);
    ck_assert_int_eq(MESSAGE_READY_BIND, 5);
    ck_assert_int_eq(MESSAGE_READY, 6);
    ck_assert_int_eq(MESSAGE_COMMIT, 7);
    ck_assert_int_eq(MESSAGE_ACTIVE, 8);
    ck_assert_int_eq(MESSAGE_DRAINING_PROCESS, 9);
    ck_assert_int_eq(MESSAGE_CLOSED, 10);
    ck_assert_int_eq(MESSAGE_SESSIONS, 11);
    ck_assert_int_eq(MESSAGE_TERMINATE, 12);
    ck_assert_int_eq(MESSAGE_STOP, 13);
    ck_assert_int_eq(MESSAGE_RELOAD, 14);
    ck_assert_int_eq(MESSAGE_COMMON, 14);
    ck_assert_uint_eq(MESSAGE_MAGIC, 0x72707078);
    ck_assert_uint_eq(offsetof(struct message_head, major), 4);
    ck_assert_uint_eq(offsetof(struct message_head, minor), 6);
    ck_assert_uint_eq(offsetof(struct message_head, type), 8);
    ck_assert_uint_eq(offsetof(struct message_head, length), 12);
    ck_assert_uint_eq(sizeof(struct message_head), 16);
    ck_assert_uint_eq(offsetof(struct message_hello, pid), 0);
    ck_assert_uint_eq(offsetof(struct message_hello, version), 4);
    ck_assert_uint_eq(offsetof(struct message_offer_bind, text), 0);
    ck_assert_uint_eq(offsetof(struct message_offer_bind, listeners), 128);
    ck_assert_uint_eq(offsetof(struct message_offer_bind, rotation), 132);
    ck_assert_uint_eq(offsetof(struct message_offer_bind, ordered), 136);
    ck_assert_uint_eq(offsetof(struct message_offer, generation), 0);
    ck_assert_uint_eq(offsetof(struct message_offer, pid), 4);
    ck_assert_uint_eq(offsetof(struct message_offer, ready_timeout), 8);
    ck_assert_uint_eq(offsetof(struct message_offer, forced), 12);
    ck_assert_uint_eq(offsetof(struct message_ready_bind, text), 0);
    ck_assert_uint_eq(offsetof(struct message_ready_bind, listeners), 128);
    ck_assert_uint_eq(offsetof(struct message_sessions, generation), 0);
    ck_assert_uint_eq(offsetof(struct message_sessions, pid), 4);
    ck_assert_uint_eq(offsetof(struct message_sessions, sessions), 8);
}
END_TEST

START_TEST(a_wrong_length_is_lost)
{
    struct message_head head = {
        .magic = MESSAGE_MAGIC, .major = MESSAGE_MAJOR, .type = MESSAGE_READY, .length = 9};
    speak_raw();
    ck_assert_int_gt(send(raw, &head, sizeof head, 0), 0);
    turn();
    ck_assert(heard.lost);
    ck_assert_ptr_nonnull(heard.wrong);
}
END_TEST

START_TEST(too_long_is_lost)
{
    static unsigned char record[sizeof(struct message_head) + MESSAGE_PAYLOAD_MAX + 1];
    struct message_head head = {.magic = MESSAGE_MAGIC,
                                .major = MESSAGE_MAJOR,
                                .type = MESSAGE_PROGRESS,
                                .length = MESSAGE_PAYLOAD_MAX + 1};
    memcpy(record, &head, sizeof head);
    speak_raw();
    ck_assert_int_eq(send(raw, record, sizeof record, 0), sizeof record);
    turn();
    ck_assert(heard.lost);
    ck_assert_ptr_nonnull(heard.wrong);
}
END_TEST

Suite *channel_suite(void)
{
    Suite *suite = suite_create("channel");
    TCase *tcase = tcase_create("channel");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_message_arrives_whole);
    tcase_add_test(tcase, all_that_is_there_is_heard_in_one_turn);
    tcase_add_test(tcase, a_channel_that_is_closed_meanwhile_hears_no_more);
    tcase_add_test(tcase, a_lost_peer_is_lost_once);
    tcase_add_test(tcase, descriptors_arrive_close_on_exec);
    tcase_add_test(tcase, surplus_messages_are_queued_in_order);
    tcase_add_test(tcase, descriptors_are_sent_at_the_descriptor_limit);
    tcase_add_test(tcase, nothing_follows_a_message_that_cannot_be_sent);
    tcase_add_test(tcase, lent_descriptors_are_queued_at_the_descriptor_limit);
    tcase_add_test(tcase, message_without_room_in_the_kernel_is_sent_later);
    tcase_add_test(tcase, a_closed_end_is_lost);
    tcase_add_loop_test(tcase, messages_of_an_ended_peer_arrive, 0, 2);
    tcase_add_test(tcase, channel_without_messages_delivers_none);
    tcase_add_test(tcase, strangers_are_lost);
    tcase_add_test(tcase, another_major_version_can_send_common_messages);
    tcase_add_test(tcase, another_major_version_gets_common_messages);
    tcase_add_test(tcase, common_messages_do_not_change);
    tcase_add_test(tcase, a_wrong_length_is_lost);
    tcase_add_test(tcase, too_long_is_lost);
    suite_add_tcase(suite, tcase);
    return suite;
}
