#include "proxy/core/sources.h"

#include "config/lists/prefix.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <xxhash.h>

#define SOURCES_MAGIC 0x72707372u
#define SHARDS        64u /* a power of two */
#define NONE          UINT32_MAX
/* Idle entries that are looked at for one whose bucket is full. */
#define LOOKS 8
/* How often a reader looks again when entries have moved meanwhile: the process that writes may
 * have been killed in between. */
#define ATTEMPTS 100

/* At the beginning of the memory; the shards follow, in the same size each: struct shard, the
 * buckets, the entries. */
struct table {
    uint32_t magic;
    uint32_t entry_size;
    uint32_t entries; /* of each shard */
    uint32_t buckets; /* of each shard; a power of two */
    uint64_t seed;
    uint64_t room[5];
};

struct entry {
    atomic_uint_fast64_t address, owner; /* the key */
    atomic_uint_fast64_t full_at;        /* of the bucket */
    atomic_uint sessions;
    atomic_uint next;      /* in the hash chain, or in the list of free entries */
    uint32_t older, newer; /* in the list of idle entries; only while there are no sessions */
};

/* Changed under the lock of the shard. */
struct shard {
    _Alignas(64) atomic_uint version; /* odd while entries move between chains */
    uint32_t free;                    /* entries that were never used, or NONE */
    uint32_t oldest, newest;          /* idle entries */
    atomic_uint live;                 /* entries with sessions */
    atomic_uint_fast64_t uncounted;
    uint64_t room[3];
};

_Static_assert(sizeof(struct table) == 64 && sizeof(struct shard) == 64, "lines of 64 bytes");

/* Where the parts of a table are. The sizes are copies: those in the memory of another process may
 * change. */
struct layout {
    unsigned char *memory;
    uint32_t entries, buckets;
    uint64_t seed;
    size_t shard_size;
};

struct lock {
    _Alignas(64) pthread_mutex_t mutex;
};

struct sources {
    struct layout layout;
    _Atomic(struct sources_peers *) peers;
    struct lock locks[SHARDS];
};

struct sources_view {
    struct layout layout;
    void *map; /* NULL: the memory is another's */
    size_t map_size;
};

/* --- layout -------------------------------------------------------------------------------- */

static size_t shard_size(uint32_t entries, uint32_t buckets)
{
    size_t size =
        sizeof(struct shard) + buckets * sizeof(atomic_uint) + entries * sizeof(struct entry);
    return (size + 63) & ~(size_t)63;
}

/* The entries are distributed by a hash: a shard gets up to six standard deviations more than its
 * share. */
static uint32_t entries_of_shard(unsigned most)
{
    uint32_t share = most / SHARDS + 1;
    uint32_t root = 1;
    while (root * root < share)
        root++;
    return share + 6 * root + 8;
}

static uint32_t buckets_of_shard(uint32_t entries)
{
    uint32_t buckets = 16;
    while (buckets < entries)
        buckets *= 2;
    return buckets;
}

size_t sources_size(unsigned most)
{
    uint32_t entries = entries_of_shard(most);
    return sizeof(struct table) + SHARDS * shard_size(entries, buckets_of_shard(entries));
}

static struct shard *shard_at(const struct layout *layout, uint64_t hash)
{
    return (struct shard *)(void *)(layout->memory + sizeof(struct table) +
                                    (hash % SHARDS) * layout->shard_size);
}

static atomic_uint *bucket_at(const struct layout *layout, struct shard *shard, uint64_t hash)
{
    return (atomic_uint *)(shard + 1) + (hash / SHARDS & (layout->buckets - 1));
}

static struct entry *entry_at(const struct layout *layout, struct shard *shard, uint32_t index)
{
    void *buckets_end = (atomic_uint *)(shard + 1) + layout->buckets;
    return (struct entry *)buckets_end + index;
}

static uint64_t hash_of(const struct layout *layout, const struct source_key *key)
{
    return XXH3_64bits_withSeed(key, sizeof *key, layout->seed);
}

static bool has_key(struct entry *entry, const struct source_key *key)
{
    return atomic_load(&entry->address) == key->address && atomic_load(&entry->owner) == key->owner;
}

