#include "tests/unit/support/talk.h"

#include "proxy/backend/check/kinds.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

void talk_begin(struct talk *talk, const struct check_conf *conf, size_t piece)
{
    const struct dialogue_kind *kind = dialogue_kind(conf->kind);
    ck_assert_ptr_nonnull(kind);
    *talk = (struct talk){.dialogue = {.kind = kind, .conf = conf, .agent_percent = -1},
                          .input = evbuffer_new(),
                          .output = evbuffer_new(),
                          .piece = piece};
    if (kind->state_size)
        talk->dialogue.state = calloc(1, kind->state_size);
    if (kind->begin)
        ck_assert_int_eq(kind->begin(&talk->dialogue, "192.0.2.1:80", talk->output),
                         DIALOGUE_GOES_ON);
}

static enum dialogue_verdict hear(struct talk *talk, bool ended)
{
    return talk->dialogue.kind->hear(&talk->dialogue, talk->input, ended, talk->output);
}

enum dialogue_verdict talk_hear(struct talk *talk, const void *bytes, size_t length)
{
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    const char *at = bytes, *end = at + length;
    while (at < end && verdict == DIALOGUE_GOES_ON) {
        size_t left = (size_t)(end - at), size = left < talk->piece ? left : talk->piece;
        evbuffer_add(talk->input, at, size);
        verdict = hear(talk, false);
        at += size;
    }
    return verdict;
}

enum dialogue_verdict talk_end_of_stream(struct talk *talk)
{
    return hear(talk, true);
}

unsigned char *talk_take(struct talk *talk, size_t *length)
{
    *length = evbuffer_get_length(talk->output);
    unsigned char *bytes = calloc(1, *length + 1);
    evbuffer_remove(talk->output, bytes, *length);
    return bytes;
}

void talk_said(struct talk *talk, const void *bytes, size_t length)
{
    size_t said_length;
    unsigned char *said = talk_take(talk, &said_length);
    ck_assert_uint_eq(said_length, length);
    ck_assert_mem_eq(said, bytes, length);
    free(said);
}

void talk_close(struct talk *talk)
{
    if (talk->dialogue.kind->end)
        talk->dialogue.kind->end(&talk->dialogue);
    free(talk->dialogue.state);
    evbuffer_free(talk->input);
    evbuffer_free(talk->output);
}
