#include "config/base/listen_address.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <limits.h>
#include <net/if.h>
#include <string.h>

static const char *const texts[] = {
    "1.2.3.4:80",
    "[::1]:80",
    "[::]:80,v6only=no",
    "0.0.0.0:80,interface=eth0",
    "[::]:80,v6only=no,interface=abcdefghijklmno",
    "[fe80::1%lo]:80",
    "unix:/a,v6only=no,interface=b",
    "unix:@a,interface=",
    "0.0.0.0:80,interface=a,b=c",
};

START_TEST(text_is_read_and_written)
{
    struct listen_address at;
    char text[ADDRESS_TEXT_MAX];
    ck_assert_pstr_eq(listen_address_parse(texts[_i], &at), NULL);
    ck_assert_str_eq(listen_address_format(&at, text), texts[_i]);
}
END_TEST

static const char *const wrong_texts[] = {
    "",
    "1.2.3.4",
    "fd:a",
    "name:80",
    "0.0.0.0:80,",
    "0.0.0.0:80,v6only=no",
    "[::1]:80,v6only=no",
    "[::]:80,v6only=yes",
    "[::]:80,interface=",
    "[fe80::1%lo]:80,interface=lo",
    "[::]:80,interface=abcdefghijklmnop",
    "[::]:80,interface=a,v6only=no,interface=abcdefghijklmnop",
    "[::]:80,v6only=no,v6only=no",
    "[::]:80,interface=abcdefghijklmnopqrstuvwxyz0123456789abcdefghijklmnopqrstuvwxyz",
};

START_TEST(wrong_text_changes_nothing)
{
    struct listen_address at = {.interface = "x"};
    ck_assert_ptr_nonnull(listen_address_parse(wrong_texts[_i], &at));
    ck_assert_str_eq(at.interface, "x");
}
END_TEST

enum relation { APART, OVERLAP, COVERS };

static const struct {
    const char *wide, *other;
    enum relation relation;
} pairs[] = {
    {"0.0.0.0:80", "1.2.3.4:80", COVERS},
    {"0.0.0.0:80", "0.0.0.0:80,interface=eth0", COVERS},
    {"0.0.0.0:80", "1.2.3.4:80,interface=eth0", COVERS},
    {"0.0.0.0:80,interface=eth0", "1.2.3.4:80,interface=eth0", COVERS},
    {"1.2.3.4:80", "1.2.3.4:80,interface=eth0", COVERS},
    {"[::]:80", "[::1]:80", COVERS},
    {"[::]:80", "[fe80::1%lo]:80", COVERS},
    {"[::]:80,interface=lo", "[fe80::1%lo]:80", COVERS},
    {"[::]:80,v6only=no", "[::]:80", COVERS},
    {"[::]:80,v6only=no", "0.0.0.0:80", COVERS},
    {"[::]:80,v6only=no", "1.2.3.4:80,interface=eth0", COVERS},
    {"[::]:80,v6only=no", "[::]:80,v6only=no,interface=eth0", COVERS},
    {"[::]:80,v6only=no", "[::1]:80", COVERS},
    {"1.2.3.4:80", "0.0.0.0:80,interface=eth0", OVERLAP},
    {"0.0.0.0:80", "[::]:80,v6only=no,interface=eth0", OVERLAP},
    {"[::]:80", "[::]:80,v6only=no,interface=eth0", OVERLAP},
    {"0.0.0.0:80", "0.0.0.0:80", APART},
    {"0.0.0.0:80", "0.0.0.0:81", APART},
    {"0.0.0.0:80", "1.2.3.4:81", APART},
    {"0.0.0.0:80", "[::]:80", APART},
    {"1.2.3.4:80", "1.2.3.5:80", APART},
    {"0.0.0.0:80,interface=eth0", "0.0.0.0:80,interface=eth1", APART},
    {"0.0.0.0:80,interface=eth0", "1.2.3.4:80,interface=eth1", APART},
    {"[::]:80,interface=eth0", "[fe80::1%lo]:80", APART},
    {"[::1]:80", "[::2]:80", APART},
    {"unix:/a", "unix:/a", APART},
    {"unix:@a", "0.0.0.0:80", APART},
};

