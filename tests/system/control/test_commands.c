/* The commands and the signals: their effects, output and exit statuses. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/manager.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void expect_refused(const struct endpoint *where)
{
    int fd = try_connect(where);
    ck_assert_msg(fd < 0 && errno == ECONNREFUSED, "not refused: %s",
                  fd < 0 ? strerror(errno) : "connected");
}

/* A client that still gets in closes both ends, so that no session of this check stays. */
static bool refuses(void *argument)
{
    const struct scene *scene = argument;
    int fd = try_connect(&scene->front);
    if (fd >= 0) {
        close(fd);
    }
    while (readable_within(scene->listener, 0)) {
        close(accept_from(scene->listener));
    }
    return fd < 0;
}

START_TEST(usage)
{
    struct outcome outcome;
    run(&outcome, proxy_binary(), "--version", NULL);
    ck_assert_int_eq(outcome.code, 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "rpproxy"));
    run(&outcome, proxy_binary(), "--help", NULL);
    ck_assert_int_eq(outcome.code, 0);
    static const char *const commands[] = {"check",   "reload",   "status", "config",
                                           "server",  "sessions", "kill",   "events",
                                           "history", "rollback", "stop"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        ck_assert_msg(strstr(outcome.out, commands[i]) != NULL, "--help does not tell of %s",
                      commands[i]);
        struct outcome help;
        run(&help, proxy_binary(), commands[i], "--help", NULL);
        ck_assert_msg(help.code == 0 && strstr(help.out, commands[i]) != NULL,
                      "%s --help: %d: %s%s", commands[i], help.code, help.out, help.err);
        run(&help, proxy_binary(), commands[i], "--no-such-option", NULL);
        ck_assert_msg(help.code == 1 && strstr(help.err, "no-such-option") != NULL,
                      "%s --no-such-option: %d: %s%s", commands[i], help.code, help.out, help.err);
    }
    run(&outcome, proxy_binary(), "relaod", NULL);
    ck_assert_int_eq(outcome.code, 1);
    ck_assert_ptr_nonnull(strstr(outcome.err, "relaod"));
    run(&outcome, proxy_binary(), "-f", "proxy.ini", "status", NULL);
    ck_assert_int_eq(outcome.code, 1);
    ck_assert_ptr_nonnull(strstr(outcome.err, "must be the first word: status"));
    run(&outcome, proxy_binary(), "stop", "--timeout", "5", NULL);
    ck_assert_int_eq(outcome.code, 1);
    ck_assert_ptr_nonnull(strstr(outcome.err, "--timeout '5': needs a unit"));
}
END_TEST

START_TEST(check)
{
    struct scene scene;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    struct outcome outcome;
    char line[PATH_MAX + 64];
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 0);
    snprintf(line, sizeof line, "%s: valid", scene.proxy.file);
    ck_assert_msg(strstr(outcome.out, line) != NULL, "check says: %s", outcome.out);

    proxy_configure(&scene.proxy, "worker = 2\n[frontend a]\nbind = 127.0.0.1:99999\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 2);
    snprintf(line, sizeof line, "%s:5: ", scene.proxy.file);
    ck_assert_msg(strstr(outcome.err, line) != NULL, "check says: %s", outcome.err);
    snprintf(line, sizeof line, "%s:7: ", scene.proxy.file);
    ck_assert_msg(strstr(outcome.err, line) != NULL, "check says: %s", outcome.err);

    unlink(scene.proxy.file);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "check", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "No such file") != NULL, "check says: %s", outcome.err);
}
END_TEST

START_TEST(no_process_answers)
{
    struct scene scene;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    static const char *const commands[] = {"reload", "status", "config", "stop"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct outcome outcome;
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, commands[i], NULL), 8);
        ck_assert_msg(strstr(outcome.err, scene.proxy.control) != NULL, "%s says: %s", commands[i],
                      outcome.err);
        run(&outcome, proxy_binary(), commands[i], "-s", scene.proxy.control, NULL);
        ck_assert_int_eq(outcome.code, 8);
    }
    unlink(scene.proxy.file); /* otherwise a process on the default socket would be asked */
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        struct outcome outcome;
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, commands[i], NULL), 2);
        ck_assert_msg(strstr(outcome.err, "No such file") != NULL, "%s says: %s", commands[i],
                      outcome.err);
    }
}
END_TEST

