#include "proxy/session/transfer.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "proxy/backend/queue.h"
#include "proxy/session/source_place.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beside what engine_flags() has. */
enum end_flag {
    FLAG_SHUT = 2,
    FLAG_KEPT_ALIVE = 128, /* of the server's end */
};

_Static_assert((ENGINE_FLAGS_NOT_USED & (FLAG_SHUT | FLAG_KEPT_ALIVE)) ==
                   (FLAG_SHUT | FLAG_KEPT_ALIVE),
               "the engine leaves these flags to others");

struct end_record {
    uint64_t received;
    uint32_t unsent; /* bytes, in a descriptor of their own if there are any */
    uint32_t flags;
};

/* Both processes run on one machine, and CLOCK_MONOTONIC is the same in both. A later version may
 * add members at the end: `size` says how many are there. The names of session_names() follow, each
 * with its NUL, then what facts_pack() has written, then padding. */
struct session_record {
    uint32_t size;
    uint32_t length; /* with names and padding */
    uint32_t generation, accepted_by;
    uint64_t number;
    uint64_t accepted_at, connected_at, active_at;
    uint64_t terminate_at;
    uint32_t attempts;
    uint32_t server_family;
    unsigned char peer[sizeof(((struct session *)NULL)->peer)];
    struct end_record client, server;
    uint32_t facts_length;
    uint32_t reserved; /* 0 */
};

/* Of the first version. */
#define SESSION_RECORD_LEAST (offsetof(struct session_record, server) + sizeof(struct end_record))

/* --- packing ------------------------------------------------------------------------------- */

static uint32_t flags_of(const struct conn *end)
{
    return engine_flags(&end->stream) | (end->shut ? FLAG_SHUT : 0u);
}

static struct end_record describe(const struct conn *end)
{
    return (struct end_record){.received = end->stream.received,
                               .unsent = end->unsent ? (uint32_t)end->unsent->length : 0,
                               .flags = flags_of(end)};
}

static int write_all(int fd, const unsigned char *bytes, size_t length)
{
    while (length > 0) {
        ssize_t written = write(fd, bytes, length);
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return errno;
        bytes += written;
        length -= (size_t)written;
    }
    return 0;
}

/* Adds the end's descriptors; false: it could not. */
static bool add_end(struct transfer *transfer, const struct conn *end)
{
    transfer->fds[transfer->fd_count++] = end->stream.fd;
    if (!end->unsent)
        return true;
    int memory = memfd_create("unsent", MFD_CLOEXEC);
    if (memory < 0)
        return false;
    transfer->memory |= UINT64_C(1) << transfer->fd_count;
    transfer->fds[transfer->fd_count++] = memory;
    return write_all(memory, end->unsent->bytes + end->unsent->offset, end->unsent->length) == 0;
}

/* What the transfer opened for itself, from descriptor `first` on; a session's sockets stay open.
 */
static void close_memory(struct transfer *transfer, size_t first)
{
    for (size_t i = first; i < transfer->fd_count; i++)
        if (transfer->memory >> i & 1)
            close(transfer->fds[i]);
    transfer->memory &= (UINT64_C(1) << first) - 1;
    transfer->fd_count = first;
}

/* Behind an IPv4 address is what the memory was before. */
static size_t peer_length(const struct session *session)
{
    return session->peer.any.sa_family == AF_INET6 ? sizeof session->peer.in6
                                                   : sizeof session->peer.in;
}

/* Describes a parked session. False: it is not to go. */
static bool add_record(struct transfer *transfer, struct session *session)
{
    const char *names[SESSION_NAMES];
    session_names(session, names);
    size_t length = sizeof(struct session_record);
    for (unsigned i = 0; i < SESSION_NAMES; i++)
        length += strlen(names[i]) + 1;
    size_t facts_length = facts_pack(session->facts, NULL, 0);
    length = (length + facts_length + 7) & ~(size_t)7;
    if (transfer->length + length > TRANSFER_BYTES)
        return false;
    struct session_record record = {
        .size = sizeof record,
        .length = (uint32_t)length,
        .generation = session->generation,
        .accepted_by = session->entry.accepted_by,
        .number = session->number,
        .accepted_at = session->entry.accepted_at,
        .connected_at = session->connected_at,
        .active_at = session->active_at,
        .terminate_at = session->terminate_at,
        .attempts = session->attempts,
        .server_family = session->server_family,
        .client = describe(&session->client),
        .server = describe(&session->server),
        .facts_length = (uint32_t)facts_length,
    };
    if (session->kept_alive)
        record.server.flags |= FLAG_KEPT_ALIVE;
    memcpy(record.peer, &session->peer, peer_length(session));

    size_t first = transfer->fd_count;
    transfer->sessions[transfer->count++] = session;
    if (!add_end(transfer, &session->client) || !add_end(transfer, &session->server)) {
        close_memory(transfer, first);
        transfer->count--;
        return false;
    }
    unsigned char *at = transfer->bytes + transfer->length;
    memset(at, 0, length);
    memcpy(at, &record, sizeof record);
    at += sizeof record;
    for (unsigned i = 0; i < SESSION_NAMES; i++)
        at = (unsigned char *)stpcpy((char *)at, names[i]) + 1;
    facts_pack(session->facts, at, facts_length);
    transfer->length += length;
    return true;
}

