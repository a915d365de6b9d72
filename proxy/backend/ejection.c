#include "proxy/backend/ejection.h"

#include <stdlib.h>

static uint64_t length_of(const struct ejection_rules *rules, unsigned repeats)
{
    return rules->time * (repeats < EJECTION_MOST ? repeats : EJECTION_MOST);
}

void fail_times_free(struct fail_times *fail_times)
{
    free(fail_times->times);
    *fail_times = (struct fail_times){0};
}

static void put(struct fail_times *fail_times, uint64_t time)
{
    if (fail_times->count == fail_times->size) {
        fail_times->first = (fail_times->first + 1) % fail_times->size;
        fail_times->count--;
    }
    fail_times->times[(fail_times->first + fail_times->count++) % fail_times->size] = time;
}

/* Room for the failures that matter, and what another process has counted. False: out of memory. */
static bool begin(struct fail_times *fail_times, const struct ejection *ejection, unsigned size)
{
    fail_times->times = calloc(size, sizeof *fail_times->times);
    if (!fail_times->times)
        return false;
    fail_times->size = size;
    for (unsigned i = 0; i < ejection->fails && i < size; i++)
        put(fail_times, ejection->first_fail);
    return true;
}

static void forget(struct fail_times *fail_times, uint64_t before)
{
    while (fail_times->count > 0 && fail_times->times[fail_times->first] < before) {
        fail_times->first = (fail_times->first + 1) % fail_times->size;
        fail_times->count--;
    }
}

bool ejection_note_failures(struct ejection *ejection, struct fail_times *fail_times,
                            const struct ejection_rules *rules, unsigned count, uint64_t now)
{
    if (rules->max_fails == 0 || ejection_holds(ejection))
        return false;
    if (!fail_times->times && !begin(fail_times, ejection, rules->max_fails))
        return false;
    for (unsigned i = 0; i < count && i < rules->max_fails; i++)
        put(fail_times, now);
    forget(fail_times, now > rules->window ? now - rules->window : 0);
    ejection->fails = fail_times->count;
    ejection->first_fail = fail_times->times[fail_times->first];
    return fail_times->count == rules->max_fails;
}

void ejection_begin(struct ejection *ejection, struct fail_times *fail_times,
                    const struct ejection_rules *rules, uint64_t now)
{
    uint64_t last = length_of(rules, ejection->repeats) + rules->window;
    bool in_a_row = ejection->repeats > 0 && now <= ejection->ended + last;
    unsigned repeats = in_a_row ? ejection->repeats + 1 : 1;
    fail_times->first = fail_times->count = 0;
    uint64_t until = now + length_of(rules, repeats);
    *ejection = (struct ejection){.until = until, .ended = until, .repeats = repeats};
}

void ejection_end(struct ejection *ejection, uint64_t now)
{
    ejection->until = 0;
    ejection->ended = now;
}

bool ejection_is_allowed(size_t servers, size_t ejected, size_t others, unsigned most)
{
    size_t allowed = servers * most / 100;
    if (allowed == 0 && most > 0)
        allowed = 1;
    return others > 0 && ejected < allowed;
}
