#include "scripts/bench/secure.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

static SSL_CTX *context;
static SSL_SESSION *last;
static bool resumes;

bool secure_init(enum secure secure)
{
    resumes = secure == SECURE_RESUMED;
    context = SSL_CTX_new(TLS_client_method());
    if (!context || !SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION) ||
        !SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256") ||
        !SSL_CTX_set1_groups_list(context, "X25519"))
        return false;
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(context, 1);
    return true;
}

SSL *secure_new(int fd)
{
    SSL *tls = SSL_new(context);
    if (!tls || !SSL_set_fd(tls, fd)) {
        SSL_free(tls);
        return NULL;
    }
    if (last && SSL_set_session(tls, last))
        SSL_set_app_data(tls, last); /* it is to be resumed */
    SSL_set_connect_state(tls);
    return tls;
}

static bool waits(SSL *tls, int result)
{
    int error = SSL_get_error(tls, result);
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

int secure_handshake(SSL *tls)
{
    ERR_clear_error();
    int result = SSL_do_handshake(tls);
    if (result == 1)
        return SSL_get_app_data(tls) && !SSL_session_reused(tls) ? -1 : 1;
    return waits(tls, result) ? 0 : -1;
}

/* What SSL_read() and SSL_write() have returned, as recv(2) and send(2) would. */
static ssize_t returned(SSL *tls, int result)
{
    if (result > 0)
        return result;
    int before = errno;
    switch (SSL_get_error(tls, result)) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        errno = EAGAIN;
        return -1;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        errno = before ? before : EPROTO;
        return -1;
    default:
        errno = EPROTO;
        return -1;
    }
}

ssize_t secure_send(SSL *tls, const void *bytes, size_t size)
{
    ERR_clear_error();
    errno = 0;
    return returned(tls, SSL_write(tls, bytes, (int)size));
}

ssize_t secure_receive(SSL *tls, void *bytes, size_t size)
{
    ERR_clear_error();
    errno = 0;
    return returned(tls, SSL_read(tls, bytes, (int)size));
}

bool secure_pending(const SSL *tls)
{
    return SSL_has_pending(tls);
}

void secure_free(SSL *tls, bool well)
{
    if (well) {
        SSL_SESSION *session = resumes ? SSL_get1_session(tls) : NULL;
        if (session && SSL_SESSION_is_resumable(session)) {
            SSL_SESSION_free(last);
            last = session;
        } else {
            SSL_SESSION_free(session);
        }
        SSL_shutdown(tls);
    }
    SSL_free(tls);
}
