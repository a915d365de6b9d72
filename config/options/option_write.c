#include "config/base/memory.h"
#include "config/model/config.h"
#include "config/options/attributes.h"
#include "config/options/options.h"
#include "config/syntax/value.h"

#include <stdlib.h>
#include <string.h>

static void write_unsigned(const struct option *option, unsigned value, FILE *out)
{
    if (value == 0 && option->zero)
        fputs(option->zero, out);
    else
        fprintf(out, "%u", value);
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

/* False: there is no such value. */
static bool write_custom_value(const struct option *option, const void *member, size_t item,
                               FILE *out)
{
    const char *key = option->custom->key ? option->custom->key(member, item) : NULL;
    if (key)
        fprintf(out, "%s ", key);
    return option->custom->write(member, item, out);
}

static void write_custom(const struct option *option, const void *member, FILE *out)
{
    if (!write_custom_value(option, member, 0, out) || !option->repeated)
        return;
    for (size_t item = 1;; item++) {
        struct memory_stream value;
        memory_stream_begin(&value);
        bool more = write_custom_value(option, member, item, value.stream);
        char *text = memory_stream_end(&value);
        if (more)
            fprintf(out, ", %s", text);
        free(text);
        if (!more)
            return;
    }
}

static void write_backend_name(const struct frontend_conf *frontend, FILE *out)
{
    if (frontend->backend)
        fputs(frontend->backend->name, out);
    else if (frontend->rejects)
        fputs(REJECT_WORD, out);
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
    case OPTION_TEXT:
        text = *(const char *const *)member;
        if (text)
            fputs(text, out);
        break;
    case OPTION_CPUS:
        write_cpus(member, out);
        break;
    case OPTION_CONGESTION:
        text = member;
        fputs(*text ? text : "system", out);
        break;
    case OPTION_BACKEND:
        write_backend_name(owner, out);
        break;
    case OPTION_FLAG:
    case OPTION_BIND:
    case OPTION_SERVER:
    case OPTION_INCLUDE:
        break;
    case OPTION_CUSTOM:
        write_custom(option, member, out);
        break;
    }
}

static void write_attribute(const struct option *option, const void *owner,
                            struct memory_stream *value, FILE *out)
{
    if (option->type == OPTION_FLAG) {
        if (*(const bool *)((const char *)owner + option->offset))
            fprintf(out, " %s", option->name);
        return;
    }
    option_write(option, owner, value->stream);
    const char *text = memory_stream_text(value);
    bool initial = option->initial && strcmp(text, option->initial) == 0;
    if (*text && (option->shown || !initial))
        fprintf(out, " %s=%s", option->name, text);
    memory_stream_again(value);
}

void attributes_write(enum option_owner which, const void *owner, FILE *out)
{
    struct memory_stream value;
    memory_stream_begin(&value);
    for (const struct option *option = attribute_table(which); option->name; option++)
        write_attribute(option, owner, &value, out);
    free(memory_stream_end(&value));
}
