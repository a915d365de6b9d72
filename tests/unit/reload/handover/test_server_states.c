/* The states of servers that the old process sends to the new one. */
#include "config/load.h"
#include "config/syntax/value.h"
#include "reload/handover/server_states.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct event_base *base;
static struct server_states server_states;
static char told[4096];

static void ignore(void *arg)
{
    (void)arg;
}

static struct proxy *proxy_with(const char *text)
{
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    struct proxy *proxy = NULL;
    ck_assert_int_eq(proxy_new(load_good(text), 1, 1, 0, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    return proxy;
}

static void discard(struct proxy *proxy)
{
    struct config *config = (struct config *)(uintptr_t)proxy->service.config;
    proxy_free(proxy);
    config_free(config);
}

static struct server *server_of(const struct proxy *proxy, const char *backend, const char *name)
{
    struct server *server = backend_find(service_backend(&proxy->service, backend), name);
    ck_assert_ptr_nonnull(server);
    return server;
}

/* Sends the states as the handover does. */
static void tell_all(const struct proxy *proxy)
{
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        for (size_t j = 0; j < backend_servers(&proxy->service.backends[i])->count; j++) {
            struct message_server record, read;
            server_states_record(backend_servers(&proxy->service.backends[i])->list[j], &record);
            server_states_read(&record, sizeof record, &read);
            ck_assert_int_eq(server_states_add(&server_states, &read), 0);
        }
}

static void tell_line(const char *line, void *arg)
{
    ck_assert_ptr_eq(arg, told);
    strncat(told, line, sizeof told - strlen(told) - 2);
    strcat(told, "\n");
}

static size_t losses(const struct proxy *proxy)
{
    told[0] = '\0';
    return server_states_losses(&server_states, proxy, tell_line, told);
}

static void setup(void)
{
    folder_make();
    base = event_base_new();
}

static void teardown(void)
{
    server_states_free(&server_states);
    event_base_free(base);
    folder_remove();
}

#define FRONT "[listen front]\nbind = 127.0.0.1:1\nserver = x 127.0.0.1:2\n"
#define APP   FRONT "[backend app]\ncheck = tcp\n"

START_TEST(states_go_over)
{
    struct proxy *old = proxy_with(APP "server = a 127.0.0.1:11\nserver = b 127.0.0.1:12\n"
                                       "server = c 127.0.0.1:13 weight=4\n");
    server_set_admin(server_of(old, "app", "a"), ADMIN_MAINT);
    server_failed(server_of(old, "app", "b"), EHOSTUNREACH, "");
    server_passed(server_of(old, "app", "b"));
    atomic_store(&server_of(old, "app", "b")->check_due, 77);
    server_of(old, "app", "b")->now.changed_at = 88;
    server_set_weight(server_of(old, "app", "c"), 9);
    server_passed(server_of(old, "app", "c"));
    server_failed(server_of(old, "app", "c"), EPROTO, "answered 'no'");
    tell_all(old);

    /* The order and the spaces have changed, and there is another server. */
    struct proxy *new = proxy_with(APP "server = c 127.0.0.1:13   weight=4\n"
                                       "server = b\t127.0.0.1:12 weight=1\n"
                                       "server = n 127.0.0.1:14\nserver = a 127.0.0.1:11\n");
    server_states_apply(&server_states, new);
    ck_assert_int_eq(server_of(new, "app", "a")->now.admin, ADMIN_MAINT);
    const struct server_state *b = &server_of(new, "app", "b")->now;
    ck_assert_int_eq(b->check, CHECK_DOWN);
    ck_assert_uint_eq(b->streak, 1);
    ck_assert_int_eq(b->last_error, 0);
    ck_assert_uint_eq(atomic_load(&server_of(new, "app", "b")->check_due), 77);
    ck_assert_uint_eq(b->changed_at, 88);
    const struct server_state *c = &server_of(new, "app", "c")->now;
    ck_assert_uint_eq(c->weight, 9);
    ck_assert_uint_eq(c->streak, 1);
    ck_assert_int_eq(c->last_error, EPROTO);
    ck_assert_str_eq(server_last_check(server_of(new, "app", "c")), "answered 'no'");
    ck_assert_uint_eq(server_share(server_of(new, "app", "c")), 9 * SHARE_OF_ONE);
    ck_assert_int_eq(server_of(new, "app", "n")->now.last_error, SERVER_UNCHECKED);
    ck_assert_uint_eq(service_backend(&new->service, "app")->usable, 2);
    discard(old);
    discard(new);
}
END_TEST

START_TEST(another_line_is_another_server)
{
    struct proxy *old = proxy_with(APP "server = a 127.0.0.1:11\nserver = b 127.0.0.1:12\n");
    server_set_admin(server_of(old, "app", "a"), ADMIN_MAINT);
    server_set_admin(server_of(old, "app", "b"), ADMIN_DRAIN);
    server_set_weight(server_of(old, "app", "b"), 5);
    tell_all(old);
    struct proxy *new = proxy_with(APP "server = a 127.0.0.1:99\nserver = b 127.0.0.1:12 "
                                       "weight=2\n[backend other]\nserver = a 127.0.0.1:11\n");
    server_states_apply(&server_states, new);
    ck_assert_int_eq(server_of(new, "app", "a")->now.admin, ADMIN_READY);
    ck_assert_int_eq(server_of(new, "app", "b")->now.admin, ADMIN_READY);
    ck_assert_uint_eq(server_of(new, "app", "b")->now.weight, 2);
    ck_assert_int_eq(server_of(new, "other", "a")->now.admin, ADMIN_READY);
    discard(old);
    discard(new);
}
END_TEST

/* With failback = no, also where its line says something else of it than its address. */
START_TEST(a_backup_that_has_taken_over_keeps_the_sessions)
{
    static const struct {
        const char *line;
        bool stays;
    } rows[] = {{"server = b 127.0.0.1:12 backup weight=2\n", true},
                {"server = b 127.0.0.1:12\n", true}, /* beside a: it is no backup any more */
                {"server = b 127.0.0.1:13 backup\n", false}};
    struct proxy *old = proxy_with(APP "failback = no\nserver = a 127.0.0.1:11\n"
                                       "server = b 127.0.0.1:12 backup\n");
    server_failed(server_of(old, "app", "a"), ECONNREFUSED, "");
    server_passed(server_of(old, "app", "a"));
    server_passed(server_of(old, "app", "a"));
    ck_assert_uint_eq(server_share(server_of(old, "app", "a")), 0);
    tell_all(old);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[1024];
        snprintf(text, sizeof text, APP "failback = no\nserver = a 127.0.0.1:11\n%s", rows[i].line);
        struct proxy *new = proxy_with(text);
        server_states_apply(&server_states, new);
        ck_assert_int_eq(server_share(server_of(new, "app", "b")) > 0, rows[i].stays);
        ck_assert_int_eq(server_share(server_of(new, "app", "a")) == 0, i == 0);
        discard(new);
    }
    discard(old);
}
END_TEST

START_TEST(last_record_counts)
{
    struct proxy *old = proxy_with(APP "server = a 127.0.0.1:11\nserver = b 127.0.0.1:12\n");
    struct proxy *new = proxy_with(APP "server = a 127.0.0.1:11\nserver = b 127.0.0.1:12\n");
    struct message_server record;
    tell_all(old);
    server_states_apply(&server_states, new);
    server_set_admin(server_of(old, "app", "a"), ADMIN_MAINT);
    server_states_record(server_of(old, "app", "a"), &record);
    server_states_update(&server_states, &record, new);
    ck_assert_uint_eq(server_share(server_of(new, "app", "a")), 0);

    server_failed(server_of(new, "app", "b"), ECONNREFUSED, "");
    server_set_weight(server_of(old, "app", "b"), 3);
    server_states_record(server_of(old, "app", "b"), &record);
    server_states_obey(&record, new); /* but not for the result of checks */
    ck_assert_uint_eq(server_of(new, "app", "b")->now.weight, 3);
    ck_assert_int_eq(server_of(new, "app", "b")->now.check, CHECK_DOWN);

    server_states_follow(&record, sizeof record, new); /* where nothing is checked any more */
    ck_assert_int_eq(server_of(new, "app", "b")->now.check, CHECK_UP);
    record.state.check = CHECK_DOWN;
    record.state.last_error = EPROTO;
    snprintf(record.state.reason, sizeof record.state.reason, "answered\n'no'");
    server_states_follow(&record, sizeof record, new);
    ck_assert_int_eq(server_of(new, "app", "b")->now.check, CHECK_DOWN);
    ck_assert_str_eq(server_last_check(server_of(new, "app", "b")), "answered?'no'");

    snprintf(record.name, sizeof record.name, "nobody");
    server_states_update(&server_states, &record, new);
    server_states_obey(&record, new);
    discard(old);
    discard(new);
}
END_TEST

START_TEST(losses_are_reported)
{
    struct proxy *old = proxy_with(APP "server = a 127.0.0.1:11\nserver = b 127.0.0.1:12\n"
                                       "[backend off]\nserver = a 127.0.0.1:13\n");
    server_failed(server_of(old, "app", "b"), ECONNREFUSED, "");
    tell_all(old);
    struct proxy *new = proxy_with(APP "server = b 127.0.0.1:12\n"
                                       "[backend off]\nserver = a 127.0.0.1:13\n");
    server_states_apply(&server_states, new);
    ck_assert_uint_eq(losses(new), 1);
    ck_assert_str_eq(told, "backend app would have no usable server, and has 1 now "
                           "(b: down, Connection refused)\n");
    server_set_admin(server_of(new, "off", "a"), ADMIN_DRAIN);
    ck_assert_uint_eq(losses(new), 2);
    ck_assert_ptr_nonnull(strstr(told, "backend off would have no usable server"));
    discard(old);
    discard(new);
}
END_TEST

START_TEST(missing_record_is_no_loss)
{
    struct proxy *old = proxy_with(APP "server = a 127.0.0.1:11\n"
                                       "[backend off]\nserver = a 127.0.0.1:13\n");
    server_failed(server_of(old, "app", "a"), ECONNREFUSED, "");
    server_set_admin(server_of(old, "off", "a"), ADMIN_MAINT);
    tell_all(old);
    struct proxy *new = proxy_with(APP "server = a 127.0.0.1:11\n[backend fresh]\ncheck = tcp\n"
                                       "server = a 127.0.0.1:14\n"
                                       "[backend off]\nserver = a 127.0.0.1:13\n");
    server_states_apply(&server_states, new);
    server_failed(server_of(new, "fresh", "a"), ECONNREFUSED, "");
    ck_assert_uint_eq(service_backend(&new->service, "off")->usable, 0);
    ck_assert_uint_eq(losses(new), 0);
    discard(old);
    discard(new);
}
END_TEST

START_TEST(long_lists_of_losses_are_cut)
{
    char text[16384] = APP, line[64];
    for (unsigned i = 0; i < 100; i++) {
        snprintf(line, sizeof line, "server = s%u 127.0.0.1:%u\n", i, 100 + i);
        strcat(text, line);
    }
    struct proxy *old = proxy_with(text);
    tell_all(old);
    struct proxy *new = proxy_with(text);
    server_states_apply(&server_states, new);
    for (size_t i = 0; i < 100; i++)
        server_set_admin(backend_servers(service_backend(&new->service, "app"))->list[i],
                         ADMIN_MAINT);
    ck_assert_uint_eq(losses(new), 1);
    ck_assert_str_eq(told, "backend app would have no usable server, and has 100 now (s0: in "
                           "maint; s1: in maint; s2: in maint; s3: in maint; ...)\n");
    discard(old);
    discard(new);
}
END_TEST

/* Names of 160 bytes, the most that is possible: that of the server has a number besides. */
START_TEST(long_names_are_whole)
{
    char text[1024], backend[NAME_BYTES_MAX + 1], server[NAME_BYTES_MAX + 1],
        slot[NAME_BYTES_MAX + 3];
    memset(backend, 'b', NAME_BYTES_MAX);
    memset(server, 's', NAME_BYTES_MAX);
    backend[NAME_BYTES_MAX] = server[NAME_BYTES_MAX] = '\0';
    snprintf(slot, sizeof slot, "%s-1", server);
    snprintf(text, sizeof text, FRONT "[backend %s]\nserver = %s 127.0.0.1:11\n", backend, server);
    struct proxy *old = proxy_with(text), *new = proxy_with(text);
    server_set_admin(server_of(old, backend, server), ADMIN_DRAIN);
    server_set_weight(server_of(old, backend, server), 7);
    struct message_server record, read;
    unsigned char bytes[MESSAGE_PAYLOAD_MAX];
    server_states_record(server_of(old, backend, server), &record);
    ck_assert_str_eq(record.backend, backend);
    ck_assert_str_eq(record.name, server);
    memcpy(record.name, slot, sizeof slot); /* as names.c calls it */
    size_t size = server_states_pack(&record, bytes, sizeof bytes);
    ck_assert_uint_eq(server_states_unpack(bytes, size, &read), size);
    ck_assert_str_eq(read.backend, backend);
    ck_assert_str_eq(read.name, slot);
    tell_all(old);
    server_states_apply(&server_states, new);
    ck_assert_int_eq(server_of(new, backend, server)->now.admin, ADMIN_DRAIN);
    ck_assert_uint_eq(server_of(new, backend, server)->now.weight, 7);
    discard(old);
    discard(new);
}
END_TEST

/* Records of an older version, of a newer version, and of nonsense. */
START_TEST(records_of_other_lengths)
{
    struct proxy *proxy = proxy_with(APP "server = a 127.0.0.1:11\n");
    struct {
        struct message_server known;
        char more[100];
    } longer;
    struct message_server read;
    memset(&longer, 0xff, sizeof longer);
    server_states_record(server_of(proxy, "app", "a"), &longer.known);
    server_states_read(&longer, sizeof longer, &read);
    ck_assert_mem_eq(&read, &longer.known, sizeof read);

    size_t shorter = offsetof(struct message_server, state.usable);
    server_states_read(&longer, shorter, &read);
    ck_assert_str_eq(read.line, "127.0.0.1:11 weight=1");
    ck_assert_uint_eq(read.state.weight, 1);
    ck_assert_uint_eq(read.state.usable, 0);
    ck_assert_uint_eq(read.state.check_due, 0);
    server_states_read(&longer, 0, &read);
    ck_assert_str_eq(read.backend, "");

    memset(&longer, 'x', sizeof longer);
    server_states_read(&longer, sizeof longer, &read);
    ck_assert_uint_eq(strlen(read.backend), MESSAGE_NAME_MAX - 1);
    ck_assert_uint_eq(strlen(read.line), MESSAGE_LINE_MAX - 1);

    /* Impossible values: the server gets no clients, and the values are limited. */
    server_states_record(server_of(proxy, "app", "a"), &read);
    read.state.admin = read.state.check = read.state.weight = read.state.streak = 1000000;
    read.state.last_error = ECONNREFUSED;
    server_states_obey(&read, proxy);
    ck_assert_int_eq(server_of(proxy, "app", "a")->now.admin, ADMIN_MAINT);
    ck_assert_uint_eq(server_of(proxy, "app", "a")->now.weight, SERVER_WEIGHT_MAX);
    server_states_update(&server_states, &read, proxy);
    ck_assert_int_eq(server_of(proxy, "app", "a")->now.check, CHECK_DOWN);
    ck_assert_uint_eq(server_of(proxy, "app", "a")->now.streak, 1);
    discard(proxy);
}
END_TEST

START_TEST(packed_records_are_read_back)
{
    struct proxy *proxy = proxy_with(APP "server = a 127.0.0.1:11\nserver = bb 127.0.0.1:12\n");
    struct message_server sent[2], read;
    server_states_record(server_of(proxy, "app", "a"), &sent[0]);
    server_states_record(server_of(proxy, "app", "bb"), &sent[1]);
    sent[1].state.changed_at = UINT64_MAX;
    unsigned char bytes[MESSAGE_PAYLOAD_MAX];
    size_t first = server_states_pack(&sent[0], bytes, sizeof bytes);
    size_t second = server_states_pack(&sent[1], bytes + first, sizeof bytes - first);
    ck_assert_uint_gt(first, 0);
    ck_assert_uint_gt(second, first);

    ck_assert_uint_eq(server_states_unpack(bytes, first + second, &read), first);
    ck_assert_str_eq(read.backend, "app");
    ck_assert_str_eq(read.name, "a");
    ck_assert_str_eq(read.line, "127.0.0.1:11 weight=1");
    ck_assert_mem_eq(&read.state, &sent[0].state, sizeof read.state);
    ck_assert_uint_eq(server_states_unpack(bytes + first, second, &read), second);
    ck_assert_str_eq(read.name, "bb");
    ck_assert_mem_eq(&read.state, &sent[1].state, sizeof read.state);
    ck_assert_uint_eq(server_states_unpack(bytes + first + second, 0, &read), 0);
    discard(proxy);
}
END_TEST

/* The longest record fits into a message; nothing is written if the whole record does not fit. */
START_TEST(a_record_is_packed_whole_or_not)
{
    struct message_server longest = {0};
    memset(longest.backend, 'b', sizeof longest.backend - 1);
    memset(longest.name, 'n', sizeof longest.name - 1);
    memset(longest.line, 'l', sizeof longest.line - 1);
    unsigned char bytes[MESSAGE_PAYLOAD_MAX] = {0}, untouched[MESSAGE_PAYLOAD_MAX] = {0};
    size_t size = server_states_pack(&longest, bytes, sizeof bytes);
    ck_assert_uint_gt(size, 0);
    ck_assert_uint_eq(server_states_pack(&longest, untouched, size - 1), 0);
    ck_assert_uint_eq(untouched[0], 0);
    ck_assert_uint_eq(server_states_pack(&longest, untouched, size), size);
    ck_assert_mem_eq(bytes, untouched, size);

    struct message_server read;
    for (size_t left = 0; left < size; left++)
        ck_assert_uint_eq(server_states_unpack(bytes, left, &read), 0);
}
END_TEST

/* States of another size, and texts that are longer than this version has. */
START_TEST(packed_records_of_other_lengths)
{
    struct message_server read;
    const struct message_server_state state = {.admin = 7, .usable = 1, .changed_at = 9};
    for (uint16_t size = 0; size < 2 * sizeof state; size += 8) {
        unsigned char bytes[2000];
        memset(bytes, 'x', sizeof bytes);
        memcpy(bytes, &size, sizeof size);
        memcpy(bytes + sizeof size, &state, size < sizeof state ? size : sizeof state);
        const size_t texts = sizeof size + size;
        const size_t ends[] = {texts + 299, texts + 300, texts + 900};
        for (size_t i = 0; i < 3; i++)
            bytes[ends[i]] = '\0';
        ck_assert_uint_eq(server_states_unpack(bytes, sizeof bytes, &read), ends[2] + 1);
        ck_assert_uint_eq(read.state.admin, size > 0 ? 7 : 0);
        const size_t changed_at = offsetof(struct message_server_state, changed_at);
        ck_assert_uint_eq(read.state.changed_at, size > changed_at ? 9 : 0);
        ck_assert_uint_eq(strlen(read.backend), MESSAGE_NAME_MAX - 1);
        ck_assert_str_eq(read.name, "");
        ck_assert_uint_eq(strlen(read.line), MESSAGE_LINE_MAX - 1);
    }
}
END_TEST

Suite *server_states_suite(void)
{
    Suite *suite = suite_create("server_states");
    TCase *tcase = tcase_create("server_states");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, states_go_over);
    tcase_add_test(tcase, another_line_is_another_server);
    tcase_add_test(tcase, a_backup_that_has_taken_over_keeps_the_sessions);
    tcase_add_test(tcase, last_record_counts);
    tcase_add_test(tcase, losses_are_reported);
    tcase_add_test(tcase, missing_record_is_no_loss);
    tcase_add_test(tcase, long_lists_of_losses_are_cut);
    tcase_add_test(tcase, long_names_are_whole);
    tcase_add_test(tcase, records_of_other_lengths);
    tcase_add_test(tcase, packed_records_are_read_back);
    tcase_add_test(tcase, a_record_is_packed_whole_or_not);
    tcase_add_test(tcase, packed_records_of_other_lengths);
    suite_add_tcase(suite, tcase);
    return suite;
}
