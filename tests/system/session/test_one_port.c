/* Real clients of TLS, HTTP and SSH on one port, and strangers beside good clients. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/hello.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/proxy.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

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
    const char *argv[] = {"chromium",
                          "--headless",
                          "--no-sandbox",
                          "--disable-gpu",
                          "--ignore-certificate-errors",
                          data,
                          rules,
                          "--dump-dom",
                          url,
                          NULL};
    program_run(&(struct program){.argv = argv, .family = true}, PATIENCE_MS, &outcome);
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
                    "inspect-timeout = 4s\n"
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

/* --- strangers ------------------------------------------------------------------------------- */

enum { STRANGER_THREADS = 2, STRANGERS_PER_SECOND = 10000 };

/* Threads that connect, say random bytes, and are gone. */
struct strangers {
    struct endpoint front;
    atomic_bool stop;
    atomic_ulong count, reset;
    pthread_t threads[STRANGER_THREADS];
    double began;
};

static double now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec * 1e6 + (double)now.tv_nsec / 1e3;
}

/* Half of them begin like a hello, and leave; the others are reset for what they say. */
static void annoy_once(struct strangers *strangers, unsigned *seed)
{
    unsigned char bytes[512];
    const struct linger reset = {.l_onoff = 1};
    const struct timeval patience = {.tv_sec = PATIENCE_MS / 1000};
    bool like_hello = rand_r(seed) % 2;
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (unsigned char)rand_r(seed);
    }
    if (like_hello) {
        memcpy(bytes, "\x16\x03\x01\x01\xfb\x01\x00\x01\xf7\x03\x03", 11);
    }
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    setsockopt(client, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    setsockopt(client, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
    if (connect(client, &strangers->front.any, strangers->front.length) == 0 &&
        send(client, bytes, sizeof bytes, MSG_NOSIGNAL) == sizeof bytes && !like_hello &&
        recv(client, bytes, 1, 0) < 0 && errno == ECONNRESET) {
        atomic_fetch_add(&strangers->reset, 1);
    }
    close(client);
    atomic_fetch_add(&strangers->count, 1);
}

static void *annoy(void *arg)
{
    struct strangers *strangers = arg;
    unsigned seed = (unsigned)(uint64_t)now_us();
    const double each = 1e6 * STRANGER_THREADS / STRANGERS_PER_SECOND;
    for (double next = now_us(); !atomic_load(&strangers->stop); next += each) {
        double early = next - now_us();
        if (early > 0) {
            usleep((useconds_t)early);
        }
        annoy_once(strangers, &seed);
    }
    return NULL;
}

static void strangers_come(struct strangers *strangers, uint16_t port)
{
    *strangers = (struct strangers){.front = endpoint_loopback(port), .began = now_us()};
    for (int i = 0; i < STRANGER_THREADS; i++) {
        pthread_create(&strangers->threads[i], NULL, annoy, strangers);
    }
}

static bool one_was_reset(void *arg)
{
    struct strangers *strangers = arg;
    return atomic_load(&strangers->reset) > 0;
}

static void strangers_go(struct strangers *strangers)
{
    wait_until(one_was_reset, strangers, "a stranger is reset");
    atomic_store(&strangers->stop, true);
    for (int i = 0; i < STRANGER_THREADS; i++) {
        pthread_join(strangers->threads[i], NULL);
    }
    printf("     %.0f strangers a second\n",
           (double)atomic_load(&strangers->count) * 1e6 / (now_us() - strangers->began));
}

static int by_time(const void *left, const void *right)
{
    double a = *(const double *)left, b = *(const double *)right;
    return a < b ? -1 : a > b;
}

/* Good clients one after another; prints how long they took. */
static void measure(const struct endpoint *front, const struct bytes *hello, const char *what)
{
    enum { CLIENTS = 2000 };
    static double times[CLIENTS];
    unsigned count = scaled(CLIENTS, 100);
    for (unsigned i = 0; i < count; i++) {
        char answer[8192];
        double begin = now_us();
        int client = connect_to(front);
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

static void start_before_echo(struct proxy *proxy, const char *name, uint16_t port,
                              const struct origin *origin)
{
    proxy_init(proxy, name);
    proxy_configure(proxy,
                    "workers = 2\n[frontend main]\nbind = 127.0.0.1:%u\n"
                    "route = sni:*.example one\nbackend = reject\ninspect-timeout = 1s\n"
                    "[backend one]\nserver = a 127.0.0.1:%u\n",
                    port, origin_port(origin));
    proxy_start(proxy);
}

/* An echo of the hello each time. The figures are for the reader: what strangers of another proxy
 * cost is the noise of the machine. */
START_TEST(strangers_beside_good_clients)
{
    static struct strangers strangers;
    struct bytes hello;
    struct proxy proxy, other;
    if (!record_hello("good.example", &hello)) {
        skip_test("no openssl");
    }
    struct origin *origin = origin_start(ORIGIN_ECHO);
    uint16_t port = port_reserve(getuid()), other_port = port_reserve(getuid());
    const struct endpoint front = endpoint_loopback(port);
    start_before_echo(&proxy, "proxy", port, origin);
    start_before_echo(&other, "other", other_port, origin);
    measure(&front, &hello, "alone");
    strangers_come(&strangers, other_port);
    measure(&front, &hello, "beside strangers of another proxy");
    strangers_go(&strangers);
    strangers_come(&strangers, port);
    measure(&front, &hello, "beside strangers of this one");
    strangers_go(&strangers);
    proxy_stop(&other);
    proxy_stop(&proxy);
}
END_TEST

Suite *one_port_suite(void)
{
    Suite *suite = suite_create("one_port");
    scenario_add(suite, one_port_for_all_protocols, 600);
    scenario_add(suite, strangers_beside_good_clients, 300);
    return suite;
}
