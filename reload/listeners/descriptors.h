/* What a process does with the descriptors that its limit (RLIMIT_NOFILE) allows: all that is
 * needed is summed up here, before anything is opened, and sessions get the rest. */
#ifndef RPPROXY_RELOAD_LISTENERS_DESCRIPTORS_H
#define RPPROXY_RELOAD_LISTENERS_DESCRIPTORS_H

#include "config/model/config.h"
#include "reload/listeners/offer.h"

#include <stdbool.h>
#include <stddef.h>

/* Commands that the control socket listens to at a time. */
#define DESCRIPTORS_COMMANDS 32

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
    unsigned reserve;  /* for a successor's listeners, or for sinks; so that all of the above is up
                        * to half of the limit */
    unsigned spares;   /* for each worker: sockets that wait for the next session with a server */
    unsigned sessions; /* so many fit, with two descriptors each */
    unsigned sessions_meanwhile; /* the same as long as there is foreign */
};

/* Plans for a process of so many workers. offer: what comes from a predecessor, or from a service
 * manager; may be NULL. The plan of a process depends on its own configuration and limit only, but
 * for foreign and sessions_meanwhile: after a reload as many sessions fit as before. */
struct descriptors descriptors_plan(const struct config *config, unsigned workers,
                                    const struct offer *offer, size_t limit);

#define DESCRIPTORS_TEXT_MAX 512

/* False: not one session fits. text says why, with the figures. */
bool descriptors_suffice(const struct descriptors *plan, char text[static DESCRIPTORS_TEXT_MAX]);

/* Few fit: less than half of the limit is for sessions, or a reload of the same configuration will
 * be refused. text says so, with the figures; false: there is nothing to be said. */
bool descriptors_are_few(const struct descriptors *plan, char text[static DESCRIPTORS_TEXT_MAX]);

#endif
