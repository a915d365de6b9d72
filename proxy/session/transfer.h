/* Live sessions on their way to another process: a session's sockets, the bytes that it holds, its
 * half-closes, counters, ages and names are packed in one process and unpacked in the other.
 *
 * A session is parked before it is described, and stays parked until the other process has
 * answered: no process reads or writes a byte meanwhile, so the session can go on in either
 * process, and only in one. The other process first answers (the kernel has queued the answer), and
 * then begins.
 *
 * An idle transfer belongs to the main thread; fill and finish lend it to a worker, whose answer
 * comes by `done` on the main loop. A worker packs one transfer a turn of its loop, so that the
 * sessions it still has are served in between. */
#ifndef RPPROXY_PROXY_SESSION_TRANSFER_H
#define RPPROXY_PROXY_SESSION_TRANSFER_H

#include "proxy/core/task_queue.h"
#include "proxy/session/lifecycle.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#define TRANSFER_SESSIONS 16
#define TRANSFER_BYTES    4000
/* Of each session: client, server, and for each of them memory (memfd_create(2)) with the bytes
 * that were not taken yet. */
#define TRANSFER_FDS (4 * TRANSFER_SESSIONS)

struct transfer {
    unsigned count;   /* of sessions; 0: the worker has none that could move */
    unsigned parking; /* sessions whose parking is under way */
    bool full;        /* there was no room for a session's description */
    uint64_t taken;   /* by the other side: bit i for sessions[i]; the caller sets it */
    size_t length;    /* of bytes */
    size_t fd_count;
    uint64_t memory; /* bit i: fds[i] is the transfer's own, and no socket of a session */
    int fds[TRANSFER_FDS];
    struct session *sessions[TRANSFER_SESSIONS];
    struct session_set *set;
    bool first; /* of a handoff: sessions that were refused in another may move again */
    bool waits; /* for a session that may move; else done() comes at once, with count 0 */
    void (*done)(struct transfer *transfer, void *arg);
    void *arg;
    struct task task;
    STAILQ_ENTRY(transfer) next;
    _Alignas(8) unsigned char bytes[TRANSFER_BYTES];
};

/* Main: parks and packs sessions of the worker, as soon as it has one that is established and has
 * not been refused before; done() then. The caller has set first and waits. */
void transfer_fill(struct transfer *transfer, struct session_set *set);

/* Main: sessions that were taken are gone from here, the others go on here and stay; done() then,
 * with count 0. */
void transfer_finish(struct transfer *transfer);

/* Worker, where transfers wait for it: fills one, if it can. */
void transfers_fill_next(struct session_set *set);

/* Worker: a session that a transfer has parked rests now (set->on_parked). */
void transfers_on_parked(struct session *session);

/* Worker, where transfers wait for it: the first of them has something to do. */
bool transfers_wanted(const struct session_set *set);

/* The other side, main: sessions that have come, and are not at work yet. */
struct arrival {
    struct session *session;
    struct session_set *set;
    struct task task;
    STAILQ_ENTRY(arrival) next;
};
STAILQ_HEAD(arrivals, arrival);

/* Unpacks what another process packed, at most `room` sessions; each takes a place in the limits,
 * full or not. Descriptors that were taken are set to -1 in fds. Adds to arrivals, and returns the
 * bits of the sessions that were taken. *count: of the sessions in bytes. */
uint64_t transfer_unpack(struct service *service, const void *bytes, size_t length, int *fds,
                         size_t fd_count, unsigned room, struct arrivals *arrivals,
                         unsigned *count);

/* admit: the sessions go on, on the workers in turn. abandon: their descriptors are closed; client
 * and server notice nothing of that while the other process has the sockets as well. Both leave
 * arrivals empty. */
void arrivals_admit(struct arrivals *arrivals, struct service *service);
void arrivals_abandon(struct arrivals *arrivals, struct service *service);

#endif
