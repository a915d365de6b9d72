#include "config/options/route_values.h"

#include "config/base/error_text.h"
#include "config/base/memory.h"
#include "config/model/route.h"
#include "config/options/name_list.h"
#include "config/syntax/bytes.h"
#include "config/syntax/suggest.h"
#include "config/syntax/value.h"

#include <stdlib.h>
#include <string.h>

/* Of a frontend. */
#define ROUTES_MAX 10000

/* Reads the value of a condition, behind its colon. Returns NULL, or what is wrong with the
 * value. */
typedef const char *condition_reader(struct route_condition *condition, char *value,
                                     const struct option_context *context);

static const char blanks[] = " \t";

/* --- lists --------------------------------------------------------------------------------- */

static const char *is_empty = "needs a value behind its colon";

static void add_word(struct route_condition *condition, unsigned char *bytes, size_t length)
{
    size_t capacity = condition->word_count;
    condition->words =
        memory_grow(condition->words, condition->word_count, &capacity, sizeof *condition->words);
    condition->words[condition->word_count++] = (struct text_bytes){bytes, length};
}

static const char *read_names(struct route_condition *condition, char *value,
                              const struct option_context *context)
{
    condition->names = name_map_make();
    return name_list_read(value, condition->names, "route", context);
}

static const char *read_protocols(struct route_condition *condition, char *value,
                                  const struct option_context *context)
{
    (void)context;
    char *word = name_list_next(&value);
    if (!word)
        return is_empty;
    for (; word; word = name_list_next(&value)) {
        unsigned char *bytes;
        size_t length;
        const char *wrong = bytes_from_text(word, &bytes, &length);
        if (wrong)
            return error_text("'%.100s' %s", word, wrong);
        add_word(condition, bytes, length);
        if (length > 255)
            return "no protocol has a name of more than 255 bytes";
    }
    return NULL;
}

static const char *read_sources(struct route_condition *condition, char *value,
                                const struct option_context *context)
{
    const struct list_origin origin = {
        .problems = context->problems, .place = context->place, .option = "route"};
    char *word = name_list_next(&value);
    if (!word)
        return is_empty;
    for (; word; word = name_list_next(&value)) {
        const char *wrong =
            address_rules_add(&condition->sources, word, 0, context->files, &origin);
        if (wrong)
            return error_text("'%.100s' %s", word, wrong);
    }
    condition->matcher = address_matcher_make(&condition->sources);
    return NULL;
}

static const char *read_port(char *word, struct port_range *range)
{
    uint64_t first, last;
    char *dash = strchr(word, '-');
    if (dash)
        *dash++ = '\0';
    if (value_unsigned(word, &first) || value_unsigned(dash ? dash : word, &last) || first == 0 ||
        last > UINT16_MAX || first > last)
        return "must be ports from 1 to 65535, or ranges of them: 443,8000-8099";
    *range = (struct port_range){(uint16_t)first, (uint16_t)last};
    return NULL;
}

static const char *read_ports(struct route_condition *condition, char *value,
                              const struct option_context *context)
{
    (void)context;
    char *word = name_list_next(&value);
    if (!word)
        return is_empty;
    for (; word; word = name_list_next(&value)) {
        struct port_range range;
        const char *wrong = read_port(word, &range);
        if (wrong)
            return wrong;
        size_t capacity = condition->port_count;
        condition->ports = memory_grow(condition->ports, condition->port_count, &capacity,
                                       sizeof *condition->ports);
        condition->ports[condition->port_count++] = range;
    }
    return NULL;
}

/* --- single values ------------------------------------------------------------------------- */

static const char *add_bytes(struct route_condition *condition, const char *value,
                             const char *(*read)(const char *text, unsigned char **bytes,
                                                 size_t *length))
{
    unsigned char *bytes;
    size_t length;
    if (!*value)
        return is_empty;
    const char *wrong = read(value, &bytes, &length);
    if (!wrong)
        add_word(condition, bytes, length);
    return wrong;
}

static const char *read_begins(struct route_condition *condition, char *value,
                               const struct option_context *context)
{
    (void)context;
    return add_bytes(condition, value, bytes_from_text);
}

static const char *read_begins_hex(struct route_condition *condition, char *value,
                                   const struct option_context *context)
{
    (void)context;
    return add_bytes(condition, value, bytes_from_hex);
}

static const char *read_yes(struct route_condition *condition, char *value,
                            const struct option_context *context)
{
    (void)context;
    (void)condition;
    return strcmp(value, "yes") == 0 ? NULL : "must be yes; '!' before the condition means no";
}

/* "terminate" is noted by the route. */
static const char *read_tls(struct route_condition *condition, char *value,
                            const struct option_context *context)
{
    (void)context;
    if (strcmp(value, "terminate") == 0)
        return condition->negated ? "is no condition that '!' could negate" : NULL;
    return strcmp(value, "yes") == 0
               ? NULL
               : "must be yes, or terminate; '!' before the condition means no";
}

