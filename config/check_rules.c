#include "config/check_rules.h"

#include "config/base/memory.h"

#include <stdint.h>
#include <stdlib.h>
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
    if (check->kind == CHECK_OFF)
        return NULL;
    if (check->crl && !(check->verify && uses_tls(check)) && find_setting(section, "check-crl"))
        return "check-crl needs check-verify = FILE or system, and check-tls = yes or check = tls";
    if (uses_tls(check))
        return NULL;
    if (check->verify && find_setting(section, "check-verify"))
        return "check-verify has no effect without check-tls = yes or check = tls";
    if (find_setting(section, "check-sni"))
        return "check-sni has no effect without check-tls = yes or check = tls";
    if (find_setting(section, "check-cert"))
        return "check-cert has no effect without check-tls = yes or check = tls";
    if (find_setting(section, "check-alpn"))
        return "check-alpn has no effect without check-tls = yes or check = tls";
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

/* A server of the configuration, and the one that it follows. */
struct tracked {
    const struct backend_conf *backend;
    const struct server_conf *server;
    const struct place *place;
    size_t lead;     /* NO_LEAD: it follows none, or one that does not exist */
    unsigned walk;   /* the last walk along the leads that came here; 0: none */
    bool is_endless; /* the walk from here comes to no end: there is a circle */
};

#define NO_LEAD SIZE_MAX

/* Sorted by the names of backend and server. */
struct tracks {
    struct tracked *items;
    size_t count;
};

static int by_names(const void *left, const void *right)
{
    const struct tracked *a = left, *b = right;
    int order = strcmp(a->backend->name, b->backend->name);
    return order ? order : strcmp(a->server->name, b->server->name);
}

static struct tracks collect(const struct config *config, const struct place *places)
{
    struct tracks tracks = {0};
    for (size_t i = 0; i < config->backend_count; i++)
        tracks.count += config->backends[i].server_count;
    tracks.items = memory_new(tracks.count + 1, sizeof *tracks.items);
    struct tracked *next = tracks.items;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++)
            *next++ = (struct tracked){.backend = &config->backends[i],
                                       .server = &config->backends[i].servers[j],
                                       .place = places++,
                                       .lead = NO_LEAD};
    qsort(tracks.items, tracks.count, sizeof *tracks.items, by_names);
    return tracks;
}

/* "BACKEND/SERVER" comes after the server (> 0), before it (< 0), or names it. */
static int compare_name(const char *name, const struct tracked *tracked)
{
    const char *backend = tracked->backend->name;
    size_t length = strcspn(name, "/");
    int order = strncmp(name, backend, length);
    if (order)
        return order;
    return backend[length] ? -1 : strcmp(name + length + 1, tracked->server->name);
}

/* NO_LEAD: there is no such server. */
static size_t find_server(const struct tracks *tracks, const char *name)
{
    size_t low = 0, high = strchr(name, '/') ? tracks->count : 0;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare_name(name, &tracks->items[middle]);
        if (order == 0)
            return middle;
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NO_LEAD;
}

/* Each server is walked past twice at most, however long the chains are. */
static void find_circles(struct tracks *tracks)
{
    for (size_t i = 0; i < tracks->count; i++) {
        const unsigned walk = (unsigned)i + 1;
        size_t at = i;
        while (at != NO_LEAD && tracks->items[at].walk == 0) {
            tracks->items[at].walk = walk;
            at = tracks->items[at].lead;
        }
        const bool is_endless =
            at != NO_LEAD && (tracks->items[at].walk == walk || tracks->items[at].is_endless);
        for (at = i; is_endless && !tracks->items[at].is_endless; at = tracks->items[at].lead)
            tracks->items[at].is_endless = true;
    }
}

static void check_track(const struct tracks *tracks, const struct tracked *tracked,
                        struct problems *problems)
{
    const char *name = tracked->server->check_track;
    const struct tracked *lead = tracked->lead == NO_LEAD ? NULL : &tracks->items[tracked->lead];
    const struct place place = *tracked->place;
    if (!strchr(name, '/'))
        problem_add(problems, place, "server: check-track '%s' must be BACKEND/SERVER", name);
    else if (!lead)
        problem_add(problems, place, "server: check-track: there is no server '%s'", name);
    else if (tracked->is_endless)
        problem_add(problems, place, "server: check-track=%s is a circle: %s would follow itself",
                    name, tracked->server->name);
    else if (lead->server->what == RESOLVE_ALL)
        problem_add(problems, place, "server: check-track: %s is several servers (resolve=all)",
                    name);
    else if (!lead->server->check_track && lead->backend->check.kind == CHECK_OFF)
        problem_add(problems, place, "server: check-track: %s is not checked (check = off)", name);
}

void check_rules_tracks(const struct config *config, const struct place *places,
                        struct problems *problems)
{
    bool any = false;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++)
            any |= config->backends[i].servers[j].check_track != NULL;
    if (!any)
        return;
    struct tracks tracks = collect(config, places);
    for (size_t i = 0; i < tracks.count; i++)
        if (tracks.items[i].server->check_track)
            tracks.items[i].lead = find_server(&tracks, tracks.items[i].server->check_track);
    find_circles(&tracks);
    for (size_t i = 0; i < tracks.count; i++)
        if (tracks.items[i].server->check_track)
            check_track(&tracks, &tracks.items[i], problems);
    free(tracks.items);
}
