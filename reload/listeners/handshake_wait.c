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

struct settling {
    struct event *look;
    struct handshakes *handshakes; /* NULL: they cannot be seen here */
    uint64_t earliest, deadline;   /* clock_ms() */
    millis until_next_look;
    bool arrived; /* no handshake is left */
    bool (*empty)(void *arg);
    void (*on_settled)(size_t late, void *arg);
    void *arg;
};

static void grace(struct settling *settling)
{
    int error = steering_grace();
    if (!error)
        return;
    log_debug("no membarrier: %s", strerror(error));
    settling->earliest = clock_ms() + GRACE_MS;
}

static void take_snapshot(struct settling *settling, const struct binds *binds)
{
    struct address *addresses = calloc(binds->count, sizeof *addresses);
    if (!addresses)
        return;
    for (size_t i = 0; i < binds->count; i++)
        addresses[i] = binds->list[i].conf->address;
    int error = handshakes_take(addresses, binds->count, &settling->handshakes);
    if (error) {
        log_warning(
            "cannot see the handshakes under way (%s): waiting for as long as they may take",
            strerror(error));
        settling->handshakes = NULL;
    }
    free(addresses);
}

/* How many handshakes have not arrived yet; some, when that cannot be seen. */
static size_t under_way(struct settling *settling)
{
    size_t left;
    if (!settling->handshakes || handshakes_left(settling->handshakes, &left))
        return 1;
    return left;
}

static void look_later(struct settling *settling)
{
    struct timeval interval = clock_interval(settling->until_next_look);
    event_add(settling->look, &interval);
    settling->until_next_look *= 2;
    if (settling->until_next_look > LOOK_MAX_MS)
        settling->until_next_look = LOOK_MAX_MS;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct settling *settling = arg;
    uint64_t now = clock_ms();
    size_t left = 0;
    if (!settling->arrived && (left = under_way(settling)) == 0) {
        settling->arrived = true;
        /* The last of them may stand neither in SYN_RECV nor in the backlog yet. */
        grace(settling);
    }
    bool empty = settling->empty(settling->arg);
    if (now < settling->deadline && (!settling->arrived || now < settling->earliest || !empty)) {
        look_later(settling);
        return;
    }
    settling->on_settled(settling->handshakes ? left : 0, settling->arg);
}

struct settling *settling_start(const struct binds *binds, struct event_base *base, millis timeout,
                                bool (*empty)(void *arg),
                                void (*on_settled)(size_t late, void *arg), void *arg)
{
    struct settling *settling = calloc(1, sizeof *settling);
    if (settling)
        settling->look = event_new(base, -1, 0, on_look, settling);
    if (!settling || !settling->look) {
        free(settling);
        return NULL;
    }
    settling->deadline = clock_ms() + timeout;
    settling->empty = empty;
    settling->on_settled = on_settled;
    settling->arg = arg;
    grace(settling);
    take_snapshot(settling, binds);
    settling->until_next_look = LOOK_MIN_MS;
    look_later(settling);
    return settling;
}

void settling_free(struct settling *settling)
{
    if (!settling)
        return;
    event_free(settling->look);
    handshakes_free(settling->handshakes);
    free(settling);
}
