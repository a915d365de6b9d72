/* The commands: some contact a running proxy, others do not. Each returns an exit status of
 * rpproxy(8). */
#ifndef RPPROXY_RELOAD_CLI_COMMAND_H
#define RPPROXY_RELOAD_CLI_COMMAND_H

#include "config/model/config.h"

#include <stdbool.h>

struct command {
    const char *control;    /* path of the control socket */
    bool control_from_file; /* file sets this path, or leaves the default */
    millis timeout;         /* for the whole command; 0: none */
    bool drained;           /* reload: wait until the old process has exited */
    bool force;             /* reload: even if a backend loses its last usable server */
    const char *canary;     /* reload: the plan of the canary; NULL: none */
    bool abort, promote;    /* reload: decide about the reload in progress */
    const char *server;     /* server: BACKEND/SERVER, ... */
    const char *set;        /* ... and its new state or weight */
    bool json;              /* status, config: print JSON */
    bool dry_run;           /* reload: only print what it would change */
    bool watch;             /* status: print again each second */
    bool verbose;           /* reload, stop: print each step even without a terminal */
    const char *file;       /* the configuration file that the user named; NULL: none */
};

int command_reload(const struct command *command);
int command_status(const struct command *command);
int command_server(const struct command *command);
int command_stop(const struct command *command);
int command_config(const struct command *command);

/* Validates file and prints all its mistakes; changes nothing. */
int command_check(const char *file);

/* Prints the table of options. */
int command_help_options(void);

/* Returns NULL, or what is wrong with the plan of a canary ("5%:30s"). */
const char *command_canary(const char *text);

/* Reads a time ("10s"). Returns NULL, or what is wrong with it. */
const char *command_duration(const char *text, millis *duration);

#endif
