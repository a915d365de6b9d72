/* A session: a client's connection and the server connection made for it. This module has what all
 * states share, and the end. The ways between the states are in modules above this one:
 * lifecycle.h (how a session begins, rests and moves; events and timers), stages.h (ADMISSION,
 * FIRST_BYTES, TLS, ROUTING, QUEUED), connect.h (CONNECTING, WAITING), exchange.h (ESTABLISHED),
 * delivery.h (DELIVERING).
 *
 *            session_open
 *                 |
 *                 | only where the frontend has such stages, in the order of its list:
 *    +---- [SESSION_ADMISSION] [SESSION_FIRST_BYTES] [SESSION_TLS] [SESSION_ROUTING]
 *    |     [SESSION_QUEUED]
 *    |            |
 *    |            v        refused, timed out        no place for it now,
 *    +----- SESSION_CONNECTING <------------+        or every server tried
 *    |            |        |                |                  |
 *    |            |        +----------> (next server) ---> SESSION_WAITING
 *    |            | connected               ^                  |
 *    |            v                         +------------------+
 *    |     SESSION_ESTABLISHED <--> SESSION_PARKED    offered to another process
 *    |            |        |               |
 *    |            |        | one side has  | taken there
 *    |            |        | said all, and |
 *    |            |        | is gone       |
 *    |            |        v               |
 *    |            |  SESSION_DELIVERING    |
 *    |            |        | delivered, or |
 *    |            | ended, | not taken;    |
 *    |            | reset, | cut           |
 *    |            | idle,  |               |
 *    |            | cut    |               |
 *    v            v        v               v
 *   SESSION_CLOSED ----> freed at the end of the loop's turn
 *
 *   state        client.fd   server.fd
 *   (stages)     open        none (or a spare)
 *   CONNECTING   open        open, connecting, or in its TLS handshake
 *   WAITING      open        none (or a spare)
 *   ESTABLISHED  open        open
 *   PARKED       open        open           no event is reported, no byte is moved
 *   DELIVERING   open, and the other is closed as soon as its stream was received
 *   CLOSED       none        none (or a spare)
 *
 * Each stage has a deadline, and reasons for which it ends a session (stage.h). What a client says
 * before its server is connected stays in the kernel, or, where a stage has to look at it, in
 * first_bytes: from there it is the first that the server is sent.
 *
 * DELIVERING: one side said everything, with the end of its stream, and is gone (reset, or closed
 * by the proxy because the session was idle). The other side gets all of that. What the other side
 * still sends is received and thrown away: a socket that is closed with unread bytes, or that gets
 * bytes after it was closed, sends a reset, and the kernel then drops what is on its way. The state
 * ends when the other side has acknowledged everything, or has ended its own stream; or when it has
 * acknowledged nothing for a while (SESSION_UNDELIVERED). Such a session keeps its place, can be
 * cut as any other, and does not move to another process.
 *
 * A Unix socket loses nothing by a reset, so what it said before is delivered as well, and a reset
 * comes after that.
 *
 * A spare is a server's socket that is connected to nobody: a session that ended left it to the
 * next one (engine_disconnect()).
 *
 * session_close() is the only way out, and session_set_state() the only change of state. A session
 * lives on one worker, and everything here runs on that worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_H
#define RPPROXY_PROXY_SESSION_SESSION_H

#include "config/base/container_of.h"
#include "proxy/session/conn.h"
#include "proxy/session/facts.h"
#include "proxy/session/session_set.h"
#include "proxy/session/states.h"

struct session {
    struct conn client, server;
    struct session_set *set;
    struct frontend *frontend;
    const struct bind_conf *bind; /* NULL: not in this configuration; see foreign_names */
    struct backend *backend;      /* NULL: the same */
    char *foreign_names; /* of a session that came from another process: four names, each with its
                       NUL, of frontend, bind, backend and server; NULL: all are in this
                       configuration */
    struct facts *facts; /* NULL: a plain session has none */
    struct stage *const *stage; /* of the frontend's: the one that it is in; NULL: none */
    struct unsent *first_bytes; /* what the client said before there was a server; NULL: none */
    struct server *chosen;      /* of the backend; NULL before the first choice, or as `backend` */
    struct server **tried; /* servers that this round passes over: those that failed first, ... */
    uint32_t tried_count;  /* ... */
    uint32_t short_count;  /* ... and at the end so many towards which the proxy lacks something */
    uint32_t attempts;     /* that failed, over all rounds */
    unsigned char pending; /* the life of the session is one, each close or park under way another:
                              it is freed when all have ended */
    bool timed_out;        /* the last attempt to connect */
    bool queued;           /* on set->again */
    bool stays;            /* was parked once, and not taken: it ends here */
    bool with_server;      /* it counts for the server */
    bool kept_alive;       /* SO_KEEPALIVE is set on the server's socket */
    bool to_client;        /* DELIVERING: to the client, else to the server */
    bool source_counted;   /* it counts for its source (source_place.h) */
    in_port_t own_port; /* of the server, if the kernel may use it for the proxy's side; else 0 */
    sa_family_t server_family;
    const char *server_congestion; /* of the backend that opened the server's socket */
    /* Which generation accepted it: with entry.accepted_by and `number` that names it. */
    unsigned generation;
    enum session_state state;
    uint64_t number;
    uint64_t connected_at; /* 0: never */
    uint64_t active_at;    /* when the last byte moved, in any process, or it was connected */
    uint64_t deadline;     /* milliseconds: of the connect attempt, of the wait, or of the next look
                              at what is being delivered */
    uint32_t look_after;   /* DELIVERING: milliseconds between two looks */
    enum session_end outcome; /* why it has ended, or is being delivered; else 0 */
    size_t unacknowledged;    /* DELIVERING: bytes, at the last look */
    uint64_t give_up_at;      /* milliseconds: a shortage is waited out until then */
    uint64_t terminate_at;    /* milliseconds: it is closed then, idle or not; 0: it is not */
    struct wheel_entry timer;
    struct session_entry entry; /* in set->lists; says when and by which
                                    worker the session was accepted */
    STAILQ_ENTRY(session) again, dead;
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } peer; /* the client's address */
};

