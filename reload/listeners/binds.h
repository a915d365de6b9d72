/* The listening sockets of a generation (opening.h opens them): in which order they stand in their
 * reuseport groups, and how they close. No other module closes them. */
#ifndef RPPROXY_RELOAD_LISTENERS_BINDS_H
#define RPPROXY_RELOAD_LISTENERS_BINDS_H

#include "config/model/config.h"
#include "proxy/proxy.h"
#include "reload/listeners/bound.h"
#include "reload/listeners/offer.h"

#include <stdbool.h>
#include <stddef.h>

struct binds {
    const struct config *config;
    struct bound *list;
    struct bound **in_order; /* as listen_address_order() has them */
    size_t count;
    unsigned workers;
    struct cpus cpus;  /* the workers', as steering.h has them */
    struct offer idle; /* sockets of the service manager that no bind uses; for the successor */
};

/* Spreads the listeners over the proxy's workers: of a sharded bind listener i goes to worker i,
 * modulo their number; all listeners of a shared one go to all workers, and so do those of a
 * sharded one that has too few of them, as a predecessor passed them. Returns 0 or an errno value.
 */
int binds_give(struct binds *binds, struct proxy *proxy) __attribute__((warn_unused_result));

/* The group of a bind is steered to the listeners of this process alone; an error is logged. */
void bound_pin(const struct binds *binds, const struct bound *bound);

struct bound *binds_find(const struct binds *binds, const char *text);

/* The bind of this process to which a client of that bind comes when there is no such bind: the
 * same, or one that covers it, as the wildcard does its address; NULL: none. */
const struct bound *binds_serving(const struct binds *binds, const char *text);

/* Unix sockets take their paths, and passed sockets the congestion control of the configuration.
 * False: an error has been passed to report, and nothing has changed. binds_withdraw() undoes it,
 * until binds_settle_paths(). */
bool binds_publish(struct binds *binds, void (*report)(const char *line, void *arg), void *arg)
    __attribute__((warn_unused_result));
void binds_withdraw(struct binds *binds);
void binds_settle_paths(struct binds *binds);

/* A canary accepts: from passed sockets as well that the old process does not use. Those of a
 * frontend that was paused in the old process stay with it until the canary is promoted. */
void binds_try(struct binds *binds);

/* Accepts from all sockets, also those that another process has as well: to be followed by
 * proxy_accept(). Until then the workers leave those alone. */
void binds_release(struct binds *binds);

/* The groups are steered to the listeners of this process, as each bind wants it, while those of
 * the old process, which made the offer, stand before them: it has steered to any of ours, or has
 * died. To be called before the old process hears that this one serves, since it steers again when
 * it closes. */
void binds_spread(struct binds *binds, const struct offer *offer);

/* Before a successor is launched: every group is pinned to this process, so that the successor may
 * listen and yet receive nothing, and each bind's way is chosen. Steering is trusted only where the
 * group holds the listeners of this process and no other, in a known order; where it is not,
 * report gets a line. The sockets of a paused frontend are passed, with the clients that wait
 * there.
 */
void binds_pin(struct binds *binds, const struct proxy *proxy,
               void (*report)(const char *line, void *arg), void *arg);

/* After binds_pin(): whether a canary is possible. report gets a line for each bind that stays with
 * this process until the canary is promoted. False: why says what prevents it. */
#define BINDS_WHY_MAX (ADDRESS_TEXT_MAX + 160)
bool binds_can_split(const struct binds *binds, void (*report)(const char *line, void *arg),
                     void *arg, char why[static BINDS_WHY_MAX]);

/* The successor has so many listening sockets on the bind; passed: they are those of this process.
 */
void binds_note_successors(const struct binds *binds, const char *text, unsigned sockets,
                           bool passed);

/* True: as binds_pin() found it, plus the listeners the successor said it has. What is not is
 * logged. */
bool binds_undisturbed(struct binds *binds);

/* New connections go to the successor; the workers leave alone what it has been passed, after
 * proxy_accept() or proxy_retire(). Returns 0 or an errno value (binds_take_back() then). */
int binds_hand_over(struct binds *binds) __attribute__((warn_unused_result));

/* That share of them goes to the successor, as steering_split() has it; each client is on the same
 * side on all binds. Returns 0 or an errno value (binds_take_back() then). */
int binds_split(const struct binds *binds, unsigned share, bool by_source)
    __attribute__((warn_unused_result));

/* Ours are about to close, of a canary that goes back: what was offered is the predecessor's again,
 * which has steered so. binds_take_back(), binds_spread() and binds_settle() take it back if that
 * one is lost. */
void binds_go_back(struct binds *binds, const struct offer *offer);

/* They come to this process again, after proxy_accept(): the successor is gone, or was not to be.
 * Paths, their attributes and the congestion control of passed sockets are as they were. */
void binds_take_back(struct binds *binds);

/* No handshake begins any more on what is about to close: what ends with this process is steered to
 * sinks, where steering can be trusted, and no client finds the path of a Unix bind. alone: there
 * is no successor, and so no way back.
 */
void binds_silence(struct binds *binds, bool alone);

/* Clients in the accept queues of that frontend's TCP binds (its index in the config); -1: it has
 * none, and of Unix sockets the kernel does not tell. */
int binds_waiting(const struct binds *binds, size_t frontend);

/* TCP connections in the accept queues of what is about to close. */
unsigned binds_queued(const struct binds *binds);

/* Closes all listeners, each group's highest index first, so that the successor's stay together;
 * what it keeps may close in any order. */
void binds_close(struct binds *binds);

/* The predecessor has closed: offer says how many it had. orderly: in order, so that it is known
 * how those of this process stand now. Where kept has all of them, which it was asked to keep, that
 * is so in any case: none has left its group before they are closed here, the highest index first.
 */
void binds_settle(struct binds *binds, const struct offer *offer, struct offer *kept, bool orderly);

/* Removes the names beside the Unix sockets' that a process which was killed has left there. */
void binds_sweep(const struct binds *binds, pid_t pid);

/* Closes and frees without ado, and removes temporary names. NULL is fine. */
void binds_free(struct binds *binds);

#endif
