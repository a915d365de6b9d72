/* Who gets which place, and when; and that no limit is exceeded, no place and no waiter is lost
 * when many threads take, wait, leave and give back while the limits move. */
#include "config/base/container_of.h"
#include "proxy/core/pool.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

enum { SERVERS = 3, CLIENTS = 40 };

static struct pool pool;
static struct limit limits[SERVERS];
static struct pool_member members[SERVERS];
static struct pool_desk desk;
static unsigned wakeups;

/* A waiter, named by one letter. */
struct client {
    struct pool_waiter waiter;
    char name;
    struct pool_member *holds;
    bool again;   /* was told to choose again */
    size_t shuns; /* the server that it does not take; SERVERS: it takes all */
};

static bool excludes(struct pool_waiter *waiter, const void *owner)
{
    const struct client *client = container_of(waiter, struct client, waiter);
    return client->shuns < SERVERS && owner == &limits[client->shuns];
}

static struct client clients[CLIENTS];
static char served[4 * CLIENTS]; /* names and servers, in the order of service: "A0 B1 " */

static void note_wake_up(void *arg)
{
    (void)arg;
    wakeups++;
}

static void note_call(struct pool_waiter *waiter, struct pool_member *given)
{
    struct client *client = container_of(waiter, struct client, waiter);
    char text[] = {client->name, given ? (char)('0' + (given - members)) : '-', ' ', '\0'};
    strcat(served, text);
    client->holds = given;
    client->again = !given;
}

static void setup(void)
{
    ck_assert_int_eq(pool_open(&pool, POOL_NO_END, SERVERS), 0);
    pool_desk_init(&desk, note_wake_up, NULL);
    for (size_t i = 0; i < SERVERS; i++) {
        limits[i] = (struct limit){.max = 0};
        ck_assert_int_eq(pool_add(&pool, &members[i], &limits[i], &limits[i]), 0);
        pool_set_usable(&pool, &members[i], true);
    }
    for (size_t i = 0; i < CLIENTS; i++)
        clients[i] =
            (struct client){.waiter = {.excludes = excludes, .on_call = note_call, .desk = &desk},
                            .name = (char)('A' + i),
                            .shuns = SERVERS};
    served[0] = '\0';
    wakeups = 0;
}

static void teardown(void)
{
    for (size_t i = 0; i < CLIENTS; i++)
        pool_leave(&pool, &clients[i].waiter);
    ck_assert_uint_eq(pool_waiting(&pool), 0);
    ck_assert_uint_eq(pool.any_count, 0);
    ck_assert_uint_eq(pool.homeless, 0);
    for (size_t i = 0; i < SERVERS; i++)
        ck_assert_uint_eq(members[i].wanted_by, 0);
    pool_close(&pool);
}

static void set_max(size_t server, unsigned max)
{
    pool_set_max(&pool, &members[server], max);
}

static void set_maxima(unsigned first, unsigned second, unsigned third)
{
    set_max(0, first);
    set_max(1, second);
    set_max(2, third);
}

static enum pool_answer join(char name)
{
    struct client *client = &clients[name - 'A'];
    struct pool_member *given = NULL;
    client->again = false;
    enum pool_answer answer =
        pool_join(&pool, &client->waiter, client->waiter.age ? POOL_STAYS : POOL_NEW, &given);
    if (answer == POOL_GIVEN)
        client->holds = given;
    return answer;
}

static void expect_joined(const char *names)
{
    for (; *names; names++)
        ck_assert_int_eq(join(*names), POOL_JOINED);
}

static void expect_served(const char *expected)
{
    pool_deliver(&pool, &desk, CLIENTS);
    ck_assert_str_eq(served, expected);
    served[0] = '\0';
}

static void take(size_t server, unsigned count)
{
    for (; count > 0; count--)
        ck_assert(pool_take(&pool, &members[server]));
}

static void give_back(size_t server)
{
    pool_release(&pool, &members[server]);
}

