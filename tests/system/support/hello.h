/* What TLS clients say first. */
#ifndef TESTS_SYSTEM_HELLO_H
#define TESTS_SYSTEM_HELLO_H

#include <stdbool.h>
#include <stddef.h>

struct bytes {
    size_t length;
    unsigned char bytes[8192];
};

/* What openssl s_client says first, with the protocol h2; false: there is no such program. */
bool record_hello(const char *name, struct bytes *hello);

/* Writes a hello whose name stands behind so much padding, in records of 16 KiB at most. Returns
 * its length. */
#define HELLO_MOST (2 * 65536)
size_t make_hello(const char *name, size_t padding, unsigned char wire[static HELLO_MOST]);

/* Each byte alone, as far as the kernel lets us say so. */
void send_pieces(int socket, const void *bytes, size_t length);

#endif
