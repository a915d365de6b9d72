#include "proxy/core/limit_shares.h"

#include <stdint.h>

static unsigned least(uint64_t a, uint64_t b)
{
    return (unsigned)(a < b ? a : b);
}

static unsigned less(unsigned from, uint64_t amount)
{
    return amount < from ? from - (unsigned)amount : 0;
}

static unsigned needs(unsigned limit, const struct share_view *view)
{
    return least((uint64_t)view->used + view->wanted, limit);
}

/* What has to be left to a process that accepts no clients. */
static unsigned keeps(unsigned limit, const struct share_view *view)
{
    unsigned held = share_held(view), need = needs(limit, view);
    return held > need ? held : need;
}

unsigned share_ceiling(unsigned limit, const struct share_view *others, size_t count)
{
    uint64_t held = 0;
    for (size_t i = 0; i < count; i++)
        held += share_held(&others[i]);
    return less(limit, held);
}

static unsigned retired_target(unsigned limit, const struct share_view *own,
                               const struct share_view *others, size_t count)
{
    uint64_t taken = 0;
    for (size_t i = 0; i < count; i++)
        taken += others[i].elder && !others[i].accepts ? keeps(limit, &others[i])
                                                       : share_held(&others[i]);
    return least(needs(limit, own), less(limit, taken));
}

/* Of `free` places for `accepting` processes, which need `all` together. */
static unsigned split(unsigned free, unsigned need, uint64_t all, unsigned accepting, bool eldest)
{
    if (all <= free) {
        unsigned rest = free - (unsigned)all;
        return need + rest / accepting + (eldest ? rest % accepting : 0);
    }
    unsigned part = (unsigned)((uint64_t)free * need / all);
    return part == 0 && need > 0 && free > 0 ? 1 : part;
}

unsigned share_target(unsigned limit, const struct share_view *own, const struct share_view *others,
                      size_t count)
{
    if (!own->accepts)
        return retired_target(limit, own, others, count);
    uint64_t taken = 0, all = needs(limit, own);
    unsigned accepting = 1;
    bool eldest = true;
    for (size_t i = 0; i < count; i++) {
        if (!others[i].accepts) {
            taken += keeps(limit, &others[i]);
            continue;
        }
        all += needs(limit, &others[i]);
        accepting++;
        eldest &= !others[i].elder;
    }
    return split(less(limit, taken), needs(limit, own), all, accepting, eldest);
}
