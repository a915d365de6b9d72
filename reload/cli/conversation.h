/* The conversation of a command with a running proxy, over the control socket of the proxy. The
 * command sends one line. The process greets, and then sends JSON objects, one in each line,
 * until one side closes the connection. */
#ifndef RPPROXY_RELOAD_CLI_CONVERSATION_H
#define RPPROXY_RELOAD_CLI_CONVERSATION_H

#include "config/model/config.h"

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What a process is asked for. Members that do not matter for it are 0. */
struct request {
    const char *what;      /* "reload", "status", ... */
    const char *control;   /* path of the control socket */
    millis timeout;        /* for the whole conversation; 0: none */
    const char *file;      /* the configuration file that the user named; NULL: none */
    const json_t *members; /* of the request, besides these; NULL: none */
};

struct conversation {
    int fd;
    int pid;     /* pid of the process that answers, in the PID namespace of that process */
    pid_t here;  /* the same process in the PID namespace of this command; 0: not visible here */
    char *file;  /* absolute path of the file that this process reads; NULL: not known */
    int process; /* a pidfd of that process; -1: only WORD_END shows its end */
    uint64_t deadline; /* clock_ms(), or UINT64_MAX */
    char *buffer;
    size_t length, size;
    bool open_line; /* stderr ends in a line that the next step overwrites */
};

/* A process that runs greets, and answers a question, at once; or as soon as it has closed other
 * clients of its control socket, which it does after 10 s. */
#define CONVERSATION_ANSWER_MS 20000

enum word {
    WORD_HEARD,
    WORD_END,     /* the process closed the connection: it is done with this command, or exits */
    WORD_TIMEOUT, /* nothing came in time */
};

/* Connects to request->control, sends the request, and waits for the greeting, for at most
 * request->timeout and CONVERSATION_ANSWER_MS. Prints nothing. Returns 0; or an errno value, with
 * nothing to end, where no proxy answers: the reason that connect(2) gave, or EPROTO where a
 * connection was made and no greeting came. */
int conversation_begin(struct conversation *talk, const struct request *request)
    __attribute__((warn_unused_result));

/* Waits for the next object. After WORD_HEARD the caller frees *object. */
enum word conversation_hear(struct conversation *talk, json_t **object)
    __attribute__((warn_unused_result));

/* The same for an answer that is due: for at most CONVERSATION_ANSWER_MS. */
enum word conversation_hear_answer(struct conversation *talk, json_t **object)
    __attribute__((warn_unused_result));

void conversation_end(struct conversation *talk);

#endif
