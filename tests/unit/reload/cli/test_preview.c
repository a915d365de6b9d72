/* What the preview reports about the sessions that a reload affects. */
#include "config/load.h"
#include "reload/cli/preview.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WEB      "[frontend web]\nbind = 127.0.0.1:1\nbackend = app\n"
#define API      "[frontend api]\nbind = 127.0.0.1:2\nbackend = app\n"
#define APP      "[backend app]\nserver = a 127.0.0.1:3\n"
#define SERVER_B "server = b 127.0.0.1:4\n"

#define FRONTENDS                                                                                  \
    "'frontends': [{'name': 'web', 'backend': 'app', 'sessions': 17},"                             \
    " {'name': 'api', 'backend': 'app', 'sessions': 4}]"
#define SERVERS                                                                                    \
    "'backends': [{'name': 'app', 'servers': [{'name': 'a', 'sessions': 12},"                      \
    " {'name': 'b', 'sessions': 9}]}]"

/* Checks the lines about sessions; status has ' instead of the " of JSON. */
static void expect_touched(const char *from, const char *to, const char *status, const char *lines)
{
    struct config *running = load_good(from);
    struct config *next = load_good(to);
    char *json = strdup(status);
    char *text;
    size_t length;
    for (char *c = json; *c; c++)
        if (*c == '\'')
            *c = '"';
    json_t *object = json_loads(json, 0, NULL);
    ck_assert_ptr_nonnull(object);
    FILE *out = open_memstream(&text, &length);
    preview_print(running, next, object, out);
    fclose(out);
    const char *fate = strstr(text, "sessions: drain = ");
    ck_assert_ptr_nonnull(fate);
    ck_assert_str_eq(strchr(fate, '\n') + 1, lines);
    free(text);
    free(json);
    json_decref(object);
    config_free(running);
    config_free(next);
}

START_TEST(a_server_with_its_own_number)
{
    expect_touched(WEB API APP SERVER_B, WEB API APP,
                   "{'sessions': 21, " FRONTENDS ", " SERVERS "}",
                   "  sessions of server app/b: 9 stay connected, the server is removed\n");
    expect_touched(WEB API APP SERVER_B, WEB API "[backend app]\nserver = a 127.0.0.1:9\n" SERVER_B,
                   "{'sessions': 21, " FRONTENDS ", " SERVERS "}",
                   "  sessions of server app/a: 12 stay connected, the server is changed\n");
}
END_TEST

START_TEST(a_server_without_one)
{
    expect_touched(WEB API APP SERVER_B, WEB API APP, "{'sessions': 21, " FRONTENDS "}",
                   "  sessions of backend app: 21, and those of them to server b stay connected: "
                   "it is removed\n");
    expect_touched(WEB API APP SERVER_B, "[global]\non-removed = close\n" WEB API APP,
                   "{'sessions': 21, " FRONTENDS ", " SERVERS "}",
                   "  sessions of server app/b: 9 are closed, the server is removed\n");
}
END_TEST

START_TEST(frontends_and_binds)
{
    expect_touched(WEB API APP, WEB APP, "{'sessions': 21, " FRONTENDS "}",
                   "  sessions of frontend api: 4 stay connected, the frontend is removed\n");
    expect_touched(WEB "bind = [::1]:1\n" APP, WEB APP, "{'sessions': 17, " FRONTENDS "}",
                   "  sessions of frontend web: 17 stay connected, those of bind [::1]:1 among "
                   "them, which is removed\n");
    expect_touched(WEB APP "[backend new]\nserver = n 127.0.0.1:5\n",
                   "[frontend web]\nbind = 127.0.0.1:1\nbackend = new\n" APP
                   "[backend new]\nserver = n 127.0.0.1:5\n",
                   "{'sessions': 17, " FRONTENDS "}",
                   "  sessions of frontend web: 17 stay with backend app\n");
}
END_TEST

START_TEST(no_session_is_affected)
{
    expect_touched(WEB API APP, WEB API APP SERVER_B "[global]\nworkers = 3\n",
                   "{'sessions': 21, " FRONTENDS "}", "");
    expect_touched(WEB APP SERVER_B, WEB APP, "{'sessions': 0, 'frontends': []}", "");
}
END_TEST

START_TEST(the_environment_of_a_process)
{
    setenv("PREVIEW_TEST", "ours", 1);
    ck_assert_int_eq(preview_environment(-1), ENOENT);
    ck_assert_str_eq(getenv("PREVIEW_TEST"), "ours");
    /* The environment with which the process was started, without later changes. */
    ck_assert_int_eq(preview_environment(getpid()), 0);
    ck_assert_ptr_null(getenv("PREVIEW_TEST"));
}
END_TEST

Suite *preview_suite(void)
{
    Suite *suite = suite_create("preview");
    TCase *sessions = tcase_create("sessions");
    tcase_add_checked_fixture(sessions, folder_make, folder_remove);
    tcase_add_test(sessions, a_server_with_its_own_number);
    tcase_add_test(sessions, a_server_without_one);
    tcase_add_test(sessions, frontends_and_binds);
    tcase_add_test(sessions, no_session_is_affected);
    tcase_add_test(sessions, the_environment_of_a_process);
    suite_add_tcase(suite, sessions);
    return suite;
}
