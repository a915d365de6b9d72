/* When the proxy closes sessions that have not ended by themselves. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"

#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Two frontends, "quick" and "slow". Their server is the test. */
enum { QUICK, SLOW };

struct fronts {
    struct proxy proxy;
    struct endpoint at[2];
    int listener;
};

static void fronts_start(struct fronts *fronts, const char *global, const char *quick,
                         const char *slow)
{
    uint16_t ports[2], server;
    fronts->listener = listen_loopback(&server);
    for (unsigned i = 0; i < 2; i++) {
        ports[i] = port_reserve(getuid());
        fronts->at[i] = endpoint_loopback(ports[i]);
    }
    proxy_init(&fronts->proxy, "proxy");
    proxy_configure(&fronts->proxy,
                    "workers = 1\ndrain = wait\n%s[defaults]\naccess-log = yes\n"
                    "[frontend quick]\nbind = 127.0.0.1:%u\nbackend = app\n%s"
                    "[frontend slow]\nbind = 127.0.0.1:%u\nbackend = app\n%s"
                    "[backend app]\nserver = a 127.0.0.1:%u\n",
                    global, ports[QUICK], quick, ports[SLOW], slow, server);
    proxy_start(&fronts->proxy);
}

static struct session open_at(const struct fronts *fronts, unsigned front)
{
    return session_through(&fronts->at[front], fronts->listener);
}

/* The draining generation when it reports its deadline; NULL before. */
static json_t *draining(const struct fronts *fronts)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&fronts->proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL);
    json_t *oldest = json_array_get(json_object_get(status, "generations"), 0);
    json_t *found = json_object_get(oldest, "closes_in_ms") ? json_incref(oldest) : NULL;
    json_decref(status);
    return found;
}

static bool reports_its_deadline(void *argument)
{
    json_t *found = draining(argument);
    json_decref(found);
    return found != NULL;
}

START_TEST(each_frontend_its_own)
{
    struct fronts fronts;
    fronts_start(&fronts, "drain-timeout = 1s\n", "", "drain-timeout = 10h\n");
    struct session quick = open_at(&fronts, QUICK), slow = open_at(&fronts, SLOW);
    pid_t first = fronts.proxy.pid;
    proxy_reload(&fronts.proxy);
    session_is_cut(&quick);
    session_works(&slow);
    wait_until(reports_its_deadline, &fronts, "the draining generation reports its deadline");
    json_t *generation = draining(&fronts);
    json_int_t left = json_integer_value(json_object_get(generation, "closes_in_ms"));
    ck_assert_int_gt(left, 1000);
    ck_assert_int_le(left, 36000000);
    json_decref(generation);
    wait_mentions(fronts.proxy.log, "end=drain-timeout", 1);
    wait_mentions(fronts.proxy.log, "frontend quick: 1 session not ended in time: closing", 1);
    session_close(&slow);
    wait_gone(first);
    wait_mentions(fronts.proxy.log, "has drained 2 sessions: 0 handed off, 1 ended, 1 cut", 1);
    proxy_stop(&fronts.proxy);
}
END_TEST

/* A stop has other timeouts than a reload. The one must not shorten the other. */
START_TEST(a_stop_has_times_of_its_own)
{
    struct fronts fronts;
    fronts_start(&fronts, "drain-timeout = 1s\nstop-timeout = 10h\n", "stop-timeout = 1s\n", "");
    struct session quick = open_at(&fronts, QUICK), slow = open_at(&fronts, SLOW);
    pid_t stop = proxy_command_start(&fronts.proxy, NULL, "stop", NULL);
    session_is_cut(&quick);
    session_works(&slow);
    ck_assert(process_alive(stop));
    session_close(&slow);
    wait_gone(fronts.proxy.pid);
    int status = wait_gone(stop);
    ck_assert_int_eq(WEXITSTATUS(status), 9);
    wait_mentions(fronts.proxy.log, "end=stopped", 1);
}
END_TEST

/* A stop may bring the end of a drain nearer, but never postpones it. */
START_TEST(a_stop_during_a_drain)
{
    struct fronts fronts;
    fronts_start(&fronts, "drain-timeout = 2s\nstop-timeout = 10h\n", "",
                 "drain-timeout = 10h\nstop-timeout = 1s\n");
    struct session quick = open_at(&fronts, QUICK), slow = open_at(&fronts, SLOW);
    pid_t first = fronts.proxy.pid;
    proxy_reload(&fronts.proxy);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&fronts.proxy, &outcome, "stop", NULL), 9);
    /* Only one if the stop came so late that the drain-timeout of the other was over. */
    ck_assert_ptr_nonnull(strstr(outcome.err, "older processes closed "));
    session_is_cut(&quick);
    session_is_cut(&slow);
    wait_gone(first);
    wait_gone(fronts.proxy.pid);
}
END_TEST

enum { SESSIONS = 6, IDLE = 3, SPREAD_S = 6 };

/* Sessions are closed one after the other, the longest idle first. A session that is closed while
 * the test looks at an earlier one is a failure only before its time: the test may run late. */
