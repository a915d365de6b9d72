#include "proxy/stats/shared_stats.h"

#include "config/base/clock.h"
#include "proxy/core/sources.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xxhash.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3; vm.memfd_noexec may demand it */
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10 /* Linux 5.1 */
#endif

/* Upper bounds for stats of other processes: no record is longer than RECORD_MAX, so that no
 * product of a size and a count overflows; no memory is larger than STATS_MAX, so that reading it
 * takes a bounded time. */
#define RECORD_MAX (1u << 20)
#define STATS_MAX  ((uint64_t)1 << 30)
/* The part of a head that all builds of this version have. */
#define HEAD_MIN offsetof(struct stats_head, base)

_Static_assert(sizeof(atomic_uint_fast64_t) == 8 && sizeof(struct counters) == COUNTERS * 8,
               "counters are read as an array");
_Static_assert(sizeof(struct figures) == COUNTERS * sizeof(uint64_t),
               "figures has the members of counters, in the same order");
_Static_assert(offsetof(struct stats_head, base) == 128, "other builds read it at this offset");
_Static_assert(offsetof(struct limit, used) == 0, "other builds read it at this offset");
_Static_assert(offsetof(struct stats_worker, oldest) == 128, "other builds read it at this offset");
_Static_assert(COUNTERS <= STATS_NOWHERE,
               "counters and bytes of no server have places of their own");

static struct stats_head *head_of(const struct stats *stats)
{
    return (struct stats_head *)stats->memory;
}

static void *worker_at(const struct stats *stats, size_t worker)
{
    return stats->memory + stats->as.head_size + worker * stats->as.worker_size;
}

static atomic_uint_fast64_t *oldest_at(const struct stats *stats, size_t worker)
{
    return (void *)((unsigned char *)worker_at(stats, worker) +
                    offsetof(struct stats_worker, oldest));
}

/* Returns the size of a worker's record: a multiple of a cache line. */
static size_t worker_size(size_t frontends)
{
    size_t size =
        offsetof(struct stats_worker, oldest) + (frontends + 1) * sizeof(atomic_uint_fast64_t);
    return (size + 63) & ~(size_t)63;
}

static struct stats_frontend *frontend_at(const struct stats *stats, size_t frontend)
{
    return (struct stats_frontend *)(stats->memory + stats->as.head_size +
                                     (size_t)stats->as.workers * stats->as.worker_size +
                                     frontend * stats->as.frontend_size);
}

/* Servers begin a cache line: head, workers and frontends of this build are multiples of one. */
struct stats_server *stats_server(const struct stats *stats, size_t index)
{
    return (struct stats_server *)(stats->memory + stats->as.head_size +
                                   (size_t)stats->as.workers * stats->as.worker_size +
                                   (size_t)stats->as.frontends * stats->as.frontend_size +
                                   index * stats->as.server_size);
}

static uint64_t size_of_records(const struct stats_head *head)
{
    return head->head_size + (uint64_t)head->workers * head->worker_size +
           (uint64_t)head->frontends * head->frontend_size +
           (uint64_t)head->servers * head->server_size;
}

static uint64_t size_without_tally(const struct stats_head *head)
{
    return head->sources_size ? head->sources_offset + head->sources_size : size_of_records(head);
}

/* The end of the part that stands last: another process may name its parts in another order. */
static uint64_t size_of(const struct stats_head *head)
{
    uint64_t others = size_without_tally(head), tally = head->tally_offset + head->tally_size;
    return head->tally_size && tally > others ? tally : others;
}

static bool needs_sources(const struct config *config)
{
    for (size_t i = 0; i < config->frontend_count; i++)
        if (frontend_counts_sources(&config->frontends[i]) || config->frontends[i].max_rate.count)
            return true;
    return false;
}

static int make_memory(struct stats *stats)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    stats->fd = memfd_create("rpproxy-stats", flags | MFD_NOEXEC_SEAL);
    if (stats->fd < 0 && errno == EINVAL)
        stats->fd = memfd_create("rpproxy-stats", flags);
    if (stats->fd < 0)
        return errno;
    /* Allocate all pages now: a page that cannot be allocated later would cause SIGBUS. */
    int error = posix_fallocate(stats->fd, 0, (off_t)stats->size);
    if (error)
        return error;
    void *memory = mmap(NULL, stats->size, PROT_READ | PROT_WRITE, MAP_SHARED, stats->fd, 0);
    if (memory == MAP_FAILED)
        return errno;
    stats->memory = memory;
    (void)fcntl(stats->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE); /* the mapping above stays writable */
    return fcntl(stats->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ? errno : 0;
}

