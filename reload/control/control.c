#include "reload/control/control.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"
#include "reload/base/published_path.h"
#include "reload/base/text.h"
#include "reload/control/running.h"
#include "reload/control/servers.h"
#include "reload/control/status.h"
#include "reload/handover/generation.h"
#include "reload/handover/old_side.h"
#include "reload/listeners/descriptors.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX   (PATH_MAX + 4096)
#define CLIENT_WAIT_S 10 /* to ask; to take the answer and go */
/* Clients that cannot be accepted keep the listener readable: how long it is left alone then. */
static const struct timeval shortage_rest = {.tv_usec = 100000};

struct client {
    struct control *control;
    struct bufferevent *stream;
    bool asked;         /* nothing more is read */
    bool awaits_reload; /* its result */
    bool awaits_abort;  /* that it fails */
    bool awaits_drain;  /* the result of the reload was sent; its drain goes on */
    bool follows;       /* what it asked for, step by step, until it hangs up */
    uint64_t reported;  /* the last number of sessions left; UINT64_MAX: none yet */
    TAILQ_ENTRY(client) link;
};

struct control {
    struct generation *generation;
    const struct control_events *events;
    struct evconnlistener *listener;
    struct event *rest;          /* the listener's, after a shortage */
    struct condition shortage;   /* clients cannot be accepted */
    struct condition foreigners; /* users that are not answered connect; the reason is the user */
    struct published_path file;
    TAILQ_HEAD(, client) clients;
    unsigned count;
    int leaving[DESCRIPTORS_COMMANDS]; /* connections of those that asked, until the very end */
    unsigned leaving_count;
};

static void listen_on(const struct control *control)
{
    if (control->listener && control->count < DESCRIPTORS_COMMANDS)
        evconnlistener_enable(control->listener);
}

static void drop(struct client *client)
{
    struct control *control = client->control;
    TAILQ_REMOVE(&control->clients, client, link);
    control->count--;
    listen_on(control);
    bufferevent_free(client->stream);
    free(client);
}

/* Takes over object. */
static void send_object(struct client *client, json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    if (line) {
        bufferevent_write(client->stream, line, strlen(line));
        bufferevent_write(client->stream, "\n", 1);
    }
    free(line);
    json_decref(object);
}

static void send_result(struct client *client, enum exit_status status, const char *text)
{
    send_object(client, json_pack("{s:o, s:i}", "result", text_json(text, strlen(text)), "exit",
                                  (int)status));
}

/* To take the answer and go. */
static void wait_shortly(struct client *client)
{
    const struct timeval wait = {.tv_sec = CLIENT_WAIT_S};
    client->follows = false;
    bufferevent_set_timeouts(client->stream, &wait, NULL);
}

static void wait_for_long(struct client *client)
{
    client->follows = true;
    client->reported = UINT64_MAX;
    bufferevent_set_timeouts(client->stream, NULL, NULL);
}

/* Refuses a reload where the user has named a file, and this process would read another one: the
 * user would read "reloaded", and what the named file says would not be in force. */
static bool refuse_other_file(struct client *client, const json_t *request)
{
    const struct generation *generation = client->control->generation;
    json_t *asked = json_object_get(request, "file");
    if (running_reads(generation, asked))
        return false;
    json_t *ours = running_file(generation);
    char text[2 * PATH_MAX + 256];
    snprintf(text, sizeof text,
             "pid %d reads %s, which is another file than %s: nothing was done (-s SOCKET reloads "
             "what the process reads; to change the file, start the proxy with it)",
             (int)getpid(), ours ? json_string_value(ours) : generation->file,
             json_string_value(json_object_get(asked, "path")));
    json_decref(ours);
    send_result(client, EXIT_OTHER, text);
    return true;
}

/* plan: of a canary, or NULL. */
static void ask_reload(struct client *client, const json_t *request, const char *plan)
{
    struct generation *generation = client->control->generation;
    struct reload_order order = {.wanted = true,
                                 .forced = json_is_true(json_object_get(request, "force"))};
    const char *wrong = plan ? canary_read(plan, &order.canary) : NULL;
    if (wrong) {
        send_result(client, EXIT_OTHER, wrong);
        return;
    }
    if (refuse_other_file(client, request))
        return;
    wait_for_long(client);
    client->awaits_reload = true; /* before it begins: it may be over at once */
    enum exit_status status = client->control->events->reload(generation, &order);
    if (status == EXIT_DONE)
        return;
    client->awaits_reload = false;
    wait_shortly(client);
    send_result(client, status,
                status == EXIT_BUSY ? "another reload is in progress"
                                    : "this process does not serve any more");
}

static void ask_decision(struct client *client, bool promote)
{
    struct generation *generation = client->control->generation;
    wait_for_long(client);
    client->awaits_reload = promote;
    client->awaits_abort = !promote;
    const char *wrong =
        promote ? old_side_promote(generation) : client->control->events->abort(generation);
    if (!wrong)
        return;
    client->awaits_reload = client->awaits_abort = false;
    wait_shortly(client);
    send_result(client, EXIT_OTHER, wrong);
}

