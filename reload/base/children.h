/* The children of this process: those it launched, and others that become its children when their
 * parent ends (it is process 1 of a container, or a "subreaper"). This module alone calls
 * waitpid(2), and for every child that ends, so that none stays a zombie.
 *
 * SIGCHLD must have its default disposition (signals.h): where it is ignored the kernel reaps, and
 * no status is left to be had. All on the main thread. */
#ifndef RPPROXY_RELOAD_BASE_CHILDREN_H
#define RPPROXY_RELOAD_BASE_CHILDREN_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct launched;

/* All zero: there are none. */
struct children {
    struct launched *list;
    size_t count;
};

/* Room for one more, so that children_add() cannot fail once the child runs. Returns 0 or ENOMEM.
 */
int children_reserve(struct children *children) __attribute__((warn_unused_result));

/* A child that was launched after children_reserve(): its wait status is kept until somebody takes
 * it. */
void children_add(struct children *children, pid_t pid);

/* Reaps whatever has ended (SIGCHLD), and keeps the wait statuses of what was added. */
void children_collect(struct children *children);

/* True: it has ended, with its wait status in *outcome as waitpid(2) has it; it is forgotten then.
 * Also collects. Does not wait. */
bool children_take(struct children *children, pid_t pid, int *outcome)
    __attribute__((warn_unused_result));

/* SIGKILL, unless it has ended: then the number may be another process's. */
void children_kill(struct children *children, pid_t pid);

/* Nobody will take its status, or it is no child of ours. It is reaped all the same. */
void children_forget(struct children *children, pid_t pid);

/* From now on it is a former child: children_take_former() tells when it ends. */
void children_retire(struct children *children, pid_t pid);

/* children_take() of a former child: of which, or of any where that is 0. Returns its pid; 0: there
 * is none that has ended. */
pid_t children_take_former(struct children *children, pid_t which, int *outcome)
    __attribute__((warn_unused_result));

void children_free(struct children *children);

#endif
