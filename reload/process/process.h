/* One process and its life, from start to exit: handover/generation.h has its states. This module
 * owns the struct generation, changes its state, and hears the other modules of the room by their
 * events. */
#ifndef RPPROXY_RELOAD_PROCESS_PROCESS_H
#define RPPROXY_RELOAD_PROCESS_PROCESS_H

#include "reload/base/program.h"

/* The whole of `rpproxy -f file`; returns the exit status. */
int process_run(const struct program *program, const char *file);

#endif
