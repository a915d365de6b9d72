#include "reload/http/readiness.h"

#include "reload/handover/generation.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void add(struct readiness *readiness, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void add(struct readiness *readiness, const char *format, ...)
{
    size_t length = strlen(readiness->text);
    va_list arguments;
    if (length > 0 && length + 1 < sizeof readiness->text)
        readiness->text[length++] = '\n';
    va_start(arguments, format);
    vsnprintf(readiness->text + length, sizeof readiness->text - length, format, arguments);
    va_end(arguments);
    readiness->ready = false;
}

/* NULL: this process serves, or another one does since the question came. */
static const char *why_not_serving(const struct generation *generation)
{
    if (generation->stop_wanted)
        return "stopping";
    if (generation->replaced)
        return NULL;
    switch (generation->state) {
    case GENERATION_STARTING:
    case GENERATION_CANARY:
        return "starting";
    case GENERATION_STOPPING:
        return "stopping";
    case GENERATION_DRAINING:
        return "draining";
    case GENERATION_ACTIVE:
    case GENERATION_PROBATION:
    case GENERATION_LINGERING:
        return NULL;
    }
    return "unknown";
}

static bool is_wanted(const struct config *config, const char *backend)
{
    for (size_t i = 0; i < config->ready_backends.count; i++)
        if (strcmp(config->ready_backends.list[i], backend) == 0)
            return true;
    return config->ready_backends.count == 0;
}

/* A pause holds clients of one frontend for a while, by order. A balancer that took the whole
 * process out of service for that would cut off the other frontends, and send elsewhere those that
 * are to wait. So it is only said. */
static void say_ready(const struct generation *generation, struct readiness *readiness)
{
    const struct config *config = generation->config;
    add(readiness, "ready");
    for (size_t i = 0; i < config->frontend_count; i++)
        if (atomic_load(&generation->proxy->service.frontends[i].paused_at))
            add(readiness, "frontend %s is paused", config->frontends[i].name);
    readiness->ready = true;
}

void readiness_look(const struct generation *generation, struct readiness *readiness)
{
    const struct config *config = generation->config;
    const char *why = why_not_serving(generation);
    *readiness = (struct readiness){.ready = true};
    if (why)
        add(readiness, "%s", why);
    for (size_t i = 0; i < config->backend_count; i++)
        if (is_wanted(config, config->backends[i].name) &&
            generation->proxy->service.backends[i].usable == 0)
            add(readiness, "backend %s has no usable server", config->backends[i].name);
    if (readiness->ready)
        say_ready(generation, readiness);
}
