/* What another process says of events: whatever comes, each event that is kept is an object on one
 * line, and goes on to the next process as it is. */
#include "reload/base/event_bus.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

struct heard {
    struct event_bus *next; /* of the process that gets all */
    size_t count;
};

static void must(bool so)
{
    if (!so)
        abort();
}

static void on_event(const char *line, size_t length, void *arg)
{
    struct heard *heard = arg;
    must(length >= 2 && line[0] == '{' && line[length - 1] == '}');
    must(!memchr(line, '\n', length) && !memchr(line, '\0', length));
    heard->count++;
}

static void send_on(const char *bytes, size_t length, void *arg)
{
    const struct heard *heard = arg;
    char *copy = malloc(length); /* of its very size */
    memcpy(copy, bytes, length);
    bus_hear(heard->next, copy, length);
    free(copy);
}

static size_t count_all(const struct event_bus *bus, uint64_t after)
{
    struct heard heard = {.count = 0};
    const struct bus_subscriber all = {.on_event = on_event, .arg = &heard};
    must(bus_replay(bus, &all, after) <= INT64_MAX);
    must(heard.count <= BUS_EVENTS_MAX);
    return heard.count;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct event_bus *bus = bus_new();
    struct heard heard = {.next = bus_new()};
    char *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    bus_hear(bus, copy, length);
    (void)count_all(bus, 3);
    bus_pass_on(bus, send_on, &heard);
    bus_forward(bus, send_on, &heard);
    bus_lead(bus);
    bus_hear(bus, copy, length);
    (void)count_all(bus, 0);
    bus_lead(heard.next);
    (void)count_all(heard.next, 0);
    must(strlen(bus_instance(bus)) == 16 && strlen(bus_instance(heard.next)) == 16);
    bus_free(bus);
    bus_free(heard.next);
    free(copy);
    return 0;
}
