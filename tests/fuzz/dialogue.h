/* For the fuzz targets of dialogues. */
#ifndef RPPROXY_TESTS_FUZZ_DIALOGUE_H
#define RPPROXY_TESTS_FUZZ_DIALOGUE_H

#include "proxy/backend/check/kinds.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

struct fuzz_result {
    enum dialogue_verdict verdict;
    char reason[DIALOGUE_REASON_MAX];
    enum agent_state agent_state;
    int agent_percent;
    size_t said;
};

static inline struct fuzz_result fuzz_talk(const struct check_conf *conf, const unsigned char *data,
                                           size_t size, size_t piece)
{
    const struct dialogue_kind *kind = dialogue_kind(conf->kind);
    struct dialogue dialogue = {.kind = kind,
                                .conf = conf,
                                .agent_percent = -1,
                                .state = kind->state_size ? calloc(1, kind->state_size) : NULL};
    struct evbuffer *input = evbuffer_new(), *output = evbuffer_new();
    struct fuzz_result result = {.verdict = DIALOGUE_GOES_ON};
    if (kind->begin)
        result.verdict = kind->begin(&dialogue, "192.0.2.1:80", output);
    for (size_t at = 0; at < size && result.verdict == DIALOGUE_GOES_ON; at += piece) {
        evbuffer_add(input, data + at, size - at < piece ? size - at : piece);
        result.verdict = kind->hear(&dialogue, input, false, output);
    }
    if (result.verdict == DIALOGUE_GOES_ON)
        result.verdict = kind->hear(&dialogue, input, true, output);
    if (result.verdict == DIALOGUE_GOES_ON ||
        (result.verdict == DIALOGUE_PASSED) != (dialogue.reason[0] == '\0'))
        abort();
    memcpy(result.reason, dialogue.reason, sizeof result.reason);
    result.agent_state = dialogue.agent_state;
    result.agent_percent = dialogue.agent_percent;
    result.said = evbuffer_get_length(output);
    if (kind->end)
        kind->end(&dialogue);
    free(dialogue.state);
    evbuffer_free(input);
    evbuffer_free(output);
    return result;
}

/* What a server says: all at once, and in pieces. The last byte of data is the size of the pieces;
 * the result must not depend on it. The server closes at the end, so that there is a verdict. */
static inline void fuzz_dialogue(const struct check_conf *conf, const unsigned char *data,
                                 size_t size)
{
    size_t piece = 1 + data[size - 1] % 31;
    struct fuzz_result whole = fuzz_talk(conf, data, size, size);
    struct fuzz_result pieces = fuzz_talk(conf, data, size, piece);
    if (whole.verdict != pieces.verdict || strcmp(whole.reason, pieces.reason) != 0 ||
        whole.agent_state != pieces.agent_state || whole.agent_percent != pieces.agent_percent ||
        whole.said != pieces.said)
        abort();
}

/* The byte before it chooses what the file says. */
static inline unsigned fuzz_choice(const unsigned char *data, size_t size)
{
    return size > 1 ? data[size - 2] : 0;
}

#endif
