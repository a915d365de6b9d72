/* Walks through the sessions of a worker, while sessions come and go. The worker has no thread: the
 * test runs its tasks, and those of the main thread. */
#include "config/load.h"
#include "proxy/listen/listener.h"
#include "proxy/proxy.h"
#include "proxy/session/lifecycle.h"
#include "proxy/session/walk.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <event2/event.h>
#include <stdio.h>
#include <unistd.h>

enum { MANY = 300, SEEN_MAX = 1000 };

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static struct session_set *set;
static struct address back;
static int servers;

static uint64_t seen[SEEN_MAX]; /* numbers of sessions, in the order in which they were seen */
static size_t seen_count;
static unsigned slices, overs;

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
    ck_assert_int_eq(proxy_new(config, 3, 1, 0, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    set = &proxy->workers[0].sessions;
    seen_count = slices = overs = 0;
}

static void teardown(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    close(servers);
    folder_remove();
}

/* A session without a client would end at once: one end of a socket pair never does. */
static struct session *add(size_t frontend)
{
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    close(ends[1]);
    place_force(&proxy->service.frontends[frontend].places);
    session_open(set, &proxy->service.frontends[frontend], &config->frontends[frontend].binds[0],
                 ends[0], &back);
    struct session_entry *entry = TAILQ_LAST(&set->lists[frontend].list, sessions_by_age);
    ck_assert_ptr_nonnull(entry);
    return session_of(entry);
}

static void on_slice(struct walk *walk, void *arg)
{
    const struct walk_slice *slice = walk_slice(walk);
    (void)arg;
    slices++;
    for (unsigned i = 0; i < slice->count; i++)
        seen[seen_count++] = slice->sessions[i].id.number;
    overs += slice->over;
}

static struct walk *begin(const char *filter, bool kill)
{
    struct walk_order order = {.kill = kill, .limit = UINT64_MAX, .on_slice = on_slice};
    if (filter)
        ck_assert_ptr_null(session_filter_add(&order.filter, filter));
    struct walk *walk = walk_begin(&proxy->service, &order);
    ck_assert_ptr_nonnull(walk);
    return walk;
}

/* Turns of the worker until it answers. */
static void run_slice(void)
{
    unsigned before = slices;
    while (slices == before) {
        task_queue_run(&set->loop.tasks);
        task_queue_run(&proxy->task_queue);
    }
}

static void run_rest(struct walk *walk)
{
    run_slice();
    while (!overs) {
        walk_go_on(walk);
        run_slice();
    }
}

static void run_to_end(struct walk *walk)
{
    run_rest(walk);
    walk_end(walk);
}

START_TEST(all_are_seen_once_the_oldest_first)
{
    for (unsigned i = 0; i < MANY; i++)
        add(0);
    add(1);
    struct walk *walk = begin(NULL, false);
    run_to_end(walk);
    ck_assert_uint_eq(seen_count, MANY + 1);
    ck_assert_uint_gt(slices, MANY / WALK_SESSIONS);
    for (unsigned i = 0; i <= MANY; i++)
        ck_assert_uint_eq(seen[i], i + 1);
}
END_TEST

START_TEST(no_session_is_no_harm)
{
    run_to_end(begin(NULL, false));
    run_to_end(begin(NULL, true));
    ck_assert_uint_eq(seen_count, 0);
}
END_TEST

/* Among those that end is the next that the walk would look at. */
START_TEST(sessions_end_between_slices)
{
    struct session *sessions[MANY];
    for (unsigned i = 0; i < MANY; i++)
        sessions[i] = add(0);
    struct walk *walk = begin(NULL, false);
    run_slice();
    ck_assert_uint_eq(seen_count, WALK_SESSIONS);
    for (unsigned i = WALK_SESSIONS / 2; i < 2 * WALK_SESSIONS; i++)
        session_close(sessions[i], SESSION_DONE);
    sessions_reap(set);
    walk_go_on(walk);
    run_to_end(walk);
    ck_assert_uint_eq(seen_count, MANY - WALK_SESSIONS);
    ck_assert_uint_eq(seen[WALK_SESSIONS], 2 * WALK_SESSIONS + 1);
    ck_assert_uint_eq(seen[seen_count - 1], MANY);
}
END_TEST

START_TEST(younger_sessions_are_not_seen)
{
    for (unsigned i = 0; i < MANY; i++)
        add(0);
    struct walk *walk = begin(NULL, false);
    run_slice();
    set->loop.now += 1000;
    add(0);
    walk_go_on(walk);
    run_to_end(walk);
    ck_assert_uint_eq(seen_count, MANY);
}
END_TEST

START_TEST(limit_counts_each_list)
{
    for (unsigned i = 0; i < 10; i++)
        add(i % 2);
    struct walk_order order = {.limit = 2, .on_slice = on_slice};
    struct walk *walk = walk_begin(&proxy->service, &order);
    run_to_end(walk);
    ck_assert_uint_eq(seen_count, 4);
    ck_assert_uint_eq(seen[0], 1);
    ck_assert_uint_eq(seen[1], 3);
    ck_assert_uint_eq(seen[2], 2);
}
END_TEST

START_TEST(those_that_match_are_killed)
{
    for (unsigned i = 0; i < MANY; i++)
        add(i % 2);
    struct walk *walk = begin("frontend=c", true);
    run_rest(walk);
    ck_assert_uint_eq(walk_killed(walk), MANY / 2);
    walk_end(walk);
    ck_assert_uint_eq(set->lists[0].count, MANY / 2);
    ck_assert_uint_eq(set->lists[1].count, 0);
    struct figures figures = {0};
    stats_add_workers(&proxy->stats, &figures);
    ck_assert_uint_eq(figures.killed, MANY / 2);
}
END_TEST

/* Nobody may touch a session that is on its way: the next walk finds it, or another process has it.
 */
START_TEST(moving_sessions_are_not_killed)
{
    struct session *session = add(0);
    add(0);
    session->state = SESSION_PARKED;
    struct walk *walk = begin("frontend=a", true);
    run_rest(walk);
    ck_assert_uint_eq(walk_killed(walk), 1);
    ck_assert_uint_eq(walk_slice(walk)->moving, 1);
    session->state = SESSION_CONNECTING;
    overs = 0;
    walk_go_on(walk);
    run_rest(walk);
    ck_assert_uint_eq(walk_killed(walk), 2);
    ck_assert_uint_eq(walk_slice(walk)->moving, 0);
    walk_end(walk);
}
END_TEST

/* At each of the moments when the command may hang up, and when the process may end. */
START_TEST(walk_ends_early)
{
    for (unsigned i = 0; i < MANY; i++)
        add(0);
    struct walk *walk = begin(NULL, false);
    walk_end(walk); /* before the worker has begun */
    task_queue_run(&set->loop.tasks);
    task_queue_run(&proxy->task_queue);
    ck_assert(TAILQ_EMPTY(&proxy->service.walks));

    walk = begin(NULL, false);
    run_slice();
    walk_end(walk); /* it stands in a list */
    task_queue_run(&set->loop.tasks);
    task_queue_run(&proxy->task_queue);
    ck_assert(TAILQ_EMPTY(&proxy->service.walks));
    ck_assert(LIST_EMPTY(&set->lists[0].cursors));

    walk = begin(NULL, false);
    run_slice();
    walk_go_on(walk);
    walk_end(walk); /* the worker has it */
    while (!TAILQ_EMPTY(&proxy->service.walks)) {
        task_queue_run(&set->loop.tasks);
        task_queue_run(&proxy->task_queue);
    }
    ck_assert(LIST_EMPTY(&set->lists[0].cursors));

    (void)begin(NULL, false); /* proxy_free() */
    run_slice();
    ck_assert_uint_eq(overs, 0);
}
END_TEST

static bool matches(const struct session *session, const char *const *words, uint64_t now)
{
    struct session_filter filter = {0};
    for (; *words; words++)
        ck_assert_msg(!session_filter_add(&filter, *words), "%s", *words);
    bool is = session_filter_matches(&filter, session, now);
    session_filter_free(&filter);
    return is;
}

#define MATCHES(...) matches(session, (const char *const[]){__VA_ARGS__, NULL}, now)

START_TEST(filters_match)
{
    struct session *session = add(1);
    uint64_t now = session->entry.accepted_at + 5000000;
    session->active_at = now - 2000000;
    session->client.stream.received = 1024;
    session->server.stream.received = 1024;
    session->peer.in =
        (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a010203)};
    ck_assert(MATCHES("3.0.1"));
    ck_assert(!MATCHES("2.0.1"));
    ck_assert(!MATCHES("3.1.1"));
    ck_assert(!MATCHES("3.0.2"));
    ck_assert(MATCHES("3.0.2", "3.0.1"));
    ck_assert(MATCHES("frontend=c"));
    ck_assert(!MATCHES("frontend=a"));
    ck_assert(MATCHES("frontend=a", "frontend=c"));
    ck_assert(MATCHES("backend=b"));
    ck_assert(!MATCHES("backend=c"));
    ck_assert(!MATCHES("frontend=c", "backend=c"));
    ck_assert(!MATCHES("server=b/t"));
    ck_assert(!MATCHES("server=c/s"));
    ck_assert(MATCHES("source=10.0.0.0/8"));
    ck_assert(MATCHES("source=10.1.2.3"));
    ck_assert(!MATCHES("source=10.1.2.4"));
    ck_assert(!MATCHES("source=::/0"));
    ck_assert(!MATCHES("source=unix"));
    ck_assert(!MATCHES("state=established"));
    ck_assert(MATCHES("idle=2s"));
    ck_assert(!MATCHES("idle=2001ms"));
    ck_assert(MATCHES("age=5s", "idle=1s"));
    ck_assert(!MATCHES("age=5001ms"));
    ck_assert(MATCHES("bytes=2k"));
    ck_assert(!MATCHES("bytes=2049"));
    session->peer.any.sa_family = AF_UNIX;
    ck_assert(MATCHES("source=unix"));
    ck_assert(!MATCHES("source=0.0.0.0/0"));
}
END_TEST

