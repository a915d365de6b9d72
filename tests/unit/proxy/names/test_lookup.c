#include "proxy/names/lookup.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/nameserver.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

/* The test's own thread is the main one, with the name server; workers are made by the tests. */
static struct event_base *base;
static struct event *bell;
static struct task_queue main_queue;
static struct nameserver nameserver;
static struct resolver_conf conf;
static struct lookups *lookups;

static void on_tasks(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    task_queue_run(arg);
}

static void open_all(void)
{
    base = event_base_new();
    ck_assert_int_eq(task_queue_open(&main_queue), 0);
    bell = event_new(base, main_queue.fd, EV_READ | EV_PERSIST, on_tasks, &main_queue);
    event_add(bell, NULL);
    nameserver_open(&nameserver, base);
    conf = nameserver_conf(&nameserver);
    lookups = lookups_new(base, &main_queue, &conf);
    ck_assert_ptr_nonnull(lookups);
}

static void close_all(void)
{
    lookups_free(lookups);
    nameserver_close(&nameserver);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_free(bell);
    task_queue_close(&main_queue);
    event_base_free(base);
}

struct told {
    atomic_uint count;
    struct lookup_result result;
};

static void on_told(const struct lookup_result *result, void *arg)
{
    struct told *told = arg;
    told->result = *result;
    atomic_fetch_add(&told->count, 1);
}

/* A lookup of the main thread itself: it has a task queue, too. */
static struct lookup_result look_up(const char *name)
{
    struct told told = {0};
    ck_assert_ptr_nonnull(lookup_begin(lookups, &main_queue, name, on_told, &told));
    ck_assert_uint_eq(atomic_load(&told.count), 0);
    while (atomic_load(&told.count) == 0)
        event_base_loop(base, EVLOOP_ONCE);
    return told.result;
}

START_TEST(answer_is_kept)
{
    char text[ADDRESS_TEXT_MAX];
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 600);
    struct lookup_result result = look_up("App.Example");
    ck_assert_int_eq(result.status, ANSWER_OK);
    ck_assert_uint_eq(result.count, 1);
    ck_assert_str_eq(address_format(&result.addresses[0], text), "10.0.0.1:0");
    unsigned asked = nameserver.asked;
    result = look_up("app.example");
    ck_assert_int_eq(result.status, ANSWER_OK);
    ck_assert_uint_eq(nameserver.asked, asked);
}
END_TEST

START_TEST(missing_name_is_kept_too)
{
    ck_assert_int_eq(look_up("no.example").status, ANSWER_NO_NAME);
    unsigned asked = nameserver.asked;
    ck_assert_int_eq(look_up("no.example").status, ANSWER_NO_NAME);
    ck_assert_uint_eq(nameserver.asked, asked);
}
END_TEST

START_TEST(addresses_and_nonsense_are_not_asked_for)
{
    char text[ADDRESS_TEXT_MAX], name[300];
    struct lookup_result result = look_up("192.0.2.7");
    ck_assert_str_eq(address_format(&result.addresses[0], text), "192.0.2.7:0");
    result = look_up("2001:db8::7");
    ck_assert_str_eq(address_format(&result.addresses[0], text), "[2001:db8::7]:0");
    ck_assert_int_eq(look_up("").status, ANSWER_NO_NAME);
    ck_assert_int_eq(look_up("a b").status, ANSWER_NO_NAME);
    ck_assert_int_eq(look_up("1.2.3").status, ANSWER_NO_NAME);
    memset(name, 'a', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    ck_assert_int_eq(look_up(name).status, ANSWER_NO_NAME);
    ck_assert_uint_eq(nameserver.asked, 0);
}
END_TEST

START_TEST(known_addresses_are_held)
{
    conf.max = 10;
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 0);
    ck_assert_int_eq(look_up("app.example").status, ANSWER_OK);
    nameserver.error = DNS_ERR_SERVERFAILED;
    unsigned asked = nameserver.asked;
    while (nameserver.asked == asked)
        ck_assert_int_eq(look_up("app.example").status, ANSWER_OK);
    ck_assert_int_eq(look_up("app.example").status, ANSWER_OK);
    ck_assert_int_eq(look_up("other.example").status, ANSWER_FAILED);
}
END_TEST

START_TEST(too_many_are_refused)
{
    static struct told told[LOOKUPS_OPEN + 5];
    nameserver.silent = true;
    for (size_t i = 0; i < LOOKUPS_OPEN + 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu.example", i);
        ck_assert_ptr_nonnull(lookup_begin(lookups, &main_queue, name, on_told, &told[i]));
    }
    while (atomic_load(&told[LOOKUPS_OPEN + 4].count) == 0)
        event_base_loop(base, EVLOOP_ONCE);
    for (size_t i = LOOKUPS_OPEN; i < LOOKUPS_OPEN + 5; i++)
        ck_assert_int_eq(told[i].result.status, ANSWER_BUSY);
}
END_TEST

