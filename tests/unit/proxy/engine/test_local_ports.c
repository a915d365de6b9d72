#include "config/base/clock.h"
#include "proxy/engine/ports.h"
#include "proxy/engine/socket.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/loopback.h"

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- windows --------------------------------------------------------------------------------- */

#define PORTS_ALL 65536u

/* Each port of the range that is not reserved is in exactly one window, and no other port is in
 * any. Returns how many windows there are. */
static unsigned check_windows(unsigned first, unsigned last, const char *reserved,
                              const bool is_reserved[static PORTS_ALL])
{
    static unsigned char times[PORTS_ALL];
    struct port_windows windows = {0};
    unsigned ports = 0, number, before = 0, wrong = 0;
    memset(times, 0, sizeof times);
    ck_assert_int_eq(port_windows_make(&windows, first, last, reserved), 0);
    for (unsigned i = 0; i < windows.windows; i++) {
        const struct port_window window = port_windows_get(&windows, i);
        wrong += window.first < before || window.last < window.first ||
                 window.last - window.first >= (int)PORT_WINDOW;
        for (unsigned port = window.first; port <= window.last; port++) {
            times[port]++;
            wrong += port_windows_find(&windows, port) != i;
        }
        before = window.last + 1u;
    }
    ck_assert_uint_eq(wrong, 0);
    for (unsigned port = 0; port < PORTS_ALL; port++) {
        bool wanted = port >= first && port <= last && !is_reserved[port];
        wrong += times[port] != wanted;
        ports += wanted;
    }
    ck_assert_uint_eq(wrong, 0);
    ck_assert_uint_eq(windows.ports, ports);
    number = windows.windows;
    port_windows_free(&windows);
    return number;
}

START_TEST(each_port_has_one_window)
{
    static const bool none[PORTS_ALL];
    static const unsigned counts[] = {1, 7, 8, 9, 28000, 28232};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        unsigned windows = check_windows(32768, 32767 + counts[i], "", none);
        ck_assert_uint_eq(windows, (counts[i] + PORT_WINDOW - 1) / PORT_WINDOW);
    }
    check_windows(1, 65535, "\n", none);
}
END_TEST

static void reserve(bool is_reserved[static PORTS_ALL], unsigned from, unsigned to)
{
    for (unsigned port = from; port <= to; port++)
        is_reserved[port] = true;
}

START_TEST(reserved_ports_are_left_out)
{
    static bool reserved[PORTS_ALL];
    reserve(reserved, 80, 80);
    reserve(reserved, 990, 1001);
    reserve(reserved, 1005, 1005);
    reserve(reserved, 1007, 1030);
    reserve(reserved, 1095, 1200);
    /* The last two make no sense. */
    check_windows(1000, 1099, "80,990-1001,1005,1007-1030,1095-1200,7-3,x\n", reserved);
    reserve(reserved, 1000, 1099);
    ck_assert_uint_eq(check_windows(1000, 1099, "80,990-1200\n", reserved), 0);
    ck_assert_uint_eq(check_windows(1000, 1000, "1000", reserved), 0);
}
END_TEST

#define HOUR_MS 3600000u

/* --- orders ---------------------------------------------------------------------------------- */

static struct port_orders *orders;
static int listener = -1;
static struct address server;

static void setup(void)
{
    const struct local_ports ports = socket_local_ports();
    orders = port_orders_new(local_ports_count(&ports));
    ck_assert_ptr_nonnull(orders);
    listener = -1;
}

static void teardown(void)
{
    if (listener >= 0)
        close(listener);
    port_orders_free(orders);
}

/* TIME_WAITs of so many connections have arisen at that time. */
static void note(struct ports *ports, unsigned order, unsigned waits, uint64_t now)
{
    for (unsigned i = 0; i < waits; i++) {
        ports->noted[order]++;
        if (ports->noted[order] == PORTS_NOTED_AT_ONCE || i + 1 == waits)
            ports_review(ports, order, now);
    }
}

static bool in_turn(unsigned order)
{
    return atomic_load(&orders->list[order].in_turn);
}

