/* What is of the process as a whole: limits, the log, name servers, pages of figures. */
#include "config/import/haproxy/convert.h"
#include "config/import/haproxy/times.h"
#include "config/import/text.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define YEAR 31536000000u

/* --- pages of figures and of health -------------------------------------------------------- */

static bool exports_metrics(const struct hap_section *section)
{
    for (size_t i = 0; i < section->remark_count; i++)
        if (strstr(section->remarks[i].text, "prometheus-exporter"))
            return true;
    return false;
}

bool hap_is_page(const struct hap_section *section)
{
    return hap_has_front(section) && hap_is_http(section) &&
           (section->lists[HAP_STATS].count > 0 || section->values[HAP_MONITOR].set ||
            exports_metrics(section) ||
            strcmp(section->values[HAP_MODE].line->words[1], "health") == 0) &&
           section->lists[HAP_SERVERS].count == 0 && section->lists[HAP_USES].count == 0 &&
           !section->values[HAP_DEFAULT_BACKEND].set && section->lists[HAP_BINDS].count > 0;
}

static const struct hap_line *find_stats(const struct hap_section *section, const char *word)
{
    for (size_t i = 0; i < section->lists[HAP_STATS].count; i++)
        if (section->lists[HAP_STATS].items[i].count > 1 &&
            strcmp(section->lists[HAP_STATS].items[i].words[1], word) == 0)
            return &section->lists[HAP_STATS].items[i];
    return NULL;
}

/* Addresses that metrics may have. */
#define PAGES_MAX 8

/* The pages that were found. */
struct pages {
    const char *list; /* of addresses, separated by spaces */
    size_t count;
    struct origin first;
};

/* The address of a bind, of 127.0.0.1 where a password is lost; NULL: it has no port. */
static const char *page_address(struct arena *arena, const char *text, bool guarded)
{
    const char *colon = strrchr(text, ':');
    if (*text == '/' || strncmp(text, "unix@", 5) == 0)
        return arena_print(arena, "unix:%s", text + (*text == '/' ? 0 : 5));
    if (!colon || atoi(colon + 1) <= 0 || atoi(colon + 1) > 65535)
        return NULL;
    const char *host = arena_copy_n(arena, text, (size_t)(colon - text));
    size_t length = strlen(host);
    if (*host == '[' && length > 1)
        host = arena_copy_n(arena, host + 1, length - 2);
    if (guarded)
        host = "127.0.0.1";
    else if (!text_is_ipv4(host) && !text_is_ipv6(host))
        host = "0.0.0.0";
    return text_is_ipv6(host) ? arena_print(arena, "[%s]:%d", host, atoi(colon + 1))
                              : arena_print(arena, "%s:%d", host, atoi(colon + 1));
}

/* True: the list of addresses has this one, or there is no room for it. */
static bool has_page(const struct pages *pages, const char *address)
{
    const char *at = strstr(pages->list, address);
    size_t length = strlen(address);
    return pages->count == PAGES_MAX ||
           (at && (at == pages->list || at[-1] == ' ') && (!at[length] || at[length] == ' '));
}

/* The users and their passwords belong into a file of their own, with hashes: an import writes one
 * file, which other users may read. */
static void describe_users(struct hap_conversion *conversion, const struct hap_section *section,
                           bool admin, struct ini_section *out)
{
    struct import *import = conversion->import;
    for (size_t i = 0; i < section->lists[HAP_STATS].count; i++) {
        const struct hap_line *line = &section->lists[HAP_STATS].items[i];
        if (line->count < 3 || strcmp(line->words[1], "auth") != 0)
            continue;
        size_t name = strcspn(line->words[2], ":");
        ini_comment(
            &import->ini, out, line->origin,
            "stats auth: metrics-auth = FILE, with the line %.*s:HASH%s in this file; "
            "mkpasswd -m yescrypt makes HASH; then metrics may be at the address of the bind",
            (int)name, line->words[2], admin ? ":admin" : "");
    }
}

