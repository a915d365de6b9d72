/* How several processes share a limit, so that all of them together never exceed it.
 *
 * While a reload is under way, and as long as an older process drains, two or more processes take
 * places of one server. Each process has a share, which is the maximum of its own limit
 * (pool.h), and writes only its own figures, where the others read them. No process takes from
 * another: each lowers its own share when another one is to have the places, and raises it when the
 * places are free.
 *
 * Raising is safe without a lock, because it has two steps: a process first writes its new claim,
 * then reads the claims of all others, and takes the places only if the sum is within the limit;
 * else it withdraws the claim. Of two processes that raise at the same time, the one that wrote
 * later sees the claim of the other. (All accesses are sequentially consistent.) Lowering has the
 * opposite order: first the maximum, then the claim.
 *
 * This module is the arithmetic; no threads, no memory of other processes. */
#ifndef RPPROXY_PROXY_CORE_LIMIT_SHARES_H
#define RPPROXY_PROXY_CORE_LIMIT_SHARES_H

#include <stdbool.h>
#include <stddef.h>

/* What a process says of one limit. */
struct share_view {
    unsigned used;   /* places in use */
    unsigned claim;  /* its share, or what it wants to raise its share to */
    unsigned wanted; /* by waiters */
    bool accepts;    /* new clients come to the process */
    bool elder;      /* the process is older than the one that asks */
};

/* What nobody else can have: the claim of a process, or more, where it has got sessions from
 * another process. */
static inline unsigned share_held(const struct share_view *view)
{
    return view->claim > view->used ? view->claim : view->used;
}

/* The share that a process goes for; it has to be raised as described above.
 *
 * A process that accepts no clients any more has what it uses, and what its waiters want: they came
 * before the clients of the others, and there are fewer of them every moment. All else is for the
 * process that accepts. Two that accept (a canary) share by what they use and want. */
unsigned share_target(unsigned limit, const struct share_view *own, const struct share_view *others,
                      size_t count);

/* The most to which the process can raise its share now. */
unsigned share_ceiling(unsigned limit, const struct share_view *others, size_t count);

#endif
