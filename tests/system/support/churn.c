#include "tests/system/support/churn.h"

#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    BATCH = 256,
    CHUNK = 65536,
    PAUSE_MS = 30,
    TURN_MS = 2,
    SWEEP_MS = 500,
    STARTS_A_TURN = 64,
    SOURCES = 200 /* addresses of 127/8 for clients: more than the 28,000 ports of one address */
};

enum phase { FREE, RETRYING, CONNECTING, PAUSING, SENDING, RECEIVING };

static const char *const phase_names[] = {
    [FREE] = "free",       [RETRYING] = "connecting", [CONNECTING] = "connecting",
    [PAUSING] = "pausing", [SENDING] = "sending",     [RECEIVING] = "receiving",
};

struct client {
    int fd;
    enum phase phase;
    struct request request;
    size_t sent;
    uint64_t got;
    int64_t start, wake; /* ms; wake: when a pause is over */
    uint32_t watched;    /* epoll events */
    bool paused;
};

struct churn {
    struct churn_options options;
    struct churn_result result;
    struct client *clients;
    unsigned active;
    unsigned pausing;
    unsigned next_free;
    uint64_t next_id;
    int epoll;
    int64_t start;
    atomic_uint_fast64_t ended;
    atomic_bool stopping;
    pthread_t thread;
    char bytes[CHUNK];
};

static uint32_t answer_length(const struct churn *churn, uint64_t id)
{
    if (churn->options.bulk || id % 1021 == 1020) {
        return 1 << 20;
    }
    if (id % 61 == 60) {
        return 65536 + (uint32_t)(id % 8191);
    }
    return (uint32_t)(id * 7 % 1999);
}

static enum ending ending_of(uint64_t id)
{
    static const enum ending endings[] = {ENDING_BY_CLIENT, ENDING_BY_SERVER, ENDING_BY_CLIENT,
                                          ENDING_HALF};
    return endings[id % 4];
}

static void end_client(struct churn *churn, struct client *client)
{
    if (client->fd >= 0) {
        /* close() is not enough: a program that is being started has a copy of the descriptor for a
         * moment, and epoll would still report on it. */
        if (client->watched != 0) {
            epoll_ctl(churn->epoll, EPOLL_CTL_DEL, client->fd, NULL);
        }
        close(client->fd);
    }
    churn->pausing -= client->phase == PAUSING || client->phase == RETRYING;
    client->phase = FREE;
    churn->active--;
    churn->next_free = (unsigned)(client - churn->clients);
    atomic_fetch_add(&churn->ended, 1);
}

static void complete(struct churn *churn, struct client *client)
{
    churn->result.completed++;
    churn->result.sent += client->sent;
    churn->result.received += client->got;
    double lived = (double)(now_ms() - client->start) / 1000;
    if (lived > churn->result.slowest)
        churn->result.slowest = lived;
    end_client(churn, client);
}

static void lose(struct churn *churn, struct client *client, enum loss kind, int error)
{
    struct churn_result *result = &churn->result;
    result->lost[kind]++;
    if (result->told_count < LOSSES_TOLD) {
        struct endpoint self = {.length = sizeof self.un};
        if (client->fd < 0 || getsockname(client->fd, &self.any, &self.length) != 0) {
            self.any.sa_family = AF_UNSPEC;
        }
        int64_t now = now_ms();
        unsigned index = result->told_count++;
        result->told[index].kind = kind;
        result->told[index].phase = phase_names[client->phase];
        result->told[index].id = client->request.id;
        result->told[index].got = client->got;
        result->told[index].error = error;
        result->told[index].second = (double)(now - churn->start) / 1000;
        result->told[index].lived = (double)(now - client->start) / 1000;
        result->told[index].source =
            self.any.sa_family == AF_INET ? ntohs(self.in.sin_port) : (uint16_t)0;
    }
    end_client(churn, client);
}

