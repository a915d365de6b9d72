#include "config/import/haproxy/environment.h"

#include <stdlib.h>
#include <string.h>

const char *hap_variable(const struct hap_environment *environment, const char *name)
{
    for (size_t i = environment->count; i > 0; i--)
        if (strcmp(environment->items[i - 1].name, name) == 0)
            return environment->items[i - 1].value;
    return environment->cleared ? NULL : getenv(name);
}

static void set_variable(struct import *import, struct hap_environment *environment,
                         const char *name, const char *value)
{
    environment->items = arena_grow(&import->arena, environment->items, environment->count,
                                    &environment->capacity, sizeof *environment->items);
    environment->items[environment->count++] = (struct hap_variable){name, value};
}

void hap_environment_note(struct import *import, struct hap_environment *environment,
                          char *const *words, size_t count)
{
    const char *verb = words[0];
    if (strcmp(verb, "setenv") == 0 && count > 2)
        set_variable(import, environment, words[1], words[2]);
    else if (strcmp(verb, "presetenv") == 0 && count > 2 && !hap_variable(environment, words[1]))
        set_variable(import, environment, words[1], words[2]);
    else if (strcmp(verb, "unsetenv") == 0)
        for (size_t i = 1; i < count; i++)
            set_variable(import, environment, words[i], NULL);
    else if (strcmp(verb, "resetenv") == 0)
        environment->cleared = true;
}
