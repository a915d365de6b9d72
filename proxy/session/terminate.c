#include "proxy/session/terminate.h"

#include "proxy/session/session.h"
#include "proxy/session/session_set.h"

#include <errno.h>
#include <stdlib.h>

int terminator_open(struct terminator *terminator, size_t frontends)
{
    terminator->quotas = calloc(frontends, sizeof *terminator->quotas);
    return terminator->quotas ? 0 : ENOMEM;
}

void terminator_close(struct terminator *terminator)
{
    free(terminator->quotas);
}

static bool is_parked(const struct session *session)
{
    return session->state == SESSION_PARKED;
}

/* Of `count` that are not on their way to another process, so many are too many. */
static size_t surplus_of(struct quota *quota, const struct session_list *session_list,
                         uint64_t keep, size_t *count)
{
    const struct session *session;
    size_t all = 0;
    *count = 0;
    TAILQ_FOREACH (session, &session_list->list, link) {
        all++;
        *count += !is_parked(session);
    }
    if (!quota->begun)
        quota->first = all;
    quota->begun = true;
    size_t kept = (size_t)((quota->first * keep + KEEP_ALL - 1) / KEEP_ALL);
    return *count > kept ? *count - kept : 0;
}

void terminate_session(struct session *session)
{
    struct session_set *set = session->set;
    counter_add(&set->counters->overdue, 1);
    session_close(session, (enum session_end)atomic_load(&set->service->terminate_reason));
}

static void cut_in_order_of_age(const struct session_list *session_list, size_t surplus)
{
    struct session *session, *next;
    for (session = TAILQ_FIRST(&session_list->list); surplus > 0 && session; session = next) {
        next = TAILQ_NEXT(session, link);
        if (is_parked(session))
            continue;
        surplus--;
        terminate_session(session);
    }
}

static int by_activity(const void *left, const void *right)
{
    const struct session *const *a = left;
    const struct session *const *b = right;
    return ((*a)->active_at > (*b)->active_at) - ((*a)->active_at < (*b)->active_at);
}

/* Of so many sessions that may be cut. */
static void terminate_idlest(const struct session_list *session_list, size_t surplus, size_t count)
{
    struct session **list = surplus < count ? reallocarray(NULL, count, sizeof *list) : NULL;
    if (!list) {
        cut_in_order_of_age(session_list, surplus);
        return;
    }
    struct session *session;
    size_t filled = 0;
    TAILQ_FOREACH (session, &session_list->list, link)
        if (!is_parked(session))
            list[filled++] = session;
    qsort(list, filled, sizeof(struct session *), by_activity);
    for (size_t i = 0; i < surplus; i++)
        terminate_session(list[i]);
    free(list);
}

void terminate_surplus(struct session_set *set)
{
    for (size_t i = 0; i < set->service->frontend_count; i++) {
        uint64_t keep = atomic_load(&set->service->frontends[i].keep);
        if (keep == KEEP_ALL)
            continue;
        const struct session_list *session_list = &set->lists[i];
        size_t count, surplus = surplus_of(&set->terminator.quotas[i], session_list, keep, &count);
        if (surplus > 0)
            terminate_idlest(session_list, surplus, count);
    }
}
