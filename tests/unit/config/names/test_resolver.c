#include "config/names/resolver.h"
#include "config/names/wait.h"

#include "tests/unit/suites.h"
#include "tests/unit/support/nameserver.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <stdlib.h>
#include <string.h>

/* One name server, and a resolver that asks it, on one loop. */
static struct event_base *base;
static struct nameserver nameserver;
static struct resolver_conf conf;
static struct resolver *resolver;

static void open_all(void)
{
    base = event_base_new();
    nameserver_open(&nameserver, base);
    conf = nameserver_conf(&nameserver);
    ck_assert_int_eq(resolver_new(base, &conf, &resolver), 0);
    ck_assert_ptr_nonnull(resolver);
}

static void set_timeout(uint64_t milliseconds)
{
    conf.timeout = milliseconds;
    resolver_free(resolver);
    ck_assert_int_eq(resolver_new(base, &conf, &resolver), 0);
}

static void close_all(void)
{
    resolver_free(resolver);
    nameserver_close(&nameserver);
    event_base_loop(base, EVLOOP_NONBLOCK);
    event_base_free(base);
}

struct heard {
    unsigned count;
    struct answer answer;
    char text[1024]; /* all addresses, each with a blank behind it */
};

static void on_answer(const struct answer *answer, void *arg)
{
    struct heard *heard = arg;
    char text[ADDRESS_TEXT_MAX];
    heard->count++;
    heard->answer = *answer;
    heard->answer.items = NULL;
    heard->text[0] = '\0';
    for (size_t i = 0; i < answer->count && i < 8; i++)
        strcat(strcat(heard->text, address_format(&answer->items[i].address, text)), " ");
}

static void wait_for(const struct heard *heard)
{
    while (heard->count == 0)
        ck_assert_int_eq(event_base_loop(base, EVLOOP_ONCE), 0);
}

static struct heard ask(const char *name, enum question_kind kind)
{
    static struct heard heard;
    heard = (struct heard){0};
    ck_assert_ptr_nonnull(
        resolver_ask(resolver, name, kind, RESOLVE_ANY, htons(80), on_answer, &heard));
    ck_assert_uint_eq(heard.count, 0);
    wait_for(&heard);
    ck_assert_uint_eq(heard.count, 1);
    return heard;
}

START_TEST(addresses_of_both_kinds_come)
{
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 60);
    nameserver_add(&nameserver, "app.example", "10.0.0.2", 60);
    nameserver_add(&nameserver, "app.example", "2001:db8::1", 30);
    struct heard heard = ask("app.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_OK);
    ck_assert(!heard.answer.ipv4_unknown && !heard.answer.ipv6_unknown);
    ck_assert_uint_eq(heard.answer.ttl, 30);
    ck_assert_uint_eq(heard.answer.count, 3);
    ck_assert(strstr(heard.text, "10.0.0.1:80 ") != NULL);
    ck_assert(strstr(heard.text, "10.0.0.2:80 ") != NULL);
    ck_assert(strstr(heard.text, "[2001:db8::1]:80 ") != NULL);
    heard = ask("APP.example.", QUESTION_ADDRESSES);
    ck_assert_uint_eq(heard.answer.count, 3);
}
END_TEST

