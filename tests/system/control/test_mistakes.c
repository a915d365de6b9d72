/* Likely mistakes in configurations and commands: the message names the place, the cause and the
 * remedy. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/proxy.h"

#include <stdio.h>
#include <string.h>

enum { WORDS_MAX = 8 };

static void says(const struct outcome *outcome, const char *mistake, const char *what)
{
    ck_assert_msg(strstr(outcome->err, what) != NULL, "%s: '%s' is not said in: %s", mistake, what,
                  outcome->err);
}

/* --- configurations ------------------------------------------------------------------------ */

/* The line stands behind this. */
#define GLOBAL "[global]\n"
#define LISTEN "[listen l]\nbind = 127.0.0.1:1\nserver = a 127.0.0.1:2\n"

static const struct {
    const char *line;
    const char *cause, *remedy; /* both must be said */
} in_global[] = {
    /* The form of a line and of a value. */
    {"workers 2", "'=' is missing", "write 'workers = 2'"},
    {"workers: 2", "'=' is missing", "write 'workers = 2'"},
    {"workers == 2", "workers: '= 2' must be", "write one '='"},
    {"workers = \"2\"", "workers: '\"2\"' must be", "without quotes"},
    {"workers = 2;two", "workers: '2;two' must be", "a comment needs a space before its ';'"},
    {"workers = 2#two", "workers: '2#two' must be", "a comment needs a space before its '#'"},
    {"workers = 2;", "workers: '2;' must be", "remove the ';' at its end"},
    {"workers = $COUNT", "workers: '$COUNT' must be", "a variable is written ${COUNT}"},
    {"workers =", "workers: value is missing", ""},
    {"workers = ${NOT_SET_ANYWHERE}", "variable 'NOT_SET_ANYWHERE' is not defined",
     "${NOT_SET_ANYWHERE:-DEFAULT}"},
    {"wrokers = 2", "unknown key 'wrokers'", "did you mean 'workers'"},
    {"workers = 0", "must be auto or 1 to 256", "write 'auto'"},
    {"max-sessions = 10k", "max-sessions: '10k' must be", "write 10000"},
    {"max-sessions = 10,000", "max-sessions: '10,000' must be", "without separators: 10000"},
    {"max-sessions = 10_000", "max-sessions: '10_000' must be", "without separators: 10000"},
    {"drain-timeout = 10", "drain-timeout: '10' needs a unit", "10m"},
    {"drain-timeout = 10 s", "drain-timeout: '10 s' is not a time", "write 10s"},
    {"drain-timeout = 5min", "drain-timeout: '5min' is not a time", "write 5m"},
    {"drain-timeout = 2d", "drain-timeout: '2d' is not a time", "write 48h"},
    {"drain-timeout = off", "drain-timeout: 'off' is not a time", "write 0s"},
    {"log = /var/log/rpproxy.log", "log: '/var/log/rpproxy.log' must be",
     "file:/var/log/rpproxy.log"},
    {"log-level = warn", "log-level: 'warn' must be", "did you mean 'warning'"},
    {"log-level = INFO", "log-level: 'INFO' must be", "write info"},
    {"control = run/control.sock", "must be an absolute path", ""},
    {"include = \"more.ini\"", "No such file", "without quotes"},
    {"include = missing.ini", "missing.ini: No such file", ""},
    /* Lines of other products. */
    {"nbthread 4", "expected 'KEY = VALUE'", "this is 'workers' here"},
    {"maxconn 4096", "expected 'KEY = VALUE'", "this is 'max-sessions' here"},
    {"daemon", "expected 'KEY = VALUE'", "not needed: rpproxy runs in the foreground"},
    {"ulimit-n 9000", "expected 'KEY = VALUE'", "LimitNOFILE="},
    {"chroot /var/empty", "expected 'KEY = VALUE'", "RootDirectory="},
    {"stats socket /run/x", "expected 'KEY = VALUE'", "this is 'control' here"},
    {"worker_processes auto;", "expected 'KEY = VALUE'", "this is 'workers' here"},
    {"events {", "expected 'KEY = VALUE'", "not needed: see 'workers'"},
    {"stream {", "expected 'KEY = VALUE'", "a section, [listen NAME]"},
    {"}", "expected 'KEY = VALUE'", "blocks of nginx are sections here"},
    {"defaults", "the head of a section needs brackets", "write [defaults]"},
    {"frontend web", "the head of a section needs brackets", "write [frontend web]"},
    {"[fronted web]", "unknown section 'fronted'", "did you mean 'frontend'"},
};

