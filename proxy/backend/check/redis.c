#include "proxy/backend/check/redis.h"

#include "proxy/backend/check/line.h"

#include <string.h>

/* What the next line is to be. */
enum awaited { AWAIT_AUTH, AWAIT_PONG, AWAIT_ROLE, AWAIT_ROLE_LENGTH, AWAIT_ROLE_NAME };

struct redis {
    enum awaited awaited;
};

static bool add_command(struct evbuffer *output, size_t count, const char *const words[])
{
    bool added = evbuffer_add_printf(output, "*%zu\r\n", count) >= 0;
    for (size_t i = 0; i < count && added; i++)
        added = evbuffer_add_printf(output, "$%zu\r\n%s\r\n", strlen(words[i]), words[i]) >= 0;
    return added;
}

static bool add_auth(struct evbuffer *output, const struct check_conf *conf)
{
    /* Before version 6 there are no users, and AUTH takes a password only. */
    if (conf->user)
        return add_command(output, 3, (const char *[]){"AUTH", conf->user, conf->password});
    return add_command(output, 2, (const char *[]){"AUTH", conf->password});
}

static enum dialogue_verdict begin(struct dialogue *dialogue, const char *host,
                                   struct evbuffer *output)
{
    (void)host;
    const struct check_conf *conf = dialogue->conf;
    struct redis *redis = dialogue->state;
    redis->awaited = conf->password ? AWAIT_AUTH : AWAIT_PONG;
    if ((conf->password && !add_auth(output, conf)) ||
        !add_command(output, 1, (const char *[]){"PING"}) ||
        (conf->role != CHECK_ROLE_ANY && !add_command(output, 1, (const char *[]){"ROLE"})))
        return dialogue_fail(dialogue, "out of memory");
    return DIALOGUE_GOES_ON;
}

static enum dialogue_verdict judge_role(struct dialogue *dialogue, const char *role)
{
    bool wants_replica = dialogue->conf->role == CHECK_ROLE_REPLICA;
    if (strcmp(role, wants_replica ? "slave" : "master") == 0)
        return DIALOGUE_PASSED;
    if (strcmp(role, "slave") == 0)
        return dialogue_fail(dialogue, "is a replica");
    if (strcmp(role, "master") == 0)
        return dialogue_fail(dialogue, "is the master");
    return dialogue_fail(dialogue, "answers ROLE with \"%s\"", role);
}

static enum dialogue_verdict fail_at(struct dialogue *dialogue, const char *command,
                                     const char *line)
{
    if (line[0] == '-')
        return dialogue_fail(dialogue, "answers %s with the error \"%s\"", command, line + 1);
    return dialogue_fail(dialogue, "answers %s with \"%s\"", command, line);
}

static enum dialogue_verdict hear_line(struct dialogue *dialogue, const char *line)
{
    struct redis *redis = dialogue->state;
    switch (redis->awaited) {
    case AWAIT_AUTH:
        if (strcmp(line, "+OK") != 0)
            return fail_at(dialogue, "AUTH", line);
        break;
    case AWAIT_PONG:
        if (strcmp(line, "+PONG") != 0)
            return fail_at(dialogue, "PING", line);
        if (dialogue->conf->role == CHECK_ROLE_ANY)
            return DIALOGUE_PASSED;
        break;
    case AWAIT_ROLE: /* an array, whose first element is a string */
        if (line[0] != '*')
            return fail_at(dialogue, "ROLE", line);
        break;
    case AWAIT_ROLE_LENGTH:
        if (line[0] != '$')
            return fail_at(dialogue, "ROLE", line);
        break;
    case AWAIT_ROLE_NAME:
        return judge_role(dialogue, line);
    }
    redis->awaited++;
    return DIALOGUE_GOES_ON;
}

static enum dialogue_verdict hear(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output)
{
    (void)output;
    char line[LINE_MAX_SIZE];
    enum line taken;
    while ((taken = line_take(input, line)) == LINE_TAKEN) {
        enum dialogue_verdict verdict = hear_line(dialogue, line);
        if (verdict != DIALOGUE_GOES_ON)
            return verdict;
    }
    if (taken == LINE_TOO_LONG)
        return dialogue_fail(dialogue, "does not speak the protocol of Redis");
    if (ended)
        return dialogue_fail(dialogue, "closed the connection before it had answered");
    return DIALOGUE_GOES_ON;
}

const struct dialogue_kind redis_dialogue = {
    .name = "redis", .state_size = sizeof(struct redis), .begin = begin, .hear = hear};
