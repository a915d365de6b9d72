/* The handover protocol's messages: one SEQPACKET record each, over a socket pair that the new
 * process inherits. Both ends run on one machine: host byte order, fixed widths.
 *
 *   old process                                         new process
 *            | KEYS                                     |  (not started yet)
 *            | STATS (its own, and of processes that    |
 *            |        drain), SPARE ------------------> |
 *            | OFFER_BIND, DUPLICATES, SERVERS,         |
 *            |    FRONTEND, METRICS, TICKETS, OFFER --> |
 *            | <--------------------------------- HELLO |  started; parses, binds, listens,
 *            |                                          |  checks servers
 *            | SERVER, FRONTEND (changed meanwhile) --> |
 *            | <--------------------- PROGRESS (errors) |
 *            | <- READY_BIND, STATS, DUPLICATES, READY  |
 *     steers | SESSIONS, COMMIT ----------------------> |  accepts, pid file, control socket
 *            | <-------------------------------- ACTIVE |
 *            | RELOADED ------------------------------> |
 *  stands by | <------ HURRY (if it must), STOP (at once) |
 *            | <--- SERVER, FRONTEND (changed by command) |
 *            | RELOAD, STOP (if asked meanwhile) -----> |
 *    lingers | SESSIONS ------------------------------> |
 *            | HANDOFF ... ---------------------------> |  takes sessions over
 *            | <----------------------------- TAKEN ... |
 *            | DRAINING_PROCESS (older processes) ... > |
 *            | CLOSED --------------------------------> |  pins the groups to itself
 *     drains | SESSIONS ... --------------------------> |
 *            | HANDOFF ... (late ones) ---------------> |
 *            | <----------------------------- TAKEN ... |
 *            | <--------------------- TERMINATE or STOP |
 *      exits | (end of file)                            |
 *
 * A canary comes between READY and COMMIT. The new process goes on as above, or goes back:
 *
 *    watches | SESSIONS, CANARY ----------------------> |  accepts, publishes nothing
 *     steers | <-------------------------------- CANARY |
 *            | SERVER (changed meanwhile) ------------> |
 *            | <------------ BACK (if asked to stop) -- |
 *     steers | BACK ----------------------------------> |  lingers
 *            | <-------------------------------- CLOSED |  drains
 *            | <-------------------- SESSIONS, HANDOFF  |  ... and so on: the roles are changed
 *
 * Until COMMIT the old process decides; it never stopped serving, so going back costs nothing. An
 * end of file means that the other process is gone: before CLOSED the old process takes everything
 * back; a new process without an old one goes on alone.
 *
 * Versions. A process never knows whether its successor is older or newer. In one major version
 * payloads grow at their ends only, new types come last, and unknown ones are passed over. A reload
 * to another major version hands over the listeners, and the old process drains: only the common
 * types, MESSAGE_HELLO to MESSAGE_COMMON, are heard from a process of another major version, and
 * only these and BEAT, which it passes over, are sent to it. The common types, struct message_head,
 * and what is in their payloads now, have to stay as they are for ever, in every version. */
#ifndef RPPROXY_RELOAD_HANDOVER_MESSAGE_H
#define RPPROXY_RELOAD_HANDOVER_MESSAGE_H

#include "config/base/address.h"
#include "reload/base/crash.h"

#include <stdint.h>

#define MESSAGE_MAGIC 0x72707078u
#ifndef MESSAGE_MAJOR   /* the tests build another */
#define MESSAGE_MAJOR 2 /* 1 is version 0.1.0 of the program */
#endif
#define MESSAGE_MINOR 0

#define MESSAGE_PAYLOAD_MAX 4096
#define MESSAGE_FDS_MAX     128 /* the kernel's SCM_MAX_FD is 253 */

enum message_type {
    MESSAGE_HELLO = 1,
    MESSAGE_OFFER_BIND,
    MESSAGE_OFFER,
    MESSAGE_PROGRESS,
    MESSAGE_READY_BIND,
    MESSAGE_READY,
    MESSAGE_COMMIT,
    MESSAGE_ACTIVE,
    MESSAGE_DRAINING_PROCESS,
    MESSAGE_CLOSED,
    MESSAGE_SESSIONS,
    MESSAGE_TERMINATE,
    MESSAGE_STOP,
    MESSAGE_RELOAD,
    MESSAGE_COMMON = MESSAGE_RELOAD, /* the last that all major versions have in common */
    MESSAGE_HANDOFF,
    MESSAGE_TAKEN,
    MESSAGE_HURRY,
    MESSAGE_SERVER,
    MESSAGE_STATS,
    MESSAGE_RELOADED,
    MESSAGE_CANARY,
    MESSAGE_BACK,
    MESSAGE_SERVERS,
    MESSAGE_DUPLICATES,
    MESSAGE_BEAT,
    MESSAGE_ASK,
    MESSAGE_METRICS,
    MESSAGE_EVENT,
    MESSAGE_FRONTEND,
    MESSAGE_TICKETS,
    MESSAGE_KEYS,
    MESSAGE_SPARE,
};

