#include "reload/listeners/sockdiag.h"

#include "proxy/engine/socket.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/loopback.h"

#include <arpa/inet.h>
#include <check.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct known_sockets nobody;

/* Sockets of any interface, and of IPv6 only. */
#define AT(where) (&(struct listen_address){.address = *(where)})

static in_port_t port_of(const struct address *address)
{
    return htons((uint16_t)address_port(address));
}

static size_t listeners_on(const struct address *address)
{
    const struct listen_address *at = AT(address);
    size_t members;

    ck_assert_int_eq(sockdiag_listeners(&at, 1, &members), 0);
    return members;
}

static void set_port(struct address *address, in_port_t port)
{
    if (address->any.sa_family == AF_INET)
        address->in.sin_port = port;
    else
        address->in6.sin6_port = port;
}

START_TEST(counts_listeners)
{
    struct address address;
    int listeners[3], bound;

    if (!loopback_bind(_i, &address))
        return;
    for (size_t i = 0; i < 3; i++) {
        listeners[i] = loopback_listen(&address);
        ck_assert_uint_eq(listeners_on(&address), i + 1);
    }
    bound = loopback_bound(&address);
    ck_assert_uint_eq(listeners_on(&address), 3);
    close(listeners[1]);
    ck_assert_uint_eq(listeners_on(&address), 2);
    close(bound);
}
END_TEST

START_TEST(every_address_is_a_group_of_its_own)
{
    struct address addresses[LOOPBACK_BINDS];
    in_port_t port = loopback_free_port();

    if (port == 0)
        return;
    for (int i = 0; i < LOOPBACK_BINDS; i++) {
        (void)loopback_bind(i, &addresses[i]);
        set_port(&addresses[i], port);
        for (int opened = 0; opened <= i; opened++)
            (void)loopback_listen(&addresses[i]);
    }
    for (int i = 0; i < LOOPBACK_BINDS; i++)
        ck_assert_uint_eq(listeners_on(&addresses[i]), (size_t)i + 1);
}
END_TEST

/* All groups are counted by one call, in any order; a Unix address has no sockets here. */
START_TEST(many_groups_are_counted_at_once)
{
    enum { MANY = 100 };
    struct listen_address addresses[MANY] = {{.dual_stack = false}};
    const struct listen_address *asked[MANY];
    size_t members[MANY], wanted[MANY];

    for (int i = 0; i < MANY; i++) {
        asked[i * 37 % MANY] = &addresses[i];
        wanted[i * 37 % MANY] = (size_t)(i % 4);
        if (i % 10 == 9 || !loopback_bind(i % LOOPBACK_BINDS, &addresses[i].address)) {
            addresses[i].address = (struct address){.length = sizeof addresses[i].address.un,
                                                    .un = {.sun_family = AF_UNIX}};
            wanted[i * 37 % MANY] = 0;
        }
        for (size_t opened = 0; opened < wanted[i * 37 % MANY]; opened++)
            (void)loopback_listen(&addresses[i].address);
    }
    ck_assert_int_eq(sockdiag_listeners(asked, MANY, members), 0);
    for (int i = 0; i < MANY; i++)
        ck_assert_uint_eq(members[i], wanted[i]);
    ck_assert_int_eq(sockdiag_listeners(asked, 0, NULL), 0);
}
END_TEST

static void open_listener(const struct listen_address *at)
{
    int fd = socket_bind(at);

    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(socket_listen(fd, 0), 0);
}

/* So is each interface, and [::] with and without IPv4 clients. Needs Linux 5.7, or a privilege. */
START_TEST(interface_and_dual_stack_make_a_group)
{
    static const char *const texts[] = {",interface=lo", "", ",v6only=no,interface=lo",
                                        ",v6only=no", ",interface=not-there-0"};
    enum { GROUPS = sizeof texts / sizeof *texts };
    struct listen_address addresses[GROUPS];
    const struct listen_address *asked[GROUPS];
    size_t members[GROUPS];
    char text[ADDRESS_TEXT_MAX];
    in_port_t port = loopback_free_port();

    if (port == 0)
        return;
    for (unsigned i = 0; i < GROUPS; i++) {
        (void)snprintf(text, sizeof text, "[::]:%u%s", ntohs(port), texts[i]);
        ck_assert_pstr_eq(listen_address_parse(text, &addresses[i]), NULL);
        asked[i] = &addresses[i];
        for (unsigned opened = 0; opened < i && i < GROUPS - 1; opened++)
            open_listener(&addresses[i]);
    }
    ck_assert_int_eq(sockdiag_listeners(asked, GROUPS, members), 0);
    for (unsigned i = 0; i < GROUPS; i++)
        ck_assert_uint_eq(members[i], i == GROUPS - 1 ? 0 : i);
    ck_assert_int_eq(sockdiag_strangers(&addresses[0], &nobody), EADDRINUSE);
    ck_assert_int_eq(sockdiag_strangers(&addresses[3], &nobody), EADDRINUSE);
}
END_TEST

