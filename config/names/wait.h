/* Resolves names while nothing else happens: before a process serves, and for commands. */
#ifndef RPPROXY_CONFIG_NAMES_WAIT_H
#define RPPROXY_CONFIG_NAMES_WAIT_H

#include "config/names/resolver.h"

struct wanted_name {
    const char *name;
    enum question_kind kind;
    enum resolve_family family;
    in_port_t port;       /* as resolver_ask() has it */
    struct answer answer; /* the result; the caller frees its items */
    struct waiting *waiting;
};

#define NAMES_WAIT_TIMEOUTS 4

/* Asks for all of these names at the same time. Blocks until each has an answer, at most
 * NAMES_WAIT_TIMEOUTS times `timeout` of conf; when no name server answers at all, `timeout`. What
 * is left then has the status ANSWER_TIMEOUT. Without memory or a loop all that is left has
 * ANSWER_NO_MEMORY. */
void names_wait(const struct resolver_conf *conf, struct wanted_name *names, size_t count);

#endif