_Static_assert(SESSION_ENDS <= ENDS_MOST, "the tally has a counter for each reason");

static inline struct session *session_of(struct session_entry *entry)
{
    return container_of(entry, struct session, entry);
}

/* For how long no byte of an established session may move, in milliseconds; 0: for ever. *why: what
 * it ends with then. */
millis session_may_rest(const struct session *session, enum session_end *why);

/* When session-timeout ends the session: milliseconds, or WHEEL_NEVER. The same in each process
 * that has the session. */
uint64_t session_too_long_at(const struct session *session);

/* The session has ended, or another process has it: it counts for its source no longer. */
void session_leave_source(struct session *session, struct service *service);

/* Ends the session now. What was cut short is seen as cut short: a side gets a reset when the proxy
 * holds bytes for it, when the session is cut before the other side's stream ended, and when the
 * other side was reset, but for a client that was sent the server's whole stream. Harmless on a
 * closed session. */
void session_close(struct session *session, enum session_end end);

/* Ends a session that terminating (terminate.h) does not keep, for the reason that the service
 * gives. */
void session_terminate(struct session *session);

/* The names of frontend, bind, backend and server; valid as long as the session. */
#define SESSION_NAMES 4
void session_names(const struct session *session, const char *names[static SESSION_NAMES]);

void session_free(struct session *session);

/* For the modules of this folder that lead a session from one state to the next. */

/* Enters a state, or stays in it: sets the timer by the state's deadline. */
void session_set_state(struct session *session, enum session_state state);

/* For frontend->first_look. */
millis session_first_look(const struct frontend_conf *conf);

/* Enters ESTABLISHED, just connected. The timer may come early, and is set again then. */
void session_begin(struct session *session);

/* An established session that has lasted so long (milliseconds) has its server's socket watched by
 * TCP keep-alives; short sessions are spared the call. */
#define KEEP_ALIVE_AFTER_MS 10000u

/* The session counts for the chosen server from its attempt to connect, or its arrival here, until
 * the attempt has failed, or the session ends or moves away. If the server has a seat (queue.h), a
 * place was taken for the session before, and comes free when the session leaves. pass: another
 * process has the session and a place for it. */
void session_join_server(struct session *session);
void session_leave_server(struct session *session);
void session_pass_server(struct session *session);

/* The places of the session's records in the worker's row of the tally (session_set_counter());
 * that of the server, while it counts for one. */
static inline size_t session_frontend_place(const struct session *session)
{
    return session->client.frontend_place - COUNTER_OF(frontend_figures, bytes_in);
}

static inline size_t session_backend_place(const struct session *session)
{
    return session->set->backends_at + session->backend->tally_place;
}

static inline size_t session_server_place(const struct session *session)
{
    return session->client.server_place - COUNTER_OF(server_figures, bytes_in);
}

/* One of the session's backend's counters counts one more: its place in the record. */
static inline void session_count_for_backend(const struct session *session, size_t counter)
{
    counter_add(session_set_counter(session->set, session_backend_place(session) + counter), 1);
}

/* The session waits for a place of a server no longer. */
void session_note_wait(struct session *session);

/* One of what session->pending counts has ended. */
static inline void session_finish(struct session *session)
{
    if (--session->pending == 0)
        STAILQ_INSERT_TAIL(&session->set->dead, session, dead);
}

/* Closes one side, if there is a connection. */
void session_close_conn(struct session *session, struct conn *conn, bool reset);

/* Where the session stands among those of its frontend. */
static inline struct session_list *session_own_list(const struct session *session)
{
    return &session->set->lists[session->frontend->index];
}

/* The session goes on in the next turn (sessions_continue()), without an event. */
static inline void session_queue(struct session *session)
{
    if (session->queued)
        return;
    session->queued = true;
    STAILQ_INSERT_TAIL(&session->set->again, session, again);
}

/* Bytes count as activity; events without bytes do not. Since engine.moved was set to 0. set: the
 * session's. */
static inline void session_note_activity(struct session *session, struct session_set *set)
{
    if (set->loop.engine.moved > 0)
        session->active_at = loop_now(&set->loop);
}

/* The session's facts, which are made at the first call. NULL: out of memory. */
struct facts *session_facts(struct session *session);

/* Where the client comes from, as lists, limits, the balance and the log have it: what a PROXY
 * header told, or else the other end of the client's connection. Valid as long as the session. */
static inline const struct sockaddr *session_source(const struct session *session)
{
    const struct facts *facts = session->facts;
    return facts && facts->source.length > 0 ? &facts->source.any : &session->peer.any;
}

/* The other end of the client's connection, which may be a proxy's; and where the client comes from
 * (session_source()). An IPv4 client of a dual-stack socket has its IPv4 address, and one of a Unix
 * socket no name. */
struct address session_peer_address(const struct session *session);
struct address session_source_address(const struct session *session);

static inline bool session_is_unix(const struct session *session, const struct conn *conn)
{
    return (conn == &session->client ? session->peer.any.sa_family : session->server_family) ==
           AF_UNIX;
}

#endif
