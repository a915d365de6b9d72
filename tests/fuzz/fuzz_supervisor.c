/* What a supervisor hears of its generations, and the state that an older program passes to it. */
#include "reload/base/supervisor_line.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

static void read_line(const char *line)
{
    const struct supervisor_line read = supervisor_line_read(line);
    const bool has_number =
        read.kind >= SUPERVISOR_LINE_MAIN && read.kind <= SUPERVISOR_LINE_RESUMES;
    if (read.number < 0 || (has_number && read.number == 0))
        abort();
    if (!read.pattern != (read.kind != SUPERVISOR_LINE_FILE))
        abort();
    if (read.pattern && (read.pattern <= line || !*read.pattern))
        abort();
}

/* What was read is written, and read again as the same. */
static void read_state(const char *text)
{
    struct supervisor_state state, again;
    char *written = NULL;
    size_t size;
    const char *rest = supervisor_state_read(text, &state);
    if (!rest)
        return;
    if (rest < text || rest > text + strlen(text) || state.count > SUPERVISOR_MEMBERS_MAX)
        abort();
    FILE *out = open_memstream(&written, &size);
    supervisor_state_write(&state, out);
    fclose(out);
    rest = supervisor_state_read(written, &again);
    if (!rest || *rest || again.main != state.main || again.stopping != state.stopping ||
        again.seen != state.seen || again.count != state.count)
        abort();
    for (size_t i = 0; i < state.count; i++)
        if (state.members[i].pid <= 0 || again.members[i].pid != state.members[i].pid ||
            again.members[i].served != state.members[i].served ||
            again.members[i].stopped != state.members[i].stopped)
            abort();
    free(written);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    char *text = strndup((const char *)bytes, length), *rest = text, *line;
    read_state(text);
    while ((line = strsep(&rest, "\n")))
        read_line(line);
    free(text);
    return 0;
}