static void add_page(struct hap_conversion *conversion, const struct hap_section *section,
                     struct pages *pages, struct ini_section *out)
{
    struct import *import = conversion->import;
    const struct hap_lines *binds = &section->lists[HAP_BINDS];
    const struct hap_line *auth = find_stats(section, "auth");
    const struct hap_line *admin = find_stats(section, "admin");
    for (size_t i = 0; i < binds->count; i++) {
        const char *text = binds->items[i].count > 1 ? binds->items[i].words[1] : "";
        const char *address = page_address(&import->arena, text, auth != NULL);
        if (!address || has_page(pages, address))
            continue;
        if (pages->count++ == 0)
            pages->first = binds->items[i].origin;
        pages->list =
            arena_print(&import->arena, "%s%s%s", pages->list, *pages->list ? " " : "", address);
    }
    if (section->values[HAP_MONITOR].set)
        imported_differently(import, section->values[HAP_MONITOR].origin,
                             "monitor-uri: metrics answers there; ask for /healthz, or for /ready");
    else
        imported_differently(
            import, section->origin,
            "section %s: metrics stands in its place, with /metrics, /healthz and /ready",
            section->name);
    if (auth) {
        imported_differently(
            import, auth->origin,
            "stats auth: metrics is at 127.0.0.1 only, until metrics-auth has its users; a "
            "comment in [global] says how");
        describe_users(conversion, section, admin != NULL, out);
    }
    if (admin)
        imported_differently(
            import, admin->origin,
            "stats admin: only users of metrics-auth that are admin change servers in the "
            "status page; see also \"rpproxy server\"");
}

static void write_pages(struct hap_conversion *conversion, struct ini_section *out)
{
    struct pages pages = {.list = ""};
    for (size_t i = 0; i < conversion->model->count; i++)
        if (hap_is_page(conversion->model->sections[i]))
            add_page(conversion, conversion->model->sections[i], &pages, out);
    if (pages.count > 0)
        ini_set_why(&conversion->import->ini, out, pages.first, "figures and health of the proxy",
                    "metrics", "%s", pages.list);
}

/* --- name servers -------------------------------------------------------------------------- */

static void write_resolvers(struct hap_conversion *conversion, const struct hap_section *section,
                            struct ini_section *out)
{
    struct arena *arena = &conversion->import->arena;
    struct ini *ini = &conversion->import->ini;
    const char *servers = "";
    struct origin origin = section->origin;
    unsigned count = 0;
    uint64_t valid = 10000, hold = 30000, retry = 1000, retries = 3, time;
    struct origin valid_at = {0}, hold_at = {0}, retry_at = {0};
    for (size_t i = 0; i < section->lines.count; i++) {
        const struct hap_line *line = &section->lines.items[i];
        const char *one = line->count > 1 ? line->words[1] : "";
        const char *two = line->count > 2 ? line->words[2] : "";
        if (strcmp(line->words[0], "nameserver") == 0 && count < 8) {
            two += strncmp(two, "udp@", 4) == 0 || strncmp(two, "tcp@", 4) == 0 ? 4 : 0;
            if (strncmp(two, "ipv4@", 5) == 0 || strncmp(two, "udp4@", 5) == 0)
                two += 5;
            servers = arena_print(arena, "%s%s%s", servers, *servers ? " " : "", two);
            origin = count++ == 0 ? line->origin : origin;
        } else if (strcmp(line->words[0], "resolve_retries") == 0) {
            retries = strtoull(one, NULL, 10);
        } else if (strcmp(line->words[0], "hold") == 0 && hap_time(two, &time)) {
            if (strcmp(one, "valid") == 0) {
                valid = time;
                valid_at = line->origin;
            } else if (strcmp(one, "timeout") == 0 || strcmp(one, "other") == 0) {
                hold = time;
                hold_at = line->origin;
            }
        } else if (strcmp(line->words[0], "timeout") == 0 && strcmp(one, "retry") == 0 &&
                   hap_time(two, &time)) {
            retry = time;
            retry_at = line->origin;
        }
    }
    if (*servers)
        ini_set(ini, out, origin, "resolver", "%s", servers);
    ini_set_why(ini, out, valid_at, "hold valid", "resolve-max", "%s",
                text_duration(arena, valid < 10         ? 10
                                     : valid > 86400000 ? 86400000
                                                        : valid));
    ini_set_why(ini, out, hold_at, "hold timeout", "resolve-hold", "%s",
                text_duration(arena, hold > YEAR ? YEAR : hold));
    retry *= retries > 0 && retries < 100 ? retries : 1;
    ini_set_why(ini, out, retry_at, "timeout retry, times resolve_retries", "resolve-timeout", "%s",
                text_duration(arena, retry < 10      ? 10
                                     : retry > 60000 ? 60000
                                                     : retry));
}

