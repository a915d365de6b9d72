#include "config/options/options.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/base/path.h"
#include "config/model/config.h"
#include "config/syntax/value.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {"global", "defaults", "frontend", "backend", "listen"};

static const struct {
    const struct option *rows;
    const size_t *count;
} tables[] = {{global_options, &global_option_count},
              {frontend_options, &frontend_option_count},
              {tls_options, &tls_option_count},
              {backend_options, &backend_option_count},
              {check_options, &check_option_count}};
#define TABLES (sizeof tables / sizeof tables[0])

size_t option_count(void)
{
    size_t count = 0;
    for (size_t i = 0; i < TABLES; i++)
        count += *tables[i].count;
    return count;
}

const struct option *option_at(size_t i)
{
    size_t table = 0;
    for (; i >= *tables[table].count; table++)
        i -= *tables[table].count;
    return &tables[table].rows[i];
}

const struct option *attribute_table(enum option_owner which)
{
    return which == OWNER_BIND ? bind_attributes : server_attributes;
}

const char *section_kind_name(enum section_kind kind)
{
    return kind_names[kind];
}

const struct option *option_find(enum section_kind kind, const char *name)
{
    for (size_t i = 0; i < TABLES; i++)
        for (const struct option *option = tables[i].rows; option->name; option++)
            if ((option->sections & IN(kind)) && strcmp(option->name, name) == 0)
                return option;
    return NULL;
}

static void list_names(const char *const *names, char text[static OPTION_TEXT_MAX])
{
    size_t length = 0;
    text[0] = '\0';
    for (size_t i = 0; names[i] && length < OPTION_TEXT_MAX; i++)
        length += (size_t)snprintf(text + length, OPTION_TEXT_MAX - length, "%s%s",
                                   i == 0         ? ""
                                   : names[i + 1] ? ", "
                                                  : " or ",
                                   names[i]);
}

const char *option_values(const struct option *option, char text[static OPTION_TEXT_MAX])
{
    char from[DURATION_TEXT_MAX];
    char to[DURATION_TEXT_MAX];
    const char *form = "";
    switch (option->type) {
    case OPTION_UNSIGNED:
        snprintf(text, OPTION_TEXT_MAX, "%s%s%" PRIu64 " to %" PRIu64,
                 option->zero ? option->zero : "", option->zero ? " or " : "", option->min,
                 option->max);
        return text;
    case OPTION_DURATION:
        snprintf(text, OPTION_TEXT_MAX, "%s to %s", duration_text(option->min, from),
                 duration_text(option->max, to));
        return text;
    case OPTION_ENUM:
        list_names(option->names, text);
        return text;
    case OPTION_BOOL:
        form = "yes or no";
        break;
    case OPTION_NAME:
        form = "NAME";
        break;
    case OPTION_BACKEND:
        form = "NAME or reject";
        break;
    case OPTION_PATH:
        form = "/PATH";
        break;
    case OPTION_CPUS:
        form = "no, yes or LIST";
        break;
    case OPTION_CONGESTION:
        form = "system or NAME";
        break;
    case OPTION_BIND:
        form = "ADDRESS [ATTRIBUTE ...]";
        break;
    case OPTION_SERVER:
        form = "NAME ADDRESS [ATTRIBUTE ...]";
        break;
    case OPTION_TEXT:
        form = "TEXT";
        break;
    case OPTION_FLAG:
        break;
    case OPTION_CUSTOM:
        form = option->custom->form;
        break;
    case OPTION_INCLUDE:
        form = "PATTERN";
        break;
    }
    snprintf(text, OPTION_TEXT_MAX, "%s", form);
    return text;
}

/* --- setting ------------------------------------------------------------------------------- */

static const char *must_be(const struct option *option)
{
    char values[OPTION_TEXT_MAX];
    return error_text("must be %s", option_values(option, values));
}

static void replace(char **member, const char *text)
{
    free(*member);
    *member = memory_copy(text);
}

static const char *check_path(const struct option *option, const char *path)
{
    const char *wrong = path_check(path);
    if (wrong)
        return wrong;
    if (strlen(path) > option->max)
        return error_text("must not be longer than %" PRIu64 " bytes", option->max);
    return NULL;
}

static const char *set_cpus(const char *value, struct cpus *cpus)
{
    if (strcmp(value, "no") == 0)
        cpus->count = 0;
    else if (strcmp(value, "yes") == 0)
        cpus_usable(cpus);
    else
        return cpus_parse(value, cpus);
    return NULL;
}

static const char *set_congestion(const char *value, char member[static CONGESTION_MAX])
{
    if (!is_name(value))
        return "may contain " NAME_RULE;
    if (strlen(value) >= CONGESTION_MAX)
        return "is too long for the name of a congestion control";
    snprintf(member, CONGESTION_MAX, "%s", strcmp(value, "system") == 0 ? "" : value);
    return NULL;
}

static const char *set_unsigned(const struct option *option, const char *value, unsigned *member)
{
    uint64_t number;
    if (option->zero && strcmp(value, option->zero) == 0) {
        *member = 0;
        return NULL;
    }
    if (value_unsigned(value, &number) || number < option->min || number > option->max)
        return must_be(option);
    *member = (unsigned)number;
    return NULL;
}

static const char *set_duration(const struct option *option, const char *value, millis *member)
{
    millis length;
    const char *wrong = value_duration(value, &length);
    if (wrong)
        return wrong;
    if (length < option->min || length > option->max)
        return must_be(option);
    *member = length;
    return NULL;
}

