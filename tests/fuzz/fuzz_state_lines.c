/* A state file, which anything may have written: what is read of it is read again as the same when
 * it has been written. */
#include "reload/base/state_lines.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length);

struct lines {
    FILE *out;
    size_t count, wrong;
};

static void on_line(const struct state_line *line, void *arg)
{
    struct lines *lines = arg;
    bool is_valid = line->number > 0 && line->name && *line->name &&
                    (line->server || line->admin < 0) && line->admin <= 2 && line->weight <= 256;
    if (!is_valid)
        abort();
    if (!line->server && !line->paused_at)
        return; /* it says nothing */
    lines->count++;
    if (lines->out)
        state_lines_write(line, lines->out);
}

static void on_wrong(unsigned number, const char *why, void *arg)
{
    struct lines *lines = arg;
    if (number == 0 || !*why)
        abort();
    lines->wrong++;
}

static void read_all(char *text, size_t length, struct lines *lines)
{
    const struct state_reader reader = {.on_line = on_line, .on_wrong = on_wrong, .arg = lines};
    state_lines_read(text, length, &reader);
}

int LLVMFuzzerTestOneInput(const unsigned char *bytes, size_t length)
{
    char *copy = malloc(length ? length : 1), *text = NULL;
    size_t size = 0;
    unsigned version;
    memcpy(copy, bytes, length);
    (void)state_lines_head(copy, length, &version);
    struct lines first = {.out = open_memstream(&text, &size)}, second = {.out = NULL};
    state_lines_write_head(first.out);
    read_all(copy, length, &first);
    fclose(first.out);
    if (state_lines_head(text, size, &version) || version != 1)
        abort();
    read_all(text, size, &second);
    if (second.count != first.count || second.wrong)
        abort();
    free(text);
    free(copy);
    return 0;
}
