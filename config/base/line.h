/* One line of text that is made piece by piece, in memory of a fixed size. What does not fit is
 * left out, and what comes after it as well: a line that is cut ends with "...". */
#ifndef RPPROXY_CONFIG_BASE_LINE_H
#define RPPROXY_CONFIG_BASE_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct line {
    char *bytes;
    size_t length, size;
};

/* Adds bytes as they are. False, and the line is as before: there is no room. */
bool line_put(struct line *line, const char *bytes, size_t length);
bool line_print(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Adds text such that the line stays one line: control bytes, with which a client could forge lines
 * or control a terminal, become \n, \r, \t or \xNN. The line does not grow beyond `most` bytes;
 * text that is cut, or of which the caller says that it is, ends with "...", between two
 * characters. */
void line_put_text(struct line *line, const char *text, bool cut, size_t most);

/* As line_put_text(), but '"' and '\' become \xNN as well, so that a value can stand between
 * quotation marks. */
void line_put_quotable(struct line *line, const char *text, size_t most);

/* Adds text as a string of JSON, with its quotation marks; bytes that are no UTF-8 become U+FFFD.
 * `most` and `cut` are as above. False, and the line is as before: there is no room for anything.
 */
bool line_put_json(struct line *line, const char *text, bool cut, size_t most);

/* Microseconds as milliseconds, with three digits behind the point. */
bool line_put_milliseconds(struct line *line, uint64_t microseconds);

#endif
