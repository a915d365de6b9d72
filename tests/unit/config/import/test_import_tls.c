/* TLS of configurations of HAProxy and nginx. Their files are in the folder of the test. */
#include "config/base/memory.h"
#include "reload/cli/settle.h"
#include "tests/unit/config/import/importing.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/issued.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define DEFAULTS                                                                                   \
    "defaults\n mode tcp\n option tcpka\n timeout connect 5s\n timeout client 1m\n"                \
    " timeout server 1m\n"

static void begin(void)
{
    folder_make();
    struct issued root = issue((struct request){.name = "root", .authority = true});
    struct issued leaf = issue((struct request){.name = "a", .alternatives = "DNS:a", .by = &root});
    char *pem = pem_of_certificate(&root), *list = pem_of_revocations(&root, NULL, 3600);
    char *key = pem_of_key(&leaf), *certificate = pem_of_certificate(&leaf);
    ck_assert_int_eq(mkdir(folder_path("certs"), 0700), 0);
    issued_write("a.pem", &leaf);
    issued_write("certs/b.pem", &leaf);
    issued_write("two.pem.rsa", &leaf);
    issued_write("two.pem.ecdsa", &leaf);
    text_write("ca.pem", pem);
    text_write("crl.pem", list);
    text_write("apart.crt", certificate);
    text_write("apart-key", key);
    free(pem);
    free(list);
    free(key);
    free(certificate);
    issued_free(&root);
    issued_free(&leaf);
}

/* The text with the path of the folder in place of each '@'. The caller frees it. */
static char *with_folder(const char *text)
{
    struct memory_stream out;
    char *folder = strdup(folder_path(""));
    folder[strlen(folder) - 1] = '\0';
    memory_stream_begin(&out);
    for (; *text; text++)
        if (*text == '@')
            fputs(folder, out.stream);
        else
            fputc(*text, out.stream);
    free(folder);
    return memory_stream_end(&out);
}

static void expect(import_function *function, const struct import_case *cases, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct import_case expected = cases[i];
        char *text = with_folder(expected.text), *lines = with_folder(expected.lines);
        char *findings = with_folder(expected.findings);
        expected.text = text;
        expected.lines = lines;
        expected.findings = findings;
        expect_imported(function, &expected);
        free(text);
        free(lines);
        free(findings);
    }
}

#define EXPECT(function, cases) expect(function, cases, sizeof(cases) / sizeof *(cases))

