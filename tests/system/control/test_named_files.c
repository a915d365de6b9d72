/* Every option that names a file, and whatever may be wrong with the file: a reload says which line
 * names it, and the process that serves goes on. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Nobody has its key; and an empty list of what it has revoked. */
#define CERTIFICATE                                                                                \
    "-----BEGIN CERTIFICATE-----\n"                                                                \
    "MIIBlTCCATugAwIBAgIUE2nQiP1WDfCYA5MK2abS4wM4EJowCgYIKoZIzj0EAwIw\n"                           \
    "FDESMBAGA1UEAwwJYS5leGFtcGxlMCAXDTI2MTEyNzE4MjYyNFoYDzIxMjYxMTAz\n"                           \
    "MTgyNjI0WjAUMRIwEAYDVQQDDAlhLmV4YW1wbGUwWTATBgcqhkjOPQIBBggqhkjO\n"                           \
    "PQMBBwNCAARt9q5lQp9X+/XLq2SvyYJth1L8iu7fZ9YtXm5wmt5d43V131DKHAid\n"                           \
    "Iu12LXwHYIAAWozh7DlQ5dEUAV4ckYxEo2kwZzAdBgNVHQ4EFgQUGOTD5E/Zne/y\n"                           \
    "Nq9nLe3Ozs4b1h8wHwYDVR0jBBgwFoAUGOTD5E/Zne/yNq9nLe3Ozs4b1h8wDwYD\n"                           \
    "VR0TAQH/BAUwAwEB/zAUBgNVHREEDTALgglhLmV4YW1wbGUwCgYIKoZIzj0EAwID\n"                           \
    "SAAwRQIhAN8/00k6LvmzWl30tygMzBh/zJJhCEvmqSfigiX1VaPyAiBy9UwRHBCL\n"                           \
    "jWiu6O22guAW7D51Oh5GX8+bSNpWiJRl1Q==\n"                                                       \
    "-----END CERTIFICATE-----\n"
#define REVOCATIONS                                                                                \
    "-----BEGIN X509 CRL-----\n"                                                                   \
    "MIGaMEIwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJYS5leGFtcGxlFw0yNjExMjcx\n"                           \
    "ODI2MjRaGA8yMTI2MTEwMzE4MjYyNFowCgYIKoZIzj0EAwIDSAAwRQIgWUUComYd\n"                           \
    "9S8ibbe23ESGTmkyrojKtIaGLHHVB3A+b6ICIQDiQJeOKvF6FgVJm42a6ugHSXY4\n"                           \
    "Kh9n6/3NBWZo5LBCiA==\n"                                                                       \
    "-----END X509 CRL-----\n"

#define TICKET_KEY                                                                                 \
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJy"                                       \
    "gpKissLS4vMDEyMzQ1Njc4OTo7PD0+P0BBQkNERUZHSElKS0xNTk8="

/* Made by openssl: with its key. */
static char own_certificate[8192];

enum where { IN_GLOBAL, IN_FRONTEND, IN_BACKEND };

