#include "reload/handover/offering.h"

#include "reload/handover/channel.h"
#include "reload/handover/frontend_states.h"
#include "reload/handover/generation.h"
#include "reload/handover/server_states.h"
#include "reload/handover/ticket_keys.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* type: OFFER_BIND or DUPLICATES. */
static void send_bind(struct channel *peer, enum message_type type,
                      const struct message_offer_bind *message, const int *fds, unsigned fd_count)
{
    unsigned at = 0;
    do {
        unsigned here = fd_count - at < MESSAGE_FDS_MAX ? fd_count - at : MESSAGE_FDS_MAX;
        channel_lend(peer, type, message, sizeof *message, fds + at, here);
        at += here;
    } while (at < fd_count);
}

/* No client finds it any more: there is nothing to offer. */
static bool is_lost(const struct bound *bound)
{
    return bound->way == BIND_ANEW || (bound_is_unix(bound) && bound->way == BIND_RENAME);
}

static void send_binds(struct binds *binds, struct channel *successor)
{
    for (size_t i = 0; i < binds->count; i++) {
        struct bound *bound = &binds->list[i];
        if (is_lost(bound))
            continue;
        if (bound_is_unix(bound) && channel_is_foreign(successor))
            bound->way = BIND_RENAME; /* version 0.1.0 knows nothing else */
        struct message_offer_bind message = {.listeners = bound->sockets,
                                             .rotation = bound->rotation,
                                             .ordered = bound->ordered,
                                             .waits = bound->waits};
        memcpy(message.text, bound->conf->text, sizeof message.text);
        send_bind(successor, MESSAGE_OFFER_BIND, &message, bound->fds,
                  bound->way == BIND_PASS ? bound->sockets : 0);
    }
    for (size_t i = 0; i < binds->idle.count; i++) {
        const struct offered *idle = &binds->idle.list[i];
        struct message_offer_bind message = {.listeners = idle->listeners};
        memcpy(message.text, idle->text, sizeof message.text);
        send_bind(successor, MESSAGE_OFFER_BIND, &message, idle->fds, idle->fd_count);
    }
}

/* As many of them as one message has room for. */
struct servers {
    struct channel *successor;
    size_t size;
    unsigned char bytes[MESSAGE_PAYLOAD_MAX];
};

static void send_packed(struct servers *servers)
{
    if (servers->size > 0)
        channel_send(servers->successor, MESSAGE_SERVERS, servers->bytes, servers->size, NULL, 0);
    servers->size = 0;
}

static void pack_server(struct servers *servers, const struct message_server *record)
{
    size_t size;
    while ((size = server_states_pack(record, servers->bytes + servers->size,
                                      sizeof servers->bytes - servers->size)) == 0)
        send_packed(servers);
    servers->size += size;
}

static void send_servers(const struct proxy *proxy, struct channel *successor)
{
    struct servers servers = {.successor = successor};
    for (size_t i = 0; i < proxy->service.config->backend_count; i++) {
        const struct server_set *set = backend_servers(&proxy->service.backends[i]);
        for (size_t j = 0; j < set->count; j++) {
            struct message_server record;
            server_states_record(set->list[j], &record);
            pack_server(&servers, &record);
        }
    }
    send_packed(&servers);
}

static void send_paused(const struct proxy *proxy, struct channel *successor)
{
    for (size_t i = 0; i < proxy->service.config->frontend_count; i++)
        if (atomic_load(&proxy->service.frontends[i].paused_at))
            frontend_states_send(successor, &proxy->service.frontends[i]);
}

static void send_metrics(const struct metrics_sockets *sockets, struct channel *successor)
{
    for (size_t i = 0; i < sockets->count; i++) {
        const struct metrics_socket *socket = &sockets->list[i];
        struct message_metrics message = {.text = ""};
        if (!metrics_socket_is_offered(socket))
            continue;
        memcpy(message.text, socket->at.text, sizeof message.text);
        channel_lend(successor, MESSAGE_METRICS, &message, sizeof message, &socket->fd, 1);
    }
}

static void send_duplicates(const struct bound *bound, struct channel *peer)
{
    struct message_offer_bind message = {.listeners = 0};
    memcpy(message.text, bound->conf->text, sizeof message.text);
    send_bind(peer, MESSAGE_DUPLICATES, &message, bound->fds, bound->sockets);
}

static void send_all_duplicates(const struct binds *binds, struct channel *successor)
{
    for (size_t i = 0; i < binds->count; i++)
        if (binds->list[i].way != BIND_PASS && binds->list[i].way != BIND_ANEW)
            send_duplicates(&binds->list[i], successor);
}

void offering_send(const struct generation *generation, struct channel *successor, unsigned highest,
                   bool forced, bool canary, uint64_t refused)
{
    send_binds(generation->binds, successor);
    send_all_duplicates(generation->binds, successor);
    send_servers(generation->proxy, successor);
    send_paused(generation->proxy, successor);
    send_metrics(&generation->metrics, successor);
    ticket_keys_send(generation, successor);
    const struct message_offer end_of_offer = {.generation = highest,
                                               .pid = (uint32_t)getpid(),
                                               .ready_timeout =
                                                   (uint32_t)generation->config->ready_timeout,
                                               .forced = forced,
                                               .canary = canary,
                                               .refused = refused};
    channel_send(successor, MESSAGE_OFFER, &end_of_offer, sizeof end_of_offer, NULL, 0);
}

void offering_note_kept(struct binds *binds, const struct channel *successor)
{
    for (size_t i = 0; i < binds->count && !channel_is_foreign(successor); i++) {
        struct bound *bound = &binds->list[i];
        if (bound->way != BIND_PASS && bound->successors)
            bound->kept = true;
    }
}

void offering_send_ours(const struct binds *binds, const struct offer *offer,
                        struct channel *predecessor)
{
    for (size_t i = 0; i < binds->count; i++) {
        const struct bound *bound = &binds->list[i];
        if (bound->way != BIND_PASS &&
            (bound->listens_late || offer_find(offer, bound->conf->text)))
            send_duplicates(bound, predecessor);
    }
}

struct offered *offering_take(struct offer *offer, const struct received *message)
{
    const struct message_offer_bind *bind = message->payload;
    char text[ADDRESS_TEXT_MAX];
    snprintf(text, sizeof text, "%.*s", (int)sizeof text - 1, bind->text);
    struct offered *offered = offer_add(offer, text);
    if (!offered || offered_add_fds(offered, message->fds, message->fd_count))
        return NULL;
    return offered;
}

bool offering_close_partial(struct offer *kept, const struct binds *binds)
{
    bool partial = false;
    for (size_t i = 0; i < kept->count; i++) {
        struct offered *offered = &kept->list[i];
        const struct bound *bound = binds_find(binds, offered->text);
        if (bound ? bound->successors != offered->fd_count : !binds_serving(binds, offered->text))
            offered_close(offered);
        partial |= bound && !is_lost(bound) && bound->successors != offered->fd_count;
    }
    return partial;
}

void offering_close_foreign(struct offer *kept, const struct binds *binds)
{
    for (size_t i = 0; i < kept->count; i++)
        if (!binds_find(binds, kept->list[i].text))
            offered_close(&kept->list[i]);
}
