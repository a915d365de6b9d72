#include "reload/listeners/descriptors.h"

#include "config/base/address.h"
#include "proxy/backend/check/checks.h"
#include "proxy/names/names.h"
#include "proxy/stages/forwarding.h"
#include "proxy/worker.h"
#include "reload/listeners/group.h"
#include "reload/listeners/opening.h"

#include <stdio.h>
#include <string.h>

#define BASE 24
/* Files that are open for a moment, and what lies in a message that has just come. */
#define PASSING 40
/* Of another generation: the channel, its statistics, its pidfd. */
#define GENERATION_DESCRIPTORS 3
/* Besides those that drain: predecessor and successor. */
#define NEIGHBOURS          2
#define SESSION_DESCRIPTORS 2
/* The keys of session tickets. */
#define DESCRIPTORS_TICKETS 1

static unsigned larger(unsigned one, unsigned other)
{
    return one > other ? one : other;
}

static unsigned smaller(unsigned one, unsigned other)
{
    return one < other ? one : other;
}

static unsigned minus(unsigned from, unsigned what)
{
    return from > what ? from - what : 0;
}

static bool has_bind(const struct config *config, const char *text)
{
    for (size_t i = 0; i < config->frontend_count; i++)
        for (size_t j = 0; j < config->frontends[i].bind_count; j++)
            if (strcmp(config->frontends[i].binds[j].text, text) == 0)
                return true;
    return false;
}

/* Adds a bind. *most: what a successor's listeners, or the sinks in their place, will take. */
static void add_bind(struct descriptors *plan, const struct bind_conf *bind, unsigned workers,
                     const struct offer *offer, unsigned *most)
{
    const struct offered *offered = offer_find(offer, bind->text);
    if (offered && offered->fd_count)
        plan->listeners += offered->fd_count; /* these very sockets are taken over */
    if (bind_is_activated(bind))
        return;
    unsigned count = opening_sockets(bind, workers);
    if (!offered || !offered->fd_count)
        plan->listeners += count;
    *most += address_is_unix(&bind->at.address) ? count : larger(count, group_sinks(count));
}

static void add_offer(struct descriptors *plan, const struct config *config,
                      const struct offer *offer)
{
    for (size_t i = 0; offer && i < offer->count; i++) {
        const struct offered *offered = &offer->list[i];
        if (offered->fd_count == 0)
            plan->foreign += offered->listeners;
        else if (!has_bind(config, offered->text)) /* held for a later configuration */
            plan->listeners += offered->fd_count;
    }
}

/* What the process takes itself, when nothing foreign is left. */
static unsigned own(const struct descriptors *plan)
{
    return plan->listeners + plan->workers + plan->base;
}

static unsigned wanted_aside(const struct config *config)
{
    /* Of the HTTP server also its loop, and the queues of its thread and to the main thread. */
    unsigned http =
        config->metrics.count ? (unsigned)config->metrics.count + DESCRIPTORS_HTTP + 6 : 0;
    return PASSING + http + DESCRIPTORS_TICKETS + checks_descriptors(config) +
           names_descriptors(config) + forwarding_descriptors(config) +
           (config->tls_key_log ? 1 : 0) + (config->tls_keys == KEYS_SEALED ? 1 : 0) +
           DESCRIPTORS_COMMANDS + DESCRIPTORS_FOLLOWERS + 1 +
           (config->max_generations + NEIGHBOURS) * GENERATION_DESCRIPTORS;
}

struct descriptors descriptors_plan(const struct config *config, unsigned workers,
                                    const struct offer *offer, size_t limit)
{
    unsigned most = 0;
    struct descriptors plan = {
        .limit = (unsigned)limit, .workers = workers * WORKER_DESCRIPTORS, .base = BASE};
    for (size_t i = 0; i < config->frontend_count; i++)
        for (size_t j = 0; j < config->frontends[i].bind_count; j++)
            add_bind(&plan, &config->frontends[i].binds[j], workers, offer, &most);
    add_offer(&plan, config, offer);
    /* Of what is left in the midst of a reload of the same configuration: half, then an eighth. */
    unsigned room = minus(plan.limit, own(&plan) + SESSION_DESCRIPTORS);
    room = room >= plan.listeners ? room - plan.listeners : room;
    plan.aside = smaller(wanted_aside(config), room / 2);
    unsigned left = minus(plan.limit, own(&plan) + plan.aside);
    plan.reserve = smaller(most, minus(plan.limit / 2, own(&plan) + plan.aside));
    plan.spares = smaller(SPARES_MAX, minus(left, plan.listeners) / 8 / workers);
    unsigned spares = plan.spares * workers;
    plan.sessions = larger(1, minus(left, plan.reserve + spares) / SESSION_DESCRIPTORS);
    plan.sessions_meanwhile =
        smaller(plan.sessions, larger(1, minus(left, plan.foreign + spares) / SESSION_DESCRIPTORS));
    return plan;
}

static void print(const struct descriptors *plan, char *text, size_t size)
{
    char foreign[64] = "";
    if (plan->foreign)
        snprintf(foreign, sizeof foreign, ", %u for those of the process before", plan->foreign);
    snprintf(text, size,
             "%u are for listening sockets%s, %u for workers, %u for the process itself",
             plan->listeners, foreign, plan->workers, plan->base);
}

bool descriptors_suffice(const struct descriptors *plan, char text[static DESCRIPTORS_TEXT_MAX])
{
    char figures[DESCRIPTORS_TEXT_MAX / 2];
    unsigned least = own(plan) + plan->foreign + SESSION_DESCRIPTORS;
    if (least <= plan->limit)
        return true;
    print(plan, figures, sizeof figures);
    snprintf(text, DESCRIPTORS_TEXT_MAX,
             "at least %u descriptors are needed, and the limit is %u (ulimit -n, LimitNOFILE=): "
             "%s, %u for a session",
             least, plan->limit, figures, SESSION_DESCRIPTORS);
    return false;
}

bool descriptors_are_few(const struct descriptors *plan, char text[static DESCRIPTORS_TEXT_MAX])
{
    char figures[DESCRIPTORS_TEXT_MAX / 2];
    unsigned reload = own(plan) + plan->listeners + SESSION_DESCRIPTORS;
    print(plan, figures, sizeof figures);
    if (reload > plan->limit)
        snprintf(text, DESCRIPTORS_TEXT_MAX,
                 "a reload will be refused: it takes %u descriptors, and the limit is %u (ulimit "
                 "-n, LimitNOFILE=): %s, %u for the listening sockets of the process before",
                 reload, plan->limit, figures, plan->listeners);
    else if (plan->sessions < plan->limit / 2 / SESSION_DESCRIPTORS)
        snprintf(text, DESCRIPTORS_TEXT_MAX,
                 "only %u sessions fit into the limit of %u descriptors (ulimit -n, LimitNOFILE=): "
                 "%s, %u for checks, commands and older processes, %u for a reload",
                 plan->sessions, plan->limit, figures, plan->aside, plan->reserve);
    else
        return false;
    return true;
}
