/* What a server says in SCRAM-SHA-256. */
#include "proxy/backend/check/pgsql_auth.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct scram scram;
    char message[SCRAM_MESSAGE_MAX];
    char *heard = strndup((const char *)data, size);
    if (heard && !scram_begin(&scram, "", "abc", message) &&
        !scram_prove(&scram, "secret", heard, message) && strncmp(message, "c=biws,r=abc", 12) != 0)
        abort();
    free(heard);
    return 0;
}
