#include "config/load.h"
#include "reload/handover/generation.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/config_text.h"

#include <check.h>
#include <event2/event.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

static struct event_base *base;
static struct generation us;

static void ignore(void *arg)
{
    (void)arg;
}

static void make_generation(struct generation *generation, unsigned number)
{
    const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    *generation = (struct generation){.base = base, .number = number};
    generation->config =
        load_good("[global]\nmax-sessions = 10\n"
                  "[frontend web]\nbind = 127.0.0.1:1\nbackend = app\nmax-sessions = 4\n"
                  "[frontend mail]\nbind = 127.0.0.1:2\nbackend = app\n"
                  "[backend app]\nserver = a 127.0.0.1:3\n"
                  "[backend counts]\nserver = b 127.0.0.1:4\nbalance = leastconn\n");
    draining_processes_init(&generation->draining_processes,
                            &(struct draining_processes_events){.on_gone = ignore});
    const struct peer_stats_means means = {.base = base,
                                           .children = &generation->children,
                                           .last_crash = &generation->last_crash,
                                           .draining_processes = &generation->draining_processes,
                                           .predecessor = &generation->predecessor};
    ck_assert_int_eq(peer_stats_open(&generation->peer_stats, &means), 0);
    ck_assert_int_eq(proxy_new(generation->config, number, 2, 8, base, &events, &generation->proxy),
                     0);
    ck_assert_ptr_nonnull(generation->proxy);
}

static void free_generation(struct generation *generation)
{
    peer_stats_close(&generation->peer_stats);
    proxy_free(generation->proxy);
    config_free(generation->config);
}

static void setup(void)
{
    folder_make();
    base = event_base_new();
    make_generation(&us, 9);
}

static void teardown(void)
{
    free_generation(&us);
    event_base_free(base);
    folder_remove();
}

/* Another process: it does nothing, and the test writes its shared stats.
 */
struct other {
    struct stats stats;
    pid_t pid;
    int pidfd; /* -1: the kernel has no pidfds */
};

static void end_in_order(int number)
{
    (void)number;
    _exit(0);
}

static struct other other_start(unsigned number)
{
    struct other other;
    void (*before)(int) = signal(SIGTERM, end_in_order);
    other.pid = fork();
    ck_assert_int_ge(other.pid, 0);
    if (other.pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        for (;;)
            pause();
    }
    signal(SIGTERM, before);
    other.pidfd = pidfd_open(other.pid, 0);
    ck_assert_int_eq(stats_open(&other.stats, us.config, number, 2), 0);
    ((struct stats_head *)other.stats.memory)->pid = (uint32_t)other.pid;
    return other;
}

/* Sessions of the first frontend; row: of a worker, or the base. */
static void count_in_tally(struct tally *tally, unsigned row, uint64_t sessions)
{
    counter_add(&tally_frontend(tally, row, 0)[COUNTER_OF(frontend_figures, sessions)], sessions);
}

static void other_inherit(struct other *other, uint64_t sessions)
{
    stats_inherit(&other->stats, &(struct figures){.sessions = sessions});
    count_in_tally(&other->stats.tally, other->stats.tally.as.workers, sessions);
}

static void other_count(struct other *other, unsigned sessions, unsigned live)
{
    counter_add(&stats_counters(&other->stats, 1)->sessions, sessions);
    count_in_tally(&other->stats.tally, 1, sessions);
    for (unsigned i = 0; i < live; i++) {
        limit_force(stats_sessions(&other->stats));
        limit_force(stats_frontend_sessions(&other->stats, 0));
    }
}

static void other_kill(struct other *other)
{
    kill(other->pid, SIGKILL);
    ck_assert_int_eq(waitpid(other->pid, NULL, 0), other->pid);
}

/* Ends the process, and closes the descriptors. */
static void other_free(struct other *other)
{
    close(other->pidfd);
    stats_close(&other->stats);
}

