#include "reload/base/state_lines.h"

#include "config/syntax/value.h"
#include "proxy/backend/server.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define HEAD    "; rpproxy state "
#define VERSION 1u

const char *state_lines_head(const char *bytes, size_t length, unsigned *version)
{
    const size_t head = sizeof HEAD - 1;
    size_t blanks = 0;
    while (blanks < length && strchr(" \t\r\n", bytes[blanks]) && bytes[blanks])
        blanks++;
    *version = VERSION;
    if (blanks == length)
        return NULL;
    char number[16] = "";
    const char *end = memchr(bytes, '\n', length);
    if (length < head || memcmp(bytes, HEAD, head) != 0 || !end)
        return "is not a state file of rpproxy";
    size_t digits = (size_t)(end - bytes) - head;
    uint64_t value = 0;
    if (digits < sizeof number)
        memcpy(number, bytes + head, digits);
    if (value_unsigned(number, &value) || value == 0 || value > UINT32_MAX)
        return "is not a state file of rpproxy";
    *version = (unsigned)value;
    return NULL;
}

static bool read_hash(const char *text, struct state_line *line)
{
    line->has_hash = strlen(text) == 16 && strspn(text, "0123456789abcdef") == 16;
    line->hash = line->has_hash ? strtoull(text, NULL, 16) : 0;
    return line->has_hash;
}

static bool read_admin(const char *text, int *admin)
{
    for (*admin = ADMIN_READY; *admin <= ADMIN_MAINT; ++*admin)
        if (strcmp(text, server_admin_name((enum admin_state) * admin)) == 0)
            return true;
    *admin = -1;
    return false;
}

static const char unknown_word[] = "a word is not known to this version, and is passed over";

/* "name=value". Returns NULL, or what is wrong. */
static const char *read_attribute(const char *word, struct state_line *line)
{
    uint64_t number = 0;
    const char *value = strchr(word, '=');
    size_t length = value ? (size_t)(value++ - word) : 0;
    bool is_server = line->server != NULL;
    if (is_server && length == 5 && strncmp(word, "admin", 5) == 0)
        return read_admin(value, &line->admin)
                   ? NULL
                   : "admin must be ready, drain or maint; the line is left out";
    if (is_server && length == 6 && strncmp(word, "weight", 6) == 0) {
        if (value_unsigned(value, &number) || number > SERVER_WEIGHT_MAX)
            return "the weight is no such number; the line is left out";
        line->weight = (int)number;
        return NULL;
    }
    if (is_server && length == 7 && strncmp(word, "maxconn", 7) == 0) {
        if (value_unsigned(value, &number) || number > SESSIONS_MAX)
            return "maxconn is no such number; the line is left out";
        line->maxconn = (int64_t)number;
        return NULL;
    }
    if (is_server && length == 4 && strncmp(word, "line", 4) == 0)
        return read_hash(value, line) ? NULL
                                      : "line must be 16 hexadecimal digits; the line is left out";
    if (!is_server && length == 6 && strncmp(word, "paused", 6) == 0) {
        if (value_unsigned(value, &number) || number == 0 || number > INT64_MAX)
            return "paused is not a time; the line is left out";
        line->paused_at = number;
        return NULL;
    }
    return unknown_word;
}

/* The subject of the line. Returns NULL, or what is wrong. */
static const char *read_subject(const char *kind, char *name, struct state_line *line)
{
    char *slash = name ? strchr(name, '/') : NULL;
    bool is_frontend = strcmp(kind, "frontend") == 0;
    if (!is_frontend && strcmp(kind, "server") != 0)
        return "it begins with a word that is not known to this version; the line is left out";
    if (is_frontend) {
        line->name = name;
        return name && is_name(name) ? NULL : "it must be 'frontend NAME'; the line is left out";
    }
    if (slash) {
        *slash = '\0';
        line->name = name;
        line->server = slash + 1;
    }
    return slash && is_name(name) && is_name(slash + 1)
               ? NULL
               : "it must be 'server BACKEND/SERVER'; the line is left out";
}

static void read_line(char *text, unsigned number, const struct state_reader *reader)
{
    static const char blanks[] = " \t\r";
    struct state_line line = {.number = number, .admin = -1, .weight = -1, .maxconn = -1};
    char *save, *kind = strtok_r(text, blanks, &save);
    if (!kind || *kind == ';' || *kind == '#')
        return;
    const char *wrong = read_subject(kind, strtok_r(NULL, blanks, &save), &line);
    if (wrong) {
        reader->on_wrong(number, wrong, reader->arg);
        return;
    }
    for (char *word; (word = strtok_r(NULL, blanks, &save));) {
        wrong = read_attribute(word, &line);
        if (wrong)
            reader->on_wrong(number, wrong, reader->arg);
        if (wrong && wrong != unknown_word)
            return;
    }
    reader->on_line(&line, reader->arg);
}

void state_lines_read(char *text, size_t length, const struct state_reader *reader)
{
    unsigned number = 1;
    for (char *end, *at = text; (size_t)(at - text) < length; at = end + 1, number++) {
        size_t left = length - (size_t)(at - text);
        end = memchr(at, '\n', left);
        if (!end) {
            reader->on_wrong(number, "the line is cut short, and left out", reader->arg);
            return;
        }
        *end = '\0';
        if (strlen(at) == (size_t)(end - at))
            read_line(at, number, reader);
        else
            reader->on_wrong(number, "the line has a NUL, and is left out", reader->arg);
    }
}

void state_lines_write_head(FILE *out)
{
    fprintf(out, HEAD "%u\n", VERSION);
}

void state_lines_write(const struct state_line *line, FILE *out)
{
    if (!line->server) {
        fprintf(out, "frontend %s paused=%" PRIu64 "\n", line->name, line->paused_at);
        return;
    }
    fprintf(out, "server %s/%s", line->name, line->server);
    if (line->admin >= 0)
        fprintf(out, " admin=%s", server_admin_name((enum admin_state)line->admin));
    if (line->weight >= 0)
        fprintf(out, " weight=%d", line->weight);
    if (line->maxconn >= 0)
        fprintf(out, " maxconn=%" PRId64, line->maxconn);
    if (line->has_hash)
        fprintf(out, " line=%016" PRIx64, line->hash);
    fputc('\n', out);
}
