/* The examples whose servers speak TLS or HTTP: each is started as it is, one nginx stands for all
 * its servers, and curl, openssl and ssh go through the proxy while it reloads. */
#include "tests/system/scenarios.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/example.h"
#include "tests/system/support/lasting.h"
#include "tests/system/support/load.h"
#include "tests/system/support/net.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/server_state.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define CURL "curl -fsSk --max-time 60 "

/* Returns what is missing, or NULL; then the network is the test's own. */
static const char *prepare(void)
{
    if (!nginx_program() || !program_exists("curl") || !program_exists("openssl")) {
        return "no nginx, curl or openssl";
    }
    return example_network() ? NULL : "no network namespace";
}

/* Starts nginx, which listens as the lines of `listen` say. It answers each request with the
 * server's address and the client's; requests of checks with 503 while the server is marked as
 * failing. */
static void web_start(const char *listen)
{
    example_certificate();
    char sections[16384];
    snprintf(sections, sizeof sections,
             "http {\n access_log off;\n log_not_found off;\n keepalive_timeout 600;\n"
             " server {\n%s"
             "  ssl_certificate %s/cert.pem;\n  ssl_certificate_key %s/key.pem;\n"
             "  root %s;\n"
             "  location / { return 200 \"$server_addr for "
             "$remote_addr$proxy_protocol_addr\\n\"; }\n"
             "  location ~ ^/(readyz|healthz) {\n"
             "   if (-f $document_root/failing-$server_addr) { return 503; }\n"
             "   return 200;\n  }\n }\n}\n",
             listen, test_directory(), test_directory(), test_directory());
    nginx_start(sections);
}

/* Marks a server: its checks fail, or succeed again. */
static void set_failing(const char *address, bool failing)
{
    char name[64], path[PATH_MAX];
    snprintf(name, sizeof name, "failing-%s", address);
    test_path(path, name);
    if (failing) {
        write_file(path, 0644, "%s", "");
    } else {
        ck_assert_int_eq(unlink(path), 0);
    }
}

static void shell(struct outcome *outcome, const char *command)
{
    run(outcome, "sh", "-c", command, NULL);
}

/* The command succeeds, and its output begins with `answer`. */
static void expect_answer(const char *command, const char *answer)
{
    struct outcome outcome;
    shell(&outcome, command);
    ck_assert_msg(outcome.code == 0 && strncmp(outcome.out, answer, strlen(answer)) == 0,
                  "%s: exit status %d, '%s' in place of '%s', %s", command, outcome.code,
                  outcome.out, answer, outcome.err);
}

static void expect_failure(const char *command)
{
    struct outcome outcome;
    shell(&outcome, command);
    ck_assert_msg(outcome.code != 0, "%s: %s", command, outcome.out);
}

/* --- a session that is silent for long ------------------------------------------------------- */

struct silent {
    int in;
    pid_t client;
    char out[PATH_MAX];
};

/* A client of TLS that has made its handshake. */
static void silent_start(struct silent *silent, const char *port)
{
    char in[PATH_MAX], target[32];
    ck_assert_int_eq(mkfifo(test_path(in, "silent.in"), 0600), 0);
    silent->in = open(in, O_RDWR | O_CLOEXEC);
    ck_assert_int_ge(silent->in, 0);
    snprintf(target, sizeof target, "127.0.0.1:%s", port);
    const char *argv[] = {"openssl", "s_client", "-connect", target, "-ign_eof", NULL};
    test_path(silent->out, "silent.out");
    silent->client = program_start(
        &(struct program){.argv = argv, .in = in, .out = silent->out, .err = silent->out});
    wait_mentioned(silent->out, "Verify return code");
}

/* The session still works. */
static void silent_speaks(struct silent *silent, const char *answer)
{
    static const char request[] = "GET / HTTP/1.0\r\n\r\n";
    ck_assert_int_eq(write(silent->in, request, sizeof request - 1), sizeof request - 1);
    wait_gone(silent->client);
    ck_assert_msg(file_mentions(silent->out, answer) == 1, "no %s in %s", answer, silent->out);
    close(silent->in);
}

