#include "reload/offering.h"

#include "reload/channel.h"
#include "reload/generation.h"
#include "reload/inheritance.h"

#include <string.h>
#include <unistd.h>

static void send_bind(struct channel *successor, const struct message_offer_bind *message,
                      const int *fds, unsigned fd_count)
{
    unsigned at = 0;
    do {
        unsigned here = fd_count - at < MESSAGE_FDS_MAX ? fd_count - at : MESSAGE_FDS_MAX;
        channel_send(successor, MESSAGE_OFFER_BIND, message, sizeof *message, fds + at, here);
        at += here;
    } while (at < fd_count);
}

static void send_binds(const struct binds *binds, struct channel *successor)
{
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        struct message_offer_bind message = {
            .listeners = bound->sockets, .rotation = bound->rotation, .ordered = bound->ordered};
        memcpy(message.text, bound->conf->text, sizeof message.text);
        send_bind(successor, &message, bound->fds, bound->way == BIND_PASS ? bound->sockets : 0);
    }
    for (size_t i = 0; i < binds->idle.count; i++) {
        const struct offered *idle = &binds->idle.list[i];
        struct message_offer_bind message = {.listeners = idle->listeners};
        memcpy(message.text, idle->text, sizeof message.text);
        send_bind(successor, &message, idle->fds, idle->fd_count);
    }
}

static void send_server(const struct server *server, struct channel *successor)
{
    struct message_server record;
    inheritance_record(server, &record);
    channel_send(successor, MESSAGE_SERVER, &record, sizeof record, NULL, 0);
}

void offering_send(const struct generation *generation, struct channel *successor, unsigned highest,
                   bool forced)
{
    const struct config *config = generation->config;
    send_binds(generation->binds, successor);
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++)
            send_server(&generation->proxy->backends[i].servers[j], successor);
    const struct message_offer end_of_offer = {.generation = highest,
                                               .pid = (uint32_t)getpid(),
                                               .ready_timeout = (uint32_t)config->ready_timeout,
                                               .forced = forced};
    channel_send(successor, MESSAGE_OFFER, &end_of_offer, sizeof end_of_offer, NULL, 0);
}
