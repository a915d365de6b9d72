/* How a start or a reload of this process went: for status, in the log, as an event, and in the
 * history. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_OUTCOME_H
#define RPPROXY_RELOAD_PROCESS_OUTCOME_H

#include "reload/base/crash.h"
#include "reload/base/exit_status.h"

#include <stdbool.h>
#include <stdint.h>

struct generation;

/* This process serves, after a start or a reload that the process `by` has ordered. */
void outcome_of_start(struct generation *generation, const char *by);

/* This process is a canary: the history gets its configuration, which the old process does not
 * know, and which stays if the canary goes back. */
void outcome_of_canary(const struct generation *generation);

/* This process serves, and the old process is gone that would have said how the reload went. Has no
 * effect after outcome_of_start(). */
void outcome_without_old_process(struct generation *generation);

/* For a start, before it serves: the generation that served last on this control socket has
 * crashed. The history notes that, and the log says which configuration served last without a
 * crash. */
void outcome_after_crash(struct generation *generation, const struct crash *crash);

/* text is for people. called_off: it failed because it was called off. */
void outcome_of_reload(struct generation *generation, enum exit_status status, const char *text,
                       uint64_t milliseconds, bool called_off);

/* The new process had served, and has failed on probation. */
void outcome_rolled_back(struct generation *generation, const char *text);

#endif
