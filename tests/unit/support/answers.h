/* Leads a dialogue of a check without a socket. */
#ifndef RPPROXY_TESTS_UNIT_SUPPORT_ANSWERS_H
#define RPPROXY_TESTS_UNIT_SUPPORT_ANSWERS_H

#include "proxy/backend/check/dialogue.h"

#define TALK_SENT_MAX 4096

struct talk {
    enum dialogue_verdict verdict; /* DIALOGUE_GOES_ON: it still waits at the end */
    char reason[DIALOGUE_REASON_MAX];
    bool awaits_close;
    char sent[TALK_SENT_MAX]; /* all output, with a NUL; what is longer is cut */
    size_t heard;             /* bytes of what the server said until the verdict */
};

/* The server says so many bytes in pieces of that size (the last may be smaller), and then ends its
 * stream, or does not. Fails the test if the dialogue leaves more than DIALOGUE_INPUT_MAX. */
struct talk talk(const struct check_conf *conf, const void *said, size_t length, size_t piece,
                 bool ends);

#endif
