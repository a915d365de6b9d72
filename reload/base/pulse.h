/* Whether all threads of this process turn: the main thread, on which this runs, each worker, and
 * the thread of the checks. The thread of the log may wait for a slow reader. */
#ifndef RPPROXY_RELOAD_BASE_PULSE_H
#define RPPROXY_RELOAD_BASE_PULSE_H

#include <stdbool.h>
#include <sys/queue.h>

struct checks;
struct proxy;

/* One question, part of the object that asks. */
struct pulse_check {
    void (*on_turned)(void *arg); /* may ask again */
    void *arg;
    bool asked;     /* on_turned is due */
    unsigned round; /* that answers it */
    TAILQ_ENTRY(pulse_check) next;
};

struct pulse {
    struct proxy *proxy;   /* NULL: there are no workers yet */
    struct checks *checks; /* NULL: none */
    TAILQ_HEAD(, pulse_check) asked;
    unsigned round;
    bool workers_due, checks_due; /* their answers to the round are */
};

void pulse_init(struct pulse *pulse);

/* The workers have been started, and the checks, which may be NULL. The on_turned of the proxy is
 * to be passed on to pulse_on_turned(). */
void pulse_begin(struct pulse *pulse, struct proxy *proxy, struct checks *checks);

/* The thread of the checks is about to end. */
void pulse_leave_checks(struct pulse *pulse);

/* on_turned is called, perhaps at once, when every thread has turned since now; never while one of
 * them hangs. Harmless while it is due already. */
void pulse_ask(struct pulse *pulse, struct pulse_check *check);

/* on_turned is not called any more. */
void pulse_forget(struct pulse *pulse, struct pulse_check *check);

void pulse_on_turned(struct pulse *pulse);

#endif
