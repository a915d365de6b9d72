/* Why sessions ended, in HAProxy's two letters; states.h has the words. */
#ifndef RPPROXY_PROXY_SESSION_ENDING_H
#define RPPROXY_PROXY_SESSION_ENDING_H

#include "proxy/session/states.h"

struct session;

/* Two letters and a NUL, as HAProxy's manual has them ("Session state at disconnection"): what
 * ended the session, and what it was at then. state: that the session had when it ended. */
#define ENDING_LETTERS 3
const char *ending_letters(const struct session *session, enum session_state state,
                           enum session_end end, char letters[static ENDING_LETTERS]);

#endif
