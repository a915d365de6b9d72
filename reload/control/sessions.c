#include "reload/control/sessions.h"

#include "config/base/clock.h"
#include "proxy/session/walk.h"
#include "reload/base/text.h"
#include "reload/control/client.h"
#include "reload/handover/channel.h"
#include "reload/handover/generation.h"
#include "reload/handover/others.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* So much may wait for the command to take it. */
#define BACKLOG_MAX 65536u
/* The longest line that another process sends. */
#define LINE_MAX_BYTES (1u << 20)
/* For a process to send the next piece; the second if it asks others as well. */
static const struct timeval other_wait[] = {{.tv_sec = 5}, {.tv_sec = 12}};
/* A session that is to be killed, and moves: how often to look where it is, and for how long. */
static const struct timeval moving_look = {.tv_usec = 10000};
#define MOVING_MS 5000u

enum step { STEP_OTHERS, STEP_OWN };

struct asked_process {
    pid_t pid;
    bool complete; /* it has answered */
};

/* The answer to one command. */
struct listing {
    struct client *client;
    bool kill, alone, paused; /* paused: until the command has taken what it was sent */
    enum step step;
    struct walk_order order; /* its filter: until the walk has it */
    struct walk *walk;
    struct event *look; /* for sessions that move */
    uint64_t look_until;
    char *line;                  /* the command, for other processes */
    struct bufferevent *stream;  /* to the process that is asked now; NULL: none is */
    struct asked_process *asked; /* the last of them now */
    size_t asked_count;
    uint64_t killed;
};

static void next(struct listing *listing);

static void free_listing(struct listing *listing)
{
    if (listing->walk)
        walk_end(listing->walk);
    if (listing->stream)
        bufferevent_free(listing->stream);
    if (listing->look)
        event_free(listing->look);
    session_filter_free(&listing->order.filter);
    free(listing->asked);
    free(listing->line);
    free(listing);
}

static bool is_behind(const struct listing *listing)
{
    return client_backlog(listing->client) > BACKLOG_MAX;
}

/* --- sessions of this process ---------------------------------------------------------------- */

static json_int_t milliseconds(uint64_t since, uint64_t now)
{
    return (json_int_t)(now > since ? (now - since) / 1000 : 0);
}

static json_t *session_json(const struct walk_session *session, uint64_t now, unsigned generation)
{
    char id[SESSION_ID_TEXT_MAX], client[ADDRESS_TEXT_MAX];
    address_format(&session->client, client);
    return json_pack(
        "{s:s, s:I, s:o, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:I, s:s?, s:s?, s:i, s:i}", "id",
        session_id_text(&session->id, id), "began", (json_int_t)session->accepted_at, "client",
        text_json(client, strlen(client)), "frontend", session->frontend, "backend",
        session->backend, "server", session->server, "state", session_state_name(session->state),
        "age_ms", milliseconds(session->accepted_at, now), "idle_ms",
        milliseconds(session->active_at, now), "bytes_in", (json_int_t)session->bytes_in,
        "bytes_out", (json_int_t)session->bytes_out, "tls", session->tls, "server_tls",
        session->server_tls, "generation", (int)generation, "pid", (int)getpid());
}

static void send_slice(const struct listing *listing, const struct walk_slice *slice)
{
    json_t *list = json_array();
    for (unsigned i = 0; i < slice->count; i++)
        json_array_append_new(list, session_json(&slice->sessions[i], slice->seen_at,
                                                 listing->client->generation->number));
    client_send(listing->client, json_pack("{s:o}", "sessions", list));
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct listing *listing = arg;
    walk_go_on(listing->walk);
}

static void on_slice(struct walk *walk, void *arg)
{
    struct listing *listing = arg;
    const struct walk_slice *slice = walk_slice(walk);
    if (slice->count > 0)
        send_slice(listing, slice);
    if (slice->over && slice->moving > 0 && clock_ms() < listing->look_until)
        event_add(listing->look, &moving_look);
    else if (slice->over)
        next(listing);
    else if (is_behind(listing))
        listing->paused = true;
    else
        walk_go_on(walk);
}

static bool begin_walk(struct listing *listing)
{
    struct generation *generation = listing->client->generation;
    listing->look_until = clock_ms() + MOVING_MS;
    if (listing->walk) { /* once more */
        walk_go_on(listing->walk);
        return true;
    }
    listing->walk = walk_begin(&generation->proxy->service, &listing->order);
    if (!listing->walk)
        return false;
    memset(&listing->order.filter, 0, sizeof listing->order.filter); /* the walk has it */
    return true;
}

