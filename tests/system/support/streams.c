#include "tests/system/support/streams.h"

#include "tests/system/support/harness.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

enum {
    STREAMS_MAX = 1024,
    BATCH = 128,
    TICK_MS = 3,
    /* one in that many sessions sends as fast as BULK_QUANTUM for each tick allows */
    BULK_EVERY = 8,
    BULK_QUANTUM = 2048, /* words in a tick */
    SMALL_QUANTUM = 24,
    PACED_WORDS = 8,
    PACE_US = 50000,
    BUCKET_US = 100,
    BUCKETS = 20000 /* the last one is for all longer pauses */
};

/* A word: the stream in the upper 16 bits, the direction in the next, the index in the lower 47. */
#define WAY_BIT      ((uint64_t)1 << 47)
#define INDEX_MASK   (WAY_BIT - 1)
#define STREAM_SHIFT 48

struct end {
    int fd;
    bool server, bulk, known, sent_end, got_end;
    unsigned stream;  /* valid once known; a server end learns it from its first word */
    uint64_t allowed; /* words that may have been sent by now */
    uint64_t sent_bytes, got_bytes;
    unsigned char part[8]; /* of a word that has not arrived completely */
    atomic_bool lost;
    atomic_uint_fast64_t words_in;
    int64_t waits_since; /* for bytes, or for an answer */
    int64_t asks_at;     /* paced */
    atomic_uint pause;   /* the longest, microseconds */
};

struct streams {
    int listener, epoll;
    uint16_t port;
    struct end ends[2 * STREAMS_MAX];
    atomic_uint count;    /* ends in use */
    pthread_mutex_t lock; /* for adding ends */
    atomic_bool finishing;
    atomic_bool may_be_lost;
    atomic_uint lost; /* sessions: client ends */
    atomic_int tick_ms;
    bool paced;
    atomic_uint pauses[BUCKETS]; /* counts, by BUCKET_US */
    unsigned next_stream;
    pthread_t thread;
    uint64_t seed;
    char error[256]; /* the first */
    atomic_uint errors;
};

static void __attribute__((format(printf, 2, 3)))
complain(struct streams *streams, const char *format, ...)
{
    if (atomic_fetch_add(&streams->errors, 1) == 0) {
        va_list arguments;
        va_start(arguments, format);
        vsnprintf(streams->error, sizeof streams->error, format, arguments);
        va_end(arguments);
    }
}

static uint64_t word_at(unsigned stream, bool from_server, uint64_t index)
{
    return (uint64_t)stream << STREAM_SHIFT | (from_server ? WAY_BIT : 0) | (index & INDEX_MASK);
}

static void add_end(struct streams *streams, int fd, bool server, unsigned stream)
{
    pthread_mutex_lock(&streams->lock);
    unsigned index = atomic_load(&streams->count);
    if (index >= 2 * STREAMS_MAX) {
        abort();
    }
    struct end *end = &streams->ends[index];
    end->fd = fd;
    end->server = server;
    end->known = !server;
    end->stream = stream;
    end->bulk = stream % BULK_EVERY == 0;
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLET, .data.ptr = end};
    atomic_store(&streams->count, index + 1);
    if (epoll_ctl(streams->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        abort();
    }
    pthread_mutex_unlock(&streams->lock);
}

/* Returns false if no session may be lost. */
static bool lose(struct streams *streams, struct end *end)
{
    if (!atomic_load(&streams->may_be_lost)) {
        return false;
    }
    end->sent_end = end->got_end = true;
    atomic_store(&end->lost, true);
    if (!end->server) {
        atomic_fetch_add(&streams->lost, 1);
    }
    return true;
}

static void give_up(struct streams *streams, struct end *end, const char *doing, int error)
{
    if (lose(streams, end)) {
        return;
    }
    complain(streams, "session %u, %s end, %s after %llu bytes sent and %llu got: %s", end->stream,
             end->server ? "server" : "client", doing, (unsigned long long)end->sent_bytes,
             (unsigned long long)end->got_bytes, strerror(error));
    end->sent_end = end->got_end = true;
}

