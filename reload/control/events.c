#include "reload/control/events.h"

#include "reload/base/event_bus.h"
#include "reload/control/client.h"
#include "reload/handover/generation.h"

#include <stdlib.h>
#include <string.h>

/* So many bytes may wait for a command to take them. */
#define BACKLOG_MAX (256u * 1024)

struct follower {
    struct client *client;
    struct bus_subscriber subscriber;
};

static void leave(struct follower *follower)
{
    bus_unsubscribe(&follower->subscriber);
    free(follower);
}

static void on_event(const char *line, size_t length, void *arg)
{
    struct follower *follower = arg;
    struct client *client = follower->client;
    if (client_backlog(client) + length < BACKLOG_MAX) {
        client_send_line(client, line, length);
        return;
    }
    client_send_result(client, EXIT_OTHER,
                       "cut off: events came faster than this command has read them");
    client_stream_end(client);
    leave(follower);
}

static void on_gone(void *arg)
{
    leave(arg);
}

static const struct client_stream stream_events = {.on_gone = on_gone};

/* What the command has heard of already. */
static uint64_t heard(const struct event_bus *bus, const json_t *request)
{
    const char *instance = json_string_value(json_object_get(request, "instance"));
    const json_t *after = json_object_get(request, "after"),
                 *last = json_object_get(request, "last");
    uint64_t newest = bus_newest(bus);
    if (instance && strcmp(instance, bus_instance(bus)) != 0)
        return 0; /* of a proxy that has been started since */
    if (instance && json_integer_value(after) >= 0)
        return (uint64_t)json_integer_value(after);
    if (json_integer_value(last) > 0)
        return newest > (uint64_t)json_integer_value(last)
                   ? newest - (uint64_t)json_integer_value(last)
                   : 0;
    return newest;
}

/* Those that are kept are bounded. */
static void on_kept_event(const char *line, size_t length, void *arg)
{
    client_send_line(arg, line, length);
}

static void pass_over(const char *line, size_t length, void *arg)
{
    (void)line;
    (void)length;
    (void)arg;
}

void events_answer(struct client *client, const json_t *request)
{
    const struct bus_subscriber nobody = {.on_event = pass_over},
                                kept = {.on_event = on_kept_event, .arg = client};
    struct event_bus *bus = client->generation->bus;
    struct follower *follower = calloc(1, sizeof *follower);
    if (!follower || !client_follow(client)) {
        client_send_result(client, EXIT_OTHER,
                           follower ? "too many commands follow the events already"
                                    : "out of memory");
        free(follower);
        return;
    }
    uint64_t after = heard(bus, request);
    follower->client = client;
    follower->subscriber = (struct bus_subscriber){.on_event = on_event, .arg = follower};
    bus_subscribe(bus, &follower->subscriber);
    client_stream_begin(client, &stream_events, follower);
    client_send(client, json_pack("{s:{s:s, s:I, s:I}}", "events", "instance", bus_instance(bus),
                                  "newest", (json_int_t)bus_newest(bus), "lost",
                                  (json_int_t)bus_replay(bus, &nobody, after)));
    (void)bus_replay(bus, &kept, after);
}
