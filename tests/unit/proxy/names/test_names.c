#include "proxy/names/names.h"

#include "config/base/clock.h"
#include "proxy/proxy.h"
#include "reload/handover/server_states.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/nameserver.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct event_base *base;
static struct nameserver nameserver;
static struct config *config;
static struct proxy *proxy;
static struct names *names;

static void ignore(void *arg)
{
    (void)arg;
}

static void open_all(void)
{
    folder_make();
    base = event_base_new();
    nameserver_open(&nameserver, base);
}

static void end_proxy(void)
{
    names_free(names);
    proxy_free(proxy);
    config_free(config);
    names = NULL;
}

static void close_all(void)
{
    end_proxy();
    nameserver_close(&nameserver);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
    folder_remove();
}

/* A proxy with the backend "app" and this line of a server; nobody has been asked yet. */
static void make(const char *global, const char *line)
{
    char text[1024];
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    snprintf(text, sizeof text,
             "[global]\nresolver = 127.0.0.1:%u\nresolve-min = 10ms\nresolve-max = "
             "20ms\nresolve-timeout = 200ms\n%s\n"
             "[frontend web]\nbind = 127.0.0.7:7777\nbackend = app\n"
             "[backend app]\nstart-unresolved = down\n%s\n",
             nameserver.port, global, line);
    config = load_good(text);
    ck_assert_int_eq(proxy_new(config, 1, 1, 0, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    struct first_answers answers = {.list = calloc(1, sizeof *answers.list), .count = 1};
    answers.list[0].backend = &config->backends[0];
    answers.list[0].server = &config->backends[0].servers[0];
    names = names_new(config, proxy->service.backends, base, &answers);
    ck_assert_ptr_nonnull(names);
}

static void report(const char *line, void *arg)
{
    (void)arg;
    ck_abort_msg("%s", line);
}

static void follow(void)
{
    ck_assert_uint_eq(names_begin(names, NULL, report, NULL), 0);
    ck_assert_int_eq(names_follow(names), 0);
}

static void inherit(const char *name, const char *text)
{
    struct address address;
    ck_assert_pstr_eq(address_parse(text, &address), NULL);
    ck_assert_int_eq(names_inherit(names, NULL, "app", name, &address, clock_ms()), 0);
}

/* "pod-1=10.0.0.1:80 pod-2=none" */
static const char *servers(void)
{
    static char text[1024];
    char address[ADDRESS_TEXT_MAX];
    size_t length = 0;
    const struct server_set *set = backend_servers(&proxy->service.backends[0]);
    text[0] = '\0';
    for (size_t i = 0; i < set->count; i++) {
        const struct address *now = server_address(set->list[i]);
        length += (size_t)snprintf(text + length, sizeof text - length, "%s%s=%s", i ? " " : "",
                                   set->list[i]->name, now ? address_format(now, address) : "none");
    }
    return text;
}

static void await(const char *wanted)
{
    while (strcmp(servers(), wanted) != 0)
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}

/* Until all that is under way has been answered, and asked for again. */
static void await_questions(unsigned count)
{
    unsigned before = nameserver.asked;
    while (nameserver.asked < before + count)
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}

START_TEST(inherited_slots_stay_where_they_are)
{
    make("", "server = pod pods.example:80 resolve=all max=4");
    inherit("pod-3", "10.0.0.3:80");
    inherit("pod-1", "10.0.0.1:80");
    inherit("pod-9", "10.0.0.9:80"); /* beyond max */
    inherit("other", "10.0.0.9:80");
    ck_assert_str_eq(servers(), "pod-1=10.0.0.1:80 pod-2=none pod-3=10.0.0.3:80");
    nameserver_add(&nameserver, "pods.example", "10.0.0.3", 0);
    nameserver_add(&nameserver, "pods.example", "10.0.0.2", 0);
    follow();
    await("pod-1=10.0.0.2:80 pod-2=none pod-3=10.0.0.3:80");
    nameserver_add(&nameserver, "pods.example", "10.0.0.1", 0);
    await("pod-1=10.0.0.2:80 pod-2=10.0.0.1:80 pod-3=10.0.0.3:80");
}
END_TEST

START_TEST(address_that_comes_back_has_its_slot_again)
{
    make("", "server = pod pods.example:80 resolve=all max=4");
    inherit("pod-1", "10.0.0.1:80");
    inherit("pod-2", "10.0.0.2:80");
    inherit("pod-3", "10.0.0.3:80");
    nameserver_add(&nameserver, "pods.example", "10.0.0.3", 0);
    follow();
    await("pod-1=none pod-2=none pod-3=10.0.0.3:80");
    nameserver_add(&nameserver, "pods.example", "10.0.0.2", 0);
    await("pod-1=none pod-2=10.0.0.2:80 pod-3=10.0.0.3:80");
}
END_TEST

START_TEST(addresses_are_held_and_given_up)
{
    make("resolve-hold = 1h", "server = a app.example:80");
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 0);
    follow();
    await("a=10.0.0.1:80");
    nameserver.error = DNS_ERR_SERVERFAILED;
    await_questions(8);
    ck_assert_str_eq(servers(), "a=10.0.0.1:80");
    end_proxy();
    nameserver.error = 0;
    make("resolve-hold = 10ms", "server = a app.example:80");
    follow();
    await("a=10.0.0.1:80");
    nameserver.silent = true;
    await("a=none");
    nameserver.silent = false;
    await("a=10.0.0.1:80");
}
END_TEST

/* Name servers that answer for IPv4 only. */
START_TEST(only_what_was_not_answered_is_kept)
{
    make("", "server = pod pods.example:80 resolve=all max=4");
    inherit("pod-1", "[2001:db8::1]:80");
    inherit("pod-2", "10.0.0.2:80");
    nameserver_add(&nameserver, "pods.example", "10.0.0.3", 0);
    nameserver.error = DNS_ERR_SERVERFAILED;
    nameserver.error_of_type = EVDNS_TYPE_AAAA;
    follow();
    await("pod-1=[2001:db8::1]:80 pod-2=10.0.0.3:80");
    nameserver.error = 0;
    await("pod-1=none pod-2=10.0.0.3:80");
}
END_TEST

START_TEST(bind_of_the_proxy_is_no_server)
{
    make("", "server = pod pods.example:7777 resolve=all");
    nameserver_add(&nameserver, "pods.example", "127.0.0.7", 0);
    nameserver_add(&nameserver, "pods.example", "127.0.0.8", 0);
    follow();
    await("pod-1=127.0.0.8:7777");
    await_questions(4);
    ck_assert_str_eq(servers(), "pod-1=127.0.0.8:7777");
}
END_TEST

static const struct server_state *state_of(const char *name)
{
    return &backend_find(&proxy->service.backends[0], name)->now;
}

START_TEST(services_tell_weights_and_backups)
{
    make("", "server = db srv:_db._tcp.example resolve=all");
    nameserver_add(&nameserver, "one.example", "10.0.0.1", 0);
    nameserver_add(&nameserver, "two.example", "10.0.0.2", 0);
    nameserver_add_srv(&nameserver, "_db._tcp.example", 10, 40, 5432, "one.example", 0);
    nameserver_add_srv(&nameserver, "_db._tcp.example", 20, 0, 5433, "two.example", 0);
    follow();
    await("db-1=10.0.0.1:5432 db-2=10.0.0.2:5433");
    ck_assert_uint_eq(state_of("db-1")->weight, 40);
    ck_assert(!state_of("db-1")->backup);
    ck_assert_uint_eq(state_of("db-2")->weight, 1);
    ck_assert(state_of("db-2")->backup);
    /* A command's weight stays until the record has another one. */
    server_set_weight(backend_find(&proxy->service.backends[0], "db-1"), 7);
    await_questions(12);
    ck_assert_uint_eq(state_of("db-1")->weight, 7);
    nameserver_clear(&nameserver);
    nameserver_add(&nameserver, "one.example", "10.0.0.1", 0);
    nameserver_add_srv(&nameserver, "_db._tcp.example", 30, 41, 5432, "one.example", 0);
    await("db-1=10.0.0.1:5432 db-2=none");
    ck_assert_uint_eq(state_of("db-1")->weight, 41);
}
END_TEST

/* Both have port 5432; the answer is in this order. */
static void tell_priorities(const char *first, uint16_t priority, const char *second,
                            uint16_t other_priority)
{
    nameserver_clear(&nameserver);
    nameserver_add(&nameserver, "one.example", "10.0.0.1", 0);
    nameserver_add(&nameserver, "two.example", "10.0.0.2", 0);
    nameserver_add_srv(&nameserver, "_db._tcp.example", priority, 1, 5432, first, 0);
    nameserver_add_srv(&nameserver, "_db._tcp.example", other_priority, 1, 5432, second, 0);
}

static bool serves(const char *name)
{
    return server_share(backend_find(&proxy->service.backends[0], name)) > 0;
}

#define SERVICE "failback = no\nserver = db srv:_db._tcp.example resolve=all"

/* No server has failed, so no backup takes over. */
START_TEST(a_backup_that_is_told_first_does_not_take_over)
{
    make("", SERVICE);
    tell_priorities("two.example", 20, "one.example", 10);
    follow();
    await("db-1=10.0.0.1:5432 db-2=10.0.0.2:5432");
    ck_assert(serves("db-1"));
    ck_assert(!serves("db-2"));
}
END_TEST

START_TEST(servers_that_exchange_their_priorities_do_not_take_over)
{
    make("", SERVICE);
    tell_priorities("one.example", 10, "two.example", 20);
    follow();
    await("db-1=10.0.0.1:5432 db-2=10.0.0.2:5432");
    ck_assert(serves("db-1"));
    tell_priorities("one.example", 30, "two.example", 20);
    while (!state_of("db-1")->backup)
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
    ck_assert(!serves("db-1"));
    ck_assert(serves("db-2"));
}
END_TEST

/* What the old process had goes to the new one by name, also where the line has changed. */
START_TEST(states_carry_addresses)
{
    struct server_states states = {0};
    make("", "server = pod pods.example:80 resolve=all max=4");
    inherit("pod-1", "10.0.0.1:80");
    inherit("pod-2", "[2001:db8::1]:80");
    for (size_t i = 0; i < 2; i++) {
        struct message_server record, read;
        server_states_record(backend_servers(&proxy->service.backends[0])->list[i], &record);
        server_states_read(&record, sizeof record, &read);
        ck_assert_int_eq(server_states_add(&states, &read), 0);
    }
    server_states_sort(&states);
    end_proxy();
    make("", "server = pod pods.example:80 resolve=all max=9 weight=3");
    ck_assert(
        server_states_has_address(&states, &config->backends[0], &config->backends[0].servers[0]));
    ck_assert_int_eq(server_states_inherit(&states, proxy, names, NULL), 0);
    ck_assert_str_eq(servers(), "pod-1=10.0.0.1:80 pod-2=[2001:db8::1]:80");
    end_proxy();
    make("", "server = pod pods.example:81 resolve=all max=9");
    ck_assert(
        !server_states_has_address(&states, &config->backends[0], &config->backends[0].servers[0]));
    ck_assert_int_eq(server_states_inherit(&states, proxy, names, NULL), 0);
    ck_assert_str_eq(servers(), "");
    server_states_free(&states);
}
END_TEST

Suite *names_suite(void)
{
    Suite *suite = suite_create("names");
    TCase *tcase = tcase_create("names");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, inherited_slots_stay_where_they_are);
    tcase_add_test(tcase, address_that_comes_back_has_its_slot_again);
    tcase_add_test(tcase, addresses_are_held_and_given_up);
    tcase_add_test(tcase, only_what_was_not_answered_is_kept);
    tcase_add_test(tcase, bind_of_the_proxy_is_no_server);
    tcase_add_test(tcase, services_tell_weights_and_backups);
    tcase_add_test(tcase, a_backup_that_is_told_first_does_not_take_over);
    tcase_add_test(tcase, servers_that_exchange_their_priorities_do_not_take_over);
    tcase_add_test(tcase, states_carry_addresses);
    suite_add_tcase(suite, tcase);
    return suite;
}
