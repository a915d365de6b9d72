/* Paths by which others find the proxy: paths that cannot be used, that change their owner, or that
 * are taken back. And orders that are aborted or refused. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/harness.h"

#include <dirent.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

/* A scene with a Unix bind "w" as well; attributes: " mode=0660", or "". */
static const char *configure(struct scene *scene, char path[static PATH_MAX], const char *global,
                             const char *attributes)
{
    char line[PATH_MAX + 128];
    snprintf(line, sizeof line, "bind = unix:%s%s\n", test_path(path, "w"), attributes);
    scene_configure(scene, global, line);
    return path;
}

static struct session through_path(const struct scene *scene, const char *path)
{
    const struct endpoint front = endpoint_unix(path);
    return session_through(&front, scene->listener);
}

static void serves_at(const struct scene *scene, const char *path)
{
    const struct session session = through_path(scene, path);
    session_works(&session);
    session_close(&session);
}

static mode_t mode_of(const char *path)
{
    struct stat status;
    ck_assert_int_eq(lstat(path, &status), 0);
    return status.st_mode & 0777;
}

/* --- starts -------------------------------------------------------------------------------- */

static void expect_no_start(const struct scene *scene, int code, const char *why)
{
    struct outcome outcome;
    run(&outcome, scene->proxy.program, "-f", scene->proxy.file, NULL);
    ck_assert_int_eq(outcome.code, code);
    ck_assert_msg(strstr(outcome.err, why) != NULL, "%s", outcome.err);
    ck_assert_msg(strstr(outcome.err, "serving") == NULL, "%s", outcome.err);
}

START_TEST(what_cannot_be_replaced_is_an_error_of_the_start)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, path, "", "");
    ck_assert_int_eq(mkdir(path, 0700), 0);
    expect_no_start(&scene, 3, "not a socket");
    ck_assert_int_eq(rmdir(path), 0);

    ck_assert_int_eq(mkdir(scene.proxy.pidfile, 0700), 0);
    expect_no_start(&scene, 2, "a directory is there");
    ck_assert_int_eq(rmdir(scene.proxy.pidfile), 0);

    ck_assert_int_eq(mkdir(scene.proxy.control, 0700), 0);
    expect_no_start(&scene, 2, "a directory is there");
    ck_assert_int_eq(rmdir(scene.proxy.control), 0);
    ck_assert_int_ne(access(path, F_OK), 0);
    proxy_start(&scene.proxy);
    serves_at(&scene, path);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- reloads ------------------------------------------------------------------------------- */

/* The canary is ready when the path of its pid file becomes unusable. */
START_TEST(what_cannot_be_published_is_an_error_of_the_reload)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, path, "", "");
    proxy_start(&scene.proxy);
    configure(&scene, path, "", " mode=0640");
    mode_t mode = mode_of(path);
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    struct canary canary = canary_wait(&scene.proxy);
    ck_assert_int_eq(unlink(scene.proxy.pidfile), 0);
    ck_assert_int_eq(mkdir(scene.proxy.pidfile, 0700), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 5);
    ck_assert_msg(strstr(outcome.err, "a directory is there") != NULL, "%s", outcome.err);
    reload_ends(&reload, 5);
    ck_assert_uint_eq(mode_of(path), mode);
    serves_at(&scene, path);
    wait_until(is_reaped, &canary.pid, "the canary is gone");

    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_int_eq(rmdir(scene.proxy.pidfile), 0);
    next_reload(&scene.proxy);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    ck_assert_uint_eq(mode_of(path), 0640);
    serves_at(&scene, path);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A path is removed while the canary runs, which has the socket already. */
START_TEST(a_unix_bind_whose_path_is_lost_is_not_reloaded)
{
    struct scene scene;
    struct outcome outcome;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, path, "", "");
    proxy_start(&scene.proxy);
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    canary_wait(&scene.proxy);
    ck_assert_int_eq(unlink(path), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--promote", NULL), 3);
    ck_assert_msg(strstr(outcome.err, "does not lead to its socket") != NULL, "%s", outcome.err);
    reload_ends(&reload, 3);
    next_reload(&scene.proxy);
    serves_at(&scene, path);
    proxy_stop(&scene.proxy);
}
END_TEST

/* What an administrator changed on the file stays. When a new process dies, everything is as
 * before. */
