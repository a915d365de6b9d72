#include "config/needs.h"

#include <ctype.h>
#include <string.h>

/* --- what may be needed -------------------------------------------------------------------- */

static bool is_checked(const struct need_view *view)
{
    return view->backend->check.kind != CHECK_OFF;
}

static bool is_checked_or_follows(const struct need_view *view)
{
    for (size_t i = 0; i < view->backend->server_count; i++)
        if (view->backend->servers[i].check_track)
            return true;
    return is_checked(view);
}

static bool has_key(const struct need_view *view)
{
    return view->backend->balance == BALANCE_MAGLEV;
}

static bool has_source_key(const struct need_view *view)
{
    return view->backend->balance == BALANCE_SOURCE ||
           (view->backend->balance == BALANCE_MAGLEV && view->backend->hash == HASH_SOURCE);
}

/* The priorities of SRV records make backups as well. */
static bool has_backup(const struct need_view *view)
{
    for (size_t i = 0; i < view->backend->server_count; i++)
        if (view->backend->servers[i].backup || view->backend->servers[i].service)
            return true;
    return false;
}

static bool has_shares(const struct need_view *view)
{
    return view->backend->balance != BALANCE_FIRST;
}

static bool has_second_server(const struct need_view *view)
{
    return backend_most_servers(view->backend) > 1;
}

static bool ejects(const struct need_view *view)
{
    return view->backend->max_fails > 0;
}

static bool has_maxconn(const struct need_view *view)
{
    return backend_is_limited(view->backend);
}

static bool backend_has_name(const struct backend_conf *backend)
{
    for (size_t i = 0; i < backend->server_count; i++)
        if (backend->servers[i].host)
            return true;
    return false;
}

static bool has_name(const struct need_view *view)
{
    return backend_has_name(view->backend);
}

static bool backend_forwards(const struct backend_conf *backend)
{
    return backend->server_count > 0 && backend->servers[0].sni_port;
}

static bool has_name_or_forwards(const struct need_view *view)
{
    return has_name(view) || backend_forwards(view->backend);
}

static bool connects_by_tcp(const struct need_view *view)
{
    for (size_t i = 0; i < view->backend->server_count; i++)
        if (!address_is_unix(&view->backend->servers[i].address))
            return true;
    return false;
}

static bool accepts_by_tcp(const struct need_view *view)
{
    for (size_t i = 0; i < view->frontend->bind_count; i++)
        if (!address_is_unix(&view->frontend->binds[i].at.address))
            return true;
    return false;
}

static bool has_limit(const struct need_view *view)
{
    return view->frontend->max_sessions > 0 || view->frontend->max_rate.count > 0 ||
           view->config->max_sessions > 0;
}

static bool reads_header(const struct frontend_conf *frontend)
{
    for (size_t i = 0; i < frontend->bind_count; i++)
        if (frontend->binds[i].accept_proxy.rules.count > 0)
            return true;
    return frontend->accept_proxy.rules.count > 0;
}

static bool wants_server_name(const struct backend_conf *backend)
{
    return (backend->balance == BALANCE_MAGLEV && backend->hash == HASH_SNI) ||
           backend_forwards(backend);
}

static bool route_reads(const struct route *route)
{
    for (size_t i = 0; i < route->condition_count; i++)
        if (route_condition_is_of_bytes(&route->conditions[i]))
            return true;
    return route->map.file != NULL;
}

/* By a bind, or by a route. */
static bool ends_tls(const struct need_view *view)
{
    for (size_t i = 0; i < view->frontend->bind_count; i++)
        if (view->frontend->binds[i].tls)
            return true;
    return route_list_terminates(&view->frontend->routes);
}

static bool asks_for_certificates(const struct need_view *view)
{
    return ends_tls(view) && view->frontend->tls.client_ca.path;
}

static bool gives_tickets(const struct need_view *view)
{
    return ends_tls(view) && view->frontend->tls.tickets;
}

static bool speaks_tls_1_2(const struct need_view *view)
{
    return ends_tls(view) && view->frontend->tls.min == TLS_VERSION_1_2;
}

static bool speaks_tls_1_3(const struct need_view *view)
{
    return ends_tls(view) && view->frontend->tls.max == TLS_VERSION_1_3;
}

/* Any backend that wants a name is taken for one of this frontend: its maps are not searched. */
static bool waits_for_bytes(const struct need_view *view)
{
    const struct frontend_conf *frontend = view->frontend;
    for (size_t i = 0; i < frontend->routes.count; i++)
        if (route_reads(&frontend->routes.items[i]))
            return true;
    for (size_t i = 0; i < view->config->backend_count; i++)
        if (wants_server_name(&view->config->backends[i]))
            return true;
    return reads_header(frontend);
}

