/* Which sessions end when a server goes down. The worker has no thread. */
#include "config/load.h"
#include "proxy/backend/backend.h"
#include "proxy/proxy.h"
#include "proxy/session/evict.h"
#include "proxy/session/lifecycle.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <errno.h>
#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static struct session_set *set;
static struct server *a, *b;
static struct address addresses[2];
static int listeners[2];

static void ignore(void *arg)
{
    (void)arg;
}

static void open_with(const char *on_down)
{
    char text[512], first[ADDRESS_TEXT_MAX], second[ADDRESS_TEXT_MAX];
    snprintf(text, sizeof text,
             "[listen f]\nbind = 127.0.0.1:1\ncheck = tcp\nfall = 1\nrise = 1\non-down = %s\n"
             "server = a %s\nserver = b %s\n",
             on_down, address_format(&addresses[0], first), address_format(&addresses[1], second));
    config = load_good(text);
    base = event_base_new();
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    ck_assert_int_eq(proxy_new(config, 1, 1, 0, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    set = &proxy->workers[0].sessions;
    a = backend_find(&proxy->service.backends[0], "a");
    b = backend_find(&proxy->service.backends[0], "b");
}

static void setup(void)
{
    folder_make();
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(loopback_bind(0, &addresses[i]));
        listeners[i] = loopback_listen(&addresses[i]);
    }
}

static void teardown(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    close(listeners[0]);
    close(listeners[1]);
    folder_remove();
}

/* A session that is connecting to one of the servers. */
static struct session *add(void)
{
    struct frontend *frontend = &proxy->service.frontends[0];
    place_force(&frontend->places);
    session_open(set, frontend, &config->frontends[0].binds[0], loopback_connect(&addresses[0]),
                 &addresses[0]);
    return session_of(TAILQ_LAST(&set->lists[0].list, sessions_by_age));
}

static struct session *add_established(const struct server *server)
{
    for (unsigned i = 0; i < 4; i++) {
        struct session *session = add();
        if (session->chosen == server) {
            session_set_state(session, SESSION_ESTABLISHED);
            return session;
        }
        session_close(session, SESSION_DONE);
    }
    ck_abort_msg("the server is not chosen");
}

static void evict(void)
{
    struct evictor *evictor = &proxy->workers[0].evictor;
    evict_begin(evictor);
    while (evict_next(evictor))
        ;
}

START_TEST(sessions_of_the_server_end)
{
    open_with("close");
    struct session *of_a = add_established(a), *of_b = add_established(b),
                   *parked = add_established(a);
    session_set_state(parked, SESSION_PARKED);
    evict();
    ck_assert_int_eq(of_a->state, SESSION_ESTABLISHED);
    server_failed(a, ECONNREFUSED, "");
    ck_assert(server_is_ending(a));
    evict();
    ck_assert_int_eq(of_a->state, SESSION_CLOSED);
    ck_assert_int_eq(of_a->outcome, SESSION_SERVER_DOWN);
    ck_assert_int_eq(of_b->state, SESSION_ESTABLISHED);
    ck_assert_int_eq(parked->state, SESSION_PARKED); /* looked at when it goes on */
    server_passed(a);
    ck_assert(!server_is_ending(a));
    session_set_state(parked, SESSION_ESTABLISHED);
    evict();
    ck_assert_int_eq(parked->state, SESSION_ESTABLISHED);
}
END_TEST

START_TEST(a_session_that_connects_goes_on_elsewhere)
{
    open_with("close");
    struct session *session = add();
    struct server *first = session->chosen, *other = first == a ? b : a;
    ck_assert_int_eq(session->state, SESSION_CONNECTING);
    server_failed(first, ECONNREFUSED, "");
    evict();
    ck_assert_int_eq(session->state, SESSION_CONNECTING);
    ck_assert_ptr_eq(session->chosen, other);
}
END_TEST

START_TEST(sessions_are_kept_where_that_is_wanted)
{
    open_with("keep");
    struct session *session = add_established(a);
    server_failed(a, ECONNREFUSED, "");
    ck_assert(!server_is_ending(a));
    evict();
    ck_assert_int_eq(session->state, SESSION_ESTABLISHED);
}
END_TEST

START_TEST(commands_end_no_session)
{
    open_with("close");
    struct session *session = add_established(a);
    server_set_admin(a, ADMIN_MAINT);
    server_set_weight(a, 0);
    evict();
    ck_assert_int_eq(session->state, SESSION_ESTABLISHED);
}
END_TEST

/* A session that ends by itself while the others are looked at. */
START_TEST(the_next_session_may_end_meanwhile)
{
    open_with("close");
    struct session *first = add_established(b), *second = add_established(b),
                   *third = add_established(b);
    server_failed(b, ECONNREFUSED, "");
    struct evictor *evictor = &proxy->workers[0].evictor;
    evict_begin(evictor);
    session_close(first, SESSION_DONE);
    session_close(second, SESSION_DONE);
    ck_assert(!evict_next(evictor));
    ck_assert_int_eq(third->outcome, SESSION_SERVER_DOWN);
    ck_assert_int_eq(second->outcome, SESSION_DONE);
}
END_TEST

Suite *evict_suite(void)
{
    Suite *suite = suite_create("evict");
    TCase *tcase = tcase_create("evict");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, sessions_of_the_server_end);
    tcase_add_test(tcase, a_session_that_connects_goes_on_elsewhere);
    tcase_add_test(tcase, sessions_are_kept_where_that_is_wanted);
    tcase_add_test(tcase, commands_end_no_session);
    tcase_add_test(tcase, the_next_session_may_end_meanwhile);
    suite_add_tcase(suite, tcase);
    return suite;
}
