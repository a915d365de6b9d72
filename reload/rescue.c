#include "reload/rescue.h"

#include "config/log.h"
#include "reload/settling.h"
#include "reload/steering.h"

#include <stdlib.h>

struct rescue {
    struct offer *kept;
    const struct binds *binds;
    struct proxy *proxy;
    struct settling *settling;
    unsigned count; /* of those who were accepted */
    void (*on_over)(void *arg);
    void *arg;
};

/* True: nobody is left in the queues. */
static bool accept_all(void *arg)
{
    struct rescue *rescue = arg;
    bool empty = true;
    for (size_t i = 0; i < rescue->kept->count; i++) {
        const struct offered *kept = &rescue->kept->list[i];
        const struct bound *bound = binds_find(rescue->binds, kept->text);
        for (unsigned j = 0; bound && j < kept->fd_count; j++) {
            rescue->count +=
                proxy_accept_from(rescue->proxy, kept->fds[j], bound->frontend, bound->conf);
            empty &= listener_queue(kept->fds[j]) <= 0;
        }
    }
    return empty;
}

static void on_settled(void *arg)
{
    struct rescue *rescue = arg;
    if (rescue->count)
        log_notice("%u clients whom the lost process had not accepted are served here",
                   rescue->count);
    rescue->on_over(rescue->arg);
}

struct rescue *rescue_start(struct offer *kept, const struct binds *binds, struct proxy *proxy,
                            struct event_base *base, millis timeout, void (*on_over)(void *arg),
                            void *arg)
{
    struct rescue *rescue = calloc(1, sizeof *rescue);
    if (!rescue)
        return NULL;
    *rescue = (struct rescue){
        .kept = kept, .binds = binds, .proxy = proxy, .on_over = on_over, .arg = arg};
    (void)accept_all(rescue); /* they have waited long enough */
    rescue->settling = settling_start(binds, base, timeout, accept_all, on_settled, rescue);
    if (!rescue->settling) {
        free(rescue);
        return NULL;
    }
    return rescue;
}

void rescue_free(struct rescue *rescue)
{
    if (!rescue)
        return;
    settling_free(rescue->settling);
    free(rescue);
}
