#include "config/import/haproxy/tls.h"
#include "config/import/text.h"

#include <inttypes.h>
#include <string.h>

/* A connect that the kernel gives up by itself, with its usual retransmissions, after 127 s. */
#define CONNECT_FOREVER "130s"
#define CONNECT_MOST    3600000u
#define QUEUE_MOST      86400000u

/* --- balance ------------------------------------------------------------------------------- */

enum sticking { STICK_NOT, STICK_SOURCE, STICK_NAME, STICK_ONE, STICK_LOST };

/* What "stick on" and its relatives keep together. */
static enum sticking sticking(const struct hap_section *section, struct origin *origin)
{
    static const char *const ones[] = {"dst", "int(", "str(", "bool(", "always_true", "dst_port"};
    const struct hap_lines *lines = &section->lists[HAP_STICKS];
    for (size_t i = 0; i < lines->count; i++) {
        const struct hap_line *line = &lines->items[i];
        if (strcmp(line->words[0], "stick") != 0 || line->count < 3)
            continue;
        const char *key = line->words[2];
        *origin = line->origin;
        if (strcmp(key, "src") == 0 || strncmp(key, "src,", 4) == 0)
            return STICK_SOURCE;
        if (hap_is_server_name(key))
            return STICK_NAME;
        for (size_t j = 0; j < sizeof ones / sizeof *ones; j++)
            if (strncmp(key, ones[j], strlen(ones[j])) == 0)
                return STICK_ONE;
        return STICK_LOST;
    }
    return STICK_NOT;
}

/* "balance source" and "balance hash src", with their hash-type. */
static void write_hash(struct hap_conversion *conversion, const struct hap_section *section,
                       const char *key, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_value *balance = &section->values[HAP_BALANCE];
    const struct hap_value *type = &section->values[HAP_HASH_TYPE];
    bool consistent =
        type->set && type->line->count > 1 && strcmp(type->line->words[1], "consistent") == 0;
    bool of_name = strcmp(key, "sni") == 0;
    const char *mask = strncmp(key, "src,ipmask(", 11) == 0 ? strchr(key + 11, ',') : NULL;
    ini_set(ini, out, balance->origin, "balance", "%s",
            consistent || of_name ? "maglev" : "source");
    if (of_name)
        ini_set(ini, out, balance->origin, "hash", "sni");
    else
        ini_set_why(ini, out, balance->origin, mask ? NULL : "HAProxy looks at whole addresses",
                    "hash-prefix", "%.*s", mask ? (int)strcspn(mask + 1, ")") : 3,
                    mask ? mask + 1 : "128");
}

static void write_algorithm(struct hap_conversion *conversion, const struct hap_section *section,
                            struct ini_section *out)
{
    static const char *const same[][2] = {{"roundrobin", "roundrobin"},
                                          {"static-rr", "roundrobin"},
                                          {"leastconn", "leastconn"},
                                          {"first", "first"},
                                          {"random", "random"}};
    const struct hap_value *balance = &section->values[HAP_BALANCE];
    if (!balance->set || balance->line->count < 2)
        return;
    const char *name = balance->line->words[1];
    const char *key = balance->line->count > 2 ? balance->line->words[2] : "";
    bool hash = strcmp(name, "hash") == 0;
    bool masked = strncmp(key, "src,ipmask(32,", 14) == 0;
    if (strcmp(name, "source") == 0 || (hash && (strcmp(key, "src") == 0 || masked))) {
        write_hash(conversion, section, masked ? key : "source", out);
        return;
    }
    if (hash && hap_is_server_name(key)) {
        write_hash(conversion, section, "sni", out);
        return;
    }
    for (size_t i = 0; i < sizeof same / sizeof *same; i++)
        if (strncmp(name, same[i][0], strcspn(name, "(")) == 0 &&
            strlen(same[i][0]) == strcspn(name, "(")) {
            ini_set(&conversion->import->ini, out, balance->origin, "balance", "%s", same[i][1]);
            return;
        }
    if (strcmp(name, "rdp-cookie") == 0 || strncmp(name, "rdp-cookie(", 11) == 0) {
        not_imported(conversion->import, balance->origin,
                     "balance %s: by the client's address instead", name);
        ini_set(&conversion->import->ini, out, balance->origin, "balance", "source");
        return;
    }
    not_imported(conversion->import, balance->origin, "balance %s %s: roundrobin instead", name,
                 key);
}

