/* What decides about a client: tcp-request, use_backend and default_backend. */
#include "config/import/haproxy/convert.h"
#include "config/import/haproxy/criteria.h"
#include "config/import/haproxy/times.h"
#include "config/import/haproxy/tls.h"
#include "config/import/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct deciding {
    struct hap_conversion *conversion;
    struct hap_scope scope;
    struct ini_section *out;
    struct formula accepted; /* by the rules for content so far */
    bool reads;              /* a route looks at what the client says */
    struct origin read_at;
    bool late;       /* an access list would come too late: a route stands before it */
    const char *all; /* the backend of a use_backend without a condition; NULL: none */
    struct origin all_at;
};

static struct arena *arena_of(const struct deciding *deciding)
{
    return &deciding->conversion->import->arena;
}

/* --- routes -------------------------------------------------------------------------------- */

static bool begins_with_one(const char *text, const char *const *list)
{
    for (; *list; list++)
        if (strncmp(text, *list, strlen(*list)) == 0)
            return true;
    return false;
}

/* What the handshake has shown needs no further bytes. */
static bool reads_bytes(const struct deciding *deciding, const struct clause *clause)
{
    static const char *const known[] = {"src:", "dst-port:", "usable:", "client-cert:", NULL};
    static const char *const shown[] = {"sni:", "sni-map:", "alpn:", "tls:", NULL};
    const bool shaken = hap_tls_binds(deciding->scope.section) == HAP_ONLY_TLS;
    for (size_t i = 0; i < clause->count; i++) {
        const char *text = clause->literals[i].text;
        if (!begins_with_one(text, known) && !(shaken && begins_with_one(text, shown)))
            return true;
    }
    return false;
}

static void write_routes(struct deciding *deciding, const struct formula *formula,
                         const char *backend, struct origin origin)
{
    for (size_t i = 0; i < formula->count && !formula->lost; i++) {
        if (reads_bytes(deciding, &formula->clauses[i]) && !deciding->reads) {
            deciding->reads = true;
            deciding->read_at = origin;
        }
        ini_set(&deciding->conversion->import->ini, deciding->out, origin, "route", "%s%s",
                clause_text(arena_of(deciding), &formula->clauses[i]), backend);
    }
    deciding->late = true;
}

/* --- limits -------------------------------------------------------------------------------- */

/* The period of a rate in the stick table that the section counts in; 0: there is none. */
static uint64_t rate_period(const struct deciding *deciding, const char *counter)
{
    const struct hap_model *model = deciding->conversion->model;
    size_t length = strlen(counter);
    for (size_t i = 0; i < model->count; i++) {
        const struct hap_lines *lines = &model->sections[i]->lists[HAP_STICKS];
        for (size_t j = 0; j < lines->count; j++)
            for (size_t k = 1; k < lines->items[j].count; k++) {
                uint64_t period;
                const char *at = strstr(lines->items[j].words[k], counter);
                if (!at || at[length] != '(')
                    continue;
                const char *text = arena_copy_n(arena_of(deciding), at + length + 1,
                                                strcspn(at + length + 1, ")"));
                if (hap_time(text, &period))
                    return period;
            }
    }
    return 0;
}

/* "100/s" of a number within a period. */
static const char *rate_text(struct deciding *deciding, uint64_t number, uint64_t period,
                             struct origin origin)
{
    struct arena *arena = arena_of(deciding);
    if (period == 1000 || period == 60000 || period == 3600000)
        return arena_print(arena, "%" PRIu64 "/%c", number,
                           period == 1000    ? 's'
                           : period == 60000 ? 'm'
                                             : 'h');
    imported_differently(deciding->conversion->import, origin,
                         "%" PRIu64 " in %s: rates are of a second, a minute or an hour here",
                         number, text_duration(arena, period));
    uint64_t a_second = (number * 1000 + period / 2) / period;
    return a_second > 0 ? arena_print(arena, "%" PRIu64 "/s", a_second)
                        : arena_print(arena, "%" PRIu64 "/m",
                                      number * 60000 / period ? number * 60000 / period : 1);
}

static void set_limit(struct deciding *deciding, struct origin origin, const char *key,
                      const char *value)
{
    if (ini_has(deciding->out, key))
        not_imported(deciding->conversion->import, origin, "a second limit of its kind: %s = %s",
                     key, value);
    else
        ini_set(&deciding->conversion->import->ini, deciding->out, origin, key, "%s", value);
}

