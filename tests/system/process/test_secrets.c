/* What must not leave the process: private keys and the secrets of TLS sessions. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tls_peer.h"

#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static struct scene scene;

static void configure(const char *global, bool tls)
{
    proxy_configure(&scene.proxy,
                    "workers = 1\nlog-level = debug\n%s[listen main]\nbind = 127.0.0.1:%u%s\n"
                    "server = a 127.0.0.1:%u\naccess-log = yes\n",
                    global, scene.port, tls ? " tls=yes\ncertificate = a.pem" : "",
                    scene.server_port);
}

static void start(const char *global, bool tls)
{
    tls_certificate("a", "DNS:a.test");
    scene_init(&scene);
    configure(global, tls);
    proxy_start(&scene.proxy);
}

/* --- core dumps --- */

static rlim_t core_limit(void)
{
    struct rlimit limit;
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_CORE, NULL, &limit), 0);
    return limit.rlim_cur;
}

START_TEST(keys_are_in_no_core)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    if (limit.rlim_max < 4096 || sanitized()) /* which has a limit of its own */
        skip_test("core dumps are forbidden here");
    limit.rlim_cur = 4096; /* which the kernel would write */
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
    start("", false);
    ck_assert_uint_eq(core_limit(), limit.rlim_cur); /* nothing is taken from who has no keys */
    configure("", true);
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(core_limit(), 1);
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(core_limit(), 1);
    configure("core-dumps = yes\n", true);
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(core_limit(), limit.rlim_max);
    configure("core-dumps = no\n", false);
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(core_limit(), 1);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_crash_with_keys_dumps_nothing)
{
    struct rlimit limit;
    ck_assert_int_eq(getrlimit(RLIMIT_CORE, &limit), 0);
    if (sanitized())
        skip_test("a sanitizer takes the signal");
    limit.rlim_cur = limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_CORE, &limit), 0);
    start("", true);
    kill(scene.proxy.pid, SIGSEGV); /* whose default is a dump */
    int status = wait_gone(scene.proxy.pid);
    ck_assert(WIFSIGNALED(status) && !WCOREDUMP(status));
}
END_TEST

/* --- the key log --- */

/* Each line of one file is a line of the other; comments do not count. */
static unsigned lines_in_both(const char *ours, const char *theirs)
{
    static char text[65536];
    unsigned count = 0;
    read_file(theirs, text, sizeof text);
    char *rest;
    for (char *line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        if (*line == '#')
            continue;
        ck_assert_msg(file_mentions(ours, line) == 1, "not in the key log: %s", line);
        count++;
    }
    return count;
}

static void visit(const char *version, const char *keys)
{
    struct outcome outcome;
    char target[32], command[PATH_MAX + 256];
    snprintf(target, sizeof target, "127.0.0.1:%u", scene.port);
    snprintf(command, sizeof command,
             "openssl s_client -connect %s %s -servername a.test -keylogfile '%s' </dev/null",
             target, version, keys);
    run(&outcome, "sh", "-c", command, NULL);
    ck_assert_msg(strstr(outcome.out, "Cipher is"), "s_client: %s", outcome.err);
    close(accept_from(scene.listener));
}

