#include "tests/system/support/tun.h"

#include "tests/system/support/harness.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/ipv6.h>
#include <net/if.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum {
    TURN_MS = 5,
    STARTS_A_TURN = 100,
    READS_A_TURN = 4000,
    QUEUE = 20000,        /* packets that the device queues for us */
    SYN_REPEAT_MS = 1000, /* as in every TCP: a client whose SYN was lost waits this long */
    DATA_REPEAT_MS = 300,
    REPEATS_DOUBLE = 5,    /* the wait is doubled this many times */
    REQUEST_PAUSE_MS = 50, /* at most, between the bare ACK and the request */
    FIRST_CLIENT = 256,    /* the host part of the first client's address */
    FIRST_PORT = 1024,
    PORTS = 60000,
    WINDOW = 65535,
    OFFSET_BARE = 5, /* TCP header length in words, without options and with an MSS */
    OFFSET_MSS = 6,
    MSS = 1400
};

enum state {
    FREE,
    SYN_SENT,
    HELD,        /* the SYN-ACK has arrived, the final ACK is kept back */
    ESTABLISHED, /* the final ACK is sent; the request too, once `asked` */
    CLOSING      /* the answer is complete, our FIN is sent */
};

struct client {
    enum state state;
    bool ipv6, asked, fin_received;
    uint16_t port;
    uint64_t number;
    uint32_t first;       /* the sequence number after our SYN */
    uint32_t acked, sent; /* of our stream: acknowledged by the server, and next to be sent */
    uint32_t expected;    /* of the server's stream: next to be received */
    char request[40];
    uint32_t request_length, answered;
    unsigned delay_ms, repeats;
    int64_t begun, due, last_sent; /* ms; due: when the next step has to be made */
};

struct tun {
    int fd;
    bool ipv6;
    struct in_addr server;
    struct in6_addr server6;
    struct tun_options options;
    struct tun_result result;
    struct client *clients;
    unsigned active, next_free;
    uint64_t random;
    /* continues from one set of clients to the next, and so do their ports: a late packet for an
     * earlier client does not reach a new one */
    uint64_t numbers;
    int64_t start;
    atomic_uint_fast64_t answered, ended;
    atomic_bool stopping, released;
    pthread_t thread;
};

/* --- packets --- */

/* A packet that we make or read: addresses and ports are the client's and the server's. */
struct segment {
    uint8_t flags;
    uint32_t seq, ack;
    const unsigned char *data;
    uint32_t length;
};

static uint32_t add_up(uint32_t sum, const void *bytes, size_t length)
{
    const unsigned char *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        sum += i % 2 == 0 ? (uint32_t)byte[i] << 8 : byte[i];
    }
    return sum;
}

