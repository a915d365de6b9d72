/* Tests the load clients: what they report when something is lost. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A faulty server: it treats every connection in one of these ways. */
enum fault { CUTS_SHORT, SENDS_WRONG_BYTES, SENDS_TOO_MUCH, RESETS, CLOSES_ITS_LISTENER };

struct bad_server {
    enum fault fault;
    int listener;
    uint16_t port;
    unsigned connections;
};

static void *serve_badly(void *argument)
{
    struct bad_server *server = argument;
    if (server->fault == CLOSES_ITS_LISTENER) {
        while (!readable_within(server->listener, 1000)) {
        }
        close(server->listener);
        return NULL;
    }
    for (unsigned i = 0; i < server->connections; i++) {
        int fd = accept4(server->listener, NULL, NULL, SOCK_CLOEXEC);
        struct request request;
        char answer[4096] = {0};
        if (fd < 0 || recv(fd, &request, sizeof request, MSG_WAITALL) != sizeof request) {
            abort();
        }
        request.length = request.length < 2000 ? request.length : 2000;
        pattern_fill(request.id, 0, answer, request.length);
        size_t length = request.length;
        if (server->fault == SENDS_WRONG_BYTES) {
            answer[length / 2] ^= 1;
        } else {
            length = server->fault == SENDS_TOO_MUCH ? length + 1 : length / 2;
        }
        send(fd, answer, length, MSG_NOSIGNAL);
        if (server->fault == RESETS) {
            send_reset(fd);
        } else {
            shutdown(fd, SHUT_WR);
            while (recv(fd, answer, sizeof answer, 0) > 0) {
            }
            close(fd);
        }
    }
    return NULL;
}

static void meet(enum fault fault, enum loss seen_as)
{
    enum { CONNECTIONS = 50 };
    struct bad_server server = {.fault = fault, .connections = CONNECTIONS};
    server.listener = listen_loopback(&server.port);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, serve_badly, &server), 0);
    struct churn *churn = churn_start(&(struct churn_options){
        .target = endpoint_loopback(server.port), .in_flight = CONNECTIONS, .rate = 50});
    churn_wait(churn, CONNECTIONS);
    struct churn_result result;
    if (fault != CLOSES_ITS_LISTENER) {
        close(server.listener);
    }
    churn_stop(churn, &result);
    pthread_join(thread, NULL);
    /* Answers of length 0 have nothing to cut. */
    ck_assert_msg(result.lost[seen_as] >= CONNECTIONS / 2, "%llu of %llu seen as kind %d",
                  (unsigned long long)result.lost[seen_as], (unsigned long long)result.started,
                  seen_as);
    ck_assert_uint_ge(result.told_count, LOSSES_TOLD);
}

START_TEST(losses_are_seen)
{
    meet(CUTS_SHORT, LOSS_CUT);
    meet(SENDS_WRONG_BYTES, LOSS_WRONG);
    meet(SENDS_TOO_MUCH, LOSS_WRONG);
    meet(RESETS, LOSS_RESET);
    meet(CLOSES_ITS_LISTENER, LOSS_REFUSED);
}
END_TEST

START_TEST(nothing_is_lost_without_a_proxy)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct churn_options options = {.target = endpoint_loopback(origin_port(origin)),
                                    .in_flight = 200};
    struct churn *churn = churn_start(&options);
    churn_wait(churn, scaled(20000, 2000));
    churn_stop_clean(churn, "straight to the origin");
}
END_TEST

/* The child speaks when its parent, sh, is gone. */
START_TEST(a_family_ends_with_its_last)
{
    struct outcome outcome;
    const char *argv[] = {
        "sh", "-c", "(while kill -0 $$ 2>/dev/null; do :; done; echo last; exit 4) & exit 3", NULL};
    program_run(&(struct program){.argv = argv, .family = true}, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 3);
    ck_assert_str_eq(outcome.out, "last\n");
    ck_assert_uint_eq(orphans_failed(), 0);
    const char *killed[] = {"sh", "-c", "kill -KILL $$", NULL};
    program_run(&(struct program){.argv = killed, .family = true}, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 128 + 9);
}
END_TEST

/* The stop kills the program, which is then a child of the test; proxy_stop() is content. */
START_TEST(a_program_of_a_check_may_be_killed_with_its_process)
{
    struct scene scene;
    char program[PATH_MAX], started[PATH_MAX], options[PATH_MAX + 64];
    write_file(test_path(program, "lasts"), 0755, "#!/bin/sh\n: >'%s'\nexec sleep 1000\n",
               test_path(started, "started"));
    snprintf(options, sizeof options, "check = exec\ncheck-timeout = 1h\ncheck-command = %s\n",
             program);
    scene_start(&scene, "", options);
    wait_file(started);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *harness_suite(void)
{
    Suite *suite = suite_create("harness");
    scenario_add(suite, losses_are_seen, 300);
    scenario_add(suite, nothing_is_lost_without_a_proxy, 300);
    scenario_add(suite, a_family_ends_with_its_last, 300);
    scenario_add(suite, a_program_of_a_check_may_be_killed_with_its_process, 120);
    return suite;
}
