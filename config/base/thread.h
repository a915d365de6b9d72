/* Threads beside the main thread. */
#ifndef RPPROXY_CONFIG_BASE_THREAD_H
#define RPPROXY_CONFIG_BASE_THREAD_H

#include <pthread.h>

/* pthread_create(3), but the new thread has all signals blocked from its first instruction on:
 * signals are for the main thread. attributes: NULL is fine. Returns 0 or an errno value. */
int thread_start(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *arg),
                 void *arg) __attribute__((warn_unused_result));

#endif