struct message_head {
    uint32_t magic;
    uint16_t major, minor;
    uint32_t type;
    uint32_t length; /* of the payload */
};

struct message_hello {
    uint32_t pid;
    char version[32];
};

/* One bind of the predecessor. Descriptors, if any, are its listening sockets, for the successor
 * to use instead of its own; more than MESSAGE_FDS_MAX come in further messages. */
struct message_offer_bind {
    char text[ADDRESS_TEXT_MAX];
    uint32_t listeners;
    uint32_t rotation; /* of the group, if ordered */
    uint32_t ordered;  /* 0: how the sockets stand in it is not known */
    uint32_t waits;    /* 1: its frontend is paused: a canary leaves the sockets alone */
};

/* Ends the OFFER_BINDs. */
struct message_offer {
    uint32_t generation; /* the highest number that was given out: the successor has the next */
    uint32_t pid;
    uint32_t ready_timeout; /* milliseconds until the successor is given up; 0: not known */
    uint32_t forced;        /* 1: by --force, even if a backend loses its last usable server */
    uint32_t canary;        /* 1: the successor is to be tried with a share of the connections */
    uint32_t unused;
    uint64_t refused; /* hash of a configuration that is not to be served; 0: none */
};

struct message_ready {
    uint64_t config_hash; /* of the successor's configuration; 0: not known */
};

/* With its NUL. NAME_BYTES_MAX (value.h) and "-" with the number of a slot fit. */
#define MESSAGE_NAME_MAX 200
#define MESSAGE_LINE_MAX 256

/* As in proxy/backend/server.h. */
struct message_server_state {
    uint32_t admin;
    uint32_t check;
    uint32_t streak;
    int32_t last_error;
    uint32_t weight;
    uint32_t usable; /* 1: it gets sessions */
    uint64_t check_due;
    uint64_t changed_at;
    char reason[160]; /* why the last check failed, where last_error does not say it; or "" */
    /* proxy/backend/ejection.h; milliseconds, CLOCK_MONOTONIC: */
    uint64_t ejected_until, ejection_ended, first_fail;
    uint32_t ejections, fails;
    uint64_t up_since;      /* the same; a slow start began then; 0: none */
    uint32_t holds;         /* 1: a backup that has taken over, with failback = no */
    uint32_t agent;         /* what its agent said last */
    uint32_t agent_percent; /* 1 more than the percentage; 0: none */
    uint32_t maxconn;       /* 1 more than what a command has set; 0: as the line says */
    /* Of a server with a name: its address, and what is known of it. */
    uint16_t family; /* AF_INET or AF_INET6; 0: it has none */
    uint16_t port;   /* network byte order */
    uint32_t scope;  /* of an IPv6 address */
    unsigned char ip[16];
    uint32_t told_weight; /* as in proxy/backend/server.h */
    uint32_t backup;      /* 1: its SRV record says so */
    uint64_t answered_at;
};

/* One server of the sender, as it is. To the successor: what changes. To a predecessor that
 * lingers, and to draining processes: those that a command has changed. A receiver of another
 * version takes what it knows, and 0 for what is missing. */
struct message_server {
    char backend[MESSAGE_NAME_MAX];
    char name[MESSAGE_NAME_MAX];
    char line[MESSAGE_LINE_MAX]; /* what makes it another server when it changes */
    struct message_server_state state;
};

/* SERVERS: all servers of the predecessor, as many in one message as there is room for. Of each the
 * size of its state as a uint16_t, the state, and the three texts, each with its NUL; nothing is
 * aligned. */

/* PROGRESS: an error line of the successor, without an end of line. */

/* One bind of the successor that the predecessor offered. */
struct message_ready_bind {
    char text[ADDRESS_TEXT_MAX];
    uint32_t listeners;
    uint32_t passed; /* not 0: they are the predecessor's own, offered or duplicates */
};

