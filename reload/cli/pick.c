#include "reload/cli/pick.h"

#include <fnmatch.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

struct words {
    const char *const *list;
    size_t count;
    bool used[64];
};

/* True: a word is this name. Each that is has been used. */
static bool is_named(struct words *words, const char *name)
{
    bool found = false;
    for (size_t i = 0; name && i < words->count; i++) {
        if (fnmatch(words->list[i], name, 0) != 0)
            continue;
        found = true;
        if (i < sizeof words->used)
            words->used[i] = true;
    }
    return found;
}

static const char *text_of(const json_t *object, const char *member)
{
    return json_string_value(json_object_get(object, member));
}

/* Leaves the items of which the member is named. */
static void pick_items(json_t *list, struct words *words, const char *member)
{
    for (size_t i = json_array_size(list); i-- > 0;)
        if (!is_named(words, text_of(json_array_get(list, i), member)))
            json_array_remove(list, i);
}

/* A backend that is named has all its servers, any other one those that are named. */
static void pick_backends(json_t *backends, struct words *words)
{
    for (size_t i = json_array_size(backends); i-- > 0;) {
        json_t *backend = json_array_get(backends, i);
        json_t *servers = json_object_get(backend, "servers");
        const char *name = text_of(backend, "name");
        bool is_whole = is_named(words, name);
        for (size_t j = json_array_size(servers); j-- > 0;) {
            char full[512];
            snprintf(full, sizeof full, "%s/%s", name ? name : "",
                     text_of(json_array_get(servers, j), "name"));
            if (!is_named(words, full) && !is_whole)
                json_array_remove(servers, j);
        }
        if (!is_whole && json_array_size(servers) == 0)
            json_array_remove(backends, i);
    }
}

const char *pick(json_t *status, const char *const *list, size_t count)
{
    struct words words = {.list = list, .count = count};
    pick_items(json_object_get(status, "frontends"), &words, "name");
    pick_items(json_object_get(status, "binds"), &words, "frontend");
    pick_backends(json_object_get(status, "backends"), &words);
    for (size_t i = 0; i < count && i < sizeof words.used; i++)
        if (!words.used[i])
            return list[i];
    return NULL;
}
