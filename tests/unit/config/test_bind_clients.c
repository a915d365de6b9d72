/* v6only and interface of a bind, and abstract Unix binds: which clients come to it. */
#include "config/write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BIND "[listen x]\nserver = a 127.0.0.1:1\nbind = "

static const struct {
    const char *text, *errors;
} mistakes[] = {
    {BIND "0.0.0.0:80 v6only=no\n", "p.ini:3: bind: v6only is possible only for an IPv6 address\n"},
    {BIND "unix:/a v6only=yes\n", "p.ini:3: bind: v6only is possible only for an IPv6 address\n"},
    {BIND "fd:a v6only=yes\n", "p.ini:3: bind: v6only is possible only for an IPv6 address\n"},
    {BIND "[::1]:80 v6only=no\n", "p.ini:3: bind: v6only=no is possible only for [::]:PORT: IPv4 "
                                  "clients come to no other IPv6 address\n"},
    {BIND "[::]:80 v6only=maybe\n", "p.ini:3: bind: v6only 'maybe' must be yes or no\n"},
    {BIND "[::]:80 v6only\n", "p.ini:3: bind: 'v6only' needs its value directly after it, without "
                              "spaces: write v6only=VALUE\n"},
    {BIND "[::]:80 ipv6only=off\n",
     "p.ini:3: bind: unknown attribute 'ipv6only': it is 'v6only=no' here\n"},
    {BIND "[::]:80 v4v6\n", "p.ini:3: bind: unknown attribute 'v4v6': it is 'v6only=no' here\n"},
    {BIND "unix:/a interface=lo\n",
     "p.ini:3: bind: interface is possible only for an IPv4 or IPv6 address\n"},
    {BIND "fd:a interface=lo\n",
     "p.ini:3: bind: interface is possible only for an IPv4 or IPv6 address\n"},
    {BIND "unix:@a mode=0600\n",
     "p.ini:3: bind: mode, owner and group are possible only for unix:/PATH\n"},
    {BIND "unix:@a interface=lo\n",
     "p.ini:3: bind: interface is possible only for an IPv4 or IPv6 address\n"},
    {BIND "unix:@a accept=sharded\n",
     "p.ini:3: bind: accept=sharded is not possible: a Unix bind has only one socket\n"},
    {BIND "unix:@a\nbind = unix:@a\n", "p.ini:4: bind 'unix:@a' is given twice; first in line 3\n"},
    {"[listen x]\nserver = a unix:@a\nbind = unix:/a\nbind = unix:@a\n",
     "p.ini:2: server 'a': unix:@a is bind unix:@a of frontend x of this proxy; each session would "
     "return to backend x, without end\n"},
    {BIND "[fe80::1%lo]:80 interface=lo\n",
     "p.ini:3: bind: interface is not possible: the address names its interface already\n"},
    {BIND "0.0.0.0:80 interface=\n", "p.ini:3: bind: interface '' must be the name of an "
                                     "interface: 1 to 15 bytes\n"},
    {BIND "0.0.0.0:80 interface=abcdefghijklmnop\n",
     "p.ini:3: bind: interface 'abcdefghijklmnop' must be the name of an interface: 1 to 15 "
     "bytes\n"},
    {BIND "0.0.0.0:80 interface=a/b\n",
     "p.ini:3: bind: interface 'a/b' is not the name of an interface\n"},
    {BIND "0.0.0.0:80 interface=lo interface=lo\n", "p.ini:3: bind: interface is given twice\n"},
    {BIND "0.0.0.0:80 interface=lo\nbind = 0.0.0.0:80 interface=lo\n",
     "p.ini:4: bind '0.0.0.0:80,interface=lo' is given twice; first in line 3\n"},
    {BIND "[::]:80\nbind = [::]:80 v6only=no\n",
     "p.ini:4: bind '[::]:80' is given twice; first in line 3\n"},
    {BIND "[::]:80 v6only=no\nbind = [::]:80 v6only=no\n",
     "p.ini:4: bind '[::]:80' is given twice; first in line 3\n"},
    /* A connection of this machine comes by the interface that has the address. */
    {"[listen x]\nserver = a 127.0.0.1:80\nbind = [::]:80 v6only=no\n",
     "p.ini:2: server 'a': 127.0.0.1:80 is bind [::]:80,v6only=no of frontend x of this proxy; "
     "each session would return to backend x, without end\n"},
    {"[listen x]\nserver = a 127.0.0.1:80\nbind = 0.0.0.0:80 interface=lo\n",
     "p.ini:2: server 'a': 127.0.0.1:80 is bind 0.0.0.0:80,interface=lo of frontend x of this "
     "proxy; each session would return to backend x, without end\n"},
};

