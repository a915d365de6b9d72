#include "proxy/session/turn.h"

#include "proxy/session/lifecycle.h"
#include "proxy/session/transfer.h"

bool turn_has_work(const struct session_set *set)
{
    return !STAILQ_EMPTY(&set->again) || (!STAILQ_EMPTY(&set->transfers) && transfers_wanted(set));
}

void turn_go_on(struct session_set *set)
{
    /* Transfers first, because a transfer may end a session that is to go on. */
    if (!STAILQ_EMPTY(&set->transfers))
        transfers_fill_next(set);
    sessions_continue(set);
}
