#include "config/base/log.h"
#include "config/load.h"
#include "proxy/proxy.h"
#include "proxy/worker.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"
#include "tests/unit/support/loopback.h"

#include <check.h>
#include <event2/event.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { WORKERS = 3 };

static struct event_base *base;
static struct config *config;
static struct proxy *proxy;
static struct address front, back;
static int servers, listeners[WORKERS];

static void ignore(void *arg)
{
    (void)arg;
}

static unsigned opened;         /* number of listeners that are open */
static const char *global = ""; /* the start of the file */
static const char *check = "";  /* its end */

/* Starts with a listening socket for each worker, or with a shared one. */
static void start(bool shared, unsigned max_sessions)
{
    char text[256], server[ADDRESS_TEXT_MAX];
    folder_make();
    ck_assert(loopback_bind(0, &front));
    back = front;
    servers = loopback_listen(&back);
    snprintf(text, sizeof text, "%s[listen main]\nbind = 127.0.0.1:1\nserver = a %s\n%s", global,
             address_format(&back, server), check);
    config = load_good(text);
    base = event_base_new();
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    ck_assert_int_eq(proxy_new(config, 1, WORKERS, max_sessions, base, &events, &proxy), 0);
    ck_assert_ptr_nonnull(proxy);
    for (unsigned i = 0; i < WORKERS; i++) {
        if (i == 0 || !shared)
            listeners[opened++] = loopback_listen(&front);
        ck_assert_int_eq(proxy_add_listener(proxy, i, listeners[opened - 1], shared, NULL, 0,
                                            &config->frontends[0].binds[0]),
                         0);
    }
    ck_assert_int_eq(proxy_start(proxy), 0);
}

static void teardown(void)
{
    proxy_free(proxy);
    event_base_free(base);
    config_free(config);
    while (opened > 0)
        close(listeners[--opened]);
    close(servers);
    folder_remove();
}

/* When the session of one worker ends, the other workers are woken, also if they have stopped. */
START_TEST(proxy_ends_while_workers_wait_for_a_place)
{
    enum { CLIENTS = 16 };
    int clients[CLIENTS];
    start(_i, 1);
    proxy_accept(proxy);
    for (unsigned i = 0; i < CLIENTS; i++)
        clients[i] = loopback_connect(&front);
    loopback_await(servers, POLLIN);
    while (atomic_load(&proxy->service.places.limit->waiting) == 0)
        sched_yield();
    ck_assert_uint_eq(proxy_live(proxy), 1);
    proxy_free(proxy);
    proxy = NULL;
    for (unsigned i = 0; i < CLIENTS; i++)
        loopback_reset(clients[i]);
}
END_TEST

/* The kernel wakes one worker for a connection. If this worker has no place, there is no second
 * wake-up. */
START_TEST(wake_up_without_a_place_is_not_lost)
{
    enum { CLIENTS = 64, ROUNDS = 20 };
    static int clients[CLIENTS];
    start(_i, 2);
    proxy_accept(proxy);
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (unsigned i = 0; i < CLIENTS; i++)
            clients[i] = loopback_connect(&front);
        /* Two sessions at a time are possible: one of them must end before the next client is
         * served. */
        for (unsigned i = 0; i < CLIENTS; i++) {
            loopback_await(servers, POLLIN);
            close(accept(servers, NULL, NULL));
            /* The session ends when the client closes too. */
            unsigned ended = 0;
            struct pollfd polled[CLIENTS];
            for (unsigned j = 0; j < CLIENTS; j++)
                polled[j] = (struct pollfd){.fd = clients[j], .events = POLLIN};
            ck_assert_int_gt(poll(polled, CLIENTS, 60000), 0);
            for (unsigned j = 0; j < CLIENTS; j++)
                if (polled[j].revents) {
                    close(clients[j]);
                    clients[j] = -1;
                    ended++;
                }
            ck_assert_uint_gt(ended, 0);
        }
    }
}
END_TEST

START_TEST(workers_stay_on_their_cpus)
{
    struct cpus usable;
    char text[64];
    cpu_set_t set;
    cpus_usable(&usable);
    snprintf(text, sizeof text, "[global]\ncpu-affinity = %u\n", usable.list[usable.count - 1]);
    global = _i ? text : "[global]\ncpu-affinity = yes\n";
    start(false, 0);
    for (unsigned i = 0; i < WORKERS; i++) {
        unsigned cpu = usable.list[_i ? usable.count - 1 : i % usable.count];
        ck_assert_int_eq(pthread_getaffinity_np(proxy->workers[i].thread, sizeof set, &set), 0);
        ck_assert_int_eq(CPU_COUNT(&set), 1);
        ck_assert(CPU_ISSET(cpu, &set));
    }
    /* A new process inherits the CPUs of the main thread, which must not be restricted. */
    ck_assert_int_eq(sched_getaffinity(0, sizeof set, &set), 0);
    ck_assert_int_eq(CPU_COUNT(&set), (int)usable.count);
    global = "";
}
END_TEST

/* Shares the listening socket, is woken for a connection, and ends before it accepts. */
struct sharer {
    pthread_t thread;
    atomic_int tid;
    int epoll, woken; /* eventfd */
};

