#include "proxy/tls/tls.h"

#include "config/base/clock.h"
#include "proxy/tls/hello_gate.h"

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

/* The longest record with its header, RFC 8446, 5.2: what the other side had begun before may come
 * with it. */
#define RECORD_MOST (5 + 16384 + 2048)

/* After the handshake a side may send so many messages of TLS itself in a second: changes of keys
 * (TLS 1.3), tickets, refused renegotiations (TLS 1.2), alerts. Each costs this side as much as it
 * costs the other one, or more, and is of no use by the thousand. */
#define MESSAGES_MOST 32
#define MESSAGES_MS   1000

struct tls {
    SSL *ssl;
    struct tls_output *output;
    const unsigned char *input; /* what is left of the bytes that were received */
    size_t input_length;
    bool is_open, has_ended, has_said_end;
    bool gated;             /* the next message of the other side is a ClientHello */
    bool floods;            /* the other side sends too many messages */
    unsigned messages;      /* since messages_at */
    uint64_t messages_at;   /* milliseconds */
    struct hello_gate gate; /* where gated */
    unsigned char *held;    /* what is to be sealed later; NULL: nothing */
    size_t held_length;
    bool holds_end;
    const char *error; /* constant, or of OpenSSL, which never frees it; NULL: none */
    enum tls_failure failure;
};

/* --- OpenSSL's way to the bytes ------------------------------------------------------------- */

static int bio_read(BIO *bio, char *bytes, size_t size, size_t *length)
{
    struct tls *tls = BIO_get_data(bio);
    *length = size < tls->input_length ? size : tls->input_length;
    if (*length == 0 || tls->floods) {
        *length = 0;
        BIO_set_retry_read(bio);
        return 0;
    }
    memcpy(bytes, tls->input, *length);
    tls->input += *length;
    tls->input_length -= *length;
    return 1;
}

static bool reserve(unsigned char **memory, size_t *room, size_t wanted)
{
    if (wanted <= *room)
        return true;
    unsigned char *more = realloc(*memory, wanted);
    if (!more)
        return false;
    *memory = more;
    *room = wanted;
    return true;
}

static int bio_write(BIO *bio, const char *bytes, size_t length, size_t *written)
{
    struct tls *tls = BIO_get_data(bio);
    struct tls_output *output = tls->output;
    size_t wanted = output->sealed_length + length;
    if (wanted > output->sealed_room && !reserve(&output->sealed, &output->sealed_room, wanted * 2))
        return 0;
    memcpy(output->sealed + output->sealed_length, bytes, length);
    output->sealed_length = wanted;
    *written = length;
    return 1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH;
}

static BIO_METHOD *method;

static void make_method(void)
{
    method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "session");
    if (method &&
        (!BIO_meth_set_read_ex(method, bio_read) || !BIO_meth_set_write_ex(method, bio_write) ||
         !BIO_meth_set_ctrl(method, bio_control))) {
        BIO_meth_free(method);
        method = NULL;
    }
}

static BIO *bio_new(struct tls *tls)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    pthread_once(&once, make_method);
    BIO *bio = method ? BIO_new(method) : NULL;
    if (bio) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* OpenSSL calls this for each message of the handshake and for each alert, and not for data. */
static void on_message(const SSL *ssl, int where, int result)
{
    struct tls *tls = BIO_get_data(SSL_get_rbio(ssl));
    (void)result;
    if (!tls->is_open || !(where & (SSL_CB_LOOP | SSL_CB_ALERT)))
        return;
    const uint64_t now = clock_ms();
    if (now - tls->messages_at >= MESSAGES_MS) {
        tls->messages_at = now;
        tls->messages = 0;
    }
    tls->floods |= ++tls->messages > MESSAGES_MOST;
}

/* --- one connection ------------------------------------------------------------------------- */

