/* A generation: what one process serves with, and with which other processes it speaks in a reload.
 * A plain struct. process/process.c owns it, and changes its state; the other modules of the room
 * read it, and ask for a change by the events. The states of a process:
 *
 *                 cold start               launched by an old process
 *                     |                                |
 *                     |                       GENERATION_STARTING ----> GENERATION_CANARY
 *                     v                                |      CANARY     |           |
 *              GENERATION_ACTIVE <---------------------+-----------------+           |
 *               |     |     ^       COMMIT, or the old process is gone               | BACK
 *          stop |     |     | the new process is gone                                |
 *               |     |     |                                                        |
 *               |     +--> GENERATION_PROBATION   the new process serves; this one   |
 *               |     |     ^      |              stands by                          |
 *               |     |     |      v  the probation is over                          |
 *               |     +--> GENERATION_LINGERING <------------------------------------+
 *               |                  | handshakes that had begun here arrive,
 *               v                  | and listeners are closed
 *      GENERATION_STOPPING         v
 *               |          GENERATION_DRAINING    sessions move, or run to their end
 *               +----------------> | the last has ended, or the deadline came
 *                                exit
 *
 * CANARY: the process accepts a share of the connections, and is not published; the old process is
 * active. STOPPING: there is no new process; listeners close first, then the sessions drain as
 * well. Everything here runs on the main thread. */
#ifndef RPPROXY_RELOAD_HANDOVER_GENERATION_H
#define RPPROXY_RELOAD_HANDOVER_GENERATION_H

#include "config/model/config.h"
#include "config/syntax/problems.h"
#include "proxy/backend/check/checks.h"
#include "proxy/names/names.h"
#include "proxy/proxy.h"
#include "reload/base/canary_plan.h"
#include "reload/base/children.h"
#include "reload/base/core_dumps.h"
#include "reload/base/crash.h"
#include "reload/base/exit_status.h"
#include "reload/base/key_log.h"
#include "reload/base/program.h"
#include "reload/base/requester.h"
#include "reload/handover/draining_processes.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/message.h"
#include "reload/handover/peer_stats.h"
#include "reload/listeners/binds.h"
#include "reload/listeners/descriptors.h"
#include "reload/listeners/metrics_sockets.h"
#include "reload/listeners/rescue.h"

#include <stdbool.h>

enum generation_state {
    GENERATION_STARTING,
    GENERATION_CANARY,
    GENERATION_ACTIVE,
    GENERATION_PROBATION,
    GENERATION_LINGERING,
    GENERATION_STOPPING,
    GENERATION_DRAINING,
};

struct event_bus;
struct generation;
struct handoff;
struct kept_state;
struct old_side;
struct new_side;
struct ticket_keys;
struct key_copies;

/* How the last reload went, for status. */
struct reload_result {
    bool any;
    unsigned generation; /* of the new process; 0: not known */
    enum exit_status status;
    uint64_t at;       /* seconds since 1970 */
    uint64_t duration; /* milliseconds */
    char text[256];
};

/* What is wanted of a reload. */
struct reload_order {
    bool wanted;     /* false: there is no order, and the rest is 0 */
    bool by_signal;  /* nobody waits for the result; a configuration whose canary was rolled back is
                      * not tried again without a canary */
    unsigned stored; /* the generation whose configuration is read (history.h); 0: the file is */
    bool forced;     /* even if a backend loses its last usable server */
    struct canary_plan canary;
    char by[REQUESTER_TEXT_MAX]; /* for people: which process gave the order */
};

/* News from handover/, and what it asks for: process/process.c implements all of them. */
struct generation_events {
    /* --- for users --- */

    /* An error line of a start: to the log, and to the old process if there is one. */
    void (*report)(struct generation *generation, const char *line);
    /* A warning: to the log, and to the commands that wait for a reload. */
    void (*warn)(struct generation *generation, const char *line);
    /* A line of the new process: to the commands that wait for a reload. */
    void (*progress)(struct generation *generation, const char *line, size_t length);
    /* How far a reload is: to the commands that wait for it. */
    void (*step)(struct generation *generation, const char *text);

    /* --- the old process's side --- */

    /* The new process is about to serve: it gets the events that are kept here, and those that
     * come.
     */
    void (*pass_events)(struct generation *generation);
    /* This process serves after a reload that the process `by` has ordered; last_reload says how it
     * went. */
    void (*reloaded)(struct generation *generation, const char *by);
    /* A reload is over. text is for people. called_off: it failed because it was called off. */
    void (*reload_over)(struct generation *generation, enum exit_status status, const char *text,
                        uint64_t milliseconds, bool called_off);
    /* The new process serves: probation, if there is one, then the listeners of this process are to
     * be closed. */
    void (*retire)(struct generation *generation);
    /* The probation ends at once. Harmless where there is none. */
    void (*end_probation)(struct generation *generation);
    /* The new process, of that pid, is gone or is being killed, and this process serves again. */
    void (*take_back)(struct generation *generation, pid_t successor);
    /* The new process, which had served, is gone, and was taken back from; text says how it ended.
     */
    void (*rolled_back)(struct generation *generation, const char *text);

