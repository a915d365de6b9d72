#include "reload/base/crash.h"

#include "config/base/happening.h"
#include "proxy/stats/shared_stats.h"
#include "reload/base/text.h"

#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

struct crash crash_now(unsigned generation, uint32_t pid, int outcome, uint64_t sessions)
{
    return (struct crash){.at = (uint64_t)time(NULL),
                          .sessions = sessions,
                          .generation = generation,
                          .pid = pid,
                          .signal = WIFSIGNALED(outcome) ? (uint32_t)WTERMSIG(outcome) : 0,
                          .status = WIFEXITED(outcome) ? (uint32_t)WEXITSTATUS(outcome) : 0};
}

const char *crash_text(const struct crash *crash, char text[static CRASH_TEXT_MAX])
{
    char how[48] = "crashed", sessions[SESSIONS_TEXT_MAX];
    if (crash->signal)
        snprintf(how, sizeof how, "was killed by signal %u", crash->signal);
    else if (crash->status)
        snprintf(how, sizeof how, "ended with status %u", crash->status);
    snprintf(text, CRASH_TEXT_MAX, "generation %u (pid %u) %s, and %s went with it",
             crash->generation, crash->pid, how, sessions_text(crash->sessions, sessions));
    return text;
}

void crash_note(struct crash *last, const struct tally *counts, const struct crash *crash)
{
    char text[CRASH_TEXT_MAX];
    *last = *crash;
    counter_add(&tally_reloads(counts, false)[COUNTER_OF(reload_figures, crashes)], 1);
    happened(HAPPENED_CRASHED, LOG_LEVEL_ERROR,
             HAPPENING_FIELDS(happening_number("about", crash->generation),
                              happening_number("signal", crash->signal),
                              happening_number("status", crash->status),
                              happening_number("sessions", crash->sessions)),
             "%s", crash_text(crash, text));
}

json_t *crash_json(const struct crash *crash)
{
    char text[CRASH_TEXT_MAX];
    return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:s}", "at", (json_int_t)crash->at,
                     "generation", (json_int_t)crash->generation, "pid", (json_int_t)crash->pid,
                     "signal", (json_int_t)crash->signal, "status", (json_int_t)crash->status,
                     "sessions", (json_int_t)crash->sessions, "result", crash_text(crash, text));
}
