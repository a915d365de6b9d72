/* What a check by HTTP asks, and what it makes of answers: without sockets, whole and in pieces. */
#include "config/base/pattern.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/answers.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct check_conf conf;

static void setup(void)
{
    conf = (struct check_conf){.kind = CHECK_HTTP};
    for (unsigned code = 200; code < 400; code++)
        check_status_add(&conf.status, code);
}

static void teardown(void)
{
    pattern_free(conf.body_pattern);
}

/* The same verdict in pieces of every size; returns that of the whole. */
static struct talk hear(const char *said, bool ends)
{
    size_t length = strlen(said);
    struct talk whole = talk(&conf, said, length, length + 1, ends);
    for (size_t piece = 1; piece <= length && piece < 40; piece++) {
        struct talk other = talk(&conf, said, length, piece, ends);
        ck_assert_int_eq(other.verdict, whole.verdict);
        if (other.verdict == DIALOGUE_FAILED && !strstr(whole.reason, "not HTTP"))
            ck_assert_str_eq(other.reason, whole.reason);
    }
    return whole;
}

static void passes(const char *said)
{
    struct talk heard = hear(said, false);
    ck_assert_msg(heard.verdict == DIALOGUE_PASSED, "'%s': %s", said, heard.reason);
}

static void fails(const char *said, bool ends, const char *reason)
{
    struct talk heard = hear(said, ends);
    ck_assert_msg(heard.verdict == DIALOGUE_FAILED, "'%s' is %d", said, heard.verdict);
    ck_assert_msg(strstr(heard.reason, reason), "'%s' lacks '%s'", heard.reason, reason);
}

static void goes_on(const char *said)
{
    ck_assert_int_eq(hear(said, false).verdict, DIALOGUE_GOES_ON);
}

static const char *asked(void)
{
    static struct talk heard;
    heard = talk(&conf, "", 0, 1, false);
    return heard.sent;
}

START_TEST(the_request)
{
    ck_assert_str_eq(asked(), "GET / HTTP/1.1\r\nHost: 192.0.2.1:80\r\nUser-Agent: rpproxy\r\n"
                              "Connection: close\r\n\r\n");
    char method[] = "POST", path[] = "/a?b", host[] = "app.example.org";
    char agent[] = "user-agent: me", accept[] = "Accept: */*";
    char *headers[] = {agent, accept};
    conf.method = method;
    conf.path = path;
    conf.host = host;
    conf.headers = headers;
    conf.header_count = 2;
    ck_assert_str_eq(asked(), "POST /a?b HTTP/1.1\r\nHost: app.example.org\r\nConnection: close\r\n"
                              "Content-Length: 0\r\nuser-agent: me\r\nAccept: */*\r\n\r\n");
    char own[] = "HOST: x", connection[] = "Connection: keep-alive";
    headers[0] = own;
    headers[1] = connection;
    ck_assert_str_eq(asked(), "POST /a?b HTTP/1.1\r\nUser-Agent: rpproxy\r\nContent-Length: 0\r\n"
                              "HOST: x\r\nConnection: keep-alive\r\n\r\n");
}
END_TEST

START_TEST(the_status_decides)
{
    passes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    passes("HTTP/1.0 399\n\n");
    passes("HTTP/1.1 204 No Content\r\nServer: x\r\n\r\n");
    fails("HTTP/1.1 503 Service Unavailable\r\n\r\n", false, "status 503");
    fails("HTTP/1.1 404 Not Found\r\n\r\n", false, "status 404");
    fails("HTTP/1.1 999 What\r\n\r\n", false, "status 999");
    check_status_add(&conf.status, 503);
    passes("HTTP/1.1 503 Service Unavailable\r\n\r\n");
}
END_TEST

