/* Two processes, one of them with workers; both use the same loop. */
#include "reload/handover/heartbeat.h"

#include "reload/handover/channel.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/relaying.h"

#include <check.h>
#include <poll.h>
#include <semaphore.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct relaying relaying;
static struct heartbeats ours, its;
static struct channel *channel, *other;
static char hung[256];
static unsigned answers, ends;
static const char *end_wrong;
static pid_t pid; /* a process that does nothing, and seems to be the one at the other end */

static void ignore_message(const struct received *message, void *arg)
{
    (void)message;
    (void)arg;
}

static void on_end(const char *wrong, void *arg)
{
    (void)arg;
    ends++;
    end_wrong = wrong;
}

static void on_hung(const char *line, void *arg)
{
    (void)arg;
    snprintf(hung, sizeof hung, "%s", line);
}

static void on_answer(void *arg)
{
    (void)arg;
    answers++;
}

static void setup(void)
{
    int pair[2];
    relaying_start(&relaying);
    const struct channel_events events = {.on_message = ignore_message, .on_lost = on_end};
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    channel = channel_open(pair[0], relaying.base, &events);
    other = channel_open(pair[1], relaying.base, &events);
    ours = its = (struct heartbeats){.base = relaying.base, .tick_ms = 100, .on_hung = on_hung};
    pulse_init(&ours.pulse);
    pulse_init(&its.pulse);
    heartbeat_answer(&ours, channel);
    pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
}

static void teardown(void)
{
    kill(pid, SIGKILL);
    channel_close(channel);
    channel_close(other);
    relaying_end(&relaying);
}

static bool is_dead(void)
{
    return waitpid(pid, NULL, WNOHANG) == pid;
}

START_TEST(running_process_answers)
{
    heartbeat_answer(&its, other);
    heartbeat_watch(channel, "it", pid, false);
    for (unsigned asked = 1; asked <= 3; asked++) {
        heartbeat_confirm(channel, on_answer, NULL);
        while (answers < asked)
            event_base_loop(relaying.base, EVLOOP_ONCE);
    }
    ck_assert(!is_dead() && !heartbeat_has_killed(channel));
    heartbeat_rest(channel);
    heartbeat_confirm(channel, on_answer, NULL); /* the answer comes at once */
    ck_assert_uint_eq(answers, 4);
}
END_TEST

/* It answered while this process was stopped, and is heard before it is judged. */
START_TEST(pause_of_the_asking_process_is_no_silence)
{
    heartbeat_answer(&its, other);
    heartbeat_watch(channel, "it", pid, false);
    heartbeat_confirm(channel, on_answer, NULL);
    poll(NULL, 0, 1500); /* twice the time of a silence that is deadly */
    while (answers == 0)
        event_base_loop(relaying.base, EVLOOP_ONCE);
    ck_assert(!heartbeat_has_killed(channel));
    ck_assert_str_eq(hung, "");
}
END_TEST

START_TEST(silent_process_is_killed)
{
    heartbeat_watch(channel, "it", pid, false);
    heartbeat_confirm(channel, on_answer, NULL);
    while (!heartbeat_has_killed(channel))
        event_base_loop(relaying.base, EVLOOP_ONCE);
    while (!is_dead())
        ;
    ck_assert_uint_eq(answers, 0);
    ck_assert_ptr_nonnull(strstr(hung, "it (pid "));
    ck_assert_ptr_nonnull(strstr(hung, "it hangs, and is killed"));
    channel_close(other); /* as its end does */
    other = NULL;
    while (ends == 0)
        event_base_loop(relaying.base, EVLOOP_ONCE);
    ck_assert_ptr_null(end_wrong);
}
END_TEST

/* In the end the process is given up, although it lives. */
START_TEST(process_that_cannot_be_killed)
{
    heartbeat_watch(channel, "it", pid, false);
    while (ends == 0)
        event_base_loop(relaying.base, EVLOOP_ONCE);
    ck_assert_str_eq(end_wrong, "did not answer, and could not be killed");
}
END_TEST

/* --- a process of another major version ---------------------------------------------------- */

START_TEST(foreign_process_that_reads_turns)
{
    channel_set_foreign(channel);
    heartbeat_watch(channel, "it", pid, false);
    for (unsigned asked = 1; asked <= 3; asked++) {
        heartbeat_confirm(channel, on_answer, NULL);
        ck_assert_uint_eq(answers, asked - 1);
        while (answers < asked)
            event_base_loop(relaying.base, EVLOOP_ONCE);
    }
    ck_assert(!is_dead() && !heartbeat_has_killed(channel));
}
END_TEST

