#include "proxy/core/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* A thread wakes at most this number of other threads after it has released the lock; it wakes
 * further ones while it holds the lock. */
#define WAKEUPS_MAX 8

struct wakeups {
    struct pool_desk *list[WAKEUPS_MAX];
    unsigned count;
    const struct pool_waiter *joining; /* in pool_join(), which needs no wake-up; or NULL */
};

int pool_open(struct pool *pool, unsigned most, size_t members)
{
    /* Whole cache lines, on which nothing else is written. */
    size_t words = (members / 512 + 1) * 8;
    *pool = (struct pool){
        .most = most, .room = aligned_alloc(64, words * sizeof *pool->room), .room_words = words};
    if (!pool->room)
        return ENOMEM;
    for (size_t i = 0; i < words; i++)
        atomic_init(&pool->room[i], 0);
    pthread_mutex_init(&pool->lock, NULL);
    STAILQ_INIT(&pool->members);
    TAILQ_INIT(&pool->any);
    return 0;
}

void pool_close(struct pool *pool)
{
    pthread_mutex_destroy(&pool->lock);
    free(pool->room);
}

void pool_desk_init(struct pool_desk *desk, void (*wake)(void *arg), void *arg)
{
    *desk = (struct pool_desk){.wake = wake, .arg = arg};
    TAILQ_INIT(&desk->called);
}

/* --- under the lock --- */

static bool takes(struct pool_waiter *waiter, const struct pool_member *member)
{
    if (waiter->wanted)
        return waiter->wanted == member;
    if (waiter->keyed)
        return false;
    return !waiter->excludes || !waiter->excludes(waiter, member->owner);
}

static struct pool_line *line_of(struct pool *pool, const struct pool_waiter *waiter)
{
    return waiter->wanted ? &waiter->wanted->wanting : &pool->any;
}

/* New waiters go to the end. One that joins again is among the oldest, so its turn is looked for
 * from the beginning. */
static void insert(struct pool *pool, struct pool_waiter *waiter)
{
    struct pool_line *line = line_of(pool, waiter);
    struct pool_waiter *last = TAILQ_LAST(line, pool_line), *at;
    if (!last || last->age <= waiter->age) {
        TAILQ_INSERT_TAIL(line, waiter, link);
    } else {
        for (at = TAILQ_FIRST(line); at->age <= waiter->age; at = TAILQ_NEXT(at, link))
            ;
        TAILQ_INSERT_BEFORE(at, waiter, link);
    }
    if (waiter->wanted) {
        waiter->wanted->wanted_by++;
    } else {
        pool->any_count++;
        pool->homeless += waiter->keyed;
    }
    waiter->state = POOL_WAITING;
    atomic_fetch_add(&pool->waiting, 1);
}

static void remove_from_line(struct pool *pool, struct pool_waiter *waiter)
{
    TAILQ_REMOVE(line_of(pool, waiter), waiter, link);
    if (waiter->wanted) {
        waiter->wanted->wanted_by--;
    } else {
        pool->any_count--;
        pool->homeless -= waiter->keyed;
    }
    waiter->state = POOL_IDLE;
    atomic_fetch_sub(&pool->waiting, 1);
}

/* given: a place of this member was taken for the waiter; NULL: it is to choose again. */
static void call(struct pool *pool, struct pool_waiter *waiter, struct pool_member *given,
                 struct wakeups *wakeups)
{
    struct pool_desk *desk = waiter->desk;
    remove_from_line(pool, waiter);
    waiter->state = POOL_CALLED;
    waiter->given = given;
    if (waiter == wakeups->joining)
        return;
    TAILQ_INSERT_TAIL(&desk->called, waiter, link);
    if (desk->woken)
        return;
    desk->woken = true;
    if (wakeups->count < WAKEUPS_MAX)
        wakeups->list[wakeups->count++] = desk;
    else
        desk->wake(desk->arg);
}

/* The oldest waiter that takes a place of the member, or NULL. */
static struct pool_waiter *oldest(const struct pool *pool, const struct pool_member *member)
{
    struct pool_waiter *wanting = TAILQ_FIRST(&member->wanting), *any;
    TAILQ_FOREACH (any, &pool->any, link)
        if (takes(any, member))
            break;
    if (!wanting || !any)
        return wanting ? wanting : any;
    return wanting->age <= any->age ? wanting : any;
}