START_TEST(failures_are_told_apart)
{
    nameserver_add(&nameserver, "text.example", "::1", 60);
    nameserver.records[0].type = EVDNS_TYPE_TXT;
    struct heard heard = ask("no.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_NO_NAME);
    ck_assert_uint_eq(heard.answer.count, 0);
    heard = ask("text.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_NO_DATA);
    nameserver.error = DNS_ERR_SERVERFAILED;
    heard = ask("no.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_FAILED);
    nameserver.error = DNS_ERR_REFUSED;
    heard = ask("no.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_FAILED);
    nameserver.silent = true;
    heard = ask("no.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_TIMEOUT);
}
END_TEST

/* The deadline is far away: what c-ares says after its tries is what counts. */
START_TEST(name_server_that_fails_after_silence_has_failed)
{
    set_timeout(6000);
    nameserver.lost = 2;
    nameserver.error = DNS_ERR_SERVERFAILED;
    struct heard heard = ask("app.example", QUESTION_ADDRESSES);
    ck_assert_uint_gt(nameserver.asked, 2);
    ck_assert_int_eq(heard.answer.status, ANSWER_FAILED);
}
END_TEST

START_TEST(failure_of_a_part_counts_at_the_deadline)
{
    set_timeout(3000);
    nameserver.lost_type = EVDNS_TYPE_AAAA;
    nameserver.error = DNS_ERR_SERVERFAILED;
    struct heard heard = ask("app.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_FAILED);
}
END_TEST

START_TEST(part_of_an_answer_is_said_to_be_a_part)
{
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 60);
    nameserver.error = DNS_ERR_SERVERFAILED;
    nameserver.error_of_type = EVDNS_TYPE_AAAA;
    struct heard heard = ask("app.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_OK);
    ck_assert(!heard.answer.ipv4_unknown && heard.answer.ipv6_unknown);
    ck_assert_str_eq(heard.text, "10.0.0.1:80 ");
}
END_TEST

START_TEST(services_have_the_addresses_of_their_targets)
{
    nameserver_add_srv(&nameserver, "_db._tcp.example", 10, 60, 5432, "one.example", 90);
    nameserver_add_srv(&nameserver, "_db._tcp.example", 20, 0, 5433, "two.example", 90);
    nameserver_add_srv(&nameserver, "_db._tcp.example", 20, 0, 5434, "gone.example", 90);
    nameserver_add(&nameserver, "one.example", "10.0.0.1", 60);
    nameserver_add(&nameserver, "two.example", "10.0.0.2", 70);
    struct heard heard = ask("_db._tcp.example", QUESTION_SERVICE);
    ck_assert_int_eq(heard.answer.status, ANSWER_OK);
    ck_assert(!heard.answer.ipv4_unknown && !heard.answer.ipv6_unknown);
    ck_assert_uint_eq(heard.answer.ttl, 60);
    ck_assert_uint_eq(heard.answer.count, 2);
    ck_assert(strstr(heard.text, "10.0.0.1:5432 ") != NULL);
    ck_assert(strstr(heard.text, "10.0.0.2:5433 ") != NULL);
}
END_TEST

START_TEST(service_that_is_not_offered_has_no_address)
{
    nameserver_add_srv(&nameserver, "_db._tcp.example", 0, 0, 0, "", 90);
    struct heard heard = ask("_db._tcp.example", QUESTION_SERVICE);
    ck_assert_int_eq(heard.answer.status, ANSWER_NO_DATA);
}
END_TEST

START_TEST(second_name_server_is_asked)
{
    struct nameserver dead;
    nameserver_open(&dead, base);
    dead.silent = true;
    struct resolver_conf two = nameserver_conf(&dead);
    two.servers[1] = conf.servers[0];
    two.server_count = 2;
    two.timeout = 3000;
    nameserver_add(&nameserver, "app.example", "10.0.0.1", 60);
    resolver_free(resolver);
    ck_assert_int_eq(resolver_new(base, &two, &resolver), 0);
    struct heard heard = ask("app.example", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_OK);
    ck_assert_uint_ge(dead.asked, 1);
    resolver_free(resolver);
    resolver = NULL;
    nameserver_close(&dead);
}
END_TEST

START_TEST(many_questions_wait_for_each_other)
{
    static struct heard heard[1000];
    for (size_t i = 0; i < 50; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu.example", i);
        nameserver_add(&nameserver, name, "10.0.0.1", 60);
    }
    for (size_t i = 0; i < 1000; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu.example", i % 50);
        ck_assert_ptr_nonnull(resolver_ask(resolver, name, QUESTION_ADDRESSES, RESOLVE_ANY,
                                           htons(80), on_answer, &heard[i]));
    }
    for (size_t i = 0; i < 1000; i++) {
        wait_for(&heard[i]);
        ck_assert_int_eq(heard[i].answer.status, ANSWER_OK);
        ck_assert_uint_eq(heard[i].count, 1);
    }
}
END_TEST

START_TEST(questions_end_with_the_resolver)
{
    struct heard heard = {0};
    nameserver.silent = true;
    for (int i = 0; i < 100; i++)
        ck_assert_ptr_nonnull(resolver_ask(resolver, "app.example", QUESTION_ADDRESSES, RESOLVE_ANY,
                                           htons(80), on_answer, &heard));
    event_base_loop(base, EVLOOP_ONCE);
    resolver_free(resolver);
    resolver = NULL;
    event_base_loop(base, EVLOOP_NONBLOCK);
    ck_assert_uint_eq(heard.count, 0);
}
END_TEST

START_TEST(localhost_is_this_machine)
{
    unsigned before = nameserver.asked;
    struct heard heard = ask("localhost", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_OK);
    ck_assert(strstr(heard.text, "127.0.0.1:80 ") != NULL);
    heard = ask("db.localhost.", QUESTION_ADDRESSES);
    ck_assert_int_eq(heard.answer.status, ANSWER_OK);
    ck_assert_uint_eq(nameserver.asked, before);
}
END_TEST

START_TEST(waiting_ends_without_a_name_server)
{
    struct resolver_conf dead = conf;
    struct wanted_name names[200];
    dead.servers[0].in.sin_port = htons(1); /* nothing listens, or nothing answers */
    for (size_t i = 0; i < 200; i++)
        names[i] = (struct wanted_name){.name = "app.example"};
    names_wait(&dead, names, 200);
    for (size_t i = 0; i < 200; i++)
        ck_assert(names[i].answer.status == ANSWER_TIMEOUT ||
                  names[i].answer.status == ANSWER_FAILED);
    names[0] = (struct wanted_name){.name = "localhost", .port = htons(80)};
    names[1] = (struct wanted_name){.name = "app.example", .port = htons(80)};
    names_wait(&dead, names, 2);
    ck_assert_int_eq(names[0].answer.status, ANSWER_OK);
    ck_assert_uint_ge(names[0].answer.count, 1);
    ck_assert_int_ne(names[1].answer.status, ANSWER_OK);
    free(names[0].answer.items);
}
END_TEST

Suite *resolver_suite(void)
{
    Suite *suite = suite_create("resolver");
    TCase *tcase = tcase_create("resolver");
    tcase_add_checked_fixture(tcase, open_all, close_all);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, addresses_of_both_kinds_come);
    tcase_add_test(tcase, failures_are_told_apart);
    tcase_add_test(tcase, name_server_that_fails_after_silence_has_failed);
    tcase_add_test(tcase, failure_of_a_part_counts_at_the_deadline);
    tcase_add_test(tcase, part_of_an_answer_is_said_to_be_a_part);
    tcase_add_test(tcase, services_have_the_addresses_of_their_targets);
    tcase_add_test(tcase, service_that_is_not_offered_has_no_address);
    tcase_add_test(tcase, second_name_server_is_asked);
    tcase_add_test(tcase, many_questions_wait_for_each_other);
    tcase_add_test(tcase, questions_end_with_the_resolver);
    tcase_add_test(tcase, localhost_is_this_machine);
    tcase_add_test(tcase, waiting_ends_without_a_name_server);
    suite_add_tcase(suite, tcase);
    return suite;
}