/* Returns true where one server has all sessions until it fails. */
static bool write_balance(struct hap_conversion *conversion, const struct hap_section *section,
                          struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    struct origin origin;
    enum sticking kind = sticking(section, &origin);
    if (kind == STICK_NOT || kind == STICK_LOST)
        write_algorithm(conversion, section, out);
    if (kind == STICK_LOST)
        not_imported(conversion->import, origin,
                     "the key of this stick table; balance = source "
                     "keeps the sessions of an address together");
    if (kind == STICK_SOURCE) {
        const struct hap_value *balance = &section->values[HAP_BALANCE];
        imported_differently(
            conversion->import, origin,
            "stick on src: balance = source%s: the address alone says which server it is, "
            "and no table has to be kept",
            balance->set && balance->line->count > 1 ? " in place of balance" : "");
        ini_set(ini, out, origin, "balance", "source");
        ini_set_why(ini, out, origin, "HAProxy looks at whole addresses", "hash-prefix", "128");
    }
    if (kind == STICK_NAME) {
        imported_differently(conversion->import, origin,
                             "stick on a name: hash = sni, without a table");
        ini_set(ini, out, origin, "balance", "maglev");
        ini_set(ini, out, origin, "hash", "sni");
    }
    if (kind == STICK_ONE) {
        imported_differently(
            conversion->import, origin,
            "a stick table with one key: the first server has all sessions, the others are "
            "its backups");
        ini_set(ini, out, origin, "failback", "no");
    }
    return kind == STICK_ONE;
}

/* --- servers ------------------------------------------------------------------------------- */

static void note_resolvers(struct hap_conversion *conversion, const char *name)
{
    for (size_t i = 0; i < conversion->resolver_count; i++)
        if (strcmp(conversion->resolvers[i], name) == 0)
            return;
    conversion->resolvers =
        arena_grow(&conversion->import->arena, conversion->resolvers, conversion->resolver_count,
                   &conversion->resolver_capacity, sizeof *conversion->resolvers);
    conversion->resolvers[conversion->resolver_count++] = name;
}

/* What a header says beside the addresses; all that is about TLS is one word here. */
static const char *proxy_options(struct hap_conversion *conversion, const struct hap_server *server)
{
    static const char *const known[][2] = {
        {"unique-id", "unique-id"}, {"authority", "authority"},
        {"crc32c", "crc32c"},       {"ssl", "ssl"},
        {"cert-cn", "ssl"},         {"ssl-cipher", "ssl"},
        {"cert-sig", "ssl"},        {"cert-key", "ssl"},
    };
    struct arena *arena = &conversion->import->arena;
    const struct hap_param_value *value = &server->params[HAP_P_PROXY_OPTIONS];
    bool has_ssl = server->params[HAP_P_PROXY_SSL].set;
    const char *list = has_ssl ? "ssl" : "";
    for (const char *at = value->set ? value->text : ""; *at;) {
        size_t length = strcspn(at, ",");
        bool found = false;
        for (size_t i = 0; i < sizeof known / sizeof *known; i++)
            if (strlen(known[i][0]) == length && strncmp(known[i][0], at, length) == 0) {
                bool ssl = strcmp(known[i][1], "ssl") == 0;
                if (!ssl || !has_ssl)
                    list = arena_print(arena, "%s%s%s", list, *list ? "," : "", known[i][1]);
                has_ssl |= ssl;
                found = true;
            }
        if (!found)
            server_imported_differently(conversion->import, server->section, value->origin,
                                        server->name, NULL,
                                        "proxy-v2-options %.*s is not known here", (int)length, at);
        at += length + (at[length] == ',');
    }
    return list;
}

