#include "proxy/wire/crc32c.h"
#include "proxy/wire/proxy_header_write.h"
#include "proxy/wire/proxy_ssl.h"
#include "tests/unit/suites.h"

#include <stdlib.h>
#include <string.h>

/* --- the checksum ---------------------------------------------------------------------------- */

/* RFC 3720, appendix B.4, and the check value of the catalogues. */
START_TEST(checksums_are_those_of_the_rfc)
{
    unsigned char bytes[32];
    memset(bytes, 0, sizeof bytes);
    ck_assert_uint_eq(crc32c(0, bytes, sizeof bytes), 0x8a9136aa);
    memset(bytes, 0xff, sizeof bytes);
    ck_assert_uint_eq(crc32c(0, bytes, sizeof bytes), 0x62a8ab43);
    for (unsigned char i = 0; i < sizeof bytes; i++)
        bytes[i] = i;
    ck_assert_uint_eq(crc32c(0, bytes, sizeof bytes), 0x46dd794e);
    for (unsigned char i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(31 - i);
    ck_assert_uint_eq(crc32c(0, bytes, sizeof bytes), 0x113fdb5c);
    ck_assert_uint_eq(crc32c(0, "123456789", 9), 0xe3069283);
    ck_assert_uint_eq(crc32c(0, NULL, 0), 0);
}
END_TEST

START_TEST(checksum_of_parts_is_that_of_the_whole)
{
    const char text[] = "the same in parts";
    for (size_t i = 0; i <= sizeof text; i++)
        ck_assert_uint_eq(crc32c(crc32c(0, text, i), text + i, sizeof text - i),
                          crc32c(0, text, sizeof text));
}
END_TEST

/* --- reading --------------------------------------------------------------------------------- */

#define V2        "\r\n\r\n\0\r\nQUIT\n"
#define HOSTS     "\xc0\xa8\x00\x01\xc0\xa8\x00\x0b"
#define PORTS     "\xdc\x04\x01\xbb"
#define HOST6(n)  "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0" n
#define MAPPED(n) "\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0" n
#define TEN(x)    x x x x x x x x x x
#define BYTES(x)  x, sizeof(x) - 1
#define SOURCE    "192.168.0.1:56324"
#define TARGET    "192.168.0.11:443"
#define ONES      "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"
#define V1_LONGEST                                                                                 \
    "PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "                                       \
    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"

/* Data follows each of them. */
static const struct {
    const char *bytes;
    size_t length;
    const char *source, *destination; /* NULL: not told */
    unsigned version;
    bool local;
} good[] = {
    /* The specification's own examples, and its longest lines. */
    {BYTES("PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n"), SOURCE, TARGET, 1, false},
    {BYTES("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n"), "255.255.255.255:65535",
     "255.255.255.255:65535", 1, false},
    {BYTES("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n"),
     ONES, ONES, 1, false},
    {BYTES("PROXY UNKNOWN\r\n"), NULL, NULL, 1, false},
    {BYTES(V1_LONGEST), NULL, NULL, 1, false},
    {BYTES("PROXY UNKNOWN \r\n"), NULL, NULL, 1, false},
    {BYTES("PROXY UNKNOWN a\rb\nc \0\xff  d\r\n"), NULL, NULL, 1, false},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 0 0\r\n"), "1.2.3.4:0", "5.6.7.8:0", 1, false},
    {BYTES("PROXY TCP6 2001:DB8::1 ::1 1 2\r\n"), "[2001:db8::1]:1", "[::1]:2", 1, false},
    {BYTES("PROXY TCP6 ::ffff:10.0.0.1 ::ffff:a00:2 1 2\r\n"), "10.0.0.1:1", "10.0.0.2:2", 1,
     false},
    {BYTES(V2 "\x21\x11\0\x0c" HOSTS PORTS), SOURCE, TARGET, 2, false},
    {BYTES(V2 "\x21\x21\0\x24" HOST6("\1") HOST6("\2") PORTS), "[2001:db8::1]:56324",
     "[2001:db8::2]:443", 2, false},
    {BYTES(V2 "\x21\x21\0\x24" MAPPED("\1") MAPPED("\2") PORTS), "10.0.0.1:56324", "10.0.0.2:443",
     2, false},
    {BYTES(V2 "\x21\x21\0\x24" MAPPED("\1") HOST6("\2") PORTS), "10.0.0.1:56324",
     "[2001:db8::2]:443", 2, false},
    {BYTES(V2 "\x20\0\0\0"), NULL, NULL, 2, true},
    {BYTES(V2 "\x20\x11\0\x0c" HOSTS PORTS), NULL, NULL, 2, true},
    {BYTES(V2 "\x20\xff\0\x03xyz"), NULL, NULL, 2, true},
    {BYTES(V2 "\x20\x11\0\x03xyz"), NULL, NULL, 2, true},
    {BYTES(V2 "\x21\0\0\0"), NULL, NULL, 2, false},
    {BYTES(V2 "\x21\0\0\x05hello"), NULL, NULL, 2, false},
    {BYTES(V2 "\x21\x01\0\0"), NULL, NULL, 2, false},
    {BYTES(V2 "\x21\x10\0\x0c" HOSTS PORTS), NULL, NULL, 2, false},
    {BYTES(V2 "\x21\x12\0\x0c" HOSTS PORTS), NULL, NULL, 2, false},
    /* TLVs: NOOP, one that is not known, one without a value. */
    {BYTES(V2 "\x21\x11\0\x19" HOSTS PORTS "\x04\0\x02"
              "ab"
              "\xee\0\x02"
              "yz"
              "\xe1\0\0"),
     SOURCE, TARGET, 2, false},
};

static void expect_address(const struct address *address, const char *text)
{
    char is[ADDRESS_TEXT_MAX];
    ck_assert_str_eq(address_format(address, is), text ? text : "none");
}

static enum proxy_header_result read_copy(const unsigned char *bytes, size_t length,
                                          struct proxy_header *header)
{
    unsigned char *copy = malloc(length ? length : 1); /* so that a sanitizer sees the end */
    ck_assert_ptr_nonnull(copy);
    memcpy(copy, bytes, length);
    enum proxy_header_result result = proxy_header_read(copy, length, header);
    free(copy);
    return result;
}

/* One byte more each time, and then the client's data. */
START_TEST(header_is_read_in_pieces)
{
    const size_t length = good[_i].length;
    struct proxy_header header;
    unsigned char bytes[300];
    memcpy(bytes, good[_i].bytes, length);
    memset(bytes + length, '\n', sizeof bytes - length);
    for (size_t i = 0; i < length; i++)
        ck_assert_int_eq(read_copy(bytes, i, &header), PROXY_HEADER_NEED_MORE);
    for (size_t i = length; i <= sizeof bytes; i += 20) {
        ck_assert_int_eq(read_copy(bytes, i, &header), PROXY_HEADER_DONE);
        ck_assert_uint_eq(header.length, length);
        ck_assert_uint_eq(header.version, good[_i].version);
        ck_assert_int_eq(header.local, good[_i].local);
        expect_address(&header.source, good[_i].source);
        expect_address(&header.destination, good[_i].destination);
    }
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
    const char *wrong; /* NULL: they are no header */
} wrong[] = {
    {BYTES("GET / HTTP/1.1\r\n"), NULL},
    {BYTES("G"), NULL},
    {BYTES("PROXY\tTCP4"), NULL},
    {BYTES("PROXX"), NULL},
    {BYTES("proxy "), NULL},
    {BYTES("\0"), NULL},
    {BYTES("\x16\x03\x01"), NULL},
    {BYTES("\r\n\r\n\r"), NULL},
    {BYTES(V2 "\x11"), "its version is not 2"},
    {BYTES(V2 "\x31"), "its version is not 2"},
    {BYTES(V2 "\x22"), "its command is neither LOCAL nor PROXY"},
    {BYTES(V2 "\x2f"), "its command is neither LOCAL nor PROXY"},
    {BYTES(V2 "\x21\x41"), "its address family or protocol is none of the specification"},
    {BYTES(V2 "\x21\x13"), "its address family or protocol is none of the specification"},
    {BYTES(V2 "\x21\x11\0\x0b"), "its addresses do not fit in"},
    {BYTES(V2 "\x21\x21\0\x23"), "its addresses do not fit in"},
    {BYTES(V2 "\x21\x31\0\xd7"), "its addresses do not fit in"},
    {BYTES(V2 "\x21\x12\0\0"), "its addresses do not fit in"},
    {BYTES(V2 "\x21\x11\x3f\xf1"), "it is longer than 16384 bytes"},
    {BYTES(V2 "\x20\0\xff\xff"), "it is longer than 16384 bytes"},
    {BYTES(V2 "\x21\x11\0\x0d" HOSTS PORTS "\x04"), "a TLV is longer than the header"},
    {BYTES(V2 "\x21\x11\0\x0e" HOSTS PORTS "\x04\0"), "a TLV is longer than the header"},
    {BYTES(V2 "\x21\x11\0\x0f" HOSTS PORTS "\x04\0\x01"), "a TLV is longer than the header"},
    {BYTES(V2 "\x21\x11\0\x13" HOSTS PORTS "\x04\0\x05"
              "abcd"),
     "a TLV is longer than the header"},
    {BYTES(V2 "\x21\x11\0\x12" HOSTS PORTS "\x03\0\x03"
              "abc"),
     "its checksum does not have 4 bytes"},
    {BYTES(V2 "\x21\x11\0\x13" HOSTS PORTS "\x03\0\x04"
              "abcd"),
     "its checksum is wrong"},
    {BYTES(V2 "\x20\0\0\x07"
              "\x03\0\x04"
              "abcd"),
     "its checksum is wrong"},
    {BYTES(V2 "\x21\x11\0\x91" HOSTS PORTS "\x05\0\x82" TEN("0123456789abc")),
     "its unique id is longer than 128 bytes"},
    {BYTES(V2 "\x21\x11\x01\x13" HOSTS PORTS "\x02\x01\x04" TEN("0123456789abcdef0123456789")),
     "its authority is longer than 255 bytes"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\n"), "its line does not end with CR LF"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\r"), "its line does not end with CR LF"},
    {BYTES("PROXY \r\n"), "its protocol is none of TCP4, TCP6 and UNKNOWN"},
    {BYTES("PROXY TCP5 1.2.3.4 5.6.7.8 1 2\r\n"), "its protocol is none of TCP4, TCP6 and UNKNOWN"},
    {BYTES("PROXY UNKNOWNS\r\n"), "its protocol is none of TCP4, TCP6 and UNKNOWN"},
    {BYTES("PROXY  TCP4 1.2.3.4 5.6.7.8 1 2\r\n"),
     "its protocol is none of TCP4, TCP6 and UNKNOWN"},
    {BYTES("PROXY TCP4\r\n"), "two addresses and two ports are expected"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1\r\n"), "two addresses and two ports are expected"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 3\r\n"), "something follows the ports"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 2 \r\n"), "something follows the ports"},
    {BYTES("PROXY TCP4 1.2.3.4  5.6.7.8 1 2\r\n"), "something follows the ports"},
    {BYTES("PROXY TCP4 1.2.3 5.6.7.8 1 2\r\n"), "not an IPv4 address"},
    {BYTES("PROXY TCP4 1.2.3.04 5.6.7.8 1 2\r\n"), "not an IPv4 address"},
    {BYTES("PROXY TCP4 1.2.3.256 5.6.7.8 1 2\r\n"), "not an IPv4 address"},
    {BYTES("PROXY TCP4 1.2.3.4\0 5.6.7.8 1 2\r\n"), "not an IPv4 address"},
    {BYTES("PROXY TCP4 ::1 ::2 1 2\r\n"), "not an IPv4 address"},
    {BYTES("PROXY TCP6 1.2.3.4 5.6.7.8 1 2\r\n"), "not an IPv6 address"},
    {BYTES("PROXY TCP6 1::2::3 ::1 1 2\r\n"), "not an IPv6 address"},
    {BYTES("PROXY TCP6 fe80::1%lo ::1 1 2\r\n"), "not an IPv6 address"},
    {BYTES("PROXY TCP6 1:2:3:4:5:6:7:8:9 ::1 1 2\r\n"), "not an IPv6 address"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 01 2\r\n"), "not a port: 0 to 65535"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 65536\r\n"), "not a port: 0 to 65535"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 -1 2\r\n"), "not a port: 0 to 65535"},
    {BYTES("PROXY TCP4 1.2.3.4 5.6.7.8 1 +2\r\n"), "not a port: 0 to 65535"},
    {BYTES("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff "
           "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535 "),
     "no CR LF in its first 107 bytes"},
};

