/* leastconn, random, first, source and maglev: which server they choose. */
#include "proxy/backend/backend.h"
#include "proxy/backend/balance/leastconn.h"
#include "proxy/backend/queue.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 1000, KEYS = 20000 };

static char app[] = "app", names[MOST][32];
static struct server_conf servers[MOST];
static struct reclaimer reclaimer;

/* A backend with one worker. */
struct scene {
    struct backend_conf conf;
    struct backend backend;
};

static struct scene scene, twin;

static void open_scene(struct scene *which, enum balance balance, size_t count)
{
    which->conf = (struct backend_conf){.name = app,
                                        .servers = servers,
                                        .server_count = count,
                                        .balance = balance,
                                        .failback = true,
                                        .check.rise = 1,
                                        .check.fall = 1};
    ck_assert_int_eq(backend_open(&which->backend, &which->conf, 1, &reclaimer), 0);
}

static void name_servers(size_t count)
{
    for (size_t i = 0; i < count; i++) {
        snprintf(names[i], sizeof names[i], "s%zu", i);
        servers[i] = (struct server_conf){.name = names[i], .weight = 1};
    }
}

static struct server *at(size_t place)
{
    return backend_servers(&scene.backend)->list[place];
}

static struct server *choose_from(struct scene *which, uint64_t key)
{
    const struct choice choice = {.key = key};
    return balancer_next(which->backend.balancers[0], &choice);
}

/* Also begins a session with it. */
static size_t take(void)
{
    struct server *server = choose_from(&scene, 0);
    if (!server)
        ck_abort_msg("there is a usable server");
    server->used++;
    return server->place;
}

/* Keys as hashes are. */
static uint64_t key_of(unsigned n)
{
    return (n + 1) * UINT64_C(0x9e3779b97f4a7c15);
}

/* --- leastconn and random --- */

/* Sessions begin and end at random: the one that is chosen has, in proportion to its weight, never
 * more sessions than another. */
START_TEST(leastconn_never_picks_a_busier_one)
{
    name_servers(LEASTCONN_SCAN);
    for (size_t i = 0; i < LEASTCONN_SCAN; i++)
        servers[i].weight = (unsigned)(i * i + 1);
    open_scene(&scene, BALANCE_LEASTCONN, LEASTCONN_SCAN);
    srand(1);
    bool right = true;
    for (unsigned n = 0; n < 50000; n++) {
        unsigned before[LEASTCONN_SCAN];
        for (size_t i = 0; i < LEASTCONN_SCAN; i++)
            before[i] = server_used(at(i));
        size_t chosen = take();
        for (size_t i = 0; i < LEASTCONN_SCAN; i++)
            right &= before[chosen] * servers[i].weight <= before[i] * servers[chosen].weight;
        struct server *leaves = at((size_t)rand() % LEASTCONN_SCAN);
        if (leaves->used > 0 && rand() % 3 > 0)
            leaves->used--;
    }
    ck_assert(right);
    backend_close(&scene.backend);
}
END_TEST

START_TEST(leastconn_takes_turns_among_equals)
{
    unsigned got[3] = {0};
    name_servers(3);
    servers[2].weight = 2;
    open_scene(&scene, BALANCE_LEASTCONN, 3);
    for (unsigned i = 0; i < 400; i++)
        got[choose_from(&scene, 0)->place]++; /* each session ends before the next one begins */
    ck_assert_uint_eq(got[0], 100);
    ck_assert_uint_eq(got[1], 100);
    ck_assert_uint_eq(got[2], 200);
    backend_close(&scene.backend);
}
END_TEST

/* With many servers: the busiest one is never chosen, and the load is even. */
START_TEST(two_choices_even_the_load)
{
    const enum balance balances[] = {BALANCE_LEASTCONN, BALANCE_RANDOM};
    for (size_t n = 0; n < 2; n++) {
        name_servers(100);
        open_scene(&scene, balances[n], 100);
        at(50)->used = 1000;
        for (unsigned i = 0; i < 100 * 100; i++)
            ck_assert_uint_ne(take(), 50);
        for (size_t i = 0; i < 100; i++)
            if (i != 50) {
                ck_assert_uint_ge(server_used(at(i)), 90);
                ck_assert_uint_le(server_used(at(i)), 110);
            }
        backend_close(&scene.backend);
    }
}
END_TEST

