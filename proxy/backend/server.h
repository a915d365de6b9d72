/* Servers and backends as they are now. struct server_conf and struct backend_conf are what the
 * file says; they never change.
 *
 *   admin state, by command              check state, by checks
 *
 *   READY <--> DRAIN                          fall failures in a row
 *      ^        ^                        UP ---------------------------> DOWN
 *      |        |                           <---------------------------
 *      +-> MAINT <-+                          rise successes in a row
 *
 *   ejection, by what sessions meet: ejection.h
 *
 *   advice, by an agent (check = agent): DRAIN and MAINT keep clients away as the admin states do,
 *   but the agent is asked on; a percentage scales the weight
 *
 * The states do not depend on each other. A server is usable while it is READY, UP, not ejected,
 * has an address, has a weight above 0, and its agent does not say otherwise. The election
 * (election.h) decides which of the usable servers get new connections. A change never touches the
 * connections that a server already has, but where the sessions of a server that goes down are to
 * end (on-down = close): then `ending` is set until it is UP again, and backend->on_down is called.
 *
 * A server that follows another one (check-track) is not checked: its check state is that of the
 * other, and it gets no new connections either while the other one's admin state or agent keeps
 * them away.
 *
 * Before its first check a server counts as UP (or DOWN, check-initial), but the first check that
 * contradicts this decides: a server that was never seen up gets no `fall` attempts. The same rule
 * holds for a server that comes back from MAINT, where it is not checked, and for one that has got
 * another address.
 *
 * A server lives as long as its backend, so a pointer to it stays valid in any thread. A server
 * that leaves the service loses its address, and can get another one later.
 *
 * The main thread makes all changes. Functions marked "any thread" are for workers as well. */
#ifndef RPPROXY_PROXY_BACKEND_SERVER_H
#define RPPROXY_PROXY_BACKEND_SERVER_H

#include "config/base/condition.h"
#include "config/base/happening.h"
#include "config/model/config.h"
#include "proxy/backend/ejection.h"
#include "proxy/backend/election.h"
#include "proxy/core/reclaim.h"
#include "proxy/stats/tally.h"

#include <event2/event_struct.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct backend;
struct balance_algorithm;
struct balance_table;
struct balancer;
struct queue;
struct seat;

enum admin_state { ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINT };
enum check_state { CHECK_UP, CHECK_DOWN };

#define SERVER_REASON_MAX 160

/* What the old process hands over to the new one. */
struct server_state {
    enum admin_state admin;
    enum check_state check; /* UP for a server that is not checked */
    unsigned streak;        /* checks in a row that contradict the check state */
    int last_error;         /* of the last check: 0, an errno value, or SERVER_UNCHECKED */
    unsigned weight;
    uint64_t changed_at;  /* last change of admin state, check state, weight, address, or of being
                             ejected: seconds since 1970 */
    uint64_t answered_at; /* when its name was last answered with this address: milliseconds,
                             CLOCK_MONOTONIC; 0: it has no name, or never was */
    unsigned maxconn;     /* 1 more than what a command has set; 0: as its line in the file says */
    unsigned told_weight; /* by its SRV record; 0: there is none */
    bool backup;          /* as its line in the file says, or its SRV record */
    /* Why the last check failed, where last_error alone does not say it; "": it does. One line. */
    char reason[SERVER_REASON_MAX];
    /* Milliseconds, CLOCK_MONOTONIC: */
    struct ejection ejection;
    uint64_t up_since;      /* slow start began; 0: there is none */
    bool holds;             /* failback = no: it has taken over */
    enum agent_state agent; /* READY counts as NOTHING */
    int agent_percent;      /* of the weight; -1: nothing was said */
};

#define SERVER_UNCHECKED (-1)

/* How soon a server is checked again. */
enum check_pace {
    PACE_NORMAL,
    PACE_CHANGING, /* the last check contradicts the check state */
    PACE_DOWN,
};

/* Sums over all workers. */
struct server_sessions {
    uint64_t live, all;
};

/* Never changes once it is published. */
struct endpoint {
    struct retired retired;
    struct address address;
};

/* What the log has said of attempts of sessions to connect that failed (outages.h). */
struct server_outage {
    uint64_t seen[CONNECT_FAILURES]; /* by reason */
    uint64_t untold;                 /* of them, not in a line yet */
    uint64_t told_at;                /* milliseconds, CLOCK_MONOTONIC */
    struct condition condition;      /* the reason: enum connect_failure + 1 */
};

