/* CPUs by their numbers, as sched_setaffinity(2) and /proc/cpuinfo know them. */
#ifndef RPPROXY_CONFIG_BASE_CPUS_H
#define RPPROXY_CONFIG_BASE_CPUS_H

#include <stddef.h>

#define CPUS_MAX 1024 /* CPU_SETSIZE of glibc; CPUs with higher numbers are not used */

struct cpus {
    unsigned count;
    unsigned short list[CPUS_MAX]; /* without duplicates */
};

/* Fills *cpus with the CPUs that the calling thread may use, ascending; with none if the kernel
 * does not report them. */
void cpus_usable(struct cpus *cpus);

/* Reads "0,2-3", in that order. Each CPU must be usable, and may occur only once. Returns NULL, or
 * a static or thread-local text that says what is wrong, valid until the next call; *cpus is
 * unchanged in that case.
 */
const char *cpus_parse(const char *text, struct cpus *cpus) __attribute__((warn_unused_result));

/* Writes "0,2-3", as cpus_parse() reads it; a list that is too long ends with "...". Returns text.
 */
#define CPUS_TEXT_MAX 64
const char *cpus_format(const struct cpus *cpus, char text[static CPUS_TEXT_MAX]);

#endif
