/* What becomes of the block stream of nginx. */
#include "reload/cli/settle.h"
#include "tests/unit/config/import/importing.h"
#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>

#define EXPECT_ALL(cases)                                                                          \
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)                                      \
    expect_imported(import_nginx_text, &cases[i])

START_TEST(defaults_of_nginx)
{
    static const struct import_case cases[] = {
        {"nothing is said", "stream {\n server {\n listen 1;\n proxy_pass 198.51.100.1:2;\n }\n}\n",
         "[frontend port-1]\nbind = 0.0.0.0:1\nbackend = 198.51.100.1-2\nidle-timeout = 10m\n"
         "[backend 198.51.100.1-2]\nserver = 198.51.100.1-2 198.51.100.1:2\nconnect-timeout = 1m\n"
         "retries = 0\n-access-log\n-max-fails\n",
         ""},
        {"all is said",
         "worker_processes 3;\nstream {\n proxy_timeout 30;\n access_log /x;\n upstream u {\n"
         " least_conn;\n server 198.51.100.1:1 weight=3 max_conns=9 max_fails=2 fail_timeout=5s;\n"
         " server 198.51.100.2:1 backup max_fails=2 fail_timeout=5s;\n"
         " server unix:/run/u down max_fails=2 fail_timeout=5s;\n zone u 64k;\n }\n server {\n"
         " listen [::]:1 ipv6only=off so_keepalive=on backlog=7 proxy_protocol;\n proxy_pass u;\n"
         " set_real_ip_from 10.0.0.0/8;\n proxy_timeout \"1h 30m\";\n proxy_connect_timeout 2;\n"
         " proxy_protocol on;\n proxy_socket_keepalive on;\n proxy_bind 127.0.0.1;\n"
         " proxy_next_upstream_tries 2;\n }\n}\n",
         "workers = 3\nbind = 0.0.0.0:1 accept-proxy=any backlog=7\n"
         "bind = [::]:1 accept-proxy=any backlog=7\nidle-timeout = 90m\naccess-log = yes\n"
         "[backend u]\nbalance = leastconn\nbackup = all\nmax-fails = 2\nfail-window = 5s\n"
         "eject-time = 5s\nmax-ejected = 100%\nretries = 1\nconnect-timeout = 2s\n"
         "source = 127.0.0.1\nqueue-timeout = 1ms\n"
         "server = 198.51.100.1-1 198.51.100.1:1 weight=3 maxconn=9 send-proxy=v1\n"
         "server = 198.51.100.2-1 198.51.100.2:1 backup send-proxy=v1\n"
         "server = run-u unix:/run/u weight=0 send-proxy=v1\n",
         "9 note: server unix:/run/u: down: weight=0"},
        {"what two servers lead to in two ways",
         "stream {\n upstream u {\n server 198.51.100.1:1;\n }\n server {\n listen 1;\n proxy_pass "
         "u;\n }\n server {\n listen 2;\n proxy_pass u;\n proxy_protocol on;\n }\n server {\n"
         " listen 3;\n proxy_pass u;\n }\n}\n",
         "[frontend u]\n[frontend u-2]\n[frontend u-3]\nbackend = u\nbackend = u-2\n[backend u]\n"
         "[backend u-2]\n-[backend u-3]\n",
         ""},
        {"the source of connections",
         "stream {\n proxy_bind $remote_addr transparent;\n server {\n listen 1;\n proxy_pass "
         "198.51.100.1:2;\n }\n}\n",
         "source = client\n", ""},
        {"names", "stream {\n server {\n listen 1;\n proxy_pass a.example:2;\n }\n}\n",
         "server = a.example-2 a.example:2 resolve=all\nresolve = start\nstart-unresolved = down\n",
         "4 note: a name without an address"},
        {"a hash",
         "stream {\n upstream a {\n hash $remote_addr consistent;\n server "
         "198.51.100.1:1;\n }\n upstream b {\n hash $binary_remote_addr;\n server "
         "198.51.100.1:1;\n }\n upstream c {\n hash $ssl_preread_server_name;\n server "
         "198.51.100.1:1;\n }\n server {\n listen 1;\n proxy_pass a;\n }\n server {\n"
         " listen 2;\n proxy_pass b;\n }\n server {\n listen 3;\n proxy_pass c;\n }\n}\n",
         "balance = maglev\nbalance = source\nhash = sni\nhash-prefix = 128\n", ""},
        {"a file of conf.d",
         "upstream u {\n server 198.51.100.1:1;\n}\nserver {\n listen 1-3;\n"
         " proxy_pass u;\n}\n",
         "[frontend u]\nbind = 0.0.0.0:1-3\n", "0 note: there is no block stream"},
    };
    EXPECT_ALL(cases);
}
END_TEST

