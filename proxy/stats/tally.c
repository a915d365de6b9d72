#include "proxy/stats/tally.h"

#include <string.h>
#include <xxhash.h>

/* No record of another build is longer, and there are no more of them than that. */
#define RECORD_MOST  4096u
#define RECORDS_MOST (1u << 24)
/* Larger than any tally. */
#define SIZE_MOST ((uint64_t)1 << 40)

#define HEAD_SIZE ((sizeof(struct tally_head) + 63) & ~(size_t)63)

/* The members of tally_head that describe the rest, in memory of any build. */
#define HEAD_FIXED offsetof(struct tally_head, used)

_Static_assert(sizeof(atomic_uint_fast64_t) == sizeof(uint64_t), "records are arrays of counters");

/* Where the parts begin, in bytes. */
struct parts {
    uint64_t rows, events, reloads, end;
};

static struct parts parts_of(const struct tally_head *head)
{
    struct parts parts;
    uint64_t keys = (uint64_t)head->frontends + head->backends + head->servers;
    parts.rows = (HEAD_SIZE + keys * sizeof(struct tally_key) + 63) & ~UINT64_C(63);
    parts.events = parts.rows + ((uint64_t)head->workers + 1) * head->row * sizeof(uint64_t);
    parts.reloads = parts.events + 2 * ((uint64_t)head->servers + 1) * head->event * 8;
    parts.end = parts.reloads + 2 * (uint64_t)head->reload * sizeof(uint64_t);
    return parts;
}

/* Each part of a row has one record more: for what has no record of its own. */
static uint64_t counters_in_row(const struct tally_head *head)
{
    return ((uint64_t)head->frontends + 1) * head->frontend +
           ((uint64_t)head->backends + 1) * head->backend +
           ((uint64_t)head->servers + 1) * head->server;
}

static struct tally_head head_for(const struct config *config, unsigned workers)
{
    struct tally_head head = {.version = TALLY_VERSION,
                              .workers = workers,
                              .frontends = (uint32_t)config->frontend_count,
                              .backends = (uint32_t)config->backend_count,
                              .frontend = COUNTERS_OF(frontend_figures),
                              .backend = COUNTERS_OF(backend_figures),
                              .server = COUNTERS_OF(server_figures),
                              .event = COUNTERS_OF(server_events),
                              .reload = COUNTERS_OF(reload_figures)};
    for (size_t i = 0; i < config->backend_count; i++)
        head.servers += (uint32_t)backend_most_servers(&config->backends[i]);
    head.row = (uint32_t)((counters_in_row(&head) + 7) & ~UINT64_C(7));
    return head;
}

size_t tally_size(const struct config *config, unsigned workers)
{
    const struct tally_head head = head_for(config, workers);
    return (size_t)parts_of(&head).end;
}

static struct tally_head *head_of(const struct tally *tally)
{
    return (struct tally_head *)tally->memory;
}

static struct tally_key *keys_of(const struct tally *tally)
{
    return (struct tally_key *)(tally->memory + HEAD_SIZE);
}

const struct tally_key *tally_frontend_keys(const struct tally *tally)
{
    return keys_of(tally);
}

const struct tally_key *tally_backend_keys(const struct tally *tally)
{
    return keys_of(tally) + tally->as.frontends;
}

const struct tally_key *tally_server_keys(const struct tally *tally)
{
    return keys_of(tally) + tally->as.frontends + tally->as.backends;
}

static struct tally_key key_of(const char *name, uint64_t of)
{
    XXH128_hash_t hash = XXH3_128bits(name, strlen(name));
    return (struct tally_key){.name = {hash.low64, hash.high64}, .of = of};
}

static void find_parts(struct tally *tally)
{
    const struct parts parts = parts_of(&tally->as);
    tally->rows = parts.rows;
    tally->events = parts.events;
    tally->reloads = parts.reloads;
}

