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

/* Two streams that are ready at once. The callback of the first one may change the other one. The
 * descriptors are eventfds, because the tests need events only. */
struct source {
    struct stream stream;
    unsigned events;
};

static struct engine engine;
static struct source sources[2];
static void (*on_first)(struct source *other);

static void on_ready(struct watch *watch, uint32_t what)
{
    (void)what;
    struct source *source = container_of(watch, struct source, stream.watch);
    ck_assert(source->stream.readable);
    source->events++;
    if (on_first) {
        void (*act)(struct source *) = on_first;
        on_first = NULL;
        act(source == &sources[0] ? &sources[1] : &sources[0]);
    }
}

/* The stream is ready if count is not 0. */
static int take(struct source *source, unsigned count)
{
    return engine_take(&engine, &source->stream, eventfd(count, EFD_CLOEXEC), STREAM_ACCEPTED);
}

static void setup(void)
{
    on_first = NULL;
    ck_assert_int_eq(engine_open(&engine, NULL), 0);
    for (int i = 0; i < 2; i++) {
        sources[i] = (struct source){.stream.watch.on_ready = on_ready};
        ck_assert_int_eq(take(&sources[i], 1), 0);
    }
}

static void teardown(void)
{
    for (int i = 0; i < 2; i++)
        if (sources[i].stream.fd >= 0)
            close(sources[i].stream.fd);
    engine_shut(&engine);
}

static unsigned event_count(void)
{
    return sources[0].events + sources[1].events;
}

START_TEST(each_ready_descriptor_is_reported)
{
    engine_turn(&engine, -1);
    ck_assert_uint_eq(event_count(), 2);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(event_count(), 2);
}
END_TEST

static unsigned done;

static void on_done(struct stream *stream)
{
    (void)stream;
    done++;
}

static void park_it(struct source *source)
{
    engine_park(&engine, &source->stream, on_done);
    ck_assert(!source->stream.readable && !source->stream.writable);
}

static void close_it(struct source *source)
{
    engine_close(&engine, &source->stream, false, on_done);
    ck_assert_int_eq(source->stream.fd, -1);
}

START_TEST(removed_stream_gets_no_event_of_the_turn)
{
    done = 0;
    on_first = _i ? park_it : close_it;
    engine_turn(&engine, -1);
    ck_assert_uint_eq(event_count(), 1);
    ck_assert_uint_eq(done, 1);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(event_count(), 1);
}
END_TEST

START_TEST(resumed_stream_gets_its_events_again)
{
    engine_turn(&engine, -1);
    park_it(&sources[0]);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(sources[0].events, 1);
    ck_assert_int_eq(engine_resume(&engine, &sources[0].stream), 0);
    ck_assert_uint_eq(sources[0].events, 1); /* events come in a turn only */
    engine_turn(&engine, -1);
    ck_assert_uint_eq(sources[0].events, 2);
}
END_TEST

START_TEST(flags_are_adopted)
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

/* An event of the old descriptor must not be delivered for the new one. */
static void replace(struct source *source)
{
    close_it(source);
    ck_assert_int_eq(take(source, 0), 0);
    source->stream.received = 1;
}

START_TEST(a_new_descriptor_has_no_old_events)
{
    on_first = replace;
    engine_turn(&engine, -1);
    ck_assert_uint_eq(event_count(), 1);
    const struct stream *other = &sources[sources[0].events ? 1 : 0].stream;
    ck_assert_uint_eq(other->received, 1);
    ck_assert(!other->readable);
}
END_TEST

START_TEST(descriptor_shared_with_a_child_is_removed)
{
    engine_turn(&engine, -1);
    int others = dup(sources[0].stream.fd);
    engine_share(&engine, true);
    close_it(&sources[0]);
    engine_share(&engine, false);
    ck_assert_int_eq(eventfd_write(others, 1), 0);
    engine_turn(&engine, 0);
    ck_assert_uint_eq(event_count(), 2);
    close(others);
}
END_TEST

/* Also if the time has passed before the call, because the caller was busy. */
START_TEST(wait_ends_at_the_set_time)
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
    ck_assert_uint_eq(event_count(), 2);
}
END_TEST

START_TEST(cancelled_time_ends_no_wait)
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
    ck_assert_int_eq(engine_take(&engine, &sources[0].stream, file, STREAM_UNIX), EPERM);
    close(file);
}
END_TEST

Suite *engine_suite(void)
{
    Suite *suite = suite_create("engine");
    TCase *tcase = tcase_create("engine");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, each_ready_descriptor_is_reported);
    tcase_add_loop_test(tcase, removed_stream_gets_no_event_of_the_turn, 0, 2);
    tcase_add_test(tcase, resumed_stream_gets_its_events_again);
    tcase_add_test(tcase, flags_are_adopted);
    tcase_add_test(tcase, a_new_descriptor_has_no_old_events);
    tcase_add_test(tcase, descriptor_shared_with_a_child_is_removed);
    tcase_add_test(tcase, wait_ends_at_the_set_time);
    tcase_add_test(tcase, cancelled_time_ends_no_wait);
    tcase_add_test(tcase, a_descriptor_that_is_no_socket_is_an_error);
    suite_add_tcase(suite, tcase);
    return suite;
}
