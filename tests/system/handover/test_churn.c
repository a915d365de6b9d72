/* Reloads under load: no connection may be lost. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { RELOADS = 50, CONNECTIONS = 200000, IN_FLIGHT = 200, RATE = 3000, CHECKS = 200 };

static const unsigned worker_counts[] = {1, 4, 2, 3};

struct scene {
    struct proxy proxy;
    struct origin *origin;
    uint16_t port;
};

/* How connections are accepted: keys of [global], and options that follow the bind's address. */
struct mode {
    const char *global, *bind;
};

static void configure_mode(const struct scene *scene, unsigned workers, const struct mode *mode,
                           const char *more_binds)
{
    proxy_configure(&scene->proxy,
                    "workers = %u\n%s[listen main]\nbind = 127.0.0.1:%u%s\n%s"
                    "server = a 127.0.0.1:%u\nserver = b 127.0.0.1:%u\n",
                    workers, mode->global, scene->port, mode->bind, more_binds,
                    origin_port(scene->origin), origin_port(scene->origin));
}

static void configure(const struct scene *scene, unsigned workers, const char *more_binds)
{
    configure_mode(scene, workers, &(struct mode){"", ""}, more_binds);
}

static void scene_start(struct scene *scene)
{
    scene->origin = origin_start(ORIGIN_ANSWER);
    scene->port = port_reserve(getuid());
    proxy_init(&scene->proxy, "proxy");
    configure(scene, 2, "");
    proxy_start(&scene->proxy);
}

static struct churn *load(const struct scene *scene, unsigned rate)
{
    return churn_start(&(struct churn_options){
        .target = endpoint_loopback(scene->port),
        .in_flight = rate > 0 ? 2000 : IN_FLIGHT,
        .rate = rate,
    });
}

static void scene_end(struct scene *scene, struct churn *churn, unsigned reloads, const char *what)
{
    churn_stop_clean(churn, what);
    printf("     %u reloads\n", reloads);
    proxy_wait_drained(&scene->proxy);
    proxy_stop(&scene->proxy);
}

static void reload_under_load(unsigned rate)
{
    struct scene scene;
    scene_start(&scene);
    struct churn *churn = load(&scene, rate);
    unsigned reloads = 0;
    churn_wait(churn, 1);
    while (reloads < scaled(RELOADS, 4) ||
           churn_ended(churn) < scaled(rate > 0 ? CONNECTIONS / 2 : CONNECTIONS, 4000)) {
        proxy_reload(&scene.proxy);
        reloads++;
    }
    scene_end(&scene, churn, reloads, rate > 0 ? "open loop" : "closed loop");
}

START_TEST(closed_loop)
{
    reload_under_load(0);
}
END_TEST

START_TEST(open_loop)
{
    reload_under_load(sanitized() ? RATE / 6 : RATE);
}
END_TEST

static void reload_by(struct scene *scene, unsigned how)
{
    switch (how % 3) {
    case 0:
        proxy_reload(&scene->proxy);
        break;
    case 1:
        proxy_reload_by_signal(&scene->proxy, SIGUSR2);
        break;
    default:
        proxy_reload_by_signal(&scene->proxy, SIGHUP);
        break;
    }
}

START_TEST(changing_workers)
{
    struct scene scene;
    scene_start(&scene);
    struct churn *churn = load(&scene, 0);
    unsigned reloads = 0;
    while (reloads < scaled(RELOADS, 5) || churn_ended(churn) < scaled(CONNECTIONS, 4000)) {
        configure(&scene, worker_counts[reloads % 4], "");
        proxy_reload(&scene.proxy);
        reloads++;
    }
    scene_end(&scene, churn, reloads, "workers 1, 4, 2, 3");
}
END_TEST

/* Uses the modes in turn. */
static void reload_through(const struct mode *modes, unsigned count, const char *what)
{
    struct scene scene;
    scene_start(&scene);
    configure_mode(&scene, 2, &modes[0], "");
    proxy_reload(&scene.proxy);
    struct churn *churn = load(&scene, 0);
    unsigned reloads = 0;
    while (reloads < scaled(RELOADS, 6) || churn_ended(churn) < scaled(CONNECTIONS / 2, 4000)) {
        configure_mode(&scene, worker_counts[reloads / count % 4], &modes[reloads % count], "");
        proxy_reload(&scene.proxy);
        reloads++;
    }
    scene_end(&scene, churn, reloads, what);
}

START_TEST(shared_listener)
{
    reload_through(&(struct mode){"", " accept=shared"}, 1, "accept=shared");
}
END_TEST

START_TEST(steered_by_cpu)
{
    reload_through(&(struct mode){"cpu-affinity = yes\n", " steer=cpu"}, 1, "steer=cpu");
}
END_TEST

START_TEST(changing_modes)
{
    static const struct mode modes[] = {{"", ""},
                                        {"", " accept=shared"},
                                        {"cpu-affinity = yes\n", " steer=cpu"},
                                        {"cpu-affinity = yes\ncongestion = reno\n", ""},
                                        {"", " steer=cpu"}};
    reload_through(modes, sizeof modes / sizeof modes[0], "the mode changes at each reload");
}
END_TEST

START_TEST(by_signal)
{
    struct scene scene;
    scene_start(&scene);
    struct churn *churn = load(&scene, 0);
    unsigned reloads = 0;
    while (reloads < scaled(RELOADS, 6) || churn_ended(churn) < scaled(CONNECTIONS, 4000)) {
        configure(&scene, worker_counts[reloads % 4], "");
        reload_by(&scene, reloads);
        reloads++;
    }
    scene_end(&scene, churn, reloads, "by command, SIGUSR2 and SIGHUP");
}
END_TEST

