#include "reload/listeners/unix_bind.h"

#include "config/base/log.h"
#include "proxy/engine/socket.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *path_of(const struct bound *bound)
{
    return bound->conf->at.address.un.sun_path;
}

static const char *probe(const struct address *address)
{
    struct stat status;
    if (stat(address->un.sun_path, &status))
        return errno == ENOENT ? NULL : strerror(errno);
    if (!S_ISSOCK(status.st_mode))
        return published_error_text(EEXIST);
    int error;
    int fd = socket_connect(address, &error);
    if (fd >= 0)
        close(fd);
    return fd >= 0 || error == EAGAIN ? "another program listens there" : NULL;
}

static bool wants_attributes(const struct bind_conf *conf)
{
    return conf->mode_given || conf->owner || conf->group;
}

static const char *attributes_error_text(int error)
{
    if (error != EPERM)
        return strerror(error);
    return "it cannot be given that mode, owner or group: only root can give a file away, and only "
           "to a group that it is in can a user";
}

static int set_attributes(const struct bound *bound)
{
    const struct bind_conf *conf = bound->conf;
    if (!wants_attributes(conf))
        return 0;
    return published_set_owner(&bound->file, conf->owner ? conf->uid : (uid_t)-1,
                               conf->group ? conf->gid : (gid_t)-1,
                               conf->mode_given ? conf->mode : (mode_t)-1);
}

/* A socket under the temporary name. Nobody can connect before it listens. */
static const char *prepare(struct bound *bound, int *fd)
{
    *fd = published_prepare_socket(&bound->file, path_of(bound),
                                   bound->conf->mode_given ? bound->conf->mode & 0600 : 0777);
    if (*fd < 0)
        return *fd == -EACCES ? "permission denied" : published_error_text(-*fd);
    int error = set_attributes(bound);
    if (!error)
        return NULL;
    close(*fd);
    published_end(&bound->file, false);
    return attributes_error_text(error);
}

static const char *open_abstract(struct bound *bound)
{
    bound->fds = calloc(1, sizeof *bound->fds);
    if (!bound->fds)
        return strerror(ENOMEM);
    int fd = socket_bind(&bound->conf->at);
    if (fd < 0)
        return fd == -EADDRINUSE ? "another program has that name" : strerror(-fd);
    bound->fds[0] = fd;
    bound->sockets = 1;
    bound->listens_late = true;
    bound->held = true; /* until then */
    return NULL;
}

const char *unix_bind_open(struct bound *bound, bool replaces)
{
    if (bound_is_abstract(bound))
        return open_abstract(bound);
    const char *wrong = replaces ? NULL : probe(&bound->conf->at.address);
    if (wrong)
        return wrong;
    bound->fds = calloc(1, sizeof *bound->fds);
    if (!bound->fds)
        return strerror(ENOMEM);
    wrong = prepare(bound, &bound->fds[0]);
    if (wrong)
        return wrong;
    bound->sockets = 1;
    int error = socket_listen(bound->fds[0], bound->conf->backlog);
    return error ? strerror(error) : NULL;
}

/* --- the old process's socket -------------------------------------------------------------- */

static int look(const struct bound *bound, struct file_attributes *attributes)
{
    struct stat status;
    if (!unix_bind_is_ours(bound))
        return ENOENT;
    if (lstat(path_of(bound), &status))
        return errno;
    *attributes = (struct file_attributes){
        .known = true, .mode = status.st_mode & 07777, .uid = status.st_uid, .gid = status.st_gid};
    return 0;
}

static bool is_as_wanted(const struct bind_conf *conf, const struct file_attributes *now)
{
    return (!conf->mode_given || conf->mode == now->mode) &&
           (!conf->owner || conf->uid == now->uid) && (!conf->group || conf->gid == now->gid);
}

/* chown(2) only where the owner or the group changes: a sandbox may refuse it. */
static int change(const char *path, const struct file_attributes *now, uid_t uid, gid_t gid,
                  mode_t mode)
{
    bool moves = uid != now->uid || gid != now->gid;
    if ((moves && lchown(path, uid, gid)) || chmod(path, mode))
        return errno;
    return 0;
}

