#include "config/tls/session_cache.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct kept {
    SSL_SESSION *session;
    time_t verified; /* when the full handshake was that it goes back to */
};

struct entry {
    struct address address;
    struct kept list[SESSION_CACHE_SESSIONS]; /* the newest is the last */
    unsigned count;
    uint64_t used; /* the entry that was not used for longest makes room */
};

struct session_cache {
    pthread_mutex_t lock;
    struct entry *entries[SESSION_CACHE_ADDRESSES];
    unsigned count;
    uint64_t uses;
};

/* Of one connection, in its SSL object. */
struct joined {
    struct session_cache *cache;
    struct address address;
    time_t verified; /* of the session that it tries to resume; 0: of none */
};

static int place = -1;

static void free_joined(void *parent, void *joined, CRYPTO_EX_DATA *data, int index, long number,
                        void *pointer)
{
    (void)parent;
    (void)data;
    (void)index;
    (void)number;
    (void)pointer;
    free(joined);
}

static void make_place(void)
{
    place = SSL_get_ex_new_index(0, NULL, NULL, NULL, free_joined);
}

/* --- entries, under the lock --------------------------------------------------------------- */

static void forget(struct entry *entry)
{
    while (entry->count > 0)
        SSL_SESSION_free(entry->list[--entry->count].session);
}

static struct entry *find(struct session_cache *cache, const struct address *address)
{
    for (unsigned i = 0; i < cache->count; i++)
        if (address_equal(&cache->entries[i]->address, address)) {
            cache->entries[i]->used = ++cache->uses;
            return cache->entries[i];
        }
    return NULL;
}

/* NULL: out of memory. */
static struct entry *make_room(struct session_cache *cache)
{
    if (cache->count < SESSION_CACHE_ADDRESSES) {
        struct entry *entry = calloc(1, sizeof *entry);
        if (entry)
            cache->entries[cache->count++] = entry;
        return entry;
    }
    struct entry *oldest = cache->entries[0];
    for (unsigned i = 1; i < cache->count; i++)
        if (cache->entries[i]->used < oldest->used)
            oldest = cache->entries[i];
    forget(oldest);
    return oldest;
}

static struct entry *find_or_make(struct session_cache *cache, const struct address *address)
{
    struct entry *entry = find(cache, address);
    if (entry)
        return entry;
    entry = make_room(cache);
    if (entry) {
        entry->address = *address;
        entry->used = ++cache->uses;
    }
    return entry;
}

static void keep(struct session_cache *cache, const struct address *address,
                 const struct kept *kept)
{
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find_or_make(cache, address);
    if (entry && entry->count == SESSION_CACHE_SESSIONS) {
        SSL_SESSION_free(entry->list[0].session);
        memmove(entry->list, entry->list + 1, --entry->count * sizeof *entry->list);
    }
    if (entry)
        entry->list[entry->count++] = *kept;
    pthread_mutex_unlock(&cache->lock);
    if (!entry)
        SSL_SESSION_free(kept->session);
}

static struct kept take(struct session_cache *cache, const struct address *address)
{
    struct kept kept = {0};
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, address);
    if (entry && entry->count > 0)
        kept = entry->list[--entry->count];
    pthread_mutex_unlock(&cache->lock);
    return kept;
}

/* --- sessions ------------------------------------------------------------------------------ */

static bool is_good(const struct kept *kept, time_t now)
{
    const SSL_SESSION *session = kept->session;
    X509 *peer = SSL_SESSION_get0_peer(kept->session);
    return SSL_SESSION_is_resumable(session) && now - kept->verified < SESSION_CACHE_LIFE &&
           now - SSL_SESSION_get_time(session) < SSL_SESSION_get_timeout(session) &&
           (!peer || X509_cmp_time(X509_get0_notAfter(peer), &now) > 0);
}

static bool is_accepted(const SSL *ssl)
{
    return SSL_get_verify_mode(ssl) == SSL_VERIFY_NONE || SSL_get_verify_result(ssl) == X509_V_OK;
}

/* A copy: OpenSSL spoils the session of a connection that ends without a word. */
static void keep_copy(SSL *ssl, const struct joined *joined, SSL_SESSION *session)
{
    const struct kept kept = {
        .session = is_accepted(ssl) ? SSL_SESSION_dup(session) : NULL,
        .verified = SSL_session_reused(ssl) ? joined->verified : time(NULL),
    };
    if (kept.session)
        keep(joined->cache, &joined->address, &kept);
}

/* The server has given a session or a ticket. */
static int on_session(SSL *ssl, SSL_SESSION *session)
{
    const struct joined *joined = SSL_get_ex_data(ssl, place);
    if (joined)
        keep_copy(ssl, joined, session);
    return 0; /* it stays OpenSSL's */
}

void session_cache_join(struct session_cache *cache, SSL *ssl, const struct address *address,
                        time_t now)
{
    struct joined *joined = malloc(sizeof *joined);
    if (!joined)
        return;
    *joined = (struct joined){.cache = cache, .address = *address};
    if (!SSL_set_ex_data(ssl, place, joined)) {
        free(joined);
        ERR_clear_error();
        return;
    }
    struct kept kept;
    while ((kept = take(cache, address)).session && !is_good(&kept, now))
        SSL_SESSION_free(kept.session);
    if (kept.session && SSL_set_session(ssl, kept.session))
        joined->verified = kept.verified;
    SSL_SESSION_free(kept.session);
}

bool session_cache_opened(SSL *ssl)
{
    const struct joined *joined = SSL_get_ex_data(ssl, place);
    bool reused = SSL_session_reused(ssl);
    /* Such a session may be used again, and the server need not give a new one. */
    if (joined && reused && SSL_version(ssl) < TLS1_3_VERSION)
        keep_copy(ssl, joined, SSL_get_session(ssl));
    return reused;
}

void session_cache_failed(SSL *ssl)
{
    const struct joined *joined = SSL_get_ex_data(ssl, place);
    if (!joined || joined->verified == 0)
        return;
    struct session_cache *cache = joined->cache;
    pthread_mutex_lock(&cache->lock);
    struct entry *entry = find(cache, &joined->address);
    if (entry)
        forget(entry);
    pthread_mutex_unlock(&cache->lock);
}

/* --- the cache ----------------------------------------------------------------------------- */

struct session_cache *session_cache_new(SSL_CTX *context)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_place);
    struct session_cache *cache = place < 0 ? NULL : calloc(1, sizeof *cache);
    if (!cache)
        return NULL;
    pthread_mutex_init(&cache->lock, NULL);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(context, on_session);
    return cache;
}

void session_cache_free(struct session_cache *cache)
{
    if (!cache)
        return;
    for (unsigned i = 0; i < cache->count; i++) {
        forget(cache->entries[i]);
        free(cache->entries[i]);
    }
    pthread_mutex_destroy(&cache->lock);
    free(cache);
}
