/* The control socket: where `rpproxy reload`, `status` and `stop` speak to the running process.
 *
 * A Unix stream socket, mode 0600; only its own user and root are answered (SO_PEERCRED). One JSON
 * object a line, both ways. A client asks once, {"command": "reload"}, and reads until it has what
 * it wants; {"command": "server", "server": "app/a", "set": "drain"} has members more, and
 * so has {"command": "canary", "plan": "5%:30s"}, a reload that an older process must not take for
 * one without a canary:
 *
 *   {"pid": 1, "generation": 1}          the process that answers; always first
 *   {"progress": "..."}                  an error line of the successor, or why a bind is passed
 *   {"step": "ready"}                    how far a reload or a stop is
 *   {"step": "draining", "sessions": 7}  how many it has left, now and then
 *   {"result": "...", "exit": 0}         how it went; exit as of rpproxy(8)
 *   {"status": {...}}                    the answer to {"command": "status"}
 *   {"config": {...}}                    the answer to {"command": "config"}
 *   {"events": {...}}                    the head of the answer to {"command": "events"}
 *   {"number": 17, "event": "...", ...}  an event
 *   {"sessions": [{...}, ...]}           a part of the answer to {"command": "sessions"}
 *   {"missing": {...}}                   a process that has not answered to that
 *   {"over": true, "killed": 3}          the end of the answer to that, and to {"command": "kill"}
 *   {"ended": true, ...}                 this process has drained, and exits
 */
#ifndef RPPROXY_RELOAD_CONTROL_CONTROL_H
#define RPPROXY_RELOAD_CONTROL_CONTROL_H

#include "reload/base/exit_status.h"
#include "reload/control/control_events.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct control;
struct generation;

/* generation is what status and the other commands show. It outlives the control socket, and so do
 * the events. NULL: out of memory. */
struct control *control_new(struct generation *generation, const struct control_events *events)
    __attribute__((warn_unused_result));

/* Listens under a temporary name beside path, which has to live as long; what listened before is
 * closed. Returns 0 or an errno value. */
int control_bind(struct control *control, const char *path) __attribute__((warn_unused_result));

/* Takes the path. Returns 0 or an errno value. The path leads where it led before after
 * control_withdraw(), which is possible until control_settle(). */
int control_publish(struct control *control) __attribute__((warn_unused_result));
void control_withdraw(struct control *control);
void control_settle(struct control *control);

/* Binds and publishes, unless the path belongs to this process already. Returns 0 or an errno
 * value. */
int control_take_back(struct control *control, const char *path)
    __attribute__((warn_unused_result));

/* Commands are to ask another process: those that wait stay, and those that have not asked yet, or
 * follow the events, are hung up on, and ask again there. If the path still belongs to this
 * process, it is removed. */
void control_retire(struct control *control);

/* Another process of this proxy asks: answers the line by that socket, which is taken over. */
void control_answer(struct control *control, int fd, const char *line);

/* A line for the commands that wait for a reload. */
void control_progress(struct control *control, const char *line, size_t length);

/* The reload that succeeded is undone: commands that still wait for its drain hear so. */
void control_rolled_back(struct control *control, const char *text);

void control_reload_over(struct control *control, enum exit_status status, const char *text);

/* How far a reload or a stop is: for the commands that have asked for one, until they hang up. */
void control_step(struct control *control, const char *text);

/* The same of the sessions that are left, where that is news. A command that has not read the line
 * before is passed over this time. */
void control_draining(struct control *control, uint64_t sessions);

/* How a drain ended. */
struct control_end {
    uint64_t sessions;   /* when it began */
    uint64_t cut;        /* of these, at a deadline */
    uint64_t others_cut; /* sessions of other processes that drained, in a stop */
};

/* Tells all commands that wait how the process ended, and listens no more. remove: the path is
 * ours, and goes too. The connections of those that wait stay open: their end is the end of this
 * process, for a command that cannot have a pidfd. NULL is fine. */
void control_close(struct control *control, bool remove, const struct control_end *end);

/* After control_close(), as the last thing that this process does. NULL is fine. */
void control_free(struct control *control);

/* The process that listens on path, or 0. -1: one does that cannot be named: it takes no more
 * clients now, or is in another PID namespace. */
pid_t control_holder(const char *path);

#endif
