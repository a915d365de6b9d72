#include "proxy/backend/balance/first.h"

#include "config/base/container_of.h"

#include <stdlib.h>

struct first {
    struct balancer balancer;
    struct place_set usable;
};

static struct first *first_of(struct balancer *balancer)
{
    return container_of(balancer, struct first, balancer);
}

static bool refresh(struct balancer *balancer, const struct server_set *set)
{
    struct first *first = first_of(balancer);
    if (!place_set_clear(&first->usable, set->count))
        return false;
    balancer->usable = 0;
    for (size_t i = 0; i < set->count; i++) {
        if (server_share(set->list[i]) == 0)
            continue;
        place_set_add(&first->usable, i);
        balancer->usable++;
    }
    return true;
}

static struct server *next(struct balancer *balancer, const struct choice *choice)
{
    const struct place_set *usable = &first_of(balancer)->usable;
    const struct server_set *set = backend_servers(balancer->backend);
    for (size_t word = 0; word < usable->count; word++) {
        uint64_t left = choice_of_word(balancer, choice, usable, word);
        for (; left; left &= left - 1) {
            struct server *server = set->list[place_in_word(word, left)];
            if (!choice_excludes(choice, server))
                return server;
        }
    }
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
    free(first->usable.words);
    free(first);
}

const struct balance_algorithm balance_first = {
    .make = make, .free = dispose, .refresh = refresh, .next = next};
