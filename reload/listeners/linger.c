#include "reload/listeners/linger.h"

#include "config/base/log.h"
#include "reload/listeners/handshake_wait.h"

#include <stdlib.h>

struct lingering {
    struct binds *binds;
    struct proxy *proxy;
    struct handshake_wait *handshake_wait;
    bool quiet; /* the workers were asked to empty their backlogs a last time */
    void (*on_over)(void *arg);
    void *arg;
};

static bool queues_are_empty(void *arg)
{
    const struct lingering *lingering = arg;
    return binds_queued(lingering->binds) == 0;
}

static void on_handshakes_over(size_t late, void *arg)
{
    struct lingering *lingering = arg;
    if (late)
        log_warning("%zu handshakes did not arrive within linger-timeout", late);
    lingering->quiet = true;
    proxy_quiet(lingering->proxy);
}

struct lingering *lingering_start(struct binds *binds, struct proxy *proxy, struct event_base *base,
                                  millis timeout, bool alone, void (*on_over)(void *arg), void *arg)
{
    struct lingering *lingering = calloc(1, sizeof *lingering);
    if (!lingering)
        return NULL;
    lingering->binds = binds;
    lingering->proxy = proxy;
    lingering->on_over = on_over;
    lingering->arg = arg;
    proxy_retire(proxy);
    binds_silence(binds, alone);
    lingering->handshake_wait =
        handshake_wait_start(binds, base, timeout, queues_are_empty, on_handshakes_over, lingering);
    if (!lingering->handshake_wait) {
        free(lingering);
        return NULL;
    }
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
    handshake_wait_free(lingering->handshake_wait);
    free(lingering);
}
