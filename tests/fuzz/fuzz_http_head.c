/* The last byte says in which pieces all come; the result must not depend on it. */
#include "proxy/wire/http_head.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct http_head whole, pieces;
    if (size == 0)
        return 0;
    size_t piece = 1 + data[size - 1] % 31;
    http_head_begin(&whole);
    http_head_feed(&whole, data, size);
    http_head_begin(&pieces);
    for (size_t at = 0; at < size; at += piece)
        http_head_feed(&pieces, data + at, size - at < piece ? size - at : piece);
    if (pieces.verdict != whole.verdict || pieces.begun != whole.begun)
        abort();
    if (whole.verdict != HEAD_MORE && strcmp(pieces.host, whole.host) != 0)
        abort();
    if (whole.verdict == HEAD_DOUBTFUL && (whole.host[0] || !whole.begun))
        abort();
    return 0;
}
