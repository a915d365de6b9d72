/* Who the process is, and what it may do. */
#ifndef RPPROXY_RELOAD_BASE_PRIVILEGES_H
#define RPPROXY_RELOAD_BASE_PRIVILEGES_H

#include <stdbool.h>
#include <stddef.h>

/* Becomes user (NULL: the user stays), with that user's groups, keeping CAP_NET_BIND_SERVICE, with
 * `transparent` also CAP_NET_RAW, or CAP_NET_ADMIN where the process has only this (for
 * IP_TRANSPARENT), and nothing else; they are ambient, so that a successor has them too, under
 * no-new-privileges as well. A process that already is the user (a successor) is left as it is. To
 * be called before any thread is made and any address is bound: only sockets of one user may share
 * an address. A successor (is_reload) cannot become another user than its predecessor, whose
 * sockets it shares. Returns NULL, or a static text that says what failed. */
const char *privileges_become(const char *user, bool is_reload, bool transparent)
    __attribute__((warn_unused_result));

/* Whether there is such a user. Returns NULL, or a static text. */
const char *privileges_check_user(const char *user) __attribute__((warn_unused_result));

/* Makes the directory of path, if it is missing, for user (NULL: for the user of this process).
 * Only the last level. Returns 0 or an errno value. */
int privileges_make_directory(const char *path, const char *user)
    __attribute__((warn_unused_result));

/* Whether this process may put files into the directory of path, and only root and the user of this
 * process may. Returns NULL, or a static text that says what is wrong, with the directory. */
const char *privileges_check_directory(const char *path) __attribute__((warn_unused_result));

/* Raises the soft limit of descriptors to the hard one, and returns it. */
size_t privileges_descriptors(void);

#endif
