#include "proxy/stages/routing.h"

#include "proxy/backend/balance/balance.h"
#include "proxy/session/endpoints.h"
#include "proxy/session/first_bytes.h"
#include "proxy/session/sealed.h"
#include "proxy/session/session.h"
#include "proxy/stages/forwarding.h"
#include "proxy/stages/route_choice.h"
#include "proxy/stages/targets.h"
#include "proxy/tls/tls_shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BACKEND_NONE UINT32_MAX

struct routing {
    struct stage stage; /* first */
    const struct service *service;
    const struct frontend_conf *conf;
    bool reads_hello, reads_head, asks_port, asks_certificate;
};

/* What has been made of a session's first bytes so far. */
struct look {
    size_t seen; /* bytes */
    struct route_choice choice;
    struct client_hello hello;
    struct http_head head;
};

_Static_assert(CLIENT_HELLO_MAX == FIRST_BYTES_MAX, "what a hello may announce can be collected");

static bool is_usable(uint32_t backend, const void *arg)
{
    const struct session *session = arg;
    const struct service *service = session->set->service;
    return balancer_has_usable(service->backends[backend].balancers[session->set->index]);
}

static unsigned port_of(const struct session *session)
{
    const struct address destination = session_destination(session);
    return destination.length > 0 ? address_port(&destination) : 0;
}

/* NULL: out of memory. */
static struct look *look_of(struct session *session)
{
    struct facts *facts = session_facts(session);
    if (facts && !facts->look) {
        facts->look = calloc(1, sizeof *facts->look);
        if (facts->look) {
            client_hello_begin(&facts->look->hello);
            http_head_begin(&facts->look->head);
        }
    }
    return facts ? facts->look : NULL;
}

static void read_on(const struct routing *routing, const struct session *session, struct look *look)
{
    const unsigned char *bytes = session->first_bytes->bytes + look->seen;
    size_t length = session->first_bytes->length - look->seen;
    if (routing->reads_hello)
        client_hello_feed(&look->hello, bytes, length);
    if (routing->reads_head)
        http_head_feed(&look->head, bytes, length);
    look->seen += length;
}

/* What later stages, the balance and the log want to know. Without memory it is not known. */
static void note(struct session *session, const struct look *look)
{
    struct facts *facts = session->facts;
    if (look->hello.name[0] && !facts->server_name)
        facts->server_name = strdup(look->hello.name);
    if (look->head.host[0])
        facts->host = strdup(look->head.host);
    if (!facts->alpn && look->hello.alpn_length > 0 &&
        look->hello.alpn[0] == look->hello.alpn_length - 1)
        facts->alpn = strndup((const char *)look->hello.alpn + 1, look->hello.alpn[0]);
}

static enum stage_verdict refuse(struct session *session, enum session_end end)
{
    session->outcome = end;
    return STAGE_REFUSES;
}

static enum stage_verdict deny(struct session *session, enum session_end end)
{
    stats_count_refusal(session->frontend->record, REFUSED_BY_ROUTE);
    return refuse(session, end);
}

/* The backend of the choice; ROUTE_REJECTS, or BACKEND_NONE. */
static uint32_t chosen_backend(const struct routing *routing, enum choice_verdict verdict,
                               const struct route_choice *choice)
{
    if (verdict == CHOICE_MADE)
        return choice->backend;
    if (routing->conf->backend)
        return (uint32_t)(routing->conf->backend - routing->service->config->backends);
    return routing->conf->rejects ? ROUTE_REJECTS : BACKEND_NONE;
}

/* Whether the server name is needed to go on in this backend. */
static bool wants_name(const struct backend_conf *backend)
{
    return forwarding_server(backend) ||
           (backend->balance == BALANCE_MAGLEV && backend->hash == HASH_SNI);
}

/* ... and without it there is no way on. */
static bool must_have_name(const struct routing *routing, uint32_t backend)
{
    return forwarding_server(&routing->service->config->backends[backend]);
}

static bool has_name(const struct session *session)
{
    return session->facts && session->facts->server_name;
}

static bool is_all(enum stage_occasion occasion)
{
    return occasion == STAGE_FULL || occasion == STAGE_ENDED || occasion == STAGE_OVERDUE;
}

/* Whether TLS is to end here. False: out of memory. */
static bool note_termination(struct session *session, const struct routing *routing,
                             enum choice_verdict verdict, const struct route_choice *choice)
{
    if (verdict != CHOICE_MADE || !routing->conf->routes.items[choice->route].terminates)
        return true;
    struct facts *facts = session_facts(session);
    if (facts)
        facts->ends_tls = true;
    return facts;
}

