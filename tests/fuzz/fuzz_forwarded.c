/* The answer of another process's HTTP server to a request that was forwarded to it. It comes in
 * two parts, as the first byte says. */
#include "reload/http/forwarded.h"

#include <event2/keyvalq_struct.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must(bool so)
{
    if (!so)
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct evkeyvalq headers = TAILQ_HEAD_INITIALIZER(headers);
    const struct evkeyval *header;
    int status = 0;
    if (length < 1)
        return 0;
    struct evbuffer *answer = evbuffer_new(), *rest = evbuffer_new();
    size_t first = bytes[0] % length;
    evbuffer_add(answer, bytes + 1, first);
    evbuffer_add(rest, bytes + 1 + first, length - 1 - first);
    evbuffer_add_buffer(answer, rest);
    bool good = forwarded_read(answer, &headers, &status);
    must(!good || (status >= 200 && status <= 999));
    must(good || TAILQ_EMPTY(&headers));
    must(evbuffer_get_length(answer) < length);
    TAILQ_FOREACH (header, &headers, next) {
        must(forwarded_is_passed(header->key) && !strpbrk(header->key, "\r\n"));
        must(!strpbrk(header->value, "\r\n"));
    }
    evhttp_clear_headers(&headers);
    evbuffer_free(answer);
    evbuffer_free(rest);
    return 0;
}
