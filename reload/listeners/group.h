/* Where the listeners of a reuseport group stand, as pure arithmetic.
 *
 * The kernel numbers the members of a group in the order of their listen(). When a member closes,
 * the last one moves into its slot. The predecessor's k listeners stand at [0, k) and the
 * successor's m behind them at [k, k + m). Closing always the predecessor's highest index keeps
 * the successor's contiguous, and turns them by one:
 *
 *     k = 2, m = 3      0 1 2 3 4
 *     before            a b X Y Z
 *     index 1 closed    a Z X Y        rotation 1
 *     index 0 closed    Y Z X          rotation 2
 *
 * Every generation opens at least GROUP_MIN listeners a bind, so that while one index closes
 * there is a range that holds the successor's listeners alone both before and after it. A bind
 * whose workers share one listener has GROUP_MIN listeners too, and all workers wait on all of
 * them: group_shared() gets the connections, and the other one gets some only while the predecessor
 * closes.
 *
 * With `steer=cpu` listener i, in the order of listen(), is worker i's, and worker i is on the CPU
 * that is the (i modulo n)-th of the n given: the CPU at place p serves workers p, p + n, p + 2n...
 */
#ifndef RPPROXY_RELOAD_LISTENERS_GROUP_H
#define RPPROXY_RELOAD_LISTENERS_GROUP_H

#define GROUP_MIN 2

/* The indices [first, first + count) of a group. */
struct steer_range {
    unsigned first;
    unsigned count;
};

/* The generation that stands alone, or that a successor is about to join: [0, own). */
struct steer_range group_pinned(unsigned own);

/* The one listener of [first, first + own) that gets everything, of a bind that workers share. */
struct steer_range group_shared(unsigned first);

/* The successor's listeners while all of the predecessor's are open. */
struct steer_range group_handed_over(unsigned old, unsigned own);

/* Where there is no successor, so many sinks (see steering.h) listen behind `own` listeners, and
 * group_sunk() is steered to: the first of them, which keeps its index, since each of own that
 * closes, in any order, moves another of the sinks into its place. */
unsigned group_sinks(unsigned own);
struct steer_range group_sunk(unsigned own);

/* The range to steer to before the predecessor closes its highest index `closing`: the
 * successor's listeners that the close neither moves nor lets others move onto. It is valid
 * before and after the close. own is at least GROUP_MIN. */
struct steer_range group_while_closing(unsigned closing, unsigned own);

/* A generation's rotation is 0 when it listens. The rotation after `closed` of the predecessor's
 * listeners have closed, the highest index first. */
unsigned group_rotation(unsigned rotation, unsigned own, unsigned closed);

/* Which of a generation's own listeners, numbered in the order of their listen(), stands at
 * the position-th index of its range. position is less than own. */
unsigned group_standing(unsigned position, unsigned own, unsigned rotation);

/* Where such a listener stands in its range: the inverse of group_standing(). */
unsigned group_position(unsigned listener, unsigned own, unsigned rotation);

/* How many of so many workers are on the place-th of so many CPUs. */
unsigned group_sharers(unsigned place, unsigned cpus, unsigned workers);

#endif
