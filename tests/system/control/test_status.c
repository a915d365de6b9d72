/* `rpproxy status` in a terminal of 80 columns, with names as long as they can be; and what the
 * manual says of it, and of JSON. */
#include "tests/system/scenarios.h"
#include "tests/system/support/authority.h"
#include "tests/system/support/canary.h"
#include "tests/system/support/scene.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME = 157, SERVERS = 240, COLUMNS = 80 };

static void print_status(const struct proxy *proxy, const char *columns, struct outcome *outcome)
{
    char variable[32];
    snprintf(variable, sizeof variable, "COLUMNS=%s", columns);
    const char *env[] = {variable, NULL};
    const char *argv[] = {proxy_binary(), "status", "-f", proxy->file, NULL};
    program_run(&(struct program){.argv = argv, .env = env}, PATIENCE_MS, outcome);
    ck_assert_msg(outcome->code == 0, "exit %d: %s", outcome->code, outcome->err);
}

/* The column at which the word begins in the line; -1: it is not there. */
static int column_of(const char *line, const char *word)
{
    const char *end = strchr(line, '\n'), *at = strstr(line, word);
    return at && at < end ? (int)(at - line) : -1;
}

/* A section of the manual, up to the next one, until the next call. */
static const char *manual_section(const char *name)
{
    static char manual[1 << 17];
    char head[64];
    ck_assert_uint_lt(read_file("man/rpproxy.8", manual, sizeof manual), sizeof manual - 1);
    snprintf(head, sizeof head, "\n.Sh %s\n", name);
    char *section = strstr(manual, head);
    ck_assert_ptr_nonnull(section);
    char *end = strstr(section + 1, "\n.Sh ");
    ck_assert_ptr_nonnull(end);
    *end = '\0';
    return section;
}

/* A column, or a value of one, as a word of the list of columns. */
static void expect_told(const char *section, const char *word)
{
    const size_t length = strlen(word);
    for (const char *at = section; (at = strstr(at, word)); at++)
        if (strchr(" \n", at[-1]) && strchr(" \n", at[length]))
            return;
    const char *name = section + strlen("\n.Sh ");
    ck_abort_msg("rpproxy(8), %.*s, does not tell of '%s'", (int)strcspn(name, "\n"), name, word);
}

/* The lines in capitals are the heads of lists; two spaces are between columns. */
static void expect_columns_told(const char *status)
{
    const char *section = manual_section("STATUS");
    char *copy = strdup(status), *rest = copy, *line;
    unsigned columns = 0;
    while ((line = strsep(&rest, "\n"))) {
        if (!*line || strpbrk(line, "abcdefghijklmnopqrstuvwxyz0123456789"))
            continue;
        for (char *end; line; line = end) {
            line += strspn(line, " ");
            end = strstr(line, "  ");
            if (end)
                *end++ = '\0';
            if (*line) {
                expect_told(section, line);
                columns++;
            }
        }
    }
    free(copy);
    ck_assert_uint_gt(columns, 20);
}

static void configure(const struct scene *scene, const char *name)
{
    char text[65536];
    size_t length = 0;
    for (unsigned i = 0; i < SERVERS; i++)
        length += (size_t)snprintf(text + length, sizeof text - length,
                                   "server = %.*s%03u 127.%u.0.1:%u maxconn=%u\n", i < 2 ? NAME : 6,
                                   name, i, i, scene->server_port, 100 + i);
    proxy_configure(&scene->proxy,
                    "workers = 2\n[frontend %s]\nbind = 127.0.0.1:%u\nbackend = main\n"
                    "deny = any\n[backend main]\n%s",
                    name, scene->port, text);
}

/* No line is wider than the terminal, columns are below their heads, and the ends of long names
 * tell them apart. */
