/* How a reload that failed ended, in words and as a status, and whether its successor crashed. */
#ifndef RPPROXY_RELOAD_HANDOVER_RELOAD_FAILURE_H
#define RPPROXY_RELOAD_HANDOVER_RELOAD_FAILURE_H

#include "reload/base/exit_status.h"
#include "reload/handover/canary.h"

#include <stdbool.h>
#include <stdint.h>

struct reload_failure {
    char verdict[96];              /* of a canary that goes back: why; or "" */
    char figures[CANARY_TEXT_MAX]; /* of a canary, when the watch ended; or "" */
    const char *why;         /* what the new process was killed for; NULL: it ended by itself */
    bool had_accepted;       /* connections, as a canary or to serve */
    bool had_served;         /* the reload was reported a success already */
    uint64_t refused_before; /* as in struct message_offer */
    enum exit_status status; /* with a verdict, of the reload; 0: EXIT_REFUSED */
    uint64_t lost;           /* sessions that it had when it hung up */
};

/* outcome: the wait status of the new process. An exit status before it accepts is an answer, and
 * no crash; 0 is an end by order, and no crash either. A process that was killed on purpose has
 * crashed if sessions were lost with it. */
bool reload_failure_is_crash(const struct reload_failure *reload_failure, int outcome);

#define ENDING_TEXT_MAX 640

/* The whole text: the verdict, how the successor ended ("": it lives), the figures. */
void reload_failure_text(const struct reload_failure *reload_failure, const char *how,
                         char text[static ENDING_TEXT_MAX]);

/* The same for a new process that is gone, and the status of the reload. */
enum exit_status reload_failure_explain(const struct reload_failure *reload_failure, int pid,
                                        int outcome, char text[static ENDING_TEXT_MAX]);

#endif
