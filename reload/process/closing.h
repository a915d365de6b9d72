/* How this process closes its listeners without the loss of a connection: the clients in the
 * backlogs arrive (linger.h), the process that takes over shows that it runs, the sessions move to
 * it, it shows once more that it runs, and only then all listeners close. If the other process is
 * lost before, this process serves again. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_CLOSING_H
#define RPPROXY_RELOAD_PROCESS_CLOSING_H

#include "config/model/config.h"

#include <stdbool.h>

struct generation;
struct lingering;

struct closing {
    struct generation *generation;
    void (*on_closed)(void *arg); /* from the loop; also from closing_begin() */
    void *arg;
    struct lingering *lingering; /* NULL: the listeners do not close now */
};

/* Begins; generation, on_closed and arg are set. timeout and alone as lingering_start() has them.
 */
void closing_begin(struct closing *closing, millis timeout, bool alone);

/* The proxy's on_quiet: nobody waits in the backlogs any more. */
void closing_on_quiet(struct closing *closing);

/* Before on_closed: the listeners stay open. Afterwards: frees what is left. Else harmless. */
void closing_end(struct closing *closing);

#endif
