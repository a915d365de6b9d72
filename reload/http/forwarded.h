/* What of a request and of an answer goes from process to process where a request is forwarded
 * (forward.h). The answer is another process's, perhaps of another version. */
#ifndef RPPROXY_RELOAD_HTTP_FORWARDED_H
#define RPPROXY_RELOAD_HTTP_FORWARDED_H

#include <event2/buffer.h>
#include <event2/http.h>
#include <stdbool.h>

/* False: a header that says something about one connection, or about the form of the body there. */
bool forwarded_is_passed(const char *header);

/* Takes the head off an answer of which the end of the connection has come, so that the body is
 * left, and adds the headers that are passed. False: it is no answer, or not the whole of one, and
 * there are no headers. */
bool forwarded_read(struct evbuffer *answer, struct evkeyvalq *headers, int *status)
    __attribute__((warn_unused_result));

#endif
