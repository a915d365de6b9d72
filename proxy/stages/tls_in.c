#include "proxy/stages/tls_in.h"

#include "config/base/log.h"
#include "config/tls/tls_server.h"
#include "proxy/session/first_bytes.h"
#include "proxy/session/sealed.h"
#include "proxy/session/session.h"
#include "proxy/tls/tls.h"
#include "proxy/wire/client_hello.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>

/* The most that is received at a time: a handshake is short. */
#define FLIGHT_MOST (16u * 1024)

struct tls_in {
    struct stage stage; /* first */
    unsigned most;      /* handshakes at a time; 0: no limit */
    atomic_uint *under_way;
    bool routed; /* only for clients for which a route has said so */
};

static bool begin_one(const struct tls_in *in)
{
    if (atomic_fetch_add(in->under_way, 1) < in->most || in->most == 0)
        return true;
    atomic_fetch_sub(in->under_way, 1);
    return false;
}

static void end_one(const struct tls_in *in)
{
    atomic_fetch_sub(in->under_way, 1);
}

static enum stage_verdict refuse(struct session *session, enum session_end end)
{
    session->outcome = end;
    return STAGE_REFUSES;
}

static void count_at(const struct session *session, size_t counter)
{
    counter_add(session_set_counter(session->set, session_frontend_place(session) + counter), 1);
}

static void count(const struct session *session, enum tls_failure failure)
{
    count_at(session, COUNTER_OF(frontend_figures, tls_failures) + failure);
}

static void count_done(const struct session *session, const struct tls *tls)
{
    count_at(session, SSL_session_reused(tls_ssl(tls)) ? COUNTER_OF(frontend_figures, tls_resumed)
                                                       : COUNTER_OF(frontend_figures, tls_full));
}

static void replace(char **text, char *by)
{
    free(*text);
    *text = by;
}

/* What the client asked for, for routes, the balance, PROXY headers and the log. Without memory it
 * is not known. */
static void note(struct session *session, const struct tls_in *in)
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
        replace(&facts->server_name, strdup(hello->name));
    if (length > 0)
        replace(&facts->alpn, strndup((const char *)protocol, length));
    if (session->stage[1] && !in->routed) /* a later stage may ask */
        facts->hello = hello;
    else
        free(hello);
}

/* The log says which name a client has asked for, also where that is what was wrong. */
static void note_name(struct session *session, const struct tls_in *in)
{
    if (SSL_get_servername(tls_ssl(sealed_tls(&session->client)), TLSEXT_NAMETYPE_host_name))
        note(session, in);
}

static enum stage_verdict fail(struct session *session, const struct tls_in *in,
                               const struct tls *tls)
{
    char text[ADDRESS_TEXT_MAX];
    count(session, tls_failure(tls));
    note_name(session, in);
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

static enum stage_verdict shake(struct session *session, const struct tls_in *in)
{
    const struct tls *tls = sealed_tls(&session->client);
    const struct stream *client = &session->client.stream;
    while (!tls_is_open(tls)) {
        const unsigned char *bytes;
        ssize_t got;
        if (session->first_bytes) {
            got = take_first_bytes(session, &bytes);
        } else if (client->ended) { /* as the stage before has seen */
            session->client.cut = true;
            return fail(session, in, tls);
        } else if (client->readable) {
            got = sealed_receive(&session->client, &session->set->loop.engine, FLIGHT_MOST, &bytes);
        } else {
            return STAGE_WAITS;
        }
        if (got < 0)
            return fail(session, in, tls);
        if (got > 0 && !first_bytes_keep(session, bytes, (size_t)got))
            return refuse(session, SESSION_NO_RESOURCES);
    }
    note(session, in);
    count_done(session, tls);
    return STAGE_PASSES;
}

static enum stage_verdict go_on(struct session *session, const struct tls_in *in)
{
    enum stage_verdict verdict = shake(session, in);
    if (verdict == STAGE_PASSES)
        end_one(in);
    return verdict;
}

static bool is_wanted(const struct session *session, const struct tls_in *in)
{
    const struct facts *facts = session->facts;
    return in->routed ? facts && facts->ends_tls && !facts->client_tls : session->bind->tls;
}

static enum stage_verdict begin(struct session *session, const struct tls_in *in)
{
    if (!is_wanted(session, in))
        return STAGE_PASSES;
    if (!begin_one(in)) {
        count(session, TLS_FAILED_LIMIT);
        return refuse(session, SESSION_TLS_FAILED);
    }
    if (sealed_begin(&session->client, tls_server_ssl(session->frontend->conf->tls_server)))
        return go_on(session, in);
    end_one(in);
    return refuse(session, SESSION_NO_RESOURCES);
}

static enum stage_verdict decide(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion)
{
    const struct tls_in *in = (const struct tls_in *)stage;
    switch (occasion) {
    case STAGE_OVERDUE:
        count(session, TLS_FAILED_TIMEOUT);
        note_name(session, in);
        return refuse(session, SESSION_TLS_TIMEOUT);
    case STAGE_BEGINS:
        return begin(session, in);
    default:
        return go_on(session, in);
    }
}

static void cancel(struct session *session, const struct stage *stage)
{
    if (session->client.sealed)
        end_one((const struct tls_in *)stage);
}

static bool has_tls_bind(const struct frontend_conf *conf)
{
    for (size_t i = 0; i < conf->bind_count; i++)
        if (conf->binds[i].tls)
            return true;
    return false;
}

static int make(struct frontend *frontend, bool routed, struct stage **stage)
{
    const struct frontend_conf *conf = frontend->conf;
    struct tls_in *in = calloc(1, sizeof *in);
    if (!in)
        return ENOMEM;
    in->most = conf->tls.handshakes;
    in->under_way = &frontend->handshakes;
    in->routed = routed;
    in->stage = (struct stage){
        .state = SESSION_TLS,
        .refused = SESSION_TLS_FAILED,
        .overdue = SESSION_TLS_TIMEOUT,
        .deadline = (uint32_t)conf->tls.timeout,
        .receives = true,
        .decide = decide,
        .cancel = cancel,
    };
    *stage = &in->stage;
    return 0;
}

int tls_in_make(const struct service *service, struct frontend *frontend, struct stage **stage)
{
    (void)service;
    *stage = NULL;
    return frontend->conf->tls_server && has_tls_bind(frontend->conf) ? make(frontend, false, stage)
                                                                      : 0;
}

int tls_in_make_routed(const struct service *service, struct frontend *frontend,
                       struct stage **stage)
{
    (void)service;
    *stage = NULL;
    return frontend->conf->tls_server && route_list_terminates(&frontend->conf->routes)
               ? make(frontend, true, stage)
               : 0;
}
