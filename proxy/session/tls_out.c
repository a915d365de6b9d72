#include "proxy/session/tls_out.h"

#include "config/tls/tls_target.h"
#include "proxy/session/proxy_out.h"
#include "proxy/session/relay.h"
#include "proxy/session/sealed.h"
#include "proxy/tls/tls.h"

/* The most that is received at a time. */
#define FLIGHT_MOST (16u * 1024)

static enum tls_out fail(const struct session *session, const struct tls *tls)
{
    const char *error = tls_error(tls);
    session_count_for_backend(session,
                              COUNTER_OF(backend_figures, tls_failures) + tls_failure(tls));
    tls_target_failed(tls_ssl(tls));
    atomic_store(&session->chosen->tls_error,
                 *error ? error : "the server ended the connection during the handshake");
    return TLS_OUT_FAILED;
}

/* Tries to resume a session of the server. NULL: out of memory. */
static SSL *ssl_for(const struct server *server)
{
    SSL *ssl = tls_target_ssl(server->conf->tls);
    const struct address *address = server_address(server);
    if (ssl && address)
        tls_target_resume(server->conf->tls, ssl, address);
    return ssl;
}

enum tls_out tls_out_begin(struct session *session)
{
    const struct server_conf *conf = session->chosen->conf;
    struct engine *engine = &session->set->loop.engine;
    const unsigned char *nothing = NULL;
    if (conf->send_proxy && !proxy_out_alone(session))
        return TLS_OUT_NO_MEMORY;
    const struct tls *tls = sealed_begin(&session->server, ssl_for(session->chosen));
    if (!tls)
        return TLS_OUT_NO_MEMORY;
    return sealed_open(&session->server, engine, &nothing, 0) < 0 ? fail(session, tls)
                                                                  : TLS_OUT_WAITS;
}

bool tls_out_is_under_way(const struct session *session)
{
    const struct tls *tls = session->server.sealed ? sealed_tls(&session->server) : NULL;
    return tls && !tls_is_open(tls);
}

/* What the server has said with the last of its handshake. */
static enum tls_out owe(struct session *session, const unsigned char *bytes, size_t length)
{
    session_set_count(session->set, &session->server, length);
    return sealed_send(&session->client, &session->set->loop.engine, bytes, length) == SEALED_SENT
               ? TLS_OUT_OPEN
               : TLS_OUT_NO_MEMORY;
}

enum tls_out tls_out_go_on(struct session *session)
{
    struct conn *server = &session->server;
    struct engine *engine = &session->set->loop.engine;
    const struct tls *tls = sealed_tls(server);
    if (conn_is_owed(server) && server->stream.writable && relay_flush(server, engine) != RELAY_OK)
        return fail(session, tls);
    while (server->stream.readable && !server->stream.ended) {
        const unsigned char *bytes;
        ssize_t got = sealed_receive(server, engine, FLIGHT_MOST, &bytes);
        if (got < 0)
            return fail(session, tls);
        if (tls_is_open(tls)) {
            session_count_for_backend(session, tls_target_opened(tls_ssl(tls))
                                                   ? COUNTER_OF(backend_figures, tls_resumed)
                                                   : COUNTER_OF(backend_figures, tls_full));
            return got > 0 ? owe(session, bytes, (size_t)got) : TLS_OUT_OPEN;
        }
    }
    return TLS_OUT_WAITS;
}