START_TEST(random_follows_the_weights)
{
    name_servers(3);
    servers[1].weight = 3;
    servers[2].weight = 0;
    open_scene(&scene, BALANCE_RANDOM, 3);
    for (unsigned i = 0; i < 4000; i++)
        (void)take();
    ck_assert_uint_ge(at(0)->used, 950);
    ck_assert_uint_le(at(0)->used, 1050);
    ck_assert_uint_eq(at(2)->used, 0);
    backend_close(&scene.backend);
}
END_TEST

/* --- all of them --- */

static const enum balance all[] = {BALANCE_ROUNDROBIN, BALANCE_LEASTCONN, BALANCE_RANDOM,
                                   BALANCE_FIRST,      BALANCE_SOURCE,    BALANCE_MAGLEV};
enum { ALL = sizeof all / sizeof *all };

/* Whatever is excluded, each server comes once until none is left; servers that are down never. */
START_TEST(excluded_servers_are_passed_over)
{
    const size_t counts[] = {1, 5, 40};
    for (size_t n = 0; n < 3; n++) {
        size_t count = counts[n];
        name_servers(count);
        open_scene(&scene, all[_i], count);
        if (count > 1)
            server_set_admin(at(1), ADMIN_MAINT);
        struct server *tried[40];
        struct choice choice = {.tried = tried, .key = key_of((unsigned)n)};
        size_t expected = count > 1 ? count - 1 : 1;
        for (; choice.tried_count < expected; choice.tried_count++) {
            struct server *server = balancer_next(scene.backend.balancers[0], &choice);
            ck_assert_ptr_nonnull(server);
            ck_assert(count == 1 || server->place != 1);
            for (size_t i = 0; i < choice.tried_count; i++)
                ck_assert_ptr_ne(server, tried[i]);
            tried[choice.tried_count] = server;
        }
        ck_assert_ptr_null(balancer_next(scene.backend.balancers[0], &choice));
        backend_close(&scene.backend);
    }
}
END_TEST

START_TEST(none_is_usable)
{
    name_servers(3);
    open_scene(&scene, all[_i], 3);
    for (size_t i = 0; i < 3; i++)
        server_set_admin(at(i), ADMIN_DRAIN);
    ck_assert_ptr_null(choose_from(&scene, key_of(1)));
    ck_assert(balancer_is_empty(scene.backend.balancers[0]));
    server_set_admin(at(1), ADMIN_READY);
    ck_assert_ptr_eq(choose_from(&scene, key_of(1)), at(1));
    backend_close(&scene.backend);
}
END_TEST

/* Servers that are added while the backend runs take part. */
START_TEST(added_servers_take_part)
{
    name_servers(30);
    open_scene(&scene, all[_i], 1);
    for (size_t i = 1; i < 30; i++)
        ck_assert_ptr_nonnull(
            backend_add(&scene.backend, &servers[i], names[i], &servers[i].address));
    unsigned got[30] = {0};
    for (unsigned i = 0; i < 30000; i++) {
        struct server *server = choose_from(&scene, key_of(i));
        got[server->place]++;
    }
    for (size_t i = 0; i < 30 && all[_i] != BALANCE_FIRST; i++) {
        ck_assert_uint_ge(got[i], 850);
        ck_assert_uint_le(got[i], 1150);
    }
    backend_close(&scene.backend);
}
END_TEST

/* --- places --- */

static struct queue queue;
static struct seat seats[MOST];
static struct {
    _Alignas(64) struct limit limit;
} limits[MOST];

static struct pool_member *member(size_t place)
{
    return &seats[place].member;
}

static void set_max(size_t place, unsigned max)
{
    pool_set_max(&queue.pool, member(place), max);
}

/* All servers of the scene are full. */
static void give_seats(size_t count)
{
    ck_assert_int_eq(pool_open(&queue.pool, POOL_NO_END, count), 0);
    for (size_t i = 0; i < count; i++) {
        limits[i].limit = (struct limit){.max = 0};
        ck_assert_int_eq(pool_add(&queue.pool, member(i), &limits[i].limit, at(i)), 0);
        at(i)->seat = &seats[i];
    }
    scene.backend.queue = &queue;
}

