#include "config/options/bind_values.h"

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

static struct bind_conf *bind_of(void *member)
{
    return member;
}

static const char *set_mode(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    const char *wrong = read_mode(value, &bind_of(member)->mode);
    bind_of(member)->mode_given = !wrong;
    return wrong;
}

static const char *set_owner(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    const char *wrong = read_owner(value, &bind_of(member)->uid);
    if (!wrong)
        bind_of(member)->owner = memory_copy(value);
    return wrong;
}

static const char *set_group(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    const char *wrong = read_group(value, &bind_of(member)->gid);
    if (!wrong)
        bind_of(member)->group = memory_copy(value);
    return wrong;
}

static void release_owner(void *member)
{
    free(bind_of(member)->owner);
    bind_of(member)->owner = NULL;
}

static void release_group(void *member)
{
    free(bind_of(member)->group);
    bind_of(member)->group = NULL;
}

static bool write_mode(const void *member, size_t item, FILE *out)
{
    const struct bind_conf *bind = member;
    (void)item;
    if (bind->mode_given)
        fprintf(out, "%04o", (unsigned)bind->mode);
    return bind->mode_given;
}

static bool write_text(const char *text, FILE *out)
{
    if (text)
        fputs(text, out);
    return text != NULL;
}

static bool write_owner(const void *member, size_t item, FILE *out)
{
    (void)item;
    return write_text(((const struct bind_conf *)member)->owner, out);
}

static bool write_group(const void *member, size_t item, FILE *out)
{
    (void)item;
    return write_text(((const struct bind_conf *)member)->group, out);
}

const struct option_custom bind_file_mode = {.form = "MODE", .read = set_mode, .write = write_mode};
const struct option_custom bind_file_owner = {
    .form = "USER", .read = set_owner, .write = write_owner, .release = release_owner};
const struct option_custom bind_file_group = {
    .form = "GROUP", .read = set_group, .write = write_group, .release = release_group};

static const char *set_accept(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    bool shared = strcmp(value, "shared") == 0;
    if (!shared && strcmp(value, "sharded") != 0)
        return "must be sharded or shared";
    bind_of(member)->accept = shared ? ACCEPT_SHARED : ACCEPT_SHARDED;
    return NULL;
}

static const char *set_steer(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    bool cpu = strcmp(value, "cpu") == 0;
    if (!cpu && strcmp(value, "hash") != 0)
        return "must be hash or cpu";
    bind_of(member)->steer = cpu ? STEER_CPU : STEER_HASH;
    return NULL;
}

static bool has_one_socket(const struct bind_conf *bind)
{
    return address_is_unix(&bind->at.address) || bind_is_activated(bind);
}

static bool write_accept(const void *member, size_t item, FILE *out)
{
    const struct bind_conf *bind = member;
    (void)item;
    if (has_one_socket(bind))
        return false;
    fputs(bind->accept == ACCEPT_SHARED ? "shared" : "sharded", out);
    return true;
}

static bool write_steer(const void *member, size_t item, FILE *out)
{
    const struct bind_conf *bind = member;
    (void)item;
    if (has_one_socket(bind) || bind->accept == ACCEPT_SHARED)
        return false;
    fputs(bind->steer == STEER_CPU ? "cpu" : "hash", out);
    return true;
}

const struct option_custom bind_accept = {
    .form = "sharded or shared", .read = set_accept, .write = write_accept};
const struct option_custom bind_steer = {
    .form = "hash or cpu", .read = set_steer, .write = write_steer};

static const char *set_v6only(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    bool no = strcmp(value, "no") == 0;
    if (!no && strcmp(value, "yes") != 0)
        return "must be yes or no";
    bind_of(member)->at.dual_stack = no;
    return NULL;
}

static bool write_v6only(const void *member, size_t item, FILE *out)
{
    const struct bind_conf *bind = member;
    (void)item;
    if (bind->at.dual_stack)
        fputs("no", out);
    return bind->at.dual_stack;
}

static const char *set_interface(const char *value, void *member,
                                 const struct option_context *context)
{
    size_t length = strlen(value);
    (void)context;
    if (length == 0 || length >= IF_NAMESIZE)
        return "must be the name of an interface: 1 to 15 bytes";
    if (strcmp(value, ".") == 0 || strcmp(value, "..") == 0 || strpbrk(value, "/:"))
        return "is not the name of an interface";
    strcpy(bind_of(member)->at.interface, value);
    return NULL;
}

static bool write_interface(const void *member, size_t item, FILE *out)
{
    const struct bind_conf *bind = member;
    (void)item;
    return bind->at.interface[0] && write_text(bind->at.interface, out);
}

const struct option_custom bind_v6only = {
    .form = "yes or no", .read = set_v6only, .write = write_v6only};
const struct option_custom bind_interface = {
    .form = "NAME", .read = set_interface, .write = write_interface};

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
