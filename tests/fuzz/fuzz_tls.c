/* What a peer says, to the side of a server or of a client. The first byte: which side, which
 * version, whether the bytes come as they are or change what an honest peer says (XOR), and in
 * which pieces. The handshake has random numbers, so what a changed handshake leads to may differ;
 * what the functions promise must hold. */
#include "proxy/tls/hello_gate.h"
#include "proxy/tls/tls.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static SSL_CTX *contexts[2]; /* of clients, and of servers */

static bool give_certificate(SSL_CTX *context)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    bool good = key && x509 && X509_gmtime_adj(X509_getm_notBefore(x509), -60) &&
                X509_gmtime_adj(X509_getm_notAfter(x509), 3600) && X509_set_pubkey(x509, key) &&
                X509_sign(x509, key, EVP_sha256()) > 0 && SSL_CTX_use_certificate(context, x509) &&
                SSL_CTX_use_PrivateKey(context, key);
    X509_free(x509);
    EVP_PKEY_free(key);
    return good;
}

static void begin(void)
{
    contexts[0] = SSL_CTX_new(TLS_client_method());
    contexts[1] = SSL_CTX_new(TLS_server_method());
    for (unsigned i = 0; i < 2; i++) {
        if (!contexts[i] || !give_certificate(contexts[i]))
            abort();
        SSL_CTX_set_options(contexts[i], SSL_OP_NO_RENEGOTIATION);
        SSL_CTX_set_mode(contexts[i], SSL_MODE_RELEASE_BUFFERS);
        SSL_CTX_set_session_cache_mode(contexts[i], SSL_SESS_CACHE_OFF);
    }
}

struct side {
    struct tls *tls;
    struct tls_output output;
};

static void open_side(struct side *side, bool is_server, int version)
{
    SSL *ssl = SSL_new(contexts[is_server]);
    SSL_set_max_proto_version(ssl, version);
    if (is_server)
        SSL_set_accept_state(ssl);
    else
        SSL_set_connect_state(ssl);
    side->tls = tls_new(ssl, &side->output);
    if (!side->tls)
        abort();
}

static void close_side(struct side *side)
{
    tls_free(side->tls);
    tls_output_free(&side->output);
}

static bool receive(struct side *side, const unsigned char *bytes, size_t length)
{
    enum tls_result result = tls_receive(side->tls, bytes, length);
    if ((result == TLS_HAS_FAILED) != (*tls_error(side->tls) != '\0') ||
        side->output.plain_length > side->output.plain_room ||
        side->output.sealed_length > side->output.sealed_room ||
        (side->output.plain_length > 0 && !tls_is_open(side->tls)) ||
        (result == TLS_HAS_ENDED) != tls_has_ended(side->tls))
        abort();
    return result == TLS_GOES_ON;
}

/* All bytes in pieces; what is answered is dropped. */
static void hear(struct side *side, const unsigned char *bytes, size_t length, size_t piece)
{
    for (size_t at = 0; at < length; at += piece)
        if (!receive(side, bytes + at, length - at < piece ? length - at : piece))
            return;
    if (tls_is_open(side->tls) && tls_seal(side->tls, (const unsigned char *)"any", 3))
        tls_end(side->tls);
}

/* Takes away what a side has to say, changed by the data. The caller frees it. */
static unsigned char *take(struct side *from, size_t *length, const unsigned char **data,
                           size_t *size)
{
    unsigned char *sealed = malloc(from->output.sealed_length + 1);
    *length = from->output.sealed_length;
    if (!sealed)
        abort();
    if (*length > 0)
        memcpy(sealed, from->output.sealed, *length);
    from->output.sealed_length = 0;
    size_t changed = *length < *size ? *length : *size;
    for (size_t i = 0; i < changed; i++)
        sealed[i] ^= (*data)[i];
    *data += changed;
    *size -= changed;
    return sealed;
}

/* An honest peer, whose words are changed on the way. */
static void converse(struct side *side, struct side *peer, bool peer_begins, size_t piece,
                     const unsigned char *data, size_t size)
{
    const unsigned char *nothing = data;
    size_t none = 0, length;
    bool goes_on = receive(peer_begins ? peer : side, NULL, 0);
    for (unsigned flights = 0; flights < 8 && goes_on; flights++) {
        const bool from_peer = peer_begins == (flights % 2 == 0);
        struct side *from = from_peer ? peer : side, *to = from_peer ? side : peer;
        if (tls_is_open(from->tls) && from->output.sealed_length == 0)
            goes_on = tls_seal(from->tls, (const unsigned char *)"words", 5);
        unsigned char *sealed =
            from_peer ? take(from, &length, &data, &size) : take(from, &length, &nothing, &none);
        for (size_t at = 0; at < length && goes_on && !from_peer; at = length)
            goes_on = receive(to, sealed, length);
        if (from_peer && piece >= length)
            goes_on = goes_on && (length == 0 || receive(to, sealed, length));
        else if (from_peer)
            hear(to, sealed, length, piece);
        free(sealed);
    }
}

/* The gate gives all bytes on, in their order, however they come. */
static void check_gate(const unsigned char *data, size_t size, size_t piece)
{
    struct hello_gate gate = {0};
    for (size_t at = 0, used; at < size; at += used) {
        const unsigned char *bytes = data + at;
        size_t length = size - at < piece ? size - at : piece, before = gate.held_length;
        enum hello_gate_verdict verdict = hello_gate_take(&gate, &bytes, &length, &used);
        if (verdict == HELLO_GATE_HOLDS && gate.held_length != before + used)
            abort();
        if (verdict == HELLO_GATE_TOO_LONG || verdict == HELLO_GATE_NO_MEMORY)
            break;
        if (verdict != HELLO_GATE_HOLDS) {
            if (length != before + used || memcmp(bytes + before, data + at, used) != 0)
                abort();
            hello_gate_free(&gate);
        }
    }
    hello_gate_free(&gate);
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct side side = {0}, peer = {0};
    if (size == 0)
        return 0;
    if (!contexts[0])
        begin();
    const unsigned char choice = *data++;
    const bool is_server = choice & 1, changes = choice & 4;
    const int version = choice & 2 ? TLS1_2_VERSION : TLS1_3_VERSION;
    const size_t piece = choice & 8 ? SIZE_MAX / 2 : 1 + choice / 16 * 7u;
    size--;
    open_side(&side, is_server, version);
    open_side(&peer, !is_server, version);
    if (changes) {
        converse(&side, &peer, is_server, piece, data, size);
    } else {
        if (is_server || receive(&side, NULL, 0))
            hear(&side, data, size, piece);
        check_gate(data, size, piece);
    }
    close_side(&side);
    close_side(&peer);
    return 0;
}
