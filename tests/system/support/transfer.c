/* Bulk in both directions over one connection, compared by hash. */
#include "tests/system/support/harness.h"
#include "tests/system/support/streams.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCK = 65536, WAYS = 2 };

struct way {
    pthread_t sender, receiver;
    int from, to;
    uint64_t bytes, seed;
    uint64_t hash_sent, hash_got, got;
    int error_sent, error_got;
    atomic_bool done;
};

struct transfer {
    struct way ways[WAYS];
    int ends[WAYS];
};

/* Over whole words, in order: any loss, duplication or swap changes the hash. */
static uint64_t hash(uint64_t before, const uint64_t *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        before = (before ^ words[i]) * 0x9fb21c651e98df25U;
        before ^= before >> 35;
    }
    return before;
}

static void *send_way(void *argument)
{
    struct way *way = argument;
    uint64_t words[BLOCK / 8];
    uint64_t state = way->seed;
    for (uint64_t done = 0; done < way->bytes; done += BLOCK) {
        for (size_t i = 0; i < BLOCK / 8; i++) {
            state = state * 6364136223846793005U + 1442695040888963407U;
            words[i] = state ^ (state >> 29);
        }
        way->hash_sent = hash(way->hash_sent, words, BLOCK / 8);
        for (size_t at = 0; at < BLOCK;) {
            ssize_t sent = send(way->from, (const char *)words + at, BLOCK - at, MSG_NOSIGNAL);
            if (sent < 0) {
                way->error_sent = errno;
                return NULL;
            }
            at += (size_t)sent;
        }
    }
    shutdown(way->from, SHUT_WR);
    return NULL;
}

static void *receive_way(void *argument)
{
    struct way *way = argument;
    uint64_t words[BLOCK / 8];
    for (;;) {
        ssize_t got = recv(way->to, words, BLOCK, MSG_WAITALL);
        if (got <= 0) {
            way->error_got = got < 0 ? errno : 0;
            break;
        }
        way->got += (uint64_t)got;
        way->hash_got = hash(way->hash_got, words, (size_t)got / 8);
    }
    atomic_store(&way->done, true);
    return NULL;
}

struct transfer *transfer_start(const struct endpoint *target, int listener, uint64_t bytes)
{
    struct transfer *transfer = calloc(1, sizeof *transfer);
    ck_assert_ptr_nonnull(transfer);
    transfer->ends[0] = connect_to(target);
    transfer->ends[1] = accept_from(listener);
    for (unsigned i = 0; i < WAYS; i++) {
        struct way *way = &transfer->ways[i];
        way->from = transfer->ends[i];
        way->to = transfer->ends[1 - i];
        way->bytes = bytes / BLOCK * BLOCK;
        way->seed = i + 1;
        ck_assert_int_eq(pthread_create(&way->sender, NULL, send_way, way), 0);
        ck_assert_int_eq(pthread_create(&way->receiver, NULL, receive_way, way), 0);
    }
    return transfer;
}

int transfer_running(const struct transfer *transfer)
{
    return !atomic_load(&transfer->ways[0].done) || !atomic_load(&transfer->ways[1].done);
}

void transfer_finish(struct transfer *transfer)
{
    static const char *const names[WAYS] = {"to the server", "to the client"};
    for (unsigned i = 0; i < WAYS; i++) {
        struct way *way = &transfer->ways[i];
        pthread_join(way->sender, NULL);
        pthread_join(way->receiver, NULL);
        printf("     %llu bytes %s, hash sent %016llx, got %016llx\n", (unsigned long long)way->got,
               names[i], (unsigned long long)way->hash_sent, (unsigned long long)way->hash_got);
        ck_assert_msg(way->error_sent == 0, "%s: %s", names[i], strerror(way->error_sent));
        ck_assert_msg(way->error_got == 0, "%s: %s", names[i], strerror(way->error_got));
        ck_assert_uint_eq(way->got, way->bytes);
        ck_assert_uint_eq(way->hash_got, way->hash_sent);
    }
    close(transfer->ends[0]);
    close(transfer->ends[1]);
    free(transfer);
}
