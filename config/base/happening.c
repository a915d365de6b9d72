#include "config/base/happening.h"

#include "config/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define MESSAGE_MAX 1024
#define FIELDS_MAX  12

static struct {
    void (*hear)(const struct happening *happening, void *arg);
    void *arg;
    const char *by;
    bool elsewhere;
} observer;

const char *happening_name(enum happening_kind kind)
{
    static const char *const names[HAPPENING_KINDS] = {
        [HAPPENED_SERVER_UP] = "server-up",
        [HAPPENED_SERVER_DOWN] = "server-down",
        [HAPPENED_SERVER_FAILING] = "server-failing",
        [HAPPENED_SERVER_WELL] = "server-well",
        [HAPPENED_SERVER_EJECTED] = "server-ejected",
        [HAPPENED_SERVER_BACK] = "server-back",
        [HAPPENED_SERVER_ADMIN] = "server-admin",
        [HAPPENED_SERVER_WEIGHT] = "server-weight",
        [HAPPENED_SERVER_MAXCONN] = "server-maxconn",
        [HAPPENED_SERVER_AGENT] = "server-agent",
        [HAPPENED_SERVER_ADDRESS] = "server-address",
        [HAPPENED_NAME_FAILED] = "name-failed",
        [HAPPENED_NAME_RESOLVED] = "name-resolved",
        [HAPPENED_BACKEND_DOWN] = "backend-down",
        [HAPPENED_BACKEND_UP] = "backend-up",
        [HAPPENED_BACKUP_SERVES] = "backup-serves",
        [HAPPENED_RELOAD_STARTED] = "reload-started",
        [HAPPENED_RELOAD_STEP] = "reload-step",
        [HAPPENED_RELOADED] = "reloaded",
        [HAPPENED_RELOAD_FAILED] = "reload-failed",
        [HAPPENED_ROLLED_BACK] = "rolled-back",
        [HAPPENED_CANARY_STARTED] = "canary-started",
        [HAPPENED_CANARY_PROMOTED] = "canary-promoted",
        [HAPPENED_CANARY_BACK] = "canary-back",
        [HAPPENED_SERVING] = "serving",
        [HAPPENED_STOPPING] = "stopping",
        [HAPPENED_DRAINING] = "draining",
        [HAPPENED_DRAINED] = "drained",
        [HAPPENED_PROCESS_GONE] = "process-gone",
        [HAPPENED_CRASHED] = "crashed",
        [HAPPENED_LIMIT_REACHED] = "limit-reached",
        [HAPPENED_LIMIT_OVER] = "limit-over",
        [HAPPENED_LOG_DROPPED] = "log-dropped",
        [HAPPENED_FRONTEND_PAUSED] = "frontend-paused",
        [HAPPENED_FRONTEND_RESUMED] = "frontend-resumed",
    };
    return names[kind];
}

bool happening_is_of_generations(const char *name, size_t length)
{
    for (enum happening_kind kind = HAPPENED_RELOAD_STARTED; kind <= HAPPENED_CRASHED; kind++)
        if (kind != HAPPENED_RELOAD_STEP && strlen(happening_name(kind)) == length &&
            memcmp(happening_name(kind), name, length) == 0)
            return true;
    return false;
}

void happening_observe(void (*hear)(const struct happening *happening, void *arg), void *arg)
{
    observer.hear = hear;
    observer.arg = arg;
}

void happening_by(const char *by)
{
    observer.by = by;
}

void happening_elsewhere(bool elsewhere)
{
    observer.elsewhere = elsewhere;
}

void happened_silently(enum happening_kind kind, const struct log_field *fields, size_t field_count,
                       const char *message)
{
    const struct happening happening = {
        .kind = kind, .message = message, .fields = fields, .field_count = field_count};
    if (observer.hear && !observer.elsewhere)
        observer.hear(&happening, observer.arg);
}

/* Where lines are JSON, they have the fields, and so the message is one of them. */
static void write_line(enum happening_kind kind, enum log_level level,
                       const struct log_field *fields, size_t count, const char *message)
{
    struct log_field all[FIELDS_MAX + 2];
    memcpy(all, fields, count * sizeof *fields);
    all[count] = happening_word("event", happening_name(kind));
    all[count + 1] = happening_word("message", message);
    log_event(&(struct log_event){.level = level,
                                  .kind = happening_name(kind),
                                  .message = message,
                                  .fields = all,
                                  .field_count = count + 2});
}

void happened(enum happening_kind kind, enum log_level level, const struct log_field *fields,
              size_t field_count, const char *format, ...)
{
    char message[MESSAGE_MAX];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(message, sizeof message, format, arguments);
    va_end(arguments);
    struct log_field all[FIELDS_MAX];
    size_t count = field_count < FIELDS_MAX - 1 ? field_count : FIELDS_MAX - 1;
    memcpy(all, fields, count * sizeof *fields);
    if (observer.by)
        all[count++] = happening_word("by", observer.by);
    write_line(kind, level, all, count, message);
    happened_silently(kind, all, count, message);
}
