/* The examples whose TLS ends in the proxy: each is started as it is, with certificates of an
 * authority of the test and real servers at its addresses, and real clients go through the proxy
 * while it reloads. Their sessions stay in the process that has begun them. */
#include "tests/system/scenarios.h"
#include "tests/system/support/authority.h"
#include "tests/system/support/daemons.h"
#include "tests/system/support/example.h"
#include "tests/system/support/lasting.h"
#include "tests/system/support/load.h"
#include "tests/system/support/peers.h"
#include "tests/system/support/server_state.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Returns what is missing: a program of the list, which is NULL-ended, or a network; or NULL. The
 * authority is made. */
static const char *prepare(const char *const *programs)
{
    for (; *programs; programs++) {
        if (!program_exists(*programs)) {
            return *programs;
        }
    }
    if (!program_exists("openssl")) {
        return "openssl";
    }
    if (!example_network()) {
        return "a network namespace";
    }
    authority_make("ca");
    return NULL;
}

/* Makes text of the format, where each # is the test's directory. */
static const char *placed(char text[static 2048], const char *format)
{
    size_t length = 0;
    for (; *format; format++) {
        if (*format == '#') {
            length += (size_t)snprintf(text + length, 2048 - length, "%s", test_directory());
        } else {
            text[length++] = *format;
        }
        ck_assert_uint_lt(length, 2047);
    }
    text[length] = '\0';
    return text;
}

/* Runs a command of the shell, where each # is the test's directory. */
static int shell(struct outcome *outcome, const char *command)
{
    char text[2048];
    run(outcome, "sh", "-c", placed(text, command), NULL);
    return outcome->code;
}

/* The command succeeds, and its output has `answer`. */
static void expect_answer(const char *command, const char *answer)
{
    struct outcome outcome;
    ck_assert_msg(shell(&outcome, command) == 0 && strstr(outcome.out, answer),
                  "%s: exit status %d, '%s' without '%s', %s", command, outcome.code, outcome.out,
                  answer, outcome.err);
}

static void expect_failure(const char *command)
{
    struct outcome outcome;
    ck_assert_msg(shell(&outcome, command) != 0, "%s: %s", command, outcome.out);
}

/* Reloads with the client and the load, and stops the proxy: the old process ends when the client
 * has ended. */
static void go_through_reloads(struct proxy *proxy, struct lasting *lasting, const char *greeting,
                               const char *command)
{
    struct load load;
    char client[2048], ask[2048], text[2048];
    lasting->command = placed(client, lasting->command);
    lasting->ask = lasting->ask ? placed(ask, lasting->ask) : NULL;
    lasting_start(lasting, greeting);
    load_start(&load, "load", placed(text, command));
    reload_beside(proxy, (struct lasting *const[]){lasting, NULL},
                  (const struct load *const[]){&load, NULL});
    lasting_end(lasting);
    load_stop(&load);
    proxy_wait_drained(proxy);
}

/* --- IMAP ------------------------------------------------------------------------------------ */

static const char dovecot[] = "/usr/sbin/dovecot";

/* Dovecot, as the comment of the example says. */
static void start_imap_servers(void)
{
    for (unsigned i = 1; i <= 2; i++) {
        char name[16], file[PATH_MAX], log[PATH_MAX], mail[PATH_MAX];
        const char *directory = test_directory();
        snprintf(name, sizeof name, "mail%u", i);
        ck_assert_int_eq(mkdir(test_path(mail, name), 0777), 0);
        ck_assert_int_eq(chmod(mail, 0777), 0);
        snprintf(name, sizeof name, "imap%u.conf", i);
        write_file(test_path(file, name), 0644,
                   "base_dir = %s/imap%u\nstate_dir = %s/imap%u\nlog_path = /dev/stderr\n"
                   "protocols = imap\nlisten = 10.0.0.7%u\nlogin_greeting = imap%u ready\n"
                   "haproxy_trusted_networks = 10.0.0.0/8\n"
                   "ssl = no\n"
                   "mail_location = maildir:%s\nfirst_valid_uid = 1\n"
                   "service imap-login {\n  chroot =\n  inet_listener imap {\n    port = 143\n"
                   "    haproxy = yes\n  }\n}\n"
                   "passdb {\n  driver = static\n  args = nopassword=y\n}\n"
                   "userdb {\n  driver = static\n  args = uid=mail gid=mail home=%s\n}\n",
                   directory, i, directory, i, i, i, mail, mail);
        const char *argv[] = {dovecot, "-F", "-c", file, NULL};
        snprintf(name, sizeof name, "imap%u.txt", i);
        program_start_logged(argv, log, name);
    }
}