/* Each is refused with its last byte, and not before. */
START_TEST(wrong_header_is_refused)
{
    struct proxy_header header;
    enum proxy_header_result result = wrong[_i].wrong ? PROXY_HEADER_BAD : PROXY_HEADER_NONE;
    const unsigned char *bytes = (const unsigned char *)wrong[_i].bytes;
    ck_assert_int_eq(read_copy(bytes, wrong[_i].length, &header), result);
    if (wrong[_i].wrong) {
        ck_assert_str_eq(header.wrong, wrong[_i].wrong);
        ck_assert_int_eq(read_copy(bytes, wrong[_i].length - 1, &header), PROXY_HEADER_NEED_MORE);
    }
}
END_TEST

/* Endless, and never a header. */
START_TEST(line_without_an_end_is_refused)
{
    unsigned char bytes[1000];
    struct proxy_header header;
    memset(bytes, 'x', sizeof bytes);
    memcpy(bytes, "PROXY UNKNOWN ", 14);
    ck_assert_int_eq(read_copy(bytes, 105, &header), PROXY_HEADER_NEED_MORE);
    for (size_t i = 106; i < sizeof bytes; i += 100)
        ck_assert_int_eq(read_copy(bytes, i, &header), PROXY_HEADER_BAD);
    bytes[106] = '\r';
    bytes[107] = '\n';
    ck_assert_int_eq(read_copy(bytes, 108, &header), PROXY_HEADER_BAD);
}
END_TEST