static const struct {
    const char *line, *cause, *remedy;
} in_listen[] = {
    {"bind *:443", "'=' is missing", "write 'bind = *:443'"},
    {"bind = 8080", "host is missing", "0.0.0.0:PORT"},
    {"bind = 127.0.0.1:80,127.0.0.1:81", "is a list", "a line of its own"},
    {"bind = *:80", "host is missing", "0.0.0.0:PORT or [::]:PORT"},
    {"bind = ::1:80", "an IPv6 address needs brackets", "[IPV6]:PORT"},
    {"bind = /tmp/x.sock", "the path of a Unix socket needs 'unix:'", "unix:/PATH"},
    {"bind = http://10.0.0.1:80", "is a URL", "HOST:PORT"},
    {"bind = \"127.0.0.1:80\"", "bind: '\"127.0.0.1:80\"'", "without quotes"},
    {"bind = 127.0.0.1:1", "bind '127.0.0.1:1' is given twice", "first in line 2"},
    {"bind = 127.0.0.1:80 tfo", "unknown attribute 'tfo'", "there is no TCP fast open"},
    {"bind = 127.0.0.1:80 transparent", "unknown attribute 'transparent'", "not possible"},
    {"server = 127.0.0.1:80", "must be NAME ADDRESS", "write a name before the address"},
    {"server = a 127.0.0.1:80", "server 'a' is given twice", "first in line 3"},
    {"server b 10.0.0.1:80 check", "'=' is missing", "write 'server = b 10.0.0.1:80 check'"},
    {"server = b 10.0.0.1:80 weight 5", "'weight' needs its value directly after it",
     "write weight=VALUE"},
    {"server = b 10.0.0.1:80 wieght=5", "unknown attribute 'wieght'", "did you mean 'weight'"},
    {"server = b 10.0.0.1:80 check inter 2s", "unknown attribute 'check'",
     "it is 'check-interval = TIME' of the backend here"},
    {"server = b 10.0.0.1:80 cookie b", "unknown attribute 'cookie'", "'balance = source'"},
    {"server = b 10.0.0.1:80 disabled", "unknown attribute 'disabled'", "rpproxy server"},
    {"server = b 10.0.0.1:80 observe layer4", "unknown attribute 'observe'", "'max-fails = N'"},
    {"balance = round-robin", "balance: 'round-robin' must be", "write roundrobin"},
    {"balance = least_conn", "balance: 'least_conn' must be", "write leastconn"},
    {"check = on", "check: 'on' must be", "write tcp"},
    {"check-path = /health", "check-path: has no effect", "check = http"},
    {"access-log = maybe", "access-log: 'maybe' must be", "yes"},
    {"keepalive = maybe", "keepalive: 'maybe'", "yes"},
    {"deny = all", "deny: 'all' is not an IP address", "write any"},
    {"accept-proxy = yes", "accept-proxy: 'yes' has 'yes'", "write any"},
    {"allow = 10.0.0.1-10.0.0.9", "is not an IP address", "ADDRESS/BITS"},
    {"retries = three", "retries: 'three' must be 0 to 100", ""},
    {"max-queue = 0", "max-queue: '0' must be", "write 'unlimited'"},
    {"rate-per-source = 10", "rate-per-source: '10' must be", "100/s"},
    {"weight = 5", "unknown key 'weight'", "the attribute 'weight' of a 'server' line"},
    {"workers = 2", "key 'workers' is not allowed in [listen l]", "it belongs in [global]"},
    {"mode tcp", "expected 'KEY = VALUE'", "always tcp"},
    {"timeout client 30s", "expected 'KEY = VALUE'", "this is 'idle-timeout' here"},
    {"option tcplog", "expected 'KEY = VALUE'", "'access-log = yes'"},
    {"option httpchk GET /", "expected 'KEY = VALUE'", "'check = http'"},
    {"option dontlognull", "expected 'KEY = VALUE'", "not needed"},
    {"cookie SRV insert", "expected 'KEY = VALUE'", "'balance = source'"},
    {"http-request deny", "expected 'KEY = VALUE'", "rpproxy does not read HTTP"},
    {"use_backend b if x", "expected 'KEY = VALUE'", "'route = CONDITION ... BACKEND'"},
    {"leastconn", "expected 'KEY = VALUE'", "'balance = leastconn'"},
    {"hash-type consistent", "expected 'KEY = VALUE'", "'balance = maglev'"},
    {"srvtcpka-idle 30s", "expected 'KEY = VALUE'", "'keepalive = IDLE,INTERVAL,COUNT'"},
    {"unique-id-format %{+X}o", "expected 'KEY = VALUE'", "proxy-tlv=unique-id"},
    {"monitor-net 10.0.0.0/8", "expected 'KEY = VALUE'", "/healthz"},
    {"proxy_download_rate 1m;", "expected 'KEY = VALUE'", "not possible for bytes"},
    {"proxy_session_drop on;", "expected 'KEY = VALUE'", "'on-down = close'"},
    {"max_ejection_percent = 10", "unknown key 'max_ejection_percent'", "'max-ejected'"},
    {"proxy_pass backend;", "expected 'KEY = VALUE'", "this is 'backend' here"},
    {"listen 443;", "expected 'KEY = VALUE'", "this is 'bind' here"},
    {"route = sni:example.org", "needs a backend, or reject", "as its last word"},
    {"route = sni:example.org nope", "there is no [backend nope]", ""},
    {"route = path:/x l", "unknown condition 'path'", "the conditions are sni:"},
    {"route = tls l", "unknown condition 'tls'", "it is 'tls:yes' here"},
};

