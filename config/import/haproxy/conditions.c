/* What stands behind "if" and "unless": names of ACLs, tests in braces, "!" and "or". */
#include "config/import/haproxy/criteria.h"

#include <string.h>

/* ACLs that HAProxy knows without a definition. */
static const char *const predefined[][3] = {
    {"TRUE", "always_true", NULL},   {"FALSE", "always_false", NULL},
    {"WAIT_END", "wait_end", NULL},  {"HTTP", "req.proto_http", NULL},
    {"REQ_CONTENT", "req.len", "1"},
};

/* The formula of a name: all definitions of the section, of which one has to hold. */
static struct formula named(const struct hap_scope *scope, const char *name, struct origin origin)
{
    struct arena *arena = &scope->import->arena;
    struct formula formula = formula_never();
    bool known = false;
    const struct hap_lines *acls = &scope->section->lists[HAP_ACLS];
    for (size_t i = 0; i < acls->count; i++) {
        const struct hap_line *line = &acls->items[i];
        if (line->count < 3 || strcmp(line->words[1], name) != 0)
            continue;
        struct hap_test test = hap_test_read(scope, line->words + 2);
        known = true;
        formula = formula_or(arena, formula, hap_test_formula(scope, &test, line->origin));
    }
    if (known)
        return formula;
    if (strcmp(name, "LOCALHOST") == 0)
        return formula_literal(arena, "src:127.0.0.0/8,::1", false);
    for (size_t i = 0; i < sizeof predefined / sizeof *predefined; i++)
        if (strcmp(predefined[i][0], name) == 0) {
            char *pattern = arena_copy(arena, "1");
            struct hap_test test = {.fetch = predefined[i][1],
                                    .arguments = "",
                                    .converters = "",
                                    .operation = predefined[i][2] ? "ge" : NULL,
                                    .patterns = &pattern,
                                    .count = predefined[i][2] ? 1 : 0};
            return hap_test_formula(scope, &test, origin);
        }
    not_imported(scope->import, origin, "condition '%s' is not known", name);
    return formula_lost();
}

/* The term at *words, which moves past it. */
static struct formula term(const struct hap_scope *scope, char *const **words, struct origin origin)
{
    struct arena *arena = &scope->import->arena;
    const char *word = **words;
    bool negated = false;
    struct formula formula;
    while (word && word[0] == '!') {
        negated = !negated;
        word++;
        if (!*word)
            word = *++*words;
    }
    if (!word)
        return formula_lost();
    if (strcmp(word, "{") == 0) {
        struct hap_test test = hap_test_read(scope, *words + 1);
        formula = hap_test_formula(scope, &test, origin);
        while (**words && strcmp(**words, "}") != 0)
            ++*words;
    } else {
        formula = named(scope, word, origin);
    }
    if (**words)
        ++*words;
    return negated ? formula_not(arena, formula) : formula;
}

struct formula hap_formula(const struct hap_scope *scope, char *const *words, struct origin origin)
{
    struct arena *arena = &scope->import->arena;
    if (!words[0])
        return formula_always(arena);
    bool unless = strcmp(words[0], "unless") == 0;
    if (!unless && strcmp(words[0], "if") != 0) {
        not_imported(scope->import, origin, "'%.60s' is not understood", words[0]);
        return formula_lost();
    }
    struct formula any = formula_never(), all = formula_always(arena);
    for (words++; *words;) {
        if (strcmp(*words, "or") == 0 || strcmp(*words, "||") == 0) {
            any = formula_or(arena, any, all);
            all = formula_always(arena);
            words++;
        } else {
            all = formula_and(arena, all, term(scope, &words, origin));
        }
    }
    any = formula_or(arena, any, all);
    if (unless)
        any = formula_not(arena, any);
    if (any.lost)
        not_imported(scope->import, origin, "its condition cannot be said by routes");
    return any;
}

bool hap_single_test(const struct hap_scope *scope, char *const *words, struct hap_test *test)
{
    const struct hap_lines *acls = &scope->section->lists[HAP_ACLS];
    const struct hap_line *only = NULL;
    if (!words[0] || strcmp(words[0], "if") != 0 || !words[1])
        return false;
    if (strcmp(words[1], "{") == 0) {
        size_t end = 2;
        while (words[end] && strcmp(words[end], "}") != 0)
            end++;
        *test = hap_test_read(scope, words + 2);
        return words[end] && !words[end + 1];
    }
    for (size_t i = 0; i < acls->count && !words[2]; i++)
        if (acls->items[i].count > 2 && strcmp(acls->items[i].words[1], words[1]) == 0) {
            if (only)
                return false;
            only = &acls->items[i];
        }
    if (only)
        *test = hap_test_read(scope, only->words + 2);
    return only != NULL;
}
