#include "config/build.h"

#include "config/backend_names.h"
#include "config/base/congestion.h"
#include "config/base/memory.h"
#include "config/check_rules.h"
#include "config/loops.h"
#include "config/members.h"
#include "config/options/remedy.h"
#include "config/paths.h"
#include "config/routes.h"
#include "config/syntax/bind_ports.h"
#include "config/syntax/suggest.h"
#include "config/syntax/value.h"
#include "config/tls/certificate_store.h"
#include "config/tls/key_copies.h"
#include "config/tls_rules.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* A name or an address that may occur only once. */
struct claim {
    const char *text;
    struct place place;
    const struct section *section;
    size_t sequence; /* the first one keeps the name */
};

struct claims {
    struct claim *items;
    size_t count;
    size_t capacity;
};

/* The config being built. */
struct builder {
    struct config *config;
    const struct document *document;
    struct problems *problems;
    struct claims binds; /* the binds of all frontends */
    char **claim_texts;  /* of binds with a claim that differs from the text */
    size_t claim_text_count;
    size_t claim_text_capacity;
    struct bind_means bind_means;
    struct place *server_places; /* of all backends */
    size_t server_count;
    size_t server_capacity;
};

static bool is_frontend(const struct section *section)
{
    return section->kind == SECTION_FRONTEND || section->kind == SECTION_LISTEN;
}

static bool is_backend(const struct section *section)
{
    return section->kind == SECTION_BACKEND || section->kind == SECTION_LISTEN;
}

static void bad_value(struct builder *builder, const struct entry *entry, const char *wrong)
{
    char text[REMEDY_TEXT_MAX];
    problem_add(builder->problems, entry->place, "%s: '%s' %s%s", entry->option->name, entry->value,
                wrong, remedy(entry->option, entry->value, text));
}

static struct option_context context_of(struct builder *builder, const struct entry *entry)
{
    return (struct option_context){.place = entry->place,
                                   .problems = builder->problems,
                                   .files = &builder->config->address_files,
                                   .certificates = builder->config->certificates};
}

/* Reads a value of the section that belongs to owner, a struct of kind `which`. first: of the
 * section; what owner has of the defaults is replaced. */
static void apply_entry(struct builder *builder, const struct section *section,
                        const struct entry *entry, enum option_owner which, void *owner, bool first)
{
    const struct option_context context = context_of(builder, entry);
    if (first)
        option_release(entry->option, owner);
    const char *wrong = option_set(entry->option, entry->value, owner, &context);
    bool reported = which == OWNER_BACKEND && entry->option->owner == OWNER_SIDE &&
                    section->kind != SECTION_BACKEND; /* reported with the frontend */
    if (wrong && !reported)
        bad_value(builder, entry, wrong);
}

/* Whether no line before sets the same member; several options may. */
static bool is_first(const struct section *section, const struct entry *entry)
{
    for (const struct entry *other = section->members.items; other < entry; other++)
        if (other->option->owner == entry->option->owner &&
            other->option->offset == entry->option->offset)
            return false;
    return true;
}

/* Reads the values of the section that belong to owner, but for references, binds and servers. */
static void apply(struct builder *builder, const struct section *section, enum option_owner which,
                  void *owner)
{
    for (size_t i = 0; i < section->settings.count; i++) {
        const struct entry *entry = &section->settings.items[i];
        if (option_is_of(entry->option, which) && entry->option->type != OPTION_BACKEND)
            apply_entry(builder, section, entry, which, owner, true);
    }
    const struct option *last = NULL;
    for (size_t i = 0; i < section->members.count; i++) {
        const struct entry *entry = &section->members.items[i];
        if (!option_is_of(entry->option, which) || entry->option->type == OPTION_BIND ||
            entry->option->type == OPTION_SERVER)
            continue;
        bool first = entry->option != last && is_first(section, entry);
        apply_entry(builder, section, entry, which, owner, first);
        last = entry->option;
    }
}

/* --- [global] and [defaults] --------------------------------------------------------------- */

/* An included file may have its own [global], with its own includes; no other file may set the
 * same key. */
