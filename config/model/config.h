/* The configuration: read completely and validated, and never changed afterwards. */
#ifndef RPPROXY_CONFIG_MODEL_CONFIG_H
#define RPPROXY_CONFIG_MODEL_CONFIG_H

#include "config/base/address.h"
#include "config/base/clock.h"
#include "config/base/congestion.h"
#include "config/base/cpus.h"
#include "config/base/listen_address.h"
#include "config/base/log_types.h"
#include "config/base/rate.h"
#include "config/base/source.h"
#include "config/base/tcp_tuning.h"
#include "config/lists/address_rules.h"
#include "config/model/access_log.h"
#include "config/model/check.h"
#include "config/model/metrics.h"
#include "config/model/names.h"
#include "config/model/route.h"
#include "config/model/tls.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct certificate_store; /* config/tls/certificate_store.h */
struct tls_server;        /* config/tls/tls_server.h */
struct tls_target;        /* config/tls/tls_target.h */

/* How the workers get the connections of a bind. */
enum accept_mode {
    ACCEPT_SHARDED, /* each worker has its own listening socket; the kernel distributes connections
                     */
    ACCEPT_SHARED,  /* all workers wait on one listening socket, and an idle worker takes the next
                       connection; always the mode of Unix binds and of passed sockets */
};

/* How connections are distributed among the sockets. */
enum steer_mode {
    STEER_HASH, /* evenly */
    STEER_CPU,  /* by the CPU that took the SYN */
};

/* From which addresses a connection begins with a PROXY header; may be given, and none. */
struct proxy_senders {
    bool given;
    struct address_rules rules;
};

/* The address of a bind with passed sockets is the name that the service manager gives them. */
#define BIND_FD_PREFIX   "fd:"
#define BIND_FD_NAME_MAX (ADDRESS_TEXT_MAX - 1 - 3)

struct bind_conf {
    struct listen_address at; /* its address has length 0 for "fd:NAME" */
    char
        text[ADDRESS_TEXT_MAX]; /* that of `at`, or "fd:NAME": names this bind across generations */
    enum accept_mode accept;
    enum steer_mode steer; /* only with ACCEPT_SHARDED */
    /* Attributes of the file of a Unix bind: */
    bool mode_given;
    mode_t mode;         /* permissions */
    unsigned backlog;    /* 0: the longest that the system allows */
    bool defer_accept;   /* only TCP */
    bool tls;            /* its clients speak TLS, which ends here */
    char *owner, *group; /* as the configuration names them; NULL: not given */
    uid_t uid;
    gid_t gid;
    struct proxy_senders accept_proxy; /* where they are given, instead of the frontend's */
    unsigned line; /* in the file that contains the bind, which may be an included file */
};

static inline bool bind_is_activated(const struct bind_conf *bind)
{
    return bind->at.address.length == 0;
}

static inline bool bind_text_is_activated(const char *text)
{
    return strncmp(text, BIND_FD_PREFIX, strlen(BIND_FD_PREFIX)) == 0;
}

#define SERVER_WEIGHT_MAX 256

/* The highest limit of sessions. */
#define SESSIONS_MAX 100000000

/* The version of the PROXY header that a server is sent. */
enum send_proxy { SEND_PROXY_NO, SEND_PROXY_V1, SEND_PROXY_V2 };

/* What a header of version 2 has beside the addresses. */
enum {
    PROXY_TLVS_UNIQUE_ID = 1,
    PROXY_TLVS_AUTHORITY = 2,
    PROXY_TLVS_ALPN = 4,
    PROXY_TLVS_CRC32C = 8,
    PROXY_TLVS_PASS = 16, /* what came in */
    PROXY_TLVS_SSL = 32,
};

/* "srv:" or "", a name, and a port or the shift of one. */
#define SERVER_TEXT_MAX (ADDRESS_HOST_MAX + 16)

/* The name of such a server in the form "srv:_db._tcp.example.org". */
#define SERVER_SERVICE_PREFIX "srv:"

