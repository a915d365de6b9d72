#include "config/check_rules.h"

#include <string.h>

#define OF(kind) (1u << (kind))
#define LOGINS   (OF(CHECK_REDIS) | OF(CHECK_PGSQL) | OF(CHECK_MYSQL))

/* Options that only some kinds of checks look at. */
static const struct {
    const char *option;
    unsigned kinds;
    const char *text;
} rules[] = {
    {"check-method", OF(CHECK_HTTP), "check = http"},
    {"check-path", OF(CHECK_HTTP), "check = http"},
    {"check-host", OF(CHECK_HTTP) | OF(CHECK_SMTP), "check = http or smtp"},
    {"check-header", OF(CHECK_HTTP), "check = http"},
    {"check-status", OF(CHECK_HTTP), "check = http"},
    {"check-body", OF(CHECK_HTTP), "check = http"},
    {"check-step", OF(CHECK_STEPS), "check = steps"},
    {"check-user", LOGINS, "check = redis, pgsql or mysql"},
    {"check-password", LOGINS, "check = redis, pgsql or mysql"},
    {"check-database", OF(CHECK_PGSQL) | OF(CHECK_MYSQL), "check = pgsql or mysql"},
    {"check-role", LOGINS, "check = redis, pgsql or mysql"},
    {"check-command", OF(CHECK_EXEC), "check = exec"},
};

static const struct entry *find_in(const struct entry_list *list, const char *name)
{
    for (size_t i = 0; i < list->count; i++)
        if (strcmp(list->items[i].option->name, name) == 0)
            return &list->items[i];
    return NULL;
}

static const struct entry *find_setting(const struct section *section, const char *name)
{
    return find_in(&section->settings, name);
}

/* One that has no effect here: "check = http" was forgotten, and a wrong server would do. Checks
 * that are turned off in the same section are meant to be. */
static void check_entry(const struct entry *entry, const struct backend_conf *backend,
                        struct problems *problems)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (strcmp(rules[i].option, entry->option->name) == 0 &&
            !(rules[i].kinds & OF(backend->check.kind)))
            problem_add(problems, entry->place, "%s: has no effect without %s", rules[i].option,
                        rules[i].text);
}

static void check_entries(const struct section *section, const struct backend_conf *backend,
                          struct problems *problems)
{
    if (backend->check.kind == CHECK_OFF && find_setting(section, "check"))
        return;
    for (size_t i = 0; i < section->settings.count; i++)
        check_entry(&section->settings.items[i], backend, problems);
    for (size_t i = 0; i < section->members.count; i++)
        check_entry(&section->members.items[i], backend, problems);
}

/* What [defaults] says for other kinds of checks. */
static void drop_others(struct backend_conf *backend)
{
    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++)
        if (!(rules[i].kinds & OF(backend->check.kind)))
            option_release(option_find(SECTION_BACKEND, rules[i].option), backend);
}

static bool uses_tls(const struct check_conf *check)
{
    return check->tls || check->kind == CHECK_TLS;
}

static bool is_database(const struct check_conf *check)
{
    return check->kind == CHECK_PGSQL || check->kind == CHECK_MYSQL;
}

static const char *wrong_with(const struct check_conf *check, const struct section *section)
{
    if (check->kind == CHECK_STEPS && check->step_count == 0 &&
        !find_in(&section->members, "check-step"))
        return "check = steps needs a check-step";
    if (check->kind == CHECK_EXEC && !check->command && !find_setting(section, "check-command"))
        return "check = exec needs a check-command";
    if (is_database(check) && check->role != CHECK_ROLE_ANY && !check->user)
        return "check-role needs a check-user that may log in";
    if (is_database(check) && check->password && !check->user)
        return "check-password needs a check-user";
    if (check->kind == CHECK_REDIS && check->user && !check->password)
        return "check-user needs a check-password";
    if (check->kind == CHECK_MYSQL && check->database && !check->user)
        return "check-database needs a check-user that may log in";
    if (check->kind == CHECK_OFF || uses_tls(check))
        return NULL;
    if (check->verify && find_setting(section, "check-verify"))
        return "check-verify has no effect without check-tls = yes or check = tls";
    if (find_setting(section, "check-sni"))
        return "check-sni has no effect without check-tls = yes or check = tls";
    return NULL;
}

