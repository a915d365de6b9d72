#include "config/tls/tickets.h"

#include "config/base/memory.h"
#include "config/tls/ticket_file.h"
#include "config/tls/ticket_ring.h"

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct tickets {
    SSL_CTX *context;
    const struct ticket_file *file; /* NULL: the keys are of the ring */
    const struct ticket_ring *ring; /* NULL: not yet */
    EVP_CIPHER *small, *large;      /* fetched once, not for each ticket */
};

static int place = -1; /* of struct tickets in a context */

static void make_place(void)
{
    place = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, NULL);
}

static const struct tickets *tickets_of(SSL *ssl)
{
    return SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), place);
}

/* --- keys ---------------------------------------------------------------------------------- */

static bool find(const struct tickets *tickets, const unsigned char *name, struct ticket_key *key)
{
    if (!tickets->file)
        return ticket_ring_find(tickets->ring, name, ticket_ring_now(), key);
    const struct ticket_key *found = ticket_file_find(tickets->file, name);
    if (found)
        *key = *found;
    return found != NULL;
}

static bool current(const struct tickets *tickets, struct ticket_key *key)
{
    if (!tickets->file)
        return ticket_ring_current(tickets->ring, key);
    *key = tickets->file->keys[tickets->file->current];
    return true;
}

static bool use(const struct tickets *tickets, struct ticket_key *key, const unsigned char *iv,
                EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int seals)
{
    static char digest[] = "SHA256";
    const OSSL_PARAM parameters[] = {
        OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, key->mac, key->size),
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
        OSSL_PARAM_construct_end()};
    const EVP_CIPHER *kind = key->size == 16 ? tickets->small : tickets->large;
    return EVP_CipherInit_ex2(cipher, kind, key->cipher, iv, seals, NULL) &&
           EVP_MAC_CTX_set_params(mac, parameters);
}

/* Returns what OpenSSL wants (SSL_CTX_set_tlsext_ticket_key_evp_cb(3)): 0: another key; 1: it
 * goes on; 2: the same, and the client gets a new ticket, which is so for each; -1: failed. */
static int on_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                  EVP_MAC_CTX *mac, int seals)
{
    const struct tickets *tickets = tickets_of(ssl);
    struct ticket_key key;
    int result;
    if (seals) {
        if (!current(tickets, &key) || RAND_bytes(iv, EVP_CIPHER_get_iv_length(tickets->large)) < 1)
            return 0; /* no ticket */
        memcpy(name, key.name, TICKET_NAME_SIZE);
        result = 1;
    } else {
        if (!find(tickets, name, &key))
            return 0;
        result = 2;
    }
    if (!use(tickets, &key, iv, cipher, mac, seals))
        result = -1;
    OPENSSL_cleanse(&key, sizeof key);
    return result;
}

/* --- sessions ------------------------------------------------------------------------------ */

static bool is_expired(SSL_SESSION *session)
{
    time_t now = time(NULL);
    const X509 *peer = SSL_SESSION_get0_peer(session);
    if (peer && X509_cmp_time(X509_get0_notAfter(peer), &now) < 0)
        return true; /* a resumption would not verify it again */
    return now - SSL_SESSION_get_time(session) > SSL_SESSION_get_timeout(session);
}

/* A ticket was opened, or was not. */
static SSL_TICKET_RETURN on_opened(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                   size_t length, SSL_TICKET_STATUS status, void *arg)
{
    (void)ssl;
    (void)name;
    (void)length;
    (void)arg;
    switch (status) {
    case SSL_TICKET_SUCCESS:
    case SSL_TICKET_SUCCESS_RENEW:
        return is_expired(session) ? SSL_TICKET_RETURN_IGNORE_RENEW : SSL_TICKET_RETURN_USE_RENEW;
    default:
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    }
}

/* --- all of it ----------------------------------------------------------------------------- */

static bool set_keys(struct tickets *tickets)
{
    return SSL_CTX_set_tlsext_ticket_key_evp_cb(tickets->context, on_key) == 1;
}

struct tickets *tickets_new(SSL_CTX *context, const struct ticket_file *file)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_place);
    struct tickets *tickets = memory_new(1, sizeof *tickets);
    tickets->context = context;
    tickets->file = file;
    tickets->small = EVP_CIPHER_fetch(NULL, "AES-128-CBC", NULL);
    tickets->large = EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL);
    SSL_CTX_set_timeout(context, TICKET_LIFE);
    if (tickets->small && tickets->large && place >= 0 && SSL_CTX_set_num_tickets(context, 1) &&
        SSL_CTX_set_ex_data(context, place, tickets) &&
        SSL_CTX_set_session_ticket_cb(context, NULL, on_opened, NULL) &&
        (!file || set_keys(tickets)))
        return tickets;
    tickets_free(tickets);
    return NULL;
}

void tickets_share(struct tickets *tickets, const struct ticket_ring *ring)
{
    tickets->ring = ring;
    set_keys(tickets);
}

bool tickets_need_ring(const struct tickets *tickets)
{
    return !tickets->file;
}

void tickets_free(struct tickets *tickets)
{
    if (!tickets)
        return;
    EVP_CIPHER_free(tickets->small);
    EVP_CIPHER_free(tickets->large);
    free(tickets);
}
