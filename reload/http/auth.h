/* Who asks: HTTP Basic authentication (RFC 7617) by the users of metrics-auth.
 *
 * A hash of crypt(3) costs milliseconds by its nature. So a header that was right is remembered (as
 * a keyed hash), and costs nothing the next time; and wrong ones are limited, for each source and
 * for all together: beyond the limits nothing is computed. All comparisons take the same time,
 * regardless of what is wrong, and an unknown user costs what a known one does.
 *
 * One thread. */
#ifndef RPPROXY_RELOAD_HTTP_AUTH_H
#define RPPROXY_RELOAD_HTTP_AUTH_H

#include "config/model/metrics.h"

#include <stdbool.h>
#include <stdint.h>

enum auth_verdict {
    AUTH_NONE,    /* no user, or a wrong one */
    AUTH_LIMITED, /* too many wrong ones: nothing was compared */
    AUTH_USER,
    AUTH_ADMIN,
};

struct auth;

/* users must outlive it. NULL: out of memory, or without random numbers. */
struct auth *auth_new(const struct metrics_users *users) __attribute__((warn_unused_result));

/* header: the value of Authorization; NULL: there is none. source: the address of the client,
 * without its port. now: clock_ms(). Without metrics-auth: AUTH_USER, always. */
enum auth_verdict auth_judge(struct auth *auth, const char *header, const char *source,
                             uint64_t now);

/* Reads "Basic BASE64" into "NAME:PASSWORD". False: it is not that, or too long. */
#define AUTH_TEXT_MAX 512
bool auth_read_header(const char *header, char text[static AUTH_TEXT_MAX]);

/* NULL is fine. */
void auth_free(struct auth *auth);

#endif
