#include "proxy/engine/socket.h"
#include "reload/listeners/sockdiag.h"
#include "reload/listeners/steering.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/loopback.h"

#include <check.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <unistd.h>

#define MOST        5
#define GENERATIONS 8

static void steer(int listener, struct steer_range range)
{
    ck_assert_int_eq(steering_set(listener, range), 0);
}

static void steer_to_one(int listener, unsigned index)
{
    steer(listener, (struct steer_range){.first = index, .count = 1});
}

/* Returns the index of the listener that the client reaches. */
static unsigned reached_by(const int *listeners, unsigned count, int client)
{
    struct pollfd polled[2 * MOST];
    unsigned reached = count, ready = 0;

    for (unsigned i = 0; i < count; i++)
        polled[i] = (struct pollfd){.fd = listeners[i], .events = POLLIN};
    ck_assert_int_gt(poll(polled, count, 60000), 0);
    for (unsigned i = 0; i < count; i++)
        if (polled[i].revents != 0) {
            reached = i;
            ready++;
        }
    ck_assert_uint_eq(ready, 1);
    close(accept(listeners[reached], NULL, NULL));
    loopback_reset(client);
    return reached;
}

/* Returns the index of the listener that a new connection reaches. */
static unsigned reached_by_a_new_connection(const int *listeners, unsigned count,
                                            const struct address *address)
{
    return reached_by(listeners, count, loopback_connect(address));
}

struct generation {
    int listeners[MOST]; /* in the order of listen() */
    unsigned count;
    unsigned rotation;
};

static void open_generation(struct generation *generation, unsigned count, struct address *address)
{
    generation->count = count;
    generation->rotation = 0;
    for (unsigned i = 0; i < count; i++)
        generation->listeners[i] = loopback_listen(address);
}

/* Checks each index in the kernel: first `old_open` listeners of the old process, then those of the
 * new one. */
static void check_order(const struct generation *old, unsigned old_open,
                        const struct generation *own, const struct address *address)
{
    int standing[2 * MOST];
    unsigned count = 0;

    for (unsigned i = 0; i < old_open; i++)
        standing[count++] = old->listeners[group_standing(i, old->count, old->rotation)];
    for (unsigned i = 0; i < own->count; i++)
        standing[count++] = own->listeners[group_standing(i, own->count, own->rotation)];
    for (unsigned i = 0; i < count; i++) {
        steer_to_one(own->listeners[0], i);
        ck_assert_uint_eq(reached_by_a_new_connection(standing, count, address), i);
    }
}

static void follow_handovers(const unsigned sizes[2], struct address *address)
{
    struct generation old, own;

    open_generation(&old, sizes[0], address);
    for (unsigned g = 1; g <= GENERATIONS; g++) {
        open_generation(&own, sizes[g % 2], address);
        check_order(&old, old.count, &own, address);
        for (unsigned closing = old.count; closing-- > 0;) {
            close(old.listeners[group_standing(closing, old.count, old.rotation)]);
            own.rotation = group_rotation(own.rotation, own.count, 1);
            check_order(&old, closing, &own, address);
        }
        old = own;
    }
    for (unsigned i = 0; i < old.count; i++)
        close(old.listeners[i]);
}

START_TEST(arithmetic_is_the_kernel_s)
{
    struct address address;

    for (unsigned a = 1; a <= MOST; a++)
        for (unsigned b = 1; b <= MOST; b++) {
            if (!loopback_bind(_i, &address))
                return;
            follow_handovers((const unsigned[]){a, b}, &address);
        }
}
END_TEST

START_TEST(any_member_steers_the_whole_group)
{
    struct address address;
    int listeners[3];

    if (!loopback_bind(_i, &address))
        return;
    for (unsigned i = 0; i < 3; i++)
        listeners[i] = loopback_listen(&address);
    for (unsigned member = 0; member < 3; member++)
        for (unsigned i = 0; i < 3; i++) {
            steer_to_one(listeners[member], i);
            ck_assert_uint_eq(reached_by_a_new_connection(listeners, 3, &address), i);
        }
}
END_TEST

