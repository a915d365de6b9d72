#include "reload/cli/settle.h"

#include "config/base/memory.h"
#include "config/load.h"

#include <stdlib.h>
#include <string.h>

/* The name of the text in messages of its parser. */
#define DRAFT "draft"

/* Without such a line clients would come in that the other product refuses. */
static bool guards(const char *key)
{
    return strcmp(key, "client-ca") == 0 || strcmp(key, "client-crl") == 0;
}

/* Leaves the section out, or, where the line is one of [defaults], all that accept clients. */
static void close_section(struct import *import, struct ini_section *section, struct ini_line *line)
{
    line->off = true;
    section->off = section->kind != SECTION_DEFAULTS;
    for (size_t i = 0; i < import->ini.count && !section->off; i++) {
        struct ini_section *other = import->ini.sections[i];
        other->off |= other->kind == SECTION_FRONTEND || other->kind == SECTION_LISTEN;
    }
}

/* The parser has refused the line, or the head of the section. */
static void turn_off(struct import *import, struct ini_section *section, struct ini_line *line,
                     const char *message)
{
    if (!line) {
        section->off = true;
        not_imported(import, section->origin, "[%s %s]: %s", section_kind_name(section->kind),
                     section->name, message);
        return;
    }
    not_imported(import, line->origin, "%s = %s: %s", line->key, line->value, message);
    if (guards(line->key))
        close_section(import, section, line);
    else if (strcmp(line->key, "backend") == 0 && strcmp(line->value, "reject") != 0)
        line->value = "reject";
    else
        line->off = true;
}

/* Returns how many lines were turned off for the errors. */
static size_t mend(struct import *import, const struct config_errors *errors)
{
    size_t count = 0;
    for (size_t i = 0; i < errors->count; i++) {
        struct ini_line *line = NULL;
        char *end;
        const char *text = errors->lines[i];
        if (strncmp(text, DRAFT ":", sizeof DRAFT) != 0)
            continue;
        unsigned long number = strtoul(text + sizeof DRAFT, &end, 10);
        struct ini_section *section =
            *end == ':' ? ini_find(&import->ini, (unsigned)number, &line) : NULL;
        if (!section || section->off || (line && (!line->key || line->off)))
            continue;
        turn_off(import, section, line, end + strspn(end, ": "));
        count++;
    }
    return count;
}

char *import_settle(struct import *import, const char *title, char **wrong)
{
    struct config_errors errors = {0};
    *wrong = NULL;
    for (;;) {
        struct memory_stream stream;
        memory_stream_begin(&stream);
        ini_write(&import->ini, title, stream.stream);
        char *text = memory_stream_end(&stream);
        if (!ini_serves(&import->ini))
            return text;
        struct config *config = config_load_draft(DRAFT, text, stream.length, &errors);
        bool good = config != NULL;
        config_free(config);
        if (!good && mend(import, &errors) == 0)
            *wrong = memory_copy(errors.count > 0 ? errors.lines[0] : "no memory");
        config_errors_free(&errors);
        import_sort(import);
        if (good)
            return text;
        free(text);
        if (*wrong)
            return NULL;
    }
}
