/* The TLV of a PROXY header that describes the client's TLS: PP2_TYPE_SSL, as the specification has
 * it (2.2.6). Values in, values out; any thread. */
#ifndef RPPROXY_PROXY_WIRE_PROXY_SSL_H
#define RPPROXY_PROXY_WIRE_PROXY_SSL_H

#include <stdbool.h>
#include <stddef.h>

/* What the client has done, in the first byte of the value. */
enum proxy_ssl_client {
    PROXY_SSL_SPOKEN = 0x01,    /* it has connected by TLS */
    PROXY_SSL_CERTIFIED = 0x02, /* it has shown a certificate on this connection, ... */
    PROXY_SSL_KNOWN = 0x04,     /* ... or on an earlier one of the same TLS session */
};

/* Types of the TLVs inside. */
enum proxy_ssl_type {
    PROXY_SSL_VERSION = 0x21,
    PROXY_SSL_CN = 0x22,
    PROXY_SSL_CIPHER = 0x23,
    PROXY_SSL_SIG_ALG = 0x24,
    PROXY_SSL_KEY_ALG = 0x25,
};

struct proxy_ssl {
    unsigned client; /* PROXY_SSL_ bits */
    bool verified;   /* a certificate was shown, and was right */
    /* NULL: not told. */
    const char *version, *name, *cipher, *signature, *key;
};

/* Room that is always enough for texts of less than 256 bytes. */
#define PROXY_SSL_MAX (5 + 5 * (3 + 255))

/* Writes the value; returns its length. A text that is longer than 255 bytes is left out. */
size_t proxy_ssl_write(const struct proxy_ssl *ssl, unsigned char bytes[static PROXY_SSL_MAX]);

#endif
