#include "reload/control/client.h"

#include "reload/base/text.h"
#include "reload/listeners/descriptors.h"

#include <event2/buffer.h>
#include <stdlib.h>
#include <string.h>

#define CLIENT_WAIT_S 10 /* to ask; to take more of the answer; to go */

bool client_follow(struct client *client)
{
    if (client->places->followers == DESCRIPTORS_FOLLOWERS)
        return false;
    client->is_follower = true;
    client->places->followers++;
    client->places->commands--;
    return true;
}

/* The time that a command needs for a long answer depends on its length and on the machine: what
 * counts is that it takes some of it. */
static void limit_wait(struct client *client)
{
    const struct timeval wait = {.tv_sec = CLIENT_WAIT_S};
    bool takes = client_backlog(client) > 0;
    bufferevent_set_timeouts(client->stream, takes ? NULL : &wait, takes ? &wait : NULL);
}

void client_send_line(struct client *client, const char *line, size_t length)
{
    bufferevent_write(client->stream, line, length);
    bufferevent_write(client->stream, "\n", 1);
    if (client->is_brief)
        limit_wait(client);
}

void client_has_taken(struct client *client)
{
    if (client->is_brief)
        limit_wait(client);
}

void client_send(struct client *client, json_t *object)
{
    char *line = object ? json_dumps(object, JSON_COMPACT | JSON_REAL_PRECISION(12)) : NULL;
    if (line)
        client_send_line(client, line, strlen(line));
    free(line);
    json_decref(object);
}

void client_send_result(struct client *client, enum exit_status status, const char *text)
{
    client_send(client, json_pack("{s:o, s:i}", "result", text_json(text, strlen(text)), "exit",
                                  (int)status));
}

void client_wait_shortly(struct client *client)
{
    client->follows = false;
    client->is_brief = true;
    limit_wait(client);
}

void client_wait_for_long(struct client *client)
{
    client->follows = true;
    client->is_brief = false;
    client->reported = UINT64_MAX;
    bufferevent_set_timeouts(client->stream, NULL, NULL);
}

void client_stream_begin(struct client *client, const struct client_stream *answer, void *arg)
{
    client->answer = answer;
    client->answer_arg = arg;
    client->is_brief = false;
    const struct timeval wait = {.tv_sec = CLIENT_WAIT_S};
    bufferevent_set_timeouts(client->stream, NULL, client->is_follower ? NULL : &wait);
}

void client_stream_end(struct client *client)
{
    client->answer = NULL;
    client_wait_shortly(client);
}

struct requester client_requester(const struct client *client)
{
    return requester_of_socket(bufferevent_getfd(client->stream));
}

size_t client_backlog(const struct client *client)
{
    return evbuffer_get_length(bufferevent_get_output(client->stream));
}
