/* A stream that one side has sent completely, with its end, reaches the other side completely. It
 * does not matter what happens to the first side afterwards, or what the other side sends
 * meanwhile. */
#include "tests/system/scenarios.h"
#include "tests/system/support/harness.h"
#include "tests/system/support/origin.h"
#include "tests/system/support/scene.h"

#include <errno.h>
#include <linux/sockios.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { MEGABYTE = 1 << 20, SMALL_BUFFER = 131072, PIECE_MOST = 65536, ENDLESS = 1 << 30 };

static int unacknowledged(int socket)
{
    int bytes = 0;
    ck_assert_int_eq(ioctl(socket, SIOCOUTQ, &bytes), 0);
    return bytes;
}

/* Not much less: the loopback interface has segments of 64 KiB, and a smaller window opens only
 * with TCP's probes. */
static void limit_reading(int socket)
{
    const int size = SMALL_BUFFER;
    ck_assert_int_eq(setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &size, sizeof size), 0);
}

/* --- one side of a session ---------------------------------------------------------------- */

struct side {
    int fd; /* -1: closed */
    uint64_t id;
    size_t length, sent; /* of its own stream */
    size_t got;          /* of the other side's stream */
    unsigned piece;      /* the most that one read asks for */
    bool leaves;         /* closes when its stream was acknowledged, and reads nothing */
    bool shut;           /* has ended its stream */
    bool cut;            /* cannot send any more */
    bool over;           /* has seen the end, or a reset, of the other side's stream */
    bool reset;          /* that was a reset */
};

static void side_sends(struct side *side, size_t piece)
{
    static char bytes[PIECE_MOST];
    if (side->shut || side->cut) {
        return;
    }
    if (side->sent == side->length) {
        shutdown(side->fd, SHUT_WR);
        side->shut = true;
        return;
    }
    if (piece > side->length - side->sent) {
        piece = side->length - side->sent;
    }
    pattern_fill(side->id, side->sent, bytes, piece);
    ssize_t sent = send(side->fd, bytes, piece, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent > 0) {
        side->sent += (size_t)sent;
    } else if (sent < 0 && errno != EAGAIN) {
        side->cut = true;
    }
}

static void side_receives(struct side *side, const struct side *other, size_t piece)
{
    static char bytes[PIECE_MOST];
    if (side->over) {
        return;
    }
    ssize_t got = recv(side->fd, bytes, piece, MSG_DONTWAIT);
    if (got > 0) {
        size_t good = pattern_mismatch(other->id, side->got, bytes, (size_t)got);
        ck_assert_msg(good == (size_t)got, "byte %zu is wrong", side->got + good);
        side->got += (size_t)got;
    } else if (got == 0 || errno != EAGAIN) {
        side->over = true;
        side->reset = got < 0;
    }
}

static void side_leaves(struct side *side)
{
    if (side->leaves && side->shut && unacknowledged(side->fd) == 0) {
        close(side->fd);
        side->fd = -1;
    }
}

static bool side_is_through(const struct side *side)
{
    return side->fd < 0 || (!side->leaves && side->over && (side->shut || side->cut));
}

static void side_moves(struct side *side, const struct side *other, size_t piece)
{
    if (side->fd < 0) {
        return;
    }
    side_sends(side, piece);
    if (!side->leaves) {
        side_receives(side, other, piece < side->piece ? piece : side->piece);
    }
    side_leaves(side);
}

/* --- any session --------------------------------------------------------------------------- */

enum { FRONTS = 4 };

/* TCP and Unix sockets, as binds and as servers, each with each. */
struct house {
    struct proxy proxy;
    struct endpoint fronts[FRONTS];
    int listeners[FRONTS];
};