START_TEST(windows_are_used_while_they_pay)
{
    const unsigned order = 7;
    uint64_t now = clock_ms() + HOUR_MS;
    struct ports one, two;
    ports_open(&one, orders);
    ports_open(&two, orders);
    ports_review(&one, order, now);
    ck_assert(!in_turn(order));
    const unsigned ports = one.windows.ports;
    /* Two workers, each of which sees half of it. */
    note(&one, order, ports / 8, now);
    now += PORT_PERIOD_MS;
    ck_assert(!in_turn(order));
    note(&two, order, ports / 8 - 1, now);
    ck_assert(!in_turn(order));
    note(&two, order, ports % 8 + 1, now);
    ck_assert(in_turn(order));
    ck_assert(!in_turn(order + 1));
    /* A minute later the first half is over; what is left is enough to go on. */
    now += (PORT_PERIODS - 1) * PORT_PERIOD_MS;
    note(&two, order, 1, now);
    ck_assert(in_turn(order));
    ports_review(&one, order, now + PORT_PERIOD_MS);
    ck_assert(!in_turn(order));
    /* The clock of a worker that is behind. */
    note(&one, order, ports / 4 + 1, now);
    ck_assert(in_turn(order));
    ports_review(&one, order, now + HOUR_MS);
    ck_assert(!in_turn(order));
    ports_close(&one);
    ports_close(&two);
}
END_TEST

START_TEST(a_kernel_without_windows_has_no_orders)
{
    struct ports ports;
    ports_open(&ports, orders);
    atomic_store(&orders->refused, true);
    note(&ports, 1, ports.windows.ports, clock_ms());
    ck_assert(!in_turn(1));
    ports_close(&ports);
}
END_TEST

/* Enough TIME_WAITs for a day. */
static void turn_on(struct ports *ports, unsigned order)
{
    ports_count(ports, order);
    for (unsigned i = 0; i < PORT_PERIODS; i++)
        orders->list[order].waits[i] = PORTS_ALL;
    ports_count(ports, order);
    ck_assert(in_turn(order));
}

static bool listen_on(int bind)
{
    if (!loopback_bind(bind, &server))
        return false;
    listener = loopback_listen(&server);
    return true;
}

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

/* The window of a socket; false: it has none. */
static bool window_of(int fd, struct port_window *window)
{
    uint32_t range = 0;
    socklen_t length = sizeof range;
    if (getsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, &length) != 0)
        return false;
    *window =
        (struct port_window){.first = (uint16_t)(range & 0xffff), .last = (uint16_t)(range >> 16)};
    return range != 0;
}

static unsigned own_port(int fd)
{
    const struct address own = socket_own_address(fd);
    return address_port(&own);
}

static int connect_from(struct ports *ports, struct port_use *use)
{
    const struct connect_plan plan = {.congestion = ""};
    int error = 0;
    *use = (struct port_use){.ports = ports};
    int fd = socket_connect_by(&server, &plan, use, &error);
    ck_assert_msg(fd >= 0, "%s", strerror(error));
    ck_assert_uint_eq(use->order, ports_order_of(&server, NULL));
    return fd;
}

/* Other programs may hold all ports of a window; then the next one has its turn. */
START_TEST(windows_take_turns)
{
    struct ports ports;
    struct port_use use;
    struct port_window window;
    unsigned next = 0;
    if (!listen_on(2 * _i))
        return;
    ports_open(&ports, orders);
    int fd = connect_from(&ports, &use);
    ck_assert(!window_of(fd, &window));
    loopback_reset(fd);
    turn_on(&ports, use.order);
    for (unsigned i = 0; i < 200; i++) {
        fd = connect_from(&ports, &use);
        if (atomic_load(&orders->refused)) {
            unit_skip("the kernel has no IP_LOCAL_PORT_RANGE");
            loopback_reset(fd);
            break;
        }
        if (use.confined) {
            ck_assert(window_of(fd, &window));
            ck_assert_uint_ge(own_port(fd), window.first);
            ck_assert_uint_le(own_port(fd), window.last);
            unsigned number = port_windows_find(&ports.windows, window.first);
            ck_assert_uint_eq(port_windows_get(&ports.windows, number).last, window.last);
            ck_assert_uint_ge(number, next);
            next = number + 1;
        }
        loopback_reset(fd);
    }
    ports_close(&ports);
}
END_TEST

