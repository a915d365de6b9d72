#include "config/base/cpus.h"

#include "config/base/error_text.h"

#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void cpus_usable(struct cpus *cpus)
{
    cpu_set_t set;
    cpus->count = 0;
    if (sched_getaffinity(0, sizeof set, &set))
        return;
    for (unsigned short cpu = 0; cpu < CPUS_MAX; cpu++)
        if (CPU_ISSET(cpu, &set))
            cpus->list[cpus->count++] = cpu;
}

static bool has(const struct cpus *cpus, unsigned cpu)
{
    for (unsigned i = 0; i < cpus->count; i++)
        if (cpus->list[i] == cpu)
            return true;
    return false;
}

/* Reads the number at the start of *text, and moves *text past it. A number that is too large gives
 * CPUS_MAX.
 */
static bool read_cpu(const char **text, unsigned *cpu)
{
    const char *start = *text;
    *cpu = 0;
    for (; **text >= '0' && **text <= '9'; ++*text) {
        *cpu = *cpu * 10 + (unsigned)(**text - '0');
        if (*cpu > CPUS_MAX)
            *cpu = CPUS_MAX;
    }
    return *text != start;
}

static const char *add(struct cpus *cpus, const struct cpus *usable, unsigned cpu)
{
    char text[CPUS_TEXT_MAX];
    if (!has(usable, cpu))
        return error_text("names CPU %u%s, and this process may use only %s", cpu,
                          cpu == CPUS_MAX ? " or higher" : "", cpus_format(usable, text));
    if (has(cpus, cpu))
        return error_text("names CPU %u twice", cpu);
    cpus->list[cpus->count++] = (unsigned short)cpu;
    return NULL;
}

const char *cpus_parse(const char *text, struct cpus *cpus)
{
    static const char form[] = "is not a list of CPUs such as 0,2-3";
    struct cpus usable;
    struct cpus read = {0};
    const char *wrong = NULL;
    cpus_usable(&usable);
    do {
        unsigned first;
        if (!read_cpu(&text, &first))
            return form;
        unsigned last = first;
        if (*text == '-' && (text++, !read_cpu(&text, &last) || last < first))
            return form;
        for (unsigned cpu = first; cpu <= last && !wrong; cpu++)
            wrong = add(&read, &usable, cpu);
        if (wrong)
            return wrong;
    } while (*text++ == ',');
    if (text[-1] != '\0')
        return form;
    *cpus = read;
    return NULL;
}

const char *cpus_format(const struct cpus *cpus, char text[static CPUS_TEXT_MAX])
{
    size_t length = 0;
    text[0] = '\0';
    for (unsigned i = 0; i < cpus->count; i++) {
        char item[24];
        unsigned first = cpus->list[i];
        while (i + 1 < cpus->count && cpus->list[i + 1] == cpus->list[i] + 1)
            i++;
        unsigned last = cpus->list[i];
        const char *comma = length ? "," : "";
        if (last == first)
            snprintf(item, sizeof item, "%s%u", comma, first);
        else
            snprintf(item, sizeof item, "%s%u-%u", comma, first, last);
        if (length + strlen(item) + sizeof "..." > CPUS_TEXT_MAX) {
            memcpy(text + length, "...", sizeof "...");
            break;
        }
        memcpy(text + length, item, strlen(item) + 1);
        length += strlen(item);
    }
    return text;
}
