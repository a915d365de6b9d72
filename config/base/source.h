/* From which address servers are connected to. */
#ifndef RPPROXY_CONFIG_BASE_SOURCE_H
#define RPPROXY_CONFIG_BASE_SOURCE_H

#include "config/base/address.h"

enum source_kind {
    SOURCE_ANY,     /* the kernel chooses */
    SOURCE_ADDRESS, /* one of the range, in turn */
    SOURCE_CLIENT,  /* that of the client, though it is no address of this machine (IP_TRANSPARENT)
                     */
};

/* Addresses of a range at most. */
#define SOURCE_RANGE_MAX 65536u

struct source_choice {
    enum source_kind kind;
    struct address first; /* SOURCE_ADDRESS: of the range; without a port */
    unsigned count;       /* SOURCE_ADDRESS: 1 to SOURCE_RANGE_MAX */
};

/* The longest text of source_write(), its NUL included. */
#define SOURCE_TEXT_MAX 96

/* Reads "ADDRESS", "ADDRESS-ADDRESS" or "client". Returns NULL, or what is wrong (static text). */
const char *source_parse(const char *text, struct source_choice *source)
    __attribute__((warn_unused_result));

/* Writes such a text; "" for SOURCE_ANY. Returns text. */
const char *source_format(const struct source_choice *source, char text[static SOURCE_TEXT_MAX]);

/* An address of the range: of any `count` turns that follow each other each address is one. */
struct address source_in_turn(const struct source_choice *source, unsigned turn);

/* Whether a connection may come from this address of a client: it is that of one host. */
bool source_is_of_a_host(const struct address *client);

#endif
