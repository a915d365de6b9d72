#include "config/import/nginx/backends.h"

#include "config/import/nginx/directives.h"
#include "config/import/nginx/tls.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define CONNECT_DEFAULT 60000u
#define CONNECT_MOST    3600000u
#define DAY             86400000u

struct writing {
    struct ngx_conversion *conversion;
    const struct ngx_list *server;
    const struct ngx_list *upstream; /* NULL: there is none */
    struct ini_section *out;
    struct text_names names;
    size_t servers;
    bool by_name; /* a server has a name as its address */
    bool again;   /* names are asked for again and again */
    struct origin name_at;
    const char *tls;           /* attributes of each server */
    bool proxy_protocol, full; /* full: a server has max_conns */
};

static bool is_on(const struct ngx_directive *directive)
{
    return directive && strcmp(ngx_word(directive, 1), "on") == 0;
}

static const struct ngx_directive *setting(const struct writing *writing, const char *name)
{
    return ngx_setting(writing->conversion, writing->server, name);
}

/* --- servers ------------------------------------------------------------------------------- */

/* "host:port" and "unix:/path" as proxy.ini has them; NULL: it is none. */
static const char *address_of(struct arena *arena, const char *text, bool *is_name)
{
    *is_name = false;
    if (strncmp(text, "unix:", 5) == 0)
        return text[5] == '/' ? text : NULL;
    const char *colon = strrchr(text, ':');
    if (!colon || colon == text || !colon[1] || strlen(colon) > 6 ||
        colon[1 + strspn(colon + 1, "0123456789")] || atoi(colon + 1) == 0)
        return NULL;
    const char *host = arena_copy_n(arena, text, (size_t)(colon - text));
    size_t length = strlen(host);
    if (*host == '[' && host[length - 1] == ']')
        return text_is_ipv6(arena_copy_n(arena, host + 1, length - 2)) ? text : NULL;
    *is_name = !text_is_ipv4(host);
    return text_is_host(host) || strncmp(host, "${", 2) == 0 ? text : NULL;
}

static const char *server_name(struct writing *writing, const char *address)
{
    struct arena *arena = &writing->conversion->import->arena;
    if (strncmp(address, "${", 2) == 0)
        address = arena_print(arena, "%.*s%s", (int)strcspn(address + 2, ":"), address + 2,
                              strchr(address, '}') + 1);
    char *name = arena_copy(arena, strncmp(address, "unix:/", 6) == 0 ? address + 6 : address);
    size_t length = strlen(name), kept = 0;
    for (size_t i = 0; i < length; i++)
        if (name[i] != '[' && name[i] != ']')
            name[kept++] = name[i];
    name[kept] = '\0';
    return text_unique(arena, &writing->names, name);
}

/* The words of a server line within an upstream. */
static const char *attributes(struct writing *writing, const struct ngx_directive *line)
{
    struct import *import = writing->conversion->import;
    struct arena *arena = &import->arena;
    const char *weight = ngx_parameter(line, "weight"), *text = "";
    const char *limit = ngx_parameter(line, "max_conns");
    if (ngx_has(line, "down")) {
        text = " weight=0";
        server_imported_differently(
            import, writing->upstream, line->origin, ngx_word(line, 1), NULL,
            "down: weight=0 keeps sessions away until \"rpproxy server\" sets another");
    } else if (weight && strcmp(weight, "1") != 0) {
        if (strtoul(weight, NULL, 10) > 256)
            server_imported_differently(import, writing->upstream, line->origin, ngx_word(line, 1),
                                        arena_print(arena, "weight=%s", weight),
                                        "256 is the largest weight");
        text = strtoul(weight, NULL, 10) > 256 ? " weight=256"
                                               : arena_print(arena, " weight=%s", weight);
    }
    if (limit && strcmp(limit, "0") != 0) {
        text = arena_print(arena, "%s maxconn=%s", text, limit);
        writing->full = true;
    }
    if (ngx_has(line, "backup"))
        text = arena_print(arena, "%s backup", text);
    for (size_t i = 2; i < line->count; i++) {
        static const char *const known[] = {
            "weight=",  "max_conns=", "max_fails=", "fail_timeout=", "slow_start=",
            "service=", "down",       "backup",     "resolve"};
        bool found = false;
        for (size_t j = 0; j < sizeof known / sizeof *known; j++)
            found |= strncmp(line->words[i], known[j], strlen(known[j])) == 0;
        if (!found)
            not_imported(import, line->origin, "server: '%.60s'", line->words[i]);
    }
    return text;
}

