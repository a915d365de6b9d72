#include "config/import/haproxy/formula.h"

#include <string.h>

/* More of them would be no configuration that a person reads. */
#define CLAUSES_MAX  64
#define LITERALS_MAX 32

struct formula formula_never(void)
{
    return (struct formula){0};
}

struct formula formula_lost(void)
{
    return (struct formula){.lost = true};
}

struct formula formula_always(struct arena *arena)
{
    struct formula formula = {.clauses = arena_new(arena, 1, sizeof(struct clause)), .count = 1};
    return formula;
}

struct formula formula_literal(struct arena *arena, const char *text, bool negated)
{
    struct formula formula = formula_always(arena);
    formula.clauses->literals = arena_new(arena, 1, sizeof(struct literal));
    formula.clauses->literals[0] = (struct literal){text, negated};
    formula.clauses->count = 1;
    return formula;
}

bool formula_is_always(const struct formula *formula)
{
    for (size_t i = 0; i < formula->count; i++)
        if (formula->clauses[i].count == 0)
            return true;
    return false;
}

struct formula formula_or(struct arena *arena, struct formula a, struct formula b)
{
    if (a.lost || b.lost || a.count + b.count > CLAUSES_MAX)
        return formula_lost();
    if (formula_is_always(&a) || formula_is_always(&b))
        return formula_always(arena);
    struct formula both = {.clauses = arena_new(arena, a.count + b.count, sizeof *both.clauses)};
    for (size_t i = 0; i < a.count; i++)
        both.clauses[both.count++] = a.clauses[i];
    for (size_t i = 0; i < b.count; i++)
        both.clauses[both.count++] = b.clauses[i];
    return both;
}

static bool has(const struct clause *clause, struct literal literal, bool negated)
{
    for (size_t i = 0; i < clause->count; i++)
        if (clause->literals[i].negated == negated &&
            strcmp(clause->literals[i].text, literal.text) == 0)
            return true;
    return false;
}

/* Returns false if the clause can never hold. */
static bool add_literals(struct clause *clause, const struct clause *more)
{
    for (size_t i = 0; i < more->count; i++) {
        if (has(clause, more->literals[i], !more->literals[i].negated))
            return false;
        if (!has(clause, more->literals[i], more->literals[i].negated))
            clause->literals[clause->count++] = more->literals[i];
    }
    return true;
}

struct formula formula_and(struct arena *arena, struct formula a, struct formula b)
{
    if (a.lost || b.lost || a.count * b.count > CLAUSES_MAX)
        return formula_lost();
    struct formula both = {.clauses = arena_new(arena, a.count * b.count, sizeof *both.clauses)};
    for (size_t i = 0; i < a.count; i++)
        for (size_t j = 0; j < b.count; j++) {
            struct clause clause = {.literals =
                                        arena_new(arena, a.clauses[i].count + b.clauses[j].count,
                                                  sizeof *clause.literals)};
            if (add_literals(&clause, &a.clauses[i]) && add_literals(&clause, &b.clauses[j]))
                both.clauses[both.count++] = clause;
            if (clause.count > LITERALS_MAX)
                return formula_lost();
        }
    return both;
}

struct formula formula_not(struct arena *arena, struct formula formula)
{
    struct formula result = formula_always(arena);
    if (formula.lost)
        return formula;
    for (size_t i = 0; i < formula.count && !result.lost; i++) {
        struct formula any = formula_never();
        for (size_t j = 0; j < formula.clauses[i].count; j++) {
            struct literal literal = formula.clauses[i].literals[j];
            any = formula_or(arena, any, formula_literal(arena, literal.text, !literal.negated));
        }
        result = formula_and(arena, result, any);
    }
    return result;
}

const char *clause_text(struct arena *arena, const struct clause *clause)
{
    const char *text = "";
    for (size_t i = 0; i < clause->count; i++)
        text = arena_print(arena, "%s%s%s ", text, clause->literals[i].negated ? "!" : "",
                           clause->literals[i].text);
    return text;
}
