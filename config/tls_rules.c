#include "config/tls_rules.h"

#include "config/tls/tls_server.h"
#include "config/tls/tls_target.h"

#include <string.h>

/* --- frontends ----------------------------------------------------------------------------- */

static const struct bind_conf *find_tls_bind(const struct frontend_conf *frontend)
{
    for (size_t i = 0; i < frontend->bind_count; i++)
        if (frontend->binds[i].tls)
            return &frontend->binds[i];
    return NULL;
}

static const struct route *find_termination(const struct frontend_conf *frontend)
{
    for (size_t i = 0; i < frontend->routes.count; i++)
        if (frontend->routes.items[i].terminates)
            return &frontend->routes.items[i];
    return NULL;
}

static bool asks_certificate(const struct route *route)
{
    for (size_t i = 0; i < route->condition_count; i++)
        if (route->conditions[i].kind == CONDITION_CLIENT_CERT)
            return true;
    return false;
}

static void check_routes(const struct frontend_conf *frontend, struct problems *problems)
{
    for (size_t i = 0; i < frontend->routes.count; i++) {
        const struct route *route = &frontend->routes.items[i];
        if (!asks_certificate(route))
            continue;
        if (route->terminates)
            problem_add(problems, route->place,
                        "route: client-cert is not known yet where tls:terminate decides; a bind "
                        "with tls=yes ends TLS before the routes");
        else if (!frontend->tls.client_ca.path)
            problem_add(problems, route->place,
                        "route: client-cert needs client-ca: without it no client is asked for a "
                        "certificate");
        else if (!find_tls_bind(frontend))
            problem_add(problems, route->place, "route: client-cert needs a bind with tls=yes");
    }
}

/* The line of the bind. */
static struct place place_of(const struct section *section, const struct bind_conf *bind)
{
    for (size_t i = 0; i < section->members.count; i++) {
        const struct entry *entry = &section->members.items[i];
        if (entry->option->type == OPTION_BIND && entry->place.line == bind->line)
            return entry->place;
    }
    return section->place;
}

static bool has_certificate(const struct tls_certificates *certificates)
{
    for (size_t i = 0; i < certificates->count; i++)
        if (certificates->list[i].from->count > 0)
            return true;
    return false;
}

/* A file that could not be read was reported, and so were its options. */
static bool is_whole(const struct tls_conf *conf)
{
    bool whole = conf->ciphers && conf->ciphersuites && conf->curves &&
                 (!conf->client_ca.path || conf->client_ca.store) &&
                 (!conf->client_crl.path || conf->client_crl.list) &&
                 (!conf->ticket_keys.path || conf->ticket_keys.file);
    for (size_t i = 0; i < conf->certificates.count; i++)
        whole &= conf->certificates.list[i].from->count > 0;
    return whole;
}

void tls_rules_frontend(const struct section *section, struct frontend_conf *frontend, bool closed,
                        struct problems *problems)
{
    const struct tls_conf *conf = &frontend->tls;
    const struct bind_conf *bind = find_tls_bind(frontend);
    const struct route *route = bind ? NULL : find_termination(frontend);
    check_routes(frontend, problems);
    if (!bind && !route)
        return;
    const struct place place = bind ? place_of(section, bind) : route->place;
    const struct entry *min = section_setting(section, option_find(SECTION_FRONTEND, "tls-min"));
    const struct entry *max = section_setting(section, option_find(SECTION_FRONTEND, "tls-max"));
    if (conf->min > conf->max)
        problem_add(problems,
                    min   ? min->place
                    : max ? max->place
                          : section->place,
                    "tls-min is higher than tls-max");
    else if (conf->certificates.count == 0)
        problem_add(problems, place, "%s needs a certificate; add 'certificate = FILE'",
                    bind ? "bind: tls=yes" : "route: tls:terminate");
    else if (!closed && has_certificate(&conf->certificates) && is_whole(conf))
        frontend->tls_server = tls_server_new(conf, frontend->name, place, problems);
}

/* --- servers ------------------------------------------------------------------------------- */

static const char *without_tls(const struct tls_target_conf *conf)
{
    if (conf->verify)
        return "verify is possible only with tls=yes";
    if (conf->crl)
        return "crl is possible only with tls=yes";
    if (conf->sni)
        return "sni is possible only with tls=yes";
    if (conf->verify_name)
        return "verify-name is possible only with tls=yes";
    if (conf->alpn.count > 0)
        return "alpn is possible only with tls=yes";
    if (conf->certificate)
        return "cert is possible only with tls=yes";
    return NULL;
}

static const char *check(const struct server_conf *server)
{
    const struct tls_target_conf *conf = &server->tls_conf;
    if (!conf->verify)
        return "tls=yes needs verify=FILE (its authorities), verify=system (those of the system) "
               "or verify=none (any certificate will do)";
    if (server->sni_port)
        return "tls=yes is not possible for a server sni:PORT";
    const bool verifies = strcmp(conf->verify, "none") != 0, named = conf->sni || conf->verify_name;
    if (!verifies && conf->verify_name)
        return "verify-name has no effect with verify=none";
    if (!verifies && conf->crl)
        return "crl has no effect with verify=none";
    if (verifies && server->service && !named)
        return "tls=yes with srv:NAME needs sni=NAME or verify-name=NAME: nothing proves the names "
               "that SRV records tell";
    if (verifies && address_is_unix(&server->address) && !named)
        return "tls=yes to a Unix socket needs sni=NAME or verify-name=NAME, or verify=none";
    return NULL;
}

const char *tls_rules_server(struct server_conf *server, bool closed)
{
    const struct tls_target_conf *conf = &server->tls_conf;
    const char *host = server->service ? NULL : server->host;
    const char *wrong = conf->on ? check(server) : without_tls(conf);
    if (wrong || !conf->on || closed || (conf->certificate && conf->certificate->count == 0))
        return wrong;
    return tls_target_new(conf, host, &server->address, &server->tls);
}
