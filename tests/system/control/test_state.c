/* What commands have set outlives the process: the file of the option `state`. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"
#include "tests/system/support/server_state.h"
#include "tests/system/support/small_disk.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct stand {
    struct scene scene;
    char state[PATH_MAX];
};

/* The backend `main` with the servers a and b, of which the second has these attributes. */
static void configure(const struct stand *stand, const char *global, const char *attributes)
{
    char keys[PATH_MAX + 256], rest[256];
    snprintf(keys, sizeof keys, "%sstate = %s\n", global, stand->state);
    snprintf(rest, sizeof rest, "server = b 127.0.0.1:%u maxconn=50 %s\n", stand->scene.server_port,
             attributes);
    scene_configure(&stand->scene, keys, rest);
}

static void begin(struct stand *stand)
{
    scene_init(&stand->scene);
    test_path(stand->state, "state");
    configure(stand, "", "");
}

static void start(struct stand *stand)
{
    begin(stand);
    proxy_start(&stand->scene.proxy);
}

static void command(const struct stand *stand, const char *what, const char *which, const char *set)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&stand->scene.proxy, &outcome, what, which, set, NULL), 0);
    ck_assert_msg(strstr(outcome.out, "not kept") == NULL, "%s", outcome.out);
}

static bool is_paused(const struct stand *stand)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&stand->scene.proxy, &outcome, "frontend", "main", NULL), 0);
    return strstr(outcome.out, "main: paused") != NULL;
}

/* Of the server in `status --json`: a number. */
static json_int_t number_of(const struct stand *stand, const char *server, const char *key)
{
    struct outcome outcome;
    size_t i;
    json_t *item;
    json_int_t number = -1;
    ck_assert_int_eq(proxy_command(&stand->scene.proxy, &outcome, "status", "--json", NULL), 0);
    json_t *status = json_loads(outcome.out, 0, NULL);
    json_t *backend = json_array_get(json_object_get(status, "backends"), 0);
    json_array_foreach(json_object_get(backend, "servers"), i,
                       item) if (strcmp(json_string_value(json_object_get(item, "name")), server) ==
                                 0) number = json_integer_value(json_object_get(item, key));
    json_decref(status);
    return number;
}

static void expect_admin(const struct stand *stand, const char *server, const char *admin)
{
    char text[256];
    server_text(&stand->scene.proxy, "main", server, "admin", text);
    ck_assert_str_eq(text, admin);
}

static void kill_and_start(struct stand *stand)
{
    ck_assert_int_eq(kill(stand->scene.proxy.pid, SIGKILL), 0);
    wait_gone(stand->scene.proxy.pid);
    proxy_start(&stand->scene.proxy);
}

static void stop_and_start(struct stand *stand)
{
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&stand->scene.proxy, &outcome, "stop", NULL), 0);
    wait_gone(stand->scene.proxy.pid);
    proxy_start(&stand->scene.proxy);
}

START_TEST(a_stop_and_a_crash)
{
    struct stand stand;
    struct stat status;
    start(&stand);
    ck_assert_int_ne(stat(stand.state, &status), 0); /* nothing was set */
    command(&stand, "server", "main/a", "drain");
    command(&stand, "server", "main/b", "weight=7");
    command(&stand, "server", "main/b", "maxconn=9");
    command(&stand, "frontend", "main", "pause");
    ck_assert_int_eq(stat(stand.state, &status), 0);
    ck_assert_uint_eq(status.st_mode & 0777, 0600);
    for (unsigned i = 0; i < 2; i++) {
        if (i == 0)
            stop_and_start(&stand);
        else
            kill_and_start(&stand);
        expect_admin(&stand, "a", "drain");
        expect_admin(&stand, "b", "ready");
        ck_assert_int_eq(number_of(&stand, "a", "weight"), 1);
        ck_assert_int_eq(number_of(&stand, "b", "weight"), 7);
        ck_assert_int_eq(number_of(&stand, "b", "maxconn"), 9);
        ck_assert(is_paused(&stand));
        wait_mentions(stand.scene.proxy.log, "state: 3 lines of", i + 1);
    }
    /* What is as the file of the configuration says is not kept. */
    command(&stand, "server", "main/a", "ready");
    command(&stand, "server", "main/b", "weight=1");
    command(&stand, "frontend", "main", "resume");
    command(&stand, "server", "main/b", "maxconn=unlimited");
    ck_assert_uint_eq(file_mentions(stand.state, "main"), 1);
    kill_and_start(&stand);
    ck_assert_int_eq(number_of(&stand, "b", "maxconn"), 0);
    struct session session = session_open(&stand.scene);
    session_works(&session);
    session_close(&session);
    stop_and_start(&stand);
    proxy_stop(&stand.scene.proxy);
}
END_TEST

