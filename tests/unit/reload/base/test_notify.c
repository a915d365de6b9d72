/* What the service manager gets to read: the very datagrams. */
#include "reload/base/notify.h"

#include "config/base/systemd.h"
#include "tests/unit/suites.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

static int manager = -1;

static void setup(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    char name[64];
    /* An abstract name: '@' for the NUL. */
    int length = snprintf(name, sizeof name, "@rpproxy-test-notify-%d", (int)getpid());
    memcpy(address.sun_path + 1, name + 1, (size_t)length - 1);
    manager = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    ck_assert_int_eq(bind(manager, (struct sockaddr *)&address,
                          (socklen_t)(sizeof address.sun_family + (size_t)length)),
                     0);
    setenv("NOTIFY_SOCKET", name, 1);
}

static void teardown(void)
{
    close(manager);
    unsetenv("NOTIFY_SOCKET");
}

/* The assignments of the next datagram, with a newline before and behind each. */
static const char *heard(void)
{
    static char text[512];
    text[0] = '\n';
    ssize_t length = recv(manager, text + 1, sizeof text - 3, 0);
    ck_assert_int_gt((int)length, 0);
    strcpy(text + 1 + length, "\n");
    return text;
}

static void expect(const char *text, const char *assignment)
{
    char line[128];
    snprintf(line, sizeof line, "\n%s\n", assignment);
    ck_assert_msg(strstr(text, line) != NULL, "%s is not in: %s", assignment, text);
}

/* Type=notify-reload takes READY=1 for the end of the reload that it asked for only after a
 * RELOADING=1 whose MONOTONIC_USEC= is no earlier than the signal. */
START_TEST(a_reload_says_when_it_began)
{
    struct timespec before, after;
    clock_gettime(CLOCK_MONOTONIC, &before);
    notify_reloading();
    clock_gettime(CLOCK_MONOTONIC, &after);
    const char *text = heard();
    expect(text, "RELOADING=1");
    const char *when = strstr(text, "\nMONOTONIC_USEC=");
    ck_assert_ptr_nonnull(when);
    long long usec = strtoll(when + strlen("\nMONOTONIC_USEC="), NULL, 10);
    ck_assert_int_ge(usec, (long long)before.tv_sec * 1000000 + before.tv_nsec / 1000);
    ck_assert_int_le(usec, (long long)after.tv_sec * 1000000 + after.tv_nsec / 1000);
    ck_assert_ptr_null(strstr(text, "READY="));
    notify_ready(4711);
    text = heard();
    expect(text, "READY=1");
    expect(text, "MAINPID=4711");
}
END_TEST

START_TEST(the_successor_is_named_and_nothing_else_said)
{
    notify_main_pid(4712);
    ck_assert_str_eq(heard(), "\nMAINPID=4712\n");
}
END_TEST

START_TEST(a_stop_is_no_end_of_the_process)
{
    notify_stopping();
    const char *text = heard();
    expect(text, "STOPPING=1");
    ck_assert_ptr_null(strstr(text, "MAINPID="));
}
END_TEST

START_TEST(a_failed_service_is_to_be_started_again)
{
    notify_failed();
    expect(heard(), "WATCHDOG=trigger");
}
END_TEST

START_TEST(without_a_manager_nothing_is_said)
{
    unsetenv("NOTIFY_SOCKET");
    notify_reloading();
    notify_ready(1);
    char byte;
    ck_assert_int_lt((int)recv(manager, &byte, 1, 0), 0);
}
END_TEST

START_TEST(a_manager_that_is_gone_is_told_of_once)
{
    char text[1024] = "";
    int ends[2];
    ck_assert_int_eq(pipe2(ends, O_CLOEXEC), 0);
    ck_assert_int_eq(dup2(ends[1], STDERR_FILENO), STDERR_FILENO);
    close(manager);
    manager = -1;
    notify_reloading();
    notify_main_pid(4712);
    notify_ready(4712);
    ck_assert_int_gt((int)read(ends[0], text, sizeof text - 1), 0);
    const char *first = strstr(text, "could not be told");
    ck_assert_ptr_nonnull(first);
    ck_assert_msg(strstr(first + 1, "could not be told") == NULL, "%s", text);
}
END_TEST

/* Nothing blocks meanwhile; and what was said comes in its order. */
START_TEST(a_manager_that_does_not_read_hears_it_later)
{
    struct event_base *base = event_base_new();
    char text[64];
    ck_assert_int_eq(notify_begin(base), 0);
    unsigned filled = 0, heard_of = 0;
    while (systemd_notify("FILLED=1") == 0)
        filled++;
    for (int pid = 1; pid <= 3; pid++)
        notify_main_pid(pid);
    notify_alive(); /* is not worth the wait */
    for (unsigned i = 0; i < filled; i++)
        ck_assert_str_eq(heard(), "\nFILLED=1\n");
    while (heard_of < 3) {
        event_base_loop(base, EVLOOP_ONCE);
        for (ssize_t got; (got = recv(manager, text, sizeof text - 1, 0)) > 0;) {
            char expected[32];
            text[got] = '\0';
            snprintf(expected, sizeof expected, "MAINPID=%u", ++heard_of);
            ck_assert_str_eq(text, expected);
        }
    }
    notify_end();
    event_base_free(base);
}
END_TEST

Suite *notify_suite(void)
{
    Suite *suite = suite_create("notify");
    TCase *tcase = tcase_create("notify");
#ifdef HAVE_LIBSYSTEMD
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, a_reload_says_when_it_began);
    tcase_add_test(tcase, the_successor_is_named_and_nothing_else_said);
    tcase_add_test(tcase, a_stop_is_no_end_of_the_process);
    tcase_add_test(tcase, a_failed_service_is_to_be_started_again);
    tcase_add_test(tcase, a_manager_that_is_gone_is_told_of_once);
    tcase_add_test(tcase, a_manager_that_does_not_read_hears_it_later);
    tcase_add_test(tcase, without_a_manager_nothing_is_said);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}
