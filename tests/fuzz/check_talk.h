/* For the targets of dialogues: a server says these bytes, in pieces, and ends its stream. */
#ifndef RPPROXY_TESTS_FUZZ_CHECK_TALK_H
#define RPPROXY_TESTS_FUZZ_CHECK_TALK_H

#include "proxy/backend/check/kinds.h"

#include <stdlib.h>
#include <string.h>

static inline enum dialogue_verdict check_talk(const struct check_conf *conf,
                                               const unsigned char *data, size_t size, size_t piece)
{
    struct evbuffer *input = evbuffer_new(), *output = evbuffer_new();
    const struct dialogue_kind *kind = dialogue_kind(conf->kind);
    struct dialogue dialogue = {.kind = kind, .conf = conf, .state = calloc(1, kind->state_size)};
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    if (kind->begin)
        verdict = kind->begin(&dialogue, "192.0.2.1:80", output);
    size_t heard = 0;
    for (bool ended = false; verdict == DIALOGUE_GOES_ON && !ended;) {
        size_t length = size - heard < piece ? size - heard : piece;
        ended = length == 0;
        evbuffer_add(input, data + heard, length);
        heard += length;
        verdict = kind->hear(&dialogue, input, ended, output);
    }
    for (const char *at = dialogue.reason; *at; at++)
        if (*at < ' ' || *at > '~')
            abort();
    if (verdict == DIALOGUE_FAILED && dialogue.reason[0] == '\0')
        abort();
    if (kind->end)
        kind->end(&dialogue);
    free(dialogue.state);
    evbuffer_free(input);
    evbuffer_free(output);
    return verdict;
}

#endif