static uint32_t count_servers(const struct config *config)
{
    size_t count = 0;
    for (size_t i = 0; i < config->backend_count; i++)
        if (backend_is_limited(&config->backends[i]))
            count += backend_most_servers(&config->backends[i]);
    return (uint32_t)count;
}

int stats_open(struct stats *stats, const struct config *config, unsigned generation,
               unsigned workers)
{
    *stats = (struct stats){.fd = -1};
    stats->as = (struct stats_head){.magic = STATS_MAGIC,
                                    .version = STATS_VERSION,
                                    .head_size = sizeof(struct stats_head),
                                    .worker_size = (uint32_t)worker_size(config->frontend_count),
                                    .frontend_size = sizeof(struct stats_frontend),
                                    .counters = COUNTERS,
                                    .workers = workers,
                                    .frontends = (uint32_t)config->frontend_count,
                                    .generation = generation,
                                    .pid = (uint32_t)getpid(),
                                    .started_at = clock_ms(),
                                    .server_size = sizeof(struct stats_server),
                                    .servers = count_servers(config)};
    stats->as.sources_offset = (size_of_records(&stats->as) + 63) & ~UINT64_C(63);
    stats->as.sources_size = needs_sources(config) ? sources_size(config->max_sources) : 0;
    stats->as.tally_offset = (size_without_tally(&stats->as) + 63) & ~UINT64_C(63);
    stats->as.tally_size = tally_size(config, workers);
    stats->size = (size_t)size_of(&stats->as);
    int error = make_memory(stats);
    if (error) {
        stats_close(stats);
        return error;
    }
    memcpy(stats->memory, &stats->as, offsetof(struct stats_head, sessions));
    head_of(stats)->sources_offset = stats->as.sources_offset;
    head_of(stats)->sources_size = stats->as.sources_size;
    head_of(stats)->tally_offset = stats->as.tally_offset;
    head_of(stats)->tally_size = stats->as.tally_size;
    tally_make(&stats->tally, stats->memory + stats->as.tally_offset, config, workers);
    atomic_store(&head_of(stats)->sessions.max, LIMIT_NONE);
    for (size_t i = 0; i < config->frontend_count; i++) {
        struct stats_frontend *frontend = frontend_at(stats, i);
        atomic_store(&frontend->sessions.max, LIMIT_NONE);
        snprintf(frontend->name, sizeof frontend->name, "%s", config->frontends[i].name);
    }
    return 0;
}

static bool record_fits(uint32_t size, size_t least)
{
    return size >= least && size <= RECORD_MAX && size % sizeof(uint64_t) == 0;
}

/* Records of frontends and servers begin a cache line, as their types say. */
static bool records_lie_well(const struct stats_head *head)
{
    uint64_t frontends_at = head->head_size + (uint64_t)head->workers * head->worker_size;
    uint64_t servers_at = frontends_at + (uint64_t)head->frontends * head->frontend_size;
    return (head->frontends == 0 || (frontends_at | head->frontend_size) % 64 == 0) &&
           (head->servers == 0 || (servers_at | head->server_size) % 64 == 0);
}

