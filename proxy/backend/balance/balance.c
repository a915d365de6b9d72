#include "proxy/backend/balance/balance.h"

#include "proxy/backend/balance/first.h"
#include "proxy/backend/balance/keyed.h"
#include "proxy/backend/balance/leastconn.h"
#include "proxy/backend/balance/roundrobin.h"

const struct balance_algorithm *balance_algorithm(enum balance balance)
{
    static const struct balance_algorithm *const algorithms[] = {
        [BALANCE_ROUNDROBIN] = &balance_roundrobin, [BALANCE_LEASTCONN] = &balance_leastconn,
        [BALANCE_RANDOM] = &balance_random,         [BALANCE_FIRST] = &balance_first,
        [BALANCE_SOURCE] = &balance_source,         [BALANCE_MAGLEV] = &balance_maglev,
    };
    return algorithms[balance];
}

/* The version is read before the shares and the set: a change that comes meanwhile is another
 * version, and is noticed at the next choice. */
static bool refresh(struct balancer *balancer, unsigned version)
{
    if (!balancer->algorithm->refresh(balancer, backend_servers(balancer->backend)))
        return false;
    balancer->version = version;
    return true;
}

static unsigned version_of(const struct backend *backend)
{
    return atomic_load_explicit(&backend->version, memory_order_acquire);
}

struct balancer *balancer_new(const struct backend *backend, unsigned worker)
{
    const struct balance_algorithm *algorithm = backend->algorithm;
    const struct choice any = {0};
    struct balancer *balancer = algorithm->make();
    if (!balancer)
        return NULL;
    balancer->algorithm = algorithm;
    balancer->backend = backend;
    if (!refresh(balancer, version_of(backend))) {
        algorithm->free(balancer);
        return NULL;
    }
    for (unsigned i = 0; balancer->usable && i < worker % balancer->usable; i++)
        (void)algorithm->next(balancer, &any);
    return balancer;
}

void balancer_free(struct balancer *balancer)
{
    if (balancer)
        balancer->algorithm->free(balancer);
}

static inline void notice_changes(struct balancer *balancer)
{
    unsigned version = version_of(balancer->backend);
    if (version != balancer->version)
        (void)refresh(balancer, version);
}

struct server *balancer_next(struct balancer *balancer, const struct choice *choice)
{
    notice_changes(balancer);
    return balancer->algorithm->next(balancer, choice);
}

bool balancer_has_usable(struct balancer *balancer)
{
    notice_changes(balancer);
    return balancer->usable > 0;
}