START_TEST(longest_header_is_read)
{
    static unsigned char bytes[PROXY_HEADER_MAX + 1] = V2 "\x21\0\x3f\xf0\xe0\x3f\xed";
    struct proxy_header header;
    ck_assert_int_eq(read_copy(bytes, PROXY_HEADER_MAX - 1, &header), PROXY_HEADER_NEED_MORE);
    ck_assert_int_eq(read_copy(bytes, PROXY_HEADER_MAX + 1, &header), PROXY_HEADER_DONE);
    ck_assert_uint_eq(header.length, PROXY_HEADER_MAX);
    ck_assert_uint_eq(header.tlvs_length, PROXY_HEADER_MAX - 16);
}
END_TEST

/* --- Unix addresses -------------------------------------------------------------------------- */

static void make_unix(struct address *address, const char *name, size_t length)
{
    *address = (struct address){.un.sun_family = AF_UNIX};
    memcpy(address->un.sun_path, name, length);
    address->length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + length);
}

START_TEST(unix_addresses_are_told)
{
    static const struct {
        const char *name;
        size_t length; /* as the kernel counts it */
        const char *text;
    } names[] = {
        {BYTES("/run/app.sock\0"), "unix:/run/app.sock"},
        {BYTES("/run/app.sock"), "unix:/run/app.sock"},
        {BYTES("\0abstract"), "unix:@abstract"},
        {BYTES(""), "unix:"},
        {BYTES(TEN("0123456789") "12345678"), "unix:" TEN("0123456789") "12345678"},
    };
    struct address source, destination;
    unsigned char bytes[PROXY_HEADER_LEAST];
    struct proxy_header header;
    make_unix(&source, names[_i].name, names[_i].length);
    make_unix(&destination, "/d", 3);
    struct proxy_header_text text = {.version = 2, .source = &source, .destination = &destination};
    ck_assert_uint_eq(proxy_header_write(&text, bytes, sizeof bytes), 16 + 216);
    ck_assert_uint_eq(bytes[13], 0x31);
    ck_assert_int_eq(read_copy(bytes, 16 + 216, &header), PROXY_HEADER_DONE);
    expect_address(&header.source, names[_i].text);
    expect_address(&header.destination, "unix:/d");

    text.version = 1;
    size_t length = proxy_header_write(&text, bytes, sizeof bytes);
    ck_assert_uint_eq(length, 15);
    ck_assert_mem_eq(bytes, "PROXY UNKNOWN\r\n", 15);
}
END_TEST

