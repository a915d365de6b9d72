/* The counters of one process, in memory that later processes read while this process lives, and
 * once more after it has ended or was killed. So no count is lost.
 *
 * The memory is a memfd. It is sealed, so that no process can truncate it while another reads, and
 * so that only the process that made it writes (since Linux 5.1). It contains, in this order:
 *
 *   struct stats_head          the process, the sizes of the records, the sessions now, and the
 *                               base: the sums of processes that have ended
 *   struct stats_worker    []  the counters of each worker, and the ages of its oldest sessions
 *   struct stats_frontend  []  the sessions of each frontend now, and the clients that it refused
 *   struct stats_server    []  the sessions of each server of the backends with a server that has
 *                              maxconn
 *
 * Behind them stands the table of sources (core/sources.h), where the configuration has limits by
 * source, or rates; and at the end the tally (tally.h): what is counted of each frontend, backend
 * and server.
 *
 * A later build may add members at the end of a record, and counters after the last one; a reader
 * of another build uses the members that both know. If the meaning of a member changes,
 * STATS_VERSION changes too, and a reader of another version refuses the memory.
 *
 * Each counter is written by relaxed stores of one worker, and read by any thread. A reader sees a
 * counter grow only, and may see two counters at slightly different moments. */
#ifndef RPPROXY_PROXY_STATS_SHARED_STATS_H
#define RPPROXY_PROXY_STATS_SHARED_STATS_H

#include "config/model/config.h"
#include "proxy/core/limit.h"
#include "proxy/stats/tally.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_MAGIC    0x72707067u
#define STATS_VERSION  2
#define STATS_NAME_MAX 240 /* no name is longer: NAME_BYTES_MAX (value.h) */

/* Written by one worker, read by any thread. New counters are added at the end, here and in struct
 * figures. */
struct counters {
    atomic_uint_fast64_t sessions;       /* accepted since the start */
    atomic_uint_fast64_t connect_errors; /* attempts that failed */
    atomic_uint_fast64_t failed;         /* sessions that found no server */
    atomic_uint_fast64_t client_bytes;   /* received from clients, counted at once */
    atomic_uint_fast64_t server_bytes;   /* received from servers, counted at once */
    atomic_uint_fast64_t cut;            /* sessions that ended by a reset or a lack of resources */
    atomic_uint_fast64_t overdue; /* sessions that proxy_terminate() ended at the end of a drain */
    /* Sessions that waited for a place of a server; that waited too long; that were refused because
     * too many waited. */
    atomic_uint_fast64_t queued, queue_timeout, queue_full;
    atomic_uint_fast64_t killed; /* by an operator's command */
    /* Sessions of which a side speaks TLS here, begun and ended: those between cannot move. */
    atomic_uint_fast64_t tls_begun, tls_ended;
};

#define COUNTERS (sizeof(struct counters) / sizeof(atomic_uint_fast64_t))

/* Sums of counters. */
struct figures {
    uint64_t sessions, connect_errors, failed, client_bytes, server_bytes, cut, overdue;
    uint64_t queued, queue_timeout, queue_full;
    uint64_t killed;
    uint64_t tls_begun, tls_ended;
};

struct stats_head {
    uint32_t magic, version;
    /* Bytes, multiples of 8. The first frontend and the first server begin a cache line, and so do
     * those after them. */
    uint32_t head_size, worker_size, frontend_size;
    uint32_t counters; /* number of counters in the base and in each worker's record */
    uint32_t workers, frontends;
    uint32_t generation, pid;
    uint64_t started_at;           /* milliseconds, CLOCK_MONOTONIC */
    uint32_t server_size, servers; /* 0 in builds that do not know them */
    _Alignas(64) struct limit sessions;
    atomic_uint lost; /* number of sessions when the process ended because of an error; else 0 */
    uint64_t sources_offset, sources_size; /* bytes; a size of 0: there is no table of sources */
    uint64_t tally_offset, tally_size;     /* bytes; 0: of a build without a tally */
    _Alignas(64) struct counters base;
};

/* A place in the worker's record that nobody reads, as counter_add() takes it for bytes that belong
 * to no server; the one behind it as well. */
#define STATS_NOWHERE 14u

struct stats_worker {
    _Alignas(64) struct counters counters; /* starts a cache line */
    uint64_t room[16 - COUNTERS];          /* for further counters, and STATS_NOWHERE */
    /* When the oldest session of this worker began, for each frontend, and at the end for all
     * removed frontends together. In microseconds of CLOCK_MONOTONIC, which is the same for all
     * processes; 0: no session. */
    atomic_uint_fast64_t oldest[];
};

/* Why a client of a frontend was refused. New reasons are added at the end; there is room for
 * REFUSALS_MOST. */
enum refusal {
    REFUSED_BY_LIST,   /* deny */
    REFUSED_SESSIONS,  /* max-sessions-per-source */
    REFUSED_RATE,      /* rate-per-source */
    REFUSED_OVERLIMIT, /* over-limit = close */
    REFUSED_BY_ROUTE,  /* a route, or that there is none */
    REFUSED_HEADER,    /* accept-proxy: no PROXY header, or a bad one */
    REFUSALS
};

/* Room for as many reasons, so that a new one moves nothing. */
#define REFUSALS_MOST 8

struct refusals {
    uint64_t by[REFUSALS];
};

struct stats_frontend {
    _Alignas(64) struct limit sessions;
    char name[STATS_NAME_MAX];
    /* Workers count in `refused`, the main thread in `refused_before`: those of processes that have
     * ended. Older builds have neither. */
    _Alignas(64) atomic_uint_fast64_t refused[REFUSALS_MOST];
    atomic_uint_fast64_t refused_before[REFUSALS_MOST];
};

