/* Checks that ask more than TCP, against real servers; and what follows for sessions. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/server_state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- an nginx that answers by files --- */

/* GET /NAME has status 200 and the content of the file NAME, or 503 if there is none. */
struct web {
    char folder[PATH_MAX], log[PATH_MAX], access[PATH_MAX];
    uint16_t port;
    pid_t pid;
};

static const char *nginx(void)
{
    return program_exists("nginx") ? "nginx" : "/usr/sbin/nginx";
}

static bool web_listens(void *argument)
{
    const struct web *web = argument;
    struct endpoint where = endpoint_loopback(web->port);
    int fd = try_connect(&where);
    if (fd >= 0) {
        close(fd);
    }
    return fd >= 0;
}

/* listen: words that follow the address in `listen`; more: lines of the server block. */
static void web_start(struct web *web, const char *name, const char *listen, const char *more)
{
    char file[PATH_MAX + 16];
    test_path(web->folder, name);
    mkdir(web->folder, 0755);
    chmod(web->folder, 0755);
    snprintf(file, sizeof file, "%s.conf", web->folder);
    snprintf(web->log, sizeof web->log, "%.4000s.log", web->folder);
    snprintf(web->access, sizeof web->access, "%.4000s.access", web->folder);
    web->port = port_reserve(getuid());
    write_file(
        file, 0644,
        "daemon off; master_process off; pid %s.pid; error_log %s;\n"
        "events { worker_connections 4000; }\n"
        "http { log_format checks '$proxy_protocol_addr|$request|$http_host|$http_x_check';\n"
        " access_log %s checks; client_body_temp_path %s; proxy_temp_path %s;\n"
        " fastcgi_temp_path %s; uwsgi_temp_path %s; scgi_temp_path %s;\n"
        " default_type text/plain;\n"
        " server { listen 127.0.0.1:%u %s; %s\n"
        "  root %s; location / { try_files $uri =503; } } }\n",
        web->folder, web->log, web->access, web->folder, web->folder, web->folder, web->folder,
        web->folder, web->port, listen, more, web->folder);
    const char *argv[] = {nginx(), "-c", file, NULL};
    web->pid = program_start(&(struct program){.argv = argv, .out = web->log, .err = web->log});
    wait_until(web_listens, web, "nginx listens");
}

static void web_put(const struct web *web, const char *name, const char *text)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", web->folder, name);
    write_file(path, 0644, "%s", text);
}

static void web_remove(const struct web *web, const char *name)
{
    char path[PATH_MAX + 64];
    snprintf(path, sizeof path, "%s/%s", web->folder, name);
    ck_assert_int_eq(unlink(path), 0);
}

static void web_end(const struct web *web)
{
    kill(web->pid, SIGQUIT);
    wait_gone(web->pid);
}

#define SKIP_WITHOUT_NGINX()                                                                       \
    do {                                                                                           \
        if (!program_exists(nginx())) {                                                            \
            skip_test("no nginx");                                                                 \
        }                                                                                          \
    } while (0)

/* --- sessions of a server that goes down --- */

struct pair {
    struct web one, two;   /* what the checks ask */
    int listeners[2];      /* of the servers */
    struct endpoint front; /* of the proxy */
    struct proxy proxy;
};

/* The server has come up so often, and clients go to it: the line is written a moment before, and
 * the process answers after it. */
static void wait_serves(const struct proxy *proxy, const char *server, unsigned times)
{
    struct status status;
    char text[128];
    snprintf(text, sizeof text, "server %s is UP", server);
    wait_mentions(proxy->log, text, times);
    ck_assert(proxy_status(proxy, &status));
}

