/* Who gets a place, and in which order; and that none is lost when many threads take, wait, cancel
 * and give back at the same time. */
#include "config/base/container_of.h"
#include "proxy/core/places.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { FRONTENDS = 3, CLIENTS = 64 };

static struct waitlist waitlist;
static struct limit all, frontend_limits[FRONTENDS];
static struct place_queue outer, frontends[FRONTENDS];

/* What waits, by one letter. */
struct client {
    struct waiter waiter;
    char name;
};

static struct client clients[CLIENTS];
static struct grants grants;
static char served[CLIENTS + 1]; /* names, in the order of service */
static unsigned rings;

static void note_ring(void *arg)
{
    (void)arg;
    rings++;
}

static void note_service(struct waiter *waiter)
{
    const struct client *client = container_of(waiter, struct client, waiter);
    strncat(served, &client->name, 1);
}

static void set_up_limits(unsigned max, unsigned max_each)
{
    waitlist_open(&waitlist);
    all = (struct limit){.max = max};
    place_queue_init(&outer, &all, &waitlist, NULL);
    for (size_t i = 0; i < FRONTENDS; i++) {
        frontend_limits[i] = (struct limit){.max = max_each};
        place_queue_init(&frontends[i], &frontend_limits[i], &waitlist, &outer);
    }
}