/* --- TLVs ------------------------------------------------------------------------------------ */

START_TEST(tlvs_are_found)
{
    const unsigned char bytes[] = "\x02\0\x03"
                                  "abc"
                                  "\xe0\0\0"
                                  "\x05\0\x01x"
                                  "\x02\0\x01y";
    struct proxy_tlv tlv;
    ck_assert(proxy_tlv_find(bytes, sizeof bytes - 1, PROXY_TLV_AUTHORITY, &tlv));
    ck_assert_uint_eq(tlv.length, 3);
    ck_assert_mem_eq(tlv.value, "abc", 3);
    ck_assert(proxy_tlv_find(bytes, sizeof bytes - 1, 0xe0, &tlv));
    ck_assert_uint_eq(tlv.length, 0);
    ck_assert(proxy_tlv_find(bytes, sizeof bytes - 1, PROXY_TLV_UNIQUE_ID, &tlv));
    ck_assert_mem_eq(tlv.value, "x", 1);
    ck_assert(!proxy_tlv_find(bytes, sizeof bytes - 1, PROXY_TLV_ALPN, &tlv));
    ck_assert(!proxy_tlv_find(bytes, 0, PROXY_TLV_AUTHORITY, &tlv));
}
END_TEST

/* struct pp2_tlv_ssl of the specification (2.2.6): client, verify in network order, sub-TLVs. */
START_TEST(tls_is_told)
{
    static const unsigned char resumed[] = "\x05\0\0\0\0"
                                           "\x21\0\x07TLSv1.3"
                                           "\x22\0\x02me"
                                           "\x23\0\x16TLS_AES_128_GCM_SHA256"
                                           "\x24\0\x13"
                                           "ecdsa-with-SHA256-x"
                                           "\x25\0\x05"
                                           "EC256";
    static const unsigned char uncertified[] = "\x01\0\0\0\x01\x21\0\x07TLSv1.2";
    unsigned char bytes[PROXY_SSL_MAX];
    char longest[257];
    const struct proxy_ssl ssl = {.client = PROXY_SSL_SPOKEN | PROXY_SSL_KNOWN,
                                  .verified = true,
                                  .version = "TLSv1.3",
                                  .name = "me",
                                  .cipher = "TLS_AES_128_GCM_SHA256",
                                  .signature = "ecdsa-with-SHA256-x",
                                  .key = "EC256"};
    ck_assert_uint_eq(proxy_ssl_write(&ssl, bytes), sizeof resumed - 1);
    ck_assert_mem_eq(bytes, resumed, sizeof resumed - 1);
    struct proxy_ssl other = {.client = PROXY_SSL_SPOKEN, .version = "TLSv1.2", .name = longest};
    memset(longest, 'x', 256);
    longest[256] = '\0';
    ck_assert_uint_eq(proxy_ssl_write(&other, bytes), sizeof uncertified - 1);
    ck_assert_mem_eq(bytes, uncertified, sizeof uncertified - 1);
    longest[255] = '\0';
    other = (struct proxy_ssl){0, false, longest, longest, longest, longest, longest};
    ck_assert_uint_eq(proxy_ssl_write(&other, bytes), PROXY_SSL_MAX);
}
END_TEST

