#include "proxy/stages/admission.h"

#include "config/base/container_of.h"
#include "config/base/log.h"
#include "proxy/session/session.h"
#include "proxy/session/source_place.h"

#include <errno.h>
#include <stdlib.h>

/* Between two warnings that the table of sources is full, in milliseconds. */
#define WARN_EVERY_MS 60000

struct admission {
    struct stage stage;             /* the first member */
    struct address_matcher *access; /* NULL: there is no list */
    bool by_source;
};

static enum stage_verdict refuse(struct session *session, enum session_end end, enum refusal why)
{
    session->outcome = end;
    session->set->refused = true;
    stats_count_refusal(session->frontend->record, why);
    return STAGE_REFUSES;
}

static void warn_of_full_table(struct session *session)
{
    struct service *service = session->set->service;
    uint64_t now = loop_now_ms(&session->set->loop);
    uint64_t last = atomic_load(&service->sources_warned_at);
    if ((last == 0 || now >= last + WARN_EVERY_MS) &&
        atomic_compare_exchange_strong(&service->sources_warned_at, &last, now))
        log_warning("max-sources: %u client addresses have sessions; sessions of further ones do "
                    "not count in max-sessions-per-source and rate-per-source",
                    service->config->max_sources);
}

static enum stage_verdict decide(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion)
{
    const struct admission *admission = (const struct admission *)(const void *)stage;
    (void)occasion;
    if (admission->access &&
        address_matcher_find(admission->access, session_source(session)) == ACCESS_DENY)
        return refuse(session, SESSION_DENIED, REFUSED_BY_LIST);
    if (!admission->by_source)
        return STAGE_PASSES;
    switch (source_place_enter(session->set->service, session->frontend, session_source(session),
                               loop_now(&session->set->loop) * 1000, &session->source_counted)) {
    case SOURCE_COMES_IN:
        break;
    case SOURCE_UNCOUNTED:
        warn_of_full_table(session);
        break;
    case SOURCE_HAS_MANY:
        return refuse(session, SESSION_SOURCE_LIMIT, REFUSED_SESSIONS);
    case SOURCE_TOO_FAST:
        return refuse(session, SESSION_SOURCE_RATE, REFUSED_RATE);
    }
    return STAGE_PASSES;
}

static void release(struct stage *stage)
{
    struct admission *admission = container_of(stage, struct admission, stage);
    address_matcher_free(admission->access);
    free(admission);
}

int admission_make(const struct service *service, struct frontend *frontend, struct stage **stage)
{
    const struct frontend_conf *conf = frontend->conf;
    (void)service;
    *stage = NULL;
    if (conf->access.count == 0 && !frontend_counts_sources(conf))
        return 0;
    struct admission *admission = calloc(1, sizeof *admission);
    if (!admission)
        return ENOMEM;
    admission->stage = (struct stage){.state = SESSION_ADMISSION,
                                      .refused = SESSION_DENIED,
                                      .overdue = SESSION_DENIED,
                                      .decide = decide,
                                      .release = release};
    if (conf->access.count > 0)
        admission->access = address_matcher_make(&conf->access);
    admission->by_source = frontend_counts_sources(conf);
    *stage = &admission->stage;
    return 0;
}
