/* The supervisor (`--supervise`, and by itself as process 1 of a container): a process that stays
 * while generations come and go, for service managers and containers that wait for the process that
 * they started.
 *
 * It starts the first generation, and no other. It passes signals on to the generation that serves,
 * reaps orphans, passes what the generations tell a service manager on to NOTIFY_SOCKET, and ends
 * when the last generation has ended, with the exit status of the generation that served last: 128
 * plus the signal, if one killed it. If that generation has failed, and no other process is about
 * to serve, the supervisor kills those that drain, so that the service can be started again at
 * once. If the supervisor itself is killed, the generations serve on.
 *
 * After a reload to another program file it executes that file itself, with the same pid, so that
 * an upgrade leaves nothing of the old program.
 *
 * It has no event loop, no configuration, and no thread. */
#ifndef RPPROXY_RELOAD_PROCESS_SUPERVISE_H
#define RPPROXY_RELOAD_PROCESS_SUPERVISE_H

#include "reload/base/program.h"

#include <stdbool.h>

/* Whether this process is to be a supervisor: asked to, or process 1; and neither supervised
 * already, nor the new process of a reload. */
bool supervise_wanted(bool asked);

/* Supervises `program`; returns the exit status. watched: a configuration file. Each change of it,
 * of files beside it, and of files that it names, is a reload (watch.h). NULL: no file is watched.
 */
int supervise_run(const struct program *program, const char *watched);

#endif