START_TEST(foreign_process_that_reads_nothing_is_killed)
{
    const struct channel_events events = {.on_message = ignore_message, .on_lost = on_end};
    int pair[2];
    channel_close(channel);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    channel = channel_open(pair[0], relaying.base, &events);
    channel_set_foreign(channel);
    heartbeat_answer(&ours, channel);
    heartbeat_watch(channel, "it", pid, false);
    heartbeat_confirm(channel, on_answer, NULL);
    while (!heartbeat_has_killed(channel))
        event_base_loop(relaying.base, EVLOOP_ONCE);
    ck_assert_uint_eq(answers, 0);
    close(pair[1]);
}
END_TEST

/* --- workers ------------------------------------------------------------------------------- */

static sem_t go_on;

static void hang(void *arg)
{
    (void)arg;
    while (sem_wait(&go_on))
        ;
}

static void pass_on(void *arg)
{
    pulse_on_turned(arg);
}

/* A worker that hangs does not delay the main thread, but there is no answer until the worker
 * turns. */
START_TEST(hung_worker_is_silence)
{
    struct worker *worker = &relaying.proxy->workers[relaying.proxy->worker_count - 1];
    struct task task = {.run = hang};
    sem_init(&go_on, 0, 0);
    relaying.proxy->events.on_turned = pass_on;
    relaying.proxy->events.arg = &its.pulse;
    pulse_begin(&its.pulse, relaying.proxy, NULL);
    heartbeat_answer(&its, other);
    heartbeat_watch(channel, "it", pid, false);
    heartbeat_confirm(channel, on_answer, NULL);
    while (answers < 1)
        event_base_loop(relaying.base, EVLOOP_ONCE);

    loop_post(&worker->sessions.loop, &task);
    heartbeat_confirm(channel, on_answer, NULL);
    while (!heartbeat_has_killed(channel))
        event_base_loop(relaying.base, EVLOOP_ONCE);
    ck_assert_uint_eq(answers, 1);
    sem_post(&go_on);
}
END_TEST

/* --- the pulse ----------------------------------------------------------------------------- */

static struct pulse_check first, second;
static unsigned turned[2];

static void on_first(void *arg)
{
    turned[0]++;
    if (turned[0] == 1)
        pulse_ask(arg, &first);
}

static void on_second(void *arg)
{
    (void)arg;
    turned[1]++;
}

/* A question is answered by a round that began after the question. A withdrawn question is never
 * answered. */
START_TEST(questions_that_come_in_a_round_wait_for_the_next)
{
    first = (struct pulse_check){.on_turned = on_first, .arg = &its.pulse};
    second = (struct pulse_check){.on_turned = on_second};
    pulse_ask(&its.pulse, &second); /* there are no workers yet */
    ck_assert_uint_eq(turned[1], 1);
    relaying.proxy->events.on_turned = pass_on;
    relaying.proxy->events.arg = &its.pulse;
    pulse_begin(&its.pulse, relaying.proxy, NULL);
    pulse_ask(&its.pulse, &first);
    const unsigned round = first.round;
    pulse_ask(&its.pulse, &second);
    ck_assert_uint_gt(second.round, round);
    pulse_forget(&its.pulse, &second);
    while (turned[0] < 2)
        event_base_loop(relaying.base, EVLOOP_ONCE);
    ck_assert_uint_eq(turned[1], 1);
    ck_assert_uint_gt(its.pulse.round, round);
}
END_TEST

Suite *heartbeat_suite(void)
{
    Suite *suite = suite_create("heartbeat");
    TCase *tcase = tcase_create("heartbeat");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, running_process_answers);
    tcase_add_test(tcase, pause_of_the_asking_process_is_no_silence);
    tcase_add_test(tcase, silent_process_is_killed);
    tcase_add_test(tcase, process_that_cannot_be_killed);
    tcase_add_test(tcase, foreign_process_that_reads_turns);
    tcase_add_test(tcase, foreign_process_that_reads_nothing_is_killed);
    tcase_add_test(tcase, hung_worker_is_silence);
    tcase_add_test(tcase, questions_that_come_in_a_round_wait_for_the_next);
    suite_add_tcase(suite, tcase);
    return suite;
}
