#include "scripts/bench/wire.h"

#include <string.h>

#define PATTERN_PERIOD 65521U

static uint8_t pattern[PATTERN_PERIOD + PATTERN_RUN];

/* The output function of splitmix64: every bit of x reaches every bit of the result. */
static uint64_t scramble(uint64_t x)
{
    x += 0x9e3779b97f4a7c15U;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9U;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebU;
    return x ^ (x >> 31);
}

struct message message_make(enum op op, uint64_t number, uint64_t detail)
{
    struct message message = {.op = op, .number = number, .detail = detail};
    uint64_t proof = scramble(op) ^ scramble(number) ^ detail;
    for (size_t i = 0; i < 5; i++) {
        message.proof[i] = proof = scramble(proof);
    }
    return message;
}

bool message_is(const struct message *message, enum op op, uint64_t number)
{
    struct message right = message_make(op, number, message->detail);
    return memcmp(message, &right, sizeof right) == 0;
}

struct message message_hello(void)
{
    static const uint8_t begin[] = {0x16, 3, 1, 0, 59, 1, 0, 0, 55, 3, 3};  /* ..., 32 random */
    static const uint8_t end[] = {0,   0,   2,  0x13, 1, 1, 0, 0, 12, 0, 0, /* one cipher suite */
                                  0,   8,   0,  6,    0, 0, 3,              /* server_name */
                                  'a', '.', 'b'};
    _Static_assert(sizeof begin + 32 + sizeof end == sizeof(struct message), "a message");
    struct message message = {0};
    memcpy(&message, begin, sizeof begin);
    memcpy((uint8_t *)&message + sizeof begin + 32, end, sizeof end);
    return message;
}

bool message_is_hello(const struct message *message)
{
    struct message hello = message_hello();
    return memcmp(message, &hello, sizeof hello) == 0;
}

void pattern_init(void)
{
    for (size_t i = 0; i < sizeof pattern; i++) {
        pattern[i] = (uint8_t)scramble(i % PATTERN_PERIOD);
    }
}

const uint8_t *pattern_at(uint64_t position)
{
    return pattern + position % PATTERN_PERIOD;
}
