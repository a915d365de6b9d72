#include "proxy/backend/check/http.h"

#include "config/base/pattern.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Status line and headers; interim answers count as well. */
#define HEAD_MAX (64u * 1024)
/* Of a body so much is looked at. */
#define BODY_MAX (64u * 1024)
/* Bytes that the searches of a regular expression in one body look at, beside the last search. */
#define SEARCHES_MAX (16u * BODY_MAX)

enum phase {
    STATUS_LINE,
    HEADERS,
    BODY,       /* `left` bytes of it, or up to the end of the stream */
    CHUNK_SIZE, /* the line with it */
    CHUNK,      /* `left` bytes of it */
    CHUNK_END,  /* an empty line */
    TRAILERS,
};

struct http {
    enum phase phase;
    unsigned status;
    size_t head; /* bytes of it so far */
    bool chunked, sized;
    uint64_t left; /* bytes of the body, if sized; of the chunk */
    unsigned char *body;
    size_t length, searched; /* of the body; so much was looked at, with a text */
    size_t searches;         /* bytes that were looked at, with a regular expression */
};

/* --- the request --------------------------------------------------------------------------- */

static bool is_header(const char *line, const char *name)
{
    size_t length = strlen(name);
    return strncasecmp(line, name, length) == 0 && line[length] == ':';
}

static bool is_given(const struct check_conf *conf, const char *name)
{
    for (size_t i = 0; i < conf->header_count; i++)
        if (is_header(conf->headers[i], name))
            return true;
    return false;
}

static bool may_have_content(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "PATCH") == 0;
}

static const char *method_of(const struct check_conf *conf)
{
    return conf->method ? conf->method : "GET";
}

static enum dialogue_verdict begin(struct dialogue *dialogue, const char *host,
                                   struct evbuffer *output)
{
    const struct check_conf *conf = dialogue->conf;
    const char *method = method_of(conf);
    bool good = evbuffer_add_printf(output, "%s %s HTTP/1.1\r\n", method,
                                    conf->path ? conf->path : "/") >= 0;
    if (conf->host)
        host = conf->host;
    else if (strncmp(host, "unix:", 5) == 0)
        host = "localhost";
    if (!is_given(conf, "Host"))
        good = good && evbuffer_add_printf(output, "Host: %s\r\n", host) >= 0;
    if (!is_given(conf, "User-Agent"))
        good = good && evbuffer_add_printf(output, "User-Agent: rpproxy\r\n") >= 0;
    if (!is_given(conf, "Connection"))
        good = good && evbuffer_add_printf(output, "Connection: close\r\n") >= 0;
    if (may_have_content(method) && !is_given(conf, "Content-Length"))
        good = good && evbuffer_add_printf(output, "Content-Length: 0\r\n") >= 0;
    for (size_t i = 0; i < conf->header_count; i++)
        good = good && evbuffer_add_printf(output, "%s\r\n", conf->headers[i]) >= 0;
    if (!good || evbuffer_add_printf(output, "\r\n") < 0)
        return dialogue_fail(dialogue, "out of memory");
    return DIALOGUE_GOES_ON;
}

/* --- the body ------------------------------------------------------------------------------ */

static bool contains(struct http *http, const char *text)
{
    size_t wanted = strlen(text);
    size_t from = http->searched >= wanted ? http->searched - wanted + 1 : 0;
    http->searched = http->length;
    return http->length - from >= wanted &&
           (wanted == 0 || memmem(http->body + from, http->length - from, text, wanted));
}

/* A server that sends a body byte by byte does not make a search of each. */
static bool matches(struct http *http, const struct pattern *pattern, bool whole)
{
    size_t end;
    if (!whole && http->searches > SEARCHES_MAX)
        return false;
    http->searches += http->length + 1;
    return pattern_find(pattern, http->length ? http->body : (const unsigned char *)"",
                        http->length, &end);
}

/* whole: no more of it is looked at. */
static enum dialogue_verdict judge_body(struct dialogue *dialogue, bool whole)
{
    struct http *http = dialogue->state;
    const struct check_conf *conf = dialogue->conf;
    bool found =
        conf->body_pattern ? matches(http, conf->body_pattern, whole) : contains(http, conf->body);
    if (found)
        return DIALOGUE_PASSED;
    if (!whole)
        return DIALOGUE_GOES_ON;
    char said[DIALOGUE_QUOTE_MAX];
    return dialogue_fail(dialogue, "status %u, but the body%s lacks '%.40s': '%s'", http->status,
                         http->length >= BODY_MAX ? "'s first 64 KiB" : "", conf->body,
                         dialogue_quote(http->body, http->length, said));
}

