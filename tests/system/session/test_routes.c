/* Routes: real clients of TLS, HTTP and SSH on one port, hellos in pieces, strangers, and reloads
 * while clients are looked at. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A proxy with one bind in front of servers that are listeners of the test, a backend each. */
enum { SERVERS = 3 };

struct stand {
    struct proxy proxy;
    struct endpoint front;
    uint16_t port, server_ports[SERVERS];
    int servers[SERVERS];
};

static const char *const server_names[SERVERS] = {"one", "two", "three"};

static void stand_init(struct stand *stand)
{
    stand->port = port_reserve(getuid());
    stand->front = endpoint_loopback(stand->port);
    for (int i = 0; i < SERVERS; i++) {
        stand->servers[i] = listen_loopback(&stand->server_ports[i]);
    }
    proxy_init(&stand->proxy, "proxy");
}

static void stand_configure(const struct stand *stand, const char *routes)
{
    const uint16_t *ports = stand->server_ports;
    proxy_configure(&stand->proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n%s"
                    "[backend one]\nserver = a 127.0.0.1:%u\n"
                    "[backend two]\nserver = a 127.0.0.1:%u\n"
                    "[backend three]\nserver = a 127.0.0.1:%u\n",
                    stand->port, routes, ports[0], ports[1], ports[2]);
}

static void stand_start(struct stand *stand, const char *routes)
{
    stand_init(stand);
    stand_configure(stand, routes);
    proxy_start(&stand->proxy);
}

/* --- hellos ---------------------------------------------------------------------------------- */

struct bytes {
    size_t length;
    unsigned char bytes[8192];
};

/* What openssl s_client says first; false: there is no such program. */
static bool record_hello(const char *name, struct bytes *hello)
{
    char where[32];
    uint16_t port;
    if (!program_exists("openssl")) {
        return false;
    }
    int listener = listen_loopback(&port);
    snprintf(where, sizeof where, "127.0.0.1:%u", port);
    const char *argv[] = {"openssl", "s_client",    "-connect", where, "-alpn",
                          "h2",      "-servername", name,       NULL};
    pid_t client = program_start(&(struct program){.argv = argv});
    int socket = accept_from(listener);
    receive_exactly(socket, hello->bytes, 5);
    hello->length = 5 + ((size_t)hello->bytes[3] << 8 | hello->bytes[4]);
    ck_assert_uint_lt(hello->length, sizeof hello->bytes);
    receive_exactly(socket, hello->bytes + 5, hello->length - 5);
    close(socket);
    close(listener);
    kill(client, SIGKILL);
    wait_gone(client);
    return true;
}

/* Each byte alone, as far as the kernel lets us say so. */
static void send_pieces(int socket, const void *bytes, size_t length)
{
    const int yes = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    for (size_t i = 0; i < length; i++) {
        send_all(socket, (const char *)bytes + i, 1);
    }
}

/* The server gets exactly what the client has said, and the session works on. */
static void arrives(const struct stand *stand, int server, int client, const void *bytes,
                    size_t length)
{
    char got[sizeof(struct bytes)];
    struct session session = {.client = client, .server = accept_from(stand->servers[server])};
    receive_exactly(session.server, got, length);
    ck_assert_mem_eq(got, bytes, length);
    session_works(&session);
    session_close(&session);
}

START_TEST(hellos_in_pieces_find_their_backend)
{
    struct bytes hellos[2];
    if (!record_hello("WWW.one.example", &hellos[0]) || !record_hello("two.example", &hellos[1])) {
        skip_test("no openssl");
    }
    struct stand stand;
    stand_start(&stand, "route = sni:*.one.example one\nroute = sni:two.example alpn:h2 two\n"
                        "backend = three\n");
    for (unsigned i = 0; i < scaled(20, 4); i++) {
        int server = i % 2;
        int client = connect_to(&stand.front);
        send_pieces(client, hellos[server].bytes, hellos[server].length);
        arrives(&stand, server, client, hellos[server].bytes, hellos[server].length);
        client = connect_to(&stand.front);
        send_all(client, hellos[server].bytes, hellos[server].length);
        arrives(&stand, server, client, hellos[server].bytes, hellos[server].length);
        client = connect_to(&stand.front);
        send_all(client, "\x16\x03\x03\xff\xff", 5);
        arrives(&stand, 2, client, "\x16\x03\x03\xff\xff", 5);
    }
    proxy_stop(&stand.proxy);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " sni=www.one.example end=done"), 0);
}
END_TEST

