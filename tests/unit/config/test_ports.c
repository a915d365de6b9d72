/* Ranges of ports of binds, and servers that have the port to which the client came. */
#include "config/syntax/bind_ports.h"
#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIND      "[listen x]\nserver = a 127.0.0.1:1\n"
#define SERVER    "[listen x]\nbind = 127.0.0.1:1\n"
#define SHIFT     "the shift of the port must be 1 to 65534: HOST:+SHIFT or HOST:-SHIFT\n"
#define UNCHECKED "p.ini:3: server a: it has no port that could be checked; add check-port=PORT\n"

static const struct {
    const char *text;
    size_t host, length;
    unsigned first, last;
} ranges[] = {
    {"1.2.3.4:5-7", 7, 11, 5, 7},
    {"[::1]:80-80 accept=shared", 5, 11, 80, 80},
    {"a-b:1-1000\tsteer=cpu", 3, 10, 1, 1000},
    {"h:64536-65535", 1, 13, 64536, 65535},
    {"h:80", 0, 0, 0, 0},
    {"a-b:80", 0, 0, 0, 0},
    {"h:-1", 0, 0, 0, 0},
    {"h:80 accept=shared:5-6", 0, 0, 0, 0},
    {"unix:/a:5-6", 0, 0, 0, 0},
    {"fd:a:5-6", 0, 0, 0, 0},
    {"5-6", 0, 0, 0, 0},
    {"", 0, 0, 0, 0},
};

START_TEST(range_is_found)
{
    struct bind_ports found;
    ck_assert_pstr_eq(bind_ports_read(ranges[_i].text, &found), NULL);
    ck_assert_uint_eq(found.host, ranges[_i].host);
    ck_assert_uint_eq(found.length, ranges[_i].length);
    ck_assert_uint_eq(found.first, ranges[_i].first);
    ck_assert_uint_eq(found.last, ranges[_i].last);
}
END_TEST

static const struct {
    const char *text, *errors;
} mistakes[] = {
    {BIND "bind = 127.0.0.1:10-9\n", "p.ini:3: bind: '127.0.0.1:10-9': the last port of a range "
                                     "must not be lower than the first\n"},
    {BIND "bind = 127.0.0.1:0-9\n", "p.ini:3: bind: '127.0.0.1:0-9': port must be 1 to 65535\n"},
    {BIND "bind = 127.0.0.1:1-65536\n",
     "p.ini:3: bind: '127.0.0.1:1-65536': port must be 1 to 65535\n"},
    {BIND "bind = 127.0.0.1:1-99999999999999999999\n",
     "p.ini:3: bind: '127.0.0.1:1-99999999999999999999': port must be 1 to 65535\n"},
    {BIND "bind = 127.0.0.1:1-1001\n",
     "p.ini:3: bind: '127.0.0.1:1-1001': a range must not have more than 1000 ports\n"},
    {BIND "bind = 127.0.0.1:9-\n",
     "p.ini:3: bind: '127.0.0.1:9-': a range of ports must be FIRST-LAST\n"},
    {BIND "bind = 127.0.0.1:9-10-11\n",
     "p.ini:3: bind: '127.0.0.1:9-10-11': a range of ports must be FIRST-LAST\n"},
    /* One error, and not one for each port. */
    {BIND "bind = 10.0.0.256:1-9\n", "p.ini:3: bind: '10.0.0.256:1': not an IPv4 address\n"},
    {BIND "bind = 127.0.0.1:1-9 accept=x\n",
     "p.ini:3: bind: accept 'x' must be sharded or shared\n"},
    {BIND "bind = 127.0.0.1:20-29\nbind = 127.0.0.1:25-35\nbind = 127.0.0.1:22\n",
     "p.ini:4: bind '127.0.0.1:25' is given twice; first in line 3\n"
     "p.ini:5: bind '127.0.0.1:22' is given twice; first in line 3\n"},
    {SERVER "server = a 127.0.0.2:+0\n", "p.ini:3: server: '127.0.0.2:+0': " SHIFT},
    {SERVER "server = a 127.0.0.2:-\n", "p.ini:3: server: '127.0.0.2:-': " SHIFT},
    {SERVER "server = a [::1]:+65535\n", "p.ini:3: server: '[::1]:+65535': " SHIFT},
    {SERVER "server = a 127.0.0.2:\n",
     "p.ini:3: server: '127.0.0.2:': port is missing: HOST:PORT\n"},
    {SERVER "server = a 8080\n", "p.ini:3: server: '8080': not an IPv4 address\n"},
    {SERVER "server = a ::1\n",
     "p.ini:3: server: '::1': an IPv6 address needs brackets: [IPV6]:PORT\n"},
    {SERVER "server = a [::1\n", "p.ini:3: server: '[::1': ']' is missing: [IPV6]:PORT\n"},
    {SERVER "server = a 127.0.0.2\ncheck = tcp\n", UNCHECKED},
    {SERVER "server = a 127.0.0.2:+1\ncheck = http\n", UNCHECKED},
    {SERVER "server = a a.example:-1\ncheck = tcp\n", UNCHECKED},
};

