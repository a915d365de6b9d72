#include "config/tls/key_copies.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/base/regular_file.h"
#include "config/base/whole_file.h"
#include "config/tls/key_container.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What was read, or taken. */
struct note {
    struct key_file file; /* the path is ours; */
    bool taken;           /* the bytes are those of the copy, which was taken */
    int unseen;           /* of a copy: the errno value of stat(); 0: the file was seen */
    size_t sequence;      /* the last one of a path counts */
};

struct key_copies {
    bool keeps;
    struct key_container *container; /* of the process before, and then ours; NULL: none */
    struct note *notes;
    size_t count, capacity;
    char *denied;
    bool prefers;
    size_t begun;   /* the first note since key_copies_begin() */
    char **changed; /* since then */
    size_t changed_count, changed_capacity;
};

struct key_copies *key_copies_new(void)
{
    return memory_new(1, sizeof(struct key_copies));
}

const char *key_copies_inherit(struct key_copies *copies, int fd)
{
    return key_container_open(fd, &copies->container);
}

void key_copies_keep(struct key_copies *copies)
{
    if (copies)
        copies->keeps = true;
}

/* --- notes --------------------------------------------------------------------------------- */

static struct note *add(struct key_copies *copies, const struct key_file *file)
{
    copies->notes =
        memory_grow(copies->notes, copies->count, &copies->capacity, sizeof *copies->notes);
    struct note *note = &copies->notes[copies->count];
    *note = (struct note){.file = *file, .sequence = copies->count++};
    note->file.path = memory_copy(file->path);
    return note;
}

/* Keeps what was read; only its path where the configuration does not want more. */
static void keep(struct key_copies *copies, const struct key_file *read)
{
    if (!copies)
        return;
    struct key_file file = *read;
    file.bytes = NULL;
    file.length = 0;
    if (copies->keeps && read->length > 0) {
        unsigned char *bytes = memory_new(read->length, 1);
        memcpy(bytes, read->bytes, read->length);
        file.bytes = bytes;
        file.length = read->length;
    }
    (void)add(copies, &file);
}

static void forget_bytes(struct note *note)
{
    if (!note->taken)
        whole_file_free((unsigned char *)(uintptr_t)note->file.bytes, note->file.length);
    note->file.bytes = NULL;
    note->file.length = 0;
}

static void free_note(struct note *note)
{
    forget_bytes(note);
    free((char *)(uintptr_t)note->file.path);
}

static void forget_notes(struct key_copies *copies)
{
    for (size_t i = 0; i < copies->count; i++)
        free_note(&copies->notes[i]);
    free(copies->notes);
    copies->notes = NULL;
    copies->count = copies->capacity = 0;
}

static void forget_changes(struct key_copies *copies)
{
    for (size_t i = 0; i < copies->changed_count; i++)
        free(copies->changed[i]);
    free(copies->changed);
    copies->changed = NULL;
    copies->changed_count = copies->changed_capacity = 0;
}

static struct key_stamp stamp_of(const struct stat *status)
{
    return (struct key_stamp){.size = (uint64_t)status->st_size,
                              .seconds = status->st_mtim.tv_sec,
                              .nanoseconds = (uint32_t)status->st_mtim.tv_nsec};
}

static bool is_same_stamp(const struct key_stamp *one, const struct key_stamp *other)
{
    return one->size == other->size && one->seconds == other->seconds &&
           one->nanoseconds == other->nanoseconds;
}

/* --- copies -------------------------------------------------------------------------------- */

static bool is_denied(int error)
{
    return error == EACCES || error == EPERM;
}

static const struct key_file *find(const struct key_copies *copies, const char *path)
{
    return copies && copies->keeps && copies->container
               ? key_container_find(copies->container, path)
               : NULL;
}

static void note_change(struct key_copies *copies, const char *path)
{
    copies->changed = memory_grow(copies->changed, copies->changed_count, &copies->changed_capacity,
                                  sizeof *copies->changed);
    copies->changed[copies->changed_count++] = memory_copy(path);
}

