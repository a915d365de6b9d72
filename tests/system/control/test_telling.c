/* What users are told: output that cannot be written, a file that is not the one that the process
 * reads, a control socket that has changed, an address that a connection holds. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/scene.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static void says(const char *text, const char *what)
{
    ck_assert_msg(strstr(text, what) != NULL, "'%s' is not said in: %s", what, text);
}

/* --- output that cannot be written --------------------------------------------------------- */

/* Shell commands that become another program, whose standard output is a full disk, or closed, or a
 * pipe that nobody reads. With the last one, a process that ignores SIGPIPE gets EPIPE. */
static const char *const redirections[] = {
    "exec \"$@\" >/dev/full", "exec \"$@\" >&-",
    "trap '' PIPE; mkfifo pipe; exec 3<>pipe 4>pipe 3>&-; rm pipe; exec \"$@\" >&4"};

/* Runs `rpproxy COMMAND`, split at spaces, and checks that it exits with 1 and prints why. */
static void expect_output_lost(const char *redirection, const char *command)
{
    char words[PATH_MAX * 2];
    const char *argv[16] = {"sh", "-c", redirection, "sh", proxy_binary()};
    size_t count = 5;
    snprintf(words, sizeof words, "%s", command);
    for (char *word = strtok(words, " "); word; word = strtok(NULL, " ")) {
        ck_assert_uint_lt(count, 15);
        argv[count++] = word;
    }
    struct outcome outcome;
    program_run(&(struct program){.argv = argv, .directory = test_directory()}, PATIENCE_MS,
                &outcome);
    ck_assert_msg(outcome.code == 1, "%s (%s): exit %d: %s", command, redirection, outcome.code,
                  outcome.err);
    says(outcome.err, "the output could not be written");
}

START_TEST(output_is_lost)
{
    static const char *const commands[] = {"--help",
                                           "--version",
                                           "--help-options",
                                           "reload --help",
                                           "check -f FILE",
                                           "status -f FILE",
                                           "status -f FILE --json",
                                           "status -f FILE --watch",
                                           "status -f FILE --json --watch",
                                           "config -f FILE",
                                           "config -f FILE --json",
                                           "server -f FILE main/a ready",
                                           "reload -f FILE --dry-run",
                                           "reload -f FILE",
                                           "reload -f FILE --wait=drained",
                                           "stop -f FILE"};
    struct scene scene;
    scene_init(&scene);
    scene_configure(&scene, "", "");
    for (size_t i = 0; i < sizeof redirections / sizeof *redirections; i++) {
        proxy_start(&scene.proxy);
        for (size_t j = 0; j < sizeof commands / sizeof *commands; j++) {
            char command[PATH_MAX + 64];
            const char *file = strstr(commands[j], "FILE");
            snprintf(command, sizeof command, "%.*s%s%s",
                     file ? (int)(file - commands[j]) : (int)strlen(commands[j]), commands[j],
                     file ? scene.proxy.file : "", file ? file + 4 : "");
            expect_output_lost(redirections[i], command);
        }
        /* The commands had their effects: two reloads, and the stop. */
        wait_mentions(scene.proxy.log, "is started, as ordered by a command of uid",
                      2 * ((unsigned)i + 1));
        wait_gone(scene.proxy.pid);
        wait_mentions(scene.proxy.log, "stopping: no new", (unsigned)i + 1);
    }
}
END_TEST

/* A command that fails for another reason keeps its exit status. */
START_TEST(output_is_lost_of_a_failure)
{
    struct scene scene;
    struct outcome outcome;
    scene_init(&scene);
    proxy_configure(&scene.proxy, "worker = 2\n");
    const char *argv[] = {"sh",    "-c", redirections[1],  "sh", proxy_binary(),
                          "check", "-f", scene.proxy.file, NULL};
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
    ck_assert_int_eq(outcome.code, 2);
    says(outcome.err, "worker");
}
END_TEST

/* --- which file ---------------------------------------------------------------------------- */

static void move_link(const char *to, const char *link)
{
    unlink(link);
    ck_assert_int_eq(symlink(to, link), 0);
}