/* LOCAL and UNSPEC may have TLVs: HAProxy sends them so for a Unix client. */
START_TEST(tlvs_without_addresses_are_told)
{
    static const unsigned char local[] = V2 "\x20\0\0\x04\x05\0\x01x";
    static const unsigned char unspec[] = V2 "\x21\0\0\x04\x05\0\x01x";
    static const unsigned char datagram[] = V2 "\x21\x12\0\x10" HOSTS PORTS "\x05\0\x01x";
    static const unsigned char local_with_addresses[] =
        V2 "\x20\x11\0\x10" HOSTS PORTS "\x05\0\x01x";
    const struct {
        const unsigned char *bytes;
        size_t length;
    } headers[] = {{local, sizeof local - 1},
                   {unspec, sizeof unspec - 1},
                   {datagram, sizeof datagram - 1},
                   {local_with_addresses, sizeof local_with_addresses - 1}};
    struct proxy_header header;
    struct proxy_tlv tlv;
    ck_assert_int_eq(proxy_header_read(headers[_i].bytes, headers[_i].length, &header),
                     PROXY_HEADER_DONE);
    expect_address(&header.source, NULL);
    ck_assert(proxy_tlv_find(header.tlvs, header.tlvs_length, PROXY_TLV_UNIQUE_ID, &tlv));
    ck_assert_mem_eq(tlv.value, "x", 1);
}
END_TEST

