/* A name server that says anything, to the resolver and to the slots of servers: the first byte
 * says what is asked for. Each question takes two bytes of the input, which say how many of the
 * next ones are its answer: flags, numbers of records, and what follows the question. Without
 * input names do not exist. */
#include "config/names/resolver.h"
#include "proxy/names/slots.h"

#include <arpa/inet.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

enum { HEAD = 12, SLOTS = 8, PACKET = 1232 };

static struct event_base *base;
static struct event *readable;
static struct resolver_conf conf = {.server_count = 1, .min = 1, .max = 1, .timeout = 200};
static struct resolver *resolver;
static int fd;

/* What is left of the input. */
static const unsigned char *rest;
static size_t left;

static void must(bool so)
{
    if (!so)
        abort();
}

static unsigned take_byte(void)
{
    if (left == 0)
        return 0;
    left--;
    return *rest++;
}

/* The length of the question behind the head: a name without pointers, type and class. */
static size_t question_length(const unsigned char *packet, size_t length)
{
    size_t at = HEAD;
    while (at < length && packet[at])
        at += packet[at] + 1u;
    must(at + 5 <= length);
    return at + 5 - HEAD;
}

static void on_question(evutil_socket_t socket, short what, void *arg)
{
    unsigned char packet[PACKET], answer[2 * PACKET];
    struct sockaddr_storage from;
    socklen_t from_length = sizeof from;
    (void)what;
    (void)arg;
    ssize_t length =
        recvfrom(socket, packet, sizeof packet, 0, (struct sockaddr *)&from, &from_length);
    must(length > HEAD);
    size_t question = question_length(packet, (size_t)length);
    size_t said = (take_byte() << 8 | take_byte()) % PACKET;
    memcpy(answer, packet, HEAD + question);
    memset(answer + 2, 0, HEAD - 2);
    answer[2] = 0x80;
    answer[3] = 3;
    answer[5] = 1;
    if (said > left)
        said = left;
    if (said > 8) {
        answer[2] = 0x80 | (rest[0] & 0x06);
        answer[3] = rest[1];
        memcpy(answer + 6, rest + 2, 6);
        memcpy(answer + HEAD + question, rest + 8, said - 8);
    }
    size_t total = HEAD + question + (said > 8 ? said - 8 : 0);
    rest += said;
    left -= said;
    (void)sendto(socket, answer, total, 0, (struct sockaddr *)&from, from_length);
}

static void end(void)
{
    resolver_free(resolver);
    event_free(readable);
    event_base_free(base);
    close(fd);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct address *server = &conf.servers[0];
    *server = (struct address){.length = sizeof server->in, .in.sin_family = AF_INET};
    server->in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = server->length;
    (void)argc;
    (void)argv;
    base = event_base_new();
    fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    must(base && fd >= 0 && bind(fd, &server->any, server->length) == 0 &&
         getsockname(fd, &server->any, &length) == 0);
    readable = event_new(base, fd, EV_READ | EV_PERSIST, on_question, NULL);
    must(readable && event_add(readable, NULL) == 0);
    atexit(end);
    return 0;
}

/* Servers of resolve=all, some of which have an address already. */
static void fill_slots(const struct answer *answer)
{
    struct slot now[SLOTS] = {0};
    size_t slots[ANSWER_ITEMS_MOST];
    unsigned weights[ANSWER_ITEMS_MOST];
    bool taken[SLOTS] = {false};
    size_t with = 0;
    if (answer->count > 1)
        now[2].address = answer->items[answer->count - 1].address;
    now[3].last = answer->items[0].address;
    slots_weigh(answer->items, answer->count, weights);
    size_t without = slots_assign(now, SLOTS / 2, SLOTS, 0, answer->items, answer->count, slots);
    for (size_t i = 0; i < answer->count; i++) {
        must(weights[i] >= 1 && weights[i] <= 256);
        if (slots[i] == SLOT_NONE)
            continue;
        must(slots[i] < SLOTS && !taken[slots[i]]);
        taken[slots[i]] = true;
        with++;
    }
    must(with > 0 && with + without <= answer->count);
    must(slots_choose(&now[2].address, answer->items, answer->count) < answer->count);
}

static void on_answer(const struct answer *answer, void *arg)
{
    enum answer_status *status = arg;
    must((answer->status == ANSWER_OK) == (answer->count > 0));
    must(answer->count <= ANSWER_ITEMS_MOST && answer->ttl <= INT32_MAX);
    for (size_t i = 0; i < answer->count; i++)
        must(answer->items[i].address.any.sa_family == AF_INET ||
             answer->items[i].address.any.sa_family == AF_INET6);
    if (answer->count > 0)
        fill_slots(answer);
    *status = answer->status;
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    static const enum resolve_family families[] = {RESOLVE_ANY, RESOLVE_IPV4, RESOLVE_IPV6};
    enum answer_status status = ANSWER_BUSY;
    rest = data;
    left = size;
    const unsigned choice = take_byte();
    const bool service = choice & 1;
    must(resolver || resolver_new(base, &conf, &resolver) == 0);
    must(resolver_ask(resolver, service ? "_db._tcp.example" : "app.example",
                      service ? QUESTION_SERVICE : QUESTION_ADDRESSES, families[choice / 2 % 3],
                      htons(80), on_answer, &status));
    while (status == ANSWER_BUSY)
        must(event_base_loop(base, EVLOOP_ONCE) == 0);
    if (status == ANSWER_OK || status == ANSWER_NO_NAME || status == ANSWER_NO_DATA)
        return 0;
    resolver_free(resolver); /* questions may be under way */
    resolver = NULL;
    return 0;
}