struct server_conf {
    char *name;
    struct address address;     /* length 0: of a server with a host, or with sni_port */
    char *host;                 /* the name that its addresses come from; NULL: it has an address */
    bool service;               /* host is the name of SRV records, which tell ports and weights */
    in_port_t port;             /* of the addresses of host; network byte order; 0: service, or
                                   keeps_port */
    bool keeps_port;            /* its addresses have port 0: it is the client's ... */
    int port_shift;             /* ... and so much more */
    enum resolve_what what;     /* what becomes of several addresses */
    unsigned max;               /* RESOLVE_ALL: servers at most */
    char *where;                /* with a host: FILE:LINE, for messages */
    char text[SERVER_TEXT_MAX]; /* the address, or the host with its port, as the file has it */
    uint16_t sni_port;          /* not 0: the server is the name that the client asks for, ... */
    struct name_list allow;     /* ... if it is one of these */
    unsigned weight;            /* 0 to SERVER_WEIGHT_MAX; 0 is never chosen */
    unsigned maxconn;           /* 0: no limit */
    enum send_proxy send_proxy;
    unsigned proxy_tlvs;          /* PROXY_TLVS_ bits */
    bool backup;                  /* serves when no server without `backup` is usable */
    unsigned check_port;          /* 0: as the backend says */
    struct address check_address; /* length 0: as the backend says; its port does not count */
    char *check_track;            /* "BACKEND/SERVER", whose state it follows; NULL: none */
    struct tls_target_conf tls_conf;
    struct tls_target *tls; /* NULL: without TLS */
    unsigned line;
};

/* The address of such a server begins so. */
#define SERVER_SNI_PREFIX "sni:"

enum balance {
    BALANCE_ROUNDROBIN,
    BALANCE_LEASTCONN,
    BALANCE_RANDOM,
    BALANCE_FIRST,
    BALANCE_SOURCE,
    BALANCE_MAGLEV,
};

/* What makes the key of BALANCE_MAGLEV. BALANCE_SOURCE has HASH_SOURCE always. */
enum hash { HASH_SOURCE, HASH_DESTINATION, HASH_SNI };

/* Which of the usable servers with `backup` take over. */
enum backup { BACKUP_FIRST, BACKUP_ALL };

/* The value of backend_conf.idle_timeout for sessions that may be idle for ever. */
#define IDLE_FOR_EVER UINT64_MAX

struct backend_conf {
    char *name;
    char congestion[CONGESTION_MAX]; /* of connections to servers; "": the default of the system */
    struct tcp_tuning tcp;           /* of the same */
    struct source_choice source;     /* of the same */
    struct server_conf *servers;     /* at least one */
    size_t server_count;
    millis idle_timeout; /* 0: as the frontend says; or IDLE_FOR_EVER */
    enum balance balance;
    enum hash hash;
    unsigned hash_prefix; /* bits of an IPv6 address that count in the key */
    enum backup backup;
    bool failback;      /* false: a backup that has taken over serves until it fails */
    millis slow_start;  /* 0: none */
    unsigned max_fails; /* sessions that fail, within fail_window, eject a server; 0: never */
    millis fail_window;
    millis eject_time;      /* of the first ejection; those that follow are longer */
    unsigned max_ejected;   /* percent of the servers */
    millis connect_timeout; /* for one attempt */
    unsigned retries;       /* further attempts after the first that failed */
    unsigned max_queue;     /* sessions that wait for a place; 0: any number */
    millis queue_timeout;   /* how long a session waits for a place; 0: as long as it takes */
    struct check_conf check;
    enum resolve resolve;
    enum resolve_family resolve_family;
    enum unresolved unresolved;
    unsigned line;
};

/* A server has maxconn. */
static inline bool backend_is_limited(const struct backend_conf *backend)
{
    for (size_t i = 0; i < backend->server_count; i++)
        if (backend->servers[i].maxconn)
            return true;
    return false;
}

/* How many servers the backend can have: with those of resolve=all. */
static inline size_t backend_most_servers(const struct backend_conf *backend)
{
    size_t count = 0;
    for (size_t i = 0; i < backend->server_count; i++)
        count += backend->servers[i].what == RESOLVE_ALL ? backend->servers[i].max : 1;
    return count;
}

/* How long a session may last; each ends up to `jitter` percent of that earlier. */
struct session_life {
    millis length; /* 0: for ever */
    unsigned jitter;
};

/* What happens to clients beyond the limits of a frontend. */
enum over_limit { OVER_LIMIT_WAIT, OVER_LIMIT_CLOSE };

/* The values of frontend_conf.access. */
enum { ACCESS_DENY, ACCESS_ALLOW };

