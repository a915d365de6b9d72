#include "reload/listeners/rescue.h"

#include "config/base/log.h"
#include "reload/listeners/handshake_wait.h"

#include <stdlib.h>
#include <string.h>

/* A client repeats a SYN after a second, and an ACK when it is asked again, after as much. */
#define RESCUE_MAX_MS 3000

struct rescue {
    struct offer *kept;
    struct rescue_means means;
    struct handshake_wait *handshake_wait;
    unsigned count; /* clients that were accepted */
    bool all;       /* no client was left in the queues */
    struct sinks
        *sinks; /* one for each of kept; empty where the group has a listener of this process */
    void (*on_over)(void *arg);
    void *arg;
};

/* True: no client is left in the queues. */
static bool accept_all(void *arg)
{
    struct rescue *rescue = arg;
    const struct rescue_means *means = &rescue->means;
    rescue->all = true;
    for (size_t i = 0; i < rescue->kept->count; i++) {
        const struct offered *kept = &rescue->kept->list[i];
        const struct bound *bound = binds_serving(means->binds, kept->text);
        for (unsigned j = 0; bound && j < kept->fd_count; j++)
            if (kept->fds[j] >= 0)
                rescue->all &= proxy_accept_from(means->proxy, kept->fds[j], bound->frontend,
                                                 bound->serves, means->most, &rescue->count);
    }
    return rescue->all;
}

static void on_handshakes_over(size_t late, void *arg)
{
    struct rescue *rescue = arg;
    (void)late; /* some came to the listeners of this process, and are not lost */
    if (rescue->count)
        log_notice("%u client%s that the lost process had not accepted %s served here",
                   rescue->count, rescue->count == 1 ? "" : "s", rescue->count == 1 ? "is" : "are");
    if (!rescue->all)
        log_warning("not all clients that the lost process had not accepted can be served here: "
                    "out of descriptors or memory");
    rescue->on_over(rescue->arg);
}

/* Where a kept listener lies under a wildcard bind of ours, no steering leads to us: without sinks
 * new clients would come to it until it closes, and the last of them would be reset. */
static void keep_newcomers_out(struct rescue *rescue)
{
    for (size_t i = 0; i < rescue->kept->count; i++) {
        struct offered *kept = &rescue->kept->list[i];
        struct listen_address at;
        if (!kept->fd_count || kept->fds[0] < 0 || binds_find(rescue->means.binds, kept->text) ||
            !offered_address(kept, &at))
            continue;
        int listens = 0;
        (void)getsockopt(kept->fds[0], SOL_SOCKET, SO_ACCEPTCONN, &listens,
                         &(socklen_t){sizeof listens});
        if (!listens) { /* it was lost before that */
            offered_close(kept);
            continue;
        }
        int error = sinks_open(&rescue->sinks[i], &at, kept->fds[0], kept->fd_count);
        if (error)
            log_warning("%s: new clients cannot be refused while it closes: %s", kept->text,
                        strerror(error));
    }
}

struct rescue *rescue_start(struct offer *kept, const struct rescue_means *means,
                            void (*on_over)(void *arg), void *arg)
{
    struct rescue *rescue = calloc(1, sizeof *rescue);
    if (!rescue)
        return NULL;
    *rescue = (struct rescue){.kept = kept, .means = *means, .on_over = on_over, .arg = arg};
    rescue->sinks = calloc(kept->count + 1, sizeof *rescue->sinks);
    if (!rescue->sinks) {
        free(rescue);
        return NULL;
    }
    keep_newcomers_out(rescue);
    (void)accept_all(rescue); /* they have waited long enough */
    millis timeout = means->linger_timeout;
    rescue->handshake_wait = handshake_wait_start(means->binds, means->base,
                                                  timeout < RESCUE_MAX_MS ? timeout : RESCUE_MAX_MS,
                                                  accept_all, on_handshakes_over, rescue);
    if (!rescue->handshake_wait) {
        rescue_free(rescue);
        return NULL;
    }
    return rescue;
}

void rescue_free(struct rescue *rescue)
{
    if (!rescue)
        return;
    handshake_wait_free(rescue->handshake_wait);
    for (size_t i = 0; i < rescue->kept->count; i++) {
        if (rescue->sinks[i].count)
            offered_close(&rescue->kept->list[i]); /* before its sinks */
        sinks_close(&rescue->sinks[i]);
    }
    free(rescue->sinks);
    free(rescue);
}
