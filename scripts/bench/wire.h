/* The protocol between the load generator and the origin: messages of 64 bytes with a check over
 * all bytes, and an endless pattern for bulk. Both run on one machine, so numbers are in its byte
 * order. */
#ifndef SCRIPTS_BENCH_WIRE_H
#define SCRIPTS_BENCH_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum op {
    OP_REQUEST = 1, /* answered by OP_ANSWER: the same number, the origin in `detail` */
    OP_ANSWER,
    OP_DOWNLOAD, /* the origin sends the pattern from position `detail` until the client closes */
    OP_UPLOAD,   /* the client sends the pattern from position `detail`; an OP_VERDICT answers
                    every VERDICT_EVERY bytes that were right */
    OP_VERDICT,  /* `detail` bytes have arrived so far */
    OP_FAREWELL, /* as OP_REQUEST, and the origin closes the connection after its answer */
};

#define VERDICT_EVERY (4ULL << 20)

struct message {
    uint64_t op, number, detail;
    uint64_t proof[5];
};
_Static_assert(sizeof(struct message) == 64, "a message is 64 bytes");

struct message message_make(enum op op, uint64_t number, uint64_t detail);

/* Returns whether all 64 bytes are equal to message_make(op, number, message->detail). */
bool message_is(const struct message *message, enum op op, uint64_t number);

/* A TLS ClientHello for the server name HELLO_NAME, in as many bytes as a message has: for proxies
 * that route by it. The origin reads it and answers nothing. */
#define HELLO_NAME "a.b"
struct message message_hello(void);
bool message_is_hello(const struct message *message);

/* The pattern repeats after a prime number of bytes, so that a lost or doubled buffer is detected.
 * PATTERN_RUN bytes from pattern_at() can be read; call pattern_init() first. */
#define PATTERN_RUN ((size_t)256 << 10)
void pattern_init(void);
const uint8_t *pattern_at(uint64_t position);

#endif