/* Like Patroni: the nodes' API says on another port which of them is the primary. */
static void pair_start(struct pair *pair, const char *global, const char *rest)
{
    uint16_t ports[2], port = port_reserve(getuid());
    pair->front = endpoint_loopback(port);
    for (unsigned i = 0; i < 2; i++) {
        pair->listeners[i] = listen_loopback(&ports[i]);
    }
    web_start(&pair->one, "one", "", "");
    web_start(&pair->two, "two", "", "");
    web_put(&pair->one, "primary", "role: primary");
    proxy_init(&pair->proxy, "proxy");
    proxy_configure(&pair->proxy,
                    "%s[listen main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "check = http\ncheck-path = /primary\ncheck-host = db.example.org\n"
                    "check-header = X-Check: yes\ncheck-interval = 20ms\non-down = close\n"
                    "check-initial = down\n%s"
                    "server = one 127.0.0.1:%u check-port=%u\n"
                    "server = two 127.0.0.1:%u check-port=%u\n",
                    global, port, rest, ports[0], pair->one.port, ports[1], pair->two.port);
    proxy_start(&pair->proxy);
    wait_serves(&pair->proxy, "main/one", 1);
}

static void pair_end(struct pair *pair)
{
    proxy_stop(&pair->proxy);
    web_end(&pair->one);
    web_end(&pair->two);
}

static void switch_over(struct pair *pair)
{
    web_remove(&pair->one, "primary");
    web_put(&pair->two, "primary", "role: primary");
}

START_TEST(sessions_end_with_the_primary)
{
    SKIP_WITHOUT_NGINX();
    struct pair pair;
    pair_start(&pair, "", "check-body = ~role: +primary\n");
    struct session session = session_through(&pair.front, pair.listeners[0]);
    session_works(&session);
    switch_over(&pair);
    session_is_cut(&session);
    wait_mentioned(pair.proxy.log, "server main/one is DOWN: answered with status 503");
    wait_mentions(pair.proxy.log, "end=server-down", 1);
    wait_serves(&pair.proxy, "main/two", 1);
    session = session_through(&pair.front, pair.listeners[1]);
    session_works(&session);

    /* The status is right, and the body is not. */
    web_put(&pair.two, "primary", "role: replica");
    session_is_cut(&session);
    wait_mentioned(pair.proxy.log, "server main/two is DOWN: status 200, but the body lacks "
                                   "'~role: +primary': 'role: replica'");
    wait_mentions(pair.proxy.log, "end=server-down", 2);
    wait_mentioned(pair.one.access, "|GET /primary HTTP/1.1|db.example.org|yes");
    /* Nothing that nginx would complain of. */
    ck_assert_uint_eq(file_mentions(pair.one.log, "reset"), 0);
    pair_end(&pair);
}
END_TEST

/* A session that has moved to the new process ends there. */
START_TEST(sessions_that_moved_end_with_their_server)
{
    SKIP_WITHOUT_NGINX();
    struct pair pair;
    pair_start(&pair, "", "");
    struct session session = session_through(&pair.front, pair.listeners[0]);
    session_works(&session);
    proxy_reload(&pair.proxy);
    proxy_wait_drained(&pair.proxy);
    session_works(&session);
    switch_over(&pair);
    session_is_cut(&session);
    wait_mentions(pair.proxy.log, "end=server-down", 1);
    pair_end(&pair);
}
END_TEST

/* A process that drains checks nothing: the one that serves tells it. */
START_TEST(sessions_of_an_old_process_end_with_their_server)
{
    SKIP_WITHOUT_NGINX();
    struct pair pair;
    pair_start(&pair, "drain = wait\n", "");
    struct session session = session_through(&pair.front, pair.listeners[0]);
    session_works(&session);
    pid_t old = pair.proxy.pid;
    proxy_reload(&pair.proxy);
    wait_mentioned(pair.proxy.log, "generation 1 drains: 1 session");
    session_works(&session);
    switch_over(&pair);
    session_is_cut(&session);
    wait_gone(old);
    wait_mentions(pair.proxy.log, "end=server-down", 1);
    proxy_wait_drained(&pair.proxy);
    pair_end(&pair);
}
END_TEST

/* What the old process knew, and why, is known in the new one. */
static bool tells_the_reason(void *proxy)
{
    struct outcome outcome;
    return proxy_command(proxy, &outcome, "status", "--json", NULL) == 0 &&
           strstr(outcome.out, "answered with status 503") != NULL;
}

