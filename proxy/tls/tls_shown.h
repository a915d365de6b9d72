/* What a handshake has shown, for logs, routes and PROXY headers. All of it is read from the
 * connection when it is asked for, so that a session which nobody asks about pays nothing. The
 * thread of the connection. */
#ifndef RPPROXY_PROXY_TLS_TLS_SHOWN_H
#define RPPROXY_PROXY_TLS_TLS_SHOWN_H

#include <stdbool.h>
#include <stddef.h>

struct tls;

/* The longest name of a client, with its NUL. */
#define TLS_CLIENT_MAX 256

/* "TLSv1.3", and the name of the cipher as OpenSSL has it. NULL: the handshake did not come so far.
 * Constants. */
const char *tls_shown_version(const struct tls *tls);
const char *tls_shown_cipher(const struct tls *tls);

/* The session of an earlier connection was resumed: nothing was signed, and the client's
 * certificate is the one that was verified then. */
bool tls_shown_resumed(const struct tls *tls);

/* Whether the other side has shown a certificate. One that was verified and found wrong ends the
 * handshake, so that it is not among them. */
bool tls_shown_certificate(const struct tls *tls);

/* The common name (CN) in the subject of that certificate, the last one if there are several, in
 * UTF-8. It may have any text that its authority has signed, but no NUL. NULL: there is none, or
 * one that is empty or longer than the text. Returns text. */
const char *tls_shown_name(const struct tls *tls, char text[static TLS_CLIENT_MAX]);

/* The whole subject of that certificate, as RFC 2253 writes it, but in UTF-8:
 * "CN=device-7,OU=North,O=Example". NULL: there is none, or one that is longer than the text.
 * Returns text. */
#define TLS_SUBJECT_MAX 1024
const char *tls_shown_subject(const struct tls *tls, char text[static TLS_SUBJECT_MAX]);

/* Of the certificate that this side has shown: how it was signed ("ecdsa-with-SHA256"), and its key
 * ("EC256", "RSA2048", "ED25519"), as HAProxy names them. NULL: none was shown. */
const char *tls_shown_own_signature(const struct tls *tls);
#define TLS_KEY_MAX 32
const char *tls_shown_own_key(const struct tls *tls, char text[static TLS_KEY_MAX]);

#endif
