/* The users of processes, ports and the control socket. Most of it needs root. */
#include "tests/system/scenarios.h"
#include "tests/system/support/churn.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <errno.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

enum { NET_BIND_SERVICE = 10, PORT = 80, HIGH_PORT = 8080 };

static const char user[] = "nobody", other_user[] = "daemon";

#define ROOT_IN_OWN_NETWORK()                                                                      \
    do {                                                                                           \
        if (getuid() != 0 || !network_own()) {                                                     \
            skip_test("only root can use several users and a network namespace");                  \
        }                                                                                          \
    } while (0)

static uid_t uid_of(const char *name)
{
    const struct passwd *entry = getpwnam(name);
    ck_assert_msg(entry != NULL, "no user %s", name);
    return entry->pw_uid;
}

static int socket_of(const char *name)
{
    setfsuid(uid_of(name));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setfsuid(0);
    ck_assert_int_ge(fd, 0);
    int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
    return fd;
}

/* Makes `name` the owner of the folder in which the proxy makes its sockets and files. */
static void give_folder(const struct proxy *proxy, const char *name)
{
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", proxy->control);
    *strrchr(folder, '/') = '\0';
    ck_assert_int_eq(chown(folder, uid_of(name), (gid_t)-1), 0);
}

static void configure(const struct proxy *proxy, const char *options, uint16_t port,
                      const struct origin *origin)
{
    proxy_configure(proxy, "%s[listen main]\nbind = 0.0.0.0:%u\nserver = a 127.0.0.1:%u\n", options,
                    port, origin_port(origin));
}

static void expect_confined(pid_t pid)
{
    const unsigned long long only = 1ULL << NET_BIND_SERVICE;
    ck_assert_uint_eq(process_status(pid, "Uid:", 10), uid_of(user));
    ck_assert_msg(process_status(pid, "CapPrm:", 16) == only, "CapPrm of %d is %llx", pid,
                  process_status(pid, "CapPrm:", 16));
    ck_assert_msg((process_status(pid, "CapEff:", 16) | only) == only, "CapEff of %d is %llx", pid,
                  process_status(pid, "CapEff:", 16));
}

START_TEST(drops_root_and_reloads_on_port_80)
{
    ROOT_IN_OWN_NETWORK();
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_own_binary(&proxy); /* in a folder where this user may execute it */
    give_folder(&proxy, user);
    configure(&proxy, "user = nobody\nworkers = 2\n", PORT, origin);
    proxy_start(&proxy);
    expect_confined(proxy.pid);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_loopback(PORT), .in_flight = 50});
    for (unsigned i = 0; i < scaled(10, 3); i++) {
        churn_wait(churn, churn_ended(churn) + 100);
        proxy_reload(&proxy);
        expect_confined(proxy.pid);
        ck_assert_int_eq(proxy_pidfile(&proxy), proxy.pid);
    }
    churn_stop_clean(churn, "as user nobody on port 80");
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

/* Only the proxy's own user can join its group and take clients. */
START_TEST(port_is_closed_to_other_users)
{
    ROOT_IN_OWN_NETWORK();
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_own_binary(&proxy);
    give_folder(&proxy, user);
    configure(&proxy, "user = nobody\n", HIGH_PORT, origin);
    proxy_start(&proxy);
    struct endpoint addresses[] = {endpoint_loopback(HIGH_PORT), endpoint_loopback(HIGH_PORT)};
    addresses[1].in.sin_addr.s_addr = INADDR_ANY;
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 2; i++) {
            int intruder = socket_of(other_user);
            ck_assert_int_lt(bind(intruder, &addresses[i].any, addresses[i].length), 0);
            ck_assert_int_eq(errno, EADDRINUSE);
            close(intruder);
        }
        proxy_reload(&proxy);
    }
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

/* A second rpproxy that fails names the process that has the port. */
START_TEST(owner_of_the_port_is_named)
{
    ROOT_IN_OWN_NETWORK();
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct endpoint where = endpoint_loopback(HIGH_PORT);
    where.in.sin_addr.s_addr = INADDR_ANY;
    int holder = socket_of(other_user);
    ck_assert_int_eq(bind(holder, &where.any, where.length), 0);
    ck_assert_int_eq(listen(holder, 1), 0);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_own_binary(&proxy);
    give_folder(&proxy, user);
    configure(&proxy, "user = nobody\n", HIGH_PORT, origin);
    struct outcome outcome;
    const char *argv[] = {proxy.program, "-f", proxy.file, NULL};
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 3, "exit %d: %s", outcome.code, outcome.err);
    ck_assert_msg(strstr(outcome.err, other_user) != NULL, "it does not name the user: %s",
                  outcome.err);
    ck_assert_msg(strstr(outcome.err, "0.0.0.0:8080") != NULL, "it does not name the address: %s",
                  outcome.err);
}
END_TEST