static void house_add(struct house *house, FILE *file, unsigned i)
{
    char path[PATH_MAX], name[16];
    uint16_t port = port_reserve(getuid());
    snprintf(name, sizeof name, "front%u", i);
    fprintf(file, "[listen %s]\naccess-log = yes\n", name);
    if (i & 1) {
        house->fronts[i] = endpoint_unix(test_path(path, name));
        fprintf(file, "bind = unix:%s\n", path);
    } else {
        house->fronts[i] = endpoint_loopback(port);
        fprintf(file, "bind = 127.0.0.1:%u\n", port);
    }
    snprintf(name, sizeof name, "back%u", i);
    if (i & 2) {
        house->listeners[i] = listen_unix(test_path(path, name));
        fprintf(file, "server = a unix:%s\n", path);
    } else {
        house->listeners[i] = listen_loopback(&port);
        fprintf(file, "server = a 127.0.0.1:%u\n", port);
    }
}

static void house_start(struct house *house)
{
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    ck_assert_ptr_nonnull(file);
    fprintf(file, "workers = 2\n");
    for (unsigned i = 0; i < FRONTS; i++) {
        house_add(house, file, i);
    }
    ck_assert_int_eq(fclose(file), 0);
    proxy_init(&house->proxy, "proxy");
    proxy_configure(&house->proxy, "%s", text);
    free(text);
    proxy_start(&house->proxy);
}

struct pair {
    struct side client, server;
    unsigned front;
};

static size_t random_length(unsigned *seed)
{
    static const size_t most[] = {1, 100, 70000, MEGABYTE, 3 * MEGABYTE};
    return (size_t)rand_r(seed) % most[(unsigned)rand_r(seed) % 5];
}

static void side_open(struct side *side, uint64_t id, unsigned *seed)
{
    side->id = id;
    side->length = random_length(seed);
    side->piece = 1u << (9 + (unsigned)rand_r(seed) % 8);
    if (rand_r(seed) % 2) {
        limit_reading(side->fd);
    }
}

static void pair_open(struct pair *pair, const struct house *house, uint64_t id, unsigned *seed)
{
    unsigned front = (unsigned)rand_r(seed) % FRONTS, leaver = (unsigned)rand_r(seed) % 3;
    struct session session = session_through(&house->fronts[front], house->listeners[front]);
    *pair = (struct pair){.client.fd = session.client, .server.fd = session.server, .front = front};
    side_open(&pair->client, 2 * id, seed);
    side_open(&pair->server, 2 * id + 1, seed);
    struct side *leaves = leaver == 0 ? NULL : leaver == 1 ? &pair->client : &pair->server;
    if (leaves != NULL) {
        leaves->leaves = true;
        if (rand_r(seed) % 2) { /* the other side has no end of sending */
            (leaves == &pair->client ? &pair->server : &pair->client)->length = ENDLESS;
        }
    }
}

static void check_side(const struct pair *pair, const struct side *side, const struct side *other,
                       unsigned seed)
{
    if (side->leaves || !other->shut) {
        return;
    }
    ck_assert_msg(side->got == other->length && (other->leaves || !side->reset),
                  "session %u of front%u: of %zu bytes %zu arrived, and then %s (the other side "
                  "%s; seed %u)",
                  (unsigned)side->id, pair->front, other->length, side->got,
                  side->reset ? "a reset" : "the end", other->leaves ? "left" : "stayed", seed);
}

/* Random lengths, pieces and pauses, half-closes in each order. One side may close as soon as its
 * own stream was acknowledged, with bytes unread and more to come. */
