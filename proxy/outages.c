#include "proxy/outages.h"

#include "config/base/clock.h"
#include "proxy/stats/tally.h"

#include <errno.h>

static const struct timeval interval = {.tv_sec = 1};

/* Between two lines about failures that go on. */
#define AGAIN_MS 60000u

static const char *failure_text(const struct server *server, enum connect_failure failure)
{
    const char *tls = atomic_load(&server->tls_error);
    switch (failure) {
    case CONNECT_TLS_FAILED:
        return tls ? tls : "the TLS handshake fails";
    case CONNECT_REFUSED:
        return "the connection is refused";
    case CONNECT_TIMED_OUT:
        return "no answer comes within connect-timeout";
    case CONNECT_UNREACHABLE:
        return "the address is not reachable";
    case CONNECT_NO_PORT:
        return "no local port is free for a connection to it";
    case CONNECT_FAILED:
    case CONNECT_FAILURES:
        break;
    }
    return "the connection fails";
}

/* Attempts to connect to the server that failed since the last look; *reason: of most of them. */
static uint64_t new_failures(struct server *server, enum connect_failure *reason)
{
    const struct tally *tally = server->backend->tally;
    uint64_t sum = 0, most = 0;
    for (unsigned i = 0; i < CONNECT_FAILURES; i++) {
        uint64_t all = atomic_load_explicit(
            &tally_events(tally, server->record, false)[COUNTER_OF(server_events, failures) + i],
            memory_order_relaxed);
        uint64_t fresh = all - server->outage.seen[i];
        server->outage.seen[i] = all;
        sum += fresh;
        if (fresh > most) {
            most = fresh;
            *reason = (enum connect_failure)i;
        }
    }
    return sum;
}

static void look_at_server(struct server *server, uint64_t now)
{
    struct server_outage *outage = &server->outage;
    enum connect_failure reason = CONNECT_FAILED;
    uint64_t fresh = new_failures(server, &reason);
    const char *backend = server->backend->conf->name;
    if (fresh == 0) {
        if (condition_over(&outage->condition, now))
            happened(HAPPENED_SERVER_WELL, LOG_LEVEL_NOTICE,
                     HAPPENING_FIELDS(SERVER_FIELDS(server)),
                     "server %s/%s: no session has failed to connect for %u s", backend,
                     server->name, CONDITION_QUIET_MS / 1000);
        return;
    }
    outage->untold += fresh;
    bool begins = condition_met(&outage->condition, (int)reason + 1, now);
    if (!begins && now - outage->told_at < AGAIN_MS)
        return;
    happened(HAPPENED_SERVER_FAILING, LOG_LEVEL_WARNING,
             HAPPENING_FIELDS(SERVER_FIELDS(server),
                              happening_word("cause", failure_text(server, reason)),
                              happening_number("attempts", outage->untold)),
             "server %s/%s cannot be connected: %s (attempts of sessions: %llu)", backend,
             server->name, failure_text(server, reason), (unsigned long long)outage->untold);
    outage->told_at = now;
    outage->untold = 0;
}

static void look_at_servers(const struct service *service, uint64_t now)
{
    for (size_t i = 0; i < service->config->backend_count; i++) {
        const struct backend *backend = &service->backends[i];
        const struct server_set *servers = backend_servers(backend);
        for (size_t j = 0; backend->tally && j < servers->count; j++)
            look_at_server(servers->list[j], now);
    }
}

static void on_tick(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    const struct outages *outages = arg;
    look_at_servers(outages->service, clock_ms());
}

int outages_begin(struct outages *outages, struct service *service, struct event_base *base)
{
    outages->service = service;
    outages->tick = event_new(base, -1, EV_PERSIST, on_tick, outages);
    if (!outages->tick)
        return ENOMEM;
    event_add(outages->tick, &interval);
    return 0;
}

void outages_end(struct outages *outages)
{
    if (outages->tick)
        event_free(outages->tick);
    outages->tick = NULL;
}
