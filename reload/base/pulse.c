#include "reload/base/pulse.h"

#include "proxy/proxy.h"

void pulse_init(struct pulse *pulse)
{
    *pulse = (struct pulse){0};
    TAILQ_INIT(&pulse->checks);
}

void pulse_begin(struct pulse *pulse, struct proxy *proxy)
{
    pulse->proxy = proxy;
}

static void begin_round(struct pulse *pulse)
{
    pulse->running = true;
    pulse->round++;
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
    check->round = pulse->round + 1; /* in the round under way a worker may have answered before */
    TAILQ_INSERT_TAIL(&pulse->checks, check, next);
    if (!pulse->running)
        begin_round(pulse);
}

void pulse_forget(struct pulse *pulse, struct pulse_check *check)
{
    if (check->asked)
        TAILQ_REMOVE(&pulse->checks, check, next);
    check->asked = false;
}

static struct pulse_check *next_answered(const struct pulse *pulse, unsigned round)
{
    struct pulse_check *check = TAILQ_FIRST(&pulse->checks);
    return check && check->round == round ? check : NULL;
}

void pulse_on_turned(struct pulse *pulse)
{
    const unsigned round = pulse->round;
    struct pulse_check *check;
    pulse->running = false;
    while ((check = next_answered(pulse, round))) {
        pulse_forget(pulse, check);
        check->on_turned(check->arg);
    }
    if (!pulse->running && !TAILQ_EMPTY(&pulse->checks))
        begin_round(pulse);
}