static void setup(void)
{
    set_up_limits(LIMIT_NONE, LIMIT_NONE);
    grants_init(&grants, &waitlist, note_ring, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = (struct client){.waiter.on_granted = note_service, .name = (char)('A' + i)};
    served[0] = '\0';
    rings = 0;
}

static void teardown(void)
{
    ck_assert_uint_eq(outer.reserved, 0);
    ck_assert_uint_eq(atomic_load(&all.waiting), 0);
    for (size_t i = 0; i < FRONTENDS; i++) {
        ck_assert_uint_eq(frontends[i].reserved, 0);
        ck_assert_uint_eq(atomic_load(&frontend_limits[i].waiting), 0);
        ck_assert_ptr_null(frontends[i].first);
    }
    waitlist_close(&waitlist);
}

static void ceilings(unsigned max, unsigned first, unsigned second)
{
    atomic_store(&all.max, max);
    atomic_store(&frontend_limits[0].max, first);
    atomic_store(&frontend_limits[1].max, second);
}

static void wait_at(size_t frontend, char name)
{
    ck_assert(!place_take(&frontends[frontend]));
    ck_assert(!place_wait(&clients[name - 'A'].waiter, &frontends[frontend], &grants));
}

static void expect_served(const char *expected)
{
    grants_deliver(&grants, CLIENTS);
    ck_assert_str_eq(served, expected);
}

static void give_back(size_t frontend)
{
    place_release(&frontends[frontend]);
}

START_TEST(the_first_who_came_is_served_first)
{
    ceilings(2, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    ck_assert(place_take(&frontends[1]));
    for (size_t i = 0; i < 6; i++)
        wait_at((i + 1) % 2, (char)('A' + i));
    give_back(0);
    ck_assert_uint_eq(rings, 1);
    expect_served("A");
    give_back(1);
    expect_served("AB");
    give_back(0);
    give_back(1);
    ck_assert_uint_eq(rings, 3); /* not again before the first was heard */
    expect_served("ABCD");
    give_back(0);
    give_back(1);
    expect_served("ABCDEF");
    give_back(0);
    give_back(1);
    ck_assert_uint_eq(atomic_load(&all.used), 0);
}
END_TEST

START_TEST(whoever_comes_while_somebody_waits_joins_the_queue)
{
    ceilings(1, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    wait_at(0, 'A');
    wait_at(1, 'B');
    give_back(0);
    ck_assert_uint_eq(atomic_load(&all.used), 1); /* handed over already */
    wait_at(1, 'C');
    expect_served("A");
    give_back(0);
    give_back(1);
    expect_served("ABC");
    give_back(1);
}
END_TEST

START_TEST(a_full_frontend_holds_up_nobody_else)
{
    ceilings(3, 1, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    wait_at(0, 'A');
    wait_at(0, 'B');
    ck_assert_uint_eq(atomic_load(&all.used), 1);
    ck_assert(place_take(&frontends[1]));
    ck_assert(place_take(&frontends[1]));
    wait_at(1, 'C');
    give_back(1); /* A and B came before, but there is no place for them in their frontend */
    expect_served("C");
    give_back(0);
    expect_served("CA");
    give_back(0);
    expect_served("CAB");
    give_back(0);
    give_back(1);
    give_back(1);
    ck_assert_uint_eq(atomic_load(&all.used), 0);
}
END_TEST

/* Age counts from the first wait, not from the wait for the outer limit. */
START_TEST(a_place_in_both_goes_to_the_oldest_who_can_use_both)
{
    ceilings(2, 1, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    ck_assert(place_take(&frontends[1]));
    wait_at(0, 'A');
    wait_at(1, 'B');
    wait_at(0, 'C');
    wait_at(1, 'D');
    give_back(0);
    expect_served("A");
    give_back(0);
    expect_served("AB"); /* D would follow, and before it C */
    give_back(1);
    expect_served("ABC");
    give_back(0);
    expect_served("ABCD");
    give_back(1);
    give_back(1);
}
END_TEST

START_TEST(whoever_cancels_passes_it_on)
{
    ceilings(1, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    for (char name = 'A'; name <= 'D'; name++)
        wait_at(0, name);
    place_cancel(&clients['B' - 'A'].waiter);
    give_back(0);
    place_cancel(&clients['A' - 'A'].waiter); /* it had been handed to A */
    place_cancel(&clients['A' - 'A'].waiter);
    expect_served("C");
    ck_assert_uint_eq(atomic_load(&all.used), 1);
    give_back(0);
    place_cancel(&clients['D' - 'A'].waiter);
    expect_served("C");
    ck_assert_uint_eq(atomic_load(&all.used), 0);
    ck_assert(place_take(&frontends[0]));
    give_back(0);
}
END_TEST

/* Whoever has got as far as the outer limit leaves the room in the inner one to the next. */
START_TEST(a_reservation_ends_with_its_waiter)
{
    ceilings(1, 1, LIMIT_NONE);
    ck_assert(place_take(&frontends[1]));
    wait_at(0, 'A');
    wait_at(0, 'B');
    wait_at(1, 'C');
    place_cancel(&clients['A' - 'A'].waiter);
    give_back(1);
    expect_served("B");
    give_back(0);
    expect_served("BC");
    give_back(1);
}
END_TEST

START_TEST(a_ceiling_that_rises_serves_as_many)
{
    ceilings(0, LIMIT_NONE, LIMIT_NONE);
    for (size_t i = 0; i < 5; i++)
        wait_at((i + 1) % 2, (char)('A' + i));
    ck_assert(limit_move(&all, 3));
    place_serve(&outer);
    expect_served("ABC");
    ck_assert(!limit_move(&all, 1));
    give_back(1);
    expect_served("ABC");
    ck_assert(limit_move(&all, 4));
    place_serve(&outer);
    expect_served("ABCDE");
    for (unsigned i = 0; i < 4; i++)
        give_back(i % 2);
}
END_TEST

/* The inner ceiling falls while somebody who had room there waits for the outer limit. */
START_TEST(a_ceiling_that_falls_stops_who_has_not_been_served)
{
    ceilings(1, 1, LIMIT_NONE);
    ck_assert(place_take(&frontends[1]));
    wait_at(0, 'A');
    wait_at(1, 'B');
    ck_assert(!limit_move(&frontend_limits[0], 0));
    give_back(1);
    expect_served("B");
    give_back(1);
    expect_served("B");
    ck_assert(limit_move(&frontend_limits[0], 1));
    place_serve(&frontends[0]);
    expect_served("BA");
    give_back(0);
}
END_TEST

/* The same of a limit in the middle: what was taken of the inner one is given back. */
START_TEST(a_ceiling_in_the_middle_falls)
{
    struct limit innermost = {.max = 5};
    struct place_queue inner;
    place_queue_init(&inner, &innermost, &waitlist, &frontends[0]);
    ceilings(1, 1, LIMIT_NONE);
    ck_assert(place_take(&frontends[1]));
    ck_assert(!place_wait(&clients[0].waiter, &inner, &grants));
    ck_assert(!limit_move(&frontend_limits[0], 0));
    give_back(1);
    expect_served("");
    ck_assert_uint_eq(atomic_load(&innermost.used), 0);
    ck_assert_uint_eq(inner.reserved, 1);
    ck_assert(limit_move(&frontend_limits[0], 1));
    place_serve(&frontends[0]);
    expect_served("A");
    ck_assert_uint_eq(atomic_load(&innermost.used), 1);
    ck_assert_uint_eq(inner.reserved, 0);
    place_release(&inner);
}
END_TEST

START_TEST(a_place_that_is_free_is_had_at_once)
{
    ceilings(1, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_wait(&clients[0].waiter, &frontends[0], &grants));
    expect_served("");
    ck_assert_uint_eq(rings, 0);
    ck_assert(!place_wait(&clients[1].waiter, &frontends[0], &grants));
    give_back(0);
    expect_served("B");
    give_back(0);
}
END_TEST

START_TEST(what_is_not_delivered_at_once_rings_again)
{
    ceilings(0, LIMIT_NONE, LIMIT_NONE);
    for (char name = 'A'; name <= 'C'; name++)
        wait_at(0, name);
    ck_assert(limit_move(&all, 3));
    place_serve(&outer);
    ck_assert_uint_eq(rings, 1);
    grants_deliver(&grants, 2);
    ck_assert_uint_eq(rings, 2);
    ck_assert_str_eq(served, "AB");
    expect_served("ABC");
    ck_assert_uint_eq(rings, 2);
    for (unsigned i = 0; i < 3; i++)
        give_back(0);
}
END_TEST

/* --- against a simple model --- */

/* The oldest client that waits and has room in both limits, or CLIENTS. */
static size_t expected_next(const uint64_t *since, const size_t *at)
{
    size_t best = CLIENTS;
    for (size_t i = 0; i < CLIENTS; i++)
        if (since[i] && limit_has_room(&all) && limit_has_room(&frontend_limits[at[i]]) &&
            (best == CLIENTS || since[i] < since[best]))
            best = i;
    return best;
}

static unsigned seed = 1;

static unsigned random_below(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 16) % below;
}

/* Whatever is done, whoever waits on has no room. */
START_TEST(random_steps_keep_the_order)
{
    uint64_t since[CLIENTS] = {0}, now = 0; /* 0: does not wait */
    size_t at[CLIENTS];
    unsigned inside[FRONTENDS] = {0};
    ceilings(6, 2, 3);
    for (unsigned step = 0; step < 20000; step++) {
        size_t who = random_below(&seed, CLIENTS), where = random_below(&seed, FRONTENDS);
        size_t next = CLIENTS;
        served[0] = '\0';
        switch (random_below(&seed, 4)) {
        case 0:
        case 1:
            if (since[who])
                break;
            if (place_take(&frontends[where]) ||
                place_wait(&clients[who].waiter, &frontends[where], &grants)) {
                inside[where]++;
                break;
            }
            since[who] = ++now;
            at[who] = where;
            break;
        case 2:
            place_cancel(&clients[who].waiter);
            since[who] = 0;
            break;
        case 3:
            if (inside[where] == 0)
                break;
            inside[where]--;
            /* For the model alone, which looks who is next. */
            atomic_fetch_sub(&all.used, 1);
            atomic_fetch_sub(&frontend_limits[where].used, 1);
            next = expected_next(since, at);
            limit_force(&all);
            limit_force(&frontend_limits[where]);
            give_back(where);
            grants_deliver(&grants, CLIENTS);
            ck_assert_uint_eq(strlen(served), next < CLIENTS);
            if (next < CLIENTS) {
                ck_assert_int_eq(served[0], clients[next].name);
                since[next] = 0;
                inside[at[next]]++;
            }
            break;
        }
        ck_assert_uint_eq(expected_next(since, at), CLIENTS);
        ck_assert_uint_le(atomic_load(&all.used), 6);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        place_cancel(&clients[i].waiter);
    for (size_t i = 0; i < FRONTENDS; i++)
        while (inside[i]-- > 0)
            give_back(i);
    ck_assert_uint_eq(atomic_load(&all.used), 0);
}
END_TEST

/* --- many threads --- */

enum { THREADS = 6, ROUNDS = 3000, AT_A_TIME = 3, MOST = 3 };

static atomic_uint inside_all, inside_frontend[FRONTENDS], exceeded;

struct thread_client;

/* A worker: its rings, and its clients. */
struct thread {
    pthread_t thread;
    unsigned seed;
    sem_t rung;
    struct grants grants;
    struct thread_client {
        struct waiter waiter;
        size_t frontend;
        bool waits;
    } clients[AT_A_TIME];
};

static void ring_thread(void *arg)
{
    struct thread *thread = arg;
    sem_post(&thread->rung);
}

static void use_place(size_t frontend)
{
    if (atomic_fetch_add(&inside_all, 1) + 1 > MOST)
        atomic_fetch_add(&exceeded, 1);
    if (atomic_fetch_add(&inside_frontend[frontend], 1) + 1 > frontend + 1)
        atomic_fetch_add(&exceeded, 1);
    sched_yield();
    atomic_fetch_sub(&inside_all, 1);
    atomic_fetch_sub(&inside_frontend[frontend], 1);
    place_release(&frontends[frontend]);
}

static void on_thread_granted(struct waiter *waiter)
{
    struct thread_client *client = container_of(waiter, struct thread_client, waiter);
    client->waits = false;
    use_place(client->frontend);
}

static void begin_client(struct thread *thread, struct thread_client *client)
{
    client->frontend = random_below(&thread->seed, FRONTENDS);
    client->waiter.on_granted = on_thread_granted;
    struct place_queue *queue = &frontends[client->frontend];
    if (place_take(queue) || place_wait(&client->waiter, queue, &thread->grants))
        use_place(client->frontend);
    else
        client->waits = true;
}

static void *come_wait_and_go(void *arg)
{
    struct thread *thread = arg;
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t i = 0; i < AT_A_TIME; i++)
            begin_client(thread, &thread->clients[i]);
        for (size_t i = 0; i < AT_A_TIME; i++) {
            struct thread_client *client = &thread->clients[i];
            if (random_below(&thread->seed, 2)) {
                place_cancel(&client->waiter);
                client->waits = false;
            }
            /* A place that is lost, or a ring, is seen as a test that does not end. */
            while (client->waits) {
                sem_wait(&thread->rung);
                grants_deliver(&thread->grants, 1 + random_below(&thread->seed, AT_A_TIME));
            }
        }
    }
    return NULL;
}

START_TEST(grants_against_cancels)
{
    static struct thread threads[THREADS];
    set_up_limits(MOST, 0);
    for (unsigned i = 0; i < FRONTENDS; i++)
        atomic_store(&frontend_limits[i].max, i + 1);
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i].seed = i + 1;
        sem_init(&threads[i].rung, 0, 0);
        grants_init(&threads[i].grants, &waitlist, ring_thread, &threads[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(pthread_create(&threads[i].thread, NULL, come_wait_and_go, &threads[i]),
                         0);
    /* Meanwhile ceilings move, as sessions of other processes begin and end. */
    for (unsigned i = 0; i < ROUNDS; i++) {
        if (limit_move(&all, i % 2 ? MOST : 1))
            place_serve(&outer);
        sched_yield();
    }
    if (limit_move(&all, MOST))
        place_serve(&outer);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i].thread, NULL);
    ck_assert_uint_eq(atomic_load(&exceeded), 0);
    ck_assert_uint_eq(atomic_load(&all.used), 0);
    for (size_t i = 0; i < FRONTENDS; i++)
        ck_assert_uint_eq(atomic_load(&frontend_limits[i].used), 0);
}
END_TEST

Suite *places_suite(void)
{
    Suite *suite = suite_create("places");
    TCase *tcase = tcase_create("order");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, the_first_who_came_is_served_first);
    tcase_add_test(tcase, whoever_comes_while_somebody_waits_joins_the_queue);
    tcase_add_test(tcase, a_full_frontend_holds_up_nobody_else);
    tcase_add_test(tcase, a_place_in_both_goes_to_the_oldest_who_can_use_both);
    tcase_add_test(tcase, whoever_cancels_passes_it_on);
    tcase_add_test(tcase, a_reservation_ends_with_its_waiter);
    tcase_add_test(tcase, a_ceiling_that_rises_serves_as_many);
    tcase_add_test(tcase, a_ceiling_that_falls_stops_who_has_not_been_served);
    tcase_add_test(tcase, a_ceiling_in_the_middle_falls);
    tcase_add_test(tcase, a_place_that_is_free_is_had_at_once);
    tcase_add_test(tcase, what_is_not_delivered_at_once_rings_again);
    tcase_add_test(tcase, random_steps_keep_the_order);
    tcase_add_test(tcase, grants_against_cancels);
    suite_add_tcase(suite, tcase);
    return suite;
}
