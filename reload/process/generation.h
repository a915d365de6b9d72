/* A generation: everything one process owns, and its life from start to exit.
 *
 *                 cold start               launched by a predecessor
 *                     |                                |
 *                     |                       GENERATION_STARTING ----> GENERATION_CANARY
 *                     v                                |      CANARY     |           |
 *              GENERATION_ACTIVE <---------------------+-----------------+           |
 *               |     |     ^       COMMIT, or the predecessor is gone               | BACK
 *          stop |     |     | the successor is gone                                  |
 *               |     |     |                                                        |
 *               |     +--> GENERATION_PROBATION   a successor serves; we stand by    |
 *               |     |     ^      | it is over                                      |
 *               |     |     |      v                                                 |
 *               |     +--> GENERATION_LINGERING <------------------------------------+
 *               |                  | handshakes that had begun here arrive,
 *               v                  | and listeners are closed
 *      GENERATION_STOPPING         v
 *               |          GENERATION_DRAINING    sessions move, or run to their end
 *               +----------------> | the last has ended, or the deadline came
 *                                exit
 *
 * CANARY: accepts a share of the connections, and is not published; the predecessor is active.
 * STOPPING: there is no successor; listeners close first, then the sessions drain as well.
 * Everything here runs on the main thread. */
#ifndef RPPROXY_RELOAD_PROCESS_GENERATION_H
#define RPPROXY_RELOAD_PROCESS_GENERATION_H

#include "config/model/config.h"
#include "proxy/backend/check/checks.h"
#include "proxy/proxy.h"
#include "reload/base/crash.h"
#include "reload/base/exit_status.h"
#include "reload/base/program.h"
#include "reload/handover/canary.h"
#include "reload/handover/draining_processes.h"
#include "reload/handover/heartbeat.h"
#include "reload/handover/peer_stats.h"
#include "reload/handover/replacement.h"
#include "reload/listeners/binds.h"
#include "reload/listeners/descriptors.h"
#include "reload/listeners/rescue.h"
#include "reload/process/drain.h"
#include "reload/process/life.h"
#include "reload/process/publication.h"
#include "reload/process/watchdog.h"

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

struct control;
struct handover;
struct lingering;
struct succession;

/* How the last reload went, for status. */
struct reload_result {
    bool any;
    enum exit_status status;
    uint64_t at;       /* seconds since 1970 */
    uint64_t duration; /* milliseconds */
    char text[256];
};

/* What is wanted of a reload. */
struct reload_order {
    bool wanted;    /* false: there is no order, and the rest is 0 */
    bool by_signal; /* nobody waits for the result; a configuration whose canary was rolled back is
                     * not tried again without one */
    bool forced;    /* though a backend would lose its last usable server */
    struct canary_plan canary;
};

struct generation {
    const struct program *program;
    const char *file;
    struct config *config;
    uint64_t config_hash; /* of its canonical text; 0: not known */
    struct event_base *base;
    unsigned number;
    unsigned canaries; /* the highest number that a canary of ours has had; 0: there was none */
    enum generation_state state;
    unsigned workers;
    struct descriptors descriptors;
    uint64_t started_at; /* clock_ms() */

    struct binds *binds;
    struct proxy *proxy;
    struct checks *checks; /* of the servers, until we drain */
    struct control *control;
    struct draining_processes draining_processes;
    struct peer_stats peer_stats;
    struct heartbeats heartbeats;
    struct succession *succession; /* to our predecessor, until its listeners are closed */
    struct handover *handover;     /* to our successor, until our listeners are closed ... */
    struct lingering *lingering;
    struct replacement replacement; /* ... and then that is our replacement */
    struct children children;
    struct event *signals;

    struct event *probation_over;
    struct handoff *handoff; /* of our sessions; NULL: none has begun */
    struct draining drain;
    struct watchdog watchdog;

