#include "config/import/haproxy/criteria.h"

#include "config/base/address.h"
#include "config/import/haproxy/tls.h"
#include "config/import/name_regex.h"
#include "config/import/text.h"

#include <ctype.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Of the list of one condition, so that a route has room for several; a longer one is several
 * conditions, of which one has to hold. */
#define LIST_BYTES 1500u

/* Variables that lead to variables. */
#define VARIABLES_MAX 8

const char *hap_path(struct import *import, const char *path)
{
    char real[PATH_MAX];
    return realpath(path, real) ? arena_copy(&import->arena, real) : NULL;
}

/* --- reading ------------------------------------------------------------------------------- */

/* "req.payload(0,7),hex" in its parts. */
static void split_fetch(struct arena *arena, const char *text, struct hap_test *test)
{
    size_t length = strcspn(text, "(,");
    test->fetch = arena_copy_n(arena, text, length);
    text += length;
    test->arguments = "";
    if (*text == '(') {
        length = strcspn(text, ")");
        test->arguments = arena_copy_n(arena, text + 1, length - 1);
        text += length + (text[length] == ')');
    }
    test->converters = *text == ',' ? arena_copy(arena, text + 1) : "";
}

/* What "set-var(NAME)" or "set-var(NAME,...)" of the section's rules gives to the variable. */
static const char *find_variable(const struct hap_section *section, const char *name)
{
    const struct hap_lines *rules = &section->lists[HAP_RULES];
    for (size_t i = 0; i < rules->count; i++)
        for (size_t j = 1; j + 1 < rules->items[i].count; j++) {
            const char *word = rules->items[i].words[j];
            if (strncmp(word, "set-var(", 8) == 0 && strcspn(word + 8, ",)") == strlen(name) &&
                strncmp(word + 8, name, strlen(name)) == 0)
                return rules->items[i].words[j + 1];
        }
    return NULL;
}

struct hap_test hap_test_read(const struct hap_scope *scope, char *const *words)
{
    static const char *const operations[] = {"eq", "ge", "gt", "le", "lt"};
    struct arena *arena = &scope->import->arena;
    struct hap_test test = {.fetch = "", .arguments = "", .converters = ""};
    size_t capacity = 0, i = 0;
    if (words[0])
        split_fetch(arena, words[i++], &test);
    for (unsigned depth = 0; strcmp(test.fetch, "var") == 0 && depth < VARIABLES_MAX; depth++) {
        const char *value = find_variable(scope->section, test.arguments);
        const char *converters = test.converters;
        if (!value)
            break;
        split_fetch(arena, value, &test);
        if (*converters)
            test.converters = *test.converters
                                  ? arena_print(arena, "%s,%s", test.converters, converters)
                                  : converters;
    }
    bool flags = true;
    for (; words[i] && strcmp(words[i], "}") != 0; i++) {
        const char *word = words[i];
        if (flags && strcmp(word, "--") == 0) {
            flags = false;
        } else if (flags && (strcmp(word, "-i") == 0 || strcmp(word, "-n") == 0)) {
            continue;
        } else if (flags && word[0] == '-' && word[1] && !word[2] && words[i + 1] &&
                   strchr("fmuM", word[1])) {
            i++;
            if (word[1] == 'm')
                test.method = words[i];
            else if (word[1] == 'f')
                test.file = words[i];
        } else {
            flags = false;
            bool is_operation = false;
            for (size_t j = 0; j < 5 && test.count == 0; j++)
                if (strcmp(word, operations[j]) == 0) {
                    test.operation = operations[j];
                    is_operation = true;
                }
            if (is_operation)
                continue;
            test.patterns =
                arena_grow(arena, test.patterns, test.count, &capacity, sizeof *test.patterns);
            test.patterns[test.count++] = words[i];
        }
    }
    return test;
}

/* --- kinds of tests ------------------------------------------------------------------------ */

/* Reads a test of the fetches that it is for. Returns NULL and the formula, or why a route cannot
 * say it. */
typedef const char *judge(const struct hap_scope *scope, const struct hap_test *test,
                          struct origin origin, struct formula *formula);

