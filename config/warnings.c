#include "config/warnings.h"

#include "config/base/memory.h"
#include "config/needs.h"

#include <stdlib.h>
#include <string.h>

/* --- options without effect ---------------------------------------------------------------- */

/* [defaults]: an option has an effect if it has one in any section that has it from there. */
static const char *missing_everywhere(const struct need_view *all, const struct section *defaults,
                                      const struct entry *entry)
{
    const char *missing = NULL;
    const struct config *config = all->config;
    struct need_view view = {.config = config, .document = all->document};
    for (size_t i = 0; i < config->frontend_count; i++) {
        const char *text;
        view.frontend = &config->frontends[i];
        if (!option_is_of(entry->option, OWNER_FRONTEND))
            break;
        text = needs_missing(&view, defaults, entry);
        if (!text)
            return NULL;
        missing = text;
    }
    view.frontend = NULL;
    for (size_t i = 0; i < config->backend_count; i++) {
        const char *text;
        view.backend = &config->backends[i];
        if (!option_is_of(entry->option, OWNER_BACKEND))
            break;
        text = needs_missing(&view, defaults, entry);
        if (!text)
            return NULL;
        missing = text;
    }
    return missing;
}

static void warn_of_entries(const struct need_view *view, const struct section *section,
                            const struct entry_list *entries, struct problems *problems)
{
    for (size_t i = 0; i < entries->count; i++) {
        const struct entry *entry = &entries->items[i];
        const char *missing = section->kind == SECTION_DEFAULTS
                                  ? missing_everywhere(view, section, entry)
                                  : needs_missing(view, section, entry);
        if (missing)
            problem_warn(problems, entry->place, "%s has no effect %s", entry->option->name,
                         missing);
    }
}

static void warn_of_options(const struct need_view *view, const struct section *section,
                            struct problems *problems)
{
    warn_of_entries(view, section, &section->settings, problems);
    warn_of_entries(view, section, &section->members, problems);
}

/* --- access lists -------------------------------------------------------------------------- */

static bool is_rule(const struct entry *entry, const char *name)
{
    return strcmp(entry->option->name, name) == 0;
}

/* The first line that contains the client decides, and a client that no line contains may come in:
 * lines behind "any", and an "allow" that no "deny" follows, decide nothing. */
static void warn_of_access(const struct section *section, struct problems *problems)
{
    const struct entry_list *members = &section->members;
    const struct entry *all = NULL, *last_deny = NULL;
    char line[PLACE_TEXT_MAX];
    for (size_t i = 0; i < members->count; i++)
        if (is_rule(&members->items[i], "deny"))
            last_deny = &members->items[i];
    for (size_t i = 0; i < members->count; i++) {
        const struct entry *entry = &members->items[i];
        if (!is_rule(entry, "allow") && !is_rule(entry, "deny"))
            continue;
        if (all)
            problem_warn(
                problems, entry->place, "%s has no effect: '%s = any' in %s decides before it",
                entry->option->name, all->option->name, place_text(all->place, entry->place, line));
        else if (strcmp(entry->value, "any") == 0)
            all = entry;
        else if (is_rule(entry, "allow") && (!last_deny || last_deny < entry))
            problem_warn(problems, entry->place,
                         "allow has no effect: other clients may come in as well; add 'deny = any' "
                         "below it");
    }
}

/* --- binds --------------------------------------------------------------------------------- */

static void warn_of_bind(const struct config *config, const struct bind_conf *bind,
                         struct place place, struct problems *problems)
{
    bool is_unix = address_is_unix(&bind->at.address);
    if (bind->steer == STEER_CPU && bind->accept == ACCEPT_SHARDED && config->affinity.count == 0)
        problem_warn(
            problems, place,
            "bind: steer=cpu without cpu-affinity in [global]: workers are not on the CPUs "
            "that they serve");
    if (bind->defer_accept && is_unix)
        problem_warn(problems, place, "bind: defer-accept has no effect on a Unix socket");
    if (bind->backlog && bind_is_activated(bind))
        problem_warn(problems, place,
                     "bind: backlog has no effect on a passed socket: the service manager sets it");
}

/* A range of ports is several binds of one line, all alike. */
static void warn_of_binds(const struct config *config, const struct section *section,
                          const struct frontend_conf *frontend, struct problems *problems)
{
    size_t at = 0;
    for (size_t i = 0; i < section->members.count; i++) {
        const struct entry *entry = &section->members.items[i];
        if (entry->option->type != OPTION_BIND)
            continue;
        warn_of_bind(config, &frontend->binds[at], entry->place, problems);
        while (at < frontend->bind_count && frontend->binds[at].line == entry->place.line)
            at++;
    }
}

/* --- servers ------------------------------------------------------------------------------- */

struct use {
    const struct server_conf *server;
    struct place place;
    size_t sequence;
};

static int by_address(const void *left, const void *right)
{
    const struct use *a = left;
    const struct use *b = right;
    int order = strcmp(a->server->text, b->server->text);
    return order ? order : a->sequence < b->sequence ? -1 : 1;
}