/* One file and one process for each. */
static void expect_mistake(const char *before, unsigned line, const char *mistake,
                           const char *after, const char *cause, const char *remedy)
{
    char path[PATH_MAX], place[PATH_MAX + 16];
    struct outcome outcome;
    write_file(test_path(path, "p.ini"), 0644, "%s%s\n%s", before, mistake, after);
    run(&outcome, proxy_binary(), "check", "-f", path, NULL);
    ck_assert_msg(outcome.code == 2, "%s: exit %d: %s%s", mistake, outcome.code, outcome.out,
                  outcome.err);
    snprintf(place, sizeof place, "%s:%u: ", path, line);
    says(&outcome, mistake, place);
    says(&outcome, mistake, cause);
    says(&outcome, mistake, remedy);
}

START_TEST(in_a_configuration)
{
    for (size_t i = 0; i < sizeof in_global / sizeof *in_global; i++)
        expect_mistake(GLOBAL, 2, in_global[i].line, LISTEN, in_global[i].cause,
                       in_global[i].remedy);
    for (size_t i = 0; i < sizeof in_listen / sizeof *in_listen; i++)
        expect_mistake(LISTEN, 4, in_listen[i].line, "", in_listen[i].cause, in_listen[i].remedy);
}
END_TEST

/* A user that does not exist here is no error of the file, which may be for another machine. */
START_TEST(a_user_that_does_not_exist)
{
    char path[PATH_MAX];
    struct outcome outcome;
    write_file(test_path(path, "p.ini"), 0644, GLOBAL "user = no-such-user\n" LISTEN);
    run(&outcome, proxy_binary(), "check", "-f", path, NULL);
    ck_assert_int_eq(outcome.code, 0);
    says(&outcome, "user", "p.ini:2: warning: user: there is no user no-such-user on this machine");
    run(&outcome, proxy_binary(), "-f", path, NULL);
    ck_assert_int_eq(outcome.code, 2);
    says(&outcome, "user", "p.ini:2: user: there is no user no-such-user");
}
END_TEST