#define CURL_IMAPS(name)                                                                           \
    "curl -sS --max-time 60 --interface 10.0.0.9 --cacert #/ca.pem "                               \
    "--connect-to ::127.0.0.1:993 -u user:secret imaps://" name "/"

START_TEST(imaps)
{
    const char *missing = prepare((const char *const[]){dovecot, "curl", NULL});
    if (missing || getuid() != 0) {
        skip_test("no %s", missing ? missing : "root");
    }
    struct proxy proxy;
    struct lasting reader = {
        .name = "reader",
        .command = "openssl s_client -quiet -verify_return_error -CAfile #/ca.pem -connect "
                   "127.0.0.1:993 -bind 10.0.0.9 -servername imap.example.org",
        .say = "a NOOP\r\n",
        .answer = "a OK NOOP completed"};
    authority_issue("ca", "certs/1.pem", "first", "DNS:imap.example.org", false);
    authority_issue("ca", "certs/2.pem", "second", "DNS:imap.example.net", false);
    start_imap_servers();
    example_start(&proxy, "imaps.ini");
    server_await(&proxy, "imaps", "imap1", "up", NULL);
    server_await(&proxy, "imaps", "imap2", "up", NULL);
    expect_answer(CURL_IMAPS("imap.example.org"), "INBOX");
    expect_answer(CURL_IMAPS("imap.example.net"), "INBOX");
    expect_failure(CURL_IMAPS("imap.example.com"));
    go_through_reloads(&proxy, &reader, "ready", CURL_IMAPS("imap.example.org"));
    char log[2][PATH_MAX];
    static const char known[] = "rip=10.0.0.9, lip=127.0.0.1";
    ck_assert_uint_gt(file_mentions(test_path(log[0], "imap1.txt"), known) +
                          file_mentions(test_path(log[1], "imap2.txt"), known),
                      0);
    proxy_stop(&proxy);
}
END_TEST

/* --- MQTT ------------------------------------------------------------------------------------ */

static const char *mosquitto(void)
{
    return program_exists("mosquitto") ? "mosquitto" : "/usr/sbin/mosquitto";
}

static void start_brokers(void)
{
    for (unsigned i = 1; i <= 3; i++) {
        char name[32], file[PATH_MAX], log[PATH_MAX];
        snprintf(name, sizeof name, "broker%u.conf", i);
        write_file(test_path(file, name), 0644,
                   "listener 1883 10.0.0.9%u\nallow_anonymous true\nlog_dest stderr\nuser root\n",
                   i);
        const char *argv[] = {mosquitto(), "-c", file, NULL};
        snprintf(name, sizeof name, "broker%u.txt", i);
        program_start_logged(argv, log, name);
    }
}

#define MQTT         "-h 127.0.0.1 -p 8883 --cafile #/ca.pem -q 1 -t load "
#define DEVICE(name) "--cert #/" name ".pem --key #/" name ".pem.key "

START_TEST(mqtts)
{
    const char *missing = prepare((const char *const[]){mosquitto(), "mosquitto_pub", NULL});
    if (missing) {
        skip_test("no %s", missing);
    }
    struct proxy proxy;
    struct lasting subscriber = {
        .name = "subscriber",
        .command = "stdbuf -oL mosquitto_sub " MQTT DEVICE("one") "-d -F 'heard %p'",
        .ask = "mosquitto_pub " MQTT DEVICE("one") "-m question",
        .answer = "heard question"};
    authority_issue("ca", "certs/mqtt.pem", "mqtt", "IP:127.0.0.1", false);
    authority_make("devices-ca");
    authority_issue("devices-ca", "one.pem", "device-one", "DNS:one", false);
    authority_issue("devices-ca", "lost.pem", "device-lost", "DNS:lost", false);
    authority_list("devices-ca", "devices-crl.pem");
    start_brokers();
    example_start(&proxy, "mqtts.ini");
    server_await(&proxy, "mqtts", "broker1", "up", NULL);
    server_await(&proxy, "mqtts", "broker2", "up", NULL);
    server_await(&proxy, "mqtts", "broker3", "up", NULL);
    expect_answer("mosquitto_pub " MQTT DEVICE("lost") "-m message && echo published", "published");
    authority_revoke("devices-ca", "lost.pem");
    authority_list("devices-ca", "devices-crl.pem");
    proxy_reload(&proxy);
    expect_failure("mosquitto_pub " MQTT DEVICE("lost") "-m message");
    expect_failure("mosquitto_pub " MQTT "-m message");
    wait_mentioned(proxy.log, "tls-error=\"certificate revoked\"");
    wait_mentioned(proxy.log, "tls-error=\"peer did not return a certificate\"");
    /* The publishers have the address of the subscriber, and so its broker. */
    go_through_reloads(&proxy, &subscriber, "Subscribed",
                       "mosquitto_pub " MQTT DEVICE("one") "-m message && echo published");
    ck_assert_uint_eq(file_mentions(subscriber.out, "sending CONNECT"), 1);
    wait_mentioned(proxy.log, "client-cert=\"device-one\"");
    proxy_stop(&proxy);
}
END_TEST