START_TEST(a_range_is_used_whole_and_alone)
{
    struct address address;
    int listeners[4];
    unsigned hits[4] = {0};

    if (!loopback_bind(_i, &address))
        return;
    for (unsigned i = 0; i < 4; i++)
        listeners[i] = loopback_listen(&address);
    steer(listeners[0], (struct steer_range){.first = 1, .count = 2});
    /* If distribution were random, this would fail once in 2^199 runs. */
    for (int i = 0; i < 200; i++)
        hits[reached_by_a_new_connection(listeners, 4, &address)]++;
    ck_assert_uint_eq(hits[0] + hits[3], 0);
    ck_assert_uint_gt(hits[1], 0);
    ck_assert_uint_gt(hits[2], 0);
}
END_TEST

/* So the kernel itself serves clients after the new process has died. */
START_TEST(unused_index_reaches_the_remaining_listeners)
{
    struct address address;
    int listeners[3];

    if (!loopback_bind(_i, &address))
        return;
    for (unsigned i = 0; i < 3; i++)
        listeners[i] = loopback_listen(&address);
    steer_to_one(listeners[0], 2);
    close(listeners[2]);
    for (int i = 0; i < 20; i++)
        ck_assert_uint_lt(reached_by_a_new_connection(listeners, 2, &address), 2);
}
END_TEST

START_TEST(new_listener_gets_nothing_while_pinned)
{
    struct address address;
    int listeners[4];

    if (!loopback_bind(_i, &address))
        return;
    listeners[0] = loopback_listen(&address);
    listeners[1] = loopback_listen(&address);
    steer(listeners[0], group_pinned(2));
    listeners[2] = loopback_listen(&address);
    listeners[3] = loopback_listen(&address);
    for (int i = 0; i < 100; i++)
        ck_assert_uint_lt(reached_by_a_new_connection(listeners, 4, &address), 2);
}
END_TEST

/* Moves the thread to a CPU: over loopback this CPU processes the SYN. */
static void go_to(unsigned cpu)
{
    cpu_set_t set;

    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    ck_assert_int_eq(sched_setaffinity(0, sizeof set, &set), 0);
}

/* Connects from each CPU. range: the indices of the process's listeners. */
static void check_cpus(const struct generation *own, struct steer_range range,
                       const struct cpus *usable, const struct cpus *cpus, unsigned workers,
                       const struct address *address)
{
    const struct steer_cpus by = {cpus, workers, own->rotation};

    ck_assert_int_eq(steering_set_by_cpu(own->listeners[0], range, &by), 0);
    for (unsigned c = 0; c < usable->count && c < MOST; c++) {
        unsigned cpu = usable->list[c], place = 0;

        go_to(cpu);
        while (place < cpus->count && cpus->list[place] != cpu)
            place++;
        for (int i = 0; i < 3; i++) {
            unsigned reached = reached_by_a_new_connection(own->listeners, own->count, address);

            ck_assert_uint_lt(reached, workers);
            if (place < cpus->count && place < workers)
                ck_assert_uint_eq(reached % cpus->count, place);
            else
                ck_assert_uint_eq(reached, cpu % workers);
        }
    }
}

/* All CPUs; all in reverse order; and the last CPU together with CPUs that have no client. */
static void check_lists(const struct generation *own, struct steer_range range,
                        const struct cpus *usable, const struct address *address)
{
    struct cpus reversed = {.count = usable->count};
    struct cpus strangers = {.count = 3, .list = {1023, usable->list[usable->count - 1], 1022}};

    for (unsigned i = 0; i < usable->count; i++)
        reversed.list[i] = usable->list[usable->count - 1 - i];
    for (unsigned workers = 1; workers <= own->count; workers++) {
        check_cpus(own, range, usable, usable, workers, address);
        check_cpus(own, range, usable, &reversed, workers, address);
        check_cpus(own, range, usable, &strangers, workers, address);
    }
}

