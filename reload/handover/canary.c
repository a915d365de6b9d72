#include "reload/handover/canary.h"

#include "config/base/clock.h"
#include "reload/base/text.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* So often the figures are looked at. */
#define LOOK_MS 100u
/* So many failures are no accident. */
#define FAILURES_MIN 3u

struct canary {
    uint64_t ends_at; /* clock_ms() */
    const struct stats *canary, *predecessor;
    struct figures before; /* of the predecessor */
    struct event *look;
    void (*on_verdict)(enum canary_verdict verdict, void *arg);
    void *arg;
};

/* --- the rule ------------------------------------------------------------------------------ */

static double part(uint64_t failures, uint64_t sessions)
{
    if (failures == 0)
        return 0;
    return sessions ? (double)failures / (double)sessions : 1;
}

static bool is_worse(uint64_t canary, const struct figures *of_canary, uint64_t predecessor,
                     const struct figures *of_predecessor, bool over)
{
    bool enough = canary >= FAILURES_MIN || (over && canary && 2 * canary > of_canary->sessions);
    return enough && part(canary, of_canary->sessions) >
                         2 * part(predecessor, of_predecessor->sessions) + 0.01;
}

enum canary_verdict canary_judge(const struct canary_figures *figures, bool over)
{
    const struct figures *canary = &figures->canary, *predecessor = &figures->predecessor;
    if (is_worse(canary->connect_errors, canary, predecessor->connect_errors, predecessor, over) ||
        is_worse(canary->failed + canary->cut, canary, predecessor->failed + predecessor->cut,
                 predecessor, over))
        return CANARY_WORSE;
    return over ? CANARY_PROMOTED : CANARY_GOES_ON;
}

static int one_text(const char *name, const struct figures *figures, char *text, size_t size)
{
    char sessions[SESSIONS_TEXT_MAX];
    return snprintf(text, size, "%s: %s, %llu failed connect%s, %llu failed, %llu cut", name,
                    sessions_text(figures->sessions, sessions),
                    (unsigned long long)figures->connect_errors,
                    figures->connect_errors == 1 ? "" : "s", (unsigned long long)figures->failed,
                    (unsigned long long)figures->cut);
}

const char *canary_figures_text(const struct canary_figures *figures,
                                char text[static CANARY_TEXT_MAX])
{
    char canary[CANARY_TEXT_MAX / 2], predecessor[CANARY_TEXT_MAX / 2 - 2];
    (void)one_text("canary", &figures->canary, canary, sizeof canary);
    (void)one_text("predecessor", &figures->predecessor, predecessor, sizeof predecessor);
    snprintf(text, CANARY_TEXT_MAX, "%s; %s", canary, predecessor);
    return text;
}

/* --- the watch ----------------------------------------------------------------------------- */

static struct figures since(const struct stats *stats, const struct figures *before)
{
    struct figures now = {0};
    stats_add_workers(stats, &now);
    now.sessions -= before->sessions;
    now.connect_errors -= before->connect_errors;
    now.failed -= before->failed;
    now.cut -= before->cut;
    return now;
}

struct canary_figures canary_figures(const struct canary *canary)
{
    struct canary_figures figures = {.predecessor = since(canary->predecessor, &canary->before)};
    stats_add_workers(canary->canary, &figures.canary);
    return figures;
}

millis canary_left(const struct canary *canary)
{
    uint64_t now = clock_ms();
    return canary->ends_at > now ? canary->ends_at - now : 0;
}

static void look_later(struct canary *canary)
{
    millis left = canary_left(canary);
    struct timeval interval = clock_interval(left < LOOK_MS ? left : LOOK_MS);
    event_add(canary->look, &interval);
}

static void on_look(evutil_socket_t fd, short what, void *arg)
{
    (void)fd;
    (void)what;
    struct canary *canary = arg;
    const struct canary_figures figures = canary_figures(canary);
    enum canary_verdict verdict = canary_judge(&figures, canary_left(canary) == 0);
    if (verdict == CANARY_GOES_ON)
        look_later(canary);
    else
        canary->on_verdict(verdict, canary->arg);
}

struct canary *canary_begin(const struct canary_plan *plan, const struct stats *its,
                            const struct stats *predecessor, struct event_base *base,
                            void (*on_verdict)(enum canary_verdict verdict, void *arg), void *arg)
{
    struct canary *canary = calloc(1, sizeof *canary);
    if (canary)
        canary->look = event_new(base, -1, 0, on_look, canary);
    if (!canary || !canary->look) {
        free(canary);
        return NULL;
    }
    if (__builtin_add_overflow(clock_ms(), plan->duration, &canary->ends_at))
        canary->ends_at = UINT64_MAX;
    canary->canary = its;
    canary->predecessor = predecessor;
    stats_add_workers(predecessor, &canary->before);
    canary->on_verdict = on_verdict;
    canary->arg = arg;
    look_later(canary);
    return canary;
}

void canary_free(struct canary *canary)
{
    if (!canary)
        return;
    event_free(canary->look);
    free(canary);
}