static const char *check_track(struct hap_conversion *conversion, const struct hap_section *section,
                               const struct hap_server *server)
{
    const struct hap_param_value *track = &server->params[HAP_P_TRACK];
    struct arena *arena = &conversion->import->arena;
    const char *slash = strchr(track->text, '/');
    const char *name = slash ? slash + 1 : track->text;
    const struct hap_section *backend =
        slash ? hap_find_back(conversion->model,
                              arena_copy_n(arena, track->text, (size_t)(slash - track->text)))
              : section;
    if (!backend || !backend->out) {
        not_imported(conversion->import, track->origin, "track %s: it is not carried over",
                     track->text);
        return NULL;
    }
    return arena_print(arena, "%s/%s", backend->out, text_name(arena, name));
}

/* The attributes that a server line has here as well, each with a space before it. */
static const char *attributes(struct hap_conversion *conversion, const struct hap_section *section,
                              const struct hap_server *server, bool backup)
{
    struct arena *arena = &conversion->import->arena;
    const struct hap_param_value *params = server->params;
    const char *text = "";
    if (server->family)
        text = " allow=*";
    if (server->slots > 0)
        text = arena_print(arena, "%s resolve=all max=%u", text, server->slots);
    if (params[HAP_P_DISABLED].set)
        text = arena_print(arena, "%s weight=0", text);
    else if (params[HAP_P_WEIGHT].set && params[HAP_P_WEIGHT].number != 1)
        text = arena_print(arena, "%s weight=%" PRIu64, text, params[HAP_P_WEIGHT].number);
    if (params[HAP_P_MAXCONN].set && params[HAP_P_MAXCONN].number > 0)
        text = arena_print(arena, "%s maxconn=%" PRIu64, text, params[HAP_P_MAXCONN].number);
    if (params[HAP_P_PROXY_V2].set)
        text = arena_print(arena, "%s send-proxy=v2", text);
    else if (params[HAP_P_PROXY_V1].set)
        text = arena_print(arena, "%s send-proxy=v1", text);
    if (params[HAP_P_PROXY_V2].set) {
        const char *list = proxy_options(conversion, server);
        if (*list)
            text = arena_print(arena, "%s proxy-tlv=%s", text, list);
    }
    text = arena_print(arena, "%s%s", text, hap_tls_server(conversion, server));
    if (backup || params[HAP_P_BACKUP].set)
        text = arena_print(arena, "%s backup", text);
    const char *track = params[HAP_P_TRACK].set ? check_track(conversion, section, server) : NULL;
    if (track)
        text = arena_print(arena, "%s check-track=%s", text, track);
    else if (params[HAP_P_PORT].set && params[HAP_P_CHECK].set &&
             !hap_connect_says(section, "port"))
        text = arena_print(arena, "%s check-port=%" PRIu64, text, params[HAP_P_PORT].number);
    if (params[HAP_P_ADDR].set && params[HAP_P_CHECK].set && !track &&
        !hap_connect_says(section, "addr")) {
        const char *address = params[HAP_P_ADDR].text;
        address += strncmp(address, "ipv4@", 5) == 0 || strncmp(address, "ipv6@", 5) == 0 ? 5 : 0;
        if (text_is_ipv4(address) || text_is_ipv6(address))
            text = arena_print(arena, "%s check-address=%s", text, address);
        else
            not_imported(conversion->import, params[HAP_P_ADDR].origin,
                         "addr %s: checks go to addresses, not to names", address);
    }
    return text;
}

static void note(struct import *import, const struct hap_server *server, enum hap_param param,
                 const char *text)
{
    server_imported_differently(import, server->section, server->params[param].origin, server->name,
                                NULL, "%s", text);
}

