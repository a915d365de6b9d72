#include "config/options/foreign_names.h"

#include "config/options/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

struct foreign {
    enum foreign_kind kind;
    const char *name;
    const char *option; /* an option here, or an attribute if it is one */
    const char *text;   /* NULL: as an option, or an attribute, is usually written */
};

/* Names of HAProxy, nginx and Envoy. */
static const struct foreign names[] = {
    {FOREIGN_KEY, "nbthread", "workers", NULL},
    {FOREIGN_KEY, "worker_processes", "workers", NULL},
    {FOREIGN_KEY, "concurrency", "workers", NULL},
    {FOREIGN_KEY, "cpu-map", "cpu-affinity", NULL},
    {FOREIGN_KEY, "worker_cpu_affinity", "cpu-affinity", NULL},
    {FOREIGN_KEY, "maxconn", "max-sessions", NULL},
    {FOREIGN_KEY, "worker_connections", "max-sessions", NULL},
    {FOREIGN_KEY, "max_connections", "max-sessions", NULL},
    {FOREIGN_KEY, "pid", "pidfile", NULL},
    {FOREIGN_KEY, "error_log", "log", NULL},
    {FOREIGN_KEY, "stats socket", "control", NULL},
    {FOREIGN_KEY, "hard-stop-after", "drain-timeout", NULL},
    {FOREIGN_KEY, "worker_shutdown_timeout", "drain-timeout", NULL},
    {FOREIGN_KEY, "grace", "drain-timeout", NULL},
    {FOREIGN_KEY, "mworker-max-reloads", "max-generations", NULL},
    {FOREIGN_KEY, "default_backend", "backend", NULL},
    {FOREIGN_KEY, "proxy_pass", "backend", NULL},
    {FOREIGN_KEY, "use_backend", "route", "'route = CONDITION ... BACKEND'"},
    {FOREIGN_KEY, "ssl_preread", "route", "'route = sni:NAME BACKEND'"},
    {FOREIGN_KEY, "map", "route", "'route = sni-map:FILE'"},
    {FOREIGN_KEY, "tcp-request inspect-delay", "inspect-timeout", NULL},
    {FOREIGN_KEY, "preread_timeout", "inspect-timeout", NULL},
    {FOREIGN_KEY, "proxy_protocol_timeout", "inspect-timeout", NULL},
    {FOREIGN_KEY, "tcp-request connection", "allow", "'allow' and 'deny'"},
    {FOREIGN_KEY, "tcp-request content", "route", "'route', 'allow' and 'deny'"},
    {FOREIGN_KEY, "acl", "route", "'route = CONDITION ... BACKEND'"},
    {FOREIGN_KEY, "limit_conn", "max-sessions-per-source", NULL},
    {FOREIGN_KEY, "limit_req", "rate-per-source", NULL},
    {FOREIGN_KEY, "rate-limit sessions", "max-rate", NULL},
    {FOREIGN_KEY, "set_real_ip_from", "accept-proxy", NULL},
    {FOREIGN_KEY, "proxy_protocol", "send-proxy",
     "the attribute send-proxy=v1 or send-proxy=v2 of a server"},
    {FOREIGN_KEY, "send-proxy", "send-proxy",
     "the attribute send-proxy=v1 or send-proxy=v2 of a server"},
    {FOREIGN_KEY, "timeout connect", "connect-timeout", NULL},
    {FOREIGN_KEY, "proxy_connect_timeout", "connect-timeout", NULL},
    {FOREIGN_KEY, "connect_timeout", "connect-timeout", NULL},
    {FOREIGN_KEY, "timeout client", "idle-timeout", NULL},
    {FOREIGN_KEY, "timeout server", "idle-timeout", NULL},
    {FOREIGN_KEY, "timeout tunnel", "idle-timeout", NULL},
    {FOREIGN_KEY, "proxy_timeout", "idle-timeout", NULL},
    {FOREIGN_KEY, "idle_timeout", "idle-timeout", NULL},
    {FOREIGN_KEY, "timeout client-fin", "fin-timeout", NULL},
    {FOREIGN_KEY, "timeout server-fin", "fin-timeout", NULL},
    {FOREIGN_KEY, "timeout queue", "queue-timeout", NULL},
    {FOREIGN_KEY, "timeout check", "check-timeout", NULL},
    {FOREIGN_KEY, "option httpchk", "check", "'check = http'"},
    {FOREIGN_KEY, "option tcp-check", "check", "'check = steps'"},
    {FOREIGN_KEY, "option ssl-hello-chk", "check", "'check = tls'"},
    {FOREIGN_KEY, "option mysql-check", "check", "'check = mysql'"},
    {FOREIGN_KEY, "option pgsql-check", "check", "'check = pgsql'"},
    {FOREIGN_KEY, "option redis-check", "check", "'check = redis'"},
    {FOREIGN_KEY, "option smtpchk", "check", "'check = smtp'"},
    {FOREIGN_KEY, "option external-check", "check", "'check = exec'"},
    {FOREIGN_KEY, "external-check command", "check-command", NULL},
    {FOREIGN_KEY, "http-check expect", "check-status", "'check-status' and 'check-body'"},
    {FOREIGN_KEY, "http-check send", "check-path",
     "'check-method', 'check-path', 'check-host' and 'check-header'"},
    {FOREIGN_KEY, "tcp-check", "check-step", NULL},
    {FOREIGN_KEY, "health_check", "check", NULL},
    {FOREIGN_KEY, "health_checks", "check", NULL},
    {FOREIGN_KEY, "spread-checks", "check-jitter", NULL},
    {FOREIGN_KEY, "inter", "check-interval", NULL},
    {FOREIGN_KEY, "fastinter", "check-interval-fast", NULL},
    {FOREIGN_KEY, "downinter", "check-interval-down", NULL},
    {FOREIGN_KEY, "interval", "check-interval", NULL},
    {FOREIGN_KEY, "healthy_threshold", "rise", NULL},
    {FOREIGN_KEY, "unhealthy_threshold", "fall", NULL},
    {FOREIGN_KEY, "max_fails", "max-fails", NULL},
    {FOREIGN_KEY, "fail_timeout", "eject-time", "'fail-window' and 'eject-time'"},
    {FOREIGN_KEY, "error-limit", "max-fails", NULL},
    {FOREIGN_KEY, "outlier_detection", "max-fails", "'max-fails', 'fail-window' and 'eject-time'"},
    {FOREIGN_KEY, "least_conn", "balance", "'balance = leastconn'"},
    {FOREIGN_KEY, "lb_policy", "balance", NULL},
    {FOREIGN_KEY, "hash", "balance", "'balance = source' or 'balance = maglev'"},
    {FOREIGN_KEY, "hash-type", "hash", NULL},
    {FOREIGN_KEY, "mode", "bind", "always tcp"},
    {FOREIGN_KEY, "http-check", "check-status", "'check-status' or 'check-body'"},
    {FOREIGN_KEY, "default-server", "check", "written as options of the backend"},
    {FOREIGN_KEY, "stick-table", "balance", "'balance = source' or 'balance = maglev'"},
    {FOREIGN_KEY, "stick", "balance", "'balance = source' or 'balance = maglev'"},
    {FOREIGN_KEY, "option allbackups", "backup", "'backup = all'"},
    {FOREIGN_KEY, "option tcplog", "access-log", "'access-log = yes'"},
    {FOREIGN_KEY, "access_log", "access-log", NULL},
    {FOREIGN_KEY, "option tcpka", "keepalive", NULL},
    {FOREIGN_KEY, "option clitcpka", "keepalive", NULL},
    {FOREIGN_KEY, "option srvtcpka", "keepalive", NULL},
    {FOREIGN_KEY, "so_keepalive", "keepalive", NULL},
    {FOREIGN_KEY, "proxy_socket_keepalive", "keepalive", NULL},
    {FOREIGN_KEY, "tcp-ut", "user-timeout", NULL},
    {FOREIGN_KEY, "option redispatch", "retries", NULL},
    {FOREIGN_KEY, "proxy_next_upstream_tries", "retries", NULL},
    {FOREIGN_KEY, "proxy_bind", "source", NULL},
    {FOREIGN_KEY, "usesrc", "source", "'source = client'"},
    {FOREIGN_KEY, "nameserver", "resolver", NULL},
    {FOREIGN_KEY, "resolvers", "resolver", NULL},
    {FOREIGN_KEY, "hold", "resolve-hold", NULL},
    {FOREIGN_KEY, "hold valid", "resolve-max", NULL},
    {FOREIGN_KEY, "timeout resolve", "resolve-min", NULL},
    {FOREIGN_KEY, "timeout retry", "resolve-timeout", NULL},
    {FOREIGN_KEY, "resolver_timeout", "resolve-timeout", NULL},
    {FOREIGN_KEY, "dns_refresh_rate", "resolve-max", NULL},
    {FOREIGN_KEY, "dns_lookup_family", "resolve-family", NULL},
    {FOREIGN_KEY, "server-template", "resolve", "the attribute resolve=all of a server"},
    {FOREIGN_KEY, "listen", "bind", NULL},
    {FOREIGN_KEY, "upstream", "server", NULL},
    {FOREIGN_ATTRIBUTE, "check", "check", "'check = tcp' of the backend"},
    {FOREIGN_ATTRIBUTE, "inter", "check-interval", "'check-interval = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "fastinter", "check-interval-fast",
     "'check-interval-fast = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "downinter", "check-interval-down",
     "'check-interval-down = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "rise", "rise", "'rise = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "fall", "fall", "'fall = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "port", "check-port", "'check-port=N'"},
    {FOREIGN_ATTRIBUTE, "addr", "check-address", "'check-address=ADDRESS'"},
    {FOREIGN_ATTRIBUTE, "check-ssl", "check-tls", "'check-tls = yes' of the backend"},
    {FOREIGN_ATTRIBUTE, "check-send-proxy", "check-proxy", "'check-proxy = yes' of the backend"},
    {FOREIGN_ATTRIBUTE, "check-sni", "check-sni", "'check-sni = NAME' of the backend"},
    {FOREIGN_ATTRIBUTE, "init-state", "check-initial",
     "'check-initial = up' or 'down' of the backend"},
    {FOREIGN_ATTRIBUTE, "track", "check-track", "'check-track=BACKEND/SERVER'"},
    {FOREIGN_ATTRIBUTE, "agent-check", "check", "'check = agent' of the backend"},
    {FOREIGN_ATTRIBUTE, "max_conns", "maxconn", "'maxconn=N'"},
    {FOREIGN_ATTRIBUTE, "maxqueue", "max-queue", "'max-queue = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "slowstart", "slow-start", "'slow-start = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "slow_start", "slow-start", "'slow-start = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "max_fails", "max-fails", "'max-fails = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "fail_timeout", "eject-time",
     "'fail-window' and 'eject-time' of the backend"},
    {FOREIGN_ATTRIBUTE, "on-marked-down", "on-down", "'on-down = close' of the backend"},
    {FOREIGN_ATTRIBUTE, "send-proxy-v2", "send-proxy", "'send-proxy=v2'"},
    {FOREIGN_ATTRIBUTE, "proxy-v2-options", "proxy-tlv", "'proxy-tlv=LIST'"},
    {FOREIGN_ATTRIBUTE, "accept_proxy", "accept-proxy", "'accept-proxy=any' or a list"},
    {FOREIGN_ATTRIBUTE, "proxy_protocol", "accept-proxy", "'accept-proxy=any' or a list"},
    {FOREIGN_ATTRIBUTE, "resolvers", "resolver", "'resolver = ADDRESS' of [global]"},
    {FOREIGN_ATTRIBUTE, "resolve-prefer", "resolve-family", "'resolve-family' of the backend"},
    {FOREIGN_ATTRIBUTE, "service", "resolve", "the address srv:NAME, and resolve=all"},
    {FOREIGN_ATTRIBUTE, "init-addr", "start-unresolved", "'start-unresolved' of the backend"},
    {FOREIGN_ATTRIBUTE, "uid", "owner", "'owner=USER'"},
    {FOREIGN_ATTRIBUTE, "user", "owner", "'owner=USER'"},
    {FOREIGN_ATTRIBUTE, "gid", "group", "'group=GROUP'"},
    {FOREIGN_ATTRIBUTE, "v4v6", "v6only", "'v6only=no'"},
    {FOREIGN_ATTRIBUTE, "ipv6only", "v6only", "'v6only=no'"},
    {FOREIGN_ATTRIBUTE, "so_keepalive", "keepalive", "'keepalive' of the frontend"},
    {FOREIGN_ATTRIBUTE, "tcp-ut", "user-timeout", "'user-timeout' of the frontend"},
    {FOREIGN_ATTRIBUTE, "usesrc", "source", "'source = client' of the backend"},
    {FOREIGN_ATTRIBUTE, "maxconn", "max-sessions", "'max-sessions' of the frontend"},
};

