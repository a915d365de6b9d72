/* Real clients of a proxy that ends TLS, and real servers that it speaks TLS with. MQTT, IMAP,
 * LDAP, DNS and PostgreSQL are in the examples' tests. */
#include "tests/system/scenarios.h"
#include "tests/system/support/authority.h"
#include "tests/system/support/net.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/proxy.h"

#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const char python[] = "/usr/bin/python3";

/* --- commands -------------------------------------------------------------------------------- */

/* Runs a command of the shell in the test's directory. */
static void attempt(struct outcome *outcome, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void attempt(struct outcome *outcome, const char *format, va_list arguments)
{
    char command[1024], whole[PATH_MAX + 1024];
    int length = vsnprintf(command, sizeof command, format, arguments);
    ck_assert_int_lt(length, (int)sizeof command);
    snprintf(whole, sizeof whole, "cd %s && %s", test_directory(), command);
    const char *argv[] = {"sh", "-c", whole, NULL};
    program_run(&(struct program){.argv = argv, .family = true}, PATIENCE_MS, outcome);
}

/* It succeeds, and its output has `answer`. */
static void expect(const char *answer, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static void expect(const char *answer, const char *format, ...)
{
    struct outcome outcome;
    va_list arguments;
    va_start(arguments, format);
    attempt(&outcome, format, arguments);
    va_end(arguments);
    ck_assert_msg(outcome.code == 0 && strstr(outcome.out, answer),
                  "%s: exit status %d, '%s' without '%s', %s", format, outcome.code, outcome.out,
                  answer, outcome.err);
}

/* It fails, and the log of the proxy says why. */
static void expect_refusal(const struct proxy *proxy, const char *reason, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static void expect_refusal(const struct proxy *proxy, const char *reason, const char *format, ...)
{
    struct outcome outcome;
    va_list arguments;
    unsigned before = file_mentions(proxy->log, reason);
    va_start(arguments, format);
    attempt(&outcome, format, arguments);
    va_end(arguments);
    ck_assert_msg(outcome.code != 0, "%s: %s", format, outcome.out);
    int64_t begin = now_ms();
    while (file_mentions(proxy->log, reason) == before) {
        ck_assert_msg(now_ms() - begin < PATIENCE_MS, "%s: no '%s' in the log; %s", format, reason,
                      outcome.err);
        usleep(5000);
    }
}

static bool missing(const char *program)
{
    bool is_missing = !program_exists(program);
    if (is_missing) {
        printf("     no %s\n", program);
    }
    return is_missing;
}

/* --- clients --------------------------------------------------------------------------------- */

struct web {
    struct proxy proxy;
    unsigned port, plain, h2; /* of the proxy; of nginx, for HTTP/1.1 and for h2 */
};

/* A proxy that ends TLS in front of nginx, which has none, and tells the protocol. */
static void web_start(struct web *web, const char *keys)
{
    char sections[512];
    web->port = port_reserve(getuid());
    web->plain = port_reserve(getuid());
    web->h2 = port_reserve(getuid());
    snprintf(sections, sizeof sections,
             "http {\n access_log off;\n server {\n  listen 127.0.0.1:%u;\n"
             "  listen 127.0.0.1:%u http2;\n"
             "  location / { return 200 \"by $server_protocol\\n\"; }\n }\n}\n",
             web->plain, web->h2);
    nginx_start(sections);
    authority_make("ca");
    authority_make("other");
    authority_issue("ca", "a.pem", "a", "DNS:a.test,IP:127.0.0.1", false);
    proxy_init(&web->proxy, "proxy");
    proxy_configure(&web->proxy,
                    "workers = 2\n[frontend web]\nbind = 127.0.0.1:%u tls=yes\n"
                    "certificate = a.pem\ntls-alpn = h2, http/1.1\nroute = alpn:h2 h2\n"
                    "backend = plain\naccess-log = yes\n%s[backend h2]\nserver = n 127.0.0.1:%u\n"
                    "[backend plain]\nserver = n 127.0.0.1:%u\n",
                    web->port, keys, web->h2, web->plain);
    proxy_start(&web->proxy);
}

#define GET "printf 'GET / HTTP/1.0\\r\\n\\r\\n' | "
#define S_CLIENT                                                                                   \
    "openssl s_client -connect 127.0.0.1:%u -servername a.test -CAfile ca.pem "                    \
    "-verify_return_error -ign_eof "
#define CURL "curl -sSf --max-time 100 https://a.test:%u/ --resolve '*:%u:127.0.0.1' "

/* For python3 -c: the port, and then files: the authority, and a certificate with its key. */
static const char python_client[] =
    "import socket, ssl, sys\n"
    "tls = ssl.create_default_context(cafile=sys.argv[2])\n"
    "if sys.argv[3:]:\n"
    "    tls.load_cert_chain(sys.argv[3], sys.argv[3] + '.key')\n"
    "s = tls.wrap_socket(socket.create_connection(('127.0.0.1', int(sys.argv[1]))),\n"
    "                    server_hostname='a.test')\n"
    "s.sendall(b'GET / HTTP/1.0\\r\\n\\r\\n')\n"
    "print(s.version(), s.makefile('rb').read())\n";

static void write_python_client(void)
{
    char file[PATH_MAX];
    write_file(test_path(file, "client.py"), 0644, "%s", python_client);
}

static void ask_by_chromium(unsigned port)
{
    if (missing("chromium")) {
        return;
    }
    expect("by HTTP/2.0",
           "chromium --headless --no-sandbox --disable-gpu --ignore-certificate-errors "
           "--user-data-dir=chromium --host-resolver-rules='MAP * 127.0.0.1' --dump-dom "
           "https://a.test:%u/",
           port);
}

START_TEST(clients_come_in)
{
    if (!nginx_program() || !program_exists("openssl")) {
        skip_test("no nginx or openssl");
    }
    struct web web;
    web_start(&web, "");
    expect("Verification: OK", GET S_CLIENT "-tls1_2", web.port);
    expect("by HTTP/1.0", GET S_CLIENT "-tls1_3", web.port);
    expect_refusal(&web.proxy, "tls-error=\"unsupported protocol\"",
                   GET S_CLIENT "-tls1_1 -cipher ALL:@SECLEVEL=0", web.port);
    expect_refusal(&web.proxy, "tls-error=\"unsupported protocol\"",
                   GET S_CLIENT "-tls1 -cipher ALL:@SECLEVEL=0", web.port);
    if (!missing("curl")) {
        expect("by HTTP/2.0", CURL "--cacert ca.pem", web.port, web.port);
        expect("by HTTP/1.1", CURL "--cacert ca.pem --http1.1 --tls-max 1.2", web.port, web.port);
        /* Clients refuse a proxy whose certificate is wrong. Their alert may be lost behind their
         * reset. */
        expect_refusal(&web.proxy, " in=0 out=0 ", CURL "--cacert other.pem", web.port, web.port);
        expect_refusal(&web.proxy, " in=0 out=0 ",
                       "curl -sSf --cacert ca.pem https://b.test:%u --resolve '*:%u:127.0.0.1'",
                       web.port, web.port);
    }
    if (!missing("gnutls-cli")) {
        expect("by HTTP/1.0",
               GET "gnutls-cli --x509cafile ca.pem --sni-hostname a.test --verify-hostname a.test "
                   "--logfile gnutls.txt -p %u 127.0.0.1",
               web.port);
    }
    if (!missing(python)) {
        write_python_client();
        expect("by HTTP/1.0", "%s client.py %u ca.pem", python, web.port);
    }
    ask_by_chromium(web.port);
    proxy_stop(&web.proxy);
}
END_TEST

START_TEST(clients_show_certificates)
{
    if (!nginx_program() || !program_exists("openssl") || !program_exists("curl")) {
        skip_test("no nginx, openssl or curl");
    }
    struct web web;
    authority_make("devices");
    authority_issue("devices", "good.pem", "good", "DNS:good", false);
    authority_issue("devices", "old.pem", "old", "DNS:old", true);
    authority_issue("devices", "lost.pem", "lost", "DNS:lost", false);
    authority_revoke("devices", "lost.pem");
    authority_list("devices", "list.pem");
    web_start(&web, "client-ca = devices.pem\nclient-crl = list.pem\n");
    authority_issue("other", "stranger.pem", "stranger", "DNS:stranger", false);

#define WITH(name)                                                                                 \
    CURL "--cacert ca.pem --cert " name ".pem --key " name ".pem.key", web.port, web.port
    expect("by HTTP/2.0", WITH("good"));
    expect("by HTTP/2.0", CURL "--tls-max 1.2 --cacert ca.pem --cert good.pem --key good.pem.key",
           web.port, web.port);
    expect_refusal(&web.proxy, "tls-error=\"certificate has expired\"", WITH("old"));
    expect_refusal(&web.proxy, "tls-error=\"certificate revoked\"", WITH("lost"));
    expect_refusal(&web.proxy, "tls-error=\"unable to get local issuer certificate\"",
                   WITH("stranger"));
    expect_refusal(&web.proxy, "tls-error=\"peer did not return a certificate\"",
                   CURL "--cacert ca.pem", web.port, web.port);
    expect("by HTTP/1.0", GET S_CLIENT "-cert good.pem -key good.pem.key", web.port);
    if (!missing("gnutls-cli")) {
        expect("by HTTP/1.0",
               GET "gnutls-cli --x509cafile ca.pem --x509certfile good.pem "
                   "--x509keyfile good.pem.key --sni-hostname a.test --verify-hostname a.test "
                   "--logfile gnutls.txt -p %u 127.0.0.1",
               web.port);
    }
    if (!missing(python)) {
        write_python_client();
        expect("by HTTP/1.0", "%s client.py %u ca.pem good.pem", python, web.port);
    }
    proxy_stop(&web.proxy);
}
END_TEST

/* --- servers --------------------------------------------------------------------------------- */

static const struct upstream {
    const char *certificate; /* that nginx shows */
    const char *refused;     /* NULL: it is accepted */
} upstreams[] = {
    {"right.pem", NULL},
    {"late.pem", "certificate has expired"},
    {"early.pem", "certificate is not yet valid"},
    {"revoked.pem", "certificate revoked"},
    {"name.pem", "hostname mismatch"},
    {"stranger.pem", "unable to get local issuer certificate"},
};

enum { UPSTREAMS = sizeof upstreams / sizeof upstreams[0] };

/* nginx has one server for each, and a further one that asks for the proxy's certificate. */
static void start_upstreams(unsigned ports[static UPSTREAMS + 1])
{
    char sections[8192];
    int length = snprintf(sections, sizeof sections, "http {\n access_log off;\n");
    for (unsigned i = 0; i <= UPSTREAMS; i++) {
        char path[PATH_MAX];
        ports[i] = port_reserve(getuid());
        test_path(path, i < UPSTREAMS ? upstreams[i].certificate : "right.pem");
        length += snprintf(sections + length, sizeof sections - (size_t)length,
                           " server {\n  listen 127.0.0.1:%u ssl;\n  ssl_protocols TLSv1.3;\n  "
                           "ssl_certificate %s;\n"
                           "  ssl_certificate_key %s.key;\n%s%s%s"
                           "  location / { return 200 \"$ssl_protocol for $ssl_server_name, "
                           "$ssl_client_s_dn\\n\"; }\n }\n",
                           ports[i], path, path, i < UPSTREAMS ? "" : "  ssl_client_certificate ",
                           i < UPSTREAMS ? "" : test_directory(),
                           i < UPSTREAMS ? "" : "/ca.pem;\n  ssl_verify_client on;\n");
        ck_assert_int_lt(length, (int)sizeof sections - 8);
    }
    strcat(sections, "}\n");
    nginx_start(sections);
}

/* Each server that is refused is DOWN where it is checked as sessions see it; the revoked one also
 * where the check has options of its own. */
static bool checks_say_why(void *argument)
{
    struct outcome outcome;
    if (proxy_command(argument, &outcome, "status", "--json", NULL) != 0)
        return false;
    for (unsigned i = 0; i < UPSTREAMS; i++) {
        char reason[128];
        snprintf(reason, sizeof reason, "TLS: %s",
                 upstreams[i].refused ? upstreams[i].refused : "");
        if (upstreams[i].refused && !strstr(outcome.out, reason))
            return false;
    }
    const char *revoked = strstr(outcome.out, "TLS: certificate revoked");
    return strstr(revoked + 1, "TLS: certificate revoked");
}

START_TEST(servers_speak_tls)
{
    if (!nginx_program() || !program_exists("openssl") || !program_exists("curl")) {
        skip_test("no nginx, openssl or curl");
    }
    struct proxy proxy;
    char text[8192];
    unsigned ports[UPSTREAMS + 1], binds[UPSTREAMS + 1];
    int length = 0;
    static const char checked[] = "check = tls\ncheck-interval = 50ms\ncheck-initial = down\n";
    authority_make("ca");
    authority_make("other");
    authority_issue("ca", "right.pem", "right", "DNS:s.test", false);
    authority_issue("ca", "late.pem", "late", "DNS:s.test", true);
    authority_issue_between("ca", "early.pem", "early", "DNS:s.test", "20980101000000Z",
                            "20990101000000Z");
    authority_issue("ca", "revoked.pem", "revoked", "DNS:s.test", false);
    authority_issue("ca", "name.pem", "name", "DNS:t.test", false);
    authority_issue("other", "stranger.pem", "stranger", "DNS:s.test", false);
    authority_issue("ca", "own.pem", "own", "DNS:proxy.test", false);
    authority_revoke("ca", "revoked.pem");
    authority_list("ca", "list.pem");
    start_upstreams(ports);
    for (unsigned i = 0; i <= UPSTREAMS; i++) {
        binds[i] = port_reserve(getuid());
        length +=
            snprintf(text + length, sizeof text - (size_t)length,
                     "[listen l%u]\nbind = 127.0.0.1:%u\nretries = 0\n"
                     "server = a 127.0.0.1:%u tls=yes verify=ca.pem crl=list.pem sni=s.test%s\n"
                     "[backend c%u]\n%sserver = a 127.0.0.1:%u tls=yes verify=ca.pem "
                     "crl=list.pem sni=s.test\n[backend d%u]\n%scheck-verify = ca.pem\n"
                     "check-crl = list.pem\ncheck-sni = s.test\nserver = a 127.0.0.1:%u\n",
                     i, binds[i], ports[i], i < UPSTREAMS ? "" : " cert=own.pem", i, checked,
                     ports[i], i, checked, ports[i]);
        ck_assert_int_lt(length, (int)sizeof text);
    }
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy, "workers = 2\n[defaults]\naccess-log = yes\n%s", text);
    proxy_start(&proxy);
    for (unsigned i = 0; i < UPSTREAMS; i++) {
        if (upstreams[i].refused) {
            expect_refusal(&proxy, upstreams[i].refused, "curl -sSf http://127.0.0.1:%u/",
                           binds[i]);
        } else {
            expect("TLSv1.3 for s.test,", "curl -sSf http://127.0.0.1:%u/", binds[i]);
        }
    }
    expect("TLSv1.3 for s.test, CN=own", "curl -sSf http://127.0.0.1:%u/", binds[UPSTREAMS]);
    wait_until(checks_say_why, &proxy, "checks say why");
    wait_mentioned(proxy.log, "server c0/a is UP");
    wait_mentioned(proxy.log, "server d0/a is UP");
    proxy_stop(&proxy);
}
END_TEST

/* The address that is checked asks for a certificate, and not the one of the sessions. */
START_TEST(checks_show_a_certificate)
{
    char sections[4 * PATH_MAX], right[PATH_MAX], ca[PATH_MAX];
    if (!nginx_program() || !program_exists("openssl")) {
        skip_test("no nginx or openssl");
    }
    struct proxy proxy;
    const unsigned port = port_reserve(getuid()), bind = port_reserve(getuid());
    authority_make("ca");
    authority_issue("ca", "right.pem", "right", "DNS:s.test", false);
    authority_issue("ca", "own.pem", "own", "DNS:proxy.test", false);
    authority_issue("ca", "other.pem", "other", "DNS:check.test", false);
    test_path(right, "right.pem");
    test_path(ca, "ca.pem");
    snprintf(sections, sizeof sections,
             "http {\n access_log off;\n server {\n  listen 127.0.0.1:%u ssl;\n"
             "  ssl_certificate %s;\n  ssl_certificate_key %s.key;\n"
             "  ssl_client_certificate %s;\n  ssl_verify_client on;\n"
             "  location / { return 200 \"$ssl_alpn_protocol for $ssl_client_s_dn\"; }\n }\n}\n",
             port, right, right, ca);
    nginx_start(sections);
    proxy_init(&proxy, "proxy");
    proxy_configure(
        &proxy,
        "[defaults]\ncheck-tls = yes\ncheck-interval = 50ms\ncheck-alpn = http/1.1\n"
        "[frontend main]\nbind = 127.0.0.1:%u\nbackend = shows\n"
        "[backend shows]\ncheck = http\ncheck-initial = down\ncheck-body = http/1.1 for CN=own\n"
        "check-cert = own.pem\ncheck-verify = ca.pem\ncheck-sni = s.test\n"
        "server = a 127.0.0.1:%u\n"
        "[backend hides]\ncheck = http\nserver = a 127.0.0.1:%u\n"
        "[backend sessions]\ncheck = http\ncheck-initial = down\n"
        "check-body = http/1.1 for CN=own\n"
        "server = a 127.0.0.1:%u tls=yes verify=ca.pem sni=s.test cert=own.pem\n"
        "[backend both]\ncheck = http\ncheck-initial = down\n"
        "check-body = http/1.1 for CN=other\ncheck-cert = other.pem\n"
        "server = a 127.0.0.1:%u tls=yes verify=ca.pem sni=s.test cert=own.pem alpn=h2\n",
        bind, port, port, port, port);
    proxy_start(&proxy);
    wait_mentioned(proxy.log, "server shows/a is UP");
    wait_mentioned(proxy.log, "server hides/a is DOWN");
    wait_mentioned(proxy.log, "server sessions/a is UP");
    wait_mentioned(proxy.log, "server both/a is UP");
    proxy_stop(&proxy);
}
END_TEST

START_TEST(an_nginx_stream_speaks_tls)
{
    char sections[3 * PATH_MAX], path[PATH_MAX];
    if (!nginx_program() || access(nginx_stream_module, F_OK) != 0 || !program_exists("curl")) {
        skip_test("no nginx with its stream module, or no curl");
    }
    struct proxy proxy;
    unsigned port = port_reserve(getuid()), bind = port_reserve(getuid());
    authority_make("ca");
    authority_issue("ca", "right.pem", "right", "DNS:s.test", false);
    test_path(path, "right.pem");
    snprintf(sections, sizeof sections,
             "stream {\n server {\n  listen 127.0.0.1:%u ssl;\n"
             "  ssl_certificate %s;\n  ssl_certificate_key %s.key;\n"
             "  return \"$ssl_server_name by a stream\";\n }\n}\n",
             port, path, path);
    nginx_start(sections);
    proxy_init(&proxy, "proxy");
    proxy_configure(&proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u tls=yes verify=ca.pem sni=s.test\n",
                    bind, port);
    proxy_start(&proxy);
    expect("s.test by a stream", "curl -sS --http0.9 http://127.0.0.1:%u/", bind);
    proxy_stop(&proxy);
}
END_TEST

/* openssl s_server, of each version. */
static void ask_s_server(const char *version, const char *said)
{
    char log[PATH_MAX], accept[32], cert[PATH_MAX], key[PATH_MAX], ca[PATH_MAX];
    unsigned port = port_reserve(getuid()), bind = port_reserve(getuid());
    struct proxy proxy;
    snprintf(accept, sizeof accept, "127.0.0.1:%u", port);
    const char *argv[] = {"openssl", "s_server",
                          version,   "-accept",
                          accept,    "-www",
                          "-cert",   test_path(cert, "right.pem"),
                          "-key",    test_path(key, "right.pem.key"),
                          "-CAfile", test_path(ca, "ca.pem"),
                          "-Verify", "1",
                          "-alpn",   "http/1.1",
                          NULL};
    test_path(log, version + 1);
    pid_t server = program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "ACCEPT");
    proxy_init(&proxy, version + 1);
    proxy_configure(&proxy,
                    "[listen main]\nbind = 127.0.0.1:%u\n"
                    "server = a 127.0.0.1:%u tls=yes verify=ca.pem sni=s.test cert=own.pem "
                    "alpn=http/1.1\n",
                    bind, port);
    proxy_start(&proxy);
    expect(said, "curl -sS http://127.0.0.1:%u/", bind);
    proxy_stop(&proxy);
    kill(server, SIGKILL);
    wait_gone(server);
}

START_TEST(s_server_speaks_each_version)
{
    if (!program_exists("openssl") || !program_exists("curl")) {
        skip_test("no openssl or curl");
    }
    authority_make("ca");
    authority_issue("ca", "right.pem", "right", "DNS:s.test", false);
    authority_issue("ca", "own.pem", "own", "DNS:proxy.test", false);
    ask_s_server("-tls1_2", "Protocol  : TLSv1.2");
    ask_s_server("-tls1_3", "Protocol  : TLSv1.3");
}
END_TEST

Suite *tls_clients_suite(void)
{
    Suite *suite = suite_create("tls_clients");
    scenario_add(suite, clients_come_in, 240);
    scenario_add(suite, clients_show_certificates, 240);
    scenario_add(suite, servers_speak_tls, 240);
    scenario_add(suite, checks_show_a_certificate, 240);
    scenario_add(suite, an_nginx_stream_speaks_tls, 240);
    scenario_add(suite, s_server_speaks_each_version, 240);
    return suite;
}
