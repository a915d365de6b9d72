/* Messages to the service manager (sd_notify(3)), or to the supervisor (supervisor.h), which passes
 * them on; none where there is neither. */
#ifndef RPPROXY_RELOAD_BASE_NOTIFY_H
#define RPPROXY_RELOAD_BASE_NOTIFY_H

#include <event2/event.h>
#include <sys/types.h>

/* From now on what the manager has no room for is sent again, in its order, and none of these
 * functions blocks. State of the process, on the main thread. Returns 0 or ENOMEM. */
int notify_begin(struct event_base *base) __attribute__((warn_unused_result));
void notify_end(void);

/* The process pid serves. */
void notify_ready(pid_t pid);

/* A reload begins; it ends with notify_ready() by the process that serves then. */
void notify_reloading(void);

/* What only a supervisor is told: a wait status, the pid of a new process, and that the program of
 * the process that serves can go on as this supervisor. */
#define NOTIFY_OUTCOME  "X_RPPROXY_OUTCOME"
#define NOTIFY_LAUNCHED "X_RPPROXY_LAUNCHED"
#define NOTIFY_RESUMES  "X_RPPROXY_RESUMES"

/* This process has launched its successor. */
void notify_launched(pid_t pid);

/* From now on the service is the process pid. */
void notify_main_pid(pid_t pid);

/* The service ends. Never sent by a generation that merely drains: it would end the service. */
void notify_stopping(void);

/* The process that served is gone, and the manager may not know, since it was no child of its own:
 * the unit fails now, and Restart= sees to the rest. outcome: its wait status. */
void notify_failed(int outcome);

/* For WatchdogSec= of systemd. */
void notify_alive(void);

#endif
