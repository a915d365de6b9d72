#include "proxy/session/states.h"

const char *session_state_name(enum session_state state)
{
    static const char *const names[] = {
        [SESSION_TLS] = "tls",
        [SESSION_ADMISSION] = "admission",
        [SESSION_FIRST_BYTES] = "first-bytes",
        [SESSION_ROUTING] = "routing",
        [SESSION_QUEUED] = "queued",
        [SESSION_CONNECTING] = "connecting",
        [SESSION_WAITING] = "waiting",
        [SESSION_ESTABLISHED] = "established",
        [SESSION_PARKED] = "moving",
        [SESSION_DELIVERING] = "delivering",
        [SESSION_CLOSED] = "closed",
    };
    return names[state];
}

const char *session_end_name(enum session_end end)
{
    static const char *const names[] = {
        [SESSION_DONE] = "done",
        [SESSION_CLIENT_RESET] = "client-reset",
        [SESSION_SERVER_RESET] = "server-reset",
        [SESSION_DENIED] = "denied",
        [SESSION_BAD_PROXY_HEADER] = "bad-proxy-header",
        [SESSION_SOURCE_LIMIT] = "source-limit",
        [SESSION_SOURCE_RATE] = "source-rate",
        [SESSION_OVER_LIMIT] = "over-limit",
        [SESSION_INSPECT_TIMEOUT] = "inspect-timeout",
        [SESSION_NO_ROUTE] = "no-route",
        [SESSION_NOT_ALLOWED] = "not-allowed",
        [SESSION_UNRESOLVED] = "unresolved",
        [SESSION_QUEUE_TIMEOUT] = "queue-timeout",
        [SESSION_QUEUE_FULL] = "queue-full",
        [SESSION_REFUSED] = "refused",
        [SESSION_CONNECT_TIMEOUT] = "connect-timeout",
        [SESSION_IDLE] = "idle-timeout",
        [SESSION_FIN_TIMEOUT] = "fin-timeout",
        [SESSION_TOO_LONG] = "session-timeout",
        [SESSION_DRAIN_TIMEOUT] = "drain-timeout",
        [SESSION_STOPPED] = "stopped",
        [SESSION_NO_RESOURCES] = "no-resources",
        [SESSION_SERVER_DOWN] = "server-down",
        [SESSION_UNDELIVERED] = "undelivered",
        [SESSION_KILLED] = "killed",
        [SESSION_TLS_FAILED] = "tls-failed",
        [SESSION_TLS_TIMEOUT] = "tls-timeout",
    };
    return names[end];
}
