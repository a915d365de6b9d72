/* Mistakes in a file, and what is said about them. */
#include "config/load.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LETTERS_31  "abcdefghijklmnopqrstuvwxyzabcde"
#define LETTERS_124 LETTERS_31 LETTERS_31 LETTERS_31 LETTERS_31
#define LETTERS_160 LETTERS_124 LETTERS_31 "abcde"
#define BEGINNING   LETTERS_31 "abcdefghi..." /* of a name that is too long */

#define BIND   "[listen x]\nserver = a 127.0.0.1:2\n"
#define SERVER "[listen x]\nbind = 127.0.0.1:1\n"
/* An error that names all of them. */
#define SERVER_ATTRIBUTES "see SERVER ATTRIBUTES in proxy.ini(5)\n"

static const struct {
    const char *text;
    const char *errors;
} mistakes[] = {
    /* ranges */
    {VALID "[global]\nworkers = 0\n",
     "p.ini:5: workers: '0' must be auto or 1 to 256; write 'auto'\n"},
    {VALID "[global]\nworkers = 257\n", "p.ini:5: workers: '257' must be auto or 1 to 256\n"},
    {VALID "[global]\nworkers = -1\n", "p.ini:5: workers: '-1' must be auto or 1 to 256\n"},
    {VALID "[global]\nworkers = 4294967297\n",
     "p.ini:5: workers: '4294967297' must be auto or 1 to 256\n"},
    {VALID "[global]\nworkers = 18446744073709551617\n",
     "p.ini:5: workers: '18446744073709551617' must be auto or 1 to 256\n"},
    {VALID "[global]\nmax-generations = 65\n", "p.ini:5: max-generations: '65' must be 1 to 64\n"},
    {VALID "[global]\nmax-sessions = unlimited\n",
     "p.ini:5: max-sessions: 'unlimited' must be auto or 1 to 100000000\n"},
    {VALID "max-sessions = 0\n",
     "p.ini:4: max-sessions: '0' must be unlimited or 1 to 100000000; write 'unlimited'\n"},
    {VALID "retries = 101\n", "p.ini:4: retries: '101' must be 0 to 100\n"},
    {VALID "connect-timeout = 0s\n", "p.ini:4: connect-timeout: '0s' must be 1ms to 1h\n"},
    {VALID "connect-timeout = 61m\n", "p.ini:4: connect-timeout: '61m' must be 1ms to 1h\n"},
    {VALID "connect-timeout = 5\n",
     "p.ini:4: connect-timeout: '5' needs a unit: 100ms, 5s, 10m, 1h\n"},
    {VALID "idle-timeout = 99999999999999999999h\n",
     "p.ini:4: idle-timeout: '99999999999999999999h' is too large\n"},
    {VALID "idle-timeout = soon\n", "p.ini:4: idle-timeout: 'soon' is not a time; write a number "
                                    "and its unit: 100ms, 5s, 10m, 1h\n"},
    {VALID "[global]\nready-timeout = 999ms\n",
     "p.ini:5: ready-timeout: '999ms' must be 1s to 1h\n"},
    {VALID "balance = least_conn\n",
     "p.ini:4: balance: 'least_conn' must be roundrobin, leastconn, "
     "random, first, source or maglev; write leastconn\n"},
    {VALID "max-ejected = 101%\n", "p.ini:4: max-ejected: '101%' must be 0% to 100%\n"},
    {VALID "max-ejected = 50\n", "p.ini:4: max-ejected: '50' must be 0% to 100%\n"},
    {VALID "max-ejected = %\n", "p.ini:4: max-ejected: '%' must be 0% to 100%\n"},
    {VALID "max-ejected = -1%\n", "p.ini:4: max-ejected: '-1%' must be 0% to 100%\n"},
    {VALID "max-fails = 0\n", "p.ini:4: max-fails: '0' must be off or 1 to 1000; write 'off'\n"},
    {VALID "hash-prefix = 129\n", "p.ini:4: hash-prefix: '129' must be 1 to 128\n"},
    {VALID "[global]\ndrain = off\n", "p.ini:5: drain: 'off' must be handoff or wait\n"},
    {VALID "[global]\nlog-level = INFO\n",
     "p.ini:5: log-level: 'INFO' must be error, warning, notice, info or debug; write info\n"},
    {VALID "[global]\nlog = stdout\n",
     "p.ini:5: log: 'stdout' must be stderr, syslog, syslog:unix:/PATH, syslog:udp:HOST:PORT, "
     "journal or file:/PATH\n"},
    {VALID "[global]\nlog = file:x.log\n", "p.ini:5: log: 'file:x.log' must be an absolute path\n"},
    {VALID "[global]\ncontrol = c.sock\n", "p.ini:5: control: 'c.sock' must be an absolute path\n"},
    {VALID "[global]\nuser = a b\n",
     "p.ini:5: user: 'a b' may contain only letters, digits, '_', '.' and '-'\n"},
    {VALID "[global]\ncpu-affinity = 0,a\n",
     "p.ini:5: cpu-affinity: '0,a' is not a list of CPUs such as 0,2-3\n"},
    {VALID "[global]\ncongestion = a/b\n",
     "p.ini:5: congestion: 'a/b' may contain only letters, digits, '_', '.' and '-'\n"},
    {VALID "congestion = sixteen-letters-\n",
     "p.ini:4: congestion: 'sixteen-letters-' is too long for the name of a congestion control\n"},
    {VALID "[defaults]\ncongestion = a/b\n",
     "p.ini:5: congestion: 'a/b' may contain only letters, digits, '_', '.' and '-'\n"},
    {VALID "retries =\n", "p.ini:4: retries: value is missing\n"},
    {VALID "[defaults]\nretries = many\n", "p.ini:5: retries: 'many' must be 0 to 100\n"},

    /* keys and sections */
    {VALID "retires = 3\n",
     "p.ini:4: unknown key 'retires' in [listen ok]; did you mean 'retries'?\n"},
    {VALID "retires = 300\n",
     "p.ini:4: unknown key 'retires' in [listen ok]; did you mean 'retries'?\n"
     "p.ini:4: retries: '300' must be 0 to 100\n"},
    {VALID "probe = tcp\n", "p.ini:4: unknown key 'probe' in [listen ok]\n"},
    {VALID "check-path = /x\n", "p.ini:4: check-path: has no effect without check = http\n"},
    {VALID "check = tcp\ncheck-step = send x\n",
     "p.ini:5: check-step: has no effect without check = steps\n"},
    {VALID "check = tcp\ncheck-user = x\ncheck-role = master\n",
     "p.ini:5: check-user: has no effect without check = redis, pgsql or mysql\n"
     "p.ini:6: check-role: has no effect without check = redis, pgsql or mysql\n"},
    {VALID "check = redis\ncheck-role = slave\n",
     "p.ini:5: check-role: 'slave' must be any, master, primary or replica\n"},
    {VALID "check = redis\ncheck-user = x\n", "p.ini:4: check-user needs a check-password\n"},
    {VALID "check = redis\ncheck-database = x\n",
     "p.ini:5: check-database: has no effect without check = pgsql or mysql\n"},
    {VALID "check = pgsql\ncheck-role = primary\n",
     "p.ini:4: check-role needs a check-user that may log in\n"},
    {VALID "check = mysql\ncheck-password = x\n", "p.ini:4: check-password needs a check-user\n"},
    {VALID "check = mysql\ncheck-database = x\n",
     "p.ini:4: check-database needs a check-user that may log in\n"},
    {VALID "check = redis\ncheck-password = @/nowhere\n",
     "p.ini:5: check-password: '@/nowhere' /nowhere: No such file or directory\n"},
    {VALID "check = redis\ncheck-password = @/\n",
     "p.ini:5: check-password: '@/' / is not a regular file\n"},
    {VALID "check = redis\ncheck-password = @/dev/zero\n",
     "p.ini:5: check-password: '@/dev/zero' /dev/zero is not a regular file\n"},
    {VALID "check = redis\ncheck-password = @/bin/sh\n",
     "p.ini:5: check-password: '@/bin/sh' /bin/sh is larger than 4096 bytes\n"},
    {VALID "check = exec\n", "p.ini:4: check = exec needs a check-command\n"},
    {VALID "check = exec\ncheck-command = true\n",
     "p.ini:5: check-command: 'true' must begin with the absolute path of a program\n"},
    {VALID "check = exec\ncheck-command = /nowhere x\n",
     "p.ini:5: check-command: '/nowhere x' /nowhere: No such file or directory\n"},
    {VALID "check = exec\ncheck-command = /etc/passwd\n",
     "p.ini:5: check-command: '/etc/passwd' /etc/passwd is not executable\n"},
    {VALID "check = exec\ncheck-command = /etc\n",
     "p.ini:5: check-command: '/etc' /etc is not a regular file\n"},
    {VALID "check = exec\ncheck-command = /bin/sh \"x\n",
     "p.ini:5: check-command: '/bin/sh \"x' a double quote is not closed\n"},
    {VALID "check = tcp\ncheck-address = 1.2.3.4:80\n",
     "p.ini:5: check-address: '1.2.3.4:80' must be an IP address or a name, without a port\n"},
    {VALID "check = steps\n", "p.ini:4: check = steps needs a check-step\n"},
    {VALID "check = tcp\ncheck-verify = system\n",
     "p.ini:4: check-verify has no effect without check-tls = yes or check = tls\n"},
    {VALID "check = tls\ncheck-verify = /nowhere\n",
     "p.ini:5: check-verify: '/nowhere' cannot be read: No such file or directory\n"},
    {VALID "check = tls\ncheck-verify = /\n",
     "p.ini:5: check-verify: '/' cannot be read: Is a directory\n"},
    {VALID "check = tls\ncheck-verify = /dev/null\n",
     "p.ini:5: check-verify: '/dev/null' cannot be read: not a regular file\n"},
    {VALID "check = tls\ncheck-verify = /proc/self/status\n",
     "p.ini:5: check-verify: '/proc/self/status' has no certificate (PEM)\n"},
    {VALID "check = http\ncheck-status = 200-\n",
     "p.ini:5: check-status: '200-' must be codes of 100 to 599, as 200-299,503\n"},
    {VALID "check = http\ncheck-status = 300-200\n",
     "p.ini:5: check-status: '300-200' must be codes of 100 to 599, as 200-299,503\n"},
    {VALID "check = http\ncheck-status = 200,,201\n",
     "p.ini:5: check-status: '200,,201' must be codes of 100 to 599, as 200-299,503\n"},
    {VALID "check = http\ncheck-status = 600\n",
     "p.ini:5: check-status: '600' must be codes of 100 to 599, as 200-299,503\n"},
    {VALID "check = http\ncheck-body = ~(\n",
     "p.ini:5: check-body: '~(' missing closing parenthesis, at character 2 of the regular "
     "expression\n"},
    {VALID "check = http\ncheck-header = none\n",
     "p.ini:5: check-header: 'none' must be NAME: VALUE\n"},
    {VALID "check = http\ncheck-path = /a b\n",
     "p.ini:5: check-path: '/a b' must be one word of ASCII characters\n"},
    {VALID "check = steps\ncheck-step = recv x\n",
     "p.ini:5: check-step: 'recv x' must begin with send, send-hex, expect, expect-hex or "
     "expect-regex, and a text follows\n"},
    {VALID "check = steps\ncheck-step = send x\ncheck-step = send \\q\n",
     "p.ini:6: check-step: 'send \\q' has a \\ before something else than r, n, t, \\, ;, # or "
     "xNN\n"},
    {VALID "check = steps\ncheck-step = expect x\ncheck-step = send \\x1\n",
     "p.ini:6: check-step: 'send \\x1' has a \\x without two hexadecimal digits\n"},
    {VALID "check = steps\ncheck-step = expect x\ncheck-step = send-hex 0a0\n",
     "p.ini:6: check-step: 'send-hex 0a0' must have two hexadecimal digits for each byte\n"},
    {VALID "check-jitter = 51%\n", "p.ini:4: check-jitter: '51%' must be 0% to 50%\n"},
    {VALID "check-jitter = 10\n", "p.ini:4: check-jitter: '10' must be 0% to 50%\n"},
    {VALID "check-interval-fast = 9ms\n",
     "p.ini:4: check-interval-fast: '9ms' must be 10ms to 24h\n"},
    {VALID "check = tcp\ncheck-port = 80\nserver = u unix:/x\n",
     "p.ini:6: server u: a Unix socket has no port that could be checked\n"},
    {VALID "server = t 127.0.0.1:8 check-track=a\n",
     "p.ini:4: server: check-track 'a' must be BACKEND/SERVER\n"},
    {VALID "server = t 127.0.0.1:8 check-track=ok/nobody\n",
     "p.ini:4: server: check-track: there is no server 'ok/nobody'\n"},
    {VALID "server = t 127.0.0.1:8 check-track=ok/t\n",
     "p.ini:4: server: check-track=ok/t is a circle: t would follow itself\n"},
    {VALID "server = t 127.0.0.1:8 check-track=ok/v\nserver = v 127.0.0.1:9 check-track=ok/t\n",
     "p.ini:4: server: check-track=ok/v is a circle: t would follow itself\n"
     "p.ini:5: server: check-track=ok/t is a circle: v would follow itself\n"},
    {VALID "server = t 127.0.0.1:8 check-track=ok/a\n",
     "p.ini:4: server: check-track: ok/a is not checked (check = off)\n"},
    {VALID "check = icmp\n",
     "p.ini:4: check: 'icmp' must be off, tcp, tls, http, steps, redis, pgsql, mysql, "
     "smtp, agent or exec\n"},
    {VALID "check-interval = 5ms\n", "p.ini:4: check-interval: '5ms' must be 10ms to 24h\n"},
    {VALID "rise = 0\n", "p.ini:4: rise: '0' must be 1 to 1000\n"},
    {VALID "[global]\nretries = 1\n",
     "p.ini:5: key 'retries' is not allowed in [global]; it belongs in [defaults], [backend], "
     "[listen]\n"},
    {VALID "[defaults]\nbind = 127.0.0.1:9\n",
     "p.ini:5: key 'bind' is not allowed in [defaults]; it belongs in [frontend], [listen]\n"},
    {VALID "[defaults]\nbackend = ok\n",
     "p.ini:5: key 'backend' is not allowed in [defaults]; it belongs in [frontend]\n"},
    {VALID "backend = ok\n",
     "p.ini:4: key 'backend' is not allowed in [listen ok]; it belongs in [frontend]\n"},
    {VALID "retries = 1\nretries = 1\n",
     "p.ini:5: key 'retries' is given twice; first in line 4\n"},
    {VALID "[globals]\nworkers = 2\n",
     "p.ini:4: unknown section 'globals'; did you mean 'global'?\n"},
    {VALID "[web]\nbind = x\n",
     "p.ini:4: unknown section 'web'; sections are [global], [defaults], [frontend NAME], "
     "[backend NAME] and [listen NAME]\n"},
    {VALID "[Global]\n", "p.ini:4: unknown section 'Global'; did you mean 'global'?\n"},
    {VALID "[]\n", "p.ini:4: unknown section ''; sections are [global], [defaults], "
                   "[frontend NAME], [backend NAME] and [listen NAME]\n"},
    {VALID "[global]\nworkers = 2\n[global]\nworkers = 3\n",
     "p.ini:6: section [global] is given twice; first in line 4\n"
     "p.ini:7: key 'workers' is given twice; first in line 5\n"},
    {VALID "[defaults]\n[defaults]\n",
     "p.ini:5: section [defaults] is given twice; first in line 4\n"},
    {VALID "[global x]\n", "p.ini:4: [global] takes no name\n"},
    {"[frontend]\nbind = 127.0.0.1:1\nbackend = b\n[backend b]\nserver = a 127.0.0.1:2\n",
     "p.ini:1: [frontend] needs a name: [frontend NAME]\n"},
    {"[listen a b]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:2\n",
     "p.ini:1: name 'a b' may contain only letters, digits, '_', '.' and '-'\n"},
    {"[listen a/b]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:2\n",
     "p.ini:1: name 'a/b' may contain only letters, digits, '_', '.' and '-'\n"},
    {"[listen " LETTERS_160 "]\nbind = 127.0.0.1:1\nserver = " LETTERS_160 " 127.0.0.1:2\n", ""},
    {"[listen " LETTERS_160 "f]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:2\n",
     "p.ini:1: name '" BEGINNING "' is too long: 161 bytes, at most 160 are possible\n"},

    /* names and references */
    {VALID "[frontend x]\nbind = 127.0.0.1:5\nbackend = okk\n",
     "p.ini:6: backend: there is no [backend okk]; did you mean 'ok'?\n"},
    {VALID "[frontend x]\nbind = 127.0.0.1:5\nbackend = nothing\n",
     "p.ini:6: backend: there is no [backend nothing]\n"},
    {VALID VALID, "p.ini:4: section [listen ok] is given twice; first in line 1\n"
                  "p.ini:5: bind '127.0.0.1:1' is given twice; first in line 2\n"},
    {VALID "[backend ok]\nserver = a 127.0.0.1:2\n",
     "p.ini:4: [backend ok]: the name is already used by [listen ok] in line 1; a listen is a "
     "frontend "
     "and a backend\n"},
    {VALID "[backend b]\nserver = a 127.0.0.1:2\n[backend b]\nserver = a 127.0.0.1:2\n",
     "p.ini:6: section [backend b] is given twice; first in line 4\n"},
    {VALID "server = a 127.0.0.1:3\n", "p.ini:4: server 'a' is given twice; first in line 3\n"},
    {VALID "bind = 127.0.0.1:001\n",
     "p.ini:4: bind '127.0.0.1:1' is given twice; first in line 2\n"},
    {VALID "bind = unix:/c\n[global]\ncontrol = /c\n",
     "p.ini:4: bind 'unix:/c' has the path of control '/c'\n"},
    {VALID "bind = unix:/c.life\n[global]\ncontrol = /c\n",
     "p.ini:4: bind 'unix:/c.life' has the path of the crash file of control, '/c.life'\n"},
    {VALID "bind = unix:/p\n[global]\npidfile = /p\n",
     "p.ini:4: bind 'unix:/p' has the path of pidfile '/p'\n"},
    {VALID "bind = unix:/proc/../p\nbind = unix:/p\n",
     "p.ini:5: bind 'unix:/p' has the path of bind 'unix:/proc/../p'\n"},
    {VALID "bind = unix:/l\n[global]\nlog = file:/l\n",
     "p.ini:4: bind 'unix:/l' has the path of log 'file:/l'\n"},
    {VALID "[global]\ncontrol = /c\npidfile = /c\n",
     "p.ini:6: pidfile '/c' has the path of control '/c'\n"},
    {VALID "[global]\ncontrol = /c\npidfile = /proc/self/root/c.life\n",
     "p.ini:6: pidfile '/proc/self/root/c.life' has the path of the crash file of control, "
     "'/c.life'\n"},
    {VALID "[global]\ncontrol = /c\nlog = file:/./c\n",
     "p.ini:6: log 'file:/./c' has the path of control '/c'\n"},
    {VALID "[global]\nlog = file:/l\npidfile = /l\n",
     "p.ini:6: pidfile '/l' has the path of log 'file:/l'\n"},
    {"[global]\npidfile = /p/\n" VALID,
     "p.ini:2: pidfile: '/p/' is the path of a directory, not of a file\n"},
    {"[global]\ncontrol = /run/..\nlog = file:/l/.\n" VALID,
     "p.ini:2: control: '/run/..' is the path of a directory, not of a file\n"
     "p.ini:3: log: 'file:/l/.' is the path of a directory, not of a file\n"},
    {VALID "bind = unix:/w/\n",
     "p.ini:4: bind: 'unix:/w/': path of a Unix socket must not be that of a directory\n"},
    {VALID "bind = [::ffff:127.0.0.1]:1\n",
     "p.ini:4: bind '127.0.0.1:1' is given twice; first in line 2\n"},

    /* binds and servers */
    {BIND "bind = 8080\n",
     "p.ini:3: bind: '8080': host is missing; for all addresses write 0.0.0.0:PORT or [::]:PORT\n"},
    {BIND "bind = fd:\n", "p.ini:3: bind: 'fd:': name is missing: fd:NAME\n"},
    {BIND "bind = fd:a:b\n",
     "p.ini:3: bind: 'fd:a:b': name of a passed socket may contain only ASCII "
     "characters, without ':'\n"},
    {BIND "bind = fd:w\xc3\xa9-b\n",
     "p.ini:3: bind: 'fd:w\xc3\xa9-b': name of a passed socket may contain "
     "only ASCII characters, without ':'\n"},
    {BIND "bind = fd:" LETTERS_124 "x\n",
     "p.ini:3: bind: 'fd:" LETTERS_124 "x': name of a passed socket must not be longer than 124 "
     "bytes\n"},
    {VALID "bind = fd:web\nbind = fd:web\n",
     "p.ini:5: bind 'fd:web' is given twice; first in line 4\n"},
    {BIND "bind = 127.0.0.1:0\n", "p.ini:3: bind: '127.0.0.1:0': port must be 1 to 65535\n"},
    {BIND "bind = 127.0.0.1:1 accept-proxy=10.0.0.0/33\n",
     "p.ini:3: bind: accept-proxy '10.0.0.0/33' has '10.0.0.0/33', which has no prefix length from "
     "0 to 32, or netmask, behind the '/'\n"},
    {BIND "bind = 127.0.0.1:1 accept-proxy\n",
     "p.ini:3: bind: 'accept-proxy' needs its value directly after it, without spaces: write "
     "accept-proxy=VALUE\n"},
    {VALID "accept-proxy = @none\n", "p.ini:4: accept-proxy: none: No such file or directory\n"},
    {VALID "accept-proxy = ,\n", "p.ini:4: accept-proxy: ',' names nobody; write 'no' for that\n"},
    {VALID "accept-proxy = any no\n",
     "p.ini:4: accept-proxy: 'any no' has 'no', which is not an IP address or ADDRESS/BITS\n"},
    {VALID "proxy_protocol = on\n",
     "p.ini:4: unknown key 'proxy_protocol' in [listen ok]: it is the attribute send-proxy=v1 or "
     "send-proxy=v2 of a server here\n"},
    {SERVER "server = a 127.0.0.1:2 send-proxy=v3\n",
     "p.ini:3: server: send-proxy 'v3' must be no, v1 or v2\n"},
    {SERVER "server = a 127.0.0.1:2 send-proxy-v2\n",
     "p.ini:3: server: unknown attribute 'send-proxy-v2': it is 'send-proxy=v2' here\n"},
    {SERVER "server = a 127.0.0.1:2 send-proxy=v1 proxy-tlv=crc32c\n",
     "p.ini:3: server: proxy-tlv is possible only with send-proxy=v2\n"},
    {SERVER "server = a 127.0.0.1:2 send-proxy=v2 proxy-tlv=crc32c,\n",
     "p.ini:3: server: proxy-tlv 'crc32c,' must be unique-id, authority, alpn, ssl, crc32c or "
     "pass, "
     "separated by commas\n"},
    {BIND "bind = 127.0.0.1:1 accept=sharded steer=cpu extra\n",
     "p.ini:3: bind: unknown attribute 'extra'; see BIND ATTRIBUTES in proxy.ini(5)\n"},
    {BIND "bind = 127.0.0.1:1 acept=shared\n",
     "p.ini:3: bind: unknown attribute 'acept'; did you mean 'accept'?\n"},
    {BIND "bind = unix:/x mode=6660\n", "p.ini:3: bind: mode '6660' must not be more than 0777\n"},
    {BIND "bind = unix:/x mode=rw\n",
     "p.ini:3: bind: mode 'rw' must be three or four octal digits, as in 0660\n"},
    {BIND "bind = unix:/x mode=0660 mode=0666\n", "p.ini:3: bind: mode is given twice\n"},
    {BIND "bind = unix:/x owner=\n", "p.ini:3: bind: owner '' is not a known user\n"},
    {BIND "bind = unix:/x owner=no-such-user group=no-such-group\n",
     "p.ini:3: bind: owner 'no-such-user' is not a known user\n"
     "p.ini:3: bind: group 'no-such-group' is not a known group\n"},
    {BIND "bind = unix:/x group=4294967295\n",
     "p.ini:3: bind: group '4294967295' is not a known group\n"},
    {BIND "bind = 127.0.0.1:1 mode=0660\n",
     "p.ini:3: bind: mode, owner and group are possible only for unix:/PATH\n"},
    {BIND "bind = fd:x group=0\n",
     "p.ini:3: bind: mode, owner and group are possible only for unix:/PATH\n"},
    {"[global]\nuser = nobody\n[listen x]\nbind = unix:/x owner=root\nserver = a 127.0.0.1:80\n",
     "p.ini:4: bind: owner: only root can give a file to another user, and 'user' is not root\n"},
    {"[global]\nuser = nobody\n[listen x]\nbind = unix:/x group=0\nserver = a 127.0.0.1:80\n",
     "p.ini:4: bind: group: 'user' is not a member of that group\n"},
    {BIND "bind = 127.0.0.1:1 accept=\n", "p.ini:3: bind: accept '' must be sharded or shared\n"},
    {BIND "bind = 127.0.0.1:1 steer=rss\n", "p.ini:3: bind: steer 'rss' must be hash or cpu\n"},
    {BIND "bind = 127.0.0.1:1 steer=cpu steer=cpu\n", "p.ini:3: bind: steer is given twice\n"},
    {BIND "bind = 127.0.0.1:0 accept=none\n",
     "p.ini:3: bind: '127.0.0.1:0': port must be 1 to 65535\n"
     "p.ini:3: bind: accept 'none' must be sharded or shared\n"},
    {BIND "bind = 127.0.0.1:1 accept=shared steer=hash\n",
     "p.ini:3: bind: steer is not possible: with accept=shared there is only one socket\n"},
    {BIND "bind = unix:/x steer=cpu\n",
     "p.ini:3: bind: steer is not possible: a Unix bind has only one socket\n"},
    {BIND "bind = fd:x steer=hash\n",
     "p.ini:3: bind: steer is not possible: all workers share passed sockets\n"},
    {BIND "bind = fd:x accept=sharded\n",
     "p.ini:3: bind: accept=sharded is not possible: all workers share passed sockets\n"},
    {BIND "bind = unix:/x accept=sharded\n",
     "p.ini:3: bind: accept=sharded is not possible: a Unix bind has only one socket\n"},
    {SERVER "server = a\n", "p.ini:3: server: 'a' must be NAME ADDRESS [ATTRIBUTE ...]\n"},
    {SERVER "server = 127.0.0.1:80\n", "p.ini:3: server: '127.0.0.1:80' must be NAME ADDRESS "
                                       "[ATTRIBUTE ...]; write a name before the address\n"},
    {SERVER "server = a/b 127.0.0.1:80\n",
     "p.ini:3: server: name 'a/b' may contain only letters, digits, '_', '.' and '-'\n"},
    {SERVER "server = " LETTERS_160 "f 127.0.0.1:80\n",
     "p.ini:3: server: name '" BEGINNING "' is too long: 161 bytes, at most 160 are possible\n"},
    {SERVER "server = a 127.0.0.1:80 wieght=3\n",
     "p.ini:3: server: unknown attribute 'wieght'; did you mean 'weight'?\n"},
    {SERVER "server = a 127.0.0.1:80 nonsense\n",
     "p.ini:3: server: unknown attribute 'nonsense'; " SERVER_ATTRIBUTES},
    {SERVER "server = a 127.0.0.1:80 inter=2s\n",
     "p.ini:3: server: unknown attribute 'inter': it is 'check-interval = TIME' of the backend "
     "here\n"},
    {SERVER "server = a 127.0.0.1:80\ninter = 2s\n",
     "p.ini:4: unknown key 'inter' in [listen x]: it is 'check-interval' here\n"},
    {SERVER "server = a 127.0.0.1:80\noption httpchk GET /\n",
     "p.ini:4: expected 'KEY = VALUE', '[SECTION]' or a comment; this is 'check = http' here\n"},
    {SERVER "server = a 127.0.0.1:80 weight = 3\n",
     "p.ini:3: server: 'weight' needs its value directly after it, without spaces: write "
     "weight=VALUE\n"},
    {SERVER "server = a 127.0.0.1:80 weight=257\n",
     "p.ini:3: server: weight '257' must be 0 to 256\n"},
    {SERVER "server = a 127.0.0.1:80 weight=\n", "p.ini:3: server: weight '' must be 0 to 256\n"},
    {SERVER "server = a 127.0.0.1:80 weight=1 weight=2\n",
     "p.ini:3: server: weight is given twice\n"},
    {SERVER "server = a 127.0.0.1:80 weight=0\nserver = b 127.0.0.1:80 weight=0\n",
     "p.ini:1: [listen x] has only servers of weight 0; none would ever be chosen\n"},

    /* what is missing */
    {"", "p.ini: nothing to serve: there is no [frontend NAME] and no [listen NAME]\n"},
    {"[global]\n", "p.ini: nothing to serve: there is no [frontend NAME] and no [listen NAME]\n"},
    {BIND, "p.ini:1: [listen x] has no bind; add 'bind = HOST:PORT'\n"},
    {SERVER, "p.ini:1: [listen x] has no server; add 'server = NAME HOST:PORT'\n"},
    {"[listen x]\n", "p.ini:1: [listen x] has no bind; add 'bind = HOST:PORT'\n"
                     "p.ini:1: [listen x] has no server; add 'server = NAME HOST:PORT'\n"},
    {"[frontend x]\nbind = 127.0.0.1:1\n",
     "p.ini:1: [frontend x] has no backend; add 'backend = NAME'\n"},
};

