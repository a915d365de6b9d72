#include "reload/control/servers.h"

#include "config/base/clock.h"
#include "config/syntax/suggest.h"
#include "config/syntax/value.h"
#include "proxy/backend/queue.h"
#include "reload/base/text.h"
#include "reload/control/figures_json.h"

#include <stdio.h>
#include <string.h>

static json_t *last_check(const struct server *server)
{
    if (server->now.last_error == SERVER_UNCHECKED)
        return json_null();
    return json_string(server_last_check(server));
}

static void format_shifted(const struct address *address, int shift,
                           char text[static ADDRESS_TEXT_MAX])
{
    address_format_portless(address, text);
    size_t length = strlen(text);
    snprintf(text + length, ADDRESS_TEXT_MAX - length, ":%+d", shift);
}

static json_t *address_json(const struct server *server)
{
    char text[ADDRESS_TEXT_MAX] = "none";
    const struct address *address = server_address(server);
    if (address && !server->conf->port_shift)
        address_format_portless(address, text);
    else if (address)
        format_shifted(address, server->conf->port_shift, text);
    else if (server->conf->sni_port)
        memcpy(text, server->conf->text, sizeof text);
    return text_json(text, strlen(text));
}

/* In percent of the weight. */
static int share_percent(const struct server *server)
{
    unsigned whole = server->now.weight * SHARE_OF_ONE;
    return whole ? (int)(server_share(server) * 100 / whole) : 0;
}

static json_int_t ejected_for(const struct server *server)
{
    uint64_t until = server->now.ejection.until, now = clock_ms();
    return until > now ? (json_int_t)(until - now) : 0;
}

static void set_places(json_t *object, const struct seat *seat)
{
    unsigned maxconn = atomic_load(&seat->record->maxconn);
    unsigned used = atomic_load(&seat->record->sessions.used) + seat->others;
    json_object_set_new(object, "maxconn",
                        json_integer(maxconn == LIMIT_NONE ? 0 : (json_int_t)maxconn));
    json_object_set_new(object, "places", json_integer((json_int_t)used));
}

static void set_queue(json_t *object, const struct backend *backend,
                      const struct backend_figures *figures)
{
    json_object_set_new(object, "waiting",
                        json_integer((json_int_t)pool_waiting(&backend->queue->pool)));
    json_object_set_new(object, "most_waiting", json_integer((json_int_t)figures->most_waiting));
    json_object_set_new(object, "max_queue", json_integer((json_int_t)backend->conf->max_queue));
    figures_json_queue(object, figures);
}

/* Of a server with a name: what it is, and how old the answer is that its address comes from. */
static void set_host(json_t *object, const struct server *server)
{
    const struct server_conf *conf = server->conf;
    uint64_t at = server->now.answered_at, now = clock_ms();
    json_object_set_new(object, "host", json_string(conf->text));
    json_object_set_new(object, "answer_age_ms",
                        at ? json_integer((json_int_t)(now > at ? now - at : 0)) : json_null());
}

static void set_agent(json_t *object, const struct server *server)
{
    int percent = server->now.agent_percent;
    json_object_set_new(object, "agent", json_string(server_agent_name(server)));
    json_object_set_new(object, "agent_percent", percent < 0 ? json_null() : json_integer(percent));
}

static json_t *server_json(const struct server *server, const struct tally_sums *sums)
{
    const struct server_state *now = &server->now;
    json_t *json =
        json_pack("{s:s, s:o, s:s, s:o, s:s, s:i, s:b, s:I, s:b, s:i, s:I}", "name", server->name,
                  "address", address_json(server), "check", server_check_name(server), "last_check",
                  last_check(server), "admin", server_admin_name(now->admin), "weight",
                  (int)now->weight, "usable", server_share(server) > 0, "changed_at",
                  (json_int_t)now->changed_at, "backup", server->now.backup, "share_percent",
                  share_percent(server), "ejected_ms", ejected_for(server));
    figures_json_server(json, &sums->servers[server->record], &sums->events[server->record]);
    if (json && server->seat)
        set_places(json, server->seat);
    if (json && server->conf->host)
        set_host(json, server);
    if (json && server->backend->conf->check.kind == CHECK_AGENT)
        set_agent(json, server);
    if (json && server->conf->check_track)
        json_object_set_new(json, "follows", json_string(server->conf->check_track));
    return json;
}

