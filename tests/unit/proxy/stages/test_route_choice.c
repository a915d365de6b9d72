#include "proxy/stages/route_choice.h"

#include "config/load.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/issued.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TEXT(text) (const unsigned char *)(text), sizeof(text) - 1

static struct config *config;
static struct client_hello hello;
static struct http_head head;
static struct evidence evidence;
static struct route_choice choice;
static struct address source;
static bool usable;

static bool is_usable(uint32_t backend, const void *arg)
{
    (void)arg;
    ck_assert_uint_eq(backend, 1);
    return usable;
}

/* Nothing has come. */
static void begin(void)
{
    client_hello_begin(&hello);
    http_head_begin(&head);
    choice = (struct route_choice){0};
    evidence = (struct evidence){
        .hello = &hello, .head = &head, .source = &source.any, .port = 443, .is_usable = is_usable};
}

static void load(const char *routes)
{
    char text[4096];
    snprintf(text, sizeof text,
             "[frontend f]\nbind = 127.0.0.1:1\n%s"
             "[backend zero]\nserver = a 127.0.0.1:2\n"
             "[backend one]\nserver = a 127.0.0.1:2\n"
             "[backend two]\nserver = a 127.0.0.1:3\n",
             routes);
    config = load_good(text);
    ck_assert_ptr_null(address_parse("192.0.2.1:1", &source));
    begin();
}

static void teardown(void)
{
    config_free(config);
    folder_remove();
}

static void say(const unsigned char *bytes, size_t length)
{
    evidence.bytes = bytes;
    evidence.length = length;
    client_hello_begin(&hello);
    client_hello_feed(&hello, bytes, length);
    http_head_begin(&head);
    http_head_feed(&head, bytes, length);
}

static enum choice_verdict choose(void)
{
    return route_choose(&config->frontends[0].routes, &evidence, &choice);
}

static void expect_backend(uint32_t backend)
{
    ck_assert_int_eq(choose(), CHOICE_MADE);
    ck_assert_uint_eq(choice.backend, backend);
}

/* A hello of openssl s_client for www.example.org with h2 and http/1.1. */
static size_t read_hello(unsigned char bytes[static 1024])
{
    FILE *file = fopen("tests/fuzz/corpus/client_hello/openssl", "re");
    ck_assert_ptr_nonnull(file);
    size_t length = fread(bytes, 1, 1024, file);
    fclose(file);
    return length;
}

START_TEST(without_routes_none_matches)
{
    load("backend = zero\n");
    ck_assert_int_eq(choose(), CHOICE_NONE);
}
END_TEST

START_TEST(a_certificate_of_the_client_is_asked_for)
{
    static const char *const names[] = {"sensor7.example.org", "ADMIN", "John Smith", "other",
                                        NULL};
    static const uint32_t backends[] = {0, 1, 2, 2, 2};
    struct issued authority = issue((struct request){.name = "ca", .authority = true});
    char *pem = pem_of_certificate(&authority);
    text_write("ca.pem", pem);
    issued_write_new("c.pem", "DNS:a.test");
    free(pem);
    issued_free(&authority);
    load("bind = 127.0.0.1:2 tls=yes\ncertificate = c.pem\nclient-ca = ca.pem\n"
         "route = client-cert:*.example.org zero\nroute = client-cert:admin one\n"
         "route = client-cert:yes two\nroute = !client-cert:other reject\n");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        begin();
        evidence.certified = true;
        evidence.client_name = names[i];
        expect_backend(backends[i]);
    }
    begin();
    expect_backend(ROUTE_REJECTS);
}
END_TEST

START_TEST(the_first_route_decides)
{
    load("route = src:10.0.0.0/8 zero\nroute = dst-port:443 src:any one\nroute = two\n");
    expect_backend(1);
}
END_TEST

/* A later route is not taken as long as an earlier one may match. */
START_TEST(an_earlier_route_is_waited_for)
{
    load("route = sni:*.example.org zero\nroute = tls:yes one\nroute = reject\n");
    unsigned char bytes[1024];
    size_t length = read_hello(bytes);
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    for (size_t n = 1; n < length; n++) {
        say(bytes, n);
        ck_assert_int_eq(choose(), CHOICE_OPEN);
        ck_assert_uint_eq(choice.route, 0);
    }
    say(bytes, length);
    expect_backend(0);
}
END_TEST

