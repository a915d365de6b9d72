/* What whoever starts the program, or the machine, may leave it without. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* The program is started by a shell, which `before` and `after` tell how. */
static void prepare(struct scene *scene, const char *before, const char *after)
{
    scene_init(scene);
    test_path(scene->proxy.program, "prepared");
    write_file(scene->proxy.program, 0755, "#!/bin/sh\n%s exec '%s' \"$@\" %s\n", before,
               proxy_binary(), after);
    scene_configure(scene, "", "");
}

static void expect_streams_to_nowhere(pid_t pid)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        char path[64], target[64] = "";
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)pid, fd);
        ck_assert_int_gt(readlink(path, target, sizeof target - 1), 0);
        ck_assert_str_eq(target, "/dev/null");
    }
}

START_TEST(closed_standard_streams_are_nobodys_socket)
{
    struct scene scene;
    prepare(&scene, "", "<&- >&- 2>&-");
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 2; i++) {
        expect_streams_to_nowhere(scene.proxy.pid);
        struct session session = session_open(&scene);
        session_works(&session);
        session_close(&session);
        proxy_reload(&scene.proxy);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* A signal, SIGXFSZ, is what the kernel says first. */
START_TEST(a_limit_of_file_size_is_an_error_like_others)
{
    if (sanitized())
        skip_test("ThreadSanitizer has files of its own");
    struct scene scene;
    struct outcome outcome;
    prepare(&scene, "(ulimit -f 0;", "2>&1) | cat >&2");
    run(&outcome, scene.proxy.program, "-f", scene.proxy.file, NULL);
    ck_assert_msg(strstr(outcome.err, "cannot start the workers: File too large") != NULL, "%s",
                  outcome.err);
}
END_TEST

/* A /dev of the test's own, in which a syslogd listens that never reads. False: we may not. */
static bool deaf_syslog(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX, .sun_path = "/dev/log"};
    int listener = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    int writer = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (listener < 0 || writer < 0 || unshare(CLONE_NEWNS) ||
        mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("dev", "/dev", "tmpfs", MS_NOSUID, NULL) ||
        mknod("/dev/null", S_IFCHR | 0666, makedev(1, 3)) ||
        bind(listener, (struct sockaddr *)&address, sizeof address) ||
        connect(writer, (struct sockaddr *)&address, sizeof address))
        return false;
    while (send(writer, "full", 4, 0) == 4)
        ;
    return errno == EAGAIN;
}

/* What a successor has to say before its workers run is said to it as well. */
START_TEST(a_syslog_that_nobody_reads_stops_nothing)
{
    if (!deaf_syslog())
        skip_test("no /dev of its own can be had here");
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "log = syslog\nmax-sessions = 1000000\n", "");
    struct session session = session_open(&scene);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    session_works(&session);

    uint16_t taken;
    int other = listen_loopback(&taken);
    char bind[64];
    snprintf(bind, sizeof bind, "bind = 127.0.0.1:%u\n", taken);
    scene_configure(&scene, "log = syslog\nmax-sessions = 1000000\n", bind);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 3);
    ck_assert_msg(strstr(outcome.err, "in use") != NULL, "%s", outcome.err);
    session_works(&session);
    close(other);
    proxy_reload(&scene.proxy);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *environment_suite(void)
{
    Suite *suite = suite_create("environment");
    scenario_add(suite, closed_standard_streams_are_nobodys_socket, 120);
    scenario_add(suite, a_limit_of_file_size_is_an_error_like_others, 60);
    scenario_add(suite, a_syslog_that_nobody_reads_stops_nothing, 240);
    return suite;
}
