#include "config/import/haproxy/convert.h"
#include "config/import/haproxy/criteria.h"
#include "config/import/haproxy/tls.h"
#include "config/import/text.h"

#include <inttypes.h>
#include <string.h>

#define INTERVAL_DEFAULT 2000u

static const struct {
    const char *option; /* of HAProxy */
    const char *check;
} kinds[] = {
    {"httpchk", "http"},      {"tcp-check", "steps"},   {"mysql-check", "mysql"},
    {"pgsql-check", "pgsql"}, {"redis-check", "redis"}, {"smtpchk", "smtp"},
    {"ssl-hello-chk", "tls"}, {"ldap-check", "steps"},  {"external-check", "exec"},
};

static const char *kind_of(const struct hap_section *section)
{
    const struct hap_value *value = &section->values[HAP_CHECK_KIND];
    if (!value->set || !value->number)
        return "tcp";
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (strcmp(kinds[i].option, value->line->words[0]) == 0)
            return kinds[i].check;
    return "tcp";
}

/* "user NAME" behind the option. */
static void write_user(struct hap_conversion *conversion, const struct hap_value *value,
                       struct ini_section *out)
{
    if (value->line->count > 2 && strcmp(value->line->words[1], "user") == 0)
        ini_set(&conversion->import->ini, out, value->origin, "check-user", "%s",
                value->line->words[2]);
}

/* What a kind says besides its name. */
static void write_kind(struct hap_conversion *conversion, const struct hap_section *section,
                       const struct hap_server *first, bool tls, struct ini_section *out)
{
    const char *kind = kind_of(section);
    struct ini *ini = &conversion->import->ini;
    const struct hap_value *value = &section->values[HAP_CHECK_KIND];
    const char *option = value->set && value->number ? value->line->words[0] : "";
    struct origin origin = *option ? value->origin : first->params[HAP_P_CHECK].origin;
    if (strcmp(option, "tcp-check") == 0) {
        hap_tcp_check_write(conversion, section, tls, out);
        return;
    }
    if (strcmp(option, "spop-check") == 0)
        not_imported(conversion->import, origin,
                     "option spop-check: a connection is all that is "
                     "checked");
    ini_set(ini, out, origin, "check", "%s", tls && strcmp(kind, "tcp") == 0 ? "tls" : kind);
    if (strcmp(option, "httpchk") == 0) {
        hap_http_check_write(conversion, section, out);
    } else if (strcmp(option, "mysql-check") == 0 || strcmp(option, "pgsql-check") == 0) {
        write_user(conversion, value, out);
    } else if (strcmp(option, "smtpchk") == 0 && value->line->count > 2) {
        ini_set(ini, out, origin, "check-host", "%s", value->line->words[2]);
    } else if (strcmp(option, "ldap-check") == 0) {
        ini_set_why(ini, out, origin, "an anonymous bind", "check-step",
                    "send-hex 300c020101600702010304008000");
        ini_set_why(ini, out, origin, "the answer to it", "check-step", "expect-hex 02010161");
        ini_set_why(ini, out, origin, "success", "check-step", "expect-hex 0a0100");
    } else if (strcmp(option, "external-check") == 0) {
        const struct hap_value *command = &section->values[HAP_CHECK_COMMAND];
        if (command->set && command->line->count > 1)
            ini_set(ini, out, command->origin, "check-command",
                    strchr(command->line->words[1], ' ') ? "\"%s\"" : "%s",
                    command->line->words[1]);
    }
}

/* --- how often ----------------------------------------------------------------------------- */

const struct hap_param_value *hap_common(struct hap_conversion *conversion,
                                         const struct hap_servers *servers, enum hap_param param,
                                         const char *name, bool checked)
{
    const struct hap_param_value *common = NULL;
    for (size_t i = 0; i < servers->count && !common; i++)
        if (servers->items[i].address && servers->items[i].params[param].set &&
            (!checked || servers->items[i].params[HAP_P_CHECK].set))
            common = &servers->items[i].params[param];
    for (size_t i = 0; i < servers->count && common; i++) {
        const struct hap_server *server = &servers->items[i];
        const struct hap_param_value *value = &server->params[param];
        if (!server->address || (checked && !server->params[HAP_P_CHECK].set))
            continue;
        bool same =
            value->set && value->number == common->number && strcmp(value->text, common->text) == 0;
        /* The text of a switch, and of equal times, may differ: ssl includes check-ssl. */
        same |= value->set && (param == HAP_P_CHECK_SSL || param == HAP_P_CHECK_PROXY);
        same |= value->set && param != HAP_P_MARKED_DOWN && param != HAP_P_OBSERVE &&
                param != HAP_P_SOURCE && param != HAP_P_USESRC && value->number == common->number &&
                value->number != 1;
        if (!same)
            server_imported_differently(conversion->import, server->section, server->origin,
                                        server->name, value->set ? value->text : "not given",
                                        "%s differs in HAProxy; here the whole backend has %s",
                                        name, common->text);
    }
    return common;
}

