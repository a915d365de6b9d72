/* The generations around ours, by their shared stats: what they count, and whether they live. Thus
 * the status tells sums that never fall, and limits count the sessions of all.
 *
 * Each generation that lives stands for itself; those that are gone stand in the base of exactly
 * one shared stats. Whoever serves folds: when a generation of its list is gone (its pidfd says so,
 * and nothing can write its shared stats any more) its figures go into our base, and our base goes
 * on to our successor with our shared stats. From the moment on at which we have told a successor
 * of the list nothing of it is folded here, since the successor does that now; if the successor
 * fails, what is gone by then is folded after all, and with it what the successor had counted
 * itself.
 *
 * A generation that is gone while its shared stats still counts sessions has crashed, and so has a
 * child with a bad wait status. The process that folds notes it (crash.h). In the midst of a
 * handoff the number of lost sessions is an upper bound: sessions under way stand in both shared
 * stats.
 *
 * A generation of another major version has no shared stats: it is known by its messages only. */
#ifndef RPPROXY_RELOAD_HANDOVER_PEER_STATS_H
#define RPPROXY_RELOAD_HANDOVER_PEER_STATS_H

#include "proxy/stats/shared_stats.h"
#include "reload/handover/channel.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct children;
struct crash;
struct draining_processes;
struct proxy;

/* One that lives, or is gone and not folded yet. */
struct peer {
    struct stats stats;
    bool base_is_ours; /* a successor that failed: what its base has is in our list, too */
    bool gone;         /* has no session, whatever its shared stats says */
    bool counted;      /* in the list */
    bool judged;       /* our successor, or was: handover or replacement notes how it ended */
    int outcome;       /* its wait status, once it is gone; 0 where that is not known */
    int process;       /* a pidfd of it, or -1 where there are none */
    struct event *end; /* of the process; NULL: without pidfd */
    size_t *frontends; /* for each of ours its index in the shared stats, or STATS_NO_FRONTEND */
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
    int process;            /* our own pidfd, or -1 */
    struct event *look;     /* at what others have of our limits */
    bool limited;           /* we have limits that others count in */
    unsigned *others;       /* scratch of that: one for each frontend */
};

/* Returns 0 or an errno value; peer_stats_close() is right after either. */
int peer_stats_open(struct peer_stats *peer_stats, const struct peer_stats_means *means)
    __attribute__((warn_unused_result));
void peer_stats_close(struct peer_stats *peer_stats);

/* The proxy and its shared stats are there. Returns 0 or an errno value. */
int peer_stats_begin(struct peer_stats *peer_stats, struct proxy *proxy)
    __attribute__((warn_unused_result));

/* We serve: our limits count what others have from now on. */
void peer_stats_count(struct peer_stats *peer_stats);

/* MESSAGE_STATS came, from our predecessor: of itself, or of an older one. What is wrong with it
 * is logged, and then its sender counts as one without. */
void peer_stats_add(struct peer_stats *peer_stats, const struct received *message);

/* The same from our successor, of itself. */
void peer_stats_add_successor(struct peer_stats *peer_stats, const struct received *message);

/* Our successor, whose shared stats has come, serves beside us: it counts with the others. */
void peer_stats_count_successor(struct peer_stats *peer_stats);

/* Tells our successor of ourselves and of the list, and leaves the folding to it. */
void peer_stats_tell_successor(struct peer_stats *peer_stats, struct channel *successor);

/* Tells our predecessor of ourselves. */
void peer_stats_tell_predecessor(struct peer_stats *peer_stats, struct channel *predecessor);

/* Our successor has failed, and we fold again. */
void peer_stats_resume(struct peer_stats *peer_stats);

/* The same of a canary that has gone back, and drains: it is among the former children, and how it
 * ends is noted. */
void peer_stats_keep_canary(struct peer_stats *peer_stats);

/* A child of ours has ended (SIGCHLD): notes it if it is a former one, and buries it. */
void peer_stats_on_child(struct peer_stats *peer_stats);

/* Sessions that our successor has: if it is gone, those that went with it. */
uint64_t peer_stats_successor_live(const struct peer_stats *peer_stats);

/* We will not serve again, and need the list no more; but what our successor has we still know. */
void peer_stats_forget(struct peer_stats *peer_stats);

/* That generation has hung up: it is about to exit, and is killed if it does not within 10 s. */
void peer_stats_expect_end(const struct peer_stats *peer_stats, unsigned generation, pid_t pid);

/* That of the generation that is this process, if it lives, or NULL. */
const struct peer *peer_stats_find(const struct peer_stats *peer_stats, unsigned generation,
                                   pid_t pid);

/* What all generations have counted. */
struct figures peer_stats_figures(const struct peer_stats *peer_stats);

/* What those that are gone had. */
struct figures peer_stats_base(const struct peer_stats *peer_stats);

/* Sessions now of one of our frontends, in all generations that live; and of all frontends. */
uint64_t peer_stats_frontend_live(const struct peer_stats *peer_stats, size_t frontend);
uint64_t peer_stats_live(const struct peer_stats *peer_stats);

#endif
