#include "proxy/backend/balance/roundrobin.h"

#include "config/base/container_of.h"

#include <stdint.h>
#include <stdlib.h>

/* So far apart are the turns of a server with share 1. Large against all shares, and small enough
 * that due times last for 10^12 turns. A multiple of SHARE_OF_ONE, so that after each cycle (so
 * many turns as the sum of the weights) each server has had exactly as many turns as its weight. */
#define TURN_SCALE (UINT64_C(100000) * SHARE_OF_ONE)

struct turn {
    uint64_t due;
    struct server *server;
    uint32_t place; /* of the server in its backend */
    uint32_t share; /* as of the last refresh(); 0: the server has no turns */
    uint32_t step;  /* to its next turn: TURN_SCALE / share, ... */
    uint32_t rest;  /* ... and so many parts of share besides */
    uint32_t parts; /* that have come together */
};

struct roundrobin {
    struct balancer balancer;
    /* Of all servers. The first balancer.usable ones have a share: the first `active` of these form
     * a heap, with the earliest turn first, and those behind it rest, since they were full. */
    struct turn *turns;
    size_t count; /* of all servers */
    size_t active;
    struct place_set resting;
    uint32_t *where; /* by place, of those that rest: the index in turns */
    uint64_t now;    /* no turn that was taken was due later */
};

static struct roundrobin *roundrobin_of(struct balancer *balancer)
{
    return container_of(balancer, struct roundrobin, balancer);
}

static bool earlier(const struct turn *a, const struct turn *b)
{
    return a->due != b->due ? a->due < b->due : a->place < b->place;
}

static void sift_down(struct turn *heap, size_t count, size_t at)
{
    struct turn moving = heap[at];
    for (;;) {
        size_t child = 2 * at + 1;
        if (child >= count)
            break;
        if (child + 1 < count && earlier(&heap[child + 1], &heap[child]))
            child++;
        if (!earlier(&heap[child], &moving))
            break;
        heap[at] = heap[child];
        at = child;
    }
    heap[at] = moving;
}