START_TEST(what_cannot_match_any_more_is_decided_at_once)
{
    load("route = sni:*.example.org zero\nroute = host:x one\nroute = begins:SSH- two\n"
         "route = silent reject\nroute = one\n");
    say(TEXT("S"));
    ck_assert_int_eq(choose(), CHOICE_OPEN); /* may be a method of HTTP, or SSH */
    ck_assert_uint_eq(choice.route, 1);
    say(TEXT("SSH-2.0-x\r"));
    expect_backend(2);
    begin();
    say(TEXT("\x80"));
    ck_assert_int_eq(choose(), CHOICE_OPEN); /* may be SSL 2.0, which has no name either */
    say(TEXT("\x01"));
    expect_backend(1);
}
END_TEST

START_TEST(a_condition_that_does_not_hold_settles_its_route)
{
    load("route = sni:a src:10.0.0.0/8 zero\nroute = src:192.0.2.0/24 !sni:a one\n");
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    ck_assert_uint_eq(choice.route, 1);
    say(TEXT("GET"));
    expect_backend(1);
}
END_TEST

START_TEST(tls_and_http_are_known_before_their_names)
{
    load("route = tls:yes zero\nroute = http:yes one\n");
    say(TEXT("\x16\x03\x01\x02\x00"));
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    say(TEXT("\x16\x03\x01\x02\x00\x01"));
    expect_backend(0);
    begin();
    say(TEXT("GET / HTTP/1.1\r"));
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    say(TEXT("GET / HTTP/1.1\r\n"));
    expect_backend(1);
    begin();
    say(TEXT("\x80\x2e\x01\x03\x01"));
    ck_assert_int_eq(choose(), CHOICE_NONE);
}
END_TEST

START_TEST(alpn_and_hosts)
{
    load("route = alpn:h3,h2 sni:www.EXAMPLE.org zero\nroute = host:*.x.org one\n");
    unsigned char bytes[1024];
    say(bytes, read_hello(bytes));
    expect_backend(0);
    begin();
    say(TEXT("GET / HTTP/1.1\r\nHost: a.X.org:80\r\n\r\n"));
    expect_backend(1);
    begin();
    say(TEXT("GET / HTTP/1.1\r\nHost: a.x.org\r\nHost: a.x.org\r\n\r\n"));
    ck_assert_int_eq(choose(), CHOICE_NONE);
}
END_TEST

START_TEST(silence_is_known_when_nothing_more_is_waited_for)
{
    load("route = silent zero\nroute = begins:a one\nroute = !begins:abc two\n");
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    evidence.is_all = true;
    expect_backend(0);
    begin();
    say(TEXT("b"));
    expect_backend(2);
}
END_TEST

/* What is undecided at the end is false; with '!' true. */
START_TEST(nothing_is_open_at_the_end)
{
    load("route = sni:a zero\nroute = sni-map:map\nroute = host-map:map\nroute = begins:abc one\n"
         "route = !begins:abd two\n");
    say(TEXT("ab"));
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    evidence.is_all = true;
    expect_backend(2);
    begin();
    say(TEXT("\x16\x03\x01\x02\x00\x01"));
    evidence.is_all = true;
    expect_backend(2);
}
END_TEST

START_TEST(a_name_that_a_map_lacks_goes_to_the_next_route)
{
    load("route = sni-map:map\nroute = sni-map:other src:any\nroute = host-map:map\nroute = one\n");
    unsigned char bytes[1024];
    size_t length = read_hello(bytes);
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    say(bytes, length - 1);
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    say(bytes, length);
    expect_backend(2);
    ck_assert_uint_eq(choice.route, 1);
    begin();
    say(TEXT("GET / HTTP/1.1\r\nHost: a.org\r\n\r\n"));
    expect_backend(ROUTE_REJECTS);
    begin();
    say(TEXT("GET / HTTP/1.1\r\nHost: b.org\r\n\r\n"));
    expect_backend(1);
}
END_TEST