/* Takes up to `most` bytes of the input into the body. Returns how many; 0, with *verdict changed:
 * out of memory. */
static size_t take_body(struct dialogue *dialogue, struct evbuffer *input, uint64_t most,
                        enum dialogue_verdict *verdict)
{
    struct http *http = dialogue->state;
    size_t size = evbuffer_get_length(input);
    if (size > most)
        size = (size_t)most;
    size_t kept = size < BODY_MAX - http->length ? size : BODY_MAX - http->length;
    if (kept > 0) {
        unsigned char *body = realloc(http->body, http->length + kept);
        if (!body) {
            *verdict = dialogue_fail(dialogue, "out of memory");
            return 0;
        }
        http->body = body;
        evbuffer_copyout(input, http->body + http->length, kept);
        http->length += kept;
    }
    evbuffer_drain(input, size);
    return size;
}

/* --- the head ------------------------------------------------------------------------------ */

/* "HTTP/1.1 200 OK". 0: it is none. */
static unsigned read_status(const char *line)
{
    if (strncmp(line, "HTTP/1.", 7) != 0 || !isdigit((unsigned char)line[7]) || line[8] != ' ')
        return 0;
    for (unsigned i = 9; i < 12; i++)
        if (!isdigit((unsigned char)line[i]))
            return 0;
    if (line[12] != '\0' && line[12] != ' ')
        return 0;
    return (unsigned)strtoul(line + 9, NULL, 10);
}

static enum dialogue_verdict hear_status(struct dialogue *dialogue, const char *line)
{
    struct http *http = dialogue->state;
    http->status = read_status(line);
    if (http->status < 100)
        return dialogue_fail(dialogue, "answered '%.80s', which is not HTTP/1", line);
    http->phase = HEADERS;
    return DIALOGUE_GOES_ON;
}

static const char *value_of(const char *line)
{
    const char *value = strchr(line, ':') + 1;
    return value + strspn(value, " \t");
}

static enum dialogue_verdict hear_length(struct dialogue *dialogue, const char *value)
{
    struct http *http = dialogue->state;
    size_t digits = strspn(value, "0123456789");
    uint64_t length = strtoull(value, NULL, 10);
    if (digits == 0 || digits > 18 || value[digits + strspn(value + digits, " \t")] != '\0' ||
        (http->sized && http->left != length))
        return dialogue_fail(dialogue, "answered with Content-Length '%.40s'", value);
    http->sized = true;
    http->left = length;
    return DIALOGUE_GOES_ON;
}

/* The end of the head, and no body is to come or to be looked at, or it is. */
static enum dialogue_verdict end_head(struct dialogue *dialogue)
{
    struct http *http = dialogue->state;
    const struct check_conf *conf = dialogue->conf;
    if (http->status < 200 && http->status != 101) { /* an interim answer: another one follows */
        http->phase = STATUS_LINE;
        http->chunked = http->sized = false;
        return DIALOGUE_GOES_ON;
    }
    dialogue->lets_finish = true;
    if (!check_status_has(&conf->status, http->status))
        return dialogue_fail(dialogue, "answered with status %u", http->status);
    if (!conf->body)
        return DIALOGUE_PASSED;
    bool bodiless = strcmp(method_of(conf), "HEAD") == 0 || http->status == 101 ||
                    http->status == 204 || http->status == 304 ||
                    (http->sized && !http->chunked && http->left == 0);
    http->phase = http->chunked ? CHUNK_SIZE : BODY;
    return judge_body(dialogue, bodiless);
}

static enum dialogue_verdict hear_header(struct dialogue *dialogue, const char *line)
{
    struct http *http = dialogue->state;
    if (*line == '\0')
        return end_head(dialogue);
    if (!dialogue->conf->body)
        return DIALOGUE_GOES_ON;
    if (is_header(line, "Transfer-Encoding"))
        http->chunked = strcasestr(value_of(line), "chunked");
    if (is_header(line, "Content-Length"))
        return hear_length(dialogue, value_of(line));
    return DIALOGUE_GOES_ON;
}

/* --- chunks -------------------------------------------------------------------------------- */

static enum dialogue_verdict hear_chunk_size(struct dialogue *dialogue, const char *line)
{
    struct http *http = dialogue->state;
    size_t digits = strspn(line, "0123456789abcdefABCDEF");
    if (digits == 0 || digits > 15 || !strchr("; \t", line[digits]))
        return dialogue_fail(dialogue, "answered with a chunk of size '%.40s'", line);
    http->left = strtoull(line, NULL, 16);
    http->phase = http->left ? CHUNK : TRAILERS;
    return DIALOGUE_GOES_ON;
}