static void note_server(struct hap_conversion *conversion, const struct hap_server *server)
{
    struct import *import = conversion->import;
    const struct hap_param_value *params = server->params;
    if (params[HAP_P_DISABLED].set)
        note(import, server, HAP_P_DISABLED,
             "disabled: weight=0 keeps sessions away until \"rpproxy server\" sets another");
    if (params[HAP_P_MINCONN].set)
        note(import, server, HAP_P_MINCONN,
             "minconn: the limit is maxconn under any load of the backend");
    if (params[HAP_P_MAXQUEUE].set && params[HAP_P_MAXQUEUE].number > 0)
        note(import, server, HAP_P_MAXQUEUE,
             "maxqueue: a backend has one queue, for all of its servers; see max-queue");
    if (params[HAP_P_TCP_UT].set)
        not_imported(import, params[HAP_P_TCP_UT].origin,
                     "tcp-ut of a server; the option user-timeout is of a backend");
    if (params[HAP_P_RESOLVERS].set && (server->host || server->family))
        note_resolvers(conversion, params[HAP_P_RESOLVERS].text);
    if (params[HAP_P_PREFER].set && server->host)
        note(import, server, HAP_P_PREFER,
             "resolve-prefer: an address that this machine has a route to is preferred; see "
             "resolve-family");
}

/* "_db._tcp.example" with resolvers is a question for SRV records. */
static const char *address_text(struct hap_conversion *conversion, const struct hap_server *server)
{
    bool service = server->host && *server->host == '_' && server->params[HAP_P_RESOLVERS].set;
    return service ? arena_print(&conversion->import->arena, "srv:%s", server->host)
                   : server->address;
}

static void write_servers(struct hap_conversion *conversion, const struct hap_section *section,
                          const struct hap_servers *servers, bool one, struct ini_section *out)
{
    bool first = true;
    for (size_t i = 0; i < servers->count; i++) {
        const struct hap_server *server = &servers->items[i];
        if (!server->address)
            continue;
        note_server(conversion, server);
        ini_set(&conversion->import->ini, out, server->origin, "server", "%s %s%s", server->out,
                address_text(conversion, server),
                attributes(conversion, section, server, one && !first));
        if (server->family && strncmp(server->family, "ipv", 3) == 0)
            ini_set(&conversion->import->ini, out, server->origin, "resolve-family", "%s",
                    server->family);
        first = false;
    }
}

/* How names become addresses. HAProxy asks once, unless the server has resolvers. */
static void write_names(struct hap_conversion *conversion, const struct hap_servers *servers,
                        struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_server *name = NULL, *live = NULL;
    bool none = true;
    for (size_t i = 0; i < servers->count; i++) {
        const struct hap_server *server = &servers->items[i];
        const struct hap_param_value *init = &server->params[HAP_P_INIT_ADDR];
        if (!server->address || !server->host)
            continue;
        name = name ? name : server;
        live = live || !server->params[HAP_P_RESOLVERS].set ? live : server;
        none &= init->set && strstr(init->text, "none");
    }
    if (!name)
        return;
    for (size_t i = 0; i < servers->count && live; i++)
        if (servers->items[i].address && servers->items[i].host &&
            !servers->items[i].params[HAP_P_RESOLVERS].set)
            server_imported_differently(
                conversion->import, servers->items[i].section, servers->items[i].origin,
                servers->items[i].name, NULL,
                "names are asked for again and again, as those of the other servers");
    if (!live)
        ini_set_why(ini, out, name->origin, "without resolvers HAProxy asks once", "resolve",
                    "start");
    ini_set_why(ini, out, name->origin, none ? "init-addr none" : NULL, "start-unresolved", "down");
    if (!none && !conversion->names_noted.file) {
        conversion->names_noted = name->origin;
        imported_differently(
            conversion->import, name->origin,
            "a name without an address: HAProxy does not start; with start-unresolved = "
            "down such a server has no sessions");
    }
}

/* --- timeouts ------------------------------------------------------------------------------ */

