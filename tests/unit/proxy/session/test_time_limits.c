/* How long a session may rest, and how long it may last. */
#include "config/load.h"
#include "config/write.h"
#include "proxy/session/session.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdlib.h>
#include <string.h>

static struct frontend_conf frontend_conf;
static struct backend_conf backend_conf;
static struct frontend frontend;
static struct backend backend;
static struct session session;

static void setup(void)
{
    memset(&session, 0, sizeof session);
    memset(&frontend_conf, 0, sizeof frontend_conf);
    memset(&backend_conf, 0, sizeof backend_conf);
    frontend.conf = &frontend_conf;
    backend.conf = &backend_conf;
    session.frontend = &frontend;
    session.backend = &backend;
}

static void rests(millis expected, enum session_end end)
{
    enum session_end why;
    ck_assert_uint_eq(session_may_rest(&session, &why), expected);
    if (expected)
        ck_assert_int_eq(why, end);
}

START_TEST(the_backend_goes_before_the_frontend)
{
    rests(0, SESSION_IDLE);
    frontend_conf.idle_timeout = 5000;
    rests(5000, SESSION_IDLE);
    backend_conf.idle_timeout = 9000;
    rests(9000, SESSION_IDLE);
    backend_conf.idle_timeout = IDLE_FOR_EVER;
    rests(0, SESSION_IDLE);
    session.backend = NULL; /* not in this configuration */
    rests(5000, SESSION_IDLE);
}
END_TEST

START_TEST(a_half_closed_session_may_rest_less)
{
    frontend_conf.idle_timeout = 5000;
    frontend_conf.fin_timeout = 1000;
    rests(5000, SESSION_IDLE);
    session.server.shut = true; /* the client has ended */
    rests(1000, SESSION_FIN_TIMEOUT);
    session.server.shut = false;
    session.client.shut = true;
    rests(1000, SESSION_FIN_TIMEOUT);
    frontend_conf.idle_timeout = 1000;
    rests(1000, SESSION_IDLE);
    backend_conf.idle_timeout = IDLE_FOR_EVER;
    rests(1000, SESSION_FIN_TIMEOUT);
    frontend_conf.fin_timeout = 0;
    rests(0, SESSION_IDLE);
}
END_TEST

START_TEST(jitter_is_spread_and_belongs_to_the_session)
{
    enum { SESSIONS = 10000, BUCKETS = 10 };
    unsigned buckets[BUCKETS] = {0};
    session.entry.accepted_at = UINT64_C(7000000000); /* microseconds */
    ck_assert_uint_eq(session_too_long_at(&session), WHEEL_NEVER);
    frontend_conf.session_timeout = (struct session_life){.length = 100000};
    ck_assert_uint_eq(session_too_long_at(&session), 7000000 + 100000);
    frontend_conf.session_timeout.jitter = 10;
    for (unsigned i = 0; i < SESSIONS; i++) {
        session.number = i;
        uint64_t at = session_too_long_at(&session);
        ck_assert(at >= 7090000 && at <= 7100000);
        ck_assert_uint_eq(session_too_long_at(&session), at);
        buckets[(at - 7090000) * BUCKETS / 10001]++;
    }
    for (unsigned i = 0; i < BUCKETS; i++)
        ck_assert(buckets[i] > SESSIONS / BUCKETS * 8 / 10 &&
                  buckets[i] < SESSIONS / BUCKETS * 12 / 10);
}
END_TEST

