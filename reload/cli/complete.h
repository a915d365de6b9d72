/* `rpproxy --complete WORD...`: what can stand in place of the last word, for the completion of
 * shells (scripts/completion). The answer comes from the tables of main.c, so it fits the program
 * that is asked. */
#ifndef RPPROXY_RELOAD_CLI_COMPLETE_H
#define RPPROXY_RELOAD_CLI_COMPLETE_H

#include <getopt.h>
#include <stddef.h>

struct complete_command {
    const char *name;   /* "": the command that serves */
    const int *options; /* the `val` of each option that it accepts; 0: none */
    size_t option_count;
    unsigned most; /* words after the command */
};

struct complete_grammar {
    const struct complete_command *commands;
    size_t command_count;
    const struct option *options; /* the last one is all zero */
};

/* Printed where the name of a file can stand. */
#define COMPLETE_FILE "@file"

/* Prints each candidate on a line of its own; words: what was typed after the program, of which the
 * last is to be completed, and may be empty. The names of servers come from the running proxy, if
 * it answers at once. Prints no errors. */
void complete(const struct complete_grammar *grammar, char **words, size_t count);

#endif
