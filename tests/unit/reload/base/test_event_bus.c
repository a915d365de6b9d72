/* Events: their numbers, those that follow them, and how they go from process to process. */
#include "config/base/happening.h"
#include "reload/base/event_bus.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct event_bus *bus, *next;
static char heard[1 << 17], sent[1 << 22];
static size_t pieces;
static struct bus_subscriber subscriber;

static void on_event(const char *line, size_t length, void *arg)
{
    (void)arg;
    ck_assert_uint_eq(strlen(line), length);
    ck_assert_uint_lt(strlen(heard) + length + 2, sizeof heard);
    strcat(strcat(heard, line), "\n");
}

static void send_piece(const char *bytes, size_t length, void *arg)
{
    ck_assert_uint_le(length, BUS_LINE_MAX);
    pieces++;
    snprintf(sent, sizeof sent, "%.*s", (int)length, bytes);
    if (arg)
        bus_hear(arg, bytes, length);
}

static void setup(void)
{
    bus = bus_new();
    next = bus_new();
    ck_assert_ptr_nonnull(bus);
    ck_assert_ptr_nonnull(next);
    heard[0] = sent[0] = '\0';
    pieces = 0;
    subscriber = (struct bus_subscriber){.on_event = on_event};
}

static void teardown(void)
{
    bus_free(bus);
    bus_free(next);
}

static void add(struct event_bus *to, const char *event)
{
    bus_add(to, event, strlen(event));
}

static const char *replayed(const struct event_bus *from, uint64_t after, uint64_t lost)
{
    heard[0] = '\0';
    ck_assert_uint_eq(bus_replay(from, &subscriber, after), lost);
    return heard;
}

START_TEST(events_are_numbered_by_the_leader)
{
    bus_subscribe(bus, &subscriber);
    add(bus, "{\"a\":1}");
    ck_assert_str_eq(heard, "");
    ck_assert_str_eq(bus_instance(bus), "");
    bus_lead(bus);
    add(bus, "{\"a\":2}");
    ck_assert_str_eq(heard, "{\"number\":1,\"a\":1}\n{\"number\":2,\"a\":2}\n");
    ck_assert_uint_eq(strlen(bus_instance(bus)), 16);
    bus_unsubscribe(&subscriber);
    add(bus, "{\"a\":3}");
    ck_assert_str_eq(replayed(bus, 1, 0), "{\"number\":2,\"a\":2}\n{\"number\":3,\"a\":3}\n");
    ck_assert_str_eq(replayed(bus, 3, 0), "");
}
END_TEST

START_TEST(what_is_no_event_is_dropped)
{
    static char large[BUS_LINE_MAX + 2];
    bus_lead(bus);
    add(bus, "");
    add(bus, "{}");
    add(bus, "[1]");
    add(bus, "{\"a\":\n1}");
    memset(large, 'x', sizeof large - 1);
    large[0] = '{';
    large[sizeof large - 2] = '}';
    add(bus, large);
    ck_assert_uint_eq(bus_newest(bus), 0);
}
END_TEST

START_TEST(only_the_last_are_kept)
{
    bus_lead(bus);
    for (unsigned i = 0; i < BUS_EVENTS_MAX + 10; i++)
        add(bus, "{\"a\":1}");
    (void)replayed(bus, 0, 10);
    ck_assert_ptr_nonnull(strstr(heard, "{\"number\":11,"));
    (void)replayed(bus, 5, 5);
    (void)replayed(bus, BUS_EVENTS_MAX + 9, 0);
    ck_assert_str_eq(heard, "{\"number\":522,\"a\":1}\n");
}
END_TEST

/* A server that goes up and down for days leaves in its place what was told of the last reloads. */
START_TEST(events_of_generations_stay_longer)
{
    char event[64];
    bus_lead(bus);
    for (unsigned i = 1; i <= BUS_GENERATIONS_MAX + 5; i++) {
        snprintf(event, sizeof event, "{\"event\":\"reloaded\",\"a\":%u}", i);
        add(bus, event);
    }
    for (unsigned i = 0; i < 2 * BUS_EVENTS_MAX; i++)
        add(bus, "{\"event\":\"server-up\"}");
    const uint64_t all = BUS_GENERATIONS_MAX + 5 + 2 * BUS_EVENTS_MAX;
    (void)replayed(bus, 0, all - BUS_EVENTS_MAX);
    ck_assert_ptr_nonnull(strstr(heard, "{\"number\":6,\"event\":\"reloaded\""));
    ck_assert_ptr_null(strstr(heard, "{\"number\":5,"));
    (void)replayed(bus, BUS_GENERATIONS_MAX, all - BUS_GENERATIONS_MAX - BUS_EVENTS_MAX / 2 - 5);
    (void)replayed(bus, all - 3, 0);
    bus_pass_on(bus, send_piece, next);
    bus_lead(next);
    (void)replayed(next, 0, all - BUS_EVENTS_MAX);
    add(next, "{\"event\":\"server-down\"}");
    (void)replayed(next, 0, all - BUS_EVENTS_MAX + 1);
    ck_assert_ptr_nonnull(strstr(heard, "{\"number\":6,\"event\":\"reloaded\""));
}
END_TEST

