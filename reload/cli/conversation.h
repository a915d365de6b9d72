/* A command's conversation with a running proxy, over the proxy's control socket: the command sends
 * one line, the process greets, and then sends JSON objects, one a line, until either hangs up. */
#ifndef RPPROXY_RELOAD_CLI_CONVERSATION_H
#define RPPROXY_RELOAD_CLI_CONVERSATION_H

#include "config/model/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a process is asked for. Members that do not matter for it are 0. */
struct request {
    const char *what;    /* "reload", "status", ... */
    const char *control; /* path of the control socket */
    millis timeout;      /* for the whole conversation; 0: none */
    const char *file;    /* the configuration file that the user means; NULL: none was named */
    bool force;
    const char *canary; /* the plan of a canary, or NULL */
    const char *server; /* BACKEND/SERVER, ... */
    const char *set;    /* ... and what it is to be */
};

struct conversation {
    int fd;
    int pid;           /* of the process that answers, in the PID namespace of that process */
    pid_t here;        /* the same process in our PID namespace; 0: it cannot be seen from here */
    char *file;        /* the file that process reads, an absolute path; NULL: it did not say */
    int process;       /* a pidfd of that process; -1: only WORD_END tells of the end */
    uint64_t deadline; /* clock_ms(), or UINT64_MAX */
    char *buffer;
    size_t length, size;
    bool open_line; /* stderr ends in a line that will be written over */
};

enum word {
    WORD_HEARD,
    WORD_END,     /* the process hung up: it has asked us to go, or exits */
    WORD_TIMEOUT, /* nothing came in time */
};

/* Connects to the control socket at path, waiting until deadline (clock_ms(), or UINT64_MAX) where
 * the queue of the socket is full. Returns the descriptor, or -1 with errno set. */
int conversation_connect(const char *path, uint64_t deadline) __attribute__((warn_unused_result));

/* Connects to request->control, sends the request, and waits for the greeting, for at most
 * request->timeout. Prints nothing. Returns false, with nothing to end, where no proxy answers:
 * errno is then the reason that connect(2) gave, or 0 where a connection was made and no greeting
 * came. */
bool conversation_begin(struct conversation *talk, const struct request *request)
    __attribute__((warn_unused_result));

/* Waits for the next object; after WORD_HEARD *object is the caller's. */
enum word conversation_hear(struct conversation *talk, json_t **object)
    __attribute__((warn_unused_result));

void conversation_end(struct conversation *talk);

#endif
