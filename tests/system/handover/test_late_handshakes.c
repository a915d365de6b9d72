/* Clients over a wide-area network: their final ACK comes later than a reload takes. The kernel has
 * their handshakes in SYN_RECV, on a listener of the old process, and resets them when that
 * listener is closed. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/tun.h"

#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum {
    HANDSHAKES = 3456,
    RELOADS = 4, /* at least */
    IN_FLIGHT = 1000,
    DELAY_MIN_MS = 50,
    DELAY_MAX_MS = 1200
};

/* Longer than any machine needs for what the clients do in a few seconds: a proxy that waits for
 * too few handshakes would still be noticed. */
#define PATIENT "linger-timeout = 60s\n"

#define FRONTEND                                                                                   \
    "[frontend f%u]\n"                                                                             \
    "bind = 0.0.0.0:%u%s\n"                                                                        \
    "bind = [::]:%u%s\n"                                                                           \
    "backend = b\n"

#define BACKEND                                                                                    \
    "[backend b]\n"                                                                                \
    "server = s 127.0.0.1:%u\n"

/* The user of the proxy: nothing that is tested here may need a privilege. */
#define USER "nobody"

struct stage {
    bool root;
    struct tun *tun;
    struct origin *origin;
    struct proxy proxy;
    uint16_t port;
};

static unsigned read_sysctl(const char *name)
{
    char path[128], text[32];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    ck_assert_uint_gt(read_file(path, text, sizeof text), 0);
    unsigned value;
    ck_assert_int_eq(sscanf(text, "%u", &value), 1);
    return value;
}

static void write_sysctl(const char *name, const char *value)
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq((int)write(fd, value, strlen(value)), (int)strlen(value));
    close(fd);
}

static uid_t user_id(void)
{
    const struct passwd *user = getpwnam(USER);
    ck_assert_ptr_nonnull(user);
    return user->pw_uid;
}

static uint16_t reserve(const struct stage *stage)
{
    return port_reserve(stage->root ? user_id() : getuid());
}

/* The network and an origin. Returns NULL, or the reason why the test is not possible here. */
static const char *prepare(struct stage *stage)
{
    const char *why = "no network namespace may be made here";
    /* Root of the host, not of a user namespace: that has no other user. */
    stage->root = getuid() == 0;
    if (!network_own()) {
        return why;
    }
    stage->tun = tun_open(&why);
    if (stage->tun == NULL) {
        return why;
    }
    ck_assert_uint_eq(read_sysctl("tcp_migrate_req"), 0);
    stage->origin = origin_start(ORIGIN_ECHO);
    stage->port = reserve(stage);
    return NULL;
}

static const char *user_line(const struct stage *stage)
{
    return stage->root ? "user = " USER "\n" : "";
}

/* how: options after the address of a bind. */
static void configure(const struct stage *stage, unsigned workers, const char *how)
{
    proxy_configure(&stage->proxy, "workers = %u\n%s" PATIENT FRONTEND BACKEND, workers,
                    user_line(stage), 1, stage->port, how, stage->port, how,
                    origin_port(stage->origin));
}

/* Also makes the user the owner of the folder for the proxy's sockets and files. */
static void choose_paths(struct stage *stage)
{
    char folder[PATH_MAX];
    proxy_init(&stage->proxy, "late");
    snprintf(folder, sizeof folder, "%s", stage->proxy.control);
    *strrchr(folder, '/') = '\0';
    ck_assert(!stage->root || chown(folder, user_id(), (gid_t)-1) == 0);
}

static const char *prepare_proxy(struct stage *stage, unsigned workers)
{
    const char *why = prepare(stage);
    if (why != NULL) {
        return why;
    }
    choose_paths(stage);
    configure(stage, workers, "");
    proxy_start(&stage->proxy);
    return NULL;
}

static struct tun_options late_clients(uint16_t port, unsigned in_flight)
{
    return (struct tun_options){.port = port,
                                .ipv6 = true,
                                .in_flight = in_flight,
                                .delay_min_ms = DELAY_MIN_MS,
                                .delay_max_ms = DELAY_MAX_MS};
}

