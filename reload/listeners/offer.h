/* Binds with what comes along of them, as a predecessor or a service manager hands them over. */
#ifndef RPPROXY_RELOAD_LISTENERS_OFFER_H
#define RPPROXY_RELOAD_LISTENERS_OFFER_H

#include "config/base/listen_address.h"

#include <stdbool.h>
#include <stddef.h>

struct offered {
    char text[ADDRESS_TEXT_MAX]; /* the bind's canonical text */
    unsigned listeners;          /* the sockets the predecessor has */
    unsigned rotation;           /* of the group, if ordered */
    bool ordered;
    bool waits; /* its frontend is paused in the predecessor */
    int *fds;   /* fd_count of them, -1 when taken; none: open your own */
    unsigned fd_count;
};

struct offer {
    struct offered *list;
    size_t count;
};

/* The offered bind of that canonical text, or NULL. offer may be NULL. */
struct offered *offer_find(const struct offer *offer, const char *text);

/* Where it listens. False: it is an activated socket, which has no address here, or a later version
 * of the program knows more about it. */
bool offered_address(const struct offered *offered, struct listen_address *at)
    __attribute__((warn_unused_result));

/* offer_find(), or a new one that is all zero but for its text; NULL: out of memory. Pointers from
 * earlier calls are void then. */
struct offered *offer_add(struct offer *offer, const char *text)
    __attribute__((warn_unused_result));

/* Moves the descriptors behind the ones that are there; those that were moved are -1 in fds.
 * Returns 0, or ENOMEM, and none was moved. */
int offered_add_fds(struct offered *offered, int *fds, size_t count)
    __attribute__((warn_unused_result));

/* Closes the descriptors that were not taken; what was offered is still known. Of one, or of all.
 */
void offered_close(struct offered *offered);
void offer_close_rest(struct offer *offer);

/* Some descriptor in it was not taken. */
bool offer_holds_any(const struct offer *offer);

void offer_free(struct offer *offer);

#endif