/* "reject if { src_conn_rate gt 10 }". True: the rule is a limit, and was written. */
static bool write_limit(struct deciding *deciding, const struct hap_line *line, size_t condition)
{
    struct hap_test test;
    struct arena *arena = arena_of(deciding);
    if (!hap_single_test(&deciding->scope, line->words + condition, &test) || test.count != 1 ||
        !test.operation || test.operation[0] != 'g' || *test.converters)
        return false;
    char *end;
    uint64_t number = strtoull(test.patterns[0], &end, 10);
    number -= number > 0 && strcmp(test.operation, "ge") == 0;
    if (*end || number == 0 || number > 1000000)
        return false;
    bool of_all = strncmp(test.fetch, "fe_", 3) == 0 || strcmp(test.fetch, "dst_conn") == 0;
    bool of_source = strncmp(test.fetch, "src_", 4) == 0 || strncmp(test.fetch, "sc_", 3) == 0 ||
                     (strncmp(test.fetch, "sc", 2) == 0 && test.fetch[2] && test.fetch[3] == '_');
    const char *what = strchr(test.fetch, '_');
    what = what ? what + 1 : "";
    bool rate = strcmp(what, "conn_rate") == 0 || strcmp(what, "sess_rate") == 0;
    uint64_t period = rate && of_source ? rate_period(deciding, what) : 1000;
    if (of_source && rate && period > 0)
        set_limit(deciding, line->origin, "rate-per-source",
                  rate_text(deciding, number, period, line->origin));
    else if (of_source && strcmp(what, "conn_cur") == 0)
        set_limit(deciding, line->origin, "max-sessions-per-source",
                  arena_print(arena, "%" PRIu64, number));
    else if (of_all && (rate || strcmp(what, "conn") == 0))
        set_limit(deciding, line->origin, rate ? "max-rate" : "max-sessions",
                  arena_print(arena, rate ? "%" PRIu64 "/s" : "%" PRIu64, number));
    else
        return false;
    if (of_all && !ini_has(deciding->out, "over-limit"))
        ini_set(&deciding->conversion->import->ini, deciding->out, line->origin, "over-limit",
                "close");
    if (of_source && rate)
        imported_differently(deciding->conversion->import, line->origin,
                             "a rate: sessions that are refused do not count here");
    return true;
}

/* --- tcp-request --------------------------------------------------------------------------- */

/* The addresses of a literal "src:...", with spaces between them. */
static const char *source_words(struct deciding *deciding, const struct literal *literal)
{
    char *list = arena_copy(arena_of(deciding), literal->text + 4);
    for (char *at = list; (at = strchr(at, ','));)
        *at = ' ';
    return list;
}

/* Whether the formula is about addresses alone, and each clause has one literal. *negated: all are
 * negated, and there is one clause; a formula with others is none of this kind. */
static bool is_of_sources(const struct formula *formula, bool *negated)
{
    *negated = formula->count == 1 && formula->clauses[0].count == 1 &&
               formula->clauses[0].literals[0].negated;
    for (size_t i = 0; i < formula->count; i++)
        if (formula->clauses[i].count != 1 || formula->clauses[i].literals[0].negated != *negated ||
            strncmp(formula->clauses[i].literals[0].text, "src:", 4) != 0)
            return false;
    return !formula->lost && formula->count > 0;
}

static void write_sources(struct deciding *deciding, const struct formula *formula, const char *key,
                          struct origin origin)
{
    for (size_t i = 0; i < formula->count; i++)
        ini_set(&deciding->conversion->import->ini, deciding->out, origin, key, "%s",
                source_words(deciding, &formula->clauses[i].literals[0]));
}

/* Rules for connections: an access list as long as they are about addresses alone. */
static void write_connection(struct deciding *deciding, const struct hap_line *line, bool accepts,
                             size_t condition, bool last)
{
    struct ini *ini = &deciding->conversion->import->ini;
    struct formula formula = hap_formula(&deciding->scope, line->words + condition, line->origin);
    bool negated, sources = is_of_sources(&formula, &negated);
    if (formula.lost)
        return;
    if (!deciding->late && sources && !negated) {
        write_sources(deciding, &formula, accepts ? "allow" : "deny", line->origin);
    } else if (!deciding->late && sources && last && !accepts) {
        write_sources(deciding, &formula, "allow", line->origin);
        ini_set(ini, deciding->out, line->origin, "deny", "any");
    } else if (!deciding->late && formula_is_always(&formula)) {
        ini_set(ini, deciding->out, line->origin, accepts ? "allow" : "deny", "any");
    } else if (!accepts) {
        write_routes(deciding, &formula, "reject", line->origin);
    } else {
        not_imported(deciding->conversion->import, line->origin,
                     "this accept: an access list looks at addresses only");
    }
}