/* Nobody answers, and others ask for as many names as may be asked for. */
START_TEST(known_addresses_are_held_beside_too_many)
{
    static struct told told[LOOKUPS_OPEN];
    conf.min = conf.max = 0; /* it is asked for each time */
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 0);
    ck_assert_int_eq(look_up("app.example").status, ANSWER_OK);
    nameserver.silent = true;
    for (size_t i = 0; i < LOOKUPS_OPEN; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu.example", i);
        ck_assert_ptr_nonnull(lookup_begin(lookups, &main_queue, name, on_told, &told[i]));
    }
    struct lookup_result result = look_up("app.example");
    ck_assert_int_eq(result.status, ANSWER_OK);
    ck_assert_uint_eq(result.count, 1);
}
END_TEST

START_TEST(names_are_forgotten_when_there_are_too_many)
{
    for (size_t i = 0; i < LOOKUPS_KEPT + 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu.localhost", i);
        ck_assert_int_eq(look_up(name).status, ANSWER_OK);
    }
}
END_TEST

START_TEST(cancelled_lookup_is_not_told)
{
    struct told told = {0};
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 600);
    struct lookup *lookup = lookup_begin(lookups, &main_queue, "app.example", on_told, &told);
    lookup_cancel(lookup);
    look_up("app.example");
    ck_assert_uint_eq(atomic_load(&told.count), 0);
}
END_TEST

/* The queue of the main thread is run once more when all is closed. */
START_TEST(lookups_are_left_on_their_way)
{
    static struct told told[3];
    nameserver.silent = true;
    for (size_t i = 0; i < 2; i++)
        ck_assert_ptr_nonnull(lookup_begin(lookups, &main_queue, "10.0.0.1", on_told, &told[i]));
    event_base_loop(base, EVLOOP_NONBLOCK); /* two answers are on the way, and then one question */
    ck_assert_ptr_nonnull(lookup_begin(lookups, &main_queue, "app.example", on_told, &told[2]));
}
END_TEST

/* A thread with a task queue of its own, which asks for the same few names many times. */
struct asker {
    pthread_t thread;
    struct task_queue queue;
    struct told told;
    unsigned good;
    struct task done_task; /* to the main thread */
};

static unsigned done;

static void on_done(void *arg)
{
    (void)arg;
    done++;
}

static void *ask_often(void *arg)
{
    struct asker *asker = arg;
    for (unsigned i = 0; i < 500; i++) {
        char name[32];
        unsigned before = atomic_load(&asker->told.count);
        snprintf(name, sizeof name, "n%u.example", i % 7);
        struct lookup *lookup = lookup_begin(lookups, &asker->queue, name, on_told, &asker->told);
        if (lookup && i % 5 == 0) {
            lookup_cancel(lookup);
            continue;
        }
        while (lookup && atomic_load(&asker->told.count) == before) {
            struct pollfd queue = {.fd = asker->queue.fd, .events = POLLIN};
            poll(&queue, 1, -1);
            task_queue_run(&asker->queue);
        }
        asker->good += lookup && asker->told.result.status == ANSWER_OK;
    }
    task_queue_post(&main_queue, &asker->done_task);
    return NULL;
}

START_TEST(threads_ask)
{
    static struct asker askers[4];
    conf.max = 10; /* names are asked for meanwhile, too */
    for (unsigned i = 0; i < 7; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%u.example", i);
        nameserver_add(&nameserver, name, "10.0.0.1", 1);
    }
    for (size_t i = 0; i < 4; i++) {
        askers[i].done_task = (struct task){.run = on_done};
        ck_assert_int_eq(task_queue_open(&askers[i].queue), 0);
        ck_assert_int_eq(pthread_create(&askers[i].thread, NULL, ask_often, &askers[i]), 0);
    }
    while (done < 4)
        event_base_loop(base, EVLOOP_ONCE);
    for (size_t i = 0; i < 4; i++) {
        pthread_join(askers[i].thread, NULL);
        ck_assert_uint_eq(askers[i].good, 400);
    }
    /* Tasks for them that have not run are dropped with their queues; see lookups_free(). */
    lookups_free(lookups);
    lookups = NULL;
    for (size_t i = 0; i < 4; i++)
        task_queue_close(&askers[i].queue);
}
END_TEST

Suite *lookup_suite(void)
{
    Suite *suite = suite_create("lookup");
    TCase *tcase = tcase_create("lookup");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, answer_is_kept);
    tcase_add_test(tcase, missing_name_is_kept_too);
    tcase_add_test(tcase, addresses_and_nonsense_are_not_asked_for);
    tcase_add_test(tcase, known_addresses_are_held);
    tcase_add_test(tcase, too_many_are_refused);
    tcase_add_test(tcase, known_addresses_are_held_beside_too_many);
    tcase_add_test(tcase, names_are_forgotten_when_there_are_too_many);
    tcase_add_test(tcase, cancelled_lookup_is_not_told);
    tcase_add_test(tcase, lookups_are_left_on_their_way);
    tcase_add_test(tcase, threads_ask);
    suite_add_tcase(suite, tcase);
    return suite;
}
