/* What a supervisor hears, and the state that it passes to the next program. */
#include "reload/base/supervisor_line.h"
#include "tests/unit/suites.h"

#include <stdlib.h>
#include <string.h>

START_TEST(lines_have_kinds)
{
    static const struct {
        const char *line;
        enum supervisor_line_kind kind;
        int number;
    } cases[] = {
        {"RELOADING=1", SUPERVISOR_LINE_RELOADING, 0},
        {"READY=1", SUPERVISOR_LINE_READY, 0},
        {"READY=0", SUPERVISOR_LINE_OTHER, 0},
        {"STATUS=MAINPID=7", SUPERVISOR_LINE_OTHER, 0},
        {"", SUPERVISOR_LINE_OTHER, 0},
        {"MAINPID=2147483647", SUPERVISOR_LINE_MAIN, 2147483647},
        {"MAINPID=2147483648", SUPERVISOR_LINE_OTHER, 0},
        {"MAINPID=0", SUPERVISOR_LINE_OTHER, 0},
        {"MAINPID=-1", SUPERVISOR_LINE_OTHER, 0},
        {"MAINPID= 7", SUPERVISOR_LINE_OTHER, 0},
        {"MAINPID=7x", SUPERVISOR_LINE_OTHER, 0},
        {"X_RPPROXY_LAUNCHED=8", SUPERVISOR_LINE_LAUNCHED, 8},
        {"X_RPPROXY_RESUMES=9", SUPERVISOR_LINE_RESUMES, 9},
        {"X_RPPROXY_OUTCOME=0", SUPERVISOR_LINE_OUTCOME, 0},
        {"X_RPPROXY_OUTCOME=256", SUPERVISOR_LINE_OUTCOME, 256},
        {"X_RPPROXY_FILES=1", SUPERVISOR_LINE_FILES, 0},
        {"X_RPPROXY_ABSENT=1", SUPERVISOR_LINE_ABSENT, 0},
        {"X_RPPROXY_FILE=", SUPERVISOR_LINE_WRONG, 0},
        {"X_RPPROXY_FILE=12", SUPERVISOR_LINE_WRONG, 0},
        {"X_RPPROXY_FILE=12 ", SUPERVISOR_LINE_WRONG, 0},
        {"X_RPPROXY_FILE= /x", SUPERVISOR_LINE_WRONG, 0},
        {"X_RPPROXY_FILE=1ffffffffffffffff /x", SUPERVISOR_LINE_WRONG, 0},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const struct supervisor_line read = supervisor_line_read(cases[i].line);
        ck_assert_msg(read.kind == cases[i].kind && read.number == cases[i].number, "%s",
                      cases[i].line);
    }
    const struct supervisor_line file = supervisor_line_read("X_RPPROXY_FILE=ff /a b");
    ck_assert_int_eq(file.kind, SUPERVISOR_LINE_FILE);
    ck_assert_uint_eq(file.mark, 255);
    ck_assert_str_eq(file.pattern, "/a b");
    ck_assert(supervisor_line_is_public(SUPERVISOR_LINE_OTHER));
    ck_assert(!supervisor_line_is_public(SUPERVISOR_LINE_MAIN));
    ck_assert(!supervisor_line_is_public(SUPERVISOR_LINE_WRONG));
    ck_assert(!supervisor_line_is_public(SUPERVISOR_LINE_ABSENT));
}
END_TEST

START_TEST(a_state_is_read_as_it_is_written)
{
    struct supervisor_state state = {.main = 12, .stopping = true, .seen = UINT64_MAX}, read;
    char *text = NULL;
    size_t size;
    state.members[state.count++] = (struct supervisor_member){.pid = 12, .served = true};
    state.members[state.count++] = (struct supervisor_member){.pid = 13, .stopped = true};
    FILE *out = open_memstream(&text, &size);
    supervisor_state_write(&state, out);
    fputs("\nX_RPPROXY_FILE=1 /x", out);
    fclose(out);
    ck_assert_str_eq(supervisor_state_read(text, &read), "X_RPPROXY_FILE=1 /x");
    ck_assert_int_eq(read.main, 12);
    ck_assert(read.stopping);
    ck_assert_uint_eq(read.seen, UINT64_MAX);
    ck_assert_uint_eq(read.count, 2);
    ck_assert(read.members[0].pid == 12 && read.members[0].served && !read.members[0].stopped);
    ck_assert(read.members[1].pid == 13 && !read.members[1].served && read.members[1].stopped);
    free(text);
}
END_TEST

START_TEST(too_many_members_are_passed_over)
{
    struct supervisor_state read;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    fputs("1 0 0", out);
    for (unsigned i = 1; i <= SUPERVISOR_MEMBERS_MAX + 5; i++)
        fprintf(out, " %u:1:0", i);
    fclose(out);
    ck_assert_str_eq(supervisor_state_read(text, &read), "");
    ck_assert_uint_eq(read.count, SUPERVISOR_MEMBERS_MAX);
    free(text);
}
END_TEST

START_TEST(other_texts_are_no_state)
{
    static const char *const texts[] = {
        "",       "12",           "12 0",        "12 2 1",       "12 0 1 ",       "-1 0 1",
        "12 0 g", "12 0 1 0:1:0", "12 0 1 5:1:", "12 0 1 5:1:2", "12 0 1 5:1:0x", "12 0 1x",
    };
    struct supervisor_state read;
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        ck_assert_msg(!supervisor_state_read(texts[i], &read), "%s", texts[i]);
}
END_TEST

Suite *supervisor_line_suite(void)
{
    Suite *suite = suite_create("supervisor_line");
    TCase *tcase = tcase_create("supervisor_line");
    tcase_add_test(tcase, lines_have_kinds);
    tcase_add_test(tcase, a_state_is_read_as_it_is_written);
    tcase_add_test(tcase, too_many_members_are_passed_over);
    tcase_add_test(tcase, other_texts_are_no_state);
    suite_add_tcase(suite, tcase);
    return suite;
}
