#include "config/backend_names.h"

#include "config/base/memory.h"
#include "config/syntax/suggest.h"

#include <stdlib.h>
#include <string.h>

/* A hint compares at most this number of names: a generated file may have very many. */
#define SUGGEST_FROM_MAX 1000

static int by_name(const void *left, const void *right)
{
    const struct backend_conf *const *a = left;
    const struct backend_conf *const *b = right;
    return strcmp((*a)->name, (*b)->name);
}

static int name_of(const void *name, const void *item)
{
    const struct backend_conf *const *backend = item;
    return strcmp(name, (*backend)->name);
}

void backend_names_open(struct backend_names *names, const struct config *config)
{
    names->config = config;
    names->sorted = memory_new(config->backend_count, sizeof(void *));
    for (size_t i = 0; i < config->backend_count; i++)
        names->sorted[i] = &config->backends[i];
    qsort(names->sorted, config->backend_count, sizeof(void *), by_name);
}

void backend_names_close(struct backend_names *names)
{
    free(names->sorted);
}

uint32_t backend_names_find(const struct backend_names *names, const char *name)
{
    const struct backend_conf **found =
        bsearch(name, names->sorted, names->config->backend_count, sizeof(void *), name_of);
    return found ? (uint32_t)(*found - names->config->backends) : BACKEND_UNKNOWN;
}

const char *backend_names_unknown(const struct backend_names *names, const char *name,
                                  char text[static BACKEND_TEXT_MAX])
{
    char hint[SUGGEST_TEXT_MAX];
    struct suggestion suggestion = suggest_begin(name);
    for (size_t i = 0; i < names->config->backend_count && i < SUGGEST_FROM_MAX; i++)
        suggest_offer(&suggestion, names->config->backends[i].name);
    snprintf(text, BACKEND_TEXT_MAX, "there is no [backend %.100s]%s", name,
             suggest_text(&suggestion, hint));
    return text;
}
