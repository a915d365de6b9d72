/* The figures in the memory of another process, which may be of another build, or write nonsense.
 *
 * The memory is that of a process with the same configuration or with another one, as the first
 * byte of the input says, and with it whether that process ends. The second byte says how much of
 * the memory is missing. Each 8 bytes that follow are a place and a word that is written there: the
 * first half of them before the memory is opened, the others while it is in use. */
#include "config/base/log.h"
#include "config/load.h"
#include "proxy/core/sources.h"
#include "reload/handover/generation.h"

#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

#define GLOBAL "[global]\nmax-sources = 1000\nmax-sessions = 9\n"

static const char text[] = GLOBAL "[frontend web]\nbind = 127.0.0.1:1\nbackend = app\n"
                                  "max-sessions = 4\nmax-sessions-per-source = 5\n"
                                  "rate-per-source = 3/s\n"
                                  "[frontend mail]\nbind = 127.0.0.1:2\nbackend = mail\n"
                                  "[backend app]\nserver = a 127.0.0.1:3 maxconn=5\n"
                                  "max-queue = 7\nserver = b 127.0.0.1:4\n"
                                  "[backend mail]\nserver = c 127.0.0.1:5\nbalance = leastconn\n";
static const char other[] = GLOBAL "[frontend mail]\nbind = 127.0.0.1:2\nbackend = app\n"
                                   "max-rate = 9/s\n"
                                   "[backend app]\nserver = b 127.0.0.1:4 maxconn=5\n"
                                   "server = d 127.0.0.1:4\nserver = a 127.0.0.1:6\n";

static struct generation us = {.number = 9};
static struct config *configs[2];
static struct stats models[2];
static int ended; /* as the pidfd of a process that has ended */

static void must(bool so)
{
    if (!so)
        abort();
}

static void ignore(void *arg)
{
    (void)arg;
}

static struct config *load(const char *from, size_t length)
{
    struct config_errors errors;
    struct config *config = config_load_text("fuzz.ini", from, length, &errors);
    must(config != NULL);
    config_errors_free(&errors);
    return config;
}

/* What a process has counted. */
static void make_model(struct stats *stats, struct config *config, unsigned generation)
{
    const struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}};
    const struct source_limits limits = {.sessions = 3, .rate = {.count = 1, .period = 1000000}};
    struct source_key key;
    must(stats_open(stats, config, generation, 2) == 0);
    struct sources *sources = sources_open(stats_sources(stats), config->max_sources);
    must(sources && source_key_make(&key, (const struct sockaddr *)&client, 2));
    (void)sources_enter(sources, &key, &limits, 1);
    sources_close(sources);
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++) {
            const char *name = config->backends[i].servers[j].name;
            struct stats_server *record = stats_add_server(stats, config->backends[i].name, name);
            if (record)
                atomic_store(&record->claim, 2);
            (void)tally_add_server(&stats->tally, i, name);
        }
    counter_add(&stats_counters(stats, 0)->sessions, 5);
    counter_add(&tally_frontend(&stats->tally, 1, 0)[0], 7);
    counter_add(&tally_server(&stats->tally, 1, 1)[COUNTER_OF(server_figures, live)], 2);
    limit_force(stats_sessions(stats));
}

