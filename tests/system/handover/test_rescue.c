/* Clients that a process had not accepted yet when it died in a reload. They are in the queues of
 * its listeners, and the other process serves them. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/tun.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { QUEUED = 100 };

/* Starts the scene with a second bind, a Unix socket. */
static void start(struct scene *scene, const char *global, struct endpoint *by_path)
{
    char path[PATH_MAX], bind[PATH_MAX + 16];
    snprintf(bind, sizeof bind, "bind = unix:%s\n", test_path(path, "front.sock"));
    scene_start(scene, global, bind);
    *by_path = endpoint_unix(path);
}

/* Each client has sent its number; the numbers begin at `first`. */
static void connect_all(const struct endpoint *front, unsigned first, int clients[static QUEUED])
{
    for (unsigned i = 0; i < QUEUED; i++) {
        unsigned char number = (unsigned char)(first + i);
        clients[i] = connect_to(front);
        send_all(clients[i], &number, 1);
    }
}

/* The server gets all clients, in any order, and answers each with its number. */
static void all_are_served(const struct scene *scene, int clients[static 2 * QUEUED])
{
    unsigned char number;
    for (unsigned i = 0; i < 2 * QUEUED; i++) {
        int server = accept_from(scene->listener);
        receive_exactly(server, &number, 1);
        send_all(server, &number, 1);
        receive_exactly(clients[number], &number, 1);
        close(clients[number]);
        close(server);
    }
}

/* Clients connect while the process accepts none of them and will never do it. All are served. */
static void kill_with_queues(const struct scene *scene, const struct endpoint *by_path, pid_t pid)
{
    int clients[2 * QUEUED];
    process_stop(pid);
    connect_all(&scene->front, 0, clients);
    connect_all(by_path, QUEUED, clients + QUEUED);
    kill(pid, SIGKILL);
    all_are_served(scene, clients);
}

/* The next reload finds only our sockets in the groups: no listener was left open. */
static void next_reload_steers(struct scene *scene)
{
    ck_assert_int_eq(proxy_command(&scene->proxy, &(struct outcome){0}, "reload", NULL), 0);
    proxy_follow(&scene->proxy);
    ck_assert_uint_eq(file_mentions(scene->proxy.log, "are passed to the successor"), 0);
    struct session session = session_open(scene);
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(proxy_command(&scene->proxy, &(struct outcome){0}, "stop", NULL), 0);
}

static void serves_again(struct scene *scene, pid_t successor)
{
    proxy_wait_serving(&scene->proxy);
    (void)wait_gone(successor);
    next_reload_steers(scene);
}

START_TEST(in_the_queues_of_a_crash)
{
    struct scene scene;
    struct endpoint by_path;
    start(&scene, "probation = 10m\n", &by_path);
    struct proxy first = scene.proxy;
    proxy_reload(&scene.proxy);
    pid_t successor = scene.proxy.pid;
    kill_with_queues(&scene, &by_path, successor);
    scene.proxy = first;
    char text[64];
    wait_mentioned(scene.proxy.log, "clients that the lost process had not accepted");
    /* The clients of the Unix bind are in a queue that both processes have. If it takes 3 s until
     * all have connected, the old process kills the new one before, since that one hangs. */
    snprintf(text, sizeof text, "%d clients that the lost process had not accepted", QUEUED);
    if (file_mentions(scene.proxy.log, ": it hangs, and is killed") == 0) {
        wait_mentioned(scene.proxy.log, text);
    }
    wait_mentioned(scene.proxy.log, "generation 1 serves again");
    serves_again(&scene, successor);
}
END_TEST

/* About half of the TCP clients are steered to the canary. */
START_TEST(in_the_queues_of_a_canary)
{
    struct scene scene;
    struct endpoint by_path;
    start(&scene, "", &by_path);
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    struct canary canary = canary_wait(&scene.proxy);
    kill_with_queues(&scene, &by_path, canary.pid);
    reload_ends(&reload, 5);
    wait_mentioned(scene.proxy.log, "that the lost process had not accepted");
    serves_again(&scene, canary.pid);
}
END_TEST