START_TEST(interim_answers_are_passed_over)
{
    passes("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
           "HTTP/1.1 200 OK\r\n\r\n");
    fails("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 500 No\r\n\r\n", false, "status 500");
    goes_on("HTTP/1.1 100 Continue\r\n\r\n");
    fails("HTTP/1.1 101 Switching Protocols\r\n\r\n", false, "status 101");
}
END_TEST

/* A server of another protocol: the first frame of HTTP/2 begins with zeros. */
START_TEST(bytes_that_are_no_text_are_told)
{
    static const char frame[] = "\0a\4\0b", body[] = "HTTP/1.1 200 OK\r\n\r\n\0no";
    struct talk heard = talk(&conf, frame, sizeof frame - 1, sizeof frame, false);
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    ck_assert_str_eq(heard.reason, "answered '?a??b', which is not HTTP/1");
    char wanted[] = "yes";
    conf.body = wanted;
    heard = talk(&conf, body, sizeof body - 1, sizeof body, true);
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    ck_assert_str_eq(heard.reason, "status 200, but the body lacks 'yes': '?no'");
}
END_TEST

START_TEST(what_is_not_http)
{
    fails("SSH-2.0-OpenSSH_9.2\r\n", false, "not HTTP/1");
    fails("HTTX", false, "not HTTP/1");
    fails("HTTP/2.0 200 OK\r\n", false, "not HTTP/1");
    fails("HTTP/1.1 20 OK\r\n", false, "not HTTP/1");
    fails("HTTP/1.1 2000 OK\r\n", false, "not HTTP/1");
    fails("HTTP/1.1 OK\r\n", false, "not HTTP/1");
    fails("HTTP/1.1  200 OK\r\n", false, "not HTTP/1");
    fails("HTTP/1.1 099 OK\r\n", false, "not HTTP/1");
    fails("\x16\x03\x01 alert", false,
          "'?"
          "?"
          "? alert'");
}
END_TEST

START_TEST(answers_that_end_early)
{
    fails("", true, "without an answer");
    fails("HTT", true, "without an answer");
    fails("HTTP/1.1 200 OK\r\nServer: x\r\n", true, "within its answer");
    goes_on("HTTP/1.1 200 OK\r\nServer: x\r\n");
}
END_TEST

START_TEST(body_by_length)
{
    char body[] = "alive";
    conf.body = body;
    passes("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n--alive--");
    passes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nalive");
    goes_on("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n--aliv");
    fails("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n--alive", false, "lacks 'alive': '--aliv'");
    fails("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", false, "lacks 'alive'");
    fails("HTTP/1.1 204 No\r\n\r\n", false, "lacks 'alive'");
    fails("HTTP/1.1 500 No\r\nContent-Length: 5\r\n\r\nalive", false, "status 500");
    fails("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n--", true, "within its answer");
    fails("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", false, "Content-Length '-1'");
    fails("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nalive", false,
          "Content-Length '6'");
    fails("HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n", false,
          "Content-Length");
}
END_TEST

START_TEST(body_up_to_the_end)
{
    char body[] = "alive";
    conf.body = body;
    passes("HTTP/1.1 200 OK\r\n\r\nnot dead, but alive");
    goes_on("HTTP/1.1 200 OK\r\n\r\nnot dead");
    fails("HTTP/1.1 200 OK\r\n\r\nnot dead", true, "lacks 'alive': 'not dead'");
}
END_TEST

START_TEST(body_in_chunks)
{
    char body[] = "alive";
    conf.body = body;
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    passes(CHUNKED "3\r\n--a\r\n2;ext=\"x\"\r\nli\r\n3 \r\nve-\r\n0\r\n\r\n");
    goes_on(CHUNKED "3\r\n--a\r\n2\r\nli\r\n");
    fails(CHUNKED "3\r\n--a\r\n3\r\nliv\r\n0\r\nTrailer: alive\r\n\r\n", false, "lacks 'alive'");
    fails(CHUNKED "zz\r\n", false, "chunk of size 'zz'");
    fails(CHUNKED "\r\n", false, "chunk of size ''");
    fails(CHUNKED "ffffffffffffffff\r\n", false, "chunk of size");
    fails(CHUNKED "3\r\n--alive\r\n", false, "no end");
    fails(CHUNKED "3\r\n--a\r\n", true, "within its answer");
}
END_TEST

