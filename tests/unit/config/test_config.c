/* The meaning of the values of a configuration. */
#include "config/load.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LETTERS_31  "abcdefghijklmnopqrstuvwxyzabcde"
#define LETTERS_124 LETTERS_31 LETTERS_31 LETTERS_31 LETTERS_31

START_TEST(defaults_are_as_documented)
{
    struct config *config = load_good(VALID);
    const struct frontend_conf *frontend = &config->frontends[0];
    const struct backend_conf *backend = &config->backends[0];
    ck_assert_uint_eq(config->workers, 0);
    ck_assert_ptr_null(config->user);
    ck_assert_str_eq(config->control, config_default_control());
    ck_assert_ptr_null(config->pidfile);
    ck_assert_int_eq(config->log.target, LOG_TO_STDERR);
    ck_assert_ptr_null(config->log.where);
    ck_assert_int_eq(config->log_level, LOG_LEVEL_INFO);
    ck_assert_uint_eq(config->max_sessions, 0);
    ck_assert_uint_eq(config->affinity.count, 0);
    ck_assert_str_eq(config->congestion, "");
    ck_assert_str_eq(frontend->congestion, "");
    ck_assert_str_eq(backend->congestion, "");
    ck_assert_int_eq(frontend->binds[0].accept, ACCEPT_SHARDED);
    ck_assert_int_eq(frontend->binds[0].steer, STEER_HASH);
    ck_assert_int_eq(config->drain, DRAIN_HANDOFF);
    ck_assert_uint_eq(config->drain_timeout, 3600000);
    ck_assert_uint_eq(config->stop_timeout, 30000);
    ck_assert_uint_eq(config->linger_timeout, 5000);
    ck_assert_uint_eq(config->ready_timeout, 60000);
    ck_assert_uint_eq(config->max_generations, 8);
    ck_assert_uint_eq(frontend->max_sessions, 0);
    ck_assert_uint_eq(frontend->idle_timeout, 3600000);
    ck_assert_uint_eq(frontend->access_log.every, 0);
    ck_assert_int_eq(config->log_format.form, LOG_AS_TEXT);
    ck_assert_int_eq(backend->balance, BALANCE_ROUNDROBIN);
    ck_assert_uint_eq(backend->connect_timeout, 5000);
    ck_assert_uint_eq(backend->retries, 3);
    ck_assert_int_eq(backend->check.kind, CHECK_OFF);
    ck_assert_uint_eq(backend->check.interval, 2000);
    ck_assert_uint_eq(backend->check.timeout, 2000);
    ck_assert_uint_eq(backend->check.rise, 2);
    ck_assert_uint_eq(backend->check.fall, 3);
    ck_assert_uint_eq(backend->servers[0].weight, 1);
    config_free(config);
}
END_TEST

