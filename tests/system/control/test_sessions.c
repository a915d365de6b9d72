/* rpproxy sessions and rpproxy kill, while several generations have sessions and sessions move. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MOVING = 40, RELOADS = 8 };

/* What `rpproxy sessions --json` prints, with at most two words more. The caller frees it. */
static json_t *sessions(const struct proxy *proxy, const char *first, const char *second)
{
    struct outcome outcome;
    json_error_t error;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "sessions", "--json", first, second, NULL), 0);
    ck_assert_str_eq(outcome.err, "");
    json_t *list = json_loads(outcome.out, 0, &error);
    ck_assert_msg(json_is_array(list), "%s: %s", error.text, outcome.out);
    return list;
}

static size_t count_of(const struct proxy *proxy, const char *first, const char *second)
{
    json_t *list = sessions(proxy, first, second);
    size_t count = json_array_size(list);
    json_decref(list);
    return count;
}

static const char *text_of(const json_t *list, size_t index, const char *member)
{
    const char *text = json_string_value(json_object_get(json_array_get(list, index), member));
    ck_assert_msg(text != NULL, "no %s in session %zu", member, index);
    return text;
}

static json_int_t number_of(const json_t *list, size_t index, const char *member)
{
    const json_t *value = json_object_get(json_array_get(list, index), member);
    ck_assert_msg(json_is_integer(value), "no %s in session %zu", member, index);
    return json_integer_value(value);
}

static unsigned generation_of_id(const char *id)
{
    unsigned generation, worker, number;
    ck_assert_int_eq(sscanf(id, "%u.%u.%u", &generation, &worker, &number), 3);
    return generation;
}

/* A session of each of three generations, none of which moves. */
START_TEST(all_generations_are_shown)
{
    struct scene scene;
    struct session live[3];
    char client[64];
    struct sockaddr_in address;
    socklen_t length = sizeof address;
    scene_start(&scene, "drain = wait\n", "");
    for (unsigned i = 0; i < 3; i++) {
        if (i > 0)
            proxy_reload(&scene.proxy);
        live[i] = session_open(&scene);
        session_works(&live[i]);
    }
    json_t *list = sessions(&scene.proxy, NULL, NULL);
    ck_assert_uint_eq(json_array_size(list), 3);
    for (unsigned i = 0; i < 3; i++) {
        ck_assert_uint_eq(generation_of_id(text_of(list, i, "id")), i + 1);
        ck_assert_int_eq(number_of(list, i, "generation"), (int)i + 1);
        ck_assert_str_eq(text_of(list, i, "frontend"), "main");
        ck_assert_str_eq(text_of(list, i, "backend"), "main");
        ck_assert_str_eq(text_of(list, i, "server"), "a");
        ck_assert_str_eq(text_of(list, i, "state"), "established");
        ck_assert_int_eq(number_of(list, i, "bytes_in"), 6);
        ck_assert_int_eq(number_of(list, i, "bytes_out"), 6);
        ck_assert_int_le(number_of(list, i, "idle_ms"), number_of(list, i, "age_ms"));
        ck_assert_int_eq(getsockname(live[i].client, (struct sockaddr *)&address, &length), 0);
        snprintf(client, sizeof client, "127.0.0.1:%u", ntohs(address.sin_port));
        ck_assert_str_eq(text_of(list, i, "client"), client);
    }
    json_decref(list);
    list = sessions(&scene.proxy, "--limit=2", NULL);
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_uint_eq(generation_of_id(text_of(list, 1, "id")), 2);
    json_decref(list);
    ck_assert_uint_eq(count_of(&scene.proxy, "server=main/a", "source=127.0.0.0/8"), 3);
    ck_assert_uint_eq(count_of(&scene.proxy, "frontend=main", "bytes=13"), 0);
    ck_assert_uint_eq(count_of(&scene.proxy, "backend=main", "age=1h"), 0);
    ck_assert_uint_eq(count_of(&scene.proxy, "state=established", "idle=0s"), 3);
    ck_assert_uint_eq(count_of(&scene.proxy, "frontend=other", NULL), 0);

    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", "server=main/a", NULL), 0);
    ck_assert_str_eq(outcome.out, "killed: 3 sessions\n");
    for (unsigned i = 0; i < 3; i++)
        session_is_cut(&live[i]);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"sessions_killed\": 3"));
    proxy_stop(&scene.proxy);
}
END_TEST

