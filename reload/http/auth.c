#include "reload/http/auth.h"

#include <crypt.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>

#define REMEMBERED 16
#define SOURCES    64

/* Wrong passwords: so many at once, and one more in each of these intervals. */
#define SOURCE_BURST       10
#define SOURCE_INTERVAL_MS 1000
#define ALL_BURST          30
#define ALL_INTERVAL_MS    100

struct remembered {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    enum auth_verdict verdict; /* AUTH_NONE: empty */
    uint64_t used;
};

/* What is left of a burst. */
struct allowance {
    unsigned left;
    uint64_t at; /* when it was last filled up */
};

struct source {
    unsigned char digest[SHA256_DIGEST_LENGTH];
    struct allowance allowance;
    uint64_t used; /* 0: empty */
};

struct auth {
    const struct metrics_users *users;
    unsigned char key[32];
    struct remembered remembered[REMEMBERED];
    struct source sources[SOURCES];
    struct allowance all;
    struct crypt_data data;
};

static void digest(const struct auth *auth, const char *text,
                   unsigned char result[static SHA256_DIGEST_LENGTH])
{
    unsigned length = 0;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    memset(result, 0, SHA256_DIGEST_LENGTH);
    if (context && EVP_DigestInit_ex(context, EVP_sha256(), NULL) &&
        EVP_DigestUpdate(context, auth->key, sizeof auth->key) &&
        EVP_DigestUpdate(context, text, strlen(text)))
        (void)EVP_DigestFinal_ex(context, result, &length);
    EVP_MD_CTX_free(context);
    if (length == 0) /* without memory nothing is remembered, and nothing found */
        (void)!getrandom(result, SHA256_DIGEST_LENGTH, 0);
}

/* --- what was wrong before ------------------------------------------------------------------- */

static void refill(struct allowance *allowance, unsigned burst, uint64_t interval, uint64_t now)
{
    const uint64_t more = (now - allowance->at) / interval;
    allowance->left = more > burst - allowance->left ? burst : allowance->left + (unsigned)more;
    allowance->at = allowance->left == burst ? now : allowance->at + more * interval;
}

/* Of the source, or of the one that was seen longest ago. */
static struct source *source_of(struct auth *auth, const char *text, uint64_t now)
{
    unsigned char key[SHA256_DIGEST_LENGTH];
    struct source *oldest = &auth->sources[0];
    digest(auth, text, key);
    for (size_t i = 0; i < SOURCES; i++) {
        struct source *source = &auth->sources[i];
        if (source->used && memcmp(source->digest, key, sizeof key) == 0)
            return source;
        if (source->used < oldest->used)
            oldest = source;
    }
    memcpy(oldest->digest, key, sizeof key);
    oldest->allowance = (struct allowance){.left = SOURCE_BURST, .at = now};
    return oldest;
}

/* --- what was right before ------------------------------------------------------------------- */

static enum auth_verdict recall(struct auth *auth, const char *header, uint64_t now)
{
    unsigned char key[SHA256_DIGEST_LENGTH];
    enum auth_verdict verdict = AUTH_NONE;
    digest(auth, header, key);
    for (size_t i = 0; i < REMEMBERED; i++) {
        struct remembered *item = &auth->remembered[i];
        if (CRYPTO_memcmp(item->digest, key, sizeof key) == 0 && item->verdict != AUTH_NONE) {
            verdict = item->verdict;
            item->used = now;
        }
    }
    return verdict;
}

static void remember(struct auth *auth, const char *header, enum auth_verdict verdict, uint64_t now)
{
    struct remembered *oldest = &auth->remembered[0];
    for (size_t i = 1; i < REMEMBERED; i++)
        if (auth->remembered[i].used < oldest->used)
            oldest = &auth->remembered[i];
    digest(auth, header, oldest->digest);
    oldest->verdict = verdict;
    oldest->used = now;
}

/* --- passwords ------------------------------------------------------------------------------- */

bool auth_read_header(const char *header, char text[static AUTH_TEXT_MAX])
{
    if (strncasecmp(header, "Basic ", 6) != 0)
        return false;
    const char *code = header + 6 + strspn(header + 6, " ");
    const size_t length = strlen(code);
    if (length == 0 || length % 4 != 0 || length / 4 * 3 >= AUTH_TEXT_MAX ||
        strspn(code, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") != length)
        return false;
    int decoded = EVP_DecodeBlock((unsigned char *)text, (const unsigned char *)code, (int)length);
    if (decoded < 0)
        return false;
    decoded -= (code[length - 1] == '=') + (code[length - 2] == '=');
    text[decoded] = '\0';
    return strlen(text) == (size_t)decoded && strchr(text, ':');
}

static bool is_right(struct auth *auth, const char *password, const char *hash)
{
    const char *made = crypt_r(password, hash, &auth->data);
    const size_t length = strlen(hash);
    return made && made[0] != '*' && strlen(made) == length &&
           CRYPTO_memcmp(made, hash, length) == 0;
}

/* For a user that does not exist the first one's hash is computed. */
static enum auth_verdict compare(struct auth *auth, char text[static AUTH_TEXT_MAX])
{
    char *password = strchr(text, ':');
    const struct metrics_user *user = &auth->users->list[0];
    bool known = false;
    *password++ = '\0';
    for (size_t i = 0; i < auth->users->count; i++)
        if (strcmp(auth->users->list[i].name, text) == 0) {
            user = &auth->users->list[i];
            known = true;
        }
    if (!is_right(auth, password, user->hash) || !known)
        return AUTH_NONE;
    return user->admin ? AUTH_ADMIN : AUTH_USER;
}

/* --- together -------------------------------------------------------------------------------- */

enum auth_verdict auth_judge(struct auth *auth, const char *header, const char *source,
                             uint64_t now)
{
    char text[AUTH_TEXT_MAX];
    if (!auth->users->path)
        return AUTH_USER;
    if (!header)
        return AUTH_NONE;
    enum auth_verdict verdict = recall(auth, header, now);
    if (verdict != AUTH_NONE)
        return verdict;
    struct source *from = source_of(auth, source, now);
    from->used = now;
    refill(&from->allowance, SOURCE_BURST, SOURCE_INTERVAL_MS, now);
    refill(&auth->all, ALL_BURST, ALL_INTERVAL_MS, now);
    if (from->allowance.left == 0 || auth->all.left == 0)
        return AUTH_LIMITED;
    if (auth->users->count > 0 && auth_read_header(header, text))
        verdict = compare(auth, text);
    explicit_bzero(text, sizeof text);
    if (verdict != AUTH_NONE) {
        remember(auth, header, verdict, now);
        return verdict;
    }
    from->allowance.left--;
    auth->all.left--;
    return AUTH_NONE;
}

struct auth *auth_new(const struct metrics_users *users)
{
    struct auth *auth = calloc(1, sizeof *auth);
    if (!auth)
        return NULL;
    auth->users = users;
    auth->all.left = ALL_BURST;
    if (getrandom(auth->key, sizeof auth->key, 0) == (ssize_t)sizeof auth->key)
        return auth;
    free(auth);
    return NULL;
}

void auth_free(struct auth *auth)
{
    if (!auth)
        return;
    explicit_bzero(auth, sizeof *auth);
    free(auth);
}
