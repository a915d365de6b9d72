#include "proxy/session/terminate.h"

#include "proxy/session/session.h"

#include <errno.h>
#include <stdlib.h>

/* One worker's sessions of one frontend. */
struct quota {
    size_t first; /* how many there were when terminating began */
    bool begun;
    size_t left; /* of this round, about so many have not been looked at */
};

int terminator_open(struct terminator *terminator, struct session_set *set)
{
    terminator->set = set;
    terminator->quotas = calloc(set->service->frontend_count, sizeof *terminator->quotas);
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
    struct session_entry *entry = session_list->cursor;
    for (; entry && count < TERMINATE_SLICE; entry = TAILQ_NEXT(entry, link))
        if (!is_parked(session_of(entry)))
            slice[count++] = session_of(entry);
    session_list->cursor = entry;
    if (count == 0)
        return;
    size_t left = quota->left > count && entry ? quota->left : count;
    quota->left = left - count;
    size_t share = (surplus * count + left - 1) / left;
    if (share < count)
        qsort(slice, count, sizeof *slice, by_activity);
    for (size_t i = 0; i < share && i < count; i++)
        session_terminate(slice[i]);
}

void terminate_surplus(struct terminator *terminator)
{
    struct session_set *set = terminator->set;
    for (size_t i = 0; i < set->service->frontend_count; i++) {
        struct session_list *session_list = &set->lists[i];
        struct quota *quota = &terminator->quotas[i];
        if (atomic_load(&set->service->frontends[i].keep) == KEEP_ALL)
            continue;
        if (!quota->begun)
            quota->first = session_list->count;
        quota->begun = true;
        quota->left = session_list->count - session_list->parked;
        session_list->cursor = TAILQ_FIRST(&session_list->list);
    }
    terminator->frontend = 0;
}

bool terminate_next(struct terminator *terminator)
{
    struct session_set *set = terminator->set;
    size_t *frontend = &terminator->frontend;
    for (; *frontend < set->service->frontend_count; ++*frontend) {
        struct session_list *session_list = &set->lists[*frontend];
        struct quota *quota = &terminator->quotas[*frontend];
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
