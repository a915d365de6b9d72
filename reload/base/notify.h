/* What the service manager is told (sd_notify(3)); nothing where there is none. */
#ifndef RPPROXY_RELOAD_BASE_NOTIFY_H
#define RPPROXY_RELOAD_BASE_NOTIFY_H

#include <sys/types.h>

/* The process pid serves. */
void notify_ready(pid_t pid);

/* A reload begins; notify_ready() by whoever serves then ends it. */
void notify_reloading(void);

/* From now on the service is the process pid. */
void notify_main_pid(pid_t pid);

/* The service ends. Never sent by a generation that merely drains: it would end the service. */
void notify_stopping(void);

/* The process that served is gone, and the manager may not know, since it was no child of its own:
 * the unit fails now, and Restart= sees to the rest. */
void notify_failed(void);

#endif
