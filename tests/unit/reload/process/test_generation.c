/* A process that cannot start. */
#include "reload/process/process.h"

#include "reload/base/exit_status.h"

#include "tests/unit/suites.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

/* No open descriptor is closed: a descriptor that was never opened must not be mistaken for 0.
 * libevent finds no method to wait for events, as if there were no memory. In a child, because the
 * signals are blocked afterwards. */
START_TEST(no_main_loop_closes_nothing)
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        char *argv[] = {NULL};
        const struct program program = {.argv = argv};
        setenv("EVENT_NOEPOLL", "1", 1);
        setenv("EVENT_NOPOLL", "1", 1);
        setenv("EVENT_NOSELECT", "1", 1);
        if (dup2(STDERR_FILENO, STDIN_FILENO) < 0)
            _exit(2);
        int ended = process_run(&program, "/nonexistent");
        _exit(ended == EXIT_OTHER && fcntl(STDIN_FILENO, F_GETFD) >= 0 ? 0 : 1);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status));
    ck_assert_int_eq(WEXITSTATUS(status), 0);
}
END_TEST

Suite *generation_suite(void)
{
    Suite *suite = suite_create("generation");
    TCase *tcase = tcase_create("generation");
    tcase_add_test(tcase, no_main_loop_closes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
