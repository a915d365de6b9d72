#include "config/tls/tls_context.h"

#include "config/base/memory.h"
#include "config/tls/complaint.h"

#include <ctype.h>
#include <openssl/ssl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

SSL_CTX *tls_context_new(const struct ssl_method_st *method)
{
    SSL_CTX *context = SSL_CTX_new(method);
    if (!context)
        return NULL;
    SSL_CTX_set_options(context, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    /* The whole chain is in the file: OpenSSL must not look for one in each handshake. */
    SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_NO_AUTO_CHAIN);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    /* Tickets allow none. What a client sends nevertheless, because it has a ticket of another
     * server, is skipped, as far as OpenSSL's default goes (16 KB): a limit of 0 would end the
     * handshake. */
    SSL_CTX_set_max_early_data(context, 0);
    return context;
}

int tls_context_version(enum tls_version version)
{
    return version == TLS_VERSION_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;
}

bool tls_context_set_curves(SSL_CTX *context, const char *curves)
{
    return SSL_CTX_set1_groups_list(context, (char *)(uintptr_t)curves) == 1; /* not changed */
}

/* --- values -------------------------------------------------------------------------------- */

static SSL_CTX *scratch(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    if (!context)
        abort(); /* as memory_new() */
    return context;
}

/* Calls take() for each word, and returns what the first one that it refuses is complained of for.
 */
static const char *check_words(const char *value, const char *separators, const char *what,
                               int (*take)(SSL_CTX *context, const char *word))
{
    const char *wrong = NULL;
    SSL_CTX *context = scratch();
    char *words = memory_copy(value), *rest;
    for (char *word = strtok_r(words, separators, &rest); word && !wrong;
         word = strtok_r(NULL, separators, &rest))
        if (!take(context, word))
            wrong = tls_complain("has '%.64s', which is no %s that OpenSSL knows", word, what);
    free(words);
    SSL_CTX_free(context);
    return wrong;
}

/* Words without an operator must be known; "@STRENGTH" and "@SECLEVEL=2" are commands. */
static int take_cipher(SSL_CTX *context, const char *word)
{
    word += strspn(word, "!-+");
    return word[0] == '@' || SSL_CTX_set_cipher_list(context, word);
}

const char *tls_check_ciphers(const char *value)
{
    SSL_CTX *context = scratch();
    const char *wrong = check_words(value, ": ,;", "cipher of TLS 1.2", take_cipher);
    if (!wrong && !SSL_CTX_set_cipher_list(context, value))
        wrong = tls_complain("leaves no cipher of TLS 1.2");
    SSL_CTX_free(context);
    return wrong;
}

static int take_ciphersuite(SSL_CTX *context, const char *word)
{
    return SSL_CTX_set_ciphersuites(context, word);
}

const char *tls_check_ciphersuites(const char *value)
{
    if (!value[strspn(value, ":")])
        return "must name a cipher suite of TLS 1.3";
    return check_words(value, ":", "cipher suite of TLS 1.3", take_ciphersuite);
}

static int take_curve(SSL_CTX *context, const char *word)
{
    return tls_context_set_curves(context, word);
}

const char *tls_check_curves(const char *value)
{
    SSL_CTX *context = scratch();
    const char *wrong = check_words(value, ":", "curve", take_curve);
    if (!wrong && !tls_context_set_curves(context, value))
        wrong = tls_complain("is no list of curves: %s", tls_reason());
    SSL_CTX_free(context);
    return wrong;
}

unsigned char *tls_alpn_wire(const struct words *names, unsigned *length)
{
    size_t total = 0;
    *length = 0;
    for (size_t i = 0; i < names->count; i++)
        total += 1 + strlen(names->list[i]);
    if (total == 0)
        return NULL;
    unsigned char *wire = memory_new(total, 1), *at = wire;
    for (size_t i = 0; i < names->count; i++) {
        size_t name = strlen(names->list[i]);
        *at++ = (unsigned char)name;
        memcpy(at, names->list[i], name);
        at += name;
    }
    *length = (unsigned)total;
    return wire;
}
