#include "proxy/core/places.h"

#include <stddef.h>

/* A thread wakes at most this number of other threads after it has released the lock; it wakes
 * further ones while it holds the lock.
 */
#define WAKEUPS_MAX 8

/* The threads to wake after the lock is released. */
struct wakeups {
    struct grants *list[WAKEUPS_MAX];
    unsigned count;
    const struct waiter *joining; /* in place_wait(), which needs no wake-up; or NULL */
};

void waitlist_open(struct waitlist *waitlist)
{
    pthread_mutex_init(&waitlist->lock, NULL);
    waitlist->arrivals = 0;
}

void waitlist_close(struct waitlist *waitlist)
{
    pthread_mutex_destroy(&waitlist->lock);
}

void place_queue_init(struct place_queue *queue, struct limit *limit, struct waitlist *waitlist,
                      struct place_queue *outer)
{
    *queue = (struct place_queue){.limit = limit, .waitlist = waitlist, .outer = outer};
}

void grants_init(struct grants *grants, struct waitlist *waitlist, void (*wake)(void *arg),
                 void *arg)
{
    *grants = (struct grants){.waitlist = waitlist, .wake = wake, .arg = arg};
    TAILQ_INIT(&grants->granted);
}

/* --- the heap: the oldest is the root --- */

static struct waiter *meld(struct waiter *left, struct waiter *right)
{
    if (!left || !right)
        return left ? left : right;
    struct waiter *older = left->age < right->age ? left : right;
    struct waiter *younger = older == left ? right : left;
    younger->before = older;
    younger->next = older->child;
    if (older->child)
        older->child->before = younger;
    older->child = younger;
    return older;
}

/* Merges a list of siblings into one heap: first in pairs, then the pairs from the last to the
 * first. This order gives a removal an amortised cost of O(log n). */
static struct waiter *meld_siblings(struct waiter *sibling)
{
    struct waiter *pairs = NULL, *root = NULL;
    while (sibling) {
        struct waiter *left = sibling, *right = left->next;
        sibling = right ? right->next : NULL;
        left->next = left->before = NULL;
        if (right)
            right->next = right->before = NULL;
        struct waiter *pair = meld(left, right);
        pair->next = pairs;
        pairs = pair;
    }
    while (pairs) {
        struct waiter *next = pairs->next;
        pairs->next = NULL;
        root = meld(root, pairs);
        pairs = next;
    }
    return root;
}

static void heap_remove(struct place_queue *queue, struct waiter *waiter)
{
    struct waiter *children = meld_siblings(waiter->child);
    if (waiter == queue->first) {
        queue->first = children;
    } else {
        if (waiter->before->child == waiter)
            waiter->before->child = waiter->next;
        else
            waiter->before->next = waiter->next;
        if (waiter->next)
            waiter->next->before = waiter->before;
        queue->first = meld(queue->first, children);
    }
    waiter->child = waiter->next = waiter->before = NULL;
}

/* --- under the lock --- */

static void enter(struct place_queue *queue, struct waiter *waiter)
{
    waiter->state = WAITER_WAITING;
    waiter->at = queue;
    queue->first = meld(queue->first, waiter);
    atomic_fetch_add(&queue->limit->waiting, 1);
}

static void leave(struct waiter *waiter)
{
    heap_remove(waiter->at, waiter);
    atomic_fetch_sub(&waiter->at->limit->waiting, 1);
    waiter->state = WAITER_IDLE;
}

/* Moves a waiter to another queue. It is counted as waiting in at least one of the queues at every
 * moment, so that place_take() cannot succeed in between. */
static void move(struct waiter *waiter, struct place_queue *to)
{
    struct place_queue *from = waiter->at;
    heap_remove(from, waiter);
    enter(to, waiter);
    atomic_fetch_sub(&from->limit->waiting, 1);
}

/* Gives up the waiter's reservations in the queues from `from` to the one in which it waits.
 */
static void unreserve(const struct waiter *waiter, struct place_queue *from)
{
    for (; from != waiter->at; from = from->outer)
        from->reserved--;
}

static void hand_over(struct waiter *waiter, struct wakeups *wakeups)
{
    struct grants *grants = waiter->grants;
    unreserve(waiter, waiter->queue);
    leave(waiter);
    waiter->state = WAITER_GRANTED;
    if (waiter == wakeups->joining)
        return;
    TAILQ_INSERT_TAIL(&grants->granted, waiter, link);
    if (grants->woken)
        return;
    grants->woken = true;
    if (wakeups->count < WAKEUPS_MAX)
        wakeups->list[wakeups->count++] = grants;
    else
        grants->wake(grants->arg);
}

