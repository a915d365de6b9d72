/* Text that is collected fast, and goes to a buffer in large pieces. For one thread. */
#ifndef RPPROXY_RELOAD_METRICS_TEXT_OUT_H
#define RPPROXY_RELOAD_METRICS_TEXT_OUT_H

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct text_out {
    struct evbuffer *buffer;
    bool failed; /* out of memory: the rest is left out */
    size_t used;
    char piece[16384];
};

void text_out_begin(struct text_out *out, struct evbuffer *buffer);

/* Gives the buffer the rest. Returns 0 or ENOMEM. */
int text_out_end(struct text_out *out) __attribute__((warn_unused_result));

void text_out(struct text_out *out, const char *text);
void text_out_unsigned(struct text_out *out, uint64_t number);

/* number / 10^digits, without needless zeros; digits: at most 9. */
void text_out_decimal(struct text_out *out, uint64_t number, unsigned digits);

/* The value of a label: backslash, quote and newline are escaped. What is not UTF-8 becomes a
 * question mark, byte by byte. */
void text_out_label_value(struct text_out *out, const char *value);

#endif
