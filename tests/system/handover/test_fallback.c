/* Reloads in difficult situations: other programs in the reuseport group, an old process that dies
 * while it lingers, stops and reloads during a reload, and a file in which everything has changed.
 */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tun.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RELOADS = 12, IN_FLIGHT = 100, CONNECTIONS = 200, HELD = 10 };

static const unsigned worker_counts[] = {1, 4, 2, 3};

static void configure(const struct scene *scene, unsigned workers, const char *more)
{
    char global[64];
    snprintf(global, sizeof global, "workers = %u\nlinger-timeout = 60s\n", workers);
    scene_configure(scene, global, more);
}

/* Does everything but the start. */
static void prepare(struct scene *scene)
{
    scene_init(scene);
    scene->server_port = origin_port(origin_start(ORIGIN_ANSWER));
    configure(scene, 2, "");
}

static void start(struct scene *scene)
{
    prepare(scene);
    proxy_start(&scene->proxy);
}

/* Starts the proxy from a binary that the test may replace. */
static void start_own_binary(struct scene *scene)
{
    prepare(scene);
    proxy_own_binary(&scene->proxy);
    proxy_start(&scene->proxy);
}

static struct churn *load(uint16_t port)
{
    struct endpoint front = endpoint_loopback(port);
    return churn_load(&front, IN_FLIGHT);
}

static void end_clean(struct scene *scene, struct churn *churn, const char *what)
{
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    churn_stop_clean(churn, what);
    proxy_wait_drained(&scene->proxy);
    proxy_stop(&scene->proxy);
}

/* Another program of the same user listens on the port and never accepts. */
static int join_group(uint16_t port)
{
    struct endpoint address = endpoint_loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1;
    ck_assert_int_ge(fd, 0);
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ck_assert_int_eq(bind(fd, &address.any, address.length), 0);
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

/* A reload after which its answer and the log say that the bind was passed, and why. */
static void reload_passing(struct scene *scene, const char *why)
{
    struct outcome outcome;
    char text[128];
    snprintf(text, sizeof text, "127.0.0.1:%u: %s", scene->port, why);
    unsigned before = file_mentions(scene->proxy.log, text);
    int code = proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 0, "exit %d: %s", code, outcome.err);
    ck_assert_msg(strstr(outcome.err, text) != NULL, "the answer does not say \"%s\": %s", text,
                  outcome.err);
    wait_mentions_least(scene->proxy.log, text, before + 1);
    proxy_follow(&scene->proxy);
}

static void expect_way(const struct scene *scene, const char *way)
{
    struct outcome outcome;
    char format[64], found[16];
    ck_assert_int_eq(proxy_command(&scene->proxy, &outcome, "status", NULL), 0);
    snprintf(format, sizeof format, "127.0.0.1:%u", scene->port);
    const char *line = strstr(outcome.out, format);
    ck_assert_ptr_nonnull(line);
    ck_assert_int_eq(sscanf(line, "%*s %*s %*s %15s", found), 1);
    ck_assert_msg(strcmp(found, way) == 0, "status says: %s", outcome.out);
}

START_TEST(foreign_program_in_the_group)
{
    struct scene scene;
    start(&scene);
    struct churn *churn = load(scene.port);
    int foreign = join_group(scene.port);
    for (unsigned i = 0; i < scaled(RELOADS, 4); i++) {
        configure(&scene, worker_counts[i % 4], "");
        reload_passing(&scene, "another program listens there as well");
        expect_way(&scene, "pass");
        churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    }
    close(foreign);
    for (unsigned i = 0; i < scaled(RELOADS, 4); i++) {
        configure(&scene, worker_counts[i % 4], "");
        proxy_reload(&scene.proxy);
        expect_way(&scene, "steer");
    }
    end_clean(&scene, churn, "a foreign program in the group, and gone");
}
END_TEST

/* The new process is started by a script that first lets another program join the group. The reload
 * fails, no client is lost, and the next reload passes the listeners. */