static void close_with_seats(void)
{
    pool_close(&queue.pool);
    backend_close(&scene.backend);
}

/* Most servers are full: the others take turns by their weights. */
START_TEST(turns_of_those_that_have_room)
{
    enum { COUNT = 20, ROOM = 3, CYCLES = 4 };
    unsigned got[COUNT] = {0};
    const struct choice choice = {.passes_full = true};
    name_servers(COUNT);
    for (size_t i = 0; i < COUNT; i++)
        servers[i].weight = (unsigned)i + 1;
    open_scene(&scene, BALANCE_ROUNDROBIN, COUNT);
    give_seats(COUNT);
    for (size_t i = 0; i < ROOM; i++)
        set_max(i, 1);
    const unsigned sum = 1 + 2 + 3;
    for (unsigned i = 0; i < CYCLES * sum; i++)
        got[balancer_next(scene.backend.balancers[0], &choice)->place]++;
    for (unsigned i = 0; i < COUNT; i++)
        ck_assert_uint_eq(got[i], i < ROOM ? CYCLES * (i + 1) : 0);
    close_with_seats();
}
END_TEST

/* Sessions begin and end, the maxima and the weights of servers move, and a session has tried some
 * servers. */
static void random_step(size_t count)
{
    size_t place = (size_t)rand() % count;
    switch (rand() % 16) {
    case 0:
        set_max(place, (unsigned)rand() % 3);
        break;
    case 1:
        for (size_t i = 0; i < count && place % 8 == 0; i++)
            set_max(i, (unsigned)rand() % 3);
        break;
    case 2:
        atomic_store(&at(place)->share, (unsigned)rand() % 4 * SHARE_OF_ONE);
        atomic_store(&backend_servers(&twin.backend)->list[place]->share, at(place)->share);
        atomic_fetch_add(&scene.backend.version, 1);
        atomic_fetch_add(&twin.backend.version, 1);
        break;
    case 3:
        (void)pool_take(&queue.pool, member(place));
        break;
    default:
        if (limits[place].limit.used > 0)
            pool_release(&queue.pool, member(place));
    }
}

/* Servers that are full, and those that were tried, as those that the session of the twin has
 * tried. *left: whether a server is left. */
static size_t list_excluded(size_t count, const struct choice *choice, struct server **list,
                            bool *left)
{
    size_t listed = 0;
    *left = false;
    for (size_t i = 0; i < count; i++) {
        bool excluded = !limit_has_room(&limits[i].limit);
        for (size_t j = 0; j < choice->tried_count; j++)
            excluded |= choice->tried[j] == at(i);
        if (excluded)
            list[listed++] = backend_servers(&twin.backend)->list[i];
        else
            *left |= server_share(at(i)) > 0;
    }
    return listed;
}

/* Two backends have the same servers. The choice in one is to pass over full servers. The other
 * backend has no limits, and its choice is told that these servers were tried. An algorithm without
 * chance chooses the same server in both. */
START_TEST(full_servers_are_as_if_they_were_tried)
{
    enum { FEW = 12, MANY = 150, STEPS = 6000 };
    const size_t counts[] = {1, FEW, MANY};
    for (size_t n = 0; n < 3; n++) {
        size_t count = counts[n];
        bool chance = all[_i] == BALANCE_RANDOM || (all[_i] == BALANCE_LEASTCONN && count == MANY);
        name_servers(count);
        for (size_t i = 0; i < count; i++)
            servers[i].weight = (unsigned)i % 5 + 1;
        open_scene(&scene, all[_i], count);
        open_scene(&twin, all[_i], count);
        give_seats(count);
        srand((unsigned)n + 1);
        for (unsigned step = 0; step < STEPS; step++) {
            struct server *tried[FEW], *excluded[MANY];
            struct choice choice = {.tried = tried, .passes_full = true, .key = key_of(step)};
            for (int i = rand() % 4 ? 0 : rand() % FEW; i > 0; i--)
                tried[choice.tried_count++] = at((size_t)rand() % count);
            struct choice other = {.tried = excluded, .key = choice.key};
            random_step(count);
            bool left;
            other.tried_count = list_excluded(count, &choice, excluded, &left);
            struct server *got = balancer_next(scene.backend.balancers[0], &choice);
            struct server *expected = balancer_next(twin.backend.balancers[0], &other);
            ck_assert_int_eq(got != NULL, left);
            ck_assert_int_eq(expected != NULL, left);
            if (!got)
                continue;
            ck_assert_uint_gt(server_share(got), 0);
            ck_assert(chance || got->place == expected->place);
            ck_assert(pool_take(&queue.pool, member(got->place)));
        }
        backend_close(&twin.backend);
        close_with_seats();
    }
}
END_TEST

