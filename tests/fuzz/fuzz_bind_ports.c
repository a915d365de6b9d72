/* The address of a bind, with a range of ports or without. */
#include "config/syntax/bind_ports.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct bind_ports range = {.first = 1};
    char *text = malloc(size + 1);
    memcpy(text, data, size);
    text[size] = '\0';
    const char *wrong = bind_ports_read(text, &range);
    if (wrong && range.last != 0)
        abort();
    if (!wrong && range.last != 0) {
        if (range.first < 1 || range.last > 65535 || range.last < range.first ||
            range.last - range.first >= BIND_PORTS_MOST)
            abort();
        if (range.length > strlen(text) || range.host >= range.length || text[range.host] != ':' ||
            (text[range.length] && !strchr(" \t", text[range.length])))
            abort();
        /* What stands there is what was read. */
        char *end;
        if (strtoul(text + range.host + 1, &end, 10) != range.first || *end != '-' ||
            strtoul(end + 1, &end, 10) != range.last || end != text + range.length)
            abort();
    }
    free(text);
    return 0;
}
