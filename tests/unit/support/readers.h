/* Threads that read what the test publishes. Each has a loop with a task queue, like a worker. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_READERS_H
#define RPPROXY_TESTS_UNIT_SUPPORT_READERS_H

#include "proxy/core/reclaim.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#define READERS 3

struct readers {
    struct task_queue owner; /* the queue of the test's thread */
    struct reclaimer reclaimer;
    bool (*read)(void *arg);
    void *arg;
    struct reader {
        struct readers *all;
        struct task_queue queue;
        pthread_t thread;
        atomic_uint turns;
    } list[READERS];
    atomic_bool stopping, failed;
};

/* Starts the threads: each of them calls read again and again, and runs its task queue between two
 * calls. read returns false if it has seen a wrong value. */
void readers_start(struct readers *readers, bool (*read)(void *arg), void *arg);

/* Waits until each thread has called read this number of times from now. */
void readers_await_turns(struct readers *readers, unsigned turns);

/* Waits for tasks of the test's thread, and runs them. */
void readers_run_owner(struct readers *readers);

/* Ends the threads, and frees all retired objects. Returns false if a read has failed. */
bool readers_stop(struct readers *readers) __attribute__((warn_unused_result));

#endif