/* Sockets of two interfaces are never in each other's way, those of IPv4 and of [::] may be. */
START_TEST(dual_stack_is_in_the_way_of_ipv4)
{
    struct listen_address six, four;
    char text[ADDRESS_TEXT_MAX];
    in_port_t port = loopback_free_port();

    if (port == 0)
        return;
    (void)snprintf(text, sizeof text, "[::]:%u,v6only=no,interface=lo", ntohs(port));
    ck_assert_pstr_eq(listen_address_parse(text, &six), NULL);
    (void)snprintf(text, sizeof text, "127.0.0.1:%u", ntohs(port));
    ck_assert_pstr_eq(listen_address_parse(text, &four), NULL);
    ck_assert_int_eq(sockdiag_strangers(&six, &nobody), 0);
    open_listener(&four);
    ck_assert_int_eq(sockdiag_strangers(&six, &nobody), EADDRINUSE);
    six.dual_stack = false;
    ck_assert_int_eq(sockdiag_strangers(&six, &nobody), 0);
    strcpy(four.interface, "not-there-0");
    ck_assert_int_eq(sockdiag_strangers(&four, &nobody), EADDRINUSE);
}
END_TEST

static void expect_holder_is_me(const struct address *address)
{
    char text[SOCKDIAG_HOLDER_MAX], wanted[64];
    bool is_connection;

    ck_assert_int_eq(sockdiag_holder(AT(address), &nobody, text, &is_connection), 0);
    ck_assert(!is_connection);
    (void)snprintf(wanted, sizeof wanted, "uid %u", (unsigned)getuid());
    ck_assert_msg(strstr(text, wanted) != NULL, "%s", text);
    (void)snprintf(wanted, sizeof wanted, ", process %d (", (int)getpid());
    ck_assert_msg(strstr(text, wanted) != NULL, "%s", text);
}

/* Another program of this machine may have the port too. */
static void expect_holder_is_not_me(const struct address *address)
{
    char text[SOCKDIAG_HOLDER_MAX], me[32];
    bool is_connection;

    (void)snprintf(me, sizeof me, "process %d ", (int)getpid());
    ck_assert(sockdiag_holder(AT(address), &nobody, text, &is_connection) == ENOENT ||
              strstr(text, me) == NULL);
}

START_TEST(names_the_holder)
{
    struct address address, in_the_way;
    int fd;

    if (!loopback_bind(_i, &address))
        return;
    fd = loopback_listen(&address);
    expect_holder_is_me(&address);

    /* A socket of the wildcard blocks the specific address, and the reverse. */
    ck_assert(loopback_bind(_i ^ 1, &in_the_way));
    set_port(&in_the_way, port_of(&address));
    expect_holder_is_me(&in_the_way);

    /* A socket of the other IP version does not block it. */
    if (loopback_bind(_i ^ 2, &in_the_way)) {
        set_port(&in_the_way, port_of(&address));
        expect_holder_is_not_me(&in_the_way);
    }
    close(fd);
}
END_TEST

START_TEST(dual_stack_listener_blocks_ipv4)
{
    const int off = 0;
    struct address dual, address;
    int fd;

    if (!loopback_bind(3, &dual))
        return;
    fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off), 0);
    ck_assert_int_eq(bind(fd, &dual.any, dual.length), 0);
    ck_assert_int_eq(listen(fd, 1), 0);
    ck_assert_int_eq(getsockname(fd, &dual.any, &dual.length), 0);
    ck_assert(loopback_bind(0, &address));
    set_port(&address, port_of(&dual));
    expect_holder_is_me(&address);
    close(fd);
}
END_TEST

/* Some kernels list bound sockets of all ports, although one was requested. */
START_TEST(another_port_does_not_block)
{
    struct address address, other;
    int fd;

    if (!loopback_bind(_i, &address))
        return;
    ck_assert(loopback_bind(_i, &other));
    fd = loopback_bound(&address);
    (void)loopback_bound(&other);
    close(fd);
    expect_holder_is_not_me(&address);
}
END_TEST

