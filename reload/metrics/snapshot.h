/* What the metrics show, as it was at one moment: plain numbers and texts, which belong to the
 * snapshot and never change. The main thread takes it; any thread reads it, also after the proxy is
 * gone. Sums are those of all processes so far, and do not fall at a reload, a crash or a
 * roll-back.
 *
 * Times are microseconds. A limit of 0: there is none. */
#ifndef RPPROXY_RELOAD_METRICS_SNAPSHOT_H
#define RPPROXY_RELOAD_METRICS_SNAPSHOT_H

#include "proxy/stats/shared_stats.h"
#include "proxy/stats/tally_sums.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct generation;

struct metrics_frontend {
    const char *name;
    uint64_t live, max_sessions; /* sessions now, and the limit */
    uint64_t paused;             /* 0 or 1 */
    bool has_tls;                /* it ends TLS */
    struct refusals refusals;
    struct frontend_figures figures;
};

struct metrics_server {
    const char *name;
    struct server_figures figures;
    struct server_events events;
    uint64_t maxconn;  /* 0: no limit */
    const char *admin; /* "ready", "drain", "maint" */
    const char *check; /* "up", "down", "off" */
    bool is_checked, backup;
    uint64_t usable, check_up, ejected; /* 0 or 1 */
    uint64_t weight;
    uint64_t changed_at; /* seconds since 1970 */
};

struct metrics_backend {
    const char *name;
    uint64_t live;        /* sessions of its servers now */
    uint64_t usable, all; /* servers that get connections; all of them */
    struct metrics_server *servers;
    size_t server_count;
    struct backend_figures figures; /* bytes and sessions: of all servers, also of those that are
                                       no longer in the configuration */
    bool has_tls;                   /* a server of it has tls=yes */
    bool has_queue;
    uint64_t waiting;     /* sessions in the queue now */
    uint64_t max_waiting; /* 0: no limit, or no queue */
};

/* With which clients of a frontend are met. */
struct metrics_certificate {
    const char *frontend, *file;
    const char *name;    /* the first of its names, or its subject */
    uint64_t expires_at; /* seconds since 1970 */
};

struct metrics_canary {
    bool any;
    uint64_t left;  /* milliseconds */
    uint64_t share; /* of the new connections: in hundredths of a percent */
    struct figures canary, predecessor;
};

/* This process, as the operating system sees it. */
struct metrics_process {
    bool measured;
    uint64_t cpu;                    /* microseconds, of user and system */
    uint64_t started_at;             /* milliseconds since 1970 */
    uint64_t resident, virtual_size; /* bytes */
    uint64_t descriptors, descriptors_most, threads;
};

struct metrics_snapshot {
    const char *version, *state;
    uint64_t generation, workers;
    uint64_t generations; /* that live, this one among them */
    uint64_t live, max_sessions;
    bool drains;         /* generations before this one have sessions to end */
    uint64_t draining;   /* their sessions */
    bool drain_ends;     /* what is left of them then is closed: ... */
    uint64_t drain_left; /* ... in so many milliseconds, the last of it */
    struct figures figures;
    struct reload_figures reloads;
    uint64_t reload_count; /* those that succeeded */
    /* The last reload: */
    bool reloaded;
    const char *reload_result;
    uint64_t reload_at;       /* seconds since 1970 */
    uint64_t reload_duration; /* milliseconds */
    uint64_t crashed_at;      /* seconds since 1970; 0: no crash is known of */
    struct metrics_canary canary;
    struct metrics_process process;
    struct metrics_frontend *frontends;
    size_t frontend_count;
    struct metrics_backend *backends;
    size_t backend_count;
    struct metrics_certificate *certificates;
    size_t certificate_count;
    uint64_t log_dropped; /* lines of this process that were lost */
    bool server_series;   /* metrics have series for each server */
    char *texts;          /* all names and texts */
};

/* The result of a reload that ended with that exit status, as the metrics name it; NULL: it has no
 * name. */
const char *metrics_result_name(unsigned status);

/* Main thread. NULL: out of memory, or there is no proxy yet. */
struct metrics_snapshot *metrics_collect(const struct generation *generation)
    __attribute__((warn_unused_result));

/* Any thread: adds the figures of the process. With a hundred thousand descriptors the kernel takes
 * some milliseconds to count them, so the main thread is spared this. What cannot be read is 0. */
void metrics_measure(struct metrics_snapshot *snapshot);

/* NULL is fine. */
void metrics_free(struct metrics_snapshot *snapshot);

#endif