#define MAPPED(map)                                                                                \
    "stream {\n upstream a {\n server 198.51.100.1:1;\n }\n" map                                   \
    " server {\n listen 1;\n proxy_pass $x;\n ssl_preread on;\n }\n}\n"

START_TEST(variables)
{
    static const struct import_case cases[] = {
        {"names: exact ones first, then the longest, then expressions",
         MAPPED("map $ssl_preread_server_name $x {\n hostnames;\n default a;\n"
                "~^(www\\.)?r\\.example$ 198.51.100.5:1;\n *.b.example 198.51.100.2:1;\n"
                ".c.b.example 198.51.100.3:1;\n d.b.example 198.51.100.4:1;\n \"\" a;\n }\n"),
         "route = sni:d.b.example 198.51.100.4-1\nroute = !sni:* a\n"
         "route = sni:c.b.example,*.c.b.example 198.51.100.3-1\n"
         "route = sni:*.b.example 198.51.100.2-1\n"
         "route = sni:www.r.example,r.example 198.51.100.5-1\nroute = silent reject\n"
         "backend = a\ninspect-timeout = 30s\n",
         ""},
        {"no default: closed",
         MAPPED("map $ssl_preread_server_name $x {\n a.example a;\n b.example \"\";\n }\n"),
         "route = sni:a.example a\nroute = sni:b.example reject\nbackend = reject\n", ""},
        {"a map behind a map, and a part of a value",
         MAPPED("map $ssl_preread_alpn_protocols $x {\n ~\\bacme-tls/1\\b 198.51.100.9:1;\n"
                " default $y:443;\n }\n map $ssl_preread_server_name $y {\n a.example "
                "198.51.100.2;\n default 198.51.100.3;\n }\n"),
         "route = alpn:acme-tls/1 198.51.100.9-1\nroute = sni:a.example 198.51.100.2-443\n"
         "backend = 198.51.100.3-443\n",
         ""},
        {"TLS or not",
         MAPPED("map $ssl_preread_protocol $x {\n \"\" a;\n \"TLSv1.3\" 198.51.100.2:1;\n"
                " default 198.51.100.3:1;\n }\n"),
         "route = !tls:yes a\nroute = tls:yes 198.51.100.2-1\nbackend = 198.51.100.3-1\n",
         "7 note: TLSv1.3: any version"},
        {"addresses: the longest prefix first",
         MAPPED("geo $x {\n default a;\n 10.0.0.0/8 198.51.100.2:1;\n 10.1.0.0/16 "
                "198.51.100.3:1;\n }\n"),
         "route = src:10.1.0.0/16 198.51.100.3-1\nroute = src:10.0.0.0/8 198.51.100.2-1\n"
         "backend = a\n",
         ""},
        {"whatever the client names",
         "stream {\n resolver 192.0.2.53 valid=30s ipv6=off;\n server {\n listen 443;\n"
         " ssl_preread on;\n proxy_pass $ssl_preread_server_name:$server_port;\n }\n}\n",
         "resolver = 192.0.2.53\nresolve-min = 30s\nresolve-max = 30s\n"
         "server = any sni:443 allow=*\nresolve-family = ipv4\n",
         "6 note: any name"},
        {"what the ports are",
         "stream {\n map $server_port $x {\n 1 198.51.100.1:1;\n 2 198.51.100.2:1;\n }\n server {\n"
         " listen 1;\n listen 2;\n proxy_pass $x;\n }\n}\n",
         "route = dst-port:1 198.51.100.1-1\nbackend = 198.51.100.2-1\n", ""},
        {"without ssl_preread names are empty",
         "stream {\n map $ssl_preread_server_name $x {\n a.example 198.51.100.1:1;\n default "
         "198.51.100.2:1;\n }\n server {\n listen 1;\n proxy_pass $x;\n }\n}\n",
         "backend = 198.51.100.2-1\n-route\n", "2 note: $ssl_preread_server_name is empty"},
        {"the environment",
         "stream {\n server {\n listen 1;\n proxy_pass ${IMPORT_HOST}:5;\n }\n}\n",
         "server = IMPORT_HOST-5 ${IMPORT_HOST:-b.example}:5 resolve=all\n", NULL},
        {"what cannot be said",
         MAPPED("map $ssl_preread_server_name $x {\n ~foo a;\n default a;\n }\n split_clients "
                "$remote_addr $z {\n 10% a;\n * b;\n }\n"),
         "backend = a\n", "6 lost: map: no condition"},
        {"a circle", MAPPED("map $x $x {\n default $x;\n }\n"), "backend = reject\n",
         "5 lost: $x: variables lead in a circle\n10 lost: proxy_pass $x"},
    };
    setenv("IMPORT_HOST", "b.example", 1);
    EXPECT_ALL(cases);
}
END_TEST