static void check_global_again(struct builder *builder, const struct section *earlier,
                               const struct section *section)
{
    char first[PLACE_TEXT_MAX];
    for (size_t i = 0; i < section->settings.count; i++) {
        const struct entry *entry = &section->settings.items[i];
        const struct entry *other = section_setting(earlier, entry->option);
        if (other)
            problem_add(builder->problems, entry->place, "key '%s' is given twice; first in %s",
                        entry->option->name, place_text(other->place, entry->place, first));
    }
}

static void note_lines(struct config *config, const struct section *section)
{
    size_t more = section->settings.count;
    struct config_line *lines = memory_new(config->line_count + more, sizeof *lines);
    if (config->line_count > 0)
        memcpy(lines, config->lines, config->line_count * sizeof *lines);
    free(config->lines);
    config->lines = lines;
    for (size_t i = 0; i < more; i++) {
        const struct entry *entry = &section->settings.items[i];
        config->lines[config->line_count++] = (struct config_line){
            entry->option->name,
            memory_print("%s:%u", entry->place.source->path, entry->place.line)};
    }
}

static void build_global(struct builder *builder)
{
    const struct document *document = builder->document;
    const struct section **globals = memory_new(document->source_count, sizeof(struct section *));
    size_t count = 0;
    options_set_initial(OWNER_CONFIG, builder->config);
    for (size_t i = 0; i < document->section_count; i++) {
        const struct section *section = document->sections[i];
        if (section->kind != SECTION_GLOBAL)
            continue;
        for (size_t j = 0; j < count; j++)
            check_global_again(builder, globals[j], section);
        globals[count++] = section;
        apply(builder, section, OWNER_CONFIG, builder->config);
        note_lines(builder->config, section);
    }
    free(globals);
    if (!builder->config->control)
        builder->config->control = memory_copy(config_default_control());
    if (builder->config->tls_keys == KEYS_SEALED)
        key_copies_keep(builder->config->certificates->copies);
}

/* Frontends and backends without settings of their own have these. */
static void inherit(struct builder *builder, enum option_owner which, void *owner)
{
    const struct config *config = builder->config;
    options_set_initial(which, owner);
    if (which == OWNER_FRONTEND) {
        struct frontend_conf *frontend = owner;
        memcpy(frontend->congestion, config->congestion, CONGESTION_MAX);
        frontend->drain_timeout = config->drain_timeout;
        frontend->stop_timeout = config->stop_timeout;
    } else {
        memcpy(((struct backend_conf *)owner)->congestion, config->congestion, CONGESTION_MAX);
    }
    if (builder->document->defaults)
        apply(builder, builder->document->defaults, which, owner);
}

/* Mistakes were reported by check_defaults(). */
static void inherit_quietly(struct builder *builder, enum option_owner which, void *owner)
{
    struct problems *problems = builder->problems;
    struct problems ignored = {0};
    builder->problems = &ignored;
    inherit(builder, which, owner);
    builder->problems = problems;
    problems_free(&ignored);
}

/* Reports the mistakes of [defaults], once, whether or not a section uses them. */
static void check_defaults(struct builder *builder)
{
    struct frontend_conf frontend = {0};
    struct backend_conf backend = {0};
    inherit(builder, OWNER_FRONTEND, &frontend);
    inherit(builder, OWNER_BACKEND, &backend);
    options_release(OWNER_FRONTEND, &frontend);
    options_release(OWNER_BACKEND, &backend);
}

/* --- given twice --------------------------------------------------------------------------- */

static int by_text(const void *left, const void *right)
{
    const struct claim *a = left;
    const struct claim *b = right;
    int order = strcmp(a->text, b->text);
    return order ? order : a->sequence < b->sequence ? -1 : 1;
}

static void add_claim(struct claims *claims, const char *text, struct place place,
                      const struct section *section)
{
    claims->items =
        memory_grow(claims->items, claims->count, &claims->capacity, sizeof *claims->items);
    claims->items[claims->count] = (struct claim){text, place, section, claims->count};
    claims->count++;
}

static bool is_same_place(struct place one, struct place other)
{
    return one.source == other.source && one.line == other.line;
}

