/* Unix binds. The file of one of unix:/PATH: a new one is opened under a temporary name; of a bind
 * that the old process has as well the new process takes over the listening socket itself, with its
 * file as it is: so the owner, group and permissions that an administrator gave it, and mounts of
 * it, live on.
 *
 * One of unix:@NAME has no file, and the name belongs to the socket: it is always handed over by
 * its socket. A new one has its name before the process serves, and listens when it serves: until
 * then clients are refused, as without it. It cannot be hidden from clients as a file can, until
 * nobody accepts any more: unix_bind_refuse().
 *
 * Those that return a text return NULL, or what is wrong (static or thread-local). Main thread. */
#ifndef RPPROXY_RELOAD_LISTENERS_UNIX_BIND_H
#define RPPROXY_RELOAD_LISTENERS_UNIX_BIND_H

#include "reload/listeners/bound.h"

/* Listens under a temporary name beside the path (abstract: is bound only), with the owner, group
 * and permissions that the configuration names. Refused where a program listens at the path, unless
 * that is the old process (replaces), which cannot pass its socket. */
const char *unix_bind_open(struct bound *bound, bool replaces) __attribute__((warn_unused_result));

/* The bind has the old process's socket, whose path leads to it. Refused where owner, group or
 * permissions are to be others and cannot be changed. */
const char *unix_bind_adopt(struct bound *bound) __attribute__((warn_unused_result));

/* The path leads to the socket of this process, as the configuration wants it. On an error nothing
 * has changed. */
const char *unix_bind_publish(struct bound *bound) __attribute__((warn_unused_result));
void unix_bind_withdraw(struct bound *bound);

/* The path leads to the socket of this process. */
bool unix_bind_is_ours(const struct bound *bound);

/* Keeps in mind what the path looks like, before a successor may change that; and makes it so
 * again. An error is logged. */
void unix_bind_note(struct bound *bound);
void unix_bind_take_back(struct bound *bound);

/* The bind ends: clients do not find it any more. unix_bind_take_back() undoes that, unless there
 * is no successor (alone), until unix_bind_close(). */
void unix_bind_hide(struct bound *bound, bool alone);

/* An abstract bind ends for all processes that have the socket: clients are refused from now on.
 * Those in the queue can be accepted still. */
void unix_bind_refuse(const struct bound *bound);

/* Removes temporary names, and with ends the path if it belongs to this process. */
void unix_bind_close(struct bound *bound, bool ends);

#endif
