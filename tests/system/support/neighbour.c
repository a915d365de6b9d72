#include "tests/system/support/neighbour.h"

#include "tests/system/support/harness.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int own_network = -1;

static bool ip_does(const char *words, struct outcome *outcome)
{
    enum { WORDS = 31 };
    char copy[512];
    const char *argv[WORDS + 2] = {"ip"};
    unsigned count = 1;
    char *rest = copy;
    snprintf(copy, sizeof copy, "%s", words);
    for (char *word; (word = strsep(&rest, " "));) {
        ck_assert_uint_le(count, WORDS);
        argv[count++] = word;
    }
    program_run(&(struct program){.argv = argv}, PATIENCE_MS, outcome);
    return outcome->code == 0;
}

void ip_command(const char *format, ...)
{
    char words[512];
    struct outcome outcome;
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    ck_assert_msg(ip_does(words, &outcome), "ip %s: %s", words, outcome.err);
}

void neighbour_enter(const struct neighbour *neighbour)
{
    ck_assert_int_eq(setns(neighbour->network, CLONE_NEWNET), 0);
}

void neighbour_leave(void)
{
    ck_assert_int_eq(setns(own_network, CLONE_NEWNET), 0);
}

static bool try_plug(const struct neighbour *neighbour)
{
    struct outcome outcome;
    char words[128];
    unsigned n = neighbour->number;
    snprintf(words, sizeof words, "link add nb%u type veth peer name eth0 netns /proc/%d/fd/%d", n,
             (int)getpid(), neighbour->network);
    if (!ip_does(words, &outcome)) {
        return false;
    }
    ip_command("address add 10.78.%u.1/24 dev nb%u", n, n);
    ip_command("address add fd78:%u::1/64 dev nb%u nodad", n, n);
    ip_command("link set nb%u up", n);
    neighbour_enter(neighbour);
    ip_command("link set lo up");
    ip_command("address add 10.78.%u.2/24 dev eth0", n);
    ip_command("address add fd78:%u::2/64 dev eth0 nodad", n);
    ip_command("link set eth0 up");
    ip_command("route add default via 10.78.%u.1", n);
    ip_command("-6 route add default via fd78:%u::1", n);
    neighbour_leave();
    return true;
}

bool neighbour_make(struct neighbour *neighbour, unsigned number)
{
    if (!program_exists("ip")) {
        return false;
    }
    if (own_network < 0) {
        own_network = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
        ck_assert_int_ge(own_network, 0);
    }
    if (unshare(CLONE_NEWNET) != 0) {
        return false;
    }
    *neighbour = (struct neighbour){
        .number = number, .network = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC)};
    ck_assert_int_ge(neighbour->network, 0);
    neighbour_leave();
    return try_plug(neighbour);
}

void neighbour_unplug(const struct neighbour *neighbour)
{
    ip_command("link del nb%u", neighbour->number);
}

void neighbour_plug(const struct neighbour *neighbour)
{
    ck_assert(try_plug(neighbour));
}

static struct endpoint endpoint_of(unsigned number, unsigned host, int family, uint16_t port)
{
    struct endpoint where = {.length = sizeof where.in6};
    char text[64];
    if (family == AF_INET) {
        where.length = sizeof where.in;
        where.in.sin_family = AF_INET;
        where.in.sin_port = htons(port);
        where.in.sin_addr.s_addr = htonl(0x0a4e0000 | number << 8 | host);
        return where;
    }
    where.in6.sin6_family = AF_INET6;
    where.in6.sin6_port = htons(port);
    snprintf(text, sizeof text, "fd78:%u::%u", number, host);
    ck_assert_int_eq(inet_pton(AF_INET6, text, &where.in6.sin6_addr), 1);
    return where;
}

struct endpoint neighbour_front(const struct neighbour *neighbour, int family, uint16_t port)
{
    return endpoint_of(neighbour->number, 1, family, port);
}

struct endpoint neighbour_address(const struct neighbour *neighbour, int family, uint16_t port)
{
    return endpoint_of(neighbour->number, 2, family, port);
}

int neighbour_connect(const struct neighbour *neighbour, const struct endpoint *where)
{
    neighbour_enter(neighbour);
    int fd = connect_to(where);
    neighbour_leave();
    return fd;
}
