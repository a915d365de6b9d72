/* Leads a dialogue of a check with a server that a test plays. Each assertion about what is said is
 * one of check's. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_TALK_H
#define RPPROXY_TESTS_UNIT_SUPPORT_TALK_H

#include "proxy/backend/check/dialogue.h"

struct talk {
    struct dialogue dialogue;
    struct evbuffer *input, *output;
    size_t piece; /* bytes that the dialogue hears at once */
};

/* Begins the dialogue of conf->kind, which must want the server to say something. */
void talk_begin(struct talk *talk, const struct check_conf *conf, size_t piece);

/* The server says these bytes; further ones are not given once there is a verdict. */
enum dialogue_verdict talk_hear(struct talk *talk, const void *bytes, size_t length);

/* A text without its NUL. */
#define talk_hear_text(talk, text) talk_hear(talk, text, sizeof(text) - 1)

/* The server closes. */
enum dialogue_verdict talk_end_of_stream(struct talk *talk);

/* Asserts that this is all that the check has said since the last call. */
void talk_said(struct talk *talk, const void *bytes, size_t length);
#define talk_said_text(talk, text) talk_said(talk, text, sizeof(text) - 1)

/* Takes what the check has said since the last call: a text with a NUL behind it, to be freed. */
unsigned char *talk_take(struct talk *talk, size_t *length);

void talk_close(struct talk *talk);

#endif
