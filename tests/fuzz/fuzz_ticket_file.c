/* A file of ticket keys: no text breaks the reader, and each key that is accepted is found again by
 * its name. */
#include "config/tls/ticket_file.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ticket_file *file = NULL;
    const char *wrong = ticket_file_parse((const char *)data, size, "keys", &file);
    if (!wrong == !file)
        abort();
    for (size_t i = 0; file && i < file->count; i++)
        if (ticket_file_find(file, file->keys[i].name) != &file->keys[i] ||
            (file->keys[i].size != 16 && file->keys[i].size != 32))
            abort();
    if (file && file->current != (file->count > 1 ? file->count - 2 : 0))
        abort();
    ticket_file_free(file);
    return 0;
}
