/* A file of this process under a path that other programs know: the socket of a Unix bind, the
 * control socket, the pid file.
 *
 *     ABSENT --prepare--> PREPARED --publish--> PUBLISHED --set_aside--> ASIDE
 *                             ^                    |   ^                   |
 *                             +-----withdraw-------+   +-----put_back------+
 *
 * PREPARED: the file is complete, under a temporary name beside its path. All that can fail for
 * want of space or permission has been done. publish is one rename(2): the path leads to the old
 * file or to the new one at every moment. What was at the path before stays under the temporary
 * name (renameat2(2), RENAME_EXCHANGE; where the file system has no such call it is lost), so that
 * withdraw() brings it back, and so that the process that it belongs to can take it back with
 * reclaim() after this process has died.
 * ASIDE: the path leads nowhere, and the file is kept under the temporary name.
 *
 * The temporary name is the beginning of the path's last part, a hash of that part, and the pid of
 * the process. So the temporary name of a long path, with a long pid, is short as well. Sockets
 * whose temporary name does not fit an address are bound by way of /proc/self/fd, so every path
 * that fits an address can be used.
 *
 * A process has at most one file under its temporary name for a path. Main thread. */
#ifndef RPPROXY_RELOAD_BASE_PUBLISHED_PATH_H
#define RPPROXY_RELOAD_BASE_PUBLISHED_PATH_H

#include <stdbool.h>
#include <sys/types.h>

enum published_state {
    PUBLISHED_ABSENT,
    PUBLISHED_PREPARED,
    PUBLISHED_PUBLISHED,
    PUBLISHED_ASIDE,
};

struct published_path {
    const char *path; /* absolute; the caller's, and has to live as long */
    enum published_state state;
    dev_t device; /* of the file of this process */
    ino_t inode;
    bool is_socket; /* only a socket may be replaced */
    bool displaced; /* PUBLISHED: what was at the path is under the temporary name */
};

/* Makes a Unix stream socket (bound, not listening; O_NONBLOCK, close-on-exec), or opens an empty
 * file for writing (close-on-exec), under the temporary name, with the permissions mode, less the
 * umask; and looks whether it could replace what is at the path. Returns the descriptor, the
 * caller's, or a negative errno value, and then nothing is left. */
int published_prepare_socket(struct published_path *published, const char *path, mode_t mode)
    __attribute__((warn_unused_result));
int published_prepare_file(struct published_path *published, const char *path, mode_t mode)
    __attribute__((warn_unused_result));

/* Changes owner, group (-1: as it is) and permissions ((mode_t)-1: as they are) of a PREPARED file.
 * Returns 0 or an errno value. */
int published_set_owner(const struct published_path *published, uid_t owner, gid_t group,
                        mode_t mode) __attribute__((warn_unused_result));

/* A file that another process has published belongs to this process as well from now on. Returns 0
 * or an errno value. */
int published_adopt(struct published_path *published, const char *path)
    __attribute__((warn_unused_result));

/* These return 0 or an errno value, and then nothing has changed. */
int published_publish(struct published_path *published) __attribute__((warn_unused_result));
int published_withdraw(struct published_path *published);
int published_set_aside(struct published_path *published);
int published_put_back(struct published_path *published) __attribute__((warn_unused_result));

/* The file of this process was displaced by the process of that pid, which is gone: it takes its
 * path again. Returns 0 or an errno value: ENOENT, the file is not there. */
int published_reclaim(struct published_path *published, pid_t pid)
    __attribute__((warn_unused_result));

/* What was displaced is not needed any more. */
void published_settle(struct published_path *published);

/* The path leads to the file of this process. */
bool published_is_ours(const struct published_path *published);

/* Removes the temporary name, if there is one; with remove also the path, if it leads to the file
 * of this process. ABSENT afterwards. */
void published_end(struct published_path *published, bool remove);

/* Removes what a killed process of that pid has left beside path. */
void published_sweep(const char *path, pid_t pid);

/* What an error of these functions means, for people: static or thread-local text. */
const char *published_error_text(int error);

#endif