/* A socket that is used again is confined no longer when windows are not used any more. */
START_TEST(a_window_is_left)
{
    struct ports ports;
    struct port_use use;
    struct port_window window;
    if (!listen_on(0))
        return;
    ports_open(&ports, orders);
    turn_on(&ports, ports_order_of(&server, NULL));
    int fd = connect_from(&ports, &use);
    if (use.confined) {
        atomic_store(&orders->list[use.order].in_turn, false);
        ck_assert_int_eq(socket_disconnect(fd), 0);
        ck_assert_int_eq(socket_connect_again(fd, &server, &use), 0);
        ck_assert(!use.confined);
        ck_assert(!window_of(fd, &window));
    }
    loopback_reset(fd);
    ports_close(&ports);
}
END_TEST

#define CONNECTIONS 200

struct worker {
    pthread_t thread;
    struct ports ports;
    int fds[CONNECTIONS];
    bool confined;
};

static void *work(void *arg)
{
    struct worker *worker = arg;
    const struct connect_plan plan = {.congestion = ""};
    for (unsigned i = 0; i < CONNECTIONS; i++) {
        struct port_use use = {.ports = &worker->ports};
        int error;
        worker->fds[i] = socket_connect_by(&server, &plan, &use, &error);
        worker->confined |= use.confined;
        ports_note(&worker->ports, use.order);
    }
    return NULL;
}

/* Workers share the turns: no window is taken by both. */
START_TEST(two_workers_share_the_turns)
{
    static struct worker workers[2];
    static unsigned char times[PORTS_ALL];
    struct port_window window;
    memset(times, 0, sizeof times);
    if (!listen_on(0))
        return;
    const unsigned order = ports_order_of(&server, NULL);
    for (unsigned i = 0; i < 2; i++)
        ports_open(&workers[i].ports, orders);
    turn_on(&workers[0].ports, order);
    const unsigned all = workers[0].ports.windows.windows;
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(pthread_create(&workers[i].thread, NULL, work, &workers[i]), 0);
    for (unsigned i = 0; i < 2; i++)
        pthread_join(workers[i].thread, NULL);
    for (unsigned i = 0; i < 2 * CONNECTIONS; i++) {
        int fd = workers[i % 2].fds[i / 2];
        ck_assert_int_ge(fd, 0);
        if (window_of(fd, &window) && 4 * CONNECTIONS < all)
            ck_assert_uint_eq(times[window.first]++, 0);
        loopback_reset(fd);
    }
    if (!atomic_load(&orders->refused)) {
        ck_assert(workers[0].confined && workers[1].confined);
        ck_assert_uint_ge(atomic_load(&orders->list[order].turn), 2 * CONNECTIONS);
    }
    for (unsigned i = 0; i < 2; i++)
        ports_close(&workers[i].ports);
}
END_TEST

Suite *local_ports_suite(void)
{
    Suite *suite = suite_create("local_ports");
    TCase *windows = tcase_create("windows"), *turns = tcase_create("turns");
    tcase_add_test(windows, each_port_has_one_window);
    tcase_add_test(windows, reserved_ports_are_left_out);
    suite_add_tcase(suite, windows);
    tcase_add_checked_fixture(turns, setup, teardown);
    tcase_add_test(turns, windows_are_used_while_they_pay);
    tcase_add_test(turns, a_kernel_without_windows_has_no_orders);
    tcase_add_loop_test(turns, windows_take_turns, 0, 2);
    tcase_add_test(turns, a_window_is_left);
    tcase_add_test(turns, two_workers_share_the_turns);
    suite_add_tcase(suite, turns);
    return suite;
}