/* --- PostgreSQL ------------------------------------------------------------------------------ */

/* A client that begins with TLS, for python3 -c: it executes what it reads. */
static const char direct_client[] =
    "import asyncio, asyncpg, ssl, sys\n"
    "async def main():\n"
    "    tls = ssl.create_default_context(cafile=sys.argv[1])\n"
    "    tls.set_alpn_protocols(['postgresql'])\n"
    "    db = await asyncpg.connect(host='127.0.0.1', user='postgres',\n"
    "                               database='postgres', ssl=tls, direct_tls=True)\n"
    "    for line in sys.stdin:\n"
    "        print(await db.fetchval(line), flush=True)\n"
    "asyncio.run(main())\n";

#define PSQL(more) "psql -w -U postgres -Atc 'select 40 + 2' 'dbname=postgres " more "'"

START_TEST(postgresql_tls)
{
    struct postgres postgres;
    struct outcome outcome;
    const char *missing = postgres_find(&postgres);
    if (!missing) {
        missing = prepare((const char *const[]){"psql", "/usr/bin/python3", NULL});
    }
    run(&outcome, "/usr/bin/python3", "-c", "import asyncpg", NULL);
    if (missing || outcome.code != 0) {
        skip_test("no %s", missing ? missing : "python3-asyncpg");
    }
    struct proxy proxy;
    char settings[2048], client[PATH_MAX];
    struct lasting direct = {.name = "direct",
                             .command = "/usr/bin/python3 #/direct.py #/ca.pem",
                             .say = "select 'number ' || (41 + 1)\n",
                             .answer = "number 42"};
    authority_issue("ca", "certs/db.pem", "db", "DNS:db.example.org,IP:127.0.0.1", false);
    authority_issue("ca", "server.pem", "server", "DNS:db.example.org", false);
    shell(&outcome, "chown postgres #/server.pem.key");
    postgres.settings = placed(settings, "listen_addresses = '10.0.0.11'\nssl = on\n"
                                         "ssl_cert_file = '#/server.pem'\n"
                                         "ssl_key_file = '#/server.pem.key'\n");
    postgres.clients = "host all all 10.0.0.0/8 trust\n";
    postgres_serve(&postgres);
    write_file(test_path(client, "direct.py"), 0644, "%s", direct_client);
    example_start(&proxy, "postgresql-tls.ini");
    server_await(&proxy, "db", "pg1", "up", NULL);
    /* TLS passes; what asks for it without TLS is refused where TLS ends. */
    expect_answer(PSQL("host=db.example.org hostaddr=127.0.0.1 port=5433 sslmode=verify-full "
                       "sslrootcert=#/ca.pem"),
                  "42");
    expect_failure(PSQL("host=127.0.0.1 sslmode=require"));
    wait_mentioned(proxy.log, "end=tls-failed");
    expect_answer(PSQL("host=127.0.0.1 port=6432"), "42");
    go_through_reloads(&proxy, &direct, NULL, PSQL("host=127.0.0.1 port=6432"));
    proxy_stop(&proxy);
    daemon_end(postgres.pid, SIGINT);
}
END_TEST

/* --- LDAP ------------------------------------------------------------------------------------ */

static const char slapd[] = "/usr/sbin/slapd";

static void start_directories(void)
{
    for (unsigned i = 1; i <= 2; i++) {
        char name[32], file[PATH_MAX], log[PATH_MAX], text[2048], url[64];
        snprintf(name, sizeof name, "db%u", i);
        ck_assert_int_eq(mkdir(test_path(file, name), 0755), 0);
        snprintf(name, sizeof name, "ldap%u.conf", i);
        write_file(test_path(file, name), 0644,
                   "%sdirectory %s/db%u\nsuffix dc=example,dc=org\nrootdn "
                   "cn=admin,dc=example,dc=org\nrootpw secret\n",
                   placed(text, "include /etc/ldap/schema/core.schema\n"
                                "modulepath /usr/lib/ldap\nmoduleload back_mdb\n"
                                "TLSCACertificateFile #/ca.pem\n"
                                "TLSCertificateFile #/ldap.pem\n"
                                "TLSCertificateKeyFile #/ldap.pem.key\ndatabase mdb\n"),
                   test_directory(), i);
        snprintf(url, sizeof url, "ldaps://10.0.0.10%u", i);
        const char *argv[] = {slapd, "-d", "stats", "-h", url, "-f", file, NULL};
        snprintf(name, sizeof name, "ldap%u.txt", i);
        program_start_logged(argv, log, name);
    }
}