static void write_server(struct writing *writing, const char *text, struct origin origin,
                         const struct ngx_directive *line, bool dynamic)
{
    struct import *import = writing->conversion->import;
    bool is_name;
    const char *service = line ? ngx_parameter(line, "service") : NULL;
    text = line ? ngx_from_environment(import, text, origin) : text;
    const char *address = address_of(&import->arena, text, &is_name);
    if (service && text_is_host(text)) {
        bool whole = strchr(service, '.') != NULL;
        address = arena_print(&import->arena, "srv:%s%s%s%s.%s", *service == '_' ? "" : "_",
                              service, whole ? "" : "._tcp", "", text);
        is_name = true;
    }
    if (!address) {
        not_imported(import, origin, "'%.100s' is no address with a port: the server is left out",
                     text);
        return;
    }
    const char *more = line ? attributes(writing, line) : "";
    /* All addresses of a name are servers. */
    ini_set(&import->ini, writing->out, origin, "server", "%s %s%s%s%s%s",
            server_name(writing, text), address, is_name ? " resolve=all" : "", more,
            writing->proxy_protocol ? " send-proxy=v1" : "", writing->tls);
    writing->servers++;
    if (is_name && !writing->by_name)
        writing->name_at = origin;
    writing->by_name |= is_name;
    writing->again |= is_name && (dynamic || service || (line && ngx_has(line, "resolve")));
}

/* --- what a backend says ------------------------------------------------------------------- */

/* "hash KEY [consistent]". */
static void write_hash(struct writing *writing, const struct ngx_directive *hash)
{
    struct import *import = writing->conversion->import;
    struct ini *ini = &import->ini;
    const char *key = ngx_word(hash, 1);
    bool consistent = ngx_has(hash, "consistent");
    bool of_source = strcmp(key, "$remote_addr") == 0 || strcmp(key, "$binary_remote_addr") == 0 ||
                     strcmp(key, "$proxy_protocol_addr") == 0;
    if (of_source) {
        ini_set(ini, writing->out, hash->origin, "balance", consistent ? "maglev" : "source");
        ini_set_why(ini, writing->out, hash->origin, "nginx looks at whole addresses",
                    "hash-prefix", "128");
    } else if (strcmp(key, "$ssl_preread_server_name") == 0 ||
               strcmp(key, "$ssl_server_name") == 0) {
        ini_set(ini, writing->out, hash->origin, "balance", "maglev");
        ini_set(ini, writing->out, hash->origin, "hash", "sni");
    } else if (strstr(key, "$remote_port")) {
        ini_set(ini, writing->out, hash->origin, "balance", "random");
        imported_differently(import, hash->origin,
                             "a hash with the port of the client: random servers");
    } else {
        not_imported(import, hash->origin, "hash %s: roundrobin instead", key);
    }
}

static void write_balance(struct writing *writing, const struct ngx_list *upstream)
{
    struct import *import = writing->conversion->import;
    const struct ngx_directive *hash = ngx_find(upstream, "hash");
    const struct ngx_directive *least = ngx_find(upstream, "least_conn");
    const struct ngx_directive *random = ngx_find(upstream, "random");
    const struct ngx_directive *address = ngx_find(upstream, "ip_hash");
    const struct ngx_directive *time = ngx_find(upstream, "least_time");
    if (time && !least) {
        imported_differently(import, time->origin, "least_time: by sessions, not by times");
        least = time;
    }
    if (hash)
        write_hash(writing, hash);
    else if (least)
        ini_set(&import->ini, writing->out, least->origin, "balance", "leastconn");
    else if (random)
        ini_set(&import->ini, writing->out, random->origin, "balance", "random");
    else if (address)
        ini_set(&import->ini, writing->out, address->origin, "balance", "source");
}

