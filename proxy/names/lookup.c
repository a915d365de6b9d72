#include "proxy/names/lookup.h"

#include "config/base/clock.h"
#include "config/names/prefer.h"
#include "config/names/resolver.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <event2/event.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <xxhash.h>

#define NAME_BYTES 254
#define BUCKETS    1024
/* How long a name without addresses, or without an answer, is not asked for again. */
#define NEGATIVE_MIN_MS 1000
#define NEGATIVE_MAX_MS 10000

/* A lookup of a worker: its begin and its end belong to the worker, and what is between to the main
 * thread. */
struct lookup {
    struct task task; /* to the main thread, then back */
    struct task_queue *here;
    struct lookups *lookups;
    lookup_done *done; /* NULL: cancelled; only the worker looks at it */
    void *arg;
    struct lookup_result result;
    char name[NAME_BYTES];
    TAILQ_ENTRY(lookup) waiting; /* in an entry */
    LIST_ENTRY(lookup) link;     /* of all, under the lock */
};

TAILQ_HEAD(lookup_list, lookup);

/* What is known of a name. */
struct entry {
    char name[NAME_BYTES];
    struct lookups *lookups;
    struct question *question; /* NULL: nothing is being asked */
    struct lookup_list waiting;
    uint64_t until; /* clock_ms(): then the result counts no more */
    uint64_t held;  /* then it counts no more even if no name server answers; 0: it never was OK */
    struct lookup_result result;
    LIST_ENTRY(entry) link;  /* in a bucket */
    TAILQ_ENTRY(entry) used; /* the most recently used is first */
};

struct lookups {
    struct event_base *base;
    struct task_queue *main;
    const struct resolver_conf *conf;
    struct resolver *resolver; /* NULL: not needed so far */
    LIST_HEAD(, entry) buckets[BUCKETS];
    TAILQ_HEAD(entry_list, entry) used;
    size_t kept, open;
    pthread_mutex_t lock;
    LIST_HEAD(, lookup) all;
};

/* --- what is kept -------------------------------------------------------------------------- */

static size_t bucket_of(const char *name)
{
    return XXH3_64bits(name, strlen(name)) % BUCKETS;
}

static struct entry *find(struct lookups *lookups, const char *name)
{
    struct entry *entry;
    LIST_FOREACH (entry, &lookups->buckets[bucket_of(name)], link)
        if (strcmp(entry->name, name) == 0)
            return entry;
    return NULL;
}

static void forget(struct entry *entry)
{
    struct lookups *lookups = entry->lookups;
    LIST_REMOVE(entry, link);
    TAILQ_REMOVE(&lookups->used, entry, used);
    lookups->kept--;
    free(entry);
}

/* Makes room for one more, if the least recently used is not just being asked for. */
static bool make_room(struct lookups *lookups)
{
    if (lookups->kept < LOOKUPS_KEPT)
        return true;
    struct entry *entry;
    TAILQ_FOREACH_REVERSE(entry, &lookups->used, entry_list, used)
    {
        if (entry->question)
            continue;
        forget(entry);
        return true;
    }
    return false;
}