/* --- places, and many threads --- */

enum { WORKERS = 4, HELD = 6, SERVERS = 70, MAX = 2, ROUNDS = UNIT_SANITIZED ? 100 : 400 };

static struct balancer *balancers[WORKERS];
static pthread_barrier_t round_begins, round_ends;
static atomic_uint inside[SERVERS], exceeded;

static void take_and_release(struct balancer *balancer, struct server **held, unsigned steps)
{
    const struct choice choice = {.passes_full = true};
    for (unsigned step = 0; step < steps; step++) {
        struct server **slot = &held[step % HELD];
        if (*slot) {
            atomic_fetch_sub(&inside[(*slot)->place], 1);
            pool_release(&queue.pool, &(*slot)->seat->member);
        }
        *slot = balancer_next(balancer, &choice);
        if (*slot && !pool_take(&queue.pool, &(*slot)->seat->member))
            *slot = NULL;
        if (*slot && atomic_fetch_add(&inside[(*slot)->place], 1) >= MAX)
            atomic_fetch_add(&exceeded, 1);
    }
}

static void *work(void *arg)
{
    struct balancer *balancer = *(struct balancer **)arg;
    struct server *held[HELD] = {0};
    for (unsigned round = 0; round < ROUNDS; round++) {
        pthread_barrier_wait(&round_begins);
        take_and_release(balancer, held, 500);
        pthread_barrier_wait(&round_ends);
    }
    return NULL;
}

/* No thread takes or gives back now: each server that has room is known. */
static void expect_rooms_known(void)
{
    for (size_t i = 0; i < SERVERS; i++)
        if (limit_has_room(&limits[i].limit))
            ck_assert(pool_room(&queue.pool, i / 64) >> i % 64 & 1);
}

/* Each balancer finds each free place. */
static void expect_all_found(struct balancer *balancer)
{
    const struct choice choice = {.passes_full = true};
    struct server *server, *taken[MAX * SERVERS];
    size_t count = 0;
    while ((server = balancer_next(balancer, &choice))) {
        ck_assert(pool_take(&queue.pool, &server->seat->member));
        taken[count++] = server;
    }
    for (size_t i = 0; i < SERVERS; i++)
        ck_assert(!limit_has_room(&limits[i].limit));
    while (count > 0)
        pool_release(&queue.pool, &taken[--count]->seat->member);
}

/* The workers want more places than there are, and the maxima move meanwhile. */
START_TEST(places_are_found_by_all_threads)
{
    pthread_t threads[WORKERS];
    srand(1);
    name_servers(SERVERS);
    open_scene(&scene, all[_i], SERVERS);
    give_seats(SERVERS);
    pthread_barrier_init(&round_begins, NULL, WORKERS + 1);
    pthread_barrier_init(&round_ends, NULL, WORKERS + 1);
    for (unsigned i = 0; i < WORKERS; i++) {
        balancers[i] = balancer_new(&scene.backend, i);
        ck_assert_int_eq(pthread_create(&threads[i], NULL, work, &balancers[i]), 0);
    }
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < SERVERS; i++)
            set_max(i, (i + round) % 4 == 0);
        pthread_barrier_wait(&round_begins);
        for (unsigned i = 0; i < 500; i++) {
            size_t place = (size_t)rand() % SERVERS;
            set_max(place, (place + round) % 4 == 0 ? (unsigned)rand() % (MAX + 1) : 0);
        }
        pthread_barrier_wait(&round_ends);
        expect_rooms_known();
        for (unsigned i = 0; i < WORKERS; i++)
            expect_all_found(balancers[i]);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], NULL);
        balancer_free(balancers[i]);
    }
    ck_assert_uint_eq(atomic_load(&exceeded), 0);
    close_with_seats();
}
END_TEST