static void tell(const struct other *other,
                 void (*hear)(struct peer_stats *, const struct received *))
{
    const struct message_stats about = {0};
    int fds[] = {fcntl(other->stats.fd, F_DUPFD_CLOEXEC, 0),
                 fcntl(other->pidfd, F_DUPFD_CLOEXEC, 0)};
    const struct received message = {.type = MESSAGE_STATS,
                                     .payload = &about,
                                     .length = sizeof about,
                                     .fds = fds,
                                     .fd_count = other->pidfd >= 0 ? 2 : 1};
    hear(&us.peer_stats, &message);
    for (size_t i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}

/* The sum, which is the same by frontend. */
static uint64_t sessions(void)
{
    struct tally_sums sums;
    ck_assert_int_eq(peer_stats_tally(&us.peer_stats, &sums), 0);
    uint64_t by_frontend = sums.frontends[0].sessions;
    tally_sums_close(&sums);
    ck_assert_uint_eq(peer_stats_figures(&us.peer_stats).sessions, by_frontend);
    return by_frontend;
}

static void count_own(unsigned amount)
{
    counter_add(&stats_counters(&us.proxy->stats, 0)->sessions, amount);
    count_in_tally(&us.proxy->stats.tally, 0, amount);
}

START_TEST(live_process_counts_at_once)
{
    struct other other = other_start(8);
    tell(&other, peer_stats_add);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    other_inherit(&other, 1000);
    count_own(1);
    ck_assert_uint_eq(sessions(), 1001);
    other_count(&other, 10, 2);
    ck_assert_uint_eq(sessions(), 1011);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 2);
    ck_assert_uint_eq(peer_stats_frontend_live(&us.peer_stats, 0), 2);
    ck_assert_uint_eq(peer_stats_frontend_live(&us.peer_stats, 1), 0);
    ck_assert_ptr_nonnull(peer_stats_find(&us.peer_stats, 8, other.pid));
    ck_assert_ptr_null(peer_stats_find(&us.peer_stats, 7, other.pid));
    other_kill(&other);
    other_free(&other);
}
END_TEST

/* With a pidfd, and without one as before Linux 5.3. */
START_TEST(killed_process_is_folded_once)
{
    struct other other = other_start(8);
    if (_i == 1) {
        close(other.pidfd);
        other.pidfd = -1;
    }
    tell(&other, peer_stats_add);
    tell(&other, peer_stats_add); /* already known */
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    peer_stats_count(&us.peer_stats);
    other_inherit(&other, 1000);
    other_count(&other, 10, 2);
    ck_assert_uint_eq(sessions(), 1010);
    other_kill(&other);
    ck_assert_uint_eq(sessions(), 1010);
    while (!TAILQ_EMPTY(&us.peer_stats.list))
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(sessions(), 1010);
    ck_assert_uint_eq(peer_stats_base(&us.peer_stats).sessions, 1010);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 0);
    other_free(&other);
}
END_TEST

/* The sessions of another process at a server count in the balance, until it is gone. */
START_TEST(sessions_at_servers_count)
{
    struct other other = other_start(8);
    const struct tally *tally = &other.stats.tally;
    const struct backend *counting = &us.proxy->service.backends[1];
    const struct server *server = backend_find(counting, "b");
    ck_assert_uint_eq(tally_add_server(&other.stats.tally, 1, "b"), 0); /* other numbers */
    counter_add(&tally_server(tally, 1, 0)[COUNTER_OF(server_figures, live)], 3);
    tell(&other, peer_stats_add);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    ck_assert_uint_eq(server_used(server), 3);
    counter_add(&tally_server(tally, 0, 0)[COUNTER_OF(server_figures, live)], 2);
    peer_stats_count(&us.peer_stats);
    ck_assert_uint_eq(server_used(server), 5);
    counter_add(&tally_server(tally, 0, 0)[COUNTER_OF(server_figures, live)], 1);
    while (server_used(server) != 6) /* by the next look */
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(server_used(backend_find(&us.proxy->service.backends[0], "a")), 0);
    other_kill(&other);
    while (server_used(server) != 0)
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert(TAILQ_EMPTY(&us.peer_stats.list));
    other_free(&other);
}
END_TEST