/* Through several handovers, so that each rotation occurs. */
START_TEST(a_cpu_reaches_its_worker)
{
    struct address address;
    struct cpus usable;
    struct generation old, own;

    if (!loopback_bind(_i, &address))
        return;
    cpus_usable(&usable);
    open_generation(&old, 2, &address);
    for (unsigned g = 0; g < GENERATIONS; g++) {
        open_generation(&own, 2 + g % (MOST - 1), &address);
        check_lists(&own, group_handed_over(old.count, own.count), &usable, &address);
        for (unsigned closing = old.count; closing-- > 0;)
            close(old.listeners[group_standing(closing, old.count, old.rotation)]);
        own.rotation = group_rotation(0, own.count, old.count);
        check_lists(&own, group_pinned(own.count), &usable, &address);
        old = own;
    }
}
END_TEST

START_TEST(workers_on_one_cpu_take_turns)
{
    struct address address;
    struct cpus usable;
    struct generation own;
    unsigned hits[MOST] = {0};

    if (!loopback_bind(_i, &address))
        return;
    cpus_usable(&usable);
    go_to(usable.list[0]);
    usable.count = 1;
    open_generation(&own, 3, &address);
    check_cpus(&own, group_pinned(3), &usable, &usable, 3, &address);
    for (int i = 0; i < 200; i++)
        hits[reached_by_a_new_connection(own.listeners, 3, &address)]++;
    for (int i = 0; i < 3; i++)
        ck_assert_uint_gt(hits[i], 0);
}
END_TEST

/* --- a canary's share ---------------------------------------------------------------------- */

/* Two listeners of the old process, and two of the canary. */
#define SPLIT_OWN 2
#define SPLIT_ALL 4

static void open_split(int listeners[static SPLIT_ALL], struct address *address)
{
    for (unsigned i = 0; i < SPLIT_ALL; i++)
        listeners[i] = loopback_listen(address);
}

static void split(int listener, unsigned share, bool by_source, uint32_t salt,
                  const struct steer_cpus *by)
{
    const struct steer_split how = {
        .share = share, .to = {SPLIT_OWN, 2}, .by_source = by_source, .salt = salt};

    ck_assert_int_eq(steering_split(listener, &how, group_pinned(SPLIT_OWN), by), 0);
}

START_TEST(a_share_goes_to_the_canary)
{
    struct address address;
    int listeners[SPLIT_ALL];
    unsigned hits[SPLIT_ALL] = {0};

    if (!loopback_bind(_i, &address))
        return;
    open_split(listeners, &address);
    split(listeners[0], 2500, false, 0, NULL);
    for (int i = 0; i < 400; i++)
        hits[reached_by_a_new_connection(listeners, SPLIT_ALL, &address)]++;
    /* The expected number is 100; 50 and 150 are nearly six standard deviations away. */
    ck_assert_uint_gt(hits[2] + hits[3], 50);
    ck_assert_uint_lt(hits[2] + hits[3], 150);
    for (int i = 0; i < SPLIT_ALL; i++)
        ck_assert_uint_gt(hits[i], 0);
    split(listeners[3], 1, false, 0, NULL);
    hits[2] = hits[3] = 0;
    for (int i = 0; i < 100; i++)
        hits[reached_by_a_new_connection(listeners, SPLIT_ALL, &address)]++;
    ck_assert_uint_lt(hits[2] + hits[3], 5);
}
END_TEST

START_TEST(the_rest_goes_by_cpu)
{
    struct address address;
    struct cpus usable;
    int listeners[SPLIT_ALL];
    unsigned hits[SPLIT_ALL] = {0};

    if (!loopback_bind(_i, &address))
        return;
    cpus_usable(&usable);
    usable.count = 1;
    go_to(usable.list[0]);
    open_split(listeners, &address);
    const struct steer_cpus by = {&usable, 1, 1};
    split(listeners[0], 5000, false, 0, &by);
    for (int i = 0; i < 200; i++)
        hits[reached_by_a_new_connection(listeners, SPLIT_ALL, &address)]++;
    ck_assert_uint_eq(hits[0], 0);
    for (int i = 1; i < SPLIT_ALL; i++)
        ck_assert_uint_gt(hits[i], 0);
}
END_TEST