START_TEST(relation_is_known)
{
    struct listen_address wide, other;
    enum relation relation = pairs[_i].relation;
    ck_assert_pstr_eq(listen_address_parse(pairs[_i].wide, &wide), NULL);
    ck_assert_pstr_eq(listen_address_parse(pairs[_i].other, &other), NULL);
    ck_assert_int_eq(listen_address_covers(&wide, &other), relation == COVERS);
    ck_assert(!listen_address_covers(&other, &wide));
    ck_assert_int_eq(listen_address_overlaps(&wide, &other), relation != APART);
    ck_assert_int_eq(listen_address_overlaps(&other, &wide), relation != APART);
}
END_TEST

enum { NONE, NEWER_A = 1, NEWER_B = 2 };

static const struct {
    const char *a, *b;
    unsigned takes; /* which of them has the clients of both when it is the newer one */
    int order;
} newer[] = {
    {"0.0.0.0:80", "1.2.3.4:80", NEWER_B, 0},
    {"0.0.0.0:80", "1.2.3.4:80,interface=lo", NEWER_B, -1},
    {"0.0.0.0:80,interface=lo", "1.2.3.4:80", NEWER_B, 1},
    {"0.0.0.0:80", "0.0.0.0:80,interface=lo", NEWER_A | NEWER_B, -1},
    {"1.2.3.4:80", "1.2.3.4:80,interface=lo", NEWER_A | NEWER_B, -1},
    {"[::]:80", "[::]:80,interface=lo", NONE, 1},
    {"[::1]:80", "[::1]:80,interface=lo", NONE, 1},
    {"[::]:80", "[::]:80,v6only=no,interface=lo", NONE, 1},
    {"[::]:80", "[fe80::1%lo]:80", NEWER_B, 1},
    {"[::]:80", "[::]:80,v6only=no", NONE, 0},
    {"[::]:80,v6only=no", "0.0.0.0:80", NEWER_B, 0},
    {"[::]:80,v6only=no", "1.2.3.4:80", NEWER_B, 0},
    {"0.0.0.0:80,interface=lo", "[::]:80,v6only=no,interface=lo", NEWER_A, 1},
    {"[::]:80,interface=lo", "0.0.0.0:81,interface=lo", NONE, -1},
};

static int sign(int number)
{
    return (number > 0) - (number < 0);
}

START_TEST(newer_one_of_two_is_known)
{
    struct listen_address a, b;
    ck_assert_pstr_eq(listen_address_parse(newer[_i].a, &a), NULL);
    ck_assert_pstr_eq(listen_address_parse(newer[_i].b, &b), NULL);
    ck_assert_int_eq(sign(listen_address_order(&a, &b)), newer[_i].order);
    ck_assert_int_eq(sign(listen_address_order(&b, &a)), -newer[_i].order);
    if (!listen_address_overlaps(&a, &b))
        return;
    ck_assert_int_eq(listen_address_takes(&a, &b), (newer[_i].takes & NEWER_A) != 0);
    ck_assert_int_eq(listen_address_takes(&b, &a), (newer[_i].takes & NEWER_B) != 0);
}
END_TEST

START_TEST(device_is_the_number_of_the_interface)
{
    struct listen_address at;
    ck_assert_pstr_eq(listen_address_parse("0.0.0.0:80,interface=lo", &at), NULL);
    ck_assert_uint_eq(listen_address_device(&at), if_nametoindex("lo"));
    ck_assert_pstr_eq(listen_address_parse("[fe80::1%lo]:80", &at), NULL);
    ck_assert_uint_eq(listen_address_device(&at), if_nametoindex("lo"));
    ck_assert_pstr_eq(listen_address_parse("0.0.0.0:80,interface=not-there-0", &at), NULL);
    ck_assert_uint_eq(listen_address_device(&at), UINT_MAX);
    ck_assert_pstr_eq(listen_address_parse("[::]:80,v6only=no", &at), NULL);
    ck_assert_uint_eq(listen_address_device(&at), 0);
}
END_TEST

Suite *listen_address_suite(void)
{
    Suite *suite = suite_create("listen_address");
    TCase *tests = tcase_create("listen_address");
    tcase_add_loop_test(tests, text_is_read_and_written, 0, sizeof texts / sizeof *texts);
    tcase_add_loop_test(tests, wrong_text_changes_nothing, 0,
                        sizeof wrong_texts / sizeof *wrong_texts);
    tcase_add_loop_test(tests, relation_is_known, 0, sizeof pairs / sizeof *pairs);
    tcase_add_loop_test(tests, newer_one_of_two_is_known, 0, sizeof newer / sizeof *newer);
    tcase_add_test(tests, device_is_the_number_of_the_interface);
    suite_add_tcase(suite, tests);
    return suite;
}