/* Gives at most `most` places of the member to waiters. */
static void give(struct pool *pool, struct pool_member *member, unsigned most,
                 struct wakeups *wakeups)
{
    while (member->usable && atomic_load(&pool->waiting) > 0 && limit_has_room(member->limit)) {
        struct pool_waiter *waiter = oldest(pool, member);
        if (!waiter || most-- == 0)
            return;
        if (limit_take_exactly(member->limit) == LIMIT_TAKEN)
            call(pool, waiter, member, wakeups);
        else
            pool_note_room(member);
        /* Another thread took the place; if the limit has no room now, the release of that place
         * finds the waiter. */
    }
}

static struct pool_member *emptier(struct pool_member *a, struct pool_member *b)
{
    uint64_t used_a = atomic_load(&a->limit->used), used_b = atomic_load(&b->limit->used);
    return used_b * atomic_load(&a->limit->max) < used_a * atomic_load(&b->limit->max) ? b : a;
}

/* For a waiter that has joined just now: of the members that it takes and that have room the one of
 * which the smallest share is in use. *hope: there is a usable member that it takes. */
static struct pool_member *find_room(const struct pool *pool, struct pool_waiter *waiter,
                                     bool *hope)
{
    struct pool_member *member, *best = NULL;
    *hope = false;
    STAILQ_FOREACH (member, &pool->members, next) {
        if (!member->usable || !takes(waiter, member))
            continue;
        *hope = true;
        if (limit_has_room(member->limit))
            best = best ? emptier(best, member) : member;
    }
    return best;
}

static void unlock(struct pool *pool, struct wakeups *wakeups)
{
    pthread_mutex_unlock(&pool->lock);
    for (unsigned i = 0; i < wakeups->count; i++)
        wakeups->list[i]->wake(wakeups->list[i]->arg);
}

static void call_all(struct pool *pool, struct pool_line *line, bool keyed_only,
                     struct wakeups *wakeups)
{
    struct pool_waiter *waiter = TAILQ_FIRST(line);
    while (waiter) {
        struct pool_waiter *next = TAILQ_NEXT(waiter, link);
        if (waiter->keyed || !keyed_only)
            call(pool, waiter, NULL, wakeups);
        waiter = next;
    }
}

/* --- any thread --- */

int pool_add(struct pool *pool, struct pool_member *member, struct limit *limit, void *owner)
{
    *member = (struct pool_member){.limit = limit, .owner = owner};
    TAILQ_INIT(&member->wanting);
    pthread_mutex_lock(&pool->lock);
    size_t number = pool->member_count;
    bool fits = number / 64 < pool->room_words;
    if (fits) {
        pool->member_count++;
        member->room = &pool->room[number / 64];
        member->room_bit = UINT64_C(1) << number % 64;
        STAILQ_INSERT_TAIL(&pool->members, member, next);
        pool_note_room(member);
    }
    pthread_mutex_unlock(&pool->lock);
    return fits ? 0 : ENOMEM;
}

/* A thread that makes room meanwhile either comes before the second look, and is seen there, or
 * sees that the bit is cleared. */
bool pool_note_full(struct pool_member *member)
{
    atomic_fetch_and(member->room, ~member->room_bit);
    if (!limit_has_room(member->limit))
        return true;
    atomic_fetch_or(member->room, member->room_bit);
    return false;
}

void pool_set_usable(struct pool *pool, struct pool_member *member, bool usable)
{
    struct wakeups wakeups = {.count = 0};
    pthread_mutex_lock(&pool->lock);
    member->usable = usable;
    if (usable) {
        if (pool->homeless > 0)
            call_all(pool, &pool->any, true, &wakeups);
        give(pool, member, UINT_MAX, &wakeups);
    } else {
        call_all(pool, &member->wanting, false, &wakeups);
    }
    unlock(pool, &wakeups);
}

void pool_set_most(struct pool *pool, unsigned most)
{
    pthread_mutex_lock(&pool->lock);
    pool->most = most;
    pthread_mutex_unlock(&pool->lock);
}