void tally_make(struct tally *tally, void *memory, const struct config *config, unsigned workers)
{
    *tally = (struct tally){.memory = memory, .as = head_for(config, workers)};
    memcpy(memory, &tally->as, HEAD_FIXED);
    find_parts(tally);
    struct tally_key *keys = keys_of(tally);
    for (size_t i = 0; i < config->frontend_count; i++)
        *keys++ = key_of(config->frontends[i].name, 0);
    for (size_t i = 0; i < config->backend_count; i++)
        *keys++ = key_of(config->backends[i].name, 0);
}

/* Records of frontends and backends have something in them, so that the time for a look at all of
 * them is bounded by the size. */
static bool makes_sense(const struct tally_head *head, size_t size)
{
    const uint32_t records[] = {head->frontend, head->backend, head->server, head->event,
                                head->reload};
    for (size_t i = 0; i < sizeof records / sizeof *records; i++)
        if (records[i] > RECORD_MOST)
            return false;
    return head->version == TALLY_VERSION && head->frontends < RECORDS_MOST &&
           head->backends < RECORDS_MOST && head->servers < RECORDS_MOST &&
           head->workers < RECORDS_MOST && head->frontend > 0 && head->backend > 0 &&
           head->server >= COUNTERS_OF(server_figures) && counters_in_row(head) <= head->row &&
           (uint64_t)head->workers * head->row < SIZE_MOST && parts_of(head).end <= size;
}

bool tally_view(struct tally *tally, void *memory, size_t size)
{
    *tally = (struct tally){.memory = memory};
    if (size < HEAD_SIZE) {
        tally->memory = NULL;
        return false;
    }
    memcpy(&tally->as, memory, HEAD_FIXED);
    if (makes_sense(&tally->as, size))
        find_parts(tally);
    else
        tally->memory = NULL;
    return tally->memory != NULL;
}

uint32_t tally_servers_used(const struct tally *tally)
{
    unsigned used = atomic_load_explicit(&head_of(tally)->used, memory_order_acquire);
    return used < tally->as.servers ? used : tally->as.servers;
}

uint32_t tally_add_server(struct tally *tally, size_t backend, const char *server)
{
    uint32_t number = tally_servers_used(tally);
    if (number == tally->as.servers)
        return number;
    keys_of(tally)[tally->as.frontends + tally->as.backends + number] = key_of(server, backend);
    atomic_store_explicit(&head_of(tally)->used, number + 1, memory_order_release);
    return number;
}

static atomic_uint_fast64_t *row_at(const struct tally *tally, unsigned row)
{
    return (atomic_uint_fast64_t *)(void *)(tally->memory + tally->rows) +
           (size_t)row * tally->as.row;
}

atomic_uint_fast64_t *tally_frontend(const struct tally *tally, unsigned row, size_t frontend)
{
    return row_at(tally, row) + frontend * tally->as.frontend;
}

atomic_uint_fast64_t *tally_backend(const struct tally *tally, unsigned row, size_t backend)
{
    return row_at(tally, row) + ((size_t)tally->as.frontends + 1) * tally->as.frontend +
           backend * tally->as.backend;
}

atomic_uint_fast64_t *tally_server(const struct tally *tally, unsigned row, size_t server)
{
    return tally_backend(tally, row, (size_t)tally->as.backends + 1) + server * tally->as.server;
}

atomic_uint_fast64_t *tally_events(const struct tally *tally, size_t server, bool base)
{
    size_t record = server + (base ? (size_t)tally->as.servers + 1 : 0);
    return (atomic_uint_fast64_t *)(void *)(tally->memory + tally->events) +
           record * tally->as.event;
}

atomic_uint_fast64_t *tally_reloads(const struct tally *tally, bool base)
{
    return (atomic_uint_fast64_t *)(void *)(tally->memory + tally->reloads) +
           (base ? tally->as.reload : 0);
}

const char *connect_failure_name(enum connect_failure failure)
{
    static const char *const names[CONNECT_FAILURES] = {
        [CONNECT_REFUSED] = "refused",         [CONNECT_TIMED_OUT] = "timeout",
        [CONNECT_UNREACHABLE] = "unreachable", [CONNECT_FAILED] = "other",
        [CONNECT_TLS_FAILED] = "tls",          [CONNECT_NO_PORT] = "no-port"};
    return names[failure];
}