/* max_fails and fail_timeout, 1 and 10s where nothing is said; nothing where there is one server.
 */
static void write_fails(struct writing *writing, const struct ngx_list *upstream)
{
    struct import *import = writing->conversion->import;
    struct ini *ini = &import->ini;
    const struct ngx_directive *first = NULL;
    const char *fails = NULL, *time = NULL;
    bool has_backup = false;
    for (size_t i = 0; i < upstream->count; i++) {
        const struct ngx_directive *line = &upstream->items[i];
        if (strcmp(line->words[0], "server") != 0)
            continue;
        const char *its_fails = ngx_parameter(line, "max_fails");
        const char *its_time = ngx_parameter(line, "fail_timeout");
        its_fails = its_fails ? its_fails : "1";
        its_time = its_time ? its_time : "10s";
        has_backup |= ngx_has(line, "backup");
        if (!first) {
            first = line;
            fails = its_fails;
            time = its_time;
        } else if (strcmp(fails, its_fails) != 0 || strcmp(time, its_time) != 0) {
            server_imported_differently(
                import, upstream, line->origin, ngx_word(line, 1),
                arena_print(&import->arena, "max_fails=%s fail_timeout=%s", its_fails, its_time),
                "other values in nginx; here the whole backend has max_fails=%s fail_timeout=%s",
                fails, time);
        }
    }
    if (has_backup)
        ini_set_why(ini, writing->out, first->origin, "all backups at once", "backup", "all");
    uint64_t window = 10000;
    if (!first || (writing->servers < 2 && !writing->by_name) || strcmp(fails, "0") == 0)
        return;
    if (!ngx_time(time, &window) || window < 10)
        window = window < 10 ? 10 : 10000;
    const char *text = text_duration(&import->arena, window > DAY ? DAY : window);
    ini_set_why(ini, writing->out, first->origin, "max_fails", "max-fails", "%s", fails);
    ini_set_why(ini, writing->out, first->origin, "fail_timeout", "fail-window", "%s", text);
    ini_set_why(ini, writing->out, first->origin, "fail_timeout", "eject-time", "%s", text);
    ini_set_why(ini, writing->out, first->origin, "all but one may be out", "max-ejected", "100%%");
}

/* nginx goes through the servers once. */
static void write_retries(struct writing *writing)
{
    struct ini *ini = &writing->conversion->import->ini;
    const struct ngx_directive *next = setting(writing, "proxy_next_upstream");
    const struct ngx_directive *tries = setting(writing, "proxy_next_upstream_tries");
    size_t count = writing->servers > 0 ? writing->servers - 1 : 0;
    unsigned long most = tries ? strtoul(ngx_word(tries, 1), NULL, 10) : 0;
    struct origin origin = tries ? tries->origin : (struct origin){0};
    bool off = next && strcmp(ngx_word(next, 1), "off") == 0;
    if (off)
        ini_set(ini, writing->out, next->origin, "retries", "0");
    else if (most > 0 && (writing->by_name || most - 1 < count))
        ini_set(ini, writing->out, origin, "retries", "%lu", most > 101 ? 100 : most - 1);
    else if (!writing->by_name && count != 3)
        ini_set_why(ini, writing->out, origin, "each server once", "retries", "%zu",
                    count > 100 ? (size_t)100 : count);
}