/* The command returns when the file has it: nothing that it has confirmed is lost by a kill. */
START_TEST(nothing_confirmed_is_lost)
{
    struct stand stand;
    char text[16];
    start(&stand);
    for (unsigned i = 0; i < scaled(30, 8); i++) {
        snprintf(text, sizeof text, "weight=%u", 2 + i);
        command(&stand, "server", "main/a", text);
        kill_and_start(&stand);
        ck_assert_int_eq(number_of(&stand, "a", "weight"), 2 + i);
    }
    proxy_stop(&stand.scene.proxy);
}
END_TEST

/* Orders come all the time while processes come and go. Whichever of them writes, the file has the
 * last order. */
START_TEST(reloads_and_rollbacks)
{
    struct stand stand;
    struct outcome outcome;
    char text[16];
    unsigned weight = 1;
    start(&stand);
    for (unsigned i = 0; i < scaled(10, 3); i++) {
        pid_t reload = proxy_command_start(&stand.scene.proxy, NULL, "reload", NULL);
        while (process_alive(reload)) {
            weight = weight % 250 + 1;
            snprintf(text, sizeof text, "weight=%u", weight);
            command(&stand, "server", "main/a", text);
        }
        ck_assert_int_eq(wait_gone(reload), 0);
        proxy_follow(&stand.scene.proxy);
        proxy_wait_drained(&stand.scene.proxy);
        if (i == 0) /* the new process writes what the old one was told */
            ck_assert_uint_eq(file_mentions(stand.state, text), 1);
    }
    command(&stand, "server", "main/a", "weight=251");
    kill_and_start(&stand);
    ck_assert_int_eq(number_of(&stand, "a", "weight"), 251);

    configure(&stand, "probation = 10m\n", "");
    stop_and_start(&stand);
    const struct proxy before = stand.scene.proxy;
    ck_assert_int_eq(proxy_command(&before, &outcome, "reload", NULL), 0);
    proxy_follow(&stand.scene.proxy);
    command(&stand, "server", "main/a", "weight=252");
    ck_assert_int_eq(kill(stand.scene.proxy.pid, SIGKILL), 0);
    wait_mentioned(before.log, "serves again");
    stand.scene.proxy = before;
    command(&stand, "server", "main/b", "drain");
    kill_and_start(&stand);
    ck_assert_int_eq(number_of(&stand, "a", "weight"), 252);
    expect_admin(&stand, "b", "drain");
    proxy_stop(&stand.scene.proxy);
}
END_TEST

/* A server whose line is another one begins as the line says; one that is gone is told of. */
START_TEST(another_configuration)
{
    struct stand stand;
    start(&stand);
    command(&stand, "server", "main/a", "drain");
    command(&stand, "server", "main/b", "maint");
    struct outcome outcome;
    ck_assert_int_eq(proxy_command(&stand.scene.proxy, &outcome, "stop", NULL), 0);
    wait_gone(stand.scene.proxy.pid);
    configure(&stand, "", "weight=3");
    proxy_start(&stand.scene.proxy);
    expect_admin(&stand, "a", "drain");
    expect_admin(&stand, "b", "ready");
    wait_mentioned(stand.scene.proxy.log, "its line in the configuration has changed");
    command(&stand, "server", "main/b", "maint");
    ck_assert_int_eq(proxy_command(&stand.scene.proxy, &outcome, "stop", NULL), 0);
    wait_gone(stand.scene.proxy.pid);
    char global[PATH_MAX + 16];
    snprintf(global, sizeof global, "state = %s\n", stand.state);
    scene_configure(&stand.scene, global, "");
    proxy_start(&stand.scene.proxy);
    wait_mentioned(stand.scene.proxy.log, "server main/b: there is none");
    proxy_stop(&stand.scene.proxy);
}
END_TEST