static int restore(const struct bound *bound, const struct file_attributes *to)
{
    struct file_attributes now;
    if (!to->known || look(bound, &now))
        return 0;
    bool moved = now.uid != to->uid || now.gid != to->gid;
    if (moved && lchown(path_of(bound), to->uid, to->gid))
        return errno;
    /* To give a file away may have cost it bits of its mode. */
    if ((moved || now.mode != to->mode) && chmod(path_of(bound), to->mode))
        return errno;
    return 0;
}

const char *unix_bind_adopt(struct bound *bound)
{
    struct file_attributes now;
    if (bound_is_abstract(bound))
        return NULL;
    int error = published_adopt(&bound->file, path_of(bound));
    if (!error)
        error = look(bound, &now);
    if (error)
        return strerror(error);
    if (is_as_wanted(bound->conf, &now))
        return NULL;
    if (geteuid() != 0 && now.uid != geteuid())
        return "its mode, owner and group cannot be changed: it belongs to another user";
    /* Whether they can be is tried on another file. */
    const struct published_path adopted = bound->file;
    int fd;
    const char *wrong = prepare(bound, &fd);
    if (!wrong) {
        close(fd);
        published_end(&bound->file, false);
    }
    bound->file = adopted;
    return wrong;
}

/* --- publish and take back ----------------------------------------------------------------- */

static const char *change_adopted(struct bound *bound)
{
    const struct bind_conf *conf = bound->conf;
    struct file_attributes now;
    int error = look(bound, &now);
    if (error)
        return error == ENOENT ? "the path does not lead to its socket any more" : strerror(error);
    if (is_as_wanted(conf, &now))
        return NULL;
    bound->before = now;
    error = change(path_of(bound), &now, conf->owner ? conf->uid : now.uid,
                   conf->group ? conf->gid : now.gid, conf->mode_given ? conf->mode : now.mode);
    if (!error)
        return NULL;
    (void)restore(bound, &now);
    return attributes_error_text(error);
}

const char *unix_bind_publish(struct bound *bound)
{
    if (bound_is_abstract(bound))
        return NULL;
    if (bound->file.state == PUBLISHED_PUBLISHED)
        return change_adopted(bound);
    int error = published_publish(&bound->file);
    return error ? published_error_text(error) : NULL;
}

void unix_bind_withdraw(struct bound *bound)
{
    if (bound->file.state != PUBLISHED_PUBLISHED)
        return;
    if (bound->adopted)
        (void)restore(bound, &bound->before);
    else
        (void)published_withdraw(&bound->file);
}

bool unix_bind_is_ours(const struct bound *bound)
{
    return bound_is_abstract(bound) || published_is_ours(&bound->file);
}

void unix_bind_note(struct bound *bound)
{
    bound->before.known = false;
    if (!bound_is_abstract(bound))
        (void)look(bound, &bound->before);
}

void unix_bind_take_back(struct bound *bound)
{
    int error = bound->file.state == PUBLISHED_ASIDE ? published_put_back(&bound->file)
                                                     : restore(bound, &bound->before);
    if (error)
        log_error("%s: cannot be taken back as it was: %s", bound->conf->text, strerror(error));
}

void unix_bind_hide(struct bound *bound, bool alone)
{
    int error = 0;
    if (bound_is_abstract(bound) || !unix_bind_is_ours(bound))
        return;
    if (!alone)
        error = published_set_aside(&bound->file);
    else if (unlink(path_of(bound)))
        error = errno;
    if (error)
        log_warning("%s: new clients cannot be refused while it closes: %s", bound->conf->text,
                    published_error_text(error));
}

void unix_bind_refuse(const struct bound *bound)
{
    if (shutdown(bound->fds[0], SHUT_RD))
        log_warning("%s: new clients cannot be refused while it closes: %s", bound->conf->text,
                    strerror(errno));
}

void unix_bind_close(struct bound *bound, bool ends)
{
    published_end(&bound->file, ends);
}
