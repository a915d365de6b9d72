#include "reload/process/publication.h"

#include "config/base/log.h"
#include "reload/base/privileges.h"
#include "reload/control/control.h"
#include "reload/process/generation.h"

#include <stdio.h>

static const struct timeval retry_interval = {.tv_sec = 1};

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    publication_force(arg, 0);
}

bool publication_open(struct generation *generation)
{
    struct publication *publication = &generation->publication;
    publication->retry = event_new(generation->base, -1, 0, on_retry, generation);
    return publication->retry != NULL;
}

static void report(struct generation *generation, const char *what, const char *path,
                   const char *wrong)
{
    char line[640];
    snprintf(line, sizeof line, "%s: %s %s: %s", generation->file, what, path, wrong);
    generation_report(line, generation);
}

bool publication_prepare(struct generation *generation)
{
    const struct config *config = generation->config;
    const char *wrong = privileges_check_directory(config->control);
    int error = wrong ? 0 : control_bind(generation->control, config->control);
    if (error)
        wrong = published_error_text(error);
    if (wrong) {
        report(generation, "control socket", config->control, wrong);
        return false;
    }
    wrong = config->pidfile ? privileges_check_directory(config->pidfile) : NULL;
    error = wrong ? 0 : pidfile_prepare(&generation->publication.pidfile, config->pidfile);
    if (error)
        wrong = published_error_text(error);
    if (wrong)
        report(generation, "pidfile", config->pidfile, wrong);
    return !wrong;
}

static void begin_life(struct generation *generation)
{
    int error = generation->life.path ? 0 : life_begin(&generation->life);
    if (error)
        log_error("%s.life: %s", generation->config->control, published_error_text(error));
}

bool publication_publish(struct generation *generation)
{
    const struct config *config = generation->config;
    struct publication *publication = &generation->publication;
    if (!binds_publish(generation->binds, generation_report, generation)) {
        generation->exit_status = EXIT_BIND;
        return false;
    }
    generation->exit_status = EXIT_OTHER;
    int error = control_publish(generation->control);
    if (error) {
        report(generation, "control socket", config->control, published_error_text(error));
        binds_withdraw(generation->binds);
        return false;
    }
    error = pidfile_publish(&publication->pidfile);
    if (error) {
        report(generation, "pidfile", config->pidfile, published_error_text(error));
        control_withdraw(generation->control);
        binds_withdraw(generation->binds);
        return false;
    }
    publication->done = true;
    begin_life(generation);
    return true;
}

static bool note(struct generation *generation, const char *what, const char *path, int error)
{
    if (error && !generation->publication.told)
        log_error("%s %s: %s; it is tried again every second", what, path,
                  published_error_text(error));
    return error != 0;
}

void publication_force(struct generation *generation, pid_t successor)
{
    const struct config *config = generation->config;
    struct publication *publication = &generation->publication;
    publication->done = true;
    bool failed = note(generation, "control socket", config->control,
                       control_take_back(generation->control, config->control));
    if (publication->pidfile.file.state == PUBLISHED_PREPARED)
        failed |=
            note(generation, "pidfile", config->pidfile, pidfile_publish(&publication->pidfile));
    else if (config->pidfile)
        failed |= note(generation, "pidfile", config->pidfile,
                       pidfile_take_back(&publication->pidfile, successor));
    if (failed)
        event_add(publication->retry, &retry_interval);
    else if (publication->told)
        log_notice("control socket and pid file are published again");
    publication->told = failed;
    begin_life(generation);
}

void publication_settle(struct generation *generation)
{
    binds_settle_paths(generation->binds);
    control_settle(generation->control);
    pidfile_settle(&generation->publication.pidfile);
}

void publication_retire(struct generation *generation)
{
    struct publication *publication = &generation->publication;
    event_del(publication->retry);
    publication->told = publication->done = false;
    control_retire(generation->control);
    life_end(&generation->life);
    pidfile_retire(&publication->pidfile);
}

void publication_take_back(struct generation *generation, pid_t successor)
{
    generation->publication.taken_back = true;
    publication_force(generation, successor);
}

void publication_forget(struct generation *generation)
{
    control_retire(generation->control);
    pidfile_end(&generation->publication.pidfile, false);
}

void publication_sweep(struct generation *generation, pid_t pid)
{
    const struct config *config = generation->config;
    if (generation->publication.taken_back)
        publication_force(generation, pid);
    generation->publication.taken_back = false;
    published_sweep(config->control, pid);
    if (config->pidfile)
        published_sweep(config->pidfile, pid);
    binds_sweep(generation->binds, pid);
}

void publication_close(struct generation *generation)
{
    struct publication *publication = &generation->publication;
    pidfile_end(&publication->pidfile, publication->done);
    life_close(&generation->life);
    control_close(generation->control, publication->done);
    if (publication->retry)
        event_free(publication->retry);
}
