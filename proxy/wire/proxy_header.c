#include "proxy/wire/proxy_header.h"

#include "proxy/wire/crc32c.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const unsigned char v1_begin[] = {'P', 'R', 'O', 'X', 'Y', ' '};
static const unsigned char v2_begin[] = PROXY_V2_BEGIN;

/* Without the NUL of the text. */
#define V2_BEGIN_LENGTH (sizeof v2_begin - 1)

/* Of both addresses and ports, by family. */
static const size_t v2_addresses_length[] = {0, 12, 36, 216};

static enum proxy_header_result bad(struct proxy_header *header, const char *wrong)
{
    header->wrong = wrong;
    return PROXY_HEADER_BAD;
}

static void set_inet(struct address *address, const void *host, const void *port)
{
    *address = (struct address){.length = sizeof address->in, .in.sin_family = AF_INET};
    memcpy(&address->in.sin_addr, host, sizeof address->in.sin_addr);
    memcpy(&address->in.sin_port, port, sizeof address->in.sin_port);
}

static void set_inet6(struct address *address, const void *host, const void *port)
{
    *address = (struct address){.length = sizeof address->in6, .in6.sin6_family = AF_INET6};
    memcpy(&address->in6.sin6_addr, host, sizeof address->in6.sin6_addr);
    memcpy(&address->in6.sin6_port, port, sizeof address->in6.sin6_port);
    address_unmap(address);
}

/* A name begins with NUL if it is abstract; the NULs behind either kind are padding. */
static void set_unix(struct address *address, const unsigned char *path)
{
    size_t length = sizeof address->un.sun_path;
    if (path[0])
        length = strnlen((const char *)path, length);
    while (length > 0 && path[length - 1] == '\0')
        length--;
    *address = (struct address){.un.sun_family = AF_UNIX};
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
    memcpy(address->un.sun_path, path, length);
}

/* --- TLVs ------------------------------------------------------------------------------------ */

bool proxy_tlv_next(const unsigned char **bytes, size_t *length, struct proxy_tlv *tlv)
{
    const unsigned char *at = *bytes;
    if (*length < PROXY_TLV_HEAD)
        return false;
    *tlv = (struct proxy_tlv){
        .type = at[0], .length = (uint16_t)(at[1] << 8 | at[2]), .value = at + PROXY_TLV_HEAD};
    if (*length - PROXY_TLV_HEAD < tlv->length)
        return false;
    *bytes += PROXY_TLV_HEAD + tlv->length;
    *length -= PROXY_TLV_HEAD + tlv->length;
    return true;
}

bool proxy_tlv_find(const unsigned char *bytes, size_t length, unsigned char type,
                    struct proxy_tlv *tlv)
{
    while (proxy_tlv_next(&bytes, &length, tlv))
        if (tlv->type == type)
            return true;
    return false;
}

static bool checksum_is_right(const unsigned char *header, size_t length,
                              const unsigned char *checksum)
{
    const unsigned char zeros[PROXY_TLV_CRC32C_LENGTH] = {0};
    size_t before = (size_t)(checksum - header);
    size_t behind = before + sizeof zeros;
    uint32_t crc = crc32c(0, header, before);
    crc = crc32c(crc, zeros, sizeof zeros);
    crc = crc32c(crc, header + behind, length - behind);
    uint32_t told;
    memcpy(&told, checksum, sizeof told);
    return ntohl(told) == crc;
}

/* What is wrong with the TLVs of a header that is complete, or NULL. */
static const char *judge_tlvs(const struct proxy_header *header, const unsigned char *begin)
{
    const unsigned char *at = header->tlvs;
    size_t left = header->tlvs_length;
    struct proxy_tlv tlv;
    while (proxy_tlv_next(&at, &left, &tlv)) {
        if (tlv.type == PROXY_TLV_UNIQUE_ID && tlv.length > PROXY_UNIQUE_ID_MAX)
            return "its unique id is longer than 128 bytes";
        if (tlv.type == PROXY_TLV_AUTHORITY && tlv.length > PROXY_AUTHORITY_MAX)
            return "its authority is longer than 255 bytes";
        if (tlv.type != PROXY_TLV_CRC32C)
            continue;
        if (tlv.length != PROXY_TLV_CRC32C_LENGTH)
            return "its checksum does not have 4 bytes";
        if (!checksum_is_right(begin, header->length, tlv.value))
            return "its checksum is wrong";
    }
    return left == 0 ? NULL : "a TLV is longer than the header";
}

