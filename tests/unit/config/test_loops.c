/* Servers that are binds of the same configuration: loops are refused, chains are not. */
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SELF(bind, server) "[listen own]\nbind = " bind "\nserver = s " server "\n"

/* A section whose server is its own bind, and the bind as it appears in the message. */
static const struct {
    const char *text, *bind;
} loops[] = {
    {SELF("127.0.0.1:80", "127.0.0.1:80"), "127.0.0.1:80"},
    {SELF("192.0.2.1:80", "192.0.2.1:80"), "192.0.2.1:80"}, /* the same address, of any machine */
    {SELF("0.0.0.0:80", "127.0.0.1:80"), "0.0.0.0:80"},
    {SELF("0.0.0.0:80", "127.9.8.7:80"), "0.0.0.0:80"},
    {SELF("0.0.0.0:80", "0.0.0.0:80"), "0.0.0.0:80"},
    {SELF("0.0.0.0:80", "[::ffff:127.0.0.1]:80"), "0.0.0.0:80"},
    {SELF("127.0.0.1:80", "0.0.0.0:80"), "127.0.0.1:80"},
    {SELF("[::1]:80", "[::1]:80"), "[::1]:80"},
    {SELF("[::]:80", "[::]:80"), "[::]:80"},
    {SELF("[::1]:80", "[::]:80"), "[::1]:80"},
    {SELF("0.0.0.0:80-82", "127.0.0.1"), "0.0.0.0:80"},
    {SELF("127.0.0.1:80", "127.0.0.1"), "127.0.0.1:80"},
    {SELF("unix:/run/own", "unix:/run/own"), "unix:/run/own"},
    {SELF("127.0.0.1:80", "127.0.0.1:80 weight=0\nserver = t 192.0.2.1:80"), "127.0.0.1:80"},
    {SELF("127.0.0.1:81\nbind = 127.0.0.1:80", "127.0.0.1:80"), "127.0.0.1:80"},
};

