#include "proxy/backend/check/probe.h"

#include "config/base/clock.h"
#include "proxy/backend/check/kinds.h"
#include "proxy/engine/ports.h"
#include "proxy/engine/socket.h"
#include "proxy/wire/proxy_header_write.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PIECE (16u * 1024)
/* Pieces that one server is heard for before others have their turn. */
#define PIECES_AT_ONCE 8

enum progress { MOVED, WAITS, ENDED, BROKEN };

/* --- the end ------------------------------------------------------------------------------- */

static void end_dialogue(struct probe *probe)
{
    struct dialogue *dialogue = &probe->dialogue;
    if (dialogue->kind && dialogue->state && dialogue->kind->end)
        dialogue->kind->end(dialogue);
    free(dialogue->state);
    *dialogue = (struct dialogue){0};
}

static void free_buffers(struct probe *probe)
{
    if (probe->input)
        evbuffer_free(probe->input);
    if (probe->output)
        evbuffer_free(probe->output);
    probe->input = probe->output = NULL;
}

static void let_go(struct probe *probe, bool reset)
{
    event_del(&probe->io);
    event_del(&probe->deadline);
    end_dialogue(probe);
    tls_client_free(probe->tls);
    probe->tls = NULL;
    free_buffers(probe);
    if (reset)
        socket_close_reset(probe->fd);
    else
        close(probe->fd);
    probe->fd = -1;
    probe->state = PROBE_IDLE;
}

void probe_cancel(struct probe *probe)
{
    if (probe->state != PROBE_IDLE)
        let_go(probe, true);
}

static void end(struct probe *probe, bool reset)
{
    let_go(probe, reset);
    probe->on_end(probe);
}

/* --- moving bytes -------------------------------------------------------------------------- */

static enum progress progress_of(enum tls_progress progress)
{
    switch (progress) {
    case TLS_DONE:
        return MOVED;
    case TLS_WAITS:
        return WAITS;
    case TLS_ENDED:
        return ENDED;
    case TLS_FAILED:
        break;
    }
    return BROKEN;
}

/* BROKEN: errno says why, where there is no TLS. */
static enum progress receive(struct probe *probe, char *piece, size_t *length)
{
    if (probe->tls)
        return progress_of(tls_client_read(probe->tls, piece, PIECE, length));
    ssize_t got = recv(probe->fd, piece, PIECE, 0);
    if (got < 0)
        return errno == EAGAIN || errno == EINTR ? WAITS : BROKEN;
    *length = (size_t)got;
    return got == 0 ? ENDED : MOVED;
}

