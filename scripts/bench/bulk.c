#include "scripts/bench/load.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

static uint8_t scratch[PATTERN_RUN];

void bulk_turn(struct run *run)
{
    for (size_t most = run->closed_count; most > 0 && !run->stopping; most--) {
        struct session *session = run->closed[--run->closed_count];
        /* Each session starts at another position of the pattern, so that bytes of another session
         * are detected. */
        session->number = run->launched++ * 7919;
        session_connect(run, session, EPOLLIN | EPOLLOUT);
    }
}

static void begin(struct run *run, struct session *session)
{
    bool up = run->options.mode == MODE_UPLOAD;
    struct message message =
        message_make(up ? OP_UPLOAD : OP_DOWNLOAD, session->number, session->number);
    ssize_t n = session_send(session, &message, sizeof message);
    if (n != (ssize_t)sizeof message) {
        session_fail(run, session, n < 0 ? failure_of(errno) : FAILED_OTHER);
        return;
    }
    if (!up) {
        struct epoll_event event = {.events = EPOLLIN, .data.ptr = session};
        epoll_ctl(run->epoll, EPOLL_CTL_MOD, session->fd, &event);
    }
}

/* Counts bytes when they are verified: in a download as they arrive, in an upload with the verdict.
 */
static void count(struct run *run, struct session *session, uint64_t bytes)
{
    session->seen = run->now;
    if (run->in_window) {
        run->bytes += bytes;
    }
}

static bool receive(struct run *run, struct session *session)
{
    ssize_t n = session_receive(session, scratch, sizeof scratch);
    if (n <= 0) {
        if (n == 0 || errno != EAGAIN) {
            session_fail(run, session, n < 0 ? failure_of(errno) : FAILED_CUT_SHORT);
        }
        return false;
    }
    if (memcmp(scratch, pattern_at(session->number + session->moved), (size_t)n) != 0) {
        session_fail(run, session, FAILED_WRONG);
        return false;
    }
    session->moved += (size_t)n;
    count(run, session, (size_t)n);
    return true;
}

static bool hear_verdict(struct run *run, struct session *session)
{
    ssize_t n = session_receive(session, (uint8_t *)&session->message + session->got,
                                sizeof session->message - session->got);
    if (n <= 0) {
        if (n < 0 && errno == EAGAIN) {
            return true;
        }
        session_fail(run, session, n < 0 ? failure_of(errno) : FAILED_CUT_SHORT);
        return false;
    }
    session->got += (size_t)n;
    if (session->got < sizeof session->message) {
        return true;
    }
    session->got = 0;
    uint64_t judged = session->message.detail;
    if (!message_is(&session->message, OP_VERDICT, session->number) || judged <= session->judged ||
        judged > session->moved) {
        session_fail(run, session, FAILED_WRONG);
        return false;
    }
    count(run, session, judged - session->judged);
    session->judged = judged;
    return true;
}

void bulk_event(struct run *run, struct session *session, uint32_t events)
{
    if (session->connecting) {
        if (session_connected(run, session, events)) {
            begin(run, session);
        }
        return;
    }
    if (run->options.mode == MODE_DOWNLOAD) {
        while (receive(run, session) && session->tls && secure_pending(session->tls)) {
        }
        return;
    }
    if ((events & ~(uint32_t)EPOLLOUT) && !hear_verdict(run, session)) {
        return;
    }
    if (events & EPOLLOUT) {
        ssize_t n =
            session_send(session, pattern_at(session->number + session->moved), PATTERN_RUN);
        if (n < 0 && errno != EAGAIN) {
            session_fail(run, session, failure_of(errno));
        } else if (n > 0) {
            session->moved += (size_t)n;
        }
    }
}
