#include "reload/listeners/handshake_wait.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "config/base/thread.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/steering.h"

#include <pthread.h>
#include <stdatomic.h>
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
/* A look may take so long beyond the time of the wait. */
#define LIMIT_MS 500

/* Looks at the kernel's table, one after the other. While a thread looks, all of this is the
 * thread's, but `holders`. */
struct look {
    atomic_uint holders; /* the wait, and a thread: the last of them frees it */
    int over_fd;         /* eventfd(2), written by the thread; -1: looks have no thread */
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
    struct event *limit;      /* for a look that takes too long */
    struct look *look;
    bool looking;                /* a thread does */
    size_t left;                 /* as of the last look */
    uint64_t earliest, deadline; /* clock_ms() */
    millis until_next_look;
    bool (*empty)(void *arg);
    void (*on_handshakes_over)(size_t late, void *arg);
    void *arg;
};

static struct look *look_new(const struct binds *binds)
{
    struct look *look = calloc(1, sizeof *look);
    if (!look)
        return NULL;
    look->addresses = calloc(binds->count + 1, sizeof *look->addresses);
    if (!look->addresses) {
        free(look);
        return NULL;
    }
    for (size_t i = 0; i < binds->count; i++)
        look->addresses[look->address_count++] = binds->list[i].conf->at;
    look->over_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    atomic_init(&look->holders, 1);
    return look;
}

static void look_release(struct look *look)
{
    if (!look || atomic_fetch_sub(&look->holders, 1) > 1)
        return;
    if (look->over_fd >= 0)
        close(look->over_fd);
    handshakes_free(look->handshakes);
    free(look->addresses);
    free(look);
}

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
    struct look *look = arg;
    look_now(look);
    (void)eventfd_write(look->over_fd, 1);
    look_release(look);
    return NULL;
}

/* --- the main thread ----------------------------------------------------------------------- */

static bool start_thread(struct look *look)
{
    pthread_t thread;
    if (look->over_fd < 0)
        return false;
    atomic_fetch_add(&look->holders, 1);
    if (thread_start(&thread, NULL, run, look)) {
        atomic_fetch_sub(&look->holders, 1);
        return false;
    }
    pthread_detach(thread);
    return true;
}

/* A look takes milliseconds, and many times that where the machine is busy and its table of
 * connections full. The main thread goes on meanwhile: the other process takes one that does not
 * answer for hung. */
static void start_look(struct handshake_wait *handshake_wait)
{
    event_add(handshake_wait->over, NULL);
    handshake_wait->looking = start_thread(handshake_wait->look);
    if (handshake_wait->looking)
        return;
    look_now(handshake_wait->look);
    event_active(handshake_wait->over, EV_READ, 0);
}

static void end_look(struct handshake_wait *handshake_wait)
{
    eventfd_t ignored;
    if (handshake_wait->looking)
        (void)eventfd_read(handshake_wait->look->over_fd, &ignored);
    handshake_wait->looking = false;
    handshake_wait->left = handshake_wait->look->left;
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
    const struct look *look = handshake_wait->look;
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
    const struct look *look = handshake_wait->look;
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
    end_look(handshake_wait);
    tell_failures(handshake_wait);
    judge(handshake_wait);
}

/* The thread that looks hangs, or the kernel takes long: the wait ends without it. */
static void on_limit(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct handshake_wait *handshake_wait = arg;
    if (!handshake_wait->looking)
        return; /* judge() ends the wait */
    log_warning("the kernel has not shown in time which handshakes are under way");
    event_del(handshake_wait->over);
    (void)handshake_wait->empty(handshake_wait->arg);
    handshake_wait->on_handshakes_over(handshake_wait->left, handshake_wait->arg);
}

static void on_due(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct handshake_wait *handshake_wait = arg;
    if (handshake_wait->look->arrived)
        judge(handshake_wait);
    else
        start_look(handshake_wait);
}

static bool make_events(struct handshake_wait *handshake_wait, struct event_base *base)
{
    const int over_fd = handshake_wait->look->over_fd;
    handshake_wait->due = event_new(base, -1, 0, on_due, handshake_wait);
    handshake_wait->limit = event_new(base, -1, 0, on_limit, handshake_wait);
    handshake_wait->over =
        event_new(base, over_fd, over_fd < 0 ? 0 : EV_READ, on_over, handshake_wait);
    return handshake_wait->due && handshake_wait->limit && handshake_wait->over;
}

struct handshake_wait *handshake_wait_start(const struct binds *binds, struct event_base *base,
                                            millis timeout, bool (*empty)(void *arg),
                                            void (*on_handshakes_over)(size_t late, void *arg),
                                            void *arg)
{
    struct handshake_wait *handshake_wait = calloc(1, sizeof *handshake_wait);
    if (!handshake_wait)
        return NULL;
    handshake_wait->look = look_new(binds);
    if (!handshake_wait->look || !make_events(handshake_wait, base)) {
        handshake_wait_free(handshake_wait);
        return NULL;
    }
    handshake_wait->deadline = clock_ms() + timeout;
    handshake_wait->empty = empty;
    handshake_wait->on_handshakes_over = on_handshakes_over;
    handshake_wait->arg = arg;
    handshake_wait->until_next_look = LOOK_MIN_MS;
    const struct timeval limit = clock_interval(timeout + LIMIT_MS);
    event_add(handshake_wait->limit, &limit);
    start_look(handshake_wait);
    return handshake_wait;
}

void handshake_wait_free(struct handshake_wait *handshake_wait)
{
    if (!handshake_wait)
        return;
    struct event *const events[] = {handshake_wait->due, handshake_wait->over,
                                    handshake_wait->limit};
    for (size_t i = 0; i < sizeof events / sizeof *events; i++)
        if (events[i])
            event_free(events[i]);
    look_release(handshake_wait->look);
    free(handshake_wait);
}