/* --- commands ------------------------------------------------------------------------------ */

static const struct {
    const char *words[WORDS_MAX];
    int code;
    const char *cause, *remedy;
} in_commands[] = {
    {{"relaod"}, 1, "no such command: relaod", "did you mean 'reload'"},
    {{"restart"}, 1, "no such command: restart", "rpproxy --help"},
    {{"/etc/passwd"}, 1, "no such command: /etc/passwd", "a file is named by -f FILE"},
    {{"-f", "x.ini", "status"}, 1, "the command must be the first word: status", ""},
    {{"-f", "a.ini", "-f", "b.ini"}, 1, "-f b.ini: is given twice", ""},
    {{"status", "-f", "a.ini", "-s", "/x"}, 1, "only one of -f FILE and -s SOCKET", ""},
    {{"status", "-f"}, 1, "a value is missing after: -f", ""},
    {{"status", "--jsno"}, 1, "no such option: --jsno", "did you mean '--json'"},
    {{"check", "--json"}, 1, "this command does not accept: --json", ""},
    {{"check", "x.ini"}, 1, "too many arguments: x.ini", ""},
    {{"server", "app/a"}, 1, "missing argument: BACKEND/SERVER ACTION", ""},
    {{"kill"}, 1, "missing argument: SESSION-ID or FILTER", ""},
    {{"stop", "--timeout", "5"}, 1, "--timeout '5': needs a unit", "5s"},
    {{"reload", "--wait=done"}, 1, "--wait 'done': must be ready or drained", ""},
    {{"reload", "--canary", "5"}, 1, "--canary '5'", ""},
    {{"reload", "--abort", "--promote"}, 1, "only one of --canary, --abort, --promote", ""},
    {{"check", "-f", "/nonexistent/x.ini"}, 2, "/nonexistent/x.ini: No such file", ""},
    {{"status", "-f", "/nonexistent/x.ini"}, 2, "/nonexistent/x.ini: No such file", ""},
    {{"status", "-s", "/nonexistent/x.sock"}, 8, "no proxy answers on /nonexistent/x.sock", ""},
};

/* One line, which does not disappear above a page of usage. */
START_TEST(in_a_command)
{
    for (size_t i = 0; i < sizeof in_commands / sizeof *in_commands; i++) {
        const char *argv[WORDS_MAX + 2] = {proxy_binary()};
        char words[256] = "";
        struct outcome outcome;
        for (size_t j = 0; j < WORDS_MAX && in_commands[i].words[j]; j++) {
            argv[j + 1] = in_commands[i].words[j];
            strcat(strcat(words, " "), argv[j + 1]);
        }
        program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
        ck_assert_msg(outcome.code == in_commands[i].code, "%s: exit %d: %s", words, outcome.code,
                      outcome.err);
        says(&outcome, words, in_commands[i].cause);
        says(&outcome, words, in_commands[i].remedy);
        ck_assert_msg(strchr(outcome.err, '\n') == strrchr(outcome.err, '\n'),
                      "%s: more than one line: %s", words, outcome.err);
    }
}
END_TEST

Suite *mistakes_suite(void)
{
    Suite *suite = suite_create("mistakes");
    scenario_add(suite, in_a_configuration, 120);
    scenario_add(suite, a_user_that_does_not_exist, 60);
    scenario_add(suite, in_a_command, 60);
    return suite;
}