static uint16_t checksum(uint32_t sum)
{
    while (sum >> 16 != 0) {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    return htons((uint16_t)~sum);
}

static struct in_addr client_address(const struct tun *tun, const struct client *client)
{
    uint32_t host = FIRST_CLIENT + (uint32_t)(client - tun->clients);
    return (struct in_addr){.s_addr = htonl((ntohl(tun->server.s_addr) & 0xffff0000) | host)};
}

static struct in6_addr client_address6(const struct tun *tun, const struct client *client)
{
    uint32_t host = FIRST_CLIENT + (uint32_t)(client - tun->clients);
    struct in6_addr address = tun->server6;
    address.s6_addr[14] = (uint8_t)(host >> 8);
    address.s6_addr[15] = (uint8_t)host;
    return address;
}

static void send_segment(const struct tun *tun, const struct client *client,
                         const struct segment *segment)
{
    unsigned char packet[256], *end = packet;
    struct tcphdr tcp = {
        .th_sport = htons(client->port),
        .th_dport = htons(tun->options.port),
        .th_seq = htonl(segment->seq),
        .th_ack = htonl(segment->ack),
        .th_flags = segment->flags,
        .th_win = htons(WINDOW),
    };
    const unsigned char mss[] = {TCPOPT_MAXSEG, TCPOLEN_MAXSEG, MSS >> 8, MSS & 0xff};
    size_t options = segment->flags & TH_SYN ? sizeof mss : 0;
    size_t length = sizeof tcp + options + segment->length;
    uint32_t sum = IPPROTO_TCP + (uint32_t)length;
    tcp.th_off = options == 0 ? OFFSET_BARE : OFFSET_MSS;

    if (client->ipv6) {
        struct ipv6hdr ip = {.version = 6,
                             .payload_len = htons((uint16_t)length),
                             .nexthdr = IPPROTO_TCP,
                             .hop_limit = 64};
        struct in6_addr self = client_address6(tun, client);
        memcpy(&ip.saddr, &self, sizeof self);
        memcpy(&ip.daddr, &tun->server6, sizeof tun->server6);
        sum = add_up(sum, &self, sizeof self);
        sum = add_up(sum, &tun->server6, sizeof tun->server6);
        end = mempcpy(end, &ip, sizeof ip);
    } else {
        struct iphdr ip = {.version = 4,
                           .ihl = sizeof ip / 4,
                           .tot_len = htons((uint16_t)(sizeof ip + length)),
                           .frag_off = htons(IP_DF),
                           .ttl = 64,
                           .protocol = IPPROTO_TCP,
                           .saddr = client_address(tun, client).s_addr,
                           .daddr = tun->server.s_addr};
        ip.check = checksum(add_up(0, &ip, sizeof ip));
        sum = add_up(sum, &ip.saddr, sizeof ip.saddr);
        sum = add_up(sum, &ip.daddr, sizeof ip.daddr);
        end = mempcpy(end, &ip, sizeof ip);
    }
    sum = add_up(sum, &tcp, sizeof tcp);
    sum = add_up(sum, mss, options);
    tcp.th_sum = checksum(add_up(sum, segment->data, segment->length));
    end = mempcpy(end, &tcp, sizeof tcp);
    end = mempcpy(end, mss, options);
    if (segment->length > 0) {
        end = mempcpy(end, segment->data, segment->length);
    }
    /* A packet that the kernel does not take is a lost packet, which is sent again later. */
    if (write(tun->fd, packet, (size_t)(end - packet)) < 0 && errno != EAGAIN && errno != ENOBUFS) {
        perror("tun: write");
        abort();
    }
}

/* Finds the client of a packet from the kernel, and takes the TCP segment out of it. NULL when
 * there is no such client. */
static struct client *parse(const struct tun *tun, const unsigned char *packet, size_t size,
                            struct segment *segment)
{
    bool ipv6 = packet[0] >> 4 == 6;
    uint32_t host;
    size_t header, end;
    if (ipv6) {
        struct ipv6hdr ip;
        if (size < sizeof ip) {
            return NULL;
        }
        memcpy(&ip, packet, sizeof ip);
        header = sizeof ip;
        end = header + ntohs(ip.payload_len);
        if (ip.nexthdr != IPPROTO_TCP ||
            memcmp(&ip.saddr, &tun->server6, sizeof tun->server6) != 0) {
            return NULL; /* for example the kernel's router solicitations */
        }
        host = (uint32_t)packet[header - 2] << 8 | packet[header - 1];
    } else {
        struct iphdr ip;
        if (size < sizeof ip) {
            return NULL;
        }
        memcpy(&ip, packet, sizeof ip);
        header = (size_t)ip.ihl * 4;
        end = ntohs(ip.tot_len);
        if (ip.version != 4 || ip.protocol != IPPROTO_TCP || ip.saddr != tun->server.s_addr) {
            return NULL;
        }
        host = ntohl(ip.daddr) & 0xffff;
    }
    struct tcphdr tcp;
    if (end > size || end < header + sizeof tcp) {
        return NULL;
    }
    memcpy(&tcp, packet + header, sizeof tcp);
    size_t data = header + (size_t)tcp.th_off * 4;
    if (data > end || host < FIRST_CLIENT || host >= FIRST_CLIENT + tun->options.in_flight) {
        return NULL;
    }
    *segment = (struct segment){.flags = tcp.th_flags,
                                .seq = ntohl(tcp.th_seq),
                                .ack = ntohl(tcp.th_ack),
                                .data = packet + data,
                                .length = (uint32_t)(end - data)};
    struct client *client = &tun->clients[host - FIRST_CLIENT];
    bool ours = client->state != FREE && client->ipv6 == ipv6 &&
                ntohs(tcp.th_dport) == client->port && ntohs(tcp.th_sport) == tun->options.port;
    return ours ? client : NULL;
}

/* --- a client --- */

/* xorshift: reproducible, and good enough to spread delays. */
static uint32_t random_below(struct tun *tun, uint32_t limit)
{
    tun->random ^= tun->random << 13;
    tun->random ^= tun->random >> 7;
    tun->random ^= tun->random << 17;
    return (uint32_t)((tun->random >> 32) % limit);
}

/* As a kernel does whose program has gone: the server's session ends. The server takes a reset with
 * the sequence number that it expects next, and it has had all that was sent or only what it has
 * acknowledged. */
static void reset(const struct tun *tun, const struct client *client)
{
    send_segment(tun, client, &(struct segment){.flags = TH_RST, .seq = client->acked});
    if (client->sent != client->acked) {
        send_segment(tun, client, &(struct segment){.flags = TH_RST, .seq = client->sent});
    }
}

static void end_client(struct tun *tun, struct client *client, enum tun_end end)
{
    struct tun_result *result = &tun->result;
    if (end == TUN_TIMED_OUT && client->state >= ESTABLISHED) {
        reset(tun, client);
    }
    result->ends[end]++;
    if (end != TUN_COMPLETED && result->told_count < TUN_LOSSES_TOLD) {
        unsigned index = result->told_count++;
        int64_t now = now_ms();
        result->told[index].end = end;
        result->told[index].number = client->number;
        result->told[index].second = (double)(now - tun->start) / 1000;
        result->told[index].lived = (double)(now - client->begun) / 1000;
        result->told[index].delay_ms = client->delay_ms;
        result->told[index].ipv6 = client->ipv6;
        result->told[index].acked_late = client->state >= ESTABLISHED;
    }
    if (client->state == SYN_SENT) {
        atomic_fetch_add(&tun->answered, 1);
    }
    client->state = FREE;
    tun->active--;
    tun->next_free = (unsigned)(client - tun->clients);
    atomic_fetch_add(&tun->ended, 1);
}

static void send_ack(const struct tun *tun, const struct client *client)
{
    send_segment(tun, client,
                 &(struct segment){.flags = TH_ACK, .seq = client->sent, .ack = client->expected});
}

/* Sends what the server has not acknowledged, for the first time or again. */
static void transmit(const struct tun *tun, struct client *client)
{
    client->last_sent = now_ms();
    if (client->state == SYN_SENT) {
        send_segment(tun, client, &(struct segment){.flags = TH_SYN, .seq = client->first - 1});
        return;
    }
    uint32_t there = client->acked - client->first;
    struct segment segment = {.flags = TH_ACK, .seq = client->acked, .ack = client->expected};
    if (client->asked && there < client->request_length) {
        segment.flags |= TH_PUSH;
        segment.data = (const unsigned char *)client->request + there;
        segment.length = client->request_length - there;
    }
    if (client->state == CLOSING) {
        segment.flags |= TH_FIN;
    }
    send_segment(tun, client, &segment);
}

static void begin(struct tun *tun, struct client *client)
{
    uint64_t number = tun->numbers++;
    uint32_t spread = tun->options.delay_max_ms - tun->options.delay_min_ms + 1;
    *client = (struct client){
        .state = SYN_SENT,
        .ipv6 = tun->options.ipv6 && number % 4 >= 2,
        .port = (uint16_t)(FIRST_PORT + number % PORTS),
        .number = number,
        .first = random_below(tun, UINT32_MAX),
        .delay_ms = tun->options.delay_min_ms + random_below(tun, spread),
        .begun = now_ms(),
    };
    client->acked = client->first - 1;
    client->sent = client->first;
    client->request_length = (uint32_t)snprintf(client->request, sizeof client->request,
                                                "handshake %lu came late\n", number);
    tun->result.started++;
    tun->active++;
    transmit(tun, client);
}

static void ask(const struct tun *tun, struct client *client)
{
    client->asked = true;
    client->sent += client->request_length;
    transmit(tun, client);
}

/* Sends the final ACK. */
static void complete_handshake(struct tun *tun, struct client *client)
{
    client->state = ESTABLISHED;
    if (client->number % 2 == 0) {
        ask(tun, client);
    } else {
        transmit(tun, client);
        client->due = now_ms() + random_below(tun, REQUEST_PAUSE_MS);
    }
}

/* Returns false when the client has ended by it. */
static bool take_data(struct tun *tun, struct client *client, const struct segment *segment)
{
    uint32_t left = client->request_length - client->answered;
    if (segment->length > left ||
        memcmp(client->request + client->answered, segment->data, segment->length) != 0) {
        end_client(tun, client, TUN_WRONG);
        return false;
    }
    client->answered += segment->length;
    client->expected += segment->length;
    if (client->answered == client->request_length) {
        client->state = CLOSING;
        client->sent++;
        transmit(tun, client);
    } else {
        send_ack(tun, client);
    }
    return true;
}

static void on_established(struct tun *tun, struct client *client, const struct segment *segment)
{
    if (segment->flags & TH_ACK && (int32_t)(segment->ack - client->acked) > 0 &&
        (int32_t)(client->sent - segment->ack) >= 0) {
        client->acked = segment->ack;
        client->repeats = 0;
    }
    uint32_t fin_at = segment->seq + segment->length;
    if (segment->flags & TH_SYN || (segment->length > 0 && segment->seq != client->expected)) {
        send_ack(tun, client); /* the server has missed our ACK */
        return;
    }
    if (segment->length > 0 && !take_data(tun, client, segment)) {
        return;
    }
    if (segment->flags & TH_FIN && fin_at == client->expected) {
        if (client->state != CLOSING) {
            end_client(tun, client, TUN_CUT);
            return;
        }
        client->fin_received = true;
        client->expected++;
        send_ack(tun, client);
    }
    if (client->fin_received && client->acked == client->sent) {
        end_client(tun, client, TUN_COMPLETED);
    }
}

static void on_segment(struct tun *tun, struct client *client, const struct segment *segment)
{
    const uint8_t syn_ack = TH_SYN | TH_ACK;
    if (segment->flags & TH_RST) {
        end_client(tun, client, client->state == SYN_SENT ? TUN_REFUSED : TUN_RESET);
    } else if (client->state >= ESTABLISHED) {
        on_established(tun, client, segment);
    } else if (client->state == SYN_SENT && (segment->flags & syn_ack) == syn_ack &&
               segment->ack == client->first) {
        client->state = HELD;
        client->acked = client->first;
        client->expected = segment->seq + 1;
        client->repeats = 0;
        client->due = now_ms() + client->delay_ms;
        atomic_fetch_add(&tun->answered, 1);
    }
}

static void on_time(struct tun *tun, struct client *client, int64_t now)
{
    int64_t repeat = (int64_t)(client->state == SYN_SENT ? SYN_REPEAT_MS : DATA_REPEAT_MS)
                     << (client->repeats < REPEATS_DOUBLE ? client->repeats : REPEATS_DOUBLE);
    if (now - client->begun > tun->options.give_up_in_ms) {
        end_client(tun, client, TUN_TIMED_OUT);
    } else if (client->state == HELD) {
        if (!atomic_load(&tun->released)) {
            client->due = now + client->delay_ms;
        } else if (now >= client->due) {
            complete_handshake(tun, client);
        }
    } else if (client->state == ESTABLISHED && !client->asked && now >= client->due) {
        ask(tun, client);
    } else if (client->acked != client->sent && now - client->last_sent >= repeat) {
        client->repeats++;
        transmit(tun, client);
    }
}

/* --- all of them --- */

static void start_some(struct tun *tun)
{
    for (unsigned i = 0; i < STARTS_A_TURN; i++) {
        if (tun->active == tun->options.in_flight || atomic_load(&tun->stopping) ||
            (tun->options.total != 0 && tun->result.started == tun->options.total)) {
            return;
        }
        while (tun->clients[tun->next_free].state != FREE) {
            tun->next_free = (tun->next_free + 1) % tun->options.in_flight;
        }
        begin(tun, &tun->clients[tun->next_free]);
    }
}

static void read_some(struct tun *tun)
{
    unsigned char packet[2048];
    for (unsigned i = 0; i < READS_A_TURN; i++) {
        ssize_t size = read(tun->fd, packet, sizeof packet);
        struct segment segment;
        struct client *client;
        if (size <= 0) {
            return;
        }
        client = parse(tun, packet, (size_t)size, &segment);
        if (client != NULL) {
            on_segment(tun, client, &segment);
        }
    }
}

static void *drive(void *argument)
{
    struct tun *tun = argument;
    struct pollfd device = {.fd = tun->fd, .events = POLLIN};
    int64_t swept = 0;
    while (tun->active > 0 || !atomic_load(&tun->stopping)) {
        start_some(tun);
        (void)poll(&device, 1, TURN_MS);
        read_some(tun);
        int64_t now = now_ms();
        if (now - swept < TURN_MS) {
            continue;
        }
        swept = now;
        for (unsigned i = 0; i < tun->options.in_flight; i++) {
            if (tun->clients[i].state != FREE) {
                on_time(tun, &tun->clients[i], now);
            }
        }
    }
    return NULL;
}

void tun_clients_start(struct tun *tun, const struct tun_options *options)
{
    ck_assert_uint_gt(options->in_flight, 0);
    ck_assert_uint_le(options->in_flight, TUN_CLIENTS_MAX);
    ck_assert_uint_le(options->delay_min_ms, options->delay_max_ms);
    tun->options = *options;
    tun->options.ipv6 = options->ipv6 && tun->ipv6;
    if (tun->options.give_up_in_ms == 0) {
        tun->options.give_up_in_ms = PATIENCE_MS;
    }
    tun->result = (struct tun_result){.started = 0};
    tun->clients = calloc(options->in_flight, sizeof *tun->clients);
    ck_assert_ptr_nonnull(tun->clients);
    tun->active = tun->next_free = 0;
    tun->start = now_ms();
    atomic_store(&tun->answered, 0);
    atomic_store(&tun->ended, 0);
    atomic_store(&tun->stopping, false);
    atomic_store(&tun->released, !options->hold);
    ck_assert_int_eq(pthread_create(&tun->thread, NULL, drive, tun), 0);
}

struct goal {
    atomic_uint_fast64_t *count;
    uint64_t wanted;
};

static bool reached(void *argument)
{
    struct goal *goal = argument;
    return atomic_load(goal->count) >= goal->wanted;
}

void tun_clients_wait_answered(struct tun *tun, uint64_t answered)
{
    struct goal goal = {.count = &tun->answered, .wanted = answered};
    wait_until(reached, &goal, "SYN-ACKs for the hand-made clients");
}

void tun_clients_wait_ended(struct tun *tun, uint64_t ended)
{
    struct goal goal = {.count = &tun->ended, .wanted = ended};
    wait_until(reached, &goal, "the hand-made clients come to their end");
}

uint64_t tun_clients_ended(struct tun *tun)
{
    return atomic_load(&tun->ended);
}

void tun_clients_release(struct tun *tun)
{
    atomic_store(&tun->released, true);
}

void tun_clients_stop(struct tun *tun, struct tun_result *result)
{
    tun_clients_release(tun);
    atomic_store(&tun->stopping, true);
    ck_assert_int_eq(pthread_join(tun->thread, NULL), 0);
    free(tun->clients);
    tun->clients = NULL;
    *result = tun->result;
}

static const char *const end_names[TUN_ENDS] = {
    [TUN_COMPLETED] = "completed", [TUN_REFUSED] = "refused", [TUN_RESET] = "reset",
    [TUN_CUT] = "cut short",       [TUN_WRONG] = "wrong",     [TUN_TIMED_OUT] = "timed out",
};

void tun_print(const struct tun_result *result, const char *what)
{
    printf("     %s: %lu handshakes", what, result->started);
    for (unsigned i = 0; i < TUN_ENDS; i++) {
        printf(", %lu %s", result->ends[i], end_names[i]);
    }
    putchar('\n');
    fflush(stdout);
}

void tun_print_losses(const struct tun_result *result)
{
    for (unsigned i = 0; i < result->told_count; i++) {
        printf("       number %lu (%s) %s at %.3f s, after %.3f s; final ACK kept back %u ms%s\n",
               result->told[i].number, result->told[i].ipv6 ? "IPv6" : "IPv4",
               end_names[result->told[i].end], result->told[i].second, result->told[i].lived,
               result->told[i].delay_ms, result->told[i].acked_late ? ", sent" : "");
    }
    fflush(stdout);
}

uint64_t tun_lost(const struct tun_result *result)
{
    return result->started - result->ends[TUN_COMPLETED];
}

/* --- the device --- */

static bool set_address(int fd, const char *name, unsigned long request, struct in_addr address)
{
    struct ifreq ifreq = {.ifr_name = ""};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = address};
    snprintf(ifreq.ifr_name, sizeof ifreq.ifr_name, "%s", name);
    memcpy(&ifreq.ifr_addr, &in, sizeof in);
    return ioctl(fd, request, &ifreq) == 0;
}