static void take_from_granted(struct grants *grants, struct waiter *waiter)
{
    TAILQ_REMOVE(&grants->granted, waiter, link);
    waiter->state = WAITER_IDLE;
}

static bool has_room(const struct place_queue *queue)
{
    unsigned used = atomic_load(&queue->limit->used);
    unsigned max = atomic_load(&queue->limit->max);
    return used < max && queue->reserved < max - used;
}

static void give_back(struct place_queue *inner, const struct place_queue *end)
{
    for (; inner != end; inner = inner->outer)
        atomic_fetch_sub(&inner->limit->used, 1);
}

/* Takes a place of each limit, or none. Returns NULL, or the queue whose limit is full. */
static struct place_queue *take_all(struct place_queue *inner)
{
    struct place_queue *queue = inner;
    while (queue && limit_take(queue->limit))
        queue = queue->outer;
    if (queue)
        give_back(inner, queue);
    return queue;
}

/* Moves waiters for which there is room to the outer queue, and gives waiters of the outermost
 * queue their places.
 *
 * The room may be gone before the places are taken: place_take() of another thread, which saw no
 * waiters, needs no lock. The waiter then goes on waiting, in the queue of the limit that is full.
 */
static void serve(struct place_queue *queue, struct wakeups *wakeups)
{
    for (; queue; queue = queue->outer)
        while (queue->first && has_room(queue)) {
            struct waiter *waiter = queue->first;
            if (queue->outer) {
                queue->reserved++;
                move(waiter, queue->outer);
                continue;
            }
            struct place_queue *full = take_all(waiter->queue);
            if (!full) {
                hand_over(waiter, wakeups);
            } else if (full != queue) {
                unreserve(waiter, full);
                move(waiter, full);
                /* A place that was given back before the move woke no thread. */
                serve(full, wakeups);
            }
        }
}

static void unlock(struct waitlist *waitlist, struct wakeups *wakeups)
{
    pthread_mutex_unlock(&waitlist->lock);
    for (unsigned i = 0; i < wakeups->count; i++)
        wakeups->list[i]->wake(wakeups->list[i]->arg);
}

/* --- any thread --- */

void place_serve(struct place_queue *queue)
{
    struct wakeups wakeups = {.count = 0};
    pthread_mutex_lock(&queue->waitlist->lock);
    serve(queue, &wakeups);
    unlock(queue->waitlist, &wakeups);
}

void place_give_back(struct place_queue *inner, const struct place_queue *full)
{
    bool wanted = false;
    for (struct place_queue *queue = inner; queue != full; queue = queue->outer)
        wanted |= limit_release(queue->limit);
    if (wanted)
        place_serve(inner);
}

bool place_wait(struct waiter *waiter, struct place_queue *queue, struct grants *grants)
{
    struct wakeups wakeups = {.joining = waiter};
    pthread_mutex_lock(&queue->waitlist->lock);
    waiter->age = queue->waitlist->arrivals++;
    waiter->queue = queue;
    waiter->grants = grants;
    enter(queue, waiter);
    serve(queue, &wakeups);
    bool granted = waiter->state == WAITER_GRANTED;
    if (granted)
        waiter->state = WAITER_IDLE;
    unlock(queue->waitlist, &wakeups);
    return granted;
}

void place_cancel(struct waiter *waiter)
{
    struct grants *grants = waiter->grants;
    if (!grants)
        return;
    struct wakeups wakeups = {.count = 0};
    pthread_mutex_lock(&grants->waitlist->lock);
    if (waiter->state == WAITER_WAITING) {
        unreserve(waiter, waiter->queue);
        leave(waiter);
        serve(waiter->queue, &wakeups);
    } else if (waiter->state == WAITER_GRANTED) {
        take_from_granted(grants, waiter);
        give_back(waiter->queue, NULL);
        serve(waiter->queue, &wakeups);
    }
    unlock(grants->waitlist, &wakeups);
}

void grants_deliver(struct grants *grants, unsigned most)
{
    bool more = true;
    for (unsigned i = 0; more && i < most; i++) {
        pthread_mutex_lock(&grants->waitlist->lock);
        struct waiter *waiter = TAILQ_FIRST(&grants->granted);
        if (waiter)
            take_from_granted(grants, waiter);
        more = grants->woken = !TAILQ_EMPTY(&grants->granted);
        pthread_mutex_unlock(&grants->waitlist->lock);
        if (waiter)
            waiter->on_granted(waiter);
    }
    if (more)
        grants->wake(grants->arg);
}
