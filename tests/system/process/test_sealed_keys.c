/* Private keys that only root may read, and a proxy that is no longer root when it reloads. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tls_peer.h"

#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct scene scene;
static char folder[PATH_MAX]; /* of the proxy's user */
static unsigned expected;     /* descriptors of a program that has no more than it should */

/* The program checks a server that no process knows yet, before the reload is over, and then not
 * again. */
static void configure(const char *tls_keys)
{
    static unsigned servers;
    char spy[PATH_MAX];
    proxy_configure(&scene.proxy,
                    "user = nobody\nworkers = 1\nlog-level = debug\ntls-keys = %s\n"
                    "[listen main]\nbind = 127.0.0.1:%u tls=yes\ncertificate = a.pem\n"
                    "server = s%u 127.0.0.1:%u\ncheck = exec\ncheck-command = %s\n"
                    "check-interval = 1h\n",
                    tls_keys, scene.port, servers++, scene.server_port, test_path(spy, "spy"));
}

/* The key is root's; the certificate is for all. */
static void make_certificate(const char *names)
{
    char path[PATH_MAX];
    struct stat status;
    tls_certificate("a", names);
    ck_assert_int_eq(chmod(test_path(path, "a.pem"), 0644), 0);
    ck_assert_int_eq(chmod(test_path(path, "a.pem.key"), 0600), 0);
    ck_assert_int_eq(stat(path, &status), 0);
    ck_assert_uint_eq(status.st_uid, 0);
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

static struct visit visit_begin(const char *name)
{
    struct visit visit;
    tls_client(&visit.client, connect_to(&scene.front), "a.test", 3);
    tls_shake(&visit.client);
    ck_assert_msg(tls_shows(&visit.client, name), "the certificate is not for %s", name);
    visit.server = accept_from(scene.listener);
    tls_exchange(&visit.client, visit.server);
    return visit;
}

static void visit_end(struct visit *visit)
{
    tls_exchange(&visit->client, visit->server);
    tls_close(&visit->client);
    close(visit->server);
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

/* A command may just have been answered. */
static bool has_no_more(void *argument)
{
    (void)argument;
    return process_descriptors(scene.proxy.pid) <= descriptors;
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

Suite *sealed_keys_suite(void)
{
    Suite *suite = suite_create("sealed_keys");
    scenario_add(suite, a_reload_has_keys_that_it_may_not_read, 240);
    scenario_add(suite, without_copies_a_start_warns_and_a_reload_is_refused, 120);
    return suite;
}
