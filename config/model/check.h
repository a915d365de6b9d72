/* What the file says about the checks of a backend's servers. */
#ifndef RPPROXY_CONFIG_MODEL_CHECK_H
#define RPPROXY_CONFIG_MODEL_CHECK_H

#include "config/base/address.h"
#include "config/base/clock.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum check {
    CHECK_OFF,
    CHECK_TCP,
    CHECK_TLS,
    CHECK_HTTP,
    CHECK_REDIS,
    CHECK_PGSQL,
    CHECK_MYSQL,
    CHECK_SMTP,
    CHECK_STEPS,
    CHECK_AGENT,
    CHECK_EXEC
};

/* What an agent advises beside passed and failed. */
enum agent_state { AGENT_SAYS_NOTHING, AGENT_READY, AGENT_DRAIN, AGENT_MAINT };

enum check_role { CHECK_ROLE_ANY, CHECK_ROLE_MASTER, CHECK_ROLE_PRIMARY, CHECK_ROLE_REPLICA };

enum check_step_kind { CHECK_SEND, CHECK_EXPECT, CHECK_EXPECT_REGEX };

/* One line of check = steps. The text may contain NUL bytes; a NUL follows it. */
struct check_step {
    enum check_step_kind kind;
    unsigned char *text;
    size_t length;
    struct pattern *pattern; /* of CHECK_EXPECT_REGEX: text, compiled */
};

/* Whose certificate a server has to show to a check through TLS. */
enum check_verify { CHECK_VERIFY_NONE, CHECK_VERIFY_SYSTEM, CHECK_VERIFY_FILE };

/* The PROXY header with which a check begins. */
enum check_proxy { CHECK_PROXY_NONE, CHECK_PROXY_V1, CHECK_PROXY_V2 };

/* How a check that needs no answer, and has passed, ends its connection. */
enum check_close { CHECK_CLOSE_RESET, CHECK_CLOSE_FIN };

/* The status codes that pass, of 100 to 611; bit (code - 100). */
struct check_status {
    uint64_t bits[8];
};

static inline bool check_status_has(const struct check_status *status, unsigned code)
{
    unsigned bit = code - 100;
    return code >= 100 && bit < 512 && (status->bits[bit / 64] >> (bit % 64) & 1);
}

static inline void check_status_add(struct check_status *status, unsigned code)
{
    status->bits[(code - 100) / 64] |= UINT64_C(1) << (code - 100) % 64;
}

struct check_conf {
    enum check kind;
    millis interval; /* from the start of one check of a server to the start of the next */
    millis timeout;
    unsigned rise; /* checks in a row that must pass to make a server UP, ... */
    unsigned fall; /* ... and that must fail to make it DOWN; both 1 or more */
    millis interval_fast, interval_down; /* 0: as interval */
    unsigned jitter;        /* percent of the interval: a check comes up to that much earlier */
    bool initial_down;      /* the check state before the first check */
    unsigned port;          /* 0: that of the server */
    struct address address; /* its port does not count; length 0: that of the server */
    enum check_proxy proxy;
    enum check_close close;
    bool tls;
    enum check_verify verify;
    struct x509_store_st *authorities; /* NULL where nothing is verified */
    char *sni;                         /* NULL: host, or none */
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
    enum check_role role;
    /* check = exec */
    char *command;
};

#endif