static bool is_method(const struct hap_test *test, const char *method)
{
    return test->method ? strcmp(test->method, method) == 0 : strcmp(method, "str") == 0;
}

static const char *list(struct arena *arena, const char *texts, const char *more)
{
    return *texts ? arena_print(arena, "%s,%s", texts, more) : more;
}

static struct formula positive(const struct hap_scope *scope, const char *prefix, const char *text)
{
    struct arena *arena = &scope->import->arena;
    return formula_literal(arena, arena_print(arena, "%s%s", prefix, text), false);
}

/* Adds a word to a list that any of the conditions of formula may have. */
static void add_word(const struct hap_scope *scope, const char *prefix, const char *word,
                     const char **words, struct formula *formula)
{
    if (strlen(*words) + strlen(word) > LIST_BYTES) {
        *formula = formula_or(&scope->import->arena, *formula, positive(scope, prefix, *words));
        *words = "";
    }
    *words = list(&scope->import->arena, *words, word);
}

/* One pattern as names of a route, or NULL. */
static const char *pattern_names(const struct hap_scope *scope, const struct hap_test *test,
                                 const char *pattern, struct origin origin)
{
    struct arena *arena = &scope->import->arena;
    bool wider = false;
    if (is_method(test, "reg")) {
        const char *names = name_regex(arena, pattern, &wider);
        if (names && wider)
            imported_differently(scope->import, origin,
                                 "'%s' is one label before a name; '%s' is one or several", pattern,
                                 names);
        return names;
    }
    if (!text_is_host(pattern + (*pattern == '.')))
        return NULL;
    if (is_method(test, "str"))
        return pattern;
    if (is_method(test, "end"))
        return arena_print(arena, "*%s", pattern);
    if (is_method(test, "dom")) {
        pattern += *pattern == '.';
        imported_differently(scope->import, origin,
                             "-m dom '%s' matches labels anywhere in a name; here they are its end",
                             pattern);
        return arena_print(arena, "%s,*.%s", pattern, pattern);
    }
    return NULL;
}

static const char *judge_names(const struct hap_scope *scope, const struct hap_test *test,
                               struct origin origin, struct formula *formula, const char *prefix)
{
    struct arena *arena = &scope->import->arena;
    const char *names = "";
    if (is_method(test, "found")) {
        *formula = positive(scope, prefix, "*");
        return NULL;
    }
    if (test->file) {
        const char *path = hap_path(scope->import, test->file);
        if (!is_method(test, "str"))
            return "a file of names is read as exact ones only: write '*' before those that are "
                   "ends";
        if (!path || strpbrk(path, ", ;#"))
            return arena_print(arena, "the file %s cannot be read", test->file);
        names = arena_print(arena, "@%s", path);
    }
    for (size_t i = 0; i < test->count; i++) {
        const char *more = pattern_names(scope, test, test->patterns[i], origin);
        if (!more)
            return arena_print(arena, "no list of names says the same as %s'%s'",
                               test->method ? arena_print(arena, "-m %s ", test->method) : "",
                               test->patterns[i]);
        add_word(scope, prefix, more, &names, formula);
    }
    if (*names)
        *formula = formula_or(arena, *formula, positive(scope, prefix, names));
    return formula->lost ? "there are too many names; a file of names has room for them" : NULL;
}

static bool only_lowers(const char *converters)
{
    return !*converters || strcmp(converters, "lower") == 0 ||
           strcmp(converters, "lower,lower") == 0;
}

static const char *judge_sni(const struct hap_scope *scope, const struct hap_test *test,
                             struct origin origin, struct formula *formula)
{
    if (!only_lowers(test->converters))
        return "a route does not change names before it compares them";
    return judge_names(scope, test, origin, formula, "sni:");
}

static const char *judge_host(const struct hap_scope *scope, const struct hap_test *test,
                              struct origin origin, struct formula *formula)
{
    if (strcasecmp(test->arguments, "host") != 0)
        return "of a request, only the host is looked at";
    if (!only_lowers(test->converters) && strcmp(test->converters, "field(1,:)") != 0 &&
        strcmp(test->converters, "host_only") != 0)
        return "a route does not change names before it compares them";
    return judge_names(scope, test, origin, formula, "host:");
}

