/* Conditions of routes in their simplest form: one of several clauses holds if all of its literals
 * do. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_FORMULA_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_FORMULA_H

#include "config/import/arena.h"

#include <stdbool.h>
#include <stddef.h>

struct literal {
    const char *text; /* a condition of a route: "sni:a.example" */
    bool negated;
};

struct clause {
    struct literal *literals;
    size_t count;
};

/* No clause: never; a clause without literals: always. */
struct formula {
    struct clause *clauses;
    size_t count;
    bool lost; /* a route cannot say it */
};

struct formula formula_never(void);
struct formula formula_always(struct arena *arena);
struct formula formula_lost(void);
struct formula formula_literal(struct arena *arena, const char *text, bool negated);
struct formula formula_or(struct arena *arena, struct formula a, struct formula b);
struct formula formula_and(struct arena *arena, struct formula a, struct formula b);
struct formula formula_not(struct arena *arena, struct formula formula);
bool formula_is_always(const struct formula *formula);

/* "sni:a !src:b ", as it stands before the backend of a route. */
const char *clause_text(struct arena *arena, const struct clause *clause);

#endif
