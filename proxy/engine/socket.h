/* Sockets as the proxy wants them: how they are opened, and how they are ended. */
#ifndef RPPROXY_PROXY_ENGINE_SOCKET_H
#define RPPROXY_PROXY_ENGINE_SOCKET_H

#include "config/base/listen_address.h"
#include "config/base/source.h"
#include "config/base/tcp_tuning.h"
#include "proxy/engine/local_ports.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Opens and binds, but does not listen on, a non-blocking, close-on-exec socket for clients.
 * TCP: SO_REUSEADDR, SO_REUSEPORT, IPV6_V6ONLY and SO_BINDTODEVICE; TCP_NODELAY and SO_KEEPALIVE
 * are set here because Linux lets accepted sockets inherit them, which spares two calls a
 * connection. Returns the descriptor, or -errno: ENODEV, there is no such interface; EPERM, the
 * kernel is older than 5.7, and binds to an interface only with CAP_NET_RAW. */
int socket_bind(const struct listen_address *at) __attribute__((warn_unused_result));

/* Takes in only what `at` says beside its address, before bind(2). Returns 0 or an errno value. */
int socket_confine(int fd, const struct listen_address *at) __attribute__((warn_unused_result));

/* The socket takes in clients of the interface that has this name now; "": of any. False: that
 * interface is gone, or has another name. */
bool socket_is_of_interface(int fd, const char *interface) __attribute__((warn_unused_result));

/* Begins to listen. The system shortens the backlog to net.core.somaxconn; 0: the longest that it
 * allows. Returns 0 or an errno value. */
int socket_listen(int fd, unsigned backlog) __attribute__((warn_unused_result));

/* The kernel reports a client of this listening TCP socket when the client has sent something
 * (TCP_DEFER_ACCEPT in tcp(7)), or a few seconds later if it has not. Returns 0 or an errno value.
 */
int socket_defer_accept(int fd) __attribute__((warn_unused_result));

/* Gives a TCP socket, and those that a listening one will accept, another congestion control; "":
 * the system's. Returns 0 or an errno value: ENOENT, the kernel does not have it; EPERM, the
 * process may not use it. */
int socket_congestion(int fd, const char *name) __attribute__((warn_unused_result));

struct port_use;

/* What a connection to a server begins with. */
struct connect_plan {
    const char *congestion; /* ""; or a name, which is used if the kernel (still) permits it */
    const struct source_choice *source; /* NULL: the kernel chooses */
    const struct address *client;       /* SOURCE_CLIENT: its address; its port does not count */
    unsigned turn;                      /* SOURCE_ADDRESS: where in the range to begin */
};

/* Addresses of a range that socket_connect_by() tries, until the machine has one, and it has a free
 * port towards the server. */
#define SOURCES_TRIED 16

/* Whether this process may connect from addresses that are none of this machine (IP_TRANSPARENT).
 * Returns 0 or an errno value: EPERM, it has neither CAP_NET_ADMIN nor CAP_NET_RAW. */
int socket_may_be_transparent(void) __attribute__((warn_unused_result));

/* Begins a connection to a server, non-blocking, close-on-exec, with no other option set. A Unix
 * socket has no source. EDESTADDRREQ: with SOURCE_CLIENT, no connection to the server can come from
 * the client's address: it is a Unix client, or one of the other IP version, or no host has it.
 * Returns the descriptor, with *error 0 or EINPROGRESS (the outcome shows as writable), or -1
 * with *error set. A Unix socket whose backlog is full gives -1 and EAGAIN. connect(2) says
 * EADDRNOTAVAIL for two things, which are told apart here: the error is EADDRNOTAVAIL where this
 * machine has no address to reach the server from (IPv6 is off, or it has lost the source), and
 * EADDRINUSE where every local port is in use towards this server. *use: all zero, but for the
 * member `ports`; the other members are set (ports.h). */
int socket_connect_by(const struct address *address, const struct connect_plan *plan,
                      struct port_use *use, int *error) __attribute__((warn_unused_result));

/* The same with the system's congestion control, from any address, and from the port that the
 * kernel chooses. */
int socket_connect(const struct address *address, int *error) __attribute__((warn_unused_result));

/* The same on a socket that is connected to nobody; *use is that of its last connection. Returns 0,
 * also for EINPROGRESS, or an errno value as above. */
