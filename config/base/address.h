/* Addresses of binds and servers, as text and as the structures of the kernel. */
#ifndef RPPROXY_CONFIG_BASE_ADDRESS_H
#define RPPROXY_CONFIG_BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/un.h>

struct address {
    socklen_t length; /* of the member in use; 0: no address */
    union {
        struct sockaddr any;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
        struct sockaddr_un un;
    };
};

/* Longest text address_format() writes, its NUL included. */
#define ADDRESS_TEXT_MAX 128

/* Longest name of a host, its NUL included. */
#define ADDRESS_HOST_MAX 254

/* Reads "1.2.3.4:80", "[::1]:80", "unix:/path" or "unix:@name" into *address. Ports run from 1 to
 * 65535; a Unix path must be absolute and fit sun_path; it must not be the path of a directory. An
 * abstract name has the length of its bytes, without NULs behind (unix(7)). An IPv4-mapped
 * IPv6 address becomes the IPv4 address, because the kernel refuses the mapped form on an IPv6-only
 * socket. Returns NULL, or a static text that says what is wrong ("port must be 1 to 65535"). */
const char *address_parse(const char *text, struct address *address)
    __attribute__((warn_unused_result));

/* As address_parse(), but "name:80" is right as well: then host is the name, the length of *address
 * is 0, and address->in.sin_port is the port. For an address host is "". Resolves nothing. */
const char *address_parse_or_name(const char *text, struct address *address,
                                  char host[static ADDRESS_HOST_MAX])
    __attribute__((warn_unused_result));

/* True: the text is the name of a host: letters, digits, '-', '_' and '.', 253 bytes at most, and
 * nothing that is meant as an IPv4 address. */
bool address_is_host_name(const char *host);

/* Writes the canonical text ("1.2.3.4:80", "[::1]:80", "unix:/path"); two equal addresses give
 * the same text. An accepted Unix client, which has no name, gives "unix:". Returns text. */
const char *address_format(const struct address *address, char text[static ADDRESS_TEXT_MAX]);

/* As address_format(), but a port 0 is left out: "1.2.3.4", "[::1]". */
const char *address_format_portless(const struct address *address,
                                    char text[static ADDRESS_TEXT_MAX]);

/* Changes an IPv4-mapped IPv6 address ("::ffff:1.2.3.4", RFC 4291 section 2.5.5.2) to the IPv4
 * address. A dual-stack socket reports its IPv4 clients in the mapped form. Other addresses do not
 * change.
 */
void address_unmap(struct address *address);

bool address_equal(const struct address *a, const struct address *b);

/* Returns the TCP port in host byte order, or 0 for an address without a port. */
static inline unsigned address_port(const struct address *address)
{
    switch (address->any.sa_family) {
    case AF_INET:
        return ntohs(address->in.sin_port);
    case AF_INET6:
        return ntohs(address->in6.sin6_port);
    default:
        return 0;
    }
}

/* In host byte order. An address without a port stays as it is. */
static inline void address_set_port(struct address *address, unsigned port)
{
    if (address->any.sa_family == AF_INET)
        address->in.sin_port = htons((in_port_t)port);
    else if (address->any.sa_family == AF_INET6)
        address->in6.sin6_port = htons((in_port_t)port);
}

/* True: the address is 0.0.0.0 or [::]. */
bool address_is_wildcard(const struct address *address);

static inline bool address_is_unix(const struct address *address)
{
    return address->any.sa_family == AF_UNIX;
}

/* True: a Unix socket without a path: "unix:@name". */
static inline bool address_is_abstract(const struct address *address)
{
    return address_is_unix(address) && address->length > offsetof(struct sockaddr_un, sun_path) &&
           address->un.sun_path[0] == '\0';
}

#endif