START_TEST(reasons_outlive_a_reload)
{
    SKIP_WITHOUT_NGINX();
    struct pair pair;
    pair_start(&pair, "", "");
    wait_until(tells_the_reason, &pair.proxy, "the second server was checked");
    for (unsigned i = 0; i < 2; i++) {
        ck_assert(tells_the_reason(&pair.proxy));
        proxy_reload(&pair.proxy);
        proxy_wait_drained(&pair.proxy);
    }
    wait_mentions(pair.proxy.log, "main/one is UP", 1);
    pair_end(&pair);
}
END_TEST

/* A file of a check that is wrong leaves the old process serving. */
START_TEST(a_reload_with_a_wrong_file_changes_nothing)
{
    SKIP_WITHOUT_NGINX();
    struct pair pair;
    struct outcome outcome;
    char text[4096], file[PATH_MAX];
    pair_start(&pair, "", "");
    size_t length = read_file(pair.proxy.file, text, sizeof text);
    snprintf(text + length, sizeof text - length,
             "check-tls = yes\ncheck-verify = authorities.pem\n");
    write_file(pair.proxy.file, 0644, "%s", text);
    ck_assert_int_eq(proxy_command(&pair.proxy, &outcome, "reload", NULL), 2);
    ck_assert_ptr_nonnull(
        strstr(outcome.err, "check-verify: 'authorities.pem' cannot be read: No such file"));
    write_file(test_path(file, "authorities.pem"), 0644, "-----BEGIN CERTIFICATE-----\nnot one\n");
    ck_assert_int_eq(proxy_command(&pair.proxy, &outcome, "reload", NULL), 2);
    ck_assert_ptr_nonnull(strstr(outcome.err, "check-verify: 'authorities.pem' certificate 1: "));
    struct session session = session_through(&pair.front, pair.listeners[0]);
    session_works(&session);
    session_close(&session);
    pair_end(&pair);
}
END_TEST

/* A server that counts resets sees the end of the stream in their place. */
START_TEST(how_a_tcp_check_ends)
{
    static const char *const options[] = {"", "check-close = reset\n", "check-close = fin\n"};
    struct scene scene;
    scene_init(&scene);
    for (unsigned i = 0; i < 3; i++) {
        char rest[128];
        snprintf(rest, sizeof rest, "check = tcp\ncheck-interval = 50ms\n%s", options[i]);
        scene_configure(&scene, "", rest);
        proxy_start(&scene.proxy);
        for (unsigned check = 0; check < 3; check++) {
            int server = accept_from(scene.listener);
            if (i == 2)
                expect_eof(server);
            else
                expect_reset(server);
            close(server);
        }
        proxy_stop(&scene.proxy);
        ck_assert_uint_eq(file_mentions(scene.proxy.log, "is DOWN"), 0);
        while (readable_within(scene.listener, 0))
            close(accept_from(scene.listener));
    }
}
END_TEST

/* --- TLS --- */

