#include "config/options/source_value.h"

#include "config/base/source.h"

static const char *read_source(const char *value, void *member,
                               const struct option_context *context)
{
    (void)context;
    return source_parse(value, member);
}

static bool write_source(const void *member, size_t item, FILE *out)
{
    char text[SOURCE_TEXT_MAX];
    (void)item;
    fputs(source_format(member, text), out);
    return text[0] != '\0';
}

static void release_source(void *member)
{
    *(struct source_choice *)member = (struct source_choice){.kind = SOURCE_ANY};
}

const struct option_custom source_value = {.form = "ADDRESS, ADDRESS-ADDRESS or client",
                                           .read = read_source,
                                           .write = write_source,
                                           .release = release_source};
