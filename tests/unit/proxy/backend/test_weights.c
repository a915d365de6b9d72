/* Shares of the servers of a backend: backups, slow start, ejections, and what time brings. */
#include "proxy/backend/backend.h"
#include "proxy/backend/passive.h"
#include "proxy/backend/slow_start.h"
#include "proxy/backend/weights.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <errno.h>
#include <stdlib.h>

enum { MOST = 6 };

static char app[] = "app", names[MOST][2] = {"a", "b", "c", "d", "e", "f"};
static struct server_conf servers[MOST];
static struct backend_conf conf;
static struct backend backend;
static struct reclaimer reclaimer;
static unsigned changes;

static void on_change(struct server *server, bool by_command, void *arg)
{
    (void)server;
    (void)by_command;
    (void)arg;
    changes++;
}

static struct server *at(size_t place)
{
    return backend_servers(&backend)->list[place];
}

/* The form has a letter for each server: a for an active one, b for a backup. */
static void open_backend(const char *form, const struct backend_conf *with)
{
    conf = *with;
    conf.name = app;
    conf.servers = servers;
    conf.check.kind = CHECK_TCP;
    conf.check.rise = conf.check.fall = 1;
    for (; form[conf.server_count]; conf.server_count++)
        servers[conf.server_count] = (struct server_conf){.name = names[conf.server_count],
                                                          .weight = 1,
                                                          .backup = form[conf.server_count] == 'b'};
    ck_assert_int_eq(backend_open(&backend, &conf, 1, &reclaimer), 0);
    backend.on_change = on_change;
    changes = 0;
}

static void teardown(void)
{
    backend_close(&backend);
}

/* Which servers have a share: a 1 or 0 for each. */
static const char *serving(void)
{
    static char text[MOST + 1];
    for (size_t i = 0; i < conf.server_count; i++)
        text[i] = server_share(at(i)) > 0 ? '1' : '0';
    text[conf.server_count] = '\0';
    return text;
}

static void down(size_t place)
{
    server_failed(at(place), ECONNREFUSED, "");
}

static void up(size_t place)
{
    server_passed(at(place));
}

/* --- backups --- */

START_TEST(the_first_backup_that_lives)
{
    open_backend("aabb", &(struct backend_conf){.failback = true});
    ck_assert_str_eq(serving(), "1100");
    ck_assert_uint_eq(backend.usable, 2);
    down(0);
    ck_assert_str_eq(serving(), "0100");
    down(1);
    ck_assert_str_eq(serving(), "0010");
    down(2);
    ck_assert_str_eq(serving(), "0001");
    up(2);
    ck_assert_str_eq(serving(), "0010");
    up(1);
    ck_assert_str_eq(serving(), "0100");
    down(1);
    down(2);
    down(3);
    ck_assert_str_eq(serving(), "0000");
    ck_assert_uint_eq(backend.usable, 0);
    up(3);
    ck_assert_str_eq(serving(), "0001");
    server_set_weight(at(3), 0);
    ck_assert_uint_eq(backend.usable, 0);
}
END_TEST

START_TEST(all_backups)
{
    open_backend("abb", &(struct backend_conf){.failback = true, .backup = BACKUP_ALL});
    down(0);
    ck_assert_str_eq(serving(), "011");
    down(1);
    ck_assert_str_eq(serving(), "001");
    up(0);
    ck_assert_str_eq(serving(), "100");
}
END_TEST

START_TEST(without_failback_the_holder_serves_until_it_fails)
{
    open_backend("abb", &(struct backend_conf){0});
    down(0);
    ck_assert_str_eq(serving(), "010");
    ck_assert(at(1)->now.holds);
    up(0);
    ck_assert_str_eq(serving(), "010");
    down(1);
    ck_assert_str_eq(serving(), "100"); /* the active server is back, and comes first */
    ck_assert(!at(1)->now.holds);
    down(0);
    ck_assert_str_eq(serving(), "001");
    up(1);
    up(0);
    ck_assert_str_eq(serving(), "001");
    server_set_admin(at(2), ADMIN_DRAIN); /* by command as well */
    ck_assert_str_eq(serving(), "100");
}
END_TEST

