#include "proxy/backend/passive.h"

#include "config/base/clock.h"
#include "config/base/happening.h"
#include "config/syntax/value.h"

static struct ejection_rules rules_of(const struct backend_conf *conf)
{
    return (struct ejection_rules){
        .max_fails = conf->max_fails, .window = conf->fail_window, .time = conf->eject_time};
}

static bool may_eject(const struct server *server)
{
    const struct server_set *set = backend_servers(server->backend);
    size_t ejected = 0, others = 0;
    for (size_t i = 0; i < set->count; i++) {
        ejected += ejection_holds(&set->list[i]->now.ejection);
        others += set->list[i] != server && server_is_usable(set->list[i]);
    }
    return server_is_usable(server) &&
           ejection_is_allowed(set->count, ejected, others, server->backend->conf->max_ejected);
}

void passive_note_failures(struct server *server, unsigned count, uint64_t now)
{
    const struct backend_conf *conf = server->backend->conf;
    const struct ejection_rules rules = rules_of(conf);
    struct ejection *ejection = &server->now.ejection;
    if (!ejection_note_failures(ejection, &server->fail_times, &rules, count, now) ||
        !may_eject(server))
        return;
    ejection_begin(ejection, &server->fail_times, &rules, now);
    char length[DURATION_TEXT_MAX], window[DURATION_TEXT_MAX];
    happened(HAPPENED_SERVER_EJECTED, LOG_LEVEL_WARNING,
             HAPPENING_FIELDS(happening_word("backend", conf->name),
                              happening_word("server", server->name),
                              happening_word("cause", "sessions failed"),
                              happening_number("for_ms", ejection->until - now)),
             "server %s/%s is ejected for %s: %u session%s failed at this server within %s",
             conf->name, server->name, duration_text(ejection->until - now, length),
             conf->max_fails, conf->max_fails > 1 ? "s" : "",
             duration_text(conf->fail_window, window));
    server_changed(server, false);
}

void passive_on_failures(void *arg)
{
    struct server *server = arg;
    unsigned count = atomic_exchange(&server->failures, 0);
    if (count > 0)
        passive_note_failures(server, count, clock_ms());
}