/* The copy is used. */
static void take(struct key_copies *copies, const struct key_file *file)
{
    struct stat status;
    struct note *note = add(copies, file);
    note->taken = true;
    if (file->kind == KEY_ABSENT)
        return;
    if (stat(file->path, &status)) {
        note->unseen = errno;
        return;
    }
    const struct key_stamp stamp = stamp_of(&status);
    if (!is_same_stamp(&stamp, &file->stamp))
        note_change(copies, file->path);
}

void key_copies_begin(struct key_copies *copies, bool prefer)
{
    if (!copies)
        return;
    forget_changes(copies);
    copies->prefers = prefer;
    copies->begun = copies->count;
}

bool key_copies_taken(const struct key_copies *copies)
{
    for (size_t i = copies ? copies->begun : 0; copies && i < copies->count; i++)
        if (copies->notes[i].taken)
            return true;
    return false;
}

void key_copies_warn(const struct key_copies *copies, struct problems *problems, struct place place,
                     const char *option)
{
    for (size_t i = 0; copies && i < copies->changed_count; i++)
        problem_warn(problems, place,
                     "%s: %s has changed since it was read, and this process may not read what is "
                     "secret of it: the copy in memory is used (tls-keys = sealed); a stop and a "
                     "start of the proxy read the new one",
                     option, copies->changed[i]);
}

/* --- files --------------------------------------------------------------------------------- */

static const char *refuse(struct key_copies *copies, const char *path, const char *wrong)
{
    if (!copies)
        return wrong;
    if (!copies->denied)
        copies->denied = memory_copy(path);
    if (!copies->keeps || !copies->container)
        return wrong;
    return error_text("%s, and the process before this one has left no copy of it", wrong);
}

/* As whole_file_read(). */
static const char *use(struct key_copies *copies, const struct key_file *file, size_t most,
                       unsigned char **bytes, size_t *length)
{
    if (file->kind == KEY_FOLDER || file->length > most) {
        errno = 0;
        return file->kind == KEY_FOLDER ? "cannot be read: it was a folder"
                                        : "cannot be read: its copy is too large";
    }
    take(copies, file);
    if (file->kind == KEY_ABSENT) {
        errno = ENOENT;
        return "cannot be read: there was no such file";
    }
    *bytes = memory_new(file->length + 1, 1);
    *length = file->length;
    memcpy(*bytes, file->bytes, file->length);
    return NULL;
}

const char *key_copies_read(struct key_copies *copies, const char *path, size_t most,
                            unsigned char **bytes, size_t *length)
{
    struct stat status;
    const struct key_file *copy = find(copies, path);
    if (copy && copies->prefers)
        return use(copies, copy, most, bytes, length);
    const char *wrong = whole_file_read(path, most, bytes, length, &status);
    if (wrong && is_denied(errno))
        return copy ? use(copies, copy, most, bytes, length) : refuse(copies, path, wrong);
    if (wrong && errno != ENOENT)
        return wrong;
    const struct key_file file = {.kind = wrong ? KEY_ABSENT : KEY_FILE,
                                  .path = path,
                                  .bytes = wrong ? NULL : *bytes,
                                  .length = wrong ? 0 : *length,
                                  .stamp = wrong ? (struct key_stamp){0} : stamp_of(&status)};
    keep(copies, &file);
    if (wrong)
        errno = ENOENT;
    return wrong;
}

/* --- folders ------------------------------------------------------------------------------- */

bool key_copies_is_folder(const struct key_copies *copies, const char *path)
{
    struct stat status;
    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode);
    const struct key_file *copy = is_denied(errno) ? find(copies, path) : NULL;
    return copy && copy->kind == KEY_FOLDER;
}

static void add_name(struct words *names, const char *name)
{
    size_t capacity = names->count;
    names->list = memory_grow(names->list, names->count, &capacity, sizeof *names->list);
    names->list[names->count++] = memory_copy(name);
}