START_TEST(first_come_first_served)
{
    set_maxima(1, 2, 0);
    take(0, 1);
    take(1, 2);
    ck_assert(!pool_take(&pool, &members[0]));
    expect_joined("ABCDEF");
    ck_assert_uint_eq(pool_waiting(&pool), 6);
    give_back(1);
    ck_assert_uint_eq(wakeups, 1);
    expect_served("A1 ");
    give_back(0);
    give_back(1);
    ck_assert_uint_eq(wakeups, 2); /* one for both */
    expect_served("B0 C1 ");
    ck_assert_uint_eq(limits[0].used, 1);
    ck_assert_uint_eq(limits[1].used, 2);
    give_back(1);
    give_back(1);
    give_back(1);
    expect_served("D1 E1 F1 ");
}
END_TEST

/* Somebody waits, so that a free place is not for those that come now. */
START_TEST(nobody_is_overtaken)
{
    set_maxima(1, 0, 0);
    take(0, 1);
    expect_joined("AB");
    give_back(0);
    ck_assert(!pool_take(&pool, &members[0]));
    expect_joined("C");
    expect_served("A0 ");
    give_back(0);
    give_back(0);
    expect_served("B0 C0 ");
}
END_TEST

START_TEST(a_waiter_that_wants_one_does_not_delay_others)
{
    set_maxima(1, 1, 0);
    take(0, 1);
    clients[0].waiter.wanted = &members[0];
    clients[2].waiter.wanted = &members[0];
    expect_joined("A");
    ck_assert(!pool_take(&pool, &members[1]));
    ck_assert_int_eq(join('B'),
                     POOL_GIVEN); /* in the line it gets the place that A does not want */
    ck_assert_ptr_eq(clients[1].holds, &members[1]);
    expect_joined("CD");
    give_back(1);
    expect_served("D1 ");
    give_back(0);
    give_back(0);
    expect_served("A0 C0 ");
}
END_TEST

START_TEST(the_older_of_both_lines)
{
    set_maxima(1, 0, 0);
    take(0, 1);
    clients[1].waiter.wanted = &members[0];
    clients[2].waiter.wanted = &members[0];
    expect_joined("ABCD");
    for (unsigned i = 0; i < 4; i++)
        give_back(0);
    expect_served("A0 B0 C0 D0 ");
}
END_TEST

/* Its server has refused: the waiter does not take that one, and is served before the others. */
START_TEST(a_waiter_that_joins_again_keeps_its_turn)
{
    set_maxima(1, 1, 0);
    take(0, 1);
    take(1, 1);
    expect_joined("ABC");
    give_back(0);
    expect_served("A0 ");
    clients[0].shuns = 0;
    expect_joined("A");
    give_back(0);
    expect_served("B0 ");
    give_back(1);
    expect_served("A1 ");
}
END_TEST

START_TEST(one_that_leaves_passes_its_place_on)
{
    set_maxima(1, 0, 0);
    take(0, 1);
    expect_joined("ABC");
    pool_leave(&pool, &clients[1].waiter);
    give_back(0);
    pool_leave(&pool, &clients[0].waiter); /* has been given the place, and was not told yet */
    pool_leave(&pool, &clients[0].waiter);
    expect_served("C0 ");
    ck_assert_uint_eq(limits[0].used, 1);
    give_back(0);
    ck_assert_uint_eq(limits[0].used, 0);
}
END_TEST

START_TEST(the_line_has_an_end)
{
    pool.most = 2;
    set_maxima(1, 0, 0);
    take(0, 1);
    expect_joined("AB");
    ck_assert_int_eq(join('C'), POOL_FULL);
    ck_assert_uint_eq(pool_waiting(&pool), 2);
    give_back(0);
    expect_served("A0 ");
    ck_assert_int_eq(join('C'), POOL_JOINED);
    expect_joined("A"); /* it comes back, and keeps its turn */
    give_back(0);
    give_back(0);
    give_back(0);
    expect_served("A0 B0 C0 ");
    pool.most = 0;
    ck_assert_int_eq(join('D'), POOL_FULL);
    give_back(0);
    ck_assert_int_eq(join('D'), POOL_GIVEN);
    ck_assert_int_eq(join('E'), POOL_FULL);
}
END_TEST

