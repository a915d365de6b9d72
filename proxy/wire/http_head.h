/* Looks at the head of an HTTP/1 request, in pieces as they come from the wire, for the host that
 * the client asks for. Nothing is changed, and nothing but the host is understood: no HTTP
 * proxying.
 *
 * A backend must be chosen by the host that the server behind it will see. Servers differ in what
 * they make of a head that is not quite in order, so such a head has no host here (HEAD_DOUBTFUL):
 * two Host fields, a field that is continued on the next line, a line that ends without CR, a space
 * before a colon, a NUL. The host of a request in absolute form ("GET http://HOST/ HTTP/1.1") is
 * that of the target. RFC 9112 (2.2, 3.2, 5.1, 5.2).
 *
 * The parser keeps its place, so each byte is looked at once, and it allocates nothing. */
#ifndef RPPROXY_PROXY_WIRE_HTTP_HEAD_H
#define RPPROXY_PROXY_WIRE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>

#define HEAD_HOST_MAX 255

enum head_verdict {
    HEAD_MORE,     /* what has come may be the beginning of an HTTP/1 request */
    HEAD_COMPLETE, /* host is what the client asks for */
    HEAD_NOT_HTTP, /* something else; HTTP/2 without TLS as well */
    HEAD_DOUBTFUL, /* a request that servers may understand in different ways; host is empty */
};

struct http_head {
    enum head_verdict verdict;
    bool begun; /* the request line is that of HTTP/1: this is HTTP, and stays so */
    /* Valid when the verdict is HEAD_COMPLETE: in lower case, without port, without a dot at its
     * end; an IPv6 address in brackets. "": the request names no host. */
    char host[HEAD_HOST_MAX + 1];

    /* The parser's own. */
    unsigned char step;
    unsigned char at;       /* in the word that is being read, up to a bound */
    unsigned short written; /* bytes in text */
    bool had_empty_line;
    bool is_absolute, has_bad_target; /* the target names a host; one that is none */
    bool may_be_host;                 /* the name of the field, so far */
    bool collects, is_too_long;       /* the value of the field, in text */
    bool has_host;                    /* there was a field Host */
    char text[HEAD_HOST_MAX + 16];    /* a host, its port, spaces */
};

void http_head_begin(struct http_head *head);

/* Takes the next bytes. Once the verdict is another than HEAD_MORE, further bytes change nothing.
 */
enum head_verdict http_head_feed(struct http_head *head, const unsigned char *bytes, size_t length);

#endif
