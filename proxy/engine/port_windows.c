#include "proxy/engine/port_windows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static unsigned windows_of(const struct port_run *run)
{
    return ((unsigned)run->last - run->first) / PORT_WINDOW + 1;
}

static void add_run(struct port_windows *windows, unsigned first, unsigned last)
{
    if (first > last)
        return;
    struct port_run *run = &windows->runs[windows->count++];
    *run = (struct port_run){
        .first = (uint16_t)first, .last = (uint16_t)last, .windows_before = windows->windows};
    windows->windows += windows_of(run);
    windows->ports += last - first + 1;
}

/* One item of the list of reserved ports. Returns what follows it. */
static const char *read_item(const char *text, unsigned long *from, unsigned long *to)
{
    char *end;
    *from = *to = strtoul(text, &end, 10);
    if (*end == '-')
        *to = strtoul(end + 1, &end, 10);
    end += strcspn(end, ",");
    return *end ? end + 1 : end;
}

static size_t count_items(const char *list)
{
    size_t count = 1;
    for (; *list; list++)
        count += *list == ',';
    return count;
}

int port_windows_make(struct port_windows *windows, unsigned first, unsigned last,
                      const char *reserved)
{
    struct port_windows made = {0};
    unsigned next = first;
    made.runs = calloc(count_items(reserved) + 1, sizeof *made.runs);
    if (!made.runs)
        return ENOMEM;
    while (*reserved) {
        unsigned long from, to;
        reserved = read_item(reserved, &from, &to);
        if (from < next)
            from = next;
        if (to < from || from > last)
            continue;
        add_run(&made, next, (unsigned)from - 1);
        next = to < last ? (unsigned)to + 1 : last + 1;
    }
    add_run(&made, next, last);
    port_windows_free(windows);
    *windows = made;
    return 0;
}

void port_windows_free(struct port_windows *windows)
{
    free(windows->runs);
    *windows = (struct port_windows){0};
}

struct port_window port_windows_get(const struct port_windows *windows, unsigned number)
{
    size_t low = 0, high = windows->count;
    while (high - low > 1) {
        size_t middle = low + (high - low) / 2;
        if (windows->runs[middle].windows_before <= number)
            low = middle;
        else
            high = middle;
    }
    const struct port_run *run = &windows->runs[low];
    unsigned first = run->first + (number - run->windows_before) * PORT_WINDOW;
    unsigned last = first + PORT_WINDOW - 1;
    return (struct port_window){.first = (uint16_t)first,
                                .last = (uint16_t)(last < run->last ? last : run->last)};
}

unsigned port_windows_find(const struct port_windows *windows, unsigned port)
{
    for (size_t i = 0; i < windows->count; i++) {
        const struct port_run *run = &windows->runs[i];
        if (port < run->first)
            return run->windows_before;
        if (port <= run->last)
            return run->windows_before + (port - run->first) / PORT_WINDOW;
    }
    return 0;
}
