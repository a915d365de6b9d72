/* A generation's figures, in memory that the generations after it read while it lives, and once
 * more when it is gone, however it went: nothing that was counted is forgotten.
 *
 * The memory is a memfd, sealed so that nobody can cut it under a reader's feet, and (where the
 * kernel can, since 5.1) so that only its maker writes. In it lie, one after the other:
 *
 *   struct stats_head          who it is, how long each record is, sessions now, and the base:
 *                               the sums of generations that are gone
 *   struct stats_worker    []  what each worker counts, and how old its sessions are
 *   struct stats_frontend  []  each frontend's sessions now
 *
 * Records may grow at their end, and counters may be added behind the last; a reader of another
 * build takes what both know. Where the meaning of something changes STATS_VERSION does, and a
 * reader of another version refuses the whole.
 *
 * Counters are written by relaxed stores of one worker each, and read by anyone: a reader sees each
 * of them grow only, and different ones not quite of the same moment. */
#ifndef RPPROXY_PROXY_STATS_SHARED_STATS_H
#define RPPROXY_PROXY_STATS_SHARED_STATS_H

#include "config/model/config.h"
#include "proxy/core/limit.h"

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#define STATS_MAGIC    0x72707067u
#define STATS_VERSION  2
#define STATS_NAME_MAX 240 /* a name is part of a line of the file, which is shorter */

/* Written by one worker, read by anyone. New ones go to the end, here and in struct figures. */
struct counters {
    atomic_uint_fast64_t sessions;       /* accepted since start */
    atomic_uint_fast64_t connect_errors; /* attempts that failed */
    atomic_uint_fast64_t failed;         /* sessions that found no server */
    atomic_uint_fast64_t client_bytes;   /* received from clients, as they come */
    atomic_uint_fast64_t server_bytes;   /* and from servers */
    atomic_uint_fast64_t cut;            /* sessions that a reset, or a lack of resources, ended */
    atomic_uint_fast64_t overdue; /* sessions that proxy_terminate() ended, at the end of a drain */
};

#define COUNTERS (sizeof(struct counters) / sizeof(atomic_uint_fast64_t))

static inline void counter_add(atomic_uint_fast64_t *counter, uint64_t amount)
{
    atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + amount,
                          memory_order_relaxed);
}

/* Sums of counters. */
struct figures {
    uint64_t sessions, connect_errors, failed, client_bytes, server_bytes, cut, overdue;
};

struct stats_head {
    uint32_t magic, version;
    uint32_t head_size, worker_size, frontend_size; /* bytes, multiples of 8 */
    uint32_t counters;                              /* in the base, and in each worker's record */
    uint32_t workers, frontends;
    uint32_t generation, pid;
    uint64_t started_at; /* milliseconds, CLOCK_MONOTONIC */
    _Alignas(64) struct limit sessions;
    atomic_uint lost; /* sessions that there were when the process ended by its own fault; or 0 */
    _Alignas(64) struct counters base;
};

struct stats_worker {
    _Alignas(64) struct counters counters; /* on a cache line of its own */
    uint64_t room[16 - COUNTERS];          /* for more of them */
    /* When the oldest of its sessions began, of each frontend, and then of frontends that are gone:
     * microseconds, CLOCK_MONOTONIC, which all processes since boot have in common; 0: none. */
    atomic_uint_fast64_t oldest[];
};

struct stats_frontend {
    _Alignas(64) struct limit sessions;
    char name[STATS_NAME_MAX];
};

/* One's own, or another's. */
struct stats {
    int fd; /* to be passed on */
    size_t size;
    unsigned char *memory; /* another's is read-only */
    struct stats_head as;  /* its head, as it was when it was opened */
};

/* Makes one for this process. Returns 0 or an errno value. */
int stats_open(struct stats *stats, const struct config *config, unsigned generation,
               unsigned workers) __attribute__((warn_unused_result));

/* Reads another's. Takes over fd, whatever comes of it. Returns what is wrong with it (a string
 * constant to follow "shared stats: "), or NULL: then it can be read for as long as it is open,
 * whoever made it and whatever becomes of them. */
const char *stats_read(struct stats *stats, int fd) __attribute__((warn_unused_result));

void stats_close(struct stats *stats);

/* Of one's own: */

struct counters *stats_counters(struct stats *stats, unsigned worker);
/* For each frontend of the config, and one more for sessions whose frontend is gone. */
atomic_uint_fast64_t *stats_worker_oldest(struct stats *stats, unsigned worker);

struct limit *stats_sessions(struct stats *stats);
struct limit *stats_frontend_sessions(struct stats *stats, size_t frontend);

/* We end, and not in order: the sessions that there are now go with us, in whatever order they are
 * closed. */
void stats_set_lost(struct stats *stats);

/* Adds figures of one that is gone to the base. One thread's. */
void stats_inherit(struct stats *stats, const struct figures *figures);

/* Of one's own and another's: */

/* Adds what its own workers have counted to sum. */
void stats_add_workers(const struct stats *stats, struct figures *sum);

/* Adds what it has from generations that are gone to sum. */
void stats_add_base(const struct stats *stats, struct figures *sum);

/* Sessions now. */
unsigned stats_live(const struct stats *stats);
unsigned stats_frontend_live(const struct stats *stats, size_t frontend);

/* When the oldest session of a frontend began, as stats_worker has it; 0: there is none, or it is
 * not told, as by older builds. frontend: as.frontends stands for those that are gone. */
uint64_t stats_oldest(const struct stats *stats, size_t frontend);

/* The sessions that are lost if the process ends now, or that were lost when it ended. A session
 * that is being handed off may stand here and in the shared stats of the other process. */
unsigned stats_lost(const struct stats *stats);

/* Valid for as long as the shared stats; at most STATS_NAME_MAX bytes of any kind, length says how
 * many. */
const char *stats_frontend_name(const struct stats *stats, size_t frontend, size_t *length);

/* The index of the frontend of that name, looked for at guess first; or STATS_NO_FRONTEND. */
size_t stats_find_frontend(const struct stats *stats, const char *name, size_t guess);
#define STATS_NO_FRONTEND SIZE_MAX

#endif
