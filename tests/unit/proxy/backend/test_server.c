/* Changes of a server: by checks, by commands, and by the state that the old process sends. */
#include "proxy/backend/backend.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

static char name_a[] = "a", name_b[] = "b", name_app[] = "app";
static struct server_conf servers[2] = {{.name = name_a, .weight = 3},
                                        {.name = name_b, .weight = 1}};
static struct backend_conf conf;
static struct backend backend;
static struct reclaimer reclaimer; /* without readers */
static struct server *server;
static unsigned changes, by_commands;

static struct server *at(size_t place)
{
    return backend_servers(&backend)->list[place];
}

static void on_change(struct server *which, bool by_command, void *arg)
{
    by_commands += by_command;
    ck_assert_ptr_eq(which->backend, arg);
    changes++;
}

static void setup(void)
{
    conf = (struct backend_conf){.name = name_app,
                                 .servers = servers,
                                 .server_count = 2,
                                 .check.kind = CHECK_TCP,
                                 .check.rise = 2,
                                 .check.fall = 3};
    ck_assert_int_eq(backend_open(&backend, &conf, 1, &reclaimer), 0);
    backend.on_change = on_change;
    backend.arg = &backend;
    server = at(0);
    changes = by_commands = 0;
}

static void teardown(void)
{
    backend_close(&backend);
}

static void refuse(unsigned times)
{
    while (times-- > 0)
        server_failed(server, ECONNREFUSED, "");
}

START_TEST(begins_up_and_usable)
{
    ck_assert_uint_eq(backend.usable, 2);
    ck_assert_uint_eq(server_share(server), 3 * SHARE_OF_ONE);
    ck_assert_str_eq(server_check_name(server), "up");
    ck_assert_str_eq(server_admin_name(server->now.admin), "ready");
    ck_assert_ptr_eq(backend_find(&backend, "b"), at(1));
    ck_assert_ptr_null(backend_find(&backend, "B"));
}
END_TEST

START_TEST(unknown_server_is_down_at_its_first_failure)
{
    refuse(1);
    ck_assert_int_eq(server->now.check, CHECK_DOWN);
    ck_assert_uint_eq(server_share(server), 0);
    ck_assert_uint_eq(backend.usable, 1);
    ck_assert_uint_eq(changes, 1);
}
END_TEST

START_TEST(down_after_fall_failures_in_a_row)
{
    server_passed(server);
    refuse(2);
    server_passed(server);
    refuse(2);
    ck_assert_int_eq(server->now.check, CHECK_UP);
    ck_assert_uint_eq(changes, 0);
    unsigned version = backend.version;
    refuse(1);
    ck_assert_int_eq(server->now.check, CHECK_DOWN);
    ck_assert_uint_ne(backend.version, version);
    ck_assert_int_eq(server->now.last_error, ECONNREFUSED);
    ck_assert_str_eq(server_check_name(server), "down");
    refuse(5);
    ck_assert_uint_eq(changes, 1);
}
END_TEST

START_TEST(up_after_rise_passes_in_a_row)
{
    refuse(1);
    server_passed(server);
    refuse(1);
    server_passed(server);
    ck_assert_int_eq(server->now.check, CHECK_DOWN);
    server_passed(server);
    ck_assert_int_eq(server->now.check, CHECK_UP);
    ck_assert_uint_eq(server_share(server), 3 * SHARE_OF_ONE);
    ck_assert_uint_eq(changes, 2);
    refuse(2); /* the state is known now */
    ck_assert_int_eq(server->now.check, CHECK_UP);
}
END_TEST

START_TEST(admin_and_check_state_do_not_depend_on_each_other)
{
    server_set_admin(server, ADMIN_DRAIN);
    ck_assert_uint_eq(server_share(server), 0);
    ck_assert_int_eq(server->now.check, CHECK_UP);
    refuse(1);
    ck_assert_int_eq(server->now.check, CHECK_DOWN);
    ck_assert_int_eq(server->now.admin, ADMIN_DRAIN);
    server_set_admin(server, ADMIN_READY);
    ck_assert_uint_eq(server_share(server), 0);
    server_passed(server);
    server_passed(server);
    ck_assert_uint_eq(server_share(server), 3 * SHARE_OF_ONE);
    ck_assert_uint_eq(changes, 4);
    ck_assert_uint_eq(by_commands, 2);
}
END_TEST

