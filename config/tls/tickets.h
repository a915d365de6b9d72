/* Session tickets (RFC 5077; RFC 8446, 4.6.1) for the clients of one frontend: with which keys, and
 * which sessions are resumed. One ticket follows a full handshake, and one each resumption. */
#ifndef RPPROXY_CONFIG_TLS_TICKETS_H
#define RPPROXY_CONFIG_TLS_TICKETS_H

#include <openssl/types.h>
#include <stdbool.h>

struct ticket_file;
struct ticket_ring;
struct tickets;

/* Sets what is needed in the context. file: NULL: the keys will be those of tickets_share(). The
 * file and the context must outlive it. NULL: out of memory; tls_reason() says why. */
struct tickets *tickets_new(SSL_CTX *context, const struct ticket_file *file)
    __attribute__((warn_unused_result));

/* Before the first connection: the keys are those of the ring, which must outlive the connections.
 * Without this, and without a file, OpenSSL makes keys that are good for the context only. */
void tickets_share(struct tickets *tickets, const struct ticket_ring *ring);

/* True: tickets_share() is needed. */
bool tickets_need_ring(const struct tickets *tickets);

/* NULL is fine. */
void tickets_free(struct tickets *tickets);

#endif
