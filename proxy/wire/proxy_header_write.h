/* Writing a header of the PROXY protocol (proxy_header.h). Values in, values out; any thread. */
#ifndef RPPROXY_PROXY_WIRE_PROXY_HEADER_WRITE_H
#define RPPROXY_PROXY_WIRE_PROXY_HEADER_WRITE_H

#include "proxy/wire/proxy_header.h"

/* What a header is to say. */
struct proxy_header_text {
    unsigned version; /* 1 or 2 */
    /* Version 2: LOCAL, as for a check; the server takes the connection for what it is. Version 1
     * has no such word: for a check the specification wants the two addresses of the connection
     * itself. */
    bool local;
    /* Of the client's connection. Two of different IP versions are written as IPv6. Two IPv4-mapped
     * ones are written as IPv4. Where one is NULL, or has no length, or only one is a Unix address,
     * nothing is told: UNKNOWN, and UNSPEC in version 2. Version 1 has no Unix addresses: UNKNOWN.
     */
    const struct address *source, *destination;
    /* Version 2 only: TLVs, and behind them TLVs as they were read, both without a checksum. */
    const struct proxy_tlv *tlvs;
    size_t tlv_count;
    const unsigned char *passed;
    size_t passed_length;
    bool checksum; /* version 2 only: with a TLV that has the CRC32c */
};

/* Returns the length of the header that was written, or 0: there is not so much room. Room for
 * PROXY_HEADER_LEAST and the TLVs is always enough. */
#define PROXY_HEADER_LEAST (16 + 216 + PROXY_TLV_HEAD + PROXY_TLV_CRC32C_LENGTH)
size_t proxy_header_write(const struct proxy_header_text *text, unsigned char *bytes, size_t room)
    __attribute__((warn_unused_result));

#endif