struct frontend_conf {
    char *name;
    char congestion[CONGESTION_MAX]; /* of clients' connections; "": the default of the system */
    struct tcp_tuning tcp;           /* of the same */
    struct bind_conf *binds;         /* at least one */
    size_t bind_count;
    struct route_list routes;
    const struct backend_conf *backend; /* of sessions that no route takes; NULL: there is none */
    bool rejects;                       /* ... and the file says so: reject */
    struct address_rules access;        /* clients that may come in; empty: all */
    unsigned max_sessions;              /* 0: no limit for this frontend */
    unsigned max_sessions_per_source;   /* 0: no limit */
    struct rate rate_per_source, max_rate; /* count 0: no limit */
    enum over_limit over_limit;
    struct proxy_senders accept_proxy;
    millis inspect_timeout; /* for what a client has to say before a server is chosen */
    millis idle_timeout;    /* 0: none */
    millis fin_timeout;     /* the same once one side has ended; 0: as idle_timeout */
    struct session_life session_timeout;
    millis drain_timeout; /* of this frontend, or else of [global]; 0: none */
    millis stop_timeout;  /* of this frontend, or else of [global]; 0: none */
    struct access_log_conf access_log;
    bool log_on_connect; /* a line as well when a server was connected */
    struct tls_conf tls;
    struct tls_server *tls_server; /* NULL: no bind has tls */
    unsigned line;
};

/* Whether the frontend has limits for each client address. */
static inline bool frontend_counts_sources(const struct frontend_conf *frontend)
{
    return frontend->max_sessions_per_source > 0 || frontend->rate_per_source.count > 0;
}

/* Where the log goes: as in struct log_conf (log.h). */
struct log_place {
    enum log_target target;
    char *where;
};

enum drain { DRAIN_HANDOFF, DRAIN_WAIT };

/* Of this process. AUTO: none while it has private keys. */
enum core_dump_policy { CORE_DUMPS_AUTO, CORE_DUMPS_YES, CORE_DUMPS_NO };

/* Where the next process finds the private keys: in their files only, or also in sealed memory. */
enum key_policy { KEYS_FILES, KEYS_SEALED };

/* What happens to a session that moves to a configuration without its server. */
enum removed { REMOVED_KEEP, REMOVED_DRAIN, REMOVED_CLOSE };

/* Where an option of [global] stands. */
struct config_line {
    const char *option; /* its name; static */
    char *where;        /* "FILE:LINE" */
};

struct config {
    char *file;                /* the path as given; used in messages */
    struct config_line *lines; /* of the options of [global] that are given once */
    size_t line_count;
    unsigned workers; /* 0: one for each CPU of affinity or, if empty, that the process may use */
    struct cpus affinity; /* worker i runs on the i-th CPU, modulo their number; empty: anywhere */
    char *user;           /* NULL: the user does not change */
    char *control;        /* absolute path; never NULL (see config_default_control) */
    char *pidfile;        /* absolute path, or NULL */
    char *state;          /* the same: what commands have set */
    char *history;        /* the same, of a folder */
    unsigned history_keep;
    struct log_place log;
    enum log_level log_level;
    struct log_format log_format;
    unsigned log_facility; /* of syslog: 0 to 23 */
    enum log_syslog_form log_syslog_form;
    unsigned max_sessions;           /* 0: as many as the descriptors allow */
    char congestion[CONGESTION_MAX]; /* for frontends and backends that set none */
    enum drain drain;
    enum removed on_removed;
    millis drain_timeout; /* 0: none; for frontends without their own */
    millis drain_spread;  /* 0: all at once */
    millis stop_timeout;  /* 0: none; for frontends without their own */
    millis linger_timeout;
    millis probation; /* 0: none */
    millis ready_timeout;
    struct resolver_conf resolver;
    unsigned max_generations; /* number of processes that may drain beside the active one */
    unsigned max_sources;     /* that are remembered at a time, for the limits by source */
    unsigned check_programs;  /* of check = exec, that may run at once */
    enum core_dump_policy core_dumps;
    enum key_policy tls_keys;
    char *tls_key_log; /* a file for the secrets of TLS sessions; NULL: none */
    struct metrics_addresses metrics;
    bool metrics_servers; /* series for each server */
    struct metrics_users metrics_users;
    struct words metrics_hosts;  /* names of the HTTP server beside its addresses */
    struct words ready_backends; /* that must have a usable server; none: all */
    struct frontend_conf *frontends;
    size_t frontend_count;
    struct backend_conf *backends;
    size_t backend_count;
    struct address_files address_files;     /* files with lists of addresses or names, and maps */
    struct certificate_store *certificates; /* of all frontends and servers */
};

/* Returns where the option of [global] stands, "FILE:LINE", or the name of the file if it does not
 * set the option: for messages about what only shows when a process starts. */
const char *config_where(const struct config *config, const char *option);

/* Returns the path of the control socket if the file sets none: /run/rpproxy/control.sock for root,
 * else $XDG_RUNTIME_DIR/rpproxy/control.sock, else /tmp/rpproxy-UID/control.sock. Static storage.
 */
const char *config_default_control(void);

#endif
