#include "config/import/nginx/directives.h"

#include <string.h>

enum action {
    CARRIED, /* by a module of nginx/ */
    NOTHING, /* needs no counterpart */
    NOTED,
    MISSING
};

#define ANY (NGX_STREAM | NGX_SERVER)

static const char process[] = "the process is started by its service manager";
static const char tuning[] = "tuning of nginx itself";
static const char of_log[] = "the form of the log is that of rpproxy: proxy.ini(5), ACCESS LOG";
static const char scripts[] = "rpproxy runs no scripts";
static const char datagrams[] = "of UDP";
static const char of_openssl[] = "the default of OpenSSL";
static const char of_tls[] = "counts where TLS ends";

static const struct {
    const char *name; /* may end with '*' */
    unsigned contexts;
    enum action action;
    const char *text;
} table[] = {
    {"worker_processes", NGX_MAIN, CARRIED, NULL},
    {"worker_shutdown_timeout", NGX_MAIN, CARRIED, NULL},
    {"http", NGX_MAIN, MISSING, "rpproxy does not speak HTTP"},
    {"mail", NGX_MAIN, MISSING, "rpproxy does not speak the protocols of mail"},
    {"rtmp", NGX_MAIN, MISSING, "rpproxy does not speak RTMP"},
    {"stream", NGX_MAIN, CARRIED, NULL},
    {"events", NGX_MAIN, NOTHING, "as many sessions as descriptors allow; see max-sessions"},
    {"load_module", NGX_MAIN, NOTHING, process},
    {"user", NGX_MAIN, NOTHING, "rpproxy has a user of its own: option user, or the unit"},
    {"pid", NGX_MAIN, NOTHING, "not the file of nginx: option pidfile names another"},
    {"daemon", NGX_MAIN, NOTHING, process},
    {"master_process", NGX_MAIN, NOTHING, process},
    {"env", NGX_MAIN, NOTHING, process},
    {"lock_file", NGX_MAIN, NOTHING, process},
    {"pcre_jit", NGX_MAIN, NOTHING, tuning},
    {"google_perftools_profiles", NGX_MAIN, NOTHING, tuning},
    {"debug_points", NGX_MAIN, NOTHING, tuning},
    {"ssl_engine", NGX_MAIN, NOTHING, of_tls},
    {"thread_pool", NGX_MAIN, NOTHING, tuning},
    {"timer_resolution", NGX_MAIN, NOTHING, tuning},
    {"working_directory", NGX_MAIN, NOTHING, process},
    {"worker_*", NGX_MAIN, NOTHING, tuning},
    {"error_log", NGX_MAIN | ANY, NOTHING, "see log and log-level"},

    {"upstream", NGX_STREAM, CARRIED, NULL},
    {"server", NGX_STREAM | NGX_UPSTREAM, CARRIED, NULL},
    {"map", NGX_STREAM, CARRIED, NULL},
    {"geo", NGX_STREAM, CARRIED, NULL},
    {"split_clients", NGX_STREAM, CARRIED, NULL},
    {"limit_conn_zone", NGX_STREAM, CARRIED, NULL},
    {"map_hash_*", NGX_STREAM, NOTHING, tuning},
    {"variables_hash_*", NGX_STREAM, NOTHING, tuning},
    {"server_names_hash_*", NGX_STREAM, NOTHING, tuning},
    {"log_format", NGX_STREAM, NOTHING, of_log},
    {"open_log_file_cache", ANY, NOTHING, of_log},
    {"access_log", ANY, CARRIED, NULL},
    {"allow", ANY, CARRIED, NULL},
    {"deny", ANY, CARRIED, NULL},
    {"limit_conn", ANY, CARRIED, NULL},
    {"limit_conn_*", ANY, NOTHING, "refused sessions are counted; see the access log"},
    {"listen", NGX_SERVER, CARRIED, NULL},
    {"proxy_pass", NGX_SERVER, CARRIED, NULL},
    {"proxy_timeout", ANY, CARRIED, NULL},
    {"proxy_connect_timeout", ANY, CARRIED, NULL},
    {"proxy_next_upstream", ANY, CARRIED, NULL},
    {"proxy_next_upstream_tries", ANY, CARRIED, NULL},
    {"proxy_next_upstream_timeout", ANY, NOTED,
     "the number of attempts is limited, not their time"},
    {"proxy_protocol", ANY, CARRIED, NULL},
    {"proxy_protocol_timeout", ANY, NOTHING, "see inspect-timeout"},
    {"proxy_bind", ANY, CARRIED, NULL},
    {"proxy_socket_keepalive", ANY, CARRIED, NULL},
    {"proxy_half_close", ANY, NOTHING, "sessions may be half-closed"},
    {"proxy_buffer_size", ANY, NOTHING, tuning},
    {"proxy_upload_rate", ANY, MISSING, "a rate of bytes"},
    {"proxy_download_rate", ANY, MISSING, "a rate of bytes"},
    {"proxy_requests", ANY, NOTHING, datagrams},
    {"proxy_responses", ANY, NOTHING, datagrams},
    {"proxy_ssl", ANY, CARRIED, NULL},
    {"proxy_ssl_name", ANY, CARRIED, NULL},
    {"proxy_ssl_server_name", ANY, CARRIED, NULL},
    {"proxy_ssl_verify", ANY, CARRIED, NULL},
    {"proxy_ssl_trusted_certificate", ANY, CARRIED, NULL},
    {"proxy_ssl_crl", ANY, CARRIED, NULL},
    {"proxy_ssl_certificate*", ANY, CARRIED, NULL},
    {"proxy_ssl_alpn", ANY, CARRIED, NULL},
    {"proxy_ssl_session_reuse", ANY, NOTHING, "sessions are resumed"},
    {"proxy_ssl_verify_depth", ANY, NOTHING, of_openssl},
    {"proxy_ssl_ciphers", ANY, NOTHING, of_openssl},
    {"proxy_ssl_protocols", ANY, NOTHING, "TLS 1.2 and 1.3"},
    {"proxy_ssl_*", ANY, NOTED, "has no counterpart"},
    {"preread_timeout", ANY, CARRIED, NULL},
    {"preread_buffer_size", ANY, NOTHING, "up to 64 KiB"},
    {"ssl_preread", ANY, CARRIED, NULL},
    {"ssl", ANY, CARRIED, NULL},
    {"ssl_certificate*", ANY, CARRIED, NULL},
    {"ssl_protocols", ANY, CARRIED, NULL},
    {"ssl_ciphers", ANY, CARRIED, NULL},
    {"ssl_conf_command", ANY, CARRIED, NULL},
    {"ssl_ecdh_curve", ANY, CARRIED, NULL},
    {"ssl_alpn", ANY, CARRIED, NULL},
    {"ssl_session_tickets", ANY, CARRIED, NULL},
    {"ssl_handshake_timeout", ANY, CARRIED, NULL},
    {"ssl_verify_*", ANY, CARRIED, NULL},
    {"ssl_client_certificate", ANY, CARRIED, NULL},
    {"ssl_trusted_certificate", ANY, CARRIED, NULL},
    {"ssl_crl", ANY, CARRIED, NULL},
    {"ssl_prefer_server_ciphers", ANY, CARRIED, NULL},
    {"ssl_password_file", ANY, CARRIED, NULL},
    {"ssl_stapling", ANY, CARRIED, NULL},
    {"ssl_session_cache", ANY, NOTHING, "sessions are resumed by tickets"},
    {"ssl_session_timeout", ANY, NOTHING, "sessions are resumed by tickets"},
    {"ssl_session_ticket_key", ANY, NOTED,
     "the keys of tickets are the proxy's own; for tickets of other machines write each file as a "
     "line (base64 -w 0 FILE; echo) into one file, that of the first directive last but one, and "
     "name it with tls-ticket-keys"},
    {"ssl_dhparam", ANY, NOTHING, "keys are exchanged by elliptic curves"},
    {"ssl_reject_handshake", ANY, NOTED, "see tls-unknown-name = reject"},
    {"ssl_*", ANY, NOTHING, of_tls},
    {"set_real_ip_from", ANY, CARRIED, NULL},
    {"resolver", ANY | NGX_UPSTREAM, CARRIED, NULL},
    {"resolver_timeout", ANY | NGX_UPSTREAM, CARRIED, NULL},
    {"set", ANY, CARRIED, NULL},
    {"tcp_nodelay", ANY, NOTHING, "it is on"},
    {"status_zone", NGX_SERVER, NOTHING, "see \"rpproxy status\""},
    {"server_name", NGX_SERVER, MISSING, "give the frontend a route by sni:"},
    {"return", NGX_SERVER, MISSING, "rpproxy answers no client by itself; the server is left out"},
    {"pass", NGX_SERVER, MISSING, "sessions are not given to the part of nginx for HTTP"},
    {"health_check", NGX_SERVER, CARRIED, NULL},
    {"health_check_timeout", ANY, CARRIED, NULL},
    {"match", NGX_STREAM, NOTED, "checks connect only; see check-step"},
    {"js_*", NGX_MAIN | ANY, MISSING, scripts},
    {"lua_*", NGX_MAIN | ANY, NOTHING, scripts},
    {"*_by_lua*", NGX_MAIN | ANY | NGX_UPSTREAM, MISSING, scripts},
    {"mqtt*", ANY | NGX_UPSTREAM, MISSING, "rpproxy does not look into MQTT"},
    {"keyval*", NGX_STREAM, MISSING, "values that are set by an API"},
    {"zone_sync*", ANY, NOTHING, tuning},

    {"zone", NGX_UPSTREAM, NOTHING, "all workers know the state of servers"},
    {"least_conn", NGX_UPSTREAM, CARRIED, NULL},
    {"least_time", NGX_UPSTREAM, CARRIED, NULL},
    {"hash", NGX_UPSTREAM, CARRIED, NULL},
    {"ip_hash", NGX_UPSTREAM, CARRIED, NULL},
    {"random", NGX_UPSTREAM, CARRIED, NULL},
    {"keepalive*", NGX_UPSTREAM, NOTHING, "of HTTP"},
    {"state", NGX_UPSTREAM, MISSING, "servers that stand in a file of nginx"},
    {"check", NGX_UPSTREAM, MISSING, "checks of another module; see check"},
    {"check_*", NGX_UPSTREAM, NOTHING, "checks of another module; see check"},
};

