/* The datagrams that the service manager receives. */
#include "reload/base/notify.h"

#include "config/base/systemd.h"
#include "tests/unit/suites.h"

#include <fcntl.h>
#include <signal.h>
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
    /* An abstract name: '@' stands for the NUL. */
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

/* Returns the assignments of the next datagram, with a newline before and after each. */
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

/* With Type=notify-reload, READY=1 ends the reload only after a RELOADING=1 whose MONOTONIC_USEC=
 * is not earlier than the signal. */
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

START_TEST(only_the_pid_of_the_successor_is_sent)
{
    notify_main_pid(4712);
    ck_assert_str_eq(heard(), "\nMAINPID=4712\n");
}
END_TEST

START_TEST(stopping_message_has_no_main_pid)
{
    notify_stopping();
    const char *text = heard();
    expect(text, "STOPPING=1");
    ck_assert_ptr_null(strstr(text, "MAINPID="));
}
END_TEST

START_TEST(failed_service_is_restarted)
{
    notify_failed(SIGKILL);
    expect(heard(), "WATCHDOG=trigger");
}
END_TEST

START_TEST(without_a_manager_nothing_is_sent)
{
    unsetenv("NOTIFY_SOCKET");
    notify_reloading();
    notify_ready(1);
    char byte;
    ck_assert_int_lt((int)recv(manager, &byte, 1, 0), 0);
}
END_TEST

START_TEST(missing_manager_is_logged_once)
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

/* Nothing blocks meanwhile, and the messages arrive in order. */
START_TEST(slow_manager_gets_messages_later)
{
    struct event_base *base = event_base_new();
    char text[64];
    ck_assert_int_eq(notify_begin(base), 0);
    unsigned filled = 0, heard_of = 0;
    while (systemd_notify("FILLED=1") == 0)
        filled++;
    for (int pid = 1; pid <= 3; pid++)
        notify_main_pid(pid);
    notify_alive(); /* is dropped, not queued */
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
    tcase_add_test(tcase, only_the_pid_of_the_successor_is_sent);
    tcase_add_test(tcase, stopping_message_has_no_main_pid);
    tcase_add_test(tcase, failed_service_is_restarted);
    tcase_add_test(tcase, missing_manager_is_logged_once);
    tcase_add_test(tcase, slow_manager_gets_messages_later);
    tcase_add_test(tcase, without_a_manager_nothing_is_sent);
#endif
    suite_add_tcase(suite, tcase);
    return suite;
}