START_TEST(the_key_log_is_an_option_that_warns)
{
    static const char *const environment[] = {NULL, NULL};
    const char *env[2];
    char variable[PATH_MAX + 16], unwanted[PATH_MAX], keys[PATH_MAX], ours[PATH_MAX],
        global[PATH_MAX + 32];
    struct outcome outcome;
    struct stat status;
    memcpy(env, environment, sizeof env);
    snprintf(variable, sizeof variable, "SSLKEYLOGFILE=%s", test_path(unwanted, "unwanted"));
    env[0] = variable;
    tls_certificate("a", "DNS:a.test");
    scene_init(&scene);
    scene.proxy.env = env;
    configure("", true);
    proxy_start(&scene.proxy);
    visit("-tls1_3", test_path(keys, "first.keys"));
    ck_assert_int_ne(access(unwanted, F_OK), 0);
    snprintf(global, sizeof global, "tls-key-log = %s\n", test_path(ours, "ours.keys"));
    configure(global, true);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 0);
    ck_assert_msg(strstr(outcome.err, "with this file anybody can read") ||
                      strstr(outcome.out, "with this file anybody can read"),
                  "%s%s", outcome.out, outcome.err);
    proxy_reload(&scene.proxy);
    wait_mentioned(scene.proxy.log, "tls-key-log: with this file anybody can read");
    visit("-tls1_3", test_path(keys, "second.keys"));
    ck_assert_uint_ge(lines_in_both(ours, keys), 5);
    visit("-tls1_2", test_path(keys, "third.keys"));
    ck_assert_uint_ge(lines_in_both(ours, keys), 1);
    ck_assert_int_eq(stat(ours, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    ck_assert_int_ne(access(unwanted, F_OK), 0);
    /* One that others may read is refused, and the process serves on. */
    ck_assert_int_eq(chmod(ours, 0644), 0);
    ck_assert_int_ne(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    ck_assert_msg(strstr(outcome.err, "others may read or write it"), "%s", outcome.err);
    visit("-tls1_3", test_path(keys, "fourth.keys"));
    ck_assert_uint_ge(lines_in_both(ours, keys), 5);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- logs, commands and files --- */

static void has_no_secret(const char *what, const char *text, const char *const *secrets)
{
    for (; *secrets; secrets++)
        ck_assert_msg(!strstr(text, *secrets), "%s has a secret", what);
}

/* All files of a folder, and of those in it. */
static void search(const char *folder, const char *const *secrets)
{
    static char text[1 << 20];
    DIR *entries = opendir(folder);
    ck_assert_ptr_nonnull(entries);
    for (const struct dirent *entry; (entry = readdir(entries));) {
        char path[PATH_MAX];
        struct stat status;
        snprintf(path, sizeof path, "%.2000s/%s", folder, entry->d_name);
        if (entry->d_name[0] == '.' || lstat(path, &status) || strstr(entry->d_name, ".keys") ||
            strstr(entry->d_name, ".pem"))
            continue;
        if (S_ISDIR(status.st_mode))
            search(path, secrets);
        else if (S_ISREG(status.st_mode) && read_file(path, text, sizeof text) > 0)
            has_no_secret(path, text, secrets);
    }
    closedir(entries);
}

/* The longest word of a line. */
static void take_secret(const char *path, unsigned line, char *secret, size_t size)
{
    static char text[65536];
    size_t longest = 0;
    read_file(path, text, sizeof text);
    char *at = text, *rest;
    for (; line > 0; line--)
        at = strchr(at, '\n') + 1;
    at[strcspn(at, "\n")] = '\0';
    for (char *word = strtok_r(at, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
        if (strlen(word) >= longest) {
            longest = strlen(word);
            snprintf(secret, size, "%s", word);
        }
    ck_assert_uint_ge(longest, 32);
}

START_TEST(no_secret_is_told)
{
    char key[PATH_MAX], keys[PATH_MAX], history[PATH_MAX], state[PATH_MAX], of_key[256],
        of_session[256], global[3 * PATH_MAX];
    static const char *const commands[] = {"config", "status", "sessions", "history"};
    struct outcome outcome;
    snprintf(global, sizeof global, "history = %s\nstate = %s\n", test_path(history, "history"),
             test_path(state, "state"));
    start(global, true);
    for (unsigned i = 0; i < 2; i++) {
        visit(i ? "-tls1_2" : "-tls1_3", test_path(keys, "session.keys"));
        proxy_reload(&scene.proxy);
    }
    take_secret(test_path(key, "a.pem.key"), 1, of_key, sizeof of_key);
    take_secret(keys, 1, of_session, sizeof of_session);
    const char *const secrets[] = {of_key, of_session, "PRIVATE KEY", NULL};
    for (unsigned i = 0; i < sizeof commands / sizeof *commands; i++) {
        (void)proxy_command(&scene.proxy, &outcome, commands[i], "--json", NULL);
        has_no_secret(commands[i], outcome.out, secrets);
        has_no_secret(commands[i], outcome.err, secrets);
    }
    /* A key that is broken is named, and not shown. */
    static char text[4096];
    size_t length = read_file(key, text, sizeof text);
    text[length / 2] = '!';
    write_file(key, 0600, "%s", text);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "a.pem.key"), "%s", outcome.err);
    has_no_secret("reload", outcome.err, secrets);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
    search(test_directory(), secrets);
}
END_TEST

Suite *secrets_suite(void)
{
    Suite *suite = suite_create("secrets");
    scenario_add(suite, keys_are_in_no_core, 120);
    scenario_add(suite, a_crash_with_keys_dumps_nothing, 60);
    scenario_add(suite, the_key_log_is_an_option_that_warns, 240);
    scenario_add(suite, no_secret_is_told, 240);
    return suite;
}