START_TEST(without_a_usable_server)
{
    set_maxima(1, 1, 1);
    pool_set_usable(&pool, &members[0], false);
    pool_set_usable(&pool, &members[2], false);
    clients[0].shuns = 1;
    ck_assert_int_eq(join('A'), POOL_HOPELESS);
    clients[0].waiter.age = 1; /* it has waited before, and stays */
    expect_joined("A");
    pool_set_usable(&pool, &members[2], true);
    expect_served("A2 ");
}
END_TEST

/* A place on a server that is down stays free; when the server comes back all its places are given.
 */
START_TEST(a_server_that_comes_back_is_filled)
{
    set_maxima(2, 1, 0);
    take(1, 1);
    pool_set_usable(&pool, &members[0], false);
    expect_joined("ABC");
    pool_serve(&pool, &members[0]);
    expect_served("");
    pool_set_usable(&pool, &members[0], true);
    expect_served("A0 B0 ");
    set_max(0, 3);
    expect_served("C0 ");
}
END_TEST

START_TEST(who_wants_a_server_that_is_down_chooses_again)
{
    set_maxima(1, 1, 0);
    take(0, 1);
    take(1, 1);
    for (size_t i = 0; i < 3; i++) {
        clients[i].waiter.keyed = true;
        clients[i].waiter.wanted = &members[0];
    }
    expect_joined("ABC");
    pool_set_usable(&pool, &members[0], false);
    expect_served("A- B- C- ");
    clients[0].waiter.wanted = &members[1];
    clients[1].waiter.wanted = clients[2].waiter.wanted = NULL; /* found none to want */
    expect_joined("CBA");
    ck_assert_uint_eq(pool_wanting(&pool, &members[1]), 1);
    give_back(1);
    expect_served("A1 ");
    give_back(1);
    expect_served(""); /* those without a home do not take just any server */
    pool_set_usable(&pool, &members[2], true);
    expect_served("B- C- ");
}
END_TEST

START_TEST(a_forgone_place_is_nobodys)
{
    set_maxima(2, 0, 0);
    take(0, 2);
    expect_joined("AB");
    pool_forgo(&pool, &members[0]);
    expect_served("");
    ck_assert_uint_eq(limits[0].max, 1);
    ck_assert_uint_eq(limits[0].used, 1);
    give_back(0);
    expect_served("A0 ");
    set_max(0, 0);
    pool_forgo(&pool, &members[0]); /* the main thread has counted it already */
    ck_assert_uint_eq(limits[0].max, 0);
    expect_served("");
}
END_TEST

START_TEST(the_emptier_server_is_filled_first)
{
    set_maxima(0, 0, 0);
    expect_joined("A");
    limits[0].max = 4;
    limits[0].used = 3;
    limits[1].max = 2;
    limits[1].used = 1;
    ck_assert_int_eq(join('B'), POOL_GIVEN); /* A got the place of the emptier one, B the other */
    expect_served("A1 ");
    ck_assert_ptr_eq(clients[1].holds, &members[0]);
}
END_TEST

START_TEST(undelivered_calls_wake_again)
{
    set_maxima(0, 0, 0);
    expect_joined("ABC");
    set_max(0, 3);
    ck_assert_uint_eq(wakeups, 1);
    pool_deliver(&pool, &desk, 2);
    ck_assert_uint_eq(wakeups, 2);
    expect_served("A0 B0 C0 ");
    ck_assert_uint_eq(wakeups, 2);
}
END_TEST

/* --- members with room --- */

static bool is_known(size_t server)
{
    return pool_room(&pool, 0) >> server & 1;
}

START_TEST(a_member_is_known_to_have_room)
{
    ck_assert(!is_known(0));
    set_maxima(0, 1, 0);
    ck_assert(!is_known(0));
    ck_assert(is_known(1));
    take(1, 1);
    ck_assert(!pool_has_room(&members[1]));
    ck_assert(!is_known(1));
    give_back(1);
    ck_assert(is_known(1));
    ck_assert(pool_has_room(&members[1]));
    set_max(1, 0);
    ck_assert(!pool_has_room(&members[1]));
    set_max(1, 1);
    ck_assert(pool_has_room(&members[1]));
}
END_TEST

