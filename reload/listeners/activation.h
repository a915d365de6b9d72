/* Socket activation: listening sockets that a service manager opened, and passes at the start as
 * sd_listen_fds_with_names(3) tells. Not by that function, since the build may be without
 * libsystemd, and other programs than systemd do the same; and it has one error for all mistakes.
 *
 * Such a socket is one with the manager's, and outlives this process: connections wait in its queue
 * while no process of the proxy is there. It is never steered; a successor gets it from its
 * predecessor, as part of the offer, whether a bind uses it or not: the next configuration may. */
#ifndef RPPROXY_RELOAD_LISTENERS_ACTIVATION_H
#define RPPROXY_RELOAD_LISTENERS_ACTIVATION_H

#include "reload/listeners/offer.h"

/* Adds to offer what the environment says is passed to this process, an entry "fd:NAME" for each
 * name, close-on-exec; nothing, if nothing is passed, or if it is for another process, which is
 * logged. Removes the variables. Before this process opens descriptors it does not want to find
 * among them. Returns NULL, or what is wrong with the variables (static storage). */
const char *activation_take(struct offer *offer) __attribute__((warn_unused_result));

/* Makes one of them ready to accept from. NULL, or why it cannot be. */
const char *activation_adopt(int fd) __attribute__((warn_unused_result));

#endif