static void write_connect(struct writing *writing)
{
    struct import *import = writing->conversion->import;
    struct ini *ini = &import->ini;
    const struct ngx_directive *connect = setting(writing, "proxy_connect_timeout");
    const struct ngx_directive *keep = setting(writing, "proxy_socket_keepalive");
    const struct ngx_directive *bind = setting(writing, "proxy_bind");
    uint64_t time = CONNECT_DEFAULT;
    if (connect && !ngx_time(ngx_word(connect, 1), &time))
        not_imported(import, connect->origin, "proxy_connect_timeout %s", ngx_word(connect, 1));
    time = time < 1 ? 1 : time > CONNECT_MOST ? CONNECT_MOST : time;
    ini_set(ini, writing->out, connect ? connect->origin : (struct origin){0}, "connect-timeout",
            "%s", text_duration(&import->arena, time));
    ini_set_why(ini, writing->out, keep ? keep->origin : (struct origin){0},
                keep ? NULL : "proxy_socket_keepalive is off", "keepalive", "%s",
                is_on(keep) ? "yes" : "no");
    bool of_client = bind && (strcmp(ngx_word(bind, 1), "$remote_addr") == 0 ||
                              strcmp(ngx_word(bind, 1), "$remote_addr:$remote_port") == 0);
    if (of_client && ngx_has(bind, "transparent"))
        ini_set(ini, writing->out, bind->origin, "source", "client");
    else if (bind && strchr(ngx_word(bind, 1), '$'))
        not_imported(import, bind->origin, "proxy_bind %s", ngx_word(bind, 1));
    else if (bind && strcmp(ngx_word(bind, 1), "off") != 0)
        ini_set(ini, writing->out, bind->origin, "source", "%s",
                text_is_ipv6(ngx_word(bind, 1)) ? ngx_word(bind, 1)
                                                : arena_copy_n(&import->arena, ngx_word(bind, 1),
                                                               strcspn(ngx_word(bind, 1), ":")));
    if (writing->full) {
        ini_set_why(ini, writing->out, (struct origin){0}, "max_conns: nginx has no queue",
                    "queue-timeout", "1ms");
    }
}

/* The resolver of names that are asked for at run time. One for the whole process. */
static void write_resolver(struct writing *writing, const struct ngx_list *upstream)
{
    struct ngx_conversion *conversion = writing->conversion;
    struct import *import = conversion->import;
    struct ini *ini = &import->ini;
    const struct ngx_directive *resolver = upstream ? ngx_find(upstream, "resolver") : NULL;
    resolver = resolver ? resolver : setting(writing, "resolver");
    if (!resolver)
        return;
    const char *six = ngx_parameter(resolver, "ipv6"), *four = ngx_parameter(resolver, "ipv4");
    if (six && strcmp(six, "off") == 0)
        ini_set(ini, writing->out, resolver->origin, "resolve-family", "ipv4");
    else if (four && strcmp(four, "off") == 0)
        ini_set(ini, writing->out, resolver->origin, "resolve-family", "ipv6");
    if (conversion->resolver && conversion->resolver->origin.line != resolver->origin.line)
        imported_differently(import, resolver->origin,
                             "resolver: all names are asked for at the first resolver");
    if (conversion->resolver)
        return;
    conversion->resolver = resolver;
    struct ini_section *global = ini_only(ini, SECTION_GLOBAL);
    const struct ngx_directive *timeout = setting(writing, "resolver_timeout");
    const char *valid = ngx_parameter(resolver, "valid"), *servers = "";
    uint64_t time;
    for (size_t i = 1; i < resolver->count; i++) {
        const char *word = resolver->words[i];
        bool plain =
            text_is_ipv4(arena_copy_n(&import->arena, word, strcspn(word, ":"))) || *word == '[';
        if (plain)
            servers = arena_print(&import->arena, "%s%s%s", servers, *servers ? " " : "", word);
        else if (!strchr(word, '='))
            not_imported(import, resolver->origin, "resolver %s: a name server by its name", word);
    }
    if (*servers)
        ini_set(ini, global, resolver->origin, "resolver", "%s", servers);
    if (valid && ngx_time(valid, &time) && time >= 10 && time <= DAY) {
        ini_set(ini, global, resolver->origin, "resolve-min", "%s",
                text_duration(&import->arena, time));
        ini_set(ini, global, resolver->origin, "resolve-max", "%s",
                text_duration(&import->arena, time));
    }
    if (timeout && ngx_time(ngx_word(timeout, 1), &time) && time >= 10 && time <= 60000)
        ini_set(ini, global, timeout->origin, "resolve-timeout", "%s",
                text_duration(&import->arena, time));
}

