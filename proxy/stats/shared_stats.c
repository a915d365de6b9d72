#include "proxy/stats/shared_stats.h"

#include "config/base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3; vm.memfd_noexec may demand it */
#endif
#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10 /* Linux 5.1 */
#endif

/* No record is longer, so that no product of sizes and counts overflows; and no ledger is larger,
 * so that reading one comes to an end. */
#define RECORD_MAX (1u << 20)
#define LEDGER_MAX ((uint64_t)1 << 30)
/* What every build of this version has of a head. */
#define HEAD_MIN offsetof(struct ledger_head, base)

_Static_assert(sizeof(atomic_uint_fast64_t) == 8 && sizeof(struct counters) == COUNTERS * 8,
               "counters are read as an array");
_Static_assert(sizeof(struct figures) == COUNTERS * sizeof(uint64_t),
               "figures are counters' sums, in the same order");
_Static_assert(offsetof(struct ledger_head, base) == 128, "where other builds look for it");
_Static_assert(offsetof(struct limit, used) == 0, "where readers of other builds look for it");
_Static_assert(offsetof(struct ledger_worker, oldest) == 128, "where other builds look for it");

static struct ledger_head *head_of(const struct ledger *ledger)
{
    return (struct ledger_head *)ledger->memory;
}

static void *worker_at(const struct ledger *ledger, size_t worker)
{
    return ledger->memory + ledger->as.head_size + worker * ledger->as.worker_size;
}

static atomic_uint_fast64_t *oldest_at(const struct ledger *ledger, size_t worker)
{
    return (void *)((unsigned char *)worker_at(ledger, worker) +
                    offsetof(struct ledger_worker, oldest));
}

/* Of a worker's record: whole cache lines. */
static size_t worker_size(size_t frontends)
{
    size_t size =
        offsetof(struct ledger_worker, oldest) + (frontends + 1) * sizeof(atomic_uint_fast64_t);
    return (size + 63) & ~(size_t)63;
}

static struct ledger_frontend *frontend_at(const struct ledger *ledger, size_t frontend)
{
    return (struct ledger_frontend *)(ledger->memory + ledger->as.head_size +
                                      (size_t)ledger->as.workers * ledger->as.worker_size +
                                      frontend * ledger->as.frontend_size);
}

static uint64_t size_of(const struct ledger_head *head)
{
    return head->head_size + (uint64_t)head->workers * head->worker_size +
           (uint64_t)head->frontends * head->frontend_size;
}

static int make_memory(struct ledger *ledger)
{
    const unsigned flags = MFD_CLOEXEC | MFD_ALLOW_SEALING;
    ledger->fd = memfd_create("rpproxy-ledger", flags | MFD_NOEXEC_SEAL);
    if (ledger->fd < 0 && errno == EINVAL)
        ledger->fd = memfd_create("rpproxy-ledger", flags);
    if (ledger->fd < 0)
        return errno;
    /* All of it now: a page that is not to be had later would be a SIGBUS. */
    int error = posix_fallocate(ledger->fd, 0, (off_t)ledger->size);
    if (error)
        return error;
    void *memory = mmap(NULL, ledger->size, PROT_READ | PROT_WRITE, MAP_SHARED, ledger->fd, 0);
    if (memory == MAP_FAILED)
        return errno;
    ledger->memory = memory;
    (void)fcntl(ledger->fd, F_ADD_SEALS, F_SEAL_FUTURE_WRITE); /* ours is there already */
    return fcntl(ledger->fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ? errno : 0;
}

int ledger_open(struct ledger *ledger, const struct config *config, unsigned generation,
                unsigned workers)
{
    *ledger = (struct ledger){.fd = -1};
    ledger->as = (struct ledger_head){.magic = LEDGER_MAGIC,
                                      .version = LEDGER_VERSION,
                                      .head_size = sizeof(struct ledger_head),
                                      .worker_size = (uint32_t)worker_size(config->frontend_count),
                                      .frontend_size = sizeof(struct ledger_frontend),
                                      .counters = COUNTERS,
                                      .workers = workers,
                                      .frontends = (uint32_t)config->frontend_count,
                                      .generation = generation,
                                      .pid = (uint32_t)getpid(),
                                      .started_at = clock_ms()};
    ledger->size = (size_t)size_of(&ledger->as);
    int error = make_memory(ledger);
    if (error) {
        ledger_close(ledger);
        return error;
    }
    memcpy(ledger->memory, &ledger->as, offsetof(struct ledger_head, sessions));
    atomic_store(&head_of(ledger)->sessions.max, LIMIT_NONE);
    for (size_t i = 0; i < config->frontend_count; i++) {
        struct ledger_frontend *frontend = frontend_at(ledger, i);
        atomic_store(&frontend->sessions.max, LIMIT_NONE);
        snprintf(frontend->name, sizeof frontend->name, "%s", config->frontends[i].name);
    }
    return 0;
}

static bool record_fits(uint32_t size, size_t least)
{
    return size >= least && size <= RECORD_MAX && size % sizeof(uint64_t) == 0;
}

static const char *examine(int fd, struct ledger_head *head)
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
    if (head->magic != LEDGER_MAGIC)
        return "of another kind";
    if (head->version != LEDGER_VERSION)
        return "of another version";
    size_t counters = head->counters * sizeof(uint64_t);
    if (head->counters == 0 || !record_fits(head->head_size, HEAD_MIN + counters) ||
        !record_fits(head->worker_size, counters) ||
        !record_fits(head->frontend_size, offsetof(struct ledger_frontend, name) + LEDGER_NAME_MAX))
        return "with records of impossible sizes";
    if (stat.st_size < 0 || size_of(head) > (uint64_t)stat.st_size)
        return "shorter than its records";
    if (size_of(head) > LEDGER_MAX)
        return "too large";
    return NULL;
}

