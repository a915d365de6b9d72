#include "config/import/haproxy/convert.h"
#include "config/import/text.h"

#include <inttypes.h>
#include <string.h>

static void write_idle(struct hap_conversion *conversion, const struct hap_section *section,
                       struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_value *client = &section->values[HAP_CLIENT];
    if (hap_number(section, HAP_CLIENT) > 0)
        ini_set(ini, out, client->origin, "idle-timeout", "%s",
                text_duration(&conversion->import->arena, client->number));
    else
        ini_set_why(ini, out, client->set ? client->origin : (struct origin){0},
                    "no timeout client", "idle-timeout", "0s");
}

/* client-fin counts when the server has ended its stream, server-fin when the client has. */
static void write_fin(struct hap_conversion *conversion, const struct hap_section *section,
                      struct ini_section *out)
{
    const struct hap_value *client = &section->values[HAP_CLIENT_FIN];
    const struct hap_value *server = &section->values[HAP_SERVER_FIN];
    bool by_client = client->set && client->number > 0,
         by_server = server->set && server->number > 0;
    const struct hap_value *value =
        by_client && (!by_server || client->number <= server->number) ? client : server;
    if (!by_client && !by_server)
        return;
    ini_set(&conversion->import->ini, out, value->origin, "fin-timeout", "%s",
            text_duration(&conversion->import->arena, value->number));
    if (!by_client || !by_server || client->number != server->number)
        imported_differently(
            conversion->import, value->origin,
            "timeout client-fin and server-fin: fin-timeout is one for both sides");
}

static bool on(const struct hap_section *section, enum hap_slot slot)
{
    return section->values[slot].set && section->values[slot].number;
}

/* "yes", or "IDLE,INTERVAL,COUNT" where the section says all three. */
static const char *keepalive(struct hap_conversion *conversion, const struct hap_section *section,
                             enum hap_slot idle)
{
    struct arena *arena = &conversion->import->arena;
    const struct hap_value *values = &section->values[idle];
    if (!values[0].set || !values[1].set || !values[2].set)
        return "yes";
    return arena_print(arena, "%s,%s,%" PRIu64, text_duration(arena, values[0].number),
                       text_duration(arena, values[1].number), values[2].number);
}

/* HAProxy sends no probes of its own accord. */
static void write_keepalive(struct hap_conversion *conversion, const struct hap_section *section,
                            enum hap_slot slot, enum hap_slot idle, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    bool any = on(section, HAP_TCPKA) || on(section, slot);
    struct origin origin = section->values[on(section, slot) ? slot : HAP_TCPKA].origin;
    if (any)
        ini_set(ini, out, origin, "keepalive", "%s", keepalive(conversion, section, idle));
    else
        ini_set_why(ini, out, (struct origin){0}, "no option tcpka", "keepalive", "no");
}

void hap_keepalive_write(struct hap_conversion *conversion, const struct hap_section *section,
                         bool of_clients, struct ini_section *out)
{
    if (of_clients)
        write_keepalive(conversion, section, HAP_CLITCPKA, HAP_KEEP_CLIENT_IDLE, out);
    else
        write_keepalive(conversion, section, HAP_SRVTCPKA, HAP_KEEP_SERVER_IDLE, out);
}

/* Severities in the order of syslog. */
static bool hides_info(const char *level)
{
    static const char *const hiding[] = {"emerg", "alert", "crit", "err", "warning", "notice"};
    for (size_t i = 0; i < sizeof hiding / sizeof *hiding; i++)
        if (strcmp(hiding[i], level) == 0)
            return true;
    return false;
}

/* A line "log TARGET [len N] [format F] FACILITY [LEVEL [MINLEVEL]]" that gets sessions, which have
 * the level info. */
static bool gets_sessions(const struct hap_line *line)
{
    size_t i = 2;
    while (i + 1 < line->count &&
           (strcmp(line->words[i], "len") == 0 || strcmp(line->words[i], "format") == 0 ||
            strcmp(line->words[i], "sample") == 0 || strcmp(line->words[i], "profile") == 0))
        i += 2;
    return i + 1 >= line->count || !hides_info(line->words[i + 1]);
}

static void write_log(struct hap_conversion *conversion, const struct hap_section *section,
                      struct ini_section *out)
{
    const struct hap_lines *logs = &section->lists[HAP_LOGS];
    const struct hap_lines *global = &conversion->model->global.lists[HAP_LOGS];
    for (size_t i = 0; i < logs->count; i++) {
        const struct hap_line *line = &logs->items[i];
        bool logged = false;
        if (line->count > 1 && strcmp(line->words[1], "global") == 0)
            for (size_t j = 0; j < global->count; j++)
                logged |= gets_sessions(&global->items[j]);
        else
            logged = gets_sessions(line);
        if (logged) {
            ini_set(&conversion->import->ini, out, line->origin, "access-log", "yes");
            return;
        }
    }
}

bool hap_front_write(struct hap_conversion *conversion, const struct hap_section *section,
                     struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_value *maxconn = &section->values[HAP_MAXCONN];
    const struct hap_value *rate = &section->values[HAP_RATE];
    if (hap_binds_write(conversion, section, out) == 0)
        return false;
    hap_rules_write(conversion, section, out);
    if (hap_number(section, HAP_MAXCONN) > 0 && !ini_has(out, "max-sessions"))
        ini_set(ini, out, maxconn->origin, "max-sessions", "%" PRIu64, maxconn->number);
    if (hap_number(section, HAP_RATE) > 0 && !ini_has(out, "max-rate"))
        ini_set(ini, out, rate->origin, "max-rate", "%" PRIu64 "/s", rate->number);
    if (out->kind == SECTION_FRONTEND)
        write_idle(conversion, section, out);
    write_fin(conversion, section, out);
    write_log(conversion, section, out);
    return true;
}