static void wait_gone(const struct peer *peer)
{
    while (!peer->gone)
        event_base_loop(base, EVLOOP_ONCE);
}

/* The old process died before this process had read the configuration. */
START_TEST(process_that_ended_early_is_folded_later)
{
    struct other other = other_start(8);
    tell(&other, peer_stats_add);
    other_count(&other, 10, 2);
    other_kill(&other);
    wait_gone(TAILQ_FIRST(&us.peer_stats.list));
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    ck_assert(TAILQ_EMPTY(&us.peer_stats.list));
    ck_assert_uint_eq(sessions(), 10);
    other_free(&other);
}
END_TEST

static void hear(const struct received *message, void *arg)
{
    struct generation *successor = arg;
    ck_assert_int_eq(message->type, MESSAGE_STATS);
    peer_stats_add(&successor->peer_stats, message);
}

static void lose(const char *wrong, void *arg)
{
    (void)wrong;
    (void)arg;
}

static unsigned peers(const struct generation *generation)
{
    unsigned count = 0;
    const struct peer *peer;
    TAILQ_FOREACH (peer, &generation->peer_stats.list, link)
        count++;
    return count;
}

/* The new process gets the same sum. From then on only the new process folds, and nothing counts
 * twice or is lost. */
START_TEST(a_successor_takes_the_folding_over)
{
    struct generation successor;
    int pair[2];
    make_generation(&successor, 10);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    const struct channel_events none = {.on_lost = lose},
                                heard = {.on_message = hear, .on_lost = lose, .arg = &successor};
    struct channel *ours = channel_open(pair[0], base, &none),
                   *its = channel_open(pair[1], base, &heard);
    struct other first = other_start(7), second = other_start(8);
    tell(&second, peer_stats_add);
    tell(&first, peer_stats_add);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    other_count(&first, 10, 1);
    other_count(&second, 200, 1);
    count_own(3000);
    other_kill(&first);
    while (peers(&us) > 1)
        event_base_loop(base, EVLOOP_ONCE);

    peer_stats_tell_successor(&us.peer_stats, ours);
    while (peers(&successor) < 2)
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_int_eq(peer_stats_begin(&successor.peer_stats, successor.proxy), 0);
    ck_assert_uint_eq(peer_stats_figures(&successor.peer_stats).sessions, 3210);
    ck_assert_uint_eq(peer_stats_live(&successor.peer_stats), 1);
    other_count(&second, 1, 0);
    other_kill(&second);
    wait_gone(TAILQ_FIRST(&us.peer_stats.list));
    while (peers(&successor) > 1)
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(sessions(), 3211);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 0);
    ck_assert_uint_eq(peer_stats_base(&us.peer_stats).sessions, 211);
    ck_assert_uint_eq(peer_stats_figures(&successor.peer_stats).sessions, 3211);
    ck_assert_uint_eq(peer_stats_base(&successor.peer_stats).sessions, 211);

    channel_close(ours);
    channel_close(its);
    free_generation(&successor);
    peer_stats_resume(&us.peer_stats);
    ck_assert(TAILQ_EMPTY(&us.peer_stats.list));
    ck_assert_uint_eq(sessions(), 3211);
    other_free(&first);
    other_free(&second);
}
END_TEST

/* What the new process counted is kept; what it folded is folded by this process too. */
START_TEST(failed_successor_still_counts)
{
    struct other successor = other_start(10);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    count_own(1);
    tell(&successor, peer_stats_add_successor);
    other_inherit(&successor, 1000);
    other_count(&successor, 20, 3);
    ck_assert_uint_eq(sessions(), 1);
    peer_stats_resume(&us.peer_stats);
    ck_assert_uint_eq(sessions(), 21);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 3);
    other_kill(&successor);
    while (!TAILQ_EMPTY(&us.peer_stats.list))
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(sessions(), 21);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 0);
    other_free(&successor);
}
END_TEST