/* Reports each claim with the text of an earlier one, but only once for two lines; empties the
 * list. */
static void check_claims(struct builder *builder, struct claims *claims, const char *what)
{
    char first[PLACE_TEXT_MAX];
    if (claims->count > 0)
        qsort(claims->items, claims->count, sizeof *claims->items, by_text);
    const struct claim *holder = claims->items, *told = NULL, *told_holder = NULL;
    for (size_t i = 1; i < claims->count; i++) {
        const struct claim *claim = &claims->items[i];
        if (strcmp(holder->text, claim->text) != 0) {
            holder = claim;
            continue;
        }
        if (!told || !is_same_place(told->place, claim->place) ||
            !is_same_place(told_holder->place, holder->place))
            problem_add(builder->problems, claim->place, "%s '%s' is given twice; first in %s",
                        what, claim->text, place_text(holder->place, claim->place, first));
        told = claim;
        told_holder = holder;
    }
    free(claims->items);
    *claims = (struct claims){0};
}

/* --- binds and servers --------------------------------------------------------------------- */

/* What only one bind may have. Of binds of [::] with v6only=yes and with v6only=no the kernel would
 * give IPv6 clients to the one that has listened for longer. */
static const char *bind_claim(struct builder *builder, const struct bind_conf *bind)
{
    struct listen_address at = bind->at;
    char text[ADDRESS_TEXT_MAX];
    if (!at.dual_stack)
        return bind->text;
    at.dual_stack = false;
    builder->claim_texts = memory_grow(builder->claim_texts, builder->claim_text_count,
                                       &builder->claim_text_capacity, sizeof(char *));
    char *claim = memory_copy(listen_address_format(&at, text));
    builder->claim_texts[builder->claim_text_count++] = claim;
    return claim;
}

/* NULL: it is wrong, which has been reported. */
static const struct bind_conf *add_bind(struct builder *builder, struct frontend_conf *frontend,
                                        const struct entry *entry, const char *value)
{
    const struct option_context context = context_of(builder, entry);
    struct bind_conf *bind = &frontend->binds[frontend->bind_count];
    if (!bind_read(value, &builder->bind_means, bind, &context))
        return NULL;
    add_claim(&builder->binds, bind_claim(builder, bind), entry->place, NULL);
    frontend->bind_count++;
    return bind;
}

/* A bind for each port of the range. A name is resolved for the first one only: all have the same
 * address. */
static void add_bind_range(struct builder *builder, struct frontend_conf *frontend,
                           const struct entry *entry, const struct bind_ports *range)
{
    const char *host = entry->value;
    int length = (int)range->host;
    for (unsigned port = range->first; port <= range->last; port++) {
        char *value = memory_print("%.*s:%u%s", length, host, port, entry->value + range->length);
        const struct bind_conf *bind = add_bind(builder, frontend, entry, value);
        free(value);
        if (!bind)
            return;
        host = bind->text;
        length = (int)(strrchr(bind->text, ':') - bind->text);
    }
}

static void add_binds(struct builder *builder, struct frontend_conf *frontend,
                      const struct entry *entry)
{
    struct bind_ports range;
    const char *wrong = bind_ports_read(entry->value, &range);
    if (wrong)
        problem_add(builder->problems, entry->place, "bind: '%s': %s", entry->value, wrong);
    else if (range.last)
        add_bind_range(builder, frontend, entry, &range);
    else
        add_bind(builder, frontend, entry, entry->value);
}

/* How many add_binds() adds at most. */
static size_t count_binds(const struct section *section)
{
    size_t count = 0;
    for (size_t i = 0; i < section->members.count; i++) {
        struct bind_ports range;
        const struct entry *entry = &section->members.items[i];
        if (entry->option->type == OPTION_BIND && !bind_ports_read(entry->value, &range))
            count += range.last - range.first + 1;
    }
    return count;
}

static void add_server(struct builder *builder, struct backend_conf *backend,
                       const struct entry *entry, struct claims *names)
{
    const struct option_context context = context_of(builder, entry);
    struct server_conf *server = &backend->servers[backend->server_count];
    if (!server_read(entry->value, server, &context))
        return;
    backend->server_count++;
    builder->server_places = memory_grow(builder->server_places, builder->server_count,
                                         &builder->server_capacity, sizeof *builder->server_places);
    builder->server_places[builder->server_count++] = entry->place;
    add_claim(names, server->name, entry->place, NULL);
}

