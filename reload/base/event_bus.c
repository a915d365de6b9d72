#include "reload/base/event_bus.h"

#include "config/base/happening.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

/* When a successor failed that had numbered events: more than it can have had. */
#define GAP 100000u

#define INSTANCE_MAX 17
#define NUMBER_MAX   40

struct event {
    uint64_t number;     /* 0: it has none yet */
    bool of_generations; /* happening_is_of_generations() */
    STAILQ_ENTRY(event) next;
    size_t length;
    char text[]; /* behind the '{' of the object */
};

struct event_bus {
    char instance[INSTANCE_MAX];
    uint64_t newest;
    uint64_t lost; /* the newest that is not kept any more; some before it may be */
    bool leads;
    void (*send)(const char *bytes, size_t length, void *arg); /* NULL: nothing is forwarded */
    void *arg;
    STAILQ_HEAD(, event) events; /* the oldest first */
    size_t count, of_generations;
    LIST_HEAD(, bus_subscriber) subscribers;
};

struct event_bus *bus_new(void)
{
    struct event_bus *bus = calloc(1, sizeof *bus);
    if (!bus)
        return NULL;
    STAILQ_INIT(&bus->events);
    LIST_INIT(&bus->subscribers);
    return bus;
}

static void drop(struct event_bus *bus, struct event *event)
{
    STAILQ_REMOVE(&bus->events, event, event, next);
    bus->count--;
    bus->of_generations -= event->of_generations;
    if (event->number > bus->lost)
        bus->lost = event->number;
    free(event);
}

static void drop_oldest(struct event_bus *bus)
{
    struct event *event = STAILQ_FIRST(&bus->events);
    if (bus->of_generations <= BUS_GENERATIONS_MAX)
        while (event->of_generations)
            event = STAILQ_NEXT(event, next);
    drop(bus, event);
}

void bus_free(struct event_bus *bus)
{
    if (!bus)
        return;
    while (bus->count > 0)
        drop(bus, STAILQ_FIRST(&bus->events));
    free(bus);
}

static size_t write_line(const struct event *event, char line[static BUS_LINE_MAX + NUMBER_MAX])
{
    int length = event->number
                     ? snprintf(line, NUMBER_MAX, "{\"number\":%" PRIu64 ",", event->number)
                     : snprintf(line, NUMBER_MAX, "{");
    memcpy(line + length, event->text, event->length);
    line[(size_t)length + event->length] = '\0';
    return (size_t)length + event->length;
}

static void tell(const struct event_bus *bus, const struct event *event)
{
    char line[BUS_LINE_MAX + NUMBER_MAX];
    size_t length = write_line(event, line);
    struct bus_subscriber *subscriber, *next;
    for (subscriber = LIST_FIRST(&bus->subscribers); subscriber; subscriber = next) {
        next = LIST_NEXT(subscriber, link);
        subscriber->on_event(line, length, subscriber->arg);
    }
}

/* text: behind the '{'. */
static bool is_of_generations(const char *text, size_t length)
{
    static const char member[] = "\"event\":\"";
    const size_t skipped = sizeof member - 1;
    if (length < skipped || memcmp(text, member, skipped) != 0)
        return false;
    const char *end = memchr(text + skipped, '"', length - skipped);
    return end && happening_is_of_generations(text + skipped, (size_t)(end - text) - skipped);
}

/* text: behind the '{'. NULL: out of memory. */
static struct event *keep(struct event_bus *bus, const char *text, size_t length, uint64_t number)
{
    struct event *event = malloc(sizeof *event + length);
    if (!event)
        return NULL;
    event->number = number;
    event->length = length;
    event->of_generations = is_of_generations(text, length);
    bus->of_generations += event->of_generations;
    memcpy(event->text, text, length);
    STAILQ_INSERT_TAIL(&bus->events, event, next);
    if (++bus->count > BUS_EVENTS_MAX)
        drop_oldest(bus);
    return event;
}

void bus_add(struct event_bus *bus, const char *object, size_t length)
{
    if (length < 3 || length > BUS_LINE_MAX || object[0] != '{' || object[length - 1] != '}' ||
        memchr(object, '\n', length))
        return;
    uint64_t number = bus->leads ? ++bus->newest : 0;
    const struct event *event = keep(bus, object + 1, length - 1, number);
    if (bus->leads && event)
        tell(bus, event);
    else if (bus->leads)
        bus->lost = number;
    else if (bus->send)
        bus->send(object, length, bus->arg);
}

static void make_instance(struct event_bus *bus)
{
    uint64_t value;
    if (getrandom(&value, sizeof value, GRND_NONBLOCK) != sizeof value)
        value = (uint64_t)time(NULL) << 24 ^ (uintptr_t)bus;
    snprintf(bus->instance, sizeof bus->instance, "%016" PRIx64, value);
}

