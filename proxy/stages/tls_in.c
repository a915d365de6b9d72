#include "proxy/stages/tls_in.h"

#include "config/base/log.h"
#include "config/tls/tls_server.h"
#include "proxy/session/sealed.h"
#include "proxy/session/session.h"
#include "proxy/session/stages.h"
#include "proxy/tls/tls.h"
#include "proxy/wire/client_hello.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* The most that is received at a time: a handshake is short. */
#define FLIGHT_MOST (16u * 1024)

static enum stage_verdict refuse(struct session *session, enum session_end end)
{
    session->outcome = end;
    return STAGE_REFUSES;
}

static enum stage_verdict fail(struct session *session, const struct tls *tls)
{
    char text[ADDRESS_TEXT_MAX];
    if (*tls_error(tls) == '\0' && !session->client.cut)
        return refuse(session, SESSION_CLIENT_RESET);
    const struct address peer = session_peer_address(session);
    log_debug("frontend %s: %s: TLS handshake: %s", session->frontend->conf->name,
              address_format(&peer, text),
              *tls_error(tls) ? tls_error(tls) : "the client has ended the connection");
    return refuse(session, SESSION_TLS_FAILED);
}

/* The handshake takes what the client had said before, behind a PROXY header; what is left is what
 * it has said inside of TLS. Returns how much that is, or -1. */
static ssize_t take_first_bytes(struct session *session, const unsigned char **bytes)
{
    struct unsent *first = session->first_bytes;
    session->first_bytes = NULL;
    *bytes = first->bytes;
    ssize_t got = sealed_open(&session->client, &session->set->loop.engine, bytes, first->length);
    free(first);
    return got;
}

/* What the client asked for, for routes, the balance, PROXY headers and the log. Without memory it
 * is not known. */
static void note(struct session *session)
{
    const SSL *ssl = tls_ssl(sealed_tls(&session->client));
    struct facts *facts = session->facts;
    const unsigned char *protocol;
    unsigned length;
    SSL_get0_alpn_selected(ssl, &protocol, &length);
    struct client_hello *hello = malloc(sizeof *hello);
    if (!hello)
        return;
    client_hello_know(hello, SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name), protocol,
                      (unsigned char)length);
    if (hello->name[0])
        facts->server_name = strdup(hello->name);
    if (length > 0)
        facts->alpn = strndup((const char *)protocol, length);
    if (session->stage[1]) /* a later stage may ask */
        facts->hello = hello;
    else
        free(hello);
}

static enum stage_verdict shake(struct session *session)
{
    const struct tls *tls = sealed_tls(&session->client);
    const struct stream *client = &session->client.stream;
    while (!tls_is_open(tls)) {
        const unsigned char *bytes;
        ssize_t got;
        if (session->first_bytes)
            got = take_first_bytes(session, &bytes);
        else if (client->readable && !client->ended)
            got = sealed_receive(&session->client, &session->set->loop.engine, FLIGHT_MOST, &bytes);
        else
            return STAGE_WAITS;
        if (got < 0)
            return fail(session, tls);
        if (got > 0 && !stages_keep(session, bytes, (size_t)got))
            return refuse(session, SESSION_NO_RESOURCES);
    }
    note(session);
    return STAGE_PASSES;
}

static enum stage_verdict decide(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion)
{
    (void)stage;
    if (occasion == STAGE_OVERDUE)
        return refuse(session, SESSION_TLS_TIMEOUT);
    if (occasion != STAGE_BEGINS)
        return shake(session);
    if (!session->bind->tls)
        return STAGE_PASSES;
    if (!sealed_begin(&session->client, tls_server_ssl(session->frontend->conf->tls_server)))
        return refuse(session, SESSION_NO_RESOURCES);
    return shake(session);
}

int tls_in_make(const struct service *service, struct frontend *frontend, struct stage **stage)
{
    (void)service;
    *stage = NULL;
    if (!frontend->conf->tls_server)
        return 0;
    *stage = malloc(sizeof **stage);
    if (!*stage)
        return ENOMEM;
    **stage = (struct stage){
        .state = SESSION_TLS,
        .refused = SESSION_TLS_FAILED,
        .overdue = SESSION_TLS_TIMEOUT,
        .deadline = (uint32_t)frontend->conf->tls.timeout,
        .receives = true,
        .decide = decide,
    };
    return 0;
}
