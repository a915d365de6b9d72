#include "config/import/ini.h"

#include <stdarg.h>
#include <string.h>

/* Column of the origins, where a line is short enough. */
#define ORIGIN_COLUMN 44

/* Lines of the comment at the top, and an empty one. */
#define TITLE_LINES 6u

struct ini_section *ini_section(struct ini *ini, enum section_kind kind, const char *name,
                                struct origin origin)
{
    struct ini_section *section = arena_new(ini->arena, 1, sizeof *section);
    *section =
        (struct ini_section){.kind = kind, .name = arena_copy(ini->arena, name), .origin = origin};
    ini->sections =
        arena_grow(ini->arena, ini->sections, ini->count, &ini->capacity, sizeof *ini->sections);
    ini->sections[ini->count++] = section;
    return section;
}

struct ini_section *ini_only(struct ini *ini, enum section_kind kind)
{
    for (size_t i = 0; i < ini->count; i++)
        if (ini->sections[i]->kind == kind)
            return ini->sections[i];
    struct ini_section *section = ini_section(ini, kind, "", (struct origin){0});
    /* Before all others, [global] first. */
    size_t place =
        kind == SECTION_DEFAULTS && ini->count > 1 && ini->sections[0]->kind == SECTION_GLOBAL ? 1
                                                                                               : 0;
    memmove(ini->sections + place + 1, ini->sections + place,
            (ini->count - 1 - place) * sizeof *ini->sections);
    ini->sections[place] = section;
    return section;
}

__attribute__((format(printf, 5, 0))) static struct ini_line *
add(struct ini *ini, struct ini_section *section, struct origin origin, const char *key,
    const char *format, va_list arguments)
{
    char *value = NULL;
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    value = arena_new(ini->arena, 1, (length < 0 ? 0 : (size_t)length) + 1);
    if (length > 0)
        (void)vsnprintf(value, (size_t)length + 1, format, again);
    va_end(again);
    section->lines = arena_grow(ini->arena, section->lines, section->count, &section->capacity,
                                sizeof *section->lines);
    struct ini_line *line = &section->lines[section->count++];
    *line = (struct ini_line){.key = key, .value = value, .origin = origin};
    return line;
}

void ini_set(struct ini *ini, struct ini_section *section, struct origin origin, const char *key,
             const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)add(ini, section, origin, key, format, arguments);
    va_end(arguments);
}

void ini_set_why(struct ini *ini, struct ini_section *section, struct origin origin,
                 const char *why, const char *key, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    add(ini, section, origin, key, format, arguments)->why = why;
    va_end(arguments);
}

void ini_comment(struct ini *ini, struct ini_section *section, struct origin origin,
                 const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    (void)add(ini, section, origin, NULL, format, arguments);
    va_end(arguments);
}

bool ini_has(const struct ini_section *section, const char *key)
{
    for (size_t i = 0; i < section->count; i++)
        if (section->lines[i].key && !section->lines[i].off &&
            strcmp(section->lines[i].key, key) == 0)
            return true;
    return false;
}

bool ini_serves(const struct ini *ini)
{
    for (size_t i = 0; i < ini->count; i++)
        if (!ini->sections[i]->off && (ini->sections[i]->kind == SECTION_FRONTEND ||
                                       ini->sections[i]->kind == SECTION_LISTEN))
            return true;
    return false;
}

/* --- what all sections say alike ----------------------------------------------------------- */

static bool same(const char *a, const char *b)
{
    return a == b || (a && b && strcmp(a, b) == 0);
}

static struct ini_line *find(const struct ini_section *section, const char *key)
{
    for (size_t i = 0; i < section->count; i++)
        if (same(section->lines[i].key, key) && !section->lines[i].off)
            return &section->lines[i];
    return NULL;
}

/* True: all sections that may contain the option say the same, and there are several. Sections in
 * which the key is another option than in [defaults] do not count. */
static bool all_say(const struct ini *ini, const struct option *option, const struct ini_line *like)
{
    size_t count = 0;
    for (size_t i = 0; i < ini->count; i++) {
        const struct ini_section *section = ini->sections[i];
        if (section->kind <= SECTION_DEFAULTS || section->off ||
            option_find(section->kind, option->name) != option)
            continue;
        const struct ini_line *line = find(section, option->name);
        if (!line || !same(line->value, like->value) ||
            !same(line->origin.file, like->origin.file) || line->origin.line != like->origin.line)
            return false;
        count++;
    }
    return count > 1;
}