bool source_key_make(struct source_key *key, const struct sockaddr *address, uint64_t owner)
{
    struct address_bits bits;
    bool is_ipv6;
    if (!address_bits_of(address, &bits, &is_ipv6))
        return false;
    *key = (struct source_key){bits.high, (owner & ~UINT64_C(1)) | is_ipv6};
    return true;
}

/* --- the table of this process ------------------------------------------------------------- */

static void fill_shard(const struct layout *layout, struct shard *shard)
{
    atomic_uint *buckets = (atomic_uint *)(shard + 1);
    for (uint32_t i = 0; i < layout->buckets; i++)
        atomic_init(&buckets[i], NONE);
    for (uint32_t i = 0; i < layout->entries; i++)
        atomic_init(&entry_at(layout, shard, i)->next, i + 1 < layout->entries ? i + 1 : NONE);
    shard->free = 0;
    shard->oldest = shard->newest = NONE;
}

struct sources *sources_open(void *memory, unsigned most)
{
    struct sources *sources = aligned_alloc(64, sizeof *sources);
    if (!sources)
        return NULL;
    memset(sources, 0, sizeof *sources);
    struct layout *layout = &sources->layout;
    layout->memory = memory;
    layout->entries = entries_of_shard(most);
    layout->buckets = buckets_of_shard(layout->entries);
    layout->shard_size = shard_size(layout->entries, layout->buckets);
    if (getrandom(&layout->seed, sizeof layout->seed, GRND_NONBLOCK) < 0)
        layout->seed = (uint64_t)(uintptr_t)sources;
    for (unsigned i = 0; i < SHARDS; i++) {
        fill_shard(layout, shard_at(layout, i));
        pthread_mutex_init(&sources->locks[i].mutex, NULL);
    }
    struct table *table = memory;
    *table = (struct table){.magic = SOURCES_MAGIC,
                            .entry_size = sizeof(struct entry),
                            .entries = layout->entries,
                            .buckets = layout->buckets,
                            .seed = layout->seed};
    return sources;
}

void sources_close(struct sources *sources)
{
    if (!sources)
        return;
    struct sources_peers *peers = sources_publish(sources, NULL);
    if (peers)
        sources_peers_release(&peers->retired);
    for (unsigned i = 0; i < SHARDS; i++)
        pthread_mutex_destroy(&sources->locks[i].mutex);
    free(sources);
}

/* What is under the lock of one shard. */
struct locked {
    struct sources *sources;
    const struct layout *layout;
    struct shard *shard;
    atomic_uint *bucket;
    pthread_mutex_t *mutex;
};

static struct locked lock(struct sources *sources, const struct source_key *key)
{
    struct locked locked = {.sources = sources, .layout = &sources->layout};
    uint64_t hash = hash_of(locked.layout, key);
    locked.shard = shard_at(locked.layout, hash);
    locked.bucket = bucket_at(locked.layout, locked.shard, hash);
    locked.mutex = &sources->locks[hash % SHARDS].mutex;
    pthread_mutex_lock(locked.mutex);
    return locked;
}

static void unlock(const struct locked *locked)
{
    pthread_mutex_unlock(locked->mutex);
}

static struct entry *entry_of(const struct locked *locked, uint32_t index)
{
    return entry_at(locked->layout, locked->shard, index);
}

static uint32_t index_of(const struct locked *locked, const struct entry *entry)
{
    return (uint32_t)(entry - entry_of(locked, 0));
}

/* The entry becomes the newest idle one. */
static void add_idle(const struct locked *locked, struct entry *entry)
{
    struct shard *shard = locked->shard;
    uint32_t index = index_of(locked, entry);
    entry->older = shard->newest;
    entry->newer = NONE;
    if (shard->newest != NONE)
        entry_of(locked, shard->newest)->newer = index;
    else
        shard->oldest = index;
    shard->newest = index;
}

