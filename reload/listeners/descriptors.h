/* How a process uses the descriptors that its limit (RLIMIT_NOFILE) allows. Before anything is
 * opened, all that is needed is added up here; sessions get the rest. */
#ifndef RPPROXY_RELOAD_LISTENERS_DESCRIPTORS_H
#define RPPROXY_RELOAD_LISTENERS_DESCRIPTORS_H

#include "config/model/config.h"
#include "reload/listeners/offer.h"

#include <stdbool.h>
#include <stddef.h>

/* Commands that the control socket listens to at a time. */
#define DESCRIPTORS_COMMANDS 32

/* Clients of the HTTP server at a time. */
#define DESCRIPTORS_HTTP 128

/* Commands that follow the events at a time, besides. */
#define DESCRIPTORS_FOLLOWERS 32

struct descriptors {
    unsigned limit;

    /* Without these the process does not run: */
    unsigned listeners; /* its listening sockets, and those of a service manager that it holds */
    unsigned workers;   /* loops, task queues, pipes */
    unsigned base;      /* main loop, log, and the like */
    unsigned foreign;   /* the listeners of the predecessor, until that has closed them */

    /* These come from what is left: */
    unsigned aside;    /* for checks, commands, processes that drain, files that are open for a
                        * moment; up to half of it */
    unsigned reserve;  /* for duplicates of a successor's listeners, or for sinks */
    unsigned spares;   /* for each worker: sockets that wait for the next session with a server */
    unsigned sessions; /* so many fit, with two descriptors each */
    unsigned sessions_meanwhile; /* the same as long as there is foreign */
};

/* Makes the plan of a process with that number of workers. offer: what comes from the old process,
 * or from a service manager; may be NULL. Only foreign and sessions_meanwhile depend on the old
 * process: after a reload of the same configuration, as many sessions fit as before. */
struct descriptors descriptors_plan(const struct config *config, unsigned workers,
                                    const struct offer *offer, size_t limit);

#define DESCRIPTORS_TEXT_MAX 512

/* Returns false if not even one session fits; text is then the error, with the figures. */
bool descriptors_suffice(const struct descriptors *plan, char text[static DESCRIPTORS_TEXT_MAX]);

/* Returns true if less than half of the limit is for sessions, or if a reload of the same
 * configuration would be refused; text is then a warning, with the figures. */
bool descriptors_are_few(const struct descriptors *plan, char text[static DESCRIPTORS_TEXT_MAX]);

#endif
