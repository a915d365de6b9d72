/* A worker's sessions of one frontend, the oldest first, and the time of the first, for other
 * processes to read (shared_stats.h). The worker's thread.
 *
 * A session that was accepted here is younger than all others. One that comes from another process
 * has its age with it, and is older than most. Each worker of the sender gives the oldest first, so
 * that the place of a session is near that of the last one of the same worker, or of another: the
 * search begins at the next older of some that were placed last, one for each of those workers. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_LIST_H
#define RPPROXY_PROXY_SESSION_SESSION_LIST_H

#include <stdatomic.h>
#include <stddef.h>
#include <sys/queue.h>

struct session;

TAILQ_HEAD(sessions_by_age, session);

#define PLACED_MAX 16

struct session_list {
    struct sessions_by_age list; /* by session->accepted_at */
    size_t count, parked;   /* of sessions; of those that are on their way to another process */
    struct session *cursor; /* terminate.h: the next that is looked at; NULL: none */
    /* The last that session_list_place() put in of those that some workers had accepted, by the
     * number of the worker modulo PLACED_MAX; NULL: there was none, or it has left. */
    struct session *placed[PLACED_MAX];
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