/* Connects from the n-th address after 127.0.1.0. */
static int connect_from(unsigned n, const struct address *address)
{
    struct sockaddr_in source = {.sin_family = AF_INET}, server = source;
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    source.sin_addr.s_addr = htonl(0x7f000100u + n);
    server.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.sin_port = address->in.sin_port; /* the port has the same offset in an IPv6 address */
    ck_assert_int_eq(bind(client, (struct sockaddr *)&source, sizeof source), 0);
    ck_assert(connect(client, (struct sockaddr *)&server, sizeof server) == 0 ||
              errno == EINPROGRESS);
    return client;
}

static bool goes_to_the_canary(const int *listeners, unsigned n, const struct address *address)
{
    return reached_by(listeners, SPLIT_ALL, connect_from(n, address)) >= SPLIT_OWN;
}

/* Listeners without IPV6_V6ONLY accept IPv4 clients too. */
static void open_dual_stack(int listeners[static SPLIT_ALL], struct address *address)
{
    for (unsigned i = 0; i < SPLIT_ALL; i++) {
        int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

        ck_assert_int_eq(setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &(int){1}, sizeof(int)), 0);
        ck_assert_int_eq(setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &(int){0}, sizeof(int)), 0);
        ck_assert_int_eq(bind(fd, &address->any, address->length), 0);
        ck_assert_int_eq(getsockname(fd, &address->any, &address->length), 0);
        ck_assert_int_eq(listen(fd, 128), 0);
        listeners[i] = fd;
    }
}

static void check_sources(const int *listeners, const struct address *address)
{
    const uint32_t salts[] = {0, 1, 0xdeadbeef};
    unsigned moved = 0;

    for (size_t s = 0; s < sizeof salts / sizeof *salts; s++) {
        unsigned canary = 0;
        bool sides[256];

        split(listeners[0], 2500, true, salts[s], NULL);
        for (unsigned n = 0; n < 256; n++) {
            sides[n] = goes_to_the_canary(listeners, n, address);
            canary += sides[n];
        }
        /* Neighbouring addresses are distributed: the canary gets about a quarter of a /24. */
        ck_assert_uint_ge(canary, 48);
        ck_assert_uint_le(canary, 80);
        for (unsigned n = 0; n < 32; n++)
            for (int again = 0; again < 3; again++)
                ck_assert_int_eq(goes_to_the_canary(listeners, n, address), sides[n]);
        split(listeners[0], 2500, true, salts[s] + 77, NULL);
        for (unsigned n = 0; n < 256; n++)
            moved += sides[n] != goes_to_the_canary(listeners, n, address);
    }
    ck_assert_uint_gt(moved, 0);
}

START_TEST(a_source_is_on_one_side)
{
    struct address address;
    int listeners[SPLIT_ALL];

    ck_assert(loopback_bind(0, &address));
    open_split(listeners, &address);
    check_sources(listeners, &address);
}
END_TEST

START_TEST(a_mapped_source_is_on_one_side)
{
    struct address address;
    int listeners[SPLIT_ALL];

    if (!loopback_bind(3, &address))
        return;
    open_dual_stack(listeners, &address);
    check_sources(listeners, &address);
}
END_TEST

/* There is only one IPv6 address here: for some salts it belongs to one side, for others to the
 * other side. */
START_TEST(an_ipv6_source_is_on_one_side)
{
    struct address address;
    int listeners[SPLIT_ALL];
    unsigned canary = 0;

    if (!loopback_bind(2, &address))
        return;
    open_split(listeners, &address);
    for (uint32_t salt = 0; salt < 200; salt++) {
        split(listeners[0], 2500, true, salt * 0x01010101u, NULL);
        bool side = reached_by_a_new_connection(listeners, SPLIT_ALL, &address) >= SPLIT_OWN;
        for (int again = 0; again < 3; again++)
            ck_assert_int_eq(
                reached_by_a_new_connection(listeners, SPLIT_ALL, &address) >= SPLIT_OWN, side);
        canary += side;
    }
    ck_assert_uint_gt(canary, 10);
    ck_assert_uint_lt(canary, 120);
}
END_TEST

