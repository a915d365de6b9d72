/* Core dumps of a process that has private keys in its memory. */
#ifndef RPPROXY_RELOAD_BASE_CORE_DUMPS_H
#define RPPROXY_RELOAD_BASE_CORE_DUMPS_H

#include <sys/resource.h>

struct core_dumps {
    struct rlimit before; /* the limit when they were forbidden */
};

/* From now on the kernel writes no core of this process, neither to a file nor to a program
 * (core(5)). What this process starts inherits that. */
void core_dumps_forbid(struct core_dumps *dumps);

/* The limit is what it was before. */
void core_dumps_restore(const struct core_dumps *dumps);

/* The same, up to the hard limit where that was forbidden before by a process that has started this
 * one. */
void core_dumps_allow(const struct core_dumps *dumps);

#endif
