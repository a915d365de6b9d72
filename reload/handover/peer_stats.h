/* The other processes of the proxy, by their shared stats: what they count, and whether they live.
 * So the sums in the status never fall, and limits count the sessions of all.
 *
 * Each process that lives stands for itself; those that are gone stand in the base of exactly one
 * shared stats. The process that serves folds: when a process of its list is gone (its pidfd says
 * so, and nothing can write its shared stats any more), its figures go into the base of this
 * process, and that base goes on to the new process with the shared stats of this process. Once the
 * new process has the list, nothing of it is folded here, since the new process does that. If the
 * new process fails, the processes that are gone by then are folded after all, and with them what
 * the new process had counted itself.
 *
 * A process that is gone while its shared stats still count sessions has crashed, and so has a
 * child with a bad wait status. The process that folds notes it (crash.h). During a handoff the
 * number of lost sessions is an upper bound: sessions under way stand in the shared stats of both
 * processes.
 *
 * A process of another major version has no shared stats: it is known by its messages only. */
#ifndef RPPROXY_RELOAD_HANDOVER_PEER_STATS_H
#define RPPROXY_RELOAD_HANDOVER_PEER_STATS_H

#include "proxy/stats/shared_stats.h"
#include "proxy/stats/tally_sums.h"
#include "reload/handover/channel.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct children;
struct crash;
struct draining_processes;
struct proxy;

/* A process that lives, or is gone and not folded yet. */
struct peer {
    struct stats stats;
    bool base_is_ours; /* a new process that failed: the list of this process has all that is in its
                          base */
    bool gone;         /* has no session, regardless of its shared stats */
    bool counted;      /* in the list */
    bool judged;       /* is the new process, or was: old_side or replacement notes how it ended */
    int outcome;       /* its wait status, once it is gone; 0 where that is not known */
    int process;       /* a pidfd of it, or -1 where there are none */
    struct event *end; /* of the process; NULL: without pidfd */
    size_t *frontends; /* for each frontend of this process its index in the shared stats, or
                          STATS_NO_FRONTEND */
    struct tally_map map; /* which of its frontends, backends and servers are those of this process
                           */
    struct peer_stats *peer_stats;
    TAILQ_ENTRY(peer) link; /* the oldest first */
};

/* What peer_stats needs of this process. All of it outlives peer_stats. */
struct peer_stats_means {
    struct event_base *base;
    struct children *children;
    struct crash *last_crash; /* where a crash is noted */
    /* Processes that say in messages how many sessions they have: */
    const struct draining_processes *draining_processes;
    const struct message_sessions *predecessor; /* its pid is 0 where there is none */
};

struct peer_stats {
    TAILQ_HEAD(peer_list, peer) list;
    struct peer_stats_means means;
    struct proxy *proxy;    /* NULL before peer_stats_begin() */
    struct peer *successor; /* in the list when it counts; NULL: none is known */
    bool successor_folds;   /* and this process does not */
    int process;            /* a pidfd of this process, or -1 */
    struct event *look;     /* at what others have of the limits of this process, and at servers */
    bool limited;           /* there are limits that others count in, or a balance */
    bool balanced;          /* a backend counts sessions for its balance */
    unsigned looks;
    bool forgotten;   /* peer_stats_forget(): only the limits of servers are looked at */
    unsigned *others; /* scratch of that: one for each frontend */
};

/* Returns 0 or an errno value; peer_stats_close() is right after either. */
int peer_stats_open(struct peer_stats *peer_stats, const struct peer_stats_means *means)
    __attribute__((warn_unused_result));
void peer_stats_close(struct peer_stats *peer_stats);

/* The proxy and its shared stats are there. Returns 0 or an errno value. */
int peer_stats_begin(struct peer_stats *peer_stats, struct proxy *proxy)
    __attribute__((warn_unused_result));

/* The limits and the balance of this process count what others have from now on. */
void peer_stats_count(struct peer_stats *peer_stats);

/* Clients come to this process from now on, or not any more: this decides about its shares of the
 * limits of servers (server_limits.h). To be called before another process is told that it may
 * serve. */
void peer_stats_accept(struct peer_stats *peer_stats, bool accepts);

/* MESSAGE_STATS came, from the old process: of itself, or of an older one. What is wrong with it is
 * logged, and then the process counts as one without shared stats. */
void peer_stats_add(struct peer_stats *peer_stats, const struct received *message);

/* The same from the new process, of itself. */
void peer_stats_add_successor(struct peer_stats *peer_stats, const struct received *message);

/* The new process, whose shared stats have come, serves beside this one, or is about to: it counts
 * with the others. */
void peer_stats_count_successor(struct peer_stats *peer_stats);

/* Sends the shared stats of this process and those of the list to the new process, and leaves the
 * folding to it. */
void peer_stats_tell_successor(struct peer_stats *peer_stats, struct channel *successor);

/* Sends the shared stats of this process to the old process, or to one that drains and has to know
 * this one: it may still raise its share of a limit. */
void peer_stats_tell_predecessor(struct peer_stats *peer_stats, struct channel *predecessor);

/* The new process has failed, and this one folds again. */
void peer_stats_resume(struct peer_stats *peer_stats);

/* The same for a canary that has gone back, and drains: it is a former child, and how it ends is
 * noted. */
void peer_stats_keep_canary(struct peer_stats *peer_stats);

/* A child has ended (SIGCHLD): notes how, if it is a former child. */
void peer_stats_on_child(struct peer_stats *peer_stats);

/* Sessions of the new process: if it is gone, those that were lost with it. */
uint64_t peer_stats_successor_live(const struct peer_stats *peer_stats);

/* This process will not serve again, and needs the list no more; it keeps the shared stats of the
 * new process only. Where a server has maxconn it keeps all, for its queue. */
void peer_stats_forget(struct peer_stats *peer_stats);

/* That process has hung up: it is about to exit, and is killed if it does not within 10 s. */
void peer_stats_expect_end(const struct peer_stats *peer_stats, unsigned generation, pid_t pid);

/* The channels of all older processes have come here. One that has no channel and no session has
 * hung up before that, and the same holds for it. */
void peer_stats_expect_ends(const struct peer_stats *peer_stats);

/* The peer of that generation and pid, if it lives, or NULL. */
const struct peer *peer_stats_find(const struct peer_stats *peer_stats, unsigned generation,
                                   pid_t pid);

/* What all processes have counted. */
struct figures peer_stats_figures(const struct peer_stats *peer_stats);

/* What the processes that are gone had counted. */
struct figures peer_stats_base(const struct peer_stats *peer_stats);

/* What all processes have counted of the frontends, backends and servers of this one; `live` is of
 * those that live. Returns 0 or ENOMEM; tally_sums_close() is right after either. */
int peer_stats_tally(const struct peer_stats *peer_stats, struct tally_sums *sums)
    __attribute__((warn_unused_result));

/* To be called once a second while this process serves: notes how many sessions frontends and
 * servers have, and which servers are DOWN. elapsed: milliseconds since the last call. */
void peer_stats_observe(struct peer_stats *peer_stats, uint64_t elapsed);

/* Clients that one of the frontends has refused, in all processes so far. */
struct refusals peer_stats_refusals(const struct peer_stats *peer_stats, size_t frontend);

/* Sessions now of one frontend of this process, in all processes that live; and of all frontends.
 */
uint64_t peer_stats_frontend_live(const struct peer_stats *peer_stats, size_t frontend);
uint64_t peer_stats_live(const struct peer_stats *peer_stats);

#endif
