#include "proxy/backend/check/smtp.h"

#include "proxy/backend/check/line.h"

#include <string.h>

/* Lines of a reply at most: a server could send them for ever. */
#define LINES_MAX 100

enum stage { STAGE_GREETING, STAGE_EHLO, STAGE_HELO };

struct smtp {
    enum stage stage;
    unsigned lines; /* of the reply so far */
};

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

/* "250 text", "250-text" (more lines follow), and "250" alone. */
static bool is_reply_line(const char *line)
{
    return is_digit(line[0]) && is_digit(line[1]) && is_digit(line[2]) &&
           (line[3] == '\0' || line[3] == ' ' || line[3] == '-');
}

static bool has_code(const char *line, const char *code)
{
    return strncmp(line, code, 3) == 0;
}

static enum dialogue_verdict say_hello(struct dialogue *dialogue, const char *verb,
                                       enum stage stage, struct evbuffer *output)
{
    struct smtp *smtp = dialogue->state;
    const char *name = dialogue->conf->host ? dialogue->conf->host : "localhost";
    smtp->stage = stage;
    if (evbuffer_add_printf(output, "%s %s\r\n", verb, name) < 0)
        return dialogue_fail(dialogue, "out of memory");
    return DIALOGUE_GOES_ON;
}

/* Ends the dialogue as the protocol wants it; without memory for QUIT, by the end of the stream. */
static void say_quit(struct dialogue *dialogue, struct evbuffer *output)
{
    (void)evbuffer_add_printf(output, "QUIT\r\n");
    dialogue->awaits_close = true;
}

/* line: the last of a reply. */
static enum dialogue_verdict hear_reply(struct dialogue *dialogue, const char *line,
                                        struct evbuffer *output)
{
    const struct smtp *smtp = dialogue->state;
    bool greeting = smtp->stage == STAGE_GREETING;
    if (greeting && has_code(line, "220"))
        return say_hello(dialogue, "EHLO", STAGE_EHLO, output);
    /* RFC 5321, 3.2: 500 (not recognized), 502 (not implemented). */
    if (smtp->stage == STAGE_EHLO && (has_code(line, "500") || has_code(line, "502")))
        return say_hello(dialogue, "HELO", STAGE_HELO, output);
    say_quit(dialogue, output);
    if (!greeting && has_code(line, "250"))
        return DIALOGUE_PASSED;
    return dialogue_fail(dialogue, greeting ? "greets with \"%s\"" : "answers EHLO with \"%s\"",
                         line);
}

static enum dialogue_verdict hear_line(struct dialogue *dialogue, const char *line,
                                       struct evbuffer *output)
{
    struct smtp *smtp = dialogue->state;
    if (!is_reply_line(line))
        return dialogue_fail(dialogue, "does not speak SMTP: \"%s\"", line);
    if (line[3] == '-') {
        if (++smtp->lines < LINES_MAX)
            return DIALOGUE_GOES_ON;
        return dialogue_fail(dialogue, "gives a reply of more than %d lines", LINES_MAX);
    }
    smtp->lines = 0;
    return hear_reply(dialogue, line, output);
}

static enum dialogue_verdict hear(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output)
{
    char line[LINE_MAX_SIZE];
    enum line taken;
    while ((taken = line_take(input, line)) == LINE_TAKEN) {
        enum dialogue_verdict verdict = hear_line(dialogue, line, output);
        if (verdict != DIALOGUE_GOES_ON)
            return verdict;
    }
    if (taken == LINE_TOO_LONG)
        return dialogue_fail(dialogue, "does not speak SMTP");
    if (ended)
        return dialogue_fail(dialogue, "closed the connection before it had answered");
    return DIALOGUE_GOES_ON;
}

const struct dialogue_kind smtp_dialogue = {
    .name = "smtp", .state_size = sizeof(struct smtp), .hear = hear};