START_TEST(long_names_in_80_columns)
{
    struct scene scene;
    struct outcome outcome;
    char name[NAME + 1], *save;
    memset(name, 'n', NAME);
    name[NAME] = '\0';
    scene_init(&scene);
    configure(&scene, name);
    proxy_start(&scene.proxy);
    expect_reset_at(&scene.front);

    print_status(&scene.proxy, "80", &outcome);
    unsigned servers = 0;
    int addresses = -1, weights = -1;
    char copy[sizeof outcome.out];
    memcpy(copy, outcome.out, sizeof copy);
    for (const char *line = outcome.out; *line; line = strchr(line, '\n') + 1) {
        if (strncmp(line, "SERVER ", 7) == 0) {
            addresses = column_of(line, "ADDRESS");
            weights = column_of(line, "WEIGHT") + (int)strlen("WEIGHT");
        } else if (strncmp(line, "main/", 5) == 0 && column_of(line, "127.") >= 0) {
            ck_assert_int_eq(column_of(line, "127."), addresses);
            ck_assert_msg(line[weights - 1] == '1' && line[weights] == ' ', "%s", line);
            servers++;
        }
    }
    ck_assert_uint_eq(servers, SERVERS);
    for (const char *word = "n000 \0n001 \0"; *word; word += strlen(word) + 1)
        ck_assert_msg(strstr(outcome.out, word) != NULL, "no server '%s': %s", word, outcome.out);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\nDENIED AT"));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\nQUEUE"));
    for (char *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
        if (strncmp(line, "file ", 5) != 0)
            ck_assert_msg(strlen(line) <= COLUMNS, "%zu columns: %s", strlen(line), line);

    print_status(&scene.proxy, "", &outcome); /* no terminal: names are whole */
    ck_assert_ptr_nonnull(strstr(outcome.out, name));
    expect_columns_told(outcome.out);
    proxy_stop(&scene.proxy);
}
END_TEST

/* How full frontends are, and which servers fail. */
START_TEST(limits_and_failures_are_shown)
{
    struct scene scene;
    struct outcome outcome;
    const uint16_t dead = port_reserve(getuid()), port = port_reserve(getuid());
    const struct endpoint other = endpoint_loopback(port);
    scene_init(&scene);
    proxy_configure(
        &scene.proxy,
        "workers = 2\nmax-sessions = 100\n[listen main]\nbind = 127.0.0.1:%u\n"
        "max-sessions = 1\nover-limit = close\nserver = a 127.0.0.1:%u\n[listen other]\n"
        "bind = 127.0.0.1:%u\nretries = 0\nserver = b 127.0.0.1:%u\n",
        scene.port, scene.server_port, port, dead);
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    for (unsigned i = 0; i < 3; i++) {
        expect_reset_at(i < 2 ? &other : &scene.front);
    }
    wait_mentioned(
        scene.proxy.log,
        "max-sessions of frontend main is reached: 1 sessions; further clients are reset");
    print_status(&scene.proxy, "", &outcome);
    static const char *const lines[] = {
        " in all, limit 100\n",           "\nFRONTEND  SESSIONS  MOST  IN ALL  WAITED\n",
        "\nmain           1/1  ",         "\nother            0  ",
        "  connects failed: refused 2\n",
    };
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        ck_assert_msg(strstr(outcome.out, lines[i]) != NULL, "no '%s': %s", lines[i], outcome.out);
    char check[32], admin[32];
    const char *server = strstr(outcome.out, "\nmain/a ");
    ck_assert_ptr_nonnull(server);
    ck_assert_int_eq(sscanf(server, " main/a %*s %31s %31s", check, admin), 2);
    expect_told(manual_section("STATUS"), check);
    expect_told(manual_section("STATUS"), admin);
    ck_assert_ptr_null(strstr(strstr(outcome.out, "failed:") + 1, "failed:"));
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

/* --- JSON ------------------------------------------------------------------------------------ */

/* The names of reasons are no members. */
static bool is_counted_by_reason(const char *name)
{
    return strcmp(name, "ends") == 0 || strcmp(name, "tls_failures") == 0 ||
           strcmp(name, "connect_failures") == 0;
}

/* Adds the names of members to *seen, each once. */
static void expect_members_told(const char *section, json_t *value, json_t *seen)
{
    const char *name;
    json_t *member;
    size_t i;
    json_object_foreach(value, name, member)
    {
        expect_told(section, name);
        json_object_set_new(seen, name, json_true());
        if (!is_counted_by_reason(name))
            expect_members_told(section, member, seen);
    }
    json_array_foreach(value, i, member) expect_members_told(section, member, seen);
}

/* What the command prints, an object or list in each of `lines` lines; 0: in all lines together. */
static void expect_output_told(const struct proxy *proxy, const char *section, unsigned lines,
                               json_t *seen, const char *const *words)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(proxy, &outcome, words[0], words[1], words[2], words[3], NULL),
                     0);
    char *rest = outcome.out;
    for (unsigned i = 0; i == 0 || i < lines; i++) {
        json_t *answer = json_loads(lines ? strsep(&rest, "\n") : outcome.out, 0, NULL);
        ck_assert_msg(answer != NULL, "%s: no JSON: %s", words[0], outcome.out);
        expect_members_told(section, answer, seen);
        json_decref(answer);
    }
}

