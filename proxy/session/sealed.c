#include "proxy/session/sealed.h"

#include "proxy/session/session.h"
#include "proxy/tls/tls.h"

#include <openssl/ssl.h>
#include <string.h>

/* The most that is received of TLS at a time: of what the scratch memory holds twice, once sealed
 * and once open, caches should keep both. */
#define SEALED_MOST (128u * 1024)

/* What is received while the other side takes nothing is answered at most until so much waits for
 * it: more than what a session keeps for other reasons. */
#define ANSWERS_MOST (1024u * 1024)

static const struct session *session_of_conn(const struct conn *conn)
{
    size_t offset =
        conn->is_client ? offsetof(struct session, client) : offsetof(struct session, server);
    return (const void *)((const char *)conn - offset);
}

struct tls *sealed_tls(const struct conn *conn)
{
    const struct facts *facts = session_of_conn(conn)->facts;
    if (!facts)
        return NULL;
    return conn->is_client ? facts->client_tls : facts->server_tls;
}

static struct session *session_with(struct conn *conn)
{
    return conn->is_client ? container_of(conn, struct session, client)
                           : container_of(conn, struct session, server);
}

static struct tls **place_of(struct conn *conn, struct facts *facts)
{
    return conn->is_client ? &facts->client_tls : &facts->server_tls;
}

struct tls *sealed_begin(struct conn *conn, SSL *ssl)
{
    struct session *session = session_with(conn);
    struct facts *facts = session_facts(session);
    if (!facts) {
        SSL_free(ssl);
        return NULL;
    }
    struct tls *tls = tls_new(ssl, &session->set->tls_output);
    *place_of(conn, facts) = tls;
    if (tls && !conn->sealed)
        counter_add(&session->set->counters->tls_begun, 1);
    conn->sealed = conn->peer->sealed = conn->sealed || tls;
    return tls;
}

void sealed_drop(struct conn *conn)
{
    struct tls **tls = place_of(conn, session_with(conn)->facts);
    tls_free(*tls);
    *tls = NULL;
    conn->cut = false;
    conn->sealed = conn->peer->sealed = sealed_tls(conn->peer);
    if (!conn->sealed)
        counter_add(&session_with(conn)->set->counters->tls_ended, 1);
}

/* --- sending -------------------------------------------------------------------------------- */

static bool keep(struct conn *to, const unsigned char *bytes, size_t length)
{
    size_t before = to->unsent ? to->unsent->length : 0;
    struct unsent *all = malloc(sizeof *all + before + length);
    if (!all)
        return false;
    *all = (struct unsent){.length = before + length};
    if (before > 0)
        memcpy(all->bytes, to->unsent->bytes + to->unsent->offset, before);
    if (length > 0)
        memcpy(all->bytes + before, bytes, length);
    conn_forget_unsent(to);
    to->unsent = all;
    return true;
}

static bool has_unsent(const struct conn *to)
{
    return to->unsent && to->unsent->length > 0;
}

enum sealed_sent sealed_send_raw(struct conn *to, struct engine *engine, const unsigned char *bytes,
                                 size_t length)
{
    ssize_t sent = 0;
    if (length > 0 && !has_unsent(to)) {
        sent = engine_send(engine, &to->stream, bytes, length);
        if (sent < 0)
            return SEALED_FAILED;
    }
    if ((size_t)sent == length || keep(to, bytes + sent, length - (size_t)sent))
        return SEALED_SENT;
    return SEALED_NO_MEMORY;
}

bool sealed_holds(const struct conn *to)
{
    const struct tls *tls = sealed_tls(to);
    return tls && tls_holds(tls);
}

/* What TLS holds is owed. False: out of memory. */
static bool owe_held(struct conn *to)
{
    if (sealed_holds(to))
        return to->unsent || keep(to, NULL, 0);
    if (to->unsent && !has_unsent(to))
        conn_forget_unsent(to);
    return true;
}

static enum sealed_sent send_output(struct conn *to, struct engine *engine)
{
    const struct tls_output *output = &session_set_of(engine)->tls_output;
    enum sealed_sent sent = sealed_send_raw(to, engine, output->sealed, output->sealed_length);
    return sent != SEALED_SENT || owe_held(to) ? sent : SEALED_NO_MEMORY;
}

enum sealed_sent sealed_send(struct conn *to, struct engine *engine, const unsigned char *bytes,
                             size_t length)
{
    struct tls *tls = sealed_tls(to);
    if (!tls)
        return sealed_send_raw(to, engine, bytes, length);
    return tls_seal(tls, bytes, length) ? send_output(to, engine) : SEALED_FAILED;
}

enum sealed_sent sealed_end(struct conn *to, struct engine *engine)
{
    struct tls *tls = sealed_tls(to);
    if (!tls)
        return SEALED_SENT;
    tls_end(tls);
    return send_output(to, engine);
}

bool sealed_is_whole(const struct conn *from)
{
    const struct tls *tls = sealed_tls(from);
    return tls ? tls_has_ended(tls) : engine_is_whole(&from->stream);
}

/* --- receiving ------------------------------------------------------------------------------ */

static bool answer(struct conn *from, struct engine *engine)
{
    return (!from->unsent || from->unsent->length < ANSWERS_MOST) &&
           send_output(from, engine) == SEALED_SENT;
}

ssize_t sealed_open(struct conn *from, struct engine *engine, const unsigned char **bytes,
                    size_t length)
{
    struct tls *tls = sealed_tls(from);
    const struct tls_output *output = &session_set_of(engine)->tls_output;
    enum tls_result result = tls_receive(tls, *bytes, length);
    if (output->sealed_length > 0 && !answer(from, engine))
        return -1;
    if (result == TLS_HAS_FAILED) {
        from->cut = true; /* also where the end of the socket has come with it */
        return -1;
    }
    if (result == TLS_HAS_ENDED)
        engine_end(&from->stream);
    *bytes = output->plain;
    return (ssize_t)output->plain_length;
}

ssize_t sealed_receive(struct conn *from, struct engine *engine, size_t most,
                       const unsigned char **bytes)
{
    struct tls *tls = sealed_tls(from);
    if (!tls)
        return engine_receive(engine, &from->stream, most, bytes);
    if (from->cut)
        return -1;
    ssize_t got =
        engine_receive(engine, &from->stream, most < SEALED_MOST ? most : SEALED_MOST, bytes);
    if (got < 0)
        return -1;
    bool ended = from->stream.ended;
    if (got > 0) {
        ssize_t sealed = got;
        got = sealed_open(from, engine, bytes, (size_t)sealed);
        engine_count_as(&from->stream, (size_t)sealed, got > 0 ? (size_t)got : 0);
    }
    if (ended && !tls_has_ended(tls)) {
        from->cut = true;
        if (got <= 0)
            return -1;
        engine_deny_end(&from->stream);
    }
    return got;
}