START_TEST(mistake_is_reported)
{
    struct loaded loaded = load_text(mistakes[_i].text);
    ck_assert_ptr_null(loaded.config);
    ck_assert_str_eq(loaded.errors, mistakes[_i].errors);
    loaded_free(&loaded);
}
END_TEST

static const struct {
    const char *line, *written, *text;
} binds[] = {
    {"[::]:80", "bind = [::]:80 accept=sharded steer=hash\n", "[::]:80"},
    {"[::]:80 v6only=yes", "bind = [::]:80 accept=sharded steer=hash\n", "[::]:80"},
    {"[::1]:80 v6only=yes", "bind = [::1]:80 accept=sharded steer=hash\n", "[::1]:80"},
    {"[::]:80 v6only=no", "bind = [::]:80 accept=sharded steer=hash v6only=no\n",
     "[::]:80,v6only=no"},
    {"[::]:80 interface=eth0 v6only=no",
     "bind = [::]:80 accept=sharded steer=hash v6only=no interface=eth0\n",
     "[::]:80,v6only=no,interface=eth0"},
    {"unix:@a,interface=b", "bind = unix:@a,interface=b\n", "unix:@a,interface=b"},
    {"10.0.0.1:80 interface=br-lan.7 accept=shared",
     "bind = 10.0.0.1:80 accept=shared interface=br-lan.7\n", "10.0.0.1:80,interface=br-lan.7"},
};

START_TEST(bind_is_read_and_written)
{
    char file[256];
    size_t length;
    snprintf(file, sizeof file, BIND "%s\n", binds[_i].line);
    struct config *config = load_good(file);
    char *text = config_text(config, &length);
    ck_assert_str_eq(config->frontends[0].binds[0].text, binds[_i].text);
    ck_assert_msg(strstr(text, binds[_i].written) != NULL, "%s", text);
    free(text);
    config_free(config);
}
END_TEST

/* All of them have clients of their own. */
START_TEST(binds_of_one_port_stand_beside_each_other)
{
    struct config *config = load_good(
        BIND "0.0.0.0:80\nbind = 0.0.0.0:80 interface=lo\nbind = 0.0.0.0:80 "
             "interface=eth0\nbind = 10.0.0.1:80 interface=eth0\nbind = [::]:80 "
             "v6only=no\nbind = [::]:80 interface=eth0\nbind = [::]:90-92 interface=lo\n");
    ck_assert_uint_eq(config->frontends[0].bind_count, 9);
    ck_assert_str_eq(config->frontends[0].binds[8].text, "[::]:92,interface=lo");
    config_free(config);
}
END_TEST

/* A connection to 127.0.0.1 comes by no other interface than lo. */
START_TEST(other_interfaces_make_no_loop)
{
    config_free(load_good("[listen x]\nserver = a 127.0.0.1:80\nbind = 0.0.0.0:80 "
                          "interface=eth0\n"));
    config_free(load_good("[listen x]\nserver = a 127.0.0.1:80\nbind = [::]:80 v6only=no\n"
                          "[listen y]\nserver = a 127.0.0.1:81\nbind = 0.0.0.0:80\n"));
}
END_TEST

Suite *bind_clients_suite(void)
{
    Suite *suite = suite_create("bind_clients");
    TCase *tests = tcase_create("bind_clients");
    tcase_add_checked_fixture(tests, folder_make, folder_remove);
    tcase_add_loop_test(tests, mistake_is_reported, 0, sizeof mistakes / sizeof *mistakes);
    tcase_add_loop_test(tests, bind_is_read_and_written, 0, sizeof binds / sizeof *binds);
    tcase_add_test(tests, binds_of_one_port_stand_beside_each_other);
    tcase_add_test(tests, other_interfaces_make_no_loop);
    suite_add_tcase(suite, tests);
    return suite;
}
