#include "config/options/login_values.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/lists/list_file.h"
#include "config/model/check.h"
#include "config/syntax/words.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- passwords ----------------------------------------------------------------------------- */

/* Bytes of the file at most; a line of the configuration is not longer either. */
#define FILE_MAX 4096

static void release_password(void *member)
{
    struct check_conf *check = member;
    free(check->password);
    free(check->password_file);
    check->password = check->password_file = NULL;
}

/* Reads the first line; *password is to be freed. Returns NULL or what is wrong. */
static const char *read_open_file(int fd, const char *name, char **password)
{
    char text[FILE_MAX + 1];
    struct stat status;
    if (fstat(fd, &status))
        return error_text("%s: %s", name, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_text("%s is not a regular file", name);
    ssize_t length = read(fd, text, sizeof text);
    if (length < 0)
        return error_text("%s: %s", name, strerror(errno));
    if (length > FILE_MAX)
        return error_text("%s is larger than %d bytes", name, FILE_MAX);
    const char *end = memchr(text, '\n', (size_t)length);
    size_t line = end ? (size_t)(end - text) : (size_t)length;
    if (line > 0 && text[line - 1] == '\r')
        line--;
    if (line == 0)
        return error_text("%s: the first line is empty", name);
    if (memchr(text, '\0', line))
        return error_text("%s has a NUL byte in it", name);
    *password = memory_copy_n(text, line);
    explicit_bzero(text, sizeof text);
    return NULL;
}

static const char *read_password_file(const char *path, char **password)
{
    /* A FIFO without a writer must not stop the start. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    const char *wrong =
        fd < 0 ? error_text("%s: %s", path, strerror(errno)) : read_open_file(fd, path, password);
    if (fd >= 0)
        close(fd);
    return wrong;
}

static const char *read_password(const char *value, void *member,
                                 const struct option_context *context)
{
    struct check_conf *check = member;
    char *password = NULL, *path = NULL;
    if (!*value)
        return "must not be empty";
    if (*value == '@')
        path = list_file_path(value + 1, context->place.source);
    if (!path) {
        password = memory_copy(value);
    } else if (context->files->closed) {
        password = memory_copy("");
    } else {
        const char *wrong = read_password_file(path, &password);
        if (wrong) {
            free(path);
            return wrong;
        }
    }
    if (path)
        address_files_add_plain(context->files, path);
    release_password(check);
    check->password = password;
    check->password_file = path;
    return NULL;
}

static bool write_password(const void *member, size_t item, FILE *out)
{
    const struct check_conf *check = member;
    if (item > 0 || !check->password)
        return false;
    if (check->password_file)
        fprintf(out, "@%s", check->password_file);
    else
        fputs(check->password, out);
    return true;
}

const struct option_custom check_password = {.form = "TEXT or @FILE",
                                             .read = read_password,
                                             .write = write_password,
                                             .release = release_password};

/* --- roles --------------------------------------------------------------------------------- */

static const char *const roles[] = {
    [CHECK_ROLE_ANY] = "any",
    [CHECK_ROLE_MASTER] = "master",
    [CHECK_ROLE_PRIMARY] = "primary",
    [CHECK_ROLE_REPLICA] = "replica",
};

static const char *read_role(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    for (enum check_role role = CHECK_ROLE_ANY; role <= CHECK_ROLE_REPLICA; role++)
        if (strcmp(value, roles[role]) == 0) {
            *(enum check_role *)member = role;
            return NULL;
        }
    return "must be any, master, primary or replica";
}

static bool write_role(const void *member, size_t item, FILE *out)
{
    enum check_role role = *(const enum check_role *)member;
    if (item > 0 || role == CHECK_ROLE_ANY)
        return false;
    fputs(roles[role], out);
    return true;
}

static void release_role(void *member)
{
    *(enum check_role *)member = CHECK_ROLE_ANY;
}

const struct option_custom check_role = {.form = "any, master, primary or replica",
                                         .read = read_role,
                                         .write = write_role,
                                         .release = release_role};

/* --- commands ------------------------------------------------------------------------------ */

static const char *check_program(const char *path)
{
    struct stat status;
    if (path[0] != '/')
        return "must begin with the absolute path of a program";
    if (stat(path, &status))
        return error_text("%s: %s", path, strerror(errno));
    if (!S_ISREG(status.st_mode))
        return error_text("%s is not a regular file", path);
    if (!(status.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)))
        return error_text("%s is not executable", path);
    return NULL;
}

static const char *read_command(const char *value, void *member,
                                const struct option_context *context)
{
    char **words, **command = member;
    size_t count;
    const char *wrong = words_split(value, &words, &count);
    if (wrong)
        return wrong;
    if (count == 0)
        wrong = "must begin with the absolute path of a program";
    else if (!context->files->closed)
        wrong = check_program(words[0]);
    words_free(words);
    if (wrong)
        return wrong;
    free(*command);
    *command = memory_copy(value);
    return NULL;
}

static bool write_command(const void *member, size_t item, FILE *out)
{
    const char *command = *(const char *const *)member;
    if (item > 0 || !command)
        return false;
    fputs(command, out);
    return true;
}

static void release_command(void *member)
{
    char **command = member;
    free(*command);
    *command = NULL;
}

const struct option_custom check_command = {.form = "/PATH ARGUMENTS",
                                            .read = read_command,
                                            .write = write_command,
                                            .release = release_command};
