#include "proxy/stages/targets.h"

static bool is_one(const struct config *config, uint32_t backend,
                   bool (*is)(const struct backend_conf *backend))
{
    return backend < config->backend_count && is(&config->backends[backend]);
}

bool targets_any(const struct config *config, const struct frontend_conf *frontend,
                 bool (*is)(const struct backend_conf *backend))
{
    if (frontend->backend && is(frontend->backend))
        return true;
    for (size_t i = 0; i < frontend->routes.count; i++) {
        const struct route *route = &frontend->routes.items[i];
        if (!route->map.names && is_one(config, route->backend, is))
            return true;
        for (size_t j = 0; route->map.names && j < name_map_count(route->map.names); j++) {
            char text[NAME_MAP_TEXT_MAX + 2];
            uint32_t backend;
            name_map_entry(route->map.names, j, text, &backend);
            if (is_one(config, backend, is))
                return true;
        }
    }
    return false;
}