static void ask_server(struct client *client, const json_t *request)
{
    char text[SERVERS_TEXT_MAX];
    enum exit_status status = servers_command(
        client->control->generation->proxy, json_string_value(json_object_get(request, "server")),
        json_string_value(json_object_get(request, "set")), text);
    send_result(client, status, text);
}

static void answer(struct client *client, const char *line)
{
    struct generation *generation = client->control->generation;
    json_t *request = json_loads(line, 0, NULL);
    const char *command = json_string_value(json_object_get(request, "command"));
    send_object(client, json_pack("{s:i, s:i, s:o}", "pid", (int)getpid(), "generation",
                                  (int)generation->number, "file", running_file(generation)));
    if (command && strcmp(command, "reload") == 0) {
        ask_reload(client, request, NULL);
    } else if (command && strcmp(command, "canary") == 0) {
        const char *plan = json_string_value(json_object_get(request, "plan"));
        ask_reload(client, request, plan ? plan : "");
    } else if (command && (strcmp(command, "abort") == 0 || strcmp(command, "promote") == 0)) {
        ask_decision(client, command[0] == 'p');
    } else if (command && strcmp(command, "status") == 0) {
        send_object(client, json_pack("{s:o}", "status", status_json(generation)));
    } else if (command && strcmp(command, "server") == 0) {
        ask_server(client, request);
    } else if (command && strcmp(command, "config") == 0) {
        send_object(client, json_pack("{s:o}", "config", running_json(generation)));
    } else if (command && strcmp(command, "stop") == 0) {
        wait_for_long(client);
        send_result(client, EXIT_DONE, "stopping");
        client->control->events->stop(generation);
    } else {
        send_result(client, EXIT_OTHER, "unknown command");
    }
    json_decref(request);
}

static void on_readable(struct bufferevent *stream, void *arg)
{
    struct client *client = arg;
    struct evbuffer *input = bufferevent_get_input(stream);
    size_t length;
    char *line = evbuffer_readln(input, &length, EVBUFFER_EOL_LF);
    if (client->asked) {
        evbuffer_drain(input, evbuffer_get_length(input));
    } else if (line) {
        client->asked = true;
        answer(client, line);
    } else if (evbuffer_get_length(input) >= REQUEST_MAX) {
        drop(client);
    }
    free(line);
}

static void on_stream_event(struct bufferevent *stream, short what, void *arg)
{
    (void)stream;
    (void)what;
    drop(arg);
}

static bool is_trusted(struct control *control, int fd)
{
    struct ucred peer;
    socklen_t length = sizeof peer;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
        return false;
    if (peer.uid == 0 || peer.uid == geteuid())
        return true;
    if (condition_met(&control->foreigners, (int)peer.uid, clock_ms()))
        log_warning("control socket: user %u (pid %d) is not answered", peer.uid, (int)peer.pid);
    return false;
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *arg)
{
    (void)address;
    (void)length;
    struct control *control = arg;
    struct client *client = NULL;
    if (condition_over(&control->shortage, clock_ms()))
        log_notice("control socket: clients are answered again");
    if (is_trusted(control, fd))
        client = calloc(1, sizeof *client);
    if (client)
        client->stream =
            bufferevent_socket_new(evconnlistener_get_base(listener), fd, BEV_OPT_CLOSE_ON_FREE);
    if (!client || !client->stream) {
        free(client);
        close(fd);
        return;
    }
    client->control = control;
    TAILQ_INSERT_TAIL(&control->clients, client, link);
    if (++control->count == DESCRIPTORS_COMMANDS)
        evconnlistener_disable(listener); /* the next one waits until one has gone */
    bufferevent_setcb(client->stream, on_readable, NULL, on_stream_event, client);
    bufferevent_setwatermark(client->stream, EV_READ, 0, REQUEST_MAX);
    wait_shortly(client);
    bufferevent_enable(client->stream, EV_READ | EV_WRITE);
}

static void on_shortage(struct evconnlistener *listener, void *arg)
{
    struct control *control = arg;
    if (condition_met(&control->shortage, errno, clock_ms()))
        log_warning("control socket: commands cannot be answered: %s", strerror(errno));
    evconnlistener_disable(listener);
    event_add(control->rest, &shortage_rest);
}

static void on_rested(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    listen_on(arg);
}

struct control *control_new(struct generation *generation, const struct control_events *events)
{
    struct control *control = calloc(1, sizeof *control);
    if (!control)
        return NULL;
    control->rest = event_new(generation->base, -1, 0, on_rested, control);
    if (!control->rest) {
        free(control);
        return NULL;
    }
    control->generation = generation;
    control->events = events;
    TAILQ_INIT(&control->clients);
    return control;
}

