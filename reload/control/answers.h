/* What the process answers to each command: a table of names and functions. A command whose answer
 * needs more than some lines has a module of its own beside this one. */
#ifndef RPPROXY_RELOAD_CONTROL_ANSWERS_H
#define RPPROXY_RELOAD_CONTROL_ANSWERS_H

struct client;

/* line: what the command has sent, which may be anything. */
void answer_command(struct client *client, const char *line);

#endif
