/* The last byte says in which pieces all come; the result must not depend on it. */
#include "proxy/wire/client_hello.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void check(const struct client_hello *hello)
{
    size_t at = 0;
    while (at < hello->alpn_length)
        at += 1u + hello->alpn[at];
    if (strlen(hello->name) > HELLO_NAME_MAX ||
        (hello->verdict != HELLO_MORE && at != hello->alpn_length) ||
        (hello->verdict == HELLO_COMPLETE && !hello->begun))
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct client_hello whole, pieces;
    if (size == 0)
        return 0;
    size_t piece = 1 + data[size - 1] % 31;
    client_hello_begin(&whole);
    client_hello_feed(&whole, data, size);
    check(&whole);
    client_hello_begin(&pieces);
    for (size_t at = 0; at < size; at += piece)
        client_hello_feed(&pieces, data + at, size - at < piece ? size - at : piece);
    if (pieces.verdict != whole.verdict || pieces.begun != whole.begun)
        abort();
    if (whole.verdict == HELLO_COMPLETE &&
        (strcmp(pieces.name, whole.name) != 0 || pieces.alpn_length != whole.alpn_length ||
         memcmp(pieces.alpn, whole.alpn, whole.alpn_length) != 0))
        abort();
    return 0;
}
