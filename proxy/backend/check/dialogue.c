#include "proxy/backend/check/dialogue.h"

#include "proxy/backend/check/agent.h"
#include "proxy/backend/check/redis.h"
#include "proxy/backend/check/smtp.h"

#include <stdarg.h>
#include <stdio.h>

static void make_printable(char *text)
{
    for (; *text; text++)
        if (*text < ' ' || *text > '~')
            *text = '?';
}

enum dialogue_verdict dialogue_fail(struct dialogue *dialogue, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(dialogue->reason, sizeof dialogue->reason, format, arguments);
    va_end(arguments);
    if (length < 0)
        dialogue->reason[0] = '\0';
    make_printable(dialogue->reason);
    return DIALOGUE_FAILED;
}

/* By kind of check. */
static const struct dialogue_kind *const kinds[] = {
    [CHECK_OFF] = NULL,
    [CHECK_TCP] = NULL,
    [CHECK_REDIS] = &redis_dialogue,
    [CHECK_SMTP] = &smtp_dialogue,
    [CHECK_AGENT] = &agent_dialogue,
    [CHECK_EXEC] = NULL,
};

const struct dialogue_kind *dialogue_kind(enum check check)
{
    return (size_t)check < sizeof kinds / sizeof kinds[0] ? kinds[check] : NULL;
}
