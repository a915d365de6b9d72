/* What is counted of each frontend, backend and server: a part of the shared stats of a process
 * (shared_stats.h), so that later processes read it.
 *
 * Each worker has a row, with a record for each frontend, backend and server, and writes nothing
 * outside it. One more row is the base: of processes that have ended. What happens seldom at a
 * server (events) has a record that all threads write by atomic additions.
 *
 * The data path reaches a record by its place in the row: a number of counters from the beginning
 * of the worker's own record in the shared stats (struct tally_row). The structs below say what
 * counter of a record has which meaning: COUNTER_OF().
 *
 * Names are found again in another process by their keys. A record of another build may be longer
 * or shorter, since members are added at the ends of the structs only; any other change counts
 * TALLY_VERSION up, and then the other's tally is not read. */
#ifndef RPPROXY_PROXY_STATS_TALLY_H
#define RPPROXY_PROXY_STATS_TALLY_H

#include "config/model/config.h"
#include "proxy/stats/counter.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TALLY_VERSION 1

/* Bucket n has the durations below 2^n microseconds and not below 2^(n-1); bucket 0 has 0. There is
 * one for each length of a number, so that the data path has nothing to compare. */
#define HISTOGRAM_BUCKETS 64

struct histogram_figures {
    uint64_t buckets[HISTOGRAM_BUCKETS];
    uint64_t sum; /* microseconds */
};

/* Room for the reasons of enum session_end. */
#define ENDS_MOST 32

/* Room for the classes of enum tls_failure. */
#define TLS_FAILURES_MOST 24

struct frontend_figures {
    uint64_t bytes_in, bytes_out; /* received from clients, from servers */
    uint64_t sessions;            /* accepted */
    uint64_t ends[ENDS_MOST];     /* sessions that ended, by enum session_end */
    struct histogram_figures session_time;
    uint64_t waits; /* clients that waited in the backlog for a place of a limit */
    uint64_t most;  /* no sum, and in the base only: the largest number of sessions that was seen,
                       once a second */
    uint64_t tls_failures[TLS_FAILURES_MOST]; /* handshakes that failed, by enum tls_failure */
    uint64_t tls_full, tls_resumed;           /* handshakes that were completed */
};

/* Why a server could not be connected. */
enum connect_failure {
    CONNECT_REFUSED,
    CONNECT_TIMED_OUT,
    CONNECT_UNREACHABLE,
    CONNECT_FAILED,     /* for another reason */
    CONNECT_TLS_FAILED, /* it was connected, and the TLS handshake failed */
    CONNECT_NO_PORT,    /* every local port is in use towards it; once for each session */
    CONNECT_FAILURES,
};

#define CONNECT_FAILURES_MOST 8

/* "refused", "timeout", "unreachable", "other", "tls", "no-port". */
const char *connect_failure_name(enum connect_failure failure);

struct backend_figures {
    uint64_t bytes_in, bytes_out, sessions;   /* only in the base: of servers that are no longer in
                                                 the configuration */
    uint64_t failures[CONNECT_FAILURES_MOST]; /* attempts to connect, by enum connect_failure */
    uint64_t retries;                         /* attempts that followed a failed one */
    uint64_t queued;                          /* sessions that waited for a place of a server */
    uint64_t ends[ENDS_MOST];                 /* as of frontends, but for SESSION_DONE */
    struct histogram_figures connect, queue, first_byte;
    uint64_t most_waiting;                    /* as `most` of frontends: sessions in the queue */
    uint64_t tls_failures[TLS_FAILURES_MOST]; /* handshakes with servers that failed */
    uint64_t tls_full, tls_resumed;           /* those that were completed */
};

struct server_figures {
    uint64_t bytes_in, bytes_out; /* received from clients for it, and from it */
    uint64_t live;                /* sessions now, each from its attempt to connect on */
    uint64_t sessions;            /* attempts to connect that were begun */
};

