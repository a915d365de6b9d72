#include "proxy/proxy.h"
#include "tests/unit/config_text.h"
#include "tests/unit/loopback.h"
#include "tests/unit/suites.h"

#include <check.h>
#include <event2/event.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <unistd.h>

enum { WORKERS = 3 };

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static struct address front, back;
static int servers, listeners[WORKERS];

static void ignore(void *arg)
{
    (void)arg;
}

static void setup(void)
{
    char text[256], server[ADDRESS_TEXT_MAX];
    folder_make();
    ck_assert(loopback_bind(0, &front));
    back = front;
    servers = loopback_listen(&back);
    snprintf(text, sizeof text, "[listen main]\nbind = 127.0.0.1:1\nserver = a %s\n",
             address_format(&back, server));
    config = load_good(text);
    base = event_base_new();
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    proxy = proxy_new(config, 1, WORKERS, 1, base, &events);
    ck_assert_ptr_nonnull(proxy);
    for (unsigned i = 0; i < WORKERS; i++) {
        listeners[i] = loopback_listen(&front);
        ck_assert_int_eq(
            proxy_add_listener(proxy, i, listeners[i], 0, &config->frontends[0].binds[0]), 0);
    }
    ck_assert_int_eq(proxy_start(proxy), 0);
    proxy_accept(proxy);
}

static void teardown(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    for (unsigned i = 0; i < WORKERS; i++)
        close(listeners[i]);
    close(servers);
    folder_remove();
}

/* The end of one worker's session wakes the others, whether they have stopped before or not. */
START_TEST(it_ends_while_workers_wait_for_a_place)
{
    enum { CLIENTS = 16 };
    int clients[CLIENTS];
    for (unsigned i = 0; i < CLIENTS; i++)
        clients[i] = loopback_connect(&front);
    loopback_await(servers, POLLIN);
    while (atomic_load(&proxy->sessions.waiting) == 0)
        sched_yield();
    ck_assert_uint_eq(proxy_totals(proxy).live, 1);
    proxy_free(proxy);
    proxy = NULL;
    for (unsigned i = 0; i < CLIENTS; i++)
        loopback_reset(clients[i]);
}
END_TEST

Suite *proxy_suite(void)
{
    Suite *suite = suite_create("proxy");
    TCase *tcase = tcase_create("proxy");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, it_ends_while_workers_wait_for_a_place);
    suite_add_tcase(suite, tcase);
    return suite;
}