START_TEST(without_failback_all_backups_hold)
{
    open_backend("abb", &(struct backend_conf){.backup = BACKUP_ALL});
    down(0);
    up(0);
    ck_assert_str_eq(serving(), "011");
    down(1);
    ck_assert_str_eq(serving(), "001");
    up(1);
    ck_assert_str_eq(serving(), "011");
    down(1);
    down(2);
    ck_assert_str_eq(serving(), "100");
}
END_TEST

/* The new process hears of the servers one by one, in any order. */
START_TEST(the_holder_goes_over)
{
    const size_t orders[][3] = {{0, 1, 2}, {2, 1, 0}, {1, 2, 0}};
    struct server_state states[3];
    open_backend("abb", &(struct backend_conf){0});
    up(0);
    up(1);
    up(2);
    down(0);
    down(1);
    up(0);
    up(1);
    ck_assert_str_eq(serving(), "001");
    for (size_t i = 0; i < 3; i++)
        states[i] = at(i)->now;
    backend_close(&backend);
    open_backend("abb", &(struct backend_conf){0});
    for (size_t i = 0; i < 3; i++)
        server_adopt(at(orders[_i][i]), &states[orders[_i][i]], 0);
    ck_assert_str_eq(serving(), "001");
}
END_TEST

/* --- slow start --- */

START_TEST(slow_start_grows_in_steps)
{
    ck_assert_uint_eq(slow_start_percent(0, 1000, 5), 100);
    ck_assert_uint_eq(slow_start_percent(5000, 0, 5000), 100);
    ck_assert_uint_eq(slow_start_due(0, 1000, 5), UINT64_MAX);
    uint64_t now = 5000;
    unsigned steps = 0, last = 0;
    while (now != UINT64_MAX) {
        unsigned percent = slow_start_percent(5000, 30000, now);
        ck_assert_uint_ge(percent, last);
        ck_assert_uint_ge(percent, 5);
        last = percent;
        steps++;
        now = slow_start_due(5000, 30000, now);
        ck_assert(now == UINT64_MAX || now <= 35000);
    }
    ck_assert_uint_eq(last, 100);
    ck_assert_uint_eq(steps, SLOW_START_STEPS + 1);
    ck_assert_uint_eq(slow_start_percent(5000, 30000, 20000), 50);
    for (now = 100; now != UINT64_MAX;
         now = slow_start_due(100, 7, now)) /* shorter than its steps */
        ck_assert_uint_le(now, 107);
    ck_assert_uint_eq(slow_start_percent(9000, 30000, 8000), 5); /* a clock that has gone back */
}
END_TEST

START_TEST(a_server_that_comes_up_starts_slowly)
{
    open_backend("aa", &(struct backend_conf){.slow_start = 100000, .failback = true});
    server_set_weight(at(0), 256);
    up(0);
    ck_assert_uint_eq(server_share(at(0)), 256 * SHARE_OF_ONE); /* never at the start */
    down(0);
    up(0);
    uint64_t since = at(0)->now.up_since;
    ck_assert_uint_gt(since, 0);
    ck_assert_uint_eq(server_share(at(0)), 256 * 5);
    unsigned version = backend.version;
    weights_publish(&backend, since + 30000, true);
    ck_assert_uint_eq(server_share(at(0)), 256 * 30);
    ck_assert_uint_ne(backend.version, version);
    version = backend.version;
    weights_publish(&backend, since + 30001, true);
    ck_assert_uint_eq(backend.version, version);
    weights_publish(&backend, since + 100000, true);
    ck_assert_uint_eq(server_share(at(0)), 256 * SHARE_OF_ONE);
    ck_assert_uint_eq(server_share(at(1)), SHARE_OF_ONE);

    server_set_admin(at(1), ADMIN_DRAIN);
    server_set_admin(at(1), ADMIN_READY);
    ck_assert_uint_eq(server_share(at(1)), SHARE_OF_ONE); /* it was never away */
    server_set_admin(at(1), ADMIN_MAINT);
    server_set_admin(at(1), ADMIN_READY);
    ck_assert_uint_eq(server_share(at(1)), 5);
}
END_TEST