START_TEST(who_is_not_routed_is_reset)
{
    struct stand stand;
    struct outcome outcome;
    stand_start(&stand, "route = begins:bad reject\nroute = begins:good one\n"
                        "inspect-timeout = 100ms\n");
    int client = connect_to(&stand.front);
    send_all(client, "badly", 5);
    expect_reset(client);
    close(client);
    client = connect_to(&stand.front);
    send_all(client, "ugly", 4);
    expect_reset(client);
    close(client);
    client = connect_to(&stand.front);
    send_all(client, "goo", 3);
    expect_reset(client);
    close(client);
    client = connect_to(&stand.front);
    send_all(client, "good", 4);
    arrives(&stand, 0, client, "good", 4);
    ck_assert_int_eq(proxy_command(&stand.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "\"route\": 3") || strstr(outcome.out, "\"route\":3"), "%s",
                  outcome.out);
    proxy_stop(&stand.proxy);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " server=-/- "), 3);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " end=denied"), 1);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " end=no-route"), 1);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " end=inspect-timeout"), 1);
}
END_TEST

/* The server of a protocol in which the server speaks first. */
START_TEST(silent_clients_have_a_backend)
{
    struct stand stand;
    char greeting[5];
    stand_start(&stand, "route = tls:yes one\nroute = silent two\nbackend = three\n"
                        "inspect-timeout = 50ms\n");
    int client = connect_to(&stand.front);
    int server = accept_from(stand.servers[1]);
    send_all(server, "220 x", 5);
    receive_exactly(client, greeting, 5);
    struct session session = {.client = client, .server = server};
    session_works(&session);
    session_close(&session);
    client = connect_to(&stand.front);
    shutdown(client, SHUT_WR); /* nothing will come */
    server = accept_from(stand.servers[1]);
    expect_eof(server);
    close(server);
    expect_eof(client);
    close(client);
    proxy_stop(&stand.proxy);
}
END_TEST

/* --- one port for everything -------------------------------------------------------------------
 */

static const char *nginx_program(void)
{
    return program_exists("nginx")             ? "nginx"
           : program_exists("/usr/sbin/nginx") ? "/usr/sbin/nginx"
                                               : NULL;
}

static void make_certificate(char certificate[static PATH_MAX], char key[static PATH_MAX])
{
    struct outcome outcome;
    test_path(certificate, "certificate.pem");
    test_path(key, "key.pem");
    run(&outcome, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=example.org", "-out",
        certificate, "-keyout", key, NULL);
    ck_assert_msg(outcome.code == 0, "openssl req: %s%s", outcome.out, outcome.err);
}

/* Web servers on three ports, each of which answers with its name: two with TLS, one without.
 * Returns when nginx listens: it writes its pid file after that. */
static void web_start(const uint16_t ports[static 3])
{
    char file[PATH_MAX], log[PATH_MAX], pid[PATH_MAX], certificate[PATH_MAX], key[PATH_MAX];
    const char *folder = test_directory();
    make_certificate(certificate, key);
    test_path(file, "nginx.conf");
    test_path(log, "nginx-error.log");
    write_file(file, 0644,
               "daemon off; master_process off; pid %s/nginx.pid; error_log %s;\n"
               "events {}\nhttp { access_log off; client_body_temp_path %s/body;\n"
               "proxy_temp_path %s/p; fastcgi_temp_path %s/f; uwsgi_temp_path %s/u;\n"
               "scgi_temp_path %s/s; ssl_certificate %s; ssl_certificate_key %s;\n"
               "server { listen 127.0.0.1:%u ssl; location / { return 200 \"first\"; } }\n"
               "server { listen 127.0.0.1:%u ssl http2; location / { return 200 \"second\"; } }\n"
               "server { listen 127.0.0.1:%u; location / { return 200 \"plain\"; } } }\n",
               folder, log, folder, folder, folder, folder, folder, certificate, key, ports[0],
               ports[1], ports[2]);
    const char *argv[] = {nginx_program(), "-c", file, NULL};
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_file(test_path(pid, "nginx.pid"));
}