START_TEST(what_was_sent_completely_arrives_completely)
{
    unsigned seed = (unsigned)now_ms(), first_seed = seed;
    unsigned count = scaled(200, 40), left = count;
    struct house house;
    house_start(&house);
    struct pair *pairs = calloc(count, sizeof *pairs);
    ck_assert_ptr_nonnull(pairs);
    for (unsigned i = 0; i < count; i++) {
        pair_open(&pairs[i], &house, i, &seed);
    }
    size_t moved = 0;
    for (int64_t end = now_ms() + PATIENCE_MS; left > 0 && now_ms() < end;) {
        size_t before = moved;
        left = 0;
        moved = 0;
        for (unsigned i = 0; i < count; i++) {
            struct pair *pair = &pairs[i];
            size_t piece = 1 + (size_t)rand_r(&seed) % PIECE_MOST;
            if (rand_r(&seed) % 4) {
                side_moves(&pair->client, &pair->server, piece);
            }
            if (rand_r(&seed) % 4) {
                side_moves(&pair->server, &pair->client, piece);
            }
            left += !side_is_through(&pair->client) || !side_is_through(&pair->server);
            moved += pair->client.sent + pair->client.got + pair->server.sent + pair->server.got;
        }
        if (moved != before)
            end = now_ms() + PATIENCE_MS;
    }
    ck_assert_msg(left == 0, "%u sessions did not come to an end; seed %u", left, first_seed);
    for (unsigned i = 0; i < count; i++) {
        check_side(&pairs[i], &pairs[i].client, &pairs[i].server, first_seed);
        check_side(&pairs[i], &pairs[i].server, &pairs[i].client, first_seed);
        close(pairs[i].client.fd);
        close(pairs[i].server.fd);
    }
    free(pairs);
    proxy_stop(&house.proxy);
}
END_TEST

/* --- certain sessions ---------------------------------------------------------------------- */

static int slow_client(const struct endpoint *front)
{
    int client = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ck_assert_int_ge(client, 0);
    limit_reading(client);
    ck_assert_int_eq(connect(client, &front->any, front->length), 0);
    return client;
}

static struct pair slow_pair(const struct scene *scene, size_t length)
{
    struct pair pair = {.client = {.fd = slow_client(&scene->front), .id = 1, .piece = 4096}};
    pair.server = (struct side){.fd = accept_from(scene->listener), .id = 2, .length = length};
    return pair;
}

/* The server answers, ends its stream and closes, while the client sends on and reads nothing. The
 * session only has to deliver the answer. */
static struct pair begin_delivery(const struct scene *scene, size_t length)
{
    struct pair pair = slow_pair(scene, length);
    pair.server.leaves = true;
    pair.client.length = ENDLESS;
    while (pair.server.fd >= 0) {
        side_moves(&pair.server, &pair.client, PIECE_MOST);
        side_sends(&pair.client, 1000);
        poll(NULL, 0, 1);
    }
    return pair;
}

static void read_to_the_end(struct pair *pair)
{
    while (!pair->client.over) {
        struct pollfd one = {.fd = pair->client.fd, .events = POLLIN};
        ck_assert_int_eq(poll(&one, 1, PATIENCE_MS), 1);
        side_receives(&pair->client, &pair->server, 4096);
    }
}

static void expect_whole_answer(const struct pair *pair)
{
    ck_assert_msg(!pair->client.reset, "a reset after %zu bytes", pair->client.got);
    ck_assert_uint_eq(pair->client.got, pair->server.length);
}

/* The session does not move, and does not keep the old process longer than needed. */
START_TEST(a_delivery_stays_in_its_process)
{
    struct scene scene;
    scene_start(&scene, "", "access-log = yes\n");
    struct pair pair = begin_delivery(&scene, 400000);
    pid_t old = scene.proxy.pid;
    proxy_reload(&scene.proxy);
    struct status status;
    ck_assert(proxy_status(&scene.proxy, &status));
    ck_assert_uint_eq(status.count, 2);
    read_to_the_end(&pair);
    expect_whole_answer(&pair);
    wait_gone(old);
    close(pair.client.fd);
    wait_mentions(scene.proxy.log, "end=server-reset", 1);
    proxy_stop(&scene.proxy);
}
END_TEST

START_TEST(a_delivery_counts_and_can_be_cut)
{
    struct scene scene;
    scene_start(&scene, "max-sessions = 1\n", "access-log = yes\n");
    struct pair pair = begin_delivery(&scene, 400000);
    struct status status;
    ck_assert(proxy_status(&scene.proxy, &status));
    ck_assert_uint_eq(status.sessions, 1);
    int next = connect_to(&scene.front);
    ck_assert(!readable_within(scene.listener, 50));
    ck_assert_int_eq(kill(scene.proxy.pid, SIGINT), 0);
    wait_gone(scene.proxy.pid);
    wait_mentions(scene.proxy.log, "out=400000 retries=0 end=stopped", 1);
    close(next);
    close(pair.client.fd);
}
END_TEST

