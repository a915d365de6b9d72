/* The life file: what it contains, when it exists, and which contents are ignored. */
#include "config/load.h"
#include "reload/handover/generation.h"
#include "reload/process/life.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

static struct generation us;
static struct life ours;
static char control[256], life[272], other[272];

static void ignore(void *arg)
{
    (void)arg;
}

static void setup(void)
{
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    folder_make();
    char text[512];
    snprintf(control, sizeof control, "%s", folder_path("control"));
    snprintf(life, sizeof life, "%s.life", control);
    snprintf(other, sizeof other, "%s", folder_path("other"));
    us = (struct generation){.base = event_base_new(), .number = 3};
    snprintf(text, sizeof text, "[global]\ncontrol = %s\n" VALID, control);
    us.config = load_good(text);
    ck_assert_int_eq(proxy_new(us.config, us.number, 1, 0, us.base, &events, &us.proxy), 0);
    ck_assert_ptr_nonnull(us.proxy);
    ck_assert_int_eq(life_open(&ours, &us), 0);
}

static void teardown(void)
{
    life_close(&ours);
    proxy_free(us.proxy);
    config_free(us.config);
    event_base_free(us.base);
    folder_remove();
}

static void have_sessions(unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        limit_force(us.proxy->service.places.limit);
}

/* The state after a kill: the file exists, and no process holds it. */
static void crash_with(unsigned sessions)
{
    have_sessions(sessions);
    ck_assert_int_eq(life_begin(&ours), 0);
    ck_assert_int_eq(rename(life, other), 0);
    life_end(&ours);
    ck_assert_int_eq(rename(other, life), 0);
}

static void expect_nothing(void)
{
    struct crash crash;
    ck_assert(!life_read(control, &crash));
}

START_TEST(a_clean_end_leaves_nothing)
{
    expect_nothing();
    ck_assert_int_eq(life_begin(&ours), 0);
    ck_assert_int_eq(access(life, F_OK), 0);
    life_end(&ours);
    ck_assert_int_eq(access(life, F_OK), -1);
    expect_nothing();
}
END_TEST

START_TEST(end_because_of_an_error_is_reported)
{
    struct crash crash;
    char text[CRASH_TEXT_MAX], expected[CRASH_TEXT_MAX];
    life_fail(&ours, 1);
    expect_nothing();
    ck_assert_int_eq(life_begin(&ours), 0);
    life_fail(&ours, 1);
    life_end(&ours);
    ck_assert(life_read(control, &crash));
    snprintf(expected, sizeof expected,
             "generation 3 (pid %d) ended with status 1, and 0 sessions went with it",
             (int)getpid());
    ck_assert_str_eq(crash_text(&crash, text), expected);
}
END_TEST

START_TEST(live_process_has_not_crashed)
{
    ck_assert_int_eq(life_begin(&ours), 0);
    expect_nothing();
}
END_TEST

START_TEST(crash_is_reported)
{
    struct crash crash;
    char text[CRASH_TEXT_MAX], expected[CRASH_TEXT_MAX];
    crash_with(5);
    ck_assert(life_read(control, &crash));
    ck_assert_uint_eq(crash.sessions, 5);
    snprintf(expected, sizeof expected,
             "generation 3 (pid %d) crashed, and 5 sessions went with it", (int)getpid());
    ck_assert_str_eq(crash_text(&crash, text), expected);
}
END_TEST

START_TEST(life_file_is_written_repeatedly)
{
    struct crash crash = {0};
    ck_assert_int_eq(life_begin(&ours), 0);
    have_sessions(7);
    while (crash.sessions != 7) {
        event_base_loop(us.base, EVLOOP_ONCE);
        int fd = open(life, O_RDONLY | O_CLOEXEC);
        ck_assert_int_eq(pread(fd, &crash, sizeof crash, 8), (ssize_t)sizeof crash);
        close(fd);
    }
}
END_TEST

/* The file of the new process has replaced it. */
START_TEST(only_the_own_life_file_is_removed)
{
    struct life successor;
    ck_assert_int_eq(life_open(&successor, &us), 0);
    ck_assert_int_eq(life_begin(&ours), 0);
    ck_assert_int_eq(life_begin(&successor), 0);
    life_end(&ours);
    ck_assert_int_eq(access(life, F_OK), 0);
    life_close(&successor);
    ck_assert_int_eq(access(life, F_OK), -1);
}
END_TEST

static void write_garbage(size_t length)
{
    char bytes[64];
    memset(bytes, 'x', sizeof bytes);
    folder_write("control.life", bytes, length);
}

START_TEST(foreign_files_are_ignored)
{
    write_garbage(0);
    expect_nothing();
    write_garbage(39);
    expect_nothing();
    write_garbage(64);
    expect_nothing();
    ck_assert_int_eq(unlink(life), 0);

    crash_with(1);
    ck_assert_int_eq(chmod(life, 0620), 0);
    expect_nothing();
    ck_assert_int_eq(chmod(life, 0600), 0);
    int fd = open(life, O_WRONLY | O_CLOEXEC);
    const uint64_t never = UINT64_MAX;
    ck_assert_int_eq(pwrite(fd, &never, sizeof never, 8), (ssize_t)sizeof never);
    close(fd);
    expect_nothing();
}
END_TEST

START_TEST(links_are_not_followed_and_fifos_do_not_block)
{
    crash_with(1);
    ck_assert_int_eq(rename(life, other), 0);
    ck_assert_int_eq(symlink(other, life), 0);
    expect_nothing();
    ck_assert_int_eq(unlink(life), 0);
    ck_assert_int_eq(mkfifo(life, 0600), 0);
    expect_nothing();
    ck_assert_int_eq(unlink(life), 0);
    ck_assert_int_eq(mkdir(life, 0700), 0);
    expect_nothing();
    ck_assert_int_ne(life_begin(&ours), 0);
    ck_assert_int_eq(rmdir(life), 0);
}
END_TEST

Suite *life_suite(void)
{
    Suite *suite = suite_create("life");
    TCase *tcase = tcase_create("life");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, a_clean_end_leaves_nothing);
    tcase_add_test(tcase, end_because_of_an_error_is_reported);
    tcase_add_test(tcase, live_process_has_not_crashed);
    tcase_add_test(tcase, crash_is_reported);
    tcase_add_test(tcase, life_file_is_written_repeatedly);
    tcase_add_test(tcase, only_the_own_life_file_is_removed);
    tcase_add_test(tcase, foreign_files_are_ignored);
    tcase_add_test(tcase, links_are_not_followed_and_fifos_do_not_block);
    suite_add_tcase(suite, tcase);
    return suite;
}
