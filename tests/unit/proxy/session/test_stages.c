/* Sessions in the stages before a server is chosen. A worker without its thread: the test takes the
 * turns of its loop, and says what the stages decide. */
#include "proxy/session/first_bytes.h"
#include "proxy/session/stages.h"

#include "config/load.h"
#include "proxy/proxy.h"
#include "proxy/session/lifecycle.h"
#include "proxy/session/terminate.h"
#include "proxy/session/transfer.h"
#include "proxy/session/turn.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <errno.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static struct session_set *set;
static struct session *session;
static int servers, dead_server, client;
static bool admitted, granted;
static char seen[256]; /* a letter for each question, one for each cancel() */

static void see(char letter)
{
    size_t length = strlen(seen);
    if (length + 1 < sizeof seen)
        seen[length] = letter;
}

static enum stage_verdict admit(struct session *asked, const struct stage *stage,
                                enum stage_occasion occasion)
{
    ck_assert_int_eq(asked->state, stage->state);
    ck_assert_int_eq(occasion, STAGE_BEGINS);
    see('a');
    return admitted ? STAGE_PASSES : STAGE_REFUSES;
}

/* Wants a line. */
static enum stage_verdict inspect(struct session *asked, const struct stage *stage,
                                  enum stage_occasion occasion)
{
    static const char letters[] = {
        [STAGE_BEGINS] = 'b', [STAGE_BYTES] = '+', [STAGE_FULL] = 'f',
        [STAGE_ENDED] = 'e',  [STAGE_NEWS] = 'n',  [STAGE_OVERDUE] = 'o',
    };
    ck_assert_int_eq(asked->state, stage->state);
    see(letters[occasion]);
    const struct unsent *bytes = asked->first_bytes;
    return bytes && memchr(bytes->bytes, '\n', bytes->length) ? STAGE_PASSES : STAGE_WAITS;
}

static enum stage_verdict route(struct session *asked, const struct stage *stage,
                                enum stage_occasion occasion)
{
    ck_assert_int_eq(asked->state, stage->state);
    ck_assert_int_eq(occasion, STAGE_BEGINS);
    see('r');
    asked->backend = service_backend(&proxy->service, "second");
    return asked->backend ? STAGE_PASSES : STAGE_REFUSES;
}

static enum stage_verdict wait_for_place(struct session *asked, const struct stage *stage,
                                         enum stage_occasion occasion)
{
    ck_assert_int_eq(asked->state, stage->state);
    see(occasion == STAGE_BEGINS ? 'q' : occasion == STAGE_NEWS ? 'n' : 'o');
    return granted ? STAGE_PASSES : STAGE_WAITS;
}

static void leave_queue(struct session *asked, const struct stage *stage)
{
    (void)asked;
    (void)stage;
    see('x');
}

enum { LONG_MS = 3600000 };

static struct stage admission = {.state = SESSION_ADMISSION,
                                 .refused = SESSION_DENIED,
                                 .overdue = SESSION_DENIED,
                                 .deadline = LONG_MS,
                                 .decide = admit};
static struct stage inspection = {.state = SESSION_FIRST_BYTES,
                                  .refused = SESSION_NO_ROUTE,
                                  .overdue = SESSION_INSPECT_TIMEOUT,
                                  .deadline = LONG_MS,
                                  .reads = true,
                                  .decide = inspect,
                                  .cancel = leave_queue};
static struct stage routing = {.state = SESSION_ROUTING,
                               .refused = SESSION_NO_ROUTE,
                               .overdue = SESSION_NO_ROUTE,
                               .deadline = LONG_MS,
                               .decide = route};
static struct stage queueing = {.state = SESSION_QUEUED,
                                .refused = SESSION_QUEUE_TIMEOUT,
                                .overdue = SESSION_QUEUE_TIMEOUT,
                                .deadline = LONG_MS,
                                .decide = wait_for_place,
                                .cancel = leave_queue};

static struct stage *all[] = {&admission, &inspection, &routing, &queueing, NULL};
static struct stage *only_inspection[] = {&inspection, NULL};
static struct stage *only_queue[] = {&queueing, NULL};

static void ignore(void *arg)
{
    (void)arg;
}