/* A canary counts once, from its start on, also after it has gone back or died. */
START_TEST(a_canary_counts_beside_us)
{
    struct other successor = other_start(10);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    count_own(1);
    us.peer_stats.successor_folds = true;
    tell(&successor, peer_stats_add_successor);
    other_count(&successor, 20, 3);
    ck_assert_uint_eq(sessions(), 1);
    peer_stats_count_successor(&us.peer_stats);
    ck_assert_uint_eq(sessions(), 21);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 3);
    ck_assert_ptr_nonnull(peer_stats_find(&us.peer_stats, 10, successor.pid));
    if (_i == 1) {
        other_kill(&successor);
        wait_gone(TAILQ_FIRST(&us.peer_stats.list));
        ck_assert_uint_eq(sessions(), 21);
        ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 0);
    }
    peer_stats_resume(&us.peer_stats);
    ck_assert_uint_eq(sessions(), 21);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), _i == 1 ? 0 : 3);
    ck_assert_int_eq(TAILQ_EMPTY(&us.peer_stats.list), _i == 1);
    if (_i == 0)
        other_kill(&successor);
    while (!TAILQ_EMPTY(&us.peer_stats.list))
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(sessions(), 21);
    other_free(&successor);
}
END_TEST

/* A canary that has gone back is a child without a handover. A crash is noted, no matter if its end
 * is seen at once, by its pidfd, by SIGCHLD, or only when it goes back. A regular end is not noted.
 */
START_TEST(end_of_a_canary_that_has_gone_back_is_noted)
{
    bool early = _i == 2, in_order = _i == 3;
    struct other canary = other_start(10);
    ck_assert_int_eq(children_reserve(&us.children), 0);
    children_add(&us.children, canary.pid);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    us.peer_stats.successor_folds = true;
    tell(&canary, peer_stats_add_successor);
    other_count(&canary, 20, in_order ? 0 : 3);
    peer_stats_count_successor(&us.peer_stats);
    ck_assert_uint_eq(peer_stats_successor_live(&us.peer_stats), in_order ? 0 : 3);
    if (early) {
        kill(canary.pid, SIGABRT);
        wait_gone(TAILQ_FIRST(&us.peer_stats.list));
    }
    children_retire(&us.children, canary.pid);
    peer_stats_keep_canary(&us.peer_stats);
    ck_assert_uint_eq(us.last_crash.signal, early ? SIGABRT : 0);
    if (!early)
        kill(canary.pid, in_order ? SIGTERM : SIGABRT);
    while (!TAILQ_EMPTY(&us.peer_stats.list))
        if (_i == 0)
            peer_stats_on_child(&us.peer_stats);
        else
            event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(us.children.count, 0);
    ck_assert_uint_eq(us.last_crash.signal, in_order ? 0 : SIGABRT);
    ck_assert_uint_eq(us.last_crash.sessions, in_order ? 0 : 3);
    children_free(&us.children);
    other_free(&canary);
}
END_TEST

/* The end of the process is seen before the end of the channel. */
START_TEST(a_successor_that_died_counts_when_we_serve_again)
{
    struct other successor = other_start(10);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    tell(&successor, peer_stats_add_successor);
    other_count(&successor, 20, 3);
    other_kill(&successor);
    wait_gone(us.peer_stats.successor);
    peer_stats_resume(&us.peer_stats);
    ck_assert_uint_eq(sessions(), 20);
    ck_assert_uint_eq(peer_stats_live(&us.peer_stats), 0);
    ck_assert(TAILQ_EMPTY(&us.peer_stats.list));
    other_free(&successor);
}
END_TEST

static unsigned room(const struct limit *limit)
{
    return atomic_load(&limit->max);
}

