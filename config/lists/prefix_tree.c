#include "config/lists/prefix_tree.h"

#include "config/base/memory.h"

#include <stdlib.h>
#include <string.h>

#define LINE 64 /* bytes of a cache line, and of a node */

#define IPV4_BOUNDS (LINE / sizeof(uint32_t))
#define IPV6_BOUNDS (LINE / sizeof(struct address_bits))

/* A range from `first` to the first address of the next range. */
struct range {
    struct address_bits first;
    uint32_t value;
};

struct ranges {
    struct range *items;
    size_t count;
    size_t capacity;
};

/* The search tree of one address family: the i-th child of node n is node n * (bounds + 1) + i + 1.
 * In order, the bounds are the first addresses of the ranges; values[i] is the value of the range
 * that begins at bound i. What is left at the end is filled with the last range. */
struct ipv4_tree {
    uint32_t *bounds;
    uint32_t *values;
    size_t nodes;
};

struct ipv6_tree {
    struct address_bits *bounds;
    uint32_t *values;
    size_t nodes;
};

struct prefix_tree {
    struct ipv4_tree ipv4;
    struct ipv6_tree ipv6;
};

void prefix_entries_add(struct prefix_entries *entries, const struct prefix *prefix, uint32_t value)
{
    entries->items =
        memory_grow(entries->items, entries->count, &entries->capacity, sizeof *entries->items);
    entries->items[entries->count] =
        (struct prefix_entry){.prefix = *prefix, .value = value, .order = (uint32_t)entries->count};
    entries->count++;
}

/* --- ranges -------------------------------------------------------------------------------- */

static int compare_bits(struct address_bits a, struct address_bits b)
{
    if (a.high != b.high)
        return a.high < b.high ? -1 : 1;
    return a.low < b.low ? -1 : a.low > b.low;
}

/* IPv4 first; by address; a prefix goes before those that it contains. */
static int by_prefix(const void *left, const void *right)
{
    const struct prefix_entry *a = left;
    const struct prefix_entry *b = right;
    if (a->prefix.is_ipv6 != b->prefix.is_ipv6)
        return a->prefix.is_ipv6 ? 1 : -1;
    int order = compare_bits(a->prefix.first, b->prefix.first);
    if (order == 0)
        order = (int)a->prefix.bits - (int)b->prefix.bits;
    return order ? order : a->order < b->order ? -1 : 1;
}

static bool is_same(const struct prefix *a, const struct prefix *b)
{
    return a->bits == b->bits && compare_bits(a->first, b->first) == 0;
}

/* The last address of the prefix. */
static struct address_bits last_of(const struct prefix *prefix)
{
    struct address_bits all = {UINT64_MAX, UINT64_MAX};
    struct address_bits mask = address_bits_mask(all, prefix->bits);
    return (struct address_bits){prefix->first.high | ~mask.high, prefix->first.low | ~mask.low};
}

/* Ranges begin in order; a range that begins where the last one does replaces it. */
static void add_range(struct ranges *ranges, struct address_bits first, uint32_t value)
{
    if (ranges->count > 0 && compare_bits(ranges->items[ranges->count - 1].first, first) == 0)
        ranges->count--;
    if (ranges->count > 0 && ranges->items[ranges->count - 1].value == value)
        return;
    ranges->items =
        memory_grow(ranges->items, ranges->count, &ranges->capacity, sizeof *ranges->items);
    ranges->items[ranges->count++] = (struct range){first, value};
}

/* The prefixes that contain the current address, the shortest first: each contains the next. */
struct nest {
    const struct prefix *prefix[130];
    uint32_t value[130];
    unsigned depth;
};

/* The innermost prefix ends; the range of the one around it goes on behind it. */
static void leave(struct nest *nest, struct ranges *ranges)
{
    struct address_bits next = last_of(nest->prefix[nest->depth--]);
    if (++next.low == 0)
        next.high++;
    if (next.high == 0 && next.low == 0)
        return; /* it reached to the highest address */
    add_range(ranges, next, nest->value[nest->depth]);
}

