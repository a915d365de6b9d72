#include "proxy/core/task_queue.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <poll.h>
#include <stdatomic.h>

#define LETTERS 100

static struct task_queue task_queue;
static unsigned delivered[LETTERS + 1];
static unsigned deliveries;
static struct task tasks[LETTERS];

static void deliver(void *arg)
{
    delivered[deliveries++] = (unsigned)((struct task *)arg - tasks);
}

static void setup(void)
{
    deliveries = 0;
    ck_assert_int_eq(task_queue_open(&task_queue), 0);
    for (size_t i = 0; i < LETTERS; i++)
        tasks[i] = (struct task){.run = deliver, .arg = &tasks[i]};
}

static void teardown(void)
{
    task_queue_close(&task_queue);
}

/* Runs the tasks that are posted now or within this time. Returns false if there were none. */
static bool listen_for(int milliseconds)
{
    struct pollfd bell = {.fd = task_queue.fd, .events = POLLIN};
    if (poll(&bell, 1, milliseconds) == 0)
        return false;
    task_queue_run(&task_queue);
    return true;
}

START_TEST(tasks_run_in_order)
{
    for (size_t i = 0; i < LETTERS; i++)
        task_queue_post(&task_queue, &tasks[i]);
    ck_assert(listen_for(0));
    ck_assert_uint_eq(deliveries, LETTERS);
    for (unsigned i = 0; i < LETTERS; i++)
        ck_assert_uint_eq(delivered[i], i);
}
END_TEST

START_TEST(task_posted_twice_runs_once)
{
    task_queue_post(&task_queue, &tasks[0]);
    task_queue_post(&task_queue, &tasks[0]);
    ck_assert(listen_for(0));
    ck_assert(!listen_for(0));
    ck_assert_uint_eq(deliveries, 1);
    task_queue_post(&task_queue, &tasks[0]);
    ck_assert(listen_for(0));
    ck_assert_uint_eq(deliveries, 2);
}
END_TEST

static void post_again(void *arg)
{
    deliveries++;
    task_queue_post(&task_queue, arg);
}

/* So other events of the loop are served in between. */
START_TEST(task_posted_meanwhile_runs_next_time)
{
    struct task task = {.run = post_again, .arg = &task};
    task_queue_post(&task_queue, &task);
    task_queue_run(&task_queue);
    ck_assert_uint_eq(deliveries, 1);
    ck_assert(listen_for(0));
    ck_assert_uint_eq(deliveries, 2);
}
END_TEST

static void *post_all(void *arg)
{
    for (size_t i = 0; i < LETTERS; i++)
        task_queue_post(arg, &tasks[i]);
    return NULL;
}

START_TEST(another_thread_wakes_the_loop)
{
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, post_all, &task_queue), 0);
    while (deliveries < LETTERS)
        (void)listen_for(-1);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(deliveries, LETTERS);
}
END_TEST

static void withdraw_others(void *arg)
{
    deliver(arg);
    task_queue_withdraw(&task_queue, &tasks[2]);
    task_queue_withdraw(&task_queue, &tasks[4]);
}

/* Also one that is about to run in the same turn. */
START_TEST(withdrawn_tasks_do_not_run)
{
    tasks[1].run = withdraw_others;
    for (size_t i = 0; i < 6; i++)
        task_queue_post(&task_queue, &tasks[i]);
    task_queue_withdraw(&task_queue, &tasks[0]);
    task_queue_withdraw(&task_queue, &tasks[9]);
    ck_assert(listen_for(0));
    ck_assert_uint_eq(deliveries, 3);
    ck_assert_uint_eq(delivered[0], 1);
    ck_assert_uint_eq(delivered[1], 3);
    ck_assert_uint_eq(delivered[2], 5);
    task_queue_post(&task_queue, &tasks[4]);
    ck_assert(listen_for(0));
    ck_assert_uint_eq(deliveries, 4);
}
END_TEST

Suite *task_queue_suite(void)
{
    Suite *suite = suite_create("task_queue");
    TCase *tcase = tcase_create("task_queue");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, tasks_run_in_order);
    tcase_add_test(tcase, task_posted_twice_runs_once);
    tcase_add_test(tcase, task_posted_meanwhile_runs_next_time);
    tcase_add_test(tcase, another_thread_wakes_the_loop);
    tcase_add_test(tcase, withdrawn_tasks_do_not_run);
    suite_add_tcase(suite, tcase);
    return suite;
}
