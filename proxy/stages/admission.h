/* The stage that decides by the client's address: allow and deny, max-sessions-per-source and
 * rate-per-source. It stands behind the PROXY header, for what that told is the address; nothing
 * else has been read of the client, and nothing is connected. */
#ifndef RPPROXY_PROXY_STAGES_ADMISSION_H
#define RPPROXY_PROXY_STAGES_ADMISSION_H

#include "proxy/session/stage.h"

stage_maker admission_make;

#endif
