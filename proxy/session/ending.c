#include "proxy/session/ending.h"

#include "proxy/session/session.h"

/* What ended it: C, S: the client or the server; c, s: a time limit while the proxy waited for it;
 * P: the proxy, by a rule or a limit; R: the proxy lacked something; D: the server was down; K: the
 * operator, by a stop or a reload. */
static char cause_of(const struct session *session, enum session_end end)
{
    switch (end) {
    case SESSION_DONE: /* without a server: the client left the queue */
        return session->connected_at ? '-' : 'C';
    case SESSION_CLIENT_RESET:
        return 'C';
    case SESSION_SERVER_RESET:
    case SESSION_REFUSED:
    case SESSION_UNRESOLVED:
        return 'S';
    case SESSION_DENIED:
    case SESSION_SOURCE_LIMIT:
    case SESSION_SOURCE_RATE:
    case SESSION_OVER_LIMIT:
    case SESSION_BAD_PROXY_HEADER:
    case SESSION_TLS_FAILED:
    case SESSION_NO_ROUTE:
    case SESSION_NOT_ALLOWED:
    case SESSION_QUEUE_FULL:
    case SESSION_TOO_LONG:
        return 'P';
    case SESSION_INSPECT_TIMEOUT:
    case SESSION_TLS_TIMEOUT:
        return 'c';
    case SESSION_QUEUE_TIMEOUT:
    case SESSION_CONNECT_TIMEOUT:
        return 's';
    case SESSION_IDLE:
    case SESSION_FIN_TIMEOUT:
        /* The client has said all: the server was awaited. */
        return session->client.stream.ended && !session->server.stream.ended ? 's' : 'c';
    case SESSION_UNDELIVERED:
        return session->to_client ? 'c' : 's';
    case SESSION_DRAIN_TIMEOUT:
    case SESSION_STOPPED:
    case SESSION_KILLED:
        return 'K';
    case SESSION_NO_RESOURCES:
        return 'R';
    case SESSION_SERVER_DOWN:
        return 'D';
    case SESSION_ENDS:
        break;
    }
    return '-';
}

/* What it was at: R: it was not known yet which server is wanted; Q: in the queue; C: connecting;
 * D: exchanging bytes; L: the last bytes for the client, whose server had ended. */
static char phase_of(const struct session *session, enum session_state state, enum session_end end)
{
    if (end == SESSION_DONE && session->connected_at)
        return '-';
    switch (state) {
    case SESSION_ADMISSION:
    case SESSION_FIRST_BYTES:
    case SESSION_TLS:
    case SESSION_ROUTING:
        return end == SESSION_UNRESOLVED ? 'C' : 'R';
    case SESSION_QUEUED:
        return 'Q';
    case SESSION_CONNECTING:
    case SESSION_WAITING:
        return end == SESSION_QUEUE_FULL ? 'Q' : 'C';
    case SESSION_DELIVERING:
        return session->to_client && session->server.stream.ended ? 'L' : 'D';
    case SESSION_ESTABLISHED:
    case SESSION_PARKED:
    case SESSION_CLOSED:
        break;
    }
    return 'D';
}

const char *ending_letters(const struct session *session, enum session_state state,
                           enum session_end end, char letters[static ENDING_LETTERS])
{
    letters[0] = cause_of(session, end);
    letters[1] = phase_of(session, state, end);
    letters[2] = '\0';
    return letters;
}
