/* /healthz and /ready, and the addresses of the HTTP server across reloads. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/http.h"
#include "tests/system/support/scene.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static uint16_t http_begin(struct scene *scene, const char *rest, struct endpoint *http)
{
    char global[256];
    uint16_t port = port_reserve(getuid());
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\n", port);
    scene_start(scene, global, rest);
    *http = endpoint_loopback(port);
    return port;
}

START_TEST(health_and_readiness)
{
    struct scene scene;
    struct endpoint http;
    struct response response;
    http_begin(&scene, "[backend spare]\nserver = b 127.0.0.1:1\ncheck = off\n", &http);
    http_expect(&http, "/healthz", 200, "ok");
    http_wait(&http, "/ready", 200, "ready");
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "server", "spare/b", "maint", NULL), 0);
    http_expect(&http, "/ready", 503, "backend spare has no usable server");
    http_expect(&http, "/healthz", 200, "ok");
    http_expect(&http, "/other", 404, "no such page");
    http_expect(&http, "/metrics", 200, "\nrpproxy_generation 1\n");
    http_ask(&http, "GET", "/metrics", "Accept: application/openmetrics-text\r\n", NULL, &response);
    ck_assert_ptr_nonnull(strstr(response.head, "Content-Type: application/openmetrics-text"));
    ck_assert_ptr_nonnull(strstr(response.body, "# EOF"));
    response_free(&response);
    http_ask(&http, "POST", "/ready", "", "x", &response);
    ck_assert_int_eq(response.status, 405);
    ck_assert_ptr_nonnull(strstr(response.head, "Allow: GET, HEAD"));
    response_free(&response);
    http_ask(&http, "HEAD", "/healthz", "", NULL, &response);
    ck_assert_int_eq(response.status, 200);
    ck_assert_ptr_nonnull(strstr(response.head, "Content-Length: 3\n"));
    response_free(&response);

    /* Only the backends that the option names count. */
    char global[256];
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u\nready-backends = main\n",
             ntohs(http.in.sin_port));
    scene_configure(&scene, global, "[backend spare]\nserver = b 127.0.0.1:1\ncheck = off\n");
    proxy_reload(&scene.proxy);
    http_expect(&http, "/ready", 200, "ready");

    /* A stop: the addresses are answered until the last session has ended. */
    struct session session = session_open(&scene);
    pid_t stop = proxy_command_start(&scene.proxy, NULL, "stop", NULL);
    http_wait(&http, "/ready", 503, "draining");
    http_expect(&http, "/healthz", 200, "ok");
    session_close(&session);
    wait_gone(stop);
    wait_gone(scene.proxy.pid);
    ck_assert_int_lt(try_connect(&http), 0);
}
END_TEST

/* A request that comes while the process is stopped is answered when it goes on. */
START_TEST(a_stopped_process_recovers)
{
    struct scene scene;
    struct endpoint http;
    http_begin(&scene, "", &http);
    int waiting = connect_to(&http);
    process_stop(scene.proxy.pid);
    static const char request[] = "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n";
    send_all(waiting, request, sizeof request - 1);
    kill(scene.proxy.pid, SIGCONT);
    struct response response;
    ck_assert(http_receive(waiting, false, &response));
    ck_assert_int_eq(response.status, 200);
    response_free(&response);
    close(waiting);
    proxy_stop(&scene.proxy);
}
END_TEST

static void crash_on_probation(struct scene *scene, struct scraper *scraper)
{
    const struct proxy before = scene->proxy;
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "reload", NULL), 0);
    proxy_follow(&scene->proxy);
    scraper_goes_on(scraper, 50);
    scraper_pause(scraper); /* what the process has accepted dies with it */
    kill(scene->proxy.pid, SIGKILL);
    scraper_resume(scraper); /* who comes now waits in the accept queue */
    scraper_goes_on(scraper, 50);
    scene->proxy = before;
    proxy_wait_serving(&scene->proxy);
    wait_mentioned(scene->proxy.log, "serves again");
}

static void roll_back_canary(struct scene *scene, struct scraper *scraper)
{
    struct reload reload = reload_start(&scene->proxy, "50%:1h");
    canary_wait(&scene->proxy);
    scraper_goes_on(scraper, 50);
    struct reload abort = decision_start(&scene->proxy, "--abort");
    reload_ends(&abort, 0);
    reload_ends(&reload, 4);
    wait_until(is_active_again, &scene->proxy, "the canary is gone");
}

