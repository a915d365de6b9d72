#include "reload/process/life.h"

#include "config/base/log.h"
#include "reload/handover/generation.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define LIFE_MAGIC   0x7270706cu
#define LIFE_VERSION 1

struct record {
    uint32_t magic, version;
    struct crash crash;
};

static const struct timeval tick_interval = {.tv_sec = 1};

static int write_record(int fd, const struct crash *crash)
{
    const struct record record = {.magic = LIFE_MAGIC, .version = LIFE_VERSION, .crash = *crash};
    ssize_t written = pwrite(fd, &record, sizeof record, 0);
    if (written < 0)
        return errno;
    return (size_t)written == sizeof record ? 0 : ENOSPC;
}

static int write_life(const struct life *life, int outcome)
{
    const struct generation *generation = life->generation;
    const struct crash now =
        crash_now(generation->number, (uint32_t)getpid(), outcome, proxy_live(generation->proxy));
    return write_record(life->fd, &now);
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    (void)write_life(arg, 0); /* what cannot be written now is as it was a second ago */
}

int life_open(struct life *life, const struct generation *generation)
{
    *life = (struct life){.generation = generation, .fd = -1};
    life->tick = event_new(generation->base, -1, EV_PERSIST, on_tick, life);
    return life->tick ? 0 : ENOMEM;
}

static char *path_beside(const char *control)
{
    char *path;
    return asprintf(&path, "%s.life", control) < 0 ? NULL : path;
}

/* The path gets a file that is complete, and held. */
static int put_in_place(struct life *life)
{
    life->fd = published_prepare_file(&life->file, life->path, 0600);
    if (life->fd < 0)
        return -life->fd;
    int error = flock(life->fd, LOCK_EX | LOCK_NB) ? errno : write_life(life, 0);
    if (!error)
        error = published_publish(&life->file);
    if (error)
        published_end(&life->file, false);
    published_settle(&life->file);
    return error;
}

int life_begin(struct life *life)
{
    life_end(life);
    life->path = path_beside(life->generation->config->control);
    int error = life->path ? put_in_place(life) : ENOMEM;
    if (error)
        life_end(life);
    else
        event_add(life->tick, &tick_interval);
    return error;
}

static void let_go(struct life *life)
{
    event_del(life->tick);
    if (life->fd >= 0)
        close(life->fd);
    life->fd = -1;
    life->file = (struct published_path){0};
    free(life->path);
    life->path = NULL;
}

void life_end(struct life *life)
{
    if (!life->path)
        return;
    published_end(&life->file, true);
    let_go(life);
}

void life_fail(struct life *life, int status)
{
    if (!life->path)
        return;
    (void)write_life(life, W_EXITCODE(status, 0)); /* what cannot be written is a second old */
    let_go(life);
}

void life_close(struct life *life)
{
    life_end(life);
    if (life->tick)
        event_free(life->tick);
}

/* What is wrong with it, or NULL. */
static const char *examine(int fd, struct record *record)
{
    struct stat status;
    if (fstat(fd, &status))
        return "cannot be read";
    if (!S_ISREG(status.st_mode))
        return "is no file";
    if (status.st_uid != geteuid())
        return "is another user's";
    if (status.st_mode & (S_IWGRP | S_IWOTH))
        return "may be written by others";
    if (pread(fd, record, sizeof *record, 0) != (ssize_t)sizeof *record)
        return "is too short";
    if (record->magic != LIFE_MAGIC || record->version != LIFE_VERSION)
        return "is of another kind";
    if (record->crash.at > INT64_MAX || record->crash.sessions > INT64_MAX)
        return "has impossible figures";
    return NULL;
}

/* A file of one that is gone: its descriptor, or -1. */
static int open_left_behind(const char *path, int flags, struct record *record)
{
    int fd = open(path, flags | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0) {
        if (errno != ENOENT)
            log_warning("%s is ignored: %s", path, strerror(errno));
        return -1;
    }
    const char *wrong = examine(fd, record);
    if (!wrong && flock(fd, LOCK_SH | LOCK_NB))
        wrong = "is a living process's";
    if (!wrong)
        return fd;
    log_warning("%s is ignored: it %s", path, wrong);
    close(fd);
    return -1;
}

bool life_read(const char *control, struct crash *crash)
{
    struct record record;
    char *path = path_beside(control);
    int fd = path ? open_left_behind(path, O_RDONLY, &record) : -1;
    free(path);
    if (fd < 0)
        return false;
    close(fd);
    *crash = record.crash;
    return true;
}
