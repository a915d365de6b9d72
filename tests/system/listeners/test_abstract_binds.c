/* Abstract Unix binds: nothing but the socket itself leads from one process to the next. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* A name that no other test has. */
static struct endpoint abstract_endpoint(const char *name)
{
    char text[64];
    struct endpoint where = {.un = {.sun_family = AF_UNIX}};
    int length = snprintf(text, sizeof text, "rpproxy-test-%d-%s", (int)getpid(), name);
    memcpy(where.un.sun_path + 1, text, (size_t)length);
    where.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + (size_t)length);
    return where;
}

/* scene->front becomes the abstract bind. extra: further lines. */
static void configure(struct scene *scene, const char *global, const char *extra)
{
    scene->front = abstract_endpoint("front");
    proxy_configure(&scene->proxy,
                    "workers = 2\n%s[listen main]\nbind = unix:@%s\nserver = a 127.0.0.1:%u\n%s",
                    global, scene->front.un.sun_path + 1, scene->server_port, extra);
}

static void configure_without(const struct scene *scene, const char *global)
{
    proxy_configure(&scene->proxy,
                    "workers = 2\n%s[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    global, scene->port, scene->server_port);
}

static void serves(const struct scene *scene)
{
    struct session session = session_open(scene);
    session_works(&session);
    session_close(&session);
}

static void is_refused(const struct endpoint *where)
{
    ck_assert_int_eq(try_connect(where), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
}

START_TEST(reloads_lose_no_client)
{
    struct scene scene;
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct outcome outcome;
    scene_init(&scene);
    scene.server_port = origin_port(origin);
    configure(&scene, "", "");
    proxy_start(&scene.proxy);
    struct churn *churn = churn_load(&scene.front, 20);
    for (unsigned i = 0; i < scaled(10, 3); i++) {
        proxy_reload(&scene.proxy);
        churn_wait(churn, churn_ended(churn) + 50);
    }
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_msg(strstr(outcome.out, " pass") != NULL, "%s", outcome.out);
    churn_stop_clean(churn, "reloads of an abstract bind");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
    is_refused(&scene.front);
}
END_TEST

/* Clients come while the bind is removed: each is served to its end, or refused. */
struct knocking {
    struct endpoint where;
    atomic_uint served, lost;
    atomic_bool refused;
};

static void *knock(void *argument)
{
    struct knocking *knocking = argument;
    for (;;) {
        char byte = 'x';
        int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(fd, &knocking->where.any, knocking->where.length) != 0) {
            atomic_store(&knocking->refused, true);
            close(fd);
            return NULL;
        }
        if (send(fd, &byte, 1, MSG_NOSIGNAL) == 1 && recv(fd, &byte, 1, 0) == 1) {
            atomic_fetch_add(&knocking->served, 1);
        } else {
            atomic_fetch_add(&knocking->lost, 1);
        }
        close(fd);
    }
}

static void end_under_load(bool by_reload)
{
    enum { THREADS = 4 };
    struct scene scene;
    struct origin *origin = origin_start(ORIGIN_ECHO);
    pthread_t threads[THREADS];
    scene_init(&scene);
    scene.server_port = origin_port(origin);
    configure(&scene, "", "");
    proxy_start(&scene.proxy);
    struct knocking knocking = {.where = scene.front};
    for (unsigned i = 0; i < THREADS; i++) {
        ck_assert_int_eq(pthread_create(&threads[i], NULL, knock, &knocking), 0);
    }
    while (atomic_load(&knocking.served) < 50) {
        ck_assert(!atomic_load(&knocking.refused));
    }
    if (by_reload) {
        configure_without(&scene, "");
        proxy_reload(&scene.proxy);
    } else {
        ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
    }
    for (unsigned i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("     %u clients served, %u lost\n", atomic_load(&knocking.served),
           atomic_load(&knocking.lost));
    ck_assert_uint_eq(atomic_load(&knocking.lost), 0);
    if (by_reload) {
        proxy_wait_drained(&scene.proxy);
        proxy_stop(&scene.proxy);
    }
}

START_TEST(a_removed_bind_serves_all_that_it_let_in)
{
    end_under_load(true);
}
END_TEST

START_TEST(a_stop_serves_all_that_it_let_in)
{
    end_under_load(false);
}
END_TEST

START_TEST(it_is_removed_and_comes_back)
{
    struct scene scene;
    scene_init(&scene);
    configure(&scene, "", "");
    configure_without(&scene, "");
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 2; i++) {
        is_refused(&scene.front);
        configure(&scene, "", "");
        proxy_reload(&scene.proxy);
        serves(&scene);
        configure_without(&scene, "");
        proxy_reload(&scene.proxy);
        proxy_wait_drained(&scene.proxy);
        is_refused(&scene.front);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* On probation the new process dies: the old one has the same socket, and its queue. */
START_TEST(the_old_process_serves_again)
{
    struct scene scene;
    scene_init(&scene);
    configure(&scene, "probation = 10m\n", "");
    proxy_start(&scene.proxy);
    struct proxy first = scene.proxy;
    proxy_reload(&scene.proxy);
    serves(&scene);
    process_stop(scene.proxy.pid);
    int client = connect_to(&scene.front);
    kill(scene.proxy.pid, SIGKILL);
    struct session session = {.client = client, .server = accept_from(scene.listener)};
    session_works(&session);
    session_close(&session);
    scene.proxy = first;
    wait_mentioned(scene.proxy.log, "generation 1 serves again");
    serves(&scene);
    /* What the new configuration has removed is there again. */
    configure_without(&scene, "probation = 10m\n");
    proxy_reload(&scene.proxy);
    kill(scene.proxy.pid, SIGKILL);
    scene.proxy = first;
    wait_mentions(scene.proxy.log, "generation 1 serves again", 2);
    serves(&scene);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* The old process dies, in its turn. */
START_TEST(the_new_process_serves_on)
{
    struct scene scene;
    scene_init(&scene);
    configure(&scene, "probation = 10m\n", "");
    proxy_start(&scene.proxy);
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    int client = connect_to(&scene.front);
    kill(first, SIGKILL);
    wait_gone(first);
    struct session session = {.client = client, .server = accept_from(scene.listener)};
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    configure(&scene, "", "");
    proxy_reload(&scene.proxy);
    serves(&scene);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

/* All clients of a Unix bind come to the old process until the canary is promoted; a new one is not
 * there before. */
START_TEST(a_canary_leaves_it_to_the_old_process)
{
    struct scene scene;
    scene_init(&scene);
    struct endpoint other = abstract_endpoint("other");
    char extra[256];
    configure(&scene, "", "bind = 127.0.0.1:1\n");
    snprintf(extra, sizeof extra, "bind = 127.0.0.1:%u\n", scene.port);
    configure(&scene, "", extra);
    proxy_start(&scene.proxy);
    snprintf(extra, sizeof extra, "bind = 127.0.0.1:%u\nbind = unix:@%s\n", scene.port,
             other.un.sun_path + 1);
    for (unsigned i = 0; i < 2; i++) {
        configure(&scene, "", extra);
        struct reload reload = reload_start(&scene.proxy, "50%:10m");
        struct canary canary = canary_wait(&scene.proxy);
        is_refused(&other);
        serves(&scene);
        const char *option = i == 0 ? "--abort" : "--promote";
        struct reload decision = decision_start(&scene.proxy, option);
        reload_ends(&decision, 0);
        reload_ends(&reload, i == 0 ? 4 : 0);
        (void)canary;
        proxy_follow(&scene.proxy);
        serves(&scene);
        if (i == 0) {
            is_refused(&other);
        }
    }
    struct session session = session_through(&other, scene.listener);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &(struct outcome){0}, "stop", NULL), 0);
}
END_TEST

START_TEST(another_program_has_the_name)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    configure(&scene, "", "");
    int stranger = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(stranger, &scene.front.any, scene.front.length), 0);
    run(&outcome, proxy_binary(), "-f", scene.proxy.file, NULL);
    ck_assert_int_eq(outcome.code, 3);
    ck_assert_msg(strstr(outcome.err, ": another program has that name") != NULL, "%s",
                  outcome.err);
    configure_without(&scene, "");
    proxy_start(&scene.proxy);
    configure(&scene, "", "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 3);
    close(stranger);
    proxy_reload(&scene.proxy);
    serves(&scene);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *abstract_binds_suite(void)
{
    Suite *suite = suite_create("abstract_binds");
    scenario_add(suite, reloads_lose_no_client, 60);
    scenario_add(suite, a_removed_bind_serves_all_that_it_let_in, 60);
    scenario_add(suite, a_stop_serves_all_that_it_let_in, 60);
    scenario_add(suite, it_is_removed_and_comes_back, 60);
    scenario_add(suite, the_old_process_serves_again, 60);
    scenario_add(suite, the_new_process_serves_on, 60);
    scenario_add(suite, a_canary_leaves_it_to_the_old_process, 60);
    scenario_add(suite, another_program_has_the_name, 60);
    return suite;
}
