#include "config/options/resolver_option.h"

#include "config/names/servers.h"

static const char *read_value(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    return resolver_read(value, member);
}

static bool write_value(const void *member, size_t item, FILE *out)
{
    if (item > 0)
        return false;
    resolver_write(member, out);
    return true;
}

const struct option_custom option_resolver = {
    .form = "system or ADDRESS[:PORT] ...", .read = read_value, .write = write_value};
