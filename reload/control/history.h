/* The answer to `rpproxy history`, and what a rollback reads. */
#ifndef RPPROXY_RELOAD_CONTROL_HISTORY_H
#define RPPROXY_RELOAD_CONTROL_HISTORY_H

#include <jansson.h>
#include <stddef.h>

struct client;
struct generation;

/* request: {"texts": [2, 3]}: those entries with their configuration. The answer: {"history":
 * [{...},
 * ...], "unread": ["FILE REASON", ...]}. */
void history_answer(struct client *client, const json_t *request);

/* The generation whose configuration a rollback reads: the one that was asked for, or, for 0, the
 * newest that served with another configuration than the present one. Returns 0, with the reason in
 * text, if there is none. */
unsigned history_choose(const struct generation *generation, json_int_t asked, char *text,
                        size_t size);

#endif
