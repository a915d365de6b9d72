/* check = http: a request of HTTP/1.1 (RFC 9112), and what is made of the answer.
 *
 * Without check-body the verdict comes with the end of the head, so the length of the body does not
 * matter. With it the status has to be right as well, and the text has to be in the first 64 KiB of
 * the body; a transfer in chunks is understood, a compressed one is not. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_HTTP_H
#define RPPROXY_PROXY_BACKEND_CHECK_HTTP_H

#include "proxy/backend/check/dialogue.h"

extern const struct dialogue_kind http_dialogue;

#endif
