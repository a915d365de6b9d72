#include "proxy/session/pipe_pool.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <fcntl.h>
#include <unistd.h>

static struct carrier carrier;

static void setup(void)
{
    ck_assert_int_eq(carrier_open(&carrier), 0);
}

static void teardown(void)
{
    carrier_close(&carrier);
}

START_TEST(a_pipe_is_large_and_used_again)
{
    struct pipe *pipe = carrier_take_pipe(&carrier);
    if (!pipe) {
        unit_skip("no pipe of 1 MiB: pipe-max-size or pipe-user-pages-soft");
        return;
    }
    ck_assert_int_ge(fcntl(pipe->out, F_GETPIPE_SZ), PIPE_BYTES);
    carrier_give_pipe(&carrier, pipe);
    ck_assert_ptr_eq(carrier_take_pipe(&carrier), pipe);
    carrier_give_pipe(&carrier, pipe);
    ck_assert_uint_eq(carrier.pipes, 1);
}
END_TEST

START_TEST(a_pipe_that_holds_bytes_is_not_lent_again)
{
    struct pipe *pipe = carrier_take_pipe(&carrier);
    if (!pipe) {
        unit_skip("no pipe of 1 MiB: pipe-max-size or pipe-user-pages-soft");
        return;
    }
    ck_assert_int_eq(write(pipe->in, "old", 3), 3);
    pipe->length = 3;
    carrier_give_pipe(&carrier, pipe);
    ck_assert_uint_eq(carrier.pipes, 0);
    carrier_give_pipe(&carrier, NULL);
}
END_TEST

START_TEST(pipes_are_few)
{
    struct pipe *pipes[PIPES_MAX];
    unsigned count = 0;
    while (count < PIPES_MAX && (pipes[count] = carrier_take_pipe(&carrier)))
        count++;
    ck_assert_ptr_null(carrier_take_pipe(&carrier));
    while (count > 0)
        carrier_give_pipe(&carrier, pipes[--count]);
}
END_TEST

Suite *carrier_suite(void)
{
    Suite *suite = suite_create("carrier");
    TCase *tcase = tcase_create("carrier");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_pipe_is_large_and_used_again);
    tcase_add_test(tcase, a_pipe_that_holds_bytes_is_not_lent_again);
    tcase_add_test(tcase, pipes_are_few);
    suite_add_tcase(suite, tcase);
    return suite;
}