START_TEST(foreign_program_joins_meanwhile)
{
    struct scene scene;
    char gate[PATH_MAX], wrapper[PATH_MAX];
    start_own_binary(&scene);
    struct churn *churn = load(scene.port);
    test_path(gate, "gate");
    test_path(wrapper, "waiting");
    write_file(gate, 0644, "closed");
    write_file(wrapper, 0755,
               "#!/bin/sh\necho waits >&2\nwhile [ -e %s ]; do sleep 0.01; done\nexec %s \"$@\"\n",
               gate, proxy_binary());
    ck_assert_int_eq(rename(wrapper, scene.proxy.program), 0);

    char answer[PATH_MAX], text[4096];
    test_path(answer, "answer");
    pid_t command = proxy_command_start(&scene.proxy, answer, "reload", NULL);
    wait_mentioned(scene.proxy.log, "waits");
    int foreign = join_group(scene.port);
    unlink(gate);
    int code = wait_gone(command);
    read_file(answer, text, sizeof text);
    ck_assert_msg(code == W_EXITCODE(5, 0), "exit %d: %s", code, text);
    ck_assert_msg(strstr(text, "another program has joined") != NULL, "it says: %s", text);
    copy_file(proxy_binary(), scene.proxy.program, 0755);
    proxy_reload(&scene.proxy);
    expect_way(&scene, "pass");
    churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    close(foreign);
    proxy_reload(&scene.proxy);
    expect_way(&scene, "steer");
    end_clean(&scene, churn, "a foreign program that joins meanwhile");
}
END_TEST

/* A proxy whose next reload finds HELD clients that keep their last ACK back, so that the old
 * process lingers. Returns NULL, or the reason why this is not possible here. */
static const char *start_lingering(struct scene *scene, struct tun **tun, unsigned give_up_in_ms)
{
    const char *why = "no network namespace may be made here";
    if (!network_own()) {
        return why;
    }
    *tun = tun_open(&why);
    if (*tun == NULL) {
        return why;
    }
    prepare(scene);
    uint16_t held_port = port_reserve(getuid());
    char held[128];
    snprintf(held, sizeof held,
             "[listen held]\nbind = " TUN_SERVER ":%u\nserver = a 127.0.0.1:%u\n", held_port,
             origin_port(origin_start(ORIGIN_ECHO)));
    configure(scene, 2, held);
    proxy_start(&scene->proxy);
    tun_clients_start(*tun, &(struct tun_options){.port = held_port,
                                                  .in_flight = HELD,
                                                  .total = HELD,
                                                  .hold = true,
                                                  .give_up_in_ms = give_up_in_ms});
    tun_clients_wait_answered(*tun, HELD);
    return NULL;
}

static const char *kill_lingering_predecessor(struct scene *scene)
{
    struct tun *tun;
    const char *why = start_lingering(scene, &tun, 1000);
    if (why != NULL) {
        return why;
    }
    pid_t predecessor = scene->proxy.pid;
    proxy_reload(&scene->proxy);
    wait_mentioned(scene->proxy.log, "reloaded: ");
    kill(predecessor, SIGKILL);
    wait_gone(predecessor);
    struct tun_result result;
    tun_clients_stop(tun, &result);
    return NULL;
}

/* The new process has duplicates of the old listeners, and knows the positions of its own. */
START_TEST(predecessor_killed_while_lingering)
{
    struct scene scene;
    const char *skip = kill_lingering_predecessor(&scene);
    if (skip != NULL) {
        skip_test("%s", skip);
    }
    proxy_wait_drained(&scene.proxy);
    struct churn *churn = load(scene.port);
    for (unsigned i = 0; i < scaled(RELOADS, 5); i++) {
        configure(&scene, worker_counts[i % 4], "");
        proxy_reload(&scene.proxy);
        expect_way(&scene, "steer");
        churn_wait(churn, churn_ended(churn) + CONNECTIONS);
    }
    end_clean(&scene, churn, "after a predecessor's death in its linger");
}
END_TEST

