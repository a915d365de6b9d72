#include "reload/process/event_source.h"

#include "config/base/happening.h"
#include "config/base/log.h"
#include "proxy/proxy.h"
#include "reload/base/event_bus.h"
#include "reload/base/text.h"
#include "reload/handover/channel.h"
#include "reload/handover/generation.h"
#include "reload/handover/new_side.h"
#include "reload/handover/old_side.h"
#include "reload/handover/replacement.h"

#include <errno.h>
#include <event2/event.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static const struct timeval look_interval = {.tv_sec = 1};

static json_t *value_of(const struct log_field *field)
{
    switch (field->value) {
    case LOG_WORD:
        return text_json(field->word, strlen(field->word));
    case LOG_COUNT:
        return json_integer((json_int_t)field->number);
    case LOG_MICROSECONDS:
        return json_real((double)field->number / 1000);
    case LOG_NOTHING:
        break;
    }
    return json_null();
}

/* Returns the line, which the caller frees; NULL: out of memory. */
static char *event_line(const struct generation *generation, const struct happening *happening,
                        bool with_text)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    json_t *object = json_pack("{s:s, s:f, s:i, s:i}", "event", happening_name(happening->kind),
                               "at", (double)now.tv_sec + (double)(now.tv_nsec / 1000000) / 1000,
                               "generation", (int)generation->number, "pid", (int)getpid());
    for (size_t i = 0; i < happening->field_count; i++)
        json_object_set_new(object, happening->fields[i].name, value_of(&happening->fields[i]));
    if (with_text)
        json_object_set_new(object, "text",
                            text_json(happening->message, strlen(happening->message)));
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;
    json_decref(object);
    return line;
}

/* The process that serves reports the servers as well. */
static bool is_told_elsewhere(const struct generation *generation, enum happening_kind kind)
{
    return kind <= HAPPENED_BACKUP_SERVES &&
           (generation->state == GENERATION_PROBATION ||
            generation->state == GENERATION_LINGERING || generation->state == GENERATION_DRAINING);
}

static void on_happening(const struct happening *happening, void *arg)
{
    const struct generation *generation = arg;
    if (is_told_elsewhere(generation, happening->kind))
        return;
    char *line = event_line(generation, happening, true);
    if (line && strlen(line) > BUS_LINE_MAX) {
        free(line);
        line = event_line(generation, happening, false);
    }
    if (line)
        bus_add(generation->bus, line, strlen(line));
    free(line);
}

/* --- what no other module reports ------------------------------------------------------------ */

/* What happens to clients beyond a limit of these frontends (over-limit). */
static const char *further_clients(const struct frontend_conf *frontends, size_t count)
{
    size_t closing = 0;
    for (size_t i = 0; i < count; i++)
        closing += frontends[i].over_limit == OVER_LIMIT_CLOSE;
    return closing == 0       ? "further clients wait"
           : closing == count ? "further clients are reset"
                              : "further clients wait, or are reset, as over-limit says";
}

/* frontend: NULL for the limit of the process. A limit is over when a twentieth of it is free. */
static void look_at_limit(const struct limit *limit, unsigned max, const char *frontend,
                          const char *further, bool *full)
{
    unsigned used = atomic_load(&limit->used), most = atomic_load(&limit->max);
    bool reached = used >= most || atomic_load(&limit->waiting) > 0;
    if (reached == *full || (!reached && used > most - most / 20))
        return;
    *full = reached;
    const char *name = frontend ? frontend : "-";
    if (reached)
        happened(HAPPENED_LIMIT_REACHED, LOG_LEVEL_WARNING,
                 HAPPENING_FIELDS(happening_word("limit", "max-sessions"),
                                  happening_word("frontend", name), happening_number("max", max)),
                 "max-sessions of %s%s is reached: %u sessions; %s",
                 frontend ? "frontend " : "the proxy", frontend ? frontend : "", max, further);
    else
        happened(HAPPENED_LIMIT_OVER, LOG_LEVEL_NOTICE,
                 HAPPENING_FIELDS(happening_word("limit", "max-sessions"),
                                  happening_word("frontend", name), happening_number("max", max)),
                 "max-sessions of %s%s is not reached any more",
                 frontend ? "frontend " : "the proxy", frontend ? frontend : "");
}

static void look_at_limits(const struct event_source *source)
{
    const struct service *service = &source->generation->proxy->service;
    const struct config *config = service->config;
    for (size_t i = 0; i < config->frontend_count; i++)
        if (config->frontends[i].max_sessions)
            look_at_limit(service->frontends[i].places.limit, config->frontends[i].max_sessions,
                          config->frontends[i].name, further_clients(&config->frontends[i], 1),
                          &source->full[i]);
    if (config->max_sessions)
        look_at_limit(service->places.limit, config->max_sessions, NULL,
                      further_clients(config->frontends, config->frontend_count),
                      &source->full[config->frontend_count]);
}

static void look_at_log(struct event_source *source)
{
    uint64_t dropped = log_dropped();
    if (dropped == source->dropped)
        return;
    happened_silently(HAPPENED_LOG_DROPPED,
                      HAPPENING_FIELDS(happening_number("lines", dropped - source->dropped)),
                      "lines of the log were dropped, since its target is too slow, full or gone");
    source->dropped = dropped;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct event_source *source = arg;
    const struct generation *generation = source->generation;
    look_at_log(source);
    if (!generation->proxy)
        return;
    if (!source->full)
        source->full = calloc(generation->config->frontend_count + 1, sizeof *source->full);
    if (source->full && generation->state == GENERATION_ACTIVE)
        look_at_limits(source);
}

/* --- where another process serves ------------------------------------------------------------- */

static void send_events(const char *bytes, size_t length, void *arg)
{
    const struct event_source *source = arg;
    const struct generation *generation = source->generation;
    struct channel *channel = source->replacement->channel;
    if (!channel && generation->old_side)
        channel = old_side_channel(generation->old_side);
    else if (!channel && generation->new_side)
        channel = new_side_channel(generation->new_side);
    if (channel)
        channel_send(channel, MESSAGE_EVENT, bytes, length, NULL, 0);
}

void event_source_follow(struct event_source *source)
{
    bus_forward(source->generation->bus, send_events, source);
}

void event_source_pass_on(struct event_source *source)
{
    bus_pass_on(source->generation->bus, send_events, source);
    event_source_follow(source);
}

int event_source_open(struct event_source *source, struct generation *generation,
                      const struct replacement *replacement)
{
    source->generation = generation;
    source->replacement = replacement;
    generation->bus = bus_new();
    source->look = event_new(generation->base, -1, EV_PERSIST, on_look, source);
    if (!generation->bus || !source->look || event_add(source->look, &look_interval))
        return ENOMEM;
    happening_observe(on_happening, generation);
    return 0;
}

void event_source_close(struct event_source *source)
{
    happening_observe(NULL, NULL);
    if (source->look)
        event_free(source->look);
    if (source->generation)
        bus_free(source->generation->bus);
    free(source->full);
}
