#include "config/options/metrics_values.h"

#include "config/base/memory.h"
#include "config/model/config.h"

#include <stdlib.h>
#include <string.h>

static const char blanks[] = " \t";

/* --- addresses ------------------------------------------------------------------------------- */

static const char *add_address(struct metrics_addresses *addresses, const char *word)
{
    struct metrics_address added = {.address.length = 0};
    const char *wrong = address_parse(word, &added.address);
    if (wrong)
        return option_wrong("has '%.100s': %s", word, wrong);
    address_format(&added.address, added.text);
    for (size_t i = 0; i < addresses->count; i++)
        if (strcmp(addresses->list[i].text, added.text) == 0)
            return option_wrong("has '%.100s' twice", word);
    if (addresses->count == METRICS_ADDRESSES_MAX)
        return option_wrong("has more than %d addresses", METRICS_ADDRESSES_MAX);
    size_t capacity = addresses->count;
    addresses->list =
        memory_grow(addresses->list, addresses->count, &capacity, sizeof *addresses->list);
    addresses->list[addresses->count++] = added;
    return NULL;
}

static const char *read_addresses(const char *value, void *member,
                                  const struct option_context *context)
{
    (void)context;
    char *words = memory_copy(value), *rest;
    const char *wrong = NULL;
    for (char *word = strtok_r(words, blanks, &rest); word && !wrong;
         word = strtok_r(NULL, blanks, &rest))
        wrong = add_address(member, word);
    free(words);
    return wrong;
}

static bool write_addresses(const void *member, size_t item, FILE *out)
{
    const struct metrics_addresses *addresses = member;
    if (item > 0 || addresses->count == 0)
        return false;
    for (size_t i = 0; i < addresses->count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", addresses->list[i].text);
    return true;
}

static void release_addresses(void *member)
{
    struct metrics_addresses *addresses = member;
    free(addresses->list);
    *addresses = (struct metrics_addresses){0};
}

const struct option_custom metrics_addresses_value = {.form = "ADDRESS:PORT or unix:/PATH ...",
                                                      .read = read_addresses,
                                                      .write = write_addresses,
                                                      .release = release_addresses};

/* --- names of backends ----------------------------------------------------------------------- */

/* Whether there are such backends is not known before all sections are read. */
static const char *read_names(const char *value, void *member, const struct option_context *context)
{
    (void)context;
    struct words *names = member;
    char *words = memory_copy(value), *rest;
    for (char *word = strtok_r(words, blanks, &rest); word; word = strtok_r(NULL, blanks, &rest)) {
        size_t capacity = names->count;
        names->list = memory_grow(names->list, names->count, &capacity, sizeof *names->list);
        names->list[names->count++] = memory_copy(word);
    }
    free(words);
    return NULL;
}

static bool write_names(const void *member, size_t item, FILE *out)
{
    const struct words *names = member;
    if (item > 0 || names->count == 0)
        return false;
    for (size_t i = 0; i < names->count; i++)
        fprintf(out, "%s%s", i > 0 ? " " : "", names->list[i]);
    return true;
}

static void release_names(void *member)
{
    struct words *names = member;
    for (size_t i = 0; i < names->count; i++)
        free(names->list[i]);
    free(names->list);
    *names = (struct words){0};
}

const struct option_custom ready_backends_value = {
    .form = "NAME ...", .read = read_names, .write = write_names, .release = release_names};
