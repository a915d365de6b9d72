#include "config/import/haproxy/keywords.h"

#include <stdio.h>
#include <string.h>

#define AT(kind) (1u << (kind))
#define G        AT(HAP_GLOBAL)
#define FRONT    (AT(HAP_DEFAULTS) | AT(HAP_FRONTEND) | AT(HAP_LISTEN))
#define BACK     (AT(HAP_DEFAULTS) | AT(HAP_BACKEND) | AT(HAP_LISTEN))
#define ANY      (FRONT | BACK)

static const char process[] = "the process is started by its service manager";
static const char tuning[] = "tuning of HAProxy itself";
static const char of_http[] = "has no meaning in mode tcp";
static const char of_log[] = "the form of the log is that of rpproxy: proxy.ini(5), ACCESS LOG";
static const char of_control[] = "rpproxy has its own control socket: option control";
static const char tls_defaults[] = "settings of TLS count where TLS ends; see the binds";
static const char state_file[] =
    "a reload keeps the states of servers by itself, and 'state' keeps them across a stop";
static const char scripts[] = "rpproxy runs no scripts";

static const struct hap_keyword keywords[] = {
    /* of the process */
    {"daemon", G, HAP_NOTHING, 0, process, 0},
    {"master-worker", G, HAP_NOTHING, 0, process, 0},
    {"mworker-max-reloads", G, HAP_NOTHING, 0, "see max-generations", 0},
    {"chroot", G, HAP_NOTHING, 0, process, 0},
    {"user", G, HAP_NOTHING, 0, "rpproxy has a user of its own: option user, or the unit", 0},
    {"group", G, HAP_NOTHING, 0, "see option user", 0},
    {"uid", G, HAP_NOTHING, 0, "see option user", 0},
    {"gid", G, HAP_NOTHING, 0, "see option user", 0},
    {"pidfile", G, HAP_NOTHING, 0, "not the file of HAProxy: option pidfile names another", 0},
    {"localpeer", G, HAP_NOTHING, 0, "a reload keeps what is known of clients", 0},
    {"node", G, HAP_NOTHING, 0, "a name for humans", 0},
    {"description", G | ANY, HAP_NOTHING, 0, "a text for humans", 0},
    {"id", ANY, HAP_NOTHING, 0, "a number of HAProxy", 0},
    {"ulimit-n", G, HAP_NOTHING, 0, "the process raises its limit by itself", 0},
    {"fd-hard-limit", G, HAP_NOTHING, 0, "see max-sessions", 0},
    {"nbproc", G, HAP_NOTHING, 0, "one process; workers are threads", 0},
    {"nbthread", G, HAP_NUMBER, HAP_THREADS, NULL, 0},
    {"thread-groups", G, HAP_NOTHING, 0, tuning, 0},
    {"thread-group", G, HAP_NOTHING, 0, tuning, 0},
    {"cpu-map", G, HAP_NOTHING, 0, "see cpu-affinity", 0},
    {"numa-cpu-mapping", G, HAP_NOTHING, 0, tuning, 0},
    {"cpu-policy", G, HAP_NOTHING, 0, tuning, 0},
    {"cpu-set", G, HAP_NOTHING, 0, tuning, 0},
    {"bind-process", ANY, HAP_NOTHING, 0, "one process; workers are threads", 0},
    {"maxconn", G, HAP_NUMBER, HAP_MAXCONN, NULL, 0},
    {"maxconnrate", G, HAP_MISSING, 0, "a rate for the whole process; max-rate is of a frontend",
     0},
    {"maxsessrate", G, HAP_MISSING, 0, "a rate for the whole process; max-rate is of a frontend",
     0},
    {"maxsslconn", G, HAP_NOTHING, 0, tls_defaults, 0},
    {"maxsslrate", G, HAP_NOTHING, 0, tls_defaults, 0},
    {"maxcomprate", G, HAP_NOTHING, 0, of_http, 0},
    {"maxcompcpuusage", G, HAP_NOTHING, 0, of_http, 0},
    {"maxpipes", G, HAP_NOTHING, 0, tuning, 0},
    {"maxzlibmem", G, HAP_NOTHING, 0, of_http, 0},
    {"spread-checks", G, HAP_NUMBER, HAP_SPREAD, NULL, 0},
    {"max-spread-checks", G, HAP_NOTHING, 0, tuning, 0},
    {"hard-stop-after", G, HAP_TIME, HAP_HARD_STOP, NULL, 0},
    {"grace", G | ANY, HAP_NOTHING, 0, "a reload loses no connection without it", 0},
    {"close-spread-time", G, HAP_NOTHING, 0, "see drain-spread", 0},
    {"stats socket", G, HAP_NOTHING, 0, of_control, 0},
    {"stats timeout", G, HAP_NOTHING, 0, of_control, 0},
    {"stats maxconn", G, HAP_NOTHING, 0, of_control, 0},
    {"stats bind-process", G, HAP_NOTHING, 0, of_control, 0},
    {"stats-file", G, HAP_NOTHING, 0, "figures survive a reload by themselves", 0},
    {"expose-fd", G, HAP_NOTHING, 0, of_control, 0},
    {"server-state-file", G, HAP_NOTHING, 0, state_file, 0},
    {"server-state-base", G, HAP_NOTHING, 0, state_file, 0},
    {"server-state-file-name", BACK, HAP_NOTHING, 0, state_file, 0},
    {"load-server-state-from-file", BACK, HAP_NOTHING, 0, state_file, 0},
    {"log", G | ANY, HAP_LIST, HAP_LOGS, NULL, 0},
    {"log-send-hostname", G, HAP_NOTHING, 0, of_log, 0},
    {"log-tag", G | ANY, HAP_NOTHING, 0, of_log, 0},
    {"log-format", ANY, HAP_NOTED, 0, of_log, 0},
    {"log-format-sd", ANY, HAP_NOTED, 0, of_log, 0},
    {"error-log-format", ANY, HAP_NOTHING, 0, of_log, 0},
    {"log-profile", ANY, HAP_NOTED, 0, of_log, 0},
    {"unique-id-format", ANY, HAP_NOTHING, 0, "see proxy-tlv=unique-id", 0},
    {"unique-id-header", ANY, HAP_NOTHING, 0, of_http, 0},
    {"quiet", G, HAP_NOTHING, 0, "see log-level", 0},
    {"zero-warning", G, HAP_NOTHING, 0, process, 0},
    {"strict-limits", G, HAP_NOTHING, 0, process, 0},
    {"set-dumpable", G, HAP_NOTHING, 0, process, 0},
    {"setcap", G, HAP_NOTHING, 0, process, 0},
    {"setenv", G, HAP_NOTHING, 0, "was used while this file was read", 0},
    {"presetenv", G, HAP_NOTHING, 0, "was used while this file was read", 0},
    {"unsetenv", G, HAP_NOTHING, 0, "was used while this file was read", 0},
    {"resetenv", G, HAP_NOTHING, 0, "was used while this file was read", 0},
    {"external-check", G, HAP_NOTHING, 0, "check = exec needs no leave", 0},
    {"insecure-fork-wanted", G, HAP_NOTHING, 0, "check = exec needs no leave", 0},
    {"insecure-setuid-wanted", G, HAP_NOTHING, 0, process, 0},
    {"ca-base", G, HAP_WORDS, HAP_CA_BASE, NULL, 0},
    {"crt-base", G, HAP_WORDS, HAP_CRT_BASE, NULL, 0},
    {"key-base", G, HAP_NOTHING, 0, tls_defaults, 0},
    {"issuers-chain-path", G, HAP_NOTHING, 0, tls_defaults, 0},
    {"httpclient.*", G, HAP_NOTHING, 0, of_http, 0},
    {"ocsp-update.*", G, HAP_NOTHING, 0, tls_defaults, 0},
    {"profiling.*", G, HAP_NOTHING, 0, tuning, 0},
    {"default-path", G, HAP_NOTHING, 0, "paths were looked up while this file was read", 0},
    {"ssl-server-verify", G, HAP_WORDS, HAP_SERVER_VERIFY, NULL, 0},
    {"ssl-default-bind-ciphers", G, HAP_WORDS, HAP_TLS_CIPHERS, NULL, 0},
    {"ssl-default-bind-ciphersuites", G, HAP_WORDS, HAP_TLS_SUITES, NULL, 0},
    {"ssl-default-bind-curves", G, HAP_WORDS, HAP_TLS_CURVES, NULL, 0},
    {"ssl-default-bind-options", G, HAP_WORDS, HAP_TLS_OPTIONS, NULL, 0},
    {"ssl-default-*", G, HAP_NOTHING, 0, tls_defaults, 0},
    {"ssl-*", G, HAP_NOTHING, 0, tls_defaults, 0},
    {"tune.*", G, HAP_NOTHING, 0, tuning, 0},
    {"lua-load", G, HAP_MISSING, 0, scripts, 0},
    {"lua-load-per-thread", G, HAP_MISSING, 0, scripts, 0},
    {"lua-prepend-path", G, HAP_NOTHING, 0, scripts, 0},
    {"wurfl-*", G, HAP_NOTHING, 0, of_http, 0},
    {"51degrees-*", G, HAP_NOTHING, 0, of_http, 0},
    {"deviceatlas-*", G, HAP_NOTHING, 0, of_http, 0},
    {"busy-polling", G, HAP_NOTHING, 0, tuning, 0},
    {"noe*", G, HAP_NOTHING, 0, tuning, 0},
    {"nopoll", G, HAP_NOTHING, 0, tuning, 0},
    {"nosplice", G, HAP_NOTHING, 0, tuning, 0},
    {"noreuseport", G, HAP_NOTHING, 0, "see accept=shared of a bind", 0},
    {"nogetaddrinfo", G, HAP_NOTHING, 0, tuning, 0},
    {"nokqueue", G, HAP_NOTHING, 0, tuning, 0},
    {"debug", G, HAP_NOTHING, 0, process, 0},
    {"h1-*", G, HAP_NOTHING, 0, of_http, 0},
    {"h2-*", G, HAP_NOTHING, 0, of_http, 0},
    {"pp2-never-send-local", G, HAP_NOTED, 0, "checks by version 2 say LOCAL", 0},
    {"cluster-secret", G, HAP_NOTHING, 0, of_http, 0},
    {"default-*", G, HAP_NOTHING, 0, tuning, 0},
    {"limited-quic", G, HAP_NOTHING, 0, of_http, 0},
    {"no-quic", G, HAP_NOTHING, 0, of_http, 0},
    {"expose-experimental-directives", G, HAP_NOTHING, 0, process, 0},
    {"expose-deprecated-directives", G, HAP_NOTHING, 0, process, 0},
    {"51d*", G, HAP_NOTHING, 0, of_http, 0},
    {"anonkey", G, HAP_NOTHING, 0, process, 0},
    {"harden.*", G, HAP_NOTHING, 0, tuning, 0},
    {"warn-blocked-traffic-after", G, HAP_NOTHING, 0, tuning, 0},
    {"force-cfg-parser-pause", G, HAP_NOTHING, 0, tuning, 0},
    {"prealloc-fd", G, HAP_NOTHING, 0, tuning, 0},
    {"unix-bind", G, HAP_NOTED, 0, "mode, owner and group are attributes of each Unix bind", 0},
    {"stress-level", G, HAP_NOTHING, 0, tuning, 0},
    {"dns-accept-family", G, HAP_NOTED, 0, "see resolve-family", 0},
    {"shm-stats-file*", G, HAP_NOTHING, 0, "figures survive a reload by themselves", 0},
    {"set-var", G, HAP_MISSING, 0, "variables of HAProxy", 0},
    {"set-var-fmt", G, HAP_MISSING, 0, "variables of HAProxy", 0},

    /* of proxies */
    {"mode", ANY, HAP_WORDS, HAP_MODE, NULL, 0},
    {"disabled", ANY, HAP_FLAG, HAP_DISABLED, NULL, 0},
    {"enabled", ANY, HAP_NOTHING, 0, "it is, without this", 0},
    {"bind", FRONT, HAP_LIST, HAP_BINDS, NULL, 0},
    {"server", BACK, HAP_LIST, HAP_SERVERS, NULL, 0},
    {"server-template", BACK, HAP_LIST, HAP_SERVERS, NULL, 0},
    {"default-server", BACK, HAP_LIST, HAP_SERVERS, NULL, 0},
    {"dispatch", BACK, HAP_LIST, HAP_SERVERS, NULL, 0},
    {"timeout client", FRONT | BACK, HAP_TIME, HAP_CLIENT, NULL, 0},
    {"timeout server", FRONT | BACK, HAP_TIME, HAP_SERVER, NULL, 0},
    {"timeout connect", FRONT | BACK, HAP_TIME, HAP_CONNECT, NULL, 0},
    {"timeout queue", FRONT | BACK, HAP_TIME, HAP_QUEUE, NULL, 0},
    {"timeout check", FRONT | BACK, HAP_TIME, HAP_CHECK, NULL, 0},
    {"timeout tunnel", FRONT | BACK, HAP_TIME, HAP_TUNNEL, NULL, 0},
    {"timeout client-fin", FRONT | BACK, HAP_TIME, HAP_CLIENT_FIN, NULL, 0},
    {"timeout server-fin", FRONT | BACK, HAP_TIME, HAP_SERVER_FIN, NULL, 0},
    {"timeout http-request", ANY, HAP_NOTHING, 0, of_http, 0},
    {"timeout http-keep-alive", ANY, HAP_NOTHING, 0, of_http, 0},
    {"timeout client-hs", FRONT, HAP_NOTHING, 0, tls_defaults, 0},
    {"timeout tarpit", ANY, HAP_NOTHING, 0, of_http, 0},
    {"contimeout", ANY, HAP_TIME, HAP_CONNECT, NULL, 0},
    {"clitimeout", ANY, HAP_TIME, HAP_CLIENT, NULL, 0},
    {"srvtimeout", ANY, HAP_TIME, HAP_SERVER, NULL, 0},
    {"maxconn", FRONT | BACK, HAP_NUMBER, HAP_MAXCONN, NULL, 0},
    {"fullconn", BACK, HAP_NOTHING, 0, "counts with minconn only", 0},
    {"retries", BACK, HAP_NUMBER, HAP_RETRIES, NULL, 0},
    {"backlog", FRONT, HAP_NUMBER, HAP_BACKLOG, NULL, 0},
    {"rate-limit sessions", FRONT, HAP_NUMBER, HAP_RATE, NULL, 0},
    {"balance", BACK, HAP_WORDS, HAP_BALANCE, NULL, 0},
    {"hash-type", BACK, HAP_WORDS, HAP_HASH_TYPE, NULL, 0},
    {"hash-balance-factor", BACK, HAP_NOTED, 0, "the keys of a server are not limited by its load",
     0},
    {"hash-preserve-affinity", BACK, HAP_NOTHING, 0, tuning, 0},
    {"source", BACK, HAP_WORDS, HAP_SOURCE, NULL, 0},
    {"default_backend", FRONT, HAP_WORDS, HAP_DEFAULT_BACKEND, NULL, 0},
    {"use_backend", FRONT, HAP_LIST, HAP_USES, NULL, 0},
    {"use-server", BACK, HAP_MISSING, 0, "give the server a backend of its own, and a route", 0},
    {"force-persist", BACK, HAP_MISSING, 0, "force-persist", 0},
    {"ignore-persist", BACK, HAP_NOTHING, 0, of_http, 0},
    {"acl", ANY, HAP_LIST, HAP_ACLS, NULL, 0},
    {"tcp-request inspect-delay", ANY, HAP_TIME, HAP_INSPECT, NULL, 0},
    {"tcp-request", ANY, HAP_LIST, HAP_RULES, NULL, 0},
    {"tcp-response inspect-delay", ANY, HAP_NOTHING, 0, "counts with rules for answers only", 0},
    {"tcp-response", ANY, HAP_MISSING, 0, "rules about what servers say", 0},
    {"stick-table", ANY, HAP_LIST, HAP_STICKS, NULL, 0},
    {"stick", ANY, HAP_LIST, HAP_STICKS, NULL, 0},
    {"tcp-check", BACK | FRONT, HAP_LIST, HAP_STEPS, NULL, 0},
    {"http-check", BACK | FRONT, HAP_LIST, HAP_STEPS, NULL, 0},
    {"external-check command", BACK, HAP_WORDS, HAP_CHECK_COMMAND, NULL, 0},
    {"external-check path", BACK, HAP_NOTED, 0,
     "the program of check = exec has the PATH of rpproxy", 0},
    {"stats", ANY, HAP_LIST, HAP_STATS, NULL, 0},
    {"monitor-uri", FRONT, HAP_WORDS, HAP_MONITOR, NULL, 0},
    {"monitor-net", FRONT, HAP_NOTED, 0,
     "health checks of these addresses are sessions like others", 0},
    {"monitor fail", FRONT, HAP_NOTED, 0, "see /ready of metrics, and ready-backends", 0},
    {"email-alert", ANY, HAP_MISSING, 0, "mails: see \"rpproxy events\"", 0},
    {"filter", ANY, HAP_MISSING, 0, "filters", 0},
    {"persist rdp-cookie", BACK, HAP_MISSING, 0,
     "persistence by the cookie of RDP; balance = source keeps an address at its server", 0},
    {"clitcpka-idle", FRONT, HAP_TIME, HAP_KEEP_CLIENT_IDLE, NULL, 0},
    {"clitcpka-intvl", FRONT, HAP_TIME, HAP_KEEP_CLIENT_INTERVAL, NULL, 0},
    {"clitcpka-cnt", FRONT, HAP_NUMBER, HAP_KEEP_CLIENT_COUNT, NULL, 0},
    {"srvtcpka-idle", BACK, HAP_TIME, HAP_KEEP_SERVER_IDLE, NULL, 0},
    {"srvtcpka-intvl", BACK, HAP_TIME, HAP_KEEP_SERVER_INTERVAL, NULL, 0},
    {"srvtcpka-cnt", BACK, HAP_NUMBER, HAP_KEEP_SERVER_COUNT, NULL, 0},
    {"option tcpka", ANY, HAP_FLAG, HAP_TCPKA, NULL, 0},
    {"option clitcpka", ANY, HAP_FLAG, HAP_CLITCPKA, NULL, 0},
    {"option srvtcpka", ANY, HAP_FLAG, HAP_SRVTCPKA, NULL, 0},
    {"option allbackups", ANY, HAP_FLAG, HAP_ALLBACKUPS, NULL, 0},
    {"option redispatch", ANY, HAP_FLAG, HAP_REDISPATCH, NULL, 0},
    {"redispatch", ANY, HAP_FLAG, HAP_REDISPATCH, NULL, 0},
    {"option httpchk", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option tcp-check", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option mysql-check", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option pgsql-check", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option redis-check", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option ldap-check", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option smtpchk", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option ssl-hello-chk", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option external-check", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option spop-check", ANY, HAP_WORDS, HAP_CHECK_KIND, NULL, 0},
    {"option tcplog", ANY, HAP_NOTHING, 0, of_log, 0},
    {"option httplog", ANY, HAP_NOTHING, 0, of_log, 0},
    {"option httpslog", ANY, HAP_NOTHING, 0, of_log, 0},
    {"option logasap", ANY, HAP_NOTED, 0, "a session is logged when it ends", 0},
    {"option dontlognull", ANY, HAP_NOTHING, 0,
     "the access log has sessions without a byte as well", 0},
    {"option dontlog-normal", ANY, HAP_NOTED, 0, "the access log has all sessions", 0},
    {"option log-separate-errors", ANY, HAP_NOTHING, 0, of_log, 0},
    {"option log-health-checks", ANY, HAP_NOTHING, 0, "each change of a server is logged", 0},
    {"option socket-stats", ANY, HAP_NOTHING, 0, "see \"rpproxy status\"", 0},
    {"option contstats", ANY, HAP_NOTHING, 0, "bytes count when they move", 0},
    {"option splice-*", ANY, HAP_NOTHING, 0, "bulky sessions are spliced by themselves", 0},
    {"option tcp-smart-accept", ANY, HAP_NOTHING, 0, tuning, 0},
    {"option tcp-smart-connect", ANY, HAP_NOTHING, 0, tuning, 0},
    {"option nolinger", ANY, HAP_NOTED, 0, "sessions end in order, not by resets", 0},
    {"option abortonclose", ANY, HAP_NOTHING, 0, "a client that is gone leaves the queue", 0},
    {"option independent-streams", ANY, HAP_NOTED, 0,
     "idle-timeout counts both directions together", 0},
    {"option persist", ANY, HAP_NOTHING, 0, of_http, 0},
    {"option prefer-last-server", ANY, HAP_NOTHING, 0, of_http, 0},
    {"option idle-close-on-response", ANY, HAP_NOTHING, 0, of_http, 0},
    {"option srvtcpka-*", ANY, HAP_NOTHING, 0, tuning, 0},
    {"option transparent", ANY, HAP_MISSING, 0, "connections to the address that the client meant",
     0},
    {"transparent", ANY, HAP_MISSING, 0, "connections to the address that the client meant", 0},
    {"option http_proxy", ANY, HAP_NOTHING, 0, of_http, 0},
    {"option *", ANY, HAP_NOTHING, 0, of_http, 0},
    {"http-request", ANY, HAP_NOTHING, 0, of_http, 0},
    {"http-response", ANY, HAP_NOTHING, 0, of_http, 0},
    {"http-after-response", ANY, HAP_NOTHING, 0, of_http, 0},
    {"http-reuse", ANY, HAP_NOTHING, 0, of_http, 0},
    {"http-error", ANY, HAP_NOTHING, 0, of_http, 0},
    {"http-send-name-header", ANY, HAP_NOTHING, 0, of_http, 0},
    {"errorfile", ANY, HAP_NOTHING, 0, of_http, 0},
    {"errorfiles", ANY, HAP_NOTHING, 0, of_http, 0},
    {"errorloc", ANY, HAP_NOTHING, 0, of_http, 0},
    {"errorloc302", ANY, HAP_NOTHING, 0, of_http, 0},
    {"errorloc303", ANY, HAP_NOTHING, 0, of_http, 0},
    {"compression", ANY, HAP_NOTHING, 0, of_http, 0},
    {"cookie", ANY, HAP_NOTHING, 0, of_http, 0},
    {"dynamic-cookie-key", ANY, HAP_NOTHING, 0, of_http, 0},
    {"appsession", ANY, HAP_NOTHING, 0, of_http, 0},
    {"capture", ANY, HAP_NOTHING, 0, of_http, 0},
    {"declare capture", ANY, HAP_NOTHING, 0, of_http, 0},
    {"redirect", ANY, HAP_NOTHING, 0, of_http, 0},
    {"block", ANY, HAP_NOTHING, 0, of_http, 0},
    {"reqadd", ANY, HAP_NOTHING, 0, of_http, 0},
    {"rspadd", ANY, HAP_NOTHING, 0, of_http, 0},
    {"reqrep", ANY, HAP_NOTHING, 0, of_http, 0},
    {"reqirep", ANY, HAP_NOTHING, 0, of_http, 0},
    {"rspirep", ANY, HAP_NOTHING, 0, of_http, 0},
    {"rspidel", ANY, HAP_NOTHING, 0, of_http, 0},
    {"reqidel", ANY, HAP_NOTHING, 0, of_http, 0},
    {"max-keep-alive-queue", ANY, HAP_NOTHING, 0, of_http, 0},
    {"max-session-srv-conns", ANY, HAP_NOTHING, 0, of_http, 0},
    {"retry-on", BACK, HAP_NOTHING, 0, "in mode tcp only failed connects are tried again", 0},
    {"guid", ANY, HAP_NOTHING, 0, "a name of HAProxy", 0},
    {"quic-initial", ANY, HAP_NOTHING, 0, of_http, 0},
};

static const struct hap_other others[] = {
    {"userlist", HAP_NOTHING, "users of HTTP"},
    {"cache", HAP_NOTHING, "HTTP only"},
    {"http-errors", HAP_NOTHING, "HTTP only"},
    {"fcgi-app", HAP_NOTHING, "HTTP only"},
    {"ring", HAP_NOTHING, "logs; see the option log"},
    {"log-profile", HAP_NOTHING, "logs; see the option log"},
    {"traces", HAP_NOTHING, "debugging of HAProxy"},
    {"crt-store", HAP_NOTHING, "certificates count where TLS ends; see the binds"},
    {"acme", HAP_MISSING, "rpproxy fetches no certificates"},
    {"peers", HAP_NOTHING, "stick tables are not shared between machines; see the stick tables"},
    {"mailers", HAP_MISSING, "rpproxy sends no mails: see \"rpproxy events\""},
    {"healthcheck", HAP_MISSING, "checks that several backends share: give each its own"},
    {"program", HAP_MISSING, "rpproxy starts no programs beside it"},
    {"log-forward", HAP_MISSING, "rpproxy forwards no logs"},
    {NULL, 0, NULL},
};

/* How many words of the line the pattern matches; 0: it does not. */
static size_t matches(const char *pattern, char *const *words)
{
    size_t count = 0;
    while (*pattern) {
        size_t length = strcspn(pattern, " ");
        const char *word = words[count];
        if (!word)
            return 0;
        if (pattern[length - 1] == '*'
                ? strncmp(pattern, word, length - 1) != 0
                : strlen(word) != length || strncmp(pattern, word, length) != 0)
            return 0;
        count++;
        pattern += length + (pattern[length] == ' ');
    }
    return count;
}

bool hap_keyword_find(enum hap_kind kind, char *const *words, struct hap_keyword *keyword)
{
    size_t best = 0;
    for (size_t i = 0; i < sizeof keywords / sizeof *keywords; i++) {
        size_t count = keywords[i].where & AT(kind) ? matches(keywords[i].words, words) : 0;
        if (count <= best)
            continue;
        best = count;
        *keyword = keywords[i];
        keyword->count = count;
    }
    return best > 0;
}

const struct hap_other *hap_other_section(const char *name)
{
    for (const struct hap_other *other = others; other->name; other++)
        if (strcmp(other->name, name) == 0)
            return other;
    return NULL;
}