/* --- sessions that are used again and again -------------------------------------------------- */

/* HTTP with keep-alive. */
#define REQUEST   "GET / HTTP/1.1\r\nHost: test\r\n\r\n"
#define TLS       "openssl s_client -ign_eof -connect "
#define CONNECTED "Verify return code"

/* --- the examples ---------------------------------------------------------------------------- */

START_TEST(kubernetes_api)
{
    const char *missing = prepare();
    if (missing) {
        skip_test("%s", missing);
    }
    struct proxy proxy;
    struct load load;
    struct silent watch;
    struct lasting kubectl = {
        .name = "kubectl", .command = TLS "127.0.0.1:6443", .say = REQUEST, .answer = " for "};
    web_start("  listen 10.0.0.61:6443 ssl;\n  listen 10.0.0.62:6443 ssl;\n"
              "  listen 10.0.0.63:6443 ssl;\n");
    set_failing("10.0.0.62", true);
    example_start(&proxy, "kubernetes-api.ini");
    server_await(&proxy, "apiserver", "control1", "up", NULL);
    server_await(&proxy, "apiserver", "control2", "down", "503");
    server_await(&proxy, "apiserver", "control3", "up", NULL);
    silent_start(&watch, "6443");
    lasting_start(&kubectl, CONNECTED);
    load_start(&load, "api", CURL "https://127.0.0.1:6443/api");
    reload_under_loads(&proxy, (const struct load *const[]){&load, NULL});
    hand_over(&proxy, (struct lasting *const[]){&kubectl, NULL},
              (const struct load *const[]){&load, NULL});
    ck_assert_uint_eq(file_mentions(load.done, "10.0.0.62"), 0);

    set_failing("10.0.0.62", false);
    server_await(&proxy, "apiserver", "control2", "up", NULL);
    set_failing("10.0.0.61", true);
    server_await(&proxy, "apiserver", "control1", "down", "503");
    wait_mentioned(load.done, "10.0.0.62");
    silent_speaks(&watch, "10.0.0.6");
    lasting_ask(&kubectl); /* a server that is down keeps its sessions */
    lasting_end(&kubectl);
    load_stop(&load);
    proxy_stop(&proxy);
}
END_TEST

/* Removes the lines of the bootstrap node, as the example's comment says. */
static void remove_bootstrap(void)
{
    char file[PATH_MAX];
    struct outcome outcome;
    run(&outcome, "sed", "-i", "/^server = bootstrap/d", test_path(file, "examples/openshift.ini"),
        NULL);
    ck_assert_int_eq(outcome.code, 0);
}

static const char *const controls[] = {"10.0.0.111", "10.0.0.112", "10.0.0.113"};
static const char *const control_names[] = {"control1", "control2", "control3"};

static void set_controls(const struct proxy *proxy, bool failing)
{
    for (unsigned i = 0; i < 3; i++) {
        set_failing(controls[i], failing);
    }
    for (unsigned i = 0; i < 3; i++) {
        server_await(proxy, "api", control_names[i], failing ? "down" : "up", NULL);
        server_await(proxy, "machine-config", control_names[i], failing ? "down" : "up", NULL);
    }
}

/* Clients of the ingress, each with an address of its own: writes to `workers` which worker each
 * has. */
enum { INGRESS_CLIENTS = 16 };

static void ask_ingress(const char *url, char workers[static INGRESS_CLIENTS + 1])
{
    for (unsigned i = 0; i < INGRESS_CLIENTS; i++) {
        char command[256];
        struct outcome outcome;
        snprintf(command, sizeof command, CURL "--interface 10.1.%u.7 %s", i, url);
        shell(&outcome, command);
        ck_assert_msg(strncmp(outcome.out, "10.0.0.12", 9) == 0, "%s: %s", command, outcome.err);
        workers[i] = outcome.out[9];
    }
    workers[INGRESS_CLIENTS] = '\0';
    ck_assert_msg(strchr(workers, '1') && strchr(workers, '2'), "one worker gets all: %s", workers);
}

