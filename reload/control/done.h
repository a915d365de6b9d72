/* The answer to a command that has changed something: it comes when the change is everywhere. */
#ifndef RPPROXY_RELOAD_CONTROL_DONE_H
#define RPPROXY_RELOAD_CONTROL_DONE_H

#include <stdbool.h>

struct client;

#define DONE_TEXT_MAX 1024

/* Answers with EXIT_DONE and the text, which is copied: when all workers have followed (workers:
 * if that is to be waited for), and what is set is in the state file, where there is one. If it
 * cannot be written, the text says so. */
void done_answer(struct client *client, const char *text, bool workers);

#endif
