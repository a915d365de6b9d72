/* check = steps: what is sent and what is expected, in the order of the file. Each expectation is
 * looked for in what the server has said since the end of the one before. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_STEPS_H
#define RPPROXY_PROXY_BACKEND_CHECK_STEPS_H

#include "proxy/backend/check/dialogue.h"

extern const struct dialogue_kind steps_dialogue;

#endif
