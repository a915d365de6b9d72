#include "tests/system/support/tls_peer.h"

#include "tests/system/support/harness.h"
#include "tests/system/support/net.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void tls_certificate(const char *name, const char *names)
{
    struct outcome outcome;
    char file[64], key_file[64], path[PATH_MAX], key[PATH_MAX], extension[512];
    snprintf(file, sizeof file, "%s.pem", name);
    snprintf(key_file, sizeof key_file, "%s.pem.key", name);
    snprintf(extension, sizeof extension, "subjectAltName=%s", names);
    run(&outcome, "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
        "-nodes", "-days", "2", "-subj", "/CN=test", "-addext", extension, "-keyout",
        test_path(key, key_file), "-out", test_path(path, file), NULL);
    ck_assert_msg(outcome.code == 0, "openssl: %s", outcome.err);
}

static void begin(struct tls_peer *peer, int fd, const SSL_METHOD *method)
{
    peer->fd = fd;
    SSL_CTX *context = SSL_CTX_new(method);
    ck_assert_ptr_nonnull(context);
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
    peer->context = context;
}

static void take_socket(struct tls_peer *peer)
{
    peer->ssl = SSL_new(peer->context);
    ck_assert_ptr_nonnull(peer->ssl);
    ck_assert_int_eq(SSL_set_fd(peer->ssl, peer->fd), 1);
}

void tls_client(struct tls_peer *peer, int fd, const char *sni, int version)
{
    begin(peer, fd, TLS_client_method());
    const int versions[] = {[2] = TLS1_2_VERSION, [3] = TLS1_3_VERSION};
    SSL_CTX_set_min_proto_version(peer->context, versions[version]);
    SSL_CTX_set_max_proto_version(peer->context, versions[version]);
    take_socket(peer);
    if (sni)
        ck_assert_int_eq((int)SSL_ctrl(peer->ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME,
                                       TLSEXT_NAMETYPE_host_name, (void *)(uintptr_t)sni),
                         1);
    SSL_set_connect_state(peer->ssl);
}

void tls_server(struct tls_peer *peer, int fd, const char *name)
{
    char file[64], path[PATH_MAX];
    begin(peer, fd, TLS_server_method());
    snprintf(file, sizeof file, "%s.pem", name);
    ck_assert_int_eq(SSL_CTX_use_certificate_chain_file(peer->context, test_path(path, file)), 1);
    snprintf(file, sizeof file, "%s.pem.key", name);
    ck_assert_int_eq(
        SSL_CTX_use_PrivateKey_file(peer->context, test_path(path, file), SSL_FILETYPE_PEM), 1);
    take_socket(peer);
    SSL_set_accept_state(peer->ssl);
}

bool tls_try(struct tls_peer *peer)
{
    ERR_clear_error();
    return SSL_do_handshake(peer->ssl) == 1;
}

const char *tls_wrong(void)
{
    const char *reason = ERR_reason_error_string(ERR_peek_error());
    return reason ? reason : "the connection has ended";
}

void tls_shake(struct tls_peer *peer)
{
    ck_assert_msg(tls_try(peer), "TLS handshake: %s", tls_wrong());
}

size_t tls_hello(struct tls_peer *peer, unsigned char *bytes, size_t room)
{
    BIO *memory = BIO_new(BIO_s_mem()), *in = BIO_new_socket(peer->fd, BIO_NOCLOSE);
    BIO_set_mem_eof_return(memory, -1);
    BIO_up_ref(memory);
    SSL_set_bio(peer->ssl, BIO_new(BIO_s_mem()), memory);
    ck_assert_int_le(SSL_do_handshake(peer->ssl), 0);
    size_t length;
    ck_assert_int_eq(BIO_read_ex(memory, bytes, room, &length), 1);
    BIO_free(memory);
    SSL_set_bio(peer->ssl, in, BIO_new_socket(peer->fd, BIO_NOCLOSE));
    return length;
}

bool tls_shows(const struct tls_peer *peer, const char *name)
{
    X509 *shown = SSL_get0_peer_certificate(peer->ssl);
    return shown && X509_check_host(shown, name, 0, 0, NULL) == 1;
}

void tls_send(struct tls_peer *peer, const void *bytes, size_t length)
{
    size_t sent;
    ck_assert_int_eq(SSL_write_ex(peer->ssl, bytes, length, &sent), 1);
    ck_assert_uint_eq(sent, length);
}

void tls_receive_exactly(struct tls_peer *peer, void *bytes, size_t length)
{
    for (size_t at = 0, got; at < length; at += got) {
        int result = SSL_read_ex(peer->ssl, (char *)bytes + at, length - at, &got);
        ck_assert_msg(result == 1, "TLS: %zu of %zu bytes, then: %s", at, length, tls_wrong());
    }
}

void tls_exchange(struct tls_peer *client, int server)
{
    char bytes[6];
    tls_send(client, "there", 6);
    receive_exactly(server, bytes, 6);
    ck_assert_str_eq(bytes, "there");
    send_all(server, "back!", 6);
    tls_receive_exactly(client, bytes, 6);
    ck_assert_str_eq(bytes, "back!");
}

void tls_say_end(struct tls_peer *peer)
{
    ck_assert_int_ge(SSL_shutdown(peer->ssl), 0);
}

void tls_expect_end(struct tls_peer *peer)
{
    char byte;
    int result = SSL_read(peer->ssl, &byte, 1);
    ck_assert_int_eq(SSL_get_error(peer->ssl, result), SSL_ERROR_ZERO_RETURN);
    expect_eof(peer->fd);
}

void tls_expect_cut(struct tls_peer *peer)
{
    char byte;
    int result = SSL_read(peer->ssl, &byte, 1), error = SSL_get_error(peer->ssl, result);
    ck_assert(error == SSL_ERROR_SYSCALL || error == SSL_ERROR_SSL);
    ERR_clear_error();
}

void tls_close(struct tls_peer *peer)
{
    SSL_free(peer->ssl);
    SSL_CTX_free(peer->context);
    close(peer->fd);
    *peer = (struct tls_peer){.fd = -1};
}
