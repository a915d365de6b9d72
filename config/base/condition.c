#include "config/base/condition.h"

static void forget(struct condition *condition)
{
    *condition = (struct condition){.quiet_ms = condition->quiet_ms};
}

bool condition_met(struct condition *condition, int reason, uint64_t now)
{
    if (now >= condition_ends_at(condition))
        forget(condition);
    condition->met_at = now;
    for (unsigned i = 0; i < CONDITION_REASONS_MAX; i++) {
        if (condition->reasons[i] == reason)
            return false;
        if (condition->reasons[i] == 0) {
            condition->reasons[i] = reason;
            return true;
        }
    }
    return false;
}

bool condition_over(struct condition *condition, uint64_t now)
{
    if (!condition_lasts(condition) || now < condition_ends_at(condition))
        return false;
    forget(condition);
    return true;
}
