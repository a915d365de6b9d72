/* The life of one test, as the runner's process sees it. */
#ifndef TESTS_SYSTEM_CASE_H
#define TESTS_SYSTEM_CASE_H

#include <stdbool.h>
#include <stddef.h>

/* Called once, before anything else: orphans of tests become children of this process. */
void cases_init(void);

/* Names of the tests that scenario_add() has seen since the last call with NULL; returns their
 * count. */
size_t cases_take_names(const char *names[], size_t most);

/* Makes the directory for the next test, in $TMPDIR (if its path is short) or /tmp. */
void case_begin(void);

/* Kills the processes that the test left. If the directory still exists, the test did not pass: the
 * ends of its logs are printed, and the directory is kept. Returns the reason if the test was
 * skipped, else NULL; valid until the next case_begin(). */
const char *case_end(void);

#endif
