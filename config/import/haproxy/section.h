/* A section of a haproxy.cfg. */
#ifndef RPPROXY_CONFIG_IMPORT_HAPROXY_SECTION_H
#define RPPROXY_CONFIG_IMPORT_HAPROXY_SECTION_H

#include "config/import/haproxy/lines.h"

#include <stdint.h>

/* Settings that a section has once; the last line counts. */
enum hap_slot {
    HAP_MODE, /* text */
    HAP_DISABLED,
    /* times, in milliseconds */
    HAP_CLIENT,
    HAP_SERVER,
    HAP_CONNECT,
    HAP_QUEUE,
    HAP_CHECK,
    HAP_TUNNEL,
    HAP_CLIENT_FIN,
    HAP_SERVER_FIN,
    HAP_INSPECT,
    HAP_HARD_STOP,
    /* numbers */
    HAP_MAXCONN,
    HAP_RETRIES,
    HAP_BACKLOG,
    HAP_RATE,
    HAP_SPREAD,
    HAP_THREADS,
    /* switches: number 0 or 1 */
    HAP_TCPKA,
    HAP_CLITCPKA,
    HAP_SRVTCPKA,
    HAP_ALLBACKUPS,
    HAP_REDISPATCH,
    HAP_KEEP_CLIENT_IDLE,
    HAP_KEEP_CLIENT_INTERVAL,
    HAP_KEEP_CLIENT_COUNT,
    HAP_KEEP_SERVER_IDLE,
    HAP_KEEP_SERVER_INTERVAL,
    HAP_KEEP_SERVER_COUNT,
    /* lines: words[1] and on */
    HAP_BALANCE,
    HAP_HASH_TYPE,
    HAP_SOURCE,
    HAP_DEFAULT_BACKEND,
    HAP_CHECK_KIND, /* option httpchk, tcp-check, ...; number 0: turned off */
    HAP_CHECK_COMMAND,
    HAP_MONITOR,
    HAP_SERVER_VERIFY,
    HAP_CRT_BASE,
    HAP_CA_BASE,
    HAP_TLS_CIPHERS, /* ssl-default-bind-*: */
    HAP_TLS_SUITES,
    HAP_TLS_CURVES,
    HAP_TLS_OPTIONS,
    HAP_SLOTS
};

/* Settings of which each line counts. */
enum hap_list {
    HAP_BINDS,
    HAP_SERVERS, /* server, server-template, default-server */
    HAP_RULES,   /* tcp-request connection, session and content */
    HAP_USES,    /* use_backend */
    HAP_ACLS,
    HAP_STICKS, /* stick-table, stick */
    HAP_STEPS,  /* tcp-check, http-check */
    HAP_STATS,
    HAP_LOGS,
    HAP_LISTS
};

struct hap_value {
    bool set;
    struct origin origin;
    uint64_t number;
    const struct hap_line *line;
};

/* What a setting is here: written as a comment. */
struct hap_remark {
    struct origin origin;
    const char *text;
};

enum hap_kind { HAP_GLOBAL, HAP_DEFAULTS, HAP_FRONTEND, HAP_BACKEND, HAP_LISTEN, HAP_RESOLVERS };

struct hap_section {
    enum hap_kind kind;
    const char *name; /* as in the file; "" for global and nameless defaults */
    struct origin origin;
    const char *out;       /* its name in proxy.ini; NULL: it is not carried over */
    size_t usable_servers; /* of a backend that is carried over */
    struct hap_value values[HAP_SLOTS];
    struct hap_lines lists[HAP_LISTS];
    struct hap_lines lines; /* HAP_RESOLVERS: all of them */
    struct hap_remark *remarks;
    size_t remark_count, remark_capacity;
    /* findings of the section's own lines: said only if it is carried over */
    struct hap_finding {
        enum finding_kind kind;
        struct origin origin;
        const char *text;
    } * findings;
    size_t finding_count, finding_capacity;
};

/* True: the section accepts clients, has servers. */
static inline bool hap_has_front(const struct hap_section *section)
{
    return section->kind == HAP_FRONTEND || section->kind == HAP_LISTEN;
}

static inline bool hap_has_back(const struct hap_section *section)
{
    return section->kind == HAP_BACKEND || section->kind == HAP_LISTEN;
}

#endif
