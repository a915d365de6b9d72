/* Sessions of TLS that are resumed: by other processes of the proxy, by other machines, and by
 * servers. The clients are openssl s_client, Python, and threads of the test. */
#include "tests/system/scenarios.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/http.h"
#include "tests/system/support/net.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/tls_peer.h"

#include <errno.h>
#include <limits.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct scene scene;

/* --- a server that says a word and closes --- */

static void *greet(void *argument)
{
    int listener = *(const int *)argument;
    for (;;) {
        int fd = accept(listener, NULL, NULL);
        if (fd < 0)
            return NULL;
        (void)!write(fd, "hello\n", 6);
        shutdown(fd, SHUT_WR);
        close(fd);
    }
}

static void greet_always(void)
{
    static int listener;
    pthread_t thread;
    listener = scene.listener;
    ck_assert_int_eq(pthread_create(&thread, NULL, greet, &listener), 0);
    pthread_detach(thread);
}

/* --- clients --- */

static const int versions[] = {2, 3};

static void session_path(char path[static PATH_MAX], int version)
{
    char name[32];
    snprintf(name, sizeof name, "session-%d", version);
    test_path(path, name);
}

/* A visit by openssl s_client to a port. Keeps the session that it gets. resumes: tries the one
 * that was kept before. Returns whether it was resumed. */
static bool visits(uint16_t port, int version, bool resumes)
{
    struct outcome outcome;
    char target[32], path[PATH_MAX];
    session_path(path, version);
    snprintf(target, sizeof target, "127.0.0.1:%u", port);
    run(&outcome, "openssl", "s_client", "-connect", target, "-servername", "a.test",
        version == 2 ? "-tls1_2" : "-tls1_3", "-ign_eof", "-sess_out", path,
        resumes ? "-sess_in" : NULL, path, NULL);
    ck_assert_msg(strstr(outcome.out, "hello\n") != NULL, "openssl: %s%s", outcome.out,
                  outcome.err);
    bool reused = strstr(outcome.out, "\nReused, TLSv1.") != NULL;
    ck_assert_int_ne(reused, strstr(outcome.out, "\nNew, TLSv1.") != NULL);
    return reused;
}

static void visit_anew(void)
{
    for (unsigned i = 0; i < 2; i++)
        ck_assert(!visits(scene.port, versions[i], false));
}

static void resume(uint16_t port, bool expected)
{
    for (unsigned i = 0; i < 2; i++)
        ck_assert_int_eq(visits(port, versions[i], true), expected);
}

/* --- reloads --- */

static void configure(const char *global, const char *rest)
{
    proxy_configure(&scene.proxy,
                    "workers = 2\n%s[listen main]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\nserver = a 127.0.0.1:%u\n%s",
                    global, scene.port, scene.server_port, rest);
}

static void start(const char *global, const char *rest)
{
    tls_certificate("a", "DNS:a.test");
    scene_init(&scene);
    greet_always();
    configure(global, rest);
    proxy_start(&scene.proxy);
}

