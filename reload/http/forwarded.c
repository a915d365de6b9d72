#include "reload/http/forwarded.h"

#include "config/syntax/value.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#define LENGTH_UNKNOWN UINT64_MAX

bool forwarded_is_passed(const char *header)
{
    static const char *const own[] = {"Connection", "Keep-Alive", "Content-Length", "Date",
                                      "Transfer-Encoding"};
    for (size_t i = 0; i < sizeof own / sizeof *own; i++)
        if (strcasecmp(header, own[i]) == 0)
            return false;
    return true;
}

/* Returns a line without its end, or NULL: there is none, or it has other bytes than a line may. */
static char *read_line(struct evbuffer *answer)
{
    size_t length;
    char *line = evbuffer_readln(answer, &length, EVBUFFER_EOL_CRLF);
    if (!line || strcspn(line, "\r") == length)
        return line;
    free(line);
    return NULL;
}

static bool read_status(struct evbuffer *answer, int *status)
{
    char *line = read_line(answer);
    bool good = line && sscanf(line, "HTTP/1.%*d %3d", status) == 1 && *status >= 200;
    free(line);
    return good;
}

/* The line is changed. */
static bool read_header(char *line, struct evkeyvalq *headers, uint64_t *length)
{
    char *colon = strstr(line, ": ");
    if (!colon)
        return false;
    *colon = '\0';
    const char *value = colon + 2;
    if (strcasecmp(line, "Content-Length") == 0)
        return !value_unsigned(value, length) && *length != LENGTH_UNKNOWN;
    return !forwarded_is_passed(line) || evhttp_add_header(headers, line, value) == 0;
}

bool forwarded_read(struct evbuffer *answer, struct evkeyvalq *headers, int *status)
{
    uint64_t length = LENGTH_UNKNOWN;
    bool good = read_status(answer, status), ends = false;
    char *line;
    while (good && !ends && (line = read_line(answer))) {
        ends = *line == '\0';
        good = ends || read_header(line, headers, &length);
        free(line);
    }
    if (length != LENGTH_UNKNOWN && length != evbuffer_get_length(answer))
        good = false;
    if (!good || !ends)
        evhttp_clear_headers(headers);
    return good && ends;
}
