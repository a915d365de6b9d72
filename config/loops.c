#include "config/loops.h"

#include "config/base/memory.h"
#include "config/base/path.h"

#include <ifaddrs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A bind that a server may have the address of. */
struct entrance {
    const struct bind_conf *bind;
    const struct frontend_conf *frontend;
    char *path; /* the path of a Unix bind, without symbolic links; else NULL */
};

/* A server that is a bind: its sessions go from backend `from` to backend `to`. */
struct edge {
    size_t from, to; /* index in the config */
    const struct server_conf *server;
    const struct place *place;
    const struct entrance *entrance;
    bool gone; /* not part of a loop */
};

struct graph {
    const struct config *config;
    struct entrance *entrances; /* sorted by port; the port of a Unix path is 0 */
    size_t entrance_count;
    struct edge *edges;
    size_t edge_count;
    size_t edge_capacity;
    struct ifaddrs *interfaces; /* NULL: not read yet */
};

/* --- binds --------------------------------------------------------------------------------- */

static int by_port(const void *left, const void *right)
{
    const struct entrance *a = left;
    const struct entrance *b = right;
    unsigned one = address_port(&a->bind->address), other = address_port(&b->bind->address);
    return one < other ? -1 : one > other;
}

static void find_entrances(struct graph *graph)
{
    const struct config *config = graph->config;
    size_t count = 0;
    for (size_t i = 0; i < config->frontend_count; i++)
        count += config->frontends[i].bind_count;
    graph->entrances = memory_new(count, sizeof *graph->entrances);
    for (size_t i = 0; i < config->frontend_count; i++)
        for (size_t j = 0; j < config->frontends[i].bind_count; j++) {
            const struct bind_conf *bind = &config->frontends[i].binds[j];
            if (bind_is_activated(bind) || !config->frontends[i].backend)
                continue;
            struct entrance *entrance = &graph->entrances[graph->entrance_count++];
            *entrance = (struct entrance){.bind = bind, .frontend = &config->frontends[i]};
            if (address_is_unix(&bind->address))
                entrance->path = path_plain(bind->address.un.sun_path, false);
        }
    if (graph->entrance_count)
        qsort(graph->entrances, graph->entrance_count, sizeof *graph->entrances, by_port);
}

/* Returns the index of the first entrance with that port or a higher one. */
static size_t first_of_port(const struct graph *graph, unsigned port)
{
    size_t low = 0, high = graph->entrance_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (address_port(&graph->entrances[middle].bind->address) < port)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
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

static bool is_of_this_machine(struct graph *graph, const struct address *address)
{
    if (address->any.sa_family == AF_INET && ntohl(address->in.sin_addr.s_addr) >> 24 == 127)
        return true;
    if (!graph->interfaces && getifaddrs(&graph->interfaces))
        graph->interfaces = NULL;
    for (const struct ifaddrs *at = graph->interfaces; at; at = at->ifa_next)
        if (same_ip(address, at->ifa_addr))
            return true;
    return false;
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

static const struct entrance *find_unix(const struct graph *graph, const struct address *server)
{
    const struct entrance *found = NULL;
    char *path = path_plain(server->un.sun_path, true);
    for (size_t i = 0; i < graph->entrance_count && graph->entrances[i].path && !found; i++)
        if (strcmp(graph->entrances[i].path, path) == 0)
            found = &graph->entrances[i];
    free(path);
    return found;
}

/* Returns the bind that accepts a connection to the server, or NULL. The kernel prefers a bind of
 * the exact address to a wildcard. */
static const struct entrance *find_entrance(struct graph *graph, const struct address *server)
{
    if (address_is_unix(server))
        return find_unix(graph, server);
    const struct address address = destination(server);
    unsigned port = address_port(&address);
    const struct entrance *wildcard = NULL;
    for (size_t i = first_of_port(graph, port); i < graph->entrance_count; i++) {
        const struct entrance *entrance = &graph->entrances[i];
        if (address_port(&entrance->bind->address) != port)
            break;
        if (address_equal(&entrance->bind->address, &address))
            return entrance;
        if (address_covers(&entrance->bind->address, &address))
            wildcard = entrance;
    }
    return wildcard && is_of_this_machine(graph, &address) ? wildcard : NULL;
}

/* --- loops --------------------------------------------------------------------------------- */

static void find_edges(struct graph *graph, const struct place *places)
{
    const struct config *config = graph->config;
    for (size_t i = 0; i < config->backend_count; i++)
        for (size_t j = 0; j < config->backends[i].server_count; j++, places++) {
            const struct server_conf *server = &config->backends[i].servers[j];
            const struct entrance *entrance = find_entrance(graph, &server->address);
            if (!entrance)
                continue;
            graph->edges = memory_grow(graph->edges, graph->edge_count, &graph->edge_capacity,
                                       sizeof *graph->edges);
            graph->edges[graph->edge_count++] =
                (struct edge){.from = i,
                              .to = (size_t)(entrance->frontend->backend - config->backends),
                              .server = server,
                              .place = places,
                              .entrance = entrance};
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
    find_entrances(&graph);
    find_edges(&graph, places);
    if (graph.edge_count)
        prune(&graph);
    for (size_t i = 0; i < graph.edge_count; i++) {
        const struct edge *edge = &graph.edges[i];
        if (!edge->gone)
            problem_add(problems, *edge->place,
                        "server '%s': %s is bind %s of frontend %s of this proxy; each session "
                        "would return to backend %s, without end",
                        edge->server->name, edge->server->text, edge->entrance->bind->text,
                        edge->entrance->frontend->name, config->backends[edge->from].name);
    }
    if (graph.interfaces)
        freeifaddrs(graph.interfaces);
    for (size_t i = 0; i < graph.entrance_count; i++)
        free(graph.entrances[i].path);
    free(graph.entrances);
    free(graph.edges);
}
