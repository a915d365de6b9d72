/* Lines of what a server says, for dialogues whose protocol has lines. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_LINE_H
#define RPPROXY_PROXY_BACKEND_CHECK_LINE_H

#include <event2/buffer.h>
#include <stddef.h>

/* Characters of a line at most, and the NUL. SMTP allows 512 for a reply (RFC 5321, 4.5.3.1.5);
 * error lines of Redis may be longer. */
#define LINE_MAX_SIZE 1024

enum line { LINE_NOT_YET, LINE_TAKEN, LINE_TOO_LONG };

/* Drains one line that ends with "\n" or "\r\n" from input, and writes it to line, without its end
 * and with a NUL behind; NUL bytes in it become '?'. LINE_NOT_YET: no whole line is there.
 * LINE_TOO_LONG: none will be; nothing was drained. */
enum line line_take(struct evbuffer *input, char line[static LINE_MAX_SIZE]);

#endif