/* entries: of one family, sorted. The first range begins at the lowest address. */
static void make_ranges(const struct prefix_entry *entries, size_t count, enum prefix_rule rule,
                        struct ranges *ranges)
{
    struct nest nest = {.value = {PREFIX_NO_VALUE}};
    *ranges = (struct ranges){0};
    if (count > 0)
        add_range(ranges, (struct address_bits){0, 0}, PREFIX_NO_VALUE);
    for (size_t i = 0; i < count; i++) {
        const struct prefix *prefix = &entries[i].prefix;
        uint32_t value = entries[i].value;
        while (nest.depth > 0 && compare_bits(last_of(nest.prefix[nest.depth]), prefix->first) < 0)
            leave(&nest, ranges);
        uint32_t outer = nest.value[nest.depth];
        if (rule == PREFIX_LOWEST && outer < value)
            value = outer;
        nest.depth++;
        nest.prefix[nest.depth] = prefix;
        nest.value[nest.depth] = value;
        add_range(ranges, prefix->first, value);
    }
    while (nest.depth > 0)
        leave(&nest, ranges);
}

/* Sorts, and drops what is there twice. */
static void sort_entries(struct prefix_entries *entries, enum prefix_rule rule)
{
    size_t kept = 0;
    struct prefix_entry *items = entries->items;
    if (entries->count == 0)
        return;
    qsort(items, entries->count, sizeof *items, by_prefix);
    for (size_t i = 1; i < entries->count; i++) {
        if (!is_same(&items[i].prefix, &items[kept].prefix) ||
            items[i].prefix.is_ipv6 != items[kept].prefix.is_ipv6)
            items[++kept] = items[i];
        else if (rule == PREFIX_LOWEST && items[i].value < items[kept].value)
            items[kept].value = items[i].value;
    }
    entries->count = kept + 1;
}

/* --- the tree ------------------------------------------------------------------------------ */

static void *lines_new(size_t nodes)
{
    void *lines = nodes ? aligned_alloc(LINE, nodes * LINE) : NULL;
    return lines ? lines : memory_new(nodes + 1, LINE);
}

/* Puts the ranges from *next on, in order, into the node and all below it. */
static void fill_ipv4(struct ipv4_tree *tree, const struct ranges *ranges, size_t node,
                      size_t *next)
{
    if (node >= tree->nodes)
        return;
    for (size_t i = 0; i < IPV4_BOUNDS; i++) {
        size_t at = node * IPV4_BOUNDS + i;
        fill_ipv4(tree, ranges, node * (IPV4_BOUNDS + 1) + i + 1, next);
        bool over = *next >= ranges->count;
        const struct range *range = &ranges->items[over ? ranges->count - 1 : *next];
        tree->bounds[at] = over ? UINT32_MAX : (uint32_t)(range->first.high >> 32);
        tree->values[at] = range->value;
        ++*next;
    }
    fill_ipv4(tree, ranges, node * (IPV4_BOUNDS + 1) + IPV4_BOUNDS + 1, next);
}

static void fill_ipv6(struct ipv6_tree *tree, const struct ranges *ranges, size_t node,
                      size_t *next)
{
    static const struct address_bits highest = {UINT64_MAX, UINT64_MAX};
    if (node >= tree->nodes)
        return;
    for (size_t i = 0; i < IPV6_BOUNDS; i++) {
        size_t at = node * IPV6_BOUNDS + i;
        fill_ipv6(tree, ranges, node * (IPV6_BOUNDS + 1) + i + 1, next);
        bool over = *next >= ranges->count;
        const struct range *range = &ranges->items[over ? ranges->count - 1 : *next];
        tree->bounds[at] = over ? highest : range->first;
        tree->values[at] = range->value;
        ++*next;
    }
    fill_ipv6(tree, ranges, node * (IPV6_BOUNDS + 1) + IPV6_BOUNDS + 1, next);
}

