/* Whether all threads of this process turn: the main thread, on which this runs, and each worker.
 */
#ifndef RPPROXY_RELOAD_BASE_PULSE_H
#define RPPROXY_RELOAD_BASE_PULSE_H

#include <stdbool.h>
#include <sys/queue.h>

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
    struct proxy *proxy; /* NULL: there are no workers yet */
    TAILQ_HEAD(, pulse_check) checks;
    unsigned round;
    bool running; /* the workers' answers to the round are due */
};

void pulse_init(struct pulse *pulse);

/* The workers have been started. Its on_turned is to be passed on to pulse_on_turned(). */
void pulse_begin(struct pulse *pulse, struct proxy *proxy);

/* on_turned is called, perhaps at once, when every worker has turned since now; never while one of
 * them hangs. Harmless while it is due already. */
void pulse_ask(struct pulse *pulse, struct pulse_check *check);

/* on_turned is not called any more. */
void pulse_forget(struct pulse *pulse, struct pulse_check *check);

void pulse_on_turned(struct pulse *pulse);

#endif
