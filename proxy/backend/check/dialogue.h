/* What a check says to a server, and what it makes of the answers: the interface between a probe,
 * which has the connection and the deadline, and the modules that know a protocol.
 *
 * A dialogue never touches a socket. It reads what the server has said from one buffer, and writes
 * what is to be sent to another one; tests and fuzzing do the same.
 *
 * For the thread of the checks. */
#ifndef RPPROXY_PROXY_BACKEND_CHECK_DIALOGUE_H
#define RPPROXY_PROXY_BACKEND_CHECK_DIALOGUE_H

#include "config/model/check.h"

#include <event2/buffer.h>
#include <stdbool.h>
#include <stddef.h>

/* Bytes that a dialogue may leave unread in its input. A server that has sent so much that the
 * dialogue still has no use for has failed the check. */
#define DIALOGUE_INPUT_MAX (64u * 1024)

#define DIALOGUE_REASON_MAX 160

enum dialogue_verdict {
    DIALOGUE_GOES_ON, /* the server is to say more */
    DIALOGUE_PASSED,
    DIALOGUE_FAILED, /* for dialogue->reason */
};

/* HAProxy's maximum: a weight of 1 becomes 256. */
#define AGENT_PERCENT_MAX 25600

struct dialogue {
    const struct dialogue_kind *kind;
    const struct check_conf *conf;
    char reason[DIALOGUE_REASON_MAX]; /* one line of printable ASCII; what the server said is in
                                         it, shortened */
    /* After DIALOGUE_PASSED or DIALOGUE_FAILED. true: the probe sends what is in the output, then
     * the end of its stream (FIN), and drops what the server says until the server has closed as
     * well; that the deadline passes meanwhile is no failure. So a server that counts or logs
     * broken connections has none to count. false: the output is not sent, and the probe closes as
     * it likes. */
    bool awaits_close;
    /* Without awaits_close. true: the server may finish what it says, and closes by itself; the
     * probe drops that, sends nothing more, and resets the connection when the server has closed,
     * or at the deadline. So a server that logs each write that fails has none to log. */
    bool lets_finish;
    enum agent_state agent_state;
    int agent_percent; /* of the weight in the file, up to AGENT_PERCENT_MAX; -1: nothing was said.
                        * The caller sets -1 before, and keeps the weight within its range. */
    void *state;       /* of dialogue_kind.state_size bytes, zeroed; NULL where that is 0 */
};

struct dialogue_kind {
    const char *name; /* as in check = NAME */
    size_t state_size;
    /* The connection is established: writes the first bytes to output, if the client speaks first.
     * NULL: the server speaks first, or says nothing. host: the server's address as HOST:PORT.
     * Out of memory is DIALOGUE_FAILED. */
    enum dialogue_verdict (*begin)(struct dialogue *dialogue, const char *host,
                                   struct evbuffer *output);
    /* The server has said more, or (ended) has ended its stream; drains from input what it has
     * used. NULL: begin alone decides. Not called again after a verdict but DIALOGUE_GOES_ON. */
    enum dialogue_verdict (*hear)(struct dialogue *dialogue, struct evbuffer *input, bool ended,
                                  struct evbuffer *output);
    /* Frees what state points to; NULL: nothing. */
    void (*end)(struct dialogue *dialogue);
};

/* What a reason quotes of the server's words at most, with the NUL. */
#define DIALOGUE_QUOTE_MAX 61

/* The first of these bytes as a text: NULs become '?'. Returns text. */
const char *dialogue_quote(const void *bytes, size_t length, char text[static DIALOGUE_QUOTE_MAX]);

/* Makes dialogue->reason, printf-like; bytes that are not printable become '?'. Returns
 * DIALOGUE_FAILED. */
enum dialogue_verdict dialogue_fail(struct dialogue *dialogue, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