static void make_ipv4(struct ipv4_tree *tree, const struct ranges *ranges)
{
    size_t next = 0;
    tree->nodes = (ranges->count + IPV4_BOUNDS - 1) / IPV4_BOUNDS;
    tree->bounds = lines_new(tree->nodes);
    tree->values = memory_new(tree->nodes * IPV4_BOUNDS + 1, sizeof *tree->values);
    fill_ipv4(tree, ranges, 0, &next);
}

static void make_ipv6(struct ipv6_tree *tree, const struct ranges *ranges)
{
    size_t next = 0;
    tree->nodes = (ranges->count + IPV6_BOUNDS - 1) / IPV6_BOUNDS;
    tree->bounds = lines_new(tree->nodes);
    tree->values = memory_new(tree->nodes * IPV6_BOUNDS + 1, sizeof *tree->values);
    fill_ipv6(tree, ranges, 0, &next);
}

struct prefix_tree *prefix_tree_make(struct prefix_entries *entries, enum prefix_rule rule)
{
    struct prefix_tree *tree = memory_new(1, sizeof *tree);
    struct ranges ranges;
    size_t ipv4 = 0;
    sort_entries(entries, rule);
    while (ipv4 < entries->count && !entries->items[ipv4].prefix.is_ipv6)
        ipv4++;
    make_ranges(entries->items, ipv4, rule, &ranges);
    make_ipv4(&tree->ipv4, &ranges);
    free(ranges.items);
    make_ranges(ipv4 ? entries->items + ipv4 : entries->items, entries->count - ipv4, rule,
                &ranges);
    make_ipv6(&tree->ipv6, &ranges);
    free(ranges.items);
    return tree;
}

void prefix_tree_free(struct prefix_tree *tree)
{
    if (!tree)
        return;
    free(tree->ipv4.bounds);
    free(tree->ipv4.values);
    free(tree->ipv6.bounds);
    free(tree->ipv6.values);
    free(tree);
}

/* The value is that of the last bound that is not above the address. */
static uint32_t find_ipv4(const struct ipv4_tree *tree, uint32_t address)
{
    uint32_t value = PREFIX_NO_VALUE;
    for (size_t node = 0; node < tree->nodes;) {
        const uint32_t *bounds = tree->bounds + node * IPV4_BOUNDS;
        unsigned below = 0;
        for (unsigned i = 0; i < IPV4_BOUNDS; i++)
            below += bounds[i] <= address;
        if (below > 0)
            value = tree->values[node * IPV4_BOUNDS + below - 1];
        node = node * (IPV4_BOUNDS + 1) + below + 1;
    }
    return value;
}

static uint32_t find_ipv6(const struct ipv6_tree *tree, struct address_bits address)
{
    uint32_t value = PREFIX_NO_VALUE;
    for (size_t node = 0; node < tree->nodes;) {
        const struct address_bits *bounds = tree->bounds + node * IPV6_BOUNDS;
        unsigned below = 0;
        for (unsigned i = 0; i < IPV6_BOUNDS; i++)
            below += bounds[i].high < address.high ||
                     (bounds[i].high == address.high && bounds[i].low <= address.low);
        if (below > 0)
            value = tree->values[node * IPV6_BOUNDS + below - 1];
        node = node * (IPV6_BOUNDS + 1) + below + 1;
    }
    return value;
}

uint32_t prefix_tree_find(const struct prefix_tree *tree, const struct sockaddr *address)
{
    struct address_bits bits;
    bool is_ipv6;
    if (!address_bits_of(address, &bits, &is_ipv6))
        return PREFIX_NO_VALUE;
    return is_ipv6 ? find_ipv6(&tree->ipv6, bits)
                   : find_ipv4(&tree->ipv4, (uint32_t)(bits.high >> 32));
}
