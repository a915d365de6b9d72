/* Holds what a client says until its ClientHello is complete. OpenSSL makes room for the whole
 * message as soon as its length is known, 175 KB for a client that has sent nine bytes; so only a
 * complete one is given to it, and a client that stops in the middle costs what it has sent. */
#ifndef RPPROXY_PROXY_TLS_HELLO_GATE_H
#define RPPROXY_PROXY_TLS_HELLO_GATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hello_gate {
    unsigned char *held; /* what has come so far; NULL: nothing is held */
    size_t held_length, held_room;
    /* Its own. */
    unsigned char header[5], header_length;   /* of a record */
    unsigned char message[4], message_length; /* type and length of the message */
    uint32_t record_left, message_left;
};

enum hello_gate_verdict {
    HELLO_GATE_HOLDS,    /* all bytes are kept, and more must come */
    HELLO_GATE_OPENS,    /* the hello is complete, with the records that it is in */
    HELLO_GATE_NO_HELLO, /* something else, which OpenSSL judges better */
    HELLO_GATE_TOO_LONG,
    HELLO_GATE_NO_MEMORY,
};

/* Takes the next bytes, and sets *used to how many of them belong to the hello. HELLO_GATE_OPENS
 * and HELLO_GATE_NO_HELLO: *bytes and *length are what is for OpenSSL: what was held, and those of
 * the bytes that are used; valid until hello_gate_free(). */
enum hello_gate_verdict hello_gate_take(struct hello_gate *gate, const unsigned char **bytes,
                                        size_t *length, size_t *used)
    __attribute__((warn_unused_result));

/* Forgets all: the gate may be used for the next hello. */
void hello_gate_free(struct hello_gate *gate);

#endif
