#include "proxy/backend/server.h"

#include "config/base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static bool is_checked(const struct server *server)
{
    return server->backend->conf->check != CHECK_OFF;
}

static unsigned share_of(const struct server_state *state)
{
    return state->admin == ADMIN_READY && state->check == CHECK_UP ? state->weight : 0;
}

/* Tells the balancers, if it concerns them. */
static void publish(struct server *server)
{
    struct backend *backend = server->backend;
    unsigned share = share_of(&server->now);
    unsigned before = server_share(server);
    if (share == before)
        return;
    if (before > 0)
        backend->usable--;
    if (share > 0)
        backend->usable++;
    atomic_store_explicit(&server->share, share, memory_order_relaxed);
    atomic_fetch_add_explicit(&backend->version, 1, memory_order_release);
}

static void changed(struct server *server, bool by_command)
{
    struct backend *backend = server->backend;
    size_t before = backend->usable;
    server->now.changed_at = (uint64_t)time(NULL);
    publish(server);
    if (before > 0 && backend->usable == 0)
        log_error("backend %s has no usable server left: its clients are refused",
                  backend->conf->name);
    else if (before == 0 && backend->usable > 0)
        log_notice("backend %s has a usable server again", backend->conf->name);
    if (backend->on_change)
        backend->on_change(server, by_command, backend->arg);
}

/* Known to nobody: the first failure counts. */
static unsigned streak_of_a_stranger(const struct backend_conf *conf)
{
    return conf->fall - 1;
}

int backend_open(struct backend *backend, const struct backend_conf *conf)
{
    *backend = (struct backend){.conf = conf};
    backend->servers = calloc(conf->server_count ? conf->server_count : 1, sizeof(struct server));
    if (!backend->servers)
        return ENOMEM;
    for (size_t i = 0; i < conf->server_count; i++) {
        struct server *server = &backend->servers[i];
        server->conf = &conf->servers[i];
        server->backend = backend;
        server->now = (struct server_state){.weight = server->conf->weight,
                                            .streak = streak_of_a_stranger(conf),
                                            .last_error = SERVER_UNCHECKED,
                                            .changed_at = (uint64_t)time(NULL)};
        publish(server);
    }
    return 0;
}

void backend_close(struct backend *backend)
{
    free(backend->servers);
}

struct server *backend_find(const struct backend *backend, const char *name)
{
    for (size_t i = 0; i < backend->conf->server_count; i++)
        if (strcmp(backend->servers[i].conf->name, name) == 0)
            return &backend->servers[i];
    return NULL;
}

void server_set_admin(struct server *server, enum admin_state admin)
{
    enum admin_state before = server->now.admin;
    if (admin == before)
        return;
    server->now.admin = admin;
    if (before == ADMIN_MAINT && server->now.check == CHECK_UP)
        server->now.streak = streak_of_a_stranger(server->backend->conf);
    log_notice("server %s/%s is in state %s by command (it was %s)", server->backend->conf->name,
               server->conf->name, server_admin_name(admin), server_admin_name(before));
    changed(server, true);
}

void server_set_weight(struct server *server, unsigned weight)
{
    unsigned before = server->now.weight;
    if (weight == before)
        return;
    server->now.weight = weight;
    log_notice("server %s/%s has weight %u by command (it was %u)", server->backend->conf->name,
               server->conf->name, weight, before);
    changed(server, true);
}

void server_passed(struct server *server)
{
    struct server_state *now = &server->now;
    now->last_error = 0;
    if (now->check == CHECK_UP) {
        now->streak = 0;
        return;
    }
    if (++now->streak < server->backend->conf->rise)
        return;
    log_notice("server %s/%s is UP: %u checks passed in a row", server->backend->conf->name,
               server->conf->name, now->streak);
    now->check = CHECK_UP;
    now->streak = 0;
    changed(server, false);
}

void server_failed(struct server *server, int error)
{
    struct server_state *now = &server->now;
    bool stranger = now->last_error == SERVER_UNCHECKED;
    now->last_error = error;
    if (now->check == CHECK_DOWN) {
        now->streak = 0;
        return;
    }
    now->streak++;
    log_debug("server %s/%s: a check failed, %u of %u: %s", server->backend->conf->name,
              server->conf->name, now->streak, server->backend->conf->fall, strerror(error));
    if (now->streak < server->backend->conf->fall)
        return;
    log_warning("server %s/%s is DOWN: %s%s", server->backend->conf->name, server->conf->name,
                strerror(error), stranger ? ", at its first check" : "");
    now->check = CHECK_DOWN;
    now->streak = 0;
    changed(server, false);
}

void server_adopt(struct server *server, const struct server_state *state)
{
    const struct backend_conf *conf = server->backend->conf;
    server->now = *state;
    if (!is_checked(server) || state->last_error == SERVER_UNCHECKED) {
        server->now.check = CHECK_UP;
        server->now.last_error = SERVER_UNCHECKED;
        server->now.streak = streak_of_a_stranger(conf);
    }
    unsigned enough = server->now.check == CHECK_UP ? conf->fall : conf->rise;
    if (server->now.streak >= enough)
        server->now.streak = enough - 1;
    publish(server);
}

const char *server_admin_name(enum admin_state admin)
{
    static const char *const names[] = {
        [ADMIN_READY] = "ready", [ADMIN_DRAIN] = "drain", [ADMIN_MAINT] = "maint"};
    return names[admin];
}

const char *server_check_name(const struct server *server)
{
    if (!is_checked(server))
        return "off";
    return server->now.check == CHECK_UP ? "up" : "down";
}
