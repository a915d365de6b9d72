/* What becomes of a haproxy.cfg. */
#include "reload/cli/settle.h"
#include "tests/unit/config/import/importing.h"
#include "tests/unit/suites.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Timeouts that need no further lines, and options that need no notes. */
#define DEFAULTS                                                                                   \
    "defaults\n mode tcp\n timeout connect 5s\n timeout client 1m\n timeout server 1m\n"           \
    " option redispatch\n option tcpka\n"

#define EXPECT_ALL(cases)                                                                          \
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)                                      \
    expect_imported(import_haproxy_text, &cases[i])

START_TEST(timeouts)
{
    static const struct import_case cases[] = {
        {"the shorter one of both sides counts",
         "defaults\n mode tcp\n timeout connect 4000\n timeout client 30m\n timeout server 1d\n"
         "listen a\n bind :1\n server s 198.51.100.1:1\n",
         "[listen a]\nidle-timeout = 30m\nconnect-timeout = 4s\nkeepalive = no\n", ""},
        {"none at all", "listen a\n bind :1\n server s 198.51.100.1:1\n",
         "idle-timeout = 0s\nconnect-timeout = 130s\n", ""},
        {"a tunnel", DEFAULTS "listen a\n bind :1\n timeout tunnel 2h\n server s 198.51.100.1:1\n",
         "idle-timeout = 2h\nkeepalive = yes\n", ""},
        {"frontend and backend",
         DEFAULTS "frontend f\n bind :1\n timeout client 10m\n default_backend b\n"
                  "backend b\n timeout server 20s\n server s 198.51.100.1:1\n",
         "[frontend f]\nidle-timeout = 10m\n[backend b]\nidle-timeout = 20s\n", ""},
        {"a server timeout that never fires",
         DEFAULTS "frontend f\n bind :1\n default_backend b\n"
                  "backend b\n timeout server 3h\n server s 198.51.100.1:1\n",
         "idle-timeout = 1m\n-idle-timeout = 3h\n", ""},
        {"half-closed",
         DEFAULTS "listen a\n bind :1\n timeout client-fin 30s\n timeout server-fin 20s\n"
                  " server s 198.51.100.1:1\n",
         "fin-timeout = 20s\n", "11 note: timeout client-fin"},
        {"the queue waits as long as a connect",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 maxconn 5\n",
         "queue-timeout = 5s\nserver = s 198.51.100.1:1 maxconn=5\n", ""},
        {"old names",
         "listen a 192.0.2.9:80\n contimeout 3000\n clitimeout 7000\n srvtimeout 8000\n"
         " server s 198.51.100.1:1\n",
         "bind = 192.0.2.9:80\nconnect-timeout = 3s\nidle-timeout = 7s\n", ""},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(defaults_sections)
{
    static const struct import_case cases[] = {
        {"the last nameless one counts, and a named one by its name",
         "defaults one\n mode tcp\n timeout connect 1s\n timeout client 1s\n timeout server 1s\n"
         "defaults two from one\n timeout connect 2s\n"
         "listen a from one\n bind :1\n server s 198.51.100.1:1\n"
         "listen b\n bind :2\n server s 198.51.100.1:1\n",
         "[listen a]\nconnect-timeout = 1s\n[listen b]\nconnect-timeout = 2s\n"
         "[defaults]\nidle-timeout = 1s\n",
         ""},
        {"http in the defaults, tcp in the section",
         "defaults\n mode http\n option httplog\nlisten a\n mode tcp\n bind :1\n server s "
         "198.51.100.1:1\nbackend web\n server s 198.51.100.1:1\n",
         "[listen a]\n-[backend web]\n", "8 lost: backend web: mode http"},
        {"a section that is turned off",
         DEFAULTS "listen a\n bind :1\n disabled\n server s 198.51.100.1:1\n"
                  "listen b\n bind :2\n server s 198.51.100.1:1\n",
         "-[listen a]\n[listen b]\n", "8 note: listen a is disabled"},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(binds)
{
    static const struct import_case cases[] = {
        {"lists, ranges, Unix sockets",
         DEFAULTS "listen a\n bind 192.0.2.9:1,192.0.2.10:2-4\n bind *:5\n"
                  " bind /run/a.sock mode 600\n server s 198.51.100.1:1\n",
         "bind = 192.0.2.9:1\nbind = 192.0.2.10:2-4\nbind = 0.0.0.0:5\n"
         "bind = unix:/run/a.sock mode=600\n",
         ""},
        {"IPv6 takes IPv4 as well unless it is told not to",
         DEFAULTS "listen a\n bind :::1\n bind [::]:2 v6only\n bind :::3\n bind :3\n"
                  " server s 198.51.100.1:1\n",
         "bind = 0.0.0.0:1\nbind = [::]:1\nbind = [::]:2\n-bind = 0.0.0.0:2\nbind = [::]:3\n"
         "bind = 0.0.0.0:3\n",
         ""},
        {"more ports than a bind may have",
         DEFAULTS "listen a\n bind :10000-12000\n server s 198.51.100.1\n",
         "bind = 0.0.0.0:10000-10999\nbind = 0.0.0.0:11000-11999\nbind = 0.0.0.0:12000\n"
         "server = s 198.51.100.1\n",
         ""},
        {"the same address twice",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1\n"
                  "listen b\n bind :1\n bind :2\n server s 198.51.100.1:1\n",
         "bind = 0.0.0.0:2\n", "12 lost: bind 0.0.0.0:1: another bind"},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(servers)
{
    static const struct import_case cases[] = {
        {"what stands on a line",
         DEFAULTS
         "listen a\n bind :1\n default-server weight 5 backup\n"
         " server x:1 [2001:db8::1]:2 send-proxy-v2 proxy-v2-options crc32c,ssl,cert-cn,x\n"
         " server y 2001:db8::2:3 no-backup weight 7 send-proxy\n server z /run/z\n"
         " server n 198.51.100.1:+1000\n server off 198.51.100.2:1 disabled\n",
         "server = x-1 [2001:db8::1]:2 weight=5 send-proxy=v2 proxy-tlv=crc32c,ssl backup\n"
         "server = y [2001:db8::2]:3 weight=7 send-proxy=v1\n"
         "server = z unix:/run/z weight=5 backup\nserver = n 198.51.100.1:+1000 weight=5 backup\n"
         "server = off 198.51.100.2:1 weight=0 backup\n",
         "11 note: server x:1: proxy-v2-options x is not known here\n"
         "15 note: server off: disabled"},
        {"what TLS with the client has shown",
         DEFAULTS
         "listen a\n bind :1\n server s 198.51.100.1:1 send-proxy-v2-ssl\n"
         " server t 198.51.100.2:1 send-proxy-v2-ssl-cn proxy-v2-options unique-id,cert-cn,crc32c\n"
         " server u 198.51.100.3:1 send-proxy-v2-ssl send-proxy-v2\n"
         " server v 198.51.100.4:1 send-proxy-v2 proxy-v2-options ssl\n"
         " server w 198.51.100.5:1 send-proxy-v2 proxy-v2-options ssl,cert-cn,ssl-cipher,"
         "cert-sig,cert-key\n"
         "listen b\n bind :2\n default-server send-proxy-v2-ssl-cn\n server s 198.51.100.1:2\n"
         " server t 198.51.100.2:2 no-send-proxy-v2\n"
         " server u 198.51.100.3:2 no-send-proxy-v2-ssl send-proxy\n"
         " server v 198.51.100.4:2 no-send-proxy-v2-ssl-cn send-proxy-v2\n",
         "server = s 198.51.100.1:1 send-proxy=v2 proxy-tlv=ssl\n"
         "server = t 198.51.100.2:1 send-proxy=v2 proxy-tlv=ssl,unique-id,crc32c\n"
         "server = u 198.51.100.3:1 send-proxy=v2 proxy-tlv=ssl\n"
         "server = v 198.51.100.4:1 send-proxy=v2 proxy-tlv=ssl\n"
         "server = w 198.51.100.5:1 send-proxy=v2 proxy-tlv=ssl\n"
         "server = s 198.51.100.1:2 send-proxy=v2 proxy-tlv=ssl\n"
         "server = t 198.51.100.2:2\nserver = u 198.51.100.3:2 send-proxy=v1\n"
         "server = v 198.51.100.4:2 send-proxy=v2\n",
         ""},
        {"names", DEFAULTS "listen a\n bind :1\n server s a.example:1\n",
         "server = s a.example:1\nresolve = start\nstart-unresolved = down\n",
         "10 note: a name without an address"},
        {"names that are asked for again",
         "resolvers r\n nameserver a 192.0.2.53:53\n nameserver b 192.0.2.54:53\n hold valid 20s\n"
         " timeout retry 2s\n" DEFAULTS
         "listen a\n bind :1\n server-template w 3 _web._tcp.example resolvers r init-addr none\n"
         " server-template v 1-2 a.example:1 resolvers r init-addr none\n",
         "resolver = 192.0.2.53:53 192.0.2.54:53\nresolve-max = 20s\nresolve-timeout = 6s\n"
         "server = w srv:_web._tcp.example resolve=all max=3\n"
         "server = v a.example:1 resolve=all max=2\nstart-unresolved = down\n-resolve = start\n",
         ""},
        {"TLS to a server",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 ssl verify none\n"
                  " server t 198.51.100.2:1\n",
         "server = s 198.51.100.1:1 tls=yes verify=none\nserver = t 198.51.100.2:1\n", ""},
        {"a server behind another proxy is not reached directly",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 socks4 198.51.100.9:1080 "
                  "check-via-socks4\n server t 198.51.100.2:1\n",
         "-server = s\nserver = t 198.51.100.2:1\n",
         "10 lost: server s: connections through SOCKS; it is left out"},
        {"one server at a time",
         DEFAULTS
         "listen a\n bind :1\n stick-table type ip size 1\n stick on dst\n"
         " server s 198.51.100.1:1\n server t 198.51.100.2:1 backup\n server u 198.51.100.3:1\n",
         "failback = no\nserver = s 198.51.100.1:1\nserver = t 198.51.100.2:1 backup\n"
         "server = u 198.51.100.3:1 backup\n",
         "11 note: a stick table with one key"},
        {"by address",
         DEFAULTS "listen a\n bind :1\n balance leastconn\n stick-table type ip size "
                  "1m expire 1h\n stick on src\n server s 198.51.100.1:1\n",
         "balance = source\nhash-prefix = 128\n", "12 note: stick on src"},
        {"balance",
         DEFAULTS "listen a\n bind :1\n balance source\n hash-type consistent\n"
                  " option allbackups\n server s 198.51.100.1:1\n",
         "balance = maglev\nbackup = all\nhash-prefix = 128\n", ""},
        {"the source of connections",
         DEFAULTS "listen a\n bind :1\n source 0.0.0.0 usesrc clientip\n server s "
                  "198.51.100.1:1\nlisten b\n bind :2\n source 127.0.0.2:0\n server s "
                  "198.51.100.1:1\nlisten c\n bind :3\n server s 198.51.100.1:1 source "
                  "127.0.0.3\nlisten d\n bind :4\n source 0.0.0.0 interface eth9\n server s "
                  "198.51.100.1:1\n",
         "source = client\nsource = 127.0.0.2\nsource = 127.0.0.3\n",
         "21 lost: source 0.0.0.0 interface"},
        {"whatever name the client asks for",
         "resolvers r\n nameserver a 192.0.2.53:53\n" DEFAULTS
         "listen a\n bind :443\n tcp-request inspect-delay 5s\n"
         " tcp-request content do-resolve(txn.ip,r,ipv4) req.ssl_sni\n"
         " tcp-request content set-dst var(txn.ip)\n server s 0.0.0.0:8443\n",
         "server = s sni:8443 allow=*\nresolve-family = ipv4\nresolver = 192.0.2.53:53\n",
         "15 note: any name that a client asks for"},
        {"connections to where the client wanted to go",
         DEFAULTS "listen a\n bind :443\n server s 0.0.0.0:8443\n server t 198.51.100.1:1\n",
         "-server = s\n", "10 lost: server s: connections to the address"},
        {"a part of the address",
         DEFAULTS "listen a\n bind :1\n balance hash src,ipmask(32,56)\n server s "
                  "198.51.100.1:1\n",
         "balance = source\nhash-prefix = 56\n", ""},
        {"a server for some clients",
         DEFAULTS "frontend a\n bind :1\n default_backend b\n"
                  "backend b\n use-server s if { src 192.0.2.0/24 }\n use-server t unless "
                  "{ src 192.0.2.0/24 }\n server s 198.51.100.1:1\n server t 198.51.100.2:1\n",
         "[frontend a]\nbackend = b\n[backend b]\nserver = s 198.51.100.1:1\n"
         "server = t 198.51.100.2:1\n-route\n",
         "12 lost: use-server s if { src 192.0.2.0/24 }: give the server a backend of its own, and "
         "a route\n13 lost: use-server t unless { src 192.0.2.0/24 }: give the server a backend "
         "of its own, and a route\n"},
        {"no counterpart",
         DEFAULTS "listen a\n bind :1\n balance url_param x\n use-server s if { src 192.0.2.7 }\n"
                  " server s 198.51.100.1:1 on-marked-up shutdown-backup-sessions bogus\n",
         "[listen a]\n",
         "10 lost: balance url_param\n11 lost: use-server\n12 lost: server: 'bogus'\n"
         "12 lost: server: on-marked-up"},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(checks)
{
    static const struct import_case cases[] = {
        {"tcp",
         DEFAULTS "listen a\n bind :1\n timeout check 10s\n"
                  " server s 198.51.100.1:1 check inter 7s fastinter 500 rise 3 fall 4\n",
         "check = tcp\ncheck-interval = 7s\ncheck-interval-fast = 500ms\ncheck-timeout = 5s\n"
         "rise = 3\nfall = 4\n",
         ""},
        {"http, as it is by default",
         DEFAULTS "listen a\n bind :1\n option httpchk\n server s 198.51.100.1:1 check\n",
         "check = http\ncheck-method = OPTIONS\n-check-path\n-check-status\n", ""},
        {"http with one word",
         DEFAULTS "listen a\n bind :1\n option httpchk /up\n server s 198.51.100.1:1 check\n",
         "check-method = OPTIONS\ncheck-path = /up\n", ""},
        {"http with headers in the version, and a text",
         DEFAULTS "listen a\n bind :1\n"
                  " option httpchk GET /x HTTP/1.1\\r\\nHost:\\ a.example\\r\\nX-A:\\ 1\n"
                  " http-check expect string all\\ well\n server s 198.51.100.1:1 check port 80\n",
         "check-path = /x\ncheck-host = a.example\ncheck-header = X-A: 1\ncheck-body = all well\n"
         "check-status = 100-599\nserver = s 198.51.100.1:1 check-port=80\n-check-method\n",
         ""},
        {"http-check send, and a status that must not be",
         DEFAULTS "listen a\n bind :1\n option httpchk\n http-check connect port 81 ssl\n"
                  " http-check send meth HEAD uri /y ver HTTP/1.1 hdr Host b.example\n"
                  " http-check expect ! rstatus ^5\n server s 198.51.100.1:1 check\n",
         "check-method = HEAD\ncheck-path = /y\ncheck-host = b.example\ncheck-port = 81\n"
         "check-tls = yes\ncheck-status = 100-499\n",
         ""},
        {"the steps of tcp-check",
         DEFAULTS "listen a\n bind :1\n option tcp-check\n tcp-check connect port 6380\n"
                  " tcp-check send PING\\r\\n\n tcp-check expect string +PONG\n"
                  " tcp-check send-binary 0a\n tcp-check expect rstring role:(a|b)\n"
                  " tcp-check expect ! string x\n server s 198.51.100.1:1 check\n",
         "check = steps\ncheck-port = 6380\ncheck-step = send PING\\r\\n\n"
         "check-step = expect +PONG\ncheck-step = send-hex 0a\n"
         "check-step = expect-regex role:(a|b)\n",
         "16 lost: tcp-check: this kind of expect\n16 note: tcp-check: what is expected after"},
        {"the port of a connect comes before that of a server",
         DEFAULTS "listen a\n bind :1\n option tcp-check\n tcp-check connect port 5\n"
                  " server s 198.51.100.1:1 check port 6\n",
         "check = tcp\ncheck-port = 5\nserver = s 198.51.100.1:1\n", ""},
        {"a tcp-check that only connects",
         DEFAULTS "listen a\n bind :1\n option tcp-check\n tcp-check connect ssl\n server s "
                  "198.51.100.1:1 check\n",
         "check = tls\n-check-step\n", ""},
        {"databases",
         DEFAULTS "listen a\n bind :1\n option mysql-check user u post-41\n server s "
                  "198.51.100.1:1 check\nlisten b\n bind :2\n option pgsql-check user p\n"
                  " server s 198.51.100.1:1 check\nlisten c\n bind :3\n option redis-check"
                  "\n server s 198.51.100.1:1 check\nlisten d\n bind :4\n option ldap-check"
                  "\n server s 198.51.100.1:1 check\nlisten e\n bind :5\n"
                  " option smtpchk EHLO m.example\n server s 198.51.100.1:1 check\n",
         "check = mysql\ncheck-user = u\ncheck = pgsql\ncheck-user = p\ncheck = redis\n"
         "check-step = send-hex 300c020101600702010304008000\ncheck = smtp\n"
         "check-host = m.example\n",
         ""},
        {"through TLS",
         DEFAULTS "listen a\n bind :1\n option httpchk GET /\n server s 198.51.100.1:1 "
                  "check check-ssl verify none check-sni a.example\n",
         "check-tls = yes\ncheck-sni = a.example\n", ""},
        {"sessions of a server that goes down, errors of sessions, slow start",
         DEFAULTS "listen a\n bind :1\n default-server on-marked-down shutdown-sessions observe "
                  "layer4 error-limit 7 slowstart 20s\n server s 198.51.100.1:1 check\n",
         "on-down = close\nmax-fails = 7\nslow-start = 20s\n", "10 note: observe"},
        {"servers that differ",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 check inter 3s\n"
                  " server t 198.51.100.2:1 check inter 4s\n server u 198.51.100.3:1\n",
         "check-interval = 3s\n",
         "11 note: server t (4s): inter differs in HAProxy; here the whole backend has 3s\n"
         "12 note: server u: no checks in HAProxy"},
        {"servers that differ in all",
         DEFAULTS "listen a\n bind :1\n server a 198.51.100.1:1 check inter 1s rise 1\n"
                  " server b 198.51.100.2:1 check inter 2s rise 2 disabled\n"
                  " server c 198.51.100.3:1 check rise 2 disabled\n"
                  " server d 198.51.100.4:1 check inter 4s rise 4 disabled\n"
                  " server e 198.51.100.5:1 check inter 5s rise 5 disabled\n"
                  " server f 198.51.100.6:1 check inter 6s rise 1 disabled\n"
                  " server g 198.51.100.7:1 check inter 7s rise 7 disabled\n"
                  "listen b\n bind :2\n server a 198.51.100.1:1 check inter 1s\n"
                  " server b 198.51.100.2:1 check inter 2s\n",
         "",
         "11 note: servers b, c, d, e and 2 more: disabled: weight=0 keeps\n"
         "11 note: servers b (2s), c (not given), d (4s), e (5s) and 2 more: inter differs in "
         "HAProxy; "
         "here the whole backend has 1s\n"
         "11 note: servers b (2), c (2), d (4), e (5) and g (7): rise differs in HAProxy\n"
         "20 note: server b (2s): inter differs in HAProxy; here the whole backend has 1s"},
        {"an agent, and one server that follows another",
         DEFAULTS "listen a\n bind :1\n server s 198.51.100.1:1 agent-check agent-port 99\n"
                  "listen b\n bind :2\n server s 198.51.100.1:1 track a/s\n",
         "check = agent\ncheck-port = 99\nserver = s 198.51.100.1:1 check-track=a/s\n", ""},
    };
    EXPECT_ALL(cases);
}
END_TEST

#define TWO "backend one\n server s 198.51.100.1:1\nbackend two\n server s 198.51.100.2:1\n"

START_TEST(routes)
{
    static const struct import_case cases[] = {
        {"names",
         DEFAULTS TWO "frontend f\n bind :1\n tcp-request inspect-delay 3s\n"
                      " tcp-request content accept if { req.ssl_hello_type 1 }\n"
                      " acl a req_ssl_sni -i a.example b.example\n"
                      " acl b req.ssl_sni -m end .c.example\n acl b req.ssl_sni -m reg -i "
                      "^(www\\.)?d\\.example$\n"
                      " use_backend one if a !b or { src 192.0.2.0/24 10.0.0.1 }\n"
                      " use_backend two if b\n default_backend one\n",
         "route = sni:a.example,b.example !sni:*.c.example !sni:www.d.example,d.example one\n"
         "route = src:192.0.2.0/24,10.0.0.1 one\nroute = sni:*.c.example two\n"
         "route = sni:www.d.example,d.example two\nbackend = one\ninspect-timeout = 3s\n",
         ""},
        {"first bytes, ports, usable backends",
         DEFAULTS TWO "frontend f\n bind :1\n tcp-request inspect-delay 3s\n"
                      " use_backend one if { payload(0,7) -m bin 5353482d322e30 }\n"
                      " use_backend two if { req.payload(0,4) -m str SSH- } { dst_port 22:23 }\n"
                      " use_backend two unless { nbsrv(one) ge 1 }\n"
                      " use_backend two if { req.len 0 }\n use_backend one if HTTP\n"
                      " use_backend one if { req.ssl_alpn h2 }\n",
         "route = begins-hex:5353482d322e30 one\nroute = begins:SSH- dst-port:22-23 two\n"
         "route = !usable:one two\nroute = silent two\nroute = http:yes one\n"
         "route = alpn:h2 one\nbackend = reject\n",
         "20 note: the first protocol"},
        {"what is rejected",
         DEFAULTS TWO "frontend f\n bind :1\n tcp-request inspect-delay 3s\n"
                      " tcp-request content accept if { req.ssl_hello_type 1 }\n"
                      " tcp-request content reject if { src 10.0.0.9 }\n"
                      " tcp-request content reject\n default_backend one\n",
         "route = src:10.0.0.9 !tls:yes reject\nroute = !tls:yes reject\n", ""},
        {"access lists",
         DEFAULTS TWO "frontend f\n bind :1\n tcp-request connection accept if { src 10.0.0.0/8 }\n"
                      " tcp-request connection reject if { src 192.0.2.0/24 }\n"
                      " tcp-request connection reject if !{ src 198.51.100.0/24 }\n"
                      " default_backend one\n",
         "allow = 10.0.0.0/8\ndeny = 192.0.2.0/24\nallow = 198.51.100.0/24\ndeny = any\n", ""},
        {"limits of a source",
         DEFAULTS TWO "frontend f\n bind :1\n stick-table type ip size 100k expire 30s store "
                      "conn_rate(1s),conn_cur\n tcp-request connection track-sc0 src\n"
                      " tcp-request connection reject if { src_conn_rate gt 20 }\n"
                      " tcp-request connection reject if { sc0_conn_cur ge 11 }\n"
                      " tcp-request connection expect-proxy layer4 if { src 10.1.0.0/16 }\n"
                      " default_backend one\n",
         "rate-per-source = 20/s\nmax-sessions-per-source = 10\naccept-proxy = 10.1.0.0/16\n",
         "16 note: a rate"},
        {"names of backends",
         DEFAULTS "backend b_a.example\n server s 198.51.100.1:1\nfrontend f\n bind :1\n"
                  " tcp-request inspect-delay 3s\n use_backend b_%[req.ssl_sni,lower]\n",
         "route = sni:a.example b_a.example\n", ""},
        {"a variable",
         DEFAULTS TWO "frontend f\n bind :1\n tcp-request inspect-delay 3s\n"
                      " tcp-request content set-var(sess.n) req.ssl_sni,lower\n"
                      " use_backend two if { var(sess.n) -m str a.example }\n"
                      " default_backend one\n",
         "route = sni:a.example two\n", ""},
        {"what routes cannot say",
         DEFAULTS TWO "backend web\n mode http\n server s 198.51.100.1:1\nfrontend f\n bind :1\n"
                      " tcp-request inspect-delay 3s\n"
                      " use_backend one if { req.ssl_sni -m sub x }\n"
                      " use_backend two if { path_beg /a }\n use_backend web if { src 10.0.0.1 }\n"
                      " default_backend nowhere\n",
         "route = src:10.0.0.1 reject\nbackend = reject\n",
         "12 lost: backend web: mode http\n18 lost: condition req.ssl_sni\n18 lost: its condition\n"
         "19 lost: condition path_beg\n19 lost: its condition\n20 lost: the backend 'web'\n"
         "21 lost: there is no backend 'nowhere'"},
    };
    EXPECT_ALL(cases);
}
END_TEST

/* A list that no line has room for. */
START_TEST(long_lists)
{
    char text[8192] = DEFAULTS TWO "frontend f\n bind :1\n tcp-request inspect-delay 3s\n"
                                   " tcp-request connection reject if { src";
    for (unsigned i = 0; i < 200; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " 10.0.%u.0/24", i);
    strcat(text, " }\n use_backend one if { req.ssl_sni");
    for (unsigned i = 0; i < 200; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " n%03u.example", i);
    strcat(text, " }\n");
    struct import_case expected = {"long lists", text, "[frontend f]\n-backend = one\n", ""};
    expect_imported(import_haproxy_text, &expected);

    struct import import;
    size_t route_lines = 0, deny_lines = 0;
    import_haproxy_text(&import, "a.cfg", text, strlen(text));
    for (size_t i = 0; i < import.ini.count; i++)
        for (size_t j = 0; j < import.ini.sections[i]->count; j++) {
            const char *key = import.ini.sections[i]->lines[j].key;
            route_lines += key && strcmp(key, "route") == 0;
            deny_lines += key && strcmp(key, "deny") == 0;
        }
    ck_assert_uint_eq(route_lines, 2);
    ck_assert_uint_eq(deny_lines, 2);
    import_free(&import);
}
END_TEST

START_TEST(the_process)
{
    static const struct import_case cases[] = {
        {"global",
         "global\n daemon\n chroot /x\n maxconn 500\n nbthread 4\n log /dev/log local0\n"
         " hard-stop-after 90s\n spread-checks 5\n lua-load x.lua\n" DEFAULTS
         "listen a\n log global\n bind :1\n maxconn 9\n rate-limit sessions 7\n"
         " server s 198.51.100.1:1\n",
         "max-sessions = 500\nworkers = 4\nlog = syslog\ndrain-timeout = 90s\ncheck-jitter = 5%\n"
         "access-log = yes\nmax-sessions = 9\nmax-rate = 7/s\n",
         "9 lost: lua-load"},
        {"sessions are not logged where the level hides them",
         "global\n log 127.0.0.1 local0 notice\n" DEFAULTS
         "listen a\n log global\n bind :1\n server s 198.51.100.1:1\n",
         "-access-log", ""},
        {"pages",
         DEFAULTS "listen stats\n mode http\n bind :8404\n bind [::1]:8404\n stats enable\n"
                  "frontend up\n mode http\n bind :8405\n monitor-uri /up\n"
                  "listen a\n bind :1\n server s 198.51.100.1:1\n",
         "-[listen stats]\n-[frontend up]\n[listen a]\n"
         "metrics = 0.0.0.0:8404 [::1]:8404 0.0.0.0:8405\n",
         "8 note: section stats: metrics\n16 note: monitor-uri"},
        {"a page with a password",
         DEFAULTS "listen stats\n mode http\n bind :8404\n stats auth a:b\n stats admin if TRUE\n"
                  "listen a\n bind :1\n server s 198.51.100.1:1\n",
         "metrics = 127.0.0.1:8404\n",
         "8 note: section stats: metrics\n11 note: stats auth: metrics is at 127.0.0.1 only\n"
         "12 note: stats admin: only users of metrics-auth"},
        {"other sections",
         "peers p\n peer a 198.51.100.1:1024\nuserlist u\n user a password b\nprogram p\n command "
         "x\n"
         "mailers m\n mailer a 198.51.100.1:25\n" DEFAULTS
         "listen a\n bind :1\n server s 198.51.100.1:1\n",
         "[listen a]\n", "5 lost: section program\n7 lost: section mailers"},
    };
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(words_and_the_environment)
{
    static const struct import_case cases[] = {
        {"quotes and escapes",
         DEFAULTS "listen 'a'\n bind \":1\" # a comment\n option tcp-check\n"
                  " tcp-check send 'x $IMPORT_TEST \\r'\\r\\n\n"
                  " tcp-check expect string \"a\\x41\\\"#\"\n server s 198.51.100.1:1 check\n",
         "check-step = send x $IMPORT_TEST \\\\r\\r\\n\ncheck-step = expect aA\"\\#\n", ""},
        {"variables",
         DEFAULTS "listen a\n bind \":${IMPORT_PORT}\"\n"
                  " server s ${IMPORT_TEST}:1\n server t \"$IMPORT_TEST\":2\n"
                  " server u ${IMPORT_NOT}:3\n server v ${IMPORT_BOTH}\n maxconn "
                  "\"${IMPORT_NOT-70}\"\n",
         "bind = 0.0.0.0:81\nserver = s ${IMPORT_TEST:-192.0.2.77}:1\nserver = t 192.0.2.77:2\n"
         "server = u ${IMPORT_NOT:-undefined.invalid}:3\nserver = v 192.0.2.78:4\n"
         "max-sessions = 70\n",
         "10 note: a name without an address\n12 note: the variable IMPORT_NOT"},
        {"set in the file",
         "global\n setenv IMPORT_TEST 198.51.100.5\n unsetenv IMPORT_PORT\n" DEFAULTS
         "listen a\n bind \":8${IMPORT_PORT}\"\n server s \"$IMPORT_TEST\":1\n",
         "server = s 198.51.100.5:1\nbind = 0.0.0.0:8\n", "12 note: the variable IMPORT_PORT"},
        {"conditional blocks",
         DEFAULTS "listen a\n bind :1\n.if defined(IMPORT_NOT) || streq(\"$IMPORT_TEST\",x)\n"
                  " server s 198.51.100.1:1\n.elif !(0) && defined(IMPORT_TEST)\n"
                  " server t 198.51.100.2:1\n .if false\n server u 198.51.100.3:1\n .endif\n.else\n"
                  " server v 198.51.100.4:1\n.endif\n server w 198.51.100.5:1\n",
         "-server = s\nserver = t 198.51.100.2:1\n-server = u\n-server = v\n"
         "server = w 198.51.100.5:1\n",
         ""},
        {"a condition that is not known",
         DEFAULTS
         "listen a\n bind :1\n.if moon(full)\n bind :2\n.endif\n server s 198.51.100.1:1\n",
         "bind = 0.0.0.0:1\n-bind = 0.0.0.0:2\n", "10 lost: the condition 'moon(full)'"},
    };
    setenv("IMPORT_TEST", "192.0.2.77", 1);
    setenv("IMPORT_BOTH", "192.0.2.78:4", 1);
    setenv("IMPORT_PORT", "81", 1);
    unsetenv("IMPORT_NOT");
    EXPECT_ALL(cases);
}
END_TEST

START_TEST(lines_that_proxy_ini_cannot_have)
{
    static const struct import_case cases[] = {
        {"a comment and a variable within a value",
         DEFAULTS "listen a\n bind :1\n option httpchk GET /x\n http-check expect string 'a ;b'\n"
                  " server s 198.51.100.1:1 check\nlisten b\n bind :2\n option httpchk GET /${X}\n"
                  " server s 198.51.100.1:1 check\n",
         "-check-body\n[listen a]\n[listen b]\n",
         "11 lost: check-body: proxy.ini would take a part of it for a comment\n"
         "15 lost: check-path: proxy.ini would take a part of it for a variable"},
        {"names",
         DEFAULTS "listen a:b\n bind :1\n server s 198.51.100.1:1\n server s 198.51.100.2:1\n"
                  "listen a-b\n bind :2\n server reject 198.51.100.1:1\n",
         "[listen a-b]\n[listen a-b-2]\nserver = s-2 198.51.100.2:1\n", ""},
    };
    EXPECT_ALL(cases);
}
END_TEST

/* The password stands nowhere; the comment says what to do. */
START_TEST(users_of_a_page)
{
    static const char text[] =
        DEFAULTS "listen stats\n mode http\n bind :8404\n stats auth a:secret\n"
                 " stats auth b:secret\n stats admin if TRUE\n"
                 "listen c\n bind :1\n server s 198.51.100.1:1\n";
    struct import import;
    char *wrong;
    import_haproxy_text(&import, "a.cfg", text, strlen(text));
    char *made = import_settle(&import, "a test", &wrong);
    ck_assert_ptr_nonnull(made);
    ck_assert_msg(strstr(made, "; a.cfg:11: stats auth: metrics-auth = FILE, with the line "
                               "a:HASH:admin in this file"),
                  "%s", made);
    ck_assert_msg(strstr(made, "the line b:HASH:admin"), "%s", made);
    ck_assert_msg(!strstr(made, "secret"), "%s", made);
    free(made);
    import_free(&import);
}
END_TEST

Suite *import_haproxy_suite(void)
{
    Suite *suite = suite_create("import_haproxy");
    TCase *test = tcase_create("import_haproxy");
    tcase_add_test(test, timeouts);
    tcase_add_test(test, defaults_sections);
    tcase_add_test(test, binds);
    tcase_add_test(test, servers);
    tcase_add_test(test, checks);
    tcase_add_test(test, routes);
    tcase_add_test(test, long_lists);
    tcase_add_test(test, the_process);
    tcase_add_test(test, words_and_the_environment);
    tcase_add_test(test, lines_that_proxy_ini_cannot_have);
    tcase_add_test(test, users_of_a_page);
    suite_add_tcase(suite, test);
    return suite;
}