/* Where nothing else is left, the oldest goes. */
START_TEST(events_of_generations_are_bounded)
{
    bus_lead(bus);
    for (unsigned i = 0; i < BUS_EVENTS_MAX + 10; i++)
        add(bus, "{\"event\":\"serving\"}");
    (void)replayed(bus, 0, 10);
    for (unsigned i = 0; i < 10; i++)
        add(bus, "{\"event\":\"reload-step\"}");
    (void)replayed(bus, 0, 20);
    ck_assert_ptr_null(strstr(heard, "{\"number\":20,"));
    ck_assert_ptr_nonnull(strstr(heard, "{\"number\":21,"));
}
END_TEST

/* What the successor has held comes behind what its predecessor had, and what that sends later. */
START_TEST(numbers_go_on_in_the_successor)
{
    bus_lead(bus);
    add(bus, "{\"old\":1}");
    add(bus, "{\"old\":2}");
    add(next, "{\"new\":1}");
    add(next, "{\"new\":2}");
    bus_pass_on(bus, send_piece, next);
    bus_forward(bus, send_piece, next);
    add(bus, "{\"old\":3}");
    bus_lead(next);
    add(bus, "{\"old\":4}");
    add(next, "{\"new\":3}");
    ck_assert_str_eq(bus_instance(bus), bus_instance(next));
    ck_assert_str_eq(replayed(next, 0, 0), "{\"number\":1,\"old\":1}\n{\"number\":2,\"old\":2}\n"
                                           "{\"number\":3,\"new\":1}\n{\"number\":4,\"new\":2}\n"
                                           "{\"number\":5,\"old\":3}\n{\"number\":6,\"old\":4}\n"
                                           "{\"number\":7,\"new\":3}\n");
}
END_TEST

/* A follower that reads on from a successor is told what no process has kept. */
START_TEST(what_is_lost_stays_lost_in_the_successor)
{
    bus_lead(bus);
    for (unsigned i = 0; i < BUS_EVENTS_MAX + 10; i++)
        add(bus, "{\"a\":1}");
    bus_pass_on(bus, send_piece, next);
    bus_forward(bus, send_piece, next);
    bus_lead(next);
    (void)replayed(next, 0, 10);
    ck_assert_ptr_nonnull(strstr(heard, "{\"number\":11,"));
    (void)replayed(next, 4, 6);
}
END_TEST

START_TEST(many_events_go_in_few_pieces)
{
    char event[200];
    bus_lead(bus);
    for (unsigned i = 0; i < BUS_EVENTS_MAX; i++) {
        snprintf(event, sizeof event, "{\"a\":\"%0150u\"}", i);
        add(bus, event);
    }
    bus_pass_on(bus, send_piece, next);
    ck_assert_uint_lt(pieces, BUS_EVENTS_MAX / 10);
    bus_lead(next);
    ck_assert_uint_eq(bus_newest(next), BUS_EVENTS_MAX);
}
END_TEST

/* Its numbers are higher than those that the failed successor may have given. */
START_TEST(predecessor_takes_back)
{
    bus_lead(bus);
    add(bus, "{\"old\":1}");
    bus_pass_on(bus, send_piece, next);
    bus_forward(bus, send_piece, next);
    bus_lead(next);
    add(bus, "{\"old\":2}");
    add(next, "{\"new\":1}");
    uint64_t newest = bus_newest(next);
    bus_lead(bus);
    add(bus, "{\"old\":3}");
    (void)replayed(bus, newest, 0);
    ck_assert_ptr_nonnull(strstr(heard, "\"old\":2"));
    ck_assert_ptr_nonnull(strstr(heard, "\"old\":3"));
}
END_TEST

static void observe(const struct happening *happening, void *arg)
{
    size_t *count = arg;
    ck_assert_str_eq(happening->message, "server b/s is down");
    ck_assert_uint_eq(happening->field_count, 2);
    ck_assert_str_eq(happening->fields[1].name, "by");
    ck_assert_str_eq(happening->fields[1].word, "me");
    ++*count;
}