#define LDAP                                                                                       \
    "LDAPTLS_CACERT=#/ca.pem ldapsearch -x -LLL -H ldaps://127.0.0.1 -D "                          \
    "cn=admin,dc=example,dc=org -w "                                                               \
    "secret -b '' -s base "

START_TEST(ldaps)
{
    const char *missing = prepare((const char *const[]){slapd, "ldapsearch", NULL});
    if (missing) {
        skip_test("no %s", missing);
    }
    struct proxy proxy;
    struct lasting client = {.name = "client",
                             .command = "env " LDAP "-f - '(objectClass=%s)' namingContexts",
                             .say = "*\n",
                             .answer = "namingContexts: dc=example,dc=org"};
    authority_issue("ca", "certs/front.pem", "front", "DNS:ldap.example.org,IP:127.0.0.1", false);
    authority_issue("ca", "ldap.pem", "ldap", "DNS:ldap.internal.example.org", false);
    start_directories();
    example_start(&proxy, "ldaps.ini");
    server_await(&proxy, "ldaps", "ldap1", "up", NULL);
    server_await(&proxy, "ldaps", "ldap2", "up", NULL);
    go_through_reloads(&proxy, &client, NULL, LDAP "namingContexts | grep example");
    proxy_stop(&proxy);
}
END_TEST

/* --- DNS ------------------------------------------------------------------------------------- */

static void start_name_servers(void)
{
    for (unsigned i = 1; i <= 2; i++) {
        char name[32], file[PATH_MAX], zone[PATH_MAX], log[PATH_MAX];
        write_file(test_path(zone, "zone"), 0644,
                   "$ORIGIN example.org.\n@ 60 SOA ns hostmaster 1 60 60 60 60\n@ 60 NS ns\n"
                   "ns 60 A 192.0.2.1\nwww 60 A 192.0.2.42\n");
        snprintf(name, sizeof name, "dns%u", i);
        ck_assert_int_eq(mkdir(test_path(file, name), 0755), 0);
        snprintf(name, sizeof name, "dns%u.conf", i);
        write_file(test_path(file, name), 0644,
                   "server:\n  listen: 10.0.0.5%u@53\n  rundir: %s/dns%u\n"
                   "database:\n  storage: %s/dns%u\nlog:\n  - target: stderr\n    any: info\n"
                   "zone:\n  - domain: example.org\n    file: %s\n",
                   i, test_directory(), i, test_directory(), i, zone);
        const char *argv[] = {"/usr/sbin/knotd", "-c", file, NULL};
        snprintf(name, sizeof name, "dns%u.txt", i);
        program_start_logged(argv, log, name);
        wait_mentioned(log, "loaded, serial");
    }
}

/* A client that keeps its connection: it asks for each line of its input. */
static const char resolver[] =
    "import socket, ssl, struct, sys\n"
    "tls = ssl.create_default_context(cafile=sys.argv[1])\n"
    "tls.set_alpn_protocols(['dot'])\n"
    "s = tls.wrap_socket(socket.create_connection(('127.0.0.1', 853)),\n"
    "                    server_hostname='dns.example.org')\n"
    "for line in sys.stdin:\n"
    "    name = b''.join(bytes([len(x)]) + x for x in line.strip().encode().split(b'.')) + b'\\0'\n"
    "    q = struct.pack('>6H', 7, 256, 1, 0, 0, 0) + name + struct.pack('>2H', 1, 1)\n"
    "    s.sendall(struct.pack('>H', len(q)) + q)\n"
    "    f = s.makefile('rb')\n"
    "    print('address', socket.inet_ntoa(f.read(struct.unpack('>H', f.read(2))[0])[-4:]),\n"
    "          flush=True)\n";

#define KDIG                                                                                       \
    "kdig @127.0.0.1 +tls-ca=#/ca.pem +tls-hostname=dns.example.org +short +retry=0 "              \
    "www.example.org"

