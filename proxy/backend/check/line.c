#include "proxy/backend/check/line.h"

#include <string.h>
#include <sys/types.h>

enum line line_take(struct evbuffer *input, char line[static LINE_MAX_SIZE])
{
    ev_ssize_t copied = evbuffer_copyout(input, line, LINE_MAX_SIZE);
    size_t length = copied > 0 ? (size_t)copied : 0;
    char *end = memchr(line, '\n', length);
    if (!end)
        return length < LINE_MAX_SIZE ? LINE_NOT_YET : LINE_TOO_LONG;
    length = (size_t)(end - line);
    evbuffer_drain(input, length + 1);
    if (length > 0 && line[length - 1] == '\r')
        length--;
    line[length] = '\0';
    for (char *nul; (nul = memchr(line, '\0', length));)
        *nul = '?';
    return LINE_TAKEN;
}