START_TEST(wrong_filters_are_refused)
{
    static const char *const wrong[] = {
        "",
        "web",
        "user=me",
        "frontend=",
        "frontend=a b",
        "server=b",
        "server=/s",
        "server=b/",
        "server=b/s/t",
        "source=x",
        "source=",
        "state=open",
        "state=closed",
        "idle=5",
        "idle=",
        "age=x",
        "bytes=",
        "bytes=x",
        "bytes=1kk",
        "bytes=k",
        "bytes=-1",
        "1.2",
        "1.2.3.4",
        "1..2",
        "1.2.x",
        "4294967296.0.1",
        "1.0.99999999999999999999",
        "bytes=18446744073709551615g",
        "age=18446744073709551615ms",
        " 1.0.1",
        "idle=5s ",
    };
    struct session_filter filter = {0};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_msg(session_filter_add(&filter, wrong[i]) != NULL, "'%s'", wrong[i]);
    ck_assert_uint_eq(filter.count, 0);
    ck_assert_ptr_null(session_filter_add(&filter, "idle=5s"));
    ck_assert_str_eq(session_filter_add(&filter, "idle=6s"), "is given twice");
    while (filter.count < SESSION_FILTER_MAX)
        ck_assert_ptr_null(session_filter_add(&filter, "frontend=a"));
    ck_assert_ptr_nonnull(session_filter_add(&filter, "frontend=a"));
    session_filter_free(&filter);
}
END_TEST

Suite *walk_suite(void)
{
    Suite *suite = suite_create("walk");
    TCase *walks = tcase_create("walks");
    tcase_add_checked_fixture(walks, setup, teardown);
    tcase_add_test(walks, all_are_seen_once_the_oldest_first);
    tcase_add_test(walks, no_session_is_no_harm);
    tcase_add_test(walks, sessions_end_between_slices);
    tcase_add_test(walks, younger_sessions_are_not_seen);
    tcase_add_test(walks, limit_counts_each_list);
    tcase_add_test(walks, those_that_match_are_killed);
    tcase_add_test(walks, moving_sessions_are_not_killed);
    tcase_add_test(walks, walk_ends_early);
    tcase_add_test(walks, filters_match);
    tcase_add_test(walks, wrong_filters_are_refused);
    suite_add_tcase(suite, walks);
    return suite;
}