/* `reload -f FILE` where the process reads another file, however FILE is reached. */
START_TEST(another_file_is_refused)
{
    struct scene scene;
    struct outcome outcome;
    char other[PATH_MAX], link[PATH_MAX];
    scene_start(&scene, "", "");
    copy_file(scene.proxy.file, test_path(other, "other.ini"), 0644);
    static const char *const options[][2] = {
        {NULL}, {"--wait=drained"}, {"--canary", "5%:1s"}, {"-s", NULL}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        bool by_socket = options[i][0] && strcmp(options[i][0], "-s") == 0;
        run(&outcome, proxy_binary(), "reload", "-f", other, options[i][0],
            by_socket ? scene.proxy.control : options[i][1], NULL);
        ck_assert_msg(outcome.code == 1, "exit %d: %s%s", outcome.code, outcome.out, outcome.err);
        says(outcome.err, scene.proxy.file);
        says(outcome.err, other);
        ck_assert_str_eq(outcome.out, "");
    }
    move_link(other, test_path(link, "link.ini"));
    run(&outcome, proxy_binary(), "reload", "-f", link, NULL);
    ck_assert_int_eq(outcome.code, 1);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "launches"), 0);

    /* The same file under another name is the same file. */
    move_link(scene.proxy.file, link);
    run(&outcome, proxy_binary(), "reload", "-f", link, NULL);
    ck_assert_msg(outcome.code == 0, "exit %d: %s", outcome.code, outcome.err);
    says(outcome.out, ", read from ");
    says(outcome.out, scene.proxy.file);
    proxy_follow(&scene.proxy);
    unlink(other);
    ck_assert_int_eq(linkat(AT_FDCWD, scene.proxy.file, AT_FDCWD, other, 0), 0);
    run(&outcome, proxy_binary(), "reload", "-f", other, NULL);
    ck_assert_msg(outcome.code == 0, "exit %d: %s", outcome.code, outcome.err);
    proxy_follow(&scene.proxy);
    run(&outcome, proxy_binary(), "reload", "-s", scene.proxy.control, NULL);
    ck_assert_int_eq(outcome.code, 0);
    says(outcome.out, ", read from ");
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A symbolic link in the path of the file is followed again at each reload. A link in the path of
 * the folder in which the process was started is not. */
START_TEST(link_that_has_moved)
{
    struct scene scene;
    struct outcome outcome;
    char first[PATH_MAX], second[PATH_MAX], link[PATH_MAX], configured[PATH_MAX];
    scene_init(&scene);
    scene_configure(&scene, "", "");
    ck_assert_int_eq(mkdir(test_path(first, "v1"), 0755), 0);
    ck_assert_int_eq(mkdir(test_path(second, "v2"), 0755), 0);
    test_path(link, "current");
    strcpy(configured, scene.proxy.file);
    test_path(scene.proxy.file, "current/p.ini");
    move_link(first, link);
    copy_file(configured, scene.proxy.file, 0644);
    proxy_start(&scene.proxy);
    move_link(second, link);
    copy_file(configured, scene.proxy.file, 0644);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 0);
    says(outcome.out, ", read from ");
    says(outcome.out, "v2/p.ini");
    proxy_follow(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);

    const char *argv[] = {proxy_binary(), "-f", "p.ini", NULL};
    scene.proxy.pid = program_start(&(struct program){
        .argv = argv, .directory = link, .out = scene.proxy.log, .err = scene.proxy.log});
    proxy_wait_serving(&scene.proxy);
    move_link(first, link);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 1);
    says(outcome.err, "v2/p.ini");
    says(outcome.err, "v1/p.ini");
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(control_has_changed)
{
    struct scene scene;
    char old[PATH_MAX], hint[2 * PATH_MAX + 64];
    scene_start(&scene, "", "");
    snprintf(old, sizeof old, "%s", scene.proxy.control);
    test_path(scene.proxy.control, "new.sock");
    scene_configure(&scene, "", "");
    snprintf(hint, sizeof hint, "answers on %s: use -s %s", old, old);
    static const char *const commands[] = {"reload", "status", "config", "stop"};
    struct outcome outcome;
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, commands[i], NULL), 8);
        says(outcome.err, hint);
    }
    run(&outcome, proxy_binary(), "reload", "-s", old, NULL);
    ck_assert_int_eq(outcome.code, 0);
    proxy_follow(&scene.proxy);
    proxy_stop(&scene.proxy);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 8);
    says(outcome.err, "if control was changed");
    run(&outcome, proxy_binary(), "status", "-s", old, NULL);
    ck_assert_int_eq(outcome.code, 8);
    ck_assert_msg(strstr(outcome.err, "use -s") == NULL, "%s", outcome.err);
}
END_TEST