void bus_lead(struct event_bus *bus)
{
    struct event *event;
    if (bus->leads)
        return;
    bus->leads = true;
    if (bus->send)
        bus->newest += GAP;
    bus->send = NULL;
    if (!bus->instance[0])
        make_instance(bus);
    STAILQ_FOREACH (event, &bus->events, next)
        if (event->number == 0) {
            event->number = ++bus->newest;
            tell(bus, event);
        }
}

void bus_forward(struct event_bus *bus, void (*send)(const char *bytes, size_t length, void *arg),
                 void *arg)
{
    char line[BUS_LINE_MAX + NUMBER_MAX];
    const struct event *event;
    bus->leads = false;
    bus->send = send;
    bus->arg = arg;
    STAILQ_FOREACH (event, &bus->events, next)
        if (event->number == 0) {
            size_t length = write_line(event, line);
            send(line, length, arg);
        }
}

/* The first line is {"instance":"...","newest":N,"lost":N}. */
void bus_pass_on(const struct event_bus *bus,
                 void (*send)(const char *bytes, size_t length, void *arg), void *arg)
{
    char piece[BUS_LINE_MAX + NUMBER_MAX], line[BUS_LINE_MAX + NUMBER_MAX];
    size_t used = (size_t)snprintf(
        piece, sizeof piece, "{\"instance\":\"%s\",\"newest\":%" PRIu64 ",\"lost\":%" PRIu64 "}",
        bus->instance, bus->newest, bus->lost);
    const struct event *event;
    STAILQ_FOREACH (event, &bus->events, next) {
        size_t length = write_line(event, line);
        if (used > 0 && used + 1 + length > BUS_LINE_MAX) {
            send(piece, used, arg);
            used = 0;
        }
        if (used > 0)
            piece[used++] = '\n';
        memcpy(piece + used, line, length);
        used += length;
    }
    if (used > 0)
        send(piece, used, arg);
}

static void inherit(struct event_bus *bus, const char *line)
{
    char instance[INSTANCE_MAX];
    uint64_t newest, lost;
    if (sscanf(line, "{\"instance\":\"%16[0-9a-f]\",\"newest\":%" SCNu64 ",\"lost\":%" SCNu64 "}",
               instance, &newest, &lost) == 3 &&
        strlen(instance) == INSTANCE_MAX - 1 && newest <= INT64_MAX && lost <= newest) {
        memcpy(bus->instance, instance, sizeof instance);
        bus->newest = newest;
        bus->lost = lost;
    }
}

/* Events of the predecessor stand before those of this process. text: behind the '{'. */
static void insert_inherited(struct event_bus *bus, uint64_t number, const char *text)
{
    const size_t length = strlen(text);
    if (length < 2 || length >= BUS_LINE_MAX || text[length - 1] != '}' || number == 0 ||
        number > bus->newest)
        return;
    struct event *held, *event = keep(bus, text, length, number);
    if (!event)
        return;
    /* It is the last now; those that are held, and were before it, go behind it. */
    size_t moves = 0;
    STAILQ_FOREACH (held, &bus->events, next)
        moves += held != event && held->number == 0;
    while (moves-- > 0) {
        STAILQ_FOREACH (held, &bus->events, next)
            if (held->number == 0)
                break;
        STAILQ_REMOVE(&bus->events, held, event, next);
        STAILQ_INSERT_TAIL(&bus->events, held, next);
    }
}

static void hear_line(struct event_bus *bus, const char *line)
{
    uint64_t number;
    int length = 0;
    if (strncmp(line, "{\"instance\":", 12) == 0) {
        if (!bus->leads)
            inherit(bus, line);
    } else if (sscanf(line, "{\"number\":%" SCNu64 ",%n", &number, &length) == 1 && length > 0) {
        if (!bus->leads)
            insert_inherited(bus, number, line + length);
    } else {
        bus_add(bus, line, strlen(line));
    }
}

void bus_hear(struct event_bus *bus, const char *bytes, size_t length)
{
    char *copy = strndup(bytes, length), *rest = copy, *line;
    while (copy && (line = strsep(&rest, "\n")))
        hear_line(bus, line);
    free(copy);
}

void bus_subscribe(struct event_bus *bus, struct bus_subscriber *subscriber)
{
    LIST_INSERT_HEAD(&bus->subscribers, subscriber, link);
}

void bus_unsubscribe(struct bus_subscriber *subscriber)
{
    LIST_REMOVE(subscriber, link);
}

uint64_t bus_replay(const struct event_bus *bus, const struct bus_subscriber *subscriber,
                    uint64_t after)
{
    char line[BUS_LINE_MAX + NUMBER_MAX];
    const struct event *event;
    uint64_t lost = bus->lost > after ? bus->lost - after : 0;
    STAILQ_FOREACH (event, &bus->events, next) {
        if (event->number <= after)
            continue;
        if (event->number < bus->lost && lost > 0)
            lost--;
        size_t length = write_line(event, line);
        subscriber->on_event(line, length, subscriber->arg);
    }
    return lost;
}

uint64_t bus_newest(const struct event_bus *bus)
{
    return bus->newest;
}

const char *bus_instance(const struct event_bus *bus)
{
    return bus->instance;
}
