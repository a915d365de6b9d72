#include "reload/control/reopen.h"

#include "config/base/clock.h"
#include "config/base/log.h"
#include "reload/control/client.h"
#include "reload/handover/generation.h"
#include "reload/handover/others.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char order[] = "{\"command\": \"reopen\", \"alone\": true}";

/* Between two looks whether all have gone over to the new file. */
static const struct timeval look_interval = {.tv_usec = 2000};
/* The half of it for a process that another one asks. */
#define WAIT_MS 8000u

/* The longest answer. */
#define ANSWER_MAX_BYTES 65536u

struct asked {
    pid_t pid;
    unsigned generation;
    int fd; /* where the answer comes; -1: nothing more is awaited */
    struct evbuffer *answer;
};

struct reopening {
    struct client *client;
    bool alone;
    struct event *look;
    uint64_t deadline; /* clock_ms() */
    bool own_is_over;  /* this process writes to the new file, or has failed */
    unsigned done;     /* processes */
    char wrong[384];   /* the first thing that failed; "": nothing has */
    size_t count;
    struct asked asked[];
};

static void stop_hearing(struct asked *asked)
{
    if (asked->fd < 0)
        return;
    close(asked->fd);
    evbuffer_free(asked->answer);
    asked->fd = -1;
}

static void free_reopening(struct reopening *reopening)
{
    for (size_t i = 0; i < reopening->count; i++)
        stop_hearing(&reopening->asked[i]);
    if (reopening->look)
        event_free(reopening->look);
    free(reopening);
}

/* --- the other processes --------------------------------------------------------------------- */

static void fails(struct reopening *reopening, unsigned generation, pid_t pid, const char *why)
{
    if (!reopening->wrong[0])
        snprintf(reopening->wrong, sizeof reopening->wrong, "generation %u (pid %d): %s",
                 generation, (int)pid, why);
}

/* True: the line has the result. The one before it says which process answers. */
static bool hear(struct reopening *reopening, const char *line)
{
    const char *result;
    int status;
    json_t *object = json_loads(line, 0, NULL);
    const bool is_result =
        json_unpack(object, "{s:s, s:i}", "result", &result, "exit", &status) == 0;
    if (is_result && status == EXIT_DONE)
        reopening->done++;
    else if (is_result && !reopening->wrong[0])
        snprintf(reopening->wrong, sizeof reopening->wrong, "%s", result);
    json_decref(object);
    return is_result;
}

/* Reads what has come. True: the result was there. */
static bool has_answered(struct reopening *reopening, const struct asked *asked)
{
    bool is_result = false;
    char *line;
    while (evbuffer_get_length(asked->answer) < ANSWER_MAX_BYTES &&
           evbuffer_read(asked->answer, asked->fd, ANSWER_MAX_BYTES) > 0)
        ;
    while (!is_result && (line = evbuffer_readln(asked->answer, NULL, EVBUFFER_EOL_LF))) {
        is_result = hear(reopening, line);
        free(line);
    }
    return is_result;
}

static bool is_there(const struct reopening *reopening, pid_t pid)
{
    struct other_process others[OTHERS_MAX];
    const size_t count = others_list(reopening->client->generation, others);
    for (size_t i = 0; i < count; i++)
        if (others[i].pid == pid)
            return true;
    return false;
}

/* A process that has exited meanwhile writes to no file: it does not fail. */
static bool is_over(struct reopening *reopening, struct asked *asked, bool late)
{
    const bool answered = has_answered(reopening, asked);
    const bool silent = !answered && is_there(reopening, asked->pid);
    if (silent && !late)
        return false;
    if (silent)
        fails(reopening, asked->generation, asked->pid, "no answer");
    stop_hearing(asked);
    return true;
}

static void ask(struct reopening *reopening, const struct other_process *other)
{
    struct asked *asked = &reopening->asked[reopening->count++];
    *asked = (struct asked){other->pid, other->generation, -1, evbuffer_new()};
    const int fd = asked->answer ? others_ask(other, order) : -ENOMEM;
    if (fd >= 0) {
        asked->fd = fd;
        return;
    }
    fails(reopening, asked->generation, asked->pid, strerror(-fd));
    if (asked->answer)
        evbuffer_free(asked->answer);
}

/* --- the command ----------------------------------------------------------------------------- */

static void answer(const struct reopening *reopening)
{
    struct client *client = reopening->client;
    char text[512];
    const int length = snprintf(text, sizeof text, "log reopened: by %u process%s", reopening->done,
                                reopening->done == 1 ? "" : "es");
    if (!reopening->wrong[0])
        client_send_result(client, EXIT_DONE, text);
    else if (reopening->alone)
        client_send_result(client, EXIT_OTHER, reopening->wrong);
    else {
        snprintf(text + length, sizeof text - (size_t)length, ", but not by %s", reopening->wrong);
        client_send_result(client, EXIT_OTHER, text);
    }
}

static void end(struct reopening *reopening)
{
    struct client *client = reopening->client;
    answer(reopening);
    client_stream_end(client);
    free_reopening(reopening);
}

static void open_own(struct reopening *reopening)
{
    const int error = log_reopen();
    reopening->own_is_over = error != 0;
    if (error)
        fails(reopening, reopening->client->generation->number, getpid(), strerror(error));
}

static bool own_is_over(struct reopening *reopening, bool late)
{
    if (log_has_reopened())
        reopening->done++;
    else if (late)
        fails(reopening, reopening->client->generation->number, getpid(),
              "the writer of the log hangs");
    else
        return false;
    return true;
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct reopening *reopening = arg;
    const bool late = clock_ms() >= reopening->deadline;
    size_t waits = 0;
    if (!reopening->own_is_over)
        reopening->own_is_over = own_is_over(reopening, late);
    for (size_t i = 0; i < reopening->count; i++) {
        struct asked *asked = &reopening->asked[i];
        waits += asked->fd >= 0 && !is_over(reopening, asked, late);
    }
    if (waits == 0 && reopening->own_is_over)
        end(reopening);
    else
        event_add(reopening->look, &look_interval);
}

static void on_gone(void *arg)
{
    free_reopening(arg);
}

static const struct client_stream stream_events = {.on_gone = on_gone};

static struct reopening *reopening_new(struct client *client, bool alone, size_t others)
{
    struct reopening *reopening = calloc(1, sizeof *reopening + others * sizeof *reopening->asked);
    if (!reopening)
        return NULL;
    reopening->client = client;
    reopening->alone = alone;
    reopening->deadline = clock_ms() + (alone ? WAIT_MS / 2 : WAIT_MS);
    reopening->look = event_new(client->generation->base, -1, 0, on_look, reopening);
    if (reopening->look)
        return reopening;
    free(reopening);
    return NULL;
}

void reopen_answer(struct client *client, const json_t *request)
{
    struct other_process others[OTHERS_MAX];
    const bool alone = json_is_true(json_object_get(request, "alone"));
    const size_t count = others_list(client->generation, others);
    struct reopening *reopening = reopening_new(client, alone, count);
    if (!reopening) {
        client_send_result(client, EXIT_OTHER, "out of memory");
        return;
    }
    client_stream_begin(client, &stream_events, reopening);
    for (size_t i = 0; i < count; i++)
        if (!alone || others[i].kind == OTHER_DRAINING)
            ask(reopening, &others[i]);
    open_own(reopening);
    event_active(reopening->look, EV_TIMEOUT, 0);
}
