#include "config/base/congestion.h"
#include "proxy/engine/ports.h"
#include "proxy/engine/socket.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/loopback.h"

#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *congestion_of(int fd)
{
    static char name[CONGESTION_MAX];
    socklen_t length = sizeof name;
    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, &length), 0);
    return name;
}

/* Returns an algorithm that is not the default of the system and that all users may use, or NULL.
 */
static const char *another(void)
{
    static const char *const names[] = {"reno", "cubic"};
    struct address address;
    ck_assert(loopback_bind(0, &address));
    int fd = loopback_bound(&address);
    const char *found = NULL;
    for (size_t i = 0; i < sizeof names / sizeof names[0] && !found; i++)
        if (strcmp(congestion_of(fd), names[i]) != 0 && !congestion_check(names[i], true))
            found = names[i];
    close(fd);
    if (!found)
        unit_skip("the kernel has only one congestion control");
    return found;
}

START_TEST(congestion_is_inherited_and_taken_back)
{
    struct address address;
    char usual[CONGESTION_MAX];
    const char *name = another();
    if (!name || !loopback_bind(_i, &address))
        return;
    int listener = loopback_listen(&address);
    strcpy(usual, congestion_of(listener));
    ck_assert_int_eq(socket_congestion(listener, name), 0);
    int client = loopback_connect(&address);
    loopback_await(listener, POLLIN);
    int accepted = accept(listener, NULL, NULL);
    ck_assert_str_eq(congestion_of(accepted), name);
    ck_assert_str_eq(congestion_of(client), usual);
    ck_assert_int_eq(socket_congestion(listener, ""), 0);
    ck_assert_str_eq(congestion_of(listener), usual);
    ck_assert_int_eq(socket_congestion(listener, "no-such"), ENOENT);
    ck_assert_str_eq(congestion_of(listener), usual);
    close(client);
    close(accepted);
    close(listener);
}
END_TEST

START_TEST(a_connection_has_it_from_the_start)
{
    struct address address;
    int error;
    const char *name = another();
    if (!name || !loopback_bind(0, &address))
        return;
    int listener = loopback_listen(&address);
    static const char *const wanted[] = {NULL, "", "no-such"};
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        const struct connect_plan plan = {.congestion = wanted[i] ? wanted[i] : name};
        int fd = socket_connect_by(&address, &plan, &(struct port_use){.ports = NULL}, &error);
        ck_assert_int_ge(fd, 0);
        if (i == 0)
            ck_assert_str_eq(congestion_of(fd), name);
        else
            ck_assert_str_ne(congestion_of(fd), name);
        close(fd);
    }
    close(listener);
}
END_TEST

/* --- connections that are over --------------------------------------------------------------- */

enum { ROUNDS = 2000 };

/* The ends that close last: all in a process of their own, which is killed with the test. */
static pid_t start_peers(const struct address *address)
{
    pid_t pid = fork();
    ck_assert_int_ge(pid, 0);
    if (pid > 0)
        return pid;
    for (unsigned i = 0; i < ROUNDS; i++) {
        char byte;
        int fd = loopback_connect(address);
        struct pollfd end = {.fd = fd, .events = POLLIN};
        if (poll(&end, 1, -1) != 1 || recv(fd, &byte, 1, 0) != 0)
            _exit(1);
        close(fd);
    }
    _exit(0);
}

/* The other end closes on another CPU, and poll(2) may tell so while the kernel takes that in. */
START_TEST(a_connection_that_poll_calls_over_is_closed)
{
    struct address address;
    int status;
    ck_assert(loopback_bind(0, &address));
    int listener = loopback_listen(&address);
    pid_t peers = start_peers(&address);
    for (unsigned i = 0; i < ROUNDS; i++) {
        uint64_t received;
        loopback_await(listener, POLLIN);
        int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        ck_assert_int_ge(fd, 0);
        ck_assert_int_eq(shutdown(fd, SHUT_WR), 0);
        loopback_await(fd, POLLHUP);
        ck_assert_msg(socket_is_closed(fd, &received), "in round %u", i);
        ck_assert_uint_eq(received, 0);
        close(fd);
    }
    ck_assert_int_eq(waitpid(peers, &status, 0), peers);
    ck_assert_int_eq(status, 0);
    close(listener);
}
END_TEST

Suite *socket_suite(void)
{
    Suite *suite = suite_create("socket");
    TCase *tcase = tcase_create("congestion");
    tcase_add_loop_test(tcase, congestion_is_inherited_and_taken_back, 0, LOOPBACK_BINDS);
    tcase_add_test(tcase, a_connection_has_it_from_the_start);
    suite_add_tcase(suite, tcase);
    tcase = tcase_create("over");
    tcase_add_test(tcase, a_connection_that_poll_calls_over_is_closed);
    suite_add_tcase(suite, tcase);
    return suite;
}
