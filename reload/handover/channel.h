/* One end of the handover's socket pair, on the main loop. */
#ifndef RPPROXY_RELOAD_HANDOVER_CHANNEL_H
#define RPPROXY_RELOAD_HANDOVER_CHANNEL_H

#include "reload/handover/message.h"

#include <event2/event.h>
#include <stdbool.h>
#include <stddef.h>

struct channel;

struct received {
    enum message_type type;
    const void *payload; /* valid during the call; zero-filled up to MESSAGE_PAYLOAD_MAX */
    size_t length;
    int *fds;        /* close-on-exec; those the receiver takes it sets to -1, others are closed */
    size_t fd_count; /* of HANDOFF and DUPLICATES: fewer than were sent, if none is left here */
};

struct channel_events {
    void (*on_message)(const struct received *message, void *arg);
    /* The other end is gone, and all that it had sent was heard (wrong is NULL); or it cannot be
     * understood (wrong says why, in words that follow its name). Called once, last; the channel is
     * still to be closed. */
    void (*on_lost)(const char *wrong, void *arg);
    void *arg;
};

/* Messages of one type that are not for the owner of the channel. */
struct channel_aside {
    enum message_type type;
    void (*on_message)(const struct received *message, void *arg);
    void (*on_closed)(void *arg); /* from channel_close(); nothing may be sent then */
    void *arg;
};

/* Before channel_open(): takes the first message of the other end if it is of that type and has one
 * descriptor, and returns this, close-on-exec; waits so long for it. -1: it is another message,
 * which stays, or there is none. */
int channel_first(int fd, enum message_type type, int wait_ms) __attribute__((warn_unused_result));

/* Takes over fd, a SOCK_SEQPACKET socket. NULL: out of memory, and fd is still the caller's. */
struct channel *channel_open(int fd, struct event_base *base, const struct channel_events *events)
    __attribute__((warn_unused_result));

/* Other callbacks get what comes next; may be called from within an event. */
void channel_set_events(struct channel *channel, const struct channel_events *events);

/* Messages of that type go aside, regardless of the module that owns the channel. Once for each
 * channel. */
void channel_set_aside(struct channel *channel, const struct channel_aside *aside);

/* The arg of channel_set_aside(); NULL: it was not called. */
void *channel_aside_arg(const struct channel *channel);

/* Calls on_lost soon, as if the peer could not be understood; nothing is sent after it. wrong: a
 * string constant. */
void channel_fail(struct channel *channel, const char *wrong);

/* NULL is allowed. May be called from within an event. */
void channel_close(struct channel *channel);

/* Hears one message, or the end, if that is there: not in the loop's order of events but now.
 * False: nothing is there. The channel may be closed when it returns true. */
bool channel_hear(struct channel *channel);

/* True once the peer has shown to be of another major version. Only common types and BEAT are sent
 * to it, and only common types delivered of it; others are passed over. */
bool channel_is_foreign(const struct channel *channel);

/* The same before the peer has said anything: it is known from another process. */
void channel_set_foreign(struct channel *channel);

/* The peer has read all that was sent to it; true also if the kernel does not say. */
bool channel_is_read(const struct channel *channel);

/* An error of sending that passes: the socket is full, or the kernel has no room. */
bool channel_may_retry(int error);

/* Sends, or queues what the socket does not take yet, or the kernel has no room for; descriptors
 * stay the caller's. A peer that is gone shows as on_lost, and so does a message that can be
 * neither sent nor queued: nothing is sent after it. */
void channel_send(struct channel *channel, enum message_type type, const void *payload,
                  size_t length, const int *fds, size_t fd_count);

/* The same, with descriptors that stay open until the peer has answered to this, or the channel is
 * closed: queueing takes no others. */
void channel_lend(struct channel *channel, enum message_type type, const void *payload,
                  size_t length, const int *fds, size_t fd_count);

/* Sends at once or not at all. Returns 0, when the kernel has it for the peer to read even if this
 * process dies, or an errno value: EAGAIN also while something is queued, ETOOMANYREFS when too
 * many descriptors are under way on this machine (unix(7)), EPIPE when the peer is gone. */
int channel_send_now(struct channel *channel, enum message_type type, const void *payload,
                     size_t length, const int *fds, size_t fd_count)
    __attribute__((warn_unused_result));

/* The descriptor, to be passed on to another process. */
int channel_fd(const struct channel *channel);

#endif
