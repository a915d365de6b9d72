#include "proxy/wire/http_head.h"

#include "tests/unit/suites.h"

#include <string.h>

static struct http_head head;

/* All pieces of one size; the verdict must not depend on it. */
static enum head_verdict feed(const char *bytes, size_t length, size_t piece)
{
    http_head_begin(&head);
    for (size_t at = 0; at < length; at += piece)
        http_head_feed(&head, (const unsigned char *)bytes + at,
                       length - at < piece ? length - at : piece);
    return head.verdict;
}

#define HEAD(text) text, sizeof text - 1

static const struct {
    const char *bytes;
    size_t length;
    const char *host;
} good[] = {
    {HEAD("GET / HTTP/1.1\r\nHost: example.org\r\n\r\n"), "example.org"},
    {HEAD("GET / HTTP/1.1\r\nhOsT:Example.ORG.\r\n\r\n"), "example.org"},
    {HEAD("GET / HTTP/1.1\r\nA: b\r\nHost: \t example.org:8080 \t\r\nC: d\r\n\r\nbody"),
     "example.org"},
    {HEAD("POST /x?y HTTP/1.0\r\nHost: example.org:\r\n\r\n"), "example.org"},
    {HEAD("GET / HTTP/1.1\r\nHost: [2001:DB8::1]:80\r\n\r\n"), "[2001:db8::1]"},
    {HEAD("GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\n\r\n"), "192.0.2.1"},
    {HEAD("\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"), "a"},
    {HEAD("GET / HTTP/1.1\r\nHost:\r\n\r\n"), ""},
    {HEAD("GET / HTTP/1.0\r\n\r\n"), ""},
    {HEAD("GET / HTTP/1.1\r\nHosts: a\r\nX-Host: b\r\nHos: c\r\n\r\n"), ""},
    {HEAD("OPTIONS * HTTP/1.1\r\nHost: a.b\r\n\r\n"), "a.b"},
    {HEAD("CONNECT a.b:443 HTTP/1.1\r\nHost: a.b:443\r\n\r\n"), "a.b"},
    {HEAD("GET http://Target.example:81/x HTTP/1.1\r\nHost: other.example\r\n\r\n"),
     "target.example"},
    {HEAD("GET HTTPS://target.example HTTP/1.1\r\n\r\n"), "target.example"},
    {HEAD("GET http://[::1]:81?q HTTP/1.1\r\nHost: x\r\n\r\n"), "[::1]"},
    {HEAD("GET httpx://t HTTP/1.1\r\nHost: x\r\n\r\n"), "x"},
    {HEAD("GET h HTTP/1.1\r\nHost: x\r\n\r\n"), "x"},
    {HEAD("M-SEARCH /\x80\xff HTTP/1.9\r\nX: \x01\xff\r\nHost: x\r\n\r\n"), "x"},
};

START_TEST(the_host_of_a_request)
{
    for (size_t piece = 1; piece <= good[_i].length; piece++) {
        ck_assert_int_eq(feed(good[_i].bytes, good[_i].length, piece), HEAD_COMPLETE);
        ck_assert_str_eq(head.host, good[_i].host);
        ck_assert(head.begun);
    }
    const char *body = strstr(good[_i].bytes, "body");
    size_t length = body ? (size_t)(body - good[_i].bytes) : good[_i].length;
    for (size_t n = 0; n < length; n++)
        ck_assert_int_eq(feed(good[_i].bytes, n, n + 1), HEAD_MORE);
}
END_TEST

