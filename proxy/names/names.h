/* Servers that have a name: their addresses at start, and as they change.
 *
 * A server without resolve=all has one of the addresses of its name. With resolve=all each address
 * is a server in a slot (slots.h), named NAME-1, NAME-2 and so on; slots are made when they are
 * needed first, and never go. Sessions keep the connections they have, regardless of what becomes
 * of the address of their server.
 *
 * With `resolve = live` a name is asked for again when its TTL is over, within resolve-min and
 * resolve-max; with `resolve = start` only until it has been answered once. A name that has no
 * addresses any more, or no answer, keeps the last ones for resolve-hold, and is asked for again
 * soon. What is missing in a part of an answer is kept as well. An address that is a bind of this
 * proxy, in a loop, is refused (loops.h).
 *
 * Everything here is for the main thread. */
#ifndef RPPROXY_PROXY_NAMES_NAMES_H
#define RPPROXY_PROXY_NAMES_NAMES_H

#include "config/first.h"
#include "proxy/backend/backend.h"
#include "proxy/backend/check/checks.h"

#include <event2/event.h>

struct names;

/* Descriptors that following names takes at most. */
unsigned names_descriptors(const struct config *config);

/* For backends that are in the order of the configuration. The first answers, which must not be
 * NULL, are taken over; they count from names_begin() on. base, config and backends must outlive
 * the names. Exits without memory, as loops_new(): the process does not serve yet. NULL: out of
 * memory. */
struct names *names_new(const struct config *config, struct backend *backends,
                        struct event_base *base, struct first_answers *answers)
    __attribute__((warn_unused_result));

/* Before names_begin(): the old process had this server with that address. Makes the slot, if the
 * server is one. answered_at: as in struct server_state. Ignores what is not of a name. Returns 0
 * or ENOMEM. */
int names_inherit(struct names *names, struct checks *checks, const char *backend, const char *name,
                  const struct address *address, uint64_t answered_at)
    __attribute__((warn_unused_result));

/* The servers get their addresses. Reports those that make the start fail, as first_report() does,
 * and warns of those that do not. Returns how many make it fail. */
size_t names_begin(struct names *names, struct checks *checks,
                   void (*report)(const char *line, void *arg), void *arg);

/* After names_begin(): names are asked for again from now on. Returns 0 or
 * an errno value: that is not possible. */
int names_follow(struct names *names) __attribute__((warn_unused_result));

/* Servers stay as they are. NULL is fine. */
void names_free(struct names *names);

/* The line of the file that a server of that name comes from: its own, or that of its slots; NULL:
 * none with a host. */
const struct server_conf *names_conf(const struct backend_conf *backend, const char *server);

#endif
