/* Canary reloads: the new process first gets a share of the new connections. Then it gets the rest,
 * or the old process takes all of them back. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/streams.h"

#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { SESSIONS = 200, SOURCES = 32 };

/* --- figures decide ------------------------------------------------------------------------ */

/* The canary's only server refuses: the canary goes back by itself, long before its time is over.
 */
START_TEST(bad_canary)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    struct churn *churn;
    struct outcome outcome;
    start_under_load(&scene, origin, &churn);
    scene.server_port = port_reserve(getuid());
    scene_configure(&scene, "", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--canary", "10%:1h", NULL),
                     4);
    ck_assert_msg(strstr(outcome.err, "canary rolled back") != NULL &&
                      strstr(outcome.err, "; canary: ") != NULL &&
                      strstr(outcome.err, "; predecessor: ") != NULL,
                  "it says: %s", outcome.err);
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    struct churn_result result;
    churn_stop(churn, &result);
    churn_print(&result, "a canary whose server refuses");
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    struct status status;
    ck_assert(proxy_status(&scene.proxy, &status));
    uint64_t accepted = status.total.sessions - origin_accepted(origin);
    printf("     the canary had %llu sessions, %llu failed: %s", (unsigned long long)accepted,
           (unsigned long long)status.total.failed, outcome.err);
    ck_assert_uint_gt(accepted, 0);
    ck_assert_uint_le(churn_lost(&result), accepted);
    ck_assert_uint_eq(result.lost[LOSS_REFUSED] + result.lost[LOSS_WRONG], 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "(exit 4): canary rolled back: it fails more often") != NULL,
                  "status says: %s", outcome.out);
    wait_mentions(scene.proxy.log, "canary rolled back", 1);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    scene.server_port = origin_port(origin);
    scene_configure(&scene, "", "");
    next_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Retries on a second server save every session, but this canary must not be promoted. */
START_TEST(canary_saved_by_retries)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    struct churn *churn;
    struct outcome outcome;
    start_under_load(&scene, origin, &churn);
    char second[64];
    snprintf(second, sizeof second, "server = b 127.0.0.1:%u\n", port_reserve(getuid()));
    scene.server_port = origin_port(origin);
    scene_configure(&scene, "", second);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--canary", "10%:1h", NULL),
                     4);
    churn_stop_clean(churn, "a canary with one server of two that refuses");
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(good_canary)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    struct churn *churn;
    struct outcome outcome;
    start_under_load(&scene, origin, &churn);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--canary", "20%:2s", NULL),
                     0);
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    churn_stop_clean(churn, "a canary that is promoted");
    const char *figures = strstr(outcome.out, "; canary: ");
    unsigned its, ours, none[6];
    ck_assert_msg(figures != NULL &&
                      sscanf(figures,
                             "; canary: %u sessions, %u failed connects, %u failed, %u cut; "
                             "predecessor: %u sessions, %u failed connects, %u failed, %u cut",
                             &its, &none[0], &none[1], &none[2], &ours, &none[3], &none[4],
                             &none[5]) == 8,
                  "it says: %s", outcome.out);
    printf("     of %u sessions the canary had %u\n", its + ours, its);
    double all = its + ours, beside = its - 0.2 * all;
    ck_assert_double_gt(all, 0);
    /* Within six standard deviations: squared, they are 36 * 0.2 * 0.8 a session. */
    ck_assert_double_le(beside * beside, 5.76 * all);
    for (unsigned i = 0; i < 6; i++) {
        ck_assert_uint_eq(none[i], 0);
    }
    proxy_follow(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 2);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    proxy_wait_drained(&scene.proxy);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- the operator decides ------------------------------------------------------------------ */

