/* The states of a session, and why it ended; session.h draws the ways between the states. */
#ifndef RPPROXY_PROXY_SESSION_STATES_H
#define RPPROXY_PROXY_SESSION_STATES_H

enum session_state {
    /* Stages before a server is chosen (stages.h), only where the frontend has them. */
    SESSION_ADMISSION,   /* whether the client may come in */
    SESSION_FIRST_BYTES, /* what the client says is looked at */
    SESSION_TLS,         /* the TLS handshake with the client */
    SESSION_ROUTING,     /* a backend is chosen */
    SESSION_QUEUED,      /* it waits for a place of the backend or of a server */

    SESSION_CONNECTING,
    SESSION_WAITING,
    SESSION_ESTABLISHED,
    SESSION_PARKED,
    SESSION_DELIVERING,
    SESSION_CLOSED,
};

/* The last word of the session's line in the access log. Processes of other builds count by these
 * numbers (tally.h): new reasons go to the end. */
enum session_end {
    SESSION_DONE, /* both sides said all they had to say */
    SESSION_CLIENT_RESET,
    SESSION_SERVER_RESET,
    SESSION_DENIED,           /* the client may not come in */
    SESSION_SOURCE_LIMIT,     /* max-sessions-per-source */
    SESSION_SOURCE_RATE,      /* rate-per-source */
    SESSION_OVER_LIMIT,       /* max-sessions or max-rate, with over-limit = close */
    SESSION_BAD_PROXY_HEADER, /* there was none, or a bad one, or it did not come in time */
    SESSION_INSPECT_TIMEOUT,  /* the first bytes did not come in time, or were too many */
    SESSION_NO_ROUTE,         /* no backend was found */
    SESSION_NOT_ALLOWED,      /* the client asks for a name that the server does not allow */
    SESSION_UNRESOLVED,       /* the name that the client asks for has no address */
    /* These four found no server; they stay together. */
    SESSION_QUEUE_TIMEOUT,   /* no place came free in time */
    SESSION_QUEUE_FULL,      /* too many sessions wait for a place already */
    SESSION_REFUSED,         /* no server took the connection */
    SESSION_CONNECT_TIMEOUT, /* the last server tried did not answer in time */
    SESSION_IDLE,
    SESSION_FIN_TIMEOUT,   /* idle after one side had ended */
    SESSION_TOO_LONG,      /* session-timeout */
    SESSION_DRAIN_TIMEOUT, /* cut by drain-timeout, or by max-generations */
    SESSION_STOPPED,       /* cut by stop-timeout, or a second signal */
    SESSION_NO_RESOURCES,  /* out of descriptors, memory or local ports */
    SESSION_SERVER_DOWN,   /* its server went down, and on-down is close */
    SESSION_UNDELIVERED,   /* one side said all and was gone, and the other did not take it */
    SESSION_KILLED,        /* by an operator's command */
    SESSION_TLS_FAILED,    /* the TLS handshake with the client */
    SESSION_TLS_TIMEOUT,   /* the same was not complete in time */
    SESSION_ENDS,          /* their number */
};

/* As users see it. */
const char *session_state_name(enum session_state state);

/* As in the access log. */
const char *session_end_name(enum session_end end);

#endif
