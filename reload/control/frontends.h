/* Frontends as their operator pauses and resumes them: for `rpproxy frontend`, status, and the
 * status page. Main thread. */
#ifndef RPPROXY_RELOAD_CONTROL_FRONTENDS_H
#define RPPROXY_RELOAD_CONTROL_FRONTENDS_H

#include "reload/base/exit_status.h"

#include <jansson.h>
#include <stddef.h>

struct client;
struct generation;

/* Does what `rpproxy frontend NAME SET` asks for: SET is pause, resume, or NULL, which changes
 * nothing; name may be NULL, and both may be anything. EXIT_DONE, and text says how the frontend is
 * now; or EXIT_OTHER, and it says what is wrong, and nothing has changed. The workers follow a
 * moment later. */
#define FRONTENDS_TEXT_MAX 1024
enum exit_status frontends_command(const struct generation *generation, const char *name,
                                   const char *set, char text[static FRONTENDS_TEXT_MAX]);

/* {"command": "frontend"}: answers when all workers have followed, so that no client is accepted
 * after `pause` has returned. */
void frontends_answer(struct client *client, const json_t *request);

/* Adds to the object of that frontend whether it is paused. */
void frontends_json_pause(json_t *object, const struct generation *generation, size_t frontend);

#endif