START_TEST(server_is_a_bind_of_the_same_section)
{
    char says[256];
    struct loaded loaded = load_text(loops[_i].text);
    snprintf(says, sizeof says,
             "is bind %s of frontend own of this proxy; each session would return to backend own, "
             "without end\n",
             loops[_i].bind);
    ck_assert_uint_eq(loaded.error_count, 1);
    ck_assert_msg(strstr(loaded.errors, says) != NULL, "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

static const char *const others[] = {
    SELF("127.0.0.1:80", "127.0.0.1:81"),
    SELF("127.0.0.1:80", "127.0.0.2:80"),
    SELF("127.0.0.1:80", "[::1]:80"),
    SELF("[::]:80", "127.0.0.1:80"),
    SELF("0.0.0.0:80", "192.0.2.254:80"),
    SELF("0.0.0.0:80", "[::1]:80"),
    SELF("unix:/run/own", "unix:/run/other"),
    SELF("unix:/run/own", "unix:@/run/own"),
    SELF("127.0.0.1:80", "127.0.0.2"),
    SELF("127.0.0.1:80-82", "127.0.0.1:+1"),
    SELF("fd:web", "127.0.0.1:80"),
    /* Chains: through an address, a wildcard and a path, and two backends that lead to one
       frontend. */
    SELF("127.0.0.1:80", "127.0.0.1:81") "[listen b]\nbind = 127.0.0.1:81\nserver = c [::1]:82\n"
                                         "[listen c]\nbind = [::]:82\nserver = d unix:/run/d\n"
                                         "[listen d]\nbind = unix:/run/d\nserver = e 192.0.2.1:1\n",
    SELF("127.0.0.1:80",
         "127.0.0.1:82") "[listen b]\nbind = 127.0.0.1:81\nserver = c 127.0.0.1:82\n"
                         "[listen c]\nbind = 0.0.0.0:82\nserver = e 192.0.2.1:1\n",
    /* The kernel prefers the bind of the exact address to the wildcard. */
    SELF("0.0.0.0:80", "127.0.0.1:80") "[listen b]\nbind = 127.0.0.1:80\nserver = e 192.0.2.1:1\n",
    /* No frontend uses the backend. */
    VALID "[backend b]\nserver = ok 127.0.0.1:1\n",
};

START_TEST(no_loop)
{
    config_free(load_good(others[_i]));
}
END_TEST

/* Each server of the loop is reported at its line. Servers that lead to the loop or out of it are
 * not reported. */
START_TEST(loop_through_several_backends)
{
    struct loaded loaded = load_text("[listen in]\nbind = 127.0.0.1:79\nserver = a 127.0.0.1:80\n"
                                     "[listen a]\nbind = 127.0.0.1:80\nserver = b 127.0.0.1:81\n"
                                     "[listen b]\nbind = 127.0.0.1:81\n"
                                     "server = out 127.0.0.1:82\nserver = c 127.0.0.1:83\n"
                                     "[frontend c]\nbind = 127.0.0.1:83\nbackend = a\n"
                                     "[listen out]\nbind = 127.0.0.1:82\nserver = x 192.0.2.1:1\n");
    ck_assert_uint_eq(loaded.error_count, 2);
    ck_assert_msg(strstr(loaded.errors, "p.ini:6: server 'b'") != NULL, "%s", loaded.errors);
    ck_assert_msg(strstr(loaded.errors, "p.ini:10: server 'c'") != NULL, "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

START_TEST(an_included_file_is_named)
{
    static const char included[] = "[backend b]\n\nserver = s 127.0.0.1:80\n";
    folder_write("b.ini", included, strlen(included));
    struct loaded loaded = load_text("[global]\ninclude = b.ini\n"
                                     "[frontend f]\nbind = 127.0.0.1:80\nbackend = b\n");
    ck_assert_uint_eq(loaded.error_count, 1);
    ck_assert_msg(strstr(loaded.errors, "b.ini:3: server 's'") != NULL, "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

/* One socket with several paths. */
START_TEST(path_through_a_symbolic_link)
{
    char text[1024], real[256], link[256];
    snprintf(real, sizeof real, "%s", folder_path("real"));
    snprintf(link, sizeof link, "%s", folder_path("link"));
    ck_assert_int_eq(mkdir(real, 0755), 0);
    ck_assert_int_eq(symlink("real", link), 0);
    snprintf(text, sizeof text, SELF("unix:%s/s", "unix:%s/../link/s"), real, real);
    struct loaded loaded = load_text(text);
    ck_assert_uint_eq(loaded.error_count, 1);
    loaded_free(&loaded);
    unlink(link);
    rmdir(real);
}
END_TEST

/* A wildcard bind accepts connections to each address of this machine. */
START_TEST(wildcard_bind_has_the_addresses_of_interfaces)
{
    struct ifaddrs *all = NULL;
    ck_assert_int_eq(getifaddrs(&all), 0);
    for (const struct ifaddrs *at = all; at; at = at->ifa_next) {
        struct address address = {.length = sizeof address.in};
        char text[256], server[ADDRESS_TEXT_MAX];
        if (!at->ifa_addr || at->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(&address.in, at->ifa_addr, sizeof address.in);
        address.in.sin_port = htons(80);
        snprintf(text, sizeof text, SELF("0.0.0.0:80", "%s"), address_format(&address, server));
        struct loaded loaded = load_text(text);
        ck_assert_uint_eq(loaded.error_count, 1);
        loaded_free(&loaded);
    }
    freeifaddrs(all);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *loops_suite(void)
{
    Suite *suite = suite_create("loops");
    TCase *tcase = tcase_create("loops");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_loop_test(tcase, server_is_a_bind_of_the_same_section, 0, COUNT(loops));
    tcase_add_loop_test(tcase, no_loop, 0, COUNT(others));
    tcase_add_test(tcase, loop_through_several_backends);
    tcase_add_test(tcase, an_included_file_is_named);
    tcase_add_test(tcase, path_through_a_symbolic_link);
    tcase_add_test(tcase, wildcard_bind_has_the_addresses_of_interfaces);
    suite_add_tcase(suite, tcase);
    return suite;
}