static void sift_up(struct turn *heap, size_t at)
{
    struct turn moving = heap[at];
    for (; at > 0 && earlier(&moving, &heap[(at - 1) / 2]); at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = moving;
}

/* The share is another one than at the last refresh(). */
static void take_share(struct turn *turn, uint32_t share, uint64_t now)
{
    if (turn->share == 0)
        turn->due = now + TURN_SCALE / share;
    else if (share > 0 && turn->due > now)
        turn->due = now + (turn->due - now) * turn->share / share;
    turn->share = share;
    turn->step = share ? (uint32_t)(TURN_SCALE / share) : 0;
    turn->rest = share ? (uint32_t)(TURN_SCALE % share) : 0;
    turn->parts = turn->rest;
}

static void take_turn(struct turn *turn)
{
    turn->due += turn->step;
    turn->parts += turn->rest;
    if (turn->parts >= turn->share) {
        turn->parts -= turn->share;
        turn->due++;
    }
}

/* Servers that were added since the last refresh() get a turn without a share. */
static bool grow(struct roundrobin *roundrobin, const struct server_set *set)
{
    struct turn *turns = realloc(roundrobin->turns, (set->count + 1) * sizeof *turns);
    if (turns)
        roundrobin->turns = turns;
    uint32_t *where = realloc(roundrobin->where, (set->count + 1) * sizeof *where);
    if (where)
        roundrobin->where = where;
    if (!turns || !where)
        return false;
    for (; roundrobin->count < set->count; roundrobin->count++)
        turns[roundrobin->count] = (struct turn){.server = set->list[roundrobin->count],
                                                 .place = (uint32_t)roundrobin->count};
    return true;
}

static void order(struct turn *heap, size_t count)
{
    for (size_t at = count / 2; at-- > 0;)
        sift_down(heap, count, at);
}

/* No server rests any more. */
static bool refresh(struct balancer *balancer, const struct server_set *set)
{
    struct roundrobin *roundrobin = roundrobin_of(balancer);
    if (roundrobin->count < set->count && !grow(roundrobin, set))
        return false;
    if (!place_set_clear(&roundrobin->resting, roundrobin->count))
        return false;
    struct turn *turns = roundrobin->turns;
    size_t usable = 0;
    for (size_t i = 0; i < roundrobin->count; i++) {
        struct turn turn = turns[i];
        uint32_t share = server_share(turn.server);
        if (share != turn.share)
            take_share(&turn, share, roundrobin->now);
        turns[i] = turns[usable];
        turns[share > 0 ? usable++ : i] = turn;
    }
    order(turns, usable);
    balancer->usable = roundrobin->active = usable;
    return true;
}

static inline struct server *take(struct roundrobin *roundrobin, size_t count, size_t at)
{
    struct turn *heap = roundrobin->turns;
    struct server *server = heap[at].server;
    if (heap[at].due > roundrobin->now)
        roundrobin->now = heap[at].due;
    take_turn(&heap[at]);
    if (count > 1)
        sift_down(heap, count, at);
    return server;
}

static void swap(struct turn *turns, size_t a, size_t b)
{
    struct turn turn = turns[a];
    turns[a] = turns[b];
    turns[b] = turn;
}

static void put_to_rest(struct roundrobin *roundrobin, size_t at)
{
    uint32_t place = roundrobin->turns[at].place;
    roundrobin->where[place] = (uint32_t)at;
    place_set_add(&roundrobin->resting, place);
}

/* A server that rests has its turn again. */
static void return_one(struct roundrobin *roundrobin, size_t place)
{
    struct turn *turns = roundrobin->turns;
    size_t at = roundrobin->where[place], first = roundrobin->active++;
    place_set_remove(&roundrobin->resting, place);
    swap(turns, at, first);
    roundrobin->where[turns[at].place] = (uint32_t)at;
    sift_up(turns, first);
}

/* Servers that rest and may have room again. */
static __attribute__((noinline)) void return_some(struct roundrobin *roundrobin,
                                                  const struct choice *choice)
{
    const struct place_set *resting = &roundrobin->resting;
    for (size_t word = 0; word < resting->count; word++) {
        uint64_t left = choice_of_word(&roundrobin->balancer, choice, resting, word);
        for (; left; left &= left - 1)
            return_one(roundrobin, place_in_word(word, left));
    }
}

/* From here to the end of the heap: those that are full rest from now on. The others are moved to
 * the begin; returns how many there are. */
static size_t rest_from(struct roundrobin *roundrobin, const struct choice *choice, size_t begin)
{
    struct turn *turns = roundrobin->turns;
    size_t left = begin;
    for (size_t i = begin; i < roundrobin->active; i++)
        if (!choice->passes_full || !server_is_full(turns[i].server))
            swap(turns, i, left++);
    for (size_t i = left; i < roundrobin->active; i++)
        put_to_rest(roundrobin, i);
    roundrobin->active = left;
    return left - begin;
}

/* So many servers are popped before all are looked at. */
#define POPS_MAX 8

static struct server *look_at_all(struct roundrobin *roundrobin, const struct choice *choice)
{
    const struct turn *heap = roundrobin->turns;
    size_t count = rest_from(roundrobin, choice, 0), best = count;
    order(roundrobin->turns, count);
    for (size_t i = 0; i < count; i++)
        if (!choice_excludes(choice, heap[i].server) &&
            (best == count || earlier(&heap[i], &heap[best])))
            best = i;
    return best < count ? take(roundrobin, count, best) : NULL;
}

/* The earliest server is excluded. It is popped to the end of the heap, perhaps others as well;
 * those that are full rest there, and the others are pushed back. */
static __attribute__((noinline)) struct server *pass_over(struct roundrobin *roundrobin,
                                                          const struct choice *choice)
{
    struct turn *heap = roundrobin->turns;
    size_t count = roundrobin->active, left = count;
    struct server *found = NULL;
    while (!found && left > 0 && count - left < POPS_MAX) {
        swap(heap, 0, --left);
        sift_down(heap, left, 0);
        if (left > 0 && !choice_excludes(choice, heap[0].server))
            found = take(roundrobin, left, 0);
    }
    bool more = !found && left > 0;
    for (size_t pushed = rest_from(roundrobin, choice, left); pushed > 0; pushed--)
        sift_up(heap, left++);
    return more ? look_at_all(roundrobin, choice) : found;
}

static struct server *next(struct balancer *balancer, const struct choice *choice)
{
    struct roundrobin *roundrobin = roundrobin_of(balancer);
    if (roundrobin->active < balancer->usable)
        return_some(roundrobin, choice);
    size_t count = roundrobin->active;
    if (count == 0)
        return NULL;
    if (!choice_excludes(choice, roundrobin->turns[0].server))
        return take(roundrobin, count, 0);
    return pass_over(roundrobin, choice);
}

static struct balancer *make(void)
{
    struct roundrobin *roundrobin = calloc(1, sizeof *roundrobin);
    return roundrobin ? &roundrobin->balancer : NULL;
}

static void dispose(struct balancer *balancer)
{
    struct roundrobin *roundrobin = roundrobin_of(balancer);
    free(roundrobin->turns);
    free(roundrobin->where);
    free(roundrobin->resting.words);
    free(roundrobin);
}

const struct balance_algorithm balance_roundrobin = {
    .make = make, .free = dispose, .refresh = refresh, .next = next};
