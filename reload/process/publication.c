#include "reload/process/publication.h"

#include "config/base/log.h"
#include "reload/base/privileges.h"
#include "reload/control/control.h"
#include "reload/handover/generation.h"
#include "reload/http/http.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>

static const struct timeval retry_interval = {.tv_sec = 1};

static void sweep(struct publication *publication, pid_t pid)
{
    const struct config *config = publication->generation->config;
    published_sweep(config->control, pid);
    if (config->pidfile)
        published_sweep(config->pidfile, pid);
    binds_sweep(publication->generation->binds, pid);
    http_sweep(publication->http, pid);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    struct publication *publication = arg;
    (void)fd;
    (void)what;
    publication_force(publication, 0);
    if (publication->reported || publication->unswept == 0)
        return;
    sweep(publication, publication->unswept);
    publication->unswept = 0;
}

int publication_open(struct publication *publication)
{
    struct generation *generation = publication->generation;
    publication->retry = event_new(generation->base, -1, 0, on_retry, publication);
    publication->http = http_new(generation, publication->events);
    int error = life_open(&publication->life, generation);
    return publication->retry && publication->http ? error : ENOMEM;
}

static void report_line(const char *line, void *arg)
{
    struct generation *generation = arg;
    generation->events->report(generation, line);
}

/* option: control or pidfile. */
static void report(struct generation *generation, const char *option, const char *path,
                   const char *wrong)
{
    char line[2 * PATH_MAX + 256];
    snprintf(line, sizeof line, "%s: %s: '%s': %s", config_where(generation->config, option),
             option, path, wrong);
    generation->events->report(generation, line);
}

bool publication_prepare(struct publication *publication)
{
    struct generation *generation = publication->generation;
    const struct config *config = generation->config;
    const char *wrong = privileges_check_directory(config->control);
    int error = wrong ? 0 : control_bind(publication->control, config->control);
    if (error)
        wrong = published_error_text(error);
    if (wrong) {
        report(generation, "control", config->control, wrong);
        return false;
    }
    wrong = config->pidfile ? privileges_check_directory(config->pidfile) : NULL;
    error = wrong ? 0 : pidfile_prepare(&publication->pidfile, config->pidfile);
    if (error)
        wrong = published_error_text(error);
    if (wrong)
        report(generation, "pidfile", config->pidfile, wrong);
    return !wrong;
}

static int begin_life(struct publication *publication)
{
    return publication->life.path ? 0 : life_begin(&publication->life);
}

bool publication_publish(struct publication *publication)
{
    struct generation *generation = publication->generation;
    const struct config *config = generation->config;
    if (!binds_publish(generation->binds, report_line, generation)) {
        generation->exit_status = EXIT_BIND;
        return false;
    }
    generation->exit_status = EXIT_OTHER;
    int error = control_publish(publication->control);
    if (error) {
        report(generation, "control", config->control, published_error_text(error));
        binds_withdraw(generation->binds);
        return false;
    }
    error = pidfile_publish(&publication->pidfile);
    if (error) {
        report(generation, "pidfile", config->pidfile, published_error_text(error));
        control_withdraw(publication->control);
        binds_withdraw(generation->binds);
        return false;
    }
    publication->done = true;
    http_serve(publication->http, 0);
    error = begin_life(publication);
    if (error)
        log_error("%s.life: %s", config->control, published_error_text(error));
    return true;
}

static bool note(const struct publication *publication, const char *what, const char *path,
                 int error)
{
    if (error && !publication->reported)
        log_error("%s %s: %s; it is tried again every second", what, path,
                  published_error_text(error));
    return error != 0;
}

void publication_force(struct publication *publication, pid_t successor)
{
    const struct config *config = publication->generation->config;
    publication->done = true;
    http_serve(publication->http, successor);
    bool failed = note(publication, "control socket", config->control,
                       control_take_back(publication->control, config->control));
    if (publication->pidfile.file.state == PUBLISHED_PREPARED)
        failed |=
            note(publication, "pidfile", config->pidfile, pidfile_publish(&publication->pidfile));
    else if (config->pidfile)
        failed |= note(publication, "pidfile", config->pidfile,
                       pidfile_take_back(&publication->pidfile, successor));
    failed |= note(publication, "crash file of", config->control, begin_life(publication));
    if (failed)
        event_add(publication->retry, &retry_interval);
    else if (publication->reported)
        log_notice("control socket and pid file are published again");
    publication->reported = failed;
}

void publication_settle(struct publication *publication)
{
    binds_settle_paths(publication->generation->binds);
    control_settle(publication->control);
    http_settle(publication->http);
    pidfile_settle(&publication->pidfile);
}

void publication_retire(struct publication *publication)
{
    event_del(publication->retry);
    publication->reported = publication->done = false;
    control_retire(publication->control);
    http_retire(publication->http);
    life_end(&publication->life);
    pidfile_retire(&publication->pidfile);
}

void publication_take_back(struct publication *publication, pid_t successor)
{
    publication->taken_back = true;
    publication_force(publication, successor);
}

void publication_forget(struct publication *publication)
{
    control_retire(publication->control);
    http_forget(publication->http);
    pidfile_end(&publication->pidfile, false);
}

void publication_sweep(struct publication *publication, pid_t pid)
{
    if (publication->taken_back)
        publication_force(publication, pid);
    publication->taken_back = false;
    publication->unswept = publication->reported ? pid : 0;
    sweep(publication, pid);
}

void publication_fail(struct publication *publication, int status)
{
    life_fail(&publication->life, status);
}

void publication_close(struct publication *publication, const struct control_end *end)
{
    http_free(publication->http);
    pidfile_end(&publication->pidfile, publication->done);
    life_close(&publication->life);
    control_close(publication->control, publication->done, end);
    if (publication->retry)
        event_free(publication->retry);
}
