/* Which sessions are closed when a frontend keeps a share of them. The worker has no thread; there
 * are two frontends. */
#include "config/load.h"
#include "proxy/listen/listener.h"
#include "proxy/proxy.h"
#include "proxy/session/lifecycle.h"
#include "proxy/session/terminate.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <event2/event.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum { FRONTENDS = 2 };

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static struct session_set *set;
static struct address back;
static int servers, fds[FRONTENDS];

static void ignore(void *arg)
{
    (void)arg;
}

static void setup(void)
{
    char text[512], server[ADDRESS_TEXT_MAX];
    folder_make();
    ck_assert(loopback_bind(0, &back));
    servers = loopback_listen(&back);
    snprintf(text, sizeof text,
             "[frontend a]\nbind = 127.0.0.1:1\nbackend = b\n"
             "[frontend c]\nbind = 127.0.0.1:2\nbackend = b\n[backend b]\nserver = s %s\n",
             address_format(&back, server));
    config = load_good(text);
    base = event_base_new();
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    ck_assert_int_eq(proxy_new(config, 1, 1, 0, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    set = &proxy->workers[0].sessions;
    for (size_t i = 0; i < FRONTENDS; i++) {
        struct address address;
        ck_assert(loopback_bind(0, &address));
        fds[i] = loopback_listen(&address);
        ck_assert_int_eq(
            proxy_add_listener(proxy, 0, fds[i], false, NULL, i, &config->frontends[i].binds[0]),
            0);
    }
}

static void teardown(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    for (size_t i = 0; i < FRONTENDS; i++)
        close(fds[i]);
    close(servers);
    folder_remove();
}

/* Adds a session whose last activity was at that time. */
static void add(size_t frontend, uint64_t active_at)
{
    place_force(&proxy->service.frontends[frontend].places);
    session_open(set, &proxy->service.frontends[frontend], &config->frontends[frontend].binds[0],
                 loopback_connect(&back), &back);
    struct session_entry *entry = TAILQ_LAST(&set->lists[frontend].list, sessions_by_age);
    ck_assert_ptr_nonnull(entry);
    session_of(entry)->active_at = active_at;
}

static void keep(size_t frontend, double share)
{
    atomic_store(&proxy->service.frontends[frontend].keep, (unsigned)(share * KEEP_ALL));
    terminate_surplus(&proxy->workers[0].terminator);
    while (terminate_next(&proxy->workers[0].terminator))
        ;
}

/* Checks the times of the frontend's remaining sessions, in the order in which they were opened. */
static void expect_left(size_t frontend, const char *expected)
{
    char text[256] = "";
    size_t length = 0;
    struct session_entry *entry;
    TAILQ_FOREACH (entry, &set->lists[frontend].list, link)
        length += (size_t)snprintf(text + length, sizeof text - length, "%llu ",
                                   (unsigned long long)session_of(entry)->active_at);
    ck_assert_str_eq(text, expected);
}

START_TEST(frontend_keeps_all_sessions_at_first)
{
    add(0, 1);
    add(1, 2);
    terminate_surplus(&proxy->workers[0].terminator);
    keep(0, 0);
    expect_left(0, "");
    expect_left(1, "2 ");
    ck_assert_uint_eq(proxy_overdue(proxy), 1);
    ck_assert_uint_eq(proxy_live(proxy), 1);
}
END_TEST

START_TEST(longest_idle_sessions_end_first)
{
    static const uint64_t times[] = {50, 10, 40, 20, 30};
    for (size_t i = 0; i < 5; i++) {
        add(0, times[i]);
        add(1, times[i]);
    }
    keep(0, 0.6);
    expect_left(0, "50 40 30 ");
    keep(0, 0.4);
    expect_left(0, "50 40 ");
    expect_left(1, "50 10 40 20 30 ");
    keep(0, 0.01);
    expect_left(0, "50 ");
    keep(0, 0);
    expect_left(0, "");
    ck_assert_uint_eq(proxy_overdue(proxy), 5);
}
END_TEST

/* The share counts from the number at first: a session that ended itself counts as closed. */
START_TEST(sessions_that_ended_themselves_count)
{
    for (uint64_t i = 1; i <= 4; i++)
        add(0, i);
    keep(0, 0.99);
    expect_left(0, "1 2 3 4 ");
    session_close(session_of(TAILQ_FIRST(&set->lists[0].list)), SESSION_DONE);
    session_close(session_of(TAILQ_FIRST(&set->lists[0].list)), SESSION_DONE);
    keep(0, 0.5);
    expect_left(0, "3 4 ");
    keep(0, 0.25);
    expect_left(0, "4 ");
    ck_assert_uint_eq(proxy_overdue(proxy), 1);
}
END_TEST

/* A session that was active meanwhile is closed later. */
START_TEST(later_activity_counts)
{
    for (uint64_t i = 1; i <= 3; i++)
        add(0, i);
    keep(0, 0.9);
    session_of(TAILQ_FIRST(&set->lists[0].list))->active_at = 9;
    keep(0, 0.5);
    expect_left(0, "9 3 ");
    keep(0, 0.3);
    expect_left(0, "9 ");
}
END_TEST

/* Each turn looks at a slice of the sessions, and closes the same share of each slice. */
START_TEST(many_sessions_end_in_slices)
{
    enum { MANY = 2 * TERMINATE_SLICE + TERMINATE_SLICE / 2 };
    struct session_entry *entry;
    unsigned left = MANY, idlest = MANY;
    for (unsigned i = 0; i < MANY; i++)
        add(0, 1 + i * 97 % MANY);
    atomic_store(&proxy->service.frontends[0].keep, KEEP_ALL / 2);
    terminate_surplus(&proxy->workers[0].terminator);
    while (terminate_next(&proxy->workers[0].terminator)) {
        unsigned cut = left - proxy_live(proxy);
        ck_assert_uint_le(cut, TERMINATE_SLICE / 2 + 1);
        left -= cut;
    }
    ck_assert_uint_eq(left, MANY / 2);
    TAILQ_FOREACH (entry, &set->lists[0].list, link)
        if (session_of(entry)->active_at < idlest)
            idlest = (unsigned)session_of(entry)->active_at;
    ck_assert_uint_gt(idlest, MANY / 4);
    keep(0, 0);
    expect_left(0, "");
}
END_TEST

/* Sessions end between two turns, the next one to be looked at too. */
START_TEST(sessions_end_between_slices)
{
    enum { MANY = 2 * TERMINATE_SLICE };
    for (unsigned i = 0; i < MANY; i++)
        add(0, 1 + i);
    atomic_store(&proxy->service.frontends[0].keep, KEEP_ALL / 2);
    terminate_surplus(&proxy->workers[0].terminator);
    ck_assert(terminate_next(&proxy->workers[0].terminator));
    ck_assert_uint_eq(proxy_live(proxy), MANY - TERMINATE_SLICE / 2);
    for (unsigned i = 0; i < TERMINATE_SLICE / 2; i++)
        session_close(session_of(set->lists[0].cursor), SESSION_DONE);
    ck_assert(!terminate_next(&proxy->workers[0].terminator));
    ck_assert_uint_eq(proxy_live(proxy), MANY / 2);
    keep(0, 0);
    expect_left(0, "");
}
END_TEST

Suite *terminate_suite(void)
{
    Suite *suite = suite_create("terminate");
    TCase *shares = tcase_create("shares");
    tcase_add_checked_fixture(shares, setup, teardown);
    tcase_add_test(shares, frontend_keeps_all_sessions_at_first);
    tcase_add_test(shares, longest_idle_sessions_end_first);
    tcase_add_test(shares, sessions_that_ended_themselves_count);
    tcase_add_test(shares, later_activity_counts);
    tcase_add_test(shares, many_sessions_end_in_slices);
    tcase_add_test(shares, sessions_end_between_slices);
    suite_add_tcase(suite, shares);
    return suite;
}