static const char *judge_alpn(const struct hap_scope *scope, const struct hap_test *test,
                              struct origin origin, struct formula *formula)
{
    struct arena *arena = &scope->import->arena;
    const char *names = "";
    if (*test->converters || test->file || (!is_method(test, "str") && !is_method(test, "sub")))
        return "a route compares protocols as a whole";
    for (size_t i = 0; i < test->count; i++)
        names = list(arena, names,
                     text_escape(arena, test->patterns[i], strlen(test->patterns[i]), true));
    if (!*names)
        return "there is no protocol";
    if (is_method(test, "str"))
        imported_differently(scope->import, origin,
                             "the first protocol of a client counts in HAProxy, any of them here");
    *formula = positive(scope, "alpn:", names);
    return NULL;
}

/* The numbers that the test lets through as "A-B,C", between least and most; "" is none. */
static const char *numbers(const struct hap_scope *scope, const struct hap_test *test,
                           unsigned long least, unsigned long most)
{
    struct arena *arena = &scope->import->arena;
    const char *texts = "";
    for (size_t i = 0; i < test->count; i++) {
        char *end;
        unsigned long first = strtoul(test->patterns[i], &end, 10);
        unsigned long last = *end == ':' || *end == '-' ? strtoul(end + 1, &end, 10) : first;
        const char *operation = test->operation ? test->operation : "eq";
        if (*end || end == test->patterns[i] || first > most || last > most)
            return NULL;
        if (operation[0] == 'g') {
            first += operation[1] == 't';
            last = most;
        } else if (operation[0] == 'l' && first == 0 && operation[1] == 't') {
            continue;
        } else if (operation[0] == 'l') {
            last = operation[1] == 't' ? first - 1 : first;
            first = least;
        }
        if (first < least)
            first = least;
        if (first <= last)
            texts = list(arena, texts,
                         first == last ? arena_print(arena, "%lu", first)
                                       : arena_print(arena, "%lu-%lu", first, last));
    }
    return texts;
}

static const char *judge_port(const struct hap_scope *scope, const struct hap_test *test,
                              struct origin origin, struct formula *formula)
{
    (void)origin;
    const char *ports = *test->converters || test->file ? NULL : numbers(scope, test, 1, 65535);
    if (!ports)
        return "no list of ports says the same";
    *formula = *ports ? positive(scope, "dst-port:", ports) : formula_never();
    return NULL;
}

static const char *judge_source(const struct hap_scope *scope, const struct hap_test *test,
                                struct origin origin, struct formula *formula)
{
    (void)origin;
    struct arena *arena = &scope->import->arena;
    const char *addresses = "";
    if (*test->converters || (test->method && !is_method(test, "ip")))
        return "a route compares addresses and prefixes only";
    if (test->file) {
        const char *path = hap_path(scope->import, test->file);
        if (!path || strpbrk(path, ", ;#"))
            return arena_print(arena, "the file %s cannot be read", test->file);
        addresses = arena_print(arena, "@%s", path);
    }
    for (size_t i = 0; i < test->count; i++) {
        if (!text_is_prefix(test->patterns[i]))
            return arena_print(arena, "'%s' is no address", test->patterns[i]);
        add_word(scope, "src:", test->patterns[i], &addresses, formula);
    }
    if (*addresses)
        *formula = formula_or(arena, *formula, positive(scope, "src:", addresses));
    return formula->lost ? "there are too many addresses; a file has room for them" : NULL;
}

static const char *judge_tls(const struct hap_scope *scope, const struct hap_test *test,
                             struct origin origin, struct formula *formula)
{
    if (*test->converters)
        return "a route does not look that far into a ClientHello";
    bool is_version = strstr(test->fetch, "ver") != NULL;
    bool is_hello = test->count == 1 && strcmp(test->patterns[0], "1") == 0 && !test->operation;
    if (is_version && test->operation && *test->operation == 'l')
        return "a route does not look at the version of TLS";
    if (is_version)
        imported_differently(scope->import, origin,
                             "a route does not look at the version of TLS: any "
                             "ClientHello is meant");
    else if (!is_hello && !is_method(test, "found"))
        return "of a handshake only the ClientHello is looked at";
    *formula = positive(scope, "tls:yes", "");
    return NULL;
}