START_TEST(first_is_the_first_usable)
{
    name_servers(3);
    open_scene(&scene, BALANCE_FIRST, 3);
    ck_assert_uint_eq(take(), 0);
    ck_assert_uint_eq(take(), 0);
    server_set_weight(at(0), 0);
    ck_assert_uint_eq(take(), 1);
    server_set_admin(at(1), ADMIN_MAINT);
    ck_assert_uint_eq(take(), 2);
    server_set_weight(at(0), 5);
    ck_assert_uint_eq(take(), 0);
    backend_close(&scene.backend);
}
END_TEST

/* --- source and maglev --- */

static const enum balance keyed[] = {BALANCE_SOURCE, BALANCE_MAGLEV};

static uint32_t chosen[KEYS];

static void choose_all(uint32_t places[static KEYS])
{
    for (unsigned i = 0; i < KEYS; i++)
        places[i] = choose_from(&scene, key_of(i))->place;
}

START_TEST(keys_are_shared_by_weight)
{
    unsigned got[4] = {0};
    name_servers(4);
    for (unsigned i = 0; i < 4; i++)
        servers[i].weight = i + 1;
    open_scene(&scene, keyed[_i], 4);
    choose_all(chosen);
    for (unsigned i = 0; i < KEYS; i++)
        got[chosen[i]]++;
    for (unsigned i = 0; i < 4; i++) {
        ck_assert_uint_ge(got[i], KEYS / 10 * (i + 1) * 95 / 100);
        ck_assert_uint_le(got[i], KEYS / 10 * (i + 1) * 105 / 100);
    }
    backend_close(&scene.backend);
}
END_TEST

/* A server goes down: keys of the others stay (source), or nearly all do (maglev), and its own keys
 * spread over all of them. When it comes back, everything is as before. */