/* Rules for content: what is rejected, unless a rule before it has accepted. */
static void write_content(struct deciding *deciding, const struct hap_line *line, bool accepts,
                          size_t condition)
{
    struct arena *arena = arena_of(deciding);
    struct formula formula = hap_formula(&deciding->scope, line->words + condition, line->origin);
    if (accepts) {
        deciding->accepted = formula_or(arena, deciding->accepted, formula);
        return;
    }
    struct formula rejected = formula_and(arena, formula, formula_not(arena, deciding->accepted));
    if (rejected.lost && !formula.lost)
        not_imported(deciding->conversion->import, line->origin,
                     "this reject: routes cannot say what was accepted before it");
    write_routes(deciding, &rejected, "reject", line->origin);
}

static void write_expect_proxy(struct deciding *deciding, const struct hap_line *line)
{
    bool negated;
    struct formula formula = hap_formula(&deciding->scope, line->words + 4, line->origin);
    bool sources = is_of_sources(&formula, &negated) && !negated && formula.count == 1;
    const char *list = formula_is_always(&formula) ? "any"
                       : sources ? source_words(deciding, &formula.clauses[0].literals[0])
                                 : NULL;
    if (!list)
        not_imported(deciding->conversion->import, line->origin, "expect-proxy of these clients");
    else if (!ini_has(deciding->out, "accept-proxy"))
        ini_set(&deciding->conversion->import->ini, deciding->out, line->origin, "accept-proxy",
                "%s", list);
    else
        not_imported(deciding->conversion->import, line->origin, "a second expect-proxy");
}

/* True: the accept-rule at i is followed by a reject of its kind, and so means something. */
static bool matters(const struct hap_lines *rules, size_t i)
{
    for (size_t j = i + 1; j < rules->count; j++)
        if (rules->items[j].count > 2 &&
            strcmp(rules->items[j].words[1], rules->items[i].words[1]) == 0 &&
            (strcmp(rules->items[j].words[2], "reject") == 0 ||
             strcmp(rules->items[j].words[2], "silent-drop") == 0))
            return true;
    return false;
}

static bool is_last(const struct hap_lines *rules, size_t i)
{
    for (size_t j = i + 1; j < rules->count; j++)
        if (rules->items[j].count > 2 && strcmp(rules->items[j].words[1], "content") != 0 &&
            strncmp(rules->items[j].words[2], "track-sc", 8) != 0)
            return false;
    return true;
}

/* Actions that need no counterpart. */
static bool is_harmless(const char *action)
{
    static const char *const harmless[] = {"track-sc",      "set-var",     "unset-var", "capture",
                                           "set-log-level", "sc-inc-",     "sc-set-",   "sc-add-",
                                           "do-log",        "do-resolve(", "set-dst"};
    for (size_t i = 0; i < sizeof harmless / sizeof *harmless; i++)
        if (strncmp(action, harmless[i], strlen(harmless[i])) == 0)
            return true;
    return false;
}

static void write_rule(struct deciding *deciding, const struct hap_lines *rules, size_t i)
{
    const struct hap_line *line = &rules->items[i];
    const char *kind = line->count > 1 ? line->words[1] : "";
    const char *action = line->count > 2 ? line->words[2] : "";
    bool accepts = strcmp(action, "accept") == 0;
    bool rejects = strcmp(action, "reject") == 0 || strcmp(action, "silent-drop") == 0;
    size_t condition = 3;
    while (condition < line->count && strcmp(line->words[condition], "if") != 0 &&
           strcmp(line->words[condition], "unless") != 0)
        condition++;
    if (strcmp(action, "expect-proxy") == 0) {
        write_expect_proxy(deciding, line);
    } else if (accepts && !matters(rules, i)) {
        /* Without a reject behind it, only its delay counts. */
    } else if (rejects && write_limit(deciding, line, condition)) {
        /* Written. */
    } else if (accepts || rejects) {
        if (strcmp(kind, "content") == 0)
            write_content(deciding, line, accepts, condition);
        else
            write_connection(deciding, line, accepts, condition, is_last(rules, i));
    } else if (!is_harmless(action)) {
        not_imported(deciding->conversion->import, line->origin, "tcp-request %s %s", kind, action);
    }
}

/* --- what backends reject ------------------------------------------------------------------ */

static bool is_reject(const struct hap_line *line)
{
    return line->count > 2 &&
           (strcmp(line->words[2], "reject") == 0 || strcmp(line->words[2], "silent-drop") == 0);
}

