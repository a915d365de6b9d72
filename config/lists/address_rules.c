#include "config/lists/address_rules.h"

#include "config/base/memory.h"

#include <stdlib.h>
#include <string.h>

/* One search: in a file, or among rules that follow each other. */
struct step {
    const struct address_file *file; /* NULL: `tree` */
    struct prefix_tree *tree;        /* NULL: any address; its values are indices of rules */
    uint32_t value;                  /* without a tree of its own */
};

struct address_matcher {
    const struct address_rules *rules;
    size_t count;
    struct step steps[];
};

const char *address_rules_add(struct address_rules *rules, const char *word, uint32_t value,
                              struct address_files *files, const struct list_origin *origin)
{
    struct address_rule rule = {.value = value};
    if (strcmp(word, "any") == 0) {
        rule.kind = ADDRESS_ANY;
    } else if (word[0] == '@') {
        if (!word[1])
            return "needs the name of a file: @FILE";
        rule.kind = ADDRESS_FILE;
        rule.file = address_files_get(files, word + 1, origin);
    } else {
        rule.kind = ADDRESS_PREFIX;
        const char *wrong = prefix_parse(word, &rule.prefix);
        if (wrong)
            return wrong;
    }
    rules->items = memory_grow(rules->items, rules->count, &rules->capacity, sizeof *rules->items);
    rules->items[rules->count++] = rule;
    return NULL;
}

void address_rule_write(const struct address_rule *rule, FILE *out)
{
    char text[PREFIX_TEXT_MAX];
    switch (rule->kind) {
    case ADDRESS_ANY:
        fputs("any", out);
        break;
    case ADDRESS_PREFIX:
        fputs(prefix_format(&rule->prefix, text), out);
        break;
    case ADDRESS_FILE:
        fprintf(out, "@%s", rule->file->path);
        break;
    }
}

/* Makes one step of the prefixes from rules[i] on. Returns the index behind the last of them. */
static size_t make_step(const struct address_rules *rules, size_t i, struct step *step)
{
    const struct address_rule *rule = &rules->items[i];
    struct prefix_entries entries = {0};
    *step = (struct step){.value = rule->value};
    if (rule->kind == ADDRESS_FILE)
        step->file = rule->file;
    if (rule->kind != ADDRESS_PREFIX)
        return i + 1;
    for (; i < rules->count && rules->items[i].kind == ADDRESS_PREFIX; i++)
        prefix_entries_add(&entries, &rules->items[i].prefix, (uint32_t)i);
    step->tree = prefix_tree_make(&entries, PREFIX_LOWEST);
    free(entries.items);
    return i;
}

struct address_matcher *address_matcher_make(const struct address_rules *rules)
{
    struct address_matcher *matcher =
        memory_new(1, sizeof *matcher + rules->count * sizeof(struct step));
    matcher->rules = rules;
    for (size_t i = 0; i < rules->count;)
        i = make_step(rules, i, &matcher->steps[matcher->count++]);
    return matcher;
}

void address_matcher_free(struct address_matcher *matcher)
{
    for (size_t i = 0; matcher && i < matcher->count; i++)
        prefix_tree_free(matcher->steps[i].tree);
    free(matcher);
}

uint32_t address_matcher_find(const struct address_matcher *matcher, const struct sockaddr *address)
{
    for (size_t i = 0; i < matcher->count; i++) {
        const struct step *step = &matcher->steps[i];
        if (step->tree) {
            uint32_t rule = prefix_tree_find(step->tree, address);
            if (rule != PREFIX_NO_VALUE)
                return matcher->rules->items[rule].value;
        } else if (!step->file || address_file_contains(step->file, address)) {
            return step->value;
        }
    }
    return PREFIX_NO_VALUE;
}
