/* Load that counts its losses: connections are made, used, checked byte by byte and closed, again
 * and again.
 *
 * One thread drives all connections. Each connection sends one struct request and verifies the
 * answer and its end. Lengths are from 0 to a megabyte, with all three endings, and some clients
 * pause before or within the request, so that sessions of all ages live across a reload. */
#ifndef TESTS_SYSTEM_CHURN_H
#define TESTS_SYSTEM_CHURN_H

#include "tests/system/support/net.h"

#include <stdbool.h>
#include <stdint.h>

struct churn_options {
    struct endpoint target; /* leads to an ORIGIN_ANSWER */
    unsigned in_flight;     /* closed loop: the number at all times; open loop: the maximum */
    /* open loop: connections begun in a second, whatever happens to the others; 0: closed loop */
    unsigned rate;
    bool bulk; /* all answers are a megabyte long */
};

enum loss { LOSS_REFUSED, LOSS_RESET, LOSS_CUT, LOSS_WRONG, LOSS_TIMEOUT, LOSS_OTHER, LOSS_KINDS };

enum { LOSSES_TOLD = 12 };

struct churn_result {
    uint64_t started, completed, lost[LOSS_KINDS];
    uint64_t sent, received; /* bytes of completed connections */
    uint64_t held_back;      /* open loop: turns in which in_flight prevented new connections */
    double seconds;
    double slowest; /* seconds: the longest that a completed connection took */
    struct {
        enum loss kind;
        const char *phase; /* "connecting", "pausing", "sending", "receiving" */
        uint64_t id, got;
        int error;       /* errno, or 0 */
        double second;   /* seconds from the start to the loss */
        double lived;    /* age of the connection at that time */
        uint16_t source; /* the client's port */
    } told[LOSSES_TOLD];
    unsigned told_count;
};

struct churn;

struct churn *churn_start(const struct churn_options *options);

/* Keeps in_flight connections at all times; returns when that many have ended. */
struct churn *churn_load(const struct endpoint *target, unsigned in_flight);

/* Connections that have ended so far, including lost ones. */
uint64_t churn_ended(const struct churn *churn);

/* Returns when `ended` connections have ended. */
void churn_wait(const struct churn *churn, uint64_t ended);

/* Lets the connections in flight end, starts no more, and frees churn. */
void churn_stop(struct churn *churn, struct churn_result *result);

/* churn_stop(), prints one line about it, and fails if anything was lost. Returns how many
 * connections were completed. */
uint64_t churn_stop_clean(struct churn *churn, const char *what);

/* Prints counts and the first losses. */
void churn_print(const struct churn_result *result, const char *what);

uint64_t churn_lost(const struct churn_result *result);

#endif
