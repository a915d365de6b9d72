#include "proxy/backend/check/steps.h"

#include "config/base/pattern.h"

#include <string.h>

/* Bytes that the searches of a regular expression for one step look at, beside those at the end of
 * the stream and at a full input. A server that speaks byte by byte does not make a search of each.
 */
#define SEARCHES_MAX (16u * DIALOGUE_INPUT_MAX)

struct steps {
    size_t next;     /* step */
    size_t searched; /* bytes of the input that do not contain the begin of what is expected */
    size_t searches; /* bytes that were looked at */
};

static bool is_full(struct evbuffer *input)
{
    return evbuffer_get_length(input) >= DIALOGUE_INPUT_MAX;
}

/* Drains the input up to the end of what was expected. */
static bool find_text(struct steps *steps, const struct check_step *step, struct evbuffer *input)
{
    size_t length = evbuffer_get_length(input);
    size_t from = steps->searched;
    if (length - from < step->length)
        return false;
    const unsigned char *bytes = evbuffer_pullup(input, -1);
    const unsigned char *found =
        bytes ? memmem(bytes + from, length - from, step->text, step->length) : NULL;
    steps->searched = length - step->length + 1;
    if (!found)
        return false;
    evbuffer_drain(input, (size_t)(found - bytes) + step->length);
    return true;
}

static bool find_pattern(struct steps *steps, const struct check_step *step, struct evbuffer *input,
                         bool ended)
{
    size_t length = evbuffer_get_length(input), end;
    if (steps->searches > SEARCHES_MAX && !ended && !is_full(input))
        return false;
    steps->searches += length + 1;
    const unsigned char *bytes = evbuffer_pullup(input, -1);
    if (!pattern_find(step->pattern, bytes ? bytes : (const unsigned char *)"", length, &end))
        return false;
    evbuffer_drain(input, end);
    return true;
}

static enum dialogue_verdict lacks(struct dialogue *dialogue, const struct check_step *step,
                                   struct evbuffer *input)
{
    char bytes[DIALOGUE_QUOTE_MAX - 1], said[DIALOGUE_QUOTE_MAX];
    ev_ssize_t size = evbuffer_copyout(input, bytes, sizeof bytes);
    return dialogue_fail(dialogue, "step %zu: the server did not say '%.50s', but '%s'",
                         ((struct steps *)dialogue->state)->next + 1, (const char *)step->text,
                         dialogue_quote(bytes, size > 0 ? (size_t)size : 0, said));
}

/* Does what can be done without hearing more. */
static enum dialogue_verdict go_on(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                   struct evbuffer *output)
{
    struct steps *steps = dialogue->state;
    for (; steps->next < dialogue->conf->step_count; steps->next++) {
        const struct check_step *step = &dialogue->conf->steps[steps->next];
        if (step->kind == CHECK_SEND) {
            if (evbuffer_add(output, step->text, step->length))
                return dialogue_fail(dialogue, "out of memory");
            continue;
        }
        bool found =
            input && (step->kind == CHECK_EXPECT ? find_text(steps, step, input)
                                                 : find_pattern(steps, step, input, ended));
        if (!found)
            return input && (ended || is_full(input)) ? lacks(dialogue, step, input)
                                                      : DIALOGUE_GOES_ON;
        steps->searched = steps->searches = 0;
    }
    dialogue->awaits_close = evbuffer_get_length(output) > 0; /* the last words are to arrive */
    return DIALOGUE_PASSED;
}

static enum dialogue_verdict begin(struct dialogue *dialogue, const char *host,
                                   struct evbuffer *output)
{
    (void)host;
    return go_on(dialogue, NULL, false, output);
}

static enum dialogue_verdict hear(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output)
{
    return go_on(dialogue, input, ended, output);
}

const struct dialogue_kind steps_dialogue = {
    .name = "steps", .state_size = sizeof(struct steps), .begin = begin, .hear = hear};
