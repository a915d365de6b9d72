#include "reload/cli/locate.h"

#include "reload/cli/conversation.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define ASKED_MAX  16
#define TIMEOUT_MS 2000

/* The flag of a listening socket in /proc/net/unix. */
#define FLAG_LISTENS 0x10000

struct search {
    const char *file;
    struct located *found;
    char **directories; /* searched already */
    size_t count;
    unsigned asked;
};

static bool same_file(const char *one, const char *other)
{
    struct stat a, b;
    return stat(one, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev &&
           a.st_ino == b.st_ino;
}

/* True: the proxy that answers on this socket reads the file. */
static bool ask_there(struct search *search)
{
    struct conversation talk;
    const struct request request = {
        .what = "status", .control = search->found->control, .timeout = TIMEOUT_MS};
    search->asked++;
    if (conversation_begin(&talk, &request))
        return false;
    bool reads = talk.file && same_file(talk.file, search->file);
    search->found->pid = talk.pid;
    conversation_end(&talk);
    return reads;
}

/* Another user may have chosen the path: it must not contain bytes that control a terminal. */
static bool is_printable(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f)
            return false;
    return true;
}

/* A serving proxy keeps the file CONTROL.life beside its control socket. */
static bool is_control(struct search *search, const char *directory, const char *name)
{
    static const char suffix[] = ".life";
    char *control = search->found->control;
    size_t length = strlen(name), size = sizeof search->found->control;
    struct stat status;
    if (length < sizeof suffix || strcmp(name + length - (sizeof suffix - 1), suffix) != 0)
        return false;
    int written =
        snprintf(control, size, "%s/%.*s", directory, (int)(length - (sizeof suffix - 1)), name);
    return written > 0 && (size_t)written < size && is_printable(control) &&
           stat(control, &status) == 0 && S_ISSOCK(status.st_mode);
}

static bool search_directory(struct search *search, const char *directory)
{
    DIR *stream = opendir(directory);
    const struct dirent *entry;
    bool found = false;
    if (!stream)
        return false;
    while (!found && search->asked < ASKED_MAX && (entry = readdir(stream)))
        found = is_control(search, directory, entry->d_name) && ask_there(search);
    closedir(stream);
    return found;
}

/* True: this directory was not searched before. */
static bool is_new(struct search *search, const char *directory)
{
    for (size_t i = 0; i < search->count; i++)
        if (strcmp(search->directories[i], directory) == 0)
            return false;
    char **list = realloc(search->directories, (search->count + 1) * sizeof *list);
    if (!list)
        return false;
    search->directories = list;
    list[search->count] = strdup(directory);
    if (!list[search->count])
        return false;
    search->count++;
    return true;
}

/* Searches one line of /proc/net/unix. Its path is the one at which the socket was bound. The
 * socket may have been renamed since, but it is still in the same directory. */
static bool search_line(struct search *search, char *line)
{
    unsigned long flags;
    char *path = strchr(line, '/');
    if (!path || sscanf(line, "%*s %*s %*s %lx", &flags) != 1 || !(flags & FLAG_LISTENS))
        return false;
    char *slash = strrchr(path, '/');
    *(slash == path ? slash + 1 : slash) = '\0';
    return is_new(search, path) && search_directory(search, path);
}

bool locate_proxy(const char *file, struct located *found)
{
    struct search search = {.file = file, .found = found};
    FILE *sockets = fopen("/proc/net/unix", "re");
    char *line = NULL;
    size_t size = 0;
    bool is_found = false;
    while (sockets && !is_found && getline(&line, &size, sockets) > 0)
        is_found = search_line(&search, line);
    if (sockets)
        fclose(sockets);
    for (size_t i = 0; i < search.count; i++)
        free(search.directories[i]);
    free(search.directories);
    free(line);
    return is_found;
}