static bool file_is_gone(void *argument)
{
    return access(argument, F_OK) != 0;
}

/* A TCP and a Unix bind come with one reload and go with the next. Both are used meanwhile. The
 * bind that stays is not affected. */
START_TEST(binds_come_and_go)
{
    struct scene scene;
    scene_start(&scene);
    char path[PATH_MAX], binds[PATH_MAX + 64];
    uint16_t port = port_reserve(getuid());
    snprintf(binds, sizeof binds, "bind = 127.0.0.1:%u\nbind = unix:%s\n", port,
             test_path(path, "added.sock"));
    struct churn_options by_port = {.target = endpoint_loopback(port), .in_flight = 20};
    struct churn_options by_path = {.target = endpoint_unix(path), .in_flight = 20};
    struct churn *churn = load(&scene, 0);
    unsigned reloads = 0;
    while (reloads < scaled(RELOADS, 6) || churn_ended(churn) < scaled(CONNECTIONS, 4000)) {
        configure(&scene, worker_counts[reloads % 4], binds);
        reload_by(&scene, reloads);
        struct churn *added[] = {churn_start(&by_port), churn_start(&by_path)};
        churn_wait(added[0], 40);
        churn_wait(added[1], 40);
        if (reloads % 4 == 0) {
            /* The new binds live through a reload themselves. */
            proxy_reload(&scene.proxy);
            reloads++;
            churn_wait(added[0], churn_ended(added[0]) + 40);
            churn_wait(added[1], churn_ended(added[1]) + 40);
        }
        churn_stop_clean(added[0], NULL);
        churn_stop_clean(added[1], NULL);
        configure(&scene, worker_counts[(reloads + 1) % 4], "");
        reload_by(&scene, reloads + 1);
        wait_until(file_is_gone, path, "the path of the removed bind is removed");
        reloads += 2;
    }
    scene_end(&scene, churn, reloads, "binds added and removed");
}
END_TEST

START_TEST(unix_bind)
{
    struct scene scene;
    scene_start(&scene);
    char path[PATH_MAX], bind[PATH_MAX + 16];
    snprintf(bind, sizeof bind, "bind = unix:%s\n", test_path(path, "front.sock"));
    configure(&scene, 2, bind);
    proxy_reload(&scene.proxy);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_unix(path), .in_flight = IN_FLIGHT});
    unsigned reloads = 0;
    while (reloads < scaled(RELOADS, 4) || churn_ended(churn) < scaled(CONNECTIONS / 2, 4000)) {
        configure(&scene, worker_counts[reloads % 4], bind);
        proxy_reload(&scene.proxy);
        reloads++;
    }
    scene_end(&scene, churn, reloads, "Unix socket");
}
END_TEST

/* A check binds at most, and does not touch the running proxy's listeners. */
START_TEST(checks_beside_it)
{
    struct scene scene;
    scene_start(&scene);
    struct churn *churn = load(&scene, 0);
    unsigned checks = scaled(CHECKS, 10);
    for (unsigned i = 0; i < checks; i++) {
        struct outcome outcome;
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 0);
    }
    churn_wait(churn, scaled(CONNECTIONS / 20, 500));
    printf("     %u checks\n", checks);
    scene_end(&scene, churn, 0, "beside checks");
}
END_TEST

/* Another program of our user has joined the bind's group, so steering by index is not safe. The
 * old process passes its sockets. No client is lost, whichever process it reaches, and however many
 * workers of each process wait on a socket. */
START_TEST(another_program_in_the_group)
{
    static const struct mode modes[] = {
        {"", ""}, {"", " accept=shared"}, {"cpu-affinity = yes\n", " steer=cpu"}};
    struct scene scene;
    scene_start(&scene);
    struct endpoint where = endpoint_loopback(scene.port);
    int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    setsockopt(other, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    setsockopt(other, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    ck_assert_int_eq(bind(other, &where.any, where.length), 0);
    ck_assert_int_eq(listen(other, SOMAXCONN), 0);
    origin_start_on(ORIGIN_ANSWER, other);
    struct churn *churn = load(&scene, 0);
    unsigned reloads = 0;
    while (reloads < scaled(RELOADS, 6) || churn_ended(churn) < scaled(CONNECTIONS / 2, 4000)) {
        configure_mode(&scene, worker_counts[reloads % 4], &modes[reloads % 3], "");
        proxy_reload(&scene.proxy);
        reloads++;
    }
    wait_mentions_least(scene.proxy.log, "another program", reloads);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    ck_assert_msg(strstr(outcome.err, "another program") != NULL, "the answer does not tell: %s%s",
                  outcome.out, outcome.err);
    proxy_follow(&scene.proxy);
    reloads++;
    scene_end(&scene, churn, reloads, "another program in the group");
}
END_TEST

Suite *churn_suite(void)
{
    Suite *suite = suite_create("churn");
    scenario_add(suite, closed_loop, 1200);
    scenario_add(suite, open_loop, 1200);
    scenario_add(suite, changing_workers, 1200);
    scenario_add(suite, shared_listener, 1200);
    scenario_add(suite, steered_by_cpu, 1200);
    scenario_add(suite, changing_modes, 1200);
    scenario_add(suite, by_signal, 1200);
    scenario_add(suite, binds_come_and_go, 1200);
    scenario_add(suite, unix_bind, 1200);
    scenario_add(suite, checks_beside_it, 1200);
    scenario_add(suite, another_program_in_the_group, 1200);
    return suite;
}