START_TEST(control_socket_is_private)
{
    if (getuid() != 0) {
        skip_test("only root can be several users");
    }
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_own_binary(&proxy);
    give_folder(&proxy, user);
    uint16_t port = port_reserve(uid_of(user));
    configure(&proxy, "user = nobody\n", port, origin);
    proxy_start(&proxy);
    struct stat socket;
    ck_assert_int_eq(stat(proxy.control, &socket), 0);
    ck_assert_uint_eq(socket.st_mode & 0777, 0600);
    ck_assert_uint_eq(socket.st_uid, uid_of(user));

    static const char *const commands[] = {"status", "reload", "stop"};
    for (unsigned opened = 0; opened < 2; opened++) {
        for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
            const char *argv[] = {proxy.program, commands[i], "-s", proxy.control, NULL};
            struct outcome outcome;
            program_run(&(struct program){.argv = argv, .user = other_user}, PATIENCE_MS, &outcome);
            ck_assert_msg(outcome.code != 0, "a other_user's %s was obeyed", commands[i]);
            ck_assert_msg(outcome.err[0] != '\0', "a other_user's %s is refused without a word",
                          commands[i]);
        }
        /* Even if the file's mode would permit it. */
        ck_assert_int_eq(chmod(proxy.control, 0666), 0);
    }
    const char *argv[] = {proxy.program, "status", "-s", proxy.control, NULL};
    struct outcome outcome;
    program_run(&(struct program){.argv = argv, .user = user}, PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 0, "its own user is refused: %s", outcome.err);
    ck_assert_msg(process_alive(proxy.pid), "a other_user ended it");
    proxy_reload(&proxy);
    ck_assert_int_eq(stat(proxy.control, &socket), 0);
    ck_assert_uint_eq(socket.st_mode & 0777, 0600);
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

START_TEST(second_proxy_on_a_file_is_refused)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct proxy proxy;
    uint16_t port = port_reserve(getuid());
    proxy_init(&proxy, "proxy");
    configure(&proxy, "", port, origin);
    proxy_start(&proxy);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_loopback(port), .in_flight = 20});
    for (unsigned i = 0; i < 5; i++) {
        struct outcome outcome;
        char pid[16];
        const char *argv[] = {proxy.program, "-f", proxy.file, NULL};
        program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
        ck_assert_msg(outcome.code == 1, "exit %d: %s", outcome.code, outcome.err);
        snprintf(pid, sizeof pid, "%d", proxy.pid);
        ck_assert_msg(strstr(outcome.err, pid) != NULL, "it does not name pid %s: %s", pid,
                      outcome.err);
        ck_assert_int_eq(proxy_pidfile(&proxy), proxy.pid);
        proxy_reload(&proxy);
    }
    churn_stop_clean(churn, "beside a second proxy on its file");
    proxy_wait_drained(&proxy);
    proxy_stop(&proxy);
}
END_TEST

START_TEST(stale_socket_is_replaced)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct proxy proxy;
    char path[PATH_MAX];
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[listen main]\nbind = unix:%s\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    test_path(path, "front.sock"), port_reserve(getuid()), origin_port(origin));
    proxy_start(&proxy);
    kill(proxy.pid, SIGKILL);
    wait_gone(proxy.pid);
    struct stat left;
    ck_assert_int_eq(stat(proxy.control, &left), 0);
    ck_assert_int_eq(stat(path, &left), 0);
    proxy_start(&proxy);
    struct churn *churn =
        churn_start(&(struct churn_options){.target = endpoint_unix(path), .in_flight = 5});
    churn_wait(churn, 50);
    churn_stop_clean(churn, "after a stale socket");
    proxy_stop(&proxy);
    ck_assert_msg(stat(proxy.control, &left) != 0, "the control socket outlives the proxy");
    ck_assert_msg(stat(path, &left) != 0, "the bind's socket outlives the proxy");
}
END_TEST

/* A file that is no socket, in a socket's place, is not removed. */
static void expect_kept(const struct proxy *proxy, const char *path)
{
    write_file(path, 0644, "precious");
    struct outcome outcome;
    const char *argv[] = {"timeout", "-s", "KILL", "30", proxy->program, "-f", proxy->file, NULL};
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code != 0 && strstr(outcome.err, path) != NULL, "exit %d: %s",
                  outcome.code, outcome.err);
    ck_assert_msg(file_mentions(path, "precious") == 1, "%s was overwritten", path);
    unlink(path);
}

START_TEST(file_in_a_sockets_place_is_kept)
{
    struct origin *origin = origin_start(ORIGIN_ANSWER);
    struct proxy proxy;
    char path[PATH_MAX];
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy, "[listen main]\nbind = unix:%s\nserver = a 127.0.0.1:%u\n",
                    test_path(path, "front.sock"), origin_port(origin));
    expect_kept(&proxy, proxy.control);
    expect_kept(&proxy, path);
}
END_TEST

Suite *users_suite(void)
{
    Suite *suite = suite_create("users");
    scenario_add(suite, drops_root_and_reloads_on_port_80, 300);
    scenario_add(suite, port_is_closed_to_other_users, 300);
    scenario_add(suite, owner_of_the_port_is_named, 120);
    scenario_add(suite, control_socket_is_private, 300);
    scenario_add(suite, second_proxy_on_a_file_is_refused, 300);
    scenario_add(suite, stale_socket_is_replaced, 300);
    scenario_add(suite, file_in_a_sockets_place_is_kept, 120);
    return suite;
}