struct server_events {
    uint64_t failures[CONNECT_FAILURES_MOST];
    uint64_t ends[ENDS_MOST]; /* of its sessions, but for SESSION_DONE */
    uint64_t checks_passed, checks_failed;
    uint64_t downs;    /* changes from UP to DOWN */
    uint64_t downtime; /* milliseconds that it was DOWN */
    /* These two are no sums: the largest number of sessions that was seen, once a second; and how
     * long the last check took, in microseconds. */
    uint64_t most, check_time;
};

#define RELOAD_RESULTS_MOST 16

struct reload_figures {
    uint64_t results[RELOAD_RESULTS_MOST]; /* reloads, by their exit status */
    uint64_t rolled_back;                  /* of those that succeeded */
    uint64_t time;                         /* of those that succeeded: milliseconds in all */
    uint64_t crashes;                      /* of processes, by whichever process noted them */
};

#define COUNTERS_OF(record)        (sizeof(struct record) / sizeof(uint64_t))
#define COUNTER_OF(record, member) (offsetof(struct record, member) / sizeof(uint64_t))

struct tally_head {
    uint32_t version, workers;
    uint32_t frontends, backends, servers;
    /* Numbers of counters in the records, and in a row: */
    uint32_t frontend, backend, server, event, reload, row;
    atomic_uint used; /* of the servers: so many have a key */
};

struct tally {
    unsigned char *memory; /* NULL: there is no tally */
    struct tally_head as;  /* a copy, made when it was opened; all but `used` */
    /* Where parts begin, in bytes: */
    uint64_t rows, events, reloads;
};

/* The key of a name. `of`: the number of the backend, in the key of a server. */
struct tally_key {
    uint64_t name[2];
    uint64_t of;
};

/* Bytes for the tally of this configuration. */
size_t tally_size(const struct config *config, unsigned workers);

/* Makes it in memory that is zeroed, and starts a cache line. */
void tally_make(struct tally *tally, void *memory, const struct config *config, unsigned workers);

/* That of another process, of any build: false, and memory is NULL, where it makes no sense.
 * It can be read afterwards regardless of what the other process writes. */
bool tally_view(struct tally *tally, void *memory, size_t size);

/* Main thread: gives a server of the backend a record, and returns its number. There is always
 * one: what is too much has the number tally.as.servers, a record that is not shown. */
uint32_t tally_add_server(struct tally *tally, size_t backend, const char *server);

/* Servers that have a record. */
uint32_t tally_servers_used(const struct tally *tally);

/* The keys of the frontends, of the backends, and of the servers. */
const struct tally_key *tally_frontend_keys(const struct tally *tally);
const struct tally_key *tally_backend_keys(const struct tally *tally);
const struct tally_key *tally_server_keys(const struct tally *tally);

/* The row of a worker; row = as.workers: the base. frontend = as.frontends: all frontends that are
 * gone. */
atomic_uint_fast64_t *tally_frontend(const struct tally *tally, unsigned row, size_t frontend);
atomic_uint_fast64_t *tally_backend(const struct tally *tally, unsigned row, size_t backend);
atomic_uint_fast64_t *tally_server(const struct tally *tally, unsigned row, size_t server);

/* Of this process; or, with `base`, of processes that have ended. */
atomic_uint_fast64_t *tally_events(const struct tally *tally, size_t server, bool base);
atomic_uint_fast64_t *tally_reloads(const struct tally *tally, bool base);

/* Adds one to a counter of a server's events. Any thread. */
static inline void tally_event(const struct tally *tally, size_t server, size_t counter)
{
    atomic_fetch_add_explicit(&tally_events(tally, server, false)[counter], 1,
                              memory_order_relaxed);
}

/* Of a duration in microseconds, in the histogram that begins there. By the one thread that writes
 * it. */
static inline void histogram_add(atomic_uint_fast64_t *histogram, uint64_t duration)
{
    unsigned bits = 63u ^ (unsigned)__builtin_clzll(2 * duration + 1);
    counter_add(&histogram[bits], 1);
    counter_add(&histogram[COUNTER_OF(histogram_figures, sum)], duration);
}

#endif
