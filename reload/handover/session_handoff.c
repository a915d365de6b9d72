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
    bool filling; /* the worker looks for sessions; else it finishes with those it had found */
    bool sent;    /* TAKEN is awaited */
    STAILQ_ENTRY(shipment) next;
};

struct handoff {
    struct channel *channel; /* NULL: no more is sent */
    struct event *retry;
    STAILQ_HEAD(, shipment) held; /* filled, and not sent yet */
    bool waits;                   /* for sessions that are not established yet */
    uint64_t moved;
    void (*on_idle)(void *arg);
    void *arg;
    bool discarded;
    unsigned count, busy; /* busy: those that are not idle */
    struct shipment shipments[];
};

static void fill(struct shipment *shipment)
{
    struct transfer *transfer = &shipment->transfer;
    shipment->filling = true;
    transfer->waits = shipment->handoff->waits;
    transfer_fill(transfer, transfer->set);
}

static void finish(struct shipment *shipment, uint64_t taken)
{
    shipment->sent = shipment->filling = false;
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

static void rest(struct handoff *handoff)
{
    if (--handoff->busy > 0)
        return;
    void (*on_idle)(void *arg) = handoff->on_idle;
    handoff->on_idle = NULL;
    if (handoff->discarded)
        handoff_free(handoff);
    else if (on_idle)
        on_idle(handoff->arg);
}

/* The worker has filled it, has found nothing to fill it with, or has finished with it. */
static void on_done(struct transfer *transfer, void *arg)
{
    struct shipment *shipment = arg;
    struct handoff *handoff = shipment->handoff;
    if (transfer->count == 0) {
        if (handoff->channel && !shipment->filling)
            fill(shipment);
        else
            rest(handoff);
    } else if (!handoff->channel) {
        finish(shipment, 0);
    } else if (!STAILQ_EMPTY(&handoff->held) || !try_to_ship(shipment)) {
        STAILQ_INSERT_TAIL(&handoff->held, shipment, next);
        event_add(handoff->retry, &retry_interval);
    }
}

static void fill_all(struct handoff *handoff)
{
    handoff->busy = handoff->count;
    for (unsigned i = 0; i < handoff->count; i++)
        fill(&handoff->shipments[i]);
}

struct handoff *handoff_begin(struct proxy *proxy, struct channel *channel, struct event_base *base,
                              void (*on_idle)(void *arg), void *arg)
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
    handoff->on_idle = on_idle;
    handoff->arg = arg;
    STAILQ_INIT(&handoff->held);
    for (unsigned i = 0; i < count; i++) {
        struct shipment *shipment = &handoff->shipments[i];
        shipment->handoff = handoff;
        shipment->transfer.done = on_done;
        shipment->transfer.arg = shipment;
        shipment->transfer.set = &proxy->workers[i % proxy->worker_count].sessions;
        shipment->transfer.first = i < proxy->worker_count;
    }
    fill_all(handoff);
    return handoff;
}

void handoff_go_on(struct handoff *handoff)
{
    if (!handoff || !handoff->channel)
        return;
    handoff->waits = true;
    fill_all(handoff);
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

void handoff_discard(struct handoff *handoff, bool alive)
{
    if (!handoff)
        return;
    handoff_abort(handoff, alive);
    handoff->discarded = true;
    if (handoff->busy == 0)
        handoff_free(handoff);
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

unsigned handoff_receive(struct proxy *proxy, struct channel *channel,
                         const struct received *message, unsigned room)
{
    struct arrivals arrivals = STAILQ_HEAD_INITIALIZER(arrivals);
    struct message_handoff head;
    struct message_taken answer = {0};
    if (message->length >= sizeof head) {
        memcpy(&head, message->payload, sizeof head);
        answer.transfer = head.transfer;
        answer.taken =
            transfer_unpack(&proxy->service, (const unsigned char *)message->payload + sizeof head,
                            message->length - sizeof head, message->fds, message->fd_count, room,
                            &arrivals, &answer.sessions);
    }
    int error = channel_send_now(channel, MESSAGE_TAKEN, &answer, sizeof answer, NULL, 0);
    if (error && error != EPIPE) {
        arrivals_abandon(&arrivals, &proxy->service);
        answer.taken = 0;
        channel_send(channel, MESSAGE_TAKEN, &answer, sizeof answer, NULL, 0);
    }
    arrivals_admit(&arrivals, &proxy->service);
    return (unsigned)__builtin_popcountll(answer.taken);
}
