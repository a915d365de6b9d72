#include "proxy/session/session_list.h"

#include "proxy/session/session.h"

static void publish(const struct session_list *session_list)
{
    const struct session *first = TAILQ_FIRST(&session_list->list);
    atomic_store_explicit(session_list->oldest, first ? first->accepted_at : 0,
                          memory_order_relaxed);
}

static struct session **place_of(struct session_list *session_list, const struct session *session)
{
    return &session_list->placed[session->accepted_by % PLACED_MAX];
}

void session_list_init(struct session_list *session_list, atomic_uint_fast64_t *oldest)
{
    *session_list = (struct session_list){.oldest = oldest};
    TAILQ_INIT(&session_list->list);
}

void session_list_append(struct session_list *session_list, struct session *session)
{
    TAILQ_INSERT_TAIL(&session_list->list, session, link);
    session_list->count++;
    if (TAILQ_FIRST(&session_list->list) == session)
        publish(session_list);
}

void session_list_place(struct session_list *session_list, struct session *session)
{
    struct session *before = NULL;
    for (size_t i = 0; i < PLACED_MAX; i++) {
        struct session *placed = session_list->placed[i];
        if (placed && placed->accepted_at <= session->accepted_at &&
            (!before || placed->accepted_at > before->accepted_at))
            before = placed;
    }
    struct session *next = before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&session_list->list);
    while (next && next->accepted_at <= session->accepted_at) {
        before = next;
        next = TAILQ_NEXT(next, link);
    }
    *place_of(session_list, session) = session;
    session_list->count++;
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
    if (*place_of(session_list, session) == session)
        *place_of(session_list, session) = NULL;
    if (session_list->cursor == session)
        session_list->cursor = TAILQ_NEXT(session, link);
    TAILQ_REMOVE(&session_list->list, session, link);
    session_list->count--;
    if (first)
        publish(session_list);
}
