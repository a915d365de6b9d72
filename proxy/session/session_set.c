#include "proxy/session/session_set.h"

#include "proxy/session/session.h"
#include "proxy/session/transfer.h"

#include <errno.h>
#include <stdlib.h>

static int open_lists(struct session_set *set, atomic_uint_fast64_t *oldest)
{
    size_t count = set->service->frontend_count;
    set->lists = calloc(count, sizeof *set->lists);
    for (size_t i = 0; set->lists && i < count; i++)
        session_list_init(&set->lists[i], &oldest[i]);
    return set->lists ? 0 : ENOMEM;
}

int session_set_open(struct session_set *set, struct service *service, unsigned index,
                     struct counters *counters, atomic_uint_fast64_t *oldest)
{
    set->service = service;
    set->index = index;
    set->counters = counters;
    STAILQ_INIT(&set->transfers);
    STAILQ_INIT(&set->again);
    STAILQ_INIT(&set->dead);
    STAILQ_INIT(&set->spare);
    set->spares_most = SPARES_MAX;
    int error = terminator_open(&set->terminator, service->frontend_count);
    if (error)
        return error;
    error = relay_buffers_open(&set->buffers);
    if (error) {
        terminator_close(&set->terminator);
        return error;
    }
    error = open_lists(set, oldest);
    if (!error)
        error = loop_open(&set->loop, session_on_timer);
    if (error) {
        free(set->lists);
        relay_buffers_close(&set->buffers);
        terminator_close(&set->terminator);
    }
    return error;
}

void session_set_close(struct session_set *set)
{
    loop_close(&set->loop);
    free(set->lists);
    relay_buffers_close(&set->buffers);
    terminator_close(&set->terminator);
}

void session_set_reap(struct session_set *set)
{
    struct session *session;
    while ((session = STAILQ_FIRST(&set->dead))) {
        STAILQ_REMOVE_HEAD(&set->dead, dead);
        if (session->server.fd >= 0) {
            STAILQ_INSERT_HEAD(&set->spare, session, dead);
            set->spares++;
        } else {
            session_free(session);
        }
    }
}

struct session *session_set_take_spare(struct session_set *set)
{
    struct session *session = STAILQ_FIRST(&set->spare);
    if (!session)
        return NULL;
    STAILQ_REMOVE_HEAD(&set->spare, dead);
    set->spares--;
    return session;
}

void session_set_keep_spares(struct session_set *set, bool keep)
{
    struct session *session;
    set->keeps_spares = keep;
    while (!keep && (session = session_set_take_spare(set))) {
        conn_close(&session->server, &set->loop.poller, false);
        session_free(session);
    }
}

bool session_set_has_work(const struct session_set *set)
{
    return !STAILQ_EMPTY(&set->again) || (!STAILQ_EMPTY(&set->transfers) && transfers_wanted(set));
}

/* What the sessions of this turn queue is for the next turn. */
static void continue_sessions(struct session_set *set)
{
    struct session_queue turn = STAILQ_HEAD_INITIALIZER(turn);
    STAILQ_CONCAT(&turn, &set->again);
    struct session *session;
    while ((session = STAILQ_FIRST(&turn))) {
        STAILQ_REMOVE_HEAD(&turn, again);
        session_continue(session);
    }
}

void session_set_go_on(struct session_set *set)
{
    /* First, since a transfer may end a session that is to go on. */
    if (!STAILQ_EMPTY(&set->transfers))
        transfers_fill_next(set);
    continue_sessions(set);
}

void session_set_stop(struct session_set *set)
{
    struct session *session;
    for (size_t i = 0; i < set->service->frontend_count; i++)
        while ((session = TAILQ_FIRST(&set->lists[i].list)))
            session_close(session, SESSION_STOPPED);
    continue_sessions(set);
    session_set_reap(set);
    session_set_keep_spares(set, false);
}