static bool matches(const char *pattern, const char *name)
{
    size_t length = strlen(pattern);
    if (*pattern == '*') {
        char middle[32] = "";
        memcpy(middle, pattern + 1, length - 2);
        return strstr(name, middle) != NULL;
    }
    return pattern[length - 1] == '*' ? strncmp(pattern, name, length - 1) == 0
                                      : strcmp(pattern, name) == 0;
}

static const char *text_of(struct arena *arena, const struct ngx_directive *directive)
{
    const char *text = directive->words[0];
    for (size_t i = 1; i < directive->count && strlen(text) < 100; i++)
        text = arena_print(arena, "%s %s", text, directive->words[i]);
    return strlen(text) > 120 ? arena_print(arena, "%.117s...", text) : text;
}

void ngx_remark(struct import *import, const struct ngx_list *list, enum ngx_context context,
                struct ini_section *out)
{
    for (size_t i = 0; i < list->count; i++) {
        const struct ngx_directive *directive = &list->items[i];
        const char *text = text_of(&import->arena, directive);
        size_t row = 0, rows = sizeof table / sizeof *table;
        while (row < rows &&
               (!(table[row].contexts & context) || !matches(table[row].name, directive->words[0])))
            row++;
        if (row == rows)
            not_imported(import, directive->origin, "%s: not known", text);
        else if (table[row].action == MISSING)
            not_imported(import, directive->origin, "%s: %s", text, table[row].text);
        else if (table[row].action == NOTED)
            imported_differently(import, directive->origin, "%s: %s", text, table[row].text);
        else if (table[row].action == NOTHING && out)
            ini_comment(&import->ini, out, directive->origin, "%s: %s", text, table[row].text);
    }
}
