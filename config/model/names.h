/* What the file says about names: how they are asked for, and of servers that have one. */
#ifndef RPPROXY_CONFIG_MODEL_NAMES_H
#define RPPROXY_CONFIG_MODEL_NAMES_H

#include "config/base/address.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RESOLVERS_MOST 8

struct resolver_conf {
    struct address servers[RESOLVERS_MOST]; /* name servers, in their order */
    unsigned server_count;                  /* 0: /etc/hosts and /etc/resolv.conf */
    uint64_t min, max; /* bounds of the time until a name is asked for again: milliseconds */
    uint64_t hold;     /* how long the last addresses are kept without an answer: milliseconds */
    uint64_t timeout;  /* of one question, whatever name servers it takes: milliseconds */
};

/* How often the names of a backend's servers are asked for. */
enum resolve { RESOLVE_START, RESOLVE_LIVE };

/* What happens at start to a server with a name that has no answer. */
enum unresolved { UNRESOLVED_FAIL, UNRESOLVED_DOWN };

#endif