/* What curl gets from the URL through the proxy. */
static void fetch(uint16_t port, const char *url, const char *expected)
{
    char to[64];
    struct outcome outcome;
    snprintf(to, sizeof to, "::127.0.0.1:%u", port);
    run(&outcome, "curl", "-s", "-S", "-k", "--noproxy", "*", "--connect-to", to, url, NULL);
    ck_assert_msg(outcome.code == 0 && strcmp(outcome.out, expected) == 0, "%s: %d %s%s", url,
                  outcome.code, outcome.out, outcome.err);
}

/* s_client shows the certificate, and what the server has chosen of h2. */
static void connect_by_openssl(uint16_t port, const char *name, const char *expected)
{
    char to[32];
    struct outcome outcome;
    snprintf(to, sizeof to, "127.0.0.1:%u", port);
    run(&outcome, "openssl", "s_client", "-connect", to, "-servername", name, "-alpn",
        "h2,http/1.1", NULL);
    ck_assert_msg(strstr(outcome.out, expected) != NULL, "%s: %s%s", name, outcome.out,
                  outcome.err);
}

static void browse(uint16_t port, const char *url, const char *expected)
{
    char rules[96], data[PATH_MAX + 24], folder[PATH_MAX];
    struct outcome outcome;
    if (!program_exists("chromium")) {
        printf("     no chromium\n");
        return;
    }
    snprintf(rules, sizeof rules, "--host-resolver-rules=MAP * 127.0.0.1:%u", port);
    snprintf(data, sizeof data, "--user-data-dir=%s", test_path(folder, "chromium"));
    run(&outcome, "chromium", "--headless", "--no-sandbox", "--disable-gpu",
        "--ignore-certificate-errors", data, rules, "--dump-dom", url, NULL);
    ck_assert_msg(strstr(outcome.out, expected) != NULL, "%s: %s", url, outcome.out);
}

static void log_in_by_ssh(const char *port, const char *key, const char *expected)
{
    char file[PATH_MAX];
    struct outcome outcome;
    write_file(test_path(file, "ssh.conf"), 0600,
               "IdentityFile %s\nIdentitiesOnly yes\nBatchMode yes\nLogLevel ERROR\n"
               "NoHostAuthenticationForLocalhost yes\n",
               key);
    run(&outcome, "ssh", "-F", file, "-p", port, "127.0.0.1", "echo", expected, NULL);
    ck_assert_msg(outcome.code == 0 && strstr(outcome.out, expected) != NULL, "ssh: %d %s%s",
                  outcome.code, outcome.out, outcome.err);
}

