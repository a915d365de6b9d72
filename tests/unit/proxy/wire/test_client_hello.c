#include "proxy/wire/client_hello.h"

#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A hello that is being made, and the records that it is sent in. */
static unsigned char message[CLIENT_HELLO_MAX + 64], wire[3 * CLIENT_HELLO_MAX];
static size_t message_length, wire_length;
static size_t extensions_at;

static void put(const void *bytes, size_t length)
{
    memcpy(message + message_length, bytes, length);
    message_length += length;
}

static void put_number(size_t number, unsigned size)
{
    while (size-- > 0)
        message[message_length++] = (unsigned char)(number >> 8 * size);
}

static void set_number(size_t at, size_t number, unsigned size)
{
    while (size-- > 0)
        message[at++] = (unsigned char)(number >> 8 * size);
}

/* What every hello has. */
static void begin_hello(void)
{
    static const unsigned char random[32] = "random bytes, thirty-two of them";
    message_length = 0;
    put_number(1, 1);
    put_number(0, 3);
    put_number(0x0303, 2);
    put(random, sizeof random);
    put_number(4, 1);
    put("sess", 4);
    put_number(4, 2);
    put("\x13\x01\x13\x02", 4);
    put_number(1, 1);
    put_number(0, 1);
    extensions_at = 0;
}

static void begin_extensions(void)
{
    extensions_at = message_length;
    put_number(0, 2);
}

static void put_extension(unsigned type, const void *bytes, size_t length)
{
    put_number(type, 2);
    put_number(length, 2);
    put(bytes, length);
}

static void put_name(const char *name)
{
    size_t length = strlen(name);
    put_number(0, 2);
    put_number(length + 5, 2);
    put_number(length + 3, 2);
    put_number(0, 1);
    put_number(length, 2);
    put(name, length);
}

static void end_hello(void)
{
    set_number(1, message_length - 4, 3);
    if (extensions_at)
        set_number(extensions_at, message_length - extensions_at - 2, 2);
}

static void to_records(size_t most)
{
    wire_length = 0;
    for (size_t at = 0; at < message_length;) {
        size_t length = message_length - at < most ? message_length - at : most;
        const unsigned char header[] = {22, 3, 1, (unsigned char)(length >> 8),
                                        (unsigned char)length};
        memcpy(wire + wire_length, header, 5);
        memcpy(wire + wire_length + 5, message + at, length);
        wire_length += 5 + length;
        at += length;
    }
}

static struct client_hello hello;

static enum hello_verdict feed(const void *bytes, size_t length)
{
    client_hello_begin(&hello);
    return client_hello_feed(&hello, bytes, length);
}

static enum hello_verdict feed_message(void)
{
    to_records(16384);
    return feed(wire, wire_length);
}

/* All pieces of one size. The verdict is not to come before the last byte. */
static enum hello_verdict feed_pieces(const unsigned char *bytes, size_t length, size_t piece)
{
    client_hello_begin(&hello);
    for (size_t at = 0; at < length; at += piece) {
        size_t n = length - at < piece ? length - at : piece;
        ck_assert_int_eq(hello.verdict, HELLO_MORE);
        client_hello_feed(&hello, bytes + at, n);
    }
    return hello.verdict;
}

static size_t recorded(const char *name, unsigned char *bytes, size_t size)
{
    char path[128];
    snprintf(path, sizeof path, "tests/fuzz/corpus/client_hello/%s", name);
    FILE *file = fopen(path, "re");
    ck_assert_msg(file, "%s", path);
    size_t length = fread(bytes, 1, size, file);
    fclose(file);
    return length;
}

static const struct {
    const char *file, *name, *alpn;
} recordings[] = {
    {"openssl", "www.example.org", "\2h2\10http/1.1"},
    {"openssl-no-name", "", ""},
    {"curl", "curl.example.org", "\2h2\10http/1.1"},
    {"curl-no-alpn", "noalpn.example.org", ""},
    {"chromium", "chromium.example.org", "\2h2\10http/1.1"},
};

START_TEST(recorded_hellos_are_read)
{
    unsigned char bytes[4096];
    size_t length = recorded(recordings[_i].file, bytes, sizeof bytes);
    for (size_t piece = 1; piece <= length; piece = piece < 16 ? piece + 1 : piece * 2) {
        ck_assert_int_eq(feed_pieces(bytes, length, piece), HELLO_COMPLETE);
        ck_assert_str_eq(hello.name, recordings[_i].name);
        ck_assert_uint_eq(hello.alpn_length, strlen(recordings[_i].alpn));
        ck_assert_mem_eq(hello.alpn, recordings[_i].alpn, hello.alpn_length);
        ck_assert(hello.begun);
    }
}
END_TEST

