#include "proxy/stages/forwarding.h"

#include "config/base/log.h"
#include "config/names/resolver.h"
#include "proxy/engine/socket.h"
#include "proxy/session/forward.h"
#include "proxy/session/session.h"
#include "proxy/session/stages.h"
#include "proxy/stages/targets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

/* Longer than a lookup takes by itself. */
#define DEADLINE_MS 60000

struct forwarding {
    struct stage stage; /* first */
    const struct service *service;
};

static enum stage_verdict refuse(struct session *session, enum session_end end)
{
    session->outcome = end;
    return STAGE_REFUSES;
}

/* The name is not allowed. */
static enum stage_verdict deny(struct session *session)
{
    stats_count_refusal(session->frontend->record, REFUSED_BY_ROUTE);
    return refuse(session, SESSION_NOT_ALLOWED);
}

static void set_port(struct address *address, uint16_t port)
{
    if (address->any.sa_family == AF_INET)
        address->in.sin_port = htons(port);
    else
        address->in6.sin6_port = htons(port);
}

/* Whether a connection to the address would come to this proxy, or could: the interface of a bind
 * is not looked at. */
static bool is_own(const struct config *config, const struct address *address)
{
    const struct listen_address at = {.address = *address};
    enum { UNKNOWN, NO, YES } here = UNKNOWN;
    for (size_t i = 0; i < config->frontend_count; i++)
        for (size_t j = 0; j < config->frontends[i].bind_count; j++) {
            const struct listen_address *bind = &config->frontends[i].binds[j].at;
            if (address_equal(&bind->address, address))
                return true;
            if (!listen_address_covers(bind, &at))
                continue;
            if (here == UNKNOWN)
                here = socket_is_of_this_machine(address) ? YES : NO;
            if (here == YES)
                return true;
        }
    return false;
}

static bool is_of_family(const struct address *address, enum resolve_family family)
{
    return family == RESOLVE_ANY ||
           address->any.sa_family == (family == RESOLVE_IPV4 ? AF_INET : AF_INET6);
}

/* Takes the addresses over that may be connected to. */
static void take(struct session *session, const struct lookup_result *result)
{
    struct forward *forward = session->facts->forward;
    const struct backend_conf *backend = session->backend->conf;
    const struct server_conf *server = forwarding_server(backend);
    char text[ADDRESS_TEXT_MAX];
    forward->status = result->status;
    for (size_t i = 0; i < result->count; i++) {
        struct address address = result->addresses[i];
        set_port(&address, server->sni_port);
        if (!is_of_family(&address, backend->resolve_family))
            continue;
        if (!address_is_wildcard(&address) && !is_own(session->set->service->config, &address)) {
            forward->addresses[forward->count++] = address;
            continue;
        }
        forward->loops = true;
        log_debug("server %s/%s: %s has the address %s, which is this proxy itself", backend->name,
                  server->name, session->facts->server_name, address_format(&address, text));
    }
    if (forward->count == 0 && forward->status == ANSWER_OK)
        forward->status = ANSWER_NO_DATA;
}

static void on_answer(const struct lookup_result *result, void *arg)
{
    struct session *session = arg;
    session->facts->forward->lookup = NULL;
    take(session, result);
    stages_news(session);
}

static bool is_number(const char *name)
{
    struct in6_addr address;
    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static enum stage_verdict begin(struct session *session, const struct server_conf *server)
{
    struct facts *facts = session->facts;
    if (!facts || !facts->server_name)
        return refuse(session, SESSION_NO_ROUTE);
    if (is_number(facts->server_name) ||
        name_map_find(server->allow.names, facts->server_name) == NAME_NO_VALUE)
        return deny(session);
    struct forward *forward = facts->forward = calloc(1, sizeof *facts->forward);
    if (forward)
        forward->lookup = lookup_begin(session->set->service->lookups, &session->set->loop.tasks,
                                       facts->server_name, on_answer, session);
    return forward && forward->lookup ? STAGE_WAITS : refuse(session, SESSION_NO_RESOURCES);
}

static enum stage_verdict decide(struct session *session, const struct stage *stage,
                                 enum stage_occasion occasion)
{
    (void)stage;
    const struct server_conf *server = forwarding_server(session->backend->conf);
    if (!server)
        return STAGE_PASSES;
    if (occasion == STAGE_BEGINS)
        return begin(session, server);
    const struct forward *forward = session->facts->forward;
    if (forward->lookup)
        return STAGE_WAITS;
    if (forward->count > 0)
        return STAGE_PASSES;
    if (forward->loops)
        return deny(session);
    log_debug("server %s/%s: %s: %s", session->backend->conf->name, server->name,
              session->facts->server_name, answer_text(forward->status));
    return refuse(session, SESSION_UNRESOLVED);
}

static void cancel(struct session *session, const struct stage *stage)
{
    (void)stage;
    struct forward *forward = session->facts ? session->facts->forward : NULL;
    if (forward && forward->lookup)
        lookup_cancel(forward->lookup);
}

const struct resolver_conf *forwarding_resolver(const struct config *config)
{
    for (size_t i = 0; i < config->backend_count; i++)
        if (forwarding_server(&config->backends[i]))
            return &config->resolver;
    return NULL;
}

unsigned forwarding_descriptors(const struct config *config)
{
    const struct resolver_conf *conf = forwarding_resolver(config);
    return conf ? resolver_descriptors(conf) : 0;
}

static bool forwards(const struct backend_conf *backend)
{
    return forwarding_server(backend);
}

int forwarding_make(const struct service *service, struct frontend *frontend, struct stage **stage)
{
    *stage = NULL;
    if (!targets_any(service->config, frontend->conf, forwards))
        return 0;
    struct forwarding *forwarding = calloc(1, sizeof *forwarding);
    if (!forwarding)
        return ENOMEM;
    forwarding->service = service;
    forwarding->stage = (struct stage){
        .state = SESSION_ROUTING,
        .refused = SESSION_NO_ROUTE,
        .overdue = SESSION_UNRESOLVED,
        .deadline = DEADLINE_MS,
        .decide = decide,
        .cancel = cancel,
    };
    *stage = &forwarding->stage;
    return 0;
}
