/* The load generator of the benchmarks. Prints one line of JSON about a run. The mode hold prints
 * another line before, when all its sessions are open, and goes on when its standard input ends.
 *
 *   bench-load MODE PORT [--sessions N] [--rate N] [--count N] [--seconds S] [--warmup S]
 *              [--timeout S] [--hello 0|1] [--tls 0|1|2] [--server-closes 0|1]
 *              [--cpu-of PID,PID...]
 *
 * MODE: churn, rtt, hold, download, upload, strangers; against 127.0.0.1:PORT. --tls: 1 with a full
 * handshake for each session, 2 resumed. --server-closes: in churn the origin closes each
 * connection first, after its answer. --cpu-of adds the CPU time of all threads of these processes
 * within the measured time. Exits with 0 also if operations failed: the JSON has their numbers. */
#include "scripts/bench/load.h"

#include <arpa/inet.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

static const char *const mode_names[] = {"churn", "rtt", "hold", "download", "upload", "strangers"};
static const char *const failure_names[FAILED_KINDS] = {"refused", "reset",   "cut_short",
                                                        "wrong",   "timeout", "other"};

static uint64_t nanoseconds(clockid_t clock)
{
    struct timespec time;
    if (clock_gettime(clock, &time) != 0) {
        return 0;
    }
    return (uint64_t)time.tv_sec * SECOND_NS + (uint64_t)time.tv_nsec;
}

/* The kernel's sum for a process: all threads, including those that have ended. */
static uint64_t cpu_of(const char *pids)
{
    uint64_t sum = 0;
    for (const char *at = pids; at && *at;) {
        char *end;
        long pid = strtol(at, &end, 10);
        clockid_t clock;
        if (end == at || clock_getcpuclockid((pid_t)pid, &clock) != 0) {
            fprintf(stderr, "bench-load: no CPU clock of \"%s\"\n", at);
            exit(1);
        }
        sum += nanoseconds(clock);
        at = *end == ',' ? end + 1 : end;
    }
    return sum;
}

static void move_window(struct run *run)
{
    const struct options *options = &run->options;
    if (!run->in_window && run->opened_at == 0 && run->now >= run->window_begin) {
        run->in_window = true;
        run->opened_at = run->now;
        run->cpu_at_open = cpu_of(options->cpu_of);
    }
    bool over = run->stopping || (options->count ? run->all_finished >= options->count
                                                 : run->now >= run->window_end);
    if (run->in_window && over) {
        run->in_window = false;
        run->stopping = true;
        run->closed_at = run->now;
        run->cpu_at_close = cpu_of(options->cpu_of);
    }
}

static void sweep(struct run *run)
{
    for (size_t i = 0; i < run->options.sessions; i++) {
        struct session *session = &run->sessions[i];
        if (session->busy && run->now - session->seen > run->options.timeout) {
            session_fail(run, session, FAILED_TIMEOUT);
        }
    }
}

static struct timespec until_next(const struct run *run, uint64_t sweep_at)
{
    uint64_t at = sweep_at;
    if (run->in_window && !run->options.count && run->window_end < at) {
        at = run->window_end;
    }
    if (run->opened_at == 0 && run->window_begin < at) {
        at = run->window_begin;
    }
    if (run->options.rate && !run->stopping && run->closed_count > 0) {
        uint64_t due = run->launch_from + run->launched * SECOND_NS / run->options.rate;
        at = due < at ? due : at;
    }
    uint64_t wait = at > run->now ? at - run->now : 0;
    if (!run->options.rate && run->options.mode != MODE_HOLD && run->closed_count > 0 &&
        !run->stopping) {
        /* Sessions wait to be opened again; without sessions in flight no event would end the wait.
         */
        wait = 0;
    }
    return (struct timespec){.tv_sec = (time_t)(wait / SECOND_NS),
                             .tv_nsec = (long)(wait % SECOND_NS)};
}

