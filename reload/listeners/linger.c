#include "reload/listeners/linger.h"

#include "config/base/log.h"
#include "reload/listeners/handshake_wait.h"
#include "reload/listeners/unix_bind.h"

#include <limits.h>
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

/* Clients have found the abstract binds that end until now. */
static void serve_last_clients(const struct lingering *lingering)
{
    const struct binds *binds = lingering->binds;
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        unsigned count = 0;
        if (!bound_is_abstract(bound) || bound->successors || !bound->sockets)
            continue;
        unix_bind_refuse(bound);
        if (!proxy_accept_from(lingering->proxy, bound->fds[0], bound->frontend, bound->serves,
                               UINT_MAX, &count))
            log_warning("%s: not all clients that wait can be served: out of descriptors or memory",
                        bound->conf->text);
    }
}

void lingering_on_quiet(struct lingering *lingering)
{
    if (!lingering || !lingering->quiet)
        return;
    serve_last_clients(lingering);
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