START_TEST(mistake_is_reported)
{
    struct loaded loaded = load_text(mistakes[_i].text);
    ck_assert_ptr_null(loaded.config);
    ck_assert_str_eq(loaded.errors, mistakes[_i].errors);
    loaded_free(&loaded);
}
END_TEST

START_TEST(range_becomes_binds)
{
    struct config *config =
        load_good("[listen x]\nbind = 127.0.0.1:79\nbind = [0:0::1]:1000-1999 accept=shared "
                  "accept-proxy=10.0.0.0/8\nbind = localhost:80-81\nserver = a 127.0.0.2:9\n");
    const struct frontend_conf *frontend = &config->frontends[0];
    ck_assert_uint_eq(frontend->bind_count, 1 + 1000 + 2);
    for (unsigned i = 0; i < 1000; i++) {
        char text[ADDRESS_TEXT_MAX];
        const struct bind_conf *bind = &frontend->binds[1 + i];
        snprintf(text, sizeof text, "[::1]:%u", 1000 + i);
        ck_assert_str_eq(bind->text, text);
        ck_assert_uint_eq(address_port(&bind->at.address), 1000 + i);
        ck_assert_int_eq(bind->accept, ACCEPT_SHARED);
        ck_assert(bind->accept_proxy.given);
        ck_assert_uint_eq(bind->line, 3);
    }
    const struct bind_conf *named = &frontend->binds[1001];
    ck_assert_uint_eq(address_port(&named[0].at.address), 80);
    ck_assert_uint_eq(address_port(&named[1].at.address), 81);
    config_free(config);
}
END_TEST

static const struct {
    const char *line, *text;
    int shift;
    bool is_name;
} kept[] = {
    {"127.0.0.2", "127.0.0.2", 0, false},
    {"127.0.0.2:+1000", "127.0.0.2:+1000", 1000, false},
    {"127.0.0.2:-01 check-port=5", "127.0.0.2:-1", -1, false},
    {"[0:0::1]", "[::1]", 0, false},
    {"[::ffff:127.0.0.2]:+65534", "127.0.0.2:+65534", 65534, false},
    {"a.invalid", "a.invalid", 0, true},
    {"a.invalid:-7 resolve=all check-port=5", "a.invalid:-7", -7, true},
};

START_TEST(port_of_the_client_is_kept)
{
    char text[256];
    size_t length;
    snprintf(text, sizeof text, SERVER "server = a %s\n", kept[_i].line);
    struct config *config = load_good(text);
    const struct server_conf *server = &config->backends[0].servers[0];
    ck_assert(server->keeps_port);
    ck_assert_int_eq(server->port_shift, kept[_i].shift);
    ck_assert_str_eq(server->text, kept[_i].text);
    ck_assert(!server->host == !kept[_i].is_name);
    ck_assert_uint_eq(address_port(&server->address), 0);
    char *written = config_text(config, &length);
    snprintf(text, sizeof text, "server = a %s", kept[_i].text);
    ck_assert_ptr_nonnull(strstr(written, text));
    struct config_errors errors;
    struct config *again = config_load_text("written", written, length, &errors);
    ck_assert_ptr_nonnull(again);
    char *second = config_text(again, &length);
    ck_assert_str_eq(written, second);
    free(written);
    free(second);
    config_errors_free(&errors);
    config_free(again);
    config_free(config);
}
END_TEST

START_TEST(checks_of_a_port_of_their_own_are_fine)
{
    config_free(load_good(SERVER "server = a 127.0.0.2 check-port=5\ncheck = tcp\n"));
    config_free(load_good(SERVER "server = a 127.0.0.2\ncheck = tcp\ncheck-port = 5\n"));
    config_free(load_good(SERVER "server = a unix:@name\ncheck = tcp\n"));
}
END_TEST

Suite *ports_suite(void)
{
    Suite *suite = suite_create("ports");
    TCase *tcase = tcase_create("ports");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_loop_test(tcase, range_is_found, 0, sizeof ranges / sizeof ranges[0]);
    tcase_add_loop_test(tcase, mistake_is_reported, 0, sizeof mistakes / sizeof mistakes[0]);
    tcase_add_test(tcase, range_becomes_binds);
    tcase_add_loop_test(tcase, port_of_the_client_is_kept, 0, sizeof kept / sizeof kept[0]);
    tcase_add_test(tcase, checks_of_a_port_of_their_own_are_fine);
    suite_add_tcase(suite, tcase);
    return suite;
}
