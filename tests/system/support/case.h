/* One test's life, seen from the runner's process. */
#ifndef TESTS_SYSTEM_CASE_H
#define TESTS_SYSTEM_CASE_H

#include <stdbool.h>
#include <stddef.h>

/* Once, before anything else: leftovers of tests become children of this process. */
void cases_init(void);

/* Names of the tests that scenario_add() has seen since the last call with NULL; returns their
 * count. */
size_t cases_take_names(const char *names[], size_t most);

/* Makes the directory for the test that comes next, in $TMPDIR (if its path is short) or /tmp. */
void case_begin(void);

/* Kills what the test left behind. A directory that is still there means that the test did not
 * pass; its logs' ends are printed, and it is kept. Returns the reason if the test was skipped,
 * else NULL; valid until the next case_begin(). */
const char *case_end(void);

#endif