START_TEST(what_a_successor_took_is_taken_back)
{
    struct scene scene;
    char path[PATH_MAX];
    scene_init(&scene);
    configure(&scene, path, "probation = 10m\n", "");
    proxy_start(&scene.proxy);
    ck_assert_int_eq(chmod(path, 0612), 0);
    struct proxy first = scene.proxy;
    configure(&scene, path, "probation = 10m\n", " mode=0640");
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(mode_of(path), 0640);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    serves_at(&scene, path);

    struct session session = through_path(&scene, path);
    kill(scene.proxy.pid, SIGKILL);
    wait_mentioned(first.log, "generation 1 serves again");
    session_close(&session);
    ck_assert_uint_eq(mode_of(path), 0612);
    ck_assert_int_eq(proxy_pidfile(&first), first.pid);
    serves_at(&scene, path);

    scene.proxy = first;
    configure(&scene, path, "probation = 0s\n", "");
    proxy_reload(&scene.proxy);
    ck_assert_uint_eq(mode_of(path), 0612);
    serves_at(&scene, path);
    proxy_reload(&scene.proxy); /* this ends the first probation */
    proxy_wait_drained(&scene.proxy);
    serves_at(&scene, path);
    proxy_stop(&scene.proxy);
    ck_assert_int_ne(access(path, F_OK), 0);
}
END_TEST

static unsigned count_files(const char *folder)
{
    const struct dirent *entry;
    unsigned count = 0;
    DIR *stream = opendir(folder);
    ck_assert_ptr_nonnull(stream);
    while ((entry = readdir(stream)))
        count += entry->d_name[0] != '.';
    closedir(stream);
    return count;
}

static bool has_three_files(void *folder)
{
    return count_files(folder) == 3;
}

/* The folder of control socket and pid file is away when the successor dies, and returns later. */
START_TEST(what_cannot_be_taken_back_is_tried_again)
{
    struct scene scene;
    struct status status;
    char folder[PATH_MAX], away[PATH_MAX];
    scene_start(&scene, "probation = 10m\n", "");
    struct proxy first = scene.proxy;
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);

    snprintf(folder, sizeof folder, "%s", first.control);
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(rename(folder, test_path(away, "away")), 0);
    kill(scene.proxy.pid, SIGKILL);
    wait_mentioned(first.log, "generation 1 serves again");
    wait_mentions(first.log, "it is tried again every second", 3);
    ck_assert_int_eq(rename(away, folder), 0);
    wait_mentioned(first.log, "control socket and pid file are published again");
    wait_mentions(first.log, "it is tried again every second", 3);
    ck_assert_int_eq(proxy_pidfile(&first), first.pid);
    ck_assert(proxy_status(&first, &status));
    ck_assert_int_eq(status.pid, first.pid);
    wait_until(has_three_files, folder, "no temporary file is left");

    scene.proxy = first;
    scene_configure(&scene, "probation = 0s\n", "");
    proxy_reload(&scene.proxy);
    proxy_reload(&scene.proxy); /* which ends the first one's probation */
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Neither link(2) nor rename(2) can be used on such a file. */
START_TEST(a_unix_bind_with_another_owner_and_a_mount_stays)
{
    struct scene scene;
    struct stat before, after;
    char path[PATH_MAX], folder[PATH_MAX];
    if (geteuid() != 0 || unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL))
        skip_test("only root can mount in a namespace of its own");
    const struct passwd *nobody = getpwnam("nobody");
    ck_assert_ptr_nonnull(nobody);
    scene_init(&scene);
    proxy_own_binary(&scene.proxy);
    snprintf(folder, sizeof folder, "%s", scene.proxy.control);
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(chown(folder, nobody->pw_uid, nobody->pw_gid), 0);
    test_path(path, "proxy.run/w");
    char line[PATH_MAX + 128];
    snprintf(line, sizeof line, "bind = unix:%s\n", path);
    scene_configure(&scene, "user = nobody\n", line);
    proxy_start(&scene.proxy);

    ck_assert_int_eq(chown(path, 0, 0), 0);
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert_int_eq(mount(path, path, NULL, MS_BIND, NULL), 0);
    ck_assert_int_eq(lstat(path, &before), 0);
    for (unsigned i = 0; i < 3; i++) {
        proxy_reload(&scene.proxy);
        proxy_wait_drained(&scene.proxy);
        ck_assert_int_eq(lstat(path, &after), 0);
        ck_assert_uint_eq(after.st_ino, before.st_ino);
        ck_assert_uint_eq(after.st_mode, before.st_mode);
        ck_assert_uint_eq(after.st_uid, before.st_uid);
        serves_at(&scene, path);
    }
    ck_assert_int_eq(umount2(path, MNT_DETACH), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

static void expect_congestion(int fd, const char *name)
{
    char now[32] = "";
    socklen_t length = sizeof now - 1;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, now, &length), 0);
    ck_assert_str_eq(now, name);
}

