/* Spare channels: how a new process finds the older ones that drain, if the old process dies before
 * it has passed their channels on.
 *
 * At the launch the old process makes a pair of sockets for each process that drains, and sends one
 * end to it and the other to the new process. Neither uses it while the old process lives. When the
 * old process is gone, both hear the end of their channels to it, and go on by the spare one. When
 * the old process has passed a channel on, both close the spare one.
 *
 * Rejected: a duplicate of the channel itself in the new process. Sessions that the old process had
 * read from it and not answered would be lost to both sides. */
#ifndef RPPROXY_RELOAD_HANDOVER_SPARE_CHANNELS_H
#define RPPROXY_RELOAD_HANDOVER_SPARE_CHANNELS_H

#include "reload/handover/message.h"

#include <stdbool.h>
#include <stddef.h>

struct channel;
struct draining_processes;
struct received;

struct spare_channel {
    struct message_sessions about; /* the process at the other end */
    int fd;
};

/* Those of the new process. All zero: none. */
struct spare_channels {
    size_t count;
    struct spare_channel *list;
};

/* The old process: makes one for each process that drains. Without
 * memory or descriptors the new process has none to that process. */
void spare_channels_offer(const struct draining_processes *draining_processes,
                          struct channel *successor);

/* MESSAGE_SPARE came from the old process. Without memory it is left out. */
void spare_channels_add(struct spare_channels *spare_channels, const struct received *message);

/* The channel to that process was passed on: closes the spare one. */
void spare_channels_drop(struct spare_channels *spare_channels,
                         const struct message_sessions *about);

/* The process at the other end is gone, or has closed its end. */
bool spare_channel_is_dead(int fd);

void spare_channels_close(struct spare_channels *spare_channels);

#endif
