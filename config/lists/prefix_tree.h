/* Finds the value of an address among very many prefixes.
 *
 * The tree is made once and never changes: the prefixes become ranges of addresses that do not
 * overlap, and these a search tree in one array. A node is one cache line with 16 bounds (IPv4) or
 * 4 bounds (IPv6), and all its bounds are compared at once. So 100,000 IPv4 prefixes take a look
 * into 5 cache lines, and 100,000 IPv6 prefixes into 8, where a binary tree of prefixes needs a
 * step for each bit that tells two of them apart. */
#ifndef RPPROXY_CONFIG_LISTS_PREFIX_TREE_H
#define RPPROXY_CONFIG_LISTS_PREFIX_TREE_H

#include "config/lists/prefix.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* The value where no prefix matches. */
#define PREFIX_NO_VALUE UINT32_MAX

struct prefix_entry {
    struct prefix prefix;
    uint32_t value; /* not PREFIX_NO_VALUE */
    uint32_t order; /* of prefix_entries_add() */
};

/* Prefixes that are to become a tree; zero at first. The caller frees `items`. */
struct prefix_entries {
    struct prefix_entry *items;
    size_t count;
    size_t capacity;
};

void prefix_entries_add(struct prefix_entries *entries, const struct prefix *prefix,
                        uint32_t value);

/* Which of several prefixes that contain an address gives the value. */
enum prefix_rule {
    PREFIX_LONGEST, /* the longest; of two equal ones the one that was added first */
    PREFIX_LOWEST,  /* that with the lowest value: the first line of a list that matches */
};

struct prefix_tree;

/* Makes the tree; entries are sorted in place, and not needed afterwards. While a configuration is
 * read: exits if there is no memory. */
struct prefix_tree *prefix_tree_make(struct prefix_entries *entries, enum prefix_rule rule)
    __attribute__((returns_nonnull, warn_unused_result));

/* NULL is fine. */
void prefix_tree_free(struct prefix_tree *tree);

/* Returns the value for the address, or PREFIX_NO_VALUE: no prefix contains it, or it is neither
 * IPv4 nor IPv6. An IPv4-mapped IPv6 address is looked up as IPv4. Any thread. */
uint32_t prefix_tree_find(const struct prefix_tree *tree, const struct sockaddr *address);

#endif