void pool_serve(struct pool *pool, struct pool_member *member)
{
    struct wakeups wakeups = {.count = 0};
    pthread_mutex_lock(&pool->lock);
    give(pool, member, UINT_MAX, &wakeups);
    unlock(pool, &wakeups);
}

void pool_set_max(struct pool *pool, struct pool_member *member, unsigned max)
{
    unsigned before = atomic_load(&member->limit->max);
    if (max == before)
        return;
    (void)limit_move(member->limit, max);
    if (max > before && pool_waiting(pool) > 0)
        pool_serve(pool, member);
    pool_note_room(member);
}

void pool_forgo(struct pool *pool, struct pool_member *member)
{
    limit_shrink(member->limit);
    pool_release(pool, member);
}

/* --- the thread of the desk --- */

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static void set_age(struct pool *pool, struct pool_waiter *waiter)
{
    if (waiter->age == 0) {
        uint64_t now = now_us();
        waiter->age = now > pool->last ? now : pool->last + 1;
    }
    if (waiter->age > pool->last)
        pool->last = waiter->age;
}

enum pool_answer pool_join(struct pool *pool, struct pool_waiter *waiter,
                           enum pool_patience patience, struct pool_member **given)
{
    struct wakeups wakeups = {.joining = waiter};
    enum pool_answer answer = POOL_JOINED;
    bool hope;
    pthread_mutex_lock(&pool->lock);
    (void)find_room(pool, waiter, &hope);
    if (!hope && patience != POOL_STAYS) {
        pthread_mutex_unlock(&pool->lock);
        return POOL_HOPELESS;
    }
    set_age(pool, waiter);
    insert(pool, waiter);
    /* A thread that gives a place back sees the waiter from here on. */
    struct pool_member *room;
    while (waiter->state == POOL_WAITING && (room = find_room(pool, waiter, &hope)))
        give(pool, room, 1, &wakeups);
    if (waiter->state == POOL_CALLED) {
        waiter->state = POOL_IDLE;
        *given = waiter->given;
        answer = POOL_GIVEN;
    } else if (patience == POOL_NEW && atomic_load(&pool->waiting) > pool->most) {
        remove_from_line(pool, waiter);
        answer = POOL_FULL;
    }
    unlock(pool, &wakeups);
    return answer;
}

void pool_leave(struct pool *pool, struct pool_waiter *waiter)
{
    struct wakeups wakeups = {.count = 0};
    pthread_mutex_lock(&pool->lock);
    if (waiter->state == POOL_WAITING) {
        remove_from_line(pool, waiter);
    } else if (waiter->state == POOL_CALLED) {
        TAILQ_REMOVE(&waiter->desk->called, waiter, link);
        waiter->state = POOL_IDLE;
        if (waiter->given) {
            atomic_fetch_sub(&waiter->given->limit->used, 1);
            give(pool, waiter->given, UINT_MAX, &wakeups);
            pool_note_room(waiter->given);
        }
    }
    unlock(pool, &wakeups);
}

void pool_deliver(struct pool *pool, struct pool_desk *desk, unsigned most)
{
    bool more = true;
    for (unsigned i = 0; more && i < most; i++) {
        pthread_mutex_lock(&pool->lock);
        struct pool_waiter *waiter = TAILQ_FIRST(&desk->called);
        struct pool_member *given = waiter ? waiter->given : NULL;
        if (waiter) {
            TAILQ_REMOVE(&desk->called, waiter, link);
            waiter->state = POOL_IDLE;
        }
        more = desk->woken = !TAILQ_EMPTY(&desk->called);
        pthread_mutex_unlock(&pool->lock);
        if (waiter)
            waiter->on_call(waiter, given);
    }
    if (more)
        desk->wake(desk->arg);
}

unsigned pool_wanting(struct pool *pool, const struct pool_member *member)
{
    pthread_mutex_lock(&pool->lock);
    unsigned wanting = member->usable ? pool->any_count - pool->homeless + member->wanted_by : 0;
    pthread_mutex_unlock(&pool->lock);
    return wanting;
}
