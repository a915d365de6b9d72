#include "proxy/session/transfer.h"
#include "tests/unit/suites.h"
#include "tests/unit/support/relaying.h"

#include <check.h>
#include <event2/event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct relaying relaying;

static void setup(void)
{
    relaying_start(&relaying);
}

static void teardown(void)
{
    relaying_end(&relaying);
}

static void on_done(struct transfer *transfer, void *arg)
{
    (void)transfer;
    (void)arg;
    event_base_loopbreak(relaying.base);
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525 + 1013904223;
    return *state >> 8;
}

/* Returns a changed copy in its own block of memory, so that a sanitizer sees reads beyond its end.
 */
static unsigned char *mutate(const struct transfer *transfer, uint32_t *state, size_t *length)
{
    static const uint32_t numbers[] = {0, 1, 7, 0x7fffffff, 0x80000000, 0xfffffff8, 0xffffffff};
    *length = next_random(state) % 4 ? transfer->length : next_random(state) % transfer->length;
    unsigned char *bytes = malloc(*length ? *length : 1);
    ck_assert_ptr_nonnull(bytes);
    memcpy(bytes, transfer->bytes, *length);
    for (unsigned i = next_random(state) % 4; *length >= 4 && i > 0; i--) {
        uint32_t number = numbers[next_random(state) % (sizeof numbers / sizeof *numbers)];
        if (next_random(state) % 2)
            number = next_random(state) % 512;
        memcpy(bytes + next_random(state) % (*length / 4) * 4, &number, sizeof number);
    }
    return bytes;
}

static int lowest_free_descriptor(void)
{
    int fd = dup(relaying.client);
    close(fd);
    return fd;
}

/* The only session, which has facts from now on. */
static struct session *with_facts(void)
{
    struct session_set *set = &relaying.proxy->workers[0].sessions;
    struct session *session = session_of(TAILQ_FIRST(&set->lists[0].list));
    struct facts *facts = session_facts(session);
    ck_assert_ptr_nonnull(facts);
    ck_assert_pstr_eq(address_parse("192.0.2.1:1111", &facts->source), NULL);
    ck_assert_pstr_eq(address_parse("unix:/some/path", &facts->destination), NULL);
    facts->unique_id = strdup("id-1");
    return session;
}

START_TEST(facts_move_with_the_session)
{
    static struct transfer transfer;
    struct proxy *proxy = relaying.proxy;
    struct arrivals arrivals = STAILQ_HEAD_INITIALIZER(arrivals);
    const struct facts *facts = with_facts()->facts;
    unsigned count;
    int fds[2];
    transfer.done = on_done;
    transfer_fill(&transfer, &proxy->workers[0].sessions);
    event_base_dispatch(relaying.base);
    ck_assert_uint_eq(transfer.count, 1);
    for (unsigned i = 0; i < 2; i++)
        fds[i] = dup(relaying.client);
    ck_assert_uint_eq(transfer_unpack(&proxy->service, transfer.bytes, transfer.length, fds, 2, 16,
                                      &arrivals, &count),
                      1);
    const struct facts *moved = STAILQ_FIRST(&arrivals)->session->facts;
    ck_assert_ptr_nonnull(moved);
    ck_assert(address_equal(&moved->source, &facts->source));
    ck_assert(address_equal(&moved->destination, &facts->destination));
    ck_assert_str_eq(moved->unique_id, "id-1");
    arrivals_abandon(&arrivals, &proxy->service);
    transfer.taken = 0;
    transfer_finish(&transfer);
    event_base_dispatch(relaying.base);
}
END_TEST

/* For any content of a message: no byte outside of the message is read, no descriptor and no place
 * is lost, and each accepted session takes two descriptors. */
START_TEST(hostile_messages)
{
    static struct transfer transfer;
    struct proxy *proxy = relaying.proxy;
    (void)with_facts();
    transfer.done = on_done;
    transfer_fill(&transfer, &proxy->workers[0].sessions);
    event_base_dispatch(relaying.base);
    ck_assert_uint_eq(transfer.count, 1);

    uint32_t state = 1;
    unsigned all = 0;
    const int free_before = lowest_free_descriptor();
    const uint64_t live = proxy_live(proxy);
    for (unsigned round = 0; round < 4000; round++) {
        size_t length, fd_count = next_random(&state) % 5;
        unsigned char *bytes = mutate(&transfer, &state, &length);
        int fds[4];
        unsigned count;
        struct arrivals arrivals = STAILQ_HEAD_INITIALIZER(arrivals);
        for (size_t i = 0; i < fd_count; i++)
            fds[i] = dup(relaying.client);
        uint64_t taken =
            transfer_unpack(&proxy->service, bytes, length, fds, fd_count, 16, &arrivals, &count);
        free(bytes);
        unsigned gone = 0;
        for (size_t i = 0; i < fd_count; i++)
            if (fds[i] < 0)
                gone++;
            else
                close(fds[i]);
        ck_assert_uint_le(count, TRANSFER_SESSIONS);
        ck_assert_uint_ge(gone, 2 * (unsigned)__builtin_popcountll(taken));
        all += (unsigned)__builtin_popcountll(taken);
        arrivals_abandon(&arrivals, &proxy->service);
        ck_assert_uint_eq(proxy_live(proxy), live);
    }
    ck_assert_uint_gt(all, 200); /* many messages were accepted in part */
    ck_assert_int_eq(lowest_free_descriptor(), free_before);
    transfer.taken = 0;
    transfer_finish(&transfer);
    event_base_dispatch(relaying.base);
}
END_TEST

Suite *transfer_suite(void)
{
    Suite *suite = suite_create("transfer");
    TCase *tcase = tcase_create("transfer");
    tcase_set_timeout(tcase, 120);
    tcase_add_checked_fixture(tcase, setup, teardown);
    tcase_add_test(tcase, facts_move_with_the_session);
    tcase_add_test(tcase, hostile_messages);
    suite_add_tcase(suite, tcase);
    return suite;
}
