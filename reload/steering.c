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

int steering_set(int listener_fd, struct steer_range range)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (unsigned)(SKF_AD_OFF + SKF_AD_RANDOM)),
        BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, range.count),
        BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, range.first),
        BPF_STMT(BPF_RET | BPF_A, 0),
    };
    struct sock_fprog program;
    memset(&program, 0, sizeof program); /* its padding goes to the kernel, too */
    program.len = sizeof code / sizeof *code;
    program.filter = code;

    if (range.count == 0)
        return EINVAL;
    return setsockopt(listener_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
                      sizeof program) == 0
               ? 0
               : errno;
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
