#include "proxy/backend/balance/first.h"

#include "config/base/container_of.h"

#include <stdlib.h>

struct first {
    struct balancer balancer;
    struct server **usable; /* balancer.usable of them, in their order */
    size_t room;
};

static struct first *first_of(struct balancer *balancer)
{
    return container_of(balancer, struct first, balancer);
}

static bool refresh(struct balancer *balancer, const struct server_set *set)
{
    struct first *first = first_of(balancer);
    if (first->room < set->count) {
        struct server **usable = realloc(first->usable, set->count * sizeof *usable);
        if (!usable)
            return false;
        first->usable = usable;
        first->room = set->count;
    }
    balancer->usable = 0;
    for (size_t i = 0; i < set->count; i++)
        if (server_share(set->list[i]) > 0)
            first->usable[balancer->usable++] = set->list[i];
    return true;
}

static struct server *next(struct balancer *balancer, const struct choice *choice)
{
    struct first *first = first_of(balancer);
    for (size_t i = 0; i < balancer->usable; i++)
        if (!choice_excludes(choice, first->usable[i]))
            return first->usable[i];
    return NULL;
}

static struct balancer *make(void)
{
    struct first *first = calloc(1, sizeof *first);
    return first ? &first->balancer : NULL;
}

static void dispose(struct balancer *balancer)
{
    struct first *first = first_of(balancer);
    free(first->usable);
    free(first);
}

const struct balance_algorithm balance_first = {
    .make = make, .free = dispose, .refresh = refresh, .next = next};
