#include "scripts/bench/load.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>

/* MODE_HOLD makes this number of first or last exchanges at a time. */
#define HOLD_PARALLEL 128

static void ask(struct run *run, struct session *session)
{
    const enum op op = run->options.server_closes ? OP_FAREWELL : OP_REQUEST;
    const struct message both[] = {message_hello(), message_make(op, session->number, 0)};
    const size_t from = session->greeted ? 1 : 0, size = sizeof both - from * sizeof *both;
    session->got = 0;
    session->greeted = true;
    session->seen = run->now;
    ssize_t n = session_send(session, both + from, size);
    if (n != (ssize_t)size) {
        session_fail(run, session, n < 0 ? failure_of(errno) : FAILED_OTHER);
    }
}

/* Bytes that are no TLS, which begins with 22, and no HTTP. */
static void disturb(struct run *run, struct session *session)
{
    struct message noise = message_make(OP_ANSWER, session->number, 0);
    noise.op = noise.proof[4] | 0x80;
    session->seen = run->now;
    ssize_t n = send(session->fd, &noise, sizeof noise, MSG_NOSIGNAL);
    if (n != (ssize_t)sizeof noise) {
        session_fail(run, session, n < 0 ? failure_of(errno) : FAILED_OTHER);
    }
}

static void ask_again(struct run *run, struct session *session)
{
    session->number = run->launched++;
    session->since = run->now;
    ask(run, session);
}

static void open_session(struct run *run, uint64_t since)
{
    struct session *session = run->closed[--run->closed_count];
    session->number = run->launched++;
    session->since = since;
    /* Edge-triggered: EPOLLOUT comes once, when the connection is established. */
    session_connect(run, session, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET);
}

static bool may_launch(const struct run *run)
{
    return !run->stopping && (run->options.count == 0 || run->launched < run->options.count);
}

static void hold_turn(struct run *run)
{
    if (run->released) {
        while (run->busy_count < HOLD_PARALLEL && run->hold_next < run->options.sessions) {
            struct session *session = &run->sessions[run->hold_next++];
            /* A session that was lost while idle has already been counted. */
            if (session->fd >= 0) {
                session->busy = true;
                run->busy_count++;
                ask_again(run, session);
            }
        }
        run->stopping = run->hold_next == run->options.sessions && run->busy_count == 0;
        return;
    }
    while (run->busy_count < HOLD_PARALLEL && run->hold_next < run->options.sessions) {
        run->hold_next++;
        open_session(run, run->now);
    }
    if (run->busy_count == 0 && !run->announced) {
        printf("{\"held\": %zu}\n", run->options.sessions - run->closed_count);
        fflush(stdout);
        run->announced = true;
    }
}

void exchange_turn(struct run *run)
{
    if (run->options.mode == MODE_HOLD) {
        hold_turn(run);
        return;
    }
    /* As many as are closed now: a session that fails at once is tried again in the next turn. */
    for (size_t most = run->closed_count; most > 0 && may_launch(run); most--) {
        uint64_t due = run->now;
        if (run->options.rate) {
            due = run->launch_from + run->launched * SECOND_NS / run->options.rate;
            if (due > run->now) {
                return;
            }
        }
        open_session(run, due);
    }
}

static void finish(struct run *run, struct session *session)
{
    run->all_finished++;
    if (run->in_window) {
        run->operations++;
    }
    /* With --rate, a connection that was due within the window counts even if it ends later,
     * because it is one of the slowest. */
    if (run->in_window || (run->options.rate && run->opened_at && session->since < run->closed_at &&
                           session->since >= run->opened_at)) {
        histogram_add(&run->latencies, run->now - session->since);
    }
    switch (run->options.mode) {
    case MODE_RTT:
        if (may_launch(run)) {
            ask_again(run, session);
            return;
        }
        break;
    case MODE_HOLD:
        if (!run->released) {
            session->busy = false;
            run->busy_count--;
            return;
        }
        break;
    case MODE_CHURN:
    case MODE_DOWNLOAD:
    case MODE_UPLOAD:
    case MODE_STRANGERS:
    default:
        break;
    }
    session_close(run, session, true);
}

/* The peer is to end the connection, and to send no more before. */
static void await_end(struct run *run, struct session *session)
{
    uint8_t byte;
    ssize_t n = session_receive(session, &byte, 1);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n > 0) {
        session_fail(run, session, FAILED_WRONG);
    } else if (n < 0 && run->options.mode != MODE_STRANGERS) {
        session_fail(run, session, failure_of(errno));
    } else {
        finish(run, session);
    }
}

void exchange_event(struct run *run, struct session *session, uint32_t events)
{
    if (session->connecting) {
        if (!session_connected(run, session, events)) {
            return;
        }
        if (run->options.mode == MODE_RTT) {
            session->since = run->now;
        }
        if (run->options.mode == MODE_STRANGERS) {
            disturb(run, session);
        } else {
            ask(run, session);
        }
        return;
    }
    if (!(events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))) {
        return;
    }
    if (run->options.mode == MODE_STRANGERS ||
        (run->options.server_closes && session->got == sizeof session->message)) {
        await_end(run, session);
        return;
    }
    /* Room for one byte more than expected, so that surplus bytes are detected. */
    uint8_t more[sizeof session->message + 1];
    ssize_t n = session_receive(session, more, sizeof more - session->got);
    if (n < 0 && errno == EAGAIN) {
        return;
    }
    if (n <= 0) {
        session_fail(run, session, n < 0 ? failure_of(errno) : FAILED_CUT_SHORT);
        return;
    }
    if (!session->busy || session->got + (size_t)n > sizeof session->message) {
        session_fail(run, session, FAILED_WRONG);
        return;
    }
    memcpy((uint8_t *)&session->message + session->got, more, (size_t)n);
    session->got += (size_t)n;
    session->seen = run->now;
    if (session->got < sizeof session->message) {
        return;
    }
    if (!message_is(&session->message, OP_ANSWER, session->number)) {
        session_fail(run, session, FAILED_WRONG);
        return;
    }
    if (run->options.server_closes) {
        /* Edge-triggered events: the end may have come with the answer. */
        await_end(run, session);
        return;
    }
    finish(run, session);
}