/* Who may take places beside the process. */
enum stats_role {
    STATS_RETIRED, /* it accepts no clients any more, or none yet */
    STATS_BESIDE,  /* it accepts, and another process does, or is about to */
    STATS_ALONE,   /* no younger process has a claim; a process that has one saw this change before
                    */
};

/* What core/limit_shares.h needs. The workers write `sessions`, and the main thread the rest. */
struct stats_server {
    _Alignas(64) struct limit sessions; /* its maximum is the share of the process */
    atomic_uint claim;
    atomic_uint wanted;
    atomic_uint maxconn; /* what all processes may have together, as of now; LIMIT_NONE: no limit */
    atomic_uint role;    /* enum stats_role; the same in all records of the process */
    uint64_t key[2];     /* of backend and server: stats_server_key() */
    atomic_uint line;    /* sessions that wait in the queue of the backend; the same in all of its
                            records; 0 in older builds */
};

/* The stats of this process, or of another one. */
struct stats {
    int fd; /* the memfd */
    size_t size;
    unsigned char *memory; /* read-only for the stats of another process */
    struct stats_head as;  /* a copy of the head, made when the stats were opened */
    struct tally tally;    /* in this memory; of another process perhaps none */
};

/* Makes the stats of this process. Returns 0 or an errno value. */
int stats_open(struct stats *stats, const struct config *config, unsigned generation,
               unsigned workers) __attribute__((warn_unused_result));

/* Opens the stats of another process. Takes ownership of fd, also on failure. Returns what is wrong
 * (a string constant that can follow "shared stats: "), or NULL. The stats can then be read until
 * stats_close(), also if the other process ends or writes nonsense. */
const char *stats_read(struct stats *stats, int fd) __attribute__((warn_unused_result));

void stats_close(struct stats *stats);

/* For the stats of this process only: */

struct counters *stats_counters(struct stats *stats, unsigned worker);
/* How many counters it is from there to a counter in the worker's row of the tally. */
uint32_t stats_place(struct stats *stats, unsigned worker, const atomic_uint_fast64_t *counter);
/* Returns the array `oldest` of the worker: one item for each frontend of the config, and one for
 * removed frontends. */
atomic_uint_fast64_t *stats_worker_oldest(struct stats *stats, unsigned worker);

struct limit *stats_sessions(struct stats *stats);
struct limit *stats_frontend_sessions(struct stats *stats, size_t frontend);

/* Gives a free record to the server, or returns NULL if there is none. */
struct stats_server *stats_add_server(struct stats *stats, const char *backend, const char *server)
    __attribute__((warn_unused_result));

/* Writes the role into all records of servers. */
void stats_set_role(struct stats *stats, enum stats_role role);

/* A client of the frontend was refused. Any worker. */
void stats_count_refusal(struct stats_frontend *frontend, enum refusal why);
struct stats_frontend *stats_frontend(const struct stats *stats, size_t frontend);

/* Adds refusals of a process that has ended. Only one thread may call this. */
void stats_inherit_refusals(struct stats *stats, size_t frontend, const struct refusals *refusals);

/* The memory of the table of sources, or NULL: there is none. */
void *stats_sources(struct stats *stats);

/* Stores the present number of sessions as lost. To be called by a process that ends because of an
 * error, before it closes its sessions. */
void stats_set_lost(struct stats *stats);

/* Adds the figures of a process that has ended to the base. Only one thread may call this. */
void stats_inherit(struct stats *stats, const struct figures *figures);

/* For the stats of any process: */

/* Adds the counters of its workers to sum. */
void stats_add_workers(const struct stats *stats, struct figures *sum);

/* Adds its base, the figures of processes that ended before, to sum. */
void stats_add_base(const struct stats *stats, struct figures *sum);

/* The number of sessions now. */
unsigned stats_live(const struct stats *stats);
unsigned stats_frontend_live(const struct stats *stats, size_t frontend);

/* Adds the clients that the frontend has refused in this process, or, with `before`, in processes
 * that ended before. */
void stats_add_refusals(const struct stats *stats, size_t frontend, bool before,
                        struct refusals *sum);

/* Returns when the oldest session of a frontend began, in the unit of stats_worker. 0: no session,
 * or the other process is of an older build that does not say. frontend = as.frontends: all removed
 * frontends. */
uint64_t stats_oldest(const struct stats *stats, size_t frontend);

/* Returns the number of sessions that are lost if the process ends now, or that were lost when it
 * ended. A session that is being handed off may be counted here and in the stats of the other
 * process. */
unsigned stats_lost(const struct stats *stats);

/* Returns the name, which is valid until stats_close(): *length bytes of any value, at most
 * STATS_NAME_MAX, without a NUL at the end. */
const char *stats_frontend_name(const struct stats *stats, size_t frontend, size_t *length);

/* Returns the index of the frontend with that name, or STATS_NO_FRONTEND. Looks at index guess
 * first. */
size_t stats_find_frontend(const struct stats *stats, const char *name, size_t guess);
#define STATS_NO_FRONTEND SIZE_MAX

/* The record of the server with that key, or NULL. Looks at record guess first. */
const struct stats_server *stats_find_server(const struct stats *stats,
                                             const uint64_t key[static 2], size_t guess);

/* The records, in the order in which they were added. */
struct stats_server *stats_server(const struct stats *stats, size_t index);

#endif