/* The message is the same, in records of any size. */
START_TEST(a_hello_may_be_split_over_records)
{
    unsigned char bytes[4096];
    size_t length = recorded("chromium", bytes, sizeof bytes);
    message_length = length - 5;
    memcpy(message, bytes + 5, message_length);
    for (size_t most = 1; most < message_length; most = most < 40 ? most + 1 : most * 3) {
        to_records(most);
        ck_assert_int_eq(feed_pieces(wire, wire_length, 1 + most % 7), HELLO_COMPLETE);
        ck_assert_str_eq(hello.name, "chromium.example.org");
        ck_assert(client_hello_offers(&hello, "h2", 2));
    }
}
END_TEST

START_TEST(a_hello_without_extensions_has_no_name)
{
    begin_hello();
    if (_i)
        begin_extensions();
    end_hello();
    to_records(16384);
    ck_assert_int_eq(feed_pieces(wire, wire_length, 1), HELLO_COMPLETE);
    ck_assert_str_eq(hello.name, "");
    ck_assert_uint_eq(hello.alpn_length, 0);
}
END_TEST

START_TEST(a_hello_may_be_longer_than_a_record)
{
    static const unsigned char padding[40000];
    begin_hello();
    begin_extensions();
    put_extension(0x0a0a, "", 0); /* GREASE, RFC 8701 */
    put_extension(21, padding, sizeof padding);
    put_name("behind.padding.example");
    put_extension(0xfe0d, padding, 300); /* Encrypted ClientHello */
    put_extension(0xdada, "\0", 1);
    end_hello();
    ck_assert_uint_gt(message_length, 2 * 16384);
    ck_assert_int_eq(feed_message(), HELLO_COMPLETE);
    ck_assert_str_eq(hello.name, "behind.padding.example");
    to_records(1000);
    ck_assert_int_eq(feed_pieces(wire, wire_length, 13), HELLO_COMPLETE);
    ck_assert_str_eq(hello.name, "behind.padding.example");
}
END_TEST

START_TEST(a_hello_that_announces_too_much_is_wrong_at_once)
{
    begin_hello();
    set_number(1, CLIENT_HELLO_MAX + 1, 3);
    to_records(16384);
    ck_assert_int_eq(feed(wire, 8), HELLO_MORE);
    ck_assert_int_eq(feed(wire, 9), HELLO_WRONG);
    ck_assert(hello.begun);
}
END_TEST

START_TEST(tls_is_known_after_six_bytes)
{
    ck_assert_int_eq(feed("\x16\x03\x03\x02\x00", 5), HELLO_MORE);
    ck_assert(!hello.begun);
    ck_assert_int_eq(feed("\x16\x03\x03\x02\x00\x01", 6), HELLO_MORE);
    ck_assert(hello.begun);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length; /* after which it is known */
    enum hello_verdict verdict;
} others[] = {
    {"GET / HTTP/1.1\r\n", 1, HELLO_NOT_TLS},
    {"SSH-2.0-x\r\n", 1, HELLO_NOT_TLS},
    {"\0\0", 1, HELLO_NOT_TLS},
    {"\x15\x03\x01", 1, HELLO_NOT_TLS},           /* an alert */
    {"\x16\x02\x01", 2, HELLO_NOT_TLS},           /* no version of TLS */
    {"\x16\x03\x01\0\0", 5, HELLO_NOT_TLS},       /* an empty record */
    {"\x16\x03\x01\x40\x01", 5, HELLO_NOT_TLS},   /* longer than a record may be */
    {"\x16\x03\x01\0\x10\x02", 6, HELLO_NOT_TLS}, /* a ServerHello */
    {"\x80\x2e\x01\0\x02\0", 5, HELLO_SSLV2},     /* OpenSSL 0.9.8: for SSL 2.0 ... */
    {"\x80\x2e\x01\x03\x01\0", 5, HELLO_SSLV2},   /* ... and for TLS 1.0 */
    {"\x80\x2e\x04\0\x02", 3, HELLO_NOT_TLS},     /* another message of SSL 2.0 */
    {"\x80\x2e\x01\0\x03", 5, HELLO_NOT_TLS},
    {"\x80\x2e\x01\x07\x03", 4, HELLO_NOT_TLS},
};

START_TEST(what_is_not_tls_is_known_early)
{
    for (size_t n = 1; n < others[_i].length; n++)
        ck_assert_int_eq(feed(others[_i].bytes, n), HELLO_MORE);
    ck_assert_int_eq(feed(others[_i].bytes, others[_i].length), others[_i].verdict);
    ck_assert_int_eq(feed_pieces((const unsigned char *)others[_i].bytes, others[_i].length, 1),
                     others[_i].verdict);
    ck_assert(!hello.begun);
}
END_TEST