/* Clients that have connected are served, also where the bind is passed. Later clients are refused.
 */
static void expect_only_refused(struct churn *churn, const char *what)
{
    struct churn_result result;
    churn_stop(churn, &result);
    if (churn_lost(&result) > result.lost[LOSS_REFUSED]) {
        churn_print(&result, what);
        ck_abort_msg("%s: clients were lost that the proxy had", what);
    }
}

START_TEST(passed_bind_ends)
{
    struct scene scene;
    start(&scene);
    int foreign = join_group(scene.port);
    reload_passing(&scene, "another program listens there as well");
    close(foreign);
    proxy_wait_drained(&scene.proxy);
    uint16_t passed = scene.port;
    scene.port = port_reserve(getuid());
    struct churn *removed = load(passed);
    configure(&scene, 3, "");
    proxy_reload(&scene.proxy);
    struct churn *churn = load(scene.port);
    proxy_wait_drained(&scene.proxy);
    expect_only_refused(removed, "a passed bind that is removed");
    end_clean(&scene, churn, "its successor");
}
END_TEST

START_TEST(stop_of_passed_binds)
{
    struct scene scene;
    start(&scene);
    int foreign = join_group(scene.port);
    reload_passing(&scene, "another program listens there as well");
    close(foreign);
    proxy_wait_drained(&scene.proxy);
    struct churn *churn = load(scene.port);
    proxy_stop(&scene.proxy);
    expect_only_refused(churn, "a stop with passed binds");
}
END_TEST

/* A stop waits for the old process's listeners, and then closes the binds as any other stop does.
 */
START_TEST(stop_right_after_a_reload)
{
    struct scene scene;
    prepare(&scene);
    for (unsigned i = 0; i < scaled(RELOADS, 4); i++) {
        configure(&scene, worker_counts[i % 4], "");
        proxy_start(&scene.proxy);
        struct churn *churn = load(scene.port);
        proxy_reload(&scene.proxy);
        proxy_stop(&scene.proxy);
        expect_only_refused(churn, "a stop right after a reload");
    }
}
END_TEST

/* The new process is launched and sends nothing. */
static void hang_successor(struct scene *scene, char successor_file[static PATH_MAX])
{
    char wrapper[PATH_MAX];
    test_path(successor_file, "successor");
    test_path(wrapper, "hanging");
    write_file(wrapper, 0755,
               "#!/bin/sh\necho $$ > %s.new\nmv %s.new %s\n"
               "while :; do sleep 0.01; [ -e %s.go ] && exec %s \"$@\"; done\n",
               successor_file, successor_file, successor_file, successor_file, proxy_binary());
    ck_assert_int_eq(rename(wrapper, scene->proxy.program), 0);
}

static void start_to_hang(struct scene *scene, char successor_file[static PATH_MAX])
{
    start_own_binary(scene);
    hang_successor(scene, successor_file);
}

static pid_t pid_in(const char *file)
{
    char text[32];
    int pid;
    ck_assert_uint_gt(read_file(file, text, sizeof text), 0);
    ck_assert_int_eq(sscanf(text, "%d", &pid), 1);
    return pid;
}

START_TEST(stop_during_a_reload)
{
    struct scene scene;
    char successor_file[PATH_MAX];
    start_to_hang(&scene, successor_file);
    struct churn *churn = load(scene.port);
    char answer[PATH_MAX], text[4096];
    test_path(answer, "answer");
    pid_t command = proxy_command_start(&scene.proxy, answer, "reload", NULL);
    wait_file(successor_file);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "stop", NULL), 0);
    int status = wait_gone(command);
    read_file(answer, text, sizeof text);
    ck_assert_msg(WIFEXITED(status) && WEXITSTATUS(status) == 5 &&
                      strstr(text, "told to stop") != NULL,
                  "wait status %d: %s", status, text);
    wait_gone(pid_in(successor_file));
    wait_gone(scene.proxy.pid);
    expect_only_refused(churn, "a stop during a reload");
}
END_TEST

