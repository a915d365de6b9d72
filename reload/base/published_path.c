#include "reload/base/published_path.h"

#include <cap-ng.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <xxhash.h>

/* How much of the last part of the path is kept in the temporary name, for people. */
#define STEM_MAX      24
#define TEMPORARY_MAX (STEM_MAX + sizeof "-01234567.-2147483648")

/* The directory of a path, open, and the names in it. */
struct beside {
    int directory;
    const char *name; /* the last part of the path */
    char temporary[TEMPORARY_MAX];
};

static void name_temporary(const char *name, pid_t pid, char temporary[static TEMPORARY_MAX])
{
    size_t length = strlen(name), stem = length < STEM_MAX ? length : STEM_MAX;
    /* Not within a character: some file systems refuse names that are not UTF-8. */
    while (stem > 0 && stem < length && ((unsigned char)name[stem] & 0xc0) == 0x80)
        stem--;
    snprintf(temporary, TEMPORARY_MAX, "%.*s-%08x.%d", (int)stem, name,
             (unsigned)XXH3_64bits(name, length), (int)pid);
}

/* Returns 0 or an errno value; then there is nothing to close. */
static int open_beside(struct beside *beside, const char *path, pid_t pid)
{
    const char *slash = strrchr(path, '/');
    if (!slash)
        return EINVAL;
    beside->name = slash + 1;
    name_temporary(beside->name, pid, beside->temporary);
    char *directory = slash == path ? strdup("/") : strndup(path, (size_t)(slash - path));
    if (!directory)
        return ENOMEM;
    beside->directory = open(directory, O_PATH | O_DIRECTORY | O_CLOEXEC);
    int error = beside->directory < 0 ? errno : 0;
    free(directory);
    return error;
}

static void close_beside(const struct beside *beside)
{
    close(beside->directory);
}

static bool may_replace_all(void)
{
    return capng_get_caps_process() == 0 && capng_have_capability(CAPNG_EFFECTIVE, CAP_FOWNER);
}

/* Whether rename(2) onto the path can succeed, given that there is a file of this process beside
 * it. Asked before anything depends on it, since the answer cannot be had by trying. */
static int obstacle(const struct beside *beside, bool is_socket)
{
    struct statx there;
    struct stat directory;
    if (statx(beside->directory, beside->name, AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS, &there))
        return errno == ENOENT ? 0 : errno;
    if (S_ISDIR(there.stx_mode))
        return EISDIR;
    if (is_socket && !S_ISSOCK(there.stx_mode) && !S_ISLNK(there.stx_mode))
        return EEXIST;
    if (there.stx_attributes & (STATX_ATTR_IMMUTABLE | STATX_ATTR_APPEND))
        return EPERM;
    if (there.stx_attributes & STATX_ATTR_MOUNT_ROOT)
        return EBUSY;
    if (fstat(beside->directory, &directory))
        return errno;
    if ((directory.st_mode & S_ISVTX) && directory.st_uid != geteuid() &&
        there.stx_uid != geteuid() && !may_replace_all())
        return EPERM;
    return 0;
}

const char *published_error_text(int error)
{
    switch (error) {
    case EPERM:
        return "the file that is there belongs to another user, or is immutable, and cannot be "
               "replaced";
    case EBUSY:
        return "the file that is there is a mount point, and cannot be replaced";
    case EISDIR:
        return "a directory is there";
    case EEXIST:
        return "the file that is there is not a socket";
    default:
        return strerror(error);
    }
}

/* --- prepare ------------------------------------------------------------------------------- */

/* The address of the temporary name: by its path where that fits, which people see in ss(8); else
 * by way of the directory's descriptor. */
static void address_of(const struct beside *beside, const char *path, struct sockaddr_un *address)
{
    size_t length = (size_t)(beside->name - path);
    *address = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length + strlen(beside->temporary) < sizeof address->sun_path)
        snprintf(address->sun_path, sizeof address->sun_path, "%.*s%s", (int)length, path,
                 beside->temporary);
    else
        snprintf(address->sun_path, sizeof address->sun_path, "/proc/self/fd/%d/%s",
                 beside->directory, beside->temporary);
}

static int make_socket(const struct beside *beside, const char *path, mode_t mode)
{
    struct sockaddr_un address;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    address_of(beside, path, &address);
    mode_t before = umask(0777); /* there is no call that reads it */
    umask(before | (~mode & 0777));
    int error = bind(fd, (const struct sockaddr *)&address, sizeof address) ? errno : 0;
    umask(before);
    if (!error)
        return fd;
    close(fd);
    return -error;
}

static int make_file(const struct beside *beside, mode_t mode)
{
    int fd =
        openat(beside->directory, beside->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    return fd < 0 ? -errno : fd;
}

/* The temporary name or the path is the file of this process. */
static bool leads_to_ours(const struct published_path *published, int directory, const char *name)
{
    struct stat status;
    return fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW) == 0 &&
           status.st_dev == published->device && status.st_ino == published->inode;
}

static int note_identity(struct published_path *published, int directory, const char *name)
{
    struct stat status;
    if (fstatat(directory, name, &status, AT_SYMLINK_NOFOLLOW))
        return errno;
    published->device = status.st_dev;
    published->inode = status.st_ino;
    return 0;
}