/* By bytes: a default must not depend on the language of the system. */
static int by_bytes(const struct dirent **left, const struct dirent **right)
{
    return strcmp((*left)->d_name, (*right)->d_name);
}

/* Returns 0 or an errno value. */
static int scan(const char *folder, bool (*is_wanted)(const char *name), struct words *names)
{
    struct dirent **entries;
    int count = scandir(folder, &entries, NULL, by_bytes);
    if (count < 0)
        return errno;
    for (int i = 0; i < count; i++) {
        char *path = memory_print("%s/%s", folder, entries[i]->d_name);
        if (entries[i]->d_name[0] != '.' && is_wanted(entries[i]->d_name) &&
            !key_copies_is_folder(NULL, path))
            add_name(names, entries[i]->d_name);
        free(path);
        free(entries[i]);
    }
    free(entries);
    return 0;
}

static void keep_folder(struct key_copies *copies, const char *folder, const struct stat *status,
                        const struct words *names)
{
    struct memory_stream text;
    memory_stream_begin(&text);
    for (size_t i = 0; i < names->count; i++)
        fwrite(names->list[i], strlen(names->list[i]) + 1, 1, text.stream);
    char *bytes = memory_stream_end(&text);
    const struct key_file file = {.kind = KEY_FOLDER,
                                  .path = folder,
                                  .bytes = (const unsigned char *)bytes,
                                  .length = text.length,
                                  .stamp = stamp_of(status)};
    keep(copies, &file);
    free(bytes);
}

static void use_folder(struct key_copies *copies, const struct key_file *file, struct words *names)
{
    take(copies, file);
    for (size_t at = 0; at < file->length; at += strlen(names->list[names->count - 1]) + 1)
        add_name(names, (const char *)file->bytes + at);
}

int key_copies_list(struct key_copies *copies, const char *folder,
                    bool (*is_wanted)(const char *name), struct words *names)
{
    struct stat status = {0};
    (void)stat(folder, &status); /* before: a later change is to show */
    int error = scan(folder, is_wanted, names);
    const struct key_file *copy = is_denied(error) ? find(copies, folder) : NULL;
    if (copy && copy->kind == KEY_FOLDER) {
        use_folder(copies, copy, names);
        return 0;
    }
    if (is_denied(error))
        (void)refuse(copies, folder, "");
    if (!error && copies)
        keep_folder(copies, folder, &status, names);
    return error;
}

/* --- afterwards ---------------------------------------------------------------------------- */

const char *key_copies_denied(const struct key_copies *copies)
{
    return copies->denied;
}

static bool is_out_of_reach(const struct key_file *file)
{
    int fd, error = 0;
    if (file->kind == KEY_FOLDER) {
        DIR *folder = opendir(file->path);
        error = folder ? 0 : errno;
        if (folder)
            closedir(folder);
        return is_denied(error);
    }
    errno = 0;
    if (regular_file_open(file->path, &fd, NULL))
        return is_denied(errno);
    close(fd);
    return false;
}

static int by_path(const void *one, const void *other)
{
    const struct note *left = one, *right = other;
    int order = strcmp(left->file.path, right->file.path);
    if (order)
        return order;
    return left->sequence < right->sequence ? -1 : left->sequence > right->sequence;
}

/* Leaves one note for each path, sorted. */
static void sort(struct key_copies *copies)
{
    size_t kept = 0;
    if (copies->count == 0)
        return;
    qsort(copies->notes, copies->count, sizeof *copies->notes, by_path);
    for (size_t i = 0; i < copies->count; i++) {
        if (i + 1 < copies->count &&
            strcmp(copies->notes[i].file.path, copies->notes[i + 1].file.path) == 0)
            free_note(&copies->notes[i]);
        else
            copies->notes[kept++] = copies->notes[i];
    }
    copies->count = kept;
}

static bool is_same(const struct key_file *one, const struct key_file *other)
{
    return one == other ||
           (strcmp(one->path, other->path) == 0 && one->kind == other->kind &&
            is_same_stamp(&one->stamp, &other->stamp) && one->length == other->length &&
            (one->length == 0 || memcmp(one->bytes, other->bytes, one->length) == 0));
}

