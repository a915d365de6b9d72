#include "config/names/prefer.h"

#include <stdlib.h>
#include <unistd.h>

struct ranked {
    struct answer_item item;
    unsigned rank;
    size_t sequence;
};

static bool is_unique_local(const struct in6_addr *address)
{
    return (address->s6_addr[0] & 0xfe) == 0xfc;
}

/* Whether a packet to that address would come from an address of the same kind. */
static bool is_of_a_kind(const struct address *to, const struct address *from)
{
    if (to->any.sa_family != AF_INET6)
        return true;
    const struct in6_addr *a = &to->in6.sin6_addr, *b = &from->in6.sin6_addr;
    return is_unique_local(a) == is_unique_local(b) &&
           !IN6_IS_ADDR_LINKLOCAL(a) == !IN6_IS_ADDR_LINKLOCAL(b);
}

/* 0 is best. */
static unsigned rank(const struct address *to)
{
    unsigned six = to->any.sa_family == AF_INET6 ? 0 : 1;
    struct address from = {.length = sizeof from.in6};
    int fd = socket(to->any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool route = fd >= 0 && connect(fd, &to->any, to->length) == 0 &&
                 getsockname(fd, &from.any, &from.length) == 0;
    if (fd >= 0)
        close(fd);
    return six + (!route ? 4 : is_of_a_kind(to, &from) ? 0 : 2);
}

static int by_rank(const void *left, const void *right)
{
    const struct ranked *a = left;
    const struct ranked *b = right;
    if (a->rank != b->rank)
        return a->rank < b->rank ? -1 : 1;
    return a->sequence < b->sequence ? -1 : 1;
}

void prefer_sort(struct answer_item *items, size_t count)
{
    struct ranked *list = count > 1 ? malloc(count * sizeof *list) : NULL;
    if (!list)
        return; /* without memory the order stays */
    for (size_t i = 0; i < count; i++)
        list[i] = (struct ranked){items[i], rank(&items[i].address), i};
    qsort(list, count, sizeof *list, by_rank);
    for (size_t i = 0; i < count; i++)
        items[i] = list[i].item;
    free(list);
}