static void write_connects(struct hap_conversion *conversion, const struct hap_section *section,
                           const struct hap_servers *servers, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    struct arena *arena = &conversion->import->arena;
    const struct hap_value *connect = &section->values[HAP_CONNECT];
    const struct hap_value *queue = &section->values[HAP_QUEUE];
    const struct hap_value *retries = &section->values[HAP_RETRIES];
    uint64_t time = hap_number(section, HAP_CONNECT);
    bool limited = false;
    if (time == 0)
        ini_set_why(ini, out, connect->origin, "no timeout connect: the kernel gives up before",
                    "connect-timeout", CONNECT_FOREVER);
    else
        ini_set(ini, out, connect->origin, "connect-timeout", "%s",
                text_duration(arena, time > CONNECT_MOST ? CONNECT_MOST : time));
    if (retries->set)
        ini_set(ini, out, retries->origin, "retries", "%" PRIu64,
                retries->number > 100 ? 100 : retries->number);
    for (size_t i = 0; i < servers->count; i++)
        limited |= servers->items[i].address && servers->items[i].params[HAP_P_MAXCONN].set;
    if (limited && hap_number(section, HAP_QUEUE) > 0)
        ini_set(ini, out, queue->origin, "queue-timeout", "%s",
                text_duration(arena, queue->number > QUEUE_MOST ? QUEUE_MOST : queue->number));
    else if (limited)
        ini_set_why(ini, out, connect->origin, "no timeout queue: as timeout connect",
                    "queue-timeout", "%s", text_duration(arena, time));
}

static void note_redispatch(struct hap_conversion *conversion, const struct hap_section *section,
                            const struct hap_servers *servers)
{
    const struct hap_value *redispatch = &section->values[HAP_REDISPATCH];
    if ((redispatch->set && redispatch->number) || servers->count < 2 ||
        conversion->retries_noted.file)
        return;
    conversion->retries_noted = section->origin;
    imported_differently(
        conversion->import, section->origin,
        "retries: without option redispatch HAProxy tries the same server again; here each "
        "attempt goes to another server if there is one");
}

/* The shortest timeout client of the frontends that lead here; 0: none. *all: they have the same.
 */
static uint64_t client_timeout(const struct hap_conversion *conversion,
                               const struct hap_section *section, bool *all)
{
    uint64_t least = 0;
    bool any = false;
    *all = true;
    for (size_t i = 0; i < conversion->model->count; i++) {
        const struct hap_section *front = conversion->model->sections[i];
        const struct hap_value *backend = &front->values[HAP_DEFAULT_BACKEND];
        if (!hap_has_front(front) || !front->out)
            continue;
        bool leads = front == section || (backend->set && backend->line->count > 1 &&
                                          strcmp(backend->line->words[1], section->name) == 0);
        for (size_t j = 0; j < front->lists[HAP_USES].count && !leads; j++)
            leads = front->lists[HAP_USES].items[j].count > 1 &&
                    (strcmp(front->lists[HAP_USES].items[j].words[1], section->name) == 0 ||
                     strchr(front->lists[HAP_USES].items[j].words[1], '%'));
        if (!leads)
            continue;
        uint64_t time = hap_number(front, HAP_CLIENT);
        *all &= !any || time == least;
        if (!any || (time > 0 && (least == 0 || time < least)))
            least = time;
        any = true;
    }
    return least;
}

/* In HAProxy a session is idle when one of both timeouts is over; timeout tunnel stands in for
 * both. */
static void write_idle(struct hap_conversion *conversion, const struct hap_section *section,
                       bool both, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    struct arena *arena = &conversion->import->arena;
    const struct hap_value *server = &section->values[HAP_SERVER];
    const struct hap_value *tunnel = &section->values[HAP_TUNNEL];
    const struct hap_value *client = &section->values[HAP_CLIENT];
    bool all;
    uint64_t of_client = client_timeout(conversion, section, &all);
    uint64_t of_server = hap_number(section, HAP_SERVER);
    if (tunnel->set && tunnel->number > 0) {
        ini_set(ini, out, tunnel->origin, "idle-timeout", "%s",
                text_duration(arena, tunnel->number));
    } else if (of_server > 0 && (of_client == 0 || of_server < of_client)) {
        ini_set(ini, out, server->origin, "idle-timeout", "%s", text_duration(arena, of_server));
    } else if (both && of_client > 0) {
        ini_set(ini, out, client->origin, "idle-timeout", "%s", text_duration(arena, of_client));
    } else if (both) {
        ini_set_why(ini, out, server->set ? server->origin : client->origin,
                    "no timeout client or server", "idle-timeout", "0s");
    } else if (of_server > of_client && of_client > 0 && !all) {
        imported_differently(conversion->import, server->origin,
                             "timeout server: each session has the idle-timeout of its frontend");
    } else if (of_server > of_client && of_client > 0) {
        ini_comment(ini, out, server->origin,
                    "timeout server %s: timeout client of the frontend is shorter, and is what "
                    "counts",
                    text_duration(arena, of_server));
    }
}

