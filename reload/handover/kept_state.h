/* What commands have set, and a start is to find again (option state): collected from the proxy,
 * written when it changes, and taken over. Main thread; every function is harmless where nothing
 * is kept. */
#ifndef RPPROXY_RELOAD_HANDOVER_KEPT_STATE_H
#define RPPROXY_RELOAD_HANDOVER_KEPT_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/queue.h>

struct generation;

/* Before there is a proxy: whether the file can be used. False: what is wrong has been reported. */
bool kept_state_check(struct generation *generation) __attribute__((warn_unused_result));

/* There is a proxy, which does not accept yet: makes generation->kept_state. take_over: a start
 * finds what was set before. False: out of memory, or the file cannot be read; it has been
 * reported. */
bool kept_state_open(struct generation *generation, bool take_over)
    __attribute__((warn_unused_result));

/* This process serves from now on, and writes; anew: whether or not something has changed, since
 * another process may have written last. */
void kept_state_serve(struct generation *generation, bool anew);

/* Another process is about to serve. */
void kept_state_withhold(struct generation *generation);

/* A command has changed something. */
void kept_state_changed(struct generation *generation);

struct kept_waiter {
    /* What was set when the wait began is in the file; or it cannot be written (an errno value). */
    void (*on_kept)(struct kept_waiter *waiter, int error);
    uint64_t number;
    TAILQ_ENTRY(kept_waiter) link;
};

/* False: there is nothing to wait for. */
bool kept_state_wait(struct generation *generation, struct kept_waiter *waiter);

/* Writes what is left. Those that wait are told that it was called off. */
void kept_state_close(struct generation *generation);

#endif
