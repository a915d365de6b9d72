/* The handover protocol's messages: one SEQPACKET record each, over a socket pair that the
 * successor inherits. Both ends run on one machine: host byte order, fixed widths.
 *
 *     predecessor                                  successor
 *          | LEDGER (its own, and draining processes') ...-----> |  (not started yet)
 *          | <------------------------------- HELLO |  started
 *          | OFFER_BIND, KEEP, SERVERS, OFFER ----> |  parses, binds, listens, checks servers
 *          | SERVER (changed meanwhile) ----------> |
 *          | <------------------- PROGRESS (errors) |
 *          | <- READY_BIND ... LEDGER, KEEP ... READY |
 *   steers | SESSIONS, COMMIT --------------------> |  accepts, pidfile, control socket
 *          | <------------------------------ ACTIVE |
 *          | RELOADED ----------------------------> |
 *stands by | <--- HURRY (if it must), STOP (at once) |
 *          | <--- SERVER (changed by command) ... - |
 *          | RELOAD, STOP (if asked meanwhile) ---> |
 *  lingers | SESSIONS ----------------------------> |
 *          | HANDOFF ... -------------------------> |  takes sessions over
 *          | <--------------------------- TAKEN ... |
 *          | ELDER (older generations) ... -------> |
 *          | CLOSED ------------------------------> |  pins the groups to itself
 *   drains | SESSIONS ... ------------------------> |
 *          | HANDOFF ... (late ones) -------------> |
 *          | <--------------------------- TAKEN ... |
 *          | <------------------------ CUT, or STOP |
 *    exits | (end of file)                          |
 *
 * A canary comes between READY and COMMIT. It goes on as above, or goes back:
 *
 *   watches | SESSIONS, CANARY --------------------> |  accepts, publishes nothing
 *    steers | <------------------------------ CANARY |
 *           | SERVER (changed meanwhile) ----------> |
 *           | <---------- BACK (if told to stop) --- |
 *    steers | BACK --------------------------------> |  lingers
 *           | <------------------------------ CLOSED |  drains
 *           | <------------------ SESSIONS, HANDOFF  |  ... and so on: roles are changed
 *
 * Until COMMIT the predecessor decides; it never stopped serving, so going back costs nothing. An
 * end of file means that the other is gone: before CLOSED the predecessor takes everything back;
 * a successor without predecessor goes on alone.
 *
 * Versions. A process never knows whether its successor is older or newer. In one major version
 * payloads grow at their ends only, new types come last, and unknown ones are passed over. To take
 * up another major version, by a reload, is to hand over the listeners and to drain: of a process
 * of another one nothing is sent and heard but the common types, MESSAGE_HELLO to MESSAGE_COMMON.
 * These, struct message_head, and what is in their payloads now, have to stay as they are for ever,
 * in every version. */
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
};

/* Ends the OFFER_BINDs. */
struct message_offer {
    uint32_t generation; /* the highest number that was given out: the successor has the next */
    uint32_t pid;
    uint32_t ready_timeout; /* milliseconds until the successor is given up; 0: not told */
    uint32_t forced;        /* 1: by --force, whatever becomes of backends */
    uint32_t canary;        /* 1: the successor is to be tried with a share of the connections */
    uint32_t unused;
    uint64_t refused; /* hash of a configuration that is not to be served; 0: none */
};

struct message_ready {
    uint64_t config_hash; /* of the successor's configuration; 0: not known */
};

#define MESSAGE_NAME_MAX 200 /* a name is part of a line of the file, which is shorter */
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

/* A generation that drains. ELDER carries the channel to it as a descriptor, and who gets that says
 * HELLO by it; SESSIONS speaks of the sender itself. */
struct message_sessions {
    uint32_t generation;
    uint32_t pid;
    uint64_t sessions;
    uint64_t config_hash; /* 0: not known, as all that follows */
    uint64_t deadline;    /* of its drain, as drain_deadline() */
    uint32_t standby;     /* 1: it does not linger yet */
    uint32_t unused;
};

/* How a reload went, for the successor to tell: the predecessor is not asked any more. */
struct message_reloaded {
    uint32_t exit; /* enum exit_status */
    uint32_t unused;
    uint64_t at;       /* seconds since 1970 */
    uint64_t duration; /* milliseconds */
    char text[256];
    struct crash last_crash; /* that the predecessor knows of; its time is 0: none */
};

/* Sessions that are to move, with their descriptors: this, and then what transfer.h packs. The
 * sender has parked them, and goes on with them unless TAKEN says that the receiver has; the
 * receiver begins when the kernel has taken TAKEN, or says that nobody is left to read it: whoever
 * closes its end while it waits for a TAKEN has died, or goes on with none of them. So at no time
 * both, whoever dies when, and what was sent whole outlives its sender. */
struct message_handoff {
    uint32_t transfer; /* the sender's number of it */
    uint32_t sessions;
};

struct message_taken {
    uint32_t transfer;
    uint32_t sessions;
    uint64_t taken; /* bit i: the i-th of them */
};

/* HURRY: the successor is asked to reload or to stop, and waits for our probation to end. */

/* CANARY: the successor is to accept, and to publish nothing; it says the same when it does, and is
 * steered to then. Asks BACK itself when it is told to stop. */

/* The canary, or a successor that cannot serve, is to go back: it is not steered to any more. From
 * the successor: it wants to go back. */
struct message_back {
    uint32_t linger_timeout; /* milliseconds, for its own; from the successor 0 */
    uint32_t exit;           /* from the successor: enum exit_status of the reload; 0: it was told
                              * to stop */
};

/* KEEP: for each bind whose sockets are not passed, as OFFER_BIND: its descriptors are the sender's
 * listening sockets, once more. The predecessor's come before OFFER; the successor closes them in
 * order when the predecessor has closed its own or is gone. The successor's come before READY, and
 * the predecessor has them until CLOSED. Whoever is lost meanwhile, the other accepts who is in its
 * queues. */

/* BEAT: a question whether the receiver runs, or the answer to it. Either process asks by any
 * channel at any time; heartbeat.h has the rules. */
struct message_beat {
    uint32_t number; /* of the question; the answer has the same */
    uint32_t answer; /* 1: this is the answer */
};

/* A generation's figures. Descriptors: its shared stats (proxy/stats/shared_stats.h), and a pidfd
 * of it where there are pidfds. */
struct message_stats {
    uint32_t base_is_ours; /* 1: of what it has from others all is told by other LEDGERs as well */
};

#endif
