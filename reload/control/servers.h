/* Servers as their operator sees and changes them: for `rpproxy status` and `rpproxy server`. */
#ifndef RPPROXY_RELOAD_CONTROL_SERVERS_H
#define RPPROXY_RELOAD_CONTROL_SERVERS_H

#include "proxy/proxy.h"
#include "proxy/stats/tally_sums.h"
#include "reload/base/exit_status.h"

#include <jansson.h>

/* All backends with their servers, as `status --json` has them, with the sums of all generations. A
 * new reference, or NULL when memory is out. */
json_t *servers_json(const struct proxy *proxy, const struct tally_sums *sums)
    __attribute__((warn_unused_result));

/* Does what `rpproxy server WHICH WHAT` asks for: WHICH is BACKEND/SERVER, WHAT is ready, drain,
 * maint or weight=N; either may be NULL, or anything. EXIT_DONE, and text says how the server is
 * now; or EXIT_OTHER, and it says what is wrong, and nothing has changed. */
#define SERVERS_TEXT_MAX 1024
enum exit_status servers_command(struct proxy *proxy, const char *which, const char *what,
                                 char text[static SERVERS_TEXT_MAX]);

#endif
