#include "proxy/session/session_set.h"

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

/* Somebody looks at the times of sessions. */
static bool is_timed(const struct config *config)
{
    bool logs = false;
    for (size_t i = 0; i < config->frontend_count; i++)
        logs |= config->frontends[i].access_log.every > 0;
    return logs || config->metrics.count > 0;
}

int session_set_open(struct session_set *set, struct service *service, unsigned index,
                     struct stats *stats, void (*on_timer)(struct wheel_entry *timer))
{
    set->service = service;
    set->index = index;
    set->timed = is_timed(service->config);
    set->counters = stats_counters(stats, index);
    set->frontends_at = stats_place(stats, index, tally_frontend(&stats->tally, index, 0));
    set->backends_at = stats_place(stats, index, tally_backend(&stats->tally, index, 0));
    set->servers_at = stats_place(stats, index, tally_server(&stats->tally, index, 0));
    STAILQ_INIT(&set->transfers);
    STAILQ_INIT(&set->again);
    STAILQ_INIT(&set->dead);
    STAILQ_INIT(&set->spare);
    set->spares_most = SPARES_MAX;
    int error = open_lists(set, stats_worker_oldest(stats, index));
    if (!error)
        error = loop_open(&set->loop, on_timer, service->port_orders);
    if (error)
        free(set->lists);
    return error;
}

void session_set_close(struct session_set *set)
{
    loop_close(&set->loop);
    free(set->lists);
    tls_output_free(&set->tls_output);
}