static enum stage_verdict decide(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion)
{
    static const struct client_hello no_hello; /* nothing of it has come */
    static const struct http_head no_head;
    const struct routing *routing = (const struct routing *)stage;
    const struct unsent *bytes = session->first_bytes;
    struct look *look = session->facts ? session->facts->look : NULL;
    const struct client_hello *ended = session->facts ? session->facts->hello : NULL;
    const struct tls *tls = routing->asks_certificate ? sealed_tls(&session->client) : NULL;
    const bool certified = tls && tls_shown_certificate(tls);
    char client_name[TLS_CLIENT_MAX];
    struct route_choice from_begin = {0};
    if (bytes && (routing->reads_hello || routing->reads_head)) {
        look = look_of(session);
        if (!look)
            return refuse(session, SESSION_NO_RESOURCES);
        read_on(routing, session, look);
    }
    const struct evidence evidence = {
        .bytes = bytes ? bytes->bytes : NULL,
        .length = bytes ? bytes->length : 0,
        .is_all = is_all(occasion),
        .hello = ended  ? ended
                 : look ? &look->hello
                        : &no_hello,
        .head = look ? &look->head : &no_head,
        .certified = certified,
        .client_name = certified ? tls_shown_name(tls, client_name) : NULL,
        .source = session_source(session),
        .port = routing->asks_port ? port_of(session) : 0,
        .is_usable = is_usable,
        .arg = session,
    };
    struct route_choice *choice = look ? &look->choice : &from_begin;
    enum choice_verdict verdict = route_choose(&routing->conf->routes, &evidence, choice);
    if (verdict == CHOICE_OPEN)
        return STAGE_WAITS;
    uint32_t backend = chosen_backend(routing, verdict, choice);
    if (backend == ROUTE_REJECTS)
        return deny(session, SESSION_DENIED);
    if (backend != BACKEND_NONE && evidence.hello->verdict == HELLO_MORE && !evidence.is_all &&
        wants_name(&routing->service->config->backends[backend]))
        return STAGE_WAITS;
    if (look)
        note(session, look);
    if (backend == BACKEND_NONE || (must_have_name(routing, backend) && !has_name(session)))
        return deny(session,
                    occasion == STAGE_OVERDUE ? SESSION_INSPECT_TIMEOUT : SESSION_NO_ROUTE);
    if (!note_termination(session, routing, verdict, choice))
        return refuse(session, SESSION_NO_RESOURCES);
    session->backend = &routing->service->backends[backend];
    if (ended) {
        free(session->facts->hello);
        session->facts->hello = NULL;
    }
    return STAGE_PASSES;
}

/* What is read of a session's first bytes is known from the conditions of all routes. */
static void look_at_routes(struct routing *routing)
{
    const struct route_list *routes = &routing->conf->routes;
    for (size_t i = 0; i < routes->count; i++) {
        const struct route *route = &routes->items[i];
        routing->reads_hello |= route->map.file && !route->map.of_hosts;
        routing->reads_head |= route->map.file && route->map.of_hosts;
        routing->stage.reads |= route->map.file != NULL;
        for (size_t j = 0; j < route->condition_count; j++) {
            const struct route_condition *condition = &route->conditions[j];
            enum condition_kind kind = condition->kind;
            routing->stage.reads |= route_condition_is_of_bytes(condition);
            routing->reads_hello |=
                kind == CONDITION_SNI || kind == CONDITION_ALPN || kind == CONDITION_TLS;
            routing->reads_head |= kind == CONDITION_HOST || kind == CONDITION_HTTP;
            routing->asks_port |= kind == CONDITION_PORT;
            routing->asks_certificate |= kind == CONDITION_CLIENT_CERT;
        }
    }
}

int routing_make(const struct service *service, struct frontend *frontend, struct stage **stage)
{
    const struct frontend_conf *conf = frontend->conf;
    *stage = NULL;
    bool reads_name = targets_any(service->config, conf, wants_name);
    if (conf->routes.count == 0 && conf->backend && !reads_name)
        return 0;
    struct routing *routing = calloc(1, sizeof *routing);
    if (!routing)
        return ENOMEM;
    routing->service = service;
    routing->conf = conf;
    routing->stage = (struct stage){
        .refused = SESSION_NO_ROUTE,
        .overdue = SESSION_INSPECT_TIMEOUT,
        .deadline = (uint32_t)conf->inspect_timeout,
        .decide = decide,
    };
    look_at_routes(routing);
    routing->stage.reads |= reads_name;
    routing->reads_hello |= reads_name;
    routing->stage.state = routing->stage.reads ? SESSION_FIRST_BYTES : SESSION_ROUTING;
    *stage = &routing->stage;
    return 0;
}
