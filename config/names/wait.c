#include "config/names/wait.h"

#include "config/base/clock.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>

struct waiting {
    struct event_base *base;
    size_t open;
    bool heard; /* a name server has said something */
};

static void copy_answer(struct answer *to, const struct answer *from)
{
    *to = *from;
    to->items = from->count ? malloc(from->count * sizeof *to->items) : NULL;
    if (to->items)
        memcpy(to->items, from->items, from->count * sizeof *to->items);
    else if (from->count)
        *to = (struct answer){.status = ANSWER_NO_MEMORY};
}

static void on_answer(const struct answer *answer, void *arg)
{
    struct wanted_name *name = arg;
    struct waiting *waiting = name->waiting;
    copy_answer(&name->answer, answer);
    waiting->heard |= answer->status != ANSWER_TIMEOUT;
    if (--waiting->open == 0 || (answer->status == ANSWER_TIMEOUT && !waiting->heard))
        event_base_loopbreak(waiting->base);
}

static void set_all(struct wanted_name *names, size_t count, enum answer_status status)
{
    for (size_t i = 0; i < count; i++)
        names[i].answer = (struct answer){.status = status};
}

void names_wait(const struct resolver_conf *conf, struct wanted_name *names, size_t count)
{
    if (count == 0)
        return;
    const struct timeval most = clock_interval(NAMES_WAIT_TIMEOUTS * conf->timeout);
    struct waiting waiting = {.base = event_base_new()};
    struct resolver *resolver = NULL;
    int error = waiting.base ? resolver_new(waiting.base, conf, &resolver) : ENOMEM;
    set_all(names, count, error ? ANSWER_NO_MEMORY : ANSWER_TIMEOUT);
    for (size_t i = 0; resolver && i < count; i++) {
        names[i].waiting = &waiting;
        if (resolver_ask(resolver, names[i].name, names[i].kind, names[i].family, names[i].port,
                         on_answer, &names[i]))
            waiting.open++;
        else
            names[i].answer.status = ANSWER_NO_MEMORY;
    }
    if (waiting.open > 0) {
        event_base_loopexit(waiting.base, &most);
        event_base_dispatch(waiting.base);
    }
    resolver_free(resolver);
    if (waiting.base)
        event_base_free(waiting.base);
}