START_TEST(binds_of_haproxy)
{
    static const struct import_case cases[] = {
        {"certificates and names",
         DEFAULTS "frontend a\n bind :1 ssl crt @/a.pem crt @/certs alpn h2,http/1.1 strict-sni "
                  "no-tls-tickets accept-proxy\n bind :2\n default_backend b\n"
                  "backend b\n server s 198.51.100.1:1\n",
         "bind = 0.0.0.0:1 tls=yes accept-proxy=any\nbind = 0.0.0.0:2\ncertificate = @/a.pem\n"
         "certificate = @/certs\ntls-alpn = h2,http/1.1\ntls-unknown-name = reject\n"
         "tls-tickets = no\n",
         ""},
        {"words without ssl are nothing",
         DEFAULTS "listen a\n bind :1 crt @/missing alpn h2\n server s 198.51.100.1:1\n",
         "bind = 0.0.0.0:1\n-certificate\n-tls-alpn\n", ""},
        {"versions",
         DEFAULTS "listen a\n bind :1 ssl crt @/a.pem ssl-min-ver TLSv1.1 no-sslv3\n"
                  " server s 198.51.100.1:1\n"
                  "listen b\n bind :2 ssl crt @/a.pem force-tlsv13\n server s 198.51.100.1:1\n"
                  "listen c\n bind :3 ssl crt @/a.pem no-tlsv13\n server s 198.51.100.1:1\n"
                  "listen d\n bind :4 ssl crt @/a.pem ssl-min-ver TLSv1.2\n"
                  " server s 198.51.100.1:1\n",
         "tls-min = 1.3\ntls-max = 1.3\ntls-max = 1.2\n-tls-min = 1.2\n",
         "8 note: ssl-min-ver TLSv1.1: TLS 1.2 is the lowest version"},
        {"what global says, where the bind says nothing",
         "global\n crt-base @\n ca-base @\n ssl-default-bind-ciphers ECDHE+AESGCM\n"
         " ssl-default-bind-ciphersuites TLS_AES_128_GCM_SHA256\n ssl-default-bind-curves X25519\n"
         " ssl-default-bind-options ssl-min-ver TLSv1.3 no-tls-tickets\n" DEFAULTS
         "listen a\n bind :1 ssl crt a.pem verify required ca-file ca.pem\n"
         " server s 198.51.100.1:1\n"
         "listen b\n bind :2 ssl crt a.pem ciphers ECDHE+CHACHA20 ssl-min-ver TLSv1.2\n"
         " server s 198.51.100.1:1\n",
         "certificate = @/a.pem\nclient-ca = @/ca.pem\ntls-ciphers = ECDHE+AESGCM\n"
         "tls-ciphersuites = TLS_AES_128_GCM_SHA256\ntls-curves = X25519\ntls-min = 1.3\n"
         "tls-tickets = no\ntls-ciphers = ECDHE+CHACHA20\n",
         ""},
        {"clients' certificates",
         DEFAULTS "listen a\n bind :1 ssl crt @/a.pem verify optional ca-file @/ca.pem crl-file "
                  "@/crl.pem\n server s 198.51.100.1:1\n"
                  "listen b\n bind :2 ssl crt @/a.pem ca-file @/none.pem\n"
                  " server s 198.51.100.1:1\n"
                  "listen c\n bind :3 ssl crt @/a.pem verify none ca-file @/none.pem\n"
                  " server s 198.51.100.1:1\n",
         "client-ca = @/ca.pem\nclient-verify = optional\nclient-crl = @/crl.pem\n", ""},
        {"two files in the place of one",
         DEFAULTS "listen a\n bind :1 ssl crt @/two.pem\n server s 198.51.100.1:1\n",
         "certificate = @/two.pem.ecdsa\ncertificate = @/two.pem.rsa\n", ""},
        {"binds that differ",
         DEFAULTS "listen a\n bind :1 ssl crt @/a.pem alpn h2\n bind :2 ssl crt @/a.pem alpn imap\n"
                  " server s 198.51.100.1:1\n",
         "tls-alpn = h2\n-tls-alpn = imap\n", "9 lost: bind: tls-alpn = imap"},
        {"what only one bind says",
         DEFAULTS "listen a\n bind :1 ssl crt @/a.pem strict-sni\n bind :2 ssl crt @/certs/b.pem "
                  "verify required ca-file @/ca.pem\n server s 198.51.100.1:1\n",
         "certificate = @/a.pem\ncertificate = @/certs/b.pem\nclient-ca = @/ca.pem\n"
         "tls-unknown-name = reject\n",
         "9 lost: bind: client-ca = @/ca.pem of this bind\n"
         "9 lost: bind: tls-unknown-name = reject of another bind\n"
         "9 note: bind: certificate @/a.pem of another bind\n"
         "9 note: bind: certificate @/certs/b.pem of this bind"},
        {"binds that are the same, and one without TLS",
         DEFAULTS "listen a\n bind :1 ssl crt @/a.pem alpn h2\n bind :3\n bind :2 ssl crt @/a.pem "
                  "alpn h2\n server s 198.51.100.1:1\n",
         "tls-alpn = h2\n", ""},
        {"one bind demands certificates, and the other one asks for them",
         DEFAULTS "listen a\n bind :1 ssl crt @/a.pem verify optional ca-file @/ca.pem\n"
                  " bind :2 ssl crt @/a.pem verify required ca-file @/ca.pem\n"
                  " server s 198.51.100.1:1\n"
                  "listen b\n bind :3 ssl crt @/a.pem verify required ca-file @/ca.pem\n"
                  " bind :4 ssl crt @/a.pem verify optional ca-file @/ca.pem\n"
                  " server s 198.51.100.1:1\n",
         "client-ca = @/ca.pem\nclient-verify = required\n-client-verify = optional\n",
         "9 lost: bind: verify optional\n13 lost: bind: verify optional"},
    };
    EXPECT(import_haproxy_text, cases);
}
END_TEST

#define ENDS DEFAULTS "backend one\n server s 198.51.100.1:1\nfrontend f\n default_backend one\n"
#define BIND " bind :1 ssl crt @/a.pem verify optional ca-file @/ca.pem\n"