/* A process that drains. SPARE, before OFFER, goes to it and to the new process, each with one end
 * of a channel between the two (spare_channels.h). DRAINING_PROCESS carries the channel to it as a
 * descriptor, and the process that gets the channel says HELLO by it; SESSIONS speaks of the sender
 * itself. */
struct message_sessions {
    uint32_t generation;
    uint32_t pid;
    uint64_t sessions;
    uint64_t config_hash; /* 0: not known; so with all that follows */
    uint64_t deadline;    /* of its drain, as drain_deadline() */
    uint32_t standby;     /* 1: it does not linger yet */
    uint32_t foreign;     /* DRAINING_PROCESS: 1: it is of another major version */
};

/* How a reload went: the successor shows it in its status, since commands ask it from now on. */
struct message_reloaded {
    uint32_t exit; /* enum exit_status */
    uint32_t unused;
    uint64_t at;       /* seconds since 1970 */
    uint64_t duration; /* milliseconds */
    char text[256];
    struct crash last_crash; /* that the predecessor knows of; its time is 0: none */
    char by[96];             /* which process gave the order; "": not known */
};

/* Sessions that are to move, with their descriptors: this, and then what transfer.h packs. The
 * sender has parked them, and goes on with those that TAKEN does not name. The receiver begins with
 * them when the kernel has accepted TAKEN, or says that no process is left to read it: a sender
 * that closes its end while it waits for TAKEN has died, or goes on with none of them. So the two
 * never serve one session at the same time, and sessions that were sent whole outlive their sender.
 */
struct message_handoff {
    uint32_t transfer; /* the sender's number of it */
    uint32_t sessions;
};

struct message_taken {
    uint32_t transfer;
    uint32_t sessions;
    uint64_t taken; /* bit i: the i-th of them */
};

/* HURRY: the successor is asked to reload or to stop, and waits for the probation of this process
 * to end. */

/* CANARY: the successor is to accept, and to publish nothing; it says the same when it does, and is
 * steered to then. It asks for BACK itself when it is asked to stop. */

/* The canary, or a successor that cannot serve, is to go back: it is not steered to any more. From
 * the successor: it wants to go back. */
struct message_back {
    uint32_t linger_timeout; /* milliseconds, for its own; from the successor 0 */
    uint32_t exit;           /* from the successor: enum exit_status of the reload; 0: it was
                              * asked to stop */
};

/* DUPLICATES: as OFFER_BIND, for each bind whose sockets are not passed: its descriptors are
 * duplicates of the sender's listening sockets. The old process sends its own before OFFER; the new
 * one closes them in order when the old one has closed its own or is gone. The new process sends
 * its own before READY, and the old one has them until CLOSED. If either process is lost meanwhile,
 * the other accepts the clients in its queues. */

/* BEAT: a question whether the receiver runs, or the answer to it. Either process asks by any
 * channel at any time; heartbeat.h has the rules. */
struct message_beat {
    uint32_t number; /* of the question; the answer has the same */
    uint32_t answer; /* 1: this is the answer */
};

/* ASK: a command as the control socket has it (control.h), a line without its end. Descriptor: the
 * socket for the answer. Each process that drains, stands by or lingers is asked, and a canary. */

/* METRICS: before OFFER. One address of the old process's HTTP server, with its listening socket,
 * which both processes have from then on. */
struct message_metrics {
    char text[ADDRESS_TEXT_MAX];
};

/* EVENT: events, as bus_hear() reads them (event_bus.h). To the successor before COMMIT: all that
 * are kept. To the process that serves: what happens in another one. */

/* FRONTEND: a frontend that is paused, to the successor before OFFER; one that a command has paused
 * or resumed, to the successor and to a predecessor that stands by. The name fills the rest of the
 * payload, without a NUL. */
struct message_frontend {
    uint64_t paused_at; /* seconds since 1970; 0: it is resumed */
    char name[];
};

/* TICKETS: before OFFER. Without a payload; descriptor: the keys of session tickets
 * (config/tls/ticket_ring.h), which all processes share from then on. */

/* A generation's figures. Descriptors: its shared stats (proxy/stats/shared_stats.h), and a pidfd
 * of it where there are pidfds. */
struct message_stats {
    uint32_t base_is_ours; /* 1: all that it has from others comes in other STATS as well */
};

#endif
