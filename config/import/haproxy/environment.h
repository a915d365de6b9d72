/* The environment that a haproxy.cfg sees: that of the process, and what its setenv lines say. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_ENVIRONMENT_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_ENVIRONMENT_H

#include "config/import/import.h"

#include <stdbool.h>
#include <stddef.h>

/* What setenv and unsetenv say. */
struct hap_variable {
    const char *name;
    const char *value; /* NULL: it is not set */
};

struct hap_environment {
    struct hap_variable *items;
    size_t count, capacity;
    bool cleared; /* resetenv: what the process has does not count */
};

/* The value of a variable, or NULL. */
const char *hap_variable(const struct hap_environment *environment, const char *name);

/* Takes note of a line setenv, presetenv, unsetenv or resetenv; others change nothing. */
void hap_environment_note(struct import *import, struct hap_environment *environment,
                          char *const *words, size_t count);

#endif