/* TLS by name and protocol, HTTP by host, SSH, and clients that say nothing. */
START_TEST(one_port_for_all_protocols)
{
    if (!nginx_program() || !program_exists("curl") || !program_exists("openssl") ||
        !program_exists("/usr/sbin/sshd") || !program_exists("ssh")) {
        skip_test("no nginx, curl, openssl or OpenSSH");
    }
    struct proxy proxy;
    uint16_t web[3], mail_port, port = port_reserve(getuid());
    char ssh_port[8], front[8], key[PATH_MAX], greeting[3];
    for (int i = 0; i < 3; i++) {
        web[i] = port_reserve(getuid());
    }
    web_start(web);
    free_port(ssh_port);
    ssh_key_make(test_path(key, "user_key"));
    pid_t sshd = sshd_start(ssh_port, key);
    int mail = listen_loopback(&mail_port);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "route = sni:first.example first\nroute = sni:*.second.example alpn:h2 second\n"
                    "route = tls:yes first\nroute = host:plain.example,127.0.0.1 plain\n"
                    "route = begins:SSH- ssh\nroute = silent mail\nbackend = reject\n"
                    "inspect-timeout = 1s\n"
                    "[backend first]\nserver = a 127.0.0.1:%u\n"
                    "[backend second]\nserver = a 127.0.0.1:%u\n"
                    "[backend plain]\nserver = a 127.0.0.1:%u\n"
                    "[backend ssh]\nserver = a 127.0.0.1:%s\n"
                    "[backend mail]\nserver = a 127.0.0.1:%u\n",
                    port, web[0], web[1], web[2], ssh_port, mail_port);
    proxy_start(&proxy);
    snprintf(front, sizeof front, "%u", port);
    for (unsigned i = 0; i < scaled(5, 2); i++) {
        fetch(port, "https://first.example/", "first");
        fetch(port, "https://www.second.example/", "second");
        fetch(port, "https://other.example/", "first");
        fetch(port, "https://127.0.0.1/", "first"); /* a hello without a name */
        fetch(port, "http://plain.example/", "plain");
        connect_by_openssl(port, "a.second.example", "ALPN protocol: h2");
        connect_by_openssl(port, "first.example", "ALPN protocol: http/1.1");
        log_in_by_ssh(front, key, "logged-in");
        const struct endpoint where = endpoint_loopback(port);
        int client = connect_to(&where);
        int server = accept_from(mail);
        send_all(server, "220", 3);
        receive_exactly(client, greeting, 3);
        close(client);
        close(server);
        proxy_reload(&proxy);
    }
    browse(port, "https://www.second.example/", "second");
    browse(port, "https://first.example/", "first");
    proxy_stop(&proxy);
    ck_assert_uint_eq(file_mentions(proxy.log, "end=refused"), 0);
    daemon_end(sshd, SIGTERM);
}
END_TEST

/* --- maps ------------------------------------------------------------------------------------ */

enum { NAMES = 100000 };

/* Each third name is of the backend three, and so on; `extra` is a further line. */
static void write_map(const char *path, const char *extra)
{
    FILE *file = fopen(path, "we");
    ck_assert_ptr_nonnull(file);
    for (unsigned i = 0; i < NAMES; i++) {
        fprintf(file, "%sc%u.example.org %s\n", i % 2 ? "*." : "", i, server_names[i % SERVERS]);
    }
    fputs(extra, file);
    ck_assert_int_eq(fclose(file), 0);
}

static void ask_for(const struct stand *stand, const char *host, int server)
{
    char request[256];
    int length = snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
    int client = connect_to(&stand->front);
    send_all(client, request, (size_t)length);
    arrives(stand, server, client, request, (size_t)length);
}

/* A reload with a broken map is refused with the line, and the old process serves on with the map
 * that it has. */
START_TEST(a_map_of_many_names)
{
    struct stand stand;
    struct outcome outcome;
    char map[PATH_MAX], expected[PATH_MAX + 64];
    write_map(test_path(map, "names.map"), "");
    stand_start(&stand, "route = host-map:names.map\nbackend = reject\n");
    for (unsigned i = 0; i < NAMES; i += 6007) {
        char host[64];
        snprintf(host, sizeof host, "%sC%u.example.org", i % 2 ? "www." : "", i);
        ask_for(&stand, host, (int)(i % SERVERS));
    }
    write_map(map, "new.example.org four\n");
    int code = proxy_command(&stand.proxy, &outcome, "reload", NULL);
    snprintf(expected, sizeof expected, "%s:%u: 'new.example.org four' names a backend", map,
             NAMES + 1);
    ck_assert_msg(code == 2 && strstr(outcome.err, expected), "%d: %s", code, outcome.err);
    ask_for(&stand, "c0.example.org", 0);
    ck_assert_int_eq(unlink(map), 0);
    code = proxy_command(&stand.proxy, &outcome, "reload", NULL);
    ck_assert_msg(code == 2 && strstr(outcome.err, "names.map: No such file"), "%d: %s", code,
                  outcome.err);
    ask_for(&stand, "c4.example.org", 1);
    write_map(map, "new.example.org three\n");
    proxy_reload(&stand.proxy);
    ask_for(&stand, "new.example.org", 2);
    ask_for(&stand, "c0.example.org", 0);
    proxy_stop(&stand.proxy);
}
END_TEST

