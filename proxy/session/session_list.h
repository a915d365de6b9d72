/* A worker's sessions of one frontend, the oldest first, and the time of the first, for other
 * processes to read (shared_stats.h). The worker's thread.
 *
 * A session that was accepted here is younger than all others. A session that comes from another
 * process brings its age, and is older than most. Each worker of the sender gives the oldest first,
 * so the place of a session is near that of the last session of the same worker, or of another one:
 * the search begins at the next older of some sessions that were placed last, one for each of those
 * workers. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_LIST_H
#define RPPROXY_PROXY_SESSION_SESSION_LIST_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* Part of a session; set before it is added. */
struct session_entry {
    TAILQ_ENTRY(session_entry) link;
    uint64_t accepted_at; /* microseconds, CLOCK_MONOTONIC */
    unsigned accepted_by; /* number of the worker that accepted it, in any process */
};

TAILQ_HEAD(sessions_by_age, session_entry);

/* A position in a list that sessions may leave and join meanwhile. */
struct session_cursor {
    struct session_entry *at; /* the next session; NULL: there is none */
    LIST_ENTRY(session_cursor) link;
};

#define PLACED_MAX 16

struct session_list {
    struct sessions_by_age list; /* by accepted_at */
    size_t count, parked; /* of sessions; of those that are on their way to another process */
    struct session_entry *cursor;   /* terminate.h: the next that is looked at; NULL: none */
    struct session_entry *evicting; /* evict.h: the same */
    LIST_HEAD(, session_cursor) cursors;
    /* The last that session_list_place() put in of those that some workers had accepted, by the
     * number of the worker modulo PLACED_MAX; NULL: there was none, or it has left. */
    struct session_entry *placed[PLACED_MAX];
    atomic_uint_fast64_t *oldest; /* accepted_at of the first; 0: the list is empty */
};

/* oldest: contains 0, and only the session list writes it from now on. */
void session_list_init(struct session_list *session_list, atomic_uint_fast64_t *oldest);

/* Adds a session that was accepted just now. */
void session_list_append(struct session_list *session_list, struct session_entry *entry);

/* Adds a session of any age. */
void session_list_place(struct session_list *session_list, struct session_entry *entry);

void session_list_remove(struct session_list *session_list, struct session_entry *entry);

/* Puts the cursor at the oldest session. While it stands in the list, the session at which it
 * stands may leave: it stands at the next one then. */
void session_cursor_begin(struct session_cursor *cursor, struct session_list *session_list);
void session_cursor_end(struct session_cursor *cursor);

#endif
