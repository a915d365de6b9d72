#include "config/model/route.h"

#include <stdlib.h>

static void condition_release(struct route_condition *condition)
{
    free(condition->text);
    name_map_free(condition->names);
    address_matcher_free(condition->matcher);
    free(condition->sources.items);
    for (size_t i = 0; i < condition->word_count; i++)
        free(condition->words[i].bytes);
    free(condition->words);
    free(condition->ports);
    free(condition->backend_name);
}

void route_release(struct route *route)
{
    for (size_t i = 0; i < route->condition_count; i++)
        condition_release(&route->conditions[i]);
    free(route->conditions);
    if (route->run)
        name_map_free(route->run->names);
    free(route->run);
    free(route->backend_name);
    free(route->map.file);
    name_map_free(route->map.names);
}

bool route_list_terminates(const struct route_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        if (list->items[i].terminates)
            return true;
    return false;
}

void route_list_release(struct route_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        route_release(&list->items[i]);
    free(list->items);
    *list = (struct route_list){0};
}