START_TEST(dns_over_tls)
{
    const char *missing =
        prepare((const char *const[]){"/usr/sbin/knotd", "kdig", "/usr/bin/python3", NULL});
    if (missing) {
        skip_test("no %s", missing);
    }
    struct proxy proxy;
    char file[PATH_MAX];
    struct lasting stub = {.name = "stub",
                           .command = "/usr/bin/python3 #/resolver.py #/ca.pem",
                           .say = "www.example.org\n",
                           .answer = "address 192.0.2.42"};
    write_file(test_path(file, "resolver.py"), 0644, "%s", resolver);
    authority_issue("ca", "certs/dns.pem", "dns", "DNS:dns.example.org", false);
    start_name_servers();
    example_start(&proxy, "dns-over-tls.ini");
    go_through_reloads(&proxy, &stub, NULL, KDIG " | grep 192.0.2.42");
    proxy_stop(&proxy);
}
END_TEST

/* --- HTTPS ----------------------------------------------------------------------------------- */

static void start_web_servers(void)
{
    char sections[4096], place[2048];
    snprintf(
        sections, sizeof sections,
        "http {\n access_log off;\n keepalive_timeout 600;\n"
        " server {\n  listen 10.0.0.131:443 ssl;\n  listen 10.0.0.132:443 ssl;\n%s"
        "  location / { return 200 \"bank for $remote_addr\\n\"; }\n }\n"
        " server {\n  listen 10.0.0.133:80 proxy_protocol;\n"
        "  listen 10.0.0.134:80 proxy_protocol;\n"
        "  location / { return 200 \"shop for $proxy_protocol_addr\\n\"; }\n }\n}\n",
        placed(place, "  ssl_certificate #/bank.pem;\n  ssl_certificate_key #/bank.pem.key;\n"));
    nginx_start(sections);
}

#define CURL(name)                                                                                 \
    "curl -sSf --max-time 100 --interface 10.0.0.9 --cacert #/ca.pem "                             \
    "--connect-to ::127.0.0.1:443 https://" name "/"
#define BROWSER(name)                                                                              \
    "openssl s_client -ign_eof -verify_return_error -CAfile #/ca.pem -connect 127.0.0.1:443 "      \
    "-servername " name
#define REQUEST "GET / HTTP/1.1\r\nHost: test\r\n\r\n"

START_TEST(https_by_name)
{
    const char *missing = nginx_program() ? prepare((const char *const[]){"curl", NULL}) : "nginx";
    if (missing) {
        skip_test("no %s", missing);
    }
    struct proxy proxy;
    struct load load;
    char text[3][2048];
    struct lasting account = {.name = "account",
                              .command = placed(text[0], BROWSER("my.bank.example.org")),
                              .say = REQUEST,
                              .answer = "bank for "};
    struct lasting buyer = {.name = "buyer",
                            .command = placed(text[1], BROWSER("shop.example.org")),
                            .say = REQUEST,
                            .answer = "shop for 127.0.0.1"};
    authority_issue("ca", "certs/shop.pem", "shop", "DNS:shop.example.org", false);
    authority_issue("ca", "bank.pem", "bank", "DNS:bank.example.org,DNS:*.bank.example.org", false);
    start_web_servers();
    example_start(&proxy, "https-by-name.ini");
    server_await(&proxy, "bank", "a", "up", NULL);
    server_await(&proxy, "shop", "a", "up", NULL);
    expect_answer(CURL("bank.example.org"), "bank for ");
    expect_answer(CURL("shop.example.org"), "shop for 10.0.0.9");
    expect_failure(CURL("other.example.org"));
    lasting_start(&account, "Verify return code");
    load_start(&load, "load", placed(text[2], CURL("shop.example.org")));
    hand_over(&proxy, (struct lasting *const[]){&account, NULL},
              (const struct load *const[]){&load, NULL});
    lasting_start(&buyer, "Verify return code");
    proxy_reload(&proxy);
    lasting_ask(&buyer);
    lasting_ask(&account);
    lasting_end(&buyer);
    load_stop(&load);
    proxy_wait_drained(&proxy);
    lasting_ask(&account);
    lasting_end(&account);
    proxy_stop(&proxy);
}
END_TEST

Suite *tls_examples_suite(void)
{
    Suite *suite = suite_create("tls_examples");
    scenario_add(suite, imaps, 240);
    scenario_add(suite, mqtts, 240);
    scenario_add(suite, postgresql_tls, 240);
    scenario_add(suite, ldaps, 240);
    scenario_add(suite, dns_over_tls, 240);
    scenario_add(suite, https_by_name, 240);
    return suite;
}
