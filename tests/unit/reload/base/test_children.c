/* All children are reaped. The wait status is kept only for children that were launched. */
#include "reload/base/children.h"

#include "tests/unit/suites.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static struct children children;

static void setup(void)
{
    children = (struct children){0};
}

static void teardown(void)
{
    children_free(&children);
}

/* Waits for a signal, unless status says how to exit at once. */
static pid_t child_start(int status)
{
    pid_t pid = fork();
    if (pid == 0) {
        if (status < 0)
            pause();
        _exit(status);
    }
    ck_assert_int_gt(pid, 0);
    return pid;
}

static pid_t launch(int status)
{
    ck_assert_int_eq(children_reserve(&children), 0);
    pid_t pid = child_start(status);
    children_add(&children, pid);
    return pid;
}

/* Waits until the child has ended, without reaping it. */
static void await_end(pid_t pid)
{
    siginfo_t info;
    ck_assert_int_eq(waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT), 0);
}

START_TEST(a_status_is_kept_until_it_is_taken)
{
    int outcome = 0;
    pid_t first = launch(3), second = launch(-1);
    await_end(first);
    ck_assert(!children_take(&children, second, &outcome));
    children_collect(&children);
    children_collect(&children);
    ck_assert(children_take(&children, first, &outcome));
    ck_assert_int_eq(WEXITSTATUS(outcome), 3);
    ck_assert(!children_take(&children, first, &outcome));
    children_kill(&children, second);
    await_end(second);
    ck_assert(children_take(&children, second, &outcome));
    ck_assert_int_eq(WTERMSIG(outcome), SIGKILL);
    ck_assert(!children_take(&children, 0, &outcome));
    ck_assert_uint_eq(children.count, 0);
}
END_TEST

/* A child that was not added, and a child that was removed. */
START_TEST(strangers_are_reaped)
{
    pid_t stranger = child_start(0), forgotten = launch(0);
    children_forget(&children, forgotten);
    await_end(stranger);
    await_end(forgotten);
    children_collect(&children);
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_uint_eq(children.count, 0);
}
END_TEST

/* The kernel makes the orphan a child of this process when its parent ends. */
START_TEST(an_orphan_is_reaped)
{
    int outcome, pair[2];
    pid_t orphan;
    ck_assert_int_eq(prctl(PR_SET_CHILD_SUBREAPER, 1), 0);
    ck_assert_int_eq(pipe(pair), 0);
    pid_t parent = fork();
    if (parent == 0) {
        orphan = fork();
        if (orphan == 0)
            _exit(0);
        _exit(write(pair[1], &orphan, sizeof orphan) == sizeof orphan ? 0 : 1);
    }
    ck_assert_int_eq(waitpid(parent, &outcome, 0), parent);
    ck_assert_int_eq((int)read(pair[0], &orphan, sizeof orphan), sizeof orphan);
    await_end(orphan);
    children_collect(&children);
    ck_assert_int_eq(waitpid(orphan, NULL, WNOHANG), -1);
}
END_TEST

START_TEST(former_children_are_recognised)
{
    int outcome = 0;
    pid_t first = launch(1), former = launch(2), other = launch(3);
    children_retire(&children, former);
    await_end(first);
    await_end(former);
    await_end(other);
    ck_assert_int_eq(children_take_former(&children, first, &outcome), 0);
    ck_assert_int_eq(children_take_former(&children, 0, &outcome), former);
    ck_assert_int_eq(WEXITSTATUS(outcome), 2);
    ck_assert_int_eq(children_take_former(&children, 0, &outcome), 0);
    ck_assert(children_take(&children, first, &outcome));
    ck_assert(children_take(&children, other, &outcome));
}
END_TEST

/* After the child is reaped, another process may have its pid. */
START_TEST(only_what_lives_is_killed)
{
    int outcome = 0;
    pid_t ended = launch(0);
    await_end(ended);
    children_collect(&children);
    pid_t bystander = child_start(-1);
    children_kill(&children, bystander);
    children_kill(&children, ended);
    ck_assert_int_eq(waitpid(bystander, NULL, WNOHANG), 0);
    ck_assert(children_take(&children, ended, &outcome));
    kill(bystander, SIGKILL);
    ck_assert_int_eq(waitpid(bystander, NULL, 0), bystander);
}
END_TEST

Suite *children_suite(void)
{
    Suite *suite = suite_create("children");
    TCase *tcase = tcase_create("children");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_status_is_kept_until_it_is_taken);
    tcase_add_test(tcase, strangers_are_reaped);
    tcase_add_test(tcase, an_orphan_is_reaped);
    tcase_add_test(tcase, former_children_are_recognised);
    tcase_add_test(tcase, only_what_lives_is_killed);
    suite_add_tcase(suite, tcase);
    return suite;
}
