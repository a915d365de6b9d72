/* Long sessions in which every eight bytes say which session, which way and where in the stream
 * they are, so that whatever is lost, doubled, reordered or misdelivered is seen where it happens.
 * One thread drives both ends of all of them; some send in bulk, most a little now and then. */
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

/* They send a little each `tick_ms` from now on, so that they cost less. */
void streams_slow_down(struct streams *streams, unsigned tick_ms);

/* Before the first is opened: each client end sends a few words, and 50 to 100 ms after the answer
 * a few more; its server end only answers. So they cost little, and a pause is what an answer
 * takes. */
void streams_pace(struct streams *streams);

/* From now on a session whose end comes early, or by a reset, is lost and not an error. */
void streams_may_be_lost(struct streams *streams);

/* Sessions lost so far. */
unsigned streams_lost(const struct streams *streams);

/* Returns when every session has moved at least `words` of 8 bytes each way since the call, or
 * is lost, or the test fails. */
void streams_wait_progress(struct streams *streams, uint64_t words);

/* For how many milliseconds sessions have waited for their next bytes, or paced ones for answers,
 * since the call before. */
struct pauses {
    double longest;
    double
        one_in_1000; /* of each end's longest one all but one in a thousand were at most so long */
    double percentile; /* likewise of all: the 99.9th */
};
struct pauses streams_pauses(struct streams *streams);

/* Each end finishes with a half-close and waits for the other's. Checks that both ends of every
 * session saw the whole of what the other sent and nothing else, and that of those lost both were;
 * prints one line. Releases it. Returns what came, all in all. */
struct streamed {
    uint64_t from_clients, from_servers; /* bytes */
};
struct streamed streams_finish(struct streams *streams);

/* `bytes` bytes each way at once over one connection to `target`, whose other end comes in at
 * `listener`; compares the hashes of what was sent and what came. */
struct transfer;
struct transfer *transfer_start(const struct endpoint *target, int listener, uint64_t bytes);
void transfer_finish(struct transfer *transfer);

/* True while bytes are still to come on one way or the other. */
int transfer_running(const struct transfer *transfer);

#endif
