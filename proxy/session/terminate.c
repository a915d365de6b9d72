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

/* Of those that are not on their way to another process, so many are too many. */
static size_t surplus_of(const struct quota *quota, const struct session_list *session_list,
                         uint64_t keep)
{
    size_t kept = (size_t)((quota->first * keep + KEEP_ALL - 1) / KEEP_ALL);
    size_t count = session_list->count - session_list->parked;
    return count > kept ? count - kept : 0;
}

void terminate_session(struct session *session)
{
    struct session_set *set = session->set;
    counter_add(&set->counters->overdue, 1);
    session_close(session, (enum session_end)atomic_load(&set->service->terminate_reason));
}

static int by_activity(const void *left, const void *right)
{
    const struct session *const *a = left;
    const struct session *const *b = right;
    return ((*a)->active_at > (*b)->active_at) - ((*a)->active_at < (*b)->active_at);
}

/* Of the sessions from the cursor on a slice: its share of the surplus, those first that have been
 * idle longest. What is rounded up here is not missing at the end. */
static void terminate_slice(struct quota *quota, struct session_list *session_list, size_t surplus)
{
    struct session *slice[TERMINATE_SLICE];
    size_t count = 0;
    struct session *session = session_list->cursor;
    for (; session && count < TERMINATE_SLICE; session = TAILQ_NEXT(session, link))
        if (!is_parked(session))
            slice[count++] = session;
    session_list->cursor = session;
    if (count == 0)
        return;
    size_t left = quota->left > count && session ? quota->left : count;
    quota->left = left - count;
    size_t share = (surplus * count + left - 1) / left;
    if (share < count)
        qsort(slice, count, sizeof *slice, by_activity);
    for (size_t i = 0; i < share && i < count; i++)
        terminate_session(slice[i]);
}

void terminate_surplus(struct session_set *set)
{
    for (size_t i = 0; i < set->service->frontend_count; i++) {
        struct session_list *session_list = &set->lists[i];
        struct quota *quota = &set->terminator.quotas[i];
        if (atomic_load(&set->service->frontends[i].keep) == KEEP_ALL)
            continue;
        if (!quota->begun)
            quota->first = session_list->count;
        quota->begun = true;
        quota->left = session_list->count - session_list->parked;
        session_list->cursor = TAILQ_FIRST(&session_list->list);
    }
    set->terminator.frontend = 0;
}

bool terminate_next(struct session_set *set)
{
    size_t *frontend = &set->terminator.frontend;
    for (; *frontend < set->service->frontend_count; ++*frontend) {
        struct session_list *session_list = &set->lists[*frontend];
        struct quota *quota = &set->terminator.quotas[*frontend];
        uint64_t keep = atomic_load(&set->service->frontends[*frontend].keep);
        size_t surplus = session_list->cursor ? surplus_of(quota, session_list, keep) : 0;
        if (surplus > 0) {
            terminate_slice(quota, session_list, surplus);
            return true;
        }
        session_list->cursor = NULL;
    }
    return false;
}
