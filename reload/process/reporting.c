#include "reload/process/reporting.h"

#include "config/base/happening.h"
#include "config/base/log.h"
#include "reload/control/control.h"
#include "reload/handover/new_side.h"
#include "reload/process/process_state.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void reporting_error(struct generation *generation, const char *line)
{
    log_error("%s", line);
    if (generation->new_side)
        new_side_progress(generation->new_side, line);
}

void reporting_error_line(const char *line, void *arg)
{
    reporting_error(arg, line);
}

void reporting_progress(struct generation *generation, const char *line, size_t length)
{
    control_progress(process_of(generation)->control, line, length);
}

void reporting_warning(struct generation *generation, const char *line)
{
    log_warning("%s", line);
    reporting_progress(generation, line, strlen(line));
}

void reporting_hung(const char *line, void *arg)
{
    reporting_warning(arg, line);
}

void reporting_step(struct generation *generation, const char *text)
{
    control_step(process_of(generation)->control, text);
    happened_silently(HAPPENED_RELOAD_STEP, HAPPENING_FIELDS(happening_word("step", text)), text);
}

void reporting_own_step(struct process *process, const char *name, const char *what)
{
    char text[160];
    snprintf(text, sizeof text, "%s: pid %d %s", name, (int)getpid(), what);
    reporting_step(&process->generation, text);
}