static void make_certificate(const char *name, const char *subject, const char *alternative)
{
    char key[PATH_MAX], certificate[PATH_MAX], file[64];
    struct outcome outcome;
    snprintf(file, sizeof file, "%s.key", name);
    test_path(key, file);
    snprintf(file, sizeof file, "%s.pem", name);
    test_path(certificate, file);
    run(&outcome, "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        "-keyout", key, "-out", certificate, "-subj", subject, "-addext", alternative, NULL);
    ck_assert_msg(outcome.code == 0, "openssl req: %s", outcome.err);
}

/* extra: further arguments, NULL-ended. */
static pid_t s_server_start(uint16_t port, const char *name, const char *const *extra)
{
    char key[PATH_MAX], certificate[PATH_MAX], log[PATH_MAX], file[64], accept[32];
    const char *argv[24] = {"openssl", "s_server", "-accept",   accept, "-key",
                            key,       "-cert",    certificate, "-www", "-quiet"};
    size_t count = 10;
    while (*extra) {
        argv[count++] = *extra++;
    }
    snprintf(accept, sizeof accept, "127.0.0.1:%u", port);
    snprintf(file, sizeof file, "%s.key", name);
    test_path(key, file);
    snprintf(file, sizeof file, "%s.pem", name);
    test_path(certificate, file);
    test_path(log, "s_server.log");
    pid_t pid = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    struct web where = {.port = port};
    wait_until(web_listens, &where, "s_server listens");
    return pid;
}

/* One server, with several backends that check it in different ways. */
START_TEST(checks_through_tls)
{
    static const char *const nothing[] = {NULL};
    if (!program_exists("openssl")) {
        skip_test("no openssl");
    }
    struct proxy proxy;
    uint16_t server = port_reserve(getuid());
    make_certificate("good", "/CN=app", "subjectAltName=DNS:app.example.org,IP:127.0.0.1");
    make_certificate("other", "/CN=other", "subjectAltName=DNS:app.example.org");
    pid_t pid = s_server_start(server, "good", nothing);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[frontend f]\nbind = 127.0.0.1:%u\nbackend = any\n"
                    "[defaults]\ncheck = tls\ncheck-interval = 50ms\ncheck-initial = down\n"
                    "[backend any]\nserver = s 127.0.0.1:%u\n"
                    "[backend address]\nserver = s 127.0.0.1:%u\ncheck-verify = good.pem\n"
                    "[backend name]\nserver = s 127.0.0.1:%u\ncheck-verify = good.pem\n"
                    "check-sni = app.example.org\n"
                    "[backend http]\nserver = s 127.0.0.1:%u\ncheck-verify = good.pem\n"
                    "check = http\ncheck-tls = yes\ncheck-host = app.example.org\n"
                    "check-body = Secure Renegotiation\n"
                    "[backend stranger]\nserver = s 127.0.0.1:%u\ncheck-verify = other.pem\n"
                    "[backend misnamed]\nserver = s 127.0.0.1:%u\ncheck-verify = good.pem\n"
                    "check-sni = www.example.org\n"
                    "[backend system]\nserver = s 127.0.0.1:%u\ncheck-verify = system\n",
                    port_reserve(getuid()), server, server, server, server, server, server, server);
    proxy_start(&proxy);
    wait_mentioned(proxy.log, "server any/s is UP");
    wait_mentioned(proxy.log, "server address/s is UP");
    wait_mentioned(proxy.log, "server name/s is UP");
    wait_mentioned(proxy.log, "server http/s is UP");
    server_await(&proxy, "stranger", "s", "down", "TLS: self-signed certificate");
    server_await(&proxy, "misnamed", "s", "down", "TLS: hostname mismatch");
    server_await(&proxy, "system", "s", "down", "TLS: ");
    ck_assert_uint_eq(file_mentions(proxy.log, "server stranger/s is UP"), 0);
    ck_assert_uint_eq(file_mentions(proxy.log, "server misnamed/s is UP"), 0);
    ck_assert_uint_eq(file_mentions(proxy.log, "server system/s is UP"), 0);
    kill(pid, SIGKILL);
    wait_gone(pid);
    wait_mentioned(proxy.log, "server http/s is DOWN: Connection refused");

    /* It wants to see a certificate of the client, and old TLS at that: it lives. */
    static const char *const wants[] = {"-Verify", "1", "-verify_return_error", "-tls1_2", NULL};
    pid = s_server_start(server, "good", wants);
    wait_mentions(proxy.log, "server any/s is UP", 2);
    kill(pid, SIGKILL);
    wait_gone(pid);
    proxy_stop(&proxy);
}
END_TEST

/* A server with tls=yes is checked as its sessions see it, unless the check has words of its own.
 */