/* The canary serves alone, including clients that the old process had not accepted. */
START_TEST(in_the_queues_of_a_predecessor)
{
    struct scene scene;
    struct endpoint by_path;
    start(&scene, "", &by_path);
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    struct canary canary = canary_wait(&scene.proxy);
    pid_t first = scene.proxy.pid;
    kill_with_queues(&scene, &by_path, first);
    wait_mentioned(scene.proxy.log, "that the lost process had not accepted");
    reload_ends(&reload, 0);
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(scene.proxy.pid, canary.pid);
    next_reload_steers(&scene);
}
END_TEST

/* The new process prepares: it waits for the first check of a server that never answers, and has
 * the result of another one. */
START_TEST(in_the_queues_of_a_process_being_replaced)
{
    struct scene scene;
    struct endpoint by_path;
    char path[PATH_MAX], rest[PATH_MAX + 256];
    uint16_t checked_port, full = listen_full();
    int checked = listen_loopback(&checked_port);
    start(&scene, "", &by_path);
    snprintf(rest, sizeof rest,
             "bind = unix:%s\n"
             "[backend slow]\ncheck = tcp\ncheck-interval = 1h\ncheck-timeout = 1h\n"
             "server = never 127.0.0.1:%u\nserver = at-once 127.0.0.1:%u\n",
             test_path(path, "front.sock"), full, checked_port);
    scene_configure(&scene, "ready-timeout = 1h\n", rest);
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", NULL);
    close(accept_from(checked));
    kill_with_queues(&scene, &by_path, scene.proxy.pid);
    wait_mentioned(scene.proxy.log, "that the lost process had not accepted");
    ck_assert_int_eq(wait_gone(reload), 0);
    proxy_follow(&scene.proxy);
    ck_assert_uint_eq(scene.proxy.generation, 2);
    scene_configure(&scene, "", "");
    next_reload_steers(&scene);
}
END_TEST

/* The rescue waits for handshakes that do not arrive. The crash is reported as usual. */
START_TEST(while_handshakes_are_half_open)
{
    enum { HELD = 10 };
    const char *why = "no network namespace may be made here";
    struct tun *tun = network_own() ? tun_open(&why) : NULL;
    if (tun == NULL) {
        skip_test("%s", why);
    }
    struct scene scene;
    struct tun_result result;
    char held[128];
    uint16_t port = port_reserve(getuid());
    scene_init(&scene);
    snprintf(held, sizeof held,
             "[listen held]\nbind = " TUN_SERVER ":%u\nserver = a 127.0.0.1:%u\n", port,
             scene.server_port);
    scene_configure(&scene, "probation = 10m\n", held);
    proxy_start(&scene.proxy);
    struct proxy first = scene.proxy;
    proxy_reload(&scene.proxy);
    tun_clients_start(
        tun,
        &(struct tun_options){
            .port = port, .in_flight = HELD, .total = HELD, .hold = true, .give_up_in_ms = 60000});
    tun_clients_wait_answered(tun, HELD);
    pid_t successor = scene.proxy.pid;
    kill(successor, SIGKILL);
    scene.proxy = first;
    wait_mentioned(scene.proxy.log, "generation 1 serves again");
    wait_mentions(scene.proxy.log, "was killed by signal 9 on probation", 1);
    tun_clients_stop(tun, &result);
    serves_again(&scene, successor);
}
END_TEST

Suite *rescue_suite(void)
{
    Suite *suite = suite_create("rescue");
    scenario_add(suite, in_the_queues_of_a_crash, 300);
    scenario_add(suite, in_the_queues_of_a_canary, 300);
    scenario_add(suite, in_the_queues_of_a_predecessor, 300);
    scenario_add(suite, in_the_queues_of_a_process_being_replaced, 300);
    scenario_add(suite, while_handshakes_are_half_open, 300);
    return suite;
}
