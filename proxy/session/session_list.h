/* A worker's sessions of one frontend, the oldest first, and the time of the first, for other
 * processes to read (shared_stats.h). The worker's thread.
 *
 * A session that was accepted here is younger than all others. One that comes from another process
 * has its age with it, and is older than most: it is looked for a place from where the last one
 * went, since each worker of the sender gives the oldest first. Where several give sessions of very
 * different ages the walk is long once for each message of TRANSFER_SESSIONS, and other sessions
 * have their turn between two of them. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_LIST_H
#define RPPROXY_PROXY_SESSION_SESSION_LIST_H

#include <stdatomic.h>
#include <sys/queue.h>

struct session;

TAILQ_HEAD(sessions_by_age, session);

struct session_list {
    struct sessions_by_age list; /* by session->accepted_at */
    struct session *placed; /* the last that session_list_place() put in, or who stands before its
                               place if it has left; NULL: it was the first, or there was none */
    atomic_uint_fast64_t *oldest; /* accepted_at of the first; 0: there is none */
};

/* oldest: 0, and the session list's to write. */
void session_list_init(struct session_list *session_list, atomic_uint_fast64_t *oldest);

/* Adds one that was accepted just now. */
void session_list_append(struct session_list *session_list, struct session *session);

/* Adds one of any age. */
void session_list_place(struct session_list *session_list, struct session *session);

void session_list_remove(struct session_list *session_list, struct session *session);

#endif