    struct reload_order next; /* a reload that begins when the present one is over */
    uint64_t refused;         /* config_hash of the last canary that was rolled back; 0: none */
    bool stop_wanted;         /* likewise, and rather */
    bool stop_signalled;
    bool drained; /* our own sessions have ended */
    struct reload_result last_reload;
    struct crash last_crash; /* of a generation before ours, or of a successor */
    struct life life;
    struct publication publication;
    int exit_status;
};

/* The whole of `rpproxy -f file`; returns the exit status. */
int generation_run(const struct program *program, const char *file);

const char *generation_state_name(enum generation_state state);

/* Asks for a reload. EXIT_DONE: it has begun, or will as soon as our own predecessor has closed;
 * control_reload_over() tells how it went. Else EXIT_BUSY, or EXIT_OTHER when this process does not
 * serve (any more). */
enum exit_status generation_reload(struct generation *generation, const struct reload_order *order);

/* A signal asked the old process for a reload, which this process is to do. */
void generation_reload_as_by_signal(struct generation *generation);

/* Calls off the reload that is under way, and one that waits for its turn: control_reload_over()
 * tells when it is. Else returns why there is none to be called off (a string constant). */
const char *generation_abort(struct generation *generation);

/* Graceful stop: stop accepting, drain within stop-timeout, exit after the generations that drain
 * have done the same. Where our predecessor's listeners are still open, or a successor is on its
 * way that cannot be called back, that comes to its end before. Asked again it changes nothing. */
void generation_stop(struct generation *generation);

/* For the roles: */

/* An error line of a start: to the log, and to the predecessor if there is one. */
void generation_report(const char *line, void *generation);

/* Our predecessor's listeners, of which we had descriptors, are closed here as well: there is room
 * for more sessions. */
void generation_predecessor_closed(struct generation *generation);

/* Opens binds (offer and duplicates as binds_open() has them), makes the proxy, starts its threads;
 * nothing is accepted yet. False: it has been reported, and exit_status is set. */
bool generation_prepare(struct generation *generation, struct offer *offer,
                        struct offer *duplicates) __attribute__((warn_unused_result));

/* Prepared: accept, as a canary. */
void generation_try(struct generation *generation);

/* A canary that is not steered to any more: its listeners are to be closed, within linger_timeout,
 * and its sessions go to the predecessor. */
void generation_go_back(struct generation *generation, millis linger_timeout);

/* Prepared, a canary (though it was about to go back), or taken back from a successor: accept, and
 * be who the pidfile and the control socket name. False: these cannot be had; it has been reported,
 * exit_status is set, and nothing has changed. */
bool generation_serve(struct generation *generation) __attribute__((warn_unused_result));

/* The same where there is no other process that serves instead: what cannot be published is tried
 * again. */
void generation_serve_anyway(struct generation *generation);

/* Our successor serves: probation, if there is one, then our listeners are to be closed. */
void generation_retire(struct generation *generation);

/* At once rather than when its time is over; harmless otherwise. */
void generation_end_probation(struct generation *generation);

/* Our successor, of that pid, is gone or is being killed, and we serve again. */
void generation_take_back(struct generation *generation, pid_t successor);

/* How a reload went, for status: this process's, or its successor's, which is told. */
void generation_note_reload(struct generation *generation, enum exit_status status,
                            const char *text, uint64_t milliseconds);

/* A reload is over: text is for people. */
void generation_reload_over(struct generation *generation, enum exit_status status,
                            const char *text, uint64_t milliseconds);

/* A successor that had served is gone, and has been taken back from; text says how it ended. */
void generation_rolled_back(struct generation *generation, const char *text);

/* Does what was asked for while a reload failed, or while our own predecessor had its listeners
 * open: a stop, or another reload. */
void generation_go_on(struct generation *generation);

/* What we tell others of ourselves. */
struct message_sessions generation_about(const struct generation *generation);

/* With what the clients in a lost process's queues are served here (rescue.h). */
struct rescue_means generation_rescue_means(const struct generation *generation);

/* Leaves the main loop. */
void generation_exit(struct generation *generation, int exit_status);

#endif