/* Long sessions from before the canary, and on both sides of it. */
static struct streams *streams_on_both_sides(struct scene *scene, struct reload *reload,
                                             struct canary *canary)
{
    struct streams *streams = streams_create();
    unsigned half = scaled(SESSIONS, 40) / 2;
    scene_init(scene);
    scene->server_port = streams_port(streams);
    scene_configure(scene, "", "");
    proxy_start(&scene->proxy);
    streams_open(streams, &scene->front, half);
    *reload = reload_start(&scene->proxy, "50%:1h");
    *canary = canary_wait(&scene->proxy);
    ck_assert_double_eq(canary->percent, 50);
    ck_assert_int_eq(canary->by_source, 0);
    streams_open(streams, &scene->front, half);
    streams_wait_progress(streams, 1);
    ck_assert(canary_look(canary));
    ck_assert_uint_gt(canary->sessions, 0);
    ck_assert_uint_gt(canary->predecessors, 0);
    struct status status;
    ck_assert(proxy_status(&scene->proxy, &status));
    ck_assert_uint_eq(status.count, 2);
    ck_assert_uint_eq(status.sessions, 2 * half);
    ck_assert_str_eq(status.generations[0].state, "active");
    ck_assert_str_eq(status.generations[1].state, "canary");
    ck_assert_int_eq(status.generations[1].pid, canary->pid);
    ck_assert_int_eq(proxy_pidfile(&scene->proxy), scene->proxy.pid);
    return streams;
}

START_TEST(aborted)
{
    struct scene scene;
    struct reload reload;
    struct canary canary;
    struct outcome outcome;
    struct streams *streams = streams_on_both_sides(&scene, &reload, &canary);
    int code = proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL);
    ck_assert_msg(code == 0 && strncmp(outcome.out, "called off: ", 12) == 0, "exit %d: %s%s", code,
                  outcome.out, outcome.err);
    reload_ends(&reload, 4);
    expect_in_file(reload.err, "canary rolled back: it was called off; canary: ");
    expect_in_file(reload.err, "going back: pid ");
    wait_until(is_reaped, &canary.pid, "the canary is gone, and no zombie is left of it");
    struct status status;
    ck_assert(proxy_status(&scene.proxy, &status));
    ck_assert_uint_eq(status.count, 1);
    ck_assert_int_eq(status.pid, scene.proxy.pid);
    ck_assert_uint_eq(status.sessions, scaled(SESSIONS, 40) / 2 * 2);
    ck_assert_uint_eq(status.total.sessions, status.sessions);
    streams_wait_progress(streams, 2);
    next_reload(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 3);
    streams_wait_progress(streams, 2);
    streams_finish(streams);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(promoted)
{
    struct scene scene;
    struct reload reload;
    struct canary canary;
    struct outcome outcome;
    struct streams *streams = streams_on_both_sides(&scene, &reload, &canary);
    int code = proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL);
    ck_assert_msg(code == 0 && strncmp(outcome.out, "reloaded: ", 10) == 0, "exit %d: %s%s", code,
                  outcome.out, outcome.err);
    reload_ends(&reload, 0);
    expect_in_file(reload.out, "; canary: ");
    expect_in_file(reload.err, "promoted: pid ");
    pid_t old = scene.proxy.pid;
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(scene.proxy.pid, canary.pid);
    ck_assert_uint_eq(scene.proxy.generation, 2);
    wait_gone(old);
    streams_wait_progress(streams, 2);
    proxy_reload(&scene.proxy);
    streams_wait_progress(streams, 2);
    streams_finish(streams);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Canaries come and go back under load: nothing is lost, and the next reload finds the groups
 * unchanged. */
START_TEST(aborted_under_load)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    struct churn *churn;
    struct outcome outcome;
    start_under_load(&scene, origin, &churn);
    for (unsigned i = 0; i < scaled(8, 3); i++) {
        struct reload reload = reload_start(&scene.proxy, "50%:1h");
        struct canary canary = canary_wait(&scene.proxy);
        churn_wait(churn, churn_ended(churn) + CONNECTIONS / 2);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
        reload_ends(&reload, 4);
        wait_until(is_reaped, &canary.pid, "the canary is gone");
        scene.proxy.generation++;
        if (i % 2 == 1) {
            proxy_reload(&scene.proxy);
        }
    }
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "are passed to the successor"), 0);
    churn_stop_clean(churn, "canaries that are called off");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* With drain = wait the canary's sessions end in the canary. The process that launched the canary
 * reaps it, also while it does other things. */
