#include "reload/process/outcome.h"

#include "config/base/happening.h"
#include "reload/handover/generation.h"

#include <stdio.h>
#include <time.h>

static void note_reload(struct generation *generation, enum exit_status status, const char *text,
                        uint64_t milliseconds)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    generation->last_reload = (struct reload_result){.any = true,
                                                     .generation = generation->attempt,
                                                     .status = status,
                                                     .at = (uint64_t)now.tv_sec,
                                                     .duration = milliseconds};
    snprintf(generation->last_reload.text, sizeof generation->last_reload.text, "%s", text);
}

void outcome_of_reload(struct generation *generation, enum exit_status status, const char *text,
                       uint64_t milliseconds, bool called_off)
{
    note_reload(generation, status, text, milliseconds);
    if (status == EXIT_DONE)
        happened(HAPPENED_RELOADED, LOG_LEVEL_NOTICE,
                 HAPPENING_FIELDS(happening_number("about", generation->attempt),
                                  happening_number("took_ms", milliseconds)),
                 "reloaded: %s", text);
    else
        happened(HAPPENED_RELOAD_FAILED, called_off ? LOG_LEVEL_NOTICE : LOG_LEVEL_ERROR,
                 HAPPENING_FIELDS(happening_number("about", generation->attempt),
                                  happening_word("cause", text), happening_number("exit", status),
                                  happening_number("took_ms", milliseconds)),
                 "reload to generation %u %s: %s; generation %u continues to serve",
                 generation->attempt, called_off ? "called off" : "failed", text,
                 generation->number);
}

void outcome_rolled_back(struct generation *generation, const char *text)
{
    happened(HAPPENED_ROLLED_BACK, LOG_LEVEL_ERROR,
             HAPPENING_FIELDS(happening_number("about", generation->attempt),
                              happening_word("cause", text)),
             "%s on probation: generation %u serves again", text, generation->number);
    note_reload(generation, EXIT_FAILED, text, generation->last_reload.duration);
}
