#include "proxy/session/session_list.h"

#include "proxy/session/session.h"

static void publish(const struct roster *roster)
{
    const struct session *first = TAILQ_FIRST(&roster->list);
    atomic_store_explicit(roster->oldest, first ? first->accepted_at : 0, memory_order_relaxed);
}

void roster_init(struct roster *roster, atomic_uint_fast64_t *oldest)
{
    TAILQ_INIT(&roster->list);
    roster->placed = NULL;
    roster->oldest = oldest;
}

void roster_append(struct roster *roster, struct session *session)
{
    TAILQ_INSERT_TAIL(&roster->list, session, link);
    if (TAILQ_FIRST(&roster->list) == session)
        publish(roster);
}

void roster_place(struct roster *roster, struct session *session)
{
    struct session *before = roster->placed;
    while (before && before->accepted_at > session->accepted_at)
        before = TAILQ_PREV(before, session_list, link);
    struct session *next = before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&roster->list);
    while (next && next->accepted_at <= session->accepted_at) {
        before = next;
        next = TAILQ_NEXT(next, link);
    }
    roster->placed = session;
    if (before) {
        TAILQ_INSERT_AFTER(&roster->list, before, session, link);
        return;
    }
    TAILQ_INSERT_HEAD(&roster->list, session, link);
    publish(roster);
}

void roster_remove(struct roster *roster, struct session *session)
{
    bool first = TAILQ_FIRST(&roster->list) == session;
    if (roster->placed == session)
        roster->placed = TAILQ_PREV(session, session_list, link);
    TAILQ_REMOVE(&roster->list, session, link);
    if (first)
        publish(roster);
}
