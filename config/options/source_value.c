#include "config/options/source_value.h"

#include "config/base/address.h"

#include <arpa/inet.h>
#include <string.h>

static const char *read_source(const char *value, void *member,
                               const struct option_context *context)
{
    struct address source = {0};
    (void)context;
    if (inet_pton(AF_INET, value, &source.in.sin_addr) == 1) {
        source.in.sin_family = AF_INET;
        source.length = sizeof source.in;
    } else if (inet_pton(AF_INET6, value, &source.in6.sin6_addr) == 1) {
        source.in6.sin6_family = AF_INET6;
        source.length = sizeof source.in6;
    } else {
        return "must be an IPv4 or IPv6 address, without a port";
    }
    memcpy(member, &source, sizeof source);
    return NULL;
}

static bool write_source(const void *member, size_t item, FILE *out)
{
    const struct address *source = member;
    char text[INET6_ADDRSTRLEN];
    (void)item;
    if (source->length == 0)
        return false;
    const void *bytes = source->any.sa_family == AF_INET ? (const void *)&source->in.sin_addr
                                                         : (const void *)&source->in6.sin6_addr;
    fputs(inet_ntop(source->any.sa_family, bytes, text, sizeof text), out);
    return true;
}

static void release_source(void *member)
{
    memset(member, 0, sizeof(struct address));
}

const struct option_custom source_value = {
    .form = "ADDRESS", .read = read_source, .write = write_source, .release = release_source};
