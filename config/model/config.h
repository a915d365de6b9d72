/* What the user asked for: one file, read whole and validated, immutable from then on. */
#ifndef RPPROXY_CONFIG_MODEL_CONFIG_H
#define RPPROXY_CONFIG_MODEL_CONFIG_H

#include "config/base/address.h"
#include "config/base/congestion.h"
#include "config/base/cpus.h"
#include "config/base/log.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Times are in milliseconds everywhere in this room. */
typedef uint64_t millis;

/* How the workers come by the connections of a bind. */
enum accept_mode {
    ACCEPT_SHARDED, /* each has a listening socket of its own, and the kernel deals them out */
    ACCEPT_SHARED,  /* all wait on one, and whoever is idle takes the next; always of a Unix bind,
                     * and  of one that is passed to us */
};

/* How they are dealt out among sockets. */
enum steer_mode {
    STEER_HASH, /* evenly */
    STEER_CPU,  /* by the CPU that took the SYN */
};

/* A bind whose sockets the service manager passes under a name has that for an address. */
#define BIND_FD_PREFIX   "fd:"
#define BIND_FD_NAME_MAX (ADDRESS_TEXT_MAX - 1 - 3)

struct bind_conf {
    struct address address;      /* none: it is "fd:NAME" */
    char text[ADDRESS_TEXT_MAX]; /* canonical: names this bind across generations */
    enum accept_mode accept;
    enum steer_mode steer; /* of ACCEPT_SHARDED */
    unsigned line;         /* in the file that names it, which may be an included one */
};

static inline bool bind_is_activated(const struct bind_conf *bind)
{
    return bind->address.length == 0;
}

static inline bool bind_text_is_activated(const char *text)
{
    return strncmp(text, BIND_FD_PREFIX, strlen(BIND_FD_PREFIX)) == 0;
}

#define SERVER_WEIGHT_MAX 256

struct server_conf {
    char *name;
    struct address address;
    char text[ADDRESS_TEXT_MAX];
    unsigned weight; /* 0 to SERVER_WEIGHT_MAX; 0 is never chosen */
    unsigned line;
};

enum balance { BALANCE_ROUNDROBIN };

enum check { CHECK_OFF, CHECK_TCP };

struct backend_conf {
    char *name;
    char congestion[CONGESTION_MAX]; /* of connections to servers; "": the system's */
    struct server_conf *servers;     /* at least one */
    size_t server_count;
    enum balance balance;
    millis connect_timeout; /* for one attempt */
    unsigned retries;       /* further attempts after the first that failed */
    enum check check;
    millis check_interval; /* from the beginning of one check of a server to that of the next */
    millis check_timeout;
    unsigned rise; /* checks in a row that must pass to make a server UP, ... */
    unsigned fall; /* ... and that must fail to make it DOWN; both 1 or more */
    unsigned line;
};

struct frontend_conf {
    char *name;
    char congestion[CONGESTION_MAX]; /* of clients' connections; "": the system's */
    struct bind_conf *binds;         /* at least one */
    size_t bind_count;
    const struct backend_conf *backend;
    unsigned max_sessions; /* 0: no limit of its own */
    millis idle_timeout;   /* 0: none */
    millis drain_timeout;  /* its own, or the one of [global]; 0: none */
    millis stop_timeout;   /* likewise */
    bool access_log;
    unsigned line;
};

enum drain { DRAIN_HANDOFF, DRAIN_WAIT };

/* Of a session that moves to a configuration without its server. */
enum removed { REMOVED_KEEP, REMOVED_DRAIN, REMOVED_CLOSE };

struct config {
    char *file;           /* as given; the text of messages */
    unsigned workers;     /* 0: one for each CPU of affinity, else that the process may use */
    struct cpus affinity; /* worker i stays on the i-th, and then from the first; none: anywhere */
    char *user;           /* NULL: stay who we are */
    char *control;        /* absolute path; never NULL (see config_default_control) */
    char *pidfile;        /* absolute path, or NULL */
    enum log_target log_target;
    char *log_path;
    enum log_level log_level;
    unsigned max_sessions;           /* 0: as many as the descriptors allow */
    char congestion[CONGESTION_MAX]; /* of frontends and backends that name none */
    enum drain drain;
    enum removed on_removed;
    millis drain_timeout; /* 0: none; of frontends that have none of their own */
    millis drain_spread;  /* 0: all at once */
    millis stop_timeout;  /* 0: none; as drain_timeout */
    millis linger_timeout;
    millis probation; /* 0: none */
    millis ready_timeout;
    unsigned max_generations; /* draining ones that may live beside the active one */
    struct frontend_conf *frontends;
    size_t frontend_count;
    struct backend_conf *backends;
    size_t backend_count;
};

/* What is wrong with a file and those it includes: texts "FILE:LINE: message" in the order of their
 * lines, an included file's after its includer's; "FILE: message" for what has no line. At most a
 * thousand; one more says so then. */
struct config_errors {
    char **lines;
    size_t count;
};

/* Reads and validates file. Touches no port, and nothing of a running proxy. Blocks while host
 * names are resolved; exits when there is no memory left for it. Returns the config, owned by the
 * caller, or NULL with every error found in *errors (at least one, also for a file that cannot be
 * read: "FILE: No such file or directory"). The caller frees the errors, in either case, by
 * config_errors_free(). */
struct config *config_load(const char *file, struct config_errors *errors)
    __attribute__((warn_unused_result));

/* The same for a text that comes from elsewhere than a file; name stands for it in messages. */
struct config *config_load_text(const char *name, const char *text, size_t length,
                                struct config_errors *errors) __attribute__((warn_unused_result));

void config_free(struct config *config);
void config_errors_free(struct config_errors *errors);

/* The control socket that file names, for commands that speak to a running proxy: whatever else is
 * wrong with the file. It is the default one when the file cannot be read or names none. The
 * caller's, to free. */
char *config_control(const char *file) __attribute__((warn_unused_result));

/* The control socket of a file that names none: /run/rpproxy/control.sock for root, else
 * $XDG_RUNTIME_DIR/rpproxy/control.sock, else /tmp/rpproxy-UID/control.sock. Static storage. */
const char *config_default_control(void);

/* The file that is read when none is given by -f. */
#define CONFIG_DEFAULT_FILE "/etc/rpproxy/proxy.ini"

#endif