/* True: a server with resolve=all gives one of its servers this name. */
static bool makes_name(const struct server_conf *server, const char *name)
{
    size_t length = strlen(server->name);
    if (server->what != RESOLVE_ALL || strncmp(name, server->name, length) != 0 ||
        name[length] != '-')
        return false;
    const char *number = name + length + 1;
    size_t digits = strspn(number, "0123456789");
    return digits > 0 && digits < 5 && !number[digits] && number[0] != '0' &&
           strtoul(number, NULL, 10) <= server->max;
}

/* The servers of the backend are the last that were added. */
static void check_slots(struct builder *builder, const struct backend_conf *backend)
{
    if (backend->server_count == 0)
        return; /* there may be no places at all */
    const struct place *places =
        builder->server_places + builder->server_count - backend->server_count;
    for (size_t i = 0; i < backend->server_count; i++)
        for (size_t j = 0; backend->servers[i].what == RESOLVE_ALL && j < backend->server_count;
             j++)
            if (makes_name(&backend->servers[i], backend->servers[j].name))
                problem_add(builder->problems, places[j],
                            "server: name '%s' is one of those that server '%s' gives to its "
                            "addresses",
                            backend->servers[j].name, backend->servers[i].name);
}

static size_t count_members(const struct section *section, enum option_type type)
{
    size_t count = 0;
    for (size_t i = 0; i < section->members.count; i++)
        count += section->members.items[i].option->type == type;
    return count;
}

/* --- frontends and backends ---------------------------------------------------------------- */

static void build_frontend(struct builder *builder, const struct section *section)
{
    struct frontend_conf *frontend = &builder->config->frontends[builder->config->frontend_count++];
    size_t count = count_members(section, OPTION_BIND);
    char where[PLACE_TEXT_MAX];
    inherit_quietly(builder, OWNER_FRONTEND, frontend);
    frontend->name = memory_copy(section->name);
    frontend->line = section->place.line;
    frontend->binds = memory_new(count_binds(section), sizeof *frontend->binds);
    for (size_t i = 0; i < section->members.count; i++)
        if (section->members.items[i].option->type == OPTION_BIND)
            add_binds(builder, frontend, &section->members.items[i]);
    apply(builder, section, OWNER_FRONTEND, frontend);
    tls_rules_frontend(section, frontend, builder->config->address_files.closed, builder->problems);
    if (count == 0 && !section->unread)
        problem_add(builder->problems, section->place, "%s has no bind; add 'bind = HOST:PORT'",
                    section_text(section, where));
}

/* A server that is the name that the client asks for has no address that could be checked, and
 * takes all clients of its backend. */
static void check_forwarding(struct builder *builder, const struct section *section,
                             const struct backend_conf *backend)
{
    char where[PLACE_TEXT_MAX];
    bool forwards = false;
    for (size_t i = 0; i < backend->server_count; i++)
        forwards |= backend->servers[i].sni_port != 0;
    if (forwards && backend->server_count > 1)
        problem_add(builder->problems, section->place,
                    "%s has a server sni:PORT, which must be its only one",
                    section_text(section, where));
    if (forwards && backend->check.kind != CHECK_OFF)
        problem_add(builder->problems, section->place,
                    "%s has a server sni:PORT, which cannot be checked; add 'check = off'",
                    section_text(section, where));
}

/* Reports servers that no connection from the source can reach: those of the other family. Which
 * family clients have is not known, but no client reaches servers of both. */
