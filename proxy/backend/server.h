/* A server as it is now, apart from server_conf, which is what the file says of it.
 *
 *   admin state, by command              check state, by checks
 *
 *   READY <--> DRAIN                          fall failures in a row
 *      ^        ^                        UP ---------------------------> DOWN
 *      |        |                           <---------------------------
 *      +-> MAINT <-+                          rise successes in a row
 *
 * The two know nothing of each other: a server is given connections while it is READY, UP, and of
 * a weight that is not 0. What it has already stays with it, whatever becomes of it.
 *
 * A server of which nothing is known yet counts as UP, but the first check that fails makes it
 * DOWN: nobody waits for `fall` of them who has never seen it up. The same goes for one that comes
 * back from MAINT, in which it is not checked.
 *
 * The main thread makes all changes. server_share() and the version are for any thread. */
#ifndef RPPROXY_PROXY_BACKEND_SERVER_H
#define RPPROXY_PROXY_BACKEND_SERVER_H

#include "config/model/config.h"

#include <stdatomic.h>
#include <stdint.h>

struct backend;

enum admin_state { ADMIN_READY, ADMIN_DRAIN, ADMIN_MAINT };
enum check_state { CHECK_UP, CHECK_DOWN };

/* What outlives the process: a successor begins with it. */
struct server_state {
    enum admin_state admin;
    enum check_state check; /* UP where nothing is checked */
    unsigned streak;        /* checks in a row that spoke against it */
    int last_error;         /* of the last check: 0, an errno value, or SERVER_UNCHECKED */
    uint64_t check_due; /* the next: milliseconds of CLOCK_MONOTONIC; 0: nobody has planned it */
    unsigned weight;
    uint64_t changed_at; /* admin or check state, or weight: seconds since 1970 */
};

#define SERVER_UNCHECKED (-1)

struct server {
    const struct server_conf *conf;
    struct backend *backend;
    struct server_state now;
    atomic_uint share;
};

struct backend {
    const struct backend_conf *conf;
    struct server *servers; /* in the order of the conf's */
    size_t first;           /* of its servers, counted over all backends */
    size_t usable;          /* servers that have a share */
    atomic_uint version;    /* another one after each change of a share */
    /* The state of a server has changed, its streak and last_error apart; may be NULL. */
    void (*on_change)(struct server *server, bool by_command, void *arg);
    void *arg;
};

/* All servers as the conf has them, READY and UP. conf must outlive the backend. Returns 0 or
 * ENOMEM. */
int backend_open(struct backend *backend, const struct backend_conf *conf)
    __attribute__((warn_unused_result));
void backend_close(struct backend *backend);

/* The server of that name, or NULL. */
struct server *backend_find(const struct backend *backend, const char *name);

/* What counts in the balance: the weight, or 0 while the server is to be given no connection. Who
 * has read the version (acquire) before sees at least what it stands for. Any thread. */
static inline unsigned server_share(const struct server *server)
{
    return atomic_load_explicit(&server->share, memory_order_relaxed);
}

/* By command; logged. Weights beyond SERVER_WEIGHT_MAX are the caller's mistake. */
void server_set_admin(struct server *server, enum admin_state admin);
void server_set_weight(struct server *server, unsigned weight);

/* A check has ended. A change of state is logged, with the reason. */
void server_passed(struct server *server);
void server_failed(struct server *server, int error);

/* Takes a state over as it is, without a word in the log. What it cannot be is put right: a streak
 * that is too long for `rise` and `fall`, a check state where nothing is or was checked. */
void server_adopt(struct server *server, const struct server_state *state);

const char *server_admin_name(enum admin_state admin);      /* "ready", "drain", "maint" */
const char *server_check_name(const struct server *server); /* "up", "down"; "off": no checks */

#endif