START_TEST(kinds_are_in_the_manual)
{
    static char manual[1 << 18];
    char item[64], copy[256];
    FILE *file = fopen("man/rpproxy.8", "re");
    ck_assert_ptr_nonnull(file);
    manual[fread(manual, 1, sizeof manual - 1, file)] = '\0';
    fclose(file);
    const char *section = strstr(manual, "\n.Sh EVENTS\n");
    ck_assert_ptr_nonnull(section);
    for (enum happening_kind kind = 0; kind < HAPPENING_KINDS; kind++) {
        bool told = false;
        for (const char *line = section; line && !told; line = strchr(line + 1, '\n')) {
            snprintf(item, sizeof item, " %s ", happening_name(kind));
            snprintf(copy, sizeof copy, "%.*s ,", (int)strcspn(line + 1, "\n"), line + 1);
            told = strncmp(copy, ".It Cm", 6) == 0 && strstr(copy, item);
        }
        ck_assert_msg(told, "rpproxy(8) does not tell of the event %s", happening_name(kind));
    }
}
END_TEST

START_TEST(what_happened_is_observed)
{
    size_t count = 0;
    happening_observe(observe, &count);
    happening_by("me");
    happened(HAPPENED_SERVER_DOWN, LOG_LEVEL_DEBUG,
             HAPPENING_FIELDS(happening_word("backend", "b")), "server %s/%s is down", "b", "s");
    happening_by(NULL);
    happening_observe(NULL, NULL);
    happened_silently(HAPPENED_SERVER_UP, NULL, 0, "");
    ck_assert_uint_eq(count, 1);
}
END_TEST

static void on_foreign_event(const char *line, size_t length, void *arg)
{
    ++*(unsigned *)arg;
    ck_assert_uint_eq(strlen(line), length);
    ck_assert_int_eq(line[length - 1], '}');
}

/* A message has room for more than an event has, and a number can be written in many ways. */
START_TEST(foreign_events_are_bounded)
{
    static const char *const numbers[] = {"1", "-1", "+1", "0001", " 1", "18446744073709551615"};
    static const char *const wrong[] = {"{\"number\":1,\"event\":\"open", "{\"number\":1,",
                                        "{\"number\":10,\"event\":\"later\"}",
                                        "{\"number\":0,\"event\":\"none\"}"};
    char line[BUS_LINE_MAX + 60];
    unsigned count = 0;
    const struct bus_subscriber each = {.on_event = on_foreign_event, .arg = &count};
    bus_hear(bus, "{\"instance\":\"00000000000000aa\",\"newest\":9,\"lost\":5}", 51);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        bus_hear(bus, wrong[i], strlen(wrong[i]));
    ck_assert_uint_eq(bus_replay(bus, &each, 0), 5);
    ck_assert_uint_eq(count, 0);
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        for (int more = -60; more < 60; more++) {
            memset(line, 'x', sizeof line);
            memcpy(line, "{\"number\":", 10);
            memcpy(line + 10, numbers[i], strlen(numbers[i]));
            line[10 + strlen(numbers[i])] = ',';
            line[BUS_LINE_MAX + more - 1] = '}';
            bus_hear(bus, line, (size_t)(BUS_LINE_MAX + more));
        }
    ck_assert_uint_eq(bus_replay(bus, &each, 0), 0); /* more of that number than are lost */
    ck_assert_uint_gt(count, 60);
}
END_TEST

Suite *event_bus_suite(void)
{
    Suite *suite = suite_create("event_bus");
    TCase *events = tcase_create("events");
    tcase_add_checked_fixture(events, setup, teardown);
    tcase_add_test(events, events_are_numbered_by_the_leader);
    tcase_add_test(events, what_is_no_event_is_dropped);
    tcase_add_test(events, only_the_last_are_kept);
    tcase_add_test(events, events_of_generations_stay_longer);
    tcase_add_test(events, events_of_generations_are_bounded);
    tcase_add_test(events, numbers_go_on_in_the_successor);
    tcase_add_test(events, what_is_lost_stays_lost_in_the_successor);
    tcase_add_test(events, many_events_go_in_few_pieces);
    tcase_add_test(events, predecessor_takes_back);
    tcase_add_test(events, foreign_events_are_bounded);
    tcase_add_test(events, what_happened_is_observed);
    tcase_add_test(events, kinds_are_in_the_manual);
    suite_add_tcase(suite, events);
    return suite;
}
