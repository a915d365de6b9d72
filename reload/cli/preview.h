/* What a reload would change, for people to read before they ask for it. For commands. */
#ifndef RPPROXY_RELOAD_CLI_PREVIEW_H
#define RPPROXY_RELOAD_CLI_PREVIEW_H

#include "config/model/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/types.h>

/* Makes the environment that process was started with, and the CPUs that it may use, our own, since
 * its successor reads the configuration with them. False, and errno: it cannot be read (proc(5);
 * 0: there is no such process in our PID namespace), and ours is as it was. */
bool preview_environment(pid_t process) __attribute__((warn_unused_result));

/* Tells of every change from running to next, and of the sessions that are touched by it. status is
 * the running process's, as status_json(). */
void preview_print(const struct config *running, const struct config *next, const json_t *status,
                   FILE *out);

#endif