/* Sends a signal to the old process as soon as the new one is launched. The new process begins when
 * the old one is gone. Returns the pid of the new process. */
static pid_t signal_at_the_launch(struct scene *scene, int signal)
{
    char successor_file[PATH_MAX], go[PATH_MAX + 4];
    start_to_hang(scene, successor_file);
    kill(scene->proxy.pid, SIGHUP);
    wait_file(successor_file);
    kill(scene->proxy.pid, signal);
    wait_gone(scene->proxy.pid);
    snprintf(go, sizeof go, "%s.go", successor_file);
    write_file(go, 0644, "go");
    return pid_in(successor_file);
}

/* SIGINT ends the proxy. The new process must not take over. */
START_TEST(sigint_during_a_reload)
{
    struct scene scene;
    wait_gone(signal_at_the_launch(&scene, SIGINT));
}
END_TEST

/* The old process is killed before the new one has sent a message or could look at its parent. */
START_TEST(predecessor_killed_at_the_launch)
{
    struct scene scene;
    scene.proxy.pid = signal_at_the_launch(&scene, SIGKILL);
    proxy_wait_serving(&scene.proxy);
    struct churn *churn = load(scene.port);
    copy_file(proxy_binary(), scene.proxy.program, 0755);
    end_clean(&scene, churn, "a successor on its own");
}
END_TEST

/* The first message of the new process is not of our protocol. */
START_TEST(another_protocol)
{
    struct scene scene;
    struct outcome outcome;
    char wrapper[PATH_MAX];
    start_own_binary(&scene);
    struct churn *churn = load(scene.port);
    test_path(wrapper, "foreign");
    write_file(wrapper, 0755,
               "#!/bin/bash\nprintf hello >&$RPPROXY_HANDOVER_FD\nexec sleep 1000\n");
    ck_assert_int_eq(rename(wrapper, scene.proxy.program), 0);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 5);
    ck_assert_msg(strstr(outcome.err, "does not speak the handover protocol") != NULL,
                  "it says: %s", outcome.err);
    copy_file(proxy_binary(), scene.proxy.program, 0755);
    proxy_reload(&scene.proxy);
    end_clean(&scene, churn, "beside a successor of another tongue");
}
END_TEST

/* An old process that lingers serves the clients that have connected, whatever signal it gets. */
START_TEST(sigterm_to_a_lingering_predecessor)
{
    struct scene scene;
    struct tun *tun;
    const char *skip = start_lingering(&scene, &tun, 0);
    if (skip != NULL) {
        skip_test("%s", skip);
    }
    pid_t predecessor = scene.proxy.pid;
    struct churn *churn = load(scene.port);
    proxy_reload(&scene.proxy);
    kill(predecessor, SIGTERM);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    struct tun_result result;
    tun_clients_stop(tun, &result);
    tun_print_losses(&result);
    ck_assert_uint_eq(result.ends[TUN_COMPLETED], HELD);
    wait_gone(predecessor);
    end_clean(&scene, churn, "beside a predecessor that got SIGTERM");
}
END_TEST

