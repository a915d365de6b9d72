/* What the file says about the checks of a backend's servers. */
#ifndef RPPROXY_CONFIG_MODEL_CHECK_H
#define RPPROXY_CONFIG_MODEL_CHECK_H

#include "config/base/address.h"
#include "config/base/clock.h"
#include "config/model/metrics.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum check {
    CHECK_OFF,
    CHECK_TCP,
    CHECK_TLS,
    CHECK_HTTP,
    CHECK_STEPS,
    CHECK_REDIS,
    CHECK_PGSQL,
    CHECK_MYSQL,
    CHECK_SMTP,
    CHECK_AGENT,
    CHECK_EXEC
};

/* What an agent advises beside passed and failed. */
enum agent_state { AGENT_SAYS_NOTHING, AGENT_READY, AGENT_DRAIN, AGENT_MAINT };

enum check_role { CHECK_ROLE_ANY, CHECK_ROLE_MASTER, CHECK_ROLE_PRIMARY, CHECK_ROLE_REPLICA };

enum check_step_kind { CHECK_SEND, CHECK_EXPECT, CHECK_EXPECT_REGEX };

/* One line of check = steps. The text may contain NUL bytes; a NUL follows it. */
struct check_step {
    char *line; /* as in the file */
    enum check_step_kind kind;
    unsigned char *text;
    size_t length;
    struct pattern *pattern; /* of CHECK_EXPECT_REGEX: text, compiled */
};

/* The PROXY header with which a check begins. AUTO: that of send-proxy of the server, where the
 * check goes to the server's own address and port. YES: that of send-proxy, or version 1 without
 * it. */
enum check_proxy {
    CHECK_PROXY_AUTO,
    CHECK_PROXY_NO,
    CHECK_PROXY_YES,
    CHECK_PROXY_V1,
    CHECK_PROXY_V2
};

/* The check state before the first check. */
enum check_initial { CHECK_INITIAL_UP, CHECK_INITIAL_DOWN };

/* What happens to the sessions of a server that goes down. */
enum on_down { ON_DOWN_KEEP, ON_DOWN_CLOSE };

/* How a check that needs no answer, and has passed, ends its connection. */
enum check_close { CHECK_CLOSE_RESET, CHECK_CLOSE_FIN };

#define CHECK_STATUS_FIRST 100u
#define CHECK_STATUS_LAST  599u

/* The status codes that pass; bit (code - 100). None at all: 200 to 399. */
struct check_status {
    uint64_t bits[8];
};

static inline bool check_status_is_default(const struct check_status *status)
{
    uint64_t any = 0;
    for (unsigned i = 0; i < 8; i++)
        any |= status->bits[i];
    return any == 0;
}

static inline bool check_status_has(const struct check_status *status, unsigned code)
{
    unsigned bit = code - CHECK_STATUS_FIRST;
    if (code < CHECK_STATUS_FIRST || code > CHECK_STATUS_LAST)
        return false;
    if (check_status_is_default(status))
        return code >= 200 && code <= 399;
    return status->bits[bit / 64] >> (bit % 64) & 1;
}

static inline void check_status_add(struct check_status *status, unsigned code)
{
    unsigned bit = code - CHECK_STATUS_FIRST;
    status->bits[bit / 64] |= UINT64_C(1) << bit % 64;
}

struct check_conf {
    enum check kind;
    millis interval; /* from the start of one check of a server to the start of the next */
    millis timeout;
    unsigned rise; /* checks in a row that must pass to make a server UP, ... */
    unsigned fall; /* ... and that must fail to make it DOWN; both 1 or more */
    millis interval_fast, interval_down; /* 0: as interval */
    unsigned jitter; /* percent of the interval: a check comes up to that much earlier */
    enum check_initial initial;
    enum on_down on_down;
    unsigned port;          /* 0: that of the server */
    struct address address; /* its port does not count; length 0: that of the server */
    enum check_proxy proxy;
    enum check_close close;
    bool tls;
    char *verify; /* "system", or the absolute path of a file; NULL: nothing is verified, or it was
                     not given */
    bool verify_none;                             /* "none" was given */
    struct x509_store_st *authorities;            /* of verify; or NULL */
    char *crl;                                    /* the absolute path of a file; NULL: not given */
    struct stack_st_X509_CRL *revocations;        /* of crl; belong to the config. NULL: none */
    char *sni;                                    /* NULL: host, or none */
    const struct certificate_source *certificate; /* that servers are shown; NULL: none */
    struct words alpn;                            /* that servers are offered */
    /* check = http */
    char *method, *path, *host; /* NULL: the default */
    char **headers;             /* "NAME: VALUE" */
    size_t header_count;
    struct check_status status;
    char *body;                   /* text, or "~REGEX"; NULL: any */
    struct pattern *body_pattern; /* REGEX, compiled; or NULL */
    /* check = steps */
    struct check_step *steps;
    size_t step_count;
    /* check = redis, pgsql, mysql */
    char *user, *password, *database; /* NULL: not given */
    char *password_file;              /* its absolute path; NULL: none */
    enum check_role role;
    /* check = exec */
    char *command;
};

#endif
