#include "reload/listeners/handshake_wait.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/thread.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/steering.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

/* Between looks, each of which costs up to some milliseconds: at first, and when it takes longer.
 */
#define LOOK_MIN_MS 5
#define LOOK_MAX_MS 40
/* Where the kernel offers no grace, the next best is this much patience. */
#define GRACE_MS 200

/* One look at the kernel's table. While its thread runs, all of it is the thread's. */
struct look {
    struct listen_address *addresses;
    size_t address_count;
    struct handshakes *handshakes; /* NULL: none were taken yet, or they cannot be seen here */
    bool taken;                    /* the first look is over */
    bool arrived;                  /* no handshake is left */
    size_t left;                   /* as the last look that succeeded has seen them */
    int no_snapshot, no_grace;     /* errno values of this look */
};

struct handshake_wait {
    struct event *due, *over; /* of a look */
    int over_fd;              /* eventfd(2), written by the thread; -1: looks have no thread */
    pthread_t thread;
    bool has_thread; /* to be joined */
    struct look look;
    uint64_t earliest, deadline; /* clock_ms() */
    millis until_next_look;
    bool (*empty)(void *arg);
    void (*on_handshakes_over)(size_t late, void *arg);
    void *arg;
};

/* --- the thread ---------------------------------------------------------------------------- */

static void take_snapshot(struct look *look)
{
    look->no_grace = steering_grace();
    look->no_snapshot = handshakes_take(look->addresses, look->address_count, &look->handshakes);
    if (look->no_snapshot)
        look->handshakes = NULL;
    else
        look->left = handshakes_seen(look->handshakes);
    look->taken = true;
}

static void look_again(struct look *look)
{
    look->arrived =
        look->handshakes && handshakes_left(look->handshakes, &look->left) == 0 && look->left == 0;
    /* The last of them may stand neither in SYN_RECV nor in the backlog yet. */
    if (look->arrived)
        look->no_grace = steering_grace();
}

static void look_now(struct look *look)
{
    look->no_snapshot = look->no_grace = 0;
    if (look->taken)
        look_again(look);
    else
        take_snapshot(look);
}

static void *run(void *arg)
{
    struct handshake_wait *handshake_wait = arg;
    look_now(&handshake_wait->look);
    (void)eventfd_write(handshake_wait->over_fd, 1);
    return NULL;
}

/* --- the main thread ----------------------------------------------------------------------- */

static bool start_thread(struct handshake_wait *handshake_wait)
{
    handshake_wait->has_thread =
        handshake_wait->over_fd >= 0 &&
        thread_start(&handshake_wait->thread, NULL, run, handshake_wait) == 0;
    return handshake_wait->has_thread;
}

/* A look takes milliseconds, and many times that where the machine is busy and its table of
 * connections full. The main thread goes on meanwhile: the other process takes one that does not
 * answer for hung. */
static void start_look(struct handshake_wait *handshake_wait)
{
    event_add(handshake_wait->over, NULL);
    if (start_thread(handshake_wait))
        return;
    look_now(&handshake_wait->look);
    event_active(handshake_wait->over, EV_READ, 0);
}

static void end_thread(struct handshake_wait *handshake_wait)
{
    eventfd_t ignored;
    if (!handshake_wait->has_thread)
        return;
    pthread_join(handshake_wait->thread, NULL);
    (void)eventfd_read(handshake_wait->over_fd, &ignored);
    handshake_wait->has_thread = false;
}

static void look_later(struct handshake_wait *handshake_wait)
{
    struct timeval interval = clock_interval(handshake_wait->until_next_look);
    event_add(handshake_wait->due, &interval);
    handshake_wait->until_next_look *= 2;
    if (handshake_wait->until_next_look > LOOK_MAX_MS)
        handshake_wait->until_next_look = LOOK_MAX_MS;
}

static void tell_failures(struct handshake_wait *handshake_wait)
{
    const struct look *look = &handshake_wait->look;
    if (look->no_snapshot)
        log_warning(
            "cannot see the handshakes under way (%s): waiting for as long as they may take",
            strerror(look->no_snapshot));
    if (look->no_grace) {
        log_debug("no membarrier: %s", strerror(look->no_grace));
        handshake_wait->earliest = clock_ms() + GRACE_MS;
    }
}

static void judge(struct handshake_wait *handshake_wait)
{
    const struct look *look = &handshake_wait->look;
    uint64_t now = clock_ms();
    bool empty = handshake_wait->empty(handshake_wait->arg);
    if (now < handshake_wait->deadline &&
        (!look->arrived || now < handshake_wait->earliest || !empty)) {
        look_later(handshake_wait);
        return;
    }
    handshake_wait->on_handshakes_over(look->left, handshake_wait->arg);
}

static void on_over(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct handshake_wait *handshake_wait = arg;
    end_thread(handshake_wait);
    tell_failures(handshake_wait);
    judge(handshake_wait);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct handshake_wait *handshake_wait = arg;
    if (handshake_wait->look.arrived)
        judge(handshake_wait);
    else
        start_look(handshake_wait);
}

static bool make_events(struct handshake_wait *handshake_wait, struct event_base *base)
{
    handshake_wait->over_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    handshake_wait->due = event_new(base, -1, 0, on_due, handshake_wait);
    handshake_wait->over =
        event_new(base, handshake_wait->over_fd, handshake_wait->over_fd < 0 ? 0 : EV_READ, on_over,
                  handshake_wait);
    return handshake_wait->due && handshake_wait->over;
}

static bool copy_addresses(struct look *look, const struct binds *binds)
{
    look->addresses = calloc(binds->count + 1, sizeof *look->addresses);
    if (!look->addresses)
        return false;
    for (size_t i = 0; i < binds->count; i++)
        look->addresses[look->address_count++] = binds->list[i].conf->at;
    return true;
}

struct handshake_wait *handshake_wait_start(const struct binds *binds, struct event_base *base,
                                            millis timeout, bool (*empty)(void *arg),
                                            void (*on_handshakes_over)(size_t late, void *arg),
                                            void *arg)
{
    struct handshake_wait *handshake_wait = calloc(1, sizeof *handshake_wait);
    if (!handshake_wait)
        return NULL;
    if (!make_events(handshake_wait, base) || !copy_addresses(&handshake_wait->look, binds)) {
        handshake_wait_free(handshake_wait);
        return NULL;
    }
    handshake_wait->deadline = clock_ms() + timeout;
    handshake_wait->empty = empty;
    handshake_wait->on_handshakes_over = on_handshakes_over;
    handshake_wait->arg = arg;
    handshake_wait->until_next_look = LOOK_MIN_MS;
    start_look(handshake_wait);
    return handshake_wait;
}

void handshake_wait_free(struct handshake_wait *handshake_wait)
{
    if (!handshake_wait)
        return;
    end_thread(handshake_wait);
    if (handshake_wait->due)
        event_free(handshake_wait->due);
    if (handshake_wait->over)
        event_free(handshake_wait->over);
    if (handshake_wait->over_fd >= 0)
        close(handshake_wait->over_fd);
    handshakes_free(handshake_wait->look.handshakes);
    free(handshake_wait->look.addresses);
    free(handshake_wait);
}