/* remove: the path goes as well, if it still belongs to this process. */
static void stop_listening(struct control *control, bool remove)
{
    published_end(&control->file, remove);
    if (control->listener)
        evconnlistener_free(control->listener);
    control->listener = NULL;
}

void control_retire(struct control *control)
{
    struct client *client, *next;
    for (client = TAILQ_FIRST(&control->clients); client; client = next) {
        next = TAILQ_NEXT(client, link);
        if (!client->asked)
            drop(client);
    }
    stop_listening(control, true);
}

int control_bind(struct control *control, const char *path)
{
    stop_listening(control, false);
    int fd = published_prepare_socket(&control->file, path, 0600);
    if (fd < 0)
        return -fd;
    control->listener = evconnlistener_new(control->generation->base, on_accept, control,
                                           LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16, fd);
    if (!control->listener) {
        published_end(&control->file, false);
        close(fd);
        return ENOMEM;
    }
    evconnlistener_set_error_cb(control->listener, on_shortage);
    return 0;
}

int control_publish(struct control *control)
{
    return published_publish(&control->file);
}

void control_withdraw(struct control *control)
{
    if (control->file.state == PUBLISHED_PUBLISHED)
        (void)published_withdraw(&control->file);
}

void control_settle(struct control *control)
{
    published_settle(&control->file);
}

int control_take_back(struct control *control, const char *path)
{
    if (published_is_ours(&control->file))
        return 0;
    int error = control->file.state == PUBLISHED_PREPARED ? 0 : control_bind(control, path);
    if (!error)
        error = control_publish(control);
    control_settle(control);
    return error;
}

void control_progress(struct control *control, const char *line, size_t length)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link)
        if (client->awaits_reload)
            send_object(client, json_pack("{s:o}", "progress", text_json(line, length)));
}

void control_step(struct control *control, const char *text)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link)
        if (client->follows)
            send_object(client, json_pack("{s:s}", "step", text));
}

void control_draining(struct control *control, uint64_t sessions)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link)
        if (client->follows && client->reported != sessions &&
            evbuffer_get_length(bufferevent_get_output(client->stream)) == 0) {
            client->reported = sessions;
            send_object(client, json_pack("{s:s, s:I}", "step", "draining", "sessions",
                                          (json_int_t)sessions));
        }
}

void control_reload_over(struct control *control, enum exit_status status, const char *text)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link) {
        if (client->awaits_reload)
            send_result(client, status, text);
        else if (client->awaits_abort)
            send_result(client, status == EXIT_DONE ? EXIT_OTHER : EXIT_DONE, text);
        else
            continue;
        client->awaits_drain = client->awaits_reload && status == EXIT_DONE;
        client->awaits_reload = client->awaits_abort = false;
        if (!client->awaits_drain)
            wait_shortly(client);
    }
}

void control_rolled_back(struct control *control, const char *text)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link)
        if (client->awaits_drain) {
            client->awaits_drain = false;
            wait_shortly(client);
            send_object(client, json_pack("{s:o, s:i}", "rolled_back",
                                          text_json(text, strlen(text)), "exit", (int)EXIT_FAILED));
        }
}

/* The loop has ended: what is still to be said is written here, as far as it goes at once. */
static void say_goodbye(struct client *client, const struct control_end *end)
{
    if (client->asked)
        send_object(client, json_pack("{s:b, s:I, s:I, s:I}", "ended", 1, "sessions",
                                      (json_int_t)end->sessions, "cut", (json_int_t)end->cut,
                                      "others_cut", (json_int_t)end->others_cut));
    int fd = bufferevent_getfd(client->stream);
    struct evbuffer *output = bufferevent_get_output(client->stream);
    evbuffer_unfreeze(output, 1);
    (void)evbuffer_write(output, fd);
    if (client->asked && bufferevent_setfd(client->stream, -1) == 0)
        client->control->leaving[client->control->leaving_count++] = fd;
    drop(client);
}

void control_close(struct control *control, bool remove, const struct control_end *end)
{
    if (!control)
        return;
    struct client *client;
    while ((client = TAILQ_FIRST(&control->clients)))
        say_goodbye(client, end);
    stop_listening(control, remove);
    event_free(control->rest);
}

void control_free(struct control *control)
{
    if (!control)
        return;
    while (control->leaving_count > 0)
        close(control->leaving[--control->leaving_count]);
    free(control);
}

pid_t control_holder(const char *path)
{
    struct address address = {.length = sizeof address.un};
    address.un.sun_family = AF_UNIX;
    snprintf(address.un.sun_path, sizeof address.un.sun_path, "%s", path);
    int error;
    int fd = socket_connect(&address, &error);
    if (fd < 0)
        return error == EAGAIN ? -1 : 0;
    struct ucred peer = {0};
    socklen_t length = sizeof peer;
    (void)getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length);
    close(fd);
    return peer.pid > 0 ? peer.pid : -1; /* 0: of a PID namespace that this process does not see */
}
