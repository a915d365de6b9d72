#include "proxy/backend/balance/leastconn.h"

#include "config/base/clock.h"
#include "config/base/container_of.h"
#include "proxy/backend/balance/draw.h"

#include <stdlib.h>

/* The turns of a server come TURN_SCALE / share apart. */
#define TURN_SCALE (UINT64_C(1) << 24)

/* So many pairs are drawn, before all servers are looked at. */
#define PAIRS 8

struct candidate {
    struct server *server;
    uint64_t due;   /* its next turn among equals */
    uint32_t share; /* as of the last refresh() */
};

struct leastconn {
    struct balancer balancer;
    struct candidate *list; /* of all servers, as in the set */
    size_t count;
    uint32_t *usable; /* the first balancer.usable ones: places of servers that have a share */
    uint32_t *shares; /* of these */
    struct place_set usable_set;
    uint64_t now;     /* the latest turn that was taken */
    struct draw draw; /* of an index of usable */
    bool draws;       /* two servers are drawn, instead of looking at all */
    size_t scan_most; /* with more servers than this */
};

static struct leastconn *leastconn_of(struct balancer *balancer)
{
    return container_of(balancer, struct leastconn, balancer);
}

static void *grow(void *list, size_t count, size_t size)
{
    return realloc(list, (count + 1) * size);
}

/* Servers that were added since the last refresh(). */
static bool add_servers(struct leastconn *leastconn, const struct server_set *set)
{
    struct candidate *list = grow(leastconn->list, set->count, sizeof *list);
    if (list)
        leastconn->list = list;
    uint32_t *usable = grow(leastconn->usable, set->count, sizeof *usable);
    if (usable)
        leastconn->usable = usable;
    uint32_t *shares = grow(leastconn->shares, set->count, sizeof *shares);
    if (shares)
        leastconn->shares = shares;
    if (!list || !usable || !shares)
        return false;
    for (; leastconn->count < set->count; leastconn->count++)
        list[leastconn->count] = (struct candidate){.server = set->list[leastconn->count]};
    return true;
}

static bool refresh(struct balancer *balancer, const struct server_set *set)
{
    struct leastconn *leastconn = leastconn_of(balancer);
    if ((leastconn->count < set->count || !leastconn->list) && !add_servers(leastconn, set))
        return false;
    if (!place_set_clear(&leastconn->usable_set, leastconn->count))
        return false;
    size_t usable = 0;
    for (size_t i = 0; i < leastconn->count; i++) {
        struct candidate *candidate = &leastconn->list[i];
        uint32_t share = server_share(candidate->server);
        if (candidate->share == 0 && candidate->due < leastconn->now)
            candidate->due = leastconn->now;
        candidate->share = share;
        if (share == 0)
            continue;
        place_set_add(&leastconn->usable_set, i);
        leastconn->usable[usable] = (uint32_t)i;
        leastconn->shares[usable++] = share;
    }
    balancer->usable = usable;
    bool many = usable > leastconn->scan_most;
    leastconn->draws = many && draw_set(&leastconn->draw, leastconn->shares, usable);
    return leastconn->draws || !many;
}

/* A server and its sessions: another thread may change the number meanwhile. */
struct loaded {
    struct candidate *candidate; /* NULL: none */
    uint64_t used;
};

/* candidate is not busier than the best so far, and comes first among equals. */
static void compare(struct loaded *best, struct candidate *candidate)
{
    uint64_t used = server_used(candidate->server);
    if (best->candidate) {
        uint64_t load = used * best->candidate->share, best_load = best->used * candidate->share;
        if (load > best_load || (load == best_load && candidate->due >= best->candidate->due))
            return;
    }
    *best = (struct loaded){candidate, used};
}

static struct candidate *find_best(struct leastconn *leastconn, const struct choice *choice)
{
    const struct place_set *usable = &leastconn->usable_set;
    struct loaded best = {0};
    for (size_t word = 0; word < usable->count; word++) {
        uint64_t left = choice_of_word(&leastconn->balancer, choice, usable, word);
        for (; left; left &= left - 1) {
            struct candidate *candidate = &leastconn->list[place_in_word(word, left)];
            if (!choice_excludes(choice, candidate->server))
                compare(&best, candidate);
        }
    }
    return best.candidate;
}

/* The better of two; NULL: those that were drawn are excluded. */
static struct candidate *draw_best(struct leastconn *leastconn, const struct choice *choice)
{
    for (int pair = 0; pair < PAIRS; pair++) {
        struct loaded best = {0};
        size_t drawn[2];
        draw_two(&leastconn->draw, drawn);
        for (int i = 0; i < 2; i++) {
            struct candidate *candidate = &leastconn->list[leastconn->usable[drawn[i]]];
            if (!choice_excludes(choice, candidate->server))
                compare(&best, candidate);
        }
        if (best.candidate)
            return best.candidate;
    }
    return NULL;
}

static struct server *next(struct balancer *balancer, const struct choice *choice)
{
    struct leastconn *leastconn = leastconn_of(balancer);
    struct candidate *best = NULL;
    if (leastconn->draws)
        best = draw_best(leastconn, choice);
    if (!best)
        best = find_best(leastconn, choice);
    if (!best)
        return NULL;
    if (best->due > leastconn->now)
        leastconn->now = best->due;
    best->due = leastconn->now + TURN_SCALE / best->share;
    return best->server;
}

static struct balancer *make(size_t scan_most)
{
    struct leastconn *leastconn = calloc(1, sizeof *leastconn);
    if (!leastconn)
        return NULL;
    leastconn->scan_most = scan_most;
    /* Workers and processes draw other servers than this one. */
    leastconn->draw.state = clock_ms() + (uint64_t)(uintptr_t)leastconn;
    return &leastconn->balancer;
}

static struct balancer *make_leastconn(void)
{
    return make(LEASTCONN_SCAN);
}

static struct balancer *make_random(void)
{
    return make(0);
}

static void dispose(struct balancer *balancer)
{
    struct leastconn *leastconn = leastconn_of(balancer);
    draw_free(&leastconn->draw);
    free(leastconn->list);
    free(leastconn->usable);
    free(leastconn->usable_set.words);
    free(leastconn->shares);
    free(leastconn);
}

const struct balance_algorithm balance_leastconn = {
    .counts = true, .make = make_leastconn, .free = dispose, .refresh = refresh, .next = next};
const struct balance_algorithm balance_random = {
    .counts = true, .make = make_random, .free = dispose, .refresh = refresh, .next = next};
