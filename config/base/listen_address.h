/* Where a listening socket listens: an address, and what else the kernel tells listeners apart by.
 * Sockets of one listen_address, of one user, are one reuseport group; others are not. */
#ifndef RPPROXY_CONFIG_BASE_LISTEN_ADDRESS_H
#define RPPROXY_CONFIG_BASE_LISTEN_ADDRESS_H

#include "config/base/address.h"

#include <net/if.h>

struct listen_address {
    struct address address;      /* length 0: a socket that was passed, and whose address is not
                                    known */
    bool dual_stack;             /* only [::]: IPv4 clients come to it as well */
    char interface[IF_NAMESIZE]; /* only clients that come by this one; "": by any */
};

/* Writes the canonical text: address_format(), then ",v6only=no" and ",interface=NAME" where they
 * are so. Equal ones have the same text. Without blanks, and not meant for the file. Returns text.
 */
const char *listen_address_format(const struct listen_address *at,
                                  char text[static ADDRESS_TEXT_MAX]);

/* Reads such a text. Returns NULL, or what is wrong (static text). */
const char *listen_address_parse(const char *text, struct listen_address *at)
    __attribute__((warn_unused_result));

/* True: each client of `other` would come to `wide`, if no socket listened at `other`. The two are
 * different. While sockets listen at both, clients of `other` go there, unless both are [::], are
 * of the same interface, and `other` has begun to listen later. */
bool listen_address_covers(const struct listen_address *wide, const struct listen_address *other);

/* True: some clients could come to either of the two, which are different. */
bool listen_address_overlaps(const struct listen_address *one, const struct listen_address *other);

/* The kernel's number of the interface, that of a link-local address included. 0: any. UINT_MAX:
 * there is no interface of that name now. */
unsigned listen_address_device(const struct listen_address *at);

#endif