static void release(struct run *run)
{
    char byte;
    if (read(STDIN_FILENO, &byte, 1) == 0) {
        epoll_ctl(run->epoll, EPOLL_CTL_DEL, STDIN_FILENO, NULL);
        run->released = true;
        run->hold_next = 0;
    }
}

static void go(struct run *run)
{
    bool bulk = run->options.mode == MODE_DOWNLOAD || run->options.mode == MODE_UPLOAD;
    struct epoll_event events[256];
    run->now = nanoseconds(CLOCK_MONOTONIC);
    run->launch_from = run->now;
    run->window_begin = run->now + run->options.warmup;
    run->window_end = run->window_begin + run->options.measured;
    uint64_t sweep_at = run->now + SECOND_NS / 2;
    for (;;) {
        move_window(run);
        if (run->stopping && (bulk || run->busy_count == 0)) {
            return;
        }
        if (run->now >= sweep_at) {
            sweep(run);
            sweep_at = run->now + SECOND_NS / 2;
        }
        if (bulk) {
            bulk_turn(run);
        } else {
            exchange_turn(run);
        }
        if (run->stopping && run->busy_count == 0) {
            continue;
        }
        struct timespec wait = until_next(run, sweep_at);
        int count = epoll_pwait2(run->epoll, events, 256, &wait, NULL);
        run->now = nanoseconds(CLOCK_MONOTONIC);
        move_window(run);
        for (int i = 0; i < count; i++) {
            struct session *session = events[i].data.ptr;
            if (!session) {
                release(run);
            } else if (bulk) {
                bulk_event(run, session, events[i].events);
            } else {
                exchange_event(run, session, events[i].events);
            }
        }
    }
}

static double seconds(uint64_t ns)
{
    return (double)ns / (double)SECOND_NS;
}

static void print(const struct run *run)
{
    printf("{\"mode\": \"%s\", \"operations\": %" PRIu64 ", \"bytes\": %" PRIu64
           ", \"finished\": %" PRIu64 ", \"seconds\": %.6f, \"proxy_cpu\": %.6f, \"errors\": {",
           mode_names[run->options.mode], run->operations, run->bytes, run->all_finished,
           seconds(run->closed_at - run->opened_at), seconds(run->cpu_at_close - run->cpu_at_open));
    for (size_t i = 0; i < FAILED_KINDS; i++) {
        printf("%s\"%s\": %" PRIu64, i ? ", " : "", failure_names[i], run->failures[i]);
    }
    printf("}, \"latency_us\": {");
    static const struct {
        const char *name;
        double share;
    } points[] = {{"p50", .5}, {"p90", .9}, {"p99", .99}, {"p999", .999}, {"max", 1}};
    for (size_t i = 0; i < sizeof points / sizeof *points; i++) {
        uint64_t at = histogram_percentile(&run->latencies, points[i].share);
        printf("%s\"%s\": %.1f", i ? ", " : "", points[i].name, (double)at / 1e3);
    }
    printf(", \"sd\": %.1f}}\n", histogram_deviation(&run->latencies) / 1e3);
}

static void usage(void)
{
    fprintf(stderr, "usage: bench-load churn|rtt|hold|download|upload|strangers PORT\n"
                    "       [--sessions N] [--rate N] [--count N] [--hello 0|1] [--tls 0|1|2]\n"
                    "       [--seconds S] [--warmup S] [--timeout S] [--server-closes 0|1]\n"
                    "       [--cpu-of PID,PID...]\n");
    exit(1);
}

static double number(const char *text, double least, double most)
{
    char *end;
    double value = strtod(text, &end);
    if (end == text || *end || !(value >= least && value <= most)) {
        fprintf(stderr, "bench-load: \"%s\" is not a number from %g to %g\n", text, least, most);
        usage();
    }
    return value;
}

