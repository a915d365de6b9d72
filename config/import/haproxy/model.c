#include "config/import/haproxy/model.h"

#include "config/import/haproxy/keywords.h"
#include "config/import/haproxy/times.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

bool hap_is_http(const struct hap_section *section)
{
    const struct hap_value *mode = &section->values[HAP_MODE];
    return mode->set && mode->line->count > 1 && strcmp(mode->line->words[1], "tcp") != 0;
}

struct hap_section *hap_find_back(const struct hap_model *model, const char *name)
{
    for (size_t i = 0; i < model->count; i++)
        if (hap_has_back(model->sections[i]) && strcmp(model->sections[i]->name, name) == 0)
            return model->sections[i];
    return NULL;
}

struct making {
    struct import *import;
    struct hap_model *model;
    struct hap_section *section; /* NULL: lines are passed over */
    bool begun;                  /* a section has begun, known or not */
    struct hap_section **defaults;
    size_t defaults_count, defaults_capacity;
};

static void find_later(struct making *making, enum finding_kind kind, struct origin origin,
                       const char *text)
{
    struct hap_section *section = making->section;
    section->findings =
        arena_grow(&making->import->arena, section->findings, section->finding_count,
                   &section->finding_capacity, sizeof *section->findings);
    section->findings[section->finding_count++] = (struct hap_finding){kind, origin, text};
}

static void remark(struct making *making, struct origin origin, const char *text)
{
    struct hap_section *section = making->section;
    section->remarks = arena_grow(&making->import->arena, section->remarks, section->remark_count,
                                  &section->remark_capacity, sizeof *section->remarks);
    section->remarks[section->remark_count++] = (struct hap_remark){origin, text};
}

static const char *line_text(struct import *import, const struct hap_line *line)
{
    const char *text = line->words[0];
    for (size_t i = 1; i < line->count && strlen(text) < 100; i++)
        text = arena_print(&import->arena, "%s %s", text, line->words[i]);
    return strlen(text) > 120 ? arena_print(&import->arena, "%.117s...", text) : text;
}

static void set_value(struct making *making, const struct hap_keyword *keyword,
                      const struct hap_line *line, uint64_t number)
{
    struct hap_line *copy = arena_new(&making->import->arena, 1, sizeof *copy);
    *copy = *line;
    /* words[0] is the last word of the keyword: of "timeout client" it is "client". */
    copy->words += keyword->count - 1;
    copy->count -= keyword->count - 1;
    making->section->values[keyword->slot] =
        (struct hap_value){.set = true, .origin = line->origin, .number = number, .line = copy};
}

static void read_value(struct making *making, const struct hap_keyword *keyword,
                       const struct hap_line *line)
{
    struct arena *arena = &making->import->arena;
    const char *word = line->count > keyword->count ? line->words[keyword->count] : "";
    char *end = NULL;
    uint64_t number = 0;
    bool good = keyword->action == HAP_TIME ? hap_time(word, &number)
                                            : isdigit((unsigned char)*word) && strlen(word) < 16;
    if (good && keyword->action == HAP_NUMBER) {
        number = strtoull(word, &end, 10);
        good = *end == '\0';
    }
    if (good)
        set_value(making, keyword, line, number);
    else
        find_later(making, FINDING_LOST, line->origin,
                   arena_print(arena, "%s: '%.60s' is not understood", keyword->words, word));
}

/* "no" has been taken away from the line. */
static void apply(struct making *making, const struct hap_keyword *keyword,
                  const struct hap_line *line, bool negated)
{
    struct arena *arena = &making->import->arena;
    const char *text = line_text(making->import, line);
    switch (keyword->action) {
    case HAP_TIME:
    case HAP_NUMBER:
        read_value(making, keyword, line);
        return;
    case HAP_FLAG:
    case HAP_WORDS:
        set_value(making, keyword, line, !negated);
        return;
    case HAP_LIST:
        if (keyword->slot == HAP_LOGS && negated)
            making->section->lists[HAP_LOGS].count = 0;
        else
            hap_line_add(making->import, &making->section->lists[keyword->slot], *line);
        return;
    case HAP_NOTHING:
        if (!negated)
            remark(making, line->origin, arena_print(arena, "%s: %s", text, keyword->text));
        return;
    case HAP_NOTED:
        if (!negated)
            find_later(making, FINDING_NOTE, line->origin,
                       arena_print(arena, "%s: %s", text, keyword->text));
        return;
    case HAP_MISSING:
        if (!negated)
            find_later(making, FINDING_LOST, line->origin,
                       arena_print(arena, "%s: %s", text, keyword->text));
        return;
    }
}

static void take_setting(struct making *making, const struct hap_line *line)
{
    struct hap_keyword keyword;
    struct hap_line rest = *line;
    bool negated = line->count > 1 &&
                   (strcmp(line->words[0], "no") == 0 || strcmp(line->words[0], "default") == 0);
    if (negated) {
        rest.words++;
        rest.count--;
    }
    if (hap_keyword_find(making->section->kind, rest.words, &keyword))
        apply(making, &keyword, &rest, negated);
    else
        find_later(
            making, FINDING_LOST, line->origin,
            arena_print(&making->import->arena, "%s: not known", line_text(making->import, line)));
}

/* --- sections ------------------------------------------------------------------------------ */

