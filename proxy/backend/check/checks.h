/* Active checks: which servers are checked, and what follows. probe.h is the connection of one
 * check, schedule.h the thread that all checks run on; server.h says how results change the state
 * of a server.
 *
 * Each server of a backend that asks for checks is checked once in an interval. The servers are
 * spread over the interval. At most CHECKS_MOST probes are under way; a check that is due beyond
 * that waits, so the interval becomes longer where many servers do not answer at all.
 *
 * A shortage of the proxy (descriptors, local ports) says nothing about the server, and neither
 * does the full backlog of a Unix socket: the server stays as it is. A server in MAINT, or without
 * address, is not checked.
 *
 * All functions are for the main thread, which makes all changes of servers. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_CHECKS_H
#define RPPROXY_PROXY_BACKEND_CHECK_CHECKS_H

#include "proxy/backend/check/schedule.h"
#include "proxy/backend/server.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct checks;

/* Descriptors that the checks of config take at most. */
unsigned checks_descriptors(const struct config *config);

/* Makes the checks of all servers of these backends, those of config, that ask for them, and starts
 * their thread if there are any; nothing is checked yet. programs: how many may run at once (check
 * = exec). base and tasks are those of the main thread; they and the backends must outlive the
 * checks. Returns 0, and stores the checks in *made; or an errno value.
 */
int checks_new(struct backend *backends, const struct config *config, struct event_base *base,
               struct task_queue *tasks, unsigned programs, struct checks **made)
    __attribute__((warn_unused_result));

/* Adds a server, as of backend_add(); its backend asks for checks, or it follows another server
 * (check-track). After the checks have begun its
 * first check is due at once. Returns 0 or an errno value. */
int checks_add(struct checks *checks, struct server *server) __attribute__((warn_unused_result));

/* Begins. A server with a planned check (check_due) keeps the plan; other servers have their first
 * check within their interval. */
void checks_begin(struct checks *checks);

/* Begins as well, but checks all servers of which nothing is known (SERVER_UNCHECKED) at once.
 * on_known is called once, from the loop: when each of these servers has been checked, or after
 * `most` milliseconds. */
void checks_begin_unknown_first(struct checks *checks, millis most, void (*on_known)(void *arg),
                                void *arg);

/* Asks whether the thread of the checks turns: on_turned is called once, by the task queue of the
 * main thread, when it has turned since now, and never while it hangs; nor after checks_free(). Not
 * to be asked again before. False: there is no such thread. */
bool checks_ask_turn(struct checks *checks, void (*on_turned)(void *arg), void *arg);

/* Ends all checks; the servers stay as they are. NULL is fine. */
void checks_free(struct checks *checks);

#endif
