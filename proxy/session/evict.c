#include "proxy/session/evict.h"

#include "proxy/session/connect.h"

#include <errno.h>

static void look_at(struct session *session)
{
    if (!session->with_server || !server_is_ending(session->chosen))
        return;
    if (session->state == SESSION_ESTABLISHED)
        session_close(session, SESSION_SERVER_DOWN);
    else if (session->state == SESSION_CONNECTING)
        connect_failed(session, ECONNREFUSED);
}

void evict_begin(struct evictor *evictor)
{
    struct session_set *set = evictor->set;
    for (size_t i = 0; i < set->service->frontend_count; i++)
        set->lists[i].evicting = TAILQ_FIRST(&set->lists[i].list);
    evictor->frontend = 0;
}

bool evict_next(struct evictor *evictor)
{
    struct session_set *set = evictor->set;
    for (size_t left = EVICT_SLICE; evictor->frontend < set->service->frontend_count;) {
        struct session_list *list = &set->lists[evictor->frontend];
        struct session_entry *entry = list->evicting;
        if (!entry) {
            evictor->frontend++;
            continue;
        }
        if (left-- == 0)
            return true;
        list->evicting = TAILQ_NEXT(entry, link);
        look_at(session_of(entry));
    }
    return false;
}
