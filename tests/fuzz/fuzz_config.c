/* A configuration file. What is accepted is written, and what is written is read again as the same:
 * `rpproxy config`, the history and rollbacks depend on that. No other file is opened. */
#include "config/load.h"
#include "config/write.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static char *canonical(const char *text, size_t length, size_t *written)
{
    struct config_errors errors;
    struct config *config = config_load_text("fuzz.ini", text, length, &errors);
    if (!config && errors.count == 0)
        abort();
    char *result = config ? config_text(config, written) : NULL;
    config_errors_free(&errors);
    config_free(config);
    return result;
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    size_t first_length, second_length;
    if (memmem(bytes, length, "include", 7))
        return 0;
    char *copy = malloc(length ? length : 1); /* of its very size */
    memcpy(copy, bytes, length);
    char *first = canonical(copy, length, &first_length);
    if (first) {
        char *second = canonical(first, first_length, &second_length);
        if (!second || strcmp(first, second) != 0)
            abort();
        free(second);
    }
    free(first);
    free(copy);
    return 0;
}
