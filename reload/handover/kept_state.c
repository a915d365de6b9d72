#include "reload/handover/kept_state.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/happening.h"
#include "config/base/log.h"
#include "config/base/memory.h"
#include "reload/base/privileges.h"
#include "reload/base/state_file.h"
#include "reload/base/state_lines.h"
#include "reload/handover/generation.h"
#include "reload/handover/server_states.h"

#include <errno.h>
#include <event2/event.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARNINGS_MAX 20

static const struct timeval retry_interval = {.tv_sec = 10};

struct kept_state {
    struct generation *generation;
    struct state_file *file;
    bool serves;
    char *text; /* what was written last, or is to be */
    size_t length;
    uint64_t number;  /* of it */
    uint64_t written; /* all up to this one have been tried */
    struct condition failure;
    struct event *retry;
    TAILQ_HEAD(, kept_waiter) waiters;
};

/* --- from the proxy ------------------------------------------------------------------------- */

/* Its slots may have other addresses after a start. */
static bool is_of_many(const struct server *server)
{
    return server->conf->what == RESOLVE_ALL;
}

static void write_server(const struct server *server, FILE *out)
{
    struct state_line line = {.name = server->backend->conf->name,
                              .server = server->name,
                              .admin = -1,
                              .weight = -1,
                              .maxconn = (int64_t)server->now.maxconn - 1,
                              .has_hash = true};
    if (server->now.admin != ADMIN_READY)
        line.admin = (int)server->now.admin;
    /* The weight of an SRV record may be another one at the start. */
    if (!server->conf->service && server->now.weight != server->conf->weight)
        line.weight = (int)server->now.weight;
    if (is_of_many(server) || (line.admin < 0 && line.weight < 0 && line.maxconn < 0))
        return;
    line.hash = server_states_line_hash(server->conf);
    state_lines_write(&line, out);
}

static char *collect(const struct proxy *proxy, size_t *length)
{
    const struct config *config = proxy->service.config;
    struct memory_stream text;
    memory_stream_begin(&text);
    state_lines_write_head(text.stream);
    for (size_t i = 0; i < config->frontend_count; i++) {
        const struct state_line line = {.name = config->frontends[i].name,
                                        .paused_at =
                                            atomic_load(&proxy->service.frontends[i].paused_at)};
        if (line.paused_at)
            state_lines_write(&line, text.stream);
    }
    for (size_t i = 0; i < config->backend_count; i++) {
        const struct server_set *set = backend_servers(&proxy->service.backends[i]);
        for (size_t j = 0; j < set->count; j++)
            write_server(set->list[j], text.stream);
    }
    char *whole = memory_stream_end(&text);
    *length = strlen(whole);
    return whole;
}

/* --- to the file ---------------------------------------------------------------------------- */

static void tell_waiters(struct kept_state *kept, uint64_t number, int error)
{
    struct kept_waiter *waiter;
    while ((waiter = TAILQ_FIRST(&kept->waiters)) && waiter->number <= number) {
        TAILQ_REMOVE(&kept->waiters, waiter, link);
        waiter->on_kept(waiter, error);
    }
}

static void note_result(struct kept_state *kept, int error)
{
    const char *path = kept->generation->config->state;
    if (error) {
        if (condition_met(&kept->failure, error, clock_ms()))
            log_warning("state: what is set now is not kept in %s: %s; it is tried again", path,
                        strerror(error));
        event_add(kept->retry, &retry_interval);
        return;
    }
    if (condition_lasts(&kept->failure))
        log_notice("state: what is set is kept in %s again", path);
    kept->failure = (struct condition){0};
}

static void on_written(uint64_t number, int error, void *arg)
{
    struct kept_state *kept = arg;
    kept->written = number;
    if (kept->serves)
        note_result(kept, error);
    tell_waiters(kept, number, error);
}

