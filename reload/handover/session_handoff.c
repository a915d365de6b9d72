#include "reload/handover/session_handoff.h"

#include "proxy/session/transfer.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

/* Transfers under way for each worker, and of all: their answers fit into a socket's buffer. */
#define WINDOW     4u
#define WINDOW_ALL 64u
/* Between two tries to send what the socket, or the kernel's own limits, did not let through. */
static const struct timeval retry_interval = {.tv_usec = 5000};

struct shipment {
    struct transfer transfer;
    struct handoff *handoff;
    bool sent; /* TAKEN is awaited */
    STAILQ_ENTRY(shipment) next;
};

struct handoff {
    struct channel *channel; /* NULL: no more is sent */
    struct event *retry;
    STAILQ_HEAD(, shipment) held; /* filled, and not sent yet */
    uint64_t moved;
    unsigned count;
    struct shipment shipments[];
};

static void finish(struct shipment *shipment, uint64_t taken)
{
    shipment->sent = false;
    shipment->transfer.taken = taken;
    shipment->handoff->moved += (unsigned)__builtin_popcountll(taken);
    transfer_finish(&shipment->transfer);
}

static int ship(struct shipment *shipment)
{
    const struct handoff *handoff = shipment->handoff;
    const struct transfer *transfer = &shipment->transfer;
    const struct message_handoff head = {.transfer = (uint32_t)(shipment - handoff->shipments),
                                         .sessions = transfer->count};
    unsigned char payload[sizeof head + TRANSFER_BYTES];
    _Static_assert(sizeof payload <= MESSAGE_PAYLOAD_MAX && TRANSFER_FDS <= MESSAGE_FDS_MAX,
                   "a transfer fits a message");
    memcpy(payload, &head, sizeof head);
    memcpy(payload + sizeof head, transfer->bytes, transfer->length);
    return channel_send_now(handoff->channel, MESSAGE_HANDOFF, payload,
                            sizeof head + transfer->length, transfer->fds, transfer->fd_count);
}

/* False: not now. */
static bool try_to_ship(struct shipment *shipment)
{
    int error = ship(shipment);
    if (channel_may_retry(error))
        return false;
    if (error == 0)
        shipment->sent = true;
    else /* the peer is gone, as the channel will tell */
        finish(shipment, 0);
    return true;
}

static void on_retry(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct handoff *handoff = arg;
    struct shipment *shipment;
    while ((shipment = STAILQ_FIRST(&handoff->held))) {
        if (!try_to_ship(shipment)) {
            event_add(handoff->retry, &retry_interval);
            return;
        }
        STAILQ_REMOVE_HEAD(&handoff->held, next);
    }
}

/* The worker has filled it, or finished with it. */
static void on_done(struct transfer *transfer, void *arg)
{
    struct shipment *shipment = arg;
    struct handoff *handoff = shipment->handoff;
    if (transfer->count == 0) {
        if (handoff->channel)
            transfer_fill(transfer, transfer->worker);
    } else if (!handoff->channel) {
        finish(shipment, 0);
    } else if (!STAILQ_EMPTY(&handoff->held) || !try_to_ship(shipment)) {
        STAILQ_INSERT_TAIL(&handoff->held, shipment, next);
        event_add(handoff->retry, &retry_interval);
    }
}

struct handoff *handoff_begin(struct proxy *proxy, struct channel *channel, struct event_base *base)
{
    unsigned each = WINDOW_ALL / proxy->worker_count;
    if (each > WINDOW)
        each = WINDOW;
    unsigned count = (each ? each : 1) * proxy->worker_count;
    struct handoff *handoff = calloc(1, sizeof *handoff + count * sizeof *handoff->shipments);
    if (!handoff)
        return NULL;
    handoff->retry = event_new(base, -1, 0, on_retry, handoff);
    if (!handoff->retry) {
        free(handoff);
        return NULL;
    }
    handoff->channel = channel;
    handoff->count = count;
    STAILQ_INIT(&handoff->held);
    for (unsigned i = 0; i < count; i++) {
        struct shipment *shipment = &handoff->shipments[i];
        shipment->handoff = handoff;
        shipment->transfer.done = on_done;
        shipment->transfer.arg = shipment;
        transfer_fill(&shipment->transfer, &proxy->workers[i % proxy->worker_count]);
    }
    return handoff;
}

void handoff_on_taken(struct handoff *handoff, const struct received *message)
{
    const struct message_taken *taken = message->payload;
    if (!handoff || taken->transfer >= handoff->count)
        return;
    struct shipment *shipment = &handoff->shipments[taken->transfer];
    if (shipment->sent)
        finish(shipment, taken->taken);
}

void handoff_end(struct handoff *handoff)
{
    if (!handoff || !handoff->channel)
        return;
    handoff->channel = NULL;
    event_del(handoff->retry);
    struct shipment *shipment;
    STAILQ_FOREACH (shipment, &handoff->held, next)
        finish(shipment, 0);
    STAILQ_INIT(&handoff->held);
}

void handoff_abort(struct handoff *handoff, bool alive)
{
    if (!handoff)
        return;
    handoff_end(handoff);
    for (unsigned i = 0; i < handoff->count; i++) {
        struct shipment *shipment = &handoff->shipments[i];
        if (shipment->sent)
            finish(shipment, alive ? (UINT64_C(1) << shipment->transfer.count) - 1 : 0);
    }
}

bool handoff_is_waiting(const struct handoff *handoff)
{
    for (unsigned i = 0; handoff && i < handoff->count; i++)
        if (handoff->shipments[i].sent)
            return true;
    return false;
}

uint64_t handoff_moved(const struct handoff *handoff)
{
    return handoff ? handoff->moved : 0;
}

void handoff_free(struct handoff *handoff)
{
    if (!handoff)
        return;
    event_free(handoff->retry);
    free(handoff);
}

bool handoff_receive(struct proxy *proxy, struct channel *channel, const struct received *message,
                     unsigned room, unsigned *arrived)
{
    struct arrivals arrivals = STAILQ_HEAD_INITIALIZER(arrivals);
    struct message_handoff head;
    struct message_taken answer = {0};
    *arrived = 0;
    if (message->length >= sizeof head) {
        memcpy(&head, message->payload, sizeof head);
        answer.transfer = head.transfer;
        answer.taken = transfer_unpack(proxy, (const unsigned char *)message->payload + sizeof head,
                                       message->length - sizeof head, message->fds,
                                       message->fd_count, room, &arrivals, &answer.sessions);
    }
    int error = channel_send_now(channel, MESSAGE_TAKEN, &answer, sizeof answer, NULL, 0);
    if (error && error != EPIPE) {
        arrivals_abandon(&arrivals, proxy);
        return false;
    }
    *arrived = (unsigned)__builtin_popcountll(answer.taken);
    arrivals_admit(&arrivals, proxy);
    return true;
}
