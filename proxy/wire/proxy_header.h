/* The header of the PROXY protocol, versions 1 and 2, as its specification has it (HAProxy,
 * doc/proxy-protocol.txt, 2020/03/05 and later): reading it from the first bytes of a connection,
 * and writing it. Values in, values out: no socket, no memory, any thread. */
#ifndef RPPROXY_PROXY_WIRE_PROXY_HEADER_H
#define RPPROXY_PROXY_WIRE_PROXY_HEADER_H

#include "config/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The longest header that is read or written, in bytes. Of version 1 the specification has the
 * limit. Of version 2 it allows 65,551; the limit here has room for a client's certificate. */
#define PROXY_HEADER_V1_MAX 107
#define PROXY_HEADER_MAX    16384

/* Types of a TLV (type, length, value), of which a header of version 2 may have some. */
enum proxy_tlv_type {
    PROXY_TLV_ALPN = 0x01,
    PROXY_TLV_AUTHORITY = 0x02, /* the server name that a TLS client has asked for */
    PROXY_TLV_CRC32C = 0x03,
    PROXY_TLV_NOOP = 0x04,
    PROXY_TLV_UNIQUE_ID = 0x05,
    PROXY_TLV_SSL = 0x20,
    PROXY_TLV_NETNS = 0x30,
};

/* The first bytes of version 2, without the NUL; the 13th byte; the halves of the 14th. */
#define PROXY_V2_BEGIN "\r\n\r\n\0\r\nQUIT\n"
#define PROXY_V2_HEAD  16 /* bytes: these, and the length of the rest */
enum { PROXY_V2_LOCAL = 0x20, PROXY_V2_PROXY = 0x21 };
enum { PROXY_V2_UNSPEC = 0, PROXY_V2_INET = 1, PROXY_V2_INET6 = 2, PROXY_V2_UNIX = 3 };
enum { PROXY_V2_STREAM = 1, PROXY_V2_DATAGRAM = 2 };

#define PROXY_TLV_HEAD          3 /* bytes before the value */
#define PROXY_UNIQUE_ID_MAX     128
#define PROXY_AUTHORITY_MAX     255
#define PROXY_TLV_CRC32C_LENGTH 4

/* The value is the memory of another. */
struct proxy_tlv {
    unsigned char type;
    uint16_t length;
    const unsigned char *value;
};

enum proxy_header_result {
    PROXY_HEADER_NEED_MORE, /* the bytes are the beginning of a header, or may be */
    PROXY_HEADER_NONE,      /* the bytes begin otherwise than a header does */
    PROXY_HEADER_BAD,       /* they begin as a header, and are none */
    PROXY_HEADER_DONE,
};

struct proxy_header {
    size_t length; /* bytes; those behind them are the client's */
    /* As they were told; length 0: they were not, and those of the connection hold (LOCAL, UNKNOWN,
     * and what is no stream). Both are told, or none. An IPv4-mapped address has become the IPv4
     * address. */
    struct address source, destination;
    /* All TLVs, in the memory of the bytes that were read; each of them lies within `tlvs_length`.
     * Those that are not known are among them. */
    const unsigned char *tlvs;
    size_t tlvs_length;
    unsigned char version; /* 1 or 2 */
    bool local;            /* LOCAL: the sender has opened the connection for itself */
    const char *wrong;     /* of PROXY_HEADER_BAD: what is wrong, in words */
};

/* Reads the first bytes of a connection, all that have come so far. Another result than
 * PROXY_HEADER_NEED_MORE does not change when more bytes come. A checksum is verified where there
 * is one. *header is complete with PROXY_HEADER_DONE; with PROXY_HEADER_BAD it has `wrong`. */
enum proxy_header_result proxy_header_read(const unsigned char *bytes, size_t length,
                                           struct proxy_header *header);

/* Goes through TLVs that lie in *bytes: takes the first, and moves bytes and length past it. False:
 * there is none, or (*length is not 0 then) it is cut off. */
bool proxy_tlv_next(const unsigned char **bytes, size_t *length, struct proxy_tlv *tlv);

/* The first TLV of a type; false: there is none. */
bool proxy_tlv_find(const unsigned char *bytes, size_t length, unsigned char type,
                    struct proxy_tlv *tlv);

#endif
