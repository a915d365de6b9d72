/* Sockets of a service manager: the variables that describe them, and the properties that they must
 * have. */
#include "reload/listeners/activation.h"

#include "tests/unit/suites.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static void set_variables(pid_t pid, const char *fds, const char *names)
{
    char text[16];
    snprintf(text, sizeof text, "%d", (int)pid);
    setenv("LISTEN_PID", text, 1);
    setenv("LISTEN_FDS", fds, 1);
    if (names)
        setenv("LISTEN_FDNAMES", names, 1);
}

static bool variables_are_gone(void)
{
    return !getenv("LISTEN_PID") && !getenv("LISTEN_FDS") && !getenv("LISTEN_FDNAMES");
}

/* Runs is_right in a child, because descriptors from 3 on are in use in this process. Returns its
 * result. */
static int in_child(bool (*is_right)(void))
{
    pid_t child = fork();
    int status;
    if (child == 0) {
        for (int fd = 3; fd < 6; fd++)
            if (dup2(STDERR_FILENO, fd) < 0)
                _exit(2);
        _exit(is_right() ? 0 : 1);
    }
    ck_assert_int_gt(child, 0);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool named(void)
{
    struct offer offer = {0};
    set_variables(getpid(), "3", "web:admin:web");
    if (activation_take(&offer) || offer.count != 2 || !variables_are_gone())
        return false;
    const struct offered *web = offer_find(&offer, "fd:web"),
                         *admin = offer_find(&offer, "fd:admin");
    return web && admin && web->fd_count == 2 && web->fds[0] == 3 && web->fds[1] == 5 &&
           admin->fd_count == 1 && admin->fds[0] == 4 && fcntl(4, F_GETFD) == FD_CLOEXEC;
}

static bool nameless(void)
{
    struct offer offer = {0};
    set_variables(getpid(), "2", NULL);
    return !activation_take(&offer) && offer.count == 1 &&
           strcmp(offer.list[0].text, "fd:unknown") == 0 && offer.list[0].fd_count == 2;
}

static bool empty_and_long_names(void)
{
    char names[400];
    struct offer offer = {0};
    snprintf(names, sizeof names, ":%0200d:", 0);
    set_variables(getpid(), "3", names);
    return !activation_take(&offer) && offer.count == 1 && strcmp(offer.list[0].text, "fd:") == 0 &&
           offer.list[0].fd_count == 2 && fcntl(4, F_GETFD) < 0;
}

static bool too_few_names(void)
{
    struct offer offer = {0};
    set_variables(getpid(), "3", "web:admin");
    return activation_take(&offer) != NULL && variables_are_gone();
}

static bool too_many_names(void)
{
    struct offer offer = {0};
    set_variables(getpid(), "1", "web:admin");
    return activation_take(&offer) != NULL;
}

static bool not_open(void)
{
    struct offer offer = {0};
    set_variables(getpid(), "1000", NULL);
    return activation_take(&offer) != NULL;
}

static bool (*const environments[])(void) = {named,         nameless,       empty_and_long_names,
                                             too_few_names, too_many_names, not_open};

START_TEST(the_environment_is_taken_or_refused)
{
    ck_assert_int_eq(in_child(environments[_i]), 0);
}
END_TEST

START_TEST(sockets_of_another_process_are_ignored)
{
    struct offer offer = {0};
    set_variables(getppid(), "1", "web");
    ck_assert_ptr_null(activation_take(&offer));
    ck_assert_uint_eq(offer.count, 0);
    ck_assert(variables_are_gone());
}
END_TEST

static const char *const no_numbers[] = {
    "", "-1", "+1", " 1", "1 ", "1x", "many", "4294967296", "99999999999999999999"};

START_TEST(invalid_numbers_are_refused)
{
    struct offer offer = {0};
    set_variables(getpid(), no_numbers[_i], NULL);
    ck_assert_ptr_nonnull(activation_take(&offer));
    set_variables(getpid(), "1", NULL);
    setenv("LISTEN_PID", no_numbers[_i], 1);
    ck_assert_ptr_nonnull(activation_take(&offer));
    ck_assert_uint_eq(offer.count, 0);
}
END_TEST

START_TEST(only_listening_streams_are_adopted)
{
    int tcp = socket(AF_INET, SOCK_STREAM, 0), unix_fd = socket(AF_UNIX, SOCK_STREAM, 0);
    int datagram = socket(AF_INET, SOCK_DGRAM, 0), file = open("/dev/null", O_RDONLY);
    ck_assert_ptr_nonnull(activation_adopt(tcp));
    ck_assert_ptr_nonnull(activation_adopt(unix_fd));
    ck_assert_ptr_nonnull(activation_adopt(datagram));
    ck_assert_ptr_nonnull(activation_adopt(file));
    struct sockaddr_un nobody = {.sun_family = AF_UNIX};
    ck_assert_int_eq(bind(unix_fd, (struct sockaddr *)&nobody, sizeof nobody.sun_family), 0);
    ck_assert_int_eq(listen(tcp, 1), 0);
    ck_assert_int_eq(listen(unix_fd, 1), 0);
    ck_assert_ptr_null(activation_adopt(tcp));
    ck_assert_ptr_null(activation_adopt(unix_fd));
    ck_assert(fcntl(tcp, F_GETFL) & O_NONBLOCK);
    ck_assert(fcntl(unix_fd, F_GETFL) & O_NONBLOCK);
}
END_TEST

Suite *activation_suite(void)
{
    Suite *suite = suite_create("activation");
    TCase *tcase = tcase_create("activation");
    tcase_add_loop_test(tcase, the_environment_is_taken_or_refused, 0,
                        sizeof environments / sizeof *environments);
    tcase_add_test(tcase, sockets_of_another_process_are_ignored);
    tcase_add_loop_test(tcase, invalid_numbers_are_refused, 0,
                        sizeof no_numbers / sizeof *no_numbers);
    tcase_add_test(tcase, only_listening_streams_are_adopted);
    suite_add_tcase(suite, tcase);
    return suite;
}
