#include "proxy/tls/hello_gate.h"

#include "proxy/wire/client_hello.h"

#include <stdlib.h>
#include <string.h>

/* The longest hello with the headers of its records, unless these are very short. */
#define HELD_MOST (CLIENT_HELLO_MAX + 16u * 1024)

enum { CHANGE_CIPHER_SPEC = 20, HANDSHAKE = 22, CLIENT_HELLO = 1 };

static bool collect(unsigned char *to, unsigned char *length, unsigned char wanted,
                    unsigned char byte)
{
    to[(*length)++] = byte;
    return *length == wanted;
}

/* Of a record of another type, or without a byte, OpenSSL says what is wrong. */
static enum hello_gate_verdict begin_record(struct hello_gate *gate)
{
    const unsigned char type = gate->header[0];
    gate->header_length = 0;
    gate->record_left = (uint32_t)gate->header[3] << 8 | gate->header[4];
    if ((type == HANDSHAKE || type == CHANGE_CIPHER_SPEC) && gate->record_left > 0)
        return HELLO_GATE_HOLDS;
    return HELLO_GATE_NO_HELLO;
}

static enum hello_gate_verdict begin_message(struct hello_gate *gate)
{
    const unsigned char *at = gate->message;
    gate->message_left = (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    if (at[0] != CLIENT_HELLO || gate->message_left == 0)
        return HELLO_GATE_NO_HELLO;
    return gate->message_left > CLIENT_HELLO_MAX ? HELLO_GATE_TOO_LONG : HELLO_GATE_HOLDS;
}

/* Passes over what needs no look, up to the end of the record. Returns how much that is. */
static size_t pass(struct hello_gate *gate, size_t length)
{
    const uint32_t passed = length < gate->record_left ? (uint32_t)length : gate->record_left;
    gate->record_left -= passed;
    if (gate->header[0] == HANDSHAKE)
        gate->message_left -= passed < gate->message_left ? passed : gate->message_left;
    return passed;
}

static bool is_complete(const struct hello_gate *gate)
{
    return gate->record_left == 0 && gate->message_length == sizeof gate->message &&
           gate->message_left == 0;
}

/* Looks at each byte once. */
static enum hello_gate_verdict look(struct hello_gate *gate, const unsigned char *bytes,
                                    size_t length, size_t *at)
{
    enum hello_gate_verdict verdict = HELLO_GATE_HOLDS;
    *at = 0;
    while (*at < length && verdict == HELLO_GATE_HOLDS) {
        if (gate->record_left == 0) {
            if (collect(gate->header, &gate->header_length, sizeof gate->header, bytes[(*at)++]))
                verdict = begin_record(gate);
        } else if (gate->header[0] == HANDSHAKE && gate->message_length < sizeof gate->message) {
            gate->record_left--;
            if (collect(gate->message, &gate->message_length, sizeof gate->message, bytes[(*at)++]))
                verdict = begin_message(gate);
        } else {
            *at += pass(gate, length - *at);
            if (is_complete(gate))
                verdict = HELLO_GATE_OPENS;
        }
    }
    return verdict;
}

static bool keep(struct hello_gate *gate, const unsigned char *bytes, size_t length)
{
    const size_t wanted = gate->held_length + length;
    if (wanted > gate->held_room) {
        /* A client that sends single bytes must not make each of them a copy of all. */
        const size_t room = wanted + wanted / 2;
        unsigned char *more = realloc(gate->held, room);
        if (!more)
            return false;
        gate->held = more;
        gate->held_room = room;
    }
    if (length > 0)
        memcpy(gate->held + gate->held_length, bytes, length);
    gate->held_length = wanted;
    return true;
}

enum hello_gate_verdict hello_gate_take(struct hello_gate *gate, const unsigned char **bytes,
                                        size_t *length, size_t *used)
{
    enum hello_gate_verdict verdict = look(gate, *bytes, *length, used);
    if (verdict == HELLO_GATE_NO_HELLO)
        *used = *length;
    if (verdict == HELLO_GATE_TOO_LONG)
        return verdict;
    if (verdict != HELLO_GATE_HOLDS && gate->held_length == 0) {
        *length = *used;
        return verdict;
    }
    if (gate->held_length + *used > HELD_MOST && verdict == HELLO_GATE_HOLDS)
        return HELLO_GATE_TOO_LONG;
    if (!keep(gate, *bytes, *used))
        return HELLO_GATE_NO_MEMORY;
    *bytes = gate->held;
    *length = gate->held_length;
    return verdict;
}

void hello_gate_free(struct hello_gate *gate)
{
    free(gate->held);
    *gate = (struct hello_gate){0};
}