static void write_names(struct writing *writing, const struct ngx_list *upstream)
{
    struct import *import = writing->conversion->import;
    if (!writing->by_name)
        return;
    if (!writing->again)
        ini_set_why(&import->ini, writing->out, writing->name_at, "nginx asks once", "resolve",
                    "start");
    else
        write_resolver(writing, upstream);
    ini_set(&import->ini, writing->out, writing->name_at, "start-unresolved", "down");
    if (!writing->again && !writing->conversion->names_noted)
        imported_differently(
            import, writing->name_at,
            "a name without an address: nginx does not start; with start-unresolved = down "
            "such a server has no sessions");
    writing->conversion->names_noted |= !writing->again;
}

static void write_check(struct writing *writing)
{
    struct import *import = writing->conversion->import;
    struct ini *ini = &import->ini;
    const struct ngx_directive *check = ngx_find(writing->server, "health_check");
    const struct ngx_directive *timeout = setting(writing, "health_check_timeout");
    static const char *const counts[][2] = {
        {"passes", "rise"}, {"fails", "fall"}, {"port", "check-port"}};
    uint64_t time = 5000;
    if (!check)
        return;
    const char *interval = ngx_parameter(check, "interval");
    ini_set(ini, writing->out, check->origin, "check", "tcp");
    if (interval && !ngx_time(interval, &time))
        time = 5000;
    ini_set(ini, writing->out, check->origin, "check-interval", "%s",
            text_duration(&import->arena, time < 10    ? 10
                                          : time > DAY ? DAY
                                                       : time));
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        const char *value = ngx_parameter(check, counts[i][0]);
        if (value || i < 2)
            ini_set(ini, writing->out, check->origin, counts[i][1], "%s", value ? value : "1");
    }
    time = 5000;
    if (timeout && !ngx_time(ngx_word(timeout, 1), &time))
        time = 5000;
    ini_set(ini, writing->out, timeout ? timeout->origin : check->origin, "check-timeout", "%s",
            text_duration(&import->arena, time < 1              ? 1
                                          : time > CONNECT_MOST ? CONNECT_MOST
                                                                : time));
    if (ngx_parameter(check, "match"))
        not_imported(import, check->origin, "health_check match: checks connect only");
}

/* --- all ----------------------------------------------------------------------------------- */

static const struct ngx_directive *find_upstream(const struct ngx_conversion *conversion,
                                                 const char *name)
{
    for (size_t i = 0; i < conversion->stream->count; i++) {
        const struct ngx_directive *directive = &conversion->stream->items[i];
        if (directive->block && strcmp(directive->words[0], "upstream") == 0 &&
            strcmp(ngx_word(directive, 1), name) == 0)
            return directive;
    }
    return NULL;
}

/* Settings of the server that are those of its backends here. */
static const char *key_of(const struct ngx_conversion *conversion, const struct ngx_list *server,
                          const char *value)
{
    static const char *const names[] = {"proxy_connect_timeout",
                                        "proxy_next_upstream",
                                        "proxy_next_upstream_tries",
                                        "proxy_protocol",
                                        "proxy_bind",
                                        "proxy_socket_keepalive",
                                        "resolver",
                                        "health_check",
                                        "proxy_ssl",
                                        "proxy_ssl_name",
                                        "proxy_ssl_server_name",
                                        "proxy_ssl_verify",
                                        "proxy_ssl_trusted_certificate",
                                        "proxy_ssl_crl",
                                        "proxy_ssl_certificate",
                                        "proxy_ssl_alpn"};
    struct arena *arena = &conversion->import->arena;
    const char *key = value;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        const struct ngx_directive *directive = ngx_setting(conversion, server, names[i]);
        key = arena_print(arena, "%s\n", key);
        for (size_t j = 1; directive && j < directive->count; j++)
            key = arena_print(arena, "%s %s", key, directive->words[j]);
    }
    return key;
}