/* What is in the container and was not named, and cannot be read again: a later configuration may
 * name it. Both lists are sorted. Returns how many there are in all. */
static size_t collect(const struct key_copies *copies, const struct key_file **files)
{
    size_t count = 0, note = 0;
    const size_t copied = copies->container ? key_container_count(copies->container) : 0;
    for (size_t i = 0; i < copied; i++) {
        const struct key_file *copy = key_container_at(copies->container, i);
        while (note < copies->count && strcmp(copies->notes[note].file.path, copy->path) < 0)
            files[count++] = &copies->notes[note++].file;
        bool named = note < copies->count && strcmp(copies->notes[note].file.path, copy->path) == 0;
        if (!named && is_out_of_reach(copy))
            files[count++] = copy;
    }
    while (note < copies->count)
        files[count++] = &copies->notes[note++].file;
    return count;
}

/* A container that need not change is passed on as it is: where root made it, root alone can open
 * it by way of /proc. */
static bool is_unchanged(const struct key_copies *copies, const struct key_file *const *files,
                         size_t count)
{
    if (!copies->container || key_container_count(copies->container) != count)
        return false;
    for (size_t i = 0; i < count; i++)
        if (!is_same(files[i], key_container_at(copies->container, i)))
            return false;
    return true;
}

/* Returns 0 or an errno value. */
static int replace(struct key_copies *copies, const struct key_file *const *files, size_t count)
{
    struct key_container *made;
    int fd = key_container_make(files, count);
    if (fd < 0)
        return -fd;
    if (key_container_open(fd, &made))
        return EIO;
    key_container_free(copies->container);
    copies->container = made;
    return 0;
}

static int seal(struct key_copies *copies)
{
    const size_t copied = copies->container ? key_container_count(copies->container) : 0;
    const struct key_file **files =
        memory_new(copies->count + copied, sizeof(const struct key_file *));
    const size_t count = collect(copies, files);
    int error =
        count > 0 && !is_unchanged(copies, files, count) ? replace(copies, files, count) : 0;
    free(files);
    return error;
}

int key_copies_seal(struct key_copies *copies)
{
    sort(copies);
    int error = copies->keeps ? seal(copies) : 0;
    for (size_t i = 0; i < copies->count; i++)
        forget_bytes(&copies->notes[i]);
    if (!copies->keeps) {
        key_container_free(copies->container);
        copies->container = NULL;
    }
    return error;
}

bool key_copies_have_read(const struct key_copies *copies, const char *path)
{
    for (size_t i = 0; i < copies->count; i++)
        if (strcmp(copies->notes[i].file.path, path) == 0)
            return true;
    return false;
}

const char *key_copies_out_of_reach(const struct key_copies *copies)
{
    for (size_t i = 0; i < copies->count; i++)
        if (copies->notes[i].file.kind != KEY_ABSENT && is_out_of_reach(&copies->notes[i].file))
            return copies->notes[i].file.path;
    return NULL;
}

size_t key_copies_each_taken(const struct key_copies *copies,
                             void (*call)(const char *path, const char *unseen))
{
    size_t count = 0;
    for (size_t i = 0; i < copies->count; i++) {
        const struct note *note = &copies->notes[i];
        if (!note->taken || note->file.kind == KEY_ABSENT)
            continue;
        call(note->file.path, note->unseen ? strerror(note->unseen) : NULL);
        count++;
    }
    return count;
}

void key_copies_forget(struct key_copies *copies)
{
    forget_notes(copies);
    forget_changes(copies);
}

int key_copies_fd(const struct key_copies *copies)
{
    return copies && copies->container ? key_container_fd(copies->container) : -1;
}

void key_copies_free(struct key_copies *copies)
{
    if (!copies)
        return;
    key_copies_forget(copies);
    key_container_free(copies->container);
    free(copies->denied);
    free(copies);
}