START_TEST(mistake_is_reported)
{
    struct loaded loaded = load_text(mistakes[_i].text);
    ck_assert_str_eq(loaded.errors, mistakes[_i].errors);
    loaded_free(&loaded);
}
END_TEST

#define TWO    "[frontend f]\nbind = 127.0.0.1:1\nbackend = b\n"
#define ROUTED TWO "[backend b]\nserver = a 127.0.0.1:2\n[frontend g]\nbind = 127.0.0.1:3\n"

/* What users of HAProxy, nginx and Envoy write first, in the form of this file. */
static const struct {
    const char *text, *ours;
} translated[] = {
    {SERVER "server = a 127.0.0.1:80\noption = httpchk GET /\n", "it is 'check = http' here"},
    {SERVER "server = a 127.0.0.1:80\noption = splice-auto\n", "an option of HAProxy"},
    {SERVER "server = a 127.0.0.1:80\ntimeout = queue 5s\n", "it is 'queue-timeout' here"},
    {SERVER "server = a 127.0.0.1:80\ntimeout = x\n", "it is several options here"},
    {SERVER "server = a 127.0.0.1:80\ntcp-check = expect string +PONG\n", "'check-step'"},
    {SERVER "server = a 127.0.0.1:80\ntcp-check connect = port 80\n", "'check-step'"},
    {SERVER "server = a 127.0.0.1:80\nstick on = src\n", "'balance = source'"},
    {SERVER "server = a 127.0.0.1:80\noption ldap-check\n", "this is 'check = steps'"},
    {SERVER "server = a 127.0.0.1:80\ncheck interval = 5s\n", "did you mean 'check-interval'?"},
    {SERVER "server = a 127.0.0.1:80\ncontimeout = 5s\n", "it is 'connect-timeout' here"},
    {SERVER "server = a 127.0.0.1:80\nqueue = 100 timeout=5s\n", "'max-queue' and"},
    {SERVER "server = a 127.0.0.1:80\nhealthy_panic_threshold = 50\n", "'max-ejected'"},
    /* attributes as keys */
    {SERVER "server = a 127.0.0.1:80\non-marked-down = shutdown-sessions\n",
     "it is 'on-down = close' of the backend here"},
    {SERVER "server = a 127.0.0.1:80\nmax_conns = 10\n", "'maxconn=N' of a 'server' line here"},
    {SERVER "server = a 127.0.0.1:80\nsend-proxy-v2 = yes\n", "'send-proxy=v2' of a 'server' line"},
    {SERVER "server = a 127.0.0.1:80\nv4v6 = yes\n", "'v6only=no' of a 'bind' line here"},
    {SERVER "server = a 127.0.0.1:80\ntrack = b/a\n", "'check-track=BACKEND/SERVER'"},
    {SERVER "server = a 127.0.0.1:80\nagent-check = yes\n", "'check = agent' of the backend"},
    {SERVER "server = a 127.0.0.1:80\nssl = on\n", "the attribute tls=yes of a 'bind' or 'server'"},
    /* attributes */
    {SERVER "server = a 127.0.0.1:80 agent-port=9\n", "'check-port=N' with 'check = agent'"},
    {SERVER "server = a 127.0.0.1:80 send-proxy-v2-ssl\n", "'send-proxy=v2 proxy-tlv=ssl' here"},
    {SERVER "server = a 127.0.0.1:80 on-marked-up=shutdown-backup-sessions\n", "'failback = no'"},
    {SERVER "server = a 127.0.0.1:80 cc=bbr\n", "it is 'congestion' here"},
    /* values */
    {SERVER "server = a 127.0.0.1:80\ncheck = httpchk\n", "; write http\n"},
    {SERVER "server = a 127.0.0.1:80\ncheck = postgresql\n", "; write pgsql\n"},
    {SERVER "server = a 127.0.0.1:80\ncheck = external-check\n", "; write exec\n"},
    {SERVER "server = a 127.0.0.1:80\nbalance = static-rr\n", "; write roundrobin\n"},
    {SERVER "server = a 127.0.0.1:80\nbalance = ip_hash\n", "; write source\n"},
    {SERVER "server = a 127.0.0.1:80\non-down = shutdown-sessions\n", "; write close\n"},
    /* conditions */
    {ROUTED "route = ssl_sni:x b\n", "it is 'sni:' here"},
    {ROUTED "route = HostSNI(x) b\n", "it is 'sni:' here"},
    {ROUTED "route = map:/x b\n", "it is 'sni-map:' here"},
};