/* The holder is a connection of this process to peer, from a local port that the kernel chose. */
static void expect_holder_is_connection(const struct address *address, const struct address *peer)
{
    char text[SOCKDIAG_HOLDER_MAX], wanted[256], peer_text[ADDRESS_TEXT_MAX];
    bool is_connection;

    ck_assert_int_eq(sockdiag_holder(AT(address), &nobody, text, &is_connection), 0);
    ck_assert(is_connection);
    (void)snprintf(wanted, sizeof wanted, "an outgoing connection to %s of ",
                   address_format(peer, peer_text));
    ck_assert_msg(strncmp(text, wanted, strlen(wanted)) == 0, "%s", text);
    (void)snprintf(wanted, sizeof wanted, ", process %d (", (int)getpid());
    ck_assert_msg(strstr(text, wanted) != NULL, "%s", text);
    ck_assert_msg(strstr(text, "ip_local_reserved_ports keeps ports free)") != NULL, "%s", text);
}

START_TEST(a_client_s_connection_can_be_the_holder)
{
    struct address address, local;
    int client, accepted, listener;

    ck_assert(loopback_bind(0, &address));
    listener = loopback_listen(&address);
    ck_assert(loopback_bind(0, &local));
    client = loopback_bound(&local);
    ck_assert(connect(client, &address.any, address.length) == 0 || errno == EINPROGRESS);
    loopback_await(listener, POLLIN);
    accepted = accept(listener, NULL, NULL);
    expect_holder_is_connection(&local, &address);
    close(accepted);
    close(client);
}
END_TEST

START_TEST(unix_addresses_are_skipped)
{
    const struct address address = {.length = sizeof address.un, .un = {.sun_family = AF_UNIX}};
    struct handshakes *handshakes;
    char text[SOCKDIAG_HOLDER_MAX];
    bool is_connection;
    size_t count;

    ck_assert_uint_eq(listeners_on(&address), 0);
    ck_assert_int_eq(sockdiag_holder(AT(&address), &nobody, text, &is_connection), EAFNOSUPPORT);
    ck_assert_int_eq(handshakes_take(AT(&address), 1, &handshakes), 0);
    ck_assert_int_eq(handshakes_left(handshakes, &count), 0);
    ck_assert_uint_eq(count, 0);
    handshakes_free(handshakes);
    handshakes_free(NULL);
}
END_TEST

START_TEST(no_descriptor_is_an_error_and_none_leaks)
{
    struct rlimit limit, none;
    struct handshakes *handshakes;
    struct address address;
    const struct listen_address *asked;
    int before, after;
    size_t count;

    ck_assert(loopback_bind(0, &address));
    before = loopback_listen(&address);
    for (int i = 0; i < 20; i++)
        (void)listeners_on(&address);
    after = loopback_listen(&address);
    ck_assert_int_eq(after, before + 1);
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &none), 0);
    asked = AT(&address);
    ck_assert_int_eq(sockdiag_listeners(&asked, 1, &count), EMFILE);
    ck_assert_int_eq(handshakes_take(AT(&address), 1, &handshakes), EMFILE);
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &limit), 0);
}
END_TEST

static size_t left_of(struct handshakes *handshakes)
{
    size_t left;

    ck_assert_int_eq(handshakes_left(handshakes, &left), 0);
    return left;
}

static void await_left(struct handshakes *handshakes, size_t wanted)
{
    while (left_of(handshakes) != wanted)
        sched_yield();
}

static void connect_many(int *clients, size_t count, const struct address *address)
{
    for (size_t i = 0; i < count; i++) {
        clients[i] = loopback_connect(address);
        loopback_await(clients[i], POLLOUT);
    }
}