static void send_allowed(struct streams *streams, struct end *end)
{
    while (end->known && !end->sent_end && end->sent_bytes < end->allowed * 8) {
        uint64_t words[1024];
        uint64_t first = end->sent_bytes / 8;
        size_t skip = end->sent_bytes % 8;
        size_t count = 0;
        for (; count < 1024 && first + count < end->allowed; count++) {
            words[count] = word_at(end->stream, end->server, first + count);
        }
        ssize_t sent = send(end->fd, (const char *)words + skip, count * 8 - skip, MSG_NOSIGNAL);
        if (sent < 0) {
            if (errno != EAGAIN) {
                give_up(streams, end, "sending", errno);
            }
            return;
        }
        end->sent_bytes += (uint64_t)sent;
    }
    if (atomic_load(&streams->finishing) && end->known && !end->sent_end) {
        shutdown(end->fd, SHUT_WR);
        end->sent_end = true;
    }
}

static void check_word(struct streams *streams, struct end *end, uint64_t word)
{
    uint64_t index = end->got_bytes / 8;
    if (!end->known) {
        end->stream = (unsigned)(word >> STREAM_SHIFT);
        end->bulk = end->stream % BULK_EVERY == 0;
        end->known = true;
    }
    if (word != word_at(end->stream, !end->server, index)) {
        complain(streams, "session %u, %s end, word %llu: got %016llx (session %llu, word %llu)",
                 end->stream, end->server ? "server" : "client", (unsigned long long)index,
                 (unsigned long long)word, (unsigned long long)(word >> STREAM_SHIFT),
                 (unsigned long long)(word & INDEX_MASK));
    }
    atomic_fetch_add_explicit(&end->words_in, 1, memory_order_relaxed);
}

static int64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

static void note_pause(struct streams *streams, struct end *end)
{
    int64_t now = now_us();
    if (end->waits_since != 0) {
        unsigned pause = (unsigned)(now - end->waits_since);
        unsigned bucket = pause / BUCKET_US < BUCKETS ? pause / BUCKET_US : BUCKETS - 1;
        atomic_fetch_add_explicit(&streams->pauses[bucket], 1, memory_order_relaxed);
        if (pause > atomic_load(&end->pause)) {
            atomic_store(&end->pause, pause);
        }
    }
    end->waits_since = now;
}

static bool is_answered(const struct end *end)
{
    return end->got_bytes == end->allowed * 8;
}

static void on_paced_words(struct streams *streams, struct end *end)
{
    if (end->server) {
        end->allowed = end->got_bytes / 8;
    } else if (is_answered(end)) {
        note_pause(streams, end);
        streams->seed = streams->seed * 6364136223846793005U + 1442695040888963407U;
        end->asks_at = end->waits_since + PACE_US + (int64_t)((streams->seed >> 33) % PACE_US);
    }
}

static void ask_more(struct streams *streams, struct end *end)
{
    int64_t now = now_us();
    if (!end->server && is_answered(end) && now >= end->asks_at &&
        !atomic_load(&streams->finishing)) {
        end->allowed += PACED_WORDS;
        end->waits_since = now;
    }
}

static void receive_all(struct streams *streams, struct end *end)
{
    while (!end->got_end) {
        unsigned char bytes[65536];
        size_t carried = end->got_bytes % 8;
        memcpy(bytes, end->part, carried);
        ssize_t got = recv(end->fd, bytes + carried, sizeof bytes - 8, 0);
        if (got < 0) {
            if (errno != EAGAIN) {
                give_up(streams, end, "receiving", errno);
            }
            return;
        }
        if (got == 0 && !atomic_load(&streams->finishing) && lose(streams, end)) {
            return;
        }
        if (got == 0) {
            end->got_end = true;
            if (carried != 0 || !atomic_load(&streams->finishing)) {
                complain(streams, "session %u ended early", end->stream);
            }
            return;
        }
        if (!streams->paced) {
            note_pause(streams, end);
        }
        size_t have = carried + (size_t)got;
        end->got_bytes -= carried;
        for (size_t at = 0; at + 8 <= have; at += 8) {
            uint64_t word;
            memcpy(&word, bytes + at, 8);
            check_word(streams, end, word);
            end->got_bytes += 8;
        }
        memcpy(end->part, bytes + have - have % 8, have % 8);
        end->got_bytes += have % 8;
        if (streams->paced) {
            on_paced_words(streams, end);
        }
    }
}