static void *be_woken(void *arg)
{
    struct sharer *sharer = arg;
    struct epoll_event event;
    atomic_store(&sharer->tid, gettid());
    (void)epoll_wait(sharer->epoll, &event, 1, -1);
    (void)eventfd_write(sharer->woken, 1);
    return NULL;
}

static void await_sleep(struct sharer *sharer)
{
    char path[64], state = '\0';
    while (atomic_load(&sharer->tid) == 0)
        sched_yield();
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", atomic_load(&sharer->tid));
    while (state != 'S') {
        FILE *file = fopen(path, "re");
        ck_assert_ptr_nonnull(file);
        ck_assert_int_eq(fscanf(file, "%*d (%*[^)]) %c", &state), 1);
        fclose(file);
    }
}

START_TEST(wake_up_of_a_process_that_left_is_replaced)
{
    struct sharer sharer = {.epoll = epoll_create1(EPOLL_CLOEXEC),
                            .woken = eventfd(0, EFD_CLOEXEC)};
    struct epoll_event event = {.events = EPOLLIN | EPOLLEXCLUSIVE};
    start(true, 0);
    ck_assert_int_eq(epoll_ctl(sharer.epoll, EPOLL_CTL_ADD, listeners[0], &event), 0);
    ck_assert_int_eq(pthread_create(&sharer.thread, NULL, be_woken, &sharer), 0);
    await_sleep(&sharer);
    proxy_accept(proxy); /* the workers come after the sharer in the kernel's list of waiters */
    for (bool woken = false; !woken;) {
        int client = loopback_connect(&front);
        struct pollfd polled[] = {{.fd = servers, .events = POLLIN},
                                  {.fd = sharer.woken, .events = POLLIN}};
        ck_assert_int_gt(poll(polled, 2, 60000), 0);
        woken = polled[1].revents != 0;
        if (woken) {
            pthread_join(sharer.thread, NULL);
            close(sharer.epoll);
            proxy_accept(proxy);
        }
        loopback_await(servers, POLLIN);
        close(accept(servers, NULL, NULL));
        loopback_reset(client);
    }
    close(sharer.woken);
}
END_TEST

/* The main thread changes the server's address while workers connect; the configuration does not
 * change.
 */
START_TEST(sessions_follow_a_server_to_another_address)
{
    enum { ROUNDS = 100 };
    ck_assert_int_eq(
        log_open(&(struct log_conf){.target = LOG_TO_STDERR, .level = LOG_LEVEL_ERROR}),
        0); /* without a line for each change */
    start(false, 16);
    struct address addresses[2] = {back, config->frontends[0].binds[0].at.address};
    addresses[1].in.sin_port = 0;
    const int listening[2] = {servers, loopback_listen(&addresses[1])};
    struct server *server = backend_find(service_backend(&proxy->service, "main"), "a");
    ck_assert_ptr_nonnull(server);
    proxy_accept(proxy);
    for (unsigned round = 1; round <= ROUNDS; round++) {
        ck_assert_int_eq(server_set_address(server, &addresses[round % 2]), 0);
        int client = loopback_connect(&front);
        loopback_await(listening[round % 2], POLLIN);
        close(accept(listening[round % 2], NULL, NULL));
        close(client);
        event_base_loop(base, EVLOOP_NONBLOCK);
    }
    while (server_count_sessions(server).all < ROUNDS)
        sched_yield(); /* a worker counts the session after connect(2) */
    ck_assert(address_equal(&config->backends[0].servers[0].address, &back));
    close(listening[1]);
}
END_TEST

static bool all_share(void)
{
    bool all = true;
    for (unsigned i = 0; i < WORKERS; i++)
        all &= proxy->workers[i].sessions.loop.engine.shared;
    return all;
}

/* Otherwise the kernel would go on to tell of the descriptor of a session that is freed. */
START_TEST(descriptors_are_always_shared_with_programs_that_check)
{
    check = _i ? "check = exec\ncheck-command = /bin/true\n" : "check = tcp\n";
    start(false, 0);
    ck_assert(all_share() == _i);
    proxy_share_descriptors(proxy, true);
    ck_assert(all_share());
    proxy_share_descriptors(proxy, false);
    ck_assert(all_share() == _i);
}
END_TEST

Suite *proxy_suite(void)
{
    Suite *suite = suite_create("proxy");
    TCase *tcase = tcase_create("proxy");
    tcase_add_checked_fixture(tcase, NULL, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_loop_test(tcase, proxy_ends_while_workers_wait_for_a_place, 0, 2);
    tcase_add_loop_test(tcase, wake_up_without_a_place_is_not_lost, 0, 2);
    tcase_add_loop_test(tcase, workers_stay_on_their_cpus, 0, 2);
    tcase_add_test(tcase, wake_up_of_a_process_that_left_is_replaced);
    tcase_add_test(tcase, sessions_follow_a_server_to_another_address);
    tcase_add_loop_test(tcase, descriptors_are_always_shared_with_programs_that_check, 0, 2);
    suite_add_tcase(suite, tcase);
    return suite;
}