/* The client sends and reads nothing until the deadline. It sees a reset, not an end. */
START_TEST(a_delivery_does_not_last_for_ever)
{
    struct scene scene;
    scene_start(&scene, "", "access-log = yes\nidle-timeout = 3s\n");
    struct pair pair = begin_delivery(&scene, 400000);
    int64_t end = now_ms() + PATIENCE_MS / 4;
    while (!pair.client.cut) {
        ck_assert_msg(now_ms() < end, "bytes that are thrown away keep a session");
        side_sends(&pair.client, 1000);
        poll(NULL, 0, 1);
    }
    wait_mentioned(scene.proxy.log, "end=undelivered");
    read_to_the_end(&pair);
    ck_assert_uint_lt(pair.client.got, pair.server.length);
    close(pair.client.fd);
    proxy_stop(&scene.proxy);
}
END_TEST

static void send_until_nobody_takes(struct side *side)
{
    struct pollfd room = {.fd = side->fd, .events = POLLOUT};
    side->length = ENDLESS;
    while (poll(&room, 1, 300) == 1) {
        side_sends(side, PIECE_MOST);
    }
}

/* The server has answered and reads nothing, and the client sends until its buffers are full: no
 * byte moves between the proxy and either side. But the kernel still has a part of the answer. */
START_TEST(an_idle_session_delivers_the_answer)
{
    struct scene scene;
    scene_start(&scene, "", "access-log = yes\nidle-timeout = 3s\n");
    struct pair pair = slow_pair(&scene, 400000);
    while (!pair.server.shut) {
        side_sends(&pair.server, PIECE_MOST);
    }
    send_until_nobody_takes(&pair.client);
    struct pollfd server = {.fd = pair.server.fd, .events = 0};
    ck_assert_int_eq(poll(&server, 1, PATIENCE_MS), 1); /* the proxy has closed it */
    while (!pair.client.over) {
        side_sends(&pair.client, 1000);
        side_receives(&pair.client, &pair.server, 4096);
    }
    expect_whole_answer(&pair);
    close(pair.client.fd);
    close(pair.server.fd);
    wait_mentioned(scene.proxy.log, "end=idle-timeout");
    proxy_stop(&scene.proxy);
}
END_TEST

/* The kernel has all that the server says for now, and the client reads steadily, but so slowly
 * that this takes longer than idle-timeout: the session goes on. */
START_TEST(a_slow_reader_is_not_idle)
{
    struct scene scene;
    scene_start(&scene, "", "idle-timeout = 2s\n");
    struct pair pair = slow_pair(&scene, ENDLESS);
    size_t said = MEGABYTE;
    while (pair.client.got < said) {
        if (pair.server.sent < said)
            side_sends(&pair.server, PIECE_MOST);
        side_receives(&pair.client, &pair.server, 12288);
        ck_assert_msg(!pair.client.over, "the session ended after %zu bytes", pair.client.got);
        if (pair.client.got > MEGABYTE / 3 * 2)
            said = MEGABYTE + PIECE_MOST;
        poll(NULL, 0, 50);
    }
    close(pair.client.fd);
    close(pair.server.fd);
    proxy_stop(&scene.proxy);
}
END_TEST

Suite *delivery_suite(void)
{
    Suite *suite = suite_create("delivery");
    scenario_add(suite, what_was_sent_completely_arrives_completely, 300);
    scenario_add(suite, a_delivery_stays_in_its_process, 300);
    scenario_add(suite, a_delivery_counts_and_can_be_cut, 300);
    scenario_add(suite, a_delivery_does_not_last_for_ever, 300);
    scenario_add(suite, an_idle_session_delivers_the_answer, 300);
    scenario_add(suite, a_slow_reader_is_not_idle, 300);
    return suite;
}
