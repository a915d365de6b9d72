/* One run of the load generator: what it was asked to do, and what came of it. One thread, one
 * epoll loop, and sessions that go through exchange.c (messages) or bulk.c (the pattern). */
#ifndef SCRIPTS_BENCH_LOAD_H
#define SCRIPTS_BENCH_LOAD_H

#include "scripts/bench/histogram.h"
#include "scripts/bench/wire.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND_NS 1000000000ULL

enum mode {
    MODE_CHURN,    /* connect, one exchange, close */
    MODE_RTT,      /* exchanges on sessions that stay */
    MODE_HOLD,     /* sessions that idle between a first and a last exchange */
    MODE_DOWNLOAD, /* the pattern from the origin, compared byte by byte */
    MODE_UPLOAD,   /* the pattern to the origin, which compares */
};

enum failure {
    FAILED_REFUSED,
    FAILED_RESET,
    FAILED_CUT_SHORT, /* the end came before the answer did */
    FAILED_WRONG,     /* other bytes than the right ones */
    FAILED_TIMEOUT,   /* no progress for options.timeout */
    FAILED_OTHER,     /* the generator's own: no port, no descriptor */
    FAILED_KINDS
};

struct options {
    enum mode mode;
    struct sockaddr_in to;
    size_t sessions; /* open at a time; with `rate` the most that are open */
    uint64_t rate;   /* churn: connections a second, by the clock; 0: as fast as it goes */
    uint64_t count;  /* operations, without warm-up; 0: until `measured` is over */
    uint64_t warmup, measured; /* nanoseconds */
    uint64_t timeout;          /* nanoseconds */
    const char *cpu_of;        /* pids with commas between; NULL: none */
};

struct session {
    int fd; /* -1: closed */
    bool connecting, busy;
    uint64_t number;        /* of the exchange, or the pattern's first position */
    uint64_t since;         /* what its latency counts from */
    uint64_t seen;          /* the last progress */
    uint64_t moved, judged; /* bulk: bytes carried, and of these: verified */
    size_t got;
    struct message message;
};

struct run {
    struct options options;
    int epoll;
    uint64_t now; /* read once a turn, CLOCK_MONOTONIC */
    uint64_t window_begin, window_end;
    bool in_window, stopping;
    struct session *sessions;
    struct session **closed; /* a stack of those that may be opened */
    size_t closed_count, busy_count;
    uint64_t launched, launch_from; /* launch_from: when the clock of `rate` began */
    bool announced, released;       /* hold: all sessions stand; the last exchanges have begun */
    size_t hold_next;               /* hold: the next session to open, or to ask */
    /* The outcome: operations, bytes and latencies of the window; failures of all the time. */
    uint64_t operations, bytes, failures[FAILED_KINDS], all_finished;
    uint64_t opened_at, closed_at, cpu_at_open, cpu_at_close;
    struct histogram latencies;
};

/* exchange.c: churn, round trips and held sessions. */
void exchange_turn(struct run *run);
void exchange_event(struct run *run, struct session *session, uint32_t events);

/* bulk.c: downloads and uploads. */
void bulk_turn(struct run *run);
void bulk_event(struct run *run, struct session *session, uint32_t events);

/* session.c. A session takes its descriptor into the epoll set with `events`. connect returns
 * false, and counts a failure, when it fails at once; the result of a connect in progress comes
 * with session_connected(), which is for the first event. close puts the session on the stack. */
bool session_connect(struct run *run, struct session *session, uint32_t events);
bool session_connected(struct run *run, struct session *session, uint32_t events);
void session_close(struct run *run, struct session *session);
void session_fail(struct run *run, struct session *session, enum failure failure);
/* The failure that an errno of connect, send or recv stands for. */
enum failure failure_of(int error);

#endif
