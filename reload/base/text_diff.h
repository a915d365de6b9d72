/* The difference of two texts by lines, in the unified format of diff(1), with three lines of
 * context. The program diff need not be installed, and a process that serves starts no other one.
 *
 * The number of changed lines is the least that there can be (the algorithm of Eugene W. Myers), up
 * to 2,000. Beyond, and where lines that are alike make it too much work, the lines from the first
 * change to the last are all removed, and then added. So there is a bound for what two texts can
 * cost: a tenth of a second, some 10 MB, and 20 bytes for each line. */
#ifndef RPPROXY_RELOAD_BASE_TEXT_DIFF_H
#define RPPROXY_RELOAD_BASE_TEXT_DIFF_H

#include <stdio.h>

struct diff_text {
    const char *label; /* for the head of the difference */
    const char *text;
};

/* Writes nothing where the texts are the same. Returns 0 or ENOMEM. Any thread. */
int text_diff(const struct diff_text *from, const struct diff_text *to, FILE *out)
    __attribute__((warn_unused_result));

#endif