START_TEST(openshift)
{
    const char *missing = prepare();
    if (missing) {
        skip_test("%s", missing);
    }
    struct proxy proxy;
    struct load api, ingress;
    struct lasting admin = {
        .name = "admin", .command = TLS "127.0.0.1:6443", .say = REQUEST, .answer = " for "};
    struct lasting machine = {.name = "machine",
                              .command = TLS "127.0.0.1:22623 -bind 10.0.0.9",
                              .say = REQUEST,
                              .answer = " for "};
    struct lasting tls = {
        .name = "tls", .command = TLS "127.0.0.1:443", .say = REQUEST, .answer = " for "};
    struct lasting plain = {
        .name = "plain", .command = RAW_CLIENT("80"), .say = REQUEST, .answer = " for "};
    struct lasting *const lasting[] = {&admin, &machine, &tls, &plain, NULL};
    char before[INGRESS_CLIENTS + 1], after[INGRESS_CLIENTS + 1];
    web_start("  listen 10.0.0.110:6443 ssl;\n  listen 10.0.0.111:6443 ssl;\n"
              "  listen 10.0.0.112:6443 ssl;\n  listen 10.0.0.113:6443 ssl;\n"
              "  listen 10.0.0.110:22623 ssl;\n  listen 10.0.0.111:22623 ssl;\n"
              "  listen 10.0.0.112:22623 ssl;\n  listen 10.0.0.113:22623 ssl;\n"
              "  listen 10.0.0.121:443 ssl;\n  listen 10.0.0.122:443 ssl;\n"
              "  listen 10.0.0.121:80;\n  listen 10.0.0.122:80;\n"
              "  listen 10.0.0.121:1936;\n  listen 10.0.0.122:1936;\n");
    example_start(&proxy, "openshift.ini");
    set_controls(&proxy, true);
    expect_answer(CURL "https://127.0.0.1:6443/", "10.0.0.110 ");
    expect_answer(CURL "--interface 10.0.0.9 https://127.0.0.1:22623/config", "10.0.0.110 ");
    set_controls(&proxy, false);

    expect_failure(CURL "https://127.0.0.1:22623/config");
    expect_answer(CURL "--interface 10.0.0.9 https://127.0.0.1:22623/config", "10.0.0.11");
    server_await(&proxy, "ingress-plain", "worker1", "up", NULL);
    ask_ingress("https://127.0.0.1/", before);
    load_start(&api, "api", CURL "https://127.0.0.1:6443/");
    load_start(&ingress, "ingress", CURL "http://127.0.0.1/");
    reload_under_loads(&proxy, (const struct load *const[]){&api, &ingress, NULL});
    lasting_start(&admin, CONNECTED);
    lasting_start(&machine, CONNECTED);
    lasting_start(&tls, CONNECTED);
    lasting_start(&plain, NULL);
    hand_over(&proxy, lasting, (const struct load *const[]){&api, &ingress, NULL});
    ask_ingress("https://127.0.0.1/", after);
    ck_assert_str_eq(before, after);
    remove_bootstrap();
    proxy_reload(&proxy);
    load_goes_on(&api, LOAD_CLIENTS);
    expect_failure(CURL "https://127.0.0.1:22623/config");
    load_stop(&api);
    ck_assert_uint_eq(file_mentions(api.done, "10.0.0.110"), 0);
    for (struct lasting *const *one = lasting; *one; one++) {
        lasting_ask(*one);
        lasting_end(*one);
    }
    unsigned all = load_stop(&ingress), first = file_mentions(ingress.done, "10.0.0.121 ");
    ck_assert_msg(first == 0 || first == all, "one client, two workers: %u of %u", first, all);
    proxy_stop(&proxy);
}
END_TEST

#define TO "--connect-to ::127.0.0.1:443 "

