/* The service manager's watchdog (WatchdogSec=, sd_watchdog_enabled(3)): told four times in its
 * interval, while this process is the one that serves, that all threads turn. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_WATCHDOG_H
#define RPPROXY_RELOAD_PROCESS_WATCHDOG_H

#include "reload/base/pulse.h"

#include <event2/event.h>

struct generation;

struct watchdog {
    struct generation *generation;
    struct event *tick; /* NULL: nobody asks for it */
    struct pulse_check check;
};

/* Before there are other threads: reads WATCHDOG_USEC and WATCHDOG_PID. Of a first process that is
 * named by WATCHDOG_PID, the variable is removed, so that its successors obey as well. Of another
 * process both are. Returns 0 or ENOMEM. */
int watchdog_open(struct watchdog *watchdog, struct generation *generation)
    __attribute__((warn_unused_result));

void watchdog_close(struct watchdog *watchdog);

#endif
