#include "reload/base/privileges.h"

#include <cap-ng.h>
#include <errno.h>
#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *complain(const char *what, const char *user)
{
    static char text[256];
    snprintf(text, sizeof text, "%s %s", what, user);
    return text;
}

static const char *refuse_change(const char *user)
{
    static char text[256];
    const struct passwd *own = getpwuid(geteuid());
    snprintf(text, sizeof text,
             "a reload cannot change the user from %s to %s, because sockets of two users cannot "
             "share an address: stop the proxy and start it",
             own ? own->pw_name : "the present one", user);
    return text;
}

const char *privileges_check_user(const char *user)
{
    return getpwnam(user) ? NULL : complain("there is no user", user);
}

/* The capability by which this process may use IP_TRANSPARENT: the weaker of two. -1: none. */
static int transparent_capability(void)
{
    if (capng_get_caps_process())
        return -1;
    if (capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_RAW))
        return CAP_NET_RAW;
    return capng_have_capability(CAPNG_EFFECTIVE, CAP_NET_ADMIN) ? CAP_NET_ADMIN : -1;
}

static bool keep_after_exec(int capability)
{
    return prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, capability, 0, 0) == 0;
}

const char *privileges_become(const char *user, bool is_reload, bool transparent)
{
    if (!user)
        return NULL;
    errno = 0;
    const struct passwd *entry = getpwnam(user);
    if (!entry)
        return complain("there is no user", user);
    if (entry->pw_uid == geteuid())
        return NULL;
    if (is_reload)
        return refuse_change(user);
    if (geteuid() != 0)
        return complain("only root can become user", user);

    if (initgroups(user, entry->pw_gid))
        return complain("cannot take the groups of", user);
    const int more = transparent ? transparent_capability() : -1;
    capng_clear(CAPNG_SELECT_BOTH);
    if (capng_updatev(CAPNG_ADD,
                      CAPNG_EFFECTIVE | CAPNG_PERMITTED | CAPNG_INHERITABLE | CAPNG_BOUNDING_SET,
                      CAP_NET_BIND_SERVICE, more, -1) ||
        capng_change_id((int)entry->pw_uid, (int)entry->pw_gid, CAPNG_CLEAR_BOUNDING))
        return complain("cannot become", user);
    /* Only now: the kernel clears ambient capabilities when root is left. */
    if (!keep_after_exec(CAP_NET_BIND_SERVICE))
        return complain("cannot keep CAP_NET_BIND_SERVICE as", user);
    if (more >= 0 && !keep_after_exec(more))
        return complain("cannot keep CAP_NET_RAW or CAP_NET_ADMIN as", user);
    return NULL;
}

/* False: path has none but the root directory, or is too long. */
static bool directory_of(const char *path, char directory[static PATH_MAX])
{
    const char *slash = strrchr(path, '/');
    if (!slash || slash == path || slash - path >= PATH_MAX)
        return false;
    memcpy(directory, path, (size_t)(slash - path));
    directory[slash - path] = '\0';
    return true;
}

int privileges_make_directory(const char *path, const char *user)
{
    char directory[PATH_MAX];
    if (!directory_of(path, directory))
        return 0;
    if (mkdir(directory, 0755))
        return errno == EEXIST ? 0 : errno;
    const struct passwd *entry = user && geteuid() == 0 ? getpwnam(user) : NULL;
    if (entry && chown(directory, entry->pw_uid, entry->pw_gid))
        return errno;
    return 0;
}

const char *privileges_check_directory(const char *path)
{
    static char text[PATH_MAX + 256];
    char directory[PATH_MAX];
    struct stat status;
    if (!directory_of(path, directory))
        return NULL;
    if (stat(directory, &status)) {
        snprintf(text, sizeof text, "its directory %s: %s", directory, strerror(errno));
    } else if (!S_ISDIR(status.st_mode)) {
        snprintf(text, sizeof text, "%s: %s", directory, strerror(ENOTDIR));
    } else if (access(directory, W_OK | X_OK)) {
        int error = errno;
        const struct passwd *entry = error == EACCES ? getpwuid(geteuid()) : NULL;
        if (entry)
            snprintf(text, sizeof text, "its directory %s is not writable for user %s", directory,
                     entry->pw_name);
        else
            snprintf(text, sizeof text, "its directory %s: %s", directory, strerror(error));
    } else if (status.st_uid != 0 && status.st_uid != geteuid()) {
        snprintf(
            text, sizeof text,
            "its directory %s belongs to a user that is neither root nor the user of the proxy",
            directory);
    } else if ((status.st_mode & S_IWOTH) && !(status.st_mode & S_ISVTX)) {
        snprintf(text, sizeof text,
                 "every user may replace files in its directory %s, which is writable and not "
                 "sticky",
                 directory);
    } else {
        return NULL;
    }
    return text;
}

size_t privileges_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return 1024;
    if (limit.rlim_cur < limit.rlim_max) {
        limit.rlim_cur = limit.rlim_max;
        if (setrlimit(RLIMIT_NOFILE, &limit) || getrlimit(RLIMIT_NOFILE, &limit))
            return 1024;
    }
    return limit.rlim_cur > INT_MAX ? INT_MAX : (size_t)limit.rlim_cur;
}
