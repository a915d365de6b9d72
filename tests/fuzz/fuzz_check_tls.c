/* What a server says to the TLS of a check. The first byte: whether the bytes come as they are or
 * change what an honest server says (XOR), whether its certificate is verified, and which version
 * the server speaks. The handshake has random numbers, so what a changed handshake leads to may
 * differ; what the functions promise must hold. */
#include "proxy/backend/check/tls_client.h"
#include "proxy/tls/tls.h"

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static SSL_CTX *server_context;
static struct check_conf confs[2]; /* the second verifies */
static struct tls_client_context *contexts[2];
static const struct address address = {.length = sizeof address.in, .in.sin_family = AF_INET};

static void must(bool so)
{
    if (!so)
        abort();
}

static void end(void)
{
    for (size_t i = 0; i < 2; i++)
        tls_client_context_free(contexts[i]);
    X509_STORE_free(confs[1].authorities);
    SSL_CTX_free(server_context);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x509 = X509_new();
    X509_NAME *name = x509 ? X509_get_subject_name(x509) : NULL;
    (void)argc;
    (void)argv;
    signal(SIGPIPE, SIG_IGN); /* as the proxy does */
    server_context = SSL_CTX_new(TLS_server_method());
    confs[1].authorities = X509_STORE_new();
    must(key && name && server_context && confs[1].authorities && X509_set_version(x509, 2) &&
         X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, (const unsigned char *)"a.test", -1,
                                    -1, 0) &&
         X509_set_issuer_name(x509, name) && X509_gmtime_adj(X509_getm_notBefore(x509), -60) &&
         X509_gmtime_adj(X509_getm_notAfter(x509), 86400) && X509_set_pubkey(x509, key) &&
         X509_sign(x509, key, EVP_sha256()) > 0 &&
         X509_STORE_add_cert(confs[1].authorities, x509) &&
         SSL_CTX_use_certificate(server_context, x509) &&
         SSL_CTX_use_PrivateKey(server_context, key));
    SSL_CTX_set_session_cache_mode(server_context, SSL_SESS_CACHE_OFF);
    X509_free(x509);
    EVP_PKEY_free(key);
    for (size_t i = 0; i < 2; i++)
        must((contexts[i] = tls_client_context_new(&confs[i])) != NULL);
    atexit(end);
    return 0;
}

/* The server's side: an honest server, or no server, where the input is what the client receives.
 */
struct server {
    int fd;
    struct tls *tls;
    struct tls_output output;
    const unsigned char *data;
    size_t size;
};

static void open_server(struct server *server, bool is_honest, int version)
{
    if (!is_honest)
        return;
    SSL *ssl = SSL_new(server_context);
    must(ssl && SSL_set_max_proto_version(ssl, version));
    SSL_set_accept_state(ssl);
    server->tls = tls_new(ssl, &server->output);
    must(server->tls != NULL);
}

static void say(struct server *server, unsigned char *bytes, size_t length)
{
    size_t changed = length < server->size ? length : server->size;
    for (size_t i = 0; i < changed; i++)
        bytes[i] ^= server->data[i];
    server->data += changed;
    server->size -= changed;
    (void)!send(server->fd, bytes, length, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* Hears the client and answers. False: there will be nothing more. */
static bool serve(struct server *server)
{
    unsigned char heard[16384];
    ssize_t length = recv(server->fd, heard, sizeof heard, MSG_DONTWAIT);
    if (!server->tls) {
        (void)!send(server->fd, server->data, server->size, MSG_NOSIGNAL | MSG_DONTWAIT);
        return false;
    }
    bool goes_on = length > 0 && tls_receive(server->tls, heard, (size_t)length) == TLS_GOES_ON;
    if (goes_on && tls_is_open(server->tls))
        goes_on = tls_seal(server->tls, (const unsigned char *)"words", 5);
    if (server->output.sealed_length > 0)
        say(server, server->output.sealed, server->output.sealed_length);
    server->output.sealed_length = 0;
    return goes_on;
}

static void expect_reason(struct tls_client *client)
{
    const char *at = tls_client_error(client);
    must(*at != '\0');
    for (; *at; at++)
        must(*at >= ' ' && *at <= '~');
}

/* One more step of a check. False: it is over. */
static bool go_on(struct tls_client *client, bool *is_open)
{
    unsigned char bytes[64];
    size_t length = 0;
    enum tls_progress progress = *is_open ? tls_client_read(client, bytes, sizeof bytes, &length)
                                          : tls_client_handshake(client);
    if (progress == TLS_FAILED)
        expect_reason(client);
    must(progress != TLS_ENDED || *is_open);
    if (progress == TLS_DONE && *is_open)
        must(length > 0 && length <= sizeof bytes);
    if (progress == TLS_DONE && !*is_open) {
        *is_open = true;
        (void)tls_client_was_asked(client);
        progress = tls_client_write(client, "ping", 4, &length);
    }
    return progress == TLS_DONE || progress == TLS_WAITS;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    int pair[2];
    bool is_open = false, goes_on;
    if (size < 1)
        return 0;
    const unsigned choice = data[0];
    must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) == 0);
    struct server server = {.fd = pair[1], .data = data + 1, .size = size - 1};
    open_server(&server, choice & 1, choice & 4 ? TLS1_2_VERSION : TLS1_3_VERSION);
    struct tls_client *client =
        tls_client_new(contexts[choice / 2 % 2], pair[0], choice & 8 ? "a.test" : NULL, &address);
    must(client != NULL);
    goes_on = go_on(client, &is_open);
    for (unsigned flights = 0; flights < 8 && goes_on && serve(&server); flights++)
        goes_on = go_on(client, &is_open);
    shutdown(pair[1], SHUT_RDWR);
    for (unsigned i = 0; goes_on; i++) {
        must(i < 65536); /* the end of the stream is the end of the check */
        goes_on = go_on(client, &is_open);
    }
    tls_client_end(client);
    tls_client_free(client);
    tls_free(server.tls);
    tls_output_free(&server.output);
    close(pair[0]);
    close(pair[1]);
    return 0;
}
