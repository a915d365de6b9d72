#include "proxy/engine/ports.h"

#include "config/base/log.h"
#include "proxy/engine/calls.h"
#include "proxy/engine/local_ports.h"

#include <errno.h>
#include <netinet/in.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#ifndef IP_LOCAL_PORT_RANGE
#define IP_LOCAL_PORT_RANGE 51
#endif

/* Windows that are tried before the whole range is. */
#define WINDOWS_TRIED 4
/* Windows are used when TIME_WAITs hold a quarter of the ports, and no longer used below an eighth.
 * The kernel fills every second port first, so that it has to pass over half of those then. */
#define WORTH_IT     4u
#define NOT_WORTH_IT 8u
/* Turns of an order between two looks whether windows are still worth it. A power of two. */
#define TURNS_TO_REVIEW 64u
#define READ_AGAIN_MS   1000u
#define READ_SELDOM_MS  60000u

struct port_orders *port_orders_new(unsigned ports)
{
    struct port_orders *orders = calloc(1, sizeof *orders);
    if (!orders)
        return NULL;
    orders->ports = ports;
    pthread_mutex_init(&orders->lock, NULL);
    return orders;
}

void port_orders_free(struct port_orders *orders)
{
    if (!orders)
        return;
    pthread_mutex_destroy(&orders->lock);
    free(orders);
}

/* To a few milliseconds, which costs less. */
static uint64_t coarse_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void ports_open(struct ports *ports, struct port_orders *orders)
{
    *ports = (struct ports){.orders = orders, .read_at = coarse_ms()};
    if (orders)
        ports->windows.ports = orders->ports;
}

void ports_close(struct ports *ports)
{
    port_windows_free(&ports->windows);
}

/* needed: windows are used, or soon may be. If it fails the windows stay as they were. */
static void read_windows(struct ports *ports, bool needed, uint64_t now)
{
    if (now - ports->read_at < (needed ? READ_AGAIN_MS : READ_SELDOM_MS) &&
        (!needed || ports->windows.windows > 0))
        return;
    ports->read_at = now;
    const struct local_ports range = socket_local_ports();
    FILE *file = fopen("/proc/sys/net/ipv4/ip_local_reserved_ports", "re");
    char *reserved = NULL;
    size_t size = 0;
    bool none = !file || getline(&reserved, &size, file) < 0;
    (void)!port_windows_make(&ports->windows, range.first, range.last, none ? "" : reserved);
    free(reserved);
    if (file)
        fclose(file);
}

/* --- whether windows are worth it ------------------------------------------------------------ */

/* Forgets periods that are over. Returns the TIME_WAITs of the last minute. */
static unsigned sum_waits(struct port_order *order, unsigned period)
{
    unsigned sum = 0;
    if (period - order->period >= PORT_PERIODS)
        memset(order->waits, 0, sizeof order->waits);
    else
        while (order->period != period)
            order->waits[++order->period % PORT_PERIODS] = 0;
    order->period = period;
    for (unsigned i = 0; i < PORT_PERIODS; i++)
        sum += order->waits[i];
    return sum;
}

static bool pays(const struct ports *ports, unsigned waits, bool in_turn)
{
    return waits * (in_turn ? NOT_WORTH_IT : WORTH_IT) >= ports->windows.ports;
}

void ports_review(struct ports *ports, unsigned number, uint64_t now)
{
    struct port_orders *orders = ports->orders;
    struct port_order *order = &orders->list[number];
    const unsigned period = (unsigned)(now / PORT_PERIOD_MS);
    pthread_mutex_lock(&orders->lock);
    /* The clock of another worker may be behind. */
    unsigned waits = sum_waits(order, period > order->period ? period : order->period);
    waits += ports->noted[number];
    order->waits[order->period % PORT_PERIODS] += ports->noted[number];
    pthread_mutex_unlock(&orders->lock);
    ports->noted[number] = 0;
    bool in_turn = atomic_load(&order->in_turn);
    read_windows(ports, pays(ports, waits, in_turn), now);
    in_turn = pays(ports, waits, in_turn) && ports->windows.windows > 0;
    atomic_store(&order->in_turn, in_turn && !atomic_load(&orders->refused));
}

void ports_count(struct ports *ports, unsigned order)
{
    ports_review(ports, order, coarse_ms());
}

/* --- connecting ------------------------------------------------------------------------------ */

static int confine(struct port_use *use, int fd, struct port_window window)
{
    const uint32_t range = (uint32_t)window.last << 16 | window.first;
    if (setsockopt(fd, IPPROTO_IP, IP_LOCAL_PORT_RANGE, &range, sizeof range))
        return errno;
    use->confined = range != 0;
    return 0;
}

static int connect_now(int fd, const struct address *server)
{
    return call_connect(fd, &server->any, server->length) ? errno : 0;
}

/* An older kernel, or something between it and the process. */
static __attribute__((cold)) void give_up(struct port_use *use, int error)
{
    struct port_orders *orders = use->ports->orders;
    atomic_store(&orders->list[use->order].in_turn, false);
    if (!atomic_exchange(&orders->refused, true))
        log_debug("the kernel chooses all local ports, for it knows no IP_LOCAL_PORT_RANGE: %s",
                  strerror(error));
}

/* The order goes on at the window in which the kernel has found a port. */
static void follow_kernel(const struct port_use *use, int fd)
{
    struct address own = {.length = sizeof own - offsetof(struct address, any)};
    if (getsockname(fd, &own.any, &own.length) == 0)
        atomic_store_explicit(&use->ports->orders->list[use->order].turn,
                              port_windows_find(&use->ports->windows, address_port(&own)),
                              memory_order_relaxed);
}

static int connect_anywhere(struct port_use *use, int fd, const struct address *server)
{
    int error = use->confined ? confine(use, fd, (struct port_window){0}) : 0;
    return error ? error : connect_now(fd, server);
}

/* All windows that were tried are full. */
static int search(struct port_use *use, int fd, const struct address *server)
{
    int error = connect_anywhere(use, fd, server);
    if (error == EADDRNOTAVAIL) /* so that their turn comes next, and not last */
        atomic_fetch_sub_explicit(&use->ports->orders->list[use->order].turn, WINDOWS_TRIED,
                                  memory_order_relaxed);
    else
        follow_kernel(use, fd);
    return error;
}

int ports_connect(struct port_use *use, int fd, const struct address *server)
{
    struct ports *ports = use->ports;
    struct port_order *order = &ports->orders->list[use->order];
    for (unsigned tried = 0; tried < WINDOWS_TRIED; tried++) {
        if (!atomic_load_explicit(&order->in_turn, memory_order_relaxed))
            return connect_anywhere(use, fd, server);
        unsigned turn = atomic_fetch_add_explicit(&order->turn, 1, memory_order_relaxed);
        if (turn % TURNS_TO_REVIEW == 0 || ports->windows.windows == 0)
            ports_count(ports, use->order);
        if (ports->windows.windows == 0)
            return connect_anywhere(use, fd, server);
        int error =
            confine(use, fd, port_windows_get(&ports->windows, turn % ports->windows.windows));
        if (error) {
            give_up(use, error);
            return connect_anywhere(use, fd, server);
        }
        error = connect_now(fd, server);
        if (error != EADDRNOTAVAIL)
            return error;
    }
    return search(use, fd, server);
}