/* --- an address that a connection holds ------------------------------------------------------ */

/* The proxy's own connection to its server, from the port of a new bind. */
START_TEST(connection_holds_the_address)
{
    struct scene scene;
    struct outcome outcome;
    char added[128], wanted[64];
    /* Elsewhere a connection of another program may have the same local port. */
    if (!network_own())
        skip_test("no network of its own is possible here");
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    session_works(&session);
    struct endpoint from = {.length = sizeof from.in6};
    ck_assert_int_eq(getpeername(session.server, &from.any, &from.length), 0);
    snprintf(added, sizeof added, "bind = 127.0.0.1:%u\n", ntohs(from.in.sin_port));
    scene_configure(&scene, "", added);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 3);
    snprintf(wanted, sizeof wanted, "an outgoing connection to 127.0.0.1:%u", scene.server_port);
    says(outcome.err, wanted);
    snprintf(wanted, sizeof wanted, "process %d (", scene.proxy.pid);
    says(outcome.err, wanted);
    ck_assert_msg(strstr(outcome.err, "shares an address") == NULL, "%s", outcome.err);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- what is so again and again --------------------------------------------------------------- */

/* A server whose backlog is full, which says nothing about the server, beside a healthy one. */
START_TEST(shortage_of_checks_is_logged_once)
{
    enum { ROUNDS = 30 };
    struct scene scene;
    char path[PATH_MAX], rest[PATH_MAX + 128];
    struct endpoint full = endpoint_unix(test_path(path, "full.sock"));
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, &full.any, full.length), 0);
    ck_assert_int_eq(listen(listener, 0), 0);
    int waiting = try_connect(&full);
    ck_assert_int_ge(waiting, 0);
    scene_init(&scene);
    snprintf(rest, sizeof rest, "server = b unix:%s\ncheck = tcp\ncheck-interval = 20ms\n", path);
    scene_configure(&scene, "", rest);
    proxy_start(&scene.proxy);
    for (int i = 0; i < ROUNDS; i++) {
        close(accept_from(scene.listener));
    }
    wait_mentions(scene.proxy.log, "server main/b cannot be checked", 1);
    close(waiting);
    close(listener);
    proxy_stop(&scene.proxy);
}
END_TEST

/* No command waits for ever for a process that hangs. A process that hangs greets nobody. */
START_TEST(a_proxy_that_hangs_is_reported)
{
    static const char *const commands[][3] = {
        {"status"},
        {"config"},
        {"server", "main/a", "ready"},
        {"sessions"},
        {"kill", "frontend=main"},
        {"frontend", "main"},
        {"history"},
        {"reopen"},
        {"stop"},
        {"reload", "--verbose"},
    };
    enum { COUNT = sizeof commands / sizeof *commands };
    struct scene scene;
    pid_t pids[COUNT];
    scene_start(&scene, "", "");
    process_stop(scene.proxy.pid);
    for (size_t i = 0; i < COUNT; i++) {
        pids[i] = proxy_command_start(&scene.proxy, NULL, commands[i][0], commands[i][1],
                                      commands[i][2], NULL);
    }
    for (size_t i = 0; i < COUNT; i++) {
        int code = WEXITSTATUS(wait_gone(pids[i]));
        ck_assert_msg(code == 8, "%s: exit %d", commands[i][0], code);
    }
    kill(scene.proxy.pid, SIGKILL);
    wait_gone(scene.proxy.pid);
}
END_TEST

Suite *telling_suite(void)
{
    Suite *suite = suite_create("telling");
    scenario_add(suite, output_is_lost, 120);
    scenario_add(suite, output_is_lost_of_a_failure, 120);
    scenario_add(suite, another_file_is_refused, 120);
    scenario_add(suite, link_that_has_moved, 120);
    scenario_add(suite, control_has_changed, 120);
    scenario_add(suite, connection_holds_the_address, 120);
    scenario_add(suite, shortage_of_checks_is_logged_once, 120);
    scenario_add(suite, a_proxy_that_hangs_is_reported, 120);
    return suite;
}
