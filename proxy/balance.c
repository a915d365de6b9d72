#include "proxy/balance.h"

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

static uint64_t period(const struct balancer *balancer, uint32_t server)
{
    return TURN_SCALE / balancer->backend->servers[server].weight;
}

int balancer_open(struct balancer *balancer, const struct backend_conf *backend, unsigned offset)
{
    *balancer = (struct balancer){.backend = backend};
    balancer->heap = calloc(backend->server_count ? backend->server_count : 1, sizeof(struct turn));
    if (!balancer->heap)
        return ENOMEM;
    for (uint32_t i = 0; i < backend->server_count; i++)
        if (backend->servers[i].weight > 0)
            balancer->heap[balancer->count++] =
                (struct turn){.due = period(balancer, i), .server = i};
    for (size_t at = balancer->count / 2; at-- > 0;)
        sift_down(balancer->heap, balancer->count, at);
    for (unsigned i = 0; balancer->count && i < offset % balancer->count; i++)
        (void)balancer_next(balancer, NULL, 0);
    return 0;
}

void balancer_close(struct balancer *balancer)
{
    free(balancer->heap);
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
    struct turn *heap = balancer->heap;
    size_t left = balancer->count;
    uint32_t found = BALANCE_NONE;

    /* What is passed over is popped to the end of the array, and pushed back below. */
    while (left > 0) {
        if (!is_among(heap[0].server, tried, tried_count)) {
            found = heap[0].server;
            heap[0].due += period(balancer, found);
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