static const char *examine(int fd, struct stats_head *head)
{
    struct stat stat;
    int seals = fcntl(fd, F_GET_SEALS);
    if (seals < 0)
        return "not a memfd";
    if (!(seals & F_SEAL_SHRINK))
        return "not sealed against shrinking";
    ssize_t got = pread(fd, head, HEAD_MIN, 0);
    if (got < 0 || fstat(fd, &stat))
        return "cannot be read";
    if ((size_t)got < HEAD_MIN)
        return "too short";
    if (head->magic != STATS_MAGIC)
        return "of another kind";
    if (head->version != STATS_VERSION)
        return "of another version";
    size_t counters = head->counters * sizeof(uint64_t);
    if (head->counters == 0 || !record_fits(head->head_size, HEAD_MIN + counters) ||
        !record_fits(head->worker_size, counters) ||
        !record_fits(head->frontend_size, offsetof(struct stats_frontend, name) + STATS_NAME_MAX))
        return "with records of impossible sizes";
    if (head->servers > 0 && !record_fits(head->server_size, sizeof(struct stats_server)))
        return "with records of impossible sizes";
    if (!records_lie_well(head))
        return "with records of impossible sizes";
    if (head->sources_size && (head->sources_size > STATS_MAX || head->sources_offset > STATS_MAX ||
                               head->sources_offset < size_of_records(head)))
        return "with a table of sources at an impossible place";
    if (head->tally_size && (head->tally_size > STATS_MAX || head->tally_offset > STATS_MAX ||
                             head->tally_offset % 64 || head->tally_offset < size_of_records(head)))
        return "with a tally at an impossible place";
    if (stat.st_size < 0 || size_of(head) > (uint64_t)stat.st_size)
        return "shorter than its records";
    if (size_of(head) > STATS_MAX)
        return "too large";
    return NULL;
}