START_TEST(words_of_other_products_are_understood)
{
    struct loaded loaded = load_text(translated[_i].text);
    ck_assert_msg(loaded.error_count == 1 && strstr(loaded.errors, translated[_i].ours), "%s%s",
                  translated[_i].text, loaded.errors);
    loaded_free(&loaded);
}
END_TEST

START_TEST(all_mistakes_are_reported_in_order)
{
    struct loaded loaded = load_text("workers = 2\n"
                                     "[globl]\n"
                                     "workers = 300\n"
                                     "drian = wait\n"
                                     "[fronted web]\n"
                                     "bind 127.0.0.1:80\n"
                                     "backend = ap\n"
                                     "idle-timeout = 5\n"
                                     "[backend app]\n"
                                     "server = a 10.0.0.256:1\n"
                                     "retries = ${RPPROXY_NOT_SET}\n");
    ck_assert_str_eq(
        loaded.errors,
        "p.ini:1: key 'workers' stands before the first section head, such as [global]\n"
        "p.ini:2: unknown section 'globl'; did you mean 'global'?\n"
        "p.ini:3: workers: '300' must be auto or 1 to 256\n"
        "p.ini:4: unknown key 'drian' in [global]; did you mean 'drain'?\n"
        "p.ini:5: unknown section 'fronted'; did you mean 'frontend'?\n"
        "p.ini:6: '=' is missing: write 'bind = 127.0.0.1:80'\n"
        "p.ini:7: backend: there is no [backend ap]; did you mean 'app'?\n"
        "p.ini:8: idle-timeout: '5' needs a unit: 100ms, 5s, 10m, 1h\n"
        "p.ini:10: server: '10.0.0.256:1': not an IPv4 address\n"
        "p.ini:11: retries: variable 'RPPROXY_NOT_SET' is not defined; "
        "${RPPROXY_NOT_SET:-DEFAULT} gives it a default\n");
    loaded_free(&loaded);
}
END_TEST

