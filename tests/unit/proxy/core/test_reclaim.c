/* A replaced object is freed when no thread can read it any more, not earlier and not never. */
#include "proxy/core/reclaim.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/readers.h"

#include <check.h>
#include <stdlib.h>

enum { OBJECTS = 2000 };

/* Both halves of each published object are equal. */
struct object {
    struct retired retired;
    unsigned left, right;
};

static _Atomic(struct object *) published;
static struct readers readers;

static struct object *make(unsigned value)
{
    struct object *object = malloc(sizeof *object);
    ck_assert_ptr_nonnull(object);
    object->left = object->right = value;
    return object;
}

static void publish(unsigned value)
{
    struct object *before = atomic_exchange(&published, make(value));
    reclaim(&readers.reclaimer, &before->retired);
}

static bool read_object(void *arg)
{
    (void)arg;
    const struct object *object = atomic_load(&published);
    unsigned left = object->left;
    return object->right == left;
}

START_TEST(readers_never_see_freed_objects)
{
    atomic_store(&published, make(0));
    readers_start(&readers, read_object, NULL);
    for (unsigned i = 1; i <= OBJECTS; i++) {
        publish(i);
        if (i % 64 == 0)
            readers_await_turns(&readers, 1);
        task_queue_run(&readers.owner);
    }
    ck_assert(readers_stop(&readers));
    free(atomic_load(&published));
}
END_TEST

START_TEST(freed_when_all_readers_have_passed)
{
    atomic_store(&published, make(0));
    readers_start(&readers, read_object, NULL);
    for (unsigned i = 1; i <= OBJECTS; i++)
        publish(i);
    /* At most two rounds: objects that the first round has not freed were retired during this
     * round. */
    while (!STAILQ_EMPTY(&readers.reclaimer.waiting))
        readers_run_owner(&readers);
    ck_assert(STAILQ_EMPTY(&readers.reclaimer.next));
    ck_assert(readers_stop(&readers));
    free(atomic_load(&published));
}
END_TEST

/* Readers without a running thread cannot answer. */
START_TEST(closing_frees_the_rest)
{
    struct task_queue owner, reader;
    struct reclaimer reclaimer;
    ck_assert_int_eq(task_queue_open(&owner), 0);
    ck_assert_int_eq(task_queue_open(&reader), 0);
    ck_assert_int_eq(reclaimer_open(&reclaimer, &owner, 1), 0);
    reclaimer_add_reader(&reclaimer, &reader);
    for (unsigned i = 0; i < 3; i++)
        reclaim(&reclaimer, &make(i)->retired);
    ck_assert(!STAILQ_EMPTY(&reclaimer.waiting));
    ck_assert(!STAILQ_EMPTY(&reclaimer.next));
    task_queue_close(&reader);
    reclaimer_close(&reclaimer);
    task_queue_close(&owner);
}
END_TEST

START_TEST(without_readers_it_is_freed_at_once)
{
    struct reclaimer reclaimer = {0};
    reclaim(&reclaimer, &make(1)->retired);
}
END_TEST

Suite *reclaim_suite(void)
{
    Suite *suite = suite_create("reclaim");
    TCase *tcase = tcase_create("reclaim");
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, readers_never_see_freed_objects);
    tcase_add_test(tcase, freed_when_all_readers_have_passed);
    tcase_add_test(tcase, closing_frees_the_rest);
    tcase_add_test(tcase, without_readers_it_is_freed_at_once);
    suite_add_tcase(suite, tcase);
    return suite;
}