struct server {
    const struct server_conf *conf; /* the line of the file that the server comes from */
    struct backend *backend;
    char *name;
    uint32_t place;  /* in its backend: 0, 1 and so on; never changes */
    uint32_t record; /* of the tally's servers, its number */
    struct server_state now;
    /* The next check: milliseconds, CLOCK_MONOTONIC; 0: not planned. The thread of the checks
     * writes it while checks run, else the main thread. */
    atomic_uint_fast64_t check_due;
    /* For checks.h: called at each change of the server, and for each state that it takes over. */
    void (*on_change)(struct server *server);
    void *checking;
    struct fail_times fail_times;
    struct server_outage outage;
    /* Why the last TLS handshake failed that failed: a text that lives for ever; NULL: none did.
     * Any thread. */
    _Atomic(const char *) tls_error;
    bool is_back;              /* its ejection has just ended, and is to be told */
    struct task failures_task; /* to the main thread: failures is no longer 0 */
    struct seat *seat;         /* queue.h; NULL: no server of the backend has maxconn */
    struct server *lead;       /* whose state it follows; NULL: none */
    struct server *first_follower, *next_follower;
    atomic_bool ending;                  /* it is DOWN, and its sessions are to end */
    _Atomic(struct endpoint *) endpoint; /* NULL: no address */
    atomic_uint share;
    /* What all workers write: */
    _Alignas(64) atomic_uint used; /* sessions of all workers, where the algorithm counts them */
    atomic_uint others;            /* the same, of other processes, as the main thread last saw */
    atomic_uint failures;          /* of which the main thread has not been told yet */
};

/* Two fields of an event (happening.h): which server it is. */
#define SERVER_FIELDS(server)                                                                      \
    happening_word("backend", (server)->backend->conf->name),                                      \
        happening_word("server", (server)->name)

/* All servers of a backend. Never changes once it is published; a later set has the servers of the
 * earlier one at the same places, and more behind them. */
struct server_set {
    struct retired retired;
    size_t count;
    struct server *list[];
};

#define BACKEND_COUNTS_SERVERS 1u /* the algorithm asks server_used() */
#define BACKEND_COUNTS_ALL     2u /* the access log counts the backend's sessions */

/* backend.h makes it. A worker sees changes by two atomic values: the pointer to the set, and the
 * version, which changes after each change of the set or of a share. */
struct backend {
    const struct backend_conf *conf;
    struct balancer **balancers; /* one for each worker */
    unsigned workers;
    struct tally *tally;  /* in the shared stats; NULL: nothing is counted */
    size_t number;        /* in the configuration */
    uint32_t tally_place; /* counters of the tally's backends before its own */
    atomic_uint version;
    _Atomic(struct server_set *) set;
    size_t usable; /* servers that have a share */
    const struct balance_algorithm *algorithm;
    _Atomic(struct balance_table *) table; /* of an algorithm that has one; NULL: none */
    unsigned counts;                       /* BACKEND_COUNTS_...: what sessions count in */
    /* A connection to a server is more than a plain one: it is tuned, begins with a header, or has
     * a source. */
    bool prepares;
    struct elected elected;
    struct queue *queue; /* queue.h; NULL: no server has maxconn */
    /* The share of a server is another one, or the part of its whole share that it has in a slow
     * start: percent, 1 to 100. NULL: there is no queue. */
    void (*on_share)(struct server *server, unsigned percent);
    struct reclaimer *reclaimer;
    /* Something has changed that shares depend on (weights.h); tell: it is logged who serves now.
     */
    void (*weigh)(struct backend *backend, bool tell);
    struct event timer;  /* of the next change that time brings */
    bool has_timer;      /* backend_start() was called */
    bool table_is_stale; /* and is made at table_due, or later: milliseconds, CLOCK_MONOTONIC */
    uint64_t table_due;
    /* A server has changed (its streak and last_error apart); may be NULL. */
    void (*on_change)(struct server *server, bool by_command, void *arg);
    /* server->ending was set; may be NULL. */
    void (*on_down)(struct server *server, void *arg);
    void *arg;
    _Alignas(64) atomic_uint live; /* sessions of all servers, with BACKEND_COUNTS_ALL */
};

/* All servers, with and without a share. Any thread; a worker must not keep the pointer to the set
 * when its callback returns (core/reclaim.h), but may keep pointers to servers. */
static inline const struct server_set *backend_servers(const struct backend *backend)
{
    return atomic_load_explicit(&backend->set, memory_order_acquire);
}

/* For backend.c. Makes a server, READY and UP, with the weight of conf. address may be NULL: none
 * yet. conf must outlive the server. NULL: out of memory. */
struct server *server_new(struct backend *backend, const struct server_conf *conf, const char *name,
                          const struct address *address, uint32_t place)
    __attribute__((warn_unused_result));
void server_free(struct server *server);

/* A server of weight 1 has this share, unless a slow start makes it less. */
#define SHARE_OF_ONE 100u

/* What counts in the balance: weight x SHARE_OF_ONE, less in a slow start, or 0 while the server
 * must not get connections. A thread that has read the backend's version (acquire) before sees at
 * least the shares of that version. Any thread. */