START_TEST(every_value_arrives)
{
    struct config *config = load_good("[global]\n"
                                      "workers = 4\n"
                                      "user = nobody\n"
                                      "control = /run/c.sock\n"
                                      "pidfile = /run/p.pid\n"
                                      "log = file:/var/log/x y.log\n"
                                      "log-level = debug\n"
                                      "max-sessions = 1000\n"
                                      "drain = wait\n"
                                      "drain-timeout = 0s\n"
                                      "stop-timeout = 1m\n"
                                      "linger-timeout = 250ms\n"
                                      "ready-timeout = 10s\n"
                                      "max-generations = 2\n"
                                      "[frontend web]\n"
                                      "bind = 0.0.0.0:8080\n"
                                      "bind = [::]:8080\n"
                                      "bind = unix:/run/web.sock\n"
                                      "bind = fd:rpproxy.socket\n"
                                      "bind = fd:" LETTERS_124 "\n"
                                      "backend = app\n"
                                      "max-sessions = 10\n"
                                      "idle-timeout = 0s\n"
                                      "access-log = yes\n"
                                      "[backend app]\n"
                                      "balance = roundrobin\n"
                                      "server = a 10.0.0.1:9000 weight=10\n"
                                      "server = b\t[::1]:9000   weight=0\n"
                                      "server = c unix:/run/c\n"
                                      "connect-timeout = 1ms\n"
                                      "retries = 0\n"
                                      "check = tcp\n"
                                      "check-interval = 500ms\n"
                                      "check-timeout = 1500ms\n"
                                      "rise = 4\n"
                                      "fall = 5\n");
    ck_assert_uint_eq(config->workers, 4);
    ck_assert_str_eq(config->user, "nobody");
    ck_assert_str_eq(config->control, "/run/c.sock");
    ck_assert_str_eq(config->pidfile, "/run/p.pid");
    ck_assert_int_eq(config->log.target, LOG_TO_FILE);
    ck_assert_str_eq(config->log.where, "/var/log/x y.log");
    ck_assert_int_eq(config->log_level, LOG_LEVEL_DEBUG);
    ck_assert_uint_eq(config->max_sessions, 1000);
    ck_assert_uint_eq(config->drain_timeout, 0);
    ck_assert_uint_eq(config->stop_timeout, 60000);
    ck_assert_uint_eq(config->linger_timeout, 250);
    ck_assert_uint_eq(config->ready_timeout, 10000);
    ck_assert_uint_eq(config->max_generations, 2);

    ck_assert_uint_eq(config->frontend_count, 1);
    const struct frontend_conf *frontend = &config->frontends[0];
    ck_assert_str_eq(frontend->name, "web");
    ck_assert_uint_eq(frontend->line, 15);
    ck_assert_uint_eq(frontend->bind_count, 5);
    ck_assert_str_eq(frontend->binds[0].text, "0.0.0.0:8080");
    ck_assert_uint_eq(frontend->binds[0].line, 16);
    ck_assert_str_eq(frontend->binds[1].text, "[::]:8080");
    ck_assert_str_eq(frontend->binds[2].text, "unix:/run/web.sock");
    ck_assert(!bind_is_activated(&frontend->binds[2]));
    ck_assert_str_eq(frontend->binds[3].text, "fd:rpproxy.socket");
    ck_assert(bind_is_activated(&frontend->binds[3]));
    ck_assert_str_eq(frontend->binds[4].text, "fd:" LETTERS_124);
    ck_assert_ptr_eq(frontend->backend, &config->backends[0]);
    ck_assert_uint_eq(frontend->max_sessions, 10);
    ck_assert_uint_eq(frontend->idle_timeout, 0);
    ck_assert_uint_eq(frontend->access_log.every, 1);

    ck_assert_uint_eq(config->backend_count, 1);
    const struct backend_conf *backend = &config->backends[0];
    ck_assert_str_eq(backend->name, "app");
    ck_assert_uint_eq(backend->server_count, 3);
    ck_assert_str_eq(backend->servers[0].name, "a");
    ck_assert_str_eq(backend->servers[0].text, "10.0.0.1:9000");
    ck_assert_uint_eq(backend->servers[0].weight, 10);
    ck_assert_uint_eq(backend->servers[0].line, 27);
    ck_assert_str_eq(backend->servers[1].text, "[::1]:9000");
    ck_assert_uint_eq(backend->servers[1].weight, 0);
    ck_assert_str_eq(backend->servers[2].text, "unix:/run/c");
    ck_assert_uint_eq(backend->connect_timeout, 1);
    ck_assert_uint_eq(backend->retries, 0);
    ck_assert_int_eq(backend->check.kind, CHECK_TCP);
    ck_assert_uint_eq(backend->check.interval, 500);
    ck_assert_uint_eq(backend->check.timeout, 1500);
    ck_assert_uint_eq(backend->check.rise, 4);
    ck_assert_uint_eq(backend->check.fall, 5);
    config_free(config);
}
END_TEST

