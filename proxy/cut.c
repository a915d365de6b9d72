#include "proxy/cut.h"

#include "proxy/proxy.h"
#include "proxy/session.h"
#include "proxy/worker.h"

#include <errno.h>
#include <stdlib.h>

int cutter_open(struct cutter *cutter, size_t frontends)
{
    cutter->quotas = calloc(frontends, sizeof *cutter->quotas);
    return cutter->quotas ? 0 : ENOMEM;
}

void cutter_close(struct cutter *cutter)
{
    free(cutter->quotas);
}

static struct quota *quota_of(struct worker *worker, const struct session *session)
{
    return &worker->cutter.quotas[session->frontend - worker->proxy->frontends];
}

static void count_sessions(struct worker *worker)
{
    const struct session *session;
    for (size_t i = 0; i < worker->proxy->frontend_count; i++)
        worker->cutter.quotas[i].now = worker->cutter.quotas[i].parked = 0;
    TAILQ_FOREACH (session, &worker->sessions, link)
        quota_of(worker, session)->now++;
    TAILQ_FOREACH (session, &worker->parked, link)
        quota_of(worker, session)->parked++;
}

/* Returns how many sessions the frontends have of which some are too many; *surplus: these. */
static size_t find_surplus(struct worker *worker, size_t *surplus)
{
    size_t concerned = 0;
    *surplus = 0;
    for (size_t i = 0; i < worker->proxy->frontend_count; i++) {
        struct quota *quota = &worker->cutter.quotas[i];
        uint64_t keep = atomic_load(&worker->proxy->frontends[i].keep);
        quota->surplus = 0;
        if (keep == KEEP_ALL)
            continue;
        if (!quota->begun)
            quota->first = quota->now + quota->parked;
        quota->begun = true;
        size_t kept = (size_t)((quota->first * keep + KEEP_ALL - 1) / KEEP_ALL);
        if (quota->now <= kept)
            continue;
        quota->surplus = quota->now - kept;
        *surplus += quota->surplus;
        concerned += quota->now;
    }
    return concerned;
}

void cut_session(struct session *session)
{
    struct worker *worker = session->worker;
    counter_add(&worker->cutter.count, 1);
    session_close(session, (enum session_end)atomic_load(&worker->proxy->cut_reason));
}

static void cut_one(struct worker *worker, struct session *session)
{
    struct quota *quota = quota_of(worker, session);
    if (quota->surplus == 0)
        return;
    quota->surplus--;
    cut_session(session);
}

static void cut_in_order_of_age(struct worker *worker)
{
    struct session *session, *next;
    for (session = TAILQ_FIRST(&worker->sessions); session; session = next) {
        next = TAILQ_NEXT(session, link);
        cut_one(worker, session);
    }
}

static int by_activity(const void *left, const void *right)
{
    const struct session *const *a = left;
    const struct session *const *b = right;
    return ((*a)->active_at > (*b)->active_at) - ((*a)->active_at < (*b)->active_at);
}

void cut_surplus(struct worker *worker)
{
    count_sessions(worker);
    size_t surplus, count = 0;
    size_t concerned = find_surplus(worker, &surplus);
    if (surplus == 0)
        return;
    struct session **list =
        surplus < concerned ? reallocarray(NULL, concerned, sizeof *list) : NULL;
    if (!list) {
        cut_in_order_of_age(worker);
        return;
    }
    struct session *session;
    TAILQ_FOREACH (session, &worker->sessions, link)
        if (quota_of(worker, session)->surplus)
            list[count++] = session;
    qsort(list, count, sizeof(struct session *), by_activity);
    for (size_t i = 0; i < count; i++)
        cut_one(worker, list[i]);
    free(list);
}