/* --- sessions of other processes ------------------------------------------------------------- */

static const struct asked_process *find_asked(const struct listing *listing, pid_t pid)
{
    for (size_t i = 0; i < listing->asked_count; i++)
        if (listing->asked[i].pid == pid)
            return &listing->asked[i];
    return NULL;
}

/* A process that has exited meanwhile has no sessions left: they have ended, or are at the process
 * that was asked afterwards. */
static void tell_missing(const struct listing *listing)
{
    struct other_process others[OTHERS_MAX];
    size_t count = others_list(listing->client->generation, others);
    for (size_t i = 0; i < count; i++) {
        const struct asked_process *asked = find_asked(listing, others[i].pid);
        if (asked && !asked->complete)
            client_send(listing->client,
                        json_pack("{s:{s:i, s:i}}", "missing", "pid", (int)others[i].pid,
                                  "generation", (int)others[i].generation));
    }
}

static void end_other(struct listing *listing, bool complete)
{
    bufferevent_free(listing->stream);
    listing->stream = NULL;
    listing->asked[listing->asked_count - 1].complete = complete;
    next(listing);
}

/* True: it was the last. */
static bool hear(struct listing *listing, const char *line, size_t length, bool *complete)
{
    static const char sessions[] = "{\"sessions\":", missing[] = "{\"missing\":";
    json_t *object;
    json_int_t killed = 0;
    if (strncmp(line, missing, sizeof missing - 1) == 0 ||
        (!listing->kill && strncmp(line, sessions, sizeof sessions - 1) == 0)) {
        bufferevent_write(listing->client->stream, line, length);
        bufferevent_write(listing->client->stream, "\n", 1);
        return false;
    }
    object = json_loadb(line, length, 0, NULL);
    *complete = json_is_true(json_object_get(object, "over"));
    bool last = *complete || json_object_get(object, "result");
    if (*complete && json_unpack(object, "{s:I}", "killed", &killed) == 0 && killed > 0)
        listing->killed += (uint64_t)killed;
    json_decref(object);
    return last;
}

static void on_other_readable(struct bufferevent *stream, void *arg)
{
    struct listing *listing = arg;
    struct evbuffer *input = bufferevent_get_input(stream);
    bool complete = false, last = false;
    char *line;
    size_t length;
    while (!last && (line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF))) {
        last = hear(listing, line, length, &complete);
        free(line);
    }
    if (last || evbuffer_get_length(input) >= LINE_MAX_BYTES)
        end_other(listing, complete);
    else if (is_behind(listing)) {
        listing->paused = true;
        bufferevent_disable(stream, EV_READ);
    }
}

static void on_other_event(struct bufferevent *stream, short what, void *arg)
{
    (void)stream;
    (void)what;
    end_other(arg, false);
}

static bool ask(struct listing *listing, const struct other_process *other)
{
    int fd = others_ask(other, listing->line);
    if (fd < 0)
        return false;
    listing->stream =
        bufferevent_socket_new(listing->client->generation->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!listing->stream) {
        close(fd);
        return false;
    }
    bufferevent_setcb(listing->stream, on_other_readable, NULL, on_other_event, listing);
    bufferevent_setwatermark(listing->stream, EV_READ, 0, LINE_MAX_BYTES);
    bufferevent_set_timeouts(listing->stream, &other_wait[other->kind != OTHER_DRAINING], NULL);
    bufferevent_enable(listing->stream, EV_READ);
    return true;
}

/* Where a process asks for those of this process: it knows of all others but those that drain. */
static bool may_ask(const struct listing *listing, enum other_kind kind, bool takers)
{
    return kind == OTHER_DRAINING ? !takers : !listing->alone && (kind == OTHER_TAKER) == takers;
}

/* Asks the next process: the taker, or another one. False: there is none. */
static bool ask_next(struct listing *listing, bool takers)
{
    struct other_process others[OTHERS_MAX];
    size_t count = others_list(listing->client->generation, others);
    for (size_t i = 0; i < count; i++) {
        if (!may_ask(listing, others[i].kind, takers) || find_asked(listing, others[i].pid))
            continue;
        struct asked_process *asked =
            realloc(listing->asked, (listing->asked_count + 1) * sizeof *asked);
        if (!asked)
            return false;
        listing->asked = asked;
        asked[listing->asked_count++] = (struct asked_process){.pid = others[i].pid};
        if (ask(listing, &others[i]))
            return true;
    }
    return false;
}

/* --- the command ----------------------------------------------------------------------------- */

