/* check = smtp: the greeting, EHLO (HELO where the server does not know that), QUIT (RFC 5321).
 *
 * Passes when the greeting is 220 and EHLO or HELO is answered with 250. The name in EHLO is
 * check-host, by default "localhost" as with HAProxy. The server's answer to QUIT is awaited, so
 * that it logs no lost connection, but a server that gives none has passed. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_SMTP_H
#define RPPROXY_PROXY_BACKEND_CHECK_SMTP_H

#include "proxy/backend/check/dialogue.h"

extern const struct dialogue_kind smtp_dialogue;

#endif