START_TEST(few_keys_move)
{
    static uint32_t after[KEYS];
    unsigned moved = 0, of_the_server = 0, wrong = 0, got[10] = {0};
    name_servers(10);
    open_scene(&scene, keyed[_i], 10);
    choose_all(chosen);
    server_set_admin(at(3), ADMIN_MAINT);
    choose_all(after);
    for (unsigned i = 0; i < KEYS; i++) {
        wrong += after[i] == 3;
        if (chosen[i] == 3) {
            of_the_server++;
            got[after[i]]++;
        } else {
            moved += after[i] != chosen[i];
        }
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_le(moved, keyed[_i] == BALANCE_SOURCE ? 0 : KEYS * 4 / 100);
    for (unsigned i = 0; i < 10; i++)
        ck_assert(i == 3 || got[i] > of_the_server / 9 / 2);
    server_set_admin(at(3), ADMIN_READY);
    choose_all(after);
    ck_assert_mem_eq(chosen, after, sizeof chosen);
    backend_close(&scene.backend);
}
END_TEST

/* The keys of a server that goes down spread by the weights of the others. */
START_TEST(keys_that_move_follow_the_weights)
{
    unsigned got[3] = {0}, moved = 0;
    name_servers(3);
    servers[2].weight = 8;
    open_scene(&scene, keyed[_i], 3);
    choose_all(chosen);
    server_set_admin(at(0), ADMIN_MAINT);
    for (unsigned i = 0; i < KEYS; i++)
        if (chosen[i] == 0) {
            got[choose_from(&scene, key_of(i))->place]++;
            moved++;
        }
    ck_assert_uint_ge(got[1], moved / 9 / 2);
    ck_assert_uint_le(got[1], moved / 9 * 2);
    backend_close(&scene.backend);
}
END_TEST

/* Two proxies with one configuration choose alike, for each attempt; so do two workers. */
START_TEST(two_proxies_choose_alike)
{
    name_servers(20);
    servers[4].weight = 7;
    open_scene(&scene, keyed[_i], 20);
    open_scene(&twin, keyed[_i], 20);
    server_set_admin(at(2), ADMIN_MAINT);
    server_set_admin(backend_servers(&twin.backend)->list[2], ADMIN_MAINT);
    bool alike = true;
    for (unsigned i = 0; i < KEYS; i++) {
        struct server *tried[4], *tried_by_twin[4];
        struct choice choice = {.tried = tried, .key = key_of(i)}, other = choice;
        other.tried = tried_by_twin;
        for (; choice.tried_count < 4; choice.tried_count++, other.tried_count++) {
            tried[choice.tried_count] = balancer_next(scene.backend.balancers[0], &choice);
            tried_by_twin[choice.tried_count] = balancer_next(twin.backend.balancers[0], &other);
            alike &= tried[choice.tried_count]->place == tried_by_twin[choice.tried_count]->place;
        }
    }
    ck_assert(alike);
    backend_close(&scene.backend);
    backend_close(&twin.backend);
}
END_TEST

/* Sessions without a key are spread by weight. */
START_TEST(without_a_key)
{
    unsigned got[2] = {0};
    name_servers(2);
    servers[1].weight = 3;
    open_scene(&scene, keyed[_i], 2);
    for (unsigned i = 0; i < KEYS; i++)
        got[choose_from(&scene, 0)->place]++;
    ck_assert_uint_ge(got[1], KEYS * 70 / 100);
    ck_assert_uint_le(got[1], KEYS * 80 / 100);
    backend_close(&scene.backend);
}
END_TEST

/* Nearly all servers are down: the keys find the others. */
START_TEST(keys_find_the_last_server)
{
    name_servers(MOST);
    open_scene(&scene, keyed[_i], MOST);
    scene.backend.table_is_stale = false;
    for (size_t i = 0; i < MOST; i++)
        if (i != 777) { /* as it is before the main thread has made a new table */
            atomic_store(&at(i)->share, 0);
        }
    for (unsigned i = 0; i < 100; i++)
        ck_assert_ptr_eq(choose_from(&scene, key_of(i)), at(777));
    backend_close(&scene.backend);
}
END_TEST

/* --- what a choice costs: printed, never compared --- */

static uint64_t nanoseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static const char *const balance_names[] = {"roundrobin", "leastconn", "random",
                                            "first",      "source",    "maglev"};

static void all_serve(void)
{
}

/* The first is told of last, so that the table is made once. */
static void one_serves(void)
{
    for (size_t i = 1; i < MOST; i++)
        if (i != 777)
            at(i)->now.admin = ADMIN_MAINT;
    server_set_admin(at(0), ADMIN_MAINT);
}

/* The same before the main thread has made a new table. */
static void one_serves_since_now(void)
{
    for (size_t i = 0; i < MOST; i++)
        if (i != 777)
            atomic_store(&at(i)->share, 0);
    atomic_fetch_add(&scene.backend.version, 1);
}

/* All have come up, one after the other. */
static void all_start_slowly(void)
{
    for (size_t i = 0; i < MOST; i++)
        atomic_store(&at(i)->share, SHARE_OF_ONE * (unsigned)(i % 20 + 1) / 20);
    atomic_fetch_add(&scene.backend.version, 1);
}

static void backups_serve(void)
{
    for (size_t i = 1; i < MOST / 2; i++)
        at(i)->now.admin = ADMIN_MAINT;
    server_set_admin(at(0), ADMIN_MAINT);
}

/* All places of all servers but one are taken. */
static void one_has_room(void)
{
    give_seats(MOST);
    set_max(777, 1);
}

/* Each server has one place. */
static void ten_have_room(void)
{
    give_seats(MOST);
    for (size_t i = 0; i < MOST; i++) {
        set_max(i, 1);
        if (i % 100 > 0)
            ck_assert(pool_take(&queue.pool, member(i)));
    }
}

static void take_one_and_give_one_back(struct server *got, size_t other)
{
    if (pool_take(&queue.pool, member(got->place)) && limits[other].limit.used > 0)
        pool_release(&queue.pool, member(other));
    else
        pool_release(&queue.pool, member(got->place));
}

static const struct {
    const char *text;
    void (*set_up)(void);
    bool backups, passes_full, takes;
} situations[] = {
    {"all serve", all_serve, false, false, false},
    {"all but one are down", one_serves, false, false, false},
    {"all but one have just gone down", one_serves_since_now, false, false, false},
    {"all start slowly", all_start_slowly, false, false, false},
    {"all backups serve", backups_serve, true, false, false},
    {"all but one are full", one_has_room, false, true, false},
    {"all but ten are full, sessions begin and end", ten_have_room, false, true, true},
};
enum { SITUATIONS = sizeof situations / sizeof *situations };

static void open_situation(size_t which, enum balance balance)
{
    name_servers(MOST);
    for (size_t i = 0; i < MOST; i++) {
        servers[i].backup = situations[which].backups && i >= MOST / 2;
        servers[i].weight = (unsigned)(i % 10 + 1);
    }
    open_scene(&scene, balance, MOST);
    scene.conf.backup = BACKUP_ALL;
    situations[which].set_up();
}

START_TEST(costs)
{
    enum { CHOICES = 10000 };
    for (size_t n = 0; n < SITUATIONS; n++) {
        struct choice choice = {.passes_full = situations[n].passes_full};
        open_situation(n, all[_i]);
        if (balancer_is_keyed(scene.backend.balancers[0]))
            choice.passes_full = false; /* a session waits for the server of its key */
        bool all_chosen = true;
        uint64_t begin = nanoseconds();
        for (unsigned i = 0; i < CHOICES; i++) {
            choice.key = key_of(i);
            struct server *got = balancer_next(scene.backend.balancers[0], &choice);
            all_chosen &= got != NULL;
            if (got && situations[n].takes && choice.passes_full)
                take_one_and_give_one_back(got, i * 7919 % MOST);
        }
        uint64_t end = nanoseconds();
        ck_assert_msg(all_chosen, "%s", situations[n].text);
        printf("a choice among %u servers, %s: %s %llu ns\n", (unsigned)MOST, situations[n].text,
               balance_names[_i], (unsigned long long)(end - begin) / CHOICES);
        if (situations[n].passes_full)
            pool_close(&queue.pool);
        backend_close(&scene.backend);
    }
}
END_TEST

/* ... and a table, on the main thread. */
START_TEST(costs_of_a_table)
{
    static const char *const texts[] = {"equal weights",
                                        "one of 256 times the weight of the others"};
    name_servers(MOST);
    servers[0].weight = _i ? 256 : 1;
    open_scene(&scene, BALANCE_MAGLEV, MOST);
    uint64_t begin = nanoseconds();
    server_set_admin(at(1), ADMIN_DRAIN);
    uint64_t end = nanoseconds();
    printf("maglev: a table of %u servers, %s: %llu us\n", (unsigned)MOST, texts[_i],
           (unsigned long long)(end - begin) / 1000);
    backend_close(&scene.backend);
}
END_TEST

Suite *algorithms_suite(void)
{
    Suite *suite = suite_create("algorithms");
    TCase *tcase = tcase_create("algorithms");
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, leastconn_never_picks_a_busier_one);
    tcase_add_test(tcase, leastconn_takes_turns_among_equals);
    tcase_add_test(tcase, two_choices_even_the_load);
    tcase_add_test(tcase, random_follows_the_weights);
    tcase_add_test(tcase, turns_of_those_that_have_room);
    tcase_add_test(tcase, first_is_the_first_usable);
    tcase_add_loop_test(tcase, full_servers_are_as_if_they_were_tried, 0, ALL);
    tcase_add_loop_test(tcase, places_are_found_by_all_threads, 0, ALL);
    tcase_add_loop_test(tcase, excluded_servers_are_passed_over, 0, ALL);
    tcase_add_loop_test(tcase, none_is_usable, 0, ALL);
    tcase_add_loop_test(tcase, added_servers_take_part, 0, ALL);
    tcase_add_loop_test(tcase, keys_are_shared_by_weight, 0, 2);
    tcase_add_loop_test(tcase, few_keys_move, 0, 2);
    tcase_add_loop_test(tcase, keys_that_move_follow_the_weights, 0, 2);
    tcase_add_loop_test(tcase, two_proxies_choose_alike, 0, 2);
    tcase_add_loop_test(tcase, without_a_key, 0, 2);
    tcase_add_loop_test(tcase, keys_find_the_last_server, 0, 2);
    tcase_add_loop_test(tcase, costs, 0, ALL);
    tcase_add_loop_test(tcase, costs_of_a_table, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
