#include "config/base/container_of.h"
#include "proxy/engine/engine.h"

#include "config/base/clock.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Two streams that are ready at once; what happens to the other when the first is told. They are
 * no sockets, but all that is read of them here is events. */
struct bell {
    struct stream stream;
    unsigned rung;
};

static struct engine engine;
static struct bell bells[2];
static void (*on_first)(struct bell *other);

static void on_ready(struct watch *watch, uint32_t what)
{
    (void)what;
    struct bell *bell = container_of(watch, struct bell, stream.watch);
    ck_assert(bell->stream.readable);
    bell->rung++;
    if (on_first) {
        void (*act)(struct bell *) = on_first;
        on_first = NULL;
        act(bell == &bells[0] ? &bells[1] : &bells[0]);
    }
}

/* Ready, if count is not 0. */
static int take(struct bell *bell, unsigned count)
{
    return engine_take(&engine, &bell->stream, eventfd(count, EFD_CLOEXEC), STREAM_ACCEPTED);
}

static void setup(void)
{
    on_first = NULL;
    ck_assert_int_eq(engine_open(&engine), 0);
    for (int i = 0; i < 2; i++) {
        bells[i] = (struct bell){.stream.watch.on_ready = on_ready};
        ck_assert_int_eq(take(&bells[i], 1), 0);
    }
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++)
        if (bells[i].stream.fd >= 0)
            close(bells[i].stream.fd);
    engine_shut(&engine);
}

static unsigned rung(void)
{
    return bells[0].rung + bells[1].rung;
}

START_TEST(each_is_told)
{
    engine_turn(&engine, -1);
    ck_assert_uint_eq(rung(), 2);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(rung(), 2);
}
END_TEST

static unsigned done;

static void on_done(struct stream *stream)
{
    (void)stream;
    done++;
}

static void park_it(struct bell *bell)
{
    engine_park(&engine, &bell->stream, on_done);
    ck_assert(!bell->stream.readable && !bell->stream.writable);
}

static void close_it(struct bell *bell)
{
    engine_close(&engine, &bell->stream, false, on_done);
    ck_assert_int_eq(bell->stream.fd, -1);
}

START_TEST(a_stream_that_goes_within_a_turn_is_told_nothing)
{
    done = 0;
    on_first = _i ? park_it : close_it;
    engine_turn(&engine, -1);
    ck_assert_uint_eq(rung(), 1);
    ck_assert_uint_eq(done, 1);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(rung(), 1);
}
END_TEST

START_TEST(a_parked_stream_is_told_again_of_all_that_holds)
{
    engine_turn(&engine, -1);
    park_it(&bells[0]);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(bells[0].rung, 1);
    ck_assert_int_eq(engine_resume(&engine, &bells[0].stream), 0);
    ck_assert_uint_eq(bells[0].rung, 1); /* only a turn tells */
    engine_turn(&engine, -1);
    ck_assert_uint_eq(bells[0].rung, 2);
}
END_TEST

START_TEST(flags_come_over_as_they_are)
{
    struct stream stream = {.fd = -1};
    for (uint32_t flags = 0; flags < 256; flags++) {
        engine_adopt(&stream, 5, 77, flags);
        ck_assert_int_eq(stream.fd, 5);
        ck_assert_uint_eq(stream.received, 77);
        ck_assert_uint_eq(engine_flags(&stream), flags & ~ENGINE_FLAGS_NOT_USED);
    }
}
END_TEST

/* The old descriptor's event must not be taken for the new one's. */
static void replace(struct bell *bell)
{
    close_it(bell);
    ck_assert_int_eq(take(bell, 0), 0);
    bell->stream.received = 1;
}

START_TEST(a_new_descriptor_has_no_old_events)
{
    on_first = replace;
    engine_turn(&engine, -1);
    ck_assert_uint_eq(rung(), 1);
    const struct stream *other = &bells[bells[0].rung ? 1 : 0].stream;
    ck_assert_uint_eq(other->received, 1);
    ck_assert(!other->readable);
}
END_TEST

START_TEST(a_descriptor_that_a_child_has_too_is_forgotten_all_the_same)
{
    engine_turn(&engine, -1);
    int others = dup(bells[0].stream.fd);
    engine_share(&engine, true);
    close_it(&bells[0]);
    engine_share(&engine, false);
    ck_assert_int_eq(eventfd_write(others, 1), 0);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(rung(), 2);
    close(others);
}
END_TEST

/* Also when that time has passed before the call, however long the caller was busy. */
START_TEST(the_wait_ends_at_the_time_that_was_set)
{
    engine_turn(&engine, -1);
    for (int i = 0; i < 3; i++) {
        uint64_t at = i < 2 ? clock_ms() + 20 : 1;
        engine_wake_at(&engine, at);
        while (i == 1 && clock_ms() <= at)
            ;
        engine_turn(&engine, -1);
        ck_assert_uint_ge(clock_ms(), at);
    }
    ck_assert_uint_eq(rung(), 2);
}
END_TEST

START_TEST(a_time_that_was_taken_back_ends_no_wait)
{
    engine_turn(&engine, -1);
    uint64_t at = clock_ms() + 20;
    engine_wake_at(&engine, at);
    engine_wake_at(&engine, UINT64_MAX);
    while (clock_ms() <= at)
        ;
    struct pollfd ready = {.fd = engine.fd, .events = POLLIN};
    ck_assert_int_eq(poll(&ready, 1, 0), 0);
}
END_TEST

START_TEST(a_descriptor_that_is_no_socket_is_an_error)
{
    char name[] = "/tmp/rpproxy-engine.XXXXXX";
    int file = mkstemp(name);
    unlink(name);
    ck_assert_int_eq(engine_take(&engine, &bells[0].stream, file, STREAM_UNIX), EPERM);
    close(file);
}
END_TEST

Suite *engine_suite(void)
{
    Suite *suite = suite_create("engine");
    TCase *tcase = tcase_create("engine");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_is_told);
    tcase_add_loop_test(tcase, a_stream_that_goes_within_a_turn_is_told_nothing, 0, 2);
    tcase_add_test(tcase, a_parked_stream_is_told_again_of_all_that_holds);
    tcase_add_test(tcase, flags_come_over_as_they_are);
    tcase_add_test(tcase, a_new_descriptor_has_no_old_events);
    tcase_add_test(tcase, a_descriptor_that_a_child_has_too_is_forgotten_all_the_same);
    tcase_add_test(tcase, the_wait_ends_at_the_time_that_was_set);
    tcase_add_test(tcase, a_time_that_was_taken_back_ends_no_wait);
    tcase_add_test(tcase, a_descriptor_that_is_no_socket_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