static void remove_idle(const struct locked *locked, struct entry *entry)
{
    struct shard *shard = locked->shard;
    if (entry->older != NONE)
        entry_of(locked, entry->older)->newer = entry->newer;
    else
        shard->oldest = entry->newer;
    if (entry->newer != NONE)
        entry_of(locked, entry->newer)->older = entry->older;
    else
        shard->newest = entry->older;
}

static void unlink_entry(const struct locked *locked, struct entry *entry)
{
    const struct source_key key = {atomic_load(&entry->address), atomic_load(&entry->owner)};
    uint32_t index = index_of(locked, entry);
    atomic_uint *link = bucket_at(locked->layout, locked->shard, hash_of(locked->layout, &key));
    while (atomic_load(link) != index)
        link = &entry_of(locked, atomic_load(link))->next;
    atomic_store(link, atomic_load(&entry->next));
}

/* The idle entry that another source gets. NULL: all have sessions. */
static struct entry *choose_idle(const struct locked *locked, uint64_t now)
{
    uint32_t index = locked->shard->oldest;
    for (unsigned i = 0; i < LOOKS && index != NONE; i++) {
        struct entry *entry = entry_of(locked, index);
        if (atomic_load(&entry->full_at) <= now)
            return entry;
        index = entry->newer;
    }
    return locked->shard->oldest == NONE ? NULL : entry_of(locked, locked->shard->oldest);
}

/* Under the version: an entry that is in no chain and no list. NULL: there is none. */
static struct entry *make_room(const struct locked *locked, uint64_t now)
{
    struct shard *shard = locked->shard;
    if (shard->free != NONE) {
        struct entry *entry = entry_of(locked, shard->free);
        shard->free = atomic_load(&entry->next);
        return entry;
    }
    struct entry *entry = choose_idle(locked, now);
    if (entry) {
        remove_idle(locked, entry);
        unlink_entry(locked, entry);
    }
    return entry;
}

static struct entry *find(const struct locked *locked, const struct source_key *key)
{
    uint32_t index = atomic_load(locked->bucket);
    while (index != NONE && !has_key(entry_of(locked, index), key))
        index = atomic_load(&entry_of(locked, index)->next);
    return index == NONE ? NULL : entry_of(locked, index);
}

/* Returns the entry of the source, which is in no list of idle ones. NULL: the shard is full. */
static struct entry *find_or_add(const struct locked *locked, const struct source_key *key,
                                 uint64_t now)
{
    struct entry *entry = find(locked, key);
    if (entry) {
        if (atomic_load(&entry->sessions) == 0)
            remove_idle(locked, entry);
        return entry;
    }
    atomic_fetch_add(&locked->shard->version, 1);
    entry = make_room(locked, now);
    if (entry) {
        atomic_store(&entry->address, key->address);
        atomic_store(&entry->owner, key->owner);
        atomic_store(&entry->full_at, 0);
        atomic_store(&entry->sessions, 0);
        atomic_store(&entry->next, atomic_load(locked->bucket));
        atomic_store(locked->bucket, index_of(locked, entry));
    }
    atomic_fetch_add(&locked->shard->version, 1);
    return entry;
}

static void add_session(const struct locked *locked, struct entry *entry)
{
    if (atomic_fetch_add(&entry->sessions, 1) == 0)
        atomic_fetch_add(&locked->shard->live, 1);
}

static void remove_session(const struct locked *locked, struct entry *entry)
{
    if (atomic_fetch_sub(&entry->sessions, 1) == 1)
        atomic_fetch_sub(&locked->shard->live, 1);
}

/* What the tables of other processes have of the source. */
static void add_others(struct sources *sources, const struct source_key *key, unsigned *sessions,
                       uint64_t *full_at)
{
    const struct sources_peers *peers = atomic_load(&sources->peers);
    for (size_t i = 0; peers && i < peers->count; i++) {
        unsigned more;
        uint64_t other;
        sources_view_find(peers->views[i], key, &more, &other);
        *sessions = more < UINT32_MAX - *sessions ? *sessions + more : UINT32_MAX;
        if (other > *full_at)
            *full_at = other;
    }
}