static void check_source(struct builder *builder, const struct section *section,
                         const struct backend_conf *backend)
{
    char where[PLACE_TEXT_MAX];
    const struct server_conf *first = NULL;
    const struct source_choice *source = &backend->source;
    for (size_t i = 0; i < backend->server_count && source->kind != SOURCE_ANY; i++) {
        const struct server_conf *server = &backend->servers[i];
        const struct address *address = &server->address;
        if (address->length == 0 || address_is_unix(address))
            continue;
        const sa_family_t family = address->any.sa_family;
        if (source->kind == SOURCE_ADDRESS && family != source->first.any.sa_family)
            problem_add(builder->problems, section->place,
                        "%s: source and server %s are not both IPv4 or both IPv6",
                        section_text(section, where), server->name);
        if (source->kind == SOURCE_CLIENT && first && family != first->address.any.sa_family) {
            problem_add(builder->problems, section->place,
                        "%s: with 'source = client' servers %s and %s must be both IPv4 or both "
                        "IPv6",
                        section_text(section, where), first->name, server->name);
            return;
        }
        first = first ? first : server;
    }
}

static void build_backend(struct builder *builder, const struct section *section)
{
    struct backend_conf *backend = &builder->config->backends[builder->config->backend_count++];
    size_t count = count_members(section, OPTION_SERVER);
    char where[PLACE_TEXT_MAX];
    unsigned weights = 0;
    struct claims names = {0};
    inherit_quietly(builder, OWNER_BACKEND, backend);
    backend->name = memory_copy(section->name);
    backend->line = section->place.line;
    backend->servers = memory_new(count, sizeof *backend->servers);
    for (size_t i = 0; i < section->members.count; i++)
        if (section->members.items[i].option->type == OPTION_SERVER)
            add_server(builder, backend, &section->members.items[i], &names);
    check_slots(builder, backend);
    check_claims(builder, &names, "server");
    if (strcmp(section->name, REJECT_WORD) == 0)
        problem_add(builder->problems, section->place,
                    "%s: the name '" REJECT_WORD "' means in a route that no backend is used",
                    section_text(section, where));
    apply(builder, section, OWNER_BACKEND, backend);
    check_forwarding(builder, section, backend);
    check_source(builder, section, backend);
    check_rules_backend(section, backend, builder->problems);
    for (size_t i = 0; i < backend->server_count; i++)
        weights |= backend->servers[i].weight;
    if (count == 0 && !section->unread)
        problem_add(builder->problems, section->place,
                    "%s has no server; add 'server = NAME HOST:PORT'",
                    section_text(section, where));
    else if (count > 0 && weights == 0 && backend->server_count == count)
        problem_add(builder->problems, section->place,
                    "%s has only servers of weight 0; none would ever be chosen",
                    section_text(section, where));
}

/* The place of the option's line in a [global] section. */
static struct place global_place(const struct document *document, const char *name)
{
    const struct option *option = option_find(SECTION_GLOBAL, name);
    for (size_t i = 0; i < document->section_count; i++) {
        const struct section *section = document->sections[i];
        const struct entry *entry =
            section->kind == SECTION_GLOBAL ? section_setting(section, option) : NULL;
        if (entry)
            return entry->place;
    }
    return (struct place){.source = document->sources[0]};
}

/* --- references ---------------------------------------------------------------------------- */

static const struct entry *backend_entry(const struct section *section)
{
    for (size_t i = 0; i < section->settings.count; i++)
        if (section->settings.items[i].option->type == OPTION_BACKEND)
            return &section->settings.items[i];
    return NULL;
}

static bool has_routes(const struct section *section)
{
    for (size_t i = 0; i < section->members.count; i++)
        if (strcmp(section->members.items[i].option->name, "route") == 0)
            return true;
    return false;
}

static void resolve_backend(struct builder *builder, const struct backend_names *names,
                            const struct section *section, struct frontend_conf *frontend)
{
    char where[PLACE_TEXT_MAX], text[BACKEND_TEXT_MAX];
    const struct entry *entry = backend_entry(section);
    if (!entry && section->kind == SECTION_FRONTEND) {
        if (!section->unread && !has_routes(section))
            problem_add(builder->problems, section->place,
                        "%s has no backend; add 'backend = NAME'", section_text(section, where));
        return;
    }
    const char *name = entry ? entry->value : section->name;
    frontend->rejects = entry && strcmp(name, REJECT_WORD) == 0;
    if (frontend->rejects)
        return;
    uint32_t number = backend_names_find(names, name);
    if (number != BACKEND_UNKNOWN)
        frontend->backend = &builder->config->backends[number];
    else if (!builder->document->unread)
        problem_add(builder->problems, entry->place, "backend: %s",
                    backend_names_unknown(names, name, text));
}

