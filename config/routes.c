#include "config/routes.h"

#include "config/base/memory.h"
#include "config/lists/list_file.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

static uint32_t find(const struct backend_names *names, const char *name)
{
    return strcmp(name, REJECT_WORD) == 0 ? ROUTE_REJECTS : backend_names_find(names, name);
}

/* A map that is being read. */
struct reading {
    struct route_map *map;
    const struct backend_names *names;
    char *last; /* the backend of the entry before, which is often the same: its name ... */
    uint32_t last_backend;
    char wrong[BACKEND_TEXT_MAX + 32];
};

static uint32_t find_backend(struct reading *reading, const char *name)
{
    if (!reading->last || strcmp(reading->last, name) != 0) {
        free(reading->last);
        reading->last = memory_copy(name);
        reading->last_backend = find(reading->names, name);
    }
    return reading->last_backend;
}

/* "NAME BACKEND" */
static const char *take(void *arg, char *entry)
{
    struct reading *reading = arg;
    char *rest;
    const char *name = strtok_r(entry, blanks, &rest);
    const char *backend = strtok_r(NULL, blanks, &rest);
    if (!backend || strtok_r(NULL, blanks, &rest))
        return "must be NAME BACKEND";
    uint32_t value = find_backend(reading, backend);
    if (value != BACKEND_UNKNOWN)
        return name_map_add(reading->map->names, name, value);
    char text[BACKEND_TEXT_MAX];
    snprintf(reading->wrong, sizeof reading->wrong, "names a backend that is missing: %s",
             backend_names_unknown(reading->names, backend, text));
    return reading->wrong;
}

static void read_map(struct route *route, const struct backend_names *names,
                     struct address_files *files, struct problems *problems)
{
    const struct list_origin origin = {
        .problems = problems, .place = route->place, .option = "route"};
    struct reading reading = {.map = &route->map, .names = names};
    route->map.names = name_map_make();
    uint64_t hash = 0;
    bool read = !files->closed && list_file_read(route->map.file, &origin, take, &reading, &hash);
    address_files_add_names(files, route->map.file, name_map_count(route->map.names), hash, read);
    free(reading.last);
}

static void resolve(struct route *route, const struct backend_names *names,
                    struct address_files *files, struct problems *problems)
{
    char text[BACKEND_TEXT_MAX];
    for (size_t i = 0; i < route->condition_count; i++) {
        struct route_condition *condition = &route->conditions[i];
        if (condition->kind != CONDITION_USABLE)
            continue;
        condition->backend = backend_names_find(names, condition->backend_name);
        if (condition->backend == BACKEND_UNKNOWN)
            problem_add(problems, route->place, "route: '%s': %s", condition->text,
                        backend_names_unknown(names, condition->backend_name, text));
    }
    if (route->map.file) {
        read_map(route, names, files, problems);
        return;
    }
    route->backend = find(names, route->backend_name);
    if (route->backend == BACKEND_UNKNOWN)
        problem_add(problems, route->place, "route: %s",
                    backend_names_unknown(names, route->backend_name, text));
}

/* A shorter run is judged as fast route by route. */
#define RUN_LEAST 4

/* The route asks for one name, or several. */
static bool asks_for_names(const struct route *route)
{
    const struct route_condition *condition = route->conditions;
    char text[NAME_MAP_TEXT_MAX + 2];
    uint32_t value;
    if (route->condition_count != 1 || route->map.file || condition->negated || !condition->names ||
        (condition->kind != CONDITION_SNI && condition->kind != CONDITION_HOST))
        return false;
    for (size_t i = 0; i < name_map_count(condition->names); i++)
        if (name_map_entry(condition->names, i, text, &value)[0] == '*')
            return false;
    return true;
}

/* The first route that has a name keeps it. */
static void add_names(struct route_run *run, const struct route *route, uint32_t number)
{
    char text[NAME_MAP_TEXT_MAX + 2];
    uint32_t value;
    const struct name_map *names = route->conditions->names;
    for (size_t i = 0; i < name_map_count(names); i++)
        (void)!name_map_add(run->names, name_map_entry(names, i, text, &value), number);
}

/* So that many routes with a name each cost one look-up, and not one each. */
static void find_runs(const struct route_list *routes)
{
    for (size_t i = 0, end; i < routes->count; i = end) {
        struct route *first = &routes->items[i];
        end = i + 1;
        if (!asks_for_names(first))
            continue;
        while (end < routes->count && asks_for_names(&routes->items[end]) &&
               routes->items[end].conditions->kind == first->conditions->kind)
            end++;
        if (end - i < RUN_LEAST)
            continue;
        first->run = memory_new(1, sizeof *first->run);
        *first->run = (struct route_run){.count = end - i, .names = name_map_make()};
        for (size_t j = i; j < end; j++)
            add_names(first->run, &routes->items[j], (uint32_t)(j - i));
    }
}

void routes_resolve(struct config *config, const struct backend_names *names,
                    struct problems *problems)
{
    for (size_t i = 0; i < config->frontend_count; i++) {
        const struct route_list *routes = &config->frontends[i].routes;
        for (size_t j = 0; j < routes->count; j++)
            resolve(&routes->items[j], names, &config->address_files, problems);
        find_runs(routes);
    }
}
