/* Which server gets which address of a name. Values in, values out.
 *
 * With resolve=all each address has a slot, which is a server with a name of its own. The order of
 * an answer does not matter. An address that stays keeps its slot. A slot whose address is gone
 * becomes empty, and later takes another one. Of addresses that are new, one that was in an empty
 * slot before returns to it; the others take the first empty slots, in the order of priority,
 * weight and address. */
#ifndef RPPROXY_PROXY_NAMES_SLOTS_H
#define RPPROXY_PROXY_NAMES_SLOTS_H

#include "config/names/answer.h"

struct slot {
    struct address address; /* length 0: empty */
    struct address last;    /* that it had before; length 0: none */
};

#define SLOT_NONE SIZE_MAX

enum { SLOTS_KEEP_IPV4 = 1, SLOTS_KEEP_IPV6 = 2 };

/* Whether keep has the IP version of the address. */
static inline bool slots_is_kept(const struct address *address, unsigned keep)
{
    return keep & (address->any.sa_family == AF_INET6 ? SLOTS_KEEP_IPV6 : SLOTS_KEEP_IPV4);
}

/* Assigns a slot to each item: slots[i] of item i is less than max, or SLOT_NONE: the address is
 * there twice, or there is no slot left. Slots from `count` on do not exist yet, and are taken
 * without a gap. keep: addresses of these IP versions keep their slots even if the answer does not
 * have them. Returns how many addresses have no slot, or SIZE_MAX without memory. */
size_t slots_assign(const struct slot *now, size_t count, size_t max, unsigned keep,
                    const struct answer_item *items, size_t item_count, size_t *slots)
    __attribute__((warn_unused_result));

/* Chooses the address of a server that has only one of the answer. It stays what it is while the
 * answer has it, among the items of the lowest priority; else it is the first of those with the
 * highest weight. Returns its index; item_count is at least 1. */
size_t slots_choose(const struct address *now, const struct answer_item *items, size_t item_count);

/* Scales the weights of SRV records to weights of servers, for each priority by itself: from 1 to
 * 256, as they are where that is possible, else in proportion to the highest. RFC 2782 wants a
 * small chance for a weight of 0, and no difference where all are 0. */
void slots_weigh(const struct answer_item *items, size_t count, unsigned *weights);

/* The lowest priority of the items; the servers of higher ones are backups. */
uint16_t slots_priority(const struct answer_item *items, size_t count);

#endif