static const char *set_enum(const struct option *option, const char *value, void *member)
{
    for (unsigned i = 0; option->names[i]; i++) {
        if (strcmp(value, option->names[i]) != 0)
            continue;
        memcpy(member, &i, sizeof i);
        return NULL;
    }
    return must_be(option);
}

const char *option_set(const struct option *option, const char *value, void *owner,
                       const struct option_context *context)
{
    void *member = (char *)owner + option->offset;
    const char *wrong;
    switch (option->type) {
    case OPTION_BOOL:
        return value_bool(value, member);
    case OPTION_UNSIGNED:
        return set_unsigned(option, value, member);
    case OPTION_DURATION:
        return set_duration(option, value, member);
    case OPTION_ENUM:
        return set_enum(option, value, member);
    case OPTION_CPUS:
        return set_cpus(value, member);
    case OPTION_CONGESTION:
        return set_congestion(value, member);
    case OPTION_NAME:
        if (!is_name(value))
            return "may contain " NAME_RULE;
        replace(member, value);
        return NULL;
    case OPTION_PATH:
        wrong = check_path(option, value);
        if (!wrong)
            replace(member, value);
        return wrong;
    case OPTION_TEXT:
        replace(member, value);
        return NULL;
    case OPTION_FLAG:
        *(bool *)member = true;
        return NULL;
    case OPTION_CUSTOM:
        return option->custom->read(value, member, context);
    case OPTION_BACKEND:
    case OPTION_BIND:
    case OPTION_SERVER:
    case OPTION_INCLUDE:
        break;
    }
    abort(); /* the caller passed an option without a single value */
}

static void set_initial(const struct option *option, enum option_owner which, void *owner)
{
    const struct option_context nowhere = {0};
    if (option->owner == which && option->initial &&
        option_set(option, option->initial, owner, &nowhere))
        abort(); /* the table has a default that is not valid */
}

/* Calls visit() for each row that sets a member of such an owner. */
static void for_each(enum option_owner which, void *owner,
                     void (*visit)(const struct option *option, enum option_owner which,
                                   void *owner))
{
    if (which == OWNER_BIND || which == OWNER_SERVER) {
        for (const struct option *option = attribute_table(which); option->name; option++)
            visit(option, which, owner);
        return;
    }
    for (size_t i = 0; i < TABLES; i++)
        for (const struct option *option = tables[i].rows; option->name; option++)
            if (option_is_of(option, which))
                visit(option, which, owner);
}

void options_set_initial(enum option_owner which, void *owner)
{
    for_each(which, owner, set_initial);
}

void option_release(const struct option *option, void *owner)
{
    void *member = (char *)owner + option->offset;
    switch (option->type) {
    case OPTION_NAME:
    case OPTION_PATH:
    case OPTION_TEXT:
        free(*(char **)member);
        *(char **)member = NULL;
        break;
    case OPTION_CUSTOM:
        if (option->custom->release)
            option->custom->release(member);
        break;
    case OPTION_BOOL:
    case OPTION_UNSIGNED:
    case OPTION_DURATION:
    case OPTION_ENUM:
    case OPTION_CPUS:
    case OPTION_CONGESTION:
    case OPTION_FLAG:
    case OPTION_BACKEND:
    case OPTION_BIND:
    case OPTION_SERVER:
    case OPTION_INCLUDE:
        break;
    }
}

static void release(const struct option *option, enum option_owner which, void *owner)
{
    (void)which;
    option_release(option, owner);
}

void options_release(enum option_owner which, void *owner)
{
    for_each(which, owner, release);
}

/* --- help ---------------------------------------------------------------------------------- */

static void print(const struct option *option, FILE *stream, const char *indent)
{
    char values[OPTION_TEXT_MAX];
    fprintf(stream, "%s%s", indent, option->name);
    if (option->type != OPTION_FLAG)
        fprintf(stream, "%s%s",
                option->owner == OWNER_BIND || option->owner == OWNER_SERVER ? "=" : " = ",
                option_values(option, values));
    if (option->initial)
        fprintf(stream, " (default: %s)", option->initial);
    if (option->repeated)
        fputs(" (may be repeated)", stream);
    fprintf(stream, "\n%s    %s\n", indent, option->help);
}

static void print_attributes(enum option_owner which, FILE *stream)
{
    for (const struct option *option = attribute_table(which); option->name; option++)
        print(option, stream, "        ");
}

void options_print(FILE *stream)
{
    for (unsigned kind = 0; kind < SECTION_KINDS; kind++) {
        fprintf(stream, "%s[%s%s]\n", kind ? "\n" : "", kind_names[kind],
                kind == SECTION_GLOBAL || kind == SECTION_DEFAULTS ? "" : " NAME");
        if (kind == SECTION_DEFAULTS)
            fputs("  For every frontend and backend, also for those above this section.\n", stream);
        if (kind == SECTION_LISTEN)
            fputs("  A frontend and a backend with the same name.\n", stream);
        for (size_t i = 0; i < option_count(); i++) {
            const struct option *option = option_at(i);
            if (!(option->sections & IN(kind)))
                continue;
            print(option, stream, "  ");
            if (option->type == OPTION_BIND && kind == SECTION_FRONTEND)
                print_attributes(OWNER_BIND, stream);
            if (option->type == OPTION_SERVER && kind == SECTION_BACKEND)
                print_attributes(OWNER_SERVER, stream);
        }
    }
}
