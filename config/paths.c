#include "config/paths.h"

#include "config/base/memory.h"
#include "config/base/path.h"

#include <stdlib.h>
#include <string.h>

void paths_claim(struct path_claims *claims, const char *path, char *text, struct place place,
                 bool is_bind)
{
    claims->items =
        memory_grow(claims->items, claims->count, &claims->capacity, sizeof *claims->items);
    claims->items[claims->count] = (struct path_claim){.plain = path_plain(path, false),
                                                       .text = text,
                                                       .place = place,
                                                       .is_bind = is_bind,
                                                       .sequence = claims->count};
    claims->count++;
}

static int by_path(const void *left, const void *right)
{
    const struct path_claim *a = left;
    const struct path_claim *b = right;
    int order = strcmp(a->plain, b->plain);
    return order ? order : a->sequence < b->sequence ? -1 : 1;
}

void paths_check(struct path_claims *claims, struct problems *problems)
{
    if (claims->count > 0)
        qsort(claims->items, claims->count, sizeof *claims->items, by_path);
    const struct path_claim *holder = claims->items;
    for (size_t i = 1; i < claims->count; i++) {
        const struct path_claim *claim = &claims->items[i];
        if (strcmp(holder->plain, claim->plain) != 0)
            holder = claim;
        else if (!holder->is_bind || strcmp(holder->text, claim->text) != 0)
            problem_add(problems, claim->place, "%s has the path of %s", claim->text, holder->text);
    }
    for (size_t i = 0; i < claims->count; i++) {
        free(claims->items[i].plain);
        free(claims->items[i].text);
    }
    free(claims->items);
    *claims = (struct path_claims){0};
}
