#include "config/loops.h"

#include "config/base/memory.h"
#include "config/base/path.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bind that a server may have the address of. */
struct own_bind {
    const struct bind_conf *bind;
    const struct frontend_conf *frontend;
    char *path; /* the path of a Unix bind, without symbolic links; NULL: it has none */
};

/* A server that is a bind: its sessions go from backend `from` to backend `to`. */
struct edge {
    size_t from, to; /* index in the config */
    const struct server_conf *server;
    const struct place *place;
    const struct own_bind *own_bind;
    bool gone; /* not part of a loop */
};

struct graph {
    const struct config *config;
    struct own_bind *own_binds; /* sorted by port; the port of a Unix path is 0 */
    size_t own_bind_count;
    struct edge *edges;
    size_t edge_count;
    size_t edge_capacity;
    struct ifaddrs *interfaces; /* NULL: not read yet */
};

/* --- binds --------------------------------------------------------------------------------- */

static int by_port(const void *left, const void *right)
{
    const struct own_bind *a = left;
    const struct own_bind *b = right;
    unsigned one = address_port(&a->bind->at.address), other = address_port(&b->bind->at.address);
    return one < other ? -1 : one > other;
}

/* The backend that a session reaches regardless of what its client says; NULL: there is none. A
 * loop through other routes may end, since the same session may go another way the second time. */
static const struct backend_conf *certain_backend(const struct config *config,
                                                  const struct frontend_conf *frontend)
{
    for (size_t i = 0; i < frontend->routes.count; i++) {
        const struct route *route = &frontend->routes.items[i];
        if (route->condition_count == 0 && !route->map.file)
            return route->backend < config->backend_count ? &config->backends[route->backend]
                                                          : NULL;
    }
    return frontend->backend;
}

static void find_own_binds(struct graph *graph)
{
    const struct config *config = graph->config;
    size_t count = 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        count += config->frontends[i].bind_count;
    graph->own_binds = memory_new(count, sizeof *graph->own_binds);
    for (size_t i = 0; i < config->frontend_count; i++)
        for (size_t j = 0; j < config->frontends[i].bind_count; j++) {
            const struct bind_conf *bind = &config->frontends[i].binds[j];
            if (bind_is_activated(bind) || !certain_backend(config, &config->frontends[i]))
                continue;
            struct own_bind *own_bind = &graph->own_binds[graph->own_bind_count++];
            *own_bind = (struct own_bind){.bind = bind, .frontend = &config->frontends[i]};
            if (address_is_unix(&bind->at.address) && !address_is_abstract(&bind->at.address))
                own_bind->path = path_plain(bind->at.address.un.sun_path, false);
        }
    if (graph->own_bind_count)
        qsort(graph->own_binds, graph->own_bind_count, sizeof *graph->own_binds, by_port);
}

