#include "tests/unit/support/answers.h"

#include "proxy/backend/check/kinds.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

static void collect(struct talk *talk, struct evbuffer *output)
{
    size_t length = strlen(talk->sent);
    evbuffer_remove(output, talk->sent + length, TALK_SENT_MAX - 1 - length);
}

struct talk talk(const struct check_conf *conf, const void *said, size_t length, size_t piece,
                 bool ends)
{
    struct talk talk = {0};
    struct evbuffer *input = evbuffer_new(), *output = evbuffer_new();
    const struct dialogue_kind *kind = dialogue_kind(conf->kind);
    ck_assert_ptr_nonnull(kind);
    struct dialogue dialogue = {
        .kind = kind, .conf = conf, .agent_percent = -1, .state = calloc(1, kind->state_size + 1)};
    if (kind->begin)
        talk.verdict = kind->begin(&dialogue, "192.0.2.1:80", output);
    collect(&talk, output);
    while (talk.verdict == DIALOGUE_GOES_ON && (talk.heard < length || ends)) {
        size_t size = length - talk.heard < piece ? length - talk.heard : piece;
        bool ended = ends && size == 0;
        evbuffer_add(input, (const char *)said + talk.heard, size);
        talk.heard += size;
        talk.verdict = kind->hear(&dialogue, input, ended, output);
        collect(&talk, output);
        ck_assert_uint_le(evbuffer_get_length(input), DIALOGUE_INPUT_MAX + piece);
        if (ended)
            break;
    }
    memcpy(talk.reason, dialogue.reason, sizeof talk.reason);
    talk.awaits_close = dialogue.awaits_close;
    if (kind->end)
        kind->end(&dialogue);
    free(dialogue.state);
    evbuffer_free(input);
    evbuffer_free(output);
    return talk;
}
