#include "proxy/session/source_place.h"

#include "config/base/clock.h"

#include <string.h>
#include <xxhash.h>

/* No client has this address: the lower half of that of an IPv4 client is 0. */
static struct source_key key_of_frontend(const struct frontend *frontend)
{
    return (struct source_key){UINT64_MAX, frontend->source_owner};
}

enum source_verdict source_place_enter(struct service *service, const struct frontend *frontend,
                                       const struct sockaddr *source, uint64_t now, bool *counted)
{
    const struct frontend_conf *conf = frontend->conf;
    const struct source_limits limits = {conf->max_sessions_per_source, conf->rate_per_source};
    struct source_key key;
    *counted = false;
    if (!source_key_make(&key, source, frontend->source_owner))
        return SOURCE_COMES_IN;
    enum source_verdict verdict = sources_enter(service->sources, &key, &limits, now);
    *counted = verdict == SOURCE_COMES_IN && limits.sessions > 0;
    return verdict;
}

bool source_place_arrive(struct service *service, const struct frontend *frontend,
                         const struct sockaddr *source)
{
    struct source_key key;
    return frontend->conf->max_sessions_per_source > 0 &&
           source_key_make(&key, source, frontend->source_owner) &&
           sources_enter_anyway(service->sources, &key, clock_ms() * 1000000);
}

void source_place_leave(struct service *service, const struct frontend *frontend,
                        const struct sockaddr *source)
{
    struct source_key key;
    if (source_key_make(&key, source, frontend->source_owner))
        sources_leave(service->sources, &key);
}

void frontend_rate_open(struct service *service, struct frontend *frontend)
{
    const char *name = frontend->conf->name;
    frontend->source_owner = XXH3_64bits(name, strlen(name)) & ~UINT64_C(1);
    const struct source_key key = key_of_frontend(frontend);
    if (frontend->conf->max_rate.count > 0)
        (void)sources_enter_anyway(service->sources, &key, 0);
}

bool frontend_rate_take(struct service *service, const struct frontend *frontend, uint64_t now,
                        uint64_t *taken)
{
    const struct source_key key = key_of_frontend(frontend);
    return sources_take(service->sources, &key, frontend->conf->max_rate, now, taken);
}

void frontend_rate_give_back(struct service *service, const struct frontend *frontend, uint64_t now,
                             uint64_t taken)
{
    const struct source_key key = key_of_frontend(frontend);
    sources_give_back(service->sources, &key, frontend->conf->max_rate, now, taken);
}