static void write_time(struct hap_conversion *conversion, const struct hap_param_value *value,
                       const char *key, struct ini_section *out)
{
    if (value)
        ini_set(&conversion->import->ini, out, value->origin, key, "%s",
                text_duration(&conversion->import->arena, value->number));
}

static void write_count(struct hap_conversion *conversion, const struct hap_param_value *value,
                        const char *key, struct ini_section *out)
{
    if (value)
        ini_set(&conversion->import->ini, out, value->origin, key, "%" PRIu64, value->number);
}

/* Without timeout check, the interval is the limit of all; with it a connection has to be there
 * within the interval and timeout connect, and an answer within timeout check. */
static void write_timeout(struct hap_conversion *conversion, const struct hap_section *section,
                          const struct hap_param_value *inter, bool only_connects,
                          struct ini_section *out)
{
    const struct hap_value *check = &section->values[HAP_CHECK];
    const struct hap_value *connect = &section->values[HAP_CONNECT];
    uint64_t time = inter ? inter->number : INTERVAL_DEFAULT;
    struct origin origin = inter ? inter->origin : (struct origin){0};
    const char *why = "as the interval";
    if (check->set && check->number && !only_connects) {
        time = check->number;
        origin = check->origin;
        why = NULL;
    } else if (check->set && check->number && connect->set && connect->number &&
               connect->number < time) {
        time = connect->number;
        origin = connect->origin;
        why = "as timeout connect";
    }
    if (time != INTERVAL_DEFAULT)
        ini_set_why(&conversion->import->ini, out, origin, why, "check-timeout", "%s",
                    text_duration(&conversion->import->arena, time));
}

static void write_times(struct hap_conversion *conversion, const struct hap_section *section,
                        const struct hap_servers *servers, bool only_connects,
                        struct ini_section *out)
{
    const struct hap_param_value *inter =
        hap_common(conversion, servers, HAP_P_INTER, "inter", true);
    write_time(conversion, inter, "check-interval", out);
    write_time(conversion, hap_common(conversion, servers, HAP_P_FASTINTER, "fastinter", true),
               "check-interval-fast", out);
    write_time(conversion, hap_common(conversion, servers, HAP_P_DOWNINTER, "downinter", true),
               "check-interval-down", out);
    write_timeout(conversion, section, inter, only_connects, out);
    write_count(conversion, hap_common(conversion, servers, HAP_P_RISE, "rise", true), "rise", out);
    write_count(conversion, hap_common(conversion, servers, HAP_P_FALL, "fall", true), "fall", out);
}

/* --- agents -------------------------------------------------------------------------------- */

static void write_agent(struct hap_conversion *conversion, const struct hap_servers *servers,
                        const struct hap_server *first, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_param_value *params = first->params;
    ini_set(ini, out, params[HAP_P_AGENT].origin, "check", "agent");
    write_count(conversion, hap_common(conversion, servers, HAP_P_AGENT_PORT, "agent-port", false),
                "check-port", out);
    write_time(conversion, hap_common(conversion, servers, HAP_P_AGENT_INTER, "agent-inter", false),
               "check-interval", out);
    if (params[HAP_P_AGENT_ADDR].set)
        ini_set(ini, out, params[HAP_P_AGENT_ADDR].origin, "check-address", "%s",
                params[HAP_P_AGENT_ADDR].text);
    if (params[HAP_P_AGENT_SEND].set)
        not_imported(conversion->import, params[HAP_P_AGENT_SEND].origin,
                     "agent-send: agents are sent nothing");
}

/* --- all ----------------------------------------------------------------------------------- */

/* Whether the check that was written goes through TLS by itself. */
static bool is_tls(const struct ini_section *out)
{
    for (size_t i = 0; i < out->count; i++)
        if (out->lines[i].key && strcmp(out->lines[i].key, "check") == 0)
            return strcmp(out->lines[i].value, "tls") == 0;
    return false;
}

static void write_check_list(struct hap_conversion *conversion, const struct hap_param_value *list,
                             struct ini_section *out)
{
    const char *path =
        hap_path(conversion->import, hap_tls_path(conversion, HAP_CA_BASE, list->text));
    if (path)
        ini_set(&conversion->import->ini, out, list->origin, "check-crl", "%s", path);
    else
        not_imported(conversion->import, list->origin,
                     "crl-file %s cannot be read: checks accept revoked certificates", list->text);
}

