/* System calls of the data path, without what the C library adds to them. In a process with several
 * threads it makes each of these calls a place where pthread_cancel(3) can end the thread, which
 * costs two locked instructions and about forty others for each call. No thread of this process is
 * ever cancelled.
 *
 * Results and errno are those of the functions with these names. Builds with a sanitizer call the
 * functions of the C library, because the sanitizer watches these. */
#ifndef RPPROXY_PROXY_ENGINE_CALLS_H
#define RPPROXY_PROXY_ENGINE_CALLS_H

#include <stddef.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#if defined(__has_feature)
#define CALLS_ARE_WATCHED (__has_feature(thread_sanitizer) || __has_feature(address_sanitizer))
#elif defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
#define CALLS_ARE_WATCHED 1
#else
#define CALLS_ARE_WATCHED 0
#endif

#if CALLS_ARE_WATCHED

static inline ssize_t call_recv(int fd, void *bytes, size_t size)
{
    return recv(fd, bytes, size, 0);
}

static inline ssize_t call_send(int fd, const void *bytes, size_t size, int flags)
{
    return send(fd, bytes, size, flags);
}

static inline int call_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return accept4(fd, address, length, flags);
}

static inline int call_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return connect(fd, address, length);
}

static inline int call_close(int fd)
{
    return close(fd);
}

static inline int call_epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    return epoll_wait(fd, events, most, timeout);
}

#else

static inline ssize_t call_recv(int fd, void *bytes, size_t size)
{
    return syscall(SYS_recvfrom, fd, bytes, size, 0, NULL, NULL);
}

static inline ssize_t call_send(int fd, const void *bytes, size_t size, int flags)
{
    return syscall(SYS_sendto, fd, bytes, size, flags, NULL, 0);
}

static inline int call_accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    return (int)syscall(SYS_accept4, fd, address, length, flags);
}

static inline int call_connect(int fd, const struct sockaddr *address, socklen_t length)
{
    return (int)syscall(SYS_connect, fd, address, length);
}

static inline int call_close(int fd)
{
    return (int)syscall(SYS_close, fd);
}

/* Not all machines have epoll_wait(2) itself. Without a set of signals its length does not count.
 */
static inline int call_epoll_wait(int fd, struct epoll_event *events, int most, int timeout)
{
    return (int)syscall(SYS_epoll_pwait, fd, events, most, timeout, NULL, 0);
}

#endif

#endif
