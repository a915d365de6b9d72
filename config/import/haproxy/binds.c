#include "config/import/haproxy/tls.h"
#include "config/import/text.h"
#include "config/syntax/bind_ports.h"

#include <netdb.h>
#include <stdlib.h>
#include <string.h>

/* A word of a bind line. */
enum bind_action { GIVE, DROP, NOTE, LOSE };

static const struct bind_word {
    const char *name;
    enum bind_action action;
    unsigned follows;      /* words that belong to it */
    const char *attribute; /* GIVE: with the word that follows, or as it stands where none does */
    const char *text;
} table[] = {
    {"accept-proxy", GIVE, 0, "accept-proxy=any", NULL},
    {"backlog", GIVE, 1, "backlog", NULL},
    {"defer-accept", GIVE, 0, "defer-accept=yes", NULL},
    {"mode", GIVE, 1, "mode", NULL},
    {"user", GIVE, 1, "owner", NULL},
    {"uid", GIVE, 1, "owner", NULL},
    {"group", GIVE, 1, "group", NULL},
    {"gid", GIVE, 1, "group", NULL},
    {"interface", GIVE, 1, "interface", NULL},
    {"transparent", LOSE, 0, NULL, "addresses that are not of this machine (transparent)"},
    {"v4v6", DROP, 0, NULL, NULL},
    {"v6only", DROP, 0, NULL, NULL},
    {"name", DROP, 1, NULL, NULL},
    {"id", DROP, 1, NULL, NULL},
    {"guid-prefix", DROP, 1, NULL, NULL},
    {"guid", DROP, 1, NULL, NULL},
    {"label", DROP, 1, NULL, NULL},
    {"nice", DROP, 1, NULL, NULL},
    {"process", DROP, 1, NULL, NULL},
    {"thread", DROP, 1, NULL, NULL},
    {"shards", DROP, 1, NULL, NULL},
    {"level", DROP, 1, NULL, NULL},
    {"severity-output", DROP, 1, NULL, NULL},
    {"expose-fd", DROP, 1, NULL, NULL},
    {"proto", DROP, 1, NULL, NULL},
    {"tfo", DROP, 0, NULL, NULL},
    {"mss", NOTE, 1, NULL, "mss: the kernel chooses the size of segments"},
    {"maxconn", LOSE, 1, NULL, "maxconn of one bind; max-sessions is of the frontend"},
    {"tcp-ut", NOTE, 1, NULL, "tcp-ut: user-timeout of the frontend"},
    {"cc", NOTE, 1, NULL, "cc: congestion of the frontend"},
    {"namespace", LOSE, 1, NULL, "another network namespace"},
    {"accept-netscaler-cip", LOSE, 1, NULL, "the header of NetScaler"},
    {"mptcp", DROP, 0, NULL, NULL},
};

struct bind {
    bool tls, v4v6, v6only;
    const char *attributes; /* each with a space before it */
};

static bool has_attribute(const char *name)
{
    size_t length = strcspn(name, "=");
    for (const struct option *option = attribute_table(OWNER_BIND); option->name; option++)
        if (strlen(option->name) == length && strncmp(option->name, name, length) == 0)
            return true;
    return false;
}

static void read_word(struct hap_conversion *conversion, const struct hap_line *line, size_t at,
                      const struct bind_word *word, struct bind *bind)
{
    struct arena *arena = &conversion->import->arena;
    const char *value = word->follows ? line->words[at + 1] : NULL;
    if (word->action == LOSE) {
        not_imported(conversion->import, line->origin, "bind: %s", word->text);
    } else if (word->action == NOTE) {
        imported_differently(conversion->import, line->origin, "bind: %s", word->text);
    } else if (word->action == GIVE && !has_attribute(word->attribute)) {
        not_imported(conversion->import, line->origin, "bind: %s", word->name);
    } else if (word->action == GIVE) {
        bind->attributes = arena_print(arena, "%s %s%s%s", bind->attributes, word->attribute,
                                       value ? "=" : "", value ? value : "");
    }
    bind->v4v6 |= strcmp(word->name, "v4v6") == 0;
    bind->v6only |= strcmp(word->name, "v6only") == 0;
}

static void read_words(struct hap_conversion *conversion, const struct hap_line *line,
                       struct bind *bind)
{
    bind->tls |= hap_ends_tls(line);
    for (size_t i = 2; i < line->count; i++) {
        const struct bind_word *word = NULL;
        unsigned follows;
        if (hap_tls_word(line->words[i], &follows)) {
            i += follows;
            continue;
        }
        for (size_t j = 0; j < sizeof table / sizeof *table && !word; j++)
            if (strcmp(table[j].name, line->words[i]) == 0)
                word = &table[j];
        if (word && i + word->follows < line->count) {
            read_word(conversion, line, i, word, bind);
            i += word->follows;
        } else {
            not_imported(conversion->import, line->origin, "bind: '%.60s' is not understood",
                         line->words[i]);
        }
    }
}

/* --- addresses ----------------------------------------------------------------------------- */

static bool is_taken(struct hap_conversion *conversion, const char *address)
{
    for (size_t i = 0; i < conversion->bind_count; i++)
        if (strcmp(conversion->binds[i], address) == 0)
            return true;
    conversion->binds =
        arena_grow(&conversion->import->arena, conversion->binds, conversion->bind_count,
                   &conversion->bind_capacity, sizeof *conversion->binds);
    conversion->binds[conversion->bind_count++] = address;
    return false;
}