/* What the handshake with the proxy has shown: nothing more of the client is read for it. */
START_TEST(conditions_of_haproxy)
{
    static const struct import_case cases[] = {
        {"names and protocols",
         ENDS BIND " acl a ssl_fc_sni -i a.example b.example\n use_backend one if a\n"
                   " use_backend one if { ssl_fc_sni -m end .c.example } { ssl_fc_alpn h2 }\n"
                   " use_backend one if { ssl_fc_sni_end d.example }\n"
                   " use_backend one if !{ ssl_fc_has_sni }\n",
         "route = sni:a.example,b.example one\nroute = sni:*.c.example alpn:h2 one\n"
         "route = sni:*d.example one\nroute = !sni:* one\n-inspect-timeout\n",
         ""},
        {"certificates of clients",
         ENDS BIND " use_backend one if { ssl_c_s_dn(cn) -m end .ops.example }\n"
                   " use_backend one if { ssl_c_s_dn(CN) a.example } { ssl_c_verify 0 }\n"
                   " use_backend one if { ssl_c_used }\n use_backend one unless { ssl_fc_has_crt 1 "
                   "}\n",
         "route = client-cert:*.ops.example one\nroute = client-cert:a.example one\n"
         "route = client-cert:yes one\nroute = !client-cert:yes one\n",
         ""},
        {"names choose backends and servers",
         DEFAULTS "backend b_a.example\n server s 198.51.100.1:1\nbackend c\n balance hash "
                  "ssl_fc_sni\n server s 198.51.100.2:1\nfrontend f\n default_backend c\n" BIND
                  " use_backend b_%[ssl_fc_sni,lower]\n",
         "route = sni:a.example b_a.example\nhash = sni\n", ""},
        {"whether TLS ends here",
         ENDS BIND
         " use_backend one if { ssl_fc } { src 192.0.2.1 }\n use_backend one if !{ ssl_fc "
         "}\n",
         "route = src:192.0.2.1 one\n-route = !tls:yes one\n", ""},
        {"... at some binds",
         ENDS BIND " bind :2\n tcp-request inspect-delay 1s\n use_backend one if { ssl_fc }\n",
         "route = tls:yes one\ninspect-timeout = 1s\n", "14 note: a client of a bind without ssl"},
        {"where it does not end here",
         ENDS
         " bind :1\n use_backend one if { ssl_fc_sni a.example } or { ssl_c_used } or { ssl_fc "
         "}\n use_backend one if { ssl_c_used 0 } { src 192.0.2.1 }\n",
         "route = src:192.0.2.1 one\n-route = sni:a.example one\n-route = client-cert:yes one\n",
         ""},
        {"what routes cannot say",
         ENDS BIND " use_backend one if { ssl_c_s_dn(ou) ops }\n use_backend one if { ssl_c_verify "
                   "gt 0 }\n use_backend one if { ssl_fc_cipher x }\n"
                   " use_backend one if { ssl_fc_alpn -m beg h }\n",
         "-route = client-cert:ops one\n",
         "12 lost: condition ssl_c_s_dn: of the subject\n12 lost: its condition\n"
         "13 lost: condition ssl_c_verify\n13 lost: its condition\n14 lost: condition "
         "ssl_fc_cipher\n14 lost: its condition\n15 lost: condition ssl_fc_alpn\n15 lost: its "
         "condition"},
    };
    EXPECT(import_haproxy_text, cases);
}
END_TEST

START_TEST(list_of_haproxy)
{
    char *list = with_folder("# a comment\n@/a.pem\n\n@/certs/b.pem [alpn h2] *.b.example\r\n");
    static const struct import_case cases[] = {
        {"a list of certificates",
         DEFAULTS "listen a\n bind :1 ssl crt-list @/list\n server s 198.51.100.1:1\n",
         "certificate = @/a.pem\ncertificate = @/certs/b.pem\n",
         "8 note: crt-list: '[alpn h2] *.b.example"},
        {"a list that is not there",
         DEFAULTS "listen a\n bind :1 ssl crt @/a.pem crt-list @/missing\n server s "
                  "198.51.100.1:1\n",
         "certificate = @/a.pem\n", "8 lost: crt-list @/missing: "},
    };
    text_write("list", list);
    free(list);
    EXPECT(import_haproxy_text, cases);
}
END_TEST

