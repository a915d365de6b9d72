#include "proxy/session/stages.h"

#include "proxy/session/connect.h"
#include "proxy/session/first_bytes.h"

static void enter(struct session *session)
{
    const struct stage *stage = *session->stage;
    session->deadline = loop_now_ms(&session->set->loop) + stage->deadline;
    session_set_state(session, stage->state);
}

/* Of a stage that reads. */
static enum stage_occasion occasion_of(const struct session *session)
{
    if (session->client.stream.ended)
        return STAGE_ENDED;
    return first_bytes_count(session) >= FIRST_BYTES_MAX ? STAGE_FULL : STAGE_BYTES;
}

static bool is_last_chance(enum stage_occasion occasion)
{
    return occasion == STAGE_FULL || occasion == STAGE_ENDED || occasion == STAGE_OVERDUE;
}

/* Asks the stage, and those behind it as long as the session passes. */
static void ask(struct session *session, enum stage_occasion occasion)
{
    for (;;) {
        const struct stage *stage = *session->stage;
        enum stage_verdict verdict = stage->decide(session, stage, occasion);
        if (verdict == STAGE_REFUSES) {
            session_close(session, session->outcome ? session->outcome : stage->refused);
            return;
        }
        if (verdict == STAGE_PASSES) {
            if (!*++session->stage)
                break;
            enter(session);
            occasion = STAGE_BEGINS;
            continue;
        }
        if (is_last_chance(occasion)) {
            session_close(session, stage->overdue);
            return;
        }
        /* A stage before this one may have received all that there is: no event will tell. */
        if (occasion != STAGE_BEGINS || !stage->reads)
            return;
        size_t before = first_bytes_count(session);
        if (!first_bytes_receive(session, FIRST_BYTES_MAX))
            return;
        occasion = occasion_of(session);
        if (occasion == STAGE_BYTES && first_bytes_count(session) == before)
            return;
    }
    session->stage = NULL;
    if (session->facts)
        session->facts->connects_at = loop_now(&session->set->loop);
    session_set_state(session, SESSION_WAITING); /* for a server */
    connect_begin(session);
}

void stages_begin(struct session *session)
{
    session->stage = session->frontend->stages;
    enter(session);
    ask(session, STAGE_BEGINS);
}

void stages_news(struct session *session)
{
    ask(session, STAGE_NEWS);
}

void stages_overdue(struct session *session)
{
    ask(session, STAGE_OVERDUE);
}

void stages_on_event(struct session *session, uint32_t what)
{
    if (!(*session->stage)->reads) {
        if ((what & ENGINE_FAILED) && engine_error(&session->client.stream))
            session_close(session, SESSION_CLIENT_RESET);
        else if ((*session->stage)->receives)
            ask(session, STAGE_EVENT);
        return;
    }
    size_t before = first_bytes_count(session);
    bool ended = session->client.stream.ended;
    if (first_bytes_receive(session, FIRST_BYTES_MAX) &&
        (first_bytes_count(session) > before || ended != session->client.stream.ended))
        ask(session, occasion_of(session));
}