static struct entry *keep(struct lookups *lookups, const char *name)
{
    struct entry *entry = make_room(lookups) ? calloc(1, sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    entry->lookups = lookups;
    TAILQ_INIT(&entry->waiting);
    strcpy(entry->name, name);
    LIST_INSERT_HEAD(&lookups->buckets[bucket_of(name)], entry, link);
    TAILQ_INSERT_HEAD(&lookups->used, entry, used);
    lookups->kept++;
    return entry;
}

static void use(struct entry *entry)
{
    TAILQ_REMOVE(&entry->lookups->used, entry, used);
    TAILQ_INSERT_HEAD(&entry->lookups->used, entry, used);
}

/* --- main thread --------------------------------------------------------------------------- */

/* On the worker: the lookup is over. */
static void on_told(void *arg)
{
    struct lookup *lookup = arg;
    struct lookups *lookups = lookup->lookups;
    pthread_mutex_lock(&lookups->lock);
    LIST_REMOVE(lookup, link);
    pthread_mutex_unlock(&lookups->lock);
    if (lookup->done)
        lookup->done(&lookup->result, lookup->arg);
    free(lookup);
}

static void tell(struct lookup *lookup, const struct lookup_result *result)
{
    lookup->result = *result;
    lookup->task.run = on_told;
    task_queue_post(lookup->here, &lookup->task);
}

static void tell_status(struct lookup *lookup, enum answer_status status)
{
    const struct lookup_result result = {.status = status};
    tell(lookup, &result);
}

/* min counts where max is less. */
static uint64_t bounded(uint64_t time, uint64_t min, uint64_t max)
{
    uint64_t most = time > max ? max : time;
    return most < min ? min : most;
}

/* Takes an answer over. Without one, known addresses stay as they are while they are held. */
static void learn(struct entry *entry, const struct answer *answer)
{
    const struct resolver_conf *conf = entry->lookups->conf;
    uint64_t now = clock_ms(), ttl = (uint64_t)answer->ttl * 1000;
    if (answer->status != ANSWER_OK) {
        entry->until = now + bounded(ttl, NEGATIVE_MIN_MS, NEGATIVE_MAX_MS);
        if (answer_is_negative(answer->status) || now >= entry->held)
            entry->result = (struct lookup_result){.status = answer->status};
        return;
    }
    entry->until = now + bounded(ttl, conf->min, conf->max);
    entry->held = now + conf->hold;
    entry->result = (struct lookup_result){.status = ANSWER_OK};
    prefer_sort(answer->items, answer->count);
    for (size_t i = 0; i < answer->count && i < LOOKUP_ADDRESSES_MOST; i++)
        entry->result.addresses[entry->result.count++] = answer->items[i].address;
}

static void on_answer(const struct answer *answer, void *arg)
{
    struct entry *entry = arg;
    struct lookup *lookup;
    entry->question = NULL;
    entry->lookups->open--;
    learn(entry, answer);
    while ((lookup = TAILQ_FIRST(&entry->waiting))) {
        TAILQ_REMOVE(&entry->waiting, lookup, waiting);
        tell(lookup, &entry->result);
    }
}

/* Returns ANSWER_OK: the question is on its way. */
static enum answer_status ask(struct lookups *lookups, struct entry *entry)
{
    if (lookups->open == LOOKUPS_OPEN)
        return ANSWER_BUSY;
    if (lookups->resolver || resolver_new(lookups->base, lookups->conf, &lookups->resolver) == 0)
        entry->question = resolver_ask(lookups->resolver, entry->name, QUESTION_ADDRESSES,
                                       RESOLVE_ANY, 0, on_answer, entry);
    if (!entry->question)
        return ANSWER_NO_MEMORY;
    lookups->open++;
    return ANSWER_OK;
}

static bool read_address(const char *name, struct address *address)
{
    *address = (struct address){.length = sizeof address->in, .in.sin_family = AF_INET};
    if (inet_pton(AF_INET, name, &address->in.sin_addr) == 1)
        return true;
    *address = (struct address){.length = sizeof address->in6, .in6.sin6_family = AF_INET6};
    if (inet_pton(AF_INET6, name, &address->in6.sin6_addr) != 1)
        return false;
    address_unmap(address);
    return true;
}

/* On the main thread. */
static void on_asked(void *arg)
{
    struct lookup *lookup = arg;
    struct lookups *lookups = lookup->lookups;
    struct lookup_result given = {.status = ANSWER_OK, .count = 1};
    if (read_address(lookup->name, &given.addresses[0])) {
        tell(lookup, &given);
        return;
    }
    if (!address_is_host_name(lookup->name)) {
        tell_status(lookup, ANSWER_NO_NAME);
        return;
    }
    struct entry *entry = find(lookups, lookup->name);
    if (!entry)
        entry = keep(lookups, lookup->name);
    if (!entry) {
        tell_status(lookup, ANSWER_BUSY);
        return;
    }
    use(entry);
    if (!entry->question && clock_ms() < entry->until) {
        tell(lookup, &entry->result);
        return;
    }
    enum answer_status status = entry->question ? ANSWER_OK : ask(lookups, entry);
    if (status == ANSWER_OK)
        TAILQ_INSERT_TAIL(&entry->waiting, lookup, waiting);
    else if (entry->result.status == ANSWER_OK && clock_ms() < entry->held)
        tell(lookup, &entry->result);
    else
        tell_status(lookup, status);
}

struct lookups *lookups_new(struct event_base *base, struct task_queue *main,
                            const struct resolver_conf *conf)
{
    struct lookups *lookups = calloc(1, sizeof *lookups);
    if (!lookups)
        return NULL;
    lookups->base = base;
    lookups->main = main;
    lookups->conf = conf;
    TAILQ_INIT(&lookups->used);
    pthread_mutex_init(&lookups->lock, NULL);
    return lookups;
}

void lookups_free(struct lookups *lookups)
{
    struct entry *entry;
    struct lookup *lookup;
    if (!lookups)
        return;
    resolver_free(lookups->resolver);
    while ((entry = TAILQ_FIRST(&lookups->used)))
        forget(entry);
    while ((lookup = LIST_FIRST(&lookups->all))) {
        LIST_REMOVE(lookup, link);
        /* Of the queues, only that of the main thread may be run after this. */
        if (lookup->task.run == on_asked || lookup->here == lookups->main)
            task_queue_withdraw(lookups->main, &lookup->task);
        free(lookup);
    }
    pthread_mutex_destroy(&lookups->lock);
    free(lookups);
}

/* --- the worker ---------------------------------------------------------------------------- */

struct lookup *lookup_begin(struct lookups *lookups, struct task_queue *here, const char *name,
                            lookup_done *done, void *arg)
{
    struct lookup *lookup = calloc(1, sizeof *lookup);
    if (!lookup)
        return NULL;
    lookup->task = (struct task){.run = on_asked, .arg = lookup};
    lookup->here = here;
    lookup->lookups = lookups;
    lookup->done = done;
    lookup->arg = arg;
    for (size_t i = 0; strlen(name) < sizeof lookup->name && name[i]; i++)
        lookup->name[i] = (char)tolower((unsigned char)name[i]);
    pthread_mutex_lock(&lookups->lock);
    LIST_INSERT_HEAD(&lookups->all, lookup, link);
    pthread_mutex_unlock(&lookups->lock);
    task_queue_post(lookups->main, &lookup->task);
    return lookup;
}

void lookup_cancel(struct lookup *lookup)
{
    lookup->done = NULL;
}