START_TEST(checks_as_sessions_see_it)
{
    static const char *const wants[] = {"-Verify", "1",  "-verify_return_error",
                                        "-CAfile", NULL, NULL};
    const char *asks[sizeof wants / sizeof *wants];
    char authority[PATH_MAX];
    struct outcome outcome;
    struct proxy proxy;
    if (!program_exists("openssl")) {
        skip_test("no openssl");
    }
    uint16_t server = port_reserve(getuid()), strict = port_reserve(getuid());
    make_certificate("good", "/CN=app", "subjectAltName=DNS:app.example.org,IP:127.0.0.1");
    make_certificate("other", "/CN=other", "subjectAltName=DNS:app.example.org");
    memcpy(asks, wants, sizeof asks);
    asks[4] = test_path(authority, "good.pem");
    pid_t pid = s_server_start(server, "good", wants + 5);
    pid_t strict_pid = s_server_start(strict, "good", asks);
    proxy_init(&proxy, "proxy");
    proxy_configure(
        &proxy,
        "[frontend f]\nbind = 127.0.0.1:%u\nbackend = good\n"
        "[defaults]\ncheck = tls\ncheck-interval = 50ms\ncheck-initial = down\n"
        "[backend good]\nserver = s 127.0.0.1:%u tls=yes verify=good.pem\n"
        "[backend any]\nserver = s 127.0.0.1:%u tls=yes verify=none\n"
        "[backend http]\nserver = s 127.0.0.1:%u tls=yes verify=good.pem sni=app.example.org\n"
        "check = http\ncheck-tls = yes\ncheck-body = Secure Renegotiation\n"
        "[backend said]\nserver = s 127.0.0.1:%u tls=yes verify=other.pem\ncheck-verify = none\n"
        "[backend shown]\nserver = s 127.0.0.1:%u tls=yes verify=good.pem cert=both.pem\n"
        "check = http\ncheck-tls = yes\ncheck-body = Secure Renegotiation\n"
        "[backend stranger]\nserver = s 127.0.0.1:%u tls=yes verify=other.pem\n"
        "[backend misnamed]\nserver = s 127.0.0.1:%u tls=yes verify=good.pem sni=www.test\n",
        port_reserve(getuid()), server, server, server, server, strict, server, server);
    run(&outcome, "sh", "-c", "cd \"$1\" && cat good.pem good.key >both.pem", "sh",
        test_directory(), NULL);
    proxy_start(&proxy);
    wait_mentioned(proxy.log, "server good/s is UP");
    wait_mentioned(proxy.log, "server any/s is UP");
    wait_mentioned(proxy.log, "server http/s is UP");
    wait_mentioned(proxy.log, "server said/s is UP");
    wait_mentioned(proxy.log, "server shown/s is UP");
    server_await(&proxy, "stranger", "s", "down", "TLS: self-signed certificate");
    server_await(&proxy, "misnamed", "s", "down", "TLS: hostname mismatch");
    /* ... and the running configuration says the same. */
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "config", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "check-verify = none"));
    ck_assert_ptr_null(strstr(strstr(outcome.out, "check-verify") + 1, "check-verify"));
    ck_assert_uint_eq(file_mentions(proxy.log, "server stranger/s is UP"), 0);
    ck_assert_uint_eq(file_mentions(proxy.log, "server misnamed/s is UP"), 0);
    kill(pid, SIGKILL);
    wait_gone(pid);
    kill(strict_pid, SIGKILL);
    wait_gone(strict_pid);
    proxy_stop(&proxy);
}
END_TEST

/* Something that accepts, and never speaks. */
START_TEST(a_silent_server_fails_in_time)
{
    struct proxy proxy;
    uint16_t server;
    int listener = listen_loopback(&server); /* the kernel accepts for it */
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[defaults]\ncheck-interval = 100ms\ncheck-timeout = 50ms\n"
                    "[listen http]\nbind = 127.0.0.1:%u\nserver = s 127.0.0.1:%u\ncheck = http\n"
                    "[listen tls]\nbind = 127.0.0.1:%u\nserver = s 127.0.0.1:%u\ncheck = tls\n",
                    port_reserve(getuid()), server, port_reserve(getuid()), server);
    proxy_start(&proxy);
    wait_mentioned(proxy.log, "server http/s is DOWN: connected, but no answer in time");
    wait_mentioned(proxy.log, "server tls/s is DOWN: connected, but no TLS handshake in time");
    proxy_stop(&proxy);
    close(listener);
}
END_TEST

/* --- PROXY headers --- */