START_TEST(servers_of_haproxy)
{
    static const struct import_case cases[] = {
        {"verification and names",
         DEFAULTS "listen a\n bind :1\n"
                  " server s 198.51.100.1:1 ssl ca-file @/ca.pem sni str(s.example) alpn h2\n"
                  " server t 198.51.100.2:1 ssl verify required ca-file @/ca.pem crl-file "
                  "@/crl.pem verifyhost t.example crt @/a.pem\n"
                  " server u 198.51.100.3:1 ssl verify none crl-file @/crl.pem sni "
                  "str(u.example)\n"
                  " server v 198.51.100.4:1 ssl ca-file @/ca.pem\n"
                  " server w 198.51.100.5:1 ssl verify none sni req.ssl_sni\n",
         "server = s 198.51.100.1:1 tls=yes verify=@/ca.pem sni=s.example alpn=h2\n"
         "server = t 198.51.100.2:1 tls=yes verify=@/ca.pem crl=@/crl.pem verify-name=t.example "
         "cert=@/a.pem\n"
         "server = u 198.51.100.3:1 tls=yes verify=none sni=u.example\n"
         "server = v 198.51.100.4:1 tls=yes verify=@/ca.pem\n"
         "server = w 198.51.100.5:1 tls=yes verify=none\n",
         "7 note: retries\n12 note: server v (198.51.100.4): a certificate must name the address, "
         "which\n"
         "13 lost: server w: sni req.ssl_sni"},
        {"none for all servers",
         "global\n ssl-server-verify none\n" DEFAULTS
         "listen a\n bind :1\n server s 198.51.100.1:1 ssl\n",
         "server = s 198.51.100.1:1 tls=yes verify=none\n", ""},
        {"checks of the same port go through TLS",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 ssl verify none check\n"
                  "listen b\n bind :2\n server s 198.51.100.1:1 ssl verify none check port 2\n",
         "check = tls\ncheck = tcp\n", ""},
        {"checks alone go through TLS",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 check check-ssl ca-file @/ca.pem "
                  "crl-file @/crl.pem\n",
         "check-verify = @/ca.pem\ncheck-crl = @/crl.pem\n", ""},
        {"checks alone show a certificate, and offer protocols",
         "global\n ca-base @\n crt-base @\n" DEFAULTS
         "listen a\n bind :1\n server s 198.51.100.1:1 check check-ssl ca-file ca.pem crl-file "
         "crl.pem crt a.pem check-alpn h2,http/1.1\n",
         "check = tls\ncheck-verify = @/ca.pem\ncheck-crl = @/crl.pem\ncheck-cert = @/a.pem\n"
         "check-alpn = h2,http/1.1\n",
         ""},
        {"checks of a server with ssl see what sessions see",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 ssl ca-file @/ca.pem crt @/a.pem "
                  "sni str(s.example) check\n"
                  "listen b\n bind :2\n server s 198.51.100.1:1 ssl ca-file @/ca.pem crt @/a.pem "
                  "sni str(s.example) check check-sni t.example\n",
         "server = s 198.51.100.1:1 tls=yes verify=@/ca.pem sni=s.example cert=@/a.pem\n"
         "check = tls\ncheck-verify = @/ca.pem\ncheck-sni = t.example\ncheck-cert = @/a.pem\n",
         ""},
        {"the word, and what implies it",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 ssl verify none check\n"
                  " server t 198.51.100.2:1 ssl verify none check check-ssl\n"
                  " server u 198.51.100.3:1 check\n",
         "check = tls\n", "7 note: retries\n11 note: server u (not given): check-ssl differs"},
    };
    EXPECT(import_haproxy_text, cases);
}
END_TEST