/* --- reloads --------------------------------------------------------------------------------- */

/* Sessions of a route move, and those that are looked at stay until the old process has chosen
 * their backend; then they move as well. */
START_TEST(sessions_of_routes_survive_reloads)
{
    struct stand stand;
    struct session routed[SERVERS];
    int looked_at[SERVERS], i;
    stand_init(&stand);
    stand_configure(&stand, "route = begins:one one\nroute = begins:two two\nbackend = three\n"
                            "inspect-timeout = 1h\n");
    proxy_start(&stand.proxy);
    for (i = 0; i < SERVERS; i++) {
        char word[8];
        routed[i].client = connect_to(&stand.front);
        send_all(routed[i].client, server_names[i], 3);
        routed[i].server = accept_from(stand.servers[i]);
        receive_exactly(routed[i].server, word, 3);
    }
    for (unsigned reload = 0; reload < scaled(5, 2); reload++) {
        for (i = 0; i < 2; i++) {
            looked_at[i] = connect_to(&stand.front);
            send_all(looked_at[i], server_names[i], 1);
        }
        /* The proxy has both when a later client is through. */
        int later = connect_to(&stand.front);
        send_all(later, "later", 5);
        arrives(&stand, 2, later, "later", 5);
        proxy_reload(&stand.proxy);
        for (i = 0; i < SERVERS; i++) {
            session_works(&routed[i]);
        }
        for (i = 0; i < 2; i++) {
            send_all(looked_at[i], server_names[i] + 1, 2);
            arrives(&stand, i, looked_at[i], server_names[i], 3);
        }
        proxy_wait_drained(&stand.proxy);
        for (i = 0; i < SERVERS; i++) {
            session_works(&routed[i]);
        }
    }
    /* Without its route and backend a session is kept all the same. */
    proxy_configure(&stand.proxy,
                    "[frontend main]\nbind = 127.0.0.1:%u\nbackend = three\naccess-log = yes\n"
                    "[backend three]\nserver = a 127.0.0.1:%u\n",
                    stand.port, stand.server_ports[2]);
    proxy_reload(&stand.proxy);
    proxy_wait_drained(&stand.proxy);
    for (i = 0; i < SERVERS; i++) {
        session_works(&routed[i]);
        session_close(&routed[i]);
    }
    proxy_stop(&stand.proxy);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " server=one/a "), 0);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " server=two/a "), 0);
}
END_TEST

START_TEST(a_stop_ends_clients_that_are_looked_at)
{
    struct stand stand;
    struct outcome outcome;
    stand_start(&stand, "route = sni:x one\nbackend = two\ninspect-timeout = 1h\n"
                        "stop-timeout = 10ms\n");
    int client = connect_to(&stand.front);
    send_all(client, "\x16", 1);
    int later = connect_to(&stand.front);
    send_all(later, "later", 5);
    arrives(&stand, 1, later, "later", 5);
    pid_t pid = stand.proxy.pid;
    int code = proxy_command(&stand.proxy, &outcome, "stop", NULL);
    ck_assert_msg(code == 6, "%d: %s", code, outcome.err); /* one was cut */
    expect_reset(client);
    wait_gone(pid);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " end=stopped"), 1);
}
END_TEST

/* --- strangers ------------------------------------------------------------------------------- */

/* Threads that connect, say random bytes, and are gone. */
struct strangers {
    struct endpoint front;
    atomic_bool stop;
    atomic_ulong count;
    pthread_t threads[2];
};