/* --- writing --------------------------------------------------------------------------------- */

static struct address parse(const char *text)
{
    struct address address;
    ck_assert_pstr_eq(address_parse(text, &address), NULL);
    return address;
}

static const struct {
    const char *source, *destination; /* NULL: none */
    const char *line;
    const char *bytes;
    size_t length;
} written[] = {
    {SOURCE, TARGET, "PROXY TCP4 192.168.0.1 192.168.0.11 56324 443\r\n",
     BYTES(V2 "\x21\x11\0\x0c" HOSTS PORTS)},
    {"[2001:db8::1]:56324", "[2001:db8::2]:443", "PROXY TCP6 2001:db8::1 2001:db8::2 56324 443\r\n",
     BYTES(V2 "\x21\x21\0\x24" HOST6("\1") HOST6("\2") PORTS)},
    {"10.0.0.1:56324", "[2001:db8::2]:443", "PROXY TCP6 ::ffff:10.0.0.1 2001:db8::2 56324 443\r\n",
     BYTES(V2 "\x21\x21\0\x24" MAPPED("\1") HOST6("\2") PORTS)},
    {"[2001:db8::1]:56324", "10.0.0.2:443", "PROXY TCP6 2001:db8::1 ::ffff:10.0.0.2 56324 443\r\n",
     BYTES(V2 "\x21\x21\0\x24" HOST6("\1") MAPPED("\2") PORTS)},
    {NULL, NULL, "PROXY UNKNOWN\r\n", BYTES(V2 "\x21\0\0\0")},
    {SOURCE, NULL, "PROXY UNKNOWN\r\n", BYTES(V2 "\x21\0\0\0")},
    {"unix:/a", TARGET, "PROXY UNKNOWN\r\n", BYTES(V2 "\x21\0\0\0")},
    {SOURCE, "unix:/a", "PROXY UNKNOWN\r\n", BYTES(V2 "\x21\0\0\0")},
};

START_TEST(header_is_written)
{
    const struct address none = {0};
    struct address source = written[_i].source ? parse(written[_i].source) : none;
    struct address destination = written[_i].destination ? parse(written[_i].destination) : none;
    struct proxy_header_text text = {.version = 1, .source = &source, .destination = &destination};
    unsigned char bytes[PROXY_HEADER_LEAST];
    size_t line_length = strlen(written[_i].line);
    ck_assert_uint_eq(proxy_header_write(&text, bytes, sizeof bytes), line_length);
    ck_assert_mem_eq(bytes, written[_i].line, line_length);
    ck_assert_uint_eq(proxy_header_write(&text, bytes, line_length - 1), 0);

    text.version = 2;
    ck_assert_uint_eq(proxy_header_write(&text, bytes, sizeof bytes), written[_i].length);
    ck_assert_mem_eq(bytes, written[_i].bytes, written[_i].length);
    for (size_t room = 0; room < written[_i].length; room++)
        ck_assert_uint_eq(proxy_header_write(&text, bytes, room), 0);
}
END_TEST

START_TEST(local_header_tells_nothing)
{
    const struct address source = parse(SOURCE), destination = parse(TARGET);
    const struct proxy_header_text text = {
        .version = 2, .local = true, .source = &source, .destination = &destination};
    unsigned char bytes[PROXY_HEADER_LEAST];
    ck_assert_uint_eq(proxy_header_write(&text, bytes, sizeof bytes), 16);
    ck_assert_mem_eq(bytes, V2 "\x20\0\0\0", 16);
}
END_TEST

