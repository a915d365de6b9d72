/* What the configuration says about the TCP connections of one side: keep-alive and user timeout. A
 * zeroed struct says nothing: the proxy's defaults hold. */
#ifndef RPPROXY_CONFIG_BASE_TCP_TUNING_H
#define RPPROXY_CONFIG_BASE_TCP_TUNING_H

#include <stdbool.h>
#include <stdint.h>

enum keepalive {
    KEEPALIVE_YES, /* with the times of the system */
    KEEPALIVE_NO,
    KEEPALIVE_TIMES,
};

struct tcp_tuning {
    enum keepalive keepalive;
    /* With KEEPALIVE_TIMES, see tcp(7): seconds without data before the first probe, seconds
     * between two probes, and probes without an answer until the connection is lost. */
    uint32_t idle, interval, count;
    uint64_t
        user_timeout; /* milliseconds that sent data may stay unacknowledged; 0: the system's */
};

static inline bool tcp_tuning_is_given(const struct tcp_tuning *tuning)
{
    return tuning->keepalive != KEEPALIVE_YES || tuning->user_timeout > 0;
}

#endif