/* Commands are sent all the time, and each is answered. */
START_TEST(commands_during_reloads)
{
    struct scene scene;
    start(&scene);
    char stop[PATH_MAX], asker[PATH_MAX], failures[PATH_MAX];
    test_path(stop, "stop");
    test_path(asker, "asker");
    test_path(failures, "failures");
    write_file(asker, 0755,
               "#!/bin/sh\nwhile [ ! -e %s ]; do\n"
               "%s status -f %s >/dev/null 2>&1 || echo \"exit $?\" >> %s\ndone\n",
               stop, proxy_binary(), scene.proxy.file, failures);
    const char *argv[] = {asker, NULL};
    pid_t askers[4];
    for (size_t i = 0; i < 4; i++) {
        askers[i] = program_start(&(struct program){.argv = argv});
    }
    for (unsigned i = 0; i < scaled(RELOADS * 2, 8); i++) {
        proxy_reload(&scene.proxy);
    }
    write_file(stop, 0644, "stop");
    for (size_t i = 0; i < 4; i++) {
        wait_gone(askers[i]);
    }
    ck_assert_uint_eq(file_mentions(failures, "exit"), 0);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* More clients of the control socket than it serves at a time: the next one gets its turn. */
START_TEST(silent_control_clients)
{
    enum { SILENT = 40 };
    struct scene scene;
    start(&scene);
    struct endpoint control = endpoint_unix(scene.proxy.control);
    int clients[SILENT];
    for (unsigned i = 0; i < SILENT; i++) {
        clients[i] = connect_to(&control);
    }
    send(clients[0], "{\"command\": \"no such\"}\n", 23, MSG_NOSIGNAL);
    /* The proxy has accepted the earlier clients as well. */
    ck_assert(readable_within(clients[0], PATIENCE_MS));
    int late = connect_to(&control);
    send_all(late, "{\"command\": \"status\"}\n", 22);
    ck_assert(!readable_within(late, 100)); /* it is not hung up on */
    for (unsigned i = 0; i < SILENT; i++) {
        close(clients[i]);
    }
    char byte;
    receive_exactly(late, &byte, 1);
    ck_assert_int_eq(byte, '{');
    close(late);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Paths and lines may have any bytes. The answers are JSON. */
START_TEST(not_utf8)
{
    struct scene scene;
    prepare(&scene);
    char bind[PATH_MAX];
    snprintf(bind, sizeof bind, "bind = unix:%.200s/f\xff.sock\n", test_directory());
    configure(&scene, 2, bind);
    proxy_start(&scene.proxy);
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "f?.sock") != NULL, "status says: %s", outcome.out);
    configure(&scene, 2, "n\xffnsense = 1\n");
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "n?nsense") != NULL, "reload says: %s", outcome.err);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Two configurations in which everything differs that may differ, in turns. */
static void configure_all(const struct scene *scene, unsigned turn, const char *other_bind)
{
    bool odd = turn % 2 == 1;
    char log[PATH_MAX], unix_bind[PATH_MAX];
    snprintf(log, sizeof log, "log = file:%.200s/other.log\n", test_directory());
    snprintf(unix_bind, sizeof unix_bind, "bind = unix:%.200s/odd.sock\n", test_directory());
    proxy_configure(&scene->proxy,
                    "workers = %u\n%slog-level = %s\nmax-sessions = %u\n"
                    "[frontend %s]\nbackend = %s\n%s%s"
                    "[frontend %s]\nbackend = %s\nbind = 127.0.0.1:%u\n%s"
                    "[backend %s]\nserver = %s 127.0.0.1:%u\n",
                    worker_counts[turn % 4], odd ? log : "", odd ? "debug" : "info",
                    odd ? 5000 : 4000, odd ? "a" : "b", odd ? "x" : "y", odd ? "" : other_bind,
                    odd ? unix_bind : "", odd ? "b" : "c", odd ? "x" : "y", scene->port,
                    odd ? other_bind : "", odd ? "x" : "y", odd ? "s" : "t", scene->server_port);
}

