#include "tests/unit/support/readers.h"

#include <check.h>
#include <poll.h>
#include <sched.h>

static void *run(void *arg)
{
    struct reader *reader = arg;
    struct readers *all = reader->all;
    while (!atomic_load_explicit(&all->stopping, memory_order_relaxed)) {
        if (!all->read(all->arg))
            atomic_store(&all->failed, true);
        task_queue_run(&reader->queue);
        /* Relaxed, so that this counter does not synchronise the data under test. */
        atomic_fetch_add_explicit(&reader->turns, 1, memory_order_relaxed);
        sched_yield();
    }
    return NULL;
}

void readers_start(struct readers *readers, bool (*read)(void *arg), void *arg)
{
    readers->read = read;
    readers->arg = arg;
    ck_assert_int_eq(task_queue_open(&readers->owner), 0);
    ck_assert_int_eq(reclaimer_open(&readers->reclaimer, &readers->owner, READERS), 0);
    for (unsigned i = 0; i < READERS; i++) {
        readers->list[i].all = readers;
        ck_assert_int_eq(task_queue_open(&readers->list[i].queue), 0);
        reclaimer_add_reader(&readers->reclaimer, &readers->list[i].queue);
    }
    for (unsigned i = 0; i < READERS; i++)
        ck_assert_int_eq(pthread_create(&readers->list[i].thread, NULL, run, &readers->list[i]), 0);
}

static unsigned turns_of(const struct reader *reader)
{
    return atomic_load_explicit(&reader->turns, memory_order_relaxed);
}

void readers_await_turns(struct readers *readers, unsigned turns)
{
    for (unsigned i = 0; i < READERS; i++) {
        unsigned begin = turns_of(&readers->list[i]);
        while (turns_of(&readers->list[i]) - begin < turns)
            sched_yield();
    }
}

void readers_run_owner(struct readers *readers)
{
    struct pollfd bell = {.fd = readers->owner.fd, .events = POLLIN};
    ck_assert_int_eq(poll(&bell, 1, -1), 1);
    task_queue_run(&readers->owner);
}

bool readers_stop(struct readers *readers)
{
    atomic_store(&readers->stopping, true);
    for (unsigned i = 0; i < READERS; i++)
        pthread_join(readers->list[i].thread, NULL);
    for (unsigned i = 0; i < READERS; i++)
        task_queue_close(&readers->list[i].queue);
    reclaimer_close(&readers->reclaimer);
    task_queue_close(&readers->owner);
    return !atomic_load(&readers->failed);
}
