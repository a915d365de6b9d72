/* Load that can tell what it lost: connections made, used, checked byte by byte and closed, over
 * and over.
 *
 * One thread drives them all. Each connection sends one struct request and verifies the answer and
 * its end; lengths from nothing to a megabyte, all three endings, and some that pause before or
 * within the request, so that sessions of all ages live across a reload. */
#ifndef TESTS_SYSTEM_CHURN_H
#define TESTS_SYSTEM_CHURN_H

#include "tests/system/support/net.h"

#include <stdbool.h>
#include <stdint.h>

struct churn_options {
    struct endpoint target; /* leads to an ORIGIN_ANSWER */
    unsigned in_flight;     /* closed loop: so many at all times. Open loop: at most */
    unsigned rate;          /* open loop: so many begun a second, whatever happened to the others;
                               0: closed loop */
    bool bulk;              /* all answers a megabyte */
};

enum loss { LOSS_REFUSED, LOSS_RESET, LOSS_CUT, LOSS_WRONG, LOSS_TIMEOUT, LOSS_OTHER, LOSS_KINDS };

enum { LOSSES_TOLD = 12 };

struct churn_result {
    uint64_t started, completed, lost[LOSS_KINDS];
    uint64_t sent, received; /* bytes, of those completed */
    uint64_t held_back;      /* open loop: turns at which in_flight kept new ones from starting */
    double seconds;
    struct {
        enum loss kind;
        const char *phase; /* "connecting", "pausing", "sending", "receiving" */
        uint64_t id, got;
        int error;       /* errno, or 0 */
        double second;   /* since the start: when it was noticed ... */
        double lived;    /* ... and how long the connection had been there */
        uint16_t source; /* the client's port */
    } told[LOSSES_TOLD];
    unsigned told_count;
};

struct churn;

struct churn *churn_start(const struct churn_options *options);

/* So many at all times; returns when as many have come to their end. */
struct churn *churn_load(const struct endpoint *target, unsigned in_flight);

/* Connections that came to their end so far, lost ones included. */
uint64_t churn_ended(const struct churn *churn);

/* Returns when so many have come to their end. */
void churn_wait(const struct churn *churn, uint64_t ended);

/* Lets those in flight end, starts no more, and releases it. */
void churn_stop(struct churn *churn, struct churn_result *result);

/* churn_stop(), one line printed about it, and a failure if anything was lost. Returns how many
 * were completed. */
uint64_t churn_stop_clean(struct churn *churn, const char *what);

/* Prints counts and the first losses. */
void churn_print(const struct churn_result *result, const char *what);

uint64_t churn_lost(const struct churn_result *result);

#endif