/* --- what TLS at the bind has shown --------------------------------------------------------- */

/* A test without a value, or for 0 or 1. Returns whether it is one, and whether it asks for 0. */
static bool is_flag(const struct hap_test *test, bool *negated)
{
    const char *pattern = test->count > 0 ? test->patterns[0] : "1";
    *negated = strcmp(pattern, "0") == 0;
    return test->count <= 1 && !*test->converters && !test->file &&
           (*negated || strcmp(pattern, "1") == 0) &&
           (!test->operation || strcmp(test->operation, "eq") == 0);
}

static const char *flag(const struct hap_scope *scope, const struct hap_test *test,
                        const char *condition, struct formula *formula)
{
    bool negated;
    if (!is_flag(test, &negated))
        return "only whether it is so can be asked";
    if (hap_tls_binds(scope->section) == HAP_NO_TLS)
        *formula = negated ? formula_always(&scope->import->arena) : formula_never();
    else
        *formula = formula_literal(&scope->import->arena, condition, negated);
    return NULL;
}

/* Where no bind ends TLS HAProxy knows no name, while a route would look into the ClientHello. */
static const char *judge_shown_name(const struct hap_scope *scope, const struct hap_test *test,
                                    struct origin origin, struct formula *formula)
{
    if (hap_tls_binds(scope->section) != HAP_NO_TLS)
        return judge_sni(scope, test, origin, formula);
    *formula = formula_never();
    return NULL;
}

static const char *judge_has_name(const struct hap_scope *scope, const struct hap_test *test,
                                  struct origin origin, struct formula *formula)
{
    (void)origin;
    return flag(scope, test, "sni:*", formula);
}

static const char *judge_chosen_alpn(const struct hap_scope *scope, const struct hap_test *test,
                                     struct origin origin, struct formula *formula)
{
    (void)origin;
    struct arena *arena = &scope->import->arena;
    const char *names = "";
    if (*test->converters || test->file || !is_method(test, "str"))
        return "a route compares protocols as a whole";
    for (size_t i = 0; i < test->count; i++)
        names = list(arena, names,
                     text_escape(arena, test->patterns[i], strlen(test->patterns[i]), true));
    if (!*names)
        return "there is no protocol";
    *formula = hap_tls_binds(scope->section) == HAP_NO_TLS ? formula_never()
                                                           : positive(scope, "alpn:", names);
    return NULL;
}

static const char *judge_ended(const struct hap_scope *scope, const struct hap_test *test,
                               struct origin origin, struct formula *formula)
{
    const enum hap_tls_binds binds = hap_tls_binds(scope->section);
    const char *wrong = flag(scope, test, "tls:yes", formula);
    if (wrong || binds == HAP_NO_TLS)
        return wrong;
    if (binds == HAP_SOME_TLS) {
        imported_differently(scope->import, origin,
                             "a client of a bind without ssl that speaks TLS is meant as well");
        return NULL;
    }
    bool negated = false;
    (void)is_flag(test, &negated);
    *formula = negated ? formula_never() : formula_always(&scope->import->arena);
    return NULL;
}

static const char *judge_client_used(const struct hap_scope *scope, const struct hap_test *test,
                                     struct origin origin, struct formula *formula)
{
    (void)origin;
    return flag(scope, test, "client-cert:yes", formula);
}

static const char *judge_client_name(const struct hap_scope *scope, const struct hap_test *test,
                                     struct origin origin, struct formula *formula)
{
    if (strcasecmp(test->arguments, "cn") != 0)
        return "of the subject of a client only the common name is looked at";
    if (!only_lowers(test->converters))
        return "a route does not change names before it compares them";
    return judge_names(scope, test, origin, formula, "client-cert:");
}

/* The handshake refuses a client with a wrong certificate: the result is 0 for all others. */
static const char *judge_client_verified(const struct hap_scope *scope, const struct hap_test *test,
                                         struct origin origin, struct formula *formula)
{
    (void)origin;
    if (test->count != 1 || strcmp(test->patterns[0], "0") != 0 ||
        (test->operation && strcmp(test->operation, "eq") != 0))
        return "a client with a wrong certificate never comes to the routes";
    *formula = formula_always(&scope->import->arena);
    return NULL;
}