static enum progress give(struct probe *probe, const void *bytes, size_t size, size_t *length)
{
    if (probe->tls)
        return progress_of(tls_client_write(probe->tls, bytes, size, length));
    ssize_t sent = send(probe->fd, bytes, size, MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EAGAIN || errno == EINTR ? WAITS : BROKEN;
    *length = (size_t)sent;
    return MOVED;
}

/* Sends what is in the output. MOVED: all of it. */
static enum progress flush(struct probe *probe)
{
    struct evbuffer *output = probe->output;
    while (output && evbuffer_get_length(output) > 0) {
        size_t sent = 0, size = evbuffer_get_contiguous_space(output);
        enum progress progress =
            give(probe, evbuffer_pullup(output, (ev_ssize_t)size), size, &sent);
        if (progress != MOVED)
            return progress;
        evbuffer_drain(output, sent);
    }
    return MOVED;
}

/* The loop calls again, without an event, after it has served others. */
static void go_on_later(struct probe *probe)
{
    event_active(&probe->io, EV_READ, 0);
}

/* --- closing ------------------------------------------------------------------------------- */

/* Drops what the server says. */
static void drop_rest(struct probe *probe)
{
    char piece[PIECE];
    for (unsigned i = 0; i < PIECES_AT_ONCE; i++) {
        size_t length = 0;
        enum progress progress = receive(probe, piece, &length);
        if (progress == WAITS)
            return;
        probe->received += length;
        if (progress != MOVED || probe->received > PROBE_RECEIVED_MAX) {
            end(probe, progress != ENDED || !probe->sends_end);
            return;
        }
    }
    go_on_later(probe);
}

static void go_on_closing(struct probe *probe)
{
    if (probe->output && probe->sends_end) {
        enum progress progress = flush(probe);
        if (progress == MOVED) {
            if (probe->tls)
                tls_client_end(probe->tls);
            shutdown(probe->fd, SHUT_WR);
            free_buffers(probe);
        } else if (progress != WAITS) {
            end(probe, true);
            return;
        }
    }
    drop_rest(probe);
}

static void begin_closing(struct probe *probe, bool sends_end)
{
    end_dialogue(probe);
    probe->state = PROBE_CLOSING;
    probe->sends_end = sends_end;
    if (probe->has_ended) {
        if (sends_end)
            (void)flush(probe);
        end(probe, !sends_end);
    } else if (sends_end && !probe->output && !(probe->output = evbuffer_new())) {
        end(probe, true);
    } else {
        go_on_closing(probe);
    }
}

/* --- verdicts ------------------------------------------------------------------------------ */

static void conclude(struct probe *probe, const struct probe_result *result)
{
    bool awaits_close = probe->dialogue.awaits_close, lets_finish = probe->dialogue.lets_finish;
    probe->on_verdict(probe, result);
    if (awaits_close || (result->error == 0 && probe->plan->conf->close == CHECK_CLOSE_FIN))
        begin_closing(probe, true);
    else if (lets_finish)
        begin_closing(probe, false);
    else
        end(probe, true);
}

static void pass(struct probe *probe)
{
    const struct probe_result result = {.agent_percent = -1};
    conclude(probe, &result);
}

/* error is not 0. */
static void fail(struct probe *probe, int error, const char *reason, const char *detail)
{
    struct probe_result result = {.error = error, .agent_percent = -1};
    snprintf(result.reason, sizeof result.reason, "%s%s", reason, detail);
    probe->dialogue.awaits_close = probe->dialogue.lets_finish = false;
    conclude(probe, &result);
}

static void judge(struct probe *probe, enum dialogue_verdict verdict)
{
    const struct dialogue *dialogue = &probe->dialogue;
    struct probe_result result = {.error = verdict == DIALOGUE_PASSED ? 0 : EPROTO,
                                  .agent_state = dialogue->agent_state,
                                  .agent_percent = dialogue->agent_percent};
    if (verdict == DIALOGUE_FAILED)
        memcpy(result.reason, dialogue->reason, sizeof result.reason);
    conclude(probe, &result);
}

static void fail_broken(struct probe *probe)
{
    int error = errno;
    if (probe->tls)
        fail(probe, EPROTO, "TLS: ", tls_client_error(probe->tls));
    else
        fail(probe, error ? error : EIO, "connected, but then: ", strerror(error ? error : EIO));
}

/* --- the dialogue -------------------------------------------------------------------------- */

/* Takes in a piece, and lets the dialogue hear it. False: there is nothing to hear now, or the
 * probe has a verdict. */
static bool hear(struct probe *probe)
{
    char piece[PIECE];
    size_t length = 0;
    struct dialogue *dialogue = &probe->dialogue;
    enum progress progress = receive(probe, piece, &length);
    if (progress == WAITS)
        return false;
    if (progress == BROKEN) {
        fail_broken(probe);
        return false;
    }
    probe->received += length;
    probe->has_ended = progress == ENDED;
    if (length > 0 && evbuffer_add(probe->input, piece, length)) {
        fail(probe, ENOMEM, "", "");
        return false;
    }
    enum dialogue_verdict verdict =
        dialogue->kind->hear(dialogue, probe->input, probe->has_ended, probe->output);
    if (verdict == DIALOGUE_GOES_ON && probe->has_ended)
        verdict = dialogue_fail(dialogue, "the server ended the connection before its answer");
    if (verdict == DIALOGUE_GOES_ON && (probe->received > PROBE_RECEIVED_MAX ||
                                        evbuffer_get_length(probe->input) > DIALOGUE_INPUT_MAX))
        verdict = dialogue_fail(dialogue, "the server says more than the check has use for");
    if (verdict == DIALOGUE_GOES_ON)
        return true;
    judge(probe, verdict);
    return false;
}

static void talk(struct probe *probe)
{
    for (unsigned i = 0; i < PIECES_AT_ONCE; i++) {
        if (flush(probe) == BROKEN) {
            fail_broken(probe);
            return;
        }
        if (!hear(probe))
            return;
    }
    (void)flush(probe); /* an error shows at the next receive */
    go_on_later(probe);
}

static void begin_talking(struct probe *probe)
{
    const struct dialogue_kind *kind = dialogue_kind(probe->plan->conf->kind);
    char host[ADDRESS_TEXT_MAX];
    if (!kind) {
        pass(probe);
        return;
    }
    probe->dialogue = (struct dialogue){
        .kind = kind,
        .conf = probe->plan->conf,
        .agent_percent = -1,
        .state = kind->state_size ? calloc(1, kind->state_size) : NULL,
    };
    probe->input = evbuffer_new();
    if (!probe->output)
        probe->output = evbuffer_new();
    if ((kind->state_size && !probe->dialogue.state) || !probe->input || !probe->output) {
        fail(probe, ENOMEM, "", "");
        return;
    }
    probe->state = PROBE_TALKING;
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    if (kind->begin)
        verdict =
            kind->begin(&probe->dialogue, address_format(&probe->address, host), probe->output);
    if (verdict == DIALOGUE_GOES_ON)
        talk(probe);
    else
        judge(probe, verdict);
}

/* --- before it ----------------------------------------------------------------------------- */

static void shake_hands(struct probe *probe)
{
    switch (tls_client_handshake(probe->tls)) {
    case TLS_WAITS:
        return;
    case TLS_DONE:
        begin_talking(probe);
        return;
    case TLS_ENDED:
    case TLS_FAILED:
        break;
    }
    /* A server that wants to see the client's certificate, and refuses to go on without it, lives.
     */
    if (probe->plan->conf->kind == CHECK_TLS && tls_client_was_asked(probe->tls))
        pass(probe);
    else
        fail(probe, EPROTO, "TLS: ", tls_client_error(probe->tls));
}

static void begin_tls(struct probe *probe)
{
    probe->tls = probe->as_sessions
                     ? tls_client_as_sessions(probe->plan->tls, probe->fd, probe->as_sessions)
                     : tls_client_new(probe->plan->tls, probe->fd, probe->name, &probe->address);
    if (!probe->tls) {
        fail(probe, ENOMEM, "", "");
        return;
    }
    probe->state = PROBE_HANDSHAKE;
    shake_hands(probe);
}

/* That of a connection which the proxy makes for itself: the server is not to believe in a client.
 * Version 1 has no word for that, and some servers refuse UNKNOWN: there the specification wants
 * the addresses of this connection. */
static bool write_proxy_header(struct probe *probe)
{
    unsigned char bytes[PROXY_HEADER_LEAST];
    if (probe->proxy == SEND_PROXY_NO)
        return true;
    const struct address own = socket_own_address(probe->fd);
    const struct proxy_header_text text = {.version = probe->proxy,
                                           .local = probe->proxy == SEND_PROXY_V2,
                                           .source = &own,
                                           .destination = &probe->address};
    probe->output = evbuffer_new();
    return probe->output &&
           !evbuffer_add(probe->output, bytes, proxy_header_write(&text, bytes, sizeof bytes));
}

static void on_connected(struct probe *probe)
{
    int error = socket_error(probe->fd);
    if (!error && socket_is_self_connected(probe->fd, probe->own_port))
        error = ECONNREFUSED; /* nobody listens there */
    if (error) {
        fail(probe, error, "", "");
        return;
    }
    if (!write_proxy_header(probe)) {
        fail(probe, ENOMEM, "", "");
        return;
    }
    /* Before TLS it has to go alone. Where no dialogue follows it goes alone as well: else nothing
     * would send it. A new connection takes so few bytes at once. */
    bool alone = probe->plan->tls || !dialogue_kind(probe->plan->conf->kind);
    if (alone && flush(probe) != MOVED)
        fail_broken(probe);
    else if (probe->plan->tls)
        begin_tls(probe);
    else
        begin_talking(probe);
}

static void on_io(evutil_socket_t fd, short what, void *arg)
{
    struct probe *probe = arg;
    (void)fd;
    switch (probe->state) {
    case PROBE_IDLE:
        break;
    case PROBE_CONNECTING:
        if (what & EV_WRITE)
            on_connected(probe);
        break;
    case PROBE_HANDSHAKE:
        shake_hands(probe);
        break;
    case PROBE_TALKING:
        talk(probe);
        break;
    case PROBE_CLOSING:
        go_on_closing(probe);
        break;
    }
}

static void on_deadline(evutil_socket_t fd, short what, void *arg)
{
    struct probe *probe = arg;
    (void)fd;
    (void)what;
    if (probe->state == PROBE_CLOSING)
        end(probe, true);
    else if (probe->state == PROBE_CONNECTING)
        fail(probe, ETIMEDOUT, "", "");
    else
        fail(probe, ETIMEDOUT, "connected, but ",
             probe->state == PROBE_HANDSHAKE ? "no TLS handshake in time" : "no answer in time");
}

void probe_init(struct probe *probe, struct event_base *base, const struct probe_plan *plan,
                const char *name, enum send_proxy proxy,
                void (*on_verdict)(struct probe *probe, const struct probe_result *result),
                void (*on_end)(struct probe *probe))
{
    *probe = (struct probe){.base = base,
                            .plan = plan,
                            .name = name,
                            .proxy = proxy,
                            .on_verdict = on_verdict,
                            .on_end = on_end,
                            .fd = -1};
}

int probe_begin(struct probe *probe, const struct address *address)
{
    const struct timeval deadline = clock_interval(probe->plan->conf->timeout);
    int error;
    probe->address = *address;
    const struct connect_plan plan = {
        .congestion = "", .source = probe->plan->source, .turn = probe->turn++};
    probe->fd = socket_connect_by(address, &plan, &(struct port_use){.ports = NULL}, &error);
    if (probe->fd < 0)
        return error;
    probe->state = PROBE_CONNECTING;
    probe->received = 0;
    probe->has_ended = false;
    event_assign(&probe->io, probe->base, probe->fd, EV_READ | EV_WRITE | EV_PERSIST | EV_ET, on_io,
                 probe);
    evtimer_assign(&probe->deadline, probe->base, on_deadline, probe);
    if (event_add(&probe->io, NULL) || event_add(&probe->deadline, &deadline)) {
        let_go(probe, true);
        return ENOMEM;
    }
    return 0;
}