START_TEST(limits_count_sessions_of_other_processes)
{
    const struct limit *web = us.proxy->service.frontends[0].places.limit,
                       *mail = us.proxy->service.frontends[1].places.limit;
    struct other other = other_start(8);
    tell(&other, peer_stats_add);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    other_count(&other, 0, 1);
    peer_stats_count(&us.peer_stats);
    ck_assert_uint_eq(room(us.proxy->service.places.limit),
                      8); /* the limit of the process has no room for more */
    ck_assert_uint_eq(room(web), 3);
    ck_assert_uint_eq(room(mail), LIMIT_NONE);
    other_count(&other, 0, 4);
    while (room(web) != 0)
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(room(us.proxy->service.places.limit), 5);
    other_kill(&other);
    while (room(web) != 4)
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(room(us.proxy->service.places.limit), 8);
    ck_assert(!event_pending(us.peer_stats.look, EV_TIMEOUT, NULL));
    other_free(&other);
}
END_TEST

static uint64_t lost_with(unsigned live)
{
    us.last_crash = (struct crash){0};
    struct other other = other_start(8);
    tell(&other, peer_stats_add);
    other_count(&other, 0, live);
    other_kill(&other);
    while (!TAILQ_EMPTY(&us.peer_stats.list))
        event_base_loop(base, EVLOOP_ONCE);
    if (us.last_crash.at)
        ck_assert_uint_eq(us.last_crash.pid, (uint32_t)other.pid);
    other_free(&other);
    return us.last_crash.sessions;
}

START_TEST(process_that_ends_with_sessions_has_crashed)
{
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    ck_assert_uint_eq(lost_with(3), 3);
    ck_assert_uint_eq(lost_with(0), 0);
    ck_assert_uint_eq(us.last_crash.at, 0);
}
END_TEST

/* A crash is noted by the process that folds: by this process only if its successor fails. */
START_TEST(a_crash_is_noted_once)
{
    struct other other = other_start(8);
    tell(&other, peer_stats_add);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    other_count(&other, 0, 3);
    us.peer_stats.successor_folds = true;
    other_kill(&other);
    wait_gone(TAILQ_FIRST(&us.peer_stats.list));
    ck_assert_uint_eq(us.last_crash.at, 0);
    peer_stats_resume(&us.peer_stats);
    ck_assert_uint_eq(us.last_crash.sessions, 3);
    other_free(&other);
}
END_TEST

/* A process that ends because of an error stores its number of sessions, and then closes them one
 * after the other. */
START_TEST(failing_process_stores_its_number_of_sessions)
{
    struct other other = other_start(8);
    tell(&other, peer_stats_add);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    other_count(&other, 0, 5);
    stats_set_lost(&other.stats);
    while (stats_live(&other.stats) > 0)
        limit_release(stats_sessions(&other.stats));
    other_kill(&other);
    while (!TAILQ_EMPTY(&us.peer_stats.list))
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(us.last_crash.sessions, 5);
    other_free(&other);
}
END_TEST

/* The handover reports the end, because it knows the exit status. */
START_TEST(end_of_a_successor_is_reported_by_the_handover)
{
    struct other successor = other_start(10);
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    ck_assert_uint_eq(peer_stats_successor_live(&us.peer_stats), 0);
    tell(&successor, peer_stats_add_successor);
    other_count(&successor, 0, 20);
    peer_stats_forget(&us.peer_stats);
    ck_assert_uint_eq(peer_stats_successor_live(&us.peer_stats), 20);
    peer_stats_resume(&us.peer_stats);
    other_kill(&successor);
    while (!TAILQ_EMPTY(&us.peer_stats.list))
        event_base_loop(base, EVLOOP_ONCE);
    ck_assert_uint_eq(us.last_crash.at, 0);
    other_free(&successor);
}
END_TEST

