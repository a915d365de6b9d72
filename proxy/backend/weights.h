/* The shares of a backend's servers: what the states of all of them, the election, the slow start
 * and the time make of their weights. The workers see the result (server_share(), backend->table).
 *
 * For the main thread. */
#ifndef RPPROXY_PROXY_BACKEND_WEIGHTS_H
#define RPPROXY_PROXY_BACKEND_WEIGHTS_H

#include "proxy/backend/server.h"

/* Computes all shares anew, publishes those that have changed, and sets the timer, if there is one.
 * now: CLOCK_MONOTONIC, milliseconds. Ejections that are over end. tell: changes of who serves are
 * logged, and all ejections end where no other server is usable; false while states of another
 * process are taken over one by one. */
void weights_publish(struct backend *backend, uint64_t now, bool tell);

#endif
