#include "config/syntax/bind_ports.h"

#include <stdbool.h>
#include <string.h>

#define PORT_MOST 65535

/* Returns where the digits end. A number that is too high becomes PORT_MOST + 1. */
static const char *read_number(const char *text, unsigned *number)
{
    for (*number = 0; *text >= '0' && *text <= '9'; text++)
        if (*number <= PORT_MOST)
            *number = *number * 10 + (unsigned)(*text - '0');
    if (*number > PORT_MOST)
        *number = PORT_MOST + 1;
    return text;
}

static bool is_address_without_port(const char *text)
{
    return strncmp(text, "unix:", 5) == 0 || strncmp(text, "fd:", 3) == 0;
}

/* Where the ports begin; NULL: there are none. */
static const char *find_ports(const char *text, size_t length)
{
    for (size_t i = length; i > 0; i--)
        if (text[i - 1] == ':')
            return text + i;
    return NULL;
}

const char *bind_ports_read(const char *text, struct bind_ports *range)
{
    unsigned first, last;
    size_t length = strcspn(text, " \t");
    *range = (struct bind_ports){0};
    const char *ports = is_address_without_port(text) ? NULL : find_ports(text, length);
    if (!ports)
        return NULL;
    const char *dash = read_number(ports, &first);
    if (dash == ports || *dash != '-')
        return NULL;
    const char *end = read_number(dash + 1, &last);
    if (end == dash + 1 || end != text + length)
        return "a range of ports must be FIRST-LAST";
    if (first == 0 || last == 0 || first > PORT_MOST || last > PORT_MOST)
        return "port must be 1 to 65535";
    if (last < first)
        return "the last port of a range must not be lower than the first";
    if (last - first >= BIND_PORTS_MOST)
        return "a range must not have more than 1000 ports";
    *range = (struct bind_ports){
        .host = (size_t)(ports - text) - 1, .length = length, .first = first, .last = last};
    return NULL;
}