/* The listener that closes first has the last index, so no other index changes. */
START_TEST(a_canary_goes_back)
{
    struct address address;
    int listeners[SPLIT_ALL];

    if (!loopback_bind(_i, &address))
        return;
    open_split(listeners, &address);
    split(listeners[0], 5000, false, 0, NULL);
    steer(listeners[0], group_pinned(SPLIT_OWN));
    close(listeners[3]);
    close(listeners[2]);
    for (unsigned i = 0; i < SPLIT_OWN; i++) {
        steer_to_one(listeners[0], i);
        ck_assert_uint_eq(reached_by_a_new_connection(listeners, SPLIT_OWN, &address), i);
    }
}
END_TEST

START_TEST(nonsense_is_refused_and_changes_nothing)
{
    struct address address;
    int listeners[2], unix_socket = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    ck_assert(loopback_bind(0, &address));
    listeners[0] = loopback_listen(&address);
    listeners[1] = loopback_listen(&address);
    steer_to_one(listeners[0], 1);
    ck_assert_int_eq(steering_set(listeners[0], (struct steer_range){.first = 0, .count = 0}),
                     EINVAL);
    const struct cpus none = {0}, one = {.count = 1};
    const struct steer_cpus wrong[] = {{&none, 1, 0}, {&one, 0, 0}, {&one, 3, 0}};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        ck_assert_int_eq(steering_set_by_cpu(listeners[0], group_pinned(2), &wrong[i]), EINVAL);
    const struct steer_split none_of_it = {.share = 0, .to = {1, 1}},
                             all_of_it = {.share = STEER_WHOLE, .to = {1, 1}},
                             to_nobody = {.share = 1};
    ck_assert_int_eq(steering_split(listeners[0], &none_of_it, group_pinned(1), NULL), EINVAL);
    ck_assert_int_eq(steering_split(listeners[0], &all_of_it, group_pinned(1), NULL), EINVAL);
    ck_assert_int_eq(steering_split(listeners[0], &to_nobody, group_pinned(1), NULL), EINVAL);
    ck_assert_uint_eq(reached_by_a_new_connection(listeners, 2, &address), 1);
    ck_assert_int_eq(steering_set(-1, group_pinned(1)), EBADF);
    ck_assert_int_ne(steering_set(unix_socket, group_pinned(1)), 0);
    ck_assert_int_eq(steering_sink(&(struct listen_address){.address = {.length = 2}}),
                     -EAFNOSUPPORT);
    close(unix_socket);
}
END_TEST

static unsigned drops(int fd)
{
    unsigned memory[SK_MEMINFO_VARS];
    socklen_t length = sizeof memory;

    ck_assert_int_eq(getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length), 0);
    return memory[SK_MEMINFO_DROPS];
}

static unsigned tcp_state(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;

    ck_assert_int_eq(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length), 0);
    return info.tcpi_state;
}

static void await_handshakes(const struct address *address, size_t wanted)
{
    for (;;) {
        struct handshakes *handshakes;
        size_t left;

        ck_assert_int_eq(
            handshakes_take(&(struct listen_address){.address = *address}, 1, &handshakes), 0);
        ck_assert_int_eq(handshakes_left(handshakes, &left), 0);
        handshakes_free(handshakes);
        if (left == wanted)
            return;
        sched_yield();
    }
}

/* Opens two sinks after one listener. */
static void open_sinks(int sinks[2], const struct address *address)
{
    ck_assert_uint_eq(group_sinks(1), 2);
    for (int i = 0; i < 2; i++) {
        sinks[i] = steering_sink(&(struct listen_address){.address = *address});
        ck_assert_int_ge(sinks[i], 0);
    }
}

START_TEST(sink_gets_no_syn)
{
    struct address address;
    int listener, sinks[2], client;

    if (!loopback_bind(_i, &address))
        return;
    listener = loopback_listen(&address);
    open_sinks(sinks, &address);
    steer(listener, group_sunk(1));
    client = loopback_connect(&address);
    while (drops(sinks[0]) == 0)
        sched_yield();
    ck_assert_uint_eq(tcp_state(client), TCP_SYN_SENT);
    ck_assert_int_eq(socket_accept_queue(listener), 0);

    /* The client repeats its SYN, which is now steered to a listener. */
    steer(sinks[0], group_pinned(1));
    loopback_await(listener, POLLIN);
    close(accept(listener, NULL, NULL));
    close(client);
}
END_TEST

