#include "config/base/log_layout.h"

#include <ctype.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A value of a field is cut to this length. */
#define VALUE_MAX 512

enum layout {
    LAYOUT_UNKNOWN, /* stderr, and nobody has looked what it is */
    LAYOUT_PLAIN,
    LAYOUT_UNIT, /* stderr is read by journald, for the service manager */
    LAYOUT_RFC5424,
    LAYOUT_RFC3164,
    LAYOUT_RFC3164_HOST, /* with the name of this host, for another one */
    LAYOUT_JOURNAL
};

static struct {
    atomic_int layout; /* what stands below is set before */
    atomic_bool json;
    atomic_uint facility;
    atomic_uint generation;
    char host[256]; /* "-": unknown */
} look;

static const char *const level_names[] = {"ERROR", "WARNING", "NOTICE", "INFO", "DEBUG"};
static const char *const json_levels[] = {"error", "warning", "notice", "info", "debug"};
static const unsigned severities[] = {3, 4, 5, 6, 7}; /* of RFC 5424 */

/* systemd names in JOURNAL_STREAM the socket that it has given to a unit as stderr. */
static bool stderr_is_of_unit(void)
{
    const char *stream = getenv("JOURNAL_STREAM");
    unsigned long long device, inode;
    struct stat status;
    return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 &&
           fstat(STDERR_FILENO, &status) == 0 && status.st_dev == device && status.st_ino == inode;
}

static bool leads_to_journald(const char *path)
{
    char there[256];
    ssize_t length = readlink(path, there, sizeof there - 1);
    if (length <= 0)
        return strstr(path, "/systemd/journal/");
    there[length] = '\0';
    return strstr(there, "/systemd/journal/");
}

static enum layout layout_of(const struct log_conf *conf)
{
    const char *path = conf->where ? conf->where : LOG_DEVICE;
    switch (conf->target) {
    case LOG_TO_STDERR:
        return stderr_is_of_unit() ? LAYOUT_UNIT : LAYOUT_PLAIN;
    case LOG_TO_SYSLOG:
        if (conf->syslog_form == LOG_SYSLOG_AUTO)
            return leads_to_journald(path) ? LAYOUT_RFC3164 : LAYOUT_RFC5424;
        return conf->syslog_form == LOG_SYSLOG_RFC3164 ? LAYOUT_RFC3164 : LAYOUT_RFC5424;
    case LOG_TO_UDP:
        return conf->syslog_form == LOG_SYSLOG_RFC3164 ? LAYOUT_RFC3164_HOST : LAYOUT_RFC5424;
    case LOG_TO_JOURNAL:
        return LAYOUT_JOURNAL;
    case LOG_TO_FILE:
        break;
    }
    return LAYOUT_PLAIN;
}

void log_layout_set(const struct log_conf *conf)
{
    if (look.host[0] == '\0' && (gethostname(look.host, sizeof look.host - 1) || !look.host[0]))
        strcpy(look.host, "-");
    atomic_store(&look.json, conf->json);
    atomic_store(&look.facility, conf->facility);
    atomic_store(&look.layout, (int)layout_of(conf));
}

void log_layout_set_generation(unsigned generation)
{
    atomic_store_explicit(&look.generation, generation, memory_order_relaxed);
}

static enum layout current_layout(void)
{
    int layout = atomic_load_explicit(&look.layout, memory_order_acquire);
    if (layout != LAYOUT_UNKNOWN)
        return (enum layout)layout;
    layout = stderr_is_of_unit() ? LAYOUT_UNIT : LAYOUT_PLAIN;
    atomic_store(&look.layout, layout);
    return (enum layout)layout;
}

static bool lines_are_json(void)
{
    return atomic_load_explicit(&look.json, memory_order_relaxed);
}

bool log_layout_wants_message(void)
{
    return !lines_are_json();
}

bool log_layout_wants_fields(void)
{
    return lines_are_json() || current_layout() == LAYOUT_JOURNAL;
}

/* --- the time ------------------------------------------------------------------------------- */

/* A second as text. gmtime_r(3) and localtime_r(3) are called once a second only, since they take
 * a lock that all threads share. */
struct second {
    time_t second;
    size_t length;
    char text[24];
};

static void put_second(struct line *line, struct second *last, time_t now, bool local)
{
    if (last->length == 0 || last->second != now) {
        struct tm parts;
        if (local)
            last->length = strftime(last->text, sizeof last->text, "%b %e %H:%M:%S",
                                    localtime_r(&now, &parts));
        else
            last->length = strftime(last->text, sizeof last->text, "%Y-%m-%dT%H:%M:%S",
                                    gmtime_r(&now, &parts));
        last->second = now;
    }
    (void)line_put(line, last->text, last->length);
}

/* "2026-11-22T20:52:41.123Z" */
void log_layout_time(struct line *line, const struct timespec *now)
{
    static _Thread_local struct second last;
    put_second(line, &last, now->tv_sec, false);
    (void)line_print(line, ".%03ldZ", now->tv_nsec / 1000000);
}

/* "Nov 22 20:52:41", of this host's time zone */
static void put_local_time(struct line *line, const struct timespec *now)
{
    static _Thread_local struct second last;
    put_second(line, &last, now->tv_sec, true);
}

/* --- JSON ----------------------------------------------------------------------------------- */

