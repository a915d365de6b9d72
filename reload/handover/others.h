/* The other processes of this proxy that may have sessions, and how one of them is asked what
 * commands ask. Main thread. */
#ifndef RPPROXY_RELOAD_HANDOVER_OTHERS_H
#define RPPROXY_RELOAD_HANDOVER_OTHERS_H

#include <stddef.h>
#include <sys/types.h>

struct channel;
struct generation;

/* If all others are asked first, then this process, and then the taker, no session is missed that
 * moves meanwhile. A process that does not drain yet has the channels of those that drained before:
 * it is to ask them. */
enum other_kind {
    OTHER_DRAINING, /* this process has its channel; its sessions may come to this process */
    OTHER_GIVER,    /* the same of a process that does not drain yet, or of a canary */
    OTHER_TAKER,    /* it gets the sessions of this process */
};

struct other_process {
    pid_t pid;
    unsigned generation;
    enum other_kind kind;
    struct channel *channel; /* as long as no event comes */
};

#define OTHERS_MAX 256

/* Writes all of them, at most OTHERS_MAX, and returns how many. */
size_t others_list(const struct generation *generation,
                   struct other_process list[static OTHERS_MAX]);

/* Sends a command as the control socket has it, a line without its end, to another process.
 * Returns the socket where the answer will come, as it would come from that process's control
 * socket, and which is the caller's; or -errno. A process of an older version closes the
 * socket at once. */
int others_ask(const struct other_process *other, const char *line)
    __attribute__((warn_unused_result));

#endif