static struct options options_of(int argc, char **argv)
{
    struct options options = {.sessions = 1, .measured = SECOND_NS, .timeout = 10 * SECOND_NS};
    static const struct option longs[] = {{"sessions", required_argument, NULL, 's'},
                                          {"rate", required_argument, NULL, 'r'},
                                          {"count", required_argument, NULL, 'n'},
                                          {"seconds", required_argument, NULL, 't'},
                                          {"warmup", required_argument, NULL, 'w'},
                                          {"timeout", required_argument, NULL, 'o'},
                                          {"hello", required_argument, NULL, 'h'},
                                          {"tls", required_argument, NULL, 'l'},
                                          {"cpu-of", required_argument, NULL, 'c'},
                                          {"server-closes", required_argument, NULL, 'f'},
                                          {NULL, 0, NULL, 0}};
    int option;
    while ((option = getopt_long(argc, argv, "", longs, NULL)) != -1) {
        switch (option) {
        case 's':
            options.sessions = (size_t)number(optarg, 1, 1e6);
            break;
        case 'r':
            options.rate = (uint64_t)number(optarg, 1, 1e6);
            break;
        case 'n':
            options.count = (uint64_t)number(optarg, 1, 1e12);
            break;
        case 't':
            options.measured = (uint64_t)(number(optarg, .01, 86400) * 1e9);
            break;
        case 'w':
            options.warmup = (uint64_t)(number(optarg, 0, 86400) * 1e9);
            break;
        case 'o':
            options.timeout = (uint64_t)(number(optarg, .1, 86400) * 1e9);
            break;
        case 'h':
            options.hello = number(optarg, 0, 1) > 0;
            break;
        case 'f':
            options.server_closes = number(optarg, 0, 1) > 0;
            break;
        case 'l':
            options.secure = (enum secure)number(optarg, SECURE_NO, SECURE_RESUMED);
            break;
        case 'c':
            options.cpu_of = optarg;
            break;
        default:
            usage();
        }
    }
    if (argc - optind != 2) {
        usage();
    }
    if (options.count) {
        options.warmup = 0;
    }
    size_t mode = 0;
    size_t modes = sizeof mode_names / sizeof *mode_names;
    while (mode < modes && strcmp(argv[optind], mode_names[mode]) != 0) {
        mode++;
    }
    if (mode == modes) {
        usage();
    }
    options.mode = (enum mode)mode;
    options.to =
        (struct sockaddr_in){.sin_family = AF_INET,
                             .sin_port = htons((uint16_t)number(argv[optind + 1], 1, 65535)),
                             .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    return options;
}

/* Raises the limit of descriptors as far as possible; returns false if that is too low for the
 * sessions. */
static bool raise_limit(size_t sessions)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return false;
    }
    limit.rlim_cur = limit.rlim_max;
    return setrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur >= sessions + 16;
}

int main(int argc, char **argv)
{
    static struct run run;
    run.options = options_of(argc, argv);
    size_t sessions = run.options.sessions;
    if (!raise_limit(sessions)) {
        fprintf(stderr, "bench-load: the limit on descriptors is too low for %zu sessions\n",
                sessions);
        return 1;
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    pattern_init();
    if (run.options.secure && !secure_init(run.options.secure)) {
        fprintf(stderr, "bench-load: OpenSSL fails\n");
        return 1;
    }
    run.epoll = epoll_create1(EPOLL_CLOEXEC);
    run.sessions = calloc(sessions, sizeof *run.sessions);
    run.closed = calloc(sessions, sizeof *run.closed);
    if (run.epoll < 0 || !run.sessions || !run.closed) {
        perror("bench-load");
        return 1;
    }
    for (size_t i = sessions; i-- > 0;) {
        run.sessions[i].fd = -1;
        run.closed[run.closed_count++] = &run.sessions[i];
    }
    if (run.options.mode == MODE_HOLD) {
        struct epoll_event event = {.events = EPOLLIN};
        if (epoll_ctl(run.epoll, EPOLL_CTL_ADD, STDIN_FILENO, &event) != 0) {
            fprintf(stderr, "bench-load: hold needs a pipe as standard input: %s\n",
                    strerror(errno));
            return 1;
        }
        run.options.measured = 86400 * SECOND_NS;
    }
    go(&run);
    print(&run);
    return 0;
}
