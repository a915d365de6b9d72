/* The last events of the proxy, and those that follow them. Each event is a line of JSON, and has a
 * number; the numbers go on over reloads, so that a follower which changes to another process
 * misses none and sees none twice.
 *
 * One process numbers the events: the one that serves. It passes all that it keeps to its successor
 * before that serves, and from then on sends its own events there, as do processes that drain.
 * Main thread. */
#ifndef RPPROXY_RELOAD_BASE_EVENT_BUS_H
#define RPPROXY_RELOAD_BASE_EVENT_BUS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

/* So many events are kept, of at most so many bytes each. The last events of generations
 * (happening.h) are kept even where so many others came since: up to half of all. */
#define BUS_EVENTS_MAX      512
#define BUS_GENERATIONS_MAX (BUS_EVENTS_MAX / 2)
#define BUS_LINE_MAX        4000

struct event_bus;

struct bus_subscriber {
    /* An event, as BUS_LINE_MAX has it, without an end of line. bus_unsubscribe() may be called
     * from here, for this subscriber. */
    void (*on_event)(const char *line, size_t length, void *arg);
    void *arg;
    LIST_ENTRY(bus_subscriber) link;
};

/* A bus holds its events at first: they have no numbers, and nobody hears of them. NULL: out of
 * memory. */
struct event_bus *bus_new(void) __attribute__((warn_unused_result));
void bus_free(struct event_bus *bus);

/* Adds an event: an object of JSON without a number, which begins with its member "event". One that
 * is no object, or too long, is dropped; out of memory an event is lost, and `lost` of bus_replay()
 * says so. */
void bus_add(struct event_bus *bus, const char *object, size_t length);

/* This process numbers the events from now on, also those that it holds. */
void bus_lead(struct event_bus *bus);

/* Another process does: what this one holds, and what comes, goes there. It is kept as well, until
 * bus_lead() is called after all. */
void bus_forward(struct event_bus *bus, void (*send)(const char *bytes, size_t length, void *arg),
                 void *arg);

/* Before bus_forward(): sends all that is kept to a successor, in pieces of at most BUS_LINE_MAX
 * bytes, for bus_hear(). */
void bus_pass_on(const struct event_bus *bus,
                 void (*send)(const char *bytes, size_t length, void *arg), void *arg);

/* What another process has sent, in either way. */
void bus_hear(struct event_bus *bus, const char *bytes, size_t length);

void bus_subscribe(struct event_bus *bus, struct bus_subscriber *subscriber);
void bus_unsubscribe(struct bus_subscriber *subscriber);

/* Tells the subscriber of the events behind number `after` that are kept. Returns how many of them
 * are lost. */
uint64_t bus_replay(const struct event_bus *bus, const struct bus_subscriber *subscriber,
                    uint64_t after);

/* The number of the newest event; 0: none. */
uint64_t bus_newest(const struct event_bus *bus);

/* The same as long as the numbers go on: not after a start. "": this process does not lead yet. */
const char *bus_instance(const struct event_bus *bus);

#endif