START_TEST(status)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\nworkers = 1\n", "");
    struct session session = session_open(&scene);
    struct status now;
    ck_assert(proxy_status(&scene.proxy, &now));
    ck_assert_int_eq(now.pid, scene.proxy.pid);
    ck_assert_uint_eq(now.count, 1);
    ck_assert_str_eq(now.generations[0].state, "active");
    ck_assert_uint_eq(now.sessions, 1);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);

    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(proxy_pidfile(&scene.proxy), scene.proxy.pid);
    ck_assert(proxy_status(&scene.proxy, &now));
    ck_assert_int_eq(now.pid, scene.proxy.pid);
    ck_assert_uint_eq(now.generation, 2);
    ck_assert_uint_eq(now.count, 2);
    for (unsigned i = 0; i < 2; i++) {
        bool old = now.generations[i].pid == first;
        ck_assert_uint_eq(now.generations[i].generation, old ? 1 : 2);
        ck_assert_uint_eq(now.generations[i].sessions, old ? 1 : 0);
        ck_assert_int_eq(strcmp(now.generations[i].state, "active") == 0, !old);
    }
    struct outcome outcome;
    char pid[16];
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    snprintf(pid, sizeof pid, "%d", scene.proxy.pid);
    ck_assert_msg(strstr(outcome.out, pid) != NULL, "status says: %s", outcome.out);
    snprintf(pid, sizeof pid, "%d", first);
    ck_assert_msg(strstr(outcome.out, pid) != NULL, "status says: %s", outcome.out);
    run(&outcome, proxy_binary(), "status", "-s", scene.proxy.control, NULL);
    ck_assert_int_eq(outcome.code, 0);
    session_works(&session);
    session_close(&session);
    wait_gone(first);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Tests run from the repository's root. */
static void says(const char *text, const char *what)
{
    ck_assert_msg(strstr(text, what) != NULL, "'%s' is not said in: %s", what, text);
}

/* Names choose what the status prints. Columns fit their contents, within 80 characters. */
START_TEST(status_by_name)
{
    struct scene scene;
    struct outcome outcome;
    scene_start(&scene, "",
                "server = spare 127.0.0.1:1\n[backend other]\nserver = b 127.0.0.1:1\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    says(outcome.out, "other/b");
    for (char *line = strstr(outcome.out, "\nSERVER") + 1; *line; line += strcspn(line, "\n") + 1)
        ck_assert_msg(strcspn(line, "\n") <= 80, "too long: %s", line);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "main", NULL), 0);
    says(outcome.out, "main/a ");
    says(outcome.out, "main/spare ");
    ck_assert_ptr_null(strstr(outcome.out, "other"));
    ck_assert_ptr_null(strstr(outcome.out, "GENERATION"));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "*/b", "main/s*", NULL), 0);
    says(outcome.out, "other/b ");
    says(outcome.out, "main/spare ");
    ck_assert_ptr_null(strstr(outcome.out, "main/a "));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", "other", NULL), 0);
    says(outcome.out, "\"at\": ");
    says(outcome.out, "\"max_sessions\": ");
    ck_assert_ptr_null(strstr(outcome.out, "spare"));
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "mian", NULL), 1);
    says(outcome.err, "no frontend, backend or server is named 'mian'");
    proxy_stop(&scene.proxy);
}
END_TEST

/* The key q ends a status that is printed again and again on a terminal. */
START_TEST(watch_ends_at_a_key)
{
    if (!program_exists("script"))
        skip_test("no script(1), which makes a terminal");
    struct scene scene;
    struct outcome outcome;
    char command[2 * PATH_MAX + 64], key[PATH_MAX];
    scene_start(&scene, "", "");
    write_file(test_path(key, "key"), 0644, "q");
    snprintf(command, sizeof command, "%s status --watch -f %s", proxy_binary(), scene.proxy.file);
    const char *argv[] = {"script", "-qec", command, "/dev/null", NULL};
    program_run(&(struct program){.argv = argv, .in = key}, PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 0, "exit %d: %s%s", outcome.code, outcome.out, outcome.err);
    says(outcome.out, "main/a");
    proxy_stop(&scene.proxy);
}
END_TEST

