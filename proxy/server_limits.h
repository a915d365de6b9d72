/* The limits of servers (maxconn) over several processes: this process's part of the rule that
 * core/limit_shares.h explains.
 *
 * Each process writes what it uses and claims into its shared stats. The main thread of each looks
 * at the others every 20 ms while there are others. So a place that comes free in one process, and
 * is needed in another, is used there up to 40 ms later; but all processes together never have more
 * sessions on a server than maxconn, not even in the moments after a reload.
 *
 * max-queue counts those that wait in all processes, as each process last saw the others.
 *
 * A process that retires keeps what it uses and what its waiters need, as far as it has it. So its
 * queue is served in its order, before the clients of the new process; it has an end, because no
 * new clients come to it. Where the new process's maxconn is another one, that is the limit for
 * all.
 *
 * For the main thread. */
#ifndef RPPROXY_PROXY_SERVER_LIMITS_H
#define RPPROXY_PROXY_SERVER_LIMITS_H

#include "proxy/proxy.h"

/* Another process that lives; those that are known stand in the order of their generations. */
struct limits_peer {
    const struct stats *stats;
    bool elder; /* than this process */
};

/* From now on clients come to the process, or not any more; the next look says so to others. */
static inline void server_limits_accept(struct proxy *proxy, bool accepts)
{
    proxy->accepts_clients = accepts;
}

/* Lowers and raises the shares of this process. count 0: it is alone. */
void server_limits_look(struct proxy *proxy, const struct limits_peer *peers, size_t count);

/* True: sessions wait for a place of a server. */
bool server_limits_wait(const struct proxy *proxy);

/* True: a server has maxconn. */
bool server_limits_exist(const struct proxy *proxy);

#endif