static enum dialogue_verdict hear_line(struct dialogue *dialogue, const char *line)
{
    struct http *http = dialogue->state;
    switch (http->phase) {
    case STATUS_LINE:
        return hear_status(dialogue, line);
    case HEADERS:
        return hear_header(dialogue, line);
    case CHUNK_SIZE:
        return hear_chunk_size(dialogue, line);
    case CHUNK_END:
        http->phase = CHUNK_SIZE;
        return *line ? dialogue_fail(dialogue, "answered with a chunk that has no end")
                     : DIALOGUE_GOES_ON;
    case TRAILERS:
        return *line ? DIALOGUE_GOES_ON : judge_body(dialogue, true);
    case BODY:
    case CHUNK:
        break;
    }
    return DIALOGUE_GOES_ON;
}

/* --- all of it ----------------------------------------------------------------------------- */

/* The first bytes tell already that this is no answer of HTTP. */
static bool is_other_protocol(struct evbuffer *input)
{
    static const char version[] = "HTTP/1.";
    char begin[sizeof version - 1];
    ev_ssize_t size = evbuffer_copyout(input, begin, sizeof begin);
    return size > 0 && memcmp(begin, version, (size_t)size) != 0;
}

static enum dialogue_verdict say_other_protocol(struct dialogue *dialogue, struct evbuffer *input)
{
    char bytes[DIALOGUE_QUOTE_MAX - 1], begin[DIALOGUE_QUOTE_MAX];
    ev_ssize_t size = evbuffer_copyout(input, bytes, sizeof bytes);
    dialogue_quote(bytes, size > 0 ? (size_t)size : 0, begin);
    begin[strcspn(begin, "\r\n")] = '\0';
    return dialogue_fail(dialogue, "answered '%s', which is not HTTP/1", begin);
}

static enum dialogue_verdict read_line(struct dialogue *dialogue, struct evbuffer *input,
                                       bool *progress)
{
    struct http *http = dialogue->state;
    size_t length, before = evbuffer_get_length(input);
    if (http->phase == STATUS_LINE && is_other_protocol(input))
        return say_other_protocol(dialogue, input);
    char *line = evbuffer_readln(input, &length, EVBUFFER_EOL_CRLF);
    *progress = line;
    http->head += before - evbuffer_get_length(input);
    if (http->head + (line ? 0 : before) > HEAD_MAX) {
        free(line);
        return dialogue_fail(dialogue, "answered with more than 64 KiB of headers");
    }
    enum dialogue_verdict verdict = line ? hear_line(dialogue, line) : DIALOGUE_GOES_ON;
    free(line);
    return verdict;
}

static enum dialogue_verdict read_body(struct dialogue *dialogue, struct evbuffer *input,
                                       bool *progress)
{
    struct http *http = dialogue->state;
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    bool counted = http->phase == CHUNK || http->sized;
    size_t taken = take_body(dialogue, input, counted ? http->left : UINT64_MAX, &verdict);
    *progress = taken > 0;
    if (taken == 0)
        return verdict;
    http->left -= counted ? taken : 0;
    bool whole = http->length >= BODY_MAX || (http->phase == BODY && counted && http->left == 0);
    if (http->phase == CHUNK && http->left == 0)
        http->phase = CHUNK_END;
    return judge_body(dialogue, whole);
}

static enum dialogue_verdict end_stream(struct dialogue *dialogue)
{
    struct http *http = dialogue->state;
    if (http->phase == BODY && !http->sized)
        return judge_body(dialogue, true);
    return dialogue_fail(dialogue, http->status ? "ended the connection within its answer"
                                                : "ended the connection without an answer");
}

static enum dialogue_verdict hear(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output)
{
    struct http *http = dialogue->state;
    enum dialogue_verdict verdict = DIALOGUE_GOES_ON;
    bool progress = true;
    (void)output;
    while (verdict == DIALOGUE_GOES_ON && progress)
        verdict = http->phase == BODY || http->phase == CHUNK
                      ? read_body(dialogue, input, &progress)
                      : read_line(dialogue, input, &progress);
    return verdict == DIALOGUE_GOES_ON && ended ? end_stream(dialogue) : verdict;
}

static void end(struct dialogue *dialogue)
{
    free(((struct http *)dialogue->state)->body);
}

const struct dialogue_kind http_dialogue = {
    .name = "http", .state_size = sizeof(struct http), .begin = begin, .hear = hear, .end = end};
