/* A canary: a new process that gets a share of the new connections for a time. Its figures decide
 * whether it gets all of them.
 *
 * The rule is pure; the watch over the shared stats of both generations is the main loop's. */
#ifndef RPPROXY_RELOAD_HANDOVER_CANARY_H
#define RPPROXY_RELOAD_HANDOVER_CANARY_H

#include "proxy/stats/shared_stats.h"
#include "reload/base/canary_plan.h"

#include <event2/event.h>
#include <stdbool.h>

/* What both sides have counted while the canary lasted. For the canary, all that it has ever
 * counted: on binds that only the canary has, it may accept before it is watched. */
struct canary_figures {
    struct figures canary, predecessor;
};

enum canary_verdict {
    CANARY_GOES_ON,
    CANARY_PROMOTED,
    CANARY_WORSE,
};

/* Two figures are looked at, each as its part of the sessions accepted: attempts to connect that
 * failed, which retries may have saved; and sessions that failed or were cut. The canary is worse
 * when, of either, it has at least 3 and more than twice the predecessor's part and a hundredth.
 * over: its time is; then fewer than 3 will do if they are more than half its sessions, and it is
 * promoted if it is not worse. */
enum canary_verdict canary_judge(const struct canary_figures *figures, bool over);

/* "canary: 12 sessions, 0 failed connects, ...; predecessor: ...". Returns text. */
#define CANARY_TEXT_MAX 224
const char *canary_figures_text(const struct canary_figures *figures,
                                char text[static CANARY_TEXT_MAX]);

struct canary;

/* Begins to watch: on_verdict is called once, from the loop, with what canary_judge() says when
 * that is no longer CANARY_GOES_ON. The shared stats outlive it. NULL: out of memory. */
struct canary *canary_begin(const struct canary_plan *plan, const struct stats *canary,
                            const struct stats *predecessor, struct event_base *base,
                            void (*on_verdict)(enum canary_verdict verdict, void *arg), void *arg)
    __attribute__((warn_unused_result));

struct canary_figures canary_figures(const struct canary *canary);

/* Milliseconds until its time is over. */
millis canary_left(const struct canary *canary);

/* NULL is fine. */
void canary_free(struct canary *canary);

#endif
