/* What a supervisor hears of its generations, line by line (supervisor.h, notify.h), and the state
 * that it passes to a new program which goes on in its place. */
#ifndef RPPROXY_RELOAD_BASE_SUPERVISOR_LINE_H
#define RPPROXY_RELOAD_BASE_SUPERVISOR_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum supervisor_line_kind {
    SUPERVISOR_LINE_RELOADING, /* these two are for the service manager as well, */
    SUPERVISOR_LINE_READY,
    SUPERVISOR_LINE_OTHER,    /* and these for the service manager alone */
    SUPERVISOR_LINE_MAIN,     /* number: the process that serves */
    SUPERVISOR_LINE_LAUNCHED, /* number: a new process */
    SUPERVISOR_LINE_RESUMES,
    SUPERVISOR_LINE_OUTCOME, /* number: a wait status */
    SUPERVISOR_LINE_FILES,   /* a list of files begins */
    SUPERVISOR_LINE_FILE,    /* mark and pattern */
    SUPERVISOR_LINE_ABSENT,  /* of the file before */
    SUPERVISOR_LINE_WRONG,   /* a file without a pattern: it says nothing */
};

struct supervisor_line {
    enum supervisor_line_kind kind;
    pid_t number;
    uint64_t mark;
    const char *pattern; /* a part of the line */
};

/* line: without its end. */
struct supervisor_line supervisor_line_read(const char *line);

/* True: the service manager is told the line. */
bool supervisor_line_is_public(enum supervisor_line_kind kind);

#define SUPERVISOR_MEMBERS_MAX 256

/* A generation that lives. */
struct supervisor_member {
    pid_t pid;
    bool served, stopped; /* as in supervise.c */
};

struct supervisor_state {
    pid_t main;
    bool stopping;
    uint64_t seen; /* of watch.h */
    struct supervisor_member members[SUPERVISOR_MEMBERS_MAX];
    size_t count;
};

/* Writes a line without its end. Lines of files may follow. */
void supervisor_state_write(const struct supervisor_state *state, FILE *out);

/* Reads what supervisor_state_write() has written. Returns what follows, which is lines of files,
 * or is empty; NULL if text is no state. */
const char *supervisor_state_read(const char *text, struct supervisor_state *state);

#endif
