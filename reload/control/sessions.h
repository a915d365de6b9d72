/* The answers to `rpproxy sessions` and `rpproxy kill`: sessions of this process, and of all other
 * processes that may have some. */
#ifndef RPPROXY_RELOAD_CONTROL_SESSIONS_H
#define RPPROXY_RELOAD_CONTROL_SESSIONS_H

#include <jansson.h>

struct client;

/* request: {"filters": ["frontend=web", ...], "limit": N, "alone": true}. The filters are those of
 * session_filter.h. limit: of each worker and frontend only so many sessions, the oldest; missing:
 * all. alone: those of this process only. The answer comes in pieces, and sessions in no order; a
 * session that moved meanwhile may come twice:
 *
 *   {"sessions": [{"id": "3.0.17", "began": 5, ...}, ...]}   began: microseconds, CLOCK_MONOTONIC
 *   {"missing": {"pid": 1, "generation": 3}}   that process has not answered
 *   {"again": true}                            this process ends before its answer does
 *   {"over": true, "killed": 0}                the end
 *
 * After "again" the command asks the process that has its sessions now. A kill that is answered so
 * is over as well, and tells the number: the last session may have been its own. */
void sessions_answer(struct client *client, const json_t *request);

/* The same request; at least one filter. The sessions are ended. */
void sessions_answer_kill(struct client *client, const json_t *request);

#endif
