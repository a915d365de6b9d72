/* Sessions that last: real clients that stay connected, and are asked again and again, while the
 * proxy reloads. */
#ifndef TESTS_SYSTEM_LASTING_H
#define TESTS_SYSTEM_LASTING_H

#include "tests/system/support/load.h"
#include "tests/system/support/proxy.h"

enum { HANDOFFS = 3 };

/* A command whose input goes to the port of 127.0.0.1, and whose output is what comes from there.
 */
#define RAW_CLIENT(port) "bash -c 'exec 3<>/dev/tcp/127.0.0.1/" port "; cat <&0 >&3 & exec cat <&3'"

/* A client. The test fills in the first four; the rest belongs to lasting.c. */
struct lasting {
    const char *name;    /* of its files */
    const char *command; /* of the shell; one program, which has one connection to the proxy */
    const char *say;     /* what the client is given as its input for each question, or ... */
    const char *ask;     /* ... a command of the shell after which the client hears something */
    const char *answer;  /* then one more line of the client's output has this */

    pid_t pid;
    int in;
    char out[PATH_MAX];
    char from[64]; /* its address: another one would be another session */
};

/* Starts the client, and waits until its output has `greeting`; NULL: asks. */
void lasting_start(struct lasting *lasting, const char *greeting);

/* Gives the client an input, without a question. */
void lasting_say(struct lasting *lasting, const char *text);

/* Asks, and waits for the answer. Fails the test if the client has ended. */
void lasting_ask(struct lasting *lasting);

/* Reloads HANDOFFS times, while the loads go on (`loads` is NULL-ended, or NULL). Each time the
 * clients are asked before the sessions have moved and after it, the old process has ended, and the
 * new one lists each client's session, which is the same connection as before, as its own. */
void hand_over(struct proxy *proxy, struct lasting *const *all, const struct load *const *loads);

/* hand_over() without questions: of a client that is stopped, or is silent. */
void hand_over_silent(struct proxy *proxy, struct lasting *const *all);

/* The same of clients whose TLS ends in the proxy: their sessions stay in the process that has
 * begun them, where the clients are asked, and `status` says why. It ends after the last of them.
 */
void reload_beside(struct proxy *proxy, struct lasting *const *all,
                   const struct load *const *loads);

/* Ends the client, which must have been alive. */
void lasting_end(struct lasting *lasting);

#endif