/* "\1:443": the machine that the client names. */
static bool write_named(struct writing *writing, const char *value, struct origin origin)
{
    struct import *import = writing->conversion->import;
    if (value[0] != NGX_NAME || value[1] != ':' || !value[2] ||
        value[2 + strspn(value + 2, "0123456789")])
        return false;
    ini_set_why(&import->ini, writing->out, origin, "any name: say which ones are allowed",
                "server", "any sni:%s allow=*%s", value + 2,
                writing->proxy_protocol ? " send-proxy=v1" : "");
    imported_differently(
        import, origin,
        "any name that a client asks for, as in nginx: say in allow= which ones may be");
    if (*writing->tls)
        not_imported(import, origin,
                     "proxy_ssl: sessions to a machine that the client names are "
                     "passed on as they are");
    writing->servers = 1;
    write_resolver(writing, NULL);
    return true;
}

static const char *write_backend(struct ngx_conversion *conversion, const struct ngx_list *server,
                                 const char *value, bool dynamic, struct origin origin)
{
    struct import *import = conversion->import;
    const struct ngx_directive *upstream = find_upstream(conversion, value);
    const char *wanted = *value == NGX_NAME                 ? "any"
                         : strncmp(value, "unix:/", 6) == 0 ? value + 6
                                                            : value;
    const char *name = text_unique(&import->arena, &conversion->backs, wanted);
    struct writing writing = {
        .conversion = conversion,
        .server = server,
        .upstream = upstream ? upstream->block : NULL,
        .out =
            ini_section(&import->ini, SECTION_BACKEND, name, upstream ? upstream->origin : origin),
        .proxy_protocol = is_on(ngx_setting(conversion, server, "proxy_protocol")),
        .tls = ngx_tls_target(conversion, server, value, origin),
    };
    if (upstream) {
        write_balance(&writing, upstream->block);
        for (size_t i = 0; i < upstream->block->count; i++) {
            const struct ngx_directive *line = &upstream->block->items[i];
            if (strcmp(line->words[0], "server") == 0 && line->count > 1)
                write_server(&writing, line->words[1], line->origin, line, false);
        }
        write_fails(&writing, upstream->block);
    } else if (!write_named(&writing, value, origin)) {
        write_server(&writing, value, origin, NULL, dynamic);
    }
    if (writing.servers == 0) {
        writing.out->off = true;
        return "reject";
    }
    write_names(&writing, upstream ? upstream->block : NULL);
    if (*value != NGX_NAME)
        write_retries(&writing);
    write_connect(&writing);
    write_check(&writing);
    if (upstream)
        ngx_remark(import, upstream->block, NGX_UPSTREAM, writing.out);
    return name;
}

const char *ngx_backend_name(struct ngx_conversion *conversion, const struct ngx_list *server,
                             const char *value, bool dynamic, struct origin origin)
{
    const char *key = key_of(conversion, server, value);
    for (size_t i = 0; i < conversion->backend_count; i++)
        if (strcmp(conversion->backends[i].key, key) == 0)
            return conversion->backends[i].name;
    const char *name = write_backend(conversion, server, value, dynamic, origin);
    conversion->backends =
        arena_grow(&conversion->import->arena, conversion->backends, conversion->backend_count,
                   &conversion->backend_capacity, sizeof *conversion->backends);
    conversion->backends[conversion->backend_count++] = (struct ngx_backend){key, name};
    return name;
}