START_TEST(servers_of_nginx)
{
    static const struct import_case cases[] = {
        {"TLS that ends here",
         "stream {\n ssl_protocols TLSv1.3;\n server {\n listen 1 ssl;\n ssl_certificate "
         "@/apart.crt;\n ssl_certificate_key @/apart-key;\n ssl_certificate @/a.pem;\n "
         "ssl_certificate_key @/a.pem;\n ssl_ciphers ECDHE+AESGCM;\n ssl_ecdh_curve X25519;\n "
         "ssl_alpn h2 http/1.1;\n ssl_session_tickets off;\n ssl_session_cache shared:a:1m;\n "
         "ssl_verify_client optional;\n ssl_client_certificate @/ca.pem;\n ssl_crl @/crl.pem;\n "
         "ssl_verify_depth 3;\n ssl_handshake_timeout 5s;\n proxy_pass 198.51.100.1:1;\n }\n}\n",
         "bind = 0.0.0.0:1 tls=yes\ncertificate = @/apart.crt key=@/apart-key\n"
         "certificate = @/a.pem\ntls-min = 1.3\ntls-ciphers = ECDHE+AESGCM\ntls-curves = X25519\n"
         "tls-alpn = h2,http/1.1\ntls-tickets = no\nclient-ca = @/ca.pem\n"
         "client-verify = optional\nclient-crl = @/crl.pem\nclient-depth = 3\ntls-timeout = 5s\n",
         ""},
        {"what has no counterpart",
         "stream {\n server {\n listen 1 ssl;\n ssl_certificate @/a.pem;\n ssl_certificate_key "
         "@/a.pem;\n ssl_certificate $x.pem;\n ssl_certificate_key $x.key;\n ssl_protocols TLSv1 "
         "TLSv1.2;\n ssl_prefer_server_ciphers on;\n ssl_password_file x;\n proxy_pass "
         "198.51.100.1:1;\n }\n}\n",
         "certificate = @/a.pem\n-certificate = $x\ntls-max = 1.2\ntls-timeout = 1m\n",
         "6 lost: ssl_certificate $x.pem\n8 note: ssl_protocols\n9 note: "
         "ssl_prefer_server_ciphers\n"
         "10 lost: ssl_password_file"},
        {"keys of session tickets, which are not text",
         "stream {\n ssl_session_ticket_key @/new.key;\n ssl_session_ticket_key @/old.key;\n "
         "server "
         "{\n listen 1 ssl;\n ssl_certificate @/a.pem;\n ssl_certificate_key @/a.pem;\n "
         "proxy_pass 198.51.100.1:1;\n }\n}\n",
         "certificate = @/a.pem\n-tls-ticket-keys\n",
         "2 note: ssl_session_ticket_key @/new.key: the keys of tickets are the proxy's own; for "
         "tickets of other machines write each file as a line (base64 -w 0 FILE; echo) into one "
         "file, that of the first directive last but one, and name it with tls-ticket-keys\n"
         "3 note: ssl_session_ticket_key @/old.key: "},
        {"TLS to servers",
         "stream {\n upstream up {\n server 198.51.100.1:1;\n }\n server {\n listen 1;\n proxy_ssl "
         "on;\n proxy_ssl_verify on;\n proxy_ssl_trusted_certificate @/ca.pem;\n "
         "proxy_ssl_crl @/crl.pem;\n proxy_ssl_server_name on;\n proxy_ssl_name s.example;\n "
         "proxy_ssl_certificate @/a.pem;\n proxy_pass up;\n }\n server {\n listen 2;\n proxy_ssl "
         "on;\n proxy_ssl_crl @/crl.pem;\n proxy_pass up;\n }\n"
         " server {\n listen 3;\n proxy_pass up;\n }\n}\n",
         "server = 198.51.100.1-1 198.51.100.1:1 tls=yes verify=@/ca.pem crl=@/crl.pem "
         "sni=s.example cert=@/a.pem\nserver = 198.51.100.1-1 198.51.100.1:1 tls=yes verify=none\n"
         "server = 198.51.100.1-1 198.51.100.1:1\n[backend up-3]\n",
         ""},
        {"the name of the upstream is verified",
         "stream {\n upstream up {\n server 198.51.100.1:1;\n }\n server {\n listen 1;\n proxy_ssl "
         "on;\n proxy_ssl_verify on;\n proxy_ssl_trusted_certificate @/ca.pem;\n proxy_pass up;\n "
         "}\n}\n",
         "server = 198.51.100.1-1 198.51.100.1:1 tls=yes verify=@/ca.pem verify-name=up\n", ""},
    };
    EXPECT(import_nginx_text, cases);
}
END_TEST

#define ENDED "listen 1 ssl;\n ssl_certificate @/a.pem;\n ssl_certificate_key @/a.pem;\n "

