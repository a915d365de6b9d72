/* What the sessions of all workers of a process share: the configuration, the frontends and
 * backends as they are now, the limit of the process, and the way to the main thread.
 *
 * The main thread makes it and changes it; the workers read it. Members that workers write as well
 * are atomic. */
#ifndef RPPROXY_PROXY_SESSION_SERVICE_H
#define RPPROXY_PROXY_SESSION_SERVICE_H

#include "config/model/config.h"
#include "proxy/backend/backend.h"
#include "proxy/core/places.h"
#include "proxy/core/sources.h"
#include "proxy/core/task_queue.h"
#include "proxy/engine/socket.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/queue.h>

/* What a frontend keeps is a share of the sessions it had when terminating began: of KEEP_ALL. */
#define KEEP_ALL 65536u

struct access_log;
struct stage;
struct stats_frontend;

struct frontend {
    const struct frontend_conf *conf;
    struct backend *backend; /* NULL: only routes have one, or the frontend is gone */
    /* The limit is in the shared stats; the process's queue is the outer one. */
    struct place_queue places;
    /* What its sessions pass before a server is chosen, NULL at the end; NULL: nothing. Made by
     * stages/stage_list.h before the workers start. */
    struct stage **stages;
    struct stats_frontend *record; /* in the shared stats; NULL: the frontend is gone */
    uint32_t index;                /* in the service's */
    uint32_t tally;                /* counters of the tally's frontends before its own */
    uint64_t source_owner;         /* of its sources (core/sources.h) */
    /* A session needs no look before that, milliseconds after it was connected, if its backend has
     * no times of its own; 0: such a time is not known. */
    millis first_look;
    bool prepares; /* when a server was connected, more is to be done than to move bytes: options
                      of the client's socket, or the access log */
    struct access_log *access_log; /* session_log.h; NULL: there is none */
    atomic_uint handshakes;        /* of TLS that are under way */
    atomic_uint keep;              /* what terminate_surplus() leaves: a share of KEEP_ALL */
    /* Since then no client is accepted, by command: seconds since 1970; 0: clients are accepted.
     * The main thread writes it. */
    atomic_uint_fast64_t paused_at;
};

struct session_set;
struct lookups;
struct walk;

TAILQ_HEAD(walk_list, walk);

struct service {
    const struct config *config;
    unsigned generation;
    uint64_t instance;         /* random: tells this process from all others */
    struct task_queue *main;   /* tasks for the main thread */
    struct waitlist waitlist;  /* of all clients that wait for places */
    struct place_queue places; /* of all sessions of the process; the limit is in the stats */
    /* The configuration's, and one for sessions whose frontend is gone. */
    struct frontend *frontends;
    size_t frontend_count;                  /* with that one, which is the last */
    struct backend *backends;               /* in the configuration's order */
    struct sources *sources;                /* NULL: no frontend has limits by source, or a rate */
    atomic_uint_fast64_t sources_warned_at; /* milliseconds: that the table is full; 0: never */
    struct local_ports local_ports;
    struct port_orders *port_orders;
    struct lookups *lookups;   /* of names that clients ask for; NULL: no server is sni:PORT */
    struct session_set **sets; /* one for each worker */
    unsigned set_count;
    unsigned workers;  /* how many sets there will be */
    unsigned next_set; /* gets the next session that the main thread deals out */
    atomic_bool draining;
    atomic_int terminate_reason; /* enum session_end */
    struct task empty_task;      /* posted to the main thread when the last session has ended */
    struct walk_list walks;      /* of the main thread (walk.h) */
};

/* Sessions of the process now. Any thread. */
unsigned service_live(const struct service *service);

/* Any thread: a session has ended, and its place is handed to the first in line. If it was the last
 * session of a service that drains, empty_task is posted. */
void service_release_place(struct service *service, struct frontend *frontend);

/* The backend of that name, or NULL. */
struct backend *service_backend(const struct service *service, const char *name);

/* Main thread: the worker that gets the next session which the main thread deals out, in turn. */
struct session_set *service_next_set(struct service *service);

#endif
