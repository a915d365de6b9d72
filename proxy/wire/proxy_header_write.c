#include "proxy/wire/proxy_header_write.h"

#include "proxy/wire/crc32c.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

/* Two addresses as they are told: of one family. */
struct pair {
    sa_family_t family; /* AF_UNSPEC: nothing is told */
    struct address source, destination;
};

static struct in6_addr as_ipv6(const struct address *address)
{
    if (address->any.sa_family == AF_INET6)
        return address->in6.sin6_addr;
    struct in6_addr mapped = {.s6_addr = {[10] = 0xff, [11] = 0xff}};
    memcpy(&mapped.s6_addr[12], &address->in.sin_addr, sizeof address->in.sin_addr);
    return mapped;
}

static void make_ipv6(struct address *address)
{
    const struct in6_addr host = as_ipv6(address);
    in_port_t port = htons((in_port_t)address_port(address));
    *address =
        (struct address){.length = sizeof address->in6,
                         .in6 = {.sin6_family = AF_INET6, .sin6_addr = host, .sin6_port = port}};
}

static void make_pair(const struct proxy_header_text *text, struct pair *pair)
{
    pair->family = AF_UNSPEC;
    if (text->local || !text->source || !text->destination || text->source->length == 0 ||
        text->destination->length == 0)
        return;
    pair->source = *text->source;
    pair->destination = *text->destination;
    address_unmap(&pair->source);
    address_unmap(&pair->destination);
    bool is_unix = address_is_unix(&pair->source);
    if (is_unix != address_is_unix(&pair->destination))
        return;
    pair->family = pair->source.any.sa_family;
    if (is_unix || pair->family == pair->destination.any.sa_family)
        return;
    make_ipv6(&pair->source);
    make_ipv6(&pair->destination);
    pair->family = AF_INET6;
}

static const void *host_of(const struct address *address)
{
    return address->any.sa_family == AF_INET6 ? (const void *)&address->in6.sin6_addr
                                              : (const void *)&address->in.sin_addr;
}

static size_t write_v1(const struct pair *pair, unsigned char *bytes, size_t room)
{
    char source[INET6_ADDRSTRLEN], destination[INET6_ADDRSTRLEN];
    char line[PROXY_HEADER_V1_MAX + 1];
    int length;
    if (pair->family == AF_INET || pair->family == AF_INET6) {
        inet_ntop(pair->family, host_of(&pair->source), source, sizeof source);
        inet_ntop(pair->family, host_of(&pair->destination), destination, sizeof destination);
        length = snprintf(line, sizeof line, "PROXY TCP%c %s %s %u %u\r\n",
                          pair->family == AF_INET ? '4' : '6', source, destination,
                          address_port(&pair->source), address_port(&pair->destination));
    } else {
        length = snprintf(line, sizeof line, "PROXY UNKNOWN\r\n");
    }
    if ((size_t)length > room)
        return 0;
    memcpy(bytes, line, (size_t)length);
    return (size_t)length;
}

/* What has been written, and may be. */
struct output {
    unsigned char *bytes;
    size_t length, room;
    bool full;
};

/* NULL: zeros. */
static void put(struct output *output, const void *bytes, size_t length)
{
    if (output->full || length > output->room - output->length) {
        output->full = true;
        return;
    }
    if (length > 0 && bytes)
        memcpy(output->bytes + output->length, bytes, length);
    else if (length > 0)
        memset(output->bytes + output->length, 0, length);
    output->length += length;
}

static void put_unix(struct output *output, const struct address *address)
{
    size_t length = address->length - offsetof(struct sockaddr_un, sun_path);
    if (length > sizeof address->un.sun_path)
        length = sizeof address->un.sun_path;
    put(output, address->un.sun_path, length);
    put(output, NULL, sizeof address->un.sun_path - length);
}

static void put_addresses(struct output *output, const struct pair *pair)
{
    if (pair->family == AF_UNSPEC)
        return;
    if (pair->family == AF_UNIX) {
        put_unix(output, &pair->source);
        put_unix(output, &pair->destination);
        return;
    }
    size_t length = pair->family == AF_INET ? 4 : 16;
    in_port_t ports[] = {htons((in_port_t)address_port(&pair->source)),
                         htons((in_port_t)address_port(&pair->destination))};
    put(output, host_of(&pair->source), length);
    put(output, host_of(&pair->destination), length);
    put(output, ports, sizeof ports);
}

static void put_tlv(struct output *output, unsigned char type, const void *value, size_t length)
{
    const unsigned char head[PROXY_TLV_HEAD] = {type, (unsigned char)(length >> 8),
                                                (unsigned char)length};
    put(output, head, sizeof head);
    put(output, value, length);
}

static size_t write_v2(const struct proxy_header_text *text, const struct pair *pair,
                       unsigned char *bytes, size_t room)
{
    static const unsigned char families[] = {
        [AF_UNSPEC] = PROXY_V2_UNSPEC,
        [AF_UNIX] = PROXY_V2_UNIX << 4 | PROXY_V2_STREAM,
        [AF_INET] = PROXY_V2_INET << 4 | PROXY_V2_STREAM,
        [AF_INET6] = PROXY_V2_INET6 << 4 | PROXY_V2_STREAM,
    };
    struct output output = {.bytes = bytes,
                            .room = room < PROXY_HEADER_MAX ? room : PROXY_HEADER_MAX};
    const unsigned char head[] = {text->local ? PROXY_V2_LOCAL : PROXY_V2_PROXY,
                                  families[pair->family], 0, 0};
    put(&output, PROXY_V2_BEGIN, sizeof PROXY_V2_BEGIN - 1);
    put(&output, head, sizeof head);
    put_addresses(&output, pair);
    for (size_t i = 0; i < text->tlv_count; i++)
        put_tlv(&output, text->tlvs[i].type, text->tlvs[i].value, text->tlvs[i].length);
    put(&output, text->passed, text->passed_length);
    size_t checksum_at = output.length + PROXY_TLV_HEAD;
    if (text->checksum)
        put_tlv(&output, PROXY_TLV_CRC32C, NULL, PROXY_TLV_CRC32C_LENGTH);
    if (output.full)
        return 0;
    uint16_t rest = htons((uint16_t)(output.length - PROXY_V2_HEAD));
    memcpy(bytes + PROXY_V2_HEAD - sizeof rest, &rest, sizeof rest);
    if (text->checksum) {
        uint32_t checksum = htonl(crc32c(0, bytes, output.length));
        memcpy(bytes + checksum_at, &checksum, sizeof checksum);
    }
    return output.length;
}

size_t proxy_header_write(const struct proxy_header_text *text, unsigned char *bytes, size_t room)
{
    struct pair pair;
    make_pair(text, &pair);
    return text->version == 1 ? write_v1(&pair, bytes, room) : write_v2(text, &pair, bytes, room);
}
