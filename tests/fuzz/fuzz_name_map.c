/* Lines up to the first empty one are entries, and the others names that are looked up. */
#include "config/lists/name_map.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size);

int LLVMFuzzerTestOneInput(const unsigned char *data, size_t size)
{
    struct name_map *map = name_map_make();
    char *text = malloc(size + 1), *rest = text, *line;
    memcpy(text, data, size);
    text[size] = '\0';
    uint32_t count = 0;
    while ((line = strsep(&rest, "\n")) && *line)
        if (!name_map_add(map, line, count))
            count++;
    while ((line = strsep(&rest, "\n"))) {
        uint32_t value = name_map_find(map, line);
        if (value != NAME_NO_VALUE && value >= count)
            abort();
    }
    for (uint32_t i = 0; i < count; i++) {
        char entry[NAME_MAP_TEXT_MAX + 2];
        uint32_t value;
        name_map_entry(map, i, entry, &value);
        if (value != i || name_map_add(map, entry, i) != name_is_twice)
            abort();
        if (entry[0] != '*' && name_map_find(map, entry) != i)
            abort();
    }
    free(text);
    name_map_free(map);
    return 0;
}