/* Any change of one bit is seen, by the checksum if by nothing else. */
START_TEST(checksum_is_verified)
{
    const struct address source = parse(SOURCE), destination = parse(TARGET);
    const struct proxy_tlv tlvs[] = {
        {.type = PROXY_TLV_AUTHORITY, .length = 11, .value = (const unsigned char *)"example.org"},
        {.type = 0xe0, .length = 0}};
    const struct proxy_header_text text = {.version = 2,
                                           .source = &source,
                                           .destination = &destination,
                                           .tlvs = tlvs,
                                           .tlv_count = 2,
                                           .checksum = true};
    unsigned char bytes[PROXY_HEADER_LEAST + 17];
    struct proxy_header header;
    size_t length = proxy_header_write(&text, bytes, sizeof bytes);
    ck_assert_uint_eq(length, 28 + 14 + 3 + 7);
    ck_assert_int_eq(proxy_header_read(bytes, length, &header), PROXY_HEADER_DONE);
    for (size_t i = 16; i < length * 8; i++) {
        /* But for the types and lengths behind which the checksum is no longer found. */
        if (i / 8 == 42 || (i / 8 > 28 && i / 8 < 31) || (i / 8 > 42 && i / 8 < 48))
            continue;
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
        if (i / 8 != 12 && i / 8 != 13) /* LOCAL, and no stream, have other rules for TLVs */
            ck_assert_int_ne(proxy_header_read(bytes, length, &header), PROXY_HEADER_DONE);
        bytes[i / 8] ^= (unsigned char)(1 << i % 8);
    }
}
END_TEST

START_TEST(tlvs_that_do_not_fit_are_not_written)
{
    static unsigned char value[UINT16_MAX], bytes[2 * PROXY_HEADER_MAX];
    struct proxy_tlv tlv = {.type = 0xe0, .length = PROXY_HEADER_MAX - 16 - 3, .value = value};
    const struct proxy_header_text text = {.version = 2, .tlvs = &tlv, .tlv_count = 1};
    ck_assert_uint_eq(proxy_header_write(&text, bytes, sizeof bytes), PROXY_HEADER_MAX);
    tlv.length++;
    ck_assert_uint_eq(proxy_header_write(&text, bytes, sizeof bytes), 0);
    tlv.length = UINT16_MAX;
    ck_assert_uint_eq(proxy_header_write(&text, bytes, sizeof bytes), 0);
}
END_TEST

/* --- properties ------------------------------------------------------------------------------ */

static unsigned below(unsigned *seed, unsigned limit)
{
    *seed = *seed * 1103515245 + 12345;
    return (*seed >> 8) % limit;
}

static struct address random_address(unsigned *seed)
{
    struct address address = {0};
    unsigned kind = below(seed, 4);
    if (kind == 0) {
        address.in.sin_family = AF_INET;
        address.in.sin_port = (in_port_t)below(seed, 65536);
        address.in.sin_addr.s_addr = below(seed, UINT32_MAX);
        address.length = sizeof address.in;
    } else if (kind == 1) {
        address.in6.sin6_family = AF_INET6;
        address.in6.sin6_port = (in_port_t)below(seed, 65536);
        for (unsigned i = 0; i < 16; i++)
            address.in6.sin6_addr.s6_addr[i] = (unsigned char)below(seed, 256);
        address.length = sizeof address.in6;
    } else if (kind == 2) {
        make_unix(&address, "/some/path", below(seed, 11));
    }
    return address;
}

