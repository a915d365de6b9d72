#include "reload/base/core_dumps.h"

/* A limit of 0 does not stop dumps to a program (core_pattern with a pipe); the kernel takes a
 * limit of 1 for the mark of such a program itself, and dumps nothing at all. */
#define FORBIDDEN 1

void core_dumps_forbid(struct core_dumps *dumps)
{
    if (getrlimit(RLIMIT_CORE, &dumps->before)) {
        dumps->before = (struct rlimit){0};
        return;
    }
    struct rlimit limit = dumps->before;
    limit.rlim_cur = limit.rlim_max < FORBIDDEN ? limit.rlim_max : FORBIDDEN;
    (void)setrlimit(RLIMIT_CORE, &limit);
}

void core_dumps_restore(const struct core_dumps *dumps)
{
    (void)setrlimit(RLIMIT_CORE, &dumps->before);
}

void core_dumps_allow(const struct core_dumps *dumps)
{
    struct rlimit limit = dumps->before;
    if (limit.rlim_cur == FORBIDDEN)
        limit.rlim_cur = limit.rlim_max;
    (void)setrlimit(RLIMIT_CORE, &limit);
}
