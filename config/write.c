#include "config/write.h"

#include "config/options/bind_file.h"
#include "config/syntax/value.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

/* the longest line that inih reads, without the NUL */
#define LINE_BYTES_MAX 199

static void write_unsigned(const struct option *option, unsigned value, FILE *out)
{
    if (value == 0 && option->zero)
        fputs(option->zero, out);
    else
        fprintf(out, "%u", value);
}

static void write_log(const struct config *config, FILE *out)
{
    static const char *const words[] = {
        [LOG_TO_STDERR] = "stderr", [LOG_TO_SYSLOG] = "syslog", [LOG_TO_JOURNAL] = "journal"};
    if (config->log_target == LOG_TO_FILE)
        fprintf(out, "file:%s", config->log_path);
    else
        fputs(words[config->log_target], out);
}

static void write_cpus(const struct cpus *cpus, FILE *out)
{
    if (cpus->count == 0)
        fputs("no", out);
    for (unsigned i = 0; i < cpus->count; i++) {
        unsigned first = cpus->list[i];
        unsigned last = first;
        while (i + 1 < cpus->count && cpus->list[i + 1] == last + 1)
            last = cpus->list[++i];
        fprintf(out, "%u", first);
        if (last > first)
            fprintf(out, "-%u", last);
        if (i + 1 < cpus->count)
            fputs(",", out);
    }
}

void option_write(const struct option *option, const void *owner, FILE *out)
{
    const void *member = (const char *)owner + option->offset;
    char duration[DURATION_TEXT_MAX];
    unsigned index;
    const char *text;
    switch (option->type) {
    case OPTION_BOOL:
        fputs(*(const bool *)member ? "yes" : "no", out);
        break;
    case OPTION_UNSIGNED:
        write_unsigned(option, *(const unsigned *)member, out);
        break;
    case OPTION_DURATION:
        fputs(duration_text(*(const millis *)member, duration), out);
        break;
    case OPTION_ENUM:
        memcpy(&index, member, sizeof index);
        fputs(option->names[index], out);
        break;
    case OPTION_NAME:
    case OPTION_PATH:
        text = *(const char *const *)member;
        if (text)
            fputs(text, out);
        break;
    case OPTION_LOG:
        write_log(owner, out);
        break;
    case OPTION_CPUS:
        write_cpus(member, out);
        break;
    case OPTION_CONGESTION:
        text = member;
        fputs(*text ? text : "system", out);
        break;
    case OPTION_BACKEND:
        fputs(((const struct frontend_conf *)owner)->backend->name, out);
        break;
    case OPTION_BIND:
    case OPTION_SERVER:
    case OPTION_INCLUDE:
        break;
    }
}

void bind_write(const struct bind_conf *bind, FILE *out)
{
    fputs(bind->text, out);
    if (address_is_unix(&bind->address) || bind_is_activated(bind)) {
        bind_file_write(bind, out);
        return; /* always ACCEPT_SHARED, which is not written */
    }
    fprintf(out, " accept=%s", bind->accept == ACCEPT_SHARED ? "shared" : "sharded");
    if (bind->accept == ACCEPT_SHARDED)
        fprintf(out, " steer=%s", bind->steer == STEER_CPU ? "cpu" : "hash");
}

void server_write(const struct server_conf *server, FILE *out)
{
    fprintf(out, "%s weight=%u", server->text, server->weight);
}

/* --- lines --------------------------------------------------------------------------------- */

static bool is_blank(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

/* Whether the parser would read exactly value from "key = value". */
static bool fits_line(const char *key, const char *value)
{
    size_t length = strlen(value);
    if (strlen(key) + strlen(" = ") + length > LINE_BYTES_MAX || is_blank(value[0]) ||
        is_blank(value[length - 1]) || strchr(value, '\n') || strstr(value, "${"))
        return false;
    for (size_t i = 0; i < length; i++)
        if ((value[i] == ';' || value[i] == '#') && (i == 0 || is_blank(value[i - 1])))
            return false;
    return true;
}

static void put_comment(FILE *out, const char *key, const char *value)
{
    fprintf(out, "; does not fit in a line: %s = ", key);
    for (; *value; value++)
        fputc(*value == '\n' ? '?' : *value, out);
    fputc('\n', out);
}

/* A line that is being written: its value goes to stream. */
struct line {
    FILE *stream;
    char *value;
    size_t length;
};

static bool line_begin(struct line *line)
{
    *line = (struct line){0};
    line->stream = open_memstream(&line->value, &line->length);
    return line->stream != NULL;
}

/* An empty value gives no line. Returns false if there is no memory. */
static bool line_end(struct line *line, const char *key, FILE *out)
{
    bool good = fclose(line->stream) == 0;
    if (good && line->length > 0) {
        if (fits_line(key, line->value))
            fprintf(out, "%s = %s\n", key, line->value);
        else
            put_comment(out, key, line->value);
    }
    free(line->value);
    return good;
}

/* --- sections ------------------------------------------------------------------------------ */

/* Writes the settings of a section of this kind, without its members. */
static bool write_options(enum section_kind kind, const void *owner, FILE *out)
{
    size_t count;
    const struct option *table = option_table(&count);
    struct line line;
    for (size_t i = 0; i < count; i++) {
        if (!(table[i].sections & IN(kind)) || table[i].repeated)
            continue;
        if (!line_begin(&line))
            return false;
        option_write(&table[i], owner, line.stream);
        if (!line_end(&line, table[i].name, out))
            return false;
    }
    return true;
}

static bool write_frontend(const struct frontend_conf *frontend, FILE *out)
{
    struct line line;
    fprintf(out, "\n[frontend %s]\n", frontend->name);
    for (size_t i = 0; i < frontend->bind_count; i++) {
        if (!line_begin(&line))
            return false;
        bind_write(&frontend->binds[i], line.stream);
        if (!line_end(&line, "bind", out))
            return false;
    }
    return write_options(SECTION_FRONTEND, frontend, out);
}

static bool write_backend(const struct backend_conf *backend, FILE *out)
{
    struct line line;
    fprintf(out, "\n[backend %s]\n", backend->name);
    for (size_t i = 0; i < backend->server_count; i++) {
        if (!line_begin(&line))
            return false;
        fprintf(line.stream, "%s ", backend->servers[i].name);
        server_write(&backend->servers[i], line.stream);
        if (!line_end(&line, "server", out))
            return false;
    }
    return write_options(SECTION_BACKEND, backend, out);
}

char *config_text(const struct config *config, size_t *length)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, length);
    if (!out)
        return NULL;
    fputs("[global]\n", out);
    bool good = write_options(SECTION_GLOBAL, config, out);
    for (size_t i = 0; good && i < config->frontend_count; i++)
        good = write_frontend(&config->frontends[i], out);
    for (size_t i = 0; good && i < config->backend_count; i++)
        good = write_backend(&config->backends[i], out);
    good = good && !ferror(out);
    if (fclose(out) == 0 && good)
        return text;
    free(text);
    return NULL;
}

uint64_t config_text_hash(const char *text, size_t length)
{
    return XXH3_64bits(text, length);
}
