/* A file of the history, which anything may have written. */
#include "reload/base/history.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct history_entry entry;
    char *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    const char *wrong = history_parse(copy, length, &entry);
    if (!wrong && entry.generation == 0)
        abort();
    if (wrong && entry.text)
        abort();
    history_entry_free(&entry);
    free(copy);
    return 0;
}