static void submit(struct kept_state *kept)
{
    char *copy = kept->text ? strdup(kept->text) : NULL;
    uint64_t number = copy ? state_file_write(kept->file, copy, kept->length) : 0;
    event_del(kept->retry);
    if (number)
        kept->number = number;
    else
        note_result(kept, ENOMEM);
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct kept_state *kept = arg;
    if (kept->serves)
        submit(kept);
}

/* anew: even if the text is as before. */
static void update(struct kept_state *kept, bool anew)
{
    size_t length;
    char *text = collect(kept->generation->proxy, &length);
    if (!anew && kept->text && strcmp(kept->text, text) == 0) {
        free(text);
        return;
    }
    free(kept->text);
    kept->text = text;
    kept->length = length;
    submit(kept);
}

void kept_state_serve(struct generation *generation, bool anew)
{
    struct kept_state *kept = generation->kept_state;
    if (!kept)
        return;
    kept->serves = true;
    state_file_withhold(kept->file, false);
    if (anew)
        update(kept, true);
    else if (!kept->text)
        kept->text = collect(generation->proxy, &kept->length);
}

void kept_state_withhold(struct generation *generation)
{
    struct kept_state *kept = generation->kept_state;
    if (!kept)
        return;
    kept->serves = false;
    state_file_withhold(kept->file, true);
    event_del(kept->retry);
}

void kept_state_changed(struct generation *generation)
{
    struct kept_state *kept = generation->kept_state;
    if (kept && kept->serves)
        update(kept, false);
}

bool kept_state_wait(struct generation *generation, struct kept_waiter *waiter)
{
    struct kept_state *kept = generation->kept_state;
    if (!kept || !kept->serves || kept->written >= kept->number)
        return false;
    waiter->number = kept->number;
    TAILQ_INSERT_TAIL(&kept->waiters, waiter, link);
    return true;
}

/* --- at a start ----------------------------------------------------------------------------- */

struct taking {
    struct generation *generation;
    unsigned warnings, taken;
    char where[PATH_MAX + 32]; /* "FILE:LINE" */
};

static void set_where(struct taking *taking, unsigned number)
{
    snprintf(taking->where, sizeof taking->where, "%s:%u", taking->generation->config->state,
             number);
}

static void warn(unsigned number, const char *why, void *arg)
{
    struct taking *taking = arg;
    set_where(taking, number);
    if (++taking->warnings <= WARNINGS_MAX)
        log_warning("%s: %s", taking->where, why);
}

static void warn_of_line(struct taking *taking, const struct state_line *line, const char *why)
{
    char text[512];
    snprintf(text, sizeof text, "%s %.200s%s%.200s: %s", line->server ? "server" : "frontend",
             line->name, line->server ? "/" : "", line->server ? line->server : "", why);
    warn(line->number, text, taking);
}

static void take_frontend(struct taking *taking, const struct state_line *line)
{
    struct proxy *proxy = taking->generation->proxy;
    const struct config *config = proxy->service.config;
    size_t i = 0;
    while (i < config->frontend_count && strcmp(config->frontends[i].name, line->name) != 0)
        i++;
    if (i == config->frontend_count) {
        warn_of_line(taking, line, "there is none in the configuration; the line is left out");
        return;
    }
    if (line->paused_at)
        proxy_pause(proxy, i, line->paused_at);
    taking->taken++;
}

static void take_server(struct taking *taking, const struct state_line *line)
{
    struct proxy *proxy = taking->generation->proxy;
    struct backend *backend = service_backend(&proxy->service, line->name);
    struct server *server = backend ? backend_find(backend, line->server) : NULL;
    if (!server || is_of_many(server)) {
        warn_of_line(taking, line, "there is none in the configuration; the line is left out");
        return;
    }
    if (line->has_hash && line->hash != server_states_line_hash(server->conf)) {
        warn_of_line(taking, line,
                     "its line in the configuration has changed since: it begins as that says");
        return;
    }
    if (line->weight >= 0)
        server_set_weight(server, (unsigned)line->weight);
    if (line->maxconn >= 0 && !server_set_maxconn(server, (unsigned)line->maxconn))
        warn_of_line(taking, line, "no server of its backend has maxconn: it gets none");
    if (line->admin >= 0)
        server_set_admin(server, (enum admin_state)line->admin);
    taking->taken++;
}