START_TEST(slow_start_goes_over)
{
    open_backend("aa", &(struct backend_conf){.slow_start = 100000, .failback = true});
    up(0);
    down(0);
    up(0);
    struct server_state state = at(0)->now;
    state.up_since -= 50000;
    backend_close(&backend);
    open_backend("aa", &(struct backend_conf){.slow_start = 100000, .failback = true});
    server_adopt(at(0), &state, 0);
    ck_assert_uint_ge(server_share(at(0)), 50);
    ck_assert_uint_lt(server_share(at(0)), SHARE_OF_ONE);
}
END_TEST

/* --- ejections --- */

static const struct backend_conf passive = {
    .max_fails = 2, .fail_window = 60000, .eject_time = 10000, .max_ejected = 50, .failback = true};

/* Later than the real time, so that no ejection ends by itself during the test. */
#define LATER (UINT64_C(1) << 40)

static void eject(size_t place)
{
    passive_note_failures(at(place), 1, LATER);
    passive_note_failures(at(place), 1, LATER + 1000);
}

START_TEST(failures_eject_for_a_time)
{
    open_backend("aaaa", &passive);
    passive_note_failures(at(0), 1, LATER);
    ck_assert_str_eq(serving(), "1111");
    ck_assert_uint_eq(changes, 0);
    passive_note_failures(at(0), 1, LATER + 1000);
    ck_assert_uint_eq(at(0)->now.ejection.until, LATER + 11000);
    ck_assert_uint_eq(changes, 1);
    weights_publish(&backend, LATER + 10999, true);
    ck_assert_str_eq(serving(), "0111");
    ck_assert_str_eq(server_check_name(at(0)), "up"); /* a state of its own */
    weights_publish(&backend, LATER + 11000, true);
    ck_assert_str_eq(serving(), "1111");
    ck_assert_uint_eq(changes, 2);
}
END_TEST

START_TEST(failures_before_it_came_up_do_not_count)
{
    open_backend("aa", &passive);
    passive_note_failures(at(0), 1, LATER);
    down(0);
    passive_note_failures(at(0), 5, LATER); /* of sessions that had begun before */
    ck_assert_str_eq(serving(), "01");
    up(0);
    passive_note_failures(at(0), 1, LATER);
    ck_assert_str_eq(serving(), "11");
    passive_note_failures(at(0), 1, LATER);
    ck_assert_str_eq(serving(), "01");
}
END_TEST

START_TEST(half_of_the_servers_at_most)
{
    open_backend("aaaa", &passive);
    eject(0);
    eject(1);
    eject(2);
    ck_assert_str_eq(serving(), "0011");
    server_set_admin(at(0), ADMIN_READY); /* an operator ends it */
    ck_assert_str_eq(serving(), "1011");
    eject(2);
    ck_assert_str_eq(serving(), "1001");
    server_set_admin(at(1), ADMIN_MAINT);
    server_set_admin(at(1), ADMIN_READY);
    ck_assert_str_eq(serving(), "1101");
}
END_TEST

START_TEST(the_last_one_is_never_ejected)
{
    open_backend("aa", &passive);
    down(1);
    eject(0);
    ck_assert_str_eq(serving(), "10");
    up(1);
    eject(0);
    ck_assert_str_eq(serving(), "01");
    down(1); /* nobody else is left: the ejected server serves */
    ck_assert_str_eq(serving(), "10");
    ck_assert(!ejection_holds(&at(0)->now.ejection));
    eject(0);
    ck_assert_str_eq(serving(), "10");
}
END_TEST

START_TEST(a_backup_takes_over_from_an_ejected_one)
{
    open_backend("ab", &passive);
    eject(0);
    ck_assert_str_eq(serving(), "01");
    weights_publish(&backend, at(0)->now.ejection.until, true);
    ck_assert_str_eq(serving(), "10");
}
END_TEST

START_TEST(ejections_go_over)
{
    open_backend("aa", &passive);
    eject(0);
    struct server_state state = at(0)->now;
    backend_close(&backend);
    open_backend("aa", &passive);
    server_adopt(at(0), &state, 0);
    ck_assert_str_eq(serving(), "01");
    ck_assert_uint_lt(at(0)->now.ejection.until,
                      state.ejection.until); /* not for longer than here */
    backend_close(&backend);
    open_backend("aa", &(struct backend_conf){.failback = true});
    server_adopt(at(0), &state, 0);
    ck_assert_str_eq(serving(), "11");
}
END_TEST