/* One screen, with the busiest source; the key q ends it. Without a terminal there is none. */
START_TEST(top_shows_sources_and_servers)
{
    if (!program_exists("script"))
        skip_test("no script(1), which makes a terminal");
    struct scene scene;
    struct outcome outcome;
    char command[2 * PATH_MAX + 64], key[PATH_MAX];
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    session_works(&session);
    write_file(test_path(key, "key"), 0644, "q");
    snprintf(command, sizeof command, "%s top -f %s", proxy_binary(), scene.proxy.file);
    const char *argv[] = {"script", "-qec", command, "/dev/null", NULL};
    program_run(&(struct program){.argv = argv, .in = key}, PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 0, "exit %d: %s%s", outcome.code, outcome.out, outcome.err);
    says(outcome.out, "sessions 1 now");
    says(outcome.out, "FRONTEND");
    says(outcome.out, "127.0.0.1         1");
    says(outcome.out, "main/a");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "top", NULL), 1);
    says(outcome.err, "top needs a terminal");
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* `stop` waits for the session, accepts no new ones, and exits with 0. */
START_TEST(stop_waits_for_sessions)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    pid_t stop = proxy_command_start(&scene.proxy, NULL, "stop", NULL);
    wait_until(refuses, &scene, "a stopping proxy refuses clients");
    ck_assert(process_alive(stop));
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(wait_gone(stop), 0);
    ck_assert_int_eq(wait_gone(scene.proxy.pid), 0);
    expect_refused(&scene.front);
}
END_TEST

START_TEST(stop_runs_out_of_time)
{
    struct scene scene;
    scene_start(&scene, "stop-timeout = 1h\n", "");
    struct session session = session_open(&scene);
    session_works(&session);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", "--timeout", "2s", NULL), 6);
    session_works(&session); /* the stop goes on */
    kill(scene.proxy.pid, SIGINT);
    session_is_cut(&session);
    wait_gone(scene.proxy.pid);
    ck_assert_uint_eq(orphans_failed(), 0);
}
END_TEST

/* Clients that the proxy or the kernel had accepted are served. Later clients are refused. */
static void end_under_load(bool by_signal)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct scene scene;
    scene_init(&scene);
    scene.server_port = origin_port(origin);
    scene_configure(&scene, "", "");
    for (unsigned i = 0; i < scaled(10, 2); i++) {
        proxy_start(&scene.proxy);
        struct churn *churn = churn_start(&(struct churn_options){
            .target = scene.front, .in_flight = 500, .rate = scaled(4000, 400)});
        churn_wait(churn, scaled(2000, 100));
        if (by_signal) {
            kill(scene.proxy.pid, SIGTERM);
            ck_assert_int_eq(wait_gone(scene.proxy.pid), 0);
        } else {
            proxy_stop(&scene.proxy);
        }
        struct churn_result result;
        churn_stop(churn, &result);
        if (churn_lost(&result) != result.lost[LOSS_REFUSED]) {
            churn_print(&result, "a stop under load");
            ck_abort_msg("some clients were lost that the proxy had");
        }
    }
}

START_TEST(stop_under_load)
{
    end_under_load(false);
}
END_TEST

START_TEST(sigterm_under_load)
{
    end_under_load(true);
}
END_TEST

START_TEST(sigterm_twice)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    kill(scene.proxy.pid, SIGTERM);
    wait_until(refuses, &scene, "a stopping proxy refuses clients");
    session_works(&session);
    kill(scene.proxy.pid, SIGTERM);
    wait_gone(scene.proxy.pid);
    session_is_cut(&session);
}
END_TEST

START_TEST(sigint)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    session_works(&session);
    kill(scene.proxy.pid, SIGINT);
    wait_gone(scene.proxy.pid);
    session_is_cut(&session);
    expect_refused(&scene.front);
}
END_TEST

START_TEST(stop_ends_draining_generations_too)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\nstop-timeout = 2s\n", "");
    struct session session = session_open(&scene);
    session_works(&session);
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    struct outcome outcome;
    int code = proxy_command(&scene.proxy, &outcome, "stop", NULL);
    wait_gone(scene.proxy.pid);
    wait_gone(first);
    session_is_cut(&session);
    ck_assert_msg(code == 9 && strstr(outcome.err, "closed 0 sessions at its deadline, and older "
                                                   "processes closed 1 session") != NULL,
                  "exit %d: %s", code, outcome.err);
}
END_TEST