static const struct {
    const char *bytes;
    size_t length;
} doubtful[] = {
    {HEAD("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: a\r\nX: 1\r\nhost: b\r\n\r\n")},
    {HEAD("GET http://t/ HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nX: 1\r\n Host: b\r\nHost: a\r\n\r\n")}, /* obs-fold */
    {HEAD("GET / HTTP/1.1\r\n\tHost: a\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nX: 1\nHost: b\r\nHost: a\r\n\r\n")}, /* a bare LF */
    {HEAD("GET / HTTP/1.1\r\nX:\nHost: b\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\n\nHost: b\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nX: 1\rHost: b\r\nHost: a\r\n\r\n")}, /* a bare CR */
    {HEAD("GET / HTTP/1.1\r\n\rx")},
    {HEAD("GET / HTTP/1.1\r\nHost : a\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\n: a\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nX: \0\r\nHost: a\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: a b\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: a,b\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: user@a\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: a:123456\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: a:1:2\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n")},
    {HEAD("GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n")},
    {HEAD("GET http:/// HTTP/1.1\r\nHost: a\r\n\r\n")},
    {HEAD("GET http:// HTTP/1.1\r\nHost: a\r\n\r\n")},
    {HEAD("GET http://user@t/ HTTP/1.1\r\nHost: a\r\n\r\n")},
    {HEAD("GET http://t/ HTTP/1.1\r\nHost: a b\r\n\r\n")},
};

START_TEST(what_servers_may_understand_differently_has_no_host)
{
    for (size_t piece = 1; piece <= doubtful[_i].length; piece++) {
        ck_assert_int_eq(feed(doubtful[_i].bytes, doubtful[_i].length, piece), HEAD_DOUBTFUL);
        ck_assert_str_eq(head.host, "");
        ck_assert(head.begun);
    }
}
END_TEST

static const struct {
    const char *bytes;
    size_t length; /* after which it is known */
} others[] = {
    {"\x16\x03\x01", 1},
    {"\n", 1},
    {"\r\r", 2},
    {"\r\n\r", 3},
    {" GET", 1},
    {"SSH-2.0-OpenSSH_9.2p1\r\n", 22},
    {"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", 31},
    {"GET  /", 5},
    {"GET /\r\n", 6}, /* HTTP/0.9 */
    {"GET /x\r\n", 7},
    {"GET / HTTP/2", 12},
    {"GET / HTTP/1.1\n", 15},
    {"GET / HTTP/1.10", 15},
    {"GET / HTTP/1.1\rx", 16},
    {"GET / http/1.1", 7},
    {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 12},
    {"GET http://x\r\n", 13},
    {"ABCDEFGHIJKLMNOPQRSTUVWXYZABCDEFG", 33},
};

START_TEST(what_is_not_http_is_known_early)
{
    for (size_t n = 0; n < others[_i].length; n++)
        ck_assert_int_eq(feed(others[_i].bytes, n, n + 1), HEAD_MORE);
    ck_assert_int_eq(feed(others[_i].bytes, others[_i].length, 1), HEAD_NOT_HTTP);
    ck_assert(!head.begun);
}
END_TEST

START_TEST(a_host_has_a_bound)
{
    char request[2048] = "GET / HTTP/1.1\r\nHost: ";
    size_t before = strlen(request);
    for (size_t length = HEAD_HOST_MAX; length <= 1024; length = length * 2 - 254) {
        memset(request + before, 'h', length);
        strcpy(request + before + length, ":65535\r\n\r\n");
        ck_assert_int_eq(feed(request, strlen(request), 3),
                         length <= HEAD_HOST_MAX ? HEAD_COMPLETE : HEAD_DOUBTFUL);
        ck_assert_uint_eq(strlen(head.host), length <= HEAD_HOST_MAX ? length : 0);
    }
}
END_TEST

START_TEST(what_follows_a_head_changes_nothing)
{
    static const char text[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\nGET / HTTP/1.1\r\nHost: b\r\n\r\n";
    ck_assert_int_eq(feed(text, sizeof text - 1, 1), HEAD_COMPLETE);
    ck_assert_str_eq(head.host, "a");
}
END_TEST

Suite *http_head_suite(void)
{
    Suite *suite = suite_create("http_head");
    TCase *tcase = tcase_create("http_head");
    tcase_add_loop_test(tcase, the_host_of_a_request, 0, sizeof good / sizeof *good);
    tcase_add_loop_test(tcase, what_servers_may_understand_differently_has_no_host, 0,
                        sizeof doubtful / sizeof *doubtful);
    tcase_add_loop_test(tcase, what_is_not_http_is_known_early, 0, sizeof others / sizeof *others);
    tcase_add_test(tcase, a_host_has_a_bound);
    tcase_add_test(tcase, what_follows_a_head_changes_nothing);
    suite_add_tcase(suite, tcase);
    return suite;
}