START_TEST(names_are_in_lower_case_without_the_last_dot)
{
    begin_hello();
    begin_extensions();
    put_name("WWW.Example.ORG.");
    end_hello();
    ck_assert_int_eq(feed_message(), HELLO_COMPLETE);
    ck_assert_str_eq(hello.name, "www.example.org");
}
END_TEST

/* Each of these makes a hello that began well a wrong one, without a name. */
static void put_wrong(int which)
{
    switch (which) {
    case 0: /* the extension twice */
        put_name("b.example");
        break;
    case 1: /* of the list, more than the extension has */
        put_extension(0, "\0\x09\0\0\x03new", 8);
        break;
    case 2: /* less */
        put_extension(0, "\0\x06\0\0\x03newx", 9);
        break;
    case 3: /* a name that is longer than the list */
        put_extension(0, "\0\x06\0\0\x04new", 8);
        break;
    case 4: /* two names of hosts */
        put_extension(0,
                      "\0\x08\0\0\x01"
                      "a\0\0\x01"
                      "b",
                      10);
        break;
    case 5: /* an empty name */
        put_extension(0, "\0\x03\0\0\0", 5);
        break;
    case 6: /* an empty list */
        put_extension(0, "\0\0", 2);
        break;
    case 7: /* no list, as in a server's hello */
        put_extension(0, "", 0);
        break;
    case 8: /* characters that no name has */
        put_name("a b");
        break;
    case 9:
        put_extension(0,
                      "\0\x06\0\0\x03"
                      "a\0b",
                      8);
        break;
    case 10:
        put_name(".");
        break;
    case 11: /* a protocol of no length */
        put_extension(16, "\0\x03\0\x01x", 5);
        break;
    case 12: /* longer than the list */
        put_extension(16, "\0\x03\x03h2", 5);
        break;
    case 13:
        put_extension(16, "\0\x04\x02h2", 5);
        break;
    case 14: /* an extension that is longer than the hello */
        put_number(35, 2);
        put_number(1, 2);
        break;
    case 15: /* half an extension */
        put_number(35, 2);
        break;
    case 16: /* this extension twice */
        put_extension(16, "\0\x03\x02h2", 5);
        put_extension(16, "\0\x03\x02h2", 5);
        break;
    default:
        put_extension(16, "", 0);
        break;
    }
}

START_TEST(a_hello_with_a_wrong_structure_has_no_name)
{
    bool with_alpn = _i >= 11;
    begin_hello();
    begin_extensions();
    if (_i == 0 || with_alpn)
        put_name("a.example");
    else
        put_extension(16, "\0\x03\x02h2", 5);
    put_wrong(_i);
    end_hello();
    ck_assert_int_eq(feed_message(), HELLO_WRONG);
    ck_assert_str_eq(hello.name, "");
    ck_assert_uint_eq(hello.alpn_length, 0);
    ck_assert(hello.begun);
    to_records(1);
    ck_assert_int_ne(feed(wire, wire_length), HELLO_COMPLETE);
}
END_TEST

/* The parts before the extensions: place of the byte in the message, and what makes it wrong. */
static const struct {
    size_t at;
    unsigned char byte;
} wrong_bytes[] = {
    {3, 1},   /* the length of the message: less than its parts need */
    {38, 33}, /* of the session's id */
    {44, 0},  /* of the cipher suites: none */
    {44, 3},  /* ... an odd number */
    {43, 1},  /* ... more than there is */
    {49, 0},  /* of the compression methods */
    {49, 99},
};

START_TEST(parts_must_lie_in_the_message)
{
    begin_hello();
    begin_extensions();
    put_name("a.example");
    end_hello();
    ck_assert_int_eq(feed_message(), HELLO_COMPLETE);
    message[wrong_bytes[_i].at] = wrong_bytes[_i].byte;
    ck_assert_int_eq(feed_message(), HELLO_WRONG);
}
END_TEST

START_TEST(the_extensions_fill_the_rest)
{
    begin_hello();
    begin_extensions();
    put_name("a.example");
    end_hello();
    message[extensions_at + 1]--;
    ck_assert_int_eq(feed_message(), HELLO_WRONG);
    message[extensions_at + 1] = (unsigned char)(message[extensions_at + 1] + 2);
    ck_assert_int_eq(feed_message(), HELLO_WRONG);
}
END_TEST

