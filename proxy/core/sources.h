/* Clients by their source address: how many sessions each has, and how fast they come.
 *
 * A table of fixed size that all workers of a process share. A source is an IPv4 address or an IPv6
 * /64 (of which one client commonly has all addresses), for each frontend by itself. Limits are
 * kept exactly, regardless of the workers that the sessions of a source are on: an entry is looked
 * at and changed under the lock of its shard, one of 64.
 *
 * An entry without sessions is idle. A new source takes the place of the idle one that was seen
 * longest ago, of those whose bucket is full again if there is one among the first few. When all
 * entries have sessions, further sources come in uncounted: an attacker with many addresses could
 * lock out everybody else otherwise.
 *
 * Several processes. The table lies in memory that other processes of the proxy map read-only
 * (stats/shared_stats.h), and each process looks into the tables of the others: sessions of all
 * count, and of the buckets the one that will be full last. A session is counted before others are
 * looked at, so that of two processes which admit a session of one source at the same moment at
 * least one sees the other: the limit of sessions is not passed, but both may refuse. Two processes
 * that take from the rate of one source within the same microsecond may both be given the last
 * one. A session that moves is counted by the receiver before the sender ceases to. When a process
 * has ended, its sessions have, too, and sources_inherit() takes over its buckets. A process that
 * had no limit by source configured has counted nothing.
 *
 * All memory of entries is atomic and sequentially consistent: a process that reads finds entries
 * that move meanwhile by the version of the shard, and looks again. */
#ifndef RPPROXY_PROXY_CORE_SOURCES_H
#define RPPROXY_PROXY_CORE_SOURCES_H

#include "config/base/rate.h"
#include "proxy/core/reclaim.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct source_key {
    uint64_t address; /* IPv4: in the upper half; IPv6: the first 64 bits */
    uint64_t owner;   /* the frontend, and in the lowest bit whether the address is IPv6 */
};

/* owner: a number that is the same for the frontend in all processes. Returns false: the client has
 * no address (Unix). */
bool source_key_make(struct source_key *key, const struct sockaddr *address, uint64_t owner);

struct source_limits {
    unsigned sessions; /* 0: no limit, and sessions are not counted */
    struct rate rate;  /* count 0: none */
};

enum source_verdict {
    SOURCE_COMES_IN,  /* counted, if sessions are */
    SOURCE_UNCOUNTED, /* comes in; the table is full of sources that have sessions */
    SOURCE_HAS_MANY,  /* refused: it has as many sessions as it may */
    SOURCE_TOO_FAST,  /* refused: the rate */
};

struct sources;
struct sources_view;

/* Bytes of memory for so many sources. */
size_t sources_size(unsigned most);

/* Makes an empty table in memory of sources_size(most) bytes, zeroed and aligned to 64. NULL: out
 * of memory. The memory stays the caller's. */
struct sources *sources_open(void *memory, unsigned most) __attribute__((warn_unused_result));

/* NULL is fine. Releases what was published. No thread uses the table any more. */
void sources_close(struct sources *sources);

/* A session of the source wants to come in. now: nanoseconds. What is refused counts nowhere. Any
 * worker. */
enum source_verdict sources_enter(struct sources *sources, const struct source_key *key,
                                  const struct source_limits *limits, uint64_t now);

/* A session of the source is there, regardless of the limits. Returns whether it was counted. */
bool sources_enter_anyway(struct sources *sources, const struct source_key *key, uint64_t now);

/* A session that was counted has ended, or moved to another process. Any worker. */
void sources_leave(struct sources *sources, const struct source_key *key);

struct sources_figures {
    unsigned live;      /* sources that have sessions */
    uint64_t uncounted; /* sessions that came in uncounted */
};

struct sources_figures sources_figures(const struct sources *sources);

/* Takes one from the bucket of the key and returns true; *taken is for sources_give_back(). Or
 * takes nothing and returns false; *taken is then the time at which the bucket has one to give. For
 * a rate of a whole frontend, whose entry sources_enter_anyway() keeps in the table. Any worker. */
bool sources_take(struct sources *sources, const struct source_key *key, struct rate rate,
                  uint64_t now, uint64_t *taken);

/* Nobody came: gives back what sources_take() took, regardless of what others have taken since. */
void sources_give_back(struct sources *sources, const struct source_key *key, struct rate rate,
                       uint64_t now, uint64_t taken);

/* --- other processes; main thread --- */

/* The table of another process, which stands at `offset` of a memfd and may contain anything. The
 * memory must not shrink. NULL: it is no table, of another build, or out of memory. fd stays the
 * caller's, and is not needed afterwards. */
struct sources_view *sources_view_open(int fd, uint64_t offset, uint64_t size)
    __attribute__((warn_unused_result));

/* The same in memory that stays the caller's. */
struct sources_view *sources_view_at(const void *memory, size_t size)
    __attribute__((warn_unused_result));

/* NULL is fine. */
void sources_view_close(struct sources_view *view);

/* What another process has of the source. */
void sources_view_find(const struct sources_view *view, const struct source_key *key,
                       unsigned *sessions, uint64_t *full_at);

/* The process is gone: takes over its buckets that are not full yet. now: nanoseconds. */
void sources_inherit(struct sources *sources, const struct sources_view *view, uint64_t now);

/* Tables of other processes. */
struct sources_peers {
    struct retired retired; /* see sources_peers_release() */
    size_t count;
    struct sources_view *views[];
};

/* An object with room for so many views, or NULL: out of memory. */
struct sources_peers *sources_peers_new(size_t most) __attribute__((warn_unused_result));

/* Closes the views and frees the object. */
void sources_peers_release(struct retired *peers);

/* These count from now on (NULL: none). Returns what was published before, which workers may still
 * read: it is to be given to reclaim_with() and sources_peers_release(). */
struct sources_peers *sources_publish(struct sources *sources, struct sources_peers *peers);

#endif