const char *ledger_read(struct ledger *ledger, int fd)
{
    *ledger = (struct ledger){.fd = fd};
    const char *wrong = examine(fd, &ledger->as);
    if (!wrong) {
        ledger->size = (size_t)size_of(&ledger->as);
        void *memory = mmap(NULL, ledger->size, PROT_READ, MAP_SHARED, fd, 0);
        if (memory == MAP_FAILED)
            wrong = "cannot be mapped";
        else
            ledger->memory = memory;
    }
    if (wrong)
        ledger_close(ledger);
    return wrong;
}

void ledger_close(struct ledger *ledger)
{
    if (ledger->memory)
        munmap(ledger->memory, ledger->size);
    if (ledger->fd >= 0)
        close(ledger->fd);
    *ledger = (struct ledger){.fd = -1};
}

struct counters *ledger_counters(struct ledger *ledger, unsigned worker)
{
    return worker_at(ledger, worker);
}

atomic_uint_fast64_t *ledger_worker_oldest(struct ledger *ledger, unsigned worker)
{
    return oldest_at(ledger, worker);
}

struct limit *ledger_sessions(struct ledger *ledger)
{
    return &head_of(ledger)->sessions;
}

struct limit *ledger_frontend_sessions(struct ledger *ledger, size_t frontend)
{
    return &frontend_at(ledger, frontend)->sessions;
}

void ledger_count_left(struct ledger *ledger)
{
    atomic_fetch_add(&head_of(ledger)->left, 1);
}

void ledger_set_arriving(struct ledger *ledger, unsigned arriving)
{
    atomic_store(&head_of(ledger)->arriving, arriving);
}

void ledger_set_lost(struct ledger *ledger)
{
    atomic_store(&head_of(ledger)->lost, ledger_live(ledger));
}

void ledger_inherit(struct ledger *ledger, const struct figures *figures)
{
    atomic_uint_fast64_t *counters = &head_of(ledger)->base.sessions;
    uint64_t amounts[COUNTERS];
    memcpy(amounts, figures, sizeof amounts);
    for (size_t i = 0; i < COUNTERS; i++)
        counter_add(&counters[i], amounts[i]);
}

/* Counters that only the other knows are passed over. */
static void add(struct figures *sum, const struct ledger *ledger, const void *record)
{
    const atomic_uint_fast64_t *counters = record;
    uint64_t amounts[COUNTERS];
    memcpy(amounts, sum, sizeof amounts);
    for (size_t i = 0; i < COUNTERS && i < ledger->as.counters; i++)
        amounts[i] += atomic_load_explicit(&counters[i], memory_order_relaxed);
    memcpy(sum, amounts, sizeof amounts);
}

void ledger_add_workers(const struct ledger *ledger, struct figures *sum)
{
    for (size_t i = 0; i < ledger->as.workers; i++)
        add(sum, ledger, worker_at(ledger, i));
}

void ledger_add_base(const struct ledger *ledger, struct figures *sum)
{
    add(sum, ledger, &head_of(ledger)->base);
}

unsigned ledger_live(const struct ledger *ledger)
{
    return atomic_load(&head_of(ledger)->sessions.used);
}

unsigned ledger_frontend_live(const struct ledger *ledger, size_t frontend)
{
    return atomic_load(&frontend_at(ledger, frontend)->sessions.used);
}

uint64_t ledger_oldest(const struct ledger *ledger, size_t frontend)
{
    uint64_t oldest = 0;
    if (ledger->as.worker_size < worker_size(ledger->as.frontends))
        return 0;
    for (size_t i = 0; i < ledger->as.workers; i++) {
        uint64_t its = atomic_load_explicit(&oldest_at(ledger, i)[frontend], memory_order_relaxed);
        if (its && (oldest == 0 || its < oldest))
            oldest = its;
    }
    return oldest;
}

unsigned ledger_own(const struct ledger *ledger)
{
    unsigned live = ledger_live(ledger), arriving = atomic_load(&head_of(ledger)->arriving);
    unsigned lost = atomic_load(&head_of(ledger)->lost);
    if (lost > live)
        live = lost;
    return live > arriving ? live - arriving : 0;
}

unsigned ledger_left(const struct ledger *ledger)
{
    return atomic_load(&head_of(ledger)->left);
}

const char *ledger_frontend_name(const struct ledger *ledger, size_t frontend, size_t *length)
{
    const char *name = frontend_at(ledger, frontend)->name;
    *length = strnlen(name, LEDGER_NAME_MAX);
    return name;
}

static bool is_named(const struct ledger *ledger, size_t frontend, const char *name)
{
    size_t length;
    const char *its = ledger_frontend_name(ledger, frontend, &length);
    return strlen(name) == length && memcmp(its, name, length) == 0;
}

size_t ledger_find_frontend(const struct ledger *ledger, const char *name, size_t guess)
{
    if (guess < ledger->as.frontends && is_named(ledger, guess, name))
        return guess;
    for (size_t i = 0; i < ledger->as.frontends; i++)
        if (is_named(ledger, i, name))
            return i;
    return LEDGER_NO_FRONTEND;
}