/* --- a file that is not right --------------------------------------------------------------- */

START_TEST(wrong_lines_are_left_out)
{
    static const struct {
        const char *line, *said;
    } lines[] = {
        {"; rpproxy state 3", NULL},
        {"server main/a admin=drain", NULL},
        {"server main/b admin=up", "admin must be ready, drain or maint"},
        {"server main/b weight=257", "the weight is no such number"},
        {"server main/b maxconn=-1", "maxconn is no such number"},
        {"server main/b weight=9 line=zz", "line must be 16 hexadecimal digits"},
        {"server main", "must be 'server BACKEND/SERVER'"},
        {"server other/a admin=drain", "there is none in the configuration"},
        {"frontend other paused=1", "there is none in the configuration"},
        {"frontend main paused=soon", "paused is not a time"},
        {"queue main", "begins with a word that is not known"},
        {"server main/b weight=8 later=1", "a word is not known to this version"},
        {"", NULL},
        {"# a comment", NULL},
    };
    enum { LINES = sizeof lines / sizeof *lines };
    struct stand stand;
    char text[4096] = "", where[PATH_MAX + 128];
    begin(&stand);
    for (size_t i = 0; i < LINES; i++) {
        strcat(text, lines[i].line);
        strcat(text, "\n");
    }
    write_file(stand.state, 0600, "%sserver main/a weight=4", text);
    proxy_start(&stand.scene.proxy);
    for (size_t i = 0; i < LINES; i++) {
        snprintf(where, sizeof where, "%s:%zu: ", stand.state, i + 1);
        if (lines[i].said)
            wait_mentioned(stand.scene.proxy.log, where);
        if (lines[i].said)
            wait_mentioned(stand.scene.proxy.log, lines[i].said);
    }
    wait_mentioned(stand.scene.proxy.log, "the line is cut short");
    expect_admin(&stand, "a", "drain");
    expect_admin(&stand, "b", "ready");
    ck_assert_int_eq(number_of(&stand, "a", "weight"), 1);
    ck_assert_int_eq(number_of(&stand, "b", "weight"), 8);
    ck_assert_int_eq(number_of(&stand, "b", "maxconn"), 50);
    ck_assert(!is_paused(&stand));
    proxy_stop(&stand.scene.proxy);
}
END_TEST

static void expect_refused(struct stand *stand, const char *said)
{
    struct outcome outcome;
    const char *argv[] = {proxy_binary(), "-f", stand->scene.proxy.file, NULL};
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, &outcome);
    ck_assert_msg(outcome.code == 2, "exit %d: %s", outcome.code, outcome.err);
    ck_assert_msg(strstr(outcome.err, said) != NULL && strstr(outcome.err, "proxy.ini:") != NULL,
                  "'%s' is not said: %s", said, outcome.err);
}

/* What is not ours is not replaced, and what cannot be read is not lost. A running process refuses
 * the reload. */
START_TEST(files_that_are_refused)
{
    struct stand stand;
    struct outcome outcome;
    char text[64], folder[PATH_MAX];
    begin(&stand);
    write_file(stand.state, 0600, "root:x:0:0:root:/root:/bin/sh\n");
    expect_refused(&stand, "is not a state file");
    read_file(stand.state, text, sizeof text);
    ck_assert_str_eq(text, "root:x:0:0:root:/root:/bin/sh\n");
    ck_assert_int_eq(unlink(stand.state), 0);
    ck_assert_int_eq(mkdir(stand.state, 0700), 0);
    expect_refused(&stand, "is not a regular file");
    ck_assert_int_eq(rmdir(stand.state), 0);
    ck_assert_int_eq(mkfifo(stand.state, 0600), 0);
    expect_refused(&stand, "is not a regular file");
    ck_assert_int_eq(unlink(stand.state), 0);
    write_file(stand.state, 0600, "; rpproxy state 1\n");
    ck_assert_int_eq(truncate(stand.state, (16 << 20) + 1), 0);
    expect_refused(&stand, "larger than 16 MiB");
    ck_assert_int_eq(truncate(stand.state, 0), 0);
    proxy_start(&stand.scene.proxy); /* an empty file says nothing */
    test_path(folder, "folder");
    ck_assert_int_eq(mkdir(folder, 0777), 0);
    ck_assert_int_eq(chmod(folder, 0777), 0);
    snprintf(stand.state, sizeof stand.state, "%.3000s/state", folder);
    configure(&stand, "", "");
    ck_assert_int_eq(proxy_command(&stand.scene.proxy, &outcome, "reload", NULL), 2);
    ck_assert_msg(strstr(outcome.err, "every user may replace files") != NULL, "%s", outcome.err);
    proxy_stop(&stand.scene.proxy);
}
END_TEST

