#include "proxy/session/states.h"

const char *session_state_name(enum session_state state)
{
    static const char *const names[] = {
        [SESSION_ADMISSION] = "admission",     [SESSION_FIRST_BYTES] = "first-bytes",
        [SESSION_ROUTING] = "routing",         [SESSION_QUEUED] = "queued",
        [SESSION_CONNECTING] = "connecting",   [SESSION_WAITING] = "waiting",
        [SESSION_ESTABLISHED] = "established", [SESSION_PARKED] = "moving",
        [SESSION_DELIVERING] = "delivering",   [SESSION_CLOSED] = "closed",
    };
    return names[state];
}
