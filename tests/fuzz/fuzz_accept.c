/* The header Accept of a client of the HTTP server. */
#include "reload/http/accept.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    char *header = malloc(size + 1); /* of its very size, so that no byte behind it is read */
    if (!header)
        return 0;
    memcpy(header, data, size);
    header[size] = '\0';
    bool wants = accept_wants_openmetrics(header);
    if (wants && !strcasestr(header, "application/openmetrics-text"))
        abort();
    free(header);
    return 0;
}