static void expect_none_lost(const struct tun_result *result, const char *what)
{
    tun_print(result, what);
    tun_print_losses(result);
    ck_assert_uint_gt(result->started, 0);
    ck_assert_msg(tun_lost(result) == 0, "%s: %lu of %lu handshakes lost", what, tun_lost(result),
                  result->started);
}

/* Handshakes of all ages at every moment, through many reloads; binds use the entries of `hows` in
 * turn. */
static void reload_under_late_clients(struct stage *stage, const char *const *hows, unsigned count,
                                      const char *what)
{
    static const unsigned workers[] = {4, 2, 3, 1};
    struct tun_options options = late_clients(stage->port, scaled(IN_FLIGHT, 100));
    struct tun_result result;
    unsigned total = scaled(HANDSHAKES, 400), reloads = 0;

    tun_clients_start(stage->tun, &options);
    while (reloads < RELOADS || tun_clients_ended(stage->tun) < total) {
        /* So there are always some that began before the reload and end after it. */
        tun_clients_wait_ended(stage->tun, tun_clients_ended(stage->tun) + 1);
        configure(stage, workers[reloads / count % 4], hows[reloads % count]);
        proxy_reload(&stage->proxy);
        reloads++;
    }
    tun_clients_stop(stage->tun, &result);
    printf("     %u reloads\n", reloads);
    expect_none_lost(&result, what);
    proxy_wait_drained(&stage->proxy);
    proxy_stop(&stage->proxy);
}

START_TEST(late_handshakes_across_reloads)
{
    struct stage stage;
    const char *why = prepare_proxy(&stage, 1);
    if (why != NULL) {
        skip_test("%s", why);
    }
    reload_under_late_clients(&stage, &(const char *){""}, 1, "late handshakes across reloads");
}
END_TEST

START_TEST(late_handshakes_across_modes)
{
    static const char *const hows[] = {" accept=shared", " steer=cpu", ""};
    struct stage stage;
    const char *why = prepare_proxy(&stage, 1);
    if (why != NULL) {
        skip_test("%s", why);
    }
    reload_under_late_clients(&stage, hows, 3, "late handshakes while the mode changes");
}
END_TEST

/* With SYN cookies the kernel keeps no state of a handshake: the final ACK reaches the process that
 * listens when it arrives. */
START_TEST(late_syn_cookies_across_reloads)
{
    struct stage stage;
    const char *why = prepare_proxy(&stage, 1);
    if (why != NULL) {
        skip_test("%s", why);
    }
    write_sysctl("tcp_syncookies", "2");
    reload_under_late_clients(&stage, &(const char *){""}, 1, "late SYN cookies across reloads");
}
END_TEST

/* All handshakes are in SYN_RECV before the reload, and none is completed before the new process
 * serves. The old process comes from a cold start, so its group was never steered before. */
START_TEST(late_handshakes_of_a_cold_start)
{
    struct stage stage;
    const char *why = prepare_proxy(&stage, 2);
    if (why != NULL) {
        skip_test("%s", why);
    }
    unsigned count = scaled(HANDSHAKES, 200);
    struct tun_options options = late_clients(stage.port, count);
    struct tun_result result;
    options.total = count;
    options.hold = true;
    tun_clients_start(stage.tun, &options);
    tun_clients_wait_answered(stage.tun, count);
    proxy_reload(&stage.proxy);
    ck_assert_uint_eq(tun_clients_ended(stage.tun), 0);
    tun_clients_stop(stage.tun, &result);
    expect_none_lost(&result, "late handshakes of a cold start");
    proxy_wait_drained(&stage.proxy);
    proxy_stop(&stage.proxy);
}
END_TEST

/* The bind is gone from the file. Handshakes that had begun on it are still served. When the last
 * of them is served, later clients are refused; none of them is accepted and then reset. */
