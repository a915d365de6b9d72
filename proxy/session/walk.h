/* A walk through the sessions of all workers of this process, for a command that shows or ends some
 * of them. The workers serve on meanwhile: a worker looks at sessions for WALK_TURN_US in a turn of
 * its loop, copies what was asked for, and sends it to the main thread in slices. The next slice is
 * made when the main thread asks for it.
 *
 * One worker comes after the other, and of each worker one frontend after the other, the oldest
 * session first. Sessions that come and go meanwhile do no harm: a session that is there from the
 * beginning to the end is seen, once, unless another process has sent it meanwhile; and those that
 * are accepted after the beginning are not seen. */
#ifndef RPPROXY_PROXY_SESSION_WALK_H
#define RPPROXY_PROXY_SESSION_WALK_H

#include "config/base/address.h"
#include "proxy/session/service.h"
#include "proxy/session/session_filter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Microseconds; one session more may be looked at, and is the last. */
#define WALK_TURN_US 40

/* A session as it was when its worker looked at it. Times in microseconds, CLOCK_MONOTONIC. */
struct walk_session {
    struct session_id id;
    uint64_t accepted_at, active_at;
    uint64_t bytes_in, bytes_out; /* received from the client, from the server */
    enum session_state state;
    struct address client;                   /* as the access log has it */
    const char *frontend, *backend, *server; /* valid until the walk goes on */
    /* The versions of TLS with the client and with the server, constants; NULL: there is none. */
    const char *tls, *server_tls;
};

#define WALK_SESSIONS 64
#define WALK_TEXT     16384

struct walk;

struct walk_order {
    struct session_filter filter; /* which sessions; the walk takes it over */
    bool kill;                    /* end them; else show them */
    uint64_t limit; /* sessions that are shown of each worker and frontend; UINT64_MAX: all */
    /* A slice is there, which may be empty. The walk rests until walk_go_on() or walk_end(). */
    void (*on_slice)(struct walk *walk, void *arg);
    void *arg;
};

/* What on_slice may read. */
struct walk_slice {
    bool over;        /* the last: all workers have been asked */
    uint64_t seen_at; /* microseconds */
    unsigned count;
    struct walk_session sessions[WALK_SESSIONS];
    /* Sessions that were to be killed, and are on their way to another process: whether they are
     * there or here shows soon. */
    uint64_t moving;
};

/* Main thread, like all of these. Begins a walk; on_slice is called soon, from the loop. NULL: out
 * of memory, and the order's filter is the caller's still. */
struct walk *walk_begin(struct service *service, const struct walk_order *order)
    __attribute__((warn_unused_result));

const struct walk_slice *walk_slice(const struct walk *walk);

/* Sessions that were killed so far. At any time. */
uint64_t walk_killed(const struct walk *walk);

/* The next slice; after the last of them the walk begins anew, and `moving` is 0 again. */
void walk_go_on(struct walk *walk);

/* on_slice is not called any more. At any time, but not twice. */
void walk_end(struct walk *walk);

/* The threads of the workers have ended. */
void walks_free(struct service *service);

#endif
