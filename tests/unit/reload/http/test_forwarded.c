/* Answers of another process that go on to a client. */
#include "reload/http/forwarded.h"
#include "tests/unit/suites.h"

#include <event2/keyvalq_struct.h>
#include <string.h>
#include <sys/queue.h>

static struct evkeyvalq headers;
static struct evbuffer *answer;
static int status;

static void setup(void)
{
    TAILQ_INIT(&headers);
    answer = evbuffer_new();
}

static void teardown(void)
{
    evhttp_clear_headers(&headers);
    evbuffer_free(answer);
}

static bool reads(const char *text, size_t length)
{
    evhttp_clear_headers(&headers);
    evbuffer_drain(answer, evbuffer_get_length(answer));
    evbuffer_add(answer, text, length);
    return forwarded_read(answer, &headers, &status);
}

static void expect_body(const char *text)
{
    ck_assert_uint_eq(evbuffer_get_length(answer), strlen(text));
    ck_assert_mem_eq(evbuffer_pullup(answer, -1), text, strlen(text));
}

START_TEST(an_answer_is_status_headers_and_body)
{
    static const char text[] =
        "HTTP/1.1 207 Some\r\nContent-Type: text/plain\r\ndate: today\r\n"
        "CONTENT-LENGTH: 9\r\nConnection: close\r\nETag: \r\n\r\nfor\r\n\r\nyou";
    ck_assert(!reads(text, sizeof text - 1));
    ck_assert(TAILQ_EMPTY(&headers));
    ck_assert(reads(text, sizeof text - 2));
    ck_assert_int_eq(status, 207);
    ck_assert_str_eq(evhttp_find_header(&headers, "content-type"), "text/plain");
    ck_assert_str_eq(evhttp_find_header(&headers, "ETag"), "");
    ck_assert_ptr_null(evhttp_find_header(&headers, "Date"));
    ck_assert_ptr_null(evhttp_find_header(&headers, "Content-Length"));
    ck_assert_ptr_null(evhttp_find_header(&headers, "Connection"));
    expect_body("for\r\n\r\nyo");
}
END_TEST

START_TEST(a_body_may_have_any_length_that_was_not_told)
{
    static const char text[] = "HTTP/1.0 404 No\n\nbody";
    ck_assert(reads(text, sizeof text - 1));
    ck_assert_int_eq(status, 404);
    expect_body("body");
}
END_TEST

START_TEST(what_is_not_a_whole_answer_is_refused)
{
    static const char *const texts[] = {
        "",
        "HTTP/1.1 200 OK",
        "HTTP/1.1 200 OK\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 -20 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\rC: d\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r c\r\n\r\n",
        "HTTP/1.1 200 OK\r\nA: b\r\nContent-Length: 3\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabcd",
        "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 0x0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 18446744073709551616\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        ck_assert_msg(!reads(texts[i], strlen(texts[i])), "%s", texts[i]);
        ck_assert(TAILQ_EMPTY(&headers));
    }
    ck_assert(!reads("HTTP/1.1 200 OK\r\nA: b\r\n\0A\r\n\r\n", 30));
}
END_TEST

Suite *forwarded_suite(void)
{
    Suite *suite = suite_create("forwarded");
    TCase *tcase = tcase_create("forwarded");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, an_answer_is_status_headers_and_body);
    tcase_add_test(tcase, a_body_may_have_any_length_that_was_not_told);
    tcase_add_test(tcase, what_is_not_a_whole_answer_is_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
