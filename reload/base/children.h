/* The children of this process: processes that it launched, and orphans, which become its children
 * when their parent ends (if this process is process 1 of a container, or a "subreaper"). This
 * module reaps every child that ends, so that no zombie stays; programs of checks by
 * config/base/job.h, which keeps their wait statuses for the thread that launched them.
 *
 * SIGCHLD must have its default disposition (signals.h): where it is ignored, the kernel reaps and
 * keeps no wait status. All functions are for the main thread. */
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

/* Adds a child that was launched after children_reserve(). Its wait status is kept until it is
 * taken. */
void children_add(struct children *children, pid_t pid);

/* Reaps all children that have ended (SIGCHLD), and keeps the wait statuses of those that were
 * added. */
void children_collect(struct children *children);

/* Collects first. Returns true if the child has ended: *outcome is its wait status as waitpid(2)
 * has it, and the child is forgotten. Does not wait. */
bool children_take(struct children *children, pid_t pid, int *outcome)
    __attribute__((warn_unused_result));

/* Sends SIGKILL, unless the child was reaped: then its pid may be that of another process. */
void children_kill(struct children *children, pid_t pid);

/* Its wait status is not needed any more. The child is reaped all the same. pid may be unknown. */
void children_forget(struct children *children, pid_t pid);

/* From now on it is a former child: children_take_former() returns it when it has ended. */
void children_retire(struct children *children, pid_t pid);

/* children_take() of the former child with the pid `which`, or of any former child if that is 0.
 * Returns its pid, or 0 if none has ended. */
pid_t children_take_former(struct children *children, pid_t which, int *outcome)
    __attribute__((warn_unused_result));

void children_free(struct children *children);

#endif
