/* What happens to the proxy: a line of the log, and at the same time an event for the commands and
 * pages that follow (rpproxy events). Only the main thread. rpproxy(8), EVENTS, has all kinds. */
#ifndef RPPROXY_CONFIG_BASE_HAPPENING_H
#define RPPROXY_CONFIG_BASE_HAPPENING_H

#include "config/base/log_types.h"

#include <stdbool.h>

enum happening_kind {
    HAPPENED_SERVER_UP,
    HAPPENED_SERVER_DOWN,
    HAPPENED_SERVER_FAILING,
    HAPPENED_SERVER_WELL,
    HAPPENED_SERVER_EJECTED,
    HAPPENED_SERVER_BACK,
    HAPPENED_SERVER_ADMIN,
    HAPPENED_SERVER_WEIGHT,
    HAPPENED_SERVER_MAXCONN,
    HAPPENED_SERVER_AGENT,
    HAPPENED_SERVER_ADDRESS,
    HAPPENED_NAME_FAILED,
    HAPPENED_NAME_RESOLVED,
    HAPPENED_BACKEND_DOWN,
    HAPPENED_BACKEND_UP,
    HAPPENED_BACKUP_SERVES,
    HAPPENED_RELOAD_STARTED,
    HAPPENED_RELOAD_STEP,
    HAPPENED_RELOADED,
    HAPPENED_RELOAD_FAILED,
    HAPPENED_ROLLED_BACK,
    HAPPENED_CANARY_STARTED,
    HAPPENED_CANARY_PROMOTED,
    HAPPENED_CANARY_BACK,
    HAPPENED_SERVING,
    HAPPENED_STOPPING,
    HAPPENED_DRAINING,
    HAPPENED_DRAINED,
    HAPPENED_PROCESS_GONE,
    HAPPENED_CRASHED,
    HAPPENED_LIMIT_REACHED,
    HAPPENED_LIMIT_OVER,
    HAPPENED_LOG_DROPPED,
    HAPPENED_FRONTEND_PAUSED,
    HAPPENED_FRONTEND_RESUMED,
    HAPPENING_KINDS
};

/* "server-up". */
const char *happening_name(enum happening_kind kind);

/* Whether an event of that name is about generations: that they were started, served, drained,
 * crashed. The steps of a reload are too many to be among these. */
bool happening_is_of_generations(const char *name, size_t length);

struct happening {
    enum happening_kind kind;
    const char *message; /* the line of the log */
    const struct log_field *fields;
    size_t field_count;
};

/* Hears of each of them, even of those that log-level leaves out of the log. NULL: nothing does. */
void happening_observe(void (*observer)(const struct happening *happening, void *arg), void *arg);

/* Which process ordered what happens until the next call: a field `by` of each of them. NULL: none
 * did. The text is not copied. */
void happening_by(const char *by);

/* What happens until the next call was ordered in another process: the observer of that process
 * hears of it, and the observer of this process does not. */
void happening_elsewhere(bool elsewhere);

/* Writes the line, and tells the observer. */
void happened(enum happening_kind kind, enum log_level level, const struct log_field *fields,
              size_t field_count, const char *format, ...) __attribute__((format(printf, 5, 6)));

/* The same without a line, where a line has been written, or would say nothing new. */
void happened_silently(enum happening_kind kind, const struct log_field *fields, size_t field_count,
                       const char *message);

static inline struct log_field happening_word(const char *name, const char *word)
{
    return (struct log_field){.name = name, .value = LOG_WORD, .word = word};
}

static inline struct log_field happening_number(const char *name, uint64_t number)
{
    return (struct log_field){.name = name, .value = LOG_COUNT, .number = number};
}

/* The two arguments of happened(). */
#define HAPPENING_FIELDS(...)                                                                      \
    (const struct log_field[]){__VA_ARGS__},                                                       \
        sizeof((const struct log_field[]){__VA_ARGS__}) / sizeof(struct log_field)

#endif