START_TEST(control_path_must_fit_a_socket)
{
    char text[512];
    char path[128];
    memset(path, 'a', sizeof path);
    path[0] = '/';
    path[107] = '\0';
    snprintf(text, sizeof text, VALID "[global]\ncontrol = %s\n", path);
    config_free(load_good(text));
    path[107] = 'a';
    path[108] = '\0';
    snprintf(text, sizeof text, VALID "[global]\ncontrol = %s\n", path);
    struct loaded loaded = load_text(text);
    ck_assert_ptr_nonnull(strstr(loaded.errors, "must not be longer than 107 bytes\n"));
    loaded_free(&loaded);
}
END_TEST

START_TEST(congestion_must_exist_in_the_kernel)
{
    static const char wrong[] = "p.ini:4: congestion: 'no-such' is not offered by the kernel";
    struct loaded loaded = load_text(VALID "congestion = no-such\n");
    ck_assert_uint_eq(loaded.error_count, 1);
    ck_assert_msg(strncmp(loaded.errors, wrong, strlen(wrong)) == 0, "%s", loaded.errors);
    loaded_free(&loaded);
}
END_TEST

/* Reads a line of /proc/sys/net/ipv4, and adds a space at both ends. */
static void read_names(const char *file, char names[static 512])
{
    char path[128];
    snprintf(path, sizeof path, "/proc/sys/net/ipv4/%s", file);
    FILE *stream = fopen(path, "re");
    ck_assert_ptr_nonnull(stream);
    names[0] = ' ';
    ck_assert_ptr_nonnull(fgets(names + 1, 510, stream));
    strcpy(names + strcspn(names, "\n"), " ");
    fclose(stream);
}

