/* TLS with clients and servers that mean harm, or are broken: bounded memory, and others are
 * served; before a reload and over it. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tls_peer.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static struct scene scene;

/* Keys of [listen main], whose bind has TLS with a.pem, in front of a server that has none. One
 * worker, so that whatever holds it up holds up all. */
static void start(const char *rest)
{
    signal(SIGPIPE, SIG_IGN); /* OpenSSL writes */
    tls_certificate("a", "DNS:a.test");
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "workers = 1\nlog-level = debug\n[listen main]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\nserver = a 127.0.0.1:%u\naccess-log = yes\n%s",
                    scene.port, scene.server_port, rest);
    proxy_start(&scene.proxy);
}

/* The same towards a server that speaks TLS, and whatever certificate it has. */
static void start_upstream(const char *attributes)
{
    signal(SIGPIPE, SIG_IGN);
    tls_certificate("a", "DNS:a.test");
    scene_init(&scene);
    proxy_configure(&scene.proxy,
                    "workers = 1\n[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u tls=yes %s\nretries = 0\nconnect-timeout = 10m\n"
                    "access-log = yes\n",
                    scene.port, scene.server_port, attributes);
    proxy_start(&scene.proxy);
}

/* --- a session whose server has no TLS --- */

struct ends {
    struct tls_peer client;
    int server;
};

static void open_ends(struct ends *ends, int version)
{
    tls_client(&ends->client, connect_to(&scene.front), "a.test", version);
    tls_shake(&ends->client);
    ends->server = accept_from(scene.listener);
}

static void works(struct ends *ends)
{
    tls_exchange(&ends->client, ends->server);
}

static void close_ends(struct ends *ends)
{
    tls_close(&ends->client);
    close(ends->server);
}

static void others_are_served(void)
{
    struct ends good;
    for (int version = 2; version <= 3; version++) {
        open_ends(&good, version);
        works(&good);
        close_ends(&good);
    }
}

static unsigned long long memory(void)
{
    return process_status(scene.proxy.pid, "VmRSS:", 10);
}

/* In kilobytes; sanitizers need more, and keep what is freed. */
static void memory_has_grown_by_at_most(unsigned long long before, unsigned long long kilobytes)
{
    unsigned long long now = memory();
    ck_assert_msg(sanitized() || now <= before + kilobytes,
                  "%llu kB were resident before, and %llu are now", before, now);
}

/* --- the handshake --- */

enum { HALF_HANDSHAKES = 10000 };

static bool all_are_in_tls(void *argument)
{
    struct status status;
    return proxy_status(&scene.proxy, &status) && status.sessions == *(unsigned *)argument;
}

/* Clients that announce a long hello, and send no more of it: each costs what it has sent. */
START_TEST(half_handshakes_are_held)
{
    struct ends good;
    unsigned count = scaled(HALF_HANDSHAKES, 200), all;
    static const unsigned char beginning[] = {22, 3, 1, 0, 6, 1, 0, 0xff, 0xff, 3, 3};
    int *held = malloc(count * sizeof *held);
    struct rlimit files;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &files), 0);
    files.rlim_cur = files.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &files), 0);
    if (files.rlim_max / 3 < count) /* a session of the proxy takes two, and spares are kept */
        count = (unsigned)files.rlim_max / 3;
    all = count + 1;
    start("tls-timeout = 10m\nmax-sessions = 20000\n");
    others_are_served();
    open_ends(&good, 3);
    unsigned long long before = memory();
    for (unsigned i = 0; i < count; i++) {
        held[i] = connect_to(&scene.front);
        send_all(held[i], beginning, sizeof beginning);
    }
    wait_until(all_are_in_tls, &all, "all are in their handshake");
    works(&good);
    others_are_served();
    memory_has_grown_by_at_most(before, 4096 + count * 24ull);
    /* They end where they are: the new process has none of them. */
    proxy_reload(&scene.proxy);
    works(&good);
    others_are_served();
    for (unsigned i = 0; i < count; i++)
        close(held[i]);
    close_ends(&good);
    proxy_wait_drained(&scene.proxy);
    others_are_served();
    free(held);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A hello of 60 KB is a hello; its answer is served. One that announces more than 64 KB is none. */