const char *stats_read(struct stats *stats, int fd)
{
    *stats = (struct stats){.fd = fd};
    const char *wrong = examine(fd, &stats->as);
    if (!wrong) {
        stats->size = (size_t)size_of(&stats->as);
        void *memory = mmap(NULL, stats->size, PROT_READ, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
            wrong = "cannot be mapped";
        else
            stats->memory = memory;
    }
    if (wrong)
        stats_close(stats);
    else if (stats->as.tally_size)
        (void)tally_view(&stats->tally, stats->memory + stats->as.tally_offset,
                         (size_t)stats->as.tally_size);
    return wrong;
}

void stats_close(struct stats *stats)
{
    if (stats->memory)
        munmap(stats->memory, stats->size);
    if (stats->fd >= 0)
        close(stats->fd);
    *stats = (struct stats){.fd = -1};
}

struct counters *stats_counters(struct stats *stats, unsigned worker)
{
    return worker_at(stats, worker);
}

uint32_t stats_place(struct stats *stats, unsigned worker, const atomic_uint_fast64_t *counter)
{
    const atomic_uint_fast64_t *from = worker_at(stats, worker);
    return (uint32_t)(counter - from);
}

atomic_uint_fast64_t *stats_worker_oldest(struct stats *stats, unsigned worker)
{
    return oldest_at(stats, worker);
}

struct limit *stats_sessions(struct stats *stats)
{
    return &head_of(stats)->sessions;
}

struct limit *stats_frontend_sessions(struct stats *stats, size_t frontend)
{
    return &frontend_at(stats, frontend)->sessions;
}

static void make_key(const char *backend, const char *server, uint64_t key[static 2])
{
    XXH128_hash_t hash =
        XXH3_128bits_withSeed(server, strlen(server), XXH3_64bits(backend, strlen(backend)));
    key[0] = hash.low64;
    key[1] = hash.high64;
}

static bool is_free(const struct stats_server *server)
{
    return server->key[0] == 0 && server->key[1] == 0;
}

struct stats_server *stats_add_server(struct stats *stats, const char *backend, const char *server)
{
    for (size_t i = 0; i < stats->as.servers; i++) {
        struct stats_server *record = stats_server(stats, i);
        if (!is_free(record))
            continue;
        make_key(backend, server, record->key);
        atomic_store(&record->maxconn, LIMIT_NONE);
        atomic_store(&record->sessions.max, LIMIT_NONE);
        return record;
    }
    return NULL;
}

void stats_set_role(struct stats *stats, enum stats_role role)
{
    for (size_t i = 0; i < stats->as.servers; i++)
        atomic_store(&stats_server(stats, i)->role, role);
}

static bool has_key(const struct stats *stats, size_t index, const uint64_t key[static 2])
{
    const struct stats_server *record = stats_server(stats, index);
    return record->key[0] == key[0] && record->key[1] == key[1];
}

const struct stats_server *stats_find_server(const struct stats *stats,
                                             const uint64_t key[static 2], size_t guess)
{
    if (guess < stats->as.servers && has_key(stats, guess, key))
        return stats_server(stats, guess);
    for (size_t i = 0; i < stats->as.servers; i++)
        if (has_key(stats, i, key))
            return stats_server(stats, i);
    return NULL;
}

struct stats_frontend *stats_frontend(const struct stats *stats, size_t frontend)
{
    return frontend_at(stats, frontend);
}

void stats_count_refusal(struct stats_frontend *frontend, enum refusal why)
{
    atomic_fetch_add_explicit(&frontend->refused[why], 1, memory_order_relaxed);
}

void stats_inherit_refusals(struct stats *stats, size_t frontend, const struct refusals *refusals)
{
    for (size_t i = 0; i < REFUSALS; i++)
        counter_add(&frontend_at(stats, frontend)->refused_before[i], refusals->by[i]);
}

void *stats_sources(struct stats *stats)
{
    return stats->as.sources_size ? stats->memory + stats->as.sources_offset : NULL;
}

void stats_set_lost(struct stats *stats)
{
    atomic_store(&head_of(stats)->lost, stats_live(stats));
}

void stats_inherit(struct stats *stats, const struct figures *figures)
{
    atomic_uint_fast64_t *counters = &head_of(stats)->base.sessions;
    uint64_t amounts[COUNTERS];
    memcpy(amounts, figures, sizeof amounts);
    for (size_t i = 0; i < COUNTERS; i++)
        counter_add(&counters[i], amounts[i]);
}

/* Counters that only the other build has are ignored. */
static void add(struct figures *sum, const struct stats *stats, const void *record)
{
    const atomic_uint_fast64_t *counters = record;
    uint64_t amounts[COUNTERS];
    memcpy(amounts, sum, sizeof amounts);
    for (size_t i = 0; i < COUNTERS && i < stats->as.counters; i++)
        amounts[i] += atomic_load_explicit(&counters[i], memory_order_relaxed);
    memcpy(sum, amounts, sizeof amounts);
}

void stats_add_workers(const struct stats *stats, struct figures *sum)
{
    for (size_t i = 0; i < stats->as.workers; i++)
        add(sum, stats, worker_at(stats, i));
}

void stats_add_base(const struct stats *stats, struct figures *sum)
{
    add(sum, stats, &head_of(stats)->base);
}

unsigned stats_live(const struct stats *stats)
{
    return atomic_load(&head_of(stats)->sessions.used);
}

unsigned stats_frontend_live(const struct stats *stats, size_t frontend)
{
    return atomic_load(&frontend_at(stats, frontend)->sessions.used);
}

void stats_add_refusals(const struct stats *stats, size_t frontend, bool before,
                        struct refusals *sum)
{
    if (stats->as.frontend_size < sizeof(struct stats_frontend))
        return;
    const struct stats_frontend *record = frontend_at(stats, frontend);
    for (size_t i = 0; i < REFUSALS; i++)
        sum->by[i] += atomic_load_explicit(
            before ? &record->refused_before[i] : &record->refused[i], memory_order_relaxed);
}

uint64_t stats_oldest(const struct stats *stats, size_t frontend)
{
    uint64_t oldest = 0;
    if (stats->as.worker_size < worker_size(stats->as.frontends))
        return 0;
    for (size_t i = 0; i < stats->as.workers; i++) {
        uint64_t began = atomic_load_explicit(&oldest_at(stats, i)[frontend], memory_order_relaxed);
        if (began && (oldest == 0 || began < oldest))
            oldest = began;
    }
    return oldest;
}

unsigned stats_lost(const struct stats *stats)
{
    unsigned live = stats_live(stats), lost = atomic_load(&head_of(stats)->lost);
    return lost > live ? lost : live;
}

const char *stats_frontend_name(const struct stats *stats, size_t frontend, size_t *length)
{
    const char *name = frontend_at(stats, frontend)->name;
    *length = strnlen(name, STATS_NAME_MAX);
    return name;
}

static bool is_named(const struct stats *stats, size_t frontend, const char *name)
{
    size_t length;
    const char *found = stats_frontend_name(stats, frontend, &length);
    return strlen(name) == length && memcmp(found, name, length) == 0;
}

size_t stats_find_frontend(const struct stats *stats, const char *name, size_t guess)
{
    if (guess < stats->as.frontends && is_named(stats, guess, name))
        return guess;
    for (size_t i = 0; i < stats->as.frontends; i++)
        if (is_named(stats, i, name))
            return i;
    return STATS_NO_FRONTEND;
}