/* Room that comes while a thread is about to say that there is none. */
START_TEST(a_member_with_room_stays_known)
{
    set_maxima(0, 1, 0);
    ck_assert(!pool_note_full(&members[1]));
    ck_assert(is_known(1));
}
END_TEST

START_TEST(a_place_that_nobody_takes_is_known)
{
    set_maxima(1, 0, 0);
    take(0, 1);
    ck_assert(!pool_has_room(&members[0]));
    expect_joined("A");
    give_back(0);
    ck_assert(!is_known(0)); /* waiter A has the place */
    pool_leave(&pool, &clients[0].waiter);
    ck_assert(is_known(0));
}
END_TEST

START_TEST(members_are_numbered)
{
    enum { MANY = 200 };
    static struct pool_member many[MANY];
    static struct limit each[MANY];
    struct pool other;
    ck_assert_int_eq(pool_open(&other, POOL_NO_END, MANY), 0);
    for (size_t i = 0; i < MANY; i++) {
        each[i].max = i % 3 == 0;
        ck_assert_int_eq(pool_add(&other, &many[i], &each[i], NULL), 0);
    }
    for (size_t i = 0; i < MANY; i++)
        ck_assert_uint_eq(pool_room(&other, i / 64) >> i % 64 & 1, i % 3 == 0);
    static struct pool_member more[512];
    int error = 0;
    for (size_t i = 0; i < 512 && !error; i++)
        error = pool_add(&other, &more[i], &each[0], NULL);
    ck_assert_int_eq(error, ENOMEM);
    pool_close(&other);
}
END_TEST

/* --- against a simple model --- */

static unsigned random_below(unsigned *state, unsigned below)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 16) % below;
}

struct model {
    uint64_t since[CLIENTS]; /* 0: does not wait */
    size_t wants[CLIENTS];   /* SERVERS: any but the one that it shuns */
    size_t shuns[CLIENTS];   /* SERVERS: takes all */
    uint64_t now;
};

static bool model_takes(const struct model *model, size_t client, size_t server)
{
    return model->wants[client] == SERVERS ? model->shuns[client] != server
                                           : model->wants[client] == server;
}

/* The oldest that can use a free place of the server, or CLIENTS. */
static size_t model_next(const struct model *model, size_t server)
{
    size_t best = CLIENTS;
    for (size_t i = 0; i < CLIENTS; i++)
        if (model->since[i] && members[server].usable && limit_has_room(&limits[server]) &&
            model_takes(model, i, server) &&
            (best == CLIENTS || model->since[i] < model->since[best]))
            best = i;
    return best;
}

static void expect_none_left(const struct model *model)
{
    unsigned waiting = 0;
    for (size_t i = 0; i < CLIENTS; i++)
        waiting += model->since[i] != 0;
    ck_assert_uint_eq(pool_waiting(&pool), waiting);
    for (size_t i = 0; i < SERVERS; i++)
        ck_assert_uint_eq(model_next(model, i), CLIENTS);
}

static void model_join(struct model *model, size_t i, unsigned *seed)
{
    struct client *client = &clients[i];
    model->wants[i] = random_below(seed, 2) ? SERVERS : random_below(seed, SERVERS);
    model->shuns[i] = random_below(seed, SERVERS + 2);
    if (model->shuns[i] > SERVERS)
        model->shuns[i] = SERVERS;
    client->waiter.wanted = model->wants[i] == SERVERS ? NULL : &members[model->wants[i]];
    client->shuns = model->shuns[i];
    client->waiter.age = 0;
    struct pool_member *given;
    enum pool_answer answer = pool_join(&pool, &client->waiter, POOL_STAYS, &given);
    if (answer == POOL_GIVEN) {
        ck_assert(model_takes(model, i, (size_t)(given - members)));
        client->holds = given;
    } else {
        ck_assert_int_eq(answer, POOL_JOINED);
        model->since[i] = ++model->now;
    }
}