/* A configuration and a state in which nearly all members are there. */
static void begin_with_all(struct scene *scene, struct reload *canary)
{
    char path[PATH_MAX];
    write_file(test_path(path, "allowed"), 0600, "127.0.0.0/8\n");
    authority_make("authority.pem");
    authority_issue("authority.pem", "shown.pem", "a.test", "DNS:a.test", false);
    scene_init(scene);
    proxy_configure(
        &scene->proxy,
        "workers = 2\nhistory = %s\n[frontend main]\nbind = 127.0.0.1:%u\nbackend = main\n"
        "max-sessions = 9\nmax-sessions-per-source = 9\nallow = @allowed\n[frontend secure]\n"
        "bind = 127.0.0.1:%u tls=yes\ncertificate = shown.pem\nbackend = others\n"
        "[backend main]\nserver = a 127.0.0.1:%u maxconn=9\n[backend others]\n"
        "server = a localhost:1\nserver = b 127.0.0.1:1 check-track=others/a\ncheck = agent\n"
        "check-port = 1\n",
        test_path(path, "proxy.run/history"), scene->port, port_reserve(getuid()),
        scene->server_port);
    proxy_start(&scene->proxy);
    ck_assert_int_eq(kill(scene->proxy.pid, SIGKILL), 0);
    (void)wait_gone(scene->proxy.pid);
    proxy_launch(&scene->proxy);
    proxy_wait_serving(&scene->proxy);
    proxy_reload(&scene->proxy);
    *canary = reload_start(&scene->proxy, "1%:1h");
    (void)canary_wait(&scene->proxy);
}

START_TEST(json_is_in_the_manual)
{
    static const char *const orders[][3] = {
        {"server", "main/a", "drain"},    {"server", "main/a", "ready"},
        {"server", "main/a", "weight=5"}, {"server", "main/a", "maxconn=5"},
        {"frontend", "main", "pause"},    {"frontend", "main", "resume"},
    };
    static const char *const seen_at_least[] = {
        "last_reload", "last_crash", "canary",      "certificates", "sources",
        "max_queue",   "places",     "agent",       "follows",      "host",
        "denied_by",   "gone",       "generations", "client_bytes", "took_ms",
        "crashed",     "text",       "idle_ms",     "expires_at",   "by_source"};
    struct scene scene;
    struct outcome outcome;
    struct reload canary;
    json_t *seen = json_object();
    begin_with_all(&scene, &canary);
    struct session session = session_open(&scene);
    const char *section = manual_section("JSON");
    static const char *const told[][4] = {
        {"status", "--json"}, {"sessions", "--json"}, {"history", "--json"}, {"config", "--json"}};
    for (size_t i = 0; i < sizeof told / sizeof *told; i++)
        expect_output_told(&scene.proxy, section, 0, seen, told[i]);
    for (size_t i = 0; i < sizeof orders / sizeof *orders; i++)
        ck_assert_int_eq(
            proxy_command(&scene.proxy, &outcome, orders[i][0], orders[i][1], orders[i][2], NULL),
            0);
    expect_output_told(&scene.proxy, manual_section("EVENTS"), 10, seen,
                       (const char *const[]){"events", "--json", "--last=10", "--limit=10"});
    for (size_t i = 0; i < sizeof seen_at_least / sizeof *seen_at_least; i++)
        ck_assert_msg(json_object_get(seen, seen_at_least[i]) != NULL, "'%s' was not there",
                      seen_at_least[i]);
    json_decref(seen);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "reload", "--abort", NULL), 0);
    reload_ends(&canary, 4);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *status_suite(void)
{
    Suite *suite = suite_create("status");
    scenario_add(suite, long_names_in_80_columns, 300);
    scenario_add(suite, limits_and_failures_are_shown, 120);
    scenario_add(suite, json_is_in_the_manual, 120);
    return suite;
}