static const char *judge_length(const struct hap_scope *scope, const struct hap_test *test,
                                struct origin origin, struct formula *formula)
{
    (void)origin;
    const char *operation = test->operation ? test->operation : "eq";
    if (test->count != 1 || *test->converters || test->file)
        return "a route does not count bytes";
    long number = atol(test->patterns[0]) + (strcmp(operation, "gt") == 0);
    bool any = operation[0] == 'g' && number == 1;
    bool none = (strcmp(operation, "eq") == 0 || strcmp(operation, "le") == 0) && number == 0;
    none |= strcmp(operation, "lt") == 0 && number == 1;
    if (!any && !none)
        return "a route does not count bytes, it knows only clients that have said nothing";
    *formula = formula_literal(&scope->import->arena, "silent", any);
    return NULL;
}

static const char *judge_http(const struct hap_scope *scope, const struct hap_test *test,
                              struct origin origin, struct formula *formula)
{
    (void)test;
    (void)origin;
    *formula = positive(scope, "http:yes", "");
    return NULL;
}

/* "^SSH-2.0" and "^SSH-": the text with which it begins, or NULL. */
static const char *begin_of_regex(struct arena *arena, const char *regex)
{
    char *text = arena_new(arena, strlen(regex) + 1, 1);
    size_t length = 0;
    if (*regex++ != '^')
        return NULL;
    for (; *regex; regex++) {
        if (strcmp(regex, ".*") == 0)
            break;
        if (*regex == '\\' && regex[1] && !isalnum((unsigned char)regex[1]))
            regex++;
        else if (*regex == '.' && length > 0 && isdigit((unsigned char)text[length - 1]))
            ; /* "2.0" */
        else if (strchr(".*+?()[]{}|^$\\", *regex))
            return NULL;
        text[length++] = *regex;
    }
    return length > 0 ? text : NULL;
}

static const char *judge_payload(const struct hap_scope *scope, const struct hap_test *test,
                                 struct origin origin, struct formula *formula)
{
    struct arena *arena = &scope->import->arena;
    char *end;
    unsigned long offset = strtoul(test->arguments, &end, 10);
    unsigned long length = *end == ',' ? strtoul(end + 1, NULL, 10) : 0;
    bool hex = strcmp(test->converters, "hex") == 0 || is_method(test, "bin");
    if (offset != 0 || test->file || (*test->converters && !hex))
        return "a route compares only what a client begins with";
    *formula = formula_never();
    for (size_t i = 0; i < test->count; i++) {
        const char *text = test->patterns[i];
        size_t bytes = strlen(text) / (hex ? 2 : 1);
        if (is_method(test, "reg"))
            text = begin_of_regex(arena, text);
        else if (!is_method(test, "beg") && !is_method(test, "bin") && !is_method(test, "str"))
            text = NULL;
        else if (!is_method(test, "beg") && length == 0)
            imported_differently(
                scope->import, origin,
                "'%s' is compared with all that has come in HAProxy, with its beginning "
                "here",
                text);
        else if (!is_method(test, "beg") && bytes != length) {
            imported_differently(
                scope->import, origin,
                "'%s' has not the length %lu of what it is compared with: it never holds", text,
                length);
            continue;
        }
        if (!text || (hex && (strlen(text) % 2 || text[strspn(text, "0123456789abcdefABCDEF")])) ||
            !*text)
            return "a route compares only the bytes with which a client begins";
        *formula = formula_or(
            arena, *formula,
            hex ? positive(scope, "begins-hex:", text)
                : positive(scope, "begins:", text_escape(arena, text, strlen(text), true)));
    }
    return NULL;
}

