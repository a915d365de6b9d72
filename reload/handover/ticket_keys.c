#include "reload/handover/ticket_keys.h"

#include "config/base/log.h"
#include "config/tls/ticket_ring.h"
#include "config/tls/tickets.h"
#include "config/tls/tls_server.h"
#include "reload/handover/channel.h"
#include "reload/handover/generation.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

struct ticket_keys {
    struct ticket_ring *ring;
    struct event *turn; /* the next look whether it is time for a new key */
};

static void turn(struct ticket_keys *keys)
{
    const struct timeval next = {.tv_sec = (time_t)ticket_ring_turn(keys->ring, ticket_ring_now())};
    event_add(keys->turn, &next);
}

static void on_turn(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    turn(arg);
}

/* Takes the ring; NULL: out of memory. */
static struct ticket_keys *keys_new(struct ticket_ring *ring)
{
    struct ticket_keys *keys = calloc(1, sizeof *keys);
    if (keys)
        keys->ring = ring;
    else
        ticket_ring_free(ring);
    return keys;
}

void ticket_keys_hear(struct generation *generation, const struct received *message)
{
    const char *wrong;
    if (generation->ticket_keys || message->fd_count != 1)
        return;
    struct ticket_ring *ring = ticket_ring_take(message->fds[0], &wrong);
    message->fds[0] = -1;
    if (ring)
        generation->ticket_keys = keys_new(ring);
    else
        log_warning("the predecessor's ticket keys are %s: clients cannot resume their sessions",
                    wrong);
}

static struct tickets *tickets_of(const struct frontend_conf *frontend)
{
    struct tickets *tickets =
        frontend->tls_server ? tls_server_tickets(frontend->tls_server) : NULL;
    return tickets && tickets_need_ring(tickets) ? tickets : NULL;
}

static bool are_needed(const struct config *config)
{
    for (size_t i = 0; i < config->frontend_count; i++)
        if (tickets_of(&config->frontends[i]))
            return true;
    return false;
}

/* Returns 0 or an errno value. */
static int make(struct generation *generation)
{
    struct ticket_ring *ring;
    int error = ticket_ring_new(ticket_ring_now(), &ring);
    if (error)
        return error;
    generation->ticket_keys = keys_new(ring);
    return generation->ticket_keys ? 0 : ENOMEM;
}

int ticket_keys_begin(struct generation *generation)
{
    const struct config *config = generation->config;
    if (!generation->ticket_keys && !are_needed(config))
        return 0;
    int error = generation->ticket_keys ? 0 : make(generation);
    if (error)
        return error;
    struct ticket_keys *keys = generation->ticket_keys;
    keys->turn = event_new(generation->base, -1, 0, on_turn, keys);
    if (!keys->turn)
        return ENOMEM;
    turn(keys);
    for (size_t i = 0; i < config->frontend_count; i++)
        if (tickets_of(&config->frontends[i]))
            tickets_share(tickets_of(&config->frontends[i]), keys->ring);
    return 0;
}

void ticket_keys_send(const struct generation *generation, struct channel *successor)
{
    if (!generation->ticket_keys)
        return;
    const int fd = ticket_ring_fd(generation->ticket_keys->ring);
    channel_lend(successor, MESSAGE_TICKETS, NULL, 0, &fd, 1);
}

void ticket_keys_end(struct generation *generation)
{
    struct ticket_keys *keys = generation->ticket_keys;
    if (!keys)
        return;
    if (keys->turn)
        event_free(keys->turn);
    ticket_ring_free(keys->ring);
    free(keys);
}