/* Each waiter that was called was the oldest that could be, of those that have not been called. */
static void expect_order(struct model *model, size_t server)
{
    pool_deliver(&pool, &desk, CLIENTS);
    for (const char *at = served; *at; at += 3) {
        size_t client = (size_t)(at[0] - 'A');
        ck_assert_int_eq(at[1] - '0', (int)server);
        for (size_t i = 0; i < CLIENTS; i++)
            ck_assert(!model->since[i] || !model_takes(model, i, server) ||
                      model->since[i] >= model->since[client]);
        model->since[client] = 0;
    }
    served[0] = '\0';
}

START_TEST(random_steps_keep_the_order)
{
    static struct model model;
    unsigned seed = 7;
    set_maxima(2, 3, 1);
    for (unsigned step = 0; step < 30000; step++) {
        size_t i = random_below(&seed, CLIENTS), server = random_below(&seed, SERVERS);
        struct client *client = &clients[i];
        switch (random_below(&seed, 6)) {
        case 0:
        case 1:
            if (!model.since[i] && !client->holds)
                model_join(&model, i, &seed);
            break;
        case 2:
            pool_leave(&pool, &client->waiter);
            model.since[i] = 0;
            break;
        case 3:
            if (client->holds) {
                server = (size_t)(client->holds - members);
                client->holds = NULL;
                give_back(server);
                expect_order(&model, server);
            }
            break;
        case 4:
            set_max(server, random_below(&seed, 4));
            expect_order(&model, server);
            break;
        case 5:
            /* What wants the member is told to choose again: it leaves, in this model. */
            pool_set_usable(&pool, &members[server], random_below(&seed, 4) != 0);
            if (members[server].usable) {
                expect_order(&model, server);
                break;
            }
            pool_deliver(&pool, &desk, CLIENTS);
            for (const char *at = served; *at; at += 3) {
                ck_assert_int_eq(at[1], '-');
                ck_assert_uint_eq(model.wants[at[0] - 'A'], server);
                model.since[at[0] - 'A'] = 0;
            }
            served[0] = '\0';
            break;
        }
        expect_none_left(&model);
        for (size_t j = 0; j < SERVERS; j++) {
            unsigned held = 0;
            for (size_t k = 0; k < CLIENTS; k++)
                held += clients[k].holds == &members[j];
            ck_assert_uint_eq(held, limits[j].used);
        }
    }
}
END_TEST

/* --- many threads --- */

enum { THREADS = 6, ROUNDS = UNIT_SANITIZED ? 600 : 3000, AT_A_TIME = 3, MOST = 3 };

/* How many may be inside. The thread that moves a limit lowers this after the limit, by the rule
 * for several processes: what is in use, or more. */
static atomic_uint inside[SERVERS], allowed[SERVERS], exceeded;

struct thread {
    pthread_t thread;
    unsigned seed;
    sem_t wakeup;
    struct pool_desk desk;
    struct thread_client {
        struct pool_waiter waiter;
        bool waits;
    } clients[AT_A_TIME];
};

static void wake_thread(void *arg)
{
    struct thread *thread = arg;
    sem_post(&thread->wakeup);
}

static void use_place(struct pool_member *member)
{
    size_t server = (size_t)(member - members);
    if (atomic_fetch_add(&inside[server], 1) + 1 > atomic_load(&allowed[server]))
        atomic_fetch_add(&exceeded, 1);
    sched_yield();
    atomic_fetch_sub(&inside[server], 1);
    pool_release(&pool, member);
}

static void begin_client(struct thread *thread, struct thread_client *client);

static void on_thread_called(struct pool_waiter *waiter, struct pool_member *given)
{
    struct thread_client *client = container_of(waiter, struct thread_client, waiter);
    client->waits = false;
    if (given)
        use_place(given);
    else
        begin_client(container_of(waiter->desk, struct thread, desk), client);
}

