/* What a process of another version says of its servers in a reload: a message with several, or
 * with one. */
#include "reload/handover/server_states.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void must_end(const char *text, size_t size)
{
    if (!memchr(text, '\0', size))
        abort();
}

static void look(const struct message_server *record)
{
    must_end(record->backend, sizeof record->backend);
    must_end(record->name, sizeof record->name);
    must_end(record->line, sizeof record->line);
    must_end(record->state.reason, sizeof record->state.reason);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    struct server_states states = {0};
    struct message_server record;
    unsigned char packed[sizeof record + 16];
    unsigned char *copy = malloc(length ? length : 1);
    memcpy(copy, bytes, length);
    size_t used;
    for (size_t at = 0; at < length; at += used) {
        used = server_states_unpack(copy + at, length - at, &record);
        if (used == 0)
            break;
        if (used > length - at)
            abort();
        look(&record);
        struct message_server again;
        size_t size = server_states_pack(&record, packed, sizeof packed);
        if (size == 0 || server_states_unpack(packed, size, &again) != size)
            abort();
        look(&again);
        if (server_states_add(&states, &record))
            break;
    }
    server_states_sort(&states);
    server_states_free(&states);
    server_states_read(copy, length, &record);
    look(&record);
    free(copy);
    return 0;
}
