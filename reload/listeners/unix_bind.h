/* The file of a Unix bind: its temporary name, the rename to its path, and the way back.
 *
 * All functions are for binds of unix:/PATH; those that return an int return 0 or an errno value.
 * Main thread. */
#ifndef RPPROXY_RELOAD_LISTENERS_UNIX_BIND_H
#define RPPROXY_RELOAD_LISTENERS_UNIX_BIND_H

#include "reload/listeners/binds.h"

/* Whether the path can be taken at a start: EADDRINUSE where a program listens there, EEXIST where
 * the file is no socket. */
int unix_bind_probe(const struct address *address) __attribute__((warn_unused_result));

/* Listens under a temporary name beside the path. */
int unix_bind_open(struct bound *bound) __attribute__((warn_unused_result));

/* Renames the socket to its path. An error is logged. */
void unix_bind_publish(struct bound *bound);

/* The path leads to our socket. */
bool unix_bind_is_ours(const struct bound *bound);

/* Gives our socket a second name, for unix_bind_take_back() after a successor has taken the path;
 * and removes that name. */
int unix_bind_make_spare(struct bound *bound) __attribute__((warn_unused_result));
void unix_bind_drop_spare(struct bound *bound);
void unix_bind_take_back(struct bound *bound);

void unix_bind_unlink(const struct bound *bound);
void unix_bind_drop_temporary(struct bound *bound);

/* Removes the names that a killed process of that pid has left beside the path. */
void unix_bind_sweep(const struct bound *bound, pid_t pid);

#endif