START_TEST(hellos_may_be_long_and_not_endless)
{
    struct ends ends;
    unsigned char names[60000];
    static const unsigned char endless[] = {22, 3, 1, 0, 6, 1, 1, 0, 1, 3, 3};
    for (size_t i = 0; i < sizeof names; i++)
        names[i] = i % 100 ? 'x' : 99;
    start("");
    tls_client(&ends.client, connect_to(&scene.front), "a.test", 3);
    ck_assert_int_eq(SSL_set_alpn_protos(ends.client.ssl, names, sizeof names), 0);
    tls_shake(&ends.client);
    ends.server = accept_from(scene.listener);
    works(&ends);
    close_ends(&ends);
    int client = connect_to(&scene.front);
    send_all(client, endless, sizeof endless);
    ck_assert(readable_within(client, PATIENCE_MS)); /* not after tls-timeout only */
    close(client);
    wait_mentioned(scene.proxy.log, "TLS handshake: the ClientHello is too long");
    wait_mentions(scene.proxy.log, "end=tls-failed", 1);
    proxy_stop(&scene.proxy);
}
END_TEST

/* A certificate of a client with a chain that no authority would make. */
START_TEST(chains_are_not_endless)
{
    struct ends ends;
    char path[PATH_MAX], key[PATH_MAX];
    tls_certificate("a", "DNS:a.test");
    start("client-ca = a.pem\nclient-verify = optional\n");
    for (unsigned i = 0; i < 2; i++) {
        tls_client(&ends.client, connect_to(&scene.front), "a.test", 3);
        ck_assert_int_eq(
            SSL_use_certificate_file(ends.client.ssl, test_path(path, "a.pem"), SSL_FILETYPE_PEM),
            1);
        ck_assert_int_eq(
            SSL_use_PrivateKey_file(ends.client.ssl, test_path(key, "a.pem.key"), SSL_FILETYPE_PEM),
            1);
        for (unsigned j = 0; i == 1 && j < 300; j++)
            ck_assert_int_eq(
                SSL_add1_chain_cert(ends.client.ssl, SSL_get_certificate(ends.client.ssl)), 1);
        (void)tls_try(&ends.client);
        if (i == 0) {
            ends.server = accept_from(scene.listener);
            works(&ends);
            close_ends(&ends);
        } else {
            tls_expect_cut(&ends.client);
            tls_close(&ends.client);
        }
    }
    wait_mentioned(scene.proxy.log, "TLS handshake: excessive message size");
    others_are_served();
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- after the handshake --- */

/* Sends changes of keys, each of which asks for an answer, and hears nothing. Returns how many the
 * other side took. */
static unsigned storm(struct tls_peer *peer)
{
    unsigned count = 0;
    while (count < 1000000 && SSL_key_update(peer->ssl, SSL_KEY_UPDATE_REQUESTED) == 1 &&
           SSL_do_handshake(peer->ssl) == 1)
        count++;
    ERR_clear_error();
    return count;
}

START_TEST(a_storm_of_changed_keys_ends)
{
    struct ends bad, good;
    start("");
    open_ends(&good, 3);
    for (unsigned i = 0; i < 4; i++) {
        open_ends(&bad, 3);
        works(&bad);
        for (unsigned j = 0; j < 5; j++) { /* which is a good client's right */
            ck_assert_int_eq(SSL_key_update(bad.client.ssl, SSL_KEY_UPDATE_REQUESTED), 1);
            works(&bad);
        }
        unsigned long long before = memory();
        if (i == 3)
            proxy_reload(&scene.proxy); /* the old process goes on to serve it */
        ck_assert_uint_lt(storm(&bad.client), 1000000);
        expect_reset(bad.server);
        if (i < 3)
            memory_has_grown_by_at_most(before, 4096);
        close_ends(&bad);
        works(&good);
    }
    wait_mentions(scene.proxy.log, "end=client-reset", 4);
    others_are_served();
    close_ends(&good);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* It is refused by an alert, and the session goes on where the client lets it. */
START_TEST(renegotiation_is_refused)
{
    struct ends bad, good;
    start("");
    open_ends(&good, 2);
    for (unsigned i = 0; i < scaled(200, 20); i++) {
        open_ends(&bad, 2);
        works(&bad);
        ck_assert_int_eq(SSL_renegotiate(bad.client.ssl), 1);
        ck_assert_int_le(SSL_do_handshake(bad.client.ssl), 0);
        ck_assert_str_eq(tls_wrong(), "no renegotiation");
        close_ends(&bad);
        if (i % 10 == 0)
            works(&good);
    }
    close_ends(&good);
    others_are_served();
    proxy_stop(&scene.proxy);
}
END_TEST

static SSL_SESSION *session_with_early_data(void)
{
    struct ends ends;
    open_ends(&ends, 3);
    works(&ends); /* the ticket comes with it */
    /* A copy: OpenSSL spoils the session of a connection that ends without a word. */
    SSL_SESSION *session = SSL_SESSION_dup(SSL_get0_session(ends.client.ssl));
    ck_assert(SSL_SESSION_is_resumable(session));
    ck_assert_uint_eq(SSL_SESSION_get_max_early_data(session), 0);
    ck_assert_int_eq(SSL_SESSION_set_max_early_data(session, 20000), 1);
    close_ends(&ends);
    return session;
}

/* It is skipped, and the handshake goes on; also where another hello is asked for. More than 16 KB
 * of it end the handshake. */
START_TEST(early_data_is_refused)
{
    struct ends ends;
    size_t sent;
    char groups[] = "P-521:P-256"; /* the proxy has no P-521 */
    static const char early[17000] = "early";
    start("");
    for (unsigned i = 0; i < 3; i++) {
        SSL_SESSION *session = session_with_early_data();
        tls_client(&ends.client, connect_to(&scene.front), "a.test", 3);
        ck_assert_int_eq(SSL_set_session(ends.client.ssl, session), 1);
        if (i == 1)
            ck_assert_int_eq(SSL_set1_groups_list(ends.client.ssl, groups), 1);
        const size_t length = i < 2 ? 5 : sizeof early;
        ERR_clear_error();
        ck_assert_msg(SSL_write_early_data(ends.client.ssl, early, length, &sent) == 1, "%u: %s", i,
                      tls_wrong());
        if (i < 2) {
            tls_shake(&ends.client);
            ck_assert_int_eq(SSL_get_early_data_status(ends.client.ssl), SSL_EARLY_DATA_REJECTED);
            ends.server = accept_from(scene.listener);
            works(&ends);
            close_ends(&ends);
        } else {
            ck_assert(!tls_try(&ends.client) || SSL_read(ends.client.ssl, &(char){0}, 1) <= 0);
            tls_close(&ends.client);
            wait_mentioned(scene.proxy.log, "too much early data");
        }
        SSL_SESSION_free(session);
    }
    others_are_served();
    proxy_stop(&scene.proxy);
}
END_TEST

/* Each byte in a record of its own, records of 16 KB, and both mixed. */
START_TEST(records_may_be_short_or_long)
{
    enum { LONG = 16384, SHORT = 5000 };
    struct ends ends;
    static unsigned char bytes[4 * LONG], got[4 * LONG];
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[i] = (unsigned char)(i * 7 + i / 251);
    start("");
    for (int version = 2; version <= 3; version++) {
        open_ends(&ends, version);
        for (unsigned round = 0; round < 2; round++) {
            for (size_t i = 0; i < SHORT; i++)
                tls_send(&ends.client, bytes + i, 1);
            receive_exactly(ends.server, got, SHORT);
            ck_assert_mem_eq(got, bytes, SHORT);
            for (unsigned i = 0; i < 4; i++)
                tls_send(&ends.client, bytes + (size_t)i * LONG, LONG);
            receive_exactly(ends.server, got, sizeof got);
            ck_assert_mem_eq(got, bytes, sizeof got);
            works(&ends);
            if (round == 0 && version == 3)
                proxy_reload(&scene.proxy);
        }
        close_ends(&ends);
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* What is no record ends the session at both sides, and does not look complete at either. */
START_TEST(junk_ends_the_session)
{
    struct ends ends;
    static const char junk[] = "\x17\x03\x03\x00\x20 this is no record of TLS, is it?";
    start("");
    for (unsigned i = 0; i < 4; i++) {
        open_ends(&ends, i % 2 ? 2 : 3);
        works(&ends);
        if (i >= 2)
            proxy_reload(&scene.proxy);
        const size_t skipped = i / 2 ? 5 : 0; /* the header of the record */
        send_all(ends.client.fd, junk + skipped, sizeof junk - 1 - skipped);
        expect_reset(ends.server);
        tls_expect_cut(&ends.client);
        close_ends(&ends);
        others_are_served();
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* Sends until nothing more is taken for a while. Returns how much was. */
static size_t fill(int fd)
{
    static const char bytes[65536];
    size_t sent = 0;
    for (unsigned idle = 0; idle < 20;) {
        ssize_t now = send(fd, bytes, sizeof bytes, MSG_DONTWAIT | MSG_NOSIGNAL);
        ck_assert_msg(now > 0 || errno == EAGAIN, "send: %s", strerror(errno));
        if (now > 0) {
            sent += (size_t)now;
            idle = 0;
        } else {
            idle++;
            usleep(10000); /* the proxy may be about to take more */
        }
        ck_assert_uint_lt(sent, 256u * 1024 * 1024);
    }
    return sent;
}

START_TEST(a_client_that_never_reads_is_waited_for)
{
    struct ends bad, good;
    char bytes[6];
    start("");
    open_ends(&good, 3);
    open_ends(&bad, 3);
    works(&bad);
    unsigned long long before = memory();
    size_t sent = fill(bad.server);
    memory_has_grown_by_at_most(before, 8192);
    /* It is heard all the same. */
    tls_send(&bad.client, "there", 6);
    receive_exactly(bad.server, bytes, 6);
    works(&good);
    others_are_served();
    proxy_reload(&scene.proxy);
    others_are_served();
    char *rest = malloc(sent);
    tls_receive_exactly(&bad.client, rest, sent);
    free(rest);
    works(&bad);
    close_ends(&bad);
    close_ends(&good);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* ... and its changes of keys are answered only as far as it takes the answers. */
START_TEST(a_client_that_never_reads_changes_keys)
{
    struct ends bad;
    start("");
    open_ends(&bad, 3);
    works(&bad);
    (void)fill(bad.server);
    unsigned long long before = memory();
    ck_assert_uint_lt(storm(&bad.client), 1000000);
    memory_has_grown_by_at_most(before, 4096);
    close_ends(&bad);
    wait_mentioned(scene.proxy.log, "end=client-reset");
    others_are_served();
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- servers --- */

static int come_to(struct tls_peer *server)
{
    int client = connect_to(&scene.front);
    tls_server(server, accept_from(scene.listener), "a");
    tls_shake(server);
    return client;
}

static void a_server_serves(void)
{
    struct tls_peer server;
    char bytes[6];
    int client = come_to(&server);
    send_all(client, "there", 6);
    tls_receive_exactly(&server, bytes, 6);
    tls_send(&server, "back!", 6);
    receive_exactly(client, bytes, 6);
    close(client);
    tls_close(&server);
}

/* What a server has sealed, and is to send later. */
struct later {
    unsigned char bytes[8192];
    size_t length;
};

/* Sends a byte, and the first half of a ticket that is in several records. */
static void say_half_a_ticket(struct tls_peer *server, struct later *later)
{
    static const unsigned char much[3000];
    char *said;
    BIO *memory = BIO_new(BIO_s_mem());
    SSL_set0_wbio(server->ssl, memory);
    ck_assert_int_eq(SSL_set_max_send_fragment(server->ssl, 512), 1);
    ck_assert_int_eq(
        SSL_SESSION_set1_ticket_appdata(SSL_get_session(server->ssl), much, sizeof much), 1);
    ck_assert_int_eq(SSL_write(server->ssl, "b", 1), 1);
    ck_assert_int_eq(SSL_new_session_ticket(server->ssl), 1);
    ck_assert_int_eq(SSL_do_handshake(server->ssl), 1);
    const size_t length = (size_t)BIO_get_mem_data(memory, &said), half = length / 2;
    later->length = length - half;
    ck_assert_uint_lt(later->length, sizeof later->bytes);
    memcpy(later->bytes, said + half, later->length);
    send_all(server->fd, said, half);
    ck_assert_int_eq(SSL_set_fd(server->ssl, server->fd), 1);
}

static bool has_received(void *argument)
{
    struct status status;
    return proxy_status(&scene.proxy, &status) &&
           status.total.client_bytes == *(uint64_t *)argument;
}

static bool delivers(void *argument)
{
    struct outcome outcome;
    (void)argument;
    return proxy_command(&scene.proxy, &outcome, "sessions", "--json", "state=delivering", NULL) ==
               0 &&
           strstr(outcome.out, "\"delivering\"");
}

/* OpenSSL seals nothing in the middle of a message. What is for the server waits, and so does the
 * client, however much it has to say. */
START_TEST(a_server_stops_in_a_ticket)
{
    struct tls_peer server;
    static struct later later;
    char byte;
    start_upstream("verify=none");
    int client = come_to(&server);
    say_half_a_ticket(&server, &later);
    receive_exactly(client, &byte, 1);
    const size_t said = fill(client);
    send_all(server.fd, later.bytes, later.length);
    char *bytes = malloc(said);
    tls_receive_exactly(&server, bytes, said);
    free(bytes);
    tls_send(&server, "c", 1);
    receive_exactly(client, &byte, 1);
    close(client);
    tls_expect_end(&server);
    tls_close(&server);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The end of the client's stream waits as well: with nothing before it, with something, and where
 * the client is gone by then. */
START_TEST(an_end_waits_for_the_rest_of_a_ticket)
{
    struct tls_peer server;
    static struct later later;
    uint64_t said = 0;
    char bytes[5];
    start_upstream("verify=none");
    for (unsigned round = 0; round < 3; round++) {
        int client = come_to(&server);
        say_half_a_ticket(&server, &later);
        receive_exactly(client, bytes, 1);
        if (round > 0) {
            send_all(client, "there", 5);
            said += 5;
        }
        shutdown(client, SHUT_WR);
        wait_until(has_received, &said, "the proxy has received it");
        if (round == 2) {
            send_reset(client);
            wait_until(delivers, NULL, "the client is gone");
        }
        send_all(server.fd, later.bytes, later.length);
        if (round > 0)
            tls_receive_exactly(&server, bytes, 5);
        tls_expect_end(&server);
        tls_close(&server);
        if (round < 2)
            close(client);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* It is refused; OpenSSL's own server gives up then. */
START_TEST(a_server_asks_for_renegotiation)
{
    struct tls_peer server;
    start_upstream("verify=none");
    for (unsigned i = 0; i < 5; i++) {
        char byte;
        int client = connect_to(&scene.front);
        tls_server(&server, accept_from(scene.listener), "a");
        SSL_set_max_proto_version(server.ssl, TLS1_2_VERSION);
        tls_shake(&server);
        send_all(client, "a", 1);
        tls_receive_exactly(&server, &byte, 1);
        ck_assert_int_eq(SSL_renegotiate(server.ssl), 1);
        ck_assert_int_eq(SSL_do_handshake(server.ssl), 1); /* the request is sent */
        ck_assert_int_le(SSL_read(server.ssl, &byte, 1), 0);
        ck_assert_str_eq(tls_wrong(), "no renegotiation");
        expect_reset(client);
        close(client);
        tls_close(&server);
    }
    a_server_serves();
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_server_says_what_is_no_tls)
{
    static const char *const words[] = {"220 mail.test ESMTP\r\n", "HTTP/1.0 400 Bad Request\r\n",
                                        "\x16\x03\x03\x00\x06\x02\xff\xff\xff\x03\x03", ""};
    start_upstream("verify=none");
    /* Often: it may come before the proxy has begun the handshake, or after that. */
    for (unsigned round = 0; round < 4 * 20; round++) {
        unsigned i = round % 4;
        int client = connect_to(&scene.front), server = accept_from(scene.listener);
        send_all(server, words[i], i == 2 ? 11 : strlen(words[i]));
        if (i == 3)
            close(server);
        expect_reset(client);
        close(client);
        if (i != 3)
            close(server);
        if (round < 4)
            a_server_serves();
    }
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_server_shows_an_endless_chain)
{
    struct tls_peer server;
    start_upstream("verify=none");
    int client = connect_to(&scene.front);
    tls_server(&server, accept_from(scene.listener), "a");
    for (unsigned i = 0; i < 300; i++)
        ck_assert_int_eq(SSL_add1_chain_cert(server.ssl, SSL_get_certificate(server.ssl)), 1);
    (void)tls_try(&server);
    expect_reset(client);
    close(client);
    tls_close(&server);
    wait_mentioned(scene.proxy.log, "excessive message size");
    a_server_serves();
    proxy_stop(&scene.proxy);
}
END_TEST

/* Storms, junk, streams that are cut, and servers that read nothing; each once more over a reload.
 */
START_TEST(a_server_does_all_this_to_us)
{
    struct tls_peer server, cut, silent;
    char byte;
    start_upstream("verify=none");
    for (unsigned round = 0; round < 2; round++) {
        int stormed = come_to(&server), other = come_to(&cut), waiting = come_to(&silent);
        unsigned long long before = memory();
        send_all(stormed, "a", 1);
        tls_receive_exactly(&server, &byte, 1);
        (void)fill(waiting);
        if (round == 1)
            proxy_reload(&scene.proxy);
        a_server_serves();
        ck_assert_uint_lt(storm(&server), 1000000);
        expect_reset(stormed);
        tls_send(&cut, "b", 1);
        receive_exactly(other, &byte, 1);
        if (round == 0)
            send_all(cut.fd, "this is no record of TLS", 24);
        else
            shutdown(cut.fd, SHUT_WR); /* without a word */
        expect_reset(other);
        a_server_serves();
        if (round == 0)
            memory_has_grown_by_at_most(before, 8192);
        const int clients[] = {stormed, other, waiting};
        struct tls_peer *const servers[] = {&server, &cut, &silent};
        for (unsigned i = 0; i < 3; i++) {
            close(clients[i]);
            tls_close(servers[i]);
        }
    }
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *tls_hostile_suite(void)
{
    Suite *suite = suite_create("tls_hostile");
    scenario_add(suite, half_handshakes_are_held, 300);
    scenario_add(suite, hellos_may_be_long_and_not_endless, 120);
    scenario_add(suite, chains_are_not_endless, 120);
    scenario_add(suite, a_storm_of_changed_keys_ends, 240);
    scenario_add(suite, renegotiation_is_refused, 240);
    scenario_add(suite, early_data_is_refused, 120);
    scenario_add(suite, records_may_be_short_or_long, 240);
    scenario_add(suite, junk_ends_the_session, 240);
    scenario_add(suite, a_client_that_never_reads_is_waited_for, 240);
    scenario_add(suite, a_client_that_never_reads_changes_keys, 240);
    scenario_add(suite, a_server_stops_in_a_ticket, 120);
    scenario_add(suite, an_end_waits_for_the_rest_of_a_ticket, 120);
    scenario_add(suite, a_server_asks_for_renegotiation, 120);
    scenario_add(suite, a_server_says_what_is_no_tls, 240);
    scenario_add(suite, a_server_shows_an_endless_chain, 120);
    scenario_add(suite, a_server_does_all_this_to_us, 240);
    return suite;
}
