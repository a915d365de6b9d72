#include "reload/base/history.h"

#include "config/write.h"
#include "reload/base/exit_status.h"
#include "reload/base/text.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define HEAD      "; rpproxy history: "
#define NAME      "generation-"
#define SUFFIX    ".ini"
#define NAME_MAX_ 64
/* A number that the proxy can count on from. */
#define NUMBER_MOST 1000000000u
/* Of one file. */
#define BYTES_MAX (64u << 20)

void history_entry_free(struct history_entry *entry)
{
    free(entry->text);
    entry->text = NULL;
}

const char *history_path(const char *folder, unsigned generation, char path[static PATH_MAX])
{
    snprintf(path, PATH_MAX, "%s/" NAME "%u" SUFFIX, folder, generation);
    return path;
}

json_t *history_json(const struct history_entry *entry)
{
    json_t *object = json_pack("{s:I, s:I, s:o, s:o, s:i, s:b, s:I}", "generation",
                               (json_int_t)entry->generation, "at", (json_int_t)entry->at, "by",
                               text_json(entry->by, strlen(entry->by)), "result",
                               text_json(entry->result, strlen(entry->result)), "exit", entry->exit,
                               "crashed", entry->crashed, "took_ms", (json_int_t)entry->took_ms);
    json_object_set_new(object, "hash", entry->hash[0] ? json_string(entry->hash) : json_null());
    return object;
}

/* --- reading -----------------------------------------------------------------------------------
 */

/* The text of one with a hash is as it was written. */
static bool is_whole(const struct history_entry *entry)
{
    char hash[sizeof entry->hash];
    if (!entry->hash[0])
        return true;
    uint64_t sum = entry->text ? config_text_hash(entry->text, strlen(entry->text)) : 0;
    snprintf(hash, sizeof hash, "%016" PRIx64, sum ? sum : 1);
    return strcmp(hash, entry->hash) == 0;
}

/* whole: the bytes are all of the file. */
static const char *parse(const char *bytes, size_t length, bool whole, struct history_entry *entry)
{
    const size_t head = sizeof HEAD - 1;
    *entry = (struct history_entry){0};
    const char *end = memchr(bytes, '\n', length);
    if (length == 0)
        return "is empty: it could not be written";
    if (length < head || memcmp(bytes, HEAD, head) != 0 || !end)
        return "is not a file of the history";
    json_t *object = json_loadb(bytes + head, (size_t)(end - bytes) - head, 0, NULL);
    json_int_t generation = 0, at = 0, took = 0;
    const char *by = "", *result = "", *hash = "";
    int crashed = 0;
    bool good = json_unpack(object, "{s:I, s?I, s?s, s?s, s?i, s?b, s?I}", "generation",
                            &generation, "at", &at, "by", &by, "result", &result, "exit",
                            &entry->exit, "crashed", &crashed, "took_ms", &took) == 0 &&
                generation > 0 && generation <= UINT_MAX && at >= 0 && took >= 0;
    if (good) {
        (void)json_unpack(object, "{s:s}", "hash", &hash);
        entry->generation = (unsigned)generation;
        entry->at = (uint64_t)at;
        entry->took_ms = (uint64_t)took;
        entry->crashed = crashed;
        snprintf(entry->by, sizeof entry->by, "%s", by);
        snprintf(entry->result, sizeof entry->result, "%s", result);
        snprintf(entry->hash, sizeof entry->hash, "%s", hash);
    }
    json_decref(object);
    if (!good)
        return "has a first line that is not understood";
    size_t rest = length - (size_t)(end + 1 - bytes);
    if (rest > 0 && memchr(end + 1, '\0', rest))
        return "contains a NUL";
    if (rest > 0 && !(entry->text = strndup(end + 1, rest)))
        return "cannot be read: out of memory";
    if (!whole || is_whole(entry))
        return NULL;
    history_entry_free(entry);
    return "does not have the configuration that was written to it";
}

const char *history_parse(const char *bytes, size_t length, struct history_entry *entry)
{
    return parse(bytes, length, true, entry);
}

