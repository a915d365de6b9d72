/* An ordered list of addresses, each with a value, as an option has it: "any", ADDRESS,
 * ADDRESS/BITS or @FILE. The first entry that contains an address gives its value: allow and deny
 * of an access list, or simply "is in the list". */
#ifndef RPPROXY_CONFIG_LISTS_ADDRESS_RULES_H
#define RPPROXY_CONFIG_LISTS_ADDRESS_RULES_H

#include "config/lists/address_file.h"

#include <stdio.h>

enum address_rule_kind { ADDRESS_ANY, ADDRESS_PREFIX, ADDRESS_FILE };

struct address_rule {
    enum address_rule_kind kind;
    uint32_t value; /* below PREFIX_NO_VALUE */
    struct prefix prefix;
    const struct address_file *file; /* belongs to the struct address_files */
};

/* As it stands in the configuration; zero at first. The caller frees `items`. */
struct address_rules {
    struct address_rule *items;
    size_t count;
    size_t capacity;
};

/* Adds one word with its value. Returns NULL, or what is wrong with the word: a text that can
 * follow
 * "'WORD' ". What is wrong with a file is reported to origin, and not returned. */
const char *address_rules_add(struct address_rules *rules, const char *word, uint32_t value,
                              struct address_files *files, const struct list_origin *origin)
    __attribute__((warn_unused_result));

/* Writes the word of one rule. */
void address_rule_write(const struct address_rule *rule, FILE *out);

/* The rules made ready for search. Keeps pointers to the files. */
struct address_matcher;

/* Exits if there is no memory: not for a process that serves. */
struct address_matcher *address_matcher_make(const struct address_rules *rules)
    __attribute__((returns_nonnull, warn_unused_result));

/* NULL is fine. */
void address_matcher_free(struct address_matcher *matcher);

/* Returns the value of the first rule that contains the address, or PREFIX_NO_VALUE. Unix clients
 * are contained in "any" only. Takes one search for each file, and one for all rules that stand
 * between two files. Any thread. */
uint32_t address_matcher_find(const struct address_matcher *matcher,
                              const struct sockaddr *address);

#endif
