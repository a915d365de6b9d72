/* `rpproxy status` in a terminal of 80 columns, with names as long as they can be. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"

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

/* The section of the manual, up to the next one. */
static const char *status_section(void)
{
    static char manual[1 << 17];
    ck_assert_uint_lt(read_file("man/rpproxy.8", manual, sizeof manual), sizeof manual - 1);
    char *section = strstr(manual, "\n.Sh STATUS\n");
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
    ck_abort_msg("rpproxy(8), STATUS, does not tell of '%s'", word);
}

/* The lines in capitals are the heads of lists; two spaces are between columns. */
static void expect_columns_told(const char *status)
{
    const char *section = status_section();
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
    expect_told(status_section(), check);
    expect_told(status_section(), admin);
    ck_assert_ptr_null(strstr(strstr(outcome.out, "failed:") + 1, "failed:"));
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
    return suite;
}
