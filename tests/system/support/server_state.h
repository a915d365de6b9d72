/* What `rpproxy status --json` says of a server, and of a backend. */
#ifndef TESTS_SYSTEM_SERVER_STATE_H
#define TESTS_SYSTEM_SERVER_STATE_H

#include "tests/system/support/proxy.h"

/* Copies the member `key` of the server, a string, to text; "" where it is null. */
void server_text(const struct proxy *proxy, const char *backend, const char *server,
                 const char *key, char text[static 256]);

/* Waits until the check state of the server is `check`, and its last check said something that
 * contains `said`. NULL: anything. */
void server_await(const struct proxy *proxy, const char *backend, const char *server,
                  const char *check, const char *said);

/* A number in the first backend; -1: it has none of that name. */
long long backend_figure(const struct proxy *proxy, const char *name);

/* Waits until so many sessions are in the queue of the first backend. Clients that are to stand in
 * it in an order connect each after the one before has come there. */
void wait_waiting(const struct proxy *proxy, unsigned count);

#endif