static bool any_name(const struct need_view *view)
{
    for (size_t i = 0; i < view->config->backend_count; i++)
        if (backend_has_name(&view->config->backends[i]) ||
            backend_forwards(&view->config->backends[i]))
            return true;
    return false;
}

static bool is_bind_with_name(const struct entry *entry)
{
    return entry->option->type == OPTION_BIND && isalpha((unsigned char)entry->value[0]) &&
           strncmp(entry->value, "unix:", 5) != 0 && !bind_text_is_activated(entry->value);
}

static bool any_name_or_bind(const struct need_view *view)
{
    for (size_t i = 0; i < view->document->section_count; i++) {
        const struct entry_list *members = &view->document->sections[i]->members;
        for (size_t j = 0; j < members->count; j++)
            if (is_bind_with_name(&members->items[j]))
                return true;
    }
    return any_name(view);
}

static bool any_source_limit(const struct need_view *view)
{
    for (size_t i = 0; i < view->config->frontend_count; i++)
        if (frontend_counts_sources(&view->config->frontends[i]))
            return true;
    return false;
}

static bool any_program(const struct need_view *view)
{
    for (size_t i = 0; i < view->config->backend_count; i++)
        if (view->config->backends[i].check.kind == CHECK_EXEC)
            return true;
    return false;
}

static bool any_drain_timeout(const struct need_view *view)
{
    for (size_t i = 0; i < view->config->frontend_count; i++)
        if (view->config->frontends[i].drain_timeout > 0)
            return true;
    return false;
}

static bool hands_off(const struct need_view *view)
{
    return view->config->drain == DRAIN_HANDOFF;
}

/* --- the tables ---------------------------------------------------------------------------- */

struct need {
    const char *option;
    enum option_owner owner; /* OWNER_CONFIG, _FRONTEND or _BACKEND */
    bool (*is_met)(const struct need_view *view);
    const char *text;
};

static const char no_check[] = "without check";
static const char no_tls[] = "without a bind with tls=yes";
static const char no_client_ca[] = "without a bind with tls=yes and client-ca";

