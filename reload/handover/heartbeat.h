/* Whether the process at the other end of a channel runs.
 *
 * A process that lives but does not run (stopped, frozen, one of its threads stuck) closes no
 * channel. A process that depends on another therefore asks it twice a second (MESSAGE_BEAT). The
 * answer means that the main thread and each worker of the other process have turned since the
 * question came (pulse.h). A process that has not answered a question for 3 seconds hangs: it is
 * killed (SIGKILL), at most 4 seconds after it stopped running. A client that waits in its queues
 * is then served within 5 seconds.
 *
 * From then on everything is as after a crash. The end of the channel is the news: all that the
 * other process had sent is heard before it, and none of its threads runs any more when it comes.
 * So sessions that were sent and not acknowledged may be taken back then, and not before. SIGKILL
 * may not end a process at once (an uninterruptible system call). After 5 seconds it is given up as
 * one that lives, and what was sent to it is not taken back; or it is waited for, and the log says
 * so.
 *
 * Silence is counted in turns of the loop of this process, half a second each, and not by the
 * clock. A turn that comes late does not count: the machine is overloaded, or this process itself
 * was stopped. So a process that goes on after a SIGCONT hears the answers that are there before it
 * judges anybody.
 *
 * A process of another major version of the protocol passes the question over. That it has read the
 * question is its answer, which the kernel gives: its main thread turns. Its workers may hang. */
#ifndef RPPROXY_RELOAD_HANDOVER_HEARTBEAT_H
#define RPPROXY_RELOAD_HANDOVER_HEARTBEAT_H

#include "reload/base/pulse.h"

#include <event2/event.h>
#include <stdbool.h>
#include <sys/types.h>

struct channel;

/* What all heartbeats of this process have in common. */
struct heartbeats {
    struct event_base *base;
    unsigned tick_ms; /* HEARTBEAT_TICK_MS; the tests have less patience */
    struct pulse pulse;
    /* A process has been killed; line says which, and why. */
    void (*on_hung)(const char *line, void *arg);
    void *arg;
};

#define HEARTBEAT_TICK_MS 500u
#define HEARTBEAT_HUNG    "did not answer for 3s, and was killed"

/* The channel answers questions from now on. heartbeats outlives it. Without memory it does not,
 * and the other process will take this one for hung. */
void heartbeat_answer(struct heartbeats *heartbeats, struct channel *channel);

/* Asks from now on. who: "the predecessor", a string constant. waits: one that cannot be killed is
 * waited for; else the channel fails then. Asked already, it goes on with the new values. */
void heartbeat_watch(struct channel *channel, const char *who, pid_t pid, bool waits);

/* Asks no more. */
void heartbeat_rest(struct channel *channel);

/* on_answer is called once, when the process has answered a question that is asked now; never if it
 * hangs or is gone. At once if it is not watched. */
void heartbeat_confirm(struct channel *channel, void (*on_answer)(void *arg), void *arg);

/* True: the process was killed because it hung. */
bool heartbeat_has_killed(const struct channel *channel);

#endif