/* Returns the index of the first own_bind with that port or a higher one. */
static size_t first_of_port(const struct graph *graph, unsigned port)
{
    size_t low = 0, high = graph->own_bind_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (address_port(&graph->own_binds[middle].bind->at.address) < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void free_own_binds(struct graph *graph)
{
    for (size_t i = 0; i < graph->own_bind_count; i++)
        free(graph->own_binds[i].path);
    free(graph->own_binds);
}

/* --- servers ------------------------------------------------------------------------------- */

static bool same_ip(const struct address *address, const struct sockaddr *other)
{
    struct address there = *address;
    if (!other || other->sa_family != address->any.sa_family)
        return false;
    if (other->sa_family == AF_INET)
        there.in.sin_addr = ((const struct sockaddr_in *)(const void *)other)->sin_addr;
    else
        there.in6.sin6_addr = ((const struct sockaddr_in6 *)(const void *)other)->sin6_addr;
    return address_equal(address, &there);
}

/* interface: only an address of this one; NULL: of any. */
static bool is_of_this_machine(struct graph *graph, const struct address *address,
                               const char *interface)
{
    if (address->any.sa_family == AF_INET && ntohl(address->in.sin_addr.s_addr) >> 24 == 127)
        return !interface || strcmp(interface, "lo") == 0;
    if (!graph->interfaces && getifaddrs(&graph->interfaces))
        graph->interfaces = NULL;
    for (const struct ifaddrs *at = graph->interfaces; at; at = at->ifa_next)
        if (same_ip(address, at->ifa_addr) && (!interface || strcmp(at->ifa_name, interface) == 0))
            return true;
    return false;
}

/* They are read again when they are needed next. */
static void forget_interfaces(struct graph *graph)
{
    if (graph->interfaces)
        freeifaddrs(graph->interfaces);
    graph->interfaces = NULL;
}

/* Returns the address to which connect(2) goes for this server. */
static struct address destination(const struct address *server)
{
    struct address address = *server;
    address_unmap(&address);
    if (!address_is_wildcard(&address))
        return address;
    if (address.any.sa_family == AF_INET)
        address.in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    else
        address.in6.sin6_addr = in6addr_loopback;
    return address;
}

static const struct own_bind *find_unix(const struct graph *graph, const struct address *server)
{
    const struct own_bind *found = NULL;
    char *path = address_is_abstract(server) ? NULL : path_plain(server->un.sun_path, true);
    for (size_t i = 0; i < graph->own_bind_count && !found; i++) {
        const struct own_bind *own_bind = &graph->own_binds[i];
        if (address_port(&own_bind->bind->at.address) != 0)
            break;
        if (path ? own_bind->path && strcmp(own_bind->path, path) == 0
                 : address_equal(&own_bind->bind->at.address, server))
            found = own_bind;
    }
    free(path);
    return found;
}

/* How close the bind is to a connection of this machine to the address: the kernel prefers the
 * exact address to a wildcard, then the interface, then IPv4 to a socket for both. 0: no such
 * connection comes to it. A connection to an own address comes by the interface that has it. */
static unsigned closeness(struct graph *graph, const struct listen_address *bind,
                          const struct listen_address *address)
{
    const bool exact = address_equal(&bind->address, &address->address);
    const bool of_interface = bind->interface[0] != '\0';
    struct listen_address any = *bind;
    any.interface[0] = '\0';
    if (!exact && !listen_address_covers(&any, address))
        return 0;
    if (of_interface && !is_of_this_machine(graph, &address->address, bind->interface))
        return 0;
    return 1u + (exact ? 4 : 0) + (of_interface ? 2 : 0) + (bind->dual_stack ? 0 : 1);
}

/* Returns the bind that accepts a connection to the server, or NULL. */
static const struct own_bind *find_own_bind(struct graph *graph, const struct address *server)
{
    if (address_is_unix(server))
        return find_unix(graph, server);
    const struct address address = destination(server);
    unsigned port = address_port(&address);
    const struct listen_address at = {.address = address};
    const struct own_bind *closest = NULL;
    unsigned best = 0;
    for (size_t i = first_of_port(graph, port); i < graph->own_bind_count; i++) {
        const struct own_bind *own_bind = &graph->own_binds[i];
        if (address_port(&own_bind->bind->at.address) != port)
            break;
        unsigned here = closeness(graph, &own_bind->bind->at, &at);
        if (here > best)
            closest = own_bind;
        best = here > best ? here : best;
    }
    if (!closest || address_equal(&closest->bind->at.address, &address))
        return closest;
    return is_of_this_machine(graph, &address, NULL) ? closest : NULL;
}

/* --- loops --------------------------------------------------------------------------------- */

/* A server that has the port to which the client came: the bind of the same backend to which it
 * leads. NULL: there is none. A shifted port is another one after each round, up to the last. */
static const struct own_bind *find_of_kept_port(struct graph *graph, size_t backend,
                                                const struct server_conf *server)
{
    const struct backend_conf *from = &graph->config->backends[backend];
    for (size_t i = 0; server->port_shift == 0 && i < graph->own_bind_count; i++) {
        const struct own_bind *came = &graph->own_binds[i];
        struct address address = server->address;
        address_set_port(&address, address_port(&came->bind->at.address));
        if (address_port(&address) == 0 || certain_backend(graph->config, came->frontend) != from)
            continue;
        const struct own_bind *found = find_own_bind(graph, &address);
        if (found && certain_backend(graph->config, found->frontend) == from)
            return found;
    }
    return NULL;
}

static void find_edges(struct graph *graph, const struct place *places)
{
    const struct config *config = graph->config;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++, places++) {
            const struct server_conf *server = &config->backends[i].servers[j];
            const struct own_bind *own_bind = server->host || server->sni_port ? NULL
                                              : server->keeps_port
                                                  ? find_of_kept_port(graph, i, server)
                                                  : find_own_bind(graph, &server->address);
            if (!own_bind)
                continue;
            graph->edges = memory_grow(graph->edges, graph->edge_count, &graph->edge_capacity,
                                       sizeof *graph->edges);
            graph->edges[graph->edge_count++] = (struct edge){
                .from = i,
                .to = (size_t)(certain_backend(config, own_bind->frontend) - config->backends),
                .server = server,
                .place = places,
                .own_bind = own_bind};
        }
}

/* Marks edges as gone, repeatedly, if no edge follows or no edge leads to them. What remains are
 * loops and the edges between two loops. */
static void prune(struct graph *graph)
{
    size_t count = graph->config->backend_count;
    size_t *in = memory_new(count, sizeof *in);
    size_t *out = memory_new(count, sizeof *out);
    for (size_t i = 0; i < graph->edge_count; i++) {
        out[graph->edges[i].from]++;
        in[graph->edges[i].to]++;
    }
    bool changed = true;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < graph->edge_count; i++) {
            struct edge *edge = &graph->edges[i];
            if (edge->gone || (out[edge->to] > 0 && in[edge->from] > 0))
                continue;
            edge->gone = changed = true;
            out[edge->from]--;
            in[edge->to]--;
        }
    }
    free(in);
    free(out);
}

