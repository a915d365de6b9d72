#include "scripts/bench/load.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

enum failure failure_of(int error)
{
    switch (error) {
    case ECONNREFUSED:
        return FAILED_REFUSED;
    case ECONNRESET:
    case EPIPE:
        return FAILED_RESET;
    case ETIMEDOUT:
        return FAILED_TIMEOUT;
    default:
        return FAILED_OTHER;
    }
}

ssize_t session_send(struct session *session, const void *bytes, size_t size)
{
    return session->tls ? secure_send(session->tls, bytes, size)
                        : send(session->fd, bytes, size, MSG_NOSIGNAL);
}

ssize_t session_receive(struct session *session, void *bytes, size_t size)
{
    return session->tls ? secure_receive(session->tls, bytes, size)
                        : recv(session->fd, bytes, size, 0);
}

void session_close(struct run *run, struct session *session, bool well)
{
    if (session->tls) {
        secure_free(session->tls, well);
        session->tls = NULL;
    }
    if (session->fd >= 0) {
        close(session->fd);
        session->fd = -1;
    }
    if (session->busy) {
        session->busy = false;
        run->busy_count--;
    }
    run->closed[run->closed_count++] = session;
}

void session_fail(struct run *run, struct session *session, enum failure failure)
{
    run->failures[failure]++;
    run->all_finished++;
    session_close(run, session, false);
}

bool session_connect(struct run *run, struct session *session, uint32_t events)
{
    session->connecting = true;
    session->shaking = false;
    session->busy = true;
    session->got = 0;
    session->greeted = !run->options.hello;
    session->moved = session->judged = 0;
    session->seen = run->now;
    run->busy_count++;
    session->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    int on = 1;
    struct epoll_event event = {.events = events, .data.ptr = session};
    if (session->fd < 0 || setsockopt(session->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (connect(session->fd, (struct sockaddr *)&run->options.to, sizeof run->options.to) != 0 &&
         errno != EINPROGRESS) ||
        epoll_ctl(run->epoll, EPOLL_CTL_ADD, session->fd, &event) != 0) {
        session_fail(run, session, failure_of(errno));
        return false;
    }
    if (run->options.secure && !(session->tls = secure_new(session->fd))) {
        session_fail(run, session, FAILED_OTHER);
        return false;
    }
    return true;
}

bool session_connected(struct run *run, struct session *session, uint32_t events)
{
    if (!session->shaking && events & (EPOLLERR | EPOLLHUP)) {
        int error = 0;
        socklen_t length = sizeof error;
        getsockopt(session->fd, SOL_SOCKET, SO_ERROR, &error, &length);
        session_fail(run, session, failure_of(error));
        return false;
    }
    session->shaking = true;
    int shaken = session->tls ? secure_handshake(session->tls) : 1;
    if (shaken < 0) {
        session_fail(run, session, FAILED_RESET);
    }
    session->connecting = shaken == 0;
    return shaken > 0;
}