START_TEST(drains_where_it_is)
{
    struct scene scene;
    struct outcome outcome;
    struct session sessions[SESSIONS_MAX];
    struct reload reload;
    struct canary first;
    unsigned count = start_with_canary(&scene, "drain = wait\n", &reload, &first, sessions);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    sessions_work(sessions, count);
    ck_assert(process_alive(first.pid));

    reload = reload_start(&scene.proxy, "50%:1h");
    struct canary second = canary_wait(&scene.proxy);
    ck_assert_int_ne(second.pid, first.pid);
    sessions_work(sessions, count);
    sessions_close(sessions, count);
    wait_until(is_reaped, &first.pid, "the first canary is gone, and no zombie is left of it");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 0);
    reload_ends(&reload, 0);
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(scene.proxy.pid, second.pid);
    ck_assert_uint_eq(scene.proxy.generation, 3);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A successor that is not ready yet is killed when its canary reload is aborted. */
START_TEST(aborted_before_it_is_ready)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    proxy_own_binary(&scene.proxy);
    scene_configure(&scene, "", "");
    proxy_start(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 1);
    ck_assert_msg(strstr(outcome.err, "there is no reload to call off") != NULL, "it says: %s",
                  outcome.err);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 1);
    ck_assert_msg(strstr(outcome.err, "there is no canary to promote") != NULL, "it says: %s",
                  outcome.err);

    unlink(scene.proxy.program);
    write_file(scene.proxy.program, 0755, "#!/bin/sh\nexec sleep 1000\n");
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    wait_mentioned(reload.err, "launched: pid");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 5);
    expect_in_file(reload.err, "called off");
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
}
END_TEST

/* --- by source ----------------------------------------------------------------------------- */

static int connect_from(const struct scene *scene, unsigned source)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    address.sin_addr.s_addr = htonl(0x7f000100u + source);
    ck_assert_int_eq(bind(client, (struct sockaddr *)&address, sizeof address), 0);
    ck_assert_int_eq(connect(client, &scene->front.any, scene->front.length), 0);
    return client;
}

START_TEST(by_source)
{
    enum { EACH = 3 };
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    struct reload reload = reload_start(&scene.proxy, "50%:1h:by-source");
    struct canary canary = canary_wait(&scene.proxy);
    ck_assert_double_eq(canary.percent, 50);
    ck_assert_int_eq(canary.by_source, 1);
    unsigned on_canary = 0;
    for (unsigned round = 0; round < 2; round++) {
        static bool side[SOURCES];
        for (unsigned source = 0; source < SOURCES; source++) {
            unsigned before = canary.sessions;
            for (unsigned i = 0; i < EACH; i++) {
                struct session session = {.client = connect_from(&scene, source)};
                session.server = accept_from(scene.listener);
                session_close(&session);
            }
            ck_assert(canary_look(&canary));
            unsigned its = canary.sessions - before;
            ck_assert_msg(its == 0 || its == EACH, "%u of %u", its, EACH);
            ck_assert(round == 0 || side[source] == (its > 0));
            side[source] = its > 0;
            on_canary += its > 0;
        }
    }
    printf("     of %u clients the canary had %u\n", SOURCES, on_canary / 2);
    ck_assert_uint_gt(on_canary, 0);
    ck_assert_uint_lt(on_canary, 2 * SOURCES);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *canary_suite(void)
{
    Suite *suite = suite_create("canary");
    scenario_add(suite, bad_canary, 300);
    scenario_add(suite, canary_saved_by_retries, 300);
    scenario_add(suite, good_canary, 300);
    scenario_add(suite, aborted, 300);
    scenario_add(suite, promoted, 300);
    scenario_add(suite, aborted_under_load, 600);
    scenario_add(suite, drains_where_it_is, 300);
    scenario_add(suite, aborted_before_it_is_ready, 300);
    scenario_add(suite, by_source, 300);
    return suite;
}