static void expect_by_header(uint16_t server, const char *log)
{
    struct proxy proxy;
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[defaults]\ncheck = http\ncheck-path = /alive\ncheck-interval = 50ms\n"
                    "check-initial = down\n"
                    "[frontend f]\nbind = 127.0.0.1:%u\nbackend = v1\n"
                    "[backend v1]\nserver = s 127.0.0.1:%u\ncheck-proxy = v1\n"
                    "[backend v2]\nserver = s 127.0.0.1:%u\ncheck-proxy = v2\n"
                    "[backend auto]\nserver = s 127.0.0.1:%u send-proxy=v2\n"
                    "[backend none]\nserver = s 127.0.0.1:%u\n",
                    port_reserve(getuid()), server, server, server, server);
    proxy_start(&proxy);
    wait_mentioned(proxy.log, "server v1/s is UP");
    wait_mentioned(proxy.log, "server v2/s is UP");
    wait_mentioned(proxy.log, "server auto/s is UP");
    ck_assert_uint_eq(file_mentions(proxy.log, "server none/s is UP"), 0);
    proxy_stop(&proxy);
    (void)log;
}

START_TEST(checks_with_a_proxy_header_for_nginx)
{
    SKIP_WITHOUT_NGINX();
    struct web web;
    web_start(&web, "web", "proxy_protocol", "");
    web_put(&web, "alive", "yes");
    expect_by_header(web.port, web.log);
    web_end(&web);
}
END_TEST

START_TEST(checks_with_a_proxy_header_for_haproxy)
{
    if (!program_exists("haproxy") && !program_exists("/usr/sbin/haproxy")) {
        skip_test("no haproxy");
    }
    char file[PATH_MAX], log[PATH_MAX];
    struct web where = {.port = port_reserve(getuid())};
    write_file(test_path(file, "haproxy.cfg"), 0644,
               "defaults\n mode http\n timeout client 10s\n timeout connect 10s\n"
               " timeout server 10s\nfrontend f\n bind 127.0.0.1:%u accept-proxy\n"
               " monitor-uri /alive\n",
               where.port);
    test_path(log, "haproxy.log");
    const char *argv[] = {program_exists("haproxy") ? "haproxy" : "/usr/sbin/haproxy", "-db", "-f",
                          file, NULL};
    pid_t pid = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(web_listens, &where, "haproxy listens");
    expect_by_header(where.port, log);
    kill(pid, SIGTERM);
    wait_gone(pid);
}
END_TEST

/* --- steps --- */

START_TEST(steps_ask_a_redis)
{
    if (!program_exists("redis-server")) {
        skip_test("no redis-server");
    }
    char port[8], log[PATH_MAX];
    struct proxy proxy;
    free_port(port);
    const char *argv[] = {"redis-server",  "--port",  port, "--bind", "127.0.0.1", "--save", "",
                          "--requirepass", "se cret", NULL};
    test_path(log, "redis.log");
    struct web where = {.port = (uint16_t)atoi(port)};
    pid_t pid = program_start(
        &(struct program){.argv = argv, .out = log, .err = log, .directory = test_directory()});
    wait_until(web_listens, &where, "redis listens");
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[frontend f]\nbind = 127.0.0.1:%u\nbackend = good\n"
                    "[defaults]\ncheck = steps\ncheck-interval = 50ms\ncheck-initial = down\n"
                    "[backend good]\nserver = s 127.0.0.1:%s\n"
                    "check-step = send AUTH \"se\\x20cret\"\\r\\n\ncheck-step = expect +OK\n"
                    "check-step = send-hex 50 49 4e 47 0d0a\ncheck-step = expect +PONG\n"
                    "check-step = send INFO replication\\r\\n\n"
                    "check-step = expect-regex role:(master|primary)\n"
                    "[backend bad]\nserver = s 127.0.0.1:%s\n"
                    "check-step = send PING\\r\\n\ncheck-step = expect +PONG\n"
                    "check-timeout = 200ms\n",
                    port_reserve(getuid()), port, port);
    proxy_start(&proxy);
    wait_mentioned(proxy.log, "server good/s is UP");
    ck_assert_uint_eq(file_mentions(proxy.log, "server bad/s is UP"), 0);
    kill(pid, SIGKILL);
    wait_gone(pid);
    wait_mentioned(proxy.log, "server good/s is DOWN: Connection refused");
    proxy_stop(&proxy);
}
END_TEST

