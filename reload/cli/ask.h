/* What the commands share that ask a running proxy: the question, a simple answer, and its output.
 * Errors are printed to stderr. */
#ifndef RPPROXY_RELOAD_CLI_ASK_H
#define RPPROXY_RELOAD_CLI_ASK_H

#include "reload/cli/command_line.h"
#include "reload/cli/conversation.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>

/* Begins the conversation with the question `what`. members: of the question, besides those that
 * every command sends; NULL: none; the caller keeps it. Returns false, after printing an error, if
 * no proxy answers. */
bool ask(struct conversation *talk, const struct command *command, const char *what,
         const json_t *members) __attribute__((warn_unused_result));

/* The same, after an answer that another process is to complete. Prints nothing. */
bool ask_again(struct conversation *talk, const struct command *command, const char *what,
               const json_t *members) __attribute__((warn_unused_result));

/* The answer of a process that has greeted. Returns EXIT_DONE; or another exit status, after
 * printing an error, if no answer comes. */
int hear_answer(struct conversation *talk, json_t **object) __attribute__((warn_unused_result));

/* Asks for the object `what`, and stores it in *answer, which the caller frees. here may be NULL
 * (conversation.h describes both pids). Returns an exit status; errors have been printed. */
int ask_once(const struct command *command, const char *what, int *pid, pid_t *here,
             json_t **answer) __attribute__((warn_unused_result));

/* Asks for something to be done, and prints the one line of the result. Returns the exit status
 * that the proxy sends, or EXIT_NO_PROXY. */
int ask_for_action(const struct command *command, const char *what, const json_t *members);

/* Prints JSON on one line or on several. Returns false if it could not be printed completely,
 * because there is no memory or writing failed (ferror(stdout)). */
bool print_json(const json_t *json, bool on_one_line);

/* Returns an exit status. If the answer of pid was not printed, and not because writing failed,
 * prints an error: the answer had an unknown form, or there was no memory. output_end() in
 * main.c reports that writing failed. */
int end_of_answer(bool printed, int pid);

#endif