static const char *read_client_cert(struct route_condition *condition, char *value,
                                    const struct option_context *context)
{
    return strcmp(value, "yes") == 0 ? NULL : read_names(condition, value, context);
}

static const char *read_usable(struct route_condition *condition, char *value,
                               const struct option_context *context)
{
    (void)context;
    if (!is_name(value))
        return "needs the name of a backend";
    condition->backend_name = memory_copy(value);
    return NULL;
}

/* --- conditions ---------------------------------------------------------------------------- */

static const struct form {
    const char *name; /* with its colon, if it has a value */
    enum condition_kind kind;
    condition_reader *read; /* NULL: there is no value */
} forms[] = {
    {"sni:", CONDITION_SNI, read_names},
    {"alpn:", CONDITION_ALPN, read_protocols},
    {"tls:", CONDITION_TLS, read_tls},
    {"host:", CONDITION_HOST, read_names},
    {"http:", CONDITION_HTTP, read_yes},
    {"begins:", CONDITION_BEGINS, read_begins},
    {"begins-hex:", CONDITION_BEGINS, read_begins_hex},
    {"silent", CONDITION_SILENT, NULL},
    {"src:", CONDITION_SOURCE, read_sources},
    {"dst-port:", CONDITION_PORT, read_ports},
    {"usable:", CONDITION_USABLE, read_usable},
    {"client-cert:", CONDITION_CLIENT_CERT, read_client_cert},
};

#define CONDITIONS                                                                                 \
    "sni: sni-map: alpn: tls: client-cert: host: host-map: http: begins: begins-hex: silent src: " \
    "dst-port: usable:"

/* Names of HAProxy and nginx for the same. */
static const char *const foreign_conditions[][2] = {
    {"req.ssl_sni", "sni:"},
    {"req_ssl_sni", "sni:"},
    {"ssl_fc_sni", "sni:"},
    {"ssl_sni", "sni:"},
    {"server_name", "sni:"},
    {"HostSNI", "sni:"},
    {"map", "sni-map:"},
    {"ssl_preread_server_name", "sni:"},
    {"server_names", "sni:"},
    {"req.ssl_alpn", "alpn:"},
    {"ssl_preread_alpn_protocols", "alpn:"},
    {"application_protocols", "alpn:"},
    {"req.ssl_hello_type", "tls:yes"},
    {"req_ssl_hello_type", "tls:yes"},
    {"req.ssl_ver", "tls:yes"},
    {"req_ssl_ver", "tls:yes"},
    {"ssl_fc_alpn", "alpn:"},
    {"ssl_fc", "tls:yes"},
    {"ssl_c_used", "client-cert:yes"},
    {"ssl_fc_has_crt", "client-cert:yes"},
    {"ssl_c_s_dn", "client-cert:"},
    {"ssl_client_verify", "client-cert:yes"},
    {"ssl_client_s_dn", "client-cert:"},
    {"req.payload", "begins:"},
    {"payload", "begins:"},
    {"req.len", "silent"},
    {"req_len", "silent"},

    {"source", "src:"},
    {"dst_port", "dst-port:"},
    {"port", "dst-port:"},
    {"nbsrv", "usable:"},
    {"srv_is_up", "usable:"},
    {"hdr", "host:"},
    {"hdr_dom", "host:"},
    {"hdr_end", "host:"},
    {"req.hdr", "host:"},
    {"req.fhdr", "host:"},
    {"Host", "host:"},
    {"HTTP", "http:yes"},
    {"req.proto_http", "http:yes"},
    {"req_proto_http", "http:yes"},

    {"ssh", "begins:SSH-"},
    {"tls", "tls:yes"},
    {"http", "http:yes"},
};

