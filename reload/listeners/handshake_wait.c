#include "reload/listeners/handshake_wait.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/steering.h"

#include <stdlib.h>
#include <string.h>

/* Between looks, each of which costs up to some milliseconds: at first, and when it takes longer.
 */
#define LOOK_MIN_MS 5
#define LOOK_MAX_MS 40
/* Where the kernel offers no grace, the next best is this much patience. */
#define GRACE_MS 200

struct handshake_wait {
    struct event *look;
    struct handshakes *handshakes; /* NULL: they cannot be seen here */
    uint64_t earliest, deadline;   /* clock_ms() */
    millis until_next_look;
    bool arrived; /* no handshake is left */
    bool (*empty)(void *arg);
    void (*on_handshakes_over)(size_t late, void *arg);
    void *arg;
};

static void grace(struct handshake_wait *handshake_wait)
{
    int error = steering_grace();
    if (!error)
        return;
    log_debug("no membarrier: %s", strerror(error));
    handshake_wait->earliest = clock_ms() + GRACE_MS;
}

static void take_snapshot(struct handshake_wait *handshake_wait, const struct binds *binds)
{
    struct listen_address *addresses = calloc(binds->count, sizeof *addresses);
    if (!addresses)
        return;
    for (size_t i = 0; i < binds->count; i++)
        addresses[i] = binds->list[i].conf->at;
    int error = handshakes_take(addresses, binds->count, &handshake_wait->handshakes);
    if (error) {
        log_warning(
            "cannot see the handshakes under way (%s): waiting for as long as they may take",
            strerror(error));
        handshake_wait->handshakes = NULL;
    }
    free(addresses);
}

/* How many handshakes have not arrived yet; some, when that cannot be seen. */
static size_t under_way(struct handshake_wait *handshake_wait)
{
    size_t left;
    if (!handshake_wait->handshakes || handshakes_left(handshake_wait->handshakes, &left))
        return 1;
    return left;
}

static void look_later(struct handshake_wait *handshake_wait)
{
    struct timeval interval = clock_interval(handshake_wait->until_next_look);
    event_add(handshake_wait->look, &interval);
    handshake_wait->until_next_look *= 2;
    if (handshake_wait->until_next_look > LOOK_MAX_MS)
        handshake_wait->until_next_look = LOOK_MAX_MS;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct handshake_wait *handshake_wait = arg;
    uint64_t now = clock_ms();
    size_t left = 0;
    if (!handshake_wait->arrived && (left = under_way(handshake_wait)) == 0) {
        handshake_wait->arrived = true;
        /* The last of them may stand neither in SYN_RECV nor in the backlog yet. */
        grace(handshake_wait);
    }
    bool empty = handshake_wait->empty(handshake_wait->arg);
    if (now < handshake_wait->deadline &&
        (!handshake_wait->arrived || now < handshake_wait->earliest || !empty)) {
        look_later(handshake_wait);
        return;
    }
    handshake_wait->on_handshakes_over(handshake_wait->handshakes ? left : 0, handshake_wait->arg);
}

struct handshake_wait *handshake_wait_start(const struct binds *binds, struct event_base *base,
                                            millis timeout, bool (*empty)(void *arg),
                                            void (*on_handshakes_over)(size_t late, void *arg),
                                            void *arg)
{
    struct handshake_wait *handshake_wait = calloc(1, sizeof *handshake_wait);
    if (handshake_wait)
        handshake_wait->look = event_new(base, -1, 0, on_look, handshake_wait);
    if (!handshake_wait || !handshake_wait->look) {
        free(handshake_wait);
        return NULL;
    }
    handshake_wait->deadline = clock_ms() + timeout;
    handshake_wait->empty = empty;
    handshake_wait->on_handshakes_over = on_handshakes_over;
    handshake_wait->arg = arg;
    grace(handshake_wait);
    take_snapshot(handshake_wait, binds);
    handshake_wait->until_next_look = LOOK_MIN_MS;
    look_later(handshake_wait);
    return handshake_wait;
}

void handshake_wait_free(struct handshake_wait *handshake_wait)
{
    if (!handshake_wait)
        return;
    event_free(handshake_wait->look);
    handshakes_free(handshake_wait->handshakes);
    free(handshake_wait);
}