/* The clients that the rules of a backend reject once it was chosen. */
static struct formula rejected_by(struct deciding *deciding, const struct hap_section *backend)
{
    struct arena *arena = arena_of(deciding);
    const struct hap_scope scope = {deciding->scope.import, deciding->scope.model, backend};
    struct formula rejected = formula_never(), accepted = formula_never();
    const struct hap_lines *rules = &backend->lists[HAP_RULES];
    size_t last = 0;
    for (size_t i = 0; i < rules->count; i++)
        if (is_reject(&rules->items[i]))
            last = i + 1;
    for (size_t i = 0; i < last && backend->kind == HAP_BACKEND; i++) {
        const struct hap_line *line = &rules->items[i];
        bool accepts = line->count > 2 && strcmp(line->words[2], "accept") == 0;
        if (!accepts && !is_reject(line))
            continue;
        struct formula formula = hap_formula(&scope, line->words + 3, line->origin);
        if (accepts)
            accepted = formula_or(arena, accepted, formula);
        else
            rejected = formula_or(arena, rejected,
                                  formula_and(arena, formula, formula_not(arena, accepted)));
    }
    return rejected;
}

/* Routes to a backend; before them, those of the clients that it rejects. */
static void write_backend_routes(struct deciding *deciding, const struct formula *formula,
                                 const char *name, const char *out, struct origin origin)
{
    const struct hap_section *backend = hap_find_back(deciding->conversion->model, name);
    if (backend && backend->out) {
        struct formula rejected = rejected_by(deciding, backend);
        struct formula both = formula_and(arena_of(deciding), *formula, rejected);
        if (both.lost && !rejected.lost)
            not_imported(deciding->conversion->import, origin,
                         "routes cannot say what the backend %s rejects", name);
        write_routes(deciding, &both, "reject", origin);
    }
    if (out)
        write_routes(deciding, formula, out, origin);
}

/* --- backends ------------------------------------------------------------------------------ */

/* The name of a backend here. NULL: there is none of this name, which has been found. */
static const char *target(struct deciding *deciding, const char *name, struct origin origin)
{
    const struct hap_section *backend = hap_find_back(deciding->conversion->model, name);
    if (backend && backend->out)
        return backend->out;
    not_imported(deciding->conversion->import, origin,
                 backend ? "the backend '%.80s' is not carried over: its clients are refused"
                         : "there is no backend '%.80s': its clients are refused",
                 name);
    return "reject";
}

/* "%[req.ssl_sni,lower,map(FILE,default)]" and "bk_%[req.ssl_sni]". */
static void write_dynamic(struct deciding *deciding, const struct hap_line *line)
{
    struct arena *arena = arena_of(deciding);
    struct import *import = deciding->conversion->import;
    const char *name = line->words[1], *open = strstr(name, "%["), *close = strrchr(name, ']');
    char *words[2] = {open && close ? arena_copy_n(arena, open + 2, (size_t)(close - open - 2))
                                    : arena_copy(arena, ""),
                      NULL};
    struct hap_test test = hap_test_read(&deciding->scope, words);
    bool sni = hap_is_server_name(test.fetch);
    const char *map = strstr(test.converters, "map");
    struct formula condition = hap_formula(&deciding->scope, line->words + 2, line->origin);
    if (condition.lost)
        return;
    if (!sni || (map && strncmp(map, "map(", 4) != 0 && strncmp(map, "map_str(", 8) != 0) ||
        (!map && strspn(test.converters, "lower,") != strlen(test.converters))) {
        not_imported(import, line->origin, "use_backend %s: a backend by such an expression", name);
        return;
    }
    if (hap_tls_binds(deciding->scope.section) != HAP_ONLY_TLS) {
        deciding->reads = true;
        deciding->read_at = line->origin;
    }
    if (!map) {
        struct formula any = formula_literal(arena, "sni:*", false);
        size_t before = (size_t)(open - name);
        for (size_t i = 0; i < deciding->conversion->model->count; i++) {
            const struct hap_section *backend = deciding->conversion->model->sections[i];
            size_t length = strlen(backend->name), after = strlen(close + 1);
            if (!hap_has_back(backend) || !backend->out || length <= before + after ||
                strncmp(backend->name, name, before) != 0 ||
                strcmp(backend->name + length - after, close + 1) != 0)
                continue;
            const char *host = arena_copy_n(arena, backend->name + before, length - before - after);
            if (!text_is_host(host))
                continue;
            any = formula_and(arena, condition,
                              formula_literal(arena, arena_print(arena, "sni:%s", host), false));
            write_backend_routes(deciding, &any, backend->name, backend->out, line->origin);
        }
        return;
    }
    const char *arguments = strchr(map, '(') + 1;
    const char *file = arena_copy_n(arena, arguments, strcspn(arguments, ",)"));
    const char *path = hap_path(import, file);
    const char *other = arguments[strlen(file)] == ','
                            ? arena_copy_n(arena, arguments + strlen(file) + 1,
                                           strcspn(arguments + strlen(file) + 1, ")"))
                            : "";
    if (!path || *name != '%' || close[1]) {
        not_imported(import, line->origin,
                     "use_backend: the map %s cannot be read, or is not all "
                     "of the name",
                     file);
        return;
    }
    struct formula in_map = formula_and(
        arena, condition, formula_literal(arena, arena_print(arena, "sni-map:%s", path), false));
    for (size_t i = 0; i < in_map.count; i++)
        ini_set(&import->ini, deciding->out, line->origin, "route", "%.*s",
                (int)strlen(clause_text(arena, &in_map.clauses[i])) - 1,
                clause_text(arena, &in_map.clauses[i]));
    struct formula named = formula_and(arena, condition, formula_literal(arena, "sni:*", false));
    if (*other)
        write_backend_routes(deciding, &named, other, target(deciding, other, line->origin),
                             line->origin);
}