int socket_connect_again(int fd, const struct address *address, struct port_use *use)
    __attribute__((warn_unused_result));

/* Makes a TCP socket connected to nobody, with its options and its place in epoll kept, as
 * connect(2) does for AF_UNSPEC; its local port is free again. Only for one that
 * socket_is_closed(): another is reset by it. Returns 0 or an errno value. */
int socket_disconnect(int fd) __attribute__((warn_unused_result));

/* True: a TCP connection is over, and nothing is cut short if its socket is forgotten: all that was
 * sent, and the end of it, has been acknowledged, and the peer's end has come (TIME-WAIT, which the
 * kernel keeps apart from the socket). *received: bytes of data that have come over it since it was
 * opened, whether anybody has read them or not (tcpi_bytes_received, RFC 4898). */
bool socket_is_closed(int fd, uint64_t *received) __attribute__((warn_unused_result));

/* How many connections wait in the accept queue of a listening TCP socket (tcpi_unacked).
 * -1: fd is not one. */
int socket_accept_queue(int fd);

/* An error of connecting that does not mean that the server is down: this process lacks
 * descriptors, memory or local ports, or a Unix socket's backlog is full. */
bool socket_is_shortage(int error);

/* Such an error that concerns this one server only: a connection to another one may be possible. */
static inline bool socket_is_shortage_of_one(int error)
{
    return error == EADDRINUSE /* of local ports */ || error == EAGAIN /* of a Unix backlog */;
}

/* Whether an IPv4 or IPv6 address with a port is one of this machine's, now. */
bool socket_is_of_this_machine(const struct address *address);

/* True: a socket that was connected to that port of a server is connected to itself. The kernel
 * does that where nobody listens on a TCP port of this machine, and it takes this very port as the
 * local one of a connection to it (simultaneous open, RFC 9293 section 3.5). Costs one system call;
 * two where the ports are equal; none for port 0, which stands for a Unix socket. */
bool socket_is_self_connected(int fd, unsigned port);

/* The address of this side of the connection; length 0: the kernel does not tell. */
struct address socket_own_address(int fd);

/* True: the end of the peer's stream has come over a TCP connection of which so many bytes were
 * received, whether all of the stream was received yet or not; also after a reset. */
bool socket_end_has_come(int fd, uint64_t received) __attribute__((warn_unused_result));

/* The pending error of a socket (SO_ERROR, which reading clears), 0 if there is none. */
int socket_error(int fd);

/* How many bytes a send is likely to take at once: a hint, by the kernel's bookkeeping of memory
 * (SO_MEMINFO, Linux 4.12); the kernel may take some more. SIZE_MAX: it does not tell. */
size_t socket_room(int fd);

/* A send finds room, in the sense of poll(2): a good part of the send buffer is free. False: an
 * event comes as soon as that is so, as after a send that found no room. */
bool socket_is_writable(int fd) __attribute__((warn_unused_result));

/* Bytes that have come and were not received; 0 also when the kernel cannot tell. */
size_t socket_unread(int fd);

/* How much of what was sent the other side has not acknowledged, the end of the stream being one
 * more byte (TCP); has not read (a Unix socket, in bytes of kernel memory). 0 also when nobody can
 * tell. */
size_t socket_unacknowledged(int fd);

/* How long ago the kernel last sent data over a TCP connection that takes it, in milliseconds, to
 * the precision of a kernel tick: with a slow peer, long after the send(2). Acknowledgements,
 * keep-alive and zero-window probes are no data. UINT64_MAX: the peer does not acknowledge what was
 * sent, and the kernel only repeats it; or nobody can tell (a Unix socket). */
uint64_t socket_sent_ago(int fd);

/* TCP_NODELAY; SO_KEEPALIVE. Nothing on a Unix socket. */
void socket_no_delay(int fd);
void socket_keep_alive(int fd);

/* Sets keep-alive and user timeout of a connection. What the kernel does not take stays as it was.
 */
void socket_tune(int fd, const struct tcp_tuning *tuning);

/* When fd is closed the peer is to see a reset (TCP; a Unix peer sees the end); the second closes
 * it too. */
void socket_will_reset(int fd);
void socket_close_reset(int fd);

/* The peer sees at once what closing would show, even if another process has the socket open as
 * well and keeps it open. Undoes socket_will_reset() of that process, unless reset is true. */
void socket_finish(int fd, bool reset);

#endif
