/* What `rpproxy status --json` says of a server. */
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

#endif
