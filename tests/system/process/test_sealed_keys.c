/* Private keys that only root may read, and a proxy that is no longer root when it reloads. */
#include "tests/system/scenarios.h"
#include "tests/system/support/authority.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tls_peer.h"

#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct scene scene;
static char folder[PATH_MAX]; /* of the proxy's user */
static unsigned expected;     /* descriptors of a program that has no more than it should */

/* The program checks a server that no process knows yet, before the reload is over, and then not
 * again. global, rest: further lines of [global] and of the frontend. */
static void configure_with(const char *tls_keys, const char *global, const char *rest)
{
    static unsigned servers;
    char spy[PATH_MAX];
    proxy_configure(&scene.proxy,
                    "user = nobody\nworkers = 1\nlog-level = debug\ntls-keys = %s\n%s"
                    "[listen main]\nbind = 127.0.0.1:%u tls=yes\ncertificate = a.pem\n%s"
                    "server = s%u 127.0.0.1:%u\ncheck = exec\ncheck-command = %s\n"
                    "check-interval = 1h\n",
                    tls_keys, global, scene.port, rest, servers++, scene.server_port,
                    test_path(spy, "spy"));
}

static void configure(const char *tls_keys)
{
    configure_with(tls_keys, "", "");
}

/* The key is root's; the certificate is for all. */
static void make_certificate_in(const char *name, const char *names)
{
    char path[PATH_MAX], file[32];
    struct stat status;
    tls_certificate(name, names);
    snprintf(file, sizeof file, "%s.pem", name);
    ck_assert_int_eq(chmod(test_path(path, file), 0644), 0);
    snprintf(file, sizeof file, "%s.pem.key", name);
    ck_assert_int_eq(chmod(test_path(path, file), 0600), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_uid, 0);
}

static void make_certificate(const char *names)
{
    make_certificate_in("a", names);
}

/* How many descriptors the program has that ran last. */
static unsigned spied(void)
{
    char path[PATH_MAX], text[16384];
    unsigned descriptors = 0;
    snprintf(path, sizeof path, "%.4000s/spied", folder);
    wait_mentioned(path, "that is all");
    read_file(path, text, sizeof text);
    for (const char *at = text; (at = strstr(at, "/fd/")); at++)
        descriptors++;
    ck_assert_int_eq(remove(path), 0);
    return descriptors;
}

#define ROOT_ONLY()                                                                                \
    do {                                                                                           \
        if (getuid() != 0) {                                                                       \
            skip_test("only root can become another user");                                        \
        }                                                                                          \
    } while (0)

static void begin(void)
{
    const struct passwd *nobody = getpwnam("nobody");
    struct outcome outcome;
    char path[PATH_MAX];
    ck_assert_ptr_nonnull(nobody);
    scene_init(&scene);
    scene.port = port_reserve(nobody->pw_uid);
    scene.front = endpoint_loopback(scene.port);
    proxy_own_binary(&scene.proxy);
    snprintf(folder, sizeof folder, "%s", scene.proxy.control);
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(chown(folder, nobody->pw_uid, (gid_t)-1), 0);
    /* Of the shell alone: what it would start could be killed with it, and be ours then. */
    write_file(test_path(path, "spy"), 0755,
               "#!/bin/sh\n[ -e '%s/spied' ] ||\n"
               "{ echo /proc/$$/fd/*; echo that is all; } >'%s/spied'\n",
               folder, folder);
    run(&outcome, path, NULL);
    expected = spied();
    make_certificate("DNS:a.test");
}

struct visit {
    struct tls_peer client;
    int server;
};

static struct visit visit_as(const char *sni, const char *name)
{
    struct visit visit;
    tls_client(&visit.client, connect_to(&scene.front), sni, 3);
    tls_shake(&visit.client);
    ck_assert_msg(tls_shows(&visit.client, name), "the certificate is not for %s", name);
    visit.server = accept_from(scene.listener);
    tls_exchange(&visit.client, visit.server);
    return visit;
}

static struct visit visit_begin(const char *name)
{
    return visit_as("a.test", name);
}

static void visit_end(struct visit *visit)
{
    tls_exchange(&visit->client, visit->server);
    tls_say_end(&visit->client); /* in order: no canary has cut a session */
    expect_eof(visit->server);
    close(visit->server);
    tls_expect_end(&visit->client);
    tls_close(&visit->client);
}