static void begin_client(struct thread *thread, struct thread_client *client)
{
    struct pool_member *member = &members[random_below(&thread->seed, SERVERS)];
    if (pool_take(&pool, member)) {
        use_place(member);
        return;
    }
    client->waiter = (struct pool_waiter){.on_call = on_thread_called, .desk = &thread->desk};
    if (random_below(&thread->seed, 2))
        client->waiter.wanted = member;
    client->waits = pool_join(&pool, &client->waiter, POOL_STAYS, &member) == POOL_JOINED;
    if (!client->waits)
        use_place(member);
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
                pool_leave(&pool, &client->waiter);
                client->waits = false;
            }
            /* If a place or a wake-up is lost, the test does not end. */
            while (client->waits) {
                sem_wait(&thread->wakeup);
                pool_deliver(&pool, &thread->desk, 1 + random_below(&thread->seed, AT_A_TIME));
            }
        }
    }
    return NULL;
}

/* As the main thread does while other processes have sessions: see limit_shares.h. */
static void move_limits(unsigned round)
{
    size_t server = round % SERVERS;
    unsigned max = round / SERVERS % 2 ? 1 : MOST;
    if (max > atomic_load(&limits[server].max)) {
        atomic_store(&allowed[server], max);
        set_max(server, max);
    } else {
        set_max(server, max);
        unsigned used = atomic_load(&limits[server].used);
        atomic_store(&allowed[server], used > max ? used : max);
    }
    if (round % 16 == 0)
        pool_set_usable(&pool, &members[0], round % 32 != 0);
}

START_TEST(calls_against_leaves)
{
    static struct thread threads[THREADS];
    for (size_t i = 0; i < SERVERS; i++) {
        atomic_store(&allowed[i], MOST);
        set_max(i, MOST);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        threads[i].seed = i + 1;
        sem_init(&threads[i].wakeup, 0, 0);
        pool_desk_init(&threads[i].desk, wake_thread, &threads[i]);
    }
    for (unsigned i = 0; i < THREADS; i++)
        ck_assert_int_eq(
            pthread_create(&threads[i].thread, NULL, take_wait_and_release, &threads[i]), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        move_limits(i);
        sched_yield();
    }
    pool_set_usable(&pool, &members[0], true);
    for (unsigned i = 0; i < THREADS; i++)
        pthread_join(threads[i].thread, NULL);
    ck_assert_uint_eq(atomic_load(&exceeded), 0);
    for (size_t i = 0; i < SERVERS; i++)
        ck_assert_uint_eq(atomic_load(&limits[i].used), 0);
}
END_TEST

Suite *pool_suite(void)
{
    Suite *suite = suite_create("pool");
    TCase *tcase = tcase_create("order");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 240);
    tcase_add_test(tcase, first_come_first_served);
    tcase_add_test(tcase, nobody_is_overtaken);
    tcase_add_test(tcase, a_waiter_that_wants_one_does_not_delay_others);
    tcase_add_test(tcase, the_older_of_both_lines);
    tcase_add_test(tcase, a_waiter_that_joins_again_keeps_its_turn);
    tcase_add_test(tcase, one_that_leaves_passes_its_place_on);
    tcase_add_test(tcase, the_line_has_an_end);
    tcase_add_test(tcase, without_a_usable_server);
    tcase_add_test(tcase, a_server_that_comes_back_is_filled);
    tcase_add_test(tcase, who_wants_a_server_that_is_down_chooses_again);
    tcase_add_test(tcase, a_forgone_place_is_nobodys);
    tcase_add_test(tcase, the_emptier_server_is_filled_first);
    tcase_add_test(tcase, undelivered_calls_wake_again);
    tcase_add_test(tcase, a_member_is_known_to_have_room);
    tcase_add_test(tcase, a_member_with_room_stays_known);
    tcase_add_test(tcase, a_place_that_nobody_takes_is_known);
    tcase_add_test(tcase, members_are_numbered);
    tcase_add_test(tcase, random_steps_keep_the_order);
    tcase_add_test(tcase, calls_against_leaves);
    suite_add_tcase(suite, tcase);
    return suite;
}
