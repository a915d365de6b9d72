/* Slow start: the share of a server that has come up grows in steps, so that one that has just
 * begun is not overrun. Pure; all times are in milliseconds of one clock. */
#ifndef RPPROXY_PROXY_BACKEND_SLOW_START_H
#define RPPROXY_PROXY_BACKEND_SLOW_START_H

#include <stdint.h>

#define SLOW_START_STEPS 20u

/* The part of its whole share that the server has, in percent: 5 at first, 100 after so much time.
 * since: when it came up; 0: long ago. length 0: there is no slow start. */
static inline unsigned slow_start_percent(uint64_t since, uint64_t length, uint64_t now)
{
    if (since == 0 || length == 0 || now >= since + length)
        return 100;
    uint64_t step = now > since ? (now - since) * SLOW_START_STEPS / length : 0;
    return (unsigned)(step > 0 ? step : 1) * 100 / SLOW_START_STEPS;
}

/* When the next step comes; UINT64_MAX: never. */
static inline uint64_t slow_start_due(uint64_t since, uint64_t length, uint64_t now)
{
    if (since == 0 || length == 0 || now >= since + length)
        return UINT64_MAX;
    uint64_t step = now > since ? (now - since) * SLOW_START_STEPS / length : 0;
    uint64_t due = since + ((step + 1) * length + SLOW_START_STEPS - 1) / SLOW_START_STEPS;
    return due > now ? due : now + 1;
}

#endif