static void expect_routes(void)
{
    expect_answer(CURL TO "https://shop.example.org/ | cut -c 1-8,10-", "10.0.0.8 for ");
    expect_answer(CURL TO "https://WWW.shop.example.org/ | cut -c 1-8,10-", "10.0.0.8 for ");
    expect_answer(CURL TO "https://blog.example.org/", "10.0.0.83 ");
    expect_answer(CURL TO "https://my.own.blog.example.org/", "10.0.0.83 ");
    expect_answer(CURL "--connect-to '::[::1]:443' https://blog.example.org/", "10.0.0.83 ");
    expect_failure(CURL TO "https://db.internal.example.org/");
    expect_answer(CURL TO "--interface 10.0.0.9 https://db.internal.example.org/", "10.0.0.84 ");
    expect_answer(CURL TO "https://other.example.org/", "10.0.0.86 ");
    expect_answer(CURL "https://127.0.0.1/", "10.0.0.86 ");
    /* The server of the challenges is told by the ALPN, whatever the name is. */
    expect_answer("openssl s_client -connect 127.0.0.1:443 -servername shop.example.org "
                  "-alpn acme-tls/1 </dev/null 2>&1 | grep ALPN",
                  "ALPN protocol: acme-tls/1");
    /* The shop learns the address of the client. */
    expect_answer(CURL TO "--interface 10.0.0.77 https://shop.example.org/ | grep -c 10.0.0.77$",
                  "1");
}

static void start_acme(void)
{
    char cert[PATH_MAX], key[PATH_MAX], log[PATH_MAX];
    const char *argv[] = {"openssl", "s_server",
                          "-accept", "10.0.0.85:443",
                          "-cert",   test_path(cert, "cert.pem"),
                          "-key",    test_path(key, "key.pem"),
                          "-alpn",   "acme-tls/1",
                          "-www",    NULL};
    test_path(log, "acme.txt");
    program_start(&(struct program){.argv = argv, .out = log, .err = log});
    wait_mentioned(log, "ACCEPT");
}

START_TEST(sni_router)
{
    const char *missing = prepare();
    if (missing) {
        skip_test("%s", missing);
    }
    struct proxy proxy;
    struct load shop, blog;
    struct lasting buyer = {.name = "buyer",
                            .command = TLS "127.0.0.1:443 -servername shop.example.org",
                            .say = REQUEST,
                            .answer = "10.0.0.8"};
    struct lasting reader = {.name = "reader",
                             .command = TLS "[::1]:443 -servername my.blog.example.org",
                             .say = REQUEST,
                             .answer = "10.0.0.83 for "};
    struct lasting *const lasting[] = {&buyer, &reader, NULL};
    char map[PATH_MAX];
    web_start("  listen 10.0.0.81:443 ssl proxy_protocol;\n"
              "  listen 10.0.0.82:443 ssl proxy_protocol;\n  listen 10.0.0.83:443 ssl;\n"
              "  listen 10.0.0.84:443 ssl;\n  listen 10.0.0.86:443 ssl;\n");
    start_acme();
    example_start(&proxy, "sni-router.ini");
    expect_routes();
    load_start(&shop, "shop", CURL TO "https://shop.example.org/");
    load_start(&blog, "blog", CURL TO "https://blog.example.org/");
    reload_under_loads(&proxy, (const struct load *const[]){&shop, &blog, NULL});
    lasting_start(&buyer, CONNECTED);
    lasting_start(&reader, CONNECTED);
    hand_over(&proxy, lasting, (const struct load *const[]){&shop, &blog, NULL});
    expect_routes();
    write_file(test_path(map, "examples/names.map"), 0644,
               "shop.example.org shop\nblog.example.org blog\nnew.example.org blog\n");
    proxy_reload(&proxy);
    lasting_ask(&reader); /* its name is not in the map any more */
    lasting_ask(&buyer);
    lasting_end(&reader);
    lasting_end(&buyer);
    expect_answer(CURL TO "https://new.example.org/", "10.0.0.83 ");
    expect_answer(CURL TO "https://www.shop.example.org/", "10.0.0.86 ");
    ck_assert_uint_eq(load_stop(&shop), file_mentions(shop.done, "10.0.0.81 ") +
                                            file_mentions(shop.done, "10.0.0.82 "));
    ck_assert_uint_eq(load_stop(&blog), file_mentions(blog.done, "10.0.0.83 "));
    proxy_stop(&proxy);
}
END_TEST

