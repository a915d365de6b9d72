/* How this process was started, and how it starts its successor in the same way. */
#ifndef RPPROXY_RELOAD_BASE_PROGRAM_H
#define RPPROXY_RELOAD_BASE_PROGRAM_H

#include "reload/base/children.h"

#include <sys/types.h>

#define HANDOVER_VARIABLE   "RPPROXY_HANDOVER_FD"
#define GENERATION_VARIABLE "RPPROXY_GENERATION"
#define STORED_VARIABLE     "RPPROXY_STORED"

struct program {
    char *path;  /* absolute, symbolic links kept: a new binary is found where the old one was */
    char **argv; /* main()'s */
};

/* Fills in program from main()'s argv. Returns 0, or an errno value when the path of argv[0]
 * cannot be found. */
int program_find(struct program *program, char **argv) __attribute__((warn_unused_result));

struct child {
    pid_t pid;
    int channel; /* this process's end of the handover's socket pair */
};

/* Makes the socket pair, before there is a successor: what is sent now is there for it from its
 * first moment on, regardless of what becomes of this process. *end is the successor's end, which
 * the caller closes after program_launch(). Returns 0 or an errno value. */
int program_connect(struct child *child, int *end) __attribute__((warn_unused_result));

/* Starts the program at path with the arguments and environment, and the end of the socket pair as
 * the descriptor that HANDOVER_VARIABLE names; GENERATION_VARIABLE is the number of its
 * generation, for log lines before the offer. Signals have their default disposition there, and
 * those of signals_orders() are blocked. stored: the file that the successor reads in place of the
 * configuration file (STORED_VARIABLE), or NULL. When it returns, the program has been executed
 * (posix_spawn(3)); but the kernel wakes this process a moment before it closes what else was open
 * here in the child, so that is only sure once the child has spoken. The child is added to
 * children. Returns 0, or an errno value (ENOENT: the program is not there). */
int program_launch(const struct program *program, unsigned generation, const char *stored,
                   struct children *children, struct child *child, int end)
    __attribute__((warn_unused_result));

/* For a successor: the descriptor its predecessor left it, now close-on-exec, or -errno.
 * -ENOENT: there is none; else the variable names no socket pair of a handover. Removes the
 * variable. */
int program_inherited_channel(void) __attribute__((warn_unused_result));

/* For a successor: the number of its generation, or 0: an older version has started it. Removes
 * the variable. */
unsigned program_inherited_generation(void);

/* For a successor: the file that it is to read in place of the configuration file, which the caller
 * frees; NULL: none. Removes the variable. */
char *program_inherited_stored(void);

#endif
