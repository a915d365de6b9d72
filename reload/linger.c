#include "reload/linger.h"

#include "config/clock.h"
#include "config/log.h"
#include "reload/sockdiag.h"
#include "reload/steering.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* Between looks, each of which costs up to some milliseconds: at first, and when it takes longer.
 */
#define LOOK_MIN_MS 5
#define LOOK_MAX_MS 40
/* Where the kernel offers no grace, the next best is this much patience. */
#define GRACE_MS 200

struct lingering {
    struct binds *binds;
    struct proxy *proxy;
    struct event *look;
    struct handshakes *handshakes; /* NULL: they cannot be seen here */
    uint64_t earliest, deadline;   /* clock_ms() */
    millis until_next_look;
    bool settled; /* no handshake is left */
    bool quiet;   /* the workers were told to make an end */
    void (*on_over)(void *arg);
    void *arg;
};

static void grace(struct lingering *lingering)
{
    int error = steering_grace();
    if (!error)
        return;
    log_debug("no membarrier: %s", strerror(error));
    lingering->earliest = clock_ms() + GRACE_MS;
}

static void take_snapshot(struct lingering *lingering)
{
    struct address *addresses = calloc(lingering->binds->count, sizeof *addresses);
    if (!addresses)
        return;
    for (size_t i = 0; i < lingering->binds->count; i++)
        addresses[i] = lingering->binds->list[i].conf->address;
    int error = handshakes_take(addresses, lingering->binds->count, &lingering->handshakes);
    if (error) {
        log_warning("cannot see the handshakes under way (%s): lingering for the whole "
                    "linger-timeout",
                    strerror(error));
        lingering->handshakes = NULL;
    }
    free(addresses);
}

/* How many handshakes have not arrived yet; some, when that cannot be seen. */
static size_t under_way(struct lingering *lingering)
{
    size_t left;
    if (!lingering->handshakes || handshakes_left(lingering->handshakes, &left))
        return 1;
    return left;
}

static void look_later(struct lingering *lingering)
{
    struct timeval interval = clock_interval(lingering->until_next_look);
    event_add(lingering->look, &interval);
    lingering->until_next_look *= 2;
    if (lingering->until_next_look > LOOK_MAX_MS)
        lingering->until_next_look = LOOK_MAX_MS;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct lingering *lingering = arg;
    uint64_t now = clock_ms();
    size_t left = 0;
    if (!lingering->settled && (left = under_way(lingering)) == 0) {
        lingering->settled = true;
        /* The last of them may stand neither in SYN_RECV nor in the backlog yet. */
        grace(lingering);
    }
    bool patient = now < lingering->deadline;
    if (patient &&
        (!lingering->settled || now < lingering->earliest || binds_queued(lingering->binds) > 0)) {
        look_later(lingering);
        return;
    }
    if (!lingering->settled && lingering->handshakes)
        log_warning("%zu handshakes did not arrive within linger-timeout", left);
    lingering->quiet = true;
    proxy_quiet(lingering->proxy);
}

struct lingering *lingering_start(struct binds *binds, struct proxy *proxy, struct event_base *base,
                                  millis timeout, bool alone, void (*on_over)(void *arg), void *arg)
{
    struct lingering *lingering = calloc(1, sizeof *lingering);
    if (lingering)
        lingering->look = event_new(base, -1, 0, on_look, lingering);
    if (!lingering || !lingering->look) {
        free(lingering);
        return NULL;
    }
    lingering->binds = binds;
    lingering->proxy = proxy;
    lingering->deadline = clock_ms() + timeout;
    lingering->on_over = on_over;
    lingering->arg = arg;
    proxy_retire(proxy);
    binds_silence(binds, alone);
    grace(lingering);
    take_snapshot(lingering);
    lingering->until_next_look = LOOK_MIN_MS;
    look_later(lingering);
    return lingering;
}

void lingering_on_quiet(struct lingering *lingering)
{
    if (!lingering || !lingering->quiet)
        return;
    binds_close(lingering->binds);
    lingering->on_over(lingering->arg);
}

void lingering_free(struct lingering *lingering)
{
    if (!lingering)
        return;
    event_free(lingering->look);
    handshakes_free(lingering->handshakes);
    free(lingering);
}