/* The servers of a backend that lead to one address: it gets the sessions of both, and is checked
 * twice. */
static void warn_of_addresses(struct use *uses, size_t count, struct problems *problems)
{
    const struct use *first = uses;
    char line[PLACE_TEXT_MAX];
    if (count > 1)
        qsort(uses, count, sizeof *uses, by_address);
    for (size_t i = 1; i < count; i++) {
        if (strcmp(first->server->text, uses[i].server->text) != 0)
            first = &uses[i];
        else
            problem_warn(problems, uses[i].place,
                         "server %s has the address %s of server %s in %s; the machine gets the "
                         "share of both",
                         uses[i].server->name, uses[i].server->text, first->server->name,
                         place_text(first->place, uses[i].place, line));
    }
}

static void warn_of_servers(const struct section *section, const struct backend_conf *backend,
                            struct problems *problems)
{
    struct use *uses = memory_new(backend->server_count, sizeof *uses);
    size_t count = 0;
    for (size_t i = 0; i < section->members.count && count < backend->server_count; i++) {
        const struct entry *entry = &section->members.items[i];
        const struct server_conf *server = &backend->servers[count];
        const char *attribute;
        if (entry->option->type != OPTION_SERVER)
            continue;
        const char *missing = needs_missing_of_server(backend, server, &attribute);
        if (missing)
            problem_warn(problems, entry->place, "server %s: %s has no effect %s", server->name,
                         attribute, missing);
        uses[count] = (struct use){server, entry->place, count};
        count++;
    }
    warn_of_addresses(uses, count, problems);
    free(uses);
}

/* --- backends that no frontend uses -------------------------------------------------------- */

static void mark(bool *used, const struct config *config, uint32_t backend)
{
    if (backend < config->backend_count)
        used[backend] = true;
}

static void mark_route(bool *used, const struct config *config, const struct route *route)
{
    for (size_t i = 0; i < route->condition_count; i++)
        if (route->conditions[i].kind == CONDITION_USABLE)
            mark(used, config, route->conditions[i].backend);
    if (route->backend_name)
        mark(used, config, route->backend);
    for (size_t i = 0; route->map.names && i < name_map_count(route->map.names); i++) {
        char text[NAME_MAP_TEXT_MAX + 2];
        uint32_t backend;
        name_map_entry(route->map.names, i, text, &backend);
        mark(used, config, backend);
    }
}

/* A backend that is checked for servers of others is of use. */
static void mark_tracked(bool *used, const struct config *config, const char *track)
{
    size_t length = strcspn(track, "/");
    for (size_t i = 0; i < config->backend_count; i++)
        if (strlen(config->backends[i].name) == length &&
            strncmp(config->backends[i].name, track, length) == 0)
            used[i] = true;
}

static void mark_used(bool *used, const struct config *config)
{
    for (size_t i = 0; i < config->frontend_count; i++) {
        const struct frontend_conf *frontend = &config->frontends[i];
        if (frontend->backend)
            used[frontend->backend - config->backends] = true;
        for (size_t j = 0; j < frontend->routes.count; j++)
            mark_route(used, config, &frontend->routes.items[j]);
    }
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++)
            if (config->backends[i].servers[j].check_track)
                mark_tracked(used, config, config->backends[i].servers[j].check_track);
}

/* --- secrets ------------------------------------------------------------------------------- */

static void warn_of_secrets(const struct section *section, struct problems *problems)
{
    for (size_t i = 0; i < section->settings.count; i++)
        if (strcmp(section->settings.items[i].option->name, "tls-key-log") == 0)
            problem_warn(
                problems, section->settings.items[i].place,
                "tls-key-log: with this file anybody can read all sessions of TLS; it is for "
                "finding faults only");
}

/* --- all of it ----------------------------------------------------------------------------- */

void warnings_add(const struct config *config, const struct document *document,
                  struct problems *problems)
{
    bool *used = memory_new(config->backend_count, sizeof *used);
    const struct frontend_conf *frontend = config->frontends;
    const struct backend_conf *backend = config->backends;
    mark_used(used, config);
    for (size_t i = 0; i < document->section_count; i++) {
        const struct section *section = document->sections[i];
        struct need_view view = {.config = config, .document = document};
        if (section->kind == SECTION_FRONTEND || section->kind == SECTION_LISTEN)
            view.frontend = frontend++;
        if (section->kind == SECTION_BACKEND || section->kind == SECTION_LISTEN)
            view.backend = backend++;
        warn_of_options(&view, section, problems);
        if (section->kind == SECTION_GLOBAL)
            warn_of_secrets(section, problems);
        if (view.frontend) {
            warn_of_access(section, problems);
            warn_of_binds(config, section, view.frontend, problems);
        }
        if (view.backend)
            warn_of_servers(section, view.backend, problems);
        if (section->kind == SECTION_BACKEND && !used[view.backend - config->backends])
            problem_warn(problems, section->place,
                         "[backend %s] is not used: no frontend and no route names it",
                         section->name);
    }
    free(used);
}