START_TEST(reload_waits_for_the_drain)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\n", "");
    struct session session = session_open(&scene);
    pid_t first = scene.proxy.pid;
    struct outcome outcome;
    int code =
        proxy_command(&scene.proxy, &outcome, "reload", "--wait=drained", "--timeout", "2s", NULL);
    ck_assert_msg(code == 6, "exit %d: %s%s", code, outcome.out, outcome.err);
    ck_assert(process_alive(first));
    struct status now;
    do { /* on a slow machine the time may have been over before the reload */
        ck_assert(proxy_status(&scene.proxy, &now));
    } while (now.generation == 1);
    ck_assert_uint_eq(now.generation, 2);
    scene.proxy.pid = now.pid;
    session_works(&session);
    session_close(&session);
    wait_gone(first);

    session = session_open(&scene);
    pid_t reload = proxy_command_start(&scene.proxy, NULL, "reload", "--wait=drained", NULL);
    scene.proxy.generation = 2;
    do {
        ck_assert(proxy_status(&scene.proxy, &now));
    } while (now.generation == 2);
    ck_assert(process_alive(reload));
    session_works(&session);
    session_close(&session);
    ck_assert_int_eq(wait_gone(reload), 0);
    wait_gone(scene.proxy.pid);
    scene.proxy.pid = now.pid;
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(drain_timeout)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\ndrain-timeout = 1s\n", "");
    struct session session = session_open(&scene);
    pid_t first = scene.proxy.pid;
    int64_t begin = now_ms();
    proxy_reload(&scene.proxy);
    session_is_cut(&session);
    ck_assert_int_ge(now_ms() - begin, 1000);
    ck_assert_int_eq(wait_gone(first) > 0, 0);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(max_generations)
{
    struct scene scene;
    scene_start(&scene, "drain = wait\nmax-generations = 2\n", "");
    struct session sessions[4];
    pid_t pids[4];
    for (unsigned i = 0; i < 4; i++) {
        sessions[i] = session_open(&scene);
        session_works(&sessions[i]);
        pids[i] = scene.proxy.pid;
        proxy_reload(&scene.proxy);
    }
    /* Four generations have retired, and two may stay: the oldest two are gone, the youngest two
     * serve on. */
    for (unsigned i = 0; i < 2; i++) {
        wait_gone(pids[i]);
        session_is_cut(&sessions[i]);
    }
    for (unsigned i = 2; i < 4; i++) {
        ck_assert(process_alive(pids[i]));
        session_works(&sessions[i]);
        session_close(&sessions[i]);
    }
    wait_mentioned(scene.proxy.log, "max-generations");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(binary_replaced)
{
    struct scene scene;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    proxy_own_binary(&scene.proxy);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 3; i++) {
        struct session session = session_open(&scene);
        copy_file(proxy_binary(), scene.proxy.program, 0755);
        proxy_reload(&scene.proxy);
        char link[64];
        snprintf(link, sizeof link, "/proc/%d/exe", scene.proxy.pid);
        struct stat running, installed;
        ck_assert_int_eq(stat(link, &running), 0);
        ck_assert_int_eq(stat(scene.proxy.program, &installed), 0);
        ck_assert_msg(running.st_ino == installed.st_ino, "the old binary runs");
        session_works(&session);
        session_close(&session);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The program is found again though the proxy was started by a relative path, or through PATH, in
 * another folder. */
START_TEST(started_by_a_relative_path)
{
    struct scene scene;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    proxy_own_binary(&scene.proxy);
    const char *argv[] = {"./rpproxy", "-f", "proxy.ini", NULL};
    scene.proxy.pid = program_start(&(struct program){.argv = argv,
                                                      .directory = test_directory(),
                                                      .out = scene.proxy.log,
                                                      .err = scene.proxy.log});
    proxy_wait_serving(&scene.proxy);
    for (unsigned i = 0; i < 3; i++) {
        proxy_reload(&scene.proxy);
    }
    struct session session = session_open(&scene);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static bool log_file_has_lines(void *argument)
{
    return file_mentions(argument, "") > 0;
}

START_TEST(log_file_reopened)
{
    char log[PATH_MAX], moved[PATH_MAX], options[PATH_MAX + 32];
    struct scene scene;
    test_path(log, "messages");
    test_path(moved, "messages.1");
    snprintf(options, sizeof options, "log = file:%s\n", log);
    scene_start(&scene, options, "");
    wait_until(log_file_has_lines, log, "the log file has lines");
    ck_assert_int_eq(rename(log, moved), 0);
    kill(scene.proxy.pid, SIGUSR1);
    proxy_reload(&scene.proxy);
    wait_until(log_file_has_lines, log, "the new log file has lines");
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The old process, which drains, has the file open as well. */
START_TEST(log_files_of_all_generations_are_reopened)
{
    char log[PATH_MAX], moved[PATH_MAX], options[PATH_MAX + 64];
    struct scene scene;
    struct outcome outcome;
    test_path(log, "messages");
    test_path(moved, "messages.1");
    snprintf(options, sizeof options, "drain = wait\nlog = file:%s\n", log);
    scene_start(&scene, options, "access-log = yes\n");
    struct session old = session_open(&scene);
    session_works(&old);
    proxy_reload(&scene.proxy);
    struct session new = session_open(&scene);
    session_works(&new);
    wait_mentioned(log, "generation 1 drains");
    ck_assert_int_eq(rename(log, moved), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reopen", NULL), 0);
    ck_assert_str_eq(outcome.out, "log reopened: by 2 processes\n");
    session_close(&old);
    session_close(&new);
    wait_mentions(log, "end=done", 2);
    proxy_wait_drained(&scene.proxy);
    ck_assert_uint_eq(file_mentions(moved, "end=done"), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The answer speaks of processes that have opened the file again, not of those that were told. */
START_TEST(a_stopped_process_has_not_reopened_its_log_file)
{
    char log[PATH_MAX], options[PATH_MAX + 64];
    struct scene scene;
    struct outcome outcome;
    test_path(log, "messages");
    snprintf(options, sizeof options, "drain = wait\nlog = file:%s\n", log);
    scene_start(&scene, options, "");
    const pid_t old = scene.proxy.pid;
    struct session session = session_open(&scene);
    session_works(&session);
    proxy_reload(&scene.proxy);
    wait_mentioned(log, "generation 1 drains");
    ck_assert_int_eq(kill(old, SIGSTOP), 0);
    /* The old process does not answer heartbeats: the new process kills it during this command. */
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reopen", NULL), 0);
    ck_assert_str_eq(outcome.out, "log reopened: by 1 process\n");
    const int ended = wait_gone(old);
    ck_assert(WIFSIGNALED(ended) && WTERMSIG(ended) == SIGKILL);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_log_file_that_cannot_be_reopened)
{
    char log[PATH_MAX], folder[PATH_MAX], moved[PATH_MAX], options[PATH_MAX + 32], said[128];
    struct scene scene;
    struct outcome outcome;
    test_path(folder, "folder");
    test_path(moved, "moved");
    test_path(log, "folder/messages");
    ck_assert_int_eq(mkdir(folder, 0755), 0);
    snprintf(options, sizeof options, "log = file:%s\n", log);
    scene_start(&scene, options, "");
    ck_assert_int_eq(rename(folder, moved), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reopen", NULL), 1);
    snprintf(said, sizeof said,
             "log reopened: by 0 processes, but not by generation 1 (pid %d): No such file or "
             "directory\n",
             (int)scene.proxy.pid);
    ck_assert_msg(strstr(outcome.err, said) != NULL, "%s%s", outcome.out, outcome.err);
    ck_assert_int_eq(rename(moved, folder), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reopen", NULL), 0);
    ck_assert_str_eq(outcome.out, "log reopened: by 1 process\n");
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- what the service manager is told --- */

static bool manager_heard(void *argument)
{
    struct manager *manager = argument;
    manager_listen(manager);
    return strstr(manager->said, "READY=1") != NULL;
}

START_TEST(notifications)
{
    struct manager manager;
    manager_open(&manager);
    struct scene scene;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    scene.proxy.env = manager.env;
    proxy_launch(&scene.proxy);
    for (int64_t deadline = now_ms() + 30000; !manager_heard(&manager) && now_ms() < deadline;) {
        poll(NULL, 0, 5);
    }
    if (strstr(manager.said, "READY=1") == NULL && file_mentions(scene.proxy.log, "serving") > 0) {
        skip_test("built without libsystemd");
    }
    /* READY=1 means that the process serves. */
    struct session session = session_open(&scene);
    session_works(&session);
    proxy_wait_serving(&scene.proxy);
    manager.said[0] = '\0';
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    session_close(&session);
    wait_gone(first);
    manager_listen(&manager);
    char text[64];
    snprintf(text, sizeof text, "MAINPID=%d", scene.proxy.pid);
    ck_assert_msg(strstr(manager.said, text) != NULL, "no %s in: %s", text, manager.said);
    snprintf(text, sizeof text, "%d:", scene.proxy.pid);
    const char *successor = strstr(manager.said, text);
    ck_assert_msg(successor != NULL && strstr(successor, "READY=1") != NULL,
                  "no READY=1 of %d in: %s", scene.proxy.pid, manager.said);
    ck_assert_msg(strstr(manager.said, "STOPPING=1") == NULL, "a retiring process said: %s",
                  manager.said);
    proxy_stop(&scene.proxy);
    manager_listen(&manager);
    ck_assert_msg(strstr(manager.said, "STOPPING=1") != NULL, "no STOPPING=1 at the stop: %s",
                  manager.said);
}
END_TEST

/* The lowest number that the process has no descriptor with. */
static rlim_t lowest_free_descriptor(pid_t pid)
{
    char path[64];
    struct stat found;
    rlim_t number = 0;
    do {
        snprintf(path, sizeof path, "/proc/%d/fd/%u", pid, (unsigned)number);
    } while (lstat(path, &found) == 0 && ++number);
    return number;
}

START_TEST(status_while_descriptors_are_short)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct rlimit limit;
    int held = proxy_after_commands(&scene.proxy); /* no other command's descriptor comes free */
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_NOFILE, NULL, &limit), 0);
    struct rlimit full = {.rlim_cur = lowest_free_descriptor(scene.proxy.pid),
                          .rlim_max = limit.rlim_max};
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_NOFILE, &full, NULL), 0);
    const char *const argv[] = {proxy_binary(), "status", "-s", scene.proxy.control, NULL};
    char out[PATH_MAX];
    const struct program program = {.argv = argv, .out = test_path(out, "status.txt")};
    pid_t asking = program_start(&program);
    wait_mentioned(scene.proxy.log, "Too many open files");
    ck_assert_int_eq(prlimit(scene.proxy.pid, RLIMIT_NOFILE, &limit, NULL), 0);
    ck_assert_int_eq(wait_gone(asking), 0);
    ck_assert_uint_gt(file_mentions(out, "main/a"), 0);
    wait_mentions(scene.proxy.log, "Too many open files", 1);
    close(held);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *commands_suite(void)
{
    Suite *suite = suite_create("commands");
    scenario_add(suite, usage, 120);
    scenario_add(suite, check, 120);
    scenario_add(suite, no_process_answers, 120);
    scenario_add(suite, status, 300);
    scenario_add(suite, status_by_name, 120);
    scenario_add(suite, top_shows_sources_and_servers, 300);
    scenario_add(suite, watch_ends_at_a_key, 120);
    scenario_add(suite, stop_waits_for_sessions, 300);
    scenario_add(suite, stop_runs_out_of_time, 300);
    scenario_add(suite, stop_under_load, 600);
    scenario_add(suite, sigterm_under_load, 600);
    scenario_add(suite, sigterm_twice, 300);
    scenario_add(suite, sigint, 300);
    scenario_add(suite, stop_ends_draining_generations_too, 300);
    scenario_add(suite, reload_waits_for_the_drain, 300);
    scenario_add(suite, drain_timeout, 300);
    scenario_add(suite, max_generations, 300);
    scenario_add(suite, binary_replaced, 300);
    scenario_add(suite, started_by_a_relative_path, 300);
    scenario_add(suite, log_file_reopened, 300);
    scenario_add(suite, log_files_of_all_generations_are_reopened, 300);
    scenario_add(suite, a_stopped_process_has_not_reopened_its_log_file, 300);
    scenario_add(suite, a_log_file_that_cannot_be_reopened, 120);
    scenario_add(suite, notifications, 300);
    scenario_add(suite, status_while_descriptors_are_short, 120);
    return suite;
}