    /* --- the new process's side --- */

    /* Opens binds (offer and duplicates as binds_open() has them), makes the proxy, starts its
     * threads; nothing is accepted yet. False: it has been reported, and exit_status is set. */
    bool (*prepare)(struct generation *generation, struct offer *offer, struct offer *duplicates);
    /* Prepared: accept, as a canary. */
    void (*try_canary)(struct generation *generation);
    /* A canary that gets no new connections any more: its listeners are to be closed, within
     * linger_timeout, and its sessions go to the old process. */
    void (*go_back)(struct generation *generation, millis linger_timeout);
    /* Prepared, or a canary, even one that was about to go back: accept, and take the paths by
     * which others find the process that serves. False: it cannot take them; that has been
     * reported, exit_status is set, and nothing has changed. */
    bool (*serve)(struct generation *generation);
    /* The same where no other process serves instead: what cannot be published is tried again. */
    void (*serve_anyway)(struct generation *generation);
    /* The old process is gone before it made an offer: serve as after a cold start. False: as
     * prepare and serve. */
    bool (*serve_alone)(struct generation *generation);
    /* The old process's listeners are closed, also those of which this process had descriptors:
     * there is room for more sessions, and what was asked for meanwhile is done. */
    void (*predecessor_closed)(struct generation *generation);

    /* --- of both --- */

    /* The process of that pid, of the same paths, is gone: what it left under temporary names is
     * removed. */
    void (*sweep)(struct generation *generation, pid_t pid);
    /* The other process passes the order on; a reload as by a signal. */
    void (*reload)(struct generation *generation);
    void (*stop)(struct generation *generation);
    /* The other process passes a command on (MESSAGE_ASK). */
    void (*answer)(struct generation *generation, const struct received *message);
    /* All sessions that are left are closed now. */
    void (*terminate)(struct generation *generation);
    /* When the last of the sessions that are left is closed (clock_ms()), or UINT64_MAX; 0: there
     * is no drain. */
    uint64_t (*deadline)(const struct generation *generation);
    /* Leaves the main loop. */
    void (*exit)(struct generation *generation, int exit_status);
};

struct generation {
    const struct generation_events *events;
    const struct program *program;
    const char *file;
    struct config *config;
    struct config_errors config_errors; /* of the file; warnings, until they are in the log */
    uint64_t config_hash;               /* of its canonical text; 0: not known */
    struct event_base *base;
    struct event_bus *bus;
    unsigned number;
    bool recorded;                       /* its service is in the history */
    char attempt_by[REQUESTER_TEXT_MAX]; /* which process gave the order for that attempt */
    unsigned attempt; /* the number of the last new process of this one; 0: there was none */
    enum generation_state state;
    unsigned workers;
    struct descriptors descriptors;
    uint64_t started_at; /* clock_ms() */
    int exit_status;

    struct core_dumps core_dumps;
    struct key_log key_log; /* of all TLS */
    struct key_copies *key_copies;

    struct binds *binds;
    struct metrics_sockets metrics; /* of the HTTP server */
    struct offer metrics_offered;   /* those of the old process, until metrics is open */
    struct proxy *proxy;
    struct checks *checks;           /* of the servers, until this process drains */
    struct names *names;             /* the same; NULL also while nothing is prepared */
    struct ticket_keys *ticket_keys; /* NULL: none were needed so far */

    /* Other processes: */
    struct children children;
    struct heartbeats heartbeats;
    struct peer_stats peer_stats;
    struct draining_processes draining_processes;
    struct new_side *new_side;           /* to the old process, until its listeners are closed */
    struct message_sessions predecessor; /* it stands by or lingers: what it last said of itself;
                                          * pid 0: there is none */
    struct old_side *old_side;     /* to the new process, until this process closes its listeners */
    struct kept_state *kept_state; /* NULL: nothing is kept */
    struct handoff *handoff;       /* of the sessions of this process; NULL: none has begun */
    bool replaced; /* the listeners of this process are closed, and another process serves */

    /* What is to be done once a reload, ours or the old process's, is over: */
    struct reload_order next;
    bool stop_wanted; /* takes precedence over a reload */

    uint64_t refused; /* config_hash of the last canary that was rolled back; 0: none */
    struct reload_result last_reload;
    struct crash last_crash; /* of a generation before this one, or of a new process */
};

const char *generation_state_name(enum generation_state state);

/* The servers with names get their first addresses. False: what is wrong has been reported, and
 * exit_status is set. */
bool generation_begin_names(struct generation *generation) __attribute__((warn_unused_result));

/* What a process tells another one of itself. */
struct message_sessions generation_about(const struct generation *generation);

/* With what the clients in a lost process's queues are served here (rescue.h). */
struct rescue_means generation_rescue_means(const struct generation *generation);

#endif