START_TEST(options_are_read_and_written)
{
    struct config *config = load_good(
        "[defaults]\nidle-timeout = 7s\nfin-timeout = 3s\n"
        "[frontend f]\nbind = 127.0.0.1:1\nbackend = b\nsession-timeout = 12h   jitter=10%\n"
        "[backend b]\nserver = a 127.0.0.1:2\nidle-timeout = 0s\n"
        "[listen l]\nbind = 127.0.0.1:3\nserver = a 127.0.0.1:4\nidle-timeout = 5s\n");
    size_t length;
    char *text = config_text(config, &length);
    ck_assert_ptr_nonnull(strstr(text, "\nsession-timeout = 12h jitter=10%\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nsession-timeout = 0s\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nidle-timeout = frontend\n"));
    ck_assert_uint_eq(config->frontends[0].idle_timeout, 7000);
    ck_assert_uint_eq(config->frontends[0].fin_timeout, 3000);
    ck_assert_uint_eq(config->frontends[1].idle_timeout, 5000);
    ck_assert_uint_eq(config->backends[0].idle_timeout, IDLE_FOR_EVER);
    ck_assert_uint_eq(config->backends[1].idle_timeout, 0);
    free(text);
    config_free(config);
    static const char *const wrong[] = {
        "session-timeout = 12",
        "session-timeout = 12h jitter=91%",
        "session-timeout = 12h 10%",
        "session-timeout = 12h jitter=10",
        "session-timeout = 12h jitter=10% more",
        "session-timeout = 9000h",
        "fin-timeout = 3",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char bad[256];
        snprintf(bad, sizeof bad, VALID "%s\n", wrong[i]);
        struct loaded loaded = load_text(bad);
        ck_assert_msg(loaded.error_count == 1, "%s: %s", wrong[i], loaded.errors);
        loaded_free(&loaded);
    }
}
END_TEST

START_TEST(options_of_tcp_are_read_and_written)
{
    struct config *config =
        load_good("[defaults]\nkeepalive = no\nuser-timeout = 5s\n"
                  "[frontend f]\nbind = 127.0.0.1:1\nbackend = b\nkeepalive = 1m,10s,5\n"
                  "[backend b]\nserver = a 127.0.0.1:2\nuser-timeout = 0s\n"
                  "[listen l]\nbind = 127.0.0.1:3\nserver = a 127.0.0.1:4\nkeepalive = yes\n");
    size_t length;
    char *text = config_text(config, &length);
    ck_assert_ptr_nonnull(strstr(text, "\nkeepalive = 60s,10s,5\nuser-timeout = 5s\n"));
    ck_assert_ptr_nonnull(strstr(text, "\nkeepalive = no\nuser-timeout = 0s\n"));
    for (unsigned i = 0; i < 2; i++) {
        const struct tcp_tuning *tcp = i ? &config->frontends[1].tcp : &config->backends[1].tcp;
        ck_assert_int_eq(tcp->keepalive, KEEPALIVE_YES);
        ck_assert_uint_eq(tcp->user_timeout, 5000);
    }
    ck_assert_uint_eq(config->frontends[0].tcp.user_timeout, 5000);
    ck_assert_int_eq(config->backends[0].tcp.keepalive, KEEPALIVE_NO);
    free(text);
    config_free(config);
    static const char *const wrong[] = {
        "keepalive = 60s",         "keepalive = 60s,10s",     "keepalive = 60,10,5",
        "keepalive = 60s,10s,0",   "keepalive = 60s,10s,128", "keepalive = 500ms,10s,5",
        "keepalive = 60s,10s,5,1", "keepalive = 0s,10s,5",    "keepalive = 40000s,10s,5",
        "keepalive = maybe",       "user-timeout = 25h",      "keepalive = ,,",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        char bad[256];
        snprintf(bad, sizeof bad, VALID "%s\n", wrong[i]);
        struct loaded loaded = load_text(bad);
        ck_assert_msg(loaded.error_count == 1, "%s: %s", wrong[i], loaded.errors);
        loaded_free(&loaded);
    }
}
END_TEST

Suite *time_limits_suite(void)
{
    Suite *suite = suite_create("time_limits");
    TCase *tcase = tcase_create("time_limits");
    tcase_add_checked_fixture(tcase, folder_make, folder_remove);
    tcase_add_checked_fixture(tcase, setup, NULL);
    tcase_add_test(tcase, the_backend_goes_before_the_frontend);
    tcase_add_test(tcase, a_half_closed_session_may_rest_less);
    tcase_add_test(tcase, jitter_is_spread_and_belongs_to_the_session);
    tcase_add_test(tcase, options_are_read_and_written);
    tcase_add_test(tcase, options_of_tcp_are_read_and_written);
    suite_add_tcase(suite, tcase);
    return suite;
}
