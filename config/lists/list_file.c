#include "config/lists/list_file.h"

#include "config/base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

/* Of an entry that a message quotes. */
#define QUOTED_MAX 80
/* How often a file is read that changes meanwhile. */
#define ATTEMPTS_MAX 3

struct reading {
    const char *path;
    const struct list_origin *origin;
    list_taker *take;
    void *arg;
    unsigned line;
    size_t entries;
    size_t wrong; /* lines with a mistake */
};

/* Absolute, so that the path names the file also for programs that run elsewhere. */
static char *absolute(char *path)
{
    char folder[PATH_MAX];
    if (path[0] == '/' || !getcwd(folder, sizeof folder))
        return path;
    char *whole = memory_print("%s/%s", strcmp(folder, "/") == 0 ? "" : folder, path);
    free(path);
    return whole;
}

char *list_file_path(const char *name, const struct source *source)
{
    const char *slash = name[0] == '/' ? NULL : strrchr(source->path, '/');
    if (!slash)
        return absolute(memory_copy(name));
    return absolute(memory_print("%.*s%s", (int)(slash + 1 - source->path), source->path, name));
}

/* --- lines --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}

/* Reports what is wrong with the present line; entry: NULL, or what it is wrong with. */
static void refuse(struct reading *reading, const char *entry, const char *wrong)
{
    const struct list_origin *origin = reading->origin;
    if (reading->wrong++ >= LIST_PROBLEMS_MAX)
        return;
    if (entry)
        problem_add(origin->problems, origin->place, "%s: %s:%u: '%.*s%s' %s", origin->option,
                    reading->path, reading->line, QUOTED_MAX, entry,
                    strlen(entry) > QUOTED_MAX ? "..." : "", wrong);
    else
        problem_add(origin->problems, origin->place, "%s: %s:%u: %s", origin->option, reading->path,
                    reading->line, wrong);
}

/* Returns the entry in the line, with a NUL behind it, or NULL: there is none. */
static char *entry_of(char *line, size_t length)
{
    size_t begin = 0;
    size_t end = 0;
    while (end < length &&
           !((line[end] == '#' || line[end] == ';') && (end == 0 || is_blank(line[end - 1]))))
        end++;
    while (end > 0 && is_blank(line[end - 1]))
        end--;
    while (begin < end && is_blank(line[begin]))
        begin++;
    line[end] = '\0';
    return begin < end ? line + begin : NULL;
}

static void read_entry(struct reading *reading, char *entry)
{
    char quoted[QUOTED_MAX + 2]; /* take() may change the entry */
    snprintf(quoted, sizeof quoted, "%s", entry);
    const char *wrong = reading->take(reading->arg, entry);
    if (wrong)
        refuse(reading, quoted, wrong);
}

/* text has one more byte, for the NUL of an entry that ends the file. */
static bool read_lines(struct reading *reading, char *text, size_t length)
{
    static const char bom[] = "\xef\xbb\xbf";
    char *end = text + length;
    size_t entries = 0;
    if (length >= 3 && memcmp(text, bom, 3) == 0)
        text += 3;
    while (text < end) {
        char *newline = memchr(text, '\n', (size_t)(end - text));
        size_t line_length = (size_t)((newline ? newline : end) - text);
        char *entry = NULL;
        reading->line++;
        if (line_length > LIST_LINE_MAX)
            refuse(reading, NULL, "line is too long: at most 4096 bytes are possible");
        else if (memchr(text, '\0', line_length))
            refuse(reading, NULL, "line contains a NUL byte");
        else
            entry = entry_of(text, line_length);
        if (entry && ++entries > LIST_ENTRIES_MAX) {
            refuse(reading, NULL, "more than 1000000 entries");
            break;
        }
        if (entry)
            read_entry(reading, entry);
        text = newline ? newline + 1 : end;
    }
    if (reading->wrong > LIST_PROBLEMS_MAX)
        problem_add(reading->origin->problems, reading->origin->place,
                    "%s: %s: %zu more lines are wrong", reading->origin->option, reading->path,
                    reading->wrong - LIST_PROBLEMS_MAX);
    return reading->wrong == 0;
}

bool list_text_read(const char *text, size_t length, const char *path,
                    const struct list_origin *origin, list_taker *take, void *arg)
{
    struct reading reading = {.path = path, .origin = origin, .take = take, .arg = arg};
    char *copy = memory_new(length + 1, 1);
    memcpy(copy, text, length);
    bool good = read_lines(&reading, copy, length);
    free(copy);
    return good;
}

/* --- the file ------------------------------------------------------------------------------ */

/* A FIFO or a terminal would block, and the next process of a reload could not read it again. */
static const char *open_regular(const char *path, int *fd)
{
    struct stat status;
    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (*fd < 0 || fstat(*fd, &status) != 0)
        return strerror(errno);
    if (S_ISDIR(status.st_mode))
        return strerror(EISDIR);
    return S_ISREG(status.st_mode) ? NULL : "not a regular file";
}

/* Adds what the file still has to text, of which one more byte is allocated. */
static const char *read_rest(int fd, char **text, size_t *length, size_t *capacity)
{
    for (;;) {
        *text = memory_grow(*text, *length + 1, capacity, 1);
        ssize_t got = read(fd, *text + *length, *capacity - 1 - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return strerror(errno);
        if (got == 0)
            return NULL;
        *length += (size_t)got;
        if (*length > LIST_BYTES_MAX)
            return "larger than 64 MiB";
    }
}

static bool is_unchanged(const struct stat *before, const struct stat *after)
{
    return before->st_size == after->st_size && before->st_mtim.tv_sec == after->st_mtim.tv_sec &&
           before->st_mtim.tv_nsec == after->st_mtim.tv_nsec;
}

/* Reads the file anew if a program writes to it meanwhile: half a list could let strangers in. */
static const char *read_whole(int fd, char **text, size_t *length)
{
    size_t capacity = 0;
    for (int attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
        struct stat before, after;
        *length = 0;
        if (fstat(fd, &before) || lseek(fd, 0, SEEK_SET) < 0)
            return strerror(errno);
        const char *wrong = read_rest(fd, text, length, &capacity);
        if (wrong)
            return wrong;
        if (fstat(fd, &after))
            return strerror(errno);
        if (is_unchanged(&before, &after))
            return NULL;
    }
    return "changes while it is read";
}

bool list_file_read(const char *path, const struct list_origin *origin, list_taker *take, void *arg,
                    uint64_t *hash)
{
    struct reading reading = {.path = path, .origin = origin, .take = take, .arg = arg};
    char *text = NULL;
    size_t length = 0;
    int fd;
    const char *wrong = open_regular(path, &fd);
    if (!wrong)
        wrong = read_whole(fd, &text, &length);
    if (fd >= 0)
        close(fd);
    if (!wrong && hash)
        *hash = XXH3_64bits(text, length);
    if (wrong)
        problem_add(origin->problems, origin->place, "%s: %s: %s", origin->option, path, wrong);
    bool good = !wrong && read_lines(&reading, text, length);
    free(text);
    return good;
}