START_TEST(everything_changes)
{
    struct scene scene;
    char bind[64], control[PATH_MAX], pidfile[PATH_MAX];
    prepare(&scene);
    uint16_t other = port_reserve(getuid());
    snprintf(bind, sizeof bind, "bind = 127.0.0.1:%u\n", other);
    snprintf(control, sizeof control, "%s", scene.proxy.control);
    snprintf(pidfile, sizeof pidfile, "%s", scene.proxy.pidfile);
    configure_all(&scene, 0, bind);
    proxy_start(&scene.proxy);
    struct churn *churn = load(scene.port), *others = load(other);
    for (unsigned i = 1; i <= scaled(RELOADS, 4); i++) {
        char was[PATH_MAX], had[PATH_MAX];
        struct outcome outcome;
        struct status status;
        snprintf(was, sizeof was, "%s", scene.proxy.control);
        snprintf(had, sizeof had, "%s", scene.proxy.pidfile);
        snprintf(scene.proxy.control, PATH_MAX, "%.*s%s", PATH_MAX - 8, control,
                 i % 2 == 1 ? ".odd" : "");
        snprintf(scene.proxy.pidfile, PATH_MAX, "%.*s%s", PATH_MAX - 8, pidfile,
                 i % 2 == 1 ? ".odd" : "");
        configure_all(&scene, i, bind);
        run(&outcome, proxy_binary(), "reload", "-s", was, NULL);
        ck_assert_msg(outcome.code == 0, "exit %d: %s", outcome.code, outcome.err);
        ck_assert(proxy_status(&scene.proxy, &status));
        ck_assert_uint_eq(status.generation, i + 1);
        scene.proxy.pid = status.pid;
        ck_assert_int_eq(proxy_pidfile(&scene.proxy), status.pid);
        proxy_wait_drained(&scene.proxy);
        ck_assert_msg(access(was, F_OK) != 0, "%s is still there", was);
        ck_assert_msg(access(had, F_OK) != 0, "%s is still there", had);
    }
    churn_stop_clean(others, "a bind that changes its frontend");
    end_clean(&scene, churn, "everything changes");
}
END_TEST

static unsigned draining_wanted;

static bool expected_number_drains(void *argument)
{
    const struct scene *scene = argument;
    struct status status;
    return proxy_status(&scene->proxy, &status) && status.count == draining_wanted + 1;
}

static void wait_draining(struct scene *scene, unsigned count)
{
    draining_wanted = count;
    wait_until(expected_number_drains, scene, "the expected number of generations drains");
}

/* Five generations drain and one of them is killed. Then only two may drain. */
START_TEST(fewer_generations)
{
    enum { CHAIN = 5 };
    struct scene scene;
    struct session sessions[CHAIN];
    pid_t pids[CHAIN];
    scene_start(&scene, "drain = wait\nmax-generations = 8\n", "");
    for (unsigned i = 0; i < CHAIN; i++) {
        sessions[i] = session_open(&scene);
        session_works(&sessions[i]);
        pids[i] = scene.proxy.pid;
        proxy_reload(&scene.proxy);
    }
    wait_draining(&scene, CHAIN);
    kill(pids[2], SIGKILL);
    wait_gone(pids[2]);
    wait_draining(&scene, CHAIN - 1);
    scene_configure(&scene, "drain = wait\nmax-generations = 2\n", "");
    proxy_reload(&scene.proxy);
    wait_draining(&scene, 2);
    wait_gone(pids[0]);
    wait_gone(pids[1]);
    session_is_cut(&sessions[0]);
    session_is_cut(&sessions[1]);
    close(sessions[2].client); /* its process was killed */
    close(sessions[2].server);
    for (unsigned i = 3; i < CHAIN; i++) {
        session_works(&sessions[i]);
        session_close(&sessions[i]);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *fallback_suite(void)
{
    Suite *suite = suite_create("fallback");
    scenario_add(suite, foreign_program_in_the_group, 600);
    scenario_add(suite, foreign_program_joins_meanwhile, 300);
    scenario_add(suite, predecessor_killed_while_lingering, 600);
    scenario_add(suite, passed_bind_ends, 300);
    scenario_add(suite, stop_of_passed_binds, 300);
    scenario_add(suite, stop_right_after_a_reload, 300);
    scenario_add(suite, stop_during_a_reload, 300);
    scenario_add(suite, sigint_during_a_reload, 300);
    scenario_add(suite, predecessor_killed_at_the_launch, 300);
    scenario_add(suite, another_protocol, 300);
    scenario_add(suite, sigterm_to_a_lingering_predecessor, 300);
    scenario_add(suite, commands_during_reloads, 600);
    scenario_add(suite, silent_control_clients, 300);
    scenario_add(suite, not_utf8, 300);
    scenario_add(suite, everything_changes, 600);
    scenario_add(suite, fewer_generations, 300);
    return suite;
}