/* What OpenSSL has of a session that speaks TLS cannot move. Sessions of a backend stay as long as
 * others wait here for its places, so that the places are used here until then: those that wait
 * came before the clients of the other process. */
static bool may_go(const struct session *session)
{
    const struct backend *backend = session->backend;
    return session->state == SESSION_ESTABLISHED && !session->stays && !session->client.sealed &&
           !(backend && backend->queue && pool_waiting(&backend->queue->pool) > 0);
}

static void on_answered(void *arg)
{
    struct transfer *transfer = arg;
    transfer->done(transfer, transfer->arg);
}

static void answer(struct transfer *transfer)
{
    transfer->task = (struct task){.run = on_answered, .arg = transfer};
    task_queue_post(transfer->set->service->main, &transfer->task);
}

void transfers_on_parked(struct session *session)
{
    struct transfer *transfer = STAILQ_FIRST(&session->set->transfers);
    transfer->parking--;
    if (add_record(transfer, session))
        return;
    /* With others in the message it goes into the next one; alone, it cannot be described. */
    transfer->full = transfer->count > 0;
    session_unpark(session);
    session->stays = !transfer->full;
}

static bool is_full(const struct transfer *transfer)
{
    return transfer->full || transfer->count + transfer->parking == TRANSFER_SESSIONS;
}

/* Parks sessions of one frontend. True: all that may go are in, or are being parked. */
static bool fill_from(struct transfer *transfer, const struct session_list *session_list)
{
    struct session_entry *entry, *next;
    for (entry = TAILQ_FIRST(&session_list->list); entry; entry = next) {
        struct session *session = session_of(entry);
        next = TAILQ_NEXT(entry, link);
        if (!may_go(session))
            continue;
        if (is_full(transfer))
            return false;
        transfer->parking++;
        session_park(session);
    }
    return !transfer->full;
}

static void fill(struct transfer *transfer)
{
    struct session_set *set = transfer->set;
    for (size_t i = 0; set->movable && i < set->service->frontend_count; i++)
        if (!fill_from(transfer, &set->lists[i]))
            return;
    set->movable = false;
}

bool transfers_wanted(const struct session_set *set)
{
    const struct transfer *transfer = STAILQ_FIRST(&set->transfers);
    return transfer->parking == 0 && (set->movable || !transfer->waits);
}

void transfers_fill_next(struct session_set *set)
{
    struct transfer *transfer = STAILQ_FIRST(&set->transfers);
    if (transfer->parking == 0)
        fill(transfer);
    if (transfer->parking > 0 || (transfer->count == 0 && transfer->waits))
        return;
    STAILQ_REMOVE_HEAD(&set->transfers, next);
    answer(transfer);
}

/* All may move that were refused by a process that is gone. */
static void let_all_move(struct session_set *set)
{
    struct session_entry *entry;
    for (size_t i = 0; i < set->service->frontend_count; i++)
        TAILQ_FOREACH (entry, &set->lists[i].list, link)
            session_of(entry)->stays = false;
    set->movable = true;
}

static void on_fill(void *arg)
{
    struct transfer *transfer = arg;
    if (transfer->first)
        let_all_move(transfer->set);
    transfer->first = false;
    STAILQ_INSERT_TAIL(&transfer->set->transfers, transfer, next);
}

void transfer_fill(struct transfer *transfer, struct session_set *set)
{
    transfer->set = set;
    transfer->count = transfer->parking = 0;
    transfer->full = false;
    transfer->taken = transfer->memory = 0;
    transfer->length = transfer->fd_count = 0;
    transfer->task = (struct task){.run = on_fill, .arg = transfer};
    task_queue_post(&set->loop.tasks, &transfer->task);
}

static void on_finish(void *arg)
{
    struct transfer *transfer = arg;
    close_memory(transfer, 0);
    for (unsigned i = 0; i < transfer->count; i++)
        if (transfer->taken >> i & 1)
            session_leave(transfer->sessions[i]);
        else
            session_unpark(transfer->sessions[i]);
    transfer->count = 0;
    answer(transfer);
}