static void write_tls(struct hap_conversion *conversion, const struct hap_server *server,
                      struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_param_value *params = server->params;
    const struct hap_value *global = &conversion->model->global.values[HAP_SERVER_VERIFY];
    bool none = params[HAP_P_VERIFY].set ? strcmp(params[HAP_P_VERIFY].text, "none") == 0
                                         : global->set && global->line->count > 1 &&
                                               strcmp(global->line->words[1], "none") == 0;
    if (!is_tls(out) && !ini_has(out, "check-tls"))
        ini_set(ini, out, params[HAP_P_CHECK_SSL].origin, "check-tls", "yes");
    /* Without a name of their own, checks of a server with ssl verify what its sessions do. */
    const bool as_sessions = params[HAP_P_SSL].set && !params[HAP_P_CHECK_SNI].set;
    if (!none && params[HAP_P_CA_FILE].set && !as_sessions) {
        const char *file = params[HAP_P_CA_FILE].text;
        const char *path = *file == '@' ? "system"
                                        : hap_path(conversion->import,
                                                   hap_tls_path(conversion, HAP_CA_BASE, file));
        if (path)
            ini_set(ini, out, params[HAP_P_CA_FILE].origin, "check-verify", "%s", path);
        else
            not_imported(conversion->import, params[HAP_P_CA_FILE].origin,
                         "ca-file %s cannot be read: checks accept any certificate", file);
        if (path && params[HAP_P_CRL_FILE].set)
            write_check_list(conversion, &params[HAP_P_CRL_FILE], out);
    }
    if (params[HAP_P_CHECK_SNI].set)
        ini_set(ini, out, params[HAP_P_CHECK_SNI].origin, "check-sni", "%s",
                params[HAP_P_CHECK_SNI].text);
    if (params[HAP_P_CHECK_ALPN].set)
        ini_set(ini, out, params[HAP_P_CHECK_ALPN].origin, "check-alpn", "%s",
                params[HAP_P_CHECK_ALPN].text);
    if (params[HAP_P_CRT].set && !as_sessions)
        ini_set(ini, out, params[HAP_P_CRT].origin, "check-cert", "%s",
                hap_tls_path(conversion, HAP_CRT_BASE, params[HAP_P_CRT].text));
}

/* What is checked of each server in HAProxy, and of all of them here. */
static const struct hap_server *note_unchecked(struct hap_conversion *conversion,
                                               const struct hap_servers *servers)
{
    const struct hap_server *first = NULL;
    for (size_t i = 0; i < servers->count; i++)
        if (!first && servers->items[i].address && servers->items[i].params[HAP_P_CHECK].set)
            first = &servers->items[i];
    for (size_t i = 0; i < servers->count && first; i++) {
        const struct hap_server *server = &servers->items[i];
        if (server->address && !server->params[HAP_P_CHECK].set && !server->params[HAP_P_TRACK].set)
            server_imported_differently(
                conversion->import, server->section, server->origin, server->name, NULL,
                "no checks in HAProxy; here all servers of the backend have checks");
    }
    return first;
}

void hap_checks_write(struct hap_conversion *conversion, const struct hap_section *section,
                      const struct hap_servers *servers, struct ini_section *out)
{
    struct ini *ini = &conversion->import->ini;
    const struct hap_server *first = note_unchecked(conversion, servers), *agent = NULL;
    for (size_t i = 0; i < servers->count; i++)
        if (servers->items[i].address && servers->items[i].params[HAP_P_AGENT].set)
            agent = &servers->items[i];
    if (!first) {
        if (agent)
            write_agent(conversion, servers, agent, out);
        return;
    }
    if (agent)
        not_imported(conversion->import, agent->params[HAP_P_AGENT].origin,
                     "agent-check: a backend has one kind of checks");
    const struct hap_param_value *tls =
        hap_common(conversion, servers, HAP_P_CHECK_SSL, "check-ssl", true);
    const char *kind = kind_of(section);
    write_kind(conversion, section, first, tls != NULL, out);
    if (tls)
        write_tls(conversion, first, out);
    if (hap_common(conversion, servers, HAP_P_CHECK_PROXY, "check-send-proxy", true))
        ini_set(ini, out, first->params[HAP_P_CHECK_PROXY].origin, "check-proxy", "yes");
    write_times(conversion, section, servers,
                strcmp(kind, "tcp") == 0 ||
                    (strcmp(kind, "steps") == 0 && !ini_has(out, "check-step")),
                out);
    const struct hap_param_value *down =
        hap_common(conversion, servers, HAP_P_MARKED_DOWN, "on-marked-down", true);
    if (down && strcmp(down->text, "shutdown-sessions") == 0)
        ini_set(ini, out, down->origin, "on-down", "close");
    const struct hap_param_value *state =
        hap_common(conversion, servers, HAP_P_INIT_STATE, "init-state", true);
    if (state)
        ini_set(ini, out, state->origin, "check-initial", "%s",
                strstr(state->text, "down") ? "down" : "up");
}