/* NULL: the server can be checked. */
static const char *wrong_with_server(const struct check_conf *check,
                                     const struct server_conf *server)
{
    unsigned port = server->check_port ? server->check_port : check->port;
    bool elsewhere = server->check_address.length || check->address.length;
    if (check->kind == CHECK_OFF || check->kind == CHECK_EXEC || server->check_track ||
        server->sni_port)
        return NULL;
    if (address_is_unix(&server->address) && port && !elsewhere)
        return "a Unix socket has no port that could be checked";
    bool portless = server->keeps_port || (!server->host && address_port(&server->address) == 0);
    if ((!address_is_unix(&server->address) || elsewhere) && !port && portless)
        return "it has no port that could be checked; add check-port=PORT";
    return NULL;
}

static void check_servers(const struct section *section, const struct backend_conf *backend,
                          struct problems *problems)
{
    size_t at = 0;
    for (size_t i = 0; i < section->members.count; i++) {
        const struct entry *entry = &section->members.items[i];
        if (entry->option->type != OPTION_SERVER)
            continue;
        while (at < backend->server_count && backend->servers[at].line < entry->place.line)
            at++;
        if (at == backend->server_count || backend->servers[at].line != entry->place.line)
            continue; /* it has been reported */
        const char *wrong = wrong_with_server(&backend->check, &backend->servers[at]);
        if (wrong)
            problem_add(problems, entry->place, "server %s: %s", backend->servers[at].name, wrong);
    }
}

void check_rules_backend(const struct section *section, struct backend_conf *backend,
                         struct problems *problems)
{
    const struct entry *kind = find_setting(section, "check");
    const char *wrong = wrong_with(&backend->check, section);
    check_entries(section, backend, problems);
    drop_others(backend);
    if (wrong)
        problem_add(problems, kind ? kind->place : section->place, "%s", wrong);
    check_servers(section, backend, problems);
}

/* --- tracks -------------------------------------------------------------------------------- */

/* The server that "BACKEND/SERVER" names, or NULL. */
static const struct server_conf *find_server(const struct config *config, const char *name,
                                             const struct backend_conf **backend)
{
    size_t length = strcspn(name, "/");
    for (size_t i = 0; i < config->backend_count && name[length]; i++) {
        *backend = &config->backends[i];
        if (strlen((*backend)->name) != length || strncmp((*backend)->name, name, length) != 0)
            continue;
        for (size_t j = 0; j < (*backend)->server_count; j++)
            if (strcmp((*backend)->servers[j].name, name + length + 1) == 0)
                return &(*backend)->servers[j];
    }
    return NULL;
}

/* The circle of servers that begins with this one. */
static bool follows_itself(const struct config *config, const struct server_conf *server)
{
    const struct backend_conf *backend;
    size_t count = 0, most = 0;
    for (size_t i = 0; i < config->backend_count; i++)
        most += config->backends[i].server_count;
    for (const struct server_conf *next = server; next && next->check_track && count <= most;
         count++) {
        next = find_server(config, next->check_track, &backend);
        if (next == server)
            return true;
    }
    return count > most;
}

static void check_track(const struct config *config, const struct server_conf *server,
                        struct place place, struct problems *problems)
{
    const struct backend_conf *backend;
    const struct server_conf *lead = find_server(config, server->check_track, &backend);
    if (!strchr(server->check_track, '/'))
        problem_add(problems, place, "server: check-track '%s' must be BACKEND/SERVER",
                    server->check_track);
    else if (!lead)
        problem_add(problems, place, "server: check-track: there is no server '%s'",
                    server->check_track);
    else if (follows_itself(config, server))
        problem_add(problems, place, "server: check-track=%s is a circle: %s would follow itself",
                    server->check_track, server->name);
    else if (lead->what == RESOLVE_ALL)
        problem_add(problems, place, "server: check-track: %s is several servers (resolve=all)",
                    server->check_track);
    else if (!lead->check_track && backend->check.kind == CHECK_OFF)
        problem_add(problems, place, "server: check-track: %s is not checked (check = off)",
                    server->check_track);
}

void check_rules_tracks(const struct config *config, const struct place *places,
                        struct problems *problems)
{
    size_t at = 0;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++, at++)
            if (config->backends[i].servers[j].check_track)
                check_track(config, &config->backends[i].servers[j], places[at], problems);
}
