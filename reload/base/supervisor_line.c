#include "reload/base/supervisor_line.h"

#include "reload/base/notify.h"
#include "reload/base/supervisor.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* Reads decimal digits up to `most`, and moves past them. */
static bool take_number(const char **text, long most, long *number)
{
    char *end;
    if (**text < '0' || **text > '9')
        return false;
    errno = 0;
    *number = strtol(*text, &end, 10);
    *text = end;
    return !errno && *number <= most;
}

static bool take_mark(const char **text, uint64_t *mark)
{
    char *end;
    if (!strchr("0123456789abcdef", **text) || !**text)
        return false;
    errno = 0;
    *mark = strtoull(*text, &end, 16);
    *text = end;
    return !errno;
}

/* --- lines ----------------------------------------------------------------------------------- */

static const struct {
    const char *begin;
    enum supervisor_line_kind kind;
    long least;
} numbers[] = {
    {"MAINPID=", SUPERVISOR_LINE_MAIN, 1},
    {NOTIFY_LAUNCHED "=", SUPERVISOR_LINE_LAUNCHED, 1},
    {NOTIFY_RESUMES "=", SUPERVISOR_LINE_RESUMES, 1},
    {NOTIFY_OUTCOME "=", SUPERVISOR_LINE_OUTCOME, 0},
};

static bool read_number(const char *line, struct supervisor_line *read)
{
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
        const char *text = line + strlen(numbers[i].begin);
        long number;
        if (strncmp(line, numbers[i].begin, strlen(numbers[i].begin)) != 0)
            continue;
        if (!take_number(&text, INT32_MAX, &number) || *text || number < numbers[i].least)
            return false;
        read->kind = numbers[i].kind;
        read->number = (pid_t)number;
        return true;
    }
    return false;
}

static void read_file(const char *text, struct supervisor_line *read)
{
    read->kind = SUPERVISOR_LINE_WRONG;
    if (!take_mark(&text, &read->mark) || text[0] != ' ' || !text[1])
        return;
    read->kind = SUPERVISOR_LINE_FILE;
    read->pattern = text + 1;
}

struct supervisor_line supervisor_line_read(const char *line)
{
    struct supervisor_line read = {.kind = SUPERVISOR_LINE_OTHER};
    const size_t file = sizeof SUPERVISOR_FILE - 1;
    if (strcmp(line, "RELOADING=1") == 0)
        read.kind = SUPERVISOR_LINE_RELOADING;
    else if (strcmp(line, "READY=1") == 0)
        read.kind = SUPERVISOR_LINE_READY;
    else if (strcmp(line, SUPERVISOR_FILES) == 0)
        read.kind = SUPERVISOR_LINE_FILES;
    else if (strcmp(line, SUPERVISOR_ABSENT) == 0)
        read.kind = SUPERVISOR_LINE_ABSENT;
    else if (strncmp(line, SUPERVISOR_FILE, file) == 0)
        read_file(line + file, &read);
    else
        (void)read_number(line, &read);
    return read;
}

bool supervisor_line_is_public(enum supervisor_line_kind kind)
{
    return kind == SUPERVISOR_LINE_RELOADING || kind == SUPERVISOR_LINE_READY ||
           kind == SUPERVISOR_LINE_OTHER;
}

/* --- the state: "MAIN STOPPING SEEN PID:SERVED:STOPPED ..." ---------------------------------- */

void supervisor_state_write(const struct supervisor_state *state, FILE *out)
{
    fprintf(out, "%d %d %" PRIx64, (int)state->main, state->stopping, state->seen);
    for (size_t i = 0; i < state->count; i++)
        fprintf(out, " %d:%d:%d", (int)state->members[i].pid, state->members[i].served,
                state->members[i].stopped);
}

static bool take_char(const char **text, char wanted)
{
    return **text == wanted && (*text)++;
}

static bool take_flag(const char **text, bool *flag)
{
    long number;
    bool good = take_number(text, 1, &number);
    *flag = good && number == 1;
    return good;
}

/* More of them than there is room for are passed over. */
static bool take_member(const char **text, struct supervisor_state *state)
{
    struct supervisor_member member;
    long pid;
    if (!take_number(text, INT32_MAX, &pid) || pid == 0 || !take_char(text, ':') ||
        !take_flag(text, &member.served) || !take_char(text, ':') ||
        !take_flag(text, &member.stopped))
        return false;
    member.pid = (pid_t)pid;
    if (state->count < SUPERVISOR_MEMBERS_MAX)
        state->members[state->count++] = member;
    return true;
}

const char *supervisor_state_read(const char *text, struct supervisor_state *state)
{
    long main;
    *state = (struct supervisor_state){0};
    if (!take_number(&text, INT32_MAX, &main) || !take_char(&text, ' ') ||
        !take_flag(&text, &state->stopping) || !take_char(&text, ' ') ||
        !take_mark(&text, &state->seen))
        return NULL;
    state->main = (pid_t)main;
    while (take_char(&text, ' '))
        if (!take_member(&text, state))
            return NULL;
    return *text == '\0' || take_char(&text, '\n') ? text : NULL;
}
