#include "proxy/wire/http_head.h"

#include <string.h>

/* No registered method is longer than half of this. */
#define METHOD_MAX 32

enum step {
    BEGINNING,
    EMPTY_LINE, /* the LF of an empty line before the request line, which RFC 9112 (2.2) allows */
    METHOD,
    TARGET,
    AUTHORITY, /* of a target in absolute form */
    PATH,      /* what is left of a target */
    VERSION,
    REQUEST_CR,
    REQUEST_LF,
    LINE, /* a field begins, or the end of the head */
    FIELD_NAME,
    FIELD_SPACE, /* before the value */
    FIELD_VALUE,
    FIELD_LF,
    HEAD_LF,
};

void http_head_begin(struct http_head *head)
{
    memset(head, 0, sizeof *head);
}

/* RFC 9110, 5.6.2. */
static bool is_token(unsigned char byte)
{
    return (byte >= '0' && byte <= '9') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= 'a' && byte <= 'z') || (byte && strchr("!#$%&'*+-.^_`|~", byte));
}

static char lower(unsigned char byte)
{
    return (char)(byte >= 'A' && byte <= 'Z' ? byte + 'a' - 'A' : byte);
}

static void conclude(struct http_head *head, enum head_verdict verdict)
{
    head->verdict = verdict;
    if (verdict != HEAD_COMPLETE)
        head->host[0] = '\0';
}

static void doubt(struct http_head *head)
{
    conclude(head, head->begun ? HEAD_DOUBTFUL : HEAD_NOT_HTTP);
}

static void go(struct http_head *head, enum step step)
{
    head->step = (unsigned char)step;
    head->at = 0;
}

static void collect(struct http_head *head, unsigned char byte)
{
    if (head->written == sizeof head->text)
        head->is_too_long = true;
    else
        head->text[head->written++] = lower(byte);
}

/* Letters, digits, and what else occurs in names; "%" and the like are of no use in a host. */
static bool is_name(const char *text, size_t length)
{
    for (size_t i = 0; i < length; i++)
        if (!((text[i] >= 'a' && text[i] <= 'z') || (text[i] >= '0' && text[i] <= '9') ||
              (text[i] && strchr("-._~", text[i]))))
            return false;
    return true;
}

static bool is_ipv6(const char *text, size_t length)
{
    if (length < 4 || text[0] != '[' || text[length - 1] != ']')
        return false;
    for (size_t i = 1; i < length - 1; i++)
        if (!text[i] || !strchr("0123456789abcdef:.", text[i]))
            return false;
    return true;
}

/* A host with or without a port; false: it is neither. Empty is a host that names nothing. */
static bool take_host(struct http_head *head)
{
    const char *text = head->text;
    size_t length = head->written;
    size_t digits = 0;
    if (head->is_too_long)
        return false;
    while (digits < length && text[length - 1 - digits] >= '0' && text[length - 1 - digits] <= '9')
        digits++;
    if (digits < length && digits <= 5 && text[length - 1 - digits] == ':')
        length -= digits + 1;
    if (length > HEAD_HOST_MAX)
        return false;
    if (!is_name(text, length) && !is_ipv6(text, length))
        return false;
    if (length > 0 && text[length - 1] == '.')
        length--;
    memcpy(head->host, text, length);
    head->host[length] = '\0';
    return true;
}

/* The value of Host is complete. */
static void end_host(struct http_head *head)
{
    while (head->written > 0 &&
           (head->text[head->written - 1] == ' ' || head->text[head->written - 1] == '\t'))
        head->written--;
    /* The target's host counts, but a Host that is none makes the whole request doubtful. */
    char host[HEAD_HOST_MAX + 1];
    memcpy(host, head->host, sizeof host);
    if (head->has_host || !take_host(head))
        doubt(head);
    else if (head->is_absolute)
        memcpy(head->host, host, sizeof host);
    head->has_host = true;
}

/* The scheme, as far as it has come. */
static void read_target(struct http_head *head, unsigned char byte)
{
    static const char *const schemes[] = {"http://", "https://"};
    if (byte <= ' ' || byte == 127) {
        /* No target at all, or an end of the line: HTTP/0.9, or no HTTP. */
        if (byte == ' ' && head->at > 0)
            go(head, VERSION);
        else
            doubt(head);
        return;
    }
    head->text[head->at++] = lower(byte);
    for (unsigned i = 0; i < 2; i++)
        if (strncmp(head->text, schemes[i], head->at) == 0) {
            if (head->at == strlen(schemes[i])) {
                head->is_absolute = true;
                go(head, AUTHORITY);
            }
            return;
        }
    go(head, PATH);
}

