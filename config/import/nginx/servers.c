#include "config/import/nginx/servers.h"

#include "config/import/nginx/backends.h"
#include "config/import/nginx/directives.h"
#include "config/import/nginx/tls.h"
#include "config/syntax/bind_ports.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define IDLE_DEFAULT    600000u
#define PREREAD_DEFAULT 30000u
#define HOUR_MS         3600000u
#define YEAR_MS         31536000000u

/* A server that is being written. */
struct front {
    struct ngx_conversion *conversion;
    const struct ngx_directive *server;
    struct ini_section *out;
    const char **ports; /* that it listens on, NULL at the end */
    size_t port_count, port_capacity;
    bool proxy_protocol, tls;
    const char *keepalive; /* of so_keepalive; NULL: not said */
    struct origin keepalive_at;
};

static const struct ngx_directive *setting(const struct front *front, const char *name)
{
    return ngx_setting(front->conversion, front->server->block, name);
}

/* --- binds --------------------------------------------------------------------------------- */

/* The words of a listen line. */
static const char *attributes(struct front *front, const struct ngx_directive *listen)
{
    struct import *import = front->conversion->import;
    static const char *const nothing[] = {
        "reuseport",      "bind",          "rcvbuf=",  "sndbuf=", "fastopen=",      "ipv6only=",
        "default_server", "so_keepalive=", "backlog=", "setfib=", "accept_filter=", "multipath"};
    const char *backlog = ngx_parameter(listen, "backlog"), *text = "";
    const char *keep = ngx_parameter(listen, "so_keepalive");
    if (ngx_has(listen, "proxy_protocol")) {
        text = " accept-proxy=any";
        front->proxy_protocol = true;
    }
    if (backlog && atoi(backlog) > 0)
        text = arena_print(&import->arena, "%s backlog=%s", text, backlog);
    if (ngx_has(listen, "deferred"))
        text = arena_print(&import->arena, "%s defer-accept=yes", text);
    if (keep) {
        front->keepalive = strcmp(keep, "off") == 0 ? "no" : "yes";
        front->keepalive_at = listen->origin;
        if (strchr(keep, ':'))
            imported_differently(import, listen->origin, "so_keepalive=%s: see keepalive", keep);
    }
    for (size_t i = 2; i < listen->count; i++) {
        bool known = strcmp(listen->words[i], "proxy_protocol") == 0 ||
                     strcmp(listen->words[i], "ssl") == 0 ||
                     strcmp(listen->words[i], "deferred") == 0;
        for (size_t j = 0; j < sizeof nothing / sizeof *nothing; j++)
            known |= strncmp(listen->words[i], nothing[j], strlen(nothing[j])) == 0;
        if (!known)
            not_imported(import, listen->origin, "listen: '%.60s'", listen->words[i]);
    }
    return text;
}

static void add_bind(struct front *front, const struct ngx_directive *listen, const char *address,
                     const char *more)
{
    struct ngx_conversion *conversion = front->conversion;
    struct import *import = conversion->import;
    for (size_t i = 0; i < conversion->bind_count; i++)
        if (strcmp(conversion->binds[i], address) == 0) {
            not_imported(import, listen->origin, "listen %s: another server has this address",
                         address);
            return;
        }
    conversion->binds = arena_grow(&import->arena, conversion->binds, conversion->bind_count,
                                   &conversion->bind_capacity, sizeof *conversion->binds);
    conversion->binds[conversion->bind_count++] = address;
    ini_set(&import->ini, front->out, listen->origin, "bind", "%s%s", address, more);
}

static void add_port(struct front *front, const char *port)
{
    for (size_t i = 0; i < front->port_count; i++)
        if (strcmp(front->ports[i], port) == 0)
            return;
    front->ports = arena_grow(&front->conversion->import->arena, front->ports,
                              front->port_count + 1, &front->port_capacity, sizeof *front->ports);
    front->ports[front->port_count++] = port;
    front->ports[front->port_count] = NULL;
}