/* At most `most` bytes. *whole: these are all. */
static char *read_file(const char *path, size_t most, size_t *length, bool *whole)
{
    struct stat status;
    char *bytes = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return NULL;
    bool good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_size >= 0;
    size_t size = good ? (size_t)status.st_size : 0;
    *whole = size <= most;
    if (!*whole)
        size = most;
    if (good)
        bytes = malloc(size + 1);
    for (*length = 0; bytes && *length < size;) {
        ssize_t got = read(fd, bytes + *length, size - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        *length += (size_t)got;
    }
    close(fd);
    return bytes;
}

const char *history_read(const char *folder, unsigned generation, struct history_entry *entry)
{
    bool whole;
    const char *wrong = history_read_part(folder, generation, BYTES_MAX, entry, &whole);
    if (!wrong && !whole) {
        history_entry_free(entry);
        wrong = "is too large";
    }
    return wrong;
}

const char *history_read_part(const char *folder, unsigned generation, size_t most,
                              struct history_entry *entry, bool *whole)
{
    char path[PATH_MAX];
    size_t length = 0;
    *entry = (struct history_entry){0};
    char *bytes = read_file(history_path(folder, generation, path), most, &length, whole);
    if (!bytes)
        return "cannot be read";
    const char *wrong = parse(bytes, length, *whole, entry);
    free(bytes);
    if (!wrong && entry->generation != generation) {
        history_entry_free(entry);
        entry->generation = 0;
        wrong = "is the file of another generation";
    }
    if (wrong && length == 0)
        entry->generation = generation;
    return wrong;
}

/* 0: it is not the name of a file of the history. */
static unsigned number_of(const char *name)
{
    char again[NAME_MAX_];
    if (strncmp(name, NAME, sizeof NAME - 1) != 0)
        return 0;
    unsigned long number = strtoul(name + sizeof NAME - 1, NULL, 10);
    snprintf(again, sizeof again, NAME "%lu" SUFFIX, number);
    return number <= NUMBER_MOST && strcmp(name, again) == 0 ? (unsigned)number : 0;
}

static int by_number(const void *left, const void *right)
{
    const unsigned *a = left, *b = right;
    return (*a > *b) - (*a < *b);
}

size_t history_numbers(const char *folder, unsigned **numbers)
{
    size_t count = 0, capacity = 0;
    const struct dirent *file;
    *numbers = NULL;
    DIR *directory = opendir(folder);
    while (directory && (file = readdir(directory))) {
        unsigned number = number_of(file->d_name);
        if (number == 0)
            continue;
        if (count == capacity) {
            capacity = capacity ? 2 * capacity : 32;
            unsigned *list = realloc(*numbers, capacity * sizeof *list);
            if (!list)
                break;
            *numbers = list;
        }
        (*numbers)[count++] = number;
    }
    if (directory)
        closedir(directory);
    if (count > 0)
        qsort(*numbers, count, sizeof **numbers, by_number);
    return count;
}

unsigned history_last_well(const char *folder, unsigned below, struct history_entry *entry)
{
    unsigned *numbers, found = 0;
    size_t count = history_numbers(folder, &numbers);
    *entry = (struct history_entry){0};
    while (count > 0 && found == 0) {
        count--;
        if ((below && numbers[count] >= below) || history_read(folder, numbers[count], entry))
            continue;
        if (entry->exit == EXIT_DONE && entry->text && !entry->crashed)
            found = numbers[count];
        else
            history_entry_free(entry);
    }
    free(numbers);
    return found;
}

unsigned history_next(const char *folder)
{
    unsigned *numbers = NULL;
    size_t count = folder ? history_numbers(folder, &numbers) : 0;
    unsigned next = count > 0 ? numbers[count - 1] + 1 : 1;
    free(numbers);
    return next;
}

/* --- writing -----------------------------------------------------------------------------------
 */

static int write_all(int fd, const char *text)
{
    for (size_t left = strlen(text); left > 0;) {
        ssize_t written = write(fd, text, left);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        text += written;
        left -= (size_t)written;
    }
    return 0;
}

/* What a process that was killed in the midst of a write has left. */
static void remove_leftovers(const char *folder)
{
    char path[PATH_MAX + NAME_MAX];
    const struct dirent *file;
    DIR *directory = opendir(folder);
    while (directory && (file = readdir(directory))) {
        int pid, length = 0;
        if (sscanf(file->d_name, ".rpproxy-%d.new%n", &pid, &length) != 1 || length == 0 ||
            file->d_name[length] != '\0' || pid <= 0 || kill(pid, 0) == 0 || errno != ESRCH)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, file->d_name);
        (void)unlink(path);
    }
    if (directory)
        closedir(directory);
}

/* A file of the right name that is not understood may be somebody's: it stays. */
static void remove_oldest(const char *folder, unsigned keep)
{
    unsigned *numbers;
    char path[PATH_MAX];
    struct history_entry entry;
    unsigned last = history_last_well(folder, 0, &entry);
    history_entry_free(&entry);
    unsigned before = last ? history_last_well(folder, last, &entry) : 0;
    history_entry_free(&entry);
    size_t count = history_numbers(folder, &numbers);
    for (size_t i = 0; i + keep < count; i++) {
        if (numbers[i] == last || numbers[i] == before ||
            (history_read(folder, numbers[i], &entry) && entry.generation == 0))
            continue;
        history_entry_free(&entry);
        (void)unlink(history_path(folder, numbers[i], path));
    }
    free(numbers);
}

static int write_file(const char *path, const struct history_entry *entry, const char *text)
{
    json_t *object = history_json(entry);
    char *head = object ? json_dumps(object, JSON_COMPACT) : NULL;
    json_decref(object);
    if (!head)
        return ENOMEM;
    (void)unlink(path); /* of a process with that pid that was killed */
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = fd < 0 ? errno : 0;
    const char *const parts[] = {HEAD, head, "\n", text ? text : ""};
    for (size_t i = 0; !error && i < sizeof parts / sizeof *parts; i++)
        error = write_all(fd, parts[i]);
    if (fd >= 0 && close(fd) && !error)
        error = errno;
    free(head);
    return error;
}

/* The number stays used. */
static void keep_number(const char *path)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0)
        close(fd);
}

int history_write(const char *folder, unsigned keep, const struct history_entry *entry)
{
    char path[PATH_MAX], new[PATH_MAX];
    struct history_entry before = {0};
    if (mkdir(folder, 0700) && errno != EEXIST)
        return errno;
    if (snprintf(new, sizeof new, "%s/.rpproxy-%d.new", folder, (int)getpid()) >= (int)sizeof new)
        return ENAMETOOLONG;
    if (!entry->text)
        (void)history_read(folder, entry->generation, &before);
    remove_leftovers(folder);
    struct history_entry kept = *entry;
    if (!kept.hash[0])
        memcpy(kept.hash, before.hash, sizeof kept.hash);
    int error = write_file(new, &kept, entry->text ? entry->text : before.text);
    history_path(folder, entry->generation, path);
    if (!error && rename(new, path))
        error = errno;
    history_entry_free(&before);
    if (error) {
        (void)unlink(new);
        keep_number(path);
    }
    remove_oldest(folder, keep);
    return error;
}
