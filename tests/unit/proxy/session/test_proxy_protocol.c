/* Sessions whose client begins with a PROXY header, and whose server is sent one. A worker without
 * its thread: the test takes the turns of its loop, and is client and server. */
#include "config/load.h"
#include "proxy/proxy.h"
#include "proxy/session/endpoints.h"
#include "proxy/session/lifecycle.h"
#include "proxy/session/turn.h"
#include "proxy/wire/proxy_header_write.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <errno.h>
#include <event2/event.h>
#include <linux/tcp.h>
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
static int servers, dead_server, listening, client;
static struct address front, client_address;

static void ignore(void *arg)
{
    (void)arg;
}

/* Two servers, the first of which is dead; the test says which header they want. */
static void setup(void)
{
    char text[512], dead[ADDRESS_TEXT_MAX], live[ADDRESS_TEXT_MAX];
    struct address back, bound;
    folder_make();
    ck_assert(loopback_bind(0, &back));
    front = bound = back;
    servers = loopback_listen(&back);
    dead_server = loopback_bound(&bound);
    snprintf(text, sizeof text,
             "[listen a]\nbind = 0.0.0.0:1\nbind = 0.0.0.0:2\ninspect-timeout = 1h\n"
             "server = dead %s weight=0\nserver = live %s\n",
             address_format(&bound, dead), address_format(&back, live));
    config = load_good(text);
    base = event_base_new();
    client = -1;
}