static void write_use(struct deciding *deciding, const struct hap_line *line)
{
    if (line->count < 2)
        return;
    if (strstr(line->words[1], "%[")) {
        write_dynamic(deciding, line);
        return;
    }
    struct formula formula = hap_formula(&deciding->scope, line->words + 2, line->origin);
    if (formula.lost || formula.count == 0)
        return;
    const char *backend = target(deciding, line->words[1], line->origin);
    if (formula_is_always(&formula) && deciding->out->kind == SECTION_FRONTEND) {
        write_backend_routes(deciding, &formula, line->words[1], NULL, line->origin);
        deciding->all = backend;
        deciding->all_at = line->origin;
        return;
    }
    write_backend_routes(deciding, &formula, line->words[1], backend, line->origin);
}

static void write_default(struct deciding *deciding, const struct hap_section *section)
{
    struct ini *ini = &deciding->conversion->import->ini;
    const struct hap_value *backend = &section->values[HAP_DEFAULT_BACKEND];
    if (deciding->out->kind == SECTION_LISTEN)
        return;
    if (deciding->all)
        ini_set(ini, deciding->out, deciding->all_at, "backend", "%s", deciding->all);
    else if (section->kind == HAP_LISTEN && section->usable_servers > 0)
        ini_set(ini, deciding->out, section->origin, "backend", "%s", section->out);
    else if (backend->set && backend->line->count > 1) {
        struct formula all = formula_always(arena_of(deciding));
        const char *name = target(deciding, backend->line->words[1], backend->origin);
        write_backend_routes(deciding, &all, backend->line->words[1], NULL, backend->origin);
        ini_set(ini, deciding->out, backend->origin, "backend", "%s", name);
    } else
        ini_set_why(ini, deciding->out, section->origin,
                    section->lists[HAP_USES].count > 0 ? "no default_backend" : "no backend",
                    "backend", "reject");
}

void hap_rules_write(struct hap_conversion *conversion, const struct hap_section *section,
                     struct ini_section *out)
{
    struct deciding deciding = {
        .conversion = conversion,
        .scope = {conversion->import, conversion->model, section},
        .out = out,
        .accepted = formula_never(),
    };
    struct ini *ini = &conversion->import->ini;
    const struct hap_lines *rules = &section->lists[HAP_RULES];
    const struct hap_value *delay = &section->values[HAP_INSPECT];
    /* Connections are judged first, wherever their rules stand. */
    for (size_t i = 0; i < rules->count; i++)
        if (rules->items[i].count > 1 && strcmp(rules->items[i].words[1], "content") != 0)
            write_rule(&deciding, rules, i);
    for (size_t i = 0; i < rules->count; i++)
        if (rules->items[i].count > 1 && strcmp(rules->items[i].words[1], "content") == 0)
            write_rule(&deciding, rules, i);
    for (size_t i = 0; i < section->lists[HAP_USES].count && !deciding.all; i++)
        write_use(&deciding, &section->lists[HAP_USES].items[i]);
    write_default(&deciding, section);
    if (deciding.reads && delay->set && delay->number > 0)
        ini_set(ini, out, delay->origin, "inspect-timeout", "%s",
                text_duration(&conversion->import->arena,
                              delay->number > 3600000 ? 3600000 : delay->number));
    else if (deciding.reads)
        imported_differently(
            conversion->import, deciding.read_at,
            "without tcp-request inspect-delay HAProxy judges what has come by then; here "
            "a route waits for the first bytes up to inspect-timeout, 5s");
}