static const struct need needs[] = {
    {"drain-spread", OWNER_CONFIG, any_drain_timeout, "without a drain-timeout"},
    {"on-removed", OWNER_CONFIG, hands_off, "without drain = handoff"},
    {"max-sources", OWNER_CONFIG, any_source_limit,
     "without max-sessions-per-source or rate-per-source in a frontend"},
    {"check-programs", OWNER_CONFIG, any_program, "without check = exec in a backend"},
    {"resolver", OWNER_CONFIG, any_name_or_bind, "without a server or bind that has a name"},
    {"resolve-timeout", OWNER_CONFIG, any_name_or_bind, "without a server or bind that has a name"},
    {"resolve-min", OWNER_CONFIG, any_name, "without a server that has a name"},
    {"resolve-max", OWNER_CONFIG, any_name, "without a server that has a name"},
    {"resolve-hold", OWNER_CONFIG, any_name, "without a server that has a name"},

    {"inspect-timeout", OWNER_FRONTEND, waits_for_bytes,
     "without accept-proxy, and without a route or a backend that needs the first bytes of a "
     "client"},
    {"over-limit", OWNER_FRONTEND, has_limit, "without max-sessions or max-rate"},
    {"congestion", OWNER_FRONTEND, accepts_by_tcp, "without a TCP bind"},
    {"keepalive", OWNER_FRONTEND, accepts_by_tcp, "without a TCP bind"},
    {"user-timeout", OWNER_FRONTEND, accepts_by_tcp, "without a TCP bind"},

    {"certificate", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-min", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-max", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-ciphers", OWNER_FRONTEND, speaks_tls_1_2, "without a bind with tls=yes and TLS 1.2"},
    {"tls-ciphersuites", OWNER_FRONTEND, speaks_tls_1_3, "without a bind with tls=yes and TLS 1.3"},
    {"tls-curves", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-alpn", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-unknown-name", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-tickets", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-ticket-keys", OWNER_FRONTEND, gives_tickets,
     "without a bind with tls=yes and tls-tickets"},
    {"tls-timeout", OWNER_FRONTEND, ends_tls, no_tls},
    {"tls-handshakes", OWNER_FRONTEND, ends_tls, no_tls},
    {"client-ca", OWNER_FRONTEND, ends_tls, no_tls},
    {"client-verify", OWNER_FRONTEND, asks_for_certificates, no_client_ca},
    {"client-crl", OWNER_FRONTEND, asks_for_certificates, no_client_ca},
    {"client-depth", OWNER_FRONTEND, asks_for_certificates, no_client_ca},

    {"congestion", OWNER_BACKEND, connects_by_tcp, "without a TCP server"},
    {"keepalive", OWNER_BACKEND, connects_by_tcp, "without a TCP server"},
    {"user-timeout", OWNER_BACKEND, connects_by_tcp, "without a TCP server"},
    {"source", OWNER_BACKEND, connects_by_tcp, "without a TCP server"},
    {"hash", OWNER_BACKEND, has_key, "without balance = maglev"},
    {"hash-prefix", OWNER_BACKEND, has_source_key,
     "without balance = source, or balance = maglev with hash = source"},
    {"backup", OWNER_BACKEND, has_backup, "without a server with the attribute backup"},
    {"failback", OWNER_BACKEND, has_backup, "without a server with the attribute backup"},
    {"slow-start", OWNER_BACKEND, has_shares, "with balance = first, which knows no shares"},
    {"max-fails", OWNER_BACKEND, has_second_server,
     "without a second server: the only one is never ejected"},
    {"fail-window", OWNER_BACKEND, ejects, "without max-fails"},
    {"eject-time", OWNER_BACKEND, ejects, "without max-fails"},
    {"max-ejected", OWNER_BACKEND, ejects, "without max-fails"},
    {"max-queue", OWNER_BACKEND, has_maxconn, "without a server with the attribute maxconn"},
    {"queue-timeout", OWNER_BACKEND, has_maxconn, "without a server with the attribute maxconn"},
    {"resolve", OWNER_BACKEND, has_name, "without a server that has a name"},
    {"resolve-family", OWNER_BACKEND, has_name_or_forwards, "without a server that has a name"},
    {"start-unresolved", OWNER_BACKEND, has_name, "without a server that has a name"},
    {"check-interval", OWNER_BACKEND, is_checked, no_check},
    {"check-interval-fast", OWNER_BACKEND, is_checked, no_check},
    {"check-interval-down", OWNER_BACKEND, is_checked, no_check},
    {"check-jitter", OWNER_BACKEND, is_checked, no_check},
    {"check-timeout", OWNER_BACKEND, is_checked, no_check},
    {"rise", OWNER_BACKEND, is_checked, no_check},
    {"fall", OWNER_BACKEND, is_checked, no_check},
    {"check-initial", OWNER_BACKEND, is_checked, no_check},
    {"check-port", OWNER_BACKEND, is_checked, no_check},
    {"check-address", OWNER_BACKEND, is_checked, no_check},
    {"check-tls", OWNER_BACKEND, is_checked, no_check},
    {"check-verify", OWNER_BACKEND, is_checked, no_check},
    {"check-crl", OWNER_BACKEND, is_checked, no_check},
    {"check-sni", OWNER_BACKEND, is_checked, no_check},
    {"check-cert", OWNER_BACKEND, is_checked, no_check},
    {"check-alpn", OWNER_BACKEND, is_checked, no_check},
    {"check-proxy", OWNER_BACKEND, is_checked, no_check},
    {"check-close", OWNER_BACKEND, is_checked, no_check},
    {"on-down", OWNER_BACKEND, is_checked_or_follows, no_check},
};

/* The section says that its servers are not checked: it keeps the rest for later. */
static bool is_turned_off(const struct need *need, const struct section *section)
{
    const struct entry *check = section_setting(section, option_find(SECTION_BACKEND, "check"));
    return need->text == no_check && check && strcmp(check->value, "off") == 0;
}

static bool applies(const struct need *need, const struct need_view *view)
{
    return need->owner == OWNER_CONFIG || (need->owner == OWNER_FRONTEND && view->frontend) ||
           (need->owner == OWNER_BACKEND && view->backend);
}

const char *needs_missing(const struct need_view *view, const struct section *section,
                          const struct entry *entry)
{
    const char *missing = NULL;
    if (entry->option->initial && strcmp(entry->option->initial, entry->value) == 0)
        return NULL;
    for (size_t i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        const struct need *need = &needs[i];
        if (strcmp(need->option, entry->option->name) != 0 || !applies(need, view) ||
            !option_is_of(entry->option, need->owner))
            continue;
        /* An option of frontends and backends has an effect if it has one in either. */
        if (need->is_met(view) || is_turned_off(need, section))
            return NULL;
        missing = need->text;
    }
    return missing;
}

const char *needs_missing_of_server(const struct backend_conf *backend,
                                    const struct server_conf *server, const char **attribute)
{
    bool is_checked_itself = backend->check.kind != CHECK_OFF && !server->check_track;
    *attribute = server->check_port ? "check-port" : "check-address";
    if ((server->check_port || server->check_address.length) && server->check_track)
        return "with check-track: the checks of another server count";
    if ((server->check_port || server->check_address.length) && !is_checked_itself)
        return no_check;
    *attribute = "weight";
    if (backend->balance == BALANCE_FIRST && server->weight > 1)
        return "with balance = first, which knows no shares";
    return NULL;
}
