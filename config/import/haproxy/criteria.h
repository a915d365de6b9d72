/* Conditions of HAProxy (ACLs and what stands behind "if" and "unless") as conditions of routes. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_CRITERIA_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_CRITERIA_H

#include "config/import/haproxy/formula.h"
#include "config/import/haproxy/model.h"

/* One test: what is looked at, how, and the patterns. */
struct hap_test {
    const char *fetch;      /* "req.ssl_sni" */
    const char *arguments;  /* what stands in its parentheses, or "" */
    const char *converters; /* "lower", or "" */
    const char *method;     /* of -m: "str", "end", ...; NULL: not given */
    const char *operation;  /* eq, ge, gt, le or lt; NULL: not given */
    const char *file;       /* of -f, or NULL */
    char **patterns;
    size_t count;
};

/* Where conditions stand. */
struct hap_scope {
    struct import *import;
    const struct hap_model *model;
    const struct hap_section *section;
};

/* Reads the words of a test: "req.ssl_sni -i a.example". They end with NULL or with "}". */
struct hap_test hap_test_read(const struct hap_scope *scope, char *const *words);

/* What the test means. Where a route cannot say it the formula is lost, and the reason has been
 * found at origin. */
struct formula hap_test_formula(const struct hap_scope *scope, const struct hap_test *test,
                                struct origin origin);

/* The formula of the words behind an action: "if A !B or { C }", "unless D", or nothing, which is
 * always. Finds what a route cannot say at origin. */
struct formula hap_formula(const struct hap_scope *scope, char *const *words, struct origin origin);

/* True: the words are "if" and one test, which is stored. */
bool hap_single_test(const struct hap_scope *scope, char *const *words, struct hap_test *test);

/* A path that a configuration names, as an absolute one; NULL: there is no such file. */
const char *hap_path(struct import *import, const char *path);

#endif