static void visit(const char *name)
{
    struct visit visit = visit_begin(name);
    visit_end(&visit);
}

static void is_refused(void)
{
    struct outcome outcome;
    struct visit lasting = visit_begin("a.test");
    configure("files");
    int code = proxy_command(&scene.proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 2, "exit %d: %s", code, outcome.err);
    ck_assert_msg(strstr(outcome.err, "a.pem.key: cannot be read: Permission denied"), "%s",
                  outcome.err);
    ck_assert_msg(strstr(outcome.err, "'tls-keys = sealed'"), "%s", outcome.err);
    visit_end(&lasting);
    visit("a.test");
}

static unsigned descriptors;

/* A command may just have been answered, and a worker may keep the socket of a server's session
 * that is over, or not. Keys that are left behind would be two descriptors: one for each reload. */
static bool has_no_more(void *argument)
{
    (void)argument;
    return process_descriptors(scene.proxy.pid) <= descriptors + 1;
}

START_TEST(a_reload_has_keys_that_it_may_not_read)
{
    ROOT_ONLY();
    begin();
    configure("sealed");
    proxy_start(&scene.proxy);
    ck_assert_uint_eq(spied(), expected);
    visit("a.test");
    for (unsigned i = 0; i < 3; i++) {
        struct visit lasting = visit_begin("a.test");
        proxy_reload(&scene.proxy);
        visit_end(&lasting);
        visit("a.test");
        proxy_wait_drained(&scene.proxy);
        if (i == 0)
            descriptors = process_descriptors(scene.proxy.pid);
    }
    wait_until(has_no_more, NULL, "no more descriptors than after the first reload");
    configure("sealed");
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(spied(), expected);
    wait_mentioned(scene.proxy.log, "tls-keys: a copy of ");
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "has changed since it was read"), 0);
    /* A new pair, of which the proxy may read one half. */
    make_certificate("DNS:new.test");
    proxy_reload(&scene.proxy);
    visit("a.test");
    wait_mentioned(scene.proxy.log, "a.pem.key has changed since it was read");
    is_refused();
    configure("sealed");
    proxy_reload(&scene.proxy);
    visit("a.test");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
    proxy_start(&scene.proxy);
    ck_assert_uint_eq(spied(), expected);
    visit("new.test");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(without_copies_a_start_warns_and_a_reload_is_refused)
{
    ROOT_ONLY();
    begin();
    configure("files");
    proxy_start(&scene.proxy);
    ck_assert_uint_eq(spied(), expected);
    wait_mentioned(scene.proxy.log, "a.pem.key: the user of the proxy cannot read it");
    is_refused();
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- reloads that do not go straight on ------------------------------------------------------ */

static void start_sealed(const char *global, const char *rest)
{
    begin();
    make_certificate_in("b", "DNS:b.test");
    configure_with("sealed", global, rest);
    proxy_start(&scene.proxy);
    ck_assert_uint_eq(spied(), expected);
    visit("a.test");
}

/* A canary with half of the connections, which has had one of them. */
static struct canary canary_begin(struct reload *reload)
{
    *reload = reload_start(&scene.proxy, "50%:1h");
    struct canary canary = canary_wait(&scene.proxy);
    do {
        visit("a.test");
        ck_assert(canary_look(&canary));
    } while (canary.sessions == 0 || canary.predecessors == 0);
    return canary;
}

/* The keys are in the process that serves now, and it leaves them to the next one. */
static void reloads_go_on(void)
{
    visit("a.test");
    for (unsigned i = 0; i < 2; i++) {
        proxy_reload(&scene.proxy);
        visit("a.test");
        proxy_wait_drained(&scene.proxy);
    }
}

START_TEST(a_canary_that_is_promoted_leaves_the_keys_to_the_next)
{
    ROOT_ONLY();
    struct reload reload;
    struct outcome outcome;
    start_sealed("", "");
    struct canary canary = canary_begin(&reload);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 0);
    reload_ends(&reload, 0);
    proxy_follow(&scene.proxy);
    ck_assert_int_eq(scene.proxy.pid, canary.pid);
    proxy_wait_drained(&scene.proxy);
    reloads_go_on();
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_canary_that_goes_back_takes_no_keys_away)
{
    ROOT_ONLY();
    struct reload reload;
    struct outcome outcome;
    start_sealed("", "");
    for (unsigned i = 0; i < 2; i++) {
        struct canary canary = canary_begin(&reload);
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
        reload_ends(&reload, 4);
        wait_until(is_reaped, &canary.pid, "the canary is gone");
        wait_until(is_active_again, &scene.proxy, "the old process serves alone");
        visit("a.test");
        scene.proxy.generation++;
    }
    reloads_go_on();
    proxy_stop(&scene.proxy);
}
END_TEST

