/* Sockets as the proxy wants them: how they are opened, and how they are ended. */
#ifndef RPPROXY_PROXY_ENGINE_SOCKET_H
#define RPPROXY_PROXY_ENGINE_SOCKET_H

#include "config/base/address.h"

#include <stdbool.h>
#include <stdint.h>

/* Opens and binds, but does not listen on, a non-blocking, close-on-exec socket for clients.
 * TCP: SO_REUSEADDR, SO_REUSEPORT and IPV6_V6ONLY; TCP_NODELAY and SO_KEEPALIVE are set here
 * because Linux lets accepted sockets inherit them, which spares two calls a connection.
 * Returns the descriptor, or -errno. */
int socket_bind(const struct address *address) __attribute__((warn_unused_result));

/* Begins to listen with the longest backlog the system allows (net.core.somaxconn). Returns 0 or
 * an errno value. */
int socket_listen(int fd) __attribute__((warn_unused_result));

/* Gives a TCP socket, and those that a listening one will accept, another congestion control; "":
 * the system's. Returns 0 or an errno value: ENOENT, the kernel does not have it; EPERM, it does
 * not let us. */
int socket_congestion(int fd, const char *name) __attribute__((warn_unused_result));

/* Begins a connection to a server, non-blocking, close-on-exec, with no option set but that
 * congestion control, if it is not "" and the kernel (still) lets us.
 * Returns the descriptor, with *error 0 or EINPROGRESS (the outcome shows as writable), or -1
 * with *error set. A Unix socket whose backlog is full gives -1 and EAGAIN. */
int socket_connect_by(const struct address *address, const char *congestion, int *error)
    __attribute__((warn_unused_result));

/* The same with the system's congestion control. */
int socket_connect(const struct address *address, int *error) __attribute__((warn_unused_result));

/* The same on a socket that is connected to nobody. Returns 0 (or EINPROGRESS, which is as good)
 * or another errno value. */
int socket_connect_again(int fd, const struct address *address) __attribute__((warn_unused_result));

/* Makes a TCP socket connected to nobody, with its options and its place in epoll kept, as
 * connect(2) does for AF_UNSPEC; its local port is free again. Only for one that
 * socket_is_closed(): another is reset by it. Returns 0 or an errno value. */
int socket_disconnect(int fd) __attribute__((warn_unused_result));

/* True: a TCP connection is over, and nothing is cut short if its socket is forgotten: all that was
 * sent, and the end of it, has been acknowledged, and the peer's end has come (TIME-WAIT, which the
 * kernel keeps apart from the socket). *received: bytes of data that have come over it since it was
 * opened, whether anybody has read them or not (tcpi_bytes_received, RFC 4898). */
bool socket_is_closed(int fd, uint64_t *received) __attribute__((warn_unused_result));

/* An error of connecting that says nothing of the server: we are short of descriptors, memory or
 * local ports, or a Unix socket's backlog is full. */
bool socket_is_shortage(int error);

/* The pending error of a socket (SO_ERROR, which reading clears), 0 if there is none. */
int socket_error(int fd);

/* TCP_NODELAY; SO_KEEPALIVE. Nothing on a Unix socket. */
void socket_no_delay(int fd);
void socket_keep_alive(int fd);

/* When fd is closed the peer is to see a reset (TCP; a Unix peer sees the end); the second closes
 * it too. */
void socket_will_reset(int fd);
void socket_close_reset(int fd);

/* Tells the peer at once what closing would, though another process has the socket open as well,
 * and perhaps for long; and undoes socket_will_reset() of that process, unless it is to be a reset.
 */
void socket_finish(int fd, bool reset);

#endif
