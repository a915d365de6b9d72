/* The keys of session tickets that the generations of one proxy have in common.
 *
 * The memory is a memfd that the first generation makes, and that goes from generation to
 * generation; all that live at one time have it mapped. So each of them accepts the tickets of all
 * others, also after one has died or gone back. No message announces a new key: the first process
 * that sees that it is time makes one, under a lock that the kernel releases when the process dies.
 * The memory is in no file, in no core dump, and not swapped out if RLIMIT_MEMLOCK allows
 * it; it is sealed, so that no process can truncate it while another reads.
 *
 * A key makes tickets for TICKET_KEY_TURN seconds, and opens them for TICKET_LIFE seconds more;
 * then it is overwritten. */
#ifndef RPPROXY_CONFIG_TLS_TICKET_RING_H
#define RPPROXY_CONFIG_TLS_TICKET_RING_H

#include "config/tls/ticket_key.h"

#include <stdbool.h>
#include <stdint.h>

#define TICKET_KEY_TURN (4 * 3600)
#define TICKET_LIFE     (12 * 3600)

struct ticket_ring;

/* Seconds that all processes of this machine count from the same moment, also while it sleeps. */
uint64_t ticket_ring_now(void);

/* Makes it, with a first key. Returns 0 or an errno value; EIO: OpenSSL has no random numbers. */
int ticket_ring_new(uint64_t now, struct ticket_ring **ring) __attribute__((warn_unused_result));

/* That of another process; takes ownership of fd, also on failure. NULL: *wrong says why, a string
 * constant or the text of an errno value, that can follow "ticket keys: ". The functions
 * below are harmless, regardless of what the other process writes. */
struct ticket_ring *ticket_ring_take(int fd, const char **wrong)
    __attribute__((warn_unused_result));

/* For the next generation; stays the ring's. */
int ticket_ring_fd(const struct ticket_ring *ring);

/* Makes a new key if it is time, and overwrites those that are too old. Returns the seconds until
 * it is to be called again. One thread of each process. */
uint64_t ticket_ring_turn(struct ticket_ring *ring, uint64_t now);

/* The key of new tickets. Any thread. False: there is none (another process has written nonsense).
 */
bool ticket_ring_current(const struct ticket_ring *ring, struct ticket_key *key)
    __attribute__((warn_unused_result));

/* The key with this name, if it is not too old. Any thread. */
bool ticket_ring_find(const struct ticket_ring *ring,
                      const unsigned char name[static TICKET_NAME_SIZE], uint64_t now,
                      struct ticket_key *key) __attribute__((warn_unused_result));

/* NULL is fine. */
void ticket_ring_free(struct ticket_ring *ring);

#endif