#define NAMES_IN_A_ROW                                                                             \
    "route = host:*.p.org two\n"                                                                   \
    "route = host:a.org zero\nroute = host:b.org,c.org one\nroute = host:c.org,d.org zero\n"       \
    "route = host:x.p.org one\nroute = host:e.org reject\n"                                        \
    "route = host:*.q.org one\nroute = host:a.org,f.org,y.q.org two\n"                             \
    "route = host:g.org dst-port:1 one\nroute = !host:g.org zero\n"                                \
    "route = sni:g.org one\nroute = sni:h.org one\nroute = sni:i.org one\nroute = sni:j.org one\n"

static const struct {
    const char *host;
    size_t route;
    uint32_t backend;
} in_a_row[] = {
    {"a.org", 1, 0},
    {"A.ORG", 1, 0},
    {"b.org", 2, 1},
    {"c.org", 2, 1},
    {"d.org", 3, 0},
    {"x.p.org", 0, 2},
    {"e.org", 5, ROUTE_REJECTS},
    {"y.q.org", 6, 1},
    {"f.org", 7, 2},
    {"h.org", 9, 0},
};

/* Routes with single names are looked up together, and nobody can tell. */
START_TEST(names_in_a_row_are_judged_in_their_order)
{
    char request[128];
    load(NAMES_IN_A_ROW);
    ck_assert_ptr_nonnull(config->frontends[0].routes.items[1].run);
    ck_assert_uint_eq(config->frontends[0].routes.items[1].run->count, 5);
    for (size_t i = 0; i < sizeof in_a_row / sizeof *in_a_row; i++) {
        begin();
        int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n",
                              in_a_row[i].host);
        for (int n = 0; n < length; n++) {
            say((const unsigned char *)request, (size_t)n);
            ck_assert_int_eq(choose(), CHOICE_OPEN);
        }
        say((const unsigned char *)request, (size_t)length);
        expect_backend(in_a_row[i].backend);
        ck_assert_uint_eq(choice.route, in_a_row[i].route);
    }
    begin();
    say(TEXT("GET / HTTP/1.1\r\nHost: g.org\r\n\r\n"));
    ck_assert_int_eq(choose(), CHOICE_NONE);
    begin();
    evidence.is_all = true;
    expect_backend(0); /* nothing is known, so it is not g.org */
}
END_TEST

START_TEST(usable_is_asked_each_time)
{
    load("route = begins:a !usable:one zero\nroute = usable:one two\n");
    usable = false;
    ck_assert_int_eq(choose(), CHOICE_OPEN);
    usable = true;
    expect_backend(2);
    begin();
    usable = false;
    say(TEXT("a"));
    expect_backend(0);
}
END_TEST

START_TEST(ports_are_ranges)
{
    load("route = dst-port:1-442,444 zero\nroute = dst-port:80,443 one\n");
    expect_backend(1);
    begin();
    evidence.port = 442;
    expect_backend(0);
    begin();
    evidence.port = 0;
    ck_assert_int_eq(choose(), CHOICE_NONE);
}
END_TEST

static void setup(void)
{
    folder_make();
    folder_write("map", "a.org reject\n", 13);
    folder_write("other", "*.org two\n", 10);
}

Suite *route_choice_suite(void)
{
    Suite *suite = suite_create("route_choice");
    TCase *tcase = tcase_create("route_choice");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, without_routes_none_matches);
    tcase_add_test(tcase, a_certificate_of_the_client_is_asked_for);
    tcase_add_test(tcase, the_first_route_decides);
    tcase_add_test(tcase, an_earlier_route_is_waited_for);
    tcase_add_test(tcase, what_cannot_match_any_more_is_decided_at_once);
    tcase_add_test(tcase, a_condition_that_does_not_hold_settles_its_route);
    tcase_add_test(tcase, tls_and_http_are_known_before_their_names);
    tcase_add_test(tcase, alpn_and_hosts);
    tcase_add_test(tcase, silence_is_known_when_nothing_more_is_waited_for);
    tcase_add_test(tcase, nothing_is_open_at_the_end);
    tcase_add_test(tcase, a_name_that_a_map_lacks_goes_to_the_next_route);
    tcase_add_test(tcase, names_in_a_row_are_judged_in_their_order);
    tcase_add_test(tcase, usable_is_asked_each_time);
    tcase_add_test(tcase, ports_are_ranges);
    suite_add_tcase(suite, tcase);
    return suite;
}
