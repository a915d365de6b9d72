#include "config/import/haproxy/server_words.h"

#include "config/import/haproxy/times.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum word_action {
    SET,     /* a switch: number 1 */
    UNSET,   /* turns the switch off */
    TIME,    /* a time follows */
    NUMBER,  /* a number follows */
    TEXT,    /* a word follows */
    NOTHING, /* no counterpart is needed */
    NOTED,
    MISSING
};

static const char of_tls[] = "counts where the proxy speaks TLS to the server";
static const char of_http[] = "has no meaning in mode tcp";

static const struct word {
    const char *name;
    enum word_action action;
    int param;        /* HAP_PARAMS: none */
    unsigned follows; /* further words that belong to it, of NOTHING, NOTED and MISSING */
    const char *text;
} table[] = {
    {"check", SET, HAP_P_CHECK, 0, NULL},
    {"no-check", UNSET, HAP_P_CHECK, 0, NULL},
    {"inter", TIME, HAP_P_INTER, 0, NULL},
    {"fastinter", TIME, HAP_P_FASTINTER, 0, NULL},
    {"downinter", TIME, HAP_P_DOWNINTER, 0, NULL},
    {"rise", NUMBER, HAP_P_RISE, 0, NULL},
    {"fall", NUMBER, HAP_P_FALL, 0, NULL},
    {"port", NUMBER, HAP_P_PORT, 0, NULL},
    {"addr", TEXT, HAP_P_ADDR, 0, NULL},
    {"check-ssl", SET, HAP_P_CHECK_SSL, 0, NULL},
    {"no-check-ssl", UNSET, HAP_P_CHECK_SSL, 0, NULL},
    {"check-sni", TEXT, HAP_P_CHECK_SNI, 0, NULL},
    {"no-check-sni", UNSET, HAP_P_CHECK_SNI, 0, NULL},
    {"check-alpn", TEXT, HAP_P_CHECK_ALPN, 0, NULL},
    {"check-proto", NOTED, HAP_PARAMS, 1, "checks speak HTTP/1.1"},
    {"healthcheck", MISSING, HAP_PARAMS, 1, "checks that several backends share"},
    {"check-via-socks4", NOTHING, HAP_PARAMS, 0, "see socks4"},
    {"socks4", TEXT, HAP_P_SOCKS, 0, NULL},
    {"check-send-proxy", SET, HAP_P_CHECK_PROXY, 0, NULL},
    {"no-check-send-proxy", UNSET, HAP_P_CHECK_PROXY, 0, NULL},
    {"check-reuse-pool", NOTHING, HAP_PARAMS, 0, of_http},
    {"no-check-reuse-pool", NOTHING, HAP_PARAMS, 0, of_http},
    {"check-pool-conn-name", NOTHING, HAP_PARAMS, 1, of_http},
    {"send-proxy", SET, HAP_P_PROXY_V1, 0, NULL},
    {"no-send-proxy", UNSET, HAP_P_PROXY_V1, 0, NULL},
    {"send-proxy-v2", SET, HAP_P_PROXY_V2, 0, NULL},
    {"no-send-proxy-v2", UNSET, HAP_P_PROXY_V2, 0, NULL},
    {"send-proxy-v2-ssl", SET, HAP_P_PROXY_SSL, 0, NULL},
    {"send-proxy-v2-ssl-cn", SET, HAP_P_PROXY_SSL, 0, NULL},
    {"no-send-proxy-v2-ssl", UNSET, HAP_P_PROXY_V2, 0, NULL},
    {"no-send-proxy-v2-ssl-cn", UNSET, HAP_P_PROXY_V2, 0, NULL},
    {"proxy-v2-options", TEXT, HAP_P_PROXY_OPTIONS, 0, NULL},
    {"set-proxy-v2-tlv-fmt", MISSING, HAP_PARAMS, 1, "further fields of PROXY headers"},
    {"backup", SET, HAP_P_BACKUP, 0, NULL},
    {"no-backup", UNSET, HAP_P_BACKUP, 0, NULL},
    {"weight", NUMBER, HAP_P_WEIGHT, 0, NULL},
    {"maxconn", NUMBER, HAP_P_MAXCONN, 0, NULL},
    {"minconn", NUMBER, HAP_P_MINCONN, 0, NULL},
    {"maxqueue", NUMBER, HAP_P_MAXQUEUE, 0, NULL},
    {"slowstart", TIME, HAP_P_SLOWSTART, 0, NULL},
    {"on-marked-down", TEXT, HAP_P_MARKED_DOWN, 0, NULL},
    {"on-marked-up", MISSING, HAP_PARAMS, 1,
     "sessions of backups are not closed when a server comes back; see \"rpproxy kill\""},
    {"observe", TEXT, HAP_P_OBSERVE, 0, NULL},
    {"error-limit", NUMBER, HAP_P_ERROR_LIMIT, 0, NULL},
    {"on-error", NOTHING, HAP_PARAMS, 1, "see observe"},
    {"track", TEXT, HAP_P_TRACK, 0, NULL},
    {"resolvers", TEXT, HAP_P_RESOLVERS, 0, NULL},
    {"resolve-prefer", TEXT, HAP_P_PREFER, 0, NULL},
    {"resolve-opts", NOTHING, HAP_PARAMS, 1, "each address is used once"},
    {"resolve-net", NOTED, HAP_PARAMS, 1, "addresses of all networks are used alike"},
    {"init-addr", TEXT, HAP_P_INIT_ADDR, 0, NULL},
    {"init-state", TEXT, HAP_P_INIT_STATE, 0, NULL},
    {"ssl", SET, HAP_P_SSL, 0, NULL},
    {"no-ssl", UNSET, HAP_P_SSL, 0, NULL},
    {"verify", TEXT, HAP_P_VERIFY, 0, NULL},
    {"verifyhost", TEXT, HAP_P_VERIFY_HOST, 0, NULL},
    {"ca-file", TEXT, HAP_P_CA_FILE, 0, NULL},
    {"sni", TEXT, HAP_P_SNI, 0, NULL},
    {"crl-file", TEXT, HAP_P_CRL_FILE, 0, NULL},
    {"crt", TEXT, HAP_P_CRT, 0, NULL},
    {"alpn", TEXT, HAP_P_ALPN, 0, NULL},
    {"npn", NOTHING, HAP_PARAMS, 1, of_tls},
    {"ciphers", NOTHING, HAP_PARAMS, 1, of_tls},
    {"ciphersuites", NOTHING, HAP_PARAMS, 1, of_tls},
    {"curves", NOTHING, HAP_PARAMS, 1, of_tls},
    {"sigalgs", NOTHING, HAP_PARAMS, 1, of_tls},
    {"client-sigalgs", NOTHING, HAP_PARAMS, 1, of_tls},
    {"ssl-min-ver", NOTHING, HAP_PARAMS, 1, of_tls},
    {"ssl-max-ver", NOTHING, HAP_PARAMS, 1, of_tls},
    {"ssl-reuse", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-ssl-reuse", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-verifyhost", UNSET, HAP_P_VERIFY_HOST, 0, NULL},
    {"force-sslv3", NOTHING, HAP_PARAMS, 0, of_tls},
    {"force-tlsv10", NOTHING, HAP_PARAMS, 0, of_tls},
    {"force-tlsv11", NOTHING, HAP_PARAMS, 0, of_tls},
    {"force-tlsv12", NOTHING, HAP_PARAMS, 0, of_tls},
    {"force-tlsv13", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-sslv3", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-tlsv10", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-tlsv11", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-tlsv12", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-tlsv13", NOTHING, HAP_PARAMS, 0, of_tls},
    {"tls-tickets", NOTHING, HAP_PARAMS, 0, of_tls},
    {"no-tls-tickets", NOTHING, HAP_PARAMS, 0, of_tls},
    {"disabled", SET, HAP_P_DISABLED, 0, NULL},
    {"enabled", UNSET, HAP_P_DISABLED, 0, NULL},
    {"source", TEXT, HAP_P_SOURCE, 0, NULL},
    {"usesrc", TEXT, HAP_P_USESRC, 0, NULL},
    {"interface", MISSING, HAP_PARAMS, 1, "connections by one interface"},
    {"agent-check", SET, HAP_P_AGENT, 0, NULL},
    {"no-agent-check", UNSET, HAP_P_AGENT, 0, NULL},
    {"agent-port", NUMBER, HAP_P_AGENT_PORT, 0, NULL},
    {"agent-inter", TIME, HAP_P_AGENT_INTER, 0, NULL},
    {"agent-addr", TEXT, HAP_P_AGENT_ADDR, 0, NULL},
    {"agent-send", TEXT, HAP_P_AGENT_SEND, 0, NULL},
    {"tcp-ut", TIME, HAP_P_TCP_UT, 0, NULL},
    {"cookie", NOTHING, HAP_PARAMS, 1, of_http},
    {"redir", NOTHING, HAP_PARAMS, 1, of_http},
    {"proto", NOTHING, HAP_PARAMS, 1, of_http},
    {"ws", NOTHING, HAP_PARAMS, 1, of_http},
    {"id", NOTHING, HAP_PARAMS, 1, NULL},
    {"guid", NOTHING, HAP_PARAMS, 1, NULL},
    {"hash-key", NOTHING, HAP_PARAMS, 1, NULL},
    {"log-proto", NOTHING, HAP_PARAMS, 1, NULL},
    {"log-bufsize", NOTHING, HAP_PARAMS, 1, NULL},
    {"namespace", MISSING, HAP_PARAMS, 1, "connections from another network namespace"},
    {"mptcp", NOTHING, HAP_PARAMS, 0, NULL},
    {"tfo", NOTHING, HAP_PARAMS, 0, "tcp fast open saves a round trip at most"},
    {"no-tfo", NOTHING, HAP_PARAMS, 0, NULL},
    {"cc", NOTED, HAP_PARAMS, 1, "see congestion"},
    {"non-stick", NOTHING, HAP_PARAMS, 0, "see the stick table"},
    {"stick", NOTHING, HAP_PARAMS, 0, NULL},
    {"pool-max-conn", NOTHING, HAP_PARAMS, 1, of_http},
    {"pool-low-conn", NOTHING, HAP_PARAMS, 1, of_http},
    {"pool-purge-delay", NOTHING, HAP_PARAMS, 1, of_http},
    {"max-reuse", NOTHING, HAP_PARAMS, 1, of_http},
    {"idle-ping", NOTHING, HAP_PARAMS, 1, of_http},
    {"shard", NOTHING, HAP_PARAMS, 1, of_http},
    {"strict-maxconn", NOTHING, HAP_PARAMS, 0, of_http},
};

static const struct word *find(const char *name)
{
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    return NULL;
}

/* False: the value is not understood. */
static bool read_number(const struct word *word, const char *text, uint64_t *number)
{
    if (word->action == TIME)
        return hap_time(text, number);
    char *end;
    *number = isdigit((unsigned char)*text) && strlen(text) < 16 ? strtoull(text, &end, 10) : 0;
    return isdigit((unsigned char)*text) && strlen(text) < 16 && *end == '\0';
}

void hap_server_words(struct import *import, struct origin origin, char *const *words,
                      struct hap_param_value params[static HAP_PARAMS])
{
    for (size_t i = 0; words[i]; i++) {
        const struct word *word = find(words[i]);
        uint64_t number = 1;
        if (!word) {
            not_imported(import, origin, "server: '%.60s' is not known", words[i]);
            continue;
        }
        bool follows = word->action == TIME || word->action == NUMBER || word->action == TEXT;
        if (follows && !words[i + 1]) {
            not_imported(import, origin, "server: '%s' has no value", word->name);
            return;
        }
        i += follows;
        switch (word->action) {
        case TIME:
        case NUMBER:
            if (!read_number(word, words[i], &number)) {
                not_imported(import, origin, "server: %s '%.60s' is not understood", word->name,
                             words[i]);
                break;
            }
            /* fallthrough */
        case SET:
        case TEXT:
            params[word->param] = (struct hap_param_value){true, origin, number, words[i]};
            if (word->param == HAP_P_PROXY_SSL)
                params[HAP_P_PROXY_V2] = params[HAP_P_PROXY_SSL];
            break;
        case UNSET:
            params[word->param].set = false;
            if (word->param == HAP_P_PROXY_V2)
                params[HAP_P_PROXY_SSL].set = false;
            break;
        case NOTED:
            imported_differently(import, origin, "server: %s: %s", word->name, word->text);
            break;
        case MISSING:
            not_imported(import, origin, "server: %s: %s", word->name, word->text);
            break;
        case NOTHING:
            break;
        }
        for (unsigned j = 0; j < word->follows && words[i + 1]; j++)
            i++;
    }
}