START_TEST(other_records_do_not_come_in_between)
{
    begin_hello();
    end_hello();
    to_records(20);
    for (size_t i = 0; i < 2; i++) {
        unsigned char before = wire[25 + i];
        wire[25 + i] = (unsigned char)(before + 1);
        ck_assert_int_eq(feed(wire, wire_length), HELLO_WRONG);
        wire[25 + i] = before;
    }
    ck_assert_int_eq(feed(wire, wire_length), HELLO_COMPLETE);
}
END_TEST

START_TEST(names_of_other_types_are_passed_over)
{
    begin_hello();
    begin_extensions();
    put_extension(0,
                  "\0\x0b\x07\0\x02zz\0\0\x03"
                  "abc",
                  13);
    end_hello();
    ck_assert_int_eq(feed_message(), HELLO_COMPLETE);
    ck_assert_str_eq(hello.name, "abc");
}
END_TEST

START_TEST(the_longest_name_has_room)
{
    char name[HELLO_NAME_MAX + 2];
    memset(name, 'n', sizeof name);
    for (size_t length = HELLO_NAME_MAX; length <= HELLO_NAME_MAX + 1; length++) {
        name[length] = '\0';
        begin_hello();
        begin_extensions();
        put_name(name);
        end_hello();
        ck_assert_int_eq(feed_message(), length > HELLO_NAME_MAX ? HELLO_WRONG : HELLO_COMPLETE);
        ck_assert_str_eq(hello.name, length > HELLO_NAME_MAX ? "" : name);
        name[length] = 'n';
    }
}
END_TEST

START_TEST(protocols_without_room_are_left_out)
{
    unsigned char list[2 + 3 * 3 + 256] = {0};
    size_t at = 2;
    memcpy(list + at, "\2h2", 3);
    at += 3;
    list[at] = 255;
    at += 256;
    memcpy(list + at, "\2h3", 3);
    at += 3;
    list[0] = (unsigned char)((at - 2) >> 8);
    list[1] = (unsigned char)(at - 2);
    begin_hello();
    begin_extensions();
    put_extension(16, list, at);
    end_hello();
    ck_assert_int_eq(feed_message(), HELLO_COMPLETE);
    ck_assert_uint_eq(hello.alpn_length, 6);
    ck_assert(client_hello_offers(&hello, "h2", 2));
    ck_assert(client_hello_offers(&hello, "h3", 2));
    ck_assert(!client_hello_offers(&hello, "h", 1));
    ck_assert(!client_hello_offers(&hello, "H2", 2));
}
END_TEST

START_TEST(what_follows_a_hello_changes_nothing)
{
    begin_hello();
    begin_extensions();
    put_name("early.example");
    end_hello();
    to_records(16384);
    memset(wire + wire_length, 0xff, 1000);
    ck_assert_int_eq(feed(wire, wire_length + 1000), HELLO_COMPLETE);
    ck_assert_str_eq(hello.name, "early.example");
    ck_assert_int_eq(client_hello_feed(&hello, wire, wire_length), HELLO_COMPLETE);
    ck_assert_str_eq(hello.name, "early.example");
}
END_TEST

Suite *client_hello_suite(void)
{
    Suite *suite = suite_create("client_hello");
    TCase *tcase = tcase_create("client_hello");
    tcase_add_loop_test(tcase, recorded_hellos_are_read, 0, sizeof recordings / sizeof *recordings);
    tcase_add_test(tcase, a_hello_may_be_split_over_records);
    tcase_add_loop_test(tcase, a_hello_without_extensions_has_no_name, 0, 2);
    tcase_add_test(tcase, a_hello_may_be_longer_than_a_record);
    tcase_add_test(tcase, a_hello_that_announces_too_much_is_wrong_at_once);
    tcase_add_test(tcase, tls_is_known_after_six_bytes);
    tcase_add_loop_test(tcase, what_is_not_tls_is_known_early, 0, sizeof others / sizeof *others);
    tcase_add_test(tcase, names_are_in_lower_case_without_the_last_dot);
    tcase_add_loop_test(tcase, a_hello_with_a_wrong_structure_has_no_name, 0, 18);
    tcase_add_loop_test(tcase, parts_must_lie_in_the_message, 0,
                        sizeof wrong_bytes / sizeof *wrong_bytes);
    tcase_add_test(tcase, the_extensions_fill_the_rest);
    tcase_add_test(tcase, other_records_do_not_come_in_between);
    tcase_add_test(tcase, names_of_other_types_are_passed_over);
    tcase_add_test(tcase, the_longest_name_has_room);
    tcase_add_test(tcase, protocols_without_room_are_left_out);
    tcase_add_test(tcase, what_follows_a_hello_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