/* The entry is counted already, where sessions are. */
static enum source_verdict judge(const struct locked *locked, struct entry *entry,
                                 const struct source_key *key, const struct source_limits *limits,
                                 uint64_t now)
{
    unsigned sessions = atomic_load(&entry->sessions);
    uint64_t full_at = atomic_load(&entry->full_at);
    add_others(locked->sources, key, &sessions, &full_at);
    if (limits->sessions > 0 && sessions > limits->sessions)
        return SOURCE_HAS_MANY;
    if (limits->rate.count == 0)
        return SOURCE_COMES_IN;
    if (rate_ready_at(limits->rate, full_at) > now)
        return SOURCE_TOO_FAST;
    atomic_store(&entry->full_at, rate_taken(limits->rate, full_at, now));
    return SOURCE_COMES_IN;
}

enum source_verdict sources_enter(struct sources *sources, const struct source_key *key,
                                  const struct source_limits *limits, uint64_t now)
{
    enum source_verdict verdict = SOURCE_UNCOUNTED;
    struct locked locked = lock(sources, key);
    struct entry *entry = find_or_add(&locked, key, now);
    if (entry) {
        if (limits->sessions > 0)
            add_session(&locked, entry);
        verdict = judge(&locked, entry, key, limits, now);
        if (verdict != SOURCE_COMES_IN && limits->sessions > 0)
            remove_session(&locked, entry);
        if (atomic_load(&entry->sessions) == 0)
            add_idle(&locked, entry);
    } else {
        atomic_fetch_add(&locked.shard->uncounted, 1);
    }
    unlock(&locked);
    return verdict;
}

bool sources_enter_anyway(struct sources *sources, const struct source_key *key, uint64_t now)
{
    struct locked locked = lock(sources, key);
    struct entry *entry = find_or_add(&locked, key, now);
    if (entry)
        add_session(&locked, entry);
    else
        atomic_fetch_add(&locked.shard->uncounted, 1);
    unlock(&locked);
    return entry != NULL;
}

void sources_leave(struct sources *sources, const struct source_key *key)
{
    struct locked locked = lock(sources, key);
    struct entry *entry = find(&locked, key);
    if (entry) {
        remove_session(&locked, entry);
        if (atomic_load(&entry->sessions) == 0)
            add_idle(&locked, entry);
    }
    unlock(&locked);
}

bool sources_take(struct sources *sources, const struct source_key *key, struct rate rate,
                  uint64_t now, uint64_t *taken)
{
    struct locked locked = lock(sources, key);
    struct entry *entry = find(&locked, key);
    unsigned sessions = 0;
    uint64_t full_at = entry ? atomic_load(&entry->full_at) : 0;
    add_others(sources, key, &sessions, &full_at);
    *taken = rate_ready_at(rate, full_at);
    bool ready = *taken <= now;
    if (ready)
        *taken = rate_taken(rate, full_at, now);
    if (ready && entry)
        atomic_store(&entry->full_at, *taken);
    unlock(&locked);
    return ready;
}

void sources_give_back(struct sources *sources, const struct source_key *key, struct rate rate,
                       uint64_t now, uint64_t taken)
{
    struct locked locked = lock(sources, key);
    struct entry *entry = find(&locked, key);
    if (entry)
        atomic_store(&entry->full_at,
                     rate_given_back(rate, atomic_load(&entry->full_at), now, taken));
    unlock(&locked);
}

struct sources_figures sources_figures(const struct sources *sources)
{
    struct sources_figures figures = {0};
    for (unsigned i = 0; i < SHARDS; i++) {
        const struct shard *shard = shard_at(&sources->layout, i);
        figures.live += atomic_load(&shard->live);
        figures.uncounted += atomic_load(&shard->uncounted);
    }
    return figures;
}

/* --- other processes ----------------------------------------------------------------------- */

static bool is_layout(struct layout *layout, const void *memory, size_t size)
{
    struct table table;
    if (size < sizeof table)
        return false;
    memcpy(&table, memory, sizeof table);
    if (table.magic != SOURCES_MAGIC || table.entry_size != sizeof(struct entry) ||
        table.entries == 0 || table.entries > UINT32_MAX / 256 || table.buckets == 0 ||
        table.buckets > UINT32_MAX / 256 || (table.buckets & (table.buckets - 1)) != 0)
        return false;
    union {
        const void *shared;
        unsigned char *memory;
    } at = {memory}; /* is only read */
    *layout = (struct layout){.memory = at.memory,
                              .entries = table.entries,
                              .buckets = table.buckets,
                              .seed = table.seed,
                              .shard_size = shard_size(table.entries, table.buckets)};
    return layout->shard_size <= (size - sizeof table) / SHARDS;
}

