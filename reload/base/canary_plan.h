/* How much of the new connections a canary gets, and for how long, as a user orders it. */
#ifndef RPPROXY_RELOAD_BASE_CANARY_PLAN_H
#define RPPROXY_RELOAD_BASE_CANARY_PLAN_H

#include "config/model/config.h"

#include <stdbool.h>

/* All connections, in hundredths of a percent. */
#define CANARY_WHOLE 10000u

struct canary_plan {
    unsigned share;  /* of CANARY_WHOLE; 0: there is to be no canary */
    bool by_source;  /* the client's address decides */
    millis duration; /* more than 0 */
};

/* Reads "P%:TIME[:by-source]", with P above 0 and below 100, and of two decimals at most. NULL, or
 * what is wrong with it (a string constant). */
const char *canary_read(const char *text, struct canary_plan *plan)
    __attribute__((warn_unused_result));

/* "2.5% by source": the share, as people read it. Returns text. */
#define CANARY_SHARE_MAX 32
const char *canary_share_text(const struct canary_plan *plan, char text[static CANARY_SHARE_MAX]);

#endif