static int prepare(struct published_path *published, const char *path, mode_t mode, bool is_socket)
{
    struct beside beside;
    *published = (struct published_path){.path = path, .is_socket = is_socket};
    int error = open_beside(&beside, path, getpid());
    if (error)
        return -error;
    error = obstacle(&beside, is_socket);
    int fd = -error;
    if (!error) {
        (void)unlinkat(beside.directory, beside.temporary, 0); /* of a process with the same pid */
        fd = is_socket ? make_socket(&beside, path, mode) : make_file(&beside, mode);
    }
    if (fd >= 0)
        error = note_identity(published, beside.directory, beside.temporary);
    if (fd >= 0 && error) {
        (void)unlinkat(beside.directory, beside.temporary, 0);
        close(fd);
        fd = -error;
    }
    close_beside(&beside);
    if (fd >= 0)
        published->state = PUBLISHED_PREPARED;
    return fd;
}

int published_prepare_socket(struct published_path *published, const char *path, mode_t mode)
{
    return prepare(published, path, mode, true);
}

int published_prepare_file(struct published_path *published, const char *path, mode_t mode)
{
    return prepare(published, path, mode, false);
}

int published_set_owner(const struct published_path *published, uid_t owner, gid_t group,
                        mode_t mode)
{
    struct beside beside;
    int error = open_beside(&beside, published->path, getpid());
    if (error)
        return error;
    /* A sandbox may refuse chown(2), also where it would change nothing. */
    bool moves = owner != (uid_t)-1 || group != (gid_t)-1;
    if ((moves &&
         fchownat(beside.directory, beside.temporary, owner, group, AT_SYMLINK_NOFOLLOW)) ||
        (mode != (mode_t)-1 && fchmodat(beside.directory, beside.temporary, mode, 0)))
        error = errno;
    close_beside(&beside);
    return error;
}

int published_adopt(struct published_path *published, const char *path)
{
    struct beside beside;
    *published = (struct published_path){.path = path, .is_socket = true};
    int error = open_beside(&beside, path, getpid());
    if (error)
        return error;
    error = note_identity(published, beside.directory, beside.name);
    close_beside(&beside);
    if (!error)
        published->state = PUBLISHED_PUBLISHED;
    return error;
}

/* --- publish and take back ----------------------------------------------------------------- */

static bool has_no_exchange(int error)
{
    return error == EINVAL || error == ENOSYS || error == ENOENT;
}

int published_publish(struct published_path *published)
{
    struct beside beside;
    int error = open_beside(&beside, published->path, getpid());
    if (error)
        return error;
    error = obstacle(&beside, published->is_socket);
    if (!error) {
        published->displaced = renameat2(beside.directory, beside.temporary, beside.directory,
                                         beside.name, RENAME_EXCHANGE) == 0;
        if (!published->displaced)
            error = errno;
    }
    if (has_no_exchange(error))
        error =
            renameat(beside.directory, beside.temporary, beside.directory, beside.name) ? errno : 0;
    close_beside(&beside);
    if (!error)
        published->state = PUBLISHED_PUBLISHED;
    return error;
}

int published_withdraw(struct published_path *published)
{
    struct beside beside;
    int error = open_beside(&beside, published->path, getpid());
    if (error)
        return error;
    if (renameat2(beside.directory, beside.name, beside.directory, beside.temporary,
                  published->displaced ? RENAME_EXCHANGE : 0))
        error = errno;
    close_beside(&beside);
    if (error)
        return error;
    published->displaced = false;
    published->state = PUBLISHED_PREPARED;
    return 0;
}

/* The file of this process goes from its path to the temporary name of process pid (aside), or
 * back. */
static int move_ours(struct published_path *published, pid_t pid, bool aside)
{
    struct beside beside;
    int error = open_beside(&beside, published->path, pid);
    if (error)
        return error;
    const char *from = aside ? beside.name : beside.temporary;
    const char *to = aside ? beside.temporary : beside.name;
    if (!leads_to_ours(published, beside.directory, from))
        error = ENOENT;
    else if (renameat(beside.directory, from, beside.directory, to))
        error = errno;
    close_beside(&beside);
    if (!error)
        published->state = aside ? PUBLISHED_ASIDE : PUBLISHED_PUBLISHED;
    return error;
}

int published_set_aside(struct published_path *published)
{
    return move_ours(published, getpid(), true);
}

int published_put_back(struct published_path *published)
{
    return move_ours(published, getpid(), false);
}

int published_reclaim(struct published_path *published, pid_t pid)
{
    return move_ours(published, pid, false);
}

/* --- remove -------------------------------------------------------------------------------- */

void published_settle(struct published_path *published)
{
    if (published->state == PUBLISHED_PUBLISHED && published->displaced)
        published_sweep(published->path, getpid());
    published->displaced = false;
}

bool published_is_ours(const struct published_path *published)
{
    struct stat status;
    return published->state == PUBLISHED_PUBLISHED && lstat(published->path, &status) == 0 &&
           status.st_dev == published->device && status.st_ino == published->inode;
}

void published_end(struct published_path *published, bool remove)
{
    if (published->state == PUBLISHED_ABSENT)
        return;
    if (published->state != PUBLISHED_PUBLISHED || published->displaced)
        published_sweep(published->path, getpid());
    if (remove && published_is_ours(published))
        (void)unlink(published->path);
    published->state = PUBLISHED_ABSENT;
    published->displaced = false;
}

void published_sweep(const char *path, pid_t pid)
{
    struct beside beside;
    if (open_beside(&beside, path, pid))
        return;
    (void)unlinkat(beside.directory, beside.temporary, 0);
    close_beside(&beside);
}
