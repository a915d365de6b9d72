#include "proxy/listen/acceptor.h"

#include "config/base/container_of.h"
#include "config/base/log.h"
#include "proxy/session/lifecycle.h"

#include <string.h>

/* Accepted at one go where backlogs are emptied. */
#define ACCEPT_BATCH 64
/* How long accepting rests when descriptors or memory ran out. */
#define STARVED_REST_MS 100u

static void rest(struct acceptor *acceptor)
{
    struct listener *listener;
    TAILQ_FOREACH (listener, &acceptor->group.listeners, link)
        listener_pause(listener);
}

static void listen_again(struct acceptor *acceptor)
{
    struct listener *listener;
    TAILQ_FOREACH (listener, &acceptor->group.listeners, link)
        listener_resume(listener);
}

/* Listeners rest no longer; what is left to do is to look whether the shortage is over. */
static void end_rest(struct acceptor *acceptor)
{
    acceptor->listen_at =
        condition_lasts(&acceptor->shortage) ? condition_ends_at(&acceptor->shortage) : 0;
}

void acceptor_on_time(struct acceptor *acceptor)
{
    end_rest(acceptor);
    if (condition_over(&acceptor->shortage, loop_now_ms(&acceptor->group.sessions->loop))) {
        log_notice("worker %u: accepting continues without pauses",
                   acceptor->group.sessions->index);
        acceptor->listen_at = 0;
    }
    if (acceptor->listening == LISTENING_OPEN || acceptor->listening == LISTENING_RETIRED)
        listen_again(acceptor);
}

static void on_rest(struct listener_group *group, uint64_t time)
{
    struct acceptor *acceptor = container_of(group, struct acceptor, group);
    if (acceptor->listen_at == 0 || time < acceptor->listen_at)
        acceptor->listen_at = time;
}

static void on_shortage(struct listener_group *group, int error)
{
    struct acceptor *acceptor = container_of(group, struct acceptor, group);
    uint64_t now = loop_now_ms(&acceptor->group.sessions->loop);
    if (condition_met(&acceptor->shortage, error, now))
        log_warning("worker %u: accepting pauses, and clients wait in the backlog: %s",
                    acceptor->group.sessions->index, strerror(error));
    rest(acceptor);
    acceptor->listen_at = now + STARVED_REST_MS;
}

/* Most places are handed over by the worker that takes them. Where sessions of this worker have
 * ended in this turn of its loop, acceptor_end_turn() delivers the places, and no task is needed.
 */
static void wake_for_grants(void *arg)
{
    struct acceptor *acceptor = arg;
    if (pthread_equal(atomic_load(&acceptor->thread), pthread_self()) &&
        !STAILQ_EMPTY(&acceptor->group.sessions->dead))
        acceptor->granted = true;
    else
        loop_post(&acceptor->group.sessions->loop, &acceptor->grants_task);
}

static void on_grants(void *arg)
{
    struct acceptor *acceptor = arg;
    grants_deliver(&acceptor->group.grants, ACCEPT_BATCH);
}

/* Sessions that have ended are freed, and clients that were handed their places are accepted. */
void acceptor_end_turn(struct acceptor *acceptor)
{
    sessions_reap(acceptor->group.sessions);
    if (!acceptor->granted)
        return;
    acceptor->granted = false;
    grants_deliver(&acceptor->group.grants, ACCEPT_BATCH);
    sessions_reap(acceptor->group.sessions);
    if (acceptor->granted)
        loop_post(&acceptor->group.sessions->loop, &acceptor->grants_task);
    acceptor->granted = false;
}

void acceptor_listen(struct acceptor *acceptor, enum listening listening)
{
    struct listener *listener;
    enum listening before = acceptor->listening;
    acceptor->listening = listening;
    acceptor->group.beyond_limits = listening == LISTENING_RETIRED || listening == LISTENING_OVER;
    end_rest(acceptor);
    switch (acceptor->listening) {
    case LISTENING_HELD:
        rest(acceptor);
        break;
    case LISTENING_OPEN:
        if (before == LISTENING_OPEN) {
            TAILQ_FOREACH (listener, &acceptor->group.listeners, link)
                listener_look(listener);
            break;
        }
        rest(acceptor);
        listen_again(acceptor);
        break;
    case LISTENING_RETIRED:
        rest(acceptor); /* clients that wait need no place any more */
        listen_again(acceptor);
        break;
    case LISTENING_OVER:
        TAILQ_FOREACH (listener, &acceptor->group.listeners, link)
            while (!listener_is_held(listener) && listener_accept(listener, ACCEPT_BATCH))
                ;
        end_rest(acceptor);
        rest(acceptor);
        break;
    }
}

void acceptor_open(struct acceptor *acceptor, struct session_set *sessions)
{
    acceptor->group.sessions = sessions;
    acceptor->group.on_shortage = on_shortage;
    acceptor->group.on_rest = on_rest;
    TAILQ_INIT(&acceptor->group.listeners);
    acceptor->grants_task = (struct task){.run = on_grants, .arg = acceptor};
    grants_init(&acceptor->group.grants, &sessions->service->waitlist, wake_for_grants, acceptor);
}

void acceptor_close(struct acceptor *acceptor)
{
    while (!TAILQ_EMPTY(&acceptor->group.listeners))
        listener_free(TAILQ_FIRST(&acceptor->group.listeners));
}

void acceptor_begin(struct acceptor *acceptor)
{
    atomic_store(&acceptor->thread, pthread_self());
}
