/* The text by which a process names a bind to another one, and what is said about two of them.
 * Lines are texts. */
#include "config/base/listen_address.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

static void look_at_two(const struct listen_address *one, const struct listen_address *other)
{
    bool covers = listen_address_covers(one, other), covered = listen_address_covers(other, one);
    bool overlaps = listen_address_overlaps(one, other);
    if ((covers && covered) || ((covers || covered) && !overlaps) ||
        overlaps != listen_address_overlaps(other, one))
        abort();
}

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct listen_address at, again, before;
    bool is_first = true;
    char *text = malloc(size + 1), *rest = text, *line;
    memcpy(text, data, size);
    text[size] = '\0';
    while ((line = strsep(&rest, "\n"))) {
        char written[ADDRESS_TEXT_MAX], twice[ADDRESS_TEXT_MAX];
        if (listen_address_parse(line, &at))
            continue;
        listen_address_format(&at, written);
        if (listen_address_parse(written, &again) ||
            strcmp(written, listen_address_format(&again, twice)) != 0)
            abort();
        look_at_two(&at, is_first ? &again : &before);
        before = at;
        is_first = false;
    }
    free(text);
    return 0;
}
