/* Ranges of ports, servers that have the port to which the client came, abstract Unix sockets. */
#include "tests/system/scenarios.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The server's address, beside that of the proxy. */
static struct endpoint server_at(uint16_t port)
{
    struct endpoint where = endpoint_loopback(port);
    where.in.sin_addr.s_addr = htonl(0x7f000002);
    return where;
}

static int listen_at(const struct endpoint *where)
{
    int fd = socket(where->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(fd, 0);
    ck_assert_msg(bind(fd, &where->any, where->length) == 0, "bind: %s", strerror(errno));
    ck_assert_int_eq(listen(fd, 16), 0);
    return fd;
}

static void session_goes(uint16_t from, int listener)
{
    struct endpoint front = endpoint_loopback(from);
    struct session session = session_through(&front, listener);
    session_works(&session);
    session_close(&session);
}

static void expect_refused(uint16_t port)
{
    struct endpoint front = endpoint_loopback(port);
    ck_assert_int_eq(try_connect(&front), -1);
    ck_assert_int_eq(errno, ECONNREFUSED);
}

#define SECTIONS                                                                                   \
    "[listen same]\nbind = 127.0.0.1:%s\nserver = s 127.0.0.2\naccess-log = yes\n"                 \
    "[listen more]\nbind = 0.0.0.0:%s\nserver = s 127.0.0.2:+1000\naccess-log = yes\n"             \
    "[listen name]\nbind = 127.0.0.1:64000\nserver = s localhost:-4000\n"

START_TEST(ports_of_clients_are_kept_across_reloads)
{
    enum { FIRST = 5000, LAST = 5009 };
    struct scene scene;
    struct outcome outcome;
    int same[LAST - FIRST + 1];
    if (!network_own()) {
        skip_test("no network of our own");
    }
    scene_init(&scene);
    for (uint16_t i = 0; i <= LAST - FIRST; i++) {
        struct endpoint where = server_at((uint16_t)(FIRST + i));
        same[i] = listen_at(&where);
    }
    struct endpoint shifted = server_at(8001), named = endpoint_loopback(60000);
    int more = listen_at(&shifted), name = listen_at(&named);
    proxy_configure(&scene.proxy, SECTIONS, "5000-5008", "7000-7001");
    proxy_start(&scene.proxy);
    for (uint16_t i = 0; i < LAST - FIRST; i++) {
        session_goes((uint16_t)(FIRST + i), same[i]);
    }
    session_goes(7001, more);
    session_goes(64000, name);
    expect_refused(LAST);
    ck_assert_int_eq(proxy_command(&scene.proxy, &outcome, "status", "--json", NULL), 0);
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"127.0.0.2\""));
    ck_assert_ptr_nonnull(strstr(outcome.out, "\"127.0.0.2:+1000\""));

    /* Another range: what is in both stays open, and a session moves. */
    struct endpoint front = endpoint_loopback(5005), away = endpoint_loopback(5000);
    struct session session = session_through(&front, same[5]);
    struct session removed = session_through(&away, same[0]);
    proxy_configure(&scene.proxy, SECTIONS, "5001-5009", "7001-7002");
    proxy_reload(&scene.proxy);
    session_works(&session);
    session_works(&removed);
    for (uint16_t i = 1; i <= LAST - FIRST; i++) {
        session_goes((uint16_t)(FIRST + i), same[i]);
    }
    session_goes(7001, more);
    session_close(&session);
    session_close(&removed);
    proxy_wait_drained(&scene.proxy);
    expect_refused(FIRST);
    proxy_stop(&scene.proxy);
}
END_TEST

/* The port would be 65536: the session ends, and the server is not the one that failed. */
START_TEST(a_port_that_there_is_not_ends_the_session)
{
    struct scene scene;
    if (!network_own()) {
        skip_test("no network of our own");
    }
    scene_init(&scene);
    struct endpoint last = server_at(65535), front = endpoint_loopback(65535);
    int listener = listen_at(&last);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:65534-65535\nserver = s 127.0.0.2:+1\n"
                    "server = t 127.0.0.3:+1 backup\naccess-log = yes\nmax-fails = 1\n");
    proxy_start(&scene.proxy);
    expect_reset_at(&front);
    wait_mentioned(scene.proxy.log, "end=refused");
    session_goes(65534, listener);
    ck_assert_uint_eq(file_mentions(scene.proxy.log, "ejected"), 0);
    proxy_stop(&scene.proxy);
}
END_TEST

/* What the PROXY header says counts, and not where the sender connected to. */
START_TEST(the_port_of_a_proxy_header_is_kept)
{
    static const char header[] = "PROXY TCP4 192.0.2.1 192.0.2.2 1234 5007\r\n";
    struct scene scene;
    if (!network_own()) {
        skip_test("no network of our own");
    }
    scene_init(&scene);
    struct endpoint told = server_at(5007);
    int listener = listen_at(&told);
    proxy_configure(&scene.proxy,
                    "[listen main]\nbind = 127.0.0.1:%u accept-proxy=127.0.0.0/8\n"
                    "server = s 127.0.0.2\n",
                    scene.port);
    proxy_start(&scene.proxy);
    struct session session = {.client = connect_to(&scene.front)};
    send_all(session.client, header, strlen(header));
    session.server = accept_from(listener);
    session_works(&session);
    session_close(&session);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_server_may_be_an_abstract_socket)
{
    struct scene scene;
    char name[64];
    snprintf(name, sizeof name, "rpproxy-test-%d", (int)getpid());
    scene_init(&scene);
    struct endpoint where = {.un.sun_family = AF_UNIX};
    memcpy(where.un.sun_path + 1, name, strlen(name));
    where.length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(name));
    int listener = listen_at(&where);
    proxy_configure(&scene.proxy, "[listen main]\nbind = 127.0.0.1:%u\nserver = s unix:@%s\n",
                    scene.port, name);
    proxy_start(&scene.proxy);
    struct session session = session_through(&scene.front, listener);
    proxy_reload(&scene.proxy);
    session_works(&session);
    session_close(&session);
    session = session_through(&scene.front, listener);
    session_works(&session);
    session_close(&session);
    proxy_wait_drained(&scene.proxy);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *ports_suite(void)
{
    Suite *suite = suite_create("ports");
    scenario_add(suite, ports_of_clients_are_kept_across_reloads, 120);
    scenario_add(suite, a_port_that_there_is_not_ends_the_session, 60);
    scenario_add(suite, the_port_of_a_proxy_header_is_kept, 60);
    scenario_add(suite, a_server_may_be_an_abstract_socket, 60);
    return suite;
}
