#include "proxy/session/session_list.h"

#include "proxy/session/session.h"

static void publish(const struct session_list *session_list)
{
    const struct session *first = TAILQ_FIRST(&session_list->list);
    atomic_store_explicit(session_list->oldest, first ? first->accepted_at : 0,
                          memory_order_relaxed);
}

void session_list_init(struct session_list *session_list, atomic_uint_fast64_t *oldest)
{
    TAILQ_INIT(&session_list->list);
    session_list->placed = NULL;
    session_list->oldest = oldest;
}

void session_list_append(struct session_list *session_list, struct session *session)
{
    TAILQ_INSERT_TAIL(&session_list->list, session, link);
    if (TAILQ_FIRST(&session_list->list) == session)
        publish(session_list);
}

void session_list_place(struct session_list *session_list, struct session *session)
{
    struct session *before = session_list->placed;
    while (before && before->accepted_at > session->accepted_at)
        before = TAILQ_PREV(before, sessions_by_age, link);
    struct session *next = before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&session_list->list);
    while (next && next->accepted_at <= session->accepted_at) {
        before = next;
        next = TAILQ_NEXT(next, link);
    }
    session_list->placed = session;
    if (before) {
        TAILQ_INSERT_AFTER(&session_list->list, before, session, link);
        return;
    }
    TAILQ_INSERT_HEAD(&session_list->list, session, link);
    publish(session_list);
}

void session_list_remove(struct session_list *session_list, struct session *session)
{
    bool first = TAILQ_FIRST(&session_list->list) == session;
    if (session_list->placed == session)
        session_list->placed = TAILQ_PREV(session, sessions_by_age, link);
    TAILQ_REMOVE(&session_list->list, session, link);
    if (first)
        publish(session_list);
}
