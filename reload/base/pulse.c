#include "reload/base/pulse.h"

#include "proxy/backend/check/checks.h"
#include "proxy/proxy.h"

void pulse_init(struct pulse *pulse)
{
    *pulse = (struct pulse){0};
    TAILQ_INIT(&pulse->asked);
}

void pulse_begin(struct pulse *pulse, struct proxy *proxy, struct checks *checks)
{
    pulse->proxy = proxy;
    pulse->checks = checks;
}

static bool is_running(const struct pulse *pulse)
{
    return pulse->workers_due || pulse->checks_due;
}

static void on_checks_turned(void *arg);

static void begin_round(struct pulse *pulse)
{
    pulse->round++;
    pulse->workers_due = true;
    pulse->checks_due = pulse->checks && checks_ask_turn(pulse->checks, on_checks_turned, pulse);
    proxy_ask_turns(pulse->proxy);
}

void pulse_ask(struct pulse *pulse, struct pulse_check *check)
{
    if (check->asked)
        return;
    if (!pulse->proxy) {
        check->on_turned(check->arg);
        return;
    }
    check->asked = true;
    check->round = pulse->round + 1; /* in the round under way a thread may have answered before */
    TAILQ_INSERT_TAIL(&pulse->asked, check, next);
    if (!is_running(pulse))
        begin_round(pulse);
}

void pulse_forget(struct pulse *pulse, struct pulse_check *check)
{
    if (check->asked)
        TAILQ_REMOVE(&pulse->asked, check, next);
    check->asked = false;
}

static struct pulse_check *next_answered(const struct pulse *pulse, unsigned round)
{
    struct pulse_check *check = TAILQ_FIRST(&pulse->asked);
    return check && check->round == round ? check : NULL;
}

/* All threads have answered, unless one is still to. */
static void end_round(struct pulse *pulse)
{
    const unsigned round = pulse->round;
    struct pulse_check *check;
    if (is_running(pulse))
        return;
    while ((check = next_answered(pulse, round))) {
        pulse_forget(pulse, check);
        check->on_turned(check->arg);
    }
    if (!is_running(pulse) && !TAILQ_EMPTY(&pulse->asked))
        begin_round(pulse);
}

void pulse_on_turned(struct pulse *pulse)
{
    pulse->workers_due = false;
    end_round(pulse);
}

static void on_checks_turned(void *arg)
{
    struct pulse *pulse = arg;
    pulse->checks_due = false;
    end_round(pulse);
}

void pulse_leave_checks(struct pulse *pulse)
{
    const bool due = pulse->checks_due;
    pulse->checks = NULL;
    pulse->checks_due = false;
    if (due)
        end_round(pulse);
}
