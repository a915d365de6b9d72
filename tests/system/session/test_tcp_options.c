/* keepalive and user-timeout: what the sockets of the proxy have. The test gets duplicates of them
 * by pidfd_getfd(2). */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"
#include "tests/system/support/proxy.h"
#include "tests/system/support/scene.h"

#include <netinet/tcp.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

typedef int name_call(int fd, struct sockaddr *name, socklen_t *length);

static bool same_name(name_call *name, int fd, name_call *other_name, int other_fd)
{
    struct sockaddr_in one = {0}, other = {0};
    socklen_t one_length = sizeof one, other_length = sizeof other;
    return name(fd, (struct sockaddr *)&one, &one_length) == 0 &&
           other_name(other_fd, (struct sockaddr *)&other, &other_length) == 0 &&
           one.sin_family == AF_INET && one.sin_port == other.sin_port &&
           one.sin_addr.s_addr == other.sin_addr.s_addr;
}

/* A duplicate of the proxy's socket at the other side of `socket`, which is the test's; -1: not
 * permitted. Both addresses are compared: connections to one server have the same peer. */
static int socket_towards(const struct scene *scene, int socket)
{
    int process = (int)syscall(SYS_pidfd_open, scene->proxy.pid, 0);
    int found = -1;
    for (int i = 0; process >= 0 && found < 0 && i < 1024; i++) {
        int fd = (int)syscall(SYS_pidfd_getfd, process, i, 0);
        if (fd >= 0 && same_name(getpeername, fd, getsockname, socket) &&
            same_name(getsockname, fd, getpeername, socket))
            found = fd;
        else if (fd >= 0)
            close(fd);
    }
    if (process >= 0)
        close(process);
    return found;
}

static int option_of(int fd, int level, int option)
{
    int value = -1;
    socklen_t length = sizeof value;
    ck_assert_int_eq(getsockopt(fd, level, option, &value, &length), 0);
    return value;
}

static void expect_options(const struct scene *scene, int peer, bool keepalive, int idle,
                           int interval, int count, int user_timeout)
{
    int fd = socket_towards(scene, peer);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(option_of(fd, SOL_SOCKET, SO_KEEPALIVE), keepalive);
    if (idle > 0) {
        ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPIDLE), idle);
        ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPINTVL), interval);
        ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_KEEPCNT), count);
    }
    ck_assert_int_eq(option_of(fd, IPPROTO_TCP, TCP_USER_TIMEOUT), user_timeout);
    close(fd);
}

START_TEST(each_side_has_its_options)
{
    struct scene scene;
    scene_init(&scene);
    static const char text[] = "[frontend main]\nbind = 127.0.0.1:%u\nbackend = main\n%s"
                               "[backend main]\nserver = a 127.0.0.1:%u\n%s";
    proxy_configure(&scene.proxy, text, scene.port, "keepalive = 60s,10s,5\n", scene.server_port,
                    "keepalive = no\nuser-timeout = 7s\n");
    proxy_start(&scene.proxy);
    struct session session = session_open(&scene);
    session_works(&session);
    int fd = socket_towards(&scene, session.client);
    if (fd < 0)
        skip_test("pidfd_getfd(2) is not permitted");
    close(fd);
    expect_options(&scene, session.client, true, 60, 10, 5, 0);
    expect_options(&scene, session.server, false, 0, 0, 0, 7000);
    proxy_configure(&scene.proxy, text, scene.port, "keepalive = no\nuser-timeout = 3s\n",
                    scene.server_port, "keepalive = 5s,1s,2\n");
    proxy_reload(&scene.proxy);
    struct session later = session_open(&scene);
    session_works(&later);
    expect_options(&scene, later.client, false, 0, 0, 0, 3000);
    expect_options(&scene, later.server, true, 5, 1, 2, 0);
    session_works(&session);
    proxy_wait_drained(&scene.proxy);
    expect_options(&scene, session.client, true, 60, 10, 5, 0); /* a session keeps what it has */
    session_close(&session);
    session_close(&later);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_plain_session_has_the_defaults)
{
    struct scene scene;
    scene_start(&scene, "", "");
    struct session session = session_open(&scene);
    session_works(&session);
    int fd = socket_towards(&scene, session.client);
    if (fd < 0)
        skip_test("pidfd_getfd(2) is not permitted");
    close(fd);
    expect_options(&scene, session.client, true, 0, 0, 0, 0);
    expect_options(&scene, session.server, false, 0, 0, 0, 0); /* set when it has lasted a while */
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *tcp_options_suite(void)
{
    Suite *suite = suite_create("tcp_options");
    scenario_add(suite, each_side_has_its_options, 120);
    scenario_add(suite, a_plain_session_has_the_defaults, 120);
    return suite;
}