static void *annoy(void *arg)
{
    struct strangers *strangers = arg;
    unsigned seed = (unsigned)atomic_load(&strangers->count) + 7;
    while (!atomic_load(&strangers->stop)) {
        unsigned char bytes[512];
        int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        const struct linger reset = {.l_onoff = 1};
        for (size_t i = 0; i < sizeof bytes; i++) {
            bytes[i] = (unsigned char)rand_r(&seed);
        }
        if (rand_r(&seed) % 2) {
            memcpy(bytes, "\x16\x03\x01\x01\xfb\x01\x00\x01\xf7\x03\x03", 11);
        }
        setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
        if (client >= 0 && connect(client, &strangers->front.any, strangers->front.length) == 0) {
            (void)!send(client, bytes, sizeof bytes, MSG_NOSIGNAL);
        }
        close(client);
        atomic_fetch_add(&strangers->count, 1);
    }
    return NULL;
}

static int by_time(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Good clients one after another; prints how long they took. */
static void measure(const struct stand *stand, const struct bytes *hello, const char *what)
{
    enum { CLIENTS = 2000 };
    static double times[CLIENTS];
    unsigned count = scaled(CLIENTS, 100);
    for (unsigned i = 0; i < count; i++) {
        char answer[8192];
        double begin = now_us();
        int client = connect_to(&stand->front);
        send_all(client, hello->bytes, hello->length);
        receive_exactly(client, answer, hello->length);
        times[i] = now_us() - begin;
        ck_assert_mem_eq(answer, hello->bytes, hello->length);
        close(client);
    }
    qsort(times, count, sizeof *times, by_time);
    printf("     %s: half of the good clients within %.0f us, 99%% within %.0f us\n", what,
           times[count / 2], times[count * 99 / 100]);
}

/* An echo of the hello through the right backend each time; the figures are for the reader. */
START_TEST(strangers_beside_good_clients)
{
    struct bytes hello;
    if (!record_hello("good.example", &hello)) {
        skip_test("no openssl");
    }
    struct stand stand;
    stand_init(&stand);
    struct strangers strangers = {.front = stand.front};
    struct origin *origin = origin_start(ORIGIN_ECHO);
    close(stand.servers[0]);
    stand.server_ports[0] = origin_port(origin);
    proxy_configure(&stand.proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u\n"
                    "route = sni:*.example one\nbackend = reject\ninspect-timeout = 1s\n"
                    "[backend one]\nserver = a 127.0.0.1:%u\n",
                    stand.port, stand.server_ports[0]);
    proxy_start(&stand.proxy);
    measure(&stand, &hello, "alone");
    for (int i = 0; i < 2; i++) {
        pthread_create(&strangers.threads[i], NULL, annoy, &strangers);
    }
    double begin = now_us();
    measure(&stand, &hello, "beside strangers");
    double seconds = (now_us() - begin) / 1e6;
    printf("     %.0f strangers a second\n", (double)atomic_load(&strangers.count) / seconds);
    atomic_store(&strangers.stop, true);
    for (int i = 0; i < 2; i++) {
        pthread_join(strangers.threads[i], NULL);
    }
    measure(&stand, &hello, "alone again");
    proxy_stop(&stand.proxy);
}
END_TEST

/* --- whatever name the client asks for ------------------------------------------------------- */

/* Names below "localhost" are this machine without a name server (RFC 6761). */
START_TEST(a_server_is_the_name_that_is_asked_for)
{
    struct bytes hellos[3];
    if (!record_hello("a.localhost", &hellos[0]) || !record_hello("b.example", &hellos[1]) ||
        !record_hello("loop.localhost", &hellos[2])) {
        skip_test("no openssl");
    }
    struct stand stand;
    stand_init(&stand);
    proxy_configure(&stand.proxy,
                    "workers = 2\nlog-level = debug\n"
                    "[frontend main]\nbind = 0.0.0.0:%u\naccess-log = yes\n"
                    "route = sni:loop.localhost loop\nbackend = any\n"
                    "[backend any]\nserver = any sni:%u allow=*.localhost\n"
                    "[backend loop]\nserver = any sni:%u allow=*\n",
                    stand.port, stand.server_ports[0], stand.port);
    proxy_start(&stand.proxy);
    for (unsigned i = 0; i < scaled(20, 4); i++) {
        int client = connect_to(&stand.front);
        send_pieces(client, hellos[0].bytes, hellos[0].length);
        arrives(&stand, 0, client, hellos[0].bytes, hellos[0].length);
        if (i % 2 == 0) {
            proxy_reload(&stand.proxy);
        }
    }
    for (int i = 1; i < 3; i++) {
        int client = connect_to(&stand.front);
        send_all(client, hellos[i].bytes, hellos[i].length);
        expect_reset(client);
        close(client);
    }
    int client = connect_to(&stand.front);
    send_all(client, "no TLS", 6);
    expect_reset(client);
    close(client);
    proxy_stop(&stand.proxy);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " sni=b.example end=not-allowed"), 1);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " sni=loop.localhost end=not-allowed"), 1);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " end=no-route"), 1);
}
END_TEST

