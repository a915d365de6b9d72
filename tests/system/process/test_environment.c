/* The environment in which a process starts: its parent, its limits, the machine. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/trap.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

/* A shell starts the program; `before` and `after` are its commands. */
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

START_TEST(closed_standard_streams_become_no_socket)
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

/* The kernel first sends SIGXFSZ. */
START_TEST(a_limit_of_file_size_is_an_error_like_others)
{
    if (sanitized())
        skip_test("ThreadSanitizer opens files itself");
    struct scene scene;
    struct outcome outcome;
    prepare(&scene, "(ulimit -f 0;", "2>&1) | cat >&2");
    run(&outcome, scene.proxy.program, "-f", scene.proxy.file, NULL);
    ck_assert_msg(strstr(outcome.err, ": File too large") != NULL, "%s", outcome.err);
}
END_TEST

/* Makes a /dev for the test alone, with a syslog socket that is never read. False: not permitted.
 */
static bool syslog_without_reader(void)
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

/* A new process logs to it as well before its workers run. */
START_TEST(a_syslog_that_nobody_reads_stops_nothing)
{
    if (!syslog_without_reader())
        skip_test("no /dev for the test alone is possible here");
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

/* --- signals ------------------------------------------------------------------------------- */

#define INHERITED "--ignore-signal=CHLD,HUP,QUIT,USR2", "--block-signal=TERM,INT,USR1,ALRM"

/* What a parent ignored or blocked stays so after execve(2); here for each new process, too. */
START_TEST(what_the_parent_ignored_does_not_matter)
{
    static const char *const inherited[] = {INHERITED};
    struct scene scene;
    struct outcome outcome;
    run(&outcome, "env", INHERITED, "true", NULL);
    if (outcome.code != 0)
        skip_test("env(1) cannot have signals ignored");
    prepare(&scene, "", "");
    write_file(scene.proxy.program, 0755, "#!/bin/sh\nexec env %s %s '%s' \"$@\"\n", inherited[0],
               inherited[1], proxy_binary());
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    scene_configure(&scene, "", "nonsense = 1\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    scene_configure(&scene, "", "");
    proxy_reload(&scene.proxy);
    proxy_reload_by_signal(&scene.proxy, SIGHUP);
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(kill(scene.proxy.pid, SIGTERM), 0);
    wait_gone(scene.proxy.pid);
    ck_assert_uint_eq(orphans_failed(), 0);
}
END_TEST

/* Each signal comes before the new process has run its first instruction. None kills the process. A
 * reload that was asked for is done by the reading of the file: no second reload follows. */
START_TEST(signals_to_a_new_process_do_not_kill_it)
{
    static const char *const orders[] = {"USR1", "HUP", "USR2"};
    struct scene scene;
    scene_init(&scene);
    proxy_own_binary(&scene.proxy);
    scene_configure(&scene, "", "");
    proxy_start(&scene.proxy);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
        ck_assert_int_eq(unlink(scene.proxy.program), 0);
        write_file(scene.proxy.program, 0755, "#!/bin/sh\nkill -%s $$\nexec '%s' \"$@\"\n",
                   orders[i], proxy_binary());
        proxy_reload(&scene.proxy);
        proxy_wait_drained(&scene.proxy);
        ck_assert_uint_eq(scene.proxy.generation, i + 2);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

static bool third_serves(void *argument)
{
    struct proxy *proxy = argument;
    proxy_follow(proxy);
    return proxy->generation == 3;
}

/* The signal comes after the new process has read the file. Here the new process is a canary, which
 * reloads after its promotion. */
START_TEST(a_reload_asked_of_a_new_process_is_not_lost)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    struct canary canary = canary_wait(&scene.proxy);
    ck_assert_int_eq(kill(canary.pid, SIGHUP), 0);
    struct reload decision = decision_start(&scene.proxy, "--promote");
    reload_ends(&decision, 0);
    reload_ends(&reload, 0);
    wait_until(third_serves, &scene.proxy, "the reload that was asked for has followed");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- the limit of descriptors --------------------------------------------------------------- */

START_TEST(what_does_not_fit_is_an_error_with_figures)
{
    static const char figures[] = "descriptors are needed, and the limit is ";
    struct scene scene;
    struct outcome outcome;
    char binds[8192];
    size_t at = 0;
    prepare(&scene, "ulimit -n 30;", "");
    run(&outcome, scene.proxy.program, "-f", scene.proxy.file, NULL);
    ck_assert_msg(outcome.code == 1 && strstr(outcome.err, figures) != NULL, "exit %d: %s",
                  outcome.code, outcome.err);

    write_file(scene.proxy.program, 0755, "#!/bin/sh\nulimit -n 128; exec '%s' \"$@\"\n",
               proxy_binary());
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    for (unsigned i = 0; i < 60; i++)
        at += (size_t)snprintf(binds + at, sizeof binds - at, "bind = 127.0.0.1:%u\n",
                               port_reserve(getuid()));
    scene_configure(&scene, "", binds);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 5);
    ck_assert_msg(strstr(outcome.err, figures) != NULL, "%s", outcome.err);
    session_works(&session);
    scene_configure(&scene, "", "");
    proxy_reload(&scene.proxy);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Before a reload and after it, as many sessions fit as the log says. Accepting never pauses. */
START_TEST(a_reload_takes_no_sessions_away)
{
    enum { MOST = 200 };
    struct session sessions[MOST];
    struct scene scene;
    char log[16384], fits[64];
    unsigned count = 0;
    prepare(&scene, "ulimit -n 400;", "");
    scene_configure(&scene, "workers = 16\n", "");
    proxy_start(&scene.proxy);
    wait_mentioned(scene.proxy.log, " sessions fit into the limit of 400 ");
    read_file(scene.proxy.log, log, sizeof log);
    const char *only = strstr(log, "only ");
    ck_assert_msg(only != NULL && sscanf(only, "only %u sessions fit", &count) == 1, "%s", log);
    ck_assert(count >= 50 && count <= MOST);
    snprintf(fits, sizeof fits, "only %u sessions fit into the limit of 400 ", count);
    for (unsigned i = 0; i < count; i++)
        sessions[i] = session_open(&scene);
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    for (unsigned i = 0; i < count; i++)
        session_works(&sessions[i]);
    for (unsigned i = 0; i < count; i++)
        session_close(&sessions[i]);
    for (unsigned i = 0; i < count; i++)
        sessions[i] = session_open(&scene);
    for (unsigned i = 0; i < count; i++)
        session_works(&sessions[i]);
    wait_mentions(scene.proxy.log, fits, 2);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "accepting pauses"), 0);
    for (unsigned i = 0; i < count; i++)
        session_close(&sessions[i]);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- PID namespaces ------------------------------------------------------------------------ */

/* Runs shell commands as process 1 of a new PID namespace: $0 is the program, $1 its file. Returns
 * the pid of unshare(1); when that process ends, all of them end. -1: not permitted here. */
static pid_t start_in_namespace(struct scene *scene, const char *words)
{
    struct outcome outcome;
    if (getuid() != 0 || !program_exists("unshare"))
        return -1;
    run(&outcome, "unshare", "-pf", "--mount-proc", "true", NULL);
    if (outcome.code != 0)
        return -1;
    const char *argv[] = {"unshare", "-pf", "--kill-child",       "--mount-proc",    "sh",
                          "-c",      words, scene->proxy.program, scene->proxy.file, NULL};
    pid_t pid = program_start(
        &(struct program){.argv = argv, .out = scene->proxy.log, .err = scene->proxy.log});
    wait_mentioned(scene->proxy.log, "serving: ");
    return pid;
}

/* The pid in the proxy's answer belongs to another process outside, where the commands run. A
 * command without a pidfd, as on an older kernel, waits for the end of the connection. */
START_TEST(commands_from_another_pid_namespace_end)
{
    struct scene scene;
    struct outcome outcome;
    bool traced = !sanitized() && trap_works();
    scene_init(&scene);
    scene_configure(&scene, "", "");
    pid_t outside = start_in_namespace(&scene, "\"$0\" -f \"$1\"; exec sleep infinity");
    if (outside < 0)
        skip_test("no PID namespace can be had here");
    run(&outcome, proxy_binary(), "reload", "--wait=drained", "-s", scene.proxy.control, NULL);
    ck_assert_msg(outcome.code == 0, "reload: exit %d: %s", outcome.code, outcome.err);
    run(&outcome, proxy_binary(), "reload", "--dry-run", "-s", scene.proxy.control, NULL);
    ck_assert_msg(outcome.code == 0 && outcome.err[0] == '\0', "dry run: exit %d: %s", outcome.code,
                  outcome.err);
    if (traced)
        run(&outcome, "strace", "-qq", "-o", "/dev/null", "-e", "trace=getsockopt", "-e",
            "inject=getsockopt:error=ENOPROTOOPT", proxy_binary(), "stop", "-s",
            scene.proxy.control, NULL);
    else
        run(&outcome, proxy_binary(), "stop", "-s", scene.proxy.control, NULL);
    ck_assert_msg(outcome.code == 0, "stop: exit %d: %s", outcome.code, outcome.err);
    run(&outcome, proxy_binary(), "status", "-s", scene.proxy.control, NULL);
    ck_assert_int_eq(outcome.code, 8);
    ck_assert_int_eq(kill(outside, SIGKILL), 0);
}
END_TEST

/* A second start finds the first process by the control socket, although that process has no pid
 * here. */
START_TEST(a_proxy_in_another_pid_namespace_is_not_replaced)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    proxy_start(&scene.proxy);
    if (getuid() != 0 || !program_exists("unshare"))
        skip_test("no PID namespace can be had here");
    run(&outcome, "unshare", "-pf", "--mount-proc", proxy_binary(), "-f", scene.proxy.file, NULL);
    ck_assert_int_eq(outcome.code, 1);
    ck_assert_msg(strstr(outcome.err, "a process already serves it") != NULL, "%s", outcome.err);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Programs of checks are started by a thread, and have what another thread has open then without
 * close-on-exec. */
START_TEST(files_are_close_on_exec_once_there_are_threads)
{
    struct scene scene;
    char trace[PATH_MAX], strace[PATH_MAX + 80], end[64], line[4096];
    if (!trap_works() || sanitized())
        skip_test("strace cannot trace here, or the files of a sanitizer");
    test_path(trace, "trace");
    snprintf(strace, sizeof strace,
             "exec strace -D -f -q -o '%s' -e trace=open,openat,clone,clone3", trace);
    scene_init(&scene);
    test_path(scene.proxy.program, "prepared");
    write_file(scene.proxy.program, 0755, "#!/bin/sh\n%s '%s' \"$@\"\n", strace, proxy_binary());
    scene_configure(&scene, "", "");
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
    snprintf(end, sizeof end, "%-5d +++ exited with 0 +++", (int)scene.proxy.pid);
    wait_mentioned(trace, end);
    bool threads = false;
    FILE *file = fopen(trace, "re");
    ck_assert_ptr_nonnull(file);
    while (fgets(line, sizeof line, file)) {
        threads |= strstr(line, "CLONE_THREAD") != NULL;
        ck_assert_msg(!threads || !strstr(line, " open") || strstr(line, "O_CLOEXEC"), "%s", line);
    }
    fclose(file);
    ck_assert(threads);
}
END_TEST

Suite *environment_suite(void)
{
    Suite *suite = suite_create("environment");
    scenario_add(suite, closed_standard_streams_become_no_socket, 120);
    scenario_add(suite, a_limit_of_file_size_is_an_error_like_others, 60);
    scenario_add(suite, a_syslog_that_nobody_reads_stops_nothing, 240);
    scenario_add(suite, what_the_parent_ignored_does_not_matter, 120);
    scenario_add(suite, signals_to_a_new_process_do_not_kill_it, 120);
    scenario_add(suite, a_reload_asked_of_a_new_process_is_not_lost, 120);
    scenario_add(suite, what_does_not_fit_is_an_error_with_figures, 120);
    scenario_add(suite, a_reload_takes_no_sessions_away, 120);
    scenario_add(suite, commands_from_another_pid_namespace_end, 120);
    scenario_add(suite, a_proxy_in_another_pid_namespace_is_not_replaced, 120);
    scenario_add(suite, files_are_close_on_exec_once_there_are_threads, 120);
    return suite;
}