static inline unsigned server_share(const struct server *server)
{
    return atomic_load_explicit(&server->share, memory_order_relaxed);
}

/* Where to connect to, or NULL: the server has no address. Any thread; a worker must not keep the
 * pointer when its callback returns. */
static inline const struct address *server_address(const struct server *server)
{
    const struct endpoint *endpoint = atomic_load_explicit(&server->endpoint, memory_order_acquire);
    return endpoint ? &endpoint->address : NULL;
}

/* The sessions that the server has now, in all processes; only with BACKEND_COUNTS_SERVERS. Any
 * thread. */
static inline unsigned server_used(const struct server *server)
{
    return atomic_load_explicit(&server->used, memory_order_relaxed) +
           atomic_load_explicit(&server->others, memory_order_relaxed);
}

/* A session could not be connected to the server, or was reset by it before a byte came. The main
 * thread is told, if the backend wants to know. Any thread. */
void server_count_failure(struct server *server);

/* Adds one to a counter of struct server_events. Any thread. */
void server_count_event(const struct server *server, size_t counter);

/* How long the last check took, in microseconds. The thread of the checks. */
void server_note_check_time(const struct server *server, uint64_t time);

/* What the workers of this process have counted. Any thread. */
struct server_sessions server_count_sessions(const struct server *server);

/* Whether the server could get connections, if it were elected. */
bool server_is_usable(const struct server *server);

/* For the modules of this folder. The server's state is another one: weighs anew, and tells. */
void server_changed(struct server *server, bool by_command);

/* The server comes into the service, and begins with a small share where there is a slow start. */
void server_comes_up(struct server *server);

/* By command; logged. READY ends an ejection. Weights beyond SERVER_WEIGHT_MAX are a mistake of the
 * caller. */
void server_set_admin(struct server *server, enum admin_state admin);
void server_set_weight(struct server *server, unsigned weight);

/* By command; logged. 0: no limit. At most SESSIONS_MAX. False: the server has no seat, since its
 * backend has no queue (queue.h), and nothing has changed. */
bool server_set_maxconn(struct server *server, unsigned maxconn);

/* What all processes together may have on the server, in full; 0: no limit. */
unsigned server_maxconn(const struct server *server);

/* Before the process serves: as server_set_address(), but for what is known from the begin on:
 * nothing is logged, and nothing reported. */
int server_begin_address(struct server *server, const struct address *address)
    __attribute__((warn_unused_result));

void server_begin_record(struct server *server, unsigned weight, bool backup);

/* What an SRV record says; changes are logged. A weight that a command has set stays until the
 * record has another one than before. */
void server_follow_record(struct server *server, unsigned weight, bool backup);

/* Gives the server another address, or none (NULL); logged. The first check of a new address
 * decides about the check state. Sessions keep the connections they have. Returns 0, or ENOMEM:
 * nothing has changed. */
int server_set_address(struct server *server, const struct address *address)
    __attribute__((warn_unused_result));

/* A check has ended. A change of the check state is logged, with the reason: an errno value or, if
 * it is not empty, the text. */
void server_passed(struct server *server);
void server_failed(struct server *server, int error, const char *reason);

/* What another process has found by its checks, where this one checks no server any more. The same
 * follows as of checks here. */
void server_hear_check(struct server *server, const struct server_state *state);

/* What an agent said in a check: its advice, and a percentage of the weight or -1, which leaves the
 * percentage as it is. A change is logged. */
void server_advised(struct server *server, enum agent_state agent, int percent);

/* From now on the server follows the state of another one, which is checked or follows itself; no
 * server follows itself. */
void server_follow(struct server *server, struct server *lead);

/* True: server->ending. Any thread. */
static inline bool server_is_ending(const struct server *server)
{
    return atomic_load_explicit(&server->ending, memory_order_acquire);
}

/* Why the last check failed; "passed", or "not checked". Valid until the next check. */
const char *server_last_check(const struct server *server);

enum check_pace server_check_pace(const struct server *server);

/* Takes over the state that another process had of this server, and its plan for the next check
 * (check_due); logs nothing. Corrects what cannot be true here: a streak too long for `rise` and
 * `fall`, a check state where nothing is checked. */
void server_adopt(struct server *server, const struct server_state *state, uint64_t check_due);

/* The backup had taken over in another process (failback = no), and does so here as long as it is
 * usable. Of its state nothing else is taken over. */
void server_take_over(struct server *server);

const char *server_admin_name(enum admin_state admin);      /* "ready", "drain", "maint" */
const char *server_agent_name(const struct server *server); /* the same; "-": it said nothing */
const char *server_check_name(const struct server *server); /* "up", "down"; "off": no checks */

#endif