/* --- names from a name server ---------------------------------------------------------------- */

/* dnsmasq, which knows the names of `records` (options of dnsmasq) and nothing else. */
static pid_t dnsmasq_start(uint16_t port, const char *records)
{
    char file[PATH_MAX], log[PATH_MAX];
    write_file(test_path(file, "dnsmasq.conf"), 0644,
               "keep-in-foreground\nport=%u\nlisten-address=127.0.0.1\nbind-interfaces\n"
               "no-resolv\nno-hosts\nlog-facility=-\nlocal-ttl=0\nlocal=/example/\n"
               "pid-file=%s/dnsmasq.pid\nuser=\n%s",
               port, test_directory(), records);
    unlink(test_path(log, "dnsmasq.log")); /* of an earlier one */
    const char *argv[] = {"dnsmasq", "-C", file, NULL};
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "started");
    return server;
}

/* A name with a dead address before the one that answers, one without an address, one that is not
 * there, and an address that changes; then no name server at all. */
START_TEST(names_come_from_the_name_server)
{
    struct bytes hello[4];
    static const char *const names[] = {"two.example", "none.example", "moves.example",
                                        "self.example"};
    if (!program_exists("dnsmasq") && !program_exists("/usr/sbin/dnsmasq")) {
        skip_test("no dnsmasq");
    }
    for (int i = 0; i < 4; i++) {
        if (!record_hello(names[i], &hello[i])) {
            skip_test("no openssl");
        }
    }
    struct stand stand;
    stand_init(&stand);
    uint16_t dns = port_reserve(getuid());
    pid_t server = dnsmasq_start(dns, "host-record=two.example,127.0.0.9\n"
                                      "host-record=two.example,127.0.0.1\n"
                                      "host-record=moves.example,127.0.0.9\n"
                                      "host-record=self.example,127.0.0.1\n");
    proxy_configure(&stand.proxy,
                    "workers = 2\nresolver = 127.0.0.1:%u\nresolve-min = 10ms\n"
                    "[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "route = sni:self.example self\nbackend = any\n"
                    "[backend any]\nserver = any sni:%u allow=*.example\nretries = 1\n"
                    "[backend self]\nserver = any sni:%u allow=*.example\n",
                    dns, stand.port, stand.server_ports[0], stand.port);
    proxy_start(&stand.proxy);
    int client = connect_to(&stand.front);
    send_all(client, hello[0].bytes, hello[0].length);
    arrives(&stand, 0, client, hello[0].bytes, hello[0].length);
    for (int i = 1; i < 4; i++) {
        client = connect_to(&stand.front);
        send_all(client, hello[i].bytes, hello[i].length);
        expect_reset(client);
        close(client);
    }
    daemon_end(server, SIGKILL);
    server = dnsmasq_start(dns, "host-record=moves.example,127.0.0.1\n");
    client = connect_to(&stand.front);
    send_all(client, hello[2].bytes, hello[2].length);
    arrives(&stand, 0, client, hello[2].bytes, hello[2].length);
    daemon_end(server, SIGKILL);
    /* Nobody answers any more: what is known is held. */
    client = connect_to(&stand.front);
    send_all(client, hello[2].bytes, hello[2].length);
    arrives(&stand, 0, client, hello[2].bytes, hello[2].length);
    client = connect_to(&stand.front);
    send_all(client, hello[1].bytes, hello[1].length);
    expect_reset(client);
    close(client);
    proxy_stop(&stand.proxy);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " sni=none.example end=unresolved"), 2);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " sni=moves.example end=refused"), 1);
    ck_assert_uint_eq(file_mentions(stand.proxy.log, " sni=self.example end=not-allowed"), 1);
}
END_TEST