static bool is_attribute(enum option_owner which, const char *name)
{
    for (const struct option *option = attribute_table(which); option->name; option++)
        if (strcmp(option->name, name) == 0)
            return true;
    return false;
}

static bool exists(const char *name)
{
    for (size_t i = 0; i < option_count(); i++)
        if (strcmp(option_at(i)->name, name) == 0)
            return true;
    return is_attribute(OWNER_BIND, name) || is_attribute(OWNER_SERVER, name);
}

/* A name of this program at the wrong place: an attribute as a key, or a key as an attribute. */
static bool describe_place(enum foreign_kind kind, const char *name, char text[static 80])
{
    if (kind == FOREIGN_KEY) {
        bool of_server = is_attribute(OWNER_SERVER, name);
        snprintf(text, 80, "the attribute '%s' of a '%s' line", name,
                 of_server ? "server" : "bind");
        return of_server || is_attribute(OWNER_BIND, name);
    }
    bool of_backend = option_find(SECTION_BACKEND, name);
    snprintf(text, 80, "the option '%s' of the %s", name, of_backend ? "backend" : "frontend");
    return of_backend || option_find(SECTION_FRONTEND, name);
}

const char *foreign_name(enum foreign_kind kind, const char *name)
{
    static _Thread_local char text[80];
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const struct foreign *foreign = &names[i];
        if (foreign->kind != kind || strcmp(foreign->name, name) != 0 || !exists(foreign->option))
            continue;
        if (foreign->text)
            return foreign->text;
        snprintf(text, sizeof text, "'%s'", foreign->option);
        return text;
    }
    return describe_place(kind, name, text) ? text : NULL;
}
