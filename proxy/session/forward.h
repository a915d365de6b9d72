/* Where a session goes whose server is the name that its client asks for (a server sni:PORT):
 * the addresses of the name, which stages/forwarding.c has found. The worker's thread. */
#ifndef RPPROXY_PROXY_SESSION_FORWARD_H
#define RPPROXY_PROXY_SESSION_FORWARD_H

#include "config/base/address.h"
#include "proxy/names/lookup.h"

#include <stdbool.h>

struct forward {
    struct lookup *lookup; /* under way; NULL: it is over */
    enum answer_status status;
    bool loops;         /* an address was left out, since it is this proxy */
    size_t count, next; /* addresses; the one that is to be tried */
    struct address addresses[LOOKUP_ADDRESSES_MOST]; /* with the port */
};

/* NULL: there is none. */
static inline const struct address *forward_address(const struct forward *forward)
{
    return forward && forward->next < forward->count ? &forward->addresses[forward->next] : NULL;
}

/* An attempt has failed. True: another address is to be tried at once. After the last one the first
 * is the next. */
static inline bool forward_advance(struct forward *forward)
{
    if (!forward || forward->count == 0)
        return false;
    forward->next = (forward->next + 1) % forward->count;
    return forward->next > 0;
}

#endif
