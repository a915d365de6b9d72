/* How this process was started, and how it starts its successor in the same way. */
#ifndef RPPROXY_RELOAD_BASE_PROGRAM_H
#define RPPROXY_RELOAD_BASE_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define HANDOVER_VARIABLE "RPPROXY_HANDOVER_FD"

struct program {
    char *path;  /* absolute, symbolic links kept: a new binary is found where the old one was */
    char **argv; /* main()'s */
};

/* Fills in program from main()'s argv. Returns 0, or an errno value when the path of argv[0]
 * cannot be found. */
int program_find(struct program *program, char **argv) __attribute__((warn_unused_result));

struct child {
    pid_t pid;
    int channel; /* our end of the handover's socket pair */
};

/* Starts the program at path with our arguments and environment, and one end of a new socket pair
 * as the descriptor that HANDOVER_VARIABLE names. Signals are as a fresh process has them. When it
 * returns, the program has been executed (posix_spawn(3)); but the kernel wakes us a moment before
 * it closes what else was open here in the child, so that is only sure once the child has spoken.
 * Returns 0, or an errno value (ENOENT: the program is not there). */
int program_launch(const struct program *program, struct child *child)
    __attribute__((warn_unused_result));

/* Until it is reaped the pid is the child's and nobody else's. */
void child_kill(const struct child *child);

/* True: it has exited, with the wait status in *outcome as waitpid(2) has it. Does not wait. */
bool child_reap(const struct child *child, int *outcome) __attribute__((warn_unused_result));

/* Children that have no handover any more, and are not to stay as zombies. */
struct children {
    pid_t *list;
    size_t count;
};

/* Its end may have been told already. Without memory it stays a zombie until we end. */
void children_add(struct children *children, pid_t pid);

/* Buries one that has ended (SIGCHLD), and returns its pid, with its wait status in *outcome; 0
 * when there is none. */
pid_t children_reap(struct children *children, int *outcome);

/* Buries this one. Returns its wait status; 0 also when it is none of them, or has not ended. */
int children_outcome(struct children *children, pid_t pid);

void children_free(struct children *children);

/* For a successor: the descriptor its predecessor left it, now close-on-exec, or -1 and errno:
 * ENOENT, there is none; else the variable names no socket pair of ours. Removes the variable. */
int program_inherited_channel(void) __attribute__((warn_unused_result));

#endif