static void check_ready_backends(struct builder *builder, const struct backend_names *names)
{
    const struct words *wanted = &builder->config->ready_backends;
    char text[BACKEND_TEXT_MAX];
    for (size_t i = 0; i < wanted->count && !builder->document->unread; i++)
        if (backend_names_find(names, wanted->list[i]) == BACKEND_UNKNOWN)
            problem_add(builder->problems, global_place(builder->document, "ready-backends"),
                        "ready-backends: %s", backend_names_unknown(names, wanted->list[i], text));
}

/* Finds the backends that frontends and their routes name. Frontends stand in the order of their
 * sections. */
static void resolve_backends(struct builder *builder)
{
    struct frontend_conf *frontend = builder->config->frontends;
    struct backend_names names;
    backend_names_open(&names, builder->config);
    check_ready_backends(builder, &names);
    for (size_t i = 0; i < builder->document->section_count; i++)
        if (is_frontend(builder->document->sections[i]))
            resolve_backend(builder, &names, builder->document->sections[i], frontend++);
    if (!builder->document->unread)
        routes_resolve(builder->config, &names, builder->problems);
    backend_names_close(&names);
}

/* --- names --------------------------------------------------------------------------------- */

static void check_paths(struct builder *builder)
{
    const struct config *config = builder->config;
    const struct document *document = builder->document;
    struct path_claims claims = {0};
    char *crash_file = memory_print("%s.life", config->control);
    paths_claim(&claims, config->control, memory_print("control '%s'", config->control),
                global_place(document, "control"), false);
    paths_claim(&claims, crash_file, memory_print("the crash file of control, '%s'", crash_file),
                global_place(document, "control"), false);
    if (config->log.target == LOG_TO_FILE)
        paths_claim(&claims, config->log.where, memory_print("log 'file:%s'", config->log.where),
                    global_place(document, "log"), false);
    if (config->pidfile)
        paths_claim(&claims, config->pidfile, memory_print("pidfile '%s'", config->pidfile),
                    global_place(document, "pidfile"), false);
    if (config->state)
        paths_claim(&claims, config->state, memory_print("state '%s'", config->state),
                    global_place(document, "state"), false);
    for (size_t i = 0; i < config->metrics.count; i++)
        if (strncmp(config->metrics.list[i].text, "unix:/", 6) == 0)
            paths_claim(&claims, config->metrics.list[i].text + 5,
                        memory_print("metrics '%s'", config->metrics.list[i].text),
                        global_place(document, "metrics"), false);
    for (size_t i = 0; i < builder->binds.count; i++) {
        const struct claim *bind = &builder->binds.items[i];
        if (strncmp(bind->text, "unix:/", 6) == 0)
            paths_claim(&claims, bind->text + 5, memory_print("bind '%s'", bind->text), bind->place,
                        true);
    }
    paths_check(&claims, builder->problems);
    free(crash_file);
}

/* An address of the HTTP server that is also that of a bind. Paths are compared by check_paths().
 */
static void check_metrics(struct builder *builder)
{
    const struct metrics_addresses *metrics = &builder->config->metrics;
    char other[PLACE_TEXT_MAX];
    const struct place place = global_place(builder->document, "metrics");
    for (size_t i = 0; i < metrics->count; i++)
        for (size_t j = 0; j < builder->binds.count; j++) {
            const struct claim *bind = &builder->binds.items[j];
            if (strcmp(bind->text, metrics->list[i].text) == 0 &&
                strncmp(bind->text, "unix:/", 6) != 0)
                problem_add(builder->problems, place,
                            "metrics: '%s' is also the address of the bind in %s", bind->text,
                            place_text(bind->place, place, other));
        }
}

