#include "reload/handover/generation.h"

#include "config/base/log.h"

#include <string.h>
#include <unistd.h>

const char *generation_state_name(enum generation_state state)
{
    static const char *const names[] = {
        [GENERATION_STARTING] = "starting",   [GENERATION_CANARY] = "canary",
        [GENERATION_ACTIVE] = "active",       [GENERATION_PROBATION] = "standby",
        [GENERATION_LINGERING] = "lingering", [GENERATION_STOPPING] = "stopping",
        [GENERATION_DRAINING] = "draining",
    };
    return names[state];
}

/* The old process stands by from COMMIT on; SESSIONS goes out just before that, while it is still
 * active. */
static bool stands_by(const struct generation *generation)
{
    return generation->state == GENERATION_ACTIVE || generation->state == GENERATION_PROBATION;
}

struct message_sessions generation_about(const struct generation *generation)
{
    return (struct message_sessions){.generation = generation->number,
                                     .pid = (uint32_t)getpid(),
                                     .sessions = proxy_live(generation->proxy),
                                     .config_hash = generation->config_hash,
                                     .deadline = generation->events->deadline(generation),
                                     .standby = stands_by(generation)};
}

struct rescue_means generation_rescue_means(const struct generation *generation)
{
    return (struct rescue_means){.proxy = generation->proxy,
                                 .binds = generation->binds,
                                 .base = generation->base,
                                 .most = generation->descriptors.sessions,
                                 .linger_timeout = generation->config->linger_timeout};
}

static void report_name(const char *line, void *arg)
{
    struct generation *generation = arg;
    generation->events->report(generation, line);
}

bool generation_begin_names(struct generation *generation)
{
    generation->exit_status = EXIT_INVALID;
    if (names_begin(generation->names, generation->checks, report_name, generation))
        return false;
    generation->exit_status = EXIT_OTHER;
    int error = names_follow(generation->names);
    if (error)
        log_error("cannot resolve names: %s", strerror(error));
    return !error;
}