static struct hap_section *find_defaults(const struct making *making, const char *name)
{
    for (size_t i = making->defaults_count; i > 0; i--)
        if (strcmp(making->defaults[i - 1]->name, name) == 0)
            return making->defaults[i - 1];
    return NULL;
}

/* A list that two sections have until one of them adds to it. */
static void inherit(struct making *making, struct hap_section *section,
                    const struct hap_section *defaults)
{
    memcpy(section->values, defaults->values, sizeof section->values);
    for (size_t i = 0; i < HAP_LISTS; i++)
        for (size_t j = 0; j < defaults->lists[i].count; j++)
            hap_line_add(making->import, &section->lists[i], defaults->lists[i].items[j]);
    struct hap_section *before = making->section;
    making->section = section;
    for (size_t i = 0; i < defaults->finding_count; i++)
        find_later(making, defaults->findings[i].kind, defaults->findings[i].origin,
                   defaults->findings[i].text);
    making->section = before;
}

static void begin_proxy(struct making *making, const struct hap_line *line, enum hap_kind kind)
{
    struct arena *arena = &making->import->arena;
    struct hap_section *section = arena_new(arena, 1, sizeof *section);
    const struct hap_section *defaults = NULL;
    *section = (struct hap_section){.kind = kind, .origin = line->origin};
    section->name = line->count > 1 && strcmp(line->words[1], "from") != 0 ? line->words[1] : "";
    size_t i = *section->name ? 2 : 1;
    /* "listen NAME ADDRESS:PORT", as long ago. */
    if (kind != HAP_DEFAULTS && line->count > 2 && strcmp(line->words[2], "from") != 0) {
        char **words = arena_new(arena, 3, sizeof *words);
        words[0] = arena_copy(arena, "bind");
        words[1] = line->words[2];
        hap_line_add(making->import, &section->lists[HAP_BINDS],
                     (struct hap_line){line->origin, words, 2});
        i++;
    }
    if (i + 1 < line->count && strcmp(line->words[i], "from") == 0) {
        defaults = find_defaults(making, line->words[i + 1]);
        if (!defaults)
            not_imported(making->import, line->origin, "there is no 'defaults %s'",
                         line->words[i + 1]);
    } else if (kind != HAP_DEFAULTS && making->defaults_count > 0) {
        defaults = making->defaults[making->defaults_count - 1];
    }
    if (defaults)
        inherit(making, section, defaults);
    if (kind == HAP_DEFAULTS) {
        making->defaults = arena_grow(arena, making->defaults, making->defaults_count,
                                      &making->defaults_capacity, sizeof *making->defaults);
        making->defaults[making->defaults_count++] = section;
        making->model->defaults = making->defaults;
        making->model->defaults_count = making->defaults_count;
    } else {
        making->model->sections =
            arena_grow(arena, making->model->sections, making->model->count,
                       &making->model->capacity, sizeof *making->model->sections);
        making->model->sections[making->model->count++] = section;
    }
    making->section = section;
}

static void begin_other(struct making *making, const struct hap_line *line,
                        const struct hap_other *other)
{
    making->section = NULL;
    const char *name = line->count > 1 ? line->words[1] : "";
    if (other->action == HAP_MISSING) {
        not_imported(making->import, line->origin, "section %s%s%s: %s", other->name,
                     *name ? " " : "", name, other->text);
        return;
    }
    making->section = &making->model->global;
    remark(making, line->origin,
           arena_print(&making->import->arena, "section %s%s%s: %s", other->name, *name ? " " : "",
                       name, other->text));
    making->section = NULL;
}

/* True: the line begins a section. */
static bool begin(struct making *making, const struct hap_line *line)
{
    static const struct {
        const char *name;
        enum hap_kind kind;
    } kinds[] = {{"defaults", HAP_DEFAULTS},
                 {"frontend", HAP_FRONTEND},
                 {"backend", HAP_BACKEND},
                 {"listen", HAP_LISTEN},
                 {"resolvers", HAP_RESOLVERS}};
    if (strcmp(line->words[0], "global") == 0) {
        making->section = &making->model->global;
        if (!making->section->origin.file)
            making->section->origin = line->origin;
        return true;
    }
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(line->words[0], kinds[i].name) == 0) {
            begin_proxy(making, line, kinds[i].kind);
            return true;
        }
    const struct hap_other *other = hap_other_section(line->words[0]);
    /* "log-profile" and others are keywords as well. */
    struct hap_keyword keyword;
    if (!other || (making->section && making->section->kind != HAP_GLOBAL &&
                   hap_keyword_find(making->section->kind, line->words, &keyword)))
        return false;
    begin_other(making, line, other);
    return true;
}

void hap_model_make(struct import *import, const struct hap_lines *lines, struct hap_model *model)
{
    *model = (struct hap_model){.global = {.kind = HAP_GLOBAL, .name = ""}};
    struct making making = {.import = import, .model = model};
    for (size_t i = 0; i < lines->count; i++) {
        const struct hap_line *line = &lines->items[i];
        if (begin(&making, line)) {
            making.begun = true;
        } else if (making.section && making.section->kind == HAP_RESOLVERS) {
            hap_line_add(import, &making.section->lines, *line);
        } else if (making.section) {
            take_setting(&making, line);
        } else if (!making.begun) {
            not_imported(import, line->origin, "'%.60s' stands in no section that is known",
                         line->words[0]);
            making.begun = true;
        }
    }
}
