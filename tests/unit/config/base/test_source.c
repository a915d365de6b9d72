#include "config/base/source.h"
#include "tests/unit/suites.h"

#include <arpa/inet.h>
#include <check.h>
#include <stdio.h>

static const struct {
    const char *text, *written; /* NULL: the same */
    unsigned count;
} good[] = {
    {"10.0.0.1", NULL, 1},
    {"::1", NULL, 1},
    {"10.0.0.255-10.0.1.2", NULL, 4},
    {"10.0.0.1-10.0.0.1", "10.0.0.1", 1},
    {"10.0.0.0-10.0.255.255", NULL, 65536},
    {"2001:db8::fffe-2001:db8::1:1", NULL, 4},
    {"::ffff:ffff:ffff:fff0-::ffff:ffff:ffff:ffff", NULL, 16},
    {"client", NULL, 0},
};

START_TEST(text_is_read_and_written)
{
    struct source_choice source;
    char text[SOURCE_TEXT_MAX];
    ck_assert_pstr_eq(source_parse(good[_i].text, &source), NULL);
    ck_assert_uint_eq(source.count, good[_i].count);
    ck_assert_str_eq(source_format(&source, text),
                     good[_i].written ? good[_i].written : good[_i].text);
}
END_TEST

static const char form[] =
    "must be an IPv4 or IPv6 address without a port, ADDRESS-ADDRESS, or client";

static const struct {
    const char *text, *wrong;
} bad[] = {
    {"", form},
    {"-", form},
    {"10.0.0.1-", form},
    {"-10.0.0.1", form},
    {"10.0.0.1 - 10.0.0.2", form},
    {"10.0.0.1-2", form},
    {"10.0.0.1-10.0.0.2-10.0.0.3", form},
    {"10.0.0.1:80", form},
    {"[::1]", form},
    {"clients", form},
    {"10.0.0.1111111111111111111111111111111111111111111111111111111111111111111111111", form},
    {"10.0.0.1-::1", "must have two addresses of IPv4, or two of IPv6"},
    {"10.0.0.2-10.0.0.1", "must not have a last address that is lower than the first"},
    {"2001:db9::-2001:db8::", "must not have a last address that is lower than the first"},
    {"10.0.0.0-10.1.0.0", "must not have more than 65536 addresses"},
    {"0.0.0.0-255.255.255.255", "must not have more than 65536 addresses"},
    {"2001:db8::-2001:db9::", "must not have more than 65536 addresses"},
    {"::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "must not have more than 65536 addresses"},
};

START_TEST(mistake_changes_nothing)
{
    struct source_choice source = {.kind = SOURCE_CLIENT};
    ck_assert_pstr_eq(source_parse(bad[_i].text, &source), bad[_i].wrong);
    ck_assert_int_eq(source.kind, SOURCE_CLIENT);
}
END_TEST

START_TEST(each_address_has_its_turn)
{
    static const char *const texts[] = {"10.0.0.254-10.0.1.1", "2001:db8::fffe-2001:db8::1:1"};
    static const char *const addresses[][4] = {
        {"10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"},
        {"2001:db8::fffe", "2001:db8::ffff", "2001:db8::1:0", "2001:db8::1:1"}};
    struct source_choice source;
    ck_assert_pstr_eq(source_parse(texts[_i], &source), NULL);
    for (unsigned turn = 0; turn < 8; turn++) {
        char text[ADDRESS_TEXT_MAX], wanted[ADDRESS_TEXT_MAX];
        struct address address = source_in_turn(&source, turn);
        address_set_port(&address, 80);
        snprintf(wanted, sizeof wanted, _i ? "[%s]:80" : "%s:80", addresses[_i][turn % 4]);
        ck_assert_str_eq(address_format(&address, text), wanted);
    }
}
END_TEST

static const struct {
    const char *client;
    bool host;
} clients[] = {
    {"10.0.0.1:1", true},   {"127.0.0.1:1", true},        {"[2001:db8::1]:1", true},
    {"0.0.0.0:1", false},   {"0.1.2.3:1", false},         {"224.0.0.1:1", false},
    {"240.0.0.1:1", false}, {"255.255.255.255:1", false}, {"[::]:1", false},
    {"[ff02::1]:1", false}, {"unix:/a", false},
};

START_TEST(client_may_be_a_source)
{
    struct address address;
    ck_assert_pstr_eq(address_parse(clients[_i].client, &address), NULL);
    ck_assert_int_eq(source_is_of_a_host(&address), clients[_i].host);
}
END_TEST

Suite *source_suite(void)
{
    Suite *suite = suite_create("source");
    TCase *tests = tcase_create("source");
    tcase_add_loop_test(tests, text_is_read_and_written, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tests, mistake_changes_nothing, 0, sizeof bad / sizeof *bad);
    tcase_add_loop_test(tests, each_address_has_its_turn, 0, 2);
    tcase_add_loop_test(tests, client_may_be_a_source, 0, sizeof clients / sizeof *clients);
    suite_add_tcase(suite, tests);
    return suite;
}