static void allow_more(struct streams *streams)
{
    unsigned count = atomic_load(&streams->count);
    for (unsigned i = 0; i < count; i++) {
        struct end *end = &streams->ends[i];
        streams->seed = streams->seed * 6364136223846793005U + 1442695040888963407U;
        if (streams->paced) {
            ask_more(streams, end);
        } else if (!atomic_load(&streams->finishing)) {
            /* Never far ahead of what was sent: a session that was held up does not send a flood
             * later. */
            uint64_t sent = end->sent_bytes / 8;
            uint64_t more =
                end->bulk ? BULK_QUANTUM : (streams->seed >> 33) % SMALL_QUANTUM / (1 + i % 5);
            if (end->allowed < sent + 2 * BULK_QUANTUM) {
                end->allowed += more;
            }
        }
        send_allowed(streams, end);
    }
}

static bool all_ended(struct streams *streams)
{
    unsigned count = atomic_load(&streams->count);
    bool ended = true;
    for (unsigned i = 0; i < count; i++) {
        ended = ended && streams->ends[i].sent_end && streams->ends[i].got_end;
    }
    return ended;
}

static void *drive(void *argument)
{
    struct streams *streams = argument;
    int64_t last = 0;
    while (!atomic_load(&streams->finishing) || !all_ended(streams)) {
        struct epoll_event events[BATCH];
        int count = epoll_wait(streams->epoll, events, BATCH, atomic_load(&streams->tick_ms));
        for (int i = 0; i < count; i++) {
            struct end *end = events[i].data.ptr;
            if (end == NULL) {
                int fd;
                while ((fd = accept4(streams->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0) {
                    add_end(streams, fd, true, 0);
                }
                continue;
            }
            receive_all(streams, end);
            send_allowed(streams, end);
        }
        int64_t now = now_ms();
        if (now - last >= atomic_load(&streams->tick_ms)) {
            allow_more(streams);
            last = now;
        }
    }
    return NULL;
}

struct streams *streams_create(void)
{
    struct streams *streams = calloc(1, sizeof *streams);
    ck_assert_ptr_nonnull(streams);
    atomic_store(&streams->tick_ms, TICK_MS);
    streams->listener = listen_loopback(&streams->port);
    fcntl(streams->listener, F_SETFL, O_NONBLOCK);
    streams->epoll = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = NULL};
    ck_assert_int_eq(epoll_ctl(streams->epoll, EPOLL_CTL_ADD, streams->listener, &event), 0);
    pthread_mutex_init(&streams->lock, NULL);
    ck_assert_int_eq(pthread_create(&streams->thread, NULL, drive, streams), 0);
    return streams;
}

uint16_t streams_port(const struct streams *streams)
{
    return streams->port;
}

void streams_open(struct streams *streams, const struct endpoint *target, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        add_end(streams, connect_to(target), false, streams->next_stream++);
    }
}

void streams_slow_down(struct streams *streams, unsigned tick_ms)
{
    atomic_store(&streams->tick_ms, (int)tick_ms);
}

void streams_pace(struct streams *streams)
{
    streams->paced = true;
}

void streams_may_be_lost(struct streams *streams)
{
    atomic_store(&streams->may_be_lost, true);
}

unsigned streams_lost(const struct streams *streams)
{
    return atomic_load(&streams->lost);
}

struct progress {
    struct streams *streams;
    uint64_t since[2 * STREAMS_MAX];
    unsigned count;
    uint64_t words;
};

