#include "reload/process/stop_limit.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "reload/base/text.h"
#include "reload/control/control.h"
#include "reload/handover/generation.h"
#include "reload/process/drain.h"
#include "reload/process/publication.h"

#include <errno.h>
#include <unistd.h>

#define GRACE_MS  10000
#define ANSWER_MS 5000
#define END_S     30

static void wait_for(struct stop_limit *limit, millis time)
{
    const struct timeval interval = clock_interval(time);
    event_add(limit->timer, &interval);
}

/* All threads run: sessions of other processes, or the end of these, are waited for. */
static void on_turned(void *arg)
{
    wait_for(arg, GRACE_MS);
}

/* Memory that the thread may use is not freed. */
static void end_without_it(const struct stop_limit *limit)
{
    const struct proxy *proxy = limit->generation->proxy;
    const uint64_t live = proxy_live(proxy);
    const struct control_end end = {.sessions = limit->drain->sessions,
                                    .cut = proxy_overdue(proxy) + live,
                                    .others_cut = drain_others_cut(limit->drain)};
    char text[SESSIONS_TEXT_MAX];
    log_error("a thread of this process hangs: the process ends without it, and %s with it",
              sessions_text(live, text));
    alarm(END_S);
    publication_fail(limit->publication, EXIT_OTHER);
    publication_close(limit->publication, &end);
    log_stop();
    _exit(EXIT_OTHER);
}

static void on_time(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct stop_limit *limit = arg;
    if (limit->check.asked)
        end_without_it(limit);
    wait_for(limit, ANSWER_MS);
    pulse_ask(&limit->generation->heartbeats.pulse, &limit->check);
}

int stop_limit_open(struct stop_limit *limit, struct generation *generation,
                    const struct draining *drain, struct publication *publication)
{
    *limit =
        (struct stop_limit){.generation = generation, .drain = drain, .publication = publication};
    limit->check = (struct pulse_check){.on_turned = on_turned, .arg = limit};
    limit->timer = event_new(generation->base, -1, 0, on_time, limit);
    return limit->timer ? 0 : ENOMEM;
}

void stop_limit_begin(struct stop_limit *limit)
{
    const struct config *config = limit->generation->config;
    millis longest = 0;
    for (size_t i = 0; i < config->frontend_count; i++) {
        millis timeout = config->frontends[i].stop_timeout;
        if (timeout == 0)
            return;
        longest = timeout > longest ? timeout : longest;
    }
    wait_for(limit, config->linger_timeout + longest + GRACE_MS);
}

void stop_limit_close(struct stop_limit *limit)
{
    alarm(END_S);
    if (!limit->timer)
        return;
    pulse_forget(&limit->generation->heartbeats.pulse, &limit->check);
    event_free(limit->timer);
    limit->timer = NULL;
}