START_TEST(a_server_back_from_maint_is_unknown)
{
    server_passed(server);
    server_set_admin(server, ADMIN_MAINT);
    server_set_admin(server, ADMIN_READY);
    ck_assert_uint_eq(server_share(server), 3 * SHARE_OF_ONE);
    refuse(1);
    ck_assert_uint_eq(server_share(server), 0);
}
END_TEST

START_TEST(the_first_check_of_another_address_decides)
{
    struct address address = {.length = sizeof address.in};
    address.in.sin_family = AF_INET;
    server_passed(server);
    for (in_port_t port = 1; port <= 3; port += 2) {
        address.in.sin_port = htons(port);
        ck_assert_int_eq(server_set_address(server, &address), 0);
        refuse(1);
        ck_assert_int_eq(server->now.check, CHECK_DOWN);
        address.in.sin_port = htons((in_port_t)(port + 1));
        ck_assert_int_eq(server_set_address(server, &address), 0);
        server_passed(server);
        ck_assert_int_eq(server->now.check, CHECK_UP);
    }
    ck_assert_uint_eq(changes, 8);
    ck_assert_uint_eq(by_commands, 0);
    ck_assert_int_eq(server_set_address(server, &address), 0); /* the same address again */
    ck_assert_uint_eq(changes, 8);
}
END_TEST

START_TEST(weight)
{
    server_set_weight(server, 256);
    ck_assert_uint_eq(server_share(server), 256 * SHARE_OF_ONE);
    server_set_weight(server, 0);
    ck_assert_uint_eq(backend.usable, 1);
    ck_assert_uint_eq(changes, 2);
    server_set_weight(server, 0);
    server_set_admin(server, ADMIN_READY);
    ck_assert_uint_eq(changes, 2);
}
END_TEST

static struct server *went_down;

static void on_down(struct server *which, void *arg)
{
    (void)arg;
    went_down = which;
}

START_TEST(a_server_that_goes_down_tells_so_once)
{
    conf.check.on_down = ON_DOWN_CLOSE;
    backend.on_down = on_down;
    refuse(1);
    ck_assert_ptr_eq(went_down, server);
    ck_assert(server_is_ending(server));
    went_down = NULL;
    server_set_admin(server, ADMIN_MAINT);
    server_set_admin(server, ADMIN_READY);
    refuse(5);
    ck_assert_ptr_null(went_down);
    server_passed(server);
    server_passed(server);
    ck_assert(!server_is_ending(server));
    refuse(3);
    ck_assert_ptr_eq(went_down, server);
}
END_TEST

START_TEST(an_agent_keeps_clients_away)
{
    conf.check.kind = CHECK_AGENT;
    server_passed(server);
    server_advised(server, AGENT_SAYS_NOTHING, -1);
    ck_assert_uint_eq(changes, 0);
    server_advised(server, AGENT_DRAIN, -1);
    ck_assert_uint_eq(server_share(server), 0);
    ck_assert_int_eq(server->now.admin, ADMIN_READY); /* a state of its own */
    ck_assert_str_eq(server_agent_name(server), "drain");
    server_advised(server, AGENT_SAYS_NOTHING, 50);
    ck_assert_uint_eq(server_share(server), 0);
    server_set_admin(server, ADMIN_DRAIN);
    server_advised(server, AGENT_READY, -1);
    ck_assert_uint_eq(server_share(server), 0);
    server_set_admin(server, ADMIN_READY);
    ck_assert_uint_eq(server_share(server), 3 * SHARE_OF_ONE / 2);
    server_advised(server, AGENT_SAYS_NOTHING, 0);
    ck_assert_uint_eq(server_share(server), 0);
    const struct server_state state = server->now;
    server_advised(server, AGENT_MAINT, 100);
    server_adopt(server, &state, 0);
    ck_assert_str_eq(server_agent_name(server), "ready");
    ck_assert_int_eq(server->now.agent_percent, 0);
    conf.check.kind =
        CHECK_TCP; /* a configuration without the agent: what it said does not count */
    server_adopt(server, &state, 0);
    ck_assert_uint_eq(server_share(server), 3 * SHARE_OF_ONE);
}
END_TEST

