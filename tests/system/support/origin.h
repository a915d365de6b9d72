/* Servers that run in a thread of the test, and the protocol of churn clients. */
#ifndef TESTS_SYSTEM_ORIGIN_H
#define TESTS_SYSTEM_ORIGIN_H

#include <stddef.h>
#include <stdint.h>

enum ending {
    ENDING_BY_CLIENT, /* the server waits for the client's end */
    ENDING_BY_SERVER, /* the server closes after its last byte */
    ENDING_HALF       /* the server answers only after the client's half-close, then closes */
};

/* What a client sends, in the machine's byte order. The answer is `length` bytes of pattern(id). */
struct request {
    uint64_t id;
    uint32_t length;
    uint32_t ending;
};

/* Bytes [offset, offset + length) of the endless, reproducible stream of `id`. */
void pattern_fill(uint64_t id, uint64_t offset, void *bytes, size_t length);

/* The offset, from `bytes`, of the first byte that is not the pattern's; length if all are. */
size_t pattern_mismatch(uint64_t id, uint64_t offset, const void *bytes, size_t length);

enum origin_kind {
    ORIGIN_ANSWER, /* struct request, repeatedly */
    ORIGIN_ECHO    /* returns what it receives, and closes at the client's end */
};

struct origin;

/* Listens on 127.0.0.1 and serves until the test's process ends. */
struct origin *origin_start(enum origin_kind kind);

/* The same on a listening socket of the caller, which belongs to the origin from then on. */
struct origin *origin_start_on(enum origin_kind kind, int listener);

uint16_t origin_port(const struct origin *origin);

/* Connections accepted so far. May be called from any thread. */
uint64_t origin_accepted(const struct origin *origin);

#endif
