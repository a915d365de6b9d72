#include "reload/control/control.h"

#include "config/base/clock.h"
#include "config/base/condition.h"
#include "config/base/log.h"
#include "proxy/engine/socket.h"
#include "reload/base/published_path.h"
#include "reload/base/text.h"
#include "reload/control/answers.h"
#include "reload/control/client.h"
#include "reload/handover/generation.h"
#include "reload/listeners/descriptors.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <jansson.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <unistd.h>

#define REQUEST_MAX (PATH_MAX + 4096)
/* Clients that cannot be accepted keep the listener readable: how long it is left alone then. */
static const struct timeval shortage_rest = {.tv_usec = 100000};

struct control {
    struct generation *generation;
    const struct control_events *events;
    struct evconnlistener *listener;
    struct event *rest;          /* the listener's, after a shortage */
    struct condition shortage;   /* clients cannot be accepted */
    struct condition foreigners; /* users that are not answered connect; the reason is the user */
    struct published_path file;
    TAILQ_HEAD(, client) clients;
    struct client_places places;
    int leaving[DESCRIPTORS_COMMANDS]; /* connections of those that asked, until the very end */
    unsigned leaving_count;
};

static void listen_on(const struct control *control)
{
    if (control->listener && control->places.commands < DESCRIPTORS_COMMANDS)
        evconnlistener_enable(control->listener);
}

static void drop(struct client *client)
{
    struct control *control = client->control;
    if (client->answer)
        client->answer->on_gone(client->answer_arg);
    TAILQ_REMOVE(&control->clients, client, link);
    if (client->is_follower)
        control->places.followers--;
    else
        control->places.commands--;
    listen_on(control);
    bufferevent_free(client->stream);
    free(client);
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
        answer_command(client, line);
        listen_on(client->control); /* it may be a follower now */
    } else if (evbuffer_get_length(input) >= REQUEST_MAX) {
        drop(client);
    }
    free(line);
}

static void on_written(struct bufferevent *stream, void *arg)
{
    (void)stream;
    struct client *client = arg;
    client_has_taken(client);
    if (client->answer && client->answer->on_room)
        client->answer->on_room(client->answer_arg);
}

/* The command has done what it is waited for: it was this process that did not run. libevent tells
 * of the timeout alone then. */
static bool is_in_time(struct client *client)
{
    struct pollfd polled = {.fd = bufferevent_getfd(client->stream),
                            .events = client_backlog(client) > 0 ? POLLOUT : POLLIN};
    return poll(&polled, 1, 0) > 0 && (polled.revents & polled.events);
}

static void on_stream_event(struct bufferevent *stream, short what, void *arg)
{
    if ((what & BEV_EVENT_TIMEOUT) && is_in_time(arg))
        bufferevent_enable(stream, EV_READ | EV_WRITE);
    else
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

/* Takes over fd. NULL: out of memory. */
static struct client *add_client(struct control *control, int fd)
{
    struct client *client = calloc(1, sizeof *client);
    if (client)
        client->stream =
            bufferevent_socket_new(control->generation->base, fd, BEV_OPT_CLOSE_ON_FREE);
    if (!client || !client->stream) {
        free(client);
        close(fd);
        return NULL;
    }
    client->control = control;
    client->places = &control->places;
    client->generation = control->generation;
    client->events = control->events;
    TAILQ_INSERT_TAIL(&control->clients, client, link);
    if (++control->places.commands == DESCRIPTORS_COMMANDS && control->listener)
        evconnlistener_disable(control->listener); /* the next one waits until one has gone */
    bufferevent_setcb(client->stream, on_readable, on_written, on_stream_event, client);
    bufferevent_setwatermark(client->stream, EV_READ, 0, REQUEST_MAX);
    client_wait_shortly(client);
    bufferevent_enable(client->stream, EV_READ | EV_WRITE);
    return client;
}

void control_answer(struct control *control, int fd, const char *line)
{
    struct client *client = NULL;
    if (control->places.commands < DESCRIPTORS_COMMANDS)
        client = add_client(control, fd);
    else
        close(fd);
    if (!client)
        return;
    client->asked = true;
    answer_command(client, line);
}

static void on_accept(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
                      int length, void *arg)
{
    (void)listener;
    (void)address;
    (void)length;
    struct control *control = arg;
    if (condition_over(&control->shortage, clock_ms()))
        log_notice("control socket: clients are answered again");
    if (is_trusted(control, fd))
        (void)add_client(control, fd);
    else
        close(fd);
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
    /* Jansson opens /dev/urandom without close-on-exec for its first object. There is no thread yet
     * that starts programs, which would have that descriptor. */
    json_object_seed(0);
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
        if (!client->asked || client->is_follower)
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
            client_send(client, json_pack("{s:o}", "progress", text_json(line, length)));
}

void control_step(struct control *control, const char *text)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link)
        if (client->follows)
            client_send(client, json_pack("{s:s}", "step", text));
}

void control_draining(struct control *control, uint64_t sessions)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link)
        if (client->follows && client->reported != sessions && client_backlog(client) == 0) {
            client->reported = sessions;
            client_send(client, json_pack("{s:s, s:I}", "step", "draining", "sessions",
                                          (json_int_t)sessions));
        }
}

void control_reload_over(struct control *control, enum exit_status status, const char *text)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link) {
        if (client->awaits_reload)
            client_send_result(client, status, text);
        else if (client->awaits_abort)
            client_send_result(client, status == EXIT_DONE ? EXIT_OTHER : EXIT_DONE, text);
        else
            continue;
        client->awaits_drain = client->awaits_reload && status == EXIT_DONE;
        client->awaits_reload = client->awaits_abort = false;
        if (!client->awaits_drain)
            client_wait_shortly(client);
    }
}

void control_rolled_back(struct control *control, const char *text)
{
    struct client *client;
    TAILQ_FOREACH (client, &control->clients, link)
        if (client->awaits_drain) {
            client->awaits_drain = false;
            client_wait_shortly(client);
            client_send(client, json_pack("{s:o, s:i}", "rolled_back",
                                          text_json(text, strlen(text)), "exit", (int)EXIT_FAILED));
        }
}

/* The loop has ended: what is still to be said is written here, as far as it goes at once. */
static void say_goodbye(struct client *client, const struct control_end *end)
{
    if (client->answer && client->answer->on_end)
        client->answer->on_end(client->answer_arg);
    if (client->asked)
        client_send(client, json_pack("{s:b, s:I, s:I, s:I}", "ended", 1, "sessions",
                                      (json_int_t)end->sessions, "cut", (json_int_t)end->cut,
                                      "others_cut", (json_int_t)end->others_cut));
    int fd = bufferevent_getfd(client->stream);
    struct evbuffer *output = bufferevent_get_output(client->stream);
    evbuffer_unfreeze(output, 1);
    (void)evbuffer_write(output, fd);
    if (client->asked && !client->is_follower && bufferevent_setfd(client->stream, -1) == 0)
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
