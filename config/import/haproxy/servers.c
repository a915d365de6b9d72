#include "config/import/haproxy/servers.h"

#include "config/import/haproxy/server_words.h"
#include "config/import/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* Stands in place of the value of a variable that is not set. */
#define NO_HOST "undefined.invalid"

struct reading {
    struct import *import;
    const struct hap_environment *environment;
    const struct hap_section *section;
    struct text_names names;
    struct hap_servers servers;
    struct hap_param_value defaults[HAP_PARAMS];
};

/* --- addresses ----------------------------------------------------------------------------- */

/* "${NAME}" in an address means the variable also without quotes. As all of a host it stays a
 * variable, with its present value as the default. */
static const char *expand_host(struct reading *reading, const char *host, struct origin origin)
{
    struct arena *arena = &reading->import->arena;
    const char *result = "";
    const char *from;
    while ((from = strstr(host, "${"))) {
        const char *close = strchr(from, '}');
        if (!close)
            break;
        char *name = arena_copy_n(arena, from + 2, (size_t)(close - from - 2));
        const char *value = hap_variable(reading->environment, name);
        if (!value)
            imported_differently(reading->import, origin, "the variable %s is not set here", name);
        bool is_name = *name && name[strspn(name, "abcdefghijklmnopqrstuvwxyz"
                                                  "ABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] == 0;
        bool whole =
            from == host && !close[1] && !*result && is_name && !isdigit((unsigned char)*name);
        if (whole && (!value || text_is_host(value)))
            return arena_print(arena, "${%s:-%s}", name, value ? value : NO_HOST);
        result = arena_print(arena, "%s%.*s%s", result, (int)(from - host), host,
                             value && *value ? value : NO_HOST);
        host = close + 1;
    }
    return arena_print(arena, "%s%s", result, host);
}

/* The ':' before the port, or NULL; not one within "${NAME:-x}". */
static const char *find_port(const char *address)
{
    const char *colon = strrchr(address, ':');
    const char *close = strrchr(address, '}');
    const char *bracket = strrchr(address, ']');
    return colon && (!close || close < colon) && (!bracket || bracket < colon) ? colon : NULL;
}

/* Reads "HOST:PORT" of a server line. Returns NULL, or why the server is lost. */
static const char *read_address(struct reading *reading, const char *text,
                                struct hap_server *server)
{
    struct arena *arena = &reading->import->arena;
    if (strncmp(text, "ipv4@", 5) == 0 || strncmp(text, "ipv6@", 5) == 0)
        text += 5;
    else if (strncmp(text, "tcp@", 4) == 0 || strncmp(text, "tcp4@", 5) == 0 ||
             strncmp(text, "tcp6@", 5) == 0 || strncmp(text, "stream+", 7) == 0)
        text = strpbrk(text, "@+") + 1;
    if (strncmp(text, "unix@", 5) == 0)
        text += 5;
    if (strncmp(text, "abns@", 5) == 0) {
        server->address = arena_print(arena, "unix:@%s", text + 5);
        return NULL;
    }
    if (*text == '/') {
        server->address = arena_print(arena, "unix:%s", text_value(arena, text));
        return NULL;
    }
    if (strchr(text, '@'))
        return "its kind of address has no counterpart";
    if (strncmp(text, "${", 2) == 0 && strchr(text, '}') && !strchr(text, '}')[1]) {
        /* The variable may have the port as well. */
        char *name = arena_copy_n(arena, text + 2, strlen(text) - 3);
        const char *value = hap_variable(reading->environment, name);
        if (value && strchr(value, ':'))
            text = value;
    }
    const char *colon = find_port(text);
    const char *host = colon ? arena_copy_n(arena, text, (size_t)(colon - text)) : text;
    const char *port = colon ? colon + 1 : "";
    const char *expanded = expand_host(reading, host, server->origin);
    port = expand_host(reading, port, server->origin);
    size_t length = strlen(expanded);
    if (*expanded == '[' && length > 1 && expanded[length - 1] == ']')
        expanded = arena_copy_n(arena, expanded + 1, length - 2);
    if (!*expanded || strcmp(expanded, "*") == 0 || strcmp(expanded, "0.0.0.0") == 0) {
        server->is_target = true;
        server->port = port;
        return "connections to the address that the client meant";
    }
    bool v6 = text_is_ipv6(expanded);
    if (!v6 && !text_is_host(expanded) && strncmp(expanded, "${", 2) != 0)
        return arena_print(arena, "'%s' is no address", text);
    if (!v6 && !text_is_ipv4(expanded))
        server->host = expanded;
    const char *digits = port + (*port == '+' || *port == '-');
    if (digits[strspn(digits, "0123456789")] || strlen(digits) > 5)
        return arena_print(arena, "'%s' is no port", port);
    if (strcmp(digits, "0") == 0)
        digits = port = "";
    server->address = arena_print(arena, "%s%s%s%s%s", v6 ? "[" : "", expanded, v6 ? "]" : "",
                                  *digits ? ":" : "", *digits ? port : "");
    return NULL;
}

/* --- lines --------------------------------------------------------------------------------- */

/* "1-5" and "5". */
static unsigned read_slots(const char *text)
{
    char *end;
    unsigned long first = strtoul(text, &end, 10);
    unsigned long last = *end == '-' ? strtoul(end + 1, NULL, 10) : first;
    unsigned long count = *end == '-' ? (last >= first ? last - first + 1 : 1) : first;
    return count == 0 ? 1 : count > 1000 ? 1000 : (unsigned)count;
}

static void add(struct reading *reading, struct hap_server server)
{
    reading->servers.items =
        arena_grow(&reading->import->arena, reading->servers.items, reading->servers.count,
                   &reading->servers.capacity, sizeof *reading->servers.items);
    reading->servers.items[reading->servers.count++] = server;
}

static void read_server(struct reading *reading, const struct hap_line *line)
{
    struct import *import = reading->import;
    bool template = strcmp(line->words[0], "server-template") == 0;
    bool dispatch = strcmp(line->words[0], "dispatch") == 0;
    size_t address = template ? 3 : dispatch ? 1 : 2;
    struct hap_server server = {.origin = line->origin, .section = reading->section};
    memcpy(server.params, reading->defaults, sizeof server.params);
    if (line->count <= address) {
        not_imported(import, line->origin, "%s: words are missing", line->words[0]);
        return;
    }
    server.name = dispatch ? "dispatch" : line->words[1];
    server.slots = template ? read_slots(line->words[2]) : 0;
    hap_server_words(import, line->origin, line->words + address + 1, server.params);
    const char *wrong = read_address(reading, line->words[address], &server);
    /* Checks of the port of the sessions speak what the sessions speak. */
    if (server.params[HAP_P_SSL].set && !server.params[HAP_P_PORT].set &&
        !server.params[HAP_P_ADDR].set && !server.params[HAP_P_CHECK_SSL].set)
        server.params[HAP_P_CHECK_SSL] = server.params[HAP_P_SSL];
    if (!wrong && server.params[HAP_P_SOCKS].set)
        wrong = "connections through SOCKS";
    if (wrong && !server.is_target)
        not_imported(import, line->origin, "server %s: %s; it is left out", server.name, wrong);
    if (wrong)
        server.address = NULL;
    else
        server.out = text_unique(&import->arena, &reading->names, server.name);
    add(reading, server);
}

struct hap_servers hap_servers_read(struct import *import,
                                    const struct hap_environment *environment,
                                    const struct hap_section *section)
{
    struct reading reading = {.import = import, .environment = environment, .section = section};
    const struct hap_lines *lines = &section->lists[HAP_SERVERS];
    for (size_t i = 0; i < lines->count; i++) {
        if (strcmp(lines->items[i].words[0], "default-server") == 0)
            hap_server_words(import, lines->items[i].origin, lines->items[i].words + 1,
                             reading.defaults);
        else
            read_server(&reading, &lines->items[i]);
    }
    return reading.servers;
}
