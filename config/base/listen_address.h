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
 * different. */
bool listen_address_covers(const struct listen_address *wide, const struct listen_address *other);

/* True: some clients could come to either of the two, which are different. */
bool listen_address_overlaps(const struct listen_address *one, const struct listen_address *other);

/* Which of two that overlap gets the clients that could come to either: the one of a single address
 * rather than the wildcard. Of two with the same address, or two wildcards, the kernel takes the
 * first in its chain that fits, whether it has an interface or not, since the sockets have
 * SO_REUSEPORT (inet_lhash2_lookup() of Linux 4.19 to 6.18). Sockets of IPv4 join at the front, and
 * those of IPv6 at the end. True: sockets at `newer`, which begin to listen later than those at
 * `older`, have the clients of both. */
bool listen_address_takes(const struct listen_address *newer, const struct listen_address *older);

/* For qsort(3): the order in which sockets of a port have to begin to listen, so that clients by an
 * interface come to the bind of that interface. */
int listen_address_order(const struct listen_address *one, const struct listen_address *other);

/* The kernel's number of the interface, that of a link-local address included. 0: any. UINT_MAX:
 * there is no interface of that name now. */
unsigned listen_address_device(const struct listen_address *at);

#endif