/* A bind that ends: no new client is accepted, and clients with a handshake under way are served.
 */
START_TEST(a_bind_ends_behind_sinks)
{
    struct address address;
    char text[16];
    int listener, sinks[2], early, late, accepted, error;
    socklen_t length = sizeof error;

    if (!loopback_bind(_i, &address))
        return;
    listener = loopback_listen_deferred(&address);
    early = loopback_connect(&address);
    loopback_await(early, POLLOUT);
    await_handshakes(&address, 1);
    open_sinks(sinks, &address);
    steer(listener, group_sunk(1));
    late = loopback_connect(&address);

    ck_assert_int_eq(send(early, "early", 5, MSG_NOSIGNAL), 5);
    loopback_await(listener, POLLIN);
    accepted = accept(listener, NULL, NULL);
    ck_assert_int_eq(recv(accepted, text, sizeof text, 0), 5);

    close(listener);
    ck_assert_uint_eq(tcp_state(late), TCP_SYN_SENT);
    close(sinks[0]);
    close(sinks[1]);
    loopback_await(late, POLLERR);
    ck_assert_int_eq(getsockopt(late, SOL_SOCKET, SO_ERROR, &error, &length), 0);
    ck_assert_int_eq(error, ECONNREFUSED);
    ck_assert_int_eq(send(accepted, "answer", 6, MSG_NOSIGNAL), 6);
    loopback_await(early, POLLIN);
    ck_assert_int_eq(recv(early, text, sizeof text, 0), 6);
    close(late);
    close(early);
    close(accepted);
}
END_TEST

START_TEST(the_queue_is_counted)
{
    struct address address;
    int listener, clients[3];

    if (!loopback_bind(_i, &address))
        return;
    listener = loopback_listen(&address);
    ck_assert_int_eq(socket_accept_queue(listener), 0);
    for (int i = 0; i < 3; i++) {
        clients[i] = loopback_connect(&address);
        loopback_await(clients[i], POLLOUT);
    }
    while (socket_accept_queue(listener) < 3)
        sched_yield();
    ck_assert_int_eq(socket_accept_queue(listener), 3);
    close(accept(listener, NULL, NULL));
    ck_assert_int_eq(socket_accept_queue(listener), 2);

    ck_assert_int_eq(socket_accept_queue(clients[0]), -1);
    ck_assert_int_eq(socket_accept_queue(-1), -1);
    for (int i = 0; i < 3; i++)
        close(clients[i]);
}
END_TEST

START_TEST(grace_period_ends_or_fails)
{
    int error = steering_grace();

    ck_assert_msg(error == 0 || error == ENOSYS || error == EPERM || error == EINVAL, "%s",
                  strerror(error));
}
END_TEST

Suite *steering_suite(void)
{
    Suite *suite = suite_create("steering");
    TCase *tests = tcase_create("kernel");

    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, arithmetic_is_the_kernel_s, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, any_member_steers_the_whole_group, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, a_range_is_used_whole_and_alone, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, unused_index_reaches_the_remaining_listeners, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, new_listener_gets_nothing_while_pinned, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, a_cpu_reaches_its_worker, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, workers_on_one_cpu_take_turns, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, a_share_goes_to_the_canary, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, the_rest_goes_by_cpu, 0, LOOPBACK_BINDS);
    tcase_add_test(tests, a_source_is_on_one_side);
    tcase_add_test(tests, a_mapped_source_is_on_one_side);
    tcase_add_test(tests, an_ipv6_source_is_on_one_side);
    tcase_add_loop_test(tests, a_canary_goes_back, 0, LOOPBACK_BINDS);
    tcase_add_test(tests, nonsense_is_refused_and_changes_nothing);
    tcase_add_loop_test(tests, sink_gets_no_syn, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, a_bind_ends_behind_sinks, 0, LOOPBACK_BINDS);
    tcase_add_loop_test(tests, the_queue_is_counted, 0, LOOPBACK_BINDS);
    tcase_add_test(tests, grace_period_ends_or_fails);
    suite_add_tcase(suite, tests);
    return suite;
}
