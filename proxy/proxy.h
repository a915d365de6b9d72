/* The serving part of a generation: its workers, its listeners, its sessions.
 *
 * Everything here is for the main thread, but for the functions marked otherwise. */
#ifndef RPPROXY_PROXY_PROXY_H
#define RPPROXY_PROXY_PROXY_H

#include "config/model/config.h"
#include "proxy/core/reclaim.h"
#include "proxy/core/task_queue.h"
#include "proxy/outages.h"
#include "proxy/session/service.h"
#include "proxy/session/session.h"
#include "proxy/stats/shared_stats.h"
#include "proxy/worker.h"

#include <event2/event_struct.h>

struct proxy_events {
    void (*on_quiet)(void *arg);  /* after proxy_quiet(): no worker will accept again */
    void (*on_turned)(void *arg); /* after proxy_ask_turns(): all have turned; may be NULL */
    void (*on_empty)(void *arg);  /* after proxy_drain(): the last session has ended */
    /* The state of a server has changed; may be NULL. */
    void (*on_server)(struct server *server, bool by_command, void *arg);
    /* A frontend was paused or resumed; may be NULL. */
    void (*on_frontend)(const struct frontend *frontend, void *arg);
    void *arg;
};

struct proxy {
    struct service service; /* what the workers' sessions share */
    struct proxy_events events;
    struct task_queue task_queue;  /* of the main loop */
    struct event bell;             /* of the tasks */
    struct stats stats;            /* what is counted, for the generations after this one, too */
    unsigned max_sessions;         /* of this process alone; 0: no ceiling */
    struct frontend_conf departed; /* of sessions whose frontend is gone */
    struct limit departed_sessions;
    bool accepts_clients; /* server_limits.h */
    bool holds_back; /* sessions do not move, because others wait for places of their servers */
    struct reclaimer reclaimer; /* of what the main thread publishes to the workers */
    struct outages outages;
    struct worker *workers;
    unsigned worker_count;
    unsigned turning;   /* workers that have not answered proxy_ask_turns() yet */
    unsigned not_quiet; /* workers that have not reported LISTENING_OVER yet */
};

/* Makes the workers, without threads yet; base is the main loop's. config must outlive the proxy.
 * worker_count: at least one. max_sessions: 0, or as many as this process can have at a time,
 * regardless of what the configuration allows it and others together. Returns 0, and stores the
 * proxy in *made; or an errno value. */
int proxy_new(const struct config *config, unsigned generation, unsigned worker_count,
              unsigned max_sessions, struct event_base *base, const struct proxy_events *events,
              struct proxy **made) __attribute__((warn_unused_result));

/* Before proxy_start(): each worker keeps up to `most` spare server sockets, SPARES_MAX at most. */
void proxy_keep_spares(struct proxy *proxy, unsigned most);

/* As proxy_new() was told, from the next proxy_count_others() on. */
void proxy_allow(struct proxy *proxy, unsigned max_sessions);

/* Gives a listening socket, which stays the caller's, to one worker; shared: also to others, each
 * of them told so. held: while it is true the worker leaves the socket alone, since another process
 * accepts from it; a change counts from the next proxy_accept() or proxy_retire() on; NULL: never.
 * Before proxy_start(). */
int proxy_add_listener(struct proxy *proxy, unsigned worker, int fd, bool shared,
                       const atomic_bool *held, size_t frontend, const struct bind_conf *bind)
    __attribute__((warn_unused_result));

/* Starts the threads; nothing is accepted yet. Returns 0 or an errno value. */
int proxy_start(struct proxy *proxy) __attribute__((warn_unused_result));

/* The workers accept within the limits; also after proxy_retire(), to take that back. */
void proxy_accept(struct proxy *proxy);

/* Accepts the clients in the backlog of a non-blocking listener that no worker watches, even beyond
 * the limits, as long as the process has fewer than `most` sessions; the workers serve them in
 * turn. Adds to *count. True: the backlog is empty; false: `most` was reached, or descriptors or
 * memory are short. */
bool proxy_accept_from(struct proxy *proxy, int fd, size_t frontend, const struct bind_conf *bind,
                       unsigned most, unsigned *count);

/* A command: the frontend (of the config's order) is paused since `at`, in seconds since 1970; or
 * 0: it is resumed. A paused frontend accepts no clients: they wait in the backlogs, which are
 * emptied nevertheless when the listeners retire. Sessions go on. A change is logged, and
 * on_frontend is called. Workers follow at once, and have done so when what was retired after the
 * call is released (core/reclaim.h). */
void proxy_pause(struct proxy *proxy, size_t frontend, uint64_t at);

/* Before proxy_accept(): it is paused from the begin on; nothing is logged or reported. */
void proxy_begin_paused(struct proxy *proxy, size_t frontend, uint64_t at);

/* The workers accept all connections that the kernel still hands to these listeners, even beyond
 * the limits: the kernel would reset them when the listeners close. */
void proxy_retire(struct proxy *proxy);

/* The workers empty the backlogs a last time and never accept again; then on_quiet is called. */
void proxy_quiet(struct proxy *proxy);

/* After proxy_start(): asks each worker for a sign that its loop turns. on_turned is called once
 * all have answered, and never while one hangs. Nothing is asked while an answer is due. */
void proxy_ask_turns(struct proxy *proxy);

/* on_empty is called (also at once, from the loop) when there is no session left. */
void proxy_drain(struct proxy *proxy);

/* A program is about to be launched (true), or has been (false): until it has closed the
 * descriptors that it inherits, closing one here is not the end of it. With check = exec, which
 * launches programs all the time, that is so from proxy_start() on, regardless of this call. */
void proxy_share_descriptors(struct proxy *proxy, bool shared);

/* Ends, for reason, the sessions that are more than the frontends keep; each keeps all until its
 * `keep` is set. */
void proxy_terminate(struct proxy *proxy, enum session_end reason);

/* How many sessions proxy_terminate() has ended so far. */
uint64_t proxy_overdue(const struct proxy *proxy);

/* From now on sessions of other processes count in the limits of this one: `all`, and those of each
 * frontend in the config's order (NULL: none). */
void proxy_count_others(struct proxy *proxy, unsigned all, const unsigned *by_frontend);

/* The same for the balance of backends that count sessions: `live` has those that other processes
 * have on each server of the tally, by its number. */
void proxy_count_at_servers(struct proxy *proxy, const uint64_t *live);

/* A backend counts sessions for its balance. */
bool proxy_counts_at_servers(const struct proxy *proxy);

/* These processes of the proxy live: what they have of the sources of clients counts in the limits
 * of this one, until the next call. */
void proxy_set_peers(struct proxy *proxy, const struct stats *const *list, size_t count);

/* The process with these stats is gone: the rates of its clients go on here. */
void proxy_inherit(struct proxy *proxy, const struct stats *stats);

/* Sessions now, of all frontends. */
unsigned proxy_live(const struct proxy *proxy);

/* Ends the threads, resets what is left, frees everything. NULL is fine. */
void proxy_free(struct proxy *proxy);

#endif
