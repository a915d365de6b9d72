#include "reload/handover/frontend_states.h"

#include "config/base/happening.h"
#include "config/base/log.h"
#include "reload/handover/channel.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

void frontend_states_send(struct channel *peer, const struct frontend *frontend)
{
    union {
        struct message_frontend message;
        unsigned char bytes[MESSAGE_PAYLOAD_MAX];
    } payload;
    size_t length = strlen(frontend->conf->name);
    size_t size = offsetof(struct message_frontend, name) + length;
    if (size > sizeof payload) /* a line of the file is not that long */
        return;
    payload.message.paused_at = atomic_load(&frontend->paused_at);
    memcpy(payload.bytes + offsetof(struct message_frontend, name), frontend->conf->name, length);
    channel_send(peer, MESSAGE_FRONTEND, &payload, size, NULL, 0);
}

/* NULL: out of memory, or the message is too short. */
static char *name_of(const struct received *message)
{
    const size_t head = offsetof(struct message_frontend, name);
    if (message->length < head)
        return NULL;
    return strndup((const char *)message->payload + head, message->length - head);
}

static uint64_t paused_at_of(const struct received *message)
{
    return ((const struct message_frontend *)message->payload)->paused_at;
}

int frontend_states_add(struct frontend_states *states, const struct received *message)
{
    struct known_frontend *list = realloc(states->list, (states->count + 1) * sizeof *list);
    if (!list)
        return ENOMEM;
    states->list = list;
    char *name = name_of(message);
    if (!name)
        return ENOMEM;
    list[states->count++] =
        (struct known_frontend){.name = name, .paused_at = paused_at_of(message)};
    return 0;
}

/* Returns false if there is none of that name. */
static bool find(const struct proxy *proxy, const char *name, size_t *index)
{
    const struct config *config = proxy->service.config;
    for (*index = 0; *index < config->frontend_count; ++*index)
        if (strcmp(config->frontends[*index].name, name) == 0)
            return true;
    return false;
}

void frontend_states_apply(const struct frontend_states *states, struct proxy *proxy)
{
    size_t index;
    for (size_t i = 0; i < states->count; i++) {
        const struct known_frontend *known = &states->list[i];
        if (!known->paused_at || !find(proxy, known->name, &index))
            continue;
        proxy_begin_paused(proxy, index, known->paused_at);
        log_notice("frontend %s is paused, as it was in the old process", known->name);
    }
}

/* Another process has said so to those that follow the events. */
void frontend_states_hear(const struct received *message, struct proxy *proxy)
{
    size_t index;
    char *name = name_of(message);
    happening_elsewhere(true);
    if (name && find(proxy, name, &index))
        proxy_pause(proxy, index, paused_at_of(message));
    happening_elsewhere(false);
    free(name);
}

void frontend_states_free(struct frontend_states *states)
{
    for (size_t i = 0; i < states->count; i++)
        free(states->list[i].name);
    free(states->list);
    *states = (struct frontend_states){0};
}