START_TEST(spread)
{
    struct fronts fronts;
    struct session sessions[SESSIONS];
    fronts_start(&fronts, "drain-timeout = 6s\ndrain-spread = 6s\n", "", "");
    for (unsigned i = 0; i < SESSIONS; i++) {
        sessions[i] = open_at(&fronts, QUICK);
        session_works(&sessions[i]);
    }
    /* The idle sessions are not those that were opened first. */
    for (unsigned i = 0; i < SESSIONS - IDLE; i++) {
        session_works(&sessions[i]);
    }
    pid_t first = fronts.proxy.pid;
    int64_t start = now_ms();
    proxy_reload(&fronts.proxy);
    for (unsigned turn = 0; turn < SESSIONS; turn++) {
        session_is_cut(&sessions[(turn + IDLE) % SESSIONS]);
        for (unsigned later = turn + 1; later < SESSIONS; later++) {
            bool closed = readable_within(sessions[(later + IDLE) % SESSIONS].client, 0);
            bool is_due = now_ms() - start >= later * SPREAD_S * 1000 / SESSIONS;
            ck_assert_msg(!closed || is_due, "session %u of the order is closed too early", later);
            ck_assert_msg(!closed || turn > 0 || later < SESSIONS - 1,
                          "the first and the last session are closed at once");
        }
    }
    wait_gone(first);
    wait_mentions(fronts.proxy.log, "end=drain-timeout", SESSIONS);
    ck_assert_uint_ge(file_mentions(fronts.proxy.log, "not ended in time: closing within 6s"), 1);
    proxy_stop(&fronts.proxy);
}
END_TEST

/* No session is left when the timeout is over. */
START_TEST(spread_to_its_end)
{
    struct fronts fronts;
    struct session sessions[SESSIONS];
    fronts_start(&fronts, "drain-timeout = 3s\ndrain-spread = 1s\n", "", "");
    for (unsigned i = 0; i < SESSIONS; i++) {
        sessions[i] = open_at(&fronts, i % 2 ? QUICK : SLOW);
    }
    pid_t first = fronts.proxy.pid;
    proxy_reload(&fronts.proxy);
    for (unsigned i = 0; i < SESSIONS; i++) {
        session_is_cut(&sessions[i]);
    }
    wait_gone(first);
    wait_mentions(fronts.proxy.log, "has drained 6 sessions: 0 handed off, 0 ended, 6 cut", 1);
    proxy_stop(&fronts.proxy);
}
END_TEST

/* --- Redis --- */

struct waiting {
    const char *socket;
    unsigned clients;
};

static bool clients_wait(void *argument)
{
    const struct waiting *waiting = argument;
    struct outcome outcome;
    char field[32];
    run(&outcome, "redis-cli", "-s", waiting->socket, "info", "clients", NULL);
    snprintf(field, sizeof field, "blocked_clients:%u", waiting->clients);
    return strstr(outcome.out, field) != NULL;
}

static pid_t consumer_start(uint16_t port, const char *queue, const char *out)
{
    char text[8];
    snprintf(text, sizeof text, "%u", port);
    const char *argv[] = {"redis-cli", "-h", "127.0.0.1", "-p", text, "BLPOP", queue, "0", NULL};
    return program_start(&(struct program){.argv = argv, .out = out, .err = out});
}

/* Two consumers of a queue: one frontend gives its consumer time, the other does not. */
START_TEST(consumers_of_a_queue)
{
    if (!program_exists("redis-server") || !program_exists("redis-cli")) {
        skip_test("no redis-server or no redis-cli");
    }
    char socket[PATH_MAX], cut[PATH_MAX], served[PATH_MAX];
    test_path(cut, "cut.out");
    test_path(served, "served.out");
    pid_t server = redis_start(socket);
    uint16_t ports[2] = {port_reserve(getuid()), port_reserve(getuid())};
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(
        &proxy,
        "drain = wait\n[frontend quick]\nbind = 127.0.0.1:%u\nbackend = redis\ndrain-timeout = 1s\n"
        "[frontend slow]\nbind = 127.0.0.1:%u\nbackend = redis\n"
        "[backend redis]\nserver = a unix:%s\n",
        ports[QUICK], ports[SLOW], socket);
    proxy_start(&proxy);
    pid_t quick = consumer_start(ports[QUICK], "jobs", cut);
    pid_t slow = consumer_start(ports[SLOW], "other", served);
    wait_until(clients_wait, &(struct waiting){socket, 2}, "both consumers wait");
    proxy_reload(&proxy);
    wait_gone(quick);
    ck_assert_uint_eq(file_mentions(cut, "jobs"), 0);
    wait_until(clients_wait, &(struct waiting){socket, 1}, "Redis has let the one go");
    ck_assert(process_alive(slow));
    struct outcome outcome;
    run(&outcome, "redis-cli", "-s", socket, "RPUSH", "other", "work", NULL);
    ck_assert_int_eq(wait_gone(slow), 0);
    ck_assert_uint_eq(file_mentions(served, "work"), 1);
    proxy_wait_drained(&proxy);
    daemon_end(server, SIGTERM);
    proxy_stop(&proxy);
}
END_TEST

Suite *deadlines_suite(void)
{
    Suite *suite = suite_create("deadlines");
    scenario_add(suite, each_frontend_its_own, 300);
    scenario_add(suite, a_stop_has_times_of_its_own, 300);
    scenario_add(suite, a_stop_during_a_drain, 300);
    scenario_add(suite, spread, 300);
    scenario_add(suite, spread_to_its_end, 300);
    scenario_add(suite, consumers_of_a_queue, 300);
    return suite;
}
