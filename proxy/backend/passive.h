/* What follows when sessions fail at a server: ejection.h has the rules, this module carries them
 * out. For the main thread. */
#ifndef RPPROXY_PROXY_BACKEND_PASSIVE_H
#define RPPROXY_PROXY_BACKEND_PASSIVE_H

#include "proxy/backend/server.h"

/* So many sessions have failed at the server just now. Ejects it, if it is time and if that is
 * allowed; logged. now: CLOCK_MONOTONIC, milliseconds. */
void passive_note_failures(struct server *server, unsigned count, uint64_t now);

/* The task of a server (server->failures_task). */
void passive_on_failures(void *server);

#endif
