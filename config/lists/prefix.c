#include "config/lists/prefix.h"

#include <arpa/inet.h>
#include <endian.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

/* "::ffff:0:0/96": the part of IPv6 that stands for IPv4. */
#define MAPPED_BITS 96
#define MAPPED_LOW  UINT64_C(0x0000ffff00000000)

static const char no_address[] = "is not an IP address or ADDRESS/BITS";

static struct address_bits bits_of_ipv4(const struct in_addr *address)
{
    return (struct address_bits){.high = (uint64_t)ntohl(address->s_addr) << 32};
}

static struct address_bits bits_of_ipv6(const struct in6_addr *address)
{
    uint64_t halves[2];
    memcpy(halves, address, sizeof halves);
    return (struct address_bits){be64toh(halves[0]), be64toh(halves[1])};
}

static bool is_mapped(struct address_bits bits)
{
    return bits.high == 0 && (bits.low & ~UINT64_C(0xffffffff)) == MAPPED_LOW;
}

static struct address_bits unmapped(struct address_bits bits)
{
    return (struct address_bits){.high = bits.low << 32};
}

/* Returns false if the text is no decimal number up to `most`. */
static bool read_length(const char *text, unsigned most, unsigned char *length)
{
    unsigned value = 0;
    size_t digits = strspn(text, "0123456789");
    if (digits == 0 || digits > 3 || text[digits])
        return false;
    for (; *text; text++)
        value = value * 10 + (unsigned)(*text - '0');
    *length = (unsigned char)value;
    return value <= most;
}

static bool read_netmask(const char *text, unsigned char *length)
{
    struct in_addr mask;
    if (inet_pton(AF_INET, text, &mask) != 1)
        return false;
    uint32_t ones = ntohl(mask.s_addr);
    *length = ones ? (unsigned char)__builtin_popcount(ones) : 0;
    return (uint32_t)(~ones + 1) == (ones & (~ones + 1)) || ones == 0; /* no 1 behind a 0 */
}

static const char *read_ipv4(const struct in_addr *address, const char *length,
                             struct prefix *prefix)
{
    *prefix = (struct prefix){.first = bits_of_ipv4(address), .bits = 32};
    if (!length || read_length(length, 32, &prefix->bits) || read_netmask(length, &prefix->bits))
        return NULL;
    return "has no prefix length from 0 to 32, or netmask, behind the '/'";
}

static const char *read_ipv6(const struct in6_addr *address, const char *length,
                             struct prefix *prefix)
{
    *prefix = (struct prefix){.first = bits_of_ipv6(address), .bits = 128, .is_ipv6 = true};
    if (length && !read_length(length, 128, &prefix->bits))
        return "has no prefix length from 0 to 128 behind the '/'";
    if (prefix->bits >= MAPPED_BITS && is_mapped(prefix->first)) {
        prefix->first = unmapped(prefix->first);
        prefix->bits = (unsigned char)(prefix->bits - MAPPED_BITS);
        prefix->is_ipv6 = false;
    }
    return NULL;
}

const char *prefix_parse(const char *text, struct prefix *prefix)
{
    char host[INET6_ADDRSTRLEN];
    struct prefix read;
    struct in6_addr ipv6;
    struct in_addr ipv4;
    const char *slash = strchr(text, '/');
    size_t length = slash ? (size_t)(slash - text) : strlen(text);
    bool bracketed = length >= 2 && text[0] == '[' && text[length - 1] == ']';
    if (bracketed) {
        text++;
        length -= 2;
    }
    if (length == 0 || length >= sizeof host)
        return no_address;
    memcpy(host, text, length);
    host[length] = '\0';

    const char *wrong = no_address;
    if (!bracketed && inet_pton(AF_INET, host, &ipv4) == 1)
        wrong = read_ipv4(&ipv4, slash ? slash + 1 : NULL, &read);
    else if (inet_pton(AF_INET6, host, &ipv6) == 1)
        wrong = read_ipv6(&ipv6, slash ? slash + 1 : NULL, &read);
    if (wrong)
        return wrong;
    read.first = address_bits_mask(read.first, read.bits);
    *prefix = read;
    return NULL;
}

const char *prefix_format(const struct prefix *prefix, char text[static PREFIX_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN];
    char length[8] = "";
    if (prefix->is_ipv6) {
        uint64_t halves[2] = {htobe64(prefix->first.high), htobe64(prefix->first.low)};
        inet_ntop(AF_INET6, halves, host, sizeof host);
    } else {
        struct in_addr address = {htonl((uint32_t)(prefix->first.high >> 32))};
        inet_ntop(AF_INET, &address, host, sizeof host);
    }
    if (prefix->bits != (prefix->is_ipv6 ? 128 : 32))
        snprintf(length, sizeof length, "/%u", prefix->bits);
    snprintf(text, PREFIX_TEXT_MAX, "%s%s", host, length);
    return text;
}

bool address_bits_of(const struct sockaddr *address, struct address_bits *bits, bool *is_ipv6)
{
    if (address->sa_family == AF_INET) {
        *bits = bits_of_ipv4(&((const struct sockaddr_in *)(const void *)address)->sin_addr);
        *is_ipv6 = false;
        return true;
    }
    if (address->sa_family != AF_INET6)
        return false;
    *bits = bits_of_ipv6(&((const struct sockaddr_in6 *)(const void *)address)->sin6_addr);
    *is_ipv6 = !is_mapped(*bits);
    if (!*is_ipv6)
        *bits = unmapped(*bits);
    return true;
}