START_TEST(variables_of_nginx)
{
    static const struct import_case cases[] = {
        {"the name of the handshake",
         "stream {\n map $ssl_server_name $x {\n a.example 198.51.100.1:1;\n default "
         "198.51.100.2:1;\n }\n server {\n " ENDED "proxy_pass $x;\n }\n}\n",
         "route = sni:a.example 198.51.100.1-1\nbackend = 198.51.100.2-1\n-route = silent reject\n"
         "-inspect-timeout = 30s\n",
         ""},
        {"the protocol that was chosen",
         "stream {\n map $ssl_alpn_protocol $x {\n h2 198.51.100.1:1;\n default "
         "198.51.100.2:1;\n }\n server {\n " ENDED "proxy_pass $x;\n }\n}\n",
         "route = alpn:h2 198.51.100.1-1\n", ""},
        {"certificates of clients",
         "stream {\n map $ssl_client_s_dn $x {\n \"\" 198.51.100.1:1;\n \"CN=a.example\" "
         "198.51.100.2:1;\n \"~CN=b\\.example(,|$)\" 198.51.100.3:1;\n ~OU=c 198.51.100.4:1;\n "
         "default 198.51.100.5:1;\n }\n map $ssl_client_verify $y {\n SUCCESS $x;\n default "
         "\"\";\n "
         "}\n server {\n " ENDED "ssl_verify_client optional;\n ssl_client_certificate @/ca.pem;\n "
         "proxy_pass $y;\n }\n}\n",
         "route = client-cert:yes client-cert:a.example 198.51.100.2-1\n"
         "route = client-cert:yes client-cert:b.example 198.51.100.3-1\n",
         "4 note: 'CN=a.example'\n5 note: '~CN=b\\.example(,|$)'\n6 lost: map: no condition"},
        {"without TLS",
         "stream {\n map $ssl_server_name $x {\n a.example 198.51.100.1:1;\n default "
         "198.51.100.2:1;\n }\n server {\n listen 1;\n proxy_pass $x;\n }\n}\n",
         "backend = 198.51.100.2-1\n-route = sni:a.example 198.51.100.1-1\n",
         "2 note: $ssl_server_name is empty without listen ... ssl"},
        {"a hash",
         "stream {\n upstream u {\n hash $ssl_server_name;\n server 198.51.100.1:1;\n }\n server "
         "{\n " ENDED "proxy_pass u;\n }\n}\n",
         "hash = sni\n", ""},
    };
    EXPECT(import_nginx_text, cases);
}
END_TEST

/* What guards a frontend cannot be read: nobody comes in, rather than everybody. */
START_TEST(without_its_authorities_a_frontend_is_left_out)
{
    static const char *const texts[] = {
        DEFAULTS "listen a\n bind :1 ssl crt @/a.pem verify required ca-file @/none.pem\n"
                 " server s 198.51.100.1:1\n",
        DEFAULTS "listen a\n bind :1 ssl crt @/a.pem verify required ca-file @/ca.pem crl-file "
                 "@/none.pem\n server s 198.51.100.1:1\n",
        "stream {\n ssl_client_certificate @/none.pem;\n ssl_verify_client on;\n ssl_certificate "
        "@/a.pem;\n ssl_certificate_key @/a.pem;\n server {\n listen 1 ssl;\n proxy_pass "
        "198.51.100.1:1;\n }\n server {\n listen 2 ssl;\n proxy_pass 198.51.100.1:1;\n }\n}\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct import import;
        char *text = with_folder(texts[i]), *wrong, *settled;
        if (i < 2)
            import_haproxy_text(&import, "a.cfg", text, strlen(text));
        else
            import_nginx_text(&import, "a.conf", text, strlen(text));
        settled = import_settle(&import, "a test", &wrong);
        ck_assert_uint_gt(import.lost, 0);
        ck_assert_msg(settled && !strstr(settled, "\nbind ="), "%s", settled ? settled : wrong);
        free(settled);
        free(wrong);
        free(text);
        import_free(&import);
    }
}
END_TEST

Suite *import_tls_suite(void)
{
    Suite *suite = suite_create("import_tls");
    TCase *tcase = tcase_create("import_tls");
    tcase_add_checked_fixture(tcase, begin, folder_remove);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, binds_of_haproxy);
    tcase_add_test(tcase, conditions_of_haproxy);
    tcase_add_test(tcase, list_of_haproxy);
    tcase_add_test(tcase, servers_of_haproxy);
    tcase_add_test(tcase, servers_of_nginx);
    tcase_add_test(tcase, variables_of_nginx);
    tcase_add_test(tcase, without_its_authorities_a_frontend_is_left_out);
    suite_add_tcase(suite, tcase);
    return suite;
}