/* --- servers that follow others --- */

START_TEST(a_server_follows_another_one)
{
    SKIP_WITHOUT_NGINX();
    struct web web;
    struct proxy proxy;
    struct outcome outcome;
    uint16_t port;
    int listener = listen_loopback(&port);
    web_start(&web, "web", "", "");
    web_put(&web, "alive", "yes");
    uint16_t front = port_reserve(getuid());
    struct endpoint where = endpoint_loopback(front);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[backend lead]\nserver = s 127.0.0.1:%u\ncheck = http\ncheck-path = /alive\n"
                    "check-interval = 50ms\ncheck-initial = down\n"
                    "[listen main]\nbind = 127.0.0.1:%u\non-down = close\n"
                    "server = t 127.0.0.1:%u check-track=lead/s\n",
                    web.port, front, port);
    proxy_start(&proxy);
    wait_serves(&proxy, "main/t", 1);
    struct session session = session_through(&where, listener);
    session_works(&session);
    proxy_reload(&proxy);
    proxy_wait_drained(&proxy);
    web_remove(&web, "alive");
    session_is_cut(&session);
    wait_mentioned(proxy.log, "server main/t is DOWN, as lead/s");
    web_put(&web, "alive", "yes");
    wait_serves(&proxy, "main/t", 2);
    session = session_through(&where, listener);
    session_works(&session);
    /* A command keeps new sessions away, and ends none. */
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "server", "lead/s", "maint", NULL), 0);
    expect_reset_at(&where);
    session_works(&session);
    ck_assert_int_eq(proxy_command(&proxy, &outcome, "server", "lead/s", "ready", NULL), 0);
    struct session other = session_through(&where, listener);
    session_works(&other);
    session_close(&other);
    session_close(&session);
    proxy_stop(&proxy);
    web_end(&web);
    close(listener);
}
END_TEST

/* --- agents --- */

static void status_has(const struct proxy *proxy, const char *text)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_msg(strstr(outcome.out, text) != NULL, "no %s in %s", text, outcome.out);
}

/* What an agent says keeps clients away, is asked for again all the same, and outlives reloads. */
START_TEST(what_an_agent_says_outlives_reloads)
{
    if (!program_exists("python3")) {
        skip_test("no python3");
    }
    char words[PATH_MAX], log[PATH_MAX], port[8], rest[128];
    struct scene scene;
    struct web where;
    free_port(port);
    where.port = (uint16_t)atoi(port);
    agent_says("ready\n");
    const char *argv[] = {"python3", "-c", agent_program, port, test_path(words, "words"), NULL};
    test_path(log, "agent.log");
    pid_t pid = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_until(web_listens, &where, "the agent listens");
    snprintf(rest, sizeof rest, "check = agent\ncheck-port = %s\ncheck-interval = 50ms\n", port);
    scene_start(&scene, "", rest);
    struct session session = session_open(&scene);
    static const char *const away[] = {"drain", "maint"};
    for (unsigned i = 0; i < 2; i++) {
        char say[64], logged[64];
        snprintf(say, sizeof say, "%s\n", away[i]);
        agent_says(say);
        snprintf(logged, sizeof logged, "its agent says %s", away[i]);
        wait_mentioned(scene.proxy.log, logged);
        proxy_reload(&scene.proxy);
        proxy_wait_drained(&scene.proxy);
        snprintf(say, sizeof say, "\"agent\": \"%s\"", away[i]);
        status_has(&scene.proxy, say);
        expect_reset_at(&scene.front);
        session_works(&session);
        wait_mentions(scene.proxy.log, logged, 1);
    }
    agent_says("ready 50%\n");
    wait_mentioned(scene.proxy.log, "its agent says ready, 50% of the weight");
    proxy_reload(&scene.proxy);
    proxy_wait_drained(&scene.proxy);
    status_has(&scene.proxy, "\"agent_percent\": 50");
    struct session other = session_open(&scene);
    session_works(&other);
    session_close(&other);
    session_close(&session);
    proxy_stop(&scene.proxy);
    kill(pid, SIGKILL);
    wait_gone(pid);
}
END_TEST

