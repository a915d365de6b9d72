/* Which sessions a command means: "frontend=web", "source=10.0.0.0/8", "idle=5m", or the id of a
 * session. All of the words must hold; of several words with the same key one must. */
#ifndef RPPROXY_PROXY_SESSION_SESSION_FILTER_H
#define RPPROXY_PROXY_SESSION_SESSION_FILTER_H

#include "config/lists/prefix.h"
#include "proxy/session/states.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct session;

/* Names a session, for as long as it lives, in any process: the generation and the number of
 * the worker that accepted it, and its number there. */
struct session_id {
    unsigned generation, worker;
    uint64_t number;
};

#define SESSION_ID_TEXT_MAX 48

/* "3.0.1742". Returns text. */
const char *session_id_text(const struct session_id *id, char text[static SESSION_ID_TEXT_MAX]);

enum session_filter_key {
    FILTER_ID,
    FILTER_FRONTEND,
    FILTER_BACKEND,
    FILTER_SERVER,
    FILTER_SOURCE,
    FILTER_STATE,
    FILTER_IDLE,
    FILTER_AGE,
    FILTER_BYTES,
    FILTER_KEYS
};

struct session_filter_word {
    enum session_filter_key key;
    struct session_id id;
    char *name;         /* of frontend, backend, or server: behind the NUL of its backend's */
    const char *server; /* part of name */
    bool is_unix;       /* source: clients of Unix sockets; else the prefix */
    struct prefix prefix;
    enum session_state state;
    uint64_t least; /* microseconds, or bytes */
};

#define SESSION_FILTER_MAX 32

/* Zeroed at first. */
struct session_filter {
    unsigned count;
    unsigned keys; /* bit: there is a word with that key */
    struct session_filter_word words[SESSION_FILTER_MAX];
};

/* Adds one word. Returns NULL, or what is wrong with it: a string constant that can follow the
 * word; the filter is unchanged then. */
const char *session_filter_add(struct session_filter *filter, const char *word)
    __attribute__((warn_unused_result));

void session_filter_free(struct session_filter *filter);

/* now: microseconds. The thread of the session's worker. */
bool session_filter_matches(const struct session_filter *filter, const struct session *session,
                            uint64_t now);

#endif