/* What is written is read again, and says the same. */
START_TEST(what_is_written_is_read)
{
    unsigned char bytes[PROXY_HEADER_MAX], value[300];
    for (unsigned seed = 1; seed < 3000; seed++) {
        unsigned random = seed;
        const struct address source = random_address(&random);
        const struct address destination = random_address(&random);
        struct proxy_tlv tlvs[3];
        for (size_t i = 0; i < sizeof value; i++)
            value[i] = (unsigned char)below(&random, 256);
        for (unsigned i = 0; i < 3; i++)
            tlvs[i] = (struct proxy_tlv){.type = (unsigned char)(0xe0 + i),
                                         .length = (uint16_t)below(&random, sizeof value),
                                         .value = value};
        const struct proxy_header_text text = {.version = 1 + below(&random, 2),
                                               .source = &source,
                                               .destination = &destination,
                                               .tlvs = tlvs,
                                               .tlv_count = below(&random, 4),
                                               .checksum = below(&random, 2)};
        size_t length = proxy_header_write(&text, bytes, sizeof bytes);
        struct proxy_header header;
        ck_assert_int_eq(proxy_header_read(bytes, length, &header), PROXY_HEADER_DONE);
        ck_assert_uint_eq(header.length, length);
        ck_assert_uint_eq(header.version, text.version);
        if (header.source.length > 0) {
            ck_assert(address_equal(&header.source, &source));
            ck_assert(address_equal(&header.destination, &destination));
        }
        const unsigned char *at = header.tlvs;
        size_t left = header.tlvs_length;
        struct proxy_tlv tlv;
        for (unsigned i = 0; header.version == 2 && i < text.tlv_count; i++) {
            ck_assert(proxy_tlv_next(&at, &left, &tlv));
            ck_assert_uint_eq(tlv.type, tlvs[i].type);
            ck_assert_uint_eq(tlv.length, tlvs[i].length);
            ck_assert_mem_eq(tlv.value, tlvs[i].value, tlv.length);
        }
        ck_assert_uint_eq(left, header.version == 2 && text.checksum ? 7 : 0);
    }
}
END_TEST

/* A result other than "more" stays what it is, whatever follows. */
START_TEST(result_does_not_change_with_more_bytes)
{
    unsigned char bytes[400];
    for (unsigned seed = 1; seed < 200; seed++) {
        unsigned random = seed;
        size_t base = below(&random, sizeof good / sizeof good[0]);
        for (size_t i = 0; i < sizeof bytes; i++)
            bytes[i] = (unsigned char)below(&random, 256);
        memcpy(bytes, good[base].bytes, good[base].length);
        for (unsigned i = 0; i < 2; i++)
            bytes[below(&random, (unsigned)good[base].length)] ^= (unsigned char)below(&random, 64);
        enum proxy_header_result before = PROXY_HEADER_NEED_MORE;
        for (size_t i = 0; i <= sizeof bytes; i++) {
            struct proxy_header header;
            enum proxy_header_result result = read_copy(bytes, i, &header);
            if (before != PROXY_HEADER_NEED_MORE)
                ck_assert_int_eq(result, before);
            if (result == PROXY_HEADER_DONE)
                ck_assert_uint_le(header.length, i);
            before = result;
        }
    }
}
END_TEST

Suite *proxy_header_suite(void)
{
    Suite *suite = suite_create("proxy_header");
    TCase *test_case = tcase_create("proxy_header");
    tcase_add_test(test_case, checksums_are_those_of_the_rfc);
    tcase_add_test(test_case, checksum_of_parts_is_that_of_the_whole);
    tcase_add_loop_test(test_case, header_is_read_in_pieces, 0, sizeof good / sizeof good[0]);
    tcase_add_loop_test(test_case, wrong_header_is_refused, 0, sizeof wrong / sizeof wrong[0]);
    tcase_add_test(test_case, line_without_an_end_is_refused);
    tcase_add_test(test_case, longest_header_is_read);
    tcase_add_test(test_case, tls_is_told);
    tcase_add_loop_test(test_case, unix_addresses_are_told, 0, 5);
    tcase_add_test(test_case, tlvs_are_found);
    tcase_add_loop_test(test_case, tlvs_without_addresses_are_told, 0, 4);
    tcase_add_loop_test(test_case, header_is_written, 0, sizeof written / sizeof written[0]);
    tcase_add_test(test_case, local_header_tells_nothing);
    tcase_add_test(test_case, checksum_is_verified);
    tcase_add_test(test_case, tlvs_that_do_not_fit_are_not_written);
    tcase_add_test(test_case, what_is_written_is_read);
    tcase_add_test(test_case, result_does_not_change_with_more_bytes);
    suite_add_tcase(suite, test_case);
    return suite;
}