static bool is_known(const char *host)
{
    struct addrinfo *found = NULL;
    const struct addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM};
    bool known = getaddrinfo(host, NULL, &hints, &found) == 0;
    if (found)
        freeaddrinfo(found);
    return known;
}

static size_t write_one(struct hap_conversion *conversion, const struct hap_section *section,
                        const struct hap_line *line, const char *address, const struct bind *bind,
                        struct ini_section *out)
{
    const struct hap_value *backlog = &section->values[HAP_BACKLOG];
    const char *attributes = bind->attributes;
    if (backlog->set && backlog->number > 0 && !strstr(attributes, " backlog="))
        attributes = arena_print(&conversion->import->arena, "%s backlog=%u", attributes,
                                 backlog->number > 65535 ? 65535 : (unsigned)backlog->number);
    if (is_taken(conversion, address)) {
        not_imported(conversion->import, line->origin,
                     "bind %s: another bind has this address; HAProxy shares it out", address);
        return 0;
    }
    ini_set(&conversion->import->ini, out, line->origin, "bind", "%s%s", address, attributes);
    return 1;
}

/* The ports of a range in lines of as many as one may have. */
static size_t write_ports(struct hap_conversion *conversion, const struct hap_section *section,
                          const struct hap_line *line, const char *host, const char *ports,
                          const struct bind *bind, struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    char *end;
    unsigned long first = strtoul(ports, &end, 10);
    unsigned long last = *end == '-' ? strtoul(end + 1, &end, 10) : first;
    size_t count = 0;
    if (*end || first == 0 || last < first || last > 65535) {
        not_imported(conversion->import, line->origin, "bind: '%.60s' is no port", ports);
        return 0;
    }
    for (; first <= last; first += BIND_PORTS_MOST) {
        unsigned long to = last - first >= BIND_PORTS_MOST ? first + BIND_PORTS_MOST - 1 : last;
        count += write_one(conversion, section, line,
                           first == to ? arena_print(arena, "%s:%lu", host, first)
                                       : arena_print(arena, "%s:%lu-%lu", host, first, to),
                           bind, out);
    }
    return count;
}

/* True: the section's bind lines name the IPv4 wildcard with this port as well. */
static bool has_v4(const struct hap_section *section, const char *port)
{
    const struct hap_lines *lines = &section->lists[HAP_BINDS];
    for (size_t i = 0; i < lines->count; i++) {
        const char *address = lines->items[i].count > 1 ? lines->items[i].words[1] : "";
        const char *colon = strrchr(address, ':');
        bool any = colon && (colon == address || strncmp(address, "*:", 2) == 0 ||
                             strncmp(address, "0.0.0.0:", 8) == 0);
        if (any && colon == strchr(address, ':') && strcmp(colon + 1, port) == 0)
            return true;
    }
    return false;
}

static size_t write_address(struct hap_conversion *conversion, const struct hap_section *section,
                            const struct hap_line *line, const char *text, const struct bind *bind,
                            struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    if (strncmp(text, "ipv4@", 5) == 0 || strncmp(text, "ipv6@", 5) == 0)
        text += 5;
    else if (strncmp(text, "unix@", 5) == 0)
        text += 5;
    if (strncmp(text, "abns@", 5) == 0)
        return write_one(conversion, section, line, arena_print(arena, "unix:@%s", text + 5), bind,
                         out);
    if (*text == '/')
        return write_one(conversion, section, line, arena_print(arena, "unix:%s", text), bind, out);
    const char *colon = strrchr(text, ':');
    if (strchr(text, '@') || !colon) {
        not_imported(conversion->import, line->origin, "bind %s: its kind of address", text);
        return 0;
    }
    const char *host = arena_copy_n(arena, text, (size_t)(colon - text)), *port = colon + 1;
    size_t length = strlen(host);
    if (*host == '[' && length > 1)
        host = arena_copy_n(arena, host + 1, length - 2);
    if (!*host || strcmp(host, "*") == 0)
        host = "0.0.0.0";
    if (!text_is_ipv6(host)) {
        if (!text_is_ipv4(host) && !(text_is_host(host) && is_known(host))) {
            not_imported(conversion->import, line->origin,
                         "bind %s: the name has no address here; 127.0.0.1 stands in for it", text);
            host = "127.0.0.1";
        }
        return write_ports(conversion, section, line, host, port, bind, out);
    }
    size_t count = 0;
    /* A socket of IPv6 takes IPv4 as well, unless that is turned off. */
    if (strcmp(host, "::") == 0 && !bind->v6only && !has_v4(section, port))
        count += write_ports(conversion, section, line, "0.0.0.0", port, bind, out);
    return count + write_ports(conversion, section, line, arena_print(arena, "[%s]", host), port,
                               bind, out);
}

size_t hap_binds_write(struct hap_conversion *conversion, const struct hap_section *section,
                       struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    const struct hap_lines *lines = &section->lists[HAP_BINDS];
    size_t count = 0;
    for (size_t i = 0; i < lines->count; i++) {
        const struct hap_line *line = &lines->items[i];
        struct bind bind = {.attributes = ""};
        if (line->count < 2)
            continue;
        read_words(conversion, line, &bind);
        if (bind.tls)
            bind.attributes = arena_print(arena, " tls=yes%s", bind.attributes);
        char *rest = arena_copy(arena, line->words[1]);
        for (char *text = strsep(&rest, ","); text; text = strsep(&rest, ","))
            if (*text)
                count += write_address(conversion, section, line, text, &bind, out);
        if (bind.tls)
            hap_tls_bind_write(conversion, line, out);
    }
    return count;
}