json_t *servers_json(const struct proxy *proxy, const struct tally_sums *sums)
{
    json_t *list = json_array();
    for (size_t i = 0; i < proxy->service.config->backend_count; i++) {
        const struct backend *backend = &proxy->service.backends[i];
        const struct server_set *set = backend_servers(backend);
        json_t *servers = json_array();
        for (size_t j = 0; j < set->count; j++)
            json_array_append_new(servers, server_json(set->list[j], sums));
        json_t *item = json_pack("{s:s, s:I, s:o}", "name", backend->conf->name, "usable",
                                 (json_int_t)backend->usable, "servers", servers);
        if (item && backend->queue)
            set_queue(item, backend, &sums->backends[i]);
        json_array_append_new(list, item);
    }
    return list;
}

static struct backend *find_backend(const struct proxy *proxy, const char *name,
                                    char text[static SERVERS_TEXT_MAX])
{
    struct backend *backend = service_backend(&proxy->service, name);
    if (backend)
        return backend;
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(name);
    for (size_t i = 0; i < proxy->service.config->backend_count; i++)
        suggest_offer(&suggestion, proxy->service.config->backends[i].name);
    snprintf(text, SERVERS_TEXT_MAX, "there is no backend '%s'%s", name,
             suggest_text(&suggestion, hint));
    return NULL;
}

static struct server *find_in(const struct backend *backend, const char *name,
                              char text[static SERVERS_TEXT_MAX])
{
    struct server *server = backend_find(backend, name);
    if (server)
        return server;
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(name);
    const struct server_set *set = backend_servers(backend);
    for (size_t i = 0; i < set->count; i++)
        suggest_offer(&suggestion, set->list[i]->name);
    snprintf(text, SERVERS_TEXT_MAX, "backend %s has no server '%s'%s", backend->conf->name, name,
             suggest_text(&suggestion, hint));
    return NULL;
}

static struct server *find(const struct proxy *proxy, const char *which,
                           char text[static SERVERS_TEXT_MAX])
{
    char name[256];
    size_t length = strcspn(which, "/");
    if (which[length] == '\0' || length >= sizeof name) {
        snprintf(text, SERVERS_TEXT_MAX, "'%s' must be BACKEND/SERVER", which);
        return NULL;
    }
    memcpy(name, which, length);
    name[length] = '\0';
    struct backend *backend = find_backend(proxy, name, text);
    return backend ? find_in(backend, which + length + 1, text) : NULL;
}

static bool change_weight(struct server *server, const char *number,
                          char text[static SERVERS_TEXT_MAX])
{
    uint64_t weight;
    if (value_unsigned(number, &weight) || weight > SERVER_WEIGHT_MAX) {
        snprintf(text, SERVERS_TEXT_MAX, "weight '%s' must be 0 to %d", number, SERVER_WEIGHT_MAX);
        return false;
    }
    server_set_weight(server, (unsigned)weight);
    return true;
}

static bool change_maxconn(struct server *server, const char *number,
                           char text[static SERVERS_TEXT_MAX])
{
    uint64_t maxconn = 0;
    if (strcmp(number, "unlimited") != 0 &&
        (value_unsigned(number, &maxconn) || maxconn == 0 || maxconn > SESSIONS_MAX)) {
        snprintf(text, SERVERS_TEXT_MAX, "maxconn '%s' must be unlimited or 1 to %d", number,
                 SESSIONS_MAX);
        return false;
    }
    if (server_set_maxconn(server, (unsigned)maxconn))
        return true;
    snprintf(text, SERVERS_TEXT_MAX,
             "backend %s has no queue, since no server of it has maxconn in the file: set it there "
             "and reload",
             server->backend->conf->name);
    return false;
}

static bool change(struct server *server, const char *what, char text[static SERVERS_TEXT_MAX])
{
    if (strncmp(what, "maxconn=", 8) == 0)
        return change_maxconn(server, what + 8, text);
    if (strncmp(what, "weight=", 7) == 0)
        return change_weight(server, what + 7, text);
    for (enum admin_state admin = ADMIN_READY; admin <= ADMIN_MAINT; admin++)
        if (strcmp(what, server_admin_name(admin)) == 0) {
            server_set_admin(server, admin);
            return true;
        }
    snprintf(text, SERVERS_TEXT_MAX, "'%s' must be ready, drain, maint, weight=N or maxconn=N",
             what);
    return false;
}

enum exit_status servers_command(struct proxy *proxy, const char *which, const char *what,
                                 char text[static SERVERS_TEXT_MAX])
{
    struct server *server = find(proxy, which ? which : "", text);
    if (!server || !change(server, what ? what : "", text))
        return EXIT_OTHER;
    char sessions[SESSIONS_TEXT_MAX];
    snprintf(text, SERVERS_TEXT_MAX, "%s/%s: %s, weight %u, check %s, %s",
             server->backend->conf->name, server->name, server_admin_name(server->now.admin),
             server->now.weight, server_check_name(server),
             sessions_text(server_count_sessions(server).live, sessions));
    return EXIT_DONE;
}
