#include "config/base/container_of.h"
#include "proxy/engine/poller.h"

#include "config/base/clock.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Two descriptors that are ready at once; what happens to the other when the first is told. */
struct bell {
    struct watch watch;
    int fd;
    unsigned rung;
};

static struct poller poller;
static struct bell bells[2];
static void (*on_first)(struct bell *other);

static void on_ready(struct watch *watch, uint32_t events)
{
    ck_assert_uint_eq(events, EPOLLIN);
    struct bell *bell = container_of(watch, struct bell, watch);
    bell->rung++;
    if (on_first) {
        void (*act)(struct bell *) = on_first;
        on_first = NULL;
        act(bell == &bells[0] ? &bells[1] : &bells[0]);
    }
}

static void setup(void)
{
    on_first = NULL;
    ck_assert_int_eq(poller_open(&poller), 0);
    for (int i = 0; i < 2; i++) {
        bells[i] = (struct bell){.watch.on_ready = on_ready, .fd = eventfd(1, EFD_CLOEXEC)};
        ck_assert_int_eq(poller_add(&poller, bells[i].fd, EPOLLIN | EPOLLET, &bells[i].watch), 0);
    }
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++)
        if (bells[i].fd >= 0)
            close(bells[i].fd);
    poller_shut(&poller);
}

static unsigned rung(void)
{
    return bells[0].rung + bells[1].rung;
}

START_TEST(each_is_told)
{
    poller_turn(&poller, -1);
    ck_assert_uint_eq(rung(), 2);
    poller_turn(&poller, 0);
    ck_assert_uint_eq(rung(), 2);
}
END_TEST

static void remove_it(struct bell *bell)
{
    poller_remove(&poller, bell->fd, &bell->watch);
}

static void close_it(struct bell *bell)
{
    poller_close(&poller, bell->fd, &bell->watch);
    bell->fd = -1;
}

START_TEST(who_goes_within_a_turn_is_told_nothing)
{
    on_first = _i ? remove_it : close_it;
    poller_turn(&poller, -1);
    ck_assert_uint_eq(rung(), 1);
    poller_turn(&poller, 0);
    ck_assert_uint_eq(rung(), 1);
}
END_TEST

/* The old descriptor's event must not be taken for the new one's. */
static void replace(struct bell *bell)
{
    close_it(bell);
    bell->fd = eventfd(0, EFD_CLOEXEC);
    ck_assert_int_eq(poller_add(&poller, bell->fd, EPOLLIN | EPOLLET, &bell->watch), 0);
}

START_TEST(a_new_descriptor_has_no_old_events)
{
    on_first = replace;
    poller_turn(&poller, -1);
    ck_assert_uint_eq(rung(), 1);
}
END_TEST

START_TEST(a_descriptor_that_a_child_has_too_is_forgotten_all_the_same)
{
    poller_turn(&poller, -1);
    int others = dup(bells[0].fd);
    poller_share(&poller, true);
    close_it(&bells[0]);
    poller_share(&poller, false);
    ck_assert_int_eq(eventfd_write(others, 1), 0);
    poller_turn(&poller, 0);
    ck_assert_uint_eq(rung(), 2);
    close(others);
}
END_TEST

/* Also when that time has passed before the call, however long the caller was busy. */
START_TEST(the_wait_ends_at_the_time_that_was_set)
{
    poller_turn(&poller, -1);
    for (int i = 0; i < 3; i++) {
        uint64_t at = i < 2 ? clock_ms() + 20 : 1;
        poller_wake_at(&poller, at);
        while (i == 1 && clock_ms() <= at)
            ;
        poller_turn(&poller, -1);
        ck_assert_uint_ge(clock_ms(), at);
    }
    ck_assert_uint_eq(rung(), 2);
}
END_TEST

START_TEST(a_time_that_was_taken_back_ends_no_wait)
{
    poller_turn(&poller, -1);
    uint64_t at = clock_ms() + 20;
    poller_wake_at(&poller, at);
    poller_wake_at(&poller, UINT64_MAX);
    while (clock_ms() <= at)
        ;
    struct pollfd ready = {.fd = poller.fd, .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, 0), 0);
}
END_TEST

START_TEST(a_descriptor_that_is_no_socket_is_an_error)
{
    char name[] = "/tmp/rpproxy-poller.XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    ck_assert_int_eq(poller_add(&poller, file, EPOLLIN, &bells[0].watch), EPERM);
    close(file);
}
END_TEST

Suite *poller_suite(void)
{
    Suite *suite = suite_create("poller");
    TCase *tcase = tcase_create("poller");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_is_told);
    tcase_add_loop_test(tcase, who_goes_within_a_turn_is_told_nothing, 0, 2);
    tcase_add_test(tcase, a_new_descriptor_has_no_old_events);
    tcase_add_test(tcase, a_descriptor_that_a_child_has_too_is_forgotten_all_the_same);
    tcase_add_test(tcase, the_wait_ends_at_the_time_that_was_set);
    tcase_add_test(tcase, a_time_that_was_taken_back_ends_no_wait);
    tcase_add_test(tcase, a_descriptor_that_is_no_socket_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