START_TEST(a_server_follows_another_one)
{
    struct server *follower = at(1);
    char track[] = "app/a";
    servers[1].check_track = track;
    server_follow(follower, server);
    refuse(1);
    ck_assert_int_eq(follower->now.check, CHECK_DOWN);
    ck_assert_str_eq(server_last_check(follower), server_last_check(server));
    ck_assert_uint_eq(backend.usable, 0);
    server_passed(server);
    server_passed(server);
    ck_assert_uint_eq(backend.usable, 2);
    server_set_admin(server, ADMIN_MAINT);
    ck_assert_uint_eq(server_share(follower), 0);
    ck_assert_int_eq(follower->now.admin, ADMIN_READY);
    server_set_admin(server, ADMIN_READY);
    ck_assert_uint_eq(server_share(follower), SHARE_OF_ONE);
    /* What the old process knew of the leader holds for the follower as well. */
    const struct server_state state = {
        .check = CHECK_DOWN, .last_error = EPROTO, .weight = 3, .agent_percent = -1};
    server_adopt(server, &state, 0);
    ck_assert_int_eq(follower->now.check, CHECK_DOWN);
    servers[1].check_track = NULL;
}
END_TEST

START_TEST(a_server_may_be_down_before_its_first_check)
{
    backend_close(&backend);
    conf.check.initial = CHECK_INITIAL_DOWN;
    ck_assert_int_eq(backend_open(&backend, &conf, 1, &reclaimer), 0);
    server = at(0);
    ck_assert_uint_eq(backend.usable, 0);
    server_passed(server); /* although rise is 2 */
    ck_assert_uint_eq(backend.usable, 1);
}
END_TEST

START_TEST(adopts_possible_states_only)
{
    struct server_state state = {.admin = ADMIN_MAINT,
                                 .check = CHECK_DOWN,
                                 .streak = 1,
                                 .last_error = ETIMEDOUT,
                                 .weight = 7,
                                 .changed_at = 42};
    server_adopt(server, &state, 0);
    ck_assert_uint_eq(backend.usable, 1);
    ck_assert_uint_eq(server->now.changed_at, 42);
    server_set_admin(server, ADMIN_READY);
    server_passed(server); /* the second of two */
    ck_assert_uint_eq(server_share(server), 7 * SHARE_OF_ONE);

    state.admin = ADMIN_READY;
    state.streak = 1000;
    server_adopt(server, &state, 0);
    ck_assert_uint_lt(server->now.streak, conf.check.rise);
    state.last_error = SERVER_UNCHECKED;
    server_adopt(server, &state, 0);
    ck_assert_int_eq(server->now.check, CHECK_UP);
    refuse(1);
    ck_assert_int_eq(server->now.check, CHECK_DOWN);

    conf.check.kind = CHECK_OFF;
    state.last_error = ETIMEDOUT;
    server_adopt(server, &state, 0);
    ck_assert_uint_eq(server_share(server), 7 * SHARE_OF_ONE);
    ck_assert_str_eq(server_check_name(server), "off");
}
END_TEST

Suite *server_suite(void)
{
    Suite *suite = suite_create("server");
    TCase *tcase = tcase_create("server");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, begins_up_and_usable);
    tcase_add_test(tcase, unknown_server_is_down_at_its_first_failure);
    tcase_add_test(tcase, down_after_fall_failures_in_a_row);
    tcase_add_test(tcase, up_after_rise_passes_in_a_row);
    tcase_add_test(tcase, admin_and_check_state_do_not_depend_on_each_other);
    tcase_add_test(tcase, a_server_back_from_maint_is_unknown);
    tcase_add_test(tcase, the_first_check_of_another_address_decides);
    tcase_add_test(tcase, weight);
    tcase_add_test(tcase, adopts_possible_states_only);
    tcase_add_test(tcase, a_server_that_goes_down_tells_so_once);
    tcase_add_test(tcase, an_agent_keeps_clients_away);
    tcase_add_test(tcase, a_server_follows_another_one);
    tcase_add_test(tcase, a_server_may_be_down_before_its_first_check);
    suite_add_tcase(suite, tcase);
    return suite;
}