void transfer_finish(struct transfer *transfer)
{
    transfer->task = (struct task){.run = on_finish, .arg = transfer};
    task_queue_post(&transfer->set->loop.tasks, &transfer->task);
}

/* --- unpacking ----------------------------------------------------------------------------- */

/* What is left of a message. */
struct reader {
    struct service *service;
    const unsigned char *bytes;
    size_t length;
    const unsigned char *facts; /* of the record that was read last */
    int *fds;
    size_t fd_count;
};

static bool read_record(struct reader *reader, struct session_record *record,
                        const char *names[static SESSION_NAMES])
{
    uint32_t sizes[2];
    if (reader->length < SESSION_RECORD_LEAST)
        return false;
    memcpy(sizes, reader->bytes, sizeof sizes);
    uint32_t size = sizes[0], length = sizes[1];
    if (size < SESSION_RECORD_LEAST || length < size || length > reader->length)
        return false;
    memset(record, 0, sizeof *record);
    memcpy(record, reader->bytes, size < sizeof *record ? size : sizeof *record);
    const char *at = (const char *)reader->bytes + size;
    const char *end = (const char *)reader->bytes + length;
    for (unsigned i = 0; i < SESSION_NAMES; i++) {
        const char *nul = memchr(at, 0, (size_t)(end - at));
        if (!nul)
            return false;
        names[i] = at;
        at = nul + 1;
    }
    if (record->facts_length > (size_t)(end - at))
        return false;
    reader->facts = (const unsigned char *)at;
    reader->bytes += length;
    reader->length -= length;
    return true;
}

static struct unsent *read_unsent(int memory, size_t length)
{
    struct stat status; /* no more is believed than is there */
    if (fstat(memory, &status) || (uint64_t)status.st_size < length)
        return NULL;
    struct unsent *unsent = malloc(sizeof *unsent + length);
    if (!unsent)
        return NULL;
    *unsent = (struct unsent){.length = length};
    for (size_t got = 0; got < length;) {
        ssize_t n = pread(memory, unsent->bytes + got, length - got, (off_t)got);
        if (n <= 0) {
            free(unsent);
            return NULL;
        }
        got += (size_t)n;
    }
    return unsent;
}

/* Moves past the end's descriptors, and takes them if there is an end to take them for. */
static bool read_end(struct reader *reader, const struct end_record *record, struct conn *end)
{
    size_t wanted = record->unsent ? 2 : 1;
    if (reader->fd_count < wanted)
        return false;
    int *fds = reader->fds;
    reader->fds += wanted;
    reader->fd_count -= wanted;
    if (!end)
        return true;
    if (record->unsent && !(end->unsent = read_unsent(fds[1], record->unsent)))
        return false;
    engine_adopt(&end->stream, fds[0], record->received, record->flags);
    fds[0] = -1;
    end->shut = record->flags & FLAG_SHUT;
    return true;
}

static void discard(struct session *session)
{
    struct conn *ends[] = {&session->client, &session->server};
    for (unsigned i = 0; i < 2; i++)
        if (conn_is_open(ends[i]))
            conn_leave(ends[i]);
    session_free(session);
}

static char *copy_names(const char *const names[static SESSION_NAMES])
{
    size_t length = 0;
    for (unsigned i = 0; i < SESSION_NAMES; i++)
        length += strlen(names[i]) + 1;
    char *copy = malloc(length), *at = copy;
    for (unsigned i = 0; copy && i < SESSION_NAMES; i++)
        at = stpcpy(at, names[i]) + 1;
    return copy;
}

/* Of a session whose server is not in the configuration any more. */
static void judge_removed(struct session *session, const struct config *config)
{
    uint64_t terminate_at = clock_ms();
    if (config->on_removed == REMOVED_KEEP ||
        (config->on_removed == REMOVED_DRAIN && config->drain_timeout == 0))
        return;
    if (config->on_removed == REMOVED_DRAIN)
        terminate_at += config->drain_timeout;
    if (session->terminate_at == 0 || terminate_at < session->terminate_at)
        session->terminate_at = terminate_at;
}

/* Finds what the session belongs to in this configuration. False: no memory. */
static bool find_place(struct session *session, struct service *service,
                       const char *const names[static SESSION_NAMES])
{
    const struct config *config = service->config;
    session->frontend = &service->frontends[config->frontend_count]; /* of those that are gone */
    for (size_t i = 0; i < config->frontend_count; i++)
        if (strcmp(config->frontends[i].name, names[0]) == 0)
            session->frontend = &service->frontends[i];
    const struct frontend_conf *conf = session->frontend->conf;
    for (size_t i = 0; i < conf->bind_count; i++)
        if (strcmp(conf->binds[i].text, names[1]) == 0)
            session->bind = &conf->binds[i];
    session->backend = service_backend(service, names[2]);
    if (session->backend)
        session->chosen = backend_find(session->backend, names[3]);
    if (!session->chosen)
        judge_removed(session, config);
    else
        session->terminate_at = 0;
    if (session->bind && session->chosen)
        return true;
    session->foreign_names = copy_names(names);
    return session->foreign_names != NULL;
}