/* root may use the algorithm, but the user that the process becomes may not. */
START_TEST(congestion_must_be_allowed_for_the_user)
{
    char available[512], allowed[512], text[256];
    read_names("tcp_available_congestion_control", available);
    read_names("tcp_allowed_congestion_control", allowed);
    char *rest, *name = strtok_r(available, " ", &rest);
    for (; name; name = strtok_r(NULL, " ", &rest)) {
        snprintf(text, sizeof text, " %s ", name);
        if (!strstr(allowed, text))
            break;
    }
    if (!name || geteuid() != 0) {
        unit_skip("all users may use every congestion control, or the test does not run as root");
        return;
    }
    snprintf(text, sizeof text, VALID "congestion = %s\n", name);
    struct loaded loaded = load_text(text);
    ck_assert_str_eq(loaded.errors, "");
    loaded_free(&loaded);
    snprintf(text, sizeof text, VALID "congestion = %s\n[global]\nuser = nobody\n", name);
    loaded = load_text(text);
    ck_assert_uint_eq(loaded.error_count, 1);
    ck_assert_msg(strstr(loaded.errors, "is not allowed for processes without CAP_NET_ADMIN"), "%s",
                  loaded.errors);
    loaded_free(&loaded);
}
END_TEST

#define COUNT(array) ((int)(sizeof(array) / sizeof(array)[0]))

Suite *config_mistakes_suite(void)
{
    Suite *suite = suite_create("config_mistakes");
    TCase *wrong = tcase_create("mistakes");
    tcase_add_checked_fixture(wrong, folder_make, folder_remove);
    tcase_add_loop_test(wrong, mistake_is_reported, 0, COUNT(mistakes));
    tcase_add_loop_test(wrong, words_of_other_products_are_understood, 0, COUNT(translated));
    tcase_add_test(wrong, all_mistakes_are_reported_in_order);
    tcase_add_test(wrong, congestion_must_exist_in_the_kernel);
    tcase_add_test(wrong, congestion_must_be_allowed_for_the_user);
    tcase_add_test(wrong, control_path_must_fit_a_socket);
    suite_add_tcase(suite, wrong);
    return suite;
}
