/* The socket by which each generation tells its supervisor (reload/process/supervise.h) what a
 * service manager would be told. All generations hold the same end of one socket pair, a successor
 * by inheritance; so the supervisor reads the end of file when the last of them is gone. State of
 * the process, on the main thread. */
#ifndef RPPROXY_RELOAD_BASE_SUPERVISOR_H
#define RPPROXY_RELOAD_BASE_SUPERVISOR_H

#include "config/syntax/named_files.h"

#define SUPERVISOR_VARIABLE "RPPROXY_SUPERVISOR_FD"

/* No message is longer. */
#define SUPERVISOR_MESSAGE_MAX 8192

/* What only a supervisor hears: a list of files begins; "MARK PATTERN", the mark as a
 * hexadecimal number, is one (config/syntax/named_files.h); the file of the line before is not
 * there, which a mark of 0 alone does not say. */
#define SUPERVISOR_FILES  "X_RPPROXY_FILES=1"
#define SUPERVISOR_FILE   "X_RPPROXY_FILE="
#define SUPERVISOR_ABSENT "X_RPPROXY_ABSENT=1"

/* Takes the descriptor that SUPERVISOR_VARIABLE names, makes it close-on-exec, and removes the
 * variable; before there are other threads. Returns 0, also where there is no supervisor, or the
 * errno value for which the named descriptor cannot be that of a supervisor. */
int supervisor_inherit(void) __attribute__((warn_unused_result));

/* The descriptor, for the event loop and for a successor; -1: there is no supervisor. This module
 * owns it. */
int supervisor_descriptor(void);

/* Sends the lines, as sd_notify(3) has them, and never blocks. Returns 0 or an errno value: EAGAIN,
 * the supervisor has not read the earlier ones; EPIPE, it is gone. */
int supervisor_tell(const char *state) __attribute__((warn_unused_result));

/* Tells of the files whose change is to be a reload (`--watch-files`), in place of all earlier
 * ones. Returns 0, also where there is no supervisor, or an errno value as above: the supervisor
 * knows some of them only. */
int supervisor_tell_files(const struct named_files *files) __attribute__((warn_unused_result));

/* Closes the descriptor: the supervisor is gone, or this process ends. */
void supervisor_leave(void);

#endif
