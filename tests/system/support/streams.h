/* Long sessions in which every eight bytes name the session, the direction and the position in the
 * stream, so that every lost, duplicated, reordered or misdelivered word is noticed where it
 * happens. One thread drives both ends of all sessions. Some send in bulk, most send a little now
 * and then. */
#ifndef TESTS_SYSTEM_STREAMS_H
#define TESTS_SYSTEM_STREAMS_H

#include "tests/system/support/net.h"

#include <stdint.h>

struct streams;

/* Listens on 127.0.0.1 for the sessions' server ends, and starts the thread. */
struct streams *streams_create(void);

uint16_t streams_port(const struct streams *streams);

/* Opens `count` more sessions through `target`, which leads to streams_port(). */
void streams_open(struct streams *streams, const struct endpoint *target, unsigned count);

/* From now on sessions send a little in each `tick_ms`, so that they cost less. */
void streams_slow_down(struct streams *streams, unsigned tick_ms);

/* To be called before the first session is opened. Each client end sends a few words, and a few
 * more 50 to 100 ms after the answer; its server end only answers. So sessions cost little, and a
 * pause is the time of an answer. */
void streams_pace(struct streams *streams);

/* From now on a session that ends early, or by a reset, is lost and not an error. */
void streams_may_be_lost(struct streams *streams);

/* Sessions lost so far. */
unsigned streams_lost(const struct streams *streams);

/* Returns when every session has moved at least `words` of 8 bytes in each direction since the
 * call, or is lost. Fails the test after PATIENCE_MS. */
void streams_wait_progress(struct streams *streams, uint64_t words);

/* How many milliseconds sessions have waited for their next bytes, or paced ones for answers, since
 * the last call. */
struct pauses {
    double longest;
    double
        one_in_1000; /* of each end's longest pause: all but one in a thousand were at most this */
    double percentile; /* of all pauses: the 99.9th */
};
struct pauses streams_pauses(struct streams *streams);

/* Each end half-closes and waits for the other's half-close. Checks that both ends of every session
 * received exactly what the other sent, and that lost sessions were lost at both ends; prints one
 * line. Frees streams. Returns the sums of bytes received. */
struct streamed {
    uint64_t from_clients, from_servers; /* bytes */
};
struct streamed streams_finish(struct streams *streams);

/* `bytes` bytes in each direction at once over one connection to `target`, whose other end arrives
 * at `listener`; compares the hashes of what was sent and received. */
struct transfer;
struct transfer *transfer_start(const struct endpoint *target, int listener, uint64_t bytes);
void transfer_finish(struct transfer *transfer);

/* True while bytes are missing in either direction. */
int transfer_running(const struct transfer *transfer);

#endif