/* "client" and "clientip" of usesrc: the address of the client; others have no counterpart. */
static void write_address(struct hap_conversion *conversion, struct origin origin,
                          const char *address, const char *usesrc, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const char *host = text_is_ipv6(address) ? address
                                             : arena_copy_n(&conversion->import->arena, address,
                                                            strcspn(address, ":"));
    if (usesrc && strncmp(usesrc, "client", 6) == 0)
        ini_set(ini, out, origin, "source", "client");
    else if (usesrc)
        not_imported(conversion->import, origin, "source %s usesrc %s", address, usesrc);
    else if (text_is_ipv6(host) || (text_is_ipv4(host) && strcmp(host, "0.0.0.0") != 0))
        ini_set(ini, out, origin, "source", "%s", host);
    else if (*host && strcmp(host, "*") != 0 && strcmp(host, "0.0.0.0") != 0)
        not_imported(conversion->import, origin, "source %s", address);
}

/* Of the backend, or of its servers, which have one here. */
static void write_source(struct hap_conversion *conversion, const struct hap_section *section,
                         const struct hap_servers *servers, struct ini_section *out)
{
    const struct hap_value *source = &section->values[HAP_SOURCE];
    const struct hap_param_value *of_server =
        hap_common(conversion, servers, HAP_P_SOURCE, "source", false);
    const struct hap_param_value *usesrc =
        of_server ? hap_common(conversion, servers, HAP_P_USESRC, "usesrc", false) : NULL;
    if (of_server) {
        write_address(conversion, of_server->origin, of_server->text, usesrc ? usesrc->text : NULL,
                      out);
    } else if (source->set && source->line->count > 1) {
        const struct hap_line *line = source->line;
        bool uses = line->count > 3 && strcmp(line->words[2], "usesrc") == 0;
        write_address(conversion, source->origin, line->words[1], uses ? line->words[3] : NULL,
                      out);
        if (line->count > 2 && !uses)
            not_imported(conversion->import, source->origin, "source %s %s", line->words[1],
                         line->words[2]);
    }
}

static void write_ends(struct hap_conversion *conversion, const struct hap_section *section,
                       const struct hap_servers *servers, bool both, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_param_value *slow =
        hap_common(conversion, servers, HAP_P_SLOWSTART, "slowstart", false);
    const struct hap_param_value *observe =
        hap_common(conversion, servers, HAP_P_OBSERVE, "observe", false);
    if (slow && slow->number > 0)
        ini_set(ini, out, slow->origin, "slow-start", "%s",
                text_duration(&conversion->import->arena, slow->number));
    if (observe) {
        const struct hap_param_value *limit =
            hap_common(conversion, servers, HAP_P_ERROR_LIMIT, "error-limit", false);
        imported_differently(
            conversion->import, observe->origin,
            "observe: errors of sessions eject the server for eject-time, even if its "
            "checks pass");
        ini_set(ini, out, observe->origin, "max-fails", "%" PRIu64, limit ? limit->number : 10);
    }
    write_idle(conversion, section, both, out);
    write_source(conversion, section, servers, out);
}

void hap_back_write(struct hap_conversion *conversion, const struct hap_section *section,
                    const struct hap_servers *servers, bool both, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_value *all = &section->values[HAP_ALLBACKUPS];
    bool one = write_balance(conversion, section, out);
    write_servers(conversion, section, servers, one, out);
    if (all->set && all->number)
        ini_set(ini, out, all->origin, "backup", "all");
    write_names(conversion, servers, out);
    hap_checks_write(conversion, section, servers, out);
    write_connects(conversion, section, servers, out);
    note_redispatch(conversion, section, servers);
    write_ends(conversion, section, servers, both, out);
}
