/* One run of the load generator: its options and its results. One thread runs one epoll loop;
 * exchange.c (messages) or bulk.c (the pattern) serves the sessions. */
#ifndef SCRIPTS_BENCH_LOAD_H
#define SCRIPTS_BENCH_LOAD_H

#include "scripts/bench/histogram.h"
#include "scripts/bench/secure.h"
#include "scripts/bench/wire.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SECOND_NS 1000000000ULL

enum mode {
    MODE_CHURN,     /* connect, one exchange, close; with `server_closes` the origin is first */
    MODE_RTT,       /* exchanges on sessions that stay */
    MODE_HOLD,      /* sessions that idle between a first and a last exchange */
    MODE_DOWNLOAD,  /* the pattern from the origin, compared byte by byte */
    MODE_UPLOAD,    /* the pattern to the origin, which compares */
    MODE_STRANGERS, /* connect, random bytes, and the end: an answer is wrong */
};

enum failure {
    FAILED_REFUSED,
    FAILED_RESET,
    FAILED_CUT_SHORT, /* the connection ended before the answer came */
    FAILED_WRONG,     /* wrong bytes */
    FAILED_TIMEOUT,   /* no progress for options.timeout */
    FAILED_OTHER,     /* a shortage of the generator: no port, no descriptor */
    FAILED_KINDS
};

struct options {
    enum mode mode;
    struct sockaddr_in to;
    size_t sessions;    /* open at a time; with `rate` the most that are open */
    uint64_t rate;      /* churn: connections per second, by the clock; 0: as fast as possible */
    bool hello;         /* a TLS ClientHello stands before the first request of a session */
    bool server_closes; /* churn */
    enum secure secure;
    uint64_t count;            /* operations, without warm-up; 0: until `measured` is over */
    uint64_t warmup, measured; /* nanoseconds */
    uint64_t timeout;          /* nanoseconds */
    const char *cpu_of;        /* pids separated by commas; NULL: none */
};

struct session {
    int fd;   /* -1: closed */
    SSL *tls; /* NULL: the session is plain */
    bool connecting, busy;
    bool shaking;           /* connected, and its TLS handshake goes on */
    bool greeted;           /* the hello is sent, or there is none */
    uint64_t number;        /* of the exchange; in bulk: the first position in the pattern */
    uint64_t since;         /* the start of its latency */
    uint64_t seen;          /* the time of the last progress */
    uint64_t moved, judged; /* bulk: bytes carried, and how many of them are verified */
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
    struct session **closed; /* a stack of the sessions that may be opened */
    size_t closed_count, busy_count;
    uint64_t launched, launch_from; /* launch_from: when the clock of `rate` began */
    bool announced, released;       /* hold: all sessions are open; the last exchanges have begun */
    size_t hold_next; /* hold: the next session to open, or to use for the last exchange */
    /* The results: operations, bytes and latencies of the window; failures of the whole run. */
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

/* session.c. session_connect() adds the descriptor to the epoll set with `events`. It returns
 * false, and counts a failure, if connect(2) fails at once; session_connected(), called at the
 * first event and while `connecting` is true afterwards, returns true when connection and TLS are
 * established. session_close() puts the session on the
 * stack; `well`: its work was done. session_send() and session_receive() are send(2) and recv(2),
 * by TLS where the run uses it. */
bool session_connect(struct run *run, struct session *session, uint32_t events);
bool session_connected(struct run *run, struct session *session, uint32_t events);
void session_close(struct run *run, struct session *session, bool well);
ssize_t session_send(struct session *session, const void *bytes, size_t size);
ssize_t session_receive(struct session *session, void *bytes, size_t size);
void session_fail(struct run *run, struct session *session, enum failure failure);
/* Returns the failure for an errno value of connect, send or recv. */
enum failure failure_of(int error);

#endif
