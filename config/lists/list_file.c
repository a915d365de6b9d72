#include "config/lists/list_file.h"

#include "config/base/memory.h"
#include "config/base/regular_file.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <xxhash.h>

/* Of an entry that a message quotes. */
#define QUOTED_MAX 80

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
    char *path = slash ? memory_print("%.*s%s", (int)(slash + 1 - source->path), source->path, name)
                       : memory_copy(name);
    path = absolute(path);
    if (source->named)
        named_files_add_path(source->named, path);
    return path;
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
    const char *secret = reading->origin->secret ? strchr(entry, ':') : NULL;
    bool names = secret || !reading->origin->secret; /* else all of it may be a secret */
    snprintf(quoted, sizeof quoted, "%.*s", secret ? (int)(secret - entry) : QUOTED_MAX + 1, entry);
    const char *wrong = reading->take(reading->arg, entry);
    if (wrong)
        refuse(reading, names ? quoted : NULL, wrong);
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

bool list_file_read(const char *path, const struct list_origin *origin, list_taker *take, void *arg,
                    uint64_t *hash)
{
    struct reading reading = {.path = path, .origin = origin, .take = take, .arg = arg};
    char *text = NULL;
    size_t length = 0;
    int fd;
    const char *wrong = regular_file_open(path, &fd, NULL);
    if (!wrong)
        wrong = regular_file_read(fd, LIST_BYTES_MAX, &text, &length);
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
