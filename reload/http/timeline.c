#include "reload/http/timeline.h"

#include "config/base/happening.h"
#include "reload/base/event_bus.h"
#include "reload/base/history.h"
#include "reload/handover/generation.h"
#include "reload/http/server.h"

#include <event2/buffer.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct timeline {
    const char *folder;      /* of the history; NULL: none is kept */
    struct evbuffer *events; /* lines of JSON */
    struct evbuffer *answer; /* NULL: not made yet */
};

/* --- the main thread ------------------------------------------------------------------------- */

static void keep_event(const char *line, size_t length, void *arg)
{
    struct evbuffer *events = arg;
    evbuffer_add(events, line, length);
    evbuffer_add(events, "\n", 1);
}

struct timeline *timeline_look(const struct generation *generation)
{
    struct timeline *timeline = calloc(1, sizeof *timeline);
    if (!timeline)
        return NULL;
    timeline->folder = generation->config->history;
    timeline->events = evbuffer_new();
    if (!timeline->events) {
        timeline_free(timeline);
        return NULL;
    }
    const struct bus_subscriber kept = {.on_event = keep_event, .arg = timeline->events};
    (void)bus_replay(generation->bus, &kept, 0);
    return timeline;
}

json_t *timeline_newest(const struct generation *generation)
{
    return json_sprintf("%s/%llu", bus_instance(generation->bus),
                        (unsigned long long)bus_newest(generation->bus));
}

/* --- the server's thread --------------------------------------------------------------------- */

static json_t *read_events(struct evbuffer *lines)
{
    const char *step = happening_name(HAPPENED_RELOAD_STEP);
    json_t *list = json_array();
    size_t length;
    for (char *line; (line = evbuffer_readln(lines, &length, EVBUFFER_EOL_LF)); free(line)) {
        json_t *event = json_loadb(line, length, 0, NULL);
        const char *name = json_string_value(json_object_get(event, "event"));
        if (name && strcmp(name, step) != 0)
            json_array_append(list, event);
        json_decref(event);
    }
    return list;
}

static json_t *read_history(const char *folder)
{
    json_t *list = json_array();
    unsigned *numbers = NULL;
    size_t count = folder ? history_numbers(folder, &numbers) : 0;
    for (size_t i = count > TIMELINE_HISTORY_MAX ? count - TIMELINE_HISTORY_MAX : 0; i < count;
         i++) {
        struct history_entry entry;
        bool whole;
        const char *wrong = history_read_part(folder, numbers[i], HISTORY_HEAD_MAX, &entry, &whole);
        if (wrong && entry.generation == 0)
            continue;
        if (wrong && !entry.result[0])
            snprintf(entry.result, sizeof entry.result, "the file %s", wrong);
        json_t *object = history_json(&entry);
        json_object_set_new(object, "text", json_boolean(entry.text != NULL));
        json_array_append_new(list, object);
        history_entry_free(&entry);
    }
    free(numbers);
    return list;
}

/* NULL: out of memory. */
static struct evbuffer *answer_of(struct timeline *timeline)
{
    if (timeline->answer)
        return timeline->answer;
    json_t *object = json_pack("{s:o, s:o}", "events", read_events(timeline->events), "history",
                               read_history(timeline->folder));
    char *text = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(13)) : NULL;
    if (text)
        timeline->answer = evbuffer_new();
    if (timeline->answer)
        evbuffer_add(timeline->answer, text, strlen(text));
    free(text);
    json_decref(object);
    return timeline->answer;
}

void timeline_reply(struct timeline *timeline, struct http_server *server,
                    struct evhttp_request *request)
{
    struct evbuffer *answer = answer_of(timeline), *body = evbuffer_new();
    if (!answer || !body || evbuffer_add_buffer_reference(body, answer)) {
        http_server_say(server, request, HTTP_SERVUNAVAIL, "out of memory");
    } else {
        evhttp_add_header(evhttp_request_get_output_headers(request), "Content-Type",
                          "application/json");
        http_server_reply(server, request, HTTP_OK, body);
    }
    if (body)
        evbuffer_free(body);
}

void timeline_free(void *arg)
{
    struct timeline *timeline = arg;
    if (timeline->events)
        evbuffer_free(timeline->events);
    if (timeline->answer)
        evbuffer_free(timeline->answer);
    free(timeline);
}