static void name_taken(struct builder *builder, const struct section *section,
                       const struct section *holder)
{
    char first[PLACE_TEXT_MAX];
    const char *kind = section_kind_name(section->kind);
    place_text(holder->place, section->place, first);
    if (section->kind == holder->kind)
        problem_add(builder->problems, section->place,
                    "section [%s %s] is given twice; first in %s", kind, section->name, first);
    else
        problem_add(
            builder->problems, section->place,
            "[%s %s]: the name is already used by [%s %s] in %s; a listen is a frontend and a "
            "backend",
            kind, section->name, section_kind_name(holder->kind), holder->name, first);
}

/* A frontend and a backend may have the same name; a [listen] counts as both. */
static void check_names(struct builder *builder)
{
    struct claims names = {0};
    const struct section *frontend = NULL;
    const struct section *backend = NULL;
    for (size_t i = 0; i < builder->document->section_count; i++) {
        const struct section *section = builder->document->sections[i];
        if ((is_frontend(section) || is_backend(section)) && is_name(section->name))
            add_claim(&names, section->name, section->place, section);
    }
    if (names.count > 0)
        qsort(names.items, names.count, sizeof *names.items, by_text);
    for (size_t i = 0; i < names.count; i++) {
        const struct section *section = names.items[i].section;
        if (i == 0 || strcmp(names.items[i - 1].text, section->name) != 0)
            frontend = backend = NULL;
        const struct section *holder = is_frontend(section) && frontend ? frontend
                                       : is_backend(section) && backend ? backend
                                                                        : NULL;
        if (holder)
            name_taken(builder, section, holder);
        if (is_frontend(section) && !frontend)
            frontend = section;
        if (is_backend(section) && !backend)
            backend = section;
    }
    free(names.items);
}

/* --- what the kernel has ------------------------------------------------------------------- */

static void check_congestion(struct builder *builder, const struct entry *entry)
{
    /* A process that becomes another user keeps no privilege that would help here. */
    const char *user = builder->config->user;
    bool unprivileged = user && strcmp(user, "root") != 0;
    if (strcmp(entry->value, "system") == 0 || !is_name(entry->value) ||
        strlen(entry->value) >= CONGESTION_MAX)
        return;
    const char *wrong = congestion_check(entry->value, unprivileged);
    if (wrong)
        bad_value(builder, entry, wrong);
}

static void check_kernel(struct builder *builder)
{
    for (size_t i = 0; i < builder->document->section_count; i++) {
        const struct section *section = builder->document->sections[i];
        for (size_t j = 0; j < section->settings.count; j++)
            if (section->settings.items[j].option->type == OPTION_CONGESTION)
                check_congestion(builder, &section->settings.items[j]);
    }
}

/* --- all of it ----------------------------------------------------------------------------- */

void config_build(struct config *config, const struct document *document, struct problems *problems)
{
    struct builder builder = {.config = config, .document = document, .problems = problems};
    size_t frontends = 0;
    size_t backends = 0;
    for (size_t i = 0; i < document->section_count; i++) {
        frontends += is_frontend(document->sections[i]);
        backends += is_backend(document->sections[i]);
    }
    config->frontends = memory_new(frontends, sizeof *config->frontends);
    config->backends = memory_new(backends, sizeof *config->backends);
    build_global(&builder);
    builder.bind_means = (struct bind_means){.user = config->user, .resolver = &config->resolver};
    check_defaults(&builder);
    for (size_t i = 0; i < document->section_count; i++) {
        if (is_frontend(document->sections[i]))
            build_frontend(&builder, document->sections[i]);
        if (is_backend(document->sections[i]))
            build_backend(&builder, document->sections[i]);
    }
    resolve_backends(&builder);
    check_names(&builder);
    check_paths(&builder);
    check_metrics(&builder);
    check_claims(&builder, &builder.binds, "bind");
    loops_check(config, builder.server_places, problems);
    check_rules_tracks(config, builder.server_places, problems);
    free(builder.server_places);
    for (size_t i = 0; i < builder.claim_text_count; i++)
        free(builder.claim_texts[i]);
    free(builder.claim_texts);
    check_kernel(&builder);
    if (frontends == 0 && !document->unread)
        problem_add(problems, (struct place){.source = document->sources[0]},
                    "nothing to serve: there is no [frontend NAME] and no [listen NAME]");
}