static json_t *end_json(const struct listing *listing)
{
    uint64_t killed = listing->killed + (listing->walk ? walk_killed(listing->walk) : 0);
    return json_pack("{s:b, s:I}", "over", 1, "killed", (json_int_t)killed);
}

static void end(struct listing *listing)
{
    struct client *client = listing->client;
    tell_missing(listing);
    client_send(client, end_json(listing));
    client_stream_end(client);
    free_listing(listing);
}

/* Begins the next step, and leaves as soon as something is awaited. */
static void next(struct listing *listing)
{
    if (listing->step == STEP_OTHERS) {
        if (ask_next(listing, false))
            return;
        listing->step = STEP_OWN;
        if (begin_walk(listing))
            return;
        client_send_result(listing->client, EXIT_OTHER, "out of memory");
    } else if (ask_next(listing, false)) { /* its channel has come meanwhile */
        listing->step = STEP_OTHERS;
        return;
    } else if (ask_next(listing, true)) {
        return;
    }
    end(listing);
}

static void on_room(void *arg)
{
    struct listing *listing = arg;
    if (!listing->paused)
        return;
    listing->paused = false;
    if (listing->stream)
        bufferevent_enable(listing->stream, EV_READ);
    else if (listing->walk)
        walk_go_on(listing->walk);
}

/* The last session has ended, perhaps by this kill, or has moved. A process that has asked for
 * those of this process looks at its own afterwards. A command is to ask anew. */
static void on_end(void *arg)
{
    const struct listing *listing = arg;
    json_t *last = listing->kill ? end_json(listing) : json_object();
    if (!listing->alone)
        json_object_set_new(last, "again", json_true());
    if (listing->kill || !listing->alone)
        client_send(listing->client, last);
    else
        json_decref(last);
}

static void on_gone(void *arg)
{
    free_listing(arg);
}

static const struct client_stream stream_events = {
    .on_room = on_room, .on_end = on_end, .on_gone = on_gone};

/* Reads the filters. Returns NULL, or what is wrong, in text. */
static const char *read_filters(const json_t *request, struct session_filter *filter,
                                char text[static 512])
{
    size_t i;
    json_t *word;
    json_array_foreach(json_object_get(request, "filters"), i, word)
    {
        const char *name = json_is_string(word) ? json_string_value(word) : "";
        const char *wrong = session_filter_add(filter, name);
        if (wrong) {
            snprintf(text, 512, "'%.200s' %s", name, wrong);
            return text;
        }
    }
    return NULL;
}

/* The same command, for other processes. NULL: it is too long, or memory is out. */
static char *line_for_others(const json_t *request)
{
    json_t *copy = json_copy((json_t *)(uintptr_t)request);
    json_object_set_new(copy, "alone", json_true());
    json_object_del(copy, "file");
    char *line = json_dumps(copy, JSON_COMPACT);
    json_decref(copy);
    if (line && strlen(line) <= MESSAGE_PAYLOAD_MAX)
        return line;
    free(line);
    return NULL;
}

static void begin(struct client *client, const json_t *request, bool kill)
{
    struct listing *listing = calloc(1, sizeof *listing);
    char text[512];
    const char *wrong = "out of memory";
    json_int_t limit = 0;
    if (listing) {
        listing->client = client;
        listing->kill = kill;
        listing->alone = json_is_true(json_object_get(request, "alone"));
        (void)json_unpack((json_t *)(uintptr_t)request, "{s?I}", "limit", &limit);
        listing->order = (struct walk_order){.kill = kill,
                                             .limit = limit > 0 ? (uint64_t)limit : UINT64_MAX,
                                             .on_slice = on_slice,
                                             .arg = listing};
        wrong = read_filters(request, &listing->order.filter, text);
    }
    if (!wrong && kill && listing->order.filter.count == 0)
        wrong = "kill needs the id of a session, or a filter";
    if (!wrong && !client->generation->proxy)
        wrong = "this process does not serve yet";
    if (!wrong && !(listing->line = line_for_others(request)))
        wrong = "the filters are too long";
    if (!wrong && !(listing->look = event_new(client->generation->base, -1, 0, on_look, listing)))
        wrong = "out of memory";
    if (wrong) {
        client_send_result(client, EXIT_OTHER, wrong);
        if (listing)
            free_listing(listing);
        return;
    }
    client_stream_begin(client, &stream_events, listing);
    next(listing);
}

void sessions_answer(struct client *client, const json_t *request)
{
    begin(client, request, false);
}

void sessions_answer_kill(struct client *client, const json_t *request)
{
    begin(client, request, true);
}
