/* Prints what a reload would change, before it is done. For commands. */
#ifndef RPPROXY_RELOAD_CLI_PREVIEW_H
#define RPPROXY_RELOAD_CLI_PREVIEW_H

#include "config/model/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Copies the environment with which process was started, and the CPUs that it may use, to this
 * process: the new process of a reload reads the configuration with them. Returns 0; or an errno
 * value, and nothing has changed: they cannot be read (proc(5)). process = 0: it is not in the PID
 * namespace of this command. */
int preview_environment(pid_t process) __attribute__((warn_unused_result));

/* Prints every change from running to next, and the sessions that it affects. status is that of
 * the running process, as from status_json(). */
void preview_print(const struct config *running, const struct config *next, const json_t *status,
                   FILE *out);

#endif
