/* Filters of sessions, a word a line: what a command may send to the control socket. */
#include "proxy/session/session_filter.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct session_filter filter = {0};
    char *text = strndup((const char *)bytes, length), *rest = text, *word;
    while ((word = strsep(&rest, "\n"))) {
        unsigned before = filter.count;
        const char *wrong = session_filter_add(&filter, word);
        if (filter.count != before + !wrong)
            abort();
    }
    session_filter_free(&filter);
    free(text);
    return 0;
}
