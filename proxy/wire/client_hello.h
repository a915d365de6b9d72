/* Reads a TLS ClientHello, in pieces as they come from the wire, as far as choosing a backend needs
 * it: the server name and the list of application protocols (ALPN).
 *
 * The parser keeps its place, so each byte is looked at once, however small the pieces are, and it
 * allocates nothing. It reads through record boundaries (a hello may be split over many records,
 * and be longer than one). Unknown extensions are passed over, GREASE among them; of an Encrypted
 * ClientHello this is the outer hello, with the outer name. RFC 8446 (4.1.2, 5.1), RFC 6066 (3),
 * RFC 7301 (3.1). */
#ifndef RPPROXY_PROXY_WIRE_CLIENT_HELLO_H
#define RPPROXY_PROXY_WIRE_CLIENT_HELLO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A hello that announces more than this is HELLO_WRONG. */
#define CLIENT_HELLO_MAX (64u * 1024)
#define HELLO_NAME_MAX   255
#define HELLO_ALPN_MAX   255

enum hello_verdict {
    HELLO_MORE,     /* what has come may be the beginning of a ClientHello */
    HELLO_COMPLETE, /* name and alpn are those of the hello */
    HELLO_NOT_TLS,  /* something else */
    HELLO_SSLV2,    /* a hello in the form of SSL 2.0, which has no names; not TLS */
    HELLO_WRONG,    /* it began as a ClientHello, and its structure is wrong; name and alpn are
                       empty */
};

struct client_hello {
    enum hello_verdict verdict;
    bool begun; /* the first six bytes are those of a ClientHello: this is TLS, and stays so */
    /* Valid when the verdict is HELLO_COMPLETE. The name is in lower case, without a dot at its
     * end, of printable ASCII without spaces; "": the hello has none. */
    char name[HELLO_NAME_MAX + 1];
    /* The protocols, each behind a byte with its length. Those that find no room are left out. */
    unsigned char alpn[HELLO_ALPN_MAX];
    uint16_t alpn_length;

    /* The parser's own. */
    unsigned char field, header_length, name_length, name_at;
    bool in_extension, has_name, has_alpn, stores_alpn;
    unsigned char header[5];
    uint16_t extension_type;
    uint32_t number;         /* that is being read */
    uint32_t want;           /* bytes that the field still needs */
    uint32_t record_left;    /* of the record's payload */
    uint32_t message_left;   /* behind the field */
    uint32_t extension_left; /* the same, of the extension */
};

void client_hello_begin(struct client_hello *hello);

/* Takes the next bytes. Once the verdict is another than HELLO_MORE, further bytes change nothing.
 */
enum hello_verdict client_hello_feed(struct client_hello *hello, const unsigned char *bytes,
                                     size_t length);

/* A hello that was answered already, by OpenSSL: the name that the client asked for (NULL: none),
 * and the protocol that was chosen (length 0: none). A name that no hello could have counts as
 * none. */
void client_hello_know(struct client_hello *hello, const char *name, const unsigned char *protocol,
                       unsigned char length);

/* Whether the hello offers this protocol. Bytes are compared as they are (RFC 7301). */
bool client_hello_offers(const struct client_hello *hello, const void *protocol, size_t length);

#endif
