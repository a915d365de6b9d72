#include "proxy/backend/check/agent.h"

#include "proxy/backend/check/line.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define SEPARATORS " \t,\r"

struct advice {
    const char *word;
    bool fails;
    enum agent_state state;
};

static const struct advice advices[] = {
    {"up", false, AGENT_SAYS_NOTHING},  {"ready", false, AGENT_READY},
    {"drain", false, AGENT_DRAIN},      {"maint", false, AGENT_MAINT},
    {"down", true, AGENT_SAYS_NOTHING}, {"stopped", true, AGENT_SAYS_NOTHING},
    {"fail", true, AGENT_SAYS_NOTHING}, {"failed", true, AGENT_SAYS_NOTHING},
};

static const struct advice *find(const char *word)
{
    for (size_t i = 0; i < sizeof advices / sizeof advices[0]; i++)
        if (strcasecmp(word, advices[i].word) == 0)
            return &advices[i];
    return NULL;
}

/* "75%"; -1: something else. */
static int percent_of(const char *word)
{
    size_t digits = strspn(word, "0123456789");
    if (digits == 0 || digits > 6 || strcmp(word + digits, "%") != 0)
        return -1;
    int percent = atoi(word);
    return percent < AGENT_PERCENT_MAX ? percent : AGENT_PERCENT_MAX;
}

static bool is_maxconn(const char *word)
{
    static const char name[] = "maxconn:";
    const char *number = word + sizeof name - 1;
    return strncasecmp(word, name, sizeof name - 1) == 0 && *number &&
           number[strspn(number, "0123456789")] == '\0';
}

static enum dialogue_verdict judge(struct dialogue *dialogue, char *line)
{
    const struct advice *failure = NULL;
    char *text = strchr(line, '#');
    char *rest = NULL;
    bool advised = false;
    if (text)
        *text++ = '\0';
    for (char *word = strtok_r(line, SEPARATORS, &rest); word;
         word = strtok_r(NULL, SEPARATORS, &rest)) {
        const struct advice *advice = find(word);
        int percent = percent_of(word);
        if (advice) {
            failure = advice->fails ? advice : NULL;
            if (advice->state != AGENT_SAYS_NOTHING)
                dialogue->agent_state = advice->state;
        } else if (percent >= 0) {
            dialogue->agent_percent = percent;
        } else if (!is_maxconn(word)) {
            return dialogue_fail(dialogue,
                                 "the agent says \"%s\", which is no word of the "
                                 "protocol",
                                 word);
        }
        advised = true;
    }
    if (!advised)
        return dialogue_fail(dialogue, "the agent says nothing");
    if (failure && text)
        return dialogue_fail(dialogue, "the agent says \"%s\": %s", failure->word, text);
    if (failure)
        return dialogue_fail(dialogue, "the agent says \"%s\"", failure->word);
    return DIALOGUE_PASSED;
}

static enum dialogue_verdict hear(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output)
{
    (void)output;
    char line[LINE_MAX_SIZE];
    /* The end of the stream ends the line as well. */
    if (ended && evbuffer_add(input, "\n", 1))
        return dialogue_fail(dialogue, "out of memory");
    switch (line_take(input, line)) {
    case LINE_NOT_YET:
        return DIALOGUE_GOES_ON;
    case LINE_TAKEN:
        return judge(dialogue, line);
    case LINE_TOO_LONG:
        break;
    }
    return dialogue_fail(dialogue, "the agent says more than a line of %d bytes", LINE_MAX_SIZE);
}

const struct dialogue_kind agent_dialogue = {.name = "agent", .hear = hear};