void loops_check(const struct config *config, const struct place *places, struct problems *problems)
{
    struct graph graph = {.config = config};
    find_own_binds(&graph);
    find_edges(&graph, places);
    if (graph.edge_count)
        prune(&graph);
    for (size_t i = 0; i < graph.edge_count; i++) {
        const struct edge *edge = &graph.edges[i];
        if (!edge->gone)
            problem_add(problems, *edge->place,
                        "server '%s': %s is bind %s of frontend %s of this proxy; each session "
                        "would return to backend %s, without end",
                        edge->server->name, edge->server->text, edge->own_bind->bind->text,
                        edge->own_bind->frontend->name, config->backends[edge->from].name);
    }
    forget_interfaces(&graph);
    free_own_binds(&graph);
    free(graph.edges);
}

/* --- for addresses that come later --------------------------------------------------------- */

struct loops {
    struct graph graph;
    bool *seen;    /* of each backend */
    size_t *stack; /* backends to look at */
};

struct loops *loops_new(const struct config *config)
{
    struct loops *loops = memory_new(1, sizeof *loops);
    loops->graph.config = config;
    find_own_binds(&loops->graph);
    loops->seen = memory_new(config->backend_count, sizeof *loops->seen);
    loops->stack = memory_new(config->backend_count, sizeof *loops->stack);
    return loops;
}

void loops_free(struct loops *loops)
{
    if (!loops)
        return;
    free_own_binds(&loops->graph);
    free(loops->seen);
    free(loops->stack);
    free(loops);
}

static size_t backend_of(const struct graph *graph, const struct own_bind *own_bind)
{
    return (size_t)(own_bind->frontend->backend - graph->config->backends);
}

/* Whether sessions of backend `at` can come to backend `wanted`. */
static bool leads_to(struct loops *loops, size_t at, size_t wanted, loops_address *addresses,
                     void *arg)
{
    struct graph *graph = &loops->graph;
    size_t count = 1;
    memset(loops->seen, 0, graph->config->backend_count * sizeof *loops->seen);
    loops->stack[0] = at;
    loops->seen[at] = true;
    while (count > 0) {
        at = loops->stack[--count];
        if (at == wanted)
            return true;
        const struct address *address;
        for (size_t i = 0; (address = addresses(at, i, arg)); i++) {
            /* Paths of Unix sockets need memory to be compared, and names never give one. */
            const struct own_bind *own_bind =
                address->length && !address_is_unix(address) ? find_own_bind(graph, address) : NULL;
            size_t next = own_bind ? backend_of(graph, own_bind) : at;
            if (loops->seen[next])
                continue;
            loops->seen[next] = true;
            loops->stack[count++] = next;
        }
    }
    return false;
}

const struct bind_conf *loops_find(struct loops *loops, size_t from, const struct address *address,
                                   loops_address *addresses, void *arg,
                                   const struct frontend_conf **frontend)
{
    struct graph *graph = &loops->graph;
    const struct own_bind *own_bind = find_own_bind(graph, address);
    bool loop = own_bind && leads_to(loops, backend_of(graph, own_bind), from, addresses, arg);
    forget_interfaces(graph);
    if (!loop)
        return NULL;
    *frontend = own_bind->frontend;
    return own_bind->bind;
}
