#include "config/names/answer.h"

const char *answer_text(enum answer_status status)
{
    static const char *const texts[] = {
        [ANSWER_OK] = "the name has been resolved",
        [ANSWER_NO_NAME] = "the name does not exist (NXDOMAIN)",
        [ANSWER_NO_DATA] = "the name has no address",
        [ANSWER_FAILED] = "the name servers cannot be reached, fail or refuse (SERVFAIL, REFUSED)",
        [ANSWER_TIMEOUT] = "no answer from a name server within resolve-timeout",
        [ANSWER_NO_MEMORY] = "out of memory",
        [ANSWER_BUSY] = "too many names are being resolved",
    };
    return texts[status];
}