/* More names than a frontend has routes. */
START_TEST(large_maps)
{
    static const unsigned counts[] = {3000, 12000};
    for (size_t i = 0; i < 2; i++) {
        struct import import;
        char *text;
        size_t length;
        FILE *out = open_memstream(&text, &length);
        fputs("stream {\nmap $ssl_preread_server_name $x {\ndefault 198.51.100.1:9;\n", out);
        for (unsigned j = 0; j < counts[i]; j++)
            fprintf(out, "n%u.example 198.51.100.1:%u;\n", j, 1 + j % 9);
        fputs("}\nserver { listen 1; ssl_preread on; proxy_pass $x; }\n}\n", out);
        fclose(out);
        import_nginx_text(&import, "a.conf", text, length);
        ck_assert_uint_eq(import.lost, i == 0 ? 0 : 2);
        char *wrong, *settled = import_settle(&import, "a test", &wrong);
        ck_assert_ptr_nonnull(settled);
        free(settled);
        free(text);
        import_free(&import);
    }
}
END_TEST

START_TEST(who_may_come_in)
{
    static const struct import_case cases[] = {
        {"access lists and limits",
         "stream {\n limit_conn_zone $binary_remote_addr zone=z:1m;\n deny all;\n server {\n "
         "listen "
         "1;\n allow 10.0.0.0/8;\n deny all;\n limit_conn z 5;\n proxy_pass 198.51.100.1:1;\n }\n"
         " server {\n listen 2;\n proxy_pass 198.51.100.1:1;\n }\n}\n",
         "[frontend port-1]\nallow = 10.0.0.0/8\ndeny = any\nmax-sessions-per-source = 5\n"
         "[frontend port-2]\n",
         ""},
        {"what is lost",
         "http {\n server {\n listen 80;\n }\n}\nstream {\n server {\n listen 53 udp;\n proxy_pass "
         "198.51.100.1:53;\n }\n server {\n listen 2 udp;\n listen 3;\n proxy_pass "
         "198.51.100.1:1;\n proxy_upload_rate 1k;\n bogus;\n }\n server {\n listen 4;\n"
         " proxy_pass 198.51.100.1:1;\n proxy_ssl on;\n }\n server {\n listen 5;\n return x;\n }\n"
         " server {\n listen 3;\n proxy_pass 198.51.100.1:1;\n }\n include x;\n}\n",
         "bind = 0.0.0.0:3\n-bind = 0.0.0.0:2\nbind = 0.0.0.0:4\n-bind = 0.0.0.0:53\n"
         "server = 198.51.100.1-1 198.51.100.1:1 tls=yes verify=none\n",
         "1 lost: http\n8 lost: listen 53 udp\n12 lost: listen 2 udp\n15 lost: proxy_upload_rate\n"
         "16 lost: bogus: not known\n23 lost: a server without proxy_pass\n"
         "25 lost: return x\n28 lost: listen 0.0.0.0:3\n31 lost: include x"},
        {"quotes, comments, and braces that do not fit",
         "stream { # a comment {\n server { listen \"1\"; proxy_pass '198.51.100.1:1'; }\n"
         " server { listen 2; proxy_pass 198.51.100.1:1; }\n",
         "bind = 0.0.0.0:1\nbind = 0.0.0.0:2\n", "1 lost: stream: its '}' is missing"},
    };
    EXPECT_ALL(cases);
}
END_TEST

Suite *import_nginx_suite(void)
{
    Suite *suite = suite_create("import_nginx");
    TCase *test = tcase_create("import_nginx");
    tcase_add_test(test, defaults_of_nginx);
    tcase_add_test(test, variables);
    tcase_add_test(test, large_maps);
    tcase_add_test(test, who_may_come_in);
    suite_add_tcase(suite, test);
    return suite;
}