static void take_line(const struct state_line *line, void *arg)
{
    struct taking *taking = arg;
    set_where(taking, line->number);
    happening_by(taking->where);
    if (line->server)
        take_server(taking, line);
    else
        take_frontend(taking, line);
    happening_by(NULL);
}

static void take_over(struct generation *generation, char *text, size_t length)
{
    struct taking taking = {.generation = generation};
    const struct state_reader reader = {.on_line = take_line, .on_wrong = warn, .arg = &taking};
    state_lines_read(text, length, &reader);
    if (taking.warnings > WARNINGS_MAX)
        log_warning("%s: %u further lines are not understood", generation->config->state,
                    taking.warnings - WARNINGS_MAX);
    if (taking.taken)
        log_notice("state: %u line%s of %s %s taken over", taking.taken,
                   taking.taken == 1 ? "" : "s", generation->config->state,
                   taking.taken == 1 ? "is" : "are");
}

/* --- the life of it ------------------------------------------------------------------------- */

static const char *error_text(int error)
{
    switch (error) {
    case EINVAL:
        return "it is not a regular file";
    case EFBIG:
        return "it is larger than 16 MiB, which no state file of rpproxy is";
    default:
        return strerror(error);
    }
}

/* An error of the line that names the file. */
static void report(struct generation *generation, const char *wrong)
{
    const struct config *config = generation->config;
    char line[2 * PATH_MAX + 256];
    snprintf(line, sizeof line, "%s: state: '%s': %s", config_where(config, "state"), config->state,
             wrong);
    generation->events->report(generation, line);
    generation->exit_status = EXIT_INVALID;
}

/* Reads the file, and reports what is wrong with it. */
static bool read_file(struct generation *generation, char **text, size_t *length)
{
    unsigned version = 0;
    int error = state_file_read(generation->config->state, text, length);
    const char *wrong = error ? error_text(error) : NULL;
    if (!error && *text && state_lines_head(*text, *length, &version))
        wrong = "it is not a state file of rpproxy, and would be replaced";
    if (!wrong)
        return true;
    report(generation, wrong);
    free(*text);
    *text = NULL;
    return false;
}

bool kept_state_check(struct generation *generation)
{
    const char *path = generation->config->state;
    char *text;
    size_t length;
    if (!path)
        return true;
    const char *wrong = privileges_check_directory(path);
    if (wrong) {
        report(generation, wrong);
        return false;
    }
    if (!read_file(generation, &text, &length))
        return false;
    free(text);
    return true;
}

bool kept_state_open(struct generation *generation, bool takes_over)
{
    const char *path = generation->config->state;
    char *text = NULL;
    size_t length = 0;
    if (!path)
        return true;
    if (takes_over && !read_file(generation, &text, &length))
        return false;
    struct kept_state *kept = calloc(1, sizeof *kept);
    if (kept) {
        TAILQ_INIT(&kept->waiters);
        kept->generation = generation;
        kept->retry = event_new(generation->base, -1, 0, on_retry, kept);
        kept->file = state_file_new(path, &generation->proxy->task_queue, on_written, kept);
        generation->kept_state = kept;
    }
    if (!kept || !kept->retry || !kept->file) {
        free(text);
        report(generation, strerror(ENOMEM));
        return false;
    }
    if (text)
        take_over(generation, text, length);
    free(text);
    return true;
}

void kept_state_close(struct generation *generation)
{
    struct kept_state *kept = generation->kept_state;
    if (!kept)
        return;
    generation->kept_state = NULL;
    state_file_free(kept->file);
    tell_waiters(kept, UINT64_MAX, ECANCELED);
    if (kept->retry)
        event_free(kept->retry);
    free(kept->text);
    free(kept);
}