static void setup(void)
{
    char text[512], server[ADDRESS_TEXT_MAX], dead[ADDRESS_TEXT_MAX];
    struct address back, bound;
    folder_make();
    memset(seen, 0, sizeof seen);
    admitted = granted = true;
    ck_assert(loopback_bind(0, &back));
    bound = back;
    servers = loopback_listen(&back);
    dead_server = loopback_bound(&bound);
    snprintf(text, sizeof text,
             "[frontend a]\nbind = 127.0.0.1:1\nbackend = first\n"
             "[backend first]\nserver = dead %s\nserver = live %s\n"
             "[backend second]\nserver = live %s\n",
             address_format(&bound, dead), address_format(&back, server),
             address_format(&back, server));
    config = load_good(text);
    base = event_base_new();
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    ck_assert_int_eq(proxy_new(config, 1, 1, 0, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    set = &proxy->workers[0].sessions;
}

static void teardown(void)
{
    proxy->service.frontends[0].stages = NULL; /* the list of a test is not to be freed */
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    close(servers);
    close(dead_server);
    if (client >= 0)
        loopback_reset(client);
    folder_remove();
}

/* A session with these stages; the client's end is ours. */
static void begin(struct stage **stages)
{
    struct address front;
    struct frontend *frontend = &proxy->service.frontends[0];
    ck_assert(loopback_bind(0, &front));
    int listening = loopback_listen(&front);
    client = loopback_connect(&front);
    loopback_await(listening, POLLIN);
    frontend->stages = stages;
    place_force(&frontend->places);
    struct address address;
    int fd = engine_accept(listening, &address);
    ck_assert_int_ge(fd, 0);
    session_open(set, frontend, &config->frontends[0].binds[0], fd, &address);
    close(listening);
    struct session_entry *entry = TAILQ_LAST(&set->lists[0].list, sessions_by_age);
    session = entry ? session_of(entry) : STAILQ_FIRST(&set->dead);
    ck_assert_ptr_nonnull(session);
}

/* For as long as it takes. Sessions that end are not freed here. */
static void turn(void)
{
    set->loop.now = 0;
    engine_turn(&set->loop.engine, 100);
    if (turn_is_needed(set))
        turn_go_on(set);
}

static void until_state(enum session_state state)
{
    while (session->state != state)
        turn();
}

static void until_seen(const char *letters)
{
    while (strcmp(seen, letters) != 0) {
        ck_assert_msg(strncmp(seen, letters, strlen(seen)) == 0, "%s, not %s", seen, letters);
        turn();
    }
}

static void say(const char *text)
{
    ck_assert_int_eq(send(client, text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static void expect_end(enum session_end end)
{
    until_state(SESSION_CLOSED);
    ck_assert_int_eq(session->outcome, end);
    ck_assert_ptr_null(session->first_bytes);
    ck_assert_uint_eq(proxy_live(proxy), 0);
}

/* The server is sent this, and then what comes after it. */
static void expect_at_server(const char *text)
{
    char got[256];
    until_state(SESSION_ESTABLISHED);
    int server = accept(servers, NULL, NULL);
    ck_assert_int_ge(server, 0);
    say("rest");
    char whole[256];
    snprintf(whole, sizeof whole, "%srest", text);
    for (size_t length = 0; length < strlen(whole);) {
        ssize_t n = recv(server, got + length, sizeof got - length, MSG_DONTWAIT);
        ck_assert_int_ne(n, 0);
        if (n > 0)
            length += (size_t)n;
        else
            turn();
    }
    ck_assert_mem_eq(got, whole, strlen(whole));
    ck_assert_uint_eq(session->client.stream.received, strlen(whole));
    close(server);
}

static void overdue(void)
{
    ck_assert_uint_gt(session->deadline, loop_now_ms(&set->loop));
    session->deadline = 0;
    session_on_timer(&session->timer);
}

static void expect_reset_of_client(void)
{
    char byte;
    loopback_await(client, POLLIN);
    ck_assert_int_eq(recv(client, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
}

START_TEST(a_plain_session_goes_through_none)
{
    begin(NULL);
    ck_assert_ptr_null(session->stage);
    say("first ");
    expect_at_server("first ");
    ck_assert_str_eq(seen, "");
}
END_TEST

START_TEST(stages_are_passed_in_their_order)
{
    granted = false;
    begin(all);
    ck_assert_int_eq(session->state, SESSION_FIRST_BYTES);
    ck_assert_str_eq(seen, "ab");
    say("one\n");
    until_seen("ab+rq");
    ck_assert_int_eq(session->state, SESSION_QUEUED);
    granted = true;
    stages_news(session);
    ck_assert_str_eq(seen, "ab+rqn");
    ck_assert_ptr_null(session->stage);
    ck_assert_str_eq(session->backend->conf->name, "second");
    expect_at_server("one\n");
    ck_assert_str_eq(seen, "ab+rqn"); /* nothing is cancelled */
}
END_TEST

START_TEST(who_may_not_come_in_is_reset)
{
    admitted = false;
    begin(all);
    expect_end(SESSION_DENIED);
    expect_reset_of_client();
    ck_assert_str_eq(seen, "a");
}
END_TEST

/* Two sessions, so that one of them meets the dead server first. */
START_TEST(first_bytes_are_kept_until_a_server_is_there)
{
    for (int i = 0; i < 2; i++) {
        memset(seen, 0, sizeof seen);
        begin(only_inspection);
        say("in ");
        until_seen("b+");
        say("pieces\n");
        until_seen("b++");
        expect_at_server("in pieces\n");
        if (i == 0) {
            loopback_reset(client);
            until_state(SESSION_CLOSED);
        }
    }
    ck_assert_uint_ge(atomic_load(&set->counters->connect_errors), 1);
}
END_TEST

START_TEST(a_client_may_end_behind_its_first_bytes)
{
    char got[8];
    begin(only_inspection);
    say("x\n");
    shutdown(client, SHUT_WR);
    until_state(SESSION_ESTABLISHED);
    int server = accept(servers, NULL, NULL);
    while (!session->server.shut)
        turn();
    ck_assert_int_eq(recv(server, got, sizeof got, MSG_WAITALL), 2);
    close(server);
}
END_TEST

START_TEST(an_end_without_a_line_is_the_last_chance)
{
    begin(only_inspection);
    say("no line");
    until_seen("b+");
    shutdown(client, SHUT_WR);
    until_seen("b+ex");
    expect_end(SESSION_INSPECT_TIMEOUT);
}
END_TEST

START_TEST(the_deadline_ends_a_session_that_still_waits)
{
    begin(only_inspection);
    say("no line");
    until_seen("b+");
    overdue();
    ck_assert_str_eq(seen, "b+ox");
    expect_end(SESSION_INSPECT_TIMEOUT);
    expect_reset_of_client();
}
END_TEST

START_TEST(the_deadline_may_let_a_session_pass)
{
    granted = false;
    begin(only_queue);
    granted = true;
    overdue();
    ck_assert_str_eq(seen, "qo");
    expect_at_server("");
}
END_TEST

/* In a stage that reads, and in one that does not. */
START_TEST(a_client_that_resets_leaves_no_trace)
{
    granted = false;
    begin(_i ? only_queue : only_inspection);
    say("some");
    if (_i == 0)
        until_seen("b+");
    loopback_reset(client);
    client = -1;
    expect_end(SESSION_CLIENT_RESET);
    ck_assert_str_eq(seen, _i ? "qx" : "b+x");
}
END_TEST

START_TEST(no_more_is_kept_than_a_bound)
{
    static char many[4 * FIRST_BYTES_MAX];
    begin(only_inspection);
    size_t sent = 0;
    while (session->state == SESSION_FIRST_BYTES) {
        ssize_t n = send(client, many + sent, sizeof many - sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        sent += n > 0 ? (size_t)n : 0;
        if (session->first_bytes)
            ck_assert_uint_le(session->first_bytes->length, FIRST_BYTES_MAX);
        turn();
    }
    expect_end(SESSION_INSPECT_TIMEOUT);
    ck_assert_uint_eq(session->client.stream.received, FIRST_BYTES_MAX);
    ck_assert_str_eq(seen + strlen(seen) - 2, "fx");
}
END_TEST

START_TEST(a_drain_cuts_a_session_in_a_stage)
{
    struct terminator *terminator = &proxy->workers[0].terminator;
    granted = false;
    begin(only_queue);
    atomic_store(&proxy->service.terminate_reason, SESSION_DRAIN_TIMEOUT);
    atomic_store(&proxy->service.frontends[0].keep, 0);
    terminate_surplus(terminator);
    while (terminate_next(terminator))
        ;
    expect_end(SESSION_DRAIN_TIMEOUT);
    ck_assert_str_eq(seen, "qx");
}
END_TEST

static void on_done(struct transfer *transfer, void *arg)
{
    (void)transfer;
    *(bool *)arg = true;
}

static void fill(struct transfer *transfer, bool *done)
{
    *done = false;
    transfer_fill(transfer, set);
    while (!*done) {
        turn();
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
}

START_TEST(a_session_moves_when_it_has_left_its_stages)
{
    static struct transfer transfer;
    bool done;
    transfer = (struct transfer){.first = true, .done = on_done, .arg = &done};
    granted = false;
    begin(only_queue);
    fill(&transfer, &done);
    ck_assert_uint_eq(transfer.count, 0);
    ck_assert_int_eq(session->state, SESSION_QUEUED);
    granted = true;
    stages_news(session);
    until_state(SESSION_ESTABLISHED);
    fill(&transfer, &done);
    ck_assert_uint_eq(transfer.count, 1);
    ck_assert_int_eq(session->state, SESSION_PARKED);
    transfer_finish(&transfer);
    until_state(SESSION_ESTABLISHED);
    expect_at_server("");
}
END_TEST

Suite *stages_suite(void)
{
    Suite *suite = suite_create("stages");
    TCase *tcase = tcase_create("stages");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_plain_session_goes_through_none);
    tcase_add_test(tcase, stages_are_passed_in_their_order);
    tcase_add_test(tcase, who_may_not_come_in_is_reset);
    tcase_add_test(tcase, first_bytes_are_kept_until_a_server_is_there);
    tcase_add_test(tcase, a_client_may_end_behind_its_first_bytes);
    tcase_add_test(tcase, an_end_without_a_line_is_the_last_chance);
    tcase_add_test(tcase, the_deadline_ends_a_session_that_still_waits);
    tcase_add_test(tcase, the_deadline_may_let_a_session_pass);
    tcase_add_loop_test(tcase, a_client_that_resets_leaves_no_trace, 0, 2);
    tcase_add_test(tcase, no_more_is_kept_than_a_bound);
    tcase_add_test(tcase, a_drain_cuts_a_session_in_a_stage);
    tcase_add_test(tcase, a_session_moves_when_it_has_left_its_stages);
    suite_add_tcase(suite, tcase);
    return suite;
}