/* Adds ',"name":value', all of it or nothing. There is room left for the end of the object. */
static void put_member(struct line *line, const struct log_field *field)
{
    const size_t before = line->length, most = line->size - sizeof "}\n";
    bool fits = line_print(line, ",\"%s\":", field->name);
    size_t end = line->length + VALUE_MAX;
    switch (field->value) {
    case LOG_NOTHING:
        fits = fits && line_put(line, "null", 4);
        break;
    case LOG_WORD:
        fits = fits && line_put_json(line, field->word, false, end < most ? end : most);
        break;
    case LOG_COUNT:
        fits = fits && line_print(line, "%llu", (unsigned long long)field->number);
        break;
    case LOG_MICROSECONDS:
        fits = fits && line_put_milliseconds(line, field->number);
        break;
    }
    if (!fits || line->length > most)
        line->length = before;
}

static void put_object(struct line *line, const struct timespec *now, const struct log_event *event,
                       bool cut)
{
    unsigned generation = atomic_load_explicit(&look.generation, memory_order_relaxed);
    (void)line_put(line, "{\"time\":\"", 9);
    log_layout_time(line, now);
    (void)line_print(line, "\",\"level\":\"%s\",\"pid\":%d", json_levels[event->level],
                     (int)getpid());
    if (generation)
        (void)line_print(line, ",\"generation\":%u", generation);
    for (size_t i = 0; i < event->field_count; i++)
        put_member(line, &event->fields[i]);
    if (event->field_count == 0) {
        (void)line_put(line, ",\"message\":", 11);
        (void)line_put_json(line, event->message, cut, line->size - sizeof "}\n");
    }
    (void)line_put(line, "}", 1);
}

/* --- the parts of a line -------------------------------------------------------------------- */

/* What is the same for all targets. `most`: the line is not longer then. */
static void put_body(struct line *line, const struct timespec *now, const struct log_event *event,
                     bool cut, size_t most)
{
    unsigned generation = atomic_load_explicit(&look.generation, memory_order_relaxed);
    if (lines_are_json()) {
        put_object(line, now, event, cut);
        return;
    }
    if (generation && !event->bare)
        (void)line_print(line, "[generation %u] ", generation);
    line_put_text(line, event->message, cut, most);
}

static unsigned priority(const struct log_event *event)
{
    return atomic_load_explicit(&look.facility, memory_order_relaxed) * 8 +
           severities[event->level];
}

static void put_journal_field(struct line *line, const struct log_field *field)
{
    const size_t before = line->length;
    if (field->value == LOG_NOTHING)
        return;
    bool fits = line_put(line, "RPPROXY_", 8);
    for (const char *c = field->name; *c && fits; c++)
        fits = line_put(line, (const char[]){(char)toupper((unsigned char)*c)}, 1);
    fits = fits && line_put(line, "=", 1);
    if (field->value == LOG_WORD)
        line_put_text(line, field->word, false, line->size - 1);
    else if (field->value == LOG_COUNT)
        fits = fits && line_print(line, "%llu", (unsigned long long)field->number);
    else
        fits = fits && line_put_milliseconds(line, field->number);
    if (!fits || !line_put(line, "\n", 1))
        line->length = before;
}

/* Each field is a line "NAME=value": nothing in them has a newline. */
static void put_journal(struct line *line, const struct timespec *now,
                        const struct log_event *event, bool cut)
{
    unsigned generation = atomic_load_explicit(&look.generation, memory_order_relaxed);
    const struct log_field own = {"generation", LOG_COUNT, NULL, generation};
    (void)line_print(line,
                     "PRIORITY=%u\nSYSLOG_IDENTIFIER=rpproxy\nSYSLOG_FACILITY=%u\nSYSLOG_PID=%d\n"
                     "MESSAGE=",
                     severities[event->level],
                     atomic_load_explicit(&look.facility, memory_order_relaxed), (int)getpid());
    put_body(line, now, event, cut, LOG_TEXT_MAX);
    (void)line_put(line, "\n", 1);
    if (generation)
        put_journal_field(line, &own);
    for (size_t i = 0; i < event->field_count; i++)
        put_journal_field(line, &event->fields[i]);
}

static void put_plain_head(struct line *line, const struct timespec *now,
                           const struct log_event *event)
{
    if (lines_are_json() || event->bare)
        return;
    log_layout_time(line, now);
    (void)line_print(line, " %s ", level_names[event->level]);
}

void log_layout(struct line *line, const struct timespec *now, const struct log_event *event,
                bool cut)
{
    switch (current_layout()) {
    case LAYOUT_JOURNAL:
        put_journal(line, now, event, cut);
        return;
    case LAYOUT_UNKNOWN:
    case LAYOUT_PLAIN:
        put_plain_head(line, now, event);
        break;
    case LAYOUT_UNIT:
        (void)line_print(line, "<%u>", severities[event->level]);
        break;
    case LAYOUT_RFC5424:
        (void)line_print(line, "<%u>1 ", priority(event));
        log_layout_time(line, now);
        (void)line_print(line, " %s rpproxy %d %s - ", look.host, (int)getpid(),
                         event->kind ? event->kind : "-");
        break;
    case LAYOUT_RFC3164:
    case LAYOUT_RFC3164_HOST:
        (void)line_print(line, "<%u>", priority(event));
        put_local_time(line, now);
        if (current_layout() == LAYOUT_RFC3164_HOST)
            (void)line_print(line, " %s", look.host);
        (void)line_print(line, " rpproxy[%d]: ", (int)getpid());
        break;
    }
    put_body(line, now, event, cut, LOG_TEXT_MAX - 1);
    (void)line_put(line, "\n", 1);
}
