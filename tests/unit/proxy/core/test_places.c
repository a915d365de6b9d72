/* The order in which waiters get places. No place is lost when many threads take, wait, cancel and
 * give back at the same time. */
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

/* A waiter, named by one letter. */
struct client {
    struct waiter waiter;
    char name;
};

static struct client clients[CLIENTS];
static struct grants grants;
static char served[CLIENTS + 1]; /* names, in the order of service */
static unsigned wakeups;

static void note_wake_up(void *arg)
{
    (void)arg;
    wakeups++;
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
    grants_init(&grants, &waitlist, note_wake_up, NULL);
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] = (struct client){.waiter.on_granted = note_service, .name = (char)('A' + i)};
    served[0] = '\0';
    wakeups = 0;
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

static void set_maxima(unsigned max, unsigned first, unsigned second)
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

START_TEST(first_come_first_served)
{
    set_maxima(2, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    ck_assert(place_take(&frontends[1]));
    for (size_t i = 0; i < 6; i++)
        wait_at((i + 1) % 2, (char)('A' + i));
    give_back(0);
    ck_assert_uint_eq(wakeups, 1);
    expect_served("A");
    give_back(1);
    expect_served("AB");
    give_back(0);
    give_back(1);
    ck_assert_uint_eq(wakeups, 3); /* no second wake-up before the first was handled */
    expect_served("ABCD");
    give_back(0);
    give_back(1);
    expect_served("ABCDEF");
    give_back(0);
    give_back(1);
    ck_assert_uint_eq(atomic_load(&all.used), 0);
}
END_TEST

START_TEST(place_take_fails_while_others_wait)
{
    set_maxima(1, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    wait_at(0, 'A');
    wait_at(1, 'B');
    give_back(0);
    ck_assert_uint_eq(atomic_load(&all.used), 1); /* given to the waiter already */
    wait_at(1, 'C');
    expect_served("A");
    give_back(0);
    give_back(1);
    expect_served("ABC");
    give_back(1);
}
END_TEST

START_TEST(full_frontend_does_not_delay_others)
{
    set_maxima(3, 1, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    wait_at(0, 'A');
    wait_at(0, 'B');
    ck_assert_uint_eq(atomic_load(&all.used), 1);
    ck_assert(place_take(&frontends[1]));
    ck_assert(place_take(&frontends[1]));
    wait_at(1, 'C');
    give_back(1); /* A and B came earlier, but their frontend has no place */
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
START_TEST(place_goes_to_the_oldest_that_can_use_it)
{
    set_maxima(2, 1, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    ck_assert(place_take(&frontends[1]));
    wait_at(0, 'A');
    wait_at(1, 'B');
    wait_at(0, 'C');
    wait_at(1, 'D');
    give_back(0);
    expect_served("A");
    give_back(0);
    expect_served("AB"); /* next would be C, then D */
    give_back(1);
    expect_served("ABC");
    give_back(0);
    expect_served("ABCD");
    give_back(1);
    give_back(1);
}
END_TEST

START_TEST(cancelled_waiter_passes_its_place_on)
{
    set_maxima(1, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_take(&frontends[0]));
    for (char name = 'A'; name <= 'D'; name++)
        wait_at(0, name);
    place_cancel(&clients['B' - 'A'].waiter);
    give_back(0);
    place_cancel(&clients['A' - 'A'].waiter); /* the place had been given to A */
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

/* A waiter at the outer limit that is cancelled frees its reservation in the inner limit. */
START_TEST(a_reservation_ends_with_its_waiter)
{
    set_maxima(1, 1, LIMIT_NONE);
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

START_TEST(raised_maximum_serves_waiters)
{
    set_maxima(0, LIMIT_NONE, LIMIT_NONE);
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

/* The inner maximum falls while a waiter with a reservation there waits for the outer limit. */
START_TEST(lowered_maximum_stops_waiters)
{
    set_maxima(1, 1, LIMIT_NONE);
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

/* The same for a middle limit: the place taken of the inner limit is given back. */
START_TEST(lowered_maximum_of_the_middle_limit)
{
    struct limit innermost = {.max = 5};
    struct place_queue inner;
    place_queue_init(&inner, &innermost, &waitlist, &frontends[0]);
    set_maxima(1, 1, LIMIT_NONE);
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

START_TEST(free_place_is_given_at_once)
{
    set_maxima(1, LIMIT_NONE, LIMIT_NONE);
    ck_assert(place_wait(&clients[0].waiter, &frontends[0], &grants));
    expect_served("");
    ck_assert_uint_eq(wakeups, 0);
    ck_assert(!place_wait(&clients[1].waiter, &frontends[0], &grants));
    give_back(0);
    expect_served("B");
    give_back(0);
}
END_TEST

START_TEST(undelivered_grants_wake_again)
{
    set_maxima(0, LIMIT_NONE, LIMIT_NONE);
    for (char name = 'A'; name <= 'C'; name++)
        wait_at(0, name);
    ck_assert(limit_move(&all, 3));
    place_serve(&outer);
    ck_assert_uint_eq(wakeups, 1);
    grants_deliver(&grants, 2);
    ck_assert_uint_eq(wakeups, 2);
    ck_assert_str_eq(served, "AB");
    expect_served("ABC");
    ck_assert_uint_eq(wakeups, 2);
    for (unsigned i = 0; i < 3; i++)
        give_back(0);
}
END_TEST

/* --- against a simple model --- */

/* Returns the oldest waiting client for which both limits have room, or CLIENTS. */
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

/* After each step, no waiter remains for which there is room. */
START_TEST(random_steps_keep_the_order)
{
    uint64_t since[CLIENTS] = {0}, now = 0; /* 0: is not waiting */
    size_t at[CLIENTS];
    unsigned inside[FRONTENDS] = {0};
    set_maxima(6, 2, 3);
    for (unsigned step = 0; step < 20000; step++) {
        size_t client = random_below(&seed, CLIENTS), where = random_below(&seed, FRONTENDS);
        size_t next = CLIENTS;
        served[0] = '\0';
        switch (random_below(&seed, 4)) {
        case 0:
        case 1:
            if (since[client])
                break;
            if (place_take(&frontends[where]) ||
                place_wait(&clients[client].waiter, &frontends[where], &grants)) {
                inside[where]++;
                break;
            }
            since[client] = ++now;
            at[client] = where;
            break;
        case 2:
            place_cancel(&clients[client].waiter);
            since[client] = 0;
            break;
        case 3:
            if (inside[where] == 0)
                break;
            inside[where]--;
            /* For the model only, which looks for the next client. */
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

enum { THREADS = 6, ROUNDS = UNIT_SANITIZED ? 600 : 3000, AT_A_TIME = 3, MOST = 3 };

static atomic_uint inside_all, inside_frontend[FRONTENDS], exceeded;

struct thread_client;

/* A worker: its wake-ups and its clients. */
struct thread {
    pthread_t thread;
    unsigned seed;
    sem_t wakeup;
    struct grants grants;
    struct thread_client {
        struct waiter waiter;
        size_t frontend;
        bool waits;
    } clients[AT_A_TIME];
};

static void wake_thread(void *arg)
{
    struct thread *thread = arg;
    sem_post(&thread->wakeup);
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

static void *take_wait_and_release(void *arg)
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
            /* If a place or a wake-up is lost, the test does not end. */
            while (client->waits) {
                sem_wait(&thread->wakeup);
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
        sem_init(&threads[i].wakeup, 0, 0);
        grants_init(&threads[i].grants, &waitlist, wake_thread, &threads[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i].thread, NULL, take_wait_and_release, &threads[i]), 0);
    /* Meanwhile the maximum moves, as if sessions of other processes began and ended. */
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
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, first_come_first_served);
    tcase_add_test(tcase, place_take_fails_while_others_wait);
    tcase_add_test(tcase, full_frontend_does_not_delay_others);
    tcase_add_test(tcase, place_goes_to_the_oldest_that_can_use_it);
    tcase_add_test(tcase, cancelled_waiter_passes_its_place_on);
    tcase_add_test(tcase, a_reservation_ends_with_its_waiter);
    tcase_add_test(tcase, raised_maximum_serves_waiters);
    tcase_add_test(tcase, lowered_maximum_stops_waiters);
    tcase_add_test(tcase, lowered_maximum_of_the_middle_limit);
    tcase_add_test(tcase, free_place_is_given_at_once);
    tcase_add_test(tcase, undelivered_grants_wake_again);
    tcase_add_test(tcase, random_steps_keep_the_order);
    tcase_add_test(tcase, grants_against_cancels);
    suite_add_tcase(suite, tcase);
    return suite;
}