static void lose_by_error(struct churn *churn, struct client *client, int error)
{
    enum loss kind = LOSS_OTHER;
    if (error == ECONNREFUSED || error == ENOENT) {
        kind = LOSS_REFUSED;
    } else if (error == ECONNRESET || error == EPIPE) {
        kind = LOSS_RESET;
    } else if (error == ETIMEDOUT) {
        kind = LOSS_TIMEOUT;
    }
    lose(churn, client, kind, error);
}

static void watch(struct churn *churn, struct client *client, uint32_t events)
{
    if (client->watched != events) {
        struct epoll_event event = {.events = events, .data.ptr = client};
        int operation = client->watched == 0 ? EPOLL_CTL_ADD : EPOLL_CTL_MOD;
        if (epoll_ctl(churn->epoll, operation, client->fd, &event) != 0) {
            abort();
        }
        client->watched = events;
    }
}

static void pause_client(struct churn *churn, struct client *client, enum phase phase, int ms)
{
    client->phase = phase;
    client->wake = now_ms() + ms;
    churn->pausing++;
}

/* One in eight pauses, half of these before its first byte and half within the request. */
static bool pauses_now(const struct client *client)
{
    return !client->paused && client->request.id % 8 == 3 &&
           client->sent == (client->request.id % 16 == 3 ? 0 : 5);
}

static void send_request(struct churn *churn, struct client *client)
{
    client->phase = SENDING;
    while (client->sent < sizeof client->request) {
        if (pauses_now(client)) {
            client->paused = true;
            watch(churn, client, EPOLLIN);
            pause_client(churn, client, PAUSING, PAUSE_MS);
            return;
        }
        bool stops_short = !client->paused && client->request.id % 16 == 11;
        size_t end = stops_short ? 5 : sizeof client->request;
        ssize_t sent = send(client->fd, (const char *)&client->request + client->sent,
                            end - client->sent, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno == EAGAIN) {
                watch(churn, client, EPOLLIN | EPOLLOUT);
            } else {
                lose_by_error(churn, client, errno);
            }
            return;
        }
        client->sent += (size_t)sent;
    }
    if (client->request.ending == ENDING_HALF) {
        shutdown(client->fd, SHUT_WR);
    }
    client->phase = RECEIVING;
    watch(churn, client, EPOLLIN);
    if (client->request.length == 0 && client->request.ending == ENDING_BY_CLIENT) {
        complete(churn, client);
    }
}

static void receive(struct churn *churn, struct client *client)
{
    ssize_t got = recv(client->fd, churn->bytes, sizeof churn->bytes, 0);
    if (got < 0) {
        if (errno != EAGAIN) {
            lose_by_error(churn, client, errno);
        }
        return;
    }
    uint64_t left = client->request.length - client->got;
    if (got == 0) {
        if (left == 0 && client->phase == RECEIVING) {
            complete(churn, client);
        } else {
            lose(churn, client, LOSS_CUT, 0);
        }
        return;
    }
    if ((uint64_t)got > left || pattern_mismatch(client->request.id, client->got, churn->bytes,
                                                 (size_t)got) != (size_t)got) {
        lose(churn, client, LOSS_WRONG, 0);
        return;
    }
    client->got += (uint64_t)got;
    if (client->got == client->request.length && client->request.ending == ENDING_BY_CLIENT) {
        complete(churn, client);
    }
}

static void connected(struct churn *churn, struct client *client)
{
    int error = 0;
    socklen_t length = sizeof error;
    getsockopt(client->fd, SOL_SOCKET, SO_ERROR, &error, &length);
    if (error != 0) {
        lose_by_error(churn, client, error);
    } else {
        send_request(churn, client);
    }
}

static void step(struct churn *churn, struct client *client)
{
    switch (client->phase) {
    case CONNECTING:
        connected(churn, client);
        break;
    case SENDING:
        send_request(churn, client);
        break;
    case PAUSING: /* no byte is due: only an end or an error can have come */
    case RECEIVING:
        receive(churn, client);
        break;
    case RETRYING:
    case FREE:
        break;
    }
}

