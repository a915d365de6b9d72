#include "reload/listeners/steering.h"

#include "proxy/engine/socket.h"

#include <errno.h>
#include <linux/filter.h>
#include <linux/membarrier.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOAD_RANDOM BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_RANDOM))
#define LOAD_CPU    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_CPU))
#define LOAD_IP(at) BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_NET_OFF + (at)))
#define MODULO(n)   BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n)
#define TIMES(n)    BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, n)
#define PLUS(n)     BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, n)
#define GO_ON(n)    BPF_STMT(BPF_JMP | BPF_JA, n)
#define RETURN      BPF_STMT(BPF_RET | BPF_A, 0)

struct code {
    struct sock_filter list[BPF_MAXINSNS];
    unsigned short length;
};

static void append(struct code *code, const struct sock_filter *steps, size_t count)
{
    memcpy(code->list + code->length, steps, count * sizeof *steps);
    code->length = (unsigned short)(code->length + count);
}

static int attach(int listener_fd, struct code *code)
{
    struct sock_fprog program;
    memset(&program, 0, sizeof program); /* its padding goes to the kernel, too */
    program.len = code->length;
    program.filter = code->list;
    return setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                      sizeof program) == 0
               ? 0
               : errno;
}

/* Any of them. Ends the program. */
enum { STEPS_ANY = 4 };

static int choose_any(struct code *code, struct steer_range range)
{
    const struct sock_filter steps[STEPS_ANY] = {LOAD_RANDOM, MODULO(range.count),
                                                 PLUS(range.first), RETURN};
    if (range.count == 0)
        return EINVAL;
    append(code, steps, STEPS_ANY);
    return 0;
}

/* What a CPU that has workers takes: a comparison, and the choice of one of its listeners. */
enum { STEPS_A_CPU = 6 };

static int choose_by_cpu(struct code *code, struct steer_range range, const struct steer_cpus *by)
{
    unsigned cpus = by->cpus->count < by->workers ? by->cpus->count : by->workers;
    const struct sock_filter first = LOAD_CPU;
    const struct sock_filter last[] = {MODULO(by->workers),
                                       /* group_position() */
                                       PLUS(by->rotation), MODULO(range.count), PLUS(range.first),
                                       RETURN};
    enum { LAST = sizeof last / sizeof *last };

    if (cpus == 0 || by->workers > range.count ||
        cpus > (BPF_MAXINSNS - code->length - 1u - LAST) / STEPS_A_CPU)
        return EINVAL;
    append(code, &first, 1);
    for (unsigned place = 0; place < cpus; place++) {
        const struct sock_filter steps[STEPS_A_CPU] = {
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, by->cpus->list[place], 0, STEPS_A_CPU - 1),
            LOAD_RANDOM,
            MODULO(group_sharers(place, by->cpus->count, by->workers)),
            TIMES(by->cpus->count),
            PLUS(place),
            GO_ON((cpus - 1 - place) * STEPS_A_CPU), /* to the end, past the others */
        };
        append(code, steps, STEPS_A_CPU);
    }
    append(code, last, LAST);
    return 0;
}

/* 2^32 divided by the golden ratio: its multiples lie evenly among the 32-bit numbers, so that
 * neighbouring addresses come to lie far from each other (Knuth, volume 3, 6.4). */
#define GOLDEN 0x9e3779b1u

/* The hash so far is folded with the word of the network header that stands there. */
#define FOLD(at) BPF_STMT(BPF_MISC | BPF_TAX, 0), LOAD_IP(at), XOR_X, TIMES(GOLDEN)
#define XOR_X    BPF_STMT(BPF_ALU | BPF_XOR | BPF_X, 0)

/* A number that tells source addresses apart. A dual-stack socket sees IPv4 packets as they are. */
static void load_source(struct code *code, uint32_t salt)
{
    enum { V4 = 4, V6 = 4 * V4 + 1 };
    const struct sock_filter steps[] = {
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (unsigned)SKF_NET_OFF),
        BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 4), /* the IP version */
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 6, 0, V6 + 1),
        BPF_STMT(BPF_LD | BPF_IMM, salt),
        FOLD(8),
        FOLD(12),
        FOLD(16),
        FOLD(20),
        GO_ON(V4 + 1),
        BPF_STMT(BPF_LD | BPF_IMM, salt),
        FOLD(12),
    };
    append(code, steps, sizeof steps / sizeof *steps);
}

static int choose_share(struct code *code, const struct steer_split *split)
{
    const uint32_t least = (uint32_t)(((uint64_t)split->share << 32) / STEER_WHOLE);
    const struct sock_filter random = LOAD_RANDOM;
    const struct sock_filter others = BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, least, STEPS_ANY, 0);

    if (split->share == 0 || split->share >= STEER_WHOLE)
        return EINVAL;
    if (split->by_source)
        load_source(code, split->salt);
    else
        append(code, &random, 1);
    append(code, &others, 1);
    return choose_any(code, split->to);
}

int steering_set(int listener_fd, struct steer_range range)
{
    struct code code;
    code.length = 0;
    int error = choose_any(&code, range);
    return error ? error : attach(listener_fd, &code);
}

int steering_set_by_cpu(int listener_fd, struct steer_range range, const struct steer_cpus *by)
{
    struct code code;
    code.length = 0;
    int error = choose_by_cpu(&code, range, by);
    return error ? error : attach(listener_fd, &code);
}

int steering_split(int listener_fd, const struct steer_split *split, struct steer_range range,
                   const struct steer_cpus *by)
{
    struct code code;
    code.length = 0;
    int error = choose_share(&code, split);
    if (!error)
        error = by ? choose_by_cpu(&code, range, by) : choose_any(&code, range);
    return error ? error : attach(listener_fd, &code);
}

/* Returns 0 or an errno value. */
static int hear_nothing(int fd, const struct listen_address *at)
{
    const int farthest = 255;
    const bool ipv4 = at->address.any.sa_family == AF_INET;

    if ((ipv4 || at->dual_stack) &&
        setsockopt(fd, IPPROTO_IP, IP_MINTTL, &farthest, sizeof farthest))
        return errno;
    if (!ipv4 && setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &farthest, sizeof farthest))
        return errno;
    return 0;
}

int steering_sink(const struct listen_address *at)
{
    int fd = socket_bind(at);
    int error;

    if (fd < 0)
        return fd;
    error = hear_nothing(fd, at);
    if (error == 0)
        error = socket_listen(fd, 0);
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

int steering_grace(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0 ? 0 : errno;
}
