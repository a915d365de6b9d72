#include "reload/base/state_file.h"

#include "config/base/log.h"
#include "config/base/thread.h"
#include "reload/base/state_lines.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* How long the end of the process waits for the disk. */
#define END_SECONDS 5

struct state_file {
    char *path;
    struct task_queue *main;
    void (*on_written)(uint64_t number, int error, void *arg);
    void *arg;
    struct task written_task; /* to the main thread */
    pthread_t thread;
    atomic_bool withheld;
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work, ended;
    bool started, running, stopping, abandoned;
    char *text; /* the next one; NULL: none */
    size_t length;
    uint64_t number;  /* of the last text that came */
    uint64_t written; /* of the last that was tried */
    int error;        /* of that one */
};

/* --- reading -------------------------------------------------------------------------------- */

static int read_all(int fd, char *text, size_t *length, size_t size)
{
    for (*length = 0; *length < size;) {
        ssize_t got = read(fd, text + *length, size - *length);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return errno;
        if (got == 0)
            break;
        *length += (size_t)got;
    }
    return 0;
}

int state_file_read(const char *path, char **text, size_t *length)
{
    struct stat status;
    *text = NULL;
    *length = 0;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return errno == ENOENT ? 0 : errno == ELOOP || errno == ENXIO ? EINVAL : errno;
    int error = fstat(fd, &status) ? errno : 0;
    if (!error && !S_ISREG(status.st_mode))
        error = EINVAL;
    if (!error && status.st_size > (off_t)STATE_BYTES_MAX)
        error = EFBIG;
    if (!error && !(*text = malloc((size_t)status.st_size + 1)))
        error = ENOMEM;
    if (!error)
        error = read_all(fd, *text, length, (size_t)status.st_size);
    if (error) {
        free(*text);
        *text = NULL;
    }
    close(fd);
    return error;
}

/* --- writing -------------------------------------------------------------------------------- */

static int write_text(int directory, const char *name, const char *text, size_t length)
{
    int fd = openat(directory, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    int error = fd < 0 ? errno : 0;
    while (!error && length > 0) {
        ssize_t written = write(fd, text, length);
        if (written < 0 && errno != EINTR)
            error = errno;
        if (written > 0) {
            text += written;
            length -= (size_t)written;
        }
    }
    if (!error && fsync(fd))
        error = errno;
    if (fd >= 0 && close(fd) && !error)
        error = errno;
    return error;
}

/* Returns 0 or an errno value: also 0 where another process is to write. */
static int replace(struct state_file *file, const char *text, size_t length)
{
    char folder[PATH_MAX], new[PATH_MAX];
    const char *name = strrchr(file->path, '/') + 1; /* the path is absolute */
    snprintf(folder, sizeof folder, "%.*s", (int)(name - file->path), file->path);
    if (snprintf(new, sizeof new, "%s.new", name) >= (int)sizeof new)
        return ENAMETOOLONG;
    int directory = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (directory < 0)
        return errno;
    while (flock(directory, LOCK_EX) && errno == EINTR)
        ;
    int error = 0;
    if (!atomic_load(&file->withheld)) {
        error = write_text(directory, new, text, length);
        if (!error && renameat(directory, new, directory, name))
            error = errno;
        if (error)
            (void)unlinkat(directory, new, 0);
        else if (fsync(directory) && errno != EINVAL)
            error = errno;
    }
    close(directory);
    return error;
}

static void *run(void *arg)
{
    struct state_file *file = arg;
    pthread_mutex_lock(&file->lock);
    for (;;) {
        while (!file->text && !file->stopping)
            pthread_cond_wait(&file->work, &file->lock);
        if (!file->text)
            break;
        char *text = file->text;
        size_t length = file->length;
        uint64_t number = file->number;
        file->text = NULL;
        pthread_mutex_unlock(&file->lock);
        int error = replace(file, text, length);
        free(text);
        pthread_mutex_lock(&file->lock);
        file->written = number;
        file->error = error;
        if (!file->abandoned)
            task_queue_post(file->main, &file->written_task);
    }
    file->running = false;
    pthread_cond_signal(&file->ended);
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

static void on_written(void *arg)
{
    struct state_file *file = arg;
    pthread_mutex_lock(&file->lock);
    uint64_t number = file->written;
    int error = file->error;
    pthread_mutex_unlock(&file->lock);
    file->on_written(number, error, file->arg);
}

struct state_file *state_file_new(const char *path, struct task_queue *main,
                                  void (*hear)(uint64_t number, int error, void *arg), void *arg)
{
    struct state_file *file = calloc(1, sizeof *file);
    if (!file)
        return NULL;
    file->path = strdup(path);
    if (!file->path) {
        free(file);
        return NULL;
    }
    file->main = main;
    file->on_written = hear;
    file->arg = arg;
    file->written_task = (struct task){.run = on_written, .arg = file};
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->work, NULL);
    pthread_cond_init(&file->ended, NULL);
    return file;
}

/* The lock is held. */
static bool start(struct state_file *file)
{
    if (file->running)
        return true;
    file->running = thread_start(&file->thread, NULL, run, file) == 0;
    file->started = file->running;
    return file->running;
}

uint64_t state_file_write(struct state_file *file, char *text, size_t length)
{
    pthread_mutex_lock(&file->lock);
    uint64_t number = 0;
    if (start(file)) {
        free(file->text);
        file->text = text;
        file->length = length;
        number = ++file->number;
        pthread_cond_signal(&file->work);
    } else {
        free(text);
    }
    pthread_mutex_unlock(&file->lock);
    return number;
}

void state_file_withhold(struct state_file *file, bool withheld)
{
    atomic_store(&file->withheld, withheld);
}

void state_file_free(struct state_file *file)
{
    if (!file)
        return;
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += END_SECONDS;
    pthread_mutex_lock(&file->lock);
    file->stopping = true;
    pthread_cond_signal(&file->work);
    int late = 0;
    while (file->running && late == 0)
        late = pthread_cond_clockwait(&file->ended, &file->lock, CLOCK_MONOTONIC, &until);
    bool abandoned = file->abandoned = file->running;
    int error = file->error;
    task_queue_withdraw(file->main, &file->written_task);
    pthread_mutex_unlock(&file->lock);
    if (abandoned) {
        pthread_detach(file->thread);
        log_error("state: %s is not written: the disk has not answered for %d seconds", file->path,
                  END_SECONDS);
        return; /* the thread has it until the process ends */
    }
    if (file->started)
        pthread_join(file->thread, NULL);
    if (error)
        log_error("state: what is set now is not kept in %s: %s", file->path, strerror(error));
    pthread_cond_destroy(&file->work);
    pthread_cond_destroy(&file->ended);
    pthread_mutex_destroy(&file->lock);
    free(file->path);
    free(file);
}