static bool tlvs_are_whole(const struct proxy_header *header)
{
    const unsigned char *at = header->tlvs;
    size_t left = header->tlvs_length;
    struct proxy_tlv tlv;
    while (proxy_tlv_next(&at, &left, &tlv))
        ;
    return left == 0;
}

/* --- version 2 ----------------------------------------------------------------------- */

static void read_v2_addresses(const unsigned char *at, unsigned family, struct proxy_header *header)
{
    if (family == PROXY_V2_INET) {
        set_inet(&header->source, at, at + 8);
        set_inet(&header->destination, at + 4, at + 10);
    } else if (family == PROXY_V2_INET6) {
        set_inet6(&header->source, at, at + 32);
        set_inet6(&header->destination, at + 16, at + 34);
    } else if (family == PROXY_V2_UNIX) {
        set_unix(&header->source, at);
        set_unix(&header->destination, at + 108);
    }
}

/* So much of the head as there is. */
static const char *judge_v2_head(const unsigned char *bytes, size_t length)
{
    if (length <= 12)
        return NULL;
    if (bytes[12] >> 4 != 2)
        return "its version is not 2";
    if (bytes[12] != PROXY_V2_LOCAL && bytes[12] != PROXY_V2_PROXY)
        return "its command is neither LOCAL nor PROXY";
    if (length <= 13 || bytes[12] == PROXY_V2_LOCAL)
        return NULL;
    if (bytes[13] >> 4 > PROXY_V2_UNIX || (bytes[13] & 15) > PROXY_V2_DATAGRAM)
        return "its address family or protocol is none of the specification";
    return NULL;
}

static enum proxy_header_result read_v2(const unsigned char *bytes, size_t length,
                                        struct proxy_header *header)
{
    const char *wrong = judge_v2_head(bytes, length);
    if (wrong)
        return bad(header, wrong);
    if (length < PROXY_V2_HEAD)
        return PROXY_HEADER_NEED_MORE;
    bool local = bytes[12] == PROXY_V2_LOCAL;
    unsigned family = bytes[13] >> 4, protocol = bytes[13] & 15;
    size_t rest = (size_t)(bytes[14] << 8 | bytes[15]);
    size_t addresses = family <= PROXY_V2_UNIX ? v2_addresses_length[family] : 0;
    if (PROXY_V2_HEAD + rest > PROXY_HEADER_MAX)
        return bad(header, "it is longer than 16384 bytes");
    if (addresses > rest && !local)
        return bad(header, "its addresses do not fit in");
    if (length < PROXY_V2_HEAD + rest)
        return PROXY_HEADER_NEED_MORE;

    /* Of what tells no addresses, the specification does not say where TLVs begin, if there are any
     * at all. Those that begin where they should, and end with the header, are taken for TLVs. */
    bool tells = !local && family != PROXY_V2_UNSPEC && protocol == PROXY_V2_STREAM;
    header->version = 2;
    header->local = local;
    header->length = PROXY_V2_HEAD + rest;
    if (addresses > rest)
        addresses = rest;
    header->tlvs = bytes + PROXY_V2_HEAD + addresses;
    header->tlvs_length = rest - addresses;
    if (!tells && !tlvs_are_whole(header))
        header->tlvs_length = 0;
    wrong = judge_tlvs(header, bytes);
    if (wrong)
        return bad(header, wrong);
    if (tells)
        read_v2_addresses(bytes + PROXY_V2_HEAD, family, header);
    return PROXY_HEADER_DONE;
}

/* --- version 1 ----------------------------------------------------------------------- */

/* A part of the line: what comes before the next space, or the end. */
struct word {
    const char *text;
    size_t length;
};

/* Takes the next word; false: the line has no more words. */
static bool next_word(const char **at, const char *end, struct word *word)
{
    if (*at > end)
        return false;
    const char *space = memchr(*at, ' ', (size_t)(end - *at));
    const char *stop = space ? space : end;
    *word = (struct word){.text = *at, .length = (size_t)(stop - *at)};
    *at = stop + 1;
    return true;
}

static bool word_is(const struct word *word, const char *text)
{
    return word->length == strlen(text) && memcmp(word->text, text, word->length) == 0;
}

/* inet_pton(3) takes no leading zeros, no spaces and no short forms. */
static bool read_host(const struct word *word, int family, void *host)
{
    char text[INET6_ADDRSTRLEN];
    if (word->length == 0 || word->length >= sizeof text || memchr(word->text, '\0', word->length))
        return false;
    memcpy(text, word->text, word->length);
    text[word->length] = '\0';
    return inet_pton(family, text, host) == 1;
}

