/* Passwords, and where a change comes from. */
#include "reload/http/auth.h"
#include "reload/http/origin.h"
#include "tests/unit/suites.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* root:secret, guest:look */
static char root[] = "root", guest[] = "guest", file[] = "users", name[] = "lb.example.org";
static char root_hash[] = "$5$rounds=1000$pagetest$KGLtmJyOeUnDZgSDnDXMm0GbFX1saaAJA3t.wugDiQ1";
static char guest_hash[] = "$5$rounds=1000$pagetest$EKt0igr1YdXTkvZh5zMB.pUbNhUYGhNKbFo365IrLs4";
static struct metrics_user list[] = {{root, root_hash, true}, {guest, guest_hash, false}};
static const struct metrics_users users = {.path = file, .list = list, .count = 2};

#define ROOT  "Basic cm9vdDpzZWNyZXQ="
#define GUEST "basic Z3Vlc3Q6bG9vaw=="
#define WRONG "Basic cm9vdDp3cm9uZw=="

START_TEST(users_and_their_leave)
{
    struct auth *auth = auth_new(&users);
    ck_assert_ptr_nonnull(auth);
    ck_assert_int_eq(auth_judge(auth, NULL, "a", 1), AUTH_NONE);
    ck_assert_int_eq(auth_judge(auth, ROOT, "a", 1), AUTH_ADMIN);
    ck_assert_int_eq(auth_judge(auth, ROOT, "a", 1), AUTH_ADMIN);
    ck_assert_int_eq(auth_judge(auth, GUEST, "a", 1), AUTH_USER);
    ck_assert_int_eq(auth_judge(auth, WRONG, "a", 1), AUTH_NONE);
    ck_assert_int_eq(auth_judge(auth, "Basic bm9ib2R5OnNlY3JldA==", "a", 1), AUTH_NONE);
    ck_assert_int_eq(auth_judge(auth, "Bearer x", "a", 1), AUTH_NONE);
    auth_free(auth);
}
END_TEST

START_TEST(without_a_file_everybody_looks)
{
    const struct metrics_users none = {.path = NULL};
    struct auth *auth = auth_new(&none);
    ck_assert_int_eq(auth_judge(auth, NULL, "a", 1), AUTH_USER);
    ck_assert_int_eq(auth_judge(auth, ROOT, "a", 1), AUTH_USER);
    auth_free(auth);
}
END_TEST

START_TEST(wrong_ones_are_limited_for_their_source)
{
    struct auth *auth = auth_new(&users);
    unsigned tried = 0;
    ck_assert_int_eq(auth_judge(auth, ROOT, "a", 1000), AUTH_ADMIN);
    while (auth_judge(auth, WRONG, "a", 1000) == AUTH_NONE)
        ck_assert_uint_lt(++tried, 100);
    ck_assert_uint_gt(tried, 3);
    ck_assert_int_eq(auth_judge(auth, GUEST, "a", 1000), AUTH_LIMITED);
    ck_assert_int_eq(auth_judge(auth, ROOT, "a", 1000), AUTH_ADMIN); /* known already */
    ck_assert_int_eq(auth_judge(auth, GUEST, "b", 1000), AUTH_USER);
    ck_assert_int_eq(auth_judge(auth, WRONG, "a", 2500), AUTH_NONE);
    ck_assert_int_eq(auth_judge(auth, WRONG, "a", 2500), AUTH_LIMITED);
    auth_free(auth);
}
END_TEST

START_TEST(many_sources_are_limited_together)
{
    struct auth *auth = auth_new(&users);
    unsigned tried = 0;
    for (unsigned i = 0; i < 1000; i++) {
        char source[16];
        snprintf(source, sizeof source, "%u", i);
        tried += auth_judge(auth, WRONG, source, 1000) == AUTH_NONE;
    }
    ck_assert_uint_lt(tried, 100);
    auth_free(auth);
}
END_TEST

START_TEST(headers)
{
    static const char *const bad[] = {
        "",           "Basic",          "Basic ",         "Basic a",   "Basic ====",
        "Basic YQ==", "Basic YTpi\r\n", "Basic YTo=YTo=", "Basic AAAA"};
    char text[AUTH_TEXT_MAX], longer[2048] = "Basic ";
    ck_assert(auth_read_header("Basic  YTpi", text));
    ck_assert_str_eq(text, "a:b");
    ck_assert(auth_read_header("Basic YTo=", text));
    ck_assert_str_eq(text, "a:");
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ck_assert_msg(!auth_read_header(bad[i], text), "%s", bad[i]);
    memset(longer + 6, 'A', sizeof longer - 7 - 1);
    ck_assert(!auth_read_header(longer, text));
}
END_TEST

START_TEST(hosts_and_origins)
{
    char *names[] = {name};
    const struct words words = {.list = names, .count = 1};
    char machine[256];
    ck_assert_int_eq(gethostname(machine, sizeof machine), 0);
    static const char *const own[] = {"127.0.0.1:9180", "[::1]:9180",     "[::1]",
                                      "localhost:1",    "LB.example.org", "10.1.2.3"};
    static const char *const other[] = {
        "",     ":80",    "evil.example", "lb.example.org.evil.example:1", "127.0.0.1.evil.example",
        "[::1", "[::1]x", "1.2.3"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        ck_assert_msg(origin_host_is_own(own[i], &words), "%s", own[i]);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++)
        ck_assert_msg(!origin_host_is_own(other[i], &words), "%s", other[i]);
    ck_assert(!origin_host_is_own(NULL, &words));
    ck_assert(origin_host_is_own(machine, &words));
    ck_assert(origin_is_host("http://a:1", "a:1"));
    ck_assert(origin_is_host("https://a", "A"));
    ck_assert(!origin_is_host("http://a:2", "a:1"));
    ck_assert(!origin_is_host("http://a.b", "a"));
    ck_assert(!origin_is_host("null", "null"));
    ck_assert(!origin_is_host(NULL, "a"));
    ck_assert(!origin_is_host("http://a", NULL));
}
END_TEST

Suite *auth_suite(void)
{
    Suite *suite = suite_create("auth");
    TCase *all = tcase_create("all");
    tcase_add_test(all, users_and_their_leave);
    tcase_add_test(all, without_a_file_everybody_looks);
    tcase_add_test(all, wrong_ones_are_limited_for_their_source);
    tcase_add_test(all, many_sources_are_limited_together);
    tcase_add_test(all, headers);
    tcase_add_test(all, hosts_and_origins);
    suite_add_tcase(suite, all);
    return suite;
}