/* False: they make no sense, or there is no memory. */
static bool read_facts(const struct reader *reader, const struct session_record *record,
                       struct session *session)
{
    return record->facts_length == 0 ||
           (session_facts(session) &&
            facts_unpack(session->facts, reader->facts, record->facts_length));
}

static struct session *make_session(struct reader *reader, const struct session_record *record,
                                    const char *const names[static SESSION_NAMES])
{
    struct session *session = calloc(1, sizeof *session);
    if (session) {
        session->client.stream.fd = session->server.stream.fd = -1;
        session->generation = record->generation;
        session->entry.accepted_by = record->accepted_by;
        session->number = record->number;
        session->entry.accepted_at = record->accepted_at;
        session->connected_at = record->connected_at;
        session->active_at = record->active_at;
        session->terminate_at = record->terminate_at;
        session->attempts = record->attempts;
        session->server_family = (sa_family_t)record->server_family;
        session->kept_alive = record->server.flags & FLAG_KEPT_ALIVE;
        memcpy(&session->peer, record->peer, sizeof session->peer);
    }
    /* Both are read in any case: the next session's descriptors follow. */
    bool client = read_end(reader, &record->client, session ? &session->client : NULL);
    bool server = read_end(reader, &record->server, session ? &session->server : NULL);
    if (session && client && server && read_facts(reader, record, session) &&
        find_place(session, reader->service, names))
        return session;
    if (session)
        discard(session);
    return NULL;
}

static struct arrival *make_arrival(struct reader *reader, const struct session_record *record,
                                    const char *const names[static SESSION_NAMES], bool room)
{
    struct arrival *arrival = room ? calloc(1, sizeof *arrival) : NULL;
    if (!arrival) {
        (void)read_end(reader, &record->client, NULL);
        (void)read_end(reader, &record->server, NULL);
        return NULL;
    }
    arrival->session = make_session(reader, record, names);
    if (!arrival->session) {
        free(arrival);
        return NULL;
    }
    place_force(&arrival->session->frontend->places);
    /* Before the other process gives its place up. */
    if (arrival->session->chosen && arrival->session->chosen->seat)
        pool_force(&arrival->session->chosen->seat->member);
    arrival->session->source_counted = source_place_arrive(
        reader->service, arrival->session->frontend, session_source(arrival->session));
    return arrival;
}

uint64_t transfer_unpack(struct service *service, const void *bytes, size_t length, int *fds,
                         size_t fd_count, unsigned room, struct arrivals *arrivals, unsigned *count)
{
    struct reader reader = {
        .service = service, .bytes = bytes, .length = length, .fds = fds, .fd_count = fd_count};
    struct session_record record;
    const char *names[SESSION_NAMES];
    uint64_t taken = 0;
    for (*count = 0; *count < TRANSFER_SESSIONS && read_record(&reader, &record, names);
         (*count)++) {
        struct arrival *arrival = make_arrival(&reader, &record, names, room > 0);
        if (!arrival)
            continue;
        room--;
        taken |= UINT64_C(1) << *count;
        STAILQ_INSERT_TAIL(arrivals, arrival, next);
    }
    return taken;
}

static void on_admitted(void *arg)
{
    struct arrival *arrival = arg;
    session_arrive(arrival->session, arrival->set);
    free(arrival);
}

void arrivals_admit(struct arrivals *arrivals, struct service *service)
{
    struct arrival *arrival;
    while ((arrival = STAILQ_FIRST(arrivals))) {
        STAILQ_REMOVE_HEAD(arrivals, next);
        arrival->set = service_next_set(service);
        arrival->task = (struct task){.run = on_admitted, .arg = arrival};
        task_queue_post(&arrival->set->loop.tasks, &arrival->task);
    }
}

void arrivals_abandon(struct arrivals *arrivals, struct service *service)
{
    struct arrival *arrival;
    while ((arrival = STAILQ_FIRST(arrivals))) {
        STAILQ_REMOVE_HEAD(arrivals, next);
        struct server *server = arrival->session->chosen;
        if (server && server->seat)
            pool_release(&server->backend->queue->pool, &server->seat->member);
        session_leave_source(arrival->session, service);
        service_release_place(service, arrival->session->frontend);
        discard(arrival->session);
        free(arrival);
    }
}