/* In the lines, '%' stands for the path of the file, and '$' for a port where nobody listens. */
static const struct named {
    const char *option; /* as rpproxy --help-options has it; of an attribute behind its line's */
    const char *form;   /* of the value, where there are several; else "" */
    enum where where;
    const char *before, *line; /* the lines above the one that names the file; this one */
    const char *good, *malformed;
    const char *says; /* of the malformed one, behind its path */
} all[] = {
    {"metrics-auth", "", IN_GLOBAL, "metrics = unix:%.sock\n", "metrics-auth = %",
     "ann:$1$saltsalt$qjXMvbEw8oaL.CzflDtaK/\n", "ann:open sesame\n",
     ":1: 'ann' has a hash that crypt(3) does not know"},
    {"include", "", IN_GLOBAL, "", "include = %", "[defaults]\nretries = 2\n", "retries\n",
     ":1: '=' is missing"},
    {"allow", "", IN_FRONTEND, "", "allow = @%", "127.0.0.0/8\n", "127.0.0.0/8\n127.0.0/8\n",
     ":2: '127.0.0/8' is not an IP address or ADDRESS/BITS"},
    {"deny", "", IN_FRONTEND, "", "deny = @%", "192.0.2.7\n", "nobody\n",
     ":1: 'nobody' is not an IP address or ADDRESS/BITS"},
    {"accept-proxy", "", IN_FRONTEND, "", "accept-proxy = @%", "192.0.2.7\n", "192.0.2.7/33\n",
     ":1: '192.0.2.7/33' has no prefix length"},
    {"accept-proxy", "of a bind", IN_FRONTEND, "", "bind = unix:%.more accept-proxy=@%",
     "192.0.2.7\n", "192.0.2\n", ":1: '192.0.2' is not an IP address"},
    {"route", "sni:", IN_FRONTEND, "", "route = sni:@% main", "a.example\n", "a b\n",
     ":1: 'a b' is no name"},
    {"route", "sni-map:", IN_FRONTEND, "", "route = sni-map:%", "b.example main\n",
     "b.example nowhere\n", ":1: 'b.example nowhere' "},
    {"route", "host:", IN_FRONTEND, "", "route = host:@% main", "c.example\n", "c/d\n",
     ":1: 'c/d' is no name"},
    {"route", "host-map:", IN_FRONTEND, "", "route = host-map:%", "d.example main\n", "d.example\n",
     ":1: 'd.example' must be NAME BACKEND"},
    {"route", "src:", IN_FRONTEND, "", "route = src:@% main", "192.0.2.9\n", "::/129\n",
     ":1: '::/129' has no prefix length"},
    {"certificate", "", IN_FRONTEND, "", "certificate = %", own_certificate,
     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ": certificate 1: "},
    {"client-ca", "", IN_FRONTEND, "", "client-ca = %", CERTIFICATE,
     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "' certificate 1: "},
    {"client-crl", "", IN_FRONTEND, "", "client-crl = %", REVOCATIONS,
     "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "' "},
    {"tls-ticket-keys", "", IN_FRONTEND, "", "tls-ticket-keys = %", TICKET_KEY "\n",
     TICKET_KEY "\nsecret\n", ":2: "},
    {"allow", "of a server", IN_BACKEND, "", "server = any sni:443 allow=@%", "*.example\n",
     "*.*.example\n", ":1: '*.*.example' "},
    {"verify", "of a server", IN_BACKEND, "",
     "server = s 127.0.0.1:$ tls=yes sni=a.example verify=%", CERTIFICATE,
     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "' certificate 1: "},
    {"crl", "of a server", IN_BACKEND, "",
     "server = s 127.0.0.1:$ tls=yes sni=a.example verify=system crl=%", REVOCATIONS,
     "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n", "' "},
    {"cert", "of a server", IN_BACKEND, "", "server = s 127.0.0.1:$ tls=yes verify=none cert=%",
     own_certificate, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
     ": certificate 1: "},
    {"check-password", "", IN_BACKEND,
     "server = s 127.0.0.1:$\ncheck = redis\ncheck-initial = down\n", "check-password = @%",
     "secret\n", "\n", ": the first line is empty"},
    {"check-verify", "", IN_BACKEND, "server = s 127.0.0.1:$\ncheck = tls\ncheck-initial = down\n",
     "check-verify = %", CERTIFICATE,
     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "' certificate 1: "},
    {"check-cert", "", IN_BACKEND, "server = s 127.0.0.1:$\ncheck = tls\ncheck-initial = down\n",
     "check-cert = %", own_certificate,
     "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", ": certificate 1: "},
    {"check-crl", "", IN_BACKEND,
     "server = s 127.0.0.1:$\ncheck = tls\ncheck-initial = down\ncheck-verify = system\n",
     "check-crl = %", REVOCATIONS, "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
     "' "},
    {"check-command", "", IN_BACKEND,
     "server = s 127.0.0.1:$\ncheck = exec\ncheck-initial = down\n", "check-command = %",
     "#!/bin/sh\n", NULL, NULL},
};
enum { ALL = sizeof all / sizeof *all };

static char *paths[ALL];
static unsigned lines[ALL]; /* of the configuration, that name the files */

static bool is_program(unsigned row)
{
    return !all[row].malformed;
}

static void restore(unsigned row)
{
    (void)remove(paths[row]);
    write_file(paths[row], is_program(row) ? 0755 : 0644, "%s", all[row].good);
}

/* --- the configuration --------------------------------------------------------------------- */

static void put_lines(FILE *out, const char *text, unsigned row, uint16_t port)
{
    for (; *text; text++)
        if (*text == '%')
            fputs(paths[row], out);
        else if (*text == '$')
            fprintf(out, "%u", port);
        else
            putc(*text, out);
}

static void put_rows(FILE *out, enum where where, uint16_t port)
{
    for (unsigned i = 0; i < ALL; i++) {
        if (all[i].where != where)
            continue;
        if (where == IN_FRONTEND)
            fprintf(out, "[frontend f%u]\nbackend = main\nbind = unix:%s.sock\n", i, paths[i]);
        if (where == IN_BACKEND)
            fprintf(out, "[backend b%u]\n", i);
        put_lines(out, all[i].before, i, port);
        put_lines(out, all[i].line, i, port);
        putc('\n', out);
    }
}

/* Where the lines are that name the files. */
static void find_lines(const struct proxy *proxy)
{
    static char text[65536];
    unsigned number = 0;
    ck_assert_uint_lt(read_file(proxy->file, text, sizeof text), sizeof text - 1);
    for (const char *line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
        number++;
        for (unsigned i = 0; i < ALL; i++) {
            const char *at = strstr(line, paths[i]);
            if (at && at[strlen(paths[i])] != '.')
                lines[i] = number;
            else if (at && strstr(line, "@"))
                lines[i] = number;
        }
    }
}

static void configure(const struct scene *scene)
{
    char *text;
    size_t length;
    const uint16_t port = port_reserve(getuid());
    FILE *out = open_memstream(&text, &length);
    put_rows(out, IN_GLOBAL, port);
    fprintf(out, "[listen main]\nbind = 127.0.0.1:%u\nserver = a 127.0.0.1:%u\n", scene->port,
            scene->server_port);
    put_rows(out, IN_FRONTEND, port);
    put_rows(out, IN_BACKEND, port);
    fclose(out);
    proxy_configure(&scene->proxy, "%s", text);
    free(text);
    find_lines(&scene->proxy);
}

static void make_certificate(void)
{
    struct outcome outcome;
    if (!program_exists("openssl"))
        skip_test("no openssl");
    run(&outcome, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
        "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-keyout", "-", "-subj",
        "/CN=a.example", NULL);
    ck_assert_msg(outcome.code == 0, "openssl req: %s", outcome.err);
    ck_assert_uint_lt(strlen(outcome.out), sizeof own_certificate);
    strcpy(own_certificate, outcome.out);
}

static void start(struct scene *scene)
{
    make_certificate();
    for (unsigned i = 0; i < ALL; i++) {
        char name[16], path[PATH_MAX];
        snprintf(name, sizeof name, "file-%c", 'a' + i);
        paths[i] = strdup(test_path(path, name));
        restore(i);
    }
    scene_init(scene);
    configure(scene);
    proxy_start(&scene->proxy);
}

/* --- what may be wrong --------------------------------------------------------------------- */

static void make_none(unsigned row)
{
    (void)row;
}

static void make_folder(unsigned row)
{
    ck_assert_int_eq(mkdir(paths[row], 0755), 0);
}

static void make_fifo(unsigned row)
{
    ck_assert_int_eq(mkfifo(paths[row], 0755), 0);
}

static void make_endless(unsigned row)
{
    ck_assert_int_eq(symlink("/dev/zero", paths[row]), 0);
}

static void make_loop(unsigned row)
{
    ck_assert_int_eq(symlink(paths[row], paths[row]), 0);
}

static void make_huge(unsigned row)
{
    write_file(paths[row], 0644, "%s", all[row].good);
    ck_assert_int_eq(truncate(paths[row], (off_t)65 << 20), 0);
}

static void make_malformed(unsigned row)
{
    write_file(paths[row], 0644, "%s", is_program(row) ? "" : all[row].malformed);
}

static void make_binary(unsigned row)
{
    make_malformed(row);
    ck_assert_int_eq(truncate(paths[row], 4), 0);
    ck_assert_int_eq(truncate(paths[row], 8), 0); /* zeros at the end */
}

enum { SAYS_MAX = 3 };

/* The message has one of the texts, if there are any. */
static const struct state {
    const char *name;
    void (*make)(unsigned row);
    const char *says[SAYS_MAX];
    bool inside; /* the file can be read */
} states[] = {
    {"missing", make_none, {"No such file or directory"}, false},
    {"a folder", make_folder, {"Is a directory", "not a regular file", "has no file *.pem"}, false},
    {"a FIFO", make_fifo, {"not a regular file"}, false},
    {"endless", make_endless, {"not a regular file"}, false},
    {"a loop of links", make_loop, {"Too many levels of symbolic links"}, false},
    {"huge", make_huge, {"larger than ", "not executable"}, false},
    {"malformed", make_malformed, {NULL}, true},
    {"binary", make_binary, {NULL}, true},
};
enum { STATES = sizeof states / sizeof *states };

/* The message is at the line that names the file; or, of an included file, at its own. */
static void is_refused(const struct scene *scene, unsigned row, const struct state *state)
{
    char place[PATH_MAX + 128], option[64];
    struct outcome outcome;
    (void)proxy_command(&scene->proxy, &outcome, "reload", NULL);
    ck_assert_msg(outcome.code == 2, "%s %s, %s: exit %d: %s", all[row].option, all[row].form,
                  state->name, outcome.code, outcome.err);
    snprintf(option, sizeof option, "%s",
             strcmp(all[row].form, "of a server") == 0 ? "server" : all[row].option);
    bool own = strcmp(option, "include") == 0 && state->inside;
    if (own)
        snprintf(place, sizeof place, "%s:1: ", paths[row]);
    else
        snprintf(place, sizeof place, "%s:%u: %s: ", scene->proxy.file, lines[row], option);
    const char *at = strstr(outcome.err, place);
    ck_assert_msg(at != NULL, "%s %s, %s: '%s' is not said in: %s", all[row].option, all[row].form,
                  state->name, place, outcome.err);
    if (!own)
        ck_assert_msg(strstr(at, paths[row]) != NULL, "%s: %s", state->name, outcome.err);
    if (state->make == make_malformed && !is_program(row)) {
        snprintf(place, sizeof place, "%s%s", paths[row], all[row].says);
        ck_assert_msg(strstr(outcome.err, place) != NULL, "'%s' is not said in: %s", place,
                      outcome.err);
        ck_assert_ptr_null(strstr(outcome.err, "sesame"));
    } else if (state->says[0]) {
        bool said = false;
        for (unsigned i = 0; i < SAYS_MAX && state->says[i]; i++)
            said |= strstr(at, state->says[i]) != NULL;
        ck_assert_msg(said, "%s %s, %s: '%s' is not said in: %s", all[row].option, all[row].form,
                      state->name, state->says[0], outcome.err);
    }
}

/* --- scenarios ----------------------------------------------------------------------------- */

static unsigned first_row(const char *option)
{
    unsigned row = 0;
    while (row < ALL && strcmp(all[row].option, option) != 0)
        row++;
    ck_assert_uint_lt(row, ALL);
    return row;
}

/* The files of these rows, each in all states. */
static void refuse_wrong_files(unsigned from, unsigned to)
{
    struct scene scene;
    struct status status;
    start(&scene);
    struct session session = session_open(&scene);
    for (unsigned row = from; row < to; row++)
        for (unsigned i = 0; i < STATES; i++) {
            ck_assert_int_eq(remove(paths[row]), 0);
            states[i].make(row);
            is_refused(&scene, row, &states[i]);
            restore(row);
        }
    ck_assert(proxy_status(&scene.proxy, &status));
    ck_assert_int_eq(status.pid, scene.proxy.pid);
    ck_assert_uint_eq(status.count, 1);
    session_works(&session);
    struct session next = session_open(&scene);
    session_works(&next);
    session_close(&next);
    proxy_reload(&scene.proxy);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}

/* Each reload takes a second or more where a machine is busy: several scenarios, for several
 * runners.
 */
START_TEST(wrong_lists_are_refused)
{
    refuse_wrong_files(0, first_row("route"));
}
END_TEST

START_TEST(wrong_files_of_routes_are_refused)
{
    refuse_wrong_files(first_row("route"), first_row("certificate"));
}
END_TEST

START_TEST(wrong_files_of_tls_are_refused)
{
    refuse_wrong_files(first_row("certificate"), first_row("check-password"));
}
END_TEST

START_TEST(wrong_files_of_checks_are_refused)
{
    refuse_wrong_files(first_row("check-password"), ALL);
}
END_TEST

/* Somebody else may not read them. */
START_TEST(unreadable_files_are_refused)
{
    struct scene scene;
    char place[PATH_MAX + 128];
    struct outcome outcome;
    start(&scene);
    const char *argv[] = {proxy_binary(), "check", "-f", scene.proxy.file, NULL};
    const struct program program = {.argv = argv, .user = getuid() == 0 ? "nobody" : NULL};
    for (unsigned row = 0; row < ALL; row++) {
        ck_assert_int_eq(chmod(paths[row], 0), 0);
        program_run(&program, PATIENCE_MS, &outcome);
        ck_assert_msg(outcome.code == 2, "%s: exit %d: %s", all[row].option, outcome.code,
                      outcome.err);
        snprintf(place, sizeof place, "%s:%u: ", scene.proxy.file, lines[row]);
        const char *at = strstr(outcome.err, place);
        ck_assert_msg(at && (strstr(at, "Permission denied") || strstr(at, "not executable")),
                      "%s: %s", all[row].option, outcome.err);
        restore(row);
    }
    proxy_stop(&scene.proxy);
}
END_TEST

/* Writes the file all the time, and not by rename. One process, so that nothing of it goes on when
 * it has been killed. */
static pid_t start_writer(unsigned row)
{
    const char *text = all[row].good;
    const size_t length = strlen(text), half = length / 2;
    pid_t writer = fork();
    ck_assert_int_ge(writer, 0);
    if (writer > 0)
        return writer;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    for (;;) {
        int file = open(paths[row], O_WRONLY | O_TRUNC | O_CLOEXEC);
        if (write(file, text, half) < 0 || write(file, text + half, length - half) < 0)
            _exit(1);
        close(file);
    }
}

/* A reload gets some state of the file, or is refused. */
START_TEST(files_that_change_during_a_reload)
{
    struct scene scene;
    struct outcome outcome;
    char place[PATH_MAX + 128];
    unsigned refused = 0;
    start(&scene);
    for (unsigned row = 0; row < ALL; row++) {
        struct session session = session_open(&scene);
        pid_t writer = start_writer(row);
        (void)proxy_command(&scene.proxy, &outcome, "reload", NULL);
        kill(writer, SIGKILL);
        wait_gone(writer);
        snprintf(place, sizeof place, "%s:%u: ", scene.proxy.file, lines[row]);
        ck_assert_msg(outcome.code == 0 || (outcome.code == 2 && strstr(outcome.err, place)),
                      "%s: exit %d: %s", all[row].option, outcome.code, outcome.err);
        refused += outcome.code == 2;
        proxy_follow(&scene.proxy);
        session_works(&session);
        session_close(&session);
        restore(row);
    }
    printf("     %u of %u reloads were refused\n", refused, (unsigned)ALL);
    proxy_reload(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

static bool is_tested(const char *option, size_t length)
{
    for (unsigned i = 0; i < ALL; i++)
        if (strlen(all[i].option) == length && strncmp(all[i].option, option, length) == 0)
            return true;
    return false;
}

/* A new option that names a file belongs into the table above. */
START_TEST(all_options_are_in_the_table)
{
    static struct outcome outcome;
    unsigned count = 0;
    run(&outcome, proxy_binary(), "--help-options", NULL);
    ck_assert_int_eq(outcome.code, 0);
    for (char *line = strtok(outcome.out, "\n"); line; line = strtok(NULL, "\n")) {
        line += strspn(line, " ");
        size_t length = strcspn(line, " =");
        const char *form = line + length + strspn(line + length, " ");
        if (*form != '=' || !strstr(form, "FILE"))
            continue;
        count++;
        ck_assert_msg(is_tested(line, length), "not tested: %s", line);
    }
    ck_assert_uint_gt(count, 5);
}
END_TEST

Suite *named_files_suite(void)
{
    Suite *suite = suite_create("named_files");
    scenario_add(suite, wrong_lists_are_refused, 300);
    scenario_add(suite, wrong_files_of_routes_are_refused, 300);
    scenario_add(suite, wrong_files_of_tls_are_refused, 300);
    scenario_add(suite, wrong_files_of_checks_are_refused, 300);
    scenario_add(suite, unreadable_files_are_refused, 120);
    scenario_add(suite, files_that_change_during_a_reload, 300);
    scenario_add(suite, all_options_are_in_the_table, 60);
    return suite;
}