/* The new process is killed in its probation: the old one serves again, and still has the keys. */
START_TEST(a_probation_that_fails_takes_no_keys_away)
{
    ROOT_ONLY();
    struct outcome outcome;
    start_sealed("probation = 10m\n", "");
    for (unsigned i = 0; i < 2; i++) {
        struct proxy first = scene.proxy;
        proxy_reload(&scene.proxy);
        visit("a.test");
        kill(scene.proxy.pid, SIGKILL);
        wait_gone(scene.proxy.pid);
        first.generation = scene.proxy.generation;
        scene.proxy = first;
        wait_until(is_active_again, &scene.proxy, "the old process serves again");
        visit("a.test");
    }
    configure("sealed");
    proxy_reload(&scene.proxy);
    reloads_go_on(); /* the first of them ends the probation */
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
    wait_gone(scene.proxy.pid);
}
END_TEST

/* Back to a configuration with a certificate that the present one does not name. */
START_TEST(a_rollback_has_the_keys_of_its_configuration)
{
    ROOT_ONLY();
    struct outcome outcome;
    char path[PATH_MAX], history[PATH_MAX + 16];
    snprintf(history, sizeof history, "history = %s\n", test_path(path, "proxy.run/history"));
    start_sealed(history, "certificate = b.pem\n");
    struct visit lasting = visit_as("b.test", "b.test");
    configure_with("sealed", history, "");
    proxy_reload(&scene.proxy);
    visit_end(&lasting);
    lasting = visit_as("b.test", "a.test");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "rollback", NULL), 0);
    visit_end(&lasting);
    proxy_follow(&scene.proxy);
    lasting = visit_as("b.test", "b.test");
    visit_end(&lasting);
    proxy_wait_drained(&scene.proxy);
    reloads_go_on();
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- other files ----------------------------------------------------------------------------- */

START_TEST(files_without_keys_have_no_copies)
{
    ROOT_ONLY();
    struct outcome outcome;
    char path[PATH_MAX];
    begin();
    authority_make("ca");
    ck_assert_int_eq(chmod(test_path(path, "ca.pem"), 0600), 0);
    configure_with("sealed", "", "client-ca = ca.pem\nclient-verify = optional\n");
    proxy_start(&scene.proxy);
    wait_mentioned(scene.proxy.log, "ca.pem: the user of the proxy cannot read it");
    wait_mentions(scene.proxy.log, "the user of the proxy cannot read it", 1);
    struct visit lasting = visit_begin("a.test");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "client-ca: 'ca.pem' cannot be read: Permission denied"),
                  "%s", outcome.err);
    ck_assert_ptr_null(strstr(outcome.err, "tls-keys"));
    visit_end(&lasting);
    visit("a.test");
    ck_assert_int_eq(chmod(path, 0644), 0);
    next_reload(&scene.proxy);
    visit("a.test");
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *sealed_keys_suite(void)
{
    Suite *suite = suite_create("sealed_keys");
    scenario_add(suite, a_reload_has_keys_that_it_may_not_read, 240);
    scenario_add(suite, without_copies_a_start_warns_and_a_reload_is_refused, 120);
    scenario_add(suite, a_canary_that_is_promoted_leaves_the_keys_to_the_next, 240);
    scenario_add(suite, a_canary_that_goes_back_takes_no_keys_away, 240);
    scenario_add(suite, a_probation_that_fails_takes_no_keys_away, 240);
    scenario_add(suite, a_rollback_has_the_keys_of_its_configuration, 240);
    scenario_add(suite, files_without_keys_have_no_copies, 120);
    return suite;
}
