/* One command that is connected to the control socket, and how its answer is written. Each object
 * is one line of JSON; control.h lists them. All calls on the main thread. */
#ifndef RPPROXY_RELOAD_CONTROL_CLIENT_H
#define RPPROXY_RELOAD_CONTROL_CLIENT_H

#include "reload/base/requester.h"
#include "reload/control/control_events.h"

#include <event2/bufferevent.h>
#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

struct control;
struct generation;

/* An answer that is made piece by piece, over many turns of the loop. */
struct client_stream {
    /* All that was sent so far has gone to the kernel: there is room for the next piece. May be
     * NULL. */
    void (*on_room)(void *arg);
    /* The process ends: what is still to be said is sent now. on_gone follows. May be NULL. */
    void (*on_end)(void *arg);
    /* The command has hung up, or the process ends: the client is gone after this call. */
    void (*on_gone)(void *arg);
};

/* How many commands are connected. */
struct client_places {
    unsigned commands;  /* that want an answer: at most DESCRIPTORS_COMMANDS */
    unsigned followers; /* that listen for as long as they want: at most DESCRIPTORS_FOLLOWERS */
};

struct client {
    struct control *control;
    struct client_places *places;
    bool is_follower;
    struct generation *generation;
    const struct control_events *events;
    struct bufferevent *stream;
    bool asked;                         /* nothing more is read */
    bool awaits_reload;                 /* its result */
    bool awaits_abort;                  /* that it fails */
    bool awaits_drain;                  /* the result of the reload was sent; its drain goes on */
    bool is_brief;                      /* client_wait_shortly() was the last word */
    bool follows;                       /* what it asked for, step by step, until it hangs up */
    uint64_t reported;                  /* the last number of sessions left; UINT64_MAX: none yet */
    const struct client_stream *answer; /* NULL: the answer was given at once */
    void *answer_arg;
    TAILQ_ENTRY(client) link;
};

/* The command listens from now on, and does not keep others from asking. False: too many do. */
bool client_follow(struct client *client) __attribute__((warn_unused_result));

/* Sends a line, which is an object without an end of line. */
void client_send_line(struct client *client, const char *line, size_t length);

/* Sends an object, and takes over the reference. NULL: nothing is sent. */
void client_send(struct client *client, json_t *object);

/* Sends {"result": text, "exit": status}. */
void client_send_result(struct client *client, enum exit_status status, const char *text);

/* The command has some seconds to ask, and to go when it has its answer; while it takes a long
 * answer, it has as many for each part. Or it has as long as it wants. */
void client_wait_shortly(struct client *client);
void client_wait_for_long(struct client *client);

/* All that was sent to the command has gone to the kernel. */
void client_has_taken(struct client *client);

/* The answer comes over many turns. Both live until on_gone() was called. A command that takes
 * nothing of its answer for some seconds is hung up on, unless it is a follower. */
void client_stream_begin(struct client *client, const struct client_stream *answer, void *arg);

/* The answer is complete: on_gone() is not called any more. */
void client_stream_end(struct client *client);

/* The process that asks. */
struct requester client_requester(const struct client *client);

/* Bytes that the command has not taken yet. */
size_t client_backlog(const struct client *client);

#endif