static bool has_moved(void *argument)
{
    const struct progress *progress = argument;
    if (atomic_load(&progress->streams->errors) > 0) {
        return true;
    }
    for (unsigned i = 0; i < progress->count; i++) {
        const struct end *end = &progress->streams->ends[i];
        if (!atomic_load(&end->lost) &&
            atomic_load(&end->words_in) < progress->since[i] + progress->words) {
            return false;
        }
    }
    return true;
}

/* A client end whose server end is not accepted yet gets no words until then, so this waits for it
 * as well. */
void streams_wait_progress(struct streams *streams, uint64_t words)
{
    struct progress progress = {.streams = streams, .words = words};
    progress.count = atomic_load(&streams->count);
    for (unsigned i = 0; i < progress.count; i++) {
        progress.since[i] = atomic_load(&streams->ends[i].words_in);
    }
    wait_until(has_moved, &progress, "every session moves on");
    ck_assert_msg(atomic_load(&streams->errors) == 0, "%s", streams->error);
}

static int compare_pauses(const void *a, const void *b)
{
    unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;
    return (left > right) - (left < right);
}

/* Milliseconds, rounded up to the end of a bucket. Resets the counts. */
static double take_percentile(struct streams *streams)
{
    unsigned counts[BUCKETS], all = 0, above = 0, bucket = BUCKETS;
    for (unsigned i = 0; i < BUCKETS; i++) {
        counts[i] = atomic_exchange(&streams->pauses[i], 0);
        all += counts[i];
    }
    while (bucket > 0 && above <= all / 1000) {
        above += counts[--bucket];
    }
    return (bucket + 1) * (BUCKET_US / 1000.0);
}

struct pauses streams_pauses(struct streams *streams)
{
    unsigned count = atomic_load(&streams->count), all[2 * STREAMS_MAX];
    ck_assert_uint_gt(count, 0);
    for (unsigned i = 0; i < count; i++) {
        all[i] = atomic_exchange(&streams->ends[i].pause, 0);
    }
    qsort(all, count, sizeof *all, compare_pauses);
    return (struct pauses){.longest = all[count - 1] / 1000.0,
                           .one_in_1000 = all[count - 1 - count / 1000] / 1000.0,
                           .percentile = take_percentile(streams)};
}

struct streamed streams_finish(struct streams *streams)
{
    streams_wait_progress(streams, 1);
    atomic_store(&streams->finishing, true);
    pthread_join(streams->thread, NULL);
    uint64_t sent[STREAMS_MAX][2] = {{0}};
    struct streamed came = {0};
    int half_lost[STREAMS_MAX] = {0};
    bool lost[STREAMS_MAX] = {false};
    unsigned count = atomic_load(&streams->count), errors = atomic_load(&streams->errors);
    for (unsigned i = 0; i < count; i++) {
        const struct end *end = &streams->ends[i];
        sent[end->stream][end->server] += end->sent_bytes;
        sent[end->stream][!end->server] -= end->got_bytes;
        *(end->server ? &came.from_clients : &came.from_servers) += end->got_bytes;
        lost[end->stream] |= end->lost;
        half_lost[end->stream] += end->lost ? (end->server ? 1 : -1) : 0;
        close(end->fd);
    }
    printf("     %u sessions, %u of them lost, %llu bytes, %u errors\n", count / 2,
           streams_lost(streams), (unsigned long long)(came.from_clients + came.from_servers),
           errors);
    ck_assert_msg(errors == 0, "%s", streams->error);
    for (unsigned i = 0; i < STREAMS_MAX; i++) {
        ck_assert_msg(half_lost[i] == 0, "session %u is lost on one side only", i);
        ck_assert_msg(lost[i] || (sent[i][0] == 0 && sent[i][1] == 0),
                      "session %u: %lld and %lld bytes sent but not got", i, (long long)sent[i][0],
                      (long long)sent[i][1]);
    }
    close(streams->listener);
    close(streams->epoll);
    free(streams);
    return came;
}