START_TEST(a_snapshot_shrinks_as_handshakes_end)
{
    struct handshakes *snapshot, *other;
    struct address address, elsewhere;
    int listener, clients[5];

    if (!loopback_bind(_i, &address))
        return;
    ck_assert(loopback_bind(_i, &elsewhere));
    listener = loopback_listen_deferred(&address);
    (void)loopback_listen_deferred(&elsewhere);
    connect_many(clients, 3, &address);
    ck_assert_int_eq(handshakes_take(AT(&address), 1, &snapshot), 0);
    ck_assert_uint_eq(handshakes_seen(snapshot), 3);
    ck_assert_uint_eq(left_of(snapshot), 3);
    ck_assert_int_eq(handshakes_take(AT(&elsewhere), 1, &other), 0);
    ck_assert_uint_eq(left_of(other), 0);
    handshakes_free(other);

    /* Later handshakes are not part of the snapshot. */
    connect_many(clients + 3, 2, &address);
    ck_assert_uint_eq(left_of(snapshot), 3);

    ck_assert_int_eq(send(clients[0], "x", 1, MSG_NOSIGNAL), 1);
    loopback_await(listener, POLLIN);
    await_left(snapshot, 2);
    loopback_reset(clients[1]);
    await_left(snapshot, 1);
    ck_assert_uint_eq(handshakes_seen(snapshot), 1);
    ck_assert_int_eq(handshakes_take(AT(&address), 1, &other), 0);
    ck_assert_uint_eq(left_of(other), 3);
    handshakes_free(other);

    close(listener);
    await_left(snapshot, 0);
    handshakes_free(snapshot);
}
END_TEST

/* The same addresses and ports a second time are another handshake. */
START_TEST(reused_client_port_is_recognised)
{
    struct address address, local;
    struct handshakes *snapshot, *later;
    int first, second;

    ck_assert(loopback_bind(0, &address));
    (void)loopback_listen_deferred(&address);
    ck_assert(loopback_bind(0, &local));
    first = loopback_bound(&local);
    second = loopback_bound(&local); /* bound before, so that no other socket takes the port */
    ck_assert_int_eq(connect(first, &address.any, address.length), -1);
    loopback_await(first, POLLOUT);
    ck_assert_int_eq(handshakes_take(AT(&address), 1, &snapshot), 0);
    ck_assert_uint_eq(left_of(snapshot), 1);

    loopback_reset(first);
    ck_assert_int_eq(connect(second, &address.any, address.length), -1);
    loopback_await(second, POLLOUT);
    await_left(snapshot, 0);
    ck_assert_int_eq(handshakes_take(AT(&address), 1, &later), 0);
    ck_assert_uint_eq(left_of(later), 1);
    handshakes_free(snapshot);
    handshakes_free(later);
    close(second);
}
END_TEST

START_TEST(several_addresses_and_many_handshakes)
{
    enum { EACH = 300 };
    struct listen_address addresses[3] = {{.dual_stack = false}};
    struct handshakes *snapshot;
    int clients[3 * EACH];

    ck_assert(loopback_bind(0, &addresses[0].address));
    ck_assert(loopback_bind(1, &addresses[1].address));
    if (!loopback_bind(2, &addresses[2].address))
        return;
    for (size_t i = 0; i < 3; i++) {
        (void)loopback_listen_deferred(&addresses[i].address);
        connect_many(clients + i * EACH, EACH, &addresses[i].address);
    }
    ck_assert_int_eq(handshakes_take(addresses, 3, &snapshot), 0);
    ck_assert_uint_eq(left_of(snapshot), 3 * EACH);
    for (size_t i = 0; i < EACH; i++) {
        loopback_reset(clients[i]);
        ck_assert_int_eq(send(clients[2 * EACH + i], "x", 1, MSG_NOSIGNAL), 1);
    }
    await_left(snapshot, EACH);
    handshakes_free(snapshot);
}
END_TEST

Suite *sockdiag_suite(void)
{
    Suite *suite = suite_create("sockdiag");
    TCase *tests = tcase_create("kernel");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, counts_listeners, 0, LOOPBACK_BINDS);
    tcase_add_test(tests, every_address_is_a_group_of_its_own);
    tcase_add_test(tests, interface_and_dual_stack_make_a_group);
    tcase_add_test(tests, dual_stack_is_in_the_way_of_ipv4);
    tcase_add_test(tests, many_groups_are_counted_at_once);
    tcase_add_loop_test(tests, names_the_holder, 0, LOOPBACK_BINDS);
    tcase_add_test(tests, dual_stack_listener_blocks_ipv4);
    tcase_add_loop_test(tests, another_port_does_not_block, 0, LOOPBACK_BINDS);
    tcase_add_test(tests, a_client_s_connection_can_be_the_holder);
    tcase_add_test(tests, unix_addresses_are_skipped);
    tcase_add_test(tests, no_descriptor_is_an_error_and_none_leaks);
    tcase_add_loop_test(tests, a_snapshot_shrinks_as_handshakes_end, 0, LOOPBACK_BINDS);
    tcase_add_test(tests, reused_client_port_is_recognised);
    tcase_add_test(tests, several_addresses_and_many_handshakes);
    suite_add_tcase(suite, tests);
    return suite;
}