static void begin(void)
{
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    ck_assert_int_eq(proxy_new(config, 1, 1, 0, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    set = &proxy->workers[0].sessions;
    listening = loopback_listen(&front);
}

static void teardown(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    close(servers);
    close(dead_server);
    close(listening);
    if (client >= 0)
        loopback_reset(client);
    folder_remove();
}

static void allow(struct proxy_senders *senders, const char *word)
{
    senders->given = true;
    ck_assert_pstr_eq(address_rules_add(&senders->rules, word, 0, NULL, NULL), NULL);
}

static void accept_client(unsigned bind)
{
    struct frontend *frontend = &proxy->service.frontends[0];
    struct address address;
    loopback_await(listening, POLLIN);
    place_force(&frontend->places);
    int fd = engine_accept(listening, &address);
    ck_assert_int_ge(fd, 0);
    session_open(set, frontend, &config->frontends[0].binds[bind], fd, &address);
    struct session_entry *entry = TAILQ_LAST(&set->lists[0].list, sessions_by_age);
    ck_assert_ptr_nonnull(entry);
    session = session_of(entry);
}

static void open_client(unsigned bind)
{
    client = loopback_connect(&front);
    loopback_await(client, POLLOUT);
    client_address.length = sizeof client_address.un;
    ck_assert_int_eq(getsockname(client, &client_address.any, &client_address.length), 0);
    accept_client(bind);
}

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

static void say(const void *bytes, size_t length)
{
    ck_assert_int_eq(send(client, bytes, length, MSG_NOSIGNAL), (ssize_t)length);
}

/* The server's end of the session. */
static int accept_server(void)
{
    until_state(SESSION_ESTABLISHED);
    int server = accept(servers, NULL, NULL);
    ck_assert_int_ge(server, 0);
    return server;
}

static size_t receive(int server, unsigned char *bytes, size_t wanted)
{
    size_t length = 0;
    while (length < wanted) {
        ssize_t n = recv(server, bytes + length, wanted - length, MSG_DONTWAIT);
        ck_assert_int_ne(n, 0);
        if (n > 0)
            length += (size_t)n;
        else
            turn();
    }
    ck_assert_int_eq(recv(server, bytes + length, 1, MSG_DONTWAIT), -1);
    return length;
}

static void expect_at_server(const char *text)
{
    unsigned char bytes[256];
    int server = accept_server();
    receive(server, bytes, strlen(text));
    ck_assert_mem_eq(bytes, text, strlen(text));
    close(server);
}

static void expect_bad_header(void)
{
    char byte;
    until_state(SESSION_CLOSED);
    ck_assert_int_eq(session->outcome, SESSION_BAD_PROXY_HEADER);
    ck_assert_uint_eq(atomic_load(&session->frontend->record->refused[REFUSED_HEADER]), 1);
    ck_assert_uint_eq(proxy_live(proxy), 0);
    loopback_await(client, POLLIN);
    ck_assert_int_eq(recv(client, &byte, 1, 0), -1);
    ck_assert_int_eq(errno, ECONNRESET);
}

static void expect_text(const struct address *address, const char *text)
{
    char is[ADDRESS_TEXT_MAX];
    ck_assert_str_eq(address_format(address, is), text);
}

/* --- in -------------------------------------------------------------------------------------- */

#define LINE "PROXY TCP4 192.0.2.1 198.51.100.2 1111 2222\r\n"

START_TEST(what_follows_a_header_is_sent_on)
{
    allow(&config->frontends[0].accept_proxy, "127.0.0.0/8");
    begin();
    open_client(0);
    ck_assert_int_eq(session->state, SESSION_FIRST_BYTES);
    say(LINE "data", sizeof LINE - 1 + 4);
    expect_at_server("data");
    const struct address source = session_source_address(session);
    const struct address destination = session_destination(session);
    expect_text(&source, "192.0.2.1:1111");
    expect_text(&destination, "198.51.100.2:2222");
    ck_assert_ptr_eq(session_source(session), &session->facts->source.any);
    ck_assert_uint_eq(session->client.stream.received, sizeof LINE - 1 + 4);
}
END_TEST

START_TEST(header_may_come_in_pieces)
{
    allow(&config->frontends[0].accept_proxy, "any");
    begin();
    open_client(0);
    for (size_t i = 0; i < sizeof LINE - 1; i++) {
        say(&LINE[i], 1);
        while (session->client.stream.received <= i)
            turn();
    }
    int server = accept_server();
    const struct address source = session_source_address(session);
    expect_text(&source, "192.0.2.1:1111");
    ck_assert_ptr_null(session->first_bytes);
    ck_assert_ptr_null(session->server.unsent);
    close(server);
}
END_TEST

START_TEST(header_from_elsewhere_is_payload)
{
    allow(&config->frontends[0].accept_proxy, "10.0.0.0/8");
    allow(&config->frontends[0].accept_proxy, "127.0.0.2");
    begin();
    open_client(0);
    say(LINE, sizeof LINE - 1);
    expect_at_server(LINE);
    ck_assert_ptr_null(session->facts);
    const struct address source = session_source_address(session);
    ck_assert(address_equal(&source, &client_address));
}
END_TEST

/* The first bind has the frontend's list, the second its own. */
START_TEST(bind_has_its_own_list)
{
    allow(&config->frontends[0].accept_proxy, _i / 2 ? "any" : "10.0.0.0/8");
    allow(&config->frontends[0].binds[1].accept_proxy, _i / 2 ? "10.0.0.0/8" : "any");
    begin();
    open_client((unsigned)_i % 2);
    say(LINE "x", sizeof LINE);
    expect_at_server((_i == 1 || _i == 2) ? "x" : LINE "x");
}
END_TEST

/* LOCAL and UNKNOWN: the connection's own addresses. */
START_TEST(header_may_tell_nothing)
{
    static const char local[] = "\r\n\r\n\0\r\nQUIT\n\x20\0\0\0";
    allow(&config->frontends[0].accept_proxy, "any");
    begin();
    open_client(0);
    if (_i)
        say(local, sizeof local - 1);
    else
        say("PROXY UNKNOWN\r\n", 15);
    int server = accept_server();
    const struct address source = session_source_address(session);
    const struct address destination = session_destination(session);
    ck_assert(address_equal(&source, &client_address));
    ck_assert(address_equal(&destination, &front));
    ck_assert_ptr_null(session->facts);
    close(server);
}
END_TEST

START_TEST(bad_header_ends_the_session)
{
    static const char *const bad[] = {"GET / HTTP/1.1\r\n", "PROXY TCP4 1.2.3.4\r\n", "P\n"};
    allow(&config->frontends[0].accept_proxy, "any");
    begin();
    open_client(0);
    say(bad[_i], strlen(bad[_i]));
    expect_bad_header();
}
END_TEST

START_TEST(missing_header_ends_the_session)
{
    allow(&config->frontends[0].accept_proxy, "any");
    begin();
    open_client(0);
    if (_i)
        say("PROXY ", 6);
    while (session->client.stream.received < (_i ? 6 : 0))
        turn();
    session->deadline = 0;
    session_on_timer(&session->timer);
    expect_bad_header();
}
END_TEST

START_TEST(end_before_a_header_ends_the_session)
{
    allow(&config->frontends[0].accept_proxy, "any");
    begin();
    open_client(0);
    say("PROXY ", 6);
    shutdown(client, SHUT_WR);
    expect_bad_header();
}
END_TEST

/* --- out ------------------------------------------------------------------------------------- */

static unsigned segments_sent(void)
{
    struct tcp_info info = {0};
    socklen_t length = sizeof info;
    ck_assert_int_eq(getsockopt(session->server.stream.fd, IPPROTO_TCP, TCP_INFO, &info, &length),
                     0);
    return info.tcpi_data_segs_out;
}

static void want(enum send_proxy version, unsigned tlvs)
{
    config->backends[0].servers[1].send_proxy = version;
    config->backends[0].servers[1].proxy_tlvs = tlvs;
}

/* The header that the server is sent, and `text` behind it. */
static size_t expect_header(const char *text, unsigned char *bytes, struct proxy_header *header)
{
    int server = accept_server();
    size_t length = 0;
    while (proxy_header_read(bytes, length, header) == PROXY_HEADER_NEED_MORE) {
        ssize_t n = recv(server, bytes + length, 1, MSG_DONTWAIT);
        ck_assert_int_ne(n, 0);
        if (n > 0)
            length++;
        else
            turn();
    }
    ck_assert_int_eq(proxy_header_read(bytes, length, header), PROXY_HEADER_DONE);
    unsigned char rest[64];
    receive(server, rest, strlen(text));
    ck_assert_mem_eq(rest, text, strlen(text));
    close(server);
    return length;
}

START_TEST(silent_client_is_announced_at_once)
{
    unsigned char bytes[PROXY_HEADER_MAX];
    struct proxy_header header;
    want(_i ? SEND_PROXY_V2 : SEND_PROXY_V1, 0);
    begin();
    open_client(0);
    expect_header("", bytes, &header);
    ck_assert_uint_eq(header.version, _i ? 2 : 1);
    ck_assert(address_equal(&header.source, &client_address));
    ck_assert(address_equal(&header.destination, &front));
    ck_assert_ptr_null(session->facts);
}
END_TEST

/* In one segment, and so in one send: first with a client that speaks at once, then with one behind
 * a header of its own. */
START_TEST(header_goes_out_with_the_first_bytes)
{
    unsigned char bytes[PROXY_HEADER_MAX];
    struct proxy_header header;
    if (_i)
        allow(&config->frontends[0].accept_proxy, "any");
    want(SEND_PROXY_V2, PROXY_TLVS_CRC32C);
    begin();
    client = loopback_connect(&front);
    loopback_await(client, POLLOUT);
    say(&(LINE "data")[_i ? 0 : sizeof LINE - 1], (_i ? sizeof LINE - 1 : 0) + 4);
    accept_client(0);
    expect_header("data", bytes, &header);
    ck_assert_uint_eq(segments_sent(), 1);
    if (_i) {
        expect_text(&header.source, "192.0.2.1:1111");
        expect_text(&header.destination, "198.51.100.2:2222");
    }
}
END_TEST

START_TEST(end_of_a_client_is_passed_on_behind_the_header)
{
    unsigned char bytes[256];
    want(SEND_PROXY_V1, 0);
    begin();
    client = loopback_connect(&front);
    loopback_await(client, POLLOUT);
    say("x", 1);
    shutdown(client, SHUT_WR);
    accept_client(0);
    int server = accept_server();
    while (!session->server.shut)
        turn();
    ssize_t n = recv(server, bytes, sizeof bytes, MSG_WAITALL);
    ck_assert_int_gt(n, 40);
    ck_assert_mem_eq(bytes + n - 3, "\r\nx", 3);
    close(server);
}
END_TEST

/* A client that resets while its server is connected. */
START_TEST(reset_client_leaves_no_session)
{
    char byte;
    want(SEND_PROXY_V1, 0);
    begin();
    open_client(0);
    int server = accept(servers, NULL, NULL);
    say("x", 1);
    loopback_reset(client);
    client = -1;
    until_state(SESSION_CLOSED);
    ck_assert_int_eq(session->outcome, SESSION_CLIENT_RESET);
    loopback_await(server, POLLIN);
    while (recv(server, &byte, 1, 0) > 0)
        ;
    ck_assert_int_eq(errno, ECONNRESET);
    close(server);
}
END_TEST

static void expect_tlv(const struct proxy_header *header, unsigned char type, const char *value)
{
    struct proxy_tlv tlv;
    bool found = proxy_tlv_find(header->tlvs, header->tlvs_length, type, &tlv);
    ck_assert_int_eq(found, value != NULL);
    if (!found)
        return;
    ck_assert_uint_eq(tlv.length, strlen(value));
    ck_assert_mem_eq(tlv.value, value, tlv.length);
}

/* A header with authority, unique id and one that nobody knows. */
static size_t header_in(unsigned char *bytes, const char *id)
{
    const struct proxy_tlv tlvs[] = {
        {.type = PROXY_TLV_NOOP, .length = 2, .value = (const unsigned char *)"xx"},
        {.type = PROXY_TLV_AUTHORITY, .length = 11, .value = (const unsigned char *)"example.org"},
        {.type = 0xe7, .length = 3, .value = (const unsigned char *)"any"},
        {.type = PROXY_TLV_UNIQUE_ID,
         .length = (uint16_t)strlen(id),
         .value = (const unsigned char *)id}};
    const struct proxy_header_text text = {
        .version = 2, .tlvs = tlvs, .tlv_count = 4, .checksum = true};
    size_t length = proxy_header_write(&text, bytes, PROXY_HEADER_MAX);
    ck_assert_uint_gt(length, 0);
    return length;
}

START_TEST(tlvs_are_passed_on)
{
    static const struct {
        unsigned wanted;
        const char *authority, *id, *unknown;
        bool checksum;
    } cases[] = {
        {0, NULL, NULL, NULL, false},
        {PROXY_TLVS_AUTHORITY, "example.org", NULL, NULL, false},
        {PROXY_TLVS_UNIQUE_ID | PROXY_TLVS_CRC32C, NULL, "id-1", NULL, true},
        {PROXY_TLVS_PASS, "example.org", "id-1", "any", false},
        {PROXY_TLVS_PASS | PROXY_TLVS_UNIQUE_ID | PROXY_TLVS_AUTHORITY | PROXY_TLVS_CRC32C,
         "example.org", "id-1", "any", true},
    };
    unsigned char bytes[PROXY_HEADER_MAX];
    struct proxy_header header;
    struct proxy_tlv tlv;
    allow(&config->frontends[0].accept_proxy, "any");
    want(SEND_PROXY_V2, cases[_i].wanted);
    begin();
    open_client(0);
    say(bytes, header_in(bytes, "id-1"));
    size_t length = expect_header("", bytes, &header);
    expect_tlv(&header, PROXY_TLV_AUTHORITY, cases[_i].authority);
    expect_tlv(&header, PROXY_TLV_UNIQUE_ID, cases[_i].id);
    expect_tlv(&header, 0xe7, cases[_i].unknown);
    expect_tlv(&header, PROXY_TLV_NOOP, NULL);
    ck_assert_int_eq(proxy_tlv_find(header.tlvs, header.tlvs_length, PROXY_TLV_CRC32C, &tlv),
                     cases[_i].checksum);
    /* Each once. */
    size_t sum = 28 + (cases[_i].authority ? 14u : 0) + (cases[_i].id ? 7u : 0) +
                 (cases[_i].unknown ? 6u : 0) + (cases[_i].checksum ? 7u : 0);
    ck_assert_uint_eq(length, sum);
    ck_assert_str_eq(session->facts->unique_id, "id-1");
}
END_TEST

START_TEST(what_was_seen_in_first_bytes_is_told)
{
    unsigned char bytes[PROXY_HEADER_MAX];
    struct proxy_header header;
    want(SEND_PROXY_V2, PROXY_TLVS_AUTHORITY | PROXY_TLVS_ALPN);
    begin();
    open_client(0);
    struct facts *facts = session_facts(session);
    ck_assert_ptr_nonnull(facts);
    facts->server_name = strdup("example.org");
    facts->alpn = strdup("h2");
    expect_header("", bytes, &header);
    expect_tlv(&header, PROXY_TLV_AUTHORITY, "example.org");
    expect_tlv(&header, PROXY_TLV_ALPN, "h2");
    expect_tlv(&header, PROXY_TLV_UNIQUE_ID, NULL);
}
END_TEST

START_TEST(binary_unique_id_is_shown_in_hexadecimal)
{
    unsigned char bytes[PROXY_HEADER_MAX];
    allow(&config->frontends[0].accept_proxy, "any");
    begin();
    open_client(0);
    say(bytes, header_in(bytes, "a b\x01"));
    close(accept_server());
    ck_assert_str_eq(session->facts->unique_id, "0x61206201");
}
END_TEST

/* What is too long together with our own TLVs is left out. */
START_TEST(too_many_tlvs_are_not_passed_on)
{
    static unsigned char bytes[PROXY_HEADER_MAX], value[PROXY_HEADER_MAX];
    const struct proxy_tlv tlv = {
        .type = 0xe7, .length = PROXY_HEADER_MAX - 16 - 3, .value = value};
    const struct proxy_header_text text = {.version = 2, .tlvs = &tlv, .tlv_count = 1};
    struct proxy_header header;
    allow(&config->frontends[0].accept_proxy, "any");
    want(SEND_PROXY_V2, PROXY_TLVS_PASS);
    begin();
    open_client(0);
    size_t length = proxy_header_write(&text, bytes, sizeof bytes);
    ck_assert_uint_eq(length, PROXY_HEADER_MAX);
    say(bytes, length);
    expect_header("", bytes, &header);
    ck_assert_uint_eq(header.tlvs_length, 0);
    ck_assert(address_equal(&header.source, &client_address));
}
END_TEST

/* A header is made anew for the server that takes the session, and has the same id. */
START_TEST(other_server_gets_a_header_of_its_own)
{
    unsigned char bytes[PROXY_HEADER_MAX];
    struct proxy_header header;
    struct server_conf *dead = &config->backends[0].servers[0];
    dead->weight = 256;
    dead->send_proxy = SEND_PROXY_V1;
    want(SEND_PROXY_V2, PROXY_TLVS_UNIQUE_ID);
    config->backends[0].servers[1].weight = 1;
    begin();
    open_client(0);
    say("data", 4);
    expect_header("data", bytes, &header);
    ck_assert_uint_eq(header.version, 2);
    ck_assert_uint_ge(session->attempts, 1);
    char id[64];
    snprintf(id, sizeof id, "%016llx-1.0.1", (unsigned long long)proxy->service.instance);
    expect_tlv(&header, PROXY_TLV_UNIQUE_ID, id);
    ck_assert_str_eq(session->facts->unique_id, id);
}
END_TEST

Suite *proxy_protocol_suite(void)
{
    Suite *suite = suite_create("proxy_protocol");
    TCase *in = tcase_create("in"), *out = tcase_create("out");
    tcase_add_checked_fixture(in, setup, teardown);
    tcase_add_test(in, what_follows_a_header_is_sent_on);
    tcase_add_test(in, header_may_come_in_pieces);
    tcase_add_test(in, header_from_elsewhere_is_payload);
    tcase_add_loop_test(in, bind_has_its_own_list, 0, 4);
    tcase_add_loop_test(in, header_may_tell_nothing, 0, 2);
    tcase_add_loop_test(in, bad_header_ends_the_session, 0, 3);
    tcase_add_loop_test(in, missing_header_ends_the_session, 0, 2);
    tcase_add_test(in, end_before_a_header_ends_the_session);
    suite_add_tcase(suite, in);
    tcase_add_checked_fixture(out, setup, teardown);
    tcase_add_loop_test(out, silent_client_is_announced_at_once, 0, 2);
    tcase_add_loop_test(out, header_goes_out_with_the_first_bytes, 0, 2);
    tcase_add_test(out, end_of_a_client_is_passed_on_behind_the_header);
    tcase_add_test(out, reset_client_leaves_no_session);
    tcase_add_loop_test(out, tlvs_are_passed_on, 0, 5);
    tcase_add_test(out, what_was_seen_in_first_bytes_is_told);
    tcase_add_test(out, binary_unique_id_is_shown_in_hexadecimal);
    tcase_add_test(out, too_many_tlvs_are_not_passed_on);
    tcase_add_test(out, other_server_gets_a_header_of_its_own);
    suite_add_tcase(suite, out);
    return suite;
}
