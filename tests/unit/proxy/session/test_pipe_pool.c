#include "proxy/session/pipe_pool.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <fcntl.h>
#include <unistd.h>

static struct pipe_pool pipe_pool;

static void setup(void)
{
    ck_assert_int_eq(pipe_pool_open(&pipe_pool), 0);
}

static void teardown(void)
{
    pipe_pool_close(&pipe_pool);
}

START_TEST(a_pipe_is_large_and_used_again)
{
    struct pipe *pipe = pipe_pool_take(&pipe_pool);
    if (!pipe) {
        unit_skip("no pipe of 1 MiB: pipe-max-size or pipe-user-pages-soft");
        return;
    }
    ck_assert_int_ge(fcntl(pipe->out, F_GETPIPE_SZ), PIPE_BYTES);
    pipe_pool_give(&pipe_pool, pipe);
    ck_assert_ptr_eq(pipe_pool_take(&pipe_pool), pipe);
    pipe_pool_give(&pipe_pool, pipe);
    ck_assert_uint_eq(pipe_pool.pipes, 1);
}
END_TEST

START_TEST(a_pipe_that_holds_bytes_is_not_lent_again)
{
    struct pipe *pipe = pipe_pool_take(&pipe_pool);
    if (!pipe) {
        unit_skip("no pipe of 1 MiB: pipe-max-size or pipe-user-pages-soft");
        return;
    }
    ck_assert_int_eq(write(pipe->in, "old", 3), 3);
    pipe->length = 3;
    pipe_pool_give(&pipe_pool, pipe);
    ck_assert_uint_eq(pipe_pool.pipes, 0);
    pipe_pool_give(&pipe_pool, NULL);
}
END_TEST

START_TEST(pipes_are_few)
{
    struct pipe *pipes[PIPES_MAX];
    unsigned count = 0;
    while (count < PIPES_MAX && (pipes[count] = pipe_pool_take(&pipe_pool)))
        count++;
    ck_assert_ptr_null(pipe_pool_take(&pipe_pool));
    while (count > 0)
        pipe_pool_give(&pipe_pool, pipes[--count]);
}
END_TEST

Suite *pipe_pool_suite(void)
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
