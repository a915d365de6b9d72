/* The bytes of sessions of which one side, or both, speaks TLS (proxy/tls/tls.h). What such a side
 * is sent is kept sealed, so that conn->unsent is always what goes to the socket as it is. The
 * engine's thread. */
#ifndef RPPROXY_PROXY_SESSION_SEALED_H
#define RPPROXY_PROXY_SESSION_SEALED_H

#include "proxy/session/conn.h"

#include <openssl/types.h>

struct tls;

/* This side speaks TLS from now on; ssl is taken, and may be NULL. What the other side says first
 * is received by the functions below. NULL: out of memory. */
struct tls *sealed_begin(struct conn *conn, SSL *ssl) __attribute__((warn_unused_result));

/* The connection is closed: the next one of this side speaks no TLS yet. */
void sealed_drop(struct conn *conn);

/* NULL: this side speaks no TLS. */
struct tls *sealed_tls(const struct conn *conn);

/* As engine_receive(), of what the other side has said inside of TLS, or as it is where there is no
 * TLS; what TLS demands is answered. A stream that ends without TLS having ended was cut: -1, after
 * all that came before. *bytes is valid until the next function of this header is called for any
 * connection of the worker. */
ssize_t sealed_receive(struct conn *from, struct engine *engine, size_t most,
                       const unsigned char **bytes) __attribute__((warn_unused_result));

/* The same with bytes that were received before; the end of the stream is left to
 * sealed_receive(). */
ssize_t sealed_open(struct conn *from, struct engine *engine, const unsigned char **bytes,
                    size_t length) __attribute__((warn_unused_result));

enum sealed_sent { SEALED_SENT, SEALED_FAILED, SEALED_NO_MEMORY };

/* Sends all; what the connection does not take becomes its `unsent`, behind what is there already.
 * What TLS holds (tls_holds()) is owed as well: `unsent` has the length 0 then, or that of what is
 * before it. */
enum sealed_sent sealed_send(struct conn *to, struct engine *engine, const unsigned char *bytes,
                             size_t length) __attribute__((warn_unused_result));

/* The same with bytes that are for the socket as they are. */
enum sealed_sent sealed_send_raw(struct conn *to, struct engine *engine, const unsigned char *bytes,
                                 size_t length) __attribute__((warn_unused_result));

/* What it is owed is not all there yet: TLS holds the rest. */
bool sealed_holds(const struct conn *to);

/* As engine_is_whole(), of a connection that was reset; under TLS: its end was received. */
bool sealed_is_whole(const struct conn *from);

/* Tells a side that speaks TLS that nothing more will come; after that its socket may be shut. */
enum sealed_sent sealed_end(struct conn *to, struct engine *engine)
    __attribute__((warn_unused_result));

#endif
