/* The signal state that a process inherits, and the one that its successor gets. */
#include "reload/base/program.h"
#include "reload/base/signals.h"

#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const int ignored[] = {SIGCHLD, SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1,
                              SIGUSR2, SIGALRM, SIGPIPE, SIGXFSZ, SIGTSTP};

static bool is_ignored(int number)
{
    struct sigaction action;
    return sigaction(number, NULL, &action) == 0 && action.sa_handler == SIG_IGN;
}

START_TEST(inherited_signal_state_does_not_matter)
{
    sigset_t all, now;
    sigfillset(&all);
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, &all, NULL), 0);
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        ck_assert(signal(ignored[i], SIG_IGN) != SIG_ERR);
    signals_begin();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        ck_assert_int_eq(is_ignored(ignored[i]), ignored[i] == SIGPIPE || ignored[i] == SIGXFSZ);
    static const int blocked[] = {SIGUSR1, SIGUSR2, SIGHUP, SIGTERM, SIGINT, SIGCHLD};
    ck_assert_int_eq(sigprocmask(SIG_SETMASK, NULL, &now), 0);
    for (int number = 1; number < SIGRTMIN; number++) {
        bool wanted = false;
        for (size_t i = 0; i < sizeof blocked / sizeof *blocked; i++)
            wanted |= number == blocked[i];
        ck_assert_msg(sigismember(&now, number) == wanted, "signal %d", number);
    }
    pid_t child = fork();
    if (child == 0)
        _exit(7);
    int status;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert_int_eq(WEXITSTATUS(status), 7);
}
END_TEST

static unsigned counts[NSIG];

static void on_signal(const struct requester *from, void *arg)
{
    counts[from->signal]++;
    ck_assert_int_eq(from->pid, getpid());
    ck_assert_uint_eq(from->uid, getuid());
    if (from->signal == SIGTERM)
        event_base_loopbreak(arg);
}

/* From the first instruction on, signals wait until the process handles them. */
START_TEST(early_signal_is_handled_in_the_loop)
{
    signals_begin();
    raise(SIGUSR1);
    raise(SIGHUP);
    raise(SIGUSR2);
    signals_drop_reloads();
    raise(SIGTERM);
    struct event_base *base = event_base_new();
    struct event *watch = signals_watch(base, on_signal, base);
    ck_assert_ptr_nonnull(watch);
    ck_assert_int_eq(event_base_dispatch(base), 0);
    ck_assert_uint_eq(counts[SIGUSR1], 1);
    ck_assert_uint_eq(counts[SIGHUP] + counts[SIGUSR2], 0);
    signals_free(watch);
    event_base_free(base);
}
END_TEST

/* A program that prints its own environment. Only the signals of rpproxy are blocked; a signal that
 * comes before the program handles it does not kill the program; only this program gets the number
 * of the descriptor.
 */
START_TEST(launched_program_is_not_killed_by_signals)
{
    static char shell[] = "/bin/sh", option[] = "-c";
    static char script[] = "kill -USR1 $$; kill -HUP $$; kill -TERM $$; kill -USR2 $$; "
                           "[ -e /proc/self/fd/$" HANDOVER_VARIABLE " ] || exit 1; "
                           "[ $" GENERATION_VARIABLE " = 7 ] || exit 2; "
                           "read -r _ blocked <<END\n"
                           "$(grep SigBlk: /proc/self/status)\nEND\n"
                           "[ $(( 0x$blocked )) -eq $(( 1<<0 | 1<<1 | 1<<9 | 1<<11 | 1<<14 )) ]";
    char *argv[] = {shell, option, script, NULL};
    const struct program program = {.path = shell, .argv = argv};
    struct children children = {0};
    struct child child;
    int end;
    int status;
    signals_begin();
    ck_assert_int_eq(program_connect(&child, &end), 0);
    ck_assert_int_eq(program_launch(&program, 7, NULL, &children, &child, end), 0);
    close(end);
    ck_assert_ptr_null(getenv(HANDOVER_VARIABLE));
    ck_assert_int_eq(waitpid(child.pid, &status, 0), child.pid);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %d", status);
    close(child.channel);
    children_free(&children);
}
END_TEST

Suite *signals_suite(void)
{
    Suite *suite = suite_create("signals");
    TCase *tcase = tcase_create("signals");
    tcase_add_test(tcase, inherited_signal_state_does_not_matter);
    tcase_add_test(tcase, early_signal_is_handled_in_the_loop);
    tcase_add_test(tcase, launched_program_is_not_killed_by_signals);
    suite_add_tcase(suite, tcase);
    return suite;
}