/* "443", "5000-5010", of a host. */
static void add_ports(struct front *front, const struct ngx_directive *listen, const char *host,
                      const char *ports, const char *more)
{
    struct arena *arena = &front->conversion->import->arena;
    char *end;
    unsigned long first = strtoul(ports, &end, 10);
    unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
    if (*end || first == 0 || last < first || last > 65535) {
        not_imported(front->conversion->import, listen->origin, "listen: '%.60s' is no port",
                     ports);
        return;
    }
    add_port(front, first == last ? arena_print(arena, "%lu", first) : ports);
    for (; first <= last; first += BIND_PORTS_MOST) {
        unsigned long to = last - first >= BIND_PORTS_MOST ? first + BIND_PORTS_MOST - 1 : last;
        add_bind(front, listen,
                 first == to ? arena_print(arena, "%s:%lu", host, first)
                             : arena_print(arena, "%s:%lu-%lu", host, first, to),
                 more);
    }
}

static void write_listen(struct front *front, const struct ngx_directive *listen)
{
    struct import *import = front->conversion->import;
    const char *text = ngx_word(listen, 1);
    if (ngx_has(listen, "udp")) {
        not_imported(import, listen->origin, "listen %s udp: rpproxy forwards no datagrams", text);
        return;
    }
    const char *more = attributes(front, listen);
    if (ngx_tls_listens(front->conversion, front->server->block, listen)) {
        more = arena_print(&import->arena, " tls=yes%s", more);
        front->tls = true;
    }
    if (strncmp(text, "unix:", 5) == 0) {
        add_bind(front, listen, text, more);
        return;
    }
    const char *bracket = strrchr(text, ']');
    const char *colon = strrchr(bracket ? bracket : text, ':');
    const char *host = colon ? arena_copy_n(&import->arena, text, (size_t)(colon - text)) : "*";
    if (strcmp(host, "*") == 0)
        host = "0.0.0.0";
    size_t length = strlen(host);
    bool v6 = *host == '[' && host[length - 1] == ']' &&
              text_is_ipv6(arena_copy_n(&import->arena, host + 1, length - 2));
    if (!v6 && !text_is_ipv4(host)) {
        not_imported(import, listen->origin,
                     "listen %s: names of addresses are not looked up; 127.0.0.1 stands in for it",
                     text);
        host = "127.0.0.1";
    }
    const char *only = ngx_parameter(listen, "ipv6only");
    if (v6 && only && strcmp(only, "off") == 0)
        add_ports(front, listen, "0.0.0.0", colon ? colon + 1 : text, more);
    add_ports(front, listen, host, colon ? colon + 1 : text, more);
}

/* --- access lists -------------------------------------------------------------------------- */

/* Directives of the server, or, where it has none of these names, of the stream. */
static const struct ngx_list *list_with(const struct front *front, const char *one,
                                        const char *other)
{
    const struct ngx_list *own = front->server->block;
    return ngx_find(own, one) || ngx_find(own, other) ? own : front->conversion->stream;
}

static void write_access(struct front *front)
{
    struct import *import = front->conversion->import;
    const struct ngx_list *list = list_with(front, "allow", "deny");
    for (size_t i = 0; i < list->count; i++) {
        const struct ngx_directive *line = &list->items[i];
        const char *value = ngx_word(line, 1);
        if (strcmp(line->words[0], "allow") != 0 && strcmp(line->words[0], "deny") != 0)
            continue;
        if (strcmp(value, "all") == 0 || text_is_prefix(value))
            ini_set(&import->ini, front->out, line->origin,
                    *line->words[0] == 'a' ? "allow" : "deny", "%s",
                    strcmp(value, "all") == 0 ? "any" : value);
        else
            not_imported(import, line->origin, "%s %s: neither an address nor all", line->words[0],
                         value);
    }
}