/* A request in absolute form names a host (RFC 9110, 4.2.1). One that does not is doubtful, but
 * that it is HTTP at all is known at the end of the line only. */
static void end_authority(struct http_head *head, enum step next)
{
    head->has_bad_target = !take_host(head) || head->host[0] == '\0';
    go(head, next);
}

static void read_authority(struct http_head *head, unsigned char byte)
{
    if (byte == '/' || byte == '?' || byte == '#')
        end_authority(head, PATH);
    else if (byte == ' ')
        end_authority(head, VERSION);
    else if (byte < ' ' || byte == 127)
        doubt(head);
    else
        collect(head, byte);
}

static void read_version(struct http_head *head, unsigned char byte)
{
    static const char version[] = "HTTP/1.";
    size_t length = sizeof version - 1;
    bool good =
        head->at < length ? byte == (unsigned char)version[head->at] : byte >= '0' && byte <= '9';
    if (!good)
        doubt(head);
    else if (head->at++ == length)
        go(head, REQUEST_CR);
}

static void begin_fields(struct http_head *head)
{
    head->begun = true;
    go(head, LINE);
    if (head->has_bad_target)
        doubt(head);
}

static void read_field_name(struct http_head *head, unsigned char byte)
{
    static const char host[] = "host";
    if (byte == ':') {
        head->collects = head->may_be_host && head->at == sizeof host - 1;
        head->is_too_long = false;
        head->written = 0;
        go(head, FIELD_SPACE);
    } else if (!is_token(byte)) {
        doubt(head);
    } else {
        head->may_be_host =
            head->may_be_host && head->at < sizeof host - 1 && lower(byte) == host[head->at];
        head->at += head->may_be_host;
    }
}

static void read_field_value(struct http_head *head, unsigned char byte)
{
    if (byte == '\r')
        go(head, FIELD_LF);
    else if (byte == '\n' || byte == '\0')
        doubt(head);
    else if (head->collects)
        collect(head, byte);
}

static void read_byte(struct http_head *head, unsigned char byte)
{
    switch ((enum step)head->step) {
    case BEGINNING:
        if (byte == '\r' && !head->had_empty_line) {
            head->had_empty_line = true;
            go(head, EMPTY_LINE);
            break;
        }
        go(head, METHOD);
        /* fall through */
    case METHOD:
        if (byte == ' ' && head->at > 0)
            go(head, TARGET);
        else if (!is_token(byte) || head->at == METHOD_MAX)
            doubt(head);
        else
            head->at++;
        break;
    case EMPTY_LINE:
        if (byte == '\n')
            go(head, BEGINNING);
        else
            doubt(head);
        break;
    case TARGET:
        read_target(head, byte);
        break;
    case AUTHORITY:
        read_authority(head, byte);
        break;
    case PATH:
        if (byte == ' ')
            go(head, VERSION);
        else if (byte < ' ' || byte == 127)
            doubt(head);
        break;
    case VERSION:
        read_version(head, byte);
        break;
    case REQUEST_CR:
        if (byte == '\r')
            go(head, REQUEST_LF);
        else
            doubt(head);
        break;
    case REQUEST_LF:
        if (byte == '\n')
            begin_fields(head);
        else
            doubt(head);
        break;
    case LINE:
        if (byte == '\r') {
            go(head, HEAD_LF);
            break;
        }
        go(head, FIELD_NAME);
        head->may_be_host = true;
        if (byte == ':')
            doubt(head);
        else
            read_field_name(head, byte);
        break;
    case FIELD_NAME:
        read_field_name(head, byte);
        break;
    case FIELD_SPACE:
        if (byte == ' ' || byte == '\t')
            break;
        go(head, FIELD_VALUE);
        /* fall through */
    case FIELD_VALUE:
        read_field_value(head, byte);
        break;
    case FIELD_LF:
        if (byte != '\n') {
            doubt(head);
            break;
        }
        if (head->collects)
            end_host(head);
        go(head, LINE);
        break;
    case HEAD_LF:
        if (byte == '\n')
            conclude(head, HEAD_COMPLETE);
        else
            doubt(head);
        break;
    }
}

enum head_verdict http_head_feed(struct http_head *head, const unsigned char *bytes, size_t length)
{
    for (size_t i = 0; i < length && head->verdict == HEAD_MORE; i++)
        read_byte(head, bytes[i]);
    return head->verdict;
}