START_TEST(defaults_apply_above_and_below_and_yield)
{
    struct config *config = load_good("[listen above]\n"
                                      "bind = 127.0.0.1:1\n"
                                      "server = a 127.0.0.1:2\n"
                                      "[defaults]\n"
                                      "idle-timeout = 7s\n"
                                      "retries = 9\n"
                                      "max-sessions = 5\n"
                                      "[listen below]\n"
                                      "bind = 127.0.0.1:3\n"
                                      "server = a 127.0.0.1:2\n"
                                      "retries = 1\n"
                                      "max-sessions = unlimited\n");
    ck_assert_uint_eq(config->frontends[0].idle_timeout, 7000);
    ck_assert_uint_eq(config->frontends[0].max_sessions, 5);
    ck_assert_uint_eq(config->backends[0].retries, 9);
    ck_assert_uint_eq(config->frontends[1].idle_timeout, 7000);
    ck_assert_uint_eq(config->frontends[1].max_sessions, 0);
    ck_assert_uint_eq(config->backends[1].retries, 1);
    ck_assert_uint_eq(config->max_sessions, 0);
    config_free(config);
}
END_TEST

START_TEST(frontends_share_backends_and_names)
{
    struct config *config =
        load_good("[frontend x]\nbind = 127.0.0.1:1\nbackend = l\n"
                  "[listen l]\nbind = 127.0.0.1:2\nserver = a 127.0.0.1:9\n"
                  "[backend x]\nserver = a 127.0.0.1:9\nserver = b 127.0.0.1:9\n"
                  "[frontend y]\nbind = 127.0.0.1:3\nbackend = x\n");
    ck_assert_uint_eq(config->frontend_count, 3);
    ck_assert_uint_eq(config->backend_count, 2);
    ck_assert_str_eq(config->frontends[0].backend->name, "l");
    ck_assert_ptr_eq(config->frontends[0].backend, config->frontends[1].backend);
    ck_assert_str_eq(config->frontends[2].backend->name, "x");
    config_free(config);
}
END_TEST

START_TEST(accept_and_steer_of_a_bind)
{
    struct config *config = load_good("[listen x]\n"
                                      "bind = 127.0.0.1:1\n"
                                      "bind = 127.0.0.1:2 steer=cpu\n"
                                      "bind = 127.0.0.1:3 accept=shared\n"
                                      "bind = 127.0.0.1:4\taccept=sharded  steer=hash\n"
                                      "bind = unix:/5\n"
                                      "bind = unix:/6 accept=shared\n"
                                      "server = a 127.0.0.1:9\n");
    static const enum accept_mode accepts[] = {ACCEPT_SHARDED, ACCEPT_SHARDED, ACCEPT_SHARED,
                                               ACCEPT_SHARDED, ACCEPT_SHARED,  ACCEPT_SHARED};
    for (size_t i = 0; i < sizeof accepts / sizeof accepts[0]; i++) {
        const struct bind_conf *bind = &config->frontends[0].binds[i];
        ck_assert_int_eq(bind->accept, accepts[i]);
        ck_assert_int_eq(bind->steer, i == 1 ? STEER_CPU : STEER_HASH);
        ck_assert_ptr_null(strchr(bind->text, ' '));
    }
    config_free(config);
}
END_TEST

START_TEST(mode_owner_and_group_of_a_unix_bind)
{
    struct config *config = load_good("[listen x]\n"
                                      "bind = unix:/1\n"
                                      "bind = unix:/2 mode=660\n"
                                      "bind = unix:/3 group=12 owner=root mode=0000\n"
                                      "server = a 127.0.0.1:9\n");
    const struct bind_conf *binds = config->frontends[0].binds;
    ck_assert(!binds[0].mode_given);
    ck_assert_ptr_null(binds[0].owner);
    ck_assert_ptr_null(binds[0].group);
    ck_assert(binds[1].mode_given);
    ck_assert_uint_eq(binds[1].mode, 0660);
    ck_assert(binds[2].mode_given);
    ck_assert_uint_eq(binds[2].mode, 0);
    ck_assert_str_eq(binds[2].owner, "root");
    ck_assert_uint_eq(binds[2].uid, 0);
    ck_assert_str_eq(binds[2].group, "12");
    ck_assert_uint_eq(binds[2].gid, 12);
    config_free(config);
}
END_TEST