static const struct ngx_directive *find_zone(const struct front *front, const char *zone)
{
    for (size_t i = 0; i < front->conversion->stream->count; i++) {
        const struct ngx_directive *line = &front->conversion->stream->items[i];
        const char *text = ngx_parameter(line, "zone");
        if (strcmp(line->words[0], "limit_conn_zone") == 0 && text &&
            strncmp(text, zone, strlen(zone)) == 0 && text[strlen(zone)] == ':')
            return line;
    }
    return NULL;
}

static void write_limits(struct front *front)
{
    struct import *import = front->conversion->import;
    const struct ngx_list *list = list_with(front, "limit_conn", "limit_conn");
    for (size_t i = 0; i < list->count; i++) {
        const struct ngx_directive *line = &list->items[i];
        if (strcmp(line->words[0], "limit_conn") != 0)
            continue;
        const struct ngx_directive *zone = find_zone(front, ngx_word(line, 1));
        const char *key = zone ? ngx_word(zone, 1) : "";
        bool source = strcmp(key, "$binary_remote_addr") == 0 || strcmp(key, "$remote_addr") == 0;
        bool all = strcmp(key, "$server_addr") == 0 || strcmp(key, "$server_port") == 0 ||
                   strcmp(key, "$server_name") == 0;
        const char *option = source ? "max-sessions-per-source" : "max-sessions";
        if ((!source && !all) || ini_has(front->out, option)) {
            not_imported(import, line->origin, "limit_conn %s: of %s", ngx_word(line, 1),
                         *key ? key : "a zone that is not there");
            continue;
        }
        ini_set(&import->ini, front->out, line->origin, option, "%s", ngx_word(line, 2));
        if (all)
            ini_set(&import->ini, front->out, line->origin, "over-limit", "close");
    }
}

/* --- timeouts and the log ------------------------------------------------------------------ */

static void write_time(struct front *front, const char *name, const char *key, uint64_t initial,
                       uint64_t most)
{
    struct import *import = front->conversion->import;
    const struct ngx_directive *line = setting(front, name);
    uint64_t time = initial;
    if (line && !ngx_time(ngx_word(line, 1), &time)) {
        not_imported(import, line->origin, "%s %s", name, ngx_word(line, 1));
        time = initial;
    }
    time = time < 1 ? 1 : time > most ? most : time;
    ini_set_why(&import->ini, front->out, line ? line->origin : (struct origin){0},
                line ? NULL : arena_print(&import->arena, "the default of %s", name), key, "%s",
                text_duration(&import->arena, time));
}

static void write_log(struct front *front)
{
    const struct ngx_directive *log = setting(front, "access_log");
    if (log && strcmp(ngx_word(log, 1), "off") != 0)
        ini_set(&front->conversion->import->ini, front->out, log->origin, "access-log", "yes");
}

/* --- where sessions go --------------------------------------------------------------------- */

/* What the handshake has shown needs no further bytes. */
static bool reads_bytes(const struct front *front, const char *conditions)
{
    if (front->tls)
        return false;
    return strstr(conditions, "sni:") || strstr(conditions, "alpn:") || strstr(conditions, "tls:");
}

/* Writes a route for each branch, up to the one that takes all. */
static void write_branches(struct front *front, const struct ngx_branches *branches, bool dynamic)
{
    struct import *import = front->conversion->import;
    bool reads = false, named = false;
    for (size_t i = 0; i < branches->count; i++) {
        const struct ngx_branch *branch = &branches->items[i];
        const char *backend = "reject";
        if (*branch->value)
            backend = ngx_backend_name(front->conversion, front->server->block, branch->value,
                                       dynamic, branch->origin);
        reads |= reads_bytes(front, branch->conditions);
        named |= *branch->value == NGX_NAME && !front->tls;
        if (*branch->conditions) {
            ini_set(&import->ini, front->out, branch->origin, "route", "%s%s", branch->conditions,
                    backend);
            continue;
        }
        /* nginx closes a client that says nothing. */
        if (reads)
            ini_set_why(&import->ini, front->out, (struct origin){0},
                        "nginx closes it after preread_timeout", "route", "silent reject");
        ini_set(&import->ini, front->out, branch->origin, "backend", "%s", backend);
        break;
    }
    if (reads || named)
        write_time(front, "preread_timeout", "inspect-timeout", PREREAD_DEFAULT, HOUR_MS);
}