/* While the states come in one by one, the ejected server may be the only one that seems usable. */
START_TEST(an_ejection_goes_over_before_the_others_are_known)
{
    open_backend("aa", &passive);
    eject(0);
    struct server_state ejected = at(0)->now, is_down = at(1)->now;
    is_down.check = CHECK_DOWN;
    is_down.last_error = ECONNREFUSED;
    backend_close(&backend);
    open_backend("aa", &passive);
    server_adopt(at(1), &is_down, 0);
    server_adopt(at(0), &ejected, 0);
    ck_assert_str_eq(serving(), "00");
    ck_assert(ejection_holds(&at(0)->now.ejection));
    is_down.check = CHECK_UP;
    server_adopt(at(1), &is_down, 0);
    ck_assert_str_eq(serving(), "01");
    down(1);
    ck_assert_str_eq(serving(), "10");
}
END_TEST

START_TEST(what_an_agent_says_is_exact)
{
    open_backend("aa", &(struct backend_conf){.failback = true, .slow_start = 1000});
    at(0)->now.agent_percent = 75;
    at(1)->now.agent_percent = 50;
    weights_publish(&backend, 1000000, true);
    ck_assert_uint_eq(server_share(at(0)), 75);
    ck_assert_uint_eq(server_share(at(1)), 50);
    at(1)->now.up_since = 1000000 - 500;
    weights_publish(&backend, 1000000, true);
    ck_assert_uint_eq(server_share(at(1)), 25);
    at(1)->now.agent_percent = 1;
    at(1)->now.up_since = 1000000;
    weights_publish(&backend, 1000000, true);
    ck_assert_uint_eq(server_share(at(1)), 1);
    server_set_weight(at(0), 256);
    at(0)->now.agent_percent = 1000;
    weights_publish(&backend, 1000000, true);
    ck_assert_uint_eq(server_share(at(0)), 256 * SHARE_OF_ONE);
}
END_TEST

/* What a worker counts comes by a task. */
START_TEST(workers_count)
{
    struct task_queue queue;
    ck_assert_int_eq(task_queue_open(&queue), 0);
    reclaimer.owner = &queue;
    open_backend("aa", &passive);
    server_count_failure(at(0));
    server_count_failure(at(0));
    ck_assert_str_eq(serving(), "11");
    task_queue_run(&queue);
    ck_assert_str_eq(serving(), "01");
    ck_assert_uint_eq(at(0)->failures, 0);
    conf.max_fails = 0;
    server_count_failure(at(1));
    ck_assert_uint_eq(at(1)->failures, 0);
    task_queue_close(&queue);
    reclaimer.owner = NULL;
}
END_TEST

Suite *weights_suite(void)
{
    Suite *suite = suite_create("weights");
    TCase *tcase = tcase_create("weights");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_add_test(tcase, the_first_backup_that_lives);
    tcase_add_test(tcase, all_backups);
    tcase_add_test(tcase, without_failback_the_holder_serves_until_it_fails);
    tcase_add_test(tcase, without_failback_all_backups_hold);
    tcase_add_loop_test(tcase, the_holder_goes_over, 0, 3);
    tcase_add_test(tcase, slow_start_grows_in_steps);
    tcase_add_test(tcase, a_server_that_comes_up_starts_slowly);
    tcase_add_test(tcase, slow_start_goes_over);
    tcase_add_test(tcase, failures_eject_for_a_time);
    tcase_add_test(tcase, failures_before_it_came_up_do_not_count);
    tcase_add_test(tcase, half_of_the_servers_at_most);
    tcase_add_test(tcase, the_last_one_is_never_ejected);
    tcase_add_test(tcase, a_backup_takes_over_from_an_ejected_one);
    tcase_add_test(tcase, ejections_go_over);
    tcase_add_test(tcase, an_ejection_goes_over_before_the_others_are_known);
    tcase_add_test(tcase, what_an_agent_says_is_exact);
    tcase_add_test(tcase, workers_count);
    suite_add_tcase(suite, tcase);
    return suite;
}
