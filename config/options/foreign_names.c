#include "config/options/foreign_names.h"

#include "config/options/options.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define FOREIGN_TEXT_MAX 160

struct foreign {
    enum foreign_kind kind;
    const char *name;
    const char *option; /* an option here, or an attribute if it is one */
    /* NULL: as an option, or an attribute, is usually written. With "!" before it the text stands
     * alone: there is no such thing here. */
    const char *text;
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
    {FOREIGN_KEY, "server-state-file", "state", NULL},
    {FOREIGN_KEY, "error_log", "log", NULL},
    {FOREIGN_KEY, "stats socket", "control", NULL},
    {FOREIGN_KEY, "monitor-uri", "metrics", NULL},
    {FOREIGN_KEY, "stats enable", "metrics", NULL},
    {FOREIGN_KEY, "stats uri", "metrics", NULL},
    {FOREIGN_KEY, "stub_status", "metrics", NULL},
    {FOREIGN_KEY, "monitor fail", "ready-backends", NULL},
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
    {FOREIGN_KEY, "least-conn", "balance", "'balance = leastconn'"},
    {FOREIGN_KEY, "leastconn", "balance", "'balance = leastconn'"},
    {FOREIGN_KEY, "least_request", "balance", "'balance = leastconn'"},
    {FOREIGN_KEY, "roundrobin", "balance", "'balance = roundrobin'"},
    {FOREIGN_KEY, "round_robin", "balance", "'balance = roundrobin'"},
    {FOREIGN_KEY, "ring_hash", "balance", "'balance = maglev'"},
    {FOREIGN_KEY, "lb_policy", "balance", NULL},
    {FOREIGN_KEY, "hash", "balance", "'balance = source' or 'balance = maglev'"},
    {FOREIGN_KEY, "hash-type", "balance", "'balance = maglev'"},
    {FOREIGN_KEY, "max_ejection_percent", "max-ejected", NULL},
    {FOREIGN_KEY, "base_ejection_time", "eject-time", NULL},
    {FOREIGN_KEY, "interval_jitter", "check-jitter", NULL},
    {FOREIGN_KEY, "max-spread-checks", "check-jitter", NULL},
    {FOREIGN_KEY, "max_pending_requests", "max-queue", NULL},
    {FOREIGN_KEY, "health-check", "check", NULL},
    {FOREIGN_KEY, "healthcheck", "check", NULL},
    {FOREIGN_KEY, "proxy_session_drop", "on-down", "'on-down = close'"},
    {FOREIGN_KEY, "unique-id-format", "proxy-tlv", "the attribute proxy-tlv=unique-id of a server"},
    {FOREIGN_KEY, "mode", "bind", "always tcp"},
    {FOREIGN_KEY, "http-check", "check-status", "'check-status' or 'check-body'"},
    {FOREIGN_KEY, "default-server", "check", "written as options of the backend"},
    {FOREIGN_KEY, "stick-table", "balance", "'balance = source' or 'balance = maglev'"},
    {FOREIGN_KEY, "stick", "balance", "'balance = source' or 'balance = maglev'"},
    {FOREIGN_KEY, "option allbackups", "backup", "'backup = all'"},
    {FOREIGN_KEY, "option tcplog", "access-log", "'access-log = yes'"},
    {FOREIGN_KEY, "access_log", "access-log", NULL},
    {FOREIGN_KEY, "log_format", "log-format", NULL},
    {FOREIGN_KEY, "option dontlog-normal", "access-log", "'access-log = errors'"},
    {FOREIGN_KEY, "option logasap", "log-on-connect", NULL},
    {FOREIGN_KEY, "option tcpka", "keepalive", NULL},
    {FOREIGN_KEY, "option clitcpka", "keepalive", NULL},
    {FOREIGN_KEY, "option srvtcpka", "keepalive", NULL},
    {FOREIGN_KEY, "so_keepalive", "keepalive", NULL},
    {FOREIGN_KEY, "proxy_socket_keepalive", "keepalive", NULL},
    {FOREIGN_KEY, "tcp-ut", "user-timeout", NULL},
    {FOREIGN_KEY, "clitcpka-idle", "keepalive", "'keepalive = IDLE,INTERVAL,COUNT'"},
    {FOREIGN_KEY, "clitcpka-intvl", "keepalive", "'keepalive = IDLE,INTERVAL,COUNT'"},
    {FOREIGN_KEY, "clitcpka-cnt", "keepalive", "'keepalive = IDLE,INTERVAL,COUNT'"},
    {FOREIGN_KEY, "srvtcpka-idle", "keepalive", "'keepalive = IDLE,INTERVAL,COUNT'"},
    {FOREIGN_KEY, "srvtcpka-intvl", "keepalive", "'keepalive = IDLE,INTERVAL,COUNT'"},
    {FOREIGN_KEY, "srvtcpka-cnt", "keepalive", "'keepalive = IDLE,INTERVAL,COUNT'"},
    {FOREIGN_KEY, "option redispatch", "retries", NULL},
    {FOREIGN_KEY, "redispatch", "retries", NULL},
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
    {FOREIGN_KEY, "nbproc", "workers", NULL},
    {FOREIGN_KEY, "shards", "workers", NULL},
    {FOREIGN_KEY, "maxsessrate", "max-rate", "'max-rate' of a frontend"},
    {FOREIGN_KEY, "maxconnrate", "max-rate", "'max-rate' of a frontend"},
    {FOREIGN_KEY, "tcp-request session", "allow", "'allow' and 'deny'"},
    {FOREIGN_KEY, "clitimeout", "idle-timeout", NULL},
    {FOREIGN_KEY, "srvtimeout", "idle-timeout", NULL},
    {FOREIGN_KEY, "contimeout", "connect-timeout", NULL},
    {FOREIGN_KEY, "external-check", "check", "'check = exec' and 'check-command'"},
    {FOREIGN_KEY, "option ldap-check", "check", "'check = steps' with 'check-step = send-hex'"},
    {FOREIGN_KEY, "option spop-check", "check", "'check = steps'"},
    {FOREIGN_KEY, "option nolinger", "bind",
     "!not needed: a session ends by a reset only where its end was not orderly"},
    {FOREIGN_KEY, "option abortonclose", "queue-timeout",
     "!not needed: a client that goes away leaves the queue"},
    {FOREIGN_KEY, "option log-health-checks", "check",
     "!not needed: each change of a server is logged with its reason"},
    {FOREIGN_KEY, "option transparent", "source", "'source = client' of a backend"},
    {FOREIGN_KEY, "transparent", "source", "'source = client' of a backend"},
    {FOREIGN_KEY, "dispatch", "server", NULL},
    {FOREIGN_KEY, "use-server", "route", "a backend for these servers, and a 'route' to it"},
    {FOREIGN_KEY, "hash-balance-factor", "balance",
     "!not known here; see 'maxconn' of a server and 'balance = random'"},
    {FOREIGN_KEY, "load-server-state-from-file", "state", "'state' in [global]"},
    {FOREIGN_KEY, "queue", "max-queue", "'max-queue' and 'queue-timeout'"},
    {FOREIGN_KEY, "least_time", "balance", "!not known here; see 'balance = leastconn'"},
    {FOREIGN_KEY, "match", "check-step", "'check-step', 'check-status' or 'check-body'"},
    {FOREIGN_KEY, "health_check_timeout", "check-timeout", NULL},
    {FOREIGN_KEY, "real_ip_header", "accept-proxy", NULL},
    {FOREIGN_KEY, "proxy_next_upstream", "retries", NULL},
    {FOREIGN_KEY, "proxy_next_upstream_timeout", "retries", NULL},
    {FOREIGN_KEY, "proxy_half_close", "fin-timeout", "always possible; see 'fin-timeout',"},
    {FOREIGN_KEY, "tcp_nodelay", "bind", "!not needed: bytes are always sent on at once"},
    {FOREIGN_KEY, "geo", "route", "'route = src:@FILE BACKEND', or 'allow' and 'deny'"},
    {FOREIGN_KEY, "limit_conn_zone", "max-sessions-per-source", NULL},
    {FOREIGN_KEY, "limit_req_zone", "rate-per-source", NULL},
    {FOREIGN_KEY, "reuseport", "accept", "'accept=sharded' of a 'bind' line, the default,"},
    {FOREIGN_KEY, "ssl", "tls", "the attribute tls=yes of a 'bind' or 'server' line"},
    {FOREIGN_KEY, "max_connect_attempts", "retries", NULL},
    {FOREIGN_KEY, "circuit_breakers", "max-queue", "'maxconn' of a server and 'max-queue'"},
    {FOREIGN_KEY, "healthy_panic_threshold", "max-ejected", NULL},
    {FOREIGN_KEY, "slow_start_config", "slow-start", NULL},
    {FOREIGN_KEY, "ring_hash_lb_config", "balance", "'balance = maglev'"},
    {FOREIGN_KEY, "maglev", "balance", "'balance = maglev'"},
    {FOREIGN_KEY, "upstream_bind_config", "source", NULL},
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
    {FOREIGN_ATTRIBUTE, "agent-port", "check-port", "'check-port=N' with 'check = agent'"},
    {FOREIGN_ATTRIBUTE, "agent-addr", "check-address",
     "'check-address=ADDRESS' with 'check = agent'"},
    {FOREIGN_ATTRIBUTE, "agent-inter", "check-interval", "'check-interval = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "agent-send", "check", "!not possible: an agent is only heard"},
    {FOREIGN_ATTRIBUTE, "minconn", "maxconn", "!not known here; see 'maxconn=N'"},
    {FOREIGN_ATTRIBUTE, "on-marked-up", "failback",
     "!not known here; see 'failback = no' of the backend"},
    {FOREIGN_ATTRIBUTE, "send-proxy-v2-ssl", "proxy-tlv", "'send-proxy=v2 proxy-tlv=ssl'"},
    {FOREIGN_ATTRIBUTE, "send-proxy-v2-ssl-cn", "proxy-tlv", "'send-proxy=v2 proxy-tlv=ssl'"},
    {FOREIGN_ATTRIBUTE, "set-proxy-v2-tlv-fmt", "proxy-tlv", "'proxy-tlv=LIST'"},
    {FOREIGN_ATTRIBUTE, "check-alpn", "check-alpn", "'check-alpn = LIST' of the backend"},
    {FOREIGN_ATTRIBUTE, "cc", "congestion", NULL},
    {FOREIGN_ATTRIBUTE, "enabled", "server", "!not needed: a server is ready at first"},
    {FOREIGN_ATTRIBUTE, "drain", "server",
     "!not possible in the file: 'rpproxy server BACKEND/SERVER drain' keeps new sessions away"},
    {FOREIGN_ATTRIBUTE, "shards", "accept", "'accept=sharded', which is the default,"},
    {FOREIGN_ATTRIBUTE, "nice", "bind", "!left to the service manager (Nice= of systemd)"},
    {FOREIGN_ATTRIBUTE, "max_conns", "maxconn", "'maxconn=N'"},
    {FOREIGN_ATTRIBUTE, "maxqueue", "max-queue", "'max-queue = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "slowstart", "slow-start", "'slow-start = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "slow_start", "slow-start", "'slow-start = TIME' of the backend"},
    {FOREIGN_ATTRIBUTE, "max_fails", "max-fails", "'max-fails = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "fail_timeout", "eject-time",
     "'fail-window' and 'eject-time' of the backend"},
    {FOREIGN_ATTRIBUTE, "on-marked-down", "on-down", "'on-down = close' of the backend"},
    {FOREIGN_ATTRIBUTE, "send-proxy-v2", "send-proxy", "'send-proxy=v2'"},
    {FOREIGN_ATTRIBUTE, "send-proxy-v2-ssl", "proxy-tlv", "'send-proxy=v2 proxy-tlv=ssl'"},
    {FOREIGN_ATTRIBUTE, "send-proxy-v2-ssl-cn", "proxy-tlv", "'send-proxy=v2 proxy-tlv=ssl'"},
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
    {FOREIGN_KEY, "daemon", "bind",
     "!not needed: rpproxy runs in the foreground, under a service manager"},
    {FOREIGN_KEY, "master-worker", "bind", "!not needed: each reload starts a new process"},
    {FOREIGN_KEY, "chroot", "bind", "!left to the service manager (RootDirectory= of systemd)"},
    {FOREIGN_KEY, "nice", "bind", "!left to the service manager (Nice= of systemd)"},
    {FOREIGN_KEY, "ulimit-n", "max-sessions",
     "!left to the service manager (LimitNOFILE= of systemd)"},
    {FOREIGN_KEY, "worker_rlimit_nofile", "max-sessions",
     "!left to the service manager (LimitNOFILE= of systemd)"},
    {FOREIGN_KEY, "fullconn", "max-queue",
     "!not known here; see 'maxconn' of a server and 'max-queue'"},
    {FOREIGN_KEY, "option dontlognull", "access-log",
     "!not needed: only sessions that were accepted are logged"},
    {FOREIGN_KEY, "log global", "access-log", "'access-log = yes'"},
    {FOREIGN_KEY, "log-format", "access-log", NULL},
    {FOREIGN_KEY, "option httplog", "access-log", "'access-log = yes'"},
    {FOREIGN_KEY, "option", "bind", "!an option of HAProxy that is not known here"},
    {FOREIGN_KEY, "monitor-uri", "metrics", "'metrics', which answers /healthz and /ready,"},
    {FOREIGN_KEY, "monitor", "metrics", "'metrics', which answers /healthz and /ready,"},
    {FOREIGN_KEY, "monitor-net", "metrics", "'metrics', which answers /healthz and /ready,"},
    {FOREIGN_KEY, "proxy_download_rate", "max-rate",
     "!not possible for bytes; 'max-rate' and 'rate-per-source' are for new clients"},
    {FOREIGN_KEY, "proxy_upload_rate", "max-rate",
     "!not possible for bytes; 'max-rate' and 'rate-per-source' are for new clients"},
    {FOREIGN_KEY, "limit_rate", "max-rate",
     "!not possible for bytes; 'max-rate' and 'rate-per-source' are for new clients"},
    {FOREIGN_KEY, "proxy_requests", "bind",
     "!not possible: only TCP and Unix stream sockets are forwarded"},
    {FOREIGN_KEY, "proxy_responses", "bind",
     "!not possible: only TCP and Unix stream sockets are forwarded"},
    {FOREIGN_KEY, "peers", "balance",
     "!not needed: 'balance = maglev' chooses alike in all proxies, and a reload loses nothing"},
    {FOREIGN_KEY, "stats auth", "metrics-auth", NULL},
    {FOREIGN_KEY, "stats", "metrics", "'metrics', which has the status page,"},
    {FOREIGN_KEY, "stub_status", "metrics", NULL},
    {FOREIGN_KEY, "admin", "metrics", NULL},
    {FOREIGN_KEY, "monitor-uri", "control", "!not possible; 'rpproxy status' shows the same"},
    {FOREIGN_KEY, "stats", "control", "!not possible as a page; 'rpproxy status' shows the same"},
    {FOREIGN_KEY, "stub_status", "control",
     "!not possible as a page; 'rpproxy status' shows the same"},
    {FOREIGN_KEY, "cookie", "balance",
     "!not possible, because cookies are HTTP; 'balance = source' keeps a client at its server"},
    {FOREIGN_KEY, "sticky", "balance",
     "!not possible, because cookies are HTTP; 'balance = source' keeps a client at its server"},
    {FOREIGN_KEY, "ip_hash", "balance", "'balance = source'"},
    {FOREIGN_KEY, "random", "balance", "'balance = random'"},
    {FOREIGN_KEY, "zone", "workers", "!not needed: workers share their state"},
    {FOREIGN_KEY, "upstream", "backend", "a section, [backend NAME],"},
    {FOREIGN_KEY, "server_name", "route", "'route = sni:NAME BACKEND'"},
    {FOREIGN_KEY, "events", "workers", "!not needed: see 'workers' and 'max-sessions' in [global]"},
    {FOREIGN_KEY, "stream", "bind",
     "!not needed: everything is a stream here; a server block is a section, [listen NAME]"},
    {FOREIGN_KEY, "http", "bind",
     "!not possible: rpproxy does not read HTTP; connections are forwarded as they are"},
    {FOREIGN_KEY, "http-request", "bind",
     "!not possible: rpproxy does not read HTTP; connections are forwarded as they are"},
    {FOREIGN_KEY, "http-response", "bind",
     "!not possible: rpproxy does not read HTTP; connections are forwarded as they are"},
    {FOREIGN_KEY, "errorfile", "bind",
     "!not possible: rpproxy does not read HTTP; connections are forwarded as they are"},
    {FOREIGN_KEY, "compression", "bind",
     "!not possible: rpproxy does not read HTTP; connections are forwarded as they are"},
    {FOREIGN_KEY, "forwardfor", "send-proxy", "the attribute send-proxy=v2 of a server"},
    {FOREIGN_KEY, "option forwardfor", "send-proxy", "the attribute send-proxy=v2 of a server"},
    {FOREIGN_KEY, "location", "bind",
     "!not possible: rpproxy does not read HTTP; connections are forwarded as they are"},
    {FOREIGN_KEY, "ssl_certificate", "certificate", NULL},
    {FOREIGN_KEY, "ssl_certificate_key", "certificate", "'certificate = FILE key=FILE'"},
    {FOREIGN_KEY, "ssl_protocols", "tls-min", "'tls-min' and 'tls-max'"},
    {FOREIGN_KEY, "ssl_ciphers", "tls-ciphers", NULL},
    {FOREIGN_KEY, "ssl_conf_command", "tls-ciphersuites", NULL},
    {FOREIGN_KEY, "ssl_ecdh_curve", "tls-curves", NULL},
    {FOREIGN_KEY, "ssl_alpn", "tls-alpn", NULL},
    {FOREIGN_KEY, "ssl_handshake_timeout", "tls-timeout", NULL},
    {FOREIGN_KEY, "ssl_session_tickets", "tls-tickets", NULL},
    {FOREIGN_KEY, "ssl_session_cache", "tls-tickets",
     "!not needed: sessions are resumed by tickets ('tls-tickets')"},
    {FOREIGN_KEY, "ssl_session_ticket_key", "tls-ticket-keys", NULL},
    {FOREIGN_KEY, "ssl_session_timeout", "tls-tickets",
     "!not needed: sessions are resumed by tickets ('tls-tickets')"},
    {FOREIGN_KEY, "ssl_client_certificate", "client-ca", NULL},
    {FOREIGN_KEY, "ssl_trusted_certificate", "client-ca", NULL},
    {FOREIGN_KEY, "ssl_verify_client", "client-verify", NULL},
    {FOREIGN_KEY, "ssl_verify_depth", "client-depth", NULL},
    {FOREIGN_KEY, "ssl_crl", "client-crl", NULL},
    {FOREIGN_KEY, "ssl_stapling_file", "certificate", "a file beside the certificate, FILE.ocsp,"},
    {FOREIGN_KEY, "ssl_reject_handshake", "tls-unknown-name", "'tls-unknown-name = reject'"},
    {FOREIGN_KEY, "ssl_prefer_server_ciphers", "tls-ciphers",
     "!not possible: the client's order of the ciphers decides"},
    {FOREIGN_KEY, "ssl_password_file", "certificate",
     "!not possible: write the key without a password"},
    {FOREIGN_KEY, "ssl_dhparam", "tls-curves",
     "!not needed: keys are exchanged by elliptic curves ('tls-curves')"},
    {FOREIGN_KEY, "ssl-default-bind-ciphers", "tls-ciphers", "'tls-ciphers' in [defaults]"},
    {FOREIGN_KEY, "ssl-default-bind-ciphersuites", "tls-ciphersuites",
     "'tls-ciphersuites' in [defaults]"},
    {FOREIGN_KEY, "ssl-default-bind-curves", "tls-curves", "'tls-curves' in [defaults]"},
    {FOREIGN_KEY, "ssl-default-bind-options", "tls-min", "'tls-min' and 'tls-max' in [defaults]"},
    {FOREIGN_KEY, "tune.ssl.default-dh-param", "tls-curves",
     "!not needed: keys are exchanged by elliptic curves ('tls-curves')"},
    {FOREIGN_KEY, "ssl-dh-param-file", "tls-curves",
     "!not needed: keys are exchanged by elliptic curves ('tls-curves')"},
    {FOREIGN_KEY, "crt-base", "certificate",
     "!not possible: a relative path begins at the folder of this file"},
    {FOREIGN_KEY, "ca-base", "client-ca",
     "!not possible: a relative path begins at the folder of this file"},
    {FOREIGN_KEY, "proxy_ssl", "tls", "the attribute tls=yes of a server"},
    {FOREIGN_KEY, "proxy_ssl_verify", "verify", "the attribute verify=FILE of a server"},
    {FOREIGN_KEY, "proxy_ssl_trusted_certificate", "verify",
     "the attribute verify=FILE of a server"},
    {FOREIGN_KEY, "proxy_ssl_crl", "crl", "the attribute crl=FILE of a server"},
    {FOREIGN_KEY, "proxy_ssl_name", "sni", "the attribute sni=NAME of a server"},
    {FOREIGN_KEY, "proxy_ssl_server_name", "sni", "the attribute sni=NAME of a server"},
    {FOREIGN_KEY, "proxy_ssl_certificate", "cert", "the attribute cert=FILE of a server"},
    {FOREIGN_KEY, "proxy_ssl_certificate_key", "cert", "the attribute cert=FILE of a server"},
    {FOREIGN_KEY, "proxy_ssl_alpn", "alpn", "the attribute alpn=LIST of a server"},
    {FOREIGN_KEY, "proxy_buffer_size", "workers", "!not needed: buffers have no fixed size"},
    {FOREIGN_KEY, "tune.bufsize", "workers", "!not needed: buffers have no fixed size"},
    {FOREIGN_KEY, "interface", "interface", "the attribute interface=NAME of a 'bind' line"},
    {FOREIGN_KEY, "timeout", "idle-timeout",
     "!several options here: 'connect-timeout', 'idle-timeout', 'queue-timeout', 'check-timeout'"},
    {FOREIGN_KEY, "timeout http-request", "inspect-timeout", NULL},
    {FOREIGN_KEY, "description", "bind", "!not needed: write a comment"},
    {FOREIGN_KEY, "id", "bind", "!not needed: sections have names"},
    {FOREIGN_KEY, "disabled", "server",
     "!not possible for a section: remove it, or write its lines as comments"},
    {FOREIGN_KEY, "bind-process", "cpu-affinity", NULL},
    {FOREIGN_KEY, "group", "user", "!not needed: the process takes the groups of 'user'"},
    {FOREIGN_KEY, "gid", "user", "!not needed: the process takes the groups of 'user'"},
    {FOREIGN_KEY, "uid", "user", NULL},
    {FOREIGN_KEY, "filter", "bind", "!not possible: there are no filters"},
    {FOREIGN_KEY, "lua-load", "bind", "!not possible: there are no scripts"},
    {FOREIGN_KEY, "email-alert", "bind", "!not possible: see 'rpproxy status' and the log"},
    {FOREIGN_KEY, "retry-on", "retries", NULL},
    {FOREIGN_ATTRIBUTE, "ssl", "tls", "'tls=yes'"},
    {FOREIGN_ATTRIBUTE, "crt", "certificate",
     "'certificate = FILE' of the frontend, or 'cert=FILE' of a server,"},
    {FOREIGN_ATTRIBUTE, "crt-list", "certificate",
     "'certificate = FOLDER' or several 'certificate' of the frontend"},
    {FOREIGN_ATTRIBUTE, "verify", "client-verify", "'client-verify' of the frontend"},
    {FOREIGN_ATTRIBUTE, "verifyhost", "verify-name", "'verify-name=NAME'"},
    {FOREIGN_ATTRIBUTE, "ca-file", "verify",
     "'client-ca = FILE' of the frontend, or 'verify=FILE' of a server,"},
    {FOREIGN_ATTRIBUTE, "ca-verify-file", "verify", "'client-ca = FILE' of the frontend"},
    {FOREIGN_ATTRIBUTE, "crl-file", "client-crl",
     "'client-crl = FILE' of the frontend, or 'crl=FILE' of a server,"},
    {FOREIGN_ATTRIBUTE, "sni", "route", "'route = sni:NAME BACKEND' of the frontend"},
    {FOREIGN_ATTRIBUTE, "strict-sni", "tls-unknown-name",
     "'tls-unknown-name = reject' of the frontend"},
    {FOREIGN_ATTRIBUTE, "alpn", "tls-alpn", "'tls-alpn = LIST' of the frontend"},
    {FOREIGN_ATTRIBUTE, "npn", "tls-alpn", "'tls-alpn = LIST' of the frontend"},
    {FOREIGN_ATTRIBUTE, "ciphers", "tls-ciphers", "'tls-ciphers' of the frontend"},
    {FOREIGN_ATTRIBUTE, "ciphersuites", "tls-ciphersuites", "'tls-ciphersuites' of the frontend"},
    {FOREIGN_ATTRIBUTE, "curves", "tls-curves", "'tls-curves' of the frontend"},
    {FOREIGN_ATTRIBUTE, "ecdhe", "tls-curves", "'tls-curves' of the frontend"},
    {FOREIGN_ATTRIBUTE, "ssl-min-ver", "tls-min", "'tls-min' of the frontend"},
    {FOREIGN_ATTRIBUTE, "ssl-max-ver", "tls-max", "'tls-max' of the frontend"},
    {FOREIGN_ATTRIBUTE, "force-tlsv12", "tls-max", "'tls-max = 1.2' of the frontend"},
    {FOREIGN_ATTRIBUTE, "force-tlsv13", "tls-min", "'tls-min = 1.3' of the frontend"},
    {FOREIGN_ATTRIBUTE, "no-tlsv13", "tls-max", "'tls-max = 1.2' of the frontend"},
    {FOREIGN_ATTRIBUTE, "no-tls-tickets", "tls-tickets", "'tls-tickets = no' of the frontend"},
    {FOREIGN_ATTRIBUTE, "allow-0rtt", "bind", "!not possible: there is no early data"},
    {FOREIGN_ATTRIBUTE, "cookie", "balance",
     "!not possible, because cookies are HTTP; 'balance = source' keeps a client at its server"},
    {FOREIGN_ATTRIBUTE, "disabled", "server",
     "!not possible in the file: 'rpproxy server BACKEND/SERVER maint' takes a server out, "
     "weight=0 gives it no sessions"},
    {FOREIGN_ATTRIBUTE, "down", "server",
     "!not possible in the file: 'rpproxy server BACKEND/SERVER maint' takes a server out, "
     "weight=0 gives it no sessions"},
    {FOREIGN_ATTRIBUTE, "observe", "max-fails", "'max-fails = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "error-limit", "max-fails", "'max-fails = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "on-error", "max-fails", "'max-fails = N' of the backend"},
    {FOREIGN_ATTRIBUTE, "tfo", "bind", "!not possible: there is no TCP fast open"},
    {FOREIGN_ATTRIBUTE, "fastopen", "bind", "!not possible: there is no TCP fast open"},
    {FOREIGN_ATTRIBUTE, "interface", "source", "'source = ADDRESS' of the backend"},
    {FOREIGN_ATTRIBUTE, "id", "server", "!not needed: servers have names"},
    {FOREIGN_ATTRIBUTE, "name", "bind", "!not needed: binds are named by their address"},
    {FOREIGN_ATTRIBUTE, "no-check", "check", "'check = off' of the backend"},
    {FOREIGN_ATTRIBUTE, "namespace", "bind",
     "!left to the service manager (NetworkNamespacePath= of systemd)"},
    {FOREIGN_ATTRIBUTE, "process", "cpu-affinity", "'cpu-affinity' in [global]"},
    {FOREIGN_ATTRIBUTE, "thread", "cpu-affinity", "'cpu-affinity' in [global]"},
    {FOREIGN_ATTRIBUTE, "transparent", "bind", "!not possible for a bind"},
    {FOREIGN_ATTRIBUTE, "reuseport", "accept", "'accept=sharded', which is the default,"},
    {FOREIGN_ATTRIBUTE, "deferred", "defer-accept", "'defer-accept=yes'"},
    {FOREIGN_ATTRIBUTE, "level", "bind",
     "!not possible: the control socket is 'control' in [global]"},
    {FOREIGN_ATTRIBUTE, "udp", "bind",
     "!not possible: only TCP and Unix stream sockets are forwarded"},
    {FOREIGN_ATTRIBUTE, "default_server", "route",
     "!not needed: 'backend' of the frontend is for what no route takes"},
    {FOREIGN_ATTRIBUTE, "resolve", "resolve",
     "'resolve = live' of the backend, which is the default,"},
    {FOREIGN_ATTRIBUTE, "redir", "bind", "!not possible: rpproxy does not read HTTP"},
    {FOREIGN_ATTRIBUTE, "proto", "bind", "!not possible: rpproxy does not read HTTP"},
    {FOREIGN_ATTRIBUTE, "ws", "bind", "!not possible: rpproxy does not read HTTP"},
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
static bool describe_place(enum foreign_kind kind, const char *name,
                           char text[static FOREIGN_TEXT_MAX])
{
    if (kind == FOREIGN_KEY) {
        bool of_server = is_attribute(OWNER_SERVER, name);
        snprintf(text, FOREIGN_TEXT_MAX, "the attribute '%s' of a '%s' line here", name,
                 of_server ? "server" : "bind");
        return of_server || is_attribute(OWNER_BIND, name);
    }
    bool of_backend = option_find(SECTION_BACKEND, name);
    snprintf(text, FOREIGN_TEXT_MAX, "the option '%s' of the %s here", name,
             of_backend ? "backend" : "frontend");
    return of_backend || option_find(SECTION_FRONTEND, name);
}

static const struct foreign *find(enum foreign_kind kind, const char *name)
{
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i].kind == kind && strcmp(names[i].name, name) == 0 && exists(names[i].option))
            return &names[i];
    return NULL;
}

/* line: " of a 'server' line", or "". */
static const char *describe(const struct foreign *foreign, const char *line,
                            char text[static FOREIGN_TEXT_MAX])
{
    if (foreign->text && foreign->text[0] == '!')
        return foreign->text + 1;
    if (foreign->text)
        snprintf(text, FOREIGN_TEXT_MAX, "%s%s here", foreign->text, line);
    else
        snprintf(text, FOREIGN_TEXT_MAX, "'%s'%s here", foreign->option, line);
    return text;
}

/* Where the attribute stands that is meant by what was written as a key. */
static const char *line_of(const char *option)
{
    for (unsigned section = 0; section < SECTION_KINDS; section++)
        if (option_find(section, option))
            return "";
    return is_attribute(OWNER_SERVER, option) ? " of a 'server' line" : " of a 'bind' line";
}

const char *foreign_name(enum foreign_kind kind, const char *name)
{
    static _Thread_local char text[FOREIGN_TEXT_MAX];
    const struct foreign *foreign = find(kind, name);
    if (foreign)
        return describe(foreign, "", text);
    if (describe_place(kind, name, text))
        return text;
    foreign = kind == FOREIGN_KEY ? find(FOREIGN_ATTRIBUTE, name) : NULL;
    return foreign ? describe(foreign, line_of(foreign->option), text) : NULL;
}

const char *foreign_words(const char *first, const char *rest)
{
    static const char blanks[] = " \t";
    char words[64];
    int length = snprintf(words, sizeof words, "%s %.*s", first, (int)strcspn(rest, blanks), rest);
    const char *ours =
        length < (int)sizeof words && *rest ? foreign_name(FOREIGN_KEY, words) : NULL;
    return ours ? ours : foreign_name(FOREIGN_KEY, first);
}

const char *foreign_first_word(const char *words)
{
    char word[64];
    size_t length = strcspn(words, " \t");
    if (!words[length] || length >= sizeof word)
        return NULL;
    snprintf(word, sizeof word, "%.*s", (int)length, words);
    return find(FOREIGN_KEY, word) ? foreign_name(FOREIGN_KEY, word) : NULL;
}