START_TEST(resumed_after_reloads)
{
    char metrics[48];
    const uint16_t port = port_reserve(getuid());
    const struct endpoint where = endpoint_loopback(port);
    snprintf(metrics, sizeof metrics, "metrics = 127.0.0.1:%u\n", port);
    start(metrics, "");
    visit_anew();
    resume(scene.port, true);
    proxy_reload(&scene.proxy);
    resume(scene.port, true);
    http_wait(&where, "/metrics", 200,
              "rpproxy_frontend_tls_handshakes_total{frontend=\"main\",resumed=\"no\"} 2\n");
    http_wait(&where, "/metrics", 200,
              "rpproxy_frontend_tls_handshakes_total{frontend=\"main\",resumed=\"yes\"} 4\n");
    for (unsigned i = 0; i < 3; i++)
        proxy_reload(&scene.proxy);
    resume(scene.port, true);
    /* A generation that has no TLS passes the keys on. */
    proxy_configure(&scene.proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n",
                    scene.port, scene.server_port);
    proxy_reload(&scene.proxy);
    configure("", "");
    tls_certificate("a", "DNS:a.test"); /* a new one */
    proxy_reload(&scene.proxy);
    resume(scene.port, true);
    /* Clients are judged in another way. */
    configure("", "client-ca = a.pem\nclient-verify = optional\n");
    proxy_reload(&scene.proxy);
    resume(scene.port, false);
    resume(scene.port, true);
    configure("", "tls-tickets = no\n");
    proxy_reload(&scene.proxy);
    resume(scene.port, false);
    proxy_stop(&scene.proxy);
    /* A start is another matter: the keys were nowhere but in memory. */
    configure("", "");
    proxy_start(&scene.proxy);
    visit_anew();
    proxy_stop(&scene.proxy);
    proxy_start(&scene.proxy);
    resume(scene.port, false);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(resumed_after_a_canary_has_gone_back)
{
    start("", "");
    visit_anew();
    struct reload reload = reload_start(&scene.proxy, "50%:1h");
    struct canary canary = canary_wait(&scene.proxy);
    while (canary.sessions < 4 || canary.predecessors < 4) {
        resume(scene.port, true); /* by tickets of either */
        ck_assert(canary_look(&canary));
    }
    for (unsigned before = canary.sessions; canary.sessions == before; canary_look(&canary))
        visit_anew(); /* ... of which the last is perhaps the canary's */
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&reload, 4);
    wait_until(is_active_again, &scene.proxy, "the canary is gone");
    resume(scene.port, true);
    next_reload(&scene.proxy);
    resume(scene.port, true);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The new process serves, and dies while the old one stands by. */
START_TEST(resumed_after_a_roll_back)
{
    start("probation = 10m\n", "");
    visit_anew();
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    resume(scene.port, true);
    visit_anew(); /* tickets of the new process */
    ck_assert_int_eq(kill(scene.proxy.pid, SIGKILL), 0);
    scene.proxy.pid = first;
    wait_until(is_active_again, &scene.proxy, "the old process serves again");
    resume(scene.port, true);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The old process dies while it stands by. */
START_TEST(resumed_after_the_old_process_was_killed)
{
    start("probation = 10m\n", "");
    visit_anew();
    pid_t first = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    ck_assert_int_eq(kill(first, SIGKILL), 0);
    wait_gone(first);
    resume(scene.port, true);
    proxy_reload(&scene.proxy);
    resume(scene.port, true);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- Python's ssl --- */

static const char python_client[] =
    "import socket, ssl, subprocess, sys\n"
    "port, reload = int(sys.argv[1]), sys.argv[2:]\n"
    "def visit(context, session):\n"
    "    with socket.create_connection(('127.0.0.1', port)) as plain:\n"
    "        with context.wrap_socket(plain, server_hostname='a.test', session=session) as s:\n"
    "            while s.recv(100):\n"
    "                pass\n"
    "            return s.session_reused, s.session\n"
    "for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:\n"
    "    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)\n"
    "    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE\n"
    "    context.minimum_version = context.maximum_version = version\n"
    "    session = None\n"
    "    for attempt in range(4):\n"
    "        reused, session = visit(context, session)\n"
    "        assert reused == (attempt > 0), (version, attempt, reused)\n"
    "        reused, session = visit(context, session)\n"
    "        assert reused, (version, attempt)\n"
    "        subprocess.run(reload, check=True, stdout=subprocess.DEVNULL)\n";

START_TEST(python_resumes)
{
    struct outcome outcome;
    char port[8];
    run(&outcome, "python3", "-c", "import ssl", NULL);
    if (outcome.code != 0)
        skip_test("no python3 with ssl");
    start("", "");
    snprintf(port, sizeof port, "%u", scene.port);
    run(&outcome, "python3", "-c", python_client, port, proxy_binary(), "reload", "-f",
        scene.proxy.file, NULL);
    ck_assert_msg(outcome.code == 0, "%s", outcome.err);
    proxy_follow(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- two machines --- */

static void start_second(struct proxy *second, uint16_t port, const char *rest)
{
    proxy_configure(second,
                    "[listen main]\nbind = 127.0.0.1:%u tls=yes\ncertificate = a.pem\n"
                    "server = a 127.0.0.1:%u\n%s",
                    port, scene.server_port, rest);
    proxy_start(second);
}

START_TEST(machines_resume_with_one_file_of_keys)
{
    struct proxy second;
    char path[PATH_MAX];
    uint16_t port = port_reserve(getuid());
    struct outcome outcome;
    run(&outcome, "sh", "-c", "for i in 1 2 3; do openssl rand 80 | base64 -w 0; echo; done", NULL);
    ck_assert_int_eq(outcome.code, 0);
    write_file(test_path(path, "keys"), 0600, "%s", outcome.out);
    proxy_init(&second, "second");
    start("", "tls-ticket-keys = keys\n");
    start_second(&second, port, "tls-ticket-keys = keys\n");
    visit_anew();
    resume(port, true);
    resume(scene.port, true);
    proxy_reload(&second);
    resume(port, true);
    proxy_stop(&scene.proxy); /* ... and after a start */
    proxy_start(&scene.proxy);
    resume(scene.port, true);
    /* A key that is new is first the last one, and then is in use. */
    run(&outcome, "sh", "-c",
        "(tail -n 2 \"$1\"; openssl rand 48 | base64 -w 0; echo) > \"$1.new\"; "
        "mv \"$1.new\" \"$1\"",
        "sh", path, NULL);
    ck_assert_int_eq(outcome.code, 0);
    proxy_reload(&scene.proxy);
    visit_anew();
    resume(port, true); /* which has the keys of before */
    resume(scene.port, true);
    write_file(path, 0600, "nonsense\n");
    ck_assert_int_eq(proxy_command(&second, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "second.ini:") && strstr(outcome.err, "tls-ticket-keys: ") &&
                      strstr(outcome.err, "keys:1: must be 48 or 80 bytes in base64"),
                  "%s", outcome.err);
    resume(port, true);
    proxy_stop(&second);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(machines_without_it_do_not)
{
    struct proxy second;
    uint16_t port = port_reserve(getuid());
    proxy_init(&second, "second");
    start("", "");
    start_second(&second, port, "");
    visit_anew();
    resume(port, false);
    resume(scene.port, false);
    proxy_stop(&second);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- towards servers --- */

static pid_t s_server_start(uint16_t port, const char *version)
{
    char key[PATH_MAX], certificate[PATH_MAX], log[PATH_MAX], accept[32];
    static unsigned starts;
    char name[32];
    snprintf(accept, sizeof accept, "127.0.0.1:%u", port);
    const char *argv[] = {"openssl", "s_server",
                          "-accept", accept,
                          "-key",    test_path(key, "s.pem.key"),
                          "-cert",   test_path(certificate, "s.pem"),
                          "-www",    version,
                          NULL};
    snprintf(name, sizeof name, "s_server-%u.log", ++starts);
    test_path(log, name);
    pid_t pid = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "ACCEPT");
    return pid;
}

/* Asks the server, through the proxy, whether the session was resumed. */
static void server_says(bool reused)
{
    char answer[16384];
    size_t length = 0;
    ssize_t got;
    int client = connect_to(&scene.front);
    send_all(client, "GET / HTTP/1.0\r\n\r\n", 18);
    while (length < sizeof answer - 1 &&
           (got = read(client, answer + length, sizeof answer - 1 - length)) > 0)
        length += (size_t)got;
    close(client);
    answer[length] = '\0';
    ck_assert_msg(strstr(answer, reused ? "\nReused, TLSv1." : "\nNew, TLSv1.") != NULL, "%s",
                  answer);
}

START_TEST(sessions_of_servers_are_resumed)
{
    static const char *const options[] = {"-tls1_2", "-tls1_3"};
    scene_init(&scene);
    tls_certificate("s", "DNS:s.test");
    scene.server_port = port_reserve(getuid());
    const uint16_t port = port_reserve(getuid());
    const struct endpoint where = endpoint_loopback(port);
    proxy_configure(&scene.proxy,
                    "workers = 2\nmetrics = 127.0.0.1:%u\n"
                    "[listen main]\nbind = 127.0.0.1:%u\nretries = 0\n"
                    "access-log = yes\nserver = a 127.0.0.1:%u tls=yes verify=s.pem sni=s.test\n",
                    port, scene.port, scene.server_port);
    pid_t server = s_server_start(scene.server_port, options[0]);
    proxy_start(&scene.proxy);
    for (unsigned i = 0; i < 2; i++) {
        server_says(false);
        for (unsigned j = 0; j < 5; j++)
            server_says(true);
        proxy_reload(&scene.proxy); /* its options may be others now */
        server_says(false);
        server_says(true);
        kill(server, SIGKILL);
        wait_gone(server);
        server = s_server_start(scene.server_port, options[1]);
        server_says(false); /* it does not know the session */
        server_says(true);
        proxy_reload(&scene.proxy);
    }
    http_wait(&where, "/metrics", 200,
              "rpproxy_backend_tls_handshakes_total{backend=\"main\",resumed=\"no\"} 6\n");
    http_wait(&where, "/metrics", 200,
              "rpproxy_backend_tls_handshakes_total{backend=\"main\",resumed=\"yes\"} 14\n");
    /* Another server, which must not be taken for the one that was verified. */
    kill(server, SIGKILL);
    wait_gone(server);
    tls_certificate("s", "DNS:s.test");
    server = s_server_start(scene.server_port, options[1]);
    expect_reset_at(&scene.front);
    wait_mentioned(scene.proxy.log, "self-signed certificate");
    kill(server, SIGKILL);
    wait_gone(server);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- new certificates under load --- */

enum { CLIENTS = 8, RELOADS = 20 };

struct client {
    pthread_t thread;
    uint16_t port;
    int version;
    atomic_uint *done;            /* handshakes of all clients */
    atomic_uint *oldest, *newest; /* certificates that may be shown */
    atomic_bool *ends;
    unsigned resumed;
    char wrong[256]; /* what went wrong first; "": nothing */
};

/* Of one handshake. The certificate of a session is that of its full handshake. */
static const char *shake(struct client *client, SSL_CTX *context, SSL_SESSION **session)
{
    static _Thread_local char text[200];
    const char *wrong = NULL;
    char word[6];
    size_t got, at = 0;
    unsigned oldest = atomic_load(client->oldest);
    const struct endpoint where = endpoint_loopback(client->port);
    int fd = try_connect(&where);
    if (fd < 0)
        return strerror(errno);
    SSL *ssl = SSL_new(context);
    SSL_set_fd(ssl, fd);
    if (*session)
        SSL_set_session(ssl, *session);
    ERR_clear_error();
    if (SSL_connect(ssl) != 1)
        wrong = "handshake";
    while (!wrong && at < sizeof word) {
        if (SSL_read_ex(ssl, word + at, sizeof word - at, &got) != 1)
            wrong = "read";
        else
            at += got;
    }
    if (wrong) {
        const char *reason = ERR_reason_error_string(ERR_peek_error());
        snprintf(text, sizeof text, "%s: %s", wrong, reason ? reason : strerror(errno));
        wrong = text;
    } else if (memcmp(word, "hello\n", 6) != 0) {
        wrong = "another word";
    } else if (SSL_session_reused(ssl)) {
        client->resumed++;
    } else {
        unsigned newest = atomic_load(client->newest);
        char name[16] = "none";
        bool known = false;
        for (unsigned i = oldest; i <= newest && !known; i++) {
            snprintf(name, sizeof name, "g%u.test", i);
            known = X509_check_host(SSL_get0_peer_certificate(ssl), name, 0, 0, NULL) == 1;
        }
        if (!known)
            wrong = "another certificate";
    }
    if (!wrong) {
        SSL_SESSION_free(*session);
        SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN); /* so that it may be resumed */
        *session = SSL_get1_session(ssl);
    }
    SSL_free(ssl);
    close(fd);
    return wrong;
}

/* Every other handshake is a full one. */
static void *shake_always(void *argument)
{
    struct client *client = argument;
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    SSL_SESSION *session = NULL;
    const int version = client->version == 2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    SSL_CTX_set_min_proto_version(context, version);
    SSL_CTX_set_max_proto_version(context, version);
    for (unsigned i = 0; !atomic_load(client->ends) && !client->wrong[0]; i++) {
        SSL_SESSION *none = NULL;
        const char *wrong = shake(client, context, i % 2 ? &session : &none);
        if (wrong)
            snprintf(client->wrong, sizeof client->wrong, "%s", wrong);
        if (i % 2 == 0 && none) {
            SSL_SESSION_free(session);
            session = none;
        }
        atomic_fetch_add(client->done, 1);
    }
    SSL_SESSION_free(session);
    SSL_CTX_free(context);
    return NULL;
}

struct progress {
    const atomic_uint *done;
    unsigned until;
    const struct client *clients;
};

static bool is_done(void *argument)
{
    const struct progress *progress = argument;
    for (unsigned i = 0; i < CLIENTS; i++)
        if (progress->clients[i].wrong[0])
            return true;
    return atomic_load(progress->done) >= progress->until;
}

START_TEST(no_handshake_fails_while_certificates_change)
{
    static struct client clients[CLIENTS];
    static atomic_uint done, oldest, newest;
    static atomic_bool ends;
    const unsigned reloads = scaled(RELOADS, 4), between = scaled(500, 50);
    unsigned resumed = 0;
    scene_init(&scene);
    greet_always();
    tls_certificate("a", "DNS:g0.test,DNS:a.test");
    configure("max-generations = 64\n", "");
    proxy_start(&scene.proxy);
    visit_anew();
    for (unsigned i = 0; i < CLIENTS; i++) {
        clients[i] = (struct client){.port = scene.port,
                                     .version = versions[i % 2],
                                     .done = &done,
                                     .oldest = &oldest,
                                     .newest = &newest,
                                     .ends = &ends};
        ck_assert_int_eq(pthread_create(&clients[i].thread, NULL, shake_always, &clients[i]), 0);
    }
    for (unsigned i = 1; i <= reloads; i++) {
        char names[64];
        snprintf(names, sizeof names, "DNS:g%u.test,DNS:a.test", i);
        tls_certificate("a", names);
        atomic_store(&newest, i);
        proxy_reload(&scene.proxy);
        resume(scene.port, true);
        struct progress progress = {&done, atomic_load(&done) + between, clients};
        wait_until(is_done, &progress, "clients have shaken hands");
        /* What began before the reload has ended. */
        atomic_store(&oldest, i);
    }
    atomic_store(&ends, true);
    for (unsigned i = 0; i < CLIENTS; i++) {
        pthread_join(clients[i].thread, NULL);
        ck_assert_msg(!clients[i].wrong[0], "client %u: %s", i, clients[i].wrong);
        resumed += clients[i].resumed;
    }
    printf("     %u handshakes in %u reloads, 0 failed, %u resumed\n", atomic_load(&done), reloads,
           resumed);
    ck_assert_uint_ge(resumed, atomic_load(&done) / 2 - 2 * CLIENTS);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *tls_resumption_suite(void)
{
    Suite *suite = suite_create("tls_resumption");
    scenario_add(suite, resumed_after_reloads, 300);
    scenario_add(suite, resumed_after_a_canary_has_gone_back, 240);
    scenario_add(suite, resumed_after_a_roll_back, 240);
    scenario_add(suite, resumed_after_the_old_process_was_killed, 240);
    scenario_add(suite, python_resumes, 240);
    scenario_add(suite, machines_resume_with_one_file_of_keys, 300);
    scenario_add(suite, machines_without_it_do_not, 240);
    scenario_add(suite, sessions_of_servers_are_resumed, 240);
    scenario_add(suite, no_handshake_fails_while_certificates_change, 600);
    return suite;
}
