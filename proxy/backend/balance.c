#include "proxy/backend/balance.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

/* Divisible by every weight up to 16; large against 256, so that rounding does not show; small
 * enough that a server's due time lasts for 10^13 turns. */
#define TURN_SCALE 720720u

static bool earlier(const struct turn *a, const struct turn *b)
{
    return a->due != b->due ? a->due < b->due : a->server < b->server;
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

/* The balancer sees another share of a server than before. */
static void take_share(struct turn *turn, uint32_t share, uint64_t now)
{
    if (turn->share == 0)
        turn->due = now + TURN_SCALE / share;
    else if (share > 0 && turn->due > now)
        turn->due = now + (turn->due - now) * turn->share / share;
    turn->share = share;
}

/* Looks at all servers, and makes the heap anew. */
static void refresh(struct balancer *balancer)
{
    struct turn *turns = balancer->turns;
    size_t all = balancer->backend->conf->server_count;
    balancer->count = 0;
    for (size_t i = 0; i < all; i++) {
        struct turn turn = turns[i];
        uint32_t share = server_share(&balancer->backend->servers[turn.server]);
        if (share != turn.share)
            take_share(&turn, share, balancer->now);
        turns[i] = turns[balancer->count];
        turns[share > 0 ? balancer->count++ : i] = turn;
    }
    for (size_t at = balancer->count / 2; at-- > 0;)
        sift_down(turns, balancer->count, at);
}

int balancer_open(struct balancer *balancer, const struct backend *backend, unsigned offset)
{
    size_t all = backend->conf->server_count;
    *balancer = (struct balancer){.backend = backend};
    balancer->turns = calloc(all ? all : 1, sizeof(struct turn));
    if (!balancer->turns)
        return ENOMEM;
    for (uint32_t i = 0; i < all; i++)
        balancer->turns[i].server = i;
    balancer->version = atomic_load_explicit(&backend->version, memory_order_acquire);
    refresh(balancer);
    for (unsigned i = 0; balancer->count && i < offset % balancer->count; i++)
        (void)balancer_next(balancer, NULL, 0);
    return 0;
}

void balancer_close(struct balancer *balancer)
{
    free(balancer->turns);
}

static bool is_among(uint32_t server, const uint32_t *tried, size_t tried_count)
{
    for (size_t i = 0; i < tried_count; i++)
        if (tried[i] == server)
            return true;
    return false;
}

uint32_t balancer_next(struct balancer *balancer, const uint32_t *tried, size_t tried_count)
{
    unsigned version = atomic_load_explicit(&balancer->backend->version, memory_order_acquire);
    if (version != balancer->version) {
        balancer->version = version;
        refresh(balancer);
    }
    struct turn *heap = balancer->turns;
    size_t left = balancer->count;
    uint32_t found = BALANCE_NONE;

    /* What is passed over is popped to the end of the array, and pushed back below. */
    while (left > 0) {
        if (!is_among(heap[0].server, tried, tried_count)) {
            found = heap[0].server;
            if (heap[0].due > balancer->now)
                balancer->now = heap[0].due;
            heap[0].due += TURN_SCALE / heap[0].share;
            sift_down(heap, left, 0);
            break;
        }
        struct turn passed = heap[0];
        left--;
        heap[0] = heap[left];
        heap[left] = passed;
        sift_down(heap, left, 0);
    }
    for (; left < balancer->count; left++) {
        size_t at = left;
        struct turn moving = heap[at];
        for (; at > 0 && earlier(&moving, &heap[(at - 1) / 2]); at = (at - 1) / 2)
            heap[at] = heap[(at - 1) / 2];
        heap[at] = moving;
    }
    return found;
}