/* --- many --- */

static unsigned long long thread_ticks(pid_t pid, const char *of)
{
    char path[64], text[1024];
    unsigned long long user = 0, system = 0;
    for (pid_t tid = pid; tid < pid + 2000; tid++) {
        snprintf(path, sizeof path, "/proc/%d/task/%d/stat", (int)pid, (int)tid);
        if (read_file(path, text, sizeof text) == 0 || !strstr(text, of)) {
            continue;
        }
        const char *rest = strrchr(text, ')');
        sscanf(rest + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %llu %llu", &user, &system);
        break;
    }
    return user + system;
}

/* 1,000 servers every 2 s: what it costs is printed. */
START_TEST(many_servers_are_checked_by_http)
{
    SKIP_WITHOUT_NGINX();
    struct web web;
    struct proxy proxy;
    unsigned count = scaled(1000, 100);
    web_start(&web, "web", "backlog=1024", "");
    web_put(&web, "alive", "yes");
    proxy_init(&proxy, "proxy");
    char *servers = malloc(count * 64u + 1);
    size_t length = 0;
    for (unsigned i = 0; i < count; i++) {
        length += (size_t)sprintf(servers + length, "server = s%u 127.0.0.1:%u\n", i, web.port);
    }
    proxy_configure(&proxy,
                    "workers = 1\n[listen main]\nbind = 127.0.0.1:%u\ncheck = http\n"
                    "check-path = /alive\ncheck-interval = 2s\ncheck-timeout = 20s\n%s",
                    port_reserve(getuid()), servers);
    proxy_start(&proxy);
    while (file_mentions(web.access, "GET /alive") < 2 * count) {
        usleep(100000);
    }
    unsigned long long main_before = thread_ticks(proxy.pid, "(rpproxy)");
    unsigned long long before = thread_ticks(proxy.pid, "(checks)");
    int64_t begin = now_ms();
    unsigned asked = file_mentions(web.access, "GET /alive");
    while (file_mentions(web.access, "GET /alive") < asked + 3 * count) {
        usleep(100000);
    }
    double seconds = (double)(now_ms() - begin) / 1000, ticks = (double)sysconf(_SC_CLK_TCK);
    printf(
        "     %u servers, each checked every 2 s by HTTP: the thread of the checks took %.1f %% of "
        "a core, the main thread %.1f %%\n",
        count, (double)(thread_ticks(proxy.pid, "(checks)") - before) / ticks / seconds * 100,
        (double)(thread_ticks(proxy.pid, "(rpproxy)") - main_before) / ticks / seconds * 100);
    ck_assert_uint_eq(file_mentions(proxy.log, "is DOWN"), 0);
    proxy_stop(&proxy);
    web_end(&web);
    free(servers);
}
END_TEST

Suite *check_kinds_suite(void)
{
    Suite *suite = suite_create("check_kinds");
    scenario_add(suite, sessions_end_with_the_primary, 300);
    scenario_add(suite, sessions_that_moved_end_with_their_server, 300);
    scenario_add(suite, sessions_of_an_old_process_end_with_their_server, 300);
    scenario_add(suite, reasons_outlive_a_reload, 300);
    scenario_add(suite, a_reload_with_a_wrong_file_changes_nothing, 300);
    scenario_add(suite, how_a_tcp_check_ends, 120);
    scenario_add(suite, checks_through_tls, 300);
    scenario_add(suite, checks_as_sessions_see_it, 300);
    scenario_add(suite, a_silent_server_fails_in_time, 300);
    scenario_add(suite, checks_with_a_proxy_header_for_nginx, 300);
    scenario_add(suite, checks_with_a_proxy_header_for_haproxy, 300);
    scenario_add(suite, steps_ask_a_redis, 300);
    scenario_add(suite, a_server_follows_another_one, 300);
    scenario_add(suite, what_an_agent_says_outlives_reloads, 300);
    scenario_add(suite, many_servers_are_checked_by_http, 300);
    return suite;
}
