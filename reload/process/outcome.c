#include "reload/process/outcome.h"

#include "config/base/happening.h"
#include "config/base/log.h"
#include "config/write.h"
#include "reload/base/history.h"
#include "reload/control/running.h"
#include "reload/handover/generation.h"

#include <stdio.h>
#include <string.h>
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

/* text: the configuration, or NULL. */
static void write_history(const struct generation *generation, struct history_entry *entry)
{
    const struct config *config = generation->config;
    if (!config || !config->history)
        return;
    int error = history_write(config->history, config->history_keep, entry);
    if (error)
        log_warning("history: generation %u is not kept in %s: %s", entry->generation,
                    config->history, strerror(error));
}

/* An entry of this process, with its configuration. */
static void record_own(const struct generation *generation, enum exit_status status, const char *by,
                       const char *result, uint64_t took_ms)
{
    struct history_entry entry = {.generation = generation->number,
                                  .at = (uint64_t)time(NULL),
                                  .took_ms = took_ms,
                                  .exit = (int)status};
    size_t length;
    if (!generation->config->history)
        return;
    entry.text = config_text(generation->config, &length);
    hash_text(generation->config_hash, entry.hash);
    snprintf(entry.by, sizeof entry.by, "%s", by[0] ? by : "not known");
    snprintf(entry.result, sizeof entry.result, "%s", result);
    write_history(generation, &entry);
    history_entry_free(&entry);
}

static void record_service(struct generation *generation, const char *by, const char *result,
                           uint64_t took_ms)
{
    generation->recorded = true;
    record_own(generation, EXIT_DONE, by, result, took_ms);
}

void outcome_of_canary(const struct generation *generation)
{
    record_own(generation, EXIT_REFUSED, "a reload", "a canary that has not been decided", 0);
}

void outcome_of_start(struct generation *generation, const char *by)
{
    const struct reload_result *reload = &generation->last_reload;
    record_service(generation, by, reload->any ? reload->text : "started",
                   reload->any ? reload->duration : 0);
}

void outcome_without_old_process(struct generation *generation)
{
    if (!generation->recorded)
        record_service(generation, "a reload", "started; the old process was lost in the reload",
                       0);
}

/* The configuration of an entry and that of this process. */
static const char *likeness(const struct generation *generation, const struct history_entry *entry)
{
    char hash[HASH_TEXT_MAX];
    return strcmp(entry->hash, hash_text(generation->config_hash, hash)) == 0
               ? "the same configuration as this start"
               : "another configuration than this start";
}

static void tell_last_well(const struct generation *generation)
{
    struct history_entry entry;
    unsigned number = history_last_well(generation->config->history, 0, &entry);
    char since[32] = "";
    struct tm parts;
    time_t at = (time_t)entry.at;
    if (number == 0) {
        log_warning("history: no generation is known that served without a crash");
        return;
    }
    if (gmtime_r(&at, &parts))
        (void)strftime(since, sizeof since, "%Y-%m-%dT%H:%M:%SZ", &parts);
    log_warning("history: generation %u, of %s, was the last that served without a crash; it had "
                "%s (rpproxy rollback %u)",
                number, since, likeness(generation, &entry), number);
    history_entry_free(&entry);
}

void outcome_after_crash(struct generation *generation, const struct crash *crash)
{
    struct history_entry entry;
    const char *folder = generation->config->history;
    if (!folder || history_read(folder, crash->generation, &entry))
        return;
    const size_t used = strlen(entry.result);
    if (!entry.crashed)
        snprintf(entry.result + used, sizeof entry.result - used, "; crashed");
    entry.crashed = true;
    write_history(generation, &entry);
    history_entry_free(&entry);
    tell_last_well(generation);
}

static void note_failed_attempt(const struct generation *generation)
{
    const struct reload_result *reload = &generation->last_reload;
    struct history_entry entry = {.generation = generation->attempt,
                                  .at = reload->at,
                                  .took_ms = reload->duration,
                                  .exit = (int)reload->status};
    snprintf(entry.by, sizeof entry.by, "%s", generation->attempt_by);
    snprintf(entry.result, sizeof entry.result, "%s", reload->text);
    if (generation->attempt > generation->number)
        write_history(generation, &entry);
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
    if (status != EXIT_DONE)
        note_failed_attempt(generation);
}

void outcome_rolled_back(struct generation *generation, const char *text)
{
    happened(HAPPENED_ROLLED_BACK, LOG_LEVEL_ERROR,
             HAPPENING_FIELDS(happening_number("about", generation->attempt),
                              happening_word("cause", text)),
             "%s on probation: generation %u serves again", text, generation->number);
    note_reload(generation, EXIT_FAILED, text, generation->last_reload.duration);
    note_failed_attempt(generation);
}
