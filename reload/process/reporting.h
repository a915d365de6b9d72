/* What the process tells its users: the log, the commands that wait for a reload, and, while it is
 * the new process of a reload, the old process, whose commands wait. Main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_REPORTING_H
#define RPPROXY_RELOAD_PROCESS_REPORTING_H

#include <stddef.h>

struct generation;
struct process;

/* An error: to the log, and to the old process. The second form is a callback; arg is the
 * generation. */
void reporting_error(struct generation *generation, const char *line);
void reporting_error_line(const char *line, void *arg);

/* A line of the new process, for the commands that wait. */
void reporting_progress(struct generation *generation, const char *line, size_t length);

/* A warning: to the log, and to the commands that wait. The second form is a callback: a process
 * has hung; arg is the generation. */
void reporting_warning(struct generation *generation, const char *line);
void reporting_hung(const char *line, void *arg);

/* A step of a reload or a stop: to the commands that wait, and as an event. The second form is
 * "NAME: pid PID WHAT" of this process. */
void reporting_step(struct generation *generation, const char *text);
void reporting_own_step(struct process *process, const char *name, const char *what);

#endif