/* Every kernel has reno, and allows it for all users. */
START_TEST(congestion_goes_from_global_by_defaults_to_each_side)
{
    struct config *config = load_good("[listen l]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:9\n"
                                      "congestion = system\n"
                                      "[frontend f]\nbind = 127.0.0.1:2\nbackend = b\n"
                                      "[backend b]\nserver = a 127.0.0.1:9\n"
                                      "congestion = system\n"
                                      "[global]\ncongestion = reno\n");
    ck_assert_str_eq(config->frontends[0].congestion, "");
    ck_assert_str_eq(config->backends[0].congestion, "");
    ck_assert_str_eq(config->frontends[1].congestion, "reno");
    ck_assert_str_eq(config->backends[1].congestion, "");
    config_free(config);
    config = load_good(VALID "[defaults]\ncongestion = reno\n");
    ck_assert_str_eq(config->frontends[0].congestion, "reno");
    ck_assert_str_eq(config->backends[0].congestion, "reno");
    config_free(config);
}
END_TEST

START_TEST(default_control_follows_the_user)
{
    if (geteuid() == 0) {
        ck_assert_str_eq(config_default_control(), "/run/rpproxy/control.sock");
        ck_assert_int_eq(seteuid(65534), 0);
    }
    char expected[64];
    setenv("XDG_RUNTIME_DIR", "/run/user/7", 1);
    ck_assert_str_eq(config_default_control(), "/run/user/7/rpproxy/control.sock");
    snprintf(expected, sizeof expected, "/tmp/rpproxy-%u/control.sock", geteuid());
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    ck_assert_str_eq(config_default_control(), expected);
    unsetenv("XDG_RUNTIME_DIR");
    ck_assert_str_eq(config_default_control(), expected);
    ck_assert_int_eq(seteuid(getuid()), 0);
}
END_TEST

/* What a file with these lines says: a path; "" for the default one; NULL: not to be known. */
static const struct {
    const char *text, *path;
} controls[] = {
    {"[global]\ncontrol = /c\n", "/c"},
    {"[global]\njunk = 1\ncontrol = /c\n[junk]\nmore\n", "/c"},
    {"[global]\nworkers = nonsense\n", ""},
    {"", ""},
    {"[global]\ncontrol =\n", NULL},
    {"[global]\ncontrol /c\n", NULL},
    {"[global]\ncontrol = c\n", NULL},
    {"[global]\ncontrol = /c/\n", NULL},
    {"[global]\ncontrol = ${RPPROXY_TEST_IS_NOT_SET}/c\n", NULL},
    {"[global]\ninclude = is-not-there.ini\n", NULL},
    {"[globl\ncontrol = /c\n", "/c"},
    {"[weird]\ncontrol = /c\n", NULL},
    {"[listen a]\ncontrol = /c\n", NULL},
    {"control = /c\n", NULL},
};

START_TEST(a_control_line_that_is_broken_is_not_the_default)
{
    struct config_errors errors;
    const char *expected = controls[_i].path;
    folder_write("p.ini", controls[_i].text, strlen(controls[_i].text));
    char *control = config_control(folder_path("p.ini"), &errors);
    if (!expected) {
        ck_assert_ptr_null(control);
        ck_assert_uint_gt(errors.count, 0);
    } else {
        ck_assert_str_eq(control, *expected ? expected : config_default_control());
    }
    free(control);
    config_errors_free(&errors);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *config_suite(void)
{
    Suite *suite = suite_create("config");
    TCase *values = tcase_create("values");
    tcase_add_checked_fixture(values, folder_make, folder_remove);
    tcase_add_test(values, defaults_are_as_documented);
    tcase_add_test(values, every_value_arrives);
    tcase_add_test(values, defaults_apply_above_and_below_and_yield);
    tcase_add_test(values, frontends_share_backends_and_names);
    tcase_add_test(values, accept_and_steer_of_a_bind);
    tcase_add_test(values, mode_owner_and_group_of_a_unix_bind);
    tcase_add_test(values, congestion_goes_from_global_by_defaults_to_each_side);
    suite_add_tcase(suite, values);
    TCase *control = tcase_create("control");
    tcase_add_checked_fixture(control, folder_make, folder_remove);
    tcase_add_test(control, default_control_follows_the_user);
    tcase_add_loop_test(control, a_control_line_that_is_broken_is_not_the_default, 0,
                        COUNT(controls));
    suite_add_tcase(suite, control);
    return suite;
}
