#include "reload/steering.h"

#include "proxy/socket.h"

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
#define MODULO(n)   BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, n)
#define TIMES(n)    BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, n)
#define PLUS(n)     BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, n)
#define GO_ON(n)    BPF_STMT(BPF_JMP | BPF_JA, n)
#define RETURN      BPF_STMT(BPF_RET | BPF_A, 0)

static int attach(int listener_fd, struct sock_filter *code, size_t length)
{
    struct sock_fprog program;
    memset(&program, 0, sizeof program); /* its padding goes to the kernel, too */
    program.len = (unsigned short)length;
    program.filter = code;
    return setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                      sizeof program) == 0
               ? 0
               : errno;
}

int steering_set(int listener_fd, struct steer_range range)
{
    struct sock_filter code[] = {LOAD_RANDOM, MODULO(range.count), PLUS(range.first), RETURN};
    return range.count ? attach(listener_fd, code, sizeof code / sizeof *code) : EINVAL;
}

/* What a CPU that has workers takes: a comparison, and the choice of one of its listeners. */
enum { STEPS_A_CPU = 6 };

int steering_set_by_cpu(int listener_fd, struct steer_range range, const struct steer_cpus *by)
{
    unsigned cpus = by->cpus->count < by->workers ? by->cpus->count : by->workers;
    const struct sock_filter last[] = {MODULO(by->workers),
                                       /* group_position() */
                                       PLUS(by->rotation), MODULO(range.count), PLUS(range.first),
                                       RETURN};
    enum { LAST = sizeof last / sizeof *last };
    struct sock_filter code[BPF_MAXINSNS];
    size_t length = 0;

    if (cpus == 0 || by->workers > range.count || cpus > (BPF_MAXINSNS - 1 - LAST) / STEPS_A_CPU)
        return EINVAL;
    code[length++] = (struct sock_filter)LOAD_CPU;
    for (unsigned place = 0; place < cpus; place++) {
        const struct sock_filter steps[STEPS_A_CPU] = {
            BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, by->cpus->list[place], 0, STEPS_A_CPU - 1),
            LOAD_RANDOM,
            MODULO(group_sharers(place, by->cpus->count, by->workers)),
            TIMES(by->cpus->count),
            PLUS(place),
            GO_ON((cpus - 1 - place) * STEPS_A_CPU), /* to the end, past the others */
        };
        memcpy(code + length, steps, sizeof steps);
        length += STEPS_A_CPU;
    }
    memcpy(code + length, last, sizeof last);
    return attach(listener_fd, code, length + LAST);
}

int steering_sink(const struct address *address)
{
    const int farthest = 255;
    int fd = socket_bind(address);
    int error;

    if (fd < 0)
        return fd;
    if (address->any.sa_family == AF_INET)
        error = setsockopt(fd, IPPROTO_IP, IP_MINTTL, &farthest, sizeof farthest) ? errno : 0;
    else
        error =
            setsockopt(fd, IPPROTO_IPV6, IPV6_MINHOPCOUNT, &farthest, sizeof farthest) ? errno : 0;
    if (error == 0)
        error = socket_listen(fd);
    if (error == 0)
        return fd;
    close(fd);
    return -error;
}

int steering_grace(void)
{
    return syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0) == 0 ? 0 : errno;
}

int listener_queue(int fd)
{
    struct tcp_info info;
    socklen_t length = sizeof info;

    if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) != 0)
        return -1;
    if (length < offsetof(struct tcp_info, tcpi_unacked) + sizeof info.tcpi_unacked ||
        info.tcpi_state != TCP_LISTEN) {
        errno = EINVAL;
        return -1;
    }
    return (int)info.tcpi_unacked;
}
