/* The range of ports in the address of a bind. */
#ifndef RPPROXY_CONFIG_SYNTAX_BIND_PORTS_H
#define RPPROXY_CONFIG_SYNTAX_BIND_PORTS_H

#include <stddef.h>

/* Ports of a range at most. */
#define BIND_PORTS_MOST 1000

struct bind_ports {
    size_t host;   /* bytes of the text before the ':' of the ports */
    size_t length; /* bytes of the text up to the end of the ports */
    unsigned first, last;
};

/* Reads "HOST:FIRST-LAST" at the beginning of text, up to a blank; the host is not looked at.
 * Returns NULL, or a static text that says what is wrong. An address without a range of ports is
 * not wrong: first and last are 0 then. */
const char *bind_ports_read(const char *text, struct bind_ports *range)
    __attribute__((warn_unused_result));

#endif
