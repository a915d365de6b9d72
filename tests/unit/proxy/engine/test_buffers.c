#include "proxy/engine/buffers.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

static struct buffers buffers;

static void setup(void)
{
    ck_assert_int_eq(buffers_open(&buffers), 0);
}

static void teardown(void)
{
    buffers_close(&buffers);
}

START_TEST(the_pipe_is_large_and_stays)
{
    if (!buffers_have_pipe(&buffers)) {
        unit_skip("no pipe of 1 MiB: pipe-max-size or pipe-user-pages-soft");
        return;
    }
    int first = buffers.pipe_in;
    ck_assert_int_ge(fcntl(buffers.pipe_out, F_GETPIPE_SZ), PIPE_BYTES);
    ck_assert(buffers_have_pipe(&buffers));
    ck_assert_int_eq(buffers.pipe_in, first);
}
END_TEST

START_TEST(a_pipe_that_was_dropped_is_followed_by_an_empty_one)
{
    char byte;
    if (!buffers_have_pipe(&buffers)) {
        unit_skip("no pipe of 1 MiB: pipe-max-size or pipe-user-pages-soft");
        return;
    }
    ck_assert_int_eq(write(buffers.pipe_in, "old", 3), 3);
    buffers_drop_pipe(&buffers);
    ck_assert_int_eq(buffers.pipe_in, -1);
    ck_assert(buffers_have_pipe(&buffers));
    ck_assert_int_eq(read(buffers.pipe_out, &byte, 1), -1);
}
END_TEST

/* After a refusal, later requests do not ask the kernel each time. */
START_TEST(refused_pipe_is_not_requested_each_time)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &(struct rlimit){0, limit.rlim_max}), 0);
    ck_assert(!buffers_have_pipe(&buffers));
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
    ck_assert(!buffers_have_pipe(&buffers));
    buffers.backoff = 0;
    if (!buffers_have_pipe(&buffers))
        unit_skip("no pipe of 1 MiB: pipe-max-size or pipe-user-pages-soft");
}
END_TEST

Suite *buffers_suite(void)
{
    Suite *suite = suite_create("buffers");
    TCase *tcase = tcase_create("buffers");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_pipe_is_large_and_stays);
    tcase_add_test(tcase, a_pipe_that_was_dropped_is_followed_by_an_empty_one);
    tcase_add_test(tcase, refused_pipe_is_not_requested_each_time);
    suite_add_tcase(suite, tcase);
    return suite;
}