static void start_echo(uint16_t port)
{
    struct endpoint where = endpoint_loopback(port);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(bind(listener, &where.any, where.length), 0);
    ck_assert_int_eq(listen(listener, 16), 0);
    origin_start_on(ORIGIN_ECHO, listener);
}

/* What an OpenVPN client says first: P_CONTROL_HARD_RESET_CLIENT_V2. */
static const char hard_reset[] = "\0\x0e\x38\x01\x02\x03\x04\x05\x06\x07\x08\0\0\0\0";

START_TEST(ssh_and_tls)
{
    const char *missing = prepare();
    if (!missing && access("/usr/sbin/sshd", X_OK) != 0) {
        missing = "no sshd";
    }
    if (missing || !program_exists("ssh") || getuid() != 0) {
        skip_test("%s", missing ? missing : "no ssh, or not root");
    }
    struct proxy proxy;
    struct load web, ssh;
    struct lasting browser = {
        .name = "browser", .command = TLS "127.0.0.1:443", .say = REQUEST, .answer = " for "};
    struct lasting shell_session = {.name = "ssh-session", .say = "typed\n", .answer = "typed"};
    struct lasting *const lasting[] = {&browser, &shell_session, NULL};
    char key[PATH_MAX], tunnel[PATH_MAX + 256], command[PATH_MAX + 512], back[sizeof hard_reset],
        banner[8];
    const struct endpoint front = endpoint_loopback(443);
    ssh_key_make(test_path(key, "user_key"));
    web_start("  listen 127.0.0.1:8443 ssl;\n");
    sshd_start("22", key);
    start_echo(1194);
    example_start(&proxy, "ssh-and-tls.ini");

    int silent = connect_to(&front), vpn = connect_to(&front);
    send_all(vpn, hard_reset, sizeof hard_reset);
    receive_exactly(vpn, back, sizeof back);
    ck_assert_mem_eq(back, hard_reset, sizeof back);
    load_start(&web, "web", CURL "https://127.0.0.1/");
    /* Its forwarding needs no shell of the user, who may have anything in its profile. */
    snprintf(tunnel, sizeof tunnel,
             "ssh -F none -q -p 443 -i %s -o BatchMode=yes -o StrictHostKeyChecking=no "
             "-o UserKnownHostsFile=/dev/null -W 127.0.0.1:1194 root@127.0.0.1",
             key);
    snprintf(command, sizeof command, "echo forwarded | %s", tunnel);
    load_start(&ssh, "ssh", command);
    reload_under_loads(&proxy, (const struct load *const[]){&web, &ssh, NULL});
    lasting_start(&browser, CONNECTED);
    shell_session.command = tunnel;
    lasting_start(&shell_session, NULL);
    hand_over(&proxy, lasting, (const struct load *const[]){&web, &ssh, NULL});
    lasting_end(&browser);
    lasting_end(&shell_session);
    /* Some of the reloads came before inspect-timeout. */
    receive_exactly(silent, banner, sizeof banner);
    ck_assert_mem_eq(banner, "SSH-2.0-", sizeof banner);
    send_all(vpn, hard_reset, sizeof hard_reset);
    receive_exactly(vpn, back, sizeof back);
    ck_assert_mem_eq(back, hard_reset, sizeof back);
    ck_assert_uint_eq(load_stop(&web), file_mentions(web.done, "127.0.0.1 for "));
    ck_assert_uint_eq(load_stop(&ssh), file_mentions(ssh.done, "forwarded"));
    close(silent);
    close(vpn);
    proxy_stop(&proxy);
}
END_TEST

Suite *web_examples_suite(void)
{
    Suite *suite = suite_create("web_examples");
    scenario_add(suite, kubernetes_api, 240);
    scenario_add(suite, openshift, 240);
    scenario_add(suite, sni_router, 240);
    scenario_add(suite, ssh_and_tls, 240);
    return suite;
}