static void move(struct ini *ini, const struct option *option, struct ini_line line)
{
    struct ini_section *defaults = ini_only(ini, SECTION_DEFAULTS);
    if (find(defaults, option->name))
        return;
    for (size_t i = 0; i < ini->count; i++) {
        struct ini_section *section = ini->sections[i];
        if (section->kind <= SECTION_DEFAULTS || option_find(section->kind, option->name) != option)
            continue;
        struct ini_line *gone = find(section, option->name);
        if (!gone)
            continue;
        size_t at = (size_t)(gone - section->lines);
        memmove(gone, gone + 1, (--section->count - at) * sizeof *gone);
    }
    ini_set_why(ini, defaults, line.origin, line.why, line.key, "%s", line.value);
}

void ini_hoist(struct ini *ini)
{
    for (size_t i = 0; i < option_count(); i++) {
        const struct option *option = option_at(i);
        if (!(option->sections & IN(SECTION_DEFAULTS)) || option->repeated)
            continue;
        for (size_t j = 0; j < ini->count; j++) {
            const struct ini_section *section = ini->sections[j];
            const struct ini_line *line = section->kind > SECTION_DEFAULTS && !section->off &&
                                                  option_find(section->kind, option->name) == option
                                              ? find(section, option->name)
                                              : NULL;
            if (line && all_say(ini, option, line)) {
                move(ini, option, *line);
                break;
            }
        }
    }
}

/* --- the text ------------------------------------------------------------------------------ */

/* Without what would end the line. */
static void put(const char *text, FILE *out)
{
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' && *text != '\t' ? ' ' : *text, out);
}

static void put_origin(struct origin origin, const char *why, size_t width, FILE *out)
{
    if (!origin.file && !why)
        return;
    fprintf(out, "%*s; ", width < ORIGIN_COLUMN ? (int)(ORIGIN_COLUMN - width) : 1, "");
    if (origin.file)
        put(origin.file, out);
    if (origin.file && origin.line)
        fprintf(out, ":%u", origin.line);
    if (why) {
        fputs(origin.file ? ": " : "", out);
        put(why, out);
    }
}

static void write_line(const struct ini_line *line, bool off, FILE *out)
{
    if (!line->key) {
        fputs("; ", out);
        if (line->origin.file) {
            put(line->origin.file, out);
            if (line->origin.line)
                fprintf(out, ":%u", line->origin.line);
            fputs(": ", out);
        }
        put(line->value, out);
    } else {
        off |= line->off;
        fprintf(out, "%s%s = ", off ? "; " : "", line->key);
        put(line->value, out);
        put_origin(line->origin, line->why,
                   (off ? 2 : 0) + strlen(line->key) + 3 + strlen(line->value), out);
    }
    fputc('\n', out);
}

/* A section that says nothing needs no head. */
static bool is_empty(const struct ini_section *section)
{
    return section->kind <= SECTION_DEFAULTS && section->count == 0;
}

static void write_section(struct ini_section *section, FILE *out)
{
    int width = fprintf(out, "%s[%s%s%s]", section->off ? "; " : "",
                        section_kind_name(section->kind), *section->name ? " " : "", section->name);
    put_origin(section->origin, NULL, (size_t)width, out);
    fputc('\n', out);
    for (size_t i = 0; i < section->count; i++)
        write_line(&section->lines[i], section->off, out);
    fputc('\n', out);
}

void ini_write(struct ini *ini, const char *title, FILE *out)
{
    unsigned line = 1 + TITLE_LINES;
    fputs("; ", out);
    put(title, out);
    fputs("\n; Each line ends with the line from which it came. A line without one is there because"
          "\n; the other product's default is not that of rpproxy. What begins with ';' is not in"
          "\n; use. proxy.ini(5) describes the options; \"rpproxy check -f FILE\" looks for "
          "mistakes.\n;\n\n",
          out);
    for (size_t i = 0; i < ini->count; i++) {
        ini->sections[i]->at = line;
        if (is_empty(ini->sections[i]))
            continue;
        line += 2 + (unsigned)ini->sections[i]->count;
        write_section(ini->sections[i], out);
    }
}

struct ini_section *ini_find(const struct ini *ini, unsigned line, struct ini_line **item)
{
    for (size_t i = 0; i < ini->count; i++) {
        struct ini_section *section = ini->sections[i];
        if (is_empty(section) || line < section->at || line > section->at + section->count)
            continue;
        *item = line == section->at ? NULL : &section->lines[line - section->at - 1];
        return section;
    }
    return NULL;
}
