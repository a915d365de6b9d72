#include "proxy/session/session_list.h"

#include <stdbool.h>

static void publish(const struct session_list *session_list)
{
    const struct session_entry *first = TAILQ_FIRST(&session_list->list);
    atomic_store_explicit(session_list->oldest, first ? first->accepted_at : 0,
                          memory_order_relaxed);
}

static struct session_entry **place_of(struct session_list *session_list,
                                       const struct session_entry *entry)
{
    return &session_list->placed[entry->accepted_by % PLACED_MAX];
}

void session_list_init(struct session_list *session_list, atomic_uint_fast64_t *oldest)
{
    *session_list = (struct session_list){.oldest = oldest};
    TAILQ_INIT(&session_list->list);
    LIST_INIT(&session_list->cursors);
}

void session_list_append(struct session_list *session_list, struct session_entry *entry)
{
    TAILQ_INSERT_TAIL(&session_list->list, entry, link);
    session_list->count++;
    if (TAILQ_FIRST(&session_list->list) == entry)
        publish(session_list);
}

void session_list_place(struct session_list *session_list, struct session_entry *entry)
{
    struct session_entry *before = NULL;
    for (size_t i = 0; i < PLACED_MAX; i++) {
        struct session_entry *placed = session_list->placed[i];
        if (placed && placed->accepted_at <= entry->accepted_at &&
            (!before || placed->accepted_at > before->accepted_at))
            before = placed;
    }
    struct session_entry *next =
        before ? TAILQ_NEXT(before, link) : TAILQ_FIRST(&session_list->list);
    while (next && next->accepted_at <= entry->accepted_at) {
        before = next;
        next = TAILQ_NEXT(next, link);
    }
    *place_of(session_list, entry) = entry;
    session_list->count++;
    if (before) {
        TAILQ_INSERT_AFTER(&session_list->list, before, entry, link);
        return;
    }
    TAILQ_INSERT_HEAD(&session_list->list, entry, link);
    publish(session_list);
}

void session_list_remove(struct session_list *session_list, struct session_entry *entry)
{
    bool first = TAILQ_FIRST(&session_list->list) == entry;
    if (*place_of(session_list, entry) == entry)
        *place_of(session_list, entry) = NULL;
    if (session_list->cursor == entry)
        session_list->cursor = TAILQ_NEXT(entry, link);
    if (session_list->evicting == entry)
        session_list->evicting = TAILQ_NEXT(entry, link);
    struct session_cursor *cursor;
    LIST_FOREACH (cursor, &session_list->cursors, link)
        if (cursor->at == entry)
            cursor->at = TAILQ_NEXT(entry, link);
    TAILQ_REMOVE(&session_list->list, entry, link);
    session_list->count--;
    if (first)
        publish(session_list);
}

void session_cursor_begin(struct session_cursor *cursor, struct session_list *session_list)
{
    cursor->at = TAILQ_FIRST(&session_list->list);
    LIST_INSERT_HEAD(&session_list->cursors, cursor, link);
}

void session_cursor_end(struct session_cursor *cursor)
{
    LIST_REMOVE(cursor, link);
    cursor->at = NULL;
}