/* While the old process stands by, and may take everything back. */
START_TEST(a_process_that_stands_by_is_asked)
{
    struct scene scene;
    scene_start(&scene, "probation = 10m\n", "");
    struct session before = session_open(&scene);
    session_works(&before);
    proxy_reload(&scene.proxy);
    struct session after = session_open(&scene);
    session_works(&after);
    json_t *list = sessions(&scene.proxy, NULL, NULL);
    ck_assert_uint_eq(json_array_size(list), 2);
    ck_assert_int_eq(number_of(list, 0, "generation"), 1);
    ck_assert_int_eq(number_of(list, 1, "generation"), 2);
    json_decref(list);
    session_works(&before);
    session_close(&before);
    session_close(&after);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_canary_is_asked)
{
    struct scene scene;
    struct session live[SESSIONS_MAX];
    struct reload reload;
    struct canary canary;
    unsigned count = start_with_canary(&scene, "", &reload, &canary, live), canaries = 0;
    json_t *list = sessions(&scene.proxy, NULL, NULL);
    ck_assert_uint_eq(json_array_size(list), count);
    for (size_t i = 0; i < count; i++)
        canaries += number_of(list, i, "pid") == canary.pid;
    json_decref(list);
    ck_assert_uint_gt(canaries, 0);
    ck_assert_uint_lt(canaries, count);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    ck_assert_uint_eq(count_of(&scene.proxy, NULL, NULL), count);
    sessions_close(live, count);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The name of a session is the same in each process, and in the log. */
START_TEST(an_id_outlives_the_move)
{
    struct scene scene;
    struct outcome outcome;
    char id[64], line[128];
    scene_start(&scene, "", "access-log = yes\n");
    struct session session = session_open(&scene), other = session_open(&scene);
    session_works(&session);
    json_t *list = sessions(&scene.proxy, NULL, NULL);
    ck_assert_uint_eq(json_array_size(list), 2);
    snprintf(id, sizeof id, "%s", text_of(list, 0, "id"));
    json_decref(list);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    list = sessions(&scene.proxy, id, NULL);
    ck_assert_uint_eq(json_array_size(list), 1);
    ck_assert_str_eq(text_of(list, 0, "id"), id);
    ck_assert_int_eq(number_of(list, 0, "generation"), 2);
    json_decref(list);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", id, NULL), 0);
    ck_assert_str_eq(outcome.out, "killed: 1 session\n");
    session_is_cut(&session);
    snprintf(line, sizeof line, "session %s ", id);
    wait_mentioned(scene.proxy.log, line);
    wait_mentions(scene.proxy.log, "end=killed", 1);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", id, NULL), 1);
    ck_assert_ptr_nonnull(strstr(outcome.err, "no such session"));
    session_works(&other);
    session_close(&other);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Sessions move from process to process, and others come and go: in each answer each session that
 * lasts is there, and once. */
START_TEST(no_session_is_missed_while_they_move)
{
    struct scene scene;
    struct session lasting[MOVING];
    char ids[MOVING][64];
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    scene_init(&scene);
    uint16_t busy = port_reserve(getuid());
    proxy_configure(&scene.proxy,
                    "workers = 3\n[listen busy]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    busy, origin_port(origin), scene.port, scene.server_port);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < MOVING; i++)
        lasting[i] = session_open(&scene);
    json_t *list = sessions(&scene.proxy, "frontend=main", NULL);
    ck_assert_uint_eq(json_array_size(list), MOVING);
    for (unsigned i = 0; i < MOVING; i++)
        snprintf(ids[i], sizeof ids[i], "%s", text_of(list, i, "id"));
    json_decref(list);
    const struct endpoint target = endpoint_loopback(busy);
    struct churn *churn = churn_load(&target, 30);
    for (unsigned i = scaled(RELOADS, 3); i > 0; i--) {
        pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", "--wait=drained", NULL);
        do {
            list = sessions(&scene.proxy, "frontend=main", NULL);
            ck_assert_uint_eq(json_array_size(list), MOVING);
            for (unsigned j = 0; j < MOVING; j++)
                ck_assert_str_eq(text_of(list, j, "id"), ids[j]);
            json_decref(list);
        } while (process_alive(reload));
        ck_assert_int_eq(wait_gone(reload), 0);
    }
    proxy_follow(&scene.proxy);
    for (unsigned i = 0; i < MOVING; i++)
        session_works(&lasting[i]);

    /* A kill finds them wherever they are at that moment. */
    struct outcome outcome;
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", "--wait=drained", NULL);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", "frontend=main", NULL), 0);
    ck_assert_int_eq(wait_gone(reload), 0);
    for (unsigned i = 0; i < MOVING; i++)
        session_is_cut(&lasting[i]);
    churn_stop_clean(churn, "beside lists of sessions");
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(wrong_words_end_with_1)
{
    static const char *const wrong[] = {"user=me", "idle=5", "source=here", "server=a", "1.2"};
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "sessions", wrong[i], NULL), 1);
        ck_assert_ptr_nonnull(strstr(outcome.err, wrong[i]));
        ck_assert_str_eq(outcome.out, "");
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", wrong[i], NULL), 1);
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", NULL), 1);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", "1.0.99999", NULL), 1);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "kill", "frontend=none", NULL), 0);
    ck_assert_str_eq(outcome.out, "killed: 0 sessions\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "sessions", "--limit=0", NULL), 1);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *sessions_suite(void)
{
    Suite *suite = suite_create("sessions");
    scenario_add(suite, all_generations_are_shown, 60);
    scenario_add(suite, a_process_that_stands_by_is_asked, 60);
    scenario_add(suite, a_canary_is_asked, 60);
    scenario_add(suite, an_id_outlives_the_move, 60);
    scenario_add(suite, no_session_is_missed_while_they_move, 120);
    scenario_add(suite, wrong_words_end_with_1, 60);
    return suite;
}