static void connect_client(struct churn *churn, struct client *client)
{
    const struct endpoint *target = &churn->options.target;
    client->phase = CONNECTING;
    if (connect(client->fd, &target->any, target->length) == 0) {
        send_request(churn, client);
    } else if (errno == EINPROGRESS) {
        watch(churn, client, EPOLLOUT);
    } else if (errno == EAGAIN && target->any.sa_family == AF_UNIX) {
        /* The backlog is full. A blocking client would wait here. */
        pause_client(churn, client, RETRYING, 1);
    } else {
        lose_by_error(churn, client, errno);
    }
}

/* Uses many addresses, so that connections in TIME_WAIT do not use up the ports of one address. */
static void choose_source(const struct churn *churn, int fd, uint64_t id)
{
    const struct endpoint *target = &churn->options.target;
    if (target->any.sa_family == AF_INET && ntohl(target->in.sin_addr.s_addr) >> 24 == 127) {
        int on = 1;
        setsockopt(fd, SOL_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
        struct sockaddr_in source = {.sin_family = AF_INET};
        source.sin_addr.s_addr = htonl((127U << 24) + 2 + (uint32_t)(id % SOURCES));
        if (bind(fd, (struct sockaddr *)&source, sizeof source) != 0) {
            abort();
        }
    }
}

static void start_client(struct churn *churn)
{
    while (churn->clients[churn->next_free].phase != FREE) {
        churn->next_free = (churn->next_free + 1) % churn->options.in_flight;
    }
    struct client *client = &churn->clients[churn->next_free];
    uint64_t id = churn->next_id++;
    *client = (struct client){.start = now_ms()};
    client->request = (struct request){id, answer_length(churn, id), ending_of(id)};
    churn->active++;
    churn->result.started++;
    client->fd =
        socket(churn->options.target.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (client->fd < 0) {
        lose(churn, client, LOSS_OTHER, errno);
        return;
    }
    choose_source(churn, client->fd, id);
    connect_client(churn, client);
}

static void start_due(struct churn *churn)
{
    if (atomic_load(&churn->stopping)) {
        return;
    }
    uint64_t due = UINT64_MAX;
    if (churn->options.rate > 0) {
        due = (uint64_t)(now_ms() - churn->start) * churn->options.rate / 1000;
    }
    for (unsigned i = 0; i < STARTS_A_TURN && churn->result.started < due; i++) {
        if (churn->active >= churn->options.in_flight) {
            churn->result.held_back += churn->options.rate > 0;
            return;
        }
        start_client(churn);
    }
}

static void wake_paused(struct churn *churn, int64_t now)
{
    for (unsigned i = 0; churn->pausing > 0 && i < churn->options.in_flight; i++) {
        struct client *client = &churn->clients[i];
        if ((client->phase == PAUSING || client->phase == RETRYING) && now >= client->wake) {
            churn->pausing--;
            if (client->phase == PAUSING) {
                send_request(churn, client);
            } else {
                connect_client(churn, client);
            }
        }
    }
}

static void sweep_overdue(struct churn *churn, int64_t now)
{
    for (unsigned i = 0; i < churn->options.in_flight; i++) {
        struct client *client = &churn->clients[i];
        if (client->phase != FREE && now - client->start > PATIENCE_MS / 2) {
            lose(churn, client, LOSS_TIMEOUT, 0);
        }
    }
}

static void *drive(void *argument)
{
    struct churn *churn = argument;
    int64_t last_wake = 0, last_sweep = 0;
    while (!atomic_load(&churn->stopping) || churn->active > 0) {
        start_due(churn);
        struct epoll_event events[BATCH];
        int count = epoll_wait(churn->epoll, events, BATCH, TURN_MS);
        for (int i = 0; i < count; i++) {
            step(churn, events[i].data.ptr);
        }
        int64_t now = now_ms();
        if (now != last_wake) {
            wake_paused(churn, now);
            last_wake = now;
        }
        if (now - last_sweep > SWEEP_MS) {
            sweep_overdue(churn, now);
            last_sweep = now;
        }
    }
    churn->result.seconds = (double)(now_ms() - churn->start) / 1000;
    return NULL;
}

struct churn *churn_start(const struct churn_options *options)
{
    struct churn *churn = calloc(1, sizeof *churn);
    ck_assert_ptr_nonnull(churn);
    churn->options = *options;
    churn->clients = calloc(options->in_flight, sizeof *churn->clients);
    ck_assert_ptr_nonnull(churn->clients);
    churn->epoll = epoll_create1(EPOLL_CLOEXEC);
    churn->start = now_ms();
    ck_assert_int_eq(pthread_create(&churn->thread, NULL, drive, churn), 0);
    return churn;
}

struct churn *churn_load(const struct endpoint *target, unsigned in_flight)
{
    struct churn *churn =
        churn_start(&(struct churn_options){.target = *target, .in_flight = in_flight});
    churn_wait(churn, in_flight);
    return churn;
}

uint64_t churn_ended(const struct churn *churn)
{
    return atomic_load(&churn->ended);
}

struct awaited {
    const struct churn *churn;
    uint64_t ended;
};

static bool has_ended(void *argument)
{
    const struct awaited *awaited = argument;
    return churn_ended(awaited->churn) >= awaited->ended;
}

void churn_wait(const struct churn *churn, uint64_t ended)
{
    struct awaited awaited = {churn, ended};
    wait_until(has_ended, &awaited, "clients come to their end");
}

void churn_stop(struct churn *churn, struct churn_result *result)
{
    atomic_store(&churn->stopping, true);
    pthread_join(churn->thread, NULL);
    *result = churn->result;
    close(churn->epoll);
    free(churn->clients);
    free(churn);
}

uint64_t churn_lost(const struct churn_result *result)
{
    uint64_t lost = 0;
    for (int kind = 0; kind < LOSS_KINDS; kind++) {
        lost += result->lost[kind];
    }
    return lost;
}

static const char *const loss_names[] = {
    [LOSS_REFUSED] = "refused",   [LOSS_RESET] = "reset",       [LOSS_CUT] = "cut short",
    [LOSS_WRONG] = "wrong bytes", [LOSS_TIMEOUT] = "timed out", [LOSS_OTHER] = "other",
};

void churn_print(const struct churn_result *result, const char *what)
{
    printf("     %s: %llu connections in %.1f s (%.0f/s, the slowest %.3f s)", what,
           (unsigned long long)result->completed, result->seconds,
           (double)result->completed / (result->seconds > 0 ? result->seconds : 1),
           result->slowest);
    for (int kind = 0; kind < LOSS_KINDS; kind++) {
        printf(", %llu %s", (unsigned long long)result->lost[kind], loss_names[kind]);
    }
    printf("%s\n", result->held_back > 0 ? " (load held back: too many in flight)" : "");
    for (unsigned i = 0; i < result->told_count; i++) {
        printf("       at %.3f s, %.3f s old, number %llu from port %u: %s while %s, %llu bytes "
               "got%s%s\n",
               result->told[i].second, result->told[i].lived,
               (unsigned long long)result->told[i].id, result->told[i].source,
               loss_names[result->told[i].kind], result->told[i].phase,
               (unsigned long long)result->told[i].got, result->told[i].error != 0 ? ": " : "",
               result->told[i].error != 0 ? strerror(result->told[i].error) : "");
    }
    fflush(stdout);
}

uint64_t churn_stop_clean(struct churn *churn, const char *what)
{
    struct churn_result result;
    churn_stop(churn, &result);
    uint64_t lost = churn_lost(&result);
    if (what != NULL || lost > 0) {
        churn_print(&result, what != NULL ? what : "a side load");
    }
    ck_assert_msg(lost == 0, "%s: %llu connections lost, the first at %.3f s: %s while %s: %s",
                  what != NULL ? what : "a side load", (unsigned long long)lost,
                  result.told[0].second, loss_names[result.told[0].kind], result.told[0].phase,
                  strerror(result.told[0].error));
    ck_assert_uint_eq(result.started, result.completed);
    return result.completed;
}