struct tls *tls_new(SSL *ssl, struct tls_output *output)
{
    struct tls *tls = calloc(1, sizeof *tls);
    BIO *bio = tls && ssl ? bio_new(tls) : NULL;
    if (!bio) {
        SSL_free(ssl);
        free(tls);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(ssl, bio, bio);
    SSL_set_info_callback(ssl, on_message);
    tls->ssl = ssl;
    tls->output = output;
    tls->gated = SSL_is_server(ssl);
    return tls;
}

void tls_free(struct tls *tls)
{
    if (!tls)
        return;
    SSL_free(tls->ssl);
    hello_gate_free(&tls->gate);
    free(tls->held);
    free(tls);
}

bool tls_is_open(const struct tls *tls)
{
    return tls->is_open;
}

bool tls_has_ended(const struct tls *tls)
{
    return tls->has_ended;
}

SSL *tls_ssl(const struct tls *tls)
{
    return tls->ssl;
}

/* What a peer's certificate lacks says more than that the handshake failed. */
static void note_error(struct tls *tls)
{
    unsigned long error = ERR_peek_error();
    long verified = SSL_get_verify_mode(tls->ssl) == SSL_VERIFY_NONE
                        ? X509_V_OK
                        : SSL_get_verify_result(tls->ssl);
    tls->failure =
        tls_failure_of(ERR_GET_LIB(error) == ERR_LIB_SSL ? ERR_GET_REASON(error) : 0, verified);
    if (tls->failure == TLS_FAILED_NAME) /* OpenSSL says only that a callback has failed */
        tls->error = "no certificate has the server name";
    else if (verified == X509_V_OK)
        tls->error = error ? ERR_reason_error_string(error) : NULL;
    else
        tls->error = X509_verify_cert_error_string(verified);
    if (!tls->error)
        tls->error = "out of memory";
}

static enum tls_result fail(struct tls *tls, const char *error)
{
    tls->error = error;
    ERR_clear_error();
    return TLS_HAS_FAILED;
}

static enum tls_result judge(struct tls *tls, int result)
{
    if (tls->floods)
        return fail(tls, "too many messages of TLS itself");
    switch (SSL_get_error(tls->ssl, result)) {
    case SSL_ERROR_NONE:
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return TLS_GOES_ON;
    case SSL_ERROR_ZERO_RETURN:
        tls->has_ended = true;
        return TLS_HAS_ENDED;
    default:
        note_error(tls);
        ERR_clear_error();
        return TLS_HAS_FAILED;
    }
}

/* Opens all records that are complete. */
static enum tls_result open_records(struct tls *tls)
{
    struct tls_output *output = tls->output;
    for (;;) {
        size_t got;
        int result = SSL_read_ex(tls->ssl, output->plain + output->plain_length,
                                 output->plain_room - output->plain_length, &got);
        if (result != 1)
            return judge(tls, result);
        output->plain_length += got;
    }
}

static enum tls_result open_all(struct tls *tls, const unsigned char *bytes, size_t length)
{
    struct tls_output *output = tls->output;
    if (!reserve(&output->plain, &output->plain_room, output->plain_length + length + RECORD_MOST))
        return fail(tls, "out of memory");
    tls->input = bytes;
    tls->input_length = length;
    if (!SSL_is_init_finished(tls->ssl)) {
        int result = SSL_do_handshake(tls->ssl);
        if (result != 1)
            return judge(tls, result);
        tls->is_open = true;
    }
    return open_records(tls);
}

/* After its flight a server of TLS 1.3 is in this state, which may have been the request for
 * another ClientHello (HelloRetryRequest). */
static bool may_get_hello_again(const struct tls *tls)
{
    return SSL_get_state(tls->ssl) == TLS_ST_EARLY_DATA;
}

/* Sets *used to how many of the bytes were for the hello. */
static enum tls_result receive_hello(struct tls *tls, const unsigned char *bytes, size_t length,
                                     size_t *used)
{
    const enum hello_gate_verdict verdict = hello_gate_take(&tls->gate, &bytes, &length, used);
    switch (verdict) {
    case HELLO_GATE_HOLDS:
        return TLS_GOES_ON;
    case HELLO_GATE_TOO_LONG:
        return fail(tls, "the ClientHello is too long");
    case HELLO_GATE_NO_MEMORY:
        return fail(tls, "out of memory");
    case HELLO_GATE_OPENS:
    case HELLO_GATE_NO_HELLO:
        break;
    }
    enum tls_result result = open_all(tls, bytes, length);
    hello_gate_free(&tls->gate);
    tls->gated = verdict == HELLO_GATE_OPENS && may_get_hello_again(tls);
    return result;
}

/* --- what is said -------------------------------------------------------------------------- */

/* The other side is in the middle of a message of TLS itself. OpenSSL would read the rest before it
 * writes, and neither writes nor ends until then. */
static bool is_amid_message(const struct tls *tls)
{
    return tls->is_open && SSL_in_init(tls->ssl);
}

bool tls_holds(const struct tls *tls)
{
    return tls->held || tls->holds_end;
}

static bool hold(struct tls *tls, const unsigned char *bytes, size_t length)
{
    unsigned char *held = realloc(tls->held, tls->held_length + length);
    if (!held) {
        (void)fail(tls, "out of memory");
        return false;
    }
    memcpy(held + tls->held_length, bytes, length);
    tls->held = held;
    tls->held_length += length;
    return true;
}

static bool seal(struct tls *tls, const unsigned char *bytes, size_t length)
{
    size_t written;
    int result = SSL_write_ex(tls->ssl, bytes, length, &written);
    if (result == 1)
        return true;
    (void)judge(tls, result);
    return false;
}

static void say_end(struct tls *tls)
{
    (void)SSL_shutdown(tls->ssl);
    ERR_clear_error();
}

/* The message is complete. */
static bool release(struct tls *tls)
{
    const bool sealed = !tls->held || seal(tls, tls->held, tls->held_length);
    free(tls->held);
    tls->held = NULL;
    tls->held_length = 0;
    if (sealed && tls->holds_end)
        say_end(tls);
    tls->holds_end = false;
    return sealed;
}

static enum tls_result open_and_release(struct tls *tls, const unsigned char *bytes, size_t length)
{
    enum tls_result result = open_all(tls, bytes, length);
    if (result == TLS_HAS_FAILED || !tls_holds(tls) || is_amid_message(tls))
        return result;
    return release(tls) ? result : TLS_HAS_FAILED;
}

enum tls_result tls_receive(struct tls *tls, const unsigned char *bytes, size_t length)
{
    enum tls_result result = TLS_GOES_ON;
    tls->output->plain_length = tls->output->sealed_length = 0;
    while (tls->gated && length > 0 && result == TLS_GOES_ON) {
        size_t used;
        result = receive_hello(tls, bytes, length, &used);
        bytes += used;
        length -= used;
    }
    if (tls->gated || result != TLS_GOES_ON)
        return result;
    return open_and_release(tls, bytes, length);
}

bool tls_seal(struct tls *tls, const unsigned char *bytes, size_t length)
{
    tls->output->plain_length = tls->output->sealed_length = 0;
    if (length == 0)
        return true;
    return tls->held || is_amid_message(tls) ? hold(tls, bytes, length) : seal(tls, bytes, length);
}

void tls_end(struct tls *tls)
{
    tls->output->plain_length = tls->output->sealed_length = 0;
    if (tls->has_said_end)
        return;
    tls->has_said_end = true;
    tls->holds_end = tls_holds(tls) || is_amid_message(tls);
    if (!tls->holds_end)
        say_end(tls);
}

const char *tls_error(const struct tls *tls)
{
    return tls->error ? tls->error : "";
}

enum tls_failure tls_failure(const struct tls *tls)
{
    return tls->error ? tls->failure : TLS_FAILED_ENDED;
}

void tls_output_free(struct tls_output *output)
{
    free(output->plain);
    free(output->sealed);
    *output = (struct tls_output){0};
}