/* The socket is the service manager's, and so the same in both processes. */
START_TEST(congestion_control_is_set_back)
{
    struct proxy proxy;
    struct outcome outcome;
    uint16_t port, server_port;
    char usual[32] = "";
    int fd = listen_loopback(&port);
    int listener = listen_loopback(&server_port);
    socklen_t length = sizeof usual - 1;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, usual, &length), 0);
    const char *other = strcmp(usual, "reno") == 0 ? "cubic" : "reno";
    const struct passed passed = {.fds = &fd, .count = 1, .names = "web"};
    static const char text[] = "probation = 10m\nworkers = 2\n[listen main]\nbind = fd:web\n"
                               "server = a 127.0.0.1:%u\ncongestion = %s\n";
    proxy_init(&proxy, "proxy");
    proxy.passed = &passed;
    proxy_configure(&proxy, text, server_port, other);
    if (proxy_command(&proxy, &outcome, "check", NULL) != 0)
        skip_test("one congestion control only");
    proxy_configure(&proxy, text, server_port, usual);
    proxy_start(&proxy);
    struct proxy first = proxy;
    proxy_configure(&proxy, text, server_port, other);
    proxy_reload(&proxy);
    expect_congestion(fd, other);
    kill(proxy.pid, SIGKILL);
    wait_mentioned(first.log, "generation 1 serves again");
    expect_congestion(fd, usual);
    const struct endpoint front = endpoint_loopback(port);
    struct session session = session_through(&front, listener);
    session_works(&session);
    session_close(&session);
    proxy_stop(&first);
}
END_TEST

/* --- orders -------------------------------------------------------------------------------- */

START_TEST(a_signal_does_not_try_again_what_was_rolled_back)
{
    struct scene scene;
    struct status status;
    scene_start(&scene, "probation = 0s\n", "");
    struct reload reload = reload_start(&scene.proxy, "50%:10m");
    struct canary canary = canary_wait(&scene.proxy);
    kill(scene.proxy.pid, SIGHUP); /* this reload waits for the end of the canary */
    kill(canary.pid, SIGKILL);
    reload_ends(&reload, 5);
    wait_mentions(scene.proxy.log, "a signal does not reload it", 1);
    wait_mentions(scene.proxy.log, "generation 1 continues to serve", 2);
    kill(scene.proxy.pid, SIGHUP);
    wait_mentions(scene.proxy.log, "a signal does not reload it", 2);
    wait_mentions(scene.proxy.log, "generation 1 continues to serve", 3);
    ck_assert(proxy_status(&scene.proxy, &status));
    ck_assert_int_eq(status.pid, scene.proxy.pid);

    scene_configure(&scene, "probation = 0s\nlinger-timeout = 4s\n", "");
    proxy_reload_by_signal(&scene.proxy, SIGHUP);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *publication_suite(void)
{
    Suite *suite = suite_create("publication");
    scenario_add(suite, what_cannot_be_replaced_is_an_error_of_the_start, 60);
    scenario_add(suite, what_cannot_be_published_is_an_error_of_the_reload, 120);
    scenario_add(suite, a_unix_bind_whose_path_is_lost_is_not_reloaded, 120);
    scenario_add(suite, what_a_successor_took_is_taken_back, 120);
    scenario_add(suite, what_cannot_be_taken_back_is_tried_again, 120);
    scenario_add(suite, a_unix_bind_with_another_owner_and_a_mount_stays, 120);
    scenario_add(suite, congestion_control_is_set_back, 120);
    scenario_add(suite, a_signal_does_not_try_again_what_was_rolled_back, 120);
    return suite;
}