static void end(void)
{
    proxy_free(us.proxy);
    event_base_free(us.base);
    for (size_t i = 0; i < 2; i++) {
        stats_close(&models[i]);
        config_free(configs[i]);
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const struct proxy_events events = {.on_quiet = ignore, .on_empty = ignore};
    static const struct log_conf quiet = {.target = LOG_TO_FILE, .where = "/dev/null"};
    int pair[2];
    (void)argc;
    (void)argv;
    must(log_open(&quiet) == 0 && pipe2(pair, O_CLOEXEC) == 0 && close(pair[1]) == 0);
    ended = pair[0];
    configs[0] = load(text, sizeof text - 1);
    configs[1] = load(other, sizeof other - 1);
    make_model(&models[0], configs[0], 8);
    make_model(&models[1], configs[1], 10);
    us.config = configs[0];
    us.base = event_base_new();
    draining_processes_init(&us.draining_processes,
                            &(struct draining_processes_events){.on_gone = ignore});
    must(proxy_new(us.config, us.number, 1, 0, us.base, &events, &us.proxy) == 0 && us.proxy);
    return atexit(end);
}

static void use(struct peer_stats *peer_stats)
{
    const struct sockaddr_in client = {.sin_family = AF_INET, .sin_addr = {htonl(0x7f000001)}};
    const struct source_limits limits = {.sessions = 3, .rate = {.count = 1, .period = 1000000}};
    struct tally_sums sums;
    struct source_key key;
    peer_stats_count(peer_stats);
    peer_stats_observe(peer_stats, 1000);
    must(peer_stats_tally(peer_stats, &sums) == 0);
    tally_sums_close(&sums);
    (void)peer_stats_figures(peer_stats);
    (void)peer_stats_live(peer_stats);
    for (size_t i = 0; i < us.config->frontend_count; i++) {
        (void)peer_stats_refusals(peer_stats, i);
        (void)peer_stats_frontend_live(peer_stats, i);
    }
    const struct peer *peer;
    size_t length;
    TAILQ_FOREACH (peer, &peer_stats->list, link) {
        (void)stats_lost(&peer->stats);
        for (size_t i = 0; i < peer->stats.as.frontends; i++) {
            (void)stats_frontend_name(&peer->stats, i, &length);
            must(length <= STATS_NAME_MAX);
            (void)stats_oldest(&peer->stats, i);
        }
        (void)stats_oldest(&peer->stats, peer->stats.as.frontends);
    }
    must(source_key_make(&key, (const struct sockaddr *)&client, 2));
    if (sources_enter(us.proxy->service.sources, &key, &limits, 1) == SOURCE_COMES_IN)
        sources_leave(us.proxy->service.sources, &key);
}

/* Writes words into the memory; what would lie behind its end is left out. */
static void write_words(int fd, size_t size, const unsigned char *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t word[2];
        memcpy(word, words + 8 * i, sizeof word);
        if (size >= 4)
            must(pwrite(fd, &word[1], 4, (off_t)(word[0] % (size - 3) & ~3u)) == 4);
    }
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    if (length < 2)
        return 0;
    const struct stats *model = &models[bytes[0] & 1];
    const size_t count = (length - 2) / 8, half = count / 2;
    const size_t size = model->size - model->size / 256 * bytes[1];
    const struct peer_stats_means means = {.base = us.base,
                                           .children = &us.children,
                                           .last_crash = &us.last_crash,
                                           .draining_processes = &us.draining_processes,
                                           .predecessor = &us.predecessor};
    int fd = memfd_create("stats", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    must(fd >= 0 && write(fd, model->memory, size) == (ssize_t)size);
    write_words(fd, size, bytes + 2, half);
    must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK) == 0);
    must(peer_stats_open(&us.peer_stats, &means) == 0);
    must(peer_stats_begin(&us.peer_stats, us.proxy) == 0);
    int fds[] = {dup(fd), dup(ended)};
    const struct message_stats about = {.base_is_ours = bytes[0] >> 1 & 1};
    const struct received message = {.type = MESSAGE_STATS,
                                     .payload = &about,
                                     .length = sizeof about,
                                     .fds = fds,
                                     .fd_count = bytes[0] & 4 ? 2 : 1};
    peer_stats_add(&us.peer_stats, &message);
    use(&us.peer_stats);
    write_words(fd, size, bytes + 2 + 8 * half, count - half);
    use(&us.peer_stats);
    event_base_loop(us.base, EVLOOP_NONBLOCK);
    use(&us.peer_stats);
    peer_stats_close(&us.peer_stats);
    us.peer_stats = (struct peer_stats){.proxy = NULL};
    proxy_set_peers(us.proxy, NULL, 0);
    task_queue_run(&us.proxy->workers[0].sessions.loop.tasks);
    event_base_loop(us.base, EVLOOP_NONBLOCK);
    for (size_t i = 0; i < 2; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    close(fd);
    return 0;
}
