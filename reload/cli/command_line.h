/* What the user typed, as main.c has read it. */
#ifndef RPPROXY_RELOAD_CLI_COMMAND_LINE_H
#define RPPROXY_RELOAD_CLI_COMMAND_LINE_H

#include "config/model/config.h"

#include <stdbool.h>
#include <stdint.h>

#define COMMAND_WORDS_MAX 16

struct command {
    const char *control;    /* path of the control socket */
    bool control_from_file; /* file sets this path, or leaves the default */
    millis timeout;         /* for the whole command; 0: none */
    bool drained;           /* reload: wait until the old process has exited */
    bool force;             /* reload: even if a backend loses its last usable server */
    const char *canary;     /* reload: the plan of the canary; NULL: none */
    bool abort, promote;    /* reload: decide about the reload in progress */
    /* What stands after the command, in its order; the rest is NULL. */
    const char *words[COMMAND_WORDS_MAX];
    unsigned word_count;
    bool json;        /* print JSON */
    uint64_t limit;   /* sessions, events: print so many at most; 0: all */
    bool diff;        /* history: the difference of two generations */
    bool rollback;    /* reload: with the configuration of an earlier generation */
    bool write;       /* rollback: put it into the file */
    unsigned stored;  /* rollback: that generation; 0: the last that served otherwise */
    uint64_t last;    /* events: begin with the last so many */
    bool dry_run;     /* reload: only print what it would change */
    bool watch;       /* status: print again each second */
    bool verbose;     /* reload, stop: print each step even without a terminal */
    const char *file; /* the configuration file; NULL: only the socket was named */
};

#endif
