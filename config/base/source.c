#include "config/base/source.h"

#include <arpa/inet.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

static bool parse_address(const char *text, size_t length, struct address *address)
{
    char copy[INET6_ADDRSTRLEN];
    if (length >= sizeof copy)
        return false;
    memcpy(copy, text, length);
    copy[length] = '\0';
    *address = (struct address){.length = 0};
    if (inet_pton(AF_INET, copy, &address->in.sin_addr) == 1) {
        address->in.sin_family = AF_INET;
        address->length = sizeof address->in;
    } else if (inet_pton(AF_INET6, copy, &address->in6.sin6_addr) == 1) {
        address->in6.sin6_family = AF_INET6;
        address->length = sizeof address->in6;
    }
    return address->length > 0;
}

/* The low 64 bits of the address; *high: the others. */
static uint64_t number_of(const struct address *address, uint64_t *high)
{
    *high = 0;
    if (address->any.sa_family == AF_INET)
        return ntohl(address->in.sin_addr.s_addr);
    uint64_t halves[2] = {0};
    for (unsigned i = 0; i < 16; i++)
        halves[i / 8] = halves[i / 8] << 8 | address->in6.sin6_addr.s6_addr[i];
    *high = halves[0];
    return halves[1];
}

static const char *parse_range(const struct address *last, struct source_choice *source)
{
    uint64_t high[2];
    if (last->any.sa_family != source->first.any.sa_family)
        return "must have two addresses of IPv4, or two of IPv6";
    uint64_t from = number_of(&source->first, &high[0]), to = number_of(last, &high[1]);
    if (high[0] > high[1] || (high[0] == high[1] && from > to))
        return "must not have a last address that is lower than the first";
    if (high[0] != high[1] || to - from >= SOURCE_RANGE_MAX)
        return "must not have more than 65536 addresses";
    source->count = (unsigned)(to - from) + 1;
    return NULL;
}

const char *source_parse(const char *text, struct source_choice *source)
{
    static const char form[] = "must be an IPv4 or IPv6 address without a port, "
                               "ADDRESS-ADDRESS, or client";
    const size_t length = strcspn(text, "-");
    struct source_choice parsed = {.kind = SOURCE_ADDRESS, .count = 1};
    struct address last;
    const char *wrong = NULL;
    if (strcmp(text, "client") == 0) {
        *source = (struct source_choice){.kind = SOURCE_CLIENT};
        return NULL;
    }
    if (!parse_address(text, length, &parsed.first))
        return form;
    if (text[length] && !parse_address(text + length + 1, strlen(text + length + 1), &last))
        return form;
    if (text[length])
        wrong = parse_range(&last, &parsed);
    if (!wrong)
        *source = parsed;
    return wrong;
}

struct address source_in_turn(const struct source_choice *source, unsigned turn)
{
    struct address address = source->first;
    const unsigned step = turn % source->count;
    uint64_t high;
    if (address.any.sa_family == AF_INET) {
        address.in.sin_addr.s_addr = htonl(ntohl(address.in.sin_addr.s_addr) + step);
        return address;
    }
    uint64_t low = number_of(&address, &high) + step;
    for (unsigned i = 0; i < 8; i++)
        address.in6.sin6_addr.s6_addr[15 - i] = (uint8_t)(low >> 8 * i);
    return address;
}

static void format_address(const struct address *address, char text[static INET6_ADDRSTRLEN])
{
    const void *bytes = address->any.sa_family == AF_INET ? (const void *)&address->in.sin_addr
                                                          : (const void *)&address->in6.sin6_addr;
    inet_ntop(address->any.sa_family, bytes, text, INET6_ADDRSTRLEN);
}

const char *source_format(const struct source_choice *source, char text[static SOURCE_TEXT_MAX])
{
    char first[INET6_ADDRSTRLEN], last[INET6_ADDRSTRLEN];
    text[0] = '\0';
    if (source->kind == SOURCE_CLIENT)
        return strcpy(text, "client");
    if (source->kind == SOURCE_ANY)
        return text;
    const struct address end = source_in_turn(source, source->count - 1);
    format_address(&source->first, first);
    format_address(&end, last);
    snprintf(text, SOURCE_TEXT_MAX, "%s%s%s", first, source->count > 1 ? "-" : "",
             source->count > 1 ? last : "");
    return text;
}

bool source_is_of_a_host(const struct address *client)
{
    if (client->length == 0 || address_is_unix(client) || address_is_wildcard(client))
        return false;
    if (client->any.sa_family == AF_INET6)
        return !IN6_IS_ADDR_MULTICAST(&client->in6.sin6_addr);
    return ntohl(client->in.sin_addr.s_addr) >> 24 != 0 &&
           ntohl(client->in.sin_addr.s_addr) >> 28 < 0xe;
}