static void write_targets(struct front *front, const struct ngx_directive *pass)
{
    struct import *import = front->conversion->import;
    static const char *const no_ports[] = {NULL};
    const struct ngx_directive *reads = setting(front, "ssl_preread");
    const struct ngx_scope scope = {
        .import = import,
        .stream = front->conversion->stream,
        .server = front->server->block,
        .reads = reads && strcmp(ngx_word(reads, 1), "on") == 0,
        .ends_tls = front->tls,
        .ports = front->ports ? front->ports : no_ports,
    };
    const char *value = ngx_word(pass, 1);
    struct ngx_branches branches = ngx_evaluate(&scope, value, pass->origin);
    if (branches.lost) {
        not_imported(import, pass->origin, "proxy_pass %s: its clients are refused", value);
        ini_set(&import->ini, front->out, pass->origin, "backend", "reject");
        return;
    }
    write_branches(front, &branches, strchr(value, '$') != NULL);
}

/* --- all ----------------------------------------------------------------------------------- */

static const char *front_name(const struct ngx_directive *pass, const struct front *front)
{
    struct arena *arena = &front->conversion->import->arena;
    const char *value = pass ? ngx_word(pass, 1) : "";
    if (*value && !strpbrk(value, "$:/"))
        return value;
    return front->port_count > 0 ? arena_print(arena, "port-%s", front->ports[0]) : "server";
}

static void write_proxy_protocol(struct front *front)
{
    struct import *import = front->conversion->import;
    const struct ngx_directive *trusted = setting(front, "set_real_ip_from");
    if (front->proxy_protocol && !trusted)
        imported_differently(
            import, front->server->origin,
            "listen proxy_protocol: the address that a header tells is that of the client, "
            "also without set_real_ip_from");
}

void ngx_server_write(struct ngx_conversion *conversion, const struct ngx_directive *server)
{
    struct import *import = conversion->import;
    const struct ngx_directive *pass = ngx_find(server->block, "proxy_pass");
    struct front front = {.conversion = conversion, .server = server};
    bool lost = false;
    /* Its name is known when the ports are. */
    front.out = ini_section(&import->ini, SECTION_FRONTEND, "", server->origin);
    for (size_t i = 0; i < server->block->count; i++)
        if (strcmp(server->block->items[i].words[0], "listen") == 0)
            write_listen(&front, &server->block->items[i]);
    front.out->name = text_unique(&import->arena, &conversion->fronts, front_name(pass, &front));
    if (!pass) {
        not_imported(import, server->origin, "a server without proxy_pass: it is left out");
        lost = true;
    }
    if (lost || !ini_has(front.out, "bind")) {
        front.out->off = true;
        if (!lost)
            return;
    }
    ngx_remark(import, server->block, NGX_SERVER, front.out);
    if (front.out->off)
        return;
    write_access(&front);
    write_limits(&front);
    write_proxy_protocol(&front);
    if (front.tls)
        ngx_tls_front_write(conversion, server->block, front.out);
    write_targets(&front, pass);
    write_time(&front, "proxy_timeout", "idle-timeout", IDLE_DEFAULT, YEAR_MS);
    ini_set_why(&import->ini, front.out, front.keepalive ? front.keepalive_at : (struct origin){0},
                front.keepalive ? NULL : "so_keepalive is off", "keepalive", "%s",
                front.keepalive ? front.keepalive : "no");
    write_log(&front);
}