static const char *unknown_condition(const char *word)
{
    char hint[SUGGEST_TEXT_MAX];
    size_t length = strcspn(word, ":(");
    char *name = memory_copy_n(word, length);
    struct suggestion suggestion = suggest_begin(name);
    const char *text = NULL;
    for (size_t i = 0; i < sizeof foreign_conditions / sizeof *foreign_conditions; i++)
        if (strcmp(foreign_conditions[i][0], name) == 0)
            text = error_text("has an unknown condition '%.60s'; it is '%s' here", name,
                              foreign_conditions[i][1]);
    static const char *const names[] = {
        "sni",    "sni-map", "alpn",     "tls",    "host",       "http",     "begins",
        "silent", "src",     "host-map", "usable", "begins-hex", "dst-port", "client-cert"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        suggest_offer(&suggestion, names[i]);
    if (!text)
        text = error_text("has an unknown condition '%.60s'%s; the conditions are " CONDITIONS,
                          name, suggest_text(&suggestion, hint));
    free(name);
    return text;
}

static bool takes_files(enum condition_kind kind)
{
    return kind == CONDITION_SNI || kind == CONDITION_HOST || kind == CONDITION_SOURCE ||
           kind == CONDITION_CLIENT_CERT;
}

static const char *read_condition(struct route *route, char *word,
                                  const struct option_context *context)
{
    struct route_condition *condition = &route->conditions[route->condition_count];
    const struct form *form = forms, *end = forms + sizeof forms / sizeof *forms;
    bool negated = word[0] == '!';
    word += negated;
    for (; form < end; form++)
        if (form->read ? strncmp(word, form->name, strlen(form->name)) == 0
                       : strcmp(word, form->name) == 0)
            break;
    if (form == end)
        return unknown_condition(word);
    route->condition_count++;
    route->terminates |= strcmp(word, "tls:terminate") == 0;
    *condition = (struct route_condition){.kind = form->kind, .negated = negated};
    condition->text = takes_files(form->kind) ? name_list_text(word, context) : memory_copy(word);
    if (!form->read)
        return NULL;
    const char *wrong = form->read(condition, word + strlen(form->name), context);
    /* error_text() has one text only. */
    char *copy = wrong ? memory_copy(wrong) : NULL;
    if (copy)
        wrong = error_text("has '%.60s': %s", condition->text, copy);
    free(copy);
    return wrong;
}

/* sni-map:FILE or host-map:FILE. False: the word is something else. */
static bool read_map(struct route *route, const char *word, const struct option_context *context,
                     const char **wrong)
{
    bool of_hosts = strncmp(word, "host-map:", 9) == 0;
    const char *file = of_hosts ? word + 9 : word + 8;
    if (!of_hosts && strncmp(word, "sni-map:", 8) != 0)
        return false;
    *wrong = NULL;
    if (route->map.file)
        *wrong = "has two maps; a second one belongs into another route";
    else if (!*file)
        *wrong = "needs the path of the map behind its colon";
    else
        route->map = (struct route_map){
            .file = list_file_path(file, context->place.source),
            .of_hosts = of_hosts,
        };
    return true;
}

/* Whether the word cannot be a backend. */
static bool looks_like_condition(const char *word)
{
    return strchr(word, ':') || word[0] == '!' || strcmp(word, "silent") == 0;
}

static const char *read_words(struct route *route, char *words,
                              const struct option_context *context)
{
    char *rest;
    const char *wrong;
    for (char *word = strtok_r(words, blanks, &rest); word;) {
        char *next = strtok_r(NULL, blanks, &rest);
        if (read_map(route, word, context, &wrong)) {
            if (wrong)
                return wrong;
        } else if (!next && !looks_like_condition(word)) {
            if (!is_name(word))
                return error_text("has a backend '%.60s'; a name may contain " NAME_RULE, word);
            route->backend_name = memory_copy(word);
        } else if ((wrong = read_condition(route, word, context))) {
            return wrong;
        }
        word = next;
    }
    if (route->map.file && route->backend_name)
        return "has a map, which names the backends, and a backend as well";
    if (!route->map.file && !route->backend_name)
        return "needs a backend, or " REJECT_WORD ", as its last word";
    return NULL;
}

static size_t count_words(const char *text)
{
    size_t count = 0;
    while (*(text += strspn(text, blanks))) {
        text += strcspn(text, blanks);
        count++;
    }
    return count;
}

static const char *read_route(const char *value, void *member, const struct option_context *context)
{
    struct route_list *list = member;
    /* The array does not move later: a matcher points into it. */
    struct route route = {.conditions = memory_new(count_words(value), sizeof *route.conditions),
                          .place = context->place};
    char *words = memory_copy(value);
    const char *wrong = list->count == ROUTES_MAX ? "is one more than 10000 routes"
                                                  : read_words(&route, words, context);
    free(words);
    if (wrong) {
        route_release(&route);
        return wrong;
    }
    list->items = memory_grow(list->items, list->count, &list->capacity, sizeof *list->items);
    list->items[list->count++] = route;
    return NULL;
}

static bool write_route(const void *member, size_t item, FILE *out)
{
    const struct route_list *list = member;
    if (item >= list->count)
        return false;
    const struct route *route = &list->items[item];
    for (size_t i = 0; i < route->condition_count; i++)
        fprintf(out, "%s%s%s", i > 0 ? " " : "", route->conditions[i].negated ? "!" : "",
                route->conditions[i].text);
    if (route->condition_count > 0)
        fputc(' ', out);
    if (route->map.file)
        fprintf(out, "%s:%s", route->map.of_hosts ? "host-map" : "sni-map", route->map.file);
    else
        fputs(route->backend_name, out);
    return true;
}

static void release_routes(void *member)
{
    route_list_release(member);
}

const struct option_custom route_values = {
    .form = "CONDITION ... BACKEND",
    .read = read_route,
    .write = write_route,
    .release = release_routes,
};
