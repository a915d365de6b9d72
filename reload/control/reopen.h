/* The answer to `rpproxy reopen`: this process and all others open their log files again. It comes
 * when the last of them writes to the new file, so that the old one can be compressed or removed,
 * or when one has failed or has not answered in time. */
#ifndef RPPROXY_RELOAD_CONTROL_REOPEN_H
#define RPPROXY_RELOAD_CONTROL_REOPEN_H

#include <jansson.h>

struct client;

/* request: {"alone": true}: of the others only those that drain, since only this process has a
 * channel to them. */
void reopen_answer(struct client *client, const json_t *request);

#endif
