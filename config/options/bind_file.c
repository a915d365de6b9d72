#include "config/options/bind_file.h"

#include "config/base/memory.h"

#include <grp.h>
#include <limits.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>

#define GROUPS_MAX 1024

/* Returns NULL, or what is wrong. */
static const char *read_mode(const char *value, mode_t *mode)
{
    size_t length = strlen(value);
    if (length < 3 || length > 4 || strspn(value, "01234567") != length)
        return "must be three or four octal digits, as in 0660";
    unsigned long number = strtoul(value, NULL, 8);
    if (number > 0777)
        return "must not be more than 0777";
    *mode = (mode_t)number;
    return NULL;
}

static bool read_number(const char *value, unsigned *number)
{
    size_t length = strlen(value);
    if (length == 0 || length > 10 || strspn(value, "0123456789") != length)
        return false;
    unsigned long long read = strtoull(value, NULL, 10);
    *number = (unsigned)read;
    return read < UINT_MAX; /* (uid_t)-1 means none */
}

static const char *read_owner(const char *value, uid_t *uid)
{
    const struct passwd *user = *value ? getpwnam(value) : NULL;
    if (user)
        *uid = user->pw_uid;
    return user || read_number(value, uid) ? NULL : "is not a known user";
}

static const char *read_group(const char *value, gid_t *gid)
{
    const struct group *group = *value ? getgrnam(value) : NULL;
    if (group)
        *gid = group->gr_gid;
    return group || read_number(value, gid) ? NULL : "is not a known group";
}

bool bind_file_read(const char *word, struct bind_conf *bind,
                    char wrong[static BIND_FILE_ERROR_MAX])
{
    static const char *const names[] = {"mode=", "owner=", "group="};
    const bool given[] = {bind->mode_given, bind->owner != NULL, bind->group != NULL};
    unsigned which = 0;
    while (which < 3 && strncmp(word, names[which], strlen(names[which])) != 0)
        which++;
    if (which == 3)
        return false;
    const char *value = strchr(word, '=') + 1;
    int length = (int)strlen(names[which]) - 1;
    wrong[0] = '\0';
    if (given[which]) {
        snprintf(wrong, BIND_FILE_ERROR_MAX, "%.*s is given twice", length, word);
        return true;
    }
    const char *why = which == 0   ? read_mode(value, &bind->mode)
                      : which == 1 ? read_owner(value, &bind->uid)
                                   : read_group(value, &bind->gid);
    if (why)
        snprintf(wrong, BIND_FILE_ERROR_MAX, "%.*s '%.100s' %s", length, word, value, why);
    else if (which == 0)
        bind->mode_given = true;
    else
        *(which == 1 ? &bind->owner : &bind->group) = memory_copy(value);
    return true;
}

bool bind_file_is_given(const struct bind_conf *bind)
{
    return bind->mode_given || bind->owner || bind->group;
}

const char *bind_file_check_user(const struct bind_conf *bind, const char *user)
{
    gid_t groups[GROUPS_MAX];
    int count = GROUPS_MAX;
    const struct passwd *entry = getpwnam(user);
    if (!entry || entry->pw_uid == 0)
        return NULL; /* an unknown user is reported elsewhere */
    if (bind->owner && bind->uid != entry->pw_uid)
        return "owner: only root can give a file to another user, and 'user' is not root";
    if (!bind->group || getgrouplist(user, entry->pw_gid, groups, &count) < 0)
        return NULL;
    for (int i = 0; i < count; i++)
        if (groups[i] == bind->gid)
            return NULL;
    return "group: 'user' is not a member of that group";
}

void bind_file_write(const struct bind_conf *bind, FILE *out)
{
    if (bind->mode_given)
        fprintf(out, " mode=%04o", (unsigned)bind->mode);
    if (bind->owner)
        fprintf(out, " owner=%s", bind->owner);
    if (bind->group)
        fprintf(out, " group=%s", bind->group);
}