static bool set_up(int fd, const char *name)
{
    struct ifreq ifreq = {.ifr_name = ""};
    snprintf(ifreq.ifr_name, sizeof ifreq.ifr_name, "%s", name);
    ifreq.ifr_qlen = QUEUE;
    /* Refused in a user namespace: the queue stays shorter, and packets that do not fit are sent
     * again. */
    (void)ioctl(fd, SIOCSIFTXQLEN, &ifreq);
    if (ioctl(fd, SIOCGIFFLAGS, &ifreq) != 0) {
        return false;
    }
    ifreq.ifr_flags |= IFF_UP | IFF_RUNNING;
    return ioctl(fd, SIOCSIFFLAGS, &ifreq) == 0;
}

static bool set_address6(const char *name, struct in6_addr address)
{
    /* struct in6_ifreq, whose header is not compatible with libc's. */
    struct {
        struct in6_addr address;
        uint32_t prefix;
        int index;
    } request = {.address = address, .prefix = 64, .index = (int)if_nametoindex(name)};
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool done = fd >= 0 && ioctl(fd, SIOCSIFADDR, &request) == 0;
    if (fd >= 0) {
        close(fd);
    }
    return done;
}

struct tun *tun_open(const char **why)
{
    static struct tun device;
    struct tun *tun = &device;
    struct ifreq ifreq = {.ifr_name = "tun%d"};
    ifreq.ifr_flags = IFF_TUN | IFF_NO_PI;
    tun->random = 0x9e3779b97f4a7c15;
    inet_pton(AF_INET, TUN_SERVER, &tun->server);
    inet_pton(AF_INET6, TUN_SERVER6, &tun->server6);

    tun->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun->fd < 0 || ioctl(tun->fd, TUNSETIFF, &ifreq) != 0) {
        *why = "no TUN device may be made here";
        if (tun->fd >= 0) {
            close(tun->fd);
        }
        return NULL;
    }
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct in_addr mask = {.s_addr = htonl(0xffff0000)};
    ck_assert_int_ge(any, 0);
    ck_assert_msg(set_address(any, ifreq.ifr_name, SIOCSIFADDR, tun->server) &&
                      set_address(any, ifreq.ifr_name, SIOCSIFNETMASK, mask) &&
                      set_up(any, ifreq.ifr_name),
                  "%s: %s", ifreq.ifr_name, strerror(errno));
    close(any);
    tun->ipv6 = set_address6(ifreq.ifr_name, tun->server6);
    return tun;
}

bool tun_has_ipv6(const struct tun *tun)
{
    return tun->ipv6;
}