/* The file cannot be written, as on a full disk: one warning, the command says so, and what was set
 * is in the file when it can be written again. */
START_TEST(a_disk_that_does_not_take_it)
{
    struct stand stand;
    struct outcome outcome;
    char new[PATH_MAX];
    start(&stand);
    ck_assert_int_eq(mkdir(test_path(new, "state.new"), 0700), 0);
    static const char *const orders[] = {"drain", "weight=7", "weight=8"};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_int_eq(
            proxy_command(&stand.scene.proxy, &outcome, "server", "main/a", orders[i], NULL), 0);
        ck_assert_msg(strstr(outcome.out, "; it is not kept in ") != NULL, "%s", outcome.out);
    }
    wait_mentions(stand.scene.proxy.log, "is not kept in", 1);
    ck_assert_int_eq(rmdir(new), 0);
    wait_mentioned(stand.scene.proxy.log, "is kept in"); /* it is tried again */
    kill_and_start(&stand);
    expect_admin(&stand, "a", "drain");
    ck_assert_int_eq(number_of(&stand, "a", "weight"), 8);
    proxy_stop(&stand.scene.proxy);
}
END_TEST

/* The file keeps what it had, also across a crash, and takes more when there is room again. */
START_TEST(a_full_disk)
{
    struct stand stand;
    struct outcome outcome;
    char folder[PATH_MAX], filler[PATH_MAX];
    scene_init(&stand.scene);
    ck_assert_int_eq(mkdir(test_path(folder, "disk"), 0755), 0);
    if (!small_disk_mount(folder))
        skip_test("no file system can be mounted here");
    test_path(stand.state, "disk/state");
    configure(&stand, "", "");
    proxy_start(&stand.scene.proxy);
    command(&stand, "server", "main/a", "drain");
    small_disk_fill(test_path(filler, "disk/filler"), 0);
    ck_assert_int_eq(
        proxy_command(&stand.scene.proxy, &outcome, "server", "main/a", "weight=7", NULL), 0);
    ck_assert_msg(strstr(outcome.out, "; it is not kept in ") != NULL, "%s", outcome.out);
    wait_mentioned(stand.scene.proxy.log, "No space left on device");
    proxy_reload(&stand.scene.proxy); /* does not need the file */
    proxy_wait_drained(&stand.scene.proxy);
    ck_assert_int_eq(number_of(&stand, "a", "weight"), 7);
    kill_and_start(&stand);
    expect_admin(&stand, "a", "drain");
    ck_assert_int_eq(number_of(&stand, "a", "weight"), 1);
    ck_assert_int_eq(unlink(filler), 0);
    command(&stand, "server", "main/a", "weight=9");
    kill_and_start(&stand);
    expect_admin(&stand, "a", "drain");
    ck_assert_int_eq(number_of(&stand, "a", "weight"), 9);
    proxy_stop(&stand.scene.proxy);
    small_disk_unmount(folder);
}
END_TEST

Suite *state_suite(void)
{
    Suite *suite = suite_create("state");
    scenario_add(suite, a_stop_and_a_crash, 300);
    scenario_add(suite, nothing_confirmed_is_lost, 300);
    scenario_add(suite, reloads_and_rollbacks, 300);
    scenario_add(suite, another_configuration, 300);
    scenario_add(suite, wrong_lines_are_left_out, 300);
    scenario_add(suite, files_that_are_refused, 300);
    scenario_add(suite, a_disk_that_does_not_take_it, 300);
    scenario_add(suite, a_full_disk, 300);
    return suite;
}