static void write_names(struct hap_conversion *conversion, struct ini_section *out)
{
    const struct hap_section *first = NULL;
    for (size_t i = 0; i < conversion->model->count; i++) {
        const struct hap_section *section = conversion->model->sections[i];
        bool used = false;
        for (size_t j = 0; j < conversion->resolver_count; j++)
            used |= strcmp(section->name, conversion->resolvers[j]) == 0;
        if (section->kind != HAP_RESOLVERS || !used)
            continue;
        if (first)
            imported_differently(
                conversion->import, section->origin,
                "resolvers %s: all names are asked for at the servers of resolvers %s",
                section->name, first->name);
        else
            write_resolvers(conversion, section, out);
        first = first ? first : section;
    }
}

/* --- the log ------------------------------------------------------------------------------- */

static void write_log(struct hap_conversion *conversion, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_lines *logs = &conversion->model->global.lists[HAP_LOGS];
    if (logs->count == 0 || logs->items[0].count < 2)
        return;
    const struct hap_line *line = &logs->items[0];
    const char *target = line->words[1];
    bool here = strcmp(target, "stdout") == 0 || strcmp(target, "stderr") == 0 ||
                strncmp(target, "fd@", 3) == 0;
    bool local = *target == '/' || strncmp(target, "127.", 4) == 0 ||
                 strncmp(target, "localhost", 9) == 0 || strncmp(target, "unix@", 5) == 0;
    ini_set(ini, out, line->origin, "log", "%s", here ? "stderr" : "syslog");
    if (!here && !local)
        imported_differently(
            conversion->import, line->origin,
            "log %s: the log goes to the syslog of this machine, which can forward it", target);
    for (size_t i = 1; i < logs->count; i++)
        ini_comment(ini, out, logs->items[i].origin, "log %s: there is one log",
                    logs->items[i].count > 1 ? logs->items[i].words[1] : "");
}

void hap_global_write(struct hap_conversion *conversion)
{
    struct import *import = conversion->import;
    struct arena *arena = &import->arena;
    const struct hap_section *global = &conversion->model->global;
    struct ini_section *out = ini_only(&import->ini, SECTION_GLOBAL);
    const struct hap_value *values = global->values;
    out->origin = global->origin;
    if (hap_number(global, HAP_MAXCONN) > 0)
        ini_set(&import->ini, out, values[HAP_MAXCONN].origin, "max-sessions", "%" PRIu64,
                values[HAP_MAXCONN].number);
    if (hap_number(global, HAP_THREADS) > 0)
        ini_set(&import->ini, out, values[HAP_THREADS].origin, "workers", "%" PRIu64,
                values[HAP_THREADS].number > 256 ? 256 : values[HAP_THREADS].number);
    if (hap_number(global, HAP_HARD_STOP) > 0)
        ini_set(&import->ini, out, values[HAP_HARD_STOP].origin, "drain-timeout", "%s",
                text_duration(arena, values[HAP_HARD_STOP].number));
    if (hap_number(global, HAP_SPREAD) > 0)
        ini_set(&import->ini, ini_only(&import->ini, SECTION_DEFAULTS), values[HAP_SPREAD].origin,
                "check-jitter", "%" PRIu64 "%%",
                values[HAP_SPREAD].number > 50 ? 50 : values[HAP_SPREAD].number);
    write_log(conversion, out);
    write_names(conversion, out);
    write_pages(conversion, out);
    for (size_t i = 0; i < global->remark_count; i++)
        ini_comment(&import->ini, out, global->remarks[i].origin, "%s", global->remarks[i].text);
    for (size_t i = 0; i < global->finding_count; i++)
        if (global->findings[i].kind == FINDING_LOST)
            not_imported(import, global->findings[i].origin, "%s", global->findings[i].text);
        else
            imported_differently(import, global->findings[i].origin, "%s",
                                 global->findings[i].text);
}