static bool read_port(const struct word *word, in_port_t *port)
{
    unsigned value = 0;
    if (word->length == 0 || word->length > 5 || (word->text[0] == '0' && word->length > 1))
        return false;
    for (size_t i = 0; i < word->length; i++) {
        if (word->text[i] < '0' || word->text[i] > '9')
            return false;
        value = value * 10 + (unsigned)(word->text[i] - '0');
    }
    *port = htons((in_port_t)value);
    return value <= 65535;
}

static const char *read_v1_addresses(const char *at, const char *end, int family,
                                     struct proxy_header *header)
{
    struct word words[4];
    struct in6_addr source, destination;
    in_port_t ports[2];
    for (unsigned i = 0; i < 4; i++)
        if (!next_word(&at, end, &words[i]))
            return "two addresses and two ports are expected";
    if (at <= end)
        return "something follows the ports";
    if (!read_host(&words[0], family, &source) || !read_host(&words[1], family, &destination))
        return family == AF_INET ? "not an IPv4 address" : "not an IPv6 address";
    if (!read_port(&words[2], &ports[0]) || !read_port(&words[3], &ports[1]))
        return "not a port: 0 to 65535";
    void (*set)(struct address *, const void *, const void *) =
        family == AF_INET ? set_inet : set_inet6;
    set(&header->source, &source, &ports[0]);
    set(&header->destination, &destination, &ports[1]);
    return NULL;
}

/* at: behind "PROXY "; end: the CR. */
static const char *read_v1_line(const char *at, const char *end, struct proxy_header *header)
{
    struct word protocol = {0};
    (void)next_word(&at, end, &protocol); /* it may be empty, but it is there */
    if (word_is(&protocol, "TCP4"))
        return read_v1_addresses(at, end, AF_INET, header);
    if (word_is(&protocol, "TCP6"))
        return read_v1_addresses(at, end, AF_INET6, header);
    return word_is(&protocol, "UNKNOWN") ? NULL : "its protocol is none of TCP4, TCP6 and UNKNOWN";
}

/* The place of the CR of a CR LF, or of what cannot be part of a line; most: there is neither.
 * Behind UNKNOWN all other bytes have to be passed over. */
static size_t find_v1_end(const unsigned char *bytes, size_t from, size_t most)
{
    bool unknown = bytes[from] == 'U';
    for (size_t i = from; i < most; i++) {
        bool ends = bytes[i] == '\r' && (i + 1 == most || bytes[i + 1] == '\n');
        if (ends || (!unknown && (bytes[i] == '\r' || bytes[i] == '\n')))
            return i;
    }
    return most;
}

static enum proxy_header_result read_v1(const unsigned char *bytes, size_t length,
                                        struct proxy_header *header)
{
    size_t most = length < PROXY_HEADER_V1_MAX ? length : PROXY_HEADER_V1_MAX;
    if (most == sizeof v1_begin)
        return PROXY_HEADER_NEED_MORE;
    size_t end = find_v1_end(bytes, sizeof v1_begin, most);
    if (end >= PROXY_HEADER_V1_MAX - 1)
        return bad(header, "no CR LF in its first 107 bytes");
    if (end == most || (end + 1 == most && bytes[end] == '\r'))
        return PROXY_HEADER_NEED_MORE;
    if (bytes[end] != '\r' || bytes[end + 1] != '\n')
        return bad(header, "its line does not end with CR LF");
    const char *line = (const char *)bytes;
    const char *wrong = read_v1_line(line + sizeof v1_begin, line + end, header);
    if (wrong)
        return bad(header, wrong);
    header->version = 1;
    header->length = end + 2;
    return PROXY_HEADER_DONE;
}

/* True: the bytes are this beginning, or a part of it. */
static bool begins(const unsigned char *bytes, size_t length, const unsigned char *begin,
                   size_t begin_length)
{
    return memcmp(bytes, begin, length < begin_length ? length : begin_length) == 0;
}

enum proxy_header_result proxy_header_read(const unsigned char *bytes, size_t length,
                                           struct proxy_header *header)
{
    memset(header, 0, sizeof *header);
    if (length == 0)
        return PROXY_HEADER_NEED_MORE;
    bool v1 = begins(bytes, length, v1_begin, sizeof v1_begin);
    if (!v1 && !begins(bytes, length, v2_begin, V2_BEGIN_LENGTH))
        return PROXY_HEADER_NONE;
    if (length < (v1 ? sizeof v1_begin : V2_BEGIN_LENGTH))
        return PROXY_HEADER_NEED_MORE;
    return v1 ? read_v1(bytes, length, header) : read_v2(bytes, length, header);
}