START_TEST(late_handshakes_on_a_removed_bind)
{
    struct stage stage;
    const char *why = prepare(&stage);
    if (why != NULL) {
        skip_test("%s", why);
    }
    uint16_t removed = reserve(&stage);
    choose_paths(&stage);
    proxy_configure(&stage.proxy, "workers = 2\n%s" PATIENT FRONTEND FRONTEND BACKEND,
                    user_line(&stage), 1, stage.port, "", stage.port, "", 2, removed, "", removed,
                    "", origin_port(stage.origin));
    proxy_start(&stage.proxy);

    unsigned count = scaled(HANDSHAKES, 200);
    struct tun_options options = late_clients(removed, count);
    struct tun_result result;
    options.total = 2 * count;
    options.hold = true;
    tun_clients_start(stage.tun, &options);
    tun_clients_wait_answered(stage.tun, count);
    configure(&stage, 2, "");
    proxy_reload(&stage.proxy);
    tun_clients_release(stage.tun);
    tun_clients_wait_ended(stage.tun, options.total);
    tun_clients_stop(stage.tun, &result);
    tun_print(&result, "late handshakes on a removed bind");
    ck_assert_uint_ge(result.ends[TUN_COMPLETED], count);
    ck_assert_uint_eq(result.ends[TUN_COMPLETED] + result.ends[TUN_REFUSED], options.total);
    ck_assert_uint_gt(result.ends[TUN_REFUSED], 0);
    proxy_wait_drained(&stage.proxy);
    proxy_stop(&stage.proxy);
}
END_TEST

static int listen_reuseport(uint16_t port)
{
    const int on = 1;
    struct endpoint any = endpoint_loopback(port);
    any.in.sin_addr.s_addr = htonl(INADDR_ANY);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on), 0);
    ck_assert_int_eq(bind(fd, &any.any, any.length), 0);
    ck_assert_int_eq(listen(fd, 4096), 0);
    return fd;
}

/* Checks the test itself: these clients notice when one of two listeners is simply closed. */
START_TEST(a_plain_close_loses_late_handshakes)
{
    enum { COUNT = 100 };
    struct stage stage;
    struct tun_result result;
    const char *why = prepare(&stage);
    if (why != NULL) {
        skip_test("%s", why);
    }
    uint16_t port = port_reserve(getuid());
    int stays = listen_reuseport(port), closes = listen_reuseport(port);
    struct tun_options options = late_clients(port, COUNT);
    options.ipv6 = false;
    options.total = COUNT;
    options.hold = true;
    options.delay_max_ms = DELAY_MIN_MS;
    tun_clients_start(stage.tun, &options);
    tun_clients_wait_answered(stage.tun, COUNT);
    close(closes);
    tun_clients_release(stage.tun);

    /* Echoes for the clients that came through, until all have ended. */
    struct pollfd polled[COUNT + 1] = {{.fd = stays, .events = POLLIN}};
    nfds_t open = 1;
    while (tun_clients_ended(stage.tun) < COUNT) {
        (void)poll(polled, open, 10);
        for (nfds_t i = 1; i < open; i++) {
            char text[64];
            ssize_t got = polled[i].revents != 0 ? read(polled[i].fd, text, sizeof text) : -1;
            if (got > 0) {
                send_all(polled[i].fd, text, (size_t)got);
            } else if (got == 0) {
                close(polled[i].fd);
                polled[i].fd = -1;
            }
        }
        if (polled[0].revents != 0) {
            polled[open++] = (struct pollfd){.fd = accept_from(stays), .events = POLLIN};
        }
    }
    tun_clients_stop(stage.tun, &result);
    tun_print(&result, "a plain close, for comparison");
    ck_assert_uint_eq(result.ends[TUN_COMPLETED] + result.ends[TUN_RESET], COUNT);
    ck_assert_uint_gt(result.ends[TUN_COMPLETED], 0);
    ck_assert_uint_gt(result.ends[TUN_RESET], 0);
    close(stays);
}
END_TEST

Suite *late_handshakes_suite(void)
{
    Suite *suite = suite_create("late_handshakes");
    scenario_add(suite, a_plain_close_loses_late_handshakes, 120);
    scenario_add(suite, late_handshakes_across_reloads, 300);
    scenario_add(suite, late_handshakes_across_modes, 300);
    scenario_add(suite, late_syn_cookies_across_reloads, 300);
    scenario_add(suite, late_handshakes_of_a_cold_start, 300);
    scenario_add(suite, late_handshakes_on_a_removed_bind, 300);
    return suite;
}