/* A name server that says nothing. Returns its socket. */
static int mute_name_server(uint16_t *port)
{
    struct endpoint where = endpoint_loopback(0);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(fd, &where.any, where.length), 0);
    ck_assert_int_eq(getsockname(fd, &where.any, &where.length), 0);
    *port = ntohs(where.in.sin_port);
    return fd;
}

static bool has_no_session(void *proxy)
{
    struct status status;
    return proxy_status(proxy, &status) && status.sessions == 0;
}

/* They leave no trace, and keep nobody waiting. The answer that comes too late, or never, finds no
 * session. */
START_TEST(clients_leave_while_their_name_is_asked_for)
{
    struct bytes hello;
    char question[512];
    if (!record_hello("slow.example", &hello)) {
        skip_test("no openssl");
    }
    struct stand stand;
    uint16_t dns;
    int name_server = mute_name_server(&dns);
    stand_init(&stand);
    proxy_configure(&stand.proxy,
                    "workers = 2\nresolver = 127.0.0.1:%u\nresolve-timeout = 100ms\n"
                    "stop-timeout = 10ms\n"
                    "[frontend main]\nbind = 127.0.0.1:%u\naccess-log = yes\n"
                    "route = tls:yes any\nbackend = two\n"
                    "[backend any]\nserver = any sni:%u allow=*.example\n"
                    "[backend two]\nserver = a 127.0.0.1:%u\n",
                    dns, stand.port, stand.server_ports[0], stand.server_ports[1]);
    proxy_start(&stand.proxy);
    for (unsigned i = 0; i < scaled(20, 5); i++) {
        int client = connect_to(&stand.front);
        send_all(client, hello.bytes, hello.length);
        ck_assert(readable_within(name_server, PATIENCE_MS));
        int other = connect_to(&stand.front);
        send_all(other, "other", 5);
        arrives(&stand, 1, other, "other", 5);
        send_reset(client);
        wait_until(has_no_session, &stand.proxy, "the client is gone");
        /* The next name is asked for when this one has got no answer. */
        client = connect_to(&stand.front);
        send_all(client, hello.bytes, hello.length);
        expect_reset(client);
        close(client);
        while (recv(name_server, question, sizeof question, MSG_DONTWAIT) > 0) {
        }
        proxy_reload(&stand.proxy); /* what is known of the name is forgotten */
    }
    proxy_stop(&stand.proxy);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " sni=slow.example end=client-reset"), 0);
    ck_assert_uint_gt(file_mentions(stand.proxy.log, " sni=slow.example end=unresolved"), 0);
}
END_TEST

Suite *routes_suite(void)
{
    Suite *suite = suite_create("routes");
    scenario_add(suite, hellos_in_pieces_find_their_backend, 120);
    scenario_add(suite, who_is_not_routed_is_reset, 120);
    scenario_add(suite, silent_clients_have_a_backend, 120);
    scenario_add(suite, one_port_for_all_protocols, 600);
    scenario_add(suite, a_map_of_many_names, 300);
    scenario_add(suite, sessions_of_routes_survive_reloads, 300);
    scenario_add(suite, a_stop_ends_clients_that_are_looked_at, 120);
    scenario_add(suite, strangers_beside_good_clients, 300);
    scenario_add(suite, a_server_is_the_name_that_is_asked_for, 300);
    scenario_add(suite, names_come_from_the_name_server, 300);
    scenario_add(suite, clients_leave_while_their_name_is_asked_for, 300);
    return suite;
}