struct sources_view *sources_view_at(const void *memory, size_t size)
{
    struct sources_view *view = calloc(1, sizeof *view);
    if (view && !is_layout(&view->layout, memory, size)) {
        free(view);
        view = NULL;
    }
    return view;
}

struct sources_view *sources_view_open(int fd, uint64_t offset, uint64_t size)
{
    if (size == 0 || offset % 64 != 0 || offset > SIZE_MAX / 2 || size > SIZE_MAX / 2)
        return NULL;
    void *map = mmap(NULL, offset + size, PROT_READ, MAP_SHARED, fd, 0);
    if (map == MAP_FAILED)
        return NULL;
    struct sources_view *view = sources_view_at((unsigned char *)map + offset, size);
    if (!view) {
        munmap(map, offset + size);
        return NULL;
    }
    view->map = map;
    view->map_size = offset + size;
    return view;
}

void sources_view_close(struct sources_view *view)
{
    if (view && view->map)
        munmap(view->map, view->map_size);
    free(view);
}

/* Returns whether nothing has moved meanwhile. */
static bool look(const struct sources_view *view, const struct source_key *key, uint64_t hash,
                 unsigned *sessions, uint64_t *full_at)
{
    const struct layout *layout = &view->layout;
    struct shard *shard = shard_at(layout, hash);
    unsigned version = atomic_load(&shard->version);
    uint32_t index = atomic_load(bucket_at(layout, shard, hash));
    *sessions = 0;
    *full_at = 0;
    for (uint32_t steps = 0; index < layout->entries && steps < layout->entries; steps++) {
        struct entry *entry = entry_at(layout, shard, index);
        if (has_key(entry, key)) {
            *sessions = atomic_load(&entry->sessions);
            *full_at = atomic_load(&entry->full_at);
            break;
        }
        index = atomic_load(&entry->next);
    }
    return version % 2 == 0 && atomic_load(&shard->version) == version;
}

void sources_view_find(const struct sources_view *view, const struct source_key *key,
                       unsigned *sessions, uint64_t *full_at)
{
    uint64_t hash = hash_of(&view->layout, key);
    for (unsigned i = 0; i < ATTEMPTS && !look(view, key, hash, sessions, full_at); i++)
        ;
}

void sources_inherit(struct sources *sources, const struct sources_view *view, uint64_t now)
{
    const struct layout *layout = &view->layout;
    for (unsigned i = 0; i < SHARDS; i++)
        for (uint32_t j = 0; j < layout->entries; j++) {
            struct entry *old = entry_at(layout, shard_at(layout, i), j);
            const struct source_key key = {atomic_load(&old->address), atomic_load(&old->owner)};
            uint64_t full_at = atomic_load(&old->full_at);
            if (full_at <= now)
                continue;
            struct locked locked = lock(sources, &key);
            struct entry *entry = find_or_add(&locked, &key, now);
            if (entry && atomic_load(&entry->full_at) < full_at)
                atomic_store(&entry->full_at, full_at);
            if (entry && atomic_load(&entry->sessions) == 0)
                add_idle(&locked, entry);
            unlock(&locked);
        }
}

void sources_peers_release(struct retired *object)
{
    struct sources_peers *peers = (struct sources_peers *)object;
    for (size_t i = 0; i < peers->count; i++)
        sources_view_close(peers->views[i]);
    free(peers);
}

struct sources_peers *sources_peers_new(size_t most)
{
    return calloc(1, sizeof(struct sources_peers) + most * sizeof(struct sources_view *));
}

struct sources_peers *sources_publish(struct sources *sources, struct sources_peers *peers)
{
    return atomic_exchange(&sources->peers, peers);
}