static const char *judge_usable(const struct hap_scope *scope, const struct hap_test *test,
                                struct origin origin, struct formula *formula)
{
    (void)origin;
    struct arena *arena = &scope->import->arena;
    size_t length = strcspn(test->arguments, "/");
    const char *name =
        length > 0 ? arena_copy_n(arena, test->arguments, length) : scope->section->name;
    const struct hap_section *backend = hap_find_back(scope->model, name);
    if (!backend || !backend->out)
        return arena_print(arena, "the backend '%s' is not carried over", name);
    bool of_server = strcmp(test->fetch, "srv_is_up") == 0;
    if (of_server && backend->usable_servers != 1)
        return "a route asks for a backend with a usable server, not for one server";
    const char *counts =
        of_server || is_method(test, "found") ? "1" : numbers(scope, test, 0, 9999);
    bool none = counts && strcmp(counts, "0") == 0;
    if (!counts || (!none && strcmp(counts, "1-9999") != 0 && !of_server))
        return "a route asks for a backend with a usable server, not for their number";
    *formula = formula_literal(arena, arena_print(arena, "usable:%s", backend->out), none);
    return NULL;
}

static const char *judge_always(const struct hap_scope *scope, const struct hap_test *test,
                                struct origin origin, struct formula *formula)
{
    (void)origin;
    bool never = strcmp(test->fetch, "always_false") == 0 ||
                 (strcmp(test->fetch, "bool") == 0 && strcmp(test->arguments, "true") != 0 &&
                  strcmp(test->arguments, "1") != 0);
    *formula = never ? formula_never() : formula_always(&scope->import->arena);
    return NULL;
}

static const struct {
    const char *fetch;
    judge *judge;
} criteria[] = {
    {"req.ssl_sni", judge_sni},
    {"req_ssl_sni", judge_sni},
    {"req.ssl_hello_type", judge_tls},
    {"req_ssl_hello_type", judge_tls},
    {"req.ssl_ver", judge_tls},
    {"req_ssl_ver", judge_tls},
    {"req.ssl_alpn", judge_alpn},
    {"req_ssl_alpn", judge_alpn},
    {"ssl_fc_sni", judge_shown_name},
    {"ssl_fc_has_sni", judge_has_name},
    {"ssl_fc_alpn", judge_chosen_alpn},
    {"ssl_fc", judge_ended},
    {"ssl_fc_has_crt", judge_client_used},
    {"ssl_c_used", judge_client_used},
    {"ssl_c_s_dn", judge_client_name},
    {"ssl_c_verify", judge_client_verified},
    {"req.len", judge_length},
    {"req_len", judge_length},
    {"payload", judge_payload},
    {"req.payload", judge_payload},
    {"req.proto_http", judge_http},
    {"req_proto_http", judge_http},
    {"hdr", judge_host},
    {"req.hdr", judge_host},
    {"req.fhdr", judge_host},
    {"src", judge_source},
    {"dst_port", judge_port},
    {"nbsrv", judge_usable},
    {"srv_is_up", judge_usable},
    {"always_true", judge_always},
    {"always_false", judge_always},
    {"bool", judge_always},
    {"wait_end", judge_always},
};

static judge *find_judge(const char *fetch)
{
    for (size_t i = 0; i < sizeof criteria / sizeof *criteria; i++)
        if (strcmp(criteria[i].fetch, fetch) == 0)
            return criteria[i].judge;
    return NULL;
}

struct formula hap_test_formula(const struct hap_scope *scope, const struct hap_test *test,
                                struct origin origin)
{
    static const char *const methods[] = {"beg", "dom", "end", "reg", "sub", "len", "dir"};
    struct hap_test plain = *test;
    struct formula formula = formula_never();
    const char *wrong = "a route has no such condition";
    judge *judged = find_judge(test->fetch);
    /* "hdr_dom(host)" is "hdr(host) -m dom". */
    const char *suffix = strrchr(test->fetch, '_');
    for (size_t i = 0; !judged && suffix && i < sizeof methods / sizeof *methods; i++)
        if (strcmp(suffix + 1, methods[i]) == 0) {
            plain.fetch =
                arena_copy_n(&scope->import->arena, test->fetch, (size_t)(suffix - test->fetch));
            plain.method = plain.method ? plain.method : methods[i];
            judged = find_judge(plain.fetch);
        }
    if (judged)
        wrong = judged(scope, &plain, origin, &formula);
    if (!wrong)
        return formula;
    not_imported(scope->import, origin, "condition %s: %s", test->fetch, wrong);
    return formula_lost();
}