START_TEST(body_by_regular_expression)
{
    char body[] = "~\"state\":\\s*\"(running|streaming)\"";
    conf.body = body;
    ck_assert_ptr_null(pattern_new(body + 1, &conf.body_pattern));
    passes("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"state\": \"running\"}");
    goes_on("HTTP/1.1 200 OK\r\nContent-Length: 40\r\n\r\n{\"state\": \"runnin");
    fails("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{\"state\": \"stopped\"}", false, "lacks");
}
END_TEST

START_TEST(a_head_request_has_no_body)
{
    char method[] = "HEAD", body[] = "x";
    conf.method = method;
    passes("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
    conf.body = body;
    fails("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", false, "lacks 'x'");
}
END_TEST

enum { HUGE = 3 * 1024 * 1024 };

/* "head", then a byte again and again. */
static struct talk hear_endless(const char *head, char byte)
{
    char *said = malloc(HUGE);
    ck_assert_ptr_nonnull(said);
    memset(said, byte, HUGE);
    memcpy(said, head, strlen(head));
    struct talk heard = talk(&conf, said, HUGE, 4000, false);
    free(said);
    return heard;
}

START_TEST(huge_answers_are_bounded)
{
    char body[] = "alive";
    struct talk heard = hear_endless("HTTP/1.1 200 OK\r\n\r\n", 'x');
    ck_assert_int_eq(heard.verdict, DIALOGUE_PASSED); /* an endless body is judged by its status */
    heard = hear_endless("HTTP/1.1 200 ", 'x');
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    ck_assert_str_eq(heard.reason, "answered with more than 64 KiB of headers");
    heard = hear_endless("HTTP/1.1 200 OK\r\nX: ", 'x');
    ck_assert_str_eq(heard.reason, "answered with more than 64 KiB of headers");
    conf.body = body;
    heard = hear_endless("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", 'x');
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    ck_assert_uint_le(heard.heard, 2 * 64 * 1024);
    ck_assert_ptr_nonnull(strstr(heard.reason, "first 64 KiB lacks"));
    heard = hear_endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n", 'x');
    ck_assert_ptr_nonnull(strstr(heard.reason, "first 64 KiB lacks"));
}
END_TEST

START_TEST(endless_interim_answers_are_bounded)
{
    static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
    size_t length = sizeof interim - 1, count = 4000;
    char *said = malloc(length * count);
    for (size_t i = 0; i < count; i++)
        memcpy(said + i * length, interim, length);
    struct talk heard = talk(&conf, said, length * count, 1000, false);
    ck_assert_int_eq(heard.verdict, DIALOGUE_FAILED);
    free(said);
}
END_TEST

Suite *http_dialogue_suite(void)
{
    Suite *suite = suite_create("http_dialogue");
    TCase *tcase = tcase_create("http_dialogue");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, the_request);
    tcase_add_test(tcase, the_status_decides);
    tcase_add_test(tcase, interim_answers_are_passed_over);
    tcase_add_test(tcase, bytes_that_are_no_text_are_told);
    tcase_add_test(tcase, what_is_not_http);
    tcase_add_test(tcase, answers_that_end_early);
    tcase_add_test(tcase, body_by_length);
    tcase_add_test(tcase, body_up_to_the_end);
    tcase_add_test(tcase, body_in_chunks);
    tcase_add_test(tcase, body_by_regular_expression);
    tcase_add_test(tcase, a_head_request_has_no_body);
    tcase_add_test(tcase, huge_answers_are_bounded);
    tcase_add_test(tcase, endless_interim_answers_are_bounded);
    suite_add_tcase(suite, tcase);
    return suite;
}
