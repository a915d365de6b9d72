/* The commands: those that speak to a running proxy, and those that need none. Each returns an exit
 * status of rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_COMMAND_H
#define RPPROXY_RELOAD_CLI_COMMAND_H

#include "config/model/config.h"

#include <stdbool.h>

struct command {
    const char *control;    /* path of the control socket */
    bool control_from_file; /* the path stands in file, or is the default that file leaves in force
                             */
    millis timeout;         /* for the whole command; 0: none */
    bool drained;           /* reload: wait until the predecessor is gone */
    bool force;             /* reload: though a backend lose its last usable server */
    const char *canary;     /* reload: with a canary of that plan; NULL: without */
    bool abort, promote;    /* reload: decides about the one that is under way */
    const char *server;     /* server: BACKEND/SERVER, ... */
    const char *set;        /* ... and what it is to be */
    bool json;              /* status, config: as it comes */
    bool dry_run;           /* reload: only tell what it would change */
    bool watch;             /* status: again each second */
    bool verbose;           /* reload, stop: tell each step though nobody watches */
    const char *file;       /* the configuration file that the user means; NULL: none was named */
};

int command_reload(const struct command *command);
int command_status(const struct command *command);
int command_server(const struct command *command);
int command_stop(const struct command *command);
int command_config(const struct command *command);

/* Validates file and tells all that is wrong with it; touches nothing else. */
int command_check(const char *file);

/* Prints the table of options. */
int command_help_options(void);

/* NULL, or what is wrong with a canary's plan ("5%:30s"). */
const char *command_canary(const char *text);

/* Reads a time ("10s"). NULL, or what is wrong with it. */
const char *command_duration(const char *text, millis *duration);

#endif
