/* A prefix of addresses, as access lists and maps name it: "10.0.0.0/8", "2001:db8::/32",
 * "192.0.2.7". */
#ifndef RPPROXY_CONFIG_LISTS_PREFIX_H
#define RPPROXY_CONFIG_LISTS_PREFIX_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

/* An address as a number. An IPv4 address stands in the upper half of `high`, so that the first bit
 * of either kind is the highest bit of `high`. */
struct address_bits {
    uint64_t high, low;
};

struct prefix {
    struct address_bits first; /* the lowest address; all bits behind the prefix are 0 */
    unsigned char bits;        /* length of the prefix: 0 to 32, or 0 to 128 */
    bool is_ipv6;
};

/* Reads ADDRESS, ADDRESS/BITS or, of IPv4, ADDRESS/NETMASK; an IPv6 address may stand in brackets.
 * Bits of the address behind the prefix are ignored: 10.1.2.3/8 is 10.0.0.0/8. A prefix of
 * IPv4-mapped IPv6 addresses ("::ffff:10.0.0.0/104", RFC 4291 section 2.5.5.2) becomes that of the
 * IPv4 addresses. Returns NULL, or what is wrong (a string constant that can follow the text). */
const char *prefix_parse(const char *text, struct prefix *prefix)
    __attribute__((warn_unused_result));

/* Writes the canonical text; a prefix of one address has no "/32" or "/128". Returns text. */
#define PREFIX_TEXT_MAX 56
const char *prefix_format(const struct prefix *prefix, char text[static PREFIX_TEXT_MAX]);

/* The address of a client as a number. An IPv4-mapped IPv6 address is an IPv4 address. Returns
 * false for an address that is neither IPv4 nor IPv6 (Unix). */
bool address_bits_of(const struct sockaddr *address, struct address_bits *bits, bool *is_ipv6);

/* The address with all bits behind the first `count` set to 0. */
static inline struct address_bits address_bits_mask(struct address_bits bits, unsigned count)
{
    bits.high &= count >= 64 ? UINT64_MAX : ~(UINT64_MAX >> count);
    bits.low &= count >= 128 ? UINT64_MAX : count > 64 ? ~(UINT64_MAX >> (count - 64)) : 0;
    return bits;
}

#endif
