#include "reload/handover/spare_channels.h"

#include "reload/handover/channel.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <sys/socket.h>
#include <unistd.h>

static struct spare_channels spare_channels;
static int others[3]; /* the ends of the processes that drain */

static void hear(pid_t pid, int *fds, size_t count)
{
    const struct message_sessions about = {.pid = (uint32_t)pid};
    const struct received message = {.type = MESSAGE_SPARE,
                                     .payload = &about,
                                     .length = sizeof about,
                                     .fds = fds,
                                     .fd_count = count};
    spare_channels_add(&spare_channels, &message);
}

/* From the processes 1, 2 and 3. */
static void setup(void)
{
    spare_channels = (struct spare_channels){0};
    for (int i = 0; i < 3; i++) {
        int pair[2];
        ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
        others[i] = pair[0];
        hear(i + 1, &pair[1], 1);
        ck_assert_int_eq(pair[1], -1); /* taken over */
    }
}

static void teardown(void)
{
    spare_channels_close(&spare_channels);
    for (size_t i = 0; i < 3; i++)
        if (others[i] >= 0)
            close(others[i]);
}

static int fd_of(uint32_t pid)
{
    for (size_t i = 0; i < spare_channels.count; i++)
        if (spare_channels.list[i].about.pid == pid)
            return spare_channels.list[i].fd;
    return -1;
}

START_TEST(the_one_that_was_passed_on_is_closed)
{
    spare_channels_drop(&spare_channels, &(struct message_sessions){.pid = 1});
    ck_assert_uint_eq(spare_channels.count, 2);
    ck_assert_int_eq(fd_of(1), -1);
    ck_assert(spare_channel_is_dead(others[0]));
    ck_assert(!spare_channel_is_dead(others[1]) && !spare_channel_is_dead(others[2]));
    spare_channels_drop(&spare_channels, &(struct message_sessions){.pid = 1});
    ck_assert_uint_eq(spare_channels.count, 2);
}
END_TEST

START_TEST(a_process_that_is_gone_is_seen)
{
    close(others[1]);
    others[1] = -1;
    ck_assert(spare_channel_is_dead(fd_of(2)));
    ck_assert(!spare_channel_is_dead(fd_of(3)));
}
END_TEST

START_TEST(a_message_without_its_descriptor_is_left_out)
{
    int fds[] = {dup(others[0]), dup(others[0])};
    hear(4, fds, 0);
    hear(5, fds, 2);
    ck_assert_uint_eq(spare_channels.count, 3);
    ck_assert(fds[0] >= 0 && fds[1] >= 0); /* the caller closes them */
    close(fds[0]);
    close(fds[1]);
}
END_TEST

Suite *spare_channels_suite(void)
{
    Suite *suite = suite_create("spare_channels");
    TCase *tcase = tcase_create("spare_channels");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_one_that_was_passed_on_is_closed);
    tcase_add_test(tcase, a_process_that_is_gone_is_seen);
    tcase_add_test(tcase, a_message_without_its_descriptor_is_left_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
