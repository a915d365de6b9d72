#ifndef RPPROXY_RELOAD_CONTROL_CONTROL_EVENTS_H
#define RPPROXY_RELOAD_CONTROL_CONTROL_EVENTS_H

#include "reload/base/exit_status.h"

struct generation;
struct requester;
struct reload_order;

/* What commands ask of the process; process/process.c implements it. */
struct control_events {
    /* Asks for a reload. EXIT_DONE: it has begun, or will as soon as the old process has closed its
     * listeners; control_reload_over() says how it went. Else EXIT_BUSY, or EXIT_OTHER when this
     * process does not serve (any more). */
    enum exit_status (*reload)(struct generation *generation, const struct reload_order *order);
    /* Calls off the reload that is under way, or wanted: control_reload_over() says when it is
     * called off. Else returns why there is none to be called off (a string constant). */
    const char *(*abort)(struct generation *generation, const struct requester *by);
    /* Graceful stop. Asked again it changes nothing. */
    void (*stop)(struct generation *generation, const struct requester *by);
};

#endif
