/* check = agent: HAProxy's agent protocol. A program beside the server listens (check-port), says
 * one line and may close. The line is ASCII, with words between spaces, tabs and commas, in any
 * order and in upper or lower case; '#' begins a text for people, which is part of the reason.
 *
 *     up, ready, drain, maint, NN%       pass
 *     down, stopped, fail, failed        fail
 *
 * ready, drain and maint are given to the caller as agent_state, NN% as agent_percent.
 * "maxconn:NN" is passed over. Of words that contradict each other the last one counts. A line with
 * no word, or with one that is not known, fails. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_AGENT_H
#define RPPROXY_PROXY_BACKEND_CHECK_AGENT_H

#include "proxy/backend/check/dialogue.h"

extern const struct dialogue_kind agent_dialogue;

#endif
