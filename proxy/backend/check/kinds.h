/* The table of all dialogues: a module that knows a protocol has a row in kinds.c. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_KINDS_H
#define RPPROXY_PROXY_BACKEND_CHECK_KINDS_H

#include "proxy/backend/check/dialogue.h"

/* The kind of check, or NULL: that kind has no dialogue (tcp, off, exec). */
const struct dialogue_kind *dialogue_kind(enum check check);

#endif