static bool is_due(const struct other *other)
{
    const struct peer *peer =
        peer_stats_find(&us.peer_stats, other->stats.as.generation, other->pid);
    ck_assert_ptr_nonnull(peer);
    return event_pending(peer->end, EV_TIMEOUT, NULL) != 0;
}

/* Three older processes have no session: one has a channel to this process, one is asked for its
 * end already, and one hung up while its channel was passed on. A fourth one has sessions. */
START_TEST(processes_that_hung_up_early_must_end)
{
    struct other others[4];
    int pair[2];
    for (unsigned i = 0; i < 4; i++) {
        others[i] = other_start(5 + i);
        others[i].stats.as.pid = (uint32_t)others[i].pid;
        tell(&others[i], peer_stats_add);
    }
    ck_assert_int_eq(peer_stats_begin(&us.peer_stats, us.proxy), 0);
    other_count(&others[3], 1, 1);
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    us.draining_processes.max = 4;
    draining_processes_add(
        &us.draining_processes, channel_open(pair[0], base, &(struct channel_events){0}),
        &(struct message_sessions){.generation = 5, .pid = (uint32_t)others[0].pid}, 0);
    peer_stats_expect_end(&us.peer_stats, 6, others[1].pid);
    ck_assert(!is_due(&others[2]));
    peer_stats_expect_ends(&us.peer_stats);
    ck_assert(!is_due(&others[0]));
    ck_assert(is_due(&others[1]));
    ck_assert(is_due(&others[2]));
    ck_assert(!is_due(&others[3]));
    draining_processes_free(&us.draining_processes);
    close(pair[1]);
    for (unsigned i = 0; i < 4; i++) {
        other_kill(&others[i]);
        other_free(&others[i]);
    }
}
END_TEST

START_TEST(other_files_are_refused)
{
    const struct message_stats about = {0};
    int fds[] = {open("/dev/null", O_RDONLY | O_CLOEXEC), -1};
    struct received message = {
        .type = MESSAGE_STATS, .payload = &about, .length = sizeof about, .fds = fds};
    peer_stats_add(&us.peer_stats, &message);
    message.fd_count = 1;
    peer_stats_add(&us.peer_stats, &message);
    ck_assert_int_eq(fds[0], -1);
    fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
    peer_stats_add_successor(&us.peer_stats, &message);
    ck_assert_int_eq(fds[0], -1);
    ck_assert(TAILQ_EMPTY(&us.peer_stats.list));
    ck_assert_ptr_null(us.peer_stats.successor);
}
END_TEST

Suite *peer_stats_suite(void)
{
    Suite *suite = suite_create("peer_stats");
    TCase *tcase = tcase_create("peer_stats");
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_set_timeout(tcase, 60);
    tcase_add_test(tcase, live_process_counts_at_once);
    tcase_add_test(tcase, processes_that_hung_up_early_must_end);
    tcase_add_test(tcase, sessions_at_servers_count);
    tcase_add_loop_test(tcase, killed_process_is_folded_once, 0, 2);
    tcase_add_test(tcase, process_that_ended_early_is_folded_later);
    tcase_add_test(tcase, a_successor_takes_the_folding_over);
    tcase_add_loop_test(tcase, a_canary_counts_beside_us, 0, 2);
    tcase_add_loop_test(tcase, end_of_a_canary_that_has_gone_back_is_noted, 0, 4);
    tcase_add_test(tcase, failed_successor_still_counts);
    tcase_add_test(tcase, a_successor_that_died_counts_when_we_serve_again);
    tcase_add_test(tcase, limits_count_sessions_of_other_processes);
    tcase_add_test(tcase, process_that_ends_with_sessions_has_crashed);
    tcase_add_test(tcase, a_crash_is_noted_once);
    tcase_add_test(tcase, failing_process_stores_its_number_of_sessions);
    tcase_add_test(tcase, end_of_a_successor_is_reported_by_the_handover);
    tcase_add_test(tcase, other_files_are_refused);
    suite_add_tcase(suite, tcase);
    return suite;
}
