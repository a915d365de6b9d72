/* What a frontend has for its access log (access_log.h), and what session.h needs to know of it. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_LOG_H
#define RPPROXY_PROXY_SESSION_SESSION_LOG_H

#include "config/model/config.h"
#include "proxy/session/states.h"

#include <stdint.h>

struct session;

struct access_log {
    const struct frontend_conf *conf;
    const struct log_format *format;
    /* The session has ended; state: that it had. */
    void (*on_end)(struct session *session, enum session_state state, enum session_end end);
    /* Count the sessions of one worker each, for access-log = 1/N. */
    struct access_sampler {
        _Alignas(64) uint64_t seen;
    } * samplers;
};

#endif