/* Whoever scrapes never notices a reload: no connection is refused, none ends without an answer. */
START_TEST(scrapes_go_on_across_reloads)
{
    struct scene scene;
    struct endpoint http;
    char global[256];
    uint16_t port = http_begin(&scene, "", &http);
    struct scraper *scraper = scraper_start(&http, "/metrics");
    for (unsigned i = 0; i < scaled(20, 5); i++) {
        proxy_reload(&scene.proxy);
        scraper_goes_on(scraper, 20);
    }
    roll_back_canary(&scene, scraper);
    snprintf(global, sizeof global, "probation = 10m\nmetrics = 127.0.0.1:%u\n", port);
    scene_configure(&scene, global, "");
    next_reload(&scene.proxy);
    crash_on_probation(&scene, scraper);
    scene_configure(&scene, global + strlen("probation = 10m\n"), "");
    proxy_reload(&scene.proxy);
    scraper_goes_on(scraper, 20);
    printf("     %u scrapes\n", scraper_stop(scraper));
    proxy_stop(&scene.proxy);
}
END_TEST

/* The new process cannot have an address: the old one serves on, at all of its own. */
START_TEST(an_address_that_cannot_be_had)
{
    struct scene scene;
    struct endpoint http;
    struct outcome outcome;
    char global[256];
    uint16_t port = http_begin(&scene, "", &http), taken;
    int other = listen_loopback(&taken);
    snprintf(global, sizeof global, "metrics = 127.0.0.1:%u 127.0.0.1:%u\n", port, taken);
    scene_configure(&scene, global, "");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 3);
    ck_assert_msg(strstr(outcome.err, "metrics: cannot listen on 127.0.0.1:") != NULL, "%s",
                  outcome.err);
    http_expect(&http, "/ready", 200, "ready");
    close(other);
    proxy_reload(&scene.proxy);
    struct endpoint added = endpoint_loopback(taken);
    http_expect(&added, "/ready", 200, "ready");
    http_expect(&http, "/ready", 200, "ready");
    proxy_stop(&scene.proxy);
}
END_TEST

/* From one address of a port to all of them and back: no reload may need the port twice. */
START_TEST(from_an_address_to_the_wildcard)
{
    struct scene scene;
    struct endpoint http;
    char global[256];
    uint16_t port = http_begin(&scene, "", &http);
    struct scraper *scraper = scraper_start(&http, "/ready");
    for (unsigned i = 0; i < 4; i++) {
        snprintf(global, sizeof global, "metrics = %s:%u\n", i % 2 ? "127.0.0.1" : "0.0.0.0", port);
        scene_configure(&scene, global, "");
        proxy_reload(&scene.proxy);
        scraper_goes_on(scraper, 20);
        proxy_wait_drained(&scene.proxy);
    }
    scraper_stop(scraper);
    proxy_stop(&scene.proxy);
}
END_TEST

static bool is_missing(void *argument)
{
    return access(argument, F_OK) != 0;
}

/* A path stays the same file across reloads, comes anew when it was removed, and goes when it is
 * configured no more, or at the end. */
START_TEST(unix_paths)
{
    struct scene scene;
    char path[PATH_MAX], other[PATH_MAX], global[2 * PATH_MAX];
    struct stat first, second;
    test_path(path, "http.sock");
    test_path(other, "other.sock");
    snprintf(global, sizeof global, "metrics = unix:%s\n", path);
    scene_start(&scene, global, "");
    struct endpoint http = endpoint_unix(path);
    ck_assert_int_eq(stat(path, &first), 0);
    struct scraper *scraper = scraper_start(&http, "/ready");
    proxy_reload(&scene.proxy);
    scraper_goes_on(scraper, 20);
    ck_assert_int_eq(stat(path, &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
    scraper_stop(scraper);

    ck_assert_int_eq(unlink(path), 0);
    proxy_reload(&scene.proxy);
    http_expect(&http, "/ready", 200, "ready");

    snprintf(global, sizeof global, "metrics = unix:%s\n", other);
    scene_configure(&scene, global, "");
    proxy_reload(&scene.proxy);
    struct endpoint next = endpoint_unix(other);
    http_expect(&next, "/ready", 200, "ready");
    proxy_wait_drained(&scene.proxy);
    wait_until(is_missing, path, "the path that is configured no more is removed");
    proxy_stop(&scene.proxy);
    ck_assert_int_lt(stat(other, &first), 0);
}
END_TEST

Suite *health_suite(void)
{
    Suite *suite = suite_create("health");
    scenario_add(suite, health_and_readiness, 300);
    scenario_add(suite, a_stopped_process_recovers, 300);
    scenario_add(suite, scrapes_go_on_across_reloads, 300);
    scenario_add(suite, an_address_that_cannot_be_had, 300);
    scenario_add(suite, from_an_address_to_the_wildcard, 300);
    scenario_add(suite, unix_paths, 300);
    return suite;
}
