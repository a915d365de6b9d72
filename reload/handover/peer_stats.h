/* The generations around ours, by their ledgers: what they count, and whether they live. Thus the
 * status tells sums that never fall, and limits count the sessions of all.
 *
 * Each generation that lives stands for itself; those that are gone stand in the base of exactly
 * one ledger. Whoever serves folds: when a generation of its list is gone (its pidfd says so, and
 * nothing can write its ledger any more) its figures go into our base, and our base goes on to our
 * successor with our ledger. From the moment on at which we have told a successor of the list
 * nothing of it is folded here, since the successor does that now; if the successor fails, what is
 * gone by then is folded after all, and with it what the successor had counted itself.
 *
 * One that is gone while its ledger still counts sessions has crashed, and so has a child that
 * ended badly; which is noted (crash.h), by whoever has its channel, and may have sessions of it.
 * So while our predecessor has not closed, it judges the older ones, and tells us (RELOADED); if it
 * is lost as well, nobody does.
 *
 * A generation of an older build has no ledger: it is known by its messages only. */
#ifndef RPPROXY_RELOAD_HANDOVER_PEER_STATS_H
#define RPPROXY_RELOAD_HANDOVER_PEER_STATS_H

#include "proxy/stats/shared_stats.h"
#include "reload/handover/channel.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/queue.h>
#include <sys/types.h>

struct generation;

/* One that lives, or is gone and not folded yet. */
struct relative {
    struct ledger ledger;
    bool base_is_ours; /* a successor that failed: what its base has is in our list, too */
    bool gone;         /* has no session, whatever its ledger says */
    bool counted;      /* in the list */
    bool judged;       /* our successor, or was: handover or heir tells how it ended */
    unsigned arrived;  /* of its sessions, here and at those before us */
    unsigned left;     /* of them, what its ledger said of it before the first arrived */
    int process;       /* a pidfd of it, or -1 where there are none */
    struct event *end; /* of the process; NULL: without pidfd */
    size_t *frontends; /* for each of ours its index in the ledger, or LEDGER_NO_FRONTEND */
    struct lineage *lineage;
    TAILQ_ENTRY(relative) link; /* the oldest first */
};

struct lineage {
    TAILQ_HEAD(relative_list, relative) list;
    struct generation *generation;
    struct relative *successor; /* in the list when it counts; NULL: none is known */
    struct relative *heir;      /* of a canary that has gone back: who has its sessions; or NULL */
    bool told;                  /* our successor folds, not we */
    int process;                /* our own pidfd, or -1 */
    struct event *look;         /* at what others have of our limits */
    bool limited;               /* we have limits that others count in */
    unsigned *others;           /* scratch of that: one for each frontend */
};

/* Returns 0 or an errno value; lineage_close() is right after either. */
int lineage_open(struct lineage *lineage, struct generation *generation)
    __attribute__((warn_unused_result));
void lineage_close(struct lineage *lineage);

/* The proxy and its ledger are there. Returns 0 or an errno value. */
int lineage_begin(struct lineage *lineage) __attribute__((warn_unused_result));

/* We serve: our limits count what others have from now on. */
void lineage_count(struct lineage *lineage);

/* MESSAGE_LEDGER came, from our predecessor: of itself, or of an older one. What is wrong with it
 * is logged, and then its sender counts as one without. */
void lineage_add(struct lineage *lineage, const struct received *message);

/* The same from our successor, of itself. */
void lineage_add_successor(struct lineage *lineage, const struct received *message);

/* Our successor, whose ledger has come, serves beside us: it counts with the others. */
void lineage_count_successor(struct lineage *lineage);

/* Tells our successor of ourselves and of the list, and leaves the folding to it. */
void lineage_tell_successor(struct lineage *lineage, struct channel *successor);

/* Tells our predecessor of ourselves. */
void lineage_tell_predecessor(struct lineage *lineage, struct channel *predecessor);

/* Our successor has failed, and we fold again. */
void lineage_resume(struct lineage *lineage);

/* The same of a canary that has gone back, and drains: it is among the former children, and how it
 * ends is noted. */
void lineage_keep_canary(struct lineage *lineage);

/* We were a canary: that generation, our predecessor, is to have our sessions. If it crashes then,
 * its life file is made exact. */
void lineage_turn(struct lineage *lineage, unsigned generation, pid_t pid);

/* A child of ours has ended (SIGCHLD): notes it if it is a former one, and buries it. */
void lineage_on_child(struct lineage *lineage);

/* That of a generation from which sessions are about to come, or NULL. Those that do are to be
 * added to `arrived`: they are not lost if it ends before it knows. */
struct relative *lineage_sender(struct lineage *lineage, unsigned generation, pid_t pid);

/* Whoever is gone by now has been judged then, also if the loop has not heard of it yet. */
void lineage_hear_ends(struct lineage *lineage);

/* Tells our successor what has arrived here of each, before it gets the channels to them. */
void lineage_tell_arrivals(const struct lineage *lineage, struct channel *successor);

/* MESSAGE_ARRIVED came. */
void lineage_hear_arrivals(struct lineage *lineage, const struct message_arrived *arrived);

/* Sessions that go with that generation if it is gone now; 0 where it is not known. Exact once all
 * that it had sent was heard, and nothing of it runs any more. */
uint64_t lineage_lost_with(const struct lineage *lineage, unsigned generation, pid_t pid);

/* Sessions that our successor has: if it is gone, those that went with it. */
uint64_t lineage_successor_live(const struct lineage *lineage);

/* We will not serve again, and need the list no more; but what our successor has we still know. */
void lineage_forget(struct lineage *lineage);

/* That of the generation that is this process, if it lives, or NULL. */
const struct relative *lineage_find(const struct lineage *lineage, unsigned generation, pid_t pid);

/* What all generations have counted. */
struct figures lineage_figures(const struct lineage *lineage);

/* What those that are gone had. */
struct figures lineage_base(const struct lineage *lineage);

/* Sessions now of one of our frontends, in all generations that live; and of all frontends. */
uint64_t lineage_frontend_live(const struct lineage *lineage, size_t frontend);
uint64_t lineage_live(const struct lineage *lineage);

#endif
