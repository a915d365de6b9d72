#include "proxy/session/queued.h"

#include "config/base/container_of.h"
#include "proxy/backend/balance/balance.h"
#include "proxy/session/access_log.h"
#include "proxy/session/first_bytes.h"
#include "proxy/session/sealed.h"

#include <stdlib.h>

static struct pool *pool_of(const struct session *session)
{
    return &session->backend->queue->pool;
}

static bool excludes(struct pool_waiter *waiter, const void *owner)
{
    const struct queue_turn *turn = container_of(waiter, struct queue_turn, waiter);
    const struct session *session = turn->session;
    for (uint32_t i = 0; i < session->tried_count; i++)
        if (session->tried[i] == owner)
            return true;
    return false;
}

static void on_call(struct pool_waiter *waiter, struct pool_member *given)
{
    struct queue_turn *turn = container_of(waiter, struct queue_turn, waiter);
    struct session *session = turn->session;
    struct server *server = given ? given->owner : NULL;
    session_note_wait(session);
    access_log_note_called(session);
    if (server && server_share(server) == 0) {
        pool_release(pool_of(session), given); /* it went down just now */
        server = NULL;
    }
    turn->go_on(session, server);
}

static struct queue_turn *turn_of(struct session *session)
{
    struct facts *facts = session_facts(session);
    if (!facts)
        return NULL;
    if (!facts->turn && (facts->turn = calloc(1, sizeof *facts->turn))) {
        const struct queue *queue = session->backend->queue;
        facts->turn->session = session;
        facts->turn->waiter.excludes = excludes;
        facts->turn->waiter.on_call = on_call;
        facts->turn->waiter.desk = &queue->desks[session->set->index].desk;
        /* One that has had a place before anybody waited came before all that wait. */
        if (session->attempts > 0)
            facts->turn->waiter.age = session->entry.accepted_at;
    }
    return facts->turn;
}

static bool has_left(const struct session *session)
{
    return !session->first_bytes && engine_has_left(&session->client.stream);
}

/* Ends the session of a client that has left. Inside of TLS a client says so by bytes, which have
 * to be received; what it says instead becomes its first bytes. */
static void look_at_client(struct session *session)
{
    if (!has_left(session) && session->client.sealed && sealed_tls(&session->client) &&
        !first_bytes_receive(session, 1))
        return;
    if (has_left(session))
        session_close(session, SESSION_DONE);
}

static void begin_to_wait(struct session *session, struct queue_turn *turn)
{
    millis timeout = session->backend->conf->queue_timeout;
    if (turn->give_up_at == 0) {
        turn->give_up_at = timeout ? loop_now_ms(&session->set->loop) + timeout : WHEEL_NEVER;
        turn->began_at = loop_now(&session->set->loop);
        session_count_for_backend(session, COUNTER_OF(backend_figures, queued));
        counter_add(&session->set->counters->queued, 1);
    }
    session->deadline = turn->give_up_at;
    access_log_note_queued(session, pool_waiting(pool_of(session)));
    session_set_state(session, SESSION_QUEUED);
    look_at_client(session);
}

static enum pool_patience patience_of(const struct session *session, const struct queue_turn *turn)
{
    return turn->give_up_at || session->attempts > 0 ? POOL_AGAIN : POOL_NEW;
}

/* wanted: of a keyed balancer; NULL there: it has found none. */
static struct server *join(struct session *session, struct balancer *balancer,
                           struct server *wanted, bool *none)
{
    struct queue_turn *turn = turn_of(session);
    struct pool_member *given = NULL;
    if (!turn) {
        session_close(session, SESSION_NO_RESOURCES);
        return NULL;
    }
    turn->waiter.wanted = wanted ? &wanted->seat->member : NULL;
    turn->waiter.keyed = balancer_is_keyed(balancer);
    enum pool_patience patience = patience_of(session, turn);
    /* One that has waited already waits for a server to come back. */
    bool usable = balancer_has_usable(balancer);
    if (turn->give_up_at && !usable)
        patience = POOL_STAYS;
    switch (pool_join(pool_of(session), &turn->waiter, patience, &given)) {
    case POOL_GIVEN:
        return given->owner;
    case POOL_JOINED:
        begin_to_wait(session, turn);
        break;
    case POOL_FULL:
        counter_add(&session->set->counters->queue_full, 1);
        session_close(session, SESSION_QUEUE_FULL);
        break;
    case POOL_HOPELESS:
        *none = true;
        break;
    }
    return NULL;
}

struct server *queued_choose(struct session *session, struct balancer *balancer,
                             const struct choice *choice,
                             void (*go_on)(struct session *session, struct server *given),
                             bool *none)
{
    struct pool *pool = pool_of(session);
    bool keyed = balancer_is_keyed(balancer);
    struct choice with_room = *choice;
    struct server *next = NULL;
    with_room.passes_full = !keyed;
    while (keyed || pool_waiting(pool) == 0) {
        next = balancer_next(balancer, &with_room);
        if (!next)
            break;
        if (pool_take(pool, &next->seat->member))
            return next;
        if (keyed)
            break;
    }
    next = join(session, balancer, keyed ? next : NULL, none);
    if (session->facts && session->facts->turn)
        session->facts->turn->go_on = go_on;
    return next;
}

void queued_on_event(struct session *session, uint32_t what)
{
    if ((what & ENGINE_FAILED) && engine_error(&session->client.stream))
        session_close(session, SESSION_CLIENT_RESET);
    else
        look_at_client(session);
}

void queued_overdue(struct session *session)
{
    if (session->facts->turn->give_up_at == WHEEL_NEVER)
        return;
    counter_add(&session->set->counters->queue_timeout, 1);
    session_close(session, SESSION_QUEUE_TIMEOUT);
}
